/* SPDX-License-Identifier: BSD-2-Clause */
/* When reporters are called, and what a bad one can do: in virtual time, without a broker. */
#include "core/metrics/reporters.h"

#include <stdio.h>

#include "core/conf/conf.h"
#include "core/os/sim.h"
#include "tests/unit/metrics/reporter.h"
#include "tests/unit/unit.h"

static struct kl_sim *sim;
static struct kl_sim_node *node;
static struct reporter one, two;
static char log_text[8192];
static const char *reporters_key;
static int64_t run_s;
static int64_t closed_after; /* virtual microseconds that closing took */

static void keep_log(void *arg, int32_t level, const char *where, const char *text)
{
	size_t at = strlen(log_text);
	if (strcmp(where, "metrics") == 0)
		snprintf(log_text + at, sizeof(log_text) - at, "%s\n", text);
}

static void set(struct klamm_conf *conf, const char *key, const char *value)
{
	struct klamm_error err;
	ck_assert_msg(klamm_conf_set(conf, key, value, &err) == 0, "%s", err.text);
}

static struct klamm_conf *conf_new(void)
{
	struct klamm_conf *conf;
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	klamm_conf_log(conf, keep_log, NULL, 1);
	one.sim = two.sim = sim;
	reporter_offer(conf, "one", &one);
	reporter_offer(conf, "two", &two);
	set(conf, "bootstrap.servers", "nowhere:9092");
	set(conf, "metric.reporters", reporters_key);
	set(conf, "klamm.metrics.interval.ms", "1000");
	return conf;
}

/* A client that does nothing for run_s seconds. */
static void idle_client(void *arg)
{
	struct klamm_loop *loop;
	struct klamm_producer *producer;
	struct klamm_error err;
	struct kl_os *os = kl_sim_os(node);
	struct klamm_conf *conf = conf_new();
	ck_assert_int_eq(kl_loop_new(os, kl_conf_log(conf), &loop, &err), 0);
	ck_assert_int_eq(klamm_loop_start(loop, &err), 0);
	int rc = klamm_producer_new(conf, loop, &producer, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	kl_sim_sleep(sim, run_s * KL_SECOND);
	int64_t before = kl_sim_now(sim);
	ck_assert_int_eq(klamm_producer_close(producer, 0, &err), 0);
	closed_after = kl_sim_now(sim) - before;
	klamm_loop_free(loop);
	klamm_conf_free(conf);
}

static void run(int seed, const char *reporters, int64_t seconds)
{
	reporters_key = reporters;
	run_s = seconds;
	sim = kl_sim_new((uint64_t)seed, NULL);
	node = kl_sim_node(sim, "client");
	kl_sim_spawn(node, "application", idle_client, NULL);
	ck_assert_int_eq(kl_sim_run(sim, 1000 * (int64_t)KL_SECOND), KL_SIM_DONE);
	kl_sim_free(sim);
	ck_assert_str_eq(one.wrong, "");
	ck_assert_str_eq(two.wrong, "");
}

/* Each second, and once more with the end. */
START_TEST(at_each_interval_and_at_the_end)
{
	run(_i, "one", 10);
	ck_assert_int_ge(one.reports, 10);
	ck_assert_int_le(one.reports, 11);
	ck_assert_int_eq(one.last, 1);
	ck_assert_int_eq(one.opened, 1);
	ck_assert_int_eq(one.closed, 1);
	ck_assert_int_eq(two.opened, 0);
	for (int i = 1; i < one.reports - 1; i++) {
		int64_t apart = one.at_us[i] - one.at_us[i - 1];
		ck_assert_int_ge(apart, KL_SECOND);
		ck_assert_int_le(apart, KL_SECOND + 10 * KL_MS);
	}
	ck_assert_int_eq(one.wait_ms, 5000);
	ck_assert_str_eq(log_text, "");
}
END_TEST

/* It misses intervals; the other one, and the client, do not. */
START_TEST(a_slow_one_holds_up_nobody)
{
	one.sleep_us = 2500 * KL_MS;
	run(_i, "one,two", 30);
	ck_assert_int_ge(two.reports, 29);
	ck_assert_int_eq(two.last, 1);
	ck_assert_int_ge(one.reports, 9);
	ck_assert_int_le(one.reports, 12);
	ck_assert_int_eq(one.last, 1);
	ck_assert_ptr_nonnull(strstr(log_text, "one takes longer than "
					       "klamm.metrics.interval.ms"));
	ck_assert_ptr_null(strstr(log_text, "two"));
}
END_TEST

/* What it says is logged; it is asked again. */
START_TEST(a_failing_one_is_logged)
{
	one.fails = 3;
	run(_i, "one,two", 10);
	const char *p = log_text;
	int lines = 0;
	while ((p = strstr(p, "one reports nothing: the collector is on holiday\n")) != NULL) {
		lines++;
		p++;
	}
	ck_assert_int_eq(lines, 3);
	ck_assert_int_ge(one.reports, 10);
	ck_assert_int_eq(one.last, 1);
	ck_assert_int_ge(two.reports, 10);
}
END_TEST

/* The last report waits for one that is still at it. */
START_TEST(closing_waits_for_the_last_report)
{
	one.sleep_us = 1500 * KL_MS;
	run(_i, "one", 2);
	ck_assert_int_eq(one.last, 1);
	ck_assert_int_eq(one.closed, 1);
	ck_assert_int_ge(closed_after, 1500 * KL_MS);
	ck_assert_int_le(closed_after, 3100 * KL_MS);
}
END_TEST

START_TEST(none_costs_nothing)
{
	run(_i, "", 5);
	ck_assert_int_eq(one.opened + two.opened, 0);
	ck_assert_int_lt(closed_after, 10 * KL_MS);
}
END_TEST

UNIT_SUITE(reporters)
{
	Suite *s = suite_create("reporters");
	unit_add_loop(s, at_each_interval_and_at_the_end, 5);
	unit_add_loop(s, a_slow_one_holds_up_nobody, 5);
	unit_add(s, a_failing_one_is_logged);
	unit_add(s, closing_waits_for_the_last_report);
	unit_add(s, none_costs_nothing);
	return s;
}
