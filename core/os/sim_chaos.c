/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault mixtures and plans of outages, drawn from the seed. */
#include <stdlib.h>

#include "core/os/sim_int.h"

/* --- rates --- */

/* Every other kind is left out ("swarm testing": Groce and others, 2012); the rest spread
 * over three orders of magnitude. */
static uint32_t draw_rate(struct kl_sim *sim, uint32_t most)
{
	if (kl_sim_draw(sim, KL_SIM_PLAN, 2) == 0)
		return 0;
	return most >> kl_sim_draw(sim, KL_SIM_PLAN, 10);
}

static int64_t draw_time(struct kl_sim *sim, int64_t most)
{
	return 1 + (most >> kl_sim_draw(sim, KL_SIM_PLAN, 10));
}

void kl_sim_faults_draw(struct kl_sim *sim, bool corrupt, struct kl_sim_faults *faults_out)
{
	*faults_out = (struct kl_sim_faults){
		.latency_min_us = 10,
		.latency_max_us = draw_time(sim, 50 * KL_MS),
		.delay = draw_rate(sim, 50000),
		.delay_max_us = draw_time(sim, 20 * KL_SECOND),
		.bytes_per_ms = kl_sim_draw(sim, KL_SIM_PLAN, 3) == 0
					? 20 + (100000 >> kl_sim_draw(sim, KL_SIM_PLAN, 10))
					: 0,
		.split = draw_rate(sim, 500000),
		.short_io = draw_rate(sim, 500000),
		.spurious = draw_rate(sim, 50000),
		.refuse = draw_rate(sim, 200000),
		.hole = draw_rate(sim, 100000),
		.resolve = draw_rate(sim, 200000),
		.reset = draw_rate(sim, 40000),
		.finish = draw_rate(sim, 40000),
		.stall = draw_rate(sim, 10000),
		.flip = corrupt ? draw_rate(sim, 20000) : 0,
		.inject = corrupt ? draw_rate(sim, 5000) : 0,
		.disk_max_us = draw_time(sim, 20 * KL_MS),
		.read_error = draw_rate(sim, 1000),
		.write_error = draw_rate(sim, 1000),
		.sync_error = draw_rate(sim, 1000),
	};
}

/* --- outages --- */

/* A clock is wrong by half an hour at most: records from further in the future are refused
 * by brokers (message.timestamp.after.max.ms). */
#define JUMP_MS (30 * 60 * 1000)

struct outage {
	struct kl_list link;
	struct chaos *chaos;
	uint32_t kind;
	struct kl_sim_target target;
	bool there, back; /* which directions of a link */
	struct kl_sim_timer timer;
};

struct chaos {
	struct kl_sim *sim;
	struct kl_sim_chaos plan;
	struct kl_list outages;
	struct kl_sim_timer timer;
};

static void turn(const struct outage *o, bool on)
{
	struct kl_sim_node *client = o->chaos->plan.client;
	switch (o->kind) {
	case KL_SIM_CHAOS_PORT:
		kl_sim_port(o->target.node, o->target.port, on);
		break;
	case KL_SIM_CHAOS_LINK:
		if (o->there)
			kl_sim_link(client, o->target.node, on);
		if (o->back)
			kl_sim_link(o->target.node, client, on);
		break;
	case KL_SIM_CHAOS_PAUSE:
		kl_sim_pause(o->target.node, !on);
		break;
	default:
		break;
	}
}

static void outage_end(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	struct outage *o = kl_container(timer, struct outage, timer);
	kl_list_remove(&o->link);
	/* Of several outages of one thing the first to end ends it. */
	turn(o, true);
	kl_sim_timer_drop(sim, timer);
	free(o);
}

static void outage_begin(struct chaos *chaos, uint32_t kind,
			 const struct kl_sim_target *target)
{
	struct kl_sim *sim = chaos->sim;
	struct outage *o = kl_sim_alloc(sizeof(*o));
	o->chaos = chaos;
	o->kind = kind;
	o->target = *target;
	uint64_t directions = 1 + kl_sim_below(sim, 3);
	o->there = directions & 1;
	o->back = directions & 2;
	if (!kl_sim_timer_init(sim, &o->timer, outage_end))
		abort();
	kl_list_push(&chaos->outages, &o->link);
	turn(o, false);
	int64_t length = kl_sim_between(sim, KL_SIM_PLAN, 0, chaos->plan.outage_us);
	kl_sim_timer_set(sim, &o->timer, sim->now + length);
}

static uint32_t draw_kind(struct chaos *chaos)
{
	uint32_t kinds = chaos->plan.kinds;
	uint64_t skip = kl_sim_below(chaos->sim, (uint64_t)__builtin_popcount(kinds));
	while (skip-- > 0)
		kinds &= kinds - 1;
	return kinds & -kinds;
}

static void strike(struct chaos *chaos)
{
	struct kl_sim *sim = chaos->sim;
	const struct kl_sim_chaos *plan = &chaos->plan;
	uint32_t kind = draw_kind(chaos);
	const struct kl_sim_target *target =
		&plan->targets[kl_sim_below(sim, plan->target_count)];
	switch (kind) {
	case KL_SIM_CHAOS_RESET:
		kl_sim_reset(target->node, target->port);
		break;
	case KL_SIM_CHAOS_CLOCK:
		kl_sim_clock_jump(plan->client,
				  kl_sim_between(sim, KL_SIM_PLAN, -JUMP_MS, JUMP_MS) -
					  plan->client->wall_offset_ms);
		break;
	case KL_SIM_CHAOS_ACT:
		plan->act(plan->arg, kl_sim_random(sim, KL_SIM_PLAN));
		break;
	default:
		outage_begin(chaos, kind, target);
		break;
	}
}

static void end_outages(struct chaos *chaos)
{
	struct outage *o;
	while ((o = kl_list_first(&chaos->outages, struct outage, link)) != NULL)
		outage_end(chaos->sim, &o->timer);
}

static void chaos_fire(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	struct chaos *chaos = kl_container(timer, struct chaos, timer);
	if (sim->now >= chaos->plan.until) {
		end_outages(chaos);
		kl_sim_calm(sim);
		kl_sim_chaos_free(sim);
		return;
	}
	strike(chaos);
	int64_t gap = kl_sim_between(sim, KL_SIM_PLAN, 0, 2 * chaos->plan.gap_us);
	kl_sim_timer_set(sim, timer, kl_min(sim->now + gap, chaos->plan.until));
}

void kl_sim_chaos(struct kl_sim *sim, const struct kl_sim_chaos *plan)
{
	if (sim->chaos != NULL || plan->kinds == 0 || plan->target_count == 0)
		kl_sim_fatal(sim, "one plan of outages at a time, and not an empty one");
	struct chaos *chaos = kl_sim_alloc(sizeof(*chaos));
	chaos->sim = sim;
	chaos->plan = *plan;
	kl_list_init(&chaos->outages);
	if (!kl_sim_timer_init(sim, &chaos->timer, chaos_fire))
		abort();
	sim->chaos = chaos;
	kl_sim_timer_set(sim, &chaos->timer, sim->now + plan->gap_us);
}

void kl_sim_chaos_free(struct kl_sim *sim)
{
	struct chaos *chaos = sim->chaos;
	if (chaos == NULL)
		return;
	kl_list_for_safe(o, &chaos->outages, struct outage, link) {
		kl_sim_timer_drop(sim, &o->timer);
		free(o);
	}
	kl_sim_timer_drop(sim, &chaos->timer);
	sim->chaos = NULL;
	free(chaos);
}
