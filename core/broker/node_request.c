/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests of a broker: sent in order, answered in order, ended once. */
#include "core/base/error.h"
#include "core/broker/node_int.h"
#include "core/proto/packet.h"

/* --- their end --- */

static void finish(struct kl_request *request, struct kl_response *response)
{
	kl_list_remove(&request->link);
	kl_list_remove(&request->out.link);
	request->node = NULL;
	response->version = request->version;
	request->done(request, response);
}

/* What did not leave whole cannot have been acted upon. */
static void fail_request(struct kl_node *node, struct kl_request *request,
			 const struct klamm_error *why)
{
	struct klamm_error err = *why;
	err.api = request->api;
	err.node = node->id;
	finish(request, &(struct kl_response){.code = err.code,
					      .err = &err,
					      .maybe_applied = request->gone});
}

/* Done callbacks may queue new requests here: only those that are there now end. */
void kl_node_fail_requests(struct kl_node *node, const struct klamm_error *err)
{
	struct kl_list ended = KL_LIST_INIT(ended), *link;
	kl_list_splice(&ended, &node->in_flight);
	kl_list_splice(&ended, &node->waiting);
	node->in_flight_count = node->waiting_count = 0;
	kl_list_for(request, &ended, struct kl_request, link)
		request->ended = true;
	while ((link = kl_list_pop(&ended)) != NULL)
		fail_request(node, kl_list_entry(link, struct kl_request, link), err);
}

/* --- their way out --- */

static bool encode(struct kl_request *request, const struct kl_node *node,
		   struct klamm_error *err)
{
	const void *body = request->prepare != NULL
				   ? request->prepare(request, request->version)
				   : request->body;
	if (body == NULL) {
		kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a request");
		return false;
	}
	struct kl_frame frame = {
		.msg = kl_msg_request(request->api),
		.version = request->version,
		.correlation_id = request->correlation,
		.client_id = kl_str(node->nodes->settings->client_id),
		.obj = body,
		.refs = &request->refs,
	};
	kl_buf_clear(&request->head);
	request->refs.count = request->refs.bytes = 0;
	int rc = kl_frame_request(&frame, &request->head, err);
	if (rc == 0 && !kl_out_set(&request->out, &request->head, &request->refs))
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a request");
	if (rc == 0)
		kl_traffic(&node->nodes->log, node->where, '>', &frame);
	return rc == 0;
}

static void on_sent(struct kl_out *out, struct kl_conn *conn)
{
	struct kl_request *request = kl_container(out, struct kl_request, out);
	struct kl_node *node = request->node;
	request->gone = true;
	kl_net_sent(node->nodes->metrics, node->peer, request->size, kl_node_now(node));
	if (!request->no_answer)
		return;
	kl_list_remove(&request->link);
	node->in_flight_count--;
	finish(request, &(struct kl_response){.maybe_applied = true});
}

static void trace(const struct kl_node *node, const struct kl_request *request)
{
	if (kl_log_on(&node->nodes->log, KL_LOG_TRACE))
		kl_log(&node->nodes->log, KL_LOG_TRACE, node->where,
		       "%s v%d, %zu bytes, id %d", kl_api_name(request->api),
		       request->version, request->out.left, request->correlation);
}

int kl_node_transmit(struct kl_node *node, struct kl_request *request, struct klamm_error *err)
{
	request->correlation = node->next_correlation++;
	if (node->next_correlation < 0)
		node->next_correlation = 0;
	request->gone = false;
	request->silent_before = node->silent_sent;
	if (!encode(request, node, err)) {
		fail_request(node, request, err);
		return err->code;
	}
	request->out.sent = on_sent;
	request->size = request->out.left;
	request->sent_at = kl_node_now(node);
	int64_t timeout = request->timeout_us != 0
				  ? request->timeout_us
				  : (int64_t)node->nodes->settings->request_timeout_ms * KL_MS;
	request->expires = kl_min(kl_node_now(node) + timeout, request->deadline);
	kl_list_push(&node->in_flight, &request->link);
	node->in_flight_count++;
	node->silent_sent += request->no_answer;
	trace(node, request);
	kl_conn_send(&node->conn, &request->out);
	return 0;
}

