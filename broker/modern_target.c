/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of a modern group's members shall have what: their subscriptions and targets become the
 * question to an assignor, and its answer records. */
#include <stdlib.h>

#include "broker/assign.h"
#include "broker/batch_make.h"
#include "broker/groups.h"
#include "broker/modern.h"

struct ask {
	const struct kl_dev_modern_change *change;
	struct kl_dev_assign assign;
	struct kl_dev_modern_member **members; /* by id */
	struct kl_dev_topic ***subscribed;     /* of each */
	int32_t *counts;
	struct kl_dev_topic **topics; /* all of them, by id */
};

static int by_id(const void *a, const void *b)
{
	const struct kl_dev_modern_member *x = *(struct kl_dev_modern_member *const *)a;
	const struct kl_dev_modern_member *y = *(struct kl_dev_modern_member *const *)b;
	int rc = memcmp(x->id, y->id, (size_t)kl_min(x->id_len, y->id_len));
	return rc != 0 ? rc : (x->id_len > y->id_len) - (x->id_len < y->id_len);
}

/* What an assignor answers hangs on their order, which is to be the same each time. */
static int by_topic_id(const void *a, const void *b)
{
	const struct kl_dev_topic *x = *(struct kl_dev_topic *const *)a;
	const struct kl_dev_topic *y = *(struct kl_dev_topic *const *)b;
	return memcmp(&x->id, &y->id, sizeof(x->id));
}

static const struct kl_consumer_group_member_metadata_value *
about_of(const struct ask *ask, const struct kl_dev_modern_member *member)
{
	return member == ask->change->member ? ask->change->about : member->about.value;
}

/* false: out of memory. */
static bool list_members(struct ask *ask)
{
	const struct kl_dev_modern *modern = ask->change->group->modern;
	struct kl_arena *arena = ask->change->arena;
	struct kl_dev_modern_member *member, *next;
	size_t n = HASH_COUNT(modern->members), m = 0;
	ask->members = kl_arena_array(arena, n, sizeof(*ask->members));
	ask->subscribed = kl_arena_array(arena, n, sizeof(*ask->subscribed));
	ask->counts = kl_arena_array(arena, n, sizeof(*ask->counts));
	if (ask->members == NULL || ask->subscribed == NULL || ask->counts == NULL)
		return false;
	HASH_ITER(hh, modern->members, member, next)
	{
		ask->members[m++] = member;
	}
	qsort(ask->members, n, sizeof(*ask->members), by_id);
	for (m = 0; m < n; m++)
		if (!kl_dev_modern_topics_of(ask->change, about_of(ask, ask->members[m]),
					     &ask->subscribed[m], &ask->counts[m]))
			return false;
	ask->assign.member_count = (int32_t)n;
	return true;
}

static bool list_topics(struct ask *ask)
{
	struct kl_arena *arena = ask->change->arena;
	size_t total = 0, n = 0, kept = 0;
	for (int32_t m = 0; m < ask->assign.member_count; m++)
		total += (size_t)ask->counts[m];
	ask->topics = kl_arena_array(arena, total, sizeof(struct kl_dev_topic *));
	if (ask->topics == NULL)
		return false;
	for (int32_t m = 0; m < ask->assign.member_count; m++)
		for (int32_t i = 0; i < ask->counts[m]; i++)
			ask->topics[n++] = ask->subscribed[m][i];
	if (n > 1)
		qsort(ask->topics, n, sizeof(*ask->topics), by_topic_id);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || ask->topics[kept - 1] != ask->topics[i])
			ask->topics[kept++] = ask->topics[i];
	ask->assign.topics = kl_arena_array(arena, kept, sizeof(*ask->assign.topics));
	if (ask->assign.topics == NULL)
		return false;
	for (size_t t = 0; t < kept; t++) {
		int32_t count = ask->topics[t]->partition_count;
		int32_t *owners = kl_arena_array(arena, (size_t)count, sizeof(*owners));
		if (owners == NULL)
			return false;
		for (int32_t i = 0; i < count; i++)
			owners[i] = -1;
		ask->assign.topics[t] =
			(struct kl_dev_assign_topic){ask->topics[t]->id, count, owners};
	}
	ask->assign.topic_count = (int32_t)kept;
	return true;
}

