/* SPDX-License-Identifier: BSD-2-Clause */
/* Range, and finding assignors by name. */
#include "broker/assign.h"

#include <stdlib.h>

kl_dev_assign_fn kl_dev_assign_named(struct kl_str name)
{
	if (kl_str_is(name, "uniform"))
		return kl_dev_assign_uniform;
	if (kl_str_is(name, "range"))
		return kl_dev_assign_range;
	return NULL;
}

bool kl_dev_assign_is_homogeneous(const struct kl_dev_assign *assign)
{
	for (int32_t m = 0; m < assign->member_count; m++)
		if (assign->members[m].topic_count != assign->topic_count)
			return false;
	return true;
}

static int compare_texts(struct kl_str a, struct kl_str b)
{
	int rc = memcmp(a.p ?: "", b.p ?: "", (size_t)kl_max(kl_min(a.len, b.len), 0));
	return rc != 0 ? rc : (a.len > b.len) - (a.len < b.len);
}

static int by_rank(const void *a, const void *b)
{
	const struct kl_dev_assign_member *x = *(const struct kl_dev_assign_member *const *)a;
	const struct kl_dev_assign_member *y = *(const struct kl_dev_assign_member *const *)b;
	bool x_static = x->instance.len >= 0, y_static = y->instance.len >= 0;
	if (x_static != y_static)
		return x_static ? -1 : 1;
	return x_static ? compare_texts(x->instance, y->instance)
			: compare_texts(x->id, y->id);
}

struct range {
	int32_t members; /* that subscribe to the topic */
	int32_t next, extra;
};

static void take_range(struct kl_dev_assign_topic *topic, struct range *range, int32_t member)
{
	int32_t n = topic->count / range->members;
	if (range->extra > 0) {
		range->extra--;
		n++;
	}
	for (; n > 0 && range->next < topic->count; n--)
		topic->owners[range->next++] = member;
}

bool kl_dev_assign_range(const struct kl_dev_assign *assign)
{
	size_t n = (size_t)assign->member_count;
	const struct kl_dev_assign_member **ranked =
		kl_arena_array(assign->arena, n, sizeof(const struct kl_dev_assign_member *));
	struct range *ranges = kl_arena_array(assign->arena, (size_t)assign->topic_count,
					      sizeof(*ranges));
	if (ranked == NULL || ranges == NULL)
		return false;
	for (size_t m = 0; m < n; m++) {
		ranked[m] = &assign->members[m];
		for (int32_t i = 0; i < assign->members[m].topic_count; i++)
			ranges[assign->members[m].topics[i]].members++;
	}
	for (int32_t t = 0; t < assign->topic_count; t++) {
		struct kl_dev_assign_topic *topic = &assign->topics[t];
		ranges[t].extra = topic->count % kl_max(ranges[t].members, 1);
		for (int32_t i = 0; i < topic->count; i++)
			topic->owners[i] = -1;
	}
	qsort(ranked, n, sizeof(*ranked), by_rank);
	for (size_t r = 0; r < n; r++) {
		int32_t m = (int32_t)(ranked[r] - assign->members);
		for (int32_t i = 0; i < ranked[r]->topic_count; i++) {
			int32_t t = ranked[r]->topics[i];
			take_range(&assign->topics[t], &ranges[t], m);
		}
	}
	return true;
}
