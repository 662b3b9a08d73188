/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys about metrics, each where it changes what happens. */
#include <stdio.h>
#include <unistd.h>

#include "tests/client/world.h"
#include "tests/unit/metrics/reporter.h"

static struct reporter one;

static void up(void)
{
	world_up();
	world_create("t", 1);
}

static void wait_for(int reports)
{
	for (int64_t end = world_ms() + PATIENCE; one.reports < reports && world_ms() < end;)
		usleep(1000);
	ck_assert_int_ge(one.reports, reports);
}

/* Java's reporter of JMX stands for nothing; a plugin that is not there is told at once. */
START_TEST(opt_metric_reporters)
{
	struct klamm_producer *producer;
	struct klamm_error err;
	struct klamm_conf *conf = world_conf(
		"metric.reporters=org.apache.kafka.common.metrics.JmxReporter,one",
		"klamm.metrics.interval.ms=10", NULL);
	reporter_offer(conf, "one", &one);
	producer = world_producer_of(conf, NULL);
	wait_for(2);
	ck_assert_int_eq(one.opened, 1);
	world_close(producer);
	ck_assert_int_eq(one.closed, 1);
	ck_assert_int_eq(one.last, 1);
	ck_assert_str_eq(one.wrong, "");
	conf = world_conf("metric.reporters=nosuch", NULL);
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), KLAMM_ERR_PLUGIN);
	ck_assert_ptr_nonnull(strstr(err.text, "nosuch"));
	klamm_conf_free(conf);
}
END_TEST

/* An hour gives the last one alone. */
START_TEST(opt_klamm_metrics_interval_ms)
{
	struct klamm_conf *conf = world_conf(
		"metric.reporters=one", _i == 0 ? "klamm.metrics.interval.ms=10"
						: "klamm.metrics.interval.ms=3600000", NULL);
	reporter_offer(conf, "one", &one);
	struct klamm_consumer *consumer = world_consumer_of(conf, NULL);
	if (_i == 0)
		wait_for(3);
	else
		usleep(100000);
	world_close_consumer(consumer);
	if (_i == 1)
		ck_assert_int_eq(one.reports, 1);
	ck_assert_int_eq(one.last, 1);
}
END_TEST

/* The same second of sending is a rate over one, two or ten windows. */
static double rate_with(const char *samples, const char *window)
{
	struct klamm_producer *producer = world_producer(NULL, samples, window, NULL);
	for (int i = 0; i < 1000; i++)
		world_send(producer, "t", 0, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_snapshot *s = producer_figures(producer);
	double rate = figure(s, "producer-metrics", "record-send-rate");
	klamm_snapshot_free(s);
	world_close(producer);
	return rate;
}

START_TEST(opt_metrics_num_samples)
{
	double two = rate_with("metrics.num.samples=2", "metrics.sample.window.ms=1000000");
	double eleven =
		rate_with("metrics.num.samples=11", "metrics.sample.window.ms=1000000");
	ck_assert_double_eq_tol(two, 1, 0.1);
	ck_assert_double_eq_tol(eleven, 0.1, 0.01);
}
END_TEST

START_TEST(opt_metrics_sample_window_ms)
{
	double longer =
		rate_with("metrics.num.samples=2", "metrics.sample.window.ms=10000000");
	ck_assert_double_eq_tol(longer, 0.1, 0.01);
	/* 30 s twice, as Java has it */
	double usual = rate_with("metrics.num.samples=2", "metrics.sample.window.ms=30000");
	ck_assert_double_gt(usual, 10);
	ck_assert_double_lt(usual, 34);
}
END_TEST

START_TEST(opt_metrics_recording_level)
{
	const char *const levels[] = {"INFO", "DEBUG", "TRACE"};
	char pair[64];
	snprintf(pair, sizeof(pair), "metrics.recording.level=%s", levels[_i]);
	struct klamm_producer *producer = world_producer(NULL, pair, NULL);
	world_send(producer, "t", 0, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_snapshot *s = producer_figures(producer);
	const struct klamm_metric *m = klamm_snapshot_find(s, "producer-metrics",
							   "request-latency", NULL, NULL);
	ck_assert_int_eq(m != NULL, _i > 0);
	if (m != NULL) {
		ck_assert_int_eq(m->type, KLAMM_METRIC_HISTOGRAM);
		ck_assert_uint_eq(m->histogram.count, 1);
	}
	klamm_snapshot_free(s);
	world_close(producer);
}
END_TEST

/* A report that waits for its collector is told when nobody waits for it any more. */
START_TEST(a_report_is_cancelled)
{
	struct klamm_conf *conf =
		world_conf("metric.reporters=one", "klamm.metrics.interval.ms=10", NULL);
	one.waits = true;
	reporter_offer(conf, "one", &one);
	struct klamm_producer *producer = world_producer_of(conf, NULL);
	wait_for(1);
	ck_assert_int_eq(one.reports, 1);
	int64_t before = world_ms();
	world_close(producer);
	ck_assert_int_ge(world_ms() - before, 4900);
	ck_assert_int_eq(one.closed, 1);
}
END_TEST

UNIT_SUITE(options)
{
	Suite *s = suite_create("options");
	unit_add_fixture(s, opt_metric_reporters, up, world_down);
	unit_add_case(s, "opt_klamm_metrics_interval_ms", opt_klamm_metrics_interval_ms, up,
		      world_down, 2);
	unit_add_fixture(s, opt_metrics_num_samples, up, world_down);
	unit_add_fixture(s, opt_metrics_sample_window_ms, up, world_down);
	unit_add_case(s, "opt_metrics_recording_level", opt_metrics_recording_level, up,
		      world_down, 3);
	unit_add_fixture(s, a_report_is_cancelled, up, world_down);
	return s;
}
