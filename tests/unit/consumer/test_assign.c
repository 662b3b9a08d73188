/* SPDX-License-Identifier: BSD-2-Clause */
/* What members of a classic group tell each other, and the leader's question and
 * answer. */
#include <stdio.h>
#include <stdlib.h>

#include "core/consumer/assign.h"
#include "tests/unit/unit.h"

/* An assignor of this test's: what it is asked, and what it answers. */
struct scripted {
	void (*look)(const struct klamm_assign *in);
	/* Owner of each partition, by topic in turn; for the first ones. */
	int32_t owners[16];
	size_t count;
	const char *user_data; /* of each member's answer */
	int rc;
	const char *says; /* user_data() */
	int told;
	int32_t told_generation;
};

static int scripted_assign(void *self, const struct klamm_assign *in,
			   struct klamm_assign_answer *answer, struct klamm_error *err)
{
	const struct scripted *s = self;
	size_t at = 0;
	if (s->look != NULL)
		s->look(in);
	if (s->rc != 0)
		return klamm_fail(err, s->rc, "it does not want to");
	for (size_t t = 0; t < in->topic_count; t++)
		for (int32_t p = 0; p < in->topics[t].partition_count; p++, at++)
			if (at < s->count)
				answer->owner[t][p] = s->owners[at];
	for (size_t m = 0; s->user_data != NULL && m < in->member_count; m++)
		answer->user_data[m] =
			(struct klamm_span){s->user_data, strlen(s->user_data)};
	return 0;
}

static int scripted_user_data(void *self, const char *const *topics, size_t topic_count,
			      struct klamm_out *out, struct klamm_error *err)
{
	const struct scripted *s = self;
	if (s->rc != 0)
		return klamm_fail(err, s->rc, "no word on %zu topics", topic_count);
	return s->says != NULL ? klamm_out_append(out, s->says, strlen(s->says)) : 0;
}

static void scripted_told(void *self, const struct klamm_assignment *mine)
{
	struct scripted *s = self;
	ck_assert_str_eq(mine->member_id, "me");
	s->told += (int)mine->partition_count;
	s->told_generation = mine->generation;
}

static const struct kl_plugin plugin = {
	.kind = KLAMM_KIND_ASSIGNOR,
	.assignor =
		{
			.head = {.name = "scripted"},
			.assign = scripted_assign,
			.user_data = scripted_user_data,
			.on_assignment = scripted_told,
		},
};

/* --- a subscription, written --- */

