/* SPDX-License-Identifier: BSD-2-Clause */
/* Sticky where all members subscribe to the same topics: each gets the lower or the
 * higher of two quotas. They keep what they have up to that; the rest goes to those
 * that have too little, in turn, near ones first where racks matter. */
#ifndef PLUGINS_STICKY_EQUAL_H
#define PLUGINS_STICKY_EQUAL_H

#include "plugins/common/sticky.h"

struct equal {
	struct sticky *s;
	uint32_t low, high;  /* quotas; equal when it comes out even */
	uint32_t most_high;  /* members that are to get the higher one, */
	uint32_t high_count; /* and those that have it */
	/* Members below the lower quota, in order; who reaches it is gone. */
	uint32_t *below, below_count;
	/* Members with the lower quota that may get one more, first come first. */
	uint32_t *ready, ready_count, ready_next;
	uint32_t *rest, rest_count; /* partitions that nobody has yet, in order */
	uint32_t *had; /* per partition: the place that had it, + 1, when it moves */
};

/* --- what they keep --- */

/* Partitions that count as somebody's, by member, and for each by number and topic. */
static inline uint32_t *equal_held(const struct sticky *s, uint32_t *first)
{
	const struct group *g = &s->group;
	uint32_t most = 0, n = g->partition_count;
	for (size_t t = 0; t < g->in->topic_count; t++)
		most = group_partitions(g, t) > most ? group_partitions(g, t) : most;
	uint32_t *next = group_alloc(g->in, (size_t)most + 1, sizeof(*next));
	uint32_t *by_number = group_alloc(g->in, n, sizeof(*by_number));
	uint32_t *held = group_alloc(g->in, n, sizeof(*held));
	uint32_t *end = group_alloc(g->in, s->count, sizeof(*end));
	if (next == NULL || by_number == NULL || held == NULL || end == NULL)
		return NULL;
	for (size_t t = 0; t < g->in->topic_count; t++)
		for (uint32_t p = 0; p < group_partitions(g, t); p++)
			next[p + 1]++;
	for (uint32_t p = 0; p < most; p++)
		next[p + 1] += next[p];
	for (size_t t = 0; t < g->in->topic_count; t++)
		for (uint32_t p = 0; p < group_partitions(g, t); p++)
			by_number[next[p]++] = g->base[t] + p;
	for (uint32_t p = 0; p < n; p++)
		if (s->holder[p] != NOBODY)
			first[s->holder[p] + 1]++;
	for (uint32_t m = 0; m < s->count; m++) {
		first[m + 1] += first[m];
		end[m] = first[m];
	}
	for (uint32_t i = 0; i < n; i++)
		if (s->holder[by_number[i]] != NOBODY)
			held[end[s->holder[by_number[i]]]++] = by_number[i];
	return held;
}

/* A member keeps the first of these, up to its quota; the others move. */
static inline void equal_keep(struct equal *e, uint32_t m, const uint32_t *held,
			      uint32_t count)
{
	struct sticky *s = e->s;
	uint32_t mine = 0, quota = e->low;
	for (uint32_t i = 0; i < count; i++)
		mine += !s->disputed[held[i]] && !sticky_is_far(s, m, held[i]);
	bool is_high = mine >= e->high && e->high_count < e->most_high;
	if (is_high)
		quota = e->high;
	for (uint32_t i = 0; i < count; i++) {
		if (s->disputed[held[i]])
			continue;
		if (s->size[m] < quota && !sticky_is_far(s, m, held[i]))
			sticky_give(s, held[i], m);
		else
			e->had[held[i]] = m + 1;
	}
	if (mine < e->low) {
		e->below[e->below_count++] = m;
	} else if (is_high) {
		if (++e->high_count == e->most_high)
			e->ready_count = 0;
	} else if (e->high_count < e->most_high) {
		e->ready[e->ready_count++] = m;
	}
}

/* --- what is left --- */

/* Those that few members are near go first. */
static inline bool equal_sort_rest(struct equal *e)
{
	const struct racks *racks = &e->s->racks;
	const struct klamm_assign *in = e->s->group.in;
	uint32_t n = e->rest_count, max = e->s->count;
	uint32_t *members = group_alloc(in, racks->count, sizeof(*members));
	uint32_t *near = group_alloc(in, n, sizeof(*near));
	uint32_t *next = group_alloc(in, (size_t)max + 2, sizeof(*next));
	uint32_t *sorted = group_alloc(in, n, sizeof(*sorted));
	if (members == NULL || near == NULL || next == NULL || sorted == NULL)
		return false;
	for (uint32_t m = 0; m < max; m++)
		if (racks->of[m] >= 0)
			members[racks->of[m]]++;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t p = e->rest[i];
		for (uint32_t k = racks->first[p]; k < racks->first[p + 1]; k++)
			near[i] += members[racks->near[k]];
		next[near[i] + 1]++;
	}
	for (uint32_t k = 0; k <= max; k++)
		next[k + 1] += next[k];
	for (uint32_t i = 0; i < n; i++)
		sorted[next[near[i]]++] = e->rest[i];
	e->rest = sorted;
	return true;
}

