/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm.memory.max over all that is fetched, and partitions that others do not wait for. */
#include <stdio.h>
#include <stdlib.h>

#include "core/consumer/consumer.h"
#include "tests/client/world.h"

#define FETCH 1
#define PARTITIONS 6
#define LARGE 3000000

static struct klamm_error err;
static struct klamm_consumer *consumer;

/* Batches of one record of so many bytes. */
static void produce(int32_t partition, int n, size_t size)
{
	char *value = calloc(1, size);
	struct klamm_producer *producer = world_producer(
		NULL, "batch.size=0", "max.request.size=10000000", NULL);
	struct klamm_record record = world_record(NULL, NULL);
	record.value = (struct klamm_span){value, size};
	record.partition = partition;
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
				 0);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
	free(value);
}

static void start(int nodes)
{
	world_start((struct klamm_broker_options){.nodes = nodes,
						  .message_max_bytes = 10000000});
	world_create("t", PARTITIONS);
}

static void assign(void)
{
	struct klamm_topic_partition list[PARTITIONS];
	for (int i = 0; i < PARTITIONS; i++)
		list[i] = (struct klamm_topic_partition){"t", i};
	ck_assert_int_eq(klamm_consumer_assign(consumer, list, PARTITIONS, &err), 0);
	for (int i = 0; i < PARTITIONS; i++)
		ck_assert_int_eq(klamm_consumer_seek(consumer, "t", i, 0, &err), 0);
}

/* The next batch; its memory is within the limit with all that is there beside it. */
static struct klamm_batch *next(void)
{
	struct klamm_batch *batch = world_poll(consumer, &err);
	ck_assert_uint_le(kl_slab_pool_used(consumer->slabs),
			  (size_t)consumer->settings->klamm_memory_max);
	return batch;
}

static const struct {
	const char *one, *other, *key;
} limits[] = {
	{"klamm.memory.max=2000000", "fetch.max.bytes=1000000", "klamm.memory.max"},
	{"klamm.receive.message.max=2000000", "fetch.max.bytes=1000000",
	 "klamm.receive.message.max"},
};

