/* SPDX-License-Identifier: BSD-2-Clause */
/* Does what the table of classic.h says. */
#include "core/consumer/classic_member.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/order.h"
#include "core/broker/backoff.h"
#include "core/consumer/consumer.h"
#include "core/consumer/pattern.h"

struct klamm_consumer *kl_classic_consumer(const struct kl_classic *k)
{
	return kl_membership_consumer(k->m);
}

/* --- what has to be given up --- */

static bool everything(const struct kl_cpart *part, void *arg)
{
	(void)part;
	(void)arg;
	return true;
}

static bool not_subscribed(const struct kl_cpart *part, void *arg)
{
	const struct kl_classic *k = arg;
	return !kl_names_has(&k->m->topics, part->topic->name);
}

static bool not_assigned(const struct kl_cpart *part, void *arg)
{
	const struct kl_classic *k = arg;
	struct klamm_topic_partition key = {part->topic->name, part->partition};
	return k->mine.count == 0 || bsearch(&key, k->mine.partitions, k->mine.count,
					     sizeof(key), kl_by_topic_partition) == NULL;
}

bool kl_classic_is_less(struct kl_classic *k)
{
	const struct klamm_consumer *c = kl_classic_consumer(k);
	for (const struct kl_cpart *part = c->assigned; part != NULL; part = part->hh.next)
		if (not_assigned(part, k))
			return true;
	return false;
}

static bool ask_give(struct kl_classic *k)
{
	if (k->state == KL_CLASSIC_REVOKE)
		return kl_membership_ask_give(k->m, not_assigned, k);
	return kl_membership_ask_give(k->m, k->cooperative ? not_subscribed : everything, k);
}

/* What is assigned and not here yet. */
static void ask_take(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	struct klamm_topic_partition *list =
		kl_arena_array(&k->mine_arena, k->mine.count, sizeof(*list));
	size_t n = 0;
	for (size_t i = 0; list != NULL && i < k->mine.count; i++) {
		const struct klamm_topic_partition *tp = &k->mine.partitions[i];
		const struct kl_cpart *own =
			kl_cpart_find_in_loop(c, tp->topic, tp->partition);
		if (own == NULL || own->leaving)
			list[n++] = *tp;
	}
	/* Short of memory, what is here already is skipped later. */
	if (list != NULL)
		kl_membership_ask_take(k->m, list, n);
	else
		kl_membership_ask_take(k->m, k->mine.partitions, k->mine.count);
}

/* --- doing --- */

static void back_off(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	k->retry_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
						c->settings->retry_backoff_max_ms,
						k->failures++);
}

static void tell(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (k->state == KL_CLASSIC_FATAL)
		kl_membership_kill(k->m, &k->err);
	else if (kl_auth_is_refusal(&k->err))
		kl_group_tell(c, &k->err);
	else
		kl_results_error(c, NULL, &k->err);
}

static void begin_joining(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	k->join.wanted = true;
	k->has_told = k->wish = k->look.wanted = false;
	k->withheld_until = KL_NEVER;
	k->joins_since = c->loop->now;
	kl_membership_overlook(k->m); /* or one change would cost the group two rounds */
	/* The members of a group find a new topic at different times: who looks before it
	 * joins spares the group a round. */
	if (k->m->pattern != NULL && k->m->listed && c->loop->now >= c->cluster.next_at)
		kl_membership_refresh(k->m);
	else if (k->m->listed)
		k->joins_since = k->m->listed_at;
}

static void end_things(struct kl_classic *k, uint32_t actions)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (actions & KL_CLASSIC_CANCEL)
		kl_classic_cancel(k);
	if (actions & KL_CLASSIC_SAY_GOODBYE)
		kl_classic_say_goodbye(k);
	if (actions & (KL_CLASSIC_DROP_GENERATION | KL_CLASSIC_DROP_MEMBER))
		kl_membership_set_generation(k->m, -1);
	if (actions & KL_CLASSIC_DROP_MEMBER)
		kl_membership_set_id(k->m, "", 0);
	if (actions & KL_CLASSIC_LOOK)
		kl_coordinator_lost(&c->group.coordinator, &k->err);
	if (actions & KL_CLASSIC_WAIT)
		back_off(k);
	if (actions & KL_CLASSIC_WELL)
		k->failures = 0;
	k->wish |= (actions & KL_CLASSIC_WISH) != 0;
}

