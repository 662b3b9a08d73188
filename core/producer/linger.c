/* SPDX-License-Identifier: BSD-2-Clause */
/* Open batches, as the loop sees them: which there are, when each is due, and sealing one that
 * is.
 *
 * Runs in the loop, which never waits for the lock of a partition: where send() is at it, the
 * loop comes back.
 */
#include "core/producer/producer.h"

/* The holder encodes one record: it is done before these are over, unless it lost its CPU.
 * Then it has to get it back: the loop sleeps for so long. */
#define TRIES 20
#define COME_BACK 50

static int64_t now(const struct klamm_producer *p)
{
	return p->loop->now;
}

static bool try_hard(struct kl_partition *part)
{
	for (int i = 0; i < TRIES; i++) {
		if (kl_partition_try_lock(part))
			return true;
		kl_cpu_relax();
	}
	return false;
}

/* Is every batch with this id wanted now? */
static bool is_urgent(const struct klamm_producer *p, uint64_t id)
{
	return atomic_load(&p->pressure) || id <= atomic_load(&p->flush_id);
}

static void linger(struct klamm_producer *p, struct kl_partition *part)
{
	kl_list_remove(&part->lingering);
	part->is_due = false;
	if (is_urgent(p, part->opened_id))
		part->due = now(p);
	if (part->due <= now(p))
		kl_list_push_front(&p->lingering, &part->lingering);
	else
		kl_list_push(&p->lingering, &part->lingering);
}

static void come_back(struct klamm_producer *p, struct kl_partition *part)
{
	kl_list_remove(&part->lingering);
	part->is_due = false;
	part->due = now(p) + COME_BACK;
	kl_list_push_front(&p->lingering, &part->lingering);
	kl_hook_add(p->loop, &p->round_hook); /* which sets the timer */
}

void kl_linger_seal(struct klamm_producer *p, struct kl_partition *part)
{
	if (!try_hard(part)) {
		come_back(p, part);
		return;
	}
	struct kl_pbatch *sealed = part->batch != NULL ? kl_pbatch_seal(p, part) : NULL;
	kl_list_splice(&part->queue, &part->sealed);
	kl_partition_unlock(part);
	part->is_due = false;
	part->opened_id = 0;
	kl_list_remove(&part->lingering);
	if (sealed != NULL)
		kl_pbatch_finish(p, sealed);
}

/* A batch that is due waits while as many others of its partition as may be are under way: it
 * may as well fill up, and a slow broker does not get many small ones. */
static void came_due(struct klamm_producer *p, struct kl_partition *part)
{
	if (!kl_partition_has_place(p, part) || !kl_list_empty(&part->queue)) {
		kl_list_remove(&part->lingering);
		part->is_due = true;
		return;
	}
	kl_linger_seal(p, part);
	if (!kl_list_empty(&part->queue)) {
		kl_list_remove(&part->sendable);
		kl_list_push(&p->sendable, &part->sendable);
	}
}

/* What send() did to a partition. */
static void take_dirty(struct klamm_producer *p, struct kl_partition *part)
{
	if (!try_hard(part)) {
		kl_partition_dirty(p, part);
		return;
	}
	kl_list_splice(&part->queue, &part->sealed);
	const struct kl_pbatch *open = part->batch;
	int64_t opened_at = open != NULL ? open->opened_at : 0;
	uint64_t id = open != NULL ? open->id : 0;
	kl_partition_unlock(part);
	part->topic->used_at = now(p);
	if (id == 0) {
		kl_list_remove(&part->lingering);
		part->is_due = false;
	} else if (id != part->opened_id) {
		/* Else it has its place in the order of due times, which must not be lost. */
		part->due = opened_at + p->linger_us;
		part->opened_id = id;
		linger(p, part);
	}
	part->opened_id = id;
	if (kl_partition_has_place(p, part) && !kl_list_empty(&part->queue)) {
		kl_list_remove(&part->sendable);
		kl_list_push(&p->sendable, &part->sendable);
	}
}

static void take_all_dirty(struct klamm_producer *p)
{
	struct kl_partition *newest = atomic_exchange(&p->dirty, NULL), *oldest = NULL;
	while (newest != NULL) {
		struct kl_partition *next = newest->next_dirty;
		newest->next_dirty = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest != NULL) {
		struct kl_partition *part = oldest;
		oldest = part->next_dirty;
		atomic_store(&part->dirty, false);
		take_dirty(p, part);
	}
}

int64_t kl_linger_round(struct klamm_producer *p)
{
	take_all_dirty(p);
	/* The list is in order of due times, so what follows one that is not due is not
	 * either; but for a flush, and senders that wait for memory, which do not ask for
	 * the time. */
	uint64_t flush_id = atomic_load(&p->flush_id);
	bool all = flush_id != p->flush_seen || atomic_load(&p->pressure);
	p->flush_seen = flush_id;
	kl_list_for_safe(part, &p->lingering, struct kl_partition, lingering) {
		if (part->due <= now(p) || (all && is_urgent(p, part->opened_id)))
			came_due(p, part);
		else if (!all)
			break;
	}
	const struct kl_partition *first =
		kl_list_first(&p->lingering, struct kl_partition, lingering);
	int64_t due = first != NULL ? first->due : KL_NEVER;
	return atomic_load(&p->dirty) != NULL ? kl_min(due, now(p) + COME_BACK) : due;
}
