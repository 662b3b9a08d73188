/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/tls_source.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/conf/conf.h"
#include "core/net/tls_suites.h"
#include "core/os/secret.h"

/* All certificates that a machine trusts are some 300 KiB. */
#define FILE_MAX (16 << 20)
#define PLACES   4

struct kl_tls_source {
	atomic_uint refs;
	struct kl_tls_spec spec; /* with texts of its own */
	struct kl_os *os;
};

/* --- making --- */

static struct kl_place *place_of(struct kl_tls_spec *spec, int i)
{
	struct kl_place *const places[PLACES] = {&spec->trust, &spec->own, &spec->key,
						 &spec->crl};
	return places[i];
}

static bool copy_text(const char **text)
{
	if (*text == NULL)
		return true;
	*text = strdup(*text);
	return *text != NULL;
}

static bool copy_secret(const char **text)
{
	if (*text == NULL)
		return true;
	*text = kl_secret_text(*text);
	return *text != NULL;
}

/* Each text becomes a copy or NULL, also when one cannot be had. The names of settings are
 * constant. What is trusted is no secret, and may be long. */
static bool copy_place(struct kl_place *place, bool is_trust)
{
	bool ok = copy_text(&place->file);
	ok &= (is_trust ? copy_text : copy_secret)(&place->text);
	ok &= copy_secret(&place->password);
	return ok;
}

static bool copy_list(struct kl_strlist *list)
{
	const char **copy = calloc(kl_max(list->n, (size_t)1), sizeof(*copy));
	bool ok = copy != NULL;
	for (size_t i = 0; ok && i < list->n; i++) {
		copy[i] = list->v[i];
		ok = copy_text(&copy[i]);
	}
	list->v = copy;
	if (copy == NULL)
		list->n = 0;
	return ok;
}

static void free_list(struct kl_strlist *list)
{
	for (size_t i = 0; i < list->n; i++)
		free((char *)list->v[i]);
	free(list->v);
}

int kl_tls_source_new(const struct kl_tls_spec *spec, struct kl_os *os,
		      struct kl_tls_source **source_out, struct klamm_error *err)
{
	struct kl_tls_source *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	atomic_init(&s->refs, 1);
	s->os = os;
	s->spec = *spec;
	if (spec->given != NULL)
		SSL_CTX_up_ref(spec->given);
	bool ok = true;
	for (int i = 0; i < PLACES; i++) {
		struct kl_place *place = place_of(&s->spec, i);
		ok &= copy_place(place, place == &s->spec.trust);
	}
	ok &= copy_list(&s->spec.suites);
	ok &= copy_list(&s->spec.protocols);
	if (!ok) {
		kl_tls_source_unref(s);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	}
	*source_out = s;
	return 0;
}

struct kl_tls_source *kl_tls_source_ref(struct kl_tls_source *source)
{
	atomic_fetch_add(&source->refs, 1);
	return source;
}

void kl_tls_source_unref(struct kl_tls_source *source)
{
	if (source == NULL || atomic_fetch_sub(&source->refs, 1) > 1)
		return;
	for (int i = 0; i < PLACES; i++) {
		struct kl_place *place = place_of(&source->spec, i);
		free((char *)place->file);
		kl_wipe_text((char *)place->text);
		kl_wipe_text((char *)place->password);
	}
	free_list(&source->spec.suites);
	free_list(&source->spec.protocols);
	SSL_CTX_free(source->spec.given);
	free(source);
}

const struct kl_tls_spec *kl_tls_source_spec(const struct kl_tls_source *source)
{
	return &source->spec;
}

/* --- reading --- */

/* What stood at the places when they were read. */
struct content {
	char *data; /* of a folder, what is in it and since when; NULL = nothing */
	size_t len;
	bool is_folder, is_secret;
};
struct contents {
	struct content v[PLACES];
};

static void free_contents(struct contents *all)
{
	for (int i = 0; i < PLACES; i++) {
		if (all->v[i].data != NULL)
			OPENSSL_cleanse(all->v[i].data, all->v[i].len);
		if (all->v[i].is_secret)
			kl_secret_free(all->v[i].data);
		else
			free(all->v[i].data);
	}
}

/* Without it the context would go on with those that OpenSSL has once found there. 0 or a
 * negative errno. */
static int list_folder(const char *path, struct kl_buf *to)
{
	struct dirent **names;
	struct stat st;
	int n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (strcmp(names[i]->d_name, "..") != 0 && stat(file, &st) == 0)
			kl_buf_printf(to, "%s %lld.%09ld %lld\n", names[i]->d_name,
				      (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
				      (long long)st.st_size);
		free(names[i]);
	}
	free(names);
	return to->failed ? -ENOMEM : 0;
}

static void keep(struct content *content, const struct kl_buf *text)
{
	content->data = (char *)text->data;
	content->len = text->len;
	content->is_secret = text->is_secret;
}

