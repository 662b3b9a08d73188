/* SPDX-License-Identifier: BSD-2-Clause */
/* Sticky where members subscribe to different topics. They keep what they have; what
 * nobody has goes to the reader with the least, topics with few readers first; then
 * partitions move from readers with two or more too many to those with the least, until
 * that helps no more. */
#ifndef PLUGINS_STICKY_GENERAL_H
#define PLUGINS_STICKY_GENERAL_H

#include "plugins/common/sticky_heap.h"

struct general {
	struct sticky *s;
	uint32_t *topics; /* in the order of their turns */
	/* Per partition: */
	uint32_t *topic;
	bool *is_new;      /* nobody kept it */
	int32_t *previous; /* who had it in a generation before the latest */
	/* Some member has what it may not keep. */
	bool is_revoked;
	struct heap heap;
	/* Per place: the number of the move that last changed its size. */
	uint64_t *changed, moves;
	uint64_t *looked; /* per topic: the moves there were when nothing was left to do
			   */
	/* Moved partitions by topic, from whom and to whom, in chains; per partition.
	 */
	int32_t *from; /* who had it before all moves, NOBODY = it has not moved */
	uint32_t *next, *last;
	uint32_t *chains, chain_mask;
};
#define CHAIN_END UINT32_MAX

/* --- what they keep, and once had --- */

static inline void general_keep(struct general *w)
{
	struct sticky *s = w->s;
	for (uint32_t p = 0; p < s->group.partition_count; p++) {
		int32_t m = s->holder[p];
		w->is_new[p] = true;
		if (m == NOBODY)
			continue;
		if (!group_reads(&s->group, w->topic[p], (uint32_t)m) ||
		    sticky_is_far(s, (uint32_t)m, p)) {
			w->is_revoked = true;
			continue;
		}
		sticky_give(s, p, (uint32_t)m);
		w->is_new[p] = false;
	}
}

/* Of claims that are not of the latest generation the latest is remembered. */
static inline void general_remember(struct general *w)
{
	const struct sticky *s = w->s;
	for (uint32_t p = 0; p < s->group.partition_count; p++)
		w->previous[p] = NOBODY;
	for (uint32_t m = 0; m < s->count; m++) {
		const struct claim *claim = &s->claims[m];
		for (uint32_t i = 0;
		     claim->generation < s->generation && i < claim->count; i++) {
			int32_t *previous = &w->previous[claim->partitions[i]];
			if (*previous == NOBODY ||
			    claim->generation > s->claims[*previous].generation)
				*previous = (int32_t)m;
		}
	}
}

/* --- what nobody has --- */

static inline void general_give(struct general *w, struct heap *heap,
				uint32_t partition)
{
	uint32_t place = heap->items[0];
	sticky_give(w->s, partition, place);
	heap_down(heap, 0);
}

static inline void general_give_topic(struct general *w, uint32_t t)
{
	const struct group *g = &w->s->group;
	struct heap *heap = &w->heap;
	heap->count = group_readers(g, t);
	memcpy(heap->items, g->readers + g->first_reader[t],
	       heap->count * sizeof(*heap->items));
	heap_build(heap);
	for (uint32_t p = g->base[t]; p < g->base[t + 1]; p++)
		if (w->s->owner[p] == NOBODY)
			general_give(w, heap, p);
}

/* A topic's readers, by rack: one heap each, the first one of those without a rack. */
static inline void general_rack_heaps(struct general *w, uint32_t t, struct heap *heaps)
{
	const struct group *g = &w->s->group;
	const int32_t *rack_of = w->s->racks.of;
	uint32_t *items = w->heap.items;
	for (uint32_t i = 0; i <= w->s->racks.count; i++)
		heaps[i] = (struct heap){.size = w->s->size, .at = w->heap.at};
	for (uint32_t i = g->first_reader[t]; i < g->first_reader[t + 1]; i++)
		heaps[rack_of[g->readers[i]] + 1].count++;
	for (uint32_t i = 0; i <= w->s->racks.count; i++) {
		heaps[i].items = items;
		items += heaps[i].count;
		heaps[i].count = 0;
	}
	for (uint32_t i = g->first_reader[t]; i < g->first_reader[t + 1]; i++) {
		struct heap *heap = &heaps[rack_of[g->readers[i]] + 1];
		heap->items[heap->count++] = g->readers[i];
	}
	for (uint32_t i = 0; i <= w->s->racks.count; i++)
		heap_build(&heaps[i]);
}

