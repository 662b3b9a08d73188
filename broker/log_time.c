/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking into a log by time. Timestamps need not rise, so this is a search from the front,
 * over the marks. */
#include "broker/log.h"
#include "core/record/batch_read.h"

static const struct kl_dev_found nothing = {-1, -1, -1};

static const uint8_t *run_data(const struct kl_dev_log *log,
			       const struct kl_dev_mark *run)
{
	return log->chunks[run->chunk - log->dropped].slab->data + run->at;
}

/* The first record of the batch that has this timestamp or a later one. */
static struct kl_dev_found find_record(const struct kl_dev_log *log, const uint8_t *p,
				       const struct kl_batch_head *head,
				       int64_t timestamp)
{
	if (kl_batch_codec(head) != 0)
		return (struct kl_dev_found){
			.offset = kl_max(head->base_offset, log->start),
			.timestamp = kl_max(head->base_timestamp, timestamp),
			.leader_epoch = head->leader_epoch,
		};
	struct kl_record_iter iter;
	struct klamm_record_view view;
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), log->start);
	while (kl_record_next(&iter, &view) > 0)
		if (view.timestamp_ms >= timestamp)
			return (struct kl_dev_found){view.offset, view.timestamp_ms,
						     head->leader_epoch};
	return nothing; /* it lies below the start */
}

/* In one run, which ends before the offset `end`. */
static struct kl_dev_found find_in_run(const struct kl_dev_log *log,
				       const struct kl_dev_mark *run, int64_t end,
				       int64_t timestamp)
{
	const uint8_t *p = run_data(log, run);
	struct kl_batch_head head;
	for (;; p += kl_batch_size(&head)) {
		struct kl_dev_found found = nothing;
		kl_batch_head_get(p, &head);
		if (head.max_timestamp >= timestamp)
			found = find_record(log, p, &head, timestamp);
		if (found.offset >= 0 || kl_batch_next_offset(&head) >= end)
			return found;
	}
}

struct kl_dev_found kl_dev_log_find_time(const struct kl_dev_log *log, int64_t timestamp)
{
	for (size_t i = 0; i < log->mark_count; i++) {
		if (log->marks[i].newest < timestamp)
			continue;
		int64_t end =
			i + 1 < log->mark_count ? log->marks[i + 1].offset : log->end;
		struct kl_dev_found found =
			find_in_run(log, &log->marks[i], end, timestamp);
		if (found.offset >= 0)
			return found;
	}
	return nothing;
}

struct kl_dev_found kl_dev_log_find_newest(const struct kl_dev_log *log)
{
	const struct kl_dev_mark *best = NULL;
	for (size_t i = 0; i < log->mark_count; i++)
		if (best == NULL || log->marks[i].newest > best->newest)
			best = &log->marks[i];
	if (best == NULL)
		return nothing;
	const uint8_t *p = run_data(log, best);
	struct kl_batch_head head;
	kl_batch_head_get(p, &head);
	while (head.max_timestamp < best->newest) {
		p += kl_batch_size(&head);
		kl_batch_head_get(p, &head);
	}
	/* With LogAppendTime all its records have the same time, and Kafka names the last. */
	if (!(head.attributes & KL_ATTR_LOG_APPEND_TIME) && kl_batch_codec(&head) == 0)
		return find_record(log, p, &head, head.max_timestamp);
	return (struct kl_dev_found){kl_batch_next_offset(&head) - 1, head.max_timestamp,
				     head.leader_epoch};
}
