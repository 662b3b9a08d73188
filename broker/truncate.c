/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a log goes, as it does in Kafka when a replica leads that was not in sync: a
 * fault's `lose`. Lives in the broker's loop. */
#include <stdlib.h>

#include <klamm/error.h>

#include "broker/store.h"
#include "broker/topics.h"

/* --- a segment --- */

/* The last chunk ends earlier. What is cut off may be on its way to a client, so that nothing
 * is written over it. */
static bool shorten(struct kl_dev_home *home, struct kl_dev_chunk *chunk, size_t n)
{
	if (n == chunk->len)
		return true;
	struct kl_slab *slab = kl_slab_get(home->pool, n);
	if (slab == NULL)
		return false;
	memcpy(slab->data, chunk->slab->data, n);
	kl_slab_unref(chunk->slab);
	chunk->slab = slab;
	chunk->len = n;
	return true;
}

static bool cut_chunks(struct kl_dev_home *home, struct kl_dev_segment *segment,
		       size_t bytes)
{
	size_t n = segment->chunk_count;
	while (n > 0 && segment->chunks[n - 1].at >= bytes)
		n--;
	if (n > 0 && !shorten(home, &segment->chunks[n - 1],
			      kl_min(segment->chunks[n - 1].len,
				     bytes - segment->chunks[n - 1].at)))
		return false;
	while (segment->chunk_count > n)
		kl_slab_unref(segment->chunks[--segment->chunk_count].slab);
	return true;
}

/* Batches from the place of the last mark on are noted again. */
static int note_again(struct kl_dev_home *home, struct kl_dev_segment *segment, size_t bytes)
{
	struct kl_dev_cursor cursor;
	int more;
	kl_dev_cursor_init(&cursor, home, segment, segment->bytes);
	cursor.end = bytes;
	while ((more = kl_dev_cursor_next(&cursor)) > 0)
		if (!kl_dev_segment_note(segment, &cursor.head))
			break;
	kl_dev_cursor_free(&cursor);
	return more == 0 ? 0 : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

/* It ends at this byte, where the batch with the offset `end` begins. */
static int cut_segment(struct kl_dev_home *home, struct kl_dev_segment *segment,
		       size_t bytes, int64_t end)
{
	if (!cut_chunks(home, segment, bytes))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	while (segment->mark_count > 0 &&
	       segment->marks[segment->mark_count - 1].at >= bytes)
		segment->mark_count--;
	segment->bytes = segment->from;
	if (segment->mark_count > 0)
		segment->bytes = segment->marks[--segment->mark_count].at;
	segment->newest = -1;
	for (size_t i = 0; i < segment->mark_count; i++)
		segment->newest = kl_max(segment->newest, segment->marks[i].newest);
	int rc = note_again(home, segment, bytes);
	segment->end = end;
	if (rc == 0 && home->store != NULL)
		rc = kl_dev_store_cut(home, segment);
	return rc;
}

/* --- a log --- */

/* What a sync says that runs is about more than there is. */
static bool forget_sync(struct kl_dev_log *log)
{
	if (log->sync == NULL || !kl_dev_sync_runs(log->sync))
		return true;
	struct kl_dev_sync *fresh = kl_dev_sync_again(log->sync);
	if (fresh == NULL)
		return false;
	kl_dev_sync_free(log->sync);
	log->sync = fresh;
	return true;
}

static void drop_behind(struct kl_dev_log *log, size_t last)
{
	while (log->segment_count > last + 1) {
		struct kl_dev_segment *segment = log->segments[--log->segment_count];
		if (log->home.store != NULL)
			kl_dev_store_remove(&log->home, segment);
		kl_dev_segment_free(segment);
	}
}

/* All that was there before is on the disk, and nothing else. */
static int settle(struct kl_dev_log *log)
{
	const struct kl_dev_segment *last = log->segments[log->segment_count - 1];
	log->wanted = kl_min(log->wanted, log->end);
	if (log->sync != NULL && log->synced < log->end)
		return kl_dev_sync_now(log->sync);
	if (log->sync != NULL)
		kl_dev_sync_nothing(log->sync);
	log->high = log->synced = log->end;
	log->synced_bytes = last->bytes;
	return 0;
}

int kl_dev_log_truncate(struct kl_dev_log *log, int64_t offset)
{
	struct kl_dev_place place;
	int rc = kl_dev_log_locate(log, offset, &place);
	if (rc != 0 || place.size == 0)
		return rc;
	if (!forget_sync(log))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	log->drops++; /* a compaction that runs begins anew */
	log->failures++; /* who waits for records of it is told so */
	drop_behind(log, place.segment);
	rc = cut_segment(&log->home, log->segments[place.segment], place.at, place.base);
	if (rc != 0)
		return rc;
	log->end = kl_max(place.base, log->start);
	log->high = kl_min(log->high, log->end);
	log->cleaned = kl_min(log->cleaned, log->end);
	log->is_torn = false;
	kl_dev_log_cut_epochs(log);
	return settle(log);
}

/* --- a partition --- */

static int saw(void *arg, const struct kl_batch_head *head, const uint8_t *p)
{
	bool is_control = head->attributes & KL_ATTR_CONTROL;
	return kl_dev_partition_saw(arg, head, is_control ? p : NULL)
		       ? 0
		       : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

int kl_dev_partition_lose(struct kl_dev_partition *partition, int64_t count)
{
	struct kl_dev_log *log = &partition->log;
	int64_t end = log->end;
	int rc = kl_dev_log_truncate(log, kl_max(log->start, end - count));
	if (rc != 0 || log->end == end)
		return rc;
	kl_dev_producers_free(&partition->producers);
	rc = kl_dev_log_walk(log, saw, partition);
	kl_dev_producers_trim(&partition->producers, log->start);
	return rc;
}
