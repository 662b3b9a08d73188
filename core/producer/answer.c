/* SPDX-License-Identifier: BSD-2-Clause */
/* What an answer to Produce means for its batches: delivered, once more, or at their end.
 *
 * Runs in the loop. A batch that goes back stands before anything younger of its partition.
 */
#include <stdio.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/producer/sender.h"
#include "core/producer/split.h"

static int64_t now(const struct klamm_producer *p)
{
	return p->loop->now;
}

/* --- the end of a batch --- */

void kl_pbatch_fail(struct klamm_producer *p, struct kl_pbatch *batch, int error,
		    const char *text)
{
	int outcome = error == 0           ? KLAMM_OUTCOME_DELIVERED
		      : batch->maybe_written ? KLAMM_OUTCOME_POSSIBLY_WRITTEN
					     : KLAMM_OUTCOME_NOT_WRITTEN;
	kl_partition_moves(batch->partition);
	bool stamped = batch->sequence >= 0;
	if (stamped)
		kl_sequences_ended(batch, false);
	if (kl_producer_is_transactional(p))
		kl_txn_batch_failed(p, batch, stamped, error, text);
	kl_pbatch_end(p, batch, error, outcome, -1, -1, text);
}

void kl_pbatch_expire(struct klamm_producer *p, struct kl_pbatch *batch)
{
	const struct kl_partition *part = batch->partition;
	char text[KLAMM_ERROR_TEXT];
	const char *why = batch->last_code != 0 ? klamm_err_name(batch->last_code)
			  : part->topic->info != NULL && part->topic->info->error != 0
				  ? klamm_err_name(part->topic->info->error)
			  : p->cluster.last_error.code != 0 ? p->cluster.last_error.text
							    : "no error was seen";
	snprintf(text, sizeof(text),
		 "topic %s partition %d: not acknowledged within delivery.timeout.ms after %u "
		 "attempts; last: %.200s",
		 part->topic->name, part->index, batch->attempts, why);
	kl_pbatch_fail(p, batch, KLAMM_ERR_EXPIRED, text);
}

/* --- answers --- */

static void release(struct klamm_producer *p, struct kl_partition *part)
{
	part->in_flight -= !KL_BUG(TWO_IN_FLIGHT);
	if (!p->stopping) /* else kl_sender_abandon() ends what is left */
		kl_sender_go_on(p, part);
}

/* May the broker have kept the batch? A leader that leaves office while replicas fetch what it
 * has appended answers as one that never was, but says at which offset: the next leader may
 * have it (Kafka's DelayedProduce). */
static bool leaves_doubt(const struct kl_produce_response_partition *told)
{
	switch (told->error_code) {
	case KLAMM_ERR_REQUEST_TIMED_OUT:
	case KLAMM_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
	case KLAMM_ERR_UNKNOWN_SERVER_ERROR:
	case KLAMM_ERR_NETWORK_EXCEPTION:
	case KLAMM_ERR_KAFKA_STORAGE_ERROR:
		return true;
	case KLAMM_ERR_NOT_LEADER_OR_FOLLOWER:
	case KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION:
		return told->base_offset >= 0;
	default:
		return false;
	}
}

static bool may_retry(const struct klamm_producer *p, const struct kl_pbatch *batch)
{
	return !p->stopping && batch->attempts <= (unsigned)p->settings->retries;
}

/* Back into its partition's queue, before anything younger. */
static void retry_later(struct klamm_producer *p, struct kl_partition *part,
			struct kl_pbatch *batch)
{
	if (KL_BUG(RESTAMPED_RETRY) && batch->sequence >= 0)
		kl_sequences_ended(batch, true);
	if (KL_BUG(REORDERED_RETRY))
		kl_list_push(&part->queue, &batch->link);
	else if (!KL_BUG(LOST_RETRY))
		kl_pbatch_insert(&part->queue, batch);
	part->retry_at = now(p) + kl_backoff(p->os, p->settings->retry_backoff_ms,
					     p->settings->retry_backoff_max_ms,
					     batch->attempts - 1);
}

