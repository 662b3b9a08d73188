/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to JSON and back: the same bytes, or a text that says what is wrong. */
#include "cli/wire.h"

#include <stdlib.h>

#include "cli/value.h"
#include "tests/unit/unit.h"

static struct klamm_error err;

static struct json_object *parse(const char *text)
{
	struct json_tokener *parser = cli_json_parser();
	struct json_object *json = NULL;
	char why[128];
	ck_assert_msg(cli_json_parse(parser, text, strlen(text), &json, why), "%s: %s",
		      text, why);
	json_tokener_free(parser);
	return json;
}

/* Bytes to JSON and back. */
static void check_same(const struct kl_msg *response, int version, const uint8_t *p,
		       size_t n)
{
	struct kl_arena arena = {0};
	struct kl_buf text = {0}, again = {0};
	struct kl_packet packet, back;
	ck_assert_msg(
		kl_packet_decode(response, version, p, n, &arena, &packet, &err) == 0,
		"%s", err.text);
	kl_packet_json(&packet, false, &text);
	struct json_object *json = parse(kl_buf_text(&text));
	ck_assert_msg(cli_wire_packet(json, response, version, &arena, &back, &err) ==
			      0,
		      "%s: %s", err.text, kl_buf_text(&text));
	ck_assert_msg(kl_packet_encode(&back, &again, &err) == 0, "%s", err.text);
	ck_assert_msg(again.len == n && memcmp(again.data, p, n) == 0, "%s",
		      kl_buf_text(&text));
	json_object_put(json);
	kl_buf_free(&text);
	kl_buf_free(&again);
	kl_arena_free(&arena);
}

/* A header before a body. */
static void put_header(const struct kl_msg *msg, int version, uint64_t seed,
		       struct kl_buf *to)
{
	struct kl_arena arena = {0};
	void *header;
	int header_version;
	const struct kl_msg *header_msg =
		kl_frame_header_of(msg, version, &header_version);
	ck_assert_int_eq(
		kl_msg_random(header_msg, header_version, seed, &arena, &header, NULL),
		0);
	if (msg->kind == KL_MSG_REQUEST) {
		struct kl_request_header *h = header;
		h->request_api_key = msg->api;
		h->request_api_version = (int16_t)version;
	}
	ck_assert_int_eq(kl_msg_encode(header_msg, header_version, header, to, NULL),
			 0);
	kl_arena_free(&arena);
}

static void check_body(const struct kl_msg *msg, int version, uint64_t seed,
		       const uint8_t *p, size_t n)
{
	struct kl_buf bytes = {0};
	put_header(msg, version, seed, &bytes);
	kl_buf_put(&bytes, p, n);
	check_same(msg->kind == KL_MSG_RESPONSE ? msg : NULL, version, bytes.data,
		   bytes.len);
	kl_buf_free(&bytes);
}

/* What Kafka's own classes wrote: name, version, hexadecimal digits, JSON. */
START_TEST(recorded_messages)
{
	char *text = unit_read("tests/interop/oracle/recorded.txt", &(size_t){0});
	unsigned count = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL;
	     line = end + 1) {
		*end = '\0';
		if (*line == '#')
			continue;
		char *rest, *name = strtok_r(line, " ", &rest);
		char *version = strtok_r(NULL, " ", &rest),
		     *hex = strtok_r(NULL, " ", &rest);
		const struct kl_msg *msg = kl_msg_named(name);
		int v = atoi(version);
		if (msg == NULL || msg->api < 0 || v < msg->min || v > msg->max)
			continue;
		size_t n;
		uint8_t *bytes = unit_hex(strcmp(hex, "-") == 0 ? "" : hex, &n);
		check_body(msg, v, ++count, bytes, n);
		free(bytes);
	}
	free(text);
	ck_assert_uint_ge(count, 1200);
}
END_TEST

START_TEST(made_up_messages)
{
	size_t count;
	const struct kl_msg *const *all = kl_msg_all(&count);
	for (size_t i = 0; i < count; i++) {
		for (int v = all[i]->min; all[i]->api >= 0 && v <= all[i]->max; v++) {
			struct kl_arena arena = {0};
			struct kl_buf bytes = {0};
			void *obj;
			ck_assert_int_eq(kl_msg_random(all[i], v, i * 131 + v, &arena,
						       &obj, NULL),
					 0);
			ck_assert_int_eq(kl_msg_encode(all[i], v, obj, &bytes, NULL),
					 0);
			check_body(all[i], v, i, bytes.data, bytes.len);
			kl_buf_free(&bytes);
			kl_arena_free(&arena);
		}
	}
}
END_TEST

