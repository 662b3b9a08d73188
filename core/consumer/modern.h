/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a group whose coordinator assigns: group.protocol=consumer (KIP-848), which
 * Kafka's sources call the modern protocol. The same states as its client's MemberState:
 *
 *	UNSUBSCRIBED -> JOINING -> RECONCILING -> ACKNOWLEDGING -> STABLE
 *	                  ^            ^---------------'-------------'
 *	    FENCED -------'            a new target
 *	    PREPARE_LEAVING -> LEAVING -> UNSUBSCRIBED
 *	                               -> STALE (poll() came too late) -> JOINING
 *	    FATAL
 *
 * A table says for each state and event what comes next; nothing here does I/O, reads a clock
 * or locks. Events come in, with the time where it matters; what is to be done comes out as
 * bits, and is done by who drives the member. Memory is only taken for assignments. Lives in
 * the consumer's loop.
 */
#ifndef KL_MODERN_H
#define KL_MODERN_H

#include "core/base/text.h"
#include "core/consumer/modern_set.h"
#include "core/proto/gen/messages.h"

/* A member's epoch when it joins, leaves for good, or leaves for a while (KIP-345); the last
 * one also when it joins and its instance is to become free for that. */
#define KL_MODERN_JOINS 0
#define KL_MODERN_LEAVES (-1)
#define KL_MODERN_LEAVES_STATIC (-2)

enum kl_modern_state {
	KL_MODERN_UNSUBSCRIBED,
	KL_MODERN_JOINING,
	KL_MODERN_RECONCILING,   /* what it has is on the way to the target */
	KL_MODERN_ACKNOWLEDGING, /* it is there, and the coordinator is to hear of it */
	KL_MODERN_STABLE,
	KL_MODERN_FENCED,          /* put out: it lets go of everything, then joins */
	KL_MODERN_PREPARE_LEAVING, /* it lets go of everything, then leaves */
	KL_MODERN_LEAVING,         /* the last heartbeat is to be sent */
	KL_MODERN_STALE,           /* it has left, as nobody polled */
	KL_MODERN_FATAL,           /* no heartbeat will be let in */
	KL_MODERN_STATES,
};
const char *kl_modern_state_name(enum kl_modern_state state);

enum kl_modern_event {
	KL_MODERN_ON_JOIN,        /* there is a subscription, and a poll since */
	KL_MODERN_ON_TARGET,      /* an assignment that is another than what it has */
	KL_MODERN_ON_SAME,        /* one that is not */
	KL_MODERN_ON_RECONCILED,  /* revoked and assigned have returned */
	KL_MODERN_ON_SENT,        /* a heartbeat; what it has is the target */
	KL_MODERN_ON_SENT_PART,   /* a heartbeat; what it has is not (all of) the target */
	KL_MODERN_ON_SENT_LATE,   /* the last one, as nobody polled */
	KL_MODERN_ON_UNSENT,      /* the last one need or can not be sent */
	KL_MODERN_ON_FENCED,      /* FENCED_MEMBER_EPOCH, UNKNOWN_MEMBER_ID */
	KL_MODERN_ON_FATAL,       /* an answer that will not change */
	KL_MODERN_ON_RELEASED,    /* revoked or lost has returned, for all that it had */
	KL_MODERN_ON_LEAVE,       /* the subscription ends, or the consumer */
	KL_MODERN_ON_EXPIRED,     /* max.poll.interval.ms is over */
	KL_MODERN_ON_POLLED,      /* somebody polls after that */
	KL_MODERN_ON_LEFT,        /* the last heartbeat is answered, or never will be */
	KL_MODERN_EVENTS,
};
const char *kl_modern_event_name(enum kl_modern_event event);

/* What is to be done, in this order. */
enum {
	KL_MODERN_RECONCILE = 1, /* kl_modern_next(), revoke, assign, kl_modern_reconciled() */
	KL_MODERN_REVOKE = 2, /* stop fetching, commit, tell revoked of all; ON_RELEASED */
	KL_MODERN_LOSE = 4,   /* stop fetching, tell lost of all; ON_RELEASED */
	KL_MODERN_FORGET = 8, /* nothing is assigned from now on */
	KL_MODERN_HEARTBEAT = 16, /* look at kl_modern_due() again */
	KL_MODERN_LEAVE = 32, /* send a last heartbeat, if the coordinator is known */
	KL_MODERN_LEFT = 64,  /* who waits for the leaving has waited enough */
	KL_MODERN_TELL = 128, /* the application, of the error */
	KL_MODERN_FIND = 256, /* the coordinator is another one */
};

