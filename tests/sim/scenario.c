/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define COMPLAINTS 10

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

void scenario_complain(struct scenario_run *run, const char *format, ...)
{
	char line[1000];
	va_list args;
	if (run->complaints++ >= COMPLAINTS)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	kl_buf_printf(&run->why, "%s", line);
}

_Noreturn void scenario_give_up(const char *text)
{
	fprintf(stderr, "sim: %s\n", text);
	abort();
}

void scenario_await(struct kl_sim *sim, const bool *flag)
{
	while (!*flag)
		kl_sim_sleep(sim, 10 * KL_MS);
}

struct klamm_loop *scenario_loop(struct kl_sim_node *node)
{
	struct klamm_loop *loop;
	struct klamm_error err;
	if (kl_loop_new(kl_sim_os(node), NULL, &loop, &err) != 0 ||
	    klamm_loop_start(loop, &err) != 0)
		scenario_give_up(err.text);
	return loop;
}

/* --- settings --- */

static void print_log(void *arg, int32_t level, const char *where, const char *text)
{
	const struct scenario_log *log = arg;
	printf("%.6f log of %s: %s: %s\n", (double)kl_sim_now(log->sim) / KL_SECOND, log->who,
	       where, text);
}

void scenario_set(struct klamm_conf *conf, const char *const *pairs)
{
	struct klamm_error err;
	for (; *pairs != NULL; pairs += 2)
		if (klamm_conf_set(conf, pairs[0], pairs[1], &err) != 0)
			scenario_give_up(err.text);
}

struct klamm_conf *scenario_conf(const struct scenario_run *run, struct scenario_log *log,
				 const char *const *pairs)
{
	struct klamm_conf *conf;
	struct klamm_error err;
	if (klamm_conf_new(&conf, &err) != 0)
		scenario_give_up(err.text);
	if (run->trace && log != NULL)
		klamm_conf_log(conf, print_log, log, 4);
	scenario_set(conf, pairs);
	return conf;
}
