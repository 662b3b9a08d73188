/* SPDX-License-Identifier: BSD-2-Clause */
/* Trouble of one kind, again and again until it is over. */
#include "core/proto/gen/api.h"
#include "tests/sim/exact.h"

/* Records from further in the past or future than an hour are refused. */
#define JUMP_MS (25 * 60 * 1000)

struct trouble {
	struct exact *e;
	bool stopped[EXACT_NODES + 1];
	unsigned running;
	int64_t wrong_ms[2]; /* the clocks of client and broker */
};

static uint64_t below(struct trouble *t, uint64_t n)
{
	return exact_below(t->e, n);
}

static void add_fault(struct trouble *t, struct klamm_broker_fault *fault)
{
	struct klamm_error err;
	fault->size = sizeof(*fault);
	fault->partition = -1;
	fault->skip = (int32_t)below(t, 4);
	if (klamm_broker_fault_add(t->e->broker, fault, NULL, &err) != 0)
		scenario_complain(t->e->run, "broker: %s\n", err.text);
}

/* --- the kinds --- */

static void strike_broker(struct trouble *t)
{
	int32_t node = 1 + (int32_t)below(t, EXACT_NODES);
	struct klamm_error err;
	int rc = 0;
	if (t->stopped[node]) {
		rc = klamm_broker_node_start(t->e->broker, node, &err);
		t->running++;
	} else if (t->running > 1) {
		rc = klamm_broker_node_stop(t->e->broker, node, below(t, 2) == 0, &err);
		t->running--;
	} else {
		return;
	}
	t->stopped[node] = !t->stopped[node];
	if (rc != 0)
		scenario_complain(t->e->run, "broker: %s\n", err.text);
}

static void move(struct trouble *t, const char *topic, unsigned partitions)
{
	klamm_broker_move_leader(t->e->broker, topic, (int32_t)below(t, partitions),
				 1 + (int32_t)below(t, EXACT_NODES), NULL);
}

static void strike_leader(struct trouble *t)
{
	move(t, below(t, 3) == 0 ? EXACT_INPUT : EXACT_TOPIC, t->e->partitions);
}

/* With the leader of its partition a coordinator moves; those topics are there when one was
 * looked for. */
static void strike_coordinator(struct trouble *t)
{
	move(t, below(t, 3) == 0 ? "__consumer_offsets" : "__transaction_state", 2);
}

/* Of the requests that a client makes here; -1 = any. */
static int32_t some_api(struct trouble *t)
{
	static const int32_t apis[] = {
		KL_API_PRODUCE, KL_API_PRODUCE, KL_API_PRODUCE, KL_API_FETCH,
		KL_API_METADATA, KL_API_INIT_PRODUCER_ID, KL_API_ADD_PARTITIONS_TO_TXN,
		KL_API_END_TXN, KL_API_END_TXN, KL_API_TXN_OFFSET_COMMIT,
		KL_API_ADD_OFFSETS_TO_TXN, KL_API_FIND_COORDINATOR,
		KL_API_WRITE_TXN_MARKERS, -1,
	};
	return apis[below(t, kl_countof(apis))];
}

static void strike_slow(struct trouble *t)
{
	add_fault(t, &(struct klamm_broker_fault){
			     .api = some_api(t),
			     .count = 1 + (int32_t)below(t, 5),
			     .delay_ms = (int64_t)below(t, 8000),
		     });
}

static void strike_garbage(struct trouble *t)
{
	static const int32_t actions[] = {KLAMM_BROKER_GARBAGE, KLAMM_BROKER_CUT,
					  KLAMM_BROKER_DROP, KLAMM_BROKER_DROP_AFTER,
					  KLAMM_BROKER_SILENCE};
	add_fault(t, &(struct klamm_broker_fault){
			     .api = some_api(t),
			     .count = 1 + (int32_t)below(t, 2),
			     .action = actions[below(t, kl_countof(actions))],
			     .cut = (int64_t)below(t, 60),
			     .reset = below(t, 2) == 0,
		     });
}

static void strike_throttle(struct trouble *t)
{
	add_fault(t, &(struct klamm_broker_fault){
			     .api = some_api(t),
			     .count = 1 + (int32_t)below(t, 4),
			     .throttle_ms = (int32_t)below(t, 3000),
		     });
}

static void set_clock(struct trouble *t, unsigned whose, int64_t ms)
{
	kl_sim_clock_jump(whose == 0 ? t->e->clients[0].node : t->e->broker_node,
			  ms - t->wrong_ms[whose]);
	t->wrong_ms[whose] = ms;
}

