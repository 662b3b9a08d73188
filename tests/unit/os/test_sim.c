/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated world: time, fibers, conditions, what ends a run, and that runs repeat. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "core/os/sim.h"
#include "tests/unit/unit.h"

static struct kl_sim *sim;
static struct kl_sim_node *node;
static struct kl_os *os;

static void begin(uint64_t seed)
{
	sim = kl_sim_new(seed, NULL);
	node = kl_sim_node(sim, "one");
	os = kl_sim_os(node);
}

static void set_up(void)
{
	begin(7);
}

static void tear_down(void)
{
	kl_sim_free(sim);
}

static char *describe(void)
{
	struct kl_buf text = {0};
	kl_sim_describe(sim, &text);
	ck_assert(!text.failed);
	kl_buf_text(&text);
	return (char *)text.data;
}

static void run(int64_t limit_us)
{
	enum kl_sim_end end = kl_sim_run(sim, limit_us);
	if (end != KL_SIM_DONE)
		ck_abort_msg("end %d: %s", end, describe());
}

/* A member that os.h gained and this world did not. */
START_TEST(whole_vtable)
{
	void *const *member = (void *const *)os;
	for (size_t i = 0; i < sizeof(*os) / sizeof(*member); i++)
		ck_assert_msg(member[i] != NULL, "member %zu of struct kl_os is missing", i);
}
END_TEST

/* --- time --- */

static int order[64], order_count;

struct sleeper {
	int64_t us;
	int id;
};

static void sleep_and_note(void *arg)
{
	const struct sleeper *s = arg;
	int64_t before = os->now(os);
	kl_sim_sleep(sim, s->us);
	int64_t slept = os->now(os) - before;
	/* Late by no more than the runs of the few others. */
	ck_assert_int_ge(slept, s->us);
	ck_assert_int_le(slept, s->us + 200);
	order[order_count++] = s->id;
}

START_TEST(timers_fire_in_order)
{
	struct sleeper sleepers[20];
	for (int i = 0; i < 20; i++) {
		sleepers[i] = (struct sleeper){(i * 7 % 20 + 1) * KL_SECOND, i * 7 % 20};
		kl_sim_spawn(node, "sleeper", sleep_and_note, &sleepers[i]);
	}
	run(21 * KL_SECOND);
	ck_assert_int_eq(order_count, 20);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(order[i], i);
}
END_TEST

START_TEST(wall_clock)
{
	int64_t wall = os->wall_ms(os), now = os->now(os);
	ck_assert_int_gt(now, 0);
	struct sleeper s = {3 * KL_SECOND, 0};
	kl_sim_spawn(node, "sleeper", sleep_and_note, &s);
	run(4 * KL_SECOND);
	ck_assert_int_eq(os->wall_ms(os) - wall, os->now(os) / KL_MS - now / KL_MS);
	ck_assert_int_le(os->wall_coarse_ms(os), os->wall_ms(os));
	ck_assert_int_gt(os->wall_coarse_ms(os), os->wall_ms(os) - 4);
	now = os->now(os);
	wall = os->wall_ms(os);
	kl_sim_clock_jump(node, -86400000);
	ck_assert_int_eq(os->wall_ms(os), wall - 86400000);
	ck_assert_int_eq(os->now(os), now);
}
END_TEST

static int64_t called_at;

static void note_call(void *arg)
{
	called_at = kl_sim_now(sim);
}

START_TEST(calls_between_fibers)
{
	int64_t when = kl_sim_now(sim) + 1234567;
	kl_sim_at(sim, when, note_call, NULL);
	kl_sim_at(sim, when + KL_SECOND, note_call, NULL); /* never reached */
	struct sleeper s = {2 * KL_SECOND, 0};
	kl_sim_spawn(node, "sleeper", sleep_and_note, &s);
	run(3 * KL_SECOND);
	ck_assert_int_eq(called_at, when);
}
END_TEST

/* --- threads and conditions --- */

struct shared {
	struct kl_mutex mutex;
	struct kl_cond cond;
	int value, waiting;
	bool timed_out;
};

static struct shared shared;

static void shared_init(void)
{
	kl_mutex_init(&shared.mutex);
	ck_assert_int_eq(os->cond_init(os, &shared.cond), 0);
}

static void shared_destroy(void)
{
	os->cond_destroy(os, &shared.cond);
	kl_mutex_destroy(&shared.mutex);
}

static void wait_for_value(void *arg)
{
	kl_mutex_lock(&shared.mutex);
	shared.waiting++;
	while (shared.value == 0)
		os->cond_wait(os, &shared.cond, &shared.mutex, KL_NEVER);
	shared.value++;
	kl_mutex_unlock(&shared.mutex);
}

