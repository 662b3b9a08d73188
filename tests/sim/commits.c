/* SPDX-License-Identifier: BSD-2-Clause */
/* A consumer commits ever higher offsets for a group, waiting for some and not for others,
 * through a storm; another one asks all the time what is committed. It never sees what was
 * not handed in, and nothing lower than what was acknowledged before it asked. There is one
 * excuse: what was sent on a connection that was given up may still arrive, and undo a newer
 * commit, as Kafka's protocol has no way to tell the two apart. When all is calm the last
 * commit stands, and a new consumer begins there. */
#include <stdio.h>

#include <klamm/broker.h>
#include <klamm/consumer.h>

#include "core/net/loop.h"
#include "core/proto/gen/api.h"
#include "tests/sim/scenario.h"

#define TOPIC "commits"
#define PARTITIONS 3
#define NODES 3
#define PORT 9092
#define COMMITS 300
#define LIMIT (INT64_C(7200) * KL_SECOND)
/* Bytes of connections that were given up may still reach the broker for so long. */
#define STRAGGLERS (60 * KL_SECOND)

struct commits {
	struct scenario_run *run;
	struct kl_sim *sim;
	struct kl_sim_node *writer_node, *reader_node, *broker_node;
	int64_t storm_end;
	struct klamm_broker *broker;
	struct klamm_conf *conf; /* of all clients */
	bool gentle; /* the coordinator says no and is slow, but no connection is lost */
	bool listening, operated, written, done;
	int64_t handed_in[PARTITIONS]; /* the highest, -1 = none */
	int64_t stored[PARTITIONS];    /* acknowledged */
	int64_t lost_at;               /* when the writer lost its coordinator last */
	uint64_t acknowledged, failed, read, undone;
};

/* --- the broker's side --- */

static void broker_main(void *arg)
{
	struct commits *c = arg;
	struct klamm_error err;
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.loop = scenario_loop(c->broker_node),
		.listen = "broker:9092",
		.nodes = NODES,
	};
	if (klamm_broker_new(&options, &c->broker, &err) != 0 ||
	    klamm_broker_create_topic(c->broker, TOPIC, PARTITIONS, &err) != 0)
		scenario_give_up(err.text);
	c->listening = true;
	scenario_await(c->sim, &c->done);
	scenario_await(c->sim, &c->operated);
	klamm_broker_free(c->broker);
	klamm_loop_free(options.loop);
}

/* Errors with which a coordinator says that it did nothing, and that pass. */
static const int32_t errors[] = {
	KLAMM_ERR_COORDINATOR_NOT_AVAILABLE,
	KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS,
	KLAMM_ERR_NOT_COORDINATOR,
};

static void add_fault(struct commits *c)
{
	static const int32_t apis[] = {KL_API_OFFSET_COMMIT, KL_API_OFFSET_COMMIT,
				       KL_API_OFFSET_FETCH, KL_API_FIND_COORDINATOR, -1};
	struct klamm_broker_fault fault = {
		.size = sizeof(fault),
		.api = apis[kl_sim_below(c->sim, kl_countof(apis))],
		.partition = -1,
		.skip = (int32_t)kl_sim_below(c->sim, 3),
		.count = 1 + (int32_t)kl_sim_below(c->sim, 3),
		.action = (int32_t)kl_sim_below(c->sim, 5),
		.delay_ms = kl_sim_below(c->sim, 3) == 0 ? (int64_t)kl_sim_below(c->sim, 5000)
							 : 0,
		.reset = kl_sim_below(c->sim, 2) == 0,
	};
	if (fault.action == KLAMM_BROKER_ERROR && fault.api >= 0)
		fault.error = errors[kl_sim_below(c->sim, kl_countof(errors))];
	else if (fault.action == KLAMM_BROKER_ERROR)
		fault.action = KLAMM_BROKER_PASS;
	if (c->gentle && fault.action != KLAMM_BROKER_ERROR)
		fault.action = KLAMM_BROKER_PASS;
	if (c->gentle) /* before anybody gives up */
		fault.delay_ms = fault.delay_ms * 9 / 100;
	struct klamm_error err;
	if (klamm_broker_fault_add(c->broker, &fault, NULL, &err) != 0)
		scenario_complain(c->run, "broker: %s\n", err.text);
}

