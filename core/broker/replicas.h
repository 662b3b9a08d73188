/* SPDX-License-Identifier: BSD-2-Clause */
/* Which brokers have copies of a topic's partitions, as Metadata said last. No more memory
 * than the answer took for it. */
#ifndef KL_REPLICAS_H
#define KL_REPLICAS_H

#include "core/base/base.h"

struct kl_metadata_response_topic;

struct kl_replica_run {
	uint32_t at, count;
};

struct kl_replicas {
	int32_t *ids;              /* of all partitions */
	struct kl_replica_run *of; /* by partition: its own of those */
	int32_t count;             /* partitions; of those behind nothing is known */
};

/* Of so many partitions. false: out of memory, and what was known stays. */
bool kl_replicas_read(struct kl_replicas *replicas,
		      const struct kl_metadata_response_topic *told, int32_t partitions);
void kl_replicas_free(struct kl_replicas *replicas);

/* The ids of a partition's brokers; NULL and 0: not known. */
static inline const int32_t *kl_replicas_of(const struct kl_replicas *replicas,
					    int32_t partition, size_t *count_out)
{
	*count_out = 0;
	if (partition < 0 || partition >= replicas->count)
		return NULL;
	*count_out = replicas->of[partition].count;
	return replicas->ids + replicas->of[partition].at;
}

#endif
