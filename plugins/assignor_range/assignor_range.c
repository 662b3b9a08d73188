/* SPDX-License-Identifier: BSD-2-Clause */
/* Range, as Java's RangeAssignor: each topic's partitions in order, in equal runs to
 * its subscribers in order, the first ones getting one more. Where racks are told
 * (KIP-881) readers near a replica go first, without taking anything from the balance;
 * and topics with the same readers and as many partitions keep equal numbers together.
 * No state. */
#include "plugins/common/racks.h"

/* What is left to do for one topic. */
struct topic {
	size_t index;
	uint32_t partition_count;
	const uint32_t *readers; /* in order */
	uint32_t reader_count;
	uint32_t *given; /* partitions that each of readers has */
	uint32_t share;  /* of each reader */
	uint32_t extra;  /* readers that may get one more */
	bool wants_racks;
};

struct round {
	struct group group;
	struct racks racks;
	int32_t *const *owner;
	struct topic *topics;
	size_t topic_count; /* those that have partitions and readers */
	/* By rack, and for those without one: where to look on; and a mark. */
	uint32_t *cursor;
	size_t *seen;
};

static uint32_t may_get(const struct topic *t, uint32_t reader)
{
	uint32_t most = t->share + (t->extra > 0);
	return most > t->given[reader] ? most - t->given[reader] : 0;
}

/* After n partitions were written down for a reader. */
static void count_given(struct topic *t, uint32_t reader, uint32_t n)
{
	t->given[reader] += n;
	if (n > 0 && t->given[reader] > t->share)
		t->extra--;
}

/* --- each topic by itself --- */

static void give_ranges(struct round *r, struct topic *t)
{
	int32_t *owner = r->owner[t->index];
	uint32_t p = 0;
	for (uint32_t i = 0; i < t->reader_count; i++) {
		uint32_t most = may_get(t, i), n = 0;
		for (; p < t->partition_count && n < most; p++) {
			if (owner[p] >= 0)
				continue;
			owner[p] = (int32_t)t->readers[i];
			n++;
		}
		count_given(t, i, n);
	}
}

/* A reader without a rack is near everything. */
static bool is_near(const struct round *r, const struct topic *t, uint32_t p,
		    int32_t rack)
{
	return rack < 0 || racks_near(&r->racks, r->group.base[t->index] + p, rack);
}

/* What a rack's cursor has passed is taken, or far from it for good. */
static void give_near(struct round *r, struct topic *t)
{
	int32_t *owner = r->owner[t->index];
	memset(r->cursor, 0, (r->racks.count + 1) * sizeof(*r->cursor));
	for (uint32_t i = 0; i < t->reader_count; i++) {
		int32_t rack = r->racks.of[t->readers[i]];
		uint32_t most = may_get(t, i), n = 0, *p = &r->cursor[rack + 1];
		for (; *p < t->partition_count && n < most; (*p)++) {
			if (owner[*p] >= 0 || !is_near(r, t, *p, rack))
				continue;
			owner[*p] = (int32_t)t->readers[i];
			n++;
		}
		count_given(t, i, n);
	}
}

/* --- topics that belong together: the same readers, as many partitions --- */

static int by_likeness(const void *a, const void *b)
{
	const struct topic *x = a, *y = b;
	if (x->partition_count != y->partition_count)
		return x->partition_count < y->partition_count ? -1 : 1;
	if (x->reader_count != y->reader_count)
		return x->reader_count < y->reader_count ? -1 : 1;
	return memcmp(x->readers, y->readers, x->reader_count * sizeof(*x->readers));
}

/* The first reader of this rack with room, reader_count = none. All topics of the group
 * give the same to each, so the first one's room is that of all. */
static uint32_t first_of_rack(struct round *r, const struct topic *first, int32_t rack)
{
	uint32_t *i = &r->cursor[rack + 1];
	while (*i < first->reader_count &&
	       (r->racks.of[first->readers[*i]] != rack || may_get(first, *i) == 0))
		(*i)++;
	return *i;
}

static bool is_near_in_all(const struct round *r, const struct topic *first,
			   const struct topic *end, uint32_t p, int32_t rack)
{
	for (const struct topic *t = first; t < end; t++)
		if (!is_near(r, t, p, rack))
			return false;
	return true;
}

/* The first reader that is near partition p of every topic. */
static uint32_t reader_for_all(struct round *r, const struct topic *first,
			       const struct topic *end, uint32_t p)
{
	const struct racks *racks = &r->racks;
	uint32_t at = r->group.base[first->index] + p;
	uint32_t best = first_of_rack(r, first, -1);
	for (uint32_t i = racks->first[at]; i < racks->first[at + 1]; i++) {
		int32_t rack = (int32_t)racks->near[i];
		if (!is_near_in_all(r, first + 1, end, p, rack))
			continue;
		uint32_t reader = first_of_rack(r, first, rack);
		best = reader < best ? reader : best;
	}
	return best;
}

