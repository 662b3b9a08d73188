/* SPDX-License-Identifier: BSD-2-Clause */
/* Big-endian loads and stores, zigzag and varints on raw pointers. */
#ifndef KL_ENDIAN_H
#define KL_ENDIAN_H

#include <endian.h>

#include "core/base/base.h"

static inline uint16_t kl_load_u16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}
static inline uint32_t kl_load_u32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}
static inline uint64_t kl_load_u64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}
static inline void kl_store_u16(void *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}
static inline void kl_store_u32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}
static inline void kl_store_u64(void *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint32_t kl_zigzag32(int32_t v)
{
	return ((uint32_t)v << 1) ^ (uint32_t)(v >> 31);
}
static inline uint64_t kl_zigzag64(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int32_t kl_unzigzag32(uint32_t v)
{
	return (int32_t)((v >> 1) ^ (~(v & 1) + 1));
}
static inline int64_t kl_unzigzag64(uint64_t v)
{
	return (int64_t)((v >> 1) ^ (~(v & 1) + 1));
}

/* Bytes that an unsigned varint of v takes: 1..5, 1..10. The bits divided by 7, rounded up:
 * for 1 to 64 bits, 9/64 is near enough to 1/7 and is a shift. */
static KL_HOT unsigned kl_uvarint_size(uint64_t v)
{
	return ((unsigned)(64 - __builtin_clzll(v | 1)) * 9 + 64) / 64;
}

/* Writes v at p and returns the place behind it. The caller has made room. One byte or two
 * are what most take. */
static KL_HOT uint8_t *kl_store_uvarint(uint8_t *p, uint64_t v)
{
	if (kl_likely(v < 0x4000)) {
		p[0] = (uint8_t)v | (v < 0x80 ? 0 : 0x80);
		if (v < 0x80)
			return p + 1;
		p[1] = (uint8_t)(v >> 7);
		return p + 2;
	}
	while (v >= 0x80) {
		*p++ = (uint8_t)v | 0x80;
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}
static KL_HOT uint8_t *kl_store_varint(uint8_t *p, int64_t v)
{
	return kl_store_uvarint(p, kl_zigzag64(v));
}

/* Reads an unsigned varint of at most max_bytes (5 or 10) from [p, end). Returns the place
 * behind it, or NULL when it is cut or too long. */
static inline const uint8_t *kl_load_uvarint(const uint8_t *p, const uint8_t *end,
					     unsigned max_bytes, uint64_t *v_out)
{
	if (kl_likely(p < end && *p < 0x80)) {
		*v_out = *p;
		return p + 1;
	}
	uint64_t v = 0;
	for (unsigned i = 0; i < max_bytes && p < end; i++) {
		uint8_t byte = *p++;
		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			/* The last byte may only carry the bits that are left. */
			if ((max_bytes == 5 && i == 4 && byte > 0x0f) ||
			    (max_bytes == 10 && i == 9 && byte > 0x01))
				return NULL;
			*v_out = v;
			return p;
		}
	}
	return NULL;
}

#endif
