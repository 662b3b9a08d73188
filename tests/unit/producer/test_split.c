/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches that the broker finds too large are sent in parts (KIP-126), and records that it
 * finds bad are told one by one (KIP-467). */
#include <stdio.h>
#include <stdlib.h>

#include "tests/client/script.h"
#include "tests/client/world.h"

enum { N = 200 };

static struct klamm_producer *producer;
static struct world_end ends[N];

/* The largest batch that this broker takes. */
static void up(void)
{
	world_start((struct klamm_broker_options){.message_max_bytes = 2000});
	world_create("t", 1);
}

static void up_middling(void)
{
	world_start((struct klamm_broker_options){.message_max_bytes = 12000});
	world_create("t", 1);
}

static void end(void)
{
	world_drop(producer);
	world_down();
}

/* Texts that no codec makes much of. */
static void send_number(int i, size_t size, void *opaque)
{
	char value[4096];
	uint32_t x = 2463534242u + (uint32_t)i * 7919u;
	int n = snprintf(value, sizeof(value), "%d ", i);
	for (size_t k = (size_t)n; k < size; k++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		value[k] = (char)('!' + x % 90);
	}
	value[kl_max(size, (size_t)n)] = '\0';
	world_send(producer, "t", 0, i % 3 == 0 ? NULL : "key", value, opaque);
}

static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

START_TEST(a_batch_that_is_too_large_is_split)
{
	char codec[64];
	snprintf(codec, sizeof(codec), "compression.type=%s", codecs[_i % 5]);
	producer = world_telling(NULL, "linger.ms=60000", "batch.size=100000", codec,
				 _i < 5 ? "enable.idempotence=true"
					: "enable.idempotence=false",
				 NULL);
	for (int i = 0; i < N; i++)
		send_number(i, 100, &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].error, 0);
		ck_assert_int_eq(ends[i].offset, i);
	}
	static struct world_seen seen[N];
	struct klamm_consumer *consumer = world_consumer(NULL, "fetch.max.wait.ms=10", NULL);
	world_assign(consumer, "t", 0, 0);
	ck_assert_int_gt(world_read(consumer, N, seen), 10);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(atoi(seen[i].value), i);
		ck_assert_int_eq(seen[i].key_len, i % 3 == 0 ? -1 : 3);
		ck_assert_int_eq(seen[i].timestamp_ms, ends[i].timestamp_ms);
	}
	world_close_consumer(consumer);
}
END_TEST

/* What does not fit into a segment is split as well. */
START_TEST(a_batch_larger_than_a_segment_is_split)
{
	world_fault((struct klamm_broker_fault){.api = 0, .action = KLAMM_BROKER_ERROR,
						.error = KLAMM_ERR_RECORD_LIST_TOO_LARGE,
						.topic = "t", .partition = -1});
	producer = world_telling(NULL, "linger.ms=60000", NULL);
	for (int i = 0; i < 10; i++)
		send_number(i, 100, &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(ends[i].offset, i);
}
END_TEST

/* An offset that no log has is none. */
static bool boast(const struct script_request *request)
{
	if (request->header.api != KL_API_PRODUCE)
		return false;
	struct kl_produce_response *body = script_produce(request);
	body->responses[0].partition_responses[0].base_offset = INT64_MAX;
	script_answer(request, body);
	return true;
}

START_TEST(offsets_do_not_overflow)
{
	static struct script script = {.handle = boast};
	script_start(&script);
	world_servers = script.address;
	producer = world_telling(NULL, "linger.ms=60000", NULL);
	for (int i = 0; i < 3; i++)
		world_send(producer, "t", 0, "k", "v", &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ends[i].offset, -1);
	world_drop(producer);
	script_stop(&script);
}
END_TEST

/* Every batch is too large, and buffer.memory is full of them: their parts need memory while
 * nothing gives any back. */
START_TEST(a_full_buffer_is_split_too)
{
	enum { MANY = 1000 };
	static struct world_end many[MANY];
	producer = world_telling(NULL, "linger.ms=0", "batch.size=32768",
				 "buffer.memory=65536", "max.block.ms=60000",
				 _i == 0 ? "compression.type=none" : "compression.type=lz4",
				 NULL);
	for (int i = 0; i < MANY; i++) {
		send_number(i, 300, &many[i]);
		ck_assert_int_eq(klamm_producer_poll(producer, 0, NULL, NULL), 0);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(many[i].offset, i);
}
END_TEST

/* One of them is too large by itself: that one fails, those around it do not. */
START_TEST(one_record_cannot_be_split)
{
	producer = world_telling(NULL, "linger.ms=60000", "batch.size=100000", NULL);
	for (int i = 0; i < 21; i++)
		send_number(i, i == 10 ? 3000 : 100, &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 1);
	for (int i = 0; i < 21; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].error, i == 10 ? KLAMM_ERR_MESSAGE_TOO_LARGE : 0);
		if (i != 10)
			ck_assert_int_eq(ends[i].offset, i < 10 ? i : i - 1);
	}
	ck_assert_int_eq(ends[10].outcome, KLAMM_OUTCOME_NOT_WRITTEN);
}
END_TEST

