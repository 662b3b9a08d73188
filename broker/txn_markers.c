/* SPDX-License-Identifier: BSD-2-Clause */
/* From PREPARE to COMPLETE: markers go to all partitions of a transaction, and when they
 * are on the disk its end is. Where Kafka's coordinators send WriteTxnMarkers to leaders
 * this is a call, but a fault of that API meets it all the same. */
#include "broker/coordinators.h"
#include "broker/offsets.h"
#include "broker/txns.h"

/* What failed is tried again after this; Kafka's retry.backoff.ms. */
#define RETRY (100 * KL_MS)

int kl_dev_marker_write(struct klamm_broker *broker, struct kl_dev_partition *partition,
			const struct kl_dev_marker *marker)
{
	/* Reading transactions again here would take away the one that ends. */
	bool is_own = kl_str_is(kl_dev_topic_name(partition->topic), "__transaction_state");
	if (is_own ? partition->log.is_lost : kl_dev_home_ready(broker, partition) != 0)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	int rc = kl_dev_marker_check(&partition->producers, marker);
	if (rc != 0)
		return rc;
	struct kl_dev_batch batch;
	int64_t offset, now_ms = broker->loop->os->wall_ms(broker->loop->os);
	rc = kl_dev_batch_of_marker(&batch, marker, now_ms)
		     ? kl_dev_home_append(broker, partition, &batch, &offset)
		     : KLAMM_ERR_KAFKA_STORAGE_ERROR;
	kl_dev_batch_free(&batch);
	if (rc != 0)
		return rc;
	kl_dev_marker_note(&partition->producers, marker, offset, now_ms);
	kl_dev_offsets_end(broker, partition, marker);
	kl_dev_partition_changed(partition);
	return 0;
}

/* --- one partition --- */

/* Meets a fault as if a request had come. true: not now. */
static bool meet_fault(struct klamm_broker *broker, struct kl_dev_txn_part *part, int32_t node)
{
	int32_t index = part->index;
	struct kl_write_txn_markers_request_topic topic = {
		.name = kl_str(part->topic),
		.partition_indexes = &index,
		.partition_indexes_n = 1,
	};
	struct kl_write_txn_markers_request_marker marker = {.topics = &topic, .topics_n = 1};
	struct kl_write_txn_markers_request request = {.markers = &marker, .markers_n = 1};
	struct kl_dev_fault *fault = kl_dev_fault_meet(&(struct kl_dev_asked){
		broker, KL_API_WRITE_TXN_MARKERS, node, &request});
	if (fault == NULL)
		return false;
	const struct klamm_broker_fault *spec = kl_dev_fault_spec(fault);
	int64_t delay = spec->delay_ms * KL_MS;
	bool is_lost = spec->action == KLAMM_BROKER_ERROR ||
		       spec->action == KLAMM_BROKER_DROP ||
		       spec->action == KLAMM_BROKER_SILENCE;
	kl_dev_fault_unref(fault);
	part->due = broker->loop->now + (is_lost ? kl_max(delay, RETRY) : delay);
	part->is_late = !is_lost && delay > 0;
	return is_lost || part->is_late;
}

enum outcome {
	GONE,  /* there is nothing more to do for it */
	WAITS, /* for the disk */
	LATER, /* at part->due */
};

/* Nothing can be written there: it goes, or somebody else has written. */
static bool is_void(struct klamm_broker *broker, const struct kl_dev_txn *txn,
		    const struct kl_dev_txn_part *part, int rc)
{
	if (rc != KLAMM_ERR_INVALID_PRODUCER_EPOCH &&
	    rc != KLAMM_ERR_TRANSACTION_COORDINATOR_FENCED)
		return false;
	kl_log(&broker->loop->log, KL_LOG_WARN, "broker",
	       "transaction %s cannot end in topic %s partition %d: %s", txn->id, part->topic,
	       (int)part->index, klamm_err_name(rc));
	return true;
}

