/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers, tasks from other threads, sleeping and waking, stepped by hand and by a thread. */
#include "core/net/loop.h"

#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct klamm_loop *loop;
static struct kl_os *os;

static void set_up(void)
{
	os = kl_os_real();
	ck_assert_int_eq(kl_loop_new(os, NULL, &loop, NULL), 0);
}

static void tear_down(void)
{
	klamm_loop_free(loop);
}

/* --- timers --- */

struct tick {
	struct kl_timer timer;
	int32_t fired;
	int64_t again_us; /* > 0: arms itself again */
};

static void on_tick(struct kl_timer *timer)
{
	struct tick *tick = kl_container(timer, struct tick, timer);
	tick->fired++;
	if (tick->again_us > 0)
		kl_timer_set(loop, timer, loop->now + tick->again_us);
}

START_TEST(timers_in_order)
{
	struct tick a = {0}, b = {0}, c = {0};
	ck_assert_int_eq(kl_timer_init(loop, &a.timer, on_tick, NULL), 0);
	ck_assert_int_eq(kl_timer_init(loop, &b.timer, on_tick, NULL), 0);
	ck_assert_int_eq(kl_timer_init(loop, &c.timer, on_tick, NULL), 0);
	ck_assert_int_eq(klamm_loop_timeout_ms(loop), -1);
	int64_t start = os->now(os);
	kl_timer_set(loop, &a.timer, start + 300 * KL_MS);
	kl_timer_set(loop, &b.timer, start + 5 * KL_MS);
	kl_timer_set(loop, &c.timer, start + 5 * KL_MS);
	kl_timer_stop(loop, &c.timer);
	ck_assert(kl_timer_armed(&a.timer) && !kl_timer_armed(&c.timer));
	ck_assert(kl_loop_step(loop, 0)); /* a step leaves word of when the next one is due */
	int64_t left = klamm_loop_timeout_ms(loop);
	ck_assert(left >= 0 && (left <= 5 || b.fired > 0)); /* on a busy machine it may be */

	while (b.fired == 0)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	ck_assert_int_ge(os->now(os), start + 5 * KL_MS);
	ck_assert(a.fired == 0 || os->now(os) >= start + 300 * KL_MS);
	while (a.fired == 0)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	ck_assert_int_ge(os->now(os), start + 300 * KL_MS);
	ck_assert_int_eq(c.fired, 0);
	kl_timer_set(loop, &a.timer, KL_NEVER - 1); /* poll() takes an int */
	ck_assert(kl_loop_step(loop, 0));
	ck_assert_int_eq(klamm_loop_timeout_ms(loop), INT_MAX);
	kl_timer_set(loop, &a.timer, loop->now);
	kl_timer_set(loop, &a.timer, KL_NEVER); /* never is the same as stopped */
	ck_assert(!kl_timer_armed(&a.timer));
	kl_timer_drop(loop, &a.timer);
	kl_timer_drop(loop, &a.timer);
	kl_timer_drop(loop, &b.timer);
	kl_timer_drop(loop, &c.timer);
	ck_assert_uint_eq(loop->timer_count, 0);
}
END_TEST

START_TEST(timer_rearms_itself)
{
	struct tick tick = {.again_us = 500};
	ck_assert_int_eq(kl_timer_init(loop, &tick.timer, on_tick, NULL), 0);
	tick.again_us = 500;
	kl_timer_set(loop, &tick.timer, 0);
	while (tick.fired < 5)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	kl_timer_drop(loop, &tick.timer);
}
END_TEST

/* Armed for the past by itself: once a round, and nothing else is kept from its turn. */
static void on_past(struct kl_timer *timer)
{
	kl_container(timer, struct tick, timer)->fired++;
	kl_timer_set(loop, timer, loop->now - KL_SECOND);
}

START_TEST(timer_in_the_past_does_not_spin)
{
	struct tick past = {0};
	ck_assert_int_eq(kl_timer_init(loop, &past.timer, on_past, NULL), 0);
	kl_timer_set(loop, &past.timer, 0);
	for (int i = 1; i <= 10; i++) {
		ck_assert(kl_loop_step(loop, KL_NEVER));
		ck_assert_int_eq(past.fired, i);
	}
	kl_timer_drop(loop, &past.timer);
}
END_TEST

/* --- tasks --- */

struct step {
	struct kl_task task;
	int32_t *order;
	int32_t number, ran;
};

static void on_step(struct kl_task *task)
{
	struct step *step = kl_container(task, struct step, task);
	step->ran++;
	*step->order = *step->order * 10 + step->number;
}

START_TEST(tasks_run_in_order_and_once)
{
	int32_t order = 0;
	struct step steps[3];
	for (int32_t i = 0; i < 3; i++)
		steps[i] = (struct step){{.fn = on_step}, &order, i + 1, 0};
	for (int32_t i = 0; i < 3; i++)
		kl_loop_post(loop, &steps[i].task);
	kl_loop_post(loop, &steps[1].task);
	ck_assert_int_eq(klamm_loop_timeout_ms(loop), 0);
	kl_loop_step(loop, 0);
	ck_assert_int_eq(order, 123);
	kl_loop_post(loop, &steps[1].task);
	kl_loop_post(loop, &steps[0].task);
	kl_loop_unpost(loop, &steps[1].task);
	kl_loop_unpost(loop, &steps[2].task);
	kl_loop_step(loop, 0);
	ck_assert_int_eq(order, 1231);
}
END_TEST

