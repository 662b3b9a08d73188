/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "core/broker/node.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/broker/resolve.h"
#include "core/proto/frame.h"
#include "core/proto/gen/messages.h"

static void set_timer(struct kl_node *node);
static void try_next_address(struct kl_node *node);

static struct kl_os *node_os(const struct kl_node *node)
{
	return node->nodes->loop->os;
}

static int64_t now(const struct kl_node *node)
{
	return node->nodes->loop->now;
}

/* --- requests: their end --- */

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
static void fail_list(struct kl_node *node, struct kl_list *list, unsigned *count,
		      const struct klamm_error *err)
{
	struct kl_list ended = KL_LIST_INIT(ended);
	kl_list_splice(&ended, list);
	*count = 0;
	kl_list_for(request, &ended, struct kl_request, link)
		request->ended = true;
	struct kl_list *link;
	while ((link = kl_list_pop(&ended)) != NULL)
		fail_request(node, kl_list_entry(link, struct kl_request, link), err);
}

/* --- the connection's end --- */

static void close_connection(struct kl_node *node)
{
	kl_conn_close(&node->conn, false);
	kl_resolve_cancel(node->resolve);
	node->resolve = NULL;
	node->state = KL_NODE_IDLE;
	node->setup_deadline = KL_NEVER;
}

/* Back to idle; everybody hears why. penalty: wait before the next attempt. */
static void give_up(struct kl_node *node, const struct klamm_error *why, bool penalty)
{
	struct klamm_error err = *why;
	const struct kl_settings *s = node->nodes->settings;
	bool was_ready = node->state == KL_NODE_READY;
	close_connection(node);
	node->last_error = err;
	if (penalty) {
		node->retry_at = now(node) + kl_backoff(node_os(node), s->reconnect_backoff_ms,
							s->reconnect_backoff_max_ms,
							node->failures);
		node->failures++;
	}
	kl_log(&node->nodes->log, was_ready ? KL_LOG_INFO : KL_LOG_WARN, node->where, "%s",
	       err.text);
	/* The handshake's own request is the node's: it just stops. */
	kl_list_remove(&node->versions_request.link);
	fail_list(node, &node->in_flight, &node->in_flight_count, &err);
	fail_list(node, &node->waiting, &node->waiting_count, &err);
	set_timer(node);
	if (node->nodes->changed != NULL)
		node->nodes->changed(node->nodes, node, &err);
}

void kl_node_rest(struct kl_node *node)
{
	close_connection(node);
	kl_list_remove(&node->versions_request.link);
	set_timer(node);
}

void kl_node_disconnect(struct kl_node *node, const struct klamm_error *err)
{
	if (node->state != KL_NODE_IDLE)
		give_up(node, err, true);
}

/* --- requests: their way out --- */

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
	return rc == 0;
}

