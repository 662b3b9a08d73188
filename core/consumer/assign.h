/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of a classic group reads what: what members tell the leader, and the leader's
 * answer.
 *
 * A member writes its subscription into JoinGroup; the leader finds the union of all
 * topics, learns of their partitions, has the assignor plugin assign, and writes an
 * assignment per member into SyncGroup; a member reads its own. Bytes of other clients
 * are never trusted: what cannot be read counts as no subscription, so that one bad
 * member does not stop a group.
 *
 * Pure functions without a lock: any thread, but one call at a time on one assignor.
 */
#ifndef KL_ASSIGN_H
#define KL_ASSIGN_H

#include "core/plugin.h"
#include "core/proto/msg.h"

/* The ConsumerProtocol version that klamm writes; what it reads may be of any. */
#define KL_ASSIGN_VERSION 3

/* --- a member --- */

/* What it wants and has. All borrowed, in any order. */
struct kl_subscription {
	const char *const *topics;
	size_t topic_count;
	const struct klamm_topic_partition *owned; /* KIP-429 */
	size_t owned_count;
	int32_t generation; /* of that, -1 = none (KIP-792) */
	const char *rack;   /* client.rack, NULL or "" = none (KIP-881) */
};

/* Append a ConsumerProtocolSubscription; what the version lacks is left out. assignor
 * NULL: no user data. Errors are the plugin's, with its name in front, and those of
 * kl_msg_encode(). */
int kl_assign_subscription(const struct kl_subscription *subscription, int version,
			   struct kl_instance *assignor, struct kl_buf *buf,
			   struct klamm_error *err);

/* What a member was given, sorted, each partition once. */
struct kl_assigned {
	const struct klamm_topic_partition *partitions;
	size_t count;
	struct klamm_span user_data; /* data NULL = none */
};

/* Read a ConsumerProtocolAssignment into arena; user_data points into bytes. No bytes
 * at all, as from a leader that has forgotten a member, are no partitions. PROTOCOL:
 * not one. */
int kl_assign_parse(struct kl_bytes bytes, struct kl_arena *arena,
		    struct kl_assigned *assigned_out, struct klamm_error *err);

/* Tell the assignor, if it wants to know. */
void kl_assign_told(struct kl_instance *assignor, const struct kl_assigned *mine,
		    const char *member_id, int32_t generation);

/* --- the leader --- */

/* As JoinGroup's answer has it. */
struct kl_joined {
	struct kl_str id;
	struct kl_str instance_id; /* null = none */
	struct kl_bytes subscription;
};

/* The topics that anybody subscribes to, sorted by name, each once; in arena. */
int kl_assign_topics(const struct kl_joined *members, size_t member_count,
		     struct kl_arena *arena, const char *const **topics_out,
		     size_t *count_out, struct klamm_error *err);

struct kl_assign_question {
	const struct kl_joined *members; /* in any order */
	size_t member_count;
	/* In any order, each once. One that is missing here gets no readers. */
	const struct klamm_assign_topic *topics;
	size_t topic_count;
	/* The members keep what they own while they join: what another still owns is
	 * not given away. */
	bool cooperative;
	struct kl_instance *assignor;
	const int32_t
		*cancelled; /* non-zero: nobody wants it any more; NULL = never so */
};

/* The order of `given` is that of the question's members. */
struct kl_assign_result {
	struct kl_arena arena;
	struct kl_given {
		struct kl_str id;      /* borrowed from the question */
		struct kl_bytes bytes; /* a ConsumerProtocolAssignment, in arena */
	} *given;
	size_t count;
	/* cooperative: partitions that nobody gets before their owner has let them go.
	 */
	size_t withheld;
	/* Of members whose subscription cannot be read: how many, and what of the last.
	 */
	size_t unreadable;
	struct klamm_error why_unreadable;
};

/* On failure nothing is left to free. NO_MEMORY; PLUGIN: the assignor breaks its
 * contract; else what its assign() answers, with its name in front. */
int kl_assign_run(const struct kl_assign_question *question,
		  struct kl_assign_result *result_out, struct klamm_error *err);
void kl_assign_result_free(struct kl_assign_result *result);

/* --- for assign.c and assign_topics.c --- */

int kl_assign_compare(struct kl_str a, struct kl_str b); /* as strcmp() */

struct kl_consumer_protocol_subscription;
/* Strings and user data point into bytes, the rest is in arena. PROTOCOL, NO_MEMORY. */
int kl_subscription_parse(struct kl_bytes bytes, struct kl_arena *arena,
			  struct kl_consumer_protocol_subscription **out,
			  struct klamm_error *err);

#endif
