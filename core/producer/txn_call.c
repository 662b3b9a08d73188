/* SPDX-License-Identifier: BSD-2-Clause */
/* The application's calls about transactions: each sets what the loop is to bring about, and
 * waits for it. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/base/order.h"
#include "core/producer/producer.h"
#include "core/producer/sender.h"
#include "core/producer/txn.h"

static const char *const doing[] = {
	[KL_TXN_CALL_INIT] = "initializing transactions",
	[KL_TXN_CALL_OFFSETS] = "sending offsets to the transaction",
	[KL_TXN_CALL_COMMIT] = "committing the transaction",
	[KL_TXN_CALL_ABORT] = "aborting the transaction",
};

/* A call on its way into the loop and back. */
struct waiting {
	struct klamm_producer *p;
	enum kl_txn_call_kind kind;
	struct kl_txn_offsets *offsets; /* taken */
	int rc;
	struct klamm_error err;
};

static int refuse(struct waiting *w, const char *why)
{
	return w->rc = kl_error(&w->err, KLAMM_ERR_STATE, "%s: %s", doing[w->kind], why);
}

/* --- in the loop: beginning --- */

static int spoiled(struct waiting *w)
{
	return w->rc = kl_error_copy(&w->err, &w->p->txn.error);
}

static int begin_commit(struct waiting *w)
{
	struct kl_txn *txn = &w->p->txn;
	if (txn->state == KL_TXN_ABORTABLE)
		return spoiled(w);
	if (txn->state != KL_TXN_OPEN)
		return refuse(w, "no transaction is open");
	kl_txn_set_state(w->p, KL_TXN_COMMITTING);
	return 0;
}

static int begin_abort(struct waiting *w)
{
	struct kl_txn *txn = &w->p->txn;
	if (txn->state != KL_TXN_OPEN && txn->state != KL_TXN_ABORTABLE)
		return refuse(w, "no transaction is open");
	/* A request that waits for its connection would be made of what goes now. */
	if (txn->asked != NULL && txn->request.version < 0) {
		kl_node_cancel(txn->asked, &txn->request);
		txn->asked = NULL;
	}
	kl_txn_offsets_free(txn->offsets);
	txn->offsets = NULL;
	kl_txn_set_state(w->p, KL_TXN_ABORTING);
	kl_sender_unpark(w->p); /* what waited to be let in is taken back */
	return 0;
}

static int begin_offsets(struct waiting *w)
{
	struct kl_txn *txn = &w->p->txn;
	if (txn->state == KL_TXN_ABORTABLE)
		return spoiled(w);
	if (txn->state != KL_TXN_OPEN)
		return refuse(w, "no transaction is open");
	txn->offsets = w->offsets;
	txn->offsets_added = false; /* it may be another group */
	w->offsets = NULL;
	txn->retry_at = 0;
	kl_hook_add(w->p->loop, &w->p->round_hook);
	return 0;
}

static int begin_init(struct waiting *w)
{
	struct kl_txn *txn = &w->p->txn;
	if (txn->state != KL_TXN_NONE)
		return refuse(w, "that has been done");
	kl_txn_set_state(w->p, KL_TXN_INITIALIZING);
	return 0;
}

/* One that ran out of time is called again, for the same end. An abort need not wait for
 * offsets. */
static bool goes_on(struct waiting *w)
{
	struct kl_txn_call *call = &w->p->txn.call;
	if (call->kind == w->kind)
		return true;
	if (call->kind == KL_TXN_CALL_NONE ||
	    (call->kind == KL_TXN_CALL_OFFSETS && w->kind == KL_TXN_CALL_ABORT))
		return false;
	w->rc = kl_error(&w->err, KLAMM_ERR_STATE,
			 "%s: the call before, %s, ran out of time and has to be made again "
			 "first",
			 doing[w->kind], doing[call->kind]);
	return true;
}

static void begin_in_loop(void *arg)
{
	struct waiting *w = arg;
	struct kl_txn *txn = &w->p->txn;
	if (txn->state == KL_TXN_FATAL && txn->call.kind != w->kind) {
		spoiled(w);
		return;
	}
	if (goes_on(w))
		return;
	txn->call.kind = KL_TXN_CALL_NONE;
	int rc = w->kind == KL_TXN_CALL_INIT     ? begin_init(w)
		 : w->kind == KL_TXN_CALL_OFFSETS ? begin_offsets(w)
		 : w->kind == KL_TXN_CALL_COMMIT  ? begin_commit(w)
						  : begin_abort(w);
	if (rc != 0)
		return;
	txn->call.kind = w->kind;
	atomic_store(&txn->call.ended, false);
}

/* --- in the loop: the end --- */

