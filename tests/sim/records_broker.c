/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker's side: three nodes in one process, and somebody who makes trouble with them. */

#include "core/proto/gen/api.h"
#include "tests/sim/records.h"

/* Clients that are connected hear of it when they use what is gone. */
static void set_age(struct records *r, bool is_old)
{
	int32_t min = is_old ? 0 : 3, max = is_old ? r->plan.old_produce : 13;
	klamm_broker_limit_api(r->broker, KL_API_PRODUCE, min, max, NULL);
}

void records_broker_main(void *arg)
{
	struct records *r = arg;
	struct klamm_error err;
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.listen = "broker:9092",
		.nodes = RECORDS_NODES,
		.no_auto_create = true,
	};
	r->broker_loop = options.loop = scenario_loop(r->broker_node);
	if (klamm_broker_new(&options, &r->broker, &err) != 0 ||
	    klamm_broker_create_topic(r->broker, RECORDS_TOPIC, (int32_t)r->plan.partitions,
				      &err) != 0)
		scenario_give_up(err.text);
	set_age(r, r->plan.age != RECORDS_MODERN);
	r->listening = true;
	scenario_await(r->sim, &r->consumed);
	scenario_await(r->sim, &r->operated);
	klamm_broker_free(r->broker);
	klamm_loop_free(r->broker_loop);
}

/* --- trouble --- */

struct operator {
	struct records *r;
	bool stopped[RECORDS_NODES + 1];
	unsigned running;
};

static uint64_t below(struct operator *o, uint64_t n)
{
	return kl_sim_below(o->r->sim, n);
}

static void move_leader(struct operator *o)
{
	int32_t partition = (int32_t)below(o, o->r->plan.partitions);
	int32_t node = 1 + (int32_t)below(o, RECORDS_NODES);
	if (o->stopped[node])
		return;
	int rc = klamm_broker_move_leader(o->r->broker, RECORDS_TOPIC, partition, node, NULL);
	o->r->moves += rc == 0;
}

static void start_or_stop(struct operator *o)
{
	int32_t node = 1 + (int32_t)below(o, RECORDS_NODES);
	struct klamm_error err;
	int rc = 0;
	if (o->r->plan.age == RECORDS_MIXED)
		set_age(o->r, below(o, 2) == 0);
	if (o->stopped[node]) {
		rc = klamm_broker_node_start(o->r->broker, node, &err);
		o->running++;
	} else if (o->running > 1) {
		rc = klamm_broker_node_stop(o->r->broker, node, below(o, 2) == 0, &err);
		o->running--;
		o->r->restarts++;
	} else {
		return;
	}
	o->stopped[node] = !o->stopped[node];
	if (rc != 0)
		scenario_complain(o->r->run, "broker: %s\n", err.text);
}

/* Errors with which a broker says that it did nothing, and that trying again may help. */
static const int32_t produce_errors[] = {
	KLAMM_ERR_NOT_LEADER_OR_FOLLOWER, KLAMM_ERR_NOT_ENOUGH_REPLICAS,
	KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION, KLAMM_ERR_REQUEST_TIMED_OUT,
	KLAMM_ERR_CORRUPT_MESSAGE,
};
static const int32_t fetch_errors[] = {
	KLAMM_ERR_NOT_LEADER_OR_FOLLOWER, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
	KLAMM_ERR_FENCED_LEADER_EPOCH, KLAMM_ERR_UNKNOWN_LEADER_EPOCH,
};

static void add_fault(struct operator *o)
{
	static const int32_t apis[] = {KL_API_PRODUCE, KL_API_PRODUCE, KL_API_FETCH,
				       KL_API_METADATA, KL_API_LIST_OFFSETS, -1};
	struct klamm_broker_fault fault = {
		.size = sizeof(fault),
		.api = apis[below(o, kl_countof(apis))],
		.partition = -1,
		.skip = (int32_t)below(o, 3),
		.count = 1 + (int32_t)below(o, 3),
		.action = (int32_t)below(o, 5),
		.delay_ms = below(o, 3) == 0 ? (int64_t)below(o, 5000) : 0,
		.reset = below(o, 2) == 0,
	};
	if (fault.action == KLAMM_BROKER_ERROR && fault.api == KL_API_PRODUCE)
		fault.error = produce_errors[below(o, kl_countof(produce_errors))];
	else if (fault.action == KLAMM_BROKER_ERROR && fault.api == KL_API_FETCH)
		fault.error = fetch_errors[below(o, kl_countof(fetch_errors))];
	else if (fault.action == KLAMM_BROKER_ERROR)
		fault.action = KLAMM_BROKER_PASS;
	struct klamm_error err;
	if (klamm_broker_fault_add(o->r->broker, &fault, NULL, &err) != 0)
		scenario_complain(o->r->run, "broker: %s\n", err.text);
}

void records_operator_main(void *arg)
{
	struct records *r = arg;
	struct operator o = {.r = r, .running = RECORDS_NODES};
	scenario_await(r->sim, &r->listening);
	while (kl_sim_now(r->sim) < r->storm_end) {
		switch (below(&o, 4)) {
		case 0: move_leader(&o); break;
		case 1: start_or_stop(&o); break;
		default: add_fault(&o); break;
		}
		kl_sim_sleep(r->sim, (int64_t)below(&o, 4 * KL_SECOND));
	}
	klamm_broker_fault_remove(r->broker, 0);
	for (int32_t node = 1; node <= RECORDS_NODES; node++)
		if (o.stopped[node])
			klamm_broker_node_start(r->broker, node, NULL);
	r->operated = true;
}
