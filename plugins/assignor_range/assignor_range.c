/* SPDX-License-Identifier: BSD-2-Clause */
/* Range, as Java's RangeAssignor: each topic's partitions in order, in equal runs to its
 * subscribers in order, the first ones getting one more. Where racks are told (KIP-881)
 * readers near a replica go first, without taking anything from the balance; and topics with
 * the same readers and as many partitions keep equal numbers together. No state. */
#include <klamm/assignor.h>

/* What is left to do for one topic. */
struct topic {
	size_t index;
	int32_t partition_count;
	uint32_t *readers; /* members that subscribed, in order */
	size_t reader_count;
	int32_t *given; /* partitions that each of readers has */
	int32_t share;  /* of each reader */
	int32_t extra;  /* readers that may get one more */
	bool wants_racks;
	bool is_grouped; /* its turn by racks has been */
};

struct round {
	const struct klamm_assign *in;
	int32_t *const *owner;
	struct topic *topics;
	size_t topic_count; /* those that have partitions and readers */
};

static const struct klamm_assign_member *member_at(const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->members + i * in->member_size);
}

static const struct klamm_assign_topic *topic_at(const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->topics + i * in->topic_size);
}

static bool subscribes(const struct klamm_assign_member *member, size_t topic)
{
	for (size_t i = 0; i < member->topic_count; i++)
		if (member->topics[i] == topic)
			return true;
	return false;
}

/* --- racks --- */

static const char *rack_of(const struct klamm_assign *in, size_t member)
{
	const char *rack = member_at(in, member)->rack;
	return rack != NULL && rack[0] != '\0' ? rack : NULL;
}

