/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/metrics/reporter.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/os/sim.h"
#include "kit/kit.h"
#include "tests/unit/unit.h"

/* --- the plugin --- */

static int open_it(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	struct reporter *r = host->user;
	r->opened++;
	*self_out = r;
	return strcmp(host->role, "metric.reporters") == 0 ? 0 : KLAMM_ERR_STATE;
}

static void close_it(void *self)
{
	struct reporter *r = self;
	r->closed++;
}

static void check(struct reporter *r, const struct klamm_snapshot *s)
{
	char why[KIT_TEXT];
	if (kit_snapshots(NULL, s, why) != NULL)
		snprintf(r->wrong, sizeof(r->wrong), "%s", why);
	if (klamm_snapshot_find(s, "app-info", "version", NULL, NULL) == NULL)
		snprintf(r->wrong, sizeof(r->wrong), "the version is missing");
}

static int report(void *self, const struct klamm_snapshot *s, struct klamm_error *err)
{
	struct reporter *r = self;
	int n = atomic_load(&r->reports);
	check(r, s);
	if (n < 64)
		r->at_us[n] = s->taken_us;
	r->wait_ms = s->call->wait_ms;
	r->last += s->is_last;
	atomic_store(&r->reports, n + 1);
	if (r->sleep_us > 0)
		kl_sim_sleep(r->sim, r->sleep_us);
	while (r->waits && !klamm_cancelled(s->call))
		sched_yield();
	if (n < r->fails)
		return klamm_fail(err, KLAMM_ERR_IO, "the collector is on holiday");
	return 0;
}

static struct klamm_metrics_plugin plugins[] = {
	{.head = {KLAMM_PLUGIN_HEAD(metrics, "one", "of a test"), .open = open_it,
		  .close = close_it},
	 .report = report},
	{.head = {KLAMM_PLUGIN_HEAD(metrics, "two", "of a test"), .open = open_it,
		  .close = close_it},
	 .report = report},
};

void reporter_offer(struct klamm_conf *conf, const char *name, struct reporter *r)
{
	struct klamm_error err;
	const struct klamm_metrics_plugin *p = &plugins[strcmp(name, "two") == 0];
	int rc = klamm_conf_plugin(conf, KLAMM_KIND_METRICS, &p->head, r, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

/* --- figures --- */

double figure_of(const struct klamm_snapshot *s, const char *group, const char *name,
		 const char *tag, const char *value)
{
	const struct klamm_metric *m = klamm_snapshot_find(s, group, name, tag, value);
	ck_assert_msg(m != NULL, "%s: no %s", group, name);
	return m->type == KLAMM_METRIC_COUNTER ? (double)m->integer : m->real;
}

double figure(const struct klamm_snapshot *s, const char *group, const char *name)
{
	return figure_of(s, group, name, NULL, NULL);
}

static struct klamm_snapshot *checked(struct klamm_snapshot *s)
{
	char why[KIT_TEXT];
	const char *text = kit_snapshots(NULL, s, why);
	ck_assert_msg(text == NULL, "%s", text);
	return s;
}

struct klamm_snapshot *producer_figures(struct klamm_producer *producer)
{
	struct klamm_snapshot *s;
	struct klamm_error err;
	ck_assert_msg(klamm_producer_metrics(producer, &s, &err) == 0, "%s", err.text);
	return checked(s);
}

struct klamm_snapshot *consumer_figures(struct klamm_consumer *consumer)
{
	struct klamm_snapshot *s;
	struct klamm_error err;
	ck_assert_msg(klamm_consumer_metrics(consumer, &s, &err) == 0, "%s", err.text);
	return checked(s);
}
