/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of a group: good histories pass, and each anomaly is told by its sentence. */
#include "tests/sim/owners.h"

#include <string.h>

#include "tests/unit/unit.h"

#define BOUND 100
#define OWNER_BOUND 1000

static struct owners *o;
static struct kl_buf why;
static unsigned a, b; /* members */
static int64_t ends[2] = {3, 2};

static void begin(bool undone)
{
	struct owners_rules rules = {
		.bound = BOUND, .owner_bound = OWNER_BOUND, .undone = undone};
	o = owners_new(2, &rules);
	a = owners_member(o);
	b = owners_member(o);
	owners_watch(o, 1, ends);
}

static void set_up(void)
{
	begin(false);
}

static void set_up_undone(void)
{
	begin(true);
}

static void tear_down(void)
{
	owners_free(o);
	kl_buf_free(&why);
	why = (struct kl_buf){0};
}

static void assigned(unsigned member, int32_t generation, unsigned partition)
{
	owners_assigned(o, member, generation, &partition, 1);
}

static void revoked(unsigned member, unsigned partition)
{
	owners_revoked(o, member, &partition, 1);
}

static void hand(unsigned member, unsigned partition, int64_t from, int64_t to)
{
	for (int64_t offset = from; offset < to; offset++)
		owners_handed(o, member, partition, offset);
}

/* a has 0, b has 1, and both have read all. */
static void share(void)
{
	assigned(a, 1, 0);
	assigned(b, 1, 1);
	hand(a, 0, 0, 3);
	hand(b, 1, 0, 2);
}

static void good(void)
{
	bool is_good = owners_check(o, ends, &why);
	ck_assert_msg(is_good && why.len == 0, "%s", kl_buf_text(&why));
}

static void bad(const char *text)
{
	ck_assert(!owners_check(o, ends, &why));
	ck_assert_msg(strstr(kl_buf_text(&why), text) != NULL, "\"%s\" is not in: %s", text,
		      kl_buf_text(&why));
}

START_TEST(good_group)
{
	share();
	owners_committed(o, 0, 2);
	owners_answer(o, 0, owners_ask(o, 0), 2);
	owners_settled(o, ends);
	revoked(a, 0);
	owners_left(o, a);
	/* From the committed offset on, so one again. */
	assigned(b, 2, 0);
	hand(b, 0, 2, 3);
	owners_committed(o, 0, 3);
	owners_settled(o, ends);
	revoked(b, 1);
	revoked(b, 0);
	owners_left(o, b);
	good();
	struct owners_counts c = owners_count(o);
	ck_assert_uint_eq(c.handed, 6);
	ck_assert_uint_eq(c.again, 1);
	ck_assert_uint_eq(c.assigned, 3);
	ck_assert_uint_eq(c.revoked, 3);
}
END_TEST

START_TEST(lost_records)
{
	assigned(a, 1, 0);
	assigned(b, 1, 1);
	hand(a, 0, 0, 3);
	hand(b, 1, 1, 2);
	bad("partition 1: 1 of 2 records were handed to nobody, the first is 0");
}
END_TEST

START_TEST(more_than_there_are)
{
	share();
	hand(b, 1, 2, 3);
	bad("partition 1: 3 was handed out of 2");
}
END_TEST

START_TEST(two_owners_in_a_generation)
{
	share();
	/* The first one was excused, so that only the generation tells. */
	owners_excuse(o, a, 10);
	assigned(b, 1, 0);
	bad("partition 0: members 0 and 1 own it in generation 1");
}
END_TEST

START_TEST(kept_in_a_generation)
{
	/* a goes into generation 2 with what it has, and b gets the same. */
	share();
	owners_assigned(o, a, 2, NULL, 0);
	owners_killed(o, a);
	assigned(b, 2, 0);
	bad("partition 0: members 0 and 1 own it in generation 2");
}
END_TEST

START_TEST(static_member_comes_back)
{
	share();
	revoked(a, 0);
	owners_left(o, a);
	unsigned again = owners_member(o);
	owners_succeeds(o, again, a);
	assigned(again, 1, 0);
	hand(again, 0, 0, 3);
	good();
	assigned(b, 1, 0);
	bad("partition 0: members 0 and 1 own it in generation 1");
}
END_TEST

START_TEST(two_owners_at_a_time)
{
	share();
	assigned(b, 2, 0);
	bad("partition 0: member 1 was given it, and member 0 has it");
}
END_TEST

START_TEST(put_out)
{
	/* a stands still; b gets what it had; a finds out, and comes back. */
	share();
	owners_excuse(o, a, 50);
	owners_watch(o, 50, ends);
	assigned(b, 2, 0);
	hand(b, 0, 0, 3);
	revoked(a, 0);
	owners_watch(o, 60, ends);
	owners_assigned(o, a, 3, NULL, 0);
	good();
}
END_TEST

START_TEST(excused_no_more)
{
	share();
	owners_excuse_all(o, 50);
	owners_watch(o, 51, ends);
	assigned(b, 2, 0);
	bad("partition 0: member 1 was given it, and member 0 has it");
}
END_TEST

