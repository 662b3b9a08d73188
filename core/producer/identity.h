/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the producer is to brokers: a producer id and its epoch (KIP-98). An idempotent producer
 * asks any broker for one, and raises the epoch by itself (KIP-360); a transactional one gets
 * both from the coordinator of its transactional id (txn.h). Lives in the loop. */
#ifndef KL_IDENTITY_H
#define KL_IDENTITY_H

#include "core/broker/request.h"
#include "core/proto/gen/messages.h"

struct klamm_producer;

struct kl_identity {
	int64_t id;    /* -1 = none yet */
	int16_t epoch; /* -1 = none yet */
	struct kl_request request; /* InitProducerId */
	struct kl_init_producer_id_request body;
	bool asking;
	unsigned failures;
	int64_t retry_at;
	/* When the last attempt was refused for good, and why: what waits since then ends with
	 * it. KL_NEVER = it was not. */
	int64_t refused_at;
	struct klamm_error refusal;
};

void kl_identity_init(struct klamm_producer *p);
void kl_identity_free(struct klamm_producer *p);

/* Does the producer have one? Otherwise one is asked for, if that is possible now; when it has
 * come, everything that is parked is looked at again. *again_out: when to call this again,
 * should nothing happen. */
bool kl_identity_ready(struct klamm_producer *p, int64_t *again_out);

/* Start over: batches with the old epoch can never be taken for new ones. Above the last epoch
 * there is another id. */
void kl_identity_bump(struct klamm_producer *p);

#endif
