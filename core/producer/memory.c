/* SPDX-License-Identifier: BSD-2-Clause */
/* buffer.memory: getting some of it, and waiting for it in the order of coming.
 *
 * Senders wait on a gate of their own. Memory comes back batch by batch; a sender that was
 * woken for each would find room for one, and sleep again. So they are woken when an eighth
 * of it is free, or a millisecond after the first of it came back.
 */
#include "core/base/error.h"
#include "core/producer/producer.h"

#define WAKE_SHARE 8
#define WAKE_AFTER (1 * KL_MS)

struct waiter {
	struct kl_list link;
	struct klamm_producer *p;
	size_t need;
	struct kl_slab *slab;
};

static bool is_first(struct klamm_producer *p, const struct waiter *waiter)
{
	kl_mutex_lock(&p->mutex);
	bool first = p->memory_waiters.next == &waiter->link;
	kl_mutex_unlock(&p->mutex);
	return first;
}

static bool is_served(void *arg)
{
	struct waiter *waiter = arg;
	struct klamm_producer *p = waiter->p;
	if (waiter->slab == NULL && is_first(p, waiter))
		waiter->slab = kl_slab_get(p->slabs, waiter->need);
	return waiter->slab != NULL || atomic_load(p->state) != KL_PRODUCER_OPEN;
}

static void join(struct klamm_producer *p, struct waiter *waiter)
{
	kl_mutex_lock(&p->mutex);
	kl_list_push(&p->memory_waiters, &waiter->link);
	/* Batches that are open hold memory too: the loop sends them now. */
	atomic_store(&p->pressure, true);
	kl_mutex_unlock(&p->mutex);
	kl_loop_post(p->loop, &p->task);
}

static void leave(struct klamm_producer *p, struct waiter *waiter)
{
	kl_mutex_lock(&p->mutex);
	kl_list_remove(&waiter->link);
	bool more = !kl_list_empty(&p->memory_waiters);
	atomic_store(&p->pressure, more);
	kl_mutex_unlock(&p->mutex);
	if (more) /* the next in line may be lucky with what is left */
		kl_gate_wake(p->os, &p->memory_gate);
}

static bool somebody_waits(struct klamm_producer *p)
{
	kl_mutex_lock(&p->mutex);
	bool yes = !kl_list_empty(&p->memory_waiters);
	kl_mutex_unlock(&p->mutex);
	return yes;
}

struct kl_slab *kl_memory_get(struct klamm_producer *p, size_t need)
{
	/* The pool lends one that is larger than all when nothing else is out. */
	if (need > (size_t)p->settings->buffer_memory ||
	    (atomic_load(&p->pressure) && somebody_waits(p)))
		return NULL;
	return kl_slab_get(p->slabs, need);
}

static int tell_full(struct klamm_producer *p, struct klamm_error *err)
{
	if (atomic_load(p->state) != KL_PRODUCER_OPEN)
		return kl_producer_state_error(p, err);
	kl_metrics_note(&p->metrics, &p->meters[KL_PRODUCER_EXHAUSTED], 1,
			kl_loop_lately(p->loop));
	return kl_error(err, KLAMM_ERR_QUEUE_FULL,
			"no buffer memory was freed within max.block.ms: %zu of %lld bytes "
			"are in use (buffer.memory)",
			kl_slab_pool_used(p->slabs),
			(long long)p->settings->buffer_memory);
}

int kl_memory_wait(struct klamm_producer *p, size_t need, int64_t deadline,
		   struct kl_slab **slab_out, struct klamm_error *err)
{
	if (need > (size_t)p->settings->buffer_memory)
		return kl_error(err, KLAMM_ERR_RECORD_TOO_LARGE,
				"the record needs %zu bytes, more than buffer.memory "
				"(%lld)",
				need, (long long)p->settings->buffer_memory);
	if (kl_loop_in_callback(p->os))
		return kl_error(err, KLAMM_ERR_QUEUE_FULL,
				"no buffer memory is free, and a callback must not wait "
				"for it (buffer.memory)");
	struct waiter waiter = {.p = p, .need = need};
	int64_t since = p->os->now(p->os);
	join(p, &waiter);
	kl_loop_wait(p->loop, &p->memory_gate, is_served, &waiter, deadline);
	leave(p, &waiter);
	kl_producer_count_time(p, KL_PRODUCER_BUFFER_WAIT, since);
	*slab_out = waiter.slab;
	return waiter.slab != NULL ? 0 : tell_full(p, err);
}

/* --- memory that comes back --- */

static void wake(struct klamm_producer *p)
{
	atomic_store(&p->memory_freed, false);
	kl_gate_wake(p->os, &p->memory_gate);
}

void kl_memory_freed(void *arg)
{
	struct klamm_producer *p = arg;
	if (!atomic_load(&p->pressure))
		return;
	size_t budget = (size_t)p->settings->buffer_memory;
	if (kl_slab_pool_used(p->slabs) <= budget - budget / WAKE_SHARE)
		wake(p);
	else if (!atomic_exchange(&p->memory_freed, true))
		kl_loop_post(p->loop, &p->task); /* for kl_memory_round() */
}

int64_t kl_memory_round(struct klamm_producer *p)
{
	int64_t now = p->loop->now;
	if (!atomic_load(&p->memory_freed)) {
		p->wake_at = KL_NEVER;
	} else if (p->wake_at == KL_NEVER) {
		p->wake_at = now + WAKE_AFTER;
	} else if (p->wake_at <= now) {
		p->wake_at = KL_NEVER;
		wake(p);
	}
	return p->wake_at;
}
