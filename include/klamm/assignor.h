/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins of the kind assignor: who of a classic consumer group reads which partition.
 *
 * Chosen by partition.assignment.strategy, a list in order of preference. One instance
 * per consumer. The member that the coordinator made leader runs assign(); every member
 * runs the rest for itself.
 */
#ifndef KLAMM_ASSIGNOR_H
#define KLAMM_ASSIGNOR_H

#include <klamm/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KLAMM_ABI_assignor KLAMM_ABI(KLAMM_KIND_ASSIGNOR, 1)

/* Rebalance protocols (KIP-429). */
#define KLAMM_REBALANCE_EAGER 1u       /* all partitions are given up before a rebalance */
#define KLAMM_REBALANCE_COOPERATIVE 2u /* only those that move, in a second rebalance */

/* A partition as an index into klamm_assign.topics and a number. */
struct klamm_owned {
	uint32_t topic;
	int32_t partition;
};

struct klamm_assign_topic {
	const char *name;
	struct klamm_uuid id;    /* all zero = not known */
	int32_t partition_count; /* 0 = no such topic (yet) */
	int32_t reserved;
	/* Per partition, "," between the racks of its replicas, or NULL when no broker told
	 * its rack (KIP-881). The array may be NULL too. */
	const char *const *racks;
};

struct klamm_assign_member {
	const char *member_id;
	const char *instance_id;    /* group.instance.id (KIP-345), or NULL */
	const char *rack;           /* client.rack, or NULL */
	/* Subscribed, as indices into klamm_assign.topics, rising. */
	const uint32_t *topics;
	size_t topic_count;
	/* What it says it owns (KIP-429), without partitions that are not there any more.
	 * Two may say so of one partition: then the later generation counts. */
	const struct klamm_owned *owned;
	size_t owned_count;
	int32_t generation; /* of that claim (KIP-792); -1 = not told */
	int32_t reserved;
	struct klamm_span user_data; /* from user_data() of that member; data NULL = none */
};

/* The question, sorted by the core so that equal groups ask equal questions: topics by
 * name; members that have an instance id first, by that, then the others by member id.
 * Everything is borrowed for the call. */
struct klamm_assign {
	size_t size; /* of this structure; member_size and topic_size are the strides */
	size_t member_size, topic_size;
	const struct klamm_assign_member *members;
	size_t member_count;
	const struct klamm_assign_topic *topics;
	size_t topic_count;
	struct klamm_arena *arena; /* for what must outlive the call, and for scratch */
	const struct klamm_call *call;
};

/* The answer, made by the core. The shape rules out a partition with two owners. */
struct klamm_assign_answer {
	size_t size;
	/* owner[t][p]: index of the member that reads partition p of topic t, -1 = nobody
	 * yet, as it comes in. The core refuses an owner that has not subscribed to t. In a
	 * cooperative group a partition may only be given to the one that owns it, or to
	 * anybody if nobody does; the core keeps back what is given otherwise. */
	int32_t *const *owner;
	/* Per member: bytes for its on_assignment(), from the arena; null as it comes in. */
	struct klamm_span *user_data;
};

/* What this member was given. Borrowed for the call. */
struct klamm_assignment {
	size_t size;
	const struct klamm_topic_partition *partitions;
	size_t partition_count;
	struct klamm_span user_data;
	const char *member_id;
	int32_t generation;
	int32_t reserved;
};

struct klamm_assignor_plugin {
	struct klamm_plugin_head head;

	/* Mandatory. The name in JoinGroup, where all members must agree on one:
	 * "cooperative-sticky". Static. */
	const char *protocol_name;

	/* Mandatory, not 0. KLAMM_REBALANCE_..., or-ed. */
	uint32_t protocols;
	uint32_t reserved; /* 0 */

	/* Mandatory. A worker's thread, one call at a time on one self; heartbeats go on
	 * meanwhile. The same question gets the same answer. */
	int (*assign)(void *self, const struct klamm_assign *in,
		      struct klamm_assign_answer *answer, struct klamm_error *err);

	/* Optional. A worker's thread, one call at a time on one self. Appends what this
	 * member tells the leader when it joins; topics (borrowed) are its subscription. */
	int (*user_data)(void *self, const char *const *topics, size_t topic_count,
			 struct klamm_out *out, struct klamm_error *err);

	/* Optional. A worker's thread, one call at a time on one self. After each
	 * rebalance, before the application hears of it. */
	void (*on_assignment)(void *self, const struct klamm_assignment *mine);

	/* ABI 1 as first released ends here. */
};

#ifdef __cplusplus
}
#endif
#endif
