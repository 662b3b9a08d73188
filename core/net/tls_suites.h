/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions and ciphers of TLS by the names that configurations have for them. */
#ifndef KL_TLS_SUITES_H
#define KL_TLS_SUITES_H

#include <klamm/error.h>
#include <openssl/ssl.h>

#include "core/base/log.h"
#include "core/conf/settings.h"

/* Nothing below TLS 1.2, whoever asks for it. An empty list: what there is. CONFIG. */
int kl_tls_set_protocols(SSL_CTX *ctx, const struct kl_strlist *names,
			 const struct kl_log *log, struct klamm_error *err);
/* Names of the registry, as Java has them (TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384), or ciphers
 * in OpenSSL's notation ("ECDHE+AESGCM:!aNULL"). An empty list: OpenSSL's choice. CONFIG. */
int kl_tls_set_suites(SSL_CTX *ctx, const struct kl_strlist *names, const struct kl_log *log,
		      struct klamm_error *err);

#endif
