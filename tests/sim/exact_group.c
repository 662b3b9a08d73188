/* SPDX-License-Identifier: BSD-2-Clause */
/* The scenarios "ctp-group" and "ctp-group-remote": several clients copy one topic to another
 * as members of one group, which are put out, killed and stand still: whose positions are of
 * an older assignment than the group's must not commit. */
#include "tests/sim/exact.h"

#define MEMBERS 3
#define POLL_MS 500
#define CALL_MS 10000

/* One incarnation of a client. */
struct member {
	struct exact *e;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	struct klamm_consumer *consumer;
};

/* --- the consumer --- */

static struct klamm_consumer *subscribe(struct exact *e, struct klamm_loop *loop,
					const char *protocol)
{
	bool is_modern = strcmp(protocol, "consumer") == 0;
	const char *pairs[] = {
		"isolation.level", "read_committed",
		"auto.offset.reset", "earliest",
		"fetch.max.wait.ms", "100",
		"enable.auto.commit", "false",
		"group.id", EXACT_GROUP,
		"group.protocol", protocol,
		"max.poll.interval.ms", "15000",
		/* Where the broker assigns, the rest is its business. */
		is_modern ? NULL : "partition.assignment.strategy",
		e->run->seed / 16 % 2 == 0 ? "range" : "cooperative_sticky",
		"session.timeout.ms", "3000",
		"heartbeat.interval.ms", "500",
		NULL,
	};
	static const char *const topics[] = {EXACT_INPUT};
	struct klamm_conf *conf = exact_conf(e, pairs);
	struct klamm_consumer *consumer;
	struct klamm_error err;
	if (klamm_consumer_new(conf, loop, &consumer, &err) != 0 ||
	    klamm_consumer_subscribe(consumer, topics, 1, NULL, &err) != 0)
		scenario_give_up(err.text);
	klamm_conf_free(conf);
	return consumer;
}

/* Is the whole input copied? Whoever did it. */
static bool is_through(const struct member *m)
{
	const struct exact *e = m->e;
	struct klamm_committed entries[EXACT_PARTITIONS_MAX];
	struct klamm_error err;
	for (unsigned i = 0; i < e->partitions; i++)
		entries[i] = (struct klamm_committed){.size = sizeof(entries[i]),
						      .topic = EXACT_INPUT,
						      .partition = (int32_t)i};
	if (klamm_consumer_committed(m->consumer, entries, e->partitions, CALL_MS, &err) != 0)
		return false;
	for (unsigned i = 0; i < e->partitions; i++)
		if (entries[i].offset < exact_copy_input(e))
			return false;
	return true;
}

/* --- copies --- */

/* An application may take its time, and be put out of the group meanwhile. */
static void dawdle(struct exact *e)
{
	if (exact_below(e, 4) == 0)
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, KL_SECOND));
}

static enum exact_step finish(const struct member *m, int32_t partition, int64_t end)
{
	struct klamm_offset offset = {.topic = EXACT_INPUT, .partition = partition,
				      .leader_epoch = -1, .offset = end};
	struct klamm_group_metadata group = {.size = sizeof(group)};
	struct klamm_error err;
	if (klamm_consumer_group_metadata(m->consumer, &group, &err) != 0)
		scenario_give_up(err.text);
	enum exact_step step = exact_send_offsets(m->e, m->producer, &offset, 1, &group);
	dawdle(m->e);
	return step == EXACT_DONE ? exact_commit(m->e, m->producer) : step;
}

static enum exact_step copy(const struct member *m, struct klamm_batch *batch,
			    int64_t *begin_out, int64_t *end_out)
{
	struct klamm_record_view view;
	int64_t most = 1 + (int64_t)exact_below(m->e, 20);
	enum exact_step step = EXACT_DONE;
	*begin_out = *end_out = -1;
	while (step == EXACT_DONE && most-- > 0 && klamm_batch_next(batch, &view) == 1) {
		if (*begin_out < 0)
			*begin_out = view.offset;
		step = exact_copy_record(m->e, m->producer, m->topic,
					 klamm_batch_partition(batch), &view);
		*end_out = view.offset + 1;
	}
	return step;
}

