/* SPDX-License-Identifier: BSD-2-Clause */
/* Where reading begins and goes on: seeking, resetting, pausing, looking up offsets. */
#include <stdio.h>

#include "tests/client/world.h"

/* One record each 1000 ms, from that on; one batch each. */
#define FIRST_MS INT64_C(1700000000000)

static struct klamm_consumer *consumer;

static void produce(int32_t partition, int n)
{
	struct klamm_producer *producer = world_producer(NULL, "batch.size=0", NULL);
	for (int i = 0; i < n; i++) {
		char value[16];
		struct klamm_error err;
		snprintf(value, sizeof(value), "v%d", i);
		struct klamm_record record = world_record(NULL, value);
		record.partition = partition;
		record.timestamp_ms = FIRST_MS + i * 1000;
		ck_assert_msg(klamm_producer_send_to(producer, "t", &record, NULL, &err) == 0,
			      "%s", err.text);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
}

static void set_up(void)
{
	world_up();
	world_create("t", 2);
	produce(0, 20);
	consumer = NULL;
}

static void tear_down(void)
{
	if (consumer != NULL)
		world_close_consumer(consumer);
	world_down();
}

static int64_t next_offset(void)
{
	struct world_seen seen;
	world_read(consumer, 1, &seen);
	return seen.offset;
}

START_TEST(seeking)
{
	struct klamm_error err;
	int64_t offset;
	consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, 5);
	ck_assert_int_eq(next_offset(), 5);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 13, &err), 0);
	ck_assert_int_eq(next_offset(), 13);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, KLAMM_OFFSET_BEGINNING, &err),
			 0);
	ck_assert_int_eq(next_offset(), 0);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, KLAMM_OFFSET_END, &err), 0);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, PATIENCE, &offset, &err),
			 0);
	ck_assert_int_eq(offset, 20);
	produce(0, 1);
	ck_assert_int_eq(next_offset(), 20);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, -9, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 1, 0, &err), KLAMM_ERR_STATE);
}
END_TEST

START_TEST(seeking_to_a_time)
{
	static const struct {
		int64_t after, offset;
	} times[] = {{-5, 0}, {0, 0}, {1, 1}, {7000, 7}, {7001, 8}, {19000, 19}};
	struct klamm_error err;
	int64_t offset;
	consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_END);
	for (size_t i = 0; i < kl_countof(times); i++) {
		ck_assert_int_eq(klamm_consumer_seek_time(consumer, "t", 0,
							  FIRST_MS + times[i].after, &err), 0);
		ck_assert_int_eq(next_offset(), times[i].offset);
	}
	/* Behind them all is the end. */
	ck_assert_int_eq(klamm_consumer_seek_time(consumer, "t", 0, FIRST_MS + 20000, &err),
			 0);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, PATIENCE, &offset, &err),
			 0);
	ck_assert_int_eq(offset, 20);
}
END_TEST

