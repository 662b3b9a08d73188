/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading record by record, across batches and partitions. */
#include <klamm/serializer.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/client/world.h"

static struct klamm_consumer *consumer;
static struct klamm_error err;

/* n records in batches of ten. */
static void produce(int32_t partition, int n)
{
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=60000", "delivery.timeout.ms=200000", NULL);
	char value[16];
	for (int i = 0; i < n; i++) {
		snprintf(value, sizeof(value), "v%d", i);
		world_send(producer, "t", partition, NULL, value, NULL);
		if (i % 10 == 9)
			ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
}

static void set_up(void)
{
	world_up();
	world_create("t", 3);
	consumer = world_consumer(NULL, "group.id=g", NULL);
}

static void tear_down(void)
{
	world_close_consumer(consumer);
	world_down();
}

static struct klamm_consumed next(void)
{
	struct klamm_consumed record;
	ck_assert_msg(klamm_consumer_next(consumer, PATIENCE, &record, &err) == 0, "%s",
		      err.text);
	ck_assert_ptr_nonnull(record.batch);
	return record;
}

static void next_is(int32_t partition, int64_t offset)
{
	struct klamm_consumed record = next();
	ck_assert_str_eq(klamm_batch_topic(record.batch), "t");
	ck_assert_int_eq(klamm_batch_partition(record.batch), partition);
	ck_assert_int_eq(record.view.offset, offset);
}

static int64_t position(int32_t partition)
{
	int64_t offset;
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", partition, PATIENCE, &offset,
						 &err),
			 0);
	return offset;
}

static void nothing_comes(void)
{
	struct klamm_consumed record;
	ck_assert_msg(klamm_consumer_next(consumer, 0, &record, &err) == 0, "%s", err.text);
	ck_assert_ptr_null(record.batch);
}

static void assign(int count)
{
	const struct klamm_topic_partition all[] = {{"t", 0}, {"t", 1}, {"t", 2}};
	ck_assert_int_eq(klamm_consumer_assign(consumer, all, (size_t)count, &err), 0);
	ck_assert_int_eq(klamm_consumer_seek_all(consumer, KLAMM_OFFSET_BEGINNING, &err), 0);
}

/* --- one by one --- */

START_TEST(goes_on_from_batch_to_batch)
{
	produce(0, 25);
	assign(1);
	for (int i = 0; i < 25; i++) {
		char value[16];
		struct klamm_consumed record = next();
		ck_assert_int_eq(record.view.offset, i);
		ck_assert_int_eq(position(0), i + 1);
		int n = snprintf(value, sizeof(value), "v%d", i);
		ck_assert_uint_eq(record.view.value.len, (size_t)n);
		ck_assert_mem_eq(record.view.value.data, value, (size_t)n);
		const struct klamm_value *decoded;
		int rc = klamm_record_value(record.batch, &record.view, &decoded, &err);
		ck_assert_int_eq(rc, 0);
	}
	struct klamm_consumed record;
	ck_assert_int_eq(klamm_consumer_next(consumer, 20, &record, &err), 0);
	ck_assert_ptr_null(record.batch); /* the end of a loop over what there is */
	produce(0, 1);
	next_is(0, 25);
}
END_TEST

/* What was handed out is committed, and not the rest of its batch. */
START_TEST(commits_what_was_handed_out)
{
	struct klamm_committed committed = {
		.size = sizeof(committed), .topic = "t", .partition = 0};
	produce(0, 10);
	assign(1);
	for (int i = 0; i < 4; i++)
		next_is(0, i);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	ck_assert_int_eq(klamm_consumer_committed(consumer, &committed, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(committed.offset, 4);
	ck_assert_int_eq(committed.leader_epoch, 0);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, "group.id=g", "auto.offset.reset=none", NULL);
	const struct klamm_topic_partition part = {"t", 0};
	ck_assert_int_eq(klamm_consumer_assign(consumer, &part, 1, &err), 0);
	next_is(0, 4);
}
END_TEST

START_TEST(commits_by_itself)
{
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, "group.id=g", "enable.auto.commit=true",
				  "auto.commit.interval.ms=1", NULL);
	struct klamm_committed committed = {
		.size = sizeof(committed), .topic = "t", .partition = 0};
	produce(0, 10);
	assign(1);
	next_is(0, 0);
	next_is(0, 1);
	int64_t until = world_ms() + PATIENCE;
	/* All in one batch, so that no poll() is needed. */
	for (int i = 2; i < 9 && world_ms() < until; i++) {
		next_is(0, i);
		usleep(5000);
	}
	do
		ck_assert_int_eq(klamm_consumer_committed(consumer, &committed, 1, PATIENCE,
							  &err),
				 0);
	while (committed.offset < 2 && world_ms() < until);
	ck_assert_int_ge(committed.offset, 2);
	ck_assert_int_lt(committed.offset, 10);
}
END_TEST

