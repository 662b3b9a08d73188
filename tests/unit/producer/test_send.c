/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to send, what is sent, and ways to hear what became of it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/client/world.h"

static struct klamm_producer *producer;
static struct klamm_consumer *consumer;
static struct klamm_topic *topic;

static void set_up(void)
{
	world_up();
	world_create("t", 1);
	producer = world_telling(NULL, "linger.ms=0", NULL);
	consumer = world_consumer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &topic, NULL), 0);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
}

static void tear_down(void)
{
	klamm_topic_unref(topic);
	world_close(producer);
	world_close_consumer(consumer);
	world_down();
}

START_TEST(the_callback_tells_each_record_once)
{
	struct world_end ends[100] = {0};
	struct world_seen seen[100];
	char value[16];
	for (int i = 0; i < 100; i++) {
		snprintf(value, sizeof(value), "v%d", i);
		world_send(producer, "t", -1, "k", value, &ends[i]);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	world_read(consumer, 100, seen);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].error, 0);
		ck_assert_int_eq(ends[i].outcome, KLAMM_OUTCOME_DELIVERED);
		ck_assert_int_eq(ends[i].offset, i);
		ck_assert_str_eq(ends[i].topic, "t");
		ck_assert_str_eq(ends[i].text, "");
		snprintf(value, sizeof(value), "v%d", i);
		ck_assert_str_eq(seen[i].value, value);
		ck_assert_int_eq(seen[i].offset, i);
		ck_assert_int_eq(seen[i].timestamp_ms, ends[i].timestamp_ms);
	}
}
END_TEST

struct counted {
	int with, without;
};

static void count(void *arg, const struct klamm_delivery *delivery)
{
	struct counted *counted = arg;
	if (delivery->opaque != NULL)
		counted->with++;
	else
		counted->without++;
}

/* all: also those that were sent without an opaque. */
START_TEST(the_callback_is_for_opaques_or_all)
{
	struct counted counted = {0};
	struct klamm_error err;
	struct klamm_producer *p = world_producer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_producer_on_delivery(p, count, &counted, _i == 1, NULL), 0);
	for (int i = 0; i < 30; i++)
		world_send(p, "t", -1, NULL, "v", i % 3 == 0 ? &counted : NULL);
	ck_assert_int_eq(klamm_producer_on_delivery(p, count, &counted, false, &err),
			 KLAMM_ERR_STATE);
	ck_assert_uint_eq(world_flush(p), 0);
	ck_assert_int_eq(counted.with, 10);
	ck_assert_int_eq(counted.without, _i == 1 ? 20 : 0);
	struct klamm_delivery none;
	size_t n;
	ck_assert_int_eq(klamm_producer_deliveries(p, 0, &none, 1, &n, &err), KLAMM_ERR_STATE);
	world_close(p);
}
END_TEST

START_TEST(deliveries_without_a_callback)
{
	struct klamm_producer *p = world_producer(NULL, "linger.ms=0", NULL);
	int ids[25], next = 0;
	for (int i = 0; i < 25; i++)
		world_send(p, "t", -1, NULL, "v", &ids[i]);
	world_send(p, "t", -1, NULL, "v", NULL);
	struct klamm_delivery d[4];
	int64_t deadline = world_ms() + PATIENCE;
	while (next < 25 && world_ms() < deadline) {
		size_t n;
		ck_assert_int_eq(klamm_producer_deliveries(p, 1000, d, 4, &n, NULL), 0);
		ck_assert_uint_le(n, 4);
		for (size_t i = 0; i < n; i++) {
			ck_assert_ptr_eq(d[i].opaque, &ids[next]);
			ck_assert_int_eq(d[i].offset, next);
			ck_assert_int_eq(d[i].error, 0);
			ck_assert_str_eq(d[i].topic, "t");
			next++;
		}
	}
	ck_assert_int_eq(next, 25);
	world_close(p);
}
END_TEST

