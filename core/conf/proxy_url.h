/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm.proxy.url taken apart. Constant once made, any thread. */
#ifndef KL_PROXY_URL_H
#define KL_PROXY_URL_H

#include <klamm/error.h>

#include "core/base/buf.h"

#define KL_PROXY_PART 256 /* what SOCKS has room for, and a NUL */

struct kl_proxy_url {
	bool is_http;       /* CONNECT; else SOCKS5 */
	bool names_remotely; /* the proxy looks names of brokers up */
	uint16_t port;
	char host[KL_PROXY_PART];
	char user[KL_PROXY_PART], password[KL_PROXY_PART]; /* "" = none */
};

/* socks5://, socks5h:// or http://, [USER:PASSWORD@]HOST[:PORT], where %XX is a byte of user
 * or password. *why (may be NULL) says what is wrong, without the text. */
bool kl_proxy_url_parse(const char *text, struct kl_proxy_url *url, struct kl_buf *why);

#endif
