/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/txn.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/producer/sender.h"

/* Longer than the backoff of whoever takes over (Java's, and ours: retry.backoff.max.ms is
 * 1 s, and up to a fifth more). */
#define MAKE_WAY (1500 * KL_MS)

static int64_t now(const struct klamm_producer *p)
{
	return p->loop->now;
}

/* --- the application's view --- */

/* send() looks at this word alone. */
static void set_word(struct klamm_producer *p, unsigned word)
{
	unsigned known = atomic_load(p->state);
	while (known != KL_PRODUCER_CLOSED && known != KL_PRODUCER_FORKED &&
	       known != KL_PRODUCER_DRAINED &&
	       !atomic_compare_exchange_weak(p->state, &known, word))
		;
	if (word != KL_PRODUCER_OPEN) { /* senders that wait hear of it */
		kl_gate_wake(p->os, &p->gate);
		kl_gate_wake(p->os, &p->memory_gate);
	}
}

void kl_txn_set_state(struct klamm_producer *p, enum kl_txn_state state)
{
	kl_mutex_lock(&p->mutex); /* kl_producer_state_error() reads it */
	p->txn.state = state;
	kl_mutex_unlock(&p->mutex);
	p->txn.retry_at = 0;
	p->txn.failures = 0;
	set_word(p, state == KL_TXN_OPEN ? KL_PRODUCER_OPEN : KL_PRODUCER_NO_TXN);
	kl_hook_add(p->loop, &p->round_hook);
}

void kl_txn_call_end(struct klamm_producer *p, const struct klamm_error *err)
{
	struct kl_txn_call *call = &p->txn.call;
	if (call->kind == KL_TXN_CALL_NONE || atomic_load(&call->ended))
		return;
	if (err != NULL)
		call->err = *err;
	else
		kl_error_clear(&call->err);
	atomic_store(&call->ended, true);
	kl_gate_wake(p->os, &p->gate);
}

/* Of the transaction, for whoever waits for its commit. */
static int32_t outcome_of(const struct kl_txn *txn)
{
	if (txn->call.kind != KL_TXN_CALL_COMMIT)
		return KLAMM_OUTCOME_NONE;
	if (txn->state == KL_TXN_BUMPING)
		return KLAMM_OUTCOME_DELIVERED;
	return txn->maybe_ended ? KLAMM_OUTCOME_POSSIBLY_WRITTEN : KLAMM_OUTCOME_NOT_WRITTEN;
}

void kl_txn_spoil(struct klamm_producer *p, bool fatal, const struct klamm_error *why)
{
	struct kl_txn *txn = &p->txn;
	if (txn->state == KL_TXN_FATAL || (!fatal && txn->state == KL_TXN_ABORTABLE))
		return;
	struct klamm_error err = *why;
	err.scope = fatal ? KLAMM_SCOPE_FATAL : KLAMM_SCOPE_ABORTABLE;
	err.outcome = outcome_of(txn);
	kl_log(&p->log, KL_LOG_WARN, "producer", "transactional id %s: %s%s", txn->id,
	       err.text, fatal ? "; this producer can only be closed" : "");
	kl_mutex_lock(&p->mutex);
	txn->error = err;
	kl_mutex_unlock(&p->mutex);
	kl_txn_set_state(p, fatal ? KL_TXN_FATAL : KL_TXN_ABORTABLE);
	kl_txn_call_end(p, &err);
	kl_sender_unpark(p); /* what waits to be sent ends */
}

/* --- what the sender asks --- */

static void want_partition(struct klamm_producer *p, struct kl_partition *part)
{
	if (!kl_list_empty(&part->adding))
		return;
	/* Behind the last one of its topic: a request names each topic once. */
	struct kl_list *after = p->txn.adding.prev;
	while (after != &p->txn.adding &&
	       kl_list_entry(after, struct kl_partition, adding)->topic != part->topic)
		after = after->prev;
	if (after == &p->txn.adding)
		after = p->txn.adding.prev;
	kl_list_push_front(after, &part->adding);
	part->add_asked = false;
	kl_hook_add(p->loop, &p->round_hook);
}

