/* SPDX-License-Identifier: BSD-2-Clause */
/* The application's own TLS context, and what a check of names may be called. */
#include <klamm/tls.h>
#include <openssl/ssl.h>
#include <strings.h>

#include "core/base/error.h"
#include "core/conf/object.h"

int klamm_conf_ssl_ctx(struct klamm_conf *conf, SSL_CTX *ctx, struct klamm_error *err)
{
	if (ctx != NULL && !SSL_CTX_up_ref(ctx))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the TLS context cannot be shared");
	SSL_CTX_free(conf->ssl_ctx);
	conf->ssl_ctx = ctx;
	return 0;
}

struct ssl_ctx_st *kl_conf_ssl_ctx(const struct klamm_conf *conf)
{
	return conf->ssl_ctx;
}

bool kl_check_identification(const char *text, struct kl_buf *why)
{
	if (*text == '\0' || strcasecmp(text, "https") == 0)
		return true;
	kl_buf_printf(why, "must be https, or empty for no check");
	return false;
}
