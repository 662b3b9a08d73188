/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets asked of the brokers: for partitions that do not know where to begin, and for the
 * application's queries. One mechanism: look-ups, grouped by leader into ListOffsets. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/consumer.h"

/* A request and the look-ups that it carries. */
struct list_request {
	struct kl_request request;
	struct kl_list link; /* while it is being built */
	struct klamm_consumer *c;
	struct kl_node *node;
	struct kl_list lookups;
	size_t count;
	struct kl_arena arena;
};

void kl_lookup_start(struct klamm_consumer *c, struct kl_lookup *lookup)
{
	lookup->offset = lookup->found_ms = -1;
	lookup->leader_epoch = -1;
	kl_ctopic_want(c, lookup->topic);
	kl_list_push(&c->lookups, &lookup->link);
	kl_hook_add(c->loop, &c->round_hook);
}

void kl_lookup_cancel(struct klamm_consumer *c, struct kl_lookup *lookup)
{
	kl_list_remove(&lookup->link);
	kl_ctopic_unwant(c, lookup->topic);
}

static void finish(struct klamm_consumer *c, struct kl_lookup *lookup, int code)
{
	kl_list_remove(&lookup->link);
	struct kl_ctopic *topic = lookup->topic;
	lookup->done(c, lookup, code);
	kl_ctopic_unwant(c, topic);
}

/* Try again later, or give up when that is pointless. */
static void fail(struct klamm_consumer *c, struct kl_lookup *lookup, int code)
{
	if (!klamm_err_retriable(code) || c->stopping) {
		finish(c, lookup, code);
		return;
	}
	lookup->last_code = code;
	lookup->in_flight = false;
	lookup->retry_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						     c->settings->retry_backoff_max_ms,
						     lookup->failures++);
	if (klamm_err_invalid_metadata(code) && lookup->topic->info != NULL)
		kl_cluster_refresh(&c->cluster, lookup->topic->info);
	kl_list_remove(&lookup->link);
	kl_list_push(&c->lookups, &lookup->link);
}

static struct kl_lookup *find(struct list_request *request, struct kl_str topic,
			      int32_t partition)
{
	kl_list_for(lookup, &request->lookups, struct kl_lookup, link)
		if (lookup->partition == partition && kl_str_is(topic, lookup->topic->name))
			return lookup;
	return NULL;
}

static void on_partition(struct klamm_consumer *c, struct kl_lookup *lookup,
			 const struct kl_list_offsets_response_partition *told, int version)
{
	if (told->error_code != 0) {
		fail(c, lookup, told->error_code);
		return;
	}
	if (version == 0) { /* 0.10.0 and before: a list of segments' first offsets */
		lookup->offset =
			told->old_style_offsets_n > 0 ? told->old_style_offsets[0] : -1;
	} else {
		lookup->offset = told->offset;
		lookup->found_ms = told->timestamp;
		lookup->leader_epoch = told->leader_epoch;
	}
	finish(c, lookup, 0);
}

static void on_answer(struct kl_request *r, const struct kl_response *response)
{
	struct list_request *request = kl_container(r, struct list_request, request);
	struct klamm_consumer *c = request->c;
	const struct kl_list_offsets_response *body = response->body;
	for (int32_t t = 0; body != NULL && t < body->topics_n; t++) {
		for (int32_t i = 0; i < body->topics[t].partitions_n; i++) {
			const struct kl_list_offsets_response_partition *told =
				&body->topics[t].partitions[i];
			struct kl_lookup *lookup =
				find(request, body->topics[t].name, told->partition_index);
			if (lookup != NULL)
				on_partition(c, lookup, told, response->version);
		}
	}
	/* Those that were not answered, or all of them. */
	int code = response->code != 0 ? response->code : KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (response->err != NULL && kl_auth_is_refusal(response->err))
		code = KLAMM_ERR_DISCONNECTED; /* the client has told of it, and tries again */
	struct kl_lookup *lookup;
	while ((lookup = kl_list_first(&request->lookups, struct kl_lookup, link)) != NULL)
		fail(c, lookup, code);
	kl_request_free(&request->request);
	kl_arena_free(&request->arena);
	free(request);
	kl_hook_add(c->loop, &c->round_hook);
}

