/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/classic.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "broker/groups.h"
#include "broker/offsets.h"

static const char *const state_names[] = {
	[KL_DEV_CLASSIC_EMPTY] = "Empty",
	[KL_DEV_CLASSIC_PREPARING] = "PreparingRebalance",
	[KL_DEV_CLASSIC_COMPLETING] = "CompletingRebalance",
	[KL_DEV_CLASSIC_STABLE] = "Stable",
};

void kl_dev_classic_init(struct kl_dev_group *group)
{
	struct kl_os *os = group->broker->loop->os;
	group->classic = (struct kl_dev_classic){.since_ms = os->wall_ms(os)};
	kl_list_init(&group->classic.storing.link);
}

bool kl_dev_classic_uses_consumers(const struct kl_dev_group *group)
{
	const char *type = group->classic.protocol_type;
	return type != NULL && strcmp(type, "consumer") == 0;
}

/* --- what members have in common --- */

static bool all_offer(const struct kl_dev_group *group, struct kl_str protocol)
{
	struct kl_dev_member *member, *next;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		if (kl_dev_member_metadata(member, protocol) == NULL)
			return false;
	}
	return true;
}

bool kl_dev_classic_supports(const struct kl_dev_group *group, struct kl_str type,
			     const struct kl_join_group_request_protocol *protocols, int32_t n)
{
	const struct kl_dev_classic *classic = &group->classic;
	if (classic->state == KL_DEV_CLASSIC_EMPTY)
		return type.len > 0 && n > 0;
	if (classic->protocol_type == NULL || !kl_str_is(type, classic->protocol_type))
		return false;
	for (int32_t i = 0; i < n; i++)
		if (all_offer(group, protocols[i].name))
			return true;
	return false;
}

/* The first of a member's protocols that are candidates: the first member's, by bits. */
static int vote_of(const struct kl_dev_member *member, const struct kl_dev_offers *of,
		   uint32_t candidates)
{
	for (int32_t i = 0; i < member->offers->count; i++)
		for (int32_t k = 0; k < of->count; k++)
			if ((candidates & 1u << k) &&
			    kl_str_equal(member->offers->list[i].name, of->list[k].name))
				return k;
	return 0;
}

struct kl_str kl_dev_classic_vote(const struct kl_dev_group *group)
{
	const struct kl_dev_offers *of = group->classic.members->offers;
	struct kl_dev_member *member, *next;
	size_t votes[KL_DEV_OFFERS_MAX] = {0};
	uint32_t candidates = 0;
	int winner = -1;
	for (int32_t k = 0; k < of->count; k++)
		candidates |= (uint32_t)all_offer(group, of->list[k].name) << k;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		votes[vote_of(member, of, candidates)]++;
	}
	for (int k = 0; k < of->count; k++)
		if ((candidates & 1u << k) && (winner < 0 || votes[k] > votes[winner]))
			winner = k;
	return of->list[kl_max(winner, 0)].name;
}

/* --- as one type of group among others --- */

const char *kl_dev_classic_state_name(const struct kl_dev_group *group)
{
	return state_names[group->classic.state];
}

static struct kl_str protocol(const struct kl_dev_group *group)
{
	return kl_str(group->classic.protocol_type ?: "");
}

static bool is_empty(const struct kl_dev_group *group)
{
	return group->classic.state == KL_DEV_CLASSIC_EMPTY;
}

/* A commit keeps its member alive, but while the leader assigns. */
static int check_commit(struct kl_dev_group *group, const struct kl_dev_committer *who)
{
	struct kl_dev_classic *classic = &group->classic;
	bool says_who = who->generation >= 0 || who->member_id.len > 0 ||
			who->instance_id.len >= 0;
	if ((who->generation < 0 && classic->state == KL_DEV_CLASSIC_EMPTY) ||
	    KL_BUG(STALE_COMMIT))
		return 0;
	if (says_who) {
		int rc = kl_dev_member_check(group, who->member_id, who->instance_id);
		if (rc != 0)
			return rc;
		if (who->generation != classic->generation)
			return KLAMM_ERR_ILLEGAL_GENERATION;
	} else if (!who->in_transaction) {
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	}
	if (who->in_transaction)
		return 0;
	if (classic->state == KL_DEV_CLASSIC_COMPLETING)
		return KLAMM_ERR_REBALANCE_IN_PROGRESS;
	struct kl_dev_member *member = kl_dev_member_find(group, who->member_id);
	kl_dev_member_alive(member, member->session_ms);
	return 0;
}

static int check_fetch(const struct kl_dev_group *group, struct kl_str member_id,
		       int32_t epoch)
{
	(void)group, (void)member_id, (void)epoch;
	return 0;
}

static int check_delete(const struct kl_dev_group *group)
{
	return is_empty(group) || kl_dev_classic_uses_consumers(group)
		       ? 0
		       : KLAMM_ERR_NON_EMPTY_GROUP;
}

/* One that consumers joined, of which it is not known what they subscribe to, may subscribe
 * to anything. */
static bool subscribes(const struct kl_dev_group *group, struct kl_str topic)
{
	return group->classic.topics.known ? kl_dev_classic_has_topic(group, topic)
					   : kl_dev_classic_uses_consumers(group);
}

static int64_t idle_since(const struct kl_dev_group *group,
			  const struct kl_dev_offset_value *value)
{
	const struct kl_dev_classic *classic = &group->classic;
	if (classic->protocol_type == NULL)
		return value->committed_ms;
	if (is_empty(group))
		return classic->since_ms >= 0 ? classic->since_ms : value->committed_ms;
	return classic->state == KL_DEV_CLASSIC_STABLE && classic->topics.known
		       ? value->committed_ms
		       : INT64_MAX;
}

static void put_tombstones(const struct kl_dev_group *group, struct kl_dev_batch *batch)
{
	kl_dev_classic_put_none(group, batch);
}

static void clear(struct kl_dev_group *group, int error)
{
	struct kl_dev_classic *classic = &group->classic;
	struct kl_dev_member *member, *next;
	HASH_ITER(hh, classic->members, member, next)
	{
		kl_dev_classic_refuse_join(member, member->id, error);
		kl_dev_classic_refuse_sync(member, error);
		kl_dev_member_free(member);
	}
	HASH_ITER(hh, classic->expected, member, next)
	{
		kl_dev_member_free(member);
	}
	kl_dev_classic_forget_topics(group);
	kl_list_remove(&classic->storing.link);
	if (classic->phase.fn != NULL)
		kl_timer_drop(group->broker->loop, &classic->phase);
	free(classic->protocol_type);
	free(classic->protocol);
}

const struct kl_dev_group_type kl_dev_classic_type = {
	.name = "classic",
	.state = kl_dev_classic_state_name,
	.protocol = protocol,
	.is_empty = is_empty,
	.check_commit = check_commit,
	.check_fetch = check_fetch,
	.check_delete = check_delete,
	.subscribes = subscribes,
	.idle_since = idle_since,
	.put_tombstones = put_tombstones,
	.loaded = kl_dev_classic_loaded,
	.clear = clear,
};
