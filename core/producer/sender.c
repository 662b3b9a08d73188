/* SPDX-License-Identifier: BSD-2-Clause */
/* The sender: takes sealed batches, groups them by leader, sends, retries, and ends them.
 *
 * Runs in the loop. A round looks only at partitions that something happened to: one that
 * cannot be sent now is parked until its time, its broker or its metadata comes.
 * A partition has one batch in flight, so its order is kept over retries.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/producer/producer.h"
#include "core/proto/gen/messages.h"

/* Header, topic name and the like of a Produce request, beside its batches. */
#define REQUEST_OVERHEAD 512

/* A Produce request and its batches. */
struct kl_produce {
	struct kl_request request;
	struct kl_list link; /* producer->requests, or spare */
	struct klamm_producer *producer;
	struct kl_node *node;
	struct kl_pbatch **batches;
	size_t count, cap;
	size_t bytes;
	int64_t deadline; /* of the batch that expires first */
	struct kl_arena arena;
};

static int64_t now(const struct klamm_producer *p)
{
	return p->loop->now;
}

static struct kl_pbatch *first_batch(struct kl_partition *part)
{
	return kl_list_first(&part->queue, struct kl_pbatch, link);
}

static int64_t expires_at(const struct klamm_producer *p, const struct kl_pbatch *batch)
{
	return batch->opened_at + (int64_t)p->settings->delivery_timeout_ms * KL_MS;
}

/* The partition is to be looked at in this round. */
static void look_at(struct klamm_producer *p, struct kl_partition *part)
{
	kl_list_remove(&part->sendable);
	kl_list_push(&p->sendable, &part->sendable);
}

static void park(struct klamm_producer *p, struct kl_partition *part)
{
	kl_list_remove(&part->sendable);
	kl_list_push(&p->parked, &part->sendable);
}

static void unpark_all(struct klamm_producer *p)
{
	kl_list_splice(&p->sendable, &p->parked);
	kl_loop_post(p->loop, &p->task);
}

/* --- the end of a batch --- */

static void end_batch(struct klamm_producer *p, struct kl_pbatch *batch, int error,
		      const char *text)
{
	int outcome = error == 0           ? KLAMM_OUTCOME_DELIVERED
		      : batch->maybe_written ? KLAMM_OUTCOME_POSSIBLY_WRITTEN
					     : KLAMM_OUTCOME_NOT_WRITTEN;
	kl_pbatch_end(p, batch, error, outcome, -1, -1, text);
}

static void expire_batch(struct klamm_producer *p, struct kl_partition *part,
			 struct kl_pbatch *batch)
{
	char text[KLAMM_ERROR_TEXT];
	const char *why = part->topic->info != NULL && part->topic->info->error != 0
				  ? klamm_err_name(part->topic->info->error)
			  : p->cluster.last_error.code != 0 ? p->cluster.last_error.text
							    : "no error was seen";
	snprintf(text, sizeof(text),
		 "topic %s partition %d: not acknowledged within delivery.timeout.ms after %u "
		 "attempts; last: %.200s",
		 part->topic->name, part->index, batch->attempts, why);
	end_batch(p, batch, KLAMM_ERR_EXPIRED, text);
}

/* false: nothing is left in the queue. */
static bool expire_queue(struct klamm_producer *p, struct kl_partition *part)
{
	struct kl_pbatch *batch;
	while ((batch = first_batch(part)) != NULL) {
		if (!atomic_load_explicit(&batch->ready, memory_order_acquire) ||
		    expires_at(p, batch) > now(p))
			return true;
		atomic_fetch_sub(&p->sealed_bytes, kl_min(batch->plain_size,
							  atomic_load(&p->sealed_bytes)));
		expire_batch(p, part, batch);
	}
	return false;
}

/* --- lingering batches --- */

