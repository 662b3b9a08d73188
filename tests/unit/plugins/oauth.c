/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/plugins/oauth.h"

#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const int32_t never;
static const struct klamm_call call = {
	.size = sizeof(call), .wait_ms = 10000, .cancelled = &never};
static const struct klamm_sasl_peer peer = {
	.size = sizeof(peer), .host = "h", .port = 9092};

void oauth_bed_init(struct oauth_bed *bed, struct klamm_loop *loop)
{
	*bed = (struct oauth_bed){0};
	ck_assert_int_eq(
		kl_host_init(&bed->host, kl_os_real(), NULL, loop, "me", &bed->err), 0);
	ck_assert_int_eq(kl_plugin_check(KLAMM_KIND_SASL, "oauthbearer",
					 &klamm_sasl_oauthbearer.head, "here",
					 &bed->plugin, &bed->err),
			 0);
	kl_sink_init(&bed->out, 0, NULL);
}

int oauth_bed_open(struct oauth_bed *bed, const char *role,
		   const struct setting *settings)
{
	int rc = kl_plugin_open(bed->plugin, &bed->host, role, lookup_setting,
				(void *)settings, &bed->instance, &bed->err);
	bed->is_open = rc == 0;
	bed->api = &bed->instance.api;
	return rc;
}

static void end_session(struct oauth_bed *bed)
{
	if (bed->session != NULL)
		klamm_sasl_oauthbearer.session_free(bed->session);
	bed->session = NULL;
}

void oauth_bed_free(struct oauth_bed *bed)
{
	end_session(bed);
	kl_host_closing(&bed->host);
	if (bed->is_open)
		kl_plugin_close(&bed->instance);
	kl_plugin_free(bed->plugin);
	ck_assert_uint_eq(atomic_load(&bed->host.quota.used), 0);
	kl_host_free(&bed->host);
	kl_sink_free(&bed->out);
}

static void keep_answer(struct oauth_bed *bed)
{
	ck_assert_uint_lt(bed->out.out.len, sizeof(bed->said));
	if (bed->out.out.len > 0)
		memcpy(bed->said, bed->out.out.data, bed->out.out.len);
	bed->said[bed->out.out.len] = '\0';
}

int oauth_bed_step(struct oauth_bed *bed, const char *in, size_t len)
{
	kl_sink_clear(&bed->out);
	bed->state = -1;
	memset(&bed->err, 0, sizeof(bed->err));
	int rc = klamm_sasl_oauthbearer.step(bed->session, &call,
					     &(struct klamm_span){in, len},
					     &bed->out.out, &bed->state, &bed->err);
	keep_answer(bed);
	return rc;
}

int oauth_bed_begin(struct oauth_bed *bed)
{
	end_session(bed);
	ck_assert_int_eq(klamm_sasl_oauthbearer.session_new(bed->instance.self, &peer,
							    &bed->session, &bed->err),
			 0);
	return oauth_bed_step(bed, NULL, 0);
}

/* --- a server --- */

static char identified[300];
static int64_t lifetime;

const char *oauth_bed_identified(void)
{
	return identified;
}

int64_t oauth_bed_lifetime(void)
{
	return lifetime;
}

static int identify(const struct klamm_sasl_server *server, const char *user,
		    int64_t lifetime_ms)
{
	snprintf(identified, sizeof(identified), "%s", user);
	lifetime = lifetime_ms;
	return 0;
}

/* Of an access key. */
static int tell(const struct klamm_sasl_server *server, const char *user, const char *what,
		struct klamm_out *out)
{
	if (strcmp(user, OAUTH_KEY_ID) != 0 || strcmp(what, "password") != 0)
		return KLAMM_ERR_AUTHENTICATION;
	return klamm_out_append(out, OAUTH_SECRET, strlen(OAUTH_SECRET));
}

static const struct klamm_sasl_server server = {
	.size = sizeof(server), .credential = tell, .identify = identify};

/* The message in memory of its length: what is read behind it is seen by the
 * sanitizers. */
int oauth_bed_accept(struct oauth_bed *bed, const char *in, size_t len)
{
	if (bed->session == NULL)
		ck_assert_int_eq(klamm_sasl_oauthbearer.accept_new(
					 bed->instance.self, &peer, &server,
					 &bed->session, &bed->err),
				 0);
	char *copy = malloc(len > 0 ? len : 1);
	if (len > 0)
		memcpy(copy, in, len);
	kl_sink_clear(&bed->out);
	bed->state = -1;
	identified[0] = '\0';
	memset(&bed->err, 0, sizeof(bed->err));
	int rc = klamm_sasl_oauthbearer.accept_step(
		bed->session, &call, &(struct klamm_span){copy, len}, &bed->out.out,
		&bed->state, &bed->err);
	free(copy);
	keep_answer(bed);
	if (rc != 0 || bed->state == KLAMM_SASL_DONE)
		end_session(bed);
	return rc;
}

