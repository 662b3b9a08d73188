/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reporter must do: <klamm/metrics.h>; and what snapshots are held to. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kit/inside.h"

/* --- snapshots --- */

static bool has_same_tags(const struct klamm_metric *a, const struct klamm_metric *b)
{
	if (a->tag_count != b->tag_count)
		return false;
	for (size_t i = 0; i < a->tag_count; i++)
		if (strcmp(a->tags[i].name, b->tags[i].name) != 0 ||
		    strcmp(a->tags[i].value, b->tags[i].value) != 0)
			return false;
	return true;
}

static const struct klamm_metric *find(const struct klamm_snapshot *s,
				       const struct klamm_metric *like)
{
	for (size_t i = 0; i < s->metric_count; i++) {
		const struct klamm_metric *m = klamm_metric_at(s, i);
		if (strcmp(m->name, like->name) == 0 && strcmp(m->group, like->group) == 0 &&
		    has_same_tags(m, like))
			return m;
	}
	return NULL;
}

static bool say(char text[static KIT_TEXT], const char *fmt, ...) KL_PRINTF(2, 3);
static bool say(char text[static KIT_TEXT], const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, KIT_TEXT, fmt, args);
	va_end(args);
	return false;
}

static bool check_histogram(const struct klamm_metric *m, char text[static KIT_TEXT])
{
	const struct klamm_histogram *h = &m->histogram;
	uint64_t sum = 0;
	for (size_t i = 0; i <= h->bound_count; i++)
		sum += h->buckets[i];
	for (size_t i = 1; i < h->bound_count; i++)
		if (!(h->bounds[i] > h->bounds[i - 1]))
			return say(text, "the bounds of %s do not rise", m->name);
	if (sum != h->count)
		return say(text, "the buckets of %s hold %llu, its count is %llu", m->name,
			   (unsigned long long)sum, (unsigned long long)h->count);
	if (h->count > 0 && !(h->min <= h->max))
		return say(text, "%s has a minimum of %g and a maximum of %g", m->name, h->min,
			   h->max);
	return true;
}

static bool check_metric(const struct klamm_metric *m, char text[static KIT_TEXT])
{
	if (m->name == NULL || m->group == NULL || m->unit == NULL || m->doc == NULL)
		return say(text, "%s lacks its name, group, unit or doc",
			   m->name != NULL ? m->name : "a metric");
	switch (m->type) {
	case KLAMM_METRIC_COUNTER:
		return m->integer >= 0 || say(text, "the counter %s is %lld", m->name,
					      (long long)m->integer);
	case KLAMM_METRIC_GAUGE:
		return !isnan(m->real) || say(text, "%s is not a number", m->name);
	case KLAMM_METRIC_HISTOGRAM:
		return check_histogram(m, text);
	case KLAMM_METRIC_TEXT:
		return m->text != NULL || say(text, "%s has no text", m->name);
	default:
		return say(text, "%s is of the type %d", m->name, m->type);
	}
}

static bool check_growth(const struct klamm_metric *was, const struct klamm_metric *is,
			 char text[static KIT_TEXT])
{
	if (was->type != is->type)
		return say(text, "%s was of the type %d and is of %d", is->name, was->type,
			   is->type);
	if (is->type == KLAMM_METRIC_COUNTER && is->integer < was->integer)
		return say(text, "not monotonic: the counter %s falls from %lld to %lld",
			   is->name, (long long)was->integer, (long long)is->integer);
	if (is->type != KLAMM_METRIC_HISTOGRAM)
		return true;
	if (is->histogram.bound_count != was->histogram.bound_count)
		return say(text, "%s changes its bounds", is->name);
	for (size_t i = 0; i <= is->histogram.bound_count; i++)
		if (is->histogram.buckets[i] < was->histogram.buckets[i])
			return say(
				text,
				"not monotonic: bucket %zu of %s falls from %llu to %llu",
				i, is->name, (unsigned long long)was->histogram.buckets[i],
				(unsigned long long)is->histogram.buckets[i]);
	return true;
}

