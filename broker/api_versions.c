/* SPDX-License-Identifier: BSD-2-Clause */
/* ApiVersions 0-5. A version that is not known is answered in version 0, with the range that
 * is (KIP-511). */
#include "broker/call.h"

static void put_range(const struct klamm_broker *broker, const struct kl_dev_api *api,
		      struct kl_api_versions_response *response)
{
	int min = broker->served[api->api].min, max = broker->served[api->api].max;
	int usual = kl_dev_api_usual(api);
	if (min > max)
		return; /* a test took it away */
	response->api_keys[response->api_keys_n++] =
		(struct kl_api_versions_response_api_key){
			.api_key = api->api,
			.min_version = (int16_t)(min == usual ? api->advertised : min),
			.max_version = (int16_t)max,
		};
}

/* The features that there are (KIP-584). Clients before version 4 take no feature that may be
 * at level 0, and what is at level 0 is not in force. */
static bool put_features(struct kl_dev_call *call,
			 struct kl_api_versions_response *response)
{
	const struct kl_dev_limits *limits = &call->broker->limits;
	const struct {
		struct kl_str name;
		int16_t max, level;
	} features[] = {
		{KL_STR("group.version"), 1, (int16_t)limits->group_version},
		{KL_STR("transaction.version"), 2, (int16_t)limits->transaction_version},
	};
	size_t n = kl_countof(features);
	response->supported_features = kl_type_new(
		&kl_type_api_versions_response_supported_feature, &call->arena, n);
	response->finalized_features = kl_type_new(
		&kl_type_api_versions_response_finalized_feature, &call->arena, n);
	if (response->supported_features == NULL || response->finalized_features == NULL)
		return false;
	response->finalized_features_epoch = 1;
	for (size_t i = 0; i < n; i++) {
		struct kl_api_versions_response_finalized_feature *final =
			&response->finalized_features[response->finalized_features_n];
		response->supported_features[i].name = final->name = features[i].name;
		response->supported_features[i].max_version = features[i].max;
		final->max_version_level = final->min_version_level = features[i].level;
		response->finalized_features_n += features[i].level > 0;
	}
	response->supported_features_n = call->version >= 4 ? (int32_t)n : 0;
	return true;
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters and digits, with '-' and '.' inside. */
static bool is_software(struct kl_str s)
{
	if (s.len <= 0 || !is_word_char(s.p[0]) || !is_word_char(s.p[s.len - 1]))
		return false;
	for (int32_t i = 0; i < s.len; i++)
		if (!is_word_char(s.p[i]) && s.p[i] != '-' && s.p[i] != '.')
			return false;
	return true;
}

static int check(const struct kl_dev_call *call)
{
	const struct kl_api_versions_request *request = call->request;
	if (request == NULL)
		return KLAMM_ERR_UNSUPPORTED_VERSION;
	if (call->version >= 3 && (!is_software(request->client_software_name) ||
				   !is_software(request->client_software_version)))
		return KLAMM_ERR_INVALID_REQUEST;
	if (call->version < 5)
		return 0;
	/* KIP-1242: a client that expects another cluster or node is to begin anew. */
	bool has_cluster = request->cluster_id.len >= 0, has_node = request->node_id >= 0;
	if (has_cluster != has_node)
		return KLAMM_ERR_INVALID_REQUEST;
	if (has_cluster && (!kl_str_is(request->cluster_id, call->broker->cluster_id) ||
			    request->node_id != call->conn->node->id))
		return KLAMM_ERR_REBOOTSTRAP_REQUIRED;
	return 0;
}

void kl_dev_api_versions(struct kl_dev_call *call)
{
	struct kl_api_versions_response response;
	kl_msg_init(&kl_msg_api_versions_response, &response);
	response.api_keys = kl_type_new(&kl_type_api_versions_response_api_key,
					&call->arena, kl_dev_api_count);
	if (response.api_keys == NULL || !put_features(call, &response)) {
		kl_dev_call_fail(call);
		return;
	}
	int error = kl_dev_call_error(call);
	if (error == 0)
		error = check(call);
	response.error_code = (int16_t)error;
	if (error != 0)
		response.supported_features_n = response.finalized_features_n = 0;
	if (error == KLAMM_ERR_UNSUPPORTED_VERSION)
		put_range(call->broker, call->api, &response);
	for (size_t i = 0; i < kl_dev_api_count && error == 0; i++)
		put_range(call->broker, &kl_dev_apis[i], &response);
	if (error == 0)
		kl_dev_auth_told_versions(call->conn);
	bool fall_back = error == KLAMM_ERR_UNSUPPORTED_VERSION;
	kl_dev_answer_version(call, fall_back ? 0 : call->version, &response);
}
