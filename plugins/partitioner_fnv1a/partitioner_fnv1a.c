/* SPDX-License-Identifier: BSD-2-Clause */
/* Where Sarama's hash partitioner and librdkafka's "fnv1a" put a record with a key. No key
 * counts as an empty one, so all records without one share a partition. */
#include <klamm/partitioner.h>

#include "plugins/common/key_hash.h"

static int32_t pick(void *self, const struct klamm_pick *in)
{
	return partition_of_hash(fnv1a(in->key.data, in->key.len), in);
}

KLAMM_PLUGIN(partitioner, fnv1a) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "fnv1a",
				   "FNV-1a of the key, as librdkafka's and Sarama's")},
	.pick = pick,
};
