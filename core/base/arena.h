/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is freed all at once: a decoded message lives in one. One thread. */
#ifndef KL_ARENA_H
#define KL_ARENA_H

#include "core/base/base.h"

struct kl_arena_chunk;

struct kl_arena {
	struct kl_arena_chunk *chunks;
	uint8_t *p, *end; /* free part of the newest chunk */
	size_t total;     /* bytes asked of malloc */
	size_t max;       /* more than this fails; 0 = no limit */
};

/* Zeroed, aligned to 16; NULL when out of memory or over max. n == 0 gives a valid pointer. */
void *kl_arena_alloc(struct kl_arena *a, size_t n);
/* count * size with the multiplication checked. */
void *kl_arena_array(struct kl_arena *a, size_t count, size_t size);
char *kl_arena_text(struct kl_arena *a, const void *p, size_t n); /* copy plus NUL */
void kl_arena_free(struct kl_arena *a); /* and reset to empty; max stays */
/* Empty it, keeping one chunk of usual size for the next message. */
void kl_arena_reset(struct kl_arena *a);

#endif
