/* SPDX-License-Identifier: BSD-2-Clause */
/* Flushing and closing, whatever the broker does, or the resolver. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <unistd.h>

#include "core/producer/producer.h"
#include "tests/client/world.h"

static void set_up(void)
{
	world_up();
	world_create("t", 2);
}

START_TEST(flush_tells_how_many_failed)
{
	world_fault((struct klamm_broker_fault){.api = 0, .topic = "t", .partition = 1,
						.count = -1, .action = KLAMM_BROKER_ERROR,
						.error = KLAMM_ERR_INVALID_RECORD});
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	for (int i = 0; i < 30; i++)
		world_send(producer, "t", i % 3 == 0, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 10);
	ck_assert_uint_eq(world_flush(producer), 0); /* of those since the last one */
	world_send(producer, "t", 1, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 1);
	world_close(producer);
}
END_TEST

START_TEST(flush_does_not_wait_for_later_records)
{
	struct world_end first = {0}, second = {0};
	struct klamm_producer *producer = world_telling(
		NULL, "linger.ms=60000", "delivery.timeout.ms=200000", NULL);
	world_send(producer, "t", 0, NULL, "v", &first);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(first.told, 1);
	world_send(producer, "t", 0, NULL, "v", &second);
	ck_assert_int_eq(klamm_producer_poll(producer, 0, NULL, NULL), 0);
	ck_assert_int_eq(second.told, 0);
	world_close(producer);
	ck_assert_int_eq(second.told, 1);
}
END_TEST

START_TEST(flush_gives_up_in_time)
{
	struct klamm_error err;
	struct world_end end = {0};
	world_fault((struct klamm_broker_fault){.api = 0, .delay_ms = 2000});
	struct klamm_producer *producer = world_telling(NULL, NULL, NULL);
	world_send(producer, "t", 0, NULL, "v", &end);
	ck_assert_int_eq(klamm_producer_flush(producer, 20, NULL, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_str_eq(err.text, "1 records have no outcome yet");
	ck_assert_int_eq(end.told, 0);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(end.told, 1);
	world_close(producer);
}
END_TEST

START_TEST(close_delivers_what_is_left)
{
	struct world_end ends[100] = {0};
	struct klamm_producer *producer = world_telling(
		NULL, "linger.ms=60000", "delivery.timeout.ms=200000", NULL);
	for (size_t i = 0; i < kl_countof(ends); i++)
		world_send(producer, "t", 0, NULL, "v", &ends[i]);
	world_close(producer);
	for (size_t i = 0; i < kl_countof(ends); i++)
		ck_assert_int_eq(ends[i].told + ends[i].error, 1);
	ck_assert_int_eq(world_end_of("t", 0), 100);
}
END_TEST

/* The broker is gone, silent, or has not been found at all: each record's end is told before
 * close() returns, and it says whether the record may have been written. */
START_TEST(close_with_a_dead_broker)
{
	struct klamm_error err;
	struct world_end ends[20] = {0};
	struct klamm_producer *producer = world_telling(NULL, "linger.ms=0", NULL);
	int32_t count, fault = 0;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	if (_i == 0) {
		klamm_broker_stop(world_broker);
		world_look(producer->loop); /* nothing is sent into what is closed */
	} else {
		fault = world_fault((struct klamm_broker_fault){
			.api = 0, .count = -1, .action = KLAMM_BROKER_SILENCE});
	}
	for (size_t i = 0; i < kl_countof(ends); i++)
		world_send(producer, "t", 0, NULL, "v", &ends[i]);
	while (_i == 1 && klamm_broker_fault_hits(world_broker, fault) == 0)
		usleep(1000);
	ck_assert_int_eq(klamm_producer_close(producer, 50, &err), KLAMM_ERR_TIMED_OUT);
	int possibly = 0;
	for (size_t i = 0; i < kl_countof(ends); i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_ne(ends[i].error, 0);
		if (ends[i].outcome == KLAMM_OUTCOME_POSSIBLY_WRITTEN)
			possibly++;
		else
			ck_assert_int_eq(ends[i].outcome, KLAMM_OUTCOME_NOT_WRITTEN);
	}
	if (_i == 0)
		ck_assert_int_eq(possibly, 0);
	else
		ck_assert_int_gt(possibly, 0);
}
END_TEST

/* What expires is counted, and what was refused when no try was left. */
START_TEST(flush_counts_what_ran_out)
{
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=0", "enable.idempotence=false",
		_i == 0 ? "retries=2" : "delivery.timeout.ms=1000", "request.timeout.ms=500",
		NULL);
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = 0, .topic = "t", .partition = 0, .count = -1,
		.action = _i < 2 ? KLAMM_BROKER_ERROR : KLAMM_BROKER_SILENCE,
		.error = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER});
	for (int i = 0; i < 40; i++)
		world_send(producer, "t", 0, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 40);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_gt(klamm_broker_fault_hits(world_broker, fault), 0);
	world_close(producer);
}
END_TEST

/* --- without any broker close() obeys its deadline, whatever is under way --- */

enum { RECORDS_ONLY, OPEN_TXN, COMMIT, INIT, KINDS };

static void lose_all(bool silent)
{
	struct klamm_error err;
	if (silent)
		world_fault((struct klamm_broker_fault){.api = -1, .count = -1,
							.action = KLAMM_BROKER_SILENCE});
	else
		ck_assert_int_eq(klamm_broker_node_stop(world_broker, 1, true, &err), 0);
}

