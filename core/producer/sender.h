/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the sender share; all of it runs in the loop. */
#ifndef KL_SENDER_H
#define KL_SENDER_H

#include "core/producer/producer.h"
#include "core/proto/gen/messages.h"

/* A Produce request and its batches. */
struct kl_produce {
	struct kl_request request;
	struct kl_list link; /* producer->requests, or spare */
	struct klamm_producer *producer;
	struct kl_node *node;
	int8_t magic; /* of what it carries */
	struct kl_pbatch **batches;
	size_t count, cap;
	size_t bytes;
	int64_t deadline; /* of the batch that expires first */
	struct kl_arena arena;
};

static inline struct kl_pbatch *kl_first_batch(struct kl_partition *part)
{
	return kl_list_first(&part->queue, struct kl_pbatch, link);
}

static inline int64_t kl_pbatch_expires(const struct klamm_producer *p,
					const struct kl_pbatch *batch)
{
	return batch->opened_at + (int64_t)p->settings->delivery_timeout_ms * KL_MS;
}

/* In its place by age: what is sent again stands before anything younger. */
static inline void kl_pbatch_insert(struct kl_list *list, struct kl_pbatch *batch)
{
	struct kl_list *next = list; /* most are the youngest */
	while (next->prev != list &&
	       kl_pbatch_is_older(batch, kl_list_entry(next->prev, struct kl_pbatch, link)))
		next = next->prev;
	kl_list_push(next, &batch->link);
}

/* --- sender.c --- */
/* The partition is to be looked at in this round. */
void kl_sender_look_at(struct klamm_producer *p, struct kl_partition *part);
/* A place in flight is free: the partition's next batch may go, and one that is due need not
 * wait any longer. */
void kl_sender_go_on(struct klamm_producer *p, struct kl_partition *part);
/* A batch that waited to be sent is taken out of the queue. */
void kl_sender_not_sealed(struct klamm_producer *p, const struct kl_pbatch *batch);
/* Something happened that partitions may have waited for. */
void kl_sender_unpark(struct klamm_producer *p);

/* --- produce.c --- */
/* An empty request, or NULL: out of memory. */
struct kl_produce *kl_produce_get(struct klamm_producer *p, struct kl_node *node);
void kl_produce_put(struct kl_produce *request);
/* false: out of memory. */
bool kl_produce_add(struct kl_produce *request, struct kl_pbatch *batch);
bool kl_produce_fits(const struct kl_produce *request, size_t size);
void kl_produce_transmit(struct kl_produce *request);
void kl_produce_free_spare(struct klamm_producer *p);

/* --- answer.c --- */
/* The answer came, or will not come. */
void kl_produce_answered(struct kl_request *r, const struct kl_response *response);
/* An end that is no delivery; whether it may be written, the batch knows. */
void kl_pbatch_fail(struct klamm_producer *p, struct kl_pbatch *batch, int error,
		    const char *text);
/* Its delivery.timeout.ms is over. */
void kl_pbatch_expire(struct klamm_producer *p, struct kl_pbatch *batch);

#endif