static const void *make_body(struct kl_request *r, int version)
{
	struct list_request *request = kl_container(r, struct list_request, request);
	struct kl_arena *arena = &request->arena;
	kl_arena_reset(arena);
	struct kl_list_offsets_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_list_offsets_request_topic *topics =
		kl_type_new(&kl_type_list_offsets_request_topic, arena, request->count);
	struct kl_list_offsets_request_partition *parts =
		kl_type_new(&kl_type_list_offsets_request_partition, arena, request->count);
	if (body == NULL || topics == NULL || parts == NULL)
		return NULL;
	kl_msg_init(&kl_msg_list_offsets_request, body);
	body->replica_id = -1;
	if (version >= 2) /* brokers before 0.11 know no transactions */
		body->isolation_level = (int8_t)request->c->settings->isolation_level;
	body->timeout_ms = request->c->settings->request_timeout_ms;
	body->topics = topics;
	body->topics_n = 0;
	/* One entry per look-up: a topic may stand there more than once, which brokers
	 * take. */
	kl_list_for(lookup, &request->lookups, struct kl_lookup, link) {
		struct kl_list_offsets_request_topic *topic = &topics[body->topics_n];
		topic->name = kl_str(lookup->topic->name);
		topic->partitions = &parts[body->topics_n++];
		topic->partitions_n = 1;
		*topic->partitions = (struct kl_list_offsets_request_partition){
			.partition_index = lookup->partition,
			.current_leader_epoch = -1,
			.timestamp = lookup->timestamp,
			.max_num_offsets = 1,
		};
	}
	return body;
}

static struct list_request *request_to(struct klamm_consumer *c, struct kl_list *building,
				       struct kl_node *node)
{
	kl_list_for(request, building, struct list_request, link)
		if (request->node == node)
			return request;
	struct list_request *request = calloc(1, sizeof(*request));
	if (request == NULL)
		return NULL;
	request->c = c;
	request->node = node;
	kl_list_init(&request->lookups);
	kl_list_push(building, &request->link);
	return request;
}

/* Two look-ups of one partition cannot go in one request: their answers look alike. */
static bool has_twin(struct list_request *request, const struct kl_lookup *lookup)
{
	kl_list_for(other, &request->lookups, struct kl_lookup, link)
		if (other->topic == lookup->topic && other->partition == lookup->partition)
			return true;
	return false;
}

/* The leader of the look-up's partition, or NULL and *code_out: what is in the way. */
static struct kl_node *leader_of(struct klamm_consumer *c, const struct kl_lookup *lookup,
				 int *code_out)
{
	const struct kl_topic_info *info = lookup->topic->info;
	*code_out = 0;
	if (info == NULL || !info->answered)
		return NULL;
	if (info->error != 0) {
		*code_out = info->error;
		return NULL;
	}
	if (lookup->partition >= info->partition_count) {
		*code_out = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		return NULL;
	}
	int32_t leader = info->partitions[lookup->partition].leader;
	struct kl_node *node = leader >= 0 ? kl_cluster_node(&c->cluster, leader) : NULL;
	if (node == NULL)
		*code_out = KLAMM_ERR_LEADER_NOT_AVAILABLE;
	return node;
}

void kl_lookups_round(struct klamm_consumer *c, int64_t *when)
{
	struct kl_list building = KL_LIST_INIT(building);
	kl_list_for_safe(lookup, &c->lookups, struct kl_lookup, link) {
		if (lookup->retry_at > c->loop->now) {
			*when = kl_min(*when, lookup->retry_at);
			continue;
		}
		int code;
		struct kl_node *node = leader_of(c, lookup, &code);
		if (node == NULL && code == 0)
			continue; /* metadata is on its way */
		if (node == NULL) {
			fail(c, lookup, code);
			*when = kl_min(*when, c->loop->now + KL_MS * 100);
			continue;
		}
		if (!kl_node_connect(node) && !kl_node_may_connect(node)) {
			*when = kl_min(*when, kl_node_next_time(node));
			continue;
		}
		struct list_request *request = request_to(c, &building, node);
		if (request == NULL || has_twin(request, lookup)) {
			*when = kl_min(*when, c->loop->now + KL_MS);
			continue;
		}
		kl_list_remove(&lookup->link);
		kl_list_push(&request->lookups, &lookup->link);
		request->count++;
		lookup->in_flight = true;
	}
	struct kl_list *link;
	while ((link = kl_list_pop(&building)) != NULL) {
		struct list_request *request = kl_list_entry(link, struct list_request, link);
		request->request.api = KL_API_LIST_OFFSETS;
		request->request.max_version = -1;
		request->request.prepare = make_body;
		request->request.deadline = KL_NEVER;
		request->request.done = on_answer;
		kl_node_request(request->node, &request->request);
	}
}

/* --- partitions --- */

struct kl_part_lookup {
	struct kl_lookup lookup;
	struct kl_cpart *part; /* with a reference */
};

