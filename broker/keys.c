/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/keys.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct kl_dev_key {
	UT_hash_handle hh;
	int64_t offset;
	uint8_t bytes[];
};

void kl_dev_keys_init(struct kl_dev_keys *keys, size_t max)
{
	*keys = (struct kl_dev_keys){.arena.max = max, .latest = -1};
}

static struct kl_dev_key *find(const struct kl_dev_keys *keys, struct klamm_span key)
{
	struct kl_dev_key *found = NULL;
	HASH_FIND(hh, keys->table, key.data, key.len, found);
	return found;
}

static struct kl_dev_key *add(struct kl_dev_keys *keys, struct klamm_span key)
{
	struct kl_dev_key *one = kl_arena_alloc(&keys->arena, sizeof(*one) + key.len);
	if (one == NULL)
		return NULL;
	memcpy(one->bytes, key.data, key.len);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD_KEYPTR(hh, keys->table, one->bytes, key.len, one);
	return added ? one : NULL;
}

bool kl_dev_keys_put(struct kl_dev_keys *keys, struct klamm_span key, int64_t offset)
{
	struct kl_dev_key *one = find(keys, key) ?: add(keys, key);
	if (one == NULL)
		return false;
	one->offset = offset;
	keys->latest = offset;
	return true;
}

int64_t kl_dev_keys_find(const struct kl_dev_keys *keys, struct klamm_span key)
{
	const struct kl_dev_key *one = find(keys, key);
	return one != NULL ? one->offset : -1;
}

void kl_dev_keys_free(struct kl_dev_keys *keys)
{
	HASH_CLEAR(hh, keys->table);
	kl_arena_free(&keys->arena);
	keys->latest = -1;
}