static int read_text(const char *text, bool is_secret, struct content *content)
{
	struct kl_buf unfolded = {.is_secret = is_secret};
	/* At once: it need not grow. */
	kl_buf_reserve(&unfolded, 2 * strlen(text) + 256);
	kl_pem_unfold(text, &unfolded);
	keep(content, &unfolded);
	return unfolded.failed ? -ENOMEM : 0;
}

static int read_folder(const char *path, struct content *content)
{
	struct kl_buf list = {0};
	int rc = list_folder(path, &list);
	keep(content, &list);
	content->is_folder = true;
	return rc;
}

static int read_places(const struct kl_tls_source *source, struct contents *all,
		       struct klamm_error *err)
{
	for (int i = 0; i < PLACES; i++) {
		const struct kl_place *place =
			place_of((struct kl_tls_spec *)&source->spec, i);
		bool is_trust = place == &source->spec.trust;
		struct content *content = &all->v[i];
		int rc = 0;
		if (place->file != NULL)
			rc = kl_os_read_file(source->os, place->file, FILE_MAX,
					     &content->data, &content->len);
		else if (place->text != NULL)
			rc = read_text(place->text, !is_trust, content);
		if (rc == -EISDIR && is_trust)
			rc = read_folder(place->file, content);
		if (rc == -ENOMEM)
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for certificates");
		if (rc < 0)
			return kl_place_error(place, err, "%s", strerror(-rc));
	}
	return 0;
}

static bool digest_of(const struct contents *all, uint8_t digest[static KL_TLS_DIGEST])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	for (int i = 0; ok && i < PLACES; i++)
		ok = EVP_DigestUpdate(md, &all->v[i].len, sizeof(all->v[i].len)) &&
		     EVP_DigestUpdate(md, all->v[i].data, all->v[i].len);
	ok = ok && EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
	return ok;
}

static struct klamm_span bytes_of(const struct contents *all, int i)
{
	return (struct klamm_span){all->v[i].data, all->v[i].len};
}

/* --- a context of them --- */

static int failed(struct klamm_error *err, const char *what)
{
	char reason[160];
	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
	ERR_clear_error();
	return kl_error(err, KLAMM_ERR_TLS, "OpenSSL cannot %s: %s", what, reason);
}

static int trust_system(SSL_CTX *ctx, struct klamm_error *err)
{
	return SSL_CTX_set_default_verify_paths(ctx)
		       ? 0
		       : failed(err, "read the certificates that this machine trusts");
}

/* A server names those whose certificates it takes. */
static bool trust_one(SSL_CTX *ctx, X509 *cert, bool is_server)
{
	bool ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert);
	return ok && (!is_server || SSL_CTX_add_client_CA(ctx, cert));
}

static int set_trust(SSL_CTX *ctx, const struct kl_tls_spec *spec, const struct contents *all,
		     struct klamm_error *err)
{
	const struct kl_place *place = &spec->trust;
	if (!kl_place_is_set(place))
		return spec->is_server ? 0 : trust_system(ctx, err);
	if (all->v[0].is_folder)
		return SSL_CTX_load_verify_locations(ctx, NULL, place->file)
			       ? 0
			       : failed(err, "use the folder of certificates");
	struct kl_certs certs = {0};
	int rc = kl_store_read(place, bytes_of(all, 0), &certs, err);
	bool ok = true;
	int n = rc == 0 ? sk_X509_num(certs.others) : 0;
	for (int i = 0; i < n && ok; i++)
		ok = trust_one(ctx, sk_X509_value(certs.others, i), spec->is_server);
	if (rc == 0 && n == 0)
		rc = kl_place_error(place, err, "there is no trusted certificate in it");
	if (rc == 0 && !ok)
		rc = failed(err, "take a trusted certificate");
	kl_certs_free(&certs);
	return rc;
}

/* The key's own certificate is the first of a PEM; in a store it is known. */
static int set_own_certs(SSL_CTX *ctx, const struct kl_place *place, struct kl_certs *certs,
			 struct klamm_error *err)
{
	if (certs->own == NULL)
		certs->own = sk_X509_shift(certs->others);
	if (certs->own == NULL)
		return kl_place_error(place, err, "there is no certificate in it");
	if (!SSL_CTX_use_certificate(ctx, certs->own)) {
		unsigned long reason = ERR_peek_last_error();
		return kl_place_error(place, err, "the certificate cannot be used: %s",
				      ERR_reason_error_string(reason) ?: "unknown");
	}
	for (int i = 0; i < sk_X509_num(certs->others); i++)
		if (!SSL_CTX_add1_chain_cert(ctx, sk_X509_value(certs->others, i)))
			return failed(err, "take a certificate's chain");
	return 0;
}

