/* SPDX-License-Identifier: BSD-2-Clause */
/* Brokers from before ApiVersions (Kafka 0.10, KIP-35), told apart from those that are slow or
 * going down. Such a broker closes the connection on a request that it does not know (0.8), or
 * keeps silent (0.9). To be taken for one by mistake would cost headers and the difference
 * between committed and aborted records without a word, so it takes a proof: the smallest
 * request that each broker answers, Metadata version 0, is answered, and ApiVersions beside
 * it, on the same connection, is not. One broker that answers ApiVersions speaks for its whole
 * cluster: where 0.9 and 0.10 are mixed, klamm.broker.version says so. */
#include "core/broker/node_int.h"

#include "core/proto/frame.h"

/* What they are taken for, when klamm.broker.version does not say it. */
#define OLD_RELEASE "0.9.0"

static bool is_before_api_versions(const struct kl_versions *versions)
{
	return versions->api[KL_API_API_VERSIONS].max < 0;
}

bool kl_node_is_old(const struct kl_node *node)
{
	return node->state >= KL_NODE_SASL && is_before_api_versions(&node->versions);
}

bool kl_node_knows_release(struct kl_node *node)
{
	return kl_versions_assume(&node->versions,
				  node->nodes->settings->klamm_broker_version) &&
	       is_before_api_versions(&node->versions);
}

void kl_node_assume_old(struct kl_node *node)
{
	kl_versions_assume(&node->versions, OLD_RELEASE);
	kl_log(&node->nodes->log, KL_LOG_INFO, node->where,
	       "does not know ApiVersions: taken for Kafka " OLD_RELEASE
	       " (klamm.broker.version)");
	kl_node_know_versions(node);
}

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_node *node = kl_container(request, struct kl_node, probe);
	if (response->code != 0)
		return; /* the node gives up, or does without */
	node->probe_answered = true;
	if (node->state == KL_NODE_VERSIONS && kl_list_empty(&node->versions_request.link))
		kl_node_assume_old(node);
}

void kl_node_probe(struct kl_node *node)
{
	/* No topics are all topics here, and one that may exist might be created. */
	node->probe_topic.name = KL_STR("/");
	struct kl_metadata_request *body = &node->probe_body;
	kl_msg_init(&kl_msg_metadata_request, body);
	body->topics = &node->probe_topic;
	body->topics_n = 1;
	struct kl_request *request = &node->probe;
	request->api = KL_API_METADATA;
	request->body = body;
	request->deadline = KL_NEVER;
	request->done = on_answer;
	request->node = node;
	request->version = 0;
	kl_list_init(&request->out.link);
	node->probe_at = KL_NEVER;
	struct klamm_error err;
	kl_node_transmit(node, request, &err);
	kl_node_set_timer(node);
}

void kl_node_pass_over(struct kl_node *node, const uint8_t *p, size_t n)
{
	struct kl_request *versions = &node->versions_request, *probe = &node->probe;
	struct kl_reader reader = kl_reader(p, n);
	int32_t id;
	if (node->nodes->modern ||
	    kl_list_first(&node->in_flight, struct kl_request, link) != versions ||
	    kl_list_empty(&probe->link) || !probe->gone ||
	    !kl_frame_read_correlation(&reader, &id) || id != probe->correlation)
		return;
	kl_list_remove(&versions->link);
	node->in_flight_count--;
}
