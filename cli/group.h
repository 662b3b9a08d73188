/* SPDX-License-Identifier: BSD-2-Clause */
/* A group as the commands show it: its members, and what it has committed beside what there
 * is to read. */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include <klamm/consumer.h>

#include "cli/parts.h"
#include "cli/table.h"
#include "core/base/buf.h"

struct cli_group_session {
	struct cli_session session;
	struct klamm_consumer
		*consumer; /* looks up offsets of partitions; NULL = not wanted */
};

/* Zeroed before; closed also after a failure, which the user was told of. */
int cli_group_open(const struct cli *cli, struct cli_group_session *s, bool offsets);
void cli_group_close(struct cli_group_session *s);

/* A partition that the group has an offset for, or that a member has. */
struct cli_group_part {
	const char *topic;
	int32_t partition;
	int32_t error;           /* why it has no start and end: it was deleted, ... */
	int64_t committed;       /* -1 = nothing */
	int32_t epoch;           /* of the last record read, -1 = not known */
	const char *metadata;    /* "" = none */
	int64_t start, end, lag; /* -1 = not known */
	const struct klamm_group_member *owner; /* NULL = none */
};

struct cli_group_view {
	int64_t at_us;
	const struct klamm_group_description *group;
	struct cli_group_part *parts; /* by topic and partition */
	size_t count;
	int64_t lag; /* of all partitions whose lag is known */
	struct klamm_group_descriptions *described;
	struct klamm_group_offsets_list *offsets;
};

/* Look at a group. Freed also after a failure, which the user was told of. */
int cli_group_look(struct cli_group_session *s, const char *name,
		   struct cli_group_view *view);
void cli_group_view_free(struct cli_group_view *view);
struct cli_group_part *cli_group_find(struct cli_group_view *view, const char *topic,
				      int32_t partition); /* NULL: it has none such */

/* Tell why a partition of a group is not known: CLI_FAILED. */
int cli_group_part_failed(const char *group, const char *topic, int32_t partition,
			  int32_t error);
/* The same of each that has an error; the exit status. */
int cli_group_tell_errors(const struct cli_group_view *view);

/* The offsets of a place (KLAMM_OFFSET_BEGINNING, _END or a time in ms) in partitions that
 * exist; -1 where a time is behind the last record. An error was told. */
int cli_offsets_at(struct cli_group_session *s, const struct klamm_topic_partition *parts,
		   size_t count, int64_t place, int64_t *offsets);

/* --- speed --- */

struct cli_group_speed {
	/* NAN = not known */
	double consumed, produced; /* records a second */
	double eta_s; /* until it has caught up; INFINITY = never at this speed */
};

/* Of one partition, or (part NULL) of all, between two views. */
struct cli_group_speed cli_group_speed(const struct cli_group_view *before,
				       const struct cli_group_view *now,
				       const struct cli_group_part *part);
/* "12.5", "-" for NAN; "45s", "2h5m", "never", "-". */
#define CLI_SPEED_TEXT 32
const char *cli_speed_text(double per_s, char text[static CLI_SPEED_TEXT]);
const char *cli_eta_text(double seconds, char text[static CLI_SPEED_TEXT]);

/* --- cells --- */

const char *cli_or_dash(const char *text);                     /* "-" for NULL and "" */
void cli_cell_offset(struct cli_table *table, int64_t offset); /* "-" for -1 */

/* --- JSON --- */

void cli_json_text(struct kl_buf *b, const char *member,
		   const char *text); /* NULL = null */
void cli_json_offset(struct kl_buf *b, const char *member, int64_t n); /* -1 = null */
void cli_json_error(struct kl_buf *b, const struct klamm_error *err);
/* topic, partition, ..., without the braces. */
void cli_json_part(struct kl_buf *b, const struct cli_group_part *part);
void cli_json_speed(struct kl_buf *b, const struct cli_group_speed *speed);

/* The table of lags, with speeds unless before is NULL; a line for all of it at the end. */
void cli_group_print_lag(const struct cli *cli, const struct cli_group_view *before,
			 const struct cli_group_view *now);

#endif
