/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker with a data directory that loses its power, or its life, again and again under a
 * producer with acks=all and a consumer that follows, on a disk that tears writes, forgets
 * what was not synced and fails now and then. What was acknowledged is there in the end, in
 * order and in its place; what the consumer saw did not change; topics that were made are
 * there. Of a topic that is compacted all the while, the latest of each key is. Beside them
 * transactions are committed and aborted, each in two partitions or in none. */
#include <stdio.h>
#include <stdlib.h>

#include <klamm/broker.h>
#include <klamm/consumer.h>
#include <klamm/producer.h>

#include "broker/broker.h"
#include "core/net/loop.h"
#include "tests/sim/history.h"
#include "tests/sim/keyed.h"
#include "tests/sim/scenario.h"
#include "tests/sim/txn_work.h"

#define TOPIC "crash"
#define KEYED "crash-keyed"
#define RECORDS 600
#define PARTITIONS 2
#define LIMIT (INT64_C(7200) * KL_SECOND)
/* Virtual time for what is left to do when the storm is over. */
#define FLUSH_MS 3000000
#define QUIET (60 * KL_SECOND)

struct crash {
	struct scenario_run *run;
	struct kl_sim *sim;
	struct kl_sim_node *client_node, *broker_node;
	struct history *history;
	struct keyed *keyed;
	struct txn_work *work;
	int64_t storm_end;
	size_t size_max;      /* of a value, beyond its number */
	const char *roll_ms;  /* segment.ms of the topics */
	const char *backoff;  /* of compaction */
	unsigned extra;       /* topics made beside it */
	unsigned kills, lives, cut_power, ends;
	struct klamm_broker *broker; /* of the life that is now; NULL = it is coming up */
	bool calm, produced, consumed, ended;
	uint64_t *seen[PARTITIONS]; /* by offset, as the consumer that followed saw it */
	int64_t seen_count[PARTITIONS];
};

/* --- the broker's side --- */

struct make_topic {
	struct crash *c;
	struct klamm_broker *broker;
	const char *name;
	int32_t partitions;
	bool compacted;
	struct klamm_error err;
	int rc;
};

/* With settings, which the public call does not take: segments that end soon. */
static void make_topic(void *arg)
{
	struct make_topic *m = arg;
	struct kl_create_topics_request_config configs[] = {
		{.name = KL_STR("segment.ms"), .value = kl_str(m->c->roll_ms)},
		{.name = KL_STR("cleanup.policy"), .value = KL_STR("compact")},
		{.name = KL_STR("min.cleanable.dirty.ratio"), .value = KL_STR("0.1")},
		{.name = KL_STR("delete.retention.ms"), .value = KL_STR("500")},
		/* A few segments become one. */
		{.name = KL_STR("segment.bytes"), .value = KL_STR("1048576")},
	};
	struct kl_dev_topic_spec spec = {
		.name = kl_str(m->name),
		.partitions = m->partitions,
		.replicas = 1,
		.configs = configs,
		.config_count = m->compacted ? (int32_t)kl_countof(configs) : 1,
	};
	struct kl_dev_topic *topic;
	m->rc = kl_dev_topic_create(m->broker, &spec, &topic, &m->err);
}

static void make_until_there(struct klamm_loop *loop, struct make_topic m)
{
	do {
		kl_loop_call(loop, make_topic, &m);
		if (m.rc != 0)
			kl_sim_sleep(m.c->sim, 50 * KL_MS);
	} while (m.rc != 0 && m.rc != KLAMM_ERR_TOPIC_ALREADY_EXISTS);
}

/* A topic of this life, and those of all lives before. */
static void look_at_topics(struct crash *c, struct klamm_broker *broker)
{
	char name[24];
	struct klamm_error err;
	for (unsigned i = 0; i < c->extra; i++) {
		snprintf(name, sizeof(name), "extra-%u", i);
		if (klamm_broker_offsets(broker, name, 0, NULL, NULL, &err) != 0)
			scenario_complain(c->run, "life %u: %s\n", c->lives, err.text);
	}
	snprintf(name, sizeof(name), "extra-%u", c->extra);
	int rc = klamm_broker_create_topic(broker, name, 1, &err);
	/* One that a crash came between is there or not. */
	if (rc == 0 || rc == KLAMM_ERR_TOPIC_ALREADY_EXISTS)
		c->extra++;
}

