/* SPDX-License-Identifier: BSD-2-Clause */
/* Null mode: nothing is kept. Producers are counted, consumers get one prebuilt batch again
 * and again, with its base offset put before each copy on the way out; no byte of it is
 * copied. Lives in the broker's loop. */
#ifndef KL_DEV_NULL_H
#define KL_DEV_NULL_H

#include "broker/call.h"

/* What every partition pretends to have; low enough that a client can add to it. */
#define KL_DEV_NULL_END ((int64_t)1 << 60)

int kl_dev_null_new(struct klamm_broker *broker, struct klamm_error *err);
void kl_dev_null_free(struct klamm_broker *broker);

/* Count the records of a batch. */
int kl_dev_null_produce(struct kl_dev_partition *partition, struct kl_bytes records,
			int64_t *base_offset_out);

/* Batches from offset on, of max bytes at most but one at least. The bytes are a stand-in
 * until kl_dev_null_expand(). False: out of memory. */
bool kl_dev_null_fetch(struct kl_dev_call *call, int64_t offset, size_t max,
		       struct kl_bytes *records_out);
/* After encoding: replace each stand-in by what it stands for. frame_out: the frame's own
 * bytes; behind them, the call's buffer now has base offsets. False: out of memory. */
bool kl_dev_null_expand(struct kl_dev_call *call, struct kl_buf *frame_out);

#endif
