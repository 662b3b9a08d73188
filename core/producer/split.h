/* SPDX-License-Identifier: BSD-2-Clause */
/* A batch that a broker finds too large is sent in smaller ones (KIP-126): a worker copies its
 * records into them, the loop puts them into its place. They share its range of sequences. */
#ifndef KL_SPLIT_H
#define KL_SPLIT_H

#include "core/producer/producer.h"

/* The loop: begin to split a batch that is in no list and was surely not written; it goes back
 * into its partition's queue meanwhile. false: it has one record, or the producer closes. */
bool kl_split_begin(struct klamm_producer *p, struct kl_pbatch *batch);
/* The loop: a batch of the queue that the worker is through with is replaced by its parts; its
 * place stays. Nothing to do for any other. */
void kl_split_end(struct klamm_producer *p, struct kl_pbatch *batch);

#endif
