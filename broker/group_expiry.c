/* SPDX-License-Identifier: BSD-2-Clause */
/* What is forgotten of groups: old commits (KIP-211), those for topics that are gone, and
 * groups that have nothing left. */
#include "broker/coordinators.h"
#include "broker/offsets.h"

/* A round through all groups: a batch of tombstones for each. */
struct sweep {
	struct klamm_broker *broker;
	struct kl_str topic; /* len < 0: what is old */
	int64_t now_ms;
};

static bool is_old(const struct sweep *s, const struct kl_dev_offset *offset)
{
	const struct kl_dev_group *group = offset->group;
	int64_t since = group->type->idle_since(group, &offset->value);
	if (offset->pending > 0 || since == INT64_MAX ||
	    group->type->subscribes(group, kl_dev_offset_topic(offset)))
		return false;
	if (offset->value.expires_ms >= 0)
		return s->now_ms >= offset->value.expires_ms;
	return s->now_ms - since >= (int64_t)s->broker->limits.offsets_minutes * 60000;
}

static bool goes(const struct sweep *s, const struct kl_dev_offset *offset)
{
	return s->topic.len < 0 ? is_old(s, offset)
				: kl_str_equal(s->topic, kl_dev_offset_topic(offset));
}

/* A group that nobody is in goes with its last offset, or when it has none. */
static void sweep_group(const struct sweep *s, struct kl_dev_group *group)
{
	struct kl_dev_partition *home = kl_dev_group_home(group);
	struct kl_dev_offset *offset, *next;
	struct kl_dev_batch batch;
	if (home == NULL)
		return;
	bool stays = s->topic.len >= 0 || !group->type->is_empty(group);
	kl_dev_batch_begin(&batch, s->now_ms);
	HASH_ITER(hh, group->offsets, offset, next)
	{
		if (goes(s, offset))
			kl_dev_offsets_put(&batch, kl_dev_group_id(group),
					   kl_dev_offset_topic(offset), offset->key.index,
					   NULL);
		else
			stays = true;
	}
	if (!stays)
		group->type->put_tombstones(group, &batch);
	kl_dev_group_append(s->broker, home, &batch, -1, -1); /* or else the next time */
	kl_dev_batch_free(&batch);
}

static void sweep_all(struct klamm_broker *broker, struct kl_str topic)
{
	struct sweep s = {broker, topic, broker->loop->os->wall_ms(broker->loop->os)};
	struct kl_dev_group *group, *next;
	/* What is read again while this goes on must not be what it goes through. */
	struct kl_dev_topic *home = kl_dev_topic_named(broker, KL_STR("__consumer_offsets"));
	for (int32_t i = 0; home != NULL && i < home->partition_count; i++)
		if (kl_dev_partition_mend(home->partitions[i]) != 0)
			return;
	HASH_ITER(hh, broker->groups.by_id, group, next)
	{
		sweep_group(&s, group);
	}
}

void kl_dev_groups_expire(struct klamm_broker *broker)
{
	sweep_all(broker, KL_STR_NULL);
}

void kl_dev_groups_forget_topic(struct klamm_broker *broker, struct kl_str topic)
{
	sweep_all(broker, topic);
}
