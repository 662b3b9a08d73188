/* SPDX-License-Identifier: BSD-2-Clause */
/* Assertions (RFC 7523): a JWT of our own, signed with a private key, that stands for a
 * client's password. Claims are laid over each other as Kafka does it: the configured
 * ones, then the template's, then those of the moment. */
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "plugins/sasl_oauthbearer/jwt.h"
#include "plugins/sasl_oauthbearer/oauth.h"

#define KEY_FILE   "sasl.oauthbearer.assertion.private.key.file"
#define KEY_PEM    "sasl.oauthbearer.assertion.private.key.pem"
#define PASSPHRASE "sasl.oauthbearer.assertion.private.key.passphrase"
/* r and s of a signature with P-256. */
#define HALF 32

static int out_of_memory(struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory for an assertion");
}

/* --- the key --- */

static EVP_PKEY *parse_key(const struct kl_text *pem, char *passphrase)
{
	char none[] = ""; /* without one OpenSSL would ask at the terminal */
	BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->len);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(
					      bio, NULL, NULL,
					      passphrase != NULL ? passphrase : none)
				    : NULL;
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

static int take_pem(const struct oauth *o, struct kl_text *pem, const char **from_out,
		    struct klamm_error *err)
{
	char *text;
	*from_out = o->conf->key_file;
	if (oauth_is_set(o->conf->key_file))
		return kl_oauth_read_file(o->conf->key_file, pem, err);
	*from_out = KEY_PEM;
	int rc = o->host->secret_read(o->host, KEY_PEM, &text, err);
	if (rc != 0)
		return rc;
	kl_text_add(pem, text);
	o->host->secret_wipe(o->host, text);
	return pem->failed ? out_of_memory(err) : 0;
}

static int load_key(const struct oauth *o, EVP_PKEY **key_out, struct klamm_error *err)
{
	KL_TEXT_AUTO pem = {0};
	const char *from;
	char *passphrase;
	*key_out = NULL;
	int rc = take_pem(o, &pem, &from, err);
	if (rc == 0)
		rc = kl_oauth_secret(o->host, PASSPHRASE, &passphrase, err);
	if (rc != 0)
		return rc;
	bool has_passphrase = passphrase != NULL;
	*key_out = parse_key(&pem, passphrase);
	o->host->secret_wipe(o->host, passphrase);
	if (*key_out == NULL)
		return klamm_fail(
			err, KLAMM_ERR_CONFIG, "%.200s: no private key in PEM%s", from,
			has_passphrase ? " that " PASSPHRASE " opens"
				       : "; if it is encrypted set " PASSPHRASE);
	bool is_ec = o->conf->algorithm == OAUTH_ES256;
	bool fits = is_ec ? EVP_PKEY_is_a(*key_out, "EC") &&
				    EVP_PKEY_get_bits(*key_out) == 256
			  : EVP_PKEY_is_a(*key_out, "RSA") != 0;
	if (fits)
		return 0;
	EVP_PKEY_free(*key_out);
	*key_out = NULL;
	return klamm_fail(err, KLAMM_ERR_CONFIG, "%.200s: %s needs %s", from,
			  is_ec ? "ES256" : "RS256",
			  is_ec ? "a key on the curve P-256" : "an RSA key");
}

/* --- what it says --- */

static int add(struct json_object *to, const char *name, struct json_object *value)
{
	if (value != NULL && json_object_object_add(to, name, value) == 0)
		return 0;
	json_object_put(value);
	return KLAMM_ERR_NO_MEMORY;
}

static int add_text(struct json_object *to, const char *name, const char *text)
{
	return oauth_is_set(text) ? add(to, name, json_object_new_string(text)) : 0;
}

static int lay_over(struct json_object *to, struct json_object *from, const char *part)
{
	struct json_object *members;
	int rc = 0;
	if (!json_object_object_get_ex(from, part, &members))
		return 0;
	if (!json_object_is_type(members, json_type_object))
		return KLAMM_ERR_CONFIG;
	json_object_object_foreach(members, name, value) if (rc == 0) rc =
		add(to, name, json_object_get(value));
	return rc;
}

static int add_template(const struct oauth *o, struct json_object *header,
			struct json_object *claims, struct klamm_error *err)
{
	KL_TEXT_AUTO text = {0};
	const char *path = o->conf->template_file;
	if (!oauth_is_set(path))
		return 0;
	int rc = kl_oauth_read_file(path, &text, err);
	if (rc != 0)
		return rc;
	struct json_object *template = kl_oauth_json_read(kl_text_get(&text), text.len);
	rc = template != NULL ? lay_over(header, template, "header") : KLAMM_ERR_CONFIG;
	if (rc == 0)
		rc = lay_over(claims, template, "payload");
	json_object_put(template);
	if (rc == KLAMM_ERR_CONFIG)
		klamm_fail(
			err, rc,
			"%.200s: must be a JSON object with the objects \"header\" and "
			"\"payload\"",
			path);
	return rc;
}

