/* SPDX-License-Identifier: BSD-2-Clause */
/* A binary heap of timers by deadline; ties go by order of insertion, so that runs repeat. */
#ifndef KL_HEAP_H
#define KL_HEAP_H

#include "core/base/base.h"

struct kl_heap_node {
	int64_t key;
	uint64_t order;
	size_t index; /* place in the heap + 1; 0 = not in it */
};

struct kl_heap {
	struct kl_heap_node **nodes;
	size_t count, cap;
	uint64_t next_order;
};

/* Room for one more; call when a timer is created, so that arming never fails. */
bool kl_heap_reserve(struct kl_heap *h, size_t count);
/* Insert or move. There must be room. */
void kl_heap_set(struct kl_heap *h, struct kl_heap_node *node, int64_t key);
void kl_heap_remove(struct kl_heap *h, struct kl_heap_node *node); /* not in it: nothing */
static inline struct kl_heap_node *kl_heap_first(const struct kl_heap *h)
{
	return h->count ? h->nodes[0] : NULL;
}
void kl_heap_free(struct kl_heap *h);

#endif