static void start_and_join(void *arg)
{
	struct kl_thread *threads[5];
	for (int i = 0; i < 5; i++)
		if (os->thread_start(os, "waiter", wait_for_value, NULL, &threads[i]) != 0)
			ck_abort();
	while (shared.waiting < 5)
		kl_sim_sleep(sim, 100);
	kl_mutex_lock(&shared.mutex);
	shared.value = 1;
	os->cond_broadcast(os, &shared.cond);
	kl_mutex_unlock(&shared.mutex);
	for (int i = 0; i < 5; i++)
		os->thread_join(os, threads[i]);
	ck_assert_int_eq(shared.value, 6);
}

START_TEST(threads_and_broadcast)
{
	shared_init();
	kl_sim_spawn(node, "main", start_and_join, NULL);
	run(KL_SECOND);
	shared_destroy();
}
END_TEST

static void leave_threads(void *arg)
{
	struct kl_thread *threads[2];
	for (int i = 0; i < 2; i++)
		if (os->thread_start(os, "left", wait_for_value, NULL, &threads[i]) != 0)
			ck_abort();
	while (shared.waiting < 2)
		kl_sim_sleep(sim, 100);
	os->thread_leave(os, threads[0]);
	kl_mutex_lock(&shared.mutex);
	shared.value = 1;
	os->cond_broadcast(os, &shared.cond);
	kl_mutex_unlock(&shared.mutex);
	if (*(int *)arg == 1) /* the second one after its end */
		kl_sim_sleep(sim, KL_SECOND);
	os->thread_leave(os, threads[1]);
}

/* A run lasts until they have ended. */
START_TEST(left_threads)
{
	shared_init();
	int late = _i;
	kl_sim_spawn(node, "main", leave_threads, &late);
	run(10 * KL_SECOND);
	ck_assert_int_eq(shared.value, 3);
	shared_destroy();
}
END_TEST

static void wait_a_second(void *arg)
{
	int64_t deadline = os->now(os) + KL_SECOND;
	kl_mutex_lock(&shared.mutex);
	shared.timed_out = !os->cond_wait(os, &shared.cond, &shared.mutex, deadline);
	/* The mutex is ours again. */
	ck_assert_int_ne(pthread_mutex_trylock(&shared.mutex.m), 0);
	kl_mutex_unlock(&shared.mutex);
	ck_assert_int_ge(os->now(os), deadline);
	ck_assert_int_lt(os->now(os), deadline + KL_MS);
	kl_mutex_lock(&shared.mutex);
	ck_assert(!os->cond_wait(os, &shared.cond, &shared.mutex, 0));
	kl_mutex_unlock(&shared.mutex);
}

START_TEST(cond_times_out)
{
	shared_init();
	kl_sim_spawn(node, "main", wait_a_second, NULL);
	run(2 * KL_SECOND);
	ck_assert(shared.timed_out);
	shared_destroy();
}
END_TEST

static void count_wakes(void *arg)
{
	int *wakes = arg;
	int64_t deadline = os->now(os) + 100 * KL_MS;
	kl_mutex_lock(&shared.mutex);
	while (os->cond_wait(os, &shared.cond, &shared.mutex, deadline))
		++*wakes;
	kl_mutex_unlock(&shared.mutex);
}

START_TEST(cond_wakes_without_reason)
{
	int wakes = 0;
	shared_init();
	kl_sim_faults(sim)->spurious = 900000;
	kl_sim_spawn(node, "main", count_wakes, &wakes);
	run(KL_SECOND);
	ck_assert_int_gt(wakes, 0);
	shared_destroy();
}
END_TEST

static struct kl_poller *poller;

static void wait_on_poller(void *arg)
{
	struct kl_event event;
	int64_t before = os->now(os);
	ck_assert_int_eq(os->poller_wait(poller, &event, 1, before + 10 * KL_SECOND), 0);
	ck_assert_int_lt(os->now(os), before + KL_SECOND);
	/* One that came before the wait counts too, once. */
	os->poller_wake(poller);
	ck_assert_int_eq(os->poller_wait(poller, &event, 1, KL_NEVER), 0);
	before = os->now(os);
	ck_assert_int_eq(os->poller_wait(poller, &event, 1, before + KL_SECOND), 0);
	ck_assert_int_ge(os->now(os), before + KL_SECOND);
}

static void wake_poller(void *arg)
{
	kl_sim_sleep(sim, 5 * KL_MS);
	os->poller_wake(poller);
}

