/* SPDX-License-Identifier: BSD-2-Clause */
/* range, against what Kafka's own RangeAssignor answered: range.txt, made by Range.java of
 * tests/interop, where its form is explained. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/sink.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

#define TOPICS 8
#define MEMBERS 8
#define PARTITIONS 16
#define GROUPS 400

static struct klamm_assign_topic topics[TOPICS];
static struct klamm_assign_member members[MEMBERS];
static uint32_t subscribed[MEMBERS][TOPICS];
static char racks[TOPICS][PARTITIONS][16], names[TOPICS + MEMBERS][8], rack[MEMBERS][8];
static const char *rack_lists[TOPICS][PARTITIONS];
static int32_t expected[TOPICS][PARTITIONS], owners[TOPICS][PARTITIONS];
static size_t topic_count, member_count, answer_count;

static void read_topic(char *line)
{
	size_t t = topic_count++;
	char *list = NULL, *word;
	snprintf(names[t], sizeof(names[t]), "t%zu", t);
	topics[t] = (struct klamm_assign_topic){
		.name = names[t],
		.partition_count = (int32_t)strtol(line, &list, 10),
		.racks = rack_lists[t],
	};
	list++;
	for (int32_t p = 0; (word = strsep(&list, "/")) != NULL; p++) {
		ck_assert_int_lt(p, topics[t].partition_count);
		snprintf(racks[t][p], sizeof(racks[t][p]), "%s", word);
		for (char *c = racks[t][p]; *c != '\0'; c++)
			*c = *c == '+' ? ',' : *c;
		rack_lists[t][p] = strcmp(word, "-") == 0 ? NULL : racks[t][p];
	}
}

static void read_member(char *line)
{
	size_t m = member_count++;
	char *list = line, *word = strsep(&list, " ");
	snprintf(names[TOPICS + m], sizeof(names[0]), "m%zu", m);
	snprintf(rack[m], sizeof(rack[m]), "%s", word);
	members[m] = (struct klamm_assign_member){
		.member_id = names[TOPICS + m],
		.rack = strcmp(word, "-") == 0 ? NULL : rack[m],
		.topics = subscribed[m],
		.generation = -1,
	};
	while ((word = strsep(&list, ",")) != NULL)
		if (strcmp(word, "-") != 0)
			subscribed[m][members[m].topic_count++] = (uint32_t)atoi(word);
}

static void read_answer(char *line)
{
	size_t t = answer_count++, p = 0;
	char *word;
	while ((word = strsep(&line, ",")) != NULL)
		expected[t][p++] = strcmp(word, "-") == 0 ? -1 : atoi(word);
	ck_assert_int_eq((int32_t)p, topics[t].partition_count);
}

static void ask(const struct loaded *l, int group)
{
	struct kl_lent_arena arena;
	static const int32_t never;
	struct klamm_call call = {.size = sizeof(call), .wait_ms = -1, .cancelled = &never};
	int32_t *rows[TOPICS];
	struct klamm_span user_data[MEMBERS] = {{NULL, 0}};
	struct klamm_error err;
	for (size_t t = 0; t < TOPICS; t++)
		rows[t] = owners[t];
	memset(owners, 0xff, sizeof(owners));
	kl_lent_arena_init(&arena, 0, NULL);
	struct klamm_assign in = {
		.size = sizeof(in),
		.member_size = sizeof(members[0]),
		.topic_size = sizeof(topics[0]),
		.members = members,
		.member_count = member_count,
		.topics = topics,
		.topic_count = topic_count,
		.arena = &arena.lent,
		.call = &call,
	};
	struct klamm_assign_answer answer = {
		.size = sizeof(answer), .owner = rows, .user_data = user_data};
	ck_assert_int_eq(l->plugin->assignor.assign(l->instance.self, &in, &answer, &err), 0);
	for (size_t t = 0; t < topic_count; t++)
		for (int32_t p = 0; p < topics[t].partition_count; p++)
			ck_assert_msg(owners[t][p] == expected[t][p],
				      "group %d, t%zu-%d: member %d, in Java %d", group, t, p,
				      owners[t][p], expected[t][p]);
	kl_lent_arena_free(&arena);
}

START_TEST(range_is_java_s_range)
{
	if (!is_shipped(KLAMM_KIND_ASSIGNOR, "range"))
		return;
	struct loaded *l = loaded_new(KLAMM_KIND_ASSIGNOR, "range",
				      "partition.assignment.strategy", NULL);
	ck_assert_str_eq(l->plugin->assignor.protocol_name, "range");
	size_t len;
	char *text = unit_read("tests/unit/plugins/range.txt", &len), *next = text, *line;
	int groups = 0;
	while ((line = strsep(&next, "\n")) != NULL) {
		if (line[0] == 'T') {
			read_topic(line + 2);
		} else if (line[0] == 'M') {
			read_member(line + 2);
		} else if (line[0] == 'A') {
			read_answer(line + 2);
		} else if (topic_count > 0) {
			ck_assert_uint_eq(answer_count, topic_count);
			ask(l, ++groups);
			topic_count = member_count = answer_count = 0;
		}
	}
	ck_assert_int_eq(groups, GROUPS);
	free(text);
	loaded_free(l);
}
END_TEST

UNIT_SUITE(assignors)
{
	Suite *s = suite_create("assignors");
	unit_add(s, range_is_java_s_range);
	return s;
}