static void on_sent(struct kl_out *out, struct kl_conn *conn)
{
	struct kl_request *request = kl_container(out, struct kl_request, out);
	request->gone = true;
	if (!request->no_answer)
		return;
	struct kl_node *node = request->node;
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

static void transmit(struct kl_node *node, struct kl_request *request)
{
	struct klamm_error err;
	request->correlation = node->next_correlation++;
	if (node->next_correlation < 0)
		node->next_correlation = 0;
	request->gone = false;
	if (!encode(request, node, &err)) {
		fail_request(node, request, &err);
		return;
	}
	request->out.sent = on_sent;
	int64_t timeout = request->timeout_us != 0
				  ? request->timeout_us
				  : (int64_t)node->nodes->settings->request_timeout_ms * KL_MS;
	request->expires = kl_min(now(node) + timeout, request->deadline);
	kl_list_push(&node->in_flight, &request->link);
	node->in_flight_count++;
	trace(node, request);
	kl_conn_send(&node->conn, &request->out);
}

static void refuse(struct kl_node *node, struct kl_request *request)
{
	struct klamm_error err;
	/* A broker that was only taken for an old one is asked again. */
	kl_error(&err, node->no_api_versions ? KLAMM_ERR_DISCONNECTED : KLAMM_ERR_UNSUPPORTED,
		 "%s%s does not have a version of %s that klamm can use here", node->where,
		 node->no_api_versions ? ", which closed on ApiVersions," : "",
		 kl_api_name(request->api));
	err.stage = KLAMM_STAGE_API;
	fail_request(node, request, &err);
	if (node->no_api_versions && node->state == KL_NODE_READY) {
		node->no_api_versions = false;
		give_up(node, &err, true);
	}
}

/* Choose the version and send. */
static void dispatch(struct kl_node *node, struct kl_request *request)
{
	int version = kl_node_version(node, request->api, request->max_version);
	if (version < 0 || version < request->min_version) {
		refuse(node, request);
		return;
	}
	request->version = version;
	transmit(node, request);
}

static void send_waiting(struct kl_node *node)
{
	while (kl_node_is_ready(node) && !kl_list_empty(&node->waiting)) {
		struct kl_request *request =
			kl_list_entry(kl_list_pop(&node->waiting), struct kl_request, link);
		node->waiting_count--;
		dispatch(node, request);
	}
	set_timer(node);
}

static void send_waiting_hook(struct kl_hook *hook)
{
	send_waiting(kl_container(hook, struct kl_node, send_hook));
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
	give_up(node, &err, false);
}

int kl_node_version(const struct kl_node *node, enum kl_api api, int max_version)
{
	if (api == KL_API_API_VERSIONS && node->state == KL_NODE_VERSIONS)
		return node->versions_max;
	if (node->state != KL_NODE_READY)
		return -1;
	return kl_versions_pick(&node->versions, kl_msg_request(api),
				max_version >= 0 ? max_version : KL_VERSION_ANY);
}

/* --- answers --- */

static void explain_answer(struct kl_node *node, const struct kl_request *request,
			   struct klamm_error *err)
{
	kl_error_prefix(err, "%s: bad answer to %s v%d", node->where,
			kl_api_name(request->api), request->version);
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
	node->muted_until = now(node) + (int64_t)ms * KL_MS;
	kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "throttled for %d ms", ms);
}

static void on_frame(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p, size_t n)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	struct kl_request *request = kl_list_first(&node->in_flight, struct kl_request, link);
	struct klamm_error err;
	if (request == NULL) {
		kl_error(&err, KLAMM_ERR_PROTOCOL, "%s sent an answer that nobody asked for",
			 node->where);
		give_up(node, &err, true);
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
		give_up(node, &err, true);
		return;
	}
	/* Only now it is a broker that works: one that accepts connections and closes them is
	 * tried ever more rarely. */
	node->answered = true;
	node->failures = node->setup_timeouts = 0;
	node->in_flight_count--;
	obey_throttle(node, request, body);
	finish(request,
	       &(struct kl_response){.maybe_applied = true, .body = body, .slab = slab});
	kl_arena_reset(&node->arena);
	set_timer(node);
}

/* Answers but Fetch are bounded by what a cluster can hold; the handshake's by far less. */
#define HANDSHAKE_FRAME_MAX (256 * 1024)
/* What stands in a Fetch answer beside the records. */
#define FETCH_OVERHEAD (64 * 1024)

static size_t frame_max(struct kl_conn *conn)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	const struct kl_settings *s = node->nodes->settings;
	if (node->state != KL_NODE_READY)
		return HANDSHAKE_FRAME_MAX;
	size_t max = (size_t)s->klamm_receive_message_max;
	if (s->role != KLAMM_ROLE_CONSUMER)
		return max;
	size_t fetch = (size_t)kl_max(s->fetch_max_bytes, s->max_partition_fetch_bytes);
	return kl_max(max, fetch + FETCH_OVERHEAD);
}

static void on_closed(struct kl_conn *conn, const struct klamm_error *why)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	struct klamm_error err = *why;
	if (node->state == KL_NODE_CONNECTING) {
		char addr[KL_ADDR_TEXT];
		node_os(node)->addr_text(node_os(node), &node->addrs[node->addr_at - 1], addr);
		kl_error_prefix(&err, "%s, address %s", node->where, addr);
		err.node = node->id;
		node->last_error = err;
		kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "%s", err.text);
		try_next_address(node);
		return;
	}
	kl_error_prefix(&err, "%s", node->where);
	err.node = node->id;
	if (node->state == KL_NODE_VERSIONS && err.code == KLAMM_ERR_DISCONNECTED &&
	    !node->no_api_versions && !node->versions_answered) {
		/* A broker before 0.10 closes on a request it does not know. A broker that
		 * is going down does too, so this holds for one connection only. */
		node->no_api_versions = true;
		kl_error_prefix(&err, "closed on ApiVersions");
		give_up(node, &err, false);
		return;
	}
	if (node->no_api_versions && !node->answered)
		kl_error_prefix(&err,
				"it answers nothing: a listener that wants TLS, or no Kafka");
	node->no_api_versions = false;
	/* A connection that was idle and is closed by the broker is nothing to wait for. */
	bool idle = node->state == KL_NODE_READY && kl_list_empty(&node->in_flight);
	give_up(node, &err, !idle);
}