enum kl_txn_gate kl_txn_gate(struct klamm_producer *p, struct kl_partition *part,
			     const struct klamm_error **why)
{
	static const struct klamm_error outside = {
		.code = KLAMM_ERR_STATE,
		.text = "it was sent while no transaction was open",
	}, aborted = {
		.code = KLAMM_ERR_ABORTED,
		.text = "its transaction was aborted before it was sent",
	};
	struct kl_txn *txn = &p->txn;
	switch (txn->state) {
	case KL_TXN_OPEN:
	case KL_TXN_COMMITTING:
		if (txn->v2 || part->txn_number == txn->number ||
		    KL_BUG(PARTITION_NOT_ADDED))
			return KL_TXN_GATE_OPEN;
		want_partition(p, part);
		return KL_TXN_GATE_WAITS;
	case KL_TXN_ABORTABLE:
	case KL_TXN_FATAL:
		*why = &txn->error;
		return KL_TXN_GATE_SHUT;
	case KL_TXN_ABORTING:
		*why = &aborted;
		return KL_TXN_GATE_SHUT;
	default:
		*why = &outside;
		return KL_TXN_GATE_SHUT;
	}
}

void kl_txn_sends(struct klamm_producer *p)
{
	if (p->txn.v2)
		p->txn.started = true;
}

static bool kills(int code)
{
	switch (code) {
	case KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
	case KLAMM_ERR_PRODUCER_FENCED:
	case KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING:
	case KLAMM_ERR_UNSUPPORTED_VERSION:
	case KLAMM_ERR_UNSUPPORTED:
		return true;
	default:
		return false;
	}
}

/* With version 2 the coordinator takes an abort under the epoch that it has just raised for a
 * repetition, and hands out the new epoch. A producer that was replaced while its transaction
 * was open would go on with it, and throw out the newer one before that has its own: each in
 * turn, for as long as both like. So it waits until a newer one, whom the coordinator told to
 * come back, has done so, and then hears that it is fenced. A transaction that was only too
 * slow (transaction.timeout.ms) goes on behind the wait. */
static void make_way(struct klamm_producer *p)
{
	if (p->txn.v2)
		p->txn.makes_way_until = now(p) + MAKE_WAY;
}

void kl_txn_batch_failed(struct klamm_producer *p, const struct kl_pbatch *batch, bool stamped,
			 int code, const char *text)
{
	struct kl_txn *txn = &p->txn;
	txn->bump |= stamped;
	txn->doubt |= stamped && batch->maybe_written;
	if (code == KLAMM_ERR_INVALID_PRODUCER_EPOCH)
		make_way(p);
	if ((txn->state != KL_TXN_OPEN && txn->state != KL_TXN_COMMITTING) ||
	    KL_BUG(FAILURE_COMMITTED))
		return;
	struct klamm_error err;
	kl_error(&err, code, "a record of the transaction failed: %s", text);
	err.outcome = KLAMM_OUTCOME_NONE;
	kl_txn_spoil(p, kills(code), &err);
}

/* --- what comes next --- */

/* Everything that was sent has its end? What is open is sealed on the way. */
static bool is_drained(struct klamm_producer *p)
{
	kl_mutex_lock(&p->mutex);
	bool drained = kl_list_empty(&p->live) || KL_BUG(EARLY_END);
	uint64_t id = p->next_id;
	kl_mutex_unlock(&p->mutex);
	if (!drained && atomic_load(&p->flush_id) < id) {
		atomic_store(&p->flush_id, id);
		kl_hook_add(p->loop, &p->round_hook);
	}
	return drained;
}

static void learn_version(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	bool v2 = p->cluster.nodes.transaction_version >= KL_TXN_VERSION_2;
	if (v2 == txn->v2)
		return;
	kl_log(&p->log, KL_LOG_DEBUG, "producer", "transactional id %s: protocol version %d",
	       txn->id, v2 ? 2 : 1);
	/* The first epoch of the new kind is got from InitProducerId. */
	txn->bump |= v2;
	txn->v2 = v2;
}

static void end_or_skip(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	if (!is_drained(p))
		return;
	if (txn->state == KL_TXN_COMMITTING && !kl_list_empty(&txn->adding))
		return;
	txn->committed = txn->state == KL_TXN_COMMITTING;
	if (txn->started && !(KL_BUG(ABORT_NOT_TOLD) && !txn->committed))
		kl_txn_ask_end(p);
	else
		kl_txn_over(p); /* the coordinator knows nothing of it */
}

void kl_txn_over(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	txn->started = txn->offsets_added = txn->added_some = txn->maybe_ended = false;
	struct kl_list *link;
	while ((link = kl_list_pop(&txn->adding)) != NULL)
		;
	kl_txn_offsets_free(txn->offsets);
	txn->offsets = NULL;
	learn_version(p);
	if (txn->bump) {
		kl_txn_set_state(p, KL_TXN_BUMPING);
		return;
	}
	kl_txn_set_state(p, KL_TXN_READY);
	kl_txn_call_end(p, NULL);
}

