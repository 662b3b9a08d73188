/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to Fetch. The offset to go on from is found by hopping over the heads of the
 * batches; checking and decoding them is left to the thread that polls. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/fetch.h"

static void on_out_of_range(struct klamm_consumer *c, struct kl_fetch_entry *entry)
{
	struct kl_cpart *part = entry->part;
	kl_log(&c->log, KL_LOG_WARN, "consumer",
	       "topic %s partition %d: offset %lld is out of range", part->topic->name,
	       part->partition, (long long)entry->offset);
	kl_fetcher_reset(c, part);
	if (part->state == KL_CPART_STOPPED)
		kl_fetch_tell(c, part, KLAMM_ERR_NO_OFFSET,
		     "its offset is gone, and auto.offset.reset is none");
}

/* KIP-951: the answer may say who leads now. */
static bool take_hint(struct klamm_consumer *c, struct kl_cpart *part,
		      const struct kl_fetch_response *body,
		      const struct kl_fetch_response_partition *told)
{
	struct kl_leader_hint hint = kl_leader_hint_of(body, told);
	return kl_cluster_leader_hint(&c->cluster, part->topic->info, part->partition, &hint);
}

static void on_error(struct klamm_consumer *c, struct kl_fetch_entry *entry,
		     const struct kl_fetch_response *body,
		     const struct kl_fetch_response_partition *told)
{
	struct kl_cpart *part = entry->part;
	int code = told->error_code;
	struct kl_topic_info *info = part->topic->info;
	/* A follower may be behind: only the leader's word counts. */
	bool followed = code != KLAMM_ERR_UNKNOWN_LEADER_EPOCH && kl_fetch_unfollow(c, part);
	if (code == KLAMM_ERR_OFFSET_OUT_OF_RANGE && !followed) {
		on_out_of_range(c, entry);
		return;
	}
	kl_fetch_later(c, part);
	if (code == KLAMM_ERR_OFFSET_OUT_OF_RANGE)
		return;
	if (info != NULL && klamm_err_invalid_metadata(code))
		kl_cluster_refresh(&c->cluster, info);
	if (info != NULL && take_hint(c, part, body, told))
		part->retry_at = c->loop->now;
	if (!klamm_err_retriable(code))
		kl_fetch_tell(c, part, code, klamm_err_name(code));
}

static int by_first_offset(const void *a, const void *b)
{
	const struct kl_aborted *x = a, *y = b;
	return x->first_offset < y->first_offset ? -1 : x->first_offset > y->first_offset;
}

/* Needed only where aborted data is left out. */
static bool copy_aborted(struct klamm_consumer *c, struct kl_chunk *chunk,
			 const struct kl_fetch_response_partition *told)
{
	if (c->settings->isolation_level != KL_READ_COMMITTED || KL_BUG(ABORTED_SHOWN) ||
	    told->aborted_transactions_n <= 0)
		return true;
	size_t n = (size_t)told->aborted_transactions_n;
	chunk->aborted = calloc(n, sizeof(*chunk->aborted));
	if (chunk->aborted == NULL)
		return false;
	chunk->aborted_count = n;
	for (size_t i = 0; i < n; i++)
		chunk->aborted[i] = (struct kl_aborted){
			told->aborted_transactions[i].producer_id,
			told->aborted_transactions[i].first_offset, false};
	qsort(chunk->aborted, n, sizeof(*chunk->aborted), by_first_offset);
	return true;
}

/* Brokers before 0.10.1 cut even the first batch (KIP-74). */
static void too_short(struct klamm_consumer *c, struct kl_fetch_entry *entry)
{
	kl_fetch_later(c, entry->part);
	if (entry->part->told_error == KLAMM_ERR_RECORD_TOO_LARGE)
		return;
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_RECORD_TOO_LARGE,
		 "topic %s partition %d: the batch at offset %lld is larger than "
		 "max.partition.fetch.bytes (%d)",
		 entry->part->topic->name, entry->part->partition, (long long)entry->offset,
		 c->settings->max_partition_fetch_bytes);
	entry->part->told_error = KLAMM_ERR_RECORD_TOO_LARGE;
	kl_results_error(c, entry->part, &err);
}

/* What is fetched next begins behind what came. */
static void go_on(struct kl_cpart *part, const struct kl_batch_span *span)
{
	if (span->last_epoch != part->fetch_epoch || span->epoch_from > span->base_offset)
		part->epoch_from = kl_max(span->epoch_from, part->fetch_offset);
	part->fetch_epoch = span->last_epoch;
	part->fetch_offset = span->next_offset;
	part->failures = 0;
}

