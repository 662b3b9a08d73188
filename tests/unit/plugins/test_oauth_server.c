/* SPDX-License-Identifier: BSD-2-Clause */
/* OAUTHBEARER's server: what it reads, which tokens it takes, and whose keys it
 * believes. */
#include <stdlib.h>

#include "plugins/common/aws/token.h"
#include "tests/unit/plugins/oauth.h"
#include "tests/unit/plugins/web.h"

static struct oauth_bed bed;
static struct web *web;
static char jwks[5000], *jwks_path, jwks_url[400];

static void make_jwks(void)
{
	snprintf(jwks, sizeof(jwks), "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},%s]}",
		 oauth_key_jwk("ES256"));
	jwks_path = oauth_file(jwks);
	snprintf(jwks_url, sizeof(jwks_url), "file://%s", jwks_path);
}

static void up(void)
{
	oauth_bed_init(&bed, NULL);
	make_jwks();
}

static void open_server(const struct setting *settings)
{
	int rc = oauth_bed_open(&bed, SERVER, settings);
	ck_assert_msg(rc == 0, "%s", bed.err.text);
}

static void up_unsecured(void)
{
	static const struct setting settings[] = {
		{"enable.sasl.oauthbearer.unsecure.jwt", "true"}, {NULL}};
	up();
	open_server(settings);
}

static void down(void)
{
	oauth_bed_free(&bed);
	if (web != NULL)
		web_free(web);
	free(jwks_path);
}

/* --- messages --- */

#define TOKEN   "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjoxZTEwfQ."
#define M(text) text, sizeof(text) - 1

