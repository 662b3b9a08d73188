/* SPDX-License-Identifier: BSD-2-Clause */
/* What a partition remembers of producers: sequence numbers, epochs, transactions. */
#include "broker/producers.h"
#include "core/record/batch_read.h"
#include "tests/broker/peer.h"

#include <stdlib.h>
#include <unistd.h>

static struct kl_dev_producers table;

static void empty(void)
{
	kl_dev_producers_init(&table);
}

static void forget(void)
{
	kl_dev_producers_free(&table);
}

/* --- batches --- */

static int append(const struct kl_batch_head *head, enum kl_dev_origin origin, int64_t offset,
		  const struct kl_dev_seen **seen)
{
	int rc = kl_dev_producer_check(&table, head, origin, seen);
	if (rc == 0 && *seen == NULL)
		kl_dev_producer_note(&table, head, offset);
	return rc;
}

struct step {
	int epoch, sequence, count;
	int error;
	int64_t known; /* the offset of an earlier batch that it is, -1 = it is new */
};

/* Steps are appended at 100, 200, ... */
static void play(const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct kl_dev_seen *seen;
		struct kl_batch_head head = {
			.producer_id = 7,
			.producer_epoch = (int16_t)steps[i].epoch,
			.base_sequence = steps[i].sequence,
			.last_offset_delta = steps[i].count - 1,
		};
		int rc = append(&head, KL_DEV_FROM_CLIENT, 100 * (int64_t)(i + 1), &seen);
		ck_assert_msg(rc == steps[i].error, "step %zu: %d", i, rc);
		int64_t known = seen != NULL ? seen->offset : -1;
		ck_assert_msg(known == steps[i].known, "step %zu: %lld", i,
			      (long long)known);
	}
}

#define OUT_OF_ORDER KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
#define FENCED KLAMM_ERR_INVALID_PRODUCER_EPOCH

static const struct step in_order[] = {
	{0, 0, 10, 0, -1},
	{0, 20, 10, OUT_OF_ORDER, -1}, /* a gap */
	{0, 10, 10, 0, -1},
	{0, 20, 10, 0, -1},
	{0, 30, 10, 0, -1},
	{0, 40, 10, 0, -1},
	{0, 0, 10, 0, 100}, /* the oldest of five */
	{0, 50, 10, 0, -1},
	{0, 0, 10, OUT_OF_ORDER, -1}, /* is known no more */
	{0, 10, 10, 0, 300},
	{0, 10, 9, OUT_OF_ORDER, -1}, /* not the same batch */
	{0, 15, 10, OUT_OF_ORDER, -1},
};
static const struct step epochs[] = {
	{3, 5, 1, 0, -1}, /* who is not known may begin anywhere */
	{3, 6, 1, 0, -1},
	{2, 7, 1, FENCED, -1},
	{4, 7, 1, OUT_OF_ORDER, -1}, /* an epoch begins at 0 */
	{4, 0, 1, 0, -1},
	{3, 6, 1, FENCED, -1}, /* what was known is, no more */
	{4, 0, 1, 0, 500},
};
static const struct step wraps[] = {
	{0, INT32_MAX - 4, 10, 0, -1}, {0, 5, 1, 0, -1},
	{0, INT32_MAX - 4, 10, 0, 100}, {0, 7, 1, OUT_OF_ORDER, -1},
	{0, 6, 1, 0, -1},
};
static const struct step wraps_between[] = {
	{0, INT32_MAX, 1, 0, -1},
	{0, 1, 1, OUT_OF_ORDER, -1},
	{0, 0, 1, 0, -1},
};

START_TEST(follows_sequences)
{
	static const struct {
		const struct step *steps;
		size_t n;
	} plays[] = {
		{in_order, kl_countof(in_order)},
		{epochs, kl_countof(epochs)},
		{wraps, kl_countof(wraps)},
		{wraps_between, kl_countof(wraps_between)},
	};
	ck_assert_uint_eq(kl_countof(plays), 4);
	play(plays[_i].steps, plays[_i].n);
}
END_TEST

