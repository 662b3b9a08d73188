/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL on a broker's connection, as a client: SaslHandshake, then the mechanism's
 * messages, as SaslAuthenticate requests (KIP-152) or, for brokers before 1.0, as bare
 * frames; and again before the session's end (KIP-368). The mechanism is a plugin; it
 * runs on the blocking pool.
 *
 * A part of struct kl_node, in its loop.
 */
#ifndef KL_AUTH_H
#define KL_AUTH_H

#include "core/broker/request.h"
#include "core/broker/sasl_session.h"
#include "core/proto/gen/messages.h"

enum kl_auth_step {
	KL_AUTH_NONE,
	KL_AUTH_HANDSHAKE, /* may we use the mechanism? */
	KL_AUTH_THINK,     /* the plugin is at work */
	KL_AUTH_ANSWER,    /* the broker's turn */
};

struct kl_auth {
	enum kl_auth_step step;
	bool again; /* of a live connection */
	bool raw;   /* bare frames */
	bool last;  /* the plugin has sent its last word */
	unsigned rounds;
	unsigned raw_closes; /* connections in a row that ended on a bare message */
	struct kl_sasl_session *session;
	struct kl_request request;
	union {
		struct kl_sasl_handshake_request handshake;
		struct kl_sasl_authenticate_request authenticate;
	} body;
	struct kl_buf token; /* on its way out */
	struct kl_out out;   /* of a bare one */
	int64_t lifetime_ms; /* that the broker gives the session; 0 = no end */
	int64_t again_at;    /* when to authenticate again; KL_NEVER */
};

void kl_auth_init(struct kl_auth *auth);
/* The connection and its versions are there. again: it is in use. Ends in
 * kl_node_authenticated() or kl_node_give_up(). */
void kl_auth_begin(struct kl_node *node, bool again);
/* A frame that answers no request. */
void kl_auth_frame(struct kl_node *node, const uint8_t *p, size_t n);
/* The connection is gone. */
void kl_auth_stop(struct kl_auth *auth);
void kl_auth_free(struct kl_auth *auth);
/* The connection was closed in the middle of it: what that means. */
void kl_auth_explain_close(struct kl_node *node, struct klamm_error *err);

/* Did SASL, TLS or a proxy fail in a way that trying again does not help? */
bool kl_auth_is_refusal(const struct klamm_error *err);

#endif
