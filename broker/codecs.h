/* SPDX-License-Identifier: BSD-2-Clause */
/* Codecs, for batches that the broker has to look into: those of compacted topics, and of old
 * clients. They are the plugins that clients use, loaded when the first such batch comes.
 * Lives in the broker's loop. */
#ifndef KL_DEV_CODECS_H
#define KL_DEV_CODECS_H

#include "broker/broker.h"
#include "core/record/batch.h"

/* The records of a compressed batch, valid until the next call of either function. PLUGIN: the
 * codec is not installed, which the log has told once. CODEC, LIMIT, NO_MEMORY: they cannot be
 * had. */
int kl_dev_unpack(struct klamm_broker *broker, const struct kl_batch_head *head,
		  struct klamm_span packed, struct klamm_span *plain_out,
		  struct klamm_error *err);
/* Back, with the batch's codec. plain may come from kl_dev_unpack(). Errors as above. */
int kl_dev_pack(struct klamm_broker *broker, const struct kl_batch_head *head,
		struct klamm_span plain, struct klamm_span *packed_out,
		struct klamm_error *err);
void kl_dev_codecs_free(struct klamm_broker *broker);

#endif
