/* SPDX-License-Identifier: BSD-2-Clause */
/* A Fetch on its way out. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/consumer/fetch.h"

/* For one partition more. */
static bool make_room(struct kl_fetch *fetch)
{
	if (fetch->count < fetch->cap)
		return true;
	size_t cap = fetch->cap ? fetch->cap * 2 : 16;
	struct kl_fetch_part *parts = reallocarray(fetch->parts, cap, sizeof(*parts));
	if (parts == NULL)
		return false;
	fetch->parts = parts;
	fetch->cap = cap;
	return true;
}

struct kl_fetch *kl_fetch_get(struct klamm_consumer *c)
{
	struct kl_list *link = kl_list_pop(&c->spare_requests);
	struct kl_fetch *fetch = link != NULL ? kl_list_entry(link, struct kl_fetch, link)
					      : calloc(1, sizeof(*fetch));
	if (fetch == NULL)
		return NULL;
	fetch->c = c;
	kl_list_init(&fetch->link);
	/* Now: one that no partition fits in would leave empty, again and again. */
	if (make_room(fetch))
		return fetch;
	kl_fetch_put(fetch);
	return NULL;
}

void kl_fetch_put(struct kl_fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++) {
		fetch->parts[i].part->in_flight = false;
		kl_cpart_unref(fetch->parts[i].part);
	}
	fetch->count = fetch->got_bytes = fetch->got_records = 0;
	kl_list_push_front(&fetch->c->spare_requests, &fetch->link);
}

bool kl_fetch_add(struct kl_fetch *fetch, struct kl_cpart *part)
{
	if (!make_room(fetch))
		return false;
	const struct kl_topic_info *info = part->topic->info;
	fetch->parts[fetch->count++] = (struct kl_fetch_part){
		.part = kl_cpart_ref(part),
		.generation = part->generation,
		.offset = part->fetch_offset,
		.topic_id = info->id,
		.leader_epoch = info->partitions[part->partition].leader_epoch,
	};
	part->in_flight = true;
	return true;
}

static void put_part(struct klamm_consumer *c, const struct kl_fetch_part *fp,
		     struct kl_fetch_request_partition *to)
{
	to->partition = fp->part->partition;
	to->current_leader_epoch = fp->leader_epoch;
	to->fetch_offset = fp->offset;
	to->partition_max_bytes = c->settings->max_partition_fetch_bytes;
}

static const void *make_body(struct kl_request *r, int version)
{
	struct kl_fetch *fetch = kl_container(r, struct kl_fetch, request);
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
static void sort_by_topic(struct kl_fetch *fetch)
{
	for (size_t i = 1; i < fetch->count; i++) {
		if (fetch->parts[i].part->topic == fetch->parts[i - 1].part->topic)
			continue;
		for (size_t j = i + 1; j < fetch->count; j++) {
			if (fetch->parts[j].part->topic != fetch->parts[i - 1].part->topic)
				continue;
			struct kl_fetch_part moved = fetch->parts[j];
			memmove(&fetch->parts[i + 1], &fetch->parts[i],
				(j - i) * sizeof(moved));
			fetch->parts[i] = moved;
			break;
		}
	}
}

/* Version 13 names topics by id (KIP-516), which old brokers do not tell. */
static int version_limit(const struct kl_fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++)
		if (kl_uuid_is_zero(&fetch->parts[i].topic_id))
			return 12;
	return -1;
}

void kl_fetch_send(struct kl_fetch *fetch)
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
	r->done = kl_fetch_done;
	fetch->node->busy++;
	kl_node_request(fetch->node, r);
}

void kl_fetch_free(struct kl_fetch *fetch)
{
	kl_request_free(&fetch->request);
	kl_arena_free(&fetch->arena);
	free(fetch->parts);
	free(fetch);
}
