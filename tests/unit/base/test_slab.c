/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/slab.h"

#include "core/os/os.h"
#include "tests/unit/unit.h"

START_TEST(sizes)
{
	ck_assert_uint_eq(kl_slab_size(0), 4096);
	ck_assert_uint_eq(kl_slab_size(4096), 4096);
	ck_assert_uint_eq(kl_slab_size(4097), 8192);
	ck_assert_uint_eq(kl_slab_size(64 << 20), 64 << 20);
	ck_assert_uint_eq(kl_slab_size((64 << 20) + 1), (64 << 20) + 1);
}
END_TEST

START_TEST(the_last_one_comes_back_first)
{
	struct kl_slab_pool *pool = kl_slab_pool_new(0, 1 << 20, NULL, NULL);
	struct kl_slab *a = kl_slab_get(pool, 5000), *b = kl_slab_get(pool, 8192);
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(a->cap, 8192);
	ck_assert_uint_eq((uintptr_t)a->data % KL_CACHE_LINE, 0);
	ck_assert_uint_eq(kl_slab_pool_used(pool), 16384);
	kl_slab_unref(a);
	kl_slab_unref(b);
	kl_slab_unref(NULL);
	ck_assert_uint_eq(kl_slab_pool_used(pool), 0);
	struct kl_slab *again = kl_slab_get(pool, 8000);
	ck_assert_ptr_eq(again, b);
	kl_slab_unref(again);
	kl_slab_pool_free(pool);
}
END_TEST

START_TEST(references_hold)
{
	struct kl_slab_pool *pool = kl_slab_pool_new(0, 1 << 20, NULL, NULL);
	struct kl_slab *slab = kl_slab_get(pool, 100);
	ck_assert(kl_slab_is_mine(slab));
	kl_slab_ref(slab);
	ck_assert(!kl_slab_is_mine(slab));
	kl_slab_unref(slab);
	ck_assert(kl_slab_is_mine(slab));
	memset(slab->data, 1, slab->cap);
	kl_slab_pool_free(pool); /* the slab outlives its pool's owner */
	ck_assert_uint_eq(slab->data[99], 1);
	kl_slab_unref(slab);
}
END_TEST

static void count_freed(void *arg)
{
	++*(int32_t *)arg;
}

START_TEST(budget)
{
	int32_t freed = 0;
	struct kl_slab_pool *pool = kl_slab_pool_new(20000, 0, count_freed, &freed);
	struct kl_slab *a = kl_slab_get(pool, 8192), *b = kl_slab_get(pool, 8192);
	ck_assert(a != NULL && b != NULL);
	ck_assert_ptr_null(kl_slab_get(pool, 4096));
	kl_slab_unref(a);
	ck_assert_int_eq(freed, 1);
	ck_assert_ptr_null(kl_slab_get(pool, 30000)); /* not while b is in use */
	kl_slab_unref(b);
	struct kl_slab *large = kl_slab_get(pool, 30000); /* alone it may */
	ck_assert_ptr_nonnull(large);
	ck_assert_ptr_null(kl_slab_get(pool, 1));
	kl_slab_unref(large);
	ck_assert_int_eq(freed, 3);
	ck_assert_ptr_null(kl_slab_get(pool, SIZE_MAX));
	kl_slab_pool_free(pool);
	kl_slab_pool_free(NULL);
}
END_TEST

/* What is kept of one size makes way for another. */
/* What takes another's place is had all the same, and is counted. */
START_TEST(beyond_the_budget)
{
	struct kl_slab_pool *pool = kl_slab_pool_new(8192, 8192, NULL, NULL);
	struct kl_slab *whole = kl_slab_get(pool, 8192);
	ck_assert_ptr_null(kl_slab_get(pool, 4096));
	struct kl_slab *part = kl_slab_get_beyond(pool, 4096);
	ck_assert_ptr_nonnull(part);
	ck_assert_uint_eq(kl_slab_pool_used(pool), 12288);
	ck_assert_ptr_null(kl_slab_get(pool, 4096));
	kl_slab_unref(whole);
	struct kl_slab *next = kl_slab_get(pool, 4096);
	ck_assert_ptr_nonnull(next);
	ck_assert_uint_le(kl_slab_pool_held(pool), 8192);
	kl_slab_unref(part);
	kl_slab_unref(next);
	kl_slab_pool_free(pool);
}
END_TEST

START_TEST(kept_slabs_count)
{
	struct kl_slab_pool *pool = kl_slab_pool_new(65536, 65536, NULL, NULL);
	struct kl_slab *slabs[4];
	for (size_t i = 0; i < kl_countof(slabs); i++)
		slabs[i] = kl_slab_get(pool, 16384);
	for (size_t i = 0; i < kl_countof(slabs); i++)
		kl_slab_unref(slabs[i]);
	ck_assert_uint_eq(kl_slab_pool_held(pool), 65536);
	struct kl_slab *small = kl_slab_get(pool, 4096);
	ck_assert_ptr_nonnull(small);
	ck_assert_uint_eq(kl_slab_pool_held(pool), 3 * 16384 + 4096);
	struct kl_slab *kept = kl_slab_get(pool, 16384); /* takes nothing new */
	ck_assert_uint_eq(kl_slab_pool_held(pool), 3 * 16384 + 4096);
	struct kl_slab *large = kl_slab_get(pool, 32768);
	ck_assert_ptr_nonnull(large);
	ck_assert_uint_eq(kl_slab_pool_held(pool), 16384 + 4096 + 32768);
	kl_slab_unref(small);
	kl_slab_unref(kept);
	kl_slab_unref(large);
	ck_assert_uint_eq(kl_slab_pool_held(pool), 16384 + 4096 + 32768);
	kl_slab_pool_free(pool);
}
END_TEST

#define THREADS 4
#define ROUNDS 20000

static void take_and_give(void *arg)
{
	struct kl_slab_pool *pool = arg;
	struct kl_slab *held[8] = {NULL};
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct kl_slab **place = &held[i % kl_countof(held)];
		kl_slab_unref(*place);
		*place = kl_slab_get(pool, 4096u << (i % 3));
		if (*place != NULL)
			memset((*place)->data, (int)i, 64);
	}
	for (size_t i = 0; i < kl_countof(held); i++)
		kl_slab_unref(held[i]);
}

START_TEST(many_threads)
{
	struct kl_os *os = kl_os_real();
	struct kl_slab_pool *pool = kl_slab_pool_new(200000, 100000, NULL, NULL);
	struct kl_thread *threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(os->thread_start(os, "slabs", take_and_give, pool,
						  &threads[i]),
				 0);
	for (int i = 0; i < THREADS; i++)
		os->thread_join(os, threads[i]);
	ck_assert_uint_eq(kl_slab_pool_used(pool), 0);
	kl_slab_pool_free(pool);
}
END_TEST

UNIT_SUITE(slab)
{
	Suite *s = suite_create("slab");
	unit_add(s, sizes);
	unit_add(s, the_last_one_comes_back_first);
	unit_add(s, references_hold);
	unit_add(s, budget);
	unit_add(s, beyond_the_budget);
	unit_add(s, kept_slabs_count);
	unit_add(s, many_threads);
	return s;
}
