/* SPDX-License-Identifier: BSD-2-Clause */
/* Who coordinates what. As in Kafka a group or a transactional id belongs to a partition of
 * an internal topic by its hash, the partition's leader is its coordinator, and what
 * coordinators know is what the records of that partition say: __consumer_offsets and
 * __transaction_state.
 *
 * What is read from them is in one table for all nodes, so a new leader knows it at once; of
 * groups it reads it again, as their members have state that is in no record.
 * Lives in the broker's loop. */
#ifndef KL_DEV_COORDINATORS_H
#define KL_DEV_COORDINATORS_H

#include "broker/batch_make.h"
#include "broker/call.h"

/* Kafka's types of keys. */
enum {
	KL_DEV_GROUP = 0,
	KL_DEV_TXN = 1,
};

/* Is this one of the internal topics? */
bool kl_dev_topic_is_internal(struct kl_str name);
/* Make it, with the settings that Kafka gives it. */
int kl_dev_topic_create_internal(struct klamm_broker *broker, struct kl_str name,
				 struct kl_dev_topic **topic_out);

/* The partition that the key belongs to. NULL: its topic is not there. */
struct kl_dev_partition *kl_dev_home(struct klamm_broker *broker, int kind, struct kl_str key);
/* Its number among n of them: Java's String.hashCode(). */
int32_t kl_dev_home_index(struct kl_str key, int32_t n);
/* What every request to a coordinator asks first: does the node that was asked coordinate the
 * key? 0, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, or what a fault says. */
int kl_dev_call_home(struct kl_dev_call *call, int kind, struct kl_str key,
		     struct kl_dev_partition **home_out);

/* Append a finished batch of the broker's own, as part of a transaction or not. */
int kl_dev_home_append(struct klamm_broker *broker, struct kl_dev_partition *home,
		       struct kl_dev_batch *batch, int64_t *base_offset_out);
/* 0, or COORDINATOR_NOT_AVAILABLE: its log is not fit to be read or appended to. */
int kl_dev_home_ready(struct klamm_broker *broker, struct kl_dev_partition *home);

/* At the start, when all logs were read. */
int kl_dev_coordinators_load(struct klamm_broker *broker, struct klamm_error *err);
/* A log was read again, after a sync that failed. 0 or KAFKA_STORAGE_ERROR. */
int kl_dev_coordinators_reload(struct klamm_broker *broker,
			       struct kl_dev_partition *partition);
/* A partition has another leader, or (-1) none: what a group's coordinator knew beside the log
 * is gone with the old one. */
void kl_dev_coordinators_moved(struct klamm_broker *broker,
			       struct kl_dev_partition *partition);
/* A topic goes. */
void kl_dev_coordinators_forget(struct klamm_broker *broker, struct kl_dev_topic *topic);

/* A fault moves the coordinator of what the request names; without a name, all of them. */
void kl_dev_coordinators_move(const struct kl_dev_call *call, int32_t to);

#endif
