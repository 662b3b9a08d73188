/* SPDX-License-Identifier: BSD-2-Clause */
/* The checker of the simulation's histories: good ones pass, and each kind of bad one is
 * told by its sentence. */
#include "tests/sim/history.h"

#include <klamm/error.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct history *h;
static struct kl_buf why;

static void set_up(void)
{
	h = history_new(2);
}

static void tear_down(void)
{
	history_free(h);
	kl_buf_free(&why);
}

static void send_some(int n)
{
	for (int i = 0; i < n; i++)
		history_sent(h, history_number(h), 0);
}

static void acked(uint64_t id, int32_t partition, int64_t offset)
{
	history_done(h, id, 0, KLAMM_OUTCOME_DELIVERED, partition, offset);
}

static void failed(uint64_t id, int outcome)
{
	history_done(h, id, KLAMM_ERR_TIMED_OUT, outcome, 0, -1);
}

static void good_with(const struct history_want *want)
{
	bool good = history_check(h, want, &why);
	ck_assert_msg(good && why.len == 0, "%s", kl_buf_text(&why));
}

static void good(void)
{
	good_with(&(struct history_want){0});
}

static void bad_with(const struct history_want *want, const char *text)
{
	ck_assert(!history_check(h, want, &why));
	ck_assert_msg(strstr(kl_buf_text(&why), text) != NULL, "\"%s\" is not in: %s", text,
		      kl_buf_text(&why));
}

static void bad(const char *text)
{
	bad_with(&(struct history_want){0}, text);
}

START_TEST(good_history)
{
	send_some(4);
	acked(0, 0, 0);
	acked(1, 1, 0);
	acked(2, 0, 1);
	acked(3, 1, 1);
	history_read(h, 0, 0, 0);
	history_read(h, 1, 0, 1);
	history_read(h, 1, 1, 3);
	history_read(h, 0, 1, 2);
	history_position(h, 0, 2);
	good_with(&(struct history_want){.all_acked = true, .no_duplicates = true});
	ck_assert_uint_eq(history_count(h).acked, 4);
	ck_assert_uint_eq(history_open(h), 0);
}
END_TEST

START_TEST(good_retry)
{
	/* The answer for 0 and 1 was lost, they were written again, the second place
	 * counts. */
	send_some(3);
	acked(0, 0, 2);
	acked(1, 0, 3);
	acked(2, 0, 4);
	uint64_t log[] = {0, 1, 0, 1, 2};
	for (int i = 0; i < 5; i++)
		history_read(h, 0, i, log[i]);
	good();
	ck_assert_uint_eq(history_count(h).duplicates, 2);
	bad_with(&(struct history_want){.no_duplicates = true}, "record 0: 2 times");
}
END_TEST

START_TEST(good_failures)
{
	/* 0 is not there, 1 came after all and late. */
	send_some(3);
	failed(0, KLAMM_OUTCOME_NOT_WRITTEN);
	failed(1, KLAMM_OUTCOME_POSSIBLY_WRITTEN);
	acked(2, 0, 0);
	history_read(h, 0, 0, 2);
	history_read(h, 0, 1, 1);
	good();
	bad_with(&(struct history_want){.all_acked = true}, "record 1: failed with TIMED_OUT");
}
END_TEST

START_TEST(good_refusal)
{
	send_some(1);
	history_sent(h, history_number(h), KLAMM_ERR_QUEUE_FULL);
	acked(0, 0, 0);
	history_read(h, 0, 0, 0);
	good();
	ck_assert_uint_eq(history_count(h).refused, 1);
}
END_TEST

START_TEST(lost_record)
{
	send_some(2);
	acked(0, 0, 0);
	acked(1, 0, 1);
	history_read(h, 0, 0, 0);
	bad("record 1: acknowledged at 0/1, of which 1 were read");
}
END_TEST

START_TEST(wrong_place)
{
	send_some(2);
	acked(0, 0, 1);
	acked(1, 0, 0);
	history_read(h, 0, 0, 0);
	history_read(h, 0, 1, 1);
	bad("record 0: acknowledged at 0/1, where record 1 is");
}
END_TEST

