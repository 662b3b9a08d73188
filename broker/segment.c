/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/segment.h"

#include <stdlib.h>

#include <klamm/error.h>

#include "broker/store.h"

/* Chunks double from the first size to the last, so that neither a thousand small logs
 * nor one large one waste much. A larger batch has a chunk of its own. */
#define CHUNK_FIRST ((size_t)KL_SLAB_MIN)
#define CHUNK_LAST  ((size_t)4 << 20)
/* A cursor reads a file in pieces of this size. */
#define WINDOW ((size_t)64 << 10)

struct kl_dev_segment *kl_dev_segment_new(int64_t base)
{
	struct kl_dev_segment *segment = calloc(1, sizeof(*segment));
	if (segment == NULL)
		return NULL;
	segment->base = base;
	kl_dev_segment_forget(segment);
	return segment;
}

void kl_dev_segment_forget(struct kl_dev_segment *segment)
{
	for (size_t i = 0; i < segment->chunk_count; i++)
		kl_slab_unref(segment->chunks[i].slab);
	segment->chunk_count = segment->mark_count = 0;
	segment->end = segment->base;
	segment->from = segment->bytes = 0;
	segment->newest = segment->first_time = -1;
}

void kl_dev_segment_free(struct kl_dev_segment *segment)
{
	if (segment == NULL)
		return;
	kl_dev_segment_forget(segment);
	kl_dev_handle_drop(segment->file);
	free(segment->chunks);
	free(segment->marks);
	free(segment);
}

/* --- append --- */

/* The chunk that takes n more bytes. NULL: no memory. */
static struct kl_dev_chunk *chunk_for(struct kl_dev_home *home,
				      struct kl_dev_segment *segment, size_t n)
{
	size_t size = CHUNK_FIRST;
	if (segment->chunk_count > 0) {
		struct kl_dev_chunk *last = &segment->chunks[segment->chunk_count - 1];
		if (n <= last->slab->cap - last->len)
			return last;
		size = kl_max(CHUNK_FIRST, kl_min(last->slab->cap * 2, CHUNK_LAST));
	}
	if (!kl_dev_grow((void **)&segment->chunks, &segment->chunk_cap,
			 segment->chunk_count, sizeof(*segment->chunks)))
		return NULL;
	struct kl_slab *slab = kl_slab_get(home->pool, kl_max(size, n));
	if (slab == NULL)
		return NULL;
	struct kl_dev_chunk *chunk = &segment->chunks[segment->chunk_count++];
	*chunk = (struct kl_dev_chunk){.slab = slab, .at = segment->bytes};
	return chunk;
}

/* A run does not reach over the end of a chunk. */
static bool begins_chunk(const struct kl_dev_segment *segment)
{
	size_t n = segment->chunk_count;
	return n > 0 && segment->chunks[n - 1].at == segment->bytes;
}

bool kl_dev_segment_note(struct kl_dev_segment *segment,
			 const struct kl_batch_head *head)
{
	struct kl_dev_mark *run = segment->mark_count > 0
					  ? &segment->marks[segment->mark_count - 1]
					  : NULL;
	if (run == NULL || segment->bytes - run->at >= KL_DEV_MARK_EVERY ||
	    begins_chunk(segment)) {
		if (!kl_dev_grow((void **)&segment->marks, &segment->mark_cap,
				 segment->mark_count, sizeof(*segment->marks)))
			return false;
		run = &segment->marks[segment->mark_count++];
		*run = (struct kl_dev_mark){
			.offset = head->base_offset,
			.at = segment->bytes,
			.newest = INT64_MIN,
		};
	}
	if (segment->bytes == 0)
		segment->first_time = head->max_timestamp;
	/* Where compaction has left a head alone, its time is no record's. */
	if (head->record_count > 0) {
		run->newest = kl_max(run->newest, head->max_timestamp);
		segment->newest = kl_max(segment->newest, head->max_timestamp);
	}
	segment->end = kl_batch_next_offset(head);
	segment->bytes += kl_batch_size(head);
	return true;
}

bool kl_dev_segment_room(struct kl_dev_home *home, struct kl_dev_segment *segment,
			 size_t n, struct kl_dev_room *out)
{
	*out = (struct kl_dev_room){.n = n};
	/* For its mark, too, so that nothing fails once it is written. */
	if (!kl_dev_grow((void **)&segment->marks, &segment->mark_cap,
			 segment->mark_count, sizeof(*segment->marks)))
		return false;
	if (home->store != NULL) {
		out->slab = kl_slab_get(home->pool, n);
		out->p = out->slab != NULL ? out->slab->data : NULL;
	} else {
		struct kl_dev_chunk *chunk = chunk_for(home, segment, n);
		out->p = chunk != NULL ? chunk->slab->data + chunk->len : NULL;
	}
	return out->p != NULL;
}

static int write_room(struct kl_dev_home *home, struct kl_dev_segment *segment,
		      const struct kl_dev_room *room, bool *torn_out)
{
	struct kl_file *file;
	int rc = kl_dev_store_open(home, segment, &file);
	if (rc == 0)
		rc = kl_dev_store_write(home->store, file, room->p, room->n,
					segment->bytes, torn_out);
	return rc;
}

