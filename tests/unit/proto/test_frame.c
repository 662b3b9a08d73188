/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/proto/packet.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/proto/gen/messages.h"
#include "tests/unit/unit.h"

static struct klamm_error err;

/* Reads the frame, and writes the same one from what it read. */
static void check_frame(const struct kl_msg *msg, int version, const char *hex,
			const char *json)
{
	size_t n;
	uint8_t *bytes = unit_hex(hex, &n);
	struct kl_reader r = kl_reader(bytes, n);
	ck_assert_uint_eq((size_t)kl_read_i32(&r), n - 4);
	struct kl_arena arena = {0};
	struct kl_frame frame = {.msg = msg, .version = version, .client_id = KL_STR_NULL};
	void *obj;
	if (msg->kind == KL_MSG_REQUEST) {
		struct kl_frame_header h;
		ck_assert_msg(kl_frame_read_request(&r, &h, &err) == 0, "%s", err.text);
		ck_assert_ptr_eq(h.msg, msg);
		ck_assert_int_eq(h.version, version);
		ck_assert_int_eq(kl_msg_decode(msg, version, &r, &arena, &obj, &err), 0);
		frame.correlation_id = h.correlation_id;
		frame.client_id = h.client_id;
	} else {
		ck_assert(kl_frame_read_correlation(&r, &frame.correlation_id));
		ck_assert_msg(kl_frame_read_response(msg, version, &r, &arena, &obj,
						     &err) == 0,
			      "%s", err.text);
	}
	ck_assert_uint_eq(kl_reader_left(&r), 0);

	struct kl_buf text = {0}, again = {0};
	kl_msg_json(msg, version, obj, &text);
	ck_assert_str_eq(kl_buf_text(&text), json);
	frame.obj = obj;
	int rc = msg->kind == KL_MSG_REQUEST ? kl_frame_request(&frame, &again, &err)
					     : kl_frame_response(&frame, &again, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	unit_check_hex(again.data, again.len, hex);
	kl_buf_free(&text);
	kl_buf_free(&again);
	kl_arena_free(&arena);
	free(bytes);
}

/* frames.txt: what kafka-python exchanged with a broker. */
START_TEST(recorded_frames)
{
	char *text = unit_read("tests/unit/proto/frames.txt", &(size_t){0});
	int count = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if (*line == '#' || *line == '\0')
			continue;
		char *name = strtok(line, " "), *version = strtok(NULL, " ");
		char *hex = strtok(NULL, " "), *json = strtok(NULL, "");
		ck_assert_ptr_nonnull(json);
		const struct kl_msg *msg = kl_msg_named(name);
		ck_assert_msg(msg != NULL, "%s", name);
		check_frame(msg, atoi(version), hex, json);
		count++;
	}
	free(text);
	ck_assert_int_eq(count, 31);
}
END_TEST

START_TEST(headers)
{
	struct kl_buf buf = {0};
	struct kl_heartbeat_request req;
	kl_msg_init(&kl_msg_heartbeat_request, &req);
	struct kl_frame frame = {
		.msg = &kl_msg_heartbeat_request,
		.version = 0,
		.correlation_id = 0x01020304,
		.client_id = KL_STR_NULL,
		.obj = &req,
	};
	ck_assert_int_eq(kl_frame_request(&frame, &buf, &err), 0);
	unit_check_hex(buf.data, buf.len,
		       "00000012 000c 0000 01020304 ffff 0000 00000000 0000");
	kl_buf_clear(&buf);
	frame.version = 4; /* flexible: the client id keeps its old shape, tags follow it */
	frame.client_id = KL_STR("me");
	ck_assert_int_eq(kl_frame_request(&frame, &buf, &err), 0);
	unit_check_hex(buf.data, buf.len,
		       "00000015 000c 0004 01020304 0002 6d65 00 01 00000000 01 00 00");

	struct kl_api_versions_response res;
	kl_msg_init(&kl_msg_api_versions_response, &res);
	frame = (struct kl_frame){&kl_msg_api_versions_response, 3, 7, .obj = &res};
	kl_buf_clear(&buf);
	ck_assert_int_eq(kl_frame_response(&frame, &buf, &err), 0);
	unit_check_hex(buf.data, buf.len, "0000000c 00000007 0000 01 00000000 00");
	struct kl_heartbeat_response beat;
	kl_msg_init(&kl_msg_heartbeat_response, &beat);
	frame = (struct kl_frame){&kl_msg_heartbeat_response, 4, 7, .obj = &beat};
	kl_buf_clear(&buf);
	ck_assert_int_eq(kl_frame_response(&frame, &buf, &err), 0);
	unit_check_hex(buf.data, buf.len, "0000000c 00000007 00 00000000 0000 00");
	kl_buf_free(&buf);
}
END_TEST

START_TEST(size_counts_refs)
{
	struct kl_produce_request_partition part;
	kl_type_init(&kl_type_produce_request_partition, &part);
	part.records = (struct kl_bytes){(const uint8_t *)"0123456789", 10};
	struct kl_produce_request_topic topic;
	kl_type_init(&kl_type_produce_request_topic, &topic);
	topic.partition_data = &part;
	topic.partition_data_n = 1;
	struct kl_produce_request req;
	kl_msg_init(&kl_msg_produce_request, &req);
	req.topic_data = &topic;
	req.topic_data_n = 1;
	struct kl_refs refs = {0};
	struct kl_frame frame = {
		.msg = &kl_msg_produce_request,
		.version = 7,
		.client_id = KL_STR_NULL,
		.obj = &req,
	};
	struct kl_buf copied = {0}, own = {0};
	ck_assert_int_eq(kl_frame_request(&frame, &copied, &err), 0);
	frame.refs = &refs;
	ck_assert_int_eq(kl_frame_request(&frame, &own, &err), 0);
	ck_assert_uint_eq(kl_load_u32(copied.data), kl_load_u32(own.data));
	ck_assert_uint_eq(own.len + 10, copied.len);
	ck_assert_uint_eq(refs.list[0].at, own.len);
	kl_refs_free(&refs);
	kl_buf_free(&copied);
	kl_buf_free(&own);
}
END_TEST

