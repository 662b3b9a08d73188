/* SPDX-License-Identifier: BSD-2-Clause */
/* Hashes of keys that librdkafka knows and Java does not, and the partition of a hash. */
#ifndef PLUGINS_KEY_HASH_H
#define PLUGINS_KEY_HASH_H

#include <klamm/partitioner.h>

static inline int32_t partition_of_hash(uint32_t hash, const struct klamm_pick *in)
{
	return (int32_t)(hash % (uint32_t)in->partition_count);
}

/* The 32-bit FNV-1a of Fowler, Noll and Vo, taken as a signed number without its sign: so
 * Sarama does it, and librdkafka after it. */
static inline uint32_t fnv1a(const uint8_t *p, size_t len)
{
	uint32_t h = 0x811c9dc5u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x01000193u;
	return h > INT32_MAX ? 0u - h : h;
}

#endif
