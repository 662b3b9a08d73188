/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines to records and records to lines; and that one is the inverse of the other. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/format.h"
#include "cli/reader.h"
#include "tests/unit/unit.h"

static struct klamm_span span(const char *text)
{
	return (struct klamm_span){text, strlen(text)};
}

static void check_span(struct klamm_span got, const char *want)
{
	if (want == NULL) {
		ck_assert_ptr_null(got.data);
		return;
	}
	ck_assert_ptr_nonnull(got.data);
	ck_assert_uint_eq(got.len, strlen(want));
	ck_assert_mem_eq(got.data, want, got.len);
}

static struct cli_reader plain_reader(void)
{
	return (struct cli_reader){
		.timestamp_ms = KLAMM_TIMESTAMP_NOW,
		.partition = KLAMM_PARTITION_NONE,
	};
}

static void check_line(struct cli_reader *reader, const char *line, const char *key,
		       const char *value)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	char why[CLI_WHY];
	ck_assert_msg(cli_reader_record(reader, span(line), &record, why), "%s: %s",
		      line, why);
	check_span(record.key, key);
	check_span(record.value, value);
	ck_assert_ptr_null(record.key_value);
	ck_assert_ptr_null(record.value_value);
}

START_TEST(plain_lines)
{
	struct cli_reader r = plain_reader();
	check_line(&r, "value", NULL, "value");
	check_line(&r, "", NULL, "");
	r.key = "fixed";
	check_line(&r, "value", "fixed", "value");
	r.key = NULL;
	r.separator = span("::");
	check_line(&r, "k::v::w", "k", "v::w");
	check_line(&r, "k:v", NULL, "k:v");
	check_line(&r, "::", "", "");
	r.empty_is_null = true;
	check_line(&r, "::", NULL, NULL);
	check_line(&r, "k::", "k", NULL);
	check_line(&r, "", NULL, NULL);
	cli_reader_free(&r);
}
END_TEST

START_TEST(through_serializers)
{
	ck_assert_int_eq(cli_form_of(NULL), CLI_RAW);
	ck_assert_int_eq(cli_form_of("string"), CLI_STRING);
	ck_assert_int_eq(cli_form_of("bytes"), CLI_STRING);
	ck_assert_int_eq(cli_form_of("json"), CLI_JSON);
	struct cli_reader r = plain_reader();
	struct klamm_record record = KLAMM_RECORD_INIT;
	char why[CLI_WHY];
	r.separator = span(" ");
	r.key_form = CLI_STRING;
	r.value_form = CLI_JSON;
	ck_assert(cli_reader_record(&r, span("k {\"a\":[1,true]}"), &record, why));
	ck_assert_int_eq(record.key_value->type, KLAMM_VALUE_STRING);
	check_span(record.key_value->as.bytes, "k");
	ck_assert_int_eq(record.value_value->type, KLAMM_VALUE_MAP);
	ck_assert_uint_eq(record.value_value->as.map.count, 1);
	ck_assert_int_eq(record.value_value->as.map.entries[0].value.type,
			 KLAMM_VALUE_LIST);
	ck_assert(!cli_reader_record(&r, span("k {\"a\""), &record, why));
	r.envelopes = true;
	ck_assert(cli_reader_record(&r, span("{\"key\":\"k\",\"value\":{\"a\":1}}"),
				    &record, why));
	ck_assert_int_eq(record.key_value->type, KLAMM_VALUE_STRING);
	ck_assert_int_eq(record.value_value->type, KLAMM_VALUE_MAP);
	ck_assert(cli_reader_record(&r, span("{}"), &record, why));
	ck_assert_ptr_null(record.value_value);
	ck_assert_ptr_null(record.value.data);
	cli_reader_free(&r);
}
END_TEST

