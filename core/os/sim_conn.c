/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a connection: handshake, reset, end; and the links it goes over. */
#include <stdlib.h>

#include "core/os/sim_sock.h"

/* As Linux: a second, two, four, ... and given up after two minutes. */
#define SYN_RETRY (1 * KL_SECOND)
#define SYN_TRIES 6
#define BACKLOG 128

int64_t kl_sim_latency(struct kl_sim *sim)
{
	const struct kl_sim_faults *f = &sim->faults;
	int64_t us = kl_sim_between(sim, KL_SIM_NET, f->latency_min_us, f->latency_max_us);
	if (kl_sim_chance(sim, KL_SIM_NET, f->delay))
		us += kl_sim_between(sim, KL_SIM_NET, 0, f->delay_max_us);
	return us;
}

/* --- links --- */

struct cut {
	struct kl_list link;
	const struct kl_sim_node *from, *to;
};

static struct cut *find_cut(const struct kl_sim *sim, const struct kl_sim_node *from,
			    const struct kl_sim_node *to)
{
	kl_list_for(cut, &sim->cuts, struct cut, link)
		if (cut->from == from && cut->to == to)
			return cut;
	return NULL;
}

bool kl_sim_link_is_on(const struct kl_sim *sim, const struct kl_sim_node *from,
		       const struct kl_sim_node *to)
{
	return kl_list_empty(&sim->cuts) || find_cut(sim, from, to) == NULL;
}

static void release(struct kl_sim *sim)
{
	kl_list_for(conn, &sim->conns, struct conn, link)
		for (unsigned i = 0; i < 2; i++)
			if (kl_sim_link_is_on(sim, conn->nodes[i], conn->nodes[!i]))
				kl_sim_pipe_release(&conn->pipes[i]);
}

void kl_sim_link(struct kl_sim_node *from, struct kl_sim_node *to, bool on)
{
	struct kl_sim *sim = from->sim;
	struct cut *cut = find_cut(sim, from, to);
	if (on == (cut == NULL))
		return;
	kl_sim_trace(sim, on ? "link on" : "link off", from->id, to->id, 0);
	if (on) {
		kl_list_remove(&cut->link);
		free(cut);
		release(sim);
		return;
	}
	cut = kl_sim_alloc(sizeof(*cut));
	cut->from = from;
	cut->to = to;
	kl_list_push(&sim->cuts, &cut->link);
}

/* --- handshake --- */

/* A SYN reaches the other machine. 0, -ECONNREFUSED, or -EAGAIN: no answer at all. */
static int knock(struct conn *conn)
{
	struct kl_sim_node *server = conn->nodes[1];
	if (conn->swallowed || server->off ||
	    !kl_sim_link_is_on(conn->sim, conn->nodes[0], server))
		return -EAGAIN;
	enum kl_sim_reach reach = server->addresses[conn->to.address].reach;
	if (reach == KL_SIM_HOLE)
		return -EAGAIN;
	struct kl_sock *listener = kl_sim_listener(server, conn->to.port);
	if (reach == KL_SIM_REFUSES || conn->answer < 0 || listener == NULL ||
	    !kl_sim_port_is_on(server, conn->to.port))
		return -ECONNREFUSED;
	struct kl_sock *sock = NULL;
	if (listener->backlog_count < BACKLOG)
		sock = kl_sim_sock_new(server, SOCK_OPEN);
	if (sock == NULL)
		return -EAGAIN;
	sock->conn = conn;
	sock->side = 1;
	sock->port = conn->to.port;
	conn->socks[1] = sock;
	sock->listener = listener;
	listener->backlog_count++;
	kl_list_push(&listener->backlog, &sock->backlog_link);
	kl_sim_poll_changed(listener);
	return 0;
}

static void hear_answer(struct conn *conn)
{
	struct kl_sock *client = conn->socks[0];
	kl_sim_trace(conn->sim, "connected", conn->id, 0, (uint64_t)conn->answer);
	if (client->state != SOCK_CONNECTS)
		return; /* a reset was faster */
	client->state = conn->answer == 0 ? SOCK_OPEN : SOCK_DEAD;
	client->error = -conn->answer;
	kl_sim_poll_changed(client);
}

static void connect_fire(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	struct conn *conn = kl_container(timer, struct conn, connect);
	if (conn->answered) {
		hear_answer(conn);
		return;
	}
	int answer = conn->nodes[1] != NULL ? knock(conn) : -EHOSTUNREACH;
	if (answer == -EAGAIN && conn->syn_tries < SYN_TRIES) {
		kl_sim_timer_set(sim, timer, sim->now + (SYN_RETRY << conn->syn_tries++));
		return;
	}
	conn->answered = true;
	conn->answer = answer == -EAGAIN ? -ETIMEDOUT : answer;
	int64_t when = sim->now + kl_sim_latency(sim);
	conn->pipes[1].last_arrival = when; /* no data before the answer */
	kl_sim_timer_set(sim, timer, when);
}

/* --- resets --- */

