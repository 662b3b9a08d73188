/* SPDX-License-Identifier: BSD-2-Clause */
/* A Produce request: the batches it carries, its versions, its body. Runs in the loop. */
#include <stdlib.h>

#include "core/producer/convert.h"
#include "core/producer/sender.h"

/* Header, topic name and the like of a Produce request, beside its batches. */
#define REQUEST_OVERHEAD 512
/* The versions of Produce that carry messages v0, messages v1 and batches v2 (KIP-98). */
static const struct {
	int min, max;
} carries[] = {{0, 1}, {2, 2}, {3, -1}};
/* The newest version that expects AddPartitionsToTxn to come first (KIP-890). */
#define PRODUCE_TXN_V1 11

static struct kl_produce *get_spare(struct klamm_producer *p)
{
	struct kl_list *link = kl_list_pop(&p->spare_requests);
	if (link != NULL)
		return kl_list_entry(link, struct kl_produce, link);
	struct kl_produce *request = calloc(1, sizeof(*request));
	if (request == NULL)
		return NULL;
	request->producer = p;
	kl_list_init(&request->link);
	return request;
}

/* For one batch more. */
static bool make_room(struct kl_produce *request)
{
	if (request->count < request->cap)
		return true;
	size_t cap = request->cap ? request->cap * 2 : 16;
	struct kl_pbatch **batches =
		reallocarray(request->batches, cap, sizeof(*batches));
	if (batches == NULL)
		return false;
	request->batches = batches;
	request->cap = cap;
	return true;
}

struct kl_produce *kl_produce_get(struct klamm_producer *p, struct kl_node *node)
{
	struct kl_produce *request = get_spare(p);
	if (request == NULL)
		return NULL;
	/* Now: a request that nothing fits in would leave empty, again and again. */
	if (!make_room(request)) {
		kl_produce_put(request);
		return NULL;
	}
	request->node = node;
	request->magic = kl_convert_format(node);
	request->deadline = KL_NEVER;
	return request;
}

void kl_produce_put(struct kl_produce *request)
{
	struct klamm_producer *p = request->producer;
	request->count = 0;
	request->bytes = 0;
	request->node = NULL;
	kl_list_remove(&request->link);
	kl_list_push_front(&p->spare_requests, &request->link);
}

bool kl_produce_fits(const struct kl_produce *request, size_t size)
{
	return request->bytes + size + REQUEST_OVERHEAD <=
	       (size_t)request->producer->settings->max_request_size;
}

bool kl_produce_add(struct kl_produce *request, struct kl_pbatch *batch)
{
	if (!make_room(request))
		return false;
	request->batches[request->count++] = batch;
	request->bytes += (size_t)kl_convert_bytes(batch, request->magic).len;
	request->deadline =
		kl_min(request->deadline, kl_pbatch_expires(request->producer, batch));
	return true;
}

/* Batches of one topic stand together in a request. */
static int by_topic(const void *a, const void *b)
{
	const struct kl_partition *x = (*(struct kl_pbatch *const *)a)->partition;
	const struct kl_partition *y = (*(struct kl_pbatch *const *)b)->partition;
	if (x->topic != y->topic)
		return x->topic->number < y->topic->number ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static struct kl_produce_request_topic *add_topic(struct kl_produce_request *body,
						  const struct kl_pbatch *batch)
{
	struct kl_produce_request_topic *t = &body->topic_data[body->topic_data_n++];
	t->name = kl_str(batch->partition->topic->name);
	t->topic_id = batch->topic_id;
	t->partition_data_n = 0;
	return t;
}

static const void *make_body(struct kl_request *r, int version)
{
	struct kl_produce *request = kl_container(r, struct kl_produce, request);
	const struct kl_settings *s = request->producer->settings;
	struct kl_arena *arena = &request->arena;
	kl_arena_reset(arena);
	struct kl_produce_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_produce_request_topic *topics =
		kl_type_new(&kl_type_produce_request_topic, arena, request->count);
	struct kl_produce_request_partition *partitions =
		kl_type_new(&kl_type_produce_request_partition, arena, request->count);
	if (body == NULL || topics == NULL || partitions == NULL)
		return NULL;
	kl_msg_init(&kl_msg_produce_request, body);
	body->transactional_id = kl_producer_is_transactional(request->producer)
					 ? kl_str(request->producer->txn.id)
					 : KL_STR_NULL;
	body->acks = (int16_t)s->acks;
	body->timeout_ms = s->request_timeout_ms;
	body->topic_data = topics;
	body->topic_data_n = 0;
	struct kl_produce_request_topic *topic = NULL;
	for (size_t i = 0; i < request->count; i++) {
		const struct kl_pbatch *batch = request->batches[i];
		if (i == 0 ||
		    batch->partition->topic != request->batches[i - 1]->partition->topic) {
			topic = add_topic(body, batch);
			topic->partition_data = &partitions[i];
		}
		struct kl_produce_request_partition *part =
			&topic->partition_data[topic->partition_data_n++];
		part->index = batch->partition->index;
		part->records = kl_convert_bytes(batch, request->magic);
	}
	return body;
}

/* Version 13 names topics by id (KIP-516), which old brokers do not tell. */
static int version_limit(const struct kl_produce *request)
{
	int limit = carries[request->magic].max;
	for (size_t i = 0; i < request->count && limit < 0; i++)
		if (kl_uuid_is_zero(&request->batches[i]->topic_id))
			limit = 12;
	return limit;
}

void kl_produce_transmit(struct kl_produce *request)
{
	struct klamm_producer *p = request->producer;
	struct kl_node *node = request->node;
	qsort(request->batches, request->count, sizeof(*request->batches), by_topic);
	node->user = NULL;
	struct kl_request *r = &request->request;
	r->api = KL_API_PRODUCE;
	r->min_version = carries[request->magic].min;
	r->max_version = version_limit(request);
	if (kl_producer_is_transactional(p) && p->txn.v2)
		r->min_version = PRODUCE_TXN_V1 + 1;
	else if (kl_producer_is_transactional(p))
		r->max_version = PRODUCE_TXN_V1;
	r->prepare = make_body;
	r->no_answer = p->settings->acks == KL_ACKS_NONE;
	r->deadline = request->deadline;
	r->done = kl_produce_answered;
	node->busy++;
	kl_producer_count_sent(p, request->batches, request->count);
	kl_list_remove(&request->link); /* it was being built */
	kl_list_push(&p->requests, &request->link);
	kl_node_request(node, r);
}

void kl_produce_free_spare(struct klamm_producer *p)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&p->spare_requests)) != NULL) {
		struct kl_produce *request = kl_list_entry(link, struct kl_produce, link);
		kl_request_free(&request->request);
		kl_arena_free(&request->arena);
		free(request->batches);
		free(request);
	}
}
