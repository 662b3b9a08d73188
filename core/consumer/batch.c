/* SPDX-License-Identifier: BSD-2-Clause */
/* A batch in the application's hands: reference-counted, with an iterator of views. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/consumer/consumer.h"

static struct klamm_batch *batch_get(struct klamm_consumer *c)
{
	kl_mutex_lock(&c->mutex);
	struct kl_list *link = kl_list_pop(&c->spare_batches);
	kl_mutex_unlock(&c->mutex);
	struct klamm_batch *batch = link != NULL
					    ? kl_list_entry(link, struct klamm_batch, link)
					    : malloc(sizeof(*batch));
	if (batch == NULL)
		return NULL;
	*batch = (struct klamm_batch){.consumer = c};
	kl_list_init(&batch->link);
	atomic_init(&batch->refs, 1);
	atomic_fetch_add(&c->refs, 1);
	return batch;
}

void klamm_batch_ref(struct klamm_batch *batch)
{
	atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);
}

void klamm_batch_unref(struct klamm_batch *batch)
{
	if (batch == NULL ||
	    atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct klamm_consumer *c = batch->consumer;
	if (atomic_load(c->state) == KL_CONSUMER_FORKED)
		return; /* its locks may be held by nobody that exists */
	kl_slab_unref(batch->slab);
	kl_batch_drop_values(batch);
	kl_mutex_lock(&c->mutex);
	kl_list_push_front(&c->spare_batches, &batch->link);
	/* Fetching may have waited for this memory: poll() waits for what the loop says of it
	 * now. The loop goes after `closed` is set. */
	if (!c->closed && atomic_exchange(&c->starved, false))
		kl_loop_post(c->loop, &c->task);
	kl_mutex_unlock(&c->mutex);
	kl_consumer_unref(c);
}

void kl_batches_free(struct klamm_consumer *c)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&c->spare_batches)) != NULL)
		free(kl_list_entry(link, struct klamm_batch, link));
}

/* --- taking one from a chunk --- */

/* KIP-98: aborted transactions that began before the end of this batch are open until their
 * marker; a batch of one of their producers is void. */
static bool is_aborted(struct kl_chunk *chunk, const struct kl_batch_head *head)
{
	int64_t last = kl_batch_next_offset(head) - 1;
	bool aborted = false;
	for (size_t i = 0; i < chunk->aborted_count; i++) {
		struct kl_aborted *a = &chunk->aborted[i];
		if (a->first_offset <= last && a->producer_id == head->producer_id)
			aborted |= a->open;
	}
	return aborted && (head->attributes & KL_ATTR_TRANSACTIONAL) != 0;
}

static void open_aborted(struct kl_chunk *chunk, const struct kl_batch_head *head)
{
	int64_t last = kl_batch_next_offset(head) - 1;
	for (size_t i = 0; i < chunk->aborted_count; i++) {
		struct kl_aborted *a = &chunk->aborted[i];
		if (!a->open && a->first_offset >= 0 && a->first_offset <= last)
			a->open = true;
	}
}

/* An abort marker ends the producer's oldest open one. */
static void on_control(struct kl_chunk *chunk, const uint8_t *p,
		       const struct kl_batch_head *head)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	struct kl_control control;
	if (kl_record_iter_init(&iter, head, kl_batch_records(p, head), 0) != 0 ||
	    kl_record_next(&iter, &view) != 1 || kl_control_get(&view, &control) != 0 ||
	    control.type != KL_CONTROL_ABORT)
		return;
	for (size_t i = 0; i < chunk->aborted_count; i++) {
		struct kl_aborted *a = &chunk->aborted[i];
		if (a->open && a->producer_id == head->producer_id) {
			a->open = false;
			a->first_offset = -1; /* used up */
			return;
		}
	}
}

/* true: the batch has nothing for the application. */
static bool is_skipped(struct kl_chunk *chunk, const uint8_t *p,
		       const struct kl_batch_head *head)
{
	if (chunk->aborted_count > 0)
		open_aborted(chunk, head);
	if ((head->attributes & KL_ATTR_CONTROL) != 0) {
		on_control(chunk, p, head);
		return true;
	}
	return head->record_count == 0 || is_aborted(chunk, head) ||
	       kl_batch_next_offset(head) <= chunk->part->position;
}

static int broken(const struct kl_chunk *chunk, const struct kl_batch_head *head, int code,
		  struct klamm_error *err, const char *what)
{
	return kl_error(err, code, "topic %s partition %d, batch at offset %lld: %s",
			chunk->part->topic->name, chunk->part->partition,
			(long long)head->base_offset, what);
}

/* How many records are left from start_offset on. */
static int count_records(struct klamm_batch *batch)
{
	const struct kl_batch_head *head = &batch->head;
	if (head->record_count >= 0 && head->base_offset >= batch->start_offset) {
		batch->count = (uint32_t)head->record_count;
		return 0;
	}
	struct kl_record_iter iter = batch->iter;
	struct klamm_record_view view;
	int rc;
	batch->count = 0;
	while ((rc = kl_record_next(&iter, &view)) == 1)
		batch->count++;
	return rc;
}

