/* SPDX-License-Identifier: BSD-2-Clause */
/* Java's .properties syntax, pair by pair, and [sections] where they are wanted. Pure, any
 * thread. */
#ifndef KL_PROPERTIES_H
#define KL_PROPERTIES_H

#include "core/base/buf.h"

/* Reads text[0..len), which stays the caller's. Bytes beyond ASCII are taken as UTF-8,
 * where Java reads Latin-1; \uXXXX works alike. */
struct kl_properties {
	const char *p, *end;
	int32_t next_line;
	/* To be set before the first pair: a line that begins with [ is a section's head. In
	 * Java's files it is a key. */
	bool sections;
	/* The pair that was read. Valid until the next one; a value may be a secret. */
	struct kl_buf key, value;
	bool is_section;      /* value is what stands in the brackets, key is empty */
	int32_t line;	      /* where it begins, from 1 */
	const char *why;      /* what is wrong with the pair; NULL = nothing */
	struct kl_buf joined; /* the logical line */
};

void kl_properties_init(struct kl_properties *r, const char *text, size_t len);
void kl_properties_free(struct kl_properties *r); /* wipes what it held */

/* The next pair; false at the end, or out of memory (kl_properties_failed). */
bool kl_properties_next(struct kl_properties *r);
bool kl_properties_failed(const struct kl_properties *r);

#endif
