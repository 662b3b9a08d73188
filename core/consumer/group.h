/* SPDX-License-Identifier: BSD-2-Clause */
/* What a consumer with a group.id does with its group's coordinator: commit offsets and read
 * committed ones.
 *
 * Commits reach the coordinator in the order they were made: one OffsetCommit is under way at
 * a time, and takes all that wait along; of two offsets for a partition the later one counts.
 * So what is sent again never undoes a newer commit.
 */
#ifndef KL_GROUP_H
#define KL_GROUP_H

#include <klamm/consumer.h>

#include "core/broker/coordinator.h"
#include "core/consumer/figures.h"
#include "core/consumer/membership.h"

struct kl_ctopic;
struct kl_cpart;
struct kl_committed_part;

/* What one call wants stored. Its arena holds all that it points to. */
struct kl_commit {
	struct kl_list link;
	enum kl_commit_kind {
		KL_COMMIT_WAITED, /* its caller waits, and frees it */
		KL_COMMIT_CALLED, /* fn is called by the application's thread, or NULL */
		KL_COMMIT_AUTO,   /* of enable.auto.commit */
	} kind;
	struct kl_arena arena;
	size_t count;
	struct klamm_offset *offsets;
	struct kl_ctopic **topics; /* of each */
	bool *stored;              /* of each */
	uint64_t stamp;            /* membership->stamp when it was made */
	/* The first that the group took away before it was stored; NULL = none. */
	struct kl_ctopic *lost;
	int32_t lost_partition;
	int64_t deadline;
	klamm_commit_fn fn;
	void *arg;
	struct klamm_error err; /* why it was not stored (yet) */
	atomic_bool ended;
};

/* A partition whose committed offset is asked for. Its owner's. */
struct kl_committed {
	struct kl_list link;
	struct kl_ctopic *topic;
	int32_t partition;
	/* err NULL: the answer, borrowed; committed_offset -1 = none is stored. It is in no
	 * list any more, and may be freed. */
	void (*done)(struct klamm_consumer *c, struct kl_committed *committed,
		     const struct kl_offset_fetch_response_group_partition *told,
		     const struct klamm_error *err);
	void *owner;
};

struct kl_group {
	const char *id; /* NULL = group.id is not set, and nothing below is in use */
	struct kl_membership membership;
	struct kl_meter meters[KL_COORD_METERS]; /* under the mutex of metrics */
	struct kl_group_times times;

	/* --- the application's thread --- */
	int64_t auto_at;       /* when positions are committed; KL_NEVER = not by themselves */
	struct kl_arena notes; /* metadata of the last klamm_consumer_committed() */

	/* --- between it and the loop --- */
	struct kl_list incoming; /* commits; under the consumer's mutex, like the next */
	struct kl_list ended;    /* whose fn is to be called */
	atomic_uint to_tell;     /* how many that are */
	atomic_uint open;        /* commits that nobody waits for and have not ended */

	/* --- the loop's --- */
	struct kl_coordinator coordinator;
	bool made;
	struct kl_list commits; /* not sent yet, or not for good */
	struct kl_list sending; /* with the request */
	struct kl_request commit_request;
	bool committing;
	struct kl_arena commit_arena;
	struct kl_sent *sent; /* what the request says, sorted */
	size_t sent_count;
	char *sent_id;           /* the member whose commit it is; NULL = of none */
	int32_t sent_generation;
	int64_t commit_at; /* not before */
	unsigned commit_failures;

	struct kl_list asks;   /* struct kl_committed, not sent yet */
	struct kl_list asking; /* with the request */
	int32_t fetch_generation; /* of the member that asks; -1 = it asks as nobody */
	struct kl_request fetch_request;
	bool fetching;
	struct kl_arena fetch_arena;
	int64_t fetch_at; /* not before */
	unsigned fetch_failures;
	struct klamm_error fetch_error; /* why it has to be asked again; code 0 = nothing */

	int32_t told_error; /* told to the application already */
};

/* --- group.c --- */
int kl_group_start(struct klamm_consumer *c, struct klamm_error *err); /* the loop */
void kl_group_round(struct klamm_consumer *c, int64_t *when);          /* the loop */
void kl_group_stop(struct klamm_consumer *c);                          /* the loop */
/* As kl_consumer_check(), or INVALID_GROUP_ID with what needs one. [any thread] */
int kl_group_check(const struct klamm_consumer *c, bool waits, const char *what,
		   struct klamm_error *err);
/* Of a call that was given this timeout. [any thread] */
int64_t kl_group_deadline(const struct klamm_consumer *c, int64_t timeout_ms);
/* The loop: for the next poll(), once until something succeeds. */
void kl_group_tell(struct klamm_consumer *c, const struct klamm_error *err);
/* The coordinator, when it can be asked; NULL: later. The loop. */
struct kl_node *kl_group_node(struct klamm_consumer *c);
/* Is the code about who may commit? The coordinator takes commits of nobody but members while
 * there are any. */
bool kl_group_is_for_members(int code);
/* Does the code say that another broker has to be asked? */
bool kl_group_is_elsewhere(int code);
/* An error that trying again does not help, or that can wait: "group g: what: NAME: text". */
int kl_group_error(const struct klamm_consumer *c, int code, const char *what,
		   struct klamm_error *err);

/* --- commit.c: the loop --- */
void kl_commits_round(struct klamm_consumer *c, int64_t *when);
void kl_commits_fail(struct klamm_consumer *c, const struct klamm_error *err);
/* The caller has waited long enough, or it has ended: nobody knows it any more. */
void kl_commit_leave(struct klamm_consumer *c, struct kl_commit *commit);
void kl_commit_free(struct kl_commit *commit);
/* The loop does not know it any more. The application's thread. */
void kl_commit_abandon(struct klamm_consumer *c, struct kl_commit *commit);

/* --- commit_call.c: the application's thread --- */
/* What enable.auto.commit does when it is due, */
void kl_commit_when_due(struct klamm_consumer *c);
/* and before partitions leave the assignment. */
typedef bool (*kl_cpart_filter)(const struct kl_cpart *part, void *arg);
void kl_commit_before_leaving(struct klamm_consumer *c, kl_cpart_filter leaves, void *arg);
/* and before the group takes them: NULL: there is nothing to wait for. To be freed when it has
 * ended, or with kl_commit_abandon() before. */
struct kl_commit *kl_commit_of_leaving(struct klamm_consumer *c);
/* Call the functions of commits that have ended. */
void kl_commit_callbacks(struct klamm_consumer *c);
/* Before the consumer closes: commit positions if that is automatic, and wait for all. */
int kl_commit_last(struct klamm_consumer *c, int64_t deadline, struct klamm_error *err);

/* --- committed.c: the loop --- */
void kl_committed_start(struct klamm_consumer *c, struct kl_committed *committed);
void kl_committed_cancel(struct kl_committed *committed);
void kl_committed_round(struct klamm_consumer *c, int64_t *when);
void kl_committed_fail(struct klamm_consumer *c, const struct klamm_error *err);
/* Let a partition begin at its committed offset. false: out of memory. */
bool kl_committed_part_start(struct klamm_consumer *c, struct kl_cpart *part);
void kl_committed_part_cancel(struct kl_cpart *part);

#endif
