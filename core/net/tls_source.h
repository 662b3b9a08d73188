/* SPDX-License-Identifier: BSD-2-Clause */
/* What a TLS context is made of: places of certificates and keys, and what is allowed. Once
 * made it is constant, shared by counted references, and read by any thread. */
#ifndef KL_TLS_SOURCE_H
#define KL_TLS_SOURCE_H

#include <openssl/ssl.h>

#include "core/base/log.h"
#include "core/conf/settings.h"
#include "core/net/tls_store.h"
#include "core/os/os.h"

enum kl_client_auth { /* of a server; Kafka's ssl.client.auth */
	KL_CLIENT_AUTH_NONE,
	KL_CLIENT_AUTH_REQUESTED,
	KL_CLIENT_AUTH_REQUIRED,
};

/* Texts are copied. */
struct kl_tls_spec {
	bool is_server;
	bool any_cert; /* client: the broker's certificate is not looked at */
	bool any_name; /* client: nor is the name in it */
	int32_t client_auth;
	struct kl_place trust; /* nowhere: what the system trusts; a server: nobody */
	struct kl_place own;   /* certificate and chain, and the key unless it is elsewhere */
	struct kl_place key;
	struct kl_place crl;
	struct kl_strlist suites, protocols;
	SSL_CTX *given; /* the application's own; a reference is taken. NULL = none */
};

struct kl_tls_source;

/* One reference. NO_MEMORY. */
int kl_tls_source_new(const struct kl_tls_spec *spec, struct kl_os *os,
		      struct kl_tls_source **source_out, struct klamm_error *err);
struct kl_tls_source *kl_tls_source_ref(struct kl_tls_source *source);
void kl_tls_source_unref(struct kl_tls_source *source); /* NULL is fine */
const struct kl_tls_spec *kl_tls_source_spec(const struct kl_tls_source *source);

/* Tells whether files have changed. */
#define KL_TLS_DIGEST 32

/* Read the files, and make a context of them: one reference. Blocks. With `known`, the digest
 * of the last time, *ctx_out is NULL when nothing has changed since. CONFIG, NO_MEMORY. */
int kl_tls_source_load(const struct kl_tls_source *source, const uint8_t *known,
		       const struct kl_log *log, SSL_CTX **ctx_out,
		       uint8_t digest_out[static KL_TLS_DIGEST], struct klamm_error *err);

#endif
