/* SPDX-License-Identifier: BSD-2-Clause */
/* OAUTHBEARER's client: what it says, and where its tokens come from. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/net/loop.h"
#include "tests/unit/plugins/oauth.h"
#include "tests/unit/plugins/web.h"

static struct oauth_bed bed;
static struct web *web;

static void up(void)
{
	oauth_bed_init(&bed, NULL);
}

static void down(void)
{
	oauth_bed_free(&bed);
	if (web != NULL)
		web_free(web);
}

#define OPEN(...)                                                                      \
	oauth_bed_open(&bed, CLIENT, (const struct setting[]){__VA_ARGS__, {NULL}})

static void fails(int rc, int code, const char *words)
{
	ck_assert_msg(rc == code, "%d, not %d: %s", rc, code, bed.err.text);
	ck_assert_msg(strstr(bed.err.text, words) != NULL, "%s", bed.err.text);
}

/* --- the application's tokens --- */

static struct application {
	const char *value, *extensions, *words;
	int64_t expires_ms;
	int code, calls;
} application;
/* For the test in which it is asked by another thread. */
static pthread_mutex_t giving = PTHREAD_MUTEX_INITIALIZER;

static int give_now(struct application *a, struct klamm_out *value,
		    struct klamm_out *extensions, int64_t *expires_ms_out,
		    struct klamm_error *err)
{
	a->calls++;
	if (a->code != 0)
		return klamm_fail(err, a->code, "%s", a->words);
	*expires_ms_out = a->expires_ms;
	if (a->extensions != NULL)
		klamm_out_append(extensions, a->extensions, strlen(a->extensions));
	return klamm_out_append(value, a->value, strlen(a->value));
}

static int give(void *arg, struct klamm_out *value, struct klamm_out *extensions,
		int64_t *expires_ms_out, struct klamm_error *err)
{
	pthread_mutex_lock(&giving);
	int rc = give_now(arg, value, extensions, expires_ms_out, err);
	pthread_mutex_unlock(&giving);
	return rc;
}

static void up_application(void)
{
	up();
	bed.host.token = give;
	bed.host.token_arg = &application;
	application = (struct application){.value = "tok.en",
					   .expires_ms = (oauth_now() + 100) * 1000};
	ck_assert_int_eq(OPEN({"sasl.oauthbearer.scope", "x"}), 0);
}

START_TEST(says_what_the_rfc_says)
{
	application.extensions = "traceId=123\x01";
	ck_assert_str_eq(klamm_sasl_oauthbearer.mechanism, "OAUTHBEARER");
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_int_eq(bed.state, KLAMM_SASL_SEND);
	ck_assert_str_eq(bed.said, "n,,\x01"
				   "auth=Bearer tok.en\x01traceId=123\x01\x01");
	ck_assert_int_eq(oauth_bed_step(&bed, "", 0), 0);
	ck_assert_int_eq(bed.state, KLAMM_SASL_DONE);
	int64_t left = klamm_sasl_oauthbearer.session_lifetime(bed.session);
	ck_assert(left > 90000 && left <= 100000);
}
END_TEST

START_TEST(one_token_serves_many_sessions)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_int_eq(application.calls, 1);
	/* Meanwhile it lies where no core dump looks. */
	const struct oauth *o = bed.instance.self;
	ck_assert_str_eq(o->token.value.p, "tok.en");
	ck_assert(!unit_is_dumped(o->token.value.p));
	ck_assert(unit_is_dumped(o));
}
END_TEST

/* RFC 7628 3.2.3; and the token is not shown again. */
START_TEST(answers_a_refusal_and_gets_another_token)
{
	static const char json[] = "{\"status\":\"invalid_token\"}\n\x80";
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_int_eq(oauth_bed_step(&bed, json, sizeof(json) - 1), 0);
	ck_assert_int_eq(bed.state, KLAMM_SASL_SEND);
	ck_assert_str_eq(bed.said, "\x01");
	fails(oauth_bed_step(&bed, "", 0), KLAMM_ERR_AUTHENTICATION,
	      "the broker does not take the token: {\"status\":\"invalid_token\"}??");
	ck_assert_int_eq(application.calls, 1);
	application.value = "another";
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_ptr_nonnull(strstr(bed.said, "Bearer another\x01"));
	ck_assert_int_eq(application.calls, 2);
}
END_TEST

START_TEST(a_token_without_end)
{
	application.expires_ms = -1;
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_int_eq(klamm_sasl_oauthbearer.session_lifetime(bed.session), -1);
}
END_TEST

