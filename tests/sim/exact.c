/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/exact.h"

#include <stdio.h>

#define LIMIT (INT64_C(1500) * KL_SECOND)
/* After the trouble: attempts that have to time out, transactions as well, and backoffs. */
#define SETTLED (300 * (int64_t)KL_SECOND)

const char *const exact_kinds[] = {
	"kill", "broker", "leader", "coordinator", "slow", "garbage",
	"throttle", "clock", "errors", "net", "forgets", "zombie", NULL,
};

uint64_t exact_below(struct exact *e, uint64_t n)
{
	return kl_sim_below(e->sim, n);
}

bool exact_allows(const struct exact *e, int error)
{
	if (strcmp(e->run->kind, "garbage") == 0)
		return error == KLAMM_ERR_PROTOCOL;
	return strcmp(e->run->kind, "forgets") == 0 &&
	       (error == KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER ||
		error == KLAMM_ERR_UNKNOWN_PRODUCER_ID);
}

#define QUIET (20 * (int64_t)KL_SECOND)

void exact_wait_for_quiet(struct exact *e)
{
	scenario_await(e->sim, &e->over);
	int64_t quiet = e->storm_end + QUIET;
	if (!e->run->calm && kl_sim_now(e->sim) < quiet)
		kl_sim_sleep(e->sim, quiet - kl_sim_now(e->sim));
	e->quiet = true;
}

/* --- clients --- */

struct klamm_conf *exact_conf(struct exact *e, const char *const *pairs)
{
	const char *all[] = {
		"bootstrap.servers", "broker:9092,broker:9093,broker:9094",
		"request.timeout.ms", e->request_timeout,
		"retry.backoff.ms", e->retry_backoff,
		"reconnect.backoff.ms", "20",
		"metadata.max.age.ms", "5000",
		NULL,
	};
	struct klamm_conf *conf = scenario_conf(e->run, &e->log, all);
	scenario_set(conf, pairs);
	return conf;
}

struct klamm_producer *exact_producer(struct exact *e, struct klamm_loop *loop, const char *id)
{
	const char *pairs[] = {
		"acks", "all",
		"enable.idempotence", "true",
		"linger.ms", e->linger,
		"batch.size", e->batch_size,
		"max.block.ms", "5000",
		"max.in.flight.requests.per.connection", e->in_flight,
		"delivery.timeout.ms", e->delivery_timeout,
		id != NULL ? "transactional.id" : NULL, id,
		"transaction.timeout.ms", e->transaction_timeout,
		NULL,
	};
	struct klamm_conf *conf = exact_conf(e, pairs);
	struct klamm_producer *producer;
	struct klamm_error err;
	if (klamm_producer_new(conf, loop, &producer, &err) != 0)
		scenario_give_up(err.text);
	klamm_conf_free(conf);
	return producer;
}

struct klamm_consumer *exact_consumer(struct exact *e, struct klamm_loop *loop,
				      const char *topic, const char *group)
{
	const char *pairs[] = {
		"isolation.level", "read_committed",
		"auto.offset.reset", "earliest",
		"fetch.max.wait.ms", "100",
		"enable.auto.commit", "false",
		group != NULL ? "group.id" : NULL, group,
		NULL,
	};
	struct klamm_conf *conf = exact_conf(e, pairs);
	struct klamm_consumer *consumer;
	struct klamm_error err;
	struct klamm_topic_partition all[EXACT_PARTITIONS_MAX];
	for (unsigned i = 0; i < e->partitions; i++)
		all[i] = (struct klamm_topic_partition){topic, (int32_t)i};
	if (klamm_consumer_new(conf, loop, &consumer, &err) != 0 ||
	    klamm_consumer_assign(consumer, all, e->partitions, &err) != 0)
		scenario_give_up(err.text);
	klamm_conf_free(conf);
	return consumer;
}

/* --- the broker --- */

static void create(struct exact *e, const char *topic)
{
	struct klamm_error err;
	int32_t partitions = (int32_t)e->partitions;
	if (klamm_broker_create_topic(e->broker, topic, partitions, &err) != 0)
		scenario_give_up(err.text);
}

