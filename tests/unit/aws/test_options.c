/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugin itself, as a client configured it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/sink.h"
#include "core/conf/conf.h"
#include "plugins/common/aws/proof.h"
#include "plugins/sasl_aws_msk_iam/payload.h"
#include "tests/unit/aws/world.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/plugins/web.h"
#include "tests/unit/unit.h"

#define KEY(name) "sasl.aws_msk_iam." name

static const int32_t never;
static const struct klamm_call call = {
	.size = sizeof(call), .wait_ms = 10000, .cancelled = &never};
static struct setting settings[16];
static struct loaded *loaded;
static void *session;
static struct kl_sink out;
static struct klamm_error err;
static int32_t state;
static struct aws_msk_iam_payload said;
static struct web *web;

static void up(void)
{
	world_up();
	memset(settings, 0, sizeof(settings));
	kl_sink_init(&out, 0, NULL);
}

static void down(void)
{
	aws_msk_iam_payload_free(&said);
	if (session != NULL)
		loaded->plugin->sasl.session_free(session);
	kl_sink_free(&out);
	if (loaded != NULL)
		loaded_free(loaded);
	if (web != NULL)
		web_free(web);
	world_down();
}

static void set(const char *key, const char *value)
{
	size_t n = 0;
	while (settings[n].key != NULL)
		n++;
	settings[n] = (struct setting){key, value};
}

static void set_keys(void)
{
	set(KEY("access.key.id"), "AKIAX");
	set(KEY("secret.access.key"), "hush1");
}

static int step(const char *in, size_t len)
{
	kl_sink_clear(&out);
	err = (struct klamm_error){0};
	return loaded->plugin->sasl.step(session, &call, &(struct klamm_span){in, len},
					 &out.out, &state, &err);
}

static int begin(const char *host)
{
	static struct klamm_sasl_peer peer = {.size = sizeof(peer), .port = 9098};
	peer.host = host;
	loaded = loaded_new(KLAMM_KIND_SASL, "AWS_MSK_IAM", "sasl.mechanism", settings);
	ck_assert_int_eq(loaded->plugin->sasl.session_new(loaded->instance.self, &peer,
							  &session, &err),
			 0);
	return step(NULL, 0);
}

/* A client says its word, and it is in said. */
static void says(void)
{
	int rc = begin("b-1.x.c2.kafka.eu-west-1.amazonaws.com");
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
	struct klamm_span text = {(const char *)out.out.data, out.out.len};
	const char *why = aws_msk_iam_payload_read(&text, &said);
	ck_assert_msg(why == NULL, "%s", why);
}

static void has(enum payload_field field, const char *part)
{
	ck_assert_msg(strstr(kl_text_get(&said.v[field]), part) != NULL, "%s",
		      kl_text_get(&said.v[field]));
}

/* The signature is that of this secret. */
static void is_signed_with(const char *secret)
{
	char signature[KL_AWS_SIGNATURE], key_id[100], region[100];
	ck_assert_int_eq(sscanf(said.v[PAYLOAD_CREDENTIAL].p,
				"%99[^/]/%*[^/]/%99[^/]/kafka-cluster/aws4_request",
				key_id, region),
			 2);
	struct kl_aws_signer signer = {.key_id = key_id,
				       .secret = secret,
				       .token = said.v[PAYLOAD_TOKEN].p,
				       .region = region,
				       .service = "kafka-cluster",
				       .time = said.v[PAYLOAD_DATE].p};
	ck_assert_int_eq(kl_aws_connect_signature(&signer, said.v[PAYLOAD_HOST].p,
						  said.v[PAYLOAD_OF_EXPIRES].p,
						  signature, &err),
			 0);
	ck_assert_str_eq(kl_text_get(&said.v[PAYLOAD_SIGNATURE]), signature);
}

