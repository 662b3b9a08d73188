/* SPDX-License-Identifier: BSD-2-Clause */
/* The log of one partition: batches in memory, in chunks that are only appended to.
 *
 * A read is a reference to bytes where they lie; whoever keeps them takes a reference on the
 * slab, and appending goes on behind them. Lives in the broker's loop.
 */
#ifndef KL_DEV_LOG_H
#define KL_DEV_LOG_H

#include "core/base/slab.h"

struct kl_dev_chunk {
	struct kl_slab *slab;
	size_t len;
	uint64_t first_byte; /* its place in the whole log */
};

/* A sparse index: an entry for each run of some KiB of batches, and one at least per chunk. */
struct kl_dev_mark {
	int64_t offset; /* the run begins with this one, */
	uint32_t chunk; /* here: number of the chunk since the log was made, */
	uint32_t at;    /* and place in it */
	int64_t newest; /* timestamp in the run */
};

/* Where a leader's epoch began (KIP-101). */
struct kl_dev_epoch {
	int32_t epoch;
	int64_t start;
};

struct kl_dev_log {
	struct kl_slab_pool *pool; /* borrowed; its budget is the broker's */
	struct kl_dev_chunk *chunks;
	size_t chunk_count, chunk_cap;
	uint32_t dropped; /* chunks that are gone from the front */
	struct kl_dev_mark *marks;
	size_t mark_count, mark_cap;
	struct kl_dev_epoch *epochs;
	size_t epoch_count, epoch_cap;
	int64_t start, end; /* offsets: the first record's, the next record's */
	uint64_t bytes;     /* appended in all its life */
};

void kl_dev_log_init(struct kl_dev_log *log, struct kl_slab_pool *pool);
void kl_dev_log_free(struct kl_dev_log *log);

/* A validated batch of n bytes; with stamp, its times are changed on the way. 0, or
 * KAFKA_STORAGE_ERROR when the memory is used up. */
struct kl_dev_stamp {
	bool append_time;
	int64_t max_timestamp;
};
int kl_dev_log_append(struct kl_dev_log *log, const uint8_t *batch, size_t n,
		      int32_t leader_epoch, const struct kl_dev_stamp *stamp,
		      int64_t *base_offset_out);

/* Whole batches from the one that holds offset, which is in start..end: at most max bytes of
 * one chunk; the first one even if it is larger, when asked to. */
struct kl_dev_read {
	struct kl_slab *slab; /* borrowed */
	const uint8_t *p;
	size_t n;           /* 0 = nothing there, or nothing so small */
	uint64_t available; /* bytes from there to the end of the log */
};
void kl_dev_log_read(const struct kl_dev_log *log, int64_t offset, size_t max,
		     bool at_least_one, struct kl_dev_read *out);

/* Records below offset, which is in start..end, are gone. */
void kl_dev_log_trim(struct kl_dev_log *log, int64_t offset);

/* A leader begins. false: out of memory. */
bool kl_dev_log_begin_epoch(struct kl_dev_log *log, int32_t epoch);
/* The end of an epoch: its number (or that of the last one before it) and the offset behind
 * its records; both -1 for epochs that have not been yet. */
struct kl_dev_epoch kl_dev_log_epoch_end(const struct kl_dev_log *log, int32_t epoch);
/* The epoch that wrote offset, -1 = not known. */
int32_t kl_dev_log_epoch_at(const struct kl_dev_log *log, int64_t offset);

/* --- log_time.c --- */

struct kl_dev_found {
	int64_t offset, timestamp; /* -1 = none */
	int32_t leader_epoch;
};
/* The first record with this timestamp or a later one; and the first of the newest. Inside a
 * compressed batch, which is not opened, the batch stands for its records. */
struct kl_dev_found kl_dev_log_find_time(const struct kl_dev_log *log, int64_t timestamp);
struct kl_dev_found kl_dev_log_find_newest(const struct kl_dev_log *log);

#endif
