/* SPDX-License-Identifier: BSD-2-Clause */
/* The one message of AWS_MSK_IAM: a request that is never sent as such, GET / at the
 * broker's host for the action kafka-cluster:Connect, presigned, and its parts as a
 * JSON object. */
#ifndef AWS_MSK_IAM_PAYLOAD_H
#define AWS_MSK_IAM_PAYLOAD_H

#include "plugins/common/aws/credentials.h"
#include "plugins/common/aws/sigv4.h"

#define PAYLOAD_VERSION "2020_10_22"
#define PAYLOAD_EXPIRES "900" /* seconds */

enum payload_field {
	PAYLOAD_OF_VERSION,
	PAYLOAD_HOST,
	PAYLOAD_USER_AGENT,
	PAYLOAD_ACTION,
	PAYLOAD_ALGORITHM,
	PAYLOAD_CREDENTIAL, /* KEY-ID/20210818/REGION/kafka-cluster/aws4_request */
	PAYLOAD_DATE,
	PAYLOAD_TOKEN, /* of temporary credentials; the only one that may be missing */
	PAYLOAD_SIGNED_HEADERS,
	PAYLOAD_OF_EXPIRES,
	PAYLOAD_SIGNATURE,
	PAYLOAD_FIELDS,
};

struct aws_msk_iam_payload {
	struct kl_text v[PAYLOAD_FIELDS];
};

void aws_msk_iam_payload_free(struct aws_msk_iam_payload *payload);
#define PAYLOAD_AUTO                                                                   \
	__attribute__((cleanup(aws_msk_iam_payload_free))) struct aws_msk_iam_payload

/* What a client says to the broker host. NO_MEMORY. */
int aws_msk_iam_sign(const struct kl_aws_credentials *credentials, const char *region,
		     const char *host, const char *user_agent, int64_t wall_ms,
		     struct kl_text *out, struct klamm_error *err);

/* Each field once, and no other. NULL, or why it is no payload. Ends with _free(). */
const char *aws_msk_iam_payload_read(const struct klamm_span *text,
				     struct aws_msk_iam_payload *payload_out);

#endif