/* Four threads post to a loop that sleeps, each its own task again and again. */
#define POSTERS 4
#define POSTS 5000

struct poster {
	struct kl_task task;
	struct kl_thread *thread;
	atomic_int posted, ran;
};

static void count_run(struct kl_task *task)
{
	atomic_fetch_add(&kl_container(task, struct poster, task)->ran, 1);
}

static void post_many(void *arg)
{
	struct poster *poster = arg;
	for (int i = 0; i < POSTS; i++) {
		int before = atomic_load(&poster->ran);
		kl_loop_post(loop, &poster->task);
		/* Each post is answered: a lost wake-up would hang here. */
		while (i % 16 == 0 && atomic_load(&poster->ran) == before)
			sched_yield();
	}
}

START_TEST(no_wake_up_is_lost)
{
	static struct poster posters[POSTERS];
	ck_assert_int_eq(klamm_loop_start(loop, NULL), 0);
	ck_assert_int_eq(klamm_loop_start(loop, NULL), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_loop_step(loop, 0, NULL), KLAMM_ERR_STATE);
	for (int i = 0; i < POSTERS; i++) {
		posters[i].task.fn = count_run;
		ck_assert_int_eq(os->thread_start(os, "poster", post_many, &posters[i],
						  &posters[i].thread), 0);
	}
	for (int i = 0; i < POSTERS; i++) {
		os->thread_join(os, posters[i].thread);
		ck_assert_int_ge(atomic_load(&posters[i].ran), POSTS / 16);
		ck_assert_int_le(atomic_load(&posters[i].ran), POSTS);
	}
}
END_TEST

static void wake_soon(void *arg)
{
	struct poster *poster = arg;
	kl_loop_post_by(loop, &poster->task, os->now(os) + 10 * KL_SECOND);
}

START_TEST(post_by_leaves_it_asleep)
{
	struct poster poster = {.task = {.fn = count_run}};
	struct tick tick = {0};
	ck_assert_int_eq(kl_timer_init(loop, &tick.timer, on_tick, NULL), 0);
	kl_timer_set(loop, &tick.timer, os->now(os) + 30 * KL_MS);
	struct kl_thread *thread;
	ck_assert_int_eq(os->thread_start(os, "late", wake_soon, &poster, &thread), 0);
	kl_loop_step(loop, kl_os_deadline_ms(os, 1000));
	os->thread_join(os, thread);
	/* The post had ten seconds: it ran with the timer, not before. */
	while (tick.fired == 0)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	kl_loop_step(loop, 0);
	ck_assert_int_eq(atomic_load(&poster.ran), 1);
	kl_timer_drop(loop, &tick.timer);
}
END_TEST

/* --- stepping --- */

struct nested {
	struct kl_task task;
	int code;
	bool stepped;
};

static void step_inside(struct kl_task *task)
{
	struct nested *nested = kl_container(task, struct nested, task);
	nested->code = klamm_loop_step(loop, 0, NULL);
	nested->stepped = kl_loop_step(loop, 0);
}

START_TEST(stepping_inside_a_step_is_refused)
{
	struct nested nested = {.task = {.fn = step_inside}, .stepped = true};
	kl_loop_post(loop, &nested.task);
	ck_assert_int_eq(klamm_loop_step(loop, 0, NULL), 0);
	ck_assert_int_eq(nested.code, KLAMM_ERR_WOULD_BLOCK);
	ck_assert(!nested.stepped);
}
END_TEST

START_TEST(step_waits_and_wakes)
{
	int64_t start = os->now(os);
	ck_assert_int_eq(klamm_loop_step(loop, 20, NULL), 0);
	ck_assert_int_ge(os->now(os), start + 20 * KL_MS);
	klamm_loop_wake(loop);
	ck_assert_int_eq(klamm_loop_step(loop, -1, NULL), 0);
	ck_assert_int_ge(klamm_loop_fd(loop), 0);
}
END_TEST

struct hooked {
	struct kl_hook hook;
	struct kl_task task;
	int32_t calls;
};

static void on_hook(struct kl_hook *hook)
{
	kl_container(hook, struct hooked, hook)->calls++;
}

static void ask_twice(struct kl_task *task)
{
	struct hooked *hooked = kl_container(task, struct hooked, task);
	kl_hook_add(loop, &hooked->hook);
	kl_hook_add(loop, &hooked->hook);
}

START_TEST(hooks_run_once_a_step)
{
	struct hooked hooked = {.hook = {.fn = on_hook}, .task = {.fn = ask_twice}};
	kl_loop_post(loop, &hooked.task);
	kl_loop_step(loop, 0);
	ck_assert_int_eq(hooked.calls, 1);
	kl_loop_step(loop, 0);
	ck_assert_int_eq(hooked.calls, 1);
}
END_TEST

