/* SPDX-License-Identifier: BSD-2-Clause */
/* Commits that nobody waits for: told by poll(), in order. */
#include <unistd.h>

#include "tests/unit/consumer/store.h"

static struct {
	int count;
	int64_t offsets[16];
	int codes[16];
	int inside, inside_async;
} told;

static void on_commit(void *arg, const struct klamm_offset *offsets, size_t count,
		      const struct klamm_error *err)
{
	ck_assert_ptr_eq(arg, &told);
	ck_assert_uint_eq(count, 1);
	ck_assert_str_eq(offsets->topic, "t");
	told.offsets[told.count] = offsets->offset;
	told.codes[told.count++] = err != NULL ? err->code : 0;
	told.inside = klamm_consumer_commit(consumer, offsets, count, PATIENCE, NULL);
	if (told.count == 1)
		told.inside_async = klamm_consumer_commit_async(
			consumer, offsets, count, NULL, NULL, NULL);
}

static void commit_later(int64_t offset)
{
	struct klamm_error err;
	const struct klamm_offset one = {"t", 0, -1, offset, "n"};
	ck_assert_msg(klamm_consumer_commit_async(consumer, &one, 1, on_commit, &told,
						  &err) == 0,
		      "%s", err.text);
}

static void poll_until(int times)
{
	int64_t deadline = world_ms() + PATIENCE;
	struct klamm_batch *batch;
	while (told.count < times && world_ms() < deadline)
		ck_assert_int_eq(klamm_consumer_poll(consumer, 10, &batch, NULL), 0);
	ck_assert_int_eq(told.count, times);
}

START_TEST(commits_are_told_by_poll)
{
	memset(&told, 0, sizeof(told));
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	for (int i = 0; i < 3; i++)
		commit_later(10 + i);
	usleep(50 * 1000);
	ck_assert_int_eq(told.count, 0); /* by nobody else */
	poll_until(3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(told.offsets[i], 10 + i);
		ck_assert_int_eq(told.codes[i], 0);
	}
	ck_assert_int_eq(told.inside, KLAMM_ERR_WOULD_BLOCK);
	ck_assert_int_eq(told.inside_async, 0);
	store.commit_error = KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED;
	store.commit_errors_left = 2;
	commit_later(99);
	poll_until(4);
	ck_assert_int_eq(told.codes[3], KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED);
}
END_TEST

/* One OffsetCommit is under way at a time; what waits behind it goes as one. */
START_TEST(commits_keep_their_order)
{
	memset(&told, 0, sizeof(told));
	STORE_CONSUMER("enable.auto.commit=false", "request.timeout.ms=2500",
		       "fetch.max.wait.ms=50", NULL);
	store_commit(1);
	store.hold = true; /* this one's answer does not come: it is sent again */
	commit_later(10);
	int64_t deadline = world_ms() + PATIENCE;
	while (script.requests[KL_API_OFFSET_COMMIT] < 2 && world_ms() < deadline)
		usleep(1000);
	for (int i = 1; i < 5; i++)
		commit_later(10 + i);
	usleep(30 * 1000);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 2);
	store.hold = false;
	poll_until(5);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(told.offsets[i], 10 + i);
	/* Together, and perhaps the one that on_commit() makes. */
	ck_assert_int_le(script.requests[KL_API_OFFSET_COMMIT], 4);
	store_commit(14);
	ck_assert_int_eq(stored("t", 0), 14);
}
END_TEST

START_TEST(so_many_and_no_more)
{
	struct klamm_error err;
	memset(&told, 0, sizeof(told));
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store.hold = true;
	const struct klamm_offset one = {"t", 0, -1, 1, NULL};
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(klamm_consumer_commit_async(consumer, &one, 1, NULL,
							     NULL, &err),
				 0);
	ck_assert_int_eq(
		klamm_consumer_commit_async(consumer, &one, 1, NULL, NULL, &err),
		KLAMM_ERR_QUEUE_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, "1000 commits"));
}
END_TEST

START_TEST(commits_end_with_the_consumer)
{
	memset(&told, 0, sizeof(told));
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store.hold = _i == 1;
	commit_later(10);
	ck_assert_int_eq(klamm_consumer_close(consumer, _i == 1 ? 100 : PATIENCE, NULL),
			 0);
	consumer = NULL;
	ck_assert_int_eq(told.count, 1);
	ck_assert_int_eq(told.codes[0], _i == 1 ? KLAMM_ERR_CLOSED : 0);
	if (_i == 0)
		ck_assert_int_eq(stored("t", 0), 10);
}
END_TEST

START_TEST(commits_that_nobody_waits_for_end_in_time)
{
	memset(&told, 0, sizeof(told));
	STORE_CONSUMER("enable.auto.commit=false", "default.api.timeout.ms=200", NULL);
	store.commit_error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	store.commit_errors_left = -1;
	commit_later(10);
	poll_until(1);
	ck_assert_int_eq(told.codes[0], KLAMM_ERR_TIMED_OUT);
}
END_TEST

UNIT_SUITE(commit_later)
{
	Suite *s = suite_create("commit_later");
	unit_add_fixture(s, commits_are_told_by_poll, store_up, store_down);
	unit_add_fixture(s, commits_keep_their_order, store_up, store_down);
	unit_add_fixture(s, so_many_and_no_more, store_up, store_down);
	unit_add_case(s, "commits_end_with_the_consumer", commits_end_with_the_consumer,
		      store_up, store_down, 2);
	unit_add_fixture(s, commits_that_nobody_waits_for_end_in_time, store_up,
			 store_down);
	return s;
}
