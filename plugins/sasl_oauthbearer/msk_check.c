/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker's side of a token for Amazon MSK (msk.c): the URL of a presigned request. */
#include "plugins/common/aws/proof.h"
#include "plugins/sasl_oauthbearer/check.h"
#include "plugins/sasl_oauthbearer/jwt.h"

#define SCHEME "https://"

enum field {
	ACTION,
	ALGORITHM,
	CREDENTIAL,
	DATE,
	EXPIRES,
	SIGNED_HEADERS,
	SECURITY_TOKEN, /* of temporary credentials; may be missing */
	SIGNATURE,
	USER_AGENT, /* not signed; may be missing */
	FIELDS,
};

static const char *const names[FIELDS] = {
	[ACTION] = "Action",
	[ALGORITHM] = "X-Amz-Algorithm",
	[CREDENTIAL] = "X-Amz-Credential",
	[DATE] = "X-Amz-Date",
	[EXPIRES] = "X-Amz-Expires",
	[SIGNED_HEADERS] = "X-Amz-SignedHeaders",
	[SECURITY_TOKEN] = "X-Amz-Security-Token",
	[SIGNATURE] = "X-Amz-Signature",
	[USER_AGENT] = "User-Agent",
};

struct url {
	struct kl_text host, v[FIELDS];
};

static void free_url(struct url *url)
{
	kl_text_free(&url->host);
	for (int i = 0; i < FIELDS; i++)
		kl_text_free(&url->v[i]);
}
#define URL_AUTO __attribute__((cleanup(free_url))) struct url

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *decode(const char *p, size_t n, struct kl_text *to)
{
	for (size_t i = 0; i < n; i++) {
		char c = p[i];
		if (c == '%') {
			int high = i + 2 < n ? digit_of(p[i + 1]) : -1;
			int low = i + 2 < n ? digit_of(p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return "it has a % without two digits";
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return "it has a NUL";
		kl_text_char(to, c);
	}
	if (to->len == 0)
		return "a parameter is empty";
	return to->failed ? "out of memory" : NULL;
}

static int field_of(const char *p, size_t n)
{
	for (int i = 0; i < FIELDS; i++)
		if (strlen(names[i]) == n && memcmp(names[i], p, n) == 0)
			return i;
	return -1;
}

static const char *take_parameter(const char *p, size_t n, struct url *url)
{
	const char *equals = memchr(p, '=', n);
	if (equals == NULL)
		return "it has a parameter without a value";
	size_t len = (size_t)(equals - p);
	int field = field_of(p, len);
	if (field < 0)
		return "it has a parameter that is unknown";
	if (url->v[field].len > 0)
		return "it has a parameter twice";
	return decode(equals + 1, n - len - 1, &url->v[field]);
}

static const char *check_fields(const struct url *url)
{
	for (int i = 0; i < FIELDS; i++)
		if (url->v[i].len == 0 && i != SECURITY_TOKEN && i != USER_AGENT)
			return "a parameter is missing";
	if (strcmp(url->v[ACTION].p, KL_AWS_ACTION) != 0)
		return "its action is not " KL_AWS_ACTION;
	if (strcmp(url->v[ALGORITHM].p, KL_AWS_ALGORITHM) != 0)
		return "its algorithm is not " KL_AWS_ALGORITHM;
	return strcmp(url->v[SIGNED_HEADERS].p, "host") == 0
		       ? NULL
		       : "its signed headers are not host alone";
}

/* https://HOST/?NAME=VALUE&... NULL, or why it is not. */
static const char *read_url(const char *text, size_t len, struct url *url)
{
	size_t scheme = sizeof(SCHEME) - 1;
	if (len < scheme || memcmp(text, SCHEME, scheme) != 0)
		return "it is no https: URL";
	const char *p = text + scheme, *end = text + len;
	const char *slash = memchr(p, '/', (size_t)(end - p));
	if (slash == NULL || slash + 1 >= end || slash[1] != '?')
		return "it has no query";
	const char *why = decode(p, (size_t)(slash - p), &url->host);
	for (p = slash + 2; why == NULL && p <= end;) {
		const char *stop = memchr(p, '&', (size_t)(end - p)) ?: end;
		why = take_parameter(p, (size_t)(stop - p), url);
		p = stop + 1;
	}
	return why != NULL ? why : check_fields(url);
}

/* One token is for all brokers of a region, whose name is in the host's; in China that ends
 * with one more word. */
static int check_host(const struct url *url, const char *region, struct klamm_error *err)
{
	KL_TEXT_AUTO want = {0};
	kl_text_printf(&want, "kafka.%s.amazonaws.com", region);
	const char *host = kl_text_get(&url->host);
	size_t n = want.len;
	if (!want.failed && strncmp(host, want.p, n) == 0 &&
	    (host[n] == '\0' || strcmp(host + n, ".cn") == 0))
		return 0;
	return kl_aws_refuse(err, "signed for the host %.100s, and not for %.100s", host,
			     kl_text_get(&want));
}

int kl_oauth_check_msk(const struct oauth *o, const struct klamm_sasl_server *server,
		       struct klamm_span token, struct oauth_verdict *verdict_out,
		       struct klamm_error *err)
{
	KL_TEXT_AUTO text = {0};
	KL_TEXT_AUTO key_id = {0};
	KL_TEXT_AUTO region = {0};
	URL_AUTO url = {0};
	if (!kl_oauth_get_base64url(token.data, token.len, &text))
		return kl_aws_refuse(err, "the token is not base64url");
	const char *why = read_url(kl_text_get(&text), text.len, &url);
	if (why != NULL)
		return kl_aws_refuse(err, "the token is no presigned URL: %s", why);
	const struct kl_aws_proof proof = {
		.host = url.host.p,
		.credential = url.v[CREDENTIAL].p,
		.date = url.v[DATE].p,
		.expires = url.v[EXPIRES].p,
		.token = url.v[SECURITY_TOKEN].p,
		.signature = url.v[SIGNATURE].p,
	};
	int64_t left_ms = 0;
	int rc = kl_aws_check_proof(o->host, server, &proof, &key_id, &region, &left_ms,
				    err);
	if (rc == 0)
		rc = check_host(&url, kl_text_get(&region), err);
	if (rc != 0)
		return rc;
	kl_text_add(&verdict_out->subject, kl_text_get(&key_id));
	verdict_out->left_ms = left_ms > 1 ? left_ms : 1;
	return verdict_out->subject.failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory")
		       : 0;
}
