/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks up a name on the blocking pool. Loop only. */
#ifndef KL_RESOLVE_H
#define KL_RESOLVE_H

#include <klamm/error.h>

#include "core/net/loop.h"

struct kl_resolve;

/* done(owner, count, addrs, err): count > 0 addresses in the resolver's order, or err. Called
 * from the loop, never from inside this call, once, unless cancelled. */
typedef void (*kl_resolve_fn)(void *owner, unsigned count, const struct kl_addr *addrs,
			      const struct klamm_error *err);
int kl_resolve_start(struct klamm_loop *loop, const char *host, uint16_t port,
		     kl_resolve_fn done, void *owner, struct kl_resolve **resolve_out,
		     struct klamm_error *err);
/* One of its addresses, in turn by `turn`, and the name that this goes by, for
 * kl_resolve_name() inside done. */
int kl_resolve_start_canonical(struct klamm_loop *loop, const char *host, uint16_t port,
			       unsigned turn, kl_resolve_fn done, void *owner,
			       struct kl_resolve **resolve_out, struct klamm_error *err);
const char *kl_resolve_name(const struct kl_resolve *resolve);
void kl_resolve_cancel(struct kl_resolve *resolve); /* NULL is fine */

#endif
