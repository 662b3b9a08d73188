/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a classic group: the machine of classic.h with what it drives. The loop's.
 *
 * classic_member.c does what the machine says; classic_request.c sends requests and hears
 * their answers; classic_assign.c has work done on a worker: what is told the leader, what the
 * leader answers, what is heard of that; classic_look.c is for leaders that come back.
 */
#ifndef KL_CLASSIC_MEMBER_H
#define KL_CLASSIC_MEMBER_H

#include "core/broker/request.h"
#include "core/conf/role_plugin.h"
#include "core/consumer/assign.h"
#include "core/consumer/classic.h"
#include "core/consumer/membership.h"

/* A request of the member's, of which there is one at a time. */
struct kl_classic_call {
	struct kl_request request;
	bool wanted;      /* as soon as it can be sent */
	bool under_way;
	unsigned attempt; /* that it was sent in: an answer to an earlier one means nothing */
};

/* What a worker does for it, one thing at a time, in this order per round. */
enum kl_classic_work {
	KL_WORK_NONE,
	KL_WORK_TELL,   /* make what each assignor tells the leader */
	KL_WORK_TOPICS, /* as the leader: which topics there are in the group */
	KL_WORK_ASSIGN, /* and who reads what of them */
	KL_WORK_HEAR,   /* read what was assigned, and tell the assignor */
};

struct kl_classic_job {
	struct kl_job job;
	bool running;
	enum kl_classic_work work;
	unsigned attempt;
	int rc;
	struct klamm_error err;
	struct kl_arena arena; /* of what it is given and what it finds */
	/* TELL */
	struct kl_subscription subscription;
	struct kl_buf *told; /* by assignor */
	/* TOPICS */
	const char *const *topics;
	size_t topic_count;
	/* ASSIGN */
	struct kl_assign_question question;
	struct kl_assign_result result;
	/* HEAR */
	struct kl_bytes bytes;
	struct kl_assigned assigned;
	const char *id;
	int32_t generation;
};

struct kl_classic {
	struct kl_membership *m;
	/* --- constant --- */
	struct kl_role_plugin *assignors; /* in the order of preference */
	size_t assignor_count;
	bool cooperative; /* all of them know how (KIP-429) */

	enum kl_classic_state state;
	struct klamm_error err; /* of the event that is being looked at */
	bool wish;              /* another round when this one is through */
	/* That wish outlives a silence: who comes back as a static member finds the
	 * generation it left, and what was withheld in it would stay so. -1: none. */
	int32_t owing;
	int64_t withheld_until; /* as the leader: if none has begun, another round then */
	uint64_t joined_version; /* of the subscription that the leader was told */
	int64_t joins_since;
	unsigned attempt;

	struct kl_classic_call join, sync, beat, leave;
	struct kl_arena join_arena, sync_arena, beat_arena;
	struct kl_heartbeat_request beat_body;
	struct kl_leave_group_request leave_body;
	struct kl_leave_group_request_member leaver;
	char *leaver_id;
	unsigned leave_tries;
	/* Of a leader that came back: does everything have an owner? See classic_look.c. */
	struct kl_classic_call look;
	struct kl_describe_groups_request look_body;
	struct kl_str look_group;
	int64_t look_at;
	unsigned look_tries;
	char reason[256]; /* of leaving */
	int64_t retry_at; /* no Join- or SyncGroup before */
	unsigned failures;
	int64_t beat_at;  /* the next heartbeat */
	int64_t heard_at; /* the coordinator, last */
	unsigned beat_failures;

	/* --- of a round --- */
	bool has_told;    /* tell[] is what this JoinGroup says */
	struct kl_buf *tell;
	struct kl_role_plugin *chosen; /* by the coordinator */
	bool leads, skips; /* KIP-814: as a static leader that came back */
	struct kl_slab *joined_slab; /* what the members told, in the answer as it came */
	struct kl_arena joined_arena, topics_arena;
	struct kl_joined *joined;
	size_t joined_count;
	enum kl_classic_work next_work; /* of the leader, or HEAR */
	struct kl_assign_result result;
	struct kl_slab *synced_slab;
	struct kl_bytes synced;
	struct kl_arena mine_arena;
	struct kl_assigned mine;   /* all that is assigned */
	struct kl_classic_job job;
	int32_t cancelled; /* nobody wants what the job finds */
};

/* --- classic_member.c --- */
struct klamm_consumer *kl_classic_consumer(const struct kl_classic *k);
/* k->err says why, where it is an error. */
void kl_classic_on(struct kl_classic *k, enum kl_classic_event event);
/* Does it have partitions that the new assignment leaves out? */
bool kl_classic_is_less(struct kl_classic *k);

/* --- classic_look.c --- */
/* Once the group is settled; when there is something to send. */
void kl_classic_look_soon(struct kl_classic *k);
void kl_classic_look(struct kl_classic *k, int64_t *when);

/* --- classic_request.c --- */
void kl_classic_send(struct kl_classic *k, int64_t *when);
/* No answer to JoinGroup or SyncGroup is wanted any more. */
void kl_classic_cancel(struct kl_classic *k);
/* Tell the coordinator that this member leaves, before its id is forgotten. */
void kl_classic_say_goodbye(struct kl_classic *k);
void kl_classic_requests_free(struct kl_classic *k);

/* --- classic_assign.c --- */
int kl_classic_open_assignors(struct kl_classic *k, struct klamm_error *err);
void kl_classic_close_assignors(struct kl_classic *k);
/* Begin what is to be done next, if nothing is. */
void kl_classic_work(struct kl_classic *k);
/* As the leader: what the members told is in joined[]. */
void kl_classic_assign(struct kl_classic *k);
void kl_classic_forget_round(struct kl_classic *k);
void kl_classic_work_free(struct kl_classic *k);

#endif