static struct klamm_broker *start_broker(struct crash *c, struct klamm_loop *loop)
{
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.loop = loop,
		.listen = "broker:9092",
		.no_auto_create = true,
		.data_dir = "data",
		.config = (const char *const[]){c->backoff, NULL},
	};
	struct klamm_broker *broker;
	struct klamm_error err;
	/* A disk that cannot be read just now can be later. */
	while (klamm_broker_new(&options, &broker, &err) != 0) {
		if (c->calm)
			scenario_give_up(err.text);
		kl_sim_sleep(c->sim, 50 * KL_MS);
	}
	make_until_there(loop, (struct make_topic){c, broker, TOPIC, PARTITIONS, false});
	make_until_there(loop, (struct make_topic){c, broker, KEYED, 1, true});
	make_until_there(loop, (struct make_topic){c, broker, TXN_WORK_TOPIC, 2, false});
	txn_work_life(c->work);
	return broker;
}

/* --- transactions, in the broker's loop --- */

struct work_call {
	struct crash *c;
	struct klamm_broker *broker;
	bool ended;
};

static void work_step(void *arg)
{
	struct work_call *call = arg;
	struct crash *c = call->c;
	if (c->calm)
		call->ended = txn_work_end(c->work, call->broker);
	else
		txn_work_step(c->work, call->broker);
}

static void work_check(void *arg)
{
	struct work_call *call = arg;
	txn_work_check(call->c->work, call->broker, &call->c->run->why);
}

/* What is under way ends, and is as it should be. */
static void end_work(struct crash *c, struct klamm_loop *loop, struct klamm_broker *broker)
{
	struct work_call call = {c, broker, false};
	for (int i = 0; i < 1000 && !call.ended; i++) {
		kl_loop_call(loop, work_step, &call);
		kl_sim_sleep(c->sim, 20 * KL_MS);
	}
	if (!call.ended)
		scenario_complain(c->run, "transactions do not end\n");
	kl_loop_call(loop, work_check, &call);
}

static void broker_main(void *arg)
{
	struct crash *c = arg;
	c->lives++;
	struct klamm_loop *loop = scenario_loop(c->broker_node);
	struct klamm_broker *broker = start_broker(c, loop);
	look_at_topics(c, broker);
	c->broker = broker;
	while (!c->consumed) {
		struct work_call call = {c, broker, false};
		kl_sim_sleep(c->sim, 20 * KL_MS);
		if (!c->calm)
			kl_loop_call(loop, work_step, &call);
		if (c->calm || kl_sim_below(c->sim, 200) != 0)
			continue;
		/* In peace, for once; a kill may come in the middle of it. */
		c->broker = NULL;
		klamm_broker_free(broker);
		broker = start_broker(c, loop);
		c->ends++;
		c->broker = broker;
	}
	end_work(c, loop, broker);
	klamm_broker_free(broker);
	klamm_loop_free(loop);
	c->ended = true;
}

static void killer_main(void *arg)
{
	struct crash *c = arg;
	uint64_t gap = (1 + kl_sim_below(c->sim, 40)) * 100 * KL_MS;
	while (kl_sim_now(c->sim) < c->storm_end) {
		kl_sim_sleep(c->sim, (int64_t)kl_sim_below(c->sim, 2 * gap));
		bool power = kl_sim_below(c->sim, 4) != 0;
		c->broker = NULL;
		kl_sim_kill(c->broker_node, power);
		c->kills++;
		c->cut_power += power;
		kl_sim_sleep(c->sim, (int64_t)kl_sim_below(c->sim, KL_SECOND));
		kl_sim_boot(c->broker_node);
		kl_sim_spawn(c->broker_node, "broker", broker_main, c);
	}
	kl_sim_calm(c->sim);
	c->calm = true;
}

/* --- records --- */

static size_t value_size(const struct crash *c, uint64_t id)
{
	return 8 + (size_t)(id * 2654435761u % (c->size_max + 1));
}

static uint8_t filler(uint64_t id, size_t i)
{
	return (uint8_t)(id * 131 + i * 7 + i / 251);
}

static uint64_t recognize(const struct crash *c, const struct klamm_record_view *view)
{
	if (view->value.data == NULL || view->value.len < 8)
		return HISTORY_ALIEN;
	const uint8_t *p = view->value.data;
	uint64_t id = kl_load_u64(p);
	bool good = view->value.len == value_size(c, id);
	for (size_t i = 8; good && i < view->value.len; i++)
		good = p[i] == filler(id, i);
	return good ? id : HISTORY_ALIEN;
}

