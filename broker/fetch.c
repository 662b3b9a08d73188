/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetch 0-18, those below 4 for tests that pretend to be an old broker: old.c makes messages
 * of their batches. A fetch that finds less than it wants waits with the partitions that it is
 * about. */
#include "broker/fetch.h"

/* Kafka's fetch.max.bytes of brokers. */
#define FETCH_MAX 57671680
#define FETCH_LEADERS 16 /* the first version that tells of leaders (KIP-951) */

/* The answer while it is made: partitions in a row, those of one topic that stand together in
 * one element. */
struct answer {
	struct kl_dev_call *call;
	const struct kl_dev_fetch_plan *plan;
	struct kl_dev_fetch_session *session; /* NULL: everything is told */
	struct kl_fetch_response response;
	struct kl_fetch_response_partition *parts;
	const struct kl_dev_wanted **of; /* each of them */
	size_t count, cap;
	struct kl_dev_fetch_room room;
};

/* --- the answer --- */

/* KIP-951, as in produce.c. */
static void tell_leader(struct answer *a, const struct kl_dev_wanted *wanted,
			struct kl_fetch_response_partition *out)
{
	const struct kl_dev_partition *partition = kl_dev_partition(
		kl_dev_topic_named(a->call->broker, wanted->topic), wanted->partition);
	if (partition == NULL)
		return;
	out->current_leader.leader_id = partition->leader;
	out->current_leader.leader_epoch = partition->leader_epoch;
	for (int32_t i = 0; i < a->response.node_endpoints_n; i++)
		if (a->response.node_endpoints[i].node_id == partition->leader)
			return;
	struct kl_dev_node *leader = kl_dev_node(a->call->broker, partition->leader);
	if (leader == NULL || a->response.node_endpoints == NULL)
		return;
	struct kl_fetch_response_node_endpoint *endpoint =
		&a->response.node_endpoints[a->response.node_endpoints_n++];
	endpoint->node_id = leader->id;
	endpoint->host = kl_dev_node_host(leader);
	endpoint->port = leader->port;
	endpoint->rack = leader->rack;
}

/* Room for one partition more. */
static bool grow(struct answer *a)
{
	if (a->count < a->cap)
		return true;
	struct kl_arena *arena = &a->call->arena;
	size_t cap = kl_min(a->plan->count, kl_max(a->cap * 2, (size_t)16));
	struct kl_fetch_response_partition *parts =
		kl_arena_array(arena, cap, sizeof(*parts));
	const struct kl_dev_wanted **of = kl_arena_array(arena, cap, sizeof(*of));
	if (parts == NULL || of == NULL)
		return false;
	if (a->count > 0) {
		memcpy(parts, a->parts, a->count * sizeof(*parts));
		memcpy(of, a->of, a->count * sizeof(*of));
	}
	a->parts = parts;
	a->of = of;
	a->cap = cap;
	return true;
}

static bool answer_one(struct answer *a, const struct kl_dev_wanted *wanted)
{
	if (!grow(a))
		return false;
	struct kl_fetch_response_partition *out = &a->parts[a->count];
	kl_type_init(&kl_type_fetch_response_partition, out);
	if (!kl_dev_fetch_read(a->call, wanted, &a->room, out))
		return false;
	if (a->session != NULL && !kl_dev_fetch_session_tells(a->session, wanted, out))
		return true;
	if (a->call->version >= FETCH_LEADERS &&
	    (out->error_code == KLAMM_ERR_NOT_LEADER_OR_FOLLOWER ||
	     out->error_code == KLAMM_ERR_FENCED_LEADER_EPOCH))
		tell_leader(a, wanted, out);
	a->of[a->count++] = wanted;
	return true;
}

static bool is_same_topic(const struct kl_dev_wanted *a, const struct kl_dev_wanted *b)
{
	return kl_uuid_equal(&a->topic_id, &b->topic_id) &&
	       kl_str_equal(a->topic, b->topic);
}

static bool group_by_topic(struct answer *a)
{
	int32_t n = 0;
	for (size_t i = 0; i < a->count; i++)
		n += i == 0 || !is_same_topic(a->of[i], a->of[i - 1]);
	struct kl_fetch_response_topic *topic =
		kl_type_new(&kl_type_fetch_response_topic, &a->call->arena, (size_t)n);
	if (topic == NULL)
		return false;
	a->response.responses = topic;
	a->response.responses_n = n;
	for (size_t i = 0; i < a->count; i++) {
		if (i > 0 && is_same_topic(a->of[i], a->of[i - 1])) {
			topic[-1].partitions_n++;
			continue;
		}
		topic->topic = a->of[i]->topic;
		topic->topic_id = a->of[i]->topic_id;
		topic->partitions = &a->parts[i];
		topic->partitions_n = 1;
		topic++;
	}
	return true;
}

static void answer_error(struct kl_dev_call *call, int error, int32_t session_id)
{
	struct kl_fetch_response response;
	kl_msg_init(&kl_msg_fetch_response, &response);
	response.error_code = (int16_t)error;
	response.session_id = session_id;
	kl_dev_answer(call, &response);
}

/* Bytes of records that the answer may carry. */
static size_t answer_limit(const struct kl_fetch_request *request)
{
	return (size_t)kl_max(0, kl_min(request->max_bytes, FETCH_MAX));
}

