/* SPDX-License-Identifier: BSD-2-Clause */
/* JoinGroup, SyncGroup, Heartbeat and LeaveGroup of a member, and what their answers mean. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/classic_member.h"
#include "core/consumer/consumer.h"

#define PROTOCOL_TYPE "consumer"
/* JoinGroup is answered when the last member has joined: as Java's, a little later. */
#define JOIN_LAPSE_MS 5000
/* How often a coordinator is looked for only to say goodbye. */
#define LEAVE_TRIES 5

static struct kl_coordinator *coordinator(struct kl_classic *k)
{
	return &kl_classic_consumer(k)->group.coordinator;
}

static void transmit(struct kl_classic *k, struct kl_classic_call *call, struct kl_node *node,
		 int static_version)
{
	call->wanted = false;
	call->under_way = true;
	call->attempt = k->attempt;
	/* KIP-345: older brokers know no static members. */
	call->request.min_version =
		kl_membership_instance(k->m) != NULL ? static_version : 0;
	call->request.max_version = -1;
	call->request.deadline = KL_NEVER;
	kl_node_request(node, &call->request);
}

/* The request failed as a whole, or was answered with this code: k->err says it in a
 * sentence. 0: neither. */
static int judge(struct kl_classic *k, const struct kl_response *response, int told,
		 const char *doing)
{
	const struct klamm_consumer *c = kl_classic_consumer(k);
	if (response->code != 0) {
		k->err = *response->err;
		kl_error_prefix(&k->err, "group %.100s: %s", c->group.id, doing);
		return response->code;
	}
	if (told != 0)
		kl_group_error(c, told, doing, &k->err);
	return told;
}

/* The group is of another kind than this client; KIP-559. */
static int check_type(struct kl_classic *k, struct kl_str type)
{
	if (type.len < 0 || type.len == 0 || kl_str_is(type, PROTOCOL_TYPE))
		return 0;
	return kl_error(&k->err, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL,
			"group %.100s: its protocol type is \"%.*s\", not \"" PROTOCOL_TYPE
			"\": use another group.id",
			kl_classic_consumer(k)->group.id, (int)kl_min(type.len, 60), type.p);
}

static void set_reason(struct kl_classic *k, const char *api, int code)
{
	char text[160];
	if (code == KLAMM_ERR_MEMBER_ID_REQUIRED)
		snprintf(text, sizeof(text), "need to re-join with the given member-id: %.80s",
			 k->m->id);
	else if (code == KLAMM_ERR_REBALANCE_IN_PROGRESS)
		snprintf(text, sizeof(text), "group is already rebalancing");
	else
		snprintf(text, sizeof(text), "encountered %s from %s response",
			 klamm_err_name(code), api);
	kl_membership_set_reason(k->m, text);
}

/* Who is given a member id and has to come again has failed, for Kafka's client. */
static void count(struct kl_classic *k, unsigned meter, int code,
		  const struct kl_response *response)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (code == 0)
		kl_group_count(c, meter, response->latency_us, c->loop->now);
	else
		kl_group_count_failure(c);
}

/* --- JoinGroup --- */

static const void *make_join(struct kl_request *request, int version)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, join.request);
	const struct kl_settings *s = kl_classic_consumer(k)->settings;
	struct kl_arena *arena = &k->join_arena;
	kl_arena_reset(arena);
	struct kl_join_group_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_join_group_request_protocol *protocols =
		kl_type_new(&kl_type_join_group_request_protocol, arena, k->assignor_count);
	if (body == NULL || protocols == NULL)
		return NULL;
	kl_msg_init(&kl_msg_join_group_request, body);
	for (size_t i = 0; i < k->assignor_count; i++) {
		protocols[i].name =
			kl_str(k->assignors[i].plugin->assignor.protocol_name);
		protocols[i].metadata = (struct kl_bytes){k->tell[i].data,
							  (int32_t)k->tell[i].len};
	}
	body->group_id = kl_str(s->group_id);
	body->session_timeout_ms = s->session_timeout_ms;
	body->rebalance_timeout_ms = s->max_poll_interval_ms;
	body->member_id = kl_str(k->m->id != NULL ? k->m->id : "");
	body->group_instance_id = kl_str(kl_membership_instance(k->m));
	body->protocol_type = KL_STR(PROTOCOL_TYPE);
	body->protocols = protocols;
	body->protocols_n = (int32_t)k->assignor_count;
	if (version >= 8) /* KIP-800 */
		body->reason = kl_str(k->m->reason);
	return body;
}

