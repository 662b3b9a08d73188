/* SPDX-License-Identifier: BSD-2-Clause */
/* Records in and out: Produce, Fetch, ListOffsets. */
#include "broker/broker.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"
#include "tests/broker/peer.h"

#include <klamm/codec.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct peer *peer;
static const char *topic;

static void up(void)
{
	peer_start();
	topic = peer_topic();
	peer_create(topic, 2);
	peer = peer_open();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static int64_t put(int count, int64_t timestamp)
{
	struct peer_batch b;
	peer_batch(&b, count, timestamp);
	struct kl_produce_response_partition *r =
		peer_produce(peer, topic, 0, b.data, b.len);
	ck_assert_int_eq(r->error_code, 0);
	return r->base_offset;
}

static int put_error(const struct peer_batch *b)
{
	return peer_produce(peer, topic, 0, b->data, b->len)->error_code;
}

START_TEST(takes_and_gives)
{
	int64_t now = now_ms();
	ck_assert_int_eq(put(3, now), 0);
	ck_assert_int_eq(put(2, now + 10), 3);
	struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, 1);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->high_watermark, 5);
	ck_assert_int_eq(r->last_stable_offset, 5);
	ck_assert_int_eq(r->log_start_offset, 0);
	struct kl_batch_head head;
	ck_assert_int_eq(kl_batch_peek(r->records.p, (size_t)r->records.len, &head),
			 KL_BATCH_WHOLE);
	ck_assert_int_eq(head.base_offset, 0);
	ck_assert_int_eq(head.leader_epoch, 0);
	ck_assert(kl_batch_check_crc(r->records.p, &head));
	struct kl_record_iter iter;
	struct klamm_record_view view;
	kl_record_iter_init(&iter, &head, kl_batch_records(r->records.p, &head), 1);
	ck_assert_int_eq(kl_record_next(&iter, &view), 1);
	ck_assert_int_eq(view.offset, 1);
	ck_assert_int_eq(view.timestamp_ms, now + 1);
	ck_assert_mem_eq(view.value.data, "value-1", view.value.len);
	/* At the end: nothing, and not null. */
	r = peer_fetch(peer, topic, 0, 5);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->records.len, 0);
	ck_assert_int_eq(peer_fetch(peer, topic, 0, 6)->error_code,
			 KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	r = peer_fetch(peer, topic, 0, -1);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(r->high_watermark, -1);
	ck_assert_int_eq(peer_fetch(peer, topic, 7, 0)->error_code,
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(peer_fetch(peer, "no-such", 0, 0)->error_code,
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

static void recrc(struct peer_batch *b)
{
	const uint8_t *body = b->data + KL_BATCH_HEAD;
	struct kl_batch_head head;
	kl_batch_head_get(b->data, &head);
	kl_batch_stamp(b->data, head.producer_id, head.producer_epoch, head.base_sequence,
		       kl_batch_body_crc(body, b->len - KL_BATCH_HEAD));
}

START_TEST(refuses_bad_batches)
{
	struct peer_batch b;
	int64_t now = now_ms();
	peer_batch(&b, 3, now);
	b.data[b.len - 3] ^= 1;
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_CORRUPT_MESSAGE);
	peer_batch(&b, 3, now);
	b.data[KL_BATCH_MAGIC] = 1;
	ck_assert_int_ne(put_error(&b), 0);
	peer_batch(&b, 3, now);
	kl_store_u32(b.data + KL_BATCH_RECORD_COUNT, 2);
	recrc(&b);
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	peer_batch(&b, 3, now);
	kl_store_u32(b.data + KL_BATCH_LAST_OFFSET_DELTA, 5);
	recrc(&b);
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	peer_batch(&b, 3, now);
	kl_store_u64(b.data, 17); /* base offset */
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	peer_batch(&b, 3, now);
	kl_store_u16(b.data + KL_BATCH_ATTRIBUTES, KL_ATTR_CONTROL);
	recrc(&b);
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	peer_batch(&b, 3, now);
	memcpy(b.data + b.len, b.data, b.len);
	b.len *= 2; /* two of them */
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	b.len = 0;
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	peer_batch(&b, 3, now);
	b.len -= 1; /* cut */
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	peer_batch(&b, 3, now + 2 * 3600 * 1000);
	struct kl_produce_response_partition *r =
		peer_produce(peer, topic, 0, b.data, b.len);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_INVALID_TIMESTAMP);
	ck_assert_int_eq(r->record_errors_n, 3);
	ck_assert_int_eq(r->record_errors[2].batch_index, 2);
	ck_assert_int_eq(r->log_start_offset, 0);
	ck_assert_int_eq(r->base_offset, -1);
	ck_assert_int_eq(put(1, now), 0); /* nothing of it was written */
}
END_TEST

/* 129 MiB in 4 KiB: a frame of zstd, with a block of 128 KiB in each four bytes. */
static void make_bomb(struct peer_batch *b)
{
	enum { BLOCKS = 1032 };
	static const uint8_t begin[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58};
	uint8_t *p = b->data + KL_BATCH_HEAD;
	memcpy(p, begin, sizeof(begin));
	p += sizeof(begin);
	for (int i = 1; i <= BLOCKS; i++, p += 4)
		memcpy(p, (uint8_t[]){i == BLOCKS ? 3 : 2, 0, 0x10, 0}, 4);
	b->len = (size_t)(p - b->data);
	kl_store_u32(b->data + KL_BATCH_LENGTH, (uint32_t)(b->len - KL_BATCH_OVERHEAD));
	kl_store_u16(b->data + KL_BATCH_ATTRIBUTES, KLAMM_WIRE_ZSTD);
	recrc(b);
}

/* Where a batch has to be opened. */
START_TEST(refuses_a_bomb)
{
	static const char *const settings[] = {"cleanup.policy", "compact", NULL};
	struct peer_batch b;
	topic = peer_topic();
	peer_create_with(topic, 1, settings);
	peer_batch_keyed(&b, 1, now_ms());
	make_bomb(&b);
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_INVALID_RECORD);
	peer_batch_keyed(&b, 1, now_ms());
	ck_assert_int_eq(put_error(&b), 0);
	peer_check_alive();
}
END_TEST

