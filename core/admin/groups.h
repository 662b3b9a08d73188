/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files about groups share. */
#ifndef KL_ADMIN_GROUPS_H
#define KL_ADMIN_GROUPS_H

#include "core/admin/scatter.h"

/* A copy in arena; null becomes "". NULL: out of memory. */
static inline const char *kl_group_text(struct kl_arena *arena, struct kl_str text)
{
	return kl_arena_text(arena, text.p, (size_t)kl_max(text.len, 0));
}

/* Null stays NULL. false: out of memory. */
static inline bool kl_group_copy(struct kl_arena *arena, struct kl_str text,
				 const char **out)
{
	*out = text.len >= 0 ? kl_group_text(arena, text) : NULL;
	return *out != NULL || text.len < 0;
}

/* What is left of a call that makes several others. */
static inline int64_t kl_admin_left_ms(struct klamm_admin *admin, int64_t deadline)
{
	if (deadline == KL_NEVER)
		return KLAMM_FOREVER;
	return kl_max((deadline - admin->os->now(admin->os)) / KL_MS, (int64_t)0);
}

/* Partitions that a member has or is to have, put together topic by topic. */
struct kl_group_parts {
	struct kl_arena *arena;
	struct klamm_topic_partition *list;
	size_t count;
};
/* Room for so many in all. The next one for each topic; and then they are sorted. false: out
 * of memory. */
bool kl_group_parts_begin(struct kl_group_parts *parts, struct kl_arena *arena, size_t room);
bool kl_group_parts_add(struct kl_group_parts *parts, struct kl_str topic,
			const int32_t *partitions, int32_t count);
void kl_group_parts_end(struct kl_group_parts *parts);

/* What members of a classic group of consumers told of themselves. false: it cannot be read,
 * or out of memory. */
bool kl_group_subscription(struct kl_arena *arena, struct kl_bytes metadata,
			   struct klamm_group_member *member);
bool kl_group_assignment(struct kl_arena *arena, struct kl_bytes bytes,
			 struct klamm_group_member *member);

#endif
