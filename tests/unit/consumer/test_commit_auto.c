/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets that are committed by themselves. */
#include "tests/unit/consumer/store.h"

static void poll_for(int ms)
{
	struct klamm_batch *batch;
	int64_t deadline = world_ms() + ms;
	while (world_ms() < deadline)
		klamm_consumer_poll(consumer, 10, &batch, NULL);
}

static bool polled_until_kept(int64_t offset)
{
	int64_t deadline = world_ms() + PATIENCE;
	while (stored("t", 0) != offset && world_ms() < deadline)
		poll_for(10);
	return stored("t", 0) == offset;
}

START_TEST(opt_enable_auto_commit)
{
	struct klamm_error err;
	static const char *const values[] = {"enable.auto.commit=true", "group.id=g",
					     "enable.auto.commit=false"};
	STORE_CONSUMER(values[_i], "auto.commit.interval.ms=50", NULL);
	store_assign(1);
	ck_assert_int_eq(store_position(0), 100);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 60, &err), 0);
	if (_i == 2) {
		poll_for(300);
		world_close_consumer(consumer);
		consumer = NULL;
		ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 0);
		return;
	}
	ck_assert(polled_until_kept(60));
	/* What leaves is committed, */
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 61, &err), 0);
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	ck_assert(polled_until_kept(61));
	/* and what is there at the end. */
	store_assign(1);
	ck_assert_int_eq(store_position(0), 61);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 62, &err), 0);
	world_close_consumer(consumer);
	consumer = NULL;
	ck_assert_int_eq(stored("t", 0), 62);
}
END_TEST

/* As in Kafka's client, it is an error to ask for it and to have no group. */
START_TEST(auto_commit_needs_a_group)
{
	struct klamm_error err;
	world_servers = "127.0.0.1:1";
	struct klamm_conf *conf = world_conf("enable.auto.commit=true", NULL);
	struct klamm_consumer *none;
	ck_assert_int_eq(klamm_consumer_new(conf, NULL, &none, &err), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "needs a group.id"));
	klamm_conf_free(conf);
}
END_TEST

START_TEST(opt_auto_commit_interval_ms)
{
	STORE_CONSUMER(_i == 0 ? "auto.commit.interval.ms=50"
			       : "auto.commit.interval.ms=60000",
		       NULL);
	store_assign(1);
	store_position(0);
	int64_t begun = world_ms();
	poll_for(500);
	if (_i == 0) {
		while (script.requests[KL_API_OFFSET_COMMIT] < 3 &&
		       world_ms() < begun + PATIENCE)
			poll_for(10);
		int commits = script.requests[KL_API_OFFSET_COMMIT];
		ck_assert_int_ge(commits, 3);
		ck_assert_int_le(commits, (world_ms() - begun) / 50 + 2);
	} else {
		ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 0);
	}
}
END_TEST

/* Told once, and the next ones go on. */
START_TEST(auto_commits_that_fail_are_told)
{
	struct klamm_error err;
	STORE_CONSUMER("auto.commit.interval.ms=20", NULL);
	store_assign(1);
	store_position(0);
	store.commit_error = KLAMM_ERR_GROUP_AUTHORIZATION_FAILED;
	store.commit_errors_left = -1;
	store_poll_until_error(KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	int64_t deadline = world_ms() + PATIENCE;
	while (script.requests[KL_API_OFFSET_COMMIT] < 4 && world_ms() < deadline)
		store_poll(1);
	ck_assert_int_ge(script.requests[KL_API_OFFSET_COMMIT], 4);
	ck_assert_int_eq(klamm_consumer_close(consumer, PATIENCE, &err),
			 KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	consumer = NULL;
}
END_TEST

/* However long the coordinator is away, few of them wait, and the newest is stored. */
START_TEST(auto_commits_do_not_pile_up)
{
	struct klamm_error err;
	STORE_CONSUMER("auto.commit.interval.ms=0", NULL);
	store_assign(1);
	store_position(0);
	store.commit_error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	store.commit_errors_left = -1;
	for (int i = 0; i < 20; i++) {
		klamm_consumer_seek(consumer, "t", 0, i, &err);
		poll_for(20);
	}
	store.commit_errors_left = 0;
	ck_assert(polled_until_kept(19));
}
END_TEST

UNIT_SUITE(commit_auto)
{
	Suite *s = suite_create("commit_auto");
	unit_add_case(s, "opt_enable_auto_commit", opt_enable_auto_commit, store_up,
		      store_down, 3);
	unit_add_fixture(s, auto_commit_needs_a_group, store_up, store_down);
	unit_add_case(s, "opt_auto_commit_interval_ms", opt_auto_commit_interval_ms,
		      store_up, store_down, 2);
	unit_add_fixture(s, auto_commits_that_fail_are_told, store_up, store_down);
	unit_add_fixture(s, auto_commits_do_not_pile_up, store_up, store_down);
	return s;
}
