/* SPDX-License-Identifier: BSD-2-Clause */
/* From one generation of a classic group to the next: who is in it joins, or is put out. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "broker/groups.h"

/* Kafka's: one who joins for the first time cannot be heard of, as it has no id yet. */
#define NEW_MEMBER_MS (5 * 60 * 1000)
/* When nobody has joined, or memory is short, it is tried again after this at least. */
#define RETRY_MS 1000

static void say(const struct kl_dev_group *group, const char *what)
{
	kl_log(&group->broker->loop->log, KL_LOG_INFO, "broker",
	       "group %s, generation %d: %s", group->id, (int)group->classic.generation, what);
}

static void enter(struct kl_dev_group *group, enum kl_dev_classic_state state)
{
	struct kl_dev_classic *classic = &group->classic;
	struct kl_os *os = group->broker->loop->os;
	classic->previous = classic->state;
	classic->state = state;
	classic->since_ms = os->wall_ms(os);
}

/* --- the time that joining and syncing have --- */

static void on_phase(struct kl_timer *timer);

/* Without memory for a timer the group would never go on: it is made before. */
static bool have_phase(struct kl_dev_group *group)
{
	struct kl_timer *phase = &group->classic.phase;
	if (phase->fn == NULL &&
	    kl_timer_init(group->broker->loop, phase, on_phase, NULL) != 0)
		phase->fn = NULL;
	return phase->fn != NULL;
}

static void set_phase(struct kl_dev_group *group, int64_t ms)
{
	struct klamm_loop *loop = group->broker->loop;
	kl_timer_set(loop, &group->classic.phase, loop->now + ms * KL_MS);
}

static void stop_phase(struct kl_dev_group *group)
{
	if (group->classic.phase.fn != NULL)
		kl_timer_stop(group->broker->loop, &group->classic.phase);
	group->classic.initial.runs = false;
}

/* As long as the slowest member wants. */
static int32_t rebalance_ms(const struct kl_dev_group *group)
{
	struct kl_dev_member *member, *next;
	int32_t ms = 0;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		ms = kl_max(ms, member->rebalance_ms);
	}
	return ms;
}

/* --- who is in it --- */

/* The first member says what type of protocol it is. false: out of memory. */
static bool take_type(struct kl_dev_classic *classic, struct kl_str type)
{
	if (classic->members != NULL ||
	    (classic->protocol_type != NULL && kl_str_is(type, classic->protocol_type)))
		return true;
	char *copy = strndup(type.p, (size_t)type.len);
	if (copy == NULL)
		return false;
	free(classic->protocol_type);
	classic->protocol_type = copy;
	return true;
}

bool kl_dev_classic_add(struct kl_dev_member *member, struct kl_str protocol_type)
{
	struct kl_dev_classic *classic = &member->group->classic;
	if (!have_phase(member->group) || !take_type(classic, protocol_type) ||
	    !kl_dev_member_enter(member))
		return false;
	if (classic->leader == NULL)
		classic->leader = member;
	if (classic->state == KL_DEV_CLASSIC_PREPARING &&
	    classic->previous == KL_DEV_CLASSIC_EMPTY)
		classic->initial.grew = true;
	member->is_new = true;
	kl_dev_member_alive(member, NEW_MEMBER_MS);
	return true;
}

