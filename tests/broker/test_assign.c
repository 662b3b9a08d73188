/* SPDX-License-Identifier: BSD-2-Clause */
/* The coordinator's assignors, and how a member moves to its target: without a broker. */
#include "broker/assign.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/modern.h"
#include "tests/unit/unit.h"

#define TOPICS 6
#define MEMBERS 9

static struct kl_dev_assign assign;
static struct kl_dev_assign_topic topics[TOPICS];
static struct kl_dev_assign_member members[MEMBERS];
static int32_t owners[TOPICS][64], numbers[MEMBERS][TOPICS];
static char names[MEMBERS][4];
static struct kl_arena arena;

static void up(void)
{
	assign = (struct kl_dev_assign){.topics = topics, .members = members,
					.arena = &arena};
}

static void down(void)
{
	kl_arena_free(&arena);
}

static void add_topic(int32_t partitions)
{
	int32_t t = assign.topic_count++;
	topics[t] = (struct kl_dev_assign_topic){
		.id = {{(uint8_t)t}}, .count = partitions, .owners = owners[t]};
	memset(owners[t], -1, sizeof(owners[t]));
}

/* Subscribed to topics whose bit is set. */
static void add_member(unsigned mask)
{
	int32_t m = assign.member_count++;
	snprintf(names[m], sizeof(names[m]), "%c", 'a' + m);
	members[m] = (struct kl_dev_assign_member){
		.id = kl_str(names[m]), .instance = KL_STR_NULL, .topics = numbers[m]};
	for (int32_t t = 0; t < assign.topic_count; t++)
		if (mask & 1u << t)
			numbers[m][members[m].topic_count++] = t;
}

static bool subscribes(int32_t m, int32_t t)
{
	for (int32_t i = 0; i < members[m].topic_count; i++)
		if (members[m].topics[i] == t)
			return true;
	return false;
}

static int32_t load_of(int32_t m)
{
	int32_t n = 0;
	for (int32_t t = 0; t < assign.topic_count; t++)
		for (int32_t i = 0; i < topics[t].count; i++)
			n += owners[t][i] == m;
	return n;
}

/* Everything that has a subscriber is with one. */
static void check_valid(void)
{
	for (int32_t t = 0; t < assign.topic_count; t++) {
		bool any = false;
		for (int32_t m = 0; m < assign.member_count; m++)
			any |= subscribes(m, t);
		for (int32_t i = 0; i < topics[t].count; i++) {
			ck_assert_int_eq(owners[t][i] >= 0, any);
			if (any)
				ck_assert(subscribes(owners[t][i], t));
		}
	}
}

/* No partition could go from who has more to who has two less. */
static void check_balanced(void)
{
	for (int32_t t = 0; t < assign.topic_count; t++)
		for (int32_t i = 0; i < topics[t].count; i++)
			for (int32_t m = 0; m < assign.member_count; m++) {
				int32_t more = load_of(owners[t][i]) - load_of(m);
				ck_assert(!subscribes(m, t) || more <= 1);
			}
}

static char *text_of(int32_t t)
{
	static char text[65];
	for (int32_t i = 0; i < topics[t].count; i++)
		text[i] = owners[t][i] < 0 ? '-' : (char)('a' + owners[t][i]);
	text[topics[t].count] = '\0';
	return text;
}

START_TEST(range_is_by_topic)
{
	add_topic(5);
	add_topic(3);
	add_topic(2);
	add_member(3);
	add_member(7);
	add_member(1);
	ck_assert(kl_dev_assign_range(&assign));
	ck_assert_str_eq(text_of(0), "aabbc");
	ck_assert_str_eq(text_of(1), "aab");
	ck_assert_str_eq(text_of(2), "bb");
	/* Static members come first, by their instances. */
	members[1].instance = KL_STR("z");
	members[2].instance = KL_STR("y");
	ck_assert(kl_dev_assign_range(&assign));
	ck_assert_str_eq(text_of(0), "ccbba");
}
END_TEST

