/* SPDX-License-Identifier: BSD-2-Clause */
/* Where librdkafka's "consistent" puts a record: CRC-32 of the key, modulo the number of
 * partitions. No key counts as an empty one, so all records without one share a partition. */
#include <klamm/partitioner.h>

#include <zlib.h>

#include "plugins/common/key_hash.h"

static int32_t pick(void *self, const struct klamm_pick *in)
{
	return partition_of_hash((uint32_t)crc32_z(0, in->key.data, in->key.len), in);
}

KLAMM_PLUGIN(partitioner, consistent) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "consistent",
				   "CRC-32 of the key, as librdkafka's")},
	.pick = pick,
};
