/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups whose coordinator assigns (KIP-848), which Kafka's sources call modern, by the rules
 * of its GroupMetadataManager: the group has an epoch that grows with each change of members
 * or topics; a target, who shall have what, is worked out for an epoch; and each member moves
 * from what it has to its target, heartbeat by heartbeat, giving up first what others get.
 *
 * What a group is changes by its records alone: a heartbeat makes a batch of them, and what
 * they say holds once that is appended. Lives in the broker's loop. */
#ifndef KL_DEV_MODERN_H
#define KL_DEV_MODERN_H

#include "broker/call.h"
#include "broker/parts.h"
#include "core/base/text.h"
#include "core/proto/gen/messages.h"

struct kl_dev_batch;
struct kl_dev_group;
struct kl_pattern;

/* Epochs in requests that are no epochs. */
#define KL_DEV_JOINS 0
#define KL_DEV_LEAVES (-1)
#define KL_DEV_LEAVES_STATIC (-2) /* a static member that will be back (KIP-345) */

/* As the records say it. */
enum kl_dev_modern_state {
	KL_DEV_MODERN_STABLE,
	KL_DEV_MODERN_UNREVOKED,  /* it is to give partitions up */
	KL_DEV_MODERN_UNRELEASED, /* it waits for partitions that others give up */
};

/* What a record said, kept as it was, with what it says. */
struct kl_dev_modern_about {
	struct kl_arena arena;
	struct klamm_span bytes;
	const struct kl_consumer_group_member_metadata_value *value; /* NULL: nothing yet */
};

struct kl_dev_modern_member {
	UT_hash_handle hh; /* by id */
	UT_hash_handle hh_static; /* by the instance's id, if it is one */
	bool is_static;
	bool goes; /* with the request that is being handled */
	struct kl_dev_group *group;
	struct kl_dev_modern_about about;
	int32_t epoch, previous_epoch;
	enum kl_dev_modern_state state;
	struct kl_dev_parts has;    /* with the epochs since when */
	struct kl_dev_parts gives;  /* and what it is to give up */
	struct kl_dev_parts target; /* what it shall have */
	struct kl_timer session;    /* it is put out when it was not heard of */
	/* One of the classic protocol is when it was told to join, or has joined, and does not
	 * join, or ask what it is assigned. */
	struct kl_timer join, sync;
	struct kl_timer rebalance;  /* or does not give up in time, */
	int32_t rebalance_epoch;    /* and is in this epoch still */
	size_t bytes;               /* that it counts for */
	int32_t id_len;
	char id[];
};

static inline struct kl_str kl_dev_modern_id(const struct kl_dev_modern_member *member)
{
	return (struct kl_str){member->id, member->id_len};
}

/* How a member takes part that speaks the classic protocol; NULL: it does not. */
static inline const struct kl_consumer_group_member_metadata_value_classic *
kl_dev_modern_classic(const struct kl_dev_modern_member *member)
{
	return member->about.value != NULL ? member->about.value->classic_member_metadata
					   : NULL;
}

static inline bool kl_dev_modern_is_classic(const struct kl_dev_modern_member *member)
{
	return kl_dev_modern_classic(member) != NULL;
}

/* A pattern that members subscribe to, and the topics that it means. */
struct kl_dev_modern_regex {
	UT_hash_handle hh; /* by text */
	struct kl_arena arena;
	const struct kl_str *topics; /* sorted */
	int32_t topic_count;
	size_t bytes; /* that it counts for */
	int32_t text_len;
	char text[];
};

struct kl_dev_modern {
	int32_t epoch;
	int32_t target_epoch; /* the epoch that the target is for */
	int64_t target_ms;    /* when it was worked out, since 1970; 0 = not known */
	int64_t hash;         /* of the topics that are subscribed to */
	int64_t hash_due;     /* loop time: look at them again, */
	uint64_t hash_seen;   /* or when topics have changed since */
	struct kl_dev_modern_member *members;
	struct kl_dev_modern_member *statics; /* uthash, by instance */
	struct kl_dev_modern_regex *regexes;
	int64_t regex_ms;    /* when they were held to the topics; 0 = never */
	uint64_t regex_seen; /* and to which */
	bool regex_late;     /* not to all: that took too long */
};

extern const struct kl_dev_group_type kl_dev_modern_type;

/* --- modern.c --- */

/* The group, which is without members, becomes such a one. false: out of memory. */
bool kl_dev_modern_init(struct kl_dev_group *group);
struct kl_dev_modern_member *kl_dev_modern_find(const struct kl_dev_group *group,
						struct kl_str id);
