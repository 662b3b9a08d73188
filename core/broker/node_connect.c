/* SPDX-License-Identifier: BSD-2-Clause */
/* The way to a connection that is ready: name, addresses in turn, ApiVersions, SASL (auth.c);
 * and what its loss says of the peer. */
#include "config.h"

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/broker/node_int.h"
#include "core/broker/resolve.h"

static void try_next_address(struct kl_node *node);

/* --- handshake --- */

static void ready(struct kl_node *node)
{
	if (node->state < KL_NODE_READY)
		node->muted_until = 0;
	node->state = KL_NODE_READY;
	node->opening = KL_NODE_ASKS;
	node->setup_deadline = KL_NEVER;
	kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "ready");
	if (node->nodes->changed != NULL)
		node->nodes->changed(node->nodes, node, NULL);
	if (node->state == KL_NODE_READY)
		kl_node_send_waiting(node);
}

void kl_node_know_versions(struct kl_node *node)
{
	if (node->nodes->sasl == NULL) {
		ready(node);
		return;
	}
	node->state = KL_NODE_SASL;
	kl_auth_begin(node, false);
}

void kl_node_works(struct kl_node *node)
{
	node->failures = node->setup_timeouts = 0;
	node->refused_at = KL_NEVER;
}

void kl_node_authenticated(struct kl_node *node)
{
	kl_net_event(node->nodes->metrics,
		     node->auth.again ? KL_NET_REAUTHENTICATED : KL_NET_AUTHENTICATED,
		     kl_node_now(node));
	kl_node_works(node);
	ready(node);
}

void kl_node_send_own(struct kl_node *node, struct kl_request *request, enum kl_api api,
		      int version, const void *body)
{
	request->api = api;
	request->max_version = -1;
	request->body = body;
	request->deadline = KL_NEVER;
	request->node = node;
	request->version = version;
	kl_list_init(&request->out.link);
	struct klamm_error err;
	if (kl_node_transmit(node, request, &err) != 0) {
		/* Nothing else gets this connection any further. */
		kl_error_prefix(&err, "%s", node->where);
		kl_node_give_up(node, &err, true);
		return;
	}
	kl_node_set_timer(node);
}

static void ask_versions(struct kl_node *node);

/* Brokers may be behind one another: the highest epoch is the newest word. */
static void learn_features(struct kl_nodes *nodes, const struct kl_api_versions_response *body)
{
	if (body->finalized_features_epoch <= nodes->features_epoch)
		return;
	nodes->features_epoch = body->finalized_features_epoch;
	nodes->transaction_version = 0;
	for (int32_t i = 0; i < body->finalized_features_n; i++)
		if (kl_str_is(body->finalized_features[i].name, "transaction.version"))
			nodes->transaction_version =
				body->finalized_features[i].max_version_level;
}

static void on_versions(struct kl_request *request, const struct kl_response *response)
{
	struct kl_node *node = kl_container(request, struct kl_node, versions_request);
	if (response->code != 0)
		return; /* the node gives up as a whole */
	node->versions_answered = true;
	node->proofs = 0;
	node->probe_at = KL_NEVER;
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
		kl_node_give_up(node, &err, true);
		return;
	}
	kl_versions_learn(&node->versions, body);
	learn_features(node->nodes, body);
	node->nodes->modern = true;
	kl_node_know_versions(node);
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
	node->versions_request.done = on_versions;
	kl_node_send_own(node, &node->versions_request, KL_API_API_VERSIONS,
			 node->versions_max, body);
}

/* A broker that has not answered ApiVersions by then may be one that never will. */
#define SILENCE KL_SECOND

static void on_opened(struct kl_conn *conn)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	node->state = KL_NODE_VERSIONS;
	if (node->peer == NULL)
		node->peer = kl_net_peer(node->nodes->metrics, node->peer_id);
	kl_net_event(node->nodes->metrics, KL_NET_OPENED, kl_node_now(node));
	node->versions_answered = node->probe_answered = node->served = false;
	if (kl_node_knows_release(node)) {
		kl_node_know_versions(node);
		return;
	}
	if (node->opening == KL_NODE_OLD) {
		kl_node_assume_old(node);
		return;
	}
	if (node->opening == KL_NODE_DOUBTS)
		kl_node_probe(node);
	else if (node->nodes->sasl == NULL) /* with SASL the probe would end it */
		node->probe_at = kl_node_now(node) + SILENCE;
	node->versions_max = kl_msg_api_versions_request.stable;
	ask_versions(node);
}

