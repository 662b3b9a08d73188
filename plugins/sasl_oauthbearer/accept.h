/* SPDX-License-Identifier: BSD-2-Clause */
/* The server's half, as Kafka's OAuthBearerSaslServer. */
#ifndef OAUTH_ACCEPT_H
#define OAUTH_ACCEPT_H

#include "plugins/sasl_oauthbearer/oauth.h"

struct oauth_accept {
	struct oauth *o;
	const struct klamm_sasl_server *server;
	/* What a client was told of its token, and that only its \x01 may follow.
	 * Empty: it was not. */
	char told[400];
};

int kl_oauth_accept_step(struct oauth_accept *a, const struct klamm_call *call,
			 const struct klamm_span *in, struct klamm_out *out,
			 int32_t *state_out, struct klamm_error *err);

#endif
