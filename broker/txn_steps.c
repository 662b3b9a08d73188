/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of a transaction that clients ask for, and what is wrong with asking. */
#include "broker/coordinators.h"
#include "broker/data.h"
#include "broker/txns.h"

/* The last epoch is never given to a producer, so that it can always be shut out. */
static bool is_exhausted(int16_t epoch)
{
	return epoch >= INT16_MAX - 1;
}

static bool is_prepared(const struct kl_dev_txn *txn)
{
	return txn->facts.state == KL_DEV_TXN_PREPARE_COMMIT ||
	       txn->facts.state == KL_DEV_TXN_PREPARE_ABORT;
}

/* What every step changes. */
static struct kl_dev_txn_facts next_facts(struct klamm_broker *broker,
					  const struct kl_dev_txn *txn, int32_t state)
{
	struct kl_dev_txn_facts next = txn->facts;
	next.previous_id = txn->facts.producer_id;
	next.state = state;
	next.updated_ms = broker->loop->os->wall_ms(broker->loop->os);
	return next;
}

/* --- InitProducerId --- */

/* A producer that says who it was is who it is now, or asks again after the answer that
 * gave it another id was lost. */
static bool may_continue(const struct kl_dev_txn *txn, const struct kl_dev_txn_ask *ask)
{
	return ask->producer_id < 0 || txn->facts.epoch < 0 ||
	       ask->producer_id == txn->facts.producer_id ||
	       (ask->producer_id == txn->facts.previous_id && is_exhausted(ask->epoch));
}

/* Kafka's prepareIncrementProducerEpoch(). */
static int raise_epoch(const struct kl_dev_txn *txn, const struct kl_dev_txn_ask *ask,
		       struct kl_dev_txn_facts *next)
{
	int16_t epoch = txn->facts.epoch;
	bool has_epoch = ask->producer_id >= 0;
	if (has_epoch && epoch >= 0 && ask->epoch != epoch) {
		/* Again: the epoch behind the one that it has was given to it. */
		return ask->epoch == txn->facts.last_epoch ? 0 : KLAMM_ERR_PRODUCER_FENCED;
	}
	if (is_exhausted(epoch))
		return KLAMM_ERR_UNKNOWN_SERVER_ERROR;
	next->epoch = (int16_t)(epoch + 1);
	next->last_epoch = has_epoch ? epoch : -1;
	return 0;
}

static int begin_anew(struct klamm_broker *broker, struct kl_dev_txn *txn,
		      const struct kl_dev_txn_ask *ask, int32_t timeout_ms)
{
	struct kl_dev_txn_facts next = next_facts(broker, txn, KL_DEV_TXN_EMPTY);
	int rc;
	if (is_exhausted(txn->facts.epoch) &&
	    (ask->producer_id < 0 || ask->epoch == txn->facts.epoch)) {
		next.last_epoch = ask->producer_id >= 0 ? txn->facts.epoch : -1;
		next.epoch = 0;
		rc = kl_dev_producer_id(broker, &next.producer_id);
	} else {
		rc = raise_epoch(txn, ask, &next);
	}
	if (rc != 0)
		return rc;
	next.timeout_ms = timeout_ms;
	next.started_ms = -1;
	return kl_dev_txn_become(broker, txn, &next);
}

static struct kl_dev_txn *add(struct klamm_broker *broker, struct kl_dev_partition *home,
			      struct kl_str id, int *error_out)
{
	int64_t producer_id;
	*error_out = kl_dev_producer_id(broker, &producer_id);
	if (*error_out != 0)
		return NULL;
	struct kl_dev_txn *txn = kl_dev_txn_add(broker, id, home->index);
	if (txn == NULL) {
		*error_out = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
		return NULL;
	}
	txn->facts = (struct kl_dev_txn_facts){
		.producer_id = producer_id,
		.previous_id = -1,
		.next_id = -1,
		.epoch = -1,
		.last_epoch = -1,
		.state = KL_DEV_TXN_EMPTY,
		.started_ms = -1,
	};
	return txn;
}

