/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics as applications see them, made of an answer to Metadata. All of a list is in one
 * arena, which klamm_topic_list_free() frees. */
#ifndef KL_TOPIC_LIST_H
#define KL_TOPIC_LIST_H

#include <klamm/admin.h>

struct kl_metadata_response;

/* All topics of the answer, or (not NULL) the named ones, whether it has them or not; sorted.
 * NULL: out of memory. */
struct klamm_topic_list *kl_topic_list_make(const struct kl_metadata_response *body,
					    const char *const *names, size_t count);

#endif
