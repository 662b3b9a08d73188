/* SPDX-License-Identifier: BSD-2-Clause */
/* Commits on their way to the coordinator: merged, sent, judged, sent again. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/consumer.h"

/* A partition in the request. */
struct kl_sent {
	struct kl_ctopic *topic;
	int32_t partition;
	size_t order; /* of later commits higher */
	const struct klamm_offset *offset; /* while the body is made */
	struct klamm_uuid topic_id;
	bool answered;
	int32_t code;
};

/* --- the end of a commit --- */

void kl_commit_free(struct kl_commit *commit)
{
	kl_arena_free(&commit->arena);
	free(commit);
}

/* Newer positions will be committed, so only what lasts is told; and the listener hears of it
 * when a partition goes. */
static void auto_ended(struct klamm_consumer *c, struct kl_commit *commit)
{
	struct klamm_error *err = &commit->err;
	bool rebalanced = c->group.membership.subscribed && kl_group_is_for_members(err->code);
	if (err->code == 0)
		c->group.told_error = 0;
	else if (rebalanced)
		kl_log(&c->log, KL_LOG_INFO, "group", "%s", err->text);
	else if (err->code != KLAMM_ERR_CLOSED)
		kl_group_tell(c, err);
	kl_commit_free(commit);
}

static void say_lost(struct klamm_consumer *c, struct kl_commit *commit)
{
	kl_error(&commit->err, KLAMM_ERR_REBALANCE_IN_PROGRESS,
		 "group %.100s: topic %.200s partition %d was given up before its offset was "
		 "stored: whoever has it now reads on from the one before",
		 c->group.id, commit->lost->name, commit->lost_partition);
}

/* Its err says how. */
static void end(struct klamm_consumer *c, struct kl_commit *commit)
{
	kl_list_remove(&commit->link);
	if (commit->err.code == 0 && commit->lost != NULL)
		say_lost(c, commit);
	if (commit->kind == KL_COMMIT_WAITED) {
		atomic_store(&commit->ended, true);
	} else {
		atomic_fetch_sub(&c->group.open, 1);
		if (commit->kind == KL_COMMIT_AUTO) {
			auto_ended(c, commit);
		} else if (commit->fn == NULL) {
			kl_commit_free(commit);
		} else {
			kl_mutex_lock(&c->mutex);
			kl_list_push(&c->group.ended, &commit->link);
			kl_mutex_unlock(&c->mutex);
			atomic_fetch_add(&c->group.to_tell, 1);
		}
	}
	kl_gate_wake(c->os, &c->gate);
}

static void time_out(struct klamm_consumer *c, struct kl_commit *commit)
{
	struct klamm_error last = commit->err;
	char what[160];
	snprintf(what, sizeof(what), "group %.100s: committing offsets", c->group.id);
	if (last.code == 0) {
		kl_coordinator_timed_out(&c->group.coordinator, &commit->err, what);
		return;
	}
	kl_error(&commit->err, KLAMM_ERR_TIMED_OUT, "%s: timed out; last error: %s", what,
		 last.text);
	commit->err.stage = last.stage;
	commit->err.node = last.node;
}

static void take_incoming(struct klamm_consumer *c)
{
	kl_mutex_lock(&c->mutex);
	kl_list_splice(&c->group.commits, &c->group.incoming);
	kl_mutex_unlock(&c->mutex);
}

static void fail_list(struct klamm_consumer *c, struct kl_list *list,
		      const struct klamm_error *err)
{
	struct kl_commit *commit;
	while ((commit = kl_list_first(list, struct kl_commit, link)) != NULL) {
		commit->err = *err;
		end(c, commit);
	}
}

void kl_commits_fail(struct klamm_consumer *c, const struct klamm_error *err)
{
	take_incoming(c);
	fail_list(c, &c->group.commits, err);
	if (c->stopping)
		fail_list(c, &c->group.sending, err);
}

void kl_commit_leave(struct klamm_consumer *c, struct kl_commit *commit)
{
	take_incoming(c);
	if (atomic_load(&commit->ended))
		return;
	time_out(c, commit);
	kl_list_remove(&commit->link);
}

/* --- the request --- */

static int by_place(const void *a, const void *b)
{
	const struct kl_sent *x = a, *y = b;
	int rc = x->topic == y->topic ? 0 : strcmp(x->topic->name, y->topic->name);
	if (rc == 0 && x->partition != y->partition)
		rc = x->partition < y->partition ? -1 : 1;
	return rc;
}

static int by_place_and_order(const void *a, const void *b)
{
	const struct kl_sent *x = a, *y = b;
	int rc = by_place(a, b);
	return rc != 0 ? rc : x->order < y->order ? -1 : x->order > y->order;
}