static const struct {
	const char *text;
	size_t len;
	int rc;
	const char *words;
} messages[] = {
	{M("n,,\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 0, NULL},
	{M("n,,\x01"
	   "auth=bEARER   " TOKEN "\x01\x01"),
	 0, NULL},
	{M("n,a=a,\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 0, NULL},
	{M("n,,\x01"
	   "k=v\x01"
	   "auth=Bearer " TOKEN "\x01"
	   "host=x y\x01\x01"),
	 0, NULL},
	{M("n,a=b,\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_AUTHENTICATION,
	 "Client requested an authorization id (b) that is different from "
	 "the token's principal name (a)"},
	{M(""), KLAMM_ERR_PROTOCOL, "Invalid OAUTHBEARER client first message"},
	{M("n,,"), KLAMM_ERR_PROTOCOL, "Invalid OAUTHBEARER client first message"},
	{M("n,,\x01"), KLAMM_ERR_PROTOCOL, "Invalid OAUTHBEARER client first message"},
	{M("n,,\x01\x01"), KLAMM_ERR_PROTOCOL, "'auth' not specified"},
	{M("y,,\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,a=,\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,a==2,\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,b=a,\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "auth=Bearer " TOKEN "\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "auth=Bearer " TOKEN),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "auth=Bearer " TOKEN "\x01\x01x"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "k1=v\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "k=\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "k\x01"
	   "auth=Bearer " TOKEN "\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "auth=Bearer a\0b\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid OAUTH"},
	{M("n,,\x01"
	   "auth=Bearer\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "invalid 'auth' format"},
	{M("n,,\x01"
	   "auth=Bearer \x01\x01"),
	 KLAMM_ERR_PROTOCOL, "invalid 'auth' format"},
	{M("n,,\x01"
	   "auth=Bearer a b\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "invalid 'auth' format"},
	{M("n,,\x01"
	   "auth=Basic abc\x01\x01"),
	 KLAMM_ERR_PROTOCOL, "Invalid scheme"},
};

START_TEST(reads_messages_as_kafka_does)
{
	int rc = oauth_bed_accept(&bed, messages[_i].text, messages[_i].len);
	ck_assert_msg(rc == messages[_i].rc, "%d: %s", rc, bed.err.text);
	if (rc != 0) {
		ck_assert_msg(strstr(bed.err.text, messages[_i].words) != NULL, "%s",
			      bed.err.text);
		return;
	}
	ck_assert_int_eq(bed.state, KLAMM_SASL_DONE);
	ck_assert_str_eq(bed.said, "");
	ck_assert_str_eq(oauth_bed_identified(), "a");
}
END_TEST

/* --- tokens --- */

/* The token in a message; 0 = taken, 1 = refused with JSON. */
static int show(const char *token)
{
	char message[8000];
	int n = snprintf(message, sizeof(message),
			 "n,,\x01"
			 "auth=Bearer %s\x01\x01",
			 token);
	ck_assert_int_lt(n, (int)sizeof(message));
	int rc = oauth_bed_accept(&bed, message, (size_t)n);
	ck_assert_msg(rc == 0, "%s", bed.err.text);
	if (bed.state == KLAMM_SASL_DONE) {
		ck_assert_str_eq(bed.said, "");
		return 0;
	}
	ck_assert_int_eq(bed.state, KLAMM_SASL_SEND);
	ck_assert_str_eq(oauth_bed_identified(), "");
	char said[sizeof(bed.said)];
	snprintf(said, sizeof(said), "%s", bed.said);
	ck_assert_int_eq(oauth_bed_accept(&bed, "\x01", 1), KLAMM_ERR_AUTHENTICATION);
	ck_assert_str_eq(bed.err.text, said);
	snprintf(bed.said, sizeof(bed.said), "%s", said);
	return 1;
}

/* "$+100" stands for a hundred seconds from now. */
static char *claims_of(const char *text)
{
	char *out = NULL;
	size_t n;
	FILE *f = open_memstream(&out, &n);
	while (*text != '\0') {
		if (*text != '$') {
			fputc(*text++, f);
			continue;
		}
		char *end;
		long from_now = strtol(text + 1, &end, 10);
		fprintf(f, "%lld", oauth_now() + from_now);
		text = end;
	}
	fclose(f);
	return out;
}

static const struct setting strict[] = {
	{"sasl.oauthbearer.jwks.endpoint.url", jwks_url},
	{"sasl.oauthbearer.expected.audience", "other,kafka"},
	{"sasl.oauthbearer.expected.issuer", "https://idp/"},
	{NULL}};

#define GOOD  "\"aud\":\"kafka\",\"iss\":\"https://idp/\",\"sub\":\"alice\""
#define TIMES "\"iat\":$-10,\"exp\":$+100"

static const struct {
	const char *header, *claims;
	bool good;
} signed_tokens[] = {
	{NULL, "{" GOOD "," TIMES "}", true},
	{NULL, "{" GOOD ",\"iat\":$-10.5,\"exp\":$+100.5}", true},
	{NULL,
	 "{\"aud\":[\"x\",\"kafka\"],\"iss\":\"https://idp/\",\"sub\":"
	 "\" alice \"," TIMES
	 "}",
	 true},
	{NULL, "{" GOOD ",\"iat\":$-100,\"exp\":$-20}",
	 true}, /* the clocks may differ by 30 s */
	{NULL, "{" GOOD ",\"nbf\":$+20," TIMES "}", true},
	{NULL, "{" GOOD ",\"scope\":[\"a\",\"b\"]," TIMES "}", true},
	{"{\"alg\":\"ES256\"}", "{" GOOD "," TIMES "}",
	 true}, /* no id: every key is tried */
	{NULL, "{" GOOD ",\"iat\":$-100,\"exp\":$-40}", false},
	{NULL, "{" GOOD ",\"nbf\":$+40," TIMES "}", false},
	{NULL, "{" GOOD ",\"nbf\":\"x\"," TIMES "}", false},
	{NULL, "{" GOOD ",\"iat\":$-10}", false},
	{NULL, "{" GOOD ",\"exp\":$+100}", false}, /* Kafka asks for iat, too */
	{NULL, "{" GOOD ",\"iat\":$-10,\"exp\":\"$+100\"}", false},
	{NULL, "{" GOOD ",\"iat\":$+200,\"exp\":$+100}", false},
	{NULL, "{\"iss\":\"https://idp/\",\"sub\":\"alice\"," TIMES "}", false},
	{NULL,
	 "{\"aud\":\"kafk\",\"iss\":\"https://idp/\",\"sub\":\"alice\"," TIMES "}",
	 false},
	{NULL,
	 "{\"aud\":\"kafka,other\",\"iss\":\"https://idp/\",\"sub\":\"alice\"," TIMES
	 "}",
	 false},
	{NULL,
	 "{\"aud\":[[\"kafka\"]],\"iss\":\"https://idp/\",\"sub\":\"alice\"," TIMES "}",
	 false},
	{NULL, "{\"aud\":\"kafka\",\"sub\":\"alice\"," TIMES "}", false},
	{NULL,
	 "{\"aud\":\"kafka\",\"iss\":\"https://idp\",\"sub\":\"alice\"," TIMES "}",
	 false},
	{NULL, "{\"aud\":\"kafka\",\"iss\":\"https://idp/\"," TIMES "}", false},
	{NULL, "{\"aud\":\"kafka\",\"iss\":\"https://idp/\",\"sub\":\" \"," TIMES "}",
	 false},
	{NULL, "{\"aud\":\"kafka\",\"iss\":\"https://idp/\",\"sub\":7," TIMES "}",
	 false},
	{NULL,
	 "{\"aud\":\"kafka\",\"iss\":\"https://idp/\",\"sub\":\"a\\u0000b\"," TIMES "}",
	 false},
	{NULL, "{" GOOD ",\"scope\":[\"a\",\"a\"]," TIMES "}", false},
	{NULL, "{" GOOD ",\"scope\":[\"a\",\" \"]," TIMES "}", false},
	{NULL, "{" GOOD ",\"scope\":[7]," TIMES "}", false},
	{NULL, "[" GOOD "]", false},
	{NULL, "{" GOOD "," TIMES "}}", false},
	{"{\"alg\":\"ES256\",\"kid\":\"k2\"}", "{" GOOD "," TIMES "}", false},
	{"{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{" GOOD "," TIMES "}", false},
	{"{\"alg\":\"ES384\",\"kid\":\"k1\"}", "{" GOOD "," TIMES "}", false},
	{"{\"alg\":\"HS256\",\"kid\":\"k1\"}", "{" GOOD "," TIMES "}", false},
	{"{\"alg\":\"none\"}", "{" GOOD "," TIMES "}", false},
	{"{\"alg\":\"None\"}", "{" GOOD "," TIMES "}", false},
	{"{\"kid\":\"k1\"}", "{" GOOD "," TIMES "}", false},
	{"{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"b64\"]}",
	 "{" GOOD "," TIMES "}", false},
};

START_TEST(opt_sasl_oauthbearer_expected)
{
	open_server(strict);
	char *claims = claims_of(signed_tokens[_i].claims);
	char *token = oauth_sign("ES256", signed_tokens[_i].header, claims);
	int refused = show(token);
	ck_assert_msg(refused == !signed_tokens[_i].good, "%s", claims);
	if (refused) {
		ck_assert_str_eq(bed.said, "{\"status\":\"invalid_token\"}");
	} else {
		ck_assert_str_eq(oauth_bed_identified(), "alice");
		ck_assert(oauth_bed_lifetime() >= 1 && oauth_bed_lifetime() <= 101000);
	}
	free(token);
	free(claims);
}
END_TEST

/* Not one letter of a token may be another one. */
START_TEST(a_changed_token_is_refused)
{
	open_server(strict);
	char *claims = claims_of("{" GOOD "," TIMES "}");
	char *token = oauth_sign("ES256", NULL, claims);
	ck_assert_int_eq(show(token), 0);
	for (size_t i = 0; token[i] != '\0'; i++) {
		char c = token[i];
		token[i] = c == 'A' ? 'B' : c == '.' ? 'x' : 'A';
		ck_assert_msg(show(token) == 1, "letter %zu", i);
		token[i] = c;
	}
	token[strlen(token) - 1] = '\0';
	ck_assert_int_eq(show(token), 1);
	free(token);
	free(claims);
}
END_TEST

static const char *const odd_tokens[] = {
	"x",
	"..",
	"...",
	"a.b.c",
	"e30.e30.",
	"e30.e30",
	"e30.e30.e30.e30",
	"eyJhbGciOiJub25lIn0..",
	".eyJzdWIiOiJhIiwiZXhwIjoxZTEwfQ.",
	/* padding, and bits that are not used */
	"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjoxZTEwfQ.==",
	"eyJhbGciOiJub25lIn1.eyJzdWIiOiJhIiwiZXhwIjoxZTEwfQ.",
	/* an unsecured one with a signature, another case of none */
	TOKEN "AAAA",
	"eyJhbGciOiJOT05FIn0.eyJzdWIiOiJhIiwiZXhwIjoxZTEwfQ.",
};

START_TEST(odd_tokens_are_refused)
{
	ck_assert_int_eq(show(odd_tokens[_i]), 1);
	ck_assert_str_eq(bed.said, "{\"status\":\"invalid_token\"}");
}
END_TEST

/* A document of brackets must not take the stack. */
START_TEST(deep_json_is_refused)
{
	KL_TEXT_AUTO deep = {0};
	kl_text_add(&deep, "{\"a\":");
	for (int i = 0; i < 2000; i++)
		kl_text_char(&deep, '[');
	char *token = oauth_sign("none", NULL, deep.p);
	ck_assert_int_eq(show(token), 1);
	free(token);
}
END_TEST

START_TEST(a_signed_token_is_not_taken_unread)
{
	char *claims = claims_of("{" GOOD "," TIMES "}");
	char *token = oauth_sign("ES256", NULL, claims);
	ck_assert_int_eq(show(token), 1);
	free(token);
	free(claims);
}
END_TEST

START_TEST(opt_sasl_oauthbearer_claim_names)
{
	static const struct setting settings[] = {
		{"enable.sasl.oauthbearer.unsecure.jwt", "true"},
		{"sasl.oauthbearer.scope", "read write"},
		{"sasl.oauthbearer.scope.claim.name", "scp"},
		{"sasl.oauthbearer.sub.claim.name", "azp"},
		{NULL}};
	open_server(settings);
	char *good = oauth_sign("none", NULL,
				"{\"azp\":\"a\",\"scp\":\"write  read\",\"exp\":1e10}");
	char *bad = oauth_sign("none", NULL,
			       "{\"azp\":\"a\",\"scp\":[\"read\"],\"exp\":1e10}");
	ck_assert_int_eq(show(good), 0);
	ck_assert_str_eq(oauth_bed_identified(), "a");
	ck_assert_int_eq(show(bad), 1);
	ck_assert_str_eq(
		bed.said,
		"{\"status\":\"insufficient_scope\", \"scope\":\"[read write]\"}");
	free(good);
	free(bad);
}
END_TEST

START_TEST(only_one_byte_may_follow_a_refusal)
{
	static const char message[] = "n,,\x01"
				      "auth=Bearer x\x01\x01";
	ck_assert_int_eq(oauth_bed_accept(&bed, M(message)), 0);
	ck_assert_int_eq(bed.state, KLAMM_SASL_SEND);
	ck_assert_int_eq(oauth_bed_accept(&bed, M(message)), KLAMM_ERR_PROTOCOL);
}
END_TEST

START_TEST(a_server_needs_somebody_to_believe)
{
	static const struct setting none[] = {{NULL}};
	static const struct setting odd[] = {
		{"sasl.oauthbearer.jwks.endpoint.url", "x"}, {NULL}};
	ck_assert_int_eq(oauth_bed_open(&bed, SERVER, none), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(bed.err.text, "jwks.endpoint.url is not set"));
	ck_assert_int_eq(oauth_bed_open(&bed, SERVER, odd), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(
		strstr(bed.err.text, "must be a file:, http: or https: URL"));
}
END_TEST

/* --- tokens of Amazon MSK --- */

static void up_msk(void)
{
	static const struct setting settings[] = {
		{"sasl.oauthbearer.metadata.authentication.type", "aws_iam"}, {NULL}};
	up();
	open_server(settings);
}

/* Signed so many seconds ago. */
static void make_msk(struct kl_text *token, const char *secret, const char *session,
		     long long ago)
{
	KL_AWS_CREDENTIALS_AUTO credentials = {0};
	kl_text_add(&credentials.key_id, OAUTH_KEY_ID);
	kl_text_add(&credentials.secret, secret);
	kl_text_add(&credentials.token, session);
	ck_assert_int_eq(kl_aws_put_token(token, &credentials, "eu-west-1", "x/1",
					  (oauth_now() - ago) * 1000, NULL),
			 0);
}

static void show_msk(const char *token)
{
	KL_TEXT_AUTO message = {0};
	kl_text_printf(&message, "n,,\x01"
				 "auth=Bearer %s\x01\x01",
		       token);
	ck_assert_msg(oauth_bed_accept(&bed, message.p, message.len) == 0, "%s",
		      bed.err.text);
}

START_TEST(takes_tokens_of_msk)
{
	for (int i = 0; i < 2; i++) {
		KL_TEXT_AUTO token = {0};
		make_msk(&token, OAUTH_SECRET, i == 0 ? "" : "AQo+/=", 100);
		show_msk(token.p);
		ck_assert_int_eq(bed.state, KLAMM_SASL_DONE);
		ck_assert_str_eq(oauth_bed_identified(), OAUTH_KEY_ID);
		ck_assert(oauth_bed_lifetime() > 790000 &&
			  oauth_bed_lifetime() <= 801000);
	}
}
END_TEST

static const struct {
	const char *secret;
	int ago;
	const char *find, *put; /* in the URL */
} msk_wrong[] = {
	{"other", 0, NULL, NULL},
	{OAUTH_SECRET, 901, NULL, NULL},
	{OAUTH_SECRET, -400, NULL, NULL},
	{OAUTH_SECRET, 0, "https:", "httpx:"},
	{OAUTH_SECRET, 0, "/?", "/x"},
	{OAUTH_SECRET, 0, "Action=", "Axtion="},
	{OAUTH_SECRET, 0, "kafka-cluster%3A", "kafka-clustex%3A"},
	{OAUTH_SECRET, 0, "kafka.eu-west-1.", "kafka.eu-west-2."},
	{OAUTH_SECRET, 0, "%2Feu-west-1", "%2Feu-west-2"},
	{OAUTH_SECRET, 0, "X-Amz-Expires=900", "X-Amz-Expires=901"},
	{OAUTH_SECRET, 0, "=host", "=hose"},
	{OAUTH_SECRET, 0, "User-Agent", "X-Amz-Date"},
	{OAUTH_SECRET, 0, "%2F", "%2G"},
	{OAUTH_SECRET, 0, "%2F", "%00"},
	{OAUTH_SECRET, 0, "AKID", "AKIE"},
};

START_TEST(refuses_tokens_of_msk)
{
	KL_TEXT_AUTO token = {0};
	KL_TEXT_AUTO url = {0};
	make_msk(&token, msk_wrong[_i].secret, "", msk_wrong[_i].ago);
	ck_assert(kl_oauth_get_base64url(token.p, token.len, &url));
	if (msk_wrong[_i].find != NULL) {
		char *at = strstr(url.p, msk_wrong[_i].find);
		ck_assert_ptr_nonnull(at);
		memcpy(at, msk_wrong[_i].put, strlen(msk_wrong[_i].put));
	}
	kl_text_clear(&token);
	kl_oauth_put_base64url(&token, url.p, url.len);
	show_msk(token.p);
	ck_assert_int_eq(bed.state, KLAMM_SASL_SEND);
	ck_assert_str_eq(bed.said, "{\"status\":\"invalid_token\"}");
	ck_assert_str_eq(oauth_bed_identified(), "");
}
END_TEST

/* --- keys --- */

/* RFC 7515, appendices A.2 and A.3. */
static const struct {
	const char *jwk, *jwt;
} rfc[] = {
	{"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_w"
	 "WJcyQoTbji9k0l8W26mPddxHmfHQp"
	 "-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRP"
	 "EwOWvG6b32690r2jZ47soMZo9wGzj"
	 "b_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBE"
	 "Ma2R2CapHg665xsmtdVMTBQY4uDZl"
	 "xvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGN"
	 "j8q2ethFkMLs91kzk2PAcDTW9gb54"
	 "h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
	 "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTk"
	 "zODAsDQogImh0dHA6Ly9leGFtcGxl"
	 "LmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzE"
	 "Rat0XF9g2VtQgr9PJbu3XOiZj5RZm"
	 "h7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjb"
	 "KBYNX4BAynRFdiuB--f_nZLgrnbyT"
	 "yWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcO"
	 "Ln6_dO--xi12jzDwusC-eOkHWEsqt"
	 "FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
	 "Vt5AXLIhWkWywlVmtVrBp0igcN_Io"
	 "ypGlUPQGe77Rw"},
	{"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9"
	 "tLe1gHMzV76e8Tus9uPHvRVEU\","
	 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	 "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTk"
	 "zODAsDQogImh0dHA6Ly9leGFtcGxl"
	 "LmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F"
	 "4GawxaepmXFCgfTjDxw5djxLa8ISl"
	 "SApmWQxfKTUJqPP3-Kg6NU1Q"},
};

static int verify(const char *set, const char *text, struct klamm_error *err)
{
	static const struct oauth_conf conf = {.jwks_url = "file:/nowhere"};
	static const int32_t never;
	const struct klamm_call call = {.size = sizeof(call), .cancelled = &never};
	struct oauth_keys *keys;
	OAUTH_JWT_AUTO jwt = {0};
	ck_assert_int_eq(kl_oauth_keys_new(bed.api, &conf, &keys, err), 0);
	kl_oauth_keys_parse(keys, set, strlen(set));
	ck_assert_ptr_null(kl_oauth_jwt_read(text, strlen(text), &jwt));
	int rc = kl_oauth_keys_verify(keys, &call, &jwt, err);
	kl_oauth_keys_free(keys);
	return rc;
}

START_TEST(checks_the_signatures_of_the_rfc)
{
	char set[2000];
	struct klamm_error err = {0};
	snprintf(set, sizeof(set), "{\"keys\":[%s]}", rfc[_i].jwk);
	int rc = verify(set, rfc[_i].jwt, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	snprintf(set, sizeof(set), "{\"keys\":[%s]}", rfc[!_i].jwk);
	ck_assert_int_eq(verify(set, rfc[_i].jwt, &err), KLAMM_ERR_AUTHENTICATION);
}
END_TEST

/* None of these is a key that may count, and none does harm. */
static const char *const wrong_keys[] = {
	"",
	"{}",
	"[]",
	"{\"keys\":{}}",
	"{\"keys\":[1,null,[],\"x\",{}]}",
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", /* too small */
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}]}",
	"{\"keys\":[{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}]}",
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
	/* not a point of the curve */
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-255\",\"x\":\"AA\",\"y\":\"AA\"}]}",
	/* for encryption */
	"{\"keys\":[{\"kty\":\"EC\",\"use\":\"enc\",\"crv\":\"P-256\","
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
};

START_TEST(wrong_keys_verify_nothing)
{
	struct klamm_error err;
	ck_assert_int_eq(verify(wrong_keys[_i], rfc[1].jwt, &err),
			 KLAMM_ERR_AUTHENTICATION);
	ck_assert_int_eq(verify(wrong_keys[_i], rfc[0].jwt, &err),
			 KLAMM_ERR_AUTHENTICATION);
}
END_TEST

/* A file that changes, and goes. */
START_TEST(keys_of_a_file_are_read_again)
{
	open_server(strict);
	char *claims = claims_of("{" GOOD "," TIMES "}");
	char *ec = oauth_sign("ES256", NULL, claims),
	     *rsa = oauth_sign("RS256", NULL, claims);
	ck_assert_int_eq(show(ec), 0);
	ck_assert_int_eq(show(rsa), 1);
	FILE *f = fopen(jwks_path, "w");
	fprintf(f, "{\"keys\":[%s]}", oauth_key_jwk("RS256"));
	fclose(f);
	ck_assert_int_eq(show(rsa), 0);
	ck_assert_int_eq(show(ec), 1);
	remove(jwks_path);
	ck_assert_int_eq(show(rsa), 0);
	free(claims);
	free(ec);
	free(rsa);
}
END_TEST

START_TEST(opt_sasl_oauthbearer_allow_unverified)
{
	char one[3000], two[5000], server[100];
	snprintf(one, sizeof(one), "{\"keys\":[%s]}", oauth_key_jwk("ES256"));
	/* The RSA key comes later, under an id of its own. */
	char *other = strdup(oauth_key_jwk("RS256"));
	strstr(other, "\"k1\"")[2] = '2';
	snprintf(two, sizeof(two), "{\"keys\":[%s,%s]}", oauth_key_jwk("ES256"), other);
	const struct web_act acts[] = {{.status = "503 No", .body = "x"},
				       {.status = "200 OK", .body = one},
				       {.status = "200 OK", .body = two}};
	web = web_new(acts, 3, NULL);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d/jwks", web_port(web));
	const struct setting settings[] = {
		{"sasl.oauthbearer.jwks.endpoint.url", server},
		{"sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "0"},
		{"sasl.oauthbearer.allow.unverified.audience", "true"},
		{"sasl.oauthbearer.allow.unverified.issuer", "true"},
		{NULL}};
	open_server(settings);
	char *claims = claims_of("{" GOOD "," TIMES "}");
	char *ec = oauth_sign("ES256", NULL, claims);
	char *rsa = oauth_sign("RS256", "{\"alg\":\"RS256\",\"kid\":\"k2\"}", claims);
	char *unknown =
		oauth_sign("RS256", "{\"alg\":\"RS256\",\"kid\":\"k3\"}", claims);
	ck_assert_int_eq(show(ec), 1); /* the keys' server is ill */
	ck_assert_int_eq(show(ec), 0);
	ck_assert_int_eq(show(ec), 0);
	ck_assert_int_eq(web_count(web), 2);
	ck_assert_int_eq(show(rsa), 0); /* an id that nobody knew */
	ck_assert_int_eq(web_count(web), 3);
	for (int i = 0; i < 3; i++) /* and one that nobody ever knows */
		ck_assert_int_eq(show(unknown), 1);
	ck_assert_int_eq(web_count(web), 4);
	free(claims);
	free(ec);
	free(rsa);
	free(unknown);
	free(other);
}
END_TEST

START_TEST(opt_sasl_oauthbearer_clock_skew_seconds)
{
	struct setting settings[5];
	memcpy(settings, strict, sizeof(strict));
	settings[3] = (struct setting){"sasl.oauthbearer.clock.skew.seconds", "5"};
	settings[4] = (struct setting){NULL};
	open_server(settings);
	char *claims = claims_of("{" GOOD ",\"iat\":$-100,\"exp\":$-20}");
	char *token = oauth_sign("ES256", NULL, claims);
	ck_assert_int_eq(show(token), 1); /* which 30 seconds would let pass */
	free(token);
	free(claims);
}
END_TEST

/* How often a set is asked for in three logins, when its server is well or ill. */
static int fetches(const struct web_act *act, const char *refresh, const char *retry,
		   const char *retry_max, const char *token)
{
	char server[100];
	web = web_new(act, 1, NULL);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d/", web_port(web));
	const struct setting settings[] = {
		{"sasl.oauthbearer.jwks.endpoint.url", server},
		{"sasl.oauthbearer.jwks.endpoint.refresh.ms", refresh},
		{"sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", retry},
		{"sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", retry_max},
		{NULL}};
	open_server(settings);
	for (int i = 0; i < 3; i++)
		show(token);
	kl_plugin_close(&bed.instance);
	bed.is_open = false;
	int count = web_count(web);
	web_free(web);
	web = NULL;
	return count;
}

START_TEST(opt_sasl_oauthbearer_jwks_endpoint)
{
	const struct web_act well = {.status = "200 OK", .body = jwks},
			     ill = {.status = "500 No", .body = "x"};
	char *claims = claims_of("{" TIMES "}");
	char *token = oauth_sign("ES256", "{\"alg\":\"ES256\"}", claims);
	ck_assert_int_eq(fetches(&well, "3600000", "0", "0", token), 1);
	ck_assert_int_eq(fetches(&well, "0", "0", "0", token), 3);
	ck_assert_int_eq(fetches(&ill, "3600000", "60000", "60000", token), 1);
	ck_assert_int_eq(fetches(&ill, "3600000", "0", "60000", token), 3);
	ck_assert_int_eq(fetches(&ill, "3600000", "1", "0", token), 3);
	free(token);
	free(claims);
}
END_TEST

UNIT_SUITE(oauth_server)
{
	Suite *s = suite_create("oauth_server");
	unit_add_fixture(s, takes_tokens_of_msk, up_msk, down);
	unit_add_case(s, "refuses_tokens_of_msk", refuses_tokens_of_msk, up_msk, down,
		      (int)kl_countof(msk_wrong));
	unit_add_case(s, "reads_messages_as_kafka_does", reads_messages_as_kafka_does,
		      up_unsecured, down, (int)kl_countof(messages));
	unit_add_case(s, "opt_sasl_oauthbearer_expected", opt_sasl_oauthbearer_expected,
		      up, down, (int)kl_countof(signed_tokens));
	unit_add_fixture(s, a_changed_token_is_refused, up, down);
	unit_add_case(s, "odd_tokens_are_refused", odd_tokens_are_refused, up_unsecured,
		      down, (int)kl_countof(odd_tokens));
	unit_add_fixture(s, deep_json_is_refused, up_unsecured, down);
	unit_add_fixture(s, a_signed_token_is_not_taken_unread, up_unsecured, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_claim_names, up, down);
	unit_add_fixture(s, only_one_byte_may_follow_a_refusal, up_unsecured, down);
	unit_add_fixture(s, a_server_needs_somebody_to_believe, up, down);
	unit_add_case(s, "checks_the_signatures_of_the_rfc",
		      checks_the_signatures_of_the_rfc, up_unsecured, down, 2);
	unit_add_case(s, "wrong_keys_verify_nothing", wrong_keys_verify_nothing,
		      up_unsecured, down, (int)kl_countof(wrong_keys));
	unit_add_fixture(s, keys_of_a_file_are_read_again, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_allow_unverified, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_clock_skew_seconds, up, down);
	unit_add_fixture(s, opt_sasl_oauthbearer_jwks_endpoint, up, down);
	return s;
}
