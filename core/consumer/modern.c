/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/consumer/modern.h"

#include "core/base/bug.h"

/* --- the table --- */

struct cell {
	bool taken; /* else the event changes nothing in this state */
	uint8_t next;
	uint16_t actions;
};

#define GO(state, ...) {true, KL_MODERN_##state, (0 __VA_OPT__(| (__VA_ARGS__)))}
#define RECONCILE KL_MODERN_RECONCILE
#define REVOKE KL_MODERN_REVOKE
#define LOSE KL_MODERN_LOSE
#define FORGET KL_MODERN_FORGET
#define HEARTBEAT KL_MODERN_HEARTBEAT
#define LEAVE KL_MODERN_LEAVE
#define LEFT KL_MODERN_LEFT

/* What states of a member that the group knows have in common. */
#define IS_IN_GROUP                                                                      \
	[KL_MODERN_ON_FENCED] = GO(FENCED, LOSE),                                        \
	[KL_MODERN_ON_FATAL] = GO(FATAL, LOSE),                                          \
	[KL_MODERN_ON_EXPIRED] = GO(LEAVING, LEAVE)

static const struct cell cells[KL_MODERN_STATES][KL_MODERN_EVENTS] = {
	[KL_MODERN_UNSUBSCRIBED] = {
		[KL_MODERN_ON_JOIN] = GO(JOINING, HEARTBEAT),
		[KL_MODERN_ON_FATAL] = GO(FATAL, LEFT),
		[KL_MODERN_ON_FENCED] = GO(UNSUBSCRIBED, LEFT),
		[KL_MODERN_ON_RELEASED] = GO(UNSUBSCRIBED, FORGET),
		[KL_MODERN_ON_LEAVE] = GO(UNSUBSCRIBED, LEFT),
		[KL_MODERN_ON_LEFT] = GO(UNSUBSCRIBED, LEFT),
	},
	[KL_MODERN_JOINING] = {
		IS_IN_GROUP,
		[KL_MODERN_ON_TARGET] = GO(RECONCILING, RECONCILE),
		[KL_MODERN_ON_SAME] = GO(STABLE),
		[KL_MODERN_ON_LEAVE] = GO(PREPARE_LEAVING, LOSE), /* no epoch is its own */
	},
	[KL_MODERN_RECONCILING] = {
		IS_IN_GROUP,
		[KL_MODERN_ON_TARGET] = GO(RECONCILING, RECONCILE),
		[KL_MODERN_ON_SAME] = GO(STABLE),
		[KL_MODERN_ON_RECONCILED] = GO(ACKNOWLEDGING, HEARTBEAT),
		[KL_MODERN_ON_LEAVE] = GO(PREPARE_LEAVING, REVOKE),
	},
	[KL_MODERN_ACKNOWLEDGING] = {
		IS_IN_GROUP,
		[KL_MODERN_ON_TARGET] = GO(RECONCILING, RECONCILE),
		[KL_MODERN_ON_SENT] = GO(STABLE),
		[KL_MODERN_ON_SENT_PART] = GO(RECONCILING, RECONCILE),
		[KL_MODERN_ON_LEAVE] = GO(PREPARE_LEAVING, REVOKE),
	},
	[KL_MODERN_STABLE] = {
		IS_IN_GROUP,
		[KL_MODERN_ON_TARGET] = GO(RECONCILING, RECONCILE),
		[KL_MODERN_ON_LEAVE] = GO(PREPARE_LEAVING, REVOKE),
	},
	[KL_MODERN_FENCED] = {
		[KL_MODERN_ON_RELEASED] = GO(JOINING, FORGET | HEARTBEAT),
		[KL_MODERN_ON_LEAVE] = GO(UNSUBSCRIBED, LEFT),
	},
	[KL_MODERN_PREPARE_LEAVING] = {
		[KL_MODERN_ON_RELEASED] = GO(LEAVING, FORGET | LEAVE),
		[KL_MODERN_ON_FENCED] = GO(UNSUBSCRIBED, LEFT),
		[KL_MODERN_ON_FATAL] = GO(FATAL, LEFT),
	},
	[KL_MODERN_LEAVING] = {
		[KL_MODERN_ON_SENT] = GO(UNSUBSCRIBED),
		[KL_MODERN_ON_SENT_PART] = GO(UNSUBSCRIBED),
		[KL_MODERN_ON_SENT_LATE] = GO(STALE, LOSE),
		[KL_MODERN_ON_UNSENT] = GO(UNSUBSCRIBED, LEFT),
		[KL_MODERN_ON_FENCED] = GO(UNSUBSCRIBED, LEFT),
		[KL_MODERN_ON_FATAL] = GO(FATAL, LEFT),
	},
	[KL_MODERN_STALE] = {
		[KL_MODERN_ON_RELEASED] = GO(STALE, FORGET),
		[KL_MODERN_ON_POLLED] = GO(JOINING, HEARTBEAT),
		[KL_MODERN_ON_LEAVE] = GO(UNSUBSCRIBED, LEFT),
	},
	[KL_MODERN_FATAL] = {
		[KL_MODERN_ON_RELEASED] = GO(FATAL, FORGET),
		[KL_MODERN_ON_LEAVE] = GO(UNSUBSCRIBED, LEFT),
		[KL_MODERN_ON_LEFT] = GO(FATAL, LEFT),
	},
};