static void operator_main(void *arg)
{
	struct commits *c = arg;
	scenario_await(c->sim, &c->listening);
	while (kl_sim_now(c->sim) < c->storm_end) {
		add_fault(c);
		kl_sim_sleep(c->sim, (int64_t)kl_sim_below(c->sim, 3 * KL_SECOND));
	}
	klamm_broker_fault_remove(c->broker, 0);
	c->operated = true;
}

/* --- who commits --- */

static void writer_log(void *arg, int32_t level, const char *where, const char *text)
{
	struct commits *c = arg;
	/* An answer that says so is none that comes late. */
	if (strstr(text, "does not serve") != NULL &&
	    strstr(text, "committing offset ") == NULL)
		c->lost_at = kl_sim_now(c->sim);
	if (c->run->trace)
		printf("%.6f log of writer: %s: %s\n", (double)kl_sim_now(c->sim) / KL_SECOND,
		       where, text);
}

static struct klamm_consumer *make_consumer(const struct klamm_conf *conf,
					    struct klamm_loop *loop)
{
	struct klamm_error err;
	struct klamm_consumer *consumer;
	if (klamm_consumer_new(conf, loop, &consumer, &err) != 0)
		scenario_give_up(err.text);
	return consumer;
}

static void on_stored(struct commits *c, int32_t partition, int64_t offset)
{
	c->acknowledged++;
	c->stored[partition] = kl_max(c->stored[partition], offset);
}

static void on_commit(void *arg, const struct klamm_offset *offsets, size_t count,
		      const struct klamm_error *err)
{
	struct commits *c = arg;
	if (err == NULL)
		on_stored(c, offsets->partition, offsets->offset);
	else if (klamm_err_retriable(err->code))
		c->failed++;
	else
		scenario_complain(c->run, "commit: %s (%s)\n", err->text,
				  klamm_err_name(err->code));
}

static void commit_once(struct commits *c, struct klamm_consumer *consumer)
{
	struct klamm_error err;
	int32_t partition = (int32_t)kl_sim_below(c->sim, PARTITIONS);
	struct klamm_offset offset = {
		.topic = TOPIC,
		.partition = partition,
		.leader_epoch = -1,
		.offset = ++c->handed_in[partition],
		.metadata = "note",
	};
	if (kl_sim_below(c->sim, 2) == 0) {
		int rc = klamm_consumer_commit_async(consumer, &offset, 1, on_commit, c, &err);
		if (rc != 0)
			scenario_complain(c->run, "commit: %s\n", err.text);
		return;
	}
	int64_t timeout = kl_sim_below(c->sim, 3) == 0 ? 500 : 60000;
	int rc = klamm_consumer_commit(consumer, &offset, 1, timeout, &err);
	if (rc == 0)
		on_stored(c, partition, offset.offset);
	else if (klamm_err_retriable(rc))
		c->failed++;
	else
		scenario_complain(c->run, "commit: %s (%s)\n", err.text, klamm_err_name(rc));
}

/* The last word, which nothing that comes late can undo. */
static void commit_last(struct commits *c, struct klamm_consumer *consumer)
{
	struct klamm_offset last[PARTITIONS];
	struct klamm_error err;
	for (int32_t i = 0; i < PARTITIONS; i++)
		last[i] = (struct klamm_offset){TOPIC, i, 3, ++c->handed_in[i], "last"};
	if (klamm_consumer_commit(consumer, last, PARTITIONS, 60000, &err) != 0)
		scenario_complain(c->run, "the last commit: %s\n", err.text);
	for (int32_t i = 0; i < PARTITIONS; i++)
		on_stored(c, i, last[i].offset);
}