START_TEST(corrects_newest_time)
{
	struct peer_batch b;
	int64_t now = now_ms();
	peer_batch(&b, 3, now);
	kl_store_u64(b.data + KL_BATCH_MAX_TIMESTAMP, (uint64_t)(now - 5000));
	recrc(&b);
	ck_assert_int_eq(put_error(&b), 0);
	struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, 0);
	struct kl_batch_head head;
	kl_batch_peek(r->records.p, (size_t)r->records.len, &head);
	ck_assert_int_eq(head.max_timestamp, now + 2);
	ck_assert(kl_batch_check_crc(r->records.p, &head));
}
END_TEST

/* A producer may not say it, but where it changes nothing it is forgiven. */
START_TEST(puts_append_time_right)
{
	struct peer_batch b;
	int64_t now = now_ms();
	peer_batch(&b, 3, now);
	kl_store_u16(b.data + KL_BATCH_ATTRIBUTES, KL_ATTR_LOG_APPEND_TIME);
	recrc(&b);
	ck_assert_int_eq(put_error(&b), 0);
	struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, 0);
	struct kl_batch_head head;
	kl_batch_peek(r->records.p, (size_t)r->records.len, &head);
	ck_assert_int_eq(head.attributes, 0);
	ck_assert_int_eq(head.max_timestamp, now + 2);
	ck_assert(kl_batch_check_crc(r->records.p, &head));
}
END_TEST

