/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/log.h"

#include <stdio.h>
#include <stdlib.h>

#include <klamm/error.h>

#include "broker/store.h"
#include "core/record/batch_write.h"

void kl_dev_log_init(struct kl_dev_log *log, struct kl_slab_pool *pool)
{
	*log = (struct kl_dev_log){.home.pool = pool, .roll = KL_DEV_ROLL};
}

bool kl_dev_log_keep(struct kl_dev_log *log, struct kl_dev_store *store,
		     const char *name, void (*synced)(struct kl_dev_log *log, bool ok))
{
	log->home.store = store;
	snprintf(log->home.name, sizeof(log->home.name), "%s", name);
	log->sync = kl_dev_sync_new(log, synced);
	return log->sync != NULL;
}

void kl_dev_log_free(struct kl_dev_log *log)
{
	kl_dev_sync_free(log->sync);
	for (size_t i = 0; i < log->segment_count; i++)
		kl_dev_segment_free(log->segments[i]);
	free(log->segments);
	free(log->epochs);
	*log = (struct kl_dev_log){.home.pool = log->home.pool};
}

void kl_dev_log_delete(struct kl_dev_log *log)
{
	for (size_t i = 0; i < log->segment_count && log->home.store != NULL; i++)
		kl_dev_store_remove(&log->home, log->segments[i]);
	kl_dev_log_free(log);
}

static struct kl_dev_segment *last_segment(const struct kl_dev_log *log)
{
	return log->segment_count > 0 ? log->segments[log->segment_count - 1] : NULL;
}

/* --- append --- */

static int add_segment(struct kl_dev_log *log, int64_t now_ms)
{
	if (!kl_dev_grow((void **)&log->segments, &log->segment_cap, log->segment_count,
			 sizeof(*log->segments)))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	struct kl_dev_segment *segment = kl_dev_segment_new(log->end);
	if (segment == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	segment->begun_ms = now_ms;
	log->segments[log->segment_count++] = segment;
	log->synced_bytes = 0;
	return 0;
}

/* The next append begins a segment; nothing happens to a last one that is empty. A segment is
 * sealed when all of it is on the disk, so that a crash can only damage the last one. */
static int roll(struct kl_dev_log *log)
{
	const struct kl_dev_segment *last = last_segment(log);
	if (last == NULL || last->bytes == 0)
		return 0;
	int rc = log->sync != NULL ? kl_dev_sync_now(log->sync) : 0;
	return rc != 0 ? rc : add_segment(log, last->begun_ms);
}

/* As Kafka's LogSegment.shouldRoll(). The clock that counts is that of the records,
 * where they have one. */
static bool is_full(const struct kl_dev_log *log, const struct kl_batch_head *head,
		    int64_t now_ms)
{
	const struct kl_dev_segment *last = last_segment(log);
	if (last->bytes == 0)
		return false;
	int64_t age = last->first_time >= 0 ? head->max_timestamp - last->first_time
					    : now_ms - last->begun_ms;
	return last->bytes + kl_batch_size(head) > log->roll.bytes ||
	       age > log->roll.ms ||
	       log->end + head->last_offset_delta - last->base > INT32_MAX;
}

int kl_dev_log_mend(struct kl_dev_log *log)
{
	int rc = log->is_torn ? kl_dev_store_cut(&log->home, last_segment(log)) : 0;
	log->is_torn = rc != 0;
	return rc;
}

/* A last segment that takes the batch. */
static int prepare(struct kl_dev_log *log, const struct kl_batch_head *head,
		   int64_t now_ms)
{
	struct kl_dev_segment *last = last_segment(log);
	if (last == NULL)
		return add_segment(log, now_ms);
	int rc = kl_dev_log_mend(log);
	if (rc != 0)
		return rc;
	/* Between two syncs: one that runs speaks of the segment that is the last one
	 * now. */
	if ((log->sync == NULL || !kl_dev_sync_runs(log->sync)) &&
	    is_full(log, head, now_ms)) {
		rc = roll(log);
		if (rc != 0)
			return rc;
		last = last_segment(log);
	}
	if (last->bytes == 0)
		last->begun_ms = now_ms;
	return 0;
}

static void appended(struct kl_dev_log *log, int64_t end, bool safely)
{
	bool nobody_waits = log->high == log->end;
	log->end = end;
	if (log->sync == NULL) {
		log->high = log->synced = end;
		return;
	}
	if (safely)
		log->wanted = end;
	else if (nobody_waits)
		log->high = end;
	kl_dev_sync_written(log->sync);
}

int kl_dev_log_append(struct kl_dev_log *log, const struct kl_dev_append *append,
		      int64_t *base_offset_out)
{
	const struct kl_dev_stamp *stamp = append->stamp;
	struct kl_batch_head head;
	kl_batch_head_get(append->batch, &head);
	if (stamp != NULL)
		head.max_timestamp = stamp->max_timestamp;
	int rc = prepare(log, &head, append->now_ms);
	if (rc != 0)
		return rc;
	struct kl_dev_segment *last = last_segment(log);
	struct kl_dev_epoch epoch = {append->leader_epoch, log->end};
	struct kl_dev_room room;
	if (!kl_dev_log_add_epoch(log, epoch) ||
	    !kl_dev_segment_room(&log->home, last, append->n, &room))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	memcpy(room.p, append->batch, append->n);
	kl_batch_place(room.p, log->end, append->leader_epoch);
	if (stamp != NULL)
		kl_batch_set_time(room.p, stamp->append_time, stamp->max_timestamp);
	rc = kl_dev_segment_append(&log->home, last, &room, &log->is_torn);
	if (rc != 0)
		return rc;
	*base_offset_out = log->end;
	appended(log, last->end, append->safely);
	return 0;
}

/* --- read --- */

/* The segment that holds offset, which is below the end. NULL: all that was there is
 * gone. */
static size_t segment_of(const struct kl_dev_log *log, int64_t offset)
{
	size_t low = 0, high = log->segment_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (log->segments[middle]->base <= offset)
			low = middle;
		else
			high = middle;
	}
	/* Compaction and recovery leave gaps at the end of segments. */
	while (low < log->segment_count && log->segments[low]->end <= offset)
		low++;
	return low;
}