int kl_dev_segment_append(struct kl_dev_home *home, struct kl_dev_segment *segment,
			  struct kl_dev_room *room, bool *torn_out)
{
	struct kl_batch_head head;
	int rc = 0;
	*torn_out = false;
	kl_batch_head_get(room->p, &head);
	if (home->store != NULL)
		rc = write_room(home, segment, room, torn_out);
	else
		segment->chunks[segment->chunk_count - 1].len += room->n;
	if (rc == 0)
		kl_dev_segment_note(segment, &head);
	kl_slab_unref(room->slab);
	return rc;
}

void kl_dev_segment_trim(struct kl_dev_segment *segment, int64_t offset)
{
	if (segment->chunk_count == 0)
		return;
	size_t marks = 0, chunks = 0;
	while (marks < segment->mark_count &&
	       (marks + 1 < segment->mark_count ? segment->marks[marks + 1].offset
						: segment->end) <= offset)
		marks++;
	size_t from =
		marks < segment->mark_count ? segment->marks[marks].at : segment->bytes;
	while (chunks < segment->chunk_count &&
	       segment->chunks[chunks].at + segment->chunks[chunks].len <= from)
		kl_slab_unref(segment->chunks[chunks++].slab);
	segment->chunk_count -= chunks;
	segment->mark_count -= marks;
	memmove(segment->chunks, segment->chunks + chunks,
		segment->chunk_count * sizeof(*segment->chunks));
	memmove(segment->marks, segment->marks + marks,
		segment->mark_count * sizeof(*segment->marks));
	segment->from =
		segment->chunk_count > 0 ? segment->chunks[0].at : segment->bytes;
}

/* --- read --- */

const struct kl_dev_mark *kl_dev_segment_mark(const struct kl_dev_segment *segment,
					      int64_t offset)
{
	size_t low = 0, high = segment->mark_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (segment->marks[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &segment->marks[low];
}

static void get_chunk(const struct kl_dev_segment *segment, size_t at, size_t n,
		      struct kl_dev_bytes *out)
{
	size_t low = 0, high = segment->chunk_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (segment->chunks[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	const struct kl_dev_chunk *chunk = &segment->chunks[low];
	size_t in = at - chunk->at;
	out->slab = kl_slab_ref(chunk->slab);
	out->p = chunk->slab->data + in;
	out->n = kl_min(n, chunk->len - in);
}

int kl_dev_segment_get(struct kl_dev_home *home, struct kl_dev_segment *segment,
		       size_t at, size_t n, struct kl_dev_bytes *out)
{
	if (home->store == NULL) {
		get_chunk(segment, at, n, out);
		return 0;
	}
	struct kl_slab *slab = kl_slab_get(home->pool, n);
	struct kl_file *file;
	int rc = slab != NULL ? kl_dev_store_open(home, segment, &file)
			      : KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (rc == 0)
		rc = kl_dev_store_read(home->store, file, slab->data, n, at);
	if (rc != 0) {
		kl_slab_unref(slab);
		return rc;
	}
	*out = (struct kl_dev_bytes){slab, slab->data, n};
	return 0;
}

/* --- cursors --- */

void kl_dev_cursor_init(struct kl_dev_cursor *cursor, struct kl_dev_home *home,
			struct kl_dev_segment *segment, size_t at)
{
	*cursor = (struct kl_dev_cursor){
		.home = home, .segment = segment, .at = at, .end = segment->bytes};
}

void kl_dev_cursor_free(struct kl_dev_cursor *cursor)
{
	kl_slab_unref(cursor->window.slab);
	cursor->window = (struct kl_dev_bytes){0};
}

/* The window holds n bytes from cursor->at on. */
static int look(struct kl_dev_cursor *cursor, size_t n)
{
	size_t in = cursor->at - cursor->window_at;
	if (cursor->window.slab != NULL && in <= cursor->window.n &&
	    n <= cursor->window.n - in)
		return 0;
	kl_dev_cursor_free(cursor);
	size_t left = cursor->end - cursor->at;
	int rc = kl_dev_segment_get(cursor->home, cursor->segment, cursor->at,
				    kl_min(kl_max(n, WINDOW), left), &cursor->window);
	cursor->window_at = cursor->at;
	return rc;
}

int kl_dev_cursor_next(struct kl_dev_cursor *cursor)
{
	if (cursor->begun)
		cursor->at += kl_batch_size(&cursor->head);
	cursor->begun = false;
	size_t left = cursor->end - cursor->at;
	if (left == 0)
		return 0;
	if (left < KL_BATCH_HEAD)
		return KL_DEV_NO_BATCH;
	if (look(cursor, KL_BATCH_HEAD) != 0)
		return KL_DEV_UNREADABLE;
	/* Of format v2 peek() reads the head alone, which is all that is here for sure.
	 */
	const uint8_t *p = cursor->window.p + (cursor->at - cursor->window_at);
	if (p[KL_BATCH_MAGIC] != 2 ||
	    kl_batch_peek(p, left, &cursor->head) != KL_BATCH_WHOLE)
		return KL_DEV_NO_BATCH;
	cursor->begun = true;
	return 1;
}

int kl_dev_cursor_batch(struct kl_dev_cursor *cursor, const uint8_t **p_out)
{
	int rc = look(cursor, kl_batch_size(&cursor->head));
	if (rc == 0)
		*p_out = cursor->window.p + (cursor->at - cursor->window_at);
	return rc;
}
