/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/dirty.h"

static int64_t newest(const struct kl_dev_segment *segment)
{
	return segment->newest >= 0 ? segment->newest : segment->begun_ms;
}

/* Not what is appended to, nor what has not come to its end, nor what is too young. */
static size_t count_cleanable(struct kl_dev_partition *partition, int64_t dirty,
			      int64_t now_ms)
{
	const struct kl_dev_log *log = &partition->log;
	const struct kl_dev_config *config = &partition->topic->settings.config;
	int64_t stable = kl_dev_partition_stable(partition);
	size_t n = 0;
	for (; n + 1 < log->segment_count; n++) {
		const struct kl_dev_segment *segment = log->segments[n];
		if (segment->end > stable)
			break;
		if (config->min_lag_ms > 0 && segment->end > dirty &&
		    newest(segment) > now_ms - config->min_lag_ms)
			break;
	}
	return n;
}

static struct kl_dev_dirty measure(struct kl_dev_partition *partition, int64_t now_ms)
{
	const struct kl_dev_log *log = &partition->log;
	const struct kl_dev_config *config = &partition->topic->settings.config;
	struct kl_dev_dirty range = {.dirty = log->cleaned};
	if (range.dirty < log->start || range.dirty > log->end)
		range.dirty = log->start;
	range.count = count_cleanable(partition, range.dirty, now_ms);
	size_t clean = 0, dirty = 0;
	for (size_t i = 0; i + 1 < log->segment_count; i++) {
		const struct kl_dev_segment *segment = log->segments[i];
		bool is_dirty = segment->end > range.dirty;
		if (i < range.count)
			*(is_dirty ? &dirty : &clean) += kl_dev_segment_size(segment);
		if (is_dirty && segment->first_time > 0 &&
		    now_ms - segment->first_time > config->max_lag_ms)
			range.is_due = true;
	}
	range.is_due &= dirty > 0;
	range.ratio = dirty > 0 ? (double)dirty / (double)(clean + dirty) : 0;
	return range;
}

struct kl_dev_partition *kl_dev_dirtiest(struct klamm_broker *broker, int64_t now_ms,
					 struct kl_dev_dirty *dirty_out)
{
	struct kl_dev_partition *best = NULL;
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		const struct kl_dev_config *config = &topic->settings.config;
		for (int32_t i = 0; i < topic->partition_count && config->compacts; i++) {
			struct kl_dev_partition *partition = topic->partitions[i];
			struct kl_dev_dirty range = measure(partition, now_ms);
			if (partition->log.resists ||
			    !(range.is_due || range.ratio > config->dirty_ratio) ||
			    (best != NULL && range.ratio <= dirty_out->ratio))
				continue;
			best = partition;
			*dirty_out = range;
		}
	}
	return best;
}

void kl_dev_dirty_forgive(struct klamm_broker *broker)
{
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
		for (int32_t i = 0; i < topic->partition_count; i++)
			topic->partitions[i]->log.resists = false;
}