/* Seal the open batch, if nobody else is at it just now. false: try again soon. */
static bool seal_open(struct klamm_producer *p, struct kl_partition *part)
{
	if (!kl_partition_try_lock(part))
		return false;
	struct kl_pbatch *batch = NULL;
	if (part->batch != NULL && part->count > 0)
		batch = kl_pbatch_seal(p, part);
	kl_list_splice(&part->queue, &part->sealed);
	kl_partition_unlock(part);
	part->is_due = false;
	kl_list_remove(&part->lingering);
	if (batch != NULL)
		kl_pbatch_finish(p, batch);
	return true;
}

/* A batch that is due waits while another of its partition is under way: it may as well fill
 * up, and a slow broker does not get many small ones. */
static void came_due(struct klamm_producer *p, struct kl_partition *part)
{
	if (part->in_flight || !kl_list_empty(&part->queue)) {
		kl_list_remove(&part->lingering);
		part->is_due = true;
		return;
	}
	if (seal_open(p, part))
		look_at(p, part);
	else /* its owner is gone in a moment */
		kl_loop_post(p->loop, &p->task);
}

static bool is_due(const struct klamm_producer *p, const struct kl_partition *part)
{
	return part->due <= now(p) || atomic_load(&p->pressure) ||
	       part->opened_id <= atomic_load(&p->flush_id);
}

static void run_lingering(struct klamm_producer *p)
{
	bool all = atomic_load(&p->pressure) || atomic_load(&p->flush_id) > 0;
	kl_list_for_safe(part, &p->lingering, struct kl_partition, lingering) {
		if (is_due(p, part))
			came_due(p, part);
		else if (!all)
			break; /* the list is in order of due times */
	}
}

/* What send() did to a partition. */
static void take_dirty(struct klamm_producer *p, struct kl_partition *part)
{
	kl_partition_lock(part);
	kl_list_splice(&part->queue, &part->sealed);
	struct kl_pbatch *open = part->batch;
	int64_t due = open != NULL ? open->opened_at + p->linger_us : KL_NEVER;
	uint64_t id = open != NULL ? open->id : 0;
	kl_partition_unlock(part);
	kl_list_remove(&part->lingering);
	part->is_due = false;
	if (open != NULL) {
		part->due = due;
		part->opened_id = id;
		kl_list_push(&p->lingering, &part->lingering);
	}
	if (!part->in_flight && !kl_list_empty(&part->queue))
		look_at(p, part);
}

static void take_all_dirty(struct klamm_producer *p)
{
	struct kl_partition *newest = atomic_exchange(&p->dirty, NULL), *oldest = NULL;
	while (newest != NULL) {
		struct kl_partition *next = newest->next_dirty;
		newest->next_dirty = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest != NULL) {
		struct kl_partition *part = oldest;
		oldest = part->next_dirty;
		atomic_store(&part->dirty, false);
		take_dirty(p, part);
	}
}

/* --- answers --- */

/* The next batch of the partition may go. */
static void release(struct klamm_producer *p, struct kl_partition *part)
{
	part->in_flight = false;
	if (p->stopping) /* kl_sender_abandon() ends what is left */
		return;
	if (part->is_due && kl_list_empty(&part->queue) && !seal_open(p, part)) {
		kl_list_push_front(&p->lingering, &part->lingering);
		part->due = now(p);
		kl_loop_post(p->loop, &p->task);
	}
	if (!kl_list_empty(&part->queue))
		look_at(p, part);
	kl_loop_post(p->loop, &p->task);
}

