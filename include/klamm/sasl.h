/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins of the kind sasl: one authentication mechanism, client half and server half.
 *
 * Chosen by sasl.mechanism: SCRAM-SHA-256 -> sasl_scram_sha_256.so. One instance per
 * client, one session per connection and again per re-authentication (KIP-368). Every
 * call runs on the blocking pool, so it may ask a KDC or an HTTP server; calls on
 * different sessions run at the same time, calls on one session never.
 */
#ifndef KLAMM_SASL_H
#define KLAMM_SASL_H

#include <klamm/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KLAMM_ABI_sasl KLAMM_ABI(KLAMM_KIND_SASL, 1)

/* What a step leads to. */
enum klamm_sasl_state {
	/* Send out (it may be empty) and step again with the answer. */
	KLAMM_SASL_SEND = 0,
	/* Send out, which is this side's last word. Where the protocol always answers
	 * (SaslAuthenticate) there is one more step with the answer; after a
	 * SaslHandshake v0 there is none, and the session counts as done. */
	KLAMM_SASL_SEND_LAST = 1,
	/* Done, the other side has proved what it must; out is sent by a server and
	 * ignored from a client. */
	KLAMM_SASL_DONE = 2,
};

#define KLAMM_SASL_TLS 1u   /* the connection is encrypted */
#define KLAMM_SASL_AGAIN 2u /* a re-authentication of a live connection */

/* The other end. Borrowed until session_free(). */
struct klamm_sasl_peer {
	size_t size;
	const char *host; /* as configured or as the broker advertised it, for a client */
	int32_t port;
	uint32_t flags; /* KLAMM_SASL_... */
	struct klamm_span tls_server_end_point; /* RFC 5929, data NULL = none */
};

/* What the server half asks of the server it lives in. Borrowed until session_free(). */
struct klamm_sasl_server {
	size_t size;
	void *arg;
	/* Appends what is stored for a user. what: "password" (as it is), or "SCRAM-SHA-256"
	 * and the like (Kafka's notation: salt=BASE64,stored_key=BASE64,server_key=BASE64,
	 * iterations=N), or "delegation-token", the user being its id (owner=NAME,
	 * hmac=BASE64 and perhaps expires=MS since 1970). AUTHENTICATION: no such user, or
	 * nothing of that sort. */
	int (*credential)(const struct klamm_sasl_server *server, const char *user,
			  const char *what, struct klamm_out *out);
	/* Before DONE: who it is (copied), and how long that holds, -1 = for good. */
	int (*identify)(const struct klamm_sasl_server *server, const char *user,
			int64_t lifetime_ms);
};

struct klamm_sasl_plugin {
	struct klamm_plugin_head head;

	/* Mandatory. The name on the wire: "SCRAM-SHA-256". Static. */
	const char *mechanism;

	/* Mandatory. Blocking pool. Begin as a client. */
	int (*session_new)(void *self, const struct klamm_sasl_peer *peer,
			   void **session_out, struct klamm_error *err);

	/* Mandatory. Blocking pool, one call at a time on one session. in: the server's
	 * message, borrowed; data NULL on the first call, when the client speaks first. out:
	 * where to append the next message, borrowed. *state_out: enum klamm_sasl_state.
	 * AUTHENTICATION: it failed, and the text says why without any secret. TIMED_OUT: the
	 * call's time is over. */
	int (*step)(void *session, const struct klamm_call *call,
		    const struct klamm_span *in, struct klamm_out *out, int32_t *state_out,
		    struct klamm_error *err);

	/* Mandatory. Blocking pool. Wipes every secret, then frees; also a session that
	 * failed or was never stepped, and one of accept_new(). */
	void (*session_free)(void *session);

	/* Optional. Blocking pool, after DONE. Milliseconds for which the credentials that
	 * were used still hold (a token's expiry), -1 = not limited. */
	int64_t (*session_lifetime)(void *session);

	/* Optional, together with accept_step; used by the dev broker. Blocking pool. Begin
	 * as a server. */
	int (*accept_new)(void *self, const struct klamm_sasl_peer *peer,
			  const struct klamm_sasl_server *server, void **session_out,
			  struct klamm_error *err);

	/* Optional. Blocking pool, one call at a time on one session. As step() with the
	 * roles changed: in is never null. With DONE, KLAMM_OUT_NULL in out says that the
	 * mechanism has no last message, not even an empty one: after a SaslHandshake v0
	 * nothing is sent then. */
	int (*accept_step)(void *session, const struct klamm_call *call,
			   const struct klamm_span *in, struct klamm_out *out,
			   int32_t *state_out, struct klamm_error *err);

	/* ABI 1 as first released ends here. */
};

#ifdef __cplusplus
}
#endif
#endif
