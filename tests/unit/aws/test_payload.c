/* SPDX-License-Identifier: BSD-2-Clause */
/* The message of AWS_MSK_IAM, as a client writes it and as a broker judges it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/base.h"
#include "plugins/sasl_aws_msk_iam/payload.h"
#include "plugins/sasl_aws_msk_iam/verify.h"
#include "tests/unit/aws/world.h"
#include "tests/unit/unit.h"

#define KEY_ID "XXXXXXXXXXXXXXXXXXXX"
#define SECRET "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"

static struct klamm_error err;

static void sign(const char *token, struct kl_text *out)
{
	KL_AWS_CREDENTIALS_AUTO c = {.expires_ms = KL_AWS_FOR_GOOD};
	kl_text_add(&c.key_id, KEY_ID);
	kl_text_add(&c.secret, SECRET);
	kl_text_add(&c.token, token);
	ck_assert_int_eq(aws_msk_iam_sign(&c, "us-east-1", "localhost", "klamm/0.1.0",
					  WORLD_NOW, out, &err),
			 0);
}

#define BEGIN                                                                            \
	"{\"version\":\"2020_10_22\",\"host\":\"localhost\","                           \
	"\"user-agent\":\"klamm/0.1.0\",\"action\":\"kafka-cluster:Connect\","          \
	"\"x-amz-algorithm\":\"AWS4-HMAC-SHA256\",\"x-amz-credential\":\"" KEY_ID        \
	"/20210818/us-east-1/kafka-cluster/aws4_request\","                               \
	"\"x-amz-date\":\"20210818T212511Z\","
#define END "\"x-amz-signedheaders\":\"host\",\"x-amz-expires\":\"900\","

static const struct {
	const char *token, *text;
} messages[] = {
	{"", BEGIN END "\"x-amz-signature\":\"0fa42ae3d5693777942a7a4028b564f0b372bafa"
		       "2f71c1a19ad60680e6cb994b\"}"},
	{"XXXXX", BEGIN "\"x-amz-security-token\":\"XXXXX\"," END
			"\"x-amz-signature\":\"b0619c50b7ecb4a7f6f92bd5f733770df5710e97"
			"b25146f97015c0b1db783b05\"}"},
};

START_TEST(is_what_other_clients_send)
{
	KL_TEXT_AUTO text = {0};
	sign(messages[_i].token, &text);
	ck_assert_str_eq(text.p, messages[_i].text);
}
END_TEST

/* --- a broker --- */

static int credential(const struct klamm_sasl_server *server, const char *user,
		      const char *what, struct klamm_out *out)
{
	ck_assert_str_eq(what, "password");
	if (strcmp(user, "BROKEN") == 0)
		return KLAMM_ERR_IO;
	if (strcmp(user, "EMPTY") == 0)
		return 0;
	if (strcmp(user, KEY_ID) != 0)
		return KLAMM_ERR_AUTHENTICATION;
	return klamm_out_append(out, SECRET, sizeof(SECRET) - 1);
}

static const struct klamm_sasl_server server = {.size = sizeof(server),
						.credential = credential};

static int verify(const char *text, size_t len, const char *hosts)
{
	KL_TEXT_AUTO key_id = {0};
	/* Exactly as long: what is read behind it is seen by the sanitizers. */
	char *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, text, len);
	struct klamm_span in = {copy, len};
	err = (struct klamm_error){0};
	int rc = aws_msk_iam_verify(&world.host, &server, hosts, &in, &key_id, &err);
	free(copy);
	ck_assert_str_eq(kl_text_get(&key_id), rc == 0 ? KEY_ID : "");
	if (rc != 0)
		ck_assert_ptr_null(strstr(err.text, SECRET));
	return rc;
}

