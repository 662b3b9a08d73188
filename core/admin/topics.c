/* SPDX-License-Identifier: BSD-2-Clause */
/* Creating and deleting topics. What several topics were asked for comes back topic by
 * topic; those whose error passes are asked for again, the others are not. */
#include <stdlib.h>

#include "core/admin/admin.h"
#include "core/base/error.h"

/* A topic of the call and what became of it. */
struct item {
	const char *name;
	bool open; /* not final yet */
	struct klamm_error err;
};

struct change {
	struct kl_call call;
	struct item *items;
	size_t count, open;
	const struct klamm_new_topic *const *topics; /* to create */
	bool validate_only;
};

static struct change *change_of(struct kl_call *call)
{
	return kl_container(call, struct change, call);
}

static struct item *find_item(struct change *change, struct kl_str name)
{
	for (size_t i = 0; i < change->count; i++)
		if (change->items[i].open && kl_str_is(name, change->items[i].name))
			return &change->items[i];
	return NULL;
}

static void settle(struct change *change, struct item *item)
{
	item->open = false;
	change->open--;
}

static void answered(struct change *change, struct kl_str name, int code,
		     struct kl_str words)
{
	struct item *item = find_item(change, name);
	if (item == NULL)
		return; /* nobody asked */
	kl_admin_item_error(&item->err, code, "topic", item->name, words);
	if (kl_admin_passes(code))
		change->call.err = item->err;
	else
		settle(change, item);
}

/* A topic that the answer left out would be asked for in all eternity. */
static enum kl_verdict verdict(struct change *change)
{
	if (change->open == 0) {
		kl_error_clear(&change->call.err);
		return KL_CALL_DONE;
	}
	if (change->call.err.code != 0)
		return KL_CALL_AGAIN;
	for (size_t i = 0; i < change->count; i++) {
		struct item *item = &change->items[i];
		if (!item->open)
			continue;
		kl_error(&item->err, KLAMM_ERR_PROTOCOL,
			 "topic %.100s: %s: the answer left it out", item->name,
			 change->call.what);
		settle(change, item);
	}
	return KL_CALL_DONE;
}

static void all_failed(struct kl_call *call)
{
	struct change *change = change_of(call);
	for (size_t i = 0; i < change->count; i++)
		if (change->items[i].open)
			change->items[i].err = call->err;
}

/* --- create --- */

static bool put_configs(struct kl_call *call, const struct klamm_new_topic *topic,
			struct kl_create_topics_request_topic *to)
{
	to->configs = kl_type_new(&kl_type_create_topics_request_config, &call->arena,
				  topic->config_count);
	if (to->configs == NULL)
		return false;
	to->configs_n = (int32_t)topic->config_count;
	for (size_t i = 0; i < topic->config_count; i++) {
		to->configs[i].name = kl_str(topic->configs[i].name);
		to->configs[i].value = kl_str(topic->configs[i].value);
	}
	return true;
}

static const void *create_prepare(struct kl_call *call, int version)
{
	struct change *change = change_of(call);
	struct kl_create_topics_request *body =
		kl_arena_alloc(&call->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_create_topics_request, body);
	body->topics = kl_type_new(&kl_type_create_topics_request_topic, &call->arena,
				   change->open);
	if (body->topics == NULL)
		return NULL;
	body->timeout_ms = call->time_left_ms;
	body->validate_only = change->validate_only;
	body->topics_n = 0;
	for (size_t i = 0; i < change->count; i++) {
		if (!change->items[i].open)
			continue;
		const struct klamm_new_topic *topic = change->topics[i];
		struct kl_create_topics_request_topic *to =
			&body->topics[body->topics_n++];
		to->name = kl_str(topic->name);
		to->num_partitions = topic->partitions;
		to->replication_factor = (int16_t)topic->replicas;
		if (!put_configs(call, topic, to))
			return NULL;
	}
	return body;
}

static enum kl_verdict create_answer(struct kl_call *call, const void *response,
				     int version)
{
	const struct kl_create_topics_response *body = response;
	struct change *change = change_of(call);
	for (int32_t i = 0; i < body->topics_n; i++)
		answered(change, body->topics[i].name, body->topics[i].error_code,
			 body->topics[i].error_message);
	return verdict(change);
}

/* --- delete --- */