static struct kl_role_plugin *find_assignor(struct kl_classic *k, struct kl_str name)
{
	for (size_t i = 0; i < k->assignor_count; i++)
		if (kl_str_is(name, k->assignors[i].plugin->assignor.protocol_name))
			return &k->assignors[i];
	return NULL;
}

static int out_of_memory(struct kl_classic *k)
{
	return kl_error(&k->err, KLAMM_ERR_NO_MEMORY, "group %.100s: out of memory to join",
			kl_classic_consumer(k)->group.id);
}

static bool copy_members(struct kl_classic *k, const struct kl_response *response)
{
	const struct kl_join_group_response *body = response->body;
	size_t n = (size_t)kl_max(body->members_n, 0);
	k->joined = kl_arena_array(&k->joined_arena, n, sizeof(*k->joined));
	if (k->joined == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		k->joined[i] = (struct kl_joined){
			.id = body->members[i].member_id,
			.instance_id = body->members[i].group_instance_id,
			.subscription = body->members[i].metadata,
		};
	k->joined_count = n;
	k->joined_slab = kl_slab_ref(response->slab);
	return true;
}

static int on_joined(struct kl_classic *k, const struct kl_response *response)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	const struct kl_join_group_response *body = response->body;
	int rc = check_type(k, body->protocol_type);
	if (rc != 0)
		return rc;
	k->chosen = find_assignor(k, body->protocol_name);
	if (k->chosen == NULL)
		return kl_error(&k->err, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL,
				"group %.100s: its coordinator has chosen the assignor "
				"\"%.*s\", which partition.assignment.strategy does not name",
				c->group.id,
				(int)kl_max(kl_min(body->protocol_name.len, 60), 0),
				body->protocol_name.p);
	if (!kl_membership_set_id(k->m, body->member_id.p,
				  (size_t)kl_max(body->member_id.len, 0)))
		return out_of_memory(k);
	k->leads = kl_str_equal(body->leader, body->member_id);
	k->skips = body->skip_assignment;
	if (k->leads && !copy_members(k, response))
		return out_of_memory(k);
	kl_membership_set_generation(k->m, body->generation_id);
	k->wish |= body->generation_id == k->owing;
	k->owing = -1;
	kl_log(&c->log, KL_LOG_INFO, "group", "%s: joined as %s in generation %d%s",
	       c->group.id, k->m->id, body->generation_id, k->leads ? ", as the leader" : "");
	if (!k->leads) /* who leads looks after the others' topics */
		kl_membership_forget(k->m);
	kl_classic_on(k, k->leads ? KL_CLASSIC_ELECTED : KL_CLASSIC_JOINED);
	return 0;
}

static int take_name(struct kl_classic *k, struct kl_str id)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (id.len <= 0)
		return kl_error(&k->err, KLAMM_ERR_PROTOCOL,
				"group %.100s: its coordinator asks for a member id and does "
				"not say which",
				c->group.id);
	if (k->m->id != NULL && k->m->id[0] != '\0') /* it has asked before */
		k->retry_at = c->loop->now + c->settings->retry_backoff_ms * KL_MS;
	if (!kl_membership_set_id(k->m, id.p, (size_t)id.len))
		return out_of_memory(k);
	set_reason(k, "JOIN_GROUP", KLAMM_ERR_MEMBER_ID_REQUIRED);
	kl_classic_on(k, KL_CLASSIC_NAMED);
	return 0;
}

static void on_join_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, join.request);
	const struct kl_join_group_response *body = response->body;
	k->join.under_way = false;
	kl_membership_changed(k->m);
	if (k->join.attempt != k->attempt || k->state != KL_CLASSIC_JOIN)
		return;
	int code = judge(k, response, body != NULL ? body->error_code : 0, "joining");
	bool is_named = code == KLAMM_ERR_MEMBER_ID_REQUIRED;
	if (code == 0)
		code = on_joined(k, response);
	else if (is_named)
		code = take_name(k, body->member_id);
	else
		set_reason(k, "JOIN_GROUP", code);
	count(k, KL_COORD_JOIN, is_named ? KLAMM_ERR_MEMBER_ID_REQUIRED : code, response);
	if (code != 0)
		kl_classic_on(k, kl_classic_verdict(KL_CLASSIC_JOIN_GROUP, code));
}

