/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/loop.h"

#include <limits.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/conf/conf.h"

#define AWAKE INT64_MIN
#define EVENTS_PER_STEP 64
/* A timer that is late by this much: the process stood still, and was not just busy. */
#define LATE (100 * KL_MS)
/* So often it looks at sockets again, then late timers run. */
#define LATE_LOOKS 16
/* Threads at most, where no configuration says otherwise: the defaults of klamm.codec.threads
 * and klamm.blocking.threads. */
#define CPU_WORKERS 2
#define BLOCKING_WORKERS 4

int kl_loop_new(struct kl_os *os, const struct kl_log *log, struct klamm_loop **loop_out,
		struct klamm_error *err)
{
	struct klamm_loop *loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a loop");
	loop->os = os;
	if (log != NULL)
		loop->log = *log;
	loop->now = os->now(os);
	atomic_init(&loop->latest, loop->now);
	kl_list_init(&loop->hooks);
	atomic_init(&loop->asleep_until, KL_NEVER);
	loop->ours = os->fork_page(os);
	int rc = loop->ours != NULL ? os->poller_new(os, &loop->poller) : -ENOMEM;
	if (rc < 0) {
		os->fork_page_free(os, loop->ours);
		free(loop);
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot make a poller: %s",
				strerror(-rc));
	}
	atomic_store(loop->ours, 1);
	rc = kl_pool_init(&loop->cpu, loop, "klamm-cpu", CPU_WORKERS);
	if (rc == 0)
		rc = kl_pool_init(&loop->blocking, loop, "klamm-blocking", BLOCKING_WORKERS);
	if (rc < 0) {
		os->poller_free(loop->poller);
		os->fork_page_free(os, loop->ours);
		free(loop);
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot make a worker pool: %s",
				strerror(-rc));
	}
	*loop_out = loop;
	return 0;
}

void kl_loop_set_pools(struct klamm_loop *loop, unsigned cpu, unsigned blocking)
{
	kl_pool_set_cap(&loop->cpu, cpu);
	kl_pool_set_cap(&loop->blocking, blocking);
}

/* --- time --- */

static void look_at_clock(struct klamm_loop *loop)
{
	loop->now = loop->os->now(loop->os);
	atomic_store_explicit(&loop->latest, loop->now, memory_order_relaxed);
}

int64_t kl_loop_lately(struct klamm_loop *loop)
{
	int64_t tick = loop->os->now_coarse(loop->os);
	int64_t step = atomic_load_explicit(&loop->latest, memory_order_relaxed);
	return kl_max(tick, step);
}

/* --- tasks --- */

void kl_loop_wake_by(struct klamm_loop *loop, int64_t when)
{
	/* Sequentially consistent on both sides: either the loop sees what was posted before
	 * this call, or this sees that the loop sleeps. */
	int64_t until = atomic_load(&loop->asleep_until);
	while (until != AWAKE && until > when) {
		if (atomic_compare_exchange_weak(&loop->asleep_until, &until, AWAKE)) {
			loop->os->poller_wake(loop->poller);
			return;
		}
	}
}

void kl_loop_post_by(struct klamm_loop *loop, struct kl_task *task, int64_t when)
{
	unsigned met = atomic_load(&loop->met);
	if (!atomic_exchange(&task->posted, true)) {
		struct kl_task *head =
			atomic_load_explicit(&loop->mailbox, memory_order_relaxed);
		do
			task->next = head;
		while (!atomic_compare_exchange_weak(&loop->mailbox, &head, task));
		/* The task may be gone by now. Somebody found it posted before it lay there,
		 * and woke the loop for nothing. */
		if (atomic_load(&loop->met) != met)
			when = AWAKE + 1;
	} else {
		atomic_fetch_add(&loop->met, 1);
	}
	/* Also for a task that lies there: it may have been posted for later. */
	kl_loop_wake_by(loop, when);
}

void kl_loop_post(struct klamm_loop *loop, struct kl_task *task)
{
	kl_loop_post_by(loop, task, AWAKE + 1);
}

