/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetching: limits, damage, memory, and what becomes of brokers and topics meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/endian.h"
#include "core/record/batch.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"
#include "tests/client/script.h"
#include "tests/client/world.h"

#define FETCH 1

/* Batches of one record of so many bytes. */
static void produce(const char *topic, int n, size_t size)
{
	char *value = malloc(size);
	memset(value, 'v', size);
	struct klamm_producer *producer = world_producer(NULL, "batch.size=0", NULL);
	struct klamm_record record = world_record(NULL, NULL);
	record.value = (struct klamm_span){value, size};
	record.partition = 0;
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(klamm_producer_send_to(producer, topic, &record, NULL, NULL),
				 0);
	world_close(producer);
	free(value);
}

static void set_up(void)
{
	world_up();
	world_create("t", 1);
}

/* --- what is asked for --- */

static _Atomic int32_t asked_wait, asked_min, asked_max, asked_partition_max;

static bool look_at_fetch(const struct script_request *request)
{
	const struct kl_fetch_request *body = request->body;
	if (request->header.api != KL_API_FETCH || body->topics_n < 1)
		return false;
	asked_wait = body->max_wait_ms;
	asked_min = body->min_bytes;
	asked_max = body->max_bytes;
	asked_partition_max = body->topics[0].partitions[0].partition_max_bytes;
	return false;
}

static void ask(const char *pair)
{
	struct script script = {.handle = look_at_fetch};
	script_start(&script);
	world_servers = script.address;
	struct klamm_consumer *consumer = world_consumer(NULL, pair, NULL);
	struct klamm_batch *none;
	asked_max = 0;
	world_assign(consumer, "t", 0, 0);
	for (int64_t end = world_ms() + PATIENCE; asked_max == 0 && world_ms() < end;)
		ck_assert_int_eq(klamm_consumer_poll(consumer, 10, &none, NULL), 0);
	world_close_consumer(consumer);
	script_stop(&script);
}

/* How many requests thirty batches of 1000 bytes take. */
static int64_t fetches(const char *pair)
{
	struct world_seen seen[30];
	int64_t before = klamm_broker_request_count(world_broker, FETCH);
	/* It goes on asking while the records are read: rarely. */
	struct klamm_consumer *consumer =
		world_consumer(NULL, pair, "fetch.max.wait.ms=500", NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 30, seen);
	world_close_consumer(consumer);
	return klamm_broker_request_count(world_broker, FETCH) - before;
}

START_TEST(opt_fetch_max_bytes)
{
	ask("fetch.max.bytes=12345");
	ck_assert_int_eq(asked_max, 12345);
	set_up();
	produce("t", 30, 1000);
	ck_assert_int_ge(fetches("fetch.max.bytes=1"), 30); /* a first batch comes whole */
	ck_assert_int_lt(fetches("fetch.max.bytes=1000000"), 30);
	world_down();
}
END_TEST

START_TEST(opt_max_partition_fetch_bytes)
{
	ask("max.partition.fetch.bytes=12345");
	ck_assert_int_eq(asked_partition_max, 12345);
	set_up();
	produce("t", 30, 1000);
	ck_assert_int_ge(fetches("max.partition.fetch.bytes=2500"), 15);
	ck_assert_int_lt(fetches("max.partition.fetch.bytes=1000000"), 15);
	world_down();
}
END_TEST

