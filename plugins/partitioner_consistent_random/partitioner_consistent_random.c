/* SPDX-License-Identifier: BSD-2-Clause */
/* librdkafka's default: CRC-32 of the key, modulo the number of partitions. A record with no
 * key or an empty one goes wherever the core likes. */
#include <klamm/partitioner.h>

#include <zlib.h>

#include "plugins/common/key_hash.h"

static int32_t pick(void *self, const struct klamm_pick *in)
{
	if (in->key.len == 0)
		return KLAMM_PARTITION_ANY;
	return partition_of_hash((uint32_t)crc32_z(0, in->key.data, in->key.len), in);
}

KLAMM_PLUGIN(partitioner, consistent_random) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "consistent_random",
				   "CRC-32 of the key, as librdkafka's default")},
	.flags = KLAMM_PARTITIONER_NEEDS_KEY,
	.pick = pick,
};
