/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin client: creates, deletes and describes.
 *
 * Every call waits for its end, up to its timeout. A call on several things has one error for
 * each, so that one failure hides no success; errors that pass by themselves (no controller
 * for a moment, a quota) are retried within the timeout. Such errors are all filled, however
 * the call ends: 0 is the code of what was done, and what the call failed with as a whole,
 * memory that ran out included, is everything's. 0 is returned when there is none.
 *
 * Every function here may be called from any thread, several at once; on a loop that the
 * caller drives, by the thread that steps it.
 */
#ifndef KLAMM_ADMIN_H
#define KLAMM_ADMIN_H

#include <klamm/conf.h>
#include <klamm/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct klamm_admin;

/* loop: shared by the caller and outliving the client; NULL = one of its own, with a thread.
 * conf is copied. CONFIG: the text names the key. No connection is made yet. */
int klamm_admin_new(const struct klamm_conf *conf, struct klamm_loop *loop,
		    struct klamm_admin **admin_out, struct klamm_error *err);

/* No call may be under way. NULL is fine. */
void klamm_admin_free(struct klamm_admin *admin);

/* --- changing topics --- */

struct klamm_topic_config {
	const char *name;  /* "retention.ms" */
	const char *value; /* NULL = the broker's default */
};

/* A topic to create. Everything is borrowed for the call. */
struct klamm_new_topic {
	size_t size;
	const char *name;
	int32_t partitions; /* -1 = the broker's num.partitions (Kafka 2.4) */
	int32_t replicas;   /* -1 = the broker's default.replication.factor (2.4) */
	const struct klamm_topic_config *configs;
	size_t config_count;
};

#define KLAMM_ADMIN_VALIDATE_ONLY 1u /* look whether it would work, and change nothing */

/* Create topics[0..count). errors: count structures, one per topic, with code 0 for those that
 * were made; NULL = not wanted. Returns 0 when all were made, else the first topic's error, or
 * the call's own, which is then every topic's. Expected errors: TOPIC_ALREADY_EXISTS,
 * INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, INVALID_CONFIG, POLICY_VIOLATION,
 * TOPIC_AUTHORIZATION_FAILED, TIMED_OUT. After TIMED_OUT or DISCONNECTED the topic may be
 * there all the same. */
int klamm_admin_create_topics(struct klamm_admin *admin,
			      const struct klamm_new_topic *const *topics, size_t count,
			      uint32_t flags, int64_t timeout_ms, struct klamm_error *errors,
			      struct klamm_error *err);

/* Delete topics by name; errors and result as above. Expected: UNKNOWN_TOPIC_OR_PARTITION,
 * TOPIC_DELETION_DISABLED, TOPIC_AUTHORIZATION_FAILED. */
int klamm_admin_delete_topics(struct klamm_admin *admin, const char *const *names,
			      size_t count, int64_t timeout_ms, struct klamm_error *errors,
			      struct klamm_error *err);

/* Records to delete. */
struct klamm_record_deletion {
	size_t size;
	const char *topic; /* borrowed for the call */
	int32_t partition;
	int64_t before; /* those below this offset; -1 = all that consumers see */
	int64_t low_watermark; /* out: the first offset that is left, -1 = not known */
};

/* Delete the oldest records of partitions (Kafka 0.11, KIP-107), at their leaders. errors and
 * result as above, one for each deletion. Expected: OFFSET_OUT_OF_RANGE (it is beyond the high
 * watermark), POLICY_VIOLATION (the topic is only compacted), UNKNOWN_TOPIC_OR_PARTITION,
 * TOPIC_AUTHORIZATION_FAILED. */
int klamm_admin_delete_records(struct klamm_admin *admin,
			       struct klamm_record_deletion *deletions, size_t count,
			       int64_t timeout_ms, struct klamm_error *errors,
			       struct klamm_error *err);

/* --- looking at topics --- */

struct klamm_partition_description {
	int32_t partition;
	int32_t error;        /* enum klamm_err: LEADER_NOT_AVAILABLE, ... */
	int32_t leader;       /* broker id, -1 = none now */
	int32_t leader_epoch; /* -1 = not known */
	const int32_t *replicas, *in_sync, *offline; /* broker ids */
	size_t replica_count, in_sync_count, offline_count;
};

struct klamm_topic_description {
	const char *name;
	int32_t error;    /* enum klamm_err: UNKNOWN_TOPIC_OR_PARTITION, ... */
	int32_t internal; /* 1 = one of Kafka's own */
	struct klamm_uuid id; /* zero before Kafka 2.8 */
	const struct klamm_partition_description *const *partitions; /* ascending */
	size_t partition_count;
};

/* Made by klamm, may grow at its end, as the structures that it points to. */
struct klamm_topic_list {
	const struct klamm_topic_description *const *topics; /* sorted by name */
	size_t count;
};

