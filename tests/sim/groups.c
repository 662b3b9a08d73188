/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/groups.h"

#include <stdio.h>
#include <stdlib.h>

#define LIMIT (INT64_C(2000) * KL_SECOND)

const char *const groups_topics[GROUPS_TOPICS] = {"red", "blue"};

static const char *const kinds[] = {
	"join", "leave", "crash", "return", "pause", "nap", "grow", "coordinator",
	"net", "broker", "slow", "throttle", "clock", "errors", "all", NULL,
};

uint64_t groups_below(struct groups *g, uint64_t n)
{
	return kl_sim_below(g->sim, n);
}

bool groups_is(const struct groups *g, const char *kind)
{
	return strcmp(g->run->kind, kind) == 0;
}

bool groups_is_modern(const struct groups *g)
{
	return strcmp(g->rule->protocol, "consumer") == 0;
}

bool groups_has_modern(const struct groups *g)
{
	return groups_is_modern(g) || g->rule->other != NULL;
}

unsigned groups_partition(const char *topic, int32_t partition)
{
	unsigned i = 0;
	while (i + 1 < GROUPS_TOPICS && strcmp(groups_topics[i], topic) != 0)
		i++;
	return i * GROUPS_PARTS_MAX + (unsigned)partition % GROUPS_PARTS_MAX;
}

void groups_ends(struct groups *g, int64_t ends[GROUPS_PARTS])
{
	for (unsigned i = 0; i < GROUPS_PARTS; i++) {
		unsigned topic = i / GROUPS_PARTS_MAX;
		ends[i] = -1;
		if (topic < g->topics &&
		    (int32_t)(i % GROUPS_PARTS_MAX) < g->parts[topic] &&
		    klamm_broker_offsets(g->broker, groups_topics[topic],
					 (int32_t)(i % GROUPS_PARTS_MAX), NULL, &ends[i],
					 NULL) != 0)
			ends[i] = -1;
	}
}

struct klamm_conf *groups_conf(struct groups *g, struct scenario_log *log,
			       const char *const *pairs)
{
	const char *all[] = {
		"bootstrap.servers", "broker:9092,broker:9093,broker:9094",
		"request.timeout.ms", g->request_timeout,
		"retry.backoff.ms", "50",
		"reconnect.backoff.ms", "20",
		"socket.connection.setup.timeout.ms", "1000",
		"socket.connection.setup.timeout.max.ms", "2000",
		"metadata.max.age.ms", g->max_age,
		NULL,
	};
	struct klamm_conf *conf = scenario_conf(g->run, log, all);
	scenario_set(conf, pairs);
	return conf;
}

/* --- the broker --- */

static void broker_main(void *arg)
{
	struct groups *g = arg;
	struct klamm_error err;
	char session[60], heartbeat[60];
	snprintf(session, sizeof(session), "group.consumer.session.timeout.ms=%s",
		 g->session_timeout);
	snprintf(heartbeat, sizeof(heartbeat), "group.consumer.heartbeat.interval.ms=%s",
		 g->heartbeat);
	const char *config[] = {
		"offsets.topic.num.partitions=2", "group.min.session.timeout.ms=1000",
		session, heartbeat, NULL};
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.listen = "broker:9092",
		.nodes = GROUPS_NODES,
		.no_auto_create = true,
		.config = config,
	};
	options.loop = g->broker_loop = scenario_loop(g->broker_node);
	if (klamm_broker_new(&options, &g->broker, &err) != 0)
		scenario_give_up(err.text);
	for (unsigned i = 0; i < g->topics; i++)
		if (klamm_broker_create_topic(g->broker, groups_topics[i], g->parts[i],
					      &err) != 0)
			scenario_give_up(err.text);
	g->storm_end = kl_sim_now(g->sim) + g->storm_us;
	g->listening = true;
	scenario_await(g->sim, &g->over);
	scenario_await(g->sim, &g->audited);
	klamm_broker_free(g->broker);
	klamm_loop_free(options.loop);
}

/* --- the whole --- */

#define pick(g, ...)                                                                     \
	(((const char *const[]){__VA_ARGS__})[groups_below(                              \
		(g), kl_countof(((const char *const[]){__VA_ARGS__})))])

static void draw(struct groups *g)
{
	g->topics = 1 + (unsigned)groups_below(g, GROUPS_TOPICS);
	for (unsigned i = 0; i < g->topics; i++)
		g->parts[i] = 1 + (int32_t)groups_below(g, 4);
	g->members = 1 + (unsigned)groups_below(g, GROUPS_SLOTS - 1);
	g->commits = (enum groups_commits)groups_below(g, 3);
	g->is_static = groups_below(g, 4) == 0 || groups_is(g, "return");
	/* A static member that takes the last place of KIP-848 over makes the group a classic
	 * one without a rebalance; Kafka does not look who has let go of what by then. */
	g->is_static &= g->rule->other == NULL;
	int64_t storm = 15 * KL_SECOND + (int64_t)groups_below(g, 30 * KL_SECOND);
	g->storm_us = g->run->calm ? KL_SECOND : storm;
	g->gap_us = 300 * KL_MS + (int64_t)groups_below(g, 5 * KL_SECOND);
	g->session_timeout = pick(g, "3000", "6000");
	g->heartbeat = pick(g, "300", "1000");
	g->max_poll = pick(g, "5000", "10000");
	g->request_timeout = pick(g, "1000", "5000");
	g->auto_interval = pick(g, "200", "2000");
	g->fetch_wait = pick(g, "50", "500");
	g->max_age = pick(g, "2000", "5000");
	bool chance = groups_below(g, 4) == 0;
	g->has_lull = !g->run->calm && groups_is_rough(g) && groups_below(g, 2) == 0;
	g->faulty = !g->run->calm && (groups_is(g, "net") || (groups_is(g, "all") && chance));
}