static bool check_times(const struct klamm_snapshot *was, const struct klamm_snapshot *is,
			char text[static KIT_TEXT])
{
	if (is->taken_us < was->taken_us)
		return say(text, "not monotonic: taken_us goes back from %lld to %lld",
			   (long long)was->taken_us, (long long)is->taken_us);
	if (is->started_ms != was->started_ms)
		return say(text, "started_ms changes from %lld to %lld",
			   (long long)was->started_ms, (long long)is->started_ms);
	if (was->is_last)
		return say(text, "a snapshot comes after the last one");
	return true;
}

const char *kit_snapshots(const struct klamm_snapshot *earlier,
			  const struct klamm_snapshot *later, char text[static KIT_TEXT])
{
	bool good = earlier == NULL || check_times(earlier, later, text);
	for (size_t i = 0; good && i < later->metric_count; i++) {
		const struct klamm_metric *m = klamm_metric_at(later, i), *was;
		good = check_metric(m, text);
		if (good && find(later, m) != m)
			good = say(text, "%s is there twice", m->name);
		was = good && earlier != NULL ? find(earlier, m) : NULL;
		if (was != NULL)
			good = check_growth(was, m, text);
	}
	/* What was counted once does not vanish: the sum over all would fall. */
	for (size_t i = 0; good && earlier != NULL && i < earlier->metric_count; i++) {
		const struct klamm_metric *m = klamm_metric_at(earlier, i);
		if (m->type == KLAMM_METRIC_COUNTER && find(later, m) == NULL)
			good = say(text, "not monotonic: the counter %s is gone", m->name);
	}
	return good ? NULL : text;
}

/* --- what the kit reports --- */

#define METRICS 5
#define BOUNDS 3

/* Longer than this version's, as a later klamm may hand them out. */
struct metric {
	struct klamm_metric now;
	uint8_t later[40];
};

/* A snapshot and all that it points to, in one piece. */
struct report {
	struct klamm_snapshot snapshot;
	struct metric metrics[METRICS];
	struct klamm_metric_tag tags[2];
	double bounds[BOUNDS];
	uint64_t buckets[BOUNDS + 1];
	struct klamm_call call;
	int32_t cancelled;
	char client_id[32], state[32], name[METRICS][32], group[32], doc[64];
};

static void fill_metric(struct report *r, size_t i, int32_t type, const char *name)
{
	struct klamm_metric *m = &r->metrics[i].now;
	memset(&r->metrics[i], 0xa5, sizeof(r->metrics[i]));
	snprintf(r->name[i], sizeof(r->name[i]), "%s", name);
	*m = (struct klamm_metric){.name = r->name[i], .group = r->group, .unit = "1",
				   .doc = r->doc, .tags = r->tags, .tag_count = i % 3,
				   .type = type};
}

/* The round-th report: everything has grown since the one before. */
static void fill_report(struct report *r, int round, bool is_last)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->group, sizeof(r->group), "klamm-kit-metrics");
	snprintf(r->doc, sizeof(r->doc), "A figure with \"quotes\" and a\ttab.");
	snprintf(r->client_id, sizeof(r->client_id), "kit \"1\"");
	snprintf(r->state, sizeof(r->state), "up\n\xc3\xa4");
	r->tags[0] = (struct klamm_metric_tag){"client-id", r->client_id};
	r->tags[1] = (struct klamm_metric_tag){"topic", r->state};
	for (size_t i = 0; i < BOUNDS; i++)
		r->bounds[i] = (double)(1 << i);
	for (size_t i = 0; i <= BOUNDS; i++)
		r->buckets[i] = (uint64_t)round * (i + 1);
	fill_metric(r, 0, KLAMM_METRIC_COUNTER, "record-send-total");
	r->metrics[0].now.integer = INT64_MAX - 1000 + round;
	fill_metric(r, 1, KLAMM_METRIC_GAUGE, "buffer-available-bytes");
	r->metrics[1].now.real = round % 2 ? 1e-300 : -0.5;
	fill_metric(r, 2, KLAMM_METRIC_HISTOGRAM, "request-latency");
	r->metrics[2].now.histogram = (struct klamm_histogram){
		.count = (uint64_t)round * 10, .sum = round * 3.5, .min = 0.5, .max = 8,
		.bounds = r->bounds, .buckets = r->buckets, .bound_count = BOUNDS};
	fill_metric(r, 3, KLAMM_METRIC_TEXT, "state");
	r->metrics[3].now.text = r->state;
	fill_metric(r, 4, KLAMM_METRIC_COUNTER, "errors-total");
	r->call = (struct klamm_call){.size = sizeof(r->call), .wait_ms = 5000,
				      .cancelled = &r->cancelled};
	r->snapshot = (struct klamm_snapshot){
		.size = sizeof(r->snapshot),
		.metric_size = sizeof(struct metric),
		.metrics = &r->metrics[0].now,
		.metric_count = round == 0 ? 0 : METRICS,
		.started_ms = 1700000000000,
		.taken_ms = 1700000000000 + round * 1000,
		.taken_us = 1000000ll * round,
		.is_last = is_last,
		.call = &r->call,
	};
}

