/* SPDX-License-Identifier: BSD-2-Clause */
/* The log of one partition: segments, of which the last is appended to.
 *
 * Where a function returns an int that is 0 or KAFKA_STORAGE_ERROR, the disk or the memory
 * refused. Lives in the broker's loop.
 */
#ifndef KL_DEV_LOG_H
#define KL_DEV_LOG_H

#include "broker/segment.h"

struct kl_dev_sync;

/* Where a leader's epoch began (KIP-101). */
struct kl_dev_epoch {
	int32_t epoch;
	int64_t start;
};

/* When a segment is full or old enough for the next one to begin: Kafka's segment.bytes and
 * segment.ms. */
struct kl_dev_roll {
	size_t bytes;
	int64_t ms;
};
#define KL_DEV_ROLL ((struct kl_dev_roll){(size_t)1 << 30, INT64_C(604800000)})

struct kl_dev_log {
	struct kl_dev_home home;
	struct kl_dev_segment **segments; /* rising; none while nothing is in it */
	size_t segment_count, segment_cap;
	struct kl_dev_epoch *epochs;
	size_t epoch_count, epoch_cap;
	struct kl_dev_roll roll;
	int64_t start, end; /* offsets: the first record's, the next record's */
	int64_t high;       /* consumers see what is below */
	int64_t cleaned;    /* below, a compaction has left one record of each key */
	unsigned drops;     /* times that something went at the old end */
	bool resists;       /* it could not be compacted this time */

	/* Of a log with files. In memory synced is always the end. */
	int64_t synced;         /* what is below survives a crash */
	size_t synced_bytes;    /* of the last segment */
	int64_t wanted;         /* somebody waits until this is synced */
	struct kl_dev_sync *sync;
	unsigned failures;      /* syncs that failed, and with them all that was not synced */
	bool is_torn;           /* the last file may be longer than the log knows */
	bool is_lost;           /* what was not synced is to be forgotten; see recover.c */
};

void kl_dev_log_init(struct kl_dev_log *log, struct kl_slab_pool *pool);
/* Keep it in files of the store, which begin with this name. false: out of memory. */
bool kl_dev_log_keep(struct kl_dev_log *log, struct kl_dev_store *store, const char *name,
		     void (*synced)(struct kl_dev_log *log, bool ok));
/* The files stay. */
void kl_dev_log_free(struct kl_dev_log *log);
/* The same, and the files go. */
void kl_dev_log_delete(struct kl_dev_log *log);

/* A validated batch of n bytes; with stamp, its times are changed on the way. safely: its
 * producer waits until it is synced. */
struct kl_dev_stamp {
	bool append_time;
	int64_t max_timestamp;
};
struct kl_dev_append {
	const uint8_t *batch;
	size_t n;
	int32_t leader_epoch;
	const struct kl_dev_stamp *stamp; /* NULL = as it is */
	int64_t now_ms;
	bool safely;
};
int kl_dev_log_append(struct kl_dev_log *log, const struct kl_dev_append *append,
		      int64_t *base_offset_out);

/* Whole batches from the one that holds offset, which is in start..high, up to `limit`, which
 * is high or a batch's first offset below: at most max bytes that lie together; the first
 * batch even if it is larger, when asked to. */
struct kl_dev_read {
	struct kl_slab *slab; /* with a reference; NULL when n is 0 */
	const uint8_t *p;
	size_t n; /* 0 = nothing there, or nothing so small */
};
int kl_dev_log_read(struct kl_dev_log *log, int64_t offset, int64_t limit, size_t max,
		    bool at_least_one, struct kl_dev_read *out);
/* Bytes from the batch that holds offset, which is in start..high, up to such a limit, and
 * those of that batch alone. */
struct kl_dev_left {
	size_t bytes, first;
};
int kl_dev_log_left(struct kl_dev_log *log, int64_t offset, int64_t limit,
		    struct kl_dev_left *out);

/* The batch that holds offset, or the first one behind it. */
struct kl_dev_place {
	size_t segment, at, size; /* size 0: there is none */
	int64_t base;
};
int kl_dev_log_locate(struct kl_dev_log *log, int64_t offset, struct kl_dev_place *out);
/* The first offset of the batch that holds offset, or of the first one behind it, and the end
 * where there is none; never one below the start. */
