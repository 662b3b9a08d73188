/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/metrics/reporters.h"

#include <stdlib.h>

#include "core/base/error.h"

/* The last report: long enough for a connection to a collector, short enough for a program
 * that ends. */
#define LAST_REPORT (5 * KL_SECOND)

/* Of reports, the loop's but for what run() touches. */
struct kl_reporter {
	struct kl_role_plugin role;
	struct kl_reporters *all;
	struct kl_job job;
	struct kl_snapshot *snapshot; /* under way; NULL = none */
	struct kl_snapshot *last;     /* comes after that one */
	bool is_last;
	int64_t wait_us;
	int32_t cancelled; /* any thread, atomic */
	bool late;         /* it was told that it takes longer than an interval */
	/* --- run()'s --- */
	int rc;
	struct klamm_error err;
};

/* --- a report: the blocking pool --- */

static void run(struct kl_job *job, unsigned index)
{
	struct kl_reporter *r = kl_container(job, struct kl_reporter, job);
	struct klamm_call call = {
		.size = sizeof(call),
		.wait_ms = r->wait_us / KL_MS,
		.cancelled = &r->cancelled,
	};
	struct klamm_snapshot view = r->snapshot->view;
	view.is_last = r->is_last;
	view.call = &call;
	kl_error_clear(&r->err);
	r->rc = r->role.plugin->metrics.report(r->role.instance.self, &view, &r->err);
}

static void submit(struct kl_reporter *r, struct kl_snapshot *snapshot, bool is_last)
{
	struct kl_reporters *all = r->all;
	r->snapshot = kl_snapshot_ref(snapshot);
	r->is_last = is_last;
	r->wait_us = is_last ? LAST_REPORT : all->interval;
	atomic_fetch_add(&all->busy, 1);
	kl_pool_submit(&all->loop->blocking, &r->job);
}

static void tell_failure(const struct kl_reporter *r)
{
	if (r->rc != 0)
		kl_log(r->all->log, KL_LOG_WARN, "metrics", "%s reports nothing: %s",
		       r->role.plugin->head.name,
		       r->err.text[0] != '\0' ? r->err.text : klamm_err_text(r->rc));
}

static void done(struct kl_job *job)
{
	struct kl_reporter *r = kl_container(job, struct kl_reporter, job);
	struct kl_reporters *all = r->all;
	tell_failure(r);
	kl_snapshot_unref(r->snapshot);
	r->snapshot = NULL;
	r->late = false;
	struct kl_snapshot *last = r->last;
	r->last = NULL;
	if (last != NULL) {
		submit(r, last, true);
		kl_snapshot_unref(last);
	}
	atomic_fetch_sub(&all->busy, 1);
	kl_gate_wake(all->loop->os, all->gate);
}

/* --- when: the loop --- */

static void leave_out(struct kl_reporter *r)
{
	if (!r->late)
		kl_log(r->all->log, KL_LOG_WARN, "metrics",
		       "%s takes longer than klamm.metrics.interval.ms to report: it is left "
		       "out until it is done",
		       r->role.plugin->head.name);
	r->late = true;
}

static bool somebody_is_idle(const struct kl_reporters *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->v[i].snapshot == NULL)
			return true;
	return false;
}

static struct kl_snapshot *take(struct kl_reporters *all)
{
	struct kl_snapshot *snapshot = kl_metrics_take(all->metrics, all->loop);
	if (snapshot == NULL)
		kl_log(all->log, KL_LOG_WARN, "metrics", "out of memory for a report");
	return snapshot;
}

static void on_timer(struct kl_timer *timer)
{
	struct kl_reporters *all = kl_container(timer, struct kl_reporters, timer);
	struct kl_snapshot *snapshot = somebody_is_idle(all) ? take(all) : NULL;
	for (size_t i = 0; i < all->count; i++) {
		struct kl_reporter *r = &all->v[i];
		if (r->snapshot != NULL)
			leave_out(r);
		else if (snapshot != NULL)
			submit(r, snapshot, false);
	}
	kl_snapshot_unref(snapshot);
	kl_timer_set(all->loop, &all->timer, all->loop->now + all->interval);
}

int kl_reporters_start(struct kl_reporters *all, struct klamm_error *err)
{
	if (all->count == 0)
		return 0;
	int rc = kl_timer_init(all->loop, &all->timer, on_timer, err);
	if (rc != 0)
		return rc;
	all->started = true;
	kl_timer_set(all->loop, &all->timer, all->loop->now + all->interval);
	return 0;
}

static void report_last(struct kl_reporter *r, struct kl_snapshot *snapshot)
{
	if (r->snapshot == NULL) {
		submit(r, snapshot, true);
		return;
	}
	r->last = kl_snapshot_ref(snapshot);
}

void kl_reporters_stop(struct kl_reporters *all)
{
	if (!all->started)
		return;
	all->started = false;
	kl_timer_drop(all->loop, &all->timer);
	struct kl_snapshot *snapshot = take(all);
	for (size_t i = 0; snapshot != NULL && i < all->count; i++)
		report_last(&all->v[i], snapshot);
	kl_snapshot_unref(snapshot);
}

/* --- opening and closing --- */

int kl_reporters_open(struct kl_reporters *all, struct klamm_conf *conf,
		      const struct kl_settings *settings, struct kl_host *host,
		      struct kl_metrics *metrics, struct kl_gate *gate,
		      struct klamm_error *err)
{
	const struct kl_strlist *names = &settings->metric_reporters;
	*all = (struct kl_reporters){
		.loop = host->loop,
		.log = host->log,
		.metrics = metrics,
		.gate = gate,
		.interval = kl_min(settings->klamm_metrics_interval_ms,
				   INT64_MAX / KL_MS / 2) * KL_MS,
	};
	if (names->n == 0)
		return 0;
	all->v = calloc(names->n, sizeof(*all->v));
	if (all->v == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for reporters");
	int rc = 0;
	while (rc == 0 && all->count < names->n) {
		struct kl_reporter *r = &all->v[all->count];
		r->all = all;
		r->job = (struct kl_job){.run = run, .done = done};
		rc = kl_role_open(conf, settings, KLAMM_KIND_METRICS, names->v[all->count++],
				  host, "metric.reporters", &r->role, err);
	}
	return rc;
}

static bool all_done(void *arg)
{
	struct kl_reporters *all = arg;
	return atomic_load(&all->busy) == 0;
}

static void nothing(void *arg)
{
}

void kl_reporters_close(struct kl_reporters *all)
{
	if (all->count == 0) {
		free(all->v);
		all->v = NULL;
		return;
	}
	int64_t deadline = all->loop->os->now(all->loop->os) + LAST_REPORT;
	if (!kl_loop_wait(all->loop, all->gate, all_done, all, deadline)) {
		for (size_t i = 0; i < all->count; i++)
			__atomic_store_n(&all->v[i].cancelled, 1, __ATOMIC_RELEASE);
		kl_loop_wait(all->loop, all->gate, all_done, all, KL_NEVER);
	}
	kl_loop_call(all->loop, nothing, NULL); /* it is past the last wake-up */
	for (size_t i = 0; i < all->count; i++)
		kl_role_close(&all->v[i].role);
	free(all->v);
	*all = (struct kl_reporters){0};
}