unsigned kl_modern_step(enum kl_modern_state state, enum kl_modern_event event,
			enum kl_modern_state *next_out)
{
	const struct cell *cell = &cells[state][event];
	*next_out = cell->taken ? (enum kl_modern_state)cell->next : state;
	return cell->actions;
}

static const char *const state_names[] = {
	[KL_MODERN_UNSUBSCRIBED] = "unsubscribed",
	[KL_MODERN_JOINING] = "joining",
	[KL_MODERN_RECONCILING] = "reconciling",
	[KL_MODERN_ACKNOWLEDGING] = "acknowledging",
	[KL_MODERN_STABLE] = "stable",
	[KL_MODERN_FENCED] = "fenced",
	[KL_MODERN_PREPARE_LEAVING] = "prepare_leaving",
	[KL_MODERN_LEAVING] = "leaving",
	[KL_MODERN_STALE] = "stale",
	[KL_MODERN_FATAL] = "fatal",
};
static const char *const event_names[] = {
	[KL_MODERN_ON_JOIN] = "join",
	[KL_MODERN_ON_TARGET] = "target",
	[KL_MODERN_ON_SAME] = "same",
	[KL_MODERN_ON_RECONCILED] = "reconciled",
	[KL_MODERN_ON_SENT] = "sent",
	[KL_MODERN_ON_SENT_PART] = "sent_part",
	[KL_MODERN_ON_SENT_LATE] = "sent_late",
	[KL_MODERN_ON_UNSENT] = "unsent",
	[KL_MODERN_ON_FENCED] = "fenced",
	[KL_MODERN_ON_FATAL] = "fatal",
	[KL_MODERN_ON_RELEASED] = "released",
	[KL_MODERN_ON_LEAVE] = "leave",
	[KL_MODERN_ON_EXPIRED] = "expired",
	[KL_MODERN_ON_POLLED] = "polled",
	[KL_MODERN_ON_LEFT] = "left",
};
_Static_assert(kl_countof(state_names) == KL_MODERN_STATES, "a state has no name");
_Static_assert(kl_countof(event_names) == KL_MODERN_EVENTS, "an event has no name");

const char *kl_modern_state_name(enum kl_modern_state state)
{
	return state_names[state];
}

const char *kl_modern_event_name(enum kl_modern_event event)
{
	return event_names[event];
}

/* --- the member --- */

void kl_modern_init(struct kl_modern *member, const struct klamm_uuid *uuid, bool is_static)
{
	*member = (struct kl_modern){
		.is_static = is_static,
		.target = KL_MODERN_SET_NONE,
		.owned = KL_MODERN_SET_NONE,
		.next = KL_MODERN_SET_NONE,
		.owned_version = 1,
		.heartbeat_at = KL_NEVER,
	};
	kl_uuid_text(uuid, member->id);
}

void kl_modern_free(struct kl_modern *member)
{
	kl_modern_set_free(&member->target);
	kl_modern_set_free(&member->owned);
	kl_modern_set_free(&member->next);
}

/* A new life: the coordinator is told everything, and told at once. */
static void begin(struct kl_modern *member)
{
	if (!KL_BUG(EPOCH_KEPT))
		member->epoch = KL_MODERN_JOINS;
	member->told = (struct kl_modern_told){0};
	member->polled = member->late = false;
	member->outdated = member->in_flight;
	member->heartbeat_at = 0;
	kl_modern_set_free(&member->target);
	kl_modern_set_free(&member->owned);
}