/* An old broker answers in version 0 (KIP-511); the JSON has to lead back to it. */
START_TEST(downgraded)
{
	size_t n;
	uint8_t *bytes = unit_hex("00000001 0023 00000001 0012 0000 0003", &n);
	check_same(&kl_msg_api_versions_response, 4, bytes, n);
	check_same(&kl_msg_api_versions_response, 0, bytes, n);
	free(bytes);
	/* and one that is of its version all the same */
	bytes = unit_hex("00000001 0023 01 00000000 00", &n);
	check_same(&kl_msg_api_versions_response, 4, bytes, n);
	free(bytes);
}
END_TEST

/* Numbers that a double would not hold, and doubles to the last bit. */
START_TEST(numbers)
{
	static const char *const bits[] = {
		"0000000000000000", "8000000000000000", "7ff0000000000000",
		"fff0000000000000", "7ff8000000000000", "7ff8000000000001",
		"fff8000000000000", "0000000000000001", "7fefffffffffffff",
		"3ff0000000000001", "4340000000000001", "3fb999999999999a",
		"43f0000000000000", "c3e0000000000000", "43e0000000000000",
	};
	for (size_t i = 0; i < kl_countof(bits); i++) {
		char hex[200];
		size_t n;
		/* DescribeClientQuotas: one entry without entities, one value */
		snprintf(hex, sizeof(hex),
			 "00000001 00000000 0000 ffff 00000001 00000000 "
			 "00000001 0001 6b %s",
			 bits[i]);
		uint8_t *bytes = unit_hex(hex, &n);
		check_same(&kl_msg_describe_client_quotas_response, 0, bytes, n);
		free(bytes);
	}
}
END_TEST

static void check_wrong(const struct kl_msg *response, int version, const char *text,
			const char *want)
{
	struct kl_arena arena = {0};
	struct kl_packet packet;
	struct json_object *json = parse(text);
	ck_assert_msg(cli_wire_packet(json, response, version, &arena, &packet, &err) !=
			      0,
		      "taken: %s", text);
	ck_assert_str_eq(err.text, want);
	json_object_put(json);
	kl_arena_free(&arena);
}

#define METADATA(body)                                                                   \
	"{\"header\":{\"RequestApiKey\":3,\"RequestApiVersion\":12,\"CorrelationId\":1," \
	"\"ClientId\":null},\"body\":" body "}"

START_TEST(what_is_wrong)
{
	check_wrong(NULL, 0, "[]", "not {\"header\":{...},\"body\":{...}}");
	check_wrong(NULL, 0, "null", "not {\"header\":{...},\"body\":{...}}");
	check_wrong(NULL, 0, "{\"header\":{},\"body\":{},\"tail\":0}",
		    "not {\"header\":{...},\"body\":{...}}");
	check_wrong(
		NULL, 0, "{\"header\":{\"RequestApiKey\":3},\"body\":{}}",
		"header.RequestApiKey and header.RequestApiVersion must be numbers: they say "
		"what the request is");
	check_wrong(
		NULL, 0, "{\"header\":3,\"body\":{}}",
		"header.RequestApiKey and header.RequestApiVersion must be numbers: they say "
		"what the request is");
	check_wrong(
		NULL, 0,
		"{\"header\":{\"RequestApiKey\":52,\"RequestApiVersion\":0},\"body\":{}}",
		"header.RequestApiKey 52 (Vote): klamm has no such request");
	check_wrong(
		NULL, 0,
		"{\"header\":{\"RequestApiKey\":12,\"RequestApiVersion\":9},\"body\":{}}",
		"header.RequestApiVersion 9: HeartbeatRequest has versions 0 to 4");
	check_wrong(NULL, 0, METADATA("[]"), "body must be an object");
	check_wrong(NULL, 0, METADATA("{\"Topics\":3}"),
		    "body.Topics must be a list or null");
	check_wrong(
		NULL, 0, METADATA("{\"Topics\":[{},{\"Nmae\":\"a\"}]}"),
		"body.Topics[1].Nmae is not in MetadataRequest.Topic version 12; did you mean "
		"Name?");
	check_wrong(
		NULL, 0, METADATA("{\"IncludeClusterAuthorizedOperations\":true}"),
		"body.IncludeClusterAuthorizedOperations is not in MetadataRequest "
		"version 12; "
		"did you mean IncludeTopicAuthorizedOperations?");
	check_wrong(
		NULL, 0, METADATA("{\"Topics\":[{\"Name\":7}]}"),
		"body.Topics[0].Name must be a string, {\"base64\":\"...\"} or null");
	check_wrong(
		NULL, 0, METADATA("{\"Topics\":[{\"Name\":{\"base64\":\"A\"}}]}"),
		"body.Topics[0].Name must be a string, {\"base64\":\"...\"} or null");
	check_wrong(
		NULL, 0,
		METADATA("{\"Topics\":[{\"TopicId\":\"AAAAAAAAAAAAAAAAAAAAAB\"}]}"),
		"body.Topics[0].TopicId must be a UUID: 22 characters of base64url");
	check_wrong(NULL, 0, METADATA("{\"AllowAutoTopicCreation\":1}"),
		    "body.AllowAutoTopicCreation must be true or false");
	check_wrong(NULL, 0, METADATA("{\"_tags\":[]}"),
		    "body._tags must be {\"NUMBER\":{\"base64\":\"...\"},...}");
	check_wrong(NULL, 0, METADATA("{\"_tags\":{\"x\":{\"base64\":\"\"}}}"),
		    "body._tags.x is not the number of a tag");
	check_wrong(NULL, 0, METADATA("{\"_tags\":{\"7\":null}}"),
		    "body._tags.7 must be {\"base64\":\"...\"}");
	check_wrong(NULL, 0, METADATA("{\"_tags\":{\"7\":7}}"),
		    "body._tags.7 must be {\"base64\":\"...\"} or null");
}
END_TEST

