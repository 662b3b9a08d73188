/* SPDX-License-Identifier: BSD-2-Clause */
/* What klamm would send, for tests that compare it with Amazon's own signers:
 *
 *	sign KEY-ID SECRET SESSION-TOKEN REGION HOST USER-AGENT SECONDS
 *
 * prints the message of AWS_MSK_IAM and the token of OAUTHBEARER, a line each. An empty
 * session token is none; SECONDS are those since 1970. */
#include <stdio.h>
#include <stdlib.h>

#include "plugins/common/aws/token.h"
#include "plugins/sasl_aws_msk_iam/payload.h"

int main(int argc, char **argv)
{
	struct kl_aws_credentials c = {0};
	struct kl_text message = {0}, token = {0};
	struct klamm_error err;
	if (argc != 8) {
		fprintf(stderr,
			"sign KEY-ID SECRET SESSION-TOKEN REGION HOST USER-AGENT "
			"SECONDS\n");
		return 2;
	}
	int64_t wall_ms = strtoll(argv[7], NULL, 10) * 1000;
	kl_text_add(&c.key_id, argv[1]);
	kl_text_add(&c.secret, argv[2]);
	kl_text_add(&c.token, argv[3]);
	if (aws_msk_iam_sign(&c, argv[4], argv[5], argv[6], wall_ms, &message, &err) !=
		    0 ||
	    kl_aws_put_token(&token, &c, argv[4], argv[6], wall_ms, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("%s\n%s\n", kl_text_get(&message), kl_text_get(&token));
	kl_text_free(&message);
	kl_text_free(&token);
	kl_aws_credentials_free(&c);
	return 0;
}
