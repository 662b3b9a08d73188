/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm consume: what its parts share. One thread, which drives the loop by polling. */
#ifndef CLI_CONSUME_H
#define CLI_CONSUME_H

#include "cli/format.h"
#include "cli/io.h"
#include "cli/place.h"

struct cli_consume_options {
	const char *place, *until, *partitions, *format, *group, *regex;
	const char *on_error, *dead_letters;
	int64_t count;
	bool exit_at_end; /* also with until */
	bool json, null_is_shown;
};

/* What becomes of a record that its deserializer cannot read. */
enum cli_on_error {
	CLI_ON_ERROR_TELL, /* told, and left out */
	CLI_ON_ERROR_SKIP, /* left out, and counted */
	CLI_ON_ERROR_STOP, /* nothing is read from there on */
};

/* A partition that is read. */
struct cli_consume_part {
	const char *topic; /* with a group: a copy of its own */
	int32_t partition;
	bool done;
	int64_t first, end; /* when it began; known only where they are asked for */
	int64_t until;      /* what --until says, -1 = that place is behind the end */
	/* With a group: what is printed, and what is committed of that; -1 = nothing yet. */
	int64_t printed, committed;
	int32_t epoch; /* of the last record printed */
};

struct cli_consume {
	const struct cli *cli;
	const struct cli_consume_options *options;
	const struct cli_list *topics;
	struct cli_place place, until;
	int64_t timeout_ms;
	struct klamm_loop *loop;
	struct klamm_consumer *consumer;
	struct cli_consume_part *parts;
	size_t part_count, parts_open;
	struct cli_format format;
	struct cli_out out;
	struct cli_progress progress;
	uint64_t printed, unreadable; /* those among them */
	enum cli_on_error on_error;
	struct cli_out dead; /* letters; fd < 0 = they are not kept */

	/* --- with a group --- */
	const char *group; /* NULL: partitions are picked, and nothing is committed */
	const char *regex; /* of topics, instead of their names */
	bool commits;      /* enable.auto.commit was not turned off */
	int64_t commit_every_us, commit_at;
	int64_t idle_since; /* when it had no partition first, 0 = it has some */
	int status;         /* what a rebalance or a record has failed with */
};

/* --- consume_dead.c: records that cannot be decoded --- */
/* Of the options; CLI_USAGE was told. */
int cli_consume_dead_check(struct cli_consume *c);
int cli_consume_dead_open(struct cli_consume *c);
/* A record could not be decoded. false: reading ends before it. */
bool cli_consume_dead(struct cli_consume *c, const struct klamm_record_view *view,
		      const struct klamm_error *err);
/* Has all that was printed or kept been written? What is not is no reason to commit. */
bool cli_consume_flush(struct cli_consume *c);
/* Tell how many there were; the exit status. */
int cli_consume_dead_end(struct cli_consume *c, int status);

/* --- consume_parts.c: which partitions, from where to where --- */
/* How many partitions a topic has, waiting for one that is being made. */
int cli_consume_count(struct cli_consume *c, const char *topic, int32_t *count_out);
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
/* Commit what was printed, once it is written, when it is time. */
void cli_consume_commit_due(struct cli_consume *c);
/* Leave the group. */
int cli_consume_leave(struct cli_consume *c, int status);
/* Is nothing left to read? A member without partitions is given some time to get one. */
bool cli_consume_at_end(const struct cli_consume *c);

#endif
