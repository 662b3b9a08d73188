/* SPDX-License-Identifier: BSD-2-Clause */
/* The fetcher: one Fetch under way per broker, for the partitions whose queue runs dry.
 *
 * Runs in the loop. The offset to go on from is found by hopping over the heads of the batches
 * in an answer; checking and decoding them is left to the thread that polls.
 */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/consumer.h"

/* Nothing will tell when there is memory again. */
#define LOOK_AGAIN (100 * KL_MS)

/* A Fetch and its partitions. */
struct fetch {
	struct kl_request request;
	struct kl_list link; /* spare, or being built */
	struct klamm_consumer *c;
	struct kl_node *node;
	struct fetch_part {
		struct kl_cpart *part; /* with a reference */
		unsigned generation;
		int64_t offset;
		/* What was known when it was planned: metadata may let go of the topic. */
		struct klamm_uuid topic_id;
		int32_t leader_epoch;
	} *parts;
	size_t count, cap;
	int32_t max_bytes;
	int64_t max_wait;
	size_t got_bytes, got_records; /* of batches, in its answer */
	struct kl_arena arena;
};

static int64_t now(const struct klamm_consumer *c)
{
	return c->loop->now;
}

/* --- where to begin --- */

static void tell(struct klamm_consumer *c, struct kl_cpart *part, int code, const char *what)
{
	struct klamm_error err;
	if (part->told_error == code)
		return;
	part->told_error = code;
	kl_error(&err, code, "topic %s partition %d: %s: %s", part->topic->name,
		 part->partition, what, klamm_err_text(code));
	kl_results_error(c, part, &err);
}

void kl_fetcher_reset(struct klamm_consumer *c, struct kl_cpart *part)
{
	const struct kl_settings *s = c->settings;
	part->state = KL_CPART_LOOK_UP;
	switch (s->auto_offset_reset) {
	case KL_RESET_EARLIEST:
		part->reset_to = KLAMM_OFFSET_BEGINNING;
		break;
	case KL_RESET_LATEST:
		part->reset_to = KLAMM_OFFSET_END;
		break;
	case KL_RESET_BY_DURATION: /* KIP-1106 */
		part->reset_to =
			kl_max(c->os->wall_ms(c->os) - s->auto_offset_reset_ms, (int64_t)0);
		break;
	default:
		part->state = KL_CPART_STOPPED;
		part->reset_to = KLAMM_OFFSET_RESET;
		atomic_store(&part->stopped, true);
		kl_gate_wake(c->os, &c->gate);
		break;
	}
}

/* The application has the time between assign() and the first poll() to seek. */
static void tell_no_offset(struct klamm_consumer *c, struct kl_cpart *part)
{
	if (part->state == KL_CPART_STOPPED && part->reset_to == KLAMM_OFFSET_RESET &&
	    c->polled)
		tell(c, part, KLAMM_ERR_NO_OFFSET,
		     "no position, and auto.offset.reset is none");
}

/* --- answers --- */

static void later(struct klamm_consumer *c, struct kl_cpart *part)
{
	part->retry_at = now(c) + kl_backoff(c->os, c->settings->retry_backoff_ms,
					     c->settings->retry_backoff_max_ms,
					     part->failures++);
}

static void on_out_of_range(struct klamm_consumer *c, struct fetch_part *fp)
{
	struct kl_cpart *part = fp->part;
	if (part->fetch_offset != fp->offset)
		return; /* it was sought meanwhile */
	kl_log(&c->log, KL_LOG_WARN, "consumer",
	       "topic %s partition %d: offset %lld is out of range", part->topic->name,
	       part->partition, (long long)fp->offset);
	kl_fetcher_reset(c, part);
	if (part->state == KL_CPART_STOPPED)
		tell(c, part, KLAMM_ERR_NO_OFFSET,
		     "its offset is gone, and auto.offset.reset is none");
}

static void on_error(struct klamm_consumer *c, struct fetch_part *fp,
		     const struct kl_fetch_response_partition *told)
{
	struct kl_cpart *part = fp->part;
	int code = told->error_code;
	struct kl_topic_info *info = part->topic->info;
	if (code == KLAMM_ERR_OFFSET_OUT_OF_RANGE) {
		on_out_of_range(c, fp);
		return;
	}
	later(c, part);
	if (info != NULL && klamm_err_invalid_metadata(code))
		kl_cluster_refresh(&c->cluster, info);
	/* KIP-951: the answer may say who leads now. */
	if (info != NULL && kl_cluster_leader_hint(&c->cluster, info, part->partition,
						   told->current_leader.leader_id,
						   told->current_leader.leader_epoch))
		part->retry_at = now(c);
	if (!klamm_err_retriable(code))
		tell(c, part, code, klamm_err_name(code));
}