/* --- the connection --- */

/* A broker that is killed between the two answers looks like an old one, once. */
#define PROOFS 2

/* Answers but Fetch are bounded by what a cluster can hold; those by which a broker is got to
 * know, at first or again, by far less. */
#define HANDSHAKE_FRAME_MAX (256 * 1024)
/* What stands in a Fetch answer beside the records. */
#define FETCH_OVERHEAD (64 * 1024)

/* Answers come in the order of the requests; one that nobody asked for is none, and short. */
static bool is_handshake(const struct kl_node *node)
{
	const struct kl_request *asked =
		kl_list_first(&node->in_flight, struct kl_request, link);
	return node->state < KL_NODE_READY || asked == NULL ||
	       asked->api == KL_API_SASL_HANDSHAKE || asked->api == KL_API_SASL_AUTHENTICATE;
}

static size_t frame_max(struct kl_conn *conn)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	const struct kl_settings *s = node->nodes->settings;
	if (is_handshake(node))
		return HANDSHAKE_FRAME_MAX;
	size_t max = (size_t)s->klamm_receive_message_max;
	if (s->role != KLAMM_ROLE_CONSUMER)
		return max;
	size_t fetch = (size_t)kl_max(s->fetch_max_bytes, s->max_partition_fetch_bytes);
	return kl_max(max, fetch + FETCH_OVERHEAD);
}

/* Closed on ApiVersions, by a broker that may be too old for it. A listener with SASL closes
 * on the probe, too, so there it takes klamm.broker.version. */
static bool is_doubtful(const struct kl_node *node, const struct klamm_error *err)
{
	return node->state == KL_NODE_VERSIONS && err->code == KLAMM_ERR_DISCONNECTED &&
	       !node->versions_answered && node->nodes->sasl == NULL &&
	       !node->nodes->modern &&
	       (node->opening == KL_NODE_ASKS || node->probe_answered);
}

/* What a peer that closes without having answered anything may be. */
static void explain_silence(const struct kl_node *node, struct klamm_error *err)
{
	bool nothing = node->state == KL_NODE_VERSIONS && !node->versions_answered &&
		       !node->nodes->modern && err->code == KLAMM_ERR_DISCONNECTED;
	const char *tls = node->nodes->tls == NULL ? "a listener that wants TLS, or " : "";
	if (nothing && node->nodes->sasl != NULL)
		kl_error_prefix(err, "it closes on ApiVersions: Kafka 0.9 with SASL does "
				     "(klamm.broker.version), %sno Kafka", tls);
	else if (nothing)
		kl_error_prefix(err, "it answers nothing: %sno Kafka", tls);
	/* ApiVersions is the one request that is answered to anybody. */
	if (node->state == KL_NODE_READY && !node->served && node->nodes->sasl == NULL &&
	    !kl_list_empty(&node->in_flight))
		kl_error_prefix(err, "it closes on the first request, as a listener that "
				     "wants SASL does");
}

