/* SPDX-License-Identifier: BSD-2-Clause */
/* The assignors in groups that are written out: examples of Java's and kafka-python's
 * manuals, what has gone wrong in other clients, and what must hold in every group. */
#include <stdio.h>
#include <stdlib.h>

#include "core/consumer/assign.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

#define TOPICS     16
#define MEMBERS    64
#define PARTITIONS 64

static struct {
	struct loaded *loaded;
	bool cooperative;
	struct klamm_assign_topic topics[TOPICS];
	size_t topic_count;
	struct kl_joined joined[MEMBERS];
	struct kl_buf subscriptions[MEMBERS];
	char names[TOPICS][16], ids[MEMBERS][16], instances[MEMBERS][16];
	struct kl_arena arena;
	struct kl_assigned had[MEMBERS]; /* from the last assignment */
	int32_t generation[MEMBERS];     /* of that; -1 = nothing */
	size_t member_count;
	int32_t now;
	size_t withheld;
	char answer[4096]; /* "A t0:0,1 t1:2; B" */
} w;

static bool begin(const char *name, const char *topics)
{
	memset(&w, 0, sizeof(w));
	if (!is_shipped(KLAMM_KIND_ASSIGNOR, name))
		return false;
	w.loaded = loaded_new(KLAMM_KIND_ASSIGNOR, name,
			      "partition.assignment.strategy", NULL);
	w.cooperative =
		w.loaded->plugin->assignor.protocols & KLAMM_REBALANCE_COOPERATIVE;
	for (int n; sscanf(topics, " %15[^:]:%d%n", w.names[w.topic_count],
			   &w.topics[w.topic_count].partition_count, &n) == 2;
	     topics += n, w.topic_count++)
		w.topics[w.topic_count].name = w.names[w.topic_count];
	return true;
}

static void end(void)
{
	for (size_t i = 0; i < MEMBERS; i++)
		kl_buf_free(&w.subscriptions[i]);
	kl_arena_free(&w.arena);
	loaded_free(w.loaded);
}

/* Member i tells what it had, as it would. */
static void join(size_t i, const char *id, const char *instance_id,
		 const char *const *topics, size_t topic_count)
{
	struct kl_instance mine;
	struct klamm_error err;
	struct kl_subscription s = {
		.topics = topics,
		.topic_count = topic_count,
		.owned = w.had[i].partitions,
		.owned_count = w.cooperative ? w.had[i].count : 0,
		.generation = w.generation[i],
	};
	snprintf(w.ids[i], sizeof(w.ids[i]), "%s", id);
	snprintf(w.instances[i], sizeof(w.instances[i]), "%s", instance_id);
	ck_assert_int_eq(kl_plugin_open(w.loaded->plugin, &w.loaded->host, "x",
					lookup_setting, NULL, &mine, &err),
			 0);
	if (w.generation[i] >= 0)
		kl_assign_told(&mine, &w.had[i], w.ids[i], w.generation[i]);
	kl_buf_clear(&w.subscriptions[i]);
	ck_assert_int_eq(kl_assign_subscription(&s, KL_ASSIGN_VERSION, &mine,
						&w.subscriptions[i], &err),
			 0);
	kl_plugin_close(&mine);
	w.joined[i] = (struct kl_joined){
		.id = kl_str(w.ids[i]),
		.instance_id =
			instance_id[0] != '\0' ? kl_str(w.instances[i]) : KL_STR_NULL,
		.subscription = {w.subscriptions[i].data,
				 (int32_t)w.subscriptions[i].len},
	};
}

static void write_answer(size_t i)
{
	size_t at = strlen(w.answer), left = sizeof(w.answer) - at;
	at += (size_t)snprintf(w.answer + at, left, "%s%s", i > 0 ? "; " : "",
			       w.ids[i]);
	for (size_t k = 0; k < w.had[i].count; k++) {
		const struct klamm_topic_partition *p = &w.had[i].partitions[k];
		bool goes_on = k > 0 && strcmp(p[-1].topic, p->topic) == 0;
		left = sizeof(w.answer) - at;
		if (left < 32)
			return;
		at += (size_t)(goes_on ? snprintf(w.answer + at, left, ",%d",
						  p->partition)
				       : snprintf(w.answer + at, left, " %s:%d",
						  p->topic, p->partition));
	}
}

