/* SPDX-License-Identifier: BSD-2-Clause */
/* What groups have committed. */
#include <stdlib.h>

#include "core/admin/groups.h"
#include "core/base/error.h"
#include "core/base/order.h"

struct result {
	struct klamm_group_offsets_list
		list; /* first: this is what the application holds */
	struct kl_arena arena;
	struct klamm_group_offsets **groups;
};

struct listing {
	struct kl_scatter scatter;
	const struct klamm_group_offsets_query *const *queries;
	struct result *result;
	bool stable;
};

static struct listing *listing_of(struct kl_scatter *scatter)
{
	return kl_container(scatter, struct listing, scatter);
}

static const struct klamm_group_offsets_query *query_of(const struct listing *l,
							const struct kl_item *item)
{
	return l->queries[item - l->scatter.items];
}

/* --- the question --- */

/* A topic of the question for each partition: brokers take one that is named again. */
static struct kl_offset_fetch_request_group_topic *group_topics(
	const struct klamm_group_offsets_query *q, struct kl_arena *arena, int32_t *count)
{
	struct kl_offset_fetch_request_group_topic *topics =
		kl_type_new(&kl_type_offset_fetch_request_group_topic, arena, q->count);
	for (size_t i = 0; topics != NULL && i < q->count; i++) {
		topics[i].name = kl_str(q->partitions[i].topic);
		topics[i].partition_indexes_n = 1;
		topics[i].partition_indexes = kl_arena_array(arena, 1, sizeof(int32_t));
		if (topics[i].partition_indexes == NULL)
			return NULL;
		*topics[i].partition_indexes = q->partitions[i].partition;
	}
	*count = (int32_t)q->count;
	return topics;
}

static bool put_group(const struct listing *l, struct kl_part *part,
		      const struct kl_item *item, struct kl_offset_fetch_request_group *to)
{
	const struct klamm_group_offsets_query *q = query_of(l, item);
	to->group_id = kl_str(item->name);
	if (q->partitions == NULL) {
		to->topics_n = -1;
		return true;
	}
	to->topics = group_topics(q, &part->arena, &to->topics_n);
	return to->topics != NULL;
}

static bool put_groups(const struct listing *l, struct kl_part *part,
		       struct kl_offset_fetch_request *body)
{
	size_t n = 0;
	kl_part_for (item, part)
		n++;
	body->groups = kl_type_new(&kl_type_offset_fetch_request_group, &part->arena, n);
	if (body->groups == NULL)
		return false;
	kl_part_for (item, part)
		if (!put_group(l, part, item, &body->groups[body->groups_n++]))
			return false;
	return true;
}

static bool put_only_group(const struct listing *l, struct kl_part *part,
			   struct kl_offset_fetch_request *body)
{
	const struct kl_item *item = kl_list_entry(part->items.next, struct kl_item, link);
	const struct klamm_group_offsets_query *q = query_of(l, item);
	part->one_by_one = true;
	body->group_id = kl_str(item->name);
	if (q->partitions == NULL) {
		body->topics_n = -1;
		return true;
	}
	body->topics =
		kl_type_new(&kl_type_offset_fetch_request_topic, &part->arena, q->count);
	int32_t *partitions = kl_arena_array(&part->arena, q->count, sizeof(*partitions));
	if (body->topics == NULL || partitions == NULL)
		return false;
	body->topics_n = (int32_t)q->count;
	for (size_t i = 0; i < q->count; i++) {
		partitions[i] = q->partitions[i].partition;
		body->topics[i].name = kl_str(q->partitions[i].topic);
		body->topics[i].partition_indexes = &partitions[i];
		body->topics[i].partition_indexes_n = 1;
	}
	return true;
}

static const void *prepare(struct kl_scatter *scatter, struct kl_part *part, int version)
{
	const struct listing *l = listing_of(scatter);
	struct kl_offset_fetch_request *body = kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_offset_fetch_request, body);
	body->require_stable = l->stable;
	return (version >= 8 ? put_groups(l, part, body) : put_only_group(l, part, body))
		       ? body
		       : NULL;
}

/* --- the answer --- */

/* The partitions of one group in an answer of any version. */
struct told {
	int32_t topics;
	const struct kl_offset_fetch_response_topic *old;
	const struct kl_offset_fetch_response_group_topic *new;
};