static void writer_main(void *arg)
{
	struct commits *c = arg;
	struct klamm_error err;
	struct klamm_conf *conf;
	scenario_await(c->sim, &c->listening);
	if (klamm_conf_copy(c->conf, &conf, &err) != 0 ||
	    klamm_conf_log(conf, writer_log, c, c->run->trace ? 4 : 2) != 0)
		scenario_give_up("out of memory");
	struct klamm_loop *loop = scenario_loop(c->writer_node);
	struct klamm_consumer *consumer = make_consumer(conf, loop);
	for (int i = 0; i < COMMITS || kl_sim_now(c->sim) < c->storm_end; i++) {
		struct klamm_batch *batch;
		commit_once(c, consumer);
		klamm_consumer_poll(consumer, 0, &batch, NULL);
		kl_sim_sleep(c->sim, (int64_t)kl_sim_below(c->sim, 300 * KL_MS));
	}
	kl_sim_sleep(c->sim, STRAGGLERS);
	commit_last(c, consumer);
	if (klamm_consumer_close(consumer, 60000, &err) != 0)
		scenario_complain(c->run, "closing: %s\n", err.text);
	klamm_loop_free(loop);
	klamm_conf_free(conf);
	c->written = true;
}

/* --- who looks --- */

/* May an offset be lower than one that was acknowledged? */
static bool is_excused(const struct commits *c, int64_t since)
{
	return c->lost_at + STRAGGLERS > since;
}

static void look(struct commits *c, struct klamm_consumer *consumer)
{
	struct klamm_committed seen[PARTITIONS];
	int64_t floor[PARTITIONS], since = kl_sim_now(c->sim);
	struct klamm_error err;
	for (int32_t i = 0; i < PARTITIONS; i++) {
		seen[i] = (struct klamm_committed){.size = sizeof(seen[i]), .topic = TOPIC,
						   .partition = i};
		floor[i] = c->stored[i];
	}
	int rc = klamm_consumer_committed(consumer, seen, PARTITIONS, 30000, &err);
	if (rc != 0 && !klamm_err_retriable(rc))
		scenario_complain(c->run, "reading: %s (%s)\n", err.text, klamm_err_name(rc));
	if (rc != 0)
		return;
	for (int32_t i = 0; i < PARTITIONS; i++) {
		c->read++;
		kl_sim_note(c->sim, &seen[i].offset, sizeof(seen[i].offset));
		if (seen[i].offset > c->handed_in[i])
			scenario_complain(c->run,
					  "partition %d: %lld is committed, %lld was "
					  "the last\n", i, (long long)seen[i].offset,
					  (long long)c->handed_in[i]);
		if (seen[i].offset >= floor[i])
			continue;
		c->undone++;
		if (!is_excused(c, since))
			scenario_complain(c->run,
					  "partition %d: %lld is committed after %lld "
					  "was stored\n", i, (long long)seen[i].offset,
					  (long long)floor[i]);
	}
}

/* All is calm: what was committed last stands, and is where one begins. */
static void look_last(struct commits *c, struct klamm_consumer *consumer)
{
	struct klamm_topic_partition all[PARTITIONS];
	struct klamm_error err;
	for (int32_t i = 0; i < PARTITIONS; i++)
		all[i] = (struct klamm_topic_partition){TOPIC, i};
	if (klamm_consumer_assign(consumer, all, PARTITIONS, &err) != 0)
		scenario_complain(c->run, "assigning: %s\n", err.text);
	for (int32_t i = 0; i < PARTITIONS; i++) {
		int64_t position = -1;
		struct klamm_committed last = {.size = sizeof(last), .topic = TOPIC,
					       .partition = i};
		if (klamm_consumer_position(consumer, TOPIC, i, 60000, &position, &err) != 0 ||
		    klamm_consumer_committed(consumer, &last, 1, 60000, &err) != 0)
			scenario_complain(c->run, "at the end: %s\n", err.text);
		else if (position != c->handed_in[i] || last.offset != position ||
			 last.leader_epoch != 3 || strcmp(last.metadata, "last") != 0)
			scenario_complain(c->run,
					  "partition %d: begins at %lld, %lld is "
					  "committed, %lld was\n", i, (long long)position,
					  (long long)last.offset,
					  (long long)c->handed_in[i]);
	}
}

