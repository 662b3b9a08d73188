/* partitioner @NAME@: which records go where. The reference is <klamm/partitioner.h>. */
#include <klamm/partitioner.h>

/* This one goes by the first byte of the key. */

static int32_t my_pick(void *self, const struct klamm_pick *in)
{
	if (in->key.len == 0)
		return KLAMM_PARTITION_ANY;
	return ((const uint8_t *)in->key.data)[0] % in->partition_count;
}

KLAMM_PLUGIN(partitioner, @NAME@) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "@NAME@", "by the first byte of the key")},
	.flags = KLAMM_PARTITIONER_NEEDS_KEY,
	.pick = my_pick,
};