static const struct {
	const char *value;
	int expires_in; /* seconds; 0 = says nothing */
	const char *words;
} wrong_tokens[] = {
	{"tok en", 100, "characters that none has"},
	{"tok\x01x=y", 100, "characters that none has"},
	{"t\xc3\xb6k", 100, "characters that none has"},
	{"=", 100, "characters that none has"},
	{"tok", 0, "does not say when it ends"},
	{"e30.e30.x", 0, "does not say when it ends"},
	{"tok", -5, "the token expired 5 s ago; compare the clocks"},
	{"tok", -500, "the token expired 500 s ago"},
};

START_TEST(a_token_that_is_none)
{
	application.value = wrong_tokens[_i].value;
	application.expires_ms =
		wrong_tokens[_i].expires_in == 0
			? 0
			: (oauth_now() + wrong_tokens[_i].expires_in) * 1000;
	fails(oauth_bed_begin(&bed), KLAMM_ERR_AUTHENTICATION, wrong_tokens[_i].words);
	ck_assert_ptr_nonnull(strstr(bed.err.text, "no token from the application: "));
	ck_assert_str_eq(bed.said, "");
	ck_assert_int_eq(application.calls,
			 1); /* it is not asked for again and again */
}
END_TEST

START_TEST(an_application_without_token)
{
	application.code = KLAMM_ERR_AUTHENTICATION;
	application.words = "signed out";
	fails(oauth_bed_begin(&bed), KLAMM_ERR_AUTHENTICATION,
	      "no token from the application: signed out");
	ck_assert_int_eq(application.calls, 1);
}
END_TEST

static int last_failure(struct oauth *o)
{
	pthread_mutex_lock(&o->mutex);
	int code = o->failed.code;
	pthread_mutex_unlock(&o->mutex);
	return code;
}

/* As long as a token is good it is used, whatever becomes of the next one. */
START_TEST(replaces_tokens_in_the_background)
{
	struct klamm_loop *loop;
	struct klamm_error err;
	ck_assert_int_eq(kl_loop_new(kl_os_real(), NULL, &loop, &err), 0);
	ck_assert_int_eq(klamm_loop_start(loop, &err), 0);
	oauth_bed_free(&bed);
	oauth_bed_init(&bed, loop);
	bed.host.token = give;
	bed.host.token_arg = &application;
	/* 4 s after the beginning, and so 4 s before the end. */
	ck_assert_int_eq(OPEN({"sasl.login.refresh.window.factor", "0.5"},
			      {"sasl.login.refresh.window.jitter", "0"}),
			 0);
	struct oauth *o = bed.instance.self;
	application.expires_ms = (oauth_now() + 8) * 1000;
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	pthread_mutex_lock(&giving);
	application.code = KLAMM_ERR_AUTHENTICATION; /* the provider fails now */
	application.words = "no";
	application.value = "newer";
	pthread_mutex_unlock(&giving);
	for (int i = 0; i < 3000 && last_failure(o) == 0; i++)
		usleep(10000);
	ck_assert_int_eq(last_failure(o), KLAMM_ERR_AUTHENTICATION);
	int64_t left = o->token.expires_ms - bed.api->wall_ms(bed.api);
	ck_assert_msg(left > 0, "asked %lld ms after its end", (long long)-left);
	pthread_mutex_lock(&giving);
	ck_assert_int_eq(application.calls, 2);
	pthread_mutex_unlock(&giving);
	ck_assert_str_eq(o->token.value.p, "tok.en");
	/* Who showed the one that is still there, and hears no, is not to show it again. */
	ck_assert_int_eq(oauth_bed_step(&bed, "{}", 2), 0);
	ck_assert(o->doubted);
	oauth_bed_free(&bed);
	klamm_loop_free(loop);
	up();
}
END_TEST

/* --- when --- */

static const struct {
	int64_t start, end;
	double chance;
	int64_t at; /* all in seconds from now */
} moments[] = {
	{0, 4000, 0.0, 2800},    /* 70 % */
	{0, 4000, 1.0, 3200},    /* and 10 % at most */
	{-2000, 2000, 0.0, 800}, /* of all its life, not of what is left */
	{0, 900, 1.0, 700},      /* no later than 200 s before the end */
	{-10000, 3000, 0.0, 50}, /* no sooner than in 50 s */
	{0, 200, 0.0, 140},      /* too short a life for both */
	{-3600, 10, 0.0, 7},
};