/* The broker holds back what is too little, */
START_TEST(opt_fetch_min_bytes)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	ask("fetch.min.bytes=321");
	ck_assert_int_eq(asked_min, 321);
	set_up();
	struct klamm_consumer *consumer = world_consumer(
		NULL, "fetch.min.bytes=5000", "fetch.max.wait.ms=20000", NULL);
	produce("t", 1, 100);
	world_assign(consumer, "t", 0, 0);
	ck_assert_int_eq(klamm_consumer_poll(consumer, 200, &batch, &err), 0);
	ck_assert_ptr_null(batch);
	produce("t", 1, 6000);
	klamm_batch_unref(world_poll(consumer, &err));
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* but no longer than that. */
START_TEST(opt_fetch_max_wait_ms)
{
	struct klamm_error err;
	ask("fetch.max.wait.ms=77");
	ck_assert_int_eq(asked_wait, 77);
	set_up();
	struct klamm_consumer *consumer = world_consumer(
		NULL, "fetch.min.bytes=1000000", "fetch.max.wait.ms=50", NULL);
	produce("t", 1, 100);
	world_assign(consumer, "t", 0, 0);
	klamm_batch_unref(world_poll(consumer, &err));
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* --- batches that are not as they should be --- */

static struct {
	uint8_t bytes[4096];
	size_t len, at[3];
	int count;
} log_of_three;

static bool keep_batch(const struct script_request *request)
{
	if (request->header.api != KL_API_PRODUCE)
		return false;
	const struct kl_produce_request *body = request->body;
	struct kl_bytes records = body->topic_data[0].partition_data[0].records;
	ck_assert_int_lt(log_of_three.count, 3);
	ck_assert_uint_le(log_of_three.len + (size_t)records.len, sizeof(log_of_three.bytes));
	log_of_three.at[log_of_three.count] = log_of_three.len;
	uint8_t *to = log_of_three.bytes + log_of_three.len;
	memcpy(to, records.p, (size_t)records.len);
	kl_store_u64(to, (uint64_t)log_of_three.count++); /* where it would be in a log */
	log_of_three.len += (size_t)records.len;
	return false;
}

static struct script serving;

/* Three batches of one record, with offsets 0 to 2, for change() to spoil the middle one. */
static struct klamm_consumer *serve(void (*change)(uint8_t *batch, size_t len),
				    const char *pair)
{
	struct script script = {.handle = keep_batch};
	script_start(&script);
	world_servers = script.address;
	struct klamm_producer *producer = world_producer(NULL, "batch.size=0", NULL);
	for (int i = 0; i < 3; i++) {
		world_send(producer, "t", 0, "key", "value", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
	script_stop(&script);
	change(log_of_three.bytes + log_of_three.at[1],
	       log_of_three.at[2] - log_of_three.at[1]);
	serving = (struct script){
		.log = log_of_three.bytes, .log_len = log_of_three.len, .log_end = 3};
	script_start(&serving);
	world_servers = serving.address;
	struct klamm_consumer *consumer = world_consumer(NULL, pair, NULL);
	world_assign(consumer, "t", 0, 0);
	return consumer;
}

static void damage(uint8_t *batch, size_t len)
{
	uint8_t *value = memmem(batch, len, "value", 5);
	ck_assert_ptr_nonnull(value);
	value[0] = 'V';
}

START_TEST(opt_check_crcs)
{
	struct klamm_error err;
	struct world_seen seen[3];
	int64_t offset;
	struct klamm_consumer *consumer = serve(
		damage, _i == 0 ? "check.crcs=true" : "check.crcs=false");
	world_read(consumer, 1, seen);
	if (_i == 0) {
		for (int i = 0; i < 2; i++) { /* it stays in the way */
			ck_assert_ptr_null(world_poll(consumer, &err));
			ck_assert_int_eq(err.code, KLAMM_ERR_CORRUPT_BATCH);
			ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
			ck_assert_ptr_nonnull(strstr(err.text, "offset 1"));
			ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, 0, &offset,
								 &err), 0);
			ck_assert_int_eq(offset, 1);
		}
		ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 2, &err), 0);
	} else {
		world_read(consumer, 1, seen);
		ck_assert_str_eq(seen[0].value, "Value");
	}
	world_read(consumer, 1, seen);
	ck_assert_int_eq(seen[0].offset, 2);
	ck_assert_str_eq(seen[0].value, "value");
	world_close_consumer(consumer);
	script_stop(&serving);
}
END_TEST

/* What brokers write of transactions is theirs. */
static void make_control(uint8_t *batch, size_t len)
{
	struct kl_batch_head head;
	ck_assert_int_eq(kl_batch_peek(batch, len, &head), KL_BATCH_WHOLE);
	kl_store_u16(batch + KL_BATCH_ATTRIBUTES,
		     (uint16_t)(head.attributes | KL_ATTR_CONTROL | KL_ATTR_TRANSACTIONAL));
	kl_batch_stamp(batch, 7, 0, -1,
		       kl_batch_body_crc(batch + KL_BATCH_HEAD, len - KL_BATCH_HEAD));
}

START_TEST(control_batches_are_skipped)
{
	struct world_seen seen[2];
	struct klamm_consumer *consumer = serve(make_control, NULL);
	world_read(consumer, 2, seen);
	ck_assert_int_eq(seen[0].offset, 0);
	ck_assert_int_eq(seen[1].offset, 2);
	world_close_consumer(consumer);
	script_stop(&serving);
}
END_TEST

