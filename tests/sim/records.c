/* SPDX-License-Identifier: BSD-2-Clause */
/* 10,000 records with acks=all through a storm: nodes stop and come back, leaders move,
 * connections break at any byte, answers get lost. What was acknowledged is there, in order
 * and in its place, and the consumer reads all of it, each offset once. */
#include "tests/sim/records.h"


#define LIMIT (INT64_C(7200) * KL_SECOND)
/* After the storm: two attempts that have to time out, backoffs, and half as much again. */
#define SETTLED (180 * KL_SECOND)

static void begin_storm(struct records *r, struct kl_sim_target targets[RECORDS_NODES])
{
	for (uint16_t i = 0; i < RECORDS_NODES; i++)
		targets[i] = (struct kl_sim_target){r->broker_node,
						    (uint16_t)(RECORDS_PORT + i)};
	kl_sim_faults_draw(r->sim, false, kl_sim_faults(r->sim));
	if (r->plan.tamper)
		kl_sim_tamper(r->sim, records_tamper, r);
	kl_sim_chaos(r->sim, &(struct kl_sim_chaos){
				     .targets = targets,
				     .target_count = RECORDS_NODES,
				     .client = kl_sim_below(r->sim, 2) == 0 ? r->producer_node
									    : r->consumer_node,
				     .kinds = KL_SIM_CHAOS_PORT | KL_SIM_CHAOS_RESET |
					      KL_SIM_CHAOS_LINK | KL_SIM_CHAOS_PAUSE |
					      KL_SIM_CHAOS_CLOCK,
				     .until = r->storm_end,
				     .gap_us = 5 * KL_SECOND,
				     .outage_us = 10 * KL_SECOND,
			     });
}

static void check(struct records *r)
{
	struct history_want want = {
		.all_acked = r->plan.patient,
		.no_duplicates = r->run->calm,
		.told_in_order = true,
	};
	if (r->produced_at > r->storm_end + SETTLED)
		scenario_complain(r->run,
				  "the producer was not through %lld s after the storm\n",
				  (long long)(SETTLED / KL_SECOND));
	history_check(r->history, &want, &r->run->why);
	struct history_counts c = history_count(r->history);
	kl_buf_printf(&r->run->note,
		      "%llu acked, %llu failed, %llu refused, %llu twice, %llu moves, "
		      "%llu stops, %llu damaged, %lld s after the storm",
		      (unsigned long long)c.acked, (unsigned long long)c.failed,
		      (unsigned long long)c.refused, (unsigned long long)c.duplicates,
		      (unsigned long long)r->moves, (unsigned long long)r->restarts,
		      (unsigned long long)r->damaged,
		      (long long)((r->produced_at - r->storm_end) / KL_SECOND));
}

static void records_run(struct scenario_run *run)
{
	struct records r = {.run = run, .sim = scenario_world(run)};
	struct kl_sim_target targets[RECORDS_NODES];
	r.producer_node = kl_sim_node(r.sim, "producer");
	r.consumer_node = kl_sim_node(r.sim, "consumer");
	r.broker_node = kl_sim_node(r.sim, "broker");
	records_plan_draw(&r);
	r.history = history_new(r.plan.partitions);
	r.storm_end = kl_sim_now(r.sim) + r.plan.storm_us;
	kl_sim_spawn(r.broker_node, "broker", records_broker_main, &r);
	kl_sim_spawn(r.broker_node, "operator", records_operator_main, &r);
	kl_sim_spawn(r.producer_node, "producer", records_producer_main, &r);
	kl_sim_spawn(r.consumer_node, "consumer", records_consumer_main, &r);
	if (!run->calm)
		begin_storm(&r, targets);
	if (scenario_go(run, r.sim, LIMIT))
		check(&r);
	kl_sim_free(r.sim);
	history_free(r.history);
	records_plan_free(&r);
}

const struct scenario scenario_records = {
	.name = "records",
	.summary = "10,000 records with acks=all through a storm, and read again",
	.run = records_run,
};