static struct kl_str topic_name(const struct told *told, int32_t topic)
{
	return told->old != NULL ? told->old[topic].name : told->new[topic].name;
}

static int32_t partitions_of(const struct told *told, int32_t topic)
{
	return told->old != NULL ? told->old[topic].partitions_n
				 : told->new[topic].partitions_n;
}

static struct kl_offset_fetch_response_group_partition partition_of(const struct told *told,
								    int32_t topic,
								    int32_t i)
{
	if (told->new != NULL)
		return told->new[topic].partitions[i];
	const struct kl_offset_fetch_response_partition *p =
		&told->old[topic].partitions[i];
	return (struct kl_offset_fetch_response_group_partition){
		.partition_index = p->partition_index,
		.committed_offset = p->committed_offset,
		.committed_leader_epoch = p->committed_leader_epoch,
		.metadata = p->metadata,
		.error_code = p->error_code,
	};
}

static int by_place(const void *a, const void *b)
{
	const struct klamm_group_offset *const *x = a, *const *y = b;
	return kl_order_partitions((*x)->topic, (*x)->partition, (*y)->topic,
				   (*y)->partition);
}

static bool add_offset(struct kl_arena *arena, const char *topic,
		       const struct kl_offset_fetch_response_group_partition *told,
		       struct klamm_group_offset **to)
{
	struct klamm_group_offset *offset = *to = kl_arena_alloc(arena, sizeof(*offset));
	if (offset == NULL)
		return false;
	/* Versions 0 and 1 say so of what was never committed. */
	bool none = told->error_code == KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	offset->topic = topic;
	offset->partition = told->partition_index;
	offset->error = none ? 0 : told->error_code;
	offset->offset = none ? -1 : told->committed_offset;
	offset->leader_epoch = told->committed_leader_epoch;
	offset->metadata = kl_group_text(arena, told->metadata);
	return offset->metadata != NULL;
}

static bool copy_offsets(struct kl_arena *arena, const struct told *told,
			 struct klamm_group_offsets *group)
{
	size_t n = 0;
	for (int32_t i = 0; i < told->topics; i++)
		n += (size_t)kl_max(partitions_of(told, i), 0);
	struct klamm_group_offset **offsets = kl_arena_array(arena, n, sizeof(*offsets));
	if (offsets == NULL)
		return false;
	n = 0;
	for (int32_t i = 0; i < told->topics; i++) {
		const char *topic = kl_group_text(arena, topic_name(told, i));
		for (int32_t j = 0; j < partitions_of(told, i); j++) {
			struct kl_offset_fetch_response_group_partition p =
				partition_of(told, i, j);
			if (topic == NULL || !add_offset(arena, topic, &p, &offsets[n++]))
				return false;
		}
	}
	qsort(offsets, n, sizeof(*offsets), by_place);
	group->offsets = (const struct klamm_group_offset *const *)offsets;
	group->count = n;
	return true;
}

/* The whole group's error: versions 0 and 1, and some brokers later, say it with each
 * partition. What is a partition's alone does not pass by waiting, but for one. */
static int group_error(const struct told *told, int code)
{
	for (int32_t i = 0; code == 0 && i < told->topics; i++)
		for (int32_t j = 0; code == 0 && j < partitions_of(told, i); j++) {
			int of_one = partition_of(told, i, j).error_code;
			if (of_one == KLAMM_ERR_NOT_COORDINATOR ||
			    of_one == KLAMM_ERR_COORDINATOR_NOT_AVAILABLE ||
			    of_one == KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
			    of_one == KLAMM_ERR_GROUP_AUTHORIZATION_FAILED ||
			    of_one == KLAMM_ERR_UNSTABLE_OFFSET_COMMIT)
				code = of_one;
		}
	return code;
}

static void judge(struct kl_scatter *scatter, struct kl_item *item, const struct told *told,
		  int code)
{
	struct result *r = listing_of(scatter)->result;
	code = group_error(told, code);
	if (code == KLAMM_ERR_GROUP_ID_NOT_FOUND) /* from 9 on; before, it had no offsets */
		code = 0;
	if (code == 0 && !copy_offsets(&r->arena, told, r->groups[item - scatter->items]))
		kl_item_no_memory(scatter, item);
	else
		kl_item_told(scatter, item, code, KL_STR_NULL);
}

