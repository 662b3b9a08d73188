/* SPDX-License-Identifier: BSD-2-Clause */
/* The sender: takes sealed batches, groups them by leader, sends, retries, and ends them.
 *
 * Runs in the loop. A round looks only at partitions that something happened to: one that
 * cannot be sent now is parked until its time, its broker, its metadata or a free place in
 * flight comes. With idempotence a partition may have several batches in flight, each in a
 * request of its own, and sequences keep their order over retries (sequence.h); without, one.
 */
#include <stdio.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/producer/convert.h"
#include "core/producer/sender.h"
#include "core/producer/split.h"

/* Nothing will tell when there is memory again. */
#define LOOK_AGAIN (100 * KL_MS)

static int64_t now(const struct klamm_producer *p)
{
	return p->loop->now;
}

void kl_sender_look_at(struct klamm_producer *p, struct kl_partition *part)
{
	kl_list_remove(&part->sendable);
	kl_list_push(&p->sendable, &part->sendable);
}

/* Until something happens, or this time at the latest. */
static void park(struct klamm_producer *p, struct kl_partition *part, int64_t until)
{
	kl_list_remove(&part->sendable);
	kl_list_push(&p->parked, &part->sendable);
	kl_partition_waits(part, now(p));
	int64_t expires = kl_pbatch_expires(p, kl_first_batch(part));
	p->look_at = kl_min(p->look_at, kl_min(until, expires));
}

void kl_sender_unpark(struct klamm_producer *p)
{
	kl_list_splice(&p->sendable, &p->parked);
	p->look_at = KL_NEVER;
	kl_hook_add(p->loop, &p->round_hook);
}

void kl_sender_go_on(struct klamm_producer *p, struct kl_partition *part)
{
	if (part->is_due && kl_list_empty(&part->queue))
		kl_linger_seal(p, part);
	if (!kl_list_empty(&part->queue))
		kl_sender_look_at(p, part);
	kl_hook_add(p->loop, &p->round_hook);
}

void kl_sender_not_sealed(struct klamm_producer *p, const struct kl_pbatch *batch)
{
	atomic_fetch_sub(&p->sealed_bytes,
			 kl_min(batch->plain_size, atomic_load(&p->sealed_bytes)));
}

/* End batches that have expired, or were opened for a record that did not come. false: nothing
 * is left in the queue. */
static bool clear_queue(struct klamm_producer *p, struct kl_partition *part)
{
	struct kl_pbatch *batch;
	while ((batch = kl_first_batch(part)) != NULL) {
		if (!atomic_load_explicit(&batch->ready, memory_order_acquire))
			return true;
		bool empty = batch->count == 0;
		if (!empty && kl_pbatch_expires(p, batch) > now(p))
			return true;
		kl_sender_not_sealed(p, batch);
		if (empty)
			kl_pbatch_end(p, batch, 0, KLAMM_OUTCOME_NONE, -1, -1, "");
		else
			kl_pbatch_expire(p, batch);
	}
	return false;
}

/* The leader's node, or NULL: not known, or nobody. */
static struct kl_node *leader_of(struct klamm_producer *p, const struct kl_partition *part)
{
	const struct kl_topic_info *info = part->topic->info;
	if (info == NULL || part->index >= info->partition_count ||
	    info->partitions[part->index].leader < 0)
		return NULL;
	return kl_cluster_node(&p->cluster, info->partitions[part->index].leader);
}

static bool is_full(const struct klamm_producer *p, const struct kl_node *node)
{
	return node->busy >= (unsigned)p->settings->max_in_flight_requests_per_connection;
}

/* The request to this node that is being built, with room for so many bytes more. NULL:
 * *again_out tells when to ask again. */
static struct kl_produce *request_to(struct klamm_producer *p, struct kl_node *node,
				     size_t size, int64_t *again_out)
{
	struct kl_produce *request = node->user;
	*again_out = KL_NEVER; /* an answer comes */
	if (request != NULL && !kl_produce_fits(request, size)) {
		kl_produce_transmit(request);
		request = NULL;
	}
	if (request != NULL)
		return request;
	if (is_full(p, node))
		return NULL;
	request = kl_produce_get(p, node);
	if (request == NULL) {
		*again_out = now(p) + LOOK_AGAIN;
		return NULL;
	}
	node->user = request;
	kl_list_push(&p->building, &request->link);
	return request;
}

/* true: the batch is in a request that will leave in this round. Else *again_out. */
static bool send_batch(struct klamm_producer *p, struct kl_partition *part,
		       struct kl_pbatch *batch, int64_t *again_out)
{
	struct kl_node *node = leader_of(p, part);
	*again_out = KL_NEVER;
	if (node == NULL) {
		kl_topic_refresh(p, part->topic);
		return false;
	}
	if (!kl_node_connect(node)) {
		*again_out = kl_node_next_time(node);
		return false;
	}
	size_t size;
	if (!kl_convert_for(p, batch, node, &size, again_out))
		return false;
	struct kl_produce *request = request_to(p, node, size, again_out);
	if (request == NULL)
		return false;
	if (!kl_produce_add(request, batch)) {
		*again_out = now(p) + LOOK_AGAIN;
		return false;
	}
	batch->topic_id = part->topic->info->id;
	if (batch->sequence < 0)
		kl_sequences_stamp(p, batch);
	kl_list_remove(&batch->link); /* it belongs to the request now */
	kl_pbatch_insert(&part->flying, batch);
	return true;
}

