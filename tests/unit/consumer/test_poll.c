/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches and their records: handing out, iterating, holding, decoding. */
#include <klamm/serializer.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/client/world.h"

static struct klamm_consumer *consumer;

/* n records in batches of ten. */
static void produce(const char *topic, int32_t partition, int n)
{
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=60000", "delivery.timeout.ms=200000", NULL);
	char key[16], value[16];
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "v%d", i);
		world_send(producer, topic, partition, key, value, NULL);
		if (i % 10 == 9)
			ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
}

static void set_up(void)
{
	world_up();
	world_create("t", 3);
	consumer = world_consumer(NULL, NULL, NULL);
}

static void tear_down(void)
{
	world_close_consumer(consumer);
	world_down();
}

START_TEST(batches_come_as_they_were_sent)
{
	struct klamm_error err;
	struct klamm_record_view view;
	char value[16];
	produce("t", 0, 30);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	for (int b = 0; b < 3; b++) {
		struct klamm_batch *batch = world_poll(consumer, &err);
		ck_assert_msg(batch != NULL, "%s", err.text);
		ck_assert_str_eq(klamm_batch_topic(batch), "t");
		ck_assert_int_eq(klamm_batch_partition(batch), 0);
		ck_assert_uint_eq(klamm_batch_count(batch), 10);
		ck_assert_int_eq(klamm_batch_lag(batch), 20 - 10 * b);
		for (int round = 0; round < 2; round++) {
			for (int i = 0; i < 10; i++) {
				ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
				ck_assert_int_eq(view.offset, b * 10 + i);
				ck_assert_int_eq(view.leader_epoch, 0);
				snprintf(value, sizeof(value), "v%d", b * 10 + i);
				ck_assert_uint_eq(view.value.len, strlen(value));
				ck_assert_mem_eq(view.value.data, value, view.value.len);
			}
			ck_assert_int_eq(klamm_batch_next(batch, &view), 0);
			ck_assert_int_eq(klamm_batch_next(batch, &view), 0);
			klamm_batch_rewind(batch);
		}
		klamm_batch_unref(batch);
	}
	klamm_batch_unref(NULL);
}
END_TEST

START_TEST(views_are_filled_in_many_at_a_time)
{
	struct klamm_error err;
	struct klamm_record_view views[4];
	size_t n;
	produce("t", 0, 10);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	struct klamm_batch *batch = world_poll(consumer, &err);
	static const size_t want[] = {4, 4, 2, 0};
	for (size_t i = 0, at = 0; i < kl_countof(want); i++) {
		ck_assert_int_eq(klamm_batch_fill(batch, views, 4, &n), 0);
		ck_assert_uint_eq(n, want[i]);
		for (size_t v = 0; v < n; v++)
			ck_assert_int_eq(views[v].offset, (int64_t)at++);
	}
	klamm_batch_unref(batch);
}
END_TEST

/* From the middle of a batch: what is below the position is not shown. */
START_TEST(a_batch_begins_at_the_position)
{
	struct klamm_error err;
	struct klamm_record_view view;
	produce("t", 0, 10);
	world_assign(consumer, "t", 0, 7);
	struct klamm_batch *batch = world_poll(consumer, &err);
	ck_assert_uint_eq(klamm_batch_count(batch), 3);
	for (int i = 7; i < 10; i++) {
		ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
		ck_assert_int_eq(view.offset, i);
	}
	ck_assert_int_eq(klamm_batch_next(batch, &view), 0);
	klamm_batch_unref(batch);
}
END_TEST

START_TEST(several_partitions_keep_their_order)
{
	struct world_seen seen[90];
	int64_t next[3] = {0};
	for (int i = 0; i < 3; i++)
		produce("t", i, 30);
	const struct klamm_topic_partition all[] = {{"t", 0}, {"t", 1}, {"t", 2}};
	ck_assert_int_eq(klamm_consumer_assign(consumer, all, 3, NULL), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(klamm_consumer_seek(consumer, "t", i, 0, NULL), 0);
	world_read(consumer, 90, seen);
	for (int i = 0; i < 90; i++)
		ck_assert_int_eq(seen[i].offset, next[seen[i].partition]++);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(next[i], 30);
}
END_TEST

START_TEST(positions_follow_what_was_handed_out)
{
	struct klamm_error err;
	int64_t offset;
	produce("t", 0, 20);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, PATIENCE, &offset, &err),
			 0);
	ck_assert_int_eq(offset, 0);
	ck_assert(!klamm_consumer_at_end(consumer, "t", 0));
	for (int i = 1; i <= 2; i++) {
		klamm_batch_unref(world_poll(consumer, &err));
		ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, 0, &offset, &err),
				 0);
		ck_assert_int_eq(offset, 10 * i);
	}
	ck_assert(klamm_consumer_at_end(consumer, "t", 0));
	ck_assert_int_eq(klamm_consumer_high_watermark(consumer, "t", 0), 20);
	struct klamm_batch *none;
	ck_assert_int_eq(klamm_consumer_poll(consumer, 30, &none, &err), 0);
	ck_assert_ptr_null(none);
	produce("t", 0, 10);
	klamm_batch_unref(world_poll(consumer, &err));
	ck_assert(klamm_consumer_at_end(consumer, "t", 0));
	ck_assert_int_eq(klamm_consumer_high_watermark(consumer, "t", 0), 30);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 1, 0, &offset, &err),
			 KLAMM_ERR_STATE);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 1 is not assigned"));
	ck_assert_int_eq(klamm_consumer_high_watermark(consumer, "t", 1), -1);
	ck_assert(!klamm_consumer_at_end(consumer, "t", 1));
}
END_TEST

