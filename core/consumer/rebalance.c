/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rebalance asks of the application's thread: to commit, to call the listener, to
 * change the assignment. Steps, that a poll() which has no time left leaves to the next. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/base/order.h"
#include "core/consumer/consumer.h"

static struct kl_membership *membership(struct klamm_consumer *c)
{
	return &c->group.membership;
}

int kl_rebalance_check(const struct klamm_consumer *c, const char *what,
		       struct klamm_error *err)
{
	int rc = kl_consumer_check(c, true, err);
	if (rc != 0 || !c->group.membership.listening)
		return rc;
	return kl_error(err, KLAMM_ERR_STATE,
			"%s is not possible inside a function of the listener, which is "
			"called in the middle of a rebalance",
			what);
}

/* --- waiting for commits --- */

static bool commits_have_ended(void *arg)
{
	struct klamm_consumer *c = arg;
	const struct kl_commit *commit = membership(c)->run.commit;
	return (commit == NULL || atomic_load(&commit->ended)) &&
	       atomic_load(&c->group.open) == 0;
}

static bool commits_or_wakeup(void *arg)
{
	struct klamm_consumer *c = arg;
	return commits_have_ended(c) || atomic_load(&c->woken);
}

static void end_commit(struct klamm_consumer *c)
{
	struct kl_step_run *run = &membership(c)->run;
	struct kl_commit *commit = run->commit;
	if (commit == NULL)
		return;
	run->commit = NULL;
	if (!atomic_load(&commit->ended))
		kl_commit_abandon(c, commit);
	if (commit->err.code != 0)
		kl_log(&c->log, KL_LOG_WARN, "group",
		       "positions are not committed before their partitions leave: %s",
		       commit->err.text);
	kl_commit_free(commit);
}

/* All commits that are under way, while there is time for it. What is not committed by then
 * is read twice. */
static int await_commits(struct klamm_consumer *c, int64_t deadline, struct klamm_error *err)
{
	const struct kl_step_run *run = &membership(c)->run;
	int64_t until = kl_min(deadline, run->until);
	bool over = !kl_loop_wait(c->loop, &c->gate, commits_or_wakeup, c, until);
	if (atomic_exchange(&c->woken, false))
		return kl_error(err, KLAMM_ERR_INTERRUPTED,
				"klamm_consumer_wakeup() was called");
	if (over && c->os->now(c->os) < run->until)
		return kl_error(err, KLAMM_ERR_TIMED_OUT, "a rebalance goes on");
	end_commit(c);
	kl_commit_callbacks(c);
	return 0;
}

/* --- the listener --- */

struct klamm_topic_partition *kl_rebalance_list(const struct klamm_consumer *c, bool leaving,
						size_t *count_out)
{
	size_t n = 0;
	struct klamm_topic_partition *list =
		calloc(HASH_COUNT(c->assigned) + 1, sizeof(*list));
	if (list == NULL)
		return NULL;
	for (const struct kl_cpart *part = c->assigned; part != NULL; part = part->hh.next)
		if (!leaving || part->leaving)
			list[n++] = (struct klamm_topic_partition){part->topic->name,
								   part->partition};
	qsort(list, n, sizeof(*list), kl_by_topic_partition);
	*count_out = n;
	return list;
}

static void call_listener(struct klamm_consumer *c, enum kl_step step,
			  const struct klamm_topic_partition *parts, size_t count)
{
	struct kl_membership *m = membership(c);
	const struct klamm_listener *listener = &m->listener;
	void (*fn)(void *arg, struct klamm_consumer *consumer,
		   const struct klamm_topic_partition *partitions, size_t count) =
		step == KL_STEP_TAKE   ? listener->assigned
		: step == KL_STEP_GIVE ? listener->revoked
		: listener->lost       ? listener->lost
				       : listener->revoked;
	static const unsigned meters[] = {
		[KL_STEP_TAKE] = KL_COORD_ASSIGNED,
		[KL_STEP_GIVE] = KL_COORD_REVOKED,
		[KL_STEP_LOSE] = KL_COORD_LOST,
	};
	if (fn == NULL)
		return;
	int64_t begun = c->os->now(c->os);
	m->listening = true;
	fn(listener->arg, c, parts, count);
	m->listening = false;
	int64_t now = c->os->now(c->os);
	kl_group_count(c, meters[step], now - begun, now);
}

