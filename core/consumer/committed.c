/* SPDX-License-Identifier: BSD-2-Clause */
/* Committed offsets, read from the group's coordinator: for partitions that begin there, and
 * for the application. All that is asked for goes into one OffsetFetch. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/consumer.h"

void kl_committed_start(struct klamm_consumer *c, struct kl_committed *committed)
{
	kl_list_push(&c->group.asks, &committed->link);
	kl_hook_add(c->loop, &c->round_hook);
}

/* What is under way for it goes on, and finds nobody. */
void kl_committed_cancel(struct kl_committed *committed)
{
	kl_list_remove(&committed->link);
}

static void finish(struct klamm_consumer *c, struct kl_committed *committed,
		   const struct kl_offset_fetch_response_group_partition *told,
		   const struct klamm_error *err)
{
	kl_list_remove(&committed->link);
	committed->done(c, committed, told, err);
}

static void fail_list(struct klamm_consumer *c, struct kl_list *list,
		      const struct klamm_error *err)
{
	struct kl_committed *first;
	while ((first = kl_list_first(list, struct kl_committed, link)) != NULL)
		finish(c, first, NULL, err);
}

void kl_committed_fail(struct klamm_consumer *c, const struct klamm_error *err)
{
	/* Who hears of it may ask again. */
	struct kl_list failed = KL_LIST_INIT(failed);
	kl_list_splice(&failed, &c->group.asks);
	if (c->stopping)
		kl_list_splice(&failed, &c->group.asking);
	fail_list(c, &failed, err);
}

/* --- the request --- */

static size_t count_asking(const struct kl_group *g)
{
	size_t n = 0;
	kl_list_for(committed, &g->asking, struct kl_committed, link)
		n++;
	return n;
}

/* The topics of both forms: one entry for each run of partitions of one topic. */
static bool put_topics(struct kl_group *g, struct kl_offset_fetch_request_group_topic *group,
		       int32_t *count_out)
{
	size_t n = count_asking(g);
	int32_t *indexes = kl_arena_array(&g->fetch_arena, n, sizeof(*indexes));
	struct kl_offset_fetch_request_group_topic *topic = NULL;
	const struct kl_ctopic *last = NULL;
	*count_out = 0;
	if (indexes == NULL)
		return false;
	kl_list_for(committed, &g->asking, struct kl_committed, link) {
		if (committed->topic != last) {
			topic = &group[(*count_out)++];
			topic->name = kl_str(committed->topic->name);
			topic->topic_id = committed->topic->id;
			topic->partition_indexes = indexes;
			last = committed->topic;
		}
		*indexes++ = committed->partition;
		topic->partition_indexes_n++;
	}
	return true;
}

static bool put_old_topics(struct kl_group *g, struct kl_offset_fetch_request *body,
			   const struct kl_offset_fetch_request_group_topic *topics, int32_t n)
{
	body->topics = kl_type_new(&kl_type_offset_fetch_request_topic, &g->fetch_arena,
				   (size_t)n);
	if (body->topics == NULL)
		return false;
	body->topics_n = n;
	for (int32_t i = 0; i < n; i++) {
		body->topics[i].name = topics[i].name;
		body->topics[i].partition_indexes = topics[i].partition_indexes;
		body->topics[i].partition_indexes_n = topics[i].partition_indexes_n;
	}
	return true;
}

/* KIP-848: what a member is told has to be from after others have let go. */
static void sign(struct kl_group *g, int version, struct kl_offset_fetch_request_group *group)
{
	const struct kl_membership *m = &g->membership;
	g->fetch_generation = -1;
	if (version < 9 || !m->subscribed || m->ops != &kl_modern_ops || !m->ops->owns(m))
		return;
	g->fetch_generation = m->generation;
	group->member_id = kl_str(m->id);
	group->member_epoch = m->generation;
}

static const void *make_body(struct kl_request *request, int version)
{
	struct kl_group *g = kl_container(request, struct kl_group, fetch_request);
	struct klamm_consumer *c = kl_container(g, struct klamm_consumer, group);
	struct kl_arena *arena = &g->fetch_arena;
	kl_arena_reset(arena);
	struct kl_offset_fetch_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_offset_fetch_request_group *group =
		kl_type_new(&kl_type_offset_fetch_request_group, arena, 1);
	struct kl_offset_fetch_request_group_topic *topics =
		kl_type_new(&kl_type_offset_fetch_request_group_topic, arena, count_asking(g));
	int32_t n;
	if (body == NULL || group == NULL || topics == NULL || !put_topics(g, topics, &n))
		return NULL;
	kl_msg_init(&kl_msg_offset_fetch_request, body);
	/* KIP-447: offsets that an open transaction will commit are waited for. */
	if (version >= 7)
		body->require_stable =
			c->settings->isolation_level == KL_READ_COMMITTED &&
			!KL_BUG(UNSTABLE_READ);
	if (version >= 8) { /* KIP-709 */
		group->group_id = kl_str(g->id);
		sign(g, version, group);
		group->topics = topics;
		group->topics_n = n;
		body->groups = group;
		body->groups_n = 1;
		return body;
	}
	body->group_id = kl_str(g->id);
	return put_old_topics(g, body, topics, n) ? body : NULL;
}

