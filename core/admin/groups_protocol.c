/* SPDX-License-Identifier: BSD-2-Clause */
/* What members of classic groups say to each other, as far as it is to be shown. Other
 * programs wrote it: none of it is believed, and what cannot be read is left out. */
#include <stdlib.h>

#include "core/admin/groups.h"
#include "core/base/order.h"

/* --- partitions --- */

bool kl_group_parts_begin(struct kl_group_parts *parts, struct kl_arena *arena, size_t room)
{
	*parts = (struct kl_group_parts){
		.arena = arena, .list = kl_arena_array(arena, room, sizeof(*parts->list))};
	return parts->list != NULL;
}

bool kl_group_parts_add(struct kl_group_parts *parts, struct kl_str topic,
			const int32_t *partitions, int32_t count)
{
	const char *name = kl_group_text(parts->arena, topic);
	for (int32_t i = 0; name != NULL && i < count; i++)
		parts->list[parts->count++] =
			(struct klamm_topic_partition){name, partitions[i]};
	return name != NULL;
}

void kl_group_parts_end(struct kl_group_parts *parts)
{
	qsort(parts->list, parts->count, sizeof(*parts->list), kl_by_topic_partition);
}

/* --- what members tell each other --- */

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
	const struct kl_consumer_protocol_assignment_topic *topics = told->assigned_partitions;
	struct kl_group_parts parts;
	size_t n = 0;
	for (int32_t i = 0; i < told->assigned_partitions_n; i++)
		n += (size_t)kl_max(topics[i].partitions_n, 0);
	bool ok = kl_group_parts_begin(&parts, arena, n);
	for (int32_t i = 0; ok && i < told->assigned_partitions_n; i++)
		ok = kl_group_parts_add(&parts, topics[i].topic, topics[i].partitions,
					topics[i].partitions_n);
	if (!ok)
		return false;
	kl_group_parts_end(&parts);
	member->assignment = parts.list;
	member->assignment_count = parts.count;
	return true;
}
