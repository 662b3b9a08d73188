/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/text.h"

#include <stdio.h>

#include "tests/unit/unit.h"

#define VALID(text) ck_assert(kl_utf8_valid(text, sizeof(text) - 1))
#define NOT_VALID(text) ck_assert(!kl_utf8_valid(text, sizeof(text) - 1))

START_TEST(utf8)
{
	VALID("");
	VALID("plain\0text");
	VALID("\u00e4\u20ac\ud7ff\ue000\uffff\U00010000\U0010ffff");
	NOT_VALID("\x80");
	NOT_VALID("a\xc3");             /* cut */
	NOT_VALID("\xc0\x80");          /* long form of NUL */
	NOT_VALID("\xc1\xbf");
	NOT_VALID("\xe0\x9f\xbf");
	NOT_VALID("\xf0\x8f\xbf\xbf");
	NOT_VALID("\xed\xa0\x80");      /* a surrogate */
	NOT_VALID("\xf4\x90\x80\x80");  /* above Unicode */
	NOT_VALID("\xf5\x80\x80\x80");
	NOT_VALID("\xe2\x82!");
	NOT_VALID("\xff");
}
END_TEST

/* The examples of RFC 4648 section 10. */
START_TEST(tamed)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""},
		{"plain \xc3\xa4 \xf0\x9f\x98\x80", "plain \xc3\xa4 \xf0\x9f\x98\x80"},
		{"a\nb\x1b[31m\x7f", "a b [31m "},
		{"\xc2\x9b" "31m\xc2\xa0", "  31m\xc2\xa0"}, /* CSI in one character */
		{"\xff\xc3+\x80", "??+?"},
		{"cut \xe2\x82", "cut ??"},
		{"\xc2", "?"},
	};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		char text[64];
		snprintf(text, sizeof(text), "%s", cases[i].text);
		kl_text_tame(text);
		ck_assert_str_eq(text, cases[i].want);
	}
}
END_TEST

START_TEST(base64)
{
	static const char *const pairs[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xff\xef", "/+8="},
	};
	for (size_t i = 0; i < kl_countof(pairs); i++) {
		struct kl_buf buf = {0};
		kl_buf_base64(&buf, pairs[i][0], strlen(pairs[i][0]));
		ck_assert_str_eq(kl_buf_text(&buf), pairs[i][1]);
		kl_buf_free(&buf);
	}
}
END_TEST

START_TEST(json_strings)
{
	struct kl_buf buf = {0};
	kl_buf_json_bytes(&buf, "a\"\\\n\t\x01\x7f\u00e4/", 10);
	ck_assert_str_eq(kl_buf_text(&buf), "\"a\\\"\\\\\\n\\t\\u0001\x7f\u00e4/\"");
	kl_buf_clear(&buf);
	kl_buf_json_bytes(&buf, "\xff", 1);
	ck_assert_str_eq(kl_buf_text(&buf), "{\"base64\":\"/w==\"}");
	kl_buf_free(&buf);
}
END_TEST

/* Kafka's own words for these: Uuid.ZERO_UUID and Uuid.ONE_UUID. */
START_TEST(uuids)
{
	char text[KL_UUID_TEXT];
	struct klamm_uuid uuid = {{0}};
	kl_uuid_text(&uuid, text);
	ck_assert_str_eq(text, "AAAAAAAAAAAAAAAAAAAAAA");
	uuid.bytes[15] = 1;
	kl_uuid_text(&uuid, text);
	ck_assert_str_eq(text, "AAAAAAAAAAAAAAAAAAAAAQ");
	memset(uuid.bytes, 0xff, sizeof(uuid.bytes));
	kl_uuid_text(&uuid, text);
	ck_assert_str_eq(text, "_____________________w");

	struct klamm_uuid back;
	for (int i = 0; i < 16; i++)
		uuid.bytes[i] = (uint8_t)(i * 37 + 5);
	kl_uuid_text(&uuid, text);
	ck_assert(kl_uuid_parse(text, &back));
	ck_assert_mem_eq(&back, &uuid, sizeof(uuid));
	ck_assert(!kl_uuid_parse("_____________________", &back));
	ck_assert(!kl_uuid_parse("______________________w", &back));
	ck_assert(!kl_uuid_parse("_____________________x", &back)); /* bits beyond the 128th */
	ck_assert(!kl_uuid_parse("+____________________w", &back));
}
END_TEST

static size_t edits(const char *a, const char *b)
{
	return kl_text_edits(a, strlen(a), b, strlen(b));
}

START_TEST(edit_distances)
{
	ck_assert_uint_eq(edits("", ""), 0);
	ck_assert_uint_eq(edits("linger.ms", "linger.ms"), 0);
	ck_assert_uint_eq(edits("LINGER_MS", "linger.ms"), 0);
	ck_assert_uint_eq(edits("lingr.ms", "linger.ms"), 1);
	ck_assert_uint_eq(edits("ligner.ms", "linger.ms"), 1);
	ck_assert_uint_eq(edits("kitten", "sitting"), 3);
	ck_assert_uint_eq(edits("abc", ""), 3);
	char longer[200];
	memset(longer, 'x', sizeof(longer));
	ck_assert_uint_eq(kl_text_edits(longer, 96, longer, 96), 0);
	ck_assert_uint_eq(kl_text_edits(longer, 97, longer, 1), SIZE_MAX);
}
END_TEST

UNIT_SUITE(text)
{
	Suite *s = suite_create("text");
	unit_add(s, utf8);
	unit_add(s, tamed);
	unit_add(s, base64);
	unit_add(s, json_strings);
	unit_add(s, uuids);
	unit_add(s, edit_distances);
	return s;
}