static void keep(void *arg, const struct klamm_delivery *delivery)
{
	struct klamm_delivery copy = *delivery;
	copy.opaque = arg;
	world_told(NULL, &copy);
}

START_TEST(a_future)
{
	struct klamm_record record = world_record("k", "v");
	struct klamm_future *future;
	struct klamm_delivery d = {.size = sizeof(d)};
	struct klamm_error err;
	struct world_end good = {0}, bad = {0}, late = {0};
	ck_assert_int_eq(klamm_producer_send_future(producer, topic, &record, &future, &err),
			 0);
	ck_assert_int_eq(klamm_future_then(future, keep, NULL, &good, &err), 0);
	ck_assert_int_eq(klamm_future_then(future, NULL, keep, &bad, &err), 0);
	ck_assert_int_eq(klamm_future_then(future, keep, keep, &good, &err), 0);
	ck_assert_int_eq(klamm_future_get(future, PATIENCE, &d, &err), 0);
	ck_assert(klamm_future_is_done(future));
	ck_assert_int_eq(d.error, 0);
	ck_assert_int_eq(d.offset, 0);
	ck_assert_int_eq(d.outcome, KLAMM_OUTCOME_DELIVERED);
	ck_assert_str_eq(d.topic, "t");
	ck_assert_int_eq(klamm_future_get(future, 0, NULL, NULL), 0); /* again */
	world_flush(producer);
	ck_assert_int_eq(good.told, 2);
	ck_assert_int_eq(bad.told, 0);
	ck_assert_int_eq(klamm_future_then(future, keep, NULL, &late, &err), 0);
	ck_assert_int_eq(late.told, 1); /* at once */
	klamm_future_free(future);
	klamm_future_free(NULL);
}
END_TEST

/* Null, empty and long ones, with and without headers, as kafka-python's RecordMetadata tells
 * them: by the callback, by deliveries and by futures; of serialized bytes. */
static const struct sized {
	const char *key, *value;
	size_t headers;
	int32_t key_size, value_size, headers_size;
} sized[] = {
	{NULL, NULL, 0, -1, -1, -1},
	{"", "", 0, 0, 0, -1},
	{"key", NULL, 0, 3, -1, -1},
	{NULL, "a value", 1, -1, 7, 3},
	{"k", "v", 3, 1, 1, 14},
};

static const struct klamm_header some_headers[] = {
	{{"abc", 3}, {NULL, 77}}, /* null */
	{{"", 0}, {"", 0}},
	{{"name", 4}, {"content", 7}},
};

static struct klamm_record sized_record(size_t i)
{
	struct klamm_record record = world_record(sized[i].key, sized[i].value);
	record.headers = some_headers;
	record.header_count = sized[i].headers;
	return record;
}

static void check_sizes(size_t i, int32_t key, int32_t value, int32_t headers_size)
{
	ck_assert_int_eq(key, sized[i].key_size);
	ck_assert_int_eq(value, sized[i].value_size);
	ck_assert_int_eq(headers_size, sized[i].headers_size);
}

START_TEST(sizes_are_told)
{
	struct world_end ends[kl_countof(sized)] = {0};
	struct klamm_future *futures[kl_countof(sized)];
	struct klamm_record record;
	for (size_t i = 0; i < kl_countof(sized); i++) {
		record = sized_record(i);
		ck_assert_int_eq(klamm_producer_send(producer, topic, &record, NULL, NULL), 0);
		ck_assert_int_eq(klamm_producer_send(producer, topic, &record, &ends[i], NULL),
				 0);
		ck_assert_int_eq(klamm_producer_send_future(producer, topic, &record,
							    &futures[i], NULL), 0);
	}
	world_flush(producer);
	for (size_t i = 0; i < kl_countof(sized); i++) {
		struct klamm_delivery d;
		ck_assert_int_eq(ends[i].told, 1);
		check_sizes(i, ends[i].key_size, ends[i].value_size, ends[i].headers_size);
		ck_assert_int_eq(klamm_future_get(futures[i], PATIENCE, &d, NULL), 0);
		check_sizes(i, d.key_size, d.value_size, d.headers_size);
		klamm_future_free(futures[i]);
	}
}
END_TEST

