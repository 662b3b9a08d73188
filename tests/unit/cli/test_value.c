/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON to values and back. */
#include "cli/value.h"
#include "tests/unit/unit.h"

static void check(const char *in, const char *out)
{
	struct json_tokener *parser = cli_json_parser();
	struct json_object *json;
	struct kl_arena arena = {0};
	struct kl_buf b = {0};
	struct klamm_value value;
	char why[128];
	ck_assert_msg(cli_json_parse(parser, in, strlen(in), &json, why), "%s: %s", in,
		      why);
	ck_assert_msg(cli_value_of_json(json, &arena, &value, why), "%s: %s", in, why);
	cli_put_value_json(&b, &value);
	ck_assert_str_eq(kl_buf_text(&b), out);
	kl_buf_free(&b);
	kl_arena_free(&arena);
	json_object_put(json);
	json_tokener_free(parser);
}

START_TEST(there_and_back)
{
	static const char *const same[] = {
		"null",
		"true",
		"false",
		"0",
		"-5",
		"9223372036854775807",
		"-9223372036854775808",
		"0.1",
		"1.5e+300",
		"\"\"",
		"\"a\\\"b\\u0000\xc3\xa4\"",
		"[]",
		"{}",
		"[1,[2,[3,null]],{\"a\":{\"b\":[]}}]",
		"{\"z\":1,\"a\":2,\"\":3}",
		"{\"base64\":\"/w==\"}",
		"{\"base64\":\"\"}",
		"{\"base64\":1}",
		"{\"base64\":\"not it\"}",
		"{\"base64\":\"/w==\",\"more\":1}",
	};
	for (size_t i = 0; i < kl_countof(same); i++)
		check(same[i], same[i]);
	check(" 1 ", "1");
	check("1.0", "1.0");
	check("1e3", "1000.0");
	check("1.00000000000000000000000", "1.0");
	check("[\"\\\"99999999999999999999\",1e-5]", "[\"\\\"99999999999999999999\",1e-05]");
	check("9223372036854775808", "9.223372036854776e+18"); /* 2^63, and that exactly */
	check("18446744073709549568", "1.844674407370955e+19");
	check("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"");
}
END_TEST

START_TEST(not_json)
{
	static const char *const bad[] = {
		"",    " ",	"nul", "{",    "[1",   "\"",	   "{\"a\"}",
		"1 2", "{} {}", "'a'", "[1,]", "\x01", "\"\xff\"",
	};
	struct json_tokener *parser = cli_json_parser();
	for (size_t i = 0; i < kl_countof(bad); i++) {
		struct json_object *json;
		char why[128] = "";
		ck_assert_msg(
			!cli_json_parse(parser, bad[i], strlen(bad[i]), &json, why),
			"%s", bad[i]);
		ck_assert_str_ne(why, "");
	}
	struct json_object *json;
	char why[128];
	ck_assert(!cli_json_parse(parser, "{}\0 {", 5, &json,
				  why)); /* a NUL ends nothing */
	json_tokener_free(parser);
}
END_TEST

START_TEST(no_values)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"18446744073709551615", "the whole number 18446744073709551615 does not fit"},
		{"[{\"a\":9223372036854775809}]", "the whole number 9223372036854775809 does"},
		{"18446744073709551616", "the whole number 18446744073709551616 does not fit"},
		{"[1,-9223372036854775809]", "the whole number -9223372036854775809 does not"},
		{"{\"\\\"1\":100000000000000000000000000000000000000000000000000000000000}",
		 "the whole number 100000000000000000000000000000000000000000000000 does not"},
	};
	struct json_tokener *parser = cli_json_parser();
	for (size_t i = 0; i < kl_countof(cases); i++) {
		struct json_object *json;
		struct kl_arena arena = {0};
		struct klamm_value value;
		char why[128];
		bool parsed = cli_json_parse(parser, cases[i].text, strlen(cases[i].text),
					     &json, why);
		ck_assert(!parsed || !cli_value_of_json(json, &arena, &value, why));
		ck_assert_msg(strncmp(why, cases[i].why, strlen(cases[i].why)) == 0, "%s",
			      why);
		kl_arena_free(&arena);
		if (parsed)
			json_object_put(json);
	}
	json_tokener_free(parser);
}
END_TEST

START_TEST(what_json_has_no_form_for)
{
	static const struct klamm_entry entries[] = {
		{{.type = KLAMM_VALUE_INT, .as.integer = 5},
		 {.type = KLAMM_VALUE_DOUBLE, .as.real = 1 / 0.}},
		{{.type = KLAMM_VALUE_BYTES, .as.bytes = {"\x01", 1}},
		 {.type = KLAMM_VALUE_UUID, .as.uuid = {{0x12, 0x34, [15] = 0xff}}}},
		{{.type = KLAMM_VALUE_STRING, .as.bytes = {"n", 1}},
		 {.type = KLAMM_VALUE_NATIVE,
		  .as.native = {"avro.Record", NULL, NULL}}},
	};
	struct klamm_value map = {.type = KLAMM_VALUE_MAP, .as.map = {entries, 3}};
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	cli_put_value_json(&b, &map);
	ck_assert_str_eq(
		kl_buf_text(&b),
		"{\"5\":\"Infinity\",\"{\\\"base64\\\":\\\"AQ==\\\"}\":"
		"\"12340000-0000-0000-0000-0000000000ff\",\"n\":\"avro.Record\"}");
}
END_TEST

UNIT_SUITE(value)
{
	Suite *s = suite_create("value");
	unit_add(s, there_and_back);
	unit_add(s, not_json);
	unit_add(s, no_values);
	unit_add(s, what_json_has_no_form_for);
	return s;
}