void kl_txn_run(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	if (txn->asked != NULL || p->stopping)
		return;
	int64_t when = txn->state == KL_TXN_ABORTING
			       ? kl_max(txn->retry_at, txn->makes_way_until)
			       : txn->retry_at;
	if (when > now(p)) {
		kl_timer_set(p->loop, &txn->timer, when);
		return;
	}
	switch (txn->state) {
	case KL_TXN_INITIALIZING:
	case KL_TXN_BUMPING:
		kl_txn_ask_identity(p);
		break;
	case KL_TXN_OPEN:
		if (!kl_list_empty(&txn->adding))
			kl_txn_ask_partitions(p);
		else if (txn->offsets != NULL)
			kl_txn_ask_offsets(p);
		break;
	case KL_TXN_COMMITTING:
		if (!kl_list_empty(&txn->adding))
			kl_txn_ask_partitions(p);
		else
			end_or_skip(p);
		break;
	case KL_TXN_ABORTING:
		end_or_skip(p);
		break;
	default:
		break;
	}
}

/* --- events --- */

static void go_on(struct kl_coordinator *coordinator)
{
	struct klamm_producer *p = kl_container(coordinator->cluster, struct klamm_producer,
						cluster);
	kl_hook_add(p->loop, &p->round_hook);
}

/* It is not let in, or does not exist for us: what was asked for cannot be had. */
static void hopeless(struct kl_coordinator *coordinator, const struct klamm_error *err)
{
	struct klamm_producer *p = kl_container(coordinator->cluster, struct klamm_producer,
						cluster);
	struct kl_txn *txn = &p->txn;
	if (txn->state == KL_TXN_INITIALIZING) {
		kl_txn_set_state(p, KL_TXN_NONE); /* it may be tried again */
		kl_txn_call_end(p, err);
		return;
	}
	if (coordinator != &txn->group)
		kl_txn_spoil(p, true, err);
	else if (txn->state == KL_TXN_OPEN && txn->offsets != NULL)
		kl_txn_spoil(p, false, err); /* else nobody waits for it any more */
}

static const struct kl_coordinator_ops coordinator_ops = {
	.ready = go_on,
	.failed = hopeless,
};

static void on_timer(struct kl_timer *timer)
{
	struct klamm_producer *p = kl_container(timer, struct klamm_producer, txn.timer);
	kl_hook_add(p->loop, &p->round_hook);
}

int kl_txn_find_group(struct klamm_producer *p, const char *group, struct klamm_error *err)
{
	struct kl_txn *txn = &p->txn;
	if (txn->group_made && strcmp(txn->group.key, group) == 0)
		return 0;
	if (txn->group_made)
		kl_coordinator_free(&txn->group);
	int rc = kl_coordinator_init(&txn->group, &p->cluster, KL_COORDINATOR_GROUP, group,
				     &coordinator_ops, err);
	txn->group_made = rc == 0;
	return rc;
}

/* --- beginning and end --- */

int kl_txn_init(struct klamm_producer *p, struct klamm_error *err)
{
	struct kl_txn *txn = &p->txn;
	kl_list_init(&txn->adding);
	txn->id = p->settings->transactional_id;
	if (txn->id == NULL)
		return 0;
	set_word(p, KL_PRODUCER_NO_TXN);
	int rc = kl_timer_init(p->loop, &txn->timer, on_timer, err);
	txn->timer_made = rc == 0;
	if (rc == 0)
		rc = kl_coordinator_init(&txn->coordinator, &p->cluster,
					 KL_COORDINATOR_TRANSACTION, txn->id, &coordinator_ops,
					 err);
	txn->coordinator_made = rc == 0;
	return rc;
}

void kl_txn_stop(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	if (txn->asked != NULL)
		kl_node_cancel(txn->asked, &txn->request);
	txn->asked = NULL;
	if (txn->coordinator_made)
		kl_coordinator_free(&txn->coordinator);
	if (txn->group_made)
		kl_coordinator_free(&txn->group);
	txn->coordinator_made = txn->group_made = false;
	if (txn->timer_made)
		kl_timer_drop(p->loop, &txn->timer);
	txn->timer_made = false;
}

void kl_txn_free(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	kl_request_free(&txn->request);
	kl_arena_free(&txn->arena);
	kl_txn_offsets_free(txn->offsets);
	txn->offsets = NULL;
}
