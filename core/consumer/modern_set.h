/* SPDX-License-Identifier: BSD-2-Clause */
/* Partitions of topics by their ids, each once: what a member has, or is to have. */
#ifndef KL_MODERN_SET_H
#define KL_MODERN_SET_H

#include "core/proto/msg.h"

struct kl_modern_part {
	struct klamm_uuid topic;
	int32_t partition;
};

struct kl_modern_set {
	struct kl_modern_part *list; /* by topic and partition */
	size_t count, room;
	/* Of the assignment that it is from; with a newer one of equal partitions it is
	 * another set. -1 = none yet. */
	int64_t number;
};

#define KL_MODERN_SET_NONE ((struct kl_modern_set){.number = -1})

void kl_modern_set_free(struct kl_modern_set *set); /* becomes NONE */
/* Put one in, unsorted; then sort. false: out of memory. */
bool kl_modern_set_add(struct kl_modern_set *set, const struct klamm_uuid *topic,
		       int32_t partition);
void kl_modern_set_sort(struct kl_modern_set *set);
/* The same partitions. */
bool kl_modern_set_alike(const struct kl_modern_set *a, const struct kl_modern_set *b);
/* And of the same assignment. */
static inline bool kl_modern_set_equal(const struct kl_modern_set *a,
				       const struct kl_modern_set *b)
{
	return a->number == b->number && kl_modern_set_alike(a, b);
}
void kl_modern_set_swap(struct kl_modern_set *a, struct kl_modern_set *b);

#endif
