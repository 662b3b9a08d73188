/* SPDX-License-Identifier: BSD-2-Clause */
/* What OAUTHBEARER reads of others. Input: a byte that says which part, then
 *	0 a client's first message
 *	1 a token's header, a line, and its claims: to a server that takes unsecured tokens
 *	2 a set of keys, with which two known tokens are checked
 *	3 a token as it stands, to a server that knows keys
 *	4 sasl.oauthbearer.extensions, a line, and sasl.oauthbearer.config of a client, which
 *	  makes a token of it
 *	5 a token server's JSON
 *	6 claims that are signed as they must be, for a server that wants them to be of an
 *	  issuer and for an audience
 *	7 the URL that a token of Amazon MSK is */
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "plugins/sasl_oauthbearer/accept.h"
#include "plugins/sasl_oauthbearer/check.h"
#include "plugins/sasl_oauthbearer/keys.h"
#include "tests/fuzz/fuzz.h"

extern const struct klamm_sasl_plugin klamm_sasl_oauthbearer;

static const int32_t never;
static const struct klamm_call call = {.size = sizeof(call), .cancelled = &never};
static const struct klamm_sasl_peer peer = {
	.size = sizeof(peer), .host = "h", .port = 9092};

#define KEYS                                                                           \
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","                                \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                       \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"
/* RFC 7515 A.3, and the same with RS256 in its header. */
#define CLAIMS                                                                             \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y" \
	"b290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"  \
	"pmWQxfKTUJqPP3-Kg6NU1Q"
static const char *const tokens[] = {"eyJhbGciOiJFUzI1NiJ9." CLAIMS,
				     "eyJhbGciOiJSUzI1NiJ9." CLAIMS};

static char first[4096], second[8192]; /* options of the client */

static const char *option(void *arg, const char *key)
{
	if (strcmp(key, "enable.sasl.oauthbearer.unsecure.jwt") == 0)
		return "true";
	if (strcmp(key, "sasl.oauthbearer.scope") == 0)
		return "a";
	if (strcmp(key, "sasl.oauthbearer.extensions") == 0)
		return first[0] != '\0' ? first : NULL;
	if (strcmp(key, "sasl.oauthbearer.config") == 0)
		return second[0] != '\0' ? second : NULL;
	return NULL;
}

static const char *strict_option(void *arg, const char *key)
{
	if (strcmp(key, "sasl.oauthbearer.jwks.endpoint.url") == 0)
		return "file:/nowhere";
	if (strcmp(key, "sasl.oauthbearer.expected.audience") == 0)
		return "k, kafka";
	return strcmp(key, "sasl.oauthbearer.expected.issuer") == 0 ? "i" : NULL;
}

struct instance {
	struct kl_host host;
	struct kl_plugin *plugin;
	struct kl_instance instance;
};

static int open_with(struct instance *i, const char *role, kl_lookup_fn lookup)
{
	struct klamm_error err = {0};
	fuzz_must(kl_host_init(&i->host, kl_os_real(), NULL, NULL, NULL, &err) == 0);
	fuzz_must(kl_plugin_check(KLAMM_KIND_SASL, "oauthbearer",
				  &klamm_sasl_oauthbearer.head, "here", &i->plugin,
				  &err) == 0);
	return kl_plugin_open(i->plugin, &i->host, role, lookup, NULL, &i->instance,
			      &err);
}

static int open_instance(struct instance *i, const char *role)
{
	return open_with(i, role, option);
}

static struct oauth *server(void)
{
	static struct instance *i;
	if (i == NULL) {
		i = calloc(1, sizeof(*i));
		fuzz_must(i != NULL &&
			  open_instance(i, "sasl.enabled.mechanisms") == 0);
	}
	return i->instance.self;
}

/* --- a server --- */

static bool identified;

static int identify(const struct klamm_sasl_server *api, const char *user,
		    int64_t lifetime_ms)
{
	fuzz_must(user[0] != '\0' && lifetime_ms > 0);
	identified = true;
	return 0;
}

static void show(struct oauth *o, const void *p, size_t n)
{
	static const struct klamm_sasl_server api = {.size = sizeof(api),
						     .identify = identify};
	struct oauth_accept a = {.o = o, .server = &api};
	struct klamm_error err = {0};
	struct kl_sink out;
	int32_t state = -1;
	identified = false;
	kl_sink_init(&out, 1000, NULL);
	int rc = kl_oauth_accept_step(&a, &call, &(struct klamm_span){p, n}, &out.out,
				      &state, &err);
	fuzz_must(rc == 0 || err.text[0] != '\0');
	fuzz_must((rc == 0 && state == KLAMM_SASL_DONE) == identified);
	fuzz_must((rc == 0 && state == KLAMM_SASL_SEND) == (out.out.len > 0));
	if (rc == 0 && state == KLAMM_SASL_SEND)
		fuzz_must(kl_oauth_accept_step(
				  &a, &call, &(struct klamm_span){"\x01", 1}, &out.out,
				  &state, &err) == KLAMM_ERR_AUTHENTICATION);
	kl_sink_free(&out);
}

