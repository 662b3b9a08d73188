/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to a proxy before a connection is the broker's: SOCKS5 (RFC 1928, RFC 1929) and
 * HTTP CONNECT (RFC 9110, section 9.3.6). A machine without I/O: bytes in, bytes out. */
#ifndef KL_PROXY_H
#define KL_PROXY_H

#include "core/conf/proxy_url.h"

enum kl_proxy_step {
	KL_PROXY_METHOD,   /* SOCKS: which way to authenticate? */
	KL_PROXY_PASSWORD,
	KL_PROXY_CONNECT,
	KL_PROXY_ADDRESS, /* the rest of that answer, which has a length of its own */
	KL_PROXY_HEAD,    /* HTTP */
	KL_PROXY_THROUGH,
};

/* More than any proxy has to say before the connection stands. */
#define KL_PROXY_HEAD_MAX 8192

struct kl_proxy_talk {
	const struct kl_proxy_url *url; /* borrowed */
	const char *host; /* the broker's name or address; borrowed */
	uint16_t port;
	enum kl_proxy_step step;
	struct kl_buf in;  /* of the answer that is due */
	struct kl_buf out; /* to be sent; whoever sends it empties it */
};

/* Begin: something is to be sent. false: the host cannot be asked for, err says why. */
bool kl_proxy_begin(struct kl_proxy_talk *talk, const struct kl_proxy_url *url,
		    const char *host, uint16_t port, struct klamm_error *err);
void kl_proxy_end(struct kl_proxy_talk *talk); /* wipes */

/* How many bytes may be read and given to it, and no more: what follows is the broker's.
 * 0 = the connection stands. */
size_t kl_proxy_wants(const struct kl_proxy_talk *talk);
/* So many have come, at most as it wanted. false: err says why not, stage PROXY. */
bool kl_proxy_take(struct kl_proxy_talk *talk, const uint8_t *p, size_t n,
		   struct klamm_error *err);

#endif
