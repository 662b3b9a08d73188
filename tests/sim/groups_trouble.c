/* SPDX-License-Identifier: BSD-2-Clause */
/* Trouble of one kind, again and again until it is over; and who is excused by it. */
#include <stdlib.h>

#include "broker/topics.h"
#include "core/proto/gen/api.h"
#include "tests/sim/groups.h"

#define JUMP_MS (25 * 60 * 1000)
/* After it stood still a member hears within so long that it was put out. */
#define NEWS (8 * (int64_t)KL_SECOND)
/* When all is over: requests that have to time out, sessions, and rebalances. */
#define GRACE (30 * (int64_t)KL_SECOND)

struct trouble {
	struct groups *g;
	bool stopped[GROUPS_NODES + 1];
	unsigned running;
	int64_t wrong_ms[1 + GROUPS_SLOTS]; /* the clocks of broker and members */
};

static uint64_t below(struct trouble *t, uint64_t n)
{
	return groups_below(t->g, n);
}

static struct groups_slot *some_slot(struct trouble *t)
{
	return &t->g->slots[below(t, GROUPS_SLOTS)];
}

static void add_fault(struct trouble *t, struct klamm_broker_fault *fault)
{
	struct klamm_error err;
	fault->size = sizeof(*fault);
	fault->partition = -1;
	fault->skip = (int32_t)below(t, 4);
	if (klamm_broker_fault_add(t->g->broker, fault, NULL, &err) != 0)
		scenario_complain(t->g->run, "broker: %s\n", err.text);
}

/* --- members --- */

static unsigned wanted(const struct groups *g)
{
	unsigned n = 0;
	for (unsigned i = 0; i < GROUPS_SLOTS; i++)
		n += g->slots[i].wanted;
	return n;
}

static void strike_join(struct trouble *t)
{
	struct groups_slot *slot = some_slot(t);
	if (slot->wanted && wanted(t->g) == 1)
		return;
	slot->wanted = !slot->wanted;
	if (t->g->is_static) /* which does not say that it goes */
		owners_disturb(t->g->owners, kl_sim_now(t->g->sim));
}

/* Away for a moment: a static one comes back before anybody else gets what it had. */
static void strike_leave(struct trouble *t)
{
	struct groups_slot *slot = some_slot(t);
	if (!slot->wanted)
		return;
	slot->wanted = false;
	if (t->g->is_static)
		owners_disturb(t->g->owners, kl_sim_now(t->g->sim));
	kl_sim_sleep(t->g->sim, (int64_t)below(t, 2 * KL_SECOND));
	slot->wanted = true;
}

/* One is killed, something may happen, and it comes back. */
static void crash(struct trouble *t, void (*meanwhile)(struct trouble *t), uint64_t longest)
{
	struct groups_slot *slot = some_slot(t);
	if (!slot->is_member)
		return;
	bool power = below(t, 2) == 0;
	kl_sim_kill(slot->node, power);
	owners_killed(t->g->owners, slot->member);
	owners_disturb(t->g->owners, kl_sim_now(t->g->sim));
	slot->is_member = false;
	slot->ended_at = kl_sim_now(t->g->sim);
	if (meanwhile != NULL)
		meanwhile(t);
	kl_sim_sleep(t->g->sim, (int64_t)below(t, longest));
	kl_sim_boot(slot->node);
	groups_slot_start(slot);
}

static void strike_crash(struct trouble *t)
{
	crash(t, NULL, 4 * KL_SECOND);
}

/* The machine stands still, its loop as well. */
static void strike_pause(struct trouble *t)
{
	struct groups *g = t->g;
	struct groups_slot *slot = some_slot(t);
	int64_t longest = below(t, 2) == 0 ? 12 * KL_SECOND : 2 * KL_SECOND;
	int64_t time = (int64_t)below(t, (uint64_t)longest);
	if (!slot->is_member)
		return;
	owners_excuse(g->owners, slot->member, kl_sim_now(g->sim) + time + NEWS);
	owners_disturb(g->owners, kl_sim_now(g->sim) + time);
	kl_sim_pause(slot->node, true);
	kl_sim_sleep(g->sim, time);
	kl_sim_pause(slot->node, false);
	slot->paused_us += time;
}