/* --- the answer --- */

static void put_back(struct klamm_consumer *c, const struct klamm_error *why)
{
	struct kl_group *g = &c->group;
	g->fetch_error = *why;
	kl_list_splice(&g->asking, &g->asks);
	kl_list_splice(&g->asks, &g->asking);
	g->fetch_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						c->settings->retry_backoff_max_ms,
						g->fetch_failures++);
}

static void on_failure(struct klamm_consumer *c, const struct klamm_error *err)
{
	if (!c->stopping && klamm_err_retriable(err->code)) {
		put_back(c, err);
		return;
	}
	struct kl_list failed = KL_LIST_INIT(failed);
	kl_list_splice(&failed, &c->group.asking);
	fail_list(c, &failed, err);
}

static struct kl_committed *find(struct kl_group *g,
				 const struct kl_offset_fetch_response_group_topic *topic,
				 int32_t index, int version)
{
	kl_list_for(committed, &g->asking, struct kl_committed, link) {
		if (committed->partition != index)
			continue;
		if (version >= 10 ? kl_uuid_equal(&committed->topic->id, &topic->topic_id)
				  : kl_str_is(topic->name, committed->topic->name))
			return committed;
	}
	return NULL;
}

/* *why gets what has to be waited for. */
static void on_partition(struct klamm_consumer *c, struct kl_committed *committed,
			 const struct kl_offset_fetch_response_group_partition *told,
			 int version, struct klamm_error *why)
{
	int code = told->error_code;
	/* Brokers before 0.9 say so of a partition that has none. */
	bool none = version < 2 && code == KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	struct kl_offset_fetch_response_group_partition at = *told;
	if (none || told->committed_offset < 0)
		at.committed_offset = at.committed_leader_epoch = -1;
	if (code == 0 || none) {
		finish(c, committed, &at, NULL);
		return;
	}
	char what[400];
	struct klamm_error err;
	snprintf(what, sizeof(what), "reading the offset of topic %.250s partition %d",
		 committed->topic->name, committed->partition);
	kl_group_error(c, code, what, &err);
	if (kl_group_is_elsewhere(code))
		kl_coordinator_lost(&c->group.coordinator, &err);
	if (code == KLAMM_ERR_UNKNOWN_TOPIC_ID) /* by its name, until metadata know */
		committed->topic->id = (struct klamm_uuid){{0}};
	if (klamm_err_retriable(code) && code != KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION)
		*why = err; /* UNSTABLE_OFFSET_COMMIT, most likely */
	else
		finish(c, committed, NULL, &err);
}

static void on_topic(struct klamm_consumer *c,
		     const struct kl_offset_fetch_response_group_topic *topic, int version,
		     struct klamm_error *why)
{
	for (int32_t i = 0; i < topic->partitions_n; i++) {
		struct kl_committed *committed = find(
			&c->group, topic, topic->partitions[i].partition_index, version);
		if (committed != NULL)
			on_partition(c, committed, &topic->partitions[i], version, why);
	}
}

static void on_old_topic(struct klamm_consumer *c,
			 const struct kl_offset_fetch_response_topic *old, int version,
			 struct klamm_error *why)
{
	struct kl_offset_fetch_response_group_topic topic = {.name = old->name,
							     .partitions_n = 1};
	for (int32_t i = 0; i < old->partitions_n; i++) {
		const struct kl_offset_fetch_response_partition *told = &old->partitions[i];
		struct kl_offset_fetch_response_group_partition partition = {
			.partition_index = told->partition_index,
			.committed_offset = told->committed_offset,
			.committed_leader_epoch = told->committed_leader_epoch,
			.metadata = told->metadata,
			.error_code = told->error_code,
		};
		topic.partitions = &partition;
		on_topic(c, &topic, version, why);
	}
}

static const struct kl_offset_fetch_response_group *
find_group(const struct kl_group *g, const struct kl_offset_fetch_response *body)
{
	for (int32_t i = 0; i < body->groups_n; i++)
		if (kl_str_is(body->groups[i].group_id, g->id))
			return &body->groups[i];
	return NULL;
}

/* A member has another epoch by now, or is one no more: its heartbeats tell it, and it asks
 * again as whoever it is then. */
static bool is_about_member(const struct klamm_consumer *c, int code)
{
	return c->group.fetch_generation >= 0 &&
	       (code == KLAMM_ERR_STALE_MEMBER_EPOCH || code == KLAMM_ERR_UNKNOWN_MEMBER_ID);
}

static void on_group_error(struct klamm_consumer *c, int code)
{
	struct kl_membership *m = &c->group.membership;
	struct klamm_error err;
	kl_group_error(c, code, "reading its offsets", &err);
	if (kl_group_is_elsewhere(code))
		kl_coordinator_lost(&c->group.coordinator, &err);
	if (!is_about_member(c, code) || c->stopping) {
		on_failure(c, &err);
		return;
	}
	if (m->subscribed)
		m->ops->commit_answered(m, code, c->group.fetch_generation);
	put_back(c, &err);
}

