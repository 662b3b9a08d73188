/* SPDX-License-Identifier: BSD-2-Clause */
/* What sticky and cooperative_sticky share: members keep what they have as far as the
 * balance allows, by the rules of Java's AbstractStickyAssignor. Here: who has what.
 * sticky_equal.h assigns when all subscribe to the same, sticky_general.h when they do
 * not. */
#ifndef PLUGINS_STICKY_H
#define PLUGINS_STICKY_H

#include "plugins/common/racks.h"

#define NOBODY        (-1)
#define NO_GENERATION (-1)

/* What a member says it has. */
struct claim {
	uint32_t *partitions;
	uint32_t count;
	int32_t generation; /* NO_GENERATION = not told */
};

struct sticky {
	struct group group; /* members in the order of their ids */
	struct racks racks;
	bool by_racks;        /* racks are to be looked at */
	uint32_t count;       /* of members */
	struct claim *claims; /* per place */
	int32_t generation;   /* the latest */
	/* Per partition: */
	int32_t *holder; /* whose claim counts: a place, or NOBODY */
	bool *disputed;  /* two of one generation claimed it */
	int32_t *owner;  /* the answer: a place, or NOBODY */
	bool *moves;     /* who had it has to let it go first */
	uint32_t *size;  /* per place: partitions owned */
};

static inline const struct klamm_assign_member *sticky_member(const struct sticky *s,
							      uint32_t place)
{
	return group_member(s->group.in, s->group.order[place]);
}

static inline void sticky_give(struct sticky *s, uint32_t partition, uint32_t place)
{
	s->owner[partition] = (int32_t)place;
	s->size[place]++;
}

/* Is the member in a rack that has no replica of the partition? */
static inline bool sticky_is_far(const struct sticky *s, uint32_t place,
				 uint32_t partition)
{
	return s->by_racks && s->racks.of[place] >= 0 &&
	       !racks_near(&s->racks, partition, s->racks.of[place]);
}

/* --- members in order --- */

struct sticky_name {
	const char *id;
	uint32_t member;
};

static inline int sticky_by_id(const void *a, const void *b)
{
	const struct sticky_name *x = a, *y = b;
	int order = strcmp(x->id, y->id);
	return order != 0 ? order : (x->member > y->member) - (x->member < y->member);
}

static inline const uint32_t *sticky_order(const struct klamm_assign *in)
{
	size_t n = in->member_count;
	struct sticky_name *names = group_alloc(in, n, sizeof(*names));
	uint32_t *order = group_alloc(in, n, sizeof(*order));
	if (names == NULL || order == NULL)
		return NULL;
	for (uint32_t m = 0; m < n; m++)
		names[m] = (struct sticky_name){group_member(in, m)->member_id, m};
	qsort(names, n, sizeof(*names), sticky_by_id);
	for (size_t i = 0; i < n; i++)
		order[i] = names[i].member;
	return order;
}

/* --- claims --- */

/* Room for `most` partitions of a claim. */
static inline bool sticky_claim_room(struct sticky *s, struct claim *claim, size_t most)
{
	claim->partitions = group_alloc(s->group.in, most, sizeof(*claim->partitions));
	return claim->partitions != NULL;
}

/* What is not there, or read by nobody, is left out. */
static inline void sticky_claim_add(const struct sticky *s, struct claim *claim,
				    size_t topic, int32_t partition)
{
	if (partition >= 0 && (uint32_t)partition < group_partitions(&s->group, topic))
		claim->partitions[claim->count++] =
			s->group.base[topic] + (uint32_t)partition;
}

/* Of two generations the later one's claim counts, and of two claims of one generation
 * none does: both members believe to have it, so neither keeps it without more ado. */
static inline bool sticky_judge_claims(struct sticky *s)
{
	const struct klamm_assign *in = s->group.in;
	/* Who has claimed it so far, whether that counts or not. */
	int32_t *claimer = group_alloc(in, s->group.partition_count, sizeof(*claimer));
	if (claimer == NULL)
		return false;
	for (uint32_t p = 0; p < s->group.partition_count; p++)
		claimer[p] = s->holder[p] = NOBODY;
	s->generation = NO_GENERATION;
	for (uint32_t m = 0; m < s->count; m++) {
		const struct claim *claim = &s->claims[m];
		if (claim->generation > s->generation)
			s->generation = claim->generation;
		for (uint32_t i = 0; i < claim->count; i++) {
			uint32_t p = claim->partitions[i];
			int32_t other = claimer[p], generation = NO_GENERATION;
			if (other == (int32_t)m)
				continue;
			if (other != NOBODY)
				generation = s->claims[other].generation;
			if (other != NOBODY && claim->generation < generation)
				continue;
			bool tie = other != NOBODY && claim->generation == generation;
			s->disputed[p] |= tie;
			s->holder[p] = tie ? NOBODY : (int32_t)m;
			claimer[p] = (int32_t)m;
		}
	}
	return true;
}

/* --- the beginning and the end --- */

static inline bool sticky_wants_racks(const struct sticky *s)
{
	const struct group *g = &s->group;
	const char *first = NULL;
	bool is_first = true;
	if (s->racks.count == 0 || s->racks.first[g->partition_count] == 0)
		return false;
	/* Where every replica set is in the same racks, they make no difference. */
	for (size_t t = 0; t < g->in->topic_count; t++)
		for (uint32_t p = 0; p < group_partitions(g, t); p++) {
			const char *told = racks_told(group_topic(g->in, t), p);
			if (!is_first && !racks_same(first, told))
				return true;
			first = told;
			is_first = false;
		}
	return false;
}

/* Everything but the claims. */
static inline int sticky_init(struct sticky *s, const struct klamm_assign *in,
			      struct klamm_error *err)
{
	*s = (struct sticky){.count = (uint32_t)in->member_count};
	const uint32_t *order = sticky_order(in);
	if (order == NULL)
		return group_no_memory(in, err);
	int rc = group_init(&s->group, in, order, err);
	if (rc != 0)
		return rc;
	size_t n = s->group.partition_count;
	s->claims = group_alloc(in, s->count, sizeof(*s->claims));
	s->size = group_alloc(in, s->count, sizeof(*s->size));
	s->holder = group_alloc(in, n, sizeof(*s->holder));
	s->disputed = group_alloc(in, n, sizeof(*s->disputed));
	s->owner = group_alloc(in, n, sizeof(*s->owner));
	s->moves = group_alloc(in, n, sizeof(*s->moves));
	if (s->claims == NULL || s->size == NULL || s->holder == NULL ||
	    s->disputed == NULL || s->owner == NULL || s->moves == NULL ||
	    !racks_init(&s->racks, &s->group))
		return group_no_memory(in, err);
	for (size_t p = 0; p < n; p++)
		s->owner[p] = NOBODY;
	s->by_racks = sticky_wants_racks(s);
	return 0;
}

static inline bool sticky_is_equal(const struct sticky *s)
{
	const struct group *g = &s->group;
	for (size_t t = 0; t < g->in->topic_count; t++)
		if (group_readers(g, t) != 0 && group_readers(g, t) != s->count)
			return false;
	return true;
}

static inline void sticky_answer(const struct sticky *s,
				 const struct klamm_assign_answer *answer)
{
	const struct group *g = &s->group;
	for (size_t t = 0; t < g->in->topic_count; t++)
		for (uint32_t p = 0; p < group_partitions(g, t); p++) {
			int32_t owner = s->owner[g->base[t] + p];
			if (owner != NOBODY)
				answer->owner[t][p] = (int32_t)g->order[owner];
		}
}

#endif