/* Everything posted by now goes to the end of what is due, in the order of posting. */
static void empty_mailbox(struct klamm_loop *loop)
{
	struct kl_task *newest = atomic_exchange(&loop->mailbox, NULL);
	struct kl_task *oldest = NULL;
	while (newest != NULL) {
		struct kl_task *next = newest->next;
		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	struct kl_task **end = &loop->due;
	while (*end != NULL)
		end = &(*end)->next;
	*end = oldest;
}

/* What the tasks post is for the next round. */
static void run_mailbox(struct klamm_loop *loop)
{
	empty_mailbox(loop);
	struct kl_task *task;
	while ((task = loop->due) != NULL) {
		loop->due = task->next;
		atomic_store(&task->posted, false); /* from here it may be posted again */
		task->fn(task);
	}
}

void kl_loop_unpost(struct klamm_loop *loop, struct kl_task *task)
{
	if (!atomic_load(&task->posted))
		return;
	empty_mailbox(loop);
	for (struct kl_task **at = &loop->due; *at != NULL; at = &(*at)->next) {
		if (*at == task) {
			*at = task->next;
			break;
		}
	}
	atomic_store(&task->posted, false);
}

/* --- timers --- */

int kl_timer_init(struct klamm_loop *loop, struct kl_timer *timer,
		  void (*fn)(struct kl_timer *timer), struct klamm_error *err)
{
	if (!kl_heap_reserve(&loop->timers, loop->timer_count + 1))
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a timer");
	loop->timer_count++;
	*timer = (struct kl_timer){.fn = fn};
	return 0;
}

void kl_timer_set(struct klamm_loop *loop, struct kl_timer *timer, int64_t when)
{
	/* One that is set by a timer that runs, for now or before, has to wait for the next
	 * round: sockets and tasks get their turn. */
	if (loop->in_timers && when <= loop->now)
		when = loop->now + 1;
	if (when == KL_NEVER)
		kl_heap_remove(&loop->timers, &timer->node);
	else if (!kl_timer_armed(timer) || timer->node.key != when)
		kl_heap_set(&loop->timers, &timer->node, when);
}

void kl_timer_stop(struct klamm_loop *loop, struct kl_timer *timer)
{
	kl_heap_remove(&loop->timers, &timer->node);
}

void kl_timer_drop(struct klamm_loop *loop, struct kl_timer *timer)
{
	if (timer->fn == NULL)
		return;
	kl_heap_remove(&loop->timers, &timer->node);
	loop->timer_count--;
	timer->fn = NULL;
}

static void run_timers(struct klamm_loop *loop)
{
	struct kl_heap_node *first;
	loop->in_timers = true;
	while ((first = kl_heap_first(&loop->timers)) != NULL && first->key <= loop->now) {
		struct kl_timer *timer = kl_container(first, struct kl_timer, node);
		kl_heap_remove(&loop->timers, first);
		timer->fn(timer);
	}
	loop->in_timers = false;
}

/* --- sockets and hooks --- */

int kl_watch_set(struct klamm_loop *loop, struct kl_watch *watch, uint32_t events)
{
	if (watch->events == events)
		return 0;
	int rc = loop->os->poller_watch(loop->poller, watch->sock, events, watch);
	if (rc == 0)
		watch->events = events;
	return rc;
}

void kl_hook_add(struct klamm_loop *loop, struct kl_hook *hook)
{
	if (hook->link.next == NULL)
		kl_list_init(&hook->link);
	if (kl_list_empty(&hook->link))
		kl_list_push(&loop->hooks, &hook->link);
}

static void run_hooks(struct klamm_loop *loop)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&loop->hooks)) != NULL) {
		struct kl_hook *hook = kl_list_entry(link, struct kl_hook, link);
		hook->fn(hook);
	}
}

/* --- a step --- */

/* A watch may be freed by an event handled before it in the same round: closing a socket
 * takes its later events out of the round. */
struct round {
	struct kl_event events[EVENTS_PER_STEP];
	int count;
};

static void look_at_sockets(struct klamm_loop *loop, struct round *round, int64_t deadline)
{
	loop->looks++;
	round->count = loop->os->poller_wait(loop->poller, round->events, EVENTS_PER_STEP,
					     deadline);
}