static int by_first_offset(const void *a, const void *b)
{
	const struct kl_aborted *x = a, *y = b;
	return x->first_offset < y->first_offset ? -1 : x->first_offset > y->first_offset;
}

/* Needed only where aborted data is left out. */
static bool copy_aborted(struct klamm_consumer *c, struct kl_chunk *chunk,
			 const struct kl_fetch_response_partition *told)
{
	if (c->settings->isolation_level != KL_READ_COMMITTED || KL_BUG(ABORTED_SHOWN) ||
	    told->aborted_transactions_n <= 0)
		return true;
	size_t n = (size_t)told->aborted_transactions_n;
	chunk->aborted = calloc(n, sizeof(*chunk->aborted));
	if (chunk->aborted == NULL)
		return false;
	chunk->aborted_count = n;
	for (size_t i = 0; i < n; i++)
		chunk->aborted[i] = (struct kl_aborted){
			told->aborted_transactions[i].producer_id,
			told->aborted_transactions[i].first_offset, false};
	qsort(chunk->aborted, n, sizeof(*chunk->aborted), by_first_offset);
	return true;
}

/* Brokers before 0.10.1 cut even the first batch (KIP-74). */
static void too_short(struct klamm_consumer *c, struct fetch_part *fp)
{
	later(c, fp->part);
	if (fp->part->told_error == KLAMM_ERR_RECORD_TOO_LARGE)
		return;
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_RECORD_TOO_LARGE,
		 "topic %s partition %d: the batch at offset %lld is larger than "
		 "max.partition.fetch.bytes (%d)",
		 fp->part->topic->name, fp->part->partition, (long long)fp->offset,
		 c->settings->max_partition_fetch_bytes);
	fp->part->told_error = KLAMM_ERR_RECORD_TOO_LARGE;
	kl_results_error(c, fp->part, &err);
}

static void on_data(struct fetch *fetch, struct fetch_part *fp, struct kl_slab *slab,
		    const struct kl_fetch_response_partition *told)
{
	struct klamm_consumer *c = fetch->c;
	struct kl_cpart *part = fp->part;
	struct kl_batch_span span;
	size_t len = (size_t)told->records.len;
	int rc = kl_batch_hop(told->records.p, len, &span);
	if (rc != 0 && span.batches == 0) {
		later(c, part);
		struct klamm_error err;
		kl_error(&err, rc,
			 "topic %s partition %d: what the broker has at offset %lld is not "
			 "a batch",
			 part->topic->name, part->partition, (long long)fp->offset);
		if (part->told_error != rc)
			kl_results_error(c, part, &err);
		part->told_error = rc;
		return;
	}
	if (span.batches == 0) {
		too_short(c, fp);
		return;
	}
	struct kl_chunk *chunk = kl_chunk_get(c);
	if (chunk == NULL || !copy_aborted(c, chunk, told)) {
		if (chunk != NULL)
			kl_chunk_put(c, chunk);
		later(c, part);
		return;
	}
	chunk->part = kl_cpart_ref(part);
	chunk->generation = fp->generation;
	chunk->slab = kl_slab_ref(slab);
	chunk->p = told->records.p;
	chunk->n = chunk->bytes = span.bytes;
	chunk->high_watermark = told->high_watermark;
	atomic_fetch_add(&part->queued_bytes, chunk->bytes);
	fetch->got_bytes += span.bytes;
	fetch->got_records += span.records;
	part->full_since = now(c); /* if it is, by now */
	part->told_error = 0;
	if (span.next_offset > part->fetch_offset)
		part->failures = 0;
	else /* a broker that does not get on */
		later(c, part);
	part->fetch_offset = kl_max(part->fetch_offset, span.next_offset);
	/* Served now: others come first next time. */
	kl_list_remove(&part->link);
	kl_list_push(&c->parts, &part->link);
	kl_results_push(c, chunk);
}

