/* SPDX-License-Identifier: BSD-2-Clause */
/* Which log is to be compacted next, as Kafka's LogCleanerManager chooses it. */
#ifndef KL_DEV_DIRTY_H
#define KL_DEV_DIRTY_H

#include "broker/broker.h"

/* What of a log can be cleaned: so many segments from the first one on. */
struct kl_dev_dirty {
	size_t count;
	int64_t dirty; /* the first offset that was not cleaned yet */
	double ratio;  /* dirty bytes of all in the range */
	bool is_due;   /* max.compaction.lag.ms is over */
};

/* NULL: none has enough to clean. */
struct kl_dev_partition *kl_dev_dirtiest(struct klamm_broker *broker, int64_t now_ms,
					 struct kl_dev_dirty *dirty_out);
/* Logs that could not be cleaned (log->resists) may be chosen again. */
void kl_dev_dirty_forgive(struct klamm_broker *broker);

#endif
