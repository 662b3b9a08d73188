/* SPDX-License-Identifier: BSD-2-Clause */
/* How web servers are reached, of tokens and of keys: whose certificates are believed, the
 * client's own, and the way through a proxy. Read anew for each exchange, as files change. */
#ifndef OAUTH_REACH_H
#define OAUTH_REACH_H

#include "plugins/common/http.h"
#include "plugins/sasl_oauthbearer/oauth.h"

struct oauth_reach {
	const struct klamm_host *host;
	struct klamm_out *ca, *own; /* PEM, secret; NULL = none */
	char *proxy;                /* secret; NULL = none */
};

/* Zeroed, or filled; ends with kl_oauth_reach_free(). CONFIG, NO_MEMORY. */
int kl_oauth_reach_read(const struct klamm_host *host, const struct oauth_conf *conf,
			struct oauth_reach *reach_out, struct klamm_error *err);
void kl_oauth_reach_free(struct oauth_reach *reach);

/* Asks for a token (oidc.c). AUTHENTICATION and CONNECT, which may pass, say what the server
 * answered. */
int kl_oauth_ask(struct oauth *o, const struct kl_http_request *request,
		 struct oauth_token *token_out, struct klamm_error *err);

/* Fills in what the request needs of it; borrowed. */
void kl_oauth_reach_apply(const struct oauth_reach *reach, const struct oauth_conf *conf,
			  struct kl_http_request *request);

#endif
