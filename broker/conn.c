/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections of a node: made when a client comes, freed when nobody is inside them. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/call.h"

/* Kafka's socket.request.max.bytes. */
#define FRAME_MAX 104857600
/* A client that does not read its answers is not read from, either: above the first mark of
 * bytes that wait to leave, until they are below the second. */
#define CHOKE_AT ((size_t)1 << 20)
#define CHOKE_UNTIL ((size_t)256 << 10)
/* A request has so long to come whole, and a second more for each so many bytes of it that
 * are here: whoever sends it byte by byte does not hold memory for ever. */
#define REQUEST_CLOSE (60 * (int64_t)KL_SECOND)
#define REQUEST_RATE ((size_t)64 << 10)
/* A client that has not got through the TLS handshake by then. */
#define HANDSHAKE_CLOSE (10 * (int64_t)KL_SECOND)
/* A connection at rest for so long gives its receive buffer back. */
#define IDLE_SHED (10 * (int64_t)KL_SECOND)

static struct kl_dev_conn *conn_of(struct kl_conn *conn)
{
	return kl_container(conn, struct kl_dev_conn, conn);
}

static size_t frame_max(struct kl_conn *conn)
{
	size_t stranger = kl_dev_auth_frame_max(conn_of(conn));
	return stranger > 0 ? stranger : FRAME_MAX;
}

static void update_mute(struct kl_dev_conn *conn)
{
	kl_conn_mute(&conn->conn, conn->parked != NULL || conn->choked || conn->throttled);
}

static void on_frame(struct kl_conn *base, struct kl_slab *slab, const uint8_t *p,
		     size_t n)
{
	struct kl_dev_conn *conn = conn_of(base);
	kl_dev_dispatch(conn, slab, p, n);
	if (kl_conn_is_open(base) && !conn->choked && base->out_bytes > CHOKE_AT) {
		conn->choked = true;
		update_mute(conn);
	}
}

/* The socket is closed: what the connection had goes at once, itself when it is safe. */
static void bury(struct kl_dev_conn *conn)
{
	struct klamm_broker *broker = conn->node->broker;
	kl_dev_auth_free(conn);
	kl_list_for_safe(call, &conn->calls, struct kl_dev_call, link)
		kl_dev_call_free(call);
	if (conn->throttle.fn != NULL)
		kl_timer_drop(broker->loop, &conn->throttle);
	kl_list_remove(&conn->unpark.link);
	kl_list_remove(&conn->link);
	kl_dev_node_left(conn->node);
	kl_list_push(&broker->dead_conns, &conn->link);
	kl_loop_post(broker->loop, &broker->bury);
}

static void on_closed(struct kl_conn *base, const struct klamm_error *err)
{
	struct kl_dev_conn *conn = conn_of(base);
	kl_log(&base->loop->log, KL_LOG_DEBUG, "broker",
	       "a connection to node %d is closed: %s", (int)conn->node->id, err->text);
	bury(conn);
}

static const struct kl_conn_ops ops = {
	.frame_max = frame_max,
	.frame = on_frame,
	.closed = on_closed,
};

static void unpark(struct kl_hook *hook)
{
	update_mute(kl_container(hook, struct kl_dev_conn, unpark));
}

static void host_of(struct kl_os *os, const struct kl_addr *addr,
		    char host[static KL_ADDR_TEXT + 1])
{
	char text[KL_ADDR_TEXT];
	os->addr_text(os, addr, text);
	char *port = strrchr(text, ':');
	bool brackets = text[0] == '[' && port != NULL && port[-1] == ']';
	if (port != NULL)
		port[brackets ? -1 : 0] = '\0';
	snprintf(host, KL_ADDR_TEXT + 1, "/%s", text + brackets);
}

/* max.connections.per.ip */
static bool are_too_many(struct kl_dev_node *node, const struct kl_addr *peer)
{
	struct klamm_loop *loop = node->broker->loop;
	int32_t max = node->broker->limits.connections_per_ip, count = 0;
	if (max == INT32_MAX)
		return false;
	char host[KL_ADDR_TEXT + 1], other[KL_ADDR_TEXT + 1];
	host_of(loop->os, peer, host);
	kl_list_for(conn, &node->conns, struct kl_dev_conn, link) {
		host_of(loop->os, &conn->peer, other);
		count += strcmp(host, other) == 0;
	}
	if (count < max)
		return false;
	kl_log(&loop->log, KL_LOG_INFO, "broker",
	       "node %d: too many connections from %s (max.connections.per.ip=%d)",
	       (int)node->id, host, (int)max);
	return true;
}

