/* SPDX-License-Identifier: BSD-2-Clause */
/* The sequences of a partition (KIP-98): what a broker knows repetitions and gaps by.
 *
 * A batch gets its producer id, epoch and first sequence when it is sent first, and keeps them
 * for every further attempt. When one that has them ends without an acknowledgement there may
 * be a gap: no new sequence is given until all that were have an end, and if the last one
 * acknowledged is not the last one given the partition starts over, with a new epoch. Batches
 * that are surely not written get new sequences then; one that may be written must not, since
 * no broker could tell that it is a repetition. Lives in the loop.
 */
#ifndef KL_SEQUENCE_H
#define KL_SEQUENCE_H

#include "core/base/base.h"

struct klamm_producer;
struct kl_partition;
struct kl_pbatch;

struct kl_sequences {
	int64_t producer_id; /* that its batches are stamped with; -1 = none so far */
	int16_t epoch;
	int32_t next;        /* of the next batch that has none */
	int32_t acked;       /* of the last record acknowledged; -1 = none with this epoch */
	int64_t acked_offset; /* of the same, -1 = not known */
	/* Of the last batch acknowledged: a leader that never had one of a producer takes any
	 * sequence from it, so the first one goes alone. */
	int64_t known_id;
	unsigned stamped;    /* batches with a sequence and without an end */
	bool gap;   /* one of them ended without an acknowledgement */
	bool again; /* start over as soon as nothing is in flight */
};

/* What an answer means for a batch that has a sequence. */
enum kl_sequence_verdict {
	KL_SEQUENCE_AS_SAID,   /* nothing that sequences have a say in */
	KL_SEQUENCE_DUPLICATE, /* the broker has it from an earlier attempt */
	KL_SEQUENCE_RETRY,
	KL_SEQUENCE_FAIL, /* only the end of its transaction can help */
};

void kl_sequences_init(struct kl_sequences *self);

/* May a batch without a sequence be sent now? Starts over where that is due. *again_out: when
 * to ask again, should nothing happen. */
bool kl_sequences_ready(struct klamm_producer *p, struct kl_partition *part,
			int64_t *again_out);
/* Give the batch who it is from and its sequence, or with neither its checksum. */
void kl_sequences_stamp(struct klamm_producer *p, struct kl_pbatch *batch);
/* A part of a batch that has a sequence gets its share of the range. */
void kl_sequences_inherit(const struct kl_pbatch *whole, struct kl_pbatch *part);
/* The broker acknowledged it; offset -1 = without saying where. */
void kl_sequences_acked(struct kl_pbatch *batch, int64_t base_offset);
/* Any end of a batch that has a sequence. */
void kl_sequences_ended(struct kl_pbatch *batch, bool acked);
enum kl_sequence_verdict kl_sequences_judge(struct klamm_producer *p,
					    struct kl_pbatch *batch, int code,
					    int64_t log_start_offset);
/* Take the sequences of all batches that wait away; nothing of the partition is in flight. One
 * that may be written ends as such. */
void kl_sequences_restart(struct klamm_producer *p, struct kl_partition *part);

#endif
