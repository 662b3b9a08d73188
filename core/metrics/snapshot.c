/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/metrics/snapshot.h"

#include <stdarg.h>
#include <stdlib.h>

#include "core/metrics/metrics.h"

#define TAGS_MAX 4

/* Copied: a snapshot may outlive its client. */
static void add_tag(struct kl_snapshot *snapshot, struct klamm_metric_tag *tag,
		    const char *name, const char *value)
{
	tag->name = name;
	tag->value = kl_arena_text(&snapshot->arena, value, strlen(value));
	snapshot->failed |= tag->value == NULL;
}

struct kl_labels kl_snapshot_tags(struct kl_snapshot *snapshot, const char *name, ...)
{
	struct klamm_metric_tag *tags =
		kl_arena_array(&snapshot->arena, TAGS_MAX, sizeof(*tags));
	if (tags == NULL) {
		snapshot->failed = true;
		return (struct kl_labels){0};
	}
	size_t n = 0;
	va_list rest;
	add_tag(snapshot, &tags[n++], "client-id", snapshot->metrics->client_id);
	va_start(rest, name);
	for (; name != NULL && n < TAGS_MAX; name = va_arg(rest, const char *))
		add_tag(snapshot, &tags[n++], name, va_arg(rest, const char *));
	va_end(rest);
	return (struct kl_labels){tags, n};
}

/* NULL: out of memory. */
static struct klamm_metric *add_row(struct kl_snapshot *snapshot, struct klamm_metric row,
				    struct kl_labels tags)
{
	struct klamm_snapshot *view = &snapshot->view;
	if (view->metric_count == snapshot->cap) {
		size_t cap = snapshot->cap > 0 ? 2 * snapshot->cap : 128;
		struct klamm_metric *rows =
			reallocarray(snapshot->rows, cap, sizeof(*snapshot->rows));
		if (rows == NULL) {
			snapshot->failed = true;
			return NULL;
		}
		view->metrics = snapshot->rows = rows;
		snapshot->cap = cap;
	}
	row.tags = tags.v;
	row.tag_count = tags.n;
	struct klamm_metric *added = &snapshot->rows[view->metric_count++];
	*added = row;
	return added;
}

static void add_spread(struct kl_snapshot *snapshot, struct klamm_metric row,
		       const struct kl_spread *spread, struct kl_labels tags)
{
	uint64_t *buckets = kl_arena_array(&snapshot->arena, KL_SPREAD_BOUNDS + 1,
					   sizeof(*buckets));
	if (buckets == NULL) {
		snapshot->failed = true;
		return;
	}
	memcpy(buckets, spread->buckets, sizeof(spread->buckets));
	row.type = KLAMM_METRIC_HISTOGRAM;
	row.histogram = (struct klamm_histogram){
		.count = spread->all.count,
		.sum = spread->all.sum,
		.min = spread->all.min,
		.max = spread->all.max,
		.bounds = kl_spread_bounds,
		.buckets = buckets,
		.bound_count = KL_SPREAD_BOUNDS,
	};
	add_row(snapshot, row, tags);
}

static void add_counter(struct kl_snapshot *snapshot, struct klamm_metric row, int64_t value,
			double scale, struct kl_labels tags)
{
	row.type = KLAMM_METRIC_COUNTER;
	row.integer = value * (scale != 0 ? (int64_t)scale : 1);
	add_row(snapshot, row, tags);
}

static void add_figure(struct kl_snapshot *snapshot, struct klamm_metric row,
		       const struct kl_figure *figure, const struct kl_meter *meter,
		       struct kl_labels tags)
{
	double value;
	switch (figure->face) {
	case KL_FACE_COUNT:
		add_counter(snapshot, row, (int64_t)meter->count, figure->scale, tags);
		return;
	case KL_FACE_TOTAL:
		add_counter(snapshot, row, meter->total, figure->scale, tags);
		return;
	case KL_FACE_SPREAD:
		if (meter->spread != NULL)
			add_spread(snapshot, row, meter->spread, tags);
		return;
	default:
		break;
	}
	if (!kl_meter_read(&snapshot->metrics->windows, meter, figure->face, snapshot->now,
			   &value))
		return;
	row.type = KLAMM_METRIC_GAUGE;
	row.real = figure->scale != 0 ? value * figure->scale : value;
	add_row(snapshot, row, tags);
}

