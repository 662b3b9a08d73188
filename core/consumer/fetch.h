/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the fetcher: fetcher.c decides what is fetched from where,
 * fetch_session.c keeps what each broker knows of it (KIP-227), fetch_request.c asks, and
 * fetch_answer.c takes what comes. Loop only.
 *
 * One Fetch is under way per broker. With a session its cost is that of the partitions that
 * something happened to, however many are read from the broker.
 */
#ifndef KL_FETCH_H
#define KL_FETCH_H

#include "core/consumer/consumer.h"

/* How an answer names a partition: by the topic's id from version 13 on (KIP-516), before
 * that by its name, of which this has the address of the struct kl_ctopic. */
struct kl_fetch_name {
	struct klamm_uuid topic;
	int64_t partition;
};

/* A partition in a session: what its broker was told. */
struct kl_fetch_entry {
	UT_hash_handle hh; /* session->known */
	struct kl_fetch_name name;
	struct kl_list link; /* session->members */
	struct kl_list news; /* session->changed or ->leaving */
	struct kl_fetch_session *session;
	struct kl_cpart *part;      /* with a reference */
	struct klamm_uuid topic_id; /* when it came: a topic that is made again has another */
	bool known;                 /* to the broker */
	int32_t slot;               /* of its topic, in the request that is being made */
	unsigned generation;
	int64_t offset;
	int32_t leader_epoch, last_epoch;
};

/* What is read from one broker. */
struct kl_fetch_session {
	UT_hash_handle hh;    /* consumer->sessions, by node */
	struct kl_list order; /* consumer->serving */
	int32_t node;
	struct klamm_consumer *c;
	unsigned homes; /* assigned partitions that are read there, paused ones too */

	/* --- KIP-227 --- */
	int32_t id, epoch; /* of the next request; epoch 0 asks for a session, and ends id */
	bool by_id;        /* it names topics by their ids */
	struct kl_fetch_entry *known; /* uthash: what answers may name */
	struct kl_list members; /* entries that are to be fetched, in the order of service */
	struct kl_list changed; /* of those: what the broker has to be told of */
	struct kl_list leaving; /* others, which it has to be told to forget */
	size_t member_count, nameless; /* members, and those whose topic has no id */

	struct kl_list full; /* parts that would be fetched if less of them were queued */

	/* --- its request --- */
	struct kl_request request;
	struct kl_arena arena; /* of its body */
	bool in_flight, ending;
	size_t asked; /* partitions that it named */
	bool was_full;
	/* An answer did not fit into memory: no more partitions than this in a request, until
	 * the one is found that is too large; 0 = no limit. */
	size_t limit;
	size_t suspects; /* partitions that were not asked alone, or among few, since then */
	int32_t max_bytes;
	int64_t max_wait;
	int64_t leader_only_until; /* it is to send nobody to a follower */
	int64_t retry_at; /* not before, after a failure of the broker */
	unsigned failures;
	size_t got_bytes, got_records; /* of batches, in the answer */
};

/* --- fetcher.c --- */
/* An error of a partition for the application, once until something else happens. */
void kl_fetch_tell(struct klamm_consumer *c, struct kl_cpart *part, int code,
		   const char *what);
/* The partition waits before it is tried again, and the others go on without it. */
void kl_fetch_later(struct klamm_consumer *c, struct kl_cpart *part);

/* --- position.c --- */
/* Metadata name another leader, or the same in another epoch: its log may differ. */
void kl_position_new_leader(struct kl_cpart *part, const struct kl_partition_info *at);
/* Metadata name a topic's id, which may not be that of the topic that was read (KIP-516). */
void kl_position_new_topic(struct klamm_consumer *c, struct kl_cpart *part);
/* Of the epochs up to that which was read last, the leader has records of this one, and up to
 * this offset (either -1 = none): does what was read still stand there? If not, go back to
 * where the logs part, or tell. */
void kl_position_judge(struct klamm_consumer *c, struct kl_cpart *part, int32_t epoch,
		       int64_t end);

/* --- fetch_source.c --- */
/* The broker to read the partition from. NULL: not known now, metadata are asked. */
struct kl_node *kl_fetch_source(struct klamm_consumer *c, struct kl_cpart *part);
/* Its leader has named a replica near the client. */
void kl_fetch_follow(struct klamm_consumer *c, struct kl_cpart *part, int32_t replica);
/* Back to the leader; false: it is read from there. */
bool kl_fetch_unfollow(struct klamm_consumer *c, struct kl_cpart *part);
/* A broker does not serve: what is read from it as a follower is read from leaders. */
void kl_fetch_lost(struct klamm_consumer *c, int32_t node);

/* --- fetch_session.c --- */
/* Made when it is not there; NULL: out of memory. */
struct kl_fetch_session *kl_fetch_session_of(struct klamm_consumer *c, int32_t node);
void kl_fetch_session_free(struct kl_fetch_session *session);
/* The partition, which has an offset and whose topic is known, is fetched from there. false:
 * out of memory. */
bool kl_fetch_enter(struct kl_fetch_session *session, struct kl_cpart *part);
/* It is not fetched any more. */
void kl_fetch_leave(struct kl_cpart *part);
void kl_fetch_entry_free(struct kl_fetch_entry *entry);
struct kl_fetch_name kl_fetch_name(const struct kl_fetch_session *session,
				   const struct klamm_uuid *id, struct kl_ctopic *topic,
				   int32_t partition);
/* What an answer of this version names; NULL: it never was in the session. */
struct kl_fetch_entry *kl_fetch_find(struct kl_fetch_session *session,
				     const struct kl_fetch_response_topic *topic,
				     int32_t partition, int version);
/* The next request says everything: what the broker knows may be wrong, or nothing. */
void kl_fetch_session_restart(struct kl_fetch_session *session);
/* An answer without an error came, of a session with this id. */
void kl_fetch_session_next(struct kl_fetch_session *session, int32_t id);

/* --- fetch_request.c --- */
/* Ask for up to max_bytes, waiting for them for max_wait. */
void kl_fetch_send(struct kl_fetch_session *session, struct kl_node *node, int32_t max_bytes,
		   int64_t max_wait);
/* Tell the broker that the session is over; frees it then. */
void kl_fetch_send_end(struct kl_fetch_session *session, struct kl_node *node);

/* --- fetch_large.c --- */
/* Did an answer fail for its size? Then it is looked for whose. */
bool kl_fetch_too_large(struct kl_fetch_session *session, const struct kl_response *response);
/* One came while that is being looked for, before the session goes on. */
void kl_fetch_fitted(struct kl_fetch_session *session);

/* --- fetch_answer.c --- */
void kl_fetch_done(struct kl_request *r, const struct kl_response *response);

#endif