/* All that have joined are told what they get. */
static void rebalance(void)
{
	struct kl_assign_result result;
	struct klamm_error err;
	struct kl_assign_question q = {
		.members = w.joined,
		.member_count = w.member_count,
		.topics = w.topics,
		.topic_count = w.topic_count,
		.cooperative = w.cooperative,
		.assignor = &w.loaded->instance,
	};
	int rc = kl_assign_run(&q, &result, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	w.answer[0] = '\0';
	w.withheld = result.withheld;
	w.now++;
	for (size_t i = 0; i < w.member_count; i++) {
		struct kl_bytes bytes = result.given[i].bytes;
		ck_assert_int_eq(kl_assign_parse(bytes, &w.arena, &w.had[i], &err), 0);
		w.generation[i] = w.now;
		write_answer(i);
	}
	kl_assign_result_free(&result);
}

/* members: "A=t0,t1 B/instance=t0"; each keeps what it had by its place. What comes
 * out. */
static const char *ask(const char *members)
{
	char text[512], *rest = text, *word;
	snprintf(text, sizeof(text), "%s", members);
	w.member_count = 0;
	while ((word = strsep(&rest, " ")) != NULL) {
		char *id = strsep(&word, "="), *instance_id = id;
		const char *topics[TOPICS], *topic;
		size_t n = 0;
		id = strsep(&instance_id, "/");
		while ((topic = strsep(&word, ",")) != NULL)
			topics[n++] = topic;
		if (w.now == 0)
			w.generation[w.member_count] = -1;
		join(w.member_count++, id, instance_id != NULL ? instance_id : "",
		     topics, n);
	}
	rebalance();
	return w.answer;
}

/* The member at this place begins anew, as another one. */
static void forget(size_t place)
{
	w.had[place] = (struct kl_assigned){0};
	w.generation[place] = -1;
}

/* --- range and roundrobin --- */

START_TEST(range_with_static_members)
{
	if (!begin("range", "t:6"))
		return;
	/* kafka-python from 2.3 on leaves A out: it groups members that are not sorted.
	 */
	ck_assert_str_eq(ask("A/1=t B=t C/2=t"), "A t:0,1; B t:4,5; C t:2,3");
	ck_assert_str_eq(ask("A/2=t B=t C/1=t"), "A t:2,3; B t:4,5; C t:0,1");
	end();
}
END_TEST

START_TEST(range_of_two_topics)
{
	if (!begin("range", "t0:3 t1:3"))
		return;
	ck_assert_str_eq(ask("C0=t0,t1 C1=t0,t1"), "C0 t0:0,1 t1:0,1; C1 t0:2 t1:2");
	end();
}
END_TEST

START_TEST(roundrobin_with_unlike_subscriptions)
{
	if (!begin("roundrobin", "t0:1 t1:2 t2:3"))
		return;
	/* The example of its manual, on which kafka-python from 2.3 on fails. */
	ck_assert_str_eq(ask("C0=t0 C1=t0,t1 C2=t0,t1,t2"),
			 "C0 t0:0; C1 t1:0; C2 t1:1 t2:0,1,2");
	end();
}
END_TEST

START_TEST(roundrobin_with_static_members)
{
	if (!begin("roundrobin", "t0:3 t1:3"))
		return;
	ck_assert_str_eq(ask("C0=t0,t1 C1=t0,t1"), "C0 t0:0,2 t1:1; C1 t0:1 t1:0,2");
	ck_assert_str_eq(ask("C0=t0,t1 C1/x=t0,t1"), "C0 t0:1 t1:0,2; C1 t0:0,2 t1:1");
	end();
}
END_TEST

/* --- sticky --- */

START_TEST(sticky_example_of_java)
{
	if (!begin("sticky", "t0:2 t1:2 t2:2 t3:2"))
		return;
	ck_assert_str_eq(ask("C0=t0,t1,t2,t3 C1=t0,t1,t2,t3 C2=t0,t1,t2,t3"),
			 "C0 t0:0 t1:1 t3:0; C1 t0:1 t2:0 t3:1; C2 t1:0 t2:1");
	/* C1 leaves. */
	w.had[1] = w.had[2];
	ck_assert_str_eq(ask("C0=t0,t1,t2,t3 C2=t0,t1,t2,t3"),
			 "C0 t0:0,1 t1:1 t3:0; C2 t1:0 t2:0,1 t3:1");
	end();
}
END_TEST

START_TEST(sticky_with_unlike_subscriptions)
{
	if (!begin("sticky", "t1:3 t2:2"))
		return;
	ck_assert_str_eq(ask("C1=t1 C2=t1,t2 C3=t1"), "C1 t1:0,2; C2 t2:0,1; C3 t1:1");
	end();
	if (!begin("sticky", "t0:1 t1:2 t2:3"))
		return;
	ck_assert_str_eq(ask("C0=t0 C1=t0,t1 C2=t0,t1,t2"),
			 "C0 t0:0; C1 t1:0,1; C2 t2:0,1,2");
	end();
}
END_TEST

START_TEST(sticky_after_a_new_member)
{
	if (!begin("sticky", "t:7"))
		return;
	ck_assert_str_eq(ask("A=t B=t"), "A t:0,2,4,6; B t:1,3,5");
	forget(2);
	ck_assert_str_eq(ask("A=t B=t C=t"), "A t:0,2,4; B t:1,3; C t:5,6");
	ck_assert_str_eq(ask("A=t B=t C=t"), "A t:0,2,4; B t:1,3; C t:5,6");
	end();
}
END_TEST

/* What a member tells that is not as it should be counts as nothing told. */
START_TEST(sticky_user_data_of_others)
{
	static const struct {
		const char *user_data; /* of B, which says that it has t-0 and t-2 */
		const char *answer;
	} cases[] = {
		/* Java, now and before 2.3, which tells no generation; kafka-python. */
		{"00000001 0001 74 00000002 00000000 00000002 00000007",
		 "A t:1,3; B t:0,2"},
		{"00000001 0001 74 00000002 00000000 00000002", "A t:1,3; B t:0,2"},
		{"0001 00000001 0001 74 00000002 00000000 00000002 00000007",
		 "A t:1,3; B t:0,2"},
		{"0001 00000000 ffffffff", "A t:0,2; B t:1,3"},
		/* More behind it; a topic, a partition that is not there. */
		{"00000001 0001 74 00000002 00000000 00000002 00000007 ff",
		 "A t:1,3; B t:0,2"},
		{"00000002 0001 75 00000001 00000000"
		 "0001 74 00000003 00000000 00000002 00000009",
		 "A t:1,3; B t:0,2"},
		{"00000001 0001 74 00000002 00000000 000000", "A t:0,2; B t:1,3"},
		{"00000001 0001 74 7fffffff 00000000 00000002", "A t:0,2; B t:1,3"},
		{"ffffffff 0001 74", "A t:0,2; B t:1,3"},
		{"00000001 7fff 74", "A t:0,2; B t:1,3"},
		{"00", "A t:0,2; B t:1,3"},
	};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		if (!begin("sticky", "t:4"))
			return;
		ask("A=t B=t");
		forget(0);
		size_t len;
		uint8_t *user_data = unit_hex(cases[i].user_data, &len);
		static const char *const t[] = {"t"};
		join(0, "A", "", t, 1);
		struct kl_buf *buf = &w.subscriptions[1];
		kl_buf_clear(buf);
		kl_buf_put(buf, "\0\0\0\0\0\1\0\1t", 9);
		kl_buf_i32(buf, (int32_t)len);
		kl_buf_put(buf, user_data, len);
		w.joined[1].subscription =
			(struct kl_bytes){buf->data, (int32_t)buf->len};
		rebalance();
		ck_assert_msg(strcmp(w.answer, cases[i].answer) == 0, "%s: %s",
			      cases[i].user_data, w.answer);
		free(user_data);
		end();
	}
}
END_TEST