static struct klamm_conf *make_conf(const char *const *pairs)
{
	struct klamm_conf *conf;
	struct klamm_error err;
	if (klamm_conf_new(&conf, NULL) != 0)
		abort();
	for (; *pairs != NULL; pairs += 2)
		if (klamm_conf_set(conf, pairs[0], pairs[1], &err) != 0)
			scenario_give_up(err.text);
	return conf;
}

/* --- the producer --- */

/* Numbers of keyed records are told from the others. */
#define FIRST_KEYED ((uint64_t)1 << 31)

static void delivered(void *arg, const struct klamm_delivery *d)
{
	struct crash *c = arg;
	uint64_t id = (uintptr_t)d->opaque - 1;
	if (id >= FIRST_KEYED) {
		if (d->error == 0)
			keyed_acked(c->keyed, (uint32_t)(id - FIRST_KEYED), d->offset);
		else
			scenario_complain(c->run, "keyed record %llu: %s\n",
					  (unsigned long long)(id - FIRST_KEYED),
					  d->text);
		return;
	}
	history_done(c->history, id, d->error, d->outcome, d->partition, d->offset);
	if (d->error != 0)
		scenario_complain(c->run, "record %llu: %s\n", (unsigned long long)id,
				  d->text);
}

static void send_one(struct crash *c, struct klamm_producer *producer,
		     struct klamm_topic *topic)
{
	uint64_t id = history_number(c->history);
	uint8_t value[8 + 4096];
	struct klamm_record record;
	struct klamm_error err;
	klamm_record_init(&record);
	kl_store_u64(value, id);
	record.value = (struct klamm_span){value, value_size(c, id)};
	record.partition = (int32_t)(id % PARTITIONS);
	for (size_t i = 8; i < record.value.len; i++)
		value[i] = filler(id, i);
	int rc = klamm_producer_send(producer, topic, &record, (void *)(uintptr_t)(id + 1),
				     &err);
	history_sent(c->history, id, rc);
	if (rc != 0)
		scenario_complain(c->run, "send: %s\n", err.text);
}

static void send_keyed(struct crash *c, struct klamm_producer *producer,
		       struct klamm_topic *topic)
{
	struct klamm_record record;
	struct klamm_error err;
	uint64_t id = FIRST_KEYED + keyed_next(c->keyed, &record);
	if (klamm_producer_send(producer, topic, &record, (void *)(uintptr_t)(id + 1), &err) !=
	    0)
		scenario_complain(c->run, "send: %s\n", err.text);
}

static void producer_main(void *arg)
{
	struct crash *c = arg;
	static const char *const lingers[] = {"0", "5", "200"};
	static const char *const sizes[] = {"500", "4096", "16384"};
	const char *pairs[] = {
		"bootstrap.servers", "broker:9092", "acks", "all",
		"enable.idempotence", "false", "request.timeout.ms", "2000",
		"delivery.timeout.ms", "3600000", "max.block.ms", "3600000",
		"reconnect.backoff.ms", "20", "retry.backoff.ms", "20",
		"linger.ms", lingers[kl_sim_below(c->sim, kl_countof(lingers))],
		"batch.size", sizes[kl_sim_below(c->sim, kl_countof(sizes))],
		NULL,
	};
	struct klamm_conf *conf = make_conf(pairs);
	struct klamm_loop *loop = scenario_loop(c->client_node);
	struct klamm_producer *producer;
	struct klamm_topic *topic, *keyed;
	struct klamm_error err;
	if (klamm_producer_new(conf, loop, &producer, &err) != 0 ||
	    klamm_producer_on_delivery(producer, delivered, c, true, &err) != 0 ||
	    klamm_producer_topic(producer, TOPIC, &topic, &err) != 0 ||
	    klamm_producer_topic(producer, KEYED, &keyed, &err) != 0)
		scenario_give_up(err.text);
	int64_t storm = c->storm_end - kl_sim_now(c->sim);
	int64_t gap = storm / (RECORDS / 10);
	for (unsigned i = 0; i < RECORDS; i++) {
		send_one(c, producer, topic);
		send_keyed(c, producer, keyed);
		if (i % 10 == 9) {
			kl_sim_sleep(c->sim, (int64_t)kl_sim_below(c->sim, 2 * (uint64_t)gap));
			klamm_producer_poll(producer, 0, NULL, &err);
		}
	}
	if (klamm_producer_flush(producer, FLUSH_MS, NULL, &err) != 0)
		scenario_complain(c->run, "flush: %s\n", err.text);
	klamm_topic_unref(topic);
	klamm_topic_unref(keyed);
	if (klamm_producer_close(producer, FLUSH_MS, &err) != 0)
		scenario_complain(c->run, "close: %s\n", err.text);
	klamm_loop_free(loop);
	klamm_conf_free(conf);
	c->produced = true;
}

