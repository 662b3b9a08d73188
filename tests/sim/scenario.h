/* SPDX-License-Identifier: BSD-2-Clause */
/* A scenario of the simulation: one function that builds a world from a seed, runs it and
 * says whether all was well. main.c runs it for many seeds, each in a process of its own. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <klamm/conf.h>

#include "core/base/buf.h"
#include "core/net/loop.h"
#include "core/os/sim.h"

struct scenario_run {
	uint64_t seed;
	bool calm;     /* nothing goes wrong but what the scenario is about */
	bool trace;    /* events to stdout */
	const char *kind; /* of the scenario's kinds */
	struct kl_buf why; /* what was wrong, a sentence a line; empty = all was well */
	uint64_t hash, events;
	int64_t took_us; /* virtual */
	struct kl_buf note; /* counts worth a look, in few words */
	unsigned complaints;
};

struct scenario {
	const char *name, *summary;
	const char *const *kinds; /* NULL at the end; NULL = it has none */
	void (*run)(struct scenario_run *run);
	/* One of a family: when all run, it gets one in so many of the usual seeds; 0 = 1. */
	unsigned one_in;
};

extern const struct scenario scenario_commits, scenario_crash, scenario_ctp,
	scenario_ctp_group, scenario_ctp_group_remote, scenario_cuts, scenario_frames,
	scenario_group_cooperative, scenario_group_mixed, scenario_group_mixed_eager,
	scenario_group_range,
	scenario_group_remote_range, scenario_group_remote_uniform,
	scenario_group_roundrobin, scenario_group_sticky, scenario_idempotent,
	scenario_records, scenario_transactional;

/* A world for the run, tracing when asked for. */
struct kl_sim *scenario_world(struct scenario_run *run);
/* Run it for so long at most, note hash and counts, and complain unless it came to its end. */
bool scenario_go(struct scenario_run *run, struct kl_sim *sim, int64_t limit_us);

/* What is wrong, as a line of the verdict; of many the first ones. */
void scenario_complain(struct scenario_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The run makes no sense. */
_Noreturn void scenario_give_up(const char *text);
/* Until *flag. */
void scenario_await(struct kl_sim *sim, const bool *flag);
/* A loop with a thread, in a node. */
struct klamm_loop *scenario_loop(struct kl_sim_node *node);

/* Log lines of a client among the events of --trace. */
struct scenario_log {
	const struct kl_sim *sim;
	const char *who;
};
/* Settings of a client, pairs with NULL at the end; log (borrowed) NULL: it keeps silent. */
struct klamm_conf *scenario_conf(const struct scenario_run *run, struct scenario_log *log,
				 const char *const *pairs);
void scenario_set(struct klamm_conf *conf, const char *const *pairs);

#endif