static void show_token(struct oauth *o, const char *token, size_t n)
{
	KL_TEXT_AUTO message = {0};
	kl_text_add(&message, "n,,\x01"
			      "auth=Bearer ");
	kl_text_put(&message, token, n);
	kl_text_add(&message, "\x01\x01");
	show(o, message.p, message.len);
}

static void accept_message(const void *p, size_t n)
{
	show(server(), p, n);
}

static struct oauth *strict_server(void)
{
	static struct instance *i;
	if (i == NULL) {
		i = calloc(1, sizeof(*i));
		fuzz_must(i != NULL &&
			  open_with(i, "sasl.enabled.mechanisms", strict_option) == 0);
		struct oauth *o = i->instance.self;
		fuzz_must(kl_oauth_keys_parse(o->keys, KEYS, strlen(KEYS)) == 1);
	}
	return i->instance.self;
}

static void accept_token(const char *token, size_t n)
{
	show_token(server(), token, n);
	show_token(strict_server(), token, n);
	fuzz_must(!identified); /* RFC 7515's expired in 2011 */
}

static size_t line_of(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	return end != NULL ? (size_t)(end - data) : size;
}

static void accept_claims(const uint8_t *data, size_t size)
{
	KL_TEXT_AUTO token = {0};
	size_t n = line_of(data, size), rest = n < size ? n + 1 : size;
	kl_oauth_put_base64url(&token, data, n);
	kl_text_char(&token, '.');
	kl_oauth_put_base64url(&token, data + rest, size - rest);
	kl_text_char(&token, '.');
	accept_token(token.p, token.len);
}

/* --- keys --- */

static struct oauth_keys *new_keys(void)
{
	static const struct oauth_conf conf = {.jwks_url = "file:/nowhere"};
	struct oauth_keys *keys;
	fuzz_must(kl_oauth_keys_new(server()->host, &conf, &keys, NULL) == 0);
	return keys;
}

static int verify(struct oauth_keys *keys, const char *text, size_t n)
{
	OAUTH_JWT_AUTO jwt = {0};
	struct klamm_error err;
	if (kl_oauth_jwt_read(text, n, &jwt) != NULL)
		return KLAMM_ERR_AUTHENTICATION;
	return kl_oauth_keys_verify(keys, &call, &jwt, &err);
}

static void read_keys(const char *p, size_t n)
{
	struct oauth_keys *keys = new_keys();
	kl_oauth_keys_parse(keys, p, n);
	verify(keys, tokens[0], strlen(tokens[0]));
	fuzz_must(verify(keys, tokens[1], strlen(tokens[1])) != 0);
	kl_oauth_keys_free(keys);
}

/* Nobody but the key's owner can make a token; the RFC's own is one. */
static void read_signed(const char *p, size_t n)
{
	static struct oauth_keys *keys;
	if (keys == NULL) {
		keys = new_keys();
		fuzz_must(kl_oauth_keys_parse(keys, KEYS, strlen(KEYS)) == 1);
	}
	if (verify(keys, p, n) == 0)
		fuzz_must(n == strlen(tokens[0]) && memcmp(p, tokens[0], n) == 0);
	accept_token(p, n);
}

/* --- what the owner of a key signs --- */

/* The private part of the key above, which the RFC tells, too. */
static EVP_PKEY *owners_key(void)
{
	static EVP_PKEY *key;
	static const uint8_t d[] = {
		0x8e, 0x9b, 0x10, 0x9e, 0x71, 0x90, 0x98, 0xbf, 0x98, 0x04, 0x87,
		0xdf, 0x1f, 0x5d, 0x77, 0xe9, 0xcb, 0x29, 0x60, 0x6e, 0xbe, 0xd2,
		0x26, 0x3b, 0x5f, 0x57, 0xc2, 0x13, 0xdf, 0x84, 0xf4, 0xb2};
	if (key != NULL)
		return key;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *number = BN_bin2bn(d, sizeof(d), NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	fuzz_must(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
						  "P-256", 0) == 1 &&
		  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	fuzz_must(EVP_PKEY_fromdata_init(ctx) == 1 &&
		  EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(ctx);
	BN_free(number);
	return key;
}

static void sign(struct kl_text *token)
{
	uint8_t der[100], halves[64];
	const uint8_t *p = der;
	size_t len = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	fuzz_must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, owners_key()) == 1 &&
		  EVP_DigestSign(ctx, der, &len, (uint8_t *)token->p, token->len) == 1);
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	fuzz_must(BN_bn2binpad(ECDSA_SIG_get0_r(sig), halves, 32) == 32 &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), halves + 32, 32) == 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	kl_text_char(token, '.');
	kl_oauth_put_base64url(token, halves, sizeof(halves));
}