/* --- memory --- */

static const char *const codecs[] = {"compression.type=gzip", "compression.type=snappy",
				     "compression.type=lz4", "compression.type=zstd"};

START_TEST(opt_klamm_decompress_max)
{
	struct klamm_error err;
	char *value = calloc(1, 100000);
	bool is_bomb = _i % 2 == 0;
	set_up();
	struct klamm_producer *producer = world_producer(NULL, codecs[_i / 2], NULL);
	struct klamm_record record = world_record(NULL, NULL);
	record.value = (struct klamm_span){value, 100000};
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, NULL), 0);
	world_close(producer);
	struct klamm_consumer *consumer = world_consumer(
		NULL, is_bomb ? "klamm.decompress.max=50000" : "klamm.decompress.max=200000",
		NULL);
	world_assign(consumer, "t", 0, 0);
	struct klamm_batch *batch = world_poll(consumer, &err);
	if (is_bomb) {
		ck_assert_ptr_null(batch);
		ck_assert_int_eq(err.code, KLAMM_ERR_LIMIT);
		ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
		ck_assert_ptr_nonnull(strstr(err.text, "50000"));
	} else {
		ck_assert_ptr_nonnull(batch);
	}
	klamm_batch_unref(batch);
	world_close_consumer(consumer);
	world_down();
	free(value);
}
END_TEST

