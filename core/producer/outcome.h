/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of the records of a batch, for those who want to know.
 *
 * One block per batch, with 24 bytes per record, apart from the payload, which goes back at
 * the acknowledgement even if nobody ever polls. Filled by send() under the partition's
 * lock, completed by the loop, read by whoever polls.
 */
#ifndef KL_OUTCOME_H
#define KL_OUTCOME_H

#include <klamm/producer.h>

#include "core/base/list.h"

struct klamm_producer;
struct klamm_topic;

struct kl_slot {
	void *opaque;       /* or a struct klamm_future, NULL when that was told */
	int32_t time_delta; /* record's timestamp - base_timestamp */
	int32_t key_size, value_size; /* -1 = null */
	/* 1 + bytes of the headers' names and values, 0 = there are none; and KL_SLOT_FUTURE:
	 * one word, because send() writes it. */
	uint32_t headers;
};
#define KL_SLOT_FUTURE (UINT32_C(1) << 31)

static inline bool kl_slot_is_future(const struct kl_slot *slot)
{
	return (slot->headers & KL_SLOT_FUTURE) != 0;
}

/* What is wrong with one record of a batch that was refused (KIP-467). */
struct kl_record_fault {
	uint32_t record; /* its number in the batch */
	char *text;
};

struct kl_outcome {
	struct kl_list link; /* in a queue, or spare */
	struct klamm_topic *topic;
	int32_t partition;
	int32_t error;
	int32_t outcome; /* enum klamm_outcome */
	uint32_t count;  /* records */
	uint32_t at;     /* the next one to be told */
	uint32_t cap;
	bool futures;    /* some slot is one that was not told yet */
	bool plain;      /* some slot is for the callback, or for _deliveries() */
	bool lent;       /* shown, and not counted any more */
	int64_t base_offset;
	int64_t base_timestamp;
	int64_t append_time; /* -1 = the records' own timestamps hold */
	struct kl_slot *slots;
	/* In order of records; none: the error is about the whole batch. */
	struct kl_record_fault *faults;
	uint32_t fault_count;
	char *text; /* NULL: there is nothing to say, or no memory to say it */
};

/* Those in use may take as much as buffer.memory, beside it: else whoever never asks what
 * became of his records would fill the memory with it. */
bool kl_outcome_full(struct klamm_producer *producer);
/* With room for some slots; a fresh one has about so many. NULL: *full_out tells whether those
 * in use are too many, or memory is out. */
struct kl_outcome *kl_outcome_get(struct klamm_producer *producer, uint32_t slots,
				  bool *full_out);
/* For what takes the place of one that is in use, however many these are. */
struct kl_outcome *kl_outcome_get_beyond(struct klamm_producer *producer, uint32_t slots);
void kl_outcome_put(struct klamm_producer *producer, struct kl_outcome *outcome);
/* Room for twice as many. false: out of memory. */
bool kl_outcome_grow(struct klamm_producer *producer, struct kl_outcome *outcome);

/* The loop: the record, which comes behind those told so far, is at fault. Out of memory it
 * shares the batch's text. */
void kl_outcome_fault(struct kl_outcome *outcome, uint32_t record, const char *text,
		      size_t len);

/* Everything in it is set; futures hear of it now, the rest when polled. */
void kl_outcome_complete(struct klamm_producer *producer, struct kl_outcome *outcome);

/* Run callbacks for what there is, unless another thread is at it; the number of records told.
 * What klamm_producer_deliveries() asks for stays. */
size_t kl_outcome_tell(struct klamm_producer *producer);
/* Would that do something? */
bool kl_outcome_waiting(struct klamm_producer *producer);
/* Has klamm_producer_deliveries() something to show? */
bool kl_outcome_deliverable(struct klamm_producer *producer);

/* Hands out what klamm_producer_deliveries() asks for. */
size_t kl_outcome_fill(struct klamm_producer *producer, struct klamm_delivery *deliveries,
		       size_t max);
void kl_outcome_free_all(struct klamm_producer *producer);

struct klamm_future *kl_future_new(struct klamm_producer *producer);
/* Of a record that was not queued after all. */
void kl_future_drop(struct klamm_future *future);

#endif
