/* SPDX-License-Identifier: BSD-2-Clause */
/* The dev broker in this process, and short ways to make clients of the public interface and
 * to see what they did. What goes wrong here fails the test.
 */
#ifndef WORLD_H
#define WORLD_H

#include <klamm/broker.h>
#include <klamm/klamm.h>
#include <stdarg.h>

#include "core/conf/conf.h"
#include "tests/unit/unit.h"

/* Milliseconds that nothing takes here: only a test that is going to fail waits so long. */
#define PATIENCE 60000

extern struct klamm_broker *world_broker;
/* bootstrap.servers of clients that are made from now on; the broker's own at first. */
extern const char *world_servers;

void world_up(void);   /* a fixture: one node */
void world_down(void);
void world_start(struct klamm_broker_options options);
void world_create(const char *topic, int32_t partitions);
int64_t world_end_of(const char *topic, int32_t partition); /* its log's end offset */
/* A fault for a topic (NULL: any); count 0 = one request. Its id. */
int32_t world_fault(struct klamm_broker_fault fault);

/* With these on top of what tests want everywhere: "key=value", ..., NULL. */
struct klamm_conf *world_conf(const char *pair, ...) __attribute__((sentinel));
struct klamm_producer *world_producer(struct klamm_loop *loop, const char *pair, ...)
	__attribute__((sentinel));
struct klamm_consumer *world_consumer(struct klamm_loop *loop, const char *pair, ...)
	__attribute__((sentinel));
/* From a configuration, which it frees. */
struct klamm_producer *world_producer_of(struct klamm_conf *conf, struct klamm_loop *loop);
struct klamm_consumer *world_consumer_of(struct klamm_conf *conf, struct klamm_loop *loop);
/* Everything is delivered. */
void world_close(struct klamm_producer *producer);
/* With what is left. */
void world_drop(struct klamm_producer *producer);
void world_close_consumer(struct klamm_consumer *consumer);

/* --- sending --- */

struct klamm_span world_span(const char *text); /* NULL = null */
struct klamm_record world_record(const char *key, const char *value);
/* Into a partition, -1 = let it decide. */
void world_send(struct klamm_producer *producer, const char *topic, int32_t partition,
		const char *key, const char *value, void *opaque);
/* Everything has an outcome: how many failed. */
uint64_t world_flush(struct klamm_producer *producer);

/* What became of a record: give its address as the opaque, world_told as the callback. */
struct world_end {
	int told;
	int32_t partition, error, outcome, retriable;
	int64_t offset, timestamp_ms;
	int32_t key_size, value_size, headers_size;
	int64_t at_ms; /* when it was told */
	char topic[64], text[512];
};
void world_told(void *arg, const struct klamm_delivery *delivery);
/* A producer that tells these. */
struct klamm_producer *world_telling(struct klamm_loop *loop, const char *pair, ...)
	__attribute__((sentinel));
/* Poll until it was told. */
void world_wait(struct klamm_producer *producer, const struct world_end *end);

/* --- reading --- */

struct world_seen {
	int32_t partition;
	int64_t offset, timestamp_ms;
	int32_t timestamp_type;
	uint32_t headers;
	int32_t key_len, value_len; /* -1 = null */
	char key[64], value[64];    /* their beginnings, and a NUL */
};
/* Assign one partition, from an offset (or KLAMM_OFFSET_...) on. */
void world_assign(struct klamm_consumer *consumer, const char *topic, int32_t partition,
		  int64_t offset);
/* The next n records, in the order that they come. Returns how many batches they were in. */
int world_read(struct klamm_consumer *consumer, int n, struct world_seen *seen);
/* The next batch; NULL and the error, if one is told. */
struct klamm_batch *world_poll(struct klamm_consumer *consumer, struct klamm_error *err);

/* Until a loop has looked at its sockets: it has heard of connections that ended before. */
void world_look(struct klamm_loop *loop);
int64_t world_ms(void); /* a clock that does not jump */
int world_threads(void); /* of this process */

#endif