static void give_together(struct round *r, struct topic *first, struct topic *end)
{
	memset(r->cursor, 0, (r->racks.count + 1) * sizeof(*r->cursor));
	for (uint32_t p = 0; p < first->partition_count; p++) {
		uint32_t reader = reader_for_all(r, first, end, p);
		for (struct topic *t = first; reader < first->reader_count && t < end;
		     t++) {
			r->owner[t->index][p] = (int32_t)t->readers[reader];
			count_given(t, reader, 1);
		}
	}
}

static void give_by_racks(struct round *r)
{
	struct topic *end = r->topics + r->topic_count, *next;
	qsort(r->topics, r->topic_count, sizeof(*r->topics), by_likeness);
	for (struct topic *first = r->topics; first < end; first = next) {
		next = first + 1;
		while (next < end && by_likeness(first, next) == 0)
			next++;
		if (next - first > 1)
			give_together(r, first, next);
		else if (first->wants_racks)
			give_near(r, first);
	}
}

/* --- the round --- */

/* Does every partition have a replica in every rack that any of them has? */
static bool is_everywhere(const struct klamm_assign_topic *topic)
{
	for (uint32_t p = 1; p < (uint32_t)topic->partition_count; p++)
		if (!racks_same(racks_told(topic, 0), racks_told(topic, p)))
			return false;
	return true;
}

/* Racks help when some reader is near some partition, and not all are near everything.
 */
static bool wants_racks(struct round *r, const struct topic *t)
{
	const struct racks *racks = &r->racks;
	uint32_t base = r->group.base[t->index];
	bool meets = false;
	if (racks->count == 0)
		return false;
	for (uint32_t i = 0; i < t->reader_count; i++)
		r->seen[racks->of[t->readers[i]] + 1] = t->index + 1;
	for (uint32_t i = racks->first[base];
	     i < racks->first[base + t->partition_count]; i++)
		meets |= r->seen[racks->near[i] + 1] == t->index + 1;
	return meets && !is_everywhere(group_topic(r->group.in, t->index));
}

static bool add_topic(struct round *r, size_t index)
{
	const struct group *g = &r->group;
	struct topic t = {
		.index = index,
		.partition_count = group_partitions(g, index),
		.readers = g->readers + g->first_reader[index],
		.reader_count = group_readers(g, index),
	};
	if (t.partition_count == 0)
		return true;
	t.given = group_alloc(g->in, t.reader_count, sizeof(*t.given));
	if (t.given == NULL)
		return false;
	t.share = t.partition_count / t.reader_count;
	t.extra = t.partition_count % t.reader_count;
	t.wants_racks = wants_racks(r, &t);
	r->topics[r->topic_count++] = t;
	return true;
}

static bool begin(struct round *r, const struct klamm_assign *in)
{
	if (!racks_init(&r->racks, &r->group))
		return false;
	r->topics = group_alloc(in, in->topic_count, sizeof(*r->topics));
	r->cursor = group_alloc(in, r->racks.count + 1, sizeof(*r->cursor));
	r->seen = group_alloc(in, r->racks.count + 1, sizeof(*r->seen));
	if (r->topics == NULL || r->cursor == NULL || r->seen == NULL)
		return false;
	for (size_t i = 0; i < in->topic_count; i++)
		if (!add_topic(r, i))
			return false;
	return true;
}

static int range_assign(void *self, const struct klamm_assign *in,
			struct klamm_assign_answer *answer, struct klamm_error *err)
{
	struct round r = {.owner = answer->owner};
	bool by_racks = false;
	int rc = group_init(&r.group, in, NULL, err);
	if (rc != 0)
		return rc;
	if (!begin(&r, in))
		return group_no_memory(in, err);
	for (size_t i = 0; i < r.topic_count; i++)
		by_racks |= r.topics[i].wants_racks;
	if (by_racks)
		give_by_racks(&r);
	for (size_t i = 0; i < r.topic_count; i++)
		give_ranges(&r, &r.topics[i]);
	return 0;
}

KLAMM_PLUGIN(assignor, range) = {
	.head = {KLAMM_PLUGIN_HEAD(assignor, "range",
				   "equal runs of a topic's partitions")},
	.protocol_name = "range",
	.protocols = KLAMM_REBALANCE_EAGER,
	.assign = range_assign,
};