/* Topics by name, each with its own error; names NULL = every topic that the client may see.
 * Asks no topic into being. *list_out ends with klamm_topic_list_free(). */
int klamm_admin_describe_topics(struct klamm_admin *admin, const char *const *names,
				size_t count, int64_t timeout_ms,
				struct klamm_topic_list **list_out, struct klamm_error *err);
void klamm_topic_list_free(struct klamm_topic_list *list); /* NULL is fine */

/* --- looking at the cluster --- */

struct klamm_broker_description {
	int32_t id;
	int32_t port;
	const char *host;
	const char *rack; /* NULL = none */
};

/* Made by klamm, may grow at its end, as the structures that it points to. */
struct klamm_cluster_description {
	const char *id;     /* NULL before Kafka 0.10.1 */
	int32_t controller; /* broker id, -1 = none or not known */
	const struct klamm_broker_description *const *brokers; /* ascending by id */
	size_t broker_count;
};

int klamm_admin_describe_cluster(struct klamm_admin *admin, int64_t timeout_ms,
				 struct klamm_cluster_description **cluster_out,
				 struct klamm_error *err);
void klamm_cluster_description_free(struct klamm_cluster_description *cluster);

/* --- groups ---
 *
 * A group's coordinator is asked, and found by klamm itself; brokers that move, start or are
 * not reached are asked again within the timeout. Expected errors beside each call's own:
 * GROUP_AUTHORIZATION_FAILED, COORDINATOR_NOT_AVAILABLE (inside TIMED_OUT: its topic of
 * offsets has no leader), UNSUPPORTED (the broker is too old for it). */

/* Which groups are wanted. Everything is borrowed for the call. */
struct klamm_group_filter {
	size_t size;
	/* "Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Dead", "Assigning",
	 * "Reconciling", "NotReady"; count 0 = any (Kafka 2.6, KIP-518) */
	const char *const *states;
	size_t state_count;
	/* "classic", "consumer", "share", "streams"; count 0 = any (3.8, KIP-848) */
	const char *const *types;
	size_t type_count;
};

struct klamm_group_listing {
	const char *id;
	const char *type;          /* "" = not told, classic then: Kafka before 3.8 */
	const char *state;         /* "" = not told: before 2.6 */
	const char *protocol_type; /* "consumer", "connect", ...; "" = without members */
	int32_t coordinator;       /* broker id */
};

/* Made by klamm, may grow at its end, as the structures that it points to. */
struct klamm_group_list {
	const struct klamm_group_listing *const *groups; /* sorted by id */
	size_t count;
	const struct klamm_error *errors; /* one for each broker that did not tell */
	size_t error_count;
};

/* All groups of the cluster: each broker tells those that it coordinates. filter NULL = all.
 * Returns the first broker's error, with what the others told in *list_out all the same; that
 * is NULL when nothing is known at all. Ends with klamm_group_list_free(). */
int klamm_admin_list_groups(struct klamm_admin *admin, const struct klamm_group_filter *filter,
			    int64_t timeout_ms, struct klamm_group_list **list_out,
			    struct klamm_error *err);
void klamm_group_list_free(struct klamm_group_list *list); /* NULL is fine */

struct klamm_group_member {
	const char *id;
	const char *instance_id; /* group.instance.id; NULL = not a static member (KIP-345) */
	const char *client_id;
	const char *host;        /* "/10.0.0.7" */
	const char *rack;        /* NULL = not told */
	const char *protocol;    /* how it takes part: "classic", "consumer", "" = not told */
	int32_t epoch;           /* -1 = a classic group */
	const char *const *topics; /* what it subscribed to, sorted */
	size_t topic_count;
	const char *regex;       /* matched by the coordinator (KIP-848); NULL = none */
	const struct klamm_topic_partition *assignment; /* by topic and partition */
	size_t assignment_count;
	/* What it shall have once others have given it up (KIP-848). */
	const struct klamm_topic_partition *target;
	size_t target_count;
	/* Of a classic group whose protocol_type is not "consumer": only its clients know what
	 * these say. */
	struct klamm_span metadata, raw_assignment;
};

struct klamm_group_description {
	const char *id;
	/* code 0, or why the rest is empty: GROUP_ID_NOT_FOUND, ... */
	struct klamm_error error;
	const char *type;          /* "classic", "consumer" */
	const char *state;         /* as in a filter */
	const char *protocol_type; /* "consumer", "connect", ...; "" = without members */
	const char *assignor;      /* "range", "uniform", ...; "" = none yet */
	int32_t coordinator;       /* broker id */
	int32_t epoch;             /* of the group; -1 = a classic one */
	int32_t assignment_epoch;  /* of the target assignment; -1 = a classic one */
	/* Bit n: the client may do operation n of Kafka's ACLs; INT32_MIN = not asked, or not
	 * told. */
	int32_t operations;
	const struct klamm_group_member *const *members; /* sorted by id */
	size_t member_count;
};

