/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/heap.h"

#include <stdlib.h>

bool kl_heap_reserve(struct kl_heap *h, size_t count)
{
	if (count <= h->cap)
		return true;
	size_t cap = kl_max(count, h->cap * 2);
	cap = kl_max(cap, 16);
	struct kl_heap_node **nodes = reallocarray(h->nodes, cap, sizeof(*nodes));
	if (nodes == NULL)
		return false;
	h->nodes = nodes;
	h->cap = cap;
	return true;
}

static bool before(const struct kl_heap_node *a, const struct kl_heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void place(struct kl_heap *h, size_t i, struct kl_heap_node *node)
{
	h->nodes[i] = node;
	node->index = i + 1;
}

static void sift_up(struct kl_heap *h, size_t i, struct kl_heap_node *node)
{
	for (; i > 0 && before(node, h->nodes[(i - 1) / 2]); i = (i - 1) / 2)
		place(h, i, h->nodes[(i - 1) / 2]);
	place(h, i, node);
}

static void sift_down(struct kl_heap *h, size_t i, struct kl_heap_node *node)
{
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->count)
			break;
		if (child + 1 < h->count && before(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!before(h->nodes[child], node))
			break;
		place(h, i, h->nodes[child]);
		i = child;
	}
	place(h, i, node);
}

void kl_heap_set(struct kl_heap *h, struct kl_heap_node *node, int64_t key)
{
	kl_heap_remove(h, node);
	node->key = key;
	node->order = h->next_order++;
	sift_up(h, h->count++, node);
}

void kl_heap_remove(struct kl_heap *h, struct kl_heap_node *node)
{
	if (node->index == 0)
		return;
	size_t i = node->index - 1;
	node->index = 0;
	struct kl_heap_node *last = h->nodes[--h->count];
	if (last == node)
		return;
	if (i > 0 && before(last, h->nodes[(i - 1) / 2]))
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

void kl_heap_free(struct kl_heap *h)
{
	free(h->nodes);
	*h = (struct kl_heap){0};
}
