/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of clients from before 0.11: sets of messages v0 and v1 become a batch v2 on their
 * way in, and batches become messages on their way out, as in a Kafka whose log has the new
 * format. Neither is packed then. */
#ifndef KL_DEV_OLD_H
#define KL_DEV_OLD_H

#include "broker/call.h"
#include "core/base/buf.h"
#include "core/record/batch.h"

/* The messages of a Produce request of this version, as one batch in batch_out, which is
 * filled anew. CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE,
 * KAFKA_STORAGE_ERROR (out of memory, or no codec). */
int kl_dev_old_to_batch(struct kl_dev_call *call, struct kl_bytes records, int message_max,
			struct kl_buf *batch_out, struct klamm_error *err);

/* Batches that are to be answered to a Fetch of this version, as messages that the call holds.
 * 0, UNSUPPORTED_COMPRESSION_TYPE, KAFKA_STORAGE_ERROR. */
int kl_dev_old_from_batches(struct kl_dev_call *call, struct kl_bytes *records);

#endif
