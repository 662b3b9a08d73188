/* SPDX-License-Identifier: BSD-2-Clause */
/* The sender: takes sealed batches, groups them by leader, sends, retries, and ends them.
 *
 * Runs in the loop. A round looks only at partitions that something happened to: one that
 * cannot be sent now is parked until its time, its broker, its metadata or a free place in
 * flight comes. A partition has one batch in flight, so its order is kept over retries.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/producer/producer.h"
#include "core/proto/gen/messages.h"

/* Header, topic name and the like of a Produce request, beside its batches. */
#define REQUEST_OVERHEAD 512
/* Batches are encoded as v2 (KIP-98), which Produce carries from this version on. */
#define PRODUCE_MIN_VERSION 3
/* Nothing will tell when there is memory again. */
#define LOOK_AGAIN (100 * KL_MS)

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

/* Until something happens, or this time at the latest. */
static void park(struct klamm_producer *p, struct kl_partition *part, int64_t until)
{
	kl_list_remove(&part->sendable);
	kl_list_push(&p->parked, &part->sendable);
	kl_partition_waits(part, now(p));
	p->look_at = kl_min(p->look_at, kl_min(until, expires_at(p, first_batch(part))));
}

static void unpark_all(struct klamm_producer *p)
{
	kl_list_splice(&p->sendable, &p->parked);
	p->look_at = KL_NEVER;
	kl_hook_add(p->loop, &p->round_hook);
}

/* --- the end of a batch --- */

static void end_batch(struct klamm_producer *p, struct kl_pbatch *batch, int error,
		      const char *text)
{
	int outcome = error == 0           ? KLAMM_OUTCOME_DELIVERED
		      : batch->maybe_written ? KLAMM_OUTCOME_POSSIBLY_WRITTEN
					     : KLAMM_OUTCOME_NOT_WRITTEN;
	kl_partition_moves(batch->partition);
	kl_pbatch_end(p, batch, error, outcome, -1, -1, text);
}

static void expire_batch(struct klamm_producer *p, struct kl_partition *part,
			 struct kl_pbatch *batch)
{
	char text[KLAMM_ERROR_TEXT];
	const char *why = batch->last_code != 0 ? klamm_err_name(batch->last_code)
			  : part->topic->info != NULL && part->topic->info->error != 0
				  ? klamm_err_name(part->topic->info->error)
			  : p->cluster.last_error.code != 0 ? p->cluster.last_error.text
							    : "no error was seen";
	snprintf(text, sizeof(text),
		 "topic %s partition %d: not acknowledged within delivery.timeout.ms after %u "
		 "attempts; last: %.200s",
		 part->topic->name, part->index, batch->attempts, why);
	end_batch(p, batch, KLAMM_ERR_EXPIRED, text);
}

static void not_sealed(struct klamm_producer *p, const struct kl_pbatch *batch)
{
	atomic_fetch_sub(&p->sealed_bytes,
			 kl_min(batch->plain_size, atomic_load(&p->sealed_bytes)));
}

/* End batches that have expired, or were opened for a record that did not come. false: nothing
 * is left in the queue. */
static bool clear_queue(struct klamm_producer *p, struct kl_partition *part)
{
	struct kl_pbatch *batch;
	while ((batch = first_batch(part)) != NULL) {
		if (!atomic_load_explicit(&batch->ready, memory_order_acquire))
			return true;
		bool empty = batch->count == 0;
		if (!empty && expires_at(p, batch) > now(p))
			return true;
		not_sealed(p, batch);
		if (empty)
			kl_pbatch_end(p, batch, 0, KLAMM_OUTCOME_NONE, -1, -1, "");
		else
			expire_batch(p, part, batch);
	}
	return false;
}

/* --- answers --- */

/* Nothing of the partition is in flight: its next batch may go, and one that is due need not
 * wait any longer. */
static void go_on(struct klamm_producer *p, struct kl_partition *part)
{
	if (part->is_due && kl_list_empty(&part->queue))
		kl_linger_seal(p, part);
	if (!kl_list_empty(&part->queue))
		look_at(p, part);
	kl_hook_add(p->loop, &p->round_hook);
}

static void release(struct klamm_producer *p, struct kl_partition *part)
{
	part->in_flight = false;
	if (!p->stopping) /* else kl_sender_abandon() ends what is left */
		go_on(p, part);
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
	       batch->attempts <= (unsigned)p->settings->retries;
}

