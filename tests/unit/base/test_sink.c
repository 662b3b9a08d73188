/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/sink.h"

#include "core/base/value.h"
#include "tests/unit/unit.h"

START_TEST(grows_up_to_its_limit)
{
	struct kl_sink sink;
	kl_sink_init(&sink, 1000, NULL);
	struct klamm_out *out = &sink.out;
	ck_assert_ptr_nonnull(klamm_out_reserve(out, 0));
	for (int i = 0; i < 999; i++)
		ck_assert_int_eq(klamm_out_append(out, "x", 1), 0);
	ck_assert_int_eq(klamm_out_append(out, "yy", 2), KLAMM_ERR_LIMIT);
	ck_assert_int_eq(klamm_out_append(out, "y", 1), 0);
	ck_assert_ptr_nonnull(klamm_out_reserve(out, 0));
	ck_assert_ptr_null(klamm_out_reserve(out, 1));
	struct klamm_error err;
	ck_assert_int_eq(klamm_out_error(out, 1, &err), KLAMM_ERR_LIMIT);
	ck_assert_str_eq(err.text, "more than 1000 bytes");
	ck_assert_ptr_null(klamm_out_reserve(out, SIZE_MAX));
	ck_assert_uint_eq(out->len, 1000);
	ck_assert_uint_le(out->cap, 1000);
	ck_assert_int_eq(out->data[0], 'x');
	ck_assert_int_eq(out->data[999], 'y');
	kl_sink_free(&sink);
}
END_TEST

/* Memory that is kept from before has room above a limit that is lower now. */
START_TEST(a_lower_limit_ends_growth)
{
	static const char text[600];
	struct kl_sink sink;
	kl_sink_init(&sink, 0, NULL);
	struct klamm_out *out = &sink.out;
	ck_assert_int_eq(klamm_out_append(out, text, 600), 0);
	size_t cap = out->cap;
	kl_sink_clear(&sink);
	out->limit = 100;
	ck_assert_int_eq(klamm_out_append(out, text, cap), 0);
	ck_assert_int_eq(klamm_out_append(out, text, 1), KLAMM_ERR_LIMIT);
	ck_assert_ptr_null(klamm_out_reserve(out, 500));
	ck_assert_uint_eq(out->len, cap);
	ck_assert_uint_eq(out->cap, cap);
	kl_sink_free(&sink);
}
END_TEST

START_TEST(a_quota_is_shared_and_given_back)
{
	struct kl_quota quota = {.max = 100000};
	struct kl_sink a, b;
	kl_sink_init(&a, 0, &quota);
	kl_sink_init(&b, 0, &quota);
	ck_assert_ptr_nonnull(klamm_out_reserve(&a.out, 60000));
	ck_assert_ptr_null(klamm_out_reserve(&b.out, 60000));
	struct klamm_error err;
	ck_assert_int_eq(klamm_out_error(&b.out, 60000, &err), KLAMM_ERR_NO_MEMORY);
	kl_sink_free(&a);
	ck_assert_ptr_nonnull(klamm_out_reserve(&b.out, 60000));
	struct kl_lent_arena arena;
	kl_lent_arena_init(&arena, 0, &quota);
	ck_assert_ptr_nonnull(arena.lent.alloc(&arena.lent, 10000));
	ck_assert_ptr_null(arena.lent.alloc(&arena.lent, 60000));
	kl_lent_arena_free(&arena);
	kl_sink_free(&b);
	ck_assert_uint_eq(atomic_load(&quota.used), 0);
}
END_TEST

START_TEST(an_arena_has_a_limit_of_its_own)
{
	struct kl_lent_arena arena;
	kl_lent_arena_init(&arena, 10000, NULL);
	uint8_t *p = arena.lent.alloc(&arena.lent, 5000);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % 16, 0);
	ck_assert_int_eq(p[4999], 0);
	ck_assert_ptr_null(arena.lent.alloc(&arena.lent, 6000));
	ck_assert_ptr_null(arena.lent.alloc(&arena.lent, SIZE_MAX));
	kl_lent_arena_free(&arena);
}
END_TEST

static int dropped;
static void count_drop(void *ptr)
{
	dropped += *(int *)ptr;
}

START_TEST(natives_are_dropped_wherever_they_are)
{
	int one = 1, ten = 10, hundred = 100;
	struct klamm_value items[2] = {
		{.type = KLAMM_VALUE_NATIVE, .as.native = {"n", &one, count_drop}},
		{.type = KLAMM_VALUE_NATIVE, .as.native = {"n", NULL, NULL}},
	};
	struct klamm_entry entries[2] = {
		{.key = {.type = KLAMM_VALUE_NATIVE, .as.native = {"n", &ten, count_drop}},
		 .value = {.type = KLAMM_VALUE_LIST, .as.list = {items, 2}}},
		{.key = {.type = KLAMM_VALUE_INT, .as.integer = 5},
		 .value = {.type = KLAMM_VALUE_NATIVE,
			   .as.native = {"n", &hundred, count_drop}}},
	};
	struct klamm_value map = {.type = KLAMM_VALUE_MAP, .as.map = {entries, 2}};
	kl_value_drop(&map);
	ck_assert_int_eq(dropped, 111);
}
END_TEST

UNIT_SUITE(sink)
{
	Suite *s = suite_create("sink");
	unit_add(s, grows_up_to_its_limit);
	unit_add(s, a_lower_limit_ends_growth);
	unit_add(s, a_quota_is_shared_and_given_back);
	unit_add(s, an_arena_has_a_limit_of_its_own);
	unit_add(s, natives_are_dropped_wherever_they_are);
	return s;
}
