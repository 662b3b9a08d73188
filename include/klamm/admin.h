/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin client: creates, deletes and describes.
 *
 * Every call waits for its end, up to its timeout. A call on several things has one error for
 * each, so that one failure hides no success; errors that pass by themselves (no controller
 * for a moment, a quota) are retried within the timeout.
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

#ifdef __cplusplus
}
#endif
#endif
