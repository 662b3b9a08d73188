/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/consumer/modern_set.h"

#include <stdlib.h>

void kl_modern_set_free(struct kl_modern_set *set)
{
	free(set->list);
	*set = KL_MODERN_SET_NONE;
}

bool kl_modern_set_add(struct kl_modern_set *set, const struct klamm_uuid *topic,
		       int32_t partition)
{
	if (set->count == set->room) {
		size_t room = set->room ? set->room * 2 : 16;
		void *list = reallocarray(set->list, room, sizeof(*set->list));
		if (list == NULL)
			return false;
		set->list = list;
		set->room = room;
	}
	set->list[set->count++] = (struct kl_modern_part){*topic, partition};
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct kl_modern_part *x = a, *y = b;
	int rc = memcmp(&x->topic, &y->topic, sizeof(x->topic));
	return rc != 0 ? rc : (x->partition > y->partition) - (x->partition < y->partition);
}

void kl_modern_set_sort(struct kl_modern_set *set)
{
	size_t kept = 0;
	if (set->count > 1)
		qsort(set->list, set->count, sizeof(*set->list), compare);
	for (size_t i = 0; i < set->count; i++)
		if (kept == 0 || compare(&set->list[kept - 1], &set->list[i]) != 0)
			set->list[kept++] = set->list[i];
	set->count = kept;
}

bool kl_modern_set_alike(const struct kl_modern_set *a, const struct kl_modern_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (compare(&a->list[i], &b->list[i]) != 0)
			return false;
	return true;
}

void kl_modern_set_swap(struct kl_modern_set *a, struct kl_modern_set *b)
{
	struct kl_modern_set keep = *a;
	*a = *b;
	*b = keep;
}
