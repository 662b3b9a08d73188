/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/sink.h"

#include <stdlib.h>

/* A first size that most records and small batches fit; from then on it doubles. */
#define FIRST 512
/* So far below the end of the address space that doubling never overflows. */
#define NO_LIMIT (SIZE_MAX / 4)

/* quota NULL: always true */
static bool quota_take(struct kl_quota *quota, size_t n)
{
	if (quota == NULL)
		return true;
	size_t before = atomic_fetch_add(&quota->used, n);
	if (quota->max == 0 || (before <= quota->max && n <= quota->max - before))
		return true;
	atomic_fetch_sub(&quota->used, n);
	return false;
}

static void quota_give(struct kl_quota *quota, size_t n)
{
	if (quota != NULL)
		atomic_fetch_sub(&quota->used, n);
}

static int sink_grow(struct klamm_out *out, size_t more)
{
	struct kl_sink *sink = kl_container(out, struct kl_sink, out);
	/* What is there may be above a limit that came later. */
	if (out->len > out->limit || more > out->limit - out->len)
		return KLAMM_ERR_LIMIT;
	if (out->data != NULL && more <= out->cap - out->len)
		return 0;
	size_t need = out->len + more, cap = kl_max(out->cap * 2, (size_t)FIRST);
	cap = kl_min(kl_max(cap, need), out->limit);
	if (!quota_take(sink->quota, cap - out->cap)) {
		cap = need; /* near the end of the quota, what it takes and no more */
		if (!quota_take(sink->quota, cap - out->cap))
			return KLAMM_ERR_NO_MEMORY;
	}
	uint8_t *data = realloc(out->data, kl_max(cap, (size_t)1));
	if (data == NULL) {
		quota_give(sink->quota, cap - out->cap);
		return KLAMM_ERR_NO_MEMORY;
	}
	out->data = data;
	out->cap = cap;
	return 0;
}

void kl_sink_init(struct kl_sink *sink, size_t limit, struct kl_quota *quota)
{
	*sink = (struct kl_sink){
		.out = {
			.limit = limit == 0 ? NO_LIMIT : kl_min(limit, NO_LIMIT),
			.grow = sink_grow,
		},
		.quota = quota,
	};
}

void kl_sink_free(struct kl_sink *sink)
{
	free(sink->out.data);
	quota_give(sink->quota, sink->out.cap);
	sink->out.data = NULL;
	sink->out.cap = 0;
	kl_sink_clear(sink);
}

static void *lent_alloc(struct klamm_arena *lent, size_t len)
{
	struct kl_lent_arena *a = kl_container(lent, struct kl_lent_arena, lent);
	size_t before = a->arena.total;
	/* What the quota has left bounds the next chunk before it is allocated. */
	if (a->quota != NULL && a->quota->max != 0) {
		size_t used = atomic_load(&a->quota->used);
		size_t left = used < a->quota->max ? a->quota->max - used : 0;
		size_t max = kl_max(before + left, (size_t)1);
		a->arena.max = a->max == 0 ? max : kl_min(a->max, max);
	}
	void *p = kl_arena_alloc(&a->arena, len);
	if (a->quota != NULL) /* two threads at once may overshoot by a chunk each */
		atomic_fetch_add(&a->quota->used, a->arena.total - before);
	return p;
}

void kl_lent_arena_init(struct kl_lent_arena *a, size_t max, struct kl_quota *quota)
{
	*a = (struct kl_lent_arena){
		.lent = {.alloc = lent_alloc},
		.arena = {.max = max},
		.quota = quota,
		.max = max,
	};
}

void kl_lent_arena_free(struct kl_lent_arena *a)
{
	quota_give(a->quota, a->arena.total);
	kl_arena_free(&a->arena);
	a->arena.max = a->max;
}