/* --- handshake --- */

static void ready(struct kl_node *node)
{
	node->state = KL_NODE_READY;
	node->setup_deadline = KL_NEVER;
	node->muted_until = 0;
	kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "ready");
	if (node->nodes->changed != NULL)
		node->nodes->changed(node->nodes, node, NULL);
	if (node->state == KL_NODE_READY)
		send_waiting(node);
}

static void ask_versions(struct kl_node *node);

static void on_versions(struct kl_request *request, const struct kl_response *response)
{
	struct kl_node *node = kl_container(request, struct kl_node, versions_request);
	if (response->code != 0)
		return; /* give_up() is at work */
	node->versions_answered = true;
	const struct kl_api_versions_response *body = response->body;
	struct klamm_error err;
	if (body->error_code == KLAMM_ERR_UNSUPPORTED_VERSION && request->version > 0) {
		/* KIP-511: the answer may carry the range of ApiVersions itself. */
		node->versions_max = kl_min(kl_versions_retry(body), request->version - 1);
		ask_versions(node);
		return;
	}
	if (body->error_code != 0) {
		kl_error(&err, body->error_code, "%s answered ApiVersions with %s: %s",
			 node->where, klamm_err_name(body->error_code),
			 klamm_err_text(body->error_code));
		give_up(node, &err, true);
		return;
	}
	kl_versions_learn(&node->versions, body);
	ready(node);
}

static void ask_versions(struct kl_node *node)
{
	struct kl_api_versions_request *body = &node->versions_body;
	kl_msg_init(&kl_msg_api_versions_request, body);
	body->client_software_name = KL_STR("klamm");
	body->client_software_version = KL_STR(PACKAGE_VERSION);
	/* KIP-1242: both or neither. */
	if (node->versions_max >= 5 && node->id >= 0 && node->nodes->cluster_id != NULL &&
	    node->nodes->settings->metadata_cluster_check_enable &&
	    node->nodes->settings->metadata_recovery_strategy != KL_RECOVERY_NONE) {
		body->cluster_id = kl_str(node->nodes->cluster_id);
		body->node_id = node->id;
	}
	struct kl_request *request = &node->versions_request;
	request->api = KL_API_API_VERSIONS;
	request->max_version = -1;
	request->body = body;
	request->deadline = KL_NEVER;
	request->done = on_versions;
	request->node = node;
	request->version = node->versions_max;
	kl_list_init(&request->out.link);
	transmit(node, request);
	set_timer(node);
}

/* What a broker that closes on ApiVersions is taken for. */
#define OLD_RELEASE "0.9.0"

static void on_opened(struct kl_conn *conn)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	node->state = KL_NODE_VERSIONS;
	node->answered = node->versions_answered = false;
	if (node->no_api_versions) {
		kl_versions_assume(&node->versions, OLD_RELEASE);
		ready(node);
		return;
	}
	node->versions_max = kl_msg_api_versions_request.stable;
	ask_versions(node);
}

static const struct kl_conn_ops ops = {
	.opened = on_opened,
	.frame_max = frame_max,
	.frame = on_frame,
	.closed = on_closed,
};

/* --- connecting --- */

/* KIP-601: twice as long after each attempt that timed out. */
static int64_t setup_timeout(const struct kl_node *node)
{
	const struct kl_settings *s = node->nodes->settings;
	return kl_backoff(node_os(node), s->socket_connection_setup_timeout_ms,
			  s->socket_connection_setup_timeout_max_ms, node->setup_timeouts);
}

