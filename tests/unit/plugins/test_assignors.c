/* SPDX-License-Identifier: BSD-2-Clause */
/* The assignors, against what Kafka's own answered to the same groups over some
 * generations: assignors.txt, made by Assign.java of tests/interop, where its form is
 * explained. What members tell the leader is the same to the byte. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/crc32c.h"
#include "core/consumer/assign.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

#define TOPICS     8
#define MEMBERS    8
#define PARTITIONS 32
#define NAME       8

static const char *const topic_names[TOPICS] = {"p0", "p1", "p2", "p3",
						"p4", "p5", "p6", "p7"};

/* A member as a line has it. */
struct told {
	char id[NAME], instance[NAME], rack[NAME];
	const char *topics[TOPICS];
	struct klamm_topic_partition had[TOPICS * PARTITIONS];
	size_t topic_count, had_count;
	int32_t generation;
	uint32_t checksum;
	bool is_new;
};

static struct group {
	char name[24];
	int number;
	struct klamm_assign_topic topics[TOPICS];
	char racks[TOPICS][PARTITIONS][16];
	const char *lists[TOPICS][PARTITIONS];
	struct told members[MEMBERS];
	char owners[TOPICS][PARTITIONS]; /* the digit of an id, '-' = nobody */
	size_t topic_count, member_count, answer_count;
	int withheld; /* what Java gives, and the core keeps back */
	/* One that was told what its member has, and one that knows nothing. */
	struct loaded *told, *fresh;
} g;

static void read_topic(char *line)
{
	size_t t = g.topic_count++;
	char *list = NULL, *word;
	ck_assert_uint_lt(t, TOPICS);
	g.topics[t] = (struct klamm_assign_topic){
		.name = topic_names[t],
		.partition_count = (int32_t)strtol(line, &list, 10),
		.racks = g.lists[t],
	};
	list++;
	for (int32_t p = 0; (word = strsep(&list, "/")) != NULL; p++) {
		ck_assert_int_lt(p, PARTITIONS);
		snprintf(g.racks[t][p], sizeof(g.racks[t][p]), "%s", word);
		for (char *c = g.racks[t][p]; *c != '\0'; c++)
			*c = *c == '+' ? ',' : *c;
		g.lists[t][p] = strcmp(word, "-") == 0 ? NULL : g.racks[t][p];
	}
}

/* "0:1,2;3:0" */
static void read_had(struct told *m, char *text)
{
	char *topic, *number;
	m->is_new = strcmp(text, "?") == 0;
	if (m->is_new || strcmp(text, "-") == 0)
		return;
	while ((topic = strsep(&text, ";")) != NULL) {
		const char *name = topic_names[topic[0] - '0'];
		topic += 2;
		while ((number = strsep(&topic, ",")) != NULL)
			m->had[m->had_count++] =
				(struct klamm_topic_partition){name, atoi(number)};
	}
}

static void read_member(char *line)
{
	struct told *m = &g.members[g.member_count++];
	char *word[7], *topic;
	ck_assert_uint_le(g.member_count, MEMBERS);
	for (size_t i = 0; i < kl_countof(word); i++) {
		word[i] = strsep(&line, " ");
		ck_assert_ptr_nonnull(word[i]);
	}
	memset(m, 0, sizeof(*m));
	snprintf(m->id, NAME, "%s", word[0]);
	snprintf(m->instance, NAME, "%s", word[1]);
	snprintf(m->rack, NAME, "%s", word[2]);
	while ((topic = strsep(&word[3], ",")) != NULL)
		m->topics[m->topic_count++] = topic_names[atoi(topic)];
	m->generation = atoi(word[4]);
	read_had(m, word[5]);
	m->checksum = (uint32_t)strtoul(word[6], NULL, 16);
}

static void read_answer(char *line)
{
	size_t t = g.answer_count++;
	int32_t p = 0;
	for (char *word; (word = strsep(&line, ",")) != NULL; p++)
		g.owners[t][p] = word[0];
}

/* What this member sends, which is what Java would. */
static void join(const struct told *m, struct kl_joined *joined, struct kl_buf *buf)
{
	struct kl_instance *assignor =
		m->is_new ? &g.fresh->instance : &g.told->instance;
	struct klamm_error err;
	bool keeps = strncmp(g.name, "coop", 4) == 0;
	if (!m->is_new)
		kl_assign_told(assignor,
			       &(struct kl_assigned){.partitions = m->had,
						     .count = m->had_count},
			       m->id, m->generation);
	struct kl_subscription s = {
		.topics = m->topics,
		.topic_count = m->topic_count,
		.owned = m->had,
		.owned_count = keeps ? m->had_count : 0,
		.generation = m->generation,
		.rack = strcmp(m->rack, "-") == 0 ? NULL : m->rack,
	};
	ck_assert_int_eq(
		kl_assign_subscription(&s, KL_ASSIGN_VERSION, assignor, buf, &err), 0);
	ck_assert_msg(kl_crc32c(0, buf->data, buf->len) == m->checksum,
		      "%s %d: what %s says is not what it says in Java", g.name,
		      g.number, m->id);
	*joined = (struct kl_joined){
		.id = kl_str(m->id),
		.instance_id =
			kl_str(strcmp(m->instance, "-") == 0 ? NULL : m->instance),
		.subscription = {buf->data, (int32_t)buf->len},
	};
}

