/* SPDX-License-Identifier: BSD-2-Clause */
/* What members of classic groups say to each other, as far as it is to be shown. Other
 * programs wrote it: none of it is believed, and what cannot be read is left out. */
#include <stdlib.h>

#include "core/admin/groups.h"
#include "core/base/order.h"

/* A version comes before; one that nobody knows yet reads like the newest known. */
static void *decode(const struct kl_msg *msg, struct kl_bytes bytes, struct kl_arena *arena)
{
	struct kl_reader reader = kl_reader(bytes.p, (size_t)kl_max(bytes.len, 0));
	int version = kl_read_i16(&reader);
	void *obj;
	if (reader.failed || version < 0 ||
	    kl_msg_decode(msg, kl_min(version, (int)msg->max), &reader, arena, &obj,
			  NULL) != 0)
		return NULL;
	return obj;
}

bool kl_group_subscription(struct kl_arena *arena, struct kl_bytes metadata,
			   struct klamm_group_member *member)
{
	KL_AUTO(kl_arena_free) struct kl_arena decoded = {0};
	const struct kl_consumer_protocol_subscription *told =
		decode(&kl_msg_consumer_protocol_subscription, metadata, &decoded);
	if (told == NULL)
		return false;
	size_t n = (size_t)kl_max(told->topics_n, 0);
	const char **topics = kl_arena_array(arena, n, sizeof(*topics));
	bool ok = topics != NULL && kl_group_copy(arena, told->rack_id, &member->rack);
	for (size_t i = 0; ok && i < n; i++)
		ok = (topics[i] = kl_group_text(arena, told->topics[i])) != NULL;
	if (!ok)
		return false;
	qsort(topics, n, sizeof(*topics), kl_by_text);
	member->topics = topics;
	member->topic_count = n;
	return true;
}

bool kl_group_assignment(struct kl_arena *arena, struct kl_bytes bytes,
			 struct klamm_group_member *member)
{
	KL_AUTO(kl_arena_free) struct kl_arena decoded = {0};
	const struct kl_consumer_protocol_assignment *told =
		decode(&kl_msg_consumer_protocol_assignment, bytes, &decoded);
	if (told == NULL)
		return false;
	size_t n = 0;
	for (int32_t i = 0; i < told->assigned_partitions_n; i++)
		n += (size_t)kl_max(told->assigned_partitions[i].partitions_n, 0);
	struct klamm_topic_partition *all = kl_arena_array(arena, n, sizeof(*all));
	n = 0;
	for (int32_t i = 0; all != NULL && i < told->assigned_partitions_n; i++) {
		const struct kl_consumer_protocol_assignment_topic *topic =
			&told->assigned_partitions[i];
		const char *name = kl_group_text(arena, topic->topic);
		if (name == NULL)
			return false;
		for (int32_t j = 0; j < topic->partitions_n; j++)
			all[n++] =
				(struct klamm_topic_partition){name, topic->partitions[j]};
	}
	if (all == NULL)
		return false;
	qsort(all, n, sizeof(*all), kl_by_topic_partition);
	member->assignment = all;
	member->assignment_count = n;
	return true;
}