struct kl_dev_modern_member *kl_dev_modern_static(const struct kl_dev_group *group,
						  struct kl_str instance);
/* Says this from now on; taken. false: out of memory, and nothing has changed. */
bool kl_dev_modern_say(struct kl_dev_modern_member *member,
		       const struct kl_dev_modern_about *about);
/* One that was not there. NULL: out of memory. */
struct kl_dev_modern_member *kl_dev_modern_add(struct kl_dev_group *group, struct kl_str id);
void kl_dev_modern_drop(struct kl_dev_modern_member *member);
struct kl_dev_modern_regex *kl_dev_modern_regex(const struct kl_dev_group *group,
						struct kl_str text);
void kl_dev_modern_drop_regex(struct kl_dev_group *group, struct kl_dev_modern_regex *regex);
/* How many members subscribe to a pattern, one of them not counted (NULL = all are). */
int32_t kl_dev_modern_regex_uses(const struct kl_dev_group *group, struct kl_str text,
				 const struct kl_dev_modern_member *but);
/* The pattern that a member subscribes to; len <= 0: none. */
struct kl_str
kl_dev_modern_pattern(const struct kl_consumer_group_member_metadata_value *about);
/* Which assignor the members want, one of them being about to say this. */
struct kl_str
kl_dev_modern_assignor(const struct kl_dev_group *group,
		       const struct kl_dev_modern_member *member,
		       const struct kl_consumer_group_member_metadata_value *about);

/* Subscribed topics as records have them: sorted, each once. false: out of memory. */
bool kl_dev_modern_name_topics(struct kl_consumer_group_member_metadata_value *about,
			       const struct kl_str *topics, int32_t count,
			       struct kl_arena *arena);
/* A random UUID, as Kafka gives them to members. */
void kl_dev_modern_make_id(struct klamm_broker *broker, char id[static KL_UUID_TEXT]);
/* Somebody has it, or is to give it up. */
bool kl_dev_modern_is_held(const struct kl_dev_group *group, const struct klamm_uuid *topic,
			   int32_t index, const struct kl_dev_modern_member *but);

/* The assignors of the broker: "uniform, range", the first for who wants none. */
bool kl_dev_modern_has_assignor(const struct klamm_broker *broker, struct kl_str name);
const char *kl_dev_modern_assignors(const struct klamm_broker *broker);
struct kl_str kl_dev_modern_default_assignor(const struct klamm_broker *broker);

/* --- modern_times.c --- */

/* It was heard of. */
void kl_dev_modern_alive(struct kl_dev_modern_member *member);
/* The group was read from its log. */
void kl_dev_modern_loaded(struct kl_dev_modern_member *member);
/* It is to join, and has its time since it was told so first; it has joined, and is to ask. */
void kl_dev_modern_await_join(struct kl_dev_modern_member *member);
void kl_dev_modern_await_sync(struct kl_dev_modern_member *member);
/* Its state was set: it has its time to give up what it is to, or needs none. */
void kl_dev_modern_pace(struct kl_dev_modern_member *member);
void kl_dev_modern_on_session(struct kl_timer *timer);
void kl_dev_modern_on_rebalance(struct kl_timer *timer);
void kl_dev_modern_on_join(struct kl_timer *timer);
void kl_dev_modern_on_sync(struct kl_timer *timer);
/* These are put out, or have left; they are freed then, and when all that are left speak the
 * classic protocol the group is a classic one. 0 or COORDINATOR_NOT_AVAILABLE. */
int kl_dev_modern_remove(struct kl_dev_modern_member *const *members, size_t n,
			 const char *why);

/* --- modern_classic.c: members that speak the classic protocol --- */

void kl_dev_modern_join(struct kl_dev_call *call, struct kl_dev_group *group,
			struct kl_dev_partition *home);
void kl_dev_modern_sync(struct kl_dev_call *call, struct kl_dev_group *group,
			struct kl_dev_partition *home);
/* Heartbeat; the error. */
int kl_dev_modern_classic_beat(const struct kl_dev_group *group,
			       const struct kl_heartbeat_request *request);
/* The one that LeaveGroup means. 0, UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID. */
int kl_dev_modern_leaving(const struct kl_dev_group *group,
			  const struct kl_leave_group_request_member *asked,
			  struct kl_dev_modern_member **member_out);

/* --- modern_log.c: records --- */

