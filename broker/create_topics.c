/* SPDX-License-Identifier: BSD-2-Clause */
/* CreateTopics 2-7 and CreatePartitions 0-3. */
#include "broker/call.h"

/* Kafka's limit for one request. */
#define PARTITIONS_PER_REQUEST 10000
/* Where a setting comes from, as ConfigSource says it. */
#define SOURCE_TOPIC 1
#define SOURCE_DEFAULT 5

static bool is_twice(const struct kl_create_topics_request *request, int32_t i)
{
	for (int32_t k = 0; k < request->topics_n; k++)
		if (k != i &&
		    kl_str_equal(request->topics[k].name, request->topics[i].name))
			return true;
	return false;
}

static bool is_too_much(const struct klamm_broker *broker,
			const struct kl_create_topics_request *request)
{
	int64_t n = 0;
	for (int32_t i = 0; i < request->topics_n; i++) {
		const struct kl_create_topics_request_topic *topic = &request->topics[i];
		if (topic->assignments_n > 0)
			n += topic->assignments_n;
		else
			n += topic->num_partitions > 0 ? topic->num_partitions
						       : broker->options.partitions;
	}
	return n > PARTITIONS_PER_REQUEST;
}

/* The settings in force, sorted by name as the table is. */
static bool put_configs(struct kl_dev_call *call, const struct kl_dev_topic *topic,
			struct kl_create_topics_response_topic *out)
{
	out->configs = kl_type_new(&kl_type_create_topics_response_config, &call->arena,
				   KL_DEV_CONFIGS);
	if (out->configs == NULL)
		return false;
	for (int i = 0; i < KL_DEV_CONFIGS; i++) {
		const char *text =
			kl_dev_settings_text(&topic->settings, i, &call->arena);
		out->configs[i].name = kl_str(kl_dev_config_rows[i].name);
		out->configs[i].value = kl_str(text);
		out->configs[i].config_source =
			topic->settings.values[i] != NULL ? SOURCE_TOPIC : SOURCE_DEFAULT;
	}
	out->configs_n = KL_DEV_CONFIGS;
	return true;
}

static int create_one(struct kl_dev_call *call, int32_t i, bool too_much,
		      struct kl_dev_topic **topic_out, struct klamm_error *err)
{
	const struct kl_create_topics_request *request = call->request;
	const struct kl_create_topics_request_topic *asked = &request->topics[i];
	*topic_out = NULL;
	if (too_much)
		return kl_error(err, KLAMM_ERR_POLICY_VIOLATION,
				"more than %d partitions in one request",
				PARTITIONS_PER_REQUEST);
	if (is_twice(request, i))
		return kl_error(err, KLAMM_ERR_INVALID_REQUEST,
				"the request names this topic twice");
	if (kl_str_is(asked->name, "__cluster_metadata"))
		return kl_error(err, KLAMM_ERR_INVALID_REQUEST,
				"clients may not create this topic");
	struct kl_dev_topic_spec spec = {
		.name = asked->name,
		.partitions = asked->num_partitions,
		.replicas = asked->replication_factor,
		.assignments = asked->assignments,
		.assignment_count = kl_max(asked->assignments_n, 0),
		.configs = asked->configs,
		.config_count = kl_max(asked->configs_n, 0),
		.validate_only = request->validate_only,
	};
	return kl_dev_topic_create(call->broker, &spec, topic_out, err);
}

static bool answer_one(struct kl_dev_call *call, int32_t i, bool too_much,
		       struct kl_create_topics_response_topic *out)
{
	const struct kl_create_topics_request *request = call->request;
	struct kl_dev_topic *topic = NULL;
	struct klamm_error err = {0};
	out->name = request->topics[i].name;
	out->configs_n = -1;
	int error = kl_dev_topic_error(call, out->name, -1);
	if (error == 0)
		error = create_one(call, i, too_much, &topic, &err);
	out->error_code = (int16_t)error;
	out->num_partitions = -1;
	out->replication_factor = -1;
	if (error != 0)
		out->error_message =
			kl_str(kl_arena_text(&call->arena, err.text, strlen(err.text)));
	if (topic == NULL)
		return true;
	out->topic_id = topic->id;
	out->num_partitions = topic->partition_count;
	out->replication_factor = topic->replicas;
	return call->version < 5 || put_configs(call, topic, out);
}

void kl_dev_create_topics(struct kl_dev_call *call)
{
	const struct kl_create_topics_request *request = call->request;
	struct kl_create_topics_response response;
	kl_msg_init(&kl_msg_create_topics_response, &response);
	bool too_much = is_too_much(call->broker, request);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response.topics =
		kl_type_new(&kl_type_create_topics_response_topic, &call->arena, n);
	response.topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		if (response.topics == NULL ||
		    !answer_one(call, (int32_t)i, too_much, &response.topics[i])) {
			kl_dev_call_fail(call);
			return;
		}
	}
	kl_dev_answer(call, &response);
}

/* --- CreatePartitions --- */

static int grow_one(struct kl_dev_call *call,
		    const struct kl_create_partitions_request_topic *asked,
		    struct klamm_error *err)
{
	const struct kl_create_partitions_request *request = call->request;
	struct kl_dev_topic *topic = kl_dev_topic_named(call->broker, asked->name);
	int rc = kl_dev_topic_error(call, asked->name, -1);
	if (rc != 0)
		return rc;
	if (topic == NULL)
		return kl_error(err, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
				"there is no such topic");
	rc = kl_dev_topic_check_growth(call->broker, topic, asked->count, err);
	if (rc != 0)
		return rc;
	if (asked->assignments_n >= 0 &&
	    asked->assignments_n != asked->count - topic->partition_count)
		return kl_error(err, KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT,
				"%d assignments for %d more partitions",
				(int)asked->assignments_n,
				(int)(asked->count - topic->partition_count));
	if (request->validate_only)
		return 0;
	return kl_dev_topic_grow(call->broker, topic, asked->count,
				 asked->assignments_n >= 0 ? asked->assignments : NULL,
				 err);
}

void kl_dev_create_partitions(struct kl_dev_call *call)
{
	const struct kl_create_partitions_request *request = call->request;
	struct kl_create_partitions_response response;
	kl_msg_init(&kl_msg_create_partitions_response, &response);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response.results =
		kl_type_new(&kl_type_create_partitions_response_topic, &call->arena, n);
	response.results_n = (int32_t)n;
	if (response.results == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct klamm_error err = {0};
		int error = grow_one(call, &request->topics[i], &err);
		response.results[i].name = request->topics[i].name;
		response.results[i].error_code = (int16_t)error;
		response.results[i].error_message = KL_STR_NULL;
		if (error != 0)
			response.results[i].error_message = kl_str(
				kl_arena_text(&call->arena, err.text, strlen(err.text)));
	}
	kl_dev_answer(call, &response);
}