START_TEST(sizes_among_deliveries)
{
	struct klamm_producer *p = world_producer(NULL, "compression.type=gzip", NULL);
	struct klamm_delivery d[kl_countof(sized)];
	size_t have = 0, n;
	int id = 0;
	for (size_t i = 0; i < kl_countof(sized); i++) {
		struct klamm_record record = sized_record(i);
		ck_assert_int_eq(klamm_producer_send_to(p, "t", &record, &id, NULL), 0);
	}
	for (; have < kl_countof(sized); have += n) {
		ck_assert_int_eq(klamm_producer_deliveries(p, PATIENCE, d, kl_countof(d), &n,
							   NULL), 0);
		for (size_t i = 0; i < n; i++)
			check_sizes(have + i, d[i].key_size, d[i].value_size,
				    d[i].headers_size);
	}
	world_close(p);
}
END_TEST

START_TEST(a_future_that_fails)
{
	world_fault((struct klamm_broker_fault){.api = 0, .action = KLAMM_BROKER_ERROR,
						.error = KLAMM_ERR_INVALID_RECORD,
						.topic = "t", .partition = -1});
	struct klamm_record record = world_record("k", "v");
	struct klamm_future *future;
	struct klamm_delivery d;
	struct klamm_error err;
	struct world_end good = {0}, bad = {0};
	ck_assert_int_eq(klamm_producer_send_future(producer, topic, &record, &future, &err),
			 0);
	ck_assert_int_eq(klamm_future_then(future, keep, NULL, &good, &err), 0);
	ck_assert_int_eq(klamm_future_then(future, NULL, keep, &bad, &err), 0);
	ck_assert_int_eq(klamm_future_get(future, PATIENCE, &d, &err),
			 KLAMM_ERR_INVALID_RECORD);
	ck_assert_int_eq(err.code, KLAMM_ERR_INVALID_RECORD);
	ck_assert_int_eq(err.outcome, KLAMM_OUTCOME_NOT_WRITTEN);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0: INVALID_RECORD"));
	ck_assert_int_eq(d.offset, -1);
	ck_assert_int_eq(d.outcome, KLAMM_OUTCOME_NOT_WRITTEN);
	ck_assert_uint_eq(world_flush(producer), 1);
	ck_assert_int_eq(good.told, 0);
	ck_assert_int_eq(bad.told, 1);
	ck_assert_int_eq(bad.error, KLAMM_ERR_INVALID_RECORD);
	klamm_future_free(future);
}
END_TEST

