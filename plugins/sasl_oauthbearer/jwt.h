/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON Web Tokens in their compact form (RFC 7515, RFC 7519): three parts in base64url.
 * Any thread. */
#ifndef OAUTH_JWT_H
#define OAUTH_JWT_H

#include <klamm/types.h>

#include "plugins/sasl_oauthbearer/json.h"

struct oauth_jwt {
	struct json_object *header, *claims;
	struct klamm_span signed_part; /* header and claims as they stand in the text */
	struct kl_text signature;      /* empty: it has none */
};

/* text is borrowed for jwt_out's life, which ends with kl_oauth_jwt_free() either way.
 * NULL, or what is wrong with it. */
const char *kl_oauth_jwt_read(const char *text, size_t len, struct oauth_jwt *jwt_out);
void kl_oauth_jwt_free(struct oauth_jwt *jwt);
#define OAUTH_JWT_AUTO __attribute__((cleanup(kl_oauth_jwt_free))) struct oauth_jwt

/* Without padding, as JWTs have it. false: it is not base64url. */
bool kl_oauth_get_base64url(const char *p, size_t n, struct kl_text *to);
void kl_oauth_put_base64url(struct kl_text *to, const void *p, size_t n);

#endif
