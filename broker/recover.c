/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a log's files again: at the start, and after a sync that failed. */
#include <stdlib.h>

#include <klamm/error.h>

#include "broker/log.h"
#include "broker/store.h"

/* A batch follows those before it, and its bytes are those that were written. */
static bool is_good(struct kl_dev_cursor *cursor, const struct kl_dev_segment *segment,
		    bool check, int *rc_out)
{
	const uint8_t *p;
	if (cursor->head.base_offset < segment->end)
		return false;
	if (!check)
		return true;
	*rc_out = kl_dev_cursor_batch(cursor, &p);
	return *rc_out == 0 && kl_batch_check_crc(p, &cursor->head);
}

static int show(struct kl_dev_cursor *cursor, kl_dev_seen_fn seen, void *arg)
{
	const uint8_t *p = NULL;
	int rc = 0;
	if (cursor->head.attributes & KL_ATTR_CONTROL)
		rc = kl_dev_cursor_batch(cursor, &p);
	if (rc == 0 && !seen(arg, &cursor->head, p))
		rc = KLAMM_ERR_KAFKA_STORAGE_ERROR;
	return rc;
}

/* All good batches of the first `size` bytes are told to seen(), and noted unless the
 * segment knows them already. */
static int scan(struct kl_dev_log *log, struct kl_dev_segment *segment, size_t size,
		bool check, kl_dev_seen_fn seen, void *arg)
{
	struct kl_dev_cursor cursor;
	bool known = segment->bytes > 0;
	int rc = 0, more = 0;
	kl_dev_cursor_init(&cursor, &log->home, segment, 0);
	cursor.end = size;
	while (rc == 0 && (more = kl_dev_cursor_next(&cursor)) > 0) {
		if (!known && !is_good(&cursor, segment, check, &rc))
			break;
		struct kl_dev_epoch epoch = {cursor.head.leader_epoch,
					     cursor.head.base_offset};
		/* The table of epochs may have been kept before the first batch of one. */
		if (!known && (!kl_dev_segment_note(segment, &cursor.head) ||
			       !kl_dev_log_add_epoch(log, epoch)))
			rc = KLAMM_ERR_KAFKA_STORAGE_ERROR;
		if (rc == 0 && seen != NULL)
			rc = show(&cursor, seen, arg);
	}
	kl_dev_cursor_free(&cursor);
	return rc == 0 && more == KL_DEV_UNREADABLE ? KLAMM_ERR_KAFKA_STORAGE_ERROR
						    : rc;
}

static void end_at(struct kl_dev_log *log, int64_t end, size_t bytes)
{
	log->end = log->high = log->synced = log->wanted = kl_max(log->start, end);
	log->synced_bytes = bytes;
}

bool kl_dev_log_adopt(struct kl_dev_log *log, struct kl_dev_segment *segment)
{
	if (!kl_dev_grow((void **)&log->segments, &log->segment_cap, log->segment_count,
			 sizeof(*log->segments)))
		return false;
	log->segments[log->segment_count++] = segment;
	return true;
}

void kl_dev_log_adopted(struct kl_dev_log *log)
{
	const struct kl_dev_segment *last = log->segments[log->segment_count - 1];
	end_at(log, last->end, last->bytes);
}

int kl_dev_log_recover(struct kl_dev_log *log, int64_t base, size_t size, bool check,
		       kl_dev_seen_fn seen, void *arg, size_t *cut_out)
{
	struct kl_dev_segment *segment = kl_dev_segment_new(base);
	if (segment == NULL || !kl_dev_log_adopt(log, segment)) {
		kl_dev_segment_free(segment);
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	}
	int rc = scan(log, segment, size, check, seen, arg);
	if (rc != 0)
		return rc;
	*cut_out = size - segment->bytes;
	if (*cut_out > 0)
		rc = kl_dev_store_cut(&log->home, segment);
	end_at(log, segment->end, segment->bytes);
	/* A process that was killed may have written it and not synced it. */
	if (rc == 0 && check && segment->bytes > 0)
		rc = kl_dev_store_sync(&log->home, segment);
	return rc;
}

static int walk(struct kl_dev_log *log, struct kl_dev_segment *segment,
		int (*fn)(void *arg, const struct kl_batch_head *head, const uint8_t *p),
		void *arg)
{
	struct kl_dev_cursor cursor;
	const uint8_t *p;
	int rc = 0, more = 0;
	kl_dev_cursor_init(&cursor, &log->home, segment, segment->from);
	while (rc == 0 && (more = kl_dev_cursor_next(&cursor)) > 0) {
		rc = kl_dev_cursor_batch(&cursor, &p);
		if (rc == 0)
			rc = fn(arg, &cursor.head, p);
	}
	kl_dev_cursor_free(&cursor);
	return rc == 0 && more < 0 ? KLAMM_ERR_KAFKA_STORAGE_ERROR : rc;
}

int kl_dev_log_walk(struct kl_dev_log *log,
		    int (*fn)(void *arg, const struct kl_batch_head *head, const uint8_t *p),
		    void *arg)
{
	int rc = 0;
	for (size_t i = 0; i < log->segment_count && rc == 0; i++)
		rc = walk(log, log->segments[i], fn, arg);
	return rc;
}

int kl_dev_log_repair(struct kl_dev_log *log, kl_dev_seen_fn seen, void *arg)
{
	int rc = 0;
	size_t n = log->segment_count;
	for (size_t i = 0; i + 1 < n && rc == 0; i++)
		rc = scan(log, log->segments[i], log->segments[i]->bytes, false, seen,
			  arg);
	if (rc == 0 && n > 0) {
		struct kl_dev_segment *last = log->segments[n - 1];
		kl_dev_segment_forget(last);
		rc = scan(log, last, log->synced_bytes, false, seen, arg);
		if (rc == 0 && last->bytes != log->synced_bytes)
			rc = KLAMM_ERR_KAFKA_STORAGE_ERROR;
	}
	if (rc != 0)
		return rc;
	log->synced = kl_max(log->start, log->synced); /* see DeleteRecords */
	log->end = log->high = log->wanted = log->synced;
	log->is_torn = n > 0;
	log->is_lost = false;
	kl_dev_log_cut_epochs(log);
	return kl_dev_log_mend(log);
}
