/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of a scattered call: scatter.c is the call and where its items are to be
 * asked, scatter_item.c what becomes of one item, scatter_part.c a request and its answer. */
#ifndef KL_SCATTER_INT_H
#define KL_SCATTER_INT_H

#include "core/admin/scatter.h"

static inline int64_t kl_scatter_now(const struct kl_scatter *s)
{
	return s->admin->loop->now;
}

/* --- scatter.c --- */
/* The call goes on then, or when it has to end. */
void kl_scatter_come_back(struct kl_scatter *s, int64_t at);

/* --- scatter_item.c --- */
/* It may be asked. */
bool kl_item_is_idle(const struct kl_scatter *s, const struct kl_item *item);
/* No answer: the next attempt asks who coordinates the group, which may be another one now. */
void kl_item_unreachable(struct kl_scatter *s, struct kl_item *item,
			 const struct klamm_error *why);
void kl_item_time_out(struct kl_scatter *s, struct kl_item *item);

/* --- scatter_part.c --- */
/* A request to its broker is under way, and takes no more. */
bool kl_item_is_busy(const struct kl_scatter *s, const struct kl_item *item);
/* Ask that broker for it, and for others that are to be asked there. */
void kl_item_ask(struct kl_scatter *s, struct kl_item *item, struct kl_node *node);
void kl_part_free(struct kl_part *part);

#endif