static void on_closed(struct kl_conn *conn, const struct klamm_error *why)
{
	struct kl_node *node = kl_container(conn, struct kl_node, conn);
	struct klamm_error err = *why;
	if (node->state == KL_NODE_CONNECTING) {
		char addr[KL_ADDR_TEXT];
		struct kl_os *os = kl_node_os(node);
		os->addr_text(os, &node->addrs[node->addr_at - 1], addr);
		const struct kl_proxy_url *proxy = node->nodes->proxy;
		if (err.stage == KLAMM_STAGE_TCP && proxy != NULL)
			kl_error_prefix(&err, "%s, proxy %s:%u", node->where, proxy->host,
					proxy->port);
		else if (err.stage == KLAMM_STAGE_TCP)
			kl_error_prefix(&err, "%s, address %s", node->where, addr);
		else
			kl_error_prefix(&err, "%s", node->where);
		err.node = node->id;
		node->last_error = err;
		if (kl_auth_is_refusal(&err)) {
			kl_node_give_up(node, &err, true);
			return;
		}
		kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "%s", err.text);
		try_next_address(node);
		return;
	}
	kl_error_prefix(&err, "%s", node->where);
	err.node = node->id;
	if (is_doubtful(node, &err)) {
		node->proofs += node->probe_answered;
		node->opening = node->proofs >= PROOFS ? KL_NODE_OLD : KL_NODE_DOUBTS;
		kl_error_prefix(&err, "closed on ApiVersions");
		kl_node_give_up(node, &err, false);
		return;
	}
	explain_silence(node, &err);
	kl_auth_explain_close(node, &err);
	/* A connection that was idle and is closed by the broker is nothing to wait for. */
	bool idle = node->state == KL_NODE_READY && kl_list_empty(&node->in_flight);
	kl_node_give_up(node, &err, !idle);
}

static const struct kl_conn_ops ops = {
	.opened = on_opened,
	.frame_max = frame_max,
	.frame = kl_node_on_frame,
	.closed = on_closed,
};

/* --- connecting --- */

/* KIP-601: twice as long after each attempt that timed out. */
int64_t kl_node_setup_timeout(const struct kl_node *node)
{
	const struct kl_settings *s = node->nodes->settings;
	return kl_backoff(kl_node_os(node), s->socket_connection_setup_timeout_ms,
			  s->socket_connection_setup_timeout_max_ms, node->setup_timeouts);
}

/* The proxy is asked for the broker by its name, or by this address of it. */
static void go_via(struct kl_node *node, const struct kl_addr *addr)
{
	const struct kl_proxy_url *proxy = node->nodes->proxy;
	const char *host = node->host;
	if (!proxy->names_remotely) {
		struct kl_os *os = kl_node_os(node);
		os->addr_text(os, addr, node->target);
		char *port = strrchr(node->target, ':');
		bool brackets = node->target[0] == '[';
		if (port != NULL)
			port[brackets ? -1 : 0] = '\0';
		host = node->target + brackets;
	}
	kl_conn_via(&node->conn, proxy, host, node->port);
}

static void layer(struct kl_node *node, const struct kl_addr *addr)
{
	if (node->nodes->proxy != NULL)
		go_via(node, addr);
	if (node->nodes->tls != NULL)
		kl_conn_secure(&node->conn, node->nodes->tls, kl_node_name(node),
			       &node->ticket);
}

static void try_next_address(struct kl_node *node)
{
	const struct kl_settings *s = node->nodes->settings;
	const struct kl_proxy_url *proxy = node->nodes->proxy;
	struct kl_os *os = kl_node_os(node);
	struct kl_sock_opts opts = {s->send_buffer_bytes, s->receive_buffer_bytes};
	while (node->addr_at < node->addr_count) {
		const struct kl_addr *addr = &node->addrs[node->addr_at++];
		struct kl_sock *sock;
		struct klamm_error err;
		bool here = proxy == NULL || proxy->names_remotely; /* what was looked up */
		int rc = os->sock_connect(os, here ? addr : &node->proxy_addr, &opts, &sock);
		if (rc == 0)
			rc = kl_conn_start(&node->conn, node->nodes->loop, &ops,
					   node->nodes->slabs, sock, true, &err);
		else
			rc = kl_error(&err, KLAMM_ERR_CONNECT, "cannot connect: %s",
				      strerror(-rc));
		if (rc == 0) {
			layer(node, addr);
			node->state = KL_NODE_CONNECTING;
			node->setup_deadline = kl_node_now(node) + kl_node_setup_timeout(node);
			kl_node_set_timer(node);
			return;
		}
		char text[KL_ADDR_TEXT];
		os->addr_text(os, addr, text);
		kl_error_prefix(&err, "%s, address %s", node->where, text);
		err.node = node->id;
		node->last_error = err;
	}
	struct klamm_error last = node->last_error;
	kl_node_give_up(node, &last, true);
}

