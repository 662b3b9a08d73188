/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/call.h"
#include "broker/null.h"

#include <stdio.h>
#include <stdlib.h>

/* Calls kept for the next requests, and the bytes and pieces of answer that each may keep. */
#define IDLE_CALLS 64
#define IDLE_HEAD ((size_t)16 << 10)
#define IDLE_PIECES 1024
/* What one request may become in memory, and what an answer may be besides records: the
 * metadata of 100,000 partitions takes a tenth of that. */
#define ARENA_MAX ((size_t)256 << 20)
#define HEAD_MAX ((size_t)64 << 20)

static void run_timer(struct kl_timer *timer)
{
	struct kl_dev_call *call = kl_container(timer, struct kl_dev_call, timer);
	call->on_timer(call);
}

static void run_wake(struct kl_hook *hook)
{
	struct kl_dev_call *call = kl_container(hook, struct kl_dev_call, wake);
	call->on_wake(call);
}

static void on_sent(struct kl_out *out, struct kl_conn *conn)
{
	struct kl_dev_call *call = kl_container(out, struct kl_dev_call, out);
	struct kl_dev_conn *dev_conn = call->conn;
	bool closes = call->closes, resets = call->resets;
	kl_dev_call_free(call);
	if (closes)
		kl_dev_conn_close(dev_conn, resets);
	else
		kl_dev_conn_sent(dev_conn);
}

static struct kl_dev_call *make(struct klamm_broker *broker)
{
	struct kl_list *link = kl_list_pop(&broker->idle_calls);
	if (link != NULL) {
		broker->idle_call_count--;
		return kl_list_entry(link, struct kl_dev_call, link);
	}
	struct kl_dev_call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	if (kl_timer_init(broker->loop, &call->timer, run_timer, NULL) != 0) {
		free(call);
		return NULL;
	}
	call->broker = broker;
	call->wake.fn = run_wake;
	call->out.sent = on_sent;
	call->arena.max = ARENA_MAX;
	call->head.max = HEAD_MAX;
	kl_list_init(&call->link);
	kl_list_init(&call->wake.link);
	kl_list_init(&call->among);
	return call;
}

struct kl_dev_call *kl_dev_call_new(struct kl_dev_conn *conn)
{
	struct kl_dev_call *call = make(conn->node->broker);
	if (call == NULL)
		return NULL;
	call->conn = conn;
	kl_list_push(&conn->calls, &call->link);
	return call;
}

static void destroy(struct kl_dev_call *call)
{
	kl_timer_drop(call->broker->loop, &call->timer);
	kl_out_free(&call->out);
	kl_buf_free(&call->head);
	kl_refs_free(&call->refs);
	kl_refs_free(&call->spare_refs);
	free(call->held);
	free(call);
}

/* What the handler needed; the answer may still be on its way. */
static void drop_request(struct kl_dev_call *call)
{
	kl_dev_call_unwait(call);
	kl_arena_free(&call->arena);
	call->stand_ins = NULL;
	kl_slab_unref(call->slab);
	kl_dev_fault_unref(call->fault);
	call->slab = NULL;
	call->request = NULL;
	call->fault = NULL;
}

static void drop_answer(struct kl_dev_call *call)
{
	for (size_t i = 0; i < call->held_count; i++)
		kl_slab_unref(call->held[i]);
	call->held_count = 0;
	call->refs.count = 0;
	call->refs.bytes = 0;
}

/* Most answers are small; what a large one needed is not kept. */
static bool is_large(const struct kl_dev_call *call)
{
	return call->head.cap > IDLE_HEAD || call->refs.cap > IDLE_PIECES ||
	       call->spare_refs.cap > IDLE_PIECES || call->held_cap > IDLE_PIECES;
}

void kl_dev_call_free(struct kl_dev_call *call)
{
	struct klamm_broker *broker = call->broker;
	drop_request(call);
	drop_answer(call);
	call->closes = call->resets = false;
	kl_list_remove(&call->link);
	if (call->conn->parked == call)
		call->conn->parked = NULL;
	call->conn = NULL;
	if (broker->idle_call_count >= IDLE_CALLS || is_large(call)) {
		destroy(call);
		return;
	}
	kl_list_push_front(&broker->idle_calls, &call->link);
	broker->idle_call_count++;
}

void kl_dev_calls_free(struct klamm_broker *broker)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&broker->idle_calls)) != NULL)
		destroy(kl_list_entry(link, struct kl_dev_call, link));
	broker->idle_call_count = 0;
}

/* --- answers --- */

bool kl_dev_call_hold(struct kl_dev_call *call, struct kl_slab *slab)
{
	if (call->held_count == call->held_cap) {
		size_t cap = call->held_cap ? call->held_cap * 2 : 8;
		struct kl_slab **held = reallocarray(call->held, cap, sizeof(*held));
		if (held == NULL)
			return false;
		call->held = held;
		call->held_cap = cap;
	}
	call->held[call->held_count++] = kl_slab_ref(slab);
	return true;
}

void kl_dev_traffic(const struct kl_dev_conn *conn, char direction,
		    const struct kl_frame *frame)
{
	char where[24];
	snprintf(where, sizeof(where), "node %d", (int)conn->node->id);
	kl_traffic(&conn->conn.loop->log, where, direction, frame);
}