static void on_partition(struct fetch *fetch, struct fetch_part *fp, struct kl_slab *slab,
			 const struct kl_fetch_response_partition *told)
{
	struct klamm_consumer *c = fetch->c;
	struct kl_cpart *part = fp->part;
	if (!part->assigned || c->stopping)
		return;
	if (part->generation != fp->generation && !KL_BUG(OLD_ANSWER))
		return;
	if (told->error_code != 0) {
		on_error(c, fp, told);
		return;
	}
	atomic_store(&part->high_watermark, told->high_watermark);
	atomic_store(&part->start, told->log_start_offset);
	bool committed = c->settings->isolation_level == KL_READ_COMMITTED;
	atomic_store(&part->end, committed && told->last_stable_offset >= 0
					 ? told->last_stable_offset
					 : told->high_watermark);
	if (told->records.len > 0)
		on_data(fetch, fp, slab, told);
	else
		part->failures = part->told_error = 0;
	kl_gate_wake(c->os, &c->gate);
}

static struct fetch_part *find(struct fetch *fetch, size_t *at,
			       const struct kl_fetch_response_topic *topic, int32_t index,
			       int version)
{
	for (size_t n = 0; n < fetch->count; n++) {
		size_t i = (*at + n) % fetch->count;
		struct fetch_part *fp = &fetch->parts[i];
		if (fp->part->partition != index)
			continue;
		if (version >= 13 ? kl_uuid_equal(&fp->topic_id, &topic->topic_id)
				  : kl_str_is(topic->topic, fp->part->topic->name)) {
			*at = i + 1;
			return fp;
		}
	}
	return NULL;
}

static void on_topics(struct fetch *fetch, const struct kl_response *response)
{
	const struct kl_fetch_response *body = response->body;
	size_t at = 0;
	for (int32_t t = 0; t < body->responses_n; t++) {
		const struct kl_fetch_response_topic *topic = &body->responses[t];
		size_t bytes = fetch->got_bytes, records = fetch->got_records;
		struct kl_ctopic *asked = NULL;
		for (int32_t i = 0; i < topic->partitions_n; i++) {
			struct fetch_part *fp = find(fetch, &at, topic,
						     topic->partitions[i].partition_index,
						     response->version);
			if (fp != NULL)
				on_partition(fetch, fp, response->slab,
					     &topic->partitions[i]);
			if (fp != NULL)
				asked = fp->part->topic;
		}
		if (asked != NULL)
			kl_consumer_count_topic(fetch->c, asked, fetch->got_bytes - bytes,
						fetch->got_records - records);
	}
}

/* The request failed as a whole: all of its partitions wait. */
static void on_failure(struct fetch *fetch, int code, const struct klamm_error *err)
{
	struct klamm_consumer *c = fetch->c;
	if (c->stopping)
		return;
	for (size_t i = 0; i < fetch->count; i++) {
		struct kl_cpart *part = fetch->parts[i].part;
		later(c, part);
		if (part->assigned && !klamm_err_retriable(code) &&
		    (err == NULL || !kl_auth_is_refusal(err))) /* on_node() tells those */
			tell(c, part, code, err != NULL ? err->text : klamm_err_name(code));
	}
	kl_cluster_refresh(&c->cluster, NULL);
}

static void put_fetch(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++) {
		fetch->parts[i].part->in_flight = false;
		kl_cpart_unref(fetch->parts[i].part);
	}
	fetch->count = fetch->got_bytes = fetch->got_records = 0;
	kl_list_push_front(&fetch->c->spare_requests, &fetch->link);
}

static void on_answer(struct kl_request *r, const struct kl_response *response)
{
	struct fetch *fetch = kl_container(r, struct fetch, request);
	struct klamm_consumer *c = fetch->c;
	const struct kl_fetch_response *body = response->body;
	int code = response->code != 0 ? response->code : body->error_code;
	fetch->node->busy--;
	if (code != 0)
		on_failure(fetch, code, response->err);
	else
		on_topics(fetch, response);
	if (code == 0)
		kl_consumer_count_fetch(c, response->latency_us, body->throttle_time_ms,
					fetch->got_bytes, fetch->got_records);
	put_fetch(fetch);
	kl_hook_add(c->loop, &c->round_hook);
}

/* --- requests --- */

/* For one partition more. */
static bool make_room(struct fetch *fetch)
{
	if (fetch->count < fetch->cap)
		return true;
	size_t cap = fetch->cap ? fetch->cap * 2 : 16;
	struct fetch_part *parts = reallocarray(fetch->parts, cap, sizeof(*parts));
	if (parts == NULL)
		return false;
	fetch->parts = parts;
	fetch->cap = cap;
	return true;
}

