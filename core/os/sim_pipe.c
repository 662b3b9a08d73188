/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes under way in one direction of a connection. */
#include <stdlib.h>

#include "core/os/sim_sock.h"

#define SPLITS 4       /* runs that one send is cut into, at most */
#define INJECT_MAX 64u /* bytes */

static void arrive(struct kl_sim *sim, struct kl_sim_timer *timer);

bool kl_sim_pipe_init(struct pipe *pipe, struct conn *conn, unsigned from, size_t window)
{
	*pipe = (struct pipe){.conn = conn, .from = from, .window = window};
	pipe->ring = malloc(window);
	return pipe->ring != NULL && kl_sim_timer_init(conn->sim, &pipe->timer, arrive);
}

void kl_sim_pipe_free(struct pipe *pipe)
{
	if (pipe->conn != NULL)
		kl_sim_timer_drop(pipe->conn->sim, &pipe->timer);
	free(pipe->ring);
	free(pipe->runs);
}

static uint64_t trace_id(const struct pipe *pipe)
{
	return pipe->conn->id * 2 + pipe->from;
}

/* --- the queue of runs --- */

static bool reserve_runs(struct pipe *pipe, size_t more)
{
	if (pipe->run_count + more <= pipe->run_cap)
		return true;
	size_t cap = kl_max(pipe->run_cap * 2, (size_t)16);
	while (cap < pipe->run_count + more)
		cap *= 2;
	struct run *runs = calloc(cap, sizeof(*runs));
	if (runs == NULL)
		return false;
	for (size_t i = 0; i < pipe->run_count; i++)
		runs[i] = pipe->runs[(pipe->run_first + i) & (pipe->run_cap - 1)];
	free(pipe->runs);
	pipe->runs = runs;
	pipe->run_first = 0;
	pipe->run_cap = cap;
	return true;
}

static void queue_run(struct pipe *pipe, size_t len, enum run_end end)
{
	struct kl_sim *sim = pipe->conn->sim;
	int64_t rate = sim->faults.bytes_per_ms;
	pipe->busy_until = kl_max(pipe->busy_until, sim->now);
	if (rate > 0)
		pipe->busy_until += (int64_t)len * KL_MS / rate;
	/* TCP keeps the order: a late run holds up those behind it. */
	pipe->last_arrival =
		kl_max(pipe->last_arrival, pipe->busy_until + kl_sim_latency(sim));
	size_t at = (pipe->run_first + pipe->run_count++) & (pipe->run_cap - 1);
	pipe->runs[at] = (struct run){len, pipe->last_arrival, end};
	if (pipe->run_count == 1)
		kl_sim_timer_set(sim, &pipe->timer, pipe->last_arrival);
}

static void queue_bytes(struct pipe *pipe, size_t len)
{
	struct kl_sim *sim = pipe->conn->sim;
	for (int i = 1; i < SPLITS && len > 1; i++) {
		if (!kl_sim_chance(sim, KL_SIM_NET, sim->faults.split))
			break;
		size_t some = 1 + kl_sim_draw(sim, KL_SIM_NET, len - 1);
		queue_run(pipe, some, RUN_ON);
		len -= some;
	}
	if (len > 0)
		queue_run(pipe, len, RUN_ON);
}

/* --- the sender's end --- */

static void tamper(struct pipe *pipe, uint8_t *p, size_t n)
{
	const struct conn *conn = pipe->conn;
	if (conn->sim->tamper != NULL && n > 0)
		conn->sim->tamper(conn->sim->tamper_arg, conn->nodes[pipe->from],
				  conn->nodes[!pipe->from], p, n);
}

static void put(struct pipe *pipe, const uint8_t *p, size_t n)
{
	size_t at = (pipe->start + pipe->used) % pipe->window;
	size_t first = kl_min(n, pipe->window - at);
	memcpy(pipe->ring + at, p, first);
	memcpy(pipe->ring, p + first, n - first);
	tamper(pipe, pipe->ring + at, first);
	tamper(pipe, pipe->ring, n - first);
	pipe->used += n;
}

/* n bytes of the gathered ones from byte `skip` on. */
static void put_from(struct pipe *pipe, const struct iovec *iov, size_t skip, size_t n)
{
	for (; n > 0; iov++) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		size_t some = kl_min(n, iov->iov_len - skip);
		const uint8_t *p = (const uint8_t *)iov->iov_base + skip;
		kl_sim_trace_bytes(pipe->conn->sim, p, some);
		put(pipe, p, some);
		n -= some;
		skip = 0;
	}
}

static void put_garbage(struct pipe *pipe)
{
	struct kl_sim *sim = pipe->conn->sim;
	size_t room = kl_min(pipe->window - pipe->used, INJECT_MAX);
	size_t n = room > 0 ? 1 + kl_sim_draw(sim, KL_SIM_NET, room) : 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)kl_sim_random(sim, KL_SIM_NET);
		put(pipe, &byte, 1);
	}
	queue_bytes(pipe, n);
}

static void put_flipped(struct pipe *pipe, const struct iovec *iov, size_t at, size_t n)
{
	size_t where = (pipe->start + pipe->used + at) % pipe->window;
	put_from(pipe, iov, 0, n);
	pipe->ring[where] ^= 1u << kl_sim_draw(pipe->conn->sim, KL_SIM_NET, 8);
	queue_bytes(pipe, n);
}