/* What they are about: the number before the key. */
enum kl_dev_modern_kind {
	KL_DEV_MODERN_GROUP = 3,
	KL_DEV_MODERN_ABOUT = 5,
	KL_DEV_MODERN_TARGET_EPOCH = 6,
	KL_DEV_MODERN_TARGET = 7,
	KL_DEV_MODERN_CURRENT = 8,
	KL_DEV_MODERN_REGEX = 16,
};

struct kl_dev_modern_log {
	struct kl_dev_batch *batch;
	struct kl_str group, member;
};
void kl_dev_modern_put_epoch(const struct kl_dev_modern_log *log, int32_t epoch, int64_t hash);
void kl_dev_modern_put_target_epoch(const struct kl_dev_modern_log *log, int32_t epoch,
				    int64_t ms);
/* Of a member; NULL: a tombstone. */
void kl_dev_modern_put_about(const struct kl_dev_modern_log *log,
			     const struct kl_consumer_group_member_metadata_value *about);
bool kl_dev_modern_put_target(const struct kl_dev_modern_log *log,
			      const struct kl_dev_parts *target);
struct kl_dev_modern_now {
	int32_t epoch, previous_epoch;
	enum kl_dev_modern_state state;
	struct kl_dev_parts has, gives;
};
bool kl_dev_modern_put_current(const struct kl_dev_modern_log *log,
			       const struct kl_dev_modern_now *now);
/* It is gone: all of the above. */
void kl_dev_modern_put_no_member(const struct kl_dev_modern_log *log);
void kl_dev_modern_put_no_group(const struct kl_dev_group *group, struct kl_dev_batch *batch);
void kl_dev_modern_put_regex(const struct kl_dev_modern_log *log, struct kl_str text,
			     const struct kl_str *topics, int32_t count);
void kl_dev_modern_put_no_regex(const struct kl_dev_modern_log *log, struct kl_str text);

/* --- modern_read.c --- */

/* A record whose key is of this kind. 0 or KAFKA_STORAGE_ERROR; what cannot be read is left
 * alone. */
bool kl_dev_modern_is_kind(int16_t kind);
int kl_dev_modern_take(struct klamm_broker *broker, int32_t home, int16_t kind,
		       struct kl_reader *key, const struct klamm_span *value);

/* --- modern_topics.c --- */

/* Topics that members subscribe to by name or pattern, and that there are; one member is about
 * to say something else (or, about NULL, to go). false: out of memory. */
struct kl_dev_modern_change {
	const struct kl_dev_group *group;
	const struct kl_dev_modern_member *member; /* NULL = nobody changes */
	const struct kl_consumer_group_member_metadata_value *about;
	struct kl_arena *arena;
};
bool kl_dev_modern_topics_of(const struct kl_dev_modern_change *change,
			     const struct kl_consumer_group_member_metadata_value *about,
			     struct kl_dev_topic ***topics_out, int32_t *count_out);
bool kl_dev_modern_hash(const struct kl_dev_modern_change *change, int64_t *hash_out);
bool kl_dev_modern_subscribes(const struct kl_dev_group *group, struct kl_str topic);

/* --- modern_target.c --- */

/* Who shall have what. Records of what changes are put into the batch; what the member itself
 * shall have goes to target_out. false: out of memory. */
bool kl_dev_modern_assign(const struct kl_dev_modern_change *change, struct kl_str assignor,
			  struct kl_dev_batch *batch, struct kl_dev_parts *target_out);

/* --- modern_current.c --- */

/* The next step of a member towards its target. All sets in and out are sorted; those of now
 * are replaced. */
struct kl_dev_modern_step {
	const struct kl_dev_parts *target;
	int32_t target_epoch;
	bool subscription_changed;
	/* What it says that it has; NULL = it does not say. */
	const struct kl_dev_parts *owned;
	/* Does it subscribe to the topic? Has another member the partition still? */
	bool (*subscribes)(void *arg, const struct klamm_uuid *topic);
	bool (*is_held)(void *arg, const struct klamm_uuid *topic, int32_t index);
	void *arg;
};
/* 1: now is another; 0: as it was; -1: out of memory. */
int kl_dev_modern_advance(struct kl_dev_modern_now *now,
			  const struct kl_dev_modern_step *step);

/* --- modern_regex.c --- */

/* 0, INVALID_REGULAR_EXPRESSION, or COORDINATOR_NOT_AVAILABLE when memory is short. */
int kl_dev_modern_check_regex(struct kl_str text, struct klamm_error *err);
/* Hold the patterns to the topics, if it is time to: another one is subscribed to, topics have
 * come, or group.consumer.regex.refresh.interval.ms is over. What is new is appended. */
void kl_dev_modern_match(struct kl_dev_group *group);

#endif