void kl_snapshot_add(struct kl_snapshot *snapshot, const char *group,
		     const struct kl_figure *figures, size_t count,
		     const struct kl_meter *meters, struct kl_labels tags)
{
	for (size_t i = 0; i < count; i++) {
		const struct kl_figure *f = &figures[i];
		struct klamm_metric row = {
			.name = f->name, .group = group, .unit = f->unit, .doc = f->doc};
		add_figure(snapshot, row, f, &meters[f->meter], tags);
	}
}

void kl_snapshot_text(struct kl_snapshot *snapshot, const char *group, const char *name,
		      const char *doc, const char *text, struct kl_labels tags)
{
	struct klamm_metric row = {.name = name, .group = group, .unit = "1", .doc = doc,
				   .type = KLAMM_METRIC_TEXT, .text = text};
	add_row(snapshot, row, tags);
}

void kl_snapshot_gauge(struct kl_snapshot *snapshot, const char *group, const char *name,
		       const char *unit, const char *doc, double value, struct kl_labels tags)
{
	struct klamm_metric row = {.name = name, .group = group, .unit = unit, .doc = doc,
				   .type = KLAMM_METRIC_GAUGE, .real = value};
	add_row(snapshot, row, tags);
}

struct kl_snapshot *kl_snapshot_new(struct kl_metrics *metrics, int64_t now)
{
	struct kl_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	if (snapshot == NULL)
		return NULL;
	snapshot->metrics = metrics;
	snapshot->now = now;
	atomic_init(&snapshot->refs, 1);
	snapshot->view = (struct klamm_snapshot){
		.size = sizeof(snapshot->view),
		.metric_size = sizeof(struct klamm_metric),
		.started_ms = metrics->started_ms,
		.taken_ms = metrics->os->wall_ms(metrics->os),
		.taken_us = now,
	};
	return snapshot;
}

struct kl_snapshot *kl_snapshot_ref(struct kl_snapshot *snapshot)
{
	atomic_fetch_add(&snapshot->refs, 1);
	return snapshot;
}

void kl_snapshot_unref(struct kl_snapshot *snapshot)
{
	if (snapshot == NULL || atomic_fetch_sub(&snapshot->refs, 1) != 1)
		return;
	kl_arena_free(&snapshot->arena);
	free(snapshot->rows);
	free(snapshot);
}

/* --- the application's --- */

void klamm_snapshot_free(struct klamm_snapshot *snapshot)
{
	if (snapshot != NULL)
		kl_snapshot_unref(kl_container(snapshot, struct kl_snapshot, view));
}

static bool has_tag(const struct klamm_metric *metric, const char *name, const char *value)
{
	for (size_t i = 0; i < metric->tag_count; i++)
		if (strcmp(metric->tags[i].name, name) == 0)
			return strcmp(metric->tags[i].value, value) == 0;
	return false;
}

const struct klamm_metric *klamm_snapshot_find(const struct klamm_snapshot *snapshot,
					       const char *group, const char *name,
					       const char *tag, const char *value)
{
	for (size_t i = 0; i < snapshot->metric_count; i++) {
		const struct klamm_metric *m = klamm_metric_at(snapshot, i);
		if (strcmp(m->name, name) != 0 || strcmp(m->group, group) != 0)
			continue;
		/* Without one it is the client's own. */
		if (tag != NULL ? has_tag(m, tag, value) : m->tag_count <= 1)
			return m;
	}
	return NULL;
}