static inline void general_give_near(struct general *w, uint32_t t, struct heap *heaps)
{
	const struct group *g = &w->s->group;
	const struct racks *r = &w->s->racks;
	general_rack_heaps(w, t, heaps);
	for (uint32_t p = g->base[t]; p < g->base[t + 1]; p++) {
		struct heap *best = heaps[0].count > 0 ? &heaps[0] : NULL;
		if (w->s->owner[p] != NOBODY)
			continue;
		for (uint32_t i = r->first[p]; i < r->first[p + 1]; i++) {
			struct heap *heap = &heaps[r->near[i] + 1];
			if (heap->count > 0 &&
			    (best == NULL ||
			     heap_before(heap, heap->items[0], best->items[0])))
				best = heap;
		}
		if (best != NULL)
			general_give(w, best, p);
	}
}

static inline bool general_give_all(struct general *w)
{
	const struct klamm_assign *in = w->s->group.in;
	struct heap *heaps =
		group_alloc(in, (size_t)w->s->racks.count + 1, sizeof(*heaps));
	if (heaps == NULL)
		return false;
	for (size_t i = 0; w->s->by_racks && i < in->topic_count; i++)
		general_give_near(w, w->topics[i], heaps);
	for (size_t i = 0; i < in->topic_count; i++)
		general_give_topic(w, w->topics[i]);
	return true;
}

/* --- moves --- */

static inline uint32_t *general_chain(struct general *w, uint32_t topic, uint32_t from,
				      uint32_t to)
{
	uint64_t hash = ((uint64_t)topic << 32 | from) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ to) * UINT64_C(0xff51afd7ed558ccd);
	return &w->chains[(hash >> 32) & w->chain_mask];
}

static inline void general_link(struct general *w, uint32_t p)
{
	uint32_t *chain = general_chain(w, w->topic[p], (uint32_t)w->from[p],
					(uint32_t)w->s->owner[p]);
	w->next[p] = *chain;
	w->last[p] = CHAIN_END;
	if (*chain != CHAIN_END)
		w->last[*chain] = p;
	*chain = p;
}

static inline void general_unlink(struct general *w, uint32_t p)
{
	if (w->next[p] != CHAIN_END)
		w->last[w->next[p]] = w->last[p];
	if (w->last[p] != CHAIN_END)
		w->next[w->last[p]] = w->next[p];
	else
		*general_chain(w, w->topic[p], (uint32_t)w->from[p],
			       (uint32_t)w->s->owner[p]) = w->next[p];
}

/* A partition of the topic that went from one member to another, CHAIN_END = there is
 * none. */
static inline uint32_t general_moved(struct general *w, uint32_t topic, uint32_t from,
				     uint32_t to)
{
	uint32_t p = *general_chain(w, topic, from, to);
	while (p != CHAIN_END && (w->topic[p] != topic || w->from[p] != (int32_t)from ||
				  w->s->owner[p] != (int32_t)to))
		p = w->next[p];
	return p;
}

/* Rather than that two members change partitions of a topic, one that came the other
 * way goes back. Only downhill: else moves might never end. */
static inline uint32_t general_instead(struct general *w, uint32_t p, uint32_t to)
{
	const struct sticky *s = w->s;
	uint32_t from = (uint32_t)(w->from[p] != NOBODY ? w->from[p] : s->owner[p]);
	uint32_t other = general_moved(w, w->topic[p], to, from);
	return other != CHAIN_END && s->size[from] > s->size[to] + 1 ? other : p;
}

static inline void general_move(struct general *w, uint32_t p, uint32_t to)
{
	struct sticky *s = w->s;
	p = general_instead(w, p, to);
	uint32_t owner = (uint32_t)s->owner[p];
	if (w->from[p] != NOBODY)
		general_unlink(w, p);
	else
		w->from[p] = (int32_t)owner;
	s->size[owner]--;
	sticky_give(s, p, to);
	if (w->from[p] == (int32_t)to)
		w->from[p] = NOBODY; /* it is back */
	else
		general_link(w, p);
	heap_change(&w->heap, owner);
	heap_change(&w->heap, to);
	w->changed[owner] = w->changed[to] = ++w->moves;
}