/* The application is elsewhere, and does not poll. */
static void strike_nap(struct trouble *t)
{
	struct groups *g = t->g;
	struct groups_slot *slot = some_slot(t);
	int64_t time = (int64_t)below(t, 15 * KL_SECOND);
	if (!slot->is_member)
		return;
	slot->nap_until = kl_sim_now(g->sim) + time;
	owners_nap(g->owners, slot->member, slot->nap_until + KL_SECOND);
	/* Until max.poll.interval.ms its loop says that it lives. */
	if (time + KL_SECOND < atoi(g->max_poll) * (int64_t)KL_MS)
		return;
	owners_excuse(g->owners, slot->member, slot->nap_until + NEWS);
	owners_disturb(g->owners, slot->nap_until);
}

/* --- topics and coordinators --- */

struct grow {
	struct groups *g;
	unsigned topic;
	int32_t to;
	int rc;
	struct klamm_error err;
};

static void grow(void *arg)
{
	struct grow *grow = arg;
	struct kl_dev_topic *topic =
		kl_dev_topic_named(grow->g->broker, kl_str(groups_topics[grow->topic]));
	grow->rc = kl_dev_topic_grow(grow->g->broker, topic, grow->to, NULL, &grow->err);
}

static void strike_grow(struct trouble *t)
{
	struct groups *g = t->g;
	struct grow it = {.g = g, .topic = (unsigned)below(t, g->topics)};
	it.to = g->parts[it.topic] + 1;
	if (it.to > GROUPS_PARTS_MAX)
		return;
	kl_loop_call(g->broker_loop, grow, &it);
	if (it.rc != 0)
		scenario_complain(g->run, "broker: %s\n", it.err.text);
	else
		g->parts[it.topic] = it.to;
}

/* A static member is back before anybody knows, and does not know what it missed: the leader,
 * too, which is told to assign nothing anew (KIP-814). */
static void strike_return(struct trouble *t)
{
	crash(t, below(t, 2) == 0 ? strike_grow : NULL, KL_SECOND);
}

/* With the leader of its partition the coordinator moves; or that of the records does. */
static void strike_coordinator(struct trouble *t)
{
	struct groups *g = t->g;
	bool data = below(t, 3) == 0;
	unsigned topic = (unsigned)below(t, g->topics);
	uint64_t parts = data ? (uint64_t)g->parts[topic] : 2;
	klamm_broker_move_leader(g->broker, data ? groups_topics[topic] : "__consumer_offsets",
				 (int32_t)below(t, parts), 1 + (int32_t)below(t, GROUPS_NODES),
				 NULL);
}

static void strike_net(struct trouble *t)
{
	kl_sim_reset(t->g->broker_node, (uint16_t)(GROUPS_PORT + below(t, GROUPS_NODES)));
}

static void strike_broker(struct trouble *t)
{
	int32_t node = 1 + (int32_t)below(t, GROUPS_NODES);
	struct klamm_error err;
	int rc = 0;
	if (t->stopped[node]) {
		rc = klamm_broker_node_start(t->g->broker, node, &err);
		t->running++;
	} else if (t->running > 1) {
		rc = klamm_broker_node_stop(t->g->broker, node, below(t, 2) == 0, &err);
		t->running--;
	} else {
		return;
	}
	t->stopped[node] = !t->stopped[node];
	if (rc != 0)
		scenario_complain(t->g->run, "broker: %s\n", err.text);
}

/* --- answers --- */

/* Does a member of this protocol ask that? */
static bool is_asked(const struct trouble *t, int32_t api)
{
	switch (api) {
	case KL_API_JOIN_GROUP:
	case KL_API_SYNC_GROUP:
	case KL_API_HEARTBEAT:
	case KL_API_LEAVE_GROUP:
		return !groups_is_modern(t->g);
	case KL_API_CONSUMER_GROUP_HEARTBEAT:
		return groups_has_modern(t->g);
	default:
		return true;
	}
}

