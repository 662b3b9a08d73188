/* SPDX-License-Identifier: BSD-2-Clause */
/* The proof that MSK takes as a token of OAUTHBEARER: a presigned URL, in base64url. */
#ifndef PLUGINS_AWS_TOKEN_H
#define PLUGINS_AWS_TOKEN_H

#include "plugins/common/aws/credentials.h"

#define KL_AWS_TOKEN_SECONDS 900 /* how long it holds */

/* Appends the token, byte for byte that of Amazon's signer for Python when user_agent
 * is the same. NO_MEMORY. */
int kl_aws_put_token(struct kl_text *to, const struct kl_aws_credentials *credentials,
		     const char *region, const char *user_agent, int64_t wall_ms,
		     struct klamm_error *err);

#endif
