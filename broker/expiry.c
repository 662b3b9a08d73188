/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/expiry.h"

#include "broker/groups.h"

static void again(struct klamm_broker *broker, struct kl_timer *timer, int64_t ms)
{
	kl_timer_set(broker->loop, timer, broker->loop->now + ms * KL_MS);
}

/* --- producers --- */

static void expire_producers(struct kl_timer *timer)
{
	struct klamm_broker *broker =
		kl_container(timer, struct klamm_broker, expiry.producers);
	int64_t now_ms = broker->loop->os->wall_ms(broker->loop->os);
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		for (int32_t i = 0; i < topic->partition_count; i++)
			kl_dev_producers_expire(&topic->partitions[i]->producers, now_ms,
						broker->limits.producer_id_ms);
	}
	again(broker, timer, broker->limits.producer_id_interval_ms);
}

/* --- what groups have committed --- */

static void expire_offsets(struct kl_timer *timer)
{
	struct klamm_broker *broker = kl_container(timer, struct klamm_broker, expiry.offsets);
	kl_dev_groups_expire(broker);
	again(broker, timer, broker->limits.offsets_interval_ms);
}

/* --- beginning and end --- */

int kl_dev_expiry_begin(struct klamm_broker *broker, struct klamm_error *err)
{
	int rc = kl_timer_init(broker->loop, &broker->expiry.producers, expire_producers, err);
	if (rc == 0)
		rc = kl_timer_init(broker->loop, &broker->expiry.offsets, expire_offsets, err);
	if (rc != 0)
		return rc;
	again(broker, &broker->expiry.producers, broker->limits.producer_id_interval_ms);
	again(broker, &broker->expiry.offsets, broker->limits.offsets_interval_ms);
	return 0;
}

void kl_dev_expiry_end(struct klamm_broker *broker)
{
	kl_timer_drop(broker->loop, &broker->expiry.producers);
	kl_timer_drop(broker->loop, &broker->expiry.offsets);
}