static void reader_main(void *arg)
{
	struct commits *c = arg;
	struct klamm_error err;
	scenario_await(c->sim, &c->listening);
	struct klamm_loop *loop = scenario_loop(c->reader_node);
	struct klamm_consumer *consumer = make_consumer(c->conf, loop);
	while (!c->written) {
		look(c, consumer);
		kl_sim_sleep(c->sim, (int64_t)kl_sim_below(c->sim, KL_SECOND));
	}
	look_last(c, consumer);
	if (klamm_consumer_close(consumer, 60000, &err) != 0)
		scenario_complain(c->run, "closing: %s\n", err.text);
	klamm_loop_free(loop);
	c->done = true;
}

/* --- all of it --- */

static void set(struct commits *c, const char *key, const char *value)
{
	struct klamm_error err;
	if (klamm_conf_set(c->conf, key, value, &err) != 0)
		scenario_give_up(err.text);
}

static void draw(struct commits *c)
{
	static const char *const timeouts[] = {"1000", "5000", "30000"};
	if (klamm_conf_new(&c->conf, NULL) != 0)
		scenario_give_up("out of memory");
	set(c, "bootstrap.servers", "broker:9092,broker:9093,broker:9094");
	set(c, "group.id", "g");
	set(c, "enable.auto.commit", "false");
	set(c, "auto.offset.reset", "none");
	set(c, "request.timeout.ms", timeouts[kl_sim_below(c->sim, kl_countof(timeouts))]);
	set(c, "isolation.level",
	    kl_sim_below(c->sim, 2) == 0 ? "read_committed" : "read_uncommitted");
	for (int i = 0; i < PARTITIONS; i++)
		c->handed_in[i] = c->stored[i] = -1;
	c->lost_at = -STRAGGLERS;
	c->gentle = kl_sim_below(c->sim, 2) == 0;
	c->storm_end = kl_sim_now(c->sim);
	if (!c->run->calm)
		c->storm_end += 20 * KL_SECOND + (int64_t)kl_sim_below(c->sim, 60 * KL_SECOND);
}

static void begin_storm(struct commits *c, struct kl_sim_target targets[NODES])
{
	for (uint16_t i = 0; i < NODES; i++)
		targets[i] = (struct kl_sim_target){c->broker_node, (uint16_t)(PORT + i)};
	kl_sim_faults_draw(c->sim, false, kl_sim_faults(c->sim));
	kl_sim_chaos(c->sim, &(struct kl_sim_chaos){
				     .targets = targets,
				     .target_count = NODES,
				     .client = c->writer_node,
				     .kinds = KL_SIM_CHAOS_PORT | KL_SIM_CHAOS_RESET |
					      KL_SIM_CHAOS_LINK | KL_SIM_CHAOS_PAUSE,
				     .until = c->storm_end,
				     .gap_us = 5 * KL_SECOND,
				     .outage_us = 10 * KL_SECOND,
			     });
}

static void commits_run(struct scenario_run *run)
{
	struct commits c = {.run = run, .sim = scenario_world(run)};
	struct kl_sim_target targets[NODES];
	c.writer_node = kl_sim_node(c.sim, "writer");
	c.reader_node = kl_sim_node(c.sim, "reader");
	c.broker_node = kl_sim_node(c.sim, "broker");
	draw(&c);
	kl_sim_spawn(c.broker_node, "broker", broker_main, &c);
	kl_sim_spawn(c.broker_node, "operator", operator_main, &c);
	kl_sim_spawn(c.writer_node, "writer", writer_main, &c);
	kl_sim_spawn(c.reader_node, "reader", reader_main, &c);
	if (!run->calm && !c.gentle)
		begin_storm(&c, targets);
	if (scenario_go(run, c.sim, LIMIT))
		kl_buf_printf(&run->note,
			      "%s%llu stored, %llu not, %llu read, %llu undone",
			      c.gentle ? "gentle, " : "",
			      (unsigned long long)c.acknowledged, (unsigned long long)c.failed,
			      (unsigned long long)c.read, (unsigned long long)c.undone);
	kl_sim_free(c.sim);
	klamm_conf_free(c.conf);
}

const struct scenario scenario_commits = {
	.name = "commits",
	.summary = "offsets committed through a storm, and what others see of them",
	.run = commits_run,
};
