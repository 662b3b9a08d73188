/* SPDX-License-Identifier: BSD-2-Clause */
/* Members that are silent, or do not give up in time, are put out. */
#include "broker/batch_make.h"
#include "broker/groups.h"
#include "broker/migrate.h"
#include "broker/modern.h"
#include "core/base/bug.h"

static void set(struct kl_dev_modern_member *member, struct kl_timer *timer, int64_t ms)
{
	struct klamm_loop *loop = member->group->broker->loop;
	kl_timer_set(loop, timer, loop->now + kl_max(ms, (int64_t)0) * KL_MS);
}

void kl_dev_modern_alive(struct kl_dev_modern_member *member)
{
	struct klamm_broker *broker = member->group->broker;
	const struct kl_consumer_group_member_metadata_value_classic *classic =
		kl_dev_modern_classic(member);
	set(member, &member->session,
	    classic != NULL ? classic->session_timeout_ms : broker->limits.modern_session_ms);
	if (classic != NULL)
		return;
	kl_timer_stop(broker->loop, &member->join);
	kl_timer_stop(broker->loop, &member->sync);
}

/* As in Kafka of all members alike, whatever protocol they speak. */
void kl_dev_modern_loaded(struct kl_dev_modern_member *member)
{
	set(member, &member->session, member->group->broker->limits.modern_session_ms);
	kl_dev_modern_pace(member);
}

void kl_dev_modern_await_join(struct kl_dev_modern_member *member)
{
	if (!kl_timer_armed(&member->join))
		set(member, &member->join, member->about.value->rebalance_timeout_ms);
}

void kl_dev_modern_await_sync(struct kl_dev_modern_member *member)
{
	kl_timer_stop(member->group->broker->loop, &member->join);
	set(member, &member->sync, member->about.value->rebalance_timeout_ms);
}

/* One of the classic protocol gives up before it joins again, and has its time for that. */
void kl_dev_modern_pace(struct kl_dev_modern_member *member)
{
	if (member->state != KL_DEV_MODERN_UNREVOKED || member->about.value == NULL ||
	    kl_dev_modern_is_classic(member)) {
		kl_timer_stop(member->group->broker->loop, &member->rebalance);
		return;
	}
	member->rebalance_epoch = member->epoch;
	set(member, &member->rebalance, member->about.value->rebalance_timeout_ms);
}

/* Patterns that only it subscribes to go with it. */
static int remove_member(struct kl_dev_modern_member *member)
{
	struct kl_dev_group *group = member->group;
	struct klamm_broker *broker = group->broker;
	struct kl_dev_partition *home = kl_dev_group_home(group);
	struct kl_arena arena = {0};
	struct kl_dev_batch batch;
	int64_t hash;
	if (home == NULL)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	struct kl_dev_modern_change change = {group, member, NULL, &arena};
	struct kl_str pattern = kl_dev_modern_pattern(member->about.value);
	struct kl_dev_modern_log log = {&batch, kl_dev_group_id(group),
					kl_dev_modern_id(member)};
	int rc = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	if (kl_dev_modern_hash(&change, &hash)) {
		kl_dev_modern_put_no_member(&log);
		if (kl_dev_modern_regex(group, pattern) != NULL &&
		    kl_dev_modern_regex_uses(group, pattern, member) == 0)
			kl_dev_modern_put_no_regex(&log, pattern);
		kl_dev_modern_put_epoch(&log, group->modern->epoch + !KL_BUG(GROUP_EPOCH_KEPT),
					hash);
		rc = kl_dev_group_append(broker, home, &batch, -1, -1);
	}
	kl_dev_batch_free(&batch);
	kl_arena_free(&arena);
	return rc;
}

static void say(const struct kl_dev_modern_member *member, const char *why)
{
	const struct kl_dev_group *group = member->group;
	kl_log(&group->broker->loop->log, KL_LOG_INFO, "broker", "group %s: member %s %s",
	       group->id, member->id, why);
}

int kl_dev_modern_remove(struct kl_dev_modern_member *const *members, size_t n,
			 const char *why)
{
	int rc = 0;
	for (size_t i = 0; i < n; i++)
		say(members[i], why);
	if (n > 0 && kl_dev_migrate_goes_down(members[0]->group, members, n))
		return kl_dev_migrate_down(members[0]->group, members, n,
					   "rebalance, the last member of KIP-848 is gone");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = remove_member(members[i]);
	return rc;
}

/* When it cannot be written now, then later. */
static void put_out(struct kl_dev_modern_member *member, struct kl_timer *timer,
		    const char *why)
{
	set(member, timer, 1000); /* goes with the member */
	kl_dev_modern_remove(&member, 1, why);
}

void kl_dev_modern_on_session(struct kl_timer *timer)
{
	if (!KL_BUG(SILENT_STAYS))
		put_out(kl_container(timer, struct kl_dev_modern_member, session), timer,
			"was not heard of, and is put out");
}

void kl_dev_modern_on_rebalance(struct kl_timer *timer)
{
	struct kl_dev_modern_member *member =
		kl_container(timer, struct kl_dev_modern_member, rebalance);
	if (member->epoch == member->rebalance_epoch)
		put_out(member, timer, "does not give up partitions in time, and is put out");
}

void kl_dev_modern_on_join(struct kl_timer *timer)
{
	put_out(kl_container(timer, struct kl_dev_modern_member, join), timer,
		"does not join in time, and is put out");
}

void kl_dev_modern_on_sync(struct kl_timer *timer)
{
	put_out(kl_container(timer, struct kl_dev_modern_member, sync), timer,
		"does not ask what it is assigned in time, and is put out");
}
