/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetch sessions (KIP-227): a node remembers what a client fetches, so that requests name
 * only what is new to it, and answers only what is new to the client. The rules are those of
 * Kafka's FetchManager. Lives in the broker's loop. */
#ifndef KL_DEV_FETCH_SESSIONS_H
#define KL_DEV_FETCH_SESSIONS_H

#include "broker/call.h"

/* A partition as a client wants it. */
struct kl_dev_wanted {
	struct kl_str topic;        /* null: there is no topic with this id */
	struct klamm_uuid topic_id; /* zero: it is asked for by name */
	int32_t partition;
	int32_t max_bytes;
	int32_t leader_epoch; /* that the client believes in; -1 = none */
	int32_t last_epoch;   /* of the record before offset; -1 = not told */
	int64_t offset;
	bool is_unknown; /* it was not there when the request came */
};

/* --- fetch_plan.c: what a fetch is about --- */

enum kl_dev_fetch_kind {
	KL_DEV_FETCH_ALONE,       /* no session, and none is wanted */
	KL_DEV_FETCH_FULL,        /* one is to begin with the answer */
	KL_DEV_FETCH_INCREMENTAL, /* of a session */
};
struct kl_dev_fetch_plan {
	enum kl_dev_fetch_kind kind;
	int32_t session_id, epoch;    /* INCREMENTAL: the epoch of the next request */
	struct kl_dev_wanted *wanted; /* in the call's arena, texts as well */
	size_t count;
};
/* 0, an error of sessions, or NO_MEMORY. Ends and changes sessions as the request says. */
int kl_dev_fetch_plan(struct kl_dev_call *call, struct kl_dev_fetch_plan *plan_out);

/* --- fetch_sessions.c --- */

struct kl_dev_fetch_topic;

struct kl_dev_fetch_part {
	UT_hash_handle hh;   /* in its topic, by index */
	struct kl_list link; /* in the session: the next to be read first */
	struct kl_dev_fetch_topic *topic;
	struct kl_dev_wanted wanted;     /* without the topic */
	int64_t high_watermark, log_start; /* that the client was told */
};

struct kl_dev_fetch_topic {
	UT_hash_handle hh;
	struct klamm_uuid id; /* zero in a session by names */
	struct kl_dev_fetch_part *parts;
	int32_t name_len; /* -1: not known yet; later it stays as it was */
	char name[];      /* room for any in a session by ids */
};

struct kl_dev_fetch_session {
	UT_hash_handle hh;
	struct kl_list used; /* in the node, longest unused first */
	struct kl_dev_node *node;
	int32_t id, epoch;
	bool by_id;          /* of topics: since version 13 (KIP-516) */
	int64_t begun, last; /* the loop's time */
	struct kl_dev_fetch_topic *topics;
	struct kl_list parts;
	size_t count; /* of parts */
};

struct kl_dev_fetch_session *kl_dev_fetch_session_find(struct kl_dev_node *node, int32_t id);
/* It was used now. */
void kl_dev_fetch_session_touch(struct kl_dev_fetch_session *session);
void kl_dev_fetch_session_free(struct kl_dev_fetch_session *session); /* NULL is fine */
/* Add a partition, or change what is wanted of it. false: out of memory, or of the room that
 * all sessions of a broker have together. */
bool kl_dev_fetch_session_put(struct kl_dev_fetch_session *session,
			      const struct kl_dev_wanted *wanted);
void kl_dev_fetch_session_forget(struct kl_dev_fetch_session *session, struct kl_str topic,
				 const struct klamm_uuid *id, int32_t partition);

/* Is it news to the client? What it is told then is remembered. */
bool kl_dev_fetch_session_tells(struct kl_dev_fetch_session *session,
				const struct kl_dev_wanted *wanted,
				const struct kl_fetch_response_partition *answer);
/* A session for what a full fetch was told: one answer for each partition of the plan, in its
 * order. 0: none is to be had, which is no error. */
int32_t kl_dev_fetch_session_new(struct kl_dev_call *call,
				 const struct kl_dev_fetch_plan *plan,
				 const struct kl_fetch_response_partition *answers);

/* For faults: does a request stand, by its session, for a partition of this topic (-1 = any)
 * that it does not name? */
bool kl_dev_fetch_session_has(struct kl_dev_node *node,
			      const struct kl_fetch_request *request, const char *topic,
			      int32_t partition);
/* The node forgets all of them, as one that starts again does. */
void kl_dev_fetch_sessions_free(struct kl_dev_node *node);

#endif
