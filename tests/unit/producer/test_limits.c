/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and patience: how much may wait, and how long send() does. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/producer/caught.h"

/* However short max.block.ms is. */
static void know_topic(struct klamm_producer *producer)
{
	int32_t count;
	struct klamm_error err;
	int64_t deadline = world_ms() + PATIENCE;
	int rc;
	do
		rc = klamm_producer_partitions_for(producer, "t", &count, &err);
	while (rc == KLAMM_ERR_TIMED_OUT && world_ms() < deadline);
	ck_assert_msg(rc == 0, "%s", err.text);
}

/* Fill what there is with records that nobody takes; how many went in. */
static int fill(struct klamm_producer *producer, struct klamm_error *err)
{
	static char value[1000];
	struct klamm_record record = world_record(NULL, NULL);
	record.value = (struct klamm_span){value, sizeof(value)};
	for (int i = 0; i < 100000; i++) {
		record.partition = i % 4;
		if (klamm_producer_send_to(producer, "t", &record, NULL, err) != 0)
			return i;
	}
	return -1;
}

START_TEST(opt_buffer_memory)
{
	static const struct {
		const char *pair;
		uint64_t bytes;
	} sizes[] = {{"buffer.memory=300000", 300000}, {"buffer.memory=1000000", 1000000}};
	struct klamm_error err;
	uint64_t records, bytes;
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=0", "max.block.ms=300", sizes[_i].pair, NULL);
	know_topic(producer);
	caught_hold();
	int n = fill(producer, &err);
	ck_assert_int_eq(err.code, KLAMM_ERR_QUEUE_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, "buffer.memory"));
	klamm_producer_queue(producer, &records, &bytes);
	ck_assert_uint_eq(records, (uint64_t)n);
	ck_assert_uint_le(bytes, sizes[_i].bytes);
	ck_assert_uint_gt(bytes, sizes[_i].bytes / 2); /* and it is used */
	ck_assert_int_gt(n, (int)(sizes[_i].bytes / 1000 / 4));
	/* Room comes back with the answers. */
	caught_release();
	ck_assert_uint_eq(world_flush(producer), 0);
	klamm_producer_queue(producer, &records, &bytes);
	ck_assert_uint_eq(records, 0);
	ck_assert_uint_eq(bytes, 0);
	world_send(producer, "t", 0, NULL, "v", NULL);
	world_close(producer);
	ck_assert_int_eq(caught()->records, n + 1);
}
END_TEST

START_TEST(a_record_above_buffer_memory_fails_at_once)
{
	struct klamm_error err;
	struct klamm_record record = world_record(NULL, NULL);
	char *big = calloc(1, 500000);
	struct klamm_producer *producer = world_producer(
		NULL, "max.block.ms=120000", "buffer.memory=300000", NULL);
	record.value = (struct klamm_span){big, 500000};
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
			 KLAMM_ERR_RECORD_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(err.text, "more than buffer.memory (300000)"));
	world_close(producer);
	free(big);
}
END_TEST

static void *release_soon(void *arg)
{
	usleep(100000);
	caught_release();
	return NULL;
}

/* Waiting for metadata: so long, and as long as it takes. */
START_TEST(opt_max_block_ms)
{
	struct klamm_error err;
	struct klamm_record record = world_record(NULL, "v");
	pthread_t thread;
	struct klamm_producer *producer = world_producer(
		NULL, _i == 0 ? "max.block.ms=150" : "max.block.ms=120000", NULL);
	caught_hold();
	if (_i == 1)
		pthread_create(&thread, NULL, release_soon, NULL);
	int64_t begun = world_ms();
	int rc = klamm_producer_send_to(producer, "t", &record, NULL, &err);
	if (_i == 0) {
		ck_assert_int_eq(rc, KLAMM_ERR_TIMED_OUT);
		ck_assert_ptr_nonnull(
			strstr(err.text, "metadata of topic t within max.block.ms"));
		ck_assert_int_ge(world_ms() - begun, 149);
		caught_release();
	} else {
		ck_assert_msg(rc == 0, "%s", err.text);
		pthread_join(thread, NULL);
	}
	world_close(producer);
}
END_TEST

