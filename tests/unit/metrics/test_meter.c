/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates, averages and extremes are what Kafka's own are of the same events. */
#include "core/metrics/meter.h"

#include <math.h>

#include "core/metrics/snapshot.h"
#include "tests/unit/unit.h"

static const struct kl_windows usual = {30 * (int64_t)KL_SECOND, 2};

#define AT(seconds) ((int64_t)((seconds) * KL_SECOND))

static double read_face(const struct kl_windows *windows, const struct kl_meter *meter,
			enum kl_face face, int64_t now)
{
	double value = NAN;
	ck_assert(kl_meter_read(windows, meter, face, now, &value));
	return value;
}

/* Kafka's MetricsTest and kafka-python's: 0 to 9, two seconds later. */
START_TEST(ten_values_of_kafka_s_own_test)
{
	struct kl_meter meter = {0};
	for (int i = 0; i < 10; i++)
		kl_meter_note(&usual, &meter, i, AT(100));
	int64_t now = AT(102);
	ck_assert_double_eq_tol(read_face(&usual, &meter, KL_FACE_TOTAL_RATE, now), 45 / 32.0,
				1e-9);
	ck_assert_double_eq_tol(read_face(&usual, &meter, KL_FACE_COUNT_RATE, now), 10 / 32.0,
				1e-9);
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_AVG, now), 4.5);
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_MIN, now), 0);
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_MAX, now), 9);
	ck_assert_uint_eq(meter.count, 10);
	ck_assert_int_eq(meter.total, 45);
	kl_meters_free(&meter, 1);
}
END_TEST

/* What was before the windows is no longer in them; totals stay. */
START_TEST(windows_pass)
{
	struct kl_meter meter = {0};
	double value;
	kl_meter_note(&usual, &meter, 100, AT(0));
	kl_meter_note(&usual, &meter, 1, AT(40)); /* a second sample */
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_MAX, AT(59)), 100);
	ck_assert_double_eq_tol(read_face(&usual, &meter, KL_FACE_TOTAL_RATE, AT(59)),
				101 / 59.0, 1e-9);
	/* 60 s after its last event the first is gone: 1 in 21 s and a whole window. */
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_MAX, AT(61)), 1);
	ck_assert_double_eq_tol(read_face(&usual, &meter, KL_FACE_TOTAL_RATE, AT(61)),
				1 / 51.0, 1e-9);
	ck_assert(!kl_meter_read(&usual, &meter, KL_FACE_AVG, AT(100), &value));
	ck_assert(!kl_meter_read(&usual, &meter, KL_FACE_MAX, AT(100), &value));
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_TOTAL_RATE, AT(100)), 0);
	ck_assert_int_eq(meter.total, 101);
	kl_meters_free(&meter, 1);
}
END_TEST

/* The oldest sample may begin before what is looked back on, and counts as long as it
 * reaches into it (KAFKA-15770). */
START_TEST(an_overlapping_sample_counts)
{
	struct kl_meter meter = {0};
	kl_meter_note(&usual, &meter, 10, AT(0));
	kl_meter_note(&usual, &meter, 10, AT(29));
	kl_meter_note(&usual, &meter, 10, AT(31));
	kl_meter_note(&usual, &meter, 10, AT(62)); /* the third: none is used again yet */
	ck_assert_uint_eq(meter.used, 3);
	ck_assert_double_eq_tol(read_face(&usual, &meter, KL_FACE_TOTAL_RATE, AT(62)),
				40 / 62.0, 1e-9);
	kl_meter_note(&usual, &meter, 10, AT(93));
	ck_assert_uint_eq(meter.used, 3);
	ck_assert_double_eq_tol(read_face(&usual, &meter, KL_FACE_TOTAL_RATE, AT(93)),
				20 / 31.0, 1e-9);
	kl_meters_free(&meter, 1);
}
END_TEST

