/* SPDX-License-Identifier: BSD-2-Clause */
/* Compaction, as Kafka's LogCleaner does it: the log with the largest part that was never
 * cleaned comes first; what its keys' latest offsets are is learned from that part; then all
 * segments up to there are written again without what is superseded, several small ones as
 * one.
 *
 * It goes in steps of a few batches, between which the broker serves its clients, and one log
 * at a time. A new segment is written aside, synced, and put in the place of the first one
 * that it replaces by a rename, which a crash cannot tear. It keeps the head of the last batch
 * that was there, so that it reaches as far as those that it replaces: any of them that a
 * crash leaves behind begins inside of it, and goes at the next start. */
#include "broker/compact.h"

#include <stdlib.h>

#include "broker/dirty.h"
#include "broker/rewrite.h"
#include "broker/store.h"

/* Bytes of a log that one step works on. */
#define STEP ((size_t)256 << 10)

enum phase {
	IDLE,
	LEARN,
	WRITE,
	SYNC, /* the pool has the new segment */
};

struct kl_dev_compaction {
	struct klamm_broker *broker;
	struct kl_timer timer;
	enum phase phase;
	struct kl_dev_rewrite rewrite;

	/* The log at hand; it may go, or lose segments, between two steps. */
	struct klamm_uuid topic;
	int32_t index;
	unsigned drops;
	struct kl_dev_home home;
	struct kl_dev_dirty range;

	size_t at; /* the segment that is read */
	struct kl_dev_cursor cursor;

	size_t first, count;        /* segments that are made one */
	struct kl_dev_segment *out; /* that one; NULL = not begun */
	bool is_changed;
	struct kl_job job;
	struct kl_dev_handle *handle; /* of the job */
	int rc;
};

/* --- beginning and end of one --- */

static void go_on(struct kl_dev_compaction *c, int64_t after)
{
	kl_timer_set(c->broker->loop, &c->timer, c->broker->loop->now + after);
}

/* NULL: it is not what it was. */
static struct kl_dev_partition *at_hand(const struct kl_dev_compaction *c)
{
	struct kl_dev_partition *partition =
		kl_dev_partition(kl_dev_topic_with_id(c->broker, &c->topic), c->index);
	return partition != NULL && partition->log.drops == c->drops ? partition : NULL;
}

static void drop_out(struct kl_dev_compaction *c)
{
	if (c->out != NULL && c->home.store != NULL)
		kl_dev_store_remove(&c->home, c->out);
	kl_dev_segment_free(c->out);
	c->out = NULL;
}

static void leave(struct kl_dev_compaction *c)
{
	kl_dev_cursor_free(&c->cursor);
	drop_out(c);
	kl_dev_rewrite_free(&c->rewrite);
	c->phase = IDLE;
	go_on(c, 0);
}

static void read_segment(struct kl_dev_compaction *c, const struct kl_dev_log *log, size_t i)
{
	kl_dev_cursor_free(&c->cursor);
	c->at = i;
	kl_dev_cursor_init(&c->cursor, &c->home, log->segments[i], log->segments[i]->from);
}

/* false: out of memory. */
static bool begin(struct kl_dev_compaction *c, struct kl_dev_partition *partition,
		  const struct kl_dev_dirty *range, int64_t now_ms)
{
	struct kl_dev_log *log = &partition->log;
	c->topic = partition->topic->id;
	c->index = partition->index;
	c->drops = log->drops;
	c->home = log->home;
	c->range = *range;
	c->rewrite = (struct kl_dev_rewrite){
		.broker = c->broker,
		.now_ms = now_ms,
		.delete_retention_ms =
			partition->topic->settings.config.delete_retention_ms,
	};
	kl_dev_keys_init(&c->rewrite.keys, (size_t)c->broker->limits.cleaner_keys);
	size_t first = 0;
	while (log->segments[first]->end <= range->dirty)
		first++;
	read_segment(c, log, first);
	c->phase = LEARN;
	return kl_dev_remains_begin(&c->rewrite.remains, &partition->producers,
				    kl_max(range->dirty, 1));
}

static void finish(struct kl_dev_compaction *c, struct kl_dev_partition *partition)
{
	partition->log.cleaned = c->rewrite.keys.latest + 1;
	kl_log(&c->broker->loop->log, KL_LOG_DEBUG, "broker",
	       "topic %s partition %d: compacted below offset %lld, %zu bytes are left",
	       partition->topic->name, (int)partition->index,
	       (long long)partition->log.cleaned, kl_dev_log_size(&partition->log));
	leave(c);
}

static void fail(struct kl_dev_compaction *c, struct kl_dev_partition *partition)
{
	kl_log(&c->broker->loop->log, KL_LOG_WARN, "broker",
	       "topic %s partition %d: not compacted, the disk or the memory refused; it is "
	       "tried again",
	       partition->topic->name, (int)partition->index);
	partition->log.resists = true;
	leave(c);
}