/* --- consumers --- */

static void saw(struct crash *c, int32_t partition, int64_t offset, uint64_t id)
{
	history_read(c->history, partition, offset, id);
	if (offset == c->seen_count[partition] && offset < 100 * RECORDS) {
		c->seen[partition][offset] = id;
		c->seen_count[partition]++;
	}
}

/* The second look: everything is where it was. */
static void saw_again(struct crash *c, int32_t partition, int64_t offset, uint64_t id)
{
	if (offset >= c->seen_count[partition] || c->seen[partition][offset] != id)
		scenario_complain(c->run,
				  "%d/%lld: record %lld the second time, %lld before\n",
				  partition, (long long)offset, (long long)id,
				  offset < c->seen_count[partition]
					  ? (long long)c->seen[partition][offset]
					  : -1LL);
}

typedef void (*saw_fn)(struct crash *c, int32_t partition, int64_t offset, uint64_t id);

static void poll_once(struct crash *c, struct klamm_consumer *consumer, saw_fn fn)
{
	struct klamm_batch *batch = NULL;
	struct klamm_error err;
	int rc = klamm_consumer_poll(consumer, 500, &batch, &err);
	struct klamm_record_view view;
	while (batch != NULL && klamm_batch_next(batch, &view) == 1)
		fn(c, klamm_batch_partition(batch), view.offset, recognize(c, &view));
	klamm_batch_unref(batch);
	if (rc != 0)
		scenario_complain(c->run, "consumer: %s (%s)\n", err.text, klamm_err_name(rc));
}

static void read_to_end(struct crash *c, struct klamm_consumer *consumer, saw_fn fn)
{
	int64_t deadline = kl_sim_now(c->sim) + 600 * KL_SECOND;
	for (int32_t i = 0; i < PARTITIONS; i++) {
		int64_t end = 0, position = 0;
		klamm_broker_offsets(c->broker, TOPIC, i, NULL, &end, NULL);
		while (kl_sim_now(c->sim) < deadline &&
		       (klamm_consumer_position(consumer, TOPIC, i, 10000, &position, NULL) !=
				0 ||
			position < end))
			poll_once(c, consumer, fn);
		if (position < end)
			scenario_complain(c->run,
					  "partition %d: stuck at %lld of %lld\n", i,
					  (long long)position, (long long)end);
		if (fn == saw)
			history_position(c->history, i, position);
	}
}

static struct klamm_consumer *open_consumer(struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_consumer *consumer;
	struct klamm_error err;
	struct klamm_topic_partition all[PARTITIONS];
	for (int32_t i = 0; i < PARTITIONS; i++)
		all[i] = (struct klamm_topic_partition){TOPIC, i};
	if (klamm_consumer_new(conf, loop, &consumer, &err) != 0 ||
	    klamm_consumer_assign(consumer, all, PARTITIONS, &err) != 0)
		scenario_give_up(err.text);
	return consumer;
}

/* The compacted topic, from the beginning, when nothing happens to it any more. */
static void read_keyed(struct crash *c, struct klamm_conf *conf, struct klamm_loop *loop)
{
	int64_t deadline = kl_sim_now(c->sim) + 600 * KL_SECOND, end = 0, position = 0;
	struct klamm_topic_partition from = {KEYED, 0};
	struct klamm_consumer *consumer;
	struct klamm_error err;
	if (klamm_consumer_new(conf, loop, &consumer, &err) != 0 ||
	    klamm_consumer_assign(consumer, &from, 1, &err) != 0)
		scenario_give_up(err.text);
	klamm_broker_offsets(c->broker, KEYED, 0, NULL, &end, NULL);
	while (position < end && kl_sim_now(c->sim) < deadline) {
		struct klamm_batch *batch = NULL;
		struct klamm_record_view view;
		if (klamm_consumer_poll(consumer, 500, &batch, &err) != 0)
			scenario_complain(c->run, "consumer: %s\n", err.text);
		while (batch != NULL && klamm_batch_next(batch, &view) == 1)
			keyed_read(c->keyed, &view);
		klamm_batch_unref(batch);
		klamm_consumer_position(consumer, KEYED, 0, 10000, &position, NULL);
	}
	if (position < end)
		scenario_complain(c->run, "the compacted topic: stuck at %lld of %lld\n",
				  (long long)position, (long long)end);
	if (klamm_consumer_close(consumer, 10000, &err) != 0)
		scenario_complain(c->run, "closing a consumer: %s\n", err.text);
}