static void on_data(struct kl_fetch_entry *entry, struct kl_slab *slab,
		    const struct kl_fetch_response_partition *told)
{
	struct kl_fetch_session *session = entry->session;
	struct klamm_consumer *c = session->c;
	struct kl_cpart *part = entry->part;
	struct kl_batch_span span;
	size_t len = (size_t)told->records.len;
	int rc = kl_batch_hop(told->records.p, len, &span);
	if (rc != 0 && span.batches == 0) {
		kl_fetch_later(c, part);
		struct klamm_error err;
		kl_error(&err, rc,
			 "topic %s partition %d: what the broker has at offset %lld is not "
			 "a batch",
			 part->topic->name, part->partition, (long long)entry->offset);
		if (part->told_error != rc)
			kl_results_error(c, part, &err);
		part->told_error = rc;
		return;
	}
	if (span.batches == 0) {
		too_short(c, entry);
		return;
	}
	struct kl_chunk *chunk = kl_chunk_get(c);
	if (chunk == NULL || !copy_aborted(c, chunk, told)) {
		if (chunk != NULL)
			kl_chunk_put(c, chunk);
		kl_fetch_later(c, part);
		return;
	}
	chunk->part = kl_cpart_ref(part);
	chunk->generation = entry->generation;
	chunk->slab = kl_slab_ref(slab);
	chunk->p = told->records.p;
	chunk->n = chunk->bytes = span.bytes;
	chunk->high_watermark = told->high_watermark;
	atomic_fetch_add(&part->queued_bytes, chunk->bytes);
	session->got_bytes += span.bytes;
	session->got_records += span.records;
	part->full_since = c->loop->now; /* if it is, by now */
	part->told_error = 0;
	if (span.next_offset > part->fetch_offset)
		go_on(part, &span);
	else /* a broker that does not get on */
		kl_fetch_later(c, part);
	/* Served now: without a session others come first next time. */
	if (part->entry == entry) {
		kl_list_remove(&entry->link);
		kl_list_push(&session->members, &entry->link);
	}
	kl_results_push(c, chunk);
}

/* Was it asked for what is wanted now? It may have been sought since, or be read from another
 * broker. */
static bool is_wanted(const struct kl_fetch_entry *entry)
{
	const struct kl_cpart *part = entry->part;
	if (!part->assigned || part->state != KL_CPART_READY)
		return false;
	return (part->generation == entry->generation &&
		part->fetch_offset == entry->offset) ||
	       KL_BUG(OLD_ANSWER);
}

/* KIP-595: what was read is not what the broker has. */
static void on_divergence(struct klamm_consumer *c, struct kl_cpart *part,
			  const struct kl_fetch_response_partition *told)
{
	if (kl_fetch_unfollow(c, part))
		kl_fetch_later(c, part); /* the leader's word counts */
	else
		kl_position_judge(c, part, told->diverging_epoch.epoch,
				  told->diverging_epoch.end_offset);
}

static void on_partition(struct kl_fetch_entry *entry, const struct kl_response *response,
			 const struct kl_fetch_response_partition *told)
{
	struct klamm_consumer *c = entry->session->c;
	struct kl_cpart *part = entry->part;
	if (!is_wanted(entry))
		return;
	kl_fetcher_touch(c, part);
	if (told->error_code != 0) {
		on_error(c, entry, response->body, told);
		return;
	}
	if (told->diverging_epoch.epoch >= 0 || told->diverging_epoch.end_offset >= 0) {
		on_divergence(c, part, told);
		return;
	}
	atomic_store(&part->high_watermark, told->high_watermark);
	atomic_store(&part->start, told->log_start_offset);
	bool committed = c->settings->isolation_level == KL_READ_COMMITTED;
	atomic_store(&part->end, committed && told->last_stable_offset >= 0
					 ? told->last_stable_offset
					 : told->high_watermark);
	if (told->records.len > 0)
		on_data(entry, response->slab, told);
	else
		part->failures = part->told_error = 0;
	if (told->preferred_read_replica >= 0)
		kl_fetch_follow(c, part, told->preferred_read_replica);
}

/* What the answer says of each topic. How many partitions of the session it named; -1: one
 * that is none of it. */
