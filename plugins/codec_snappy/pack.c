/* SPDX-License-Identifier: BSD-2-Clause */
/* A block is its length and a row of elements: bytes as they are ("literal"), or a distance
 * back and how many bytes to repeat from there ("copy"): google/snappy's
 * format_description.txt. */
#include "plugins/codec_snappy/pack.h"

#include <stdbool.h>
#include <string.h>

#define MATCH_MIN 4 /* bytes worth a copy */
#define STEP 16     /* short runs are copied so many bytes at a time, */
#define MARGIN 16   /* which must be there behind the last place that is looked at */

enum { LITERAL, COPY_11_BITS, COPY_16_BITS };

static uint32_t load_4(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t load_8(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

/* --- elements --- */

static uint8_t *put_length(uint8_t *out, size_t n)
{
	for (; n >= 0x80; n >>= 7)
		*out++ = (uint8_t)(n | 0x80);
	*out++ = (uint8_t)n;
	return out;
}

/* steps: MARGIN bytes may be read behind the run. */
static uint8_t *put_literal(uint8_t *out, const uint8_t *p, size_t n, bool steps)
{
	size_t less = n - 1;
	if (steps && n <= STEP) {
		*out++ = (uint8_t)(less << 2 | LITERAL);
		memcpy(out, p, STEP);
		return out + n;
	}
	if (less < 60) {
		*out++ = (uint8_t)(less << 2 | LITERAL);
	} else if (less < 256) {
		*out++ = 60 << 2 | LITERAL;
		*out++ = (uint8_t)less;
	} else {
		*out++ = 61 << 2 | LITERAL;
		*out++ = (uint8_t)less;
		*out++ = (uint8_t)(less >> 8);
	}
	memcpy(out, p, n);
	return out + n;
}

static uint8_t *put_far_copy(uint8_t *out, size_t distance, size_t n)
{
	*out++ = (uint8_t)((n - 1) << 2 | COPY_16_BITS);
	*out++ = (uint8_t)distance;
	*out++ = (uint8_t)(distance >> 8);
	return out;
}

static uint8_t *put_copy(uint8_t *out, size_t distance, size_t n)
{
	/* One element repeats 64 bytes at most; what is left must not get too short. */
	for (; n >= 64 + MATCH_MIN; n -= 64)
		out = put_far_copy(out, distance, 64);
	if (n > 64) {
		out = put_far_copy(out, distance, 60);
		n -= 60;
	}
	if (n >= 12 || distance >= 2048)
		return put_far_copy(out, distance, n);
	*out++ = (uint8_t)(distance >> 8 << 5 | (n - 4) << 2 | COPY_11_BITS);
	*out++ = (uint8_t)distance;
	return out;
}

/* --- matches --- */

/* As many slots as there are places, so that a small block does not wipe a large table. */
static unsigned bits_for(size_t n)
{
	unsigned bits = 8;
	while ((size_t)1 << bits < n && (size_t)1 << bits < SNAPPY_SLOTS)
		bits++;
	return bits;
}

static size_t slot_of(uint32_t bytes, unsigned bits)
{
	return (bytes * UINT32_C(0x9e3779b1)) >> (32 - bits);
}

/* How many bytes from a on are those from b on; a < b. */
static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	const uint8_t *begin = b;
	for (; end - b >= 8; a += 8, b += 8) {
		uint64_t differ = load_8(a) ^ load_8(b);
		if (differ == 0)
			continue;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		return (size_t)(b - begin) + (size_t)__builtin_clzll(differ) / 8;
#else
		return (size_t)(b - begin) + (size_t)__builtin_ctzll(differ) / 8;
#endif
	}
	for (; b < end && *a == *b; a++, b++)
		;
	return (size_t)(b - begin);
}

/* The next place before `last` that repeats an earlier one, and that one; NULL = none. Where
 * nothing was found for long the steps get longer: noise is passed over quickly. */
static const uint8_t *find(uint16_t *seen, unsigned bits, const uint8_t *base,
			   const uint8_t *p, const uint8_t *last, const uint8_t **earlier_out)
{
	for (uint32_t steps = 32; p <= last; p += steps++ >> 5) {
		uint32_t bytes = load_4(p);
		size_t slot = slot_of(bytes, bits);
		*earlier_out = base + seen[slot];
		seen[slot] = (uint16_t)(p - base);
		if (load_4(*earlier_out) == bytes)
			return p;
	}
	return NULL;
}

size_t kl_snappy_pack(struct snappy_packer *packer, const uint8_t *p, size_t n)
{
	uint8_t *out = put_length(packer->packed, n);
	const uint8_t *base = p, *end = p + n;
	uint16_t *seen = packer->seen;
	unsigned bits = bits_for(n);
	if (n > MARGIN) {
		const uint8_t *last = end - MARGIN, *earlier;
		memset(seen, 0, sizeof(*seen) << bits);
		/* From the second byte on: an empty slot says that the first was there. */
		for (const uint8_t *at = p + 1;
		     (at = find(seen, bits, base, at, last, &earlier)) != NULL; at = p) {
			size_t length = match_length(earlier, at, end);
			if (at > p)
				out = put_literal(out, p, (size_t)(at - p), true);
			out = put_copy(out, (size_t)(at - earlier), length);
			p = at + length;
			if (p <= last)
				seen[slot_of(load_4(p - 1), bits)] = (uint16_t)(p - 1 - base);
		}
	}
	if (p < end)
		out = put_literal(out, p, (size_t)(end - p), false);
	return (size_t)(out - packer->packed);
}
