/* SPDX-License-Identifier: BSD-2-Clause */
/* What groups have committed, by the rules of Kafka's OffsetMetadataManager. A commit is a
 * record of the group's home partition in __consumer_offsets; what is here is what those
 * records say. One that is part of a transaction counts when its marker comes (KIP-447).
 * Lives in the broker's loop. */
#ifndef KL_DEV_OFFSETS_H
#define KL_DEV_OFFSETS_H

#include "broker/batch_make.h"
#include "broker/broker.h"

struct kl_dev_marker;

struct kl_dev_offset_value {
	int64_t offset;
	int32_t leader_epoch; /* -1 = not known */
	int64_t committed_ms;
	int64_t expires_ms; /* -1 = as the broker is set */
	struct klamm_uuid topic_id; /* zero = not known */
	int64_t at; /* of its record */
	char *metadata;
};

/* Of a group, for one partition. */
struct kl_dev_offset {
	UT_hash_handle hh; /* by partition and topic */
	struct kl_dev_offsets *of;
	bool stored; /* else only transactions know of it */
	int32_t pending; /* commits of open transactions */
	struct kl_dev_offset_value value;
	size_t key_len;
	struct kl_dev_offset_key {
		int32_t index;
		char topic[];
	} key;
};

/* Of one group. */
struct kl_dev_offsets {
	UT_hash_handle hh; /* by group */
	int32_t home; /* partition of __consumer_offsets */
	struct kl_dev_offset *by_key;
	int32_t group_len;
	char group[];
};

/* NULL: it has committed nothing. */
struct kl_dev_offsets *kl_dev_offsets_of(struct klamm_broker *broker, struct kl_str group);
struct kl_dev_offset *kl_dev_offset_find(struct kl_dev_offsets *offsets, struct kl_str topic,
					 int32_t index);
static inline struct kl_str kl_dev_offset_topic(const struct kl_dev_offset *offset)
{
	return (struct kl_str){offset->key.topic,
			       (int32_t)(offset->key_len - sizeof(offset->key.index))};
}

/* --- changing them: records in a batch, then the batch --- */

/* A commit; value NULL = it is forgotten. */
void kl_dev_offsets_put(struct kl_dev_batch *batch, struct kl_str group, struct kl_str topic,
			int32_t index, const struct kl_dev_offset_value *value);
/* Append the batch, if there is something in it, and do what it says; with a producer's id
 * (-1 = none) as part of its transaction. 0, COORDINATOR_NOT_AVAILABLE,
 * INVALID_PRODUCER_EPOCH, ... */
int kl_dev_offsets_append(struct klamm_broker *broker, struct kl_dev_partition *home,
			  struct kl_dev_batch *batch, int64_t producer_id, int16_t epoch);

/* A transaction ended in this partition, of whatever topic. */
void kl_dev_offsets_end(struct klamm_broker *broker, struct kl_dev_partition *partition,
			const struct kl_dev_marker *marker);
/* Read all of a home partition. 0 or KAFKA_STORAGE_ERROR. */
int kl_dev_offsets_load(struct klamm_broker *broker, struct kl_dev_partition *home);
void kl_dev_offsets_drop_home(struct klamm_broker *broker, int32_t home); /* -1 = all */

/* --- offset_expiry.c --- */

/* Forget what is older than offsets.retention.minutes. */
void kl_dev_offsets_expire(struct klamm_broker *broker);
/* A topic goes, and what was committed for it. */
void kl_dev_offsets_forget_topic(struct klamm_broker *broker, struct kl_str topic);

#endif