static void on_body(struct klamm_consumer *c, const struct kl_response *response)
{
	const struct kl_offset_fetch_response *body = response->body;
	const struct kl_offset_fetch_response_group *group = find_group(&c->group, body);
	int version = response->version;
	int code = version < 8 ? body->error_code : group != NULL ? group->error_code : 0;
	if (code != 0) {
		on_group_error(c, code);
		return;
	}
	struct klamm_error why = {0};
	for (int32_t i = 0; version < 8 && i < body->topics_n; i++)
		on_old_topic(c, &body->topics[i], version, &why);
	for (int32_t i = 0; version >= 8 && group != NULL && i < group->topics_n; i++)
		on_topic(c, &group->topics[i], version, &why);
	c->group.told_error = 0;
	if (kl_list_empty(&c->group.asking)) {
		c->group.fetch_failures = 0;
		kl_error_clear(&c->group.fetch_error);
		return;
	}
	if (why.code == 0) /* a partition that was asked for twice, or a broker's fault */
		kl_error(&why, KLAMM_ERR_PROTOCOL,
			 "group %.100s: the answer to OffsetFetch leaves out topic %.200s",
			 c->group.id,
			 kl_list_first(&c->group.asking, struct kl_committed, link)
				 ->topic->name);
	put_back(c, &why);
}

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_group *g = kl_container(request, struct kl_group, fetch_request);
	struct klamm_consumer *c = kl_container(g, struct klamm_consumer, group);
	g->fetching = false;
	if (response->code == 0) {
		on_body(c, response);
	} else {
		struct klamm_error err = *response->err;
		kl_error_prefix(&err, "group %.100s: reading its offsets", g->id);
		if (klamm_err_retriable(err.code))
			kl_coordinator_lost(&g->coordinator, response->err);
		on_failure(c, &err);
	}
	kl_hook_add(c->loop, &c->round_hook);
}

/* Version 10 names topics by id (KIP-848), which only those have that metadata told of. */
static int version_limit(const struct kl_group *g)
{
	kl_list_for(committed, &g->asking, struct kl_committed, link)
		if (kl_uuid_is_zero(&committed->topic->id))
			return 9;
	return -1;
}

void kl_committed_round(struct klamm_consumer *c, int64_t *when)
{
	struct kl_group *g = &c->group;
	if (g->fetching || kl_list_empty(&g->asks))
		return;
	if (g->fetch_at > c->loop->now) {
		*when = kl_min(*when, g->fetch_at);
		return;
	}
	struct kl_node *node = kl_group_node(c);
	if (node == NULL)
		return;
	kl_list_splice(&g->asking, &g->asks);
	g->fetching = true;
	g->fetch_request.api = KL_API_OFFSET_FETCH;
	g->fetch_request.max_version = version_limit(g);
	g->fetch_request.prepare = make_body;
	g->fetch_request.deadline = KL_NEVER;
	g->fetch_request.done = on_answer;
	kl_node_request(node, &g->fetch_request);
}

/* --- partitions that begin where the group is --- */

struct kl_committed_part {
	struct kl_committed committed;
	struct kl_cpart *part; /* with a reference */
};

static void part_done(struct klamm_consumer *c, struct kl_committed *committed,
		      const struct kl_offset_fetch_response_group_partition *told,
		      const struct klamm_error *err)
{
	struct kl_committed_part *own =
		kl_container(committed, struct kl_committed_part, committed);
	struct kl_cpart *part = own->part;
	part->committed = NULL;
	if (c->stopping) {
		/* Nobody wants to know any more. */
	} else if (err != NULL) { /* an ACL may be missing that is made in a minute */
		part->retry_at = c->loop->now +
				 kl_backoff(c->os, c->settings->retry_backoff_ms,
					    c->settings->retry_backoff_max_ms,
					    part->failures++);
		kl_group_tell(c, err);
	} else if (told->committed_offset >= 0) {
		kl_position_found(c, part, told->committed_offset,
				  told->committed_leader_epoch);
	} else {
		kl_fetcher_reset(c, part);
	}
	kl_fetcher_touch(c, part);
	kl_cpart_unref(part);
	free(own);
}

bool kl_committed_part_start(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_committed_part *own = calloc(1, sizeof(*own));
	if (own == NULL)
		return false;
	own->part = kl_cpart_ref(part);
	own->committed.topic = part->topic;
	own->committed.partition = part->partition;
	own->committed.done = part_done;
	part->committed = own;
	kl_committed_start(c, &own->committed);
	return true;
}

void kl_committed_part_cancel(struct kl_cpart *part)
{
	struct kl_committed_part *own = part->committed;
	if (own == NULL)
		return;
	part->committed = NULL;
	kl_committed_cancel(&own->committed);
	kl_cpart_unref(part);
	free(own);
}
