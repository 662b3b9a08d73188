/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/cluster.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/proto/gen/messages.h"

static void schedule(struct kl_cluster *cluster);

static int64_t now(const struct kl_cluster *cluster)
{
	return cluster->nodes.loop->now;
}

static struct kl_os *os_of(const struct kl_cluster *cluster)
{
	return cluster->nodes.loop->os;
}

static struct kl_cluster *cluster_of(struct kl_nodes *nodes)
{
	return kl_container(nodes, struct kl_cluster, nodes);
}

/* --- brokers --- */

struct kl_node *kl_cluster_node(struct kl_cluster *cluster, int32_t id)
{
	struct kl_broker *broker = NULL;
	HASH_FIND_INT(cluster->brokers, &id, broker);
	return broker != NULL ? &broker->node : NULL;
}

const char *kl_cluster_rack(struct kl_cluster *cluster, int32_t id)
{
	struct kl_broker *broker = NULL;
	HASH_FIND_INT(cluster->brokers, &id, broker);
	return broker != NULL ? broker->rack : NULL;
}

struct kl_node *kl_cluster_controller(struct kl_cluster *cluster)
{
	return kl_cluster_node(cluster, cluster->controller_id);
}

/* Buried from the mailbox: a broker may not go while one of its requests is ending. */
static void remove_broker(struct kl_cluster *cluster, struct kl_broker *broker)
{
	HASH_DEL(cluster->brokers, broker);
	kl_list_push(&cluster->going, &broker->going);
	kl_loop_post(cluster->nodes.loop, &cluster->bury_task);
}

static void bury(struct kl_task *task)
{
	struct kl_cluster *cluster = kl_container(task, struct kl_cluster, bury_task);
	struct kl_list *link;
	struct klamm_error why;
	if (cluster->stopped)
		kl_error(&why, KLAMM_ERR_CLOSED, "the client was closed");
	else /* what it was asked goes elsewhere */
		kl_error(&why, KLAMM_ERR_DISCONNECTED,
			 "the broker has left the cluster or moved to another address");
	while ((link = kl_list_pop(&cluster->going)) != NULL) {
		struct kl_broker *broker = kl_list_entry(link, struct kl_broker, going);
		kl_node_free(&broker->node, &why);
		free(broker->rack);
		free(broker);
	}
}

static struct kl_broker *add_broker(struct kl_cluster *cluster, int32_t id, const char *host,
				    uint16_t port)
{
	struct kl_broker *broker = calloc(1, sizeof(*broker));
	if (broker == NULL)
		return NULL;
	kl_list_init(&broker->going);
	if (kl_node_init(&broker->node, &cluster->nodes, id, host, port, NULL) != 0) {
		free(broker);
		return NULL;
	}
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, cluster->brokers, node.id, sizeof(int32_t), broker);
	if (!added) {
		struct klamm_error why;
		kl_error(&why, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
		kl_node_free(&broker->node, &why);
		free(broker);
		return NULL;
	}
	return broker;
}

/* A broker that moved to another address is another broker. */
static bool update_broker(struct kl_cluster *cluster,
			  const struct kl_metadata_response_broker *told)
{
	if (told->node_id < 0 || told->host.len <= 0 || told->port <= 0 || told->port > 65535)
		return true; /* nothing to connect to */
	char *host = strndup(told->host.p, (size_t)told->host.len);
	if (host == NULL)
		return false;
	struct kl_broker *broker = NULL;
	HASH_FIND_INT(cluster->brokers, &told->node_id, broker);
	if (broker != NULL && (strcmp(broker->node.host, host) != 0 ||
			       broker->node.port != (uint16_t)told->port)) {
		remove_broker(cluster, broker);
		broker = NULL;
	}
	if (broker == NULL)
		broker = add_broker(cluster, told->node_id, host, (uint16_t)told->port);
	free(host);
	if (broker == NULL)
		return false;
	broker->listed = true;
	free(broker->rack);
	broker->rack = told->rack.len > 0 ? strndup(told->rack.p, (size_t)told->rack.len)
					  : NULL;
	return true;
}

