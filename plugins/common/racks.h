/* SPDX-License-Identifier: BSD-2-Clause */
/* Which members are near which partitions (KIP-881): racks of members as numbers, and
 * of each partition those of its replicas that some member is in. */
#ifndef PLUGINS_RACKS_H
#define PLUGINS_RACKS_H

#include "plugins/common/assign.h"

struct racks {
	const char **names; /* of members, sorted, each once */
	uint32_t count;
	int32_t *of;     /* per place: a rack, -1 = none */
	uint32_t *first; /* per partition and behind the last: where its racks begin, */
	uint32_t *near;  /* each once */
};

/* The replicas' racks of a partition, "a,b"; NULL and "" = none told. */
static inline const char *racks_told(const struct klamm_assign_topic *topic,
				     uint32_t partition)
{
	return topic->racks != NULL ? topic->racks[partition] : NULL;
}

/* The next name of such a list: its length, 0 = the end. *list: NULL at first for none.
 */
static inline size_t racks_next(const char **list, const char **name_out)
{
	while (*list != NULL && **list != '\0') {
		size_t n = strcspn(*list, ",");
		*name_out = *list;
		*list += n + ((*list)[n] == ',');
		if (n > 0)
			return n;
	}
	return 0;
}

static inline bool racks_name(const char *list, const char *name, size_t len)
{
	const char *other;
	size_t n;
	while ((n = racks_next(&list, &other)) > 0)
		if (n == len && memcmp(other, name, len) == 0)
			return true;
	return false;
}

static inline bool racks_within(const char *list, const char *other)
{
	const char *name;
	size_t n;
	while ((n = racks_next(&list, &name)) > 0)
		if (!racks_name(other, name, n))
			return false;
	return true;
}

/* Do two lists name the same racks? */
static inline bool racks_same(const char *a, const char *b)
{
	if (a == b || (a != NULL && b != NULL && strcmp(a, b) == 0))
		return true;
	return racks_within(a, b) && racks_within(b, a);
}

static inline bool racks_near(const struct racks *r, uint32_t partition, int32_t rack)
{
	for (uint32_t i = r->first[partition]; i < r->first[partition + 1]; i++)
		if (r->near[i] == (uint32_t)rack)
			return true;
	return false;
}

static inline int racks_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static inline int32_t racks_find(const struct racks *r, const char *name, size_t len)
{
	uint32_t low = 0, high = r->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strncmp(r->names[middle], name, len);
		if (order == 0 && r->names[middle][len] == '\0')
			return (int32_t)middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

static inline bool racks_of_members(struct racks *r, const struct group *g)
{
	const struct klamm_assign *in = g->in;
	size_t n = 0;
	r->names = group_alloc(in, in->member_count, sizeof(*r->names));
	r->of = group_alloc(in, in->member_count, sizeof(*r->of));
	if (r->names == NULL || r->of == NULL)
		return false;
	for (size_t m = 0; m < in->member_count; m++) {
		const char *rack = group_member(in, m)->rack;
		if (rack != NULL && rack[0] != '\0')
			r->names[n++] = rack;
	}
	qsort(r->names, n, sizeof(*r->names), racks_order);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(r->names[i], r->names[r->count - 1]) != 0)
			r->names[r->count++] = r->names[i];
	for (size_t place = 0; place < in->member_count; place++) {
		const char *rack = group_member(in, g->order[place])->rack;
		r->of[place] = rack != NULL ? racks_find(r, rack, strlen(rack)) : -1;
	}
	return true;
}

/* Append the known racks of a partition to near, which has room for all that are named.
 */
static inline void racks_of_partition(struct racks *r, uint32_t partition,
				      const char *list)
{
	const char *name;
	size_t n;
	r->first[partition + 1] = r->first[partition];
	while ((n = racks_next(&list, &name)) > 0) {
		int32_t rack = racks_find(r, name, n);
		if (rack >= 0 && !racks_near(r, partition, rack))
			r->near[r->first[partition + 1]++] = (uint32_t)rack;
	}
}

/* false: out of memory. Without any member that tells its rack, count is 0 and nothing
 * else is to be asked of it but `of`. */
static inline bool racks_init(struct racks *r, const struct group *g)
{
	const struct klamm_assign *in = g->in;
	size_t named = 0;
	*r = (struct racks){0};
	if (!racks_of_members(r, g))
		return false;
	if (r->count == 0)
		return true;
	for (size_t t = 0; t < in->topic_count; t++)
		for (uint32_t p = 0; p < group_partitions(g, t); p++) {
			const char *list = racks_told(group_topic(in, t), p), *name;
			while (racks_next(&list, &name) > 0)
				named++;
		}
	r->first = group_alloc(in, (size_t)g->partition_count + 1, sizeof(*r->first));
	r->near = group_alloc(in, named, sizeof(*r->near));
	if (r->first == NULL || r->near == NULL)
		return false;
	for (size_t t = 0; t < in->topic_count; t++)
		for (uint32_t p = 0; p < group_partitions(g, t); p++)
			racks_of_partition(r, g->base[t] + p,
					   racks_told(group_topic(in, t), p));
	return true;
}

#endif