/* Waiting for room, likewise. */
START_TEST(room_is_waited_for)
{
	struct klamm_error err;
	pthread_t thread;
	struct klamm_producer *producer = world_producer(
		NULL, "buffer.memory=300000", "linger.ms=0",
		_i == 0 ? "max.block.ms=150" : "max.block.ms=120000", NULL);
	know_topic(producer);
	caught_hold();
	int64_t begun = world_ms();
	if (_i == 0) {
		ck_assert_int_gt(fill(producer, &err), 0);
		ck_assert_int_eq(err.code, KLAMM_ERR_QUEUE_FULL);
		ck_assert_int_ge(world_ms() - begun, 149);
		caught_release();
	} else {
		pthread_create(&thread, NULL, release_soon, NULL);
		static char value[1000];
		memset(value, 'v', sizeof(value) - 1);
		for (int i = 0; i < 1000; i++) /* three times what there is room for */
			world_send(producer, "t", i % 4, NULL, value, NULL);
		pthread_join(thread, NULL);
	}
	world_close(producer);
}
END_TEST

/* Outcomes that nobody asks for take memory too. */
START_TEST(deliveries_that_nobody_polls_stop_the_sender)
{
	struct klamm_error err;
	struct klamm_record record = world_record(NULL, NULL);
	static struct klamm_delivery d[10000]; /* all of them at once */
	record.partition = 0;
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=0", "buffer.memory=100000", "max.block.ms=2000", NULL);
	know_topic(producer);
	int sent = 0, told = 0, rc = 0;
	while (rc == 0 && sent < 1000000) {
		rc = klamm_producer_send_to(producer, "t", &record, &record, &err);
		sent += rc == 0;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_QUEUE_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, "deliveries are not being polled"));
	int64_t deadline = world_ms() + PATIENCE;
	while (told < sent && world_ms() < deadline) {
		size_t n;
		rc = klamm_producer_deliveries(producer, 1000, d, kl_countof(d), &n, NULL);
		ck_assert_int_eq(rc, 0);
		told += (int)n;
	}
	ck_assert_int_eq(told, sent);
	ck_assert_msg(klamm_producer_send_to(producer, "t", &record, &record, &err) == 0, "%s",
		      err.text);
	world_close(producer);
}
END_TEST

struct sender {
	pthread_t thread;
	struct klamm_producer *producer;
	int sent;
};

static void *send_many(void *arg)
{
	struct sender *sender = arg;
	static char value[500];
	struct klamm_record record = world_record(NULL, NULL);
	struct klamm_error err;
	record.value = (struct klamm_span){value, sizeof(value)};
	for (; sender->sent < 2000; sender->sent++) {
		record.partition = sender->sent % 4;
		ck_assert_msg(klamm_producer_send_to(sender->producer, "t", &record, NULL,
						     &err) == 0, "%s", err.text);
	}
	return NULL;
}

/* Many threads and room for few records: all of them get their turn. */
START_TEST(threads_share_little_memory)
{
	struct sender senders[4];
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=0", "buffer.memory=200000", "max.block.ms=120000", NULL);
	for (size_t i = 0; i < kl_countof(senders); i++) {
		senders[i] = (struct sender){.producer = producer};
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many,
						&senders[i]), 0);
	}
	for (size_t i = 0; i < kl_countof(senders); i++)
		pthread_join(senders[i].thread, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(caught()->records, 8000);
	world_close(producer);
}
END_TEST

UNIT_SUITE(limits)
{
	Suite *s = suite_create("limits");
	unit_add_case(s, "opt_buffer_memory", opt_buffer_memory, caught_up, caught_down, 2);
	unit_add_fixture(s, a_record_above_buffer_memory_fails_at_once, caught_up,
			 caught_down);
	unit_add_case(s, "opt_max_block_ms", opt_max_block_ms, caught_up, caught_down, 2);
	unit_add_case(s, "room_is_waited_for", room_is_waited_for, caught_up, caught_down, 2);
	unit_add_fixture(s, deliveries_that_nobody_polls_stop_the_sender, caught_up,
			 caught_down);
	unit_add_fixture(s, threads_share_little_memory, caught_up, caught_down);
	return s;
}
