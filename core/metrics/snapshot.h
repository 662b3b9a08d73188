/* SPDX-License-Identifier: BSD-2-Clause */
/* All figures of a client at one moment, as reporters and applications see them.
 *
 * Built by one thread, then constant and shared by reference. A figure is a row: its name and
 * which face of which meter it shows.
 */
#ifndef KL_SNAPSHOT_H
#define KL_SNAPSHOT_H

#include <klamm/metrics.h>
#include <stdatomic.h>

#include "core/base/arena.h"
#include "core/metrics/meter.h"

struct kl_metrics;

struct kl_figure {
	const char *name, *unit, *doc;
	enum kl_face face;
	unsigned meter; /* place in the owner's array */
	double scale;   /* what is read times this; 0 = as it is */
};

struct kl_snapshot {
	struct klamm_snapshot view; /* first: what the application is given */
	struct kl_metrics *metrics;
	int64_t now;
	atomic_uint refs;
	struct kl_arena arena; /* tags, buckets */
	struct klamm_metric *rows;
	size_t cap;
	bool failed; /* out of memory: it is of no use */
};

/* Tags, copied into the snapshot: name, value, ..., NULL. client-id comes first by itself. */
struct kl_labels {
	const struct klamm_metric_tag *v;
	size_t n;
};
struct kl_labels kl_snapshot_tags(struct kl_snapshot *snapshot, const char *name, ...)
	__attribute__((sentinel));

/* The figures of an array of meters. The caller holds the lock of the client's meters. group
 * and figures are static. */
void kl_snapshot_add(struct kl_snapshot *snapshot, const char *group,
		     const struct kl_figure *figures, size_t count,
		     const struct kl_meter *meters, struct kl_labels tags);
void kl_snapshot_text(struct kl_snapshot *snapshot, const char *group, const char *name,
		      const char *doc, const char *text, struct kl_labels tags);
void kl_snapshot_gauge(struct kl_snapshot *snapshot, const char *group, const char *name,
		       const char *unit, const char *doc, double value, struct kl_labels tags);

/* NULL: out of memory. */
struct kl_snapshot *kl_snapshot_new(struct kl_metrics *metrics, int64_t now);
struct kl_snapshot *kl_snapshot_ref(struct kl_snapshot *snapshot);
void kl_snapshot_unref(struct kl_snapshot *snapshot); /* any thread; NULL is fine */

#endif