static void reset_side(struct conn *conn, unsigned side)
{
	struct kl_sim *sim = conn->sim;
	struct kl_sock *sock = conn->socks[side];
	if (sock == NULL || !kl_sim_link_is_on(sim, conn->nodes[!side], conn->nodes[side]))
		return;
	kl_sim_trace(sim, "reset", conn->id, side, 0);
	kl_sim_pipe_lose(&conn->pipes[0]);
	kl_sim_pipe_lose(&conn->pipes[1]);
	/* Linux lets what had arrived be read before the error; others throw it away. */
	struct pipe *in = &conn->pipes[!side];
	if (kl_sim_draw(sim, KL_SIM_NET, 2) == 0) {
		in->used -= in->readable;
		in->readable = 0;
	}
	if (sock->state != SOCK_DEAD)
		sock->error = ECONNRESET;
	sock->state = SOCK_DEAD;
	kl_sim_poll_changed(sock);
}

static void reset_0_fire(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	reset_side(kl_container(timer, struct conn, reset[0]), 0);
}

static void reset_1_fire(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	reset_side(kl_container(timer, struct conn, reset[1]), 1);
}

void kl_sim_conn_reset(struct conn *conn, unsigned side)
{
	struct kl_sim *sim = conn->sim;
	if (conn->socks[side] != NULL && conn->reset[side].node.index == 0)
		kl_sim_timer_set(sim, &conn->reset[side], sim->now + kl_sim_latency(sim));
}

void kl_sim_reset(struct kl_sim_node *node, uint16_t port)
{
	kl_list_for(conn, &node->sim->conns, struct conn, link) {
		if (conn->nodes[1] != node || (port != 0 && conn->to.port != port))
			continue;
		kl_sim_conn_reset(conn, 0);
		kl_sim_conn_reset(conn, 1);
	}
}

/* --- beginning and end --- */

int kl_sim_conn_new(struct kl_sock *client, const struct kl_sim_addr *to,
		    struct kl_sim_node *server, size_t window)
{
	struct kl_sim *sim = client->node->sim;
	struct conn *conn = calloc(1, sizeof(*conn));
	if (conn == NULL)
		return -ENOMEM;
	conn->sim = sim;
	conn->nodes[0] = client->node;
	conn->nodes[1] = server;
	conn->to = *to;
	kl_list_init(&conn->link);
	kl_list_init(&conn->rules);
	if (!kl_sim_pipe_init(&conn->pipes[0], conn, 0, window) ||
	    !kl_sim_pipe_init(&conn->pipes[1], conn, 1, window) ||
	    !kl_sim_timer_init(sim, &conn->connect, connect_fire) ||
	    !kl_sim_timer_init(sim, &conn->reset[0], reset_0_fire) ||
	    !kl_sim_timer_init(sim, &conn->reset[1], reset_1_fire)) {
		kl_sim_conn_free(conn);
		return -ENOMEM;
	}
	conn->id = ++sim->next_id;
	conn->socks[0] = client;
	kl_list_push(&sim->conns, &conn->link);
	kl_sim_rules_take(conn);
	if (kl_sim_chance(sim, KL_SIM_NET, sim->faults.refuse))
		conn->answer = -ECONNREFUSED;
	conn->swallowed = kl_sim_chance(sim, KL_SIM_NET, sim->faults.hole);
	kl_sim_timer_set(sim, &conn->connect, sim->now + kl_sim_latency(sim));
	client->conn = conn;
	return 0;
}

void kl_sim_conn_free(struct conn *conn)
{
	kl_list_remove(&conn->link);
	kl_sim_pipe_free(&conn->pipes[0]);
	kl_sim_pipe_free(&conn->pipes[1]);
	kl_sim_timer_drop(conn->sim, &conn->connect);
	kl_sim_timer_drop(conn->sim, &conn->reset[0]);
	kl_sim_timer_drop(conn->sim, &conn->reset[1]);
	kl_list_for_safe(rule, &conn->rules, struct rule, link)
		free(rule);
	free(conn);
}

void kl_sim_conn_leave(struct kl_sock *sock, bool reset)
{
	struct conn *conn = sock->conn;
	unsigned side = sock->side;
	conn->socks[side] = NULL;
	if (conn->socks[!side] == NULL) {
		kl_sim_conn_free(conn);
		return;
	}
	if (side == 0)
		kl_sim_timer_stop(conn->sim, &conn->connect);
	if (sock->state == SOCK_DEAD)
		return;
	if (reset || sock->state == SOCK_CONNECTS ||
	    !kl_sim_pipe_finish(&conn->pipes[side])) {
		kl_sim_pipe_lose(&conn->pipes[side]);
		kl_sim_conn_reset(conn, !side);
	}
}

void kl_sim_net_free(struct kl_sim *sim)
{
	kl_list_for_safe(conn, &sim->conns, struct conn, link)
		kl_sim_conn_free(conn);
	kl_list_for_safe(rule, &sim->rules, struct rule, link)
		free(rule);
	kl_list_for_safe(cut, &sim->cuts, struct cut, link)
		free(cut);
}
