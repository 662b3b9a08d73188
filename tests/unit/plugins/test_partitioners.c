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

/* Keys, and where librdkafka 2.0.2 puts them among so many partitions. */
static const int32_t among[] = {3, 12, 50, INT32_MAX};
static const struct {
	const char *key;
	size_t len;
	int32_t consistent[4], fnv1a[4];
} placed[] = {
	{NULL, 0, {0, 0, 0, 0}, {0, 3, 35, 2128831035}},
	{"", 0, {0, 0, 0, 0}, {0, 3, 35, 2128831035}},
	{"kafka", 5, {2, 11, 49, 1539077399}, {2, 5, 45, 221496545}},
	{"giberish123456789", 17, {2, 11, 21, 2067435071}, {2, 5, 23, 2007335573}},
	{"1234", 4, {1, 7, 9, 467919012}, {0, 3, 35, 37477635}},
	{"234", 3, {1, 1, 7, 225540457}, {0, 6, 14, 770325714}},
	{"34", 2, {2, 2, 42, 335971195}, {1, 10, 16, 1947183166}},
	{"4", 1, {1, 4, 8, 1941314361}, {1, 7, 37, 822911587}},
	{"PreAmbleWillBeRemoved,ThePrePartThatIs", 38,
	 {2, 2, 10, 1573627963}, {2, 8, 14, 1707857564}},
	{"\0 ", 2, {2, 11, 45, 2058826295}, {0, 9, 39, 829868589}},
	{"\xa4", 1, {1, 4, 48, 62490748}, {2, 5, 49, 1593065549}},
	{"orders", 6, {2, 2, 12, 1697644015}, {2, 8, 20, 845059820}},
	{"key1", 4, {1, 4, 46, 744252496}, {2, 11, 33, 927623783}},
	/* Its FNV-1a is the number that has no positive counterpart. */
	{"\xf5\x34\x17\x7a\x01", 5, {2, 5, 31, 33641434}, {2, 8, 48, 1}},
};

static void check_placed(const char *name, bool is_fnv1a, bool null_is_any, bool empty_is_any)
{
	struct loaded *l;
	if (!is_shipped(KLAMM_KIND_PARTITIONER, name))
		return;
	l = loaded_new(KLAMM_KIND_PARTITIONER, name, "partitioner.class", NULL);
	ck_assert_uint_eq(l->plugin->partitioner.flags,
			  null_is_any ? KLAMM_PARTITIONER_NEEDS_KEY : 0);
	for (size_t i = 0; i < kl_countof(placed); i++)
		for (size_t n = 0; n < kl_countof(among); n++) {
			int32_t want = is_fnv1a ? placed[i].fnv1a[n] : placed[i].consistent[n];
			if (placed[i].key == NULL ? null_is_any
						  : placed[i].len == 0 && empty_is_any)
				want = KLAMM_PARTITION_ANY;
			ck_assert_int_eq(pick(l, placed[i].key, placed[i].len, among[n]),
					 want);
		}
	loaded_free(l);
}

START_TEST(keys_lie_where_librdkafka_puts_them)
{
	check_placed("consistent", false, false, false);
	check_placed("consistent_random", false, true, true);
	check_placed("fnv1a", true, false, false);
	check_placed("fnv1a_random", true, true, false);
}
END_TEST

/* A plain count: 12000 records over 12 partitions, each of which gets 1000 give or take 30 or
 * so, and no two topics, nor two clients, alike. */
START_TEST(random_is_even_and_never_the_same)
{
	struct loaded *l[2];
	uint64_t slots[3] = {0};
	int32_t got[3][12000];
	for (int i = 0; i < 2; i++)
		l[i] = loaded_new(KLAMM_KIND_PARTITIONER, "random", "partitioner.class", NULL);
	for (int s = 0; s < 3; s++) {
		int32_t counts[12] = {0};
		struct klamm_pick in = {.size = sizeof(in), .partition_count = 12,
					.topic = "t", .slot = &slots[s]};
		for (size_t i = 0; i < kl_countof(got[s]); i++) {
			struct loaded *at = l[s == 2];
			got[s][i] = at->plugin->partitioner.pick(at->instance.self, &in);
			ck_assert(got[s][i] >= 0 && got[s][i] < 12);
			counts[got[s][i]]++;
		}
		for (int i = 0; i < 12; i++)
			ck_assert_msg(counts[i] > 700 && counts[i] < 1300, "%d", counts[i]);
	}
	ck_assert(memcmp(got[0], got[1], sizeof(got[0])) != 0);
	ck_assert(memcmp(got[0], got[2], sizeof(got[0])) != 0);
	for (int i = 0; i < 2; i++)
		loaded_free(l[i]);
}
END_TEST

START_TEST(random_takes_partitions_that_have_a_leader)
{
	static const int32_t available[] = {1, 4};
	struct loaded *l = loaded_new(KLAMM_KIND_PARTITIONER, "random", "partitioner.class",
				      NULL);
	uint64_t slot = 0;
	struct klamm_pick in = {.size = sizeof(in), .partition_count = 6, .topic = "t",
				.available = available, .available_count = 2, .slot = &slot};
	int counts[6] = {0};
	ck_assert(l->plugin->partitioner.flags & KLAMM_PARTITIONER_NEEDS_AVAILABLE);
	for (int i = 0; i < 200; i++)
		counts[l->plugin->partitioner.pick(l->instance.self, &in)]++;
	ck_assert_int_eq(counts[1] + counts[4], 200);
	ck_assert(counts[1] > 0 && counts[4] > 0);
	loaded_free(l);
}
END_TEST

UNIT_SUITE(partitioners)
{
	Suite *s = suite_create("partitioners");
	unit_add_loop(s, murmur2_agrees_with_other_clients, (int)kl_countof(vectors));
	unit_add(s, murmur2_leaves_records_without_a_key_to_the_core);
	unit_add(s, roundrobin_takes_turns_per_topic);
	unit_add(s, keys_lie_where_librdkafka_puts_them);
	unit_add(s, random_is_even_and_never_the_same);
	unit_add(s, random_takes_partitions_that_have_a_leader);
	return s;
}