START_TEST(given_twice)
{
	share();
	assigned(a, 2, 0);
	bad("partition 0: member 0 was given it twice");
}
END_TEST

START_TEST(given_up_twice)
{
	share();
	revoked(a, 0);
	revoked(a, 0);
	bad("partition 0: member 0 gives it up, and had it not");
}
END_TEST

START_TEST(left_with_a_partition)
{
	share();
	owners_left(o, a);
	bad("partition 0: member 0 left, and was not told to give it up");
}
END_TEST

START_TEST(handed_after_it_was_given_up)
{
	assigned(a, 1, 0);
	hand(a, 0, 0, 2);
	revoked(a, 0);
	hand(a, 0, 2, 3);
	bad("partition 0: member 0 was handed 2, and does not own it");
}
END_TEST

START_TEST(handed_out_of_order)
{
	assigned(a, 1, 0);
	hand(a, 0, 0, 1);
	hand(a, 0, 2, 3);
	bad("partition 0: member 0 was handed 2 when 1 was next");
}
END_TEST

START_TEST(handed_again_in_one_ownership)
{
	share();
	hand(a, 0, 2, 3);
	bad("partition 0: member 0 was handed 2 when 3 was next");
}
END_TEST

START_TEST(begins_before_what_was_committed)
{
	share();
	owners_committed(o, 0, 2);
	revoked(a, 0);
	assigned(b, 2, 0);
	hand(b, 0, 1, 3);
	bad("partition 0: member 1 begins at 1, and 2 was committed");
}
END_TEST

START_TEST(commit_goes_back)
{
	share();
	owners_committed(o, 0, 2);
	owners_answer(o, 0, owners_ask(o, 0), 1);
	bad("partition 0: 1 is committed, and 2 was");
}
END_TEST

START_TEST(commit_is_lost)
{
	share();
	owners_committed(o, 0, 2);
	owners_answer(o, 0, owners_ask(o, 0), -1);
	bad("partition 0: -1 is committed, and 2 was");
}
END_TEST

START_TEST(answers_cross)
{
	/* The answer is older than the commit that was acknowledged meanwhile. */
	share();
	owners_committed(o, 0, 1);
	int64_t floor = owners_ask(o, 0);
	owners_committed(o, 0, 3);
	owners_committed(o, 0, 2);
	owners_answer(o, 0, floor, 1);
	ck_assert_int_eq(owners_ask(o, 0), 3);
	good();
}
END_TEST

START_TEST(commit_is_undone_by_a_late_one)
{
	share();
	owners_committed(o, 0, 2);
	owners_answer(o, 0, owners_ask(o, 0), 1);
	revoked(a, 0);
	assigned(b, 2, 0);
	hand(b, 0, 1, 3);
	good();
}
END_TEST

START_TEST(commit_of_what_nobody_had)
{
	assigned(a, 1, 0);
	hand(a, 0, 0, 2);
	owners_committed(o, 0, 3);
	bad("partition 0: 3 is committed, and nobody was handed what is before it");
}
END_TEST

START_TEST(waits_too_long)
{
	share();
	int64_t more[2] = {3, 3};
	owners_watch(o, 10, more);
	owners_watch(o, 10 + BOUND, more);
	good();
	owners_watch(o, 11 + BOUND, more);
	bad("partition 1: member 1 was handed nothing for 0 s, and there are 2 of 3");
}
END_TEST

START_TEST(waits_from_what_is_committed_on)
{
	/* Nobody knows where b is; but all that there is was committed. */
	share();
	owners_committed(o, 0, 3);
	revoked(a, 0);
	assigned(b, 2, 0);
	owners_watch(o, 10, ends);
	owners_watch(o, 11 + BOUND, ends);
	good();
	int64_t more[2] = {4, 2};
	owners_watch(o, 300, more);
	owners_watch(o, 301 + BOUND, more);
	bad("partition 0: member 1 was handed nothing for 0 s, and there are 3 of 4");
}
END_TEST

START_TEST(waits_while_it_stands_still)
{
	assigned(a, 1, 0);
	assigned(b, 1, 1);
	hand(b, 1, 0, 2);
	owners_excuse(o, a, 500);
	for (int64_t now = 10; now <= 500 + BOUND; now += 10)
		owners_watch(o, now, ends);
	hand(a, 0, 0, 3);
	owners_watch(o, 700, ends);
	good();
}
END_TEST

START_TEST(a_nap_excuses_a_wait_and_no_second_owner)
{
	assigned(a, 1, 0);
	assigned(b, 1, 1);
	hand(b, 1, 0, 2);
	owners_nap(o, a, 500);
	for (int64_t now = 10; now <= 500 + BOUND; now += 10)
		owners_watch(o, now, ends);
	hand(a, 0, 0, 3);
	good();
	owners_nap(o, a, 900);
	assigned(b, 2, 0);
	bad("partition 0: member 1 was given it, and member 0 has it");
}
END_TEST

