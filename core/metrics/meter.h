/* SPDX-License-Identifier: BSD-2-Clause */
/* What was measured of one thing: totals since the beginning, and samples of the last while
 * for rates, averages and extremes, by the rules of Kafka's own (SampledStat, Rate).
 *
 * No lock, no clock, no I/O: the owner brings the time, in microseconds. All zeros is a meter
 * that has measured nothing.
 */
#ifndef KL_METER_H
#define KL_METER_H

#include "core/base/base.h"

/* metrics.sample.window.ms (in microseconds) and metrics.num.samples. */
struct kl_windows {
	int64_t length;
	int64_t count;
};

struct kl_sample {
	int64_t begin, last; /* when its first and its last event came */
	uint64_t count;
	double sum, min, max;
};

/* Events that are put together before they go into a meter; zeroed at first. */
static inline void kl_sample_note(struct kl_sample *sample, double value)
{
	sample->min = sample->count == 0 || value < sample->min ? value : sample->min;
	sample->max = sample->count == 0 || value > sample->max ? value : sample->max;
	sample->sum += value;
	sample->count++;
}
static inline void kl_sample_join(struct kl_sample *sample, const struct kl_sample *other)
{
	if (other->count == 0)
		return;
	if (sample->count == 0 || other->min < sample->min)
		sample->min = other->min;
	if (sample->count == 0 || other->max > sample->max)
		sample->max = other->max;
	sample->sum += other->sum;
	sample->count += other->count;
}

/* How values are spread, since the beginning. */
#define KL_SPREAD_BOUNDS 14
extern const double kl_spread_bounds[KL_SPREAD_BOUNDS]; /* milliseconds */
struct kl_spread {
	struct kl_sample all;
	uint64_t buckets[KL_SPREAD_BOUNDS + 1];
};

struct kl_meter {
	uint64_t count; /* of events, ever */
	int64_t total;  /* of their values, ever; fractions are cut */
	double now;     /* of kl_meter_set() */
	struct kl_sample *samples;
	unsigned used, at; /* at: the one that grows */
	struct kl_spread *spread; /* NULL = nobody wants it, or nothing came yet */
	bool spreads;
};

/* What there is to read of a meter. */
enum kl_face {
	KL_FACE_COUNT,      /* events, ever */
	KL_FACE_TOTAL,      /* sum of values, ever */
	KL_FACE_COUNT_RATE, /* events per second */
	KL_FACE_TOTAL_RATE, /* sum of values per second */
	KL_FACE_AVG,
	KL_FACE_MIN,
	KL_FACE_MAX,
	KL_FACE_NOW,
	KL_FACE_SPREAD,
};

/* Some events of about this time; none is fine. Out of memory costs precision, nothing else:
 * the sample that is there goes on. */
void kl_meter_join(const struct kl_windows *windows, struct kl_meter *meter,
		   const struct kl_sample *events, int64_t now);
/* One. */
void kl_meter_note(const struct kl_windows *windows, struct kl_meter *meter, double value,
		   int64_t now);
/* Its value for the spread alone, when kl_meter_join() takes the event. */
void kl_meter_spread(struct kl_meter *meter, double value);
static inline void kl_meter_set(struct kl_meter *meter, double value)
{
	meter->now = value;
}

/* From _COUNT_RATE to _NOW. false: there is none, as the average of nothing. */
bool kl_meter_read(const struct kl_windows *windows, const struct kl_meter *meter,
		   enum kl_face face, int64_t now, double *value_out);

void kl_meters_free(struct kl_meter *meters, size_t count);

#endif
