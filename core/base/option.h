/* SPDX-License-Identifier: BSD-2-Clause */
/* One row of an option table (struct klamm_option) and one text: is it allowed, and
 * what is it. The core's own table and the options of plugins go through here. Any
 * thread. */
#ifndef KL_OPTION_H
#define KL_OPTION_H

#include <klamm/plugin.h>

#include "core/base/arena.h"
#include "core/base/buf.h"

/* Parse text and store it at row->offset in to; texts are copied into strings. CONFIG:
 * "KEY = TEXT: must be RANGE", with the secret ones hidden. to NULL = nothing is
 * stored. */
int kl_option_store(const struct klamm_option *row, const char *text,
		    struct kl_arena *strings, void *to, struct klamm_error *err);

/* The same question without storing: false says why, "must be 0..2147483647". */
bool kl_option_valid(const struct klamm_option *row, const char *text,
		     struct kl_buf *why);

/* The place of a word in a range such as "none|gzip|lz4", letter case aside; -1 = not
 * in it. *word_out (may be NULL): the word as written there. */
int32_t kl_option_word(const char *range, const char *text, size_t len,
		       struct klamm_span *word_out);

/* Strict decimals, as every number in a configuration: no blanks, no hexadecimal. The others
 * may have an exponent. */
bool kl_parse_int(const char *p, size_t len, int64_t *v_out);
bool kl_parse_double(const char *p, size_t len, double *v_out);
/* As short as may be and the same when it is parsed. false: out of memory. */
#define KL_DOUBLE_TEXT 32
bool kl_print_double(double v, char text[static KL_DOUBLE_TEXT]);

/* Without blanks and control characters at both ends, as Java's trim(). */
struct klamm_span kl_trim(const char *p, size_t len);

/* Elements of a comma separated list, trimmed; *p moves on; false at its end. "" has
 * none. */
bool kl_list_next(const char **p, struct klamm_span *element_out);

/* Is this row well formed: a name, a known type, a default that its own range allows,
 * and a place inside a structure of conf_size bytes? For the rows of foreign plugins.
 */
int kl_option_check_row(const struct klamm_option *row, size_t conf_size,
			struct klamm_error *err);

#endif
