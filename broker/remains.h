/* SPDX-License-Identifier: BSD-2-Clause */
/* What a compaction has met of transactions, batch after batch: which batches are void because
 * theirs was aborted, and which markers have no batch left that they are about. Kafka's
 * CleanedTransactionMetadata. */
#ifndef KL_DEV_REMAINS_H
#define KL_DEV_REMAINS_H

#include "broker/producers.h"

struct kl_dev_remains {
	struct kl_dev_producers *producers; /* of the partition */
	struct kl_dev_ended *aborted;       /* those that may come, rising by first */
	size_t aborted_count, next;
	bool forgets; /* all that may be about a marker was seen before it */
	struct kl_dev_remain *by_producer; /* whose marker did not come yet */
};

/* What follows begins at `from`; 0 = at whatever the log begins with. false: out of memory. */
bool kl_dev_remains_begin(struct kl_dev_remains *remains, struct kl_dev_producers *producers,
			  int64_t from);
/* The next batch, with its bytes. Where all of the log is read, the partition forgets aborted
 * transactions of which nothing is left: their markers are to go, and consumers who were told
 * of one would wait for its marker. */
enum {
	KL_DEV_VALID,
	KL_DEV_VOID,
};
/* -1: out of memory. */
int kl_dev_remains_see(struct kl_dev_remains *remains, const struct kl_batch_head *head,
		       const uint8_t *p);
void kl_dev_remains_free(struct kl_dev_remains *remains);

#endif