static int32_t number_of(const struct ask *ask, const struct kl_dev_topic *topic)
{
	struct kl_dev_topic *const *found =
		bsearch(&topic, ask->topics, (size_t)ask->assign.topic_count,
			sizeof(*ask->topics), by_topic_id);
	return (int32_t)(found - (struct kl_dev_topic *const *)ask->topics);
}

/* Its subscription by numbers; and what was its target stays so, as far as it may. */
static bool fill_member(struct ask *ask, int32_t m, struct kl_dev_assign_member *to)
{
	const struct kl_dev_modern_member *member = ask->members[m];
	const struct kl_consumer_group_member_metadata_value *about = about_of(ask, member);
	int32_t *numbers = kl_arena_array(ask->change->arena, (size_t)ask->counts[m],
					  sizeof(*numbers));
	if (numbers == NULL)
		return false;
	for (int32_t i = 0; i < ask->counts[m]; i++) {
		const struct kl_dev_topic *topic = ask->subscribed[m][i];
		struct kl_dev_assign_topic *asked;
		numbers[i] = number_of(ask, topic);
		asked = &ask->assign.topics[numbers[i]];
		for (int32_t p = 0; p < asked->count; p++)
			if (kl_dev_parts_find(&member->target, &topic->id, p) != NULL)
				asked->owners[p] = m;
	}
	*to = (struct kl_dev_assign_member){
		.id = kl_dev_modern_id(member),
		.instance = about != NULL ? about->instance_id : KL_STR_NULL,
		.topics = numbers,
		.topic_count = ask->counts[m],
	};
	return true;
}

static bool fill_members(struct ask *ask)
{
	size_t n = (size_t)ask->assign.member_count;
	struct kl_dev_assign_member *members =
		kl_arena_array(ask->change->arena, n, sizeof(*members));
	if (members == NULL)
		return false;
	for (size_t m = 0; m < n; m++)
		if (!fill_member(ask, (int32_t)m, &members[m]))
			return false;
	ask->assign.members = members;
	return true;
}

/* The targets of all members, of which those that have not changed need no record. */
static bool put_targets(const struct ask *ask, struct kl_dev_batch *batch,
			struct kl_dev_parts *target_out)
{
	size_t n = (size_t)ask->assign.member_count;
	struct kl_dev_parts *targets =
		kl_arena_array(ask->change->arena, n, sizeof(*targets));
	bool ok = targets != NULL;
	for (int32_t t = 0; ok && t < ask->assign.topic_count; t++) {
		const struct kl_dev_assign_topic *topic = &ask->assign.topics[t];
		for (int32_t i = 0; ok && i < topic->count; i++)
			if (topic->owners[i] >= 0)
				ok = kl_dev_parts_add(&targets[topic->owners[i]], &topic->id,
						      i, 0);
	}
	for (size_t m = 0; ok && m < n; m++) {
		const struct kl_dev_modern_member *member = ask->members[m];
		struct kl_dev_modern_log log = {batch, kl_dev_group_id(ask->change->group),
						kl_dev_modern_id(member)};
		kl_dev_parts_sort(&targets[m]);
		if (!kl_dev_parts_equal(&targets[m], &member->target) ||
		    member == ask->change->member)
			ok = kl_dev_modern_put_target(&log, &targets[m]);
		if (member == ask->change->member) {
			*target_out = targets[m];
			targets[m] = (struct kl_dev_parts){0};
		}
	}
	for (size_t m = 0; targets != NULL && m < n; m++)
		kl_dev_parts_free(&targets[m]);
	return ok;
}

bool kl_dev_modern_assign(const struct kl_dev_modern_change *change, struct kl_str assignor,
			  struct kl_dev_batch *batch, struct kl_dev_parts *target_out)
{
	struct ask ask = {.change = change, .assign = {.arena = change->arena}};
	kl_dev_assign_fn run = kl_dev_assign_named(assignor);
	return run != NULL && list_members(&ask) && list_topics(&ask) && fill_members(&ask) &&
	       run(&ask.assign) && put_targets(&ask, batch, target_out);
}