START_TEST(takes_no_more_than_allowed)
{
	uint8_t *big = calloc(1, 1100000);
	size_t n = 1048588 - KL_BATCH_OVERHEAD + 1; /* one byte too much in all */
	kl_batch_head_put(big, &(struct kl_batch_head){
				       .length = (int32_t)n,
				       .leader_epoch = -1,
				       .magic = 2,
				       .producer_id = -1,
				       .producer_epoch = -1,
				       .base_sequence = -1,
				       .record_count = 1,
			       });
	struct kl_produce_response_partition *r =
		peer_produce(peer, topic, 0, big, n + KL_BATCH_OVERHEAD);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_MESSAGE_TOO_LARGE);
	free(big);
}
END_TEST

START_TEST(takes_no_batch_beyond_a_segment)
{
	const char *const settings[] = {"segment.bytes", "1048576", "max.message.bytes",
					"2000000", NULL};
	const char *name = peer_topic();
	peer_create_with(name, 1, settings);
	size_t n = 1048577;
	uint8_t *big = calloc(1, n);
	kl_batch_head_put(big, &(struct kl_batch_head){
				       .length = (int32_t)(n - KL_BATCH_OVERHEAD),
				       .leader_epoch = -1,
				       .magic = 2,
				       .producer_id = -1,
				       .producer_epoch = -1,
				       .base_sequence = -1,
				       .record_count = 1,
			       });
	ck_assert_int_eq(peer_produce(peer, name, 0, big, n)->error_code,
			 KLAMM_ERR_RECORD_LIST_TOO_LARGE);
	free(big);
}
END_TEST

/* --- acks --- */

static void make_produce(struct kl_produce_request *request,
			 struct kl_produce_request_topic *at,
			 struct kl_produce_request_partition *to, int16_t acks)
{
	kl_msg_init(&kl_msg_produce_request, request);
	request->transactional_id = KL_STR_NULL;
	request->acks = acks;
	request->timeout_ms = 5000;
	*at = (struct kl_produce_request_topic){
		.name = kl_str(topic), .partition_data = to, .partition_data_n = 1};
	request->topic_data = at;
	request->topic_data_n = 1;
}

START_TEST(obeys_acks)
{
	struct peer_batch b;
	peer_batch(&b, 1, now_ms());
	struct kl_produce_request_partition to = {.records = {b.data, (int32_t)b.len}};
	struct kl_produce_request_topic at;
	struct kl_produce_request request;
	make_produce(&request, &at, &to, 2);
	struct kl_produce_response *r = PEER_CALL(peer, produce, 9, &request);
	ck_assert_int_eq(r->responses[0].partition_responses[0].error_code,
			 KLAMM_ERR_INVALID_REQUIRED_ACKS);
	/* 0: no answer; the next one is that of the next request. */
	make_produce(&request, &at, &to, 0);
	peer_ask(peer, &kl_msg_produce_request, 9, &request);
	make_produce(&request, &at, &to, 1);
	r = PEER_CALL(peer, produce, 9, &request);
	ck_assert_int_eq(r->responses[0].partition_responses[0].error_code, 0);
	ck_assert_int_eq(r->responses[0].partition_responses[0].base_offset, 1);
	/* 0 and an error: the connection ends. */
	make_produce(&request, &at, &to, 0);
	at.name = KL_STR("no-such");
	peer_ask(peer, &kl_msg_produce_request, 9, &request);
	ck_assert(peer_is_closed(peer));
}
END_TEST

