/* SPDX-License-Identifier: BSD-2-Clause */
/* A reflected 32-bit CRC in plain C, eight bytes a step. Define KL_CRC_POLY and include this
 * once in a .c file: it defines crc_slice(), over the inverted running value.
 *
 * The tables are made by the compiler, so they cost nothing at load and stay read-only. In
 * reflected order bit b of a 32-bit word stands for x^(31-b), and a byte that stands s bytes
 * before the end of its step contributes its bits times x^(8s+32): entry n of table s is a
 * sum of the powers x^(8s+39-b) mod P, one for each bit b of n. Those are 64 powers in a row,
 * each the one before times x.
 */
#ifndef KL_CRC_SLICE_H
#define KL_CRC_SLICE_H

#include "core/base/base.h"

#define CRC_X(v) (((v) >> 1) ^ (KL_CRC_POLY & (0u - ((v) & 1u))))
/* The eight powers that follow v, named by the table they make and by their bit. */
#define CRC_POWERS(s, v)                                                                 \
	CRC_##s##_7 = (v), CRC_##s##_6 = CRC_X(CRC_##s##_7),                             \
	CRC_##s##_5 = CRC_X(CRC_##s##_6), CRC_##s##_4 = CRC_X(CRC_##s##_5),              \
	CRC_##s##_3 = CRC_X(CRC_##s##_4), CRC_##s##_2 = CRC_X(CRC_##s##_3),              \
	CRC_##s##_1 = CRC_X(CRC_##s##_2), CRC_##s##_0 = CRC_X(CRC_##s##_1)
enum {
	CRC_POWERS(0, KL_CRC_POLY), /* x^32 mod P is P without its highest term */
	CRC_POWERS(1, CRC_X(CRC_0_0)),
	CRC_POWERS(2, CRC_X(CRC_1_0)),
	CRC_POWERS(3, CRC_X(CRC_2_0)),
	CRC_POWERS(4, CRC_X(CRC_3_0)),
	CRC_POWERS(5, CRC_X(CRC_4_0)),
	CRC_POWERS(6, CRC_X(CRC_5_0)),
	CRC_POWERS(7, CRC_X(CRC_6_0)),
};

#define CRC_BIT(s, n, b) (((n) >> b & 1) ? CRC_##s##_##b : 0u)
#define CRC_1(s, n)                                                                      \
	CRC_BIT(s, n, 0) ^ CRC_BIT(s, n, 1) ^ CRC_BIT(s, n, 2) ^ CRC_BIT(s, n, 3) ^      \
		CRC_BIT(s, n, 4) ^ CRC_BIT(s, n, 5) ^ CRC_BIT(s, n, 6) ^ CRC_BIT(s, n, 7)
#define CRC_4(s, n)   CRC_1(s, (n)), CRC_1(s, (n) + 1), CRC_1(s, (n) + 2), CRC_1(s, (n) + 3)
#define CRC_16(s, n)  CRC_4(s, n), CRC_4(s, (n) + 4), CRC_4(s, (n) + 8), CRC_4(s, (n) + 12)
#define CRC_64(s, n)                                                                     \
	CRC_16(s, n), CRC_16(s, (n) + 16), CRC_16(s, (n) + 32), CRC_16(s, (n) + 48)
#define CRC_256(s) {CRC_64(s, 0), CRC_64(s, 64), CRC_64(s, 128), CRC_64(s, 192)}

static const uint32_t crc_tables[8][256] = {
	CRC_256(0), CRC_256(1), CRC_256(2), CRC_256(3),
	CRC_256(4), CRC_256(5), CRC_256(6), CRC_256(7),
};

static inline uint32_t crc_load_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t crc_slice(uint32_t crc, const uint8_t *p, size_t n)
{
	const uint32_t(*t)[256] = crc_tables;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t a = crc ^ crc_load_le32(p), b = crc_load_le32(p + 4);
		crc = t[7][a & 255] ^ t[6][a >> 8 & 255] ^ t[5][a >> 16 & 255] ^
		      t[4][a >> 24] ^ t[3][b & 255] ^ t[2][b >> 8 & 255] ^
		      t[1][b >> 16 & 255] ^ t[0][b >> 24];
	}
	for (; n > 0; n--)
		crc = crc >> 8 ^ t[0][(crc ^ *p++) & 255];
	return crc;
}

#endif
