/* SPDX-License-Identifier: BSD-2-Clause */
/* Members with the fewest partitions first, of equals the one whose id is lower. */
#ifndef PLUGINS_STICKY_HEAP_H
#define PLUGINS_STICKY_HEAP_H

#include "plugins/common/sticky.h"

struct heap {
	const uint32_t *size; /* of every place */
	uint32_t *items;      /* places */
	uint32_t *at;         /* where in items a place is */
	uint32_t count;
};

static inline bool heap_before(const struct heap *h, uint32_t a, uint32_t b)
{
	return h->size[a] != h->size[b] ? h->size[a] < h->size[b] : a < b;
}

static inline void heap_put(struct heap *h, uint32_t i, uint32_t place)
{
	h->items[i] = place;
	h->at[place] = i;
}

static inline void heap_down(struct heap *h, uint32_t i)
{
	uint32_t place = h->items[i];
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child >= h->count)
			break;
		if (child + 1 < h->count &&
		    heap_before(h, h->items[child + 1], h->items[child]))
			child++;
		if (heap_before(h, place, h->items[child]))
			break;
		heap_put(h, i, h->items[child]);
		i = child;
	}
	heap_put(h, i, place);
}

static inline void heap_up(struct heap *h, uint32_t i)
{
	uint32_t place = h->items[i];
	for (; i > 0 && heap_before(h, place, h->items[(i - 1) / 2]); i = (i - 1) / 2)
		heap_put(h, i, h->items[(i - 1) / 2]);
	heap_put(h, i, place);
}

/* Over what items holds. */
static inline void heap_build(struct heap *h)
{
	for (uint32_t i = 0; i < h->count; i++)
		h->at[h->items[i]] = i;
	for (uint32_t i = h->count / 2; i-- > 0;)
		heap_down(h, i);
}

/* After the size of a member in it has changed. */
static inline void heap_change(struct heap *h, uint32_t place)
{
	heap_up(h, h->at[place]);
	heap_down(h, h->at[place]);
}

#endif
