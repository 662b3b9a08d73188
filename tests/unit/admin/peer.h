/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker that says what a test wants: blocking sockets on loopback, a thread for
 * each connection. It answers ApiVersions itself. */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

#include <pthread.h>

#include "core/proto/frame.h"
#include "core/proto/gen/messages.h"

struct peer;

/* The response to a request, made in arena with peer_answer(); NULL = close the
 * connection. */
typedef const void *(*peer_fn)(struct peer *peer, const struct kl_frame_header *head,
			       const void *request, struct kl_arena *arena);

struct peer {
	int32_t id; /* broker id */
	uint16_t port;
	int max[KL_API_COUNT]; /* newest version that is offered, -1 = klamm's newest */
	bool hidden[KL_API_COUNT]; /* not offered at all */
	peer_fn answer;
	void *user;
	int listener;
	_Atomic unsigned connections;	      /* so far */
	_Atomic unsigned asked[KL_API_COUNT]; /* requests so far, this one counted */
};

/* Listens; serves until the test's process ends. */
void peer_start(struct peer *peer, int32_t id, peer_fn answer, void *user);
/* A response with its defaults. */
void *peer_answer(const struct kl_frame_header *head, struct kl_arena *arena);

#endif
