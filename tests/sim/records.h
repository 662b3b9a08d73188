/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the scenario "records": what it draws from the seed, its payload, its world. */
#ifndef RECORDS_H
#define RECORDS_H

#include <klamm/broker.h>
#include <klamm/consumer.h>
#include <klamm/producer.h>

#include "tests/sim/history.h"
#include "tests/sim/scenario.h"

#define RECORDS_TOPIC "records"
#define RECORDS_PORT 9092
#define RECORDS_NODES 3

/* Which releases the brokers are of. */
enum records_age {
	RECORDS_MODERN,
	RECORDS_OLD,   /* from before 0.11: they know messages, and no batches */
	RECORDS_MIXED, /* now this, now that */
};

struct records_plan {
	unsigned count, partitions, senders;
	int64_t storm_us; /* how long things go wrong */
	size_t size_max;  /* of a value, beyond its number */
	bool patient;     /* delivery.timeout.ms is longer than anything that goes wrong */
	bool flush;       /* before close */
	enum records_age age;
	int old_produce;  /* the newest version of Produce that old ones have: 0 to 2 */
	bool tamper;      /* a bit of a value is turned here and there */
	struct klamm_conf *producer_conf, *consumer_conf;
};

struct records {
	struct scenario_run *run;
	struct kl_sim *sim;
	struct kl_sim_node *producer_node, *consumer_node, *broker_node;
	struct scenario_log producer_log, consumer_log;
	struct history *history;
	struct records_plan plan;
	int64_t storm_end;

	struct klamm_loop *broker_loop;
	struct klamm_broker *broker;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	unsigned senders_left;
	bool listening; /* the broker and its topic are there */
	bool operated;  /* nobody makes trouble any more */
	bool produced;  /* the producer is closed */
	bool consumed;  /* the consumer is closed */
	int64_t produced_at;
	uint64_t consumer_errors, moves, restarts, damaged;
};

/* --- records_plan.c --- */
void records_plan_draw(struct records *r);
void records_plan_free(struct records *r);

/* --- records_payload.c --- */
struct records_payload {
	uint8_t key[8], value[16 + 4096];
	struct klamm_header header;
};
/* Fills record; everything in it is borrowed from payload. */
void records_fill(struct records *r, uint64_t id, struct records_payload *payload,
		  struct klamm_record *record);
/* The number of a record that was read; HISTORY_ALIEN when any of it is wrong. */
uint64_t records_recognize(struct records *r, const struct klamm_record_view *view);
/* Turn a bit in a value now and then, where the batch's CRC must notice. */
void records_tamper(void *arg, const struct kl_sim_node *from, const struct kl_sim_node *to,
		    uint8_t *p, size_t n);

/* --- one fiber each --- */
void records_broker_main(void *arg);   /* records_broker.c */
void records_operator_main(void *arg); /* makes trouble through the broker's interface */
void records_producer_main(void *arg); /* records_produce.c */
void records_consumer_main(void *arg); /* records_consume.c */

#endif