static const void *delete_prepare(struct kl_call *call, int version)
{
	struct change *change = change_of(call);
	struct kl_delete_topics_request *body =
		kl_arena_alloc(&call->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_delete_topics_request, body);
	body->timeout_ms = call->time_left_ms;
	/* By id or name from version 6 on, a plain list of names before. */
	bool structs = version >= 6;
	if (structs)
		body->topics = kl_type_new(&kl_type_delete_topics_request_topic,
					   &call->arena, change->open);
	else
		body->topic_names = kl_arena_array(&call->arena, change->open,
						   sizeof(*body->topic_names));
	if (body->topics == NULL && body->topic_names == NULL)
		return NULL;
	for (size_t i = 0; i < change->count; i++) {
		if (!change->items[i].open)
			continue;
		struct kl_str name = kl_str(change->items[i].name);
		if (structs)
			body->topics[body->topics_n++].name = name;
		else
			body->topic_names[body->topic_names_n++] = name;
	}
	return body;
}

static enum kl_verdict delete_answer(struct kl_call *call, const void *response,
				     int version)
{
	const struct kl_delete_topics_response *body = response;
	struct change *change = change_of(call);
	for (int32_t i = 0; i < body->responses_n; i++)
		answered(change, body->responses[i].name, body->responses[i].error_code,
			 body->responses[i].error_message);
	return verdict(change);
}

/* --- both --- */

static int check_names(const struct change *change, struct klamm_error *err)
{
	for (size_t i = 0; i < change->count; i++) {
		const char *name = change->items[i].name;
		if (name == NULL || name[0] == '\0')
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"a topic needs a name");
		for (size_t j = 0; j < i; j++)
			if (strcmp(change->items[j].name, name) == 0)
				return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
						"topic %.100s: named twice", name);
	}
	return 0;
}

/* The first topic's error; each one's in errors. */
static int tell(const struct change *change, struct klamm_error *errors,
		struct klamm_error *err)
{
	const struct klamm_error *first = NULL;
	for (size_t i = 0; i < change->count; i++) {
		if (errors != NULL)
			errors[i] = change->items[i].err;
		if (first == NULL && change->items[i].err.code != 0)
			first = &change->items[i].err;
	}
	return first != NULL ? kl_error_copy(err, first) : 0;
}

static int run(struct klamm_admin *admin, struct change *change, int64_t timeout_ms,
	       struct klamm_error *errors, struct klamm_error *err)
{
	for (size_t i = 0; i < change->count; i++) {
		change->items[i].open = true;
		kl_error_clear(&change->items[i].err);
	}
	change->open = change->count;
	change->call.to_controller = true;
	change->call.failed = all_failed;
	struct klamm_error wrong;
	if (check_names(change, &wrong) != 0) {
		change->call.err = wrong;
		all_failed(&change->call);
	} else if (change->count > 0) {
		kl_admin_call(admin, &change->call, timeout_ms, NULL);
	}
	return tell(change, errors, err);
}

/* KIP-464: brokers before Kafka 2.4 take no -1, and say only that it is too small. */
#define CREATE_BY_DEFAULTS 4

static void ask_for_defaults(struct change *change, const struct klamm_new_topic *topic)
{
	if (topic->partitions >= 0 && topic->replicas >= 0)
		return;
	change->call.min_version = CREATE_BY_DEFAULTS;
	change->call.needs = "the broker's own number of partitions or replicas (Kafka 2.4)";
}

int klamm_admin_create_topics(struct klamm_admin *admin,
			      const struct klamm_new_topic *const *topics, size_t count,
			      uint32_t flags, int64_t timeout_ms,
			      struct klamm_error *errors, struct klamm_error *err)
{
	struct change change = {
		.call =
			{
				.what = "creating topics",
				.api = KL_API_CREATE_TOPICS,
				.prepare = create_prepare,
				.answer = create_answer,
			},
		.count = count,
		.topics = topics,
		.validate_only = (flags & KLAMM_ADMIN_VALIDATE_ONLY) != 0,
	};
	change.items = calloc(count + 1, sizeof(*change.items));
	if (change.items == NULL)
		return kl_admin_no_memory("topics", errors, count, err);
	for (size_t i = 0; i < count; i++) {
		change.items[i].name = topics[i]->name;
		ask_for_defaults(&change, topics[i]);
	}
	int rc = run(admin, &change, timeout_ms, errors, err);
	free(change.items);
	return rc;
}

int klamm_admin_delete_topics(struct klamm_admin *admin, const char *const *names,
			      size_t count, int64_t timeout_ms,
			      struct klamm_error *errors, struct klamm_error *err)
{
	struct change change = {
		.call =
			{
				.what = "deleting topics",
				.api = KL_API_DELETE_TOPICS,
				.prepare = delete_prepare,
				.answer = delete_answer,
			},
		.count = count,
	};
	change.items = calloc(count + 1, sizeof(*change.items));
	if (change.items == NULL)
		return kl_admin_no_memory("topics", errors, count, err);
	for (size_t i = 0; i < count; i++)
		change.items[i].name = names[i];
	int rc = run(admin, &change, timeout_ms, errors, err);
	free(change.items);
	return rc;
}
