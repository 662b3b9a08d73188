/* SPDX-License-Identifier: BSD-2-Clause */
/* What a partition knows of producers, for the index. Of each, those with an open transaction
 * first and in their order: id 8, epoch 4, coordinator epoch 4, last timestamp 8, first offset
 * of its transaction 8, batches 4 (each: first 4, last 4, offset 8, timestamp 8). Then aborted
 * transactions: producer 8, first 8, last 8, stable 8. */
#include <stdlib.h>

#include "broker/producers.h"
#include "broker/store.h"

#define PRODUCER_MIN 36
#define ENDED_SIZE 32

/* --- save --- */

static void put_producer(struct kl_buf *b, const struct kl_dev_producer *producer)
{
	kl_buf_i64(b, producer->id);
	kl_buf_i32(b, producer->epoch);
	kl_buf_i32(b, producer->coordinator_epoch);
	kl_buf_i64(b, producer->last_timestamp);
	kl_buf_i64(b, producer->txn_first);
	kl_buf_i32(b, (int32_t)producer->count);
	for (unsigned i = 0; i < producer->count; i++) {
		kl_buf_i32(b, producer->seen[i].first);
		kl_buf_i32(b, producer->seen[i].last);
		kl_buf_i64(b, producer->seen[i].offset);
		kl_buf_i64(b, producer->seen[i].timestamp);
	}
}

void kl_dev_producers_put(struct kl_buf *b, const struct kl_dev_producers *producers)
{
	kl_buf_i32(b, (int32_t)HASH_CNT(hh, producers->by_id));
	kl_list_for(open, &producers->open, struct kl_dev_producer, open)
		put_producer(b, open);
	struct kl_dev_producer *producer, *next;
	HASH_ITER(hh, producers->by_id, producer, next)
		if (producer->txn_first < 0)
			put_producer(b, producer);
	kl_buf_i32(b, (int32_t)producers->aborted.count);
	for (size_t i = 0; i < producers->aborted.count; i++) {
		const struct kl_dev_ended *ended = &producers->aborted.list[i];
		kl_buf_i64(b, ended->producer_id);
		kl_buf_i64(b, ended->first);
		kl_buf_i64(b, ended->last);
		kl_buf_i64(b, ended->stable);
	}
}

/* --- load --- */

static bool get_producer(struct kl_reader *r, struct kl_dev_producers *producers)
{
	int64_t id = kl_read_i64(r);
	struct kl_dev_producer *producer =
		r->failed || kl_dev_producer_find(producers, id) != NULL
			? NULL
			: kl_dev_producer_add(producers, id);
	if (producer == NULL)
		return false;
	producer->epoch = kl_read_i32(r);
	producer->coordinator_epoch = kl_read_i32(r);
	producer->last_timestamp = kl_read_i64(r);
	producer->txn_first = kl_read_i64(r);
	if (producer->txn_first >= 0)
		kl_list_push(&producers->open, &producer->open);
	producer->count = (unsigned)kl_read_i32(r);
	if (producer->count > KL_DEV_SEEN) {
		producer->count = 0;
		return false;
	}
	for (unsigned i = 0; i < producer->count; i++) {
		struct kl_dev_seen *seen = &producer->seen[i];
		seen->first = kl_read_i32(r);
		seen->last = kl_read_i32(r);
		seen->offset = kl_read_i64(r);
		seen->timestamp = kl_read_i64(r);
	}
	return !r->failed;
}

static bool get_aborted(struct kl_reader *r, struct kl_dev_ended_list *aborted)
{
	struct kl_dev_ended ended;
	if (!kl_dev_grow((void **)&aborted->list, &aborted->cap, aborted->count,
			 sizeof(ended)))
		return false;
	ended.producer_id = kl_read_i64(r);
	ended.first = kl_read_i64(r);
	ended.last = kl_read_i64(r);
	ended.stable = kl_read_i64(r);
	aborted->list[aborted->count++] = ended;
	return !r->failed;
}

bool kl_dev_producers_get(struct kl_reader *r, struct kl_dev_producers *producers)
{
	int32_t n = kl_read_i32(r);
	bool ok = n >= 0 && (size_t)n <= kl_reader_left(r) / PRODUCER_MIN;
	for (; ok && n > 0; n--)
		ok = get_producer(r, producers);
	n = ok ? kl_read_i32(r) : -1;
	ok = n >= 0 && (size_t)n <= kl_reader_left(r) / ENDED_SIZE;
	for (; ok && n > 0; n--)
		ok = get_aborted(r, &producers->aborted);
	return ok && !r->failed;
}