uint32_t kl_batch_left(const struct klamm_batch *batch)
{
	struct kl_record_iter iter = batch->iter;
	struct klamm_record_view view;
	uint32_t n = 0;
	while (kl_record_next(&iter, &view) == 1)
		n++;
	return n;
}

static int unpack(struct klamm_consumer *c, struct kl_chunk *chunk, const uint8_t *p,
		  struct klamm_batch *batch, struct klamm_error *err)
{
	const struct kl_batch_head *head = &batch->head;
	if (c->settings->check_crcs && !kl_batch_check_crc(p, head) && !KL_BUG(SKIPPED_CRC))
		return broken(chunk, head, KLAMM_ERR_CORRUPT_BATCH, err,
			      "its CRC does not match: it was damaged on its way or on disk");
	batch->records = kl_batch_records(p, head);
	if (kl_batch_codec(head) == 0) {
		batch->slab = kl_slab_ref(chunk->slab);
	} else {
		size_t len;
		int rc = kl_decode(c, head, batch->records, &batch->slab, &len, err);
		if (rc != 0) {
			kl_error_prefix(err, "topic %s partition %d, batch at offset %lld",
					chunk->part->topic->name, chunk->part->partition,
					(long long)head->base_offset);
			return rc;
		}
		batch->records = (struct klamm_span){batch->slab->data, len};
	}
	int rc = kl_record_iter_init(&batch->iter, head, batch->records, batch->start_offset);
	if (rc == 0)
		rc = count_records(batch);
	return rc == 0 ? 0 : broken(chunk, head, rc, err, "its records cannot be read");
}

static int make_batch(struct klamm_consumer *c, struct kl_chunk *chunk, const uint8_t *p,
		      const struct kl_batch_head *head, struct klamm_batch **batch_out,
		      struct klamm_error *err)
{
	struct kl_cpart *part = chunk->part;
	struct klamm_batch *batch = batch_get(c);
	if (batch == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a batch");
	batch->topic = part->topic;
	batch->partition = part->partition;
	batch->head = *head;
	batch->start_offset = part->position;
	batch->start_epoch = part->epoch;
	batch->lag = chunk->high_watermark >= 0
			     ? kl_max(chunk->high_watermark - kl_batch_next_offset(head),
				      (int64_t)0)
			     : -1;
	int rc = unpack(c, chunk, p, batch, err);
	if (rc != 0) {
		klamm_batch_unref(batch);
		return rc;
	}
	*batch_out = batch;
	return 1;
}

int kl_batch_take(struct klamm_consumer *c, struct kl_chunk *chunk,
		  struct klamm_batch **batch_out, struct klamm_error *err)
{
	struct kl_cpart *part = chunk->part;
	while (chunk->at < chunk->n) {
		struct kl_batch_head head;
		const uint8_t *p = chunk->p + chunk->at;
		/* Whole ones only: the fetcher has hopped over them. */
		if (kl_batch_peek(p, chunk->n - chunk->at, &head) < KL_BATCH_WHOLE)
			return broken(chunk, &head, KLAMM_ERR_CORRUPT_BATCH, err,
				      "it is damaged");
		int rc = 0;
		if (!is_skipped(chunk, p, &head))
			rc = make_batch(c, chunk, p, &head, batch_out, err);
		if (rc < 0 && !KL_BUG(ADVANCED_ON_ERROR))
			return rc;
		chunk->at += kl_batch_size(&head);
		if (kl_batch_next_offset(&head) > part->position) {
			part->position = kl_batch_next_offset(&head);
			part->epoch = head.leader_epoch;
		}
		if (rc == 1 && (*batch_out)->count > 0) {
			kl_consumer_count_batch(c, part, *batch_out, kl_batch_size(&head));
			return 1;
		}
		if (rc == 1) { /* all of it lay below the position */
			klamm_batch_unref(*batch_out);
			*batch_out = NULL;
		}
	}
	return 0;
}

/* --- in the application's hands --- */

const char *klamm_batch_topic(const struct klamm_batch *batch)
{
	return batch->topic->name;
}

int32_t klamm_batch_partition(const struct klamm_batch *batch)
{
	return batch->partition;
}

uint32_t klamm_batch_count(const struct klamm_batch *batch)
{
	return batch->count;
}

int64_t klamm_batch_lag(const struct klamm_batch *batch)
{
	return batch->lag;
}

int klamm_batch_next(struct klamm_batch *batch, struct klamm_record_view *view_out)
{
	return kl_record_next(&batch->iter, view_out);
}

void klamm_batch_rewind(struct klamm_batch *batch)
{
	kl_record_iter_init(&batch->iter, &batch->head, batch->records, batch->start_offset);
}

int klamm_batch_fill(struct klamm_batch *batch, struct klamm_record_view *views, size_t max,
		     size_t *count_out)
{
	size_t n = 0;
	int rc = 1;
	while (n < max && (rc = kl_record_next(&batch->iter, &views[n])) == 1)
		n++;
	*count_out = n;
	return rc < 0 ? rc : 0;
}
