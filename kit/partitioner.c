/* SPDX-License-Identifier: BSD-2-Clause */
/* What a partitioner must do: <klamm/partitioner.h>. */
#include <stdlib.h>

#include "kit/inside.h"

static const int32_t counts[] = {1, 2, 3, 12, 50, 1000, 1 << 20};
static const int32_t available[] = {0, 2, 5, 7};
#define KEYS 500
#define KEY_MAX 64

/* The i-th key: 0 bytes at first, then longer ones. */
static size_t make_key(uint8_t key[static KEY_MAX], int i)
{
	uint32_t seed = (uint32_t)i * 77 + 1;
	size_t n = (size_t)i % KEY_MAX;
	for (size_t at = 0; at < n; at++)
		key[at] = (uint8_t)kit_random(&seed);
	return n;
}

static bool is_called_for(const struct kit *k, const struct klamm_pick *in)
{
	return in->key.data != NULL ||
	       !(k->plugin->partitioner.flags & KLAMM_PARTITIONER_NEEDS_KEY);
}

static struct klamm_pick question(const struct kit *k, int32_t count, uint64_t *slot)
{
	struct klamm_pick in = {.size = sizeof(in), .partition_count = count,
				.topic = "klamm-kit", .value = {"value", 5}, .slot = slot};
	if (k->plugin->partitioner.flags & KLAMM_PARTITIONER_NEEDS_AVAILABLE && count > 7) {
		in.available = available;
		in.available_count = kl_countof(available);
	}
	return in;
}

static const char *check_answer(struct kit *k, const struct klamm_pick *in, int32_t answer)
{
	if (answer >= 0 && answer < in->partition_count)
		return NULL;
	if (answer == KLAMM_PARTITION_ANY)
		return NULL;
	if (answer < KLAMM_PARTITION_ANY && strcmp(klamm_err_name(answer), "UNKNOWN") != 0)
		return NULL;
	return kit_say(k, "pick() answers partition %d, out of range for a topic of %d",
		       answer, in->partition_count);
}

static int32_t pick(struct kit *k, const struct kl_instance *instance,
		    const struct klamm_pick *in)
{
	kit_step(k, "pick() for a key of %zu bytes among %d partitions", in->key.len,
		 in->partition_count);
	return k->plugin->partitioner.pick(instance->self, in);
}

static const char *range_of_count(struct kit *k, const struct kl_instance *instance,
				  struct kit_guard *guard, int32_t count)
{
	const char *text = NULL;
	uint64_t slot = 0;
	for (int i = -1; text == NULL && i < KEYS; i++) {
		uint8_t key[KEY_MAX];
		size_t n = i >= 0 ? make_key(key, i) : 0;
		struct klamm_pick in = question(k, count, &slot);
		if (i >= 0)
			in.key = (struct klamm_span){kit_guard_put(guard, key, n), n};
		if (is_called_for(k, &in))
			text = check_answer(k, &in, pick(k, instance, &in));
	}
	slot = UINT64_MAX - 3; /* counters wrap */
	for (int i = 0; text == NULL && i < 8; i++) {
		struct klamm_pick in = question(k, count, &slot);
		in.key = (struct klamm_span){kit_guard_put(guard, "key", 3), 3};
		text = check_answer(k, &in, pick(k, instance, &in));
	}
	return text;
}

const char *kit_partitioner_range(struct kit *k)
{
	struct kl_instance instance;
	struct kit_guard guard;
	const char *text = kit_open(k, NULL, &instance);
	if (text == NULL && !kit_guard_init(&guard, KEY_MAX))
		text = kit_say(k, "the kit is out of memory");
	for (size_t i = 0; text == NULL && i < kl_countof(counts); i++)
		text = range_of_count(k, &instance, &guard, counts[i]);
	if (text != NULL)
		return text;
	kit_guard_free(&guard);
	kit_close(k, &instance);
	return NULL;
}

/* A slot that was used once: an empty one may have been filled by chance. */
static uint64_t begin_slot(struct kit *k, const struct kl_instance *instance)
{
	uint64_t slot = 0;
	struct klamm_pick in = question(k, 12, &slot);
	in.key = (struct klamm_span){"key", 3};
	pick(k, instance, &in);
	return slot;
}

