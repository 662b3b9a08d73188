/* SPDX-License-Identifier: BSD-2-Clause */
/* What groups have committed, by the rules of Kafka's OffsetMetadataManager. A commit is a
 * record of the group's home partition in __consumer_offsets; what is here is what those
 * records say. One that is part of a transaction counts when its marker comes (KIP-447).
 * Lives in the broker's loop. */
#ifndef KL_DEV_OFFSETS_H
#define KL_DEV_OFFSETS_H

#include "broker/groups.h"

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
	struct kl_dev_group *group;
	bool stored; /* else only transactions know of it */
	int32_t pending; /* commits of open transactions */
	struct kl_dev_offset_value value;
	size_t key_len;
	struct kl_dev_offset_key {
		int32_t index;
		char topic[];
	} key;
};

/* NULL: nothing was committed for it; the group may be NULL. */
struct kl_dev_offset *kl_dev_offset_find(struct kl_dev_group *group, struct kl_str topic,
					 int32_t index);
static inline struct kl_str kl_dev_offset_topic(const struct kl_dev_offset *offset)
{
	return (struct kl_str){offset->key.topic,
			       (int32_t)(offset->key_len - sizeof(offset->key.index))};
}

/* --- changing them: records in a batch, then kl_dev_group_append() --- */

/* A commit; value NULL = it is forgotten. */
void kl_dev_offsets_put(struct kl_dev_batch *batch, struct kl_str group, struct kl_str topic,
			int32_t index, const struct kl_dev_offset_value *value);
/* Tombstones of all that the group has. */
void kl_dev_offsets_put_none(struct kl_dev_batch *batch, struct kl_dev_group *group);
/* A record of a home partition, and the batch that it came in. 0; or KAFKA_STORAGE_ERROR when
 * out of memory. */
int kl_dev_offset_take(struct klamm_broker *broker, int32_t home,
		       const struct kl_batch_head *head, int64_t at,
		       const struct kl_offset_commit_key *key,
		       const struct kl_offset_commit_value *value);

/* A transaction ended in this partition, of whatever topic. */
void kl_dev_offsets_end(struct klamm_broker *broker, struct kl_dev_partition *partition,
			const struct kl_dev_marker *marker);
/* A marker was read. */
void kl_dev_offsets_ended(struct klamm_broker *broker, int32_t home, int64_t producer_id,
			  bool commits);
/* Forget what open transactions have in a home partition; -1 = all. */
void kl_dev_offsets_drop_pending(struct klamm_broker *broker, int32_t home);
/* Free what a group has; no transaction may know of it. */
void kl_dev_offsets_free(struct kl_dev_group *group);

#endif