void kl_lookup_found(struct klamm_consumer *c, struct kl_cpart *part, int64_t offset,
		     int32_t leader_epoch)
{
	part->fetch_offset = offset;
	part->state = KL_CPART_READY;
	part->failures = 0;
	part->told_error = 0;
	struct kl_chunk *chunk = kl_chunk_get(c);
	if (chunk == NULL)
		return; /* the position is learned with the first batch */
	chunk->part = kl_cpart_ref(part);
	chunk->generation = part->generation;
	chunk->look_up_done = true;
	chunk->offset = offset;
	chunk->leader_epoch = leader_epoch;
	kl_results_push(c, chunk);
}

/* Told once, and tried again: an ACL may be missing that is made in a minute. */
static void part_failed(struct klamm_consumer *c, struct kl_cpart *part, int code)
{
	part->retry_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						   c->settings->retry_backoff_max_ms,
						   part->failures++);
	if (part->told_error == code)
		return;
	struct klamm_error err;
	kl_error(&err, code,
		 "topic %s partition %d: its offset cannot be looked up: %s: %s",
		 part->topic->name, part->partition, klamm_err_name(code),
		 klamm_err_text(code));
	part->told_error = code;
	kl_results_error(c, part, &err);
}

static void part_done(struct klamm_consumer *c, struct kl_lookup *lookup, int code)
{
	struct kl_part_lookup *own = kl_container(lookup, struct kl_part_lookup, lookup);
	struct kl_cpart *part = own->part;
	part->lookup = NULL;
	if (c->stopping) {
		/* Nobody wants to know any more. */
	} else if (code != 0) {
		part_failed(c, part, code);
	} else if (lookup->offset >= 0) {
		kl_lookup_found(c, part, lookup->offset, -1);
	} else { /* no record that late: the end, as the header says of seek_time() */
		part->reset_to = KLAMM_OFFSET_END;
	}
	kl_fetcher_touch(c, part);
	kl_cpart_unref(part);
	free(own);
}

bool kl_lookup_part(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_part_lookup *own = calloc(1, sizeof(*own));
	if (own == NULL)
		return false;
	own->part = kl_cpart_ref(part);
	own->lookup.topic = part->topic;
	own->lookup.partition = part->partition;
	own->lookup.timestamp = part->reset_to;
	own->lookup.done = part_done;
	part->lookup = own;
	kl_lookup_start(c, &own->lookup);
	return true;
}

void kl_lookup_part_cancel(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_part_lookup *own = part->lookup;
	if (own == NULL)
		return;
	part->lookup = NULL;
	kl_lookup_cancel(c, &own->lookup);
	kl_cpart_unref(part);
	free(own);
}

void kl_lookups_free(struct klamm_consumer *c)
{
	struct kl_lookup *lookup;
	while ((lookup = kl_list_first(&c->lookups, struct kl_lookup, link)) != NULL)
		finish(c, lookup, KLAMM_ERR_CLOSED);
}

/* --- the application's queries --- */

struct query {
	struct klamm_consumer *c;
	struct klamm_offset_query *queries;
	struct kl_lookup *lookups;
	size_t count;
	atomic_size_t open;
	unsigned refusals; /* when it began */
	int last_code;
};

static void query_done(struct klamm_consumer *c, struct kl_lookup *lookup, int code)
{
	struct query *query = lookup->owner;
	struct klamm_offset_query *q = &query->queries[lookup - query->lookups];
	q->error = code;
	q->offset = lookup->offset;
	q->found_ms = lookup->found_ms;
	q->leader_epoch = lookup->leader_epoch;
	lookup->owner = NULL;
	atomic_fetch_sub(&query->open, 1);
	kl_gate_wake(c->os, &c->gate);
}

static void start_queries(void *arg)
{
	struct query *query = arg;
	for (size_t i = 0; i < query->count; i++)
		if (query->lookups[i].topic != NULL)
			kl_lookup_start(query->c, &query->lookups[i]);
}

/* Those in flight stay with their request, which must not find them any more. */
static void cancel_queries(void *arg)
{
	struct query *query = arg;
	for (size_t i = 0; i < query->count; i++) {
		struct kl_lookup *lookup = &query->lookups[i];
		if (lookup->owner == NULL)
			continue;
		query->queries[i].error = KLAMM_ERR_TIMED_OUT;
		if (lookup->last_code != 0)
			query->last_code = lookup->last_code;
		kl_lookup_cancel(query->c, lookup);
	}
}

static bool queries_done(void *arg)
{
	const struct query *query = arg;
	return atomic_load(&query->open) == 0 ||
	       atomic_load(&query->c->cluster.refusals) != query->refusals;
}

