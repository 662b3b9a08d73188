/* SPDX-License-Identifier: BSD-2-Clause */
/* What may and what may not be encoded, and bytes worked out by hand. */
#include "core/proto/gen/messages.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

static struct klamm_error err;

static void check_bytes(const struct kl_msg *msg, int version, const void *obj,
			const char *hex)
{
	struct kl_buf buf = {0};
	ck_assert_msg(kl_msg_encode(msg, version, obj, &buf, &err) == 0, "%s", err.text);
	unit_check_hex(buf.data, buf.len, hex);
	kl_buf_free(&buf);
}

static void check_refused(const struct kl_msg *msg, int version, const void *obj, int code,
			  const char *text)
{
	struct kl_buf buf = {0};
	kl_buf_put(&buf, "before", 6);
	ck_assert_int_eq(kl_msg_encode(msg, version, obj, &buf, &err), code);
	ck_assert_str_eq(err.text, text);
	ck_assert_int_eq(err.code, code);
	ck_assert_uint_eq(buf.len, 6);
	kl_buf_free(&buf);
}

START_TEST(metadata_request_bytes)
{
	struct kl_metadata_request_topic topic;
	kl_type_init(&kl_type_metadata_request_topic, &topic);
	topic.name = KL_STR("t1");
	struct kl_metadata_request req;
	kl_msg_init(&kl_msg_metadata_request, &req);
	req.topics = &topic;
	req.topics_n = 1;
	check_bytes(&kl_msg_metadata_request, 0, &req, "00000001 0002 7431");
	check_bytes(&kl_msg_metadata_request, 4, &req, "00000001 0002 7431 01");
	check_bytes(&kl_msg_metadata_request, 9, &req, "02 03 7431 00 01 00 00 00");
	check_bytes(&kl_msg_metadata_request, 12, &req,
		    "02 00000000000000000000000000000000 03 7431 00 01 00 00");
	req.topics_n = -1; /* all of them */
	check_bytes(&kl_msg_metadata_request, 4, &req, "ffffffff 01");
	check_bytes(&kl_msg_metadata_request, 12, &req, "00 01 00 00");
	check_refused(&kl_msg_metadata_request, 0, &req, KLAMM_ERR_INVALID_ARGUMENT,
		      "MetadataRequest version 0: Topics of MetadataRequest is null, which "
		      "this version cannot say");
}
END_TEST

START_TEST(missing_fields)
{
	struct kl_fetch_request req;
	kl_msg_init(&kl_msg_fetch_request, &req);
	req.rack_id = KL_STR("eu-1"); /* ignorable */
	check_bytes(&kl_msg_fetch_request, 0, &req, "ffffffff 00000000 00000000 00000000");

	struct kl_produce_request produce;
	kl_msg_init(&kl_msg_produce_request, &produce);
	produce.transactional_id = KL_STR("tx");
	check_refused(&kl_msg_produce_request, 2, &produce, KLAMM_ERR_UNSUPPORTED,
		      "ProduceRequest version 2 has no TransactionalId in ProduceRequest");
	check_refused(&kl_msg_produce_request, 14, &produce, KLAMM_ERR_UNSUPPORTED,
		      "ProduceRequest has no version 14");
}
END_TEST

START_TEST(limits)
{
	static char text[INT16_MAX + 1];
	struct kl_find_coordinator_request req;
	kl_msg_init(&kl_msg_find_coordinator_request, &req);
	req.key = (struct kl_str){text, INT16_MAX + 1};
	check_refused(&kl_msg_find_coordinator_request, 3, &req, KLAMM_ERR_INVALID_ARGUMENT,
		      "FindCoordinatorRequest version 3: Key of FindCoordinatorRequest is "
		      "longer than 32767 bytes");
	req.key = KL_STR_NULL;
	ck_assert_int_eq(kl_msg_encode(&kl_msg_find_coordinator_request, 0, &req,
				       &(struct kl_buf){0}, NULL), KLAMM_ERR_INVALID_ARGUMENT);
	struct kl_buf small = {.max = 8};
	req.key = KL_STR("longer than eight");
	ck_assert_int_eq(kl_msg_encode(&kl_msg_find_coordinator_request, 0, &req, &small,
				       NULL),
			 KLAMM_ERR_NO_MEMORY);
	kl_buf_free(&small);
}
END_TEST