static void refuse(struct kl_node *node, struct kl_request *request)
{
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_UNSUPPORTED,
		 "%s%s does not have a version of %s that klamm can use here", node->where,
		 kl_node_is_old(node) ? ", which is older than Kafka 0.10," : "",
		 kl_api_name(request->api));
	err.stage = KLAMM_STAGE_API;
	fail_request(node, request, &err);
}

/* Choose the version and send. */
static void dispatch(struct kl_node *node, struct kl_request *request)
{
	int version = kl_node_version(node, request->api, request->max_version);
	if (version < 0 || version < request->min_version) {
		refuse(node, request);
		return;
	}
	struct klamm_error err;
	request->version = version;
	kl_node_transmit(node, request, &err); /* it has heard of that */
}

void kl_node_send_waiting(struct kl_node *node)
{
	/* Only when there is something to send, as Kafka's clients do: a connection that
	 * nobody uses may come to its end. */
	if (kl_node_is_ready(node) && !kl_list_empty(&node->waiting) &&
	    node->auth.again_at <= kl_node_now(node)) {
		node->state = KL_NODE_REAUTH;
		kl_auth_begin(node, true);
	}
	while (kl_node_is_ready(node) && !kl_list_empty(&node->waiting)) {
		struct kl_request *request =
			kl_list_entry(kl_list_pop(&node->waiting), struct kl_request, link);
		node->waiting_count--;
		dispatch(node, request);
	}
	kl_node_set_timer(node);
}

void kl_node_request(struct kl_node *node, struct kl_request *request)
{
	request->node = node;
	request->version = -1;
	request->gone = request->ended = false;
	kl_list_init(&request->out.link);
	kl_list_push(&node->waiting, &request->link);
	node->waiting_count++;
	kl_node_connect(node);
	/* Not from inside this call: the owner is in the middle of something. */
	kl_hook_add(node->nodes->loop, &node->send_hook);
}

void kl_node_cancel(struct kl_node *node, struct kl_request *request)
{
	if (request->node != node)
		return;
	bool in_flight = request->version >= 0;
	kl_list_remove(&request->link);
	kl_list_remove(&request->out.link);
	request->node = NULL;
	if (request->ended) /* it is in nobody's count any more */
		return;
	if (!in_flight) {
		node->waiting_count--;
		return;
	}
	node->in_flight_count--;
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_DISCONNECTED,
		 "the connection was closed to cancel a request");
	kl_node_give_up(node, &err, false);
}

/* --- answers --- */

static void explain_answer(struct kl_node *node, const struct kl_request *request,
			   struct klamm_error *err)
{
	kl_error_prefix(err, "%s: bad answer to %s v%d", node->where,
			kl_api_name(request->api), request->version);
	if (node->state == KL_NODE_SASL)
		err->stage = KLAMM_STAGE_SASL;
	err->node = node->id;
	err->api = request->api;
}

static int read_answer(const struct kl_request *request, struct kl_reader *reader,
		       struct kl_arena *arena, void **body_out, struct klamm_error *err)
{
	int32_t id;
	if (!kl_frame_read_correlation(reader, &id))
		return kl_error(err, KLAMM_ERR_PROTOCOL, "it is cut");
	if (id != request->correlation)
		return kl_error(err, KLAMM_ERR_PROTOCOL,
				"its correlation id is %d, expected was %d", id,
				request->correlation);
	int rc = kl_frame_read_response(kl_msg_response(request->api), request->version,
					reader, arena, body_out, err);
	if (rc == 0 && kl_reader_left(reader) > 0)
		rc = kl_error(err, KLAMM_ERR_PROTOCOL, "%zu bytes follow it",
			      kl_reader_left(reader));
	return rc;
}

static int32_t throttle_ms(const struct kl_msg *msg, const void *body)
{
	for (unsigned i = 0; i < msg->type->field_count; i++) {
		const struct kl_field *field = &msg->type->fields[i];
		if (field->type == KL_INT32 && strcmp(field->name, "ThrottleTimeMs") == 0)
			return *(const int32_t *)((const char *)body + field->offset);
	}
	return 0;
}

/* KIP-219: the broker has muted this connection for so long; sending more would only fill its
 * socket. */
static void obey_throttle(struct kl_node *node, const struct kl_request *request,
			  const void *body)
{
	int32_t ms = throttle_ms(kl_msg_response(request->api), body);
	if (ms <= 0)
		return;
	node->muted_until = kl_node_now(node) + (int64_t)ms * KL_MS;
	kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "throttled for %d ms", ms);
}

