/* SPDX-License-Identifier: BSD-2-Clause */
/* A regular expression that chooses topics by their names (PCRE2). It has to match the whole
 * name, as Java's does. */
#ifndef KL_PATTERN_H
#define KL_PATTERN_H

#include <klamm/error.h>

#include "core/base/base.h"

struct kl_pattern;

/* INVALID_REGULAR_EXPRESSION, with the place; NO_MEMORY. */
int kl_pattern_new(const char *text, struct kl_pattern **pattern_out, struct klamm_error *err);
void kl_pattern_free(struct kl_pattern *pattern); /* NULL is fine */
const char *kl_pattern_text(const struct kl_pattern *pattern);
/* One thread at a time. An expression that takes too long for a name does not match it. */
bool kl_pattern_matches(struct kl_pattern *pattern, const char *name, size_t len);

#endif
