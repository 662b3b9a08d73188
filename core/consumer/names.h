/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of names: of topics, mostly. Sorted, each once, in one piece of memory. */
#ifndef KL_NAMES_H
#define KL_NAMES_H

#include "core/base/base.h"

struct kl_names {
	const char **v;
	size_t n;
};

/* From texts in any order, which are copied. false: out of memory. */
bool kl_names_make(struct kl_names *names_out, const char *const *texts, size_t count);
void kl_names_free(struct kl_names *names); /* and empty it */
bool kl_names_has(const struct kl_names *names, const char *text);
bool kl_names_equal(const struct kl_names *a, const struct kl_names *b);

#endif