static bool update_brokers(struct kl_cluster *cluster, const struct kl_metadata_response *body)
{
	struct kl_broker *broker, *tmp;
	HASH_ITER(hh, cluster->brokers, broker, tmp)
		broker->listed = false;
	for (int32_t i = 0; i < body->brokers_n; i++)
		if (!update_broker(cluster, &body->brokers[i]))
			return false;
	HASH_ITER(hh, cluster->brokers, broker, tmp)
		if (!broker->listed)
			remove_broker(cluster, broker);
	return true;
}

/* The smaller the better: ready ones first; then those on their way and those that may be
 * tried, where nothing went wrong; last those that failed before. */
static unsigned rank(const struct kl_node *node)
{
	if (kl_node_is_ready(node))
		return 0;
	bool coming = node->state != KL_NODE_IDLE;
	return (node->failures > 0 ? 3 : 1) + (coming ? 0 : 1);
}

static struct kl_node *better(struct kl_node *best, struct kl_node *node)
{
	if (!kl_node_may_connect(node))
		return best;
	if (best == NULL)
		return node;
	if (rank(node) != rank(best))
		return rank(node) < rank(best) ? node : best;
	if (rank(node) == 0)
		return node->in_flight_count < best->in_flight_count ? node : best;
	return node->failures < best->failures ? node : best;
}

static struct kl_node *best_broker(struct kl_cluster *cluster)
{
	struct kl_node *best = NULL;
	unsigned count = HASH_COUNT(cluster->brokers);
	if (count == 0)
		return NULL;
	/* From a random place on, so that equals share the work. */
	unsigned skip = (unsigned)kl_os_random_below(os_of(cluster), count);
	for (int pass = 0; pass < 2; pass++) {
		unsigned i = 0;
		struct kl_broker *broker, *tmp;
		HASH_ITER(hh, cluster->brokers, broker, tmp) {
			if ((i++ >= skip) == (pass == 0))
				best = better(best, &broker->node);
		}
	}
	return best;
}

struct kl_node *kl_cluster_any_node(struct kl_cluster *cluster)
{
	struct kl_node *best = best_broker(cluster);
	/* KIP-899: no known broker seems to be of use, so begin at the beginning. */
	bool bootstrap = !cluster->brokers_known ||
			 cluster->settings->metadata_recovery_strategy ==
				 KL_RECOVERY_REBOOTSTRAP;
	if (!bootstrap || cluster->bootstrap_count == 0 || (best != NULL && rank(best) < 3))
		return best;
	size_t skip = kl_os_random_below(os_of(cluster), cluster->bootstrap_count);
	for (size_t i = 0; i < cluster->bootstrap_count; i++)
		best = better(best,
			      &cluster->bootstrap[(i + skip) % cluster->bootstrap_count]);
	return best;
}

unsigned kl_cluster_in_flight(const struct kl_cluster *cluster)
{
	unsigned count = 0;
	for (size_t i = 0; i < cluster->bootstrap_count; i++)
		count += cluster->bootstrap[i].in_flight_count;
	struct kl_broker *broker, *tmp;
	HASH_ITER(hh, cluster->brokers, broker, tmp)
		count += broker->node.in_flight_count;
	return count;
}

/* KIP-1102: what is known leads nowhere; forget it and start from bootstrap.servers. */
static void rebootstrap(struct kl_cluster *cluster, const char *why)
{
	kl_log(&cluster->nodes.log, KL_LOG_WARN, "metadata", "starting over from "
	       "bootstrap.servers: %s", why);
	struct kl_broker *broker, *tmp;
	HASH_ITER(hh, cluster->brokers, broker, tmp)
		remove_broker(cluster, broker);
	cluster->brokers_known = false;
	cluster->all_wanted = true;
	cluster->trying_since = KL_NEVER;
}

/* --- topics --- */