/* All that is still to be stored; of several offsets for a partition the last. */
static bool gather(struct kl_group *g)
{
	size_t n = 0, kept = 0;
	kl_list_for(commit, &g->sending, struct kl_commit, link)
		n += commit->count;
	g->sent_count = 0;
	g->sent = kl_arena_array(&g->commit_arena, n, sizeof(*g->sent));
	if (g->sent == NULL)
		return false;
	n = 0;
	kl_list_for(commit, &g->sending, struct kl_commit, link) {
		for (size_t i = 0; i < commit->count; i++) {
			const struct klamm_offset *offset = &commit->offsets[i];
			if (commit->stored[i])
				continue;
			g->sent[n] = (struct kl_sent){.topic = commit->topics[i],
						      .partition = offset->partition,
						      .order = n,
						      .offset = offset,
						      .topic_id = commit->topics[i]->id};
			n++;
		}
	}
	qsort(g->sent, n, sizeof(*g->sent), by_place_and_order);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || by_place(&g->sent[i], &g->sent[i + 1]) != 0)
			g->sent[kept++] = g->sent[i];
	g->sent_count = kept;
	return true;
}

static void put_topics(struct kl_group *g, struct kl_offset_commit_request *body,
		       struct kl_offset_commit_request_partition *parts)
{
	struct kl_offset_commit_request_topic *topic = NULL;
	for (size_t i = 0; i < g->sent_count; i++) {
		const struct kl_sent *sent = &g->sent[i];
		if (i == 0 || sent->topic != g->sent[i - 1].topic) {
			topic = &body->topics[body->topics_n++];
			topic->name = kl_str(sent->topic->name);
			topic->topic_id = sent->topic_id;
			topic->partitions = &parts[i];
		}
		struct kl_offset_commit_request_partition *to =
			&topic->partitions[topic->partitions_n++];
		to->partition_index = sent->partition;
		to->committed_offset = sent->offset->offset;
		to->committed_leader_epoch = sent->offset->leader_epoch;
		to->committed_metadata = kl_str(sent->offset->metadata);
	}
}

static const void *make_body(struct kl_request *request, int version)
{
	struct kl_group *g = kl_container(request, struct kl_group, commit_request);
	struct kl_arena *arena = &g->commit_arena;
	kl_arena_reset(arena);
	/* Whoever waited for it may have given up before it is sent: then it is not. */
	if (!gather(g) || g->sent_count == 0)
		return NULL;
	struct kl_offset_commit_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_offset_commit_request_topic *topics =
		kl_type_new(&kl_type_offset_commit_request_topic, arena, g->sent_count);
	struct kl_offset_commit_request_partition *parts =
		kl_type_new(&kl_type_offset_commit_request_partition, arena, g->sent_count);
	if (body == NULL || topics == NULL || parts == NULL)
		return NULL;
	kl_msg_init(&kl_msg_offset_commit_request, body);
	body->group_id = kl_str(g->id);
	if (g->sent_id != NULL) {
		body->member_id = kl_str(g->sent_id);
		body->generation_id_or_member_epoch = g->sent_generation;
		body->group_instance_id = kl_str(kl_membership_instance(&g->membership));
	}
	body->topics = topics;
	body->topics_n = 0;
	put_topics(g, body, parts);
	return body;
}

/* --- the answer --- */

static void put_back(struct klamm_consumer *c)
{
	struct kl_group *g = &c->group;
	kl_list_splice(&g->sending, &g->commits); /* they are older */
	kl_list_splice(&g->commits, &g->sending);
	g->commit_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						 c->settings->retry_backoff_max_ms,
						 g->commit_failures++);
}

static void on_failure(struct klamm_consumer *c, const struct klamm_error *why)
{
	struct klamm_error err = *why;
	kl_error_prefix(&err, "group %.100s: committing offsets", c->group.id);
	if (c->stopping || !klamm_err_retriable(err.code)) {
		fail_list(c, &c->group.sending, &err);
		return;
	}
	kl_coordinator_lost(&c->group.coordinator, why);
	kl_list_for(commit, &c->group.sending, struct kl_commit, link)
		commit->err = err;
	put_back(c);
}

static struct kl_sent *find(struct kl_group *g, size_t *at, int version,
			    const struct kl_offset_commit_response_topic *topic, int32_t index)
{
	for (size_t n = 0; n < g->sent_count; n++) {
		size_t i = (*at + n) % g->sent_count;
		struct kl_sent *sent = &g->sent[i];
		if (sent->partition != index)
			continue;
		if (version >= 10 ? kl_uuid_equal(&sent->topic_id, &topic->topic_id)
				  : kl_str_is(topic->name, sent->topic->name)) {
			*at = i + 1;
			return sent;
		}
	}
	return NULL;
}

