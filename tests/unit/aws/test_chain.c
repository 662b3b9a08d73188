/* SPDX-License-Identifier: BSD-2-Clause */
/* Where credentials come from, with services on loopback that say what a test has them
 * say. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/base.h"
#include "plugins/common/aws/aws_int.h"
#include "tests/unit/aws/world.h"
#include "tests/unit/plugins/web.h"
#include "tests/unit/unit.h"

static struct kl_aws_conf conf;
static struct kl_aws *aws;
static struct kl_aws_credentials got;
static struct klamm_error err;
static struct web *web;
static const int32_t never;
static const struct klamm_call call = {
	.size = sizeof(call), .wait_ms = 10000, .cancelled = &never};

static void up(void)
{
	world_up();
	conf = (struct kl_aws_conf){.role_session = "klamm", .default_providers = true};
}

static void down(void)
{
	kl_aws_credentials_free(&got);
	kl_aws_free(aws);
	aws = NULL;
	if (web != NULL)
		web_free(web);
	web = NULL;
	world_down();
}

static int ask(void)
{
	if (aws == NULL)
		ck_assert_int_eq(kl_aws_new(&world.host, &conf, &aws, &err), 0);
	else
		aws->conf = conf; /* it may have changed since */
	kl_aws_credentials_free(&got);
	err = (struct klamm_error){0};
	return kl_aws_credentials(aws, &call, &got, &err);
}

static void gives(const char *key_id, const char *secret, const char *token)
{
	int rc = ask();
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_str_eq(kl_text_get(&got.key_id), key_id);
	ck_assert_str_eq(kl_text_get(&got.secret), secret);
	ck_assert_str_eq(kl_text_get(&got.token), token);
}

static void fails(int code, const char *text)
{
	int rc = ask();
	ck_assert_msg(rc == code, "%d: %s", rc, err.text);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
	ck_assert_ptr_null(strstr(err.text, "hush"));
	ck_assert_uint_eq(got.key_id.len + got.secret.len + got.token.len, 0);
}

/* --- services --- */

/* A body with its head; static. */
static struct web_act answer_with(const char *status, const char *body,
				  const char *head)
{
	static char texts[16][4096];
	static int n;
	char *text = texts[n++ % 16];
	snprintf(text, sizeof(texts[0]),
		 "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s",
		 status, strlen(body), head, body);
	return (struct web_act){.answer = text};
}