/* Known and unknown tags in one ascending section; a value longer than 127 bytes gets a size
 * of two bytes. */
START_TEST(tags)
{
	struct {
		struct kl_tags head;
		struct kl_tag room[2];
	} unknown = {.head.n = 2};
	unknown.head.list[0] = (struct kl_tag){5, {(const uint8_t *)"xy", 2}};
	unknown.head.list[1] = (struct kl_tag){300, {NULL, 0}};
	struct kl_api_versions_response res;
	kl_msg_init(&kl_msg_api_versions_response, &res);
	res.tags = &unknown.head;
	check_bytes(&kl_msg_api_versions_response, 3, &res,
		    "0000 01 00000000 02 05 02 7879 ac02 00");
	res.finalized_features_epoch = 7;
	check_bytes(&kl_msg_api_versions_response, 3, &res,
		    "0000 01 00000000 03 01 08 0000000000000007 05 02 7879 ac02 00");

	unknown.head.list[0].tag = 1; /* known */
	check_refused(&kl_msg_api_versions_response, 3, &res, KLAMM_ERR_INVALID_ARGUMENT,
		      "ApiVersionsResponse version 3: tag 1 of ApiVersionsResponse is out "
		      "of order or not unknown");
	check_refused(&kl_msg_api_versions_response, 0, &res, KLAMM_ERR_UNSUPPORTED,
		      "ApiVersionsResponse version 0 has no tagged fields, as "
		      "ApiVersionsResponse carries");

	static char name[200];
	memset(name, 'n', sizeof(name));
	struct kl_api_versions_response_supported_feature feature;
	kl_type_init(&kl_type_api_versions_response_supported_feature, &feature);
	feature.name = (struct kl_str){name, sizeof(name)};
	kl_msg_init(&kl_msg_api_versions_response, &res);
	res.supported_features = &feature;
	res.supported_features_n = 1;
	struct kl_buf buf = {0};
	ck_assert_int_eq(kl_msg_encode(&kl_msg_api_versions_response, 3, &res, &buf, NULL), 0);
	/* count 1, tag 0, size 208 = d0 01, one element, length 200 + 1 = c9 01 */
	unit_check_hex(buf.data + 7, 8, "01 00 d001 02 c901 6e");
	ck_assert_uint_eq(buf.len, 11 + 208);
	kl_buf_free(&buf);
}
END_TEST

