/* SPDX-License-Identifier: BSD-2-Clause */
/* Where Sarama's hash partitioner and librdkafka's "fnv1a_random" put a record with a key, an
 * empty one too. A record without a key goes wherever the core likes. */
#include <klamm/partitioner.h>

#include "plugins/common/key_hash.h"

static int32_t pick(void *self, const struct klamm_pick *in)
{
	if (in->key.data == NULL)
		return KLAMM_PARTITION_ANY;
	return partition_of_hash(fnv1a(in->key.data, in->key.len), in);
}

KLAMM_PLUGIN(partitioner, fnv1a_random) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "fnv1a_random",
				   "FNV-1a of the key, and any partition without one")},
	.flags = KLAMM_PARTITIONER_NEEDS_KEY,
	.pick = pick,
};