/* As deep as a value may be, in an envelope and without, and one deeper. */
START_TEST(deep_values)
{
	static const char *const inner[] = {"", "1", "{\"base64\":\"AA==\"}"};
	struct klamm_record record = KLAMM_RECORD_INIT;
	char why[CLI_WHY];
	for (size_t i = 0; i < 4 * kl_countof(inner); i++) {
		struct cli_reader r = plain_reader();
		int depth = KLAMM_VALUE_DEPTH_MAX + (i & 1);
		KL_AUTO(kl_buf_free) struct kl_buf line = {0};
		r.value_form = CLI_JSON;
		r.envelopes = (i & 2) != 0;
		kl_buf_printf(&line, "%s", r.envelopes ? "{\"value\":" : "");
		for (int k = 0; k < depth; k++)
			kl_buf_u8(&line, '[');
		kl_buf_printf(&line, "%s", inner[i / 4]);
		for (int k = 0; k < depth; k++)
			kl_buf_u8(&line, ']');
		kl_buf_printf(&line, "%s", r.envelopes ? "}" : "");
		bool good = cli_reader_record(&r, span(kl_buf_text(&line)), &record, why);
		ck_assert_msg(good == !(i & 1), "%s: %s", kl_buf_text(&line), why);
		ck_assert(good || strstr(why, " deep") != NULL);
		cli_reader_free(&r);
	}
}
END_TEST

START_TEST(envelopes)
{
	struct klamm_header own = {span("mine"), span("1")};
	struct cli_reader r = plain_reader();
	struct klamm_record record = KLAMM_RECORD_INIT;
	char why[CLI_WHY];
	r.envelopes = true;
	r.headers = &own;
	r.header_count = 1;
	const char line[] =
		"{\"topic\":\"t\",\"partition\":3,\"offset\":9,\"timestamp\":12,"
		"\"timestamp_type\":\"CreateTime\",\"key\":null,"
		"\"value\":{\"base64\":\"AAE=\"},\"headers\":[[\"h\",null],[\"h\",\"\"]"
		"]}";
	ck_assert_msg(cli_reader_record(&r, span(line), &record, why), "%s", why);
	ck_assert_ptr_null(record.key.data);
	ck_assert_uint_eq(record.value.len, 2);
	ck_assert_mem_eq(record.value.data, "\0\1", 2);
	ck_assert_int_eq(record.timestamp_ms, 12);
	ck_assert_int_eq(record.partition, KLAMM_PARTITION_NONE);
	ck_assert_uint_eq(record.header_count, 3);
	check_span(record.headers[0].name, "mine");
	check_span(record.headers[1].value, NULL);
	check_span(record.headers[2].name, "h");
	check_span(record.headers[2].value, "");
	r.keep_partition = true;
	ck_assert(cli_reader_record(&r, span(line), &record, why));
	ck_assert_int_eq(record.partition, 3);
	/* What the line does not say is as it was set. */
	r.timestamp_ms = 5;
	r.partition = 1;
	ck_assert(cli_reader_record(&r, span("{\"timestamp\":-1,\"partition\":null}"),
				    &record, why));
	ck_assert_int_eq(record.timestamp_ms, 5);
	ck_assert_int_eq(record.partition, 1);
	ck_assert_uint_eq(record.header_count, 1);
	cli_reader_free(&r);
}
END_TEST

START_TEST(wrong_envelopes)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"", "the JSON value has no end"},
		{"[]", "not a JSON object"},
		{"null", "not a JSON object"},
		{"{} {}", "not JSON"},
		{"{\"valu\":1}", "valu: an envelope has no such member"},
		{"{\"value\":1}", "value must be a string"},
		{"{\"key\":{\"base64\":\"AAA\"}}", "key must be a string"},
		{"{\"key\":{\"base64\":\"A?AA\"}}", "key must be a string"},
		{"{\"timestamp\":-2}", "timestamp must be a number"},
		{"{\"timestamp\":1.5}", "timestamp must be a number"},
		{"{\"partition\":2147483648}", "partition must be a number"},
		{"{\"headers\":{}}", "headers must be a list"},
		{"{\"headers\":[[\"a\"]]}", "headers must be a list"},
		{"{\"headers\":[[null,\"a\"]]}", "headers must be a list"},
		{"{\"headers\":[\"ab\"]}", "headers must be a list"},
	};
	struct cli_reader r = plain_reader();
	struct klamm_record record = KLAMM_RECORD_INIT;
	r.envelopes = r.keep_partition = true;
	for (size_t i = 0; i < kl_countof(cases); i++) {
		char why[CLI_WHY] = "";
		bool good = cli_reader_record(&r, span(cases[i].line), &record, why);
		/* json-c has its own words for a text that only begins. */
		ck_assert_msg(!good && (i == 0 || strstr(why, cases[i].why) == why),
			      "%s: %s", cases[i].line, why);
		ck_assert_str_ne(why, "");
	}
	cli_reader_free(&r);
}
END_TEST