static void try_next_address(struct kl_node *node)
{
	const struct kl_settings *s = node->nodes->settings;
	struct kl_os *os = node_os(node);
	struct kl_sock_opts opts = {s->send_buffer_bytes, s->receive_buffer_bytes};
	while (node->addr_at < node->addr_count) {
		const struct kl_addr *addr = &node->addrs[node->addr_at++];
		struct kl_sock *sock;
		struct klamm_error err;
		int rc = os->sock_connect(os, addr, &opts, &sock);
		if (rc == 0)
			rc = kl_conn_start(&node->conn, node->nodes->loop, &ops,
					   node->nodes->slabs, sock, true, &err);
		else
			rc = kl_error(&err, KLAMM_ERR_CONNECT, "cannot connect: %s",
				      strerror(-rc));
		if (rc == 0) {
			node->state = KL_NODE_CONNECTING;
			node->setup_deadline = now(node) + setup_timeout(node);
			set_timer(node);
			return;
		}
		char text[KL_ADDR_TEXT];
		os->addr_text(os, addr, text);
		kl_error_prefix(&err, "%s, address %s", node->where, text);
		err.node = node->id;
		node->last_error = err;
	}
	struct klamm_error last = node->last_error;
	give_up(node, &last, true);
}

static void resolved(void *owner, unsigned count, const struct kl_addr *addrs,
		     const struct klamm_error *err)
{
	struct kl_node *node = owner;
	node->resolve = NULL;
	if (err != NULL) {
		struct klamm_error why = *err;
		kl_error_prefix(&why, "%s", node->where);
		why.node = node->id;
		give_up(node, &why, true);
		return;
	}
	/* Something may listen at the first address and not be a broker: each attempt
	 * begins with the next one. */
	node->addr_count = kl_min(count, (unsigned)KL_NODE_ADDRS);
	for (unsigned i = 0; i < node->addr_count; i++)
		node->addrs[i] = addrs[(i + node->failures) % node->addr_count];
	node->addr_at = 0;
	try_next_address(node);
}

bool kl_node_may_connect(const struct kl_node *node)
{
	return node->state != KL_NODE_IDLE || node->retry_at <= now(node);
}

int64_t kl_node_next_time(const struct kl_node *node)
{
	return node->state == KL_NODE_IDLE    ? node->retry_at
	       : node->state == KL_NODE_READY ? node->muted_until
					      : KL_NEVER;
}

bool kl_node_connect(struct kl_node *node)
{
	if (node->state != KL_NODE_IDLE)
		return kl_node_is_ready(node);
	node->wanted = node->retry_at > now(node);
	if (node->wanted) {
		set_timer(node);
		return false;
	}
	struct klamm_error err;
	node->state = KL_NODE_RESOLVING;
	node->setup_deadline = now(node) + setup_timeout(node);
	if (kl_resolve_start(node->nodes->loop, node->host, node->port, resolved, node,
			     &node->resolve, &err) != 0) {
		/* Not from inside this call: let the timer find that it failed. */
		node->last_error = err;
		node->setup_deadline = now(node);
	}
	set_timer(node);
	return false;
}

/* --- time --- */

static void set_timer(struct kl_node *node)
{
	int64_t when = node->setup_deadline;
	kl_list_for(request, &node->in_flight, struct kl_request, link)
		when = kl_min(when, request->expires);
	kl_list_for(request, &node->waiting, struct kl_request, link)
		when = kl_min(when, request->deadline);
	if (node->state == KL_NODE_IDLE && (node->wanted || !kl_list_empty(&node->waiting)))
		when = kl_min(when, node->retry_at);
	if (!kl_list_empty(&node->waiting)) {
		if (node->state == KL_NODE_READY)
			when = kl_min(when, node->muted_until);
	} else if (node->state == KL_NODE_READY && kl_list_empty(&node->in_flight) &&
		   node->nodes->settings->connections_max_idle_ms >= 0) {
		when = kl_min(when, node->conn.last_used +
					    node->nodes->settings->connections_max_idle_ms *
						    KL_MS);
	}
	kl_timer_set(node->nodes->loop, &node->timer, when);
}

const char *kl_node_doing(const struct kl_node *node, int32_t *stage_out)
{
	switch (node->state) {
	case KL_NODE_RESOLVING:
		*stage_out = KLAMM_STAGE_DNS;
		return "resolving its name";
	case KL_NODE_CONNECTING:
		*stage_out = KLAMM_STAGE_TCP;
		return "connecting";
	case KL_NODE_VERSIONS:
		*stage_out = KLAMM_STAGE_API;
		return "waiting for the answer to ApiVersions";
	default:
		*stage_out = KLAMM_STAGE_API;
		return node->in_flight_count > 0 ? "waiting for an answer" : NULL;
	}
}

