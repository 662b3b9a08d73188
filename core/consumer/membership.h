/* SPDX-License-Identifier: BSD-2-Clause */
/* A consumer's membership in its group: what both protocols have in common.
 *
 * Three take part. A machine of the group's protocol (struct kl_member_ops: classic, consumer)
 * decides, in the loop, what comes next; it sends requests of its own. The driver
 * (membership.c), in the loop as well, keeps what every member has: what it subscribes to, the
 * topics' metadata, who it is for the coordinator, the time since the last poll(). The
 * application's thread (rebalance.c) changes the assignment when it polls, one step at a time,
 * and calls the listener.
 *
 * A step that the machine asks for is begun when the application polls. One that has not begun
 * may be replaced; when one that has begun is done, the machine hears of that, and the next
 * one follows. Loop only, where nothing else is said.
 */
#ifndef KL_MEMBERSHIP_H
#define KL_MEMBERSHIP_H

#include <klamm/consumer.h>

#include "core/broker/cluster.h"
#include "core/consumer/names.h"

struct kl_cpart;
struct kl_commit;
struct kl_pattern;
struct kl_membership;

/* What the application's thread is asked to do. */
enum kl_step {
	KL_STEP_NONE,
	KL_STEP_TAKE, /* take partitions, call assigned, which may get none */
	KL_STEP_GIVE, /* commit if that is automatic, call revoked, let go of partitions */
	KL_STEP_LOSE, /* call lost, let go of all; nothing can be committed any more */
};

enum kl_member_event {
	KL_MEMBER_SUBSCRIBED, /* for the first time, or to other topics than before */
	KL_MEMBER_LEAVES,     /* unsubscribed or closed: it has nothing any more; see .end */
	KL_MEMBER_POLLED,     /* as kl_membership_await_poll() has asked for */
	KL_MEMBER_SILENT,     /* no poll() for max.poll.interval.ms */
	KL_MEMBER_REJOINS,    /* klamm_consumer_enforce_rebalance(), with .reason */
	KL_MEMBER_NEWS,       /* a topic that is watched has other partitions, with .reason */
	KL_MEMBER_TOOK,       /* a step is done */
	KL_MEMBER_GAVE,
	KL_MEMBER_LOST,
};

/* What is to become of a commit now. */
enum kl_commit_gate {
	KL_GATE_GO,
	KL_GATE_HOLD, /* until kl_membership_changed() */
	KL_GATE_FAIL, /* err says why; only a poll() may help */
};

/* A protocol. */
struct kl_member_ops {
	/* The application's thread, once, before the first subscription: plugins and such;
	 * *self_out is kept in membership->self. May block. */
	int (*make)(struct kl_membership *m, void **self_out, struct klamm_error *err);
	/* The application's thread, when the loop has forgotten it. */
	void (*free)(struct kl_membership *m);
	/* The client closes: timers and requests end, nothing is sent any more. */
	void (*stop)(struct kl_membership *m);
	void (*on)(struct kl_membership *m, enum kl_member_event event);
	/* A commit, or a question for committed offsets, was answered with a code that may be
	 * about the member, which it was sent for as this generation. */
	void (*commit_answered)(struct kl_membership *m, int code, int32_t generation);
	/* No coordinator can be found. */
	void (*failed)(struct kl_membership *m, const struct klamm_error *err);
	/* Send what can be sent; the earliest time to look again goes to *when. */
	void (*round)(struct kl_membership *m, int64_t *when);
	enum kl_commit_gate (*commit_gate)(const struct kl_membership *m,
					   struct klamm_error *err);
	/* The coordinator's connection is taken: what is sent now would be answered late. */
	bool (*holds_connection)(const struct kl_membership *m);
	/* An answer names every topic, as kl_cluster_list() asks for. May be NULL. */
	void (*listing)(struct kl_membership *m, const struct kl_metadata_response *body);
	/* Do its partitions still belong to it, as far as it knows? */
	bool (*owns)(const struct kl_membership *m);
};
extern const struct kl_member_ops kl_classic_ops, kl_modern_ops;

