/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of the group: polls, commits, tells the owners of all that it hears. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/groups.h"

#define POLL_MS 200
#define COMMIT_MS 3000
#define CLOSE_MS 5000
/* Fibers do not run to the microsecond, and a name look-up cannot be hurried. */
#define SLACK (200 * KL_MS)
/* Its last words can be under way for so long. */
#define LEFT (2 * (int64_t)KL_SECOND)

/* --- how long calls take --- */

static int64_t now(const struct groups_slot *slot)
{
	return kl_sim_now(slot->g->sim) - slot->paused_us;
}

/* It is to return by its deadline, whatever goes wrong. */
static void check_call(struct groups_slot *slot, const char *call, int64_t begin,
		       int64_t limit_ms, int64_t *longest)
{
	int64_t took = now(slot) - begin;
	*longest = kl_max(*longest, took);
	if (took > limit_ms * (int64_t)KL_MS + SLACK)
		scenario_complain(slot->g->run, "%s: %s takes %lld ms of %lld\n", slot->name,
				  call, (long long)(took / KL_MS), (long long)limit_ms);
}

/* --- what it hears --- */

static size_t numbers(const struct klamm_topic_partition *partitions, size_t count,
		      unsigned numbers_out[GROUPS_PARTS])
{
	for (size_t i = 0; i < count && i < GROUPS_PARTS; i++)
		numbers_out[i] =
			groups_partition(partitions[i].topic, partitions[i].partition);
	return kl_min(count, (size_t)GROUPS_PARTS);
}

static void assigned(void *arg, struct klamm_consumer *consumer,
		     const struct klamm_topic_partition *partitions, size_t count)
{
	struct groups_slot *slot = arg;
	unsigned list[GROUPS_PARTS];
	struct klamm_group_metadata group = {.size = sizeof(group)};
	struct klamm_error err;
	size_t n = numbers(partitions, count, list);
	if (klamm_consumer_group_metadata(consumer, &group, &err) != 0)
		scenario_complain(slot->g->run, "group_metadata: %s\n", err.text);
	owners_assigned(slot->g->owners, slot->member, group.generation, list, n);
}

static void revoked(void *arg, struct klamm_consumer *consumer,
		    const struct klamm_topic_partition *partitions, size_t count)
{
	struct groups_slot *slot = arg;
	unsigned list[GROUPS_PARTS];
	size_t n = numbers(partitions, count, list);
	owners_revoked(slot->g->owners, slot->member, list, n);
}

/* --- what it does with records --- */

static void on_commit(void *arg, const struct klamm_offset *offsets, size_t count,
		      const struct klamm_error *err)
{
	struct groups_slot *slot = arg;
	for (size_t i = 0; err == NULL && i < count; i++)
		owners_committed(slot->g->owners,
				 groups_partition(offsets[i].topic, offsets[i].partition),
				 offsets[i].offset);
}

static void commit(struct groups_slot *slot, const char *topic, int32_t partition,
		   int64_t next)
{
	struct klamm_offset offset = {topic, partition, -1, next, NULL};
	struct klamm_error err;
	int64_t begin = now(slot);
	int rc = slot->g->commits == GROUPS_SYNC
			 ? klamm_consumer_commit(slot->consumer, &offset, 1, COMMIT_MS, &err)
			 : klamm_consumer_commit_async(slot->consumer, &offset, 1, on_commit,
						       slot, &err);
	check_call(slot, "commit", begin, COMMIT_MS, &slot->g->longest_commit);
	if (rc == 0 && slot->g->commits == GROUPS_SYNC)
		on_commit(slot, &offset, 1, NULL);
}

static void use(struct groups_slot *slot, struct klamm_batch *batch)
{
	struct groups *g = slot->g;
	struct klamm_record_view view;
	const char *topic = klamm_batch_topic(batch);
	int32_t partition = klamm_batch_partition(batch);
	int64_t next = -1;
	int rc;
	while ((rc = klamm_batch_next(batch, &view)) == 1) {
		owners_handed(g->owners, slot->member, groups_partition(topic, partition),
			      view.offset);
		next = view.offset + 1;
	}
	if (rc < 0)
		scenario_complain(g->run, "a batch ends with %s\n", klamm_err_name(rc));
	if (groups_below(g, 3) == 0)
		kl_sim_sleep(g->sim, (int64_t)groups_below(g, 20 * KL_MS));
	if (g->commits != GROUPS_AUTO && next >= 0)
		commit(slot, topic, partition, next);
}

static bool has_many_coordinators(const struct groups *g)
{
	return groups_is(g, "coordinator") || groups_is(g, "broker") || groups_is(g, "all");
}

/* A request of its own that came late took its place. Or, in a group of KIP-848, the one that
 * was here before has not said that it goes, and has its name until its session is over: which
 * begins anew with each coordinator. */
static bool has_to_begin_anew(const struct groups_slot *slot, int rc)
{
	const struct groups *g = slot->g;
	int64_t last = slot->ended_at;
	if (has_many_coordinators(g))
		last = kl_max(last, g->storm_end);
	int64_t released = last + atoi(g->session_timeout) * (int64_t)KL_MS + LEFT;
	if (rc == KLAMM_ERR_UNRELEASED_INSTANCE_ID)
		return groups_has_modern(g) && kl_sim_now(g->sim) < released;
	return rc == KLAMM_ERR_FENCED_INSTANCE_ID && groups_is_rough(g);
}

