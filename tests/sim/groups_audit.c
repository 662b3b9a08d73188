/* SPDX-License-Identifier: BSD-2-Clause */
/* Those that look at the group from outside: one sees the logs, one what is committed, and
 * the writer gives it something to do. */
#include "tests/sim/groups.h"

#define FLUSH_MS 300000
/* Requests whose answers were lost in the trouble have run out by then. */
#define WAITING (10 * (int64_t)KL_SECOND)
/* After the trouble all must work again: sessions and rebalances have ended by then. */
#define SETTLING (60 * (int64_t)KL_SECOND)
/* The last records are read by then. */
#define READ_OUT (10 * (int64_t)KL_SECOND)

/* --- the writer --- */

static void write_one(struct groups *g, struct klamm_producer *producer, unsigned topic,
		      int32_t partition)
{
	struct klamm_record record;
	struct klamm_error err;
	klamm_record_init(&record);
	record.value = (struct klamm_span){"a record", 8};
	record.partition = partition;
	if (klamm_producer_send_to(producer, groups_topics[topic], &record, NULL, &err) != 0 &&
	    g->over && kl_sim_now(g->sim) > g->storm_end + WAITING)
		scenario_complain(g->run, "send: %s\n", err.text);
}

static void write_some(struct groups *g, struct klamm_producer *producer)
{
	for (uint64_t n = groups_below(g, 6); n > 0; n--) {
		unsigned topic = (unsigned)groups_below(g, g->topics);
		write_one(g, producer, topic,
			  (int32_t)groups_below(g, (uint64_t)g->parts[topic]));
	}
	klamm_producer_poll(producer, 0, NULL, NULL);
}

static void write_last(struct groups *g, struct klamm_producer *producer)
{
	struct klamm_error err;
	for (unsigned topic = 0; topic < g->topics; topic++)
		for (int32_t i = 0; i < g->parts[topic]; i++)
			write_one(g, producer, topic, i);
	if (klamm_producer_flush(producer, FLUSH_MS, NULL, &err) != 0)
		scenario_complain(g->run, "flush: %s\n", err.text);
}

void groups_writer_main(void *arg)
{
	struct groups *g = arg;
	const char *pairs[] = {"acks", "all", "linger.ms", "5", "max.block.ms", "1000", NULL};
	struct klamm_producer *producer;
	struct klamm_error err;
	scenario_await(g->sim, &g->listening);
	struct klamm_loop *loop = scenario_loop(g->writer_node);
	struct klamm_conf *conf = groups_conf(g, &g->writer_log, pairs);
	if (klamm_producer_new(conf, loop, &producer, &err) != 0)
		scenario_give_up(err.text);
	klamm_conf_free(conf);
	while (!g->over || kl_sim_now(g->sim) < g->storm_end + SETTLING) {
		write_some(g, producer);
		kl_sim_sleep(g->sim, (int64_t)groups_below(g, 400 * KL_MS));
	}
	write_last(g, producer);
	klamm_producer_close(producer, FLUSH_MS, &err);
	klamm_loop_free(loop);
	g->written = true;
}

/* --- the logs --- */

static bool all_left(const struct groups *g)
{
	for (unsigned i = 0; i < GROUPS_SLOTS; i++)
		if (g->slots[i].running)
			return false;
	return true;
}

static void watch_until(struct groups *g, int64_t until)
{
	int64_t ends[GROUPS_PARTS];
	do {
		groups_ends(g, ends);
		owners_watch(g->owners, kl_sim_now(g->sim), ends);
		kl_sim_sleep(g->sim, 50 * KL_MS);
	} while (kl_sim_now(g->sim) < until);
}

void groups_watcher_main(void *arg)
{
	struct groups *g = arg;
	int64_t ends[GROUPS_PARTS];
	scenario_await(g->sim, &g->listening);
	while (!g->written)
		watch_until(g, kl_sim_now(g->sim));
	watch_until(g, kl_sim_now(g->sim) + READ_OUT);
	groups_ends(g, ends);
	owners_settled(g->owners, ends);
	g->finish = true;
	while (!all_left(g))
		kl_sim_sleep(g->sim, 10 * KL_MS);
	owners_check(g->owners, ends, &g->run->why);
	g->finished = true;
}

/* --- what is committed --- */

static int ask(struct groups *g, struct klamm_consumer *consumer,
	       struct klamm_committed entries[GROUPS_PARTS], size_t *count_out)
{
	struct klamm_error err;
	size_t n = 0;
	for (unsigned topic = 0; topic < g->topics; topic++)
		for (int32_t i = 0; i < g->parts[topic]; i++)
			entries[n++] = (struct klamm_committed){
				.size = sizeof(entries[0]), .topic = groups_topics[topic],
				.partition = i};
	*count_out = n;
	int rc = klamm_consumer_committed(consumer, entries, n, 5000, &err);
	if (rc != 0 && !klamm_err_retriable(rc))
		scenario_complain(g->run, "committed: %s\n", err.text);
	return rc;
}

static void look(struct groups *g, struct klamm_consumer *consumer)
{
	struct klamm_committed entries[GROUPS_PARTS];
	int64_t floors[GROUPS_PARTS];
	size_t n;
	for (unsigned i = 0; i < GROUPS_PARTS; i++)
		floors[i] = owners_ask(g->owners, i);
	if (ask(g, consumer, entries, &n) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		unsigned number = groups_partition(entries[i].topic, entries[i].partition);
		owners_answer(g->owners, number, floors[number], entries[i].offset);
	}
}

/* Everybody has left: what was read is committed. */
static void look_last(struct groups *g, struct klamm_consumer *consumer)
{
	struct klamm_committed entries[GROUPS_PARTS];
	int64_t ends[GROUPS_PARTS];
	size_t n;
	groups_ends(g, ends);
	if (ask(g, consumer, entries, &n) != 0)
		scenario_complain(g->run, "what is committed cannot be read in the end\n");
	for (size_t i = 0; i < n; i++) {
		unsigned number = groups_partition(entries[i].topic, entries[i].partition);
		if (entries[i].offset != ends[number])
			scenario_complain(g->run,
					  "partition %u: %lld is committed in the end, of "
					  "%lld\n", number, (long long)entries[i].offset,
					  (long long)ends[number]);
	}
}

void groups_auditor_main(void *arg)
{
	struct groups *g = arg;
	const char *pairs[] = {"group.id", GROUPS_ID, NULL};
	struct klamm_consumer *consumer;
	struct klamm_error err;
	scenario_await(g->sim, &g->listening);
	struct klamm_loop *loop = scenario_loop(g->auditor_node);
	struct klamm_conf *conf = groups_conf(g, &g->auditor_log, pairs);
	if (klamm_consumer_new(conf, loop, &consumer, &err) != 0)
		scenario_give_up(err.text);
	klamm_conf_free(conf);
	while (!g->finished) {
		look(g, consumer);
		kl_sim_sleep(g->sim, (int64_t)groups_below(g, 600 * KL_MS));
	}
	look_last(g, consumer);
	klamm_consumer_close(consumer, 5000, &err);
	klamm_loop_free(loop);
	g->audited = true;
}