/* A topic that is subscribed to, or that the leader of a classic group assigns. */
struct kl_watched {
	struct kl_topic_info *info; /* wanted; NULL = memory was short */
	int32_t count;              /* partitions when it was assigned; -1 = not yet */
	uint32_t racks;             /* likewise: kl_racks_print() */
	int32_t told_error;         /* told to the application already */
};

struct kl_watch_list {
	struct kl_watched *v; /* by name */
	size_t n;
};

struct kl_membership {
	const struct kl_member_ops *ops; /* NULL = nothing was ever subscribed to */
	void *self;                      /* the protocol's */

	/* --- the application's thread --- */
	bool subscribed; /* the loop reads it too: it changes while that is called */
	struct klamm_listener listener; /* size 0 = none */
	bool listening;                 /* one of its functions runs */
	struct kl_step_run {
		enum kl_step step;
		enum kl_step_phase {
			KL_PHASE_NONE,
			KL_PHASE_COMMIT, /* positions of what leaves are on their way */
			KL_PHASE_CALL,   /* the listener has not been called yet */
			KL_PHASE_DRAIN,  /* what it committed is on its way */
		} phase;
		struct kl_commit *commit; /* NULL = nothing to commit */
		int64_t until;            /* waiting ends, and the step goes on without */
	} run;
	struct klamm_topic_partition *parts; /* that the application was told of last */
	struct kl_names topics_told;         /* likewise */
	char *told_id; /* member id and generation of the last assignment that was taken */
	int32_t told_generation;

	/* --- any thread --- */
	atomic_bool due;         /* a step waits for poll() */
	atomic_bool awaits_poll; /* the machine wants to hear of the next one */
	atomic_bool dead;        /* each poll() says .fatal */
	atomic_bool parting;     /* the coordinator is being told that the member leaves */
	atomic_uint jobs;        /* of it on a worker */
	_Atomic int64_t poll_left; /* when the last poll() returned; KL_NEVER = it is inside */

	/* --- the loop's; what the application's thread wants of it, it gets by a call --- */
	struct kl_names topics; /* subscribed to: as given, or what the pattern matches */
	struct kl_pattern *pattern; /* NULL = topics were given by name */
	char *regex;            /* a pattern that the broker matches; NULL = none */
	uint64_t version;       /* rises with each change of the two */
	bool listed;            /* the pattern was held to all topics */
	int64_t listed_at;      /* when it was last */
	struct kl_watch_list watched;
	bool news;              /* something of that has changed */
	char *id;               /* member id; NULL = none yet */
	int32_t generation;     /* or member epoch; -1 = no member */
	enum klamm_membership_end end; /* of KL_MEMBER_LEAVES */
	char reason[256];       /* of KL_MEMBER_REJOINS, _NEWS, _LEAVES */
	int64_t silent_since;   /* the poll_left that KL_MEMBER_SILENT was about */
	enum kl_step step;      /* that is asked for */
	bool begun;             /* it is being done */
	enum kl_step next_step; /* asked for meanwhile */
	struct kl_arena arena;  /* the machine's: of what is to be taken */
	const struct klamm_topic_partition *take;
	size_t take_count;
	/* Rises with each change of the assignment: a commit that was made before a partition
	 * was lost is not to be sent for it. */
	uint64_t stamp;
	struct klamm_error fatal;
};

/* --- membership.c --- */
void kl_membership_init(struct kl_membership *m);
void kl_membership_stop(struct kl_membership *m);
void kl_membership_free(struct kl_membership *m); /* the application's thread */
void kl_membership_round(struct kl_membership *m, int64_t *when);
struct klamm_consumer *kl_membership_consumer(const struct kl_membership *m);
const char *kl_membership_instance(const struct kl_membership *m); /* NULL = not static */
/* Something may be sent now that could not before. */
void kl_membership_changed(struct kl_membership *m);
void kl_membership_on(struct kl_membership *m, enum kl_member_event event);
/* The subscription ends. KL_MEMBER_LEAVES comes next. */
void kl_membership_unsubscribe(struct kl_membership *m);

