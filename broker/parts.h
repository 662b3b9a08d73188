/* SPDX-License-Identifier: BSD-2-Clause */
/* Partitions of topics by their ids: what a member of a modern group has, gives up, or shall
 * have. */
#ifndef KL_DEV_PARTS_H
#define KL_DEV_PARTS_H

#include "core/proto/msg.h"

struct kl_dev_part {
	struct klamm_uuid topic;
	int32_t index;
	int32_t epoch; /* of the member since when it has it */
};

/* Sorted, each once. Zeroed = none. */
struct kl_dev_parts {
	struct kl_dev_part *list;
	size_t count, room;
};

void kl_dev_parts_free(struct kl_dev_parts *parts);
/* At the end, out of order; kl_dev_parts_sort() follows. false: out of memory. */
bool kl_dev_parts_add(struct kl_dev_parts *parts, const struct klamm_uuid *topic,
		      int32_t index, int32_t epoch);
void kl_dev_parts_sort(struct kl_dev_parts *parts);
bool kl_dev_parts_copy(struct kl_dev_parts *to, const struct kl_dev_parts *from);
/* NULL: it is not among them. */
const struct kl_dev_part *kl_dev_parts_find(const struct kl_dev_parts *parts,
					    const struct klamm_uuid *topic, int32_t index);
/* The same partitions, of the same epochs. */
bool kl_dev_parts_equal(const struct kl_dev_parts *a, const struct kl_dev_parts *b);
/* Where the next topic begins after i. */
size_t kl_dev_parts_next_topic(const struct kl_dev_parts *parts, size_t i);

#endif
