/* SPDX-License-Identifier: BSD-2-Clause */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/sink.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

#define TEXT(s) {.type = KLAMM_VALUE_STRING, .as.bytes = {"" s, sizeof(s) - 1}}
#define BYTES(s) {.type = KLAMM_VALUE_BYTES, .as.bytes = {"" s, sizeof(s) - 1}}
#define INT(v) {.type = KLAMM_VALUE_INT, .as.integer = (v)}
#define REAL(v) {.type = KLAMM_VALUE_DOUBLE, .as.real = (v)}
#define BOOL(v) {.type = KLAMM_VALUE_BOOL, .as.boolean = (v)}

static const struct klamm_serializer_ctx ctx = {.size = sizeof(ctx), .topic = "t"};
static struct kl_sink sink;
static struct kl_lent_arena arena;
static struct klamm_error err;

static struct loaded *open_as(const char *name, const char *role,
			      const struct setting *settings)
{
	kl_sink_init(&sink, 0, NULL);
	kl_lent_arena_init(&arena, 0, NULL);
	return loaded_new(KLAMM_KIND_SERIALIZER, name, role, settings);
}

static struct loaded *open_one(const char *name)
{
	return open_as(name, "value.serializer", NULL);
}

static void close_one(struct loaded *l)
{
	kl_sink_free(&sink);
	kl_lent_arena_free(&arena);
	loaded_free(l);
}

static int encode(struct loaded *l, const struct klamm_value *value)
{
	kl_sink_clear(&sink);
	return l->plugin->serializer.encode(l->instance.self, &ctx, value, &sink.out, NULL,
					    &err);
}

static int decode(struct loaded *l, const void *p, size_t n, struct klamm_value *value_out)
{
	struct klamm_span in = {p, n};
	return l->plugin->serializer.decode(l->instance.self, &ctx, &in, &arena.lent,
					    value_out, &err);
}

static bool equal(const struct klamm_value *a, const struct klamm_value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case KLAMM_VALUE_NULL:
		return true;
	case KLAMM_VALUE_BYTES:
	case KLAMM_VALUE_STRING:
		return a->as.bytes.len == b->as.bytes.len &&
		       (a->as.bytes.len == 0 ||
			memcmp(a->as.bytes.data, b->as.bytes.data, a->as.bytes.len) == 0);
	case KLAMM_VALUE_INT:
		return a->as.integer == b->as.integer;
	case KLAMM_VALUE_DOUBLE: /* minus zero is not zero */
		return memcmp(&a->as.real, &b->as.real, sizeof(double)) == 0;
	case KLAMM_VALUE_BOOL:
		return a->as.boolean == b->as.boolean;
	case KLAMM_VALUE_UUID:
		return memcmp(&a->as.uuid, &b->as.uuid, sizeof(a->as.uuid)) == 0;
	case KLAMM_VALUE_LIST:
		for (size_t i = 0; i < a->as.list.count; i++)
			if (i >= b->as.list.count ||
			    !equal(&a->as.list.items[i], &b->as.list.items[i]))
				return false;
		return a->as.list.count == b->as.list.count;
	case KLAMM_VALUE_MAP:
		for (size_t i = 0; i < a->as.map.count; i++)
			if (i >= b->as.map.count ||
			    !equal(&a->as.map.entries[i].key, &b->as.map.entries[i].key) ||
			    !equal(&a->as.map.entries[i].value, &b->as.map.entries[i].value))
				return false;
		return a->as.map.count == b->as.map.count;
	default:
		return false;
	}
}

/* --- bytes and string --- */

START_TEST(bytes_are_kept)
{
	struct loaded *l = open_one("bytes");
	struct klamm_value in = BYTES("\0\xff\x80"), text = TEXT("text"), out;
	ck_assert_int_eq(encode(l, &in), 0);
	unit_check_hex(sink.out.data, sink.out.len, "00ff80");
	ck_assert_int_eq(decode(l, sink.out.data, sink.out.len, &out), 0);
	ck_assert(equal(&in, &out));
	ck_assert_ptr_eq(out.as.bytes.data, sink.out.data);
	ck_assert_int_eq(encode(l, &text), 0);
	ck_assert_mem_eq(sink.out.data, "text", 4);
	struct klamm_value number = INT(5);
	ck_assert_int_eq(encode(l, &number), KLAMM_ERR_SERIALIZE);
	close_one(l);
}
END_TEST

