/* SPDX-License-Identifier: BSD-2-Clause */
/* Signature Version 4, the way in which Amazon's services want requests signed.
 *
 * The signature is an HMAC-SHA-256, with a key derived from the secret for one day,
 * region and service, over a canonical form of the request. It goes along in a header,
 * or as the last parameter of the query ("presigned"). No state; any thread. */
#ifndef PLUGINS_AWS_SIGV4_H
#define PLUGINS_AWS_SIGV4_H

#include <klamm/error.h>
#include <klamm/host.h>

#include "plugins/common/text.h"

#define KL_AWS_ALGORITHM "AWS4-HMAC-SHA256"
#define KL_AWS_TIME      17 /* "20210818T212511Z" */
#define KL_AWS_SIGNATURE 65
/* The most that a request may have of query parameters, and of headers. */
#define KL_AWS_PAIRS 32

struct kl_aws_pair {
	const char *name, *value; /* UTF-8, not encoded */
};

struct kl_aws_request {
	const char *method;
	const char *path; /* UTF-8, not encoded */
	bool keep_path;   /* "//", "." and ".." stay as they are */
	const struct kl_aws_pair *query;
	size_t query_count;
	/* All that are signed, Host among them; of one name in the order that they are
	 * sent. */
	const struct kl_aws_pair *headers;
	size_t header_count;
	struct klamm_span body;
};

/* Who signs, for what, and when. Borrowed. */
struct kl_aws_signer {
	const char *key_id, *secret;
	const char *token; /* of temporary credentials, else NULL */
	const char *region, *service;
	const char *time; /* as kl_aws_time() writes it */
};

void kl_aws_time(int64_t wall_ms, char to[static KL_AWS_TIME]);
/* The reverse; false: it is no such time. */
bool kl_aws_time_read(const char *text, int64_t *wall_ms_out);

/* "20210818/us-east-1/kafka-cluster/aws4_request" */
void kl_aws_put_scope(struct kl_text *to, const struct kl_aws_signer *signer);
/* As it stands in URLs: all but letters, digits and "-._~" becomes %XX. */
void kl_aws_put_encoded(struct kl_text *to, const char *text);

/* The signature of a presigned request: that with the parameters X-Amz-Algorithm,
 * -Credential, -Date, -Expires, -Security-Token (if there is one) and -SignedHeaders
 * besides its own. NO_MEMORY, LIMIT. */
int kl_aws_sign_query(const struct kl_aws_signer *signer,
		      const struct kl_aws_request *request, const char *expires,
		      char signature_out[static KL_AWS_SIGNATURE],
		      struct klamm_error *err);

/* The value of the header Authorization, for the request with X-Amz-Date and, if there
 * is a token, X-Amz-Security-Token besides its own headers. NO_MEMORY, LIMIT. */
int kl_aws_sign_headers(const struct kl_aws_signer *signer,
			const struct kl_aws_request *request,
			struct kl_text *authorization_out, struct klamm_error *err);

#endif