int kl_dev_log_locate(struct kl_dev_log *log, int64_t offset, struct kl_dev_place *out)
{
	size_t i = segment_of(log, offset);
	*out = (struct kl_dev_place){.segment = i};
	if (i == log->segment_count || log->segments[i]->mark_count == 0)
		return 0;
	struct kl_dev_segment *segment = log->segments[i];
	struct kl_dev_cursor cursor;
	kl_dev_cursor_init(&cursor, &log->home, segment,
			   kl_dev_segment_mark(segment, offset)->at);
	int rc;
	while ((rc = kl_dev_cursor_next(&cursor)) > 0)
		if (kl_batch_next_offset(&cursor.head) > offset)
			break;
	out->at = cursor.at;
	out->base = cursor.head.base_offset;
	out->size = rc > 0 ? kl_batch_size(&cursor.head) : 0;
	kl_dev_cursor_free(&cursor);
	return rc < 0 ? KLAMM_ERR_KAFKA_STORAGE_ERROR : 0;
}

int kl_dev_log_batch_at(struct kl_dev_log *log, int64_t offset, int64_t *base_out)
{
	struct kl_dev_place place;
	int rc = kl_dev_log_locate(log, offset, &place);
	*base_out = place.size == 0 ? log->end : kl_max(place.base, log->start);
	return rc;
}

/* Where consumers must stop in a segment. */
static int visible_bytes(struct kl_dev_log *log, size_t i, int64_t limit, size_t *bytes_out)
{
	struct kl_dev_segment *segment = log->segments[i];
	*bytes_out = segment->bytes;
	if (segment->end <= limit)
		return 0;
	*bytes_out = 0;
	if (segment->base >= limit)
		return 0;
	if (limit == log->synced && i == log->segment_count - 1) {
		*bytes_out = log->synced_bytes;
		return 0;
	}
	struct kl_dev_place place;
	int rc = kl_dev_log_locate(log, limit, &place);
	*bytes_out = place.at;
	return rc;
}

int kl_dev_log_left(struct kl_dev_log *log, int64_t offset, int64_t limit,
		    struct kl_dev_left *out)
{
	*out = (struct kl_dev_left){0};
	if (offset >= limit)
		return 0;
	struct kl_dev_place from;
	int rc = kl_dev_log_locate(log, offset, &from);
	if (rc != 0 || from.size == 0 || from.base >= limit)
		return rc;
	out->first = from.size;
	for (size_t i = from.segment; i < log->segment_count && rc == 0; i++) {
		size_t end, begin = i == from.segment ? from.at : log->segments[i]->from;
		rc = visible_bytes(log, i, limit, &end);
		if (rc == 0 && end > 0)
			out->bytes += end - begin;
	}
	return rc;
}

/* The end of the last batch in p that ends at or before n. */
static size_t whole_batches(const uint8_t *p, size_t n)
{
	struct kl_batch_span span;
	kl_batch_hop(p, n, &span);
	return span.bytes;
}

int kl_dev_log_read(struct kl_dev_log *log, int64_t offset, int64_t limit, size_t max,
		    bool at_least_one, struct kl_dev_read *out)
{
	*out = (struct kl_dev_read){0};
	if (offset >= limit)
		return 0;
	struct kl_dev_place from;
	size_t end;
	int rc = kl_dev_log_locate(log, offset, &from);
	if (rc != 0 || from.size == 0 || from.base >= limit ||
	    (from.size > max && !at_least_one))
		return rc;
	rc = visible_bytes(log, from.segment, limit, &end);
	if (rc != 0)
		return rc;
	struct kl_dev_bytes bytes;
	size_t n = kl_min(kl_max(max, from.size), end - from.at);
	rc = kl_dev_segment_get(&log->home, log->segments[from.segment], from.at, n,
				&bytes);
	if (rc != 0)
		return rc;
	/* What lies together, and what is visible, ends with a batch. */
	bool is_cut = bytes.n == n && n < end - from.at;
	*out = (struct kl_dev_read){
		bytes.slab, bytes.p, is_cut ? whole_batches(bytes.p, n) : bytes.n};
	return 0;
}

