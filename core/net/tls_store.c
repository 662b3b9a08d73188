/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/tls_store.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdarg.h>
#include <stdio.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/provider.h>
#endif

#include "core/base/error.h"

/* --- what is wrong --- */

int kl_place_error(const struct kl_place *place, struct klamm_error *err, const char *fmt, ...)
{
	char why[300];
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	ERR_clear_error();
	if (place->file != NULL)
		return kl_error(err, KLAMM_ERR_CONFIG, "%s = %.200s: %s", place->key,
				place->file, why);
	return kl_error(err, KLAMM_ERR_CONFIG, "%s: %s", place->key, why);
}

static int out_of_memory(struct klamm_error *err)
{
	ERR_clear_error();
	return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for certificates");
}

void kl_certs_free(struct kl_certs *certs)
{
	X509_free(certs->own);
	EVP_PKEY_free(certs->key);
	sk_X509_pop_free(certs->others, X509_free);
	*certs = (struct kl_certs){0};
}

/* --- PEM --- */

/* OpenSSL asks for a password only where one is needed; never on the terminal. */
static int tell_password(char *to, int size, int for_writing, void *arg)
{
	const struct kl_place *place = arg;
	size_t n = place->password != NULL ? strlen(place->password) : 0;
	if (n == 0 || n > (size_t)size)
		return -1;
	memcpy(to, place->password, n);
	return (int)n;
}

static BIO *bio_of(struct klamm_span bytes)
{
	return BIO_new_mem_buf(bytes.data, (int)kl_min(bytes.len, (size_t)INT32_MAX));
}

/* OpenSSL's functions leave the password where they had their variables. */
static __attribute__((noinline)) void wipe_stack(void)
{
	uint8_t used[32768];
	explicit_bzero(used, sizeof(used));
}

