/* SPDX-License-Identifier: BSD-2-Clause */
/* Simulated sockets, as the vtable sees them, and the ports of a node. */
#include "core/os/sim_sock.h"

#include <stdlib.h>

struct kl_sock *kl_sim_sock_new(struct kl_sim_node *node, enum sock_state state)
{
	struct kl_sock *sock = calloc(1, sizeof(*sock));
	if (sock == NULL)
		return NULL;
	sock->node = node;
	sock->id = ++node->sim->next_id;
	sock->state = state;
	kl_list_init(&sock->backlog);
	kl_list_init(&sock->backlog_link);
	kl_list_init(&sock->poller_link);
	kl_list_push(&node->socks, &sock->link);
	return sock;
}

void kl_sim_sock_free(struct kl_sock *sock)
{
	kl_sim_poll_forget(sock);
	if (sock->listener != NULL)
		sock->listener->backlog_count--;
	kl_list_remove(&sock->backlog_link);
	kl_list_remove(&sock->link);
	free(sock);
}

/* --- ports --- */

struct port_off {
	struct kl_list link;
	uint16_t port;
};

static struct port_off *find_off(const struct kl_sim_node *node, uint16_t port)
{
	kl_list_for(off, &node->ports_off, struct port_off, link)
		if (off->port == port)
			return off;
	return NULL;
}

bool kl_sim_port_is_on(const struct kl_sim_node *node, uint16_t port)
{
	return find_off(node, port) == NULL;
}

void kl_sim_port(struct kl_sim_node *node, uint16_t port, bool on)
{
	struct port_off *off = find_off(node, port);
	if (on == (off == NULL))
		return;
	kl_sim_trace(node->sim, on ? "port on" : "port off", node->id, port, 0);
	if (on) {
		kl_list_remove(&off->link);
		free(off);
		struct kl_sock *listener = kl_sim_listener(node, port);
		if (listener != NULL)
			kl_sim_poll_changed(listener);
		return;
	}
	off = kl_sim_alloc(sizeof(*off));
	off->port = port;
	kl_list_push(&node->ports_off, &off->link);
	kl_sim_reset(node, port);
}

struct kl_sock *kl_sim_listener(struct kl_sim_node *node, uint16_t port)
{
	kl_list_for(sock, &node->socks, struct kl_sock, link)
		if (sock->state == SOCK_LISTENS && sock->port == port)
			return sock;
	return NULL;
}

static uint16_t free_port(struct kl_sim_node *node)
{
	do
		if (++node->next_port < 32768)
			node->next_port = 32768;
	while (kl_sim_listener(node, node->next_port) != NULL);
	return node->next_port;
}

/* --- connecting and listening --- */

/* Windows of all sizes: small ones make every send a short one. */
static size_t draw_window(struct kl_sim *sim, const struct kl_sock_opts *opts)
{
	if (opts != NULL && opts->send_buffer > 0)
		return (size_t)opts->send_buffer;
	return (size_t)2048 << kl_sim_draw(sim, KL_SIM_NET, 8);
}

static int sim_sock_connect(struct kl_os *os, const struct kl_addr *addr,
			    const struct kl_sock_opts *opts, struct kl_sock **sock_out)
{
	struct kl_sim_node *node = kl_sim_of(os);
	struct kl_sim_addr to = kl_sim_addr_get(addr);
	struct kl_sim_node *server = kl_sim_node_by_id(node->sim, to.node);
	if (server != NULL && to.address >= server->address_count)
		server = NULL;
	struct kl_sock *sock = kl_sim_sock_new(node, SOCK_CONNECTS);
	if (sock == NULL)
		return -ENOMEM;
	int rc = kl_sim_conn_new(sock, &to, server, draw_window(node->sim, opts));
	if (rc < 0) {
		kl_sim_sock_free(sock);
		return rc;
	}
	sock->port = free_port(node);
	kl_sim_trace(node->sim, "connect", sock->conn->id, to.node, to.port);
	*sock_out = sock;
	return 0;
}

static int take_error(struct kl_sock *sock)
{
	int error = sock->error;
	sock->error = 0;
	return -error;
}

static int sim_sock_connect_result(struct kl_sock *sock)
{
	return take_error(sock);
}

static int sim_sock_listen(struct kl_os *os, const char *host, uint16_t port,
			   struct kl_sock **sock_out, struct kl_addr *addr_out)
{
	struct kl_sim_node *node = kl_sim_of(os);
	struct kl_addr addr;
	const char *why;
	int rc = kl_sim_lookup(node, host != NULL ? host : "localhost", port, &addr, 1, &why);
	if (rc < 0)
		return rc;
	if (kl_sim_addr_get(&addr).node != node->id)
		return -EADDRNOTAVAIL;
	if (port == 0)
		port = free_port(node);
	else if (kl_sim_listener(node, port) != NULL)
		return -EADDRINUSE;
	struct kl_sock *sock = kl_sim_sock_new(node, SOCK_LISTENS);
	if (sock == NULL)
		return -ENOMEM;
	sock->port = port;
	kl_sim_trace(node->sim, "listen", sock->id, node->id, port);
	if (addr_out != NULL)
		kl_sim_addr_put(addr_out, node, kl_sim_addr_get(&addr).address, port);
	*sock_out = sock;
	return 0;
}

