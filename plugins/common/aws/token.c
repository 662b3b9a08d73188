/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/common/aws/token.h"

#include "plugins/common/aws/proof.h"

#define STRING(n)  STRING_(n)
#define STRING_(n) #n
#define EXPIRES    STRING(KL_AWS_TOKEN_SECONDS)

static void put_parameter(struct kl_text *url, const char *name, const char *value)
{
	kl_text_printf(url, "&%s=", name);
	kl_aws_put_encoded(url, value);
}

/* In the order of Amazon's signer for Python. */
static void put_url(struct kl_text *url, const struct kl_aws_signer *signer,
		    const char *host, const char *signature, const char *user_agent)
{
	KL_TEXT_AUTO credential = {0};
	kl_text_printf(&credential, "%s/", signer->key_id);
	kl_aws_put_scope(&credential, signer);
	kl_text_printf(url, "https://%s/?Action=", host);
	kl_aws_put_encoded(url, KL_AWS_ACTION);
	put_parameter(url, "X-Amz-Algorithm", KL_AWS_ALGORITHM);
	put_parameter(url, "X-Amz-Credential", kl_text_get(&credential));
	put_parameter(url, "X-Amz-Date", signer->time);
	put_parameter(url, "X-Amz-Expires", EXPIRES);
	put_parameter(url, "X-Amz-SignedHeaders", "host");
	if (signer->token != NULL)
		put_parameter(url, "X-Amz-Security-Token", signer->token);
	put_parameter(url, "X-Amz-Signature", signature);
	put_parameter(url, "User-Agent", user_agent); /* not signed */
	url->failed |= credential.failed;
}

/* Without padding. */
static void put_base64url(struct kl_text *to, const struct kl_text *from)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_";
	for (size_t i = 0; i < from->len; i += 3) {
		uint32_t bits = 0;
		size_t n = from->len - i < 3 ? from->len - i : 3;
		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < n ? (unsigned char)from->p[i + j] : 0);
		for (size_t j = 0; j <= n; j++)
			kl_text_char(to, digits[bits >> (18 - 6 * j) & 63]);
	}
}

int kl_aws_put_token(struct kl_text *to, const struct kl_aws_credentials *credentials,
		     const char *region, const char *user_agent, int64_t wall_ms,
		     struct klamm_error *err)
{
	KL_TEXT_AUTO host = {0};
	KL_TEXT_AUTO url = {0};
	char time[KL_AWS_TIME], signature[KL_AWS_SIGNATURE];
	kl_aws_time(wall_ms, time);
	kl_text_printf(&host, "kafka.%s.amazonaws.com", region);
	struct kl_aws_signer signer = {
		.key_id = kl_text_get(&credentials->key_id),
		.secret = kl_text_get(&credentials->secret),
		.token = credentials->token.len > 0 ? credentials->token.p : NULL,
		.region = region,
		.service = KL_AWS_SERVICE,
		.time = time,
	};
	int rc = kl_aws_connect_signature(&signer, kl_text_get(&host), EXPIRES, signature,
					  err);
	if (rc != 0)
		return rc;
	put_url(&url, &signer, kl_text_get(&host), signature, user_agent);
	put_base64url(to, &url);
	return host.failed || url.failed || to->failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory")
		       : 0;
}
