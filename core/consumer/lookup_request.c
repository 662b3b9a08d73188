/* SPDX-License-Identifier: BSD-2-Clause */
/* ListOffsets and OffsetForLeaderEpoch: what carries look-ups to a leader, and their answers
 * back. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/consumer.h"

/* The first version that clients may ask with the right to describe a topic alone. */
#define EPOCH_VERSION 3

int kl_lookup_min_version(const struct kl_lookup *lookup)
{
	if (lookup->kind == KL_LOOKUP_EPOCH)
		return EPOCH_VERSION;
	switch (lookup->timestamp) {
	case KLAMM_OFFSET_EARLIEST_LOCAL:
		return 8; /* KIP-405 */
	case KLAMM_OFFSET_LATEST_TIERED:
		return 9; /* KIP-1005 */
	case KLAMM_OFFSET_EARLIEST_PENDING_UPLOAD:
		return 11; /* KIP-1023 */
	default:
		return 0;
	}
}

bool kl_lookup_request_add(struct kl_lookup_request *request, struct kl_lookup *lookup)
{
	struct kl_lookup *twin;
	bool added = true;
	lookup->key = (struct kl_lookup_key){lookup->topic, lookup->partition};
	HASH_FIND(hh, request->table, &lookup->key, sizeof(lookup->key), twin);
	if (twin != NULL)
		return false;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, request->table, key, sizeof(lookup->key), lookup);
	if (!added)
		return false;
	lookup->request = request;
	kl_list_remove(&lookup->link);
	kl_list_push(&request->lookups, &lookup->link);
	request->count++;
	return true;
}

/* --- answers --- */

static struct kl_lookup *find(struct kl_lookup_request *request, struct kl_str topic,
			      int32_t partition)
{
	struct kl_topic_info *info = NULL;
	struct kl_lookup *lookup = NULL;
	if (topic.len > 0)
		HASH_FIND(hh, request->c->cluster.topics, topic.p, (unsigned)topic.len, info);
	if (info == NULL)
		return NULL;
	struct kl_lookup_key key = {info->user, partition};
	HASH_FIND(hh, request->table, &key, sizeof(key), lookup);
	return lookup;
}

static void on_offset(struct kl_lookup *lookup,
		      const struct kl_list_offsets_response_partition *told, int version)
{
	if (version == 0) { /* 0.10.0 and before: a list of segments' first offsets */
		lookup->offset =
			told->old_style_offsets_n > 0 ? told->old_style_offsets[0] : -1;
		return;
	}
	lookup->offset = told->offset;
	lookup->found_ms = told->timestamp;
	lookup->leader_epoch = told->leader_epoch;
}

/* false: it is nobody's, or has to be asked again. */
static bool is_answer(struct klamm_consumer *c, struct kl_lookup *lookup, int error_code)
{
	if (lookup != NULL && error_code != 0)
		kl_lookup_fail(c, lookup, error_code);
	return lookup != NULL && error_code == 0;
}

static void on_offsets(struct kl_lookup_request *request,
		       const struct kl_list_offsets_response *body, int version)
{
	for (int32_t t = 0; t < body->topics_n; t++) {
		for (int32_t i = 0; i < body->topics[t].partitions_n; i++) {
			const struct kl_list_offsets_response_partition *told =
				&body->topics[t].partitions[i];
			struct kl_lookup *lookup =
				find(request, body->topics[t].name, told->partition_index);
			if (!is_answer(request->c, lookup, told->error_code))
				continue;
			on_offset(lookup, told, version);
			kl_lookup_finish(request->c, lookup, 0);
		}
	}
}

static void on_epochs(struct kl_lookup_request *request,
		      const struct kl_offset_for_leader_epoch_response *body)
{
	for (int32_t t = 0; t < body->topics_n; t++) {
		for (int32_t i = 0; i < body->topics[t].partitions_n; i++) {
			const struct kl_offset_for_leader_epoch_response_epoch_end *told =
				&body->topics[t].partitions[i];
			struct kl_lookup *lookup =
				find(request, body->topics[t].topic, told->partition);
			if (!is_answer(request->c, lookup, told->error_code))
				continue;
			lookup->offset = told->end_offset;
			lookup->leader_epoch = told->leader_epoch;
			kl_lookup_finish(request->c, lookup, 0);
		}
	}
}

