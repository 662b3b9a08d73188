/* SPDX-License-Identifier: BSD-2-Clause */
/* Committed offsets with brokers like those of old: in ZooKeeper, which any broker gets at
 * (Kafka 0.8.1), and with a coordinator, by the versions of 0.8.2 to 2.0. */
#include "core/proto/gen/api.h"
#include "tests/client/world.h"

static struct klamm_error err;

static void limit(int api, int min, int max)
{
	ck_assert_msg(klamm_broker_limit_api(world_broker, api, min, max, &err) == 0, "%s",
		      err.text);
}

static struct klamm_consumer *reader(void)
{
	return world_consumer(NULL, "group.id=g", "auto.offset.reset=none", NULL);
}

static int64_t position(struct klamm_consumer *consumer, int32_t partition)
{
	int64_t offset;
	ck_assert_msg(klamm_consumer_position(consumer, "t", partition, PATIENCE, &offset,
					      &err) == 0,
		      "%s", err.text);
	return offset;
}

/* Stored by one consumer, gone on from by the next. */
static void store_and_go_on(void)
{
	const struct klamm_topic_partition all[] = {{"t", 0}, {"t", 1}, {"t", 2}};
	const struct klamm_offset offsets[] = {{"t", 0, -1, 7, "note"}, {"t", 2, -1, 0, NULL}};
	struct klamm_consumer *consumer = reader();
	ck_assert_msg(klamm_consumer_commit(consumer, offsets, 2, PATIENCE, &err) == 0, "%s",
		      err.text);
	world_close_consumer(consumer);
	consumer = reader();
	struct klamm_committed got[] = {
		{.size = sizeof(got[0]), .topic = "t", .partition = 0},
		{.size = sizeof(got[0]), .topic = "t", .partition = 1},
		{.size = sizeof(got[0]), .topic = "t", .partition = 2},
	};
	ck_assert_msg(klamm_consumer_committed(consumer, got, 3, PATIENCE, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(got[0].offset, 7);
	ck_assert_str_eq(got[0].metadata, "note");
	ck_assert_int_eq(got[1].offset, -1);
	ck_assert_int_eq(got[2].offset, 0);
	ck_assert_int_eq(klamm_consumer_assign(consumer, all, 3, &err), 0);
	ck_assert_int_eq(position(consumer, 0), 7);
	ck_assert_int_eq(position(consumer, 2), 0);
	int64_t offset;
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 1, PATIENCE, &offset, &err),
			 KLAMM_ERR_NO_OFFSET);
	world_close_consumer(consumer);
}

static void set_up(void)
{
	world_start((struct klamm_broker_options){.nodes = 3});
	world_create("t", 3);
}

START_TEST(keeps_offsets_in_zookeeper)
{
	limit(KL_API_FIND_COORDINATOR, 1, 0);
	limit(KL_API_OFFSET_COMMIT, 0, 0);
	limit(KL_API_OFFSET_FETCH, 0, 0);
	store_and_go_on();
	ck_assert_int_eq(klamm_broker_request_count(world_broker, KL_API_FIND_COORDINATOR), 0);
}
END_TEST

/* OffsetCommit and OffsetFetch of 0.8.2, 0.9, 0.11 and 2.0. */
static const int versions[][2] = {{1, 1}, {2, 1}, {3, 3}, {4, 4}};

START_TEST(keeps_offsets_with_a_coordinator)
{
	limit(KL_API_FIND_COORDINATOR, 0, versions[_i][0] < 3 ? 0 : 1);
	limit(KL_API_OFFSET_COMMIT, 0, versions[_i][0]);
	limit(KL_API_OFFSET_FETCH, 0, versions[_i][1]);
	store_and_go_on();
	ck_assert_int_gt(klamm_broker_request_count(world_broker, KL_API_FIND_COORDINATOR), 0);
}
END_TEST

UNIT_SUITE(commit_old)
{
	Suite *s = suite_create("commit_old");
	unit_add_fixture(s, keeps_offsets_in_zookeeper, set_up, world_down);
	unit_add_case(s, "keeps_offsets_with_a_coordinator", keeps_offsets_with_a_coordinator,
		      set_up, world_down, (int)(sizeof(versions) / sizeof(versions[0])));
	return s;
}