static bool encode(struct kl_dev_call *call, int version, const void *response)
{
	struct kl_frame frame = {
		.msg = kl_msg_response(call->api->api),
		.version = version,
		.correlation_id = call->correlation_id,
		.obj = response,
		.refs = &call->refs,
	};
	struct klamm_error err;
	kl_buf_clear(&call->head);
	int rc = kl_frame_response(&frame, &call->head, &err);
	if (rc != 0)
		kl_log(&call->broker->loop->log, KL_LOG_ERROR, "broker", "%s", err.text);
	if (rc == 0 && call->stand_ins == NULL) /* made-up records are not there to show */
		kl_dev_traffic(call->conn, '>', &frame);
	struct kl_buf frame_bytes = call->head;
	if (rc != 0 ||
	    (call->stand_ins != NULL && !kl_dev_null_expand(call, &frame_bytes)))
		return false;
	return kl_out_set(&call->out, &frame_bytes, &call->refs);
}

void kl_dev_answer_version(struct kl_dev_call *call, int version, void *response)
{
	struct kl_dev_conn *conn = call->conn;
	const struct klamm_broker_fault *fault =
		call->fault != NULL ? kl_dev_fault_spec(call->fault) : NULL;
	if (fault != NULL && (fault->action == KLAMM_BROKER_DROP_AFTER ||
			      (fault->action == KLAMM_BROKER_CUT && fault->cut == 0))) {
		kl_dev_call_drop(call, fault->reset);
		return;
	}
	if (fault != NULL)
		kl_dev_fault_mark(call, version, response);
	if (!encode(call, version, response) || !kl_dev_fault_spoil(call)) {
		kl_dev_call_fail(call);
		return;
	}
	int64_t throttled = fault != NULL ? fault->throttle_ms : 0;
	drop_request(call);
	kl_conn_send(&conn->conn, &call->out);
	if (call->closes) /* nothing may follow it */
		kl_dev_conn_park(conn, call);
	else
		kl_dev_conn_answered(conn, call);
	if (throttled > 0)
		kl_dev_conn_throttle(conn, conn->conn.loop->now + throttled * KL_MS);
}

void kl_dev_answer(struct kl_dev_call *call, void *response)
{
	kl_dev_answer_version(call, call->version, response);
}

void kl_dev_answer_bare(struct kl_dev_call *call, const struct klamm_span *bytes)
{
	struct kl_dev_conn *conn = call->conn;
	if (bytes == NULL) {
		kl_dev_answer_none(call);
		return;
	}
	kl_buf_clear(&call->head);
	kl_buf_i32(&call->head, (int32_t)bytes->len);
	kl_buf_put(&call->head, bytes->data, bytes->len);
	if (!kl_out_set(&call->out, &call->head, NULL)) {
		kl_dev_call_fail(call);
		return;
	}
	drop_request(call);
	kl_conn_send(&conn->conn, &call->out);
	kl_dev_conn_answered(conn, call);
}

void kl_dev_answer_none(struct kl_dev_call *call)
{
	struct kl_dev_conn *conn = call->conn;
	bool parked = conn->parked == call;
	const struct klamm_broker_fault *fault =
		call->fault != NULL ? kl_dev_fault_spec(call->fault) : NULL;
	if (fault != NULL && (fault->action == KLAMM_BROKER_DROP_AFTER ||
			      fault->action == KLAMM_BROKER_CUT)) {
		kl_dev_call_drop(call, fault->reset);
		return;
	}
	kl_dev_call_free(call);
	if (parked)
		kl_dev_conn_answered(conn, NULL);
}

void kl_dev_call_drop(struct kl_dev_call *call, bool reset)
{
	kl_dev_conn_close(call->conn, reset);
}

void kl_dev_call_fail(struct kl_dev_call *call)
{
	kl_log(&call->broker->loop->log, KL_LOG_ERROR, "broker",
	       "%s could not be answered; closing its connection",
	       kl_api_name(call->api->api));
	kl_dev_call_drop(call, false);
}

/* --- waiting --- */

void kl_dev_call_park(struct kl_dev_call *call, int64_t when,
		      void (*on_timer)(struct kl_dev_call *call))
{
	call->on_timer = on_timer;
	kl_timer_set(call->broker->loop, &call->timer, when);
	kl_dev_conn_park(call->conn, call);
}

void kl_dev_call_await(struct kl_dev_call *call, struct kl_dev_partition *partition)
{
	struct kl_dev_wait *wait = &call->waits[call->wait_count++];
	wait->call = call;
	kl_list_push(&partition->waits, &wait->link);
}

void kl_dev_call_wake(struct kl_dev_call *call)
{
	kl_hook_add(call->broker->loop, &call->wake);
}

void kl_dev_call_unwait(struct kl_dev_call *call)
{
	for (size_t i = 0; i < call->wait_count; i++)
		kl_list_remove(&call->waits[i].link);
	call->wait_count = 0;
	kl_list_remove(&call->wake.link);
	kl_list_remove(&call->among);
	kl_timer_stop(call->broker->loop, &call->timer);
}