static int64_t on_topics(struct kl_fetch_session *session, const struct kl_response *response)
{
	const struct kl_fetch_response *body = response->body;
	int64_t named = 0;
	bool strange = false;
	for (int32_t t = 0; t < body->responses_n; t++) {
		const struct kl_fetch_response_topic *topic = &body->responses[t];
		size_t bytes = session->got_bytes, records = session->got_records;
		struct kl_ctopic *known = NULL;
		for (int32_t i = 0; i < topic->partitions_n; i++) {
			struct kl_fetch_entry *entry =
				kl_fetch_find(session, topic,
					      topic->partitions[i].partition_index,
					      response->version);
			strange |= entry == NULL;
			if (entry == NULL)
				continue;
			known = entry->part->topic;
			named++;
			on_partition(entry, response, &topic->partitions[i]);
		}
		if (known != NULL)
			kl_consumer_count_topic(session->c, known, session->got_bytes - bytes,
						session->got_records - records);
	}
	return strange ? -1 : named;
}

static void on_answer(struct kl_fetch_session *session, const struct kl_response *response)
{
	struct klamm_consumer *c = session->c;
	const struct kl_fetch_response *body = response->body;
	int64_t named = on_topics(session, response);
	session->failures = 0;
	session->retry_at = 0;
	kl_consumer_count_fetch(c, response->latency_us, body->throttle_time_ms,
				session->got_bytes, session->got_records);
	if (named != 0)
		kl_gate_wake(c->os, &c->gate);
	/* As Kafka's client: what a session says has to fit what was said of it. A broker that
	 * throttles may say nothing at all (KIP-219). */
	if (named < 0 || (session->was_full && (size_t)named != session->asked)) {
		if (named != 0 || body->throttle_time_ms == 0)
			kl_log(&c->log, KL_LOG_INFO, "consumer",
			       "broker %d: its answer to Fetch does not fit the session",
			       session->node);
		session->id = session->was_full ? 0 : session->id;
		kl_fetch_session_restart(session);
		return;
	}
	if (session->limit > 0)
		kl_fetch_fitted(session);
	kl_fetch_session_next(session, body->session_id);
}

/* The request failed as a whole: all of its partitions wait, and what the broker knows of them
 * may be anything. */
static void on_failure(struct kl_fetch_session *session, int code,
		       const struct kl_response *response)
{
	const struct klamm_error *err = response->err;
	struct klamm_consumer *c = session->c;
	bool is_size = kl_fetch_too_large(session, response);
	kl_fetch_session_restart(session);
	kl_fetch_lost(c, session->node);
	session->retry_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						      c->settings->retry_backoff_max_ms,
						      session->failures++);
	kl_cluster_refresh(&c->cluster, NULL);
	if (is_size)
		return;
	if (klamm_err_retriable(code) || (err != NULL && kl_auth_is_refusal(err)))
		return; /* on_node() tells of refusals */
	kl_list_for(entry, &session->members, struct kl_fetch_entry, link)
		kl_fetch_tell(c, entry->part, code,
			      err != NULL ? err->text : klamm_err_name(code));
}

/* The broker knows another session, or none: everything is said anew, at once. */
static bool is_about_session(struct kl_fetch_session *session, int code)
{
	switch (code) {
	case KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND:
		session->id = 0;
		return true;
	case KLAMM_ERR_FETCH_SESSION_TOPIC_ID_ERROR:
		kl_cluster_refresh(&session->c->cluster, NULL);
		return true;
	case KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH:
		return true;
	default:
		return false;
	}
}

static void on_session_error(struct kl_fetch_session *session, int code)
{
	struct klamm_consumer *c = session->c;
	kl_log(&c->log, KL_LOG_DEBUG, "consumer", "broker %d: fetch session %d: %s",
	       session->node, session->id, klamm_err_name(code));
	kl_fetch_session_restart(session);
	/* At once, but a broker that never likes it is not asked as fast as it says no. */
	if (session->failures++ > 0)
		session->retry_at =
			c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						  c->settings->retry_backoff_max_ms,
						  session->failures);
}

void kl_fetch_done(struct kl_request *r, const struct kl_response *response)
{
	struct kl_fetch_session *session = kl_container(r, struct kl_fetch_session, request);
	struct klamm_consumer *c = session->c;
	const struct kl_fetch_response *body = response->body;
	int code = response->code != 0 ? response->code : body->error_code;
	session->in_flight = false;
	if (c->stopping)
		return;
	if (session->ending) {
		session->ending = false;
		session->id = 0;
		kl_fetch_session_restart(session);
	} else if (response->code == 0 && is_about_session(session, code)) {
		on_session_error(session, code);
	} else if (code != 0) {
		on_failure(session, code, response);
	} else {
		on_answer(session, response);
	}
	kl_hook_add(c->loop, &c->round_hook);
}