bool kl_pem_is_end(void)
{
	unsigned long e = ERR_peek_last_error();
	return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static int read_pem(const struct kl_place *place, struct klamm_span bytes,
		    struct kl_certs *certs, struct klamm_error *err)
{
	BIO *bio = bio_of(bytes);
	if (bio == NULL)
		return out_of_memory(err);
	X509 *cert;
	bool pushed = true;
	ERR_clear_error();
	while (pushed && (cert = PEM_read_bio_X509(bio, NULL, tell_password,
						   (void *)place)) != NULL) {
		pushed = sk_X509_push(certs->others, cert) > 0;
		if (!pushed)
			X509_free(cert);
	}
	bool whole = kl_pem_is_end();
	BIO_free(bio);
	if (!pushed)
		return out_of_memory(err);
	if (!whole)
		return kl_place_error(place, err,
				      "certificate %d of it is damaged (PEM begins with "
				      "-----BEGIN CERTIFICATE-----)",
				      sk_X509_num(certs->others) + 1);
	ERR_clear_error();
	return 0;
}

int kl_store_read_key(const struct kl_place *place, struct klamm_span bytes,
		      EVP_PKEY **key_out, struct klamm_error *err)
{
	BIO *bio = bio_of(bytes);
	if (bio == NULL)
		return out_of_memory(err);
	ERR_clear_error();
	*key_out = PEM_read_bio_PrivateKey(bio, NULL, tell_password, (void *)place);
	wipe_stack();
	BIO_free(bio);
	if (*key_out != NULL)
		return 0;
	if (memmem(bytes.data, bytes.len, "PRIVATE KEY-----", 16) == NULL)
		return kl_place_error(place, err,
				      "there is no private key in it (PEM begins with "
				      "-----BEGIN PRIVATE KEY-----)");
	if (memmem(bytes.data, bytes.len, "ENCRYPTED", 9) == NULL)
		return kl_place_error(place, err, "the private key is damaged");
	return kl_place_error(place, err,
			      place->password == NULL
				      ? "the private key is encrypted: set %s"
				      : "%s does not open the private key",
			      place->password_key);
}

/* --- PKCS#12 --- */

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
/* Stores of keytool before Java 8u301 are encrypted with RC2, which is in OpenSSL's legacy
 * provider only: in a context of its own, so that nothing else comes to use it. */
struct legacy {
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *usual, *legacy;
};

static void legacy_free(struct legacy *l)
{
	if (l->legacy != NULL)
		OSSL_PROVIDER_unload(l->legacy);
	if (l->usual != NULL)
		OSSL_PROVIDER_unload(l->usual);
	OSSL_LIB_CTX_free(l->lib);
}

static PKCS12 *decode(struct klamm_span bytes, struct legacy *legacy)
{
	if (legacy->lib == NULL) {
		const unsigned char *p = bytes.data;
		return d2i_PKCS12(NULL, &p, (long)bytes.len);
	}
	PKCS12 *store = PKCS12_init_ex(NID_pkcs7_data, legacy->lib, NULL);
	BIO *bio = bio_of(bytes);
	if (store != NULL && (bio == NULL || d2i_PKCS12_bio(bio, &store) == NULL))
		store = NULL; /* freed by d2i */
	BIO_free(bio);
	return store;
}

/* A key of another library context, as one of the usual one. */
static EVP_PKEY *adopt(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = key != NULL ? i2d_PrivateKey(key, &der) : -1;
	const unsigned char *p = der;
	EVP_PKEY *copy = n > 0 ? d2i_AutoPrivateKey(NULL, &p, n) : NULL;
	OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
	EVP_PKEY_free(key);
	return copy;
}

/* A certificate likewise: from OpenSSL 3.2 on it remembers its context. */
static X509 *adopt_certificate(X509 *cert)
{
	unsigned char *der = NULL;
	int n = cert != NULL ? i2d_X509(cert, &der) : -1;
	const unsigned char *p = der;
	X509 *copy = n > 0 ? d2i_X509(NULL, &p, n) : NULL;
	OPENSSL_free(der);
	X509_free(cert);
	return copy;
}

static bool adopt_all(struct kl_certs *certs)
{
	bool ok = true;
	if (certs->key != NULL)
		ok = (certs->key = adopt(certs->key)) != NULL;
	if (certs->own != NULL)
		ok = (certs->own = adopt_certificate(certs->own)) != NULL && ok;
	for (int i = 0; ok && i < sk_X509_num(certs->others); i++) {
		X509 *copy = adopt_certificate(sk_X509_value(certs->others, i));
		ok = copy != NULL;
		sk_X509_set(certs->others, i, copy);
	}
	return ok;
}
#endif

/* Is there such a store behind the password? "" and none are two passwords. */
static const char *password_of(PKCS12 *store, const char *password)
{
	if (password != NULL && PKCS12_verify_mac(store, password, -1))
		return password;
	if (password == NULL && PKCS12_verify_mac(store, NULL, 0))
		return NULL;
	return password == NULL || *password == '\0' ? "" : password;
}

static bool parse_pkcs12(struct klamm_span bytes, const char *password, bool use_legacy,
			 struct kl_certs *certs, bool *decoded_out)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	struct legacy legacy = {0};
	if (use_legacy) {
		legacy.lib = OSSL_LIB_CTX_new();
		legacy.usual = OSSL_PROVIDER_load(legacy.lib, "default");
		legacy.legacy = OSSL_PROVIDER_load(legacy.lib, "legacy");
	}
	PKCS12 *store = decode(bytes, &legacy);
#else
	const unsigned char *p = bytes.data;
	PKCS12 *store = d2i_PKCS12(NULL, &p, (long)bytes.len);
#endif
	*decoded_out = store != NULL;
	STACK_OF(X509) *others = NULL;
	bool ok = store != NULL && PKCS12_parse(store, password_of(store, password),
						&certs->key, &certs->own, &others);
	for (int i = 0; ok && i < sk_X509_num(others); i++) {
		X509 *cert = sk_X509_value(others, i);
		ok = sk_X509_push(certs->others, cert) > 0 && X509_up_ref(cert);
	}
	sk_X509_pop_free(others, X509_free);
	PKCS12_free(store);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	ok = (!use_legacy || adopt_all(certs)) && ok;
	legacy_free(&legacy);
#endif
	return ok;
}

