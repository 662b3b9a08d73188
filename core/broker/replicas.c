/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/replicas.h"

#include <stdlib.h>

#include "core/proto/gen/messages.h"

bool kl_replicas_read(struct kl_replicas *replicas,
		      const struct kl_metadata_response_topic *told, int32_t partitions)
{
	size_t n = 0;
	for (int32_t i = 0; i < told->partitions_n; i++)
		n += (size_t)kl_max(told->partitions[i].replica_nodes_n, 0);
	struct kl_replicas made = {
		.ids = calloc(n + 1, sizeof(*made.ids)),
		.of = calloc((size_t)partitions + 1, sizeof(*made.of)),
		.count = partitions,
	};
	if (made.ids == NULL || made.of == NULL) {
		kl_replicas_free(&made);
		return false;
	}
	uint32_t at = 0;
	for (int32_t i = 0; i < told->partitions_n; i++) {
		const struct kl_metadata_response_partition *p = &told->partitions[i];
		uint32_t count = (uint32_t)kl_max(p->replica_nodes_n, 0);
		if (count > 0)
			memcpy(made.ids + at, p->replica_nodes, count * sizeof(*made.ids));
		if (p->partition_index >= 0 && p->partition_index < partitions)
			made.of[p->partition_index] = (struct kl_replica_run){at, count};
		at += count;
	}
	kl_replicas_free(replicas);
	*replicas = made;
	return true;
}

void kl_replicas_free(struct kl_replicas *replicas)
{
	free(replicas->ids);
	free(replicas->of);
	*replicas = (struct kl_replicas){0};
}