START_TEST(opt_sasl_aws_msk_iam_access_key_id)
{
	set_keys();
	says();
	has(PAYLOAD_CREDENTIAL, "AKIAX/");
	has(PAYLOAD_CREDENTIAL, "/eu-west-1/");
	has(PAYLOAD_HOST, "b-1.x.c2.kafka.eu-west-1.amazonaws.com");
	has(PAYLOAD_USER_AGENT, "klamm/");
	ck_assert_uint_eq(said.v[PAYLOAD_TOKEN].len, 0);
	is_signed_with("hush1");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_secret_access_key)
{
	set(KEY("access.key.id"), "AKIAX");
	set(KEY("secret.access.key"), "hush/2+");
	says();
	is_signed_with("hush/2+");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_session_token)
{
	set_keys();
	set(KEY("session.token"), "token\"1");
	says();
	has(PAYLOAD_TOKEN, "token\"1");
	is_signed_with("hush1");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_region)
{
	set_keys();
	set(KEY("region"), "ap-south-9");
	says();
	has(PAYLOAD_CREDENTIAL, "/ap-south-9/");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_profile)
{
	world_write("credentials", "[dev]\naws_access_key_id=AKIAV\n"
				   "aws_secret_access_key=hush3\n");
	set(KEY("profile"), "dev");
	says();
	has(PAYLOAD_CREDENTIAL, "AKIAV/");
	is_signed_with("hush3");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_default_providers)
{
	setenv("AWS_ACCESS_KEY_ID", "AKIAE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "hush4", 1);
	set(KEY("profile"), "gone");
	if (_i == 0) {
		says();
		has(PAYLOAD_CREDENTIAL, "AKIAE/");
		return;
	}
	set(KEY("default.providers"), "false");
	ck_assert_int_eq(begin("b.us-east-1.x"), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "there is no profile gone"));
}
END_TEST

/* --- roles --- */

static const struct web_act sts = {
	.answer =
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<Credentials><AccessKeyId>ASIAR"
		"</AccessKeyId><SecretAccessKey>hush5</SecretAccessKey><SessionToken>hush6"
		"</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"};

