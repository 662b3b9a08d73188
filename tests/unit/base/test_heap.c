/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/heap.h"

#include "tests/unit/unit.h"

/* Reproducible numbers; the tests need no good ones. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

START_TEST(comes_out_sorted)
{
	struct kl_heap h = {0};
	static struct kl_heap_node nodes[1000];
	ck_assert(kl_heap_reserve(&h, kl_countof(nodes)));
	uint32_t seed = 1;
	for (size_t i = 0; i < kl_countof(nodes); i++)
		kl_heap_set(&h, &nodes[i], next_random(&seed) % 100);
	int64_t last_key = -1;
	uint64_t last_order = 0;
	for (size_t i = 0; i < kl_countof(nodes); i++) {
		struct kl_heap_node *node = kl_heap_first(&h);
		ck_assert_ptr_nonnull(node);
		ck_assert(node->key > last_key ||
			  (node->key == last_key && node->order > last_order));
		last_key = node->key;
		last_order = node->order;
		kl_heap_remove(&h, node);
		ck_assert_uint_eq(node->index, 0);
	}
	ck_assert_ptr_null(kl_heap_first(&h));
	kl_heap_free(&h);
}
END_TEST

START_TEST(ties_keep_their_order)
{
	struct kl_heap h = {0};
	struct kl_heap_node nodes[20] = {0};
	ck_assert(kl_heap_reserve(&h, kl_countof(nodes)));
	for (size_t i = 0; i < kl_countof(nodes); i++)
		kl_heap_set(&h, &nodes[i], 7);
	kl_heap_set(&h, &nodes[0], 7); /* set again: to the end of the queue */
	for (size_t i = 1; i <= kl_countof(nodes); i++) {
		struct kl_heap_node *node = kl_heap_first(&h);
		ck_assert_ptr_eq(node, &nodes[i % kl_countof(nodes)]);
		kl_heap_remove(&h, node);
	}
	kl_heap_free(&h);
}
END_TEST

START_TEST(random_changes_against_a_scan)
{
	struct kl_heap h = {0};
	static struct kl_heap_node nodes[64];
	ck_assert(kl_heap_reserve(&h, kl_countof(nodes)));
	uint32_t seed = 2;
	for (int step = 0; step < 20000; step++) {
		struct kl_heap_node *node = &nodes[next_random(&seed) % kl_countof(nodes)];
		if (next_random(&seed) % 3 == 0)
			kl_heap_remove(&h, node);
		else
			kl_heap_set(&h, node, next_random(&seed) % 50);
		const struct kl_heap_node *least = NULL;
		size_t count = 0;
		for (size_t i = 0; i < kl_countof(nodes); i++) {
			if (nodes[i].index == 0)
				continue;
			ck_assert_ptr_eq(h.nodes[nodes[i].index - 1], &nodes[i]);
			count++;
			if (least == NULL || nodes[i].key < least->key ||
			    (nodes[i].key == least->key && nodes[i].order < least->order))
				least = &nodes[i];
		}
		ck_assert_uint_eq(h.count, count);
		ck_assert_ptr_eq(kl_heap_first(&h), least);
	}
	kl_heap_free(&h);
}
END_TEST

START_TEST(removing_nothing)
{
	struct kl_heap h = {0};
	struct kl_heap_node node = {0};
	kl_heap_remove(&h, &node);
	ck_assert(!kl_heap_reserve(&h, SIZE_MAX / 4));
	ck_assert(kl_heap_reserve(&h, 1));
	kl_heap_set(&h, &node, KL_NEVER);
	kl_heap_remove(&h, &node);
	kl_heap_remove(&h, &node);
	ck_assert_uint_eq(h.count, 0);
	kl_heap_free(&h);
}
END_TEST

UNIT_SUITE(heap)
{
	Suite *s = suite_create("heap");
	unit_add(s, comes_out_sorted);
	unit_add(s, ties_keep_their_order);
	unit_add(s, random_changes_against_a_scan);
	unit_add(s, removing_nothing);
	return s;
}