static void show_answer(const struct kl_node *node, const struct kl_request *request,
			const void *body)
{
	struct kl_frame frame = {
		.msg = kl_msg_response(request->api),
		.version = request->version,
		.correlation_id = request->correlation,
		.obj = body,
	};
	/* As kl_frame_read_response() has read it. */
	if (request->api == KL_API_API_VERSIONS &&
	    ((const struct kl_api_versions_response *)body)->error_code ==
		    KLAMM_ERR_UNSUPPORTED_VERSION)
		frame.version = 0;
	kl_traffic(&node->nodes->log, node->where, '<', &frame);
}

void kl_node_on_frame(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p, size_t n)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	if (node->state == KL_NODE_SASL && node->auth.raw) {
		kl_auth_frame(node, p, n);
		return;
	}
	kl_node_pass_over(node, p, n);
	struct kl_request *request = kl_list_first(&node->in_flight, struct kl_request, link);
	struct klamm_error err;
	if (request == NULL) {
		kl_error(&err, KLAMM_ERR_PROTOCOL, "%s sent an answer that nobody asked for",
			 node->where);
		kl_node_give_up(node, &err, true);
		return;
	}
	struct kl_reader reader = kl_reader(p, n);
	void *body = NULL;
	int rc = request->gone ? read_answer(request, &reader, &node->arena, &body, &err)
			       : kl_error(&err, KLAMM_ERR_PROTOCOL,
					  "it came before the request was sent");
	if (rc != 0) {
		explain_answer(node, request, &err);
		kl_arena_free(&node->arena);
		kl_node_give_up(node, &err, true);
		return;
	}
	node->served |= node->state == KL_NODE_READY;
	/* Only now it is a broker that works: one that accepts connections and closes them, or
	 * lets nobody in, is tried ever more rarely. */
	if (node->nodes->sasl == NULL)
		kl_node_works(node);
	node->in_flight_count--;
	node->silent_read = request->silent_before;
	int64_t latency = kl_node_now(node) - request->sent_at;
	kl_net_answered(node->nodes->metrics, node->peer, n + sizeof(int32_t), latency,
			kl_node_now(node));
	obey_throttle(node, request, body);
	show_answer(node, request, body);
	finish(request, &(struct kl_response){.maybe_applied = true,
					      .latency_us = latency,
					      .body = body,
					      .slab = slab});
	kl_arena_reset(&node->arena);
	kl_node_set_timer(node);
}

/* --- time --- */

/* A request in flight that is not answered in time takes its connection with it: an answer
 * that comes late must not meet memory that has been used again. */
bool kl_node_expire_in_flight(struct kl_node *node)
{
	kl_list_for(request, &node->in_flight, struct kl_request, link) {
		if (request->expires > kl_node_now(node))
			continue;
		struct klamm_error err;
		kl_error(&err, KLAMM_ERR_TIMED_OUT, "%s did not answer %s in time%s",
			 node->where, kl_api_name(request->api),
			 request->expires < request->deadline ? " (request.timeout.ms)"
							      : "");
		err.node = node->id;
		err.stage = KLAMM_STAGE_API;
		kl_node_give_up(node, &err, true);
		return true;
	}
	return false;
}

void kl_node_expire_waiting(struct kl_node *node)
{
	struct kl_list ended = KL_LIST_INIT(ended);
	kl_list_for_safe(request, &node->waiting, struct kl_request, link) {
		if (request->deadline > kl_node_now(node))
			continue;
		kl_list_remove(&request->link);
		kl_list_push(&ended, &request->link);
		node->waiting_count--;
	}
	struct klamm_error err;
	if (node->last_error.code != 0)
		kl_error(&err, KLAMM_ERR_TIMED_OUT, "no connection to %s in time; last: %s",
			 node->where, node->last_error.text);
	else
		kl_error(&err, KLAMM_ERR_TIMED_OUT, "no connection to %s in time",
			 node->where);
	struct kl_list *link;
	while ((link = kl_list_pop(&ended)) != NULL)
		fail_request(node, kl_list_entry(link, struct kl_request, link), &err);
}

void kl_request_free(struct kl_request *request)
{
	kl_out_free(&request->out);
	kl_buf_free(&request->head);
	kl_refs_free(&request->refs);
}
