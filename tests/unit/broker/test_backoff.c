/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting longer after each failure. */
#include "core/broker/backoff.h"

#include "tests/unit/unit.h"

START_TEST(doubles_up_to_the_most_and_jitters)
{
	struct kl_os *os = kl_os_real();
	static const int64_t want_ms[] = {100, 200, 400, 800, 1000, 1000, 1000};
	for (unsigned n = 0; n < kl_countof(want_ms); n++) {
		int64_t least = INT64_MAX, most = 0;
		for (int i = 0; i < 500; i++) {
			int64_t us = kl_backoff(os, 100, 1000, n);
			least = kl_min(least, us);
			most = kl_max(most, us);
		}
		ck_assert_int_ge(least, want_ms[n] * KL_MS * 8 / 10);
		ck_assert_int_le(most, want_ms[n] * KL_MS * 12 / 10);
		/* Not always the same: 500 draws leave no fifth of the range empty. */
		ck_assert_int_lt(least, want_ms[n] * KL_MS * 9 / 10);
		ck_assert_int_gt(most, want_ms[n] * KL_MS * 11 / 10);
	}
}
END_TEST

START_TEST(odd_values)
{
	struct kl_os *os = kl_os_real();
	ck_assert_int_eq(kl_backoff(os, 0, 0, 0), 0);
	ck_assert_int_eq(kl_backoff(os, 0, 1000, 40), 0);
	ck_assert_int_eq(kl_backoff(os, -5, -5, 3), 0);
	/* A base above the most is what is waited for. */
	int64_t us = kl_backoff(os, 500, 100, 9);
	ck_assert_int_ge(us, 400 * KL_MS);
	ck_assert_int_le(us, 600 * KL_MS);
	/* So many failures that the doubling would overflow. */
	ck_assert_int_le(kl_backoff(os, 50, 1000, UINT32_MAX), 1200 * KL_MS);
}
END_TEST

UNIT_SUITE(backoff)
{
	Suite *s = suite_create("backoff");
	unit_add(s, doubles_up_to_the_most_and_jitters);
	unit_add(s, odd_values);
	return s;
}
