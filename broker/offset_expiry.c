/* SPDX-License-Identifier: BSD-2-Clause */
/* Commits that are forgotten: old ones, and those for topics that are gone. */
#include "broker/coordinators.h"
#include "broker/offsets.h"

/* A batch of one home partition on its way. */
struct sweep {
	struct klamm_broker *broker;
	struct kl_str topic; /* len < 0: what is old */
	int64_t now_ms;
};

static bool is_old(const struct sweep *s, const struct kl_dev_offset *offset)
{
	const struct kl_dev_offset_value *value = &offset->value;
	if (offset->pending > 0)
		return false;
	if (value->expires_ms >= 0)
		return s->now_ms >= value->expires_ms;
	return s->now_ms - value->committed_ms >=
	       (int64_t)s->broker->limits.offsets_minutes * 60000;
}

static bool goes(const struct sweep *s, const struct kl_dev_offset *offset)
{
	return s->topic.len < 0 ? is_old(s, offset)
				: kl_str_equal(s->topic, kl_dev_offset_topic(offset));
}

/* The group itself goes with its last offset. */
static void sweep_group(const struct sweep *s, struct kl_dev_offsets *offsets)
{
	struct kl_str group = {offsets->group, offsets->group_len};
	struct kl_dev_partition *home = kl_dev_home(s->broker, KL_DEV_GROUP, group);
	struct kl_dev_offset *offset, *next;
	struct kl_dev_batch batch;
	if (home == NULL || home->log.is_lost)
		return;
	kl_dev_batch_begin(&batch, s->now_ms);
	HASH_ITER(hh, offsets->by_key, offset, next)
	{
		if (goes(s, offset))
			kl_dev_offsets_put(&batch, group, kl_dev_offset_topic(offset),
					   offset->key.index, NULL);
	}
	kl_dev_offsets_append(s->broker, home, &batch, -1, -1); /* or else the next time */
	kl_dev_batch_free(&batch);
}

static void sweep_all(struct klamm_broker *broker, struct kl_str topic)
{
	struct sweep s = {broker, topic, broker->loop->os->wall_ms(broker->loop->os)};
	struct kl_dev_offsets *offsets, *next;
	/* What is read again while this goes on must not be what it goes through. */
	struct kl_dev_topic *home = kl_dev_topic_named(broker, KL_STR("__consumer_offsets"));
	for (int32_t i = 0; home != NULL && i < home->partition_count; i++)
		if (kl_dev_partition_mend(home->partitions[i]) != 0)
			return;
	HASH_ITER(hh, broker->offsets.by_group, offsets, next)
	{
		sweep_group(&s, offsets);
	}
}

void kl_dev_offsets_expire(struct klamm_broker *broker)
{
	sweep_all(broker, KL_STR_NULL);
}

void kl_dev_offsets_forget_topic(struct klamm_broker *broker, struct kl_str topic)
{
	sweep_all(broker, topic);
}