START_TEST(uniform_fills_quotas)
{
	add_topic(5);
	add_topic(2);
	for (int i = 0; i < 3; i++)
		add_member(3);
	ck_assert(kl_dev_assign_uniform(&assign));
	check_valid();
	check_balanced();
	/* One goes: what the others have stays with them. */
	int32_t before[2][64];
	memcpy(before, owners, sizeof(before));
	assign.member_count = 2;
	for (int32_t t = 0; t < 2; t++)
		for (int32_t i = 0; i < topics[t].count; i++)
			if (owners[t][i] == 2)
				owners[t][i] = -1;
	ck_assert(kl_dev_assign_uniform(&assign));
	check_valid();
	check_balanced();
	for (int32_t t = 0; t < 2; t++)
		for (int32_t i = 0; i < topics[t].count; i++)
			if (before[t][i] < 2)
				ck_assert_int_eq(owners[t][i], before[t][i]);
	/* Nothing has changed: nothing changes. */
	memcpy(before, owners, sizeof(before));
	ck_assert(kl_dev_assign_uniform(&assign));
	ck_assert_mem_eq(before, owners, sizeof(before));
}
END_TEST

START_TEST(more_members_than_partitions)
{
	add_topic(2);
	for (int i = 0; i < 4; i++)
		add_member(1);
	ck_assert(kl_dev_assign_uniform(&assign));
	check_valid();
	check_balanced();
	ck_assert(kl_dev_assign_range(&assign));
	ck_assert_str_eq(text_of(0), "ab");
}
END_TEST

/* By chance, with changes in between: valid, even, and the same when asked again. */
START_TEST(uniform_by_chance)
{
	srand((unsigned)_i + 1);
	for (int t = 1 + rand() % TOPICS; t > 0; t--)
		add_topic(rand() % 20);
	unsigned all = (1u << assign.topic_count) - 1;
	for (int m = 1 + rand() % MEMBERS; m > 0; m--)
		add_member(_i % 2 || m == 1 ? all : (unsigned)rand() & all);
	for (int round = 0; round < 4; round++) {
		int32_t before[TOPICS][64];
		int kept = 0, had = 0;
		memcpy(before, owners, sizeof(owners));
		ck_assert(kl_dev_assign_uniform(&assign));
		check_valid();
		check_balanced();
		for (int32_t t = 0; t < assign.topic_count; t++)
			for (int32_t i = 0; i < topics[t].count; i++) {
				had += before[t][i] >= 0;
				kept += before[t][i] >= 0 && before[t][i] == owners[t][i];
			}
		if (round % 2 == 1)
			ck_assert_int_eq(kept, had);
		if (round == 1) /* some of it is gone */
			for (int32_t t = 0; t < assign.topic_count; t++)
				for (int32_t i = 0; i < topics[t].count; i++)
					if (rand() % 3 == 0)
						owners[t][i] = -1;
	}
	int32_t loads = 0;
	for (int32_t m = 0; m < assign.member_count; m++)
		loads += load_of(m);
	for (int32_t t = 0; t < assign.topic_count; t++)
		for (int32_t i = 0; i < topics[t].count; i++)
			loads -= owners[t][i] >= 0;
	ck_assert_int_eq(loads, 0);
}
END_TEST

/* --- a member on its way --- */

static struct kl_dev_modern_now now;
static struct kl_dev_parts target, owned;
static int held = -1; /* a partition that somebody else has */
static bool subscribed = true;

static bool is_subscribed(void *arg, const struct klamm_uuid *topic)
{
	(void)arg;
	(void)topic;
	return subscribed;
}

static bool is_held(void *arg, const struct klamm_uuid *topic, int32_t index)
{
	(void)arg;
	(void)topic;
	return index == held;
}

/* "013": partitions of one topic. */
static void set(struct kl_dev_parts *parts, const char *text, int32_t epoch)
{
	static const struct klamm_uuid topic = {{9}};
	kl_dev_parts_free(parts);
	for (; *text != '\0'; text++)
		ck_assert(kl_dev_parts_add(parts, &topic, *text - '0', epoch));
	kl_dev_parts_sort(parts);
}

static const char *show(const struct kl_dev_parts *parts)
{
	static char text[2][64];
	static int turn;
	char *to = text[turn++ % 2];
	size_t n = 0;
	for (size_t i = 0; i < parts->count; i++)
		to[n++] = (char)('0' + parts->list[i].index);
	to[n] = '\0';
	return to;
}

static int advance(int32_t epoch, const char *owns, bool changed)
{
	struct kl_dev_modern_step step = {
		.target = &target,
		.target_epoch = epoch,
		.subscription_changed = changed,
		.owned = owns != NULL ? &owned : NULL,
		.subscribes = is_subscribed,
		.is_held = is_held,
	};
	set(&owned, owns ?: "", 0);
	return kl_dev_modern_advance(&now, &step);
}