START_TEST(opt_sasl_login_refresh)
{
	bed.host.token = give;
	ck_assert_int_eq(OPEN({"sasl.login.refresh.window.factor", "0.7"},
			      {"sasl.login.refresh.window.jitter", "0.1"},
			      {"sasl.login.refresh.min.period.seconds", "50"},
			      {"sasl.login.refresh.buffer.seconds", "200"}),
			 0);
	const struct oauth_conf *conf = ((struct oauth *)bed.instance.self)->conf;
	int64_t now = 1700000000000;
	struct oauth_token token = {.start_ms = now + moments[_i].start * 1000,
				    .expires_ms = now + moments[_i].end * 1000};
	int64_t at = kl_oauth_refresh_at(conf, &token, now, moments[_i].chance);
	ck_assert_int_le(llabs(at - now - moments[_i].at * 1000), 1);
}
END_TEST

/* --- unsecured tokens --- */

static const struct {
	const char *config,
		*claims; /* claims: a part of the JSON; NULL: it cannot be */
} unsecured[] = {
	{"principal=admin", "{\"sub\":\"admin\",\"iat\":"},
	{"principalClaimName=azp principal=alice scope=a,b lifeSeconds=60",
	 "{\"azp\":\"alice\",\"scope\":[\"a\",\"b\"],\"iat\":"},
	{"unsecuredLoginStringClaim_sub=a\\ b\\\\c unsecuredLoginListClaim_scope=|x|y",
	 "{\"sub\":\"a b\\\\c\",\"scope\":[\"x\",\"y\"],"},
	{"unsecuredLoginStringClaim_sub=u unsecuredLoginNumberClaim_n=1.5",
	 "{\"sub\":\"u\",\"n\":1.5,"},
	{"unsecuredLoginPrincipalClaimName=id unsecuredLoginStringClaim_id=x",
	 "{\"id\":\"x\","},
	{"scope=a", NULL},
	{"principal=a unsecuredLoginNumberClaim_n=x", NULL},
	{"principal=a unsecuredLoginStringClaim_exp=1", NULL},
	{"principal=a lifeSeconds=0", NULL},
	{"principal=a lifeSeconds=1x", NULL},
};

START_TEST(opt_sasl_oauthbearer_config)
{
	unit_decimal_comma();
	ck_assert_int_eq(OPEN({"enable.sasl.oauthbearer.unsecure.jwt", "true"},
			      {"sasl.oauthbearer.config", unsecured[_i].config}),
			 0);
	int rc = oauth_bed_begin(&bed);
	if (unsecured[_i].claims == NULL) {
		ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
		return;
	}
	ck_assert_msg(rc == 0, "%s", bed.err.text);
	char *token = bed.said + strlen("n,,\x01"
					"auth=Bearer "),
	     *end;
	end = strchr(token, '\x01');
	ck_assert_int_eq(strncmp(token, "eyJhbGciOiJub25lIn0.", 20), 0);
	KL_TEXT_AUTO claims = {0};
	ck_assert_int_eq(end[-1], '.');
	ck_assert(kl_oauth_get_base64url(token + 20, (size_t)(end - token) - 21,
					 &claims));
	ck_assert_msg(strncmp(claims.p, unsecured[_i].claims,
			      strlen(unsecured[_i].claims)) == 0,
		      "%s", claims.p);
	ck_assert_ptr_nonnull(strstr(claims.p, ",\"exp\":"));
}
END_TEST

static const struct {
	const char *key, *value;
	const char *said; /* NULL: it cannot be */
} extensions[] = {
	{"sasl.oauthbearer.extensions", "a=1,bC=x y",
	 "\x01"
	 "a=1\x01"
	 "bC=x y\x01\x01"},
	{"sasl.oauthbearer.extensions", "a=1\\,2",
	 "\x01"
	 "a=1,2\x01\x01"},
	{"sasl.oauthbearer.config", "principal=p extension_k=v", "\x01k=v\x01\x01"},
	{"sasl.oauthbearer.extensions", "auth=1", NULL},
	{"sasl.oauthbearer.extensions", "a1=1", NULL},
	{"sasl.oauthbearer.extensions", "a", NULL},
	{"sasl.oauthbearer.extensions", "a=", NULL},
	{"sasl.oauthbearer.extensions", "a=\x01", NULL},
	{"sasl.oauthbearer.extensions", "=a", NULL},
	{"sasl.oauthbearer.config", "principal", NULL},
};

START_TEST(opt_sasl_oauthbearer_extensions)
{
	bed.host.token = give;
	bed.host.token_arg = &application;
	application = (struct application){.value = "t", .expires_ms = -1};
	int rc = OPEN({extensions[_i].key, extensions[_i].value});
	if (extensions[_i].said == NULL) {
		ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
		return;
	}
	ck_assert_msg(rc == 0, "%s", bed.err.text);
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_ptr_nonnull(strstr(bed.said, extensions[_i].said));
}
END_TEST