static bool add_part(struct fetch *fetch, struct kl_cpart *part)
{
	if (!make_room(fetch))
		return false;
	const struct kl_topic_info *info = part->topic->info;
	fetch->parts[fetch->count++] = (struct fetch_part){
		.part = kl_cpart_ref(part),
		.generation = part->generation,
		.offset = part->fetch_offset,
		.topic_id = info->id,
		.leader_epoch = info->partitions[part->partition].leader_epoch,
	};
	part->in_flight = true;
	return true;
}

static void put_part(struct klamm_consumer *c, const struct fetch_part *fp,
		     struct kl_fetch_request_partition *to)
{
	to->partition = fp->part->partition;
	to->current_leader_epoch = fp->leader_epoch;
	to->fetch_offset = fp->offset;
	to->partition_max_bytes = c->settings->max_partition_fetch_bytes;
}

static const void *make_body(struct kl_request *r, int version)
{
	struct fetch *fetch = kl_container(r, struct fetch, request);
	const struct kl_settings *s = fetch->c->settings;
	struct kl_arena *arena = &fetch->arena;
	kl_arena_reset(arena);
	struct kl_fetch_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_fetch_request_topic *topics =
		kl_type_new(&kl_type_fetch_request_topic, arena, fetch->count);
	struct kl_fetch_request_partition *parts =
		kl_type_new(&kl_type_fetch_request_partition, arena, fetch->count);
	if (body == NULL || topics == NULL || parts == NULL)
		return NULL;
	kl_msg_init(&kl_msg_fetch_request, body);
	body->replica_id = -1;
	body->max_wait_ms = (int32_t)(fetch->max_wait / KL_MS);
	body->min_bytes = s->fetch_min_bytes;
	body->max_bytes = fetch->max_bytes;
	body->isolation_level = KL_BUG(LSO_IGNORED) ? 0 : (int8_t)s->isolation_level;
	body->session_id = 0; /* KIP-227: no session */
	body->session_epoch = -1;
	body->rack_id = kl_str(s->client_rack);
	body->topics = topics;
	body->topics_n = 0;
	struct kl_fetch_request_topic *topic = NULL;
	const struct kl_ctopic *last = NULL;
	for (size_t i = 0; i < fetch->count; i++) {
		const struct kl_ctopic *own = fetch->parts[i].part->topic;
		if (own != last) {
			topic = &topics[body->topics_n++];
			topic->topic = kl_str(own->name);
			topic->topic_id = fetch->parts[i].topic_id;
			topic->partitions = &parts[i];
			topic->partitions_n = 0;
			last = own;
		}
		put_part(fetch->c, &fetch->parts[i],
			 &topic->partitions[topic->partitions_n++]);
	}
	return body;
}

/* Partitions of one topic stand together; within that, the order of service is kept. */
static void sort_by_topic(struct fetch *fetch)
{
	for (size_t i = 1; i < fetch->count; i++) {
		if (fetch->parts[i].part->topic == fetch->parts[i - 1].part->topic)
			continue;
		for (size_t j = i + 1; j < fetch->count; j++) {
			if (fetch->parts[j].part->topic != fetch->parts[i - 1].part->topic)
				continue;
			struct fetch_part moved = fetch->parts[j];
			memmove(&fetch->parts[i + 1], &fetch->parts[i],
				(j - i) * sizeof(moved));
			fetch->parts[i] = moved;
			break;
		}
	}
}

/* Version 13 names topics by id (KIP-516), which old brokers do not tell. */
static int version_limit(const struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++)
		if (kl_uuid_is_zero(&fetch->parts[i].topic_id))
			return 12;
	return -1;
}

static void transmit(struct fetch *fetch)
{
	struct klamm_consumer *c = fetch->c;
	sort_by_topic(fetch);
	struct kl_request *r = &fetch->request;
	r->api = KL_API_FETCH;
	r->max_version = version_limit(fetch);
	r->prepare = make_body;
	r->deadline = KL_NEVER;
	r->timeout_us = ((int64_t)c->settings->request_timeout_ms +
			 c->settings->fetch_max_wait_ms) * KL_MS;
	r->done = on_answer;
	fetch->node->busy++;
	kl_node_request(fetch->node, r);
}

/* --- a round --- */

