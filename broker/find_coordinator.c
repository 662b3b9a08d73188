/* SPDX-License-Identifier: BSD-2-Clause */
/* FindCoordinator 0-6: the node that was asked is it, unless a fault says another. */
#include "broker/call.h"

void kl_dev_find_coordinator(struct kl_dev_call *call)
{
	const struct kl_find_coordinator_request *request = call->request;
	const struct kl_dev_node *node = kl_dev_coordinator(call);
	struct kl_find_coordinator_response response;
	kl_msg_init(&kl_msg_find_coordinator_response, &response);
	int16_t error = (int16_t)kl_dev_call_error(call);
	response.error_code = call->version < 4 ? error : 0;
	response.node_id = error == 0 ? node->id : -1;
	response.host = error == 0 ? kl_dev_node_host(node) : KL_STR("");
	response.port = error == 0 ? node->port : -1;
	size_t n = call->version < 4 ? 0 : (size_t)kl_max(request->coordinator_keys_n, 0);
	response.coordinators = kl_type_new(
		&kl_type_find_coordinator_response_coordinator, &call->arena, n);
	if (response.coordinators == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct kl_find_coordinator_response_coordinator *out =
			&response.coordinators[response.coordinators_n++];
		out->key = request->coordinator_keys[i];
		out->node_id = response.node_id;
		out->host = response.host;
		out->port = response.port;
		out->error_code = error;
	}
	if (call->version >= 4) {
		response.node_id = response.port = 0;
		response.host = KL_STR("");
	}
	kl_dev_answer(call, &response);
}