/* What the last heartbeat that arrived has told, so the next need not. */
struct kl_modern_told {
	bool timeout, assignor;
	uint64_t owned;        /* which owned_version; 0 = none */
	uint64_t subscription; /* which of facts; 0 = none */
	bool regex;            /* there was one in it */
};

struct kl_modern {
	enum kl_modern_state state;
	char id[KL_UUID_TEXT]; /* made up once, and kept over fencing (KIP-1082) */
	int32_t epoch;
	bool is_static; /* it has a group.instance.id */
	bool late;      /* leaving as nobody polled */
	bool letting_go; /* between REVOKE or LOSE and ON_RELEASED */
	bool polled;    /* while it was letting go in STALE */
	bool reconciling; /* from kl_modern_next() to kl_modern_reconciled() */
	struct kl_modern_set target, owned, next;
	uint64_t owned_version; /* another one with each acknowledgement, from 1 */
	struct kl_modern_told told;

	int64_t interval;     /* microseconds, as the coordinator says */
	int64_t heartbeat_at; /* the next one */
	unsigned failures;    /* in a row */
	bool in_flight;
	bool outdated; /* the one in flight is of an earlier life */
	bool straggles;    /* one got no answer: it may be handled behind the next ones */
	int64_t full_until; /* so until then each one tells, and asks for, everything */
};

/* uuid: random. */
void kl_modern_init(struct kl_modern *member, const struct klamm_uuid *uuid, bool is_static);
void kl_modern_free(struct kl_modern *member);

/* The table's word, without what the functions below add. next: where it goes on. */
unsigned kl_modern_step(enum kl_modern_state state, enum kl_modern_event event,
			enum kl_modern_state *next_out);
/* This happened: ON_JOIN, ON_UNSENT, ON_RELEASED, or one of those behind it. */
unsigned kl_modern_on(struct kl_modern *member, enum kl_modern_event event);

/* --- heartbeats --- */

/* When the next one is to be sent; KL_NEVER: none. LEAVE is apart from this. */
int64_t kl_modern_due(const struct kl_modern *member);

/* What goes into one besides the member's own. All borrowed. */
struct kl_modern_facts {
	const char *group_id;
	const char *instance_id, *rack, *assignor; /* NULL = none */
	int32_t rebalance_timeout_ms;
	const char *const *topics; /* sorted, each once */
	size_t topic_count;
	const char *regex;     /* NULL = none */
	uint64_t subscription; /* another number with each change of the last three, from 1 */
};
/* The body, in the arena; NULL: out of memory. Then kl_modern_sent(). */
const struct kl_consumer_group_heartbeat_request *
kl_modern_body(struct kl_modern *member, const struct kl_modern_facts *facts,
	       struct kl_arena *arena);
/* The next one is due now, as there is something to be told. */
void kl_modern_hurry(struct kl_modern *member, int64_t now);
/* It is on its way, or the last one (LEAVE) is. */
unsigned kl_modern_sent(struct kl_modern *member, int64_t now);
/* An answer without an error. PROTOCOL or NO_MEMORY: it is as if none had come. */
unsigned kl_modern_answered(struct kl_modern *member, int64_t now,
			    const struct kl_consumer_group_heartbeat_response *answer);
/* One with an error, or (with a code of klamm's own) none at all: again_at is when to try
 * again, unless it is to be at once. err has the code that came, and as its text what the
 * broker said, or what went wrong; it becomes a sentence. */
unsigned kl_modern_failed(struct kl_modern *member, const struct kl_modern_facts *facts,
			  int64_t again_at, struct klamm_error *err);

/* What is answered was sent in an earlier life, and its answer says nothing; asked once. */
bool kl_modern_is_outdated(struct kl_modern *member);
/* What the last heartbeat told is forgotten, and the next one is due then. */
void kl_modern_unanswered(struct kl_modern *member, int64_t again_at);

/* --- reconciliation: in RECONCILING --- */

enum kl_modern_way {
	KL_MODERN_WAIT,  /* topics have no names yet, or a change is under way */
	KL_MODERN_SHORT, /* of memory: ask again */
	KL_MODERN_QUIET, /* member->next is what it has: only to be acknowledged */
	KL_MODERN_CHANGE, /* member->next is to be brought about */
};
/* Work out what it can have now: all of the target whose topics have names. */
typedef bool (*kl_modern_known_fn)(void *arg, const struct klamm_uuid *topic);
enum kl_modern_way kl_modern_next(struct kl_modern *member, kl_modern_known_fn known,
				  void *arg);
/* It is brought about; or not, as a listener failed: then it is tried again. */
unsigned kl_modern_reconciled(struct kl_modern *member, bool done);

#endif