/* --- the old end --- */

size_t kl_dev_log_size(const struct kl_dev_log *log)
{
	size_t n = 0;
	for (size_t i = 0; i < log->segment_count; i++)
		n += kl_dev_segment_size(log->segments[i]);
	return n;
}

void kl_dev_log_replace(struct kl_dev_log *log, size_t first, size_t count,
			struct kl_dev_segment *segment, bool remove)
{
	struct kl_dev_segment **at = log->segments + first;
	kl_dev_segment_free(at[0]);
	for (size_t i = 1; i < count; i++) {
		if (log->home.store != NULL && remove)
			kl_dev_store_remove(&log->home, at[i]);
		kl_dev_segment_free(at[i]);
	}
	at[0] = segment;
	log->segment_count -= count - 1;
	memmove(at + 1, at + count,
		(log->segment_count - first - 1) * sizeof(struct kl_dev_segment *));
}

void kl_dev_log_drop(struct kl_dev_log *log, size_t count)
{
	log->drops++;
	for (size_t i = 0; i < count; i++) {
		if (log->home.store != NULL)
			kl_dev_store_remove(&log->home, log->segments[i]);
		kl_dev_segment_free(log->segments[i]);
	}
	log->segment_count -= count;
	memmove(log->segments, log->segments + count,
		log->segment_count * sizeof(struct kl_dev_segment *));
	if (log->segment_count > 0) {
		log->start = kl_max(log->start, log->segments[0]->base);
		return;
	}
	log->start = log->high = log->synced = log->wanted = log->end;
	log->synced_bytes = 0;
	log->is_torn = false;
	if (log->sync != NULL)
		kl_dev_sync_nothing(log->sync);
}

void kl_dev_log_trim(struct kl_dev_log *log, int64_t offset)
{
	log->start = kl_max(log->start, offset);
	size_t count = 0;
	while (count + 1 < log->segment_count &&
	       log->segments[count + 1]->base <= log->start)
		count++;
	kl_dev_log_drop(log, count);
	if (log->segment_count > 0)
		kl_dev_segment_trim(log->segments[0], log->start);
}

/* --- epochs --- */

void kl_dev_log_cut_epochs(struct kl_dev_log *log)
{
	while (log->epoch_count > 0 &&
	       log->epochs[log->epoch_count - 1].start >= log->end)
		log->epoch_count--;
}

bool kl_dev_log_begin_epoch(struct kl_dev_log *log, int32_t epoch)
{
	/* A leader that wrote nothing leaves no trace. */
	kl_dev_log_cut_epochs(log);
	return kl_dev_log_add_epoch(log, (struct kl_dev_epoch){epoch, log->end});
}

bool kl_dev_log_add_epoch(struct kl_dev_log *log, struct kl_dev_epoch epoch)
{
	size_t i = log->epoch_count;
	while (i > 0 && log->epochs[i - 1].epoch > epoch.epoch)
		i--;
	if (epoch.epoch < 0 || (i > 0 && log->epochs[i - 1].epoch == epoch.epoch))
		return true;
	if (!kl_dev_grow((void **)&log->epochs, &log->epoch_cap, log->epoch_count,
			 sizeof(*log->epochs)))
		return false;
	memmove(&log->epochs[i + 1], &log->epochs[i],
		(log->epoch_count - i) * sizeof(*log->epochs));
	log->epochs[i] = epoch;
	log->epoch_count++;
	return true;
}

struct kl_dev_epoch kl_dev_log_epoch_end(const struct kl_dev_log *log, int32_t epoch)
{
	size_t above = 0; /* the first one with a higher number */
	while (above < log->epoch_count && log->epochs[above].epoch <= epoch)
		above++;
	if (above < log->epoch_count)
		return (struct kl_dev_epoch){
			above > 0 ? log->epochs[above - 1].epoch : epoch,
			log->epochs[above].start,
		};
	if (above > 0 && log->epochs[above - 1].epoch == epoch)
		return (struct kl_dev_epoch){epoch, log->end};
	return (struct kl_dev_epoch){-1, -1};
}

int32_t kl_dev_log_epoch_at(const struct kl_dev_log *log, int64_t offset)
{
	int32_t epoch = -1;
	for (size_t i = 0; i < log->epoch_count && log->epochs[i].start <= offset; i++)
		epoch = log->epochs[i].epoch;
	return epoch;
}