START_TEST(forgets_who_is_idle)
{
	const struct kl_dev_seen *seen;
	struct kl_batch_head head = {.producer_id = 1, .max_timestamp = 1000};
	ck_assert_int_eq(append(&head, KL_DEV_FROM_CLIENT, 0, &seen), 0);
	head = (struct kl_batch_head){.producer_id = 2,
				      .max_timestamp = 1000,
				      .attributes = KL_ATTR_TRANSACTIONAL};
	ck_assert_int_eq(append(&head, KL_DEV_FROM_CLIENT, 1, &seen), 0);
	kl_dev_producers_expire(&table, 5999, 5000);
	ck_assert_ptr_nonnull(kl_dev_producer_find(&table, 1));
	kl_dev_producers_expire(&table, 6000, 5000);
	ck_assert_ptr_null(kl_dev_producer_find(&table, 1));
	/* Not one with an open transaction. */
	ck_assert_ptr_nonnull(kl_dev_producer_find(&table, 2));
}
END_TEST

/* --- transactions --- */

static int put(int64_t producer, int16_t epoch, int32_t sequence, int64_t offset)
{
	const struct kl_dev_seen *seen;
	struct kl_batch_head head = {.producer_id = producer,
				     .producer_epoch = epoch,
				     .base_sequence = sequence,
				     .attributes = KL_ATTR_TRANSACTIONAL};
	return append(&head, sequence < 0 ? KL_DEV_FROM_COORDINATOR : KL_DEV_FROM_CLIENT,
		      offset, &seen);
}

static int end(int64_t producer, int16_t epoch, int16_t version, int32_t coordinator,
	       bool aborts, int64_t offset)
{
	struct kl_dev_marker marker = {producer, epoch, version, coordinator, aborts};
	int rc = kl_dev_marker_check(&table, &marker);
	if (rc == 0)
		ck_assert(kl_dev_marker_note(&table, &marker, offset, 1));
	return rc;
}

START_TEST(knows_what_is_stable)
{
	ck_assert_int_eq(kl_dev_producers_stable(&table, 5), 5);
	put(1, 0, 0, 10);
	put(2, 0, 0, 20);
	put(1, 0, 1, 30);
	ck_assert_int_eq(kl_dev_producers_stable(&table, 40), 10);
	ck_assert_int_eq(end(1, 0, 0, 0, true, 40), 0);
	ck_assert_int_eq(kl_dev_producers_stable(&table, 40), 10); /* its end is not seen */
	ck_assert_int_eq(kl_dev_producers_stable(&table, 41), 20);
	ck_assert_int_eq(end(2, 0, 0, 0, false, 41), 0);
	ck_assert_int_eq(kl_dev_producers_stable(&table, 42), 42);
	ck_assert_uint_eq(table.aborted.count, 1);
	ck_assert_int_eq(table.aborted.list[0].first, 10);
	ck_assert_int_eq(table.aborted.list[0].last, 40);
	ck_assert_int_eq(table.aborted.list[0].stable, 20);
	ck_assert_uint_eq(kl_dev_aborted_from(&table, 40), 0);
	ck_assert_uint_eq(kl_dev_aborted_from(&table, 41), 1);
	kl_dev_producers_trim(&table, 40);
	ck_assert_uint_eq(table.aborted.count, 1);
	kl_dev_producers_trim(&table, 41);
	ck_assert_uint_eq(table.aborted.count, 0);
}
END_TEST