static const struct {
	const char *text;
	size_t len;
	int bad_at; /* -1 = it is UTF-8 */
} texts[] = {
	{"plain ASCII of more than eight", 30, -1},
	{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, -1},
	{"a\0b", 3, -1},
	{"\xf4\x8f\xbf\xbf", 4, -1},
	{"12345678\xff", 9, 8},
	{"\xc0\x80", 2, 0},		 /* overlong NUL */
	{"\xe0\x9f\xbf", 3, 0},		 /* overlong */
	{"\xed\xa0\x80", 3, 0},		 /* surrogate */
	{"\xf0\x8f\xbf\xbf", 4, 0},	 /* overlong */
	{"\xf4\x90\x80\x80", 4, 0},	 /* above U+10FFFF */
	{"ab\xe2\x82", 4, 2},		 /* cut */
	{"\x80", 1, 0},			 /* continuation alone */
	{"\xe2\x28\xa1", 3, 0},
	{"\xf8\x88\x80\x80\x80", 5, 0},
};

START_TEST(string_checks_utf8_both_ways)
{
	struct loaded *l = open_one("string");
	char *exact = malloc(texts[_i].len); /* reading past its end is seen */
	memcpy(exact, texts[_i].text, texts[_i].len);
	struct klamm_value in = {.type = KLAMM_VALUE_STRING,
				 .as.bytes = {exact, texts[_i].len}};
	struct klamm_value out;
	if (texts[_i].bad_at < 0) {
		ck_assert_int_eq(encode(l, &in), 0);
		ck_assert_int_eq(decode(l, sink.out.data, sink.out.len, &out), 0);
		ck_assert(equal(&in, &out));
	} else {
		char place[60];
		snprintf(place, sizeof(place), "the value is not UTF-8 at byte %d of %zu ",
			 texts[_i].bad_at, texts[_i].len);
		ck_assert_int_eq(encode(l, &in), KLAMM_ERR_SERIALIZE);
		ck_assert_int_eq(strncmp(err.text, place, strlen(place)), 0);
		ck_assert_uint_eq(sink.out.len, 0);
		ck_assert_int_eq(decode(l, exact, texts[_i].len, &out),
				 KLAMM_ERR_DESERIALIZE);
		ck_assert_int_eq(strncmp(err.text, place, strlen(place)), 0);
	}
	free(exact);
	close_one(l);
}
END_TEST

/* Null is the core's and never gets here: no flag asks for it. Empty is a value. */
START_TEST(empty_is_not_null)
{
	static const char *const names[] = {"bytes", "string"};
	struct loaded *l = open_one(names[_i]);
	ck_assert(!(l->plugin->serializer.flags & KLAMM_SERIALIZER_TAKES_NULL));
	struct klamm_value empty = TEXT(""), out;
	ck_assert_int_eq(encode(l, &empty), 0);
	ck_assert_uint_eq(sink.out.len, 0);
	ck_assert_uint_eq(sink.out.flags & KLAMM_OUT_NULL, 0);
	ck_assert_int_eq(decode(l, "", 0, &out), 0);
	ck_assert_int_ne(out.type, KLAMM_VALUE_NULL);
	ck_assert_ptr_nonnull(out.as.bytes.data);
	ck_assert_uint_eq(out.as.bytes.len, 0);
	close_one(l);
}
END_TEST

/* --- json --- */

#define LIST(...)                                                                        \
	{.type = KLAMM_VALUE_LIST,                                                       \
	 .as.list = {(struct klamm_value[]){__VA_ARGS__},                                \
		     sizeof((struct klamm_value[]){__VA_ARGS__}) /                       \
			     sizeof(struct klamm_value)}}
#define MAP(...)                                                                         \
	{.type = KLAMM_VALUE_MAP,                                                        \
	 .as.map = {(struct klamm_entry[]){__VA_ARGS__},                                 \
		    sizeof((struct klamm_entry[]){__VA_ARGS__}) /                        \
			    sizeof(struct klamm_entry)}}

