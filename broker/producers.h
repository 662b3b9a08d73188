/* SPDX-License-Identifier: BSD-2-Clause */
/* What a partition remembers of producers with an id, as Kafka's ProducerStateManager does:
 * the last five batches of each, so that one sent again is answered and not appended (KIP-98);
 * which of them have a transaction open here; which transactions were aborted. All of it
 * follows from the log. Lives in the broker's loop. */
#ifndef KL_DEV_PRODUCERS_H
#define KL_DEV_PRODUCERS_H

#include "core/base/buf.h"
#include "core/base/list.h"
#include "core/record/batch.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* As many requests as Kafka lets an idempotent producer have in flight. */
#define KL_DEV_SEEN 5

/* A batch that was appended. */
struct kl_dev_seen {
	int32_t first, last; /* sequence numbers */
	int64_t offset, timestamp;
};

/* Asked about, and not appended yet: no batch behind the lowest sequence that was asked
 * about may come first. */
struct kl_dev_verifying {
	bool on;
	bool bumps; /* its epoch rises with each transaction (KIP-890) */
	int16_t epoch;
	int32_t lowest;
	int64_t since_ms;
};

struct kl_dev_producer {
	UT_hash_handle hh; /* by id */
	int64_t id;
	int32_t epoch; /* -1 = nothing appended yet */
	int32_t coordinator_epoch; /* of its last marker, -1 = none */
	int64_t last_timestamp;
	int64_t txn_first; /* of the transaction that is open here, -1 = none */
	struct kl_list open; /* in the table's, while it has one */
	struct kl_dev_verifying verifying;
	unsigned count;
	struct kl_dev_seen seen[KL_DEV_SEEN]; /* oldest first */
};

/* Offsets of a transaction's first record and of its marker, and what was stable then. */
struct kl_dev_ended {
	int64_t producer_id;
	int64_t first, last, stable;
};
struct kl_dev_ended_list {
	struct kl_dev_ended *list; /* rising by last */
	size_t count, cap;
};

struct kl_dev_producers {
	struct kl_dev_producer *by_id;
	struct kl_list open; /* transactions, rising by first offset */
	struct kl_dev_ended_list unseen;  /* their marker may be above the high watermark */
	struct kl_dev_ended_list aborted;
};

void kl_dev_producers_init(struct kl_dev_producers *producers);
/* And it is as new. */
void kl_dev_producers_free(struct kl_dev_producers *producers);
struct kl_dev_producer *kl_dev_producer_find(const struct kl_dev_producers *producers,
					     int64_t id); /* NULL = none */
/* One that is not there. NULL: out of memory. */
struct kl_dev_producer *kl_dev_producer_add(struct kl_dev_producers *producers, int64_t id);

/* --- batches --- */

enum kl_dev_origin {
	KL_DEV_FROM_CLIENT,
	KL_DEV_FROM_COORDINATOR, /* without sequence numbers */
};
/* May this batch be appended? 0; or the error to answer with. A batch that is here already is
 * 0 too, with *seen_out told. The producer gets its entry in the table. */
int kl_dev_producer_check(struct kl_dev_producers *producers, const struct kl_batch_head *head,
			  enum kl_dev_origin origin, const struct kl_dev_seen **seen_out);
/* It was appended; kl_dev_producer_check() has made room. */
void kl_dev_producer_note(struct kl_dev_producers *producers, const struct kl_batch_head *head,
			  int64_t offset);
/* The last offset of its newest batch, -1 = none is known. */
int64_t kl_dev_producer_last(const struct kl_dev_producer *producer);
/* A batch that was appended in an earlier life. false: out of memory. */
bool kl_dev_producer_learn(struct kl_dev_producers *producers,
			   const struct kl_batch_head *head);

/* --- transactions --- */

bool kl_dev_producer_is_open(const struct kl_dev_producers *producers, int64_t id,
			     int32_t epoch);
/* A batch is about to be verified by the transaction's coordinator. 0, INVALID_PRODUCER_EPOCH,
 * KAFKA_STORAGE_ERROR. */
int kl_dev_producer_verify(struct kl_dev_producers *producers,
			   const struct kl_batch_head *head, bool bumps, int64_t now_ms);

/* The end of a transaction. */
struct kl_dev_marker {
	int64_t producer_id;
	int16_t epoch;
	int16_t version; /* of transactions; from 2 on every one has an epoch of its own */
	int32_t coordinator_epoch;
	bool aborts;
};
/* May it be appended? 0, INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED,
 * KAFKA_STORAGE_ERROR. */
int kl_dev_marker_check(struct kl_dev_producers *producers,
			const struct kl_dev_marker *marker);
/* It was appended, or in an earlier life. false: out of memory. */
bool kl_dev_marker_note(struct kl_dev_producers *producers, const struct kl_dev_marker *marker,
			int64_t offset, int64_t timestamp);

/* What readers of committed records see is below: `high`, or the first record of a transaction
 * whose end they cannot see. */
int64_t kl_dev_producers_stable(struct kl_dev_producers *producers, int64_t high);
/* The first aborted transaction that may have records at `from` or behind it. */
size_t kl_dev_aborted_from(const struct kl_dev_producers *producers, int64_t from);
/* Nothing is left of the aborted transaction whose marker is there. */
void kl_dev_aborted_forget(struct kl_dev_producers *producers, int64_t marker);

/* --- forgetting --- */

/* Records below start are gone. */
void kl_dev_producers_trim(struct kl_dev_producers *producers, int64_t start);
/* Kafka's producer.id.expiration.ms: those that wrote nothing for so long. */
void kl_dev_producers_expire(struct kl_dev_producers *producers, int64_t now_ms,
			     int64_t after_ms);

/* --- producers_save.c --- */

void kl_dev_producers_put(struct kl_buf *b, const struct kl_dev_producers *producers);
/* Into an empty table. false: out of memory, or not what was put; the table is to be freed. */
bool kl_dev_producers_get(struct kl_reader *r, struct kl_dev_producers *producers);

#endif
