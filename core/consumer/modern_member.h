/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a group of KIP-848: the machine of modern.h with what it drives. The loop's.
 *
 * modern_member.c does what the machine says; modern_request.c sends heartbeats and hears
 * their answers; modern_names.c finds names for the ids of topics.
 */
#ifndef KL_MODERN_MEMBER_H
#define KL_MODERN_MEMBER_H

#include "core/broker/request.h"
#include "core/consumer/membership.h"
#include "core/consumer/modern.h"

struct kl_modern_name;

struct kl_modern_call {
	struct kl_request request;
	struct kl_arena arena;
	bool under_way;
};

struct kl_modern_member {
	struct kl_membership *m;
	struct kl_modern machine;
	struct kl_modern_facts facts;
	struct klamm_error err; /* of what is being looked at */
	struct kl_modern_call beat, last; /* the last one, when it leaves */
	enum kl_modern_state seen;
	unsigned life, told_life; /* between two joins; the one that was told of last */
	struct kl_modern_name *names;
	int64_t names_at; /* not asked for again before */
	int64_t reconcile_at; /* not before: there was no memory for it */
	struct kl_arena mine_arena;
	struct klamm_topic_partition *mine, *added; /* what is to be had, sorted; the new */
	size_t mine_count;
};

/* --- modern_member.c --- */
struct klamm_consumer *kl_modern_consumer(const struct kl_modern_member *k);
/* What the machine wants done. */
void kl_modern_act(struct kl_modern_member *k, unsigned actions);

/* --- modern_request.c --- */
/* The next heartbeat, when it is due. */
void kl_modern_send(struct kl_modern_member *k, int64_t *when);
/* The last one; without a coordinator there is nobody to tell. */
void kl_modern_send_last(struct kl_modern_member *k);
/* When to try again after a failure. */
int64_t kl_modern_later(const struct kl_modern_member *k);

/* --- modern_names.c --- */
/* NULL: not known (yet). */
const char *kl_modern_name_of(struct kl_modern_member *k, const struct klamm_uuid *id);
/* Those that the target needs. */
void kl_modern_ask_names(struct kl_modern_member *k, int64_t *when);
void kl_modern_listing(struct kl_membership *m, const struct kl_metadata_response *body);
void kl_modern_drop_names(struct kl_modern_member *k);

#endif
