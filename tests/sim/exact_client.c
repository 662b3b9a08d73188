/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients: one that is killed and started again, or one after the other, each of which stands
 * still when the next takes over, and wakes up as a zombie. */
#include "tests/sim/exact.h"

/* A zombie sleeps for up to so long: longer than its requests may take, its session at the
 * coordinator and often its transaction; and it is up again before all must work. */
#define SLEEP_MAX (15 * (int64_t)KL_SECOND)

static void client_main(void *arg)
{
	struct exact_client *client = arg;
	struct exact *e = client->e;
	scenario_await(e->sim, &e->listening);
	struct klamm_loop *loop = scenario_loop(client->node);
	do
		e->lives++;
	while (!e->role->live(e, loop) && !client->succeeded);
	klamm_loop_free(loop);
	e->done_at = kl_sim_now(e->sim);
	client->ended = true;
	e->done = --e->running == 0;
}

static void start(struct exact_client *client)
{
	client->e->running++;
	kl_sim_spawn(client->node, "client", client_main, client);
}

struct exact_client *exact_client_here(struct exact *e)
{
	const struct kl_sim_node *here = kl_sim_running(e->sim);
	for (unsigned i = 0; i < EXACT_CLIENTS; i++)
		if (e->clients[i].node == here)
			return &e->clients[i];
	return &e->clients[0]; /* who prepares its work elsewhere */
}

static struct exact_client *some_client(struct exact *e)
{
	return &e->clients[e->role->members > 1 ? exact_below(e, e->role->members) : 0];
}

/* kill -9, or the machine goes off, and the client is started again. */
static void killer_main(void *arg)
{
	struct exact *e = arg;
	scenario_await(e->sim, &e->listening);
	for (;;) {
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, 2 * (uint64_t)e->gap_us));
		if (e->done || kl_sim_now(e->sim) >= e->storm_end)
			return;
		struct exact_client *client = some_client(e);
		if (client->ended)
			continue;
		kl_sim_kill(client->node, exact_below(e, 2) == 0);
		e->strikes++;
		e->running--;
		if (e->history != NULL) {
			history_killed(e->history);
			client->producer++;
		}
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, 500 * KL_MS));
		kl_sim_boot(client->node);
		start(client);
	}
}

/* The client stands still, another one takes over, and the first wakes up among its work. */
static void succeed(struct exact *e, struct exact_client *client, struct exact_client *heir)
{
	kl_sim_pause(client->node, true);
	client->succeeded = true;
	if (e->history != NULL)
		heir->producer = history_succeeded(e->history);
	start(heir);
	int64_t longest = exact_below(e, 2) == 0 ? SLEEP_MAX : SLEEP_MAX / 10;
	kl_sim_sleep(e->sim, (int64_t)exact_below(e, (uint64_t)longest));
	kl_sim_pause(client->node, false);
}

static void undertaker_main(void *arg)
{
	struct exact *e = arg;
	scenario_await(e->sim, &e->listening);
	for (unsigned i = 0; i + 1 < EXACT_CLIENTS; i++) {
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, 4 * (uint64_t)e->gap_us));
		if (e->clients[i].ended || kl_sim_now(e->sim) >= e->storm_end)
			return;
		succeed(e, &e->clients[i], &e->clients[i + 1]);
		e->strikes++;
	}
}

/* A member of a group stands still, and wakes up when others have its partitions. */
static void sandman_main(void *arg)
{
	struct exact *e = arg;
	scenario_await(e->sim, &e->listening);
	for (;;) {
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, 2 * (uint64_t)e->gap_us));
		if (e->done || kl_sim_now(e->sim) >= e->storm_end)
			return;
		struct exact_client *client = some_client(e);
		kl_sim_pause(client->node, true);
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, (uint64_t)SLEEP_MAX));
		kl_sim_pause(client->node, false);
		e->strikes++;
	}
}

void exact_clients_start(struct exact *e)
{
	static const char *const names[EXACT_CLIENTS] = {"client", "heir", "heir-2", "heir-3"};
	bool kills = strcmp(e->run->kind, "kill") == 0 && !e->run->calm;
	bool haunts = strcmp(e->run->kind, "zombie") == 0 && !e->run->calm;
	for (unsigned i = 0; i < EXACT_CLIENTS; i++)
		e->clients[i] = (struct exact_client){
			.e = e, .node = kl_sim_node(e->sim, names[i])};
	bool is_group = e->role->members > 1;
	for (unsigned i = 0; i < kl_max(e->role->members, 1u); i++) {
		if (kills)
			kl_sim_node_mortal(e->clients[i].node);
		start(&e->clients[i]);
	}
	if (kills)
		kl_sim_spawn(e->broker_node, "killer", killer_main, e);
	if (haunts)
		kl_sim_spawn(e->broker_node, is_group ? "sandman" : "undertaker",
			     is_group ? sandman_main : undertaker_main, e);
}