/* Made by klamm, may grow at its end, as the structures that it points to. */
struct klamm_group_descriptions {
	const struct klamm_group_description *const *groups; /* as they were asked for */
	size_t count;
};

#define KLAMM_ADMIN_OPERATIONS 2u /* tell what this client may do (Kafka 2.3, KIP-430) */

/* State and members of groups of consumers of either protocol, each with its own error.
 * Returns the first group's error, with the others in *groups_out all the same. It ends with
 * klamm_group_descriptions_free(); NULL is only left there when memory or an argument is what
 * is wrong. */
int klamm_admin_describe_groups(struct klamm_admin *admin, const char *const *ids,
				size_t count, uint32_t flags, int64_t timeout_ms,
				struct klamm_group_descriptions **groups_out,
				struct klamm_error *err);
void klamm_group_descriptions_free(struct klamm_group_descriptions *groups);

/* Forget groups and their offsets; errors and result as for topics (Kafka 1.1). Expected:
 * NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND. */
int klamm_admin_delete_groups(struct klamm_admin *admin, const char *const *ids, size_t count,
			      int64_t timeout_ms, struct klamm_error *errors,
			      struct klamm_error *err);

/* A member to remove: by its instance id, or by its id where that is NULL. */
struct klamm_member_name {
	const char *id;          /* NULL = whatever it is */
	const char *instance_id; /* NULL = not a static member */
};

/* Take members out of a classic group, so that the others get their partitions without
 * waiting for session.timeout.ms (KIP-345, Kafka 2.4). One that lives will join again.
 * members NULL = all (KIP-571). reason is for the broker's log (KIP-800); NULL = none.
 * errors: one per member, NULL = not wanted, and of no use with members NULL. Returns the
 * first member's error, or the call's own, which is then each one's. Expected:
 * UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
int klamm_admin_remove_group_members(struct klamm_admin *admin, const char *group,
				     const struct klamm_member_name *members, size_t count,
				     const char *reason, int64_t timeout_ms,
				     struct klamm_error *errors, struct klamm_error *err);

/* --- offsets of groups --- */

/* Whose offsets are wanted. Everything is borrowed for the call. */
struct klamm_group_offsets_query {
	size_t size;
	const char *group;
	/* NULL = all that are stored (Kafka 0.10.2). */
	const struct klamm_topic_partition *partitions;
	size_t count;
};

struct klamm_group_offset {
	const char *topic;
	int32_t partition;
	int32_t error;        /* enum klamm_err: TOPIC_AUTHORIZATION_FAILED, ... */
	int64_t offset;       /* of the next record to read, -1 = none is stored */
	int32_t leader_epoch; /* -1 = not known */
	const char *metadata; /* "" = none */
};

struct klamm_group_offsets {
	const char *group;
	struct klamm_error error; /* code 0, or why there are none */
	const struct klamm_group_offset *const *offsets; /* by topic and partition */
	size_t count;
};

/* Made by klamm, may grow at its end, as the structures that it points to. */
struct klamm_group_offsets_list {
	const struct klamm_group_offsets *const *groups; /* as they were asked for */
	size_t count;
};

/* Wait for transactions that are about to commit offsets (KIP-447, Kafka 2.5). */
#define KLAMM_ADMIN_STABLE 4u

/* What groups have committed, many groups in one request from Kafka 3.0 on (KIP-709). A group
 * that nobody knows has no offsets. Returns and leaves as klamm_admin_describe_groups(). */
int klamm_admin_list_group_offsets(struct klamm_admin *admin,
				   const struct klamm_group_offsets_query *const *queries,
				   size_t count, uint32_t flags, int64_t timeout_ms,
				   struct klamm_group_offsets_list **list_out,
				   struct klamm_error *err);
void klamm_group_offsets_list_free(struct klamm_group_offsets_list *list);

/* Commit offsets in the place of a group that has no members, which it makes if need be.
 * errors: one per offset, NULL = not wanted. Expected: UNKNOWN_MEMBER_ID (the group has
 * members; stop them first), UNKNOWN_TOPIC_OR_PARTITION, OFFSET_METADATA_TOO_LARGE. */
int klamm_admin_alter_group_offsets(struct klamm_admin *admin, const char *group,
				    const struct klamm_offset *offsets, size_t count,
				    int64_t timeout_ms, struct klamm_error *errors,
				    struct klamm_error *err);

/* Forget offsets of a group (KIP-496, Kafka 2.4). errors: one per partition, NULL = not
 * wanted. Expected: GROUP_ID_NOT_FOUND, GROUP_SUBSCRIBED_TO_TOPIC,
 * UNKNOWN_TOPIC_OR_PARTITION. */
int klamm_admin_delete_group_offsets(struct klamm_admin *admin, const char *group,
				     const struct klamm_topic_partition *partitions,
				     size_t count, int64_t timeout_ms,
				     struct klamm_error *errors, struct klamm_error *err);

#ifdef __cplusplus
}
#endif
#endif
