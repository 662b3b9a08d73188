/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic groups, by the rules of Kafka's GroupMetadataManager and ClassicGroup: members join,
 * one of them, the leader, assigns, and all get what it assigned (KIP-345, KIP-394, KIP-559,
 * KIP-814). Lives in the broker's loop. */
#ifndef KL_DEV_CLASSIC_H
#define KL_DEV_CLASSIC_H

#include "broker/call.h"

struct kl_dev_batch;
struct kl_dev_group;

/* Kafka's Dead is a group that is not there. */
enum kl_dev_classic_state {
	KL_DEV_CLASSIC_EMPTY,
	KL_DEV_CLASSIC_PREPARING,  /* members join */
	KL_DEV_CLASSIC_COMPLETING, /* the leader assigns */
	KL_DEV_CLASSIC_STABLE,
};

/* A member, or one that was given an id and is to come with it (KIP-394). */
struct kl_dev_member {
	UT_hash_handle hh;          /* by id */
	UT_hash_handle by_instance; /* of static members */
	struct kl_dev_member **table; /* of its group, by id */
	struct kl_dev_group *group;
	struct kl_str id, instance, client_id, client_host; /* instance null = dynamic */
	int32_t session_ms, rebalance_ms;
	struct kl_dev_offers *offers; /* NULL: it is to come */
	struct kl_bytes assigned, next; /* what it has; what it gets when that is stored */
	struct kl_timer session;
	/* Its request waits; the list is empty when its connection has gone meanwhile. */
	struct kl_list join, sync;
	bool joins, syncs;
	bool is_new;   /* was not told of a generation yet */
	bool unsynced; /* was told of this one, and did not ask what it is assigned */
	size_t bytes;  /* that all this takes */
	char texts[];
};

/* The protocols that a member offers, best first, in one piece of memory. */
struct kl_dev_offer {
	struct kl_str name;
	struct kl_bytes metadata;
};
struct kl_dev_offers {
	size_t bytes;
	int32_t count;
	struct kl_dev_offer list[];
};
/* More are refused: whatever compares them looks at each. */
#define KL_DEV_OFFERS_MAX 32

/* The topics that all members together subscribe to. */
struct kl_dev_group_topic;
struct kl_dev_group_topics {
	struct kl_dev_group_topic *by_name;
	bool known; /* the members' metadata is that of consumers, and was read */
};

struct kl_dev_classic {
	enum kl_dev_classic_state state, previous;
	int64_t since_ms; /* in this state, since 1970; -1 = not known */
	int32_t generation;
	char *protocol_type; /* NULL: nobody has joined yet */
	char *protocol;      /* the one that was voted for; NULL = none */
	struct kl_dev_member *members, *by_instance;
	struct kl_dev_member *expected; /* who has an id, and is to come with it */
	struct kl_dev_member *leader;   /* NULL: there are no members */
	size_t joining;                 /* members whose join waits */
	struct kl_timer phase; /* of joining, or until all have synced; made when needed */
	struct {
		bool runs, grew; /* somebody came while it waits */
		int32_t delay_ms, left_ms;
	} initial; /* a group without members waits a while for more */
	struct {
		struct kl_list link; /* in broker->groups.storing */
		struct kl_dev_pledge pledge;
		int32_t generation;
	} storing; /* what the leader assigned is on its way to the disk */
	struct kl_dev_group_topics topics;
};

/* --- member.c --- */

struct kl_dev_member_spec {
	struct kl_str id, instance, client_id, client_host;
	int32_t session_ms, rebalance_ms;
};
/* In no table. NULL: out of memory. */
struct kl_dev_member *kl_dev_member_new(struct kl_dev_group *group,
					const struct kl_dev_member_spec *spec);
/* Out of the tables, with its timer; nobody waits for it any more. */
void kl_dev_member_free(struct kl_dev_member *member);
/* What another one offers and has becomes this one's, which has nothing. */
void kl_dev_member_inherit(struct kl_dev_member *member, struct kl_dev_member *old);
/* Into the tables of members, or of those that are to come. false: out of memory. */
bool kl_dev_member_enter(struct kl_dev_member *member);
bool kl_dev_member_expect(struct kl_dev_member *member);
struct kl_dev_member *kl_dev_member_find(const struct kl_dev_group *group, struct kl_str id);
struct kl_dev_member *kl_dev_member_expected(const struct kl_dev_group *group,
					     struct kl_str id);
struct kl_dev_member *kl_dev_member_static(const struct kl_dev_group *group,
					   struct kl_str instance);
/* Is it one of the group's, by the name that it gives itself? 0; or UNKNOWN_MEMBER_ID,
 * FENCED_INSTANCE_ID. */
int kl_dev_member_check(const struct kl_dev_group *group, struct kl_str id,
			struct kl_str instance);
/* It offers these, and nothing else. false: out of memory. */
bool kl_dev_member_offer(struct kl_dev_member *member,
			 const struct kl_join_group_request_protocol *protocols, int32_t n);
bool kl_dev_member_offers(const struct kl_dev_member *member,
			  const struct kl_join_group_request_protocol *protocols, int32_t n);
