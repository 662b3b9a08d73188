/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <time.h>

#include "cli/place.h"
#include "tests/unit/unit.h"

#define NOW 1700000000123

static void check(const char *text, int kind, int64_t n)
{
	struct cli_place place = {0};
	ck_assert_msg(cli_place_parse(text, NOW, &place), "%s", text);
	ck_assert_msg(place.kind == kind && place.n == n, "%s: %d %lld", text, place.kind,
		      (long long)place.n);
}

START_TEST(offsets)
{
	check("start", CLI_PLACE_START, 0);
	check("beginning", CLI_PLACE_START, 0);
	check("end", CLI_PLACE_END, 0);
	check("latest", CLI_PLACE_END, 0);
	check("0", CLI_PLACE_OFFSET, 0);
	check("9223372036854775807", CLI_PLACE_OFFSET, INT64_MAX);
	check("-10", CLI_PLACE_TAIL, 10);
}
END_TEST

START_TEST(times)
{
	setenv("TZ", "UTC-2", 1); /* two hours east */
	tzset();
	check("@0", CLI_PLACE_TIME, 0);
	check("@1700000000000", CLI_PLACE_TIME, 1700000000000);
	check("@now", CLI_PLACE_TIME, NOW);
	check("@-250ms", CLI_PLACE_TIME, NOW - 250);
	check("@-90s", CLI_PLACE_TIME, NOW - 90000);
	check("@-5m", CLI_PLACE_TIME, NOW - 300000);
	check("@-2h", CLI_PLACE_TIME, NOW - 7200000);
	check("@-1d", CLI_PLACE_TIME, NOW - 86400000);
	check("@-1w", CLI_PLACE_TIME, NOW - 7 * 86400000ll);
	check("@2001-09-09T01:46:40Z", CLI_PLACE_TIME, 1000000000000);
	check("@2001-09-09T01:46:40.25Z", CLI_PLACE_TIME, 1000000000250);
	check("@2001-09-09T01:46:40.123456Z", CLI_PLACE_TIME, 1000000000123);
	check("@2001-09-09T01:46Z", CLI_PLACE_TIME, 999999960000);
	check("@2001-09-09T04:16:40+02:30", CLI_PLACE_TIME, 1000000000000);
	check("@2001-09-08T20:46:40-0500", CLI_PLACE_TIME, 1000000000000);
	check("@2001-09-09T03:46:40", CLI_PLACE_TIME, 1000000000000);
	check("@2001-09-09 03:46:40", CLI_PLACE_TIME, 1000000000000);
	check("@2001-09-09", CLI_PLACE_TIME, 999986400000);
	check("@2024-02-29T00:00Z", CLI_PLACE_TIME, 1709164800000);
	check("@2001-09-09T19:46:40+18:00", CLI_PLACE_TIME, 1000000000000);
}
END_TEST

START_TEST(clocks_that_leap)
{
	struct cli_place place;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	check("@2026-03-29T01:59:59", CLI_PLACE_TIME, 1774745999000);
	ck_assert(!cli_place_parse("@2026-03-29T02:30", NOW, &place));
	check("@2026-03-29T03:00", CLI_PLACE_TIME, 1774746000000);
	check("@2026-07-01T02:00", CLI_PLACE_TIME, 1782864000000);
	/* Cairo's midnight is not there in spring: its day begins at one. */
	setenv("TZ", "EET-2EEST,M4.5.5/0,M10.5.4/24", 1);
	tzset();
	check("@2026-04-24", CLI_PLACE_TIME, 1776981600000);
	ck_assert(!cli_place_parse("@2026-04-24T00:30", NOW, &place));
}
END_TEST

START_TEST(durations)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} cases[] = {
		{"90s", 90000},     {"250ms", 250},
		{"2h", 7200000},    {"7d", 604800000},
		{"PT30M", 1800000}, {"P1DT12H", 129600000},
		{"PT0.5S", 500},    {"P2DT3H4M5.5S", 183845500},
		{"", -1},           {"5", -1},
		{"5x", -1},         {"-5s", -1},
		{"P", -1},          {"PT", -1},
		{"P1H", -1},        {"1000000000000000000000000000w", -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = -1;
		bool ok = cli_duration_parse(cases[i].text, &ms);
		ck_assert_msg(ok == (cases[i].ms >= 0), "%s", cases[i].text);
		ck_assert_msg(!ok || ms == cases[i].ms, "%s: %lld", cases[i].text,
			      (long long)ms);
	}
}
END_TEST

START_TEST(neither)
{
	static const char *const texts[] = {
		"",
		"-",
		"@",
		"+5",
		"--5",
		"1.5",
		"begin",
		"0x10",
		"9223372036854775808",
		"@-",
		"@-2",
		"@-2y",
		"@-h",
		"@--2h",
		"@2h",
		"@yesterday",
		"@2001-13-09",
		"@2026-02-29",
		"@2026-02-31T12:00Z",
		"@2026-04-31 12:00",
		"@2016-12-31T23:59:60Z",
		"@2001-09-09.",
		"@2001-09-09.5",
		"@2001-09-09T01:46.5",
		"@2001-09-09T01:46:40.",
		"@2001-09-09T01:46:40.Z",
		"@2001-09-09T01:46:40+99:99",
		"@2001-09-09T01:46:40+19:00",
		"@2001-09-09T01:46:40+01:60",
		"@2001-09-09T01:46:40+-1:-3",
		"@2001-09-09T01:46:40+1:30",
		"@2001-09-09T01:46:40+01",
		"@2001-09-09T01:46:40 01:00",
		"@2001-09-09T01:46:40+01:000",
		"@2001-09-09X",
		"@2001-09-09T01:46:40+1",
		"@2001-09-09T01:46:40Z ",
		"@-99999999999999w",
		"@1e9",
		"@1900-01-01",
		"5 ",
	};
	for (size_t i = 0; i < kl_countof(texts); i++) {
		struct cli_place place = {.n = 77};
		ck_assert_msg(!cli_place_parse(texts[i], NOW, &place), "%s", texts[i]);
		ck_assert_int_eq(place.n, 77);
	}
}
END_TEST

UNIT_SUITE(place)
{
	Suite *s = suite_create("place");
	unit_add(s, offsets);
	unit_add(s, times);
	unit_add(s, clocks_that_leap);
	unit_add(s, durations);
	unit_add(s, neither);
	return s;
}