START_TEST(recognises_a_repeated_batch)
{
	struct kl_init_producer_id_request ask;
	kl_msg_init(&kl_msg_init_producer_id_request, &ask);
	ask.transactional_id = KL_STR_NULL;
	struct kl_init_producer_id_response *id;
	while ((id = PEER_CALL(peer, init_producer_id, 4, &ask))->error_code ==
	       KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS)
		usleep(20000); /* Kafka's first time */
	ck_assert_int_eq(id->error_code, 0);
	int64_t producer = id->producer_id;
	int16_t epoch = id->producer_epoch;
	struct peer_batch b;
	for (int i = 0; i < 3; i++) {
		peer_batch_from(&b, 2, producer, epoch, 0);
		struct kl_produce_response_partition *r =
			peer_produce(peer, topic, 0, b.data, b.len);
		ck_assert_int_eq(r->error_code, 0);
		ck_assert_int_eq(r->base_offset, 0);
	}
	peer_batch_from(&b, 2, producer, epoch, 5);
	ck_assert_int_eq(put_error(&b), KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	peer_batch_from(&b, 2, producer, epoch, 2);
	ck_assert_int_eq(peer_produce(peer, topic, 0, b.data, b.len)->base_offset, 2);
	ck_assert_int_eq(peer_fetch(peer, topic, 0, 0)->high_watermark, 4);
}
END_TEST

/* --- by topic id --- */

START_TEST(knows_topic_ids)
{
	struct klamm_uuid id = peer_topic_id(topic);
	struct peer_batch b;
	peer_batch(&b, 1, now_ms());
	struct kl_produce_request_partition to = {.records = {b.data, (int32_t)b.len}};
	struct kl_produce_request_topic at;
	struct kl_produce_request request;
	make_produce(&request, &at, &to, 1);
	at.name = KL_STR("");
	at.topic_id = id;
	struct kl_produce_response *r = PEER_CALL(peer, produce, 13, &request);
	ck_assert_int_eq(r->responses[0].partition_responses[0].error_code, 0);
	at.topic_id.bytes[3] ^= 1;
	r = PEER_CALL(peer, produce, 13, &request);
	ck_assert_int_eq(r->responses[0].partition_responses[0].error_code,
			 KLAMM_ERR_UNKNOWN_TOPIC_ID);
	struct kl_fetch_request_partition from;
	kl_type_init(&kl_type_fetch_request_partition, &from);
	from.partition_max_bytes = 1000;
	struct kl_fetch_request_topic of = {
		.topic_id = id, .partitions = &from, .partitions_n = 1};
	struct kl_fetch_request fetch;
	kl_msg_init(&kl_msg_fetch_request, &fetch);
	fetch.max_bytes = 1000;
	fetch.session_epoch = -1;
	fetch.topics = &of;
	fetch.topics_n = 1;
	struct kl_fetch_response *f = PEER_CALL(peer, fetch, 17, &fetch);
	ck_assert_int_eq(f->responses[0].partitions[0].error_code, 0);
	ck_assert_int_gt(f->responses[0].partitions[0].records.len, 0);
	of.topic_id.bytes[3] ^= 1;
	f = PEER_CALL(peer, fetch, 17, &fetch);
	ck_assert_int_eq(f->responses[0].partitions[0].error_code,
			 KLAMM_ERR_UNKNOWN_TOPIC_ID);
}
END_TEST

/* --- waiting --- */

static void ask_limited(struct peer *p, int64_t offset, int32_t wait_ms, int32_t min_bytes,
			int32_t max_bytes, int32_t epoch)
{
	struct kl_fetch_request_partition from[2];
	for (int i = 0; i < 2; i++) {
		kl_type_init(&kl_type_fetch_request_partition, &from[i]);
		from[i].partition = i;
		from[i].partition_max_bytes = 1 << 20;
	}
	from[0].fetch_offset = offset;
	struct kl_fetch_request_topic at = {
		.topic = kl_str(topic), .partitions = from, .partitions_n = 2};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_wait_ms = wait_ms;
	request.min_bytes = min_bytes;
	request.max_bytes = max_bytes;
	request.session_epoch = epoch;
	request.topics = &at;
	request.topics_n = 1;
	peer_ask(p, &kl_msg_fetch_request, 12, &request);
}

static void ask_fetch(struct peer *p, int64_t offset, int32_t wait_ms, int32_t min_bytes,
		      int32_t epoch)
{
	ask_limited(p, offset, wait_ms, min_bytes, 1 << 20, epoch);
}

START_TEST(waits_for_records)
{
	struct peer *waiter = peer_open();
	ask_fetch(waiter, 0, 15000, 1, 0);
	ck_assert(peer_is_silent(waiter, 100));
	put(1, now_ms());
	struct kl_fetch_response *r = peer_read(waiter, &kl_msg_fetch_response, 12);
	ck_assert_int_gt(r->responses[0].partitions[0].records.len, 0);
	ck_assert_int_eq(r->responses[0].partitions_n, 2);
	/* More than one batch has. */
	ask_fetch(waiter, 1, 15000, 200, 0);
	put(1, now_ms());
	ck_assert(peer_is_silent(waiter, 50));
	put(5, now_ms());
	put(5, now_ms());
	r = peer_read(waiter, &kl_msg_fetch_response, 12);
	ck_assert_int_ge(r->responses[0].partitions[0].records.len, 200);
	/* The time is over. */
	ask_fetch(waiter, 12, 1500, 1, 0);
	ck_assert(peer_is_silent(waiter, 50));
	r = peer_read(waiter, &kl_msg_fetch_response, 12);
	ck_assert_int_eq(r->responses[0].partitions[0].records.len, 0);
	/* One request of a connection after the other. */
	ask_fetch(waiter, 12, 100, 1, 0);
	ask_fetch(waiter, 0, 0, 1, 0);
	r = peer_read(waiter, &kl_msg_fetch_response, 12);
	ck_assert_int_eq(r->responses[0].partitions[0].records.len, 0);
	r = peer_read(waiter, &kl_msg_fetch_response, 12);
	ck_assert_int_gt(r->responses[0].partitions[0].records.len, 0);
	peer_close(waiter);
}
END_TEST

START_TEST(waits_for_no_more_than_it_may_send)
{
	put(5, now_ms());
	ask_limited(peer, 0, 60000, 1 << 20, 50, 0);
	struct kl_fetch_response *r = peer_read(peer, &kl_msg_fetch_response, 12);
	ck_assert_int_gt(r->responses[0].partitions[0].records.len, 0);
}
END_TEST

START_TEST(forgets_waiters_that_go)
{
	for (int i = 0; i < 20; i++) {
		struct peer *waiter = peer_open();
		ask_fetch(waiter, 0, 60000, 1, 0);
		peer_close(waiter);
	}
	put(1, now_ms());
	ck_assert_int_gt(peer_fetch(peer, topic, 0, 0)->records.len, 0);
}
END_TEST

START_TEST(divides_the_answer)
{
	struct peer_batch b;
	peer_batch(&b, 500, now_ms());
	for (int i = 0; i < 4; i++)
		for (int partition = 0; partition < 2; partition++)
			ck_assert_int_eq(
				peer_produce(peer, topic, partition, b.data, b.len)
					->error_code,
				0);
	struct kl_fetch_request_partition from[2];
	for (int i = 0; i < 2; i++) {
		kl_type_init(&kl_type_fetch_request_partition, &from[i]);
		from[i].partition = i;
		from[i].partition_max_bytes = 100; /* less than a batch */
	}
	struct kl_fetch_request_topic at = {
		.topic = kl_str(topic), .partitions = from, .partitions_n = 2};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_bytes = 1 << 20;
	request.session_epoch = -1;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_fetch_response *r = PEER_CALL(peer, fetch, 12, &request);
	/* The first batch of the first partition comes whole (KIP-74), no other does. */
	ck_assert_int_eq(r->responses[0].partitions[0].records.len, (int)b.len);
	ck_assert_int_lt(r->responses[0].partitions[1].records.len, (int)b.len);
	from[0].partition_max_bytes = from[1].partition_max_bytes = 1 << 20;
	request.max_bytes = (int32_t)(3 * b.len);
	r = PEER_CALL(peer, fetch, 12, &request);
	int64_t total = 0;
	for (int i = 0; i < 2; i++)
		total += r->responses[0].partitions[i].records.len;
	ck_assert_int_le(total, (int64_t)(3 * b.len));
	ck_assert_int_ge(total, (int64_t)(2 * b.len));
}
END_TEST

/* --- ListOffsets --- */

static struct kl_list_offsets_response_partition *list(int version, int64_t timestamp)
{
	struct kl_list_offsets_request_partition of;
	kl_type_init(&kl_type_list_offsets_request_partition, &of);
	of.timestamp = timestamp;
	of.max_num_offsets = 10;
	if (version > 0)
		of.max_num_offsets = 1;
	struct kl_list_offsets_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_list_offsets_request request;
	kl_msg_init(&kl_msg_list_offsets_request, &request);
	request.replica_id = -1;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_list_offsets_response *r =
		PEER_CALL(peer, list_offsets, version, &request);
	return &r->topics[0].partitions[0];
}

START_TEST(lists_offsets)
{
	struct kl_list_offsets_response_partition *r = list(7, -1);
	ck_assert(r->offset == 0 && r->timestamp == -1 && r->leader_epoch == 0);
	r = list(7, -3);
	ck_assert(r->offset == -1 && r->timestamp == -1);
	int64_t now = now_ms();
	put(5, now);
	put(5, now + 100);
	put(5, now - 1000);
	for (int version = 1; version <= 11; version++) {
		r = list(version, -1);
		ck_assert(r->error_code == 0 && r->offset == 15 && r->timestamp == -1);
		r = list(version, -2);
		ck_assert(r->offset == 0 && r->timestamp == -1);
		r = list(version, now + 3);
		ck_assert(r->offset == 3 && r->timestamp == now + 3);
		r = list(version, now + 50);
		ck_assert(r->offset == 5 && r->timestamp == now + 100);
		r = list(version, now + 5000);
		ck_assert(r->offset == -1 && r->timestamp == -1);
		ck_assert_int_eq(r->leader_epoch, -1);
	}
	r = list(7, -3);
	ck_assert(r->offset == 9 && r->timestamp == now + 104 && r->leader_epoch == 0);
	r = list(8, -4);
	ck_assert(r->error_code == 0 && r->offset == 0);
	r = list(9, -5);
	ck_assert(r->error_code == 0 && r->offset == -1 && r->leader_epoch == -1);
	r = list(11, -6);
	ck_assert(r->error_code == 0 && r->offset == -1 && r->leader_epoch == -1);
}
END_TEST

/* It is told of that, and once; the others are answered. */
START_TEST(refuses_what_is_asked_for_twice)
{
	static const int32_t asked[] = {1, 0, 1, 1};
	struct kl_list_offsets_request_partition of[kl_countof(asked)];
	for (size_t i = 0; i < kl_countof(asked); i++) {
		kl_type_init(&kl_type_list_offsets_request_partition, &of[i]);
		of[i].partition_index = asked[i];
		of[i].timestamp = -1;
		of[i].max_num_offsets = 1;
	}
	struct kl_list_offsets_request_topic at = {
		.name = kl_str(topic), .partitions = of, .partitions_n = kl_countof(asked)};
	struct kl_list_offsets_request request;
	kl_msg_init(&kl_msg_list_offsets_request, &request);
	request.replica_id = -1;
	request.topics = &at;
	request.topics_n = 1;
	const struct kl_list_offsets_response *r =
		PEER_CALL(peer, list_offsets, _i == 0 ? 1 : 11, &request);
	ck_assert_int_eq(r->topics_n, 1);
	ck_assert_int_eq(r->topics[0].partitions_n, 2);
	for (int i = 0; i < 2; i++) { /* Kafka has them in any order */
		const struct kl_list_offsets_response_partition *told =
			&r->topics[0].partitions[i];
		bool twice = told->partition_index == 1;
		ck_assert_int_eq(told->offset, twice ? -1 : 0);
		ck_assert_int_eq(told->error_code, twice ? KLAMM_ERR_INVALID_REQUEST : 0);
	}
}
END_TEST

/* What a version does not know, and what no version does. */
START_TEST(knows_special_times)
{
	static const struct {
		int version;
		int64_t timestamp;
	} rows[] = {{6, -3}, {7, -4}, {8, -5}, {10, -6}, {11, -7}, {11, INT64_MIN}};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		struct kl_list_offsets_response_partition *r =
			list(rows[i].version, rows[i].timestamp);
		ck_assert_int_eq(r->error_code, KLAMM_ERR_UNSUPPORTED_VERSION);
		ck_assert_int_eq(r->offset, -1);
	}
}
END_TEST

