/* SPDX-License-Identifier: BSD-2-Clause */
/* The world of the scenarios in which records are written exactly once: three broker nodes, a
 * client that works through trouble of one kind, and a reader that follows with
 * isolation.level=read_committed. */
#ifndef EXACT_H
#define EXACT_H

#include <klamm/broker.h>
#include <klamm/consumer.h>
#include <klamm/producer.h>

#include "tests/sim/copies.h"
#include "tests/sim/history.h"
#include "tests/sim/scenario.h"
#include "tests/sim/txns.h"

#define EXACT_TOPIC "exact"
#define EXACT_INPUT "input"
#define EXACT_GROUP "copiers"
#define EXACT_PORT 9092
#define EXACT_NODES 3
#define EXACT_PARTITIONS_MAX 3
#define EXACT_CLIENTS 4

struct exact;

/* How a call of a transactional producer ended. */
enum exact_step {
	EXACT_DONE,
	EXACT_ABORT, /* the transaction must be aborted */
	EXACT_FATAL, /* the producer must be closed */
};

/* What the client does. */
struct exact_role {
	/* One incarnation, from its start until all is done; true = it is. false: it met an
	 * error that another one has to get over. */
	bool (*live)(struct exact *e, struct klamm_loop *loop);
	unsigned members; /* of a group, so many at the same time; 0 = it is alone */
	/* Before the trouble begins, on the reader's node; may be NULL. */
	void (*prepare)(struct exact *e, struct klamm_loop *loop);
	/* A record that the reader was given. */
	void (*saw)(struct exact *e, int32_t partition, const struct klamm_record_view *view);
	/* When all is read, on the reader's node; may be NULL. */
	void (*settle)(struct exact *e, struct klamm_loop *loop);
	void (*check)(struct exact *e);
};

struct exact_client {
	struct exact *e;
	struct kl_sim_node *node;
	unsigned producer; /* its number in the history */
	bool succeeded;    /* by another one, under the same name */
	bool ended;
};

struct exact {
	struct scenario_run *run;
	struct scenario_log log;
	const struct exact_role *role;
	struct kl_sim *sim;
	struct kl_sim_node *broker_node, *reader_node;
	struct exact_client clients[EXACT_CLIENTS];
	unsigned running; /* of them */
	struct klamm_broker *broker;
	struct history *history;
	struct txns *txns;
	struct copies *copies;

	/* Drawn from the seed. */
	unsigned partitions, total;
	bool patient; /* delivery.timeout.ms is longer than anything that goes wrong */
	int64_t storm_us, gap_us;
	const char *request_timeout, *linger, *batch_size, *in_flight, *delivery_timeout,
		*transaction_timeout, *transaction_version, *retry_backoff;

	int64_t storm_end, done_at;
	unsigned sent, lives, strikes;
	bool listening, over; /* the broker is there; the trouble has ended, */
	bool quiet;           /* some time ago */
	bool done, read;      /* the client is through; the reader is */
};

/* --- exact.c --- */
extern const char *const exact_kinds[];
void exact_run(struct exact *e);
uint64_t exact_below(struct exact *e, uint64_t n);
/* An error that the trouble explains: who is answered with garbage may say so, and where the
 * broker has forgotten a producer, what is in doubt stays so. */
bool exact_allows(const struct exact *e, int error);
/* Settings of all clients, and pairs, NULL at the end. */
struct klamm_conf *exact_conf(struct exact *e, const char *const *pairs);
/* Of a producer; id NULL: one without transactions. */
struct klamm_producer *exact_producer(struct exact *e, struct klamm_loop *loop,
				      const char *id);
struct klamm_consumer *exact_consumer(struct exact *e, struct klamm_loop *loop,
				      const char *topic, const char *group);

/* Until nothing has gone wrong for a while: what comes then must work at once. */
void exact_wait_for_quiet(struct exact *e);

/* --- exact_copy.c: what copies one topic to another --- */
void exact_copy_run(struct scenario_run *run, const struct exact_role *role);
void exact_copy_prepare(struct exact *e, struct klamm_loop *loop);
void exact_copy_saw(struct exact *e, int32_t partition, const struct klamm_record_view *view);
void exact_copy_settle(struct exact *e, struct klamm_loop *loop);
void exact_copy_check(struct exact *e);
/* So many records has each partition of the input. */
unsigned exact_copy_input(const struct exact *e);
/* A record of the input, to the same partition of the output. */
enum exact_step exact_copy_record(struct exact *e, struct klamm_producer *producer,
				  struct klamm_topic *topic, int32_t partition,
				  const struct klamm_record_view *view);

/* --- exact_client.c --- */
void exact_clients_start(struct exact *e);
/* The one whose fiber runs now. */
struct exact_client *exact_client_here(struct exact *e);

/* --- exact_trouble.c: a fiber of the broker's node --- */
void exact_trouble_main(void *arg);

/* --- exact_read.c: one of the reader's --- */
void exact_reader_main(void *arg);

/* --- exact_txn.c: how the calls of a transactional producer go on after errors --- */
enum exact_step exact_init(struct exact *e, struct klamm_producer *producer);
enum exact_step exact_begin(struct exact *e, struct klamm_producer *producer);
enum exact_step exact_send_offsets(struct exact *e, struct klamm_producer *producer,
				   const struct klamm_offset *offsets, size_t count,
				   const struct klamm_group_metadata *group);
enum exact_step exact_commit(struct exact *e, struct klamm_producer *producer);
enum exact_step exact_abort(struct exact *e, struct klamm_producer *producer);

/* --- exact_send.c: records that history knows --- */
/* The producer's delivery callback; arg is the world. */
void exact_delivered(void *arg, const struct klamm_delivery *d);
/* Sends record number id; the answer of send(), which the history knows. */
int exact_send(struct exact *e, struct klamm_producer *producer, struct klamm_topic *topic,
		    uint64_t id, struct klamm_error *err);
/* The number in a value; HISTORY_ALIEN = not one of ours. */
uint64_t exact_number(const struct klamm_record_view *view);

#endif