int kl_dev_txn_init(struct klamm_broker *broker, struct kl_dev_partition *home,
		    const struct kl_dev_txn_ask *ask, int32_t timeout_ms,
		    int64_t *producer_id_out, int16_t *epoch_out)
{
	int error = 0;
	struct kl_dev_txn *txn = kl_dev_txn_find(broker, ask->id);
	bool is_new = txn == NULL;
	if (is_new)
		txn = add(broker, home, ask->id, &error);
	if (txn == NULL)
		return error;
	if (is_prepared(txn))
		return KLAMM_ERR_CONCURRENT_TRANSACTIONS;
	if (!may_continue(txn, ask))
		return KLAMM_ERR_PRODUCER_FENCED;
	if (txn->facts.state == KL_DEV_TXN_ONGOING) {
		/* It is aborted first, and the producer asks again. */
		error = kl_dev_txn_fence(broker, txn);
		return error != 0 ? error : KLAMM_ERR_CONCURRENT_TRANSACTIONS;
	}
	error = begin_anew(broker, txn, ask, timeout_ms);
	if (error == 0) {
		*producer_id_out = txn->facts.producer_id;
		*epoch_out = txn->facts.epoch;
	} else if (is_new) {
		kl_dev_txn_drop(broker, txn);
	}
	return error;
}

/* --- AddPartitionsToTxn, AddOffsetsToTxn, and Produce itself --- */

static int find(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask,
		struct kl_dev_txn **txn_out)
{
	if (ask->id.len <= 0)
		return KLAMM_ERR_INVALID_REQUEST;
	*txn_out = kl_dev_txn_find(broker, ask->id);
	return *txn_out == NULL ? KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING : 0;
}

static int check_producer(const struct kl_dev_txn *txn, const struct kl_dev_txn_ask *ask)
{
	if (txn->facts.producer_id != ask->producer_id)
		return KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING;
	return txn->facts.epoch != ask->epoch ? KLAMM_ERR_PRODUCER_FENCED : 0;
}

int kl_dev_txn_may_add(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask)
{
	struct kl_dev_txn *txn;
	int rc = find(broker, ask, &txn);
	if (rc != 0)
		return rc;
	/* First: while it ends, the producer may have an id that is not in force yet. */
	return is_prepared(txn) ? KLAMM_ERR_CONCURRENT_TRANSACTIONS
				: check_producer(txn, ask);
}

int kl_dev_txn_verify(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask)
{
	struct kl_dev_txn *txn;
	int rc = find(broker, ask, &txn);
	if (rc == 0)
		rc = check_producer(txn, ask);
	return rc == 0 && is_prepared(txn) ? KLAMM_ERR_CONCURRENT_TRANSACTIONS : rc;
}

/* Takes back what was added to the ones of before. */
static void drop_new(struct kl_dev_txn *txn, const struct kl_dev_txn_name *names,
		     const bool *was_there, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < txn->part_count && !was_there[i]; k++) {
			if (txn->parts[k].index != names[i].index ||
			    !kl_str_is(names[i].topic, txn->parts[k].topic))
				continue;
			kl_dev_txn_drop_part(txn, k);
			break;
		}
	}
}

static int add_parts(struct klamm_broker *broker, struct kl_dev_txn *txn,
		     const struct kl_dev_txn_ask *ask, const struct kl_dev_txn_name *names,
		     bool *was_there, size_t n)
{
	bool any = txn->facts.state != KL_DEV_TXN_ONGOING, ok = true;
	size_t added = 0;
	for (; added < n && ok; added++) {
		was_there[added] =
			kl_dev_txn_has_part(txn, names[added].topic, names[added].index);
		any |= !was_there[added];
		ok = kl_dev_txn_add_part(txn, names[added].topic, names[added].index);
	}
	if (ok && !any)
		return 0;
	struct kl_dev_txn_facts next = next_facts(broker, txn, KL_DEV_TXN_ONGOING);
	if (txn->facts.state != KL_DEV_TXN_ONGOING)
		next.started_ms = next.updated_ms;
	next.version = ask->version;
	int rc = ok ? kl_dev_txn_become(broker, txn, &next)
		    : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (rc != 0)
		drop_new(txn, names, was_there, added);
	return rc;
}

int kl_dev_txn_add_all(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask,
		       const struct kl_dev_txn_name *names, size_t n)
{
	struct kl_dev_txn *txn = kl_dev_txn_find(broker, ask->id);
	struct kl_arena arena = {0};
	bool *was_there = kl_arena_array(&arena, n, sizeof(*was_there));
	int rc = was_there != NULL ? add_parts(broker, txn, ask, names, was_there, n)
				   : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_arena_free(&arena);
	return rc;
}

/* --- EndTxn --- */

/* Kafka's prepareAbortOrCommit(). With version 2 the next transaction has the next epoch, and
 * after the last one another id. */