/* --- a file --- */

START_TEST(reads_a_file_again)
{
	char claims[100], url[300];
	snprintf(claims, sizeof(claims), "{\"sub\":\"f\",\"exp\":%lld}",
		 oauth_now() + 60);
	char *token = oauth_sign("ES256", NULL, claims), *path = oauth_file("");
	snprintf(url, sizeof(url), "file://%s", path);
	ck_assert_int_eq(OPEN({"sasl.oauthbearer.token.endpoint.url", url}), 0);
	fails(oauth_bed_begin(&bed), KLAMM_ERR_IO, "file: is empty");
	FILE *f = fopen(path, "w");
	fprintf(f, "  %s\n\n", token);
	fclose(f);
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_ptr_nonnull(strstr(bed.said, token));
	unlink(path);
	ck_assert_int_eq(oauth_bed_begin(&bed), 0); /* it is still good */
	struct oauth *o = bed.instance.self;
	kl_oauth_keep_doubt(o, o->number);
	fails(oauth_bed_begin(&bed), KLAMM_ERR_IO,
	      "file: cannot be read: No such file");
	free(token);
	free(path);
}
END_TEST

/* --- what is missing --- */

START_TEST(opt_sasl_oauthbearer_method)
{
	fails(OPEN({NULL}), KLAMM_ERR_CONFIG, "OAUTHBEARER has no token");
	fails(OPEN({"sasl.oauthbearer.method", "oidc"},
		   {"enable.sasl.oauthbearer.unsecure.jwt", "true"}),
	      KLAMM_ERR_CONFIG, "OAUTHBEARER has no token");
	fails(OPEN({"sasl.oauthbearer.token.endpoint.url", "ftp://x/"}),
	      KLAMM_ERR_CONFIG, "must be an https:, http: or file: URL");
	fails(OPEN({"sasl.oauthbearer.token.endpoint.url", "http://x/"}),
	      KLAMM_ERR_CONFIG, "client.id is not set");
	fails(OPEN({"sasl.oauthbearer.token.endpoint.url", "http://x/"},
		   {"sasl.oauthbearer.client.id", "me"}),
	      KLAMM_ERR_CONFIG, "client.secret is not set");
	fails(OPEN({"sasl.oauthbearer.token.endpoint.url", "http://x/"},
		   {"sasl.oauthbearer.jwt.retriever.class",
		    "a.b.JwtBearerJwtRetriever"}),
	      KLAMM_ERR_CONFIG, "private.key.pem is not set");
	fails(OPEN({"sasl.oauthbearer.assertion.file", "/nowhere/a"}), KLAMM_ERR_CONFIG,
	      "sasl.oauthbearer.assertion.file = /nowhere/a: cannot be read");
}
END_TEST

/* --- a token server --- */

static char url[100];
static struct setting oidc[20];

