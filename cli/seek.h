/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a group shall go on: offsets decided, shown, and read from files. */
#ifndef CLI_SEEK_H
#define CLI_SEEK_H

#include "cli/group.h"

enum cli_seek_kind {
	CLI_SEEK_EARLIEST,
	CLI_SEEK_LATEST,
	CLI_SEEK_CURRENT, /* what is committed, or the end where nothing is */
	CLI_SEEK_OFFSET,  /* n */
	CLI_SEEK_SHIFT,   /* n from what is committed */
	CLI_SEEK_TIME,    /* the first record at or after n ms; the end if there is none */
	CLI_SEEK_FILE,    /* what `wanted` says */
};

struct cli_seek {
	enum cli_seek_kind kind;
	int64_t n;
	struct cli_parts parts;
	int64_t *wanted; /* of each part, from a file */
	int64_t *old;    /* of each part, -1 = nothing is committed */
	int64_t *new;
};

/* Lines "TOPIC,PARTITION,OFFSET", "GROUP,TOPIC,PARTITION,OFFSET" (other groups are left out),
 * or JSON objects with the members topic, partition and offset. "-" is standard input. */
int cli_seek_read(const char *group, const char *file, struct cli_seek *seek);

/* Fill old and new. What lies outside of the partition is moved to its edge, which is told. */
int cli_seek_decide(struct cli_group_session *s, const char *group, struct cli_seek *seek);
void cli_seek_free(struct cli_seek *seek);
#endif
