/* SPDX-License-Identifier: BSD-2-Clause */
/* What consumers of the classic protocol tell each other through a coordinator that looks
 * on (ConsumerProtocol): a coordinator of a group with members of both protocols reads what
 * they subscribe to and have, and writes what they are assigned. */
#ifndef KL_DEV_EMBEDDED_H
#define KL_DEV_EMBEDDED_H

#include "broker/parts.h"
#include "core/proto/gen/messages.h"

struct klamm_broker;

/* Partitions of topics that there are; they come at the end, sorted. false: out of memory. */
bool kl_dev_embedded_owned(struct klamm_broker *broker,
			   const struct kl_consumer_protocol_subscription *subscription,
			   struct kl_dev_parts *owned);
/* The same of an assignment, each since an epoch; none at all for one that is empty. 0;
 * INVALID_REQUEST: it cannot be read, UNSUPPORTED_ASSIGNOR: it has user data of an assignor,
 * which no coordinator can carry on; COORDINATOR_NOT_AVAILABLE: out of memory. */
int kl_dev_embedded_assigned(struct klamm_broker *broker, struct kl_bytes bytes,
			     int32_t epoch, struct kl_dev_parts *assigned);
/* An assignment, in the version that the member's subscription has. false: out of memory. */
bool kl_dev_embedded_write(struct klamm_broker *broker, const struct kl_dev_parts *parts,
			   struct kl_bytes subscription, struct kl_arena *arena,
			   struct kl_bytes *bytes_out);

#endif
