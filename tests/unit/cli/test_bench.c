/* SPDX-License-Identifier: BSD-2-Clause */
/* The line that a measurement ends with. */
#include <stdio.h>
#include <unistd.h>

#include "cli/bench.h"
#include "tests/unit/unit.h"

static void print(struct cli_bench *bench, char *text, size_t size)
{
	FILE *file = tmpfile();
	fflush(stdout);
	int out = dup(STDOUT_FILENO);
	ck_assert(file != NULL && out >= 0);
	ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
	cli_bench_print(bench, false);
	fflush(stdout);
	ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
	close(out);
	rewind(file);
	ck_assert_ptr_nonnull(fgets(text, (int)size, file));
	fclose(file);
}

/* Of latencies of 1 to n ms, which came the other way around. */
START_TEST(percentiles)
{
	static const struct {
		size_t n;
		const char *text;
	} cases[] = {
		{1, " p50_ms=1.000 p95_ms=1.000 p99_ms=1.000 p99_9_ms=1.000 max_ms=1.000\n"},
		{2, " p50_ms=1.000 p95_ms=2.000 p99_ms=2.000 p99_9_ms=2.000 max_ms=2.000\n"},
		{5, " p50_ms=3.000 p95_ms=5.000 p99_ms=5.000 p99_9_ms=5.000 max_ms=5.000\n"},
		{20, " p50_ms=10.000 p95_ms=19.000 p99_ms=20.000 p99_9_ms=20.000 "
		     "max_ms=20.000\n"},
		{1000, " p50_ms=500.000 p95_ms=950.000 p99_ms=990.000 p99_9_ms=999.000 "
		       "max_ms=1000.000\n"},
	};
	static int64_t latencies[1000];
	for (size_t i = 0; i < kl_countof(cases); i++) {
		size_t n = cases[i].n;
		struct cli_bench bench = {
			.name = "test",
			.records = 1,
			.end.wall_ns = 1,
			.latencies = latencies,
			.latency_count = n,
		};
		for (size_t k = 0; k < n; k++)
			latencies[k] = (int64_t)(n - k) * 1000000;
		char text[1024];
		print(&bench, text, sizeof(text));
		ck_assert_msg(strstr(text, cases[i].text) != NULL, "%zu: %s", n, text);
	}
}
END_TEST

UNIT_SUITE(bench)
{
	Suite *s = suite_create("bench");
	unit_add(s, percentiles);
	return s;
}
