/* SPDX-License-Identifier: BSD-2-Clause */
/* What an answer depends on: that records are on the disk. In memory that is so at once.
 * Lives in the broker's loop. */
#ifndef KL_DEV_PLEDGE_H
#define KL_DEV_PLEDGE_H

#include "broker/topics.h"

struct kl_dev_call;

struct kl_dev_pledge {
	struct klamm_uuid topic; /* partitions may go meanwhile */
	int32_t index;
	int64_t end;       /* this much is to be synced */
	unsigned failures; /* of syncs, before */
	bool settled;
	int error; /* then: 0, UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR */
};

/* For all that the partition has now. Its sync begins at the end of this step. */
struct kl_dev_pledge kl_dev_pledge_on(struct kl_dev_partition *partition);
/* Is it decided, one way or the other? */
bool kl_dev_pledge_settle(struct klamm_broker *broker, struct kl_dev_pledge *pledge);
/* Let the call wait for all of them, which are in its arena; then() may be called at once. */
void kl_dev_call_settle(struct kl_dev_call *call, struct kl_dev_pledge *pledges, size_t n,
			void (*then)(struct kl_dev_call *call));

#endif