static inline void equal_give(struct equal *e, uint32_t partition, uint32_t m)
{
	struct sticky *s = e->s;
	sticky_give(s, partition, m);
	uint32_t had = e->had[partition];
	s->moves[partition] = s->disputed[partition] || (had != 0 && had != m + 1);
}

/* --- near ones first --- */

/* Members of one rack, out of a list: those that are still in it. */
struct equal_rack {
	uint32_t *below, count; /* indices in equal.below, rising */
	uint32_t *skip;         /* per each: the next one that is there, or itself */
	uint32_t turn, at;      /* of equal_below_from() */
	uint32_t *ready, ready_count, ready_next; /* indices in equal.ready */
};

static inline uint32_t equal_there(uint32_t *skip, uint32_t i)
{
	uint32_t end = i;
	while (skip[end] != end)
		end = skip[end];
	while (skip[i] != end) {
		uint32_t next = skip[i];
		skip[i] = end;
		i = next;
	}
	return end;
}

static inline struct equal_rack *equal_racks(const struct equal *e)
{
	const struct racks *r = &e->s->racks;
	const struct klamm_assign *in = e->s->group.in;
	struct equal_rack *racks = group_alloc(in, r->count, sizeof(*racks));
	uint32_t *sizes = group_alloc(in, r->count, sizeof(*sizes));
	if (racks == NULL || sizes == NULL)
		return NULL;
	for (uint32_t m = 0; m < e->s->count; m++)
		if (r->of[m] >= 0)
			sizes[r->of[m]]++;
	for (uint32_t i = 0; i < r->count; i++) {
		struct equal_rack *rack = &racks[i];
		rack->below = group_alloc(in, sizes[i], sizeof(*rack->below));
		rack->ready = group_alloc(in, sizes[i], sizeof(*rack->ready));
		rack->skip = group_alloc(in, (size_t)sizes[i] + 1, sizeof(*rack->skip));
		if (rack->below == NULL || rack->ready == NULL || rack->skip == NULL)
			return NULL;
		for (uint32_t k = 0; k <= sizes[i]; k++)
			rack->skip[k] = k;
	}
	for (uint32_t i = 0; i < e->below_count; i++)
		if (r->of[e->below[i]] >= 0) {
			struct equal_rack *rack = &racks[r->of[e->below[i]]];
			rack->below[rack->count++] = i;
		}
	for (uint32_t i = 0; i < e->ready_count; i++)
		if (r->of[e->ready[i]] >= 0) {
			struct equal_rack *rack = &racks[r->of[e->ready[i]]];
			rack->ready[rack->ready_count++] = i;
		}
	return racks;
}

/* The first member of the rack that is in equal.below at `turn` or behind it,
 * below_count = none; *slot_out is its place in the rack's list. The turn goes forward,
 * and begins anew. */
static inline uint32_t equal_below_from(const struct equal *e, struct equal_rack *rack,
					uint32_t turn, uint32_t *slot_out)
{
	if (turn < rack->turn)
		rack->at = 0;
	rack->turn = turn;
	while (rack->at < rack->count && rack->below[rack->at] < turn)
		rack->at++;
	*slot_out = equal_there(rack->skip, rack->at);
	return *slot_out < rack->count ? rack->below[*slot_out] : e->below_count;
}

/* The next member near the partition, in turn from equal.below[turn]; below_count =
 * none. */
static inline uint32_t equal_next_below(const struct equal *e, struct equal_rack *racks,
					uint32_t partition, uint32_t turn,
					struct equal_rack **rack_out,
					uint32_t *slot_out)
{
	const struct racks *r = &e->s->racks;
	uint32_t best = UINT32_MAX;
	for (uint32_t k = r->first[partition]; k < r->first[partition + 1]; k++) {
		struct equal_rack *rack = &racks[r->near[k]];
		uint32_t slot, i = equal_below_from(e, rack, turn, &slot);
		if (i == e->below_count) { /* around to its first one */
			slot = equal_there(rack->skip, 0);
			if (slot == rack->count)
				continue;
			i += rack->below[slot];
		}
		if (i >= best)
			continue;
		best = i;
		*rack_out = rack;
		*slot_out = slot;
	}
	if (best == UINT32_MAX)
		return e->below_count;
	return best < e->below_count ? best : best - e->below_count;
}

/* The member that has waited longest with the lower quota, NULL = none is near. */
static inline struct equal_rack *equal_next_ready(const struct equal *e,
						  struct equal_rack *racks,
						  uint32_t partition)
{
	const struct racks *r = &e->s->racks;
	struct equal_rack *best = NULL;
	for (uint32_t k = r->first[partition]; k < r->first[partition + 1]; k++) {
		struct equal_rack *rack = &racks[r->near[k]];
		if (rack->ready_next < rack->ready_count &&
		    (best == NULL ||
		     rack->ready[rack->ready_next] < best->ready[best->ready_next]))
			best = rack;
	}
	return best;
}