/* One attempt goes to one address, whose name is the broker's then. */
static bool by_canonical_name(const struct kl_node *node)
{
	return node->id < 0 && node->nodes->settings->client_dns_lookup ==
				       KL_DNS_CANONICAL_BOOTSTRAP;
}

static int look_up(struct kl_node *node, kl_resolve_fn done, struct klamm_error *err)
{
	if (by_canonical_name(node))
		return kl_resolve_start_canonical(node->nodes->loop, node->host, node->port,
						  node->failures, done, node, &node->resolve,
						  err);
	return kl_resolve_start(node->nodes->loop, node->host, node->port, done, node,
				&node->resolve, err);
}

/* false: out of memory. Another name has other TLS sessions. */
static bool take_name(struct kl_node *node, const struct kl_resolve *resolve)
{
	const char *name = kl_resolve_name(resolve);
	if (name[0] == '\0' || strcmp(name, kl_node_name(node)) == 0)
		return true;
	char *copy = strdup(name);
	if (copy == NULL)
		return false;
	free(node->canonical);
	node->canonical = copy;
	kl_tls_ticket_free(&node->ticket);
	kl_log(&node->nodes->log, KL_LOG_INFO, node->where, "goes by the name %s", name);
	return true;
}

static void resolved(void *owner, unsigned count, const struct kl_addr *addrs,
		     const struct klamm_error *err)
{
	struct kl_node *node = owner;
	struct klamm_error why;
	bool named = err != NULL || !by_canonical_name(node) ||
		     take_name(node, node->resolve);
	node->resolve = NULL;
	if (!named) {
		kl_error(&why, KLAMM_ERR_NO_MEMORY, "%s: out of memory for its name",
			 node->where);
		kl_node_give_up(node, &why, true);
		return;
	}
	if (err != NULL) {
		why = *err;
		kl_error_prefix(&why, "%s", node->where);
		why.node = node->id;
		kl_node_give_up(node, &why, true);
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

static void proxy_resolved(void *owner, unsigned count, const struct kl_addr *addrs,
			   const struct klamm_error *err)
{
	struct kl_node *node = owner;
	struct klamm_error why;
	if (err != NULL || node->nodes->proxy->names_remotely) {
		resolved(owner, count, addrs, err);
		return;
	}
	node->proxy_addr = addrs[node->failures % count];
	node->resolve = NULL;
	if (look_up(node, resolved, &why) != 0)
		kl_node_give_up(node, &why, true);
}

static int start_resolving(struct kl_node *node, struct klamm_error *err)
{
	const struct kl_proxy_url *proxy = node->nodes->proxy;
	if (proxy == NULL)
		return look_up(node, resolved, err);
	return kl_resolve_start(node->nodes->loop, proxy->host, proxy->port, proxy_resolved,
				node, &node->resolve, err);
}

bool kl_node_may_connect(const struct kl_node *node)
{
	return node->state != KL_NODE_IDLE || node->retry_at <= kl_node_now(node);
}

bool kl_node_connect(struct kl_node *node)
{
	if (node->state != KL_NODE_IDLE)
		return kl_node_is_ready(node);
	node->wanted = node->retry_at > kl_node_now(node);
	if (node->wanted) {
		kl_node_set_timer(node);
		return false;
	}
	struct klamm_error err;
	node->state = KL_NODE_RESOLVING;
	node->setup_deadline = kl_node_now(node) + kl_node_setup_timeout(node);
	if (start_resolving(node, &err) != 0) {
		/* Not from inside this call: let the timer find that it failed. */
		kl_error_prefix(&err, "%s", node->where);
		err.node = node->id;
		node->last_error = err;
		node->has_failed = true;
		node->setup_deadline = kl_node_now(node);
	}
	kl_node_set_timer(node);
	return false;
}

void kl_node_setup_late(struct kl_node *node)
{
	struct klamm_error err;
	int32_t stage;
	if (node->has_failed) {
		kl_node_give_up(node, &node->last_error, true);
		return;
	}
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
	kl_node_give_up(node, &err, true);
}