static void run_events(struct klamm_loop *loop, struct round *round)
{
	loop->round = round;
	for (int i = 0; i < round->count; i++) {
		struct kl_watch *watch = round->events[i].tag;
		if (watch != NULL)
			watch->fn(watch, round->events[i].events);
	}
	loop->round = NULL;
}

void kl_watch_forget(struct klamm_loop *loop, struct kl_watch *watch)
{
	struct round *round = loop->round;
	for (int i = 0; round != NULL && i < round->count; i++)
		if (round->events[i].tag == watch)
			round->events[i].tag = NULL;
	watch->events = 0;
}

static bool is_late(const struct klamm_loop *loop)
{
	const struct kl_heap_node *first = kl_heap_first(&loop->timers);
	return first != NULL && first->key <= loop->now - LATE;
}

static int64_t next_deadline(const struct klamm_loop *loop, int64_t deadline)
{
	const struct kl_heap_node *first = kl_heap_first(&loop->timers);
	return first != NULL ? kl_min(deadline, first->key) : deadline;
}

bool kl_loop_step(struct klamm_loop *loop, int64_t deadline)
{
	if (atomic_exchange(&loop->stepping, true))
		return false;
	atomic_store(&loop->asleep_until, AWAKE);
	look_at_clock(loop);
	run_mailbox(loop);
	run_hooks(loop);

	/* Late timers have to wait: who stood still, or steps late, finds the answers in
	 * its sockets, in one look or a few, and must not take them for missing. */
	deadline = next_deadline(loop, deadline);
	bool sleeps = deadline > loop->now;
	if (sleeps) {
		atomic_store(&loop->asleep_until, deadline);
		if (atomic_load(&loop->mailbox) != NULL || loop->due != NULL ||
		    atomic_exchange(&loop->poked, false) || atomic_load(&loop->stop))
			deadline = 0;
	}
	struct round round;
	look_at_sockets(loop, &round, deadline);
	atomic_store(&loop->asleep_until, AWAKE);
	if (deadline > loop->now) /* else it has not slept */
		look_at_clock(loop);
	run_events(loop, &round);
	/* Once in any case: a process that is stopped in its sleep wakes without events. */
	for (int i = 0; i < LATE_LOOKS && (i == 0 || round.count > 0) && is_late(loop); i++) {
		look_at_sockets(loop, &round, 0);
		run_events(loop, &round);
	}
	run_mailbox(loop);
	run_timers(loop);
	run_hooks(loop);

	/* Between steps an application waits on the descriptor: wake it as if it slept. A
	 * thread of the loop's own begins the next step at once. */
	if (!loop->started) {
		atomic_store(&loop->asleep_until, next_deadline(loop, KL_NEVER));
		if (atomic_load(&loop->mailbox) != NULL || loop->due != NULL)
			kl_loop_wake_by(loop, AWAKE + 1);
	}
	atomic_store(&loop->stepping, false);
	return true;
}

static void loop_main(void *arg)
{
	struct klamm_loop *loop = arg;
	while (!atomic_load(&loop->stop))
		kl_loop_step(loop, KL_NEVER);
}

/* --- waiting for the loop --- */

int kl_gate_init(struct kl_os *os, struct kl_gate *gate)
{
	kl_mutex_init(&gate->mutex);
	atomic_init(&gate->waiters, 0);
	atomic_init(&gate->steppers, 0);
	return os->cond_init(os, &gate->cond);
}

void kl_gate_destroy(struct kl_os *os, struct kl_gate *gate)
{
	os->cond_destroy(os, &gate->cond);
	kl_mutex_destroy(&gate->mutex);
}

/* Who steps the loop for this gate may sleep in it. */
static void poke(struct klamm_loop *loop)
{
	atomic_store(&loop->poked, true);
	kl_loop_wake_by(loop, AWAKE + 1);
}

void kl_gate_wake(struct kl_os *os, struct kl_gate *gate)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&gate->steppers) > 0)
		poke(atomic_load(&gate->loop));
	if (atomic_load(&gate->waiters) == 0)
		return;
	kl_mutex_lock(&gate->mutex);
	os->cond_broadcast(os, &gate->cond);
	kl_mutex_unlock(&gate->mutex);
}

