/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS by a context of the application's own, for what no key of klamm.conf(5) says: keys in
 * hardware, a check of certificates of one's own, other providers. Needs OpenSSL's headers
 * only where the context is made. */
#ifndef KLAMM_TLS_H
#define KLAMM_TLS_H

#include <klamm/conf.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ssl_ctx_st; /* SSL_CTX of <openssl/ssl.h> */

/* Connections of clients made from this configuration use ctx, when security.protocol is SSL
 * or SASL_SSL, and no key about certificates, ciphers or versions counts. Who is verified how
 * is then the context's: without SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, ...) nobody is. The
 * broker's name is still asked for by SNI and, unless
 * ssl.endpoint.identification.algorithm is empty, looked for in its certificate.
 *
 * ctx must be one for clients, of the libssl that klamm uses. A reference is taken; the
 * context may be used elsewhere, too, and must not be changed while clients live: their loops
 * read it. NULL takes it out again. */
int klamm_conf_ssl_ctx(struct klamm_conf *conf, struct ssl_ctx_st *ctx,
		       struct klamm_error *err);

#ifdef __cplusplus
}
#endif
#endif
