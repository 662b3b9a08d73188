/* SPDX-License-Identifier: BSD-2-Clause */
/* Does what the machine of modern.h says: has the application's thread give up and take
 * partitions, and heartbeats sent. */
#include "core/consumer/modern_member.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/order.h"
#include "core/consumer/consumer.h"

struct klamm_consumer *kl_modern_consumer(const struct kl_modern_member *k)
{
	return kl_membership_consumer(k->m);
}

/* --- reconciliation --- */

static bool is_known(void *arg, const struct klamm_uuid *id)
{
	return kl_modern_name_of(arg, id) != NULL;
}

static bool is_not_mine(const struct kl_cpart *part, void *arg)
{
	const struct kl_modern_member *k = arg;
	struct klamm_topic_partition key = {part->topic->name, part->partition};
	return k->mine_count == 0 ||
	       bsearch(&key, k->mine, k->mine_count, sizeof(key), kl_by_topic_partition) ==
		       NULL;
}

/* By names from here on. false: out of memory. */
static bool list_mine(struct kl_modern_member *k)
{
	const struct kl_modern_set *next = &k->machine.next;
	kl_arena_reset(&k->mine_arena);
	k->mine = kl_arena_array(&k->mine_arena, next->count, sizeof(*k->mine));
	k->added = kl_arena_array(&k->mine_arena, next->count, sizeof(*k->added));
	k->mine_count = 0;
	for (size_t i = 0; k->mine != NULL && i < next->count; i++) {
		const char *name = kl_modern_name_of(k, &next->list[i].topic);
		char *copy = name != NULL ? kl_arena_text(&k->mine_arena, name, strlen(name))
					  : NULL;
		if (copy == NULL)
			return false;
		k->mine[k->mine_count++] =
			(struct klamm_topic_partition){copy, next->list[i].partition};
	}
	if (k->mine == NULL || k->added == NULL)
		return false;
	qsort(k->mine, k->mine_count, sizeof(*k->mine), kl_by_topic_partition);
	return true;
}

static void ask_take(struct kl_modern_member *k)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	size_t n = 0;
	for (size_t i = 0; i < k->mine_count; i++) {
		const struct klamm_topic_partition *tp = &k->mine[i];
		const struct kl_cpart *own =
			kl_cpart_find_in_loop(c, tp->topic, tp->partition);
		if (own == NULL || own->leaving)
			k->added[n++] = *tp;
	}
	kl_membership_ask_take(k->m, k->added, n);
}

/* false: out of memory, and all is as before. */
static bool reconcile(struct kl_modern_member *k)
{
	switch (kl_modern_next(&k->machine, is_known, k)) {
	case KL_MODERN_WAIT:
		break;
	case KL_MODERN_SHORT:
		return false;
	case KL_MODERN_QUIET:
		kl_modern_act(k, kl_modern_reconciled(&k->machine, true));
		break;
	case KL_MODERN_CHANGE:
		if (!list_mine(k)) {
			kl_modern_act(k, kl_modern_reconciled(&k->machine, false));
			return false;
		}
		if (!kl_membership_ask_give(k->m, is_not_mine, k))
			ask_take(k);
		break;
	}
	return true;
}

/* --- doing --- */

static void has_left(struct kl_modern_member *k)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	atomic_store(&k->m->parting, false);
	kl_gate_wake(c->os, &c->gate);
}

static void tell(struct kl_modern_member *k)
{
	if (k->machine.state == KL_MODERN_FATAL)
		kl_membership_kill(k->m, &k->err);
	else
		kl_group_tell(kl_modern_consumer(k), &k->err);
}

static void count_rebalances(struct klamm_consumer *c, enum kl_modern_state before,
			     enum kl_modern_state now)
{
	if (now == KL_MODERN_RECONCILING) {
		c->group.times.rebalances_since = 0; /* of one that came to nothing */
		kl_group_count_begin(c);
	} else if (before == KL_MODERN_RECONCILING &&
		   (now == KL_MODERN_ACKNOWLEDGING || now == KL_MODERN_STABLE)) {
		kl_group_count_end(c);
	}
}

