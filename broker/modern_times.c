/* SPDX-License-Identifier: BSD-2-Clause */
/* Members that are silent, or do not give up in time, are put out. */
#include "broker/batch_make.h"
#include "broker/groups.h"
#include "broker/modern.h"
#include "core/base/bug.h"

void kl_dev_modern_alive(struct kl_dev_modern_member *member)
{
	struct klamm_broker *broker = member->group->broker;
	kl_timer_set(broker->loop, &member->session,
		     broker->loop->now + broker->limits.modern_session_ms * (int64_t)KL_MS);
}

void kl_dev_modern_pace(struct kl_dev_modern_member *member)
{
	struct klamm_loop *loop = member->group->broker->loop;
	if (member->state != KL_DEV_MODERN_UNREVOKED || member->about.value == NULL) {
		kl_timer_stop(loop, &member->rebalance);
		return;
	}
	int64_t ms = kl_max(member->about.value->rebalance_timeout_ms, 0);
	member->rebalance_epoch = member->epoch;
	kl_timer_set(loop, &member->rebalance, loop->now + ms * KL_MS);
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

int kl_dev_modern_remove(struct kl_dev_modern_member *member, const char *why)
{
	struct kl_dev_group *group = member->group;
	kl_log(&group->broker->loop->log, KL_LOG_INFO, "broker", "group %s: member %s %s",
	       group->id, member->id, why);
	return remove_member(member);
}

/* When it cannot be written now, then later. */
static void put_out(struct kl_dev_modern_member *member, struct kl_timer *timer,
		    const char *why)
{
	struct klamm_loop *loop = member->group->broker->loop;
	if (kl_dev_modern_remove(member, why) != 0)
		kl_timer_set(loop, timer, loop->now + KL_SECOND);
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