/* It is named, it alone stops, and a seek goes over it. */
START_TEST(a_batch_that_does_not_fit)
{
	int64_t got[PARTITIONS] = {0};
	int told = 0;
	start(1);
	for (int i = 0; i < PARTITIONS; i++)
		produce(i, 2, 1000);
	produce(3, 1, LARGE);
	for (int i = 0; i < PARTITIONS; i++)
		produce(i, 2, 1000);
	consumer = world_consumer(NULL, limits[_i].one, limits[_i].other,
				  "klamm.decompress.max=1000000",
				  "max.partition.fetch.bytes=500000", NULL);
	assign();
	for (int left = 4 * (PARTITIONS - 1) + 2; left > 0 || told == 0;) {
		struct klamm_batch *batch = next();
		if (batch == NULL) {
			ck_assert_msg(err.code == KLAMM_ERR_RECORD_TOO_LARGE, "%s", err.text);
			ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 3"));
			ck_assert_ptr_nonnull(strstr(err.text, "offset 2 "));
			ck_assert_ptr_nonnull(strstr(err.text, limits[_i].key));
			ck_assert_int_eq(told++, 0);
			continue;
		}
		got[klamm_batch_partition(batch)] += klamm_batch_count(batch);
		left -= (int)klamm_batch_count(batch);
		klamm_batch_unref(batch);
	}
	for (int i = 0; i < PARTITIONS; i++)
		ck_assert_int_eq(got[i], i == 3 ? 2 : 4);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 3, 3, &err), 0);
	struct world_seen seen[2];
	world_read(consumer, 2, seen);
	ck_assert_int_eq(seen[1].offset, 4);
	/* The others still come when there is more. */
	produce(5, 1, 1000);
	world_read(consumer, 1, seen);
	ck_assert_int_eq(seen[0].partition, 5);
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* What was fetched of them is kept, but not where others would get nothing for it. */
START_TEST(paused_partitions_give_way)
{
	enum { EACH = 8 };
	int64_t got[PARTITIONS] = {0};
	start(1);
	for (int i = 0; i < PARTITIONS; i++)
		produce(i, EACH, 100000);
	consumer = world_consumer(NULL, "klamm.memory.max=2000000",
				  "klamm.decompress.max=1000000", "fetch.max.bytes=1000000",
				  "max.partition.fetch.bytes=300000", NULL);
	assign();
	/* One is read; what others have fetched by then stays in the queue. */
	klamm_batch_unref(next());
	klamm_consumer_seek(consumer, "t", 0, 0, &err);
	for (int i = 1; i < PARTITIONS; i++)
		ck_assert_int_eq(klamm_consumer_pause(consumer, "t", i, true, &err), 0);
	while (got[0] < EACH) {
		struct klamm_batch *batch = next();
		ck_assert_msg(batch != NULL, "%s", err.text);
		ck_assert_int_eq(klamm_batch_partition(batch), 0);
		got[0] += klamm_batch_count(batch);
		klamm_batch_unref(batch);
	}
	/* And none of theirs is lost. */
	for (int i = 1; i < PARTITIONS; i++)
		ck_assert_int_eq(klamm_consumer_pause(consumer, "t", i, false, &err), 0);
	int64_t expected[PARTITIONS] = {0};
	for (int i = 1; i < PARTITIONS; i++)
		ck_assert_int_eq(klamm_consumer_position(consumer, "t", i, PATIENCE,
							 &expected[i], &err), 0);
	for (int left = 0, i = 1; i < PARTITIONS || left > 0;) {
		if (i < PARTITIONS) {
			left += EACH - (int)expected[i++];
			continue;
		}
		struct klamm_record_view view;
		struct klamm_batch *batch = next();
		ck_assert_msg(batch != NULL, "%s", err.text);
		ck_assert_int_eq(klamm_batch_next(batch, &view), 1);
		ck_assert_int_eq(view.offset, expected[klamm_batch_partition(batch)]++);
		left--;
		klamm_batch_unref(batch);
	}
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* Each has its turn where memory is not enough to ask all brokers at once. */
START_TEST(brokers_share_what_there_is)
{
	enum { NODES = 8 };
	struct world_seen seen[PARTITIONS];
	world_start((struct klamm_broker_options){.nodes = NODES, .replicas = 1});
	world_create("t", PARTITIONS);
	for (int i = 0; i < PARTITIONS; i++)
		ck_assert_int_ge(world_end_of("t", i), 0);
	consumer = world_consumer(NULL, "klamm.memory.max=1048576",
				  "klamm.decompress.max=500000", "fetch.max.bytes=500000",
				  "max.partition.fetch.bytes=100000", NULL);
	assign();
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < PARTITIONS; i++)
			produce(i, 1, 1000);
		world_read(consumer, PARTITIONS, seen);
	}
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* Other brokers' partitions come all the same. */
START_TEST(a_slow_broker_holds_up_nobody)
{
	struct world_seen seen[PARTITIONS];
	start(2);
	world_fault((struct klamm_broker_fault){.api = FETCH, .node = 2, .count = -1,
						.delay_ms = 3000});
	consumer = world_consumer(NULL, NULL, NULL);
	int64_t began = world_ms();
	assign();
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < PARTITIONS; i++)
			produce(i, 1, 100);
		world_read(consumer, PARTITIONS / 2, seen);
		if (world_ms() - began > 2500)
			break; /* a busy machine: by now the slow one may have answered */
		for (int i = 0; i < PARTITIONS / 2; i++)
			ck_assert_int_eq(seen[i].partition % 2, seen[0].partition % 2);
	}
	klamm_broker_fault_remove(world_broker, 0);
	klamm_consumer_close(consumer, 0, NULL);
	world_down();
}
END_TEST

UNIT_SUITE(memory)
{
	Suite *s = suite_create("memory");
	unit_add_loop(s, a_batch_that_does_not_fit, kl_countof(limits));
	unit_add(s, paused_partitions_give_way);
	unit_add(s, brokers_share_what_there_is);
	unit_add(s, a_slow_broker_holds_up_nobody);
	return s;
}