/* A batch is a transaction, or its first part; what is not committed is read again. false: the
 * producer has to be closed. */
static bool copy_batch(const struct member *m, struct klamm_batch *batch)
{
	struct exact *e = m->e;
	int32_t partition = klamm_batch_partition(batch);
	struct klamm_error err;
	int64_t begin, end;
	if (exact_begin(e, m->producer) != EXACT_DONE)
		return false;
	enum exact_step step = copy(m, batch, &begin, &end);
	dawdle(e);
	if (step == EXACT_DONE)
		step = exact_below(e, 8) == 0 ? EXACT_ABORT : finish(m, partition, end);
	int64_t next = step == EXACT_DONE ? end : begin;
	if (step == EXACT_ABORT)
		step = exact_abort(e, m->producer);
	if (next >= 0 &&
	    klamm_consumer_seek(m->consumer, EXACT_INPUT, partition, next, &err) != 0)
		scenario_complain(e->run, "seek: %s\n", err.text);
	return step == EXACT_DONE;
}

static bool copy_all(const struct member *m)
{
	struct exact *e = m->e;
	uint64_t gap = 2 * (uint64_t)(e->storm_us + KL_SECOND) / (e->total / 10);
	bool good = true;
	while (good) {
		struct klamm_batch *batch = NULL;
		struct klamm_error err;
		int rc = klamm_consumer_poll(m->consumer, POLL_MS, &batch, &err);
		if (rc != 0 && !exact_allows(e, rc))
			scenario_complain(e->run, "consumer: %s\n", err.text);
		if (batch != NULL)
			good = copy_batch(m, batch);
		else if (is_through(m))
			return true;
		klamm_batch_unref(batch);
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, gap));
	}
	return false;
}

static bool live(struct exact *e, struct klamm_loop *loop, const char *protocol)
{
	static const char *const ids[] = {"copier-0", "copier-1", "copier-2"};
	struct member m = {.e = e};
	struct klamm_error err;
	m.producer = exact_producer(e, loop, ids[exact_client_here(e) - e->clients]);
	if (klamm_producer_topic(m.producer, EXACT_TOPIC, &m.topic, &err) != 0)
		scenario_give_up(err.text);
	bool good = exact_init(e, m.producer) == EXACT_DONE;
	m.consumer = subscribe(e, loop, protocol);
	good = good && copy_all(&m);
	klamm_topic_unref(m.topic);
	klamm_producer_close(m.producer, CALL_MS, &err);
	klamm_consumer_close(m.consumer, CALL_MS, &err);
	if (!good)
		kl_sim_sleep(e->sim, 100 * KL_MS);
	return good || e->run->complaints > 0;
}

static bool live_classic(struct exact *e, struct klamm_loop *loop)
{
	return live(e, loop, "classic");
}

static bool live_modern(struct exact *e, struct klamm_loop *loop)
{
	return live(e, loop, "consumer");
}

#define GROUP(ident, title, what, fn)                                                    \
	static void run_##ident(struct scenario_run *run)                                \
	{                                                                                \
		static const struct exact_role role = {                                  \
			.live = fn, .members = MEMBERS, .prepare = exact_copy_prepare,   \
			.saw = exact_copy_saw, .settle = exact_copy_settle,              \
			.check = exact_copy_check};                                      \
		exact_copy_run(run, &role);                                              \
	}                                                                                \
	const struct scenario scenario_##ident = {                                       \
		.name = title, .summary = what, .kinds = exact_kinds,                    \
		.run = run_##ident, .one_in = 4}

GROUP(ctp_group, "ctp-group", "the same by members of a classic group", live_classic);
GROUP(ctp_group_remote, "ctp-group-remote", "the same by members of a group of KIP-848",
      live_modern);
