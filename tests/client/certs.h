/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates for tests, made on the spot and written where a test has its files. What goes
 * wrong here fails the test. */
#ifndef CERTS_H
#define CERTS_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "tests/unit/unit.h"

struct cert {
	X509 *cert;
	EVP_PKEY *key;
};

struct cert_spec {
	const char *name;  /* the subject's CN */
	const char *names; /* subjectAltName: "DNS:localhost,IP:127.0.0.1"; NULL = none */
	const struct cert *issuer; /* NULL = it signs itself, and may sign others */
	long from, until; /* seconds from now; until 0 = a day from now */
};
struct cert certs_make(struct cert_spec spec);
void certs_free(struct cert *cert);

/* Paths are valid until the test ends; a second file of a name replaces the first at once. */
const char *certs_pem(const char *name, const struct cert *cert);     /* certificate */
const char *certs_key(const char *name, const struct cert *cert, const char *password);
/* Certificate, its issuer if given, and the key. */
const char *certs_both(const char *name, const struct cert *cert, const struct cert *issuer);
const char *certs_crl(const char *name, const struct cert *issuer, const struct cert *revoked);
/* With the key if `own`, else as trusted only. */
const char *certs_pkcs12(const char *name, const struct cert *cert, bool own,
			 const char *password);
/* Java's: with a key entry, of bytes that are none, if `own`. */
const char *certs_jks(const char *name, const struct cert *cert, bool own,
		      const char *password);
/* A file as it is. */
const char *certs_file(const char *name, const void *p, size_t n);
/* The PEM text of a certificate or a key, for keys that take it; freed by the caller. */
char *certs_text(const struct cert *cert, bool key);

/* What most tests need: a CA, a broker's certificate for localhost and 127.0.0.1, a client's,
 * and a CA that nobody trusts. */
extern struct cert certs_ca, certs_broker, certs_client, certs_foreign;
void certs_up(void);
void certs_down(void);

#endif