/* From here on for machines. Who this is; len 0 = nobody. false: out of memory. */
bool kl_membership_set_id(struct kl_membership *m, const char *id, size_t len);
void kl_membership_set_generation(struct kl_membership *m, int32_t generation);
void kl_membership_set_reason(struct kl_membership *m, const char *reason);
void kl_membership_await_poll(struct kl_membership *m);
/* Each poll() fails with this from now on, until it is subscribed anew. */
void kl_membership_kill(struct kl_membership *m, const struct klamm_error *err);

/* Ask for a step. LOSE replaces all others; otherwise one is asked for when the one before is
 * done. What leaves is not fetched any more. false: there is nothing to give or to lose, so
 * nobody is asked and no event will come. */
typedef bool (*kl_leaves_fn)(const struct kl_cpart *part, void *arg);
bool kl_membership_ask_give(struct kl_membership *m, kl_leaves_fn leaves, void *arg);
bool kl_membership_ask_lose(struct kl_membership *m);
void kl_membership_let_go(struct kl_membership *m, struct kl_cpart *part);
void kl_membership_let_go_of_all(struct kl_membership *m);
/* parts, borrowed from membership->arena, are what is new. */
void kl_membership_ask_take(struct kl_membership *m,
			    const struct klamm_topic_partition *parts, size_t count);

/* One that had to wait for the one before, again. */
void kl_membership_ask(struct kl_membership *m, enum kl_step step);

/* Watch these besides the subscription, for KL_MEMBER_NEWS. false: out of memory. */
bool kl_membership_watch(struct kl_membership *m, const char *const *topics, size_t count);
/* What they have now is what is assigned; no earlier change matters. */
void kl_membership_remember(struct kl_membership *m);
/* Another assignment is on its way: until that is made no change is news. */
void kl_membership_overlook(struct kl_membership *m);
/* What was remembered is of no interest any more: somebody else leads. */
void kl_membership_forget(struct kl_membership *m);
/* Metadata of all that is watched is here, or will not come. */
bool kl_membership_knows(const struct kl_membership *m);
/* Ask for it, and for the pattern's topics. */
void kl_membership_refresh(struct kl_membership *m);
/* The pattern matches this topic as well, as another member has seen already. */
bool kl_membership_add_topic(struct kl_membership *m, const char *topic);
/* How many partitions a topic has: one that is gone has none. -1: nothing is known yet. */
int32_t kl_membership_partitions(const struct kl_topic_info *info);
struct kl_topic_info *kl_membership_topic(const struct kl_membership *m, const char *name);

/* What the cluster tells. */
void kl_membership_on_topic(struct kl_membership *m, const struct kl_topic_info *info);
void kl_membership_on_listing(struct kl_membership *m,
			      const struct kl_metadata_response *body);

/* --- rebalance.c: the application's thread --- */
/* Do what is due, until the deadline. WOULD_BLOCK never; TIMED_OUT: later goes on with it;
 * INTERRUPTED: likewise; others are to be told. 0: nothing is left to do. */
int kl_rebalance(struct klamm_consumer *c, int64_t deadline, struct klamm_error *err);
/* Is there something to do for it? Asked by every poll(). */
static inline bool kl_rebalance_is_due(const struct kl_membership *m)
{
	return atomic_load(&m->due) || atomic_load(&m->awaits_poll) || atomic_load(&m->dead);
}
/* Give up everything and leave, as .end and .reason say, which takes until the deadline at
 * most. */
void kl_rebalance_leave(struct klamm_consumer *c, enum klamm_membership_end end,
			const char *reason, int64_t deadline);
/* What is assigned, or what of it leaves, sorted; freed by the caller. NULL: out of memory. */
struct klamm_topic_partition *kl_rebalance_list(const struct klamm_consumer *c, bool leaving,
						size_t *count_out);
/* As kl_consumer_check(), or STATE inside a function of the listener. */
int kl_rebalance_check(const struct klamm_consumer *c, const char *what,
		       struct klamm_error *err);

#endif
