/* SPDX-License-Identifier: BSD-2-Clause */
/* What a simulated world says about itself when something went wrong. */
#include <stdlib.h>
#include <unistd.h>

#include "core/os/sim_int.h"

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static const char *doing(const struct kl_thread *thread)
{
	switch (thread->state) {
	case KL_SIM_READY: return "is ready";
	case KL_SIM_RUNNING: return "runs";
	case KL_SIM_PARKED: return "is paused";
	case KL_SIM_ENDED: return "has ended";
	case KL_SIM_WAITING: break;
	}
	return thread->why;
}

/* Nothing here that a signal handler must not do. */
static void say_threads(struct kl_sim *sim)
{
	kl_list_for(thread, &sim->threads, struct kl_thread, link) {
		say("  ");
		say(thread->node->name);
		say("/");
		say(thread->name);
		say(": ");
		say(doing(thread));
		say("\n");
	}
}

void kl_sim_fatal(struct kl_sim *sim, const char *text)
{
	say("simulation: ");
	say(text);
	say("\n");
	say_threads(sim);
	abort();
}

/* The world that runs now: a signal handler has no argument to find it by. */
static struct kl_sim *watched;

static void watchdog(int signal)
{
	kl_sim_fatal(watched, "no progress (a fiber spins, or waits for a mutex that another "
			      "fiber holds over a blocking call)");
}

void kl_sim_watch(struct kl_sim *sim, struct sigaction *before_out)
{
	struct sigaction action = {.sa_handler = watchdog};
	watched = sim;
	sigaction(SIGALRM, &action, before_out);
	alarm(sim->opts.watchdog_s);
}

void kl_sim_unwatch(const struct sigaction *before)
{
	alarm(0);
	sigaction(SIGALRM, before, NULL);
}

void kl_sim_describe(struct kl_sim *sim, struct kl_buf *out)
{
	kl_buf_printf(out, "seed %llu, at %lld us, %llu events, %llu switches\n",
		      (unsigned long long)sim->seed, (long long)sim->now,
		      (unsigned long long)sim->events, (unsigned long long)sim->switches);
	kl_list_for(thread, &sim->threads, struct kl_thread, link) {
		kl_buf_printf(out, "  %s/%s (%llu) %s", thread->node->name, thread->name,
			      (unsigned long long)thread->id, doing(thread));
		if (thread->state == KL_SIM_WAITING && thread->what != 0)
			kl_buf_printf(out, " %llu", (unsigned long long)thread->what);
		if (thread->state == KL_SIM_WAITING && thread->timer.node.index != 0)
			kl_buf_printf(out, " until %lld", (long long)thread->timer.node.key);
		kl_buf_printf(out, "\n");
	}
	uint64_t from = sim->events > KL_SIM_NEWEST ? sim->events - KL_SIM_NEWEST : 0;
	for (uint64_t i = from; i < sim->events; i++) {
		const struct kl_sim_event *e = &sim->newest[i % KL_SIM_NEWEST];
		kl_buf_printf(out, "  %lld %s %llu %llu %llu\n", (long long)e->at, e->kind,
			      (unsigned long long)e->a, (unsigned long long)e->b,
			      (unsigned long long)e->n);
	}
}