static void retry_or_fail(struct klamm_producer *p, struct kl_pbatch *batch, bool retriable,
			  int code, const char *text)
{
	struct kl_partition *part = batch->partition;
	if (klamm_err_invalid_metadata(code) && part->topic->info != NULL &&
	    !KL_BUG(STALE_LEADER))
		kl_cluster_refresh(&p->cluster, part->topic->info);
	batch->last_code = code;
	kl_list_remove(&batch->link); /* it is not in flight any more */
	bool again = retriable && may_retry(p, batch);
	if (again && kl_pbatch_expires(p, batch) <= now(p)) {
		kl_pbatch_expire(p, batch);
	} else if (again) {
		kl_log(&p->log, KL_LOG_DEBUG, "producer",
		       "topic %s partition %d: %s; trying again", part->topic->name,
		       part->index, text);
		kl_producer_count_retry(p, batch);
		retry_later(p, part, batch);
		atomic_fetch_add(&p->sealed_bytes, batch->plain_size);
	} else {
		kl_pbatch_fail(p, batch, code, text);
	}
	release(p, part);
}

static void deliver(struct klamm_producer *p, struct kl_pbatch *batch, int64_t base_offset,
		    int64_t append_time)
{
	struct kl_partition *part = batch->partition;
	if (base_offset > INT64_MAX - (int64_t)batch->count)
		base_offset = -1; /* no log is that long */
	if (batch->sequence >= 0) {
		kl_sequences_acked(batch, base_offset);
		kl_sequences_ended(batch, true);
	}
	kl_pbatch_end(p, batch, 0, KLAMM_OUTCOME_DELIVERED, base_offset, append_time, "");
	kl_partition_moves(part);
	release(p, part);
}

/* KIP-951: who leads now may be in the answer itself. */
static void take_hint(struct klamm_producer *p, struct kl_partition *part,
		      const struct kl_produce_response *body,
		      const struct kl_produce_response_partition *told)
{
	struct kl_leader_hint hint = kl_leader_hint_of(body, told);
	if (part->topic->info != NULL &&
	    kl_cluster_leader_hint(&p->cluster, part->topic->info, part->index, &hint))
		part->retry_at = now(p);
}

/* KIP-467: the broker may say which records it is about. */
static void note_faults(struct kl_pbatch *batch,
			const struct kl_produce_response_partition *told)
{
	const struct kl_partition *part = batch->partition;
	for (int32_t i = 0; batch->outcome != NULL && i < told->record_errors_n; i++) {
		const struct kl_produce_response_record_error *error =
			&told->record_errors[i];
		struct kl_str words = error->batch_index_error_message.len > 0
					      ? error->batch_index_error_message
					      : told->error_message;
		const struct kl_outcome *o = batch->outcome;
		uint32_t record = (uint32_t)error->batch_index;
		if (record >= batch->count ||
		    (o->fault_count > 0 && record <= o->faults[o->fault_count - 1].record))
			continue; /* no such record, or out of order */
		char text[KLAMM_ERROR_TEXT];
		int n = snprintf(text, sizeof(text), "topic %s partition %d: %s: %.*s",
				 part->topic->name, part->index,
				 klamm_err_name(told->error_code),
				 (int)kl_min(kl_max(words.len, 0), 250),
				 words.len > 0 ? words.p : "");
		kl_outcome_fault(batch->outcome, record, text, (size_t)n);
	}
}

/* More than max.message.bytes, or than segment.bytes. */
static bool is_too_large(int code)
{
	return code == KLAMM_ERR_MESSAGE_TOO_LARGE ||
	       code == KLAMM_ERR_RECORD_LIST_TOO_LARGE;
}

/* One that may be written already must stay what it is: its parts would be no repetition. */
static bool split(struct klamm_producer *p, struct kl_pbatch *batch)
{
	struct kl_partition *part = batch->partition;
	if (batch->maybe_written)
		return false;
	kl_list_remove(&batch->link); /* it is not in flight any more */
	if (!kl_split_begin(p, batch))
		return false;
	batch->attempts--; /* the size of a batch is no failure of its records */
	part->retry_at = now(p);
	release(p, part);
	return true;
}