int kl_dev_log_batch_at(struct kl_dev_log *log, int64_t offset, int64_t *base_out);

size_t kl_dev_log_size(const struct kl_dev_log *log);
/* Records below offset, which is in start..high, are gone. */
void kl_dev_log_trim(struct kl_dev_log *log, int64_t offset);
/* The oldest segments go, and their files; the start is behind them. */
void kl_dev_log_drop(struct kl_dev_log *log, size_t count);
/* One segment, which reaches as far, instead of those of [first, first + count), of which none
 * is the last one. It has the first one's name; with `remove`, the other files go. */
void kl_dev_log_replace(struct kl_dev_log *log, size_t first, size_t count,
			struct kl_dev_segment *segment, bool remove);
/* Cut what an append that failed may have left behind, before the next one. */
int kl_dev_log_mend(struct kl_dev_log *log);

/* A leader begins. false: out of memory. */
bool kl_dev_log_begin_epoch(struct kl_dev_log *log, int32_t epoch);
/* One that is known already stays as it is. false: out of memory. */
bool kl_dev_log_add_epoch(struct kl_dev_log *log, struct kl_dev_epoch epoch);
/* The end of an epoch: its number (or that of the last one before it) and the offset behind
 * its records; both -1 for epochs that have not been yet. */
struct kl_dev_epoch kl_dev_log_epoch_end(const struct kl_dev_log *log, int32_t epoch);
/* The epoch that wrote offset, -1 = not known. */
int32_t kl_dev_log_epoch_at(const struct kl_dev_log *log, int64_t offset);
/* The end is lower than it was. */
void kl_dev_log_cut_epochs(struct kl_dev_log *log);

/* --- truncate.c --- */

/* The batch that holds offset, which is in start..end, is gone, and all behind it. */
int kl_dev_log_truncate(struct kl_dev_log *log, int64_t offset);

/* --- log_time.c --- */

struct kl_dev_found {
	int64_t offset, timestamp; /* -1 = none */
	int32_t leader_epoch;
};
/* The first record with this timestamp or a later one; and the first of the newest. Inside a
 * compressed batch, which is not opened, the batch stands for its records. */
int kl_dev_log_find_time(struct kl_dev_log *log, int64_t timestamp,
			 struct kl_dev_found *found_out);
int kl_dev_log_find_newest(struct kl_dev_log *log, struct kl_dev_found *found_out);

/* --- recover.c --- */

/* What a recovery sees, in the order of the log: each batch's head, and of control batches all
 * of it (else NULL). false: out of memory. */
typedef bool (*kl_dev_seen_fn)(void *arg, const struct kl_batch_head *head,
			       const uint8_t *control);

/* Add a segment that a file of this size holds; it is read from the first to the last batch.
 * What is behind the last good one is cut: *cut_out tells how much. With `check`, CRCs are
 * looked at, too: for the last segment, the only one that a crash can have damaged. */
int kl_dev_log_recover(struct kl_dev_log *log, int64_t base, size_t size, bool check,
		       kl_dev_seen_fn seen, void *arg, size_t *cut_out);
/* A segment of an earlier life comes behind the others, and is filled in afterwards. false:
 * out of memory. */
bool kl_dev_log_adopt(struct kl_dev_log *log, struct kl_dev_segment *segment);
/* They are all there: the log ends with the last one. */
void kl_dev_log_adopted(struct kl_dev_log *log);
/* Every whole batch of the log, in order, with its bytes. 0, KAFKA_STORAGE_ERROR, or what is
 * returned by the first fn() that is not 0. */
int kl_dev_log_walk(struct kl_dev_log *log,
		    int (*fn)(void *arg, const struct kl_batch_head *head, const uint8_t *p),
		    void *arg);
/* After a sync that failed: forget what was not synced, and read the rest again. */
int kl_dev_log_repair(struct kl_dev_log *log, kl_dev_seen_fn seen, void *arg);

#endif