static bool needs_legacy(void)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	unsigned long e;
	while ((e = ERR_get_error()) != 0)
		if (ERR_GET_REASON(e) == ERR_R_UNSUPPORTED ||
		    strcmp(ERR_reason_error_string(e) ?: "", "unsupported") == 0)
			return true;
#endif
	return false;
}

static int read_pkcs12(const struct kl_place *place, struct klamm_span bytes,
		       struct kl_certs *certs, struct klamm_error *err)
{
	bool decoded;
	ERR_clear_error();
	bool ok = parse_pkcs12(bytes, place->password, false, certs, &decoded);
	bool old = !ok && needs_legacy();
	if (old)
		ok = parse_pkcs12(bytes, place->password, true, certs, &decoded);
	wipe_stack();
	ERR_clear_error();
	if (ok)
		return 0;
	if (!decoded)
		return kl_place_error(place, err, "it is no PKCS#12 store, or it is damaged");
	if (place->password == NULL)
		return kl_place_error(place, err, "the store has a password: set %s",
				      place->password_key);
	return kl_place_error(place, err,
			      old ? "%s does not open the store, or it needs OpenSSL's "
				    "legacy provider: write it anew with keytool "
				    "-importkeystore of Java 17"
				  : "%s does not open the store",
			      place->password_key);
}

/* --- JKS --- */

static bool push_der(void *arg, const uint8_t *der, size_t n)
{
	struct kl_certs *certs = arg;
	X509 *cert = d2i_X509(NULL, &der, (long)n);
	if (cert == NULL) /* not X.509: nothing to trust */
		return true;
	if (sk_X509_push(certs->others, cert) > 0)
		return true;
	X509_free(cert);
	return false;
}

static int read_jks(const struct kl_place *place, struct klamm_span bytes,
		    struct kl_certs *certs, struct klamm_error *err)
{
	uint32_t keys;
	struct klamm_error why;
	int rc = kl_jks_read(bytes, place->password, push_der, certs, &keys, &why);
	ERR_clear_error();
	if (rc == KLAMM_ERR_NO_MEMORY)
		return out_of_memory(err);
	if (rc != 0)
		return kl_place_error(place, err, "%s (%s)", why.text, place->password_key);
	if (keys > 0 && sk_X509_num(certs->others) == 0)
		return kl_place_error(
			place, err,
			"a key store of type JKS is not read; convert it: keytool "
			"-importkeystore -srckeystore %.100s -destkeystore FILE.p12 "
			"-deststoretype PKCS12",
			place->file);
	return 0;
}

/* --- whichever --- */

static int32_t looks_like(struct klamm_span bytes)
{
	if (kl_jks_is(bytes))
		return KL_STORE_JKS;
	if (bytes.len > 1 && *(const uint8_t *)bytes.data == 0x30) /* a SEQUENCE */
		return KL_STORE_PKCS12;
	return KL_STORE_PEM;
}

/* Java opens a JKS as PKCS12 and the other way round, so the two names are one. */
static bool may_be(int32_t said, int32_t found)
{
	return said == KL_STORE_ANY || (said == KL_STORE_PEM) == (found == KL_STORE_PEM);
}

int kl_store_read(const struct kl_place *place, struct klamm_span bytes,
		  struct kl_certs *certs, struct klamm_error *err)
{
	if (certs->others == NULL)
		certs->others = sk_X509_new_null();
	if (certs->others == NULL)
		return out_of_memory(err);
	int32_t found = looks_like(bytes);
	if (!may_be(place->type, found))
		return kl_place_error(place, err,
				      found == KL_STORE_PEM
					      ? "it is neither JKS nor PKCS#12; for PEM set "
						"the type to PEM"
					      : "it is not PEM, as its type says, but a store "
						"of Java's: set the type to PKCS12 or JKS");
	switch (found) {
	case KL_STORE_JKS:
		return read_jks(place, bytes, certs, err);
	case KL_STORE_PKCS12:
		return read_pkcs12(place, bytes, certs, err);
	default:
		return read_pem(place, bytes, certs, err);
	}
}
