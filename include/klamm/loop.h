/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop: the one place where a client's state lives.
 *
 * Without asking, every client gets a loop with a thread of its own. A program
 * with an event loop, or one that wants the fastest path, makes a loop itself and
 * either steps it (application-driven: no thread but workers, while names are looked up,
 * batches packed or SASL computes) or starts its thread, and gives it to as many clients as
 * it likes. libklamm(3) shows it inside another event loop, examples/forward.c is a program.
 */
#ifndef KLAMM_LOOP_H
#define KLAMM_LOOP_H

#include <klamm/conf.h>

#ifdef __cplusplus
extern "C" {
#endif

struct klamm_loop;

/* A loop that the application drives. conf (may be NULL) gives the log function.
 * SYSTEM: no descriptor left. */
int klamm_loop_new(const struct klamm_conf *conf, struct klamm_loop **loop_out,
		   struct klamm_error *err);

/* Give the loop a thread of its own; from then on it must not be stepped. FORKED: it is the
 * parent process's, as of all calls and clients that are given it. */
int klamm_loop_start(struct klamm_loop *loop, struct klamm_error *err);

/* Close all clients first. Joins the loop's thread if it has one. NULL is fine. */
void klamm_loop_free(struct klamm_loop *loop);

/* A descriptor to watch for reading in another event loop; step when it is
 * readable, or when _timeout_ms() has passed. Owned by the loop. */
int klamm_loop_fd(const struct klamm_loop *loop);

/* Milliseconds until the loop wants to be stepped, 0 = now, -1 = only on fd; at most INT_MAX,
 * as poll() takes them. Calls of clients may bring it forward: ask again after them. */
int64_t klamm_loop_timeout_ms(const struct klamm_loop *loop);

/* Run what is due, waiting up to timeout_ms for it (0 = do not wait). Calls no callback of a
 * client: klamm_producer_poll() and klamm_consumer_poll() do, and step the loop as well. One
 * thread at a time; never from inside a callback (WOULD_BLOCK). Returns 0, or STATE when the
 * loop has its own thread. */
int klamm_loop_step(struct klamm_loop *loop, int64_t timeout_ms,
		    struct klamm_error *err);

/* Make a waiting _step() return. Any thread, or a signal handler. Nothing in a forked
 * child. */
void klamm_loop_wake(struct klamm_loop *loop);

#ifdef __cplusplus
}
#endif
#endif