static void enter(struct kl_modern *member, enum kl_modern_state state)
{
	member->state = state;
	member->reconciling &= state == KL_MODERN_RECONCILING;
	if (state == KL_MODERN_JOINING)
		begin(member);
	else if (state == KL_MODERN_ACKNOWLEDGING)
		member->heartbeat_at = kl_min(member->heartbeat_at, (int64_t)0);
	else if (state == KL_MODERN_LEAVING)
		member->epoch = member->is_static ? KL_MODERN_LEAVES_STATIC
						  : KL_MODERN_LEAVES;
	else if (state == KL_MODERN_FENCED && !KL_BUG(EPOCH_KEPT))
		member->epoch = KL_MODERN_JOINS;
}

static unsigned take(struct kl_modern *member, enum kl_modern_event event)
{
	enum kl_modern_state next;
	unsigned actions = kl_modern_step(member->state, event, &next);
	if (next != member->state)
		enter(member, next);
	if (actions & (REVOKE | LOSE))
		member->letting_go = true;
	if (actions & FORGET) {
		member->letting_go = false;
		kl_modern_set_free(&member->target);
		kl_modern_set_free(&member->owned);
	}
	return actions;
}

/* A member that is stale joins again when someone polls, but not before it has let go. */
static unsigned on_polled(struct kl_modern *member)
{
	if (member->state != KL_MODERN_STALE || !member->letting_go)
		return take(member, KL_MODERN_ON_POLLED);
	member->polled = true;
	return 0;
}

unsigned kl_modern_on(struct kl_modern *member, enum kl_modern_event event)
{
	if (event == KL_MODERN_ON_POLLED)
		return on_polled(member);
	if (event == KL_MODERN_ON_UNSENT && member->late)
		event = KL_MODERN_ON_SENT_LATE;
	unsigned actions = take(member, event);
	if (event == KL_MODERN_ON_EXPIRED && (actions & LEAVE))
		member->late = true;
	if (event == KL_MODERN_ON_RELEASED && member->polled)
		actions |= take(member, KL_MODERN_ON_POLLED);
	return actions;
}

/* --- reconciliation --- */

/* false: out of memory; next is void. */
static bool work_out(struct kl_modern *member, kl_modern_known_fn known, void *arg)
{
	const struct kl_modern_set *target = &member->target;
	bool is_known = false;
	member->next.count = 0;
	for (size_t i = 0; i < target->count; i++) {
		const struct klamm_uuid *topic = &target->list[i].topic;
		if (i == 0 || !kl_uuid_equal(topic, &target->list[i - 1].topic))
			is_known = known(arg, topic);
		if (is_known && !kl_modern_set_add(&member->next, topic,
						   target->list[i].partition))
			return false;
	}
	member->next.number = target->number;
	return true;
}

/* Kafka's client acknowledges once more, and again, while topics have no names; what it has
 * for this target was acknowledged already, and this waits instead. */
enum kl_modern_way kl_modern_next(struct kl_modern *member, kl_modern_known_fn known,
				  void *arg)
{
	if (member->state != KL_MODERN_RECONCILING || member->reconciling)
		return KL_MODERN_WAIT;
	if (!work_out(member, known, arg))
		return KL_MODERN_SHORT;
	if (kl_modern_set_equal(&member->next, &member->owned))
		return KL_MODERN_WAIT;
	member->reconciling = true;
	return member->owned.number >= 0 && kl_modern_set_alike(&member->next, &member->owned)
		       ? KL_MODERN_QUIET
		       : KL_MODERN_CHANGE;
}

unsigned kl_modern_reconciled(struct kl_modern *member, bool done)
{
	bool was = member->reconciling;
	member->reconciling = false;
	if (!was || !done)
		return 0;
	kl_modern_set_swap(&member->owned, &member->next);
	member->owned_version++;
	return take(member, KL_MODERN_ON_RECONCILED);
}

/* --- heartbeats: when, and what follows --- */

/* A heartbeat that was given up may reach the coordinator late. If it is behind its successor,
 * the target that changes by it goes to nobody, and is told again only to who asks. */
#define STRAGGLERS (10 * (int64_t)KL_SECOND)

int64_t kl_modern_due(const struct kl_modern *member)
{
	if (KL_BUG(SILENT_REBALANCE) && member->state == KL_MODERN_RECONCILING)
		return KL_NEVER;
	switch (member->state) {
	case KL_MODERN_UNSUBSCRIBED:
	case KL_MODERN_FENCED:
	case KL_MODERN_LEAVING: /* has a last one of its own */
	case KL_MODERN_STALE:
	case KL_MODERN_FATAL:
		return KL_NEVER;
	default:
		return member->in_flight ? KL_NEVER : member->heartbeat_at;
	}
}