static void begin_things(struct kl_classic *k, uint32_t actions)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (actions & KL_CLASSIC_BEAT) {
		k->heard_at = c->loop->now;
		k->beat_at = c->loop->now + c->settings->heartbeat_interval_ms * KL_MS;
	}
	if (actions & KL_CLASSIC_SEND_JOIN)
		begin_joining(k);
	if (actions & KL_CLASSIC_RUN_ASSIGNOR)
		kl_classic_assign(k);
	k->sync.wanted |= (actions & KL_CLASSIC_SEND_SYNC) != 0;
	if ((actions & KL_CLASSIC_ASK_LOSE) && !kl_membership_ask_lose(k->m))
		kl_classic_on(k, KL_CLASSIC_LOST);
	else if ((actions & KL_CLASSIC_ASK_GIVE) && !ask_give(k))
		kl_classic_on(k, KL_CLASSIC_GAVE);
	else if (actions & KL_CLASSIC_ASK_TAKE)
		ask_take(k);
}

void kl_classic_on(struct kl_classic *k, enum kl_classic_event event)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	enum kl_classic_state before = k->state;
	uint32_t actions = kl_classic_step(before, event, &k->state);
	kl_log(&c->log, KL_LOG_DEBUG, "group", "%s: %s: %s -> %s", c->group.id,
	       kl_classic_event_name(event), kl_classic_state_name(before),
	       kl_classic_state_name(k->state));
	if (k->state == KL_CLASSIC_IDLE && before != KL_CLASSIC_IDLE)
		kl_membership_await_poll(k->m);
	if (k->state == KL_CLASSIC_REVOKE || (actions & KL_CLASSIC_WISH))
		k->owing = k->m->generation;
	end_things(k, actions);
	begin_things(k, actions);
	if (actions & KL_CLASSIC_TELL) /* last: poll() has heard that all is lost before */
		tell(k);
	kl_membership_changed(k->m);
}

/* --- what the driver tells --- */

static enum kl_classic_event translate(struct kl_classic *k, enum kl_member_event event)
{
	switch (event) {
	case KL_MEMBER_SUBSCRIBED:
		return KL_CLASSIC_SUBSCRIBE;
	case KL_MEMBER_LEAVES:
		return KL_CLASSIC_LEAVE;
	case KL_MEMBER_POLLED:
		return KL_CLASSIC_POLL;
	case KL_MEMBER_SILENT:
		return KL_CLASSIC_SILENT;
	case KL_MEMBER_REJOINS:
	case KL_MEMBER_NEWS:
		return KL_CLASSIC_AGAIN;
	case KL_MEMBER_GAVE:
		return KL_CLASSIC_GAVE;
	case KL_MEMBER_LOST:
		return KL_CLASSIC_LOST;
	case KL_MEMBER_TOOK:
		break;
	}
	return k->wish || k->joined_version != k->m->version ? KL_CLASSIC_TOOK_AGAIN
							      : KL_CLASSIC_TOOK;
}

static void say_silent(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	if (k->state == KL_CLASSIC_OUT || k->state == KL_CLASSIC_IDLE)
		return;
	kl_log(&c->log, KL_LOG_WARN, "group",
	       "%s: poll() was not called for max.poll.interval.ms (%d): this member gives "
	       "its partitions up and joins again at the next poll(); take smaller batches "
	       "at a time, or raise the limit",
	       c->group.id, c->settings->max_poll_interval_ms);
	snprintf(k->reason, sizeof(k->reason), "consumer poll timeout has expired.");
	k->m->end = KLAMM_MEMBERSHIP_DEFAULT;
}

static void on(struct kl_membership *m, enum kl_member_event event)
{
	struct kl_classic *k = m->self;
	if (event == KL_MEMBER_SUBSCRIBED)
		kl_membership_set_reason(m, "subscription has changed");
	if (event == KL_MEMBER_SILENT)
		say_silent(k);
	if (event == KL_MEMBER_LEAVES)
		snprintf(k->reason, sizeof(k->reason), "%s", m->reason);
	kl_classic_on(k, translate(k, event));
}

static void failed(struct kl_membership *m, const struct klamm_error *err)
{
	struct kl_classic *k = m->self;
	k->err = *err;
	k->leave.wanted = false;
	atomic_store(&m->parting, false);
	kl_classic_on(k, KL_CLASSIC_REFUSED);
}