/* Codes after which the broker may have kept the batch. */
static bool leaves_doubt(int code)
{
	return code == KLAMM_ERR_REQUEST_TIMED_OUT ||
	       code == KLAMM_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND ||
	       code == KLAMM_ERR_UNKNOWN_SERVER_ERROR || code == KLAMM_ERR_NETWORK_EXCEPTION ||
	       code == KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

static bool may_retry(const struct klamm_producer *p, const struct kl_pbatch *batch, int code)
{
	return klamm_err_retriable(code) && !p->stopping &&
	       batch->attempts <= (unsigned)p->settings->retries &&
	       expires_at(p, batch) > now(p);
}

/* Back to the front of its partition's queue, before anything younger. */
static void retry_later(struct klamm_producer *p, struct kl_partition *part,
			struct kl_pbatch *batch)
{
	kl_list_push_front(&part->queue, &batch->link);
	part->retry_at = now(p) + kl_backoff(p->os, p->settings->retry_backoff_ms,
					     p->settings->retry_backoff_max_ms,
					     batch->attempts - 1);
}

static void fail_or_retry(struct klamm_producer *p, struct kl_pbatch *batch, int code,
			  const char *text)
{
	struct kl_partition *part = batch->partition;
	if (klamm_err_invalid_metadata(code) && part->topic->info != NULL)
		kl_cluster_refresh(&p->cluster, part->topic->info);
	if (may_retry(p, batch, code)) {
		kl_log(&p->log, KL_LOG_DEBUG, "producer", "topic %s partition %d: %s; trying again",
		       part->topic->name, part->index, text);
		retry_later(p, part, batch);
		atomic_fetch_add(&p->sealed_bytes, batch->plain_size);
	} else {
		end_batch(p, batch, code, text);
	}
	release(p, part);
}

static void deliver(struct klamm_producer *p, struct kl_pbatch *batch, int64_t base_offset,
		    int64_t append_time)
{
	struct kl_partition *part = batch->partition;
	kl_pbatch_end(p, batch, 0, KLAMM_OUTCOME_DELIVERED, base_offset, append_time, "");
	release(p, part);
}

/* KIP-951: who leads now may be in the answer itself. */
static void take_hint(struct klamm_producer *p, struct kl_partition *part,
		      const struct kl_produce_response_partition *told)
{
	if (part->topic->info != NULL &&
	    kl_cluster_leader_hint(&p->cluster, part->topic->info, part->index,
				   told->current_leader.leader_id,
				   told->current_leader.leader_epoch))
		part->retry_at = now(p);
}

static void on_partition(struct klamm_producer *p, struct kl_pbatch *batch,
			 const struct kl_produce_response_partition *told)
{
	struct kl_partition *part = batch->partition;
	int code = told->error_code;
	if (code == 0) {
		deliver(p, batch, told->base_offset, told->log_append_time_ms);
		return;
	}
	if (leaves_doubt(code))
		batch->maybe_written = true;
	char text[KLAMM_ERROR_TEXT];
	snprintf(text, sizeof(text), "topic %s partition %d: %s: %.*s%s%s", part->topic->name,
		 part->index, klamm_err_name(code),
		 told->error_message.len > 0 ? (int)kl_min(told->error_message.len, 160) : 0,
		 told->error_message.len > 0 ? told->error_message.p : "",
		 told->error_message.len > 0 ? "; " : "", klamm_err_text(code));
	fail_or_retry(p, batch, code, text);
	take_hint(p, part, told);
}

static bool is_of(const struct kl_pbatch *batch, const struct kl_produce_response_topic *topic,
		  int version)
{
	const struct klamm_topic *own = batch->partition->topic;
	if (version >= 13)
		return own->info != NULL && kl_uuid_equal(&own->info->id, &topic->topic_id);
	return kl_str_is(topic->name, own->name);
}

/* Answers come in the order of the request, so the search begins where the last one ended. */
static struct kl_pbatch **find_batch(struct kl_produce *request, size_t *at,
				     const struct kl_produce_response_topic *topic,
				     int32_t index, int version)
{
	for (size_t n = 0; n < request->count; n++) {
		size_t i = (*at + n) % request->count;
		struct kl_pbatch *batch = request->batches[i];
		if (batch != NULL && batch->partition->index == index &&
		    is_of(batch, topic, version)) {
			*at = i + 1;
			return &request->batches[i];
		}
	}
	return NULL;
}

static void on_topics(struct kl_produce *request, const struct kl_produce_response *body,
		      int version)
{
	size_t at = 0;
	for (int32_t t = 0; t < body->responses_n; t++) {
		const struct kl_produce_response_topic *topic = &body->responses[t];
		for (int32_t i = 0; i < topic->partition_responses_n; i++) {
			const struct kl_produce_response_partition *told =
				&topic->partition_responses[i];
			struct kl_pbatch **batch =
				find_batch(request, &at, topic, told->index, version);
			if (batch == NULL)
				continue;
			struct kl_pbatch *taken = *batch;
			*batch = NULL;
			on_partition(request->producer, taken, told);
		}
	}
}

/* The batches that are left in a request share one end. */
static void fail_rest(struct kl_produce *request, int code, const char *text, bool maybe)
{
	for (size_t i = 0; i < request->count; i++) {
		struct kl_pbatch *batch = request->batches[i];
		if (batch == NULL)
			continue;
		request->batches[i] = NULL;
		batch->maybe_written |= maybe;
		char where[KLAMM_ERROR_TEXT];
		snprintf(where, sizeof(where), "topic %s partition %d: %.300s",
			 batch->partition->topic->name, batch->partition->index, text);
		fail_or_retry(request->producer, batch, code, where);
	}
}

static void deliver_rest(struct kl_produce *request)
{
	for (size_t i = 0; i < request->count; i++) {
		struct kl_pbatch *batch = request->batches[i];
		request->batches[i] = NULL;
		if (batch != NULL)
			deliver(request->producer, batch, -1, -1);
	}
}

static void put_request(struct kl_produce *request)
{
	struct klamm_producer *p = request->producer;
	request->count = 0;
	request->bytes = 0;
	request->node = NULL;
	kl_list_remove(&request->link);
	kl_list_push_front(&p->spare_requests, &request->link);
}

static void on_answer(struct kl_request *r, const struct kl_response *response)
{
	struct kl_produce *request = kl_container(r, struct kl_produce, request);
	if (response->code != 0) {
		fail_rest(request, response->code, response->err->text,
			  response->maybe_applied);
	} else if (response->body == NULL) {
		deliver_rest(request); /* acks=0: gone is all we know */
	} else {
		on_topics(request, response->body, response->version);
		fail_rest(request, KLAMM_ERR_UNKNOWN_SERVER_ERROR,
			  "the answer to Produce does not name it", true);
	}
	struct klamm_producer *p = request->producer;
	put_request(request);
	unpark_all(p); /* some may have waited for a request to come back */
}

/* --- requests --- */

static struct kl_produce *get_request(struct klamm_producer *p)
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

static bool add_batch(struct kl_produce *request, struct kl_pbatch *batch)
{
	if (request->count == request->cap) {
		size_t cap = request->cap ? request->cap * 2 : 16;
		struct kl_pbatch **batches = reallocarray(request->batches, cap, sizeof(*batches));
		if (batches == NULL)
			return false;
		request->batches = batches;
		request->cap = cap;
	}
	request->batches[request->count++] = batch;
	request->bytes += batch->size;
	request->deadline = kl_min(request->deadline, expires_at(request->producer, batch));
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
						  const struct klamm_topic *topic)
{
	struct kl_produce_request_topic *t = &body->topic_data[body->topic_data_n++];
	t->name = kl_str(topic->name);
	t->topic_id = topic->info->id;
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
	body->transactional_id = KL_STR_NULL;
	body->acks = (int16_t)s->acks;
	body->timeout_ms = s->request_timeout_ms;
	body->topic_data = topics;
	body->topic_data_n = 0;
	struct kl_produce_request_topic *topic = NULL;
	for (size_t i = 0; i < request->count; i++) {
		const struct kl_pbatch *batch = request->batches[i];
		if (i == 0 || batch->partition->topic != request->batches[i - 1]->partition->topic) {
			topic = add_topic(body, batch->partition->topic);
			topic->partition_data = &partitions[i];
		}
		struct kl_produce_request_partition *part =
			&topic->partition_data[topic->partition_data_n++];
		part->index = batch->partition->index;
		part->records = (struct kl_bytes){batch->slab->data, (int32_t)batch->size};
	}
	return body;
}

/* Version 13 names topics by id (KIP-516), which old brokers do not tell. */
static int version_limit(const struct kl_produce *request)
{
	for (size_t i = 0; i < request->count; i++)
		if (kl_uuid_is_zero(&request->batches[i]->partition->topic->info->id))
			return 12;
	return -1;
}

static void transmit(struct kl_produce *request)
{
	struct klamm_producer *p = request->producer;
	struct kl_node *node = request->node;
	qsort(request->batches, request->count, sizeof(*request->batches), by_topic);
	node->user = NULL;
	struct kl_request *r = &request->request;
	r->api = KL_API_PRODUCE;
	r->max_version = version_limit(request);
	r->prepare = make_body;
	r->no_answer = p->settings->acks == KL_ACKS_NONE;
	r->deadline = request->deadline;
	r->done = on_answer;
	kl_list_remove(&request->link); /* it was being built */
	kl_list_push(&p->requests, &request->link);
	kl_node_request(node, r);
}

/* The leader's node, or NULL: not known, or nobody. */
static struct kl_node *leader_of(struct klamm_producer *p, const struct kl_partition *part)
{
	const struct kl_topic_info *info = part->topic->info;
	if (info == NULL || part->index >= info->partition_count ||
	    info->partitions[part->index].leader < 0)
		return NULL;
	return kl_cluster_node(&p->cluster, info->partitions[part->index].leader);
}

static unsigned in_flight(const struct kl_node *node)
{
	return node->in_flight_count + node->waiting_count;
}

/* true: the batch is in a request that will leave in this round. */
static bool send_batch(struct klamm_producer *p, struct kl_partition *part,
		       struct kl_pbatch *batch)
{
	struct kl_node *node = leader_of(p, part);
	if (node == NULL) {
		if (part->topic->info != NULL)
			kl_cluster_refresh(&p->cluster, part->topic->info);
		return false;
	}
	if (!kl_node_connect(node) ||
	    in_flight(node) >= (unsigned)p->settings->max_in_flight_requests_per_connection)
		return false;
	struct kl_produce *request = node->user;
	if (request != NULL && request->bytes + batch->size + REQUEST_OVERHEAD >
				       (size_t)p->settings->max_request_size) {
		transmit(request);
		if (in_flight(node) >=
		    (unsigned)p->settings->max_in_flight_requests_per_connection)
			return false;
		request = NULL;
	}
	if (request == NULL) {
		request = get_request(p);
		if (request == NULL)
			return false;
		request->node = node;
		request->deadline = KL_NEVER;
		node->user = request;
		kl_list_push(&p->building, &request->link);
	}
	if (!add_batch(request, batch))
		return false;
	kl_list_remove(&batch->link); /* it belongs to the request now */
	return true;
}

static void visit(struct klamm_producer *p, struct kl_partition *part)
{
	if (part->in_flight || !expire_queue(p, part))
		return;
	struct kl_pbatch *batch = first_batch(part);
	if (!atomic_load_explicit(&batch->ready, memory_order_acquire))
		return; /* its worker marks the partition */
	if (part->retry_at > now(p) || !send_batch(p, part, batch)) {
		park(p, part);
		return;
	}
	part->in_flight = true;
	batch->attempts++;
	atomic_fetch_sub(&p->sealed_bytes,
			 kl_min(batch->plain_size, atomic_load(&p->sealed_bytes)));
}

static void set_timer(struct klamm_producer *p)
{
	int64_t when = KL_NEVER;
	struct kl_partition *lingering =
		kl_list_first(&p->lingering, struct kl_partition, lingering);
	if (lingering != NULL)
		when = lingering->due;
	kl_list_for(part, &p->parked, struct kl_partition, sendable) {
		if (part->retry_at > now(p))
			when = kl_min(when, part->retry_at);
		if (!kl_list_empty(&part->queue))
			when = kl_min(when, expires_at(p, first_batch(part)));
	}
	kl_timer_set(p->loop, &p->timer, when);
}

void kl_sender_round(struct kl_task *task)
{
	struct klamm_producer *p = kl_container(task, struct klamm_producer, task);
	take_all_dirty(p);
	run_lingering(p);
	struct kl_list *link;
	while ((link = kl_list_pop(&p->sendable)) != NULL)
		visit(p, kl_list_entry(link, struct kl_partition, sendable));
	while ((link = kl_list_pop(&p->building)) != NULL)
		transmit(kl_list_entry(link, struct kl_produce, link));
	set_timer(p);
}

static void on_timer(struct kl_timer *timer)
{
	struct klamm_producer *p = kl_container(timer, struct klamm_producer, timer);
	kl_list_splice(&p->sendable, &p->parked);
	kl_sender_round(&p->task);
}

static void on_node(struct kl_cluster *cluster, struct kl_node *node,
		    const struct klamm_error *err)
{
	unpark_all(kl_container(cluster, struct klamm_producer, cluster));
}

static void on_topic(struct kl_cluster *cluster, struct kl_topic_info *info)
{
	struct klamm_producer *p = kl_container(cluster, struct klamm_producer, cluster);
	kl_topic_update(p, info);
	unpark_all(p);
}

const struct kl_cluster_ops kl_sender_ops = {.topic = on_topic, .node = on_node};

/* --- beginning and end --- */

int kl_sender_init(struct klamm_producer *p, struct klamm_error *err)
{
	kl_list_init(&p->lingering);
	kl_list_init(&p->sendable);
	kl_list_init(&p->parked);
	kl_list_init(&p->building);
	kl_list_init(&p->requests);
	kl_list_init(&p->spare_requests);
	p->task.fn = kl_sender_round;
	return kl_timer_init(p->loop, &p->timer, on_timer, err);
}

static void abandon_partition(struct klamm_producer *p, struct kl_partition *part)
{
	kl_partition_lock(part);
	struct kl_pbatch *open = part->batch != NULL ? kl_pbatch_seal(p, part) : NULL;
	kl_list_splice(&part->queue, &part->sealed);
	kl_partition_unlock(part);
	if (open != NULL)
		atomic_store(&open->ready, true);
	kl_list_remove(&part->lingering);
	kl_list_remove(&part->sendable);
	char text[KLAMM_ERROR_TEXT];
	snprintf(text, sizeof(text), "topic %s partition %d: the producer was closed before it "
		 "was acknowledged", part->topic->name, part->index);
	struct kl_pbatch *batch;
	while ((batch = first_batch(part)) != NULL)
		end_batch(p, batch, KLAMM_ERR_CLOSED, text);
}

void kl_sender_abandon(struct klamm_producer *p)
{
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, p->topics, topic, tmp) {
		int32_t count = atomic_load(&topic->partition_count);
		struct kl_partition **table = atomic_load(&topic->partitions);
		for (int32_t i = 0; i < count; i++)
			abandon_partition(p, table[i]);
	}
}

void kl_sender_free(struct klamm_producer *p)
{
	kl_timer_drop(p->loop, &p->timer);
	struct kl_list *link;
	while ((link = kl_list_pop(&p->spare_requests)) != NULL) {
		struct kl_produce *request = kl_list_entry(link, struct kl_produce, link);
		kl_request_free(&request->request);
		kl_arena_free(&request->arena);
		free(request->batches);
		free(request);
	}
}
