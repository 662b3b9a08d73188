/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop: timers, sockets, and tasks that other threads post.
 *
 * All state of brokers, producers, consumers and admin clients belongs to one loop and has
 * no locks. A loop is stepped by a thread of its own or by the application, by one thread
 * at a time; many clients may share it. Functions marked [any thread] may be called from
 * elsewhere, the others only by what runs inside a step.
 */
#ifndef KL_LOOP_H
#define KL_LOOP_H

#include <klamm/loop.h>

#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/net/task.h"
#include "core/net/work.h"
#include "core/os/os.h"

struct klamm_loop;

struct kl_timer {
	struct kl_heap_node node;
	void (*fn)(struct kl_timer *timer);
};

/* A socket of interest. fn may close the socket and free the watch. */
struct kl_watch {
	struct kl_sock *sock;
	void (*fn)(struct kl_watch *watch, uint32_t events);
	uint32_t events;
};

/* Called at the end of a step for everything that asked for it in the step, once: this is
 * where connections send what the step gathered. */
struct kl_hook {
	struct kl_list link;
	void (*fn)(struct kl_hook *hook);
};

struct klamm_loop {
	struct kl_os *os;
	struct kl_log log;
	struct kl_poller *poller;
	int64_t now; /* of this step; stale while the loop sleeps */
	_Atomic int64_t latest; /* the same, for other threads */
	struct kl_heap timers;
	size_t timer_count; /* timers that exist, armed or not */
	uint64_t looks;     /* at sockets, asleep or not: how often it was awake */
	struct kl_list hooks;
	struct round *round; /* events being handled, NULL between rounds */
	struct kl_pool cpu;      /* codecs, assignors: pure computation */
	struct kl_pool blocking; /* resolver, krb5, curl */

	_Atomic(struct kl_task *) mailbox; /* newest first */
	struct kl_task *due; /* taken out of it, oldest first */
	atomic_uint met;     /* how often who posted a task found it posted */
	atomic_bool poked;   /* look at what is waited for, without a task */
	/* The loop sleeps, or is not being stepped, until this time; a poster with something
	 * more urgent wakes it. INT64_MIN while it is awake. */
	_Atomic int64_t asleep_until;
	atomic_bool stepping;
	atomic_bool stop;
	struct kl_thread *thread;
	bool started; /* it has a thread of its own */
	bool in_timers; /* timers are being run */
	atomic_uint *ours; /* 1, and 0 in a forked child */
};

int kl_loop_new(struct kl_os *os, const struct kl_log *log, struct klamm_loop **loop_out,
		struct klamm_error *err);

/* [any thread] */
void kl_loop_post(struct klamm_loop *loop, struct kl_task *task);
/* [any thread] The same for something that has time until `when`: a loop that wakes before
 * that anyway is left asleep. */
void kl_loop_post_by(struct klamm_loop *loop, struct kl_task *task, int64_t when);
/* Before the owner of a task goes: it does not run any more. */
void kl_loop_unpost(struct klamm_loop *loop, struct kl_task *task);
/* [any thread] Make sure that the loop is awake at this time at the latest. */
void kl_loop_wake_by(struct klamm_loop *loop, int64_t when);

/* [any thread] A time that has passed just now, for which no exact clock is read: that of the
 * last step or of the kernel's last tick, whichever is later. */
int64_t kl_loop_lately(struct klamm_loop *loop);

/* A timer must be created before it is armed, and dropped before its memory goes. */
int kl_timer_init(struct klamm_loop *loop, struct kl_timer *timer,
		  void (*fn)(struct kl_timer *timer), struct klamm_error *err);
void kl_timer_set(struct klamm_loop *loop, struct kl_timer *timer, int64_t when);
void kl_timer_stop(struct klamm_loop *loop, struct kl_timer *timer);
void kl_timer_drop(struct klamm_loop *loop, struct kl_timer *timer);
static inline bool kl_timer_armed(const struct kl_timer *timer)
{
	return timer->node.index != 0;
}

/* 0 or a negative errno. */
int kl_watch_set(struct klamm_loop *loop, struct kl_watch *watch, uint32_t events);
/* Before closing a watched socket: no more events of this round reach the watch. */
void kl_watch_forget(struct klamm_loop *loop, struct kl_watch *watch);

void kl_hook_add(struct klamm_loop *loop, struct kl_hook *hook);

/* [any thread] Run one round, waiting until the deadline for something to do. false: another
 * thread is stepping. */
bool kl_loop_step(struct klamm_loop *loop, int64_t deadline);

/* Does the application step this loop? [any thread] */
static inline bool kl_loop_is_driven(const struct klamm_loop *loop)
{
	return !loop->started;
}

/* A place where application threads wait for something that the loop does. */
struct kl_gate {
	struct kl_mutex mutex;
	struct kl_cond cond;
	atomic_uint waiters;
	/* Those that step the loop meanwhile, and which one that is. */
	atomic_uint steppers;
	_Atomic(struct klamm_loop *) loop;
};
int kl_gate_init(struct kl_os *os, struct kl_gate *gate);
void kl_gate_destroy(struct kl_os *os, struct kl_gate *gate);
/* [any thread] After changing what waiters look at. Costs nothing when nobody waits. */
void kl_gate_wake(struct kl_os *os, struct kl_gate *gate);
/* [application threads] Wait until ready(arg) or the deadline, stepping the loop when it is
 * the application that drives it. ready() is called on this thread, takes short locks at most,
 * and is asked at least once. */
bool kl_loop_wait(struct klamm_loop *loop, struct kl_gate *gate, bool (*ready)(void *arg),
		  void *arg, int64_t deadline);

/* Is this thread inside a callback of the application? Nothing may wait there: the callback
 * holds up its own client. */
bool kl_loop_in_callback(struct kl_os *os);
void kl_loop_enter_callback(struct kl_os *os);
void kl_loop_leave_callback(struct kl_os *os);
/* For calls that wait: 0, or WOULD_BLOCK inside a callback. */
int kl_loop_may_wait(struct kl_os *os, struct klamm_error *err);
/* Is this a forked child, where the loop is the parent's? */
bool kl_loop_is_forked(const struct klamm_loop *loop);
int kl_loop_check_fork(const struct klamm_loop *loop, struct klamm_error *err); /* FORKED */

/* The caps of the worker pools; before their first job. */
void kl_loop_set_pools(struct klamm_loop *loop, unsigned cpu, unsigned blocking);

/* [application threads] Run fn(task) in the loop and wait until it has run. For making and
 * closing things, never on the record path. */
void kl_loop_call(struct klamm_loop *loop, void (*fn)(void *arg), void *arg);

#endif