static void answer(struct kl_scatter *scatter, struct kl_part *part, const void *response,
		   int version)
{
	const struct kl_offset_fetch_response *body = response;
	if (version < 8) {
		struct told told = {.topics = body->topics_n, .old = body->topics};
		judge(scatter, kl_list_entry(part->items.next, struct kl_item, link), &told,
		      body->error_code);
		return;
	}
	for (int32_t i = 0; i < body->groups_n; i++) {
		const struct kl_offset_fetch_response_group *group = &body->groups[i];
		struct told told = {.topics = group->topics_n, .new = group->topics};
		struct kl_item *item = kl_part_item(part, group->group_id);
		if (item != NULL)
			judge(scatter, item, &told, group->error_code);
	}
}

static const struct kl_scatter_ops ops = {
	.what = "listing offsets of groups",
	.prepare = prepare,
	.answer = answer,
};

/* --- the call --- */

static int check(const struct klamm_group_offsets_query *const *queries, size_t count,
		 struct klamm_error *err)
{
	const char **names = calloc(count + 1, sizeof(*names));
	int rc = 0;
	if (names == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu groups",
				count);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		names[i] = queries[i]->group;
		if (queries[i]->size < sizeof(*queries[i]))
			rc = kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				      "the size of a query of offsets is %zu, not %zu",
				      queries[i]->size, sizeof(*queries[i]));
	}
	if (rc == 0)
		rc = kl_check_groups(names, count, err);
	free(names);
	return rc;
}

static struct result *make_result(const struct klamm_group_offsets_query *const *queries,
				  size_t count)
{
	struct result *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->groups = kl_arena_array(&r->arena, count, sizeof(*r->groups));
	r->list.groups = (const struct klamm_group_offsets *const *)r->groups;
	r->list.count = count;
	bool ok = r->groups != NULL;
	for (size_t i = 0; ok && i < count; i++) {
		struct klamm_group_offsets *g = kl_arena_alloc(&r->arena, sizeof(*g));
		const char *name = queries[i]->group;
		r->groups[i] = g;
		ok = g != NULL &&
		     (g->group = kl_arena_text(&r->arena, name, strlen(name))) != NULL;
	}
	if (ok)
		return r;
	klamm_group_offsets_list_free(&r->list);
	return NULL;
}

int klamm_admin_list_group_offsets(struct klamm_admin *admin,
				   const struct klamm_group_offsets_query *const *queries,
				   size_t count, uint32_t flags, int64_t timeout_ms,
				   struct klamm_group_offsets_list **list_out,
				   struct klamm_error *err)
{
	*list_out = NULL;
	int rc = check(queries, count, err);
	if (rc != 0)
		return rc;
	struct listing l = {
		.queries = queries,
		.result = make_result(queries, count),
		.stable = (flags & KLAMM_ADMIN_STABLE) != 0,
	};
	kl_scatter_init(&l.scatter, &ops, count, KL_API_OFFSET_FETCH);
	if (l.result == NULL || l.scatter.items == NULL) {
		kl_scatter_free(&l.scatter);
		klamm_group_offsets_list_free(l.result != NULL ? &l.result->list : NULL);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu groups",
				count);
	}
	if (l.stable)
		l.scatter.min_version = 7;
	for (size_t i = 0; i < count; i++) {
		l.scatter.items[i].name = queries[i]->group;
		if (queries[i]->partitions == NULL)
			l.scatter.min_version = kl_max(l.scatter.min_version, 2);
	}
	rc = kl_scatter_run(admin, &l.scatter, timeout_ms, err);
	for (size_t i = 0; i < count; i++)
		l.result->groups[i]->error = l.scatter.items[i].err;
	kl_scatter_free(&l.scatter);
	*list_out = &l.result->list;
	return rc;
}

void klamm_group_offsets_list_free(struct klamm_group_offsets_list *list)
{
	if (list == NULL)
		return;
	struct result *r = kl_container(list, struct result, list);
	kl_arena_free(&r->arena);
	free(r);
}
