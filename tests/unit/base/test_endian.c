/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/endian.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/wide.h"
#include "tests/unit/unit.h"

START_TEST(loads_and_stores)
{
	uint8_t bytes[9] = {0};
	uint8_t *odd = bytes + 1; /* nothing here may need alignment */
	kl_store_u16(odd, 0x0102);
	unit_check_hex(odd, 2, "0102");
	ck_assert_uint_eq(kl_load_u16(odd), 0x0102);
	kl_store_u32(odd, 0xfffefdfc);
	unit_check_hex(odd, 4, "fffefdfc");
	ck_assert_uint_eq(kl_load_u32(odd), 0xfffefdfc);
	kl_store_u64(odd, UINT64_C(0x8081828384858687));
	unit_check_hex(odd, 8, "8081828384858687");
	ck_assert_uint_eq(kl_load_u64(odd), UINT64_C(0x8081828384858687));
}
END_TEST

START_TEST(zigzag_pairs)
{
	static const struct {
		int64_t value;
		uint64_t zigzag;
	} pairs[] = {
		{0, 0}, {-1, 1}, {1, 2}, {-2, 3}, {INT32_MAX, UINT32_MAX - 1},
		{INT32_MIN, UINT32_MAX}, {INT64_MAX, UINT64_MAX - 1}, {INT64_MIN, UINT64_MAX},
	};
	for (size_t i = 0; i < kl_countof(pairs); i++) {
		ck_assert_uint_eq(kl_zigzag64(pairs[i].value), pairs[i].zigzag);
		ck_assert_int_eq(kl_unzigzag64(pairs[i].zigzag), pairs[i].value);
		if (pairs[i].zigzag > UINT32_MAX)
			continue;
		ck_assert_uint_eq(kl_zigzag32((int32_t)pairs[i].value), pairs[i].zigzag);
		ck_assert_int_eq(kl_unzigzag32((uint32_t)pairs[i].zigzag), pairs[i].value);
	}
}
END_TEST

static void check_varint(int64_t value, const char *hex)
{
	uint8_t bytes[10];
	size_t n = (size_t)(kl_store_varint(bytes, value) - bytes);
	unit_check_hex(bytes, n, hex);
	ck_assert_uint_eq(kl_uvarint_size(kl_zigzag64(value)), n);

	struct kl_buf b = {0};
	kl_buf_varlong(&b, value);
	unit_check_hex(b.data, b.len, hex);
	struct kl_reader r = kl_reader(b.data, b.len);
	ck_assert_int_eq(kl_read_varlong(&r), value);
	ck_assert(!r.failed && kl_reader_left(&r) == 0);

	/* As 32 bits: the same value, or refused when it does not fit. */
	r = kl_reader(b.data, b.len);
	int32_t narrow = kl_read_varint(&r);
	bool fits = value >= INT32_MIN && value <= INT32_MAX;
	ck_assert_msg(r.failed == !fits, "%" PRId64 " as 32 bits", value);
	ck_assert_int_eq(narrow, fits ? value : 0);

	/* Every cut is an error. */
	for (size_t cut = 0; cut < b.len; cut++) {
		r = kl_reader(b.data, cut);
		kl_read_varlong(&r);
		ck_assert(r.failed);
	}
	kl_buf_free(&b);
}

START_TEST(varint_vectors)
{
	size_t len;
	char *text = unit_read("tests/unit/base/varints.txt", &len);
	int count = 0;
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		int64_t value;
		char hex[32];
		if (line[0] == '#')
			continue;
		ck_assert_int_eq(sscanf(line, "%" SCNd64 " %31s", &value, hex), 2);
		check_varint(value, hex);
		count++;
	}
	ck_assert_int_eq(count, 39);
	free(text);
}
END_TEST

START_TEST(varint_limits)
{
	check_varint(INT32_MAX, "feffffff0f");
	check_varint(INT32_MIN, "ffffffff0f");
	check_varint(INT64_MAX, "feffffffffffffffff01");
	check_varint(INT64_MIN, "ffffffffffffffffff01");
}
END_TEST

START_TEST(uvarint_sizes)
{
	for (unsigned bits = 0; bits <= 64; bits++) {
		uint64_t v = bits == 0 ? 0 : UINT64_MAX >> (64 - bits);
		uint8_t bytes[10];
		size_t n = (size_t)(kl_store_uvarint(bytes, v) - bytes);
		ck_assert_uint_eq(n, bits == 0 ? 1 : (bits + 6) / 7);
		ck_assert_uint_eq(kl_uvarint_size(v), n);
		uint64_t back = ~v;
		ck_assert_ptr_eq(kl_load_uvarint(bytes, bytes + n, 10, &back), bytes + n);
		ck_assert_uint_eq(back, v);
	}
}
END_TEST

START_TEST(overlong_is_refused)
{
	static const struct {
		const char *hex;
		unsigned max_bytes;
		bool good;
	} cases[] = {
		{"ffffffff0f", 5, true},
		{"ffffffff1f", 5, false}, /* 33 bits */
		{"808080808000", 5, false},
		{"8080808000", 5, true}, /* padded, but it fits: Java reads it too */
		{"ffffffffffffffffff01", 10, true},
		{"ffffffffffffffffff02", 10, false}, /* 65 bits */
		{"ffffffffffffffffffff01", 10, false},
	};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		size_t n;
		uint8_t *bytes = unit_hex(cases[i].hex, &n);
		uint64_t v;
		const uint8_t *end = kl_load_uvarint(bytes, bytes + n, cases[i].max_bytes, &v);
		ck_assert_msg((end != NULL) == cases[i].good, "%s", cases[i].hex);
		free(bytes);
	}
}
END_TEST

START_TEST(upper_half_of_a_product)
{
	static const struct {
		uint64_t a, b, high;
	} cases[] = {
		{0, UINT64_MAX, 0},
		{1, UINT64_MAX, 0},
		{UINT64_MAX, UINT64_MAX, UINT64_MAX - 1},
		{UINT64_C(1) << 63, 10, 5},
		{UINT64_C(0xffffffff), UINT64_C(0x100000001), 0},
		{UINT64_C(0x123456789abcdef0), UINT64_C(0xfedcba9876543210),
		 UINT64_C(0x121fa00ad77d7422)},
	};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		ck_assert(kl_mul_high(cases[i].a, cases[i].b) == cases[i].high);
		ck_assert(kl_mul_high(cases[i].b, cases[i].a) == cases[i].high);
	}
#ifdef __SIZEOF_INT128__
	uint64_t a = 1, b = 3;
	for (int i = 0; i < 10000; i++) {
		ck_assert(kl_mul_high(a, b) == (uint64_t)(((unsigned __int128)a * b) >> 64));
		a = a * UINT64_C(6364136223846793005) + 1442695040888963407;
		b ^= a >> 7;
	}
#endif
}
END_TEST

UNIT_SUITE(endian)
{
	Suite *s = suite_create("endian");
	unit_add(s, loads_and_stores);
	unit_add(s, zigzag_pairs);
	unit_add(s, varint_vectors);
	unit_add(s, varint_limits);
	unit_add(s, uvarint_sizes);
	unit_add(s, overlong_is_refused);
	unit_add(s, upper_half_of_a_product);
	return s;
}
