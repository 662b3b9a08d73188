/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetch sessions (KIP-227): what is said to a broker, and what is not said twice. */
#include <stdlib.h>

#include "core/consumer/fetch.h"
#include "tests/client/world.h"
#include "tests/unit/consumer/keeper.h"

static struct klamm_consumer *consumer;
static struct klamm_error err;
static int assigned; /* partitions */

static void assign(int partitions)
{
	struct klamm_topic_partition *list = calloc((size_t)partitions + 1, sizeof(*list));
	for (int i = 0; i < partitions; i++)
		list[i] = (struct klamm_topic_partition){"t", i};
	ck_assert_int_eq(klamm_consumer_assign(consumer, list, (size_t)partitions, &err), 0);
	for (int i = 0; i < partitions; i++)
		ck_assert_int_eq(klamm_consumer_seek(consumer, "t", i, 0, &err), 0);
	free(list);
}

static void start(int partitions)
{
	keeper_start(partitions);
	consumer = world_consumer(NULL, NULL, NULL);
	assigned = partitions;
	assign(partitions);
}

static void finish(void)
{
	world_close_consumer(consumer);
	keeper_stop();
}

/* The session has all partitions, and the broker has nothing new to tell of them. */
static bool is_idle(void)
{
	int in = 0;
	for (int i = 0; i < assigned; i++)
		in += keeper.parts[i].in;
	return in == assigned && keeper.last.epoch > 2 && keeper.last.named == 0 &&
	       keeper.last.forgotten == 0;
}

/* Bytes of a request and its answer when nothing happens. */
static size_t idle_bytes(int partitions)
{
	start(partitions);
	keeper_until(is_idle);
	struct keeper_fetch one = keeper_wait(2), last = {0};
	for (int i = 0; i < 5; i++) {
		last = keeper_wait(1);
		ck_assert_uint_eq(last.request_bytes, one.request_bytes);
		ck_assert_uint_eq(last.answer_bytes, one.answer_bytes);
	}
	ck_assert_int_eq(last.named, 0);
	finish();
	return one.request_bytes + one.answer_bytes;
}

START_TEST(idle_fetches_cost_the_same_for_one_and_for_5000)
{
	static const int counts[] = {1, 100, KEEPER_PARTITIONS};
	/* Both frames with their heads. */
	ck_assert_uint_lt(idle_bytes(counts[_i]), 120);
}
END_TEST

static bool names_7(void)
{
	return keeper.parts[7].offset == 3;
}

START_TEST(only_what_was_read_is_named_again)
{
	struct world_seen seen[3];
	start(100);
	keeper_until(is_idle);
	keeper_grow(7, 3);
	world_read(consumer, 3, seen);
	ck_assert_int_eq(seen[2].partition, 7);
	keeper_until(names_7); /* the keeper sees to it that nothing is said for nothing */
	keeper_until(is_idle);
	ck_assert_int_eq(keeper.full, 1);
	finish();
}
END_TEST

static bool is_out(void)
{
	return !keeper.parts[3].in;
}

static bool is_in(void)
{
	return keeper.parts[3].in;
}

START_TEST(what_is_paused_is_forgotten)
{
	start(10);
	keeper_until(is_idle);
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 3, true, &err), 0);
		keeper_until(is_out);
		ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 3, false, &err), 0);
		keeper_until(is_in);
	}
	ck_assert_int_eq(keeper.full, 1);
	finish();
}
END_TEST

/* As in a rebalance, between two Fetches: to name it and to forget it in one of them would
 * leave it out for good. */
START_TEST(what_is_taken_away_and_given_back_stays)
{
	struct world_seen seen[1];
	start(10);
	keeper_until(is_idle);
	for (int round = 0; round < 3; round++) {
		assign(3);
		assign(10);
		keeper_wait(2);
		for (int i = 0; i < 10; i++)
			ck_assert_msg(keeper.parts[i].in, "partition %d is left out", i);
	}
	keeper_grow(7, 1);
	world_read(consumer, 1, seen);
	ck_assert_int_eq(seen[0].partition, 7);
	ck_assert_int_eq(keeper.full, 1);
	finish();
}
END_TEST