static struct kl_dev_partition *partition_0(void)
{
	return kl_dev_partition(kl_dev_topic_named(peer_broker, kl_str(topic)), 0);
}

static void run_lead(void *arg)
{
	*(int *)arg = kl_dev_partition_lead(peer_broker, partition_0(), 1);
}

static void run_high(void *arg)
{
	partition_0()->log.high = *(const int64_t *)arg;
}

/* A new leader that does not know yet that its predecessor's records are safe (KIP-207). */
START_TEST(knows_when_it_does_not_know)
{
	int64_t now = now_ms(), high = 3;
	put(3, now);
	put(3, now + 100);
	int rc = -1;
	kl_loop_call(peer_broker->loop, run_lead, &rc);
	ck_assert_int_eq(rc, 0);
	kl_loop_call(peer_broker->loop, run_high, &high);
	ck_assert_int_eq(list(5, -1)->error_code, KLAMM_ERR_OFFSET_NOT_AVAILABLE);
	ck_assert_int_eq(list(4, -1)->error_code, KLAMM_ERR_LEADER_NOT_AVAILABLE);
	ck_assert_int_eq(list(5, now + 100)->error_code, KLAMM_ERR_OFFSET_NOT_AVAILABLE);
	ck_assert_int_eq(list(5, now + 1)->offset, 1);
	ck_assert_int_eq(list(5, -2)->offset, 0);
	high = 6;
	kl_loop_call(peer_broker->loop, run_high, &high);
	ck_assert_int_eq(list(5, -1)->offset, 6);
}
END_TEST