static const char *serve(struct web_act *acts, size_t n)
{
	static char url[100];
	web = web_new(acts, n, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", web_port(web));
	return url;
}
#define SERVE(...)                                                                     \
	static struct web_act acts[8];                                                 \
	struct web_act these[] = {__VA_ARGS__};                                        \
	memcpy(acts, these, sizeof(these));                                            \
	const char *url = serve(acts, kl_countof(these))

#define STS_UNTIL(key, time)                                                           \
	"<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"     \
	"<AssumeRoleResult><AssumedRoleUser><Arn>arn:x</Arn></AssumedRoleUser>"        \
	"<Credentials><AccessKeyId>" key "</AccessKeyId><SecretAccessKey>hush&amp;1"   \
	"</SecretAccessKey><SessionToken>hush/2==</SessionToken><Expiration>" time     \
	"</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
#define STS(key) STS_UNTIL(key, "2021-08-18T22:25:11Z") /* an hour */
#define METADATA                                                                       \
	"{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIAM\","       \
	"\"SecretAccessKey\":\"hush1\",\"Token\":\"hush2\","                           \
	"\"Expiration\":\"2021-08-18T22:25:11Z\"}"

static void was_asked(int i, const char *text)
{
	ck_assert_int_gt(web_count(web), i);
	ck_assert_msg(strstr(web_asked(web, i), text) != NULL, "%s", web_asked(web, i));
}

/* --- keys --- */

START_TEST(takes_the_options)
{
	conf.key_id = "AKIAX";
	world.secret = "hush1";
	gives("AKIAX", "hush1", "");
	world.token = "hush2"; /* read again each time */
	gives("AKIAX", "hush1", "hush2");
	world.secret = NULL;
	fails(KLAMM_ERR_CONFIG, "sasl.aws_msk_iam.secret.access.key is not set");
	world.secret = "hush\n1";
	fails(KLAMM_ERR_CONFIG, "the configuration: the access key's secret is none");
}
END_TEST

START_TEST(takes_the_environment)
{
	setenv("AWS_ACCESS_KEY_ID", "AKIAE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "hush1", 1);
	gives("AKIAE", "hush1", "");
	setenv("AWS_SESSION_TOKEN", "hush2", 1);
	gives("AKIAE", "hush1", "hush2");
	setenv("AWS_ACCESS_KEY_ID", "AKIA/20210818", 1);
	fails(KLAMM_ERR_CONFIG, "the environment: the access key's id is none");
	unsetenv("AWS_ACCESS_KEY_ID");
	fails(KLAMM_ERR_CONFIG, "the environment: the access key's id is missing");
}
END_TEST

START_TEST(takes_a_profile)
{
	world_write("credentials",
		    "[default]\naws_access_key_id=AKIAD\n"
		    "aws_secret_access_key=hush1\n[dev]\n"
		    "aws_access_key_id=AKIAV\naws_secret_access_key=hush2\n"
		    "aws_session_token=hush3\n[none]\nregion=x\n");
	gives("AKIAD", "hush1", "");
	setenv("AWS_PROFILE", "dev", 1);
	gives("AKIAV", "hush2", "hush3");
	setenv("AWS_PROFILE", "none", 1);
	fails(KLAMM_ERR_CONFIG, "the profile none has no credentials");
	setenv("AWS_PROFILE", "dve", 1);
	fails(KLAMM_ERR_CONFIG, "there is no profile dve in Amazon's files");
	conf.profile = "dev";
	gives("AKIAV", "hush2", "hush3");
}
END_TEST

START_TEST(says_when_there_are_none)
{
	fails(KLAMM_ERR_AUTHENTICATION,
	      "there are no AWS credentials in the environment");
	ck_assert_ptr_nonnull(strstr(err.text, "set sasl.aws_msk_iam.profile"));
}
END_TEST

/* What Amazon's library for Java does, unless told not to. */
START_TEST(looks_further_than_a_profile_that_has_none)
{
	setenv("AWS_ACCESS_KEY_ID", "AKIAE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "hush1", 1);
	conf.profile = "gone";
	gives("AKIAE", "hush1", "");
	ck_assert_ptr_nonnull(strstr(
		world.log,
		"1 there is no profile gone in Amazon's files; looking further"));
	conf.default_providers = false;
	fails(KLAMM_ERR_CONFIG, "there is no profile gone");
}
END_TEST

static const struct {
	const char *config, *text;
} useless[] = {
	{"[default]\ncredential_process = /bin/true\n",
	 "from a command or by single sign-on"},
	{"[default]\nsso_session = x\n", "from a command or by single sign-on"},
	{"[default]\nrole_arn = r\n", "neither source_profile nor credential_source"},
	{"[default]\nrole_arn = r\ncredential_source = x\n",
	 "credential_source must be"},
	{"[default]\nrole_arn = r\ncredential_source = Environment\n", "has none"},
	{"[default]\nrole_arn = r\nmfa_serial = x\nsource_profile = x\n", "mfa_serial"},
	{"[default]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = s\n"
	 "source_profile = default\n",
	 "leads in a circle"},
	{"[default]\nrole_arn = r\nsource_profile = b\n", "there is no profile b"},
	{"[default]\nrole_arn = r\nweb_identity_token_file = /no/such\n",
	 "/no/such: cannot be"},
	{"[default]\naws_access_key_id = x\n", "the access key's secret is missing"},
	{"[default]\naws_secret_access_key = hush\n", "the access key's id is missing"},
};

START_TEST(a_profile_that_is_of_no_use_ends_the_search)
{
	world_write("config", useless[_i].config);
	int rc = ask();
	ck_assert_int_ne(rc, 0);
	fails(rc, useless[_i].text);
}
END_TEST

/* --- the token service --- */

START_TEST(assumes_the_role_of_a_profile)
{
	world_write("config", "[profile dev]\nrole_arn = arn:aws:iam::1:role/a b\n"
			      "source_profile = base\nexternal_id = e+1\n"
			      "duration_seconds = 900\nregion = eu-west-1\n");
	world_write("credentials",
		    "[base]\naws_access_key_id=AKIAB\n"
		    "aws_secret_access_key=hush1\naws_session_token=base-token\n");
	SERVE(answer_with("200 OK", STS("ASIAR"), ""));
	conf.profile = "dev";
	conf.sts_endpoint = url;
	gives("ASIAR", "hush&1", "hush/2==");
	ck_assert_int_eq(got.expires_ms, WORLD_NOW + 3600 * 1000);
	was_asked(0, "POST / HTTP/1.1\r\n");
	was_asked(
		0,
		"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole"
		"%2Fa%20b&RoleSessionName=klamm&DurationSeconds=900&ExternalId=e%2B1");
	was_asked(
		0,
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIAB/20210818/eu-west-1/sts/"
		"aws4_request, SignedHeaders=content-type;host;x-amz-date;"
		"x-amz-security-token, Signature=");
	was_asked(0, "X-Amz-Date: 20210818T212511Z\r\n");
	was_asked(0, "X-Amz-Security-Token: base-token\r\n");
	was_asked(0, "Content-Type: application/x-www-form-urlencoded\r\n");
}
END_TEST

/* As a template leaves them: not set. */
START_TEST(texts_may_be_empty)
{
	SERVE(answer_with("200 OK", STS("ASIAR"), ""));
	setenv("AWS_ENDPOINT_URL_STS", url, 1);
	conf.region = conf.sts_region = conf.sts_endpoint = conf.profile = "";
	conf.role_session = conf.role_external_id = "";
	conf.key_id = "AKIAX";
	world.secret = "hush1";
	conf.role_arn = "arn:r";
	setenv("AWS_REGION", "eu-west-1", 1);
	gives("ASIAR", "hush&1", "hush/2==");
	was_asked(0, "RoleSessionName=klamm");
	was_asked(0, "Credential=AKIAX/20210818/eu-west-1/sts/");
	ck_assert_ptr_null(strstr(web_asked(web, 0), "ExternalId"));
}
END_TEST

START_TEST(keeps_what_expires_and_replaces_it_in_time)
{
	SERVE(answer_with("200 OK", STS("ASIA1"), ""),
	      answer_with("200 OK", STS_UNTIL("ASIA2", "2021-08-18T23:25:11Z"), ""),
	      answer_with("503 Busy", "not now", ""));
	conf.key_id = "AKIAX";
	world.secret = "hush1";
	conf.role_arn = "arn:r";
	conf.sts_endpoint = url;
	gives("ASIA1", "hush&1", "hush/2==");
	world.wall_ms += 54 * 60 * 1000;
	gives("ASIA1", "hush&1", "hush/2==");
	ck_assert_int_eq(web_count(web), 1);
	/* Meanwhile they lie where no core dump looks. */
	ck_assert_str_eq(aws->kept.secret.p, "hush&1");
	ck_assert(!unit_is_dumped(aws->kept.secret.p));
	ck_assert(!unit_is_dumped(aws->kept.token.p));
	world.wall_ms += 60 * 1000; /* five minutes are left */
	gives("ASIA2", "hush&1", "hush/2==");
	ck_assert_int_eq(web_count(web), 2);
	world.wall_ms += 64 * 60 * 1000; /* one is left, and nobody gives more */
	gives("ASIA2", "hush&1", "hush/2==");
	ck_assert_int_eq(web_count(web), 3);
	ck_assert_ptr_nonnull(
		strstr(world.log, "1 credentials that soon expire cannot be"));
	world.wall_ms += 60 * 1000;
	conf.default_providers = false;
	fails(KLAMM_ERR_CONNECT, "503");
}
END_TEST

START_TEST(a_web_identity_becomes_a_role)
{
	char file[500];
	strcpy(file, world_path("token"));
	world_write(file, "hush.jwt\n");
	SERVE(answer_with("200 OK", STS("ASIAW"), ""));
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file, 1);
	setenv("AWS_ENDPOINT_URL_STS", url, 1);
	fails(KLAMM_ERR_CONFIG, "AWS_ROLE_ARN is not");
	setenv("AWS_ROLE_ARN", "arn:r", 1);
	setenv("AWS_ROLE_SESSION_NAME", "pod", 1);
	gives("ASIAW", "hush&1", "hush/2==");
	was_asked(0,
		  "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Ar&"
		  "RoleSessionName=pod&WebIdentityToken=hush.jwt");
	ck_assert_ptr_null(strstr(web_asked(web, 0), "Authorization"));
}
END_TEST

#define REFUSAL(code, message)                                                         \
	"<ErrorResponse><Error><Type>Sender</Type><Code>" code                         \
	"</Code><Message>" message "</Message></Error></ErrorResponse>"

static const struct {
	const char *status, *body;
	int code;
	const char *text;
} refusals[] = {
	{"403 Forbidden", REFUSAL("AccessDenied", "User: arn:x is not &lt;it&gt;"),
	 KLAMM_ERR_AUTHENTICATION,
	 " does not give credentials for the role arn:r: AccessDenied: User: arn:x is not "
	 "<it>"},
	{"503 Unavailable", REFUSAL("ServiceUnavailable", "later"), KLAMM_ERR_CONNECT,
	 "later"},
	{"404 Not Found", "nobody", KLAMM_ERR_AUTHENTICATION, "404"},
	{"200 OK", "<html>hush</html>", KLAMM_ERR_PROTOCOL,
	 "not what the token service answers"},
	{"200 OK", "", KLAMM_ERR_PROTOCOL, "not what the token service answers"},
	{"200 OK", "<Credentials><AccessKeyId>A</AccessKeyId>", KLAMM_ERR_PROTOCOL,
	 "a part of the credentials is missing"},
	{"200 OK", STS_UNTIL("A", "soon"), KLAMM_ERR_PROTOCOL,
	 "no time at which they expire"},
	{"200 OK", STS("A/B"), KLAMM_ERR_PROTOCOL, "the access key's id is none"},
	{"200 OK", STS("A\r\nX-Evil: 1"), KLAMM_ERR_PROTOCOL,
	 "the access key's id is none"},
	{"302 Found", "", KLAMM_ERR_AUTHENTICATION, "302"},
};

START_TEST(tells_what_the_token_service_says)
{
	SERVE(answer_with(refusals[_i].status, refusals[_i].body, ""));
	conf.key_id = "AKIAX";
	world.secret = "hush1";
	conf.role_arn = "arn:r";
	conf.sts_endpoint = url;
	conf.default_providers = false;
	fails(refusals[_i].code, refusals[_i].text);
}
END_TEST

static const struct {
	const char *sts_region, *variable, *profile;
	bool fips;
	const char *url, *region;
} endpoints[] = {
	{NULL, NULL, NULL, false, "https://sts.amazonaws.com/", "us-east-1"},
	{"aws-global", "eu-west-1", NULL, false, "https://sts.amazonaws.com/",
	 "us-east-1"},
	{"eu-west-1", "us-west-2", NULL, false, "https://sts.eu-west-1.amazonaws.com/",
	 "eu-west-1"},
	{NULL, "us-west-2", "eu-west-1", false, "https://sts.us-west-2.amazonaws.com/",
	 "us-west-2"},
	{NULL, NULL, "eu-west-1", false, "https://sts.eu-west-1.amazonaws.com/",
	 "eu-west-1"},
	{"us-west-2", NULL, NULL, true, "https://sts-fips.us-west-2.amazonaws.com/",
	 "us-west-2"},
	{NULL, NULL, NULL, true, "https://sts-fips.us-east-1.amazonaws.com/",
	 "us-east-1"},
	{"cn-north-1", NULL, NULL, false, "https://sts.cn-north-1.amazonaws.com.cn/",
	 "cn-north-1"},
	{"us-isob-east-1", NULL, NULL, false,
	 "https://sts.us-isob-east-1.sc2s.sgov.gov/", "us-isob-east-1"},
	{NULL, "evil.com/", NULL, false, NULL, NULL},
	{NULL, NULL, "a.b@evil", false, NULL, NULL},
};

/* Amazon's own is not asked here: only where it would be. */
START_TEST(opt_sasl_aws_msk_iam_sts_fips)
{
	struct kl_aws_role role = {.region = endpoints[_i].profile};
	struct kl_aws_endpoint endpoint = {0};
	conf.sts_region = endpoints[_i].sts_region;
	conf.sts_fips = endpoints[_i].fips;
	if (endpoints[_i].variable != NULL)
		setenv("AWS_REGION", endpoints[_i].variable, 1);
	int rc = kl_aws_find_endpoint(&conf, &role, &endpoint, &err);
	ck_assert_int_eq(rc, endpoints[_i].url == NULL ? KLAMM_ERR_CONFIG : 0);
	if (rc == 0) {
		ck_assert_str_eq(kl_text_get(&endpoint.url), endpoints[_i].url);
		ck_assert_str_eq(endpoint.region, endpoints[_i].region);
	}
	kl_aws_endpoint_free(&endpoint);
}
END_TEST

/* --- metadata --- */

START_TEST(takes_a_container_s)
{
	char file[500], text[500];
	strcpy(file, world_path("authorization"));
	world_write(file, "Bearer x\n");
	SERVE(answer_with("200 OK", METADATA, ""));
	snprintf(text, sizeof(text), "%s/v1/credentials", url);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", text, 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "unused", 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file, 1);
	gives("ASIAM", "hush1", "hush2");
	was_asked(0, "GET /v1/credentials HTTP/1.1\r\n");
	was_asked(0, "Authorization: Bearer x\r\n");
	gives("ASIAM", "hush1", "hush2");
	ck_assert_int_eq(web_count(web), 1);
}
END_TEST

/* Whoever sets a variable must not get the container's token sent to a host of its
 * choice. */
static const char *const far_away[] = {
	"http://example.com/",
	"http://169.254.170.2.example.com/",
	"http://10.0.0.1/",
	"http://localhost.example.com/",
	"http://localhost@example.com/",
	"http://127.0.0.1@example.com/",
	"http://127.0.0.1.example.com/",
	"ftp://localhost/",
	"http://127.example/",
	"http://[::1/",
	"http://[::1]x@example.com/",
	"x",
};

START_TEST(asks_no_container_that_is_far_away)
{
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", far_away[_i], 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush", 1);
	fails(KLAMM_ERR_CONFIG, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https://");
}
END_TEST

START_TEST(a_container_s_token_fits_a_header)
{
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/", 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush\r\nX-Evil: 1", 1);
	fails(KLAMM_ERR_CONFIG, "a header cannot have it");
	unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.example/", 1);
	fails(KLAMM_ERR_CONFIG, "must begin with /");
}
END_TEST

static void is_instance(const char *url)
{
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, 1);
}

