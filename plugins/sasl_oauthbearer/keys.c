/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_oauthbearer/keys.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "plugins/sasl_oauthbearer/reach.h"

/* Whoever rotates keys has two or three. */
#define KEYS_MAX 64
/* Ids that were not found are not asked for again so soon, and so many are remembered:
 * the figures of Kafka's RefreshingHttpsJwks. A longer id is nobody's. */
#define MISSING_MS   60000
#define MISSING_MAX  16
#define KEY_ID_MAX   ((size_t)1000)
#define RSA_MIN_BITS 2048
#define WAIT_MS      10000
/* The longest number: of an RSA key of 16384 bits. */
#define NUMBER_MAX ((size_t)2048)

struct key {
	char *id;    /* NULL: it has none */
	char alg[8]; /* "" : any that fits */
	EVP_PKEY *key;
};

struct set {
	struct key keys[KEYS_MAX];
	int count;
};

struct oauth_keys {
	const struct klamm_host *host;
	const struct oauth_conf *conf;
	const char *file;      /* NULL: it is on a web server */
	pthread_mutex_t mutex; /* guards the rest; held for no call that blocks */
	struct set set;
	pthread_cond_t over; /* of loading */
	bool loaded, loading;
	struct timespec changed; /* of the file */
	int64_t loaded_ms, next_ms, pause_ms;
	struct klamm_error failed; /* why there is none; code 0 = nothing */
	struct {
		char *id;
		int64_t until_ms;
	} missing[MISSING_MAX];
};

/* --- one key --- */

