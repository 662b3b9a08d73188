/* SPDX-License-Identifier: BSD-2-Clause */
/* What a broker that ends in peace writes down of its logs, so that the next start has nothing
 * to read but this: what reading every segment would tell. In a file of the data directory,
 * `index`, that is there only while no broker runs. Lives in the broker's loop. */
#ifndef KL_DEV_INDEX_H
#define KL_DEV_INDEX_H

#include "broker/broker.h"

/* Everything is on the disk; a log that is not is left out. */
void kl_dev_index_save(struct klamm_broker *broker);
/* The logs get what is known of them. One that gets no segments is to be read. */
void kl_dev_index_load(struct klamm_broker *broker);
/* It goes before anything is written. */
void kl_dev_index_drop(struct klamm_broker *broker);

#endif
