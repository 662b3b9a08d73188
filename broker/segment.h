/* SPDX-License-Identifier: BSD-2-Clause */
/* A segment: batches one behind the other, in a file of the data directory or, without one, in
 * chunks of memory. It is appended to while it is a log's last one, and never changed after.
 *
 * Functions return 0, or KAFKA_STORAGE_ERROR when the disk or the memory refuses. In the
 * broker's loop; a kl_dev_segment_view() may be read anywhere.
 */
#ifndef KL_DEV_SEGMENT_H
#define KL_DEV_SEGMENT_H

#include "core/base/slab.h"
#include "core/record/batch_read.h"

struct kl_dev_store;
struct kl_dev_handle;

/* Where the segments of a log are kept. */
#define KL_DEV_HOME_NAME 40
struct kl_dev_home {
	struct kl_slab_pool *pool;   /* for chunks, and for what is read from files */
	struct kl_dev_store *store;  /* NULL = in memory */
	char name[KL_DEV_HOME_NAME]; /* of files, up to the offset: "<topic id>-<partition>" */
};

/* Contiguous memory; a batch is never in two. */
struct kl_dev_chunk {
	struct kl_slab *slab;
	size_t at, len; /* its place in the segment */
};

/* A sparse index: an entry for each run of some KiB of batches, and one at least per chunk. */
struct kl_dev_mark {
	int64_t offset; /* the run begins with this one, */
	size_t at;      /* here */
	int64_t newest; /* timestamp in the run */
};
/* A batch of a run begins within so many bytes of its mark: what a look-up reads at most. */
#define KL_DEV_MARK_EVERY 16384

struct kl_dev_segment {
	int64_t base;       /* offset that it was begun for, and its name */
	int64_t end;        /* the next offset */
	size_t from, bytes; /* what is there; from is above 0 when chunks were given back */
	int64_t newest;     /* timestamp, -1 = none */
	int64_t first_time; /* newest timestamp of its first batch, -1 = none */
	int64_t begun_ms;   /* wall clock at the first append here */
	struct kl_dev_mark *marks;
	size_t mark_count, mark_cap;
	struct kl_dev_chunk *chunks;
	size_t chunk_count, chunk_cap;
	struct kl_dev_handle *file; /* NULL = not open */
	bool is_new;                /* a crash may still lose the file's name */
	bool is_aside;              /* it is written beside those that it is to replace */
};

/* NULL: out of memory. Nothing is created on the disk before the first append. */
struct kl_dev_segment *kl_dev_segment_new(int64_t base);
void kl_dev_segment_free(struct kl_dev_segment *segment); /* the file stays */
static inline size_t kl_dev_segment_size(const struct kl_dev_segment *segment)
{
	return segment->bytes - segment->from;
}

/* Room for a batch of n bytes, to be filled and appended. false: out of memory. */
struct kl_dev_room {
	uint8_t *p;
	size_t n;
	struct kl_slab *slab; /* NULL: p is in a chunk */
};
bool kl_dev_segment_room(struct kl_dev_home *home, struct kl_dev_segment *segment, size_t n,
			 struct kl_dev_room *out);
/* The batch in room, as it is to be read. What fails leaves nothing behind, or the tail of a
 * file that *torn_out tells of: it must be cut before anything else is written. */
int kl_dev_segment_append(struct kl_dev_home *home, struct kl_dev_segment *segment,
			  struct kl_dev_room *room, bool *torn_out);
/* Take note of a batch at segment->bytes that is there: when scanning. false: no memory. */
bool kl_dev_segment_note(struct kl_dev_segment *segment, const struct kl_batch_head *head);
/* As if nothing was in it; the file stays. */
void kl_dev_segment_forget(struct kl_dev_segment *segment);
/* Give back the chunks of which all records are below offset. */
void kl_dev_segment_trim(struct kl_dev_segment *segment, int64_t offset);

/* The last mark at or before offset, which lies in the segment. */
const struct kl_dev_mark *kl_dev_segment_mark(const struct kl_dev_segment *segment,
					      int64_t offset);

/* Bytes [at, at + n) or as many of them as lie together; there is one at least. The slab comes
 * with a reference. */
struct kl_dev_bytes {
	struct kl_slab *slab;
	const uint8_t *p;
	size_t n;
};
int kl_dev_segment_get(struct kl_dev_home *home, struct kl_dev_segment *segment, size_t at,
		       size_t n, struct kl_dev_bytes *out);

/* --- one batch after the other --- */

struct kl_dev_cursor {
	struct kl_dev_home *home;
	struct kl_dev_segment *segment;
	size_t at, end;            /* the batch that head tells of; where to stop */
	struct kl_batch_head head;
	bool begun;
	struct kl_dev_bytes window;
	size_t window_at;
};
/* From a batch's place on. */
void kl_dev_cursor_init(struct kl_dev_cursor *cursor, struct kl_dev_home *home,
			struct kl_dev_segment *segment, size_t at);
void kl_dev_cursor_free(struct kl_dev_cursor *cursor);
/* 1 = head and at are set; 0 = the end; KL_DEV_UNREADABLE. Where there is no whole batch it is
 * KL_DEV_NO_BATCH: only a segment that is being recovered has such places. */
enum {
	KL_DEV_UNREADABLE = -1,
	KL_DEV_NO_BATCH = -2,
};
int kl_dev_cursor_next(struct kl_dev_cursor *cursor);
/* All its bytes, in the window, until the next call. */
int kl_dev_cursor_batch(struct kl_dev_cursor *cursor, const uint8_t **p_out);

#endif