/* What it says for a protocol. NULL: it does not offer it. */
const struct kl_bytes *kl_dev_member_metadata(const struct kl_dev_member *member,
					      struct kl_str protocol);
/* A copy of what it is assigned, in place of what there was. false: out of memory. */
bool kl_dev_member_assign(struct kl_dev_member *member, struct kl_bytes *slot,
			  struct kl_bytes assignment);
/* It is heard of: its time begins anew. */
void kl_dev_member_alive(struct kl_dev_member *member, int64_t ms);

/* --- classic.c --- */

/* Without members; what was there must have been cleared. */
void kl_dev_classic_init(struct kl_dev_group *group);
const char *kl_dev_classic_state_name(const struct kl_dev_group *group);
bool kl_dev_classic_uses_consumers(const struct kl_dev_group *group);
/* Do all members offer one of these? Of a group without members: is there one? */
bool kl_dev_classic_supports(const struct kl_dev_group *group, struct kl_str type,
			     const struct kl_join_group_request_protocol *protocols,
			     int32_t n);
/* What most vote for among those that all offer. */
struct kl_str kl_dev_classic_vote(const struct kl_dev_group *group);

/* --- classic_rebalance.c --- */

/* Begin a rebalance; or, while one runs, end its joining if nobody is missing. The reason is
 * for the log. */
void kl_dev_classic_rebalance(struct kl_dev_group *group, const char *reason);
/* The same, but one that completes begins again. */
void kl_dev_classic_prepare(struct kl_dev_group *group, const char *reason);
/* End the joining if nobody is missing, and it is not that of a group that was empty. */
void kl_dev_classic_try_complete(struct kl_dev_group *group);
/* It joins, with its offers; the first one says which type of protocol this is. false: out of
 * memory, and it is in no table. */
bool kl_dev_classic_add(struct kl_dev_member *member, struct kl_str protocol_type);
/* It leaves, or is put out: what waits is answered, and it is freed. What follows of it for
 * the group is the caller's. */
void kl_dev_classic_remove(struct kl_dev_member *member);
/* A static member comes again under a new id: it has what the old one had, which is fenced
 * and freed. NULL: out of memory, and the old one stays. */
struct kl_dev_member *kl_dev_classic_replace(struct kl_dev_member *old, struct kl_str id);
/* It was not heard of for its time. */
void kl_dev_classic_on_session(struct kl_timer *timer);
/* The group was read from its log. */
void kl_dev_classic_loaded(struct kl_dev_group *group);

/* --- classic_answer.c --- */

/* Its join, or its sync, waits for the others. */
void kl_dev_classic_await_join(struct kl_dev_member *member, struct kl_dev_call *call);
void kl_dev_classic_await_sync(struct kl_dev_member *member, struct kl_dev_call *call);
/* What waits is answered, if there is still somebody to answer. */
void kl_dev_classic_joined(struct kl_dev_member *member);
void kl_dev_classic_synced(struct kl_dev_member *member);
void kl_dev_classic_refuse_join(struct kl_dev_member *member, struct kl_str id, int error);
void kl_dev_classic_refuse_sync(struct kl_dev_member *member, int error);
/* What is answered to who joins: the generation; or an error and an id. */
struct kl_dev_joined {
	const struct kl_dev_member *member;
	struct kl_str leader;
	bool tells_members, skips;
};
void kl_dev_answer_joined(struct kl_dev_call *call, const struct kl_dev_joined *joined);
void kl_dev_answer_not_joined(struct kl_dev_call *call, struct kl_str member_id, int error);
void kl_dev_answer_synced(struct kl_dev_call *call, const struct kl_dev_member *member);
void kl_dev_answer_not_synced(struct kl_dev_call *call, int error);

/* --- classic_sync.c --- */

/* The leader has assigned. */
void kl_dev_classic_assign(struct kl_dev_group *group,
			   const struct kl_sync_group_request *request);
/* What was assigned is on the disk, or not. */
void kl_dev_classic_stored(struct kl_dev_group *group);
/* All that wait are told this, and nothing is assigned. */
void kl_dev_classic_unassign(struct kl_dev_group *group, int error);

/* --- classic_log.c --- */

/* A record of the group as it is, with what its members have or, next, get. 0, or an error
 * that its members are told. */
int kl_dev_classic_store(struct kl_dev_group *group, bool next);
void kl_dev_classic_put(struct kl_str group, const struct kl_group_metadata_value *value,
			struct kl_dev_batch *batch);
void kl_dev_classic_put_none(const struct kl_dev_group *group, struct kl_dev_batch *batch);
/* The group becomes what its record says. false: out of memory. */
bool kl_dev_classic_take(struct kl_dev_group *group,
			 const struct kl_group_metadata_value *value);

/* --- classic_topics.c --- */

void kl_dev_classic_read_topics(struct kl_dev_group *group);
void kl_dev_classic_forget_topics(struct kl_dev_group *group);
bool kl_dev_classic_has_topic(const struct kl_dev_group *group, struct kl_str topic);

#endif
