/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking into a log by time. Timestamps need not rise, so this is a search from the
 * front, over the marks. */
#include "broker/log.h"
#include "core/record/batch_read.h"

static const struct kl_dev_found nothing = {-1, -1, -1};

static int64_t run_end(const struct kl_dev_segment *segment, size_t i)
{
	return i + 1 < segment->mark_count ? segment->marks[i + 1].offset
					   : segment->end;
}

/* The first record of the batch that has this timestamp or a later one. */
static int find_record(struct kl_dev_cursor *cursor, int64_t start, int64_t timestamp,
		       struct kl_dev_found *out)
{
	const struct kl_batch_head *head = &cursor->head;
	*out = nothing;
	if (kl_batch_codec(head) != 0) {
		*out = (struct kl_dev_found){
			.offset = kl_max(head->base_offset, start),
			.timestamp = head->attributes & KL_ATTR_DELETE_HORIZON
					     ? timestamp /* the base is no record's time */
					     : kl_max(head->base_timestamp, timestamp),
			.leader_epoch = head->leader_epoch,
		};
		return 0;
	}
	const uint8_t *p;
	int rc = kl_dev_cursor_batch(cursor, &p);
	if (rc != 0)
		return rc;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), start);
	while (kl_record_next(&iter, &view) > 0) {
		if (view.timestamp_ms < timestamp)
			continue;
		*out = (struct kl_dev_found){view.offset, view.timestamp_ms,
					     head->leader_epoch};
		return 0;
	}
	return 0; /* it lies below the start */
}

/* In one run, from the start of the log on. */
static int find_in_run(struct kl_dev_log *log, struct kl_dev_segment *segment,
		       size_t run, int64_t timestamp, struct kl_dev_found *out)
{
	struct kl_dev_cursor cursor;
	int64_t end = kl_min(run_end(segment, run), log->high);
	kl_dev_cursor_init(&cursor, &log->home, segment, segment->marks[run].at);
	*out = nothing;
	int more = 0, rc = 0;
	while (rc == 0 && out->offset < 0 && (more = kl_dev_cursor_next(&cursor)) > 0 &&
	       cursor.head.base_offset < end) {
		if (cursor.head.max_timestamp >= timestamp &&
		    cursor.head.record_count > 0 &&
		    kl_batch_next_offset(&cursor.head) > log->start)
			rc = find_record(&cursor, log->start, timestamp, out);
	}
	kl_dev_cursor_free(&cursor);
	return rc == 0 && more < 0 ? KLAMM_ERR_KAFKA_STORAGE_ERROR : rc;
}

int kl_dev_log_find_time(struct kl_dev_log *log, int64_t timestamp,
			 struct kl_dev_found *found_out)
{
	*found_out = nothing;
	for (size_t k = 0; k < log->segment_count; k++) {
		struct kl_dev_segment *segment = log->segments[k];
		for (size_t i = 0; i < segment->mark_count; i++) {
			if (segment->marks[i].newest < timestamp)
				continue;
			int rc = find_in_run(log, segment, i, timestamp, found_out);
			if (rc != 0 || found_out->offset >= 0)
				return rc;
		}
	}
	return 0;
}

/* A run and its newest timestamp. */
struct best {
	struct kl_dev_segment *segment;
	size_t run;
	int64_t newest;
};

/* Of a run that reaches below the start or above what is visible, only what is between
 * counts. */
static int newest_in_run(struct kl_dev_log *log, struct kl_dev_segment *segment,
			 size_t run, int64_t *newest_out)
{
	int64_t end = run_end(segment, run);
	*newest_out = segment->marks[run].newest;
	if (segment->marks[run].offset >= log->start && end <= log->high)
		return 0;
	*newest_out = INT64_MIN;
	end = kl_min(end, log->high);
	struct kl_dev_cursor cursor;
	kl_dev_cursor_init(&cursor, &log->home, segment, segment->marks[run].at);
	int rc;
	while ((rc = kl_dev_cursor_next(&cursor)) > 0 && cursor.head.base_offset < end)
		if (kl_batch_next_offset(&cursor.head) > log->start &&
		    cursor.head.record_count > 0)
			*newest_out = kl_max(*newest_out, cursor.head.max_timestamp);
	kl_dev_cursor_free(&cursor);
	return rc < 0 ? KLAMM_ERR_KAFKA_STORAGE_ERROR : 0;
}

static int find_best(struct kl_dev_log *log, struct best *best)
{
	*best = (struct best){.newest = INT64_MIN};
	for (size_t k = 0; k < log->segment_count; k++) {
		for (size_t i = 0; i < log->segments[k]->mark_count; i++) {
			int64_t newest;
			int rc = newest_in_run(log, log->segments[k], i, &newest);
			if (rc != 0)
				return rc;
			if (newest > best->newest)
				*best = (struct best){log->segments[k], i, newest};
		}
	}
	return 0;
}

int kl_dev_log_find_newest(struct kl_dev_log *log, struct kl_dev_found *found_out)
{
	struct best best;
	*found_out = nothing;
	int rc = find_best(log, &best);
	if (rc != 0 || best.newest < 0)
		return rc;
	struct kl_dev_cursor cursor;
	kl_dev_cursor_init(&cursor, &log->home, best.segment,
			   best.segment->marks[best.run].at);
	int more;
	while ((more = kl_dev_cursor_next(&cursor)) > 0)
		if (cursor.head.max_timestamp == best.newest &&
		    cursor.head.record_count > 0 &&
		    kl_batch_next_offset(&cursor.head) > log->start)
			break;
	/* With LogAppendTime all its records have the same time, and Kafka names the
	 * last. */
	if (more > 0 && !(cursor.head.attributes & KL_ATTR_LOG_APPEND_TIME) &&
	    kl_batch_codec(&cursor.head) == 0)
		rc = find_record(&cursor, log->start, best.newest, found_out);
	else if (more > 0)
		*found_out =
			(struct kl_dev_found){kl_batch_next_offset(&cursor.head) - 1,
					      best.newest, cursor.head.leader_epoch};
	kl_dev_cursor_free(&cursor);
	return rc == 0 && more < 0 ? KLAMM_ERR_KAFKA_STORAGE_ERROR : rc;
}