#define HEARTBEAT(body) "{\"header\":{\"CorrelationId\":1},\"body\":" body "}"

START_TEST(numbers_out_of_range)
{
	const struct kl_msg *msg = &kl_msg_heartbeat_response;
	check_wrong(msg, 1, HEARTBEAT("{\"ErrorCode\":32768}"),
		    "body.ErrorCode must be a whole number, -32768..32767");
	check_wrong(msg, 1, HEARTBEAT("{\"ErrorCode\":1.0}"),
		    "body.ErrorCode must be a whole number, -32768..32767");
	check_wrong(msg, 1, HEARTBEAT("{\"ErrorCode\":null}"),
		    "body.ErrorCode must be a whole number, -32768..32767");
	check_wrong(
		msg, 1, HEARTBEAT("{\"ThrottleTimeMs\":\"5\"}"),
		"body.ThrottleTimeMs must be a whole number, -2147483648..2147483647");
	check_wrong(&kl_msg_init_producer_id_response, 0,
		    HEARTBEAT("{\"ProducerId\":9223372036854775808}"),
		    "body.ProducerId must be a whole number, "
		    "-9223372036854775808..9223372036854775807");
	check_wrong(
		&kl_msg_describe_client_quotas_response, 0,
		HEARTBEAT("{\"Entries\":[{\"Values\":[{\"Value\":1e999}]}]}"),
		"body.Entries[0].Values[0].Value must be a number, \"NaN\", \"Infinity\", "
		"\"-Infinity\" or {\"base64\":\"...\"} of its eight bytes");
	check_wrong(
		&kl_msg_describe_client_quotas_response, 0,
		HEARTBEAT("{\"Entries\":[{\"Values\":[{\"Value\":\"much\"}]}]}"),
		"body.Entries[0].Values[0].Value must be a number, \"NaN\", \"Infinity\", "
		"\"-Infinity\" or {\"base64\":\"...\"} of its eight bytes");
}
END_TEST

static void check_digits(const char *text, const char *want)
{
	struct kl_buf bytes = {0}, hex = {0};
	struct klamm_span span = {text, strlen(text)};
	if (cli_wire_unhex(span, &bytes, &err) == 0) {
		cli_wire_hex(&bytes, &hex);
		ck_assert_str_eq(kl_buf_text(&hex), want);
	} else {
		ck_assert_str_eq(err.text, want);
	}
	kl_buf_free(&bytes);
	kl_buf_free(&hex);
}

START_TEST(digits)
{
	check_digits("", "");
	check_digits("00fF 1\t2", "00ff12");
	check_digits("00f", "an odd number of hexadecimal digits: a byte has two");
	check_digits("00 0x", "'x' at column 5 is no hexadecimal digit");
	check_digits("\x81", "\\x81 at column 1 is no hexadecimal digit");
}
END_TEST

UNIT_SUITE(wire)
{
	Suite *s = suite_create("wire");
	unit_add(s, recorded_messages);
	unit_add(s, made_up_messages);
	unit_add(s, downgraded);
	unit_add(s, numbers);
	unit_add(s, what_is_wrong);
	unit_add(s, numbers_out_of_range);
	unit_add(s, digits);
	return s;
}
