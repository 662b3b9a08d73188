/* SPDX-License-Identifier: BSD-2-Clause */
/* What a server must know of a token before it believes it: signature and claims, as
 * Kafka's BrokerJwtValidator, or, when that was asked for, an unsecured token as its
 * OAuthBearerUnsecuredValidatorCallbackHandler. */
#ifndef OAUTH_CHECK_H
#define OAUTH_CHECK_H

#include "plugins/sasl_oauthbearer/oauth.h"

struct oauth_verdict {
	struct kl_text subject; /* who it is */
	int64_t left_ms;        /* how long the token still holds, at least 1 */
	bool lacks_scope;       /* of a refusal: that alone is wrong */
};

/* verdict_out begins zeroed; the subject is freed by the caller either way.
 * AUTHENTICATION says why, for the log: the client is told no more than Kafka tells. */
int kl_oauth_check(struct oauth *o, const struct klamm_call *call,
		   struct klamm_span token, struct oauth_verdict *verdict_out,
		   struct klamm_error *err);
/* The same for a token of Amazon MSK, a request that is signed with an access key, whose
 * secret the server has as a user's password (msk_check.c). */
int kl_oauth_check_msk(const struct oauth *o, const struct klamm_sasl_server *server,
		       struct klamm_span token, struct oauth_verdict *verdict_out,
		       struct klamm_error *err);

#endif