START_TEST(offsets_are_looked_up)
{
	struct klamm_error err;
	struct klamm_offset_query queries[] = {
		{.topic = "t", .partition = 0, .timestamp_ms = KLAMM_OFFSET_BEGINNING},
		{.topic = "t", .partition = 0, .timestamp_ms = KLAMM_OFFSET_END},
		{.topic = "t", .partition = 0, .timestamp_ms = FIRST_MS + 3500},
		{.topic = "t", .partition = 0, .timestamp_ms = FIRST_MS + 99000},
		{.topic = "t", .partition = 1, .timestamp_ms = KLAMM_OFFSET_END},
	};
	static const int64_t want[] = {0, 20, 4, -1, 0};
	for (size_t i = 0; i < kl_countof(queries); i++)
		queries[i].size = sizeof(queries[i]);
	consumer = world_consumer(NULL, NULL, NULL); /* nothing is assigned */
	ck_assert_int_eq(klamm_consumer_offsets(consumer, queries, kl_countof(queries),
						PATIENCE, &err), 0);
	for (size_t i = 0; i < kl_countof(want); i++) {
		ck_assert_int_eq(queries[i].error, 0);
		ck_assert_int_eq(queries[i].offset, want[i]);
	}
	ck_assert_int_eq(queries[2].found_ms, FIRST_MS + 4000);
	int32_t count;
	ck_assert_int_eq(klamm_consumer_partitions_for(consumer, "t", PATIENCE, &count, &err),
			 0);
	ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(brokers_are_within_reach)
{
	enum { METADATA = 3 };
	struct klamm_error err;
	consumer = world_consumer(NULL, NULL, NULL);
	for (int round = 1; round <= 3; round++) { /* each time anew */
		ck_assert_int_eq(klamm_consumer_reach(consumer, KLAMM_TIMEOUT_DEFAULT, &err),
				 0);
		ck_assert_int_ge(klamm_broker_request_count(world_broker, METADATA), round);
	}
	klamm_broker_stop(world_broker);
	ck_assert_int_eq(klamm_consumer_reach(consumer, 300, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "reaching the cluster: timed out"));
}
END_TEST

START_TEST(topics_are_listed)
{
	enum { METADATA = 3 };
	struct klamm_error err;
	struct klamm_topic_list *list;
	consumer = world_consumer(NULL, "allow.auto.create.topics=true", NULL);
	for (int round = 0; round < 2; round++) { /* each time anew */
		ck_assert_int_eq(klamm_consumer_topics(consumer, PATIENCE, &list, &err), 0);
		ck_assert_uint_eq(list->count, 1 + round);
		const struct klamm_topic_description *t = list->topics[round];
		ck_assert_str_eq(t->name, "t");
		ck_assert_int_eq(t->error, 0);
		ck_assert_uint_eq(t->partition_count, 2);
		ck_assert_int_eq(t->partitions[1]->partition, 1);
		ck_assert_int_eq(t->partitions[1]->leader, 1);
		ck_assert_uint_eq(t->partitions[1]->replica_count, 1);
		klamm_topic_list_free(list);
		if (round == 1)
			break;
		world_create("s", 1);
		world_fault((struct klamm_broker_fault){ /* it is tried again */
			.api = METADATA, .partition = -1, .count = 2,
			.action = KLAMM_BROKER_DROP});
	}
	klamm_broker_stop(world_broker);
	int64_t deadline = world_ms() + PATIENCE;
	do { /* until it has tried to connect again */
		ck_assert_int_eq(klamm_consumer_topics(consumer, 100, &list, &err),
				 KLAMM_ERR_TIMED_OUT);
		ck_assert_ptr_nonnull(strstr(err.text, "the list of topics"));
	} while (err.stage != KLAMM_STAGE_TCP && world_ms() < deadline);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_TCP);
}
END_TEST

/* What tiered storage alone has is nowhere here; older brokers do not know the question. */
START_TEST(places_of_tiered_storage)
{
	enum { LIST_OFFSETS = 2 };
	static const struct {
		int64_t place, offset;
		int32_t version; /* the first that knows it */
	} rows[] = {
		{KLAMM_OFFSET_EARLIEST_LOCAL, 0, 8},
		{KLAMM_OFFSET_LATEST_TIERED, -1, 9},
		{KLAMM_OFFSET_EARLIEST_PENDING_UPLOAD, -1, 11},
	};
	struct klamm_error err;
	struct klamm_offset_query query = {.size = sizeof(query), .topic = "t",
					   .timestamp_ms = rows[_i].place};
	consumer = world_consumer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_consumer_offsets(consumer, &query, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(query.error, 0);
	ck_assert_int_eq(query.offset, rows[_i].offset);
	world_close_consumer(consumer);
	ck_assert_int_eq(klamm_broker_limit_api(world_broker, LIST_OFFSETS, 1,
						rows[_i].version - 1, &err), 0);
	consumer = world_consumer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_consumer_offsets(consumer, &query, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(query.error, KLAMM_ERR_UNSUPPORTED);
	ck_assert_int_eq(query.offset, -1);
}
END_TEST

static const struct {
	const char *pair;
	int64_t offset; /* -1 = an error */
} resets[] = {
	{"auto.offset.reset=earliest", 0},
	{"auto.offset.reset=latest", 20},
	{"auto.offset.reset=none", -1},
	{"auto.offset.reset=by_duration:P100000D", 0},
	{"auto.offset.reset=by_duration:PT1S", 20}, /* all are older */
};

/* Without a position, or with one that the log does not have. */
static void check_reset(int i, bool out_of_range)
{
	struct klamm_error err;
	struct klamm_batch *batch = NULL;
	const struct klamm_topic_partition tp = {"t", 0};
	consumer = world_consumer(NULL, resets[i].pair, NULL);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), 0);
	if (out_of_range)
		ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 500, &err), 0);
	if (resets[i].offset < 0) {
		ck_assert_ptr_null(world_poll(consumer, &err));
		ck_assert(err.code == KLAMM_ERR_NO_OFFSET ||
			  err.code == KLAMM_ERR_OFFSET_OUT_OF_RANGE);
		ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
		/* Told once; a seek heals it. */
		ck_assert_int_eq(klamm_consumer_poll(consumer, 20, &batch, &err), 0);
		ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 3, &err), 0);
		ck_assert_int_eq(next_offset(), 3);
		return;
	}
	if (resets[i].offset == 20) { /* the end must be found before there is more */
		int64_t offset = -1, deadline = world_ms() + PATIENCE;
		while (offset != 20 && world_ms() < deadline) {
			ck_assert_int_eq(klamm_consumer_poll(consumer, 20, &batch, &err), 0);
			ck_assert_ptr_null(batch);
			klamm_consumer_position(consumer, "t", 0, 100, &offset, NULL);
		}
		produce(0, 1);
	}
	ck_assert_int_eq(next_offset(), resets[i].offset);
}

