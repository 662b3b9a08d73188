/* SPDX-License-Identifier: BSD-2-Clause */
/* FindCoordinator 0-6: who leads the partition that a key belongs to. */
#include "broker/coordinators.h"

#define KEY_SHARE 2 /* from version 6 on; there are no share groups here */

struct found {
	int error;
	const struct kl_dev_node *node; /* NULL: none */
};

static struct found find(struct kl_dev_call *call, int8_t type, struct kl_str key)
{
	static const char *const topics[] = {"__consumer_offsets", "__transaction_state"};
	struct klamm_broker *broker = call->broker;
	int error = kl_dev_call_error(call);
	if (error != 0)
		return (struct found){error, NULL};
	if (type != KL_DEV_GROUP && type != KL_DEV_TXN)
		return (struct found){type == KEY_SHARE && call->version >= 6
					      ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
					      : KLAMM_ERR_INVALID_REQUEST,
				      NULL};
	struct kl_str name = kl_str(topics[type]);
	struct kl_dev_topic *topic;
	if (kl_dev_topic_named(broker, name) == NULL)
		kl_dev_topic_create_internal(broker, name, &topic);
	const struct kl_dev_partition *home = kl_dev_home(broker, type, key);
	struct kl_dev_node *node = home != NULL ? kl_dev_node(broker, home->leader) : NULL;
	if (!kl_dev_node_runs(node))
		return (struct found){KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, NULL};
	return (struct found){0, node};
}

static void answer_one(struct kl_dev_call *call, struct kl_find_coordinator_response *response)
{
	const struct kl_find_coordinator_request *request = call->request;
	struct found found = find(call, request->key_type, request->key);
	response->error_code = (int16_t)found.error;
	response->node_id = found.node != NULL ? found.node->id : -1;
	response->host = found.node != NULL ? kl_dev_node_host(found.node) : KL_STR("");
	response->port = found.node != NULL ? found.node->port : -1;
}

/* false: out of memory. */
static bool answer_all(struct kl_dev_call *call, struct kl_find_coordinator_response *response)
{
	const struct kl_find_coordinator_request *request = call->request;
	size_t n = (size_t)kl_max(request->coordinator_keys_n, 0);
	response->coordinators = kl_type_new(&kl_type_find_coordinator_response_coordinator,
					     &call->arena, n);
	for (size_t i = 0; i < n && response->coordinators != NULL; i++) {
		struct kl_find_coordinator_response_coordinator *out =
			&response->coordinators[response->coordinators_n++];
		struct found found =
			find(call, request->key_type, request->coordinator_keys[i]);
		out->key = request->coordinator_keys[i];
		out->error_code = (int16_t)found.error;
		out->node_id = found.node != NULL ? found.node->id : -1;
		out->host = found.node != NULL ? kl_dev_node_host(found.node) : KL_STR("");
		out->port = found.node != NULL ? found.node->port : -1;
	}
	return response->coordinators != NULL;
}

void kl_dev_find_coordinator(struct kl_dev_call *call)
{
	struct kl_find_coordinator_response response;
	kl_msg_init(&kl_msg_find_coordinator_response, &response);
	if (call->version < 4)
		answer_one(call, &response);
	else if (!answer_all(call, &response)) {
		kl_dev_call_fail(call);
		return;
	}
	kl_dev_answer(call, &response);
}
