/* SPDX-License-Identifier: BSD-2-Clause */
/* What Produce has to do before it appends to a transaction (KIP-890): the first batch for
 * a partition is told to the transaction's coordinator, or, where clients do that
 * themselves, it is asked whether they have. */
#ifndef KL_DEV_PRODUCE_TXN_H
#define KL_DEV_PRODUCE_TXN_H

#include "broker/call.h"
#include "broker/txns.h"

struct kl_dev_join {
	/* Of each partition in the request's order; NULL: nothing in it is transactional. */
	int16_t *errors;
	size_t total;
	/* Those that are to be added or verified, and their places among the errors. */
	struct kl_dev_txn_name *names;
	size_t *places;
	size_t count;
	struct kl_dev_txn_ask ask;
	int64_t give_up; /* loop time */
	struct kl_dev_pledge pledge;
	void (*then)(struct kl_dev_call *call);
};

/* Then, at once or later, then() is called with the errors filled in. join is in the arena. */
void kl_dev_produce_join(struct kl_dev_call *call, struct kl_dev_join *join,
			 void (*then)(struct kl_dev_call *call));
/* May the batch be appended as part of a transaction? */
bool kl_dev_produce_joined(const struct kl_dev_call *call,
			   const struct kl_dev_partition *partition,
			   const struct kl_batch_head *head);

#endif
