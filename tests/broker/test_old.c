/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker as one from before 0.11: messages v0 and v1 in Produce 0-2 and Fetch 0-3. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/sink.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"
#include "core/record/legacy_write.h"
#include "tests/broker/peer.h"

static struct peer *peer;
static const char *topic;

static void limit(int api, int min, int max)
{
	struct klamm_error err;
	ck_assert_int_eq(klamm_broker_limit_api(peer_broker, api, min, max, &err), 0);
}

static void up(void)
{
	peer_start();
	limit(KL_API_PRODUCE, 0, 13);
	limit(KL_API_FETCH, 0, 18);
	topic = peer_topic();
	peer_create(topic, 1);
	peer = peer_open();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

static struct kl_produce_response_partition *produce(int version, const void *p, size_t n)
{
	struct kl_produce_request_partition to = {.records = {p, (int32_t)n}};
	struct kl_produce_request_topic at = {
		.name = kl_str(topic), .partition_data = &to, .partition_data_n = 1};
	struct kl_produce_request request;
	kl_msg_init(&kl_msg_produce_request, &request);
	request.acks = 1;
	request.timeout_ms = 1000;
	request.topic_data = &at;
	request.topic_data_n = 1;
	return PEER_CALL(peer, produce, version, &request)->responses[0].partition_responses;
}

static struct kl_fetch_response_partition *fetch(int version, int64_t offset)
{
	struct kl_fetch_request_partition from;
	kl_type_init(&kl_type_fetch_request_partition, &from);
	from.fetch_offset = offset;
	from.partition_max_bytes = 1 << 20;
	struct kl_fetch_request_topic at = {
		.topic = kl_str(topic), .partitions = &from, .partitions_n = 1};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.topics = &at;
	request.topics_n = 1;
	return PEER_CALL(peer, fetch, version, &request)->responses[0].partitions;
}

/* Records "value-0", ... from 1700000000000 on, as messages; where the codec is not 0 with one
 * around them that holds what is `packed`. */
static struct kl_sink messages(int magic, int count, int codec, const char *packed)
{
	struct klamm_error err;
	struct peer_batch b;
	struct kl_batch_head head;
	struct kl_sink sink;
	kl_sink_init(&sink, 0, NULL);
	peer_batch(&b, count, 1700000000000);
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KL_BATCH_WHOLE);
	if (codec == 0) {
		ck_assert_int_eq(kl_legacy_write(&head, kl_batch_records(b.data, &head),
						 (int8_t)magic, KL_LEGACY_PLAIN, &sink.out,
						 &err), 0);
		return sink;
	}
	size_t n;
	uint8_t *bytes = unit_hex(packed, &n);
	struct klamm_span span = {bytes, n};
	ck_assert_int_eq(kl_legacy_wrap(&head, (int8_t)magic, codec, span, &sink.out, &err),
			 0);
	free(bytes);
	return sink;
}

/* What a consumer of this version of Fetch sees from an offset on. */
static void check_read(int version, int64_t offset, int count, bool has_times)
{
	struct kl_fetch_response_partition *r = fetch(version, offset);
	ck_assert_int_eq(r->error_code, 0);
	struct kl_batch_head head;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int found = kl_batch_peek(r->records.p, (size_t)r->records.len, &head);
	ck_assert_int_eq(found, version < 4 ? KL_BATCH_OLD : KL_BATCH_WHOLE);
	ck_assert_int_eq(head.magic, version < 2 ? 0 : version < 4 ? 1 : 2);
	ck_assert(kl_batch_check_crc(r->records.p, &head));
	kl_record_iter_init(&iter, &head, kl_batch_records(r->records.p, &head), offset);
	for (int i = 0; i < count; i++) {
		char value[24];
		snprintf(value, sizeof(value), "value-%d", i);
		ck_assert_int_eq(kl_record_next(&iter, &view), 1);
		ck_assert_int_eq(view.offset, offset + i);
		ck_assert_uint_eq(view.value.len, strlen(value));
		ck_assert_mem_eq(view.value.data, value, view.value.len);
		ck_assert_int_eq(view.timestamp_ms,
				 has_times && version >= 2 ? 1700000000000 + i : -1);
	}
}

START_TEST(messages_go_in_and_come_out)
{
	int64_t at = 0;
	for (int version = 0; version <= 2; version++)
		for (int magic = 0; magic <= (version == 2); magic++, at += 3) {
			struct kl_sink sink = messages(magic, 3, 0, NULL);
			struct kl_produce_response_partition *r =
				produce(version, sink.out.data, sink.out.len);
			ck_assert_int_eq(r->error_code, 0);
			ck_assert_int_eq(r->base_offset, at);
			kl_sink_free(&sink);
			for (int f = 0; f <= 5; f++)
				check_read(f, at, 3, magic == 1);
		}
}
END_TEST