static void on_answer(struct kl_request *r, const struct kl_response *response)
{
	struct kl_lookup_request *request = kl_container(r, struct kl_lookup_request, request);
	struct klamm_consumer *c = request->c;
	if (response->body != NULL && request->kind == KL_LOOKUP_OFFSET)
		on_offsets(request, response->body, response->version);
	else if (response->body != NULL)
		on_epochs(request, response->body);
	/* Those that were not answered, or all of them. */
	int code = response->code != 0 ? response->code : KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (response->err != NULL && kl_auth_is_refusal(response->err))
		code = KLAMM_ERR_DISCONNECTED; /* the client has told of it, and tries again */
	struct kl_lookup *lookup;
	while ((lookup = kl_list_first(&request->lookups, struct kl_lookup, link)) != NULL)
		kl_lookup_fail(c, lookup, code);
	kl_request_free(&request->request);
	kl_arena_free(&request->arena);
	free(request);
	kl_hook_add(c->loop, &c->round_hook);
}

/* --- bodies --- */

/* One entry for each run of look-ups of one topic, which may come more than once. */
static const void *make_offsets(struct kl_request *r, int version)
{
	struct kl_lookup_request *request = kl_container(r, struct kl_lookup_request, request);
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
	const struct kl_ctopic *last = NULL;
	kl_list_for(lookup, &request->lookups, struct kl_lookup, link) {
		if (lookup->topic != last) {
			last = lookup->topic;
			topics[body->topics_n].name = kl_str(last->name);
			topics[body->topics_n].partitions = parts;
			topics[body->topics_n++].partitions_n = 0;
		}
		topics[body->topics_n - 1].partitions_n++;
		*parts++ = (struct kl_list_offsets_request_partition){
			.partition_index = lookup->partition,
			.current_leader_epoch = lookup->asked_epoch,
			.timestamp = lookup->timestamp,
			.max_num_offsets = 1,
		};
	}
	return body;
}

static const void *make_epochs(struct kl_request *r, int version)
{
	struct kl_lookup_request *request = kl_container(r, struct kl_lookup_request, request);
	struct kl_arena *arena = &request->arena;
	(void)version;
	kl_arena_reset(arena);
	struct kl_offset_for_leader_epoch_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_offset_for_leader_epoch_request_topic *topics = kl_type_new(
		&kl_type_offset_for_leader_epoch_request_topic, arena, request->count);
	struct kl_offset_for_leader_epoch_request_partition *parts = kl_type_new(
		&kl_type_offset_for_leader_epoch_request_partition, arena, request->count);
	if (body == NULL || topics == NULL || parts == NULL)
		return NULL;
	kl_msg_init(&kl_msg_offset_for_leader_epoch_request, body);
	body->replica_id = -1;
	body->topics = topics;
	body->topics_n = 0;
	const struct kl_ctopic *last = NULL;
	kl_list_for(lookup, &request->lookups, struct kl_lookup, link) {
		if (lookup->topic != last) {
			last = lookup->topic;
			topics[body->topics_n].topic = kl_str(last->name);
			topics[body->topics_n].partitions = parts;
			topics[body->topics_n++].partitions_n = 0;
		}
		topics[body->topics_n - 1].partitions_n++;
		parts->partition = lookup->partition;
		parts->current_leader_epoch = lookup->asked_epoch;
		parts++->leader_epoch = lookup->epoch;
	}
	return body;
}

void kl_lookup_request_send(struct kl_lookup_request *request)
{
	struct kl_request *r = &request->request;
	if (request->count == 0) { /* memory was short for its look-ups */
		free(request);
		return;
	}
	r->api = request->kind == KL_LOOKUP_OFFSET ? KL_API_LIST_OFFSETS
						   : KL_API_OFFSET_FOR_LEADER_EPOCH;
	r->prepare = request->kind == KL_LOOKUP_OFFSET ? make_offsets : make_epochs;
	r->min_version = request->min_version;
	r->max_version = -1;
	r->deadline = KL_NEVER;
	r->done = on_answer;
	kl_node_request(request->node, r);
}