START_TEST(a_future_is_waited_for_so_long)
{
	world_fault((struct klamm_broker_fault){.api = 0, .delay_ms = 1500});
	struct klamm_record record = world_record("k", "v");
	struct klamm_future *future;
	struct klamm_error err;
	ck_assert_int_eq(klamm_producer_send_future(producer, topic, &record, &future, &err),
			 0);
	ck_assert_int_eq(klamm_future_get(future, 0, NULL, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert(!klamm_future_is_done(future));
	if (_i == 0)
		ck_assert_int_eq(klamm_future_get(future, PATIENCE, NULL, &err), 0);
	klamm_future_free(future); /* _i == 1: before its end */
}
END_TEST

START_TEST(a_future_outlives_its_producer)
{
	struct klamm_producer *p = world_producer(NULL, "linger.ms=60000",
						  "delivery.timeout.ms=200000", NULL);
	struct klamm_topic *handle;
	struct klamm_record record = world_record("k", "v");
	struct klamm_future *future;
	struct klamm_delivery d;
	ck_assert_int_eq(klamm_producer_topic(p, "t", &handle, NULL), 0);
	ck_assert_int_eq(klamm_producer_send_future(p, handle, &record, &future, NULL), 0);
	ck_assert(!klamm_future_is_done(future));
	if (_i == 0)
		world_close(p);
	else
		world_drop(p);
	ck_assert(klamm_future_is_done(future));
	int rc = klamm_future_get(future, 0, &d, NULL);
	if (_i == 0)
		ck_assert_int_eq(rc, 0);
	else
		ck_assert(rc == 0 || rc == KLAMM_ERR_CLOSED);
	ck_assert_str_eq(d.topic, "t");
	ck_assert_str_eq(klamm_topic_name(handle), "t");
	klamm_topic_unref(handle);
	klamm_future_free(future);
}
END_TEST

START_TEST(many_at_once)
{
	enum { N = 500 };
	static struct klamm_record records[N];
	static struct world_end ends[N];
	static struct world_seen seen[N];
	static char values[N][16];
	void *opaques[N];
	world_create("wide", 3);
	struct klamm_topic *wide;
	ck_assert_int_eq(klamm_producer_topic(producer, "wide", &wide, NULL), 0);
	for (int i = 0; i < N; i++) {
		snprintf(values[i], sizeof(values[i]), "v%d", i);
		records[i] = world_record("k", values[i]);
		records[i].partition = i / 50 % 3;
		opaques[i] = &ends[i];
	}
	size_t queued;
	struct klamm_error err;
	ck_assert_msg(klamm_producer_send_many(producer, wide, records, N, opaques, &queued,
					       &err) == 0, "%s", err.text);
	ck_assert_uint_eq(queued, N);
	ck_assert_int_eq(klamm_producer_send_many(producer, wide, records, 0, NULL, &queued,
						  &err), 0);
	ck_assert_uint_eq(queued, 0);
	ck_assert_int_eq(klamm_producer_send_many(producer, wide, records, 50, NULL, NULL,
						  &err), 0);
	ck_assert_uint_eq(world_flush(producer), 0);
	int64_t next[3] = {0};
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].partition, i / 50 % 3);
		ck_assert_int_eq(ends[i].offset, next[ends[i].partition]++);
	}
	for (int part = 0; part < 3; part++) {
		int n = (int)world_end_of("wide", part);
		ck_assert_int_eq(n, (int)next[part] + (part == 0 ? 50 : 0));
		world_assign(consumer, "wide", part, KLAMM_OFFSET_BEGINNING);
		world_read(consumer, n, seen);
		for (int i = 0, at = 0; i < N; i++)
			if (i / 50 % 3 == part)
				ck_assert_str_eq(seen[at++].value, values[i]);
	}
	klamm_topic_unref(wide);
}
END_TEST

