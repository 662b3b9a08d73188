/* SPDX-License-Identifier: BSD-2-Clause */
/* The sticky assignment, when it is known what each member claims. */
#ifndef PLUGINS_STICKY_ASSIGN_H
#define PLUGINS_STICKY_ASSIGN_H

#include "plugins/common/sticky_equal.h"
#include "plugins/common/sticky_general.h"

static inline int sticky_assign_claimed(struct sticky *s, struct klamm_error *err)
{
	int rc = 0;
	if (!sticky_judge_claims(s))
		rc = KLAMM_ERR_NO_MEMORY;
	else if (!sticky_is_equal(s))
		rc = general_assign(s);
	else if (!equal_assign(s))
		rc = KLAMM_ERR_NO_MEMORY;
	if (rc == KLAMM_ERR_NO_MEMORY)
		return group_no_memory(s->group.in, err);
	return rc != 0 ? klamm_fail(err, rc, "nobody waits for it any more") : 0;
}

/* --- numbers as Java writes them, in what members tell the leader --- */

struct sticky_bytes {
	const uint8_t *p, *end;
	bool failed; /* it ends too soon, or a length is impossible */
};

static inline const uint8_t *sticky_read(struct sticky_bytes *b, size_t n)
{
	if (b->failed || n > (size_t)(b->end - b->p)) {
		b->failed = true;
		return NULL;
	}
	b->p += n;
	return b->p - n;
}

static inline int32_t sticky_read_i32(struct sticky_bytes *b)
{
	const uint8_t *p = sticky_read(b, 4);
	if (p == NULL)
		return -1;
	return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			 (uint32_t)p[2] << 8 | p[3]);
}

static inline void sticky_store_i32(uint8_t *p, int32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)((uint32_t)v >> (24 - 8 * i));
}

#endif