START_TEST(out_of_order)
{
	send_some(2);
	acked(1, 0, 0);
	acked(0, 0, 1);
	history_read(h, 0, 0, 1);
	history_read(h, 0, 1, 0);
	bad("record 0: at 0/1, behind record 1");
	ck_assert(strstr(kl_buf_text(&why), "told after") == NULL);
	bad_with(&(struct history_want){.told_in_order = true}, "told after");
}
END_TEST

START_TEST(no_outcome)
{
	send_some(2);
	acked(0, 0, 0);
	history_read(h, 0, 0, 0);
	ck_assert_uint_eq(history_open(h), 1);
	bad("record 1: 0 outcomes");
}
END_TEST

START_TEST(two_outcomes)
{
	send_some(1);
	acked(0, 0, 0);
	failed(0, KLAMM_OUTCOME_POSSIBLY_WRITTEN);
	history_read(h, 0, 0, 0);
	bad("record 0: 2 outcomes");
}
END_TEST

START_TEST(written_all_the_same)
{
	send_some(1);
	failed(0, KLAMM_OUTCOME_NOT_WRITTEN);
	history_read(h, 0, 0, 0);
	bad("record 0: surely not written, yet at 0/0");
}
END_TEST

START_TEST(refused_and_read)
{
	history_sent(h, history_number(h), KLAMM_ERR_QUEUE_FULL);
	history_read(h, 0, 0, 0);
	bad("record 0: not sent, yet told of or read");
}
END_TEST

START_TEST(alien_record)
{
	history_read(h, 0, 0, HISTORY_ALIEN);
	bad("0/0: a record that nobody sent, or damaged");
}
END_TEST

START_TEST(alien_outcome)
{
	acked(7, 0, 0);
	bad("an outcome for record 7");
}
END_TEST

START_TEST(skipped_offset)
{
	send_some(1);
	acked(0, 0, 1);
	history_read(h, 0, 1, 0);
	bad("partition 0: offset 1 was read when 0 was next");
}
END_TEST

START_TEST(read_twice)
{
	send_some(1);
	acked(0, 0, 0);
	history_read(h, 0, 0, 0);
	history_read(h, 0, 0, 0);
	bad("partition 0: offset 0 was read when 1 was next");
}
END_TEST

START_TEST(wrong_position)
{
	send_some(1);
	acked(0, 0, 0);
	history_read(h, 0, 0, 0);
	history_position(h, 0, 2);
	bad("partition 0: the position is 2 after 1 records");
}
END_TEST

START_TEST(two_partitions)
{
	send_some(1);
	acked(0, 0, 0);
	history_read(h, 0, 0, 0);
	history_read(h, 1, 0, 0);
	bad("record 0: read from partition 1 and before from 0");
}
END_TEST

START_TEST(no_such_partition)
{
	send_some(1);
	acked(0, 2, 0);
	history_read(h, 2, 0, 0);
	bad("read from partition 2");
	ck_assert(strstr(kl_buf_text(&why), "acknowledged in partition 2") != NULL);
}
END_TEST

START_TEST(many_complaints)
{
	send_some(100);
	bad("and 92 more");
}
END_TEST

static const struct history_want exactly = {.no_duplicates = true, .in_order = true};

START_TEST(late_failure)
{
	/* Of an idempotent producer even what failed keeps its place. */
	send_some(2);
	failed(0, KLAMM_OUTCOME_POSSIBLY_WRITTEN);
	acked(1, 0, 0);
	history_read(h, 0, 0, 1);
	history_read(h, 0, 1, 0);
	good();
	bad_with(&exactly, "record 0: at 0/1, behind record 1");
}
END_TEST

START_TEST(killed_producer)
{
	/* 1 was on its way: it may be there, late as well, but not twice. */
	send_some(2);
	acked(0, 0, 0);
	history_killed(h);
	send_some(1);
	acked(2, 0, 1);
	history_read(h, 0, 0, 0);
	history_read(h, 0, 1, 2);
	history_read(h, 0, 2, 1);
	good_with(&exactly);
	history_read(h, 0, 3, 1);
	bad_with(&exactly, "record 1: 2 times");
}
END_TEST

