/* SPDX-License-Identifier: BSD-2-Clause */
/* Leaders that do not have what was read (KIP-320, KIP-595), topics that are made again. */
#include <stdio.h>

#include "tests/client/world.h"

#define FETCH 1
#define OFFSET_FOR_LEADER_EPOCH 23

static struct klamm_error err;
static struct klamm_consumer *consumer;

/* Each a batch of its own. */
static void produce(int n, const char *value)
{
	struct klamm_producer *producer = world_producer(NULL, "batch.size=0", NULL);
	for (int i = 0; i < n; i++) {
		world_send(producer, "t", 0, NULL, value, NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
}

static void up(void)
{
	world_start((struct klamm_broker_options){.nodes = 3, .no_auto_create = true});
	world_create("t", 1);
	produce(10, "old");
}

static void down(void)
{
	world_close_consumer(consumer);
	world_down();
}

static void read_all(const char *policy)
{
	struct world_seen seen[10];
	consumer = world_consumer(NULL, policy, "metadata.max.age.ms=500", NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 10, seen);
	ck_assert_int_eq(seen[9].offset, 9);
}

/* Another replica leads with the next Fetch of anybody, without the last n records. What the
 * consumer says of it, if it does at once. */
static int lose(int n)
{
	char text[80];
	snprintf(text, sizeof(text), "fetch topic=t leader=next lose=%d", n);
	ck_assert_msg(klamm_broker_fault(world_broker, text, NULL, &err) == 0, "%s", err.text);
	for (int64_t end = world_ms() + PATIENCE; world_end_of("t", 0) != 10 - n;) {
		struct klamm_batch *batch = NULL;
		int rc = klamm_consumer_poll(consumer, 5, &batch, &err);
		ck_assert_ptr_null(batch);
		ck_assert(world_ms() < end);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Both ways to find out, and either alone. */
static void limit(int which)
{
	if (which == 1) /* Fetch before KIP-595 */
		ck_assert_int_eq(klamm_broker_limit_api(world_broker, FETCH, 4, 11, &err), 0);
	if (which == 2)
		ck_assert_int_eq(klamm_broker_limit_api(world_broker,
							OFFSET_FOR_LEADER_EPOCH, 1, 0, &err),
				 0);
}

static void check_new(int from)
{
	struct world_seen seen[10];
	world_read(consumer, 10 - from, seen);
	for (int i = from; i < 10; i++) {
		ck_assert_int_eq(seen[i - from].offset, i);
		ck_assert_str_eq(seen[i - from].value, "new");
	}
}

START_TEST(goes_back_to_where_the_logs_part)
{
	limit(_i);
	read_all("auto.offset.reset=latest");
	ck_assert_int_eq(lose(4), 0);
	produce(4, "new");
	check_new(6);
	down();
}
END_TEST

START_TEST(begins_anew_where_nothing_is_left)
{
	limit(_i);
	read_all("auto.offset.reset=earliest");
	ck_assert_int_eq(lose(10), 0);
	produce(10, "new");
	check_new(0);
	down();
}
END_TEST

START_TEST(tells_of_it_without_a_policy)
{
	int64_t offset;
	limit(_i);
	read_all("auto.offset.reset=none");
	int rc = lose(4);
	produce(4, "new");
	if (rc == 0)
		ck_assert_ptr_null(world_poll(consumer, &err));
	ck_assert_int_eq(err.code, KLAMM_ERR_LOG_TRUNCATION);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
	ck_assert_ptr_nonnull(strstr(err.text, "offset 10"));
	ck_assert_ptr_nonnull(strstr(err.text, "since 6"));
	/* Once, and nothing is read until it is sought. */
	struct klamm_batch *none;
	ck_assert_int_eq(klamm_consumer_poll(consumer, 200, &none, &err), 0);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, 0, &offset, &err), 0);
	ck_assert_int_eq(offset, 10);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 6, &err), 0);
	check_new(6);
	down();
}
END_TEST