static void read_codes(struct klamm_consumer *c, const struct kl_response *response)
{
	const struct kl_offset_commit_response *body = response->body;
	struct kl_group *g = &c->group;
	size_t at = 0;
	for (int32_t t = 0; t < body->topics_n; t++) {
		const struct kl_offset_commit_response_topic *topic = &body->topics[t];
		for (int32_t i = 0; i < topic->partitions_n; i++) {
			struct kl_sent *sent = find(g, &at, response->version, topic,
						    topic->partitions[i].partition_index);
			if (sent == NULL)
				continue; /* nobody asked */
			sent->answered = true;
			sent->code = topic->partitions[i].error_code;
		}
	}
}

/* What a code means for whoever keeps things in order around the request. */
static void take_note(struct klamm_consumer *c, const struct kl_sent *sent,
		      const struct klamm_error *err)
{
	if (kl_group_is_elsewhere(sent->code))
		kl_coordinator_lost(&c->group.coordinator, err);
	if (sent->code == KLAMM_ERR_UNKNOWN_TOPIC_ID) /* by its name, until metadata know */
		sent->topic->id = (struct klamm_uuid){{0}};
	if (klamm_err_invalid_metadata(sent->code) && sent->topic->info != NULL)
		kl_cluster_refresh(&c->cluster, sent->topic->info);
}

static int explain(struct klamm_consumer *c, const struct kl_sent *sent, int64_t offset,
		   struct klamm_error *err)
{
	char what[400];
	snprintf(what, sizeof(what), "committing offset %lld of topic %.250s partition %d",
		 (long long)offset, sent->topic->name, sent->partition);
	if (!sent->answered)
		return kl_error(err, KLAMM_ERR_PROTOCOL,
				"group %.100s: %s: the answer leaves it out", c->group.id,
				what);
	return kl_group_error(c, sent->code, what, err);
}

/* May what got this code be sent again? A member's may, when it has joined anew meanwhile, or
 * is about to without the application's help. */
static bool passes(struct klamm_consumer *c, int code)
{
	const struct kl_group *g = &c->group;
	const struct kl_membership *m = &g->membership;
	if (klamm_err_retriable(code))
		return true;
	if (g->sent_id == NULL || !m->subscribed)
		return false;
	switch (code) {
	case KLAMM_ERR_REBALANCE_IN_PROGRESS:
		return m->ops->holds_connection(m) ||
		       m->ops->commit_gate(m, NULL) == KL_GATE_HOLD;
	case KLAMM_ERR_ILLEGAL_GENERATION:
		if (m->ops->holds_connection(m))
			return true; /* the new one is on its way */
		/* fall through */
	case KLAMM_ERR_UNKNOWN_MEMBER_ID:
		return m->generation >= 0 && m->generation != g->sent_generation;
	case KLAMM_ERR_STALE_MEMBER_EPOCH: /* the next heartbeat tells the new one */
		return m->ops->owns(m);
	default:
		return false;
	}
}

/* true: some of it has to be sent again. What lasts counts more than what passes. */
static bool judge(struct klamm_consumer *c, struct kl_commit *commit)
{
	struct kl_group *g = &c->group;
	struct klamm_error final = {0}, passing = {0};
	for (size_t i = 0; i < commit->count; i++) {
		struct kl_sent key = {.topic = commit->topics[i],
				      .partition = commit->offsets[i].partition};
		const struct kl_sent *sent = bsearch(&key, g->sent, g->sent_count,
						     sizeof(*g->sent), by_place);
		if (commit->stored[i] || sent == NULL)
			continue;
		struct klamm_error err;
		commit->stored[i] = sent->answered && sent->code == 0;
		if (commit->stored[i])
			continue;
		explain(c, sent, commit->offsets[i].offset, &err);
		take_note(c, sent, &err);
		struct klamm_error *kind = passes(c, err.code) ? &passing : &final;
		if (kind->code == 0)
			*kind = err;
	}
	commit->err = final.code != 0 ? final : passing;
	return final.code == 0 && passing.code != 0;
}

/* Before the commits hear of it: it decides what becomes of them. */
static void tell_member(struct kl_group *g)
{
	struct kl_membership *m = &g->membership;
	int code = 0;
	for (size_t i = 0; code == 0 && i < g->sent_count; i++)
		if (g->sent[i].answered)
			code = g->sent[i].code;
	if (code != 0 && g->sent_id != NULL && m->subscribed)
		m->ops->commit_answered(m, code, g->sent_generation);
}

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_group *g = kl_container(request, struct kl_group, commit_request);
	struct klamm_consumer *c = kl_container(g, struct klamm_consumer, group);
	g->committing = false;
	if (response->code != 0) {
		on_failure(c, response->err);
	} else {
		kl_group_count(c, KL_COORD_COMMIT, response->latency_us, c->loop->now);
		read_codes(c, response);
		tell_member(g);
		kl_list_for_safe(commit, &g->sending, struct kl_commit, link)
			if (!judge(c, commit))
				end(c, commit);
		if (kl_list_empty(&g->sending))
			g->commit_failures = 0;
		else
			put_back(c);
	}
	kl_hook_add(c->loop, &c->round_hook);
}

