/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/sequence.h"

#include <stdio.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/producer/sender.h"
#include "core/record/batch_write.h"

void kl_sequences_init(struct kl_sequences *self)
{
	*self = (struct kl_sequences){
		.producer_id = -1,
		.epoch = -1,
		.acked = -1,
		.acked_offset = -1,
		.known_id = -1,
	};
}

/* After 2147483647 comes 0. */
static int32_t add(int32_t sequence, int32_t n)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

static int32_t last_of(const struct kl_pbatch *batch)
{
	return add(batch->sequence, (int32_t)batch->count - 1);
}

/* Does a come after b, within half of the circle? */
static bool is_after(int32_t a, int32_t b)
{
	uint32_t distance = ((uint32_t)a - (uint32_t)b) & INT32_MAX;
	return distance != 0 && distance < UINT32_C(1) << 30;
}

static int32_t expected(const struct kl_sequences *self)
{
	return add(self->acked, 1);
}

static bool is_current(const struct klamm_producer *p, const struct kl_sequences *self)
{
	return self->producer_id == p->identity.id && self->epoch == p->identity.epoch;
}

static void adopt(struct klamm_producer *p, struct kl_sequences *self)
{
	int64_t known_id = self->known_id;
	kl_sequences_init(self);
	self->known_id = known_id;
	self->producer_id = p->identity.id;
	self->epoch = p->identity.epoch;
}

/* Everything that had a sequence has its end; some of it was not acknowledged. A transaction
 * with such a batch is aborted, and the next one has another epoch, where the broker can give
 * one. Where it cannot (before Kafka 2.5), what it surely did not write leaves no gap. */
static void close_gap(struct klamm_producer *p, struct kl_sequences *self)
{
	self->gap = false;
	if (self->next == expected(self) || !is_current(p, self) || KL_BUG(GAP_LEFT))
		return;
	if (kl_producer_is_transactional(p))
		self->next = expected(self);
	else
		kl_identity_bump(p);
}

bool kl_sequences_ready(struct klamm_producer *p, struct kl_partition *part,
			int64_t *again_out)
{
	struct kl_sequences *self = &part->sequences;
	if (!kl_identity_ready(p, again_out))
		return false;
	if (self->stamped > 0)
		return !self->gap && is_current(p, self) &&
		       self->known_id == self->producer_id;
	if (self->gap) {
		close_gap(p, self);
		if (!kl_identity_ready(p, again_out)) /* the epochs are used up */
			return false;
	}
	if (!is_current(p, self))
		adopt(p, self);
	return true;
}

void kl_sequences_stamp(struct klamm_producer *p, struct kl_pbatch *batch)
{
	struct kl_sequences *self = &batch->partition->sequences;
	if (!p->idempotent) {
		kl_batch_stamp(batch->slab->data, -1, -1, -1, batch->body_crc);
		return;
	}
	batch->sequence = self->next;
	kl_batch_stamp(batch->slab->data, self->producer_id, self->epoch, batch->sequence,
		       batch->body_crc);
	self->next = add(self->next, KL_BUG(BATCHES_COUNTED) ? 1 : (int32_t)batch->count);
	self->stamped++;
}

void kl_sequences_inherit(const struct kl_pbatch *whole, struct kl_pbatch *part)
{
	struct kl_sequences *self = &whole->partition->sequences;
	part->sequence = add(whole->sequence, (int32_t)(part->first - whole->first));
	kl_batch_stamp(part->slab->data, self->producer_id, self->epoch, part->sequence,
		       part->body_crc);
	self->stamped++;
}

void kl_sequences_acked(struct kl_pbatch *batch, int64_t base_offset)
{
	struct kl_sequences *self = &batch->partition->sequences;
	int32_t last = last_of(batch);
	self->known_id = self->producer_id;
	if (self->acked < 0 || is_after(last, self->acked))
		self->acked = last;
	if (base_offset >= 0)
		self->acked_offset = kl_max(self->acked_offset,
					    base_offset + (int64_t)batch->count - 1);
}

void kl_sequences_ended(struct kl_pbatch *batch, bool acked)
{
	struct kl_sequences *self = &batch->partition->sequences;
	batch->sequence = -1;
	self->stamped--;
	self->gap |= !acked;
}

/* --- what the broker makes of them --- */

enum kl_sequence_verdict kl_sequences_judge(struct klamm_producer *p,
					    struct kl_pbatch *batch, int code,
					    int64_t log_start_offset)
{
	struct kl_sequences *self = &batch->partition->sequences;
	bool transactional = kl_producer_is_transactional(p);
	switch (code) {
	case KLAMM_ERR_DUPLICATE_SEQUENCE_NUMBER:
		return KL_SEQUENCE_DUPLICATE;
	case KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
		/* One before it has to be sent again, and goes first. */
		if (!self->gap && batch->sequence != expected(self))
			return KL_SEQUENCE_RETRY;
		break;
	case KLAMM_ERR_UNKNOWN_PRODUCER_ID:
		/* The leader moved while it answered: the next one will know. */
		if (log_start_offset < 0)
			return KL_SEQUENCE_RETRY;
		/* All that the broker knew the producer by was deleted; a transaction need not
		 * suffer for that. */
		if (transactional && self->acked_offset < log_start_offset) {
			self->again = true;
			return KL_SEQUENCE_RETRY;
		}
		break;
	default:
		return KL_SEQUENCE_AS_SAID;
	}
	if (transactional)
		return KL_SEQUENCE_FAIL;
	self->again = true;
	return KL_SEQUENCE_RETRY;
}

static void end_doubtful(struct klamm_producer *p, struct kl_pbatch *batch, int code)
{
	const struct kl_partition *part = batch->partition;
	char text[KLAMM_ERROR_TEXT];
	snprintf(text, sizeof(text),
		 "topic %s partition %d: the answer to an attempt was lost, and the broker "
		 "has forgotten what it wrote (%s): it may have been written",
		 part->topic->name, part->index, klamm_err_name(code));
	kl_sender_not_sealed(p, batch);
	kl_pbatch_fail(p, batch, code, text);
}

void kl_sequences_restart(struct klamm_producer *p, struct kl_partition *part)
{
	struct kl_sequences *self = &part->sequences;
	self->again = false;
	kl_list_for_safe(batch, &part->queue, struct kl_pbatch, link) {
		if (batch->sequence < 0)
			continue;
		if (batch->maybe_written && !KL_BUG(DOUBT_FORGOTTEN))
			end_doubtful(p, batch, batch->last_code);
		else
			kl_sequences_ended(batch, true);
	}
	self->gap = false;
	if (!kl_producer_is_transactional(p) && is_current(p, self) &&
	    !KL_BUG(EPOCH_NOT_BUMPED))
		kl_identity_bump(p);
	self->producer_id = self->known_id = -1; /* the next batch begins with sequence 0 */
}