struct kl_topic_info *kl_cluster_want(struct kl_cluster *cluster, const char *name)
{
	struct kl_topic_info *topic = NULL;
	HASH_FIND_STR(cluster->topics, name, topic);
	if (topic == NULL) {
		size_t len = strlen(name);
		topic = calloc(1, sizeof(*topic) + len + 1);
		if (topic == NULL)
			return NULL;
		memcpy(topic->name, name, len + 1);
		topic->error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		kl_list_init(&topic->wanted);
		bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
		HASH_ADD_STR(cluster->topics, name, topic);
		if (!added) {
			free(topic);
			return NULL;
		}
	}
	topic->users++;
	if (!topic->answered)
		kl_cluster_refresh(cluster, topic);
	return topic;
}

void kl_cluster_unwant(struct kl_cluster *cluster, struct kl_topic_info *topic)
{
	if (--topic->users > 0)
		return;
	HASH_DEL(cluster->topics, topic);
	kl_list_remove(&topic->wanted);
	free(topic->partitions);
	kl_replicas_free(&topic->replicas);
	free(topic);
}

void kl_cluster_refresh(struct kl_cluster *cluster, struct kl_topic_info *topic)
{
	if (topic == NULL)
		cluster->all_wanted = true;
	else if (kl_list_empty(&topic->wanted))
		kl_list_push(&cluster->wanted, &topic->wanted);
	kl_loop_post(cluster->nodes.loop, &cluster->task);
}

void kl_cluster_list(struct kl_cluster *cluster, bool lists)
{
	cluster->lists = lists;
	if (lists)
		kl_cluster_refresh(cluster, NULL);
}

void kl_cluster_list_once(struct kl_cluster *cluster, bool lists)
{
	cluster->lists_once = lists;
	if (lists)
		kl_cluster_refresh(cluster, NULL);
}

static bool reserve_partitions(struct kl_topic_info *topic, int32_t count)
{
	if (count <= topic->partition_cap)
		return true;
	struct kl_partition_info *partitions =
		reallocarray(topic->partitions, (size_t)count, sizeof(*partitions));
	if (partitions == NULL)
		return false;
	topic->partitions = partitions;
	topic->partition_cap = count;
	return true;
}

/* KIP-320: what an older epoch says about the leader is old news. */
static void update_partition(struct kl_partition_info *known,
			     const struct kl_metadata_response_partition *told)
{
	if (told->leader_epoch >= 0 && told->leader_epoch < known->leader_epoch)
		return;
	known->leader = told->leader_id;
	known->leader_epoch = told->leader_epoch;
	known->error = told->error_code;
	/* Some replicas may be down while the leader serves. */
	if (known->error == KLAMM_ERR_REPLICA_NOT_AVAILABLE && told->leader_id >= 0)
		known->error = 0;
	if (known->error == 0 && told->leader_id < 0)
		known->error = KLAMM_ERR_LEADER_NOT_AVAILABLE;
}

/* false: out of memory. */
static bool update_partitions(struct kl_topic_info *topic,
			      const struct kl_metadata_response_topic *told)
{
	/* A topic that was deleted and made again may have fewer. An answer of an old version
	 * has no id, which says nothing. */
	bool new_id = !kl_uuid_is_zero(&told->topic_id) &&
		      !kl_uuid_equal(&topic->id, &told->topic_id);
	if (new_id && !kl_uuid_is_zero(&topic->id))
		topic->partition_count = 0;
	int32_t told_n = kl_max(told->partitions_n, 0), last = topic->partition_count - 1;
	for (int32_t i = 0; i < told->partitions_n; i++)
		last = kl_max(last, told->partitions[i].partition_index);
	/* Indexes are dense; a gap could only be the peer's, and would cost memory. */
	int32_t count = kl_min(last, topic->partition_count + told_n - 1) + 1;
	if (!reserve_partitions(topic, count))
		return false;
	for (int32_t i = topic->partition_count; i < count; i++)
		topic->partitions[i] =
			(struct kl_partition_info){.leader = -1,
						   .leader_epoch = -1,
						   .error = KLAMM_ERR_LEADER_NOT_AVAILABLE};
	topic->partition_count = count;
	for (int32_t i = 0; i < told->partitions_n; i++) {
		int32_t index = told->partitions[i].partition_index;
		if (index >= 0 && index < count)
			update_partition(&topic->partitions[index], &told->partitions[i]);
	}
	if (new_id)
		topic->id = told->topic_id;
	return true;
}

