/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking for metadata: when, whom, and what the answer changes. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/broker/cluster_int.h"

static int64_t now(const struct kl_cluster *cluster)
{
	return cluster->nodes.loop->now;
}

void kl_cluster_rebootstrap(struct kl_cluster *cluster, const char *why)
{
	kl_log(&cluster->nodes.log, KL_LOG_WARN, "metadata", "starting over from "
	       "bootstrap.servers: %s", why);
	kl_cluster_remove_brokers(cluster);
	cluster->brokers_known = false;
	cluster->all_wanted = true;
	cluster->trying_since = KL_NEVER;
}

static void back_off(struct kl_cluster *cluster)
{
	const struct kl_settings *s = cluster->settings;
	cluster->next_at =
		now(cluster) + kl_backoff(kl_cluster_os(cluster), s->retry_backoff_ms,
					  s->retry_backoff_max_ms, cluster->failures++);
}

static void failed(struct kl_cluster *cluster, const struct klamm_error *err)
{
	cluster->last_error = *err;
	back_off(cluster);
	if (cluster->asking_all)
		cluster->all_wanted = true;
	kl_cluster_schedule(cluster);
}

static void set_cluster_id(struct kl_cluster *cluster, struct kl_str id)
{
	if (id.len <= 0 || (cluster->cluster_id != NULL && kl_str_is(id, cluster->cluster_id)))
		return;
	char *copy = strndup(id.p, (size_t)id.len);
	if (copy == NULL)
		return;
	free(cluster->cluster_id);
	cluster->cluster_id = copy;
	cluster->nodes.cluster_id = copy;
}

/* The addresses that only served to find the cluster are not needed while it is known. */
static void leave_bootstrap(struct kl_cluster *cluster)
{
	for (size_t i = 0; i < cluster->bootstrap_count; i++) {
		struct kl_node *node = &cluster->bootstrap[i];
		if (kl_list_empty(&node->waiting) && kl_list_empty(&node->in_flight))
			kl_node_rest(node);
	}
}

/* false: out of memory. */
static bool take(struct kl_cluster *cluster, const struct kl_metadata_response *body,
		 bool *unsettled_out)
{
	bool ok = kl_cluster_take_brokers(cluster, body);
	set_cluster_id(cluster, body->cluster_id);
	cluster->controller_id = body->controller_id;
	for (int32_t i = 0; ok && i < body->topics_n; i++)
		ok = kl_cluster_take_topic(cluster, &body->topics[i], unsettled_out);
	return ok;
}

/* It was a good one: whoever waits is told. */
static void tell(struct kl_cluster *cluster, const struct kl_metadata_response *body)
{
	bool is_listing = cluster->asking_list && (cluster->lists || cluster->lists_once);
	if (is_listing && cluster->ops->listing != NULL) {
		cluster->lists_once = false;
		cluster->ops->listing(cluster, body);
	}
	cluster->brokers_known = true;
	cluster->updated_at = now(cluster);
	cluster->trying_since = KL_NEVER;
	if (cluster->asking_all)
		cluster->max_age_at =
			now(cluster) + cluster->settings->metadata_max_age_ms * KL_MS;
	leave_bootstrap(cluster);
	atomic_fetch_add(&cluster->answers, 1);
	if (cluster->told != NULL)
		kl_gate_wake(kl_cluster_os(cluster), cluster->told);
	if (cluster->ops->updated != NULL)
		cluster->ops->updated(cluster);
}

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_cluster *cluster = kl_container(request, struct kl_cluster, request);
	cluster->asking = false;
	if (response->code != 0) {
		failed(cluster, response->err);
		return;
	}
	const struct kl_metadata_response *body = response->body;
	struct klamm_error err;
	if (body->error_code == KLAMM_ERR_REBOOTSTRAP_REQUIRED) {
		kl_cluster_rebootstrap(cluster, "the broker asked for it");
		back_off(cluster);
		kl_cluster_schedule(cluster);
		return;
	}
	if (body->error_code != 0 || body->brokers_n <= 0) {
		int code = body->error_code != 0 ? body->error_code : KLAMM_ERR_NO_BROKER;
		kl_error(&err, code, "the answer to Metadata names no broker: %s",
			 klamm_err_text(code));
		failed(cluster, &err);
		return;
	}
	bool unsettled = false;
	if (!take(cluster, body, &unsettled)) {
		kl_error(&err, KLAMM_ERR_NO_MEMORY, "out of memory for metadata");
		failed(cluster, &err);
		return;
	}
	kl_error_clear(&cluster->refusal); /* whoever refused, this one does not */
	tell(cluster, body);
	if (unsettled) {
		kl_error(&err, KLAMM_ERR_LEADER_NOT_AVAILABLE,
			 "a topic has partitions without a leader, or does not exist yet");
		cluster->asking_all = false;
		failed(cluster, &err);
		return;
	}
	cluster->failures = 0;
	cluster->next_at = now(cluster) + cluster->settings->retry_backoff_ms * KL_MS;
	kl_error_clear(&cluster->last_error);
	kl_cluster_schedule(cluster);
}

