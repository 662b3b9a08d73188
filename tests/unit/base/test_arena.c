/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/arena.h"

#include "tests/unit/unit.h"

START_TEST(aligned_and_zeroed)
{
	struct kl_arena a = {0};
	for (size_t n = 0; n < 3000; n = n * 2 + 1) {
		uint8_t *p = kl_arena_alloc(&a, n);
		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(p[i], 0);
		memset(p, 0xa5, n);
	}
	kl_arena_free(&a);
	ck_assert_ptr_null(a.chunks);
	ck_assert_uint_eq(a.total, 0);
}
END_TEST

START_TEST(contents_survive_growth)
{
	struct kl_arena a = {0};
	uint32_t *items[5000];
	for (uint32_t i = 0; i < kl_countof(items); i++) {
		items[i] = kl_arena_alloc(&a, sizeof(uint32_t) * (1 + i % 40));
		ck_assert_ptr_nonnull(items[i]);
		items[i][i % 40] = i;
	}
	for (uint32_t i = 0; i < kl_countof(items); i++)
		ck_assert_uint_eq(items[i][i % 40], i);
	kl_arena_free(&a);
}
END_TEST

START_TEST(limit_holds)
{
	struct kl_arena a = {.max = 100000};
	size_t got = 0;
	while (kl_arena_alloc(&a, 1000) != NULL)
		got += 1000;
	ck_assert_uint_gt(got, 10000);
	ck_assert_uint_le(a.total, a.max);
	ck_assert_ptr_null(kl_arena_alloc(&a, 200000));
	kl_arena_free(&a);
	ck_assert_uint_eq(a.max, 100000);
	ck_assert_ptr_null(kl_arena_alloc(&a, 100001));
	ck_assert_ptr_nonnull(kl_arena_alloc(&a, 90000));
	kl_arena_free(&a);
}
END_TEST

START_TEST(overflow_is_refused)
{
	struct kl_arena a = {0};
	ck_assert_ptr_null(kl_arena_alloc(&a, SIZE_MAX));
	ck_assert_ptr_null(kl_arena_array(&a, SIZE_MAX / 8, 16));
	ck_assert_ptr_null(kl_arena_text(&a, "x", SIZE_MAX));
	ck_assert_uint_eq(a.total, 0);
	ck_assert_ptr_nonnull(kl_arena_array(&a, 0, 16));
	kl_arena_free(&a);
}
END_TEST

START_TEST(text_copies)
{
	struct kl_arena a = {0};
	ck_assert_str_eq(kl_arena_text(&a, "hello world", 5), "hello");
	ck_assert_str_eq(kl_arena_text(&a, NULL, 0), "");
	kl_arena_free(&a);
}
END_TEST

UNIT_SUITE(arena)
{
	Suite *s = suite_create("arena");
	unit_add(s, aligned_and_zeroed);
	unit_add(s, contents_survive_growth);
	unit_add(s, limit_holds);
	unit_add(s, overflow_is_refused);
	unit_add(s, text_copies);
	return s;
}