static void check_subscription(const struct kl_subscription *s, int version,
			       struct scripted *script, const char *hex)
{
	struct kl_instance instance = {.plugin = &plugin, .self = script};
	struct kl_buf buf = {0};
	struct klamm_error err;
	int rc = kl_assign_subscription(s, version, script != NULL ? &instance : NULL,
					&buf, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	unit_check_hex(buf.data, buf.len, hex);
	kl_buf_free(&buf);
}

START_TEST(subscriptions_of_each_version)
{
	static const char *const topics[] = {"t1", "t0", "t1"};
	static const struct klamm_topic_partition owned[] = {
		{"t1", 2}, {"t0", 7}, {"t1", 0}, {"t1", 2}};
	struct kl_subscription s = {.topics = topics,
				    .topic_count = 3,
				    .owned = owned,
				    .owned_count = 4,
				    .generation = 5,
				    .rack = "r"};
	struct scripted script = {.says = "\1\2\3"};
	/* Sorted, as Java's members write it, and each once. */
	check_subscription(&s, 0, NULL, "0000 00000002 0002 7430 0002 7431 ffffffff");
	check_subscription(&s, 0, &script,
			   "0000 00000002 0002 7430 0002 7431 00000003 010203");
	check_subscription(&s, 1, NULL,
			   "0001 00000002 0002 7430 0002 7431 ffffffff"
			   "00000002 0002 7430 00000001 00000007"
			   "         0002 7431 00000002 00000000 00000002");
	check_subscription(&s, 2, NULL,
			   "0002 00000002 0002 7430 0002 7431 ffffffff"
			   "00000002 0002 7430 00000001 00000007"
			   "         0002 7431 00000002 00000000 00000002"
			   "00000005");
	check_subscription(&s, 3, &script,
			   "0003 00000002 0002 7430 0002 7431 00000003 010203"
			   "00000002 0002 7430 00000001 00000007"
			   "         0002 7431 00000002 00000000 00000002"
			   "00000005 0001 72");
	s = (struct kl_subscription){.generation = -1, .rack = ""};
	check_subscription(&s, 3, NULL,
			   "0003 00000000 ffffffff 00000000 ffffffff ffff");
	script.says = NULL;
	check_subscription(&s, 3, &script,
			   "0003 00000000 ffffffff 00000000 ffffffff ffff");
}
END_TEST

START_TEST(user_data_that_fails)
{
	static const char *const topics[] = {"t"};
	struct kl_subscription s = {.topics = topics, .topic_count = 1};
	struct scripted script = {.rc = KLAMM_ERR_LIMIT};
	struct kl_instance instance = {.plugin = &plugin, .self = &script};
	struct kl_buf buf = {0};
	struct klamm_error err;
	ck_assert_int_eq(kl_assign_subscription(&s, 3, &instance, &buf, &err),
			 KLAMM_ERR_LIMIT);
	ck_assert_str_eq(err.text, "assignor scripted: no word on 1 topics");
	ck_assert_uint_eq(buf.len, 0);
	kl_buf_free(&buf);
}
END_TEST

/* --- an assignment, read --- */

static int parse(const char *hex, struct kl_arena *arena, struct kl_assigned *out,
		 uint8_t **bytes, struct klamm_error *err)
{
	size_t len;
	*bytes = unit_hex(hex, &len);
	return kl_assign_parse((struct kl_bytes){*bytes, (int32_t)len}, arena, out,
			       err);
}

static void check_assignment(const char *hex, const char *expected,
			     const char *user_data)
{
	struct kl_arena arena = {0};
	struct kl_assigned mine;
	struct klamm_error err;
	uint8_t *bytes;
	char text[200] = "";
	int rc = parse(hex, &arena, &mine, &bytes, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	for (size_t i = 0; i < mine.count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s-%d ",
			 mine.partitions[i].topic, mine.partitions[i].partition);
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(mine.user_data.data != NULL, user_data != NULL);
	if (user_data != NULL)
		unit_check_hex(mine.user_data.data, mine.user_data.len, user_data);
	kl_arena_free(&arena);
	free(bytes);
}

START_TEST(assignments_of_any_version)
{
	const char *all = "t0-0 t0-2 t1-1 ";
	check_assignment("0000 00000002 0002 7430 00000002 00000000 00000002"
			 "0002 7431 00000001 00000001 00000000",
			 all, "");
	check_assignment("0003 00000002 0002 7431 00000001 00000001"
			 "0002 7430 00000003 00000002 00000000 00000002 ffffffff",
			 all, NULL);
	/* What a later one adds comes behind. */
	check_assignment("7fff 00000002 0002 7431 00000001 00000001"
			 "0002 7430 00000002 00000002 00000000 00000002 abcd 0a0b0c",
			 all, "abcd");
	/* The same topic twice, and a number that is none. */
	check_assignment("0001 00000002 0001 74 00000002 00000001 ffffffff"
			 "0001 74 00000001 00000000 ffffffff",
			 "t-0 t-1 ", NULL);
	check_assignment("0001 00000000 ffffffff", "", NULL);
	check_assignment("", "", NULL);
}
END_TEST

START_TEST(assignments_that_are_none)
{
	static const char *const bad[] = {
		"00",
		"ffff 00000000 ffffffff",
		"0000 7fffffff",
		"0001 00000001 0001",
		"0001 00000001 0001 74 00000002 00000001",
		"0001 00000000 00000004 ab",
		"0001 ffffffff ffffffff",
	};
	for (size_t i = 0; i < kl_countof(bad); i++) {
		struct kl_arena arena = {0};
		struct kl_assigned mine;
		struct klamm_error err;
		uint8_t *bytes;
		ck_assert_int_eq(parse(bad[i], &arena, &mine, &bytes, &err),
				 KLAMM_ERR_PROTOCOL);
		ck_assert_uint_eq(mine.count, 0);
		kl_arena_free(&arena);
		free(bytes);
	}
}
END_TEST

START_TEST(an_assignor_is_told)
{
	struct scripted script = {0};
	struct kl_instance instance = {.plugin = &plugin, .self = &script};
	static const struct klamm_topic_partition partitions[] = {{"t", 0}, {"t", 1}};
	kl_assign_told(&instance,
		       &(struct kl_assigned){.partitions = partitions, .count = 2},
		       "me", 4);
	ck_assert_int_eq(script.told, 2);
	ck_assert_int_eq(script.told_generation, 4);
}
END_TEST

/* --- the leader --- */

#define MEMBERS 5
static struct kl_joined members[MEMBERS];
static uint8_t *subscriptions[MEMBERS];
static size_t member_count;
static struct kl_assign_result result;
static struct klamm_error error;

static void join(const char *id, const char *instance_id, const char *hex)
{
	size_t len;
	struct kl_joined *m = &members[member_count];
	subscriptions[member_count++] = unit_hex(hex, &len);
	*m = (struct kl_joined){
		.id = kl_str(id),
		.instance_id = kl_str(instance_id),
		.subscription = {subscriptions[member_count - 1], (int32_t)len},
	};
}

static void all_leave(void)
{
	while (member_count > 0)
		free(subscriptions[--member_count]);
	kl_assign_result_free(&result);
}

static int run(struct scripted *script, const struct klamm_assign_topic *topics,
	       size_t topic_count, bool cooperative)
{
	struct kl_instance instance = {.plugin = &plugin, .self = script};
	struct kl_assign_question q = {
		.members = members,
		.member_count = member_count,
		.topics = topics,
		.topic_count = topic_count,
		.cooperative = cooperative,
		.assignor = &instance,
	};
	kl_assign_result_free(&result);
	return kl_assign_run(&q, &result, &error);
}

static void check_given(size_t i, const char *id, const char *hex)
{
	ck_assert_uint_lt(i, result.count);
	ck_assert(kl_str_is(result.given[i].id, id));
	unit_check_hex(result.given[i].bytes.p, (size_t)result.given[i].bytes.len, hex);
}

static const struct klamm_assign_topic two_topics[] = {
	{.name = "u", .partition_count = 1},
	{.name = "t", .id = {{9}}, .partition_count = 3},
};
#define T_AND_U "00000002 0001 74 0001 75"

static void look_at_all(const struct klamm_assign *in)
{
	static const char *const ids[] = {"z", "y", "a", "b", "c"};
	ck_assert_uint_eq(in->size, sizeof(*in));
	ck_assert_uint_eq(in->member_size, sizeof(in->members[0]));
	ck_assert_uint_eq(in->topic_size, sizeof(in->topics[0]));
	ck_assert_uint_eq(in->topic_count, 2);
	ck_assert_str_eq(in->topics[0].name, "t");
	ck_assert_uint_eq(in->topics[0].id.bytes[0], 9);
	ck_assert_str_eq(in->topics[1].name, "u");
	ck_assert(!klamm_cancelled(in->call));
	ck_assert_uint_eq(in->member_count, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_str_eq(in->members[i].member_id, ids[i]);
	ck_assert_str_eq(in->members[0].instance_id, "i1");
	ck_assert_str_eq(in->members[1].instance_id, "i2");
	ck_assert_ptr_null(in->members[2].instance_id);

	const struct klamm_assign_member *y = &in->members[1];
	ck_assert_uint_eq(y->topic_count, 2); /* twice told, and unknown: "v" */
	ck_assert_uint_eq(y->topics[0], 0);
	ck_assert_uint_eq(y->topics[1], 1);
	ck_assert_str_eq(y->rack, "r");
	ck_assert_int_eq(y->generation, 7);
	ck_assert_uint_eq(y->user_data.len, 2);
	ck_assert_uint_eq(y->owned_count, 2); /* not t-3, t--1 and v-0 */
	ck_assert_uint_eq(y->owned[0].topic, 1);
	ck_assert_int_eq(y->owned[0].partition, 0);
	ck_assert_uint_eq(y->owned[1].topic, 0);
	ck_assert_int_eq(y->owned[1].partition, 2);

	const struct klamm_assign_member *z = &in->members[0];
	ck_assert_ptr_null(z->rack);
	ck_assert_int_eq(z->generation, -1);
	ck_assert_uint_eq(z->topic_count, 1);
	ck_assert_uint_eq(z->user_data.len, 0);
	/* Says version 1 and ends where 0 does, is of a later version, has nothing at
	 * all. */
	ck_assert_uint_eq(in->members[2].topic_count, 1);
	ck_assert_uint_eq(in->members[3].topic_count, 1);
	ck_assert_int_eq(in->members[3].generation, 3);
	ck_assert_uint_eq(in->members[4].topic_count, 0);
	ck_assert_int_eq(in->members[4].generation, -1);
}

START_TEST(the_question_is_in_order)
{
	struct scripted script = {.look = look_at_all};
	join("b", NULL, "0009 00000001 0001 75 ffffffff 00000000 00000003 ffff 1234");
	join("y", "i2",
	     "0003 00000004 0001 75 0001 76 0001 74 0001 75 00000002 abcd"
	     "00000003 0001 75 00000001 00000000 0001 76 00000001 00000000"
	     "0001 74 00000003 00000003 ffffffff 00000002 00000007 0001 72");
	join("c", NULL, "00");
	join("z", "i1", "0000 00000001 0001 74 ffffffff");
	join("a", NULL, "0001 00000001 0001 75 00000000");
	ck_assert_msg(run(&script, two_topics, 2, false) == 0, "%s", error.text);
	ck_assert_uint_eq(result.unreadable, 1);
	ck_assert_str_eq(
		result.why_unreadable.text,
		"the subscription of member c cannot be read: it has no version");
	all_leave();
}
END_TEST

START_TEST(each_gets_its_bytes)
{
	struct scripted script = {.owners = {1, 0, 1, 1}, .count = 4};
	join("b", NULL, "0001" T_AND_U "ffffffff 00000000");
	join("a", NULL, "0001" T_AND_U "ffffffff 00000000");
	join("c", NULL, "0001" T_AND_U "ffffffff 00000000");
	ck_assert_int_eq(run(&script, two_topics, 2, false), 0);
	ck_assert_uint_eq(result.count, 3);
	check_given(0, "b",
		    "0003 00000002 0001 74 00000002 00000000 00000002"
		    "0001 75 00000001 00000000 ffffffff");
	check_given(1, "a", "0003 00000001 0001 74 00000001 00000001 ffffffff");
	check_given(2, "c", "0003 00000000 ffffffff");
	script.user_data = "*";
	ck_assert_int_eq(run(&script, two_topics, 2, false), 0);
	check_given(2, "c", "0003 00000000 00000001 2a");
	all_leave();
	/* Nobody, and nothing. */
	ck_assert_int_eq(run(&script, NULL, 0, true), 0);
	ck_assert_uint_eq(result.count, 0);
	all_leave();
}
END_TEST

START_TEST(owners_that_are_refused)
{
	struct scripted script = {.owners = {0, 0, 1, 1}, .count = 4};
	join("a", NULL, "0001" T_AND_U "ffffffff 00000000");
	join("b", NULL, "0001 00000001 0001 74 ffffffff 00000000");
	ck_assert_int_eq(run(&script, two_topics, 2, false), KLAMM_ERR_PLUGIN);
	ck_assert_str_eq(error.text,
			 "assignor scripted gives u-0 to member b, which does not "
			 "subscribe to it");
	script.owners[1] = 2;
	ck_assert_int_eq(run(&script, two_topics, 2, false), KLAMM_ERR_PLUGIN);
	ck_assert_str_eq(error.text, "assignor scripted gives t-1 to member 2 of 2");
	script.owners[1] = -2;
	ck_assert_int_eq(run(&script, two_topics, 2, false), KLAMM_ERR_PLUGIN);
	script.rc = KLAMM_ERR_ABORTED;
	ck_assert_int_eq(run(&script, two_topics, 2, false), KLAMM_ERR_ABORTED);
	ck_assert_str_eq(error.text, "assignor scripted: it does not want to");
	ck_assert_uint_eq(result.count, 0);
	all_leave();
}
END_TEST

/* "t" and "u" are wanted; t-0 .. t-2 are claimed. */
#define CLAIMS(numbers, generation)                                                    \
	"0003" T_AND_U "ffffffff 00000001 0001 74" numbers generation "ffff"

START_TEST(what_another_owns_is_withheld)
{
	struct scripted script = {.owners = {1, 0, 1, 1}, .count = 4};
	join("a", NULL, CLAIMS("00000002 00000000 00000001", "00000004"));
	join("b", NULL, CLAIMS("00000001 00000002", "00000004"));
	ck_assert_int_eq(run(&script, two_topics, 2, true), 0);
	ck_assert_uint_eq(result.withheld, 1);
	check_given(0, "a", "0003 00000001 0001 74 00000001 00000001 ffffffff");
	check_given(1, "b",
		    "0003 00000002 0001 74 00000001 00000002"
		    "0001 75 00000001 00000000 ffffffff");
	/* Members of an eager group have given up all that they had. */
	ck_assert_int_eq(run(&script, two_topics, 2, false), 0);
	ck_assert_uint_eq(result.withheld, 0);
	check_given(1, "b",
		    "0003 00000002 0001 74 00000002 00000000 00000002"
		    "0001 75 00000001 00000000 ffffffff");
	all_leave();
}
END_TEST

START_TEST(the_later_claim_counts)
{
	struct scripted script = {.owners = {1, 0, 2, -1}, .count = 4};
	join("a", NULL, CLAIMS("00000003 00000000 00000001 00000002", "00000004"));
	join("b", NULL, CLAIMS("00000002 00000000 00000002", "00000005"));
	join("c", NULL, CLAIMS("00000002 00000001 00000002", "00000005"));
	ck_assert_int_eq(run(&script, two_topics, 2, true), 0);
	/* t-0 is b's own; t-1 is c's, so not a's; t-2 both b and c have, and c keeps
	 * it. */
	ck_assert_uint_eq(result.withheld, 1);
	check_given(0, "a", "0003 00000000 ffffffff");
	check_given(1, "b", "0003 00000001 0001 74 00000001 00000000 ffffffff");
	check_given(2, "c", "0003 00000001 0001 74 00000001 00000002 ffffffff");
	all_leave();
}
END_TEST

START_TEST(topics_of_all)
{
	struct kl_arena arena = {0};
	const char *const *topics;
	size_t count;
	struct klamm_error err;
	join("a", NULL, "0001 00000003 0001 75 0002 7400 0001 74 ffffffff 00000000");
	join("b", NULL, "00");
	join("c", NULL, "0000 00000002 0002 7475 0001 74 ffffffff");
	ck_assert_int_eq(
		kl_assign_topics(members, member_count, &arena, &topics, &count, &err),
		0);
	ck_assert_uint_eq(count, 3);
	ck_assert_str_eq(topics[0], "t");
	ck_assert_str_eq(topics[1], "tu");
	ck_assert_str_eq(topics[2], "u");
	kl_arena_free(&arena);
	all_leave();
}
END_TEST

UNIT_SUITE(assign)
{
	Suite *s = suite_create("assign");
	unit_add(s, subscriptions_of_each_version);
	unit_add(s, user_data_that_fails);
	unit_add(s, assignments_of_any_version);
	unit_add(s, assignments_that_are_none);
	unit_add(s, an_assignor_is_told);
	unit_add(s, the_question_is_in_order);
	unit_add(s, each_gets_its_bytes);
	unit_add(s, owners_that_are_refused);
	unit_add(s, what_another_owns_is_withheld);
	unit_add(s, the_later_claim_counts);
	unit_add(s, topics_of_all);
	return s;
}
