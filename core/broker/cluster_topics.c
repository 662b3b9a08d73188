/* SPDX-License-Identifier: BSD-2-Clause */
/* The topics that a client wants: their partitions, and who leads those. */
#include <stdlib.h>

#include "core/broker/cluster_int.h"

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

static void free_topic(struct kl_cluster *cluster, struct kl_topic_info *topic)
{
	HASH_DEL(cluster->topics, topic);
	free(topic->partitions);
	kl_replicas_free(&topic->replicas);
	free(topic);
}

void kl_cluster_unwant(struct kl_cluster *cluster, struct kl_topic_info *topic)
{
	if (--topic->users > 0)
		return;
	kl_list_remove(&topic->wanted);
	free_topic(cluster, topic);
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

bool kl_cluster_take_topic(struct kl_cluster *cluster,
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
	return kl_cluster_take_broker(cluster, &told) &&
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

void kl_cluster_free_topics(struct kl_cluster *cluster)
{
	struct kl_topic_info *topic, *next;
	HASH_ITER(hh, cluster->topics, topic, next)
		free_topic(cluster, topic);
}