static struct kl_consumer_group_member_metadata_value *read_about(struct kl_arena *arena,
								  const char *hex)
{
	struct kl_consumer_group_member_metadata_value *about;
	size_t n;
	uint8_t *bytes = unit_hex(hex, &n);
	struct kl_reader r = kl_reader(bytes, n);
	int rc = kl_msg_decode(&kl_msg_consumer_group_member_metadata_value, 0, &r, arena,
			       (void **)&about, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_uint_eq(kl_reader_left(&r), 0);
	free(bytes); /* only texts point there */
	return about;
}

/* A struct in a tag that may be null: what is left out is the empty one, null is said. */
START_TEST(null_in_a_tag)
{
#define BEFORE "01 01 01 01 01 01 ffffffff 01 "
	const struct kl_msg *msg = &kl_msg_consumer_group_member_metadata_value;
	struct kl_consumer_group_member_metadata_value about;
	struct kl_consumer_group_member_metadata_value_classic classic;
	kl_msg_init(msg, &about);
	kl_type_init(&kl_type_consumer_group_member_metadata_value_classic, &classic);
	check_bytes(msg, 0, &about, BEFORE "01 00 01 00");
	about.classic_member_metadata = &classic;
	check_bytes(msg, 0, &about, BEFORE "00");
	classic.session_timeout_ms = 45000;
	check_bytes(msg, 0, &about, BEFORE "01 00 07 01 0000afc8 01 00");

	KL_AUTO(kl_arena_free) struct kl_arena arena = {0};
	ck_assert_ptr_null(
		read_about(&arena, BEFORE "01 00 01 00")->classic_member_metadata);
	const struct kl_consumer_group_member_metadata_value_classic *read =
		read_about(&arena, BEFORE "00")->classic_member_metadata;
	ck_assert_ptr_nonnull(read);
	ck_assert_int_eq(read->session_timeout_ms, 0);
	ck_assert_int_eq(read->supported_protocols_n, 0);
	read = read_about(&arena, BEFORE "01 00 07 01 0000afc8 01 00")
		       ->classic_member_metadata;
	ck_assert_int_eq(read->session_timeout_ms, 45000);
}
END_TEST

/* Records stay where they are; the rest is as without refs. */
START_TEST(records_by_reference)
{
	struct kl_produce_request_partition parts[2];
	struct kl_produce_request_topic topic;
	struct kl_produce_request req;
	kl_msg_init(&kl_msg_produce_request, &req);
	kl_type_init(&kl_type_produce_request_topic, &topic);
	for (int i = 0; i < 2; i++) {
		kl_type_init(&kl_type_produce_request_partition, &parts[i]);
		parts[i].index = i;
		parts[i].records = (struct kl_bytes){(const uint8_t *)(i ? "BATCH"
									 : "batch"),
						     5};
	}
	topic.name = KL_STR("t");
	topic.partition_data = parts;
	topic.partition_data_n = 2;
	req.topic_data = &topic;
	req.topic_data_n = 1;

	struct kl_buf whole = {0}, own = {0};
	struct kl_refs refs = {0};
	ck_assert_int_eq(kl_msg_encode(&kl_msg_produce_request, 9, &req, &whole, NULL), 0);
	ck_assert_int_eq(kl_msg_encode_refs(&kl_msg_produce_request, 9, &req, &own, &refs,
					    NULL),
			 0);
	ck_assert_uint_eq(refs.count, 2);
	ck_assert_uint_eq(refs.bytes, 10);
	ck_assert_uint_eq(own.len + refs.bytes, whole.len);
	struct kl_buf joined = {0};
	size_t at = 0;
	for (size_t i = 0; i < refs.count; i++) {
		kl_buf_put(&joined, own.data + at, refs.list[i].at - at);
		kl_buf_put(&joined, refs.list[i].p, refs.list[i].n);
		at = refs.list[i].at;
	}
	kl_buf_put(&joined, own.data + at, own.len - at);
	ck_assert_uint_eq(joined.len, whole.len);
	ck_assert_mem_eq(joined.data, whole.data, whole.len);
	kl_refs_free(&refs);
	kl_buf_free(&whole);
	kl_buf_free(&own);
	kl_buf_free(&joined);
}
END_TEST

START_TEST(trailing_bytes_are_seen)
{
	const uint8_t bytes[] = {0, 0, 0, 7, 0, 1, 0xee};
	struct kl_arena arena = {0};
	struct kl_heartbeat_response *res;
	struct kl_reader r = kl_reader(bytes, sizeof(bytes));
	ck_assert_int_eq(kl_msg_decode(&kl_msg_heartbeat_response, 1, &r, &arena,
				       (void **)&res, &err),
			 0);
	ck_assert_int_eq(res->throttle_time_ms, 7);
	ck_assert_int_eq(res->error_code, 1);
	ck_assert_uint_eq(kl_reader_left(&r), 1);
	kl_arena_free(&arena);
}
END_TEST

UNIT_SUITE(rules)
{
	Suite *s = suite_create("rules");
	unit_add(s, metadata_request_bytes);
	unit_add(s, missing_fields);
	unit_add(s, limits);
	unit_add(s, tags);
	unit_add(s, null_in_a_tag);
	unit_add(s, records_by_reference);
	unit_add(s, trailing_bytes_are_seen);
	return s;
}