/* With a name of its own: until the request is encoded nobody may want the topic any more. */
static bool add_topic(struct kl_cluster *cluster, struct kl_metadata_request *body,
		      const struct kl_topic_info *topic)
{
	const char *name = kl_arena_text(&cluster->arena, topic->name, strlen(topic->name));
	if (name == NULL)
		return false;
	body->topics[body->topics_n++].name = kl_str(name);
	return true;
}

static bool make_body(struct kl_cluster *cluster)
{
	kl_arena_free(&cluster->arena);
	struct kl_metadata_request *body = kl_arena_alloc(&cluster->arena, sizeof(*body));
	if (body == NULL)
		return false;
	kl_msg_init(&kl_msg_metadata_request, body);
	body->topics = kl_type_new(&kl_type_metadata_request_topic, &cluster->arena,
				   HASH_COUNT(cluster->topics));
	body->topics_n = 0;
	if (body->topics == NULL)
		return false;
	if (cluster->asking_list) {
		body->topics_n = -1; /* null: every topic */
	} else if (cluster->asking_all) {
		struct kl_topic_info *topic, *tmp;
		HASH_ITER(hh, cluster->topics, topic, tmp)
			if (!add_topic(cluster, body, topic))
				return false;
	} else {
		kl_list_for(topic, &cluster->wanted, struct kl_topic_info, wanted)
			if (!add_topic(cluster, body, topic))
				return false;
	}
	cluster->body = body;
	return true;
}

/* Brokers before 0.11 (version 4) go by their own auto.create.topics.enable alone. */
static const void *fit_body(struct kl_request *request, int version)
{
	struct kl_cluster *cluster = kl_container(request, struct kl_cluster, request);
	cluster->body->allow_auto_topic_creation =
		version < 4 || cluster->settings->allow_auto_create_topics;
	if (cluster->asking_list) /* which version 0 says with an empty list */
		cluster->body->topics_n = version > 0 ? -1 : 0;
	return cluster->body;
}

static void ask(struct kl_cluster *cluster, struct kl_node *node)
{
	cluster->asking_all = cluster->all_wanted || now(cluster) >= cluster->max_age_at;
	cluster->asking_list =
		cluster->asking_all && (cluster->lists || cluster->lists_once);
	struct klamm_error err;
	if (!make_body(cluster)) {
		kl_error(&err, KLAMM_ERR_NO_MEMORY, "out of memory for a Metadata request");
		failed(cluster, &err);
		return;
	}
	/* Topics stay in `wanted` until an answer names them. */
	cluster->all_wanted = false;
	cluster->asking = true;
	cluster->trying_since = kl_min(cluster->trying_since, now(cluster));
	cluster->request.api = KL_API_METADATA;
	cluster->request.max_version = -1;
	cluster->request.prepare = fit_body;
	/* Another broker may be quicker than one that throttles or does not let us in. */
	cluster->request.deadline =
		now(cluster) + (int64_t)cluster->settings->request_timeout_ms * KL_MS;
	cluster->request.done = on_answer;
	kl_node_request(node, &cluster->request);
}

void kl_cluster_schedule(struct kl_cluster *cluster)
{
	if (cluster->asking || cluster->stopped)
		return;
	const struct kl_settings *s = cluster->settings;
	bool missing = cluster->all_wanted || !kl_list_empty(&cluster->wanted);
	int64_t due = missing ? cluster->next_at
			      : kl_max(cluster->next_at, cluster->max_age_at);
	if (!missing) /* what was missing is not wanted any more */
		cluster->trying_since = KL_NEVER;
	if (due > now(cluster)) {
		kl_timer_set(cluster->nodes.loop, &cluster->timer, due);
		return;
	}
	if (cluster->brokers_known &&
	    s->metadata_recovery_strategy == KL_RECOVERY_REBOOTSTRAP &&
	    cluster->trying_since != KL_NEVER &&
	    now(cluster) - cluster->trying_since >=
		    s->metadata_recovery_rebootstrap_trigger_ms * KL_MS)
		kl_cluster_rebootstrap(cluster, "no broker gave metadata for too long");
	struct kl_node *node = kl_cluster_any_node(cluster);
	if (node != NULL) {
		kl_timer_stop(cluster->nodes.loop, &cluster->timer);
		ask(cluster, node);
		return;
	}
	/* Every address is in its backoff, which is at least this long. */
	kl_timer_set(cluster->nodes.loop, &cluster->timer,
		     now(cluster) + kl_max(s->reconnect_backoff_ms, (int64_t)1) * KL_MS / 2);
}