/* A pattern has to be held to the topics that there are. */
static bool may_join(const struct kl_classic *k, int64_t *when)
{
	const struct kl_membership *m = k->m;
	if (!k->join.wanted || k->join.under_way || k->leave.under_way)
		return false;
	if (k->retry_at > kl_classic_consumer(k)->loop->now) {
		*when = kl_min(*when, k->retry_at);
		return false;
	}
	return k->has_told && (m->pattern == NULL || m->listed_at >= k->joins_since);
}

static void send_join(struct kl_classic *k, int64_t *when)
{
	const struct kl_settings *s = kl_classic_consumer(k)->settings;
	struct kl_node *node = may_join(k, when) ? kl_coordinator_node(coordinator(k)) : NULL;
	if (node == NULL)
		return;
	struct kl_request *r = &k->join.request;
	r->api = KL_API_JOIN_GROUP;
	r->prepare = make_join;
	r->done = on_join_answer;
	r->timeout_us = kl_max((int64_t)s->request_timeout_ms,
			       (int64_t)s->max_poll_interval_ms + JOIN_LAPSE_MS) * KL_MS;
	kl_group_count_begin(kl_classic_consumer(k));
	transmit(k, &k->join, node, 5);
}

/* --- SyncGroup --- */

static const void *make_sync(struct kl_request *request, int version)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, sync.request);
	struct kl_arena *arena = &k->sync_arena;
	size_t n = k->result.count;
	kl_arena_reset(arena);
	struct kl_sync_group_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_sync_group_request_assignment *list =
		kl_type_new(&kl_type_sync_group_request_assignment, arena, n);
	if (body == NULL || list == NULL)
		return NULL;
	kl_msg_init(&kl_msg_sync_group_request, body);
	for (size_t i = 0; i < n; i++) {
		list[i].member_id = k->result.given[i].id;
		list[i].assignment = k->result.given[i].bytes;
	}
	body->group_id = kl_str(kl_classic_consumer(k)->group.id);
	body->generation_id = k->m->generation;
	body->member_id = kl_str(k->m->id);
	body->group_instance_id = kl_str(kl_membership_instance(k->m));
	if (version >= 5) { /* KIP-559 */
		body->protocol_type = KL_STR(PROTOCOL_TYPE);
		body->protocol_name = kl_str(k->chosen->plugin->assignor.protocol_name);
	}
	body->assignments = list;
	body->assignments_n = (int32_t)n;
	return body;
}

static int on_synced(struct kl_classic *k, const struct kl_response *response)
{
	const struct kl_sync_group_response *body = response->body;
	const char *chosen = k->chosen->plugin->assignor.protocol_name;
	struct kl_str name = body->protocol_name;
	int rc = check_type(k, body->protocol_type);
	if (rc != 0)
		return rc;
	if (name.len > 0 && !kl_str_is(name, chosen))
		return kl_error(&k->err, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL,
				"group %.100s: the assignor was to be \"%s\", and the "
				"assignment is by \"%.*s\"",
				kl_classic_consumer(k)->group.id, chosen,
				(int)kl_min(name.len, 60), name.p);
	kl_slab_unref(k->synced_slab);
	k->synced_slab = kl_slab_ref(response->slab);
	k->synced = body->assignment;
	k->next_work = KL_WORK_HEAR;
	return 0;
}

static void on_sync_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, sync.request);
	const struct kl_sync_group_response *body = response->body;
	k->sync.under_way = false;
	kl_membership_changed(k->m);
	if (k->sync.attempt != k->attempt || k->state != KL_CLASSIC_SYNC)
		return;
	int code = judge(k, response, body != NULL ? body->error_code : 0,
			 "waiting for its assignment");
	if (code == 0)
		code = on_synced(k, response);
	count(k, KL_COORD_SYNC, code, response);
	if (code == 0) {
		kl_group_count_end(kl_classic_consumer(k));
		return;
	}
	set_reason(k, "SYNC_GROUP", code);
	kl_classic_on(k, kl_classic_verdict(KL_CLASSIC_SYNC_GROUP, code));
}

