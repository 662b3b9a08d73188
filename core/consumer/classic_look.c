/* SPDX-License-Identifier: BSD-2-Clause */
/* What a static leader looks for that comes back. Its coordinator tells nobody, and the last
 * assignment stays (KIP-814): but what was withheld in it waits for owners that may never ask,
 * as that one was killed between giving partitions up and joining again; and topics may have
 * grown. So it looks at what all have, once, and has the group share out anew where a
 * partition has no owner. Kafka's client leaves it so until something else happens. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/classic_member.h"
#include "core/consumer/consumer.h"

/* Whoever may not see the group, or finds no coordinator, does not go on asking. */
#define TRIES 5

/* --- what is owned --- */

struct topic {
	const struct kl_topic_info *info;
	int32_t count, owned;
	bool *has; /* by partition */
};

struct look {
	struct kl_arena arena;
	struct topic *topics; /* by name, as they are watched */
	size_t count;
};

static bool list_topics(const struct kl_membership *m, struct look *look)
{
	look->topics = kl_arena_array(&look->arena, m->watched.n, sizeof(*look->topics));
	if (look->topics == NULL)
		return false;
	for (size_t i = 0; i < m->watched.n; i++) {
		struct topic *topic = &look->topics[look->count];
		topic->info = m->watched.v[i].info;
		topic->count = topic->info != NULL ? kl_membership_partitions(topic->info) : 0;
		if (topic->count <= 0)
			continue;
		topic->has = kl_arena_array(&look->arena, (size_t)topic->count, sizeof(bool));
		if (topic->has == NULL)
			return false;
		look->count++;
	}
	return true;
}

static int by_name(const void *key, const void *element)
{
	const struct kl_str *name = key;
	const struct topic *topic = element;
	return kl_assign_compare(*name, kl_str(topic->info->name));
}

static void mark(struct look *look, const struct kl_consumer_protocol_assignment_topic *told)
{
	struct topic *topic = NULL;
	if (look->count > 0)
		topic = bsearch(&told->topic, look->topics, look->count, sizeof(*topic),
				by_name);
	for (int32_t i = 0; topic != NULL && i < told->partitions_n; i++) {
		int32_t index = told->partitions[i];
		if (index < 0 || index >= topic->count || topic->has[index])
			continue;
		topic->has[index] = true;
		topic->owned++;
	}
}

/* false: it cannot be read, or memory is short. */
static bool mark_all(struct look *look, struct kl_bytes assignment)
{
	struct kl_reader reader =
		kl_reader(assignment.p, assignment.len > 0 ? (size_t)assignment.len : 0);
	void *obj;
	if (assignment.len <= 0)
		return true;
	int16_t version = kl_read_i16(&reader);
	if (reader.failed || version < 0 ||
	    kl_msg_decode(&kl_msg_consumer_protocol_assignment,
			  kl_min(version, KL_ASSIGN_VERSION), &reader, &look->arena, &obj,
			  NULL) != 0)
		return false;
	const struct kl_consumer_protocol_assignment *told = obj;
	for (int32_t i = 0; i < told->assigned_partitions_n; i++)
		mark(look, &told->assigned_partitions[i]);
	return true;
}

/* Of all topics of the group; 0 when that cannot be told. */
static int64_t count_unowned(const struct kl_classic *k,
			     const struct kl_describe_groups_response_group *group)
{
	struct look look = {0};
	int64_t unowned = 0;
	bool ok = list_topics(k->m, &look);
	for (int32_t i = 0; ok && i < group->members_n; i++)
		ok = mark_all(&look, group->members[i].member_assignment);
	for (size_t i = 0; ok && i < look.count; i++)
		unowned += look.topics[i].count - look.topics[i].owned;
	kl_arena_free(&look.arena);
	return unowned;
}

/* --- asking --- */

static void look_at(struct kl_classic *k,
		    const struct kl_describe_groups_response_group *group)
{
	const struct klamm_consumer *c = kl_classic_consumer(k);
	/* A rebalance is under way: this member is told so, and leads it. */
	if (!kl_str_is(group->group_state, "Stable"))
		return;
	int64_t unowned = count_unowned(k, group);
	if (unowned == 0)
		return;
	kl_log(&c->log, KL_LOG_INFO, "group",
	       "%s: %lld partitions have no owner since the leader was gone, another "
	       "rebalance begins",
	       c->group.id, (long long)unowned);
	kl_membership_set_reason(k->m, "partitions have no owner since the leader was gone");
	kl_classic_on(k, KL_CLASSIC_AGAIN);
}

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, look.request);
	struct klamm_consumer *c = kl_classic_consumer(k);
	const struct kl_describe_groups_response *body = response->body;
	k->look.under_way = false;
	if (c->stopping || !k->look.wanted)
		return;
	int code = response->code;
	if (code == 0)
		code = body->groups_n == 1 ? body->groups[0].error_code
					   : KLAMM_ERR_INVALID_REQUEST;
	k->look.wanted = code != 0 && klamm_err_retriable(code) && ++k->look_tries < TRIES;
	k->look_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
					       c->settings->retry_backoff_max_ms,
					       k->look_tries);
	if (code == 0 && k->state == KL_CLASSIC_STABLE)
		look_at(k, &body->groups[0]);
	kl_membership_changed(k->m);
}

void kl_classic_look(struct kl_classic *k, int64_t *when)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (!k->look.wanted || k->look.under_way || k->state != KL_CLASSIC_STABLE ||
	    !kl_membership_knows(k->m))
		return;
	if (k->look_at > c->loop->now) {
		*when = kl_min(*when, k->look_at);
		return;
	}
	struct kl_node *node = kl_coordinator_node(&c->group.coordinator);
	if (node == NULL)
		return;
	kl_msg_init(&kl_msg_describe_groups_request, &k->look_body);
	k->look_group = kl_str(c->group.id);
	k->look_body.groups = &k->look_group;
	k->look_body.groups_n = 1;
	k->look.under_way = true;
	k->look.request.api = KL_API_DESCRIBE_GROUPS;
	k->look.request.body = &k->look_body;
	k->look.request.done = on_answer;
	k->look.request.min_version = 0;
	k->look.request.max_version = -1;
	k->look.request.deadline = KL_NEVER;
	kl_node_request(node, &k->look.request);
}

void kl_classic_look_soon(struct kl_classic *k)
{
	if (KL_BUG(RETURN_UNSEEN))
		return;
	k->look.wanted = true;
	k->look_tries = 0;
	k->look_at = 0;
}
