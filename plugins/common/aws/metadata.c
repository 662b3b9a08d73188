/* SPDX-License-Identifier: BSD-2-Clause */
/* Credentials of the machine that this runs on: a container's (ECS, EKS Pod Identity)
 * or an instance's (EC2). Both are HTTP on a link that leaves the machine nowhere. */
#include <stdlib.h>
#include <strings.h>

#include "plugins/common/aws/aws_int.h"
#include "plugins/common/aws/sigv4.h"

/* Where there is no such service nobody answers at all. */
#define CONNECT_MS   1000
#define WAIT_MS      4000
#define ANSWER_MAX   ((size_t)64 << 10)
#define TOKEN_MAX    ((size_t)16 << 10)
#define CONTAINER    "http://169.254.170.2"
#define INSTANCE     "http://169.254.169.254"
#define INSTANCE_V6  "http://[fd00:ec2::254]"
#define ROLES        "/latest/meta-data/iam/security-credentials/"
#define TOKEN_HEADER "X-aws-ec2-metadata-token"

static int ask(struct kl_aws_search *search, const char *method, const char *url,
	       const struct kl_http_header *header, struct kl_http_answer *answer_out,
	       struct klamm_error *err)
{
	struct kl_http_request request = {
		.method = method,
		.url = url,
		.headers = header,
		.header_count = header != NULL && header->value != NULL ? 1 : 0,
		.connect_ms = CONNECT_MS,
		.wait_ms = WAIT_MS,
		.answer_max = ANSWER_MAX,
	};
	return kl_aws_http(search, &request, answer_out, err);
}

/* Takes the credentials out of an answer, and frees it. */
static int take(struct kl_aws_search *search, const char *url,
		struct kl_http_answer *answer, struct kl_aws_credentials *out,
		struct klamm_error *err)
{
	struct kl_http_request request = {.url = url};
	char where[128];
	int rc = kl_http_check(&request, answer, err);
	const char *why =
		rc == 0 ? kl_aws_read_json(answer->body, answer->len, out) : NULL;
	kl_http_where(url, where, sizeof(where));
	if (why != NULL)
		rc = klamm_fail(err, KLAMM_ERR_PROTOCOL,
				"what %s answers is no credentials: %s", where, why);
	kl_http_free(search->aws->host, answer);
	if (rc != 0)
		kl_aws_credentials_free(out);
	return rc;
}

/* --- container --- */

/* Without TLS only what cannot leave the machine; else anybody on the way would have
 * both. */
static bool is_near(const char *url)
{
	static const char *const hosts[] = {"169.254.170.2", "169.254.170.23",
					    "[fd00:ec2::23]", "localhost", "[::1]"};
	const char *host = url + strlen("http://");
	size_t n = host[0] == '[' ? strcspn(host, "]/?#") + (strchr(host, ']') != NULL)
				  : strcspn(host, ":/?#");
	if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
		return false;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strlen(hosts[i]) == n && strncasecmp(hosts[i], host, n) == 0)
			return true;
	return n > 4 && n == strspn(host, "0123456789.") &&
	       strncmp(host, "127.", 4) == 0;
}

static int find_container(struct kl_text *url, struct klamm_error *err)
{
	const char *relative =
		kl_aws_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = kl_aws_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (relative != NULL && relative[0] != '/')
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with /");
	if (relative != NULL)
		kl_text_printf(url, CONTAINER "%s", relative);
	else if (full != NULL)
		kl_text_add(url, full);
	if (relative != NULL || full == NULL || strncasecmp(full, "https://", 8) == 0 ||
	    (strncasecmp(full, "http://", 7) == 0 && is_near(full)))
		return 0;
	return klamm_fail(
		err, KLAMM_ERR_CONFIG,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI must be https://, or http:// to "
		"this machine or the container's own service");
}

static int read_authorization(struct kl_text *token, struct klamm_error *err)
{
	const char *file = kl_aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = kl_aws_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	int rc = file != NULL ? kl_aws_read_file(file, TOKEN_MAX, token) : 0;
	if (rc != 0)
		return klamm_fail(
			err, rc == -ENOMEM ? KLAMM_ERR_NO_MEMORY : KLAMM_ERR_CONFIG,
			"%s: cannot be read: %s", file, strerror(-rc));
	if (file == NULL && text != NULL)
		kl_text_add(token, text);
	while (token->len > 0 && strchr("\r\n", token->p[token->len - 1]) != NULL)
		token->p[--token->len] = '\0';
	for (size_t i = 0; i < token->len; i++)
		if (token->p[i] < ' ' || token->p[i] >= 0x7f)
			return klamm_fail(
				err, KLAMM_ERR_CONFIG,
				"the container's authorization token is none: a "
				"header cannot have it");
	return 0;
}

