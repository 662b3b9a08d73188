/* SPDX-License-Identifier: BSD-2-Clause */
/* The pools: jobs come back to the loop, threads are few, leave, and are not missed. */
#include "core/net/work.h"

#include <unistd.h>

#include "core/net/loop.h"
#include "tests/unit/unit.h"

#define JOBS 2000

static struct klamm_loop *loop;
static struct kl_os *os;
static struct kl_os stingy; /* a world that has no threads */

static void set_up(void)
{
	os = kl_os_real();
	ck_assert_int_eq(kl_loop_new(os, NULL, &loop, NULL), 0);
}

static int no_thread(struct kl_os *world, const char *name, void (*fn)(void *), void *arg,
		     struct kl_thread **thread_out)
{
	return -EAGAIN;
}

static void set_up_stingy(void)
{
	stingy = *kl_os_real();
	stingy.thread_start = no_thread;
	os = &stingy;
	ck_assert_int_eq(kl_loop_new(os, NULL, &loop, NULL), 0);
}

static void tear_down(void)
{
	klamm_loop_free(loop);
}

struct sum {
	struct kl_job job;
	uint32_t n, result;
	unsigned index;
	bool done;
};

static uint32_t done_count;

static void run_sum(struct kl_job *job, unsigned index)
{
	struct sum *sum = kl_container(job, struct sum, job);
	sum->index = index;
	for (uint32_t i = 1; i <= sum->n; i++)
		sum->result += i;
}

static void sum_done(struct kl_job *job)
{
	struct sum *sum = kl_container(job, struct sum, job);
	ck_assert(!sum->done);
	sum->done = true;
	done_count++;
}

static void run_sums(struct sum *sums)
{
	done_count = 0;
	for (uint32_t i = 0; i < JOBS; i++) {
		sums[i] = (struct sum){.job = {.run = run_sum, .done = sum_done},
				       .n = i % 100};
		kl_pool_submit(&loop->cpu, &sums[i].job);
	}
	while (done_count < JOBS)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
}

START_TEST(every_job_comes_back)
{
	static struct sum sums[JOBS];
	run_sums(sums);
	for (uint32_t i = 0; i < JOBS; i++) {
		ck_assert_uint_eq(sums[i].result, sums[i].n * (sums[i].n + 1) / 2);
		ck_assert_uint_lt(sums[i].index, KL_POOL_MAX);
	}
}
END_TEST

START_TEST(without_threads_the_submitter_works)
{
	static struct sum sums[JOBS];
	run_sums(sums);
	for (uint32_t i = 0; i < JOBS; i++) {
		ck_assert_uint_eq(sums[i].result, sums[i].n * (sums[i].n + 1) / 2);
		ck_assert_uint_eq(sums[i].index, KL_POOL_MAX);
	}
}
END_TEST

/* A plugin's call may want another one. */
static void run_nested(struct kl_job *job, unsigned index)
{
	kl_pool_submit(&loop->blocking, &kl_container(job, struct sum, job)[1].job);
	run_sum(job, index);
}

START_TEST(a_job_submits_another)
{
	struct sum sums[2] = {{.job = {.run = run_nested, .done = sum_done}, .n = 3},
			      {.job = {.run = run_sum, .done = sum_done}, .n = 4}};
	done_count = 0;
	kl_pool_submit(&loop->blocking, &sums[0].job);
	while (done_count < 2)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	ck_assert_uint_eq(sums[0].result, 6);
	ck_assert_uint_eq(sums[1].result, 10);
}
END_TEST

static atomic_bool may_end;

static void run_blocked(struct kl_job *job, unsigned index)
{
	while (!atomic_load(&may_end))
		usleep(100);
}

static void blocked_done(struct kl_job *job)
{
	done_count++;
}

START_TEST(a_job_that_waits_can_be_taken_back)
{
	struct kl_job jobs[KL_POOL_MAX + 4];
	done_count = 0;
	for (size_t i = 0; i < kl_countof(jobs); i++) {
		jobs[i] = (struct kl_job){.run = run_blocked, .done = blocked_done};
		kl_pool_submit(&loop->blocking, &jobs[i]);
	}
	/* The last cannot have begun: all workers wait for may_end. */
	ck_assert(kl_pool_cancel(&loop->blocking, &jobs[kl_countof(jobs) - 1]));
	ck_assert(!kl_pool_cancel(&loop->blocking, &jobs[kl_countof(jobs) - 1]));
	atomic_store(&may_end, true);
	while (done_count < kl_countof(jobs) - 1)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	ck_assert(!kl_pool_cancel(&loop->blocking, &jobs[0]));
}
END_TEST

START_TEST(jobs_left_at_the_end_run)
{
	static struct sum sums[JOBS];
	done_count = 0;
	for (uint32_t i = 0; i < JOBS; i++) {
		sums[i] = (struct sum){.job = {.run = run_sum, .done = sum_done}, .n = 10};
		kl_pool_submit(&loop->cpu, &sums[i].job);
	}
	klamm_loop_free(loop);
	loop = NULL;
	ck_assert_uint_eq(done_count, JOBS);
}
END_TEST

UNIT_SUITE(work)
{
	Suite *s = suite_create("work");
	unit_add_fixture(s, every_job_comes_back, set_up, tear_down);
	unit_add_fixture(s, without_threads_the_submitter_works, set_up_stingy, tear_down);
	unit_add_fixture(s, a_job_submits_another, set_up, tear_down);
	unit_add_fixture(s, a_job_submits_another, set_up_stingy, tear_down);
	unit_add_fixture(s, a_job_that_waits_can_be_taken_back, set_up, tear_down);
	unit_add_fixture(s, jobs_left_at_the_end_run, set_up, tear_down);
	return s;
}