static void on_partition(struct klamm_producer *p, struct kl_pbatch *batch,
			 const struct kl_produce_response *body,
			 const struct kl_produce_response_partition *told)
{
	struct kl_partition *part = batch->partition;
	int code = told->error_code;
	enum kl_sequence_verdict verdict =
		batch->sequence < 0 ? KL_SEQUENCE_AS_SAID
				    : kl_sequences_judge(p, batch, code,
							 told->log_start_offset);
	if (code == 0 || verdict == KL_SEQUENCE_DUPLICATE) {
		deliver(p, batch, code == 0 ? told->base_offset : -1,
			code == 0 ? told->log_append_time_ms : -1);
		return;
	}
	if (leaves_doubt(told))
		batch->maybe_written = true;
	if (is_too_large(code) && split(p, batch))
		return;
	char text[KLAMM_ERROR_TEXT];
	snprintf(text, sizeof(text), "topic %s partition %d: %s: %.*s%s%s", part->topic->name,
		 part->index, klamm_err_name(code),
		 told->error_message.len > 0 ? (int)kl_min(told->error_message.len, 160) : 0,
		 told->error_message.len > 0 ? told->error_message.p : "",
		 told->error_message.len > 0 ? "; " : "", klamm_err_text(code));
	bool retriable = verdict == KL_SEQUENCE_RETRY ||
			 (verdict == KL_SEQUENCE_AS_SAID && klamm_err_retriable(code));
	if (!retriable)
		note_faults(batch, told);
	retry_or_fail(p, batch, retriable, code, text);
	take_hint(p, part, body, told);
}

static bool is_of(const struct kl_pbatch *batch, const struct kl_produce_response_topic *topic,
		  int version)
{
	if (version >= 13) /* the id that was asked with: metadata may know another by now */
		return kl_uuid_equal(&batch->topic_id, &topic->topic_id);
	return kl_str_is(topic->name, batch->partition->topic->name);
}

/* Answers come in the order of the request, so the search begins where the last one ended. */
static struct kl_pbatch **find_batch(struct kl_produce *request, size_t *at,
				     const struct kl_produce_response_topic *topic,
				     int32_t index, int version)
{
	for (size_t n = 0; n < request->count; n++) {
		size_t i = (*at + n) % request->count;
		struct kl_pbatch *batch = request->batches[i];
		if (batch != NULL && batch->partition->index == index &&
		    is_of(batch, topic, version)) {
			*at = i + 1;
			return &request->batches[i];
		}
	}
	return NULL;
}

static void on_topics(struct kl_produce *request, const struct kl_produce_response *body,
		      int version)
{
	size_t at = 0;
	for (int32_t t = 0; t < body->responses_n; t++) {
		const struct kl_produce_response_topic *topic = &body->responses[t];
		for (int32_t i = 0; i < topic->partition_responses_n; i++) {
			const struct kl_produce_response_partition *told =
				&topic->partition_responses[i];
			struct kl_pbatch **batch =
				find_batch(request, &at, topic, told->index, version);
			if (batch == NULL)
				continue;
			struct kl_pbatch *taken = *batch;
			*batch = NULL;
			on_partition(request->producer, taken, body, told);
		}
	}
}

/* The batches that are left in a request share one end. */
static void fail_rest(struct kl_produce *request, int code, const char *text, bool maybe)
{
	for (size_t i = 0; i < request->count; i++) {
		struct kl_pbatch *batch = request->batches[i];
		if (batch == NULL)
			continue;
		request->batches[i] = NULL;
		batch->maybe_written |= maybe && !KL_BUG(CERTAIN_OF_LOSS);
		char where[KLAMM_ERROR_TEXT];
		snprintf(where, sizeof(where), "topic %s partition %d: %.300s",
			 batch->partition->topic->name, batch->partition->index, text);
		retry_or_fail(request->producer, batch, klamm_err_retriable(code), code,
			      where);
	}
}

static void deliver_rest(struct kl_produce *request)
{
	for (size_t i = 0; i < request->count; i++) {
		struct kl_pbatch *batch = request->batches[i];
		request->batches[i] = NULL;
		if (batch != NULL)
			deliver(request->producer, batch, -1, -1);
	}
}

void kl_produce_answered(struct kl_request *r, const struct kl_response *response)
{
	struct kl_produce *request = kl_container(r, struct kl_produce, request);
	request->node->busy--;
	if (KL_BUG(ACK_OF_LOST) && response->maybe_applied) {
		deliver_rest(request);
	} else if (response->code != 0) {
		fail_rest(request, response->code, response->err->text,
			  response->maybe_applied);
	} else if (response->body == NULL) {
		deliver_rest(request); /* acks=0: gone is all we know */
	} else {
		const struct kl_produce_response *body = response->body;
		kl_producer_count_answer(request->producer, response->latency_us,
					 body->throttle_time_ms);
		on_topics(request, body, response->version);
		fail_rest(request, KLAMM_ERR_UNKNOWN_SERVER_ERROR,
			  "the answer to Produce does not name it", true);
	}
	struct klamm_producer *p = request->producer;
	kl_produce_put(request);
	kl_sender_unpark(p); /* some may have waited for a request to come back */
}
