/* SPDX-License-Identifier: BSD-2-Clause */
/* One partition after the other, whatever the key, as Java's RoundRobinPartitioner: a counter
 * per topic, over the partitions that have a leader if there are any, else over all. */
#include <klamm/partitioner.h>

static int32_t pick(void *self, const struct klamm_pick *in)
{
	uint64_t turn = __atomic_fetch_add(in->slot, 1, __ATOMIC_RELAXED);
	if (in->available_count > 0)
		return in->available[turn % in->available_count];
	return (int32_t)(turn % (uint64_t)in->partition_count);
}

KLAMM_PLUGIN(partitioner, roundrobin) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "roundrobin", "each partition in turn")},
	.flags = KLAMM_PARTITIONER_NEEDS_AVAILABLE,
	.pick = pick,
};
