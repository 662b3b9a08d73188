/* SPDX-License-Identifier: BSD-2-Clause */
/* Simulated sockets and the connections between them: two bounded pipes of bytes, of which
 * some have arrived and some are under way in runs that travel on their own. */
#ifndef KL_SIM_SOCK_H
#define KL_SIM_SOCK_H

#include "core/os/sim_int.h"

enum sock_state {
	SOCK_LISTENS,
	SOCK_CONNECTS,
	SOCK_OPEN,
	SOCK_DEAD, /* refused, reset or timed out */
};

struct kl_sock {
	struct kl_sim_node *node;
	struct kl_list link; /* of the node's sockets */
	uint64_t id;
	enum sock_state state;
	int error; /* told once, then -EPIPE and end of input */

	struct kl_poller *poller; /* NULL = not watched */
	struct kl_list poller_link;
	uint32_t watched;
	void *tag;

	uint16_t port;          /* a listener's, or of this end */
	struct kl_list backlog; /* listener: connections not yet accepted */
	unsigned backlog_count;
	struct kl_sock *listener; /* of one not yet accepted */
	struct kl_list backlog_link;

	struct conn *conn;
	unsigned side; /* 0 = it connected */
};

/* What happens once a run has arrived. */
enum run_end {
	RUN_ON,
	RUN_FIN,   /* the sender closed */
	RUN_RESET, /* faults: */
	RUN_FINISH,
	RUN_STALL,
};
struct run {
	size_t len;
	int64_t at;
	enum run_end end;
};

/* From side i of a connection to the other. */
struct pipe {
	struct conn *conn;
	unsigned from;
	uint8_t *ring;
	size_t window; /* of the ring: what the sender may have unread at the receiver */
	size_t start, readable, used; /* used = readable + under way */
	struct run *runs;
	size_t run_first, run_count, run_cap; /* ring, power of two */
	int64_t busy_until, last_arrival;
	uint64_t sent; /* bytes so far */
	bool fin;      /* the receiver has been told the end */
	bool lost;     /* whatever is under way never arrives */
	bool held;     /* waits for the link */
	struct kl_sim_timer timer;
};

struct conn {
	struct kl_sim *sim;
	struct kl_list link;
	uint64_t id;
	struct kl_sim_node *nodes[2];
	struct kl_sock *socks[2]; /* NULL = closed, or not yet there */
	struct pipe pipes[2];
	struct kl_sim_timer connect; /* of the handshake */
	struct kl_sim_timer reset[2]; /* a reset travels to that side */
	struct kl_sim_addr to;
	uint32_t syn_tries;
	bool swallowed; /* a fault: nothing of it is ever answered */
	bool answered;  /* the handshake is on its way back */
	int answer;
	struct kl_list rules; /* faults to come, taken from the world's */
};

/* --- sim_sock.c --- */
uint32_t kl_sim_sock_ready(const struct kl_sock *sock);
struct kl_sock *kl_sim_sock_new(struct kl_sim_node *node, enum sock_state state);
/* Without telling anybody. */
void kl_sim_sock_free(struct kl_sock *sock);
struct kl_sock *kl_sim_listener(struct kl_sim_node *node, uint16_t port);
bool kl_sim_port_is_on(const struct kl_sim_node *node, uint16_t port);

/* --- sim_conn.c --- */
int kl_sim_conn_new(struct kl_sock *client, const struct kl_sim_addr *to,
		    struct kl_sim_node *server, size_t window);
void kl_sim_conn_free(struct conn *conn);
/* One end is gone; the last one frees the connection. */
void kl_sim_conn_leave(struct kl_sock *sock, bool reset);
/* The other side hears of a reset after a while. */
void kl_sim_conn_reset(struct conn *conn, unsigned side);
int64_t kl_sim_latency(struct kl_sim *sim);

/* --- sim_pipe.c --- */
bool kl_sim_pipe_init(struct pipe *pipe, struct conn *conn, unsigned from, size_t window);
void kl_sim_pipe_free(struct pipe *pipe);
static inline struct pipe *kl_sim_pipe_out(const struct kl_sock *sock)
{
	return &sock->conn->pipes[sock->side];
}
static inline struct pipe *kl_sim_pipe_in(const struct kl_sock *sock)
{
	return &sock->conn->pipes[!sock->side];
}
ssize_t kl_sim_pipe_write(struct pipe *pipe, const struct iovec *iov, int count, size_t total);
size_t kl_sim_pipe_read(struct pipe *pipe, void *p, size_t n);
/* An orderly end after what is under way. false: no memory. */
bool kl_sim_pipe_finish(struct pipe *pipe);
void kl_sim_pipe_lose(struct pipe *pipe);
/* The link is on again. */
void kl_sim_pipe_release(struct pipe *pipe);

/* --- sim_rule.c --- */
struct rule {
	struct kl_list link;
	struct kl_sim_rule what;
	uint64_t seen; /* of_all: bytes so far */
};
void kl_sim_rules_take(struct conn *conn);
/* The fault that strikes in the next n bytes of a pipe, if any: -1, or an enum kl_sim_cut;
 * *at_out is its distance in bytes from here. */
int kl_sim_fault_next(struct pipe *pipe, size_t n, size_t *at_out);

#endif