START_TEST(checks_markers)
{
	put(1, 5, 0, 10);
	ck_assert_int_eq(end(1, 4, 0, 3, true, 20), FENCED);
	ck_assert_int_eq(end(1, 5, 2, 3, true, 20), FENCED); /* an epoch for each */
	ck_assert_int_eq(end(1, 6, 2, 3, true, 20), 0);
	ck_assert_int_eq(end(1, 6, 2, 3, true, 21), 0); /* again: it was written before */
	ck_assert_int_eq(end(1, 6, 1, 2, true, 22),
			 KLAMM_ERR_TRANSACTION_COORDINATOR_FENCED);
	ck_assert_int_eq(end(1, 6, 1, 3, true, 22), 0);
	/* One that nobody knows is noted: it keeps late records out. */
	ck_assert_int_eq(end(9, 1, 2, 0, true, 23), 0);
	ck_assert_int_eq(put(9, 0, 0, 24), FENCED);
	ck_assert_int_eq(put(9, 1, 1, 24), OUT_OF_ORDER);
	ck_assert_int_eq(put(9, 1, 0, 24), 0);
}
END_TEST

START_TEST(keeps_transactions_whole)
{
	const struct kl_dev_seen *seen;
	struct kl_batch_head plain = {.producer_id = 1, .base_sequence = 1};
	put(1, 0, 0, 10);
	ck_assert(kl_dev_producer_is_open(&table, 1, 0));
	ck_assert(!kl_dev_producer_is_open(&table, 1, 1));
	ck_assert_int_eq(append(&plain, KL_DEV_FROM_CLIENT, 11, &seen),
			 KLAMM_ERR_INVALID_TXN_STATE);
	/* Commits of offsets have no sequence. */
	ck_assert_int_eq(put(2, 0, -1, 12), 0);
	ck_assert_int_eq(put(2, 0, -1, 13), 0);
	ck_assert_int_eq(put(2, 1, -1, 14), 0);
	ck_assert_int_eq(put(2, 0, -1, 15), FENCED);
}
END_TEST

/* Of batches on their way, none behind the first may be appended first. */
START_TEST(remembers_what_is_verified)
{
	struct kl_batch_head head = {.producer_id = 1, .base_sequence = 3};
	ck_assert_int_eq(kl_dev_producer_verify(&table, &head, false, 0), 0);
	head.base_sequence = 2;
	ck_assert_int_eq(kl_dev_producer_verify(&table, &head, false, 0), 0);
	ck_assert_int_eq(put(1, 0, 3, 10), OUT_OF_ORDER);
	ck_assert_int_eq(put(1, 0, 2, 10), 0);
	ck_assert_int_eq(put(1, 0, 3, 11), 0);
	head.producer_epoch = -1;
	ck_assert_int_eq(kl_dev_producer_verify(&table, &head, false, 0), FENCED);
	/* With an epoch for each transaction the first sequence is 0. */
	head = (struct kl_batch_head){.producer_id = 2, .base_sequence = 1};
	ck_assert_int_eq(kl_dev_producer_verify(&table, &head, true, 0), 0);
	ck_assert_int_eq(put(2, 0, 1, 12), OUT_OF_ORDER);
	head.base_sequence = 0;
	ck_assert_int_eq(kl_dev_producer_verify(&table, &head, true, 0), 0);
	ck_assert_int_eq(put(2, 0, 0, 12), 0);
}
END_TEST

/* --- over the wire --- */

static struct peer *peer;
static const char *topic;
static char *dir;

static void up_with(const char *const *config)
{
	peer_start_with((struct klamm_broker_options){.config = config});
	topic = peer_topic();
	peer_create(topic, 1);
	peer = peer_open();
}

static void wire_up(void)
{
	up_with(NULL);
}

static void forgetful_up(void)
{
	static const char *const config[] = {
		"producer.id.expiration.ms=1", "producer.id.expiration.check.interval.ms=20",
		NULL};
	up_with(config);
}

static void wire_down(void)
{
	peer_close(peer);
	peer_stop();
	free(dir);
	dir = NULL;
}

static void come_back(void)
{
	if (peer != NULL) {
		peer_close(peer);
		peer_stop();
	}
	peer_start_with((struct klamm_broker_options){.data_dir = dir});
	peer = peer_open();
}

