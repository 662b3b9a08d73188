/* SPDX-License-Identifier: BSD-2-Clause */
/* Records out of a pipe, however the bytes come in. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/io.h"
#include "tests/unit/unit.h"

#define LATE_BYTES (1 << 20)

static int ends[2];
static struct cli_lines lines;

static void begin(const char *delimiter, size_t len)
{
	ck_assert_int_eq(pipe(ends), 0);
	cli_lines_init(&lines, ends[0], (struct klamm_span){delimiter, len});
}

static void give(const void *text, size_t len)
{
	ck_assert_int_eq(write(ends[1], text, len), (ssize_t)len);
	ck_assert_int_eq(cli_lines_fill(&lines), 1);
}

static void finish(void)
{
	close(ends[1]);
	ck_assert_int_eq(cli_lines_fill(&lines), 0);
	ck_assert_int_eq(cli_lines_fill(&lines), 0);
}

static void expect(const char *text, size_t len)
{
	struct klamm_span line;
	ck_assert(cli_lines_next(&lines, &line));
	ck_assert_uint_eq(line.len, len);
	ck_assert_mem_eq(line.data, text, len);
}

static void expect_none(void)
{
	struct klamm_span line;
	ck_assert(!cli_lines_next(&lines, &line));
}

#define GIVE(text)   give(text, sizeof(text) - 1)
#define EXPECT(text) expect(text, sizeof(text) - 1)

START_TEST(in_pieces)
{
	begin("\n", 1);
	expect_none();
	GIVE("one\ntw");
	EXPECT("one");
	expect_none();
	GIVE("o\n\nth\0ree");
	EXPECT("two");
	EXPECT("");
	expect_none();
	finish();
	EXPECT("th\0ree");
	expect_none();
	cli_lines_free(&lines);
}
END_TEST

START_TEST(no_rest_after_a_delimiter)
{
	begin("\n", 1);
	GIVE("a\n");
	EXPECT("a");
	finish();
	expect_none();
	cli_lines_free(&lines);
}
END_TEST

START_TEST(delimiter_of_several_bytes)
{
	begin("\r\n--", 4);
	GIVE("a\r\n-b\r\n-");
	expect_none();
	GIVE("-c\r");
	EXPECT("a\r\n-b");
	expect_none();
	GIVE("\n--\r\n--");
	EXPECT("c");
	EXPECT("");
	finish();
	expect_none();
	cli_lines_free(&lines);
}
END_TEST

/* A record of 5 MiB that comes in pieces of 1 KiB is looked at once, not once per
 * piece. */
START_TEST(long_record)
{
	char piece[1024];
	size_t total = 5 << 20;
	memset(piece, 'x', sizeof(piece));
	begin("\n", 1);
	for (size_t n = 0; n < total; n += sizeof(piece)) {
		give(piece, sizeof(piece));
		expect_none();
		ck_assert_uint_eq(lines.scanned, lines.end);
	}
	GIVE("\nnext\n");
	struct klamm_span line;
	ck_assert(cli_lines_next(&lines, &line));
	ck_assert_uint_eq(line.len, total);
	ck_assert_int_eq(((const char *)line.data)[total - 1], 'x');
	EXPECT("next");
	cli_lines_free(&lines);
}
END_TEST

/* All bytes of a pipe, begun when it is full. */
static void read_late(void)
{
	static char chunk[4096];
	size_t left = LATE_BYTES;
	usleep(50000);
	while (left > 0) {
		ssize_t n = read(ends[0], chunk, sizeof(chunk));
		if (n <= 0)
			_exit(1);
		left -= (size_t)n;
	}
	_exit(0);
}

START_TEST(no_wait_for_the_reader)
{
	char *bytes = calloc(1, LATE_BYTES);
	int status;
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, 0), 0);
	pid_t reader = fork();
	if (reader == 0)
		read_late();
	ck_assert_int_eq(cli_write(ends[1], bytes, LATE_BYTES), 0);
	ck_assert_int_eq(waitpid(reader, &status, 0), reader);
	ck_assert_int_eq(status, 0);
	free(bytes);
}
END_TEST

START_TEST(escapes)
{
	static const struct {
		const char *text, *bytes;
		size_t len;
	} cases[] = {
		{"\\n\\t\\r\\\\", "\n\t\r\\", 4},
		{"\\0", "\0", 1},
		{"\\x41\\xfF", "A\xff", 2},
		{"plain", "plain", 5},
		{"\\", "\\", 1},
		{"\\q", "\\q", 2},
		{"\\x4", "\\x4", 3},
		{"a\\x00b", "a\0b", 3},
	};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		struct klamm_span got = cli_unescape(cases[i].text);
		ck_assert_uint_eq(got.len, cases[i].len);
		ck_assert_mem_eq(got.data, cases[i].bytes, got.len);
		free((void *)got.data);
	}
}
END_TEST

START_TEST(integers)
{
	static const struct {
		int64_t n;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-1, "-1"},
		{1234567890, "1234567890"},
		{INT64_MAX, "9223372036854775807"},
		{INT64_MIN, "-9223372036854775808"},
	};
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		kl_buf_clear(&b);
		cli_put_int(&b, cases[i].n);
		ck_assert_str_eq(kl_buf_text(&b), cases[i].text);
	}
}
END_TEST

UNIT_SUITE(lines)
{
	Suite *s = suite_create("lines");
	unit_add(s, in_pieces);
	unit_add(s, no_rest_after_a_delimiter);
	unit_add(s, delimiter_of_several_bytes);
	unit_add(s, long_record);
	unit_add(s, no_wait_for_the_reader);
	unit_add(s, escapes);
	unit_add(s, integers);
	return s;
}