START_TEST(lists_offsets_as_of_old)
{
	struct klamm_error err;
	put(5, now_ms());
	ck_assert_int_eq(
		klamm_broker_limit_api(peer_broker, KL_API_LIST_OFFSETS, 0, 0, &err), 0);
	struct kl_list_offsets_response_partition *r = list(0, -1);
	ck_assert_int_eq(r->old_style_offsets_n, 2);
	ck_assert_int_eq(r->old_style_offsets[0], 5);
	ck_assert_int_eq(r->old_style_offsets[1], 0);
	r = list(0, -2);
	ck_assert_int_eq(r->old_style_offsets_n, 1);
	ck_assert_int_eq(r->old_style_offsets[0], 0);
}
END_TEST

START_TEST(deletes_records)
{
	put(5, now_ms());
	put(5, now_ms());
	struct kl_delete_records_request_partition of = {.offset = 7};
	struct kl_delete_records_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_delete_records_request request;
	kl_msg_init(&kl_msg_delete_records_request, &request);
	request.topics = &at;
	request.topics_n = 1;
	request.timeout_ms = 5000;
	struct kl_delete_records_response *r =
		PEER_CALL(peer, delete_records, 2, &request);
	ck_assert_int_eq(r->topics[0].partitions[0].error_code, 0);
	ck_assert_int_eq(r->topics[0].partitions[0].low_watermark, 7);
	ck_assert_int_eq(list(7, -2)->offset, 7);
	ck_assert_int_eq(peer_fetch(peer, topic, 0, 6)->error_code,
			 KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(peer_fetch(peer, topic, 0, 7)->log_start_offset, 7);
	of.offset = 11;
	r = PEER_CALL(peer, delete_records, 2, &request);
	ck_assert_int_eq(r->topics[0].partitions[0].error_code,
			 KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	of.offset = -1;
	r = PEER_CALL(peer, delete_records, 2, &request);
	ck_assert_int_eq(r->topics[0].partitions[0].low_watermark, 10);
}
END_TEST

START_TEST(deletes_none_of_a_compacted_topic)
{
	static const char *const policies[] = {"compact", "compact,delete"};
	for (int i = 0; i < 2; i++) {
		const char *const settings[] = {"cleanup.policy", policies[i], NULL};
		const char *name = peer_topic();
		peer_create_with(name, 1, settings);
		struct kl_delete_records_request_partition of = {.offset = -1};
		struct kl_delete_records_request_topic at = {
			.name = kl_str(name), .partitions = &of, .partitions_n = 1};
		struct kl_delete_records_request request;
		kl_msg_init(&kl_msg_delete_records_request, &request);
		request.topics = &at;
		request.topics_n = 1;
		request.timeout_ms = 5000;
		struct kl_delete_records_response *r =
			PEER_CALL(peer, delete_records, 2, &request);
		ck_assert_int_eq(r->topics[0].partitions[0].error_code,
				 i == 0 ? KLAMM_ERR_POLICY_VIOLATION : 0);
		ck_assert_int_eq(r->topics[0].partitions[0].low_watermark,
				 i == 0 ? -1 : 0);
	}
}
END_TEST

/* --- memory --- */

START_TEST(ends_with_its_memory)
{
	struct klamm_error err;
	peer_start_with((struct klamm_broker_options){.memory_max = 1 << 20});
	topic = "full";
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, topic, 1, &err), 0);
	peer = peer_open();
	struct peer_batch b;
	peer_batch(&b, 500, now_ms());
	int error = 0, taken = 0;
	for (; error == 0 && taken < 1000; taken += error == 0)
		error = put_error(&b);
	ck_assert_int_eq(error, KLAMM_ERR_KAFKA_STORAGE_ERROR);
	ck_assert_int_gt(taken, 50);
	/* What is there stays; another topic has nothing left, either. */
	ck_assert_int_eq(peer_fetch(peer, topic, 0, 0)->high_watermark, 500 * taken);
	down();
}
END_TEST

