/* SPDX-License-Identifier: BSD-2-Clause */
/* An instance and its sessions: what the two halves share. */
#ifndef GSSAPI_SESSION_H
#define GSSAPI_SESSION_H

#include <gssapi/gssapi.h>

#include <klamm/sasl.h>

#include "login.h"
#include "short_name.h"

/* Kerberos 5 needs two messages of each side before the layers; more are somebody's who
 * never ends. */
#define KL_GSS_ROUNDS_MAX 4

struct kl_gss_conf {
	const char *service, *name, *domain, *principal, *keytab, *cache;
	const char *to_local; /* a server's */
	double factor, jitter;
	int64_t relogin_ms;
};

struct kl_gss {
	const struct klamm_host *host;
	struct kl_gss_conf conf;    /* its texts are the host's */
	struct kl_gss_login *login; /* the client half's */
	struct kl_gss_rules *rules; /* the server half's */
};

enum kl_gss_stage {
	KL_GSS_BEGIN,   /* nothing was said */
	KL_GSS_CONTEXT, /* Kerberos is at it */
	KL_GSS_OFFER,   /* a server: the empty message that lets it speak */
	KL_GSS_LAYER,   /* which layer? */
	KL_GSS_END,     /* only the server's last word is due */
};

struct kl_gss_session {
	struct kl_gss *gss;
	const struct klamm_sasl_peer *peer;
	const struct klamm_sasl_server *server; /* NULL: a client's */
	enum kl_gss_stage stage;
	unsigned rounds;
	gss_ctx_id_t context;
	gss_cred_id_t cred;
	gss_name_t broker;             /* a client's */
	char *broker_text;             /* and in words */
	struct kl_gss_shared *tickets; /* a client's */
	struct kl_text user;           /* a server's: who it is */
};

int kl_gss_client_step(void *session, const struct klamm_call *call,
		       const struct klamm_span *in, struct klamm_out *out,
		       int32_t *state_out, struct klamm_error *err);
/* The credentials of a server half; the keytab is looked at. CONFIG. */
int kl_gss_server_cred(const struct kl_gss_conf *conf, gss_cred_id_t *cred_out,
		       struct klamm_error *err);
int kl_gss_server_step(void *session, const struct klamm_call *call,
		       const struct klamm_span *in, struct klamm_out *out,
		       int32_t *state_out, struct klamm_error *err);

/* Append what GSSAPI gave, and release it. */
int kl_gss_put(struct klamm_out *out, gss_buffer_t buffer, struct klamm_error *err);
/* Release what was unwrapped. */
void kl_gss_drop(gss_buffer_t plain);

#endif
