/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/legacy_lz4.h"

#include "core/base/base.h"

#define MAGIC_LEN 4

/* XXH32 with seed 0 of fewer than 16 bytes, as the LZ4 frame format defines it. */
#define XXH32_SHORT_MAX 15
static uint32_t xxh32_short(const uint8_t *p, size_t n)
{
	static const uint32_t prime[] = {2654435761u, 2246822519u, 3266489917u, 668265263u,
					 374761393u};
	uint32_t h = prime[4] + (uint32_t)n;
	for (; n >= 4; n -= 4, p += 4) {
		uint32_t word = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
				(uint32_t)p[3] << 24;
		h += word * prime[2];
		h = (h << 17 | h >> 15) * prime[3];
	}
	for (; n > 0; n--) {
		h += *p++ * prime[4];
		h = (h << 11 | h >> 21) * prime[0];
	}
	h = (h ^ h >> 15) * prime[1];
	h = (h ^ h >> 13) * prime[2];
	return h ^ h >> 16;
}

/* Where the checksum of the frame's descriptor is: one byte, behind flags and block size, and
 * the content size and the id of a dictionary if the flags say so. 0 = not a frame. */
static size_t checksum_at(const uint8_t *frame, size_t n)
{
	static const uint8_t magic[MAGIC_LEN] = {0x04, 0x22, 0x4d, 0x18};
	if (n < MAGIC_LEN + 3 || memcmp(frame, magic, MAGIC_LEN) != 0)
		return 0;
	uint8_t flags = frame[MAGIC_LEN];
	size_t at = MAGIC_LEN + 2 + (flags & 0x08 ? 8u : 0u) + (flags & 0x01 ? 4u : 0u);
	return at < n ? at : 0;
}

void kl_legacy_mend_lz4(uint8_t *frame, size_t n)
{
	size_t at = checksum_at(frame, n);
	if (at > 0)
		frame[at] = (uint8_t)(xxh32_short(frame + MAGIC_LEN, at - MAGIC_LEN) >> 8);
}

bool kl_legacy_spoil_lz4(uint8_t *frame, size_t n)
{
	size_t at = checksum_at(frame, n);
	if (at == 0 || at > XXH32_SHORT_MAX)
		return false;
	frame[at] = (uint8_t)(xxh32_short(frame, at) >> 8);
	return true;
}