/* Changes to a payload that is good, and what is said of it. text NULL: it is taken. */
static const struct {
	const char *from, *to, *text;
} changes[] = {
	{"", "", NULL},
	{"klamm/0.1.0", "aws-msk-iam-auth/2.3.5", NULL}, /* not signed */
	{"{", " {\n", NULL},
	{"localhost", "\\u006cocalhost", NULL},
	{"localhost", "localhosT", "or its secret is another"},
	{"us-east-1", "us-east-2", "or its secret is another"},
	{"\"900\"", "\"901\"", "or its secret is another"},
	{"T212511Z", "T212512Z", "or its secret is another"},
	{"994b", "994c", "or its secret is another"},
	{"994b", "994B", "or its secret is another"},
	{"994b", "994", "or its secret is another"},
	{KEY_ID "/", "SOMEBODY/", "the access key is not known here"},
	{KEY_ID "/", "EMPTY/", "the access key is not known here"},
	{KEY_ID "/", "/", "x-amz-credential is not"},
	{"/kafka-cluster/", "/kafka/", "x-amz-credential is not"},
	{"aws4_request", "aws4_request/x", "x-amz-credential is not"},
	{"/aws4_request", "", "x-amz-credential is not"},
	{"/20210818/", "/20210819/", "x-amz-date is no time of the day"},
	{"\"20210818T212511Z\"", "\"yesterday\"", "x-amz-date is no time"},
	{"\"20210818T212511Z\"", "\"20210818T212561Z\"", "x-amz-date is no time"},
	{"2020_10_22", "2020_10_23", "its version is not 2020_10_22"},
	{":Connect", ":DescribeCluster", "its action is not"},
	{"AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "its algorithm is not"},
	{"\"host\",\"x-amz-expires", "\"host;date\",\"x-amz-expires",
	 "its signed headers"},
	{"\"user-agent\":\"klamm/0.1.0\",", "", "a field is missing"},
	{"\"host\":", "\"Host\":", "a field that is unknown"},
	{"{", "{\"version\":\"2020_10_22\",", "a field twice"},
	{"\"900\"", "900", "a field is no text"},
	{"\"900\"", "\"\"", "a field is no text"},
	{"\"900\"", "null", "a field is no text"},
	{"\"900\"", "[\"900\"]", "a field is no text"},
	{"994b\"}", "994b\"", "a comma is missing"},
	{"994b\"}", "994b\"}}", "something follows it"},
	{"localhost", "local\\u0000host", "an escape in a text is not one"},
	{"localhost", "local\xffhost", "bytes that may not be in it"},
};

static void change(struct kl_text *text, const char *from, const char *to)
{
	KL_TEXT_AUTO changed = {0};
	const char *at = strstr(text->p, from);
	ck_assert_ptr_nonnull(at);
	kl_text_put(&changed, text->p, (size_t)(at - text->p));
	kl_text_add(&changed, to);
	kl_text_add(&changed, at + strlen(from));
	kl_text_clear(text);
	kl_text_put(text, changed.p, changed.len);
}

START_TEST(a_broker_takes_what_is_right)
{
	KL_TEXT_AUTO text = {0};
	sign("", &text);
	change(&text, changes[_i].from, changes[_i].to);
	int rc = verify(text.p, text.len, NULL);
	if (changes[_i].text == NULL) {
		ck_assert_msg(rc == 0, "%s", err.text);
		return;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_AUTHENTICATION);
	ck_assert_msg(strstr(err.text, changes[_i].text) != NULL, "%s", err.text);
	ck_assert(strncmp(err.text, "Access denied: ", 15) == 0);
}
END_TEST

START_TEST(a_token_is_signed_too)
{
	KL_TEXT_AUTO text = {0};
	sign("XXXXX", &text);
	ck_assert_int_eq(verify(text.p, text.len, NULL), 0);
	change(&text, "\"XXXXX\"", "\"YYYYY\"");
	ck_assert_int_eq(verify(text.p, text.len, NULL), KLAMM_ERR_AUTHENTICATION);
}
END_TEST

START_TEST(no_part_of_it_will_do)
{
	KL_TEXT_AUTO text = {0};
	sign("XXXXX", &text);
	for (size_t n = 0; n < text.len; n++)
		ck_assert_int_eq(verify(text.p, n, NULL), KLAMM_ERR_AUTHENTICATION);
}
END_TEST

static const struct {
	int64_t seconds;
	const char *text; /* NULL: it is taken */
} times[] = {
	{0, NULL},
	{900, NULL},
	{-300, NULL},
	{901,
	 "signed at 20210818T212511Z for 900 s, and here it is 20210818T214012Z: it has "
	 "expired, or the client's clock is behind"},
	{-301,
	 "signed at 20210818T212511Z, and here it is 20210818T212010Z: the client's clock "
	 "is ahead"},
};

START_TEST(a_signature_has_its_time)
{
	KL_TEXT_AUTO text = {0};
	sign("", &text);
	world.wall_ms = WORLD_NOW + times[_i].seconds * 1000;
	int rc = verify(text.p, text.len, NULL);
	ck_assert_int_eq(rc, times[_i].text == NULL ? 0 : KLAMM_ERR_AUTHENTICATION);
	if (rc != 0)
		ck_assert_ptr_nonnull(strstr(err.text, times[_i].text));
}
END_TEST

START_TEST(a_signature_has_its_place)
{
	KL_TEXT_AUTO text = {0};
	sign("", &text);
	ck_assert_int_eq(verify(text.p, text.len, "LOCALHOST"), 0);
	ck_assert_int_eq(verify(text.p, text.len, "other,localhost"), 0);
	ck_assert_int_eq(verify(text.p, text.len, "other"), KLAMM_ERR_AUTHENTICATION);
	ck_assert_ptr_nonnull(strstr(
		err.text, "signed for the host localhost, and this one is other"));
	ck_assert_int_eq(verify(text.p, text.len, "localhost2,local"),
			 KLAMM_ERR_AUTHENTICATION);
}
END_TEST

START_TEST(keys_that_cannot_be_read_are_no_refusal)
{
	KL_TEXT_AUTO text = {0};
	sign("", &text);
	change(&text, KEY_ID "/", "BROKEN/");
	ck_assert_int_eq(verify(text.p, text.len, NULL), KLAMM_ERR_IO);
	ck_assert_str_eq(err.text, "the access keys cannot be read");
}
END_TEST

UNIT_SUITE(payload)
{
	Suite *s = suite_create("payload");
	unit_add_loop(s, is_what_other_clients_send, (int)kl_countof(messages));
	unit_add_case(s, "a_broker_takes_what_is_right", a_broker_takes_what_is_right,
		      world_up, world_down, (int)kl_countof(changes));
	unit_add_fixture(s, a_token_is_signed_too, world_up, world_down);
	unit_add_fixture(s, no_part_of_it_will_do, world_up, world_down);
	unit_add_case(s, "a_signature_has_its_time", a_signature_has_its_time, world_up,
		      world_down, (int)kl_countof(times));
	unit_add_fixture(s, a_signature_has_its_place, world_up, world_down);
	unit_add_fixture(s, keys_that_cannot_be_read_are_no_refusal, world_up,
			 world_down);
	return s;
}