static void begin(const char *has, int32_t epoch)
{
	now = (struct kl_dev_modern_now){.epoch = epoch, .previous_epoch = epoch};
	set(&now.has, has, epoch);
}

static void member_down(void)
{
	kl_dev_parts_free(&now.has);
	kl_dev_parts_free(&now.gives);
	kl_dev_parts_free(&target);
	kl_dev_parts_free(&owned);
}

START_TEST(stays_in_its_epoch)
{
	begin("01", 3);
	set(&target, "01", 0);
	ck_assert_int_eq(advance(3, NULL, false), 0);
	ck_assert_int_eq(advance(4, NULL, false), 1);
	ck_assert_int_eq(now.epoch, 4);
	ck_assert_int_eq(now.previous_epoch, 3);
	ck_assert_int_eq(now.has.list[0].epoch, 3); /* it has it since then */
}
END_TEST

START_TEST(gives_up_first)
{
	begin("01", 3);
	set(&target, "12", 0);
	ck_assert_int_eq(advance(4, NULL, false), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_UNREVOKED);
	ck_assert_int_eq(now.epoch, 3);
	ck_assert_int_eq(now.previous_epoch, 3); /* no earlier one is good any more */
	ck_assert_str_eq(show(&now.has), "1");
	ck_assert_str_eq(show(&now.gives), "0");
	ck_assert_int_eq(advance(4, NULL, false), 0);
	ck_assert_int_eq(advance(4, "01", false), 0);
	ck_assert_int_eq(advance(4, "1", false), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_STABLE);
	ck_assert_int_eq(now.epoch, 4);
	ck_assert_str_eq(show(&now.has), "12");
	ck_assert_int_eq(now.has.list[1].epoch, 4);
	ck_assert_str_eq(show(&now.gives), "");
}
END_TEST

/* It says at once that it has nothing of what goes. */
START_TEST(has_given_up)
{
	begin("01", 3);
	set(&target, "1", 0);
	ck_assert_int_eq(advance(4, "1", false), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_STABLE);
	ck_assert_int_eq(now.epoch, 4);
}
END_TEST

START_TEST(waits_for_others)
{
	begin("0", 3);
	set(&target, "012", 0);
	held = 2;
	ck_assert_int_eq(advance(4, NULL, false), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_UNRELEASED);
	ck_assert_int_eq(now.epoch, 4);
	ck_assert_str_eq(show(&now.has), "01");
	ck_assert_int_eq(advance(4, NULL, false), 1); /* the epoch before is good no more */
	ck_assert_int_eq(advance(4, NULL, false), 0);
	held = -1;
	ck_assert_int_eq(advance(4, NULL, false), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_STABLE);
	ck_assert_str_eq(show(&now.has), "012");
}
END_TEST

START_TEST(drops_what_it_does_not_want)
{
	begin("01", 3);
	set(&target, "01", 0);
	subscribed = false;
	ck_assert_int_eq(advance(3, NULL, true), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_UNREVOKED);
	ck_assert_str_eq(show(&now.gives), "01");
	ck_assert_int_eq(advance(3, "", false), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_STABLE);
	ck_assert_str_eq(show(&now.has), "");
	/* And when it says with the same that it has it no more. */
	begin("01", 3);
	ck_assert_int_eq(advance(3, "", true), 1);
	ck_assert_int_eq(now.state, KL_DEV_MODERN_STABLE);
	ck_assert_str_eq(show(&now.has), "");
}
END_TEST

UNIT_SUITE(assign)
{
	Suite *s = suite_create("assign");
	unit_add_fixture(s, range_is_by_topic, up, down);
	unit_add_fixture(s, uniform_fills_quotas, up, down);
	unit_add_fixture(s, more_members_than_partitions, up, down);
	unit_add_case(s, "uniform_by_chance", uniform_by_chance, up, down, 60);
	unit_add_fixture(s, stays_in_its_epoch, NULL, member_down);
	unit_add_fixture(s, gives_up_first, NULL, member_down);
	unit_add_fixture(s, has_given_up, NULL, member_down);
	unit_add_fixture(s, waits_for_others, NULL, member_down);
	unit_add_fixture(s, drops_what_it_does_not_want, NULL, member_down);
	return s;
}