static void note_owners(const struct kl_given *given, char id,
			char owners[TOPICS][PARTITIONS])
{
	struct kl_arena arena = {0};
	struct kl_assigned mine;
	struct klamm_error err;
	ck_assert_int_eq(kl_assign_parse(given->bytes, &arena, &mine, &err), 0);
	for (size_t i = 0; i < mine.count; i++)
		owners[mine.partitions[i].topic[1] - '0']
		      [mine.partitions[i].partition] = id;
	kl_arena_free(&arena);
}

static int32_t claimed(const struct told *m, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < m->had_count; i++)
		if (m->had[i].topic == topic && m->had[i].partition == partition)
			return m->generation;
	return -1;
}

/* Java may leave a partition to the one of an older claim when the one of the later
 * claim does not want it any more, which that one learns only now. Here nobody gets it
 * yet. */
static bool is_withheld(const char *topic, int32_t partition, char owner)
{
	int32_t latest = -1, owners = -1;
	for (size_t i = 0; i < g.member_count; i++) {
		int32_t generation = claimed(&g.members[i], topic, partition);
		latest = kl_max(latest, generation);
		if (g.members[i].id[1] == owner)
			owners = generation;
	}
	return g.name[0] == 'c' && owners >= 0 && owners < latest;
}

static void check_owner(size_t t, int32_t p, char owner)
{
	char expected = g.owners[t][p];
	if (owner == '-' && is_withheld(topic_names[t], p, expected))
		g.withheld++;
	else
		ck_assert_msg(owner == expected, "%s %d, %s-%d: member %c, in Java %c",
			      g.name, g.number, topic_names[t], p, owner, expected);
}

static void ask(void)
{
	struct kl_joined members[MEMBERS];
	struct kl_buf bufs[MEMBERS] = {{0}};
	char owners[TOPICS][PARTITIONS];
	struct kl_assign_result result;
	struct klamm_error err;
	memset(owners, '-', sizeof(owners));
	for (size_t i = 0; i < g.member_count; i++)
		join(&g.members[i], &members[i], &bufs[i]);
	struct kl_assign_question q = {
		.members = members,
		.member_count = g.member_count,
		.topics = g.topics,
		.topic_count = g.topic_count,
		.cooperative = strncmp(g.name, "coop", 4) == 0,
		.assignor = &g.fresh->instance,
	};
	int rc = kl_assign_run(&q, &result, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	for (size_t i = 0; i < g.member_count; i++)
		note_owners(&result.given[i], g.members[i].id[1], owners);
	for (size_t t = 0; t < g.topic_count; t++)
		for (int32_t p = 0; p < g.topics[t].partition_count; p++)
			check_owner(t, p, owners[t][p]);
	kl_assign_result_free(&result);
	for (size_t i = 0; i < g.member_count; i++)
		kl_buf_free(&bufs[i]);
	g.topic_count = g.member_count = g.answer_count = 0;
}

static void begin(const char *name)
{
	snprintf(g.name, sizeof(g.name), "%s", name);
	g.number++;
}

static const struct {
	const char *name, *protocol;
	int groups;
} assignors[] = {
	{"range", "range", 250},
	{"roundrobin", "roundrobin", 150},
	{"sticky", "sticky", 350},
	{"cooperative_sticky", "cooperative-sticky", 350},
};

START_TEST(assignors_are_java_s)
{
	const char *name = assignors[_i].name;
	if (!is_shipped(KLAMM_KIND_ASSIGNOR, name))
		return;
	const char *key = "partition.assignment.strategy";
	g.told = loaded_new(KLAMM_KIND_ASSIGNOR, name, key, NULL);
	g.fresh = loaded_new(KLAMM_KIND_ASSIGNOR, name, key, NULL);
	ck_assert_str_eq(g.told->plugin->assignor.protocol_name,
			 assignors[_i].protocol);
	size_t len;
	char *text = unit_read("tests/unit/plugins/assignors.txt", &len), *next = text,
	     *line;
	bool is_mine = false;
	while ((line = strsep(&next, "\n")) != NULL) {
		if (line[0] == 'G') {
			is_mine = strcmp(line + 2, name) == 0;
			if (is_mine)
				begin(name);
		} else if (!is_mine || line[0] == '\0') {
			continue;
		} else if (line[0] == 'T') {
			read_topic(line + 2);
		} else if (line[0] == 'M') {
			read_member(line + 2);
		} else {
			read_answer(line + 2);
			if (g.answer_count == g.topic_count)
				ask();
		}
	}
	ck_assert_int_eq(g.number, assignors[_i].groups);
	ck_assert_int_lt(g.withheld, 10);
	free(text);
	loaded_free(g.told);
	loaded_free(g.fresh);
}
END_TEST

UNIT_SUITE(assignors)
{
	Suite *s = suite_create("assignors");
	unit_add_loop(s, assignors_are_java_s, (int)kl_countof(assignors));
	return s;
}