/* The same record, with the slot as it was: chance and turns live in the slot, or are left to
 * the core by answering ANY. */
static int32_t pick_key(struct kit *k, const struct kl_instance *instance, uint64_t slot,
			int i)
{
	uint8_t key[KEY_MAX];
	struct klamm_pick in = question(k, 12, &slot);
	in.key.len = make_key(key, i);
	in.key.data = key;
	return pick(k, instance, &in);
}

const char *kit_partitioner_stable(struct kit *k)
{
	struct kl_instance a, b;
	uint64_t begun = 0;
	const char *text = kit_open(k, NULL, &a);
	if (text == NULL)
		text = kit_open(k, NULL, &b);
	if (text == NULL)
		begun = begin_slot(k, &a);
	for (int round = 0; text == NULL && round < 3; round++) {
		for (int i = 0; text == NULL && i < KEYS; i++) {
			int32_t first = pick_key(k, &a, begun, i);
			int32_t second = pick_key(k, round == 2 ? &b : &a, begun, i);
			if (first != second)
				text = kit_say(k,
					       "pick() is unstable: the same key goes to "
					       "partition "
					       "%d and then to %d%s",
					       first, second,
					       round == 2 ? " in another client" : "");
		}
	}
	if (text != NULL)
		return text;
	kit_close(k, &a);
	kit_close(k, &b);
	return NULL;
}

const char *kit_partitioner_batches(struct kit *k)
{
	struct kl_instance instance;
	uint64_t slot = 0;
	if (k->plugin->partitioner.on_new_batch == NULL)
		return kit_skip(k, "it has no on_new_batch()");
	const char *text = kit_open(k, NULL, &instance);
	for (int i = 0; text == NULL && i < 100; i++) {
		struct klamm_pick in = question(k, 12, &slot);
		if (k->plugin->partitioner.flags & KLAMM_PARTITIONER_NEEDS_KEY)
			in.key = (struct klamm_span){"key", 3};
		int32_t was = pick(k, &instance, &in);
		kit_step(k, "on_new_batch()");
		if (was >= 0)
			k->plugin->partitioner.on_new_batch(instance.self, &in, was);
		text = check_answer(k, &in, pick(k, &instance, &in));
	}
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

const char *kit_partitioner_use(struct kit *k, struct kl_instance *instance)
{
	uint64_t slot = 0;
	struct klamm_pick in = question(k, 12, &slot);
	in.key = (struct klamm_span){"key", 3};
	return check_answer(k, &in, pick(k, instance, &in));
}

/* --- threads --- */

struct shared {
	struct kl_instance instance;
	uint64_t begun;
	int32_t expected[KEYS];
};

static const char *pick_at_once(struct kit *k, void *arg, int thread)
{
	struct shared *shared = arg;
	for (int round = 0; round < 4; round++)
		for (int i = 0; i < KEYS; i++) {
			int32_t answer =
				pick_key(k, &shared->instance, shared->begun,
					 (i + thread * 31) % KEYS);
			if (answer != shared->expected[(i + thread * 31) % KEYS])
				return kit_say(k,
					       "concurrent calls of pick() on one self "
					       "disturb each "
					       "other: %d instead of %d (or is it SERIAL?)",
					       answer,
					       shared->expected[(i + thread * 31) % KEYS]);
		}
	return NULL;
}

const char *kit_partitioner_together(struct kit *k)
{
	struct shared shared;
	if (k->plugin->partitioner.flags & KLAMM_PARTITIONER_SERIAL)
		return kit_skip(k, "it is SERIAL");
	const char *text = kit_open(k, NULL, &shared.instance);
	if (text == NULL)
		shared.begun = begin_slot(k, &shared.instance);
	for (int i = 0; text == NULL && i < KEYS; i++)
		shared.expected[i] = pick_key(k, &shared.instance, shared.begun, i);
	if (text == NULL)
		text = kit_together(k, pick_at_once, &shared);
	if (text == NULL)
		kit_close(k, &shared.instance);
	return text;
}