static void send_sync(struct kl_classic *k)
{
	if (!k->sync.wanted || k->sync.under_way)
		return;
	struct kl_node *node = kl_coordinator_node(coordinator(k));
	if (node == NULL)
		return;
	struct kl_request *r = &k->sync.request;
	r->api = KL_API_SYNC_GROUP;
	r->prepare = make_sync;
	r->done = on_sync_answer;
	transmit(k, &k->sync, node, 3);
}

/* --- Heartbeat --- */

static void beat_failed(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	k->beat_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
					       c->settings->retry_backoff_max_ms,
					       k->beat_failures++);
}

static void on_beat_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, beat.request);
	struct klamm_consumer *c = kl_classic_consumer(k);
	const struct kl_heartbeat_response *body = response->body;
	k->beat.under_way = false;
	kl_membership_changed(k->m);
	if (k->beat.attempt != k->attempt || !kl_classic_beats(k->state))
		return;
	if (response->code == 0)
		kl_group_count(c, KL_COORD_HEARTBEAT, response->latency_us, c->loop->now);
	int code = judge(k, response, body != NULL ? body->error_code : 0, "its heartbeat");
	enum kl_classic_event event = kl_classic_verdict(KL_CLASSIC_HEARTBEAT, code);
	if (event == KL_CLASSIC_FINE || event == KL_CLASSIC_CALLED) {
		k->heard_at = c->loop->now;
		k->beat_failures = 0;
	} else {
		beat_failed(k);
	}
	if (event == KL_CLASSIC_FINE)
		return;
	if (event == KL_CLASSIC_CALLED ? k->state == KL_CLASSIC_STABLE
				       : event != KL_CLASSIC_ELSEWHERE)
		set_reason(k, "HEARTBEAT", code);
	kl_classic_on(k, event);
}

/* The request may wait for its connection, and the member be another one then. false: out of
 * memory. */
static bool make_beat(struct kl_classic *k)
{
	kl_arena_reset(&k->beat_arena);
	const char *id = kl_arena_text(&k->beat_arena, k->m->id, strlen(k->m->id));
	kl_msg_init(&kl_msg_heartbeat_request, &k->beat_body);
	k->beat_body.group_id = kl_str(kl_classic_consumer(k)->group.id);
	k->beat_body.generation_id = k->m->generation;
	k->beat_body.member_id = kl_str(id);
	k->beat_body.group_instance_id = kl_str(kl_membership_instance(k->m));
	return id != NULL;
}

/* Nothing was heard for a session: maybe the coordinator is somewhere else. */
static void watch_session(struct kl_classic *k, int64_t *when)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	int64_t session = (int64_t)c->settings->session_timeout_ms * KL_MS;
	if (c->loop->now - k->heard_at >= session) {
		struct klamm_error err;
		kl_error(&err, KLAMM_ERR_TIMED_OUT,
			 "group %.100s: no heartbeat was answered for session.timeout.ms (%d)",
			 c->group.id, c->settings->session_timeout_ms);
		kl_coordinator_lost(coordinator(k), &err);
		k->heard_at = c->loop->now;
	}
	*when = kl_min(*when, k->heard_at + session);
}

static void send_beat(struct kl_classic *k, int64_t *when)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (!kl_classic_beats(k->state) || k->m->generation < 0)
		return;
	watch_session(k, when);
	if (k->beat.under_way ||
	    (KL_BUG(BEAT_BY_POLL) && atomic_load(&k->m->poll_left) != KL_NEVER))
		return;
	if (k->beat_at > c->loop->now) {
		*when = kl_min(*when, k->beat_at);
		return;
	}
	struct kl_node *node = kl_coordinator_node(coordinator(k));
	if (node == NULL)
		return;
	struct kl_request *r = &k->beat.request;
	k->beat_at = c->loop->now + (int64_t)c->settings->heartbeat_interval_ms * KL_MS;
	if (!make_beat(k)) {
		*when = kl_min(*when, k->beat_at);
		return;
	}
	r->api = KL_API_HEARTBEAT;
	r->body = &k->beat_body;
	r->done = on_beat_answer;
	kl_group_count_beat(c);
	transmit(k, &k->beat, node, 3);
}

/* --- LeaveGroup --- */

static void has_left(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	atomic_store(&k->m->parting, false);
	kl_gate_wake(c->os, &c->gate);
	kl_membership_changed(k->m);
}

