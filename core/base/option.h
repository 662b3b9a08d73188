/* SPDX-License-Identifier: BSD-2-Clause */
/* One row of an option table (struct klamm_option) and one text: is it allowed, and what is
 * it. The core's own table and the options of plugins go through here. Any thread. */
#ifndef KL_OPTION_H
#define KL_OPTION_H

#include <klamm/plugin.h>

#include "core/base/arena.h"

/* Parse text and store it at row->offset in to; texts are copied into strings. CONFIG: "KEY =
 * TEXT: must be RANGE", with the secret ones hidden. to NULL = only check. */
int kl_option_store(const struct klamm_option *row, const char *text,
		    struct kl_arena *strings, void *to, struct klamm_error *err);

/* The place of a word in a range such as "none|gzip|lz4", letter case aside; -1 = not in it. */
int kl_option_word(const char *range, const char *word, size_t len);

/* Is this row well formed: a name, a known type, a default that its own range allows, and a
 * place inside a structure of conf_size bytes? For the rows of foreign plugins. */
int kl_option_check_row(const struct klamm_option *row, size_t conf_size,
			struct klamm_error *err);

#endif
