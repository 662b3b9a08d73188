/* SPDX-License-Identifier: BSD-2-Clause */
/* An admin client and the one or two brokers of its cluster, which answer Metadata and
 * FindCoordinator by themselves, and the rest as the test's script says. */
#ifndef UNIT_PAIR_H
#define UNIT_PAIR_H

#include <klamm/admin.h>

#include "tests/unit/admin/peer.h"

extern struct peer
	peers[2]; /* broker 7, and broker 8, which the test starts if it wants it */
extern struct klamm_admin *admin;

/* Groups whose names begin with this letter are broker 8's; 0 = none. */
extern _Atomic char second;
/* NULL from the script leaves Metadata and FindCoordinator to the pair. */
const void *pair_answer(struct peer *peer, const struct kl_frame_header *head,
			const void *request, struct kl_arena *arena);

/* The brokers; no topics. */
const void *pair_metadata(const struct kl_frame_header *head, struct kl_arena *arena);

struct klamm_admin *connect_to(const char *servers, struct klamm_loop *on);
/* Starts broker 7. own: the client has a loop with a thread; otherwise the test's thread steps
 * it. */
void begin(peer_fn script, bool own);
void begin_both(peer_fn script); /* both brokers, and `second` is 'b' */
void end(void);

#endif