/* The error is of the first that was not queued; those before it were. */
START_TEST(many_stop_at_a_bad_one)
{
	struct klamm_record records[] = {world_record("k", "0"), world_record("k", "1"),
					 world_record("k", "2"), world_record("k", "3")};
	if (_i == 0)
		records[2].partition = 7;
	else if (_i == 1)
		records[2].timestamp_ms = -5;
	else
		records[2].size = 3;
	size_t queued;
	struct klamm_error err;
	int rc = klamm_producer_send_many(producer, topic, records, 4, NULL, &queued, &err);
	ck_assert_int_eq(rc, _i == 0 ? KLAMM_ERR_PARTITION : KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(err.code, rc);
	ck_assert_uint_eq(queued, 2);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(world_end_of("t", 0), 2);
}
END_TEST

START_TEST(nulls_and_emptiness)
{
	struct world_seen seen[4];
	world_send(producer, "t", 0, NULL, NULL, NULL);
	world_send(producer, "t", 0, "", "", NULL);
	world_send(producer, "t", 0, NULL, "v", NULL);
	world_send(producer, "t", 0, "k", NULL, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	world_read(consumer, 4, seen);
	ck_assert_int_eq(seen[0].key_len, -1);
	ck_assert_int_eq(seen[0].value_len, -1);
	ck_assert_int_eq(seen[1].key_len, 0);
	ck_assert_int_eq(seen[1].value_len, 0);
	ck_assert_int_eq(seen[2].key_len, -1);
	ck_assert_str_eq(seen[2].value, "v");
	ck_assert_str_eq(seen[3].key, "k");
	ck_assert_int_eq(seen[3].value_len, -1);
}
END_TEST

START_TEST(headers_of_all_kinds)
{
	const struct klamm_header headers[] = {
		{world_span("one"), world_span("1")},
		{world_span("null"), world_span(NULL)},
		{world_span("empty"), world_span("")},
		{world_span(""), world_span("no name")},
		{world_span("one"), world_span("again")},
	};
	struct klamm_record record = world_record("k", "v");
	record.headers = headers;
	record.header_count = kl_countof(headers);
	ck_assert_int_eq(klamm_producer_send(producer, topic, &record, NULL, NULL), 0);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_error err;
	struct klamm_batch *batch = world_poll(consumer, &err);
	struct klamm_record_view view;
	ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
	ck_assert_uint_eq(view.header_count, kl_countof(headers));
	for (uint32_t i = 0; i < view.header_count; i++) {
		struct klamm_header got;
		ck_assert_int_eq(klamm_record_header(&view, i, &got), 0);
		ck_assert_uint_eq(got.name.len, headers[i].name.len);
		ck_assert_mem_eq(got.name.data, headers[i].name.data, got.name.len);
		ck_assert_int_eq(got.value.data == NULL, headers[i].value.data == NULL);
		ck_assert_uint_eq(got.value.len, headers[i].value.len);
		if (got.value.len > 0)
			ck_assert_mem_eq(got.value.data, headers[i].value.data,
					 got.value.len);
	}
	struct klamm_header none;
	ck_assert_int_eq(klamm_record_header(&view, 5, &none), KLAMM_ERR_INVALID_ARGUMENT);
	klamm_batch_unref(batch);
}
END_TEST

/* Without order, as an application may have them, zero too. */
START_TEST(own_timestamps)
{
	static const int64_t times[] = {1700000000000, 0, 1600000000123, 1650000000000, 1};
	struct world_end ends[kl_countof(times)] = {0};
	struct world_seen seen[kl_countof(times)];
	int64_t before = (int64_t)time(NULL) * 1000;
	for (size_t i = 0; i < kl_countof(times); i++) {
		struct klamm_record record = world_record("k", "v");
		record.timestamp_ms = times[i];
		ck_assert_int_eq(klamm_producer_send(producer, topic, &record, &ends[i], NULL),
				 0);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	world_read(consumer, (int)kl_countof(times), seen);
	for (size_t i = 0; i < kl_countof(times); i++) {
		ck_assert_int_eq(ends[i].timestamp_ms, times[i]);
		ck_assert_int_eq(seen[i].timestamp_ms, times[i]);
		ck_assert_int_eq(seen[i].timestamp_type, KLAMM_TIMESTAMP_CREATE);
	}
	/* Whatever that of the first record of its batch is. */
	struct klamm_record early = world_record("k", "in an hour");
	early.timestamp_ms = before + 3600000;
	ck_assert_int_eq(klamm_producer_send(producer, topic, &early, NULL, NULL), 0);
	world_send(producer, "t", 0, "k", "now", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	world_read(consumer, 2, seen);
	ck_assert_int_eq(seen[0].timestamp_ms, before + 3600000);
	/* The kernel's tick may lie before the second that time() told. */
	ck_assert_int_ge(seen[1].timestamp_ms, before - 1000);
	ck_assert_int_le(seen[1].timestamp_ms, (int64_t)time(NULL) * 1000 + 1000);
}
END_TEST

START_TEST(every_size_comes_back)
{
	static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 32767, 32768, 32769,
				       900000};
	char *big = malloc(900000);
	for (size_t i = 0; i < 900000; i++)
		big[i] = (char)(i * 31 + i / 251);
	for (size_t i = 0; i < kl_countof(sizes); i++) {
		struct klamm_record record = world_record("k", NULL);
		record.value = (struct klamm_span){big, sizes[i]};
		ck_assert_int_eq(klamm_producer_send(producer, topic, &record, NULL, NULL), 0);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	size_t next = 0;
	while (next < kl_countof(sizes)) {
		struct klamm_error err;
		struct klamm_record_view view;
		struct klamm_batch *batch = world_poll(consumer, &err);
		ck_assert_msg(batch != NULL, "%s", err.text);
		while (klamm_batch_next(batch, &view) == 1) {
			ck_assert_uint_eq(view.value.len, sizes[next]);
			ck_assert_mem_eq(view.value.data, big, sizes[next]);
			next++;
		}
		klamm_batch_unref(batch);
	}
	free(big);
}
END_TEST

START_TEST(what_cannot_be_sent)
{
	struct klamm_error err;
	struct klamm_topic *none;
	struct klamm_record record = world_record("k", "v");
	static const char *const names[] = {"", "a b", "a/b", ".", "..", "\xc3\xa4"};
	for (size_t i = 0; i < kl_countof(names); i++) {
		ck_assert_int_eq(klamm_producer_topic(producer, names[i], &none, &err),
				 KLAMM_ERR_INVALID_ARGUMENT);
		ck_assert_int_eq(klamm_producer_send_to(producer, names[i], &record, NULL,
							&err), KLAMM_ERR_INVALID_ARGUMENT);
	}
	char name[251];
	memset(name, 'n', sizeof(name) - 1);
	name[250] = '\0';
	ck_assert_int_eq(klamm_producer_topic(producer, name, &none, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	record.partition = 1;
	ck_assert_int_eq(klamm_producer_send(producer, topic, &record, NULL, &err),
			 KLAMM_ERR_PARTITION);
	ck_assert_str_eq(err.text, "topic t has no partition 1: it has 1");
	record.partition = -7;
	ck_assert_int_lt(klamm_producer_send(producer, topic, &record, NULL, &err), 0);
	record = world_record("k", "v");
	record.timestamp_ms = -2;
	ck_assert_int_eq(klamm_producer_send(producer, topic, &record, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	struct klamm_record zero = {0};
	ck_assert_int_eq(klamm_producer_send(producer, topic, &zero, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(err.text, "KLAMM_RECORD_INIT"));
	klamm_record_init(&zero);
	zero.partition = 0;
	ck_assert_int_eq(klamm_producer_send(producer, topic, &zero, NULL, &err), 0);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(world_end_of("t", 0), 1);
}
END_TEST

/* One name, one handle; several topics from one producer. */
START_TEST(handles_and_names)
{
	struct klamm_topic *again, *other;
	world_create("u", 2);
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &again, NULL), 0);
	ck_assert_int_eq(klamm_producer_topic(producer, "u", &other, NULL), 0);
	ck_assert_ptr_eq(again, topic);
	ck_assert_ptr_ne(other, topic);
	ck_assert_str_eq(klamm_topic_name(other), "u");
	klamm_topic_unref(again);
	klamm_topic_unref(other);
	klamm_topic_unref(NULL);
	for (int i = 0; i < 20; i++)
		world_send(producer, i % 2 ? "t" : "u", 0, NULL, "v", NULL);
	int32_t count;
	struct klamm_error err;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "u", &count, &err), 0);
	ck_assert_int_eq(count, 2);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(world_end_of("t", 0), 10);
	ck_assert_int_eq(world_end_of("u", 0), 10);
}
END_TEST

struct echo {
	struct klamm_producer *producer;
	int sent, told, waits;
};

static void send_another(void *arg, const struct klamm_delivery *delivery)
{
	struct echo *echo = arg;
	struct klamm_record record = world_record("k", "from the callback");
	struct klamm_error err;
	ck_assert_int_eq(delivery->error, 0);
	echo->told++;
	int32_t count;
	uint64_t failed;
	echo->waits += klamm_producer_poll(echo->producer, 0, NULL, &err) ==
		       KLAMM_ERR_WOULD_BLOCK;
	echo->waits += klamm_producer_flush(echo->producer, 0, &failed, &err) ==
		       KLAMM_ERR_WOULD_BLOCK;
	echo->waits += klamm_producer_partitions_for(echo->producer, "t", &count, &err) ==
		       KLAMM_ERR_WOULD_BLOCK;
	echo->waits += klamm_producer_close(echo->producer, 0, &err) == KLAMM_ERR_WOULD_BLOCK;
	/* Metadata that is not here yet is asked for, but not waited for; it may be quick. */
	char elsewhere[16];
	snprintf(elsewhere, sizeof(elsewhere), "elsewhere-%d", echo->told);
	int rc = klamm_producer_send_to(echo->producer, elsewhere, &record, NULL, &err);
	ck_assert(rc == KLAMM_ERR_QUEUE_FULL || rc == 0);
	if (echo->sent < 10) {
		ck_assert_int_eq(klamm_producer_send_to(echo->producer, "t", &record, echo,
							&err), 0);
		echo->sent++;
	}
}

START_TEST(a_callback_may_send_but_not_wait)
{
	struct echo echo = {.producer = world_producer(NULL, "linger.ms=0", NULL)};
	ck_assert_int_eq(klamm_producer_on_delivery(echo.producer, send_another, &echo, false,
						    NULL), 0);
	world_send(echo.producer, "t", 0, "k", "first", &echo);
	int64_t deadline = world_ms() + PATIENCE;
	while (echo.told < 11 && world_ms() < deadline)
		ck_assert_int_eq(klamm_producer_poll(echo.producer, 1000, NULL, NULL), 0);
	ck_assert_int_eq(echo.told, 11);
	ck_assert_int_eq(echo.waits, 4 * 11);
	world_close(echo.producer);
	ck_assert_int_eq(world_end_of("t", 0), 11);
}
END_TEST

UNIT_SUITE(send)
{
	Suite *s = suite_create("send");
	unit_add_fixture(s, the_callback_tells_each_record_once, set_up, tear_down);
	unit_add_case(s, "the_callback_is_for_opaques_or_all",
		      the_callback_is_for_opaques_or_all, set_up, tear_down, 2);
	unit_add_fixture(s, deliveries_without_a_callback, set_up, tear_down);
	unit_add_fixture(s, a_future, set_up, tear_down);
	unit_add_fixture(s, sizes_are_told, set_up, tear_down);
	unit_add_fixture(s, sizes_among_deliveries, set_up, tear_down);
	unit_add_fixture(s, a_future_that_fails, set_up, tear_down);
	unit_add_case(s, "a_future_is_waited_for_so_long", a_future_is_waited_for_so_long,
		      set_up, tear_down, 2);
	unit_add_case(s, "a_future_outlives_its_producer", a_future_outlives_its_producer,
		      set_up, tear_down, 2);
	unit_add_fixture(s, many_at_once, set_up, tear_down);
	unit_add_case(s, "many_stop_at_a_bad_one", many_stop_at_a_bad_one, set_up, tear_down,
		      3);
	unit_add_fixture(s, nulls_and_emptiness, set_up, tear_down);
	unit_add_fixture(s, headers_of_all_kinds, set_up, tear_down);
	unit_add_fixture(s, own_timestamps, set_up, tear_down);
	unit_add_fixture(s, every_size_comes_back, set_up, tear_down);
	unit_add_fixture(s, what_cannot_be_sent, set_up, tear_down);
	unit_add_fixture(s, handles_and_names, set_up, tear_down);
	unit_add_fixture(s, a_callback_may_send_but_not_wait, set_up, tear_down);
	return s;
}
