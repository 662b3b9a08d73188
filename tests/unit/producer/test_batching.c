/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands together in batches and requests, and when it leaves. */
#include <stdio.h>
#include <unistd.h>

#include "core/net/loop.h"
#include "tests/unit/producer/caught.h"

#define VALUE100                                                                         \
	"0123456789012345678901234567890123456789012345678901234567890123456789"          \
	"012345678901234567890123456789"

static void send_all(struct klamm_producer *producer, int n, int partitions)
{
	for (int i = 0; i < n; i++)
		world_send(producer, "t", i % partitions, NULL, VALUE100, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
}

static const struct {
	const char *pair;
	int16_t acks;
} acks[] = {{"acks=all", -1}, {"acks=-1", -1}, {"acks=1", 1}, {"acks=0", 0}};

START_TEST(opt_acks)
{
	struct world_end ends[10] = {0};
	struct klamm_producer *producer = world_telling(NULL, acks[_i].pair, NULL);
	for (size_t i = 0; i < kl_countof(ends); i++)
		world_send(producer, "t", 0, "k", "v", &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(caught()->acks, acks[_i].acks);
	for (size_t i = 0; i < kl_countof(ends); i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].error, 0);
		/* Nobody said where it is. */
		ck_assert_int_eq(ends[i].offset, acks[_i].acks == 0 ? -1 : (int)i);
	}
	world_close(producer);
}
END_TEST

/* Each record that has an acknowledgement had no company but what came with it. */
START_TEST(opt_linger_ms)
{
	struct klamm_producer *producer;
	struct world_end ends[10] = {0};
	if (_i == 0) {
		producer = world_telling(NULL, "linger.ms=0", NULL);
		for (size_t i = 0; i < kl_countof(ends); i++) {
			world_send(producer, "t", 0, NULL, "v", &ends[i]);
			world_wait(producer, &ends[i]); /* without a flush */
		}
		ck_assert_int_eq(caught()->batches, 10);
	} else if (_i == 1) {
		producer = world_telling(NULL, "linger.ms=60000", "delivery.timeout.ms=200000",
					 NULL);
		for (size_t i = 0; i < kl_countof(ends); i++) {
			world_send(producer, "t", 0, NULL, "v", &ends[i]);
			usleep(5000);
		}
		ck_assert_int_eq(caught()->batches, 0);
		ck_assert_uint_eq(world_flush(producer), 0);
		ck_assert_int_eq(caught()->batches, 1);
	} else {
		producer = world_telling(NULL, "linger.ms=150", NULL);
		int64_t begun = world_ms();
		world_send(producer, "t", 0, NULL, "v", &ends[0]);
		world_wait(producer, &ends[0]);
		ck_assert_int_ge(world_ms() - begun, 149);
	}
	world_close(producer);
}
END_TEST

START_TEST(opt_batch_size)
{
	static const char *const sizes[] = {"batch.size=100000", "batch.size=1000",
					    "batch.size=0"};
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=60000", "delivery.timeout.ms=200000", sizes[_i], NULL);
	send_all(producer, 100, 1);
	const struct caught *c = caught();
	ck_assert_int_eq(c->records, 100);
	if (_i == 0) {
		ck_assert_int_eq(c->batches, 1);
	} else if (_i == 1) {
		ck_assert_uint_le(c->largest_batch, 1000);
		ck_assert_int_ge(c->batches, 11);
		ck_assert_int_le(c->batches, 15); /* and well filled */
	} else {
		ck_assert_int_eq(c->batches, 100);
	}
	/* One that is larger travels alone. */
	static char big[5000];
	memset(big, 'b', sizeof(big) - 1);
	world_send(producer, "t", 1, NULL, big, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	c = caught();
	ck_assert_int_eq(c->batch[c->batches - 1].head.record_count, 1);
	ck_assert_uint_gt(c->largest_batch, 5000);
	world_close(producer);
}
END_TEST

/* Batches of all partitions of a leader go together. */
START_TEST(partitions_share_a_request)
{
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=60000", "delivery.timeout.ms=200000", NULL);
	send_all(producer, 100, 4);
	ck_assert_int_eq(caught()->batches, 4);
	ck_assert_int_eq(caught()->requests, 1);
	world_close(producer);
}
END_TEST

START_TEST(opt_max_request_size)
{
	struct klamm_error err;
	struct klamm_producer *producer =
		world_producer(NULL, "linger.ms=60000", "delivery.timeout.ms=200000",
			       "batch.size=100000", "max.request.size=2000", NULL);
	static char value[3000];
	memset(value, 'b', sizeof(value));
	struct klamm_record record = world_record("k", NULL);
	record.partition = 0;
	record.value = (struct klamm_span){value, 2000};
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
			 KLAMM_ERR_RECORD_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(err.text, "max.request.size (2000)"));
	record.value.len = 1900;
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err), 0);
	/* Neither may a batch be larger, nor all batches of a request together. */
	send_all(producer, 100, 4);
	const struct caught *c = caught();
	ck_assert_int_eq(c->records, 101);
	ck_assert_uint_le(c->largest_batch, 2000);
	ck_assert_int_eq(c->most_batches, 1);
	world_close(producer);
}
END_TEST