/* --- formats --- */

static void check_format(const char *format, const char *want)
{
	struct cli_format f = {0};
	struct klamm_record_view view = {
		.key = span("K"),
		.value = {NULL, 0},
		.offset = 42,
		.timestamp_ms = 1000000000250,
		.timestamp_type = KLAMM_TIMESTAMP_LOG_APPEND,
		.header_count = 2,
		/* a=1, b=null: lengths are zigzag varints */
		.headers = (const uint8_t *)"\2a\2"
					    "1\2b\1",
		.headers_len = 7,
	};
	KL_AUTO(kl_buf_free) struct kl_buf out = {0};
	char why[128];
	ck_assert_msg(cli_format_compile(&f, format, why), "%s: %s", format, why);
	cli_format_batch(&f, "topic", 3);
	ck_assert_int_eq(cli_format_record(&f, NULL, &view, &out, NULL), 0);
	ck_assert_str_eq(kl_buf_text(&out), want);
	cli_format_free(&f);
}

START_TEST(directives)
{
	check_format("", "");
	check_format("no directive", "no directive");
	check_format("%t-%p-%o-%k-%s-%T\\n", "topic-3-42-K--1000000000250\n");
	check_format("%K %S %h", "1 -1 a=1,b=NULL");
	check_format("100%%\\t\\x41", "100%\tA");
	check_format("%{topic}/%{partition}/%{offset}", "topic/3/42");
	check_format("%{time} %{timestamp_type}",
		     "2001-09-09T01:46:40.250Z LogAppendTime");
	check_format("%{key:hex} %{key:base64}", "4b Sw==");
	check_format("[%{header:a}][%{header:b}][%{header:c}]", "[1][][]");
	check_format("%{key_length}%{value_length}", "1-1");
}
END_TEST

START_TEST(wrong_formats)
{
	static const char *const bad[] = {"%",	     "%x",    "%{",	    "%{}",
					  "%{topi}", "%{key", "%{header:}", "a%"};
	for (size_t i = 0; i < kl_countof(bad); i++) {
		struct cli_format f = {0};
		char why[128] = "";
		ck_assert_msg(!cli_format_compile(&f, bad[i], why), "%s", bad[i]);
		ck_assert_str_ne(why, "");
		cli_format_free(&f);
	}
}
END_TEST

START_TEST(no_memory_for_the_head)
{
	struct cli_format f = {.json = true, .head.max = 8};
	struct klamm_record_view view = {.offset = 42};
	struct kl_buf out = {0};
	cli_format_batch(&f, "topic", 3);
	ck_assert_int_eq(cli_format_record(&f, NULL, &view, &out, NULL), 0);
	ck_assert(out.failed);
	kl_buf_free(&out);
	cli_format_free(&f);
}
END_TEST

/* --- there and back --- */

static uint64_t seed;

