/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the fetcher: fetcher.c decides what is fetched, fetch_request.c asks,
 * fetch_answer.c takes what comes. Loop only. */
#ifndef KL_FETCH_H
#define KL_FETCH_H

#include "core/consumer/consumer.h"

/* A Fetch and its partitions. */
struct kl_fetch {
	struct kl_request request;
	struct kl_list link; /* spare, or being built */
	struct klamm_consumer *c;
	struct kl_node *node;
	struct kl_fetch_part {
		struct kl_cpart *part; /* with a reference */
		unsigned generation;
		int64_t offset;
		/* What was known when it was planned: metadata may let go of the topic. */
		struct klamm_uuid topic_id;
		int32_t leader_epoch;
	} *parts;
	size_t count, cap;
	int32_t max_bytes;
	int64_t max_wait;
	size_t got_bytes, got_records; /* of batches, in its answer */
	struct kl_arena arena;
};

/* --- fetcher.c --- */
/* An error of a partition for the application, once until something else happens. */
void kl_fetch_tell(struct klamm_consumer *c, struct kl_cpart *part, int code,
		   const char *what);
/* Its partition waits before it is tried again. */
void kl_fetch_later(struct klamm_consumer *c, struct kl_cpart *part);

/* --- fetch_request.c --- */
/* NULL: out of memory. */
struct kl_fetch *kl_fetch_get(struct klamm_consumer *c);
void kl_fetch_put(struct kl_fetch *fetch);
void kl_fetch_free(struct kl_fetch *fetch);
/* false: out of memory. */
bool kl_fetch_add(struct kl_fetch *fetch, struct kl_cpart *part);
void kl_fetch_send(struct kl_fetch *fetch);

/* --- fetch_answer.c --- */
void kl_fetch_done(struct kl_request *r, const struct kl_response *response);

#endif
