/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking for committed offsets: the application's side. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/consumer.h"

struct query {
	struct klamm_consumer *c;
	struct klamm_committed *entries;
	struct kl_committed *asks;
	size_t count;
	struct klamm_error err; /* of the first that failed */
	atomic_size_t open;
};

static void query_done(struct klamm_consumer *c, struct kl_committed *ask,
		       const struct kl_offset_fetch_response_group_partition *told,
		       const struct klamm_error *err)
{
	struct query *query = ask->owner;
	struct klamm_committed *entry = &query->entries[ask - query->asks];
	struct klamm_error no_memory;
	if (err == NULL) {
		entry->offset = told->committed_offset;
		entry->leader_epoch = told->committed_leader_epoch;
		if (told->metadata.len > 0)
			entry->metadata = kl_arena_text(&c->group.notes, told->metadata.p,
							(size_t)told->metadata.len);
		if (entry->metadata == NULL) {
			kl_error(&no_memory, KLAMM_ERR_NO_MEMORY,
				 "out of memory for a committed offset");
			err = &no_memory;
			entry->metadata = "";
		}
	}
	if (err != NULL) {
		entry->error = err->code;
		if (query->err.code == 0)
			query->err = *err;
	}
	atomic_fetch_sub(&query->open, 1);
	kl_gate_wake(c->os, &c->gate);
}

static void start_query(void *arg)
{
	struct query *query = arg;
	for (size_t i = 0; i < query->count; i++)
		kl_committed_start(query->c, &query->asks[i]);
}

/* What is still open has timed out. */
static void end_query(void *arg)
{
	struct query *query = arg;
	struct kl_group *g = &query->c->group;
	struct klamm_error late;
	char what[160];
	bool open = false;
	for (size_t i = 0; i < query->count; i++) {
		if (kl_list_empty(&query->asks[i].link))
			continue;
		kl_committed_cancel(&query->asks[i]);
		query->entries[i].error = KLAMM_ERR_TIMED_OUT;
		open = true;
	}
	if (!open)
		return;
	snprintf(what, sizeof(what), "group %.100s: reading committed offsets", g->id);
	if (g->fetch_error.code == 0)
		kl_coordinator_timed_out(&g->coordinator, &late, what);
	else
		kl_error(&late, KLAMM_ERR_TIMED_OUT, "%s: timed out; last error: %s", what,
			 g->fetch_error.text);
	if (query->err.code == 0)
		query->err = late;
}

static bool query_ended(void *arg)
{
	const struct query *query = arg;
	return atomic_load(&query->open) == 0;
}

static int prepare(struct query *query, struct klamm_error *err)
{
	for (size_t i = 0; i < query->count; i++) {
		struct klamm_committed *entry = &query->entries[i];
		struct kl_committed *ask = &query->asks[i];
		kl_list_init(&ask->link);
		if (entry->size != sizeof(*entry))
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"entry %zu: its size is %zu, not %zu", i, entry->size,
					sizeof(*entry));
		if (entry->topic == NULL || entry->topic[0] == '\0' || entry->partition < 0)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"entry %zu names no partition", i);
		entry->error = 0;
		entry->offset = entry->leader_epoch = -1;
		entry->metadata = "";
		ask->topic = kl_ctopic_get(query->c, entry->topic);
		if (ask->topic == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for committed offsets");
		ask->partition = entry->partition;
		ask->done = query_done;
		ask->owner = query;
	}
	return 0;
}

int klamm_consumer_committed(struct klamm_consumer *c, struct klamm_committed *entries,
			     size_t count, int64_t timeout_ms, struct klamm_error *err)
{
	int rc = kl_group_check(c, true, "reading committed offsets", err);
	if (rc != 0)
		return rc;
	struct query query = {.c = c, .entries = entries, .count = count};
	atomic_init(&query.open, count);
	query.asks = calloc(count ? count : 1, sizeof(*query.asks));
	if (query.asks == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for committed offsets");
	kl_arena_free(&c->group.notes);
	rc = prepare(&query, err);
	if (rc == 0) {
		int64_t since = c->os->now(c->os);
		kl_loop_call(c->loop, start_query, &query);
		kl_loop_wait(c->loop, &c->gate, query_ended, &query,
			     kl_group_deadline(c, timeout_ms));
		kl_loop_call(c->loop, end_query, &query);
		kl_consumer_count_wait(c, KL_CONSUMER_COMMITTED, since);
		rc = query.err.code == 0 ? 0 : kl_error_copy(err, &query.err);
	}
	free(query.asks);
	return rc;
}
