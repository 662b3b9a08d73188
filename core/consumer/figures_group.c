/* SPDX-License-Identifier: BSD-2-Clause */
/* What a group costs its member: requests to the coordinator, rebalances, the listener. What
 * counts as what is as in Kafka's client. */
#include "core/consumer/consumer.h"

#define METER(m) .meter = KL_COORD_##m
#define PER_HOUR .scale = 3600

static const struct kl_figure commit_figures[] = {
	{"commit-total", "1", "OffsetCommits answered.", KL_FACE_COUNT, METER(COMMIT)},
	{"commit-rate", "1/s", "OffsetCommits answered per second.", KL_FACE_COUNT_RATE,
	 METER(COMMIT)},
	{"commit-latency-avg", "ms", "The average time from an OffsetCommit to its answer.",
	 KL_FACE_AVG, METER(COMMIT)},
	{"commit-latency-max", "ms", "The longest time from an OffsetCommit to its answer.",
	 KL_FACE_MAX, METER(COMMIT)},
};

static const struct kl_figure member_figures[] = {
	{"heartbeat-total", "1", "Heartbeats answered.", KL_FACE_COUNT, METER(HEARTBEAT)},
	{"heartbeat-rate", "1/s", "Heartbeats answered per second.", KL_FACE_COUNT_RATE,
	 METER(HEARTBEAT)},
	{"heartbeat-response-time-max", "ms",
	 "The longest time from a heartbeat to its answer.", KL_FACE_MAX, METER(HEARTBEAT)},
	{"last-heartbeat-seconds-ago", "s",
	 "Seconds since the last heartbeat was sent; -1 before the first.", KL_FACE_NOW,
	 METER(LAST_HEARTBEAT)},
	{"rebalance-total", "1", "Rebalances that ended well.", KL_FACE_COUNT,
	 METER(REBALANCE)},
	{"rebalance-rate-per-hour", "1/h", "Rebalances that ended well, per hour.",
	 KL_FACE_COUNT_RATE, METER(REBALANCE), PER_HOUR},
	{"rebalance-latency-total", "ms", "The time that rebalances took which ended well.",
	 KL_FACE_TOTAL, METER(REBALANCE)},
	{"rebalance-latency-avg", "ms",
	 "The average time that a rebalance took, with what failed before it ended well.",
	 KL_FACE_AVG, METER(REBALANCE)},
	{"rebalance-latency-max", "ms",
	 "The longest time that a rebalance took, with what failed before it ended well.",
	 KL_FACE_MAX, METER(REBALANCE)},
	{"failed-rebalance-total", "1", "Attempts at a rebalance that failed.", KL_FACE_COUNT,
	 METER(FAILED)},
	{"failed-rebalance-rate-per-hour", "1/h",
	 "Attempts at a rebalance that failed, per hour.", KL_FACE_COUNT_RATE, METER(FAILED),
	 PER_HOUR},
	{"last-rebalance-seconds-ago", "s",
	 "Seconds since a rebalance ended well; -1 before the first.", KL_FACE_NOW,
	 METER(LAST_REBALANCE)},
	{"partition-assigned-latency-avg", "ms",
	 "The average time in the listener's function for partitions that have come.",
	 KL_FACE_AVG, METER(ASSIGNED)},
	{"partition-assigned-latency-max", "ms",
	 "The longest time in the listener's function for partitions that have come.",
	 KL_FACE_MAX, METER(ASSIGNED)},
	{"partition-revoked-latency-avg", "ms",
	 "The average time in the listener's function for partitions that go.", KL_FACE_AVG,
	 METER(REVOKED)},
	{"partition-revoked-latency-max", "ms",
	 "The longest time in the listener's function for partitions that go.", KL_FACE_MAX,
	 METER(REVOKED)},
	{"partition-lost-latency-avg", "ms",
	 "The average time in the listener's function for partitions that are lost.",
	 KL_FACE_AVG, METER(LOST)},
	{"partition-lost-latency-max", "ms",
	 "The longest time in the listener's function for partitions that are lost.",
	 KL_FACE_MAX, METER(LOST)},
};

/* A member of a classic group has two more requests. */
static const struct kl_figure classic_figures[] = {
	{"join-total", "1", "JoinGroups answered well.", KL_FACE_COUNT, METER(JOIN)},
	{"join-rate", "1/s", "JoinGroups answered well, per second.", KL_FACE_COUNT_RATE,
	 METER(JOIN)},
	{"join-time-avg", "ms", "The average time from a JoinGroup to its answer.",
	 KL_FACE_AVG, METER(JOIN)},
	{"join-time-max", "ms", "The longest time from a JoinGroup to its answer.",
	 KL_FACE_MAX, METER(JOIN)},
	{"sync-total", "1", "SyncGroups answered well.", KL_FACE_COUNT, METER(SYNC)},
	{"sync-rate", "1/s", "SyncGroups answered well, per second.", KL_FACE_COUNT_RATE,
	 METER(SYNC)},
	{"sync-time-avg", "ms", "The average time from a SyncGroup to its answer.",
	 KL_FACE_AVG, METER(SYNC)},
	{"sync-time-max", "ms", "The longest time from a SyncGroup to its answer.",
	 KL_FACE_MAX, METER(SYNC)},
};

/* --- counting --- */

void kl_group_count(struct klamm_consumer *c, unsigned meter, int64_t us, int64_t now)
{
	kl_metrics_note(&c->metrics, &c->group.meters[meter], (double)us / KL_MS, now);
}

void kl_group_count_beat(struct klamm_consumer *c)
{
	c->group.times.beat_at = c->loop->now;
}

void kl_group_count_begin(struct klamm_consumer *c)
{
	struct kl_group_times *times = &c->group.times;
	if (times->rebalances_since == 0)
		times->rebalances_since = c->loop->now;
}

void kl_group_count_end(struct klamm_consumer *c)
{
	struct kl_group_times *times = &c->group.times;
	int64_t now = c->loop->now;
	if (times->rebalances_since == 0)
		return;
	kl_group_count(c, KL_COORD_REBALANCE, now - times->rebalances_since, now);
	times->rebalances_since = 0;
	times->rebalanced_at = now;
}

void kl_group_count_failure(struct klamm_consumer *c)
{
	if (c->group.times.rebalances_since != 0)
		kl_group_count(c, KL_COORD_FAILED, 0, c->loop->now);
}

/* --- snapshots --- */

static double seconds_since(const struct kl_snapshot *snapshot, int64_t at)
{
	double age = (double)(snapshot->now - at) / KL_SECOND;
	return at != 0 ? kl_max(age, 0.0) : -1;
}

void kl_group_figures(struct klamm_consumer *c, struct kl_snapshot *snapshot,
		      struct kl_labels own)
{
	static const char group[] = "consumer-coordinator-metrics";
	struct kl_meter *meters = c->group.meters;
	kl_meter_set(&meters[KL_COORD_LAST_HEARTBEAT],
		     seconds_since(snapshot, c->group.times.beat_at));
	kl_meter_set(&meters[KL_COORD_LAST_REBALANCE],
		     seconds_since(snapshot, c->group.times.rebalanced_at));
	kl_snapshot_add(snapshot, group, commit_figures, kl_countof(commit_figures), meters,
			own);
	kl_snapshot_add(snapshot, group, member_figures, kl_countof(member_figures), meters,
			own);
	if (c->settings->group_protocol == KL_GROUP_CLASSIC)
		kl_snapshot_add(snapshot, group, classic_figures, kl_countof(classic_figures),
				meters, own);
}