static uint32_t pick(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Null, empty, text with everything that JSON escapes, or any bytes at all. */
static struct klamm_span random_bytes(uint8_t *room, size_t max, bool nullable)
{
	static const char *const words[] = {"a",
					    "\"",
					    "\\",
					    "\n",
					    "\t",
					    "\x01",
					    "\x7f",
					    "/",
					    "\xc3\xa4",
					    "\xe2\x80\xa8",
					    "\xf0\x9f\x98\x80",
					    "{\"base64\":\"\"}"};
	size_t len = 0, want = pick(2) ? pick(8) : pick((uint32_t)max - 16);
	switch (pick(nullable ? 5 : 4)) {
	case 0:
		want = 0;
		break;
	case 1:
		for (; len < want; len++)
			room[len] = (uint8_t)pick(256);
		break;
	case 4:
		return (struct klamm_span){NULL, 0};
	default:
		while (len < want) {
			const char *word = words[pick(kl_countof(words))];
			memcpy(room + len, word, strlen(word));
			len += strlen(word);
		}
	}
	return (struct klamm_span){room, len};
}

static void same(struct klamm_span a, struct klamm_span b)
{
	ck_assert((a.data == NULL) == (b.data == NULL));
	ck_assert_uint_eq(a.len, b.len);
	if (a.len > 0)
		ck_assert_mem_eq(a.data, b.data, a.len);
}

#define HEADERS 4

struct made {
	struct klamm_record_view view;
	struct klamm_header headers[HEADERS];
	uint8_t key[1024], value[8192], names[HEADERS][64], values[HEADERS][256];
	struct kl_buf encoded;
};

static void make(struct made *m)
{
	kl_buf_clear(&m->encoded);
	m->view = (struct klamm_record_view){
		.key = random_bytes(m->key, sizeof(m->key), true),
		.value = random_bytes(m->value, sizeof(m->value), true),
		.offset = pick(1000000),
		.timestamp_ms = (int64_t)pick(UINT32_MAX) << pick(10),
		.timestamp_type = (int32_t)pick(2),
		.header_count = pick(HEADERS + 1),
	};
	for (uint32_t i = 0; i < m->view.header_count; i++) {
		struct klamm_header *h = &m->headers[i];
		h->name = random_bytes(m->names[i], sizeof(m->names[i]), false);
		h->value = random_bytes(m->values[i], sizeof(m->values[i]), true);
		kl_buf_varlong(&m->encoded, (int64_t)h->name.len);
		kl_buf_put(&m->encoded, h->name.data, h->name.len);
		kl_buf_varlong(&m->encoded, h->value.data ? (int64_t)h->value.len : -1);
		kl_buf_put(&m->encoded, h->value.data, h->value.len);
	}
	m->view.headers = m->encoded.data;
	m->view.headers_len = (uint32_t)m->encoded.len;
}

START_TEST(nothing_is_lost)
{
	static struct made m;
	struct cli_format f = {.json = true};
	struct cli_reader r = plain_reader();
	struct kl_buf out = {0};
	r.envelopes = r.keep_partition = true;
	seed = 20261122;
	for (int i = 0; i < 5000; i++) {
		struct klamm_record record = KLAMM_RECORD_INIT;
		char why[CLI_WHY];
		make(&m);
		int32_t partition = (int32_t)pick(INT32_MAX);
		cli_format_batch(&f, "a.topic", partition);
		kl_buf_clear(&out);
		ck_assert_int_eq(cli_format_record(&f, NULL, &m.view, &out, NULL), 0);
		/* One line, so that lines can be taken apart. */
		ck_assert_ptr_eq(memchr(out.data, '\n', out.len),
				 out.data + out.len - 1);
		struct klamm_span line = {out.data, out.len - 1};
		ck_assert_msg(cli_reader_record(&r, line, &record, why), "%s: %s", why,
			      kl_buf_text(&out));
		same(record.key, m.view.key);
		same(record.value, m.view.value);
		ck_assert_int_eq(record.timestamp_ms, m.view.timestamp_ms);
		ck_assert_int_eq(record.partition, partition);
		ck_assert_uint_eq(record.header_count, m.view.header_count);
		for (uint32_t h = 0; h < m.view.header_count; h++) {
			same(record.headers[h].name, m.headers[h].name);
			same(record.headers[h].value, m.headers[h].value);
		}
	}
	kl_buf_free(&out);
	kl_buf_free(&m.encoded);
	cli_format_free(&f);
	cli_reader_free(&r);
}
END_TEST

UNIT_SUITE(records)
{
	Suite *s = suite_create("records");
	unit_add(s, plain_lines);
	unit_add(s, through_serializers);
	unit_add(s, deep_values);
	unit_add(s, envelopes);
	unit_add(s, wrong_envelopes);
	unit_add(s, directives);
	unit_add(s, wrong_formats);
	unit_add(s, no_memory_for_the_head);
	unit_add(s, nothing_is_lost);
	return s;
}
