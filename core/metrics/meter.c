/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/metrics/meter.h"

#include <stdlib.h>

const double kl_spread_bounds[KL_SPREAD_BOUNDS] = {1,   2,   5,    10,   25,   50,    100,
						   250, 500, 1000, 2500, 5000, 10000, 30000};

/* --- samples --- */

/* One more than are looked back on, so that the oldest may reach over the edge. */
static unsigned most_samples(const struct kl_windows *windows)
{
	return (unsigned)kl_min(windows->count, (int64_t)INT32_MAX) + 1;
}

static bool grow(struct kl_meter *meter)
{
	unsigned cap = meter->used;
	if (cap > 0 && (cap & (cap - 1)) != 0) /* it doubles: there is room up to 2^n */
		return true;
	struct kl_sample *samples =
		reallocarray(meter->samples, cap > 0 ? 2 * (size_t)cap : 1, sizeof(*samples));
	if (samples == NULL)
		return false;
	meter->samples = samples;
	return true;
}

/* The place of a new sample, the oldest one's when all are in use. false: the last goes on. */
static bool next_place(const struct kl_windows *windows, struct kl_meter *meter)
{
	unsigned next = meter->used > 0 ? (meter->at + 1) % most_samples(windows) : 0;
	if (next >= meter->used) {
		if (!grow(meter))
			return false;
		next = meter->used++;
	}
	meter->at = next;
	return true;
}

static struct kl_sample *current(const struct kl_windows *windows, struct kl_meter *meter,
				 int64_t now)
{
	if (meter->used > 0 && now - meter->samples[meter->at].begin < windows->length)
		return &meter->samples[meter->at];
	if (next_place(windows, meter))
		meter->samples[meter->at] = (struct kl_sample){.begin = now, .last = now};
	return meter->used > 0 ? &meter->samples[meter->at] : NULL;
}

/* --- events --- */

void kl_meter_spread(struct kl_meter *meter, double value)
{
	if (!meter->spreads)
		return;
	if (meter->spread == NULL)
		meter->spread = calloc(1, sizeof(*meter->spread));
	struct kl_spread *s = meter->spread;
	if (s == NULL)
		return;
	unsigned i = 0;
	while (i < KL_SPREAD_BOUNDS && value > kl_spread_bounds[i])
		i++;
	s->buckets[i]++;
	kl_sample_note(&s->all, value);
}

void kl_meter_join(const struct kl_windows *windows, struct kl_meter *meter,
		   const struct kl_sample *events, int64_t now)
{
	if (events->count == 0)
		return;
	meter->count += events->count;
	meter->total += (int64_t)events->sum;
	struct kl_sample *sample = current(windows, meter, now);
	if (sample == NULL)
		return;
	kl_sample_join(sample, events);
	sample->last = kl_max(sample->last, now);
}

void kl_meter_note(const struct kl_windows *windows, struct kl_meter *meter, double value,
		   int64_t now)
{
	struct kl_sample event = {.count = 1, .sum = value, .min = value, .max = value};
	kl_meter_spread(meter, value);
	kl_meter_join(windows, meter, &event, now);
}

/* --- reading --- */

static int64_t looks_back(const struct kl_windows *windows)
{
	int64_t all;
	return __builtin_mul_overflow(windows->length, windows->count, &all) ? INT64_MAX : all;
}

/* The samples that still count, as one; begin is that of the oldest. */
static struct kl_sample sum_up(const struct kl_windows *windows, const struct kl_meter *meter,
			       int64_t now)
{
	struct kl_sample all = {.begin = now};
	for (unsigned i = 0; i < meter->used; i++) {
		const struct kl_sample *s = &meter->samples[i];
		if (s->count == 0 || now - s->last >= looks_back(windows))
			continue;
		all.begin = kl_min(all.begin, s->begin);
		kl_sample_join(&all, s);
	}
	return all;
}

/* In seconds. What began a moment ago is not taken for the rate of the whole time: all windows
 * but the last count as full. */
static double elapsed(const struct kl_windows *windows, int64_t begin, int64_t now)
{
	int64_t length = kl_max(windows->length, (int64_t)1), time = now - begin;
	int64_t missing = windows->count - 1 - time / length;
	double us = (double)time;
	if (missing > 0)
		us += (double)missing * (double)length;
	return kl_max(us, (double)KL_MS) / KL_SECOND;
}

bool kl_meter_read(const struct kl_windows *windows, const struct kl_meter *meter,
		   enum kl_face face, int64_t now, double *value_out)
{
	if (face == KL_FACE_NOW) {
		*value_out = meter->now;
		return true;
	}
	struct kl_sample all = sum_up(windows, meter, now);
	switch (face) {
	case KL_FACE_COUNT_RATE:
		*value_out = (double)all.count / elapsed(windows, all.begin, now);
		return true;
	case KL_FACE_TOTAL_RATE:
		*value_out = all.sum / elapsed(windows, all.begin, now);
		return true;
	case KL_FACE_AVG:
		*value_out = all.count > 0 ? all.sum / (double)all.count : 0;
		return all.count > 0;
	case KL_FACE_MIN:
		*value_out = all.min;
		return all.count > 0;
	case KL_FACE_MAX:
		*value_out = all.max;
		return all.count > 0;
	default:
		return false;
	}
}

void kl_meters_free(struct kl_meter *meters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(meters[i].samples);
		free(meters[i].spread);
		meters[i] = (struct kl_meter){0};
	}
}
