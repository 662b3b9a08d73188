/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of consume-transform-produce: each kind of bad history is told of. */
#include "tests/sim/copies.h"

#include <string.h>

#include "tests/unit/unit.h"

static struct copies *c;
static struct kl_buf why;

static void set_up(void)
{
	c = copies_new(2, 3);
}

static void tear_down(void)
{
	copies_free(c);
	kl_buf_free(&why);
}

/* All is well, but for this one record, which is not copied. */
static void copy_all_but(int32_t partition, int64_t offset)
{
	for (int32_t p = 0; p < 2; p++)
		for (int64_t i = 0; i < 3; i++)
			if (p != partition || i != offset)
				copies_seen(c, p, i);
}

static void checkpoints(int64_t first, int64_t second)
{
	copies_checkpoint(c, 0, first);
	copies_checkpoint(c, 1, second);
}

static void bad(const char *text)
{
	ck_assert(!copies_check(c, &why));
	ck_assert_msg(strstr(kl_buf_text(&why), text) != NULL, "\"%s\" is not in: %s", text,
		      kl_buf_text(&why));
}

START_TEST(good_copies)
{
	checkpoints(-1, -1);
	copy_all_but(-1, -1);
	checkpoints(2, 3);
	checkpoints(3, 3);
	ck_assert_msg(copies_check(c, &why) && why.len == 0, "%s", kl_buf_text(&why));
}
END_TEST

START_TEST(lost_copy)
{
	copy_all_but(1, 1);
	checkpoints(3, 3);
	bad("input 1/1: 0 copies");
}
END_TEST

START_TEST(second_copy)
{
	copy_all_but(-1, -1);
	copies_seen(c, 0, 2);
	checkpoints(3, 3);
	bad("input 0/2: 2 copies");
}
END_TEST

START_TEST(late_copy)
{
	copy_all_but(0, 1);
	copies_seen(c, 0, 1);
	checkpoints(3, 3);
	bad("input 0/1: copied behind 0/2");
}
END_TEST

START_TEST(alien_copy)
{
	copy_all_but(-1, -1);
	copies_seen(c, 0, 3);
	checkpoints(3, 3);
	bad("a copy of 0/3, which is no input");
}
END_TEST

START_TEST(short_checkpoint)
{
	copy_all_but(-1, -1);
	checkpoints(2, 3);
	bad("partition 0: the checkpoint is 2 after 3 records");
}
END_TEST

START_TEST(checkpoint_goes_back)
{
	copy_all_but(-1, -1);
	checkpoints(2, 3);
	copies_checkpoint(c, 0, 1);
	checkpoints(3, 3);
	bad("partition 0: the checkpoint went back from 2 to 1");
}
END_TEST

UNIT_SUITE(copies)
{
	Suite *s = suite_create("copies");
	unit_add_fixture(s, good_copies, set_up, tear_down);
	unit_add_fixture(s, lost_copy, set_up, tear_down);
	unit_add_fixture(s, second_copy, set_up, tear_down);
	unit_add_fixture(s, late_copy, set_up, tear_down);
	unit_add_fixture(s, alien_copy, set_up, tear_down);
	unit_add_fixture(s, short_checkpoint, set_up, tear_down);
	unit_add_fixture(s, checkpoint_goes_back, set_up, tear_down);
	return s;
}
