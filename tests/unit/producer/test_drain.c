/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm_producer_drain(): what was not sent comes back, and nothing else. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "core/producer/producer.h"
#include "tests/client/world.h"

#define PARTITIONS 3
#define LATER "linger.ms=60000", "delivery.timeout.ms=200000"

static struct klamm_loop *loop;
static struct klamm_error err;

static void up(void)
{
	world_up();
	world_create("t", PARTITIONS);
	loop = NULL;
}

static void down(void)
{
	klamm_loop_free(loop);
	world_down();
}

static void drive(void)
{
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
}

/* --- what came back --- */

static struct back {
	struct klamm_record record;
	void *opaque;
	char topic[8], key[32], value[400], header[400];
} backs[2000];
static size_t back_count;

static struct klamm_span copy(struct klamm_span from, char *to, size_t size)
{
	ck_assert_uint_le(from.len, size);
	if (from.data == NULL)
		return from;
	memcpy(to, from.data, from.len);
	return (struct klamm_span){to, from.len};
}

/* A record without headers, or with one that has a null value and one with a long one. */
static void keep(void *arg, const char *topic, const struct klamm_record *record, void *opaque)
{
	ck_assert_ptr_eq(arg, backs);
	ck_assert_uint_lt(back_count, kl_countof(backs));
	struct back *b = &backs[back_count++];
	b->record = *record;
	b->opaque = opaque;
	snprintf(b->topic, sizeof(b->topic), "%s", topic);
	b->record.key = copy(record->key, b->key, sizeof(b->key));
	b->record.value = copy(record->value, b->value, sizeof(b->value));
	b->record.headers = NULL;
	b->record.header_count = 0;
	if (record->header_count == 0) {
		ck_assert_ptr_null(record->headers);
		return;
	}
	ck_assert_uint_eq(record->header_count, 2);
	ck_assert_uint_eq(record->headers[0].name.len, 1);
	ck_assert_ptr_null(record->headers[0].value.data);
	ck_assert_mem_eq(record->headers[1].name.data, "long", 4);
	copy(record->headers[1].value, b->header, sizeof(b->header));
	ck_assert_uint_eq(record->headers[1].value.len, 300);
	ck_assert_int_eq(b->header[299], 'h');
}

static uint64_t drain(struct klamm_producer *producer)
{
	uint64_t count, before = back_count;
	ck_assert_msg(klamm_producer_drain(producer, keep, backs, &count, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(count, back_count - before);
	return count;
}

static void check_empty(struct klamm_producer *producer)
{
	uint64_t records, bytes;
	klamm_producer_queue(producer, &records, &bytes);
	ck_assert_uint_eq(records, 0);
	ck_assert_uint_eq(bytes, 0);
}

static void check_refuses(struct klamm_producer *producer)
{
	struct klamm_record record = world_record(NULL, "v");
	size_t queued;
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
			 KLAMM_ERR_CLOSED);
	ck_assert_ptr_nonnull(strstr(err.text, "klamm_producer_drain()"));
	ck_assert_int_eq(klamm_producer_send_to(producer, "new", &record, NULL, &err),
			 KLAMM_ERR_CLOSED);
	struct klamm_topic *topic;
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &topic, &err), KLAMM_ERR_CLOSED);
	ck_assert_int_eq(klamm_producer_send_many(producer, producer->topics, &record, 1, NULL,
						  &queued, &err), KLAMM_ERR_CLOSED);
	ck_assert_uint_eq(queued, 0);
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, &err),
			 KLAMM_ERR_CLOSED);
}

/* --- round trips --- */

enum { N = 600 };

static const char *const types[] = {
	"compression.type=none", "compression.type=gzip", "compression.type=snappy",
	"compression.type=lz4", "compression.type=zstd",
};

static int32_t partition_of(int i)
{
	return i / 7 % PARTITIONS;
}

/* Record i, in one of several batches, with all that a record may have. */
static void send(struct klamm_producer *producer, int i, void *opaque)
{
	static char long_one[300];
	char key[16], value[300];
	memset(long_one, 'h', sizeof(long_one));
	snprintf(key, sizeof(key), "k%d", i);
	snprintf(value, sizeof(value), "v%d %0200d", i, i);
	struct klamm_header headers[] = {
		{{"n", 1}, {NULL, 0}},
		{{"long", 4}, {long_one, sizeof(long_one)}},
	};
	struct klamm_record record = world_record(i % 3 == 0 ? NULL : key,
						  i % 5 == 0 ? NULL : value);
	record.timestamp_ms = 1700000000000 - i * 1000;
	record.partition = partition_of(i);
	record.headers = headers;
	record.header_count = i % 4 == 0 ? 2 : 0;
	ck_assert_msg(klamm_producer_send_to(producer, "t", &record, opaque, &err) == 0, "%s",
		      err.text);
}

