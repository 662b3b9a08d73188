/* SPDX-License-Identifier: BSD-2-Clause */
/* A group's offsets at the dev broker, from the end of one consumer to the beginning of the
 * next. */
#include <stdio.h>

#include "core/proto/gen/api.h"
#include "tests/client/world.h"

#define PARTITIONS 3

static struct klamm_consumer *consumer;

static void produce(int32_t partition, int n)
{
	struct klamm_producer *producer = world_producer(NULL, "batch.size=0", NULL);
	for (int i = 0; i < n; i++) {
		char value[16];
		snprintf(value, sizeof(value), "v%d", i);
		world_send(producer, "t", partition, NULL, value, NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
}

static void set_up(void)
{
	world_start((struct klamm_broker_options){.nodes = 3});
	world_create("t", PARTITIONS);
	produce(0, 20);
	consumer = NULL;
}

static void tear_down(void)
{
	if (consumer != NULL)
		klamm_consumer_close(consumer, 0, NULL);
	world_down();
}

static void begin(const char *more)
{
	struct klamm_error err;
	struct klamm_topic_partition all[PARTITIONS];
	consumer = world_consumer(NULL, "group.id=g", "auto.offset.reset=earliest", more,
				  NULL);
	for (int32_t i = 0; i < PARTITIONS; i++)
		all[i] = (struct klamm_topic_partition){"t", i};
	ck_assert_msg(klamm_consumer_assign(consumer, all, PARTITIONS, &err) == 0, "%s",
		      err.text);
}

static void end(void)
{
	world_close_consumer(consumer);
	consumer = NULL;
}

static struct klamm_committed committed(int32_t partition)
{
	struct klamm_error err;
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t",
					.partition = partition};
	ck_assert_msg(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err) == 0, "%s",
		      err.text);
	return entry;
}

START_TEST(the_next_one_goes_on)
{
	struct world_seen seen[20];
	begin("enable.auto.commit=true");
	world_read(consumer, 7, seen);
	end();
	begin("enable.auto.commit=true");
	world_read(consumer, 13, seen);
	ck_assert_int_eq(seen[0].offset, 7);
	ck_assert_int_eq(committed(0).offset, 7);
	ck_assert_int_eq(committed(0).leader_epoch, 0);
	end();
	begin("enable.auto.commit=false");
	produce(0, 1);
	world_read(consumer, 1, seen);
	ck_assert_int_eq(seen[0].offset, 20);
	ck_assert_int_eq(committed(0).offset, 20);
	ck_assert_int_eq(committed(1).offset, 0); /* its position, too */
}
END_TEST

/* What poll() hands out is committed when it is called again, not before. */
START_TEST(what_is_handed_out_is_committed_later)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	begin("auto.commit.interval.ms=0");
	batch = world_poll(consumer, &err);
	ck_assert_msg(batch != NULL, "%s", err.text);
	ck_assert_uint_eq(klamm_batch_count(batch), 1);
	klamm_batch_unref(batch);
	ck_assert_int_le(committed(0).offset, 0);
	klamm_batch_unref(world_poll(consumer, &err));
	int64_t deadline = world_ms() + PATIENCE;
	while (committed(0).offset < 1 && world_ms() < deadline)
		;
	ck_assert_int_eq(committed(0).offset, 1);
}
END_TEST

static const int32_t errors[] = {
	KLAMM_ERR_COORDINATOR_NOT_AVAILABLE,
	KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS,
	KLAMM_ERR_NOT_COORDINATOR,
};

START_TEST(through_the_errors_of_a_coordinator)
{
	struct klamm_error err;
	static const int32_t apis[] = {KL_API_FIND_COORDINATOR, KL_API_OFFSET_COMMIT,
				       KL_API_OFFSET_FETCH};
	for (size_t i = 0; i < kl_countof(apis); i++)
		world_fault((struct klamm_broker_fault){.api = apis[i],
							.count = 2,
							.action = KLAMM_BROKER_ERROR,
							.error = errors[_i]});
	begin("enable.auto.commit=false");
	const struct klamm_offset one = {"t", 2, 0, 11, "a note"};
	ck_assert_msg(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err) == 0, "%s",
		      err.text);
	struct klamm_committed got = committed(2);
	ck_assert_int_eq(got.offset, 11);
	ck_assert_str_eq(got.metadata, "a note");
}
END_TEST

static const int32_t lasting[] = {
	KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KLAMM_ERR_INVALID_GROUP_ID,
	KLAMM_ERR_GROUP_ID_NOT_FOUND,	      KLAMM_ERR_UNKNOWN_MEMBER_ID,
	KLAMM_ERR_STALE_MEMBER_EPOCH,	      KLAMM_ERR_UNKNOWN_SERVER_ERROR,
};

/* Of who is no member: a member asks again with what its heartbeats tell it. */
START_TEST(what_does_not_pass_is_told)
{
	struct klamm_error err;
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t", .partition = 2};
	begin("enable.auto.commit=false");
	const struct klamm_offset one = {"t", 2, 0, 11, NULL};
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err), 0);
	world_fault((struct klamm_broker_fault){.api = KL_API_OFFSET_FETCH, .partition = -1,
						.count = 1, .action = KLAMM_BROKER_ERROR,
						.error = lasting[_i]});
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 lasting[_i]);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: reading its offset"));
	ck_assert_ptr_nonnull(strstr(err.text, klamm_err_name(lasting[_i])));
	ck_assert_int_eq(committed(2).offset, 11);
}
END_TEST

static const int32_t actions[] = {KLAMM_BROKER_DROP, KLAMM_BROKER_DROP_AFTER,
				  KLAMM_BROKER_GARBAGE, KLAMM_BROKER_CUT};

START_TEST(through_lost_connections)
{
	struct klamm_error err;
	static const int32_t apis[] = {KL_API_OFFSET_COMMIT, KL_API_OFFSET_FETCH};
	bool is_answered = actions[_i] == KLAMM_BROKER_GARBAGE;
	for (size_t i = 0; i < kl_countof(apis); i++)
		world_fault((struct klamm_broker_fault){
			.api = apis[i], .count = 2, .action = actions[_i], .cut = 3});
	begin("enable.auto.commit=false");
	const struct klamm_offset one = {"t", 2, 0, 11, NULL};
	int rc = klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err);
	if (is_answered) { /* what is no answer may come from something that is no broker */
		ck_assert_int_eq(rc, KLAMM_ERR_PROTOCOL);
		ck_assert_ptr_nonnull(strstr(err.text, "group g: committing offsets: group "
						       "coordinator "));
		return;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(committed(2).offset, 11);
}
END_TEST

UNIT_SUITE(committed)
{
	Suite *s = suite_create("committed");
	unit_add_fixture(s, the_next_one_goes_on, set_up, tear_down);
	unit_add_fixture(s, what_is_handed_out_is_committed_later, set_up, tear_down);
	unit_add_case(s, "through_the_errors_of_a_coordinator",
		      through_the_errors_of_a_coordinator, set_up, tear_down,
		      (int)kl_countof(errors));
	unit_add_case(s, "what_does_not_pass_is_told", what_does_not_pass_is_told, set_up,
		      tear_down, (int)kl_countof(lasting));
	unit_add_case(s, "through_lost_connections", through_lost_connections, set_up,
		      tear_down, (int)kl_countof(actions));
	return s;
}
