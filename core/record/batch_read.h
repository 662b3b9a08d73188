/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading record batches.
 *
 * The way of a fetched batch: peek at its head; check its CRC; take its records and, when
 * the head names a codec, decompress them; iterate. Views point into the plain records.
 * Nothing here allocates, and every length is checked before it is used. Any thread, one per
 * iterator.
 */
#ifndef KL_BATCH_READ_H
#define KL_BATCH_READ_H

#include <klamm/consumer.h>

#include "core/base/error.h"
#include "core/record/batch.h"

enum {
	KL_BATCH_CUT = 0,   /* the rest was not sent; normal at the end of a Fetch */
	KL_BATCH_WHOLE = 1, /* a v2 batch of kl_batch_size() bytes */
	KL_BATCH_OLD = 2,   /* whole as well, messages of format v0 or v1: head->magic */
};

void kl_batch_head_get(const uint8_t p[static KL_BATCH_HEAD], struct kl_batch_head *head_out);

/* What is at p? One of the above, or CORRUPT_BATCH. When cut, only length is set: to that of
 * the batch, or to 0 when not even that was sent. */
int kl_batch_peek(const uint8_t *p, size_t n, struct kl_batch_head *head_out);

/* Everything whole in [p, p + n), without CRC or decoding. */
struct kl_batch_span {
	size_t bytes; /* of whole batches; what follows is cut */
	size_t batches;
	int64_t next_offset; /* to fetch from afterwards; -1 = no whole batch */
};
/* 0, or CORRUPT_BATCH; span_out then tells of what lies before the bad one. */
int kl_batch_hop(const uint8_t *p, size_t n, struct kl_batch_span *span_out);

/* p is what head was peeked from. */
bool kl_batch_check_crc(const uint8_t *p, const struct kl_batch_head *head);
/* The records inside the batch at p, still compressed when kl_batch_codec() says so. */
struct klamm_span kl_batch_records(const uint8_t *p, const struct kl_batch_head *head);

struct kl_record_iter {
	const uint8_t *p, *end;
	int64_t base_offset;
	int64_t timestamp;    /* of every record, or what their deltas are added to, */
	uint64_t delta_mask;  /* as the mask is 0 or all ones */
	int64_t start_offset; /* records below are skipped */
	int32_t left; /* records still to come, those to be skipped counted */
	int32_t timestamp_type;
	int32_t leader_epoch;
	int32_t error; /* sticky */
	int8_t magic;
};

/* Over plain records. head is copied, records stay borrowed. CORRUPT_BATCH when they cannot
 * be as many as the head says; the iterator then says so as well. */
int kl_record_iter_init(struct kl_record_iter *iter, const struct kl_batch_head *head,
			struct klamm_span records, int64_t start_offset);

/* 1 = view_out is filled, 0 = the end, or CORRUPT_BATCH: also when bytes are left behind the
 * last record. */
int kl_record_next(struct kl_record_iter *iter, struct klamm_record_view *view_out);

/* What a broker asks of a batch that a producer sent, its records given plain. The newest
 * timestamp is the records' own. INVALID_RECORD, INVALID_TIMESTAMP. */
int kl_batch_validate(const struct kl_batch_head *head, struct klamm_span records,
		      int64_t *max_timestamp_out, struct klamm_error *err);

/* The record of a control batch, which no application sees. */
enum kl_control_type {
	KL_CONTROL_UNKNOWN = -1,
	KL_CONTROL_ABORT = 0,
	KL_CONTROL_COMMIT = 1,
};
struct kl_control {
	enum kl_control_type type; /* others of later brokers are unknown */
	int32_t coordinator_epoch; /* of abort and commit; else -1 */
};
/* 0 or CORRUPT_BATCH. */
int kl_control_get(const struct klamm_record_view *view, struct kl_control *control_out);

#endif