/* Batches are messages for those who know no better, their headers left out. */
START_TEST(batches_come_out_as_messages)
{
	struct peer_batch b;
	peer_batch(&b, 4, 1700000000000);
	ck_assert_int_eq(peer_produce(peer, topic, 0, b.data, b.len)->error_code, 0);
	for (int version = 0; version <= 4; version++) {
		check_read(version, 0, 4, true);
		struct kl_fetch_response_partition *r = fetch(version, 4);
		ck_assert_int_eq(r->error_code, 0);
		ck_assert_int_eq(r->records.len, 0);
		ck_assert_int_eq(fetch(version, 5)->error_code, KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	}
}
END_TEST

/* zstd is a codec that no old client has. */
START_TEST(batches_of_zstd_do_not)
{
	struct peer_batch b;
	peer_batch(&b, 1, 1700000000000);
	struct kl_batch_head head;
	kl_batch_head_get(b.data, &head);
	head.attributes = 4;
	kl_batch_head_put(b.data, &head);
	kl_batch_stamp(b.data, -1, -1, -1,
		       kl_batch_body_crc(b.data + KL_BATCH_HEAD, b.len - KL_BATCH_HEAD));
	ck_assert_int_eq(peer_produce(peer, topic, 0, b.data, b.len)->error_code, 0);
	for (int version = 0; version < 4; version++) {
		struct kl_fetch_response_partition *r = fetch(version, 0);
		ck_assert_int_eq(r->error_code, KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE);
		ck_assert_int_eq(r->records.len, 0);
	}
}
END_TEST

/* Versions, formats, and what is inside of a message: the frame of an empty content. */
static const struct {
	int version, magic, codec;
	const char *packed;
	int error;
} packs[] = {
	{1, 1, 0, NULL, KLAMM_ERR_CORRUPT_MESSAGE}, /* a format that came with version 2 */
	{2, 1, 4, "28b52ffd", KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE},
	{1, 0, 5, "00", KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE},
	{1, 0, 1, "1f8b", KLAMM_ERR_CORRUPT_MESSAGE},
	{2, 1, 2, "ff", KLAMM_ERR_CORRUPT_MESSAGE},
	/* Nothing inside: the frames are good, */
	{2, 1, 3, "04224d1860408200000000", KLAMM_ERR_CORRUPT_MESSAGE},
	/* and this one would be in v1. */
	{1, 0, 3, "04224d1860408200000000", KLAMM_ERR_CORRUPT_MESSAGE},
};

START_TEST(what_is_wrong_inside_is_refused)
{
	struct kl_sink sink =
		messages(packs[_i].magic, 2, packs[_i].codec, packs[_i].packed);
	struct kl_produce_response_partition *r =
		produce(packs[_i].version, sink.out.data, sink.out.len);
	ck_assert_int_eq(r->error_code, packs[_i].error);
	ck_assert_int_eq(r->base_offset, -1);
	kl_sink_free(&sink);
}
END_TEST

START_TEST(damage_is_refused)
{
	struct kl_sink sink = messages(1, 2, 0, NULL);
	struct peer_batch b;
	peer_batch(&b, 1, 1700000000000);
	ck_assert_int_eq(produce(2, b.data, b.len)->error_code, KLAMM_ERR_CORRUPT_MESSAGE);
	ck_assert_int_eq(produce(2, "", 0)->error_code, KLAMM_ERR_CORRUPT_MESSAGE);
	/* What is cut at the end is left out. */
	ck_assert_int_eq(produce(2, sink.out.data, sink.out.len - 1)->error_code, 0);
	check_read(2, 0, 1, true);
	ck_assert_int_eq(fetch(2, 1)->records.len, 0);
	sink.out.data[sink.out.len - 1] ^= 1;
	ck_assert_int_eq(produce(2, sink.out.data, sink.out.len)->error_code,
			 KLAMM_ERR_CORRUPT_MESSAGE);
	kl_sink_free(&sink);
}
END_TEST

START_TEST(large_messages_are_refused)
{
	static const char *const settings[] = {"max.message.bytes", "100", NULL};
	const char *name = peer_topic();
	peer_create_with(name, 1, settings);
	topic = name;
	struct kl_sink sink = messages(0, 20, 0, NULL);
	ck_assert_uint_gt(sink.out.len, 100); /* each is smaller */
	ck_assert_int_eq(produce(1, sink.out.data, sink.out.len)->error_code, 0);
	kl_sink_free(&sink);
	kl_sink_init(&sink, 0, NULL);
	struct klamm_error err;
	static const char value[101];
	ck_assert_int_eq(kl_legacy_wrap(&(struct kl_batch_head){.magic = 2}, 0, 0,
					(struct klamm_span){value, sizeof(value)}, &sink.out,
					&err), 0);
	ck_assert_int_eq(produce(1, sink.out.data, sink.out.len)->error_code,
			 KLAMM_ERR_MESSAGE_TOO_LARGE);
	kl_sink_free(&sink);
}
END_TEST

/* A broker without an API closes on it, and answers first what came before. */
START_TEST(what_came_before_is_answered)
{
	struct kl_metadata_request ask;
	struct kl_api_versions_request versions;
	limit(KL_API_API_VERSIONS, 1, 0);
	kl_msg_init(&kl_msg_metadata_request, &ask);
	kl_msg_init(&kl_msg_api_versions_request, &versions);
	for (int i = 0; i < 3; i++)
		peer_ask(peer, &kl_msg_metadata_request, 1, &ask);
	peer_ask(peer, &kl_msg_api_versions_request, 0, &versions);
	peer_ask(peer, &kl_msg_metadata_request, 1, &ask);
	for (int i = 0; i < 3; i++)
		peer_read(peer, &kl_msg_metadata_response, 1);
	ck_assert(peer_is_closed(peer));
}
END_TEST

UNIT_SUITE(old)
{
	Suite *s = suite_create("old");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, messages_go_in_and_come_out, up, down);
	unit_add_fixture(s, batches_come_out_as_messages, up, down);
	unit_add_fixture(s, batches_of_zstd_do_not, up, down);
	unit_add_case(s, "what_is_wrong_inside_is_refused", what_is_wrong_inside_is_refused,
		      up, down, (int)kl_countof(packs));
	unit_add_fixture(s, damage_is_refused, up, down);
	unit_add_fixture(s, large_messages_are_refused, up, down);
	unit_add_fixture(s, what_came_before_is_answered, up, down);
	return s;
}