/* --- cooperative --- */

START_TEST(what_moves_takes_two_rounds)
{
	if (!begin("cooperative_sticky", "t:4"))
		return;
	ck_assert_str_eq(ask("A=t"), "A t:0,1,2,3");
	forget(1);
	ck_assert_str_eq(ask("A=t B=t"), "A t:0,1; B");
	ck_assert_str_eq(ask("A=t B=t"), "A t:0,1; B t:2,3");
	ck_assert_str_eq(ask("A=t B=t"), "A t:0,1; B t:2,3");
	end();
}
END_TEST

/* B has missed a rebalance in which C was given what it had. */
START_TEST(an_older_claim_is_none)
{
	if (!begin("cooperative_sticky", "t:6"))
		return;
	ck_assert_str_eq(ask("A=t B=t"), "A t:0,2,4; B t:1,3,5");
	struct kl_assigned old = w.had[1];
	w.had[2] = old;
	w.generation[2] = 1;
	ck_assert_str_eq(ask("A=t C=t"), "A t:0,2,4; C t:1,3,5");
	w.had[2] = old;
	w.generation[2] = 1;
	ck_assert_str_eq(ask("A=t C=t B=t"), "A t:0,2; C t:1,3; B");
	end();
}
END_TEST

/* --- what must hold --- */

static uint64_t chance;
static uint32_t below(uint32_t n)
{
	chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(chance >> 33) % n;
}

static struct {
	bool reads[MEMBERS][TOPICS];
	int32_t owner[TOPICS][PARTITIONS], before[TOPICS][PARTITIONS];
	size_t size[MEMBERS];
} big;

