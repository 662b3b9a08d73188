/* SPDX-License-Identifier: BSD-2-Clause */
/* One session of a SASL plugin, as client or as server: bytes in, bytes out, no I/O of
 * its own.
 *
 * Belongs to a loop; the plugin's calls run on the loop's blocking pool, one at a time.
 */
#ifndef KL_SASL_SESSION_H
#define KL_SASL_SESSION_H

#include "core/net/loop.h"
#include "core/plugin.h"

/* The longest message that a plugin may write: what Kafka's brokers take by default
 * (sasl.server.max.receive.size). */
#define KL_SASL_TOKEN_MAX (512 * 1024)

struct kl_sasl_session;

/* What a step came to. Borrowed for the call. */
struct kl_sasl_result {
	int code; /* 0, or why it failed */
	const struct klamm_error *err;
	int32_t state;         /* enum klamm_sasl_state */
	struct klamm_span out; /* to be sent; wiped after the call */
	bool is_silent;        /* KLAMM_OUT_NULL: no message, where one may be left out */
	/* With DONE: how long the credentials hold, -1 = for good; and, of a server,
	 * whose they are. */
	int64_t lifetime_ms;
	const char *user;
};
/* In the loop, never from inside kl_sasl_session_step(). May free the session. */
typedef void (*kl_sasl_fn)(void *owner, const struct kl_sasl_result *result);

/* What a server's half may ask: fills out as struct klamm_sasl_server's credential()
 * does. [any thread] */
typedef int (*kl_sasl_credential_fn)(void *arg, const char *user, const char *what,
				     struct klamm_out *out);

struct kl_sasl_session_spec {
	struct kl_instance *instance; /* held until the plugin's session is gone */
	const char *host;             /* the other end; copied */
	int32_t port;
	uint32_t flags;                   /* KLAMM_SASL_... */
	kl_sasl_credential_fn credential; /* NULL: the session is a client's */
	void *credential_arg;
	kl_sasl_fn done;
	void *owner;
};

/* Nothing runs before the first step. NULL: out of memory. */
struct kl_sasl_session *kl_sasl_session_new(struct klamm_loop *loop,
					    const struct kl_sasl_session_spec *spec);
/* One step; in is copied, NULL for a client that speaks first. done() comes, once,
 * unless the session is freed before. No step may be under way. false: out of memory.
 */
bool kl_sasl_session_step(struct kl_sasl_session *session, const void *in, size_t len,
			  int64_t wait_ms);
/* A step that is running is told that nobody wants it any more; the plugin wipes its
 * session on the pool when it has returned. NULL is fine. */
void kl_sasl_session_free(struct kl_sasl_session *session);

#endif