static void check_back(const struct back *b, int i, void *opaque)
{
	char key[16], value[300];
	snprintf(key, sizeof(key), "k%d", i);
	snprintf(value, sizeof(value), "v%d %0200d", i, i);
	ck_assert_str_eq(b->topic, "t");
	ck_assert_ptr_eq(b->opaque, opaque);
	ck_assert_int_eq(b->record.timestamp_ms, 1700000000000 - i * 1000);
	ck_assert_int_eq(b->record.partition, partition_of(i));
	ck_assert_int_eq(b->header[0], i % 4 == 0 ? 'h' : '\0');
	if (i % 3 == 0)
		ck_assert_ptr_null(b->record.key.data);
	else
		ck_assert_mem_eq(b->record.key.data, key, strlen(key));
	if (i % 5 == 0)
		ck_assert_ptr_null(b->record.value.data);
	else
		ck_assert_mem_eq(b->record.value.data, value, strlen(value));
}

/* Those of each partition in the order that they were sent in, none missing. */
static void check_all_back(struct world_end *ends)
{
	ck_assert_uint_eq(back_count, N);
	size_t at = 0;
	for (int32_t partition = 0; partition < PARTITIONS; partition++)
		for (int i = 0; i < N; i++)
			if (partition_of(i) == partition)
				check_back(&backs[at++], i, &ends[i]);
	ck_assert_uint_eq(at, N);
}

/* As they came back, with headers and all. */
static void send_back(struct klamm_producer *producer)
{
	for (size_t i = 0; i < back_count; i++) {
		const struct back *b = &backs[i];
		struct klamm_record record = b->record;
		struct klamm_header headers[] = {
			{{"n", 1}, {NULL, 0}},
			{{"long", 4}, {b->header, 300}},
		};
		record.headers = headers;
		record.header_count = b->header[0] == 'h' ? 2 : 0;
		int rc = klamm_producer_send_to(producer, b->topic, &record, NULL, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
}

static void check_log_of(int32_t partition)
{
	static struct world_seen seen[N];
	char key[16];
	int count = 0, at = 0;
	for (int i = 0; i < N; i++)
		count += partition_of(i) == partition;
	ck_assert_int_eq(world_end_of("t", partition), count);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", partition, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, count, seen);
	for (int i = 0; i < N; i++) {
		if (partition_of(i) != partition)
			continue;
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_str_eq(seen[at].key, i % 3 == 0 ? "" : key);
		ck_assert_int_eq(seen[at].key_len < 0, i % 3 == 0);
		ck_assert_int_eq(seen[at].value_len < 0, i % 5 == 0);
		ck_assert_uint_eq(seen[at].headers, i % 4 == 0 ? 2 : 0);
		ck_assert_int_eq(seen[at].timestamp_ms, 1700000000000 - i * 1000);
		at++;
	}
	world_close_consumer(consumer);
}

/* The broker goes away; what one producer could not send another one does, when it is back.
 * Every codec, a thread of the loop's own and none. */
START_TEST(nothing_is_lost_over_a_shutdown)
{
	static struct world_end ends[N];
	int32_t count;
	if (_i % 2 == 1)
		drive();
	struct klamm_producer *producer = world_telling(loop, types[_i / 2], "batch.size=4000",
							"linger.ms=0", NULL);
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 1, false, &err), 0);
	/* The connection's end is heard of before the first record. */
	world_look(producer->loop);
	for (int i = 0; i < N; i++)
		send(producer, i, &ends[i]);
	ck_assert_uint_eq(drain(producer), N);
	check_all_back(ends);
	check_empty(producer);
	check_refuses(producer);
	ck_assert_uint_eq(drain(producer), 0); /* nothing comes twice */
	ck_assert_uint_eq(world_flush(producer), 0);
	world_close(producer);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(ends[i].told, 0);
	ck_assert_int_eq(klamm_broker_node_start(world_broker, 1, &err), 0);
	struct klamm_producer *second = world_producer(loop, types[_i / 2], NULL);
	send_back(second);
	world_close(second);
	for (int32_t partition = 0; partition < PARTITIONS; partition++)
		check_log_of(partition);
}
END_TEST

/* --- what is on its way keeps it --- */