/* Is another answer needed soon? */
static bool is_unsettled(const struct kl_topic_info *topic)
{
	if (topic->error != 0)
		return klamm_err_retriable(topic->error);
	for (int32_t i = 0; i < topic->partition_count; i++)
		if (topic->partitions[i].error != 0)
			return true;
	return false;
}

/* false: out of memory. *unsettled_out is set when the topic has to be asked for again. */
static bool update_topic(struct kl_cluster *cluster,
			 const struct kl_metadata_response_topic *told, bool *unsettled_out)
{
	struct kl_topic_info *topic = NULL;
	if (told->name.len <= 0)
		return true;
	HASH_FIND(hh, cluster->topics, told->name.p, (unsigned)told->name.len, topic);
	if (topic == NULL)
		return true; /* nobody wants it any more, or it was not asked for */
	topic->error = told->error_code;
	topic->internal = told->is_internal;
	if (told->error_code == 0 && !update_partitions(topic, told))
		return false;
	if (told->error_code == 0 && cluster->replicas_wanted &&
	    !kl_replicas_read(&topic->replicas, told, topic->partition_count))
		return false;
	topic->answered = true;
	kl_list_remove(&topic->wanted);
	if (is_unsettled(topic)) {
		kl_list_push(&cluster->wanted, &topic->wanted);
		*unsettled_out = true;
	}
	if (cluster->ops->topic != NULL)
		cluster->ops->topic(cluster, topic);
	return true;
}

/* Until the next answer to Metadata, which names it or not. */
static bool learn_broker(struct kl_cluster *cluster, const struct kl_leader_hint *hint)
{
	const struct kl_metadata_response_broker told = {.node_id = hint->leader,
							 .host = hint->host,
							 .port = hint->port,
							 .rack = hint->rack};
	return update_broker(cluster, &told) &&
	       kl_cluster_node(cluster, hint->leader) != NULL;
}

bool kl_cluster_leader_hint(struct kl_cluster *cluster, struct kl_topic_info *topic,
			    int32_t partition, const struct kl_leader_hint *hint)
{
	if (hint->leader < 0 || partition < 0 || partition >= topic->partition_count)
		return false;
	struct kl_partition_info *known = &topic->partitions[partition];
	if (hint->epoch <= known->leader_epoch)
		return false;
	if (kl_cluster_node(cluster, hint->leader) == NULL && !learn_broker(cluster, hint))
		return false;
	*known = (struct kl_partition_info){.leader = hint->leader,
					    .leader_epoch = hint->epoch};
	return true;
}

/* --- asking --- */

static void back_off(struct kl_cluster *cluster)
{
	cluster->next_at = now(cluster) + kl_backoff(os_of(cluster),
						     cluster->settings->retry_backoff_ms,
						     cluster->settings->retry_backoff_max_ms,
						     cluster->failures);
	cluster->failures++;
}

static void failed(struct kl_cluster *cluster, const struct klamm_error *err)
{
	cluster->last_error = *err;
	back_off(cluster);
	if (cluster->asking_all)
		cluster->all_wanted = true;
	schedule(cluster);
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
		rebootstrap(cluster, "the broker asked for it");
		back_off(cluster);
		schedule(cluster);
		return;
	}
	if (body->error_code != 0 || body->brokers_n <= 0) {
		int code = body->error_code != 0 ? body->error_code : KLAMM_ERR_NO_BROKER;
		kl_error(&err, code, "the answer to Metadata names no broker: %s",
			 klamm_err_text(code));
		failed(cluster, &err);
		return;
	}
	bool unsettled = false, ok = update_brokers(cluster, body);
	set_cluster_id(cluster, body->cluster_id);
	cluster->controller_id = body->controller_id;
	for (int32_t i = 0; ok && i < body->topics_n; i++)
		ok = update_topic(cluster, &body->topics[i], &unsettled);
	if (!ok) {
		kl_error(&err, KLAMM_ERR_NO_MEMORY, "out of memory for metadata");
		failed(cluster, &err);
		return;
	}
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
	if (cluster->ops->updated != NULL)
		cluster->ops->updated(cluster);
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
	kl_error_clear(&cluster->refusal);
	schedule(cluster);
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

