/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/keyed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 7
#define VALUE_MAX 700
/* Retries leave some records in several places. */
#define PLACES 100

struct keyed {
	unsigned max, sent, acked, read, strange;
	int64_t *offsets; /* by number: where it was acknowledged last, -1 = it was not */
	uint32_t *ids;    /* those that were read, and where */
	int64_t *places;
	struct klamm_header header;
	uint8_t number[4], key, value[VALUE_MAX];
};

static uint32_t mix(uint32_t id)
{
	return id * 2654435761u >> 7;
}

static uint8_t key_of(uint32_t id)
{
	return (uint8_t)('a' + mix(id) % KEYS);
}

static bool is_tombstone(uint32_t id)
{
	return mix(id + 1000) % 5 == 0;
}

static size_t value_of(uint32_t id, uint8_t value[static VALUE_MAX])
{
	size_t n = mix(id + 2000) % VALUE_MAX;
	memset(value, (int)(id & 0xff), n);
	return n;
}

struct keyed *keyed_new(unsigned max)
{
	struct keyed *k = calloc(1, sizeof(*k));
	if (k == NULL)
		abort();
	k->max = max;
	k->offsets = malloc(max * sizeof(*k->offsets));
	k->ids = malloc(max * sizeof(*k->ids) * PLACES);
	k->places = malloc(max * sizeof(*k->places) * PLACES);
	if (k->offsets == NULL || k->ids == NULL || k->places == NULL)
		abort();
	return k;
}

void keyed_free(struct keyed *k)
{
	free(k->offsets);
	free(k->ids);
	free(k->places);
	free(k);
}

uint32_t keyed_next(struct keyed *k, struct klamm_record *record)
{
	uint32_t id = k->sent++;
	if (id >= k->max)
		abort();
	k->offsets[id] = -1;
	k->key = key_of(id);
	kl_store_u32(k->number, id);
	k->header = (struct klamm_header){{"id", 2}, {k->number, 4}};
	klamm_record_init(record);
	record->key = (struct klamm_span){&k->key, 1};
	if (!is_tombstone(id))
		record->value = (struct klamm_span){k->value, value_of(id, k->value)};
	record->headers = &k->header;
	record->header_count = 1;
	record->partition = 0;
	return id;
}

void keyed_acked(struct keyed *k, uint32_t id, int64_t offset)
{
	k->offsets[id] = offset;
	k->acked++;
}

static bool is_whole(const struct klamm_record_view *view, uint32_t id)
{
	uint8_t value[VALUE_MAX];
	size_t n = value_of(id, value);
	if (view->key.len != 1 || *(const uint8_t *)view->key.data != key_of(id))
		return false;
	if (is_tombstone(id))
		return view->value.data == NULL;
	return view->value.data != NULL && view->value.len == n &&
	       memcmp(view->value.data, value, n) == 0;
}

void keyed_read(struct keyed *k, const struct klamm_record_view *view)
{
	struct klamm_header header;
	uint32_t id = UINT32_MAX;
	if (view->header_count == 1 && klamm_record_header(view, 0, &header) == 0 &&
	    header.value.len == 4)
		id = kl_load_u32(header.value.data);
	bool rises = k->read == 0 || k->places[k->read - 1] < view->offset;
	if (k->read == k->max * PLACES || id >= k->sent || !is_whole(view, id) || !rises) {
		k->strange++;
		return;
	}
	k->ids[k->read] = id;
	k->places[k->read++] = view->offset;
}

/* The acknowledged record of the key with the highest offset; UINT32_MAX = none. */
static uint32_t latest(const struct keyed *k, uint8_t key)
{
	uint32_t best = UINT32_MAX;
	for (uint32_t id = 0; id < k->sent; id++)
		if (key_of(id) == key && k->offsets[id] >= 0 &&
		    (best == UINT32_MAX || k->offsets[id] > k->offsets[best]))
			best = id;
	return best;
}

/* Something at or behind the offset: the record itself, or one of its key that came later. */
static bool is_there(const struct keyed *k, uint32_t id)
{
	for (unsigned i = 0; i < k->read; i++)
		if (key_of(k->ids[i]) == key_of(id) &&
		    (k->places[i] > k->offsets[id] ||
		     (k->places[i] == k->offsets[id] && k->ids[i] == id)))
			return true;
	return false;
}

static bool has_older(const struct keyed *k, uint32_t id)
{
	for (unsigned i = 0; i < k->read; i++)
		if (key_of(k->ids[i]) == key_of(id) && k->places[i] < k->offsets[id])
			return true;
	return false;
}

void keyed_check(const struct keyed *k, struct kl_buf *why)
{
	if (k->strange > 0)
		kl_buf_printf(why, "%u keyed records that nobody sent so\n", k->strange);
	for (uint8_t key = 'a'; key < 'a' + KEYS; key++) {
		uint32_t id = latest(k, key);
		if (id == UINT32_MAX || is_there(k, id))
			continue;
		if (!is_tombstone(id))
			kl_buf_printf(why,
				      "key %c: record %u, acknowledged at %lld, is gone\n",
				      key, (unsigned)id, (long long)k->offsets[id]);
		else if (has_older(k, id))
			kl_buf_printf(why,
				      "key %c: the tombstone at %lld is gone, but not what "
				      "it buried\n",
				      key, (long long)k->offsets[id]);
	}
}

void keyed_note(const struct keyed *k, struct kl_buf *note)
{
	kl_buf_printf(note, ", %u of %u keyed left", k->read, k->acked);
}
