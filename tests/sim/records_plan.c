/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run of "records" draws from its seed: sizes, and settings of both clients. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/records.h"

static uint64_t below(struct records *r, uint64_t n)
{
	return kl_sim_below(r->sim, n);
}

static void set(struct klamm_conf *conf, const char *key, const char *value)
{
	scenario_set(conf, (const char *const[]){key, value, NULL});
}

static void set_number(struct klamm_conf *conf, const char *key, int64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, value);
	set(conf, key, text);
}

#define pick(r, ...)                                                                     \
	(((const int64_t[]){__VA_ARGS__})[below((r), kl_countof(((int64_t[]){__VA_ARGS__})))])

static struct klamm_conf *draw_common(struct records *r, struct scenario_log *log)
{
	const char *brokers[] = {
		"bootstrap.servers", "broker:9092,broker:9093,broker:9094", NULL};
	struct klamm_conf *conf = scenario_conf(r->run, log, brokers);
	set_number(conf, "request.timeout.ms", pick(r, 1000, 5000, 30000));
	set_number(conf, "retry.backoff.ms", pick(r, 10, 100));
	set_number(conf, "reconnect.backoff.ms", pick(r, 10, 50));
	set_number(conf, "metadata.max.age.ms", pick(r, 2000, 30000, 300000));
	set_number(conf, "connections.max.idle.ms", pick(r, 10000, 540000));
	return conf;
}

static void draw_producer(struct records *r)
{
	struct klamm_conf *conf = r->plan.producer_conf = draw_common(r, &r->producer_log);
	set(conf, "acks", "all");
	set(conf, "enable.idempotence", "false");
	set_number(conf, "linger.ms", pick(r, 0, 1, 5, 100, 1000));
	set_number(conf, "batch.size", pick(r, 500, 4096, 16384, 100000));
	set_number(conf, "buffer.memory", pick(r, 300000, 1000000, 33554432));
	set_number(conf, "max.block.ms", pick(r, 100, 60000));
	set_number(conf, "max.in.flight.requests.per.connection", pick(r, 1, 2, 5));
	/* Longer than the storm and what comes late from it, or so short that records fail. */
	r->plan.patient = below(r, 4) != 0;
	int64_t request = strtoll(klamm_conf_get(conf, "request.timeout.ms"), NULL, 10);
	int64_t timeout = r->plan.patient ? 3600000 : pick(r, 500, 3000, 10000);
	set_number(conf, "delivery.timeout.ms", timeout + request + 1000);
	static const char *const codecs[] = {"none", "none", "gzip", "snappy", "lz4", "zstd"};
	size_t codec = below(r, kl_countof(codecs));
	if (r->plan.age != RECORDS_MODERN) /* they have no zstd */
		codec %= kl_countof(codecs) - 1;
	set(conf, "compression.type", codecs[codec]);
}

static void draw_consumer(struct records *r)
{
	struct klamm_conf *conf = r->plan.consumer_conf = draw_common(r, &r->consumer_log);
	set(conf, "auto.offset.reset", "earliest");
	int64_t timeout = strtoll(klamm_conf_get(conf, "request.timeout.ms"), NULL, 10);
	int64_t wait = pick(r, 10, 100, 500, 30000);
	set_number(conf, "fetch.max.wait.ms", kl_min(timeout, wait));
	set_number(conf, "fetch.max.bytes", pick(r, 1000, 100000, 52428800));
	int64_t most = pick(r, 1000, 20000, 1048576);
	set_number(conf, "max.partition.fetch.bytes", most);
	/* Of more than a partition may give, an answer would ever come late. */
	int64_t least = pick(r, 1, 1, 10000);
	set_number(conf, "fetch.min.bytes", kl_min(most, least));
}

/* From the seed alone: nothing else that is drawn depends on it. */
static void draw_age(struct records *r)
{
	uint64_t n = r->run->seed * 0x9e3779b97f4a7c15u >> 32;
	r->plan.age = n % 8 == 0 ? RECORDS_OLD : n % 8 == 1 ? RECORDS_MIXED : RECORDS_MODERN;
	r->plan.old_produce = (int)(n / 8 % 3);
}

void records_plan_draw(struct records *r)
{
	r->producer_log = (struct scenario_log){r->sim, "producer"};
	r->consumer_log = (struct scenario_log){r->sim, "consumer"};
	r->plan = (struct records_plan){
		.count = 10000,
		.partitions = 1 + (unsigned)below(r, 6),
		.senders = 1 + (unsigned)below(r, 2),
		.storm_us = r->run->calm
				    ? 0
				    : 20 * KL_SECOND + (int64_t)below(r, 60 * KL_SECOND),
		.size_max = (size_t)pick(r, 0, 50, 300, 2000),
		.flush = below(r, 2) == 0,
		.tamper = !r->run->calm && below(r, 3) == 0,
	};
	draw_age(r);
	draw_producer(r);
	draw_consumer(r);
}

void records_plan_free(struct records *r)
{
	klamm_conf_free(r->plan.producer_conf);
	klamm_conf_free(r->plan.consumer_conf);
}
