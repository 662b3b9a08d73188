/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/producers.h"

#include <stdlib.h>

#include <klamm/error.h>

#include "broker/store.h"

/* --- the table --- */

void kl_dev_producers_init(struct kl_dev_producers *producers)
{
	*producers = (struct kl_dev_producers){.by_id = NULL};
	kl_list_init(&producers->open);
}

struct kl_dev_producer *kl_dev_producer_find(const struct kl_dev_producers *producers,
					     int64_t id)
{
	struct kl_dev_producer *producer = NULL;
	HASH_FIND(hh, producers->by_id, &id, sizeof(id), producer);
	return producer;
}

struct kl_dev_producer *kl_dev_producer_add(struct kl_dev_producers *producers, int64_t id)
{
	struct kl_dev_producer *producer = calloc(1, sizeof(*producer));
	if (producer == NULL)
		return NULL;
	producer->id = id;
	producer->epoch = producer->coordinator_epoch = -1;
	producer->last_timestamp = producer->txn_first = -1;
	kl_list_init(&producer->open);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, producers->by_id, id, sizeof(producer->id), producer);
	if (added)
		return producer;
	free(producer);
	return NULL;
}

static struct kl_dev_producer *find_or_add(struct kl_dev_producers *producers, int64_t id)
{
	return kl_dev_producer_find(producers, id) ?: kl_dev_producer_add(producers, id);
}

static void drop(struct kl_dev_producers *producers, struct kl_dev_producer *producer)
{
	kl_list_remove(&producer->open);
	HASH_DEL(producers->by_id, producer);
	free(producer);
}

void kl_dev_producers_free(struct kl_dev_producers *producers)
{
	struct kl_dev_producer *producer, *next;
	HASH_ITER(hh, producers->by_id, producer, next)
	{
		drop(producers, producer);
	}
	free(producers->unseen.list);
	free(producers->aborted.list);
	kl_dev_producers_init(producers);
}

void kl_dev_producers_expire(struct kl_dev_producers *producers, int64_t now_ms,
			     int64_t after_ms)
{
	struct kl_dev_producer *producer, *next;
	HASH_ITER(hh, producers->by_id, producer, next)
	{
		struct kl_dev_verifying *verifying = &producer->verifying;
		if (verifying->on && now_ms - verifying->since_ms >= after_ms)
			verifying->on = false;
		if (producer->txn_first < 0 && !verifying->on &&
		    now_ms - producer->last_timestamp >= after_ms)
			drop(producers, producer);
	}
}

/* --- sequence numbers --- */

/* After 2147483647 comes 0. */
static int32_t sequence_add(int32_t sequence, int32_t n)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

static int32_t last_sequence(const struct kl_batch_head *head)
{
	return head->base_sequence < 0
		       ? -1
		       : sequence_add(head->base_sequence, head->last_offset_delta);
}

static const struct kl_dev_seen *find_seen(const struct kl_dev_producer *producer,
					   const struct kl_batch_head *head)
{
	for (unsigned i = 0; i < producer->count && producer->epoch == head->producer_epoch;
	     i++) {
		const struct kl_dev_seen *seen = &producer->seen[i];
		if (seen->first == head->base_sequence && seen->last == last_sequence(head))
			return seen;
	}
	return NULL;
}

/* Kafka's ProducerAppendInfo.checkSequence(). Whoever wrote nothing here, or nothing that is
 * remembered, may begin with any number. */
static bool is_in_sequence(const struct kl_dev_producer *producer,
			   const struct kl_batch_head *head)
{
	const struct kl_dev_verifying *verifying = &producer->verifying;
	int32_t first = head->base_sequence;
	if (verifying->on && verifying->bumps && first != 0 && producer->count == 0)
		return false;
	if (verifying->on && first > verifying->lowest)
		return false;
	if (producer->epoch < 0)
		return true;
	if (head->producer_epoch != producer->epoch)
		return first == 0;
	int32_t last = producer->count > 0 ? producer->seen[producer->count - 1].last : -1;
	return first == (last < 0 ? 0 : sequence_add(last, 1));
}