/* Nobody may get more than the lower quota any more. */
static inline void equal_none_ready(struct equal *e, struct equal_rack *racks)
{
	e->ready_next = e->ready_count;
	for (uint32_t i = 0; i < e->s->racks.count; i++)
		racks[i].ready_next = racks[i].ready_count;
}

static inline void equal_becomes_ready(struct equal *e, struct equal_rack *rack,
				       uint32_t m)
{
	rack->ready[rack->ready_count++] = e->ready_count;
	e->ready[e->ready_count++] = m;
}

/* Take those out of a list that are not wanted there any more, at the end of the phase.
 */
static inline void equal_tidy(struct equal *e)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < e->below_count; i++)
		if (e->s->size[e->below[i]] < e->low)
			e->below[kept++] = e->below[i];
	e->below_count = kept;
	kept = e->ready_next;
	for (uint32_t i = e->ready_next; i < e->ready_count; i++)
		if (e->s->size[e->ready[i]] < e->high)
			e->ready[kept++] = e->ready[i];
	e->ready_count = kept;
}

static inline bool equal_give_one_near(struct equal *e, struct equal_rack *racks,
				       uint32_t partition, uint32_t *turn)
{
	struct equal_rack *rack = NULL;
	uint32_t slot = 0,
		 i = equal_next_below(e, racks, partition, *turn, &rack, &slot);
	if (i < e->below_count) {
		uint32_t m = e->below[i];
		*turn = i + 1;
		if (e->s->size[m] + 1 >= e->low) {
			rack->skip[slot] = slot + 1;
			if (e->s->size[m] + 1 < e->high && e->high_count < e->most_high)
				equal_becomes_ready(e, rack, m);
		}
		equal_give(e, partition, m);
		return true;
	}
	rack = equal_next_ready(e, racks, partition);
	if (rack == NULL)
		return false;
	equal_give(e, partition, e->ready[rack->ready[rack->ready_next++]]);
	if (++e->high_count == e->most_high)
		equal_none_ready(e, racks);
	return true;
}

static inline bool equal_give_near(struct equal *e)
{
	uint32_t turn = 0, kept = 0;
	struct equal_rack *racks = equal_racks(e);
	if (racks == NULL)
		return false;
	for (uint32_t i = 0; i < e->rest_count; i++)
		if (!equal_give_one_near(e, racks, e->rest[i], &turn))
			e->rest[kept++] = e->rest[i];
	e->rest_count = kept;
	equal_tidy(e);
	return true;
}

/* --- all others, in turn --- */

static inline void equal_give_rest(struct equal *e)
{
	uint32_t at = 0, kept = 0;
	for (uint32_t i = 0; i < e->rest_count; i++) {
		if (at == e->below_count) { /* once around */
			e->below_count = kept;
			at = kept = 0;
		}
		if (e->below_count == 0) {
			if (e->ready_next < e->ready_count)
				equal_give(e, e->rest[i], e->ready[e->ready_next++]);
			continue;
		}
		uint32_t m = e->below[at++];
		equal_give(e, e->rest[i], m);
		if (e->s->size[m] == e->low)
			e->ready[e->ready_count++] = m;
		else
			e->below[kept++] = m;
	}
}

static inline bool equal_begin(struct equal *e, struct sticky *s)
{
	const struct klamm_assign *in = s->group.in;
	uint32_t n = s->group.partition_count;
	*e = (struct equal){
		.s = s,
		.low = n / s->count,
		.high = n / s->count + (n % s->count != 0),
		.most_high = n % s->count,
	};
	e->below = group_alloc(in, s->count, sizeof(*e->below));
	e->ready = group_alloc(in, s->count, sizeof(*e->ready));
	e->rest = group_alloc(in, n, sizeof(*e->rest));
	e->had = group_alloc(in, n, sizeof(*e->had));
	return e->below != NULL && e->ready != NULL && e->rest != NULL &&
	       e->had != NULL;
}

/* false: out of memory. There is a member. */
static inline bool equal_assign(struct sticky *s)
{
	struct equal e;
	uint32_t *first =
		group_alloc(s->group.in, (size_t)s->count + 1, sizeof(*first));
	uint32_t *held = first != NULL ? equal_held(s, first) : NULL;
	if (held == NULL || !equal_begin(&e, s))
		return false;
	for (uint32_t m = 0; m < s->count; m++)
		equal_keep(&e, m, held + first[m], first[m + 1] - first[m]);
	for (uint32_t p = 0; p < s->group.partition_count; p++)
		if (s->owner[p] == NOBODY)
			e.rest[e.rest_count++] = p;
	if (s->by_racks && (!equal_sort_rest(&e) || !equal_give_near(&e)))
		return false;
	equal_give_rest(&e);
	return true;
}

#endif
