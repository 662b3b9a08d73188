/* SPDX-License-Identifier: BSD-2-Clause */
/* A peer that does as it is told: a listener on loopback with a thread of its own, which
 * speaks Kafka well enough to be taken for a broker of one node, until a test takes over one
 * kind of request, or the bytes themselves.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/proto/frame.h"
#include "core/proto/gen/messages.h"
#include "tests/unit/unit.h"

#define SCRIPT_APIS 128
#define SCRIPT_CONNS 16
#define SCRIPT_PRODUCER_ID 7000

struct script;

struct script_request {
	struct script *script;
	int fd;
	struct kl_frame_header header;
	const void *body;
	struct kl_arena *arena; /* of this request; answers may live there */
};

struct script {
	/* --- set before script_start(), atomic ones later too; each may be NULL --- */
	/* Instead of everything else: the connection is the test's, closed when this
	 * returns. It blocks all others meanwhile. */
	void (*_Atomic raw)(struct script *script, int fd);
	/* A frame, before it is read as a request. true: it was none. */
	bool (*_Atomic frame)(struct script *script, int fd, const uint8_t *p, size_t n);
	/* false: answer as usual. */
	bool (*_Atomic handle)(const struct script_request *request);
	void *arg;
	int port;       /* 0 = any free one */
	_Atomic int partitions; /* of every topic; 0 = 1 */
	_Atomic int advertise; /* port that Metadata names; 0 = its own */
	int api_versions_max; /* newest ApiVersions version; 0 = klamm's newest */
	int below[SCRIPT_APIS]; /* only versions below this, by API; 0 = all, -1 = none */
	const void *log; /* bytes of batches that Fetch serves from offset 0 on */
	size_t log_len;
	int64_t log_end;
	/* --- what it did --- */
	_Atomic int connections, closed;
	_Atomic int requests[SCRIPT_APIS];
	_Atomic int64_t records; /* produced */
	/* --- its own --- */
	int listener, wake[2];
	pthread_t thread;
	struct script_conn {
		int fd; /* -1 = none */
		uint8_t *in;
		size_t len;
	} conns[SCRIPT_CONNS];
	char address[32]; /* "127.0.0.1:port" */
};

void script_start(struct script *script);
void script_stop(struct script *script); /* closes everything; may be started again */

/* Answer with this body, in the request's version. */
void script_answer(const struct script_request *request, const void *body);
/* The same with another correlation id. */
void script_answer_as(const struct script_request *request, const void *body, int32_t id);
/* The bytes of an answer, its size included; freed by the caller. */
uint8_t *script_encode(const struct script_request *request, const void *body,
		       size_t *len_out);
void script_send(int fd, const void *p, size_t n);
/* Close the connection that the request came on. */
void script_hang_up(const struct script_request *request);

/* An empty response for the request, in its arena. */
void *script_body(const struct script_request *request);
#define SCRIPT_BODY(name, request) ((struct kl_##name##_response *)script_body(request))
/* What the script would answer. */
struct kl_metadata_response *script_metadata(const struct script_request *request);
struct kl_produce_response *script_produce(const struct script_request *request);
struct kl_fetch_response *script_fetch(const struct script_request *request);

/* The id that this topic has here. */
struct klamm_uuid script_topic_id(const char *name, size_t len);

/* A port of loopback that nobody listens on. */
int script_dead_port(void);
/* Milliseconds of a clock that does not jump. */
int64_t script_ms(void);

#endif
