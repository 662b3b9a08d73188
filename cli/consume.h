/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm consume: what its parts share. One thread, which drives the loop by polling. */
#ifndef CLI_CONSUME_H
#define CLI_CONSUME_H

#include "cli/format.h"
#include "cli/io.h"
#include "cli/place.h"

struct cli_consume_options {
	const char *place, *partitions, *format, *group, *regex;
	int64_t count;
	bool exit_at_end, json, null_is_shown;
};

/* A partition that is read. */
struct cli_consume_part {
	const char *topic; /* with a group: a copy of its own */
	int32_t partition;
	bool done;
	int64_t first, end; /* when it began; known only where they are asked for */
	/* With a group: what is printed, and what is committed of that; -1 = nothing yet. */
	int64_t printed, committed;
	int32_t epoch; /* of the last record printed */
};

struct cli_consume {
	const struct cli *cli;
	const struct cli_consume_options *options;
	const struct cli_list *topics;
	struct cli_place place;
	int64_t timeout_ms;
	struct klamm_consumer *consumer;
	struct cli_consume_part *parts;
	size_t part_count, parts_open;
	struct cli_format format;
	struct cli_out out;
	struct cli_progress progress;
	uint64_t printed, failed;

	/* --- with a group --- */
	const char *group; /* NULL: partitions are picked, and nothing is committed */
	const char *regex; /* of topics, instead of their names */
	bool commits;      /* enable.auto.commit was not turned off */
	int64_t commit_every_us, commit_at;
	int64_t idle_since; /* when it had no partition first, 0 = it has some */
	int status;         /* what a rebalance has failed with */
};

/* --- consume_parts.c: which partitions, from where to where --- */
struct cli_consume_part *cli_consume_add(struct cli_consume *c, const char *topic,
					 int32_t partition);
struct cli_consume_part *cli_consume_find(struct cli_consume *c, const char *topic,
					  int32_t partition);
/* Ask for the offset of a place in the parts from `from` on, into that member of each. */
int cli_consume_offsets(struct cli_consume *c, size_t from, int64_t place, size_t member);
/* Assign what is wanted, without a group. */
int cli_consume_assign(struct cli_consume *c);

/* --- consume_group.c --- */
/* Settings that a group's member has on this command line. */
int cli_consume_group_conf(struct cli_consume *c, struct klamm_conf *conf);
int cli_consume_subscribe(struct cli_consume *c);
/* A record was printed, or all of a batch. */
void cli_consume_printed(struct cli_consume *c, struct cli_consume_part *part,
			 const struct klamm_record_view *view);
/* Commit what was printed, once it is written: when it is time, or now and for good. */
void cli_consume_commit_due(struct cli_consume *c);
int cli_consume_commit(struct cli_consume *c);
/* Leave the group. */
int cli_consume_leave(struct cli_consume *c, int status);
/* Is nothing left to read? A member without partitions is given some time to get one. */
bool cli_consume_at_end(const struct cli_consume *c);

#endif