/* Has a reader's size changed since the topic was looked at, and do they differ by two?
 */
static inline bool general_is_due(const struct general *w, uint32_t t)
{
	const struct group *g = &w->s->group;
	uint32_t least = UINT32_MAX, most = 0;
	bool is_due = w->looked[t] == 0;
	for (uint32_t i = g->first_reader[t]; i < g->first_reader[t + 1]; i++) {
		uint32_t m = g->readers[i], size = w->s->size[m];
		is_due |= w->changed[m] >= w->looked[t];
		least = size < least ? size : least;
		most = size > most ? size : most;
	}
	return is_due && most > least + 1;
}

static inline bool general_level_topic(struct general *w, uint32_t t, bool new_only)
{
	const struct sticky *s = w->s;
	const struct group *g = &s->group;
	struct heap *heap = &w->heap;
	uint64_t before = w->moves;
	if (group_readers(g, t) < 2 || !general_is_due(w, t))
		return false;
	heap->count = group_readers(g, t);
	memcpy(heap->items, g->readers + g->first_reader[t],
	       heap->count * sizeof(*heap->items));
	heap_build(heap);
	for (uint32_t p = g->base[t]; p < g->base[t + 1]; p++) {
		uint32_t size = s->size[s->owner[p]];
		int32_t previous = w->previous[p];
		if (new_only && !w->is_new[p])
			continue;
		if (previous != NOBODY && size > s->size[previous] + 1 &&
		    group_reads(g, t, (uint32_t)previous))
			general_move(w, p, (uint32_t)previous);
		else if (size > s->size[heap->items[0]] + 1)
			general_move(w, p, heap->items[0]);
	}
	w->looked[t] = w->moves + 1;
	return w->moves != before;
}

/* false: nobody wants the answer any more. */
static inline bool general_level(struct general *w, bool new_only)
{
	const struct klamm_assign *in = w->s->group.in;
	bool again = true;
	memset(w->looked, 0, in->topic_count * sizeof(*w->looked));
	while (again) {
		again = false;
		for (size_t i = 0; i < in->topic_count; i++) {
			if (klamm_cancelled(in->call))
				return false;
			again |= general_level_topic(w, w->topics[i], new_only);
		}
	}
	return true;
}

/* --- is it better than before? --- */

static inline int general_by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* The sum of all differences of any two of count sizes, which it sorts. */
static inline uint64_t general_spread(uint32_t *sizes, size_t count)
{
	uint64_t spread = 0, before = 0;
	qsort(sizes, count, sizeof(*sizes), general_by_size);
	for (size_t i = 0; i < count; i++) {
		spread += (uint64_t)sizes[i] * i - before;
		before += sizes[i];
	}
	return spread;
}

/* Which members could get or lose something at all: those that do not have all that
 * they may have, or have some of a topic that others read too. */
static inline bool *general_movable(const struct general *w)
{
	const struct sticky *s = w->s;
	const struct group *g = &s->group;
	uint32_t *most = group_alloc(g->in, s->count, sizeof(*most));
	bool *movable = group_alloc(g->in, s->count, sizeof(*movable));
	if (most == NULL || movable == NULL)
		return NULL;
	for (size_t t = 0; t < g->in->topic_count; t++)
		for (uint32_t i = g->first_reader[t]; i < g->first_reader[t + 1]; i++)
			most[g->readers[i]] += group_partitions(g, t);
	for (uint32_t m = 0; m < s->count; m++)
		movable[m] = s->size[m] < most[m];
	for (uint32_t p = 0; p < g->partition_count; p++)
		if (group_readers(g, w->topic[p]) > 1)
			movable[s->owner[p]] = true;
	return movable;
}

static inline uint64_t general_spread_of(const struct sticky *s, const bool *movable,
					 uint32_t *scratch)
{
	size_t n = 0;
	for (uint32_t m = 0; m < s->count; m++)
		if (movable[m])
			scratch[n++] = s->size[m];
	return general_spread(scratch, n);
}

static inline bool general_has_any(const struct sticky *s)
{
	for (uint32_t m = 0; m < s->count; m++)
		if (s->size[m] > 0)
			return true;
	return false;
}