/* All of it: then nothing is asked for, and nobody is woken. */
START_TEST(paused_partitions_cost_nothing)
{
	start(10);
	keeper_until(is_idle);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(klamm_consumer_pause(consumer, "t", i, true, &err), 0);
	struct klamm_batch *none;
	int fetches;
	int64_t deadline = world_ms() + PATIENCE;
	do { /* what is under way comes back */
		fetches = keeper.fetches;
		klamm_consumer_poll(consumer, 100, &none, &err);
	} while (keeper.fetches != fetches && world_ms() < deadline);
	ck_assert_int_eq(klamm_consumer_poll(consumer, 300, &none, &err), 0);
	ck_assert_int_eq(keeper.fetches, fetches);
	/* The session is still there. */
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 3, false, &err), 0);
	struct keeper_fetch next = keeper_wait(1);
	ck_assert_int_eq(next.id, keeper.id);
	/* That and earlier ones, if one came in the middle of pausing, have forgotten nine. */
	int in = 0;
	pthread_mutex_lock(&keeper.mutex);
	for (int i = 0; i < 10; i++)
		in += keeper.parts[i].in;
	pthread_mutex_unlock(&keeper.mutex);
	ck_assert_int_eq(in, 1);
	ck_assert_int_eq(keeper.full, 1);
	finish();
}
END_TEST

/* One that has an error steps out, and the others are not asked for more often for it. */
START_TEST(an_error_of_one_costs_the_others_nothing)
{
	struct world_seen seen[3];
	start(10);
	keeper_until(is_idle);
	pthread_mutex_lock(&keeper.mutex);
	keeper.parts[3].error = KLAMM_ERR_KAFKA_STORAGE_ERROR;
	pthread_mutex_unlock(&keeper.mutex);
	keeper_until(is_out);
	keeper_grow(5, 3);
	world_read(consumer, 3, seen);
	ck_assert_int_eq(seen[0].partition, 5);
	pthread_mutex_lock(&keeper.mutex);
	keeper.parts[3].error = 0;
	keeper.parts[3].end = 3;
	pthread_mutex_unlock(&keeper.mutex);
	world_read(consumer, 3, seen);
	ck_assert_int_eq(seen[0].partition, 3);
	ck_assert_int_eq(keeper.full, 1);
	finish();
}
END_TEST

static bool began_anew(void)
{
	return keeper.full == 2 && is_idle();
}

static const struct {
	int32_t error; /* 0 = the connection ends */
	bool keeps_id; /* the broker is told which session it is to forget */
} trouble[] = {
	{KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND, false},
	{KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH, true},
	{KLAMM_ERR_FETCH_SESSION_TOPIC_ID_ERROR, true},
	{KLAMM_ERR_KAFKA_STORAGE_ERROR, true},
	{0, true},
};
static int32_t full_id;

static bool look_at_full(void)
{
	if (keeper.last.epoch == 0)
		full_id = keeper.last.id;
	return began_anew();
}

START_TEST(a_session_in_doubt_begins_anew)
{
	struct world_seen seen[3];
	start(10);
	keeper_until(is_idle);
	pthread_mutex_lock(&keeper.mutex);
	int32_t id = keeper.id;
	keeper.answer_error = trouble[_i].error;
	keeper.hang_up = trouble[_i].error == 0;
	pthread_mutex_unlock(&keeper.mutex);
	keeper_until(look_at_full);
	ck_assert_int_eq(full_id, trouble[_i].keeps_id ? id : 0);
	keeper_grow(4, 3);
	world_read(consumer, 3, seen);
	finish();
}
END_TEST

START_TEST(an_answer_that_does_not_fit_ends_the_session)
{
	start(10);
	keeper_until(is_idle);
	pthread_mutex_lock(&keeper.mutex);
	keeper.strange = 4999;
	pthread_mutex_unlock(&keeper.mutex);
	keeper_until(began_anew);
	finish();
}
END_TEST

static bool names_all(void)
{
	return keeper.last.named == 10;
}

/* A broker whose cache is full, or from before Kafka 1.1. */
START_TEST(without_a_session_everything_is_said)
{
	struct world_seen seen[3];
	keeper.none = true;
	keeper.script.below[KL_API_FETCH] = _i == 0 ? 0 : 7;
	start(10);
	keeper_until(names_all);
	for (int i = 0; i < 3; i++) {
		struct keeper_fetch fetch = keeper_wait(1);
		ck_assert_int_eq(fetch.named, 10);
		ck_assert_int_eq(fetch.id, 0);
	}
	keeper_grow(9, 3);
	world_read(consumer, 3, seen);
	ck_assert_int_eq(seen[2].offset, 2);
	finish();
	ck_assert_int_eq(keeper.ends, 0);
}
END_TEST

