/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker: its life, its timer, the end of its connection. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/broker/node_int.h"
#include "core/broker/resolve.h"

void kl_node_close(struct kl_node *node)
{
	if (node->state >= KL_NODE_VERSIONS)
		kl_net_event(node->nodes->metrics, KL_NET_CLOSED, kl_node_now(node));
	kl_conn_close(&node->conn, false);
	kl_resolve_cancel(node->resolve);
	kl_auth_stop(&node->auth);
	node->resolve = NULL;
	node->state = KL_NODE_IDLE;
	node->setup_deadline = node->probe_at = KL_NEVER;
	node->has_failed = false;
	node->silent_read = node->silent_sent; /* nobody will tell any more */
	/* The handshake's own requests are the node's: they just stop. */
	struct kl_request *own[] = {&node->versions_request, &node->probe,
				    &node->auth.request};
	for (size_t i = 0; i < kl_countof(own); i++) {
		if (kl_list_empty(&own[i]->link))
			continue;
		kl_list_remove(&own[i]->link);
		node->in_flight_count--;
	}
}

void kl_node_give_up(struct kl_node *node, const struct klamm_error *why, bool penalty)
{
	struct klamm_error err = *why;
	const struct kl_settings *s = node->nodes->settings;
	bool was_ready = node->state >= KL_NODE_READY;
	kl_node_close(node);
	node->last_error = err;
	node->refused_at = kl_auth_is_refusal(&err) ? kl_node_now(node) : KL_NEVER;
	if (kl_auth_is_refusal(&err))
		kl_net_event(node->nodes->metrics, KL_NET_REFUSED, kl_node_now(node));
	if (penalty) {
		node->retry_at = kl_node_now(node) +
				 kl_backoff(kl_node_os(node), s->reconnect_backoff_ms,
					    s->reconnect_backoff_max_ms, node->failures);
		node->failures++;
		node->opening = KL_NODE_ASKS;
	}
	kl_log(&node->nodes->log, was_ready ? KL_LOG_INFO : KL_LOG_WARN, node->where, "%s",
	       err.text);
	kl_node_fail_requests(node, &err);
	kl_node_set_timer(node);
	if (node->nodes->changed != NULL)
		node->nodes->changed(node->nodes, node, &err);
}

void kl_node_rest(struct kl_node *node)
{
	kl_node_close(node);
	kl_node_set_timer(node);
}

void kl_node_disconnect(struct kl_node *node, const struct klamm_error *err)
{
	if (node->state != KL_NODE_IDLE)
		kl_node_give_up(node, err, true);
}

/* --- what others ask --- */

int kl_node_version(const struct kl_node *node, enum kl_api api, int max_version)
{
	if (api == KL_API_API_VERSIONS && node->state == KL_NODE_VERSIONS)
		return node->versions_max;
	if (node->state < KL_NODE_READY)
		return -1;
	return kl_versions_pick(&node->versions, kl_msg_request(api),
				max_version >= 0 ? max_version : KL_VERSION_ANY);
}

int64_t kl_node_next_time(const struct kl_node *node)
{
	return node->state == KL_NODE_IDLE    ? node->retry_at
	       : node->state == KL_NODE_READY ? node->muted_until
					      : KL_NEVER;
}

const char *kl_node_doing(const struct kl_node *node, int32_t *stage_out)
{
	switch (node->state) {
	case KL_NODE_RESOLVING:
		*stage_out = KLAMM_STAGE_DNS;
		return "resolving its name";
	case KL_NODE_CONNECTING:
		if (node->conn.phase == KL_CONN_PROXY) {
			*stage_out = KLAMM_STAGE_PROXY;
			return "waiting for the proxy's answer";
		}
		if (node->conn.phase == KL_CONN_TLS) {
			*stage_out = KLAMM_STAGE_TLS;
			return "waiting for the end of the TLS handshake";
		}
		*stage_out = KLAMM_STAGE_TCP;
		return "connecting";
	case KL_NODE_VERSIONS:
		*stage_out = KLAMM_STAGE_API;
		return "waiting for the answer to ApiVersions";
	case KL_NODE_SASL:
	case KL_NODE_REAUTH:
		*stage_out = KLAMM_STAGE_SASL;
		return "authenticating";
	default:
		*stage_out = KLAMM_STAGE_API;
		return node->in_flight_count > 0 ? "waiting for an answer" : NULL;
	}
}

/* --- time --- */

void kl_node_set_timer(struct kl_node *node)
{
	int64_t when = kl_min(node->setup_deadline, node->probe_at);
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

static void on_timer(struct kl_timer *timer)
{
	struct kl_node *node = kl_container(timer, struct kl_node, timer);
	if (node->setup_deadline <= kl_node_now(node)) {
		kl_node_setup_late(node);
		return;
	}
	if (node->probe_at <= kl_node_now(node))
		kl_node_probe(node);
	if (kl_node_expire_in_flight(node))
		return;
	kl_node_expire_waiting(node);
	if (!kl_list_empty(&node->waiting) || node->wanted) {
		kl_node_connect(node);
		kl_node_send_waiting(node);
		return;
	}
	int64_t idle_ms = node->nodes->settings->connections_max_idle_ms;
	if (node->state == KL_NODE_READY && kl_list_empty(&node->in_flight) && idle_ms >= 0 &&
	    node->conn.last_used + idle_ms * KL_MS <= kl_node_now(node)) {
		kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "closed, it was idle");
		kl_node_close(node);
	}
	kl_node_set_timer(node);
}

/* --- making and freeing --- */

static void send_waiting_hook(struct kl_hook *hook)
{
	kl_node_send_waiting(kl_container(hook, struct kl_node, send_hook));
}

int kl_node_init(struct kl_node *node, struct kl_nodes *nodes, int32_t id, const char *host,
		 uint16_t port, struct klamm_error *err)
{
	*node = (struct kl_node){
		.nodes = nodes,
		.id = id,
		.peer_id = id,
		.port = port,
		.setup_deadline = KL_NEVER,
		.probe_at = KL_NEVER,
		.refused_at = KL_NEVER,
		.send_hook = {.fn = send_waiting_hook},
		/* What an answer becomes may be many times as long as its bytes. */
		.arena = {.max = (size_t)nodes->settings->klamm_memory_max},
	};
	kl_list_init(&node->send_hook.link);
	kl_list_init(&node->waiting);
	kl_list_init(&node->in_flight);
	kl_list_init(&node->versions_request.link);
	kl_list_init(&node->versions_request.out.link);
	kl_list_init(&node->probe.link);
	kl_list_init(&node->probe.out.link);
	kl_auth_init(&node->auth);
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
	kl_node_close(node);
	kl_node_fail_requests(node, why);
	kl_timer_drop(node->nodes->loop, &node->timer);
	kl_list_remove(&node->send_hook.link);
	kl_request_free(&node->versions_request);
	kl_request_free(&node->probe);
	kl_auth_free(&node->auth);
	kl_tls_ticket_free(&node->ticket);
	kl_arena_free(&node->arena);
	free(node->canonical);
	free(node->host);
}