void kl_dev_classic_remove(struct kl_dev_member *member)
{
	struct kl_dev_classic *classic = &member->group->classic;
	bool led = classic->leader == member;
	/* Whoever still waits comes again as a new member. */
	kl_dev_classic_refuse_join(member, KL_STR(""), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	kl_dev_classic_refuse_sync(member, KLAMM_ERR_UNKNOWN_MEMBER_ID);
	kl_dev_member_free(member);
	if (led)
		classic->leader = classic->members;
}

struct kl_dev_member *kl_dev_classic_replace(struct kl_dev_member *old, struct kl_str id)
{
	struct kl_dev_classic *classic = &old->group->classic;
	struct kl_dev_member_spec spec = {
		.id = id,
		.instance = old->instance,
		.client_id = old->client_id,
		.client_host = old->client_host,
		.session_ms = old->session_ms,
		.rebalance_ms = old->rebalance_ms,
	};
	struct kl_dev_member *member = kl_dev_member_new(old->group, &spec);
	if (member == NULL)
		return NULL;
	if (!kl_dev_member_enter(member)) {
		kl_dev_member_free(member);
		return NULL;
	}
	kl_dev_classic_refuse_join(old, old->id, KLAMM_ERR_FENCED_INSTANCE_ID);
	kl_dev_classic_refuse_sync(old, KLAMM_ERR_FENCED_INSTANCE_ID);
	kl_dev_member_inherit(member, old);
	if (classic->leader == old)
		classic->leader = member;
	kl_dev_member_free(old);
	kl_dev_member_alive(member, member->session_ms);
	return member;
}

/* --- the end of joining --- */

/* The leader has joined, or one that has takes its place. */
static bool elect(struct kl_dev_group *group)
{
	struct kl_dev_classic *classic = &group->classic;
	struct kl_dev_member *member, *next;
	if (classic->leader == NULL || classic->leader->joins)
		return classic->leader != NULL;
	HASH_ITER(hh, classic->members, member, next)
	{
		if (!member->joins)
			continue;
		classic->leader = member;
		say(group, "the leader did not join in time, another one is it");
		return true;
	}
	return false;
}

static void put_out_missing(struct kl_dev_group *group)
{
	struct kl_dev_member *member, *next;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		if (!member->joins && member->instance.len < 0)
			kl_dev_classic_remove(member);
	}
}

/* false: out of memory, and nothing has changed. */
static bool begin_generation(struct kl_dev_group *group)
{
	struct kl_dev_classic *classic = &group->classic;
	char *protocol = NULL;
	if (classic->members != NULL) {
		struct kl_str winner = kl_dev_classic_vote(group);
		protocol = strndup(winner.p, (size_t)winner.len);
		if (protocol == NULL)
			return false;
	}
	free(classic->protocol);
	classic->protocol = protocol;
	if (!KL_BUG(GENERATION_KEPT) || classic->generation <= 0)
		classic->generation =
			classic->generation == INT32_MAX ? 0 : classic->generation + 1;
	enter(group, protocol != NULL ? KL_DEV_CLASSIC_COMPLETING : KL_DEV_CLASSIC_EMPTY);
	kl_dev_classic_read_topics(group);
	return true;
}

static void tell_members(struct kl_dev_group *group)
{
	struct kl_dev_member *member, *next;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		kl_dev_classic_joined(member);
		kl_dev_member_alive(member, member->session_ms);
		member->is_new = false;
		member->unsynced = true;
	}
}

static void complete(struct kl_dev_group *group)
{
	struct kl_dev_classic *classic = &group->classic;
	stop_phase(group);
	put_out_missing(group);
	if (!elect(group) && classic->members != NULL) {
		say(group, "nobody joined; waiting for the members' sessions to end");
		set_phase(group, kl_max(rebalance_ms(group), RETRY_MS));
		return;
	}
	if (!begin_generation(group)) {
		set_phase(group, RETRY_MS);
		return;
	}
	if (classic->state == KL_DEV_CLASSIC_EMPTY) {
		say(group, "it is empty");
		kl_dev_classic_store(group, false); /* what was stored before ends by itself */
		return;
	}
	say(group, "everybody has joined");
	tell_members(group);
	set_phase(group, rebalance_ms(group));
}

static bool all_have_joined(const struct kl_dev_group *group)
{
	const struct kl_dev_classic *classic = &group->classic;
	return HASH_COUNT(classic->members) == classic->joining && classic->expected == NULL;
}

void kl_dev_classic_try_complete(struct kl_dev_group *group)
{
	const struct kl_dev_classic *classic = &group->classic;
	if (classic->state == KL_DEV_CLASSIC_PREPARING &&
	    classic->previous != KL_DEV_CLASSIC_EMPTY && all_have_joined(group))
		complete(group);
}

/* --- the beginning of joining --- */