/* --- waiting for the loop --- */

static void set_flag(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
}

START_TEST(call_runs_in_the_loop)
{
	atomic_bool called = false;
	if (_i == 1)
		ck_assert_int_eq(klamm_loop_start(loop, NULL), 0);
	for (int i = 0; i < 200; i++) {
		atomic_store(&called, false);
		kl_loop_call(loop, set_flag, &called);
		ck_assert(atomic_load(&called));
	}
}
END_TEST

static bool never(void *arg)
{
	return false;
}

START_TEST(wait_ends_at_its_deadline)
{
	struct kl_gate gate;
	ck_assert_int_eq(kl_gate_init(os, &gate), 0);
	if (_i == 1)
		ck_assert_int_eq(klamm_loop_start(loop, NULL), 0);
	int64_t deadline = kl_os_deadline_ms(os, 15);
	ck_assert(!kl_loop_wait(loop, &gate, never, NULL, deadline));
	ck_assert_int_ge(os->now(os), deadline);
	ck_assert_int_lt(os->now(os), deadline + 5 * KL_SECOND);
	kl_gate_wake(os, &gate);
	kl_gate_destroy(os, &gate);
}
END_TEST

static struct kl_gate gate;

static void wake_later(void *arg)
{
	usleep(20 * 1000);
	atomic_store((atomic_bool *)arg, true);
	kl_gate_wake(os, &gate);
}

static bool flag_is_set(void *arg)
{
	return atomic_load((atomic_bool *)arg);
}

/* The waiting thread steps the loop itself, and sleeps in the poller. */
START_TEST(gate_wakes_who_steps)
{
	atomic_bool flag = false;
	struct kl_thread *thread;
	ck_assert_int_eq(kl_gate_init(os, &gate), 0);
	if (_i == 1)
		ck_assert_int_eq(klamm_loop_start(loop, NULL), 0);
	ck_assert_int_eq(os->thread_start(os, "waker", wake_later, &flag, &thread), 0);
	ck_assert(kl_loop_wait(loop, &gate, flag_is_set, &flag, KL_NEVER));
	os->thread_join(os, thread);
	kl_gate_destroy(os, &gate);
}
END_TEST

START_TEST(no_step_in_a_callback)
{
	struct klamm_error err;
	kl_loop_enter_callback(os);
	ck_assert_int_eq(klamm_loop_step(loop, 0, &err), KLAMM_ERR_WOULD_BLOCK);
	kl_loop_leave_callback(os);
	ck_assert_int_eq(klamm_loop_step(loop, 0, &err), 0);
	ck_assert_int_eq(klamm_loop_start(loop, &err), 0);
	ck_assert_int_eq(klamm_loop_step(loop, 0, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_loop_start(loop, &err), KLAMM_ERR_STATE);
}
END_TEST

START_TEST(child_leaves_the_loop_alone)
{
	if (_i == 1)
		ck_assert_int_eq(klamm_loop_start(loop, NULL), 0);
	pid_t child = fork();
	if (child == 0) {
		struct klamm_error err;
		int step = klamm_loop_step(loop, 0, &err);
		int start = klamm_loop_start(loop, &err);
		klamm_loop_free(loop);
		_exit(step == KLAMM_ERR_FORKED && start == KLAMM_ERR_FORKED ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	atomic_bool called = false;
	kl_loop_call(loop, set_flag, &called);
	ck_assert(atomic_load(&called));
}
END_TEST

UNIT_SUITE(loop)
{
	Suite *s = suite_create("loop");
	unit_add_fixture(s, timers_in_order, set_up, tear_down);
	unit_add_fixture(s, timer_rearms_itself, set_up, tear_down);
	unit_add_fixture(s, timer_in_the_past_does_not_spin, set_up, tear_down);
	unit_add_fixture(s, tasks_run_in_order_and_once, set_up, tear_down);
	unit_add_fixture(s, no_wake_up_is_lost, set_up, tear_down);
	unit_add_fixture(s, post_by_leaves_it_asleep, set_up, tear_down);
	unit_add_fixture(s, stepping_inside_a_step_is_refused, set_up, tear_down);
	unit_add_fixture(s, step_waits_and_wakes, set_up, tear_down);
	unit_add_fixture(s, hooks_run_once_a_step, set_up, tear_down);
	unit_add_case(s, "call_runs_in_the_loop", call_runs_in_the_loop, set_up, tear_down, 2);
	unit_add_case(s, "wait_ends_at_its_deadline", wait_ends_at_its_deadline, set_up,
		      tear_down, 2);
	unit_add_case(s, "gate_wakes_who_steps", gate_wakes_who_steps, set_up, tear_down, 2);
	unit_add_fixture(s, no_step_in_a_callback, set_up, tear_down);
	unit_add_case(s, "child_leaves_the_loop_alone", child_leaves_the_loop_alone, set_up,
		      tear_down, 2);
	return s;
}
