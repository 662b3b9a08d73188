/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens for Amazon MSK: a URL that is signed with an access key, and made anew each time
 * at no other cost than finding the key. */
#include "plugins/common/aws/aws.h"
#include "plugins/common/aws/token.h"
#include "plugins/sasl_oauthbearer/oauth.h"

static int fetch(struct oauth *o, const struct klamm_call *call,
		 struct oauth_token *token_out, struct klamm_error *err)
{
	KL_AWS_CREDENTIALS_AUTO credentials = {0};
	char region[KL_AWS_REGION], user_agent[64];
	int64_t now = o->host->wall_ms(o->host);
	snprintf(user_agent, sizeof(user_agent), "klamm/%.40s", o->host->version);
	int rc = kl_aws_credentials(o->aws, call, &credentials, err);
	if (rc == 0) /* one token is for all brokers, so no host's name tells it */
		rc = kl_aws_region(o->aws, NULL, region, err);
	if (rc == 0)
		rc = kl_aws_put_token(&token_out->value, &credentials, region,
				      user_agent, now, err);
	if (rc != 0)
		return rc;
	kl_text_add(&token_out->subject, kl_text_get(&credentials.key_id));
	token_out->start_ms = now;
	token_out->expires_ms = now + KL_AWS_TOKEN_SECONDS * 1000;
	if (credentials.expires_ms < token_out->expires_ms)
		token_out->expires_ms = credentials.expires_ms;
	return kl_oauth_inspect(o, 0, token_out, err);
}

const struct oauth_source kl_oauth_from_msk = {"Amazon's access key", fetch};
