/* SPDX-License-Identifier: BSD-2-Clause */
/* Each record to a partition by chance, whatever the key, among those that have a leader if
 * there are any. The generator is SplitMix64 (Steele, Lea, Flood 2014): its state is a number
 * in the topic's slot that grows by a constant, which several threads can do at once. */
#include <klamm/partitioner.h>

#define STEP 0x9e3779b97f4a7c15u

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* The host's chance costs a system call: it is asked once for each topic. */
static void seed(const struct klamm_host *host, uint64_t *slot)
{
	uint64_t chance, unset = 0;
	host->random(host, &chance, sizeof(chance));
	__atomic_compare_exchange_n(slot, &unset, chance, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

/* 0 to n - 1, from the upper half of the number: its error is below n / 2^32. */
static uint32_t below(uint64_t random, uint32_t n)
{
	return (uint32_t)((random >> 32) * n >> 32);
}

static int32_t pick(void *self, const struct klamm_pick *in)
{
	if (__atomic_load_n(in->slot, __ATOMIC_RELAXED) == 0)
		seed(self, in->slot);
	uint64_t random = mix(__atomic_add_fetch(in->slot, STEP, __ATOMIC_RELAXED));
	if (in->available_count > 0)
		return in->available[below(random, in->available_count)];
	return (int32_t)below(random, (uint32_t)in->partition_count);
}

static int begin(const struct klamm_host *host, const void *conf, void **self_out,
		 struct klamm_error *err)
{
	*self_out = (void *)host;
	return 0;
}

KLAMM_PLUGIN(partitioner, random) = {
	.head = {
		KLAMM_PLUGIN_HEAD(partitioner, "random", "each record by chance"),
		.open = begin,
	},
	.flags = KLAMM_PARTITIONER_NEEDS_AVAILABLE,
	.pick = pick,
};
