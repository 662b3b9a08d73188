/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/pledge.h"

#include "broker/call.h"
#include "broker/store.h"

struct kl_dev_pledge kl_dev_pledge_on(struct kl_dev_partition *partition)
{
	struct kl_dev_log *log = &partition->log;
	if (log->synced < log->end) {
		log->wanted = log->end;
		kl_dev_sync_written(log->sync);
	}
	return (struct kl_dev_pledge){
		.topic = partition->topic->id,
		.index = partition->index,
		.end = log->end,
		.failures = log->failures,
		.settled = log->synced >= log->end,
	};
}

bool kl_dev_pledge_settle(struct klamm_broker *broker, struct kl_dev_pledge *pledge)
{
	if (pledge->settled)
		return true;
	struct kl_dev_partition *partition = kl_dev_partition(
		kl_dev_topic_with_id(broker, &pledge->topic), pledge->index);
	if (partition == NULL)
		pledge->error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	else if (partition->log.failures != pledge->failures)
		pledge->error = KLAMM_ERR_KAFKA_STORAGE_ERROR;
	else if (partition->log.synced < pledge->end)
		return false;
	pledge->settled = true;
	return true;
}

static bool settle_all(struct kl_dev_call *call)
{
	bool all = true;
	for (size_t i = 0; i < call->pledge_count; i++)
		all &= kl_dev_pledge_settle(call->broker, &call->pledges[i]);
	return all;
}

static void on_wake(struct kl_dev_call *call)
{
	if (!settle_all(call))
		return;
	kl_dev_call_unwait(call);
	call->then(call);
}

/* How long the disk takes is not the client's to say, so no timeout has a part in it. */
void kl_dev_call_settle(struct kl_dev_call *call, struct kl_dev_pledge *pledges, size_t n,
			void (*then)(struct kl_dev_call *call))
{
	call->pledges = pledges;
	call->pledge_count = n;
	call->then = then;
	if (settle_all(call)) {
		then(call);
		return;
	}
	call->waits = kl_arena_array(&call->arena, n, sizeof(*call->waits));
	if (call->waits == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct kl_dev_pledge *pledge = &pledges[i];
		if (!pledge->settled)
			kl_dev_call_await(call, kl_dev_partition(
				kl_dev_topic_with_id(call->broker, &pledge->topic),
				pledge->index));
	}
	call->on_wake = on_wake;
	kl_dev_call_park(call, KL_NEVER, NULL);
}