static const char *report(struct kit *k, const struct kl_instance *instance,
			  const struct report *r)
{
	kit_step(k, "report() of %zu metrics", r->snapshot.metric_count);
	int rc = k->plugin->metrics.report(instance->self, &r->snapshot, &k->err);
	return rc == 0 ? NULL
		       : kit_say(k, "%s fails with %s: %s", k->step, klamm_err_name(rc),
				 k->err.text[0] != '\0' ? k->err.text : "(no sentence)");
}

/* Every type, an empty one, ever more, the last one; and each is left as it was: other
 * reporters read it too. */
const char *kit_metrics_reports(struct kit *k)
{
	struct kl_instance instance;
	char why[KIT_TEXT];
	const char *text = kit_open(k, NULL, &instance);
	for (int round = 0; text == NULL && round < 10; round++) {
		struct report r, before;
		fill_report(&r, round, round == 9);
		memcpy(&before, &r, sizeof(r));
		text = report(k, &instance, &r);
		if (text != NULL || memcmp(&before, &r, sizeof(r)) == 0)
			continue;
		struct report same;
		fill_report(&same, round, false);
		r.snapshot.is_last = 0;
		text = kit_snapshots(&same.snapshot, &r.snapshot, why);
		text = kit_say(k, "report() changes the snapshot that it was lent: %s",
			       text != NULL ? text : "others read it after this one");
	}
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

/* Each snapshot is gone as soon as report() returns, also for threads of the reporter's. */
const char *kit_metrics_borrows(struct kit *k)
{
	struct kl_instance instance;
	const char *text = kit_open(k, NULL, &instance);
	for (int round = 0; text == NULL && round < 10; round++) {
		struct report *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (r == MAP_FAILED)
			return kit_say(k, "the kit is out of memory");
		fill_report(r, round, round == 9);
		text = report(k, &instance, r);
		kit_step(k, "something that reads a snapshot after report()");
		mprotect(r, sizeof(*r), PROT_NONE);
	}
	if (text == NULL)
		kl_plugin_close(&instance);
	return text;
}

const char *kit_metrics_use(struct kit *k, struct kl_instance *instance)
{
	struct report r;
	fill_report(&r, 1, false);
	return report(k, instance, &r);
}

static const char *report_at_once(struct kit *k, void *arg, int thread)
{
	struct kl_instance *instances = arg;
	const char *text = NULL;
	for (int round = 1; text == NULL && round < 50; round++) {
		struct report r;
		fill_report(&r, round, false);
		text = report(k, &instances[thread], &r);
	}
	return text;
}

const char *kit_metrics_together(struct kit *k)
{
	struct kl_instance instances[KIT_THREADS];
	const char *text = NULL;
	for (int i = 0; text == NULL && i < KIT_THREADS; i++)
		text = kit_open(k, NULL, &instances[i]);
	if (text == NULL)
		text = kit_together(k, report_at_once, instances);
	for (int i = 0; text == NULL && i < KIT_THREADS; i++)
		kit_close(k, &instances[i]);
	return text;
}
