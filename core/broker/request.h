/* SPDX-License-Identifier: BSD-2-Clause */
/* One request to one broker and its answer. Lives in its owner, from kl_node_request() until
 * done() was called, which happens exactly once. Loop only. */
#ifndef KL_REQUEST_H
#define KL_REQUEST_H

#include "core/net/conn.h"
#include "core/proto/msg.h"

struct kl_node;
struct kl_request;

struct kl_response {
	int code; /* 0, or klamm's own error: the request failed as a whole */
	const struct klamm_error *err; /* when code is not 0 */
	/* The bytes may have reached the broker, so it may have acted on them. */
	bool maybe_applied;
	int64_t latency_us; /* from the sending to the answer; 0 without one */
	int version;
	/* The decoded message, NULL with an error or when there is no answer (acks=0).
	 * Borrowed for the call; its strings and bytes live in slab, as long as a reference
	 * on that is held. */
	const void *body;
	struct kl_slab *slab;
};

struct kl_request {
	/* --- set by the owner --- */
	enum kl_api api;
	int min_version;  /* no lower than this */
	int max_version;  /* no higher than this; -1 = the newest */
	const void *body; /* the message; or let prepare() make one for the version */
	const void *(*prepare)(struct kl_request *request, int version);
	bool no_answer;     /* acks=0 */
	int64_t timeout_us; /* from the sending on; 0 = request.timeout.ms */
	int64_t deadline;   /* from now on, also while it waits for a connection; KL_NEVER */
	void (*done)(struct kl_request *request, const struct kl_response *response);

	/* --- the node's --- */
	struct kl_list link;
	struct kl_node *node;
	int version;
	int32_t correlation;
	int64_t expires; /* when in flight */
	int64_t sent_at; /* put on the connection */
	size_t size;     /* of its frame */
	uint64_t silent_before; /* see struct kl_node */
	bool gone;  /* whole in the kernel's hands */
	bool ended; /* done() comes next */
	struct kl_out out;
	struct kl_buf head;
	struct kl_refs refs;
};

/* What it holds for sending; the request may be used again before or after. */
void kl_request_free(struct kl_request *request);

#endif
