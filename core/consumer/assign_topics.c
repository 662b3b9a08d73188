/* SPDX-License-Identifier: BSD-2-Clause */
/* Which topics the members of a classic group want. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/assign.h"
#include "core/proto/gen/messages.h"

int kl_assign_compare(struct kl_str a, struct kl_str b)
{
	int32_t n = kl_min(a.len, b.len);
	int order = n > 0 ? memcmp(a.p, b.p, (size_t)n) : 0;
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_str(const void *a, const void *b)
{
	return kl_assign_compare(*(const struct kl_str *)a, *(const struct kl_str *)b);
}

/* All names of all members, as often as they are there; those that are no name left
 * out. */
static int collect(const struct kl_joined *members, size_t member_count,
		   struct kl_arena *arena, struct kl_str **names_out, size_t *count_out)
{
	struct kl_consumer_protocol_subscription **told =
		kl_arena_array(arena, member_count, sizeof(*told));
	size_t n = 0;
	if (told == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (size_t i = 0; i < member_count; i++) {
		int rc = kl_subscription_parse(members[i].subscription, arena, &told[i],
					       NULL);
		if (rc == KLAMM_ERR_NO_MEMORY)
			return rc;
		n += told[i] != NULL ? (size_t)told[i]->topics_n : 0;
	}
	struct kl_str *names = kl_arena_array(arena, n, sizeof(*names));
	if (names == NULL)
		return KLAMM_ERR_NO_MEMORY;
	*names_out = names;
	*count_out = 0;
	for (size_t i = 0; i < member_count; i++)
		for (int32_t k = 0; told[i] != NULL && k < told[i]->topics_n; k++)
			if (told[i]->topics[k].len > 0 &&
			    memchr(told[i]->topics[k].p, '\0',
				   (size_t)told[i]->topics[k].len) == NULL)
				names[(*count_out)++] = told[i]->topics[k];
	return 0;
}

int kl_assign_topics(const struct kl_joined *members, size_t member_count,
		     struct kl_arena *arena, const char *const **topics_out,
		     size_t *count_out, struct klamm_error *err)
{
	KL_AUTO(kl_arena_free) struct kl_arena scratch = {0};
	struct kl_str *names;
	size_t n, kept = 0;
	const char **topics = NULL;
	if (collect(members, member_count, &scratch, &names, &n) == 0)
		topics = kl_arena_array(arena, n, sizeof(*topics));
	if (topics == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for the subscriptions of %zu members",
				member_count);
	qsort(names, n, sizeof(*names), by_str);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && kl_str_equal(names[i], names[i - 1]))
			continue;
		topics[kept] = kl_arena_text(arena, names[i].p, (size_t)names[i].len);
		if (topics[kept++] == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for the names of %zu topics", n);
	}
	*topics_out = topics;
	*count_out = kept;
	return 0;
}
