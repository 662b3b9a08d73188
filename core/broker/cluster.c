/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/cluster_int.h"
#include "core/os/secret.h"

static void on_timer(struct kl_timer *timer)
{
	kl_cluster_schedule(kl_container(timer, struct kl_cluster, timer));
}

static void on_task(struct kl_task *task)
{
	kl_cluster_schedule(kl_container(task, struct kl_cluster, task));
}

static void node_changed(struct kl_nodes *nodes, struct kl_node *node,
			 const struct klamm_error *err)
{
	struct kl_cluster *cluster = kl_container(nodes, struct kl_cluster, nodes);
	if (err != NULL) {
		cluster->last_error = *err;
		if (kl_auth_is_refusal(err)) {
			cluster->refusal = *err;
			atomic_fetch_add(&cluster->refusals, 1);
		}
		/* KIP-1242: this is not the broker that we were told of. */
		if (err->code == KLAMM_ERR_REBOOTSTRAP_REQUIRED)
			kl_cluster_rebootstrap(
				cluster, "a broker is not the one that metadata named");
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
	struct kl_proxy_url *url = kl_secret_alloc(sizeof(*url));
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
		.bury_task = {.fn = kl_cluster_bury},
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
	kl_cluster_remove_brokers(cluster);
	kl_cluster_bury(&cluster->bury_task);
	for (size_t i = 0; i < cluster->bootstrap_count; i++)
		kl_node_free(&cluster->bootstrap[i], &closed);
	free(cluster->bootstrap);
	kl_cluster_free_topics(cluster);
	kl_timer_drop(loop, &cluster->timer);
	kl_loop_unpost(loop, &cluster->task);
	kl_loop_unpost(loop, &cluster->bury_task);
	kl_request_free(&cluster->request);
	kl_arena_free(&cluster->arena);
	kl_tls_free(cluster->nodes.tls);
	kl_secret_free(cluster->nodes.proxy);
	free(cluster->cluster_id);
}