/* --- sending --- */

/* Version 10 names topics by id (KIP-848), which only those have that metadata told of. */
static int version_limit(const struct kl_group *g)
{
	kl_list_for(commit, &g->sending, struct kl_commit, link)
		for (size_t i = 0; i < commit->count; i++)
			if (kl_uuid_is_zero(&commit->topics[i]->id))
				return 9;
	return -1;
}

/* Who commits. false: out of memory. */
static bool sign(struct kl_group *g)
{
	const struct kl_membership *m = &g->membership;
	free(g->sent_id);
	g->sent_id = NULL;
	g->sent_generation = -1;
	if (!m->subscribed)
		return true;
	g->sent_id = strdup(m->id != NULL ? m->id : "");
	g->sent_generation = m->generation;
	return g->sent_id != NULL;
}

static void transmit(struct kl_group *g, struct kl_node *node)
{
	bool is_static = g->sent_id != NULL && kl_membership_instance(&g->membership) != NULL;
	kl_list_splice(&g->sending, &g->commits);
	g->committing = true;
	g->commit_request.api = KL_API_OFFSET_COMMIT;
	g->commit_request.min_version = is_static ? 7 : 0;
	g->commit_request.max_version = version_limit(g);
	g->commit_request.prepare = make_body;
	g->commit_request.deadline = KL_NEVER;
	g->commit_request.done = on_answer;
	kl_node_request(node, &g->commit_request);
}

/* Of commits that are by themselves only the newest matters. */
static void drop_outdated(struct klamm_consumer *c)
{
	struct kl_commit *newer = NULL;
	kl_list_for_safe(commit, &c->group.commits, struct kl_commit, link) {
		if (commit->kind != KL_COMMIT_AUTO)
			continue;
		if (newer != NULL) {
			kl_list_remove(&newer->link);
			atomic_fetch_sub(&c->group.open, 1);
			kl_commit_free(newer);
		}
		newer = commit;
	}
}

static void expire(struct klamm_consumer *c, int64_t *when)
{
	kl_list_for_safe(commit, &c->group.commits, struct kl_commit, link) {
		if (commit->kind == KL_COMMIT_WAITED)
			continue;
		if (commit->deadline > c->loop->now) {
			*when = kl_min(*when, commit->deadline);
			continue;
		}
		time_out(c, commit);
		end(c, commit);
	}
}

/* Has the group taken the partition away since, even if it gave it back? */
static bool is_lost(struct klamm_consumer *c, const struct kl_commit *commit, size_t i)
{
	struct kl_cpart_key key = {commit->topics[i], commit->offsets[i].partition};
	struct kl_cpart *part;
	HASH_FIND(hh, c->assigned, &key, sizeof(key), part);
	return part == NULL || part->since > commit->stamp;
}

/* What a member has had is not committed for it when others may have read on. */
static void drop_lost(struct klamm_consumer *c)
{
	kl_list_for_safe(commit, &c->group.commits, struct kl_commit, link) {
		bool left = false;
		if (commit->stamp == c->group.membership.stamp)
			continue;
		for (size_t i = 0; i < commit->count; i++) {
			if (!commit->stored[i] && is_lost(c, commit, i)) {
				commit->lost = commit->topics[i];
				commit->lost_partition = commit->offsets[i].partition;
				commit->stored[i] = true; /* as far as this goes */
			}
			left |= !commit->stored[i];
		}
		if (left)
			continue;
		kl_error_clear(&commit->err);
		end(c, commit);
	}
}

/* true: the member may commit now, or there is none. */
static bool pass_gate(struct klamm_consumer *c)
{
	const struct kl_membership *m = &c->group.membership;
	struct klamm_error err;
	if (!m->subscribed)
		return true;
	enum kl_commit_gate gate = m->ops->commit_gate(m, &err);
	if (gate == KL_GATE_FAIL)
		fail_list(c, &c->group.commits, &err);
	return gate == KL_GATE_GO;
}

void kl_commits_round(struct klamm_consumer *c, int64_t *when)
{
	struct kl_group *g = &c->group;
	take_incoming(c);
	drop_outdated(c);
	expire(c, when);
	drop_lost(c);
	if (g->committing || kl_list_empty(&g->commits) || !pass_gate(c))
		return;
	if (g->commit_at > c->loop->now) {
		*when = kl_min(*when, g->commit_at);
		return;
	}
	struct kl_node *node = kl_group_node(c);
	if (node != NULL && sign(g))
		transmit(g, node);
}
