/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading record by record. What is left of a batch waits here, and the position of its
 * partition is behind what was handed out of it. The polling thread's. */
#include "core/base/error.h"
#include "core/consumer/consumer.h"

/* --- what is left of batches --- */

static void put_down(struct klamm_batch *batch)
{
	kl_list_remove(&batch->link);
	kl_cpart_unref(batch->part);
	batch->part = NULL;
}

/* Sought or taken away since it was handed out. */
static bool is_void(const struct klamm_batch *batch)
{
	return !batch->part->assigned || batch->generation != batch->part->generation;
}

/* The first one that may be read on; NULL: there is none. */
static struct klamm_batch *first_rest(struct klamm_consumer *c)
{
	kl_list_for_safe(batch, &c->rests, struct klamm_batch, link) {
		if (is_void(batch)) {
			put_down(batch);
			klamm_batch_unref(batch);
		} else if (!batch->part->paused) {
			return batch;
		}
	}
	return NULL;
}

/* A batch that poll() gave is read from here on. */
static bool take_up(struct klamm_consumer *c, struct klamm_batch *batch)
{
	struct kl_cpart *part = kl_cpart_find(c, batch->topic->name, batch->partition);
	if (part == NULL)
		return false;
	batch->part = kl_cpart_ref(part);
	batch->generation = part->generation;
	part->position = batch->start_offset;
	part->epoch = batch->start_epoch;
	kl_list_push(&c->rests, &batch->link);
	return true;
}

/* The views that were handed out of it last are still looked at. */
static void read_out(struct klamm_consumer *c, struct klamm_batch *batch)
{
	batch->part->position = kl_batch_next_offset(&batch->head);
	batch->part->epoch = batch->head.leader_epoch;
	put_down(batch);
	kl_list_push(&c->read_out, &batch->link);
}

static void forget_read_out(struct klamm_consumer *c)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&c->read_out)) != NULL)
		klamm_batch_unref(kl_list_entry(link, struct klamm_batch, link));
}

bool kl_records_rest(struct klamm_consumer *c, struct klamm_batch **batch_out)
{
	struct klamm_batch *batch = first_rest(c);
	if (batch == NULL)
		return false;
	struct kl_cpart *part = batch->part;
	batch->start_offset = part->position;
	batch->start_epoch = part->epoch;
	batch->count = kl_batch_left(batch);
	part->position = kl_batch_next_offset(&batch->head);
	part->epoch = batch->head.leader_epoch;
	put_down(batch);
	*batch_out = batch;
	return true;
}

void kl_records_free(struct klamm_consumer *c)
{
	forget_read_out(c);
	kl_list_for_safe(batch, &c->rests, struct klamm_batch, link) {
		put_down(batch);
		klamm_batch_unref(batch);
	}
}

/* --- reading on --- */

static int cannot_read(const struct klamm_batch *batch, int code, struct klamm_error *err)
{
	return kl_error(err, code,
			"topic %s partition %d, batch at offset %lld: its records from "
			"offset %lld on cannot be read, and are left out",
			batch->topic->name, batch->partition,
			(long long)batch->head.base_offset,
			(long long)batch->part->position);
}

/* Up to max records of one batch. */
static int read_batch(struct klamm_consumer *c, struct klamm_batch *batch,
		      struct klamm_consumed *records, size_t max, size_t *count,
		      struct klamm_error *err)
{
	struct kl_cpart *part = batch->part;
	int rc = 1;
	while (*count < max &&
	       (rc = kl_record_next(&batch->iter, &records[*count].view)) == 1) {
		part->position = records[*count].view.offset + 1;
		records[(*count)++].batch = batch;
	}
	part->epoch = batch->head.leader_epoch;
	if (rc == 1 && batch->iter.left > 0)
		return 0;
	rc = kl_min(rc, 0);
	if (rc < 0)
		rc = cannot_read(batch, rc, err);
	read_out(c, batch);
	return rc;
}

/* The next batch to read; NULL: there is none in time. poll() sees to what is due, and gives
 * what is left of a batch first. */
static int next_rest(struct klamm_consumer *c, int64_t timeout_ms,
		     struct klamm_batch **batch_out, struct klamm_error *err)
{
	*batch_out = kl_poll_is_due(c) ? NULL : first_rest(c);
	if (*batch_out != NULL)
		return 0;
	int rc = klamm_consumer_poll(c, timeout_ms, batch_out, err);
	if (rc != 0 || *batch_out == NULL || take_up(c, *batch_out))
		return rc;
	klamm_batch_unref(*batch_out);
	*batch_out = NULL;
	return 0;
}

/* An error that comes behind records is told by the next call. */
static int read_some(struct klamm_consumer *c, int64_t timeout_ms,
		     struct klamm_consumed *records, size_t max, size_t *count,
		     struct klamm_error *err)
{
	int rc = 0;
	struct klamm_batch *batch;
	struct klamm_error why;
	while (*count < max) {
		rc = next_rest(c, *count > 0 ? 0 : timeout_ms, &batch, &why);
		if (rc == 0 && batch == NULL)
			return 0;
		if (rc == 0)
			rc = read_batch(c, batch, records, max, count, &why);
		if (rc == 0)
			continue;
		if (*count == 0)
			return kl_error_copy(err, &why);
		c->read_error = why;
		return 0;
	}
	return 0;
}

/* A call is a poll(), for what has to be done now and then. */
static int begin_reading(struct klamm_consumer *c, struct klamm_error *err)
{
	int rc = kl_rebalance_check(c, "reading", err);
	if (rc != 0)
		return rc;
	forget_read_out(c);
	if (c->read_error.code != 0) {
		rc = kl_error_copy(err, &c->read_error);
		kl_error_clear(&c->read_error);
		return rc;
	}
	if (!kl_list_empty(&c->rests)) {
		int64_t now = kl_loop_lately(c->loop);
		atomic_store_explicit(&c->polled_at, now, memory_order_relaxed);
		atomic_store_explicit(&c->group.membership.poll_left, now,
				      memory_order_relaxed);
		kl_commit_when_due(c);
	}
	return 0;
}

int klamm_consumer_read(struct klamm_consumer *c, int64_t timeout_ms,
			struct klamm_consumed *records, size_t max, size_t *count_out,
			struct klamm_error *err)
{
	*count_out = 0;
	int rc = begin_reading(c, err);
	if (rc == 0 && max == 0)
		rc = kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
			      "max 0: there must be room for a record");
	max = kl_min(max, (size_t)c->settings->max_poll_records);
	return rc != 0 ? rc : read_some(c, timeout_ms, records, max, count_out, err);
}

int klamm_consumer_next(struct klamm_consumer *c, int64_t timeout_ms,
			struct klamm_consumed *record_out, struct klamm_error *err)
{
	size_t count = 0;
	record_out->batch = NULL;
	int rc = begin_reading(c, err);
	return rc != 0 ? rc : read_some(c, timeout_ms, record_out, 1, &count, err);
}
