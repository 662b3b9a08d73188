/* SPDX-License-Identifier: BSD-2-Clause */
/* DescribeCluster 0-2. */
#include "broker/call.h"

#define ENDPOINT_BROKERS 1

static int check(const struct kl_dev_call *call)
{
	const struct kl_describe_cluster_request *request = call->request;
	int error = kl_dev_call_error(call);
	if (error != 0 || request->endpoint_type == ENDPOINT_BROKERS)
		return error;
	/* KIP-919: only controllers tell of controllers. */
	return request->endpoint_type == 2 ? KLAMM_ERR_MISMATCHED_ENDPOINT_TYPE
					   : KLAMM_ERR_UNSUPPORTED_ENDPOINT_TYPE;
}

void kl_dev_describe_cluster(struct kl_dev_call *call)
{
	const struct kl_describe_cluster_request *request = call->request;
	struct klamm_broker *broker = call->broker;
	struct kl_describe_cluster_response response;
	kl_msg_init(&kl_msg_describe_cluster_response, &response);
	response.error_code = (int16_t)check(call);
	response.brokers = kl_type_new(&kl_type_describe_cluster_response_broker,
				       &call->arena, (size_t)broker->options.nodes);
	if (response.brokers == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	for (int32_t i = 0; i < broker->options.nodes && response.error_code == 0; i++) {
		struct kl_dev_node *node = &broker->nodes[i];
		/* A stopped broker is what Kafka calls fenced (KIP-1073). */
		bool fenced = !kl_dev_node_runs(node);
		if (fenced && !request->include_fenced_brokers)
			continue;
		struct kl_describe_cluster_response_broker *out =
			&response.brokers[response.brokers_n++];
		out->broker_id = node->id;
		out->host = kl_dev_node_host(node);
		out->port = node->port;
		out->rack = node->rack;
		out->is_fenced = fenced;
	}
	struct kl_dev_node *controller = kl_dev_controller(broker);
	response.cluster_id = kl_str(broker->cluster_id);
	response.controller_id = controller != NULL ? controller->id : -1;
	if (request->include_cluster_authorized_operations)
		response.cluster_authorized_operations = KL_DEV_CLUSTER_OPERATIONS;
	kl_dev_answer(call, &response);
}