/* Those that stay keep their place; those that go are not seen again. */
START_TEST(assigning_again)
{
	struct klamm_error err;
	struct world_seen seen[20];
	int64_t offset;
	produce("t", 0, 20);
	produce("t", 1, 20);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	klamm_batch_unref(world_poll(consumer, &err));
	const struct klamm_topic_partition both[] = {{"t", 0}, {"t", 1}};
	ck_assert_int_eq(klamm_consumer_assign(consumer, both, 2, &err), 0);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, 0, &offset, &err), 0);
	ck_assert_int_eq(offset, 10);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &both[1], 1, &err), 0);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 1, 0, &err), 0);
	world_read(consumer, 20, seen);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(seen[i].partition, 1);
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	struct klamm_batch *none;
	ck_assert_int_eq(klamm_consumer_poll(consumer, 10, &none, &err), 0);
	ck_assert_ptr_null(none);
	const struct klamm_topic_partition bad[] = {{"t", 0}, {"t", -1}};
	ck_assert_int_eq(klamm_consumer_assign(consumer, bad, 2, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(err.text, "entry 1 of the assignment"));
}
END_TEST

/* Held batches stay as they are, beyond the consumer. */
START_TEST(batches_outlive_their_consumer)
{
	struct klamm_error err;
	struct klamm_record_view view;
	produce("t", 0, 20);
	struct klamm_consumer *c = world_consumer(NULL, NULL, NULL);
	world_assign(c, "t", 0, KLAMM_OFFSET_BEGINNING);
	struct klamm_batch *first = world_poll(c, &err), *second = world_poll(c, &err);
	klamm_batch_ref(first);
	world_close_consumer(c);
	klamm_batch_unref(first);
	ck_assert_int_eq(klamm_batch_next(first, &view), 1);
	ck_assert_mem_eq(view.value.data, "v0", 2);
	ck_assert_int_eq(klamm_batch_next(second, &view), 1);
	ck_assert_mem_eq(view.value.data, "v10", 3);
	ck_assert_str_eq(klamm_batch_topic(second), "t");
	const struct klamm_value *value;
	ck_assert_int_ne(klamm_record_value(second, &view, &value, &err), 0);
	klamm_batch_unref(first);
	klamm_batch_unref(second);
}
END_TEST

static void *wake(void *arg)
{
	usleep(50000);
	klamm_consumer_wakeup(arg);
	return NULL;
}

START_TEST(a_poll_is_woken)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	pthread_t thread;
	world_assign(consumer, "t", 0, KLAMM_OFFSET_END);
	pthread_create(&thread, NULL, wake, consumer);
	ck_assert_int_eq(klamm_consumer_poll(consumer, PATIENCE, &batch, &err),
			 KLAMM_ERR_INTERRUPTED);
	pthread_join(thread, NULL);
	klamm_consumer_wakeup(consumer); /* or the next one */
	ck_assert_int_eq(klamm_consumer_poll(consumer, 0, &batch, &err),
			 KLAMM_ERR_INTERRUPTED);
	ck_assert_int_eq(klamm_consumer_poll(consumer, 0, &batch, &err), 0);
}
END_TEST

/* --- values --- */

typedef int (*get_fn)(struct klamm_batch *batch, const struct klamm_record_view *view,
		      const struct klamm_value **value_out, struct klamm_error *err);

static void check_deserializer(const char *pair, get_fn get, get_fn other, const char *says)
{
	struct klamm_error err;
	struct klamm_record_view view;
	const struct klamm_value *value;
	struct klamm_producer *producer = world_producer(NULL, "linger.ms=1000", NULL);
	static const char *const texts[] = {"{\"n\":7}", "not json", "[1]", NULL};
	for (size_t i = 0; i < kl_countof(texts); i++)
		world_send(producer, "t", 0, texts[i], texts[i], NULL);
	world_close(producer);
	struct klamm_consumer *c = world_consumer(NULL, pair, NULL);
	world_assign(c, "t", 0, KLAMM_OFFSET_BEGINNING);
	struct klamm_batch *batch = world_poll(c, &err);
	ck_assert_uint_eq(klamm_batch_count(batch), 4);
	ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
	ck_assert_msg(get(batch, &view, &value, &err) == 0, "%s", err.text);
	ck_assert_int_eq(value->type, KLAMM_VALUE_MAP);
	ck_assert_int_eq(value->as.map.entries[0].value.as.integer, 7);
	ck_assert_int_eq(other(batch, &view, &value, &err), 0); /* none: bytes */
	ck_assert_int_eq(value->type, KLAMM_VALUE_BYTES);
	/* One that cannot be read is that record's error. */
	ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
	ck_assert_int_eq(get(batch, &view, &value, &err), KLAMM_ERR_DESERIALIZE);
	ck_assert_ptr_nonnull(strstr(err.text, says));
	ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
	ck_assert_int_eq(get(batch, &view, &value, &err), 0);
	ck_assert_int_eq(value->type, KLAMM_VALUE_LIST);
	ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
	ck_assert_int_eq(get(batch, &view, &value, &err), 0);
	ck_assert_int_eq(value->type, KLAMM_VALUE_NULL);
	klamm_batch_unref(batch);
	world_close_consumer(c);
}