/* client.id me, client.secret "hush+/", and more. */
static int open_oidc(const struct web_act *acts, size_t n, const struct setting *more)
{
	web = web_new(acts, n, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/token", web_port(web));
	size_t k = 0;
	oidc[k++] = (struct setting){"sasl.oauthbearer.token.endpoint.url", url};
	oidc[k++] = (struct setting){"sasl.oauthbearer.client.credentials.client.id",
				     "m e"};
	oidc[k++] = (struct setting){
		"sasl.oauthbearer.client.credentials.client.secret", "hush+/"};
	oidc[k++] = (struct setting){"sasl.login.retry.backoff.ms", "10"};
	for (; more != NULL && more->key != NULL; more++)
		oidc[k++] = *more;
	oidc[k] = (struct setting){NULL};
	return oauth_bed_open(&bed, CLIENT, oidc);
}
#define JSON(status_, body_)                                                           \
	{                                                                              \
		.status = status_, .body = body_                                       \
	}
#define OPAQUE "{\"access_token\":\"abc\",\"expires_in\":60,\"token_type\":\"Bearer\"}"

START_TEST(opt_sasl_oauthbearer_client_credentials)
{
	static const struct web_act acts[] = {JSON("200 OK", OPAQUE)};
	static const struct setting more[] = {{"sasl.oauthbearer.scope", "a b&c%20"},
					      {NULL}};
	ck_assert_int_eq(open_oidc(acts, 1, more), 0);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
	ck_assert_ptr_nonnull(strstr(bed.said, "Bearer abc\x01"));
	const char *asked = web_asked(web, 0);
	ck_assert_int_eq(strncmp(asked, "POST /token HTTP/1.1\r\n", 22), 0);
	/* "m e:hush+/", in the base64 that has + and / (KAFKA-14496) */
	ck_assert_ptr_nonnull(
		strstr(asked, "\r\nAuthorization: Basic bSBlOmh1c2grLw==\r\n"));
	ck_assert_ptr_nonnull(strstr(asked, "\r\nAccept: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(
		asked, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
	ck_assert_ptr_nonnull(strstr(
		asked, "\r\n\r\ngrant_type=client_credentials&scope=a+b%26c%20"));
}
END_TEST

START_TEST(opt_sasl_oauthbearer_header_urlencode)
{
	static const struct web_act acts[] = {JSON("200 OK", OPAQUE)};
	static const struct setting more[] = {
		{"sasl.oauthbearer.header.urlencode", "true"},
		{"sasl.oauthbearer.scope", "a%"},
		{NULL}};
	ck_assert_int_eq(open_oidc(acts, 1, more), 0);
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	/* "m+e:hush%2B%2F" */
	ck_assert_ptr_nonnull(
		strstr(web_asked(web, 0), "Basic bStlOmh1c2glMkIlMkY=\r\n"));
	ck_assert_ptr_nonnull(strstr(web_asked(web, 0), "&scope=a%25"));
}
END_TEST

START_TEST(tries_again_when_that_may_help)
{
	static const struct web_act acts[] = {
		JSON("503 Busy", ""), {.answer = NULL}, JSON("200 OK", OPAQUE)};
	ck_assert_int_eq(open_oidc(acts, 3, NULL), 0);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
	ck_assert_int_eq(web_count(web), 3);
}
END_TEST

START_TEST(opt_sasl_login_retry_backoff)
{
	static const struct web_act acts[] = {JSON("500 No", "x")};
	static const struct setting more[] = {
		{"sasl.login.retry.backoff.max.ms", "2000"}, {NULL}};
	ck_assert_int_eq(open_oidc(acts, 1, more), 0);
	fails(oauth_bed_begin(&bed), KLAMM_ERR_CONNECT,
	      "HTTP status 500 (internal error): x (tried ");
	ck_assert_int_ge(web_count(web), 3);
	ck_assert_int_le(web_count(web), 11);
}
END_TEST

static const struct {
	struct web_act act;
	int code;
	const char *words;
} refusals[] = {
	{JSON("401 No",
	      "{\"error\":\"invalid_client\",\"error_description\":\"wrong\\nsecret\"}"),
	 KLAMM_ERR_AUTHENTICATION, ": HTTP status 401: invalid_client: wrong secret"},
	{JSON("400 No", "{\"errorCode\":\"E1\",\"errorSummary\":\"no scope\"}"),
	 KLAMM_ERR_AUTHENTICATION, ": HTTP status 400: E1: no scope"},
	{JSON("403 No", "{\"x\":1}"), KLAMM_ERR_AUTHENTICATION,
	 "HTTP status 403 (forbidden): {\"x\":1}"},
	{JSON("302 Found", ""), KLAMM_ERR_AUTHENTICATION, "sends elsewhere"},
	{JSON("200 OK", ""), KLAMM_ERR_PROTOCOL, "the answer is no JSON object"},
	{JSON("200 OK", "[1]"), KLAMM_ERR_PROTOCOL, "the answer is no JSON object"},
	{JSON("200 OK", "{\"a\":1}{}"), KLAMM_ERR_PROTOCOL, "no JSON object"},
	{JSON("200 OK", "{\"access_token\":7}"), KLAMM_ERR_PROTOCOL,
	 "holds no access_token"},
	{JSON("200 OK", "{\"access_token\":\"\"}"), KLAMM_ERR_PROTOCOL,
	 "holds no access_token"},
	{JSON("200 OK", "{\"access_token\":\"a\\u0000b\"}"), KLAMM_ERR_PROTOCOL,
	 "holds no access_token"},
	{JSON("200 OK", "{\"access_token\":\"a b\"}"), KLAMM_ERR_AUTHENTICATION,
	 "characters that none has"},
	{JSON("200 OK", "{\"access_token\":\"abc\"}"), KLAMM_ERR_AUTHENTICATION,
	 "does not say when it ends"},
	{JSON("200 OK", "{\"access_token\":\"abc\",\"expires_in\":-5}"),
	 KLAMM_ERR_AUTHENTICATION, "does not say when it ends"},
	{JSON("200 OK", "{\"access_token\":\"abc\",\"expires_in\":1e300}"),
	 KLAMM_ERR_AUTHENTICATION, "does not say when it ends"},
};

START_TEST(a_refusal_is_told_once)
{
	struct web_act act = refusals[_i].act;
	ck_assert_int_eq(open_oidc(&act, 1, NULL), 0);
	fails(oauth_bed_begin(&bed), refusals[_i].code, refusals[_i].words);
	ck_assert_ptr_nonnull(strstr(
		bed.err.text, "no token from the token server: http://127.0.0.1:"));
	ck_assert_ptr_null(strstr(bed.err.text, "hush"));
	ck_assert_int_eq(web_count(web), 1);
}
END_TEST

START_TEST(opt_sasl_login_timeouts)
{
	static const struct web_act acts[] = {{.hold = true}, {.deaf = true}};
	static const struct setting more[] = {{"sasl.login.read.timeout.ms", "500"},
					      {"sasl.login.connect.timeout.ms", "1000"},
					      {"sasl.login.retry.backoff.max.ms", "0"},
					      {NULL}};
	ck_assert_int_eq(open_oidc(acts, 2, more), 0);
	fails(oauth_bed_begin(&bed), KLAMM_ERR_TIMED_OUT, "the limit for reading");
	kl_plugin_close(&bed.instance);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/token", web_port(web));
	ck_assert_int_eq(oauth_bed_open(&bed, CLIENT, oidc), 0);
	fails(oauth_bed_begin(&bed), KLAMM_ERR_TIMED_OUT, "the limit for connecting");
	ck_assert_int_eq(bed.err.stage, KLAMM_STAGE_TLS);
}
END_TEST

/* --- a cloud's metadata service --- */

static int open_azure(const struct web_act *acts, size_t n, const char *query)
{
	web = web_new(acts, n, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/metadata/identity/oauth2/token",
		 web_port(web));
	return OPEN({"sasl.oauthbearer.metadata.authentication.type", "azure_imds"},
		    {"sasl.oauthbearer.token.endpoint.url", url},
		    {"sasl.oauthbearer.config", query},
		    {"sasl.login.retry.backoff.ms", "10"});
}

START_TEST(opt_sasl_oauthbearer_metadata_authentication_type)
{
	static const struct web_act acts[] = {
		JSON("410 Gone", "{\"error\":\"going\"}"),
		JSON("500 No", ""),
		JSON("200 OK", "{\"access_token\":\"abc\",\"client_id\":\"c\","
			       "\"expires_in\":\"3599\",\"expires_on\":\"1506484173\"}")};
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	ck_assert_msg(open_azure(acts, 3,
				 "query=?api-version=2018-02-01&resource=api://x&client_id=c "
				 "extension_a=b") == 0,
		      "%s", bed.err.text);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
	ck_assert_ptr_nonnull(strstr(bed.said, "Bearer abc\x01"));
	int64_t left = klamm_sasl_oauthbearer.session_lifetime(bed.session);
	ck_assert(left > 3590000 && left <= 3599000);
	ck_assert_int_eq(web_count(web), 3);
	const char *asked = web_asked(web, 2);
	static const char start[] =
		"GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=api://x"
		"&client_id=c HTTP/1.1\r\n";
	ck_assert_int_eq(strncmp(asked, start, sizeof(start) - 1), 0);
	ck_assert_ptr_nonnull(strstr(asked, "\r\nMetadata: true\r\n"));
}
END_TEST

START_TEST(a_cloud_that_says_no)
{
	static const struct web_act acts[] = {
		JSON("400 Bad Request", "{\"error\":\"invalid_request\","
					"\"error_description\":\"Identity not found\"}")};
	fails(OPEN({"sasl.oauthbearer.metadata.authentication.type", "azure_imds"}),
	      KLAMM_ERR_CONFIG, "query=api-version=2018-02-01&resource=RESOURCE");
	ck_assert_int_eq(open_azure(acts, 1, "query=resource=x"), 0);
	fails(oauth_bed_begin(&bed), KLAMM_ERR_AUTHENTICATION,
	      "no token from Azure's metadata service: http://127.0.0.1:");
	ck_assert_ptr_nonnull(strstr(bed.err.text, ": HTTP status 400: invalid_request: "
						   "Identity not found"));
	ck_assert_int_eq(web_count(web), 1);
}
END_TEST

/* --- assertions --- */

static struct json_object *part(const char *jwt, int i)
{
	KL_TEXT_AUTO text = {0};
	for (; i > 0; i--)
		jwt = strchr(jwt, '.') + 1;
	ck_assert(kl_oauth_get_base64url(jwt, strcspn(jwt, "."), &text));
	struct json_object *object = kl_oauth_json_read(text.p, text.len);
	ck_assert_ptr_nonnull(object);
	return object;
}

static const char *const algorithms[] = {"RS256", "ES256"};

START_TEST(opt_sasl_oauthbearer_assertion)
{
	static const struct web_act acts[] = {JSON("200 OK", OPAQUE)};
	const char *alg = algorithms[_i];
	char *key = oauth_file(oauth_key_pem(alg)), set[4096];
	char *template =
		oauth_file("{\"header\":{\"kid\":\"k1\",\"alg\":\"x\"},"
			   "\"payload\":{\"aud\":\"over\",\"extra\":{\"a\":[1]}}}");
	const struct setting more[] = {
		{"sasl.oauthbearer.grant.type",
		 "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		{"sasl.oauthbearer.assertion.algorithm", alg},
		{"sasl.oauthbearer.assertion.private.key.file", key},
		{"sasl.oauthbearer.assertion.template.file", template},
		{"sasl.oauthbearer.assertion.claim.sub", "me"},
		{"sasl.oauthbearer.assertion.claim.iss", "us"},
		{"sasl.oauthbearer.assertion.claim.aud", "there"},
		{"sasl.oauthbearer.assertion.claim.exp.seconds", "100"},
		{"sasl.oauthbearer.assertion.claim.nbf.seconds", "7"},
		{"sasl.oauthbearer.assertion.claim.jti.include", "true"},
		{NULL}};
	int rc = open_oidc(acts, 1, more);
	ck_assert_msg(rc == 0, "%s", bed.err.text);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
	static const char start[] = "\r\n\r\ngrant_type=urn%3Aietf%3Aparams%3Aoauth%3A"
				    "grant-type%3Ajwt-bearer&assertion=";
	const char *jwt = strstr(web_asked(web, 0), start);
	ck_assert_ptr_nonnull(jwt);
	ck_assert_ptr_nonnull(strstr(web_asked(web, 0), "Basic bSBlOmh1c2grLw=="));
	jwt += sizeof(start) - 1;
	struct json_object *header = part(jwt, 0), *claims = part(jwt, 1);
	double exp, iat, nbf;
	ck_assert_str_eq(kl_oauth_json_text(header, "alg"), alg);
	ck_assert_str_eq(kl_oauth_json_text(header, "kid"), "k1");
	ck_assert_str_eq(kl_oauth_json_text(header, "typ"), "JWT");
	ck_assert_str_eq(kl_oauth_json_text(claims, "aud"), "over");
	ck_assert_str_eq(kl_oauth_json_text(claims, "sub"), "me");
	ck_assert_uint_eq(strlen(kl_oauth_json_text(claims, "jti")), 36);
	ck_assert(kl_oauth_json_time(claims, "exp", &exp) &&
		  kl_oauth_json_time(claims, "iat", &iat) &&
		  kl_oauth_json_time(claims, "nbf", &nbf));
	ck_assert_str_eq(kl_oauth_json_text(claims, "iss"), "us");
	ck_assert(exp - iat == 100 && iat - nbf == 7);
	kl_oauth_json_free(header);
	kl_oauth_json_free(claims);
	/* And the signature is right. */
	static const struct oauth_conf conf = {.jwks_url = "file:/nowhere"};
	struct oauth_keys *keys;
	OAUTH_JWT_AUTO read = {0};
	ck_assert_int_eq(kl_oauth_keys_new(bed.api, &conf, &keys, &bed.err), 0);
	snprintf(set, sizeof(set), "{\"keys\":[%s]}", oauth_key_jwk(alg));
	ck_assert_int_eq(kl_oauth_keys_parse(keys, set, strlen(set)), 1);
	ck_assert_ptr_null(kl_oauth_jwt_read(jwt, strlen(jwt), &read));
	static const int32_t never;
	const struct klamm_call call = {.size = sizeof(call), .cancelled = &never};
	rc = kl_oauth_keys_verify(keys, &call, &read, &bed.err);
	ck_assert_msg(rc == 0, "%s", bed.err.text);
	kl_oauth_keys_free(keys);
	free(key);
	free(template);
}
END_TEST

START_TEST(opt_sasl_oauthbearer_assertion_file)
{
	static const struct web_act acts[] = {JSON("200 OK", OPAQUE)};
	char *assertion = oauth_file("x.y.z\n");
	const struct setting more[] = {{"sasl.oauthbearer.assertion.file", assertion},
				       {NULL}};
	ck_assert_int_eq(open_oidc(acts, 1, more), 0);
	ck_assert_int_eq(oauth_bed_begin(&bed), 0);
	ck_assert_ptr_nonnull(strstr(
		web_asked(web, 0),
		"\r\n\r\ngrant_type=client_credentials&client_assertion_type="
		"urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
		"&client_assertion=x.y.z&client_id=m+e"));
	free(assertion);
}
END_TEST

static const struct {
	const char *alg, *pem, *words; /* pem NULL: of the other algorithm */
} wrong_keys[] = {
	{"RS256", NULL, "RS256 needs an RSA key"},
	{"ES256", NULL, "ES256 needs a key on the curve P-256"},
	{"RS256", "not a key", "no private key in PEM; if it is encrypted set"},
};

START_TEST(a_key_that_does_not_fit)
{
	const char *alg = wrong_keys[_i].alg, *pem = wrong_keys[_i].pem;
	if (pem == NULL)
		pem = oauth_key_pem(strcmp(alg, "RS256") == 0 ? "ES256" : "RS256");
	fails(OPEN({"sasl.oauthbearer.token.endpoint.url", "http://x/"},
		   {"sasl.oauthbearer.assertion.claim.iss", "me"},
		   {"sasl.oauthbearer.assertion.algorithm", alg},
		   {"sasl.oauthbearer.assertion.private.key.pem", pem}),
	      KLAMM_ERR_CONFIG, wrong_keys[_i].words);
}
END_TEST

START_TEST(opt_sasl_oauthbearer_assertion_private_key_passphrase)
{
	char *pem = oauth_locked_pem("ES256", "sesame");
	const struct setting base[] = {
		{"sasl.oauthbearer.token.endpoint.url", "http://x/"},
		{"sasl.oauthbearer.assertion.claim.iss", "me"},
		{"sasl.oauthbearer.assertion.algorithm", "ES256"},
		{"sasl.oauthbearer.assertion.private.key.pem", pem}};
	const char *key = "sasl.oauthbearer.assertion.private.key.passphrase";
	fails(OPEN(base[0], base[1], base[2], base[3], {key, "open"}), KLAMM_ERR_CONFIG,
	      "no private key in PEM that sasl.oauthbearer.assertion.private.key.passphrase "
	      "opens");
	fails(OPEN(base[0], base[1], base[2], base[3]), KLAMM_ERR_CONFIG,
	      "if it is encrypted set");
	ck_assert_int_eq(OPEN(base[0], base[1], base[2], base[3], {key, "sesame"}), 0);
	free(pem);
}
END_TEST

UNIT_SUITE(oauth_client)
{
	Suite *s = suite_create("oauth_client");
	unit_add_fixture(s, says_what_the_rfc_says, up_application, down);
	unit_add_fixture(s, one_token_serves_many_sessions, up_application, down);
	unit_add_fixture(s, answers_a_refusal_and_gets_another_token, up_application,
			 down);
	unit_add_fixture(s, a_token_without_end, up_application, down);
	unit_add_case(s, "a_token_that_is_none", a_token_that_is_none, up_application,
		      down, (int)kl_countof(wrong_tokens));
	unit_add_fixture(s, an_application_without_token, up_application, down);
	unit_add_fixture(s, replaces_tokens_in_the_background, up_application, down);
	unit_add_case(s, "opt_sasl_login_refresh", opt_sasl_login_refresh, up, down,
		      (int)kl_countof(moments));
	unit_add_fixture(s, opt_sasl_login_timeouts, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_metadata_authentication_type, up, down);
	unit_add_fixture(s, a_cloud_that_says_no, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_assertion_private_key_passphrase, up,
			 down);
	unit_add_case(s, "opt_sasl_oauthbearer_config", opt_sasl_oauthbearer_config, up,
		      down, (int)kl_countof(unsecured));
	unit_add_case(s, "opt_sasl_oauthbearer_extensions",
		      opt_sasl_oauthbearer_extensions, up, down,
		      (int)kl_countof(extensions));
	unit_add_fixture(s, reads_a_file_again, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_method, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_client_credentials, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_header_urlencode, up, down);
	unit_add_fixture(s, tries_again_when_that_may_help, up, down);
	unit_add_fixture(s, opt_sasl_login_retry_backoff, up, down);
	unit_add_case(s, "a_refusal_is_told_once", a_refusal_is_told_once, up, down,
		      (int)kl_countof(refusals));
	unit_add_case(s, "opt_sasl_oauthbearer_assertion",
		      opt_sasl_oauthbearer_assertion, up, down, 2);
	unit_add_fixture(s, opt_sasl_oauthbearer_assertion_file, up, down);
	unit_add_case(s, "a_key_that_does_not_fit", a_key_that_does_not_fit, up, down,
		      (int)kl_countof(wrong_keys));
	return s;
}