static int prepare(struct query *query, struct klamm_error *err)
{
	for (size_t i = 0; i < query->count; i++) {
		struct klamm_offset_query *q = &query->queries[i];
		struct kl_lookup *lookup = &query->lookups[i];
		kl_list_init(&lookup->link);
		if (q->size != sizeof(*q))
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"query %zu: its size is %zu, not %zu", i, q->size,
					sizeof(*q));
		if (q->topic == NULL || q->topic[0] == '\0' || q->partition < 0)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"query %zu names no partition", i);
		if (q->timestamp_ms < KLAMM_OFFSET_BEGINNING)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"query %zu: timestamp %lld: must be milliseconds "
					"since 1970, KLAMM_OFFSET_BEGINNING or _END",
					i, (long long)q->timestamp_ms);
		q->error = 0;
		q->offset = q->found_ms = q->leader_epoch = -1;
		lookup->topic = kl_ctopic_get(query->c, q->topic);
		if (lookup->topic == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for queries");
		lookup->partition = q->partition;
		lookup->timestamp = q->timestamp_ms;
		lookup->done = query_done;
		lookup->owner = query;
	}
	return 0;
}

int klamm_consumer_offsets(struct klamm_consumer *c, struct klamm_offset_query *queries,
			   size_t count, int64_t timeout_ms, struct klamm_error *err)
{
	int rc = kl_consumer_check(c, true, err);
	if (rc != 0)
		return rc;
	struct query query = {.c = c, .queries = queries, .count = count,
			      .refusals = atomic_load(&c->cluster.refusals)};
	atomic_init(&query.open, count);
	query.lookups = calloc(count ? count : 1, sizeof(*query.lookups));
	if (query.lookups == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for queries");
	rc = prepare(&query, err);
	if (rc == 0) {
		kl_loop_call(c->loop, start_queries, &query);
		kl_loop_wait(c->loop, &c->gate, queries_done, &query,
			     kl_os_deadline_ms(c->os, timeout_ms));
		if (atomic_load(&query.open) > 0) {
			kl_loop_call(c->loop, cancel_queries, &query);
			struct klamm_error late;
			kl_cluster_ask_why(&c->cluster, &late, "offsets of partitions");
			if (query.last_code != 0 && late.stage != KLAMM_STAGE_TCP &&
			    late.stage != KLAMM_STAGE_SASL)
				kl_error(&late, KLAMM_ERR_TIMED_OUT,
					 "offsets of partitions: timed out; the broker "
					 "says %s",
					 klamm_err_name(query.last_code));
			rc = kl_error_copy(err, &late);
		}
	}
	free(query.lookups);
	return rc;
}

/* --- how many partitions a topic has --- */

struct count_wait {
	struct klamm_consumer *c;
	struct kl_ctopic *topic;
	unsigned refusals; /* when it began */
};

static void count_start(void *arg)
{
	struct count_wait *wait = arg;
	atomic_store(&wait->topic->known_count, -1);
	atomic_store(&wait->topic->known_error, 0);
	kl_ctopic_want(wait->c, wait->topic);
	if (wait->topic->info != NULL)
		kl_cluster_refresh(&wait->c->cluster, wait->topic->info);
}

static void count_end(void *arg)
{
	struct count_wait *wait = arg;
	kl_ctopic_unwant(wait->c, wait->topic);
}

/* A topic that does not exist is an answer; one that is being made is waited for. */
static bool count_known(const struct count_wait *wait)
{
	int32_t error = atomic_load(&wait->topic->known_error);
	return atomic_load(&wait->topic->known_count) >= 0 ||
	       error == KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION ||
	       (error != 0 && !klamm_err_retriable(error));
}

static bool count_ready(void *arg)
{
	const struct count_wait *wait = arg;
	return count_known(wait) || atomic_load(&wait->c->cluster.refusals) != wait->refusals;
}

int klamm_consumer_partitions_for(struct klamm_consumer *c, const char *topic,
				  int64_t timeout_ms, int32_t *count_out,
				  struct klamm_error *err)
{
	int rc = kl_consumer_check(c, true, err);
	if (rc != 0)
		return rc;
	struct count_wait wait = {c, kl_ctopic_get(c, topic),
				  atomic_load(&c->cluster.refusals)};
	if (wait.topic == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a topic");
	kl_loop_call(c->loop, count_start, &wait);
	kl_loop_wait(c->loop, &c->gate, count_ready, &wait,
		     kl_os_deadline_ms(c->os, timeout_ms));
	bool ready = count_known(&wait);
	struct klamm_error late;
	if (!ready)
		kl_cluster_ask_why(&c->cluster, &late, "metadata of a topic");
	kl_loop_call(c->loop, count_end, &wait);
	if (!ready)
		return kl_error_copy(err, &late);
	int32_t count = atomic_load(&wait.topic->known_count);
	int32_t error = atomic_load(&wait.topic->known_error);
	if (count < 0)
		return kl_error(err, error, "topic %s: %s: %s", topic, klamm_err_name(error),
				klamm_err_text(error));
	*count_out = count;
	return 0;
}