START_TEST(close_obeys_its_deadline)
{
	int kind = _i % KINDS;
	bool silent = _i >= KINDS;
	struct klamm_error err;
	struct world_end first = {0}, last = {0};
	struct klamm_producer *producer = world_telling(
		NULL, "linger.ms=0",
		kind == RECORDS_ONLY ? "client.id=x" : "transactional.id=x", NULL);
	if (kind == INIT) {
		lose_all(silent);
		ck_assert_int_eq(klamm_producer_init_transactions(producer, 50, &err),
				 KLAMM_ERR_TIMED_OUT);
	} else if (kind != RECORDS_ONLY) {
		ck_assert_int_eq(klamm_producer_init_transactions(producer, PATIENCE, &err),
				 0);
		ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), 0);
	}
	if (kind != INIT) {
		world_send(producer, "t", 0, NULL, "v", &first);
		ck_assert_uint_eq(world_flush(producer), 0);
		lose_all(silent);
		world_send(producer, "t", 0, NULL, "v", &last);
	}
	if (kind == COMMIT)
		ck_assert_int_eq(klamm_producer_commit_transaction(producer, 50, &err),
				 KLAMM_ERR_TIMED_OUT);
	int64_t before = world_ms();
	int rc = klamm_producer_close(producer, 100, &err);
	ck_assert_int_lt(world_ms() - before, 15000); /* less than request.timeout.ms */
	if (kind == INIT) {
		ck_assert_int_eq(rc, 0); /* nothing was left */
		return;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(err.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(strstr(err.text, "transaction.timeout.ms") != NULL,
			 kind != RECORDS_ONLY);
	ck_assert_int_eq(first.told, 1);
	ck_assert_int_eq(first.error, 0);
	ck_assert_int_eq(last.told, 1);
	ck_assert_int_ne(last.error, 0);
}
END_TEST

struct waiter {
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	int rc;
};

static void *send_and_wait(void *arg)
{
	struct waiter *waiter = arg;
	struct klamm_record record = world_record(NULL, "v");
	waiter->rc = klamm_producer_send(waiter->producer, waiter->topic, &record, NULL, NULL);
	return NULL;
}

/* One that waits for metadata in another thread comes back. */
START_TEST(close_lets_senders_out)
{
	struct waiter waiter = {0};
	pthread_t thread;
	world_fault((struct klamm_broker_fault){.api = 3, .count = -1,
						.action = KLAMM_BROKER_SILENCE});
	waiter.producer = world_producer(NULL, "max.block.ms=100000", NULL);
	ck_assert_int_eq(klamm_producer_topic(waiter.producer, "t", &waiter.topic, NULL), 0);
	pthread_create(&thread, NULL, send_and_wait, &waiter);
	while (atomic_load(&waiter.producer->inside) == 0) /* nobody may begin after close() */
		usleep(1000);
	klamm_producer_close(waiter.producer, 0, NULL);
	pthread_join(thread, NULL);
	ck_assert_int_eq(waiter.rc, KLAMM_ERR_CLOSED);
	klamm_topic_unref(waiter.topic);
}
END_TEST

/* --- a resolver that takes its time --- */

static _Atomic int asked, answered;
static _Atomic bool may_answer;

/* In place of libc's for everything in this program. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **list_out)
{
	int (*usual)(const char *, const char *, const struct addrinfo *,
		     struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
	if (strcmp(host, "slow.invalid") != 0)
		return usual(host, service, hints, list_out);
	asked++;
	while (!may_answer)
		usleep(1000);
	answered++;
	return EAI_NONAME;
}

/* Nothing can hurry it: close() does not wait for it, nor is anything lost or used again
 * when it comes back at last. */
START_TEST(close_does_not_wait_for_the_resolver)
{
	world_servers = "slow.invalid:9092";
	struct klamm_error err;
	struct klamm_record record = world_record(NULL, "v");
	if (_i == 0) {
		struct klamm_producer *producer = world_producer(
			NULL, "max.block.ms=0", "socket.connection.setup.timeout.ms=60000",
			NULL);
		while (asked == 0) {
			klamm_producer_send_to(producer, "t", &record, NULL, &err);
			usleep(1000);
		}
		klamm_producer_close(producer, 10, NULL);
	} else {
		struct klamm_consumer *consumer = world_consumer(
			NULL, "socket.connection.setup.timeout.ms=60000", NULL);
		world_assign(consumer, "t", 0, 0);
		struct klamm_batch *batch;
		while (asked == 0)
			klamm_consumer_poll(consumer, 10, &batch, &err);
		klamm_consumer_close(consumer, 10, NULL);
	}
	ck_assert_int_eq(answered, 0);
	may_answer = true;
	while (answered < asked)
		usleep(1000);
}
END_TEST

UNIT_SUITE(end)
{
	Suite *s = suite_create("end");
	unit_add_fixture(s, flush_tells_how_many_failed, set_up, world_down);
	unit_add_fixture(s, flush_does_not_wait_for_later_records, set_up, world_down);
	unit_add_fixture(s, flush_gives_up_in_time, set_up, world_down);
	unit_add_fixture(s, close_delivers_what_is_left, set_up, world_down);
	unit_add_case(s, "close_with_a_dead_broker", close_with_a_dead_broker, set_up,
		      world_down, 2);
	unit_add_case(s, "flush_counts_what_ran_out", flush_counts_what_ran_out, set_up,
		      world_down, 3);
	unit_add_case(s, "close_obeys_its_deadline", close_obeys_its_deadline, set_up,
		      world_down, 2 * KINDS);
	unit_add_fixture(s, close_lets_senders_out, set_up, world_down);
	unit_add_loop(s, close_does_not_wait_for_the_resolver, 2);
	return s;
}
