/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition that is produced to, its topic, and a batch on its way.
 *
 * What send() touches of a partition is one cache line, guarded by the word in it; what the
 * loop touches is on the others. Partitions live as long as their topic's handle, tables of
 * them only grow.
 */
#ifndef KL_PARTITION_H
#define KL_PARTITION_H

#include <klamm/producer.h>

#include "core/base/slab.h"
#include "core/broker/cluster.h"
#include "core/producer/figures.h"
#include "core/producer/outcome.h"
#include "core/producer/sequence.h"

struct klamm_producer;
struct kl_produce;
struct kl_old_form;

/* From its opening to its outcome. */
struct kl_pbatch {
	struct kl_list link; /* sealed, queued or in flight in its partition, or spare */
	struct kl_list live; /* in producer->live, in order of id */
	struct kl_partition *partition;
	struct kl_slab *slab; /* head and records; compressed after codec_done() */
	size_t size;          /* bytes of it that are used, the head included */
	size_t plain_size;
	uint64_t id;          /* for flushes: no younger than its records; 0 = spare */
	_Atomic uint32_t count; /* 0 while it is open */
	int16_t attributes;
	int64_t base_timestamp, max_timestamp;
	int64_t opened_at;         /* monotonic */
	struct kl_outcome *outcome; /* NULL: nobody wants to know */
	uint32_t body_crc;
	struct kl_old_form *old; /* for a leader from before 0.11; see convert.h */
	atomic_bool ready;  /* codec and CRC are done */
	unsigned attempts;
	int32_t last_code;          /* of the last attempt */
	struct klamm_uuid topic_id; /* that its request names */
	bool maybe_written; /* some attempt's answer was lost */
	bool handed_back;   /* to the application: no failure */
	int32_t sequence;   /* of its first record, since it was sent first; -1 = none */
	uint64_t place;     /* in its partition, in the order of opening */
	uint32_t first;     /* of a part: its first record's number in what was split */
	struct kl_list parts; /* of one that was split, until they take its place */
	struct kl_job job;
};

struct kl_partition {
	/* --- send(): one line --- */
	_Alignas(KL_CACHE_LINE) atomic_uint lock;
	uint32_t count;  /* records in the open batch */
	uint8_t *p, *end; /* where the next record goes; both NULL = no batch is open */
	struct kl_slot *slots; /* outcome of record i; NULL = none wanted so far */
	uint32_t slot_count;   /* so many there is room for */
	int64_t base_timestamp, max_timestamp;
	struct kl_pbatch *batch;

	/* --- under the same lock, once per batch --- */
	_Alignas(KL_CACHE_LINE) struct kl_list sealed; /* for the loop to take */
	uint64_t waits;   /* how often it was not free */
	uint64_t opened;  /* batches so far */
	size_t last_size; /* of the slab that the last batch ended in */
	uint32_t last_count; /* of its records */
	struct kl_partition *next_dirty;
	atomic_bool dirty;
	/* What the sticky choice looks at. */
	atomic_bool no_leader;
	atomic_bool is_near; /* its leader is in client.rack */
	atomic_uint queued;           /* batches sealed, without an outcome */
	_Atomic int64_t stuck_since;  /* its first batch waits, sent or not; 0 = none does */

	/* --- the loop's --- */
	_Alignas(KL_CACHE_LINE) struct klamm_topic *topic;
	int32_t index;
	struct kl_list queue;     /* batches to be sent, in order */
	struct kl_list flying;    /* batches in requests, in order */
	struct kl_list lingering; /* in producer->lingering: an open batch that is not due */
	struct kl_list sendable;  /* in producer->sendable or producer->parked */
	int64_t due;              /* when the open batch is */
	uint64_t opened_id;       /* of the open batch */
	bool is_due;              /* it waits for a place in flight */
	atomic_uint in_flight;    /* batches; any thread may look */
	int64_t retry_at;
	struct kl_sequences sequences;
	struct kl_list adding;    /* in producer->txn.adding */
	bool add_asked;           /* and named by the last request for that */
	uint64_t txn_number;      /* of the transaction that it was added to last */
};

struct klamm_topic {
	UT_hash_handle hh; /* by name */
	struct klamm_producer *producer;
	atomic_uint refs;
	uint64_t number; /* order of making: the order of topics in a request */
	_Atomic int32_t partition_count; /* 0 = not known yet */
	_Atomic(struct kl_partition **) partitions;
	_Atomic int32_t table_count; /* of the table: the topic may have fewer by now */
	_Atomic int32_t error; /* the broker's word on the topic, 0 = fine */
	_Atomic int32_t sticky;
	_Atomic uint64_t sticky_bytes; /* that went there since it was chosen */
	_Atomic uint64_t random;
	_Atomic uint32_t ratio; /* plain / compressed, times 256, as seen of late */
	uint64_t slot;          /* the partitioner's */
	struct kl_mutex available_mutex;
	int32_t *available; /* partitions with a leader */
	int32_t available_count;
	atomic_uint waiters;    /* senders that wait for metadata */
	_Atomic uint32_t answers; /* that metadata gave about it */
	/* --- the loop's --- */
	struct kl_topic_info *info;
	int64_t used_at;     /* something was sent to it */
	struct kl_task want_task;
	struct kl_list tables; /* blocks of partitions, and old tables */
	struct kl_meter meters[KL_PRODUCER_TOPIC_METERS];
	char name[];
};

/* In the order of their records? Of two in one partition. */
static inline bool kl_pbatch_is_older(const struct kl_pbatch *a, const struct kl_pbatch *b)
{
	return a->place != b->place ? a->place < b->place : a->first < b->first;
}

/* The loop: the first of its batches is sent, or cannot be. Until that has its end, the time
 * from now on counts as the broker's (partitioner.availability.timeout.ms). */
static inline void kl_partition_waits(struct kl_partition *part, int64_t now)
{
	if (atomic_load_explicit(&part->stuck_since, memory_order_relaxed) == 0)
		atomic_store_explicit(&part->stuck_since, now, memory_order_relaxed);
}

static inline void kl_partition_moves(struct kl_partition *part)
{
	atomic_store_explicit(&part->stuck_since, 0, memory_order_relaxed);
}

/* Until the word was free. */
void kl_partition_wait(struct kl_partition *part);

static inline void kl_partition_lock(struct kl_partition *part)
{
	if (kl_unlikely(atomic_exchange_explicit(&part->lock, 1, memory_order_acquire)))
		kl_partition_wait(part);
}

static inline bool kl_partition_try_lock(struct kl_partition *part)
{
	return !atomic_exchange_explicit(&part->lock, 1, memory_order_acquire);
}

static inline void kl_partition_unlock(struct kl_partition *part)
{
	atomic_store_explicit(&part->lock, 0, memory_order_release);
}

#endif
