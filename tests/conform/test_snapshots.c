/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kit holds snapshots to. */
#include "kit/kit.h"
#include "tests/unit/unit.h"

static double bounds[] = {1, 2};
static uint64_t buckets[2][3];
static struct klamm_metric metrics[2][2];
static struct klamm_snapshot earlier, later;
static char text[KIT_TEXT];

static void fill(int i, struct klamm_snapshot *s)
{
	static const uint64_t counts[] = {3, 2, 1};
	memcpy(buckets[i], counts, sizeof(counts));
	metrics[i][0] = (struct klamm_metric){.name = "a-total", .group = "g", .unit = "1",
					      .doc = "A.", .type = KLAMM_METRIC_COUNTER,
					      .integer = 5};
	metrics[i][1] = (struct klamm_metric){
		.name = "b", .group = "g", .unit = "ms", .doc = "B.",
		.type = KLAMM_METRIC_HISTOGRAM,
		.histogram = {.count = 6, .sum = 9, .min = 0.5, .max = 3, .bounds = bounds,
			      .buckets = buckets[i], .bound_count = 2}};
	*s = (struct klamm_snapshot){.size = sizeof(*s), .metric_size = sizeof(metrics[0][0]),
				     .metrics = metrics[i], .metric_count = 2, .started_ms = 7,
				     .taken_us = 100 + i};
}

static void up(void)
{
	fill(0, &earlier);
	fill(1, &later);
	bounds[1] = 2;
}

static void wants(const char *words)
{
	const char *got = kit_snapshots(&earlier, &later, text);
	ck_assert_msg(got != NULL && strstr(got, words) != NULL, "\"%s\", not \"%s\"",
		      got != NULL ? got : "nothing wrong", words);
	up();
	ck_assert_ptr_null(kit_snapshots(&earlier, &later, text));
}

START_TEST(what_must_not_happen_is_told)
{
	ck_assert_ptr_null(kit_snapshots(&earlier, &later, text));
	ck_assert_ptr_null(kit_snapshots(NULL, &later, text));
	metrics[1][0].integer = 4;
	wants("not monotonic: the counter a-total falls from 5 to 4");
	metrics[1][0].integer = -1;
	wants("the counter a-total is -1");
	later.taken_us = 99;
	wants("not monotonic: taken_us goes back from 100 to 99");
	later.started_ms = 8;
	wants("started_ms changes");
	earlier.is_last = 1;
	wants("a snapshot comes after the last one");
	later.metrics = &metrics[1][1];
	later.metric_count = 1;
	wants("not monotonic: the counter a-total is gone");
	buckets[1][0]++;
	wants("the buckets of b hold 7, its count is 6");
	buckets[1][0]--;
	buckets[1][1]++;
	wants("not monotonic: bucket 0 of b falls from 3 to 2");
	bounds[1] = 1;
	wants("the bounds of b do not rise");
	metrics[1][1].histogram.min = 4;
	wants("b has a minimum of 4 and a maximum of 3");
	metrics[1][1] = metrics[1][0];
	wants("a-total is there twice");
	metrics[1][0].unit = NULL;
	wants("a-total lacks its name, group, unit or doc");
	metrics[1][0].type = KLAMM_METRIC_GAUGE;
	wants("was of the type 1 and is of 2");
	metrics[1][0].type = 9;
	wants("a-total is of the type 9");
}
END_TEST

UNIT_SUITE(snapshots)
{
	Suite *s = suite_create("snapshots");
	unit_add_fixture(s, what_must_not_happen_is_told, up, NULL);
	return s;
}
