/* SPDX-License-Identifier: BSD-2-Clause */
/* What every assignor needs of its question: who reads each topic, and partitions of
 * all topics as numbers in one row. Built in a time that grows with the question's
 * size. */
#ifndef PLUGINS_ASSIGN_H
#define PLUGINS_ASSIGN_H

#include <klamm/assignor.h>

#include <stdlib.h>

struct group {
	const struct klamm_assign *in;
	/* Members are known by their place in here, which says their index in the
	 * question.
	 */
	const uint32_t *order;
	/* Per topic, and behind the last: where its readers begin, and where its
	 * partitions do. A topic that nobody reads has none here. */
	uint32_t *first_reader, *base;
	uint32_t *readers;        /* places, rising within a topic */
	uint32_t partition_count; /* of all topics */
};

static inline const struct klamm_assign_member *group_member(
	const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->members + i * in->member_size);
}

static inline const struct klamm_assign_topic *group_topic(
	const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->topics + i * in->topic_size);
}

/* count * size zeroed bytes of the call's memory; NULL = there is none. */
static inline void *group_alloc(const struct klamm_assign *in, size_t count,
				size_t size)
{
	if (count > SIZE_MAX / 8 / size)
		return NULL;
	return in->arena->alloc(in->arena, count * size);
}

static inline uint32_t group_readers(const struct group *g, size_t topic)
{
	return g->first_reader[topic + 1] - g->first_reader[topic];
}

static inline uint32_t group_partitions(const struct group *g, size_t topic)
{
	return g->base[topic + 1] - g->base[topic];
}

static inline bool group_reads(const struct group *g, size_t topic, uint32_t place)
{
	uint32_t low = g->first_reader[topic], high = g->first_reader[topic + 1];
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (g->readers[middle] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->first_reader[topic + 1] && g->readers[low] == place;
}

static inline int group_no_memory(const struct klamm_assign *in,
				  struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_NO_MEMORY,
			  "out of memory for %zu topics and %zu members",
			  in->topic_count, in->member_count);
}

static inline bool group_find_readers(struct group *g)
{
	const struct klamm_assign *in = g->in;
	size_t total = 0;
	uint32_t *next = group_alloc(in, in->topic_count + 1, sizeof(*next));
	for (size_t m = 0; m < in->member_count; m++)
		total += group_member(in, m)->topic_count;
	g->readers = group_alloc(in, total, sizeof(*g->readers));
	if (next == NULL || g->readers == NULL)
		return false;
	for (size_t m = 0; m < in->member_count; m++) {
		const struct klamm_assign_member *member = group_member(in, m);
		for (size_t i = 0; i < member->topic_count; i++)
			g->first_reader[member->topics[i] + 1]++;
	}
	for (size_t t = 0; t < in->topic_count; t++) {
		g->first_reader[t + 1] += g->first_reader[t];
		next[t] = g->first_reader[t];
	}
	for (uint32_t place = 0; place < in->member_count; place++) {
		const struct klamm_assign_member *member =
			group_member(in, g->order[place]);
		for (size_t i = 0; i < member->topic_count; i++)
			g->readers[next[member->topics[i]]++] = place;
	}
	return true;
}

/* order NULL: as in the question. NO_MEMORY, or LIMIT. */
static inline int group_init(struct group *g, const struct klamm_assign *in,
			     const uint32_t *order, struct klamm_error *err)
{
	uint64_t total = 0;
	*g = (struct group){.in = in, .order = order};
	if (order == NULL) {
		uint32_t *same = group_alloc(in, in->member_count, sizeof(*same));
		for (uint32_t m = 0; same != NULL && m < in->member_count; m++)
			same[m] = m;
		g->order = same;
	}
	g->first_reader =
		group_alloc(in, in->topic_count + 1, sizeof(*g->first_reader));
	g->base = group_alloc(in, in->topic_count + 1, sizeof(*g->base));
	if (g->order == NULL || g->first_reader == NULL || g->base == NULL ||
	    !group_find_readers(g))
		return group_no_memory(in, err);
	for (size_t t = 0; t < in->topic_count; t++) {
		int32_t count = group_topic(in, t)->partition_count;
		g->base[t] = (uint32_t)total;
		total += count > 0 && group_readers(g, t) > 0 ? (uint32_t)count : 0;
		if (total > INT32_MAX)
			return klamm_fail(err, KLAMM_ERR_LIMIT,
					  "the group reads more than %d partitions",
					  INT32_MAX);
	}
	g->base[in->topic_count] = g->partition_count = (uint32_t)total;
	return 0;
}

#endif
