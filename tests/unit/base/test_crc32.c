/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/crc32.h"

#include "tests/unit/unit.h"

static uint32_t by_bits(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

START_TEST(check_value)
{
	ck_assert_uint_eq(kl_crc32(0, "", 0), 0);
	ck_assert_uint_eq(kl_crc32(0, "123456789", 9), 0xcbf43926);
	ck_assert_uint_eq(kl_crc32(kl_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}
END_TEST

START_TEST(every_size_and_alignment)
{
	uint8_t bytes[308];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i * 7 + i);
	for (size_t n = 0; n <= 300; n++)
		for (size_t odd = 0; odd < 8; odd++)
			ck_assert_uint_eq(kl_crc32(0, bytes + odd, n),
					  by_bits(bytes + odd, n));
}
END_TEST

UNIT_SUITE(crc32)
{
	Suite *s = suite_create("crc32");
	unit_add(s, check_value);
	unit_add(s, every_size_and_alignment);
	return s;
}
