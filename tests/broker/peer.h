/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker, and a client that waits for each answer: what the tests of the broker begin with.
 *
 * With KLAMM_TEST_BOOTSTRAP=HOST:PORT the tests that use peer_address() talk to that broker
 * instead: what holds here must hold for Apache Kafka, too.
 */
#ifndef PEER_H
#define PEER_H

#include <klamm/broker.h>

#include "core/proto/frame.h"
#include "core/proto/gen/messages.h"
#include "tests/unit/unit.h"

/* --- the broker of a test: fixtures; each test has its own process --- */

extern struct klamm_broker *peer_broker;

void peer_start(void);       /* one node */
void peer_start_three(void); /* three */
void peer_start_with(struct klamm_broker_options options);
void peer_stop(void);
bool peer_is_foreign(void); /* it is not ours: no faults, no control */
const char *peer_address(void);
int peer_port(int node); /* of the dev broker; nodes count from 1 */

/* --- the client --- */

struct peer {
	int fd;
	int32_t correlation_id;
	struct kl_arena arena; /* the last answer */
	uint8_t *frame;
};

struct peer *peer_open(void); /* to the first address */
struct peer *peer_open_node(int node);
void peer_close(struct peer *peer);

/* Bytes as they are. */
void peer_send(struct peer *peer, const void *p, size_t n);
/* A request; its answer is read by peer_read(). */
void peer_ask(struct peer *peer, const struct kl_msg *request, int version, const void *obj);
/* The next answer, valid until the one after it. Fails the test when it cannot be read, has
 * bytes left over, or does not come. */
void *peer_read(struct peer *peer, const struct kl_msg *response, int version);
/* Both. */
#define PEER_CALL(peer, name, version, obj)                                              \
	((struct kl_##name##_response *)peer_call((peer), &kl_msg_##name##_request,      \
						  &kl_msg_##name##_response, (version),  \
						  (obj)))
void *peer_call(struct peer *peer, const struct kl_msg *request,
		const struct kl_msg *response, int version, const void *obj);
/* The broker closes the connection, without a word. */
bool peer_is_closed(struct peer *peer);
/* Nothing comes within so many milliseconds. */
bool peer_is_silent(struct peer *peer, int ms);
/* The broker still works. */
void peer_check_alive(void);

/* --- requests that many tests need --- */

/* A name that no other test has used. */
const char *peer_topic(void);
struct kl_str peer_create(const char *name, int32_t partitions);
/* With settings: key, value, key, value, ..., NULL; settings NULL = none. */
void peer_create_with(const char *name, int32_t partitions, const char *const *settings);
void peer_delete(const char *name);
/* A topic's id, from Metadata. */
struct klamm_uuid peer_topic_id(const char *name);

/* A batch of count records "value-0", ... with this base timestamp, one ms apart. */
struct peer_batch {
	uint8_t data[16384];
	size_t len;
};
void peer_batch(struct peer_batch *b, int count, int64_t timestamp);
/* The same with the values as keys, too. */
void peer_batch_keyed(struct peer_batch *b, int count, int64_t timestamp);
/* The same with a producer's id and sequence. */
void peer_batch_from(struct peer_batch *b, int count, int64_t producer, int16_t epoch,
		     int32_t sequence);
/* Produce with acks=all, version 9; what became of it. */
struct kl_produce_response_partition *peer_produce(struct peer *peer, const char *topic,
						   int32_t partition, const void *p,
						   size_t n);
/* Fetch version 12 without waiting. */
struct kl_fetch_response_partition *peer_fetch(struct peer *peer, const char *topic,
					       int32_t partition, int64_t offset);

#endif