static bool gate_wait(struct kl_os *os, struct kl_gate *gate, bool (*ready)(void *arg),
		      void *arg, int64_t deadline)
{
	kl_mutex_lock(&gate->mutex);
	atomic_fetch_add(&gate->waiters, 1);
	bool yes;
	bool in_time = deadline > 0;
	while (!(yes = ready(arg)) && in_time)
		in_time = os->cond_wait(os, &gate->cond, &gate->mutex, deadline);
	atomic_fetch_sub(&gate->waiters, 1);
	kl_mutex_unlock(&gate->mutex);
	return yes;
}

/* While another thread steps the loop, look again this often whether it still does. */
#define OTHER_STEPPER_LOOK (1 * KL_MS)

static bool step_until(struct klamm_loop *loop, struct kl_gate *gate,
		       bool (*ready)(void *arg), void *arg, int64_t deadline)
{
	struct kl_os *os = loop->os;
	for (;;) {
		if (ready(arg))
			return true;
		/* Even a wait of no length does one round, so that polling makes progress. */
		bool stepped = kl_loop_step(loop, deadline);
		int64_t now = deadline > 0 ? os->now(os) : 0;
		if (now >= deadline)
			return ready(arg);
		if (!stepped)
			gate_wait(os, gate, ready, arg,
				  kl_min(deadline, now + OTHER_STEPPER_LOOK));
	}
}

bool kl_loop_wait(struct klamm_loop *loop, struct kl_gate *gate, bool (*ready)(void *arg),
		  void *arg, int64_t deadline)
{
	if (!kl_loop_is_driven(loop))
		return gate_wait(loop->os, gate, ready, arg, deadline);
	atomic_store(&gate->loop, loop);
	atomic_fetch_add(&gate->steppers, 1);
	bool yes = step_until(loop, gate, ready, arg, deadline);
	atomic_fetch_sub(&gate->steppers, 1);
	return yes;
}

/* --- callbacks of the application --- */

bool kl_loop_in_callback(struct kl_os *os)
{
	return *os->callback_depth(os) > 0;
}

void kl_loop_enter_callback(struct kl_os *os)
{
	++*os->callback_depth(os);
}

void kl_loop_leave_callback(struct kl_os *os)
{
	--*os->callback_depth(os);
}

int kl_loop_may_wait(struct kl_os *os, struct klamm_error *err)
{
	if (kl_loop_in_callback(os))
		return kl_error(err, KLAMM_ERR_WOULD_BLOCK,
				"this call waits, which a callback must not");
	return 0;
}

struct call {
	struct kl_task task;
	struct kl_gate gate;
	void (*fn)(void *arg);
	void *arg;
	atomic_bool done;
	struct kl_os *os;
};

static void run_call(struct kl_task *task)
{
	struct call *call = kl_container(task, struct call, task);
	call->fn(call->arg);
	/* Under the mutex: once the caller sees done, the gate is gone. */
	kl_mutex_lock(&call->gate.mutex);
	atomic_store(&call->done, true);
	call->os->cond_broadcast(call->os, &call->gate.cond);
	kl_mutex_unlock(&call->gate.mutex);
}

static bool call_is_done(void *arg)
{
	return atomic_load(&((struct call *)arg)->done);
}

void kl_loop_call(struct klamm_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct call call = {
		.task = {.fn = run_call}, .fn = fn, .arg = arg, .os = loop->os};
	kl_gate_init(loop->os, &call.gate);
	kl_loop_post(loop, &call.task);
	kl_loop_wait(loop, &call.gate, call_is_done, &call, KL_NEVER);
	/* The loop may still be inside the unlock. */
	kl_mutex_lock(&call.gate.mutex);
	kl_mutex_unlock(&call.gate.mutex);
	kl_gate_destroy(loop->os, &call.gate);
}

/* --- the public face --- */

