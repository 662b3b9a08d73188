/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups: one table of them by id, of whatever type, for all nodes. A group is there from
 * when somebody joins it, or commits for it, until it is deleted or has nothing left that
 * does not expire.
 *
 * What a group is lies in the records of its home partition of __consumer_offsets. When the
 * partition gets another leader they are read again, and what they do not say is forgotten,
 * as in Kafka: who waits for an answer is told NOT_COORDINATOR. So a pointer to a group is
 * good until the next kl_dev_call_home(). Lives in the broker's loop. */
#ifndef KL_DEV_GROUPS_H
#define KL_DEV_GROUPS_H

#include "broker/batch_make.h"
#include "broker/broker.h"
#include "broker/classic.h"
#include "broker/modern.h"

struct kl_dev_offset;
struct kl_dev_offset_value;

/* Who commits, as the request has it. */
struct kl_dev_committer {
	struct kl_str member_id;   /* empty = none */
	struct kl_str instance_id; /* null = none */
	int32_t generation;        /* or a member's epoch; -1 = none */
	int16_t version;           /* of the request */
	bool in_transaction;
};

/* What types of groups differ in. */
struct kl_dev_group_type {
	const char *name; /* as ListGroups has it */
	const char *(*state)(const struct kl_dev_group *group);
	struct kl_str (*protocol)(const struct kl_dev_group *group); /* "consumer"; or "" */
	bool (*is_empty)(const struct kl_dev_group *group); /* it has no members */
	/* May it commit? 0; or the error. Who may is alive. */
	int (*check_commit)(struct kl_dev_group *group, const struct kl_dev_committer *who);
	/* May it for this partition? NULL: as said. */
	int (*check_commit_part)(const struct kl_dev_group *group,
				 const struct kl_dev_committer *who,
				 const struct klamm_uuid *topic, int32_t index);
	/* May a member of an epoch (empty and -1 = nobody says so) read what was committed? */
	int (*check_fetch)(const struct kl_dev_group *group, struct kl_str member_id,
			   int32_t epoch);
	/* May what was committed be deleted, of topics that nobody subscribes to? */
	int (*check_delete)(const struct kl_dev_group *group);
	bool (*subscribes)(const struct kl_dev_group *group, struct kl_str topic);
	/* Since when an offset is not in use, in ms since 1970; INT64_MAX: it is. */
	int64_t (*idle_since)(const struct kl_dev_group *group,
			      const struct kl_dev_offset_value *value);
	/* The group is forgotten: tombstones of all its records but the offsets'. */
	void (*put_tombstones)(const struct kl_dev_group *group, struct kl_dev_batch *batch);
	/* Its records were read: its members have their time from now on. */
	void (*loaded)(struct kl_dev_group *group);
	/* All that it has goes; who waits is told so. */
	void (*clear)(struct kl_dev_group *group, int error);
};
extern const struct kl_dev_group_type kl_dev_classic_type;

struct kl_dev_group {
	UT_hash_handle hh; /* by id */
	struct klamm_broker *broker;
	const struct kl_dev_group_type *type;
	int32_t home;                  /* partition of __consumer_offsets */
	struct kl_dev_offset *offsets; /* see offsets.h */
	struct kl_dev_classic classic; /* of that type; otherwise as it is made */
	struct kl_dev_modern *modern;  /* of that type, or NULL */
	int32_t id_len;
	char id[];
};

static inline struct kl_str kl_dev_group_id(const struct kl_dev_group *group)
{
	return (struct kl_str){group->id, group->id_len};
}

/* --- groups.c --- */

/* NULL: there is none. */
struct kl_dev_group *kl_dev_group_find(struct klamm_broker *broker, struct kl_str id);
/* One that was not there: classic, without members. NULL: out of memory. */
struct kl_dev_group *kl_dev_group_add(struct klamm_broker *broker, struct kl_str id,
				      int32_t home);
/* Its record is gone: what was committed for it keeps it, as a group that nobody joined. */
void kl_dev_group_forget(struct kl_dev_group *group);
void kl_dev_groups_drop_home(struct klamm_broker *broker, int32_t home); /* -1 = all */
/* The partition that keeps it. NULL: there is none, or it cannot be written to. */
struct kl_dev_partition *kl_dev_group_home(const struct kl_dev_group *group);
/* Members and patterns of all groups together have a limit: false = that would be too much. */
bool kl_dev_groups_have_room(const struct klamm_broker *broker, size_t n);
bool kl_dev_groups_take(struct klamm_broker *broker, size_t n);
/* What a log says is taken in all the same. */
void kl_dev_groups_count(struct klamm_broker *broker, size_t n);
void kl_dev_groups_give(struct klamm_broker *broker, size_t n);
/* At the end of this step look which records are on the disk. */
void kl_dev_groups_progress(struct klamm_broker *broker);
void kl_dev_groups_step(struct kl_hook *hook);

/* --- group_log.c --- */

/* Append the batch, if there is something in it, and do what it says; with a producer's id
 * (-1 = none) as part of its transaction. 0, COORDINATOR_NOT_AVAILABLE,
 * INVALID_PRODUCER_EPOCH, ... */
int kl_dev_group_append(struct klamm_broker *broker, struct kl_dev_partition *home,
			struct kl_dev_batch *batch, int64_t producer_id, int16_t epoch);
/* The same for what holds here already. UNKNOWN_SERVER_ERROR: it is larger than a record of
 * the topic may be. */
int kl_dev_group_store(struct klamm_broker *broker, struct kl_dev_partition *home,
		       struct kl_dev_batch *batch);
/* Read all of a home partition. 0 or KAFKA_STORAGE_ERROR. */
int kl_dev_groups_load(struct klamm_broker *broker, struct kl_dev_partition *home);

/* --- group_expiry.c --- */

/* Forget what is older than offsets.retention.minutes, and groups that have nothing. */
void kl_dev_groups_expire(struct klamm_broker *broker);
/* A topic goes, and what was committed for it. */
void kl_dev_groups_forget_topic(struct klamm_broker *broker, struct kl_str topic);

#endif
