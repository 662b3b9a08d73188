/* SPDX-License-Identifier: BSD-2-Clause */
/* The assignors of Kafka's coordinator for modern groups: who of the members shall have which
 * partition. Pure functions. What Kafka leaves to the order of a hash table (which of equals
 * gets one more) goes by the order of the members here. */
#ifndef KL_DEV_ASSIGN_H
#define KL_DEV_ASSIGN_H

#include "core/proto/msg.h"

struct kl_dev_assign_topic {
	struct klamm_uuid id;
	int32_t count;   /* of its partitions */
	int32_t *owners; /* of each: a member by its number, -1 = none. In: as it is. */
};

struct kl_dev_assign_member {
	struct kl_str id, instance; /* instance null = dynamic */
	const int32_t *topics;      /* numbers of those it subscribes to, ascending */
	int32_t topic_count;
};

struct kl_dev_assign {
	struct kl_dev_assign_topic *topics; /* each has a subscriber, and an owner only one */
	const struct kl_dev_assign_member *members; /* by id */
	int32_t topic_count, member_count;
	struct kl_arena *arena; /* for what it needs meanwhile */
};

/* Rewrites the owners. false: out of memory. */
typedef bool (*kl_dev_assign_fn)(const struct kl_dev_assign *assign);

/* Ranges of each topic, to static members by their instance first, then to dynamic ones. */
bool kl_dev_assign_range(const struct kl_dev_assign *assign);
/* As even as can be, with as few changes as that allows. */
bool kl_dev_assign_uniform(const struct kl_dev_assign *assign);

/* NULL: there is none of that name. */
kl_dev_assign_fn kl_dev_assign_named(struct kl_str name);

/* Do all members subscribe to the same topics? */
bool kl_dev_assign_is_homogeneous(const struct kl_dev_assign *assign);

#endif