/* Answers owed by one broker at a time. A partition has one batch in flight. */
START_TEST(opt_max_in_flight_requests_per_connection)
{
	static const char *const pairs[] = {"max.in.flight.requests.per.connection=1",
					    "max.in.flight.requests.per.connection=3"};
	int most = _i == 0 ? 1 : 3;
	struct klamm_producer *producer = world_producer(NULL, "linger.ms=0", pairs[_i], NULL);
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	caught_hold();
	for (int i = 0; i < 4; i++) {
		world_send(producer, "t", i, NULL, "v", NULL);
		if (i < most)
			caught_wait(i + 1);
	}
	usleep(50000);
	ck_assert_int_eq(caught()->requests, most);
	caught_release();
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(caught()->records, 4);
	world_close(producer);
}
END_TEST

/* While its batch is in flight a partition gathers the next one, linger or not: a slow broker
 * gets few large batches. */
/* What is due waits for a place in flight, and fills up meanwhile. */
START_TEST(a_slow_broker_gets_large_batches)
{
	struct klamm_producer *producer = world_producer(
		NULL, "linger.ms=0", "max.in.flight.requests.per.connection=1", NULL);
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	caught_hold();
	world_send(producer, "t", 0, NULL, "v", NULL);
	caught_wait(1);
	for (int i = 0; i < 50; i++)
		world_send(producer, "t", 0, NULL, "v", NULL);
	usleep(20000);
	caught_release();
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(caught()->batches, 2);
	ck_assert_int_eq(caught()->batch[1].head.record_count, 50);
	world_close(producer);
}
END_TEST

/* --- time stamps --- */

static struct kl_os counting_os;
static _Atomic int exact;

static int64_t counted_wall_ms(struct kl_os *os)
{
	exact++;
	return kl_os_real()->wall_ms(os);
}

/* How often the exact clock is read, on a loop whose world counts it. */
START_TEST(opt_klamm_timestamp_exact)
{
	struct klamm_loop *loop;
	counting_os = *kl_os_real();
	counting_os.wall_ms = counted_wall_ms;
	ck_assert_int_eq(kl_loop_new(&counting_os, NULL, &loop, NULL), 0);
	ck_assert_int_eq(klamm_loop_start(loop, NULL), 0);
	struct klamm_producer *producer = world_producer(
		loop, "linger.ms=60000", "delivery.timeout.ms=200000", "batch.size=1000000",
		_i == 0 ? "klamm.timestamp.exact=false" : "klamm.timestamp.exact=true", NULL);
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	exact = 0;
	send_all(producer, 1000, 1);
	if (_i == 0)
		ck_assert_int_le(exact, 10); /* once per batch */
	else
		ck_assert_int_ge(exact, 1000);
	ck_assert_int_eq(caught()->records, 1000);
	world_close(producer);
	klamm_loop_free(loop);
}
END_TEST

/* No record is older than the one that opened its batch. */
START_TEST(times_of_a_batch_do_not_go_back)
{
	struct klamm_producer *producer = world_producer(NULL, "linger.ms=1", NULL);
	for (int i = 0; i < 2000; i++)
		world_send(producer, "t", 0, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	const struct caught *c = caught();
	for (int i = 0; i < c->batches; i++)
		ck_assert_int_ge(c->batch[i].head.max_timestamp,
				 c->batch[i].head.base_timestamp);
	world_close(producer);
}
END_TEST

UNIT_SUITE(batching)
{
	Suite *s = suite_create("batching");
	unit_add_case(s, "opt_acks", opt_acks, caught_up, caught_down, kl_countof(acks));
	unit_add_case(s, "opt_linger_ms", opt_linger_ms, caught_up, caught_down, 3);
	unit_add_case(s, "opt_batch_size", opt_batch_size, caught_up, caught_down, 3);
	unit_add_fixture(s, partitions_share_a_request, caught_up, caught_down);
	unit_add_fixture(s, opt_max_request_size, caught_up, caught_down);
	unit_add_case(s, "opt_max_in_flight_requests_per_connection",
		      opt_max_in_flight_requests_per_connection, caught_up, caught_down, 2);
	unit_add_fixture(s, a_slow_broker_gets_large_batches, caught_up, caught_down);
	unit_add_case(s, "opt_klamm_timestamp_exact", opt_klamm_timestamp_exact, caught_up,
		      caught_down, 2);
	unit_add_fixture(s, times_of_a_batch_do_not_go_back, caught_up, caught_down);
	return s;
}
