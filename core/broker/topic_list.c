/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/topic_list.h"

#include <stdlib.h>

#include "core/base/arena.h"
#include "core/proto/gen/messages.h"

struct topics_result {
	struct klamm_topic_list list; /* first: this is what the application holds */
	struct kl_arena arena;
};

static int by_partition(const void *a, const void *b)
{
	const struct klamm_partition_description *const *x = a, *const *y = b;
	return ((*x)->partition > (*y)->partition) -
	       ((*x)->partition < (*y)->partition);
}

static int by_name(const void *a, const void *b)
{
	const struct klamm_topic_description *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static const int32_t *copy_ids(struct kl_arena *arena, const int32_t *ids, int32_t n,
			       size_t *count_out)
{
	*count_out = (size_t)kl_max(n, 0);
	int32_t *copy = kl_arena_array(arena, *count_out, sizeof(*copy));
	if (copy != NULL && *count_out > 0)
		memcpy(copy, ids, *count_out * sizeof(*copy));
	return copy;
}

static struct klamm_partition_description *describe_partition(
	struct kl_arena *arena, const struct kl_metadata_response_partition *told)
{
	struct klamm_partition_description *p = kl_arena_alloc(arena, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->partition = told->partition_index;
	p->error = told->error_code;
	p->leader = told->leader_id;
	p->leader_epoch = told->leader_epoch;
	p->replicas = copy_ids(arena, told->replica_nodes, told->replica_nodes_n,
			       &p->replica_count);
	p->in_sync =
		copy_ids(arena, told->isr_nodes, told->isr_nodes_n, &p->in_sync_count);
	p->offline = copy_ids(arena, told->offline_replicas, told->offline_replicas_n,
			      &p->offline_count);
	return p->replicas && p->in_sync && p->offline ? p : NULL;
}

static struct klamm_topic_description *describe_topic(
	struct kl_arena *arena, const struct kl_metadata_response_topic *told)
{
	size_t n = (size_t)kl_max(told->partitions_n, 0);
	struct klamm_topic_description *t = kl_arena_alloc(arena, sizeof(*t));
	const struct klamm_partition_description **partitions =
		kl_arena_array(arena, n, sizeof(*partitions));
	if (t == NULL || partitions == NULL)
		return NULL;
	t->name = kl_arena_text(arena, told->name.p, (size_t)kl_max(told->name.len, 0));
	t->error = told->error_code;
	t->internal = told->is_internal;
	t->id = told->topic_id;
	t->partitions = partitions;
	t->partition_count = n;
	for (size_t i = 0; i < n; i++)
		if ((partitions[i] = describe_partition(arena, &told->partitions[i])) ==
		    NULL)
			return NULL;
	qsort(partitions, n, sizeof(*partitions), by_partition);
	return t->name != NULL ? t : NULL;
}

static const struct kl_metadata_response_topic *find_told(
	const struct kl_metadata_response *body, const char *name)
{
	for (int32_t i = 0; i < body->topics_n; i++)
		if (kl_str_is(body->topics[i].name, name))
			return &body->topics[i];
	return NULL;
}

/* The named topics of an answer that has others as well. */
static bool pick_topics(const struct kl_metadata_response *body, const char *const *names,
			size_t count, struct kl_arena *arena,
			const struct klamm_topic_description **topics)
{
	for (size_t i = 0; i < count; i++) {
		const struct kl_metadata_response_topic *told = find_told(body, names[i]);
		struct kl_metadata_response_topic missing = {
			.name = kl_str(names[i]),
			.error_code = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
		};
		topics[i] = describe_topic(arena, told != NULL ? told : &missing);
		if (topics[i] == NULL)
			return false;
	}
	return true;
}

static bool copy_topics(const struct kl_metadata_response *body, struct kl_arena *arena,
			const struct klamm_topic_description **topics)
{
	for (int32_t i = 0; i < body->topics_n; i++)
		if ((topics[i] = describe_topic(arena, &body->topics[i])) == NULL)
			return false;
	return true;
}

struct klamm_topic_list *kl_topic_list_make(const struct kl_metadata_response *body,
					    const char *const *names, size_t count)
{
	struct topics_result *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	size_t n = names != NULL ? count : (size_t)kl_max(body->topics_n, 0);
	const struct klamm_topic_description **topics =
		kl_arena_array(&r->arena, n, sizeof(*topics));
	r->list.topics = topics;
	r->list.count = n;
	if (topics == NULL ||
	    !(names != NULL ? pick_topics(body, names, count, &r->arena, topics)
			    : copy_topics(body, &r->arena, topics))) {
		klamm_topic_list_free(&r->list);
		return NULL;
	}
	qsort(topics, n, sizeof(*topics), by_name);
	return &r->list;
}

void klamm_topic_list_free(struct klamm_topic_list *list)
{
	if (list == NULL)
		return;
	struct topics_result *r = kl_container(list, struct topics_result, list);
	kl_arena_free(&r->arena);
	free(r);
}