/* Ask now, or set the timer for when that makes sense. */
static void schedule(struct kl_cluster *cluster)
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
		rebootstrap(cluster, "no broker gave metadata for too long");
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

static void on_timer(struct kl_timer *timer)
{
	schedule(kl_container(timer, struct kl_cluster, timer));
}

static void on_task(struct kl_task *task)
{
	schedule(kl_container(task, struct kl_cluster, task));
}

static void node_changed(struct kl_nodes *nodes, struct kl_node *node,
			 const struct klamm_error *err)
{
	struct kl_cluster *cluster = cluster_of(nodes);
	if (err != NULL) {
		cluster->last_error = *err;
		if (kl_auth_is_refusal(err)) {
			cluster->refusal = *err;
			atomic_fetch_add(&cluster->refusals, 1);
		}
		/* KIP-1242: this is not the broker that we were told of. */
		if (err->code == KLAMM_ERR_REBOOTSTRAP_REQUIRED)
			rebootstrap(cluster, "a broker is not the one that metadata named");
		/* Its partitions may have other leaders by now. */
		if (node->id >= 0)
			kl_cluster_refresh(cluster, NULL);
	}
	if (node->changed != NULL)
		node->changed(node, err);
	else if (cluster->ops->node != NULL)
		cluster->ops->node(cluster, node, err);
}

/* Nothing has failed: whoever is being waited for. */
static int still_waiting(const struct kl_cluster *cluster, struct klamm_error *err,
			 const char *what)
{
	const struct kl_node *node = NULL;
	const char *doing = NULL;
	int32_t stage = KLAMM_STAGE_LOCAL;
	for (size_t i = 0; doing == NULL && i < cluster->bootstrap_count; i++) {
		node = &cluster->bootstrap[i];
		doing = kl_node_doing(node, &stage);
	}
	for (struct kl_broker *b = cluster->brokers; doing == NULL && b != NULL;
	     b = b->hh.next) {
		node = &b->node;
		doing = kl_node_doing(node, &stage);
	}
	if (doing == NULL)
		return kl_error(err, KLAMM_ERR_TIMED_OUT, "%s: timed out", what);
	kl_error(err, KLAMM_ERR_TIMED_OUT, "%s: timed out; %s: %s", what, node->where, doing);
	if (err != NULL) {
		err->stage = stage;
		err->node = node->id;
	}
	return KLAMM_ERR_TIMED_OUT;
}

int kl_cluster_timed_out(const struct kl_cluster *cluster, struct klamm_error *err,
			 const char *what)
{
	const struct klamm_error *last = &cluster->last_error;
	if (cluster->refusal.code != 0)
		return kl_error_copy(err, &cluster->refusal);
	if (last->code == 0)
		return still_waiting(cluster, err, what);
	int32_t stage = last->stage, node = last->node;
	kl_error(err, KLAMM_ERR_TIMED_OUT, "%s: timed out; last error: %s", what, last->text);
	if (err != NULL) {
		err->stage = stage;
		err->node = node;
	}
	return KLAMM_ERR_TIMED_OUT;
}

struct why {
	const struct kl_cluster *cluster;
	struct klamm_error *err;
	const char *what;
};

static void tell_why(void *arg)
{
	const struct why *why = arg;
	kl_cluster_timed_out(why->cluster, why->err, why->what);
}

