/* SPDX-License-Identifier: BSD-2-Clause */
/* Who clients are: the mechanisms that are offered, the users and their credentials,
 * and where each connection stands, as Kafka's SaslServerAuthenticator has it. */
#ifndef KL_DEV_SASL_H
#define KL_DEV_SASL_H

#include "broker/broker.h"
#include "core/broker/sasl_session.h"

struct kl_dev_conn;
struct kl_dev_call;
struct kl_dev_mechanism;

enum kl_dev_auth_step {
	KL_DEV_AUTH_NONE,      /* nobody asks */
	KL_DEV_AUTH_HELLO,     /* ApiVersions or SaslHandshake may come */
	KL_DEV_AUTH_HANDSHAKE, /* only the latter: ApiVersions was answered */
	KL_DEV_AUTH_TOKENS,    /* the mechanism's messages */
	KL_DEV_AUTH_OTHER, /* again, with another mechanism: what comes next ends it */
	KL_DEV_AUTH_DONE,
};

/* A part of a connection. */
struct kl_dev_auth {
	enum kl_dev_auth_step step;
	bool bare;  /* tokens without requests around them (SaslHandshake version 0) */
	bool again; /* of a live connection (KIP-368) */
	const struct kl_dev_mechanism *mechanism;
	struct kl_sasl_session *session;
	struct kl_dev_call *call; /* waits for a step of the session */
	char *user;               /* NULL: not known yet */
	int64_t expires_at;       /* KL_NEVER = not at all */
	int64_t again_at; /* when it last began to authenticate again; 0 = never */
	int64_t asked_at; /* since when it is to say who it is */
	unsigned rounds;  /* messages of this session */
};

/* mechanisms: "PLAIN,..."; users: a file, may be NULL; reauth_ms 0 = never again;
 * config: the broker's settings, of which those of the mechanisms are taken. Everything
 * is in broker->sasl from then on, also after a failure. Not in the loop: plugins are
 * opened. */
int kl_dev_sasl_new(struct klamm_broker *broker, const char *mechanisms,
		    const char *users, int64_t reauth_ms, const char *const *config,
		    struct klamm_error *err);
/* Not in the loop: waits for plugins. */
void kl_dev_sasl_free(struct kl_dev_sasl *sasl);

/* What is stored for a user, and the names of the mechanisms that are offered. */
int kl_dev_sasl_credential(void *sasl, const char *user, const char *what,
			   struct klamm_out *out); /* [any thread] */
const struct kl_dev_mechanism *kl_dev_sasl_find(const struct kl_dev_sasl *sasl,
						struct kl_str name);
struct kl_instance *kl_dev_mechanism_instance(const struct kl_dev_mechanism *mechanism);
const char *kl_dev_mechanism_name(const struct kl_dev_mechanism *mechanism);
struct kl_str *kl_dev_sasl_names(struct kl_dev_sasl *sasl, int32_t *count_out);
int64_t kl_dev_sasl_reauth_ms(const struct kl_dev_sasl *sasl);

/* --- auth.c: a connection --- */

void kl_dev_auth_init(struct kl_dev_conn *conn);
void kl_dev_auth_free(struct kl_dev_conn *conn);
/* The longest frame that is taken from somebody unknown; 0 = it is known who it is. */
size_t kl_dev_auth_frame_max(const struct kl_dev_conn *conn);
/* It takes longer to say who it is than anybody has to. */
bool kl_dev_auth_is_late(const struct kl_dev_conn *conn);
/* A bare token. */
static inline bool kl_dev_auth_wants_token(const struct kl_dev_auth *auth)
{
	return auth->step == KL_DEV_AUTH_TOKENS && auth->bare;
}
void kl_dev_auth_token(struct kl_dev_conn *conn, const uint8_t *p, size_t n);
/* NULL: a request of this API may come now; else why the connection is to be closed. */
const char *kl_dev_auth_forbids(const struct kl_dev_conn *conn, int api);
/* A request that was decoded, before its handler. true: it is answered, being out of
 * place. */
bool kl_dev_auth_stops(struct kl_dev_call *call);
/* ApiVersions was answered well. */
void kl_dev_auth_told_versions(struct kl_dev_conn *conn);

void kl_dev_sasl_handshake(struct kl_dev_call *call);
void kl_dev_sasl_authenticate(struct kl_dev_call *call);

#endif
