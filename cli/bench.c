/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int64_t cli_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int64_t ns_of(struct timeval t)
{
	return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll;
}

void cli_measure(struct cli_usage_now *now)
{
	struct rusage usage = {0};
	getrusage(RUSAGE_SELF, &usage);
	*now = (struct cli_usage_now){
		.wall_ns = cli_now_ns(),
		.user_ns = ns_of(usage.ru_utime),
		.system_ns = ns_of(usage.ru_stime),
		.switches = usage.ru_nvcsw,
	};
}

static int ascending(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* The smallest value that so many in a thousand are not above (nearest rank). */
static double percentile_ms(const struct cli_bench *b, size_t of_1000)
{
	size_t rank = (b->latency_count * of_1000 + 999) / 1000;
	return (double)b->latencies[rank - 1] / 1e6;
}

static void put(bool json, const char *name, int digits, double value)
{
	if (json)
		printf(",\"%s\":%.*f", name, digits, value);
	else
		printf(" %s=%.*f", name, digits, value);
}

void cli_bench_print(struct cli_bench *b, bool json)
{
	double n = b->records > 0 ? (double)b->records : 1;
	double seconds = (double)(b->end.wall_ns - b->begin.wall_ns) / 1e9;
	double user = (double)(b->end.user_ns - b->begin.user_ns) / n;
	double system = (double)(b->end.system_ns - b->begin.system_ns) / n;
	printf(json ? "{\"bench\":\"%s\",\"records\":%llu,\"bytes\":%llu"
		    : "bench=%s records=%llu bytes=%llu",
	       b->name, (unsigned long long)b->records, (unsigned long long)b->bytes);
	put(json, "seconds", 6, seconds);
	put(json, "records_per_s", 0, (double)b->records / seconds);
	put(json, "mb_per_s", 2, (double)b->bytes / 1e6 / seconds);
	put(json, "cpu_ns_per_record", 2, user + system);
	put(json, "user_ns_per_record", 2, user);
	put(json, "system_ns_per_record", 2, system);
	put(json, "context_switches", 0, (double)(b->end.switches - b->begin.switches));
	if (b->transactions > 0)
		put(json, "transactions", 0, (double)b->transactions);
	if (b->latency_count > 0) {
		qsort(b->latencies, b->latency_count, sizeof(*b->latencies), ascending);
		put(json, "samples", 0, (double)b->latency_count);
		put(json, "p50_ms", 3, percentile_ms(b, 500));
		put(json, "p95_ms", 3, percentile_ms(b, 950));
		put(json, "p99_ms", 3, percentile_ms(b, 990));
		put(json, "p99_9_ms", 3, percentile_ms(b, 999));
		put(json, "max_ms", 3, percentile_ms(b, 1000));
	}
	printf(json ? "}\n" : "\n");
}