void kl_modern_hurry(struct kl_modern *member, int64_t now)
{
	member->heartbeat_at = kl_min(member->heartbeat_at, now);
}

unsigned kl_modern_sent(struct kl_modern *member, int64_t now)
{
	if (member->state == KL_MODERN_LEAVING)
		return take(member, member->late ? KL_MODERN_ON_SENT_LATE
						 : KL_MODERN_ON_SENT);
	if (member->straggles && !KL_BUG(STRAGGLER_FORGOTTEN))
		member->full_until = now + STRAGGLERS;
	member->straggles = false;
	member->in_flight = true;
	member->heartbeat_at = now + member->interval;
	return take(member, kl_modern_set_equal(&member->owned, &member->target)
				    ? KL_MODERN_ON_SENT
				    : KL_MODERN_ON_SENT_PART);
}

/* Another target gets a number of its own. false: out of memory, or no set at all. */
static bool read_target(struct kl_modern *member,
			const struct kl_consumer_group_heartbeat_response_assignment *told)
{
	struct kl_modern_set set = KL_MODERN_SET_NONE;
	for (int32_t t = 0; t < told->topic_partitions_n; t++) {
		const struct kl_consumer_group_heartbeat_response_topic *topic =
			&told->topic_partitions[t];
		for (int32_t i = 0; i < topic->partitions_n; i++) {
			if (kl_modern_set_add(&set, &topic->topic_id, topic->partitions[i]))
				continue;
			kl_modern_set_free(&set);
			return false;
		}
	}
	kl_modern_set_sort(&set);
	set.number = member->target.number + 1;
	if (member->target.number < 0 || !kl_modern_set_alike(&set, &member->target))
		kl_modern_set_swap(&set, &member->target);
	kl_modern_set_free(&set);
	return true;
}

static bool takes_targets(enum kl_modern_state state)
{
	return state == KL_MODERN_JOINING || state == KL_MODERN_RECONCILING ||
	       state == KL_MODERN_ACKNOWLEDGING || state == KL_MODERN_STABLE;
}

/* While a change is under way the target is never what it has: that is not settled. */
static unsigned new_target(struct kl_modern *member)
{
	bool same = !member->reconciling &&
		    kl_modern_set_equal(&member->owned, &member->target);
	return take(member, same ? KL_MODERN_ON_SAME : KL_MODERN_ON_TARGET);
}

/* It will have to be told everything: then the coordinator tells everything, too. */
static unsigned lost_answer(struct kl_modern *member, int64_t again_at)
{
	if (!KL_BUG(ANSWER_NOT_MISSED))
		member->told = (struct kl_modern_told){0};
	member->heartbeat_at = again_at;
	member->failures++;
	return HEARTBEAT;
}

/* The coordinator says goodbye, and names no interval: to a member that joins, whose instance
 * is free for it now; or that meant to, and leaves anyway. */
static unsigned gave_back(struct kl_modern *member)
{
	if (member->state == KL_MODERN_JOINING)
		begin(member);
	else
		member->heartbeat_at = KL_NEVER;
	return HEARTBEAT;
}

bool kl_modern_is_outdated(struct kl_modern *member)
{
	bool is = member->outdated;
	member->outdated = false;
	return is;
}

unsigned kl_modern_answered(struct kl_modern *member, int64_t now,
			    const struct kl_consumer_group_heartbeat_response *answer)
{
	int64_t interval = kl_max(answer->heartbeat_interval_ms, 1) * (int64_t)KL_MS;
	member->in_flight = false;
	if (kl_modern_is_outdated(member))
		return HEARTBEAT;
	member->failures = 0;
	if (now < member->full_until)
		member->told = (struct kl_modern_told){0};
	if (answer->member_epoch < 0)
		return gave_back(member);
	if (interval != member->interval)
		member->heartbeat_at = kl_min(member->heartbeat_at, now + interval);
	/* The first was sent when no interval was known. */
	if (member->interval == 0 && member->state != KL_MODERN_ACKNOWLEDGING)
		member->heartbeat_at = now + interval;
	member->interval = interval;
	if (!takes_targets(member->state) && member->state != KL_MODERN_PREPARE_LEAVING)
		return 0;
	member->epoch = answer->member_epoch;
	if (answer->assignment == NULL || !takes_targets(member->state))
		return HEARTBEAT;
	if (!read_target(member, answer->assignment))
		return lost_answer(member, now + interval);
	return new_target(member) | HEARTBEAT;
}

void kl_modern_unanswered(struct kl_modern *member, int64_t again_at)
{
	member->in_flight = member->outdated = false;
	lost_answer(member, again_at);
}
