/* SPDX-License-Identifier: BSD-2-Clause */
/* Which topics members of a modern group subscribe to. */
#include <stdlib.h>

#include "broker/groups.h"
#include "broker/modern.h"
#include "broker/store.h"
#include "core/base/crc32.h"
#include "core/base/crc32c.h"

static int by_id(const void *a, const void *b)
{
	const struct kl_dev_topic *x = *(struct kl_dev_topic *const *)a;
	const struct kl_dev_topic *y = *(struct kl_dev_topic *const *)b;
	return memcmp(&x->id, &y->id, sizeof(x->id));
}

static int by_name(const void *a, const void *b)
{
	const struct kl_dev_topic *x = *(struct kl_dev_topic *const *)a;
	const struct kl_dev_topic *y = *(struct kl_dev_topic *const *)b;
	return strcmp(x->name, y->name);
}

static int32_t unique(struct kl_dev_topic **topics, int32_t n)
{
	int32_t kept = 0;
	if (n > 1)
		qsort(topics, (size_t)n, sizeof(*topics), by_id);
	for (int32_t i = 0; i < n; i++)
		if (kept == 0 || topics[kept - 1] != topics[i])
			topics[kept++] = topics[i];
	return kept;
}

static void add_named(struct klamm_broker *broker, const struct kl_str *names, int32_t n,
		      struct kl_dev_topic **topics, int32_t *count)
{
	for (int32_t i = 0; i < n; i++) {
		struct kl_dev_topic *topic = kl_dev_topic_named(broker, names[i]);
		if (topic != NULL)
			topics[(*count)++] = topic;
	}
}

bool kl_dev_modern_topics_of(const struct kl_dev_modern_change *change,
			     const struct kl_consumer_group_member_metadata_value *about,
			     struct kl_dev_topic ***topics_out, int32_t *count_out)
{
	struct klamm_broker *broker = change->group->broker;
	const struct kl_dev_modern_regex *regex =
		kl_dev_modern_regex(change->group, kl_dev_modern_pattern(about));
	int32_t by_regex = regex != NULL ? regex->topic_count : 0;
	int32_t by_names = about != NULL ? kl_max(about->subscribed_topic_names_n, 0) : 0;
	*count_out = 0;
	*topics_out = kl_arena_array(change->arena, (size_t)by_regex + (size_t)by_names,
				     sizeof(**topics_out));
	if (*topics_out == NULL)
		return false;
	if (by_names > 0)
		add_named(broker, about->subscribed_topic_names, by_names, *topics_out,
			  count_out);
	if (by_regex > 0)
		add_named(broker, regex->topics, by_regex, *topics_out, count_out);
	*count_out = unique(*topics_out, *count_out);
	return true;
}

/* What every member subscribes to, by name; each once. */
static bool all_topics(const struct kl_dev_modern_change *change,
		       struct kl_dev_topic ***topics_out, int32_t *count_out)
{
	struct kl_dev_modern_member *member, *next;
	struct kl_dev_topic **all = NULL;
	size_t count = 0, room = 0;
	bool ok = true;
	HASH_ITER(hh, change->group->modern->members, member, next)
	{
		struct kl_dev_topic **topics;
		int32_t n;
		ok = ok && kl_dev_modern_topics_of(change,
						   member == change->member
							   ? change->about
							   : member->about.value,
						   &topics, &n);
		for (int32_t i = 0; ok && i < n; i++) {
			ok = kl_dev_grow((void **)&all, &room, count, sizeof(*all));
			if (ok)
				all[count++] = topics[i];
		}
		if (count > 4096) /* most have the same */
			count = (size_t)unique(all, (int32_t)count);
	}
	*topics_out = kl_arena_array(change->arena, count, sizeof(*all));
	ok = ok && *topics_out != NULL;
	*count_out = ok ? unique(all, (int32_t)count) : 0;
	for (int32_t i = 0; i < *count_out; i++)
		(*topics_out)[i] = all[i];
	free(all);
	if (*count_out > 1)
		qsort(*topics_out, (size_t)*count_out, sizeof(**topics_out), by_name);
	return ok;
}

/* Another id, another number of partitions, another topic: another hash. */
bool kl_dev_modern_hash(const struct kl_dev_modern_change *change, int64_t *hash_out)
{
	struct kl_dev_topic **topics;
	int32_t n;
	uint32_t low = 0, high = 0;
	if (!all_topics(change, &topics, &n))
		return false;
	for (int32_t i = 0; i < n; i++) {
		struct {
			struct klamm_uuid id;
			int32_t count;
		} facts = {topics[i]->id, topics[i]->partition_count};
		low = kl_crc32c(low, &facts, sizeof(facts));
		high = kl_crc32(high, &facts, sizeof(facts));
	}
	*hash_out = (int64_t)((uint64_t)high << 32 | low);
	return true;
}

static bool is_among(struct kl_str name, const struct kl_str *names, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		if (kl_str_equal(names[i], name))
			return true;
	return false;
}

bool kl_dev_modern_subscribes(const struct kl_dev_group *group, struct kl_str topic)
{
	struct kl_dev_modern_member *member, *next;
	HASH_ITER(hh, group->modern->members, member, next)
	{
		const struct kl_consumer_group_member_metadata_value *about =
			member->about.value;
		const struct kl_dev_modern_regex *regex =
			kl_dev_modern_regex(group, kl_dev_modern_pattern(about));
		if (about != NULL && is_among(topic, about->subscribed_topic_names,
					      about->subscribed_topic_names_n))
			return true;
		if (regex != NULL && is_among(topic, regex->topics, regex->topic_count))
			return true;
	}
	return false;
}
