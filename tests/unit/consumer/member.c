/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/consumer/member.h"

#include <stdio.h>

struct klamm_consumer *consumer;
struct heard heard;

static void hear(int *calls, const struct klamm_topic_partition *partitions, size_t count)
{
	(*calls)++;
	heard.count = (int)count;
	snprintf(heard.first, sizeof(heard.first), "%s", count > 0 ? partitions[0].topic : "");
	if (heard.inside != NULL)
		heard.inside();
}

static void on_assigned(void *arg, struct klamm_consumer *c,
			const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg;
	(void)c;
	hear(&heard.assigned, partitions, count);
}

static void on_revoked(void *arg, struct klamm_consumer *c,
		       const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg;
	(void)c;
	hear(&heard.revoked, partitions, count);
}

static void on_lost(void *arg, struct klamm_consumer *c,
		    const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg;
	(void)c;
	heard.lost++;
	heard.count = (int)count;
	(void)partitions;
}

const struct klamm_listener member_listener = {
	.size = sizeof(member_listener),
	.assigned = on_assigned,
	.revoked = on_revoked,
	.lost = on_lost,
};

void member_up(void)
{
	memset(&heard, 0, sizeof(heard));
	coordinator_start(3);
	world_servers = script.address;
}

void member_down(void)
{
	if (consumer != NULL)
		klamm_consumer_close(consumer, 0, NULL);
	coordinator_stop();
}

void member_subscribe(void)
{
	static const char *const topics[] = {"t"};
	struct klamm_error err;
	int rc = klamm_consumer_subscribe(consumer, topics, 1, &member_listener, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

int member_poll(int64_t timeout_ms, struct klamm_error *err)
{
	struct klamm_batch *batch;
	int rc = klamm_consumer_poll(consumer, timeout_ms, &batch, err);
	klamm_batch_unref(batch);
	return rc;
}

void member_join(void)
{
	member_subscribe();
	POLL_UNTIL(heard.assigned > 0);
	ck_assert_int_eq(heard.count, 3);
}