/* NO_MEMORY, or ABORTED: nobody wants it any more. */
static inline int general_balance(struct general *w)
{
	struct sticky *s = w->s;
	const struct klamm_assign *in = s->group.in;
	size_t n = s->group.partition_count;
	bool is_first = !general_has_any(s);
	if (!general_give_all(w))
		return KLAMM_ERR_NO_MEMORY;
	bool *movable = general_movable(w);
	uint32_t *scratch = group_alloc(in, s->count, sizeof(*scratch));
	int32_t *owner = group_alloc(in, n, sizeof(*owner));
	if (movable == NULL || scratch == NULL || owner == NULL)
		return KLAMM_ERR_NO_MEMORY;
	memcpy(owner, s->owner, n * sizeof(*owner));
	uint64_t before = general_spread_of(s, movable, scratch);
	if (!w->is_revoked && !general_level(w, true))
		return KLAMM_ERR_ABORTED;
	uint64_t moves = w->moves;
	if (!general_level(w, false))
		return KLAMM_ERR_ABORTED;
	/* Moves that make nothing better were for nothing. */
	if (!is_first && w->moves > moves &&
	    general_spread_of(s, movable, scratch) >= before)
		memcpy(s->owner, owner, n * sizeof(*owner));
	return 0;
}

/* --- the whole --- */

struct general_turn {
	uint32_t topic, readers;
};

static inline int general_by_readers(const void *a, const void *b)
{
	const struct general_turn *x = a, *y = b;
	if (x->readers != y->readers)
		return x->readers < y->readers ? -1 : 1;
	return (x->topic > y->topic) - (x->topic < y->topic);
}

static inline bool general_order_topics(struct general *w)
{
	const struct group *g = &w->s->group;
	size_t n = g->in->topic_count;
	struct general_turn *turns = group_alloc(g->in, n, sizeof(*turns));
	w->topics = group_alloc(g->in, n, sizeof(*w->topics));
	if (turns == NULL || w->topics == NULL)
		return false;
	for (uint32_t t = 0; t < n; t++)
		turns[t] = (struct general_turn){t, group_readers(g, t)};
	qsort(turns, n, sizeof(*turns), general_by_readers);
	for (size_t i = 0; i < n; i++)
		w->topics[i] = turns[i].topic;
	return true;
}

static inline bool general_begin(struct general *w, struct sticky *s)
{
	const struct group *g = &s->group;
	const struct klamm_assign *in = g->in;
	size_t n = g->partition_count, chains = 1;
	while (chains < n)
		chains *= 2;
	*w = (struct general){.s = s, .chain_mask = (uint32_t)(chains - 1)};
	w->topic = group_alloc(in, n, sizeof(*w->topic));
	w->is_new = group_alloc(in, n, sizeof(*w->is_new));
	w->previous = group_alloc(in, n, sizeof(*w->previous));
	w->from = group_alloc(in, n, sizeof(*w->from));
	w->next = group_alloc(in, n, sizeof(*w->next));
	w->last = group_alloc(in, n, sizeof(*w->last));
	w->chains = group_alloc(in, chains, sizeof(*w->chains));
	w->changed = group_alloc(in, s->count, sizeof(*w->changed));
	w->looked = group_alloc(in, in->topic_count, sizeof(*w->looked));
	w->heap.size = s->size;
	w->heap.items = group_alloc(in, s->count, sizeof(*w->heap.items));
	w->heap.at = group_alloc(in, s->count, sizeof(*w->heap.at));
	if (w->topic == NULL || w->is_new == NULL || w->previous == NULL ||
	    w->from == NULL || w->next == NULL || w->last == NULL ||
	    w->chains == NULL || w->changed == NULL || w->looked == NULL ||
	    w->heap.items == NULL || w->heap.at == NULL || !general_order_topics(w))
		return false;
	for (size_t i = 0; i < chains; i++)
		w->chains[i] = CHAIN_END;
	for (uint32_t p = 0; p < n; p++)
		w->from[p] = NOBODY;
	for (uint32_t t = 0; t < in->topic_count; t++)
		for (uint32_t p = g->base[t]; p < g->base[t + 1]; p++)
			w->topic[p] = t;
	return true;
}

static inline int general_assign(struct sticky *s)
{
	struct general w;
	if (!general_begin(&w, s))
		return KLAMM_ERR_NO_MEMORY;
	general_keep(&w);
	general_remember(&w);
	return general_balance(&w);
}

#endif