static int64_t ends_of_log(void)
{
	int64_t sum = 0;
	for (int32_t partition = 0; partition < PARTITIONS; partition++)
		sum += world_end_of("t", partition);
	return sum;
}

/* Drains do not wait for a slow broker; each record either comes back or is delivered. */
START_TEST(what_is_in_flight_is_delivered)
{
	static struct world_end ends[N];
	if (_i == 1)
		drive();
	int32_t fault = world_fault(
		(struct klamm_broker_fault){.api = 0, .count = -1, .delay_ms = 300});
	struct klamm_producer *producer = world_telling(
		loop, "batch.size=4000", "linger.ms=0", "max.request.size=8000", NULL);
	for (int i = 0; i < N; i++)
		send(producer, i, &ends[i]);
	while (klamm_broker_fault_hits(world_broker, fault) == 0)
		ck_assert_int_eq(klamm_producer_poll(producer, 5, NULL, NULL), 0);
	int64_t before = world_ms();
	uint64_t back = drain(producer);
	ck_assert_int_lt(world_ms() - before, PATIENCE / 2);
	ck_assert_uint_gt(back, 0);
	ck_assert_uint_lt(back, N);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (size_t i = 0; i < back_count; i++)
		ck_assert_int_eq(((struct world_end *)backs[i].opaque)->told, 0);
	uint64_t delivered = 0;
	for (int i = 0; i < N; i++)
		delivered += ends[i].told == 1 && ends[i].error == 0;
	ck_assert_uint_eq(delivered + back, N);
	ck_assert_int_eq(ends_of_log(), (int64_t)delivered);
	world_close(producer);
}
END_TEST

/* Refused, it waits for another try: it is surely not written, and comes back as well, with
 * sequences or without, and what was to be split for it. */
START_TEST(what_was_refused_comes_back)
{
	struct world_end ends[10] = {0};
	if (_i >= 2)
		world_fault((struct klamm_broker_fault){.api = 0, .count = 1,
							.action = KLAMM_BROKER_ERROR,
							.error = KLAMM_ERR_MESSAGE_TOO_LARGE,
							.topic = "t", .partition = -1});
	world_fault((struct klamm_broker_fault){.api = 0, .count = -1,
						.action = KLAMM_BROKER_ERROR,
						.error = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER,
						.topic = "t", .partition = -1});
	struct klamm_producer *producer = world_telling(
		NULL, _i % 2 == 0 ? "enable.idempotence=true" : "enable.idempotence=false",
		_i < 2 ? "linger.ms=0" : "linger.ms=500", "compression.type=lz4", NULL);
	for (int i = 0; i < 10; i++)
		world_send(producer, "t", 0, NULL, "v", &ends[i]);
	while (klamm_broker_request_count(world_broker, 0) < 3)
		usleep(1000);
	int64_t deadline = world_ms() + PATIENCE;
	while (back_count < 10 && world_ms() < deadline) /* that in flight comes later */
		drain(producer);
	ck_assert_uint_eq(back_count, 10);
	bool seen[10] = {0};
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(ends[i].told, 0);
		seen[(struct world_end *)backs[i].opaque - ends] = true;
	}
	for (int i = 0; i < 10; i++)
		ck_assert(seen[i]);
	check_empty(producer);
	world_close(producer);
	ck_assert_int_eq(ends_of_log(), 0);
}
END_TEST

/* Its answer was lost, so it may be written: it does not come back, but what follows it
 * does. */
START_TEST(what_may_be_written_does_not)
{
	struct world_end first = {0}, second = {0};
	struct klamm_producer *producer = world_telling(
		NULL, "linger.ms=0", "acks=all", "max.in.flight.requests.per.connection=1",
		NULL);
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = 0, .action = KLAMM_BROKER_DROP_AFTER});
	world_fault((struct klamm_broker_fault){.api = 0, .delay_ms = 2000});
	world_send(producer, "t", 0, NULL, "first", &first);
	while (klamm_broker_fault_hits(world_broker, fault) == 0)
		usleep(1000);
	world_send(producer, "t", 0, NULL, "second", &second);
	ck_assert_uint_eq(drain(producer), 1);
	ck_assert_ptr_eq(backs[0].opaque, &second);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(first.told, 1);
	ck_assert_int_eq(first.error, 0); /* the broker knew it again */
	ck_assert_int_eq(second.told, 0);
	ck_assert_int_eq(world_end_of("t", 0), 1);
	world_close(producer);
}
END_TEST

/* --- whoever waits for something --- */

static void count_it(void *arg, const struct klamm_delivery *d)
{
	int *errors = arg;
	ck_assert_int_eq(d->error, KLAMM_ERR_CLOSED);
	++*errors;
}

