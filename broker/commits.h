/* SPDX-License-Identifier: BSD-2-Clause */
/* What OffsetCommit and TxnOffsetCommit share. */
#ifndef KL_DEV_COMMITS_H
#define KL_DEV_COMMITS_H

#include "broker/call.h"
#include "broker/offsets.h"

/* 0, UNKNOWN_TOPIC_OR_PARTITION or, by its id, UNKNOWN_TOPIC_ID. */
int kl_dev_commit_topic(struct kl_dev_call *call, bool by_id, struct kl_str name,
			const struct klamm_uuid *id, struct kl_dev_topic **topic_out);
/* What is wrong with one of its partitions, a fault or rc, which the function above said; 0 =
 * nothing. */
int kl_dev_commit_error(struct kl_dev_call *call, struct kl_dev_topic *topic,
			struct kl_str name, int32_t index, int rc);
/* 0 or OFFSET_METADATA_TOO_LARGE. */
int kl_dev_commit_check(const struct klamm_broker *broker, struct kl_str metadata);
/* May it commit for the group? 0 or the error; unknown_group when there is none, and it says
 * that it is a member. */
int kl_dev_commit_group(struct klamm_broker *broker, struct kl_str group,
			const struct kl_dev_committer *who, int unknown_group);

/* The same for one partition of the group. */
int kl_dev_commit_part(struct klamm_broker *broker, struct kl_str group,
		       const struct kl_dev_committer *who, const struct kl_dev_topic *topic,
		       int32_t index);

struct kl_dev_commit {
	struct kl_str group;
	struct kl_dev_topic *topic;
	int32_t index;
	int64_t offset;
	int32_t leader_epoch;
	struct kl_str metadata;
	int64_t retention_ms; /* -1 = as the broker is set */
};
/* false: out of memory. */
bool kl_dev_commit_put(struct kl_dev_batch *batch, const struct kl_dev_commit *commit);

#endif
