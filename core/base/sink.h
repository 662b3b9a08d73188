/* SPDX-License-Identifier: BSD-2-Clause */
/* What the core lends to a plugin to fill: a growable output, and an arena, both charged to
 * a quota. One thread at a time; a quota is shared by any number of them. */
#ifndef KL_SINK_H
#define KL_SINK_H

#include <klamm/host.h>

#include <stdatomic.h>

#include "core/base/arena.h"

/* Bytes that many hold together. */
struct kl_quota {
	atomic_size_t used;
	size_t max; /* 0 = no limit, only counted */
};

struct kl_sink {
	struct klamm_out out;
	struct kl_quota *quota; /* may be NULL */
};
/* limit 0 = none. Nothing is allocated yet. */
void kl_sink_init(struct kl_sink *sink, size_t limit, struct kl_quota *quota);
void kl_sink_free(struct kl_sink *sink); /* and reset to empty */
/* Empty again, the memory is kept. */
static inline void kl_sink_clear(struct kl_sink *sink)
{
	sink->out.len = 0;
	sink->out.flags = 0;
}

/* An arena as plugins see it. */
struct kl_lent_arena {
	struct klamm_arena lent;
	struct kl_arena arena;
	struct kl_quota *quota; /* may be NULL */
	size_t max;             /* 0 = none */
};
void kl_lent_arena_init(struct kl_lent_arena *a, size_t max, struct kl_quota *quota);
void kl_lent_arena_free(struct kl_lent_arena *a); /* and reset to empty */

#endif