/* What others see of it. */
static void show(struct kl_modern_member *k)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	const struct kl_modern *machine = &k->machine;
	kl_membership_set_generation(k->m, machine->epoch > 0 ? machine->epoch : -1);
	if (machine->state != k->seen) {
		kl_log(&c->log, KL_LOG_DEBUG, "group", "%s: member %s, epoch %d: %s -> %s",
		       c->group.id, machine->id, (int)machine->epoch,
		       kl_modern_state_name(k->seen), kl_modern_state_name(machine->state));
		k->life += machine->state == KL_MODERN_JOINING;
		count_rebalances(c, k->seen, machine->state);
	}
	k->seen = machine->state;
	/* The application's group metadata are of the epoch that the coordinator has. */
	if (k->life == k->told_life && machine->epoch > 0 &&
	    machine->epoch != k->m->told_generation)
		kl_membership_await_poll(k->m);
}

void kl_modern_act(struct kl_modern_member *k, unsigned actions)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	show(k);
	if (actions & KL_MODERN_FIND)
		kl_coordinator_lost(&c->group.coordinator, &k->err);
	if (actions & KL_MODERN_TELL)
		tell(k);
	if (actions & KL_MODERN_LEFT)
		has_left(k);
	if (actions & KL_MODERN_LEAVE)
		kl_modern_send_last(k);
	if ((actions & KL_MODERN_LOSE) && !kl_membership_ask_lose(k->m))
		kl_modern_act(k, kl_modern_on(&k->machine, KL_MODERN_ON_RELEASED));
	kl_membership_changed(k->m);
}

/* --- what the driver tells --- */

/* Who remains as a static member comes back; KIP-1092. */
static void set_end(struct kl_modern_member *k, enum klamm_membership_end end)
{
	k->m->end = end;
	k->machine.is_static = kl_membership_instance(k->m) != NULL &&
			       end != KLAMM_MEMBERSHIP_LEAVE;
}

/* It has let go of everything. */
static void leave(struct kl_modern_member *k)
{
	unsigned actions = kl_modern_on(&k->machine, KL_MODERN_ON_LEAVE);
	if (k->machine.letting_go)
		actions |= kl_modern_on(&k->machine, KL_MODERN_ON_RELEASED);
	kl_modern_drop_names(k);
	kl_modern_act(k, actions & ~(unsigned)(KL_MODERN_REVOKE | KL_MODERN_LOSE));
}

static void expire(struct kl_modern_member *k)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	unsigned actions = kl_modern_on(&k->machine, KL_MODERN_ON_EXPIRED);
	if (!(actions & KL_MODERN_LEAVE))
		return;
	kl_log(&c->log, KL_LOG_WARN, "group",
	       "%s: poll() was not called for max.poll.interval.ms (%d): this member leaves, "
	       "and joins again at the next poll(); take smaller batches at a time, or raise "
	       "the limit",
	       c->group.id, c->settings->max_poll_interval_ms);
	set_end(k, KLAMM_MEMBERSHIP_DEFAULT);
	kl_modern_act(k, actions);
	kl_membership_await_poll(k->m);
}

static void polled(struct kl_modern_member *k)
{
	/* In a call of the application's thread, which owns it. */
	if (k->life == k->told_life && k->m->generation > 0)
		k->m->told_generation = k->m->generation;
	if (k->machine.state == KL_MODERN_UNSUBSCRIBED)
		kl_modern_act(k, kl_modern_on(&k->machine, KL_MODERN_ON_JOIN));
	else
		kl_modern_act(k, kl_modern_on(&k->machine, KL_MODERN_ON_POLLED));
}

static void subscribed(struct kl_modern_member *k)
{
	set_end(k, KLAMM_MEMBERSHIP_DEFAULT);
	if (k->machine.state == KL_MODERN_UNSUBSCRIBED)
		kl_membership_await_poll(k->m);
	else
		kl_modern_hurry(&k->machine, kl_modern_consumer(k)->loop->now);
}

static void on(struct kl_membership *m, enum kl_member_event event)
{
	struct kl_modern_member *k = m->self;
	struct klamm_consumer *c = kl_modern_consumer(k);
	switch (event) {
	case KL_MEMBER_SUBSCRIBED:
		subscribed(k);
		break;
	case KL_MEMBER_LEAVES:
		set_end(k, m->end);
		leave(k);
		break;
	case KL_MEMBER_POLLED:
		polled(k);
		break;
	case KL_MEMBER_SILENT:
		expire(k);
		break;
	case KL_MEMBER_REJOINS:
		kl_log(&c->log, KL_LOG_WARN, "group",
		       "%s: with group.protocol=consumer a member cannot have its group "
		       "assign anew: the coordinator does so when it sees a reason",
		       c->group.id);
		break;
	case KL_MEMBER_NEWS: /* the coordinator sees that, too */
		break;
	case KL_MEMBER_GAVE:
		if (k->machine.reconciling)
			ask_take(k);
		break;
	case KL_MEMBER_TOOK:
		k->told_life = k->life;
		kl_modern_act(k, kl_modern_reconciled(&k->machine, true));
		break;
	case KL_MEMBER_LOST:
		kl_modern_act(k, kl_modern_on(&k->machine, KL_MODERN_ON_RELEASED));
		break;
	}
}