/* A random UUID. */
static void make_jti(const struct oauth *o, char to[37])
{
	uint8_t b[16];
	o->host->random(o->host, b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	char *p = to;
	for (int i = 0; i < 16; i++)
		p += sprintf(p,
			     i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			     b[i]);
}

static int add_moment(const struct oauth *o, struct json_object *claims)
{
	int64_t now = o->host->wall_ms(o->host) / 1000;
	char jti[37];
	int rc = add(claims, "iat", json_object_new_int64(now));
	if (rc == 0)
		rc = add(claims, "exp",
			 json_object_new_int64(now + o->conf->claim_exp));
	if (rc == 0)
		rc = add(claims, "nbf",
			 json_object_new_int64(now - o->conf->claim_nbf));
	make_jti(o, jti);
	return rc == 0 && o->conf->claim_jti ? add_text(claims, "jti", jti) : rc;
}

static int fill(const struct oauth *o, struct json_object *header,
		struct json_object *claims, struct klamm_error *err)
{
	if (header == NULL || claims == NULL)
		return out_of_memory(err);
	int rc = add_text(claims, "aud", o->conf->claim_aud);
	if (rc == 0)
		rc = add_text(claims, "iss", o->conf->claim_iss);
	if (rc == 0)
		rc = add_text(claims, "sub", o->conf->claim_sub);
	if (rc != 0)
		return out_of_memory(err);
	rc = add_template(o, header, claims, err);
	if (rc != 0 && rc != KLAMM_ERR_NO_MEMORY)
		return rc;
	if (rc == 0)
		rc = add_moment(o, claims);
	if (rc == 0)
		rc = add_text(header, "alg",
			      o->conf->algorithm == OAUTH_ES256 ? "ES256" : "RS256");
	if (rc == 0)
		rc = add_text(header, "typ", "JWT");
	return rc == 0 ? 0 : out_of_memory(err);
}

/* --- the signature --- */

/* JWS has the two numbers side by side where OpenSSL has DER (RFC 7518 3.4). */
static bool put_ecdsa(struct kl_text *to, const uint8_t *der, size_t len)
{
	uint8_t halves[2 * HALF];
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool good = sig != NULL &&
		    BN_bn2binpad(ECDSA_SIG_get0_r(sig), halves, HALF) == HALF &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), halves + HALF, HALF) == HALF;
	ECDSA_SIG_free(sig);
	if (good)
		kl_oauth_put_base64url(to, halves, sizeof(halves));
	return good;
}

static bool sign(const struct oauth *o, EVP_PKEY *key, struct kl_text *to)
{
	uint8_t signature[1024]; /* an RSA key of 8192 bits */
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && (size_t)EVP_PKEY_get_size(key) <= len &&
		    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestSign(ctx, signature, &len, (const uint8_t *)to->p,
				   to->len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!good)
		return false;
	kl_text_char(to, '.');
	if (o->conf->algorithm == OAUTH_ES256)
		return put_ecdsa(to, signature, len);
	kl_oauth_put_base64url(to, signature, len);
	return true;
}

static void put_part(struct kl_text *to, struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text != NULL)
		kl_oauth_put_base64url(to, text, strlen(text));
	else
		to->failed = true;
}

int kl_oauth_make_assertion(const struct oauth *o, struct kl_text *to,
			    struct klamm_error *err)
{
	if (oauth_is_set(o->conf->assertion_file))
		return kl_oauth_read_file(o->conf->assertion_file, to, err);
	EVP_PKEY *key;
	int rc = load_key(o, &key, err);
	if (rc != 0)
		return rc;
	struct json_object *header = json_object_new_object(),
			   *claims = json_object_new_object();
	rc = fill(o, header, claims, err);
	if (rc == 0) {
		put_part(to, header);
		kl_text_char(to, '.');
		put_part(to, claims);
	}
	if (rc == 0 && !to->failed && !sign(o, key, to))
		rc = klamm_fail(err, KLAMM_ERR_CONFIG,
				"the assertion cannot be signed with the "
				"key of " KEY_FILE);
	ERR_clear_error();
	json_object_put(header);
	json_object_put(claims);
	EVP_PKEY_free(key);
	return rc == 0 && to->failed ? out_of_memory(err) : rc;
}