static int32_t some_api(struct trouble *t)
{
	static const int32_t apis[] = {
		KL_API_FETCH, KL_API_FETCH, KL_API_METADATA, KL_API_FIND_COORDINATOR,
		KL_API_JOIN_GROUP, KL_API_SYNC_GROUP, KL_API_HEARTBEAT, KL_API_HEARTBEAT,
		KL_API_LEAVE_GROUP, KL_API_OFFSET_COMMIT, KL_API_OFFSET_FETCH,
		KL_API_LIST_OFFSETS, KL_API_CONSUMER_GROUP_HEARTBEAT,
		KL_API_CONSUMER_GROUP_HEARTBEAT, KL_API_CONSUMER_GROUP_HEARTBEAT, -1,
	};
	size_t i;
	do
		i = below(t, kl_countof(apis));
	while (!is_asked(t, apis[i]));
	return apis[i];
}

static void strike_slow(struct trouble *t)
{
	add_fault(t, &(struct klamm_broker_fault){
			     .api = some_api(t),
			     .count = 1 + (int32_t)below(t, 5),
			     .delay_ms = (int64_t)below(t, 8000),
		     });
}

static void strike_throttle(struct trouble *t)
{
	add_fault(t, &(struct klamm_broker_fault){
			     .api = some_api(t),
			     .count = 1 + (int32_t)below(t, 4),
			     .throttle_ms = (int32_t)below(t, 2000),
		     });
}

/* Wall clocks: nothing that members do may hang on them. */
static void strike_clock(struct trouble *t)
{
	unsigned whose = (unsigned)below(t, 1 + GROUPS_SLOTS);
	int64_t ms = (int64_t)below(t, 2 * JUMP_MS) - JUMP_MS;
	kl_sim_clock_jump(whose == 0 ? t->g->broker_node : t->g->slots[whose - 1].node,
			  ms - t->wrong_ms[whose]);
	t->wrong_ms[whose] = ms;
}

