/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

static int32_t pick(const struct loaded *l, const void *key, size_t len, int32_t count)
{
	uint64_t slot = 0;
	struct klamm_pick in = {
		.size = sizeof(in),
		.partition_count = count,
		.topic = "t",
		.key = {key, len},
		.slot = &slot,
	};
	return l->plugin->partitioner.pick(l->instance.self, &in);
}

/* Keys and the hash that kafka-python computes for them. */
static const struct {
	const char *key_hex;
	int repeat;
	uint32_t hash;
} vectors[] = {
	{"", 1, 0x106e08d9},
	{"61", 1, 0xa2d0b27c},
	{"6162", 1, 0x12d8262a},
	{"616263", 1, 0x1c94221b},
	{"61626364", 1, 0xb11ab5f4},
	{"313233343536373839", 1, 0x9362de66},
	{"0020", 1, 0x42decd0e},
	{"a4", 1, 0x15e3842e},
	{"81", 1000, 0xe0ad67c4},
	{"6b61666b61", 1, 0xd067cf64},
	{"666f6f", 1, 0x23a256d0},
	{"6b657931", 1, 0x01b38bc4},
	{"3231", 1, 0xc5f2f8ec},
	{"666f6f626172", 1, 0xd0e47bbe},
	{"612d6c6974746c652d6269742d6c6f6e672d737472696e67", 1, 0xc53b1da0},
	{"612d6c6974746c652d6269742d6c6f6e6765722d737472696e67", 1, 0xa768c9c3},
	{"6c6b6a683233346c68396669756839307932336f697568736166756a6861646f66323239706872396831"
	 "396838396838", 1, 0xfc7d49cd},
};

START_TEST(murmur2_agrees_with_other_clients)
{
	static const int32_t counts[] = {1, 3, 12, 50, 1000, INT32_MAX};
	struct loaded *l = loaded_new(KLAMM_KIND_PARTITIONER, "murmur2", "partitioner.class",
				      NULL);
	size_t n;
	uint8_t *unit = unit_hex(vectors[_i].key_hex, &n);
	uint8_t key[1000];
	for (int i = 0; i < vectors[_i].repeat; i++)
		memcpy(key + (size_t)i * n, unit, n);
	n *= (size_t)vectors[_i].repeat;
	for (size_t i = 0; i < kl_countof(counts); i++)
		ck_assert_int_eq(pick(l, key, n, counts[i]),
				 (int32_t)((vectors[_i].hash & 0x7fffffff) %
					   (uint32_t)counts[i]));
	free(unit);
	loaded_free(l);
}
END_TEST

START_TEST(murmur2_leaves_records_without_a_key_to_the_core)
{
	struct loaded *l = loaded_new(KLAMM_KIND_PARTITIONER, "murmur2", "partitioner.class",
				      NULL);
	ck_assert_int_eq(pick(l, NULL, 0, 12), KLAMM_PARTITION_ANY);
	ck_assert_int_eq(pick(l, "", 0, 12), 9);
	ck_assert(l->plugin->partitioner.flags & KLAMM_PARTITIONER_NEEDS_KEY);
	loaded_free(l);
}
END_TEST

START_TEST(roundrobin_takes_turns_per_topic)
{
	struct loaded *l = loaded_new(KLAMM_KIND_PARTITIONER, "roundrobin",
				      "partitioner.class", NULL);
	static const int32_t available[] = {0, 2, 5};
	uint64_t slots[2] = {0, 0};
	struct klamm_pick a = {.size = sizeof(a), .partition_count = 4, .topic = "a",
			       .slot = &slots[0]};
	struct klamm_pick b = {.size = sizeof(b), .partition_count = 6, .topic = "b",
			       .available = available, .available_count = 3,
			       .slot = &slots[1]};
	for (int turn = 0; turn < 24; turn++) {
		ck_assert_int_eq(l->plugin->partitioner.pick(l->instance.self, &a), turn % 4);
		ck_assert_int_eq(l->plugin->partitioner.pick(l->instance.self, &b),
				 available[turn % 3]);
	}
	slots[0] = UINT64_MAX; /* a counter that wraps stays inside the topic */
	ck_assert_int_eq(l->plugin->partitioner.pick(l->instance.self, &a), 3);
	ck_assert_int_eq(l->plugin->partitioner.pick(l->instance.self, &a), 0);
	loaded_free(l);
}
END_TEST

UNIT_SUITE(partitioners)
{
	Suite *s = suite_create("partitioners");
	unit_add_loop(s, murmur2_agrees_with_other_clients, (int)kl_countof(vectors));
	unit_add(s, murmur2_leaves_records_without_a_key_to_the_core);
	unit_add(s, roundrobin_takes_turns_per_topic);
	return s;
}
