/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shells' completions are made of: the tables of commands and of keys. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "cli/cli.h"
#include "core/base/buf.h"

/* What may stand for a placeholder of the tables, such as ROLE or [FILE...]. */
enum cli_fill {
	CLI_FILL_NOTHING, /* only its writer knows */
	CLI_FILL_FILES,
	CLI_FILL_KEYS,	/* of the configuration */
	CLI_FILL_PAIRS, /* the same, with = and a value */
	CLI_FILL_WORDS,
};
enum cli_fill cli_fill_of_option(const struct cli_option *option, const char **words_out);
enum cli_fill cli_fill_of_args(const struct cli_command *command, const char **words_out);

/* Names of keys, in the order of the table; NULL behind the last one. Keys that have no effect
 * are not there: *i moves over them. */
const char *cli_next_key(size_t *i, struct kl_buf *values);

void cli_complete_bash(struct kl_buf *out);
void cli_complete_zsh(struct kl_buf *out);

#endif