void kl_dev_classic_prepare(struct kl_dev_group *group, const char *reason)
{
	struct kl_dev_classic *classic = &group->classic;
	const struct kl_dev_limits *limits = &group->broker->limits;
	struct kl_dev_member *member, *next;
	if (classic->state == KL_DEV_CLASSIC_COMPLETING)
		kl_dev_classic_unassign(group, KLAMM_ERR_REBALANCE_IN_PROGRESS);
	stop_phase(group);
	HASH_ITER(hh, classic->members, member, next)
	{
		member->unsynced = false;
	}
	bool is_first = classic->state == KL_DEV_CLASSIC_EMPTY;
	enter(group, KL_DEV_CLASSIC_PREPARING);
	say(group, reason);
	if (is_first) {
		int32_t ms = limits->group_delay_ms;
		classic->initial.runs = true;
		classic->initial.grew = false;
		classic->initial.delay_ms = ms;
		classic->initial.left_ms = kl_max(rebalance_ms(group) - ms, 0);
		set_phase(group, ms);
	} else if (all_have_joined(group)) {
		complete(group);
	} else {
		set_phase(group, rebalance_ms(group));
	}
}

void kl_dev_classic_rebalance(struct kl_dev_group *group, const char *reason)
{
	if (group->classic.state == KL_DEV_CLASSIC_PREPARING)
		kl_dev_classic_try_complete(group);
	else
		kl_dev_classic_prepare(group, reason);
}

/* --- time is over --- */

/* More members came while a group that was empty waits for them: it waits longer. */
static void end_initial(struct kl_dev_group *group)
{
	struct kl_dev_classic *classic = &group->classic;
	int32_t left = classic->initial.left_ms;
	if (!classic->initial.grew || left == 0) {
		complete(group);
		return;
	}
	int32_t ms = kl_min(group->broker->limits.group_delay_ms, left);
	classic->initial.grew = false;
	classic->initial.left_ms = kl_max(left - classic->initial.delay_ms, 0);
	classic->initial.delay_ms = ms;
	set_phase(group, ms);
}

static void put_out_unsynced(struct kl_dev_group *group)
{
	struct kl_dev_member *member, *next;
	bool any = false;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		if (!member->unsynced)
			continue;
		any = true;
		kl_dev_classic_remove(member);
	}
	if (any)
		kl_dev_classic_prepare(group, "rebalance, members did not sync in time");
}

static void on_phase(struct kl_timer *timer)
{
	struct kl_dev_classic *classic = kl_container(timer, struct kl_dev_classic, phase);
	struct kl_dev_group *group = kl_container(classic, struct kl_dev_group, classic);
	if (classic->state == KL_DEV_CLASSIC_PREPARING && classic->initial.runs)
		end_initial(group);
	else if (classic->state == KL_DEV_CLASSIC_PREPARING)
		complete(group);
	else
		put_out_unsynced(group);
}

/* Who waits for the others need not be heard of, unless it never was. */
void kl_dev_classic_on_session(struct kl_timer *timer)
{
	struct kl_dev_member *member = kl_container(timer, struct kl_dev_member, session);
	struct kl_dev_group *group = member->group;
	const struct kl_dev_classic *classic = &group->classic;
	bool was_expected = member->offers == NULL;
	if ((!was_expected && !member->is_new && (member->joins || member->syncs)) ||
	    KL_BUG(DEAD_STAYS))
		return;
	if (was_expected)
		kl_dev_member_free(member);
	else
		kl_dev_classic_remove(member);
	if (classic->state == KL_DEV_CLASSIC_PREPARING) {
		if (all_have_joined(group))
			complete(group);
	} else if (!was_expected) {
		kl_dev_classic_prepare(group, "rebalance, a member was not heard of");
	}
}

void kl_dev_classic_loaded(struct kl_dev_group *group)
{
	struct kl_dev_member *member, *next;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		kl_dev_member_alive(member, member->session_ms);
	}
	if (HASH_COUNT(group->classic.members) >
	    (unsigned)group->broker->limits.group_max_size)
		kl_dev_classic_prepare(group, "rebalance, it has too many members");
}
