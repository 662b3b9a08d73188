/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches for leaders from before 0.11, which know none: the records once more, as a set of
 * messages v0 or v1, made by a worker when the leader is known. The batch itself stays as it
 * is until its end, because the next leader may know it. */
#ifndef KL_CONVERT_H
#define KL_CONVERT_H

#include "core/base/sink.h"
#include "core/producer/producer.h"
#include "core/proto/msg.h"

/* A batch in an old format. */
struct kl_old_form {
	int8_t magic;
	int code;       /* it cannot be had; why says more */
	struct klamm_error why;
	struct kl_sink set;
};

/* The first version of Produce that carries batches v2 (0.11). */
#define KL_PRODUCE_V2 3
/* The format that a ready node takes: 2, 1 or 0. */
int8_t kl_convert_old_format(const struct kl_node *node);
static inline int8_t kl_convert_format(const struct kl_node *node)
{
	return kl_likely(node->versions.api[KL_API_PRODUCE].max >= KL_PRODUCE_V2)
		       ? 2
		       : kl_convert_old_format(node);
}

/* The loop: can the batch, which is ready, go to this node now, in so many bytes? false: a
 * worker is at it and marks the partition, or look again at *again_out. */
bool kl_convert_for(struct klamm_producer *p, struct kl_pbatch *batch,
		    const struct kl_node *node, size_t *size_out, int64_t *again_out);
/* Why it never can: an error, with its sentence; 0 = it can, or that is not known yet. To be
 * asked when kl_convert_for() has found that there may be something: p->may_be_unfit. */
int kl_convert_refusal(const struct klamm_producer *p, const struct kl_pbatch *batch,
		       const struct kl_node *node, char text[static KLAMM_ERROR_TEXT]);
/* What goes over the wire, when kl_convert_for() has said yes. */
struct kl_bytes kl_convert_bytes(const struct kl_pbatch *batch, int8_t magic);
/* The old form goes. */
void kl_convert_drop(struct kl_pbatch *batch);

#endif