/* Out of time: what was it that it waited for? */
static void explain(struct waiting *w)
{
	struct klamm_producer *p = w->p;
	const struct kl_txn *txn = &p->txn;
	uint64_t records = kl_pbatch_records(p);
	if (records > 0 && txn->asked == NULL)
		kl_error(&w->err, KLAMM_ERR_TIMED_OUT,
			 "%s: %llu of its records have no outcome yet", doing[w->kind],
			 (unsigned long long)records);
	else if (w->kind == KL_TXN_CALL_OFFSETS && txn->group_made &&
		 (txn->v2 || txn->offsets_added))
		kl_coordinator_timed_out(&txn->group, &w->err, doing[w->kind]);
	else
		kl_coordinator_timed_out(&txn->coordinator, &w->err, doing[w->kind]);
	w->err.scope = KLAMM_SCOPE_RETRIABLE; /* the same call again */
	if (w->kind == KL_TXN_CALL_COMMIT)
		w->err.outcome = KLAMM_OUTCOME_POSSIBLY_WRITTEN;
}

static void end_in_loop(void *arg)
{
	struct waiting *w = arg;
	struct kl_txn_call *call = &w->p->txn.call;
	if (!atomic_load(&call->ended)) {
		explain(w);
	} else {
		w->err = call->err;
		call->kind = KL_TXN_CALL_NONE;
	}
	w->rc = w->err.code;
}

/* --- waiting --- */

static bool has_ended(void *arg)
{
	struct klamm_producer *p = arg;
	return atomic_load(&p->txn.call.ended) || kl_producer_is_closed(p) ||
	       kl_outcome_waiting(p);
}

/* Its records get their outcomes meanwhile: callbacks run here as in a flush. */
static void wait_for_end(struct klamm_producer *p, int64_t deadline)
{
	do {
		kl_loop_wait(p->loop, &p->gate, has_ended, p, deadline);
		kl_outcome_tell(p);
	} while (!atomic_load(&p->txn.call.ended) && !kl_producer_is_closed(p) &&
		 p->os->now(p->os) < deadline);
	kl_outcome_tell(p);
}

static int check(struct klamm_producer *p, struct klamm_error *err)
{
	if (kl_producer_is_closed(p))
		return kl_producer_state_error(p, err);
	if (p->txn.id == NULL)
		return kl_error(err, KLAMM_ERR_STATE,
				"this producer has no transactions: set transactional.id");
	return kl_loop_may_wait(p->os, err);
}

static int run_until(struct klamm_producer *p, enum kl_txn_call_kind kind,
		     struct kl_txn_offsets *offsets, int64_t deadline, struct klamm_error *err)
{
	struct waiting w = {.p = p, .kind = kind, .offsets = offsets};
	kl_loop_call(p->loop, begin_in_loop, &w);
	kl_txn_offsets_free(w.offsets); /* an earlier call's are on their way */
	if (w.rc == 0) {
		wait_for_end(p, deadline);
		kl_loop_call(p->loop, end_in_loop, &w);
	}
	return w.rc == 0 ? 0 : kl_error_copy(err, &w.err);
}

static int run(struct klamm_producer *p, enum kl_txn_call_kind kind,
	       struct kl_txn_offsets *offsets, int64_t timeout_ms, struct klamm_error *err)
{
	int64_t ms = timeout_ms == KLAMM_TIMEOUT_DEFAULT ? p->settings->max_block_ms
							 : timeout_ms;
	return run_until(p, kind, offsets, kl_os_deadline_ms(p->os, ms), err);
}

int klamm_producer_init_transactions(struct klamm_producer *p, int64_t timeout_ms,
				     struct klamm_error *err)
{
	int rc = check(p, err);
	return rc != 0 ? rc : run(p, KL_TXN_CALL_INIT, NULL, timeout_ms, err);
}

int klamm_producer_commit_transaction(struct klamm_producer *p, int64_t timeout_ms,
				      struct klamm_error *err)
{
	int rc = check(p, err);
	return rc != 0 ? rc : run(p, KL_TXN_CALL_COMMIT, NULL, timeout_ms, err);
}

int klamm_producer_abort_transaction(struct klamm_producer *p, int64_t timeout_ms,
				     struct klamm_error *err)
{
	int rc = check(p, err);
	return rc != 0 ? rc : run(p, KL_TXN_CALL_ABORT, NULL, timeout_ms, err);
}

int kl_txn_leave(struct klamm_producer *p, int64_t deadline, struct klamm_error *err)
{
	kl_mutex_lock(&p->mutex);
	enum kl_txn_state state = p->txn.state;
	kl_mutex_unlock(&p->mutex);
	struct klamm_error why;
	int rc = 0;
	if (state == KL_TXN_COMMITTING)
		rc = run_until(p, KL_TXN_CALL_COMMIT, NULL, deadline, &why);
	else if (state == KL_TXN_OPEN || state == KL_TXN_ABORTABLE ||
		 state == KL_TXN_ABORTING)
		rc = run_until(p, KL_TXN_CALL_ABORT, NULL, deadline, &why);
	if (rc != KLAMM_ERR_TIMED_OUT)
		return 0; /* it has ended, or this producer cannot end it */
	kl_error(err, rc,
		 "the producer was closed before its transaction had an end, which it gets "
		 "after transaction.timeout.ms at the latest; %.300s",
		 why.text);
	if (err != NULL)
		err->outcome = why.outcome;
	return rc;
}