static void files_up(void)
{
	dir = unit_tmp();
	come_back();
	topic = peer_topic();
	peer_create(topic, 1);
}

static struct kl_produce_response_partition *send_batch(int64_t id, int32_t sequence)
{
	struct peer_batch b;
	peer_batch_from(&b, 2, id, 0, sequence);
	return peer_produce(peer, topic, 0, b.data, b.len);
}

START_TEST(expires_them)
{
	ck_assert_int_eq(send_batch(4, 0)->error_code, 0);
	int error = OUT_OF_ORDER;
	for (int i = 0; i < 500 && error == OUT_OF_ORDER; i++) {
		usleep(20000);
		error = send_batch(4, 10)->error_code;
	}
	ck_assert_int_eq(error, 0);
}
END_TEST

START_TEST(outlives_the_broker)
{
	for (int32_t i = 0; i < 4; i++)
		ck_assert_int_eq(send_batch(4, 2 * i)->error_code, 0);
	come_back();
	ck_assert_int_eq(send_batch(4, 4)->base_offset, 4);
	ck_assert_int_eq(send_batch(4, 10)->error_code, OUT_OF_ORDER);
	ck_assert_int_eq(send_batch(4, 8)->base_offset, 8);
}
END_TEST

START_TEST(answers_a_repeated_batch_as_kafka_does)
{
	ck_assert_int_eq(send_batch(4, 0)->log_append_time_ms, -1);
	struct kl_produce_response_partition *r = send_batch(4, 0);
	ck_assert_int_eq(r->base_offset, 0);
	ck_assert_int_eq(r->log_append_time_ms, 1001); /* the batch's newest */
}
END_TEST

START_TEST(gives_ids)
{
	static const struct {
		const char *transactional_id;
		int64_t id;
		int16_t epoch;
		int error;
	} asks[] = {
		{NULL, -1, -1, 0},
		{NULL, 5, 3, 0}, /* a new one all the same */
		{NULL, 5, -1, KLAMM_ERR_INVALID_REQUEST},
		{NULL, -1, 3, KLAMM_ERR_INVALID_REQUEST},
		{"", -1, -1, KLAMM_ERR_INVALID_REQUEST},
	};
	int64_t last = -1;
	for (size_t i = 0; i < kl_countof(asks); i++) {
		struct kl_init_producer_id_request request;
		kl_msg_init(&kl_msg_init_producer_id_request, &request);
		request.transactional_id = kl_str(asks[i].transactional_id);
		request.producer_id = asks[i].id;
		request.producer_epoch = asks[i].epoch;
		struct kl_init_producer_id_response *r =
			PEER_CALL(peer, init_producer_id, 4, &request);
		ck_assert_msg(r->error_code == asks[i].error, "row %zu: %d", i,
			      r->error_code);
		if (r->error_code != 0)
			continue;
		ck_assert_int_gt(r->producer_id, last);
		ck_assert_int_eq(r->producer_epoch, 0);
		last = r->producer_id;
	}
}
END_TEST

UNIT_SUITE(producers)
{
	Suite *s = suite_create("producers");
	unit_add_case(s, "follows_sequences", follows_sequences, empty, forget, 4);
	unit_add_fixture(s, forgets_who_is_idle, empty, forget);
	unit_add_fixture(s, knows_what_is_stable, empty, forget);
	unit_add_fixture(s, checks_markers, empty, forget);
	unit_add_fixture(s, keeps_transactions_whole, empty, forget);
	unit_add_fixture(s, remembers_what_is_verified, empty, forget);
	unit_add_fixture(s, outlives_the_broker, files_up, wire_down);
	unit_add_fixture(s, answers_a_repeated_batch_as_kafka_does, wire_up, wire_down);
	unit_add_fixture(s, gives_ids, wire_up, wire_down);
	/* A broker of our own, whose settings make it quick. */
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, expires_them, forgetful_up, wire_down);
	return s;
}