/* Of a Fetch that leaves out a partition whose queue has just become full. */
#define SHORT_WAIT (10 * KL_MS)
/* Below this an answer is not worth asking for. */
#define ANSWER_MIN (64 * 1024)

/* Memory that an answer may take now; 0 = wait until the application lets go of some. A large
 * frame is copied once while it grows, so a part of the budget has to serve; and every broker
 * may answer at the same time. */
static int32_t answer_budget(struct klamm_consumer *c)
{
	size_t budget = (size_t)c->settings->klamm_memory_max;
	size_t used = kl_slab_pool_used(c->slabs);
	size_t left = used < budget ? (budget - used) / 3 : 0;
	if (left < ANSWER_MIN)
		return 0;
	size_t brokers = kl_max(HASH_COUNT(c->cluster.brokers), 1u);
	left = kl_max(left / brokers, (size_t)ANSWER_MIN);
	return (int32_t)kl_min(left, (size_t)c->settings->fetch_max_bytes);
}

static bool may_fetch(const struct kl_cpart *part)
{
	return part->state == KL_CPART_READY && !part->in_flight &&
	       !atomic_load(&part->muted);
}

/* A partition is fetched ahead by what one answer brings for it. */
static bool is_full(const struct klamm_consumer *c, const struct kl_cpart *part)
{
	return atomic_load(&part->queued_bytes) >=
	       (uint64_t)c->settings->max_partition_fetch_bytes;
}

static struct kl_node *leader_of(struct klamm_consumer *c, const struct kl_cpart *part)
{
	struct kl_topic_info *info = part->topic->info;
	if (info == NULL || !info->answered)
		return NULL;
	if (part->partition >= info->partition_count ||
	    info->partitions[part->partition].leader < 0) {
		kl_cluster_refresh(&c->cluster, info);
		return NULL;
	}
	struct kl_node *node =
		kl_cluster_node(&c->cluster, info->partitions[part->partition].leader);
	if (node == NULL)
		kl_cluster_refresh(&c->cluster, info);
	return node;
}

static struct fetch *get_fetch(struct klamm_consumer *c)
{
	struct kl_list *link = kl_list_pop(&c->spare_requests);
	struct fetch *fetch = link != NULL ? kl_list_entry(link, struct fetch, link)
					   : calloc(1, sizeof(*fetch));
	if (fetch == NULL)
		return NULL;
	fetch->c = c;
	kl_list_init(&fetch->link);
	/* Now: one that no partition fits in would leave empty, again and again. */
	if (make_room(fetch))
		return fetch;
	put_fetch(fetch);
	return NULL;
}

/* Adds the partition to its broker's next Fetch. */
static void plan(struct klamm_consumer *c, struct kl_cpart *part, struct kl_list *building,
		 int32_t budget, int64_t *when)
{
	if (part->retry_at > now(c)) {
		*when = kl_min(*when, part->retry_at);
		return;
	}
	struct kl_node *node = leader_of(c, part);
	if (node == NULL)
		return;
	if (!kl_node_connect(node)) {
		*when = kl_min(*when, kl_node_next_time(node));
		return;
	}
	struct fetch *fetch = node->user;
	if (fetch == NULL) {
		if (node->busy > 0)
			return; /* one at a time: its answer is the next event */
		fetch = get_fetch(c);
		if (fetch == NULL) {
			*when = kl_min(*when, now(c) + LOOK_AGAIN);
			return;
		}
		fetch->node = node;
		fetch->max_bytes = budget;
		fetch->max_wait = c->settings->fetch_max_wait_ms * KL_MS;
		node->user = fetch;
		kl_list_push(building, &fetch->link);
	}
	if (!add_part(fetch, part))
		*when = kl_min(*when, now(c) + LOOK_AGAIN);
}

/* A full partition is not in its broker's Fetch, and has to wait for the answer of that when
 * the application has taken its records. So an answer that waits for others' records may take
 * as long as the queue has been full by now: a slow application costs few requests, a quick
 * one waits no longer than it worked. */
static void cut_wait(struct klamm_consumer *c, const struct kl_cpart *part)
{
	const struct kl_node *node = leader_of(c, part);
	struct fetch *fetch = node != NULL ? node->user : NULL;
	if (fetch == NULL)
		return;
	int64_t wait = kl_max(now(c) - part->full_since, (int64_t)SHORT_WAIT);
	fetch->max_wait = kl_min(fetch->max_wait, wait);
}

