/* SPDX-License-Identifier: BSD-2-Clause */
/* The uniform assignor. When all members subscribe to the same, each has a quota, keeps what
 * it has up to that, and the rest goes to who has room. Otherwise topics go one by one to
 * their subscribers that have least, and then from who has most to who has least, as long as
 * that makes a difference. */
#include "broker/assign.h"

#include <stdlib.h>

/* Overlapping subscriptions come near to an even distribution in a few rounds; each about
 * halves the difference. */
#define ROUNDS_MAX 16

/* How many each member has. */
static int32_t *count_held(const struct kl_dev_assign *assign)
{
	int32_t *held = kl_arena_array(assign->arena, (size_t)assign->member_count,
				       sizeof(*held));
	if (held == NULL)
		return NULL;
	for (int32_t t = 0; t < assign->topic_count; t++)
		for (int32_t i = 0; i < assign->topics[t].count; i++)
			if (assign->topics[t].owners[i] >= 0)
				held[assign->topics[t].owners[i]]++;
	return held;
}

/* --- the same subscription for all --- */

struct quota {
	int32_t keep, room;
};

/* One more than the least goes first to who has as much already, and at last to whoever is
 * left when just as many are as there are such. */
static void set_quotas(const struct kl_dev_assign *assign, const int32_t *held,
		       struct quota *quotas)
{
	int64_t total = 0;
	for (int32_t t = 0; t < assign->topic_count; t++)
		total += assign->topics[t].count;
	int32_t n = assign->member_count;
	int32_t least = (int32_t)(total / n), extra = (int32_t)(total % n);
	for (int32_t m = 0; m < n; m++) {
		bool takes_extra = extra > 0;
		int32_t quota = least + takes_extra;
		quotas[m].keep = kl_min(held[m], quota);
		quotas[m].room = quota - quotas[m].keep;
		if (quotas[m].room > 0 && takes_extra && n - m > extra) {
			quotas[m].room--;
			takes_extra = false;
		}
		extra -= takes_extra;
	}
}

static bool assign_quotas(const struct kl_dev_assign *assign)
{
	const int32_t *held = count_held(assign);
	struct quota *quotas = kl_arena_array(assign->arena, (size_t)assign->member_count,
					      sizeof(*quotas));
	if (held == NULL || quotas == NULL)
		return false;
	set_quotas(assign, held, quotas);
	for (int32_t t = 0; t < assign->topic_count; t++) {
		struct kl_dev_assign_topic *topic = &assign->topics[t];
		for (int32_t i = 0; i < topic->count; i++)
			if (topic->owners[i] >= 0 && quotas[topic->owners[i]].keep-- <= 0)
				topic->owners[i] = -1;
	}
	int32_t m = 0;
	for (int32_t t = 0; t < assign->topic_count; t++) {
		struct kl_dev_assign_topic *topic = &assign->topics[t];
		for (int32_t i = 0; i < topic->count; i++) {
			if (topic->owners[i] >= 0)
				continue;
			while (quotas[m].room <= 0)
				m++;
			topic->owners[i] = m;
			quotas[m].room--;
		}
	}
	return true;
}

/* --- different subscriptions --- */

struct ranked {
	const struct kl_dev_assign_topic *topic;
	int32_t number;
	int32_t *subscribers, count; /* members, ascending */
};

/* Topics that give each subscriber most first; then those that have fewest; then by id. */
static int by_weight(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int64_t wx = (int64_t)x->topic->count * y->count;
	int64_t wy = (int64_t)y->topic->count * x->count;
	if (wx != wy)
		return wx > wy ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return memcmp(&x->topic->id, &y->topic->id, sizeof(x->topic->id));
}