int kl_cluster_ask_why(struct kl_cluster *cluster, struct klamm_error *err, const char *what)
{
	struct klamm_error last;
	struct why why = {cluster, &last, what};
	kl_loop_call(cluster->nodes.loop, tell_why, &why);
	return kl_error_copy(err, &last);
}

static int find_proxy(struct kl_cluster *cluster, struct klamm_error *err)
{
	const char *text = cluster->settings->klamm_proxy_url;
	if (text == NULL || *text == '\0')
		return 0;
	struct kl_proxy_url *url = malloc(sizeof(*url));
	cluster->nodes.proxy = url;
	if (url == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a client");
	kl_proxy_url_parse(text, url, NULL); /* it was checked when it was set */
	return 0;
}

int kl_cluster_init(struct kl_cluster *cluster, struct klamm_loop *loop,
		    const struct kl_settings *settings, const struct kl_log *log,
		    struct kl_slab_pool *slabs, const struct kl_cluster_ops *ops,
		    struct klamm_error *err)
{
	*cluster = (struct kl_cluster){
		.nodes = {.loop = loop,
			  .settings = settings,
			  .slabs = slabs,
			  .features_epoch = -1,
			  .changed = node_changed},
		.ops = ops,
		.settings = settings,
		.controller_id = -1,
		.all_wanted = true,
		.task = {.fn = on_task},
		.bury_task = {.fn = bury},
		.trying_since = KL_NEVER,
		.updated_at = loop->now,
	};
	if (log != NULL)
		cluster->nodes.log = *log;
	kl_list_init(&cluster->wanted);
	kl_list_init(&cluster->going);
	cluster->bootstrap = calloc(settings->bootstrap_servers.n, sizeof(struct kl_node));
	if (cluster->bootstrap == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a client");
	int rc = kl_timer_init(loop, &cluster->timer, on_timer, err);
	if (rc == 0)
		rc = find_proxy(cluster, err);
	for (size_t i = 0; rc == 0 && i < settings->bootstrap_servers.n; i++) {
		const struct kl_endpoint *server = &settings->bootstrap_servers.v[i];
		rc = kl_node_init(&cluster->bootstrap[i], &cluster->nodes, -1, server->host,
				  server->port, err);
		if (rc == 0) {
			cluster->bootstrap[i].peer_id = -1 - (int32_t)i;
			cluster->bootstrap_count++;
		}
	}
	if (rc != 0) {
		kl_cluster_free(cluster);
		return rc;
	}
	return 0;
}

void kl_cluster_free(struct kl_cluster *cluster)
{
	struct klamm_loop *loop = cluster->nodes.loop;
	struct klamm_error closed;
	kl_error(&closed, KLAMM_ERR_CLOSED, "the client was closed");
	cluster->nodes.changed = NULL;
	cluster->stopped = true;
	struct kl_broker *broker, *tmp;
	HASH_ITER(hh, cluster->brokers, broker, tmp)
		remove_broker(cluster, broker);
	bury(&cluster->bury_task);
	for (size_t i = 0; i < cluster->bootstrap_count; i++)
		kl_node_free(&cluster->bootstrap[i], &closed);
	free(cluster->bootstrap);
	struct kl_topic_info *topic, *next;
	HASH_ITER(hh, cluster->topics, topic, next) {
		HASH_DEL(cluster->topics, topic);
		free(topic->partitions);
		kl_replicas_free(&topic->replicas);
		free(topic);
	}
	kl_timer_drop(loop, &cluster->timer);
	kl_loop_unpost(loop, &cluster->task);
	kl_loop_unpost(loop, &cluster->bury_task);
	kl_request_free(&cluster->request);
	kl_arena_free(&cluster->arena);
	kl_tls_free(cluster->nodes.tls);
	if (cluster->nodes.proxy != NULL)
		explicit_bzero(cluster->nodes.proxy, sizeof(*cluster->nodes.proxy));
	free(cluster->nodes.proxy);
	free(cluster->cluster_id);
}
