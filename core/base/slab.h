/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference-counted blocks of memory from a pool that recycles them and has a budget.
 *
 * Received frames and the producer's batches live in slabs: fresh pages cost more than
 * copying what is in them, so freed slabs are kept, the last one first. Any thread.
 */
#ifndef KL_SLAB_H
#define KL_SLAB_H

#include <stdatomic.h>

#include "core/base/base.h"

/* Sizes are powers of two from 4 KiB; KL_SLAB_CLASSES of them reach 64 MiB. Larger ones are
 * exact and not kept. */
#define KL_SLAB_MIN 4096
#define KL_SLAB_CLASSES 15

struct kl_slab_pool;

struct kl_slab {
	struct kl_slab_pool *pool;
	struct kl_slab *next; /* in a free list */
	atomic_uint refs;
	size_t cap;
	_Alignas(KL_CACHE_LINE) uint8_t data[];
};

/* budget: bytes in use at most, 0 = no limit, and with what is kept for use again. keep: bytes
 * of free slabs at most.
 * freed (may be NULL) is called after a slab came back, on the thread that gave it. */
struct kl_slab_pool *kl_slab_pool_new(size_t budget, size_t keep,
				      void (*freed)(void *arg), void *arg);
/* The pool goes when its last slab has come back; freed is not called any more. */
void kl_slab_pool_free(struct kl_slab_pool *pool);

/* At least size bytes, one reference; NULL: over the budget or out of memory. A slab larger
 * than the whole budget is had only while nothing else is in use. */
struct kl_slab *kl_slab_get(struct kl_slab_pool *pool, size_t size);
/* The same beyond the budget, which nobody else gets anything of meanwhile: for what takes the
 * place of a slab that is in use, where that could never come back otherwise. */
struct kl_slab *kl_slab_get_beyond(struct kl_slab_pool *pool, size_t size);
void kl_slab_unref(struct kl_slab *slab); /* NULL is fine */
static inline struct kl_slab *kl_slab_ref(struct kl_slab *slab)
{
	atomic_fetch_add_explicit(&slab->refs, 1, memory_order_relaxed);
	return slab;
}
/* Does nobody else hold it? */
static inline bool kl_slab_is_mine(struct kl_slab *slab)
{
	return atomic_load_explicit(&slab->refs, memory_order_acquire) == 1;
}
size_t kl_slab_pool_used(struct kl_slab_pool *pool);
/* Those that are kept included: what the pool takes of the system's memory. */
size_t kl_slab_pool_held(struct kl_slab_pool *pool);
/* The size that a request for size gets. */
size_t kl_slab_size(size_t size);

#endif