/* What was handed out stays handed out, what was not comes first. */
START_TEST(a_paused_partition_goes_back_in_its_turn)
{
	struct world_seen seen[10];
	int64_t offset;
	consumer = world_consumer(NULL, "metadata.max.age.ms=500", NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 2, seen);
	/* The rest is queued by now, or on its way. */
	for (int i = 0; i < 50; i++)
		klamm_consumer_at_end(consumer, "t", 0);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, true, &err), 0);
	ck_assert_int_eq(klamm_broker_move_leader(world_broker, "t", 0, 2, &err), 0);
	struct klamm_batch *none;
	ck_assert_int_eq(klamm_consumer_poll(consumer, 200, &none, &err), 0);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, 0, &offset, &err), 0);
	ck_assert_int_eq(offset, 2);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, false, &err), 0);
	world_read(consumer, 8, seen);
	ck_assert_int_eq(seen[0].offset, 2);
	ck_assert_int_eq(seen[7].offset, 9);
	down();
}
END_TEST

/* A leader that has everything is asked, and read on from. */
START_TEST(a_leader_that_has_it_all)
{
	struct world_seen seen[10];
	read_all("auto.offset.reset=none");
	int64_t asked = klamm_broker_request_count(world_broker, OFFSET_FOR_LEADER_EPOCH);
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(klamm_broker_move_leader(world_broker, "t", 0, round % 3 + 1,
							  &err), 0);
		produce(2, "more");
		world_read(consumer, 2, seen);
		ck_assert_int_eq(seen[0].offset, 10 + 2 * round);
	}
	ck_assert_int_gt(klamm_broker_request_count(world_broker, OFFSET_FOR_LEADER_EPOCH),
			 asked);
	down();
}
END_TEST

/* The epoch is committed with the offset, and checked when it is read on from there. */
START_TEST(a_committed_position_is_checked)
{
	int64_t offset;
	consumer = world_consumer(NULL, "group.id=g", "enable.auto.commit=false",
				  "metadata.max.age.ms=500", NULL);
	struct world_seen seen[10];
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 10, seen);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 10, seen);
	ck_assert_int_eq(lose(4), 0);
	world_close_consumer(consumer);
	produce(4, "new");
	consumer = world_consumer(NULL, "group.id=g", "enable.auto.commit=false", NULL);
	struct klamm_topic_partition part = {"t", 0};
	ck_assert_int_eq(klamm_consumer_assign(consumer, &part, 1, &err), 0);
	check_new(6);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, 0, &offset, &err), 0);
	ck_assert_int_eq(offset, 10);
	down();
}
END_TEST

/* --- topics that are made again --- */

static void make_again(void)
{
	struct klamm_conf *conf = world_conf(NULL, NULL);
	struct klamm_admin *admin;
	const char *name = "t";
	ck_assert_int_eq(klamm_admin_new(conf, NULL, &admin, &err), 0);
	ck_assert_int_eq(klamm_admin_delete_topics(admin, &name, 1, PATIENCE, NULL, &err), 0);
	klamm_admin_free(admin);
	klamm_conf_free(conf);
	world_create("t", 1);
}

START_TEST(a_topic_that_is_made_again)
{
	struct world_seen seen[10];
	limit(_i);
	read_all("auto.offset.reset=earliest");
	make_again();
	produce(10, "new");
	check_new(0);
	produce(2, "more");
	world_read(consumer, 2, seen);
	ck_assert_int_eq(seen[1].offset, 11);
	down();
}
END_TEST

UNIT_SUITE(truncation)
{
	Suite *s = suite_create("truncation");
	unit_add_case(s, "goes_back_to_where_the_logs_part", goes_back_to_where_the_logs_part,
		      up, NULL, 3);
	unit_add_case(s, "begins_anew_where_nothing_is_left",
		      begins_anew_where_nothing_is_left, up, NULL, 3);
	unit_add_case(s, "tells_of_it_without_a_policy", tells_of_it_without_a_policy, up,
		      NULL, 3);
	unit_add_fixture(s, a_paused_partition_goes_back_in_its_turn, up, NULL);
	unit_add_fixture(s, a_leader_that_has_it_all, up, NULL);
	unit_add_fixture(s, a_committed_position_is_checked, up, NULL);
	unit_add_fixture(s, a_topic_that_is_made_again, up, NULL);
	return s;
}