/* --- what holds for the rest of a batch --- */

START_TEST(leaves_the_rest_when_it_seeks)
{
	produce(0, 20);
	assign(1);
	next_is(0, 0);
	next_is(0, 1);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 15, &err), 0);
	next_is(0, 15);
	next_is(0, 16);
	ck_assert_int_eq(klamm_consumer_seek_all(consumer, KLAMM_OFFSET_BEGINNING, &err), 0);
	next_is(0, 0);
	ck_assert_int_eq(klamm_consumer_seek_all(consumer, -4, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

START_TEST(keeps_the_rest_when_it_pauses)
{
	produce(0, 10);
	assign(2);
	next_is(0, 0);
	ck_assert(!klamm_consumer_is_paused(consumer, "t", 0));
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, true, &err), 0);
	ck_assert(klamm_consumer_is_paused(consumer, "t", 0));
	nothing_comes();
	produce(1, 10);
	next_is(1, 0);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, false, &err), 0);
	next_is(0, 1);
	ck_assert_int_eq(position(0), 2);
	ck_assert_int_eq(position(1), 1);
	for (int i = 2; i < 10; i++)
		next_is(0, i);
	next_is(1, 1);
	ck_assert(!klamm_consumer_is_paused(consumer, "t", 2)); /* which is not assigned */
}
END_TEST

START_TEST(leaves_the_rest_of_what_goes)
{
	produce(0, 10);
	produce(1, 10);
	assign(1);
	next_is(0, 0);
	const struct klamm_topic_partition other = {"t", 1};
	ck_assert_int_eq(klamm_consumer_assign(consumer, &other, 1, &err), 0);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 1, 0, &err), 0);
	next_is(1, 0);
	/* One that stays is read on. */
	const struct klamm_topic_partition both[] = {{"t", 0}, {"t", 1}};
	ck_assert_int_eq(klamm_consumer_assign(consumer, both, 2, &err), 0);
	next_is(1, 1);
}
END_TEST

/* poll() goes on where next() has stopped, and next() where poll() has. */
START_TEST(mixes_with_batches)
{
	struct klamm_record_view view;
	produce(0, 30);
	assign(1);
	for (int i = 0; i < 3; i++)
		next_is(0, i);
	struct klamm_batch *batch = world_poll(consumer, &err);
	ck_assert_uint_eq(klamm_batch_count(batch), 7);
	ck_assert_int_eq(position(0), 10);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
		ck_assert_int_eq(view.offset, 3);
		klamm_batch_rewind(batch);
	}
	klamm_batch_unref(batch);
	next_is(0, 10);
	for (int i = 11; i < 20; i++)
		next_is(0, i);
	batch = world_poll(consumer, &err);
	ck_assert_uint_eq(klamm_batch_count(batch), 10);
	klamm_batch_unref(batch);
}
END_TEST

START_TEST(is_woken)
{
	struct klamm_consumed record;
	produce(0, 10);
	assign(1);
	next_is(0, 0);
	klamm_consumer_wakeup(consumer);
	ck_assert_int_eq(klamm_consumer_next(consumer, PATIENCE, &record, &err),
			 KLAMM_ERR_INTERRUPTED);
	ck_assert_ptr_null(record.batch);
	next_is(0, 1);
	ck_assert_int_eq(position(0), 2);
}
END_TEST

/* --- many at once --- */