static void consumer_main(void *arg)
{
	struct crash *c = arg;
	static const char *const pairs[] = {
		"bootstrap.servers", "broker:9092", "auto.offset.reset", "earliest",
		"request.timeout.ms", "2000", "reconnect.backoff.ms", "20",
		"retry.backoff.ms", "20", "fetch.max.wait.ms", "100", NULL,
	};
	struct klamm_conf *conf = make_conf(pairs);
	struct klamm_loop *loop = scenario_loop(c->client_node);
	struct klamm_consumer *consumer = open_consumer(conf, loop);
	struct klamm_error err;
	int64_t quiet_since = KL_NEVER;
	while (quiet_since == KL_NEVER || kl_sim_now(c->sim) < quiet_since + QUIET) {
		if (c->produced && c->calm && c->broker != NULL && quiet_since == KL_NEVER)
			quiet_since = kl_sim_now(c->sim);
		poll_once(c, consumer, saw);
	}
	read_to_end(c, consumer, saw);
	struct klamm_consumer *second = open_consumer(conf, loop);
	read_to_end(c, second, saw_again);
	read_keyed(c, conf, loop);
	if (klamm_consumer_close(consumer, 10000, &err) != 0 ||
	    klamm_consumer_close(second, 10000, &err) != 0)
		scenario_complain(c->run, "closing a consumer: %s\n", err.text);
	klamm_loop_free(loop);
	klamm_conf_free(conf);
	c->consumed = true;
}

/* --- the world --- */

static void check(struct crash *c)
{
	struct history_want want = {.all_acked = true, .told_in_order = true};
	history_check(c->history, &want, &c->run->why);
	keyed_check(c->keyed, &c->run->why);
	struct history_counts n = history_count(c->history);
	kl_buf_printf(&c->run->note,
		      "%llu acked, %llu twice, %u kills, %u of them power cuts, %u ends",
		      (unsigned long long)n.acked, (unsigned long long)n.duplicates, c->kills,
		      c->cut_power, c->ends);
	keyed_note(c->keyed, &c->run->note);
	txn_work_note(c->work, &c->run->note);
	if (!c->ended)
		scenario_complain(c->run, "the broker's transactions were not looked at\n");
}

static void crash_run(struct scenario_run *run)
{
	static const char *const rolls[] = {"1", "500", "5000", "604800000"};
	static const char *const backoffs[] = {"log.cleaner.backoff.ms=5",
					       "log.cleaner.backoff.ms=100",
					       "log.cleaner.backoff.ms=2000"};
	struct crash c = {.run = run, .sim = scenario_world(run)};
	c.client_node = kl_sim_node(c.sim, "client");
	c.broker_node = kl_sim_node(c.sim, "broker");
	kl_sim_node_mortal(c.broker_node);
	c.history = history_new(PARTITIONS);
	c.keyed = keyed_new(RECORDS);
	c.work = txn_work_new(kl_sim_below(c.sim, UINT32_MAX));
	c.backoff = backoffs[kl_sim_below(c.sim, kl_countof(backoffs))];
	c.size_max = (size_t[]){0, 100, 1500, 4000}[kl_sim_below(c.sim, 4)];
	c.roll_ms = rolls[kl_sim_below(c.sim, kl_countof(rolls))];
	int64_t storm = 5 * KL_SECOND + (int64_t)kl_sim_below(c.sim, 40 * KL_SECOND);
	c.storm_end = kl_sim_now(c.sim) + storm;
	for (int i = 0; i < PARTITIONS; i++)
		if ((c.seen[i] = calloc(100 * RECORDS, sizeof(uint64_t))) == NULL)
			abort();
	if (!run->calm)
		kl_sim_faults_draw(c.sim, false, kl_sim_faults(c.sim));
	kl_sim_spawn(c.broker_node, "broker", broker_main, &c);
	kl_sim_spawn(c.client_node, "killer", killer_main, &c);
	kl_sim_spawn(c.client_node, "producer", producer_main, &c);
	kl_sim_spawn(c.client_node, "consumer", consumer_main, &c);
	if (scenario_go(run, c.sim, LIMIT))
		check(&c);
	kl_sim_free(c.sim);
	history_free(c.history);
	keyed_free(c.keyed);
	txn_work_free(c.work);
	for (int i = 0; i < PARTITIONS; i++)
		free(c.seen[i]);
}

const struct scenario scenario_crash = {
	.name = "crash",
	.summary = "a broker's disk through power cuts and kills, under acks=all",
	.run = crash_run,
};