START_TEST(futures_end)
{
	int errors = 0, all = 0;
	struct klamm_future *futures[3];
	struct klamm_topic *topic;
	struct klamm_record record = world_record("k", "v");
	struct klamm_delivery d;
	struct klamm_producer *producer = world_producer(NULL, LATER, NULL);
	ck_assert_int_eq(klamm_producer_on_delivery(producer, count_it, &all, true, NULL), 0);
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &topic, NULL), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(klamm_producer_send_future(producer, topic, &record,
							    &futures[i], NULL), 0);
	ck_assert_int_eq(klamm_producer_send(producer, topic, &record, NULL, NULL), 0);
	ck_assert_int_eq(klamm_future_then(futures[1], NULL, count_it, &errors, NULL), 0);
	ck_assert_uint_eq(drain(producer), 4);
	ck_assert_int_eq(errors, 1);
	for (int i = 0; i < 3; i++) {
		ck_assert(klamm_future_is_done(futures[i]));
		ck_assert_int_eq(klamm_future_get(futures[i], 0, &d, &err), KLAMM_ERR_CLOSED);
		ck_assert_int_eq(err.outcome, KLAMM_OUTCOME_NOT_WRITTEN);
		ck_assert_int_eq(d.outcome, KLAMM_OUTCOME_NOT_WRITTEN);
		ck_assert_int_eq(d.value_size, 1);
		ck_assert_ptr_nonnull(strstr(d.text, "topic t partition "));
		ck_assert_ptr_null(backs[i].opaque);
		klamm_future_free(futures[i]);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(all, 0); /* also where every record is told */
	klamm_topic_unref(topic);
	world_close(producer);
}
END_TEST

struct sender {
	pthread_t thread;
	struct klamm_producer *producer;
	int sent, rc;
};

static void *send_until_refused(void *arg)
{
	struct sender *sender = arg;
	char value[300];
	memset(value, 'v', sizeof(value));
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){value, sizeof(value)};
	do {
		sender->rc = klamm_producer_send_to(sender->producer, "t", &record, NULL,
						    NULL);
		sender->sent += sender->rc == 0;
	} while (sender->rc == 0);
	return NULL;
}

static bool somebody_waits(struct klamm_producer *producer)
{
	kl_mutex_lock(&producer->mutex);
	bool yes = !kl_list_empty(&producer->memory_waiters);
	kl_mutex_unlock(&producer->mutex);
	return yes;
}

/* Several threads, all at once in send(): those that wait for memory come back, and each
 * record that was taken is handed back; but for what went out to the broker before it was
 * known that this one is gone. _i == 1: in the midst of it. */
START_TEST(senders_are_let_out)
{
	enum { SENDERS = 4 };
	struct sender senders[SENDERS] = {0};
	struct klamm_producer *producer = world_producer(
		NULL, "buffer.memory=262144", "batch.size=4000", "compression.type=lz4",
		"max.block.ms=100000", NULL);
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	klamm_broker_stop(world_broker);
	usleep(50000);
	for (int i = 0; i < SENDERS; i++) {
		senders[i].producer = producer;
		pthread_create(&senders[i].thread, NULL, send_until_refused, &senders[i]);
	}
	uint64_t records = 0;
	while (_i == 0 ? !somebody_waits(producer) : records < 20) {
		usleep(100);
		klamm_producer_queue(producer, &records, NULL);
	}
	uint64_t back = drain(producer);
	uint64_t sent = 0;
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		ck_assert_int_eq(senders[i].rc, KLAMM_ERR_CLOSED);
		sent += (uint64_t)senders[i].sent;
	}
	klamm_producer_queue(producer, &records, NULL);
	ck_assert_uint_eq(back + records, sent);
	world_drop(producer);
}
END_TEST

static void *ask_for_metadata(void *arg)
{
	struct sender *sender = arg;
	struct klamm_record record = world_record(NULL, "v");
	sender->rc = klamm_producer_send_to(sender->producer, "t", &record, NULL, NULL);
	return NULL;
}

START_TEST(those_that_wait_for_metadata_too)
{
	struct sender sender = {0};
	klamm_broker_stop(world_broker);
	sender.producer = world_producer(NULL, "max.block.ms=100000", NULL);
	pthread_create(&sender.thread, NULL, ask_for_metadata, &sender);
	while (atomic_load(&sender.producer->inside) == 0)
		usleep(1000);
	ck_assert_uint_eq(drain(sender.producer), 0);
	pthread_join(sender.thread, NULL);
	ck_assert_int_eq(sender.rc, KLAMM_ERR_CLOSED);
	world_close(sender.producer);
}
END_TEST