static const struct algorithm {
	const char *name, *type, *curve;
	const char *digest;
	int half; /* bytes of r and s */
	bool pss;
} algorithms[] = {
	{"RS256", "RSA", NULL, "SHA256", 0, false},
	{"RS384", "RSA", NULL, "SHA384", 0, false},
	{"RS512", "RSA", NULL, "SHA512", 0, false},
	{"PS256", "RSA", NULL, "SHA256", 0, true},
	{"PS384", "RSA", NULL, "SHA384", 0, true},
	{"PS512", "RSA", NULL, "SHA512", 0, true},
	{"ES256", "EC", "P-256", "SHA256", 32, false},
	{"ES384", "EC", "P-384", "SHA384", 48, false},
	{"ES512", "EC", "P-521", "SHA512", 66, false},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static bool get_number(struct json_object *jwk, const char *name, struct kl_text *to)
{
	const char *text = kl_oauth_json_text(jwk, name);
	return text != NULL && strlen(text) <= 2 * NUMBER_MAX &&
	       kl_oauth_get_base64url(text, strlen(text), to) && to->len > 0 &&
	       to->len <= NUMBER_MAX;
}

static EVP_PKEY *make_rsa(struct json_object *jwk)
{
	KL_TEXT_AUTO n_bytes = {0};
	KL_TEXT_AUTO e_bytes = {0};
	if (!get_number(jwk, "n", &n_bytes) || !get_number(jwk, "e", &e_bytes) ||
	    e_bytes.len > 8)
		return NULL;
	BIGNUM *n = BN_bin2bn((uint8_t *)n_bytes.p, (int)n_bytes.len, NULL);
	BIGNUM *e = BN_bin2bn((uint8_t *)e_bytes.p, (int)e_bytes.len, NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (n != NULL && e != NULL && builder != NULL &&
	    BN_num_bits(n) >= RSA_MIN_BITS &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = build("RSA", builder);
	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	BN_free(e);
	return key;
}

/* A point of the curve, uncompressed: 4, x, y, each as long as the curve's numbers. */
static EVP_PKEY *make_ec(struct json_object *jwk)
{
	KL_TEXT_AUTO x = {0};
	KL_TEXT_AUTO y = {0};
	uint8_t point[1 + 2 * 66] = {4};
	const char *curve = kl_oauth_json_text(jwk, "crv");
	const struct algorithm *a = NULL;
	for (size_t i = 0; curve != NULL && i < COUNT(algorithms) && a == NULL; i++)
		if (algorithms[i].curve != NULL &&
		    strcmp(algorithms[i].curve, curve) == 0)
			a = &algorithms[i];
	if (a == NULL || !get_number(jwk, "x", &x) || !get_number(jwk, "y", &y) ||
	    x.len != (size_t)a->half || y.len != (size_t)a->half)
		return NULL;
	memcpy(point + 1, x.p, x.len);
	memcpy(point + 1 + x.len, y.p, y.len);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (builder != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve,
					    0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
					     1 + 2 * x.len) == 1)
		key = build("EC", builder);
	OSSL_PARAM_BLD_free(builder);
	return key;
}

/* false: not one that signs, or of a kind that is not known here; the others still
 * count. */
static bool make_key(struct json_object *jwk, struct key *out)
{
	*out = (struct key){0};
	const char *type = kl_oauth_json_text(jwk, "kty"),
		   *use = kl_oauth_json_text(jwk, "use");
	const char *id = kl_oauth_json_text(jwk, "kid"),
		   *alg = kl_oauth_json_text(jwk, "alg");
	if (type == NULL || (use != NULL && strcmp(use, "sig") != 0) ||
	    (alg != NULL && strlen(alg) >= sizeof(out->alg)))
		return false;
	if (strcmp(type, "RSA") == 0)
		out->key = make_rsa(jwk);
	else if (strcmp(type, "EC") == 0)
		out->key = make_ec(jwk);
	ERR_clear_error();
	if (out->key == NULL)
		return false;
	if (alg != NULL)
		strcpy(out->alg, alg);
	if (id == NULL)
		return true;
	out->id = strdup(id);
	if (out->id == NULL)
		EVP_PKEY_free(out->key);
	return out->id != NULL;
}

/* --- a set --- */

static void free_set(struct set *set)
{
	for (int i = 0; i < set->count; i++) {
		free(set->keys[i].id);
		EVP_PKEY_free(set->keys[i].key);
	}
	*set = (struct set){0};
}

/* NULL, or why it is none. */
static const char *parse_set(const char *text, size_t len, struct set *out)
{
	struct json_object *root = kl_oauth_json_read(text, len), *list;
	*out = (struct set){0};
	bool good = root != NULL && json_object_object_get_ex(root, "keys", &list) &&
		    json_object_is_type(list, json_type_array);
	for (size_t i = 0; good && i < json_object_array_length(list); i++) {
		struct json_object *jwk = json_object_array_get_idx(list, i);
		if (out->count < KEYS_MAX &&
		    json_object_is_type(jwk, json_type_object) &&
		    make_key(jwk, &out->keys[out->count]))
			out->count++;
	}
	json_object_put(root);
	if (!good)
		return "is no JSON Web Key Set";
	return out->count > 0 ? NULL : "holds no key for RS256, ES256 and the like";
}

/* Takes the keys; with the mutex held. */
static void replace(struct oauth_keys *keys, struct set *set)
{
	free_set(&keys->set);
	keys->set = *set;
	*set = (struct set){0};
	keys->loaded = true;
}

int kl_oauth_keys_parse(struct oauth_keys *keys, const char *text, size_t len)
{
	struct set set;
	bool is_set = parse_set(text, len, &set) == NULL;
	int count = set.count;
	if (is_set)
		replace(keys, &set);
	return is_set ? count : -1;
}

/* --- where they come from --- */

static int64_t now_ms(const struct oauth_keys *keys)
{
	return keys->host->now_us(keys->host) / 1000;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int read_set(struct oauth_keys *keys, const struct klamm_call *call,
		    struct set *out, struct klamm_error *err)
{
	if (keys->file != NULL) {
		KL_TEXT_AUTO text = {0};
		int rc = kl_oauth_read_file(keys->file, &text, err);
		const char *why =
			rc == 0 ? parse_set(kl_text_get(&text), text.len, out) : NULL;
		return why == NULL ? rc
				   : klamm_fail(err, KLAMM_ERR_CONFIG, "%.200s: %s",
						keys->file, why);
	}
	struct oauth_reach reach;
	int rc = kl_oauth_reach_read(keys->host, keys->conf, &reach, err);
	if (rc != 0)
		return rc;
	char where[300];
	struct kl_http_request request = {
		.url = keys->conf->jwks_url,
		.call = call,
		.wait_ms = WAIT_MS,
		.redirects = 5,
		.answer_max = OAUTH_FILE_MAX,
	};
	kl_oauth_reach_apply(&reach, keys->conf, &request);
	struct kl_http_answer answer;
	rc = kl_http(keys->host, &request, &answer, err);
	if (rc == 0)
		rc = kl_http_check(&request, &answer, err);
	const char *why = rc == 0 ? parse_set(answer.body, answer.len, out) : NULL;
	kl_http_free(keys->host, &answer);
	kl_oauth_reach_free(&reach);
	if (why == NULL)
		return rc;
	kl_http_where(request.url, where, sizeof(where));
	return klamm_fail(err, KLAMM_ERR_CONFIG, "%.200s: what was fetched %s", where,
			  why);
}

/* With the mutex held, which is left meanwhile. Keys that are there stay when it fails.
 */
static void load(struct oauth_keys *keys, const struct klamm_call *call)
{
	struct set set = {0};
	struct klamm_error err = {0};
	keys->loading = true;
	pthread_mutex_unlock(&keys->mutex);
	int rc = read_set(keys, call, &set, &err);
	pthread_mutex_lock(&keys->mutex);
	keys->loading = false;
	pthread_cond_broadcast(&keys->over);
	keys->failed = err;
	int64_t now = now_ms(keys);
	if (rc == 0) {
		replace(keys, &set);
		keys->next_ms = now + keys->conf->jwks_refresh_ms;
		keys->pause_ms = keys->conf->jwks_retry_ms;
		return;
	}
	free_set(&set);
	keys->host->log(keys->host, 1, err.text);
	keys->next_ms = now + least(keys->pause_ms, keys->conf->jwks_retry_max_ms);
	keys->pause_ms = least(2 * keys->pause_ms, keys->conf->jwks_retry_max_ms);
}

static bool file_changed(struct oauth_keys *keys)
{
	struct stat now;
	if (stat(keys->file, &now) != 0)
		return !keys->loaded;
	bool same = now.st_mtim.tv_sec == keys->changed.tv_sec &&
		    now.st_mtim.tv_nsec == keys->changed.tv_nsec;
	keys->changed = now.st_mtim;
	return !same || !keys->loaded;
}

static bool is_due(struct oauth_keys *keys)
{
	if (keys->loading)
		return false;
	return keys->file != NULL ? file_changed(keys) : now_ms(keys) >= keys->next_ms;
}

/* Nobody has the key: is it worth asking for the set at once? */
static bool is_news(struct oauth_keys *keys, const char *id)
{
	int64_t now = now_ms(keys);
	int oldest = 0;
	if (keys->file != NULL || keys->loading || id == NULL ||
	    strlen(id) > KEY_ID_MAX)
		return false;
	for (int i = 0; i < MISSING_MAX; i++) {
		if (keys->missing[i].id != NULL &&
		    strcmp(keys->missing[i].id, id) == 0) {
			bool over = keys->missing[i].until_ms <= now;
			if (over)
				keys->missing[i].until_ms = now + MISSING_MS;
			return over;
		}
		if (keys->missing[i].until_ms < keys->missing[oldest].until_ms)
			oldest = i;
	}
	/* A flood of ids must not become a flood of questions. */
	if (keys->missing[oldest].until_ms > now)
		return false;
	char *copy = strdup(id);
	if (copy == NULL)
		return false;
	free(keys->missing[oldest].id);
	keys->missing[oldest].id = copy;
	keys->missing[oldest].until_ms = now + MISSING_MS;
	return true;
}

int kl_oauth_keys_new(const struct klamm_host *host, const struct oauth_conf *conf,
		      struct oauth_keys **keys_out, struct klamm_error *err)
{
	const char *file = kl_oauth_file_of(conf->jwks_url);
	if (file == NULL && strncmp(conf->jwks_url, "http://", 7) != 0 &&
	    strncmp(conf->jwks_url, "https://", 8) != 0)
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"sasl.oauthbearer.jwks.endpoint.url must be a file:, http: or "
			"https: URL");
	struct oauth_keys *keys = calloc(1, sizeof(*keys));
	if (keys == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	*keys = (struct oauth_keys){.host = host,
				    .conf = conf,
				    .file = file,
				    .pause_ms = conf->jwks_retry_ms};
	pthread_mutex_init(&keys->mutex, NULL);
	pthread_cond_init(&keys->over, NULL);
	*keys_out = keys;
	return 0;
}

void kl_oauth_keys_free(struct oauth_keys *keys)
{
	if (keys == NULL)
		return;
	free_set(&keys->set);
	for (int i = 0; i < MISSING_MAX; i++)
		free(keys->missing[i].id);
	pthread_cond_destroy(&keys->over);
	pthread_mutex_destroy(&keys->mutex);
	free(keys);
}

/* --- signatures --- */

/* Of two numbers side by side, what OpenSSL takes; NULL: they are not so long. */
static uint8_t *to_der(const struct kl_text *raw, int half, size_t *len_out)
{
	uint8_t *der = NULL;
	if (raw->len != 2 * (size_t)half)
		return NULL;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn((uint8_t *)raw->p, half, NULL);
	BIGNUM *s = BN_bin2bn((uint8_t *)raw->p + half, half, NULL);
	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		int len = i2d_ECDSA_SIG(sig, &der);
		*len_out = len > 0 ? (size_t)len : 0;
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return der;
}

static bool check(EVP_PKEY *key, const struct algorithm *a, const struct oauth_jwt *jwt,
		  const uint8_t *signature, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey;
	bool good = ctx != NULL && EVP_DigestVerifyInit_ex(ctx, &pkey, a->digest, NULL,
							   NULL, key, NULL) == 1;
	if (good && a->pss)
		good = EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, RSA_PSS_SALTLEN_DIGEST) ==
			       1;
	good = good && EVP_DigestVerify(ctx, signature, len, jwt->signed_part.data,
					jwt->signed_part.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static bool is_signed_by(EVP_PKEY *key, const struct algorithm *a,
			 const struct oauth_jwt *jwt)
{
	if (a->half == 0)
		return check(key, a, jwt, (const uint8_t *)kl_text_get(&jwt->signature),
			     jwt->signature.len);
	size_t len = 0;
	uint8_t *der = to_der(&jwt->signature, a->half, &len);
	bool good = der != NULL && check(key, a, jwt, der, len);
	OPENSSL_free(der);
	return good;
}

static bool fits(const struct key *key, const struct algorithm *a, const char *id)
{
	if ((key->alg[0] != '\0' && strcmp(key->alg, a->name) != 0) ||
	    !EVP_PKEY_is_a(key->key, a->type) ||
	    (id != NULL && (key->id == NULL || strcmp(key->id, id) != 0)))
		return false;
	return a->half == 0 || (EVP_PKEY_get_bits(key->key) + 7) / 8 == a->half;
}

/* With the mutex held: keys that may have signed it, with a reference each. */
static int find(const struct oauth_keys *keys, const struct algorithm *a,
		const char *id, EVP_PKEY *found[KEYS_MAX])
{
	int n = 0;
	for (int i = 0; i < keys->set.count; i++)
		if (fits(&keys->set.keys[i], a, id) &&
		    EVP_PKEY_up_ref(keys->set.keys[i].key))
			found[n++] = keys->set.keys[i].key;
	return n;
}

static const struct algorithm *algorithm_of(const struct oauth_jwt *jwt)
{
	const char *name = kl_oauth_json_text(jwt->header, "alg");
	for (size_t i = 0; name != NULL && i < COUNT(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

int kl_oauth_keys_verify(struct oauth_keys *keys, const struct klamm_call *call,
			 const struct oauth_jwt *jwt, struct klamm_error *err)
{
	const struct algorithm *a = algorithm_of(jwt);
	const char *id = kl_oauth_json_text(jwt->header, "kid");
	EVP_PKEY *found[KEYS_MAX];
	struct klamm_error failed;
	struct json_object *unused;
	if (a == NULL)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the token is not signed with RS256, ES256 or the like");
	if (json_object_object_get_ex(jwt->header, "crit", &unused))
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the token's header has critical fields that are not known");
	pthread_mutex_lock(&keys->mutex);
	while (keys->loading && !keys->loaded) /* WAIT_MS at most */
		pthread_cond_wait(&keys->over, &keys->mutex);
	bool fresh = is_due(keys);
	if (fresh)
		load(keys, call);
	int n = find(keys, a, id, found);
	if (n == 0 && !fresh && is_news(keys, id)) {
		load(keys, call);
		n = find(keys, a, id, found);
	}
	bool loaded = keys->loaded;
	failed = keys->failed;
	pthread_mutex_unlock(&keys->mutex);
	bool good = false;
	for (int i = 0; i < n; i++) {
		good = good || is_signed_by(found[i], a, jwt);
		EVP_PKEY_free(found[i]);
	}
	if (good)
		return 0;
	if (!loaded)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION, "no key is known: %.300s",
			failed.text[0] != '\0' ? failed.text : "not read yet");
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
			  n == 0 ? "no key of the set is the token's"
				 : "the token's signature is wrong");
}