/* list: "a,b"; it may be NULL. */
static bool has_rack(const char *list, const char *rack, size_t len)
{
	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, ",");
		if (n == len && memcmp(list, rack, len) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static const char *racks_at(const struct klamm_assign_topic *topic, int32_t partition)
{
	return topic->racks != NULL ? topic->racks[partition] : NULL;
}

/* A reader without a rack is near everything. */
static bool is_near(const struct round *r, const struct topic *t, uint32_t member,
		    int32_t partition)
{
	const char *rack = rack_of(r->in, member);
	return rack == NULL ||
	       has_rack(racks_at(topic_at(r->in, t->index), partition), rack, strlen(rack));
}

/* Does every partition have a replica in every rack that any of them has? */
static bool is_everywhere(const struct klamm_assign_topic *topic)
{
	for (int32_t p = 0; p < topic->partition_count; p++) {
		const char *list = racks_at(topic, p);
		while (list != NULL && *list != '\0') {
			size_t n = strcspn(list, ",");
			for (int32_t q = 0; q < topic->partition_count; q++)
				if (n > 0 && !has_rack(racks_at(topic, q), list, n))
					return false;
			list += n + (list[n] == ',');
		}
	}
	return true;
}

/* Racks help when some reader is near some partition, and not all are near everything. */
static bool wants_racks(const struct round *r, const struct topic *t)
{
	const struct klamm_assign_topic *topic = topic_at(r->in, t->index);
	bool meets = false;
	for (size_t i = 0; i < t->reader_count && !meets; i++) {
		const char *rack = rack_of(r->in, t->readers[i]);
		for (int32_t p = 0; rack != NULL && p < topic->partition_count && !meets; p++)
			meets = has_rack(racks_at(topic, p), rack, strlen(rack));
	}
	return meets && !is_everywhere(topic);
}

/* --- giving --- */

static int32_t may_get(const struct topic *t, size_t reader)
{
	int32_t n = t->share + (t->extra > 0) - t->given[reader];
	return n > 0 ? n : 0;
}

/* After a run of n partitions was written down for a reader. */
static void count_given(struct topic *t, size_t reader, int32_t n)
{
	t->given[reader] += n;
	if (n > 0 && t->given[reader] > t->share)
		t->extra--;
}

static void give_ranges(struct round *r, struct topic *t, bool near_only)
{
	int32_t *owner = r->owner[t->index];
	for (size_t i = 0; i < t->reader_count; i++) {
		int32_t most = may_get(t, i), n = 0;
		for (int32_t p = 0; p < t->partition_count && n < most; p++) {
			if (owner[p] >= 0 || (near_only && !is_near(r, t, t->readers[i], p)))
				continue;
			owner[p] = (int32_t)t->readers[i];
			n++;
		}
		count_given(t, i, n);
	}
}

/* --- topics that belong together --- */

static bool belongs(const struct topic *a, const struct topic *b)
{
	if (a->partition_count != b->partition_count || a->reader_count != b->reader_count)
		return false;
	return memcmp(a->readers, b->readers, a->reader_count * sizeof(*a->readers)) == 0;
}

/* Is this reader near partition p of every topic of the group, with room in each? */
static bool fits_group(const struct round *r, const struct topic *first, size_t reader,
		       int32_t p)
{
	const struct topic *end = r->topics + r->topic_count;
	for (const struct topic *t = first; t < end; t++)
		if (belongs(first, t) &&
		    (!is_near(r, t, t->readers[reader], p) || may_get(t, reader) == 0))
			return false;
	return true;
}

static void give_group(struct round *r, struct topic *first)
{
	struct topic *end = r->topics + r->topic_count;
	for (int32_t p = 0; p < first->partition_count; p++) {
		size_t reader = 0;
		while (reader < first->reader_count && !fits_group(r, first, reader, p))
			reader++;
		for (struct topic *t = first; reader < first->reader_count && t < end; t++) {
			if (!belongs(first, t))
				continue;
			r->owner[t->index][p] = (int32_t)t->readers[reader];
			count_given(t, reader, 1);
		}
	}
}

static void give_by_racks(struct round *r)
{
	struct topic *end = r->topics + r->topic_count;
	for (struct topic *first = r->topics; first < end; first++) {
		size_t members = 0;
		if (first->is_grouped)
			continue;
		for (struct topic *t = first; t < end; t++) {
			if (belongs(first, t)) {
				t->is_grouped = true;
				members++;
			}
		}
		if (members > 1)
			give_group(r, first);
		else if (first->wants_racks)
			give_ranges(r, first, true);
	}
}

/* --- the round --- */

static int add_topic(struct round *r, size_t index)
{
	const struct klamm_assign *in = r->in;
	struct klamm_arena *arena = in->arena;
	struct topic t = {.index = index};
	t.partition_count = topic_at(in, index)->partition_count;
	t.readers = arena->alloc(arena, in->member_count * sizeof(*t.readers));
	t.given = arena->alloc(arena, in->member_count * sizeof(*t.given));
	if (t.readers == NULL || t.given == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (size_t m = 0; m < in->member_count; m++)
		if (subscribes(member_at(in, m), index))
			t.readers[t.reader_count++] = (uint32_t)m;
	if (t.reader_count == 0 || t.partition_count <= 0)
		return 0;
	t.share = t.partition_count / (int32_t)t.reader_count;
	t.extra = t.partition_count % (int32_t)t.reader_count;
	t.wants_racks = wants_racks(r, &t);
	r->topics[r->topic_count++] = t;
	return 0;
}

static int range_assign(void *self, const struct klamm_assign *in,
			struct klamm_assign_answer *answer, struct klamm_error *err)
{
	struct round r = {.in = in, .owner = answer->owner};
	bool by_racks = false;
	int rc = 0;
	if (in->topic_count == 0 || in->member_count == 0)
		return 0;
	r.topics = in->arena->alloc(in->arena, in->topic_count * sizeof(*r.topics));
	if (r.topics == NULL)
		rc = KLAMM_ERR_NO_MEMORY;
	for (size_t i = 0; rc == 0 && i < in->topic_count; i++)
		rc = add_topic(&r, i);
	if (rc != 0)
		return klamm_fail(err, rc, "out of memory for %zu topics and %zu members",
				  in->topic_count, in->member_count);
	for (size_t i = 0; i < r.topic_count; i++)
		by_racks |= r.topics[i].wants_racks;
	if (by_racks)
		give_by_racks(&r);
	for (size_t i = 0; i < r.topic_count; i++)
		give_ranges(&r, &r.topics[i], false);
	return 0;
}

KLAMM_PLUGIN(assignor, range) = {
	.head = {KLAMM_PLUGIN_HEAD(assignor, "range", "equal runs of a topic's partitions")},
	.protocol_name = "range",
	.protocols = KLAMM_REBALANCE_EAGER,
	.assign = range_assign,
};
