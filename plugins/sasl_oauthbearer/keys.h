/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys that tokens are signed with: a JSON Web Key Set (RFC 7517), from a file,
 * read again when it changes, or from a web server, fetched again in time and for a key
 * id that nobody knows yet. A token server's keys: RSA and EC, RS*, PS* and ES* (RFC
 * 7518). */
#ifndef OAUTH_KEYS_H
#define OAUTH_KEYS_H

#include "plugins/sasl_oauthbearer/jwt.h"
#include "plugins/sasl_oauthbearer/oauth.h"

struct oauth_keys;

/* host and conf, which names the set, are borrowed until kl_oauth_keys_free(). Nothing
 * is read yet. CONFIG: not a URL. */
int kl_oauth_keys_new(const struct klamm_host *host, const struct oauth_conf *conf,
		      struct oauth_keys **keys_out, struct klamm_error *err);
void kl_oauth_keys_free(struct oauth_keys *keys); /* NULL is fine */

/* Has one of them signed it? Blocking. AUTHENTICATION says what is wrong. */
int kl_oauth_keys_verify(struct oauth_keys *keys, const struct klamm_call *call,
			 const struct oauth_jwt *jwt, struct klamm_error *err);

/* A set by itself, for tests: how many keys it took; -1: it is none. */
int kl_oauth_keys_parse(struct oauth_keys *keys, const char *text, size_t len);

#endif
