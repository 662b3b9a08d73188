/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about one partition that its leader answers: where its offsets are (ListOffsets),
 * and where the log of a leader's epoch ends (OffsetForLeaderEpoch, KIP-320). Those of one
 * kind for one leader go into one request; what passes is asked again. Loop only.
 */
#ifndef KL_LOOKUP_H
#define KL_LOOKUP_H

#include "core/broker/cluster.h"

struct klamm_consumer;
struct kl_ctopic;

/* Its owner's, from kl_lookup_start() until done() or kl_lookup_cancel(). */
struct kl_lookup {
	/* --- set by the owner --- */
	enum kl_lookup_kind {
		KL_LOOKUP_OFFSET, /* of a time */
		KL_LOOKUP_EPOCH,  /* the end of an epoch's log */
	} kind;
	struct kl_ctopic *topic;
	int32_t partition;
	int64_t timestamp; /* OFFSET: or a KLAMM_OFFSET_... of <klamm/consumer.h> */
	int32_t epoch;     /* EPOCH */
	/* code 0, or an error that trying again does not help. May free the look-up. */
	void (*done)(struct klamm_consumer *c, struct kl_lookup *lookup, int code);
	void *owner;

	/* --- the answer --- */
	int64_t offset, found_ms; /* EPOCH: the end; -1 = there is none */
	int32_t leader_epoch; /* EPOCH: the largest up to the one that was asked for; -1 */
	int32_t asked_epoch;  /* of the leader that was asked, -1 = not known */

	/* --- the look-ups' --- */
	struct kl_lookup_request *request; /* that carries it, or NULL */
	struct kl_list link; /* consumer->lookups, or a request's */
	UT_hash_handle hh;   /* a request's */
	struct kl_lookup_key {
		const struct kl_ctopic *topic;
		int64_t partition;
	} key;
	int64_t retry_at;
	unsigned failures;
	int32_t last_code; /* of the last attempt */
};

void kl_lookup_start(struct klamm_consumer *c, struct kl_lookup *lookup);
/* done() is not called any more. What is under way for it finds nobody. */
void kl_lookup_cancel(struct klamm_consumer *c, struct kl_lookup *lookup);
/* Sends what can be sent; the earliest time to look again goes to *when. */
void kl_lookups_round(struct klamm_consumer *c, int64_t *when);
/* All end with CLOSED. */
void kl_lookups_free(struct klamm_consumer *c);

/* --- between lookup.c and lookup_request.c --- */

/* A request and the look-ups that it carries. */
struct kl_lookup_request {
	struct kl_request request;
	struct kl_list link; /* while it is being built */
	struct klamm_consumer *c;
	struct kl_node *node;
	enum kl_lookup_kind kind;
	int min_version;
	struct kl_list lookups;
	struct kl_lookup *table; /* uthash, by key */
	size_t count;
	struct kl_arena arena;
};
/* The first version of the request that can carry the look-up. */
int kl_lookup_min_version(const struct kl_lookup *lookup);
/* false: memory is short, or another look-up of the partition is in it, whose answer would
 * look the same. */
bool kl_lookup_request_add(struct kl_lookup_request *request, struct kl_lookup *lookup);
void kl_lookup_request_send(struct kl_lookup_request *request);
/* It is answered; or has to be asked again later, if that makes sense. */
void kl_lookup_finish(struct klamm_consumer *c, struct kl_lookup *lookup, int code);
void kl_lookup_fail(struct klamm_consumer *c, struct kl_lookup *lookup, int code);

#endif