static void try_to_wait(void *arg, const char *topic, const struct klamm_record *record,
			void *opaque)
{
	struct klamm_producer *producer = arg;
	(void)topic, (void)record, (void)opaque;
	back_count++;
	ck_assert_int_eq(klamm_producer_flush(producer, 0, NULL, NULL), KLAMM_ERR_WOULD_BLOCK);
	ck_assert_int_eq(klamm_producer_close(producer, 0, NULL), KLAMM_ERR_WOULD_BLOCK);
	ck_assert_int_eq(klamm_producer_drain(producer, keep, NULL, NULL, NULL),
			 KLAMM_ERR_WOULD_BLOCK);
}

START_TEST(its_function_does_not_wait)
{
	struct klamm_producer *producer = world_producer(NULL, LATER, NULL);
	world_send(producer, "t", 0, NULL, "v", NULL);
	ck_assert_int_eq(klamm_producer_drain(producer, try_to_wait, producer, NULL, NULL), 0);
	ck_assert_uint_eq(back_count, 1);
	world_close(producer);
}
END_TEST

/* --- transactions --- */

static struct klamm_producer *begin_one(void)
{
	struct klamm_producer *producer = world_telling(NULL, "transactional.id=x", LATER,
							NULL);
	ck_assert_msg(klamm_producer_init_transactions(producer, PATIENCE, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), 0);
	return producer;
}

/* Some of its records are written: it cannot be committed without the others. */
START_TEST(a_transaction_can_only_be_aborted)
{
	struct world_end end = {0};
	struct klamm_producer *producer = begin_one();
	world_send(producer, "t", 0, NULL, "written", &end);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(end.told, 1);
	world_send(producer, "t", 0, NULL, "not sent", &end);
	world_send(producer, "t", 1, NULL, "not sent", &end);
	ck_assert_uint_eq(drain(producer), 2);
	ck_assert_int_eq(klamm_producer_commit_transaction(producer, PATIENCE, &err),
			 KLAMM_ERR_CLOSED);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_ABORTABLE);
	ck_assert_ptr_nonnull(strstr(err.text, "klamm_producer_drain()"));
	if (_i == 0)
		ck_assert_int_eq(klamm_producer_abort_transaction(producer, PATIENCE, &err),
				 0);
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), KLAMM_ERR_CLOSED);
	world_close(producer);
	ck_assert_int_eq(end.told, 1);
	ck_assert_int_eq(world_end_of("t", 0), 2); /* and the marker of its abort */
	struct klamm_consumer *consumer = world_consumer(
		NULL, "isolation.level=read_committed", NULL);
	struct klamm_batch *batch = NULL;
	world_assign(consumer, "t", 0, 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(klamm_consumer_poll(consumer, 20, &batch, &err), 0);
		ck_assert_ptr_null(batch);
	}
	world_close_consumer(consumer);
}
END_TEST

START_TEST(a_transaction_that_loses_nothing_is_committed)
{
	struct klamm_producer *producer = begin_one();
	world_send(producer, "t", 0, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_uint_eq(drain(producer), 0);
	ck_assert_msg(klamm_producer_commit_transaction(producer, PATIENCE, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), KLAMM_ERR_CLOSED);
	ck_assert_int_eq(world_end_of("t", 0), 2);
	world_close(producer);
}
END_TEST

UNIT_SUITE(drain)
{
	Suite *s = suite_create("drain");
	unit_add_case(s, "nothing_is_lost_over_a_shutdown", nothing_is_lost_over_a_shutdown,
		      up, down, 2 * kl_countof(types));
	unit_add_case(s, "what_is_in_flight_is_delivered", what_is_in_flight_is_delivered, up,
		      down, 2);
	unit_add_case(s, "what_was_refused_comes_back", what_was_refused_comes_back, up, down,
		      4);
	unit_add_fixture(s, what_may_be_written_does_not, up, down);
	unit_add_fixture(s, futures_end, up, down);
	unit_add_case(s, "senders_are_let_out", senders_are_let_out, up, down, 2);
	unit_add_fixture(s, those_that_wait_for_metadata_too, up, down);
	unit_add_fixture(s, its_function_does_not_wait, up, down);
	unit_add_case(s, "a_transaction_can_only_be_aborted",
		      a_transaction_can_only_be_aborted, up, down, 2);
	unit_add_fixture(s, a_transaction_that_loses_nothing_is_committed, up, down);
	return s;
}
