/* SPDX-License-Identifier: BSD-2-Clause */
/* The brokers of a cluster: who they are, and which one to ask. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/cluster_int.h"

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

void kl_cluster_bury(struct kl_task *task)
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
bool kl_cluster_take_broker(struct kl_cluster *cluster,
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

bool kl_cluster_take_brokers(struct kl_cluster *cluster,
			     const struct kl_metadata_response *body)
{
	struct kl_broker *broker, *tmp;
	HASH_ITER(hh, cluster->brokers, broker, tmp)
		broker->listed = false;
	for (int32_t i = 0; i < body->brokers_n; i++)
		if (!kl_cluster_take_broker(cluster, &body->brokers[i]))
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
	unsigned skip = (unsigned)kl_os_random_below(kl_cluster_os(cluster), count);
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
	size_t skip = kl_os_random_below(kl_cluster_os(cluster), cluster->bootstrap_count);
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

void kl_cluster_remove_brokers(struct kl_cluster *cluster)
{
	struct kl_broker *broker, *tmp;
	HASH_ITER(hh, cluster->brokers, broker, tmp)
		remove_broker(cluster, broker);
}