static void poll_once(struct groups_slot *slot)
{
	struct groups *g = slot->g;
	struct klamm_batch *batch = NULL;
	struct klamm_error err;
	int64_t begin = now(slot);
	int rc = klamm_consumer_poll(slot->consumer, POLL_MS, &batch, &err);
	check_call(slot, "poll", begin, POLL_MS, &g->longest_poll);
	if (batch != NULL)
		use(slot, batch);
	klamm_batch_unref(batch);
	slot->is_fenced = has_to_begin_anew(slot, rc);
	if (rc != 0 && !slot->is_fenced)
		scenario_complain(g->run, "%s: poll: %s (%s)\n", slot->name, err.text,
				  klamm_err_name(rc));
	if (rc != 0)
		kl_sim_sleep(g->sim, POLL_MS * KL_MS);
}

/* --- from its making to its end --- */

static void open_member(struct groups_slot *slot, struct klamm_loop *loop)
{
	struct groups *g = slot->g;
	if (slot->lived && g->rule->other != NULL)
		slot->is_modern = !slot->is_modern;
	struct klamm_listener listener = {
		.size = sizeof(listener), .arg = slot, .assigned = assigned,
		.revoked = revoked, .lost = revoked};
	bool is_modern = slot->is_modern;
	bool is_static = slot->instance[0] != '\0';
	const char *pairs[] = {
		"group.id", GROUPS_ID,
		"group.protocol", is_modern ? "consumer" : "classic",
		"auto.offset.reset", "earliest",
		"enable.auto.commit", g->commits == GROUPS_AUTO ? "true" : "false",
		"auto.commit.interval.ms", g->auto_interval,
		"max.poll.interval.ms", g->max_poll,
		"fetch.max.wait.ms", g->fetch_wait,
		is_static ? "group.instance.id" : "client.id",
		is_static ? slot->instance : slot->name,
		is_modern ? "group.remote.assignor" : "partition.assignment.strategy",
		is_modern && g->rule->other != NULL ? g->rule->other : g->rule->strategy,
		/* Where the broker assigns, the rest is its business. */
		is_modern ? NULL : "session.timeout.ms", g->session_timeout,
		"heartbeat.interval.ms", g->heartbeat,
		NULL,
	};
	struct klamm_conf *conf = groups_conf(g, &slot->log, pairs);
	struct klamm_error err;
	unsigned before = slot->member;
	slot->member = owners_member(g->owners);
	if (is_static && slot->lived)
		owners_succeeds(g->owners, slot->member, before);
	slot->lived = true;
	if (klamm_consumer_new(conf, loop, &slot->consumer, &err) != 0 ||
	    klamm_consumer_subscribe(slot->consumer, groups_topics, g->topics, &listener,
				     &err) != 0)
		scenario_give_up(err.text);
	klamm_conf_free(conf);
	slot->is_member = true;
	g->lives++;
}

static void close_member(struct groups_slot *slot)
{
	struct groups *g = slot->g;
	struct klamm_error err;
	int64_t begin = now(slot);
	int rc = klamm_consumer_close(slot->consumer, CLOSE_MS, &err);
	check_call(slot, "close", begin, CLOSE_MS, &g->longest_close);
	if (rc != 0 && g->finish)
		scenario_complain(g->run, "%s: close: %s\n", slot->name, err.text);
	owners_left(g->owners, slot->member);
	slot->is_member = false;
	slot->ended_at = kl_sim_now(g->sim);
}

/* The last member of KIP-848 that goes leaves a classic group of another generation behind,
 * which takes no commit of those that are in it; so it goes behind them. */
static bool ends(const struct groups_slot *slot)
{
	const struct groups *g = slot->g;
	for (unsigned i = 0; i < GROUPS_SLOTS && slot->is_modern; i++)
		if (g->slots[i].is_member && !g->slots[i].is_modern)
			return false;
	return g->finish;
}

static void live(struct groups_slot *slot, struct klamm_loop *loop)
{
	struct groups *g = slot->g;
	open_member(slot, loop);
	slot->is_fenced = false;
	while (slot->wanted && !slot->is_fenced && !ends(slot)) {
		if (kl_sim_now(g->sim) < slot->nap_until)
			kl_sim_sleep(g->sim, slot->nap_until - kl_sim_now(g->sim));
		poll_once(slot);
	}
	close_member(slot);
}

static void slot_main(void *arg)
{
	struct groups_slot *slot = arg;
	struct groups *g = slot->g;
	scenario_await(g->sim, &g->listening);
	struct klamm_loop *loop = scenario_loop(slot->node);
	while (!g->finish) {
		if (slot->wanted)
			live(slot, loop);
		kl_sim_sleep(g->sim, 50 * KL_MS);
	}
	klamm_loop_free(loop);
	slot->running = false;
}

void groups_slot_start(struct groups_slot *slot)
{
	slot->running = true;
	kl_sim_spawn(slot->node, slot->name, slot_main, slot);
}