static void assume(void)
{
	static char url[100];
	web = web_new(&sts, 1, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", web_port(web));
	set_keys();
	set(KEY("sts.endpoint"), url);
	set(KEY("role.arn"), "arn:aws:iam::1:role/r");
	says();
	has(PAYLOAD_CREDENTIAL, "ASIAR/");
	is_signed_with("hush5");
}

static void sts_was_asked(const char *text)
{
	ck_assert_int_eq(web_count(web), 1);
	ck_assert_msg(strstr(web_asked(web, 0), text) != NULL, "%s", web_asked(web, 0));
}

START_TEST(opt_sasl_aws_msk_iam_role_arn)
{
	assume();
	sts_was_asked(
		"&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=klamm");
	sts_was_asked("Credential=AKIAX/");
	ck_assert_ptr_null(strstr(web_asked(web, 0), "ExternalId"));
	/* The credentials end, and with them the session. */
	int64_t ms = loaded->plugin->sasl.session_lifetime(session);
	ck_assert_int_gt(ms, 0);
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_role_session_name)
{
	set(KEY("role.session.name"), "me@work");
	assume();
	sts_was_asked("&RoleSessionName=me%40work");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_role_external_id)
{
	set(KEY("role.external.id"), "them 7");
	assume();
	sts_was_asked("&ExternalId=them%207");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_sts_endpoint)
{
	assume();
	sts_was_asked("POST / HTTP/1.1\r\n");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_sts_region)
{
	set(KEY("sts.region"), "us-gov-west-1");
	assume();
	sts_was_asked("/us-gov-west-1/sts/aws4_request");
}
END_TEST

START_TEST(opt_sasl_aws_msk_iam_imds_v1)
{
	static char url[100];
	static const struct web_act acts[] = {
		{.answer = "HTTP/1.1 405 No\r\nConnection: close\r\n\r\n"},
		{.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nrole"},
		{.answer =
			 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"AccessKeyId\":"
			 "\"ASIAI\",\"SecretAccessKey\":\"hush7\",\"Token\":\"hush8\","
			 "\"Expiration\":\"2099-01-01T00:00:00Z\"}"}};
	web = web_new(acts, 3, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", web_port(web));
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, 1);
	if (_i == 0) {
		ck_assert_int_eq(begin("b.us-east-1.x"), KLAMM_ERR_AUTHENTICATION);
		ck_assert_ptr_nonnull(strstr(err.text, "gives no token (status 405)"));
		return;
	}
	set(KEY("imds.v1"), "true");
	says();
	has(PAYLOAD_CREDENTIAL, "ASIAI/");
	is_signed_with("hush7");
}
END_TEST

/* --- as a token of OAUTHBEARER --- */

static const struct {
	const char *key, *value;
} ways[] = {
	{"sasl.oauthbearer.metadata.authentication.type", "aws_iam"},
	{"sasl.login.callback.handler.class",
	 "software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler"},
};

START_TEST(is_a_token_of_oauthbearer_too)
{
	static const struct klamm_sasl_peer peer = {.size = sizeof(peer), .host = "h"};
	/* n,, \x01auth=Bearer https://kafka.eu-west-1.amazonaws.com/?Action=kafka... */
	static const char start[] = "n,,\001auth=Bearer "
				    "aHR0cHM6Ly9rYWZrYS5ldS13ZXN0LTEuYW1hem9uYXdzLmNvbS8_"
				    "QWN0aW9uPWthZmth";
	if (!is_shipped(KLAMM_KIND_SASL, "oauthbearer"))
		return;
	set_keys();
	set(KEY("region"), "eu-west-1");
	set(ways[_i].key, ways[_i].value);
	loaded = loaded_new(KLAMM_KIND_SASL, "OAUTHBEARER", "sasl.mechanism", settings);
	const struct klamm_sasl_plugin *plugin = &loaded->plugin->sasl;
	ck_assert_int_eq(
		plugin->session_new(loaded->instance.self, &peer, &session, &err), 0);
	int rc = step(NULL, 0);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_uint_gt(out.out.len, sizeof(start) + 200);
	ck_assert_mem_eq(out.out.data, start, sizeof(start) - 1);
	ck_assert_mem_eq(out.out.data + out.out.len - 2, "\1\1", 2);
	ck_assert_int_eq(step("", 0), 0);
	int64_t ms = plugin->session_lifetime(session);
	ck_assert(ms > 890 * 1000 && ms <= 900 * 1000);
}
END_TEST

/* --- what is wrong is said before anybody connects --- */

static const struct {
	const char *key, *value, *text;
} wrong[] = {
	{KEY("access.key.id"), "AKIAX", "secret.access.key is not set"},
	{KEY("region"), "us/east", "sasl.aws_msk_iam.region must be a region"},
	{KEY("sts.region"), "evil.example/",
	 "sasl.aws_msk_iam.sts.region must be a region"},
};

START_TEST(a_client_that_cannot_sign_is_not_made)
{
	struct kl_host host;
	struct kl_plugin *plugin;
	struct kl_instance instance;
	set(wrong[_i].key, wrong[_i].value);
	ck_assert_int_eq(kl_host_init(&host, kl_os_real(), NULL, NULL, NULL, &err), 0);
	ck_assert_int_eq(kl_plugin_load(KLAMM_KIND_SASL, "AWS_MSK_IAM",
					&(struct kl_plugin_search){0}, &plugin, &err),
			 0);
	ck_assert_int_eq(kl_plugin_open(plugin, &host, "sasl.mechanism", lookup_setting,
					settings, &instance, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_msg(strstr(err.text, wrong[_i].text) != NULL, "%s", err.text);
	kl_plugin_free(plugin);
	kl_host_free(&host);
}
END_TEST

/* --- the broker's answer --- */

static const struct {
	const char *text, *why; /* NULL: it is one */
} answers[] = {
	{"{\"version\":\"2020_10_22\",\"request-id\":\"1-2\"}", NULL},
	{"{\"request-id\":\"1-2\",\"new\":[{}],\"version\":\"2020_10_22\"}", NULL},
	{"", "it is empty"},
	{"{}", "its version is not 2020_10_22"},
	{"null", "it is no JSON object"},
	{"{\"version\":\"2020_10_23\",\"request-id\":\"1-2\"}", "its version is not"},
	{"{\"version\":\"2020_10_22\"}", "it has no request-id"},
	{"{\"version\":\"2020_10_22\",\"request-id\":\"\"}", "it has no request-id"},
	{"{\"version\":\"2020_10_22\",\"request-id\":7}", "it has no request-id"},
	{"{\"version\":\"2020_10_22\",\"request-id\":\"1-2\"", "a comma is missing"},
};

START_TEST(hears_the_answer)
{
	set_keys();
	says();
	int rc = step(answers[_i].text, strlen(answers[_i].text));
	if (answers[_i].why == NULL) {
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_int_eq(state, KLAMM_SASL_DONE);
		ck_assert_int_eq(loaded->plugin->sasl.session_lifetime(session), -1);
		return;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_AUTHENTICATION);
	ck_assert_msg(strstr(err.text, answers[_i].why) != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_message_beyond_the_limit_is_none)
{
	set_keys();
	out.out.limit = 100;
	ck_assert_int_eq(begin("b.us-east-1.x"), KLAMM_ERR_LIMIT);
	ck_assert_uint_eq(out.out.len, 0);
}
END_TEST

/* --- Java's line --- */

START_TEST(reads_what_java_s_login_module_is_told)
{
	static const struct {
		const char *key, *value;
	} want[] = {
		{KEY("profile"), "dev"},         {KEY("role.arn"), "arn:x"},
		{KEY("role.session.name"), "s"}, {KEY("role.external.id"), "e"},
		{KEY("access.key.id"), "AKIAJ"}, {KEY("sts.region"), "eu-west-1"},
		{KEY("sts.fips"), "true"},       {KEY("default.providers"), "false"},
	};
	struct klamm_conf *conf;
	char *secret;
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	int rc = klamm_conf_set(
		conf, "sasl.jaas.config",
		"software.amazon.msk.auth.iam.IAMLoginModule required awsProfileName=dev "
		"awsRoleArn=\"arn:x\" awsRoleSessionName=s awsRoleExternalId=e "
		"awsRoleAccessKeyId=AKIAJ awsRoleSecretAccessKey=\"hush/1\" "
		"awsRoleSessionToken=\"hush/2\" awsStsRegion=eu-west-1 awsShouldUseFips=true "
		"awsAddDefaultProviders=false awsDebugCreds=true awsMaxRetries=\"7\";",
		&err);
	ck_assert_msg(rc == 0, "%s", err.text);
	for (size_t i = 0; i < kl_countof(want); i++) {
		const char *value = kl_conf_lookup(conf, want[i].key);
		ck_assert_msg(value != NULL && strcmp(value, want[i].value) == 0,
			      "%s: %s", want[i].key, value);
	}
	ck_assert_int_eq(
		kl_conf_read_secret(conf, KEY("secret.access.key"), &secret, &err), 0);
	ck_assert_str_eq(secret, "hush/1");
	kl_wipe_text(secret);
	ck_assert_int_eq(kl_conf_read_secret(conf, KEY("session.token"), &secret, &err),
			 0);
	ck_assert_str_eq(secret, "hush/2");
	kl_wipe_text(secret);
	klamm_conf_free(conf);
}
END_TEST

UNIT_SUITE(options)
{
	Suite *s = suite_create("options");
	if (!is_shipped(KLAMM_KIND_SASL, "aws_msk_iam"))
		return s;
	unit_add_fixture(s, opt_sasl_aws_msk_iam_access_key_id, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_secret_access_key, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_session_token, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_region, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_profile, up, down);
	unit_add_case(s, "opt_sasl_aws_msk_iam_default_providers",
		      opt_sasl_aws_msk_iam_default_providers, up, down, 2);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_role_arn, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_role_session_name, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_role_external_id, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_sts_endpoint, up, down);
	unit_add_fixture(s, opt_sasl_aws_msk_iam_sts_region, up, down);
	unit_add_case(s, "opt_sasl_aws_msk_iam_imds_v1", opt_sasl_aws_msk_iam_imds_v1,
		      up, down, 2);
	unit_add_case(s, "is_a_token_of_oauthbearer_too",
		      is_a_token_of_oauthbearer_too, up, down, (int)kl_countof(ways));
	unit_add_case(s, "a_client_that_cannot_sign_is_not_made",
		      a_client_that_cannot_sign_is_not_made, up, down,
		      (int)kl_countof(wrong));
	unit_add_case(s, "hears_the_answer", hears_the_answer, up, down,
		      (int)kl_countof(answers));
	unit_add_fixture(s, a_message_beyond_the_limit_is_none, up, down);
	unit_add_fixture(s, reads_what_java_s_login_module_is_told, up, down);
	return s;
}