START_TEST(futures_and_transactions_are_split_too)
{
	struct klamm_error err;
	struct klamm_future *futures[30];
	struct klamm_topic *topic;
	static char value[200];
	memset(value, 'v', sizeof(value));
	producer = world_producer(NULL, "linger.ms=60000", "batch.size=100000",
				  "transactional.id=x", NULL);
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &topic, NULL), 0);
	ck_assert_int_eq(klamm_producer_init_transactions(producer, PATIENCE, &err), 0);
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), 0);
	for (int i = 0; i < 30; i++) {
		struct klamm_record record = KLAMM_RECORD_INIT;
		record.value = (struct klamm_span){value, sizeof(value)};
		ck_assert_int_eq(klamm_producer_send_future(producer, topic, &record,
							    &futures[i], &err),
				 0);
	}
	ck_assert_msg(klamm_producer_commit_transaction(producer, PATIENCE, &err) == 0, "%s",
		      err.text);
	for (int i = 0; i < 30; i++) {
		struct klamm_delivery delivery;
		ck_assert_int_eq(klamm_future_get(futures[i], PATIENCE, &delivery, &err), 0);
		ck_assert_int_eq(delivery.offset, i);
		klamm_future_free(futures[i]);
	}
	klamm_topic_unref(topic);
}
END_TEST

/* --- bad records --- */

static bool refuse_two(const struct script_request *request)
{
	static const struct {
		int32_t record;
		const char *words;
	} bad[] = {{1, "no key"}, {3, NULL}};
	if (request->header.api != KL_API_PRODUCE)
		return false;
	struct kl_produce_response *body = script_produce(request);
	struct kl_produce_response_partition *told =
		&body->responses[0].partition_responses[0];
	told->error_code = KLAMM_ERR_INVALID_RECORD;
	told->error_message = KL_STR("two are bad");
	told->base_offset = -1;
	told->record_errors = kl_type_new(&kl_type_produce_response_record_error,
					  request->arena, kl_countof(bad));
	told->record_errors_n = kl_countof(bad);
	for (size_t i = 0; i < kl_countof(bad); i++) {
		told->record_errors[i].batch_index = bad[i].record;
		told->record_errors[i].batch_index_error_message =
			bad[i].words != NULL ? kl_str(bad[i].words) : KL_STR_NULL;
	}
	script_answer(request, body);
	return true;
}

START_TEST(bad_records_are_told_apart)
{
	static struct script script = {.handle = refuse_two};
	script_start(&script);
	world_servers = script.address;
	producer = world_telling(NULL, "linger.ms=60000", NULL);
	for (int i = 0; i < 5; i++)
		world_send(producer, "t", 0, "k", "v", &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 5);
	for (int i = 0; i < 5; i++) {
		bool bad = i == 1 || i == 3;
		ck_assert_int_eq(ends[i].error, KLAMM_ERR_INVALID_RECORD);
		ck_assert_int_eq(ends[i].outcome, KLAMM_OUTCOME_NOT_WRITTEN);
		ck_assert_int_eq(ends[i].retriable, !bad);
		if (!bad)
			ck_assert_ptr_nonnull(strstr(ends[i].text, "other records"));
	}
	ck_assert_str_eq(ends[1].text, "topic t partition 0: INVALID_RECORD: no key");
	ck_assert_str_eq(ends[3].text, "topic t partition 0: INVALID_RECORD: two are bad");
	world_drop(producer);
	script_stop(&script);
}
END_TEST

UNIT_SUITE(split)
{
	Suite *s = suite_create("split");
	unit_add_case(s, "a_batch_that_is_too_large_is_split",
		      a_batch_that_is_too_large_is_split, up, end, 10);
	unit_add_case(s, "a_full_buffer_is_split_too", a_full_buffer_is_split_too, up_middling,
		      end, 2);
	unit_add_fixture(s, a_batch_larger_than_a_segment_is_split, up, end);
	unit_add(s, offsets_do_not_overflow);
	unit_add_fixture(s, one_record_cannot_be_split, up, end);
	unit_add_fixture(s, futures_and_transactions_are_split_too, up, end);
	unit_add(s, bad_records_are_told_apart);
	return s;
}
