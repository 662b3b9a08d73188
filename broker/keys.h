/* SPDX-License-Identifier: BSD-2-Clause */
/* Which offset is the latest of each key: what a compaction decides by. */
#ifndef KL_DEV_KEYS_H
#define KL_DEV_KEYS_H

#include <klamm/types.h>

#include "core/base/arena.h"

struct kl_dev_key;

struct kl_dev_keys {
	struct kl_dev_key *table;
	struct kl_arena arena;
	int64_t latest; /* up to here every record was looked at; -1 = none was */
};

/* max: bytes that all keys may take. */
void kl_dev_keys_init(struct kl_dev_keys *keys, size_t max);
/* Offsets come rising. false: there is no memory for another key. */
bool kl_dev_keys_put(struct kl_dev_keys *keys, struct klamm_span key, int64_t offset);
/* -1 = the key was not seen. */
int64_t kl_dev_keys_find(const struct kl_dev_keys *keys, struct klamm_span key);
void kl_dev_keys_free(struct kl_dev_keys *keys);

#endif
