/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/consumer/assign_racks.h"

#include <stdlib.h>

#include "core/base/crc32c.h"

/* More replicas than any cluster has are not looked at, and more text than any group needs is
 * not made, as a broker's word alone would cost that. */
#define REPLICAS_MAX 64
#define TEXT_MAX (16u << 20)

struct kl_rack_text {
	UT_hash_handle hh; /* by the ids of the replicas, which metadata keeps */
	const char *text;  /* NULL = none of them tells its rack */
};

static const int32_t *replicas_of(const struct kl_topic_info *topic, int32_t partition,
				  size_t *count_out)
{
	const int32_t *ids = kl_replicas_of(&topic->replicas, partition, count_out);
	*count_out = kl_min(*count_out, (size_t)REPLICAS_MAX);
	return ids;
}

static bool are_told(const struct kl_cluster *cluster)
{
	for (const struct kl_broker *b = cluster->brokers; b != NULL; b = b->hh.next)
		if (b->rack != NULL)
			return true;
	return false;
}

/* --- the question --- */

static bool join(struct kl_rack_texts *texts, const int32_t *ids, size_t count,
		 const char **text_out)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		const char *rack = kl_cluster_rack(texts->cluster, ids[i]);
		len += rack != NULL ? strlen(rack) + 1 : 0;
	}
	*text_out = NULL;
	if (len == 0 || len > TEXT_MAX - texts->bytes)
		return true;
	char *text = kl_arena_alloc(texts->arena, len), *p = text;
	if (text == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *rack = kl_cluster_rack(texts->cluster, ids[i]);
		if (rack == NULL)
			continue;
		p = stpcpy(p, rack);
		*p++ = ',';
	}
	p[-1] = '\0';
	texts->bytes += len;
	*text_out = text;
	return true;
}

static struct kl_rack_text *text_of(struct kl_rack_texts *texts, const int32_t *ids,
				    size_t count)
{
	struct kl_rack_text *found = NULL;
	unsigned len = (unsigned)(count * sizeof(*ids));
	HASH_FIND(hh, texts->known, ids, len, found);
	if (found != NULL)
		return found;
	found = kl_arena_alloc(texts->arena, sizeof(*found));
	if (found == NULL || !join(texts, ids, count, &found->text))
		return NULL;
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD_KEYPTR(hh, texts->known, ids, len, found);
	return added ? found : NULL;
}

bool kl_racks_of(struct kl_rack_texts *texts, const struct kl_topic_info *topic,
		 const char *const **racks_out)
{
	*racks_out = NULL;
	if (topic->partition_count <= 0 || !are_told(texts->cluster))
		return true;
	const char **racks = kl_arena_array(texts->arena, (size_t)topic->partition_count,
					    sizeof(*racks));
	if (racks == NULL)
		return false;
	for (int32_t i = 0; i < topic->partition_count; i++) {
		size_t count;
		const int32_t *ids = replicas_of(topic, i, &count);
		if (count == 0)
			continue;
		const struct kl_rack_text *text = text_of(texts, ids, count);
		if (text == NULL)
			return false;
		racks[i] = text->text;
	}
	*racks_out = racks;
	return true;
}

void kl_racks_end(struct kl_rack_texts *texts)
{
	HASH_CLEAR(hh, texts->known);
}

/* --- changes --- */

/* Does an earlier one of them name the same rack? */
static bool is_again(struct kl_cluster *cluster, const int32_t *ids, size_t i,
		     const char *rack)
{
	while (i-- > 0) {
		const char *other = kl_cluster_rack(cluster, ids[i]);
		if (other != NULL && strcmp(other, rack) == 0)
			return true;
	}
	return false;
}

/* Each rack counts once, wherever among the replicas it is. */
static uint32_t print_of(struct kl_cluster *cluster, const int32_t *ids, size_t count)
{
	uint32_t print = 0;
	for (size_t i = 0; i < count; i++) {
		const char *rack = kl_cluster_rack(cluster, ids[i]);
		if (rack != NULL && !is_again(cluster, ids, i, rack))
			print += kl_crc32c(0, rack, strlen(rack));
	}
	return print;
}

uint32_t kl_racks_print(struct kl_cluster *cluster, const struct kl_topic_info *topic)
{
	uint32_t print = 0;
	if (!are_told(cluster))
		return 0;
	for (int32_t i = 0; i < topic->partition_count; i++) {
		size_t count;
		const int32_t *ids = replicas_of(topic, i, &count);
		print = print * 31 + print_of(cluster, ids, count);
	}
	return print;
}