static void put_cut(struct pipe *pipe, const struct iovec *iov, size_t at, size_t n,
		    enum kl_sim_cut cut)
{
	put_from(pipe, iov, 0, at);
	if (cut == KL_SIM_CUT_INJECT) {
		queue_bytes(pipe, at);
		put_garbage(pipe);
		n = kl_min(n, at + pipe->window - pipe->used); /* it takes room */
	} else {
		queue_run(pipe, at, cut == KL_SIM_CUT_RESET    ? RUN_RESET
				    : cut == KL_SIM_CUT_FINISH ? RUN_FINISH
							       : RUN_STALL);
	}
	put_from(pipe, iov, at, n - at);
	queue_bytes(pipe, n - at);
}

ssize_t kl_sim_pipe_write(struct pipe *pipe, const struct iovec *iov, int count, size_t total)
{
	struct kl_sim *sim = pipe->conn->sim;
	size_t room = pipe->window - pipe->used;
	if (room == 0)
		return -EAGAIN;
	if (!reserve_runs(pipe, 3 * SPLITS + 1))
		return -ENOMEM;
	size_t n = kl_min(total, room), at = 0;
	if (pipe->lost) { /* into the void, until the window is full */
		pipe->used += n;
		pipe->sent += n;
		kl_sim_trace(sim, "lose", trace_id(pipe), 0, n);
		return (ssize_t)n;
	}
	if (kl_sim_chance(sim, KL_SIM_NET, sim->faults.short_io))
		n = 1 + kl_sim_draw(sim, KL_SIM_NET, n);
	int cut = kl_sim_fault_next(pipe, n, &at);
	kl_sim_trace(sim, "send", trace_id(pipe), (uint64_t)(cut + 1), n);
	size_t before = pipe->used;
	if (cut < 0) {
		put_from(pipe, iov, 0, n);
		queue_bytes(pipe, n);
	} else if (cut == KL_SIM_CUT_FLIP) {
		put_flipped(pipe, iov, at, n);
	} else {
		put_cut(pipe, iov, at, n, cut);
		if (cut == KL_SIM_CUT_INJECT && pipe->used - before < n)
			n = pipe->used - before;
	}
	pipe->sent += n;
	return (ssize_t)n;
}

bool kl_sim_pipe_finish(struct pipe *pipe)
{
	if (pipe->lost)
		return true;
	if (!reserve_runs(pipe, 1))
		return false;
	queue_run(pipe, 0, RUN_FIN);
	return true;
}

void kl_sim_pipe_lose(struct pipe *pipe)
{
	pipe->lost = true;
	pipe->run_count = 0;
	kl_sim_timer_stop(pipe->conn->sim, &pipe->timer);
}

/* --- the receiver's end --- */

static void deliver(struct pipe *pipe, const struct run *run)
{
	struct conn *conn = pipe->conn;
	unsigned to = !pipe->from;
	struct kl_sock *receiver = conn->socks[to];
	kl_sim_trace(conn->sim, "arrive", trace_id(pipe), run->end, run->len);
	if (receiver == NULL) {
		/* The kernel of a machine that is up answers for the closed socket. */
		if (run->len > 0 && !conn->nodes[to]->off)
			kl_sim_conn_reset(conn, pipe->from);
		return;
	}
	pipe->readable += run->len;
	switch (run->end) {
	case RUN_ON:
		break;
	case RUN_RESET:
		kl_sim_conn_reset(conn, 0);
		kl_sim_conn_reset(conn, 1);
		kl_sim_pipe_lose(pipe);
		break;
	case RUN_STALL:
		kl_sim_pipe_lose(pipe);
		break;
	case RUN_FINISH:
		kl_sim_pipe_lose(pipe);
		pipe->fin = true;
		break;
	case RUN_FIN:
		pipe->fin = true;
		break;
	}
	kl_sim_poll_changed(receiver);
}

static void arrive(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	struct pipe *pipe = kl_container(timer, struct pipe, timer);
	struct conn *conn = pipe->conn;
	if (!kl_sim_link_is_on(sim, conn->nodes[pipe->from], conn->nodes[!pipe->from])) {
		pipe->held = true;
		return;
	}
	while (pipe->run_count > 0) {
		struct run run = pipe->runs[pipe->run_first];
		if (run.at > sim->now) {
			kl_sim_timer_set(sim, timer, run.at);
			return;
		}
		pipe->run_first = (pipe->run_first + 1) & (pipe->run_cap - 1);
		pipe->run_count--;
		deliver(pipe, &run);
	}
}

void kl_sim_pipe_release(struct pipe *pipe)
{
	if (!pipe->held)
		return;
	pipe->held = false;
	if (pipe->run_count > 0)
		kl_sim_timer_set(pipe->conn->sim, &pipe->timer,
				 pipe->conn->sim->now + kl_sim_latency(pipe->conn->sim));
}

size_t kl_sim_pipe_read(struct pipe *pipe, void *p, size_t n)
{
	n = kl_min(n, pipe->readable);
	size_t first = kl_min(n, pipe->window - pipe->start);
	memcpy(p, pipe->ring + pipe->start, first);
	memcpy((uint8_t *)p + first, pipe->ring, n - first);
	pipe->start = (pipe->start + n) % pipe->window;
	pipe->readable -= n;
	pipe->used -= n;
	kl_sim_trace(pipe->conn->sim, "recv", trace_id(pipe), 0, n);
	struct kl_sock *sender = pipe->conn->socks[pipe->from];
	if (sender != NULL && n > 0)
		kl_sim_poll_changed(sender);
	return n;
}
