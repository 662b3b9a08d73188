/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/client/certs.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"

#define PATHS 32

struct cert certs_ca, certs_broker, certs_client, certs_foreign;
static char *folder, *paths[PATHS];
static int path_count;

/* --- making --- */

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	ck_assert_int_eq(EVP_PKEY_keygen_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1), 1);
	ck_assert_int_eq(EVP_PKEY_keygen(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	ck_assert_ptr_nonnull(ext);
	ck_assert_int_eq(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

struct cert certs_make(struct cert_spec spec)
{
	static long serial;
	struct cert made = {X509_new(), make_key()};
	X509 *cert = made.cert;
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), spec.from != 0 ? spec.from : -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), spec.until != 0 ? spec.until : 86400);
	X509_set_pubkey(cert, made.key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
				   (const unsigned char *)spec.name, -1, -1, 0);
	const struct cert *issuer = spec.issuer != NULL ? spec.issuer : &made;
	X509_set_issuer_name(cert, X509_get_subject_name(issuer->cert));
	if (spec.issuer == NULL) {
		extend(cert, NID_basic_constraints, "critical,CA:TRUE");
		extend(cert, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
	}
	if (spec.names != NULL)
		extend(cert, NID_subject_alt_name, spec.names);
	ck_assert_int_gt(X509_sign(cert, issuer->key, EVP_sha256()), 0);
	return made;
}

void certs_free(struct cert *cert)
{
	X509_free(cert->cert);
	EVP_PKEY_free(cert->key);
	*cert = (struct cert){0};
}

/* --- files --- */

static const char *path_of(const char *name)
{
	char *path;
	ck_assert_int_lt(path_count, PATHS);
	ck_assert_int_gt(asprintf(&path, "%s/%s", folder, name), 0);
	for (int i = 0; i < path_count; i++) {
		if (strcmp(paths[i], path) != 0)
			continue;
		free(path);
		return paths[i];
	}
	return paths[path_count++] = path;
}

/* Whoever reads it finds it whole. */
const char *certs_file(const char *name, const void *p, size_t n)
{
	const char *path = path_of(name);
	char part[4096];
	snprintf(part, sizeof(part), "%s.part", path);
	FILE *f = fopen(part, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(rename(part, path), 0);
	return path;
}

/* Takes the bytes that were written to bio. */
static const char *file_of(const char *name, BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	const char *path = certs_file(name, p, (size_t)n);
	BIO_free(bio);
	return path;
}

const char *certs_pem(const char *name, const struct cert *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	ck_assert_int_eq(PEM_write_bio_X509(bio, cert->cert), 1);
	return file_of(name, bio);
}

static void put_key(BIO *bio, const struct cert *cert, const char *password)
{
	ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(
				 bio, cert->key, password != NULL ? EVP_aes_256_cbc() : NULL,
				 password, password != NULL ? (int)strlen(password) : 0, NULL,
				 NULL), 1);
}

const char *certs_key(const char *name, const struct cert *cert, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());
	put_key(bio, cert, password);
	return file_of(name, bio);
}

const char *certs_both(const char *name, const struct cert *cert, const struct cert *issuer)
{
	BIO *bio = BIO_new(BIO_s_mem());
	ck_assert_int_eq(PEM_write_bio_X509(bio, cert->cert), 1);
	if (issuer != NULL)
		ck_assert_int_eq(PEM_write_bio_X509(bio, issuer->cert), 1);
	put_key(bio, cert, NULL);
	return file_of(name, bio);
}

const char *certs_crl(const char *name, const struct cert *issuer, const struct cert *revoked)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *time = ASN1_TIME_new();
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
	X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(time, -60));
	X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(time, 86400));
	if (revoked != NULL) {
		X509_REVOKED *one = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(one, X509_get_serialNumber(revoked->cert));
		X509_REVOKED_set_revocationDate(one, X509_gmtime_adj(time, -30));
		ck_assert_int_eq(X509_CRL_add0_revoked(crl, one), 1);
	}
	ck_assert_int_gt(X509_CRL_sign(crl, issuer->key, EVP_sha256()), 0);
	BIO *bio = BIO_new(BIO_s_mem());
	ck_assert_int_eq(PEM_write_bio_X509_CRL(bio, crl), 1);
	ASN1_TIME_free(time);
	X509_CRL_free(crl);
	return file_of(name, bio);
}

