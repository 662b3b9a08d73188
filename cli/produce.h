/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm produce at work; its options and configuration are in cmd_produce.c. */
#ifndef CLI_PRODUCE_H
#define CLI_PRODUCE_H

#include "cli/io.h"
#include "cli/reader.h"
#include "cli/txn.h"

struct cli_produce_options {
	const char *key, *codec, *transactional_id;
	struct klamm_span separator, delimiter;
	struct cli_list headers, files;
	int32_t partition;
	int64_t timestamp_ms, count, commit_every;
	bool empty_is_null, envelopes, keep_partition, report;
};

struct cli_produce {
	const struct cli *cli;
	const struct cli_produce_options *options;
	const char *topic_name;
	struct klamm_loop *loop;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	struct cli_reader reader;
	struct cli_progress progress;
	const char **files;
	size_t file;   /* which of them is read */
	uint64_t line; /* of it, from 1 */
	uint64_t taken, failed;
	struct cli_out out; /* of reports */
	bool transactional;
	struct cli_txn txn;
	const void *txn_begin; /* the place of its first record */
	struct kl_buf why;     /* what went wrong first, when transactional */
};

/* Read, send and wait for what becomes of it, with the producer and the reader that are
 * there. The exit status, which the user was told the reason of. */
int cli_produce_run(struct cli_produce *p);

#endif