static int read_header(const char *hex, struct kl_frame_header *h)
{
	size_t n;
	uint8_t *bytes = unit_hex(hex, &n);
	struct kl_reader r = kl_reader(bytes, n);
	int rc = kl_frame_read_request(&r, h, &err);
	free(bytes);
	return rc;
}

START_TEST(bad_headers)
{
	struct kl_frame_header h = {0};
	ck_assert_int_eq(read_header("", &h), KLAMM_ERR_PROTOCOL);
	ck_assert_int_eq(read_header("0012 0003 00000001 0004 61", &h), KLAMM_ERR_PROTOCOL);
	ck_assert_int_eq(read_header("474554202f20485454502f312e31", &h), KLAMM_ERR_PROTOCOL);
	ck_assert_int_eq(read_header("7fff 0000 00000001 ffff", &h), KLAMM_ERR_UNSUPPORTED);
	ck_assert_str_eq(err.text, "API key 32767 (unknown) is not served");
	ck_assert_int_eq(read_header("0034 0000 00000001 ffff", &h), KLAMM_ERR_UNSUPPORTED);
	ck_assert_str_eq(err.text, "API key 52 (Vote) is not served");
	/* what KIP-511 is about: the numbers are there, the rest is not understood */
	ck_assert_int_eq(read_header("0012 0063 0000002a ffff 00", &h), KLAMM_ERR_UNSUPPORTED);
	ck_assert_int_eq(h.api, KL_API_API_VERSIONS);
	ck_assert_int_eq(h.version, 99);
	ck_assert_int_eq(h.correlation_id, 42);
	/* a tag section that is cut; one that is skipped */
	ck_assert_int_eq(read_header("0012 0003 00000001 ffff 01 07 05 aa", &h),
			 KLAMM_ERR_PROTOCOL);
	ck_assert_int_eq(read_header("0012 0003 00000001 ffff 01 07 01 aa", &h), 0);
}
END_TEST

/* A broker that does not know version 3 answers in version 0. */
START_TEST(api_versions_downgrade)
{
	size_t n;
	uint8_t *bytes = unit_hex("00000001 0023 00000001 0012 0000 0002", &n);
	struct kl_reader r = kl_reader(bytes, n);
	struct kl_arena arena = {0};
	struct kl_api_versions_response *res;
	int32_t id;
	ck_assert(kl_frame_read_correlation(&r, &id));
	ck_assert_int_eq(id, 1);
	ck_assert_int_eq(kl_frame_read_response(&kl_msg_api_versions_response, 3, &r, &arena,
						(void **)&res, &err), 0);
	ck_assert_int_eq(res->error_code, KLAMM_ERR_UNSUPPORTED_VERSION);
	ck_assert_int_eq(res->api_keys_n, 1);
	ck_assert_int_eq(res->api_keys[0].max_version, 2);
	kl_arena_free(&arena);
	free(bytes);
}
END_TEST

static void keep_text(void *arg, int32_t level, const char *where, const char *text)
{
	ck_assert_int_eq(level, KL_LOG_DEBUG);
	ck_assert_str_eq(where, "here");
	kl_buf_put(arg, text, strlen(text));
}

START_TEST(traffic)
{
	struct kl_buf text = {0};
	struct kl_sasl_authenticate_request req;
	kl_msg_init(&kl_msg_sasl_authenticate_request, &req);
	req.auth_bytes = (struct kl_bytes){(const uint8_t *)"secret", 6};
	struct kl_frame frame = {&kl_msg_sasl_authenticate_request, 2, 9, KL_STR("me"), &req};
	struct kl_log log = {.fn = keep_text, .arg = &text, .level = KL_LOG_TRACE};
	kl_traffic(&log, "here", '>', &frame);
	ck_assert_uint_eq(text.len, 0);
	log.traffic = true;
	kl_traffic(&log, "here", '>', &frame);
	ck_assert_str_eq(kl_buf_text(&text),
			 "> SaslAuthenticate v2 {\"header\":{\"RequestApiKey\":36,"
			 "\"RequestApiVersion\":2,\"CorrelationId\":9,\"ClientId\":\"me\"},"
			 "\"body\":{\"AuthBytes\":\"[hidden]\"}}");
	kl_buf_clear(&text);
	struct kl_heartbeat_response beat;
	kl_msg_init(&kl_msg_heartbeat_response, &beat);
	frame = (struct kl_frame){&kl_msg_heartbeat_response, 0, 7, .obj = &beat};
	kl_traffic(&log, "here", '<', &frame);
	ck_assert_str_eq(kl_buf_text(&text),
			 "< Heartbeat v0 {\"header\":{\"CorrelationId\":7},"
			 "\"body\":{\"ErrorCode\":0}}");
	kl_buf_free(&text);
}
END_TEST

UNIT_SUITE(frame)
{
	Suite *s = suite_create("frame");
	unit_add(s, recorded_frames);
	unit_add(s, headers);
	unit_add(s, size_counts_refs);
	unit_add(s, bad_headers);
	unit_add(s, api_versions_downgrade);
	unit_add(s, traffic);
	return s;
}