/* --- one step --- */

static void begin_in_loop(void *arg)
{
	struct kl_membership *m = arg;
	m->run.step = m->step;
	m->begun = m->step != KL_STEP_NONE;
	atomic_store(&m->due, m->begun);
}

static void begin(struct klamm_consumer *c)
{
	struct kl_membership *m = membership(c);
	struct kl_step_run *run = &m->run;
	kl_loop_call(c->loop, begin_in_loop, m);
	if (run->step == KL_STEP_NONE)
		return;
	run->phase = KL_PHASE_CALL;
	if (run->step != KL_STEP_GIVE)
		return;
	run->phase = KL_PHASE_COMMIT;
	run->until = kl_os_deadline_ms(c->os, c->settings->max_poll_interval_ms);
	run->commit = kl_commit_of_leaving(c);
}

/* What was to be given up may be lost by now. */
static void look_again_in_loop(void *arg)
{
	struct kl_membership *m = arg;
	if (m->next_step != KL_STEP_LOSE)
		return;
	m->step = m->run.step = KL_STEP_LOSE;
	m->next_step = KL_STEP_NONE;
	kl_membership_let_go_of_all(m);
}

static void end_in_loop(void *arg)
{
	struct kl_membership *m = arg;
	struct klamm_consumer *c = kl_membership_consumer(m);
	static const enum kl_member_event events[] = {
		[KL_STEP_TAKE] = KL_MEMBER_TOOK,
		[KL_STEP_GIVE] = KL_MEMBER_GAVE,
		[KL_STEP_LOSE] = KL_MEMBER_LOST,
	};
	enum kl_step done = m->step, next = m->next_step;
	if (done != KL_STEP_TAKE && !KL_BUG(NOT_GIVEN_UP))
		kl_parts_drop(c);
	m->step = m->next_step = KL_STEP_NONE;
	m->begun = false;
	atomic_store(&m->due, false);
	kl_membership_on(m, events[done]);
	if (next == KL_STEP_LOSE && !kl_membership_ask_lose(m))
		kl_membership_on(m, KL_MEMBER_LOST);
	else if (next == KL_STEP_TAKE || next == KL_STEP_GIVE)
		kl_membership_ask(m, next);
}

static void end(struct klamm_consumer *c)
{
	struct kl_membership *m = membership(c);
	kl_loop_call(c->loop, end_in_loop, m);
	m->run.step = KL_STEP_NONE;
	m->run.phase = KL_PHASE_NONE;
}

/* Who commits for the new assignment, for klamm_consumer_group_metadata(). */
static void remember_in_loop(void *arg)
{
	struct kl_membership *m = arg;
	char *id = strdup(m->id != NULL ? m->id : "");
	if (id == NULL)
		return; /* with the old one commits are refused, and that is all */
	free(m->told_id);
	m->told_id = id;
	m->told_generation = m->generation;
}

static int take(struct klamm_consumer *c, struct klamm_error *err)
{
	struct kl_membership *m = membership(c);
	int rc = kl_parts_take(c, m->take, m->take_count, err);
	if (rc != 0)
		return rc;
	kl_loop_call(c->loop, remember_in_loop, m);
	if (c->group.auto_at != KL_NEVER)
		c->group.auto_at = kl_loop_lately(c->loop) +
				   c->settings->auto_commit_interval_ms * KL_MS;
	call_listener(c, KL_STEP_TAKE, m->take, m->take_count);
	return 0;
}