static int set_own(SSL_CTX *ctx, const struct kl_tls_spec *spec, const struct contents *all,
		   struct klamm_error *err)
{
	if (!kl_place_is_set(&spec->own))
		return kl_place_is_set(&spec->key)
			       ? kl_place_error(&spec->key, err,
						"a private key needs a certificate, too: "
						"set %s",
						spec->own.key)
			       : 0;
	struct kl_certs certs = {0};
	bool apart = kl_place_is_set(&spec->key);
	const struct kl_place *key = apart ? &spec->key : &spec->own;
	int rc = kl_store_read(&spec->own, bytes_of(all, 1), &certs, err);
	if (rc == 0 && (certs.key == NULL || apart)) {
		EVP_PKEY_free(certs.key);
		certs.key = NULL;
		rc = kl_store_read_key(key, bytes_of(all, apart ? 2 : 1), &certs.key, err);
	}
	if (rc == 0)
		rc = set_own_certs(ctx, &spec->own, &certs, err);
	if (rc == 0 && (!SSL_CTX_use_PrivateKey(ctx, certs.key) ||
			!SSL_CTX_check_private_key(ctx)))
		rc = kl_place_error(key, err,
				    "the private key does not belong to the certificate (%s)",
				    spec->own.key);
	kl_certs_free(&certs);
	return rc;
}

static int set_crl(SSL_CTX *ctx, const struct kl_tls_spec *spec, const struct contents *all,
		   struct klamm_error *err)
{
	if (!kl_place_is_set(&spec->crl))
		return 0;
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *bio = BIO_new_mem_buf(all->v[3].data, (int)all->v[3].len);
	X509_CRL *crl;
	int n = 0;
	bool ok = true;
	if (bio == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	ERR_clear_error();
	while (ok && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		ok = X509_STORE_add_crl(store, crl) > 0;
		n += ok;
		X509_CRL_free(crl);
	}
	BIO_free(bio);
	/* What stands behind a damaged one may be what revokes a certificate. */
	if (!ok || !kl_pem_is_end())
		return kl_place_error(&spec->crl, err, "list %d of it is damaged", n + 1);
	if (n == 0)
		return kl_place_error(&spec->crl, err,
				      "there is no list in it (PEM begins with "
				      "-----BEGIN X509 CRL-----)");
	ERR_clear_error();
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return 0;
}

/* As Java: whatever is in the trust store is trusted, be it the root or not. */
static void set_rules(SSL_CTX *ctx, const struct kl_tls_spec *spec)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	int mode = spec->any_cert ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
	if (spec->is_server)
		mode = spec->client_auth == KL_CLIENT_AUTH_REQUIRED
			       ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
		       : spec->client_auth == KL_CLIENT_AUTH_REQUESTED ? SSL_VERIFY_PEER
								       : SSL_VERIFY_NONE;
	SSL_CTX_set_verify(ctx, mode, NULL);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	if (spec->is_server) {
		SSL_CTX_set_session_id_context(ctx, (const uint8_t *)"klamm", 5);
		SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT); /* clients' passwords */
	} else {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
							    SSL_SESS_CACHE_NO_INTERNAL);
	}
}

static int fill(SSL_CTX *ctx, const struct kl_tls_source *source, const struct contents *all,
		const struct kl_log *log, struct klamm_error *err)
{
	const struct kl_tls_spec *spec = &source->spec;
	set_rules(ctx, spec);
	int rc = kl_tls_set_protocols(ctx, &spec->protocols, log, err);
	if (rc == 0)
		rc = kl_tls_set_suites(ctx, &spec->suites, log, err);
	if (rc == 0 && !spec->any_cert)
		rc = set_trust(ctx, spec, all, err);
	if (rc == 0)
		rc = set_own(ctx, spec, all, err);
	if (rc == 0)
		rc = set_crl(ctx, spec, all, err);
	return rc;
}

int kl_tls_source_load(const struct kl_tls_source *source, const uint8_t *known,
		       const struct kl_log *log, SSL_CTX **ctx_out,
		       uint8_t digest_out[static KL_TLS_DIGEST], struct klamm_error *err)
{
	*ctx_out = NULL;
	if (source->spec.given != NULL) {
		if (known == NULL && SSL_CTX_up_ref(source->spec.given))
			*ctx_out = source->spec.given;
		return 0;
	}
	KL_AUTO(free_contents) struct contents all = {0};
	int rc = read_places(source, &all, err);
	if (rc != 0)
		return rc;
	if (!digest_of(&all, digest_out))
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	if (known != NULL && memcmp(known, digest_out, KL_TLS_DIGEST) == 0)
		return 0;
	SSL_CTX *ctx = SSL_CTX_new(source->spec.is_server ? TLS_server_method()
							  : TLS_client_method());
	if (ctx == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	rc = fill(ctx, source, &all, log, err);
	if (rc != 0)
		SSL_CTX_free(ctx);
	else
		*ctx_out = ctx;
	return rc;
}
