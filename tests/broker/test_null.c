/* SPDX-License-Identifier: BSD-2-Clause */
/* Null mode: counts what comes, makes up what goes. */
#include "core/record/batch_read.h"
#include "tests/broker/peer.h"

#define RECORDS 40

static struct peer *peer;
static struct klamm_error err;

static void up(void)
{
	peer_start_with((struct klamm_broker_options){
		.null = true, .null_record_size = 100, .null_batch_records = RECORDS});
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 3, &err), 0);
	peer = peer_open();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

START_TEST(counts)
{
	struct peer_batch b;
	peer_batch(&b, 7, 1000);
	for (int i = 0; i < 5; i++) {
		struct kl_produce_response_partition *r =
			peer_produce(peer, "t", 1, b.data, b.len);
		ck_assert_int_eq(r->error_code, 0);
		ck_assert_int_eq(r->base_offset, 7 * i);
	}
	int64_t end;
	ck_assert_int_eq(klamm_broker_offsets(peer_broker, "t", 1, NULL, &end, &err), 0);
	ck_assert_int_eq(end, 35);
	ck_assert_int_eq(peer_produce(peer, "t", 1, "x", 1)->error_code,
			 KLAMM_ERR_CORRUPT_MESSAGE);
	ck_assert_int_eq(peer_produce(peer, "u", 1, b.data, b.len)->error_code,
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

/* Whole batches in a row, from the one that holds offset; their number. */
static int check_batches(struct kl_bytes records, int64_t offset)
{
	size_t left = (size_t)records.len;
	int64_t expected = offset - offset % RECORDS;
	int count = 0;
	for (const uint8_t *p = records.p; left > 0; count++) {
		struct kl_batch_head head;
		ck_assert_int_eq(kl_batch_peek(p, left, &head), KL_BATCH_WHOLE);
		ck_assert_int_eq(head.base_offset, expected);
		ck_assert(kl_batch_check_crc(p, &head));
		struct kl_record_iter iter;
		struct klamm_record_view view;
		kl_record_iter_init(&iter, &head, kl_batch_records(p, &head), 0);
		int n = 0;
		for (; kl_record_next(&iter, &view) > 0; n++)
			ck_assert_uint_eq(view.value.len, 100);
		ck_assert_int_eq(n, RECORDS);
		expected += RECORDS;
		p += kl_batch_size(&head);
		left -= kl_batch_size(&head);
	}
	return count;
}

START_TEST(makes_up_records)
{
	static const int64_t offsets[] = {0, 1, 39, 40, 1000003, (int64_t)1 << 40};
	for (size_t i = 0; i < kl_countof(offsets); i++) {
		struct kl_fetch_response_partition *r =
			peer_fetch(peer, "t", 0, offsets[i]);
		ck_assert_int_eq(r->error_code, 0);
		ck_assert_int_gt(r->high_watermark, offsets[i]);
		ck_assert_int_gt(check_batches(r->records, offsets[i]), 200);
	}
}
END_TEST

START_TEST(fills_many_partitions)
{
	struct kl_fetch_request_partition from[3];
	for (int i = 0; i < 3; i++) {
		kl_type_init(&kl_type_fetch_request_partition, &from[i]);
		from[i].partition = i;
		from[i].fetch_offset = 1000 * i + 5;
		from[i].partition_max_bytes = 20000;
	}
	struct kl_fetch_request_topic at = {
		.topic = KL_STR("t"), .partitions = from, .partitions_n = 3};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_bytes = 1 << 20;
	request.session_epoch = -1;
	request.topics = &at;
	request.topics_n = 1;
	for (int round = 0; round < 3; round++) {
		struct kl_fetch_response *r = PEER_CALL(peer, fetch, 12, &request);
		for (int i = 0; i < 3; i++) {
			struct kl_fetch_response_partition *p =
				&r->responses[0].partitions[i];
			ck_assert_int_ge(check_batches(p->records, 1000 * i + 5), 2);
			ck_assert_int_le(p->records.len, 20000);
		}
	}
	/* One batch, however small the limit. */
	request.max_bytes = from[0].partition_max_bytes = 1;
	struct kl_fetch_response *r = PEER_CALL(peer, fetch, 12, &request);
	ck_assert_int_eq(check_batches(r->responses[0].partitions[0].records, 5), 1);
	ck_assert_int_eq(r->responses[0].partitions[1].records.len, 0);
}
END_TEST

UNIT_SUITE(null)
{
	Suite *s = suite_create("null");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, counts, up, down);
	unit_add_fixture(s, makes_up_records, up, down);
	unit_add_fixture(s, fills_many_partitions, up, down);
	return s;
}
