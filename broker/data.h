/* SPDX-License-Identifier: BSD-2-Clause */
/* What a broker keeps in its data directory: opened at the start, saved whenever it changes.
 * Lives in the broker's loop. Without a directory all of it does nothing. */
#ifndef KL_DEV_DATA_H
#define KL_DEV_DATA_H

#include "broker/broker.h"
#include "broker/store.h"

/* Take the directory, with everything that is in it. INVALID_ARGUMENT, SYSTEM. */
int kl_dev_data_open(struct klamm_broker *broker, struct klamm_error *err);
/* Everything is on the disk then. No job of the store runs. */
void kl_dev_data_close(struct klamm_broker *broker);

/* --- init_producer_id.c --- */

/* One that was never given. 0 or COORDINATOR_NOT_AVAILABLE. */
int kl_dev_producer_id(struct klamm_broker *broker, int64_t *id_out);

/* --- table.c --- */

/* Write the table, and come back when it is on the disk. KAFKA_STORAGE_ERROR. */
int kl_dev_save(struct klamm_broker *broker, struct klamm_error *err);
/* Soon: nothing that was promised depends on it. */
void kl_dev_save_soon(struct klamm_broker *broker);
/* Make the topics that the table names, with empty logs. A broker without a table is a new
 * one: *found_out. */
int kl_dev_table_load(struct klamm_broker *broker, bool *found_out, struct klamm_error *err);

#endif
