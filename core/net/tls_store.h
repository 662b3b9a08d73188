/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates and keys as files and texts hold them: PEM, PKCS#12, and Java's JKS. Any
 * thread. */
#ifndef KL_TLS_STORE_H
#define KL_TLS_STORE_H

#include <klamm/error.h>
#include <openssl/x509.h>

#include "core/base/buf.h"

enum kl_store_type { /* in the order of ssl.truststore.type */
	KL_STORE_JKS,
	KL_STORE_PKCS12,
	KL_STORE_PEM,
	KL_STORE_ANY, /* what it looks like */
};

/* Where something is: in a file, or in a text right there. */
struct kl_place {
	const char *key;  /* the setting that says so, for texts: "ssl.ca.location" */
	const char *file; /* NULL = it is in text */
	const char *text; /* NULL too = it is nowhere */
	int32_t type;     /* enum kl_store_type */
	const char *password;     /* NULL = none */
	const char *password_key; /* the setting that would say it */
};
static inline bool kl_place_is_set(const struct kl_place *place)
{
	return place->file != NULL || place->text != NULL;
}

/* What was found. */
struct kl_certs {
	X509 *own;                /* the one that key belongs to; NULL = none */
	EVP_PKEY *key;            /* NULL = none */
	STACK_OF(X509) *others;   /* all others, in their order */
};
void kl_certs_free(struct kl_certs *certs);

/* Everything in these bytes, which stand at this place. CONFIG: they are not what they should
 * be; NO_MEMORY. */
int kl_store_read(const struct kl_place *place, struct klamm_span bytes,
		  struct kl_certs *certs, struct klamm_error *err);
/* A private key in PEM. */
int kl_store_read_key(const struct kl_place *place, struct klamm_span bytes,
		      EVP_PKEY **key_out, struct klamm_error *err);

/* After OpenSSL has read no block any more: is it the end, rather than one that is damaged? */
bool kl_pem_is_end(void);

/* --- pem.c --- */

/* The text as OpenSSL reads it: with its ends of lines, where it stands in one. */
void kl_pem_unfold(const char *text, struct kl_buf *to);

/* --- jks.c: a store of Java's own kind, of which only trusted certificates are read --- */

bool kl_jks_is(struct klamm_span bytes);
/* fn is called with each trusted certificate (DER); false ends it: NO_MEMORY. *keys_out: how
 * many entries are private keys. password NULL: the integrity is not checked, as in Java.
 * CONFIG: why it cannot be read. */
int kl_jks_read(struct klamm_span bytes, const char *password,
		bool (*fn)(void *arg, const uint8_t *der, size_t n), void *arg,
		uint32_t *keys_out, struct klamm_error *err);

/* The place and a reason as one sentence: "ssl.ca.location = /a.pem: no such file". */
int kl_place_error(const struct kl_place *place, struct klamm_error *err, const char *fmt, ...)
	KL_PRINTF(3, 4);

#endif