int kl_aws_of_container(struct kl_aws_search *search, struct kl_aws_credentials *out,
			struct klamm_error *err)
{
	KL_TEXT_AUTO url = {0};
	KL_TEXT_AUTO token = {0};
	struct kl_http_answer answer = {0};
	int rc = find_container(&url, err);
	if (rc == 0 && url.len == 0)
		return 0;
	if (rc == 0)
		rc = read_authorization(&token, err);
	if (rc == 0 && (url.failed || token.failed))
		rc = klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	struct kl_http_header header = {"Authorization",
					token.len > 0 ? token.p : NULL};
	if (rc == 0)
		rc = ask(search, NULL, url.p, &header, &answer, err);
	if (rc == 0)
		rc = take(search, url.p, &answer, out, err);
	snprintf(out->from, sizeof(out->from), "the container's service");
	return rc;
}

/* --- instance --- */

static void find_instance(struct kl_text *url)
{
	const char *endpoint = kl_aws_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = kl_aws_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	if (endpoint == NULL)
		endpoint = mode != NULL && strcasecmp(mode, "IPv6") == 0 ? INSTANCE_V6
									 : INSTANCE;
	size_t n = strlen(endpoint);
	while (n > 0 && endpoint[n - 1] == '/')
		n--;
	kl_text_put(url, endpoint, n);
}

/* Nobody answers: this is no instance. */
static bool is_nowhere(int code)
{
	return code == KLAMM_ERR_CONNECT || code == KLAMM_ERR_DNS ||
	       code == KLAMM_ERR_TIMED_OUT || code == KLAMM_ERR_DISCONNECTED;
}

/* IMDSv2: the right to ask is asked for first, which a page that is tricked into
 * fetching a URL cannot. *is_here_out: somebody answered. */
static int ask_token(struct kl_aws_search *search, const char *base,
		     struct kl_text *token, bool *is_here_out, struct klamm_error *err)
{
	static const struct kl_http_header ttl = {TOKEN_HEADER "-ttl-seconds", "21600"};
	KL_TEXT_AUTO url = {0};
	struct kl_http_answer answer = {0};
	*is_here_out = false;
	kl_text_printf(&url, "%s/latest/api/token", base);
	if (url.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	int rc = ask(search, "PUT", url.p, &ttl, &answer, err);
	if (is_nowhere(rc))
		return 0;
	if (rc != 0)
		return rc;
	*is_here_out = true;
	if (answer.status == 200)
		kl_text_put(token, answer.body, answer.len);
	else if (!search->aws->conf.imds_v1)
		rc = klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the metadata service gives no token (status %d); an old one "
			"is asked without with sasl.aws_msk_iam.imds.v1=true",
			answer.status);
	kl_http_free(search->aws->host, &answer);
	return rc;
}

/* The name of the instance's role; none of it: there is no role. */
static int ask_role(struct kl_aws_search *search, const char *base,
		    const struct kl_http_header *token, struct kl_text *url,
		    struct klamm_error *err)
{
	struct kl_http_answer answer = {0};
	struct kl_http_request request = {0};
	kl_text_printf(url, "%s" ROLES, base);
	if (url->failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	int rc = ask(search, NULL, url->p, token, &answer, err);
	if (rc != 0)
		return rc;
	request.url = url->p;
	if (answer.status != 404)
		rc = kl_http_check(&request, &answer, err);
	size_t n = answer.status == 404 ? 0 : strcspn(answer.body, "\r\n");
	answer.body[n] = '\0';
	if (n > 0)
		kl_aws_put_encoded(url, answer.body);
	else
		kl_text_clear(url);
	kl_http_free(search->aws->host, &answer);
	return rc;
}

static int ask_instance(struct kl_aws_search *search, const char *base,
			const struct kl_http_header *token,
			struct kl_aws_credentials *out, struct klamm_error *err)
{
	KL_TEXT_AUTO url = {0};
	struct kl_http_answer answer = {0};
	int rc = ask_role(search, base, token, &url, err);
	if (rc != 0 || url.len == 0)
		return rc;
	if (url.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	rc = ask(search, NULL, url.p, token, &answer, err);
	if (rc == 0)
		rc = take(search, url.p, &answer, out, err);
	snprintf(out->from, sizeof(out->from), "the instance's metadata service");
	return rc;
}

int kl_aws_of_instance(struct kl_aws_search *search, struct kl_aws_credentials *out,
		       struct klamm_error *err)
{
	KL_TEXT_AUTO base = {0};
	KL_TEXT_AUTO token = {0};
	const char *disabled = kl_aws_variable("AWS_EC2_METADATA_DISABLED");
	bool is_here;
	if (disabled != NULL && strcasecmp(disabled, "true") == 0)
		return 0;
	find_instance(&base);
	if (base.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	int rc = ask_token(search, base.p, &token, &is_here, err);
	if (rc != 0 || !is_here)
		return rc;
	if (token.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	struct kl_http_header header = {TOKEN_HEADER, token.len > 0 ? token.p : NULL};
	return ask_instance(search, base.p, &header, out, err);
}