/* Who is let in has a token of that issuer's. */
static void accept_signed(const char *p, size_t n)
{
	static const char head[] = "{\"alg\":\"ES256\"}";
	KL_TEXT_AUTO token = {0};
	kl_oauth_put_base64url(&token, head, sizeof(head) - 1);
	kl_text_char(&token, '.');
	kl_oauth_put_base64url(&token, p, n);
	sign(&token);
	show_token(strict_server(), token.p, token.len);
	if (!identified)
		return;
	struct json_object *claims = kl_oauth_json_read(p, n);
	const char *issuer = kl_oauth_json_text(claims, "iss");
	fuzz_must(issuer != NULL && strcmp(issuer, "i") == 0);
	fuzz_must(json_object_object_get_ex(claims, "aud", NULL));
	kl_oauth_json_free(claims);
}

/* --- a client --- */

static void take_text(const uint8_t *p, size_t n, char *to, size_t room)
{
	n = n < room - 1 ? n : room - 1;
	if (n > 0)
		memcpy(to, p, n);
	to[n] = '\0';
}

/* What it makes of its options can be read again. */
static void run_client(const uint8_t *data, size_t size)
{
	struct instance i = {0};
	struct kl_sink out;
	struct klamm_error err = {0};
	struct oauth_message message;
	void *session;
	int32_t state;
	size_t n = line_of(data, size), rest = n < size ? n + 1 : size;
	take_text(data, n, first, sizeof(first));
	take_text(data + rest, size - rest, second, sizeof(second));
	if (open_instance(&i, "sasl.mechanism") == 0) {
		kl_sink_init(&out, 0, NULL);
		fuzz_must(klamm_sasl_oauthbearer.session_new(i.instance.self, &peer,
							     &session, &err) == 0);
		int rc = klamm_sasl_oauthbearer.step(session, &call,
						     &(struct klamm_span){0}, &out.out,
						     &state, &err);
		fuzz_must(rc == 0 || err.text[0] != '\0');
		if (rc == 0)
			fuzz_must(kl_oauth_read_message((char *)out.out.data,
							out.out.len, &message) == NULL);
		klamm_sasl_oauthbearer.session_free(session);
		kl_sink_free(&out);
	}
	kl_plugin_close(&i.instance);
	kl_plugin_free(i.plugin);
	kl_host_free(&i.host);
	first[0] = second[0] = '\0';
}

static void read_json(const char *p, size_t n)
{
	double seconds;
	struct json_object *object = kl_oauth_json_read(p, n);
	if (object != NULL) {
		const char *token = kl_oauth_json_text(object, "access_token");
		fuzz_must(token == NULL || strlen(token) <= n);
		if (kl_oauth_json_time(object, "expires_in", &seconds))
			fuzz_must(seconds >= 0 && seconds <= 1e12);
	}
	kl_oauth_json_free(object);
}

/* --- a token of Amazon's --- */

static int no_secret(const struct klamm_sasl_server *api, const char *user, const char *what,
		     struct klamm_out *out)
{
	fuzz_must(user[0] != '\0' && strcmp(what, "password") == 0);
	return KLAMM_ERR_AUTHENTICATION;
}

/* Whose keys nobody has shows none that is good. */
static void read_msk(const uint8_t *p, size_t n)
{
	static const struct klamm_sasl_server api = {.size = sizeof(api),
						     .credential = no_secret};
	struct oauth_verdict verdict = {0};
	struct klamm_error err = {0};
	KL_TEXT_AUTO token = {0};
	kl_oauth_put_base64url(&token, p, n);
	int rc = kl_oauth_check_msk(server(), &api,
				    (struct klamm_span){kl_text_get(&token), token.len},
				    &verdict, &err);
	fuzz_must(rc == KLAMM_ERR_AUTHENTICATION && err.text[0] != '\0');
	fuzz_must(verdict.subject.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t part = fuzz_take(&data, &size);
	server();
	switch (part % 8) {
	case 0:
		accept_message(data, size);
		break;
	case 1:
		accept_claims(data, size);
		break;
	case 2:
		read_keys((const char *)data, size);
		break;
	case 3:
		read_signed((const char *)data, size);
		break;
	case 4:
		run_client(data, size);
		break;
	case 6:
		accept_signed((const char *)data, size);
		break;
	case 7:
		read_msk(data, size);
		break;
	default:
		read_json((const char *)data, size);
	}
	return 0;
}