START_TEST(opt_max_poll_records)
{
	struct klamm_consumed records[40];
	size_t n = 0, all = 0;
	int64_t at[3] = {0};
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, "max.poll.records=7", NULL);
	for (int32_t i = 0; i < 3; i++)
		produce(i, 15);
	assign(3);
	while (all < 45) {
		ck_assert_msg(klamm_consumer_read(consumer, PATIENCE, records,
						  all % 2 == 0 ? 40 : 5, &n, &err) == 0,
			      "%s", err.text);
		ck_assert_uint_ge(n, 1);
		ck_assert_uint_le(n, all % 2 == 0 ? 7 : 5);
		for (size_t i = 0; i < n; i++) {
			char value[16];
			int32_t partition = klamm_batch_partition(records[i].batch);
			int64_t offset = records[i].view.offset;
			ck_assert_int_eq(offset, at[partition]++);
			int len = snprintf(value, sizeof(value), "v%d", (int)offset);
			ck_assert_uint_eq(records[i].view.value.len, (size_t)len);
			ck_assert_mem_eq(records[i].view.value.data, value, (size_t)len);
		}
		all += n;
	}
	for (int32_t i = 0; i < 3; i++)
		ck_assert_int_eq(position(i), 15);
	ck_assert_int_eq(klamm_consumer_read(consumer, 0, records, 40, &n, &err), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(klamm_consumer_read(consumer, 0, records, 0, &n, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

/* An error behind records waits for the next call. */
START_TEST(tells_errors_between_records)
{
	struct klamm_consumed records[40];
	size_t n = 0;
	produce(0, 10);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, "auto.offset.reset=none", NULL);
	const struct klamm_topic_partition both[] = {{"t", 0}, {"t", 1}};
	ck_assert_int_eq(klamm_consumer_assign(consumer, both, 2, &err), 0);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 0, &err), 0);
	int told = 0, rc;
	int64_t read = 0, until = world_ms() + PATIENCE;
	while ((read < 10 || told == 0) && world_ms() < until) {
		rc = klamm_consumer_read(consumer, 100, records, 40, &n, &err);
		ck_assert(rc == 0 || n == 0);
		if (rc != 0)
			ck_assert_int_eq(rc, KLAMM_ERR_NO_OFFSET);
		told += rc != 0;
		read += (int64_t)n;
	}
	ck_assert_int_eq(read, 10);
	ck_assert_int_eq(told, 1);
}
END_TEST

/* --- what is known without asking --- */

/* A record that its deserializer cannot read names its place, and holds up nothing: the next
 * one comes, and the position is behind it. */
START_TEST(skips_what_does_not_decode)
{
	static const char *const values[] = {"1", "no json", "3"};
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	for (size_t i = 0; i < kl_countof(values); i++)
		world_send(producer, "t", 2, NULL, values[i], NULL);
	world_close(producer);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, "group.id=g", "value.deserializer=json", NULL);
	assign(3);
	for (int64_t i = 0; i < 3; i++) {
		const struct klamm_value *value;
		struct klamm_consumed record = next();
		ck_assert_int_eq(record.view.offset, i);
		int rc = klamm_record_value(record.batch, &record.view, &value, &err);
		ck_assert_int_eq(rc, i == 1 ? KLAMM_ERR_DESERIALIZE : 0);
		if (i == 1)
			ck_assert_ptr_nonnull(
				strstr(err.text, "topic t partition 2 offset 1"));
		else
			ck_assert_int_eq(value->as.integer, i + 1);
		ck_assert_int_eq(position(2), i + 1);
	}
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t", .partition = 2};
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(entry.offset, 3);
}
END_TEST

START_TEST(knows_its_lag)
{
	produce(0, 10);
	assign(1);
	ck_assert_int_eq(klamm_consumer_lag(consumer, "t", 0), -1);
	next_is(0, 0);
	ck_assert_int_eq(klamm_consumer_lag(consumer, "t", 0), 9);
	for (int i = 1; i < 10; i++)
		next_is(0, i);
	ck_assert_int_eq(klamm_consumer_lag(consumer, "t", 0), 0);
	ck_assert_int_eq(klamm_consumer_lag(consumer, "t", 1), -1);
	ck_assert_int_eq(klamm_consumer_lag(consumer, "no", 0), -1);
}
END_TEST

UNIT_SUITE(consumer_records)
{
	Suite *s = suite_create("consumer_records");
	unit_add_fixture(s, goes_on_from_batch_to_batch, set_up, tear_down);
	unit_add_fixture(s, commits_what_was_handed_out, set_up, tear_down);
	unit_add_fixture(s, commits_by_itself, set_up, tear_down);
	unit_add_fixture(s, leaves_the_rest_when_it_seeks, set_up, tear_down);
	unit_add_fixture(s, keeps_the_rest_when_it_pauses, set_up, tear_down);
	unit_add_fixture(s, leaves_the_rest_of_what_goes, set_up, tear_down);
	unit_add_fixture(s, mixes_with_batches, set_up, tear_down);
	unit_add_fixture(s, is_woken, set_up, tear_down);
	unit_add_fixture(s, opt_max_poll_records, set_up, tear_down);
	unit_add_fixture(s, tells_errors_between_records, set_up, tear_down);
	unit_add_fixture(s, skips_what_does_not_decode, set_up, tear_down);
	unit_add_fixture(s, knows_its_lag, set_up, tear_down);
	return s;
}
