/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue between the loop, which fetches, and the thread that polls. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/consumer/consumer.h"

struct kl_chunk *kl_chunk_get(struct klamm_consumer *c)
{
	kl_mutex_lock(&c->mutex);
	struct kl_list *link = kl_list_pop(&c->spare_chunks);
	kl_mutex_unlock(&c->mutex);
	if (link != NULL)
		return kl_list_entry(link, struct kl_chunk, link);
	struct kl_chunk *chunk = calloc(1, sizeof(*chunk));
	if (chunk != NULL)
		kl_list_init(&chunk->link);
	return chunk;
}

void kl_results_touch(struct klamm_consumer *c, struct kl_cpart *part)
{
	kl_mutex_lock(&c->mutex);
	if (kl_list_empty(&part->touched))
		kl_list_push(&c->touched, &kl_cpart_ref(part)->touched);
	kl_mutex_unlock(&c->mutex);
	kl_loop_post(c->loop, &c->task);
}

/* So many bytes of the partition are not queued any more: it may be fetched again. */
static void unqueue(struct klamm_consumer *c, struct kl_cpart *part, size_t bytes)
{
	uint64_t limit = (uint64_t)c->settings->max_partition_fetch_bytes;
	uint64_t before = atomic_fetch_sub(&part->queued_bytes, bytes);
	if (bytes > 0 && before >= limit && before - bytes < limit)
		kl_results_touch(c, part);
	kl_cpart_unref(part);
}

void kl_chunk_put(struct klamm_consumer *c, struct kl_chunk *chunk)
{
	kl_slab_unref(chunk->slab);
	free(chunk->aborted);
	if (chunk->part != NULL)
		unqueue(c, chunk->part, chunk->bytes);
	kl_list_remove(&chunk->link);
	*chunk = (struct kl_chunk){0};
	kl_mutex_lock(&c->mutex);
	kl_list_init(&chunk->link);
	kl_list_push_front(&c->spare_chunks, &chunk->link);
	kl_mutex_unlock(&c->mutex);
	/* Fetching may have waited for its memory. */
	if (atomic_load(&c->starved) && atomic_exchange(&c->starved, false))
		kl_loop_post(c->loop, &c->task);
}

void kl_results_push(struct klamm_consumer *c, struct kl_chunk *chunk)
{
	kl_mutex_lock(&c->mutex);
	kl_list_push(&c->results, &chunk->link);
	kl_mutex_unlock(&c->mutex);
	kl_gate_wake(c->os, &c->gate);
}

void kl_results_error(struct klamm_consumer *c, struct kl_cpart *part,
		      const struct klamm_error *err)
{
	kl_log(&c->log, KL_LOG_WARN, "consumer", "%s", err->text);
	struct kl_chunk *chunk = kl_chunk_get(c);
	if (chunk == NULL)
		return; /* the log has it; what failed is tried again */
	chunk->err = *err;
	if (part != NULL) {
		chunk->part = kl_cpart_ref(part);
		chunk->generation = part->generation;
	}
	kl_results_push(c, chunk);
}

/* Sought or taken away since it was fetched. generation only changes while the polling thread
 * waits in the call that changes it. */
static bool is_stale(const struct kl_chunk *chunk)
{
	const struct kl_cpart *part = chunk->part;
	if (part == NULL)
		return false;
	bool old = chunk->generation != part->generation && !KL_BUG(OLD_ANSWER);
	return old || !part->assigned;
}

/* A paused partition is told its first position; another one comes in its turn, behind what
 * was fetched before. */
static bool is_held_back(const struct kl_chunk *chunk)
{
	return chunk->part != NULL && chunk->part->paused &&
	       !(chunk->look_up_done && chunk->part->position < 0);
}

struct kl_chunk *kl_results_first(struct klamm_consumer *c)
{
	for (;;) {
		struct kl_chunk *found = NULL;
		bool stale = false;
		kl_mutex_lock(&c->mutex);
		kl_list_for(chunk, &c->results, struct kl_chunk, link) {
			stale = is_stale(chunk);
			if (stale || !is_held_back(chunk)) {
				found = chunk;
				break;
			}
		}
		if (stale)
			kl_list_remove(&found->link);
		kl_mutex_unlock(&c->mutex);
		if (!stale)
			return found;
		kl_chunk_put(c, found);
	}
}

void kl_results_drop(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_list dropped = KL_LIST_INIT(dropped);
	kl_mutex_lock(&c->mutex);
	kl_list_for_safe(chunk, &c->results, struct kl_chunk, link) {
		if (part == NULL || chunk->part == part) {
			kl_list_remove(&chunk->link);
			kl_list_push(&dropped, &chunk->link);
		}
	}
	kl_mutex_unlock(&c->mutex);
	struct kl_list *link;
	while ((link = kl_list_pop(&dropped)) != NULL)
		kl_chunk_put(c, kl_list_entry(link, struct kl_chunk, link));
}

void kl_results_done(struct klamm_consumer *c, struct kl_chunk *chunk)
{
	kl_mutex_lock(&c->mutex);
	kl_list_remove(&chunk->link);
	kl_mutex_unlock(&c->mutex);
	kl_chunk_put(c, chunk);
}

void kl_results_behind(struct klamm_consumer *c, struct kl_chunk *broken)
{
	const struct kl_cpart *part = broken->part;
	struct kl_list own = KL_LIST_INIT(own);
	kl_mutex_lock(&c->mutex);
	kl_list_for_safe(chunk, &c->results, struct kl_chunk, link) {
		if (chunk->part == part) {
			kl_list_remove(&chunk->link);
			kl_list_push(&own, &chunk->link);
		}
	}
	kl_list_splice(&c->results, &own);
	kl_mutex_unlock(&c->mutex);
}

void kl_results_positions(struct klamm_consumer *c)
{
	struct kl_list found = KL_LIST_INIT(found);
	kl_mutex_lock(&c->mutex);
	kl_list_for_safe(chunk, &c->results, struct kl_chunk, link) {
		if (!chunk->look_up_done || is_stale(chunk) || chunk->part->position >= 0)
			continue;
		chunk->part->position = chunk->offset;
		chunk->part->epoch = chunk->leader_epoch;
		kl_list_remove(&chunk->link);
		kl_list_push(&found, &chunk->link);
	}
	kl_mutex_unlock(&c->mutex);
	struct kl_list *link;
	while ((link = kl_list_pop(&found)) != NULL)
		kl_chunk_put(c, kl_list_entry(link, struct kl_chunk, link));
}