int kl_txn_explain(struct klamm_producer *p, struct klamm_error *err)
{
	kl_mutex_lock(&p->mutex);
	enum kl_txn_state state = p->txn.state;
	struct klamm_error why = p->txn.error;
	kl_mutex_unlock(&p->mutex);
	if (state == KL_TXN_ABORTABLE || state == KL_TXN_FATAL)
		return kl_error_copy(err, &why);
	return kl_error(err, KLAMM_ERR_STATE, "no transaction is open: %s comes first",
			state == KL_TXN_NONE ? "klamm_producer_init_transactions()"
					     : "klamm_producer_begin_transaction()");
}

/* --- beginning one --- */

static void open_in_loop(void *arg)
{
	struct waiting *w = arg;
	struct kl_txn *txn = &w->p->txn;
	if (txn->state == KL_TXN_ABORTABLE || txn->state == KL_TXN_FATAL) {
		spoiled(w);
	} else if (txn->call.kind != KL_TXN_CALL_NONE) {
		w->rc = kl_error(&w->err, KLAMM_ERR_STATE,
				 "beginning a transaction: the call before, %s, ran out of "
				 "time and has to be made again first",
				 doing[txn->call.kind]);
	} else if (txn->state != KL_TXN_READY) {
		w->rc = kl_error(&w->err, KLAMM_ERR_STATE, "beginning a transaction: %s",
				 txn->state == KL_TXN_NONE
					 ? "klamm_producer_init_transactions() comes first"
					 : "one is open already");
	} else {
		txn->number += !KL_BUG(PARTITION_STAYS);
		kl_txn_set_state(w->p, KL_TXN_OPEN);
	}
}

int klamm_producer_begin_transaction(struct klamm_producer *p, struct klamm_error *err)
{
	struct waiting w = {.p = p};
	int rc = check(p, err);
	if (rc == 0 && kl_producer_is_over(p))
		rc = kl_producer_state_error(p, err);
	if (rc != 0)
		return rc;
	kl_loop_call(p->loop, open_in_loop, &w);
	return w.rc == 0 ? 0 : kl_error_copy(err, &w.err);
}

/* --- offsets --- */

static int by_topic(const void *a, const void *b)
{
	const struct kl_txn_offset *x = a, *y = b;
	return kl_order_partitions(x->topic, x->partition, y->topic, y->partition);
}

static char *copy(struct kl_arena *arena, const char *text, bool *ok)
{
	if (text == NULL)
		return NULL;
	size_t size = strlen(text) + 1;
	char *to = kl_arena_alloc(arena, size);
	if (to == NULL)
		*ok = false;
	else
		memcpy(to, text, size);
	return to;
}

static bool copy_offsets(struct kl_txn_offsets *to, const struct klamm_offset *offsets,
			 size_t count, const struct klamm_group_metadata *group)
{
	bool ok = true;
	struct kl_arena *arena = &to->arena;
	to->group_id = copy(arena, group->group_id, &ok);
	to->member_id = copy(arena, group->member_id != NULL ? group->member_id : "", &ok);
	to->instance_id = copy(arena, group->group_instance_id, &ok);
	to->generation = group->generation;
	to->count = count;
	to->list = kl_arena_alloc(arena, count * sizeof(*to->list));
	if (to->list == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *metadata = offsets[i].metadata;
		to->list[i] = (struct kl_txn_offset){
			.topic = copy(arena, offsets[i].topic, &ok),
			.metadata = copy(arena, metadata != NULL ? metadata : "", &ok),
			.partition = offsets[i].partition,
			.leader_epoch = offsets[i].leader_epoch,
			.offset = offsets[i].offset,
		};
	}
	if (ok)
		qsort(to->list, count, sizeof(*to->list), by_topic);
	return ok;
}

static int check_offsets(const struct klamm_offset *offsets, size_t count,
			 const struct klamm_group_metadata *group, struct klamm_error *err)
{
	if (group == NULL || group->size != sizeof(*group) || group->group_id == NULL ||
	    group->group_id[0] == '\0')
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"offsets for a transaction need the group they belong to: see "
				"klamm_consumer_group_metadata()");
	for (size_t i = 0; i < count; i++)
		if (offsets[i].topic == NULL || offsets[i].partition < 0 ||
		    offsets[i].offset < 0)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"offset %lld of topic %s partition %d cannot be "
					"committed",
					(long long)offsets[i].offset,
					offsets[i].topic != NULL ? offsets[i].topic : "(null)",
					offsets[i].partition);
	return 0;
}

int klamm_producer_send_offsets(struct klamm_producer *p, const struct klamm_offset *offsets,
				size_t count, const struct klamm_group_metadata *group,
				int64_t timeout_ms, struct klamm_error *err)
{
	int rc = check(p, err);
	if (rc == 0)
		rc = check_offsets(offsets, count, group, err);
	if (rc != 0 || count == 0)
		return rc;
	struct kl_txn_offsets *copied = calloc(1, sizeof(*copied));
	if (copied == NULL || !copy_offsets(copied, offsets, count, group)) {
		kl_txn_offsets_free(copied);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for offsets");
	}
	return run(p, KL_TXN_CALL_OFFSETS, copied, timeout_ms, err);
}