static struct ranked *rank_topics(const struct kl_dev_assign *assign)
{
	size_t n = (size_t)assign->topic_count, entries = 0;
	for (int32_t m = 0; m < assign->member_count; m++)
		entries += (size_t)assign->members[m].topic_count;
	struct ranked *ranked = kl_arena_array(assign->arena, n, sizeof(*ranked));
	int32_t *list = kl_arena_array(assign->arena, entries, sizeof(*list));
	if (ranked == NULL || list == NULL)
		return NULL;
	for (int32_t m = 0; m < assign->member_count; m++)
		for (int32_t i = 0; i < assign->members[m].topic_count; i++)
			ranked[assign->members[m].topics[i]].count++;
	for (size_t t = 0; t < n; t++) {
		ranked[t].topic = &assign->topics[t];
		ranked[t].number = (int32_t)t;
		ranked[t].subscribers = list;
		list += ranked[t].count;
		ranked[t].count = 0;
	}
	for (int32_t m = 0; m < assign->member_count; m++) {
		for (int32_t i = 0; i < assign->members[m].topic_count; i++) {
			struct ranked *r = &ranked[assign->members[m].topics[i]];
			r->subscribers[r->count++] = m;
		}
	}
	qsort(ranked, n, sizeof(*ranked), by_weight);
	return ranked;
}

/* A subscriber that has least; or most, of those that may give. -1: there is none. */
static int32_t least_of(const struct ranked *r, const int32_t *held)
{
	int32_t found = r->subscribers[0];
	for (int32_t i = 1; i < r->count; i++)
		if (held[r->subscribers[i]] < held[found])
			found = r->subscribers[i];
	return found;
}

static int32_t most_of(const struct ranked *r, const int32_t *held, const int32_t *here)
{
	int32_t found = -1;
	for (int32_t i = 0; i < r->count; i++) {
		int32_t m = r->subscribers[i];
		if (here[m] > 0 && (found < 0 || held[m] >= held[found]))
			found = m;
	}
	return found;
}

static void fill(const struct ranked *r, int32_t *owners, int32_t *held)
{
	for (int32_t i = 0; i < r->topic->count; i++) {
		if (owners[i] >= 0)
			continue;
		owners[i] = least_of(r, held);
		held[owners[i]]++;
	}
}

/* true: something moved. here: room for how many of this topic each member has. */
static bool balance(const struct ranked *r, int32_t *owners, int32_t *held, int32_t *here,
		    size_t member_count)
{
	bool moved = false;
	memset(here, 0, member_count * sizeof(*here));
	for (int32_t i = 0; i < r->topic->count; i++)
		here[owners[i]]++;
	for (;;) {
		int32_t to = least_of(r, held), from = most_of(r, held, here);
		if (from < 0 || held[from] - held[to] <= 1)
			return moved;
		int32_t i = r->topic->count - 1;
		while (owners[i] != from)
			i--;
		owners[i] = to;
		held[from]--, here[from]--;
		held[to]++, here[to]++;
		moved = true;
	}
}

static bool assign_evenly(const struct kl_dev_assign *assign)
{
	size_t members = (size_t)assign->member_count;
	int32_t *held = count_held(assign);
	int32_t *here = kl_arena_array(assign->arena, members, sizeof(*here));
	struct ranked *ranked = rank_topics(assign);
	if (held == NULL || here == NULL || ranked == NULL)
		return false;
	for (int32_t t = 0; t < assign->topic_count; t++)
		fill(&ranked[t], assign->topics[ranked[t].number].owners, held);
	bool moved = true;
	for (int round = 0; moved && round < ROUNDS_MAX; round++) {
		moved = false;
		for (int32_t t = 0; t < assign->topic_count; t++)
			moved |= balance(&ranked[t], assign->topics[ranked[t].number].owners,
					 held, here, members);
	}
	return true;
}

bool kl_dev_assign_uniform(const struct kl_dev_assign *assign)
{
	if (assign->member_count == 0)
		return true;
	return kl_dev_assign_is_homogeneous(assign) ? assign_quotas(assign)
						    : assign_evenly(assign);
}