static void commit_answered(struct kl_membership *m, int code, int32_t generation)
{
	struct kl_classic *k = m->self;
	enum kl_classic_event event = kl_classic_verdict(KL_CLASSIC_OFFSET_COMMIT, code);
	if (event == KL_CLASSIC_FINE || event == KL_CLASSIC_ELSEWHERE ||
	    generation != m->generation || !kl_classic_beats(k->state))
		return;
	kl_group_error(kl_classic_consumer(k), code, "committing offsets", &k->err);
	kl_membership_set_reason(m, event == KL_CLASSIC_CALLED
					    ? "offset commit failed since group is already "
					      "rebalancing"
					    : "encountered an error from an offset commit");
	kl_classic_on(k, event);
}

/* --- what the driver asks --- */

static enum kl_commit_gate commit_gate(const struct kl_membership *m, struct klamm_error *err)
{
	const struct kl_classic *k = m->self;
	const struct klamm_consumer *c = kl_membership_consumer(m);
	switch (k->state) {
	case KL_CLASSIC_PREPARE:
	case KL_CLASSIC_JOIN: /* the generation is good until all have joined */
	case KL_CLASSIC_REVOKE:
	case KL_CLASSIC_TAKE:
	case KL_CLASSIC_STABLE:
		if (m->generation >= 0)
			return KL_GATE_GO;
		break;
	case KL_CLASSIC_ASSIGN:
	case KL_CLASSIC_SYNC:
		/* The coordinator would say REBALANCE_IN_PROGRESS. */
		if (m->generation >= 0)
			return KL_GATE_HOLD;
		break;
	case KL_CLASSIC_FATAL:
		kl_error_copy(err, &m->fatal);
		return KL_GATE_FAIL;
	default:
		break;
	}
	kl_group_error(c, KLAMM_ERR_UNKNOWN_MEMBER_ID, "committing offsets", err);
	return KL_GATE_FAIL;
}

static bool holds_connection(const struct kl_membership *m)
{
	const struct kl_classic *k = m->self;
	return k->join.under_way || k->sync.under_way;
}

static bool owns(const struct kl_membership *m)
{
	const struct kl_classic *k = m->self;
	bool joins = k->state == KL_CLASSIC_JOIN; /* and others may not have yet */
	return m->generation >= 0 && k->state != KL_CLASSIC_ASSIGN &&
	       (joins || kl_classic_beats(k->state));
}

/* Whoever had to give something up joins anew by that. One that was killed before it could,
 * and is static, comes back to what it has left; the others do not hear of it. */
static void watch_withheld(struct kl_classic *k, int64_t *when)
{
	const struct klamm_consumer *c = kl_classic_consumer(k);
	if (k->state != KL_CLASSIC_STABLE)
		return;
	if (k->withheld_until > c->loop->now) {
		*when = kl_min(*when, k->withheld_until);
		return;
	}
	kl_membership_set_reason(k->m, "partitions wait for owners since a rebalance");
	kl_classic_on(k, KL_CLASSIC_AGAIN);
}

static void round_(struct kl_membership *m, int64_t *when)
{
	struct kl_classic *k = m->self;
	watch_withheld(k, when);
	kl_classic_work(k);
	kl_classic_send(k, when);
	kl_classic_look(k, when);
}

/* --- beginning and end --- */

static int make(struct kl_membership *m, void **self_out, struct klamm_error *err)
{
	struct kl_classic *k = calloc(1, sizeof(*k));
	if (k == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a member");
	k->m = m;
	k->owing = -1;
	int rc = kl_classic_open_assignors(k, err);
	if (rc == 0) {
		*self_out = k;
		return 0;
	}
	kl_classic_close_assignors(k);
	free(k);
	return rc;
}

static void stop(struct kl_membership *m)
{
	struct kl_classic *k = m->self;
	k->state = KL_CLASSIC_OUT;
	k->join.wanted = k->sync.wanted = k->leave.wanted = false;
}

static void free_member(struct kl_membership *m)
{
	struct kl_classic *k = m->self;
	kl_classic_requests_free(k);
	kl_classic_work_free(k);
	kl_classic_close_assignors(k);
	free(k);
}

const struct kl_member_ops kl_classic_ops = {
	.make = make,
	.free = free_member,
	.stop = stop,
	.on = on,
	.commit_answered = commit_answered,
	.failed = failed,
	.round = round_,
	.commit_gate = commit_gate,
	.holds_connection = holds_connection,
	.owns = owns,
};
