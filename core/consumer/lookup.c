/* SPDX-License-Identifier: BSD-2-Clause */
/* Look-ups: to which leader each goes, and when it is asked again. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/consumer.h"

void kl_lookup_start(struct klamm_consumer *c, struct kl_lookup *lookup)
{
	lookup->offset = lookup->found_ms = -1;
	lookup->leader_epoch = lookup->asked_epoch = -1;
	kl_ctopic_want(c, lookup->topic);
	kl_list_push(&c->lookups, &lookup->link);
	kl_hook_add(c->loop, &c->round_hook);
}

/* Out of the list that it is in, and of its request. */
static void take_out(struct kl_lookup *lookup)
{
	struct kl_lookup_request *request = lookup->request;
	kl_list_remove(&lookup->link);
	if (request != NULL)
		HASH_DEL(request->table, lookup);
	lookup->request = NULL;
}

void kl_lookup_cancel(struct klamm_consumer *c, struct kl_lookup *lookup)
{
	take_out(lookup);
	kl_ctopic_unwant(c, lookup->topic);
}

void kl_lookup_finish(struct klamm_consumer *c, struct kl_lookup *lookup, int code)
{
	struct kl_ctopic *topic = lookup->topic;
	take_out(lookup);
	lookup->done(c, lookup, code);
	kl_ctopic_unwant(c, topic);
}

void kl_lookup_fail(struct klamm_consumer *c, struct kl_lookup *lookup, int code)
{
	if (!klamm_err_retriable(code) || c->stopping) {
		kl_lookup_finish(c, lookup, code);
		return;
	}
	lookup->last_code = code;
	lookup->retry_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						     c->settings->retry_backoff_max_ms,
						     lookup->failures++);
	if (klamm_err_invalid_metadata(code) && lookup->topic->info != NULL)
		kl_cluster_refresh(&c->cluster, lookup->topic->info);
	take_out(lookup);
	kl_list_push(&c->lookups, &lookup->link);
}

static struct kl_lookup_request *request_to(struct klamm_consumer *c, struct kl_list *building,
					    struct kl_node *node,
					    const struct kl_lookup *lookup)
{
	int min_version = kl_lookup_min_version(lookup);
	kl_list_for(request, building, struct kl_lookup_request, link)
		if (request->node == node && request->kind == lookup->kind &&
		    request->min_version == min_version)
			return request;
	struct kl_lookup_request *request = calloc(1, sizeof(*request));
	if (request == NULL)
		return NULL;
	request->c = c;
	request->node = node;
	request->kind = lookup->kind;
	request->min_version = min_version;
	kl_list_init(&request->lookups);
	kl_list_push(building, &request->link);
	return request;
}

/* The leader of the look-up's partition, or NULL and *code_out: what is in the way. */
static struct kl_node *leader_of(struct klamm_consumer *c, struct kl_lookup *lookup,
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
	const struct kl_partition_info *at = &info->partitions[lookup->partition];
	struct kl_node *node =
		at->leader >= 0 ? kl_cluster_node(&c->cluster, at->leader) : NULL;
	lookup->asked_epoch = at->leader_epoch;
	if (node == NULL)
		*code_out = KLAMM_ERR_LEADER_NOT_AVAILABLE;
	return node;
}

/* Into the next request to its leader. */
static void plan(struct klamm_consumer *c, struct kl_lookup *lookup, struct kl_list *building,
		 int64_t *when)
{
	if (lookup->retry_at > c->loop->now) {
		*when = kl_min(*when, lookup->retry_at);
		return;
	}
	int code;
	struct kl_node *node = leader_of(c, lookup, &code);
	if (node == NULL && code == 0)
		return; /* metadata is on its way */
	if (node == NULL) {
		kl_lookup_fail(c, lookup, code);
		*when = kl_min(*when, c->loop->now + KL_MS * 100);
		return;
	}
	if (!kl_node_connect(node) && !kl_node_may_connect(node)) {
		*when = kl_min(*when, kl_node_next_time(node));
		return;
	}
	struct kl_lookup_request *request = request_to(c, building, node, lookup);
	if (request == NULL || !kl_lookup_request_add(request, lookup))
		*when = kl_min(*when, c->loop->now + KL_MS);
}

void kl_lookups_round(struct klamm_consumer *c, int64_t *when)
{
	struct kl_list building = KL_LIST_INIT(building), *link;
	kl_list_for_safe(lookup, &c->lookups, struct kl_lookup, link)
		plan(c, lookup, &building, when);
	while ((link = kl_list_pop(&building)) != NULL)
		kl_lookup_request_send(kl_list_entry(link, struct kl_lookup_request, link));
}

void kl_lookups_free(struct klamm_consumer *c)
{
	struct kl_lookup *lookup;
	while ((lookup = kl_list_first(&c->lookups, struct kl_lookup, link)) != NULL)
		kl_lookup_finish(c, lookup, KLAMM_ERR_CLOSED);
}
