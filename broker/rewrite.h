/* SPDX-License-Identifier: BSD-2-Clause */
/* One batch of a compacted log: what is left of it. Lives in the broker's loop. */
#ifndef KL_DEV_REWRITE_H
#define KL_DEV_REWRITE_H

#include "broker/keys.h"
#include "broker/remains.h"
#include "core/base/buf.h"
#include "core/record/batch_read.h"

struct klamm_broker;

struct kl_dev_rewrite {
	struct klamm_broker *broker; /* whose codecs open batches */
	struct kl_dev_keys keys;
	struct kl_dev_remains remains; /* of transactions, in what was read so far */
	int64_t now_ms, delete_retention_ms;
	struct kl_buf batch; /* of KL_DEV_CHANGED */
	struct kl_buf records;
};

enum {
	KL_DEV_KEPT,    /* it stays as it is */
	KL_DEV_CHANGED, /* it is replaced by what is in batch */
	KL_DEV_GONE,
};

/* Take the keys of a batch, from this offset on. 0, KAFKA_STORAGE_ERROR, or KL_DEV_FULL: there
 * is no memory for all of them; those of the first records were taken, keys.latest tells. */
#define KL_DEV_FULL 1
int kl_dev_rewrite_learn(struct kl_dev_rewrite *rewrite, const uint8_t *p,
			  const struct kl_batch_head *head, int64_t from);
/* One of the above, or KAFKA_STORAGE_ERROR: out of memory. keep_head: where no record is left
 * the head stays, for what it tells of offsets and sequence numbers. */
int kl_dev_rewrite_batch(struct kl_dev_rewrite *rewrite, const uint8_t *p,
			 const struct kl_batch_head *head, bool keep_head);
void kl_dev_rewrite_free(struct kl_dev_rewrite *rewrite);

#endif