static unsigned number_of(const struct klamm_conf *conf, const char *key, unsigned otherwise)
{
	const char *text = kl_conf_lookup(conf, key);
	long n = text != NULL ? strtol(text, NULL, 10) : 0;
	return n > 0 ? (unsigned)kl_min(n, (long)KL_POOL_MAX) : otherwise;
}

int klamm_loop_new(const struct klamm_conf *conf, struct klamm_loop **loop_out,
		   struct klamm_error *err)
{
	struct klamm_loop *loop;
	int rc = kl_loop_new(kl_os_real(), conf != NULL ? kl_conf_log(conf) : NULL, &loop,
			     err);
	if (rc != 0)
		return rc;
	if (conf != NULL)
		kl_loop_set_pools(loop, number_of(conf, "klamm.codec.threads", CPU_WORKERS),
				  number_of(conf, "klamm.blocking.threads", BLOCKING_WORKERS));
	*loop_out = loop;
	return 0;
}

bool kl_loop_is_forked(const struct klamm_loop *loop)
{
	return atomic_load(loop->ours) == 0;
}

int kl_loop_check_fork(const struct klamm_loop *loop, struct klamm_error *err)
{
	if (kl_loop_is_forked(loop))
		return kl_error(err, KLAMM_ERR_FORKED,
				"this loop belongs to the parent process");
	return 0;
}

int klamm_loop_start(struct klamm_loop *loop, struct klamm_error *err)
{
	int rc = kl_loop_check_fork(loop, err);
	if (rc != 0)
		return rc;
	if (loop->started)
		return kl_error(err, KLAMM_ERR_STATE, "this loop already has a thread");
	loop->started = true;
	rc = loop->os->thread_start(loop->os, "klamm-loop", loop_main, loop, &loop->thread);
	if (rc < 0) {
		loop->started = false;
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot start the loop's thread: %s",
				strerror(-rc));
	}
	return 0;
}

void klamm_loop_free(struct klamm_loop *loop)
{
	/* In a child after a fork there are no threads to join, and the descriptors are shared
	 * with the parent. */
	if (loop == NULL || kl_loop_is_forked(loop))
		return;
	struct kl_os *os = loop->os;
	if (loop->thread != NULL) {
		atomic_store(&loop->stop, true);
		os->poller_wake(loop->poller);
		os->thread_join(os, loop->thread);
		loop->thread = NULL;
	}
	kl_pool_close(&loop->cpu);
	kl_pool_close(&loop->blocking);
	run_mailbox(loop); /* jobs that ended just now */
	os->poller_free(loop->poller);
	os->fork_page_free(os, loop->ours);
	kl_heap_free(&loop->timers);
	free(loop);
}

int klamm_loop_fd(const struct klamm_loop *loop)
{
	return loop->os->poller_fd(loop->poller);
}

/* What a step left behind, so that any thread may ask: timers belong to who steps. */
int64_t klamm_loop_timeout_ms(const struct klamm_loop *loop)
{
	int64_t until = atomic_load(&loop->asleep_until);
	if (until == KL_NEVER)
		return -1;
	int64_t left = until == AWAKE ? 0 : until - loop->os->now(loop->os);
	return left <= 0 ? 0 : kl_min((left - 1) / KL_MS + 1, (int64_t)INT_MAX);
}

int klamm_loop_step(struct klamm_loop *loop, int64_t timeout_ms, struct klamm_error *err)
{
	int rc = kl_loop_check_fork(loop, err);
	if (rc == 0)
		rc = kl_loop_may_wait(loop->os, err);
	if (rc != 0)
		return rc;
	if (loop->started)
		return kl_error(err, KLAMM_ERR_STATE,
				"this loop has a thread of its own that steps it");
	int64_t deadline = timeout_ms == 0 ? 0 : kl_os_deadline_ms(loop->os, timeout_ms);
	if (!kl_loop_step(loop, deadline))
		return kl_error(err, KLAMM_ERR_WOULD_BLOCK,
				"another thread is stepping the loop");
	return 0;
}

void klamm_loop_wake(struct klamm_loop *loop)
{
	if (kl_loop_is_forked(loop))
		return; /* it would wake the parent's */
	loop->os->poller_wake(loop->poller);
}