static void strike_clock(struct trouble *t)
{
	int64_t ms = (int64_t)below(t, 2 * JUMP_MS) - JUMP_MS;
	set_clock(t, (unsigned)below(t, 2), below(t, 2) == 0 ? ms : ms / 100);
}

/* Errors with which a broker says that it did nothing, and that trying again may help. */
static void strike_errors(struct trouble *t)
{
	static const struct {
		int32_t api, error;
	} kinds[] = {
		{KL_API_PRODUCE, KLAMM_ERR_NOT_LEADER_OR_FOLLOWER},
		{KL_API_PRODUCE, KLAMM_ERR_NOT_ENOUGH_REPLICAS},
		{KL_API_PRODUCE, KLAMM_ERR_CORRUPT_MESSAGE},
		{KL_API_PRODUCE, KLAMM_ERR_REQUEST_TIMED_OUT},
		{KL_API_INIT_PRODUCER_ID, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE},
		{KL_API_INIT_PRODUCER_ID, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
		{KL_API_INIT_PRODUCER_ID, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
		{KL_API_ADD_PARTITIONS_TO_TXN, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
		{KL_API_ADD_PARTITIONS_TO_TXN, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_ADD_OFFSETS_TO_TXN, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_TXN_OFFSET_COMMIT, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_TXN_OFFSET_COMMIT, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
		{KL_API_END_TXN, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_END_TXN, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
		{KL_API_FIND_COORDINATOR, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE},
	};
	size_t i = below(t, kl_countof(kinds));
	add_fault(t, &(struct klamm_broker_fault){
			     .api = kinds[i].api,
			     .count = 1 + (int32_t)below(t, 3),
			     .action = KLAMM_BROKER_ERROR,
			     .error = kinds[i].error,
		     });
}

/* Of a producer whose records were deleted, or whose leader lost its mind, a broker knows
 * nothing. Before that answers get lost. */
static void strike_forgets(struct trouble *t)
{
	static const int32_t errors[] = {KLAMM_ERR_UNKNOWN_PRODUCER_ID,
					 KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER};
	bool forgets = below(t, 2) == 0;
	add_fault(t, &(struct klamm_broker_fault){
			     .api = KL_API_PRODUCE,
			     .count = 1 + (int32_t)below(t, 2),
			     .action = forgets ? KLAMM_BROKER_ERROR : KLAMM_BROKER_DROP_AFTER,
			     .error = forgets ? errors[below(t, kl_countof(errors))] : 0,
		     });
}

static void strike_net(struct trouble *t)
{
	kl_sim_reset(t->e->broker_node, (uint16_t)(EXACT_PORT + below(t, EXACT_NODES)));
}

static const struct {
	const char *kind;
	void (*strike)(struct trouble *t);
} strikes[] = {
	{"broker", strike_broker},     {"leader", strike_leader},
	{"coordinator", strike_coordinator}, {"slow", strike_slow},
	{"garbage", strike_garbage},   {"throttle", strike_throttle},
	{"clock", strike_clock},       {"errors", strike_errors},
	{"net", strike_net},           {"forgets", strike_forgets},
};

/* --- until it is over --- */

static void end(struct trouble *t)
{
	struct exact *e = t->e;
	kl_sim_calm(e->sim);
	klamm_broker_fault_remove(e->broker, 0);
	for (int32_t node = 1; node <= EXACT_NODES; node++)
		if (t->stopped[node])
			klamm_broker_node_start(e->broker, node, NULL);
	set_clock(t, 0, 0);
	set_clock(t, 1, 0);
	e->over = true;
}

void exact_trouble_main(void *arg)
{
	struct exact *e = arg;
	struct trouble t = {.e = e, .running = EXACT_NODES};
	void (*strike)(struct trouble *) = NULL;
	for (size_t i = 0; i < kl_countof(strikes); i++)
		if (strcmp(strikes[i].kind, e->run->kind) == 0)
			strike = strikes[i].strike;
	scenario_await(e->sim, &e->listening);
	/* A bad network is a kind of its own, and comes with some of the others. */
	if (!e->run->calm && (strike == strike_net || below(&t, 3) == 0))
		kl_sim_faults_draw(e->sim, false, kl_sim_faults(e->sim));
	while (kl_sim_now(e->sim) < e->storm_end) {
		if (strike != NULL) {
			strike(&t);
			e->strikes++;
		}
		kl_sim_sleep(e->sim, (int64_t)below(&t, 2 * (uint64_t)e->gap_us));
	}
	end(&t);
}
