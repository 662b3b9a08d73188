/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of a cluster: cluster.c is its life and what calls are told that waited in
 * vain, cluster_brokers.c has the brokers, cluster_topics.c the topics, and cluster_ask.c asks
 * for metadata. Loop only. */
#ifndef KL_CLUSTER_INT_H
#define KL_CLUSTER_INT_H

#include "core/broker/cluster.h"
#include "core/proto/gen/messages.h"

static inline struct kl_os *kl_cluster_os(const struct kl_cluster *cluster)
{
	return cluster->nodes.loop->os;
}

/* --- cluster_brokers.c --- */
/* What an answer says of the brokers; those that it does not name go. false: out of memory. */
bool kl_cluster_take_brokers(struct kl_cluster *cluster,
			     const struct kl_metadata_response *body);
/* One of them. It stays until an answer to Metadata does not name it. */
bool kl_cluster_take_broker(struct kl_cluster *cluster,
			    const struct kl_metadata_response_broker *told);
void kl_cluster_remove_brokers(struct kl_cluster *cluster);
/* bury_task: frees what was removed. */
void kl_cluster_bury(struct kl_task *task);

/* --- cluster_topics.c --- */
/* What an answer says of a topic. false: out of memory. *unsettled_out is set when it has to
 * be asked for again. */
bool kl_cluster_take_topic(struct kl_cluster *cluster,
			   const struct kl_metadata_response_topic *told, bool *unsettled_out);
void kl_cluster_free_topics(struct kl_cluster *cluster);

/* --- cluster_ask.c --- */
/* Ask now, or set the timer for when that makes sense. */
void kl_cluster_schedule(struct kl_cluster *cluster);
/* KIP-1102: what is known leads nowhere; forget it and start from bootstrap.servers. */
void kl_cluster_rebootstrap(struct kl_cluster *cluster, const char *why);

#endif
