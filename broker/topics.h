/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics and partitions: who leads what, and where its records are. Lives in the broker's
 * loop. */
#ifndef KL_DEV_TOPICS_H
#define KL_DEV_TOPICS_H

#include "broker/configs.h"
#include "broker/log.h"
#include "broker/producers.h"
#include "core/base/list.h"
#include "core/proto/gen/messages.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct klamm_broker;

#define KL_DEV_TOPIC_NAME_MAX 249
#define KL_DEV_PARTITIONS_MAX 100000 /* of all topics */

struct kl_dev_partition {
	struct kl_dev_topic *topic;
	int32_t index;
	int32_t leader; /* -1 = none of its replicas runs */
	int32_t leader_epoch;
	int32_t *replicas; /* node ids, the preferred leader first */
	int32_t replica_count;
	struct kl_dev_log log;
	struct kl_dev_producers producers;
	struct kl_list waits; /* struct kl_dev_wait: fetches that want more */
	bool is_unread; /* of __consumer_offsets: memory was short, it is to be read again */
};

struct kl_dev_topic {
	UT_hash_handle hh;   /* by name */
	UT_hash_handle hh_id;
	struct klamm_uuid id;
	struct kl_dev_partition **partitions;
	int32_t partition_count;
	int16_t replicas; /* of its first partition */
	struct kl_dev_settings settings;
	uint64_t mark; /* see kl_dev_topic_mark() */
	int32_t name_len;
	char name[];
};

struct kl_dev_topics {
	struct kl_dev_topic *by_name, *by_id;
	int64_t partitions; /* of all topics */
	int32_t next_leader;
	uint64_t mark;
	uint64_t version; /* from 1; rises when topics and partitions come and go */
};

static inline struct kl_str kl_dev_topic_name(const struct kl_dev_topic *topic)
{
	return (struct kl_str){topic->name, topic->name_len};
}

/* --- partitions.c --- */

/* Where replicas go: as told, or round the nodes, so that leaders are spread. */
struct kl_dev_placing {
	const int32_t *told; /* NULL = round */
	int32_t replicas;
};
struct kl_dev_partition *kl_dev_partition_new(struct klamm_broker *broker,
					      struct kl_dev_topic *topic, int32_t index,
					      const struct kl_dev_placing *placing);
/* One that was there before, without a leader; its replicas are to be filled in. It is the
 * topic's next. */
struct kl_dev_partition *kl_dev_partition_restore(struct klamm_broker *broker,
						  struct kl_dev_topic *topic,
						  int32_t replica_count);
void kl_dev_partition_free(struct kl_dev_partition *partition); /* NULL is fine */
/* A batch of its log, while that is read again: for what is known of producers. A
 * kl_dev_seen_fn. */
bool kl_dev_partition_saw(void *partition, const struct kl_batch_head *head,
			  const uint8_t *control);
/* Where readers of committed records stop: at or below the high watermark. */
int64_t kl_dev_partition_stable(struct kl_dev_partition *partition);
/* Records below offset, which is in start..high, are gone. */
void kl_dev_partition_trim(struct kl_dev_partition *partition, int64_t offset);
/* Nothing is known of its segments and producers; the files stay. */
void kl_dev_partition_forget(struct kl_dev_partition *partition);
/* What was not synced is forgotten, after a sync that failed. 0, or KAFKA_STORAGE_ERROR: it
 * could not be. */
int kl_dev_partition_mend(struct kl_dev_partition *partition);
/* 0, or KAFKA_STORAGE_ERROR: the log is not fit to be appended to. */
int kl_dev_partition_ready(struct klamm_broker *broker, struct kl_dev_partition *partition);
/* NULL: the topic (which may be NULL) has no such partition. */
struct kl_dev_partition *kl_dev_partition(struct kl_dev_topic *topic, int32_t index);
/* A list of replicas that a client made up; it must be of this length. */
int kl_dev_check_replicas(struct klamm_broker *broker, const int32_t *ids, int32_t n,
			  int32_t expected, struct klamm_error *err);
/* Wake who waits for the partition: it has more records, another leader, or goes. */
void kl_dev_partition_changed(struct kl_dev_partition *partition);
/* A new leader (-1 = none) begins its epoch. 0 or NO_MEMORY. */
int kl_dev_partition_lead(struct klamm_broker *broker, struct kl_dev_partition *partition,
			  int32_t node);
/* Its last records are gone, so many and what else is in their batches, before another node
 * leads: see truncate.c. 0 or KAFKA_STORAGE_ERROR. */
int kl_dev_partition_lose(struct kl_dev_partition *partition, int64_t count);
/* Another leader, if the one that it has does not run. false: it stays. */
bool kl_dev_partition_elect(struct klamm_broker *broker, struct kl_dev_partition *partition);

/* --- topics.c --- */

void kl_dev_topics_free(struct klamm_broker *broker);

struct kl_dev_topic *kl_dev_topic_named(struct klamm_broker *broker, struct kl_str name);
struct kl_dev_topic *kl_dev_topic_with_id(struct klamm_broker *broker,
					  const struct klamm_uuid *id);

/* 0 or INVALID_TOPIC_EXCEPTION. */
int kl_dev_topic_check_name(struct kl_str name, struct klamm_error *err);

/* What a new topic is to be. Counts of -1 mean the broker's defaults. */
struct kl_dev_topic_spec {
	struct kl_str name;
	int32_t partitions;
	int32_t replicas;
	/* By partition, instead of the counts; NULL = the broker places them. */
	const struct kl_create_topics_request_assignment *assignments;
	int32_t assignment_count;
	const struct kl_create_topics_request_config *configs;
	int32_t config_count;
	bool validate_only;
};
/* 0 or an error of Kafka's CreateTopics; *topic_out is NULL when it was only validated. */
int kl_dev_topic_create(struct klamm_broker *broker, const struct kl_dev_topic_spec *spec,
			struct kl_dev_topic **topic_out, struct klamm_error *err);
/* May it have that many? INVALID_PARTITIONS, POLICY_VIOLATION. */
int kl_dev_topic_check_growth(struct klamm_broker *broker, const struct kl_dev_topic *topic,
			      int32_t count, struct klamm_error *err);
/* More partitions, placed by the broker or as told: one array of replicas for each. */
int kl_dev_topic_grow(struct klamm_broker *broker, struct kl_dev_topic *topic, int32_t count,
		      const struct kl_create_partitions_request_assignment *assignments,
		      struct klamm_error *err);
/* With its files. KAFKA_STORAGE_ERROR: it is still there. */
int kl_dev_topic_delete(struct klamm_broker *broker, struct kl_dev_topic *topic,
			struct klamm_error *err);
/* One that was there before, with room for its partitions; settings are taken. NULL: out of
 * memory. */
struct kl_dev_topic *kl_dev_topic_restore(struct klamm_broker *broker, struct kl_str name,
					  const struct klamm_uuid *id, int32_t partition_count,
					  struct kl_dev_settings *settings);

/* A request that may name a topic any number of times answers for it once: after
 * kl_dev_topics_unmark(), the first mark of each topic is true. */
void kl_dev_topics_unmark(struct klamm_broker *broker);
bool kl_dev_topic_mark(struct klamm_broker *broker, struct kl_dev_topic *topic);

/* Give every partition that needs one a leader among the nodes that run; one that was just
 * restored has none. */
void kl_dev_topics_elect(struct klamm_broker *broker);

#endif
