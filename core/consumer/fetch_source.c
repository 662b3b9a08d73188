/* SPDX-License-Identifier: BSD-2-Clause */
/* Which broker a partition is read from: its leader, or the replica near the client that the
 * leader names (KIP-392). Such a replica is read from for metadata.max.age.ms; with any doubt
 * about it the leader is asked again, which may name another one. */
#include "core/consumer/fetch.h"

/* A replica that cannot be reached is named by its leader until that knows better, which takes
 * it replica.lag.time.max.ms, in Kafka 30 s. So long the leader is not told of client.rack. */
#define LEADER_ONLY (30 * (int64_t)KL_SECOND)

bool kl_fetch_unfollow(struct klamm_consumer *c, struct kl_cpart *part)
{
	if (part->replica < 0)
		return false;
	part->replica = -1;
	c->following--;
	kl_fetcher_touch(c, part);
	return true;
}

void kl_fetch_follow(struct klamm_consumer *c, struct kl_cpart *part, int32_t replica)
{
	if (kl_cluster_node(&c->cluster, replica) == NULL) {
		/* The leader would name it at once again. */
		kl_fetch_later(c, part);
		if (part->topic->info != NULL)
			kl_cluster_refresh(&c->cluster, part->topic->info);
		return;
	}
	kl_log(&c->log, KL_LOG_DEBUG, "consumer",
	       "topic %s partition %d is read from broker %d, which is nearer than its leader",
	       part->topic->name, part->partition, replica);
	kl_fetch_unfollow(c, part);
	part->replica = replica;
	part->replica_until = c->loop->now + c->settings->metadata_max_age_ms * KL_MS;
	c->following++;
}

void kl_fetch_lost(struct klamm_consumer *c, int32_t node)
{
	if (c->following == 0)
		return;
	kl_list_for(part, &c->parts, struct kl_cpart, link) {
		if (part->replica != node)
			continue;
		kl_fetch_unfollow(c, part);
		struct kl_fetch_session *leader = kl_fetch_session_of(c, part->leader);
		if (leader != NULL)
			leader->leader_only_until = c->loop->now + LEADER_ONLY;
	}
}

/* The replica that is read from; NULL = the leader is. */
static struct kl_node *followed(struct klamm_consumer *c, struct kl_cpart *part)
{
	if (part->replica < 0)
		return NULL;
	struct kl_node *node = kl_cluster_node(&c->cluster, part->replica);
	if (node == NULL)
		kl_cluster_refresh(&c->cluster, part->topic->info);
	if (node == NULL || part->replica_until <= c->loop->now)
		kl_fetch_unfollow(c, part);
	return part->replica >= 0 ? node : NULL;
}

struct kl_node *kl_fetch_source(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_topic_info *info = part->topic->info;
	if (info == NULL || !info->answered)
		return NULL;
	if (part->partition >= info->partition_count ||
	    info->partitions[part->partition].leader < 0) {
		kl_cluster_refresh(&c->cluster, info);
		return NULL;
	}
	const struct kl_partition_info *at = &info->partitions[part->partition];
	kl_position_new_topic(c, part);
	if (part->leader != at->leader || part->leader_epoch != at->leader_epoch) {
		kl_fetch_unfollow(c, part);
		kl_position_new_leader(part, at);
	}
	struct kl_node *node = followed(c, part);
	if (node == NULL)
		node = kl_cluster_node(&c->cluster, at->leader);
	if (node == NULL)
		kl_cluster_refresh(&c->cluster, info);
	return node;
}
