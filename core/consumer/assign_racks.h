/* SPDX-License-Identifier: BSD-2-Clause */
/* The racks that the replicas of partitions are in, for the leader of a classic group
 * (KIP-881). The loop's. */
#ifndef KL_ASSIGN_RACKS_H
#define KL_ASSIGN_RACKS_H

#include "core/base/arena.h"
#include "core/broker/cluster.h"

struct kl_rack_text;

/* While a question is made: partitions with the same replicas share a text. */
struct kl_rack_texts {
	struct kl_cluster *cluster;
	struct kl_arena *arena;
	struct kl_rack_text *known; /* uthash */
	size_t bytes;
};

/* As struct klamm_assign_topic has them, in the arena; NULL: no broker tells a rack. false:
 * out of memory. */
bool kl_racks_of(struct kl_rack_texts *texts, const struct kl_topic_info *topic,
		 const char *const **racks_out);
void kl_racks_end(struct kl_rack_texts *texts);

/* Another number when replicas are in other racks than before. */
uint32_t kl_racks_print(struct kl_cluster *cluster, const struct kl_topic_info *topic);

#endif
