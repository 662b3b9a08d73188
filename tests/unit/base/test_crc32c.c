/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/crc32c.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

/* RFC 3720, appendix B.4; the first and the last are the usual check values. */
static const struct {
	const char *hex;
	uint32_t crc;
} published[] = {
	{"", 0x00000000},
	{"61", 0xc1d04330},
	{"0000000000000000000000000000000000000000000000000000000000000000", 0x8a9136aa},
	{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x62a8ab43},
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e},
	{"1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c},
	{"01c00000000000000000000000000000 14000000000004000000001400000018"
	 "28000000000000000200000000000000", 0xd9963a56},
	{"313233343536373839", 0xe3069283},
};

/* The definition, bit by bit. */
static uint32_t by_bits(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static uint8_t *noise(size_t n)
{
	uint8_t *p = malloc(n);
	ck_assert_ptr_nonnull(p);
	uint32_t x = 2463534242u;
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = (uint8_t)(x >> 11);
	}
	return p;
}

START_TEST(published_values)
{
	for (size_t i = 0; i < kl_countof(published); i++) {
		size_t n;
		uint8_t *bytes = unit_hex(published[i].hex, &n);
		ck_assert_uint_eq(kl_crc32c(0, bytes, n), published[i].crc);
		for (const struct kl_crc32c_way *w = kl_crc32c_ways; w->name != NULL; w++)
			if (w->usable())
				ck_assert_uint_eq(w->update(0, bytes, n), published[i].crc);
		free(bytes);
	}
}
END_TEST

START_TEST(every_way_agrees_on_every_size)
{
	enum { MOST = 4096 };
	uint8_t *bytes = noise(MOST + 8);
	for (size_t n = 0; n <= MOST; n += n < 600 ? 1 : 37) {
		for (size_t odd = 0; odd < 8; odd += n < 600 ? 1 : 3) {
			uint32_t start = (uint32_t)(n * 2654435761u);
			uint32_t expected = by_bits(start, bytes + odd, n);
			for (const struct kl_crc32c_way *w = kl_crc32c_ways; w->name; w++)
				if (w->usable())
					ck_assert_uint_eq(w->update(start, bytes + odd, n),
							  expected);
		}
	}
	free(bytes);
}
END_TEST

START_TEST(runs_on_from_any_split)
{
	enum { SIZE = 3333 };
	uint8_t *bytes = noise(SIZE);
	uint32_t whole = by_bits(0, bytes, SIZE);
	for (size_t at = 0; at <= SIZE; at += 7) {
		uint32_t a = kl_crc32c(0, bytes, at);
		uint32_t b = kl_crc32c(0, bytes + at, SIZE - at);
		ck_assert_uint_eq(kl_crc32c(a, bytes + at, SIZE - at), whole);
		ck_assert_uint_eq(kl_crc32c_combine(a, b, SIZE - at), whole);
	}
	free(bytes);
}
END_TEST

START_TEST(shifts_like_zero_bytes)
{
	/* Shifting by 8n bits is what n zero bytes do to the bare remainder. */
	enum { ZEROS = 5000 };
	uint8_t *zeros = calloc(1, ZEROS);
	for (const struct kl_crc32c_way *w = kl_crc32c_ways; w->name != NULL; w++) {
		if (!w->usable())
			continue;
		for (uint32_t n = 0; n <= ZEROS; n += 113)
			ck_assert_uint_eq(w->shift(0xdeadbeef, 8 * n),
					  ~by_bits(~0xdeadbeefu, zeros, n));
		/* Each constant is the square of the one before: shifting twice by 2^k is
		 * shifting by 2^(k+1), and 2^31 is the same as 1. */
		for (unsigned k = 0; k < 31; k++) {
			uint32_t next = k < 30 ? UINT32_C(2) << k : 1;
			uint32_t once = w->shift(0x12345678, UINT32_C(1) << k);
			ck_assert_uint_eq(w->shift(once, UINT32_C(1) << k),
					  w->shift(0x12345678, next));
		}
	}
	free(zeros);
}
END_TEST

START_TEST(combines_beyond_four_gigabytes)
{
	/* (a then 5 GB) then 7 GB is a then 12 GB. */
	uint64_t five = UINT64_C(5) << 30, seven = UINT64_C(7) << 30;
	uint32_t twice = kl_crc32c_combine(kl_crc32c_combine(0xcafe, 0, five), 0, seven);
	ck_assert_uint_eq(twice, kl_crc32c_combine(0xcafe, 0, five + seven));
	ck_assert_uint_ne(twice, 0xcafe);
}
END_TEST

UNIT_SUITE(crc32c)
{
	Suite *s = suite_create("crc32c");
	unit_add(s, published_values);
	unit_add(s, every_way_agrees_on_every_size);
	unit_add(s, runs_on_from_any_split);
	unit_add(s, shifts_like_zero_bytes);
	unit_add(s, combines_beyond_four_gigabytes);
	return s;
}
