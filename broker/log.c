/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/log.h"

#include <stdlib.h>

#include <klamm/error.h>

#include "core/record/batch_write.h"

/* Chunks double from the first size to the last, so that neither a thousand small logs nor
 * one large one waste much. A larger batch has a chunk of its own. */
#define CHUNK_FIRST ((size_t)KL_SLAB_MIN)
#define CHUNK_LAST ((size_t)4 << 20)
/* Bytes between two marks: what a look-up reads through at most. */
#define MARK_EVERY 16384

void kl_dev_log_init(struct kl_dev_log *log, struct kl_slab_pool *pool)
{
	*log = (struct kl_dev_log){.pool = pool};
}

void kl_dev_log_free(struct kl_dev_log *log)
{
	for (size_t i = 0; i < log->chunk_count; i++)
		kl_slab_unref(log->chunks[i].slab);
	free(log->chunks);
	free(log->marks);
	free(log->epochs);
	*log = (struct kl_dev_log){.pool = log->pool};
}

/* Room for one more element. */
static bool grow(void **array, size_t *cap, size_t count, size_t size)
{
	if (count < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 4;
	void *p = reallocarray(*array, more, size);
	if (p == NULL)
		return false;
	*array = p;
	*cap = more;
	return true;
}

static size_t batch_size(const uint8_t *p)
{
	return KL_BATCH_OVERHEAD + (size_t)kl_load_u32(p + KL_BATCH_LENGTH);
}

static int64_t batch_next(const uint8_t *p)
{
	return (int64_t)kl_load_u64(p) +
	       (int32_t)kl_load_u32(p + KL_BATCH_LAST_OFFSET_DELTA) + 1;
}

/* --- append --- */

/* The chunk that takes n more bytes. NULL: no memory. */
static struct kl_dev_chunk *room(struct kl_dev_log *log, size_t n)
{
	size_t size = CHUNK_FIRST;
	if (log->chunk_count > 0) {
		struct kl_dev_chunk *last = &log->chunks[log->chunk_count - 1];
		if (n <= last->slab->cap - last->len)
			return last;
		size = kl_max(CHUNK_FIRST, kl_min(last->slab->cap * 2, CHUNK_LAST));
	}
	if (!grow((void **)&log->chunks, &log->chunk_cap, log->chunk_count,
		  sizeof(*log->chunks)))
		return NULL;
	struct kl_slab *slab = kl_slab_get(log->pool, kl_max(size, n));
	if (slab == NULL)
		return NULL;
	struct kl_dev_chunk *chunk = &log->chunks[log->chunk_count++];
	*chunk = (struct kl_dev_chunk){.slab = slab, .first_byte = log->bytes};
	return chunk;
}

/* The mark that covers the batch to come, which begins at chunk->len. There is room for it. */
static struct kl_dev_mark *mark(struct kl_dev_log *log, const struct kl_dev_chunk *chunk)
{
	uint32_t number = log->dropped + (uint32_t)(chunk - log->chunks);
	if (log->mark_count > 0) {
		struct kl_dev_mark *last = &log->marks[log->mark_count - 1];
		if (last->chunk == number && chunk->len - last->at < MARK_EVERY)
			return last;
	}
	struct kl_dev_mark *next = &log->marks[log->mark_count++];
	*next = (struct kl_dev_mark){
		.offset = log->end,
		.chunk = number,
		.at = (uint32_t)chunk->len,
		.newest = INT64_MIN,
	};
	return next;
}

int kl_dev_log_append(struct kl_dev_log *log, const uint8_t *batch, size_t n,
		      int32_t leader_epoch, const struct kl_dev_stamp *stamp,
		      int64_t *base_offset_out)
{
	struct kl_dev_chunk *chunk = NULL;
	if (grow((void **)&log->marks, &log->mark_cap, log->mark_count,
		 sizeof(*log->marks)))
		chunk = room(log, n);
	if (chunk == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	struct kl_dev_mark *run = mark(log, chunk);
	uint8_t *p = chunk->slab->data + chunk->len;
	memcpy(p, batch, n);
	kl_batch_place(p, log->end, leader_epoch);
	if (stamp != NULL)
		kl_batch_set_time(p, stamp->append_time, stamp->max_timestamp);
	run->newest =
		kl_max(run->newest, (int64_t)kl_load_u64(p + KL_BATCH_MAX_TIMESTAMP));
	*base_offset_out = log->end;
	log->end = batch_next(p);
	log->bytes += n;
	chunk->len += n;
	return 0;
}

/* --- read --- */

/* The last mark at or before offset. */
static const struct kl_dev_mark *mark_of(const struct kl_dev_log *log, int64_t offset)
{
	size_t low = 0, high = log->mark_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (log->marks[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return &log->marks[low];
}

/* The end of the last batch that ends at or before `limit`, counted from a batch at `from`;
 * marks shorten the way. */
static size_t last_end(const struct kl_dev_log *log, const struct kl_dev_mark *run,
		       const uint8_t *data, size_t from, size_t limit)
{
	const struct kl_dev_mark *end = log->marks + log->mark_count;
	for (const struct kl_dev_mark *m = run + 1;
	     m < end && m->chunk == run->chunk && m->at <= limit; m++)
		from = m->at;
	while (from + batch_size(data + from) <= limit)
		from += batch_size(data + from);
	return from;
}

void kl_dev_log_read(const struct kl_dev_log *log, int64_t offset, size_t max,
		     bool at_least_one, struct kl_dev_read *out)
{
	*out = (struct kl_dev_read){0};
	if (offset >= log->end)
		return;
	const struct kl_dev_mark *run = mark_of(log, offset);
	const struct kl_dev_chunk *chunk = &log->chunks[run->chunk - log->dropped];
	const uint8_t *data = chunk->slab->data;
	size_t at = run->at;
	while (batch_next(data + at) <= offset)
		at += batch_size(data + at);
	size_t n = chunk->len - at;
	if (n > max)
		n = last_end(log, run, data, at, at + max) - at;
	if (n == 0 && at_least_one)
		n = batch_size(data + at);
	*out = (struct kl_dev_read){
		.slab = chunk->slab,
		.p = data + at,
		.n = n,
		.available = log->bytes - chunk->first_byte - at,
	};
}

/* The run of the first mark begins with the batch that holds the start. */
static void trim_first_run(struct kl_dev_log *log)
{
	struct kl_dev_mark *run = &log->marks[0];
	const uint8_t *p = log->chunks[0].slab->data;
	int64_t end = log->mark_count > 1 ? log->marks[1].offset : log->end;
	while (batch_next(p + run->at) <= log->start)
		run->at += (uint32_t)batch_size(p + run->at);
	p += run->at;
	run->offset = (int64_t)kl_load_u64(p);
	run->newest = INT64_MIN;
	for (;; p += batch_size(p)) {
		int64_t newest = (int64_t)kl_load_u64(p + KL_BATCH_MAX_TIMESTAMP);
		run->newest = kl_max(run->newest, newest);
		if (batch_next(p) >= end)
			return;
	}
}

void kl_dev_log_trim(struct kl_dev_log *log, int64_t offset)
{
	log->start = kl_max(log->start, offset);
	/* A mark is not needed any more when the next one is at or before the start, and a
	 * chunk when no mark points into it. */
	size_t marks = 0;
	while (marks < log->mark_count &&
	       (marks + 1 < log->mark_count ? log->marks[marks + 1].offset : log->end) <=
		       log->start)
		marks++;
	bool all = marks == log->mark_count;
	size_t chunks = all ? log->chunk_count : log->marks[marks].chunk - log->dropped;
	for (size_t i = 0; i < chunks; i++)
		kl_slab_unref(log->chunks[i].slab);
	log->chunk_count -= chunks;
	log->mark_count -= marks;
	log->dropped += (uint32_t)chunks;
	if (chunks > 0)
		memmove(log->chunks, log->chunks + chunks,
			log->chunk_count * sizeof(*log->chunks));
	if (marks > 0)
		memmove(log->marks, log->marks + marks,
			log->mark_count * sizeof(*log->marks));
	if (!all)
		trim_first_run(log);
}

/* --- epochs --- */

bool kl_dev_log_begin_epoch(struct kl_dev_log *log, int32_t epoch)
{
	/* A leader that wrote nothing leaves no trace. */
	while (log->epoch_count > 0 &&
	       log->epochs[log->epoch_count - 1].start >= log->end)
		log->epoch_count--;
	if (!grow((void **)&log->epochs, &log->epoch_cap, log->epoch_count,
		  sizeof(*log->epochs)))
		return false;
	log->epochs[log->epoch_count++] = (struct kl_dev_epoch){epoch, log->end};
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
