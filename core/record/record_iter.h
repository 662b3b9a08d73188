/* SPDX-License-Identifier: BSD-2-Clause */
/* The records of one batch, one after the other, as views into its plain bytes. No allocation,
 * no lock. One thread per iterator.
 */
#ifndef KL_RECORD_ITER_H
#define KL_RECORD_ITER_H

#include <klamm/consumer.h>

#include "core/record/batch.h"

struct kl_record_iter {
	const uint8_t *p, *end;
	int64_t base_offset;
	int64_t timestamp;    /* of every record, or what their deltas are added to: */
	uint64_t delta_mask;  /* 0, or all ones */
	int64_t start_offset; /* records below are skipped */
	int32_t left;         /* records still to come, those to be skipped counted */
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

/* All headers of a record that came from there: headers has room for header_count. */
void kl_record_headers(const struct klamm_record_view *view, struct klamm_header *headers);

#endif