static void look_up(struct klamm_consumer *c, struct kl_cpart *part, int64_t *when)
{
	if (part->retry_at > now(c))
		*when = kl_min(*when, part->retry_at);
	else if (!(part->state == KL_CPART_COMMITTED ? kl_committed_part_start
						     : kl_lookup_part)(c, part))
		*when = kl_min(*when, now(c) + LOOK_AGAIN);
}

/* Is it to be found out where the partition stands? */
static bool is_lost(const struct kl_cpart *part)
{
	return (part->state == KL_CPART_COMMITTED && part->committed == NULL) ||
	       (part->state == KL_CPART_LOOK_UP && part->lookup == NULL);
}

static void cut_waits(struct klamm_consumer *c)
{
	kl_list_for(part, &c->parts, struct kl_cpart, link)
		if (may_fetch(part) && is_full(c, part))
			cut_wait(c, part);
}

void kl_fetcher_round(struct kl_task *task)
{
	struct klamm_consumer *c = kl_container(task, struct klamm_consumer, task);
	struct kl_list building = KL_LIST_INIT(building);
	int64_t when = KL_NEVER;
	int32_t budget = answer_budget(c);
	bool starved = false;
	if (c->stopping)
		return;
	kl_list_for_safe(part, &c->parts, struct kl_cpart, link) {
		tell_no_offset(c, part);
		if (is_lost(part))
			look_up(c, part, &when);
		if (!may_fetch(part) || is_full(c, part))
			continue;
		starved |= budget == 0;
		if (budget > 0)
			plan(c, part, &building, budget, &when);
	}
	if (!kl_list_empty(&building))
		cut_waits(c);
	struct kl_list *link;
	while ((link = kl_list_pop(&building)) != NULL) {
		struct fetch *fetch = kl_list_entry(link, struct fetch, link);
		fetch->node->user = NULL;
		transmit(fetch);
	}
	kl_lookups_round(c, &when);
	kl_group_round(c, &when);
	if (atomic_exchange(&c->starved, starved) != starved)
		kl_gate_wake(c->os, &c->gate);
	/* Memory that came back after the look and before the word was not told. */
	if (starved && answer_budget(c) > 0)
		kl_loop_post(c->loop, &c->task);
	kl_timer_set(c->loop, &c->timer, when);
}

/* --- what the cluster tells --- */

static void on_topic(struct kl_cluster *cluster, struct kl_topic_info *info)
{
	struct klamm_consumer *c = kl_container(cluster, struct klamm_consumer, cluster);
	struct kl_ctopic *topic = info->user;
	if (topic == NULL)
		return;
	atomic_store(&topic->known_error, info->error);
	if (!kl_uuid_is_zero(&info->id))
		topic->id = info->id;
	if (info->error == 0)
		atomic_store(&topic->known_count, info->partition_count);
	if (info->error != 0 && !klamm_err_retriable(info->error) &&
	    topic->told_error != info->error) {
		struct klamm_error err;
		kl_error(&err, info->error, "topic %s: %s: %s", topic->name,
			 klamm_err_name(info->error), klamm_err_text(info->error));
		topic->told_error = info->error;
		kl_results_error(c, NULL, &err);
	}
	kl_gate_wake(c->os, &c->gate);
	kl_hook_add(c->loop, &c->round_hook);
}

static void on_node(struct kl_cluster *cluster, struct kl_node *node,
		    const struct klamm_error *err)
{
	struct klamm_consumer *c = kl_container(cluster, struct klamm_consumer, cluster);
	kl_hook_add(c->loop, &c->round_hook);
	if (err == NULL) {
		c->told_refusal = false;
		return;
	}
	if (!kl_auth_is_refusal(err))
		return;
	/* Each attempt ends like the first. */
	if (!c->told_refusal)
		kl_results_error(c, NULL, err);
	c->told_refusal = true;
	kl_gate_wake(c->os, &c->gate);
}

const struct kl_cluster_ops kl_fetcher_ops = {.topic = on_topic, .node = on_node};

void kl_fetcher_free(struct klamm_consumer *c)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&c->spare_requests)) != NULL) {
		struct fetch *fetch = kl_list_entry(link, struct fetch, link);
		kl_request_free(&fetch->request);
		kl_arena_free(&fetch->arena);
		free(fetch->parts);
		free(fetch);
	}
}