/* A long run at a steady pace reads as that pace, however many windows. */
START_TEST(a_steady_pace)
{
	struct kl_windows windows = {KL_SECOND, _i};
	struct kl_meter meter = {0};
	for (int i = 0; i < 20000; i++)
		kl_meter_note(&windows, &meter, 50, i * (int64_t)10 * KL_MS);
	int64_t now = 20000 * (int64_t)10 * KL_MS;
	double got = read_face(&windows, &meter, KL_FACE_COUNT_RATE, now);
	ck_assert_double_ge(got, 95);
	ck_assert_double_le(got, 105);
	ck_assert_uint_le(meter.used, (unsigned)_i + 1);
	ck_assert_double_eq(read_face(&windows, &meter, KL_FACE_AVG, now), 50);
	kl_meters_free(&meter, 1);
}
END_TEST

/* Values that a configuration may have give numbers, and no infinity. */
START_TEST(windows_at_their_limits)
{
	const struct kl_windows odd[] = {
		{0, 1}, {0, INT32_MAX}, {INT64_MAX, 1}, {INT64_MAX, INT32_MAX}, {1, 1}};
	for (size_t i = 0; i < kl_countof(odd); i++) {
		struct kl_meter meter = {0};
		for (int n = 0; n < 100; n++)
			kl_meter_note(&odd[i], &meter, n, AT(n));
		for (int face = KL_FACE_COUNT_RATE; face <= KL_FACE_NOW; face++) {
			double value = 0;
			kl_meter_read(&odd[i], &meter, face, AT(99), &value);
			ck_assert_msg(isfinite(value), "windows %zu, face %d", i, face);
		}
		kl_meters_free(&meter, 1);
	}
}
END_TEST

/* The clock of another thread may lag behind. */
START_TEST(time_may_step_back_a_little)
{
	struct kl_meter meter = {0};
	kl_meter_note(&usual, &meter, 1, AT(10));
	kl_meter_note(&usual, &meter, 3, AT(9.99));
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_AVG, AT(9.98)), 2);
	ck_assert_double_gt(read_face(&usual, &meter, KL_FACE_COUNT_RATE, AT(9.98)), 0);
	kl_meters_free(&meter, 1);
}
END_TEST

START_TEST(many_at_once)
{
	struct kl_meter meter = {0};
	struct kl_sample events = {0}, more = {0};
	kl_meter_join(&usual, &meter, &events, AT(1));
	ck_assert_uint_eq(meter.used, 0);
	for (int i = 1; i <= 10; i++)
		kl_sample_note(i % 2 ? &events : &more, i);
	kl_sample_join(&events, &more);
	kl_meter_join(&usual, &meter, &events, AT(1));
	kl_meter_note(&usual, &meter, 11, AT(1));
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_AVG, AT(2)), 6);
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_MIN, AT(2)), 1);
	ck_assert_double_eq(read_face(&usual, &meter, KL_FACE_MAX, AT(2)), 11);
	ck_assert_uint_eq(meter.count, 11);
	ck_assert_int_eq(meter.total, 66);
	kl_meters_free(&meter, 1);
}
END_TEST

START_TEST(values_are_spread)
{
	struct kl_meter meter = {.spreads = true};
	const double values[] = {0.5, 1, 1.5, 30000, 30001};
	for (size_t i = 0; i < kl_countof(values); i++)
		kl_meter_note(&usual, &meter, values[i], AT(1));
	ck_assert_uint_eq(meter.spread->all.count, 5);
	ck_assert_uint_eq(meter.spread->buckets[0], 2); /* not above 1 */
	ck_assert_uint_eq(meter.spread->buckets[1], 1);
	ck_assert_uint_eq(meter.spread->buckets[KL_SPREAD_BOUNDS - 1], 1);
	ck_assert_uint_eq(meter.spread->buckets[KL_SPREAD_BOUNDS], 1);
	ck_assert_double_eq(meter.spread->all.min, 0.5);
	ck_assert_double_eq(meter.spread->all.max, 30001);
	kl_meters_free(&meter, 1);
}
END_TEST

UNIT_SUITE(meter)
{
	Suite *s = suite_create("meter");
	unit_add(s, ten_values_of_kafka_s_own_test);
	unit_add(s, windows_pass);
	unit_add(s, an_overlapping_sample_counts);
	TCase *steady = tcase_create("a_steady_pace");
	tcase_add_loop_test(steady, a_steady_pace, 1, 8);
	suite_add_tcase(s, steady);
	unit_add(s, windows_at_their_limits);
	unit_add(s, time_may_step_back_a_little);
	unit_add(s, many_at_once);
	unit_add(s, values_are_spread);
	return s;
}
