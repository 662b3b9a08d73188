/* SPDX-License-Identifier: BSD-2-Clause */
/* What the leader of a classic group has assigned: stored first, then handed out. */
#include "broker/groups.h"

/* What is assigned to others is of no use to the group any more. */
static void drop_next(struct kl_dev_member *member)
{
	kl_dev_member_assign(member, &member->next, (struct kl_bytes){0});
}

void kl_dev_classic_unassign(struct kl_dev_group *group, int error)
{
	struct kl_dev_member *member, *next;
	kl_list_remove(&group->classic.storing.link);
	HASH_ITER(hh, group->classic.members, member, next)
	{
		drop_next(member);
		kl_dev_member_assign(member, &member->assigned, (struct kl_bytes){0});
		bool waited = member->syncs;
		kl_dev_classic_refuse_sync(member, error);
		if (waited)
			kl_dev_member_alive(member, member->session_ms);
	}
}

/* It could not be stored: everybody is to join again. */
static void fail(struct kl_dev_group *group, int error)
{
	kl_dev_classic_unassign(group, error);
	kl_dev_classic_prepare(group, "rebalance, what was assigned could not be stored");
}

static void hand_out(struct kl_dev_group *group)
{
	struct kl_dev_classic *classic = &group->classic;
	struct kl_dev_member *member, *next;
	struct kl_os *os = group->broker->loop->os;
	classic->previous = classic->state;
	classic->state = KL_DEV_CLASSIC_STABLE;
	classic->since_ms = os->wall_ms(os);
	HASH_ITER(hh, classic->members, member, next)
	{
		struct kl_bytes old = member->assigned;
		member->assigned = member->next;
		member->next = old;
		drop_next(member);
		bool waited = member->syncs;
		kl_dev_classic_synced(member);
		/* Its session did not end while it waited, and nothing else has begun it. */
		if (waited)
			kl_dev_member_alive(member, member->session_ms);
	}
}

void kl_dev_classic_stored(struct kl_dev_group *group)
{
	struct kl_dev_classic *classic = &group->classic;
	if (!kl_dev_pledge_settle(group->broker, &classic->storing.pledge))
		return;
	kl_list_remove(&classic->storing.link);
	if (classic->state != KL_DEV_CLASSIC_COMPLETING ||
	    classic->storing.generation != classic->generation)
		return;
	if (classic->storing.pledge.error != 0)
		fail(group, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	else
		hand_out(group);
}

/* Who is not named gets nothing. false: out of memory. */
static bool take(struct kl_dev_group *group, const struct kl_sync_group_request *request)
{
	struct kl_dev_member *member, *next;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		drop_next(member);
	}
	for (int32_t i = 0; i < request->assignments_n; i++) {
		const struct kl_sync_group_request_assignment *to = &request->assignments[i];
		member = kl_dev_member_find(group, to->member_id);
		if (member != NULL &&
		    !kl_dev_member_assign(member, &member->next, to->assignment))
			return false;
	}
	return true;
}

void kl_dev_classic_assign(struct kl_dev_group *group,
			   const struct kl_sync_group_request *request)
{
	struct kl_dev_classic *classic = &group->classic;
	int rc = take(group, request) ? kl_dev_classic_store(group, true)
				      : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (rc != 0) {
		fail(group, rc);
		return;
	}
	classic->storing.generation = classic->generation;
	classic->storing.pledge = kl_dev_pledge_on(kl_dev_group_home(group));
	kl_list_remove(&classic->storing.link);
	kl_list_push(&group->broker->groups.storing, &classic->storing.link);
	kl_dev_classic_stored(group);
}
