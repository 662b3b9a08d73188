/* SPDX-License-Identifier: BSD-2-Clause */
/* A partitioner that somebody else would write: the first byte of the key decides. */
#include <klamm/partitioner.h>

static int32_t pick(void *self, const struct klamm_pick *in)
{
	if (in->key.len == 0)
		return 0;
	return *(const uint8_t *)in->key.data % in->partition_count;
}

KLAMM_PLUGIN(partitioner, firstbyte) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "firstbyte", "by the first byte of the key")},
	.pick = pick,
};