UNIT_SUITE(records)
{
	Suite *s = suite_create("records");
	unit_add_fixture(s, takes_and_gives, up, down);
	unit_add_fixture(s, refuses_bad_batches, up, down);
	unit_add_fixture(s, corrects_newest_time, up, down);
	unit_add_fixture(s, puts_append_time_right, up, down);
	unit_add_fixture(s, takes_no_more_than_allowed, up, down);
	unit_add_fixture(s, obeys_acks, up, down);
	unit_add_fixture(s, recognises_a_repeated_batch, up, down);
	unit_add_fixture(s, knows_topic_ids, up, down);
	unit_add_fixture(s, waits_for_records, up, down);
	unit_add_fixture(s, waits_for_no_more_than_it_may_send, up, down);
	unit_add_fixture(s, forgets_waiters_that_go, up, down);
	unit_add_fixture(s, divides_the_answer, up, down);
	unit_add_fixture(s, lists_offsets, up, down);
	unit_add_fixture(s, knows_special_times, up, down);
	unit_add_case(s, "refuses_what_is_asked_for_twice", refuses_what_is_asked_for_twice,
		      up, down, 2);
	unit_add_fixture(s, deletes_records, up, down);
	unit_add_fixture(s, deletes_none_of_a_compacted_topic, up, down);
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, takes_no_batch_beyond_a_segment, up, down);
	unit_add_fixture(s, knows_when_it_does_not_know, up, down);
	unit_add_fixture(s, lists_offsets_as_of_old, up, down);
	unit_add_fixture(s, refuses_a_bomb, up, down);
	unit_add(s, ends_with_its_memory);
	return s;
}