static void on_leave_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, leave.request);
	struct klamm_consumer *c = kl_classic_consumer(k);
	const struct kl_leave_group_response *body = response->body;
	k->leave.under_way = false;
	int code = body != NULL ? body->error_code : 0;
	if (body != NULL && code == 0 && body->members_n > 0)
		code = body->members[0].error_code;
	struct klamm_error before = k->err;
	code = judge(k, response, code, "leaving");
	if (code != 0)
		kl_log(&c->log, KL_LOG_INFO, "group", "%s", k->err.text);
	bool elsewhere = kl_classic_verdict(KL_CLASSIC_HEARTBEAT, code) ==
			 KL_CLASSIC_ELSEWHERE;
	if (elsewhere)
		kl_coordinator_lost(coordinator(k), &k->err);
	k->err = before;
	if (elsewhere && !c->stopping && ++k->leave_tries < LEAVE_TRIES) {
		k->leave.wanted = true;
		kl_membership_changed(k->m);
	} else {
		has_left(k);
	}
}

static const void *make_leave(struct kl_request *request, int version)
{
	struct kl_classic *k = kl_container(request, struct kl_classic, leave.request);
	struct kl_leave_group_request *body = &k->leave_body;
	kl_msg_init(&kl_msg_leave_group_request, body);
	kl_type_init(&kl_type_leave_group_request_member, &k->leaver);
	body->group_id = kl_str(kl_classic_consumer(k)->group.id);
	if (version < 3) {
		body->member_id = kl_str(k->leaver_id);
		return body;
	}
	k->leaver.member_id = kl_str(k->leaver_id);
	k->leaver.group_instance_id = KL_STR_NULL;
	if (version >= 5)
		k->leaver.reason = kl_str(k->reason);
	body->members = &k->leaver;
	body->members_n = 1;
	return body;
}

static void send_leave(struct kl_classic *k)
{
	struct kl_node *node = k->leave.wanted && !k->leave.under_way
				       ? kl_coordinator_node(coordinator(k))
				       : NULL;
	if (node == NULL)
		return;
	struct kl_request *r = &k->leave.request;
	r->api = KL_API_LEAVE_GROUP;
	r->prepare = make_leave;
	r->done = on_leave_answer;
	transmit(k, &k->leave, node, 0);
}

/* A dynamic member leaves, a static one comes back; but see KIP-1092. */
static bool is_to_leave(const struct kl_classic *k)
{
	const struct kl_membership *m = k->m;
	bool known = m->id != NULL && m->id[0] != '\0';
	if (!known || k->leave.under_way || m->end == KLAMM_MEMBERSHIP_REMAIN)
		return false;
	return m->end == KLAMM_MEMBERSHIP_LEAVE || kl_membership_instance(m) == NULL;
}

void kl_classic_say_goodbye(struct kl_classic *k)
{
	if (!is_to_leave(k))
		return;
	free(k->leaver_id);
	k->leaver_id = strdup(k->m->id);
	if (k->leaver_id == NULL)
		return; /* its session ends by itself */
	k->leave_tries = 0;
	k->leave.wanted = true;
	atomic_store(&k->m->parting, true);
}

/* --- all of them --- */

static void cancel(struct kl_classic_call *call)
{
	call->wanted = false;
	if (!call->under_way)
		return;
	call->under_way = false;
	if (call->request.node != NULL)
		kl_node_cancel(call->request.node, &call->request);
}

void kl_classic_cancel(struct kl_classic *k)
{
	k->attempt++;
	__atomic_store_n(&k->cancelled, 1, __ATOMIC_RELAXED);
	cancel(&k->join);
	cancel(&k->sync);
}

void kl_classic_send(struct kl_classic *k, int64_t *when)
{
	send_leave(k);
	send_join(k, when);
	send_sync(k);
	send_beat(k, when);
}

void kl_classic_requests_free(struct kl_classic *k)
{
	struct kl_request *const requests[] = {&k->join.request, &k->sync.request,
					       &k->beat.request, &k->leave.request,
					       &k->look.request};
	for (size_t i = 0; i < kl_countof(requests); i++)
		kl_request_free(requests[i]);
	kl_arena_free(&k->join_arena);
	kl_arena_free(&k->sync_arena);
	kl_arena_free(&k->beat_arena);
	free(k->leaver_id);
}
