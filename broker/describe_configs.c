/* SPDX-License-Identifier: BSD-2-Clause */
/* DescribeConfigs 1-4: every setting of a topic, and those of a broker that mean something
 * here. */
#include <stdio.h>

#include "broker/faults.h"

enum {
	RESOURCE_TOPIC = 2,
	RESOURCE_BROKER = 4,
};
/* ConfigSource and ConfigType. */
enum {
	SOURCE_TOPIC = 1,
	SOURCE_ALL_BROKERS = 3, /* set at run time, as the default of all of them */
	SOURCE_STATIC_BROKER = 4,
	SOURCE_DEFAULT = 5,
};
enum {
	TYPE_BOOLEAN = 1,
	TYPE_STRING = 2,
	TYPE_INT = 3,
	TYPE_LIST = 7,
};

struct describe {
	struct kl_dev_call *call;
	const struct kl_describe_configs_request_resource *asked;
	struct kl_describe_configs_response_resource *out;
	bool broker_told;
};

/* No list of keys means all. */
static bool is_wanted(const struct describe *d, const char *key)
{
	for (int32_t i = 0; i < d->asked->configuration_keys_n; i++)
		if (kl_str_is(d->asked->configuration_keys[i], key))
			return true;
	return d->asked->configuration_keys_n < 0;
}

static struct kl_describe_configs_response_config *put(struct describe *d,
						       const char *key, const char *value,
						       int8_t source, int8_t type)
{
	struct kl_describe_configs_response_config *out =
		&d->out->configs[d->out->configs_n++];
	const struct kl_describe_configs_request *request = d->call->request;
	out->name = kl_str(key);
	out->value = kl_str(value);
	out->config_source = source;
	out->config_type = type;
	out->documentation = KL_STR_NULL;
	if (!request->include_synonyms)
		return out;
	out->synonyms = kl_type_new(&kl_type_describe_configs_response_synonym,
				    &d->call->arena, 1);
	if (out->synonyms == NULL)
		return out;
	out->synonyms[0] = (struct kl_describe_configs_response_synonym){
		.name = out->name, .value = out->value, .source = source};
	out->synonyms_n = 1;
	return out;
}

static bool reserve(struct describe *d, size_t n)
{
	d->out->configs = kl_type_new(&kl_type_describe_configs_response_config,
				      &d->call->arena, n);
	return d->out->configs != NULL;
}

static bool describe_topic(struct describe *d)
{
	struct klamm_broker *broker = d->call->broker;
	struct kl_dev_topic *topic = kl_dev_topic_named(broker, d->asked->resource_name);
	int error = kl_dev_topic_error(d->call, d->asked->resource_name, -1);
	if (error == 0)
		error = kl_dev_topic_check_name(d->asked->resource_name, NULL);
	if (error == 0 && topic == NULL)
		error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (error == 0 && !kl_dev_topic_mark(broker, topic))
		error = KLAMM_ERR_INVALID_REQUEST; /* twice */
	d->out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	if (!reserve(d, KL_DEV_CONFIGS))
		return false;
	for (int i = 0; i < KL_DEV_CONFIGS; i++) {
		const struct klamm_option *row = &kl_dev_config_rows[i];
		if (!is_wanted(d, row->name))
			continue;
		bool set = topic->settings.values[i] != NULL;
		put(d, row->name,
		    kl_dev_settings_text(&topic->settings, i, &d->call->arena),
		    set ? SOURCE_TOPIC : SOURCE_DEFAULT, kl_dev_config_type(row));
	}
	return true;
}

static void put_number(struct describe *d, const char *key, int64_t value,
		       int64_t fallback)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)value);
	if (is_wanted(d, key))
		put(d, key, kl_arena_text(&d->call->arena, text, (size_t)n),
		    value == fallback ? SOURCE_DEFAULT : SOURCE_STATIC_BROKER, TYPE_INT)
			->read_only = true;
}

static void put_setting(struct describe *d, const struct klamm_option *row)
{
	char text[KL_DEV_SETTING_TEXT];
	kl_dev_setting_print(&d->call->broker->limits, row, text);
	bool is_null = strcmp(text, "none") == 0; /* Kafka's name for no class */
	if (is_wanted(d, row->name))
		put(d, row->name,
		    is_null ? NULL : kl_arena_text(&d->call->arena, text, strlen(text)),
		    strcmp(text, row->def) == 0 ? SOURCE_DEFAULT : SOURCE_STATIC_BROKER,
		    kl_dev_config_type(row))
			->read_only = true;
}

static void put_rack(struct describe *d, struct kl_str rack)
{
	const char *text = rack.len > 0 ? kl_arena_text(&d->call->arena, rack.p,
							 (size_t)rack.len)
					: NULL;
	put(d, "broker.rack", text, text == NULL ? SOURCE_DEFAULT : SOURCE_STATIC_BROKER,
	    TYPE_STRING)
		->read_only = true;
}

