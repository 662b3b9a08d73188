/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a classic group, whose members assign: what it does next, as a table.
 *
 *	OUT -> IDLE -> LOSE -> JOIN -> SYNC -> [REVOKE ->] TAKE -> STABLE
 *	                        ^ \-> ASSIGN -^                      |
 *	                        '------------- PREPARE <-------------'
 *
 * No I/O, no clock, no memory: an event comes in, what is to be done comes out as bits, and
 * whoever drives the member does it (classic_member.c). Each answer of the coordinator becomes
 * an event by kl_classic_verdict(), which is a table as well.
 */
#ifndef KL_CLASSIC_H
#define KL_CLASSIC_H

#include "core/base/base.h"

enum kl_classic_state {
	KL_CLASSIC_OUT,     /* not subscribed */
	KL_CLASSIC_IDLE,    /* it joins when the application polls */
	KL_CLASSIC_LOSE,    /* put out: the application is told that all is lost */
	KL_CLASSIC_PREPARE, /* before joining again it gives up what it cannot keep */
	KL_CLASSIC_JOIN,    /* JoinGroup is to be sent, or waits for its answer */
	KL_CLASSIC_ASSIGN,  /* it leads: the assignor computes */
	KL_CLASSIC_SYNC,    /* SyncGroup is to be sent, or waits for its answer */
	KL_CLASSIC_REVOKE,  /* cooperative: what others get is given up (KIP-429) */
	KL_CLASSIC_TAKE,    /* what is new is taken */
	KL_CLASSIC_STABLE,
	KL_CLASSIC_FATAL, /* another has its group.instance.id (KIP-345) */
	KL_CLASSIC_STATES,
};
const char *kl_classic_state_name(enum kl_classic_state state);

enum kl_classic_event {
	/* --- of the application --- */
	KL_CLASSIC_SUBSCRIBE,
	KL_CLASSIC_LEAVE,  /* unsubscribed or closed; it has nothing any more */
	KL_CLASSIC_POLL,   /* poll() was called, in IDLE */
	KL_CLASSIC_SILENT, /* poll() was not called for max.poll.interval.ms */
	KL_CLASSIC_AGAIN,  /* another round: topics have changed, or it was asked for */
	/* --- its thread has done what it was asked to do --- */
	KL_CLASSIC_GAVE,
	KL_CLASSIC_LOST,
	KL_CLASSIC_TOOK,
	KL_CLASSIC_TOOK_AGAIN, /* and another round was wanted meanwhile */
	/* --- JoinGroup is answered --- */
	KL_CLASSIC_JOINED,   /* as one of many, or without anything to assign (KIP-814) */
	KL_CLASSIC_ELECTED,  /* as the leader */
	KL_CLASSIC_NAMED,    /* not yet, but this is its member id (KIP-394) */
	/* --- the assignor has --- */
	KL_CLASSIC_ASSIGNED,
	/* --- SyncGroup is answered --- */
	KL_CLASSIC_SYNCED,      /* it keeps all it has */
	KL_CLASSIC_SYNCED_LESS, /* something of it has to be given up first */
	KL_CLASSIC_MISFIT,      /* that is not what it subscribes to by now */
	/* --- errors, of whichever request --- */
	KL_CLASSIC_CALLED,    /* REBALANCE_IN_PROGRESS to a heartbeat or a commit */
	KL_CLASSIC_OVERTAKEN, /* the same to a SyncGroup */
	KL_CLASSIC_OUTDATED,  /* ILLEGAL_GENERATION: the member id may still be known */
	KL_CLASSIC_UNKNOWN,   /* UNKNOWN_MEMBER_ID */
	KL_CLASSIC_ELSEWHERE, /* another broker coordinates, or this one is gone */
	KL_CLASSIC_LATER,     /* it passes */
	KL_CLASSIC_REFUSED,   /* it will not pass by itself: the application is told */
	KL_CLASSIC_FENCED,    /* FENCED_INSTANCE_ID */
	KL_CLASSIC_FINE,      /* no error; no event of the table */
	KL_CLASSIC_EVENTS,
};
const char *kl_classic_event_name(enum kl_classic_event event);

/* What is to be done. First what ends, then what begins. */
enum {
	KL_CLASSIC_CANCEL = 1,       /* no answer to Join- or SyncGroup is wanted any more */
	KL_CLASSIC_SAY_GOODBYE = 2,  /* send LeaveGroup, if such a member does */
	KL_CLASSIC_DROP_GENERATION = 4,
	KL_CLASSIC_DROP_MEMBER = 8,  /* and the member id */
	KL_CLASSIC_LOOK = 16,        /* for the coordinator */
	KL_CLASSIC_WAIT = 32,        /* longer each time, before the next request */
	KL_CLASSIC_WELL = 64,        /* the next failure is the first again */
	KL_CLASSIC_TELL = 128,       /* the application, of the error */
	KL_CLASSIC_BEAT = 256,       /* the next heartbeat is due in heartbeat.interval.ms */
	KL_CLASSIC_WISH = 512,       /* another round when this one is through */
	KL_CLASSIC_ASK_LOSE = 1024,  /* the application's thread: all is lost */
	KL_CLASSIC_ASK_GIVE = 2048,  /* likewise: give up what has to be */
	KL_CLASSIC_ASK_TAKE = 4096,  /* likewise: take what is new */
	KL_CLASSIC_SEND_JOIN = 8192,
	KL_CLASSIC_RUN_ASSIGNOR = 16384,
	KL_CLASSIC_SEND_SYNC = 32768,
	KL_CLASSIC_ACTIONS = 16, /* how many there are */
};

/* Where the event leads, and what is to be done. One that means nothing in the state changes
 * nothing. */
uint32_t kl_classic_step(enum kl_classic_state state, enum kl_classic_event event,
			 enum kl_classic_state *next_out);

enum kl_classic_request {
	KL_CLASSIC_JOIN_GROUP,
	KL_CLASSIC_SYNC_GROUP,
	KL_CLASSIC_HEARTBEAT,
	KL_CLASSIC_OFFSET_COMMIT, /* what it means for the member, not for the commit */
	KL_CLASSIC_REQUESTS,
};
/* What an error code means, of the protocol or klamm's own. */
enum kl_classic_event kl_classic_verdict(enum kl_classic_request request, int code);

/* Does the coordinator expect heartbeats in this state? Not while it holds back the answer to
 * JoinGroup or SyncGroup, which stand for them. */
bool kl_classic_beats(enum kl_classic_state state);

#endif
