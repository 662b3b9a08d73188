/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's figures: plugins of the kind metrics, which get them at regular times, and how an
 * application asks for them.
 *
 * Plugins are chosen by metric.reporters, a list. One instance per client. A reporter may
 * have a thread of its own, which close() joins.
 */
#ifndef KLAMM_METRICS_H
#define KLAMM_METRICS_H

#include <klamm/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KLAMM_ABI_metrics KLAMM_ABI(KLAMM_KIND_METRICS, 1)

enum klamm_metric_type {
	KLAMM_METRIC_COUNTER = 1,   /* integer, since the client was made; never falls */
	KLAMM_METRIC_GAUGE = 2,     /* real, now */
	KLAMM_METRIC_HISTOGRAM = 3, /* histogram, since the client was made */
	KLAMM_METRIC_TEXT = 4,      /* text, now: a state, a version */
};

struct klamm_metric_tag {
	const char *name, *value;
};

/* buckets[i] counts what was above bounds[i - 1] and not above bounds[i]; there is one
 * bucket more than bounds, without an upper end. */
struct klamm_histogram {
	uint64_t count;
	double sum, min, max; /* min and max are 0 when count is 0 */
	const double *bounds;
	const uint64_t *buckets;
	size_t bound_count;
};

struct klamm_metric {
	const char *name;  /* Kafka's where it has one: "record-send-total" */
	const char *group; /* "producer-metrics", "consumer-fetch-manager-metrics", ... */
	const char *unit;  /* "1", "By", "ms", "s", "1/s": UCUM, as OpenTelemetry does */
	const char *doc;   /* one sentence */
	const struct klamm_metric_tag *tags; /* client-id first; topic, node-id, ... */
	size_t tag_count;
	int32_t type; /* enum klamm_metric_type */
	int32_t reserved;
	int64_t integer;
	double real;
	const char *text;
	struct klamm_histogram histogram;
};

/* All figures of one moment. For a plugin it is borrowed for the call: copy what a thread of
 * one's own is to send. An average or an extreme that nothing was measured for of late is not
 * there. */
struct klamm_snapshot {
	size_t size;
	size_t metric_size; /* stride of metrics */
	const struct klamm_metric *metrics;
	size_t metric_count;
	int64_t started_ms, taken_ms; /* since 1970 */
	int64_t taken_us;             /* the same moment on host->now_us()'s clock */
	int32_t is_last;              /* 1: the client is closing, no more will come */
	int32_t reserved;
	const struct klamm_call *call; /* NULL when it was the application that asked */
};

/* Row i of metric_count. A later klamm has longer rows: metric_size leads from one to the
 * next. */
static inline const struct klamm_metric *klamm_metric_at(const struct klamm_snapshot *snapshot,
							 size_t i)
{
	const char *rows = (const char *)snapshot->metrics;
	return (const struct klamm_metric *)(const void *)(rows + i * snapshot->metric_size);
}

struct klamm_metrics_plugin {
	struct klamm_plugin_head head;

	/* Mandatory. The blocking pool, one call at a time on one self, at each interval and
	 * once more when the client closes. One that is still running is not called again:
	 * that interval is left out, so a slow sink blocks nobody. snapshot->call says how
	 * long it may wait: until the next interval, or five seconds for the last one. An
	 * error is logged. */
	int (*report)(void *self, const struct klamm_snapshot *snapshot,
		      struct klamm_error *err);

	/* ABI 1 as first released ends here. */
};

/* --- for applications; a plugin links nothing of klamm's --- */

struct klamm_producer;
struct klamm_consumer;
struct klamm_admin;

/* The figures of now, whatever metric.reporters says. Any thread but a callback's
 * (WOULD_BLOCK); the client's loop takes them, and this waits for it. Ends with
 * klamm_snapshot_free(), before or after the client does. Expected errors: NO_MEMORY, FORKED,
 * CLOSED. */
int klamm_producer_metrics(struct klamm_producer *producer,
			   struct klamm_snapshot **snapshot_out, struct klamm_error *err);
int klamm_consumer_metrics(struct klamm_consumer *consumer,
			   struct klamm_snapshot **snapshot_out, struct klamm_error *err);
int klamm_admin_metrics(struct klamm_admin *admin, struct klamm_snapshot **snapshot_out,
			struct klamm_error *err);
void klamm_snapshot_free(struct klamm_snapshot *snapshot); /* NULL is fine */

/* One figure by group and name: with the value of a tag ("topic", "orders"), or (tag NULL) the
 * one of the whole client. NULL: there is none now. Borrowed from the snapshot. */
const struct klamm_metric *klamm_snapshot_find(const struct klamm_snapshot *snapshot,
					       const char *group, const char *name,
					       const char *tag, const char *value);

#ifdef __cplusplus
}
#endif
#endif
