/* SPDX-License-Identifier: BSD-2-Clause */
/* The token service (STS), which hands out credentials for a role. */
#include <stdlib.h>

#include "plugins/common/aws/aws_int.h"
#include "plugins/common/aws/sigv4.h"

#define VERSION        "2011-06-15"
#define FORM           "application/x-www-form-urlencoded"
#define TOKEN_FILE_MAX ((size_t)64 << 10)
#define GLOBAL_REGION  "aws-global"

/* --- where it is --- */

void kl_aws_endpoint_free(struct kl_aws_endpoint *e)
{
	kl_text_free(&e->url);
	kl_text_free(&e->host);
}
#define ENDPOINT_AUTO                                                                  \
	__attribute__((cleanup(kl_aws_endpoint_free))) struct kl_aws_endpoint

/* The domains of Amazon's clouds, by the regions that begin so. */
static const char *domain_of(const char *region)
{
	static const struct {
		const char *begin, *domain;
	} clouds[] = {
		{"cn-", "amazonaws.com.cn"},    {"us-iso-", "c2s.ic.gov"},
		{"us-isob-", "sc2s.sgov.gov"},  {"us-isof-", "csp.hci.ic.gov"},
		{"eu-isoe-", "cloud.adc-e.uk"}, {"eusc-", "amazonaws.eu"},
	};
	for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++)
		if (strncmp(region, clouds[i].begin, strlen(clouds[i].begin)) == 0)
			return clouds[i].domain;
	return "amazonaws.com";
}

static const char *choose_region(const struct kl_aws_conf *conf,
				 const struct kl_aws_role *role)
{
	const char *region = conf->sts_region;
	if (region == NULL)
		region = kl_aws_variable("AWS_REGION");
	if (region == NULL)
		region = kl_aws_variable("AWS_DEFAULT_REGION");
	if (region == NULL)
		region = role->region;
	return region != NULL ? region : GLOBAL_REGION;
}

static void take_host(struct kl_aws_endpoint *e)
{
	const char *begin = strstr(kl_text_get(&e->url), "://");
	begin = begin != NULL ? begin + 3 : kl_text_get(&e->url);
	kl_text_put(&e->host, begin, strcspn(begin, "/?#"));
}

int kl_aws_find_endpoint(const struct kl_aws_conf *conf, const struct kl_aws_role *role,
			 struct kl_aws_endpoint *e, struct klamm_error *err)
{
	const char *region = choose_region(conf, role), *url = conf->sts_endpoint;
	bool is_global = strcmp(region, GLOBAL_REGION) == 0;
	if (!kl_aws_is_region(region))
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "the region for the token service is none: set "
				  "sasl.aws_msk_iam.sts.region or AWS_REGION");
	strcpy(e->region, is_global ? "us-east-1" : region);
	if (url == NULL)
		url = kl_aws_variable("AWS_ENDPOINT_URL_STS");
	if (url == NULL)
		url = kl_aws_variable("AWS_ENDPOINT_URL");
	if (url != NULL)
		kl_text_printf(&e->url, "%s%s", url,
			       strchr(url, '?') == NULL && url[strlen(url) - 1] != '/'
				       ? "/"
				       : "");
	else if (is_global && !conf->sts_fips)
		kl_text_add(&e->url, "https://sts.amazonaws.com/");
	else
		kl_text_printf(&e->url, "https://sts%s.%s.%s/",
			       conf->sts_fips ? "-fips" : "", e->region,
			       domain_of(e->region));
	take_host(e);
	return 0;
}

/* --- what it is asked --- */

static void put_field(struct kl_text *form, const char *name, const char *value)
{
	if (value == NULL)
		return;
	kl_text_printf(form, "&%s=", name);
	kl_aws_put_encoded(form, value);
}

static void begin_form(struct kl_text *form, const char *action,
		       const struct kl_aws_role *role)
{
	kl_text_printf(form, "Action=%s&Version=" VERSION, action);
	put_field(form, "RoleArn", role->arn);
	put_field(form, "RoleSessionName", role->session);
	put_field(form, "DurationSeconds", role->duration);
}

/* The service's own words: what of the role or the key it does not like. */
static int refused(struct kl_aws_search *search, const struct kl_http_request *request,
		   const struct kl_http_answer *answer, const struct kl_aws_role *role,
		   struct klamm_error *err)
{
	KL_TEXT_AUTO code = {0};
	KL_TEXT_AUTO message = {0};
	if (!kl_aws_element(answer->body, answer->len, "Code", &code) ||
	    !kl_aws_element(answer->body, answer->len, "Message", &message))
		return kl_http_check(request, answer, err);
	char where[128];
	kl_http_where(request->url, where, sizeof(where));
	bool is_passing = kl_http_is_passing(answer->status);
	klamm_fail(err, is_passing ? KLAMM_ERR_CONNECT : KLAMM_ERR_AUTHENTICATION,
		   "%s does not give credentials for the role %.150s: %.60s: %.200s",
		   where, role->arn, kl_text_get(&code), kl_text_get(&message));
	return err->code;
}

