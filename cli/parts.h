/* SPDX-License-Identifier: BSD-2-Clause */
/* Partitions as words name them. */
#ifndef CLI_PARTS_H
#define CLI_PARTS_H

#include "cli/session.h"

/* "orders" or "orders:0,3,5-7": its partitions are added, for a topic without them all those
 * that it has. names: the topics, freed with free() each. */
struct cli_parts {
	struct klamm_topic_partition *v;
	size_t n;
	char **names;
	size_t name_count;
};
int cli_parts_add(const struct cli *cli, struct cli_session *s, const char *text,
		  struct cli_parts *parts);
/* A copy of the name that lives as long as they do. */
const char *cli_parts_name(struct cli_parts *parts, const char *text, size_t len);
void cli_parts_push(struct cli_parts *parts, const char *topic, int32_t partition);
void cli_parts_free(struct cli_parts *parts);

#endif