void kl_dev_conn_accept(struct kl_dev_node *node, struct kl_sock *sock,
			const struct kl_addr *peer)
{
	struct klamm_broker *broker = node->broker;
	struct kl_dev_conn *conn =
		are_too_many(node, peer) ? NULL : calloc(1, sizeof(*conn));
	if (conn == NULL) {
		broker->loop->os->sock_close(sock);
		return;
	}
	conn->node = node;
	conn->peer = *peer;
	conn->unpark.fn = unpark;
	kl_list_init(&conn->unpark.link);
	kl_list_init(&conn->calls);
	kl_dev_auth_init(conn);
	if (kl_conn_start(&conn->conn, broker->loop, &ops, broker->frames, sock, false,
			  NULL) != 0) {
		free(conn);
		return;
	}
	kl_list_push(&node->conns, &conn->link);
	node->conn_count++;
	if (broker->tls != NULL)
		kl_conn_secure(&conn->conn, broker->tls, NULL, NULL);
}

void kl_dev_conn_close(struct kl_dev_conn *conn, bool reset)
{
	kl_conn_close(&conn->conn, reset);
	bury(conn);
}

void kl_dev_conn_park(struct kl_dev_conn *conn, struct kl_dev_call *call)
{
	conn->parked = call;
	update_mute(conn);
}

void kl_dev_conn_answered(struct kl_dev_conn *conn, struct kl_dev_call *call)
{
	if (call != NULL && conn->parked != call)
		return; /* it did not have to wait */
	conn->parked = NULL;
	/* Whoever answers many at once is not to meet their next requests in the middle. */
	kl_hook_add(conn->conn.loop, &conn->unpark);
}

void kl_dev_conn_host(const struct kl_dev_conn *conn, char host[static KL_ADDR_TEXT + 1])
{
	host_of(conn->conn.loop->os, &conn->peer, host);
}

void kl_dev_conn_sent(struct kl_dev_conn *conn)
{
	if (conn->choked && conn->conn.out_bytes <= CHOKE_UNTIL) {
		conn->choked = false;
		update_mute(conn);
	}
}

static void throttle_ends(struct kl_timer *timer)
{
	struct kl_dev_conn *conn = kl_container(timer, struct kl_dev_conn, throttle);
	conn->throttled = false;
	update_mute(conn);
}

void kl_dev_conn_throttle(struct kl_dev_conn *conn, int64_t until)
{
	struct klamm_loop *loop = conn->conn.loop;
	if (conn->throttle.fn == NULL &&
	    kl_timer_init(loop, &conn->throttle, throttle_ends, NULL) != 0) {
		conn->throttle.fn = NULL;
		return; /* out of memory: the client has been told, at least */
	}
	conn->throttled = true;
	update_mute(conn);
	kl_timer_set(loop, &conn->throttle, until);
}

void kl_dev_conns_close(struct kl_dev_node *node, bool reset)
{
	kl_list_for_safe(conn, &node->conns, struct kl_dev_conn, link)
		kl_dev_conn_close(conn, reset);
}

static bool is_slow(const struct kl_conn *conn, int64_t now)
{
	size_t part = kl_conn_unfinished(conn);
	int64_t allowed = REQUEST_CLOSE + (int64_t)(part / REQUEST_RATE) * KL_SECOND;
	return part > 0 && (now - conn->last_used >= REQUEST_CLOSE ||
			    now - conn->frame_since >= allowed);
}

void kl_dev_conns_sweep(struct kl_dev_node *node)
{
	int64_t now = node->broker->loop->now;
	int64_t idle_max = node->broker->limits.idle_ms * KL_MS;
	kl_list_for_safe(conn, &node->conns, struct kl_dev_conn, link)
	{
		int64_t idle = now - conn->conn.last_used;
		bool shakes = conn->conn.phase == KL_CONN_TLS; /* since it was accepted */
		if (idle >= idle_max || (shakes && idle >= HANDSHAKE_CLOSE) ||
		    is_slow(&conn->conn, now) || kl_dev_auth_is_late(conn))
			kl_dev_conn_close(conn, false);
		else if (idle >= IDLE_SHED)
			kl_conn_shed(&conn->conn);
	}
}

void kl_dev_conns_bury(struct kl_task *task)
{
	struct klamm_broker *broker = kl_container(task, struct klamm_broker, bury);
	struct kl_list *link;
	while ((link = kl_list_pop(&broker->dead_conns)) != NULL)
		free(kl_list_entry(link, struct kl_dev_conn, link));
}
