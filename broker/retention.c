/* SPDX-License-Identifier: BSD-2-Clause */
/* Retention: whole segments go when they are too old or the log is too large, the oldest
 * first, as Kafka's UnifiedLog.deleteOldSegments() decides it. Lives in the broker's loop. */
#include "broker/retention.h"

#include "broker/call.h"
#include "broker/data.h"

/* May the segment go, when the log has so many bytes with it? */
static bool is_over(const struct kl_dev_segment *segment, const struct kl_dev_config *config,
		    size_t size, int64_t now_ms)
{
	int64_t newest = segment->newest >= 0 ? segment->newest : segment->begun_ms;
	if (config->retention_ms >= 0 && now_ms - newest > config->retention_ms)
		return true;
	return config->retention_bytes >= 0 && size >= (uint64_t)config->retention_bytes &&
	       size - (uint64_t)config->retention_bytes >= kl_dev_segment_size(segment);
}

/* How many of the oldest segments go. Records that no consumer can see yet stay. */
static size_t count_over(const struct kl_dev_log *log, const struct kl_dev_config *config,
			 int64_t now_ms)
{
	size_t size = kl_dev_log_size(log), n = 0;
	for (; n < log->segment_count; n++) {
		const struct kl_dev_segment *segment = log->segments[n];
		if (segment->end > log->high || segment->bytes == 0 ||
		    !is_over(segment, config, size, now_ms))
			break;
		size -= kl_dev_segment_size(segment);
	}
	return n;
}

/* The last segment takes the log's end with it, which the table has to know before. */
static bool may_empty(struct klamm_broker *broker, struct kl_dev_log *log)
{
	if (log->sync == NULL)
		return true;
	if (kl_dev_sync_runs(log->sync) || log->synced != log->end || log->is_lost)
		return false;
	int64_t start = log->start;
	log->start = log->end;
	if (kl_dev_save(broker, NULL) == 0)
		return true;
	log->start = start;
	return false;
}

static void retain(struct klamm_broker *broker, struct kl_dev_partition *partition,
		   int64_t now_ms)
{
	struct kl_dev_log *log = &partition->log;
	size_t n = count_over(log, &partition->topic->settings.config, now_ms);
	if (n > 0 && n == log->segment_count && !may_empty(broker, log))
		n--;
	if (n == 0)
		return;
	kl_dev_log_drop(log, n);
	kl_dev_producers_trim(&partition->producers, log->start);
	kl_dev_save_soon(broker);
	kl_dev_partition_changed(partition); /* who waits below the start is out of range */
	kl_log(&broker->loop->log, KL_LOG_DEBUG, "broker",
	       "topic %s partition %d: %zu segments are over, it begins at %lld",
	       partition->topic->name, (int)partition->index, n, (long long)log->start);
}

static void set_timer(struct klamm_broker *broker)
{
	kl_timer_set(broker->loop, &broker->retention,
		     broker->loop->now + broker->options.retention_check_ms * KL_MS);
}

static void look(struct kl_timer *timer)
{
	struct klamm_broker *broker = kl_container(timer, struct klamm_broker, retention);
	int64_t now_ms = broker->loop->os->wall_ms(broker->loop->os);
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		bool deletes = topic->settings.config.deletes;
		for (int32_t i = 0; i < topic->partition_count && deletes; i++)
			retain(broker, topic->partitions[i], now_ms);
	}
	set_timer(broker);
}

int kl_dev_retention_begin(struct klamm_broker *broker, struct klamm_error *err)
{
	int rc = kl_timer_init(broker->loop, &broker->retention, look, err);
	if (rc == 0)
		set_timer(broker);
	return rc;
}

void kl_dev_retention_end(struct klamm_broker *broker)
{
	kl_timer_drop(broker->loop, &broker->retention);
}