static void prepare(struct exact *e)
{
	if (e->role->prepare == NULL)
		return;
	struct klamm_loop *loop = scenario_loop(e->reader_node);
	e->role->prepare(e, loop);
	klamm_loop_free(loop);
}

static void broker_main(void *arg)
{
	struct exact *e = arg;
	struct klamm_error err;
	char version[40];
	snprintf(version, sizeof(version), "transaction.version=%s", e->transaction_version);
	const char *config[] = {
		version, "offsets.topic.num.partitions=2",
		"transaction.state.log.num.partitions=2",
		"group.min.session.timeout.ms=1000",
		"group.consumer.session.timeout.ms=3000",
		"group.consumer.heartbeat.interval.ms=500", NULL};
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.listen = "broker:9092",
		.nodes = EXACT_NODES,
		.no_auto_create = true,
		.config = config,
	};
	options.loop = scenario_loop(e->broker_node);
	if (klamm_broker_new(&options, &e->broker, &err) != 0)
		scenario_give_up(err.text);
	create(e, EXACT_TOPIC);
	create(e, EXACT_INPUT);
	prepare(e);
	e->storm_end = kl_sim_now(e->sim) + e->storm_us;
	e->listening = true;
	scenario_await(e->sim, &e->read);
	scenario_await(e->sim, &e->over);
	klamm_broker_free(e->broker);
	klamm_loop_free(options.loop);
}

/* --- the whole --- */

#define pick(e, ...)                                                                     \
	(((const char *const[]){__VA_ARGS__})[exact_below(                               \
		(e), kl_countof(((const char *const[]){__VA_ARGS__})))])

static void draw(struct exact *e)
{
	e->partitions = 1 + (unsigned)exact_below(e, EXACT_PARTITIONS_MAX);
	e->total = 100 + (unsigned)exact_below(e, 200);
	int64_t storm = 3 * KL_SECOND + (int64_t)exact_below(e, 15 * KL_SECOND);
	e->storm_us = e->run->calm ? 0 : storm;
	e->gap_us = 50 * KL_MS + (int64_t)exact_below(e, 2 * KL_SECOND);
	e->request_timeout = pick(e, "500", "1000", "5000");
	e->retry_backoff = pick(e, "10", "100");
	e->linger = pick(e, "0", "1", "20", "200");
	e->batch_size = pick(e, "100", "500", "16384");
	e->in_flight = pick(e, "1", "2", "5");
	e->transaction_timeout = pick(e, "5000", "60000");
	e->transaction_version = pick(e, "0", "1", "2", "2");
	e->patient = exact_below(e, 4) != 0;
	e->delivery_timeout = e->patient ? "3600000" : pick(e, "5500", "8000", "15000");
}

static void check(struct exact *e)
{
	if (e->done_at > e->storm_end + SETTLED)
		scenario_complain(e->run,
				  "the client was not through %lld s after the trouble\n",
				  (long long)(SETTLED / KL_SECOND));
	e->role->check(e);
	kl_buf_printf(&e->run->note, "%u strikes, %u lives, %lld s after the trouble",
		      e->strikes, e->lives,
		      (long long)((e->done_at - e->storm_end) / KL_SECOND));
}

void exact_run(struct exact *e)
{
	struct scenario_run *run = e->run;
	e->sim = scenario_world(run);
	e->log = (struct scenario_log){e->sim, "a client"};
	e->broker_node = kl_sim_node(e->sim, "broker");
	e->reader_node = kl_sim_node(e->sim, "reader");
	draw(e);
	kl_sim_spawn(e->broker_node, "broker", broker_main, e);
	kl_sim_spawn(e->broker_node, "trouble", exact_trouble_main, e);
	kl_sim_spawn(e->reader_node, "reader", exact_reader_main, e);
	exact_clients_start(e);
	if (scenario_go(run, e->sim, LIMIT))
		check(e);
	kl_sim_free(e->sim);
}