START_TEST(takes_an_instance_s)
{
	SERVE(answer_with("200 OK", "token-1", ""),
	      answer_with("200 OK", "my role\nmore", ""),
	      answer_with("200 OK", METADATA, ""));
	is_instance(url);
	gives("ASIAM", "hush1", "hush2");
	was_asked(0, "PUT /latest/api/token HTTP/1.1\r\n");
	was_asked(0, "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
	was_asked(1, "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n");
	was_asked(1, "X-aws-ec2-metadata-token: token-1\r\n");
	was_asked(
		2,
		"GET /latest/meta-data/iam/security-credentials/my%20role HTTP/1.1\r\n");
	was_asked(2, "X-aws-ec2-metadata-token: token-1\r\n");
}
END_TEST

START_TEST(asks_an_instance_without_a_token_when_told)
{
	SERVE(answer_with("404 Not Found", "", ""),
	      answer_with("404 Not Found", "", ""), answer_with("200 OK", "role", ""),
	      answer_with("200 OK", METADATA, ""));
	is_instance(url);
	fails(KLAMM_ERR_AUTHENTICATION, "gives no token (status 404)");
	conf.imds_v1 = true;
	gives("ASIAM", "hush1", "hush2");
	ck_assert_ptr_null(strstr(web_asked(web, 3), "metadata-token"));
}
END_TEST

START_TEST(an_instance_may_have_no_role)
{
	SERVE(answer_with("200 OK", "token-1", ""),
	      answer_with("404 Not Found", "", ""));
	is_instance(url);
	fails(KLAMM_ERR_AUTHENTICATION, "there are no AWS credentials");
	is_instance("http://127.0.0.1:1");
	fails(KLAMM_ERR_AUTHENTICATION, "there are no AWS credentials");
}
END_TEST

static const struct {
	const char *status, *body;
	const char *text;
} metadata[] = {
	{"200 OK", "", "it is no JSON object"},
	{"200 OK", "[]", "it is no JSON object"},
	{"200 OK", "{\"Code\":\"Failed\"}", "the instance's role has none"},
	{"200 OK", "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\"}",
	 "no time at which"},
	{"200 OK", "{\"AccessKeyId\":1,\"Expiration\":\"2021-08-18T22:25:11Z\"}",
	 "the access key's id is missing"},
	{"200 OK",
	 "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\\n\","
	 "\"Expiration\":\"2021-08-18T22:25:11Z\"}",
	 "the access key's secret is none"},
	{"200 OK",
	 "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\",\"Token\":\"hush\\u00e9\","
	 "\"Expiration\":\"2021-08-18T22:25:11.5Z\"}",
	 "the session token is none"},
	{"200 OK", "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]}",
	 "too deep"},
	{"200 OK", "{\"AccessKeyId\":\"A", "a text has no end"},
	{"500 Oops", "trouble", "500"},
	{"401 No", "", "401"},
};

START_TEST(a_service_that_makes_no_sense_is_told_as_such)
{
	SERVE(answer_with(metadata[_i].status, metadata[_i].body, ""));
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	int rc = ask();
	ck_assert_int_ne(rc, 0);
	fails(rc, metadata[_i].text);
}
END_TEST

/* --- bad peers --- */

static char big[100000]; /* an answer without an end */

static const struct {
	struct web_act act;
	int code;
} hostile[] = {
	{{.answer = big, .len = sizeof(big)}, KLAMM_ERR_LIMIT},
	{{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx"},
	 KLAMM_ERR_DISCONNECTED},
	{{.answer = "SSH-2.0-x\r\n"}, KLAMM_ERR_PROTOCOL},
	{{.answer = "", .len = 0, .hasty = true}, KLAMM_ERR_DISCONNECTED},
	{{.deaf = true, .hold = true}, KLAMM_ERR_TIMED_OUT},
	{{.answer =
		  "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"AccessKeyId\":\"AAAAAAAA"
		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	  .drip_ms = 100},
	 KLAMM_ERR_TIMED_OUT},
};

START_TEST(a_hostile_service_costs_little)
{
	memset(big, 'x', sizeof(big));
	memcpy(big, "HTTP/1.1 200 OK\r\n\r\n", 19);
	SERVE(hostile[_i].act);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	int64_t begin = world.host.now_us(&world.host);
	int rc = ask();
	ck_assert_msg(rc == hostile[_i].code, "%d: %s", rc, err.text);
	ck_assert_int_lt(world.host.now_us(&world.host) - begin, 15000000);
}
END_TEST

START_TEST(a_clock_that_is_wrong_is_told_once)
{
	SERVE(answer_with("403 No", REFUSAL("SignatureDoesNotMatch", "not current"),
			  "Date: Wed, 18 Aug 2021 21:35:11 GMT\r\n"));
	conf.key_id = "AKIAX";
	world.secret = "hush1";
	conf.role_arn = "arn:r";
	conf.sts_endpoint = url;
	conf.default_providers = false;
	fails(KLAMM_ERR_AUTHENTICATION, "not current");
	const char *text =
		strstr(world.log, "1 the clock of this machine is 600 s behind");
	ck_assert_msg(text != NULL, "%s", world.log);
	fails(KLAMM_ERR_AUTHENTICATION, "not current");
	ck_assert_ptr_null(strstr(text + 20, "clock of"));
}
END_TEST

/* --- together --- */

static void *ask_in_a_thread(void *arg)
{
	struct kl_aws_credentials mine = {0};
	struct klamm_error why;
	int rc = kl_aws_credentials(aws, &call, &mine, &why);
	bool good = rc == 0 && strcmp(kl_text_get(&mine.key_id), "ASIAR") == 0;
	kl_aws_credentials_free(&mine);
	return good ? arg : NULL;
}

START_TEST(sessions_at_once_ask_once)
{
	struct web_act slow = answer_with("200 OK", STS("ASIAR"), "");
	pthread_t threads[8];
	slow.pause_ms = 300;
	SERVE(slow);
	conf.key_id = "AKIAX";
	world.secret = "hush1";
	conf.role_arn = "arn:r";
	conf.sts_endpoint = url;
	ck_assert_int_eq(kl_aws_new(&world.host, &conf, &aws, &err), 0);
	for (size_t i = 0; i < kl_countof(threads); i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, ask_in_a_thread, &slow), 0);
	for (size_t i = 0; i < kl_countof(threads); i++) {
		void *good;
		pthread_join(threads[i], &good);
		ck_assert_ptr_nonnull(good);
	}
	ck_assert_int_eq(web_count(web), 1);
}
END_TEST

START_TEST(who_is_not_wanted_any_more_ends)
{
	struct web_act deaf = {.deaf = true, .hold = true};
	const int32_t cancelled = 1;
	struct klamm_call late = {
		.size = sizeof(late), .wait_ms = 10000, .cancelled = &cancelled};
	SERVE(deaf);
	conf.key_id = "AKIAX";
	world.secret = "hush1";
	conf.role_arn = "arn:r";
	conf.sts_endpoint = url;
	ck_assert_int_eq(kl_aws_new(&world.host, &conf, &aws, &err), 0);
	int64_t begin = world.host.now_us(&world.host);
	ck_assert_int_eq(kl_aws_credentials(aws, &late, &got, &err), KLAMM_ERR_ABORTED);
	ck_assert_int_lt(world.host.now_us(&world.host) - begin, 5000000);
}
END_TEST

/* --- regions --- */

START_TEST(finds_the_region)
{
	char region[KL_AWS_REGION];
	const char *broker = "b-1.x.c2.kafka.eu-west-1.amazonaws.com";
	ck_assert_int_eq(kl_aws_new(&world.host, &conf, &aws, &err), 0);
	ck_assert_int_eq(kl_aws_region(aws, "localhost", region, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "set sasl.aws_msk_iam.region"));
	world_write("config", "[default]\nregion=us-west-1\n");
	ck_assert_int_eq(kl_aws_region(aws, "localhost", region, &err), 0);
	ck_assert_str_eq(region, "us-west-1");
	setenv("AWS_DEFAULT_REGION", "us-west-2", 1);
	ck_assert_int_eq(kl_aws_region(aws, "localhost", region, &err), 0);
	ck_assert_str_eq(region, "us-west-2");
	setenv("AWS_REGION", "us-east-2", 1);
	ck_assert_int_eq(kl_aws_region(aws, "localhost", region, &err), 0);
	ck_assert_str_eq(region, "us-east-2");
	ck_assert_int_eq(kl_aws_region(aws, broker, region, &err), 0);
	ck_assert_str_eq(region, "eu-west-1");
	aws->conf.region = "eu-west-9";
	ck_assert_int_eq(kl_aws_region(aws, broker, region, &err), 0);
	ck_assert_str_eq(region, "eu-west-9");
	aws->conf.region = NULL;
	setenv("AWS_REGION", "a/b", 1);
	ck_assert_int_eq(kl_aws_region(aws, "localhost", region, &err),
			 KLAMM_ERR_CONFIG);
}
END_TEST

UNIT_SUITE(chain)
{
	Suite *s = suite_create("chain");
	unit_add_fixture(s, takes_the_options, up, down);
	unit_add_fixture(s, takes_the_environment, up, down);
	unit_add_fixture(s, takes_a_profile, up, down);
	unit_add_fixture(s, says_when_there_are_none, up, down);
	unit_add_fixture(s, looks_further_than_a_profile_that_has_none, up, down);
	unit_add_case(s, "a_profile_that_is_of_no_use_ends_the_search",
		      a_profile_that_is_of_no_use_ends_the_search, up, down,
		      (int)kl_countof(useless));
	unit_add_fixture(s, assumes_the_role_of_a_profile, up, down);
	unit_add_fixture(s, texts_may_be_empty, up, down);
	unit_add_fixture(s, keeps_what_expires_and_replaces_it_in_time, up, down);
	unit_add_fixture(s, a_web_identity_becomes_a_role, up, down);
	unit_add_case(s, "tells_what_the_token_service_says",
		      tells_what_the_token_service_says, up, down,
		      (int)kl_countof(refusals));
	unit_add_case(s, "opt_sasl_aws_msk_iam_sts_fips", opt_sasl_aws_msk_iam_sts_fips,
		      up, down, (int)kl_countof(endpoints));
	unit_add_fixture(s, takes_a_container_s, up, down);
	unit_add_case(s, "asks_no_container_that_is_far_away",
		      asks_no_container_that_is_far_away, up, down,
		      (int)kl_countof(far_away));
	unit_add_fixture(s, a_container_s_token_fits_a_header, up, down);
	unit_add_fixture(s, takes_an_instance_s, up, down);
	unit_add_fixture(s, asks_an_instance_without_a_token_when_told, up, down);
	unit_add_fixture(s, an_instance_may_have_no_role, up, down);
	unit_add_case(s, "a_service_that_makes_no_sense_is_told_as_such",
		      a_service_that_makes_no_sense_is_told_as_such, up, down,
		      (int)kl_countof(metadata));
	unit_add_case(s, "a_hostile_service_costs_little",
		      a_hostile_service_costs_little, up, down,
		      (int)kl_countof(hostile));
	unit_add_fixture(s, a_clock_that_is_wrong_is_told_once, up, down);
	unit_add_fixture(s, sessions_at_once_ask_once, up, down);
	unit_add_fixture(s, who_is_not_wanted_any_more_ends, up, down);
	unit_add_fixture(s, finds_the_region, up, down);
	return s;
}
