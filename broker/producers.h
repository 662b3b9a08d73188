/* SPDX-License-Identifier: BSD-2-Clause */
/* What a partition remembers of idempotent producers (KIP-98): the last five batches of each,
 * so that one sent again is answered and not appended. Lives in the broker's loop. */
#ifndef KL_DEV_PRODUCERS_H
#define KL_DEV_PRODUCERS_H

#include "core/record/batch.h"

/* As many requests as Kafka lets an idempotent producer have in flight. */
#define KL_DEV_SEEN 5

struct kl_dev_producer;

/* A batch that was appended. */
struct kl_dev_seen {
	int32_t first, last; /* sequence numbers */
	int64_t offset, append_time;
};

/* May this batch be appended? 0; or the error to answer with. A batch that is here already is
 * 0 too, with *seen_out told. The producer gets its entry in the table. */
int kl_dev_producer_check(struct kl_dev_producer **table, const struct kl_batch_head *head,
			  const struct kl_dev_seen **seen_out);
/* It was appended. */
void kl_dev_producer_note(struct kl_dev_producer **table, const struct kl_batch_head *head,
			  int64_t offset, int64_t append_time);
/* A batch that was appended in an earlier life. */
void kl_dev_producer_learn(struct kl_dev_producer **table, const struct kl_batch_head *head,
			   int64_t append_time);
void kl_dev_producers_free(struct kl_dev_producer **table);

#endif
