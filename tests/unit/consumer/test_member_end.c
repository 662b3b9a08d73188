/* SPDX-License-Identifier: BSD-2-Clause */
/* Commits and the end of a member of a classic group, also while others are waited for. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/consumer/assign.h"
#include "core/consumer/consumer.h"
#include "tests/unit/consumer/member.h"

/* --- commits --- */

/* The coordinator has put it out: the commit says so, and poll() joins again. */
START_TEST(commits_of_one_that_was_put_out)
{
	static const int codes[] = {KLAMM_ERR_UNKNOWN_MEMBER_ID, KLAMM_ERR_ILLEGAL_GENERATION};
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	CONSUMER("enable.auto.commit=false", NULL);
	member_join();
	says.commit.code = codes[_i];
	says.commit.left = 1;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err),
			 codes[_i]);
	ck_assert_ptr_nonnull(strstr(err.text, "poll()"));
	int commits = says.commits;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err),
			 KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(says.commits, commits);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.lost, 1);
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(says.commit_generation, 2);
}
END_TEST

/* --- the end --- */

START_TEST(how_a_membership_ends)
{
	static const struct {
		bool is_static;
		int32_t end;
		int leaves;
	} ends[] = {
		{false, KLAMM_MEMBERSHIP_DEFAULT, 1}, {true, KLAMM_MEMBERSHIP_DEFAULT, 0},
		{false, KLAMM_MEMBERSHIP_LEAVE, 1},   {true, KLAMM_MEMBERSHIP_LEAVE, 1},
		{false, KLAMM_MEMBERSHIP_REMAIN, 0},  {true, KLAMM_MEMBERSHIP_REMAIN, 0},
	};
	struct klamm_error err;
	struct klamm_close_options options = {.size = 3,
					      .timeout_ms = PATIENCE,
					      .membership = ends[_i].end};
	CONSUMER("enable.auto.commit=true",
		 ends[_i].is_static ? "group.instance.id=i" : "client.id=c", NULL);
	member_join();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	ck_assert_int_eq(klamm_consumer_close_with(consumer, &options, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	options.size = sizeof(options);
	ck_assert_int_eq(klamm_consumer_close_with(consumer, &options, &err), 0);
	consumer = NULL;
	ck_assert_int_eq(says.leaves, ends[_i].leaves);
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(heard.count, 3);
}
END_TEST

/* While others have not joined yet: its place is theirs, and it ends by its deadline. */
START_TEST(closing_in_the_middle_of_a_rebalance)
{
	says.hold_join = _i == 0;
	says.sync.code = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.sync.left = -1;
	CONSUMER("enable.auto.commit=false", NULL);
	member_subscribe();
	POLL_UNTIL(says.joins > 0);
	int64_t since = script_ms();
	ck_assert_int_eq(klamm_consumer_close(consumer, 2000, NULL), 0);
	consumer = NULL;
	ck_assert_int_lt(script_ms() - since, 2000 + PATIENCE / 2);
	ck_assert_int_eq(heard.assigned + heard.revoked + heard.lost, 0);
}
END_TEST

/* What it has kept is committed all the same, by the generation that others still have. */
START_TEST(closing_while_others_are_waited_for)
{
	struct klamm_error err;
	consumer = world_consumer(NULL, "group.id=g", "enable.auto.commit=true",
				  "partition.assignment.strategy=cooperative_sticky", NULL);
	member_join();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	says.hold_join = true;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	ck_assert_int_eq(klamm_consumer_close(consumer, PATIENCE, &err), 0);
	consumer = NULL;
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(says.commit_generation, 1);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(heard.lost, 0);
}
END_TEST

/* --- others in the group --- */

/* impatient: without poll() it is put out after IMPATIENCE, which a busy machine may need. */
#define IMPATIENCE "2000"
static void be_cooperative(bool impatient, const char *more)
{
	consumer = world_consumer(NULL, "group.id=g", "retry.backoff.ms=5",
				  "partition.assignment.strategy=cooperative_sticky",
				  "heartbeat.interval.ms=20",
				  impatient ? "max.poll.interval.ms=" IMPATIENCE
					    : "max.poll.interval.ms=60000",
				  "enable.auto.commit=false", more, NULL);
}

static void other_joins(size_t owned)
{
	static struct kl_buf buf; /* the coordinator reads it until it is stopped */
	static const char *const topics[] = {"t"};
	static const struct klamm_topic_partition all[] = {{"t", 0}, {"t", 1}, {"t", 2}};
	const struct kl_subscription subscription = {
		.topics = topics, .topic_count = 1, .owned = all, .owned_count = owned,
		.generation = says.generation};
	ck_assert_int_eq(kl_assign_subscription(&subscription, 2, NULL, &buf, NULL), 0);
	says.subscribes = (struct kl_bytes){buf.data, (int32_t)buf.len};
	says.other = true;
}

static void rebalance(void)
{
	says.beat.code = KLAMM_ERR_REBALANCE_IN_PROGRESS;
	says.beat.left = 1;
}

/* Its generation is good until they have, and its partitions are read on meanwhile: whoever
 * commits after each batch does not stand still. */
START_TEST(commits_while_others_are_waited_for)
{
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	be_cooperative(false, NULL);
	member_join();
	says.hold_join = true;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(says.committed, 5);
	ck_assert_int_eq(says.commit_generation, 1);
	struct klamm_committed asked = {.size = sizeof(asked), .topic = "t"};
	ck_assert_int_eq(klamm_consumer_committed(consumer, &asked, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(heard.revoked, 0);
}
END_TEST

/* The rebalance may be through, and what says so be slower than the answer to a commit. */
START_TEST(commits_that_overtake_a_rebalance)
{
	static const int codes[] = {KLAMM_ERR_ILLEGAL_GENERATION,
				    KLAMM_ERR_REBALANCE_IN_PROGRESS};
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	be_cooperative(false, NULL);
	member_join();
	says.hold_join = true;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	says.commit.code = codes[_i];
	says.commit.left = 3;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(says.commits, 4);
}
END_TEST

/* Nor does closing lose what was read meanwhile: it goes to the next generation. */
START_TEST(closing_is_overtaken_by_a_rebalance)
{
	struct klamm_error err;
	be_cooperative(false, "enable.auto.commit=true");
	member_join();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	says.join_behind = 1;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	says.commit.code = KLAMM_ERR_ILLEGAL_GENERATION;
	says.commit.left = 1;
	ck_assert_msg(klamm_consumer_close(consumer, PATIENCE, &err) == 0, "%s", err.text);
	consumer = NULL;
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(says.commit_generation, 2);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.lost, 0);
}
END_TEST

/* Until the loop's side sees it so: look(bool *). */
static void await_in_loop(void (*look)(void *arg))
{
	bool yes = false;
	for (int64_t end = script_ms() + PATIENCE; !yes && script_ms() < end;) {
		usleep(1000);
		kl_loop_call(consumer->loop, look, &yes);
	}
	ck_assert(yes);
}

static void look_at_silence(void *arg)
{
	const struct kl_membership *m = &consumer->group.membership;
	*(bool *)arg = m->silent_since == atomic_load(&m->poll_left);
}

/* No poll() for more than max.poll.interval.ms, and the member has noticed. */
static void fall_silent(void)
{
	await_in_loop(look_at_silence);
}

/* A static member is silent before it has joined again for what it gave up. Who comes back
 * finds the generation as it was, and what was withheld in it. */
START_TEST(a_round_that_a_silent_member_owes)
{
	be_cooperative(true, "group.instance.id=i");
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	struct klamm_error err;
	member_join();
	other_joins(0);
	says.join_behind = INT_MAX;
	rebalance();
	POLL_UNTIL(says.joins == 2);
	/* No poll() from here on: what it is to give up is told to none. */
	says.join_behind = 1;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err),
			 0);
	int64_t until = script_ms() + PATIENCE;
	while (says.syncs < 2 && script_ms() < until)
		usleep(1000);
	fall_silent();
	ck_assert_int_eq(heard.revoked, 0);
	says.stays = 1;
	int64_t last = script_ms(), pause = 0;
	POLL_UNTIL((pause = kl_max(pause, script_ms() - last), last = script_ms(),
		    says.syncs >= 4));
	member_poll(50, NULL);
	if (kl_max(pause, script_ms() - last) > atoi(IMPATIENCE) / 2)
		return; /* a busy machine: it may have fallen silent once more */
	ck_assert_int_eq(heard.lost, 1);
	ck_assert_int_eq(says.generation, 3);
	ck_assert_int_eq(says.joins, 4);
}
END_TEST

static void look_at_loss(void *arg)
{
	*(bool *)arg = consumer->group.membership.next_step == KL_STEP_LOSE;
}

static int given; /* partitions, by the first call of revoked */

static void be_put_out(void)
{
	if (heard.revoked == 0)
		return;
	given = heard.count;
	heard.inside = NULL;
	says.beat.code = KLAMM_ERR_UNKNOWN_MEMBER_ID;
	says.beat.left = 1;
	await_in_loop(look_at_loss);
}

/* It is put out while the application is told what it gives up: the rest is lost, and told. */
START_TEST(what_is_lost_while_some_is_given_up)
{
	be_cooperative(false, NULL);
	member_join();
	other_joins(0);
	heard.inside = be_put_out;
	rebalance();
	POLL_UNTIL(heard.lost == 1);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_ge(given, 1);
	ck_assert_int_eq(given + heard.count, 3);
}
END_TEST

static void commit_what_goes(void)
{
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	struct klamm_error err;
	if (heard.revoked == 0)
		return;
	given = heard.count;
	heard.inside = NULL;
	says.commit.code = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.commit.left = -1;
	ck_assert_msg(klamm_consumer_commit_async(consumer, &offset, 1, NULL, NULL,
						  &err) == 0,
		      "%s", err.text);
}

/* Nor is anything told twice when the application leaves before what it commits is stored. */
START_TEST(leaving_while_some_is_given_up)
{
	struct klamm_error err;
	be_cooperative(false, NULL);
	member_join();
	other_joins(0);
	heard.inside = commit_what_goes;
	rebalance();
	POLL_UNTIL(heard.revoked == 1);
	member_poll(20, NULL); /* which has to wait for the commit */
	ck_assert_int_eq(klamm_consumer_close(consumer, 200, &err), 0);
	consumer = NULL;
	ck_assert_int_eq(heard.revoked, 2);
	ck_assert_int_ge(given, 1);
	ck_assert_int_eq(given + heard.count, 3);
	ck_assert_int_eq(heard.lost, 0);
}
END_TEST

/* The one that has to give something up does not come back to say that it has. */
START_TEST(what_stays_withheld)
{
	other_joins(3);
	be_cooperative(true, NULL);
	member_subscribe();
	POLL_UNTIL(heard.assigned == 1);
	ck_assert_int_eq(heard.count, 0);
	POLL_UNTIL(says.joins == 2);
	ck_assert(saw(says.reason, "partitions wait for owners since a rebalance"));
	ck_assert_int_eq(heard.revoked + heard.lost, 0);
}
END_TEST

/* A static leader is told to assign nothing anew (KIP-814), and does when it has to. */
START_TEST(a_leader_that_comes_back_looks)
{
	CONSUMER("group.instance.id=i", NULL);
	member_join();
	ck_assert_int_eq(says.describes, 0);
	klamm_consumer_close(consumer, 1000, NULL);
	says.stays = 1;
	says.unowned = _i == 1;
	heard.assigned = 0;
	CONSUMER("group.instance.id=i", NULL);
	member_subscribe();
	POLL_UNTIL(says.describes == 1);
	if (_i == 1)
		POLL_UNTIL(says.joins == 3 && heard.assigned == 2);
	else
		member_poll(100, NULL);
	ck_assert_int_eq(says.joins, _i == 1 ? 3 : 2);
	if (_i == 1)
		ck_assert(saw(says.reason,
			      "partitions have no owner since the leader was gone"));
	ck_assert_int_eq(says.describes, 1);
}
END_TEST

UNIT_SUITE(member_end)
{
	Suite *s = suite_create("member_end");
	unit_add_case(s, "commits_of_one_that_was_put_out", commits_of_one_that_was_put_out,
		      member_up, member_down, 2);
	unit_add_case(s, "how_a_membership_ends", how_a_membership_ends, member_up,
		      member_down, 6);
	unit_add_case(s, "closing_in_the_middle_of_a_rebalance",
		      closing_in_the_middle_of_a_rebalance, member_up, member_down, 2);
	unit_add_fixture(s, closing_while_others_are_waited_for, member_up, member_down);
	unit_add_fixture(s, commits_while_others_are_waited_for, member_up, member_down);
	unit_add_case(s, "commits_that_overtake_a_rebalance",
		      commits_that_overtake_a_rebalance, member_up, member_down, 2);
	unit_add_fixture(s, closing_is_overtaken_by_a_rebalance, member_up, member_down);
	unit_add_fixture(s, a_round_that_a_silent_member_owes, member_up, member_down);
	unit_add_fixture(s, what_is_lost_while_some_is_given_up, member_up,
			 member_down);
	unit_add_fixture(s, leaving_while_some_is_given_up, member_up, member_down);
	unit_add_fixture(s, what_stays_withheld, member_up, member_down);
	unit_add_case(s, "a_leader_that_comes_back_looks", a_leader_that_comes_back_looks,
		      member_up, member_down, 2);
	return s;
}
