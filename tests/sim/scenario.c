/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/scenario.h"

#include <stdio.h>

static void print_line(void *arg, const char *line)
{
	puts(line);
}

struct kl_sim *scenario_world(struct scenario_run *run)
{
	struct kl_sim_opts opts = {.trace = run->trace ? print_line : NULL};
	return kl_sim_new(run->seed, &opts);
}

bool scenario_go(struct scenario_run *run, struct kl_sim *sim, int64_t limit_us)
{
	int64_t before = kl_sim_now(sim);
	enum kl_sim_end end = kl_sim_run(sim, limit_us);
	run->hash = kl_sim_hash(sim);
	run->events = kl_sim_events(sim);
	run->took_us = kl_sim_now(sim) - before;
	if (end == KL_SIM_DONE)
		return true;
	kl_buf_printf(&run->why, "%s\n",
		      end == KL_SIM_DEADLOCK
			      ? "deadlock: everybody waits, and for nothing that "
				"will come"
			      : "no end within the virtual time");
	kl_sim_describe(sim, &run->why);
	return false;
}