static int ask(struct kl_aws_search *search, struct kl_http_request *request,
	       const struct kl_aws_role *role, struct kl_aws_credentials *out,
	       struct klamm_error *err)
{
	const struct klamm_host *host = search->aws->host;
	struct kl_http_answer answer = {0};
	char where[128];
	int rc = kl_aws_http(search, request, &answer, err);
	if (rc != 0)
		return rc;
	if (answer.status != 200) {
		rc = refused(search, request, &answer, role, err);
	} else {
		const char *why = kl_aws_read_xml(answer.body, answer.len, out);
		kl_http_where(request->url, where, sizeof(where));
		if (why != NULL)
			rc = klamm_fail(err, KLAMM_ERR_PROTOCOL,
					"what %s answers is no "
					"credentials: %s",
					where, why);
	}
	kl_http_free(host, &answer);
	snprintf(out->from, sizeof(out->from), "the role %.150s", role->arn);
	if (rc != 0)
		kl_aws_credentials_free(out);
	return rc;
}

/* --- the two ways --- */

int kl_aws_assume(struct kl_aws_search *search, const struct kl_aws_role *role,
		  const struct kl_aws_credentials *with, struct kl_aws_credentials *out,
		  struct klamm_error *err)
{
	ENDPOINT_AUTO endpoint = {0};
	KL_TEXT_AUTO form = {0};
	KL_TEXT_AUTO authorization = {0};
	char time[KL_AWS_TIME];
	const struct klamm_host *host = search->aws->host;
	int rc = kl_aws_find_endpoint(&search->aws->conf, role, &endpoint, err);
	if (rc != 0)
		return rc;
	kl_aws_time(host->wall_ms(host), time);
	begin_form(&form, "AssumeRole", role);
	put_field(&form, "ExternalId", role->external_id);
	const char *token = with->token.len > 0 ? with->token.p : NULL;
	struct kl_aws_pair signed_headers[] = {{"Content-Type", FORM},
					       {"Host", kl_text_get(&endpoint.host)}};
	struct kl_aws_request what = {
		.method = "POST",
		.path = "/",
		.headers = signed_headers,
		.header_count = 2,
		.body = {kl_text_get(&form), form.len},
	};
	struct kl_aws_signer signer = {
		.key_id = kl_text_get(&with->key_id),
		.secret = kl_text_get(&with->secret),
		.token = token,
		.region = endpoint.region,
		.service = "sts",
		.time = time,
	};
	rc = kl_aws_sign_headers(&signer, &what, &authorization, err);
	if (rc != 0)
		return rc;
	if (form.failed || endpoint.url.failed || endpoint.host.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	struct kl_http_header headers[] = {
		{"Content-Type", FORM},
		{"X-Amz-Date", time},
		{"Authorization", kl_text_get(&authorization)},
		{"X-Amz-Security-Token", token}};
	struct kl_http_request request = {
		.method = "POST",
		.url = kl_text_get(&endpoint.url),
		.headers = headers,
		.header_count = token != NULL ? 4 : 3,
		.body = what.body,
	};
	return ask(search, &request, role, out, err);
}

int kl_aws_assume_by_token(struct kl_aws_search *search, const struct kl_aws_role *role,
			   const char *token_file, struct kl_aws_credentials *out,
			   struct klamm_error *err)
{
	ENDPOINT_AUTO endpoint = {0};
	KL_TEXT_AUTO form = {0};
	KL_TEXT_AUTO token = {0};
	int rc = kl_aws_read_file(token_file, TOKEN_FILE_MAX, &token);
	if (rc != 0)
		return klamm_fail(
			err, rc == -ENOMEM ? KLAMM_ERR_NO_MEMORY : KLAMM_ERR_CONFIG,
			"%s: cannot be read: %s", token_file, strerror(-rc));
	token.p[strcspn(token.p, " \t\r\n")] = '\0';
	if (token.p[0] == '\0')
		return klamm_fail(err, KLAMM_ERR_CONFIG, "%s: there is no token in it",
				  token_file);
	rc = kl_aws_find_endpoint(&search->aws->conf, role, &endpoint, err);
	if (rc != 0)
		return rc;
	begin_form(&form, "AssumeRoleWithWebIdentity", role);
	put_field(&form, "WebIdentityToken", token.p);
	if (form.failed || endpoint.url.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	struct kl_http_header header = {"Content-Type", FORM};
	struct kl_http_request request = {
		.method = "POST",
		.url = kl_text_get(&endpoint.url),
		.headers = &header,
		.header_count = 1,
		.body = {form.p, form.len},
	};
	return ask(search, &request, role, out, err);
}