START_TEST(killed_after_answer)
{
	send_some(1);
	acked(0, 0, 0);
	history_killed(h);
	bad("record 0: acknowledged at 0/0, of which 0 were read");
}
END_TEST

START_TEST(succeeded_producer)
{
	/* The one that was there first is late, and in order with itself. */
	send_some(2);
	ck_assert_uint_eq(history_succeeded(h), 1);
	send_some(1);
	uint64_t late = history_number(h);
	history_sent_by(h, 0, late, 0);
	acked(2, 0, 0);
	acked(0, 0, 1);
	acked(1, 0, 2);
	acked(late, 0, 3);
	history_read(h, 0, 0, 2);
	history_read(h, 0, 1, 0);
	history_read(h, 0, 2, 1);
	history_read(h, 0, 3, late);
	good_with(&exactly);
}
END_TEST

START_TEST(each_succeeded_producer_keeps_its_order)
{
	send_some(1);
	history_succeeded(h);
	send_some(1);
	uint64_t late = history_number(h);
	history_sent_by(h, 0, late, 0);
	acked(1, 0, 0);
	acked(late, 0, 1);
	acked(0, 0, 2);
	history_read(h, 0, 0, 1);
	history_read(h, 0, 1, late);
	history_read(h, 0, 2, 0);
	bad_with(&exactly, "record 0: at 0/2, behind record 2");
}
END_TEST

START_TEST(gaps)
{
	send_some(2);
	acked(0, 0, 1);
	acked(1, 0, 4);
	history_allow_gaps(h);
	history_read(h, 0, 1, 0);
	history_read(h, 0, 4, 1);
	good_with(&exactly);
	history_read(h, 0, 3, 1);
	bad("partition 0: offset 3 was read when 5 was next");
}
END_TEST

START_TEST(acknowledged_in_a_gap)
{
	send_some(1);
	acked(0, 0, 0);
	history_allow_gaps(h);
	history_read(h, 0, 1, 0);
	bad("record 0: acknowledged at 0/0, where record -2 is");
}
END_TEST

START_TEST(hidden_record)
{
	send_some(1);
	acked(0, 0, 0);
	history_hide(h, 0);
	good();
}
END_TEST

UNIT_SUITE(history)
{
	Suite *s = suite_create("history");
	unit_add_fixture(s, good_history, set_up, tear_down);
	unit_add_fixture(s, good_retry, set_up, tear_down);
	unit_add_fixture(s, good_failures, set_up, tear_down);
	unit_add_fixture(s, good_refusal, set_up, tear_down);
	unit_add_fixture(s, lost_record, set_up, tear_down);
	unit_add_fixture(s, wrong_place, set_up, tear_down);
	unit_add_fixture(s, out_of_order, set_up, tear_down);
	unit_add_fixture(s, no_outcome, set_up, tear_down);
	unit_add_fixture(s, two_outcomes, set_up, tear_down);
	unit_add_fixture(s, written_all_the_same, set_up, tear_down);
	unit_add_fixture(s, refused_and_read, set_up, tear_down);
	unit_add_fixture(s, alien_record, set_up, tear_down);
	unit_add_fixture(s, alien_outcome, set_up, tear_down);
	unit_add_fixture(s, skipped_offset, set_up, tear_down);
	unit_add_fixture(s, read_twice, set_up, tear_down);
	unit_add_fixture(s, wrong_position, set_up, tear_down);
	unit_add_fixture(s, two_partitions, set_up, tear_down);
	unit_add_fixture(s, no_such_partition, set_up, tear_down);
	unit_add_fixture(s, many_complaints, set_up, tear_down);
	unit_add_fixture(s, late_failure, set_up, tear_down);
	unit_add_fixture(s, killed_producer, set_up, tear_down);
	unit_add_fixture(s, killed_after_answer, set_up, tear_down);
	unit_add_fixture(s, succeeded_producer, set_up, tear_down);
	unit_add_fixture(s, each_succeeded_producer_keeps_its_order, set_up, tear_down);
	unit_add_fixture(s, gaps, set_up, tear_down);
	unit_add_fixture(s, acknowledged_in_a_gap, set_up, tear_down);
	unit_add_fixture(s, hidden_record, set_up, tear_down);
	return s;
}