START_TEST(opt_auto_offset_reset)
{
	check_reset(_i, false);
}
END_TEST

START_TEST(a_position_out_of_range_is_reset)
{
	check_reset(_i, true);
}
END_TEST

/* Others go on meanwhile. */
START_TEST(pausing)
{
	struct klamm_error err;
	struct world_seen seen[20];
	struct klamm_batch *batch;
	produce(1, 20);
	consumer = world_consumer(NULL, NULL, NULL);
	const struct klamm_topic_partition both[] = {{"t", 0}, {"t", 1}};
	ck_assert_int_eq(klamm_consumer_assign(consumer, both, 2, NULL), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(klamm_consumer_seek(consumer, "t", i, 0, NULL), 0);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, true, &err), 0);
	world_read(consumer, 20, seen);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(seen[i].partition, 1);
	ck_assert_int_eq(klamm_consumer_poll(consumer, 50, &batch, &err), 0);
	ck_assert_ptr_null(batch);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, false, &err), 0);
	world_read(consumer, 20, seen);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(seen[i].offset, i);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "u", 0, true, &err), KLAMM_ERR_STATE);
}
END_TEST

/* The broker stops while a paused partition's data is here: it is shown without a broker. */
START_TEST(paused_data_is_kept)
{
	struct klamm_error err;
	struct world_seen seen[20];
	struct klamm_batch *batch;
	consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 1, seen); /* one answer brought all twenty batches */
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, true, &err), 0);
	ck_assert_int_eq(klamm_consumer_poll(consumer, 20, &batch, &err), 0);
	ck_assert_ptr_null(batch);
	klamm_broker_stop(world_broker);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, false, &err), 0);
	world_read(consumer, 19, seen);
	ck_assert_int_eq(seen[18].offset, 19);
}
END_TEST

static int end_of(int32_t partition, int64_t timeout_ms, struct klamm_error *err)
{
	struct klamm_offset_query query = {.size = sizeof(query),
					   .topic = "t",
					   .partition = partition,
					   .timestamp_ms = KLAMM_OFFSET_END};
	return klamm_consumer_offsets(consumer, &query, 1, timeout_ms, err);
}

/* A broker that is up again lets us in; another one that is away is another matter. */
START_TEST(a_refusal_that_is_over_is_not_told)
{
	struct klamm_error err;
	int32_t id;
	world_start((struct klamm_broker_options){
		.nodes = 2, .replicas = 1, .sasl = "PLAIN", .no_auto_create = true});
	ck_assert_int_eq(klamm_broker_credential(world_broker, "u", "password", "p", &err), 0);
	world_create("t", 2);
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 2, false, &err), 0);
	ck_assert_int_eq(klamm_broker_fault(world_broker,
					    "SaslAuthenticate count=1 "
					    "error=SASL_AUTHENTICATION_FAILED",
					    &id, &err), 0);
	consumer = world_consumer(NULL, "security.protocol=SASL_PLAINTEXT",
				  "sasl.mechanism=PLAIN", "sasl.username=u",
				  "sasl.password=p", NULL);
	ck_assert_int_eq(end_of(0, PATIENCE, &err), KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	while (end_of(0, PATIENCE, &err) != 0)
		ck_assert_int_eq(err.code, KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_int_eq(end_of(1, 300, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_null(strstr(err.text, "SASL_AUTHENTICATION_FAILED"));
}
END_TEST

UNIT_SUITE(seek)
{
	Suite *s = suite_create("seek");
	unit_add_fixture(s, seeking, set_up, tear_down);
	unit_add_fixture(s, seeking_to_a_time, set_up, tear_down);
	unit_add_fixture(s, offsets_are_looked_up, set_up, tear_down);
	unit_add_fixture(s, brokers_are_within_reach, set_up, tear_down);
	unit_add_fixture(s, topics_are_listed, set_up, tear_down);
	unit_add_case(s, "places_of_tiered_storage", places_of_tiered_storage, set_up,
		      tear_down, 3);
	unit_add_case(s, "opt_auto_offset_reset", opt_auto_offset_reset, set_up, tear_down,
		      kl_countof(resets));
	unit_add_case(s, "a_position_out_of_range_is_reset", a_position_out_of_range_is_reset,
		      set_up, tear_down, kl_countof(resets));
	unit_add_fixture(s, pausing, set_up, tear_down);
	unit_add_fixture(s, paused_data_is_kept, set_up, tear_down);
	unit_add_fixture(s, a_refusal_that_is_over_is_not_told, NULL, tear_down);
	return s;
}