/* What a coordinator says when it did nothing, or knows nothing any more. */
static void strike_errors(struct trouble *t)
{
	static const struct {
		int32_t api, error;
	} kinds[] = {
		{KL_API_FIND_COORDINATOR, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE},
		{KL_API_JOIN_GROUP, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
		{KL_API_JOIN_GROUP, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_JOIN_GROUP, KLAMM_ERR_UNKNOWN_MEMBER_ID},
		{KL_API_SYNC_GROUP, KLAMM_ERR_REBALANCE_IN_PROGRESS},
		{KL_API_SYNC_GROUP, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_SYNC_GROUP, KLAMM_ERR_ILLEGAL_GENERATION},
		{KL_API_HEARTBEAT, KLAMM_ERR_REBALANCE_IN_PROGRESS},
		{KL_API_HEARTBEAT, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE},
		{KL_API_HEARTBEAT, KLAMM_ERR_ILLEGAL_GENERATION},
		{KL_API_HEARTBEAT, KLAMM_ERR_UNKNOWN_MEMBER_ID},
		{KL_API_OFFSET_COMMIT, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_OFFSET_COMMIT, KLAMM_ERR_REBALANCE_IN_PROGRESS},
		{KL_API_OFFSET_COMMIT, KLAMM_ERR_UNKNOWN_MEMBER_ID},
		{KL_API_OFFSET_FETCH, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
		{KL_API_FETCH, KLAMM_ERR_NOT_LEADER_OR_FOLLOWER},
		{KL_API_CONSUMER_GROUP_HEARTBEAT, KLAMM_ERR_NOT_COORDINATOR},
		{KL_API_CONSUMER_GROUP_HEARTBEAT, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
		{KL_API_CONSUMER_GROUP_HEARTBEAT, KLAMM_ERR_FENCED_MEMBER_EPOCH},
		{KL_API_CONSUMER_GROUP_HEARTBEAT, KLAMM_ERR_UNKNOWN_MEMBER_ID},
	};
	size_t i;
	do
		i = below(t, kl_countof(kinds));
	while (!is_asked(t, kinds[i].api));
	add_fault(t, &(struct klamm_broker_fault){
			     .api = kinds[i].api,
			     .count = 1 + (int32_t)below(t, 2),
			     .action = KLAMM_BROKER_ERROR,
			     .error = kinds[i].error,
		     });
}

static const struct strike {
	const char *kind;
	void (*fn)(struct trouble *t);
	bool rough; /* who is put out cannot help it, and requests may be late */
} strikes[] = {
	{"join", strike_join, false},
	{"leave", strike_leave, false},
	{"crash", strike_crash, false},
	{"pause", strike_pause, false},
	{"nap", strike_nap, false},
	{"grow", strike_grow, false},
	{"return", strike_return, false},
	{"coordinator", strike_coordinator, true},
	{"net", strike_net, true},
	{"broker", strike_broker, true},
	{"slow", strike_slow, true},
	{"throttle", strike_throttle, true},
	{"clock", strike_clock, false},
	{"errors", strike_errors, true},
};

bool groups_is_rough(const struct groups *g)
{
	for (size_t i = 0; i < kl_countof(strikes); i++)
		if (groups_is(g, strikes[i].kind))
			return strikes[i].rough;
	return true; /* all of them */
}

static void strike(struct trouble *t)
{
	size_t i = 0;
	if (groups_is(t->g, "all"))
		i = below(t, kl_countof(strikes));
	else
		while (!groups_is(t->g, strikes[i].kind))
			i++;
	strikes[i].fn(t);
	t->g->strikes++;
	/* Whatever the trouble, members are restarted one after the other. */
	if (t->g->rule->other != NULL && below(t, 3) == 0)
		strike_leave(t);
}

/* --- lulls: all has to work while things are as the trouble has left them --- */

/* What is under way has to time out: a request on a connection that is dead, and another one
 * of which that was the condition. Then clients back off, from throttling as well, and an
 * application may be in a commit. */
int64_t groups_recovery(const struct groups *g)
{
	return (2 * atoi(g->request_timeout) + 6000) * (int64_t)KL_MS;
}

static void hush(struct trouble *t)
{
	struct groups *g = t->g;
	kl_sim_calm(g->sim);
	klamm_broker_fault_remove(g->broker, 0);
	if (groups_is_rough(g))
		owners_hinder(g->owners, kl_sim_now(g->sim) + groups_recovery(g));
}

static void lull(struct trouble *t)
{
	struct groups *g = t->g;
	struct kl_sim_faults faults = *kl_sim_faults(g->sim);
	int64_t time = groups_recovery(g) + groups_owner_bound(g) + KL_SECOND;
	hush(t);
	kl_sim_sleep(g->sim, time);
	*kl_sim_faults(g->sim) = faults;
	g->storm_end += time;
}

/* --- until it is over --- */

static void end(struct trouble *t)
{
	struct groups *g = t->g;
	hush(t);
	for (int32_t node = 1; node <= GROUPS_NODES; node++)
		if (t->stopped[node])
			klamm_broker_node_start(g->broker, node, NULL);
	for (unsigned i = 0; i < GROUPS_SLOTS; i++)
		kl_sim_clock_jump(g->slots[i].node, -t->wrong_ms[1 + i]);
	kl_sim_clock_jump(g->broker_node, -t->wrong_ms[0]);
	if (groups_is_rough(g))
		owners_excuse_all(g->owners, kl_sim_now(g->sim) + GRACE);
	g->over = true;
}

void groups_trouble_main(void *arg)
{
	struct groups *g = arg;
	struct trouble t = {.g = g, .running = GROUPS_NODES};
	scenario_await(g->sim, &g->listening);
	int64_t lull_at = g->has_lull ? kl_sim_now(g->sim) + g->storm_us / 2 : KL_NEVER;
	if (g->faulty)
		kl_sim_faults_draw(g->sim, false, kl_sim_faults(g->sim));
	while (kl_sim_now(g->sim) < g->storm_end) {
		if (groups_is_rough(g)) {
			owners_excuse_all(g->owners, g->storm_end + GRACE);
			owners_hinder(g->owners, KL_NEVER);
		}
		if (!g->run->calm)
			strike(&t);
		kl_sim_sleep(g->sim, (int64_t)below(&t, 2 * (uint64_t)g->gap_us));
		if (kl_sim_now(g->sim) >= lull_at) {
			lull(&t);
			lull_at = KL_NEVER;
		}
	}
	end(&t);
}
