/* SPDX-License-Identifier: BSD-2-Clause */
/* What the application asks of topics: offsets of partitions, and how many they are. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/consumer.h"

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

static bool is_place(int64_t timestamp)
{
	switch (timestamp) {
	case KLAMM_OFFSET_BEGINNING:
	case KLAMM_OFFSET_END:
	case KLAMM_OFFSET_EARLIEST_LOCAL:
	case KLAMM_OFFSET_LATEST_TIERED:
	case KLAMM_OFFSET_EARLIEST_PENDING_UPLOAD:
		return true;
	default:
		return timestamp >= 0;
	}
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
		if (!is_place(q->timestamp_ms))
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"query %zu: timestamp %lld: must be milliseconds "
					"since 1970, KLAMM_OFFSET_BEGINNING, _END or one of "
					"tiered storage",
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