START_TEST(poller_wakes)
{
	ck_assert_int_eq(os->poller_new(os, &poller), 0);
	kl_sim_spawn(node, "waits", wait_on_poller, NULL);
	kl_sim_spawn(node, "wakes", wake_poller, NULL);
	run(12 * KL_SECOND);
	os->poller_free(poller);
}
END_TEST

static void use_stack(void *arg)
{
	volatile char room[100 * 1024];
	memset((char *)room, 1, sizeof(room));
	double third = 1.0 / *(volatile int *)arg;
	kl_sim_sleep(sim, 10);
	ck_assert_int_eq(room[0] + room[sizeof(room) - 1], 2);
	ck_assert_double_eq_tol(third * 3, 1.0, 1e-12);
}

START_TEST(stacks_and_registers_survive)
{
	int three = 3;
	for (int i = 0; i < 50; i++)
		kl_sim_spawn(node, "deep", use_stack, &three);
	run(KL_SECOND);
}
END_TEST

/* --- how a run ends --- */

static void wait_forever(void *arg)
{
	kl_mutex_lock(&shared.mutex);
	for (;;)
		os->cond_wait(os, &shared.cond, &shared.mutex, KL_NEVER);
}

START_TEST(deadlock_is_told)
{
	shared_init();
	kl_sim_spawn(node, "stuck", wait_forever, NULL);
	ck_assert_int_eq(kl_sim_run(sim, KL_SECOND), KL_SIM_DEADLOCK);
	char *text = describe();
	ck_assert_msg(strstr(text, "one/stuck") != NULL &&
			      strstr(text, "waits for a condition") != NULL,
		      "%s", text);
	free(text);
}
END_TEST

START_TEST(time_limit)
{
	int64_t before = kl_sim_now(sim);
	struct sleeper s = {3 * KL_SECOND, 1};
	kl_sim_spawn(node, "sleeper", sleep_and_note, &s);
	ck_assert_int_eq(kl_sim_run(sim, KL_SECOND), KL_SIM_TIME_LIMIT);
	ck_assert_int_eq(kl_sim_now(sim), before + KL_SECOND);
	run(3 * KL_SECOND); /* and on */
	ck_assert_int_eq(order_count, 1);
}
END_TEST

static void poll_without_waiting(void *arg)
{
	struct kl_event event;
	int64_t end = os->now(os) + 10 * KL_MS;
	while (os->now(os) < end)
		os->poller_wait(poller, &event, 1, 0);
}

START_TEST(a_spinning_loop_gets_on)
{
	ck_assert_int_eq(os->poller_new(os, &poller), 0);
	kl_sim_spawn(node, "spins", poll_without_waiting, NULL);
	run(KL_SECOND);
	os->poller_free(poller);
}
END_TEST

static void block_with_mutex(void *arg)
{
	kl_mutex_lock(&shared.mutex);
	kl_sim_sleep(sim, 5 * KL_SECOND);
	kl_mutex_unlock(&shared.mutex);
}

START_TEST(mutex_over_blocking_call)
{
	shared_init();
	kl_sim_spawn(node, "first", wait_a_second, NULL);
	kl_sim_spawn(node, "second", block_with_mutex, NULL);
	kl_sim_run(sim, 10 * KL_SECOND); /* aborts */
}
END_TEST

/* One fiber sleeps with a mutex, another locks it: the one real thread hangs, until the
 * watchdog ends it. */
START_TEST(watchdog_barks)
{
	struct kl_sim_opts opts = {.watchdog_s = 1};
	sim = kl_sim_new(1, &opts);
	node = kl_sim_node(sim, "one");
	os = kl_sim_os(node);
	shared_init();
	kl_sim_spawn(node, "first", block_with_mutex, NULL);
	kl_sim_spawn(node, "second", block_with_mutex, NULL);
	kl_sim_run(sim, 10 * KL_SECOND); /* aborts */
}
END_TEST

START_TEST(services_are_not_waited_for)
{
	shared_init();
	kl_sim_spawn_service(node, "service", wait_forever, NULL);
	struct sleeper s = {KL_SECOND, 0};
	kl_sim_spawn(node, "sleeper", sleep_and_note, &s);
	run(2 * KL_SECOND);
}
END_TEST

/* --- stops and kills --- */

static int steps;

static void step_forever(void *arg)
{
	/* Lost with the fiber when its node is killed. */
	char *memory = malloc(100);
	for (;;) {
		memory[0] = (char)steps++;
		kl_sim_sleep(sim, KL_MS);
	}
}

