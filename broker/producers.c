/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/producers.h"

#include <stdlib.h>

#include <klamm/error.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct kl_dev_producer {
	UT_hash_handle hh; /* by id */
	int64_t id;
	int32_t epoch; /* -1 = nothing appended yet */
	unsigned count;
	struct kl_dev_seen seen[KL_DEV_SEEN]; /* oldest first */
};

static struct kl_dev_producer *find(struct kl_dev_producer *table, int64_t id)
{
	struct kl_dev_producer *producer = NULL;
	HASH_FIND(hh, table, &id, sizeof(id), producer);
	return producer;
}

static struct kl_dev_producer *add(struct kl_dev_producer **table, int64_t id)
{
	struct kl_dev_producer *producer = calloc(1, sizeof(*producer));
	if (producer == NULL)
		return NULL;
	producer->id = id;
	producer->epoch = -1;
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, *table, id, sizeof(producer->id), producer);
	if (added)
		return producer;
	free(producer);
	return NULL;
}

/* After 2147483647 comes 0. */
static int32_t sequence_add(int32_t sequence, int32_t n)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

int kl_dev_producer_check(struct kl_dev_producer **table,
			  const struct kl_batch_head *head,
			  const struct kl_dev_seen **seen_out)
{
	*seen_out = NULL;
	if (head->producer_id < 0)
		return 0;
	struct kl_dev_producer *producer = find(*table, head->producer_id);
	if (producer == NULL)
		return add(table, head->producer_id) != NULL
			       ? 0
			       : KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (producer->epoch < 0) /* an append that failed: any sequence may begin */
		return 0;
	if (head->producer_epoch < producer->epoch)
		return KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	if (head->producer_epoch > producer->epoch)
		return head->base_sequence == 0 ? 0
						: KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	int32_t last = sequence_add(head->base_sequence, head->last_offset_delta);
	for (unsigned i = 0; i < producer->count; i++) {
		const struct kl_dev_seen *seen = &producer->seen[i];
		if (seen->first == head->base_sequence && seen->last == last) {
			*seen_out = seen;
			return 0;
		}
	}
	int32_t newest = producer->seen[producer->count - 1].last;
	return head->base_sequence == sequence_add(newest, 1)
		       ? 0
		       : KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

void kl_dev_producer_note(struct kl_dev_producer **table,
			  const struct kl_batch_head *head, int64_t offset,
			  int64_t append_time)
{
	struct kl_dev_producer *producer = find(*table, head->producer_id);
	if (producer == NULL)
		return;
	if (producer->epoch != head->producer_epoch)
		producer->count = 0;
	producer->epoch = head->producer_epoch;
	if (producer->count == KL_DEV_SEEN) {
		producer->count--;
		memmove(&producer->seen[0], &producer->seen[1],
			producer->count * sizeof(producer->seen[0]));
	}
	producer->seen[producer->count++] = (struct kl_dev_seen){
		.first = head->base_sequence,
		.last = sequence_add(head->base_sequence, head->last_offset_delta),
		.offset = offset,
		.append_time = append_time,
	};
}

void kl_dev_producer_learn(struct kl_dev_producer **table, const struct kl_batch_head *head,
			   int64_t append_time)
{
	if (head->producer_id < 0 ||
	    (find(*table, head->producer_id) == NULL && add(table, head->producer_id) == NULL))
		return;
	kl_dev_producer_note(table, head, head->base_offset, append_time);
}

void kl_dev_producers_free(struct kl_dev_producer **table)
{
	struct kl_dev_producer *producer, *next;
	HASH_ITER(hh, *table, producer, next)
	{
		HASH_DEL(*table, producer);
		free(producer);
	}
}