/* Text and value, both ways. */
static const struct {
	const char *text;
	struct klamm_value value;
} pairs[] = {
	{"null", {.type = KLAMM_VALUE_NULL}},
	{"true", BOOL(1)},
	{"false", BOOL(0)},
	{"0", INT(0)},
	{"-1", INT(-1)},
	{"9223372036854775807", INT(INT64_MAX)},
	{"-9223372036854775808", INT(INT64_MIN)},
	{"0.1", REAL(0.1)},
	{"1.0", REAL(1)},
	{"-0.0", REAL(-0.0)},
	{"1e+300", REAL(1e300)},
	{"5e-324", REAL(5e-324)},
	{"0.30000000000000004", REAL(0.1 + 0.2)},
	{"1.7976931348623157e+308", REAL(DBL_MAX)},
	{"\"\"", TEXT("")},
	{"\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\"", TEXT("a\"b\\c/d\b\f\n\r\t\x01")},
	{"\"nul \\u0000 inside\"", TEXT("nul \0 inside")},
	{"\"\xc3\xa4\xf0\x9f\x98\x80\"", TEXT("\xc3\xa4\xf0\x9f\x98\x80")},
	{"[]", {.type = KLAMM_VALUE_LIST}},
	{"{}", {.type = KLAMM_VALUE_MAP}},
	{"[1,[2,[]],\"x\",null,5,6,7,8,9]",
	 LIST(INT(1), LIST(INT(2), {.type = KLAMM_VALUE_LIST}), TEXT("x"),
	      {.type = KLAMM_VALUE_NULL}, INT(5), INT(6), INT(7), INT(8), INT(9))},
	{"{\"z\":1,\"a\":{\"\":false},\"z\":[2.5]}",
	 MAP({TEXT("z"), INT(1)}, {TEXT("a"), MAP({TEXT(""), BOOL(0)})},
	     {TEXT("z"), LIST(REAL(2.5))})},
};

START_TEST(json_and_values_map_both_ways)
{
	struct loaded *l = open_one("json");
	struct klamm_value back;
	ck_assert_msg(encode(l, &pairs[_i].value) == 0, "%s", err.text);
	ck_assert_uint_eq(sink.out.len, strlen(pairs[_i].text));
	ck_assert_mem_eq(sink.out.data, pairs[_i].text, sink.out.len);
	ck_assert_msg(decode(l, pairs[_i].text, strlen(pairs[_i].text), &back) == 0, "%s",
		      err.text);
	ck_assert(equal(&pairs[_i].value, &back));
	close_one(l);
}
END_TEST

