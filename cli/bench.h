/* SPDX-License-Identifier: BSD-2-Clause */
/* What both halves of klamm bench share: processor time, percentiles, the last line. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli/cli.h"

struct cli_usage_now {
	int64_t wall_ns;
	int64_t user_ns, system_ns; /* of the whole process, all threads */
	int64_t switches;	    /* how often it slept */
};

struct cli_bench {
	const char *name; /* "produce" */
	uint64_t records, bytes;
	uint64_t transactions; /* 0 = there are none */
	struct cli_usage_now begin, end;
	int64_t *latencies; /* sampled, in ns; NULL = there are none */
	size_t latency_count;
};

int64_t cli_now_ns(void);
void cli_measure(struct cli_usage_now *now);
/* One line on stdout, as NAME=VALUE words or a JSON object. Sorts the latencies. */
void cli_bench_print(struct cli_bench *bench, bool json);

#endif
