/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading record batches.
 *
 * The way of a fetched batch: peek at its head; check its CRC; take its records and, when
 * the head names a codec, decompress them; iterate (record_iter.h). Batches of the old formats
 * go the same way. Nothing here allocates, and every length is checked before it is used. Any
 * thread.
 */
#ifndef KL_BATCH_READ_H
#define KL_BATCH_READ_H

#include "core/base/error.h"
#include "core/record/record_iter.h"

enum {
	KL_BATCH_CUT = 0,   /* the rest was not sent; normal at the end of a Fetch */
	KL_BATCH_WHOLE = 1, /* a v2 batch of kl_batch_size() bytes */
	KL_BATCH_OLD = 2,   /* whole as well, messages v0 or v1: see legacy_read.h */
};

void kl_batch_head_get(const uint8_t p[static KL_BATCH_HEAD], struct kl_batch_head *head_out);

/* What is at p? One of the above, or CORRUPT_BATCH. When cut, only length is set: to that of
 * the batch, or to 0 when not even that was sent. */
int kl_batch_peek(const uint8_t *p, size_t n, struct kl_batch_head *head_out);

/* Everything whole in [p, p + n), without CRC or decoding. */
struct kl_batch_span {
	size_t bytes; /* of whole batches; what follows is cut */
	size_t batches;
	size_t records; /* as the heads tell: compressed ones of old formats do not */
	int64_t base_offset; /* of the first; -1 = no whole batch */
	int64_t next_offset; /* to fetch from afterwards; -1 likewise */
	int32_t last_epoch;  /* of the leader that wrote the last one, -1 = not known */
	int64_t epoch_from;  /* where the run of batches of that epoch begins */
};
/* 0, or CORRUPT_BATCH; span_out then tells of what lies before the bad one. */
int kl_batch_hop(const uint8_t *p, size_t n, struct kl_batch_span *span_out);

/* p is what head was peeked from. */
bool kl_batch_check_crc(const uint8_t *p, const struct kl_batch_head *head);
/* The records inside the batch at p, still compressed when kl_batch_codec() says so. */
struct klamm_span kl_batch_records(const uint8_t *p, const struct kl_batch_head *head);

/* What a broker asks of a batch that a producer sent, its records given plain. The newest
 * timestamp is the records' own. INVALID_RECORD. */
int kl_batch_validate(const struct kl_batch_head *head, struct klamm_span records,
		      int64_t *max_timestamp_out, struct klamm_error *err);
/* What the head alone tells of that, as Kafka's LogValidator asks it: for compressed
 * batches. */
int kl_batch_validate_head(const struct kl_batch_head *head, struct klamm_error *err);

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
