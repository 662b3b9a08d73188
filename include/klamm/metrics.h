/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins of the kind metrics: where a client's figures go.
 *
 * Chosen by metric.reporters, a list. One instance per client. A reporter may have a
 * thread of its own, which close() joins.
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
	const struct klamm_metric_tag *tags; /* client-id, topic, node-id, ... */
	size_t tag_count;
	int32_t type; /* enum klamm_metric_type */
	int32_t reserved;
	int64_t integer;
	double real;
	const char *text;
	struct klamm_histogram histogram;
};

/* All figures of one moment. Borrowed for the call: copy what a thread of one's own is to
 * send. */
struct klamm_snapshot {
	size_t size;
	size_t metric_size; /* stride of metrics */
	const struct klamm_metric *metrics;
	size_t metric_count;
	int64_t started_ms, taken_ms; /* since 1970 */
	int64_t taken_us;             /* the same moment on host->now_us()'s clock */
	int32_t is_last;              /* 1: the client is closing, no more will come */
	int32_t reserved;
	const struct klamm_call *call;
};

struct klamm_metrics_plugin {
	struct klamm_plugin_head head;

	/* Mandatory. The blocking pool, one call at a time on one self, at each interval and
	 * once more when the client closes. One that is still running is not called again:
	 * that interval is left out, so a slow sink blocks nobody. An error is logged. */
	int (*report)(void *self, const struct klamm_snapshot *snapshot,
		      struct klamm_error *err);

	/* ABI 1 as first released ends here. */
};

#ifdef __cplusplus
}
#endif
#endif
