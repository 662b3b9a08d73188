/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_aws_msk_iam/verify.h"

#include <strings.h>

#include "plugins/common/aws/proof.h"
#include "plugins/sasl_aws_msk_iam/payload.h"

static int check_host(const char *hosts, const char *host, struct klamm_error *err)
{
	size_t len = strlen(host), n;
	for (const char *p = hosts; p != NULL && *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		if (n == len && strncasecmp(p, host, n) == 0)
			return 0;
	}
	return hosts == NULL
		       ? 0
		       : kl_aws_refuse(
				 err,
				 "signed for the host %.100s, and this one is %.100s",
				 host, hosts);
}

int aws_msk_iam_verify(const struct klamm_host *host,
		       const struct klamm_sasl_server *server, const char *hosts,
		       const struct klamm_span *text, struct kl_text *key_id_out,
		       struct klamm_error *err)
{
	PAYLOAD_AUTO payload;
	KL_TEXT_AUTO key_id = {0};
	KL_TEXT_AUTO region = {0};
	int64_t left_ms;
	const char *why = aws_msk_iam_payload_read(text, &payload);
	if (why != NULL)
		return kl_aws_refuse(err, "the payload is none: %s", why);
	const struct kl_aws_proof proof = {
		.host = payload.v[PAYLOAD_HOST].p,
		.credential = payload.v[PAYLOAD_CREDENTIAL].p,
		.date = payload.v[PAYLOAD_DATE].p,
		.expires = payload.v[PAYLOAD_OF_EXPIRES].p,
		.token = payload.v[PAYLOAD_TOKEN].p,
		.signature = payload.v[PAYLOAD_SIGNATURE].p,
	};
	int rc = kl_aws_check_proof(host, server, &proof, &key_id, &region, &left_ms, err);
	if (rc == 0)
		rc = check_host(hosts, proof.host, err);
	if (rc == 0)
		kl_text_add(key_id_out, kl_text_get(&key_id));
	return rc;
}