static int sim_sock_accept(struct kl_sock *listener, struct kl_sock **sock_out,
			   struct kl_addr *peer_out)
{
	if (!kl_sim_port_is_on(listener->node, listener->port))
		return -EAGAIN;
	struct kl_list *first = kl_list_pop(&listener->backlog);
	if (first == NULL)
		return -EAGAIN;
	struct kl_sock *sock = kl_list_entry(first, struct kl_sock, backlog_link);
	sock->listener = NULL;
	listener->backlog_count--;
	const struct conn *conn = sock->conn;
	kl_sim_trace(listener->node->sim, "accept", conn->id, listener->id, 0);
	if (peer_out != NULL)
		kl_sim_addr_put(peer_out, conn->nodes[0], 0,
				conn->socks[0] != NULL ? conn->socks[0]->port : 0);
	*sock_out = sock;
	return 0;
}

/* --- bytes --- */

static ssize_t sim_sock_recv(struct kl_sock *sock, void *p, size_t n)
{
	if (sock->state == SOCK_LISTENS)
		return -ENOTCONN;
	if (sock->state == SOCK_CONNECTS)
		return -EAGAIN;
	struct kl_sim *sim = sock->node->sim;
	struct pipe *in = kl_sim_pipe_in(sock);
	size_t some = kl_min(n, in->readable);
	if (some > 0) {
		if (kl_sim_chance(sim, KL_SIM_NET, sim->faults.short_io))
			some = kl_sim_draw(sim, KL_SIM_NET, some + 1);
		return some > 0 ? (ssize_t)kl_sim_pipe_read(in, p, some) : -EAGAIN;
	}
	if (sock->error != 0)
		return take_error(sock);
	return in->fin || sock->state == SOCK_DEAD || n == 0 ? 0 : -EAGAIN;
}

static ssize_t sim_sock_sendv(struct kl_sock *sock, const struct iovec *iov, int count)
{
	size_t total = 0;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	if (sock->state == SOCK_LISTENS)
		return -ENOTCONN;
	if (sock->state == SOCK_CONNECTS)
		return -EAGAIN;
	if (sock->error != 0)
		return take_error(sock);
	if (sock->state == SOCK_DEAD)
		return -EPIPE;
	return total > 0 ? kl_sim_pipe_write(kl_sim_pipe_out(sock), iov, count, total) : 0;
}

uint32_t kl_sim_sock_ready(const struct kl_sock *sock)
{
	switch (sock->state) {
	case SOCK_LISTENS:
		return sock->backlog_count > 0 && kl_sim_port_is_on(sock->node, sock->port)
			       ? KL_IN
			       : 0;
	case SOCK_CONNECTS:
		return 0;
	case SOCK_DEAD:
		return KL_IN | KL_OUT | KL_HUP;
	case SOCK_OPEN:
		break;
	}
	const struct pipe *in = kl_sim_pipe_in(sock), *out = kl_sim_pipe_out(sock);
	/* Like Linux, writable only when sending is worth it. */
	return (in->readable > 0 || in->fin ? KL_IN : 0) |
	       (out->window - out->used >= out->window / 4 ? KL_OUT : 0);
}

/* --- closing --- */

static void close_how(struct kl_sock *sock, bool reset)
{
	kl_list_for_safe(waiting, &sock->backlog, struct kl_sock, backlog_link)
		close_how(waiting, true);
	kl_sim_trace(sock->node->sim, "close", sock->id, reset, 0);
	/* Bytes that nobody has read make the end a reset (RFC 2525, 2.17). */
	if (sock->conn != NULL)
		kl_sim_conn_leave(sock, reset || kl_sim_pipe_in(sock)->readable > 0);
	kl_sim_sock_free(sock);
}

static void sim_sock_close(struct kl_sock *sock)
{
	close_how(sock, false);
}

static void sim_sock_reset(struct kl_sock *sock)
{
	close_how(sock, true);
}

static int sim_sock_fd(const struct kl_sock *sock)
{
	return -1;
}

void kl_sim_sock_kill(struct kl_sim_node *node, bool quietly)
{
	/* Nobody hears of a machine without power: its ends just are no more. */
	struct kl_sock *sock;
	while ((sock = kl_list_first(&node->socks, struct kl_sock, link)) != NULL) {
		if (quietly && sock->conn != NULL)
			sock->state = SOCK_DEAD;
		kl_list_for_safe(waiting, &sock->backlog, struct kl_sock, backlog_link)
			if (quietly)
				waiting->state = SOCK_DEAD;
		close_how(sock, !quietly);
	}
	kl_list_for_safe(off, &node->ports_off, struct port_off, link) {
		kl_list_remove(&off->link);
		free(off);
	}
}

void kl_sim_sock_ops(struct kl_os *os)
{
	os->sock_connect = sim_sock_connect;
	os->sock_connect_result = sim_sock_connect_result;
	os->sock_listen = sim_sock_listen;
	os->sock_accept = sim_sock_accept;
	os->sock_recv = sim_sock_recv;
	os->sock_sendv = sim_sock_sendv;
	os->sock_close = sim_sock_close;
	os->sock_reset = sim_sock_reset;
	os->sock_fd = sim_sock_fd;
}
