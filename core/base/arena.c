/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/arena.h"

#include <stdlib.h>

#define ALIGN 16
/* A small message (Heartbeat, ApiVersions request) fits the first chunk; later ones
 * double up to the largest, so a big one needs few. */
#define CHUNK_MIN 1024
#define CHUNK_MAX 65536

struct kl_arena_chunk {
	struct kl_arena_chunk *next;
	size_t size;
	_Alignas(ALIGN) uint8_t data[];
};

static bool add_chunk(struct kl_arena *a, size_t need)
{
	size_t size = a->chunks == NULL ? CHUNK_MIN : kl_min(a->chunks->size * 2, CHUNK_MAX);
	size = kl_max(size, need);
	size_t bytes = sizeof(struct kl_arena_chunk) + size;
	if (bytes < size || (a->max != 0 && (bytes > a->max || a->total > a->max - bytes)))
		return false;
	struct kl_arena_chunk *chunk = calloc(1, bytes);
	if (chunk == NULL)
		return false;
	chunk->size = size;
	chunk->next = a->chunks;
	a->chunks = chunk;
	a->total += bytes;
	a->p = chunk->data;
	a->end = chunk->data + size;
	return true;
}

void *kl_arena_alloc(struct kl_arena *a, size_t n)
{
	if (n > SIZE_MAX / 4)
		return NULL;
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (n > (size_t)(a->end - a->p) || a->p == NULL) {
		if (!add_chunk(a, n))
			return NULL;
	}
	void *p = a->p;
	a->p += n;
	return p;
}

void *kl_arena_array(struct kl_arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return kl_arena_alloc(a, bytes);
}

char *kl_arena_text(struct kl_arena *a, const void *p, size_t n)
{
	char *to = n < SIZE_MAX / 4 ? kl_arena_alloc(a, n + 1) : NULL;
	if (to != NULL && n > 0)
		memcpy(to, p, n);
	return to;
}

void kl_arena_reset(struct kl_arena *a)
{
	struct kl_arena_chunk *keep = a->chunks;
	if (keep == NULL)
		return;
	if (keep->size > CHUNK_MAX) {
		kl_arena_free(a);
		return;
	}
	size_t used = (size_t)(a->p - keep->data);
	a->chunks = keep->next;
	kl_arena_free(a);
	memset(keep->data, 0, used);
	keep->next = NULL;
	a->chunks = keep;
	a->total = sizeof(*keep) + keep->size;
	a->p = keep->data;
	a->end = keep->data + keep->size;
}

void kl_arena_free(struct kl_arena *a)
{
	while (a->chunks != NULL) {
		struct kl_arena_chunk *chunk = a->chunks;
		a->chunks = chunk->next;
		free(chunk);
	}
	*a = (struct kl_arena){.max = a->max};
}