static int prepare(struct klamm_broker *broker, struct kl_dev_txn *txn, int16_t version,
		   bool commits)
{
	struct kl_dev_txn_facts next = next_facts(
		broker, txn, commits ? KL_DEV_TXN_PREPARE_COMMIT : KL_DEV_TXN_PREPARE_ABORT);
	next.version = version;
	next.next_id = -1;
	if (txn->facts.state != KL_DEV_TXN_ONGOING) /* one without partitions */
		next.started_ms = next.updated_ms;
	if (version >= 2) {
		int rc = is_exhausted(txn->facts.epoch)
				 ? kl_dev_producer_id(broker, &next.next_id)
				 : 0;
		if (rc != 0)
			return rc;
		next.last_epoch = txn->facts.epoch;
		if (txn->facts.epoch < INT16_MAX)
			next.epoch++;
	}
	return kl_dev_txn_become(broker, txn, &next);
}

/* As version 1 of transactions has it: no retry is told from another end. */
static int end_old(struct klamm_broker *broker, struct kl_dev_txn *txn,
		   const struct kl_dev_txn_ask *ask, bool commits)
{
	int rc = check_producer(txn, ask);
	if (rc != 0)
		return rc;
	if (is_prepared(txn))
		return KLAMM_ERR_CONCURRENT_TRANSACTIONS;
	switch (txn->facts.state) {
	case KL_DEV_TXN_ONGOING:
		return prepare(broker, txn, 0, commits);
	case KL_DEV_TXN_COMPLETE_COMMIT:
		return commits ? 0 : KLAMM_ERR_INVALID_TXN_STATE;
	case KL_DEV_TXN_COMPLETE_ABORT:
		return commits ? KLAMM_ERR_INVALID_TXN_STATE : 0;
	default:
		return KLAMM_ERR_INVALID_TXN_STATE;
	}
}

/* Is this the end that was asked for before? The producer then has the epoch of before, or the
 * last one of the id of before. */
static bool is_retry(const struct kl_dev_txn *txn, const struct kl_dev_txn_ask *ask,
		     bool *over_out)
{
	const struct kl_dev_txn_facts *facts = &txn->facts;
	*over_out = facts->previous_id == ask->producer_id && facts->epoch == 0 &&
		    ask->epoch == INT16_MAX - 1;
	return *over_out || facts->epoch == ask->epoch + 1;
}

/*	              abort            commit
 *	              again   now      again   now
 *	Empty         fenced  begins   fenced  invalid
 *	CompleteAbort done    begins   invalid invalid
 *	CompleteCommit invalid begins  done    invalid
 */
static int end_new(struct klamm_broker *broker, struct kl_dev_txn *txn,
		   const struct kl_dev_txn_ask *ask, bool commits)
{
	bool over, again = is_retry(txn, ask, &over);
	int32_t state = txn->facts.state;
	bool is_complete =
		state == KL_DEV_TXN_COMPLETE_COMMIT || state == KL_DEV_TXN_COMPLETE_ABORT;
	if (is_prepared(txn))
		return KLAMM_ERR_CONCURRENT_TRANSACTIONS;
	if (txn->facts.producer_id != ask->producer_id && !over)
		return KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING;
	if (ask->epoch != txn->facts.epoch && !(is_complete && again))
		return KLAMM_ERR_PRODUCER_FENCED;
	if (state == KL_DEV_TXN_ONGOING)
		return prepare(broker, txn, 2, commits);
	if (is_complete && again)
		return commits == (state == KL_DEV_TXN_COMPLETE_COMMIT)
			       ? 0
			       : KLAMM_ERR_INVALID_TXN_STATE;
	return commits ? KLAMM_ERR_INVALID_TXN_STATE : prepare(broker, txn, 2, false);
}

int kl_dev_txn_end(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask, bool commits,
		   int64_t *producer_id_out, int16_t *epoch_out)
{
	struct kl_dev_txn *txn;
	int rc = find(broker, ask, &txn);
	if (rc != 0)
		return rc;
	bool bumps = ask->version >= 2;
	rc = bumps ? end_new(broker, txn, ask, commits) : end_old(broker, txn, ask, commits);
	if (rc != 0 || !bumps)
		return rc;
	bool rotates = txn->facts.next_id >= 0;
	*producer_id_out = rotates ? txn->facts.next_id : txn->facts.producer_id;
	*epoch_out = rotates ? 0 : txn->facts.epoch;
	return 0;
}

int kl_dev_txn_fence(struct klamm_broker *broker, struct kl_dev_txn *txn)
{
	int16_t version = (int16_t)broker->limits.transaction_version;
	if (version >= 2)
		return prepare(broker, txn, version, false);
	struct kl_dev_txn_facts next = next_facts(broker, txn, KL_DEV_TXN_PREPARE_ABORT);
	next.version = 0;
	next.epoch = (int16_t)kl_min(txn->facts.epoch + 1, INT16_MAX);
	next.last_epoch = -1;
	return kl_dev_txn_become(broker, txn, &next);
}