/* klamm.fault holds for all nodes; klamm.fault.hits counts for each of them, in the same
 * order. */
static bool put_faults(struct describe *d)
{
	struct kl_buf faults = {0}, hits = {0};
	struct kl_list *list = &d->call->broker->faults;
	kl_list_for(fault, list, struct kl_dev_fault, link) {
		const char *sep = faults.len > 0 ? "; " : "";
		kl_buf_printf(&faults, "%s", sep);
		kl_dev_fault_print(&fault->spec, &faults);
		kl_buf_printf(&hits, "%s%lld", sep, (long long)fault->hits);
	}
	int8_t source = kl_list_empty(list) ? SOURCE_DEFAULT : SOURCE_ALL_BROKERS;
	struct kl_arena *arena = &d->call->arena;
	const char *texts[] = {kl_arena_text(arena, (char *)faults.data, faults.len),
			       kl_arena_text(arena, (char *)hits.data, hits.len)};
	bool ok = !faults.failed && !hits.failed && texts[0] != NULL && texts[1] != NULL;
	kl_buf_free(&faults);
	kl_buf_free(&hits);
	if (ok && is_wanted(d, "klamm.fault"))
		put(d, "klamm.fault", texts[0], source, TYPE_LIST);
	if (ok && is_wanted(d, "klamm.fault.hits"))
		put(d, "klamm.fault.hits", texts[1], source, TYPE_LIST)->read_only = true;
	return ok;
}

static bool describe_broker(struct describe *d)
{
	struct klamm_broker *broker = d->call->broker;
	const struct klamm_broker_options *o = &broker->options;
	const struct kl_dev_node *node = d->call->conn->node;
	char id[12];
	snprintf(id, sizeof(id), "%d", (int)node->id);
	if (d->asked->resource_name.len <= 0) /* what was changed at run time */
		return reserve(d, 2) && put_faults(d);
	if (!kl_str_is(d->asked->resource_name, id) || d->broker_told) {
		d->out->error_code = KLAMM_ERR_INVALID_REQUEST;
		d->out->error_message =
			KL_STR("only the broker that is asked can answer, once");
		return true;
	}
	d->broker_told = true;
	if (!reserve(d, 11 + KL_DEV_SETTING_ROWS))
		return false;
	put_number(d, "node.id", node->id, -1);
	put_number(d, "num.partitions", o->partitions, 1);
	put_number(d, "default.replication.factor", o->replicas, 1);
	put_number(d, "message.max.bytes", o->message_max_bytes, 1048588);
	put_number(d, "min.insync.replicas", 1, 1);
	if (is_wanted(d, "broker.rack"))
		put_rack(d, node->rack);
	if (is_wanted(d, "auto.create.topics.enable"))
		put(d, "auto.create.topics.enable", o->no_auto_create ? "false" : "true",
		    o->no_auto_create ? SOURCE_STATIC_BROKER : SOURCE_DEFAULT,
		    TYPE_BOOLEAN)
			->read_only = true;
	for (int i = 0; i < KL_DEV_SETTING_ROWS; i++)
		put_setting(d, &kl_dev_setting_rows[i]);
	return put_faults(d);
}

static bool describe_one(struct describe *d)
{
	d->out->resource_type = d->asked->resource_type;
	d->out->resource_name = d->asked->resource_name;
	d->out->error_message = KL_STR_NULL;
	if (d->asked->resource_type == RESOURCE_TOPIC)
		return describe_topic(d);
	if (d->asked->resource_type == RESOURCE_BROKER)
		return describe_broker(d);
	d->out->error_code = KLAMM_ERR_INVALID_REQUEST;
	d->out->error_message =
		KL_STR("this broker has settings of topics and brokers only");
	return true;
}

void kl_dev_describe_configs(struct kl_dev_call *call)
{
	const struct kl_describe_configs_request *request = call->request;
	struct kl_describe_configs_response response;
	kl_msg_init(&kl_msg_describe_configs_response, &response);
	size_t n = (size_t)kl_max(request->resources_n, 0);
	response.results =
		kl_type_new(&kl_type_describe_configs_response_resource, &call->arena, n);
	response.results_n = (int32_t)n;
	kl_dev_topics_unmark(call->broker);
	struct describe d = {.call = call};
	for (size_t i = 0; i < n; i++) {
		d.asked = &request->resources[i];
		d.out = &response.results[i];
		if (response.results == NULL || !describe_one(&d)) {
			kl_dev_call_fail(call);
			return;
		}
	}
	kl_dev_answer(call, &response);
}