static void failed(struct kl_membership *m, const struct klamm_error *err)
{
	struct kl_modern_member *k = m->self;
	if (kl_modern_due(&k->machine) != KL_NEVER) {
		kl_modern_unanswered(&k->machine, kl_modern_later(k));
		kl_group_tell(kl_modern_consumer(k), err);
	}
}

/* The coordinator tells a member by its heartbeats what has become of it. */
static void commit_answered(struct kl_membership *m, int code, int32_t generation)
{
	struct kl_modern_member *k = m->self;
	(void)code;
	if (generation == m->generation)
		kl_modern_hurry(&k->machine, kl_modern_consumer(k)->loop->now);
}

static void round_(struct kl_membership *m, int64_t *when)
{
	struct kl_modern_member *k = m->self;
	if (k->reconcile_at <= kl_modern_consumer(k)->loop->now && !reconcile(k))
		k->reconcile_at = kl_modern_later(k);
	if (k->reconcile_at > kl_modern_consumer(k)->loop->now)
		*when = kl_min(*when, k->reconcile_at);
	kl_modern_ask_names(k, when);
	kl_modern_send(k, when);
}

/* --- what the driver asks --- */

static bool owns(const struct kl_membership *m)
{
	const struct kl_modern_member *k = m->self;
	enum kl_modern_state state = k->machine.state;
	return state == KL_MODERN_RECONCILING || state == KL_MODERN_ACKNOWLEDGING ||
	       state == KL_MODERN_STABLE;
}

static enum kl_commit_gate commit_gate(const struct kl_membership *m, struct klamm_error *err)
{
	const struct kl_modern_member *k = m->self;
	if (owns(m))
		return KL_GATE_GO;
	if (k->machine.state == KL_MODERN_FATAL)
		kl_error_copy(err, &m->fatal);
	else
		kl_group_error(kl_modern_consumer(k), KLAMM_ERR_UNKNOWN_MEMBER_ID,
			       "committing offsets", err);
	return KL_GATE_FAIL;
}

static bool holds_connection(const struct kl_membership *m)
{
	(void)m;
	return false;
}

/* --- beginning and end --- */

/* Kafka avoids ids whose text begins with a dash, which tools would take for an option. */
static void make_uuid(struct kl_os *os, struct klamm_uuid *uuid)
{
	do
		os->random(os, uuid->bytes, sizeof(uuid->bytes));
	while (uuid->bytes[0] >> 2 == 62);
	uuid->bytes[6] = (uuid->bytes[6] & 0x0f) | 0x40;
	uuid->bytes[8] = (uuid->bytes[8] & 0x3f) | 0x80;
}

static int make(struct kl_membership *m, void **self_out, struct klamm_error *err)
{
	struct kl_modern_member *k = calloc(1, sizeof(*k));
	struct klamm_uuid uuid;
	if (k != NULL) {
		make_uuid(kl_membership_consumer(m)->os, &uuid);
		kl_modern_init(&k->machine, &uuid, kl_membership_instance(m) != NULL);
	}
	if (k == NULL || !kl_membership_set_id(m, k->machine.id, strlen(k->machine.id))) {
		free(k);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a member");
	}
	k->m = m;
	*self_out = k;
	return 0;
}

static void stop(struct kl_membership *m)
{
	struct kl_modern_member *k = m->self;
	k->machine.state = KL_MODERN_UNSUBSCRIBED;
	atomic_store(&m->parting, false);
}

static void free_member(struct kl_membership *m)
{
	struct kl_modern_member *k = m->self;
	kl_request_free(&k->beat.request);
	kl_request_free(&k->last.request);
	kl_arena_free(&k->beat.arena);
	kl_arena_free(&k->last.arena);
	kl_arena_free(&k->mine_arena);
	kl_modern_drop_names(k);
	kl_modern_free(&k->machine);
	free(k);
}

const struct kl_member_ops kl_modern_ops = {
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
	.listing = kl_modern_listing,
};
