/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/parts.h"

#include <stdlib.h>

#include "broker/store.h"

void kl_dev_parts_free(struct kl_dev_parts *parts)
{
	free(parts->list);
	*parts = (struct kl_dev_parts){0};
}

bool kl_dev_parts_add(struct kl_dev_parts *parts, const struct klamm_uuid *topic,
		      int32_t index, int32_t epoch)
{
	if (!kl_dev_grow((void **)&parts->list, &parts->room, parts->count,
			 sizeof(*parts->list)))
		return false;
	parts->list[parts->count++] = (struct kl_dev_part){*topic, index, epoch};
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct kl_dev_part *x = a, *y = b;
	int rc = memcmp(&x->topic, &y->topic, sizeof(x->topic));
	return rc != 0 ? rc : (x->index > y->index) - (x->index < y->index);
}

void kl_dev_parts_sort(struct kl_dev_parts *parts)
{
	size_t kept = 0;
	if (parts->count > 1)
		qsort(parts->list, parts->count, sizeof(*parts->list), compare);
	for (size_t i = 0; i < parts->count; i++)
		if (kept == 0 || compare(&parts->list[kept - 1], &parts->list[i]) != 0)
			parts->list[kept++] = parts->list[i];
	parts->count = kept;
}

bool kl_dev_parts_copy(struct kl_dev_parts *to, const struct kl_dev_parts *from)
{
	*to = (struct kl_dev_parts){0};
	if (from->count == 0)
		return true;
	to->list = malloc(from->count * sizeof(*from->list));
	if (to->list == NULL)
		return false;
	memcpy(to->list, from->list, from->count * sizeof(*from->list));
	to->count = to->room = from->count;
	return true;
}

const struct kl_dev_part *kl_dev_parts_find(const struct kl_dev_parts *parts,
					    const struct klamm_uuid *topic, int32_t index)
{
	struct kl_dev_part key = {*topic, index, 0};
	if (parts->count == 0)
		return NULL;
	return bsearch(&key, parts->list, parts->count, sizeof(key), compare);
}

bool kl_dev_parts_equal(const struct kl_dev_parts *a, const struct kl_dev_parts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (compare(&a->list[i], &b->list[i]) != 0 ||
		    a->list[i].epoch != b->list[i].epoch)
			return false;
	return true;
}

size_t kl_dev_parts_next_topic(const struct kl_dev_parts *parts, size_t i)
{
	size_t next = i + 1;
	while (next < parts->count &&
	       kl_uuid_equal(&parts->list[next].topic, &parts->list[i].topic))
		next++;
	return next;
}
