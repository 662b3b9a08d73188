/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata 0-13. A topic that is made because a client asked for it is there at once, where
 * Kafka first says that it is not. */
#include "broker/coordinators.h"

struct metadata {
	struct kl_dev_call *call;
	const struct kl_metadata_request *request;
	struct kl_metadata_response response;
};

static bool put_brokers(struct metadata *m)
{
	struct klamm_broker *broker = m->call->broker;
	m->response.brokers = kl_type_new(&kl_type_metadata_response_broker,
					  &m->call->arena, (size_t)broker->options.nodes);
	if (m->response.brokers == NULL)
		return false;
	for (int32_t i = 0; i < broker->options.nodes; i++) {
		struct kl_dev_node *node = &broker->nodes[i];
		if (!kl_dev_node_runs(node))
			continue;
		struct kl_metadata_response_broker *out =
			&m->response.brokers[m->response.brokers_n++];
		out->node_id = node->id;
		out->host = kl_dev_node_host(node);
		out->port = node->port;
		out->rack = node->rack;
	}
	return true;
}

static bool put_partition(struct metadata *m, const struct kl_dev_partition *partition,
			  struct kl_metadata_response_partition *out)
{
	struct kl_dev_replicas replicas;
	if (!kl_dev_call_replicas(m->call, partition, &replicas))
		return false;
	out->partition_index = partition->index;
	out->leader_id = partition->leader;
	out->leader_epoch = partition->leader_epoch;
	out->error_code = (int16_t)kl_dev_topic_error(
		m->call, kl_dev_topic_name(partition->topic), partition->index);
	if (out->error_code == 0 && partition->leader < 0)
		out->error_code = KLAMM_ERR_LEADER_NOT_AVAILABLE;
	out->replica_nodes = (int32_t *)replicas.all;
	out->replica_nodes_n = replicas.count;
	out->isr_nodes = replicas.in_sync;
	out->isr_nodes_n = replicas.in_sync_count;
	out->offline_replicas = replicas.offline;
	out->offline_replicas_n = replicas.offline_count;
	return true;
}

static struct kl_metadata_response_topic *next_topic(struct metadata *m)
{
	struct kl_metadata_response_topic *out =
		&m->response.topics[m->response.topics_n++];
	if (m->request->include_topic_authorized_operations)
		out->topic_authorized_operations = KL_DEV_TOPIC_OPERATIONS;
	return out;
}

static bool put_topic(struct metadata *m, struct kl_dev_topic *topic)
{
	if (!kl_dev_topic_mark(m->call->broker, topic))
		return true;
	struct kl_metadata_response_topic *out = next_topic(m);
	out->name = kl_dev_topic_name(topic);
	out->topic_id = topic->id;
	out->is_internal = kl_dev_topic_is_internal(out->name);
	out->error_code = (int16_t)kl_dev_topic_error(m->call, out->name, -1);
	if (out->error_code != 0)
		return true;
	out->partitions = kl_type_new(&kl_type_metadata_response_partition,
				      &m->call->arena, (size_t)topic->partition_count);
	if (out->partitions == NULL)
		return false;
	out->partitions_n = topic->partition_count;
	for (int32_t i = 0; i < topic->partition_count; i++)
		if (!put_partition(m, topic->partitions[i], &out->partitions[i]))
			return false;
	return true;
}

static bool put_error(struct metadata *m, const struct kl_metadata_request_topic *asked,
		      int error)
{
	struct kl_metadata_response_topic *out = next_topic(m);
	out->name = asked->name;
	out->topic_id = asked->topic_id;
	out->error_code = (int16_t)error;
	return true;
}

/* A topic that is not there: make it, or say why not. */
static bool put_missing(struct metadata *m, const struct kl_metadata_request_topic *asked)
{
	struct klamm_broker *broker = m->call->broker;
	int error = kl_dev_topic_error(m->call, asked->name, -1);
	if (error == 0)
		error = kl_dev_topic_check_name(asked->name, NULL);
	if (error != 0)
		return put_error(m, asked, error);
	bool may_create = m->call->version < 4 || m->request->allow_auto_topic_creation;
	if (broker->options.no_auto_create || !may_create)
		return put_error(m, asked, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	struct kl_dev_topic *topic;
	struct kl_dev_topic_spec spec = {
		.name = asked->name, .partitions = -1, .replicas = -1};
	error = kl_dev_topic_is_internal(asked->name)
			? kl_dev_topic_create_internal(broker, asked->name, &topic)
			: kl_dev_topic_create(broker, &spec, &topic, NULL);
	return error != 0 ? put_error(m, asked, error) : put_topic(m, topic);
}

static bool put_asked(struct metadata *m, const struct kl_metadata_request_topic *asked)
{
	struct klamm_broker *broker = m->call->broker;
	bool by_id = !kl_uuid_is_zero(&asked->topic_id);
	if (m->call->version < 12 && (by_id || asked->name.len < 0))
		return put_error(m, asked, KLAMM_ERR_INVALID_REQUEST);
	struct kl_dev_topic *topic =
		by_id ? kl_dev_topic_with_id(broker, &asked->topic_id)
		      : kl_dev_topic_named(broker, asked->name);
	if (topic != NULL)
		return put_topic(m, topic);
	return by_id ? put_error(m, asked, KLAMM_ERR_UNKNOWN_TOPIC_ID)
		     : put_missing(m, asked);
}

static bool put_topics(struct metadata *m)
{
	struct klamm_broker *broker = m->call->broker;
	int32_t asked = m->request->topics_n;
	bool all = asked < 0 || (m->call->version == 0 && asked == 0);
	size_t n = all ? HASH_CNT(hh, broker->topics.by_name) : (size_t)asked;
	m->response.topics =
		kl_type_new(&kl_type_metadata_response_topic, &m->call->arena, n);
	if (m->response.topics == NULL)
		return false;
	kl_dev_topics_unmark(broker);
	for (size_t i = 0; i < n && !all; i++)
		if (!put_asked(m, &m->request->topics[i]))
			return false;
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		if (all && !put_topic(m, topic))
			return false;
	}
	return true;
}

void kl_dev_metadata(struct kl_dev_call *call)
{
	struct metadata m = {.call = call, .request = call->request};
	kl_msg_init(&kl_msg_metadata_response, &m.response);
	if (!put_brokers(&m) || !put_topics(&m)) {
		kl_dev_call_fail(call);
		return;
	}
	m.response.cluster_id = kl_str(call->broker->cluster_id);
	struct kl_dev_node *controller = kl_dev_controller(call->broker);
	m.response.controller_id = controller != NULL ? controller->id : -1;
	if (m.request->include_cluster_authorized_operations)
		m.response.cluster_authorized_operations = KL_DEV_CLUSTER_OPERATIONS;
	/* The only error that version 13 has for the whole. */
	if (kl_dev_call_error(call) == KLAMM_ERR_REBOOTSTRAP_REQUIRED)
		m.response.error_code = KLAMM_ERR_REBOOTSTRAP_REQUIRED;
	kl_dev_answer(call, &m.response);
}