static void watch_steps(void *arg)
{
	struct kl_sim_node *other = arg;
	kl_sim_sleep(sim, 100 * KL_MS);
	int at_pause = steps;
	ck_assert_int_gt(at_pause, 90);
	kl_sim_pause(other, true);
	kl_sim_sleep(sim, 100 * KL_MS);
	ck_assert_int_eq(steps, at_pause);
	kl_sim_pause(other, false);
	kl_sim_sleep(sim, 100 * KL_MS);
	ck_assert_int_gt(steps, at_pause + 90);
	int at_kill = steps;
	kl_sim_kill(other, false);
	kl_sim_sleep(sim, 100 * KL_MS);
	ck_assert_int_eq(steps, at_kill);
}

START_TEST(pause_and_kill)
{
	struct kl_sim_node *other = kl_sim_node(sim, "other");
	kl_sim_node_mortal(other);
	kl_sim_spawn(other, "victim", step_forever, NULL);
	kl_sim_spawn(node, "main", watch_steps, other);
	run(KL_SECOND);
}
END_TEST

/* --- runs repeat --- */

static void wander(void *arg)
{
	uint8_t byte;
	for (int i = 0; i < 50; i++) {
		os->random(os, &byte, 1);
		kl_sim_sleep(sim, byte);
		order[order_count++ % 64] = *(int *)arg;
	}
}

static uint64_t hash_of(uint64_t seed)
{
	static int ids[3] = {0, 1, 2};
	begin(seed);
	for (int i = 0; i < 3; i++)
		kl_sim_spawn(node, "wanderer", wander, &ids[i]);
	run(KL_SECOND);
	uint64_t hash = kl_sim_hash(sim);
	kl_sim_free(sim);
	return hash;
}

START_TEST(same_seed_same_run)
{
	uint64_t seen[50];
	for (uint64_t seed = 0; seed < 50; seed++) {
		seen[seed] = hash_of(seed);
		ck_assert_uint_eq(hash_of(seed), seen[seed]);
		for (uint64_t other = 0; other < seed; other++)
			ck_assert_uint_ne(seen[other], seen[seed]);
	}
}
END_TEST

static void one_switch_each(void *arg)
{
	for (int i = 0; i < 50000; i++)
		kl_sim_sleep(sim, 1);
}

/* Far below what any machine does (about a million a second): it is here to notice a system
 * call or a search on the way. */
START_TEST(switches_are_cheap)
{
	for (int i = 0; i < 4; i++)
		kl_sim_spawn(node, "busy", one_switch_each, NULL);
	clock_t before = clock();
	run(100 * KL_SECOND);
	double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
	ck_assert_uint_ge(kl_sim_switches(sim), 200000);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	ck_assert_msg(seconds < 1.0, "200,000 switches took %.2f s", seconds);
#else
	(void)seconds;
#endif
}
END_TEST

UNIT_SUITE(sim)
{
	Suite *s = suite_create("sim");
	unit_add_fixture(s, whole_vtable, set_up, tear_down);
	unit_add_fixture(s, timers_fire_in_order, set_up, tear_down);
	unit_add_fixture(s, wall_clock, set_up, tear_down);
	unit_add_fixture(s, calls_between_fibers, set_up, tear_down);
	unit_add_fixture(s, threads_and_broadcast, set_up, tear_down);
	unit_add_case(s, "left_threads", left_threads, set_up, tear_down, 2);
	unit_add_fixture(s, cond_times_out, set_up, tear_down);
	unit_add_fixture(s, cond_wakes_without_reason, set_up, tear_down);
	unit_add_fixture(s, poller_wakes, set_up, tear_down);
	unit_add_fixture(s, stacks_and_registers_survive, set_up, tear_down);
	unit_add_fixture(s, deadlock_is_told, set_up, tear_down);
	unit_add_fixture(s, time_limit, set_up, tear_down);
	unit_add_fixture(s, a_spinning_loop_gets_on, set_up, tear_down);
	unit_add_fixture(s, services_are_not_waited_for, set_up, tear_down);
	unit_add_fixture(s, pause_and_kill, set_up, tear_down);
	unit_add(s, same_seed_same_run);
	unit_add_fixture(s, switches_are_cheap, set_up, tear_down);
	TCase *tc = tcase_create("aborts");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test_raise_signal(tc, mutex_over_blocking_call, SIGABRT);
#ifndef __SANITIZE_THREAD__ /* which holds back signals while a mutex is waited for */
	tcase_add_test_raise_signal(tc, watchdog_barks, SIGABRT);
#endif
	suite_add_tcase(s, tc);
	return s;
}