/* --- keys and tokens --- */

static struct pair {
	const char *alg;
	EVP_PKEY *key;
	char pem[4096], jwk[2048];
} pairs[] = {{.alg = "RS256"}, {.alg = "ES256"}};

static void put_number(struct kl_text *to, const char *name, const char *param,
		       EVP_PKEY *key, int len)
{
	BIGNUM *n = NULL;
	uint8_t bytes[512];
	ck_assert_int_eq(EVP_PKEY_get_bn_param(key, param, &n), 1);
	len = len > 0 ? len : BN_num_bytes(n);
	ck_assert_int_eq(BN_bn2binpad(n, bytes, len), len);
	BN_free(n);
	kl_text_printf(to, ",\"%s\":\"", name);
	kl_oauth_put_base64url(to, bytes, (size_t)len);
	kl_text_add(to, "\"");
}

static struct pair *pair_of(const char *alg)
{
	struct pair *pair = strcmp(alg, "ES256") == 0 ? &pairs[1] : &pairs[0];
	if (pair->key != NULL)
		return pair;
	bool ec = pair == &pairs[1];
	pair->key = ec ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, pair->key, NULL, NULL, 0, NULL, NULL);
	int n = BIO_read(bio, pair->pem, sizeof(pair->pem) - 1);
	ck_assert_int_gt(n, 0);
	BIO_free(bio);
	KL_TEXT_AUTO jwk = {0};
	kl_text_printf(&jwk, "{\"kid\":\"k1\",\"kty\":\"%s\"", ec ? "EC" : "RSA");
	if (ec) {
		kl_text_add(&jwk, ",\"crv\":\"P-256\"");
		put_number(&jwk, "x", "qx", pair->key, 32);
		put_number(&jwk, "y", "qy", pair->key, 32);
	} else {
		put_number(&jwk, "n", "n", pair->key, 0);
		put_number(&jwk, "e", "e", pair->key, 0);
	}
	snprintf(pair->jwk, sizeof(pair->jwk), "%s}", kl_text_get(&jwk));
	return pair;
}

const char *oauth_key_pem(const char *alg)
{
	return pair_of(alg)->pem;
}

const char *oauth_key_jwk(const char *alg)
{
	return pair_of(alg)->jwk;
}

char *oauth_locked_pem(const char *alg, const char *passphrase)
{
	char pem[4096];
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, pair_of(alg)->key, EVP_aes_256_cbc(),
				 (const uint8_t *)passphrase, (int)strlen(passphrase),
				 NULL, NULL);
	int n = BIO_read(bio, pem, sizeof(pem) - 1);
	ck_assert_int_gt(n, 0);
	BIO_free(bio);
	return strndup(pem, (size_t)n);
}

static void put_signature(struct kl_text *to, const char *alg)
{
	struct pair *pair = pair_of(alg);
	uint8_t sig[512], raw[64];
	size_t len = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ck_assert_int_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pair->key),
			 1);
	ck_assert_int_eq(EVP_DigestSign(ctx, sig, &len, (uint8_t *)to->p, to->len), 1);
	EVP_MD_CTX_free(ctx);
	kl_text_add(to, ".");
	if (pair == &pairs[0]) {
		kl_oauth_put_base64url(to, sig, len);
		return;
	}
	const uint8_t *p = sig;
	ECDSA_SIG *both = d2i_ECDSA_SIG(NULL, &p, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(both), raw, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(both), raw + 32, 32);
	ECDSA_SIG_free(both);
	kl_oauth_put_base64url(to, raw, sizeof(raw));
}

char *oauth_sign(const char *alg, const char *header, const char *claims)
{
	KL_TEXT_AUTO text = {0};
	char usual[100];
	snprintf(usual, sizeof(usual), "{\"alg\":\"%s\",\"kid\":\"k1\"}", alg);
	header = header != NULL ? header : usual;
	kl_oauth_put_base64url(&text, header, strlen(header));
	kl_text_add(&text, ".");
	kl_oauth_put_base64url(&text, claims, strlen(claims));
	if (strcmp(alg, "none") == 0)
		kl_text_add(&text, ".");
	else
		put_signature(&text, alg);
	return strdup(kl_text_get(&text));
}

long long oauth_now(void)
{
	return (long long)time(NULL);
}

char *oauth_file(const char *text)
{
	char *folder = unit_tmp(), *path = NULL;
	ck_assert_int_gt(asprintf(&path, "%s/file", folder), 0);
	free(folder);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	return path;
}