static void setup_timed_out(struct kl_node *node)
{
	struct klamm_error err;
	int32_t stage;
	const char *doing = kl_node_doing(node, &stage);
	kl_error(&err, KLAMM_ERR_TIMED_OUT,
		 "%s: timed out while %s (socket.connection.setup.timeout.ms)", node->where,
		 doing);
	err.stage = stage;
	err.node = node->id;
	node->setup_timeouts++;
	if (node->state == KL_NODE_CONNECTING && node->addr_at < node->addr_count) {
		kl_conn_close(&node->conn, false);
		node->last_error = err;
		try_next_address(node);
		return;
	}
	give_up(node, &err, true);
}

/* A request in flight that is not answered in time takes its connection with it: an answer
 * that comes late must not meet memory that has been used again. */
static bool expire_in_flight(struct kl_node *node)
{
	kl_list_for(request, &node->in_flight, struct kl_request, link) {
		if (request->expires > now(node))
			continue;
		struct klamm_error err;
		kl_error(&err, KLAMM_ERR_TIMED_OUT, "%s did not answer %s in time%s",
			 node->where, kl_api_name(request->api),
			 request->expires < request->deadline ? " (request.timeout.ms)"
							      : "");
		err.node = node->id;
		err.stage = KLAMM_STAGE_API;
		give_up(node, &err, true);
		return true;
	}
	return false;
}

static void expire_waiting(struct kl_node *node)
{
	struct kl_list ended = KL_LIST_INIT(ended);
	kl_list_for_safe(request, &node->waiting, struct kl_request, link) {
		if (request->deadline > now(node))
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

static void on_timer(struct kl_timer *timer)
{
	struct kl_node *node = kl_container(timer, struct kl_node, timer);
	if (node->setup_deadline <= now(node)) {
		setup_timed_out(node);
		return;
	}
	if (expire_in_flight(node))
		return;
	expire_waiting(node);
	if (!kl_list_empty(&node->waiting) || node->wanted) {
		kl_node_connect(node);
		send_waiting(node);
		return;
	}
	int64_t idle_ms = node->nodes->settings->connections_max_idle_ms;
	if (node->state == KL_NODE_READY && kl_list_empty(&node->in_flight) && idle_ms >= 0 &&
	    node->conn.last_used + idle_ms * KL_MS <= now(node)) {
		kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "closed, it was idle");
		close_connection(node);
	}
	set_timer(node);
}

void kl_request_free(struct kl_request *request)
{
	kl_out_free(&request->out);
	kl_buf_free(&request->head);
	kl_refs_free(&request->refs);
}

int kl_node_init(struct kl_node *node, struct kl_nodes *nodes, int32_t id, const char *host,
		 uint16_t port, struct klamm_error *err)
{
	*node = (struct kl_node){
		.nodes = nodes,
		.id = id,
		.port = port,
		.setup_deadline = KL_NEVER,
		.send_hook = {.fn = send_waiting_hook},
	};
	kl_list_init(&node->send_hook.link);
	kl_list_init(&node->waiting);
	kl_list_init(&node->in_flight);
	kl_list_init(&node->versions_request.link);
	kl_list_init(&node->versions_request.out.link);
	node->host = strdup(host);
	if (node->host == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	if (id >= 0)
		snprintf(node->where, sizeof(node->where), "broker %d (%.60s:%u)", id, host,
			 port);
	else
		snprintf(node->where, sizeof(node->where), "bootstrap server %.60s:%u",
			 host, port);
	int rc = kl_timer_init(nodes->loop, &node->timer, on_timer, err);
	if (rc != 0)
		free(node->host);
	return rc;
}

void kl_node_free(struct kl_node *node, const struct klamm_error *why)
{
	close_connection(node);
	kl_list_remove(&node->versions_request.link);
	fail_list(node, &node->in_flight, &node->in_flight_count, why);
	fail_list(node, &node->waiting, &node->waiting_count, why);
	kl_timer_drop(node->nodes->loop, &node->timer);
	kl_list_remove(&node->send_hook.link);
	kl_request_free(&node->versions_request);
	kl_arena_free(&node->arena);
	free(node->host);
}