START_TEST(progress_ends_a_wait)
{
	assigned(a, 1, 0);
	assigned(b, 1, 1);
	hand(b, 1, 0, 2);
	for (int64_t offset = 0; offset < 3; offset++) {
		owners_watch(o, 10 + offset * BOUND, ends);
		hand(a, 0, offset, offset + 1);
	}
	owners_watch(o, 1000, ends);
	good();
	ck_assert_int_eq(owners_count(o).longest_wait, 0);
}
END_TEST

START_TEST(nobody_owns_it)
{
	share();
	revoked(a, 0);
	owners_watch(o, 10, ends);
	owners_watch(o, 11 + OWNER_BOUND, ends);
	bad("partition 0: nobody owns it for 0 s");
}
END_TEST

START_TEST(nobody_owns_it_in_trouble)
{
	share();
	revoked(a, 0);
	owners_hinder(o, 500);
	for (int64_t now = 10; now <= 500 + OWNER_BOUND; now += 10)
		owners_watch(o, now, ends);
	good();
	owners_watch(o, 511 + OWNER_BOUND, ends);
	bad("partition 0: nobody owns it for 0 s");
}
END_TEST

START_TEST(no_partition_yet)
{
	assigned(a, 1, 0);
	hand(a, 0, 0, 3);
	int64_t less[2] = {3, -1};
	owners_watch(o, 10, less);
	owners_watch(o, 11 + OWNER_BOUND, less);
	owners_settled(o, less);
	bool is_good = owners_check(o, less, &why);
	ck_assert_msg(is_good, "%s", kl_buf_text(&why));
}
END_TEST

START_TEST(no_owner_in_the_end)
{
	share();
	owners_killed(o, a);
	owners_settled(o, ends);
	bad("partition 0: 0 owners in the end");
}
END_TEST

START_TEST(two_owners_in_the_end)
{
	share();
	owners_excuse_all(o, 10);
	assigned(b, 2, 0);
	owners_settled(o, ends);
	bad("partition 0: 2 owners in the end");
}
END_TEST

START_TEST(not_read_out_in_the_end)
{
	share();
	int64_t more[2] = {3, 4};
	owners_settled(o, more);
	bad("partition 1: its owner is at 2 of 4");
}
END_TEST

START_TEST(killed_owner)
{
	share();
	owners_killed(o, a);
	assigned(b, 2, 0);
	hand(b, 0, 0, 3);
	owners_settled(o, ends);
	good();
}
END_TEST

UNIT_SUITE(owners)
{
	Suite *s = suite_create("owners");
	unit_add_fixture(s, good_group, set_up, tear_down);
	unit_add_fixture(s, lost_records, set_up, tear_down);
	unit_add_fixture(s, more_than_there_are, set_up, tear_down);
	unit_add_fixture(s, two_owners_in_a_generation, set_up, tear_down);
	unit_add_fixture(s, kept_in_a_generation, set_up, tear_down);
	unit_add_fixture(s, static_member_comes_back, set_up, tear_down);
	unit_add_fixture(s, two_owners_at_a_time, set_up, tear_down);
	unit_add_fixture(s, put_out, set_up, tear_down);
	unit_add_fixture(s, excused_no_more, set_up, tear_down);
	unit_add_fixture(s, given_twice, set_up, tear_down);
	unit_add_fixture(s, given_up_twice, set_up, tear_down);
	unit_add_fixture(s, left_with_a_partition, set_up, tear_down);
	unit_add_fixture(s, handed_after_it_was_given_up, set_up, tear_down);
	unit_add_fixture(s, handed_out_of_order, set_up, tear_down);
	unit_add_fixture(s, handed_again_in_one_ownership, set_up, tear_down);
	unit_add_fixture(s, begins_before_what_was_committed, set_up, tear_down);
	unit_add_fixture(s, commit_goes_back, set_up, tear_down);
	unit_add_fixture(s, commit_is_lost, set_up, tear_down);
	unit_add_fixture(s, answers_cross, set_up, tear_down);
	unit_add_fixture(s, commit_is_undone_by_a_late_one, set_up_undone, tear_down);
	unit_add_fixture(s, commit_of_what_nobody_had, set_up, tear_down);
	unit_add_fixture(s, waits_too_long, set_up, tear_down);
	unit_add_fixture(s, waits_from_what_is_committed_on, set_up, tear_down);
	unit_add_fixture(s, waits_while_it_stands_still, set_up, tear_down);
	unit_add_fixture(s, a_nap_excuses_a_wait_and_no_second_owner, set_up, tear_down);
	unit_add_fixture(s, progress_ends_a_wait, set_up, tear_down);
	unit_add_fixture(s, nobody_owns_it, set_up, tear_down);
	unit_add_fixture(s, nobody_owns_it_in_trouble, set_up, tear_down);
	unit_add_fixture(s, no_partition_yet, set_up, tear_down);
	unit_add_fixture(s, no_owner_in_the_end, set_up, tear_down);
	unit_add_fixture(s, two_owners_in_the_end, set_up, tear_down);
	unit_add_fixture(s, not_read_out_in_the_end, set_up, tear_down);
	unit_add_fixture(s, killed_owner, set_up, tear_down);
	return s;
}
