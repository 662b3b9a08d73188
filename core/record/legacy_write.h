/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing messages v0 and v1, as clients and brokers of before 0.11 know them: what a batch v2
 * holds, once more in an old format. Plain messages simply follow each other; compressed ones
 * are the value of a message around them. Headers, the producer's id and, in v0, times have no
 * place there. Any thread.
 */
#ifndef KL_LEGACY_WRITE_H
#define KL_LEGACY_WRITE_H

#include <klamm/host.h>

#include "core/record/batch.h"

enum kl_legacy_place {
	KL_LEGACY_PLAIN,  /* in a request or an answer */
	KL_LEGACY_INSIDE, /* of a compressed message: offsets of v1 count from 0 (KIP-31) */
};

/* Appends the records of a batch v2, given plain, to out as messages of format `magic`, 0 or
 * 1. CORRUPT_BATCH, LIMIT, NO_MEMORY. */
int kl_legacy_write(const struct kl_batch_head *head, struct klamm_span records, int8_t magic,
		    enum kl_legacy_place place, struct klamm_out *out,
		    struct klamm_error *err);

/* Appends one message with the offset of the batch's last record, whose value is what the
 * codec with this wire id has made of KL_LEGACY_INSIDE ones. LIMIT, NO_MEMORY. */
int kl_legacy_wrap(const struct kl_batch_head *head, int8_t magic, int codec,
		   struct klamm_span packed, struct klamm_out *out, struct klamm_error *err);

#endif
