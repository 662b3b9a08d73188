/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/list.h"

#include "tests/unit/unit.h"

struct item {
	int32_t number;
	struct kl_list node;
};

/* The numbers as one decimal: 1, 2, 3 is 123. */
static int32_t digits(struct kl_list *l)
{
	int32_t sum = 0;
	kl_list_for(item, l, struct item, node)
		sum = sum * 10 + item->number;
	return sum;
}

START_TEST(push_pop_remove)
{
	struct kl_list l = KL_LIST_INIT(l);
	struct item a = {.number = 1}, b = {.number = 2}, c = {.number = 3};
	ck_assert(kl_list_empty(&l));
	ck_assert_ptr_null(kl_list_pop(&l));
	ck_assert_ptr_null(kl_list_first(&l, struct item, node));
	kl_list_push(&l, &a.node);
	kl_list_push(&l, &b.node);
	kl_list_push_front(&l, &c.node);
	ck_assert_int_eq(digits(&l), 312);
	kl_list_remove(&a.node);
	kl_list_remove(&a.node);
	ck_assert_int_eq(digits(&l), 32);
	ck_assert_ptr_eq(kl_list_first(&l, struct item, node), &c);
	ck_assert_ptr_eq(kl_list_pop(&l), &c.node);
	ck_assert_ptr_eq(kl_list_pop(&l), &b.node);
	ck_assert(kl_list_empty(&l));
}
END_TEST

START_TEST(splice_moves_all)
{
	struct kl_list l = KL_LIST_INIT(l), from = KL_LIST_INIT(from);
	struct item items[4];
	for (int32_t i = 0; i < 4; i++) {
		items[i].number = i + 1;
		kl_list_push(i < 2 ? &l : &from, &items[i].node);
	}
	kl_list_splice(&l, &from);
	ck_assert_int_eq(digits(&l), 1234);
	ck_assert(kl_list_empty(&from));
	kl_list_splice(&l, &from);
	ck_assert_int_eq(digits(&l), 1234);
	kl_list_splice(&from, &l);
	ck_assert_int_eq(digits(&from), 1234);
	ck_assert(kl_list_empty(&l));
}
END_TEST

START_TEST(remove_while_walking)
{
	struct kl_list l = KL_LIST_INIT(l);
	struct item items[9];
	for (int32_t i = 0; i < 9; i++) {
		items[i].number = i + 1;
		kl_list_push(&l, &items[i].node);
	}
	kl_list_for_safe(item, &l, struct item, node)
		if (item->number % 2 != 0)
			kl_list_remove(&item->node);
	ck_assert_int_eq(digits(&l), 2468);
}
END_TEST

UNIT_SUITE(list)
{
	Suite *s = suite_create("list");
	unit_add(s, push_pop_remove);
	unit_add(s, splice_moves_all);
	unit_add(s, remove_while_walking);
	return s;
}
