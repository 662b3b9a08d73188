/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of transactions: good histories pass, each kind of bad one is told of. */
#include "tests/sim/txns.h"

#include <klamm/error.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct history *h;
static struct txns *t;
static struct kl_buf why;
static int64_t offset;

static void set_up(void)
{
	h = history_new(1);
	history_allow_gaps(h);
	t = txns_new();
	offset = 0;
}

static void tear_down(void)
{
	history_free(h);
	txns_free(t);
	kl_buf_free(&why);
}

/* A transaction of some records, all of them acknowledged: they lie one behind the other, and
 * a marker behind them. The first record's number. */
static uint64_t transaction(int count, enum txn_end end)
{
	uint64_t txn = txns_begin(t), first = 0;
	for (int i = 0; i < count; i++) {
		uint64_t id = history_number(h);
		first = i == 0 ? id : first;
		txns_add(t, txn, id);
		history_sent(h, id, 0);
		history_done(h, id, 0, KLAMM_OUTCOME_DELIVERED, 0, offset++);
	}
	txns_end(t, txn, end);
	offset++;
	return first;
}

static void check(const char *text)
{
	struct history_want want = {.no_duplicates = true, .in_order = true};
	bool good = txns_check(t, h, &why);
	good &= history_check(h, &want, &why);
	if (text == NULL)
		ck_assert_msg(good && why.len == 0, "%s", kl_buf_text(&why));
	else
		ck_assert_msg(!good && strstr(kl_buf_text(&why), text) != NULL,
			      "\"%s\" is not in: %s", text, kl_buf_text(&why));
}

START_TEST(good_ends)
{
	uint64_t one = transaction(2, TXN_COMMITTED);
	transaction(3, TXN_ABORTED);
	transaction(1, TXN_UNKNOWN);
	uint64_t seen = transaction(2, TXN_UNKNOWN);
	transaction(2, TXN_LEFT);
	history_read(h, 0, 0, one);
	history_read(h, 0, 1, one + 1);
	history_read(h, 0, 9, seen);
	history_read(h, 0, 10, seen + 1);
	check(NULL);
	struct txns_counts c = txns_count(t, h);
	ck_assert_uint_eq(c.committed, 1);
	ck_assert_uint_eq(c.aborted, 1);
	ck_assert_uint_eq(c.left, 1);
	ck_assert_uint_eq(c.unknown_seen, 1);
	ck_assert_uint_eq(c.unknown_unseen, 1);
}
END_TEST

START_TEST(refused_record)
{
	uint64_t one = transaction(1, TXN_COMMITTED);
	uint64_t id = history_number(h);
	txns_add(t, 0, id);
	history_sent(h, id, KLAMM_ERR_QUEUE_FULL);
	history_read(h, 0, 0, one);
	check(NULL);
}
END_TEST

START_TEST(lost_commit)
{
	transaction(2, TXN_COMMITTED);
	check("transaction 0: committed, and 0 of its 2 records were read");
}
END_TEST

START_TEST(half_a_commit)
{
	uint64_t one = transaction(2, TXN_COMMITTED);
	history_read(h, 0, 1, one + 1);
	check("transaction 0: committed, and 1 of its 2 records were read");
}
END_TEST

START_TEST(half_of_unknown)
{
	uint64_t one = transaction(3, TXN_UNKNOWN);
	history_read(h, 0, 0, one);
	history_read(h, 0, 1, one + 1);
	check("transaction 0: perhaps committed, and 2 of its 3 records were read");
}
END_TEST

START_TEST(visible_abort)
{
	uint64_t one = transaction(1, TXN_ABORTED);
	history_read(h, 0, 0, one);
	check("transaction 0: aborted, and 1 of its 1 records were read");
}
END_TEST

START_TEST(visible_leftover)
{
	transaction(1, TXN_ABORTED);
	uint64_t one = transaction(2, TXN_LEFT);
	history_read(h, 0, 2, one);
	check("transaction 1: left behind, and 1 of its 2 records were read");
}
END_TEST

START_TEST(read_twice)
{
	uint64_t one = transaction(1, TXN_COMMITTED);
	history_read(h, 0, 0, one);
	history_read(h, 0, 1, one);
	check("record 0: 2 times in the log");
}
END_TEST

START_TEST(transactions_in_turn)
{
	uint64_t one = transaction(1, TXN_COMMITTED), two = transaction(1, TXN_UNKNOWN);
	history_read(h, 0, 2, two);
	history_read(h, 0, 4, one);
	check("record 0: at 0/4, behind record 1");
}
END_TEST

UNIT_SUITE(txns)
{
	Suite *s = suite_create("txns");
	unit_add_fixture(s, good_ends, set_up, tear_down);
	unit_add_fixture(s, refused_record, set_up, tear_down);
	unit_add_fixture(s, lost_commit, set_up, tear_down);
	unit_add_fixture(s, half_a_commit, set_up, tear_down);
	unit_add_fixture(s, half_of_unknown, set_up, tear_down);
	unit_add_fixture(s, visible_abort, set_up, tear_down);
	unit_add_fixture(s, visible_leftover, set_up, tear_down);
	unit_add_fixture(s, read_twice, set_up, tear_down);
	unit_add_fixture(s, transactions_in_turn, set_up, tear_down);
	return s;
}
