/* SPDX-License-Identifier: BSD-2-Clause */
/* Compaction: of a topic with cleanup.policy=compact the latest record of each key stays. */
#ifndef KL_DEV_COMPACT_H
#define KL_DEV_COMPACT_H

#include "broker/broker.h"

int kl_dev_compaction_begin(struct klamm_broker *broker, struct klamm_error *err);
/* No job of the store runs any more. */
void kl_dev_compaction_end(struct klamm_broker *broker);

#endif