/* Topics have names up to version 12. */
START_TEST(sessions_by_name)
{
	struct world_seen seen[3];
	keeper.script.below[KL_API_FETCH] = 13;
	start(10);
	keeper_until(is_idle);
	keeper_grow(9, 3);
	world_read(consumer, 3, seen);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 3, true, &err), 0);
	keeper_until(is_out);
	ck_assert_int_eq(keeper_wait(1).version, 12);
	ck_assert_int_eq(keeper.full, 1);
	finish();
	ck_assert_int_eq(keeper.ends, 1);
}
END_TEST

static bool has_ended(void)
{
	return keeper.ends == 1;
}

START_TEST(a_broker_that_is_left_is_told)
{
	start(10);
	keeper_until(is_idle);
	int32_t id = keeper.id;
	if (_i == 0)
		ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	else
		world_close_consumer(consumer);
	keeper_until(has_ended);
	ck_assert_int_eq(keeper.last_end.id, id);
	ck_assert_int_eq(keeper.last_end.named, 0);
	if (_i == 0) { /* and may be come back to */
		assign(10);
		keeper_until(began_anew);
		world_close_consumer(consumer);
	}
	keeper_stop();
}
END_TEST

/* --- wake-ups: each return of a step is one --- */

static int steps(struct klamm_loop *loop, int64_t ms)
{
	int n = 0;
	for (int64_t left, end = world_ms() + ms; (left = end - world_ms()) > 0; n++)
		ck_assert_int_eq(klamm_loop_step(loop, left, &err), 0);
	return n;
}

/* At last there is a second in which it takes so few. At first it has other things to do, and
 * on a busy machine they may take a while. */
static bool sleeps(struct klamm_loop *loop, int most)
{
	bool few = false;
	for (int i = 0; i < 20 && !few; i++)
		few = steps(loop, 1000) <= most;
	return few;
}

START_TEST(an_idle_consumer_sleeps)
{
	struct klamm_loop *loop;
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, &err), 0);
	world_up();
	world_create("t", 3);
	consumer = world_consumer(loop, "fetch.max.wait.ms=100", NULL);
	assign(3);
	steps(loop, 500); /* connections, metadata, the session */
	ck_assert(sleeps(loop, 2 * 10 + 2));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(klamm_consumer_pause(consumer, "t", i, true, &err), 0);
	steps(loop, 200); /* what was under way */
	ck_assert(sleeps(loop, 1));
	world_close_consumer(consumer);
	klamm_loop_free(loop);
	world_down();
}
END_TEST

START_TEST(epochs_begin_anew_at_one)
{
	struct kl_fetch_session session = {.id = 5, .epoch = 0};
	kl_fetch_session_next(&session, 5);
	ck_assert_int_eq(session.epoch, 1);
	session.epoch = INT32_MAX;
	kl_fetch_session_next(&session, 5);
	ck_assert_int_eq(session.epoch, 1);
}
END_TEST

UNIT_SUITE(sessions)
{
	Suite *s = suite_create("sessions");
	unit_add_loop(s, idle_fetches_cost_the_same_for_one_and_for_5000, 3);
	unit_add(s, only_what_was_read_is_named_again);
	unit_add(s, what_is_paused_is_forgotten);
	unit_add(s, what_is_taken_away_and_given_back_stays);
	unit_add(s, paused_partitions_cost_nothing);
	unit_add(s, an_error_of_one_costs_the_others_nothing);
	unit_add_loop(s, a_session_in_doubt_begins_anew, kl_countof(trouble));
	unit_add(s, an_answer_that_does_not_fit_ends_the_session);
	unit_add_loop(s, without_a_session_everything_is_said, 2);
	unit_add(s, sessions_by_name);
	unit_add_loop(s, a_broker_that_is_left_is_told, 2);
	unit_add(s, an_idle_consumer_sleeps);
	unit_add(s, epochs_begin_anew_at_one);
	return s;
}
