/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches that the broker itself writes: records of its coordinators, ends of transactions. */
#ifndef KL_DEV_BATCH_MAKE_H
#define KL_DEV_BATCH_MAKE_H

#include "core/base/buf.h"
#include "core/proto/msg.h"
#include "core/record/batch_write.h"

struct kl_dev_marker;

struct kl_dev_batch {
	struct kl_buf buf;
	int32_t count;
	int64_t now_ms;
	struct kl_buf key, value; /* of a record on its way */
};

void kl_dev_batch_begin(struct kl_dev_batch *batch, int64_t now_ms);
/* A record; a value whose data is NULL forgets the key. */
void kl_dev_batch_add(struct kl_dev_batch *batch, struct klamm_span key,
		      struct klamm_span value);
/* The same from messages, each behind an int16; value NULL = none. */
struct kl_dev_half {
	int16_t prefix;
	int version;
	const struct kl_msg *msg;
	const void *obj;
};
void kl_dev_batch_add_msgs(struct kl_dev_batch *batch, const struct kl_dev_half *key,
			   const struct kl_dev_half *value);
/* The batch is whole then, in batch->buf. false: out of memory, or something was too large. */
bool kl_dev_batch_end(struct kl_dev_batch *batch, int16_t attributes, int64_t producer_id,
		      int16_t producer_epoch);
void kl_dev_batch_free(struct kl_dev_batch *batch);

/* The end of a transaction. false: out of memory. */
bool kl_dev_batch_of_marker(struct kl_dev_batch *batch, const struct kl_dev_marker *marker,
			    int64_t now_ms);

#endif