const char *certs_pkcs12(const char *name, const struct cert *cert, bool own,
			 const char *password)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	if (!own)
		sk_X509_push(others, cert->cert);
	PKCS12 *store = PKCS12_create(password, "x", own ? cert->key : NULL,
				      own ? cert->cert : NULL, others, 0, 0, 2048, 2048, 0);
	ck_assert_ptr_nonnull(store);
	BIO *bio = BIO_new(BIO_s_mem());
	ck_assert_int_eq(i2d_PKCS12_bio(bio, store), 1);
	PKCS12_free(store);
	sk_X509_free(others);
	return file_of(name, bio);
}

static void put_text(struct kl_buf *b, const char *text)
{
	kl_buf_i16(b, (int16_t)strlen(text));
	kl_buf_put(b, text, strlen(text));
}

static void put_x509(struct kl_buf *b, X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	put_text(b, "X.509");
	kl_buf_i32(b, n);
	kl_buf_put(b, der, (size_t)n);
	OPENSSL_free(der);
}

/* The password in UTF-16, "Mighty Aphrodite", and the file, through SHA-1. */
static void put_digest(struct kl_buf *b, const char *password)
{
	struct kl_buf salted = {0};
	for (const char *p = password; *p != '\0'; p++)
		kl_buf_i16(&salted, *p);
	kl_buf_put(&salted, "Mighty Aphrodite", 16);
	kl_buf_put(&salted, b->data, b->len);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;
	ck_assert_int_eq(EVP_Digest(salted.data, salted.len, digest, &n, EVP_sha1(), NULL), 1);
	kl_buf_put(b, digest, n);
	kl_buf_free(&salted);
}

const char *certs_jks(const char *name, const struct cert *cert, bool own,
		      const char *password)
{
	struct kl_buf b = {0};
	kl_buf_i32(&b, (int32_t)0xfeedfeed);
	kl_buf_i32(&b, 2);
	kl_buf_i32(&b, 1);
	kl_buf_i32(&b, own ? 1 : 2);
	put_text(&b, "one");
	kl_buf_i64(&b, 1700000000000);
	if (own) {
		kl_buf_i32(&b, 7);
		kl_buf_put(&b, "no key!", 7);
		kl_buf_i32(&b, 1);
	}
	put_x509(&b, cert->cert);
	put_digest(&b, password);
	const char *path = certs_file(name, b.data, b.len);
	kl_buf_free(&b);
	return path;
}

char *certs_text(const struct cert *cert, bool key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	if (key)
		put_key(bio, cert, NULL);
	else
		ck_assert_int_eq(PEM_write_bio_X509(bio, cert->cert), 1);
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	char *text = strndup(p, (size_t)n);
	BIO_free(bio);
	return text;
}

/* --- what most tests need --- */

void certs_up(void)
{
	folder = unit_tmp();
	certs_ca = certs_make((struct cert_spec){.name = "test CA"});
	certs_foreign = certs_make((struct cert_spec){.name = "foreign CA"});
	certs_broker = certs_make((struct cert_spec){.name = "broker",
						     .names = "DNS:localhost,IP:127.0.0.1",
						     .issuer = &certs_ca});
	certs_client = certs_make((struct cert_spec){.name = "alice", .issuer = &certs_ca});
}

void certs_down(void)
{
	certs_free(&certs_ca);
	certs_free(&certs_foreign);
	certs_free(&certs_broker);
	certs_free(&certs_client);
	for (int i = 0; i < path_count; i++)
		free(paths[i]);
	path_count = 0;
	free(folder);
}
