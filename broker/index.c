/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers are big-endian, lists begin with their length:
 *	"klammix1", and of each log:
 *	topic id 16, partition 4, cleaned 8,
 *	segments 4, and each: base 8, end 8, bytes 8, newest 8, first time 8, begun 8,
 *		marks 4, and each: offset 8, place 8, newest 8
 *	what is known of producers (producers_save.c)
 *	CRC-32C of all that, 4
 * A log without segments is not in it. */
#include "broker/index.h"

#include <stdlib.h>

#include "broker/store.h"
#include "core/base/crc32c.h"

#define MAGIC	  "klammix1"
#define MAGIC_LEN 8
#define INDEX	  "index"
#define INDEX_MAX ((size_t)256 << 20)
#define SEGMENT_MIN 52
#define MARK_SIZE 24

/* --- save --- */

static void put_segment(struct kl_buf *b, const struct kl_dev_segment *segment)
{
	kl_buf_i64(b, segment->base);
	kl_buf_i64(b, segment->end);
	kl_buf_i64(b, (int64_t)segment->bytes);
	kl_buf_i64(b, segment->newest);
	kl_buf_i64(b, segment->first_time);
	kl_buf_i64(b, segment->begun_ms);
	kl_buf_i32(b, (int32_t)segment->mark_count);
	for (size_t i = 0; i < segment->mark_count; i++) {
		kl_buf_i64(b, segment->marks[i].offset);
		kl_buf_i64(b, (int64_t)segment->marks[i].at);
		kl_buf_i64(b, segment->marks[i].newest);
	}
}

/* An empty last segment may have no file. */
static size_t count_segments(const struct kl_dev_log *log)
{
	size_t n = log->segment_count;
	return n > 0 && log->segments[n - 1]->bytes == 0 ? n - 1 : n;
}

static bool is_safe(const struct kl_dev_log *log)
{
	return !log->is_lost && !log->is_torn && log->synced == log->end &&
	       !kl_dev_sync_runs(log->sync);
}

static void put_log(struct kl_buf *b, const struct kl_dev_partition *partition)
{
	const struct kl_dev_log *log = &partition->log;
	size_t n = count_segments(log);
	if (n == 0 || !is_safe(log))
		return;
	kl_buf_put(b, partition->topic->id.bytes, sizeof(partition->topic->id.bytes));
	kl_buf_i32(b, partition->index);
	kl_buf_i64(b, log->cleaned);
	kl_buf_i32(b, (int32_t)n);
	for (size_t i = 0; i < n; i++)
		put_segment(b, log->segments[i]);
	kl_dev_producers_put(b, &partition->producers);
}

void kl_dev_index_save(struct klamm_broker *broker)
{
	struct kl_buf b = {.max = INDEX_MAX};
	kl_buf_put(&b, MAGIC, MAGIC_LEN);
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
		for (int32_t i = 0; i < topic->partition_count; i++)
			put_log(&b, topic->partitions[i]);
	kl_buf_i32(&b, (int32_t)kl_crc32c(0, b.data, b.failed ? 0 : b.len));
	/* Without it the next start takes longer, and that is all. */
	if (!b.failed)
		kl_dev_store_put(broker->store, INDEX, b.data, b.len);
	kl_buf_free(&b);
}

void kl_dev_index_drop(struct klamm_broker *broker)
{
	struct kl_os *os = broker->loop->os;
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(broker->store, INDEX);
	if (path != NULL)
		os->file_unlink(os, path);
}

/* --- load --- */

static size_t get_count(struct kl_reader *r, size_t smallest)
{
	int32_t n = kl_read_i32(r);
	if (n < 0 || (size_t)n > kl_reader_left(r) / smallest)
		r->failed = true;
	return r->failed ? 0 : (size_t)n;
}

/* They rise, and lie in the segment. */
static bool get_marks(struct kl_reader *r, struct kl_dev_segment *segment)
{
	size_t n = get_count(r, MARK_SIZE);
	segment->marks = n > 0 ? reallocarray(NULL, n, sizeof(*segment->marks)) : NULL;
	if (segment->marks == NULL)
		return false;
	segment->mark_count = segment->mark_cap = n;
	for (size_t i = 0; i < n; i++) {
		struct kl_dev_mark *mark = &segment->marks[i];
		mark->offset = kl_read_i64(r);
		mark->at = (size_t)kl_read_i64(r);
		mark->newest = kl_read_i64(r);
		bool rises = i == 0 ? mark->at == 0 && mark->offset >= segment->base
				    : mark->at > mark[-1].at && mark->offset > mark[-1].offset;
		if (!rises || mark->at >= segment->bytes || mark->offset >= segment->end)
			return false;
	}
	return !r->failed;
}

static bool get_segment(struct kl_reader *r, struct kl_dev_log *log)
{
	struct kl_dev_segment *segment = kl_dev_segment_new(kl_read_i64(r));
	if (segment == NULL || !kl_dev_log_adopt(log, segment)) {
		kl_dev_segment_free(segment);
		return false;
	}
	segment->end = kl_read_i64(r);
	int64_t bytes = kl_read_i64(r);
	segment->bytes = (size_t)bytes;
	segment->newest = kl_read_i64(r);
	segment->first_time = kl_read_i64(r);
	segment->begun_ms = kl_read_i64(r);
	return bytes >= 0 && (int64_t)segment->bytes == bytes && get_marks(r, segment);
}

/* false: the rest cannot be used. */
static bool get_log(struct klamm_broker *broker, struct kl_reader *r)
{
	struct klamm_uuid id;
	const uint8_t *p = kl_read(r, sizeof(id.bytes));
	if (p == NULL)
		return false;
	memcpy(id.bytes, p, sizeof(id.bytes));
	struct kl_dev_partition *partition =
		kl_dev_partition(kl_dev_topic_with_id(broker, &id), kl_read_i32(r));
	if (partition == NULL || partition->log.segment_count > 0)
		return false;
	struct kl_dev_log *log = &partition->log;
	log->cleaned = kl_read_i64(r);
	bool ok = true;
	for (size_t n = get_count(r, SEGMENT_MIN); ok && n > 0; n--)
		ok = get_segment(r, log);
	ok = ok && kl_dev_producers_get(r, &partition->producers);
	if (!ok)
		kl_dev_partition_forget(partition);
	return ok;
}

void kl_dev_index_load(struct klamm_broker *broker)
{
	struct kl_dev_store *store = broker->store;
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(store, INDEX);
	KL_AUTO(kl_dev_free_text) char *data = NULL;
	size_t n;
	if (path == NULL ||
	    kl_os_read_file(store->loop->os, path, INDEX_MAX, &data, &n) != 0 ||
	    n < MAGIC_LEN + 4 || memcmp(data, MAGIC, MAGIC_LEN) != 0 ||
	    kl_crc32c(0, data, n - 4) != kl_load_u32(data + n - 4))
		return;
	struct kl_reader r = kl_reader(data + MAGIC_LEN, n - MAGIC_LEN - 4);
	while (kl_reader_left(&r) > 0 && get_log(broker, &r))
		;
}