START_TEST(opt_key_deserializer)
{
	check_deserializer("key.deserializer=json", klamm_record_key, klamm_record_value,
			   "topic t partition 0 offset 1: cannot read the key");
}
END_TEST

START_TEST(opt_value_deserializer)
{
	check_deserializer("value.deserializer=json", klamm_record_value, klamm_record_key,
			   "topic t partition 0 offset 1: cannot read the value");
}
END_TEST

/* The encoding of keys, of values, or of both. */
static void check_encoding(const char *pair, bool of_keys, bool of_values)
{
	struct klamm_error err;
	struct klamm_record_view view;
	const struct klamm_value *key, *value;
	static const struct klamm_span utf8 = {"\xc3\xa4", 2};
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	world_send(producer, "t", 0, of_keys ? "\xe4" : "\xc3\xa4",
		   of_values ? "\xe4" : "\xc3\xa4", NULL);
	world_close(producer);
	struct klamm_consumer *c = world_consumer(NULL, "key.deserializer=string",
						  "value.deserializer=string", pair, NULL);
	world_assign(c, "t", 0, KLAMM_OFFSET_BEGINNING);
	struct klamm_batch *batch = world_poll(c, &err);
	ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
	ck_assert_msg(klamm_record_key(batch, &view, &key, &err) == 0, "%s", err.text);
	ck_assert_msg(klamm_record_value(batch, &view, &value, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(key->as.bytes.len, utf8.len);
	ck_assert_mem_eq(key->as.bytes.data, utf8.data, utf8.len);
	ck_assert_uint_eq(value->as.bytes.len, utf8.len);
	ck_assert_mem_eq(value->as.bytes.data, utf8.data, utf8.len);
	klamm_batch_unref(batch);
	world_close_consumer(c);
}

START_TEST(opt_deserializer_encoding)
{
	check_encoding("deserializer.encoding=latin1", true, true);
}
END_TEST

START_TEST(opt_key_deserializer_encoding)
{
	check_encoding("key.deserializer.encoding=ISO-8859-1", true, false);
}
END_TEST

START_TEST(opt_value_deserializer_encoding)
{
	check_encoding("value.deserializer.encoding=ISO8859_1", false, true);
}
END_TEST

/* No thread but the application's. */
START_TEST(an_application_drives_the_loop)
{
	struct klamm_loop *loop;
	struct world_seen seen[30];
	int64_t offset;
	produce("t", 0, 30);
	int before = world_threads();
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	struct klamm_consumer *c = world_consumer(loop, NULL, NULL);
	world_assign(c, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(c, 30, seen);
	ck_assert_int_eq(klamm_consumer_position(c, "t", 0, 0, &offset, NULL), 0);
	ck_assert_int_eq(offset, 30);
	ck_assert_int_eq(world_threads(), before);
	world_close_consumer(c);
	klamm_loop_free(loop);
}
END_TEST

UNIT_SUITE(poll)
{
	Suite *s = suite_create("poll");
	unit_add_fixture(s, batches_come_as_they_were_sent, set_up, tear_down);
	unit_add_fixture(s, views_are_filled_in_many_at_a_time, set_up, tear_down);
	unit_add_fixture(s, a_batch_begins_at_the_position, set_up, tear_down);
	unit_add_fixture(s, several_partitions_keep_their_order, set_up, tear_down);
	unit_add_fixture(s, positions_follow_what_was_handed_out, set_up, tear_down);
	unit_add_fixture(s, assigning_again, set_up, tear_down);
	unit_add_fixture(s, batches_outlive_their_consumer, set_up, tear_down);
	unit_add_fixture(s, a_poll_is_woken, set_up, tear_down);
	unit_add_fixture(s, opt_key_deserializer, set_up, tear_down);
	unit_add_fixture(s, opt_value_deserializer, set_up, tear_down);
	unit_add_fixture(s, opt_deserializer_encoding, set_up, tear_down);
	unit_add_fixture(s, opt_key_deserializer_encoding, set_up, tear_down);
	unit_add_fixture(s, opt_value_deserializer_encoding, set_up, tear_down);
	unit_add_fixture(s, an_application_drives_the_loop, set_up, tear_down);
	return s;
}