static int call(struct klamm_consumer *c, struct klamm_error *err)
{
	struct kl_membership *m = membership(c);
	size_t count;
	if (m->run.step == KL_STEP_TAKE)
		return take(c, err);
	struct klamm_topic_partition *parts = kl_rebalance_list(c, true, &count);
	if (parts == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a rebalance");
	if (count > 0)
		call_listener(c, m->run.step, parts, count);
	free(parts);
	return 0;
}

/* There is no memory for a list of all that leaves. */
static void call_one_by_one(struct klamm_consumer *c)
{
	for (const struct kl_cpart *part = c->assigned; part != NULL; part = part->hh.next) {
		const struct klamm_topic_partition one = {part->topic->name, part->partition};
		call_listener(c, membership(c)->run.step, &one, 1);
	}
}

static int go_on(struct klamm_consumer *c, int64_t deadline, struct klamm_error *err)
{
	struct kl_membership *m = membership(c);
	struct kl_step_run *run = &m->run;
	int rc = 0;
	switch (run->phase) {
	case KL_PHASE_NONE:
		begin(c);
		return 0;
	case KL_PHASE_COMMIT:
		rc = await_commits(c, deadline, err);
		if (rc != 0)
			return rc;
		kl_loop_call(c->loop, look_again_in_loop, m);
		run->phase = KL_PHASE_CALL;
		return 0;
	case KL_PHASE_CALL:
		rc = call(c, err);
		if (rc == 0)
			run->phase = KL_PHASE_DRAIN;
		return rc;
	case KL_PHASE_DRAIN:
		if (run->step == KL_STEP_GIVE)
			rc = await_commits(c, deadline, err);
		if (rc == 0)
			end(c);
		return rc;
	}
	return 0;
}

static void polled_in_loop(void *arg)
{
	struct kl_membership *m = arg;
	if (atomic_exchange(&m->awaits_poll, false))
		kl_membership_on(m, KL_MEMBER_POLLED);
}

struct why {
	const struct kl_membership *m;
	struct klamm_error err;
};

static void why_in_loop(void *arg)
{
	struct why *why = arg;
	why->err = why->m->fatal;
}

int kl_rebalance(struct klamm_consumer *c, int64_t deadline, struct klamm_error *err)
{
	struct kl_membership *m = membership(c);
	if (atomic_load(&m->awaits_poll))
		kl_loop_call(c->loop, polled_in_loop, m);
	bool dead = atomic_load(&m->dead); /* if so, the last step is due by now */
	while (atomic_load(&m->due)) {
		int rc = go_on(c, deadline, err);
		if (rc != 0)
			return rc;
	}
	if (!dead)
		return 0;
	struct why why = {.m = m};
	kl_loop_call(c->loop, why_in_loop, &why);
	return kl_error_copy(err, &why.err);
}

/* --- leaving --- */

struct leave {
	struct kl_membership *m;
	enum klamm_membership_end end;
	const char *reason;
	bool owns;
};

/* No step is begun from now on. */
static void give_up_in_loop(void *arg)
{
	struct leave *leave = arg;
	struct kl_membership *m = leave->m;
	leave->owns = m->ops->owns(m);
	/* Of these it was told. */
	if (m->run.step == KL_STEP_GIVE && m->run.phase == KL_PHASE_DRAIN)
		kl_parts_drop(kl_membership_consumer(m));
	m->begun = true;
	m->step = leave->owns ? KL_STEP_GIVE : KL_STEP_LOSE;
	atomic_store(&m->due, false);
	kl_membership_let_go_of_all(m);
}

static void leave_in_loop(void *arg)
{
	struct leave *leave = arg;
	struct kl_membership *m = leave->m;
	kl_parts_drop(kl_membership_consumer(m));
	kl_membership_unsubscribe(m);
	m->end = leave->end;
	kl_membership_set_reason(m, leave->reason);
	kl_membership_on(m, KL_MEMBER_LEAVES);
	m->begun = false;
	m->step = m->next_step = KL_STEP_NONE;
	atomic_store(&m->due, false);
	atomic_store(&m->awaits_poll, false);
	atomic_store(&m->dead, false);
}

static bool has_left(void *arg)
{
	return !atomic_load(&membership(arg)->parting);
}

void kl_rebalance_leave(struct klamm_consumer *c, enum klamm_membership_end end,
			const char *reason, int64_t deadline)
{
	struct kl_membership *m = membership(c);
	struct leave leave = {m, end, reason, false};
	if (!m->subscribed)
		return;
	m->run.until = deadline;
	end_commit(c);
	kl_loop_call(c->loop, give_up_in_loop, &leave);
	m->run.step = leave.owns ? KL_STEP_GIVE : KL_STEP_LOSE;
	if (call(c, NULL) != 0)
		call_one_by_one(c);
	if (leave.owns)
		kl_loop_wait(c->loop, &c->gate, commits_have_ended, c, deadline);
	kl_commit_callbacks(c);
	kl_loop_call(c->loop, leave_in_loop, &leave);
	m->run = (struct kl_step_run){0};
	kl_loop_wait(c->loop, &c->gate, has_left, c, deadline);
}
