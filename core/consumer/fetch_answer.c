/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to Fetch. The offset to go on from is found by hopping over the heads of the
 * batches; checking and decoding them is left to the thread that polls. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/consumer/fetch.h"

static void on_out_of_range(struct klamm_consumer *c, struct kl_fetch_part *fp)
{
	struct kl_cpart *part = fp->part;
	if (part->fetch_offset != fp->offset)
		return; /* it was sought meanwhile */
	kl_log(&c->log, KL_LOG_WARN, "consumer",
	       "topic %s partition %d: offset %lld is out of range", part->topic->name,
	       part->partition, (long long)fp->offset);
	kl_fetcher_reset(c, part);
	if (part->state == KL_CPART_STOPPED)
		kl_fetch_tell(c, part, KLAMM_ERR_NO_OFFSET,
		     "its offset is gone, and auto.offset.reset is none");
}

static void on_error(struct klamm_consumer *c, struct kl_fetch_part *fp,
		     const struct kl_fetch_response_partition *told)
{
	struct kl_cpart *part = fp->part;
	int code = told->error_code;
	struct kl_topic_info *info = part->topic->info;
	if (code == KLAMM_ERR_OFFSET_OUT_OF_RANGE) {
		on_out_of_range(c, fp);
		return;
	}
	kl_fetch_later(c, part);
	if (info != NULL && klamm_err_invalid_metadata(code))
		kl_cluster_refresh(&c->cluster, info);
	/* KIP-951: the answer may say who leads now. */
	if (info != NULL && kl_cluster_leader_hint(&c->cluster, info, part->partition,
						   told->current_leader.leader_id,
						   told->current_leader.leader_epoch))
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
static void too_short(struct klamm_consumer *c, struct kl_fetch_part *fp)
{
	kl_fetch_later(c, fp->part);
	if (fp->part->told_error == KLAMM_ERR_RECORD_TOO_LARGE)
		return;
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_RECORD_TOO_LARGE,
		 "topic %s partition %d: the batch at offset %lld is larger than "
		 "max.partition.fetch.bytes (%d)",
		 fp->part->topic->name, fp->part->partition, (long long)fp->offset,
		 c->settings->max_partition_fetch_bytes);
	fp->part->told_error = KLAMM_ERR_RECORD_TOO_LARGE;
	kl_results_error(c, fp->part, &err);
}