/* The next batch of the segment: 1, 0 = there is none, or KAFKA_STORAGE_ERROR. */
static int next_batch(struct kl_dev_compaction *c, const uint8_t **p_out)
{
	int more = kl_dev_cursor_next(&c->cursor);
	if (more == 0)
		return 0;
	if (more < 0 || kl_dev_cursor_batch(&c->cursor, p_out) != 0)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	return 1;
}

/* --- learning the keys --- */

static int begin_writing(struct kl_dev_compaction *c)
{
	struct kl_dev_remains *remains = &c->rewrite.remains;
	if (c->rewrite.keys.latest < c->range.dirty || /* not one key */
	    !kl_dev_remains_begin(remains, remains->producers, 0))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	c->phase = WRITE;
	c->first = 0;
	return 0;
}

/* Offsets that are missing behind the last batch are learned, too. */
static int learn_next(struct kl_dev_compaction *c, const struct kl_dev_log *log)
{
	struct kl_dev_keys *keys = &c->rewrite.keys;
	keys->latest = kl_max(keys->latest, log->segments[c->at + 1]->base - 1);
	if (c->at + 1 == c->range.count)
		return begin_writing(c);
	read_segment(c, log, c->at + 1);
	return 0;
}

static int learn(struct kl_dev_compaction *c, const struct kl_dev_log *log)
{
	for (size_t n = 0; n < STEP; n += kl_batch_size(&c->cursor.head)) {
		const uint8_t *p;
		int rc = next_batch(c, &p);
		if (rc == 0)
			return learn_next(c, log);
		if (rc != 1)
			return rc;
		rc = kl_dev_rewrite_learn(&c->rewrite, p, &c->cursor.head, c->range.dirty);
		if (rc == KL_DEV_FULL)
			return begin_writing(c);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* --- writing --- */

/* As many segments as make one together. */
static size_t count_group(const struct kl_dev_compaction *c, const struct kl_dev_log *log,
			  size_t limit)
{
	size_t first = c->first, n = 1, bytes = kl_dev_segment_size(log->segments[first]);
	for (; first + n < c->range.count; n++) {
		const struct kl_dev_segment *next = log->segments[first + n];
		bytes += kl_dev_segment_size(next);
		if (next->base > c->rewrite.keys.latest || bytes > limit ||
		    next->end - log->segments[first]->base > INT32_MAX)
			break;
	}
	return n;
}

static int begin_group(struct kl_dev_compaction *c, struct kl_dev_partition *partition)
{
	struct kl_dev_log *log = &partition->log;
	size_t limit = (size_t)partition->topic->settings.config.segment_bytes;
	c->count = count_group(c, log, limit);
	c->is_changed = c->count > 1;
	c->out = kl_dev_segment_new(log->segments[c->first]->base);
	if (c->out == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	c->out->is_aside = c->home.store != NULL;
	c->out->begun_ms = log->segments[c->first + c->count - 1]->begun_ms;
	read_segment(c, log, c->first);
	return 0;
}

static int put(struct kl_dev_compaction *c, const uint8_t *p, size_t n)
{
	struct kl_dev_room room;
	bool torn;
	if (!kl_dev_segment_room(&c->home, c->out, n, &room))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	memcpy(room.p, p, n);
	return kl_dev_segment_append(&c->home, c->out, &room, &torn);
}

/* Its head is needed: nothing else tells how far the segment reaches, or how far the producer
 * has counted. */
static bool keeps_head(const struct kl_dev_compaction *c,
		       const struct kl_dev_partition *partition)
{
	const struct kl_batch_head *head = &c->cursor.head;
	const struct kl_dev_log *log = &partition->log;
	int64_t next = kl_batch_next_offset(head);
	if (next == log->segments[c->first + c->count - 1]->end)
		return true;
	const struct kl_dev_producer *producer =
		kl_dev_producer_find(&partition->producers, head->producer_id);
	if (producer == NULL)
		return false;
	int64_t last = kl_dev_producer_last(producer);
	return last >= 0 ? next - 1 == last
			 : (head->attributes & KL_ATTR_CONTROL) &&
				   head->producer_epoch == producer->epoch;
}

static int write_batch(struct kl_dev_compaction *c, const struct kl_dev_partition *partition,
		       const uint8_t *p)
{
	const struct kl_batch_head *head = &c->cursor.head;
	switch (kl_dev_rewrite_batch(&c->rewrite, p, head, keeps_head(c, partition))) {
	case KL_DEV_KEPT:
		return put(c, p, kl_batch_size(head));
	case KL_DEV_CHANGED:
		c->is_changed = true;
		return put(c, c->rewrite.batch.data, c->rewrite.batch.len);
	case KL_DEV_GONE:
		c->is_changed = true;
		return 0;
	default:
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	}
}

/* The new segment takes the place of the others. */
static int place(struct kl_dev_compaction *c, struct kl_dev_log *log)
{
	bool placed = true;
	int rc = c->home.store != NULL ? kl_dev_store_place(&c->home, c->out, &placed) : 0;
	if (!placed)
		return rc;
	c->out->is_new = false;
	/* While a crash can undo the rename, the others are needed. */
	kl_dev_log_replace(log, c->first, c->count, c->out, rc == 0);
	c->range.count -= c->count - 1;
	c->out = NULL;
	c->first++;
	return rc;
}

static int begin_sync(struct kl_dev_compaction *c)
{
	struct kl_dev_store *store = c->home.store;
	if (store->is_closing)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	/* What an earlier life left aside under this name may be longer. */
	int rc = kl_dev_store_cut(&c->home, c->out);
	if (rc != 0)
		return rc;
	c->handle = c->out->file;
	c->phase = SYNC;
	store->running++;
	kl_dev_handle_pin(c->handle);
	kl_pool_submit(&store->loop->blocking, &c->job);
	return 0;
}

static int end_group(struct kl_dev_compaction *c, struct kl_dev_log *log)
{
	kl_dev_cursor_free(&c->cursor);
	if (!c->is_changed) {
		drop_out(c);
		c->first++;
		return 0;
	}
	return c->home.store != NULL ? begin_sync(c) : place(c, log);
}

static int write_some(struct kl_dev_compaction *c, struct kl_dev_partition *partition)
{
	struct kl_dev_log *log = &partition->log;
	int rc = c->out == NULL ? begin_group(c, partition) : 0;
	for (size_t n = 0; rc == 0 && n < STEP; n += kl_batch_size(&c->cursor.head)) {
		const uint8_t *p;
		rc = next_batch(c, &p);
		if (rc == 1)
			rc = write_batch(c, partition, p);
		else if (rc != 0)
			return rc;
		else if (c->at + 1 < c->first + c->count)
			read_segment(c, log, c->at + 1);
		else
			return end_group(c, log);
	}
	return rc;
}

static bool is_written(const struct kl_dev_compaction *c, const struct kl_dev_log *log)
{
	return c->first == c->range.count ||
	       log->segments[c->first]->base > c->rewrite.keys.latest;
}

static void run(struct kl_job *job, unsigned index)
{
	struct kl_dev_compaction *c = kl_container(job, struct kl_dev_compaction, job);
	c->rc = c->broker->loop->os->file_sync(c->handle->file);
}

static void done(struct kl_job *job)
{
	struct kl_dev_compaction *c = kl_container(job, struct kl_dev_compaction, job);
	struct kl_dev_store *store = c->home.store;
	struct kl_dev_partition *partition = at_hand(c);
	kl_dev_handle_unpin(c->handle);
	store->running--;
	c->phase = WRITE;
	if (partition == NULL)
		leave(c);
	else if (c->rc != 0 || place(c, &partition->log) != 0)
		fail(c, partition);
	else
		go_on(c, 0);
	kl_gate_wake(store->loop->os, &store->idle);
}

/* --- when --- */

static void begin_next(struct kl_dev_compaction *c)
{
	struct klamm_broker *broker = c->broker;
	int64_t now_ms = broker->loop->os->wall_ms(broker->loop->os);
	struct kl_dev_dirty range;
	struct kl_dev_partition *partition = kl_dev_dirtiest(broker, now_ms, &range);
	if (partition != NULL) {
		if (begin(c, partition, &range, now_ms))
			go_on(c, 0);
		else
			fail(c, partition);
		return;
	}
	kl_dev_dirty_forgive(broker);
	go_on(c, broker->limits.cleaner_backoff_ms * KL_MS);
}

static void step(struct kl_timer *timer)
{
	struct kl_dev_compaction *c = kl_container(timer, struct kl_dev_compaction, timer);
	if (c->phase == IDLE) {
		begin_next(c);
		return;
	}
	struct kl_dev_partition *partition = at_hand(c);
	if (partition == NULL) {
		leave(c);
		return;
	}
	int rc;
	if (c->phase == LEARN)
		rc = learn(c, &partition->log);
	else if (!is_written(c, &partition->log))
		rc = write_some(c, partition);
	else {
		finish(c, partition);
		return;
	}
	if (rc != 0)
		fail(c, partition);
	else if (c->phase != SYNC)
		go_on(c, 0);
}

int kl_dev_compaction_begin(struct klamm_broker *broker, struct klamm_error *err)
{
	struct kl_dev_compaction *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	c->broker = broker;
	c->job.run = run;
	c->job.done = done;
	kl_list_init(&c->job.link);
	int rc = kl_timer_init(broker->loop, &c->timer, step, err);
	if (rc != 0) {
		free(c);
		return rc;
	}
	broker->compaction = c;
	go_on(c, broker->limits.cleaner_backoff_ms * KL_MS);
	return 0;
}

void kl_dev_compaction_end(struct klamm_broker *broker)
{
	struct kl_dev_compaction *c = broker->compaction;
	if (c == NULL)
		return;
	leave(c);
	kl_timer_drop(broker->loop, &c->timer);
	free(c);
	broker->compaction = NULL;
}
