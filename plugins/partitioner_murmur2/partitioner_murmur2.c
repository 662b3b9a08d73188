/* SPDX-License-Identifier: BSD-2-Clause */
/* Where Java's producer puts a record with a key: murmur2 of the key, sign bit off, modulo the
 * number of partitions. A record without a key goes wherever the core likes. */
#include <klamm/partitioner.h>

#include <endian.h>

/* The 32-bit MurmurHash2 of Austin Appleby, with the seed that Kafka chose. */
#define SEED 0x9747b28cu
#define MIX 0x5bd1e995u
#define SHIFT 24

static uint32_t murmur2(const uint8_t *p, size_t len)
{
	uint32_t h = SEED ^ (uint32_t)len;
	for (; len >= 4; p += 4, len -= 4) {
		uint32_t k;
		memcpy(&k, p, 4);
		k = le32toh(k) * MIX;
		k ^= k >> SHIFT;
		h = h * MIX ^ k * MIX;
	}
	switch (len) {
	case 3:
		h ^= (uint32_t)p[2] << 16;
		/* fall through */
	case 2:
		h ^= (uint32_t)p[1] << 8;
		/* fall through */
	case 1:
		h = (h ^ p[0]) * MIX;
	}
	h = (h ^ h >> 13) * MIX;
	return h ^ h >> 15;
}

static int32_t pick(void *self, const struct klamm_pick *in)
{
	if (in->key.data == NULL)
		return KLAMM_PARTITION_ANY;
	uint32_t h = murmur2(in->key.data, in->key.len) & 0x7fffffff;
	return (int32_t)(h % (uint32_t)in->partition_count);
}

KLAMM_PLUGIN(partitioner, murmur2) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "murmur2", "by key, as Java's default")},
	.flags = KLAMM_PARTITIONER_NEEDS_KEY,
	.pick = pick,
};