/* Why what waits since then is not let in; NULL: nobody refused it. */
static const struct klamm_error *refusal(struct klamm_producer *p,
					 const struct kl_partition *part, int64_t since)
{
	const struct kl_node *node = leader_of(p, part);
	const struct kl_identity *identity = &p->identity;
	if (node != NULL && kl_node_has_refused(node, since))
		return &node->last_error;
	if (identity->refused_at != KL_NEVER && identity->refused_at >= since)
		return &identity->refusal;
	return NULL;
}

static void end_with(struct klamm_producer *p, struct kl_pbatch *batch,
		     const struct klamm_error *why)
{
	const struct kl_partition *part = batch->partition;
	char text[KLAMM_ERROR_TEXT];
	snprintf(text, sizeof(text), "topic %s partition %d: %.300s", part->topic->name,
		 part->index, why->text);
	kl_sender_not_sealed(p, batch);
	kl_pbatch_fail(p, batch, why->code, text);
}

/* What was there when the leader refused to let us in ends with its reason; what comes later
 * has a try of its own. */
static void end_refused(struct klamm_producer *p, struct kl_partition *part)
{
	struct kl_pbatch *batch;
	while ((batch = kl_first_batch(part)) != NULL &&
	       atomic_load_explicit(&batch->ready, memory_order_acquire)) {
		const struct klamm_error *why = refusal(p, part, batch->opened_at);
		if (why == NULL)
			return;
		end_with(p, batch, why);
	}
}

/* What the leader will never take. */
static void end_unfit(struct klamm_producer *p, struct kl_partition *part)
{
	const struct kl_node *node = leader_of(p, part);
	struct kl_pbatch *batch;
	char text[KLAMM_ERROR_TEXT];
	int code;
	while (node != NULL && (batch = kl_first_batch(part)) != NULL && batch->count > 0 &&
	       atomic_load_explicit(&batch->ready, memory_order_acquire) &&
	       (code = kl_convert_refusal(p, batch, node, text)) != 0) {
		kl_sender_not_sealed(p, batch);
		kl_pbatch_fail(p, batch, code, text);
	}
}

/* Do sequences allow the batch to be sent now? One that has its sequence goes in order, behind
 * nothing that is in flight already. */
static bool in_sequence(struct klamm_producer *p, struct kl_partition *part,
			const struct kl_pbatch *batch, int64_t *again_out)
{
	*again_out = KL_NEVER; /* an answer comes */
	if (!p->idempotent)
		return true;
	if (part->sequences.again)
		return false;
	const struct kl_pbatch *oldest =
		kl_list_first(&part->flying, struct kl_pbatch, link);
	if (batch->sequence >= 0)
		return oldest == NULL || kl_pbatch_is_older(batch, oldest);
	return kl_sequences_ready(p, part, again_out);
}

static bool try_send(struct klamm_producer *p, struct kl_partition *part,
		     struct kl_pbatch *batch, int64_t *again_out)
{
	*again_out = part->retry_at;
	return part->retry_at <= now(p) && in_sequence(p, part, batch, again_out) &&
	       send_batch(p, part, batch, again_out);
}

/* Nothing that waits will be sent. */
static void end_all(struct klamm_producer *p, struct kl_partition *part,
		    const struct klamm_error *why)
{
	struct klamm_error err = *why; /* ending one may change it */
	struct kl_pbatch *batch;
	while ((batch = kl_first_batch(part)) != NULL &&
	       atomic_load_explicit(&batch->ready, memory_order_acquire))
		end_with(p, batch, &err);
	kl_sender_go_on(p, part);
}

/* false: its transaction does not take it, not yet or not at all. */
static bool in_transaction(struct klamm_producer *p, struct kl_partition *part)
{
	const struct klamm_error *why;
	switch (kl_txn_gate(p, part, &why)) {
	case KL_TXN_GATE_OPEN:
		return true;
	case KL_TXN_GATE_WAITS:
		park(p, part, KL_NEVER);
		return false;
	default:
		/* Behind those that are in flight: outcomes come in the order of sending. */
		if (part->in_flight == 0)
			end_all(p, part, why);
		return false;
	}
}