static bool make_answer(struct answer *a)
{
	const struct kl_dev_fetch_plan *plan = a->plan;
	a->response.node_endpoints = kl_type_new(
		&kl_type_fetch_response_node_endpoint, &a->call->arena,
		(size_t)a->call->broker->options.nodes);
	for (size_t i = 0; i < plan->count; i++)
		if (!answer_one(a, &plan->wanted[i]))
			return false;
	if (plan->kind == KL_DEV_FETCH_FULL)
		a->response.session_id =
			kl_dev_fetch_session_new(a->call, plan, a->parts);
	else
		a->response.session_id = plan->session_id;
	return group_by_topic(a);
}

static void answer(struct kl_dev_call *call)
{
	const struct kl_dev_fetch_plan *plan = call->work;
	struct answer a = {
		.call = call,
		.plan = plan,
		.room = {.left = answer_limit(call->request), .nothing = true},
	};
	if (plan->kind == KL_DEV_FETCH_INCREMENTAL)
		a.session = kl_dev_fetch_session_find(call->conn->node, plan->session_id);
	/* Somebody went on without this answer. */
	if (a.session != NULL && a.session->epoch != plan->epoch) {
		answer_error(call, KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH,
			     plan->session_id);
		return;
	}
	kl_msg_init(&kl_msg_fetch_response, &a.response);
	if (make_answer(&a))
		kl_dev_answer(call, &a.response);
	else
		kl_dev_call_fail(call);
}

/* --- waiting --- */

/* Do the partitions have what is wanted, up to what the answer may take of each, or news that
 * are worth an answer at once? Those that were unknown from the start are not, unless there is
 * nothing else to wait for. */
static bool is_ready(struct kl_dev_call *call, size_t want)
{
	const struct kl_dev_fetch_plan *plan = call->work;
	const struct kl_fetch_request *request = call->request;
	size_t have = 0;
	bool waits = false;
	for (size_t i = 0; i < plan->count; i++) {
		const struct kl_dev_wanted *wanted = &plan->wanted[i];
		if (wanted->is_unknown)
			continue;
		waits = true;
		struct kl_dev_view view = kl_dev_fetch_look(call, wanted);
		if (kl_dev_view_is_news(&view) || call->broker->null != NULL)
			return true;
		struct kl_dev_left left;
		if (kl_dev_log_left(&view.partition->log, wanted->offset,
				    kl_dev_view_limit(&view, request), &left) != 0)
			return true;
		size_t max = (size_t)kl_max(wanted->max_bytes, 0);
		have += kl_max(left.first, kl_min(left.bytes, max));
		if (have >= want)
			return true;
	}
	return !waits;
}

/* As Kafka has it: nobody waits for more than one answer takes. */
static size_t wanted(const struct kl_fetch_request *request)
{
	return kl_min((size_t)kl_max(0, request->min_bytes), answer_limit(request));
}

static void on_wake(struct kl_dev_call *call)
{
	if (is_ready(call, wanted(call->request)))
		answer(call);
}

/* false: out of memory. */
static bool await(struct kl_dev_call *call)
{
	const struct kl_dev_fetch_plan *plan = call->work;
	call->waits = kl_arena_array(&call->arena, plan->count, sizeof(*call->waits));
	if (call->waits == NULL)
		return false;
	for (size_t i = 0; i < plan->count; i++) {
		struct kl_dev_partition *partition = kl_dev_partition(
			kl_dev_topic_named(call->broker, plan->wanted[i].topic),
			plan->wanted[i].partition);
		if (partition != NULL)
			kl_dev_call_await(call, partition);
	}
	call->on_wake = on_wake;
	return true;
}

/* --- beginning --- */

/* An error of sessions that a fault has for the whole request. */
static int fault_error(const struct kl_dev_call *call)
{
	int error = kl_dev_call_error(call);
	return call->version >= 7 && (error == KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND ||
				      error == KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH ||
				      error == KLAMM_ERR_FETCH_SESSION_TOPIC_ID_ERROR)
		       ? error
		       : 0;
}

/* What is not there now is told so, even if it comes while the fetch waits; a fault's error
 * comes before. */
static void mark_unknown(struct kl_dev_call *call, struct kl_dev_fetch_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct kl_dev_wanted *wanted = &plan->wanted[i];
		wanted->is_unknown =
			kl_dev_topic_error(call, wanted->topic, wanted->partition) == 0 &&
			kl_dev_partition(kl_dev_topic_named(call->broker, wanted->topic),
					 wanted->partition) == NULL;
	}
}

void kl_dev_fetch(struct kl_dev_call *call)
{
	const struct kl_fetch_request *request = call->request;
	struct kl_dev_fetch_plan *plan =
		kl_arena_array(&call->arena, 1, sizeof(*plan));
	int error = fault_error(call);
	if (error == 0)
		error = plan != NULL ? kl_dev_fetch_plan(call, plan)
				     : KLAMM_ERR_NO_MEMORY;
	if (error == KLAMM_ERR_NO_MEMORY) {
		kl_dev_call_fail(call);
		return;
	}
	if (error != 0) {
		answer_error(call, error, 0);
		return;
	}
	call->work = plan;
	mark_unknown(call, plan);
	if (request->max_wait_ms <= 0 || plan->count == 0 ||
	    is_ready(call, wanted(request))) {
		answer(call);
		return;
	}
	if (!await(call)) {
		kl_dev_call_fail(call);
		return;
	}
	int64_t when = call->broker->loop->now + (int64_t)request->max_wait_ms * KL_MS;
	kl_dev_call_park(call, when, answer);
}