/* Batches that the application holds stop the fetching, and poll() says so. */
START_TEST(opt_klamm_memory_max)
{
	enum { N = 40 };
	struct klamm_error err;
	struct klamm_batch *held[N];
	int n = 0;
	set_up();
	produce("t", N, 200000);
	struct klamm_consumer *consumer = world_consumer(
		NULL, _i == 0 ? "klamm.memory.max=2000000" : "klamm.memory.max=100000000",
		"klamm.decompress.max=1000000", "fetch.max.bytes=300000",
		"max.partition.fetch.bytes=300000", NULL);
	world_assign(consumer, "t", 0, 0);
	while (n < N && (held[n] = world_poll(consumer, &err)) != NULL)
		n++;
	if (_i == 0) {
		ck_assert_int_eq(err.code, KLAMM_ERR_QUEUE_FULL);
		ck_assert_ptr_nonnull(strstr(err.text, "klamm.memory.max"));
		ck_assert_int_gt(n, 1);
		ck_assert_int_lt(n, 15);
	} else {
		ck_assert_int_eq(n, N);
	}
	for (int i = 0; i < n; i++)
		klamm_batch_unref(held[i]);
	for (; n < N; n++) { /* the rest comes, and none twice */
		struct klamm_record_view view;
		struct klamm_batch *batch = world_poll(consumer, &err);
		ck_assert_msg(batch != NULL, "%s", err.text);
		ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
		ck_assert_int_eq(view.offset, n);
		klamm_batch_unref(batch);
	}
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* --- topics and brokers that come and go --- */

static const int passing[] = {
	KLAMM_ERR_NOT_LEADER_OR_FOLLOWER, KLAMM_ERR_FENCED_LEADER_EPOCH,
	KLAMM_ERR_UNKNOWN_LEADER_EPOCH,   KLAMM_ERR_REPLICA_NOT_AVAILABLE,
	KLAMM_ERR_KAFKA_STORAGE_ERROR,    KLAMM_ERR_OFFSET_NOT_AVAILABLE,
	KLAMM_ERR_UNKNOWN_TOPIC_ID,       KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
};

START_TEST(errors_that_pass_are_not_told)
{
	struct world_seen seen[5];
	set_up();
	produce("t", 5, 100);
	world_fault((struct klamm_broker_fault){.api = FETCH, .topic = "t", .partition = 0,
						.count = 3, .action = KLAMM_BROKER_ERROR,
						.error = passing[_i]});
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 5, seen);
	ck_assert_int_eq(seen[4].offset, 4);
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* The second means a follower's Fetch (KIP-405): no consumer's is answered so, but if one
 * is, it hears of it. */
static const int lasting[] = {
	KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED,
	KLAMM_ERR_OFFSET_MOVED_TO_TIERED_STORAGE,
	KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE,
};

START_TEST(an_error_that_lasts_is_told)
{
	struct klamm_error err;
	struct world_seen seen[5];
	set_up();
	produce("t", 5, 100);
	world_fault((struct klamm_broker_fault){
		.api = FETCH, .topic = "t", .partition = 0, .count = 3,
		.action = KLAMM_BROKER_ERROR, .error = lasting[_i]});
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, 0);
	ck_assert_ptr_null(world_poll(consumer, &err));
	ck_assert_int_eq(err.code, lasting[_i]);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
	world_read(consumer, 5, seen); /* told once, and tried on */
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* Connections that end in the middle, and answers that never come. */
START_TEST(lost_connections_are_made_again)
{
	struct world_seen seen[40];
	static const int actions[] = {KLAMM_BROKER_DROP, KLAMM_BROKER_DROP_AFTER,
				      KLAMM_BROKER_SILENCE};
	set_up();
	produce("t", 40, 1000);
	world_fault((struct klamm_broker_fault){.api = FETCH, .skip = 1, .count = 2,
						.action = actions[_i]});
	struct klamm_consumer *consumer = world_consumer(
		NULL, "request.timeout.ms=500", "max.partition.fetch.bytes=5000", NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 40, seen);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(seen[i].offset, i);
	world_close_consumer(consumer);
	world_down();
}
END_TEST

START_TEST(leaders_and_brokers_that_move)
{
	struct klamm_error err;
	struct world_seen seen[20];
	world_start((struct klamm_broker_options){.nodes = 3});
	world_create("t", 1);
	produce("t", 100, 1000);
	struct klamm_consumer *consumer = world_consumer(
		NULL, "max.partition.fetch.bytes=4000", NULL);
	world_assign(consumer, "t", 0, 0);
	for (int round = 0; round < 5; round++) {
		world_read(consumer, 20, seen);
		for (int i = 0; i < 20; i++)
			ck_assert_int_eq(seen[i].offset, round * 20 + i);
		if (round < 3) {
			ck_assert_int_eq(klamm_broker_move_leader(world_broker, "t", 0,
								  round % 3 + 1, &err), 0);
		} else if (round == 3) {
			klamm_broker_stop(world_broker);
			for (int node = 1; node <= 3; node++)
				ck_assert_int_eq(klamm_broker_node_start(world_broker, node,
									 &err), 0);
		}
	}
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* It is waited for, as Java's consumer does; a call that asks for it says so. */
START_TEST(a_topic_that_is_not_there_yet)
{
	struct klamm_error err;
	struct world_seen seen[3];
	int32_t count;
	world_start((struct klamm_broker_options){.no_auto_create = true});
	struct klamm_consumer *consumer = world_consumer(
		NULL, "metadata.max.age.ms=100", NULL);
	ck_assert_int_eq(klamm_consumer_partitions_for(consumer, "later", PATIENCE, &count,
						       &err),
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	world_assign(consumer, "later", 0, KLAMM_OFFSET_BEGINNING);
	struct klamm_batch *none;
	ck_assert_int_eq(klamm_consumer_poll(consumer, 100, &none, &err), 0);
	ck_assert_ptr_null(none);
	world_create("later", 1);
	produce("later", 3, 10);
	world_read(consumer, 3, seen);
	world_close_consumer(consumer);
	world_down();
}
END_TEST

UNIT_SUITE(fetch)
{
	Suite *s = suite_create("fetch");
	unit_add(s, opt_fetch_max_bytes);
	unit_add(s, opt_max_partition_fetch_bytes);
	unit_add(s, opt_fetch_min_bytes);
	unit_add(s, opt_fetch_max_wait_ms);
	unit_add_loop(s, opt_check_crcs, 2);
	unit_add(s, control_batches_are_skipped);
	unit_add_loop(s, opt_klamm_decompress_max, 2 * (int)kl_countof(codecs));
	unit_add_loop(s, opt_klamm_memory_max, 2);
	unit_add_loop(s, errors_that_pass_are_not_told, kl_countof(passing));
	unit_add_loop(s, an_error_that_lasts_is_told, kl_countof(lasting));
	unit_add_loop(s, lost_connections_are_made_again, 3);
	unit_add(s, leaders_and_brokers_that_move);
	unit_add(s, a_topic_that_is_not_there_yet);
	return s;
}