static void on_data(struct kl_fetch *fetch, struct kl_fetch_part *fp, struct kl_slab *slab,
		    const struct kl_fetch_response_partition *told)
{
	struct klamm_consumer *c = fetch->c;
	struct kl_cpart *part = fp->part;
	struct kl_batch_span span;
	size_t len = (size_t)told->records.len;
	int rc = kl_batch_hop(told->records.p, len, &span);
	if (rc != 0 && span.batches == 0) {
		kl_fetch_later(c, part);
		struct klamm_error err;
		kl_error(&err, rc,
			 "topic %s partition %d: what the broker has at offset %lld is not "
			 "a batch",
			 part->topic->name, part->partition, (long long)fp->offset);
		if (part->told_error != rc)
			kl_results_error(c, part, &err);
		part->told_error = rc;
		return;
	}
	if (span.batches == 0) {
		too_short(c, fp);
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
	chunk->generation = fp->generation;
	chunk->slab = kl_slab_ref(slab);
	chunk->p = told->records.p;
	chunk->n = chunk->bytes = span.bytes;
	chunk->high_watermark = told->high_watermark;
	atomic_fetch_add(&part->queued_bytes, chunk->bytes);
	fetch->got_bytes += span.bytes;
	fetch->got_records += span.records;
	part->full_since = c->loop->now; /* if it is, by now */
	part->told_error = 0;
	if (span.next_offset > part->fetch_offset)
		part->failures = 0;
	else /* a broker that does not get on */
		kl_fetch_later(c, part);
	part->fetch_offset = kl_max(part->fetch_offset, span.next_offset);
	/* Served now: others come first next time. */
	kl_list_remove(&part->link);
	kl_list_push(&c->parts, &part->link);
	kl_results_push(c, chunk);
}

static void on_partition(struct kl_fetch *fetch, struct kl_fetch_part *fp,
			 struct kl_slab *slab, const struct kl_fetch_response_partition *told)
{
	struct klamm_consumer *c = fetch->c;
	struct kl_cpart *part = fp->part;
	if (!part->assigned || c->stopping)
		return;
	if (part->generation != fp->generation && !KL_BUG(OLD_ANSWER))
		return;
	if (told->error_code != 0) {
		on_error(c, fp, told);
		return;
	}
	atomic_store(&part->high_watermark, told->high_watermark);
	atomic_store(&part->start, told->log_start_offset);
	bool committed = c->settings->isolation_level == KL_READ_COMMITTED;
	atomic_store(&part->end, committed && told->last_stable_offset >= 0
					 ? told->last_stable_offset
					 : told->high_watermark);
	if (told->records.len > 0)
		on_data(fetch, fp, slab, told);
	else
		part->failures = part->told_error = 0;
	kl_gate_wake(c->os, &c->gate);
}

static struct kl_fetch_part *find(struct kl_fetch *fetch, size_t *at,
			       const struct kl_fetch_response_topic *topic, int32_t index,
			       int version)
{
	for (size_t n = 0; n < fetch->count; n++) {
		size_t i = (*at + n) % fetch->count;
		struct kl_fetch_part *fp = &fetch->parts[i];
		if (fp->part->partition != index)
			continue;
		if (version >= 13 ? kl_uuid_equal(&fp->topic_id, &topic->topic_id)
				  : kl_str_is(topic->topic, fp->part->topic->name)) {
			*at = i + 1;
			return fp;
		}
	}
	return NULL;
}

static void on_topics(struct kl_fetch *fetch, const struct kl_response *response)
{
	const struct kl_fetch_response *body = response->body;
	size_t at = 0;
	for (int32_t t = 0; t < body->responses_n; t++) {
		const struct kl_fetch_response_topic *topic = &body->responses[t];
		size_t bytes = fetch->got_bytes, records = fetch->got_records;
		struct kl_ctopic *asked = NULL;
		for (int32_t i = 0; i < topic->partitions_n; i++) {
			struct kl_fetch_part *fp = find(fetch, &at, topic,
						     topic->partitions[i].partition_index,
						     response->version);
			if (fp != NULL)
				on_partition(fetch, fp, response->slab,
					     &topic->partitions[i]);
			if (fp != NULL)
				asked = fp->part->topic;
		}
		if (asked != NULL)
			kl_consumer_count_topic(fetch->c, asked, fetch->got_bytes - bytes,
						fetch->got_records - records);
	}
}

/* The request failed as a whole: all of its partitions wait. */
static void on_failure(struct kl_fetch *fetch, int code, const struct klamm_error *err)
{
	struct klamm_consumer *c = fetch->c;
	if (c->stopping)
		return;
	for (size_t i = 0; i < fetch->count; i++) {
		struct kl_cpart *part = fetch->parts[i].part;
		kl_fetch_later(c, part);
		if (part->assigned && !klamm_err_retriable(code) &&
		    (err == NULL || !kl_auth_is_refusal(err))) /* on_node() tells those */
			kl_fetch_tell(c, part, code,
				      err != NULL ? err->text : klamm_err_name(code));
	}
	kl_cluster_refresh(&c->cluster, NULL);
}

void kl_fetch_done(struct kl_request *r, const struct kl_response *response)
{
	struct kl_fetch *fetch = kl_container(r, struct kl_fetch, request);
	struct klamm_consumer *c = fetch->c;
	const struct kl_fetch_response *body = response->body;
	int code = response->code != 0 ? response->code : body->error_code;
	fetch->node->busy--;
	if (code != 0)
		on_failure(fetch, code, response->err);
	else
		on_topics(fetch, response);
	if (code == 0)
		kl_consumer_count_fetch(c, response->latency_us, body->throttle_time_ms,
					fetch->got_bytes, fetch->got_records);
	kl_fetch_put(fetch);
	kl_hook_add(c->loop, &c->round_hook);
}