static void visit(struct klamm_producer *p, struct kl_partition *part)
{
	if (!kl_partition_has_place(p, part))
		return;
	if (part->sequences.again && kl_list_empty(&part->flying))
		kl_sequences_restart(p, part);
	end_refused(p, part);
	if (kl_unlikely(p->may_be_unfit))
		end_unfit(p, part);
	if (!clear_queue(p, part)) {
		kl_sender_go_on(p, part);
		return;
	}
	struct kl_pbatch *batch = kl_first_batch(part);
	if (!atomic_load_explicit(&batch->ready, memory_order_acquire))
		return; /* its worker marks the partition */
	if (p->draining && !batch->maybe_written) {
		park(p, part, KL_NEVER); /* it is about to be taken back */
		return;
	}
	kl_split_end(p, batch);
	batch = kl_first_batch(part);
	if (kl_producer_is_transactional(p) && !in_transaction(p, part))
		return;
	int64_t again;
	if (!try_send(p, part, batch, &again)) {
		park(p, part, again);
		return;
	}
	if (kl_producer_is_transactional(p))
		kl_txn_sends(p);
	part->in_flight += !KL_BUG(TWO_IN_FLIGHT);
	kl_partition_waits(part, now(p));
	batch->attempts++;
	kl_sender_not_sealed(p, batch);
	if (kl_partition_has_place(p, part) &&
	    (part->is_due || !kl_list_empty(&part->queue)))
		kl_list_push(&p->more, &part->sendable);
}

/* What is sendable goes into requests, one batch of a partition into each. */
static void fill_requests(struct klamm_producer *p)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&p->sendable)) != NULL)
		visit(p, kl_list_entry(link, struct kl_partition, sendable));
	while ((link = kl_list_pop(&p->building)) != NULL)
		kl_produce_transmit(kl_list_entry(link, struct kl_produce, link));
	kl_list_splice(&p->sendable, &p->more);
}

void kl_sender_round(struct kl_task *task)
{
	struct klamm_producer *p = kl_container(task, struct klamm_producer, task);
	int64_t due = kl_linger_round(p);
	do
		fill_requests(p);
	while (!kl_list_empty(&p->sendable));
	if (kl_producer_is_transactional(p))
		kl_txn_run(p);
	due = kl_min(due, kl_memory_round(p));
	kl_timer_set(p->loop, &p->timer, kl_min(due, p->look_at));
}

static void on_hook(struct kl_hook *hook)
{
	kl_sender_round(&kl_container(hook, struct klamm_producer, round_hook)->task);
}

static void on_timer(struct kl_timer *timer)
{
	struct klamm_producer *p = kl_container(timer, struct klamm_producer, timer);
	if (p->look_at <= now(p)) {
		kl_list_splice(&p->sendable, &p->parked);
		p->look_at = KL_NEVER;
	}
	kl_sender_round(&p->task);
}

static void on_node(struct kl_cluster *cluster, struct kl_node *node,
		    const struct klamm_error *err)
{
	struct klamm_producer *p = kl_container(cluster, struct klamm_producer, cluster);
	if (!KL_BUG(LOST_WAKEUP))
		kl_sender_unpark(p);
	if (err != NULL && kl_auth_is_refusal(err))
		kl_gate_wake(p->os, &p->gate);
}

static void on_topic(struct kl_cluster *cluster, struct kl_topic_info *info)
{
	struct klamm_producer *p = kl_container(cluster, struct klamm_producer, cluster);
	kl_topic_update(p, info);
	kl_sender_unpark(p);
}

const struct kl_cluster_ops kl_sender_ops = {.topic = on_topic, .node = on_node};

/* --- beginning and end --- */

int kl_sender_init(struct klamm_producer *p, struct klamm_error *err)
{
	kl_list_init(&p->lingering);
	kl_list_init(&p->sendable);
	kl_list_init(&p->more);
	kl_list_init(&p->parked);
	kl_list_init(&p->building);
	kl_list_init(&p->requests);
	kl_list_init(&p->spare_requests);
	kl_list_init(&p->round_hook.link);
	p->look_at = p->wake_at = KL_NEVER;
	kl_identity_init(p);
	p->task.fn = kl_sender_round;
	p->round_hook.fn = on_hook;
	return kl_timer_init(p->loop, &p->timer, on_timer, err);
}

static void abandon_partition(struct klamm_producer *p, struct kl_partition *part)
{
	kl_partition_lock(part);
	struct kl_pbatch *open = part->batch != NULL ? kl_pbatch_seal(p, part) : NULL;
	kl_list_splice(&part->queue, &part->sealed);
	kl_partition_unlock(part);
	if (open != NULL)
		atomic_store(&open->ready, true);
	kl_list_remove(&part->lingering);
	kl_list_remove(&part->sendable);
	char text[KLAMM_ERROR_TEXT];
	snprintf(text, sizeof(text),
		 "topic %s partition %d: the producer was closed before it "
		 "was acknowledged",
		 part->topic->name, part->index);
	struct kl_pbatch *batch;
	while ((batch = kl_first_batch(part)) != NULL)
		kl_pbatch_fail(p, batch, KLAMM_ERR_CLOSED, text);
}

void kl_sender_abandon(struct klamm_producer *p)
{
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, p->topics, topic, tmp) {
		struct kl_partition **table = atomic_load(&topic->partitions);
		for (int32_t i = 0; i < topic->table_count; i++)
			abandon_partition(p, table[i]);
	}
}

void kl_sender_free(struct klamm_producer *p)
{
	kl_timer_drop(p->loop, &p->timer);
	kl_list_remove(&p->round_hook.link);
	kl_produce_free_spare(p);
	kl_identity_free(p);
	kl_txn_free(p);
}