/* Other ways to write a value. */
static const struct {
	const char *text;
	struct klamm_value value;
} spellings[] = {
	{" \t\r\n1 \n", INT(1)},
	{"1e2", REAL(100)},
	{"1E-2", REAL(0.01)},
	{"-0", REAL(-0.0)},
	{"9223372036854775808", REAL(9223372036854775808.0)},
	{"123456789012345678901234567890123456789012345678901234567890123456789",
	 REAL(123456789012345678901234567890123456789012345678901234567890123456789.0)},
	{"\"\\u00e4\\u20ac\\ud83d\\ude00\\/\"", TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80/")},
	{"\"\\ud800x\\udc00\"", TEXT("\xef\xbf\xbdx\xef\xbf\xbd")},
	{"\"\\ud800\\u0041\"", TEXT("\xef\xbf\xbd" "A")},
	{"\"\\ud800\\ud83d\\ude00\"", TEXT("\xef\xbf\xbd\xf0\x9f\x98\x80")},
	{"[ ]", {.type = KLAMM_VALUE_LIST}},
	{"{ \"a\" : [ 1 , 2 ] }", MAP({TEXT("a"), LIST(INT(1), INT(2))})},
};

START_TEST(json_reads_other_spellings)
{
	struct loaded *l = open_one("json");
	const char *text = spellings[_i].text;
	struct klamm_value raw = {.type = KLAMM_VALUE_BYTES, .as.bytes = {text, strlen(text)}};
	struct klamm_value value;
	ck_assert_msg(decode(l, text, strlen(text), &value) == 0, "%s", err.text);
	ck_assert(equal(&spellings[_i].value, &value));
	/* A text of the application's own goes out as it is. */
	ck_assert_int_eq(encode(l, &raw), 0);
	ck_assert_uint_eq(sink.out.len, strlen(text));
	ck_assert_mem_eq(sink.out.data, text, strlen(text));
	close_one(l);
}
END_TEST

static const struct {
	const char *text;
	size_t at;
	const char *why;
} faults[] = {
	{"", 0, "a value is missing"},
	{"  ", 2, "a value is missing"},
	{"nul", 0, "a word that is none of true, false and null"},
	{"True", 0, "no value begins like this"},
	{"NaN", 0, "no value begins like this"},
	{"Infinity", 0, "no value begins like this"},
	{"+1", 0, "no value begins like this"},
	{".5", 0, "no value begins like this"},
	{"01", 1, "something follows the value"},
	{"1.", 2, "a digit is missing"},
	{"-", 1, "a digit is missing"},
	{"1e+", 3, "a digit is missing"},
	{"0x10", 1, "something follows the value"},
	{"1 2", 2, "something follows the value"},
	{"\xef\xbb\xbf" "1", 0, "no value begins like this"},
	{"'a'", 0, "no value begins like this"},
	{"\"a", 2, "a string without an end"},
	{"\"\\x\"", 1, "an unknown escape"},
	{"\"\\u12g4\"", 1, "\\u without four digits"},
	{"\"\\u12\"", 1, "\\u without four digits"},
	{"\"\\", 1, "an unknown escape"},
	{"\"\t\"", 1, "a control character in a string"},
	{"\"\xff\"", 1, "a byte that is not UTF-8"},
	{"\"\xed\xa0\x80\"", 1, "a byte that is not UTF-8"},
	{"[1,]", 3, "no value begins like this"},
	{"[1 2]", 3, "',' or ']' is missing"},
	{"[", 1, "a value is missing"},
	{"[1", 2, "',' or ']' is missing"},
	{"{\"a\":1,}", 7, "a name in quotes is missing"},
	{"{a:1}", 1, "a name in quotes is missing"},
	{"{\"a\" 1}", 5, "':' is missing"},
	{"{\"a\":1", 6, "',' or '}' is missing"},
	{"{\"a\":}", 5, "no value begins like this"},
	{"/*c*/1", 0, "no value begins like this"},
};

START_TEST(json_faults_have_a_place)
{
	struct loaded *l = open_one("json");
	size_t len = strlen(faults[_i].text);
	char *exact = malloc(len + (len == 0)); /* reading past its end is seen */
	memcpy(exact, faults[_i].text, len);
	char sentence[200];
	snprintf(sentence, sizeof(sentence), "the value is not JSON at byte %zu: %s",
		 faults[_i].at, faults[_i].why);
	struct klamm_value raw = {.type = KLAMM_VALUE_BYTES, .as.bytes = {exact, len}}, out;
	ck_assert_int_eq(encode(l, &raw), KLAMM_ERR_SERIALIZE);
	ck_assert_str_eq(err.text, sentence);
	ck_assert_uint_eq(sink.out.len, 0);
	ck_assert_int_eq(decode(l, exact, len, &out), KLAMM_ERR_DESERIALIZE);
	ck_assert_str_eq(err.text, sentence);
	free(exact);
	close_one(l);
}
END_TEST

START_TEST(json_numbers_have_an_end)
{
	struct loaded *l = open_one("json");
	struct klamm_value out;
	ck_assert_int_eq(decode(l, "1e400", 5, &out), KLAMM_ERR_DESERIALIZE);
	struct klamm_value nan_value = REAL(NAN), infinite = REAL(-INFINITY);
	ck_assert_int_eq(encode(l, &nan_value), KLAMM_ERR_SERIALIZE);
	ck_assert_str_eq(err.text, "JSON has no NaN");
	ck_assert_int_eq(encode(l, &infinite), KLAMM_ERR_SERIALIZE);
	ck_assert_str_eq(err.text, "JSON has no infinity");
	close_one(l);
}
END_TEST

/* The application's locale has no say in what a number looks like. */
START_TEST(json_ignores_the_locale)
{
	unit_decimal_comma();
	struct loaded *l = open_one("json");
	struct klamm_value half = REAL(0.5), out;
	ck_assert_int_eq(encode(l, &half), 0);
	ck_assert_mem_eq(sink.out.data, "0.5", 3);
	ck_assert_int_eq(decode(l, "0.5", 3, &out), 0);
	ck_assert(equal(&half, &out));
	close_one(l);
}
END_TEST

START_TEST(json_nests_only_so_deep)
{
	struct loaded *l = open_one("json");
	char text[2 * KLAMM_VALUE_DEPTH_MAX + 2];
	struct klamm_value values[KLAMM_VALUE_DEPTH_MAX + 1], out;
	for (int extra = 0; extra < 2; extra++) {
		size_t depth = KLAMM_VALUE_DEPTH_MAX + (size_t)extra;
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		values[0] = (struct klamm_value){.type = KLAMM_VALUE_LIST};
		for (size_t i = 1; i < depth; i++)
			values[i] = (struct klamm_value){.type = KLAMM_VALUE_LIST,
							 .as.list = {&values[i - 1], 1}};
		ck_assert_int_eq(decode(l, text, 2 * depth, &out),
				 extra ? KLAMM_ERR_DESERIALIZE : 0);
		ck_assert_int_eq(encode(l, &values[depth - 1]),
				 extra ? KLAMM_ERR_SERIALIZE : 0);
	}
	close_one(l);
}
END_TEST

START_TEST(json_refuses_what_it_cannot_write)
{
	struct loaded *l = open_one("json");
	struct klamm_value nested = LIST(BYTES("raw")), key = MAP({INT(1), INT(2)}),
			   native = {.type = KLAMM_VALUE_NATIVE,
				     .as.native = {"x", NULL, NULL}},
			   broken = TEXT("\xff"), unknown = {.type = 99};
	const struct klamm_value *all[] = {&nested, &key, &native, &broken, &unknown};
	for (size_t i = 0; i < kl_countof(all); i++) {
		ck_assert_int_eq(encode(l, all[i]), KLAMM_ERR_SERIALIZE);
		ck_assert_str_ne(err.text, "");
	}
	struct klamm_value uuid = {.type = KLAMM_VALUE_UUID,
				   .as.uuid = {{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
						0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0}}};
	ck_assert_int_eq(encode(l, &uuid), 0);
	ck_assert_uint_eq(sink.out.len, 38);
	ck_assert_mem_eq(sink.out.data, "\"123e4567-e89b-12d3-a456-426614174000\"", 38);
	close_one(l);
}
END_TEST

START_TEST(json_obeys_limits)
{
	struct loaded *l = open_one("json");
	kl_sink_free(&sink);
	kl_sink_init(&sink, 10, NULL);
	struct klamm_value text = TEXT("eleven byte"), raw = BYTES("[1,2,3,4,5,6]"), out;
	ck_assert_int_eq(encode(l, &text), KLAMM_ERR_LIMIT);
	ck_assert_int_eq(encode(l, &raw), KLAMM_ERR_LIMIT);
	kl_lent_arena_free(&arena);
	kl_lent_arena_init(&arena, 2000, NULL);
	char many[4001];
	for (size_t i = 0; i < 4000; i += 2)
		memcpy(many + i, "1,", 2);
	many[0] = '[';
	many[1] = '1';
	many[2] = ' ';
	many[3] = ',';
	many[3999] = ']';
	ck_assert_int_eq(decode(l, many, 4000, &out), KLAMM_ERR_DESERIALIZE);
	ck_assert_ptr_nonnull(strstr(err.text, "out of memory"));
	close_one(l);
}
END_TEST

/* --- text in other encodings --- */

#define SMILE "\xf0\x9f\x98\x80" /* U+1F600 */

/* What Java's String.getBytes() makes of a text. */
static const struct {
	const char *encoding, *text, *hex;
} encoded[] = {
	{"UTF-8", "\xc3\xa4\xe2\x82\xac" SMILE, "c3a4e282acf09f9880"},
	{"ISO-8859-1", "", ""},
	{"ISO-8859-1", "a", "61"},
	{"ISO-8859-1", "\xc3\xa4" "b\xc3\xbf", "e462ff"},
	{"US-ASCII", "a~", "617e"},
	{"UTF-16", "", ""},
	{"UTF-16", "a", "feff0061"},
	{"UTF-16", "\xc3\xa4\xe2\x82\xac" SMILE, "feff00e420acd83dde00"},
	{"UTF-16", "\xef\xbb\xbfx", "fefffeff0078"},
	{"UTF-16BE", "\xc3\xa4\xe2\x82\xac" SMILE, "00e420acd83dde00"},
	{"UTF-16BE", "\xef\xbb\xbfx", "feff0078"},
	{"UTF-16LE", "\xc3\xa4\xe2\x82\xac" SMILE, "e400ac203dd800de"},
	{"UTF-16LE", "\xef\xbb\xbfx", "fffe7800"},
	{"UTF-16BE", "\xf4\x8f\xbf\xbf\xef\xbf\xbf", "dbffdfffffff"},
};

START_TEST(string_writes_and_reads_java_s_encodings)
{
	struct setting settings[] = {{"serializer.encoding", encoded[_i].encoding}, {NULL}};
	struct loaded *l = open_as("string", "key.serializer", settings);
	const char *text = encoded[_i].text;
	struct klamm_value in = {.type = KLAMM_VALUE_STRING, .as.bytes = {text, strlen(text)}};
	struct klamm_value out;
	ck_assert_msg(encode(l, &in) == 0, "%s", err.text);
	unit_check_hex(sink.out.data, sink.out.len, encoded[_i].hex);
	ck_assert_int_eq(decode(l, sink.out.data != NULL ? sink.out.data : (void *)"",
				sink.out.len, &out), 0);
	ck_assert(equal(&in, &out));
	close_one(l);
}
END_TEST

/* Where a mark says the order, or nothing does. */
static const struct {
	const char *encoding, *hex, *text;
} read_as[] = {
	{"UTF-16", "feff0061", "a"},
	{"UTF-16", "fffe6100", "a"},
	{"UTF-16", "fffe3dd800de", SMILE},
	{"UTF-16", "0061", "a"},
	{"UTF-16", "feff", ""},
	{"UTF-16LE", "0061", "\xe6\x84\x80"},
	{"UTF-16LE", "fffe6100", "\xef\xbb\xbf" "a"},
	{"UTF-16BE", "fffe", "\xef\xbf\xbe"},
	{"ISO-8859-1", "80", "\xc2\x80"},
};

START_TEST(string_reads_marks)
{
	struct setting settings[] = {{"deserializer.encoding", read_as[_i].encoding}, {NULL}};
	struct loaded *l = open_as("string", "value.deserializer", settings);
	size_t n;
	uint8_t *bytes = unit_hex(read_as[_i].hex, &n);
	struct klamm_value out;
	ck_assert_msg(decode(l, bytes, n, &out) == 0, "%s", err.text);
	ck_assert_uint_eq(out.as.bytes.len, strlen(read_as[_i].text));
	ck_assert_mem_eq(out.as.bytes.data, read_as[_i].text, out.as.bytes.len);
	free(bytes);
	close_one(l);
}
END_TEST

static const struct {
	const char *encoding, *hex, *says;
	bool is_read;
} unfit[] = {
	{"ISO-8859-1", "61e282ac",
	 "the value has U+20AC at byte 1 of 4, which ISO-8859-1 has no code for", false},
	{"US-ASCII", "c3a4",
	 "the value has U+00E4 at byte 0 of 2, which US-ASCII has no code for", false},
	{"UTF-16", "61ff", "the value is not UTF-8 at byte 1 of 2 (0xff)", false},
	{"US-ASCII", "6180", "the value is not US-ASCII at byte 1 of 2 (0x80)", true},
	{"UTF-16", "006100", "the value is not UTF-16 at byte 2 of 3 (0x00)", true},
	{"UTF-16BE", "0061d83d", "the value is not UTF-16BE at byte 2 of 4 (0xd8)", true},
	{"UTF-16BE", "d83d0061", "the value is not UTF-16BE at byte 0 of 4 (0xd8)", true},
	{"UTF-16LE", "00dc3dd8", "the value is not UTF-16LE at byte 0 of 4 (0x00)", true},
};

START_TEST(string_replaces_nothing)
{
	struct setting settings[] = {{"serializer.encoding", unfit[_i].encoding},
				     {"deserializer.encoding", unfit[_i].encoding}, {NULL}};
	struct loaded *l = open_as("string", "value.deserializer", settings);
	size_t n;
	uint8_t *bytes = unit_hex(unfit[_i].hex, &n);
	struct klamm_value in = {.type = KLAMM_VALUE_STRING, .as.bytes = {bytes, n}}, out;
	if (unfit[_i].is_read)
		ck_assert_int_eq(decode(l, bytes, n, &out), KLAMM_ERR_DESERIALIZE);
	else
		ck_assert_int_eq(encode(l, &in), KLAMM_ERR_SERIALIZE);
	ck_assert_str_eq(err.text, unfit[_i].says);
	ck_assert_uint_eq(sink.out.len, 0);
	free(bytes);
	close_one(l);
}
END_TEST

/* Java has a key for each side, and one for both. */
static const struct {
	const char *role, *key;
	bool is_heard;
} keys[] = {
	{"key.serializer", "serializer.encoding", true},
	{"key.serializer", "key.serializer.encoding", true},
	{"key.serializer", "value.serializer.encoding", false},
	{"key.serializer", "deserializer.encoding", false},
	{"value.serializer", "value.serializer.encoding", true},
	{"key.deserializer", "deserializer.encoding", true},
	{"key.deserializer", "key.deserializer.encoding", true},
	{"key.deserializer", "value.deserializer.encoding", false},
	{"value.deserializer", "serializer.encoding", false},
	{"value.deserializer", "value.deserializer.encoding", true},
};

START_TEST(encodings_are_set_by_java_s_keys)
{
	for (int i = 0; i < 2; i++) {
		struct setting settings[] = {{keys[_i].key, "UTF-16BE"}, {NULL}};
		struct loaded *l = open_as(i == 0 ? "string" : "uuid", keys[_i].role,
					   settings);
		static const char id[] = "123e4567-e89b-12d3-a456-426614174000";
		struct klamm_value in = TEXT("123e4567-e89b-12d3-a456-426614174000");
		ck_assert_int_eq(encode(l, &in), 0);
		ck_assert_uint_eq(sink.out.len, keys[_i].is_heard ? 72 : 36);
		ck_assert_int_eq(sink.out.data[keys[_i].is_heard], id[0]);
		close_one(l);
	}
}
END_TEST

/* --- numbers and UUIDs --- */

#define UUID(...) {.type = KLAMM_VALUE_UUID, .as.uuid = {{__VA_ARGS__}}}

/* What Java's serializers write. */
static const struct {
	const char *plugin;
	struct klamm_value value;
	const char *hex;
} fixed[] = {
	{"int16", INT(0), "0000"},
	{"int16", INT(-2), "fffe"},
	{"int16", INT(INT16_MAX), "7fff"},
	{"int16", INT(INT16_MIN), "8000"},
	{"int32", INT(0x01020304), "01020304"},
	{"int32", INT(-1), "ffffffff"},
	{"int32", INT(INT32_MIN), "80000000"},
	{"int64", INT(0x0102030405060708), "0102030405060708"},
	{"int64", INT(INT64_MIN), "8000000000000000"},
	{"int64", INT(INT64_MAX), "7fffffffffffffff"},
	{"float", REAL(1.5), "3fc00000"},
	{"float", REAL(-0.0), "80000000"},
	{"float", REAL((double)FLT_MAX), "7f7fffff"},
	{"float", REAL(INFINITY), "7f800000"},
	{"float", REAL(1e-45f), "00000001"},
	{"double", REAL(0.1), "3fb999999999999a"},
	{"double", REAL(-0.0), "8000000000000000"},
	{"double", REAL(DBL_MAX), "7fefffffffffffff"},
	{"double", REAL(-INFINITY), "fff0000000000000"},
	{"uuid", UUID(0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66,
		      0x14, 0x17, 0x40, 0),
	 "31323365343536372d653839622d313264332d613435362d343236363134313734303030"},
};

START_TEST(numbers_are_java_s_both_ways)
{
	struct loaded *l = open_one(fixed[_i].plugin);
	struct klamm_value back;
	ck_assert_msg(encode(l, &fixed[_i].value) == 0, "%s", err.text);
	unit_check_hex(sink.out.data, sink.out.len, fixed[_i].hex);
	ck_assert_int_eq(decode(l, sink.out.data, sink.out.len, &back), 0);
	ck_assert(equal(&fixed[_i].value, &back));
	close_one(l);
}
END_TEST

/* What is not the usual form of a value, and what becomes of it. */
START_TEST(numbers_are_taken_in_other_forms)
{
	static const struct {
		const char *plugin;
		struct klamm_value value;
		const char *hex;
	} taken[] = {
		{"float", REAL(0.1), "3dcccccd"},
		{"float", INT(-16777216), "cb800000"},
		{"float", REAL(1e-300), "00000000"},
		{"double", INT(3), "4008000000000000"},
		{"double", INT(9007199254740992), "4340000000000000"},
		{"double", REAL(-NAN), "7ff8000000000000"},
		{"uuid", TEXT("00000000-0000-0000-0000-0000000000AF"),
		 "30303030303030302d303030302d303030302d303030302d303030303030303030306166"},
	};
	for (size_t i = 0; i < kl_countof(taken); i++) {
		struct loaded *l = open_one(taken[i].plugin);
		ck_assert_msg(encode(l, &taken[i].value) == 0, "%s", err.text);
		unit_check_hex(sink.out.data, sink.out.len, taken[i].hex);
		close_one(l);
	}
}
END_TEST

static const struct {
	const char *plugin;
	struct klamm_value value;
	const char *says;
} too_much[] = {
	{"int16", INT(32768), "the value is 32768; an int16 is from -32768 to 32767"},
	{"int16", INT(-32769), "the value is -32769; an int16 is from -32768 to 32767"},
	{"int32", INT(2147483648), "the value is 2147483648; an int32 is from -2147483648 to "
				   "2147483647"},
	{"int32", REAL(1), "the value is of type 4; an int32 is made of INT"},
	{"int64", TEXT("1"), "the value is of type 2; an int64 is made of INT"},
	{"float", REAL(1e39), "the value is too large for a float, which ends at 3.4e38"},
	{"float", INT(16777217), "the value is 16777217; a float holds whole numbers from "
				 "-16777216 to 16777216 without loss"},
	{"double", INT(9007199254740993),
	 "the value is 9007199254740993; a double holds whole numbers from -9007199254740992 "
	 "to 9007199254740992 without loss"},
	{"double", BOOL(1), "the value is of type 5; a double is made of DOUBLE or INT"},
	{"uuid", INT(1), "the value is of type 3; uuid takes UUID, and STRING and BYTES with "
			 "the text of one"},
	{"uuid", TEXT("1-2-3-4-5"), "the value is a text of 9 bytes; that of a UUID has 36"},
};

START_TEST(numbers_have_their_ends)
{
	struct loaded *l = open_one(too_much[_i].plugin);
	ck_assert_int_eq(encode(l, &too_much[_i].value), KLAMM_ERR_SERIALIZE);
	ck_assert_str_eq(err.text, too_much[_i].says);
	ck_assert_uint_eq(sink.out.len, 0);
	close_one(l);
}
END_TEST

static const struct {
	const char *plugin, *bytes, *says;
} no_number[] = {
	{"int16", "", "the value has 0 bytes; an int16 has 2"},
	{"int16", "abc", "the value has 3 bytes; an int16 has 2"},
	{"int32", "abc", "the value has 3 bytes; an int32 has 4"},
	{"int64", "abcd", "the value has 4 bytes; an int64 has 8"},
	{"float", "abcdefgh", "the value has 8 bytes; a float has 4"},
	{"double", "abcd", "the value has 4 bytes; a double has 8"},
	{"uuid", "", "the value is a text of 0 bytes; that of a UUID has 36"},
	{"uuid", "123e4567e89b12d3a456426614174000",
	 "the value is a text of 32 bytes; that of a UUID has 36"},
	{"uuid", "123e4567-e89b-12d3-a456-42661417400g",
	 "the value is not a UUID at character 35 (0x67): it is 8-4-4-4-12 hexadecimal "
	 "digits"},
	{"uuid", "123e4567_e89b-12d3-a456-426614174000",
	 "the value is not a UUID at character 8 (0x5f): it is 8-4-4-4-12 hexadecimal digits"},
	{"uuid", "\xff" "23e4567-e89b-12d3-a456-426614174000",
	 "the value is not UTF-8 at byte 0 of 36 (0xff)"},
};

START_TEST(numbers_have_one_length)
{
	struct loaded *l = open_one(no_number[_i].plugin);
	struct klamm_value out;
	size_t n = strlen(no_number[_i].bytes);
	ck_assert_int_eq(decode(l, no_number[_i].bytes, n, &out), KLAMM_ERR_DESERIALIZE);
	ck_assert_str_eq(err.text, no_number[_i].says);
	close_one(l);
}
END_TEST

/* Null is the core's: it never comes to these. */
START_TEST(numbers_leave_null_alone)
{
	static const char *const names[] = {"int16",  "int32", "int64", "float",
					    "double", "uuid",  "string"};
	for (size_t i = 0; i < kl_countof(names); i++) {
		struct loaded *l = open_one(names[i]);
		ck_assert_uint_eq(l->plugin->serializer.flags, 0);
		close_one(l);
	}
}
END_TEST

UNIT_SUITE(serializers)
{
	Suite *s = suite_create("serializers");
	unit_add(s, bytes_are_kept);
	unit_add_loop(s, string_checks_utf8_both_ways, (int)kl_countof(texts));
	unit_add_loop(s, empty_is_not_null, 2);
	unit_add_loop(s, string_writes_and_reads_java_s_encodings, (int)kl_countof(encoded));
	unit_add_loop(s, string_reads_marks, (int)kl_countof(read_as));
	unit_add_loop(s, string_replaces_nothing, (int)kl_countof(unfit));
	unit_add_loop(s, encodings_are_set_by_java_s_keys, (int)kl_countof(keys));
	unit_add_loop(s, numbers_are_java_s_both_ways, (int)kl_countof(fixed));
	unit_add(s, numbers_are_taken_in_other_forms);
	unit_add_loop(s, numbers_have_their_ends, (int)kl_countof(too_much));
	unit_add_loop(s, numbers_have_one_length, (int)kl_countof(no_number));
	unit_add(s, numbers_leave_null_alone);
	unit_add_loop(s, json_and_values_map_both_ways, (int)kl_countof(pairs));
	unit_add_loop(s, json_reads_other_spellings, (int)kl_countof(spellings));
	unit_add_loop(s, json_faults_have_a_place, (int)kl_countof(faults));
	unit_add(s, json_numbers_have_an_end);
	unit_add(s, json_ignores_the_locale);
	unit_add(s, json_nests_only_so_deep);
	unit_add(s, json_refuses_what_it_cannot_write);
	unit_add(s, json_obeys_limits);
	return s;
}