int kl_dev_producer_check(struct kl_dev_producers *producers, const struct kl_batch_head *head,
			  enum kl_dev_origin origin, const struct kl_dev_seen **seen_out)
{
	*seen_out = NULL;
	if (head->producer_id < 0)
		return 0;
	struct kl_dev_producer *producer = find_or_add(producers, head->producer_id);
	if (producer == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (origin == KL_DEV_FROM_CLIENT)
		*seen_out = find_seen(producer, head);
	if (*seen_out != NULL)
		return 0;
	if (head->producer_epoch < producer->epoch)
		return KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	if (origin == KL_DEV_FROM_CLIENT && !is_in_sequence(producer, head))
		return KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	if (producer->txn_first >= 0 && !(head->attributes & KL_ATTR_TRANSACTIONAL))
		return KLAMM_ERR_INVALID_TXN_STATE;
	return 0;
}

static void begin_epoch(struct kl_dev_producer *producer, int16_t epoch)
{
	if (producer->epoch != epoch)
		producer->count = 0;
	producer->epoch = epoch;
}

void kl_dev_producer_note(struct kl_dev_producers *producers, const struct kl_batch_head *head,
			  int64_t offset)
{
	struct kl_dev_producer *producer =
		kl_dev_producer_find(producers, head->producer_id);
	if (producer == NULL)
		return;
	begin_epoch(producer, head->producer_epoch);
	if (producer->count == KL_DEV_SEEN) {
		producer->count--;
		memmove(&producer->seen[0], &producer->seen[1],
			producer->count * sizeof(producer->seen[0]));
	}
	producer->seen[producer->count++] = (struct kl_dev_seen){
		.first = head->base_sequence,
		.last = last_sequence(head),
		.offset = offset,
		.timestamp = head->max_timestamp,
	};
	producer->last_timestamp = head->max_timestamp;
	if (!(head->attributes & KL_ATTR_TRANSACTIONAL))
		return;
	producer->verifying.on = false;
	if (producer->txn_first >= 0)
		return;
	producer->txn_first = offset;
	kl_list_push(&producers->open, &producer->open);
}

int64_t kl_dev_producer_last(const struct kl_dev_producer *producer)
{
	if (producer->count == 0)
		return -1;
	const struct kl_dev_seen *newest = &producer->seen[producer->count - 1];
	/* After the sequence number 2147483647 comes 0. */
	uint32_t delta = ((uint32_t)newest->last - (uint32_t)newest->first) & INT32_MAX;
	return newest->offset + delta;
}

bool kl_dev_producer_learn(struct kl_dev_producers *producers,
			   const struct kl_batch_head *head)
{
	if (head->producer_id < 0)
		return true;
	if (find_or_add(producers, head->producer_id) == NULL)
		return false;
	kl_dev_producer_note(producers, head, head->base_offset);
	return true;
}

/* --- transactions --- */

bool kl_dev_producer_is_open(const struct kl_dev_producers *producers, int64_t id,
			     int32_t epoch)
{
	const struct kl_dev_producer *producer = kl_dev_producer_find(producers, id);
	return producer != NULL && producer->txn_first >= 0 && producer->epoch == epoch;
}

int kl_dev_producer_verify(struct kl_dev_producers *producers,
			   const struct kl_batch_head *head, bool bumps, int64_t now_ms)
{
	struct kl_dev_producer *producer = find_or_add(producers, head->producer_id);
	if (producer == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (head->producer_epoch < producer->epoch)
		return KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	struct kl_dev_verifying *verifying = &producer->verifying;
	if (!verifying->on || head->producer_epoch > verifying->epoch)
		*verifying = (struct kl_dev_verifying){
			.on = true,
			.bumps = verifying->on ? verifying->bumps : bumps,
			.epoch = head->producer_epoch,
			.lowest = head->base_sequence,
			.since_ms = verifying->on ? verifying->since_ms : now_ms,
		};
	else if (head->producer_epoch == verifying->epoch)
		verifying->lowest = kl_min(verifying->lowest, head->base_sequence);
	return 0;
}

static bool make_room(struct kl_dev_ended_list *ended)
{
	return kl_dev_grow((void **)&ended->list, &ended->cap, ended->count,
			   sizeof(*ended->list));
}

/* From version 2 on a marker has the epoch behind that of its transaction; the same one again
 * is a marker that was written before, and its answer lost. */
static bool is_marker_stale(const struct kl_dev_producer *producer,
			    const struct kl_dev_marker *marker)
{
	if (marker->version < 2 || marker->epoch != producer->epoch)
		return marker->epoch < producer->epoch;
	return producer->txn_first >= 0 && marker->epoch != INT16_MAX;
}

int kl_dev_marker_check(struct kl_dev_producers *producers, const struct kl_dev_marker *marker)
{
	struct kl_dev_producer *producer = find_or_add(producers, marker->producer_id);
	if (producer == NULL || !make_room(&producers->unseen) ||
	    !make_room(&producers->aborted))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (is_marker_stale(producer, marker))
		return KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	if (marker->coordinator_epoch < producer->coordinator_epoch)
		return KLAMM_ERR_TRANSACTION_COORDINATOR_FENCED;
	return 0;
}

static void end_transaction(struct kl_dev_producers *producers,
			    struct kl_dev_producer *producer, int64_t offset, bool aborts)
{
	struct kl_dev_ended ended = {producer->id, producer->txn_first, offset, offset + 1};
	kl_list_remove(&producer->open);
	producer->txn_first = -1;
	if (!kl_list_empty(&producers->open))
		ended.stable = kl_list_entry(producers->open.next, struct kl_dev_producer,
					     open)
				       ->txn_first;
	producers->unseen.list[producers->unseen.count++] = ended;
	if (aborts)
		producers->aborted.list[producers->aborted.count++] = ended;
}

bool kl_dev_marker_note(struct kl_dev_producers *producers, const struct kl_dev_marker *marker,
			int64_t offset, int64_t timestamp)
{
	struct kl_dev_producer *producer = find_or_add(producers, marker->producer_id);
	if (producer == NULL || !make_room(&producers->unseen) ||
	    !make_room(&producers->aborted))
		return false;
	if (producer->txn_first >= 0)
		end_transaction(producers, producer, offset, marker->aborts);
	begin_epoch(producer, marker->epoch);
	producer->coordinator_epoch = marker->coordinator_epoch;
	producer->last_timestamp = timestamp;
	/* The next transaction may be under way already, in the epoch that this one began. */
	if (!producer->verifying.bumps || producer->verifying.epoch != marker->epoch)
		producer->verifying.on = false;
	return true;
}

int64_t kl_dev_producers_stable(struct kl_dev_producers *producers, int64_t high)
{
	struct kl_dev_ended_list *unseen = &producers->unseen;
	size_t seen = 0;
	while (seen < unseen->count && unseen->list[seen].last < high)
		seen++;
	if (seen > 0) {
		unseen->count -= seen;
		memmove(unseen->list, unseen->list + seen,
			unseen->count * sizeof(*unseen->list));
	}
	int64_t stable = high;
	if (!kl_list_empty(&producers->open))
		stable = kl_min(stable, kl_list_entry(producers->open.next,
						      struct kl_dev_producer, open)
						->txn_first);
	for (size_t i = 0; i < unseen->count; i++)
		stable = kl_min(stable, unseen->list[i].first);
	return stable;
}

size_t kl_dev_aborted_from(const struct kl_dev_producers *producers, int64_t from)
{
	const struct kl_dev_ended_list *aborted = &producers->aborted;
	size_t low = 0, high = aborted->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (aborted->list[middle].last < from)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void kl_dev_aborted_forget(struct kl_dev_producers *producers, int64_t marker)
{
	struct kl_dev_ended_list *aborted = &producers->aborted;
	size_t i = kl_dev_aborted_from(producers, marker);
	if (i == aborted->count || aborted->list[i].last != marker)
		return;
	aborted->count--;
	memmove(aborted->list + i, aborted->list + i + 1,
		(aborted->count - i) * sizeof(*aborted->list));
}

void kl_dev_producers_trim(struct kl_dev_producers *producers, int64_t start)
{
	struct kl_dev_ended_list *aborted = &producers->aborted;
	size_t gone = kl_dev_aborted_from(producers, start);
	if (gone == 0)
		return;
	aborted->count -= gone;
	memmove(aborted->list, aborted->list + gone, aborted->count * sizeof(*aborted->list));
}