int64_t groups_owner_bound(const struct groups *g)
{
	return (atoi(g->session_timeout) + atoi(g->max_poll) + 5000) * (int64_t)KL_MS;
}

static void check(struct groups *g)
{
	struct owners_counts c = owners_count(g->owners);
	kl_buf_printf(&g->run->note,
		      "%u strikes, %u lives, %llu handed out, %llu again, %llu assigned, "
		      "%llu revoked, waits %lld ms, polls %lld ms, commits %lld ms, closes "
		      "%lld ms",
		      g->strikes, g->lives, (unsigned long long)c.handed,
		      (unsigned long long)c.again, (unsigned long long)c.assigned,
		      (unsigned long long)c.revoked, (long long)(c.longest_wait / KL_MS),
		      (long long)(g->longest_poll / KL_MS),
		      (long long)(g->longest_commit / KL_MS),
		      (long long)(g->longest_close / KL_MS));
}

static void groups_run(struct scenario_run *run, const struct groups_rule *rule)
{
	struct groups g = {.run = run, .rule = rule, .sim = scenario_world(run)};
	g.broker_node = kl_sim_node(g.sim, "broker");
	g.writer_node = kl_sim_node(g.sim, "writer");
	g.auditor_node = kl_sim_node(g.sim, "auditor");
	g.writer_log = (struct scenario_log){g.sim, "writer"};
	g.auditor_log = (struct scenario_log){g.sim, "auditor"};
	draw(&g);
	g.owners = owners_new(GROUPS_PARTS, &(struct owners_rules){
						    .bound = GROUPS_BOUND,
						    .owner_bound = groups_owner_bound(&g),
						    .undone = groups_is_rough(&g),
						    .anew = rule->other != NULL,
					    });
	kl_sim_spawn(g.broker_node, "broker", broker_main, &g);
	kl_sim_spawn(g.broker_node, "trouble", groups_trouble_main, &g);
	kl_sim_spawn(g.broker_node, "watcher", groups_watcher_main, &g);
	kl_sim_spawn(g.writer_node, "writer", groups_writer_main, &g);
	kl_sim_spawn(g.auditor_node, "auditor", groups_auditor_main, &g);
	for (unsigned i = 0; i < GROUPS_SLOTS; i++) {
		struct groups_slot *slot = &g.slots[i];
		slot->g = &g;
		slot->index = i;
		snprintf(slot->name, sizeof(slot->name), "member-%u", i);
		if (g.is_static)
			snprintf(slot->instance, sizeof(slot->instance), "instance-%u", i);
		slot->node = kl_sim_node(g.sim, slot->name);
		slot->log = (struct scenario_log){g.sim, slot->name};
		slot->wanted = i < g.members;
		slot->is_modern = groups_is_modern(&g) ||
				  (rule->other != NULL && groups_below(&g, 2) == 0);
		kl_sim_node_mortal(slot->node);
		groups_slot_start(slot);
	}
	if (scenario_go(run, g.sim, LIMIT))
		check(&g);
	kl_sim_free(g.sim);
	owners_free(g.owners);
}

#define GROUPS(ident, title, what, ...)                                                  \
	static void run_##ident(struct scenario_run *run)                                \
	{                                                                                \
		static const struct groups_rule rule = {__VA_ARGS__};                    \
		groups_run(run, &rule);                                                  \
	}                                                                                \
	const struct scenario scenario_group_##ident = {                                 \
		.name = title, .summary = what, .kinds = kinds, .run = run_##ident,      \
		.one_in = 4}

GROUPS(range, "group-range", "members of a classic group, assignor range", "classic",
       "range");
GROUPS(roundrobin, "group-roundrobin", "the same, assignor roundrobin", "classic",
       "roundrobin");
GROUPS(sticky, "group-sticky", "the same, assignor sticky", "classic", "sticky");
GROUPS(cooperative, "group-cooperative", "the same, assignor cooperative-sticky", "classic",
       "cooperative_sticky");
GROUPS(remote_uniform, "group-remote-uniform",
       "members of a group of KIP-848, whose broker assigns by uniform", "consumer",
       "uniform");
GROUPS(mixed, "group-mixed", "members of a group that is restarted with the other protocol",
       "classic", "cooperative_sticky", "uniform");
GROUPS(mixed_eager, "group-mixed-eager", "the same, those of the classic one by range",
       "classic", "range", "range");
GROUPS(remote_range, "group-remote-range", "the same, by range", "consumer", "range");