static void join_big(bool mixed, size_t i)
{
	const char *topics[TOPICS];
	char id[16];
	size_t n = 0;
	snprintf(id, sizeof(id), "m%03zu", (i * 37) % 1000);
	for (size_t t = 0; t < w.topic_count; t++)
		if (big.reads[i][t] || !mixed)
			topics[n++] = w.names[t];
	join(i, id, "", topics, n);
}

static void note_owners(void)
{
	memcpy(big.before, big.owner, sizeof(big.before));
	memset(big.owner, 0xff, sizeof(big.owner));
	memset(big.size, 0, sizeof(big.size));
	for (size_t i = 0; i < w.member_count; i++)
		for (size_t k = 0; k < w.had[i].count; k++) {
			const struct klamm_topic_partition *p = &w.had[i].partitions[k];
			int32_t *owner = &big.owner[atoi(p->topic + 1)][p->partition];
			ck_assert_int_eq(*owner, -1);
			*owner = (int32_t)i;
			big.size[i]++;
		}
}

/* Everything is read, and nobody could take something from one with two more. */
static void check_balance(bool mixed)
{
	for (size_t t = 0; t < w.topic_count; t++)
		for (int32_t p = 0; p < w.topics[t].partition_count; p++) {
			int32_t owner = big.owner[t][p];
			ck_assert_msg(owner >= 0, "%s-%d is nobody's", w.names[t], p);
			for (size_t i = 0; i < w.member_count; i++)
				if (big.reads[i][t] || !mixed)
					ck_assert_uint_le(big.size[owner],
							  big.size[i] + 1);
		}
}

static size_t count_moves(size_t members)
{
	size_t moves = 0;
	for (size_t t = 0; t < w.topic_count; t++)
		for (int32_t p = 0; p < w.topics[t].partition_count; p++)
			moves += big.before[t][p] < (int32_t)members &&
				 big.before[t][p] != big.owner[t][p];
	return moves;
}

/* Until nothing waits any more for its owner to let it go, which is soon. */
static void rebalance_big(bool mixed)
{
	w.withheld = 1;
	for (int round = 0; w.withheld > 0; round++) {
		ck_assert_int_lt(round, 5);
		for (size_t i = 0; i < w.member_count; i++)
			join_big(mixed, i);
		rebalance();
	}
	note_owners();
}

static void run_big(const char *name, bool mixed, uint64_t seed)
{
	if (!begin(name, "t0:40 t1:7 t2:64 t3:1 t4:33 t5:12 t6:50 t7:64"))
		return;
	chance = seed;
	w.member_count = MEMBERS - 4;
	for (size_t i = 0; i < MEMBERS; i++) {
		w.generation[i] = -1;
		for (size_t t = 0; t < TOPICS; t++)
			big.reads[i][t] = i < 2 || below(3) == 0;
	}
	rebalance_big(mixed);
	check_balance(mixed);
	/* Nothing has changed: nothing moves. */
	rebalance_big(mixed);
	ck_assert_uint_eq(count_moves(MEMBERS), 0);
	/* The last ten leave: what others have, they keep. */
	w.member_count -= 10;
	rebalance_big(mixed);
	check_balance(mixed);
	if (!mixed)
		ck_assert_uint_eq(count_moves(w.member_count), 0);
	/* Others come: no more moves than they get. */
	for (size_t i = w.member_count; i < MEMBERS; i++)
		forget(i);
	size_t stayed = w.member_count;
	w.member_count = MEMBERS;
	rebalance_big(mixed);
	check_balance(mixed);
	size_t gets = 0;
	for (size_t i = stayed; i < MEMBERS; i++)
		gets += big.size[i];
	if (!mixed)
		ck_assert_uint_eq(count_moves(MEMBERS), gets);
	end();
}

START_TEST(balanced_and_sticky)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		run_big(_i == 0 ? "sticky" : "cooperative_sticky", false, seed);
		run_big(_i == 0 ? "sticky" : "cooperative_sticky", true, seed);
	}
}
END_TEST

UNIT_SUITE(assignor_cases)
{
	Suite *s = suite_create("assignor_cases");
	unit_add(s, range_with_static_members);
	unit_add(s, range_of_two_topics);
	unit_add(s, roundrobin_with_unlike_subscriptions);
	unit_add(s, roundrobin_with_static_members);
	unit_add(s, sticky_example_of_java);
	unit_add(s, sticky_with_unlike_subscriptions);
	unit_add(s, sticky_after_a_new_member);
	unit_add(s, sticky_user_data_of_others);
	unit_add(s, what_moves_takes_two_rounds);
	unit_add(s, an_older_claim_is_none);
	unit_add_loop(s, balanced_and_sticky, 2);
	return s;
}