static enum outcome mark(struct klamm_broker *broker, struct kl_dev_txn *txn,
			 struct kl_dev_txn_part *part)
{
	struct kl_dev_partition *home = kl_dev_home(broker, KL_DEV_TXN, kl_dev_txn_id(txn));
	struct kl_dev_partition *partition = kl_dev_partition(
		kl_dev_topic_named(broker, kl_str(part->topic)), part->index);
	if (partition == NULL)
		return GONE;
	if (part->due > broker->loop->now)
		return LATER;
	bool was_late = part->is_late;
	part->is_late = false;
	part->due = broker->loop->now + RETRY;
	if (partition->leader < 0 || home == NULL ||
	    (!was_late && meet_fault(broker, part, partition->leader)))
		return LATER;
	struct kl_dev_marker marker = {
		.producer_id = txn->facts.producer_id,
		.epoch = txn->facts.epoch,
		.version = txn->facts.version,
		.coordinator_epoch = home->leader_epoch,
		.aborts = txn->facts.state == KL_DEV_TXN_PREPARE_ABORT,
	};
	int rc = kl_dev_marker_write(broker, partition, &marker);
	if (rc != 0)
		return is_void(broker, txn, part, rc) ? GONE : LATER;
	part->marked = true;
	part->pledge = kl_dev_pledge_on(partition);
	return WAITS;
}

static enum outcome push(struct klamm_broker *broker, struct kl_dev_txn *txn,
			 struct kl_dev_txn_part *part)
{
	if (!part->marked) {
		enum outcome outcome = mark(broker, txn, part);
		if (outcome != WAITS)
			return outcome;
	}
	if (!kl_dev_pledge_settle(broker, &part->pledge))
		return WAITS;
	part->marked = false;
	part->due = broker->loop->now + RETRY;
	return part->pledge.error == KLAMM_ERR_KAFKA_STORAGE_ERROR ? LATER : GONE;
}

/* --- one transaction --- */

static int complete(struct klamm_broker *broker, struct kl_dev_txn *txn)
{
	struct kl_dev_txn_facts next = txn->facts;
	next.previous_id = txn->facts.producer_id;
	next.state = next.state == KL_DEV_TXN_PREPARE_COMMIT ? KL_DEV_TXN_COMPLETE_COMMIT
							     : KL_DEV_TXN_COMPLETE_ABORT;
	next.updated_ms = broker->loop->os->wall_ms(broker->loop->os);
	if (next.version >= 2 && next.next_id >= 0) {
		next.producer_id = next.next_id;
		next.epoch = 0;
	}
	next.next_id = -1;
	return kl_dev_txn_become(broker, txn, &next);
}

/* When it is to be looked at again: 0 = when something was synced. */
static int64_t step(struct klamm_broker *broker, struct kl_dev_txn *txn)
{
	int64_t next = 0;
	if (!kl_dev_pledge_settle(broker, &txn->prepared))
		return 0;
	if (txn->prepared.error != 0 || txn->due > broker->loop->now)
		return kl_max(txn->due, broker->loop->now + 1);
	for (size_t i = 0; i < txn->part_count;) {
		struct kl_dev_txn_part *part = &txn->parts[i];
		enum outcome outcome = push(broker, txn, part);
		if (outcome == LATER)
			next = next == 0 ? part->due : kl_min(next, part->due);
		if (outcome == GONE)
			kl_dev_txn_drop_part(txn, i);
		else
			i++;
	}
	if (txn->part_count > 0 || complete(broker, txn) == 0)
		return next;
	txn->due = broker->loop->now + RETRY;
	return txn->due;
}

/* Whoever reads a log again frees the transactions that it tells of, so that comes first. */
static bool mend_all(struct klamm_broker *broker)
{
	struct kl_dev_topic *topic = kl_dev_topic_named(broker, KL_STR("__transaction_state"));
	bool ok = true;
	for (int32_t i = 0; topic != NULL && i < topic->partition_count; i++)
		ok &= kl_dev_partition_mend(topic->partitions[i]) == 0;
	return ok;
}

static void look(struct klamm_broker *broker)
{
	int64_t next = 0;
	if (!mend_all(broker)) {
		kl_timer_set(broker->loop, &broker->txns.retry, broker->loop->now + RETRY);
		return;
	}
	kl_list_for_safe(txn, &broker->txns.ending, struct kl_dev_txn, ending)
	{
		int64_t when = step(broker, txn);
		if (when > 0)
			next = next == 0 ? when : kl_min(next, when);
	}
	if (next > 0)
		kl_timer_set(broker->loop, &broker->txns.retry, next);
}

void kl_dev_txns_step(struct kl_hook *hook)
{
	look(kl_container(hook, struct klamm_broker, txns.step));
}

void kl_dev_txns_retry(struct kl_timer *timer)
{
	look(kl_container(timer, struct klamm_broker, txns.retry));
}

void kl_dev_txns_progress(struct klamm_broker *broker)
{
	if (!kl_list_empty(&broker->txns.ending))
		kl_hook_add(broker->loop, &broker->txns.step);
}