/* Back to the front of its partition's queue, before anything younger. */
static void retry_later(struct klamm_producer *p, struct kl_partition *part,
			struct kl_pbatch *batch)
{
	if (KL_BUG(REORDERED_RETRY))
		kl_list_push(&part->queue, &batch->link);
	else if (!KL_BUG(LOST_RETRY))
		kl_list_push_front(&part->queue, &batch->link);
	part->retry_at = now(p) + kl_backoff(p->os, p->settings->retry_backoff_ms,
					     p->settings->retry_backoff_max_ms,
					     batch->attempts - 1);
}

static void fail_or_retry(struct klamm_producer *p, struct kl_pbatch *batch, int code,
			  const char *text)
{
	struct kl_partition *part = batch->partition;
	if (klamm_err_invalid_metadata(code) && part->topic->info != NULL &&
	    !KL_BUG(STALE_LEADER))
		kl_cluster_refresh(&p->cluster, part->topic->info);
	batch->last_code = code;
	if (may_retry(p, batch, code) && expires_at(p, batch) <= now(p)) {
		expire_batch(p, part, batch);
	} else if (may_retry(p, batch, code)) {
		kl_log(&p->log, KL_LOG_DEBUG, "producer",
		       "topic %s partition %d: %s; trying again", part->topic->name,
		       part->index, text);
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
	kl_partition_moves(part);
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
	if (version >= 13) /* the id that was asked with: metadata may know another by now */
		return kl_uuid_equal(&batch->topic_id, &topic->topic_id);
	return kl_str_is(topic->name, batch->partition->topic->name);
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
		batch->maybe_written |= maybe && !KL_BUG(CERTAIN_OF_LOSS);
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
	request->node->busy--;
	if (KL_BUG(ACK_OF_LOST) && response->maybe_applied) {
		deliver_rest(request);
	} else if (response->code != 0) {
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
		struct kl_pbatch **batches = reallocarray(request->batches, cap,
							  sizeof(*batches));
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
	body->transactional_id = KL_STR_NULL;
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
		part->records = (struct kl_bytes){batch->slab->data, (int32_t)batch->size};
	}
	return body;
}

/* Version 13 names topics by id (KIP-516), which old brokers do not tell. */
static int version_limit(const struct kl_produce *request)
{
	for (size_t i = 0; i < request->count; i++)
		if (kl_uuid_is_zero(&request->batches[i]->topic_id))
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
	r->min_version = PRODUCE_MIN_VERSION;
	r->max_version = version_limit(request);
	r->prepare = make_body;
	r->no_answer = p->settings->acks == KL_ACKS_NONE;
	r->deadline = request->deadline;
	r->done = on_answer;
	node->busy++;
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

static bool is_full(const struct klamm_producer *p, const struct kl_node *node)
{
	return node->busy >= (unsigned)p->settings->max_in_flight_requests_per_connection;
}

/* The request to this node that is being built, with room for so many bytes more. NULL:
 * *again_out tells when to ask again. */
static struct kl_produce *request_to(struct klamm_producer *p, struct kl_node *node,
				     size_t size, int64_t *again_out)
{
	struct kl_produce *request = node->user;
	*again_out = KL_NEVER; /* an answer comes */
	if (request != NULL && request->bytes + size + REQUEST_OVERHEAD >
				       (size_t)p->settings->max_request_size) {
		transmit(request);
		request = NULL;
	}
	if (request != NULL)
		return request;
	if (is_full(p, node))
		return NULL;
	request = get_request(p);
	if (request == NULL) {
		*again_out = now(p) + LOOK_AGAIN;
		return NULL;
	}
	request->node = node;
	request->deadline = KL_NEVER;
	node->user = request;
	kl_list_push(&p->building, &request->link);
	return request;
}

/* true: the batch is in a request that will leave in this round. Else *again_out. */
static bool send_batch(struct klamm_producer *p, struct kl_partition *part,
		       struct kl_pbatch *batch, int64_t *again_out)
{
	struct kl_node *node = leader_of(p, part);
	*again_out = KL_NEVER;
	if (node == NULL) {
		kl_topic_refresh(p, part->topic);
		return false;
	}
	if (!kl_node_connect(node)) {
		*again_out = kl_node_next_time(node);
		return false;
	}
	struct kl_produce *request = request_to(p, node, batch->size, again_out);
	if (request == NULL)
		return false;
	if (!add_batch(request, batch)) {
		*again_out = now(p) + LOOK_AGAIN;
		return false;
	}
	batch->topic_id = part->topic->info->id;
	kl_list_remove(&batch->link); /* it belongs to the request now */
	return true;
}

/* What was there when the leader refused to let us in ends with its reason; what comes later
 * has a try of its own. */
static void end_refused(struct klamm_producer *p, struct kl_partition *part)
{
	const struct kl_node *node = leader_of(p, part);
	struct kl_pbatch *batch;
	while (node != NULL && (batch = first_batch(part)) != NULL &&
	       atomic_load_explicit(&batch->ready, memory_order_acquire) &&
	       kl_node_has_refused(node, batch->opened_at)) {
		char text[KLAMM_ERROR_TEXT];
		snprintf(text, sizeof(text), "topic %s partition %d: %.300s",
			 part->topic->name, part->index, node->last_error.text);
		not_sealed(p, batch);
		end_batch(p, batch, node->last_error.code, text);
	}
}

static void visit(struct klamm_producer *p, struct kl_partition *part)
{
	if (part->in_flight)
		return;
	end_refused(p, part);
	if (!clear_queue(p, part)) {
		go_on(p, part);
		return;
	}
	struct kl_pbatch *batch = first_batch(part);
	if (!atomic_load_explicit(&batch->ready, memory_order_acquire))
		return; /* its worker marks the partition */
	int64_t again = part->retry_at;
	if (part->retry_at > now(p) || !send_batch(p, part, batch, &again)) {
		park(p, part, again);
		return;
	}
	part->in_flight = !KL_BUG(TWO_IN_FLIGHT);
	kl_partition_waits(part, now(p));
	batch->attempts++;
	not_sealed(p, batch);
}

void kl_sender_round(struct kl_task *task)
{
	struct klamm_producer *p = kl_container(task, struct klamm_producer, task);
	int64_t due = kl_linger_round(p);
	struct kl_list *link;
	while ((link = kl_list_pop(&p->sendable)) != NULL)
		visit(p, kl_list_entry(link, struct kl_partition, sendable));
	while ((link = kl_list_pop(&p->building)) != NULL)
		transmit(kl_list_entry(link, struct kl_produce, link));
	due = kl_min(due, kl_memory_round(p));
	kl_timer_set(p->loop, &p->timer, kl_min(due, p->look_at));
}

static void on_hook(struct kl_hook *hook)
{
	kl_sender_round(&kl_container(hook, struct klamm_producer, round_hook)->task);
}

static void on_timer(struct kl_timer *timer)
{
	struct klamm_producer *p = kl_container(timer, struct klamm_producer, timer);
	if (p->look_at <= now(p)) {
		kl_list_splice(&p->sendable, &p->parked);
		p->look_at = KL_NEVER;
	}
	kl_sender_round(&p->task);
}

static void on_node(struct kl_cluster *cluster, struct kl_node *node,
		    const struct klamm_error *err)
{
	struct klamm_producer *p = kl_container(cluster, struct klamm_producer, cluster);
	if (!KL_BUG(LOST_WAKEUP))
		unpark_all(p);
	if (err != NULL && kl_auth_is_refusal(err))
		kl_gate_wake(p->os, &p->gate);
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
	kl_list_init(&p->round_hook.link);
	p->look_at = p->wake_at = KL_NEVER;
	p->task.fn = kl_sender_round;
	p->round_hook.fn = on_hook;
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
	snprintf(text, sizeof(text),
		 "topic %s partition %d: the producer was closed before it "
		 "was acknowledged",
		 part->topic->name, part->index);
	struct kl_pbatch *batch;
	while ((batch = first_batch(part)) != NULL)
		end_batch(p, batch, KLAMM_ERR_CLOSED, text);
}

void kl_sender_abandon(struct klamm_producer *p)
{
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, p->topics, topic, tmp) {
		struct kl_partition **table = atomic_load(&topic->partitions);
		for (int32_t i = 0; i < topic->table_count; i++)
			abandon_partition(p, table[i]);
	}
}

void kl_sender_free(struct klamm_producer *p)
{
	kl_timer_drop(p->loop, &p->timer);
	kl_list_remove(&p->round_hook.link);
	struct kl_list *link;
	while ((link = kl_list_pop(&p->spare_requests)) != NULL) {
		struct kl_produce *request = kl_list_entry(link, struct kl_produce, link);
		kl_request_free(&request->request);
		kl_arena_free(&request->arena);
		free(request->batches);
		free(request);
	}
}
