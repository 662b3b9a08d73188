/* SPDX-License-Identifier: BSD-2-Clause */
/* The data directory: one broker's at a time, all files of all logs side by side, and the
 * table of topics.
 *
 *	lock                                    held while a broker uses the directory
 *	topics                                  the table; replaced as a whole (table.c)
 *	index                                   of segments, while no broker runs (index.c)
 *	<topic id>-<partition>-<offset>.log     a segment, in Kafka's own format
 *	<...>.log.cleaned                       one that is to replace others (compact.c)
 *
 * What is appended is in the file at once and safe from a kill; what was acknowledged with
 * acks=all is on the disk and safe from a power cut. Everything happens in the broker's loop
 * but the syncs, which wait for the disk on the blocking pool.
 */
#ifndef KL_DEV_STORE_H
#define KL_DEV_STORE_H

#include <stdlib.h>

#include "broker/segment.h"
#include "core/net/loop.h"

struct klamm_broker;
struct kl_dev_log;
struct kl_dev_sync;

/* An open file, of which there are not too many. */
struct kl_dev_handle {
	struct kl_list link; /* in store->open, most recently used first */
	struct kl_dev_store *store;
	struct kl_dev_segment *segment; /* NULL: it went while the file was pinned */
	struct kl_file *file;
	unsigned pins; /* by syncs */
};

struct kl_dev_store {
	struct klamm_loop *loop;
	char *dir;
	struct kl_file *lock;
	struct kl_list open;
	size_t open_count;
	struct kl_list dirty; /* struct kl_dev_sync: with something to bring to the disk */
	struct kl_list untold; /* struct kl_dev_sync: whose waiters have to hear of it */
	struct kl_hook commit;
	struct kl_timer lazy; /* syncs what nobody waits for */
	atomic_uint running;  /* jobs on the pool */
	struct kl_gate idle;
	bool is_closing; /* no job begins any more */
	bool failing;  /* the last write failed, and the log has told so */
	bool is_stale;   /* the table is to be written again, when there is time */
	bool is_unsaved; /* it could not be written: nothing is appended before it is */
	void (*lazily)(struct kl_dev_store *store); /* writes it */
	struct klamm_broker *owner;
};

/* Takes the lock; makes the directory. SYSTEM, with the reason. */
int kl_dev_store_new(struct klamm_loop *loop, const char *dir, struct kl_dev_store **store_out,
		     struct klamm_error *err);
/* No job is running. NULL is fine. */
void kl_dev_store_free(struct kl_dev_store *store);
/* "<dir>/<name>" from malloc, NULL = out of memory. */
char *kl_dev_store_path(const struct kl_dev_store *store, const char *name);
/* Replace a file as a whole, and come back when it is on the disk: written beside, synced,
 * renamed. 0 or a negative errno. */
int kl_dev_store_put(struct kl_dev_store *store, const char *name, const void *p, size_t n);
/* Log, once until something works again, and answer KAFKA_STORAGE_ERROR. */
int kl_dev_store_failed(struct kl_dev_store *store, const char *what, const char *name,
			int rc);

/* --- files --- */

#define KL_DEV_FILE_NAME (KL_DEV_HOME_NAME + 36)
#define KL_DEV_ASIDE ".cleaned"

/* The segment's file, made when it is not there, until the next call of any of these. */
int kl_dev_store_open(struct kl_dev_home *home, struct kl_dev_segment *segment,
		      struct kl_file **file_out);
int kl_dev_store_read(struct kl_dev_store *store, struct kl_file *file, uint8_t *p, size_t n,
		      size_t at);
/* *torn_out: some of it may be there. */
int kl_dev_store_write(struct kl_dev_store *store, struct kl_file *file, const uint8_t *p,
		       size_t n, size_t at, bool *torn_out);
/* The segment ends at segment->bytes. */
int kl_dev_store_cut(struct kl_dev_home *home, struct kl_dev_segment *segment);
int kl_dev_store_sync(struct kl_dev_home *home, struct kl_dev_segment *segment);
/* A segment that was aside, and is synced, takes the place of the one of its name. Comes back
 * when that is on the disk. *placed_out: it has the place, whether or not that is safe. */
int kl_dev_store_place(struct kl_dev_home *home, struct kl_dev_segment *segment,
		       bool *placed_out);
/* Remove the file; the segment is as good as freed. */
void kl_dev_store_remove(struct kl_dev_home *home, struct kl_dev_segment *segment);
/* The segment goes, or its file is to be opened anew. NULL is fine. */
void kl_dev_handle_drop(struct kl_dev_handle *handle);
void kl_dev_handle_pin(struct kl_dev_handle *handle);
void kl_dev_handle_unpin(struct kl_dev_handle *handle);

/* Room for one more element of an array that doubles. */
bool kl_dev_grow(void **array, size_t *cap, size_t count, size_t size);

static inline void kl_dev_free_text(char **text)
{
	free(*text);
}

/* --- sync.c: bringing logs to the disk --- */

/* NULL: out of memory. synced() is called in the loop after a sync on the pool, with whether
 * it worked, when the log's own state says so already. */
struct kl_dev_sync *kl_dev_sync_new(struct kl_dev_log *log,
				    void (*synced)(struct kl_dev_log *log, bool ok));
/* Another one for the same log. NULL: out of memory. */
struct kl_dev_sync *kl_dev_sync_again(const struct kl_dev_sync *sync);
/* The log goes; a job that runs ends by itself. */
void kl_dev_sync_free(struct kl_dev_sync *sync);
/* Something was appended: at the end of this step when somebody waits for it, else soon. */
void kl_dev_sync_written(struct kl_dev_sync *sync);
/* There is nothing left of it to sync. */
void kl_dev_sync_nothing(struct kl_dev_sync *sync);
bool kl_dev_sync_runs(const struct kl_dev_sync *sync);
/* At once, in this thread, while no job runs. 0 or KAFKA_STORAGE_ERROR. */
int kl_dev_sync_now(struct kl_dev_sync *sync);
/* The table is stale: soon. */
void kl_dev_store_soon(struct kl_dev_store *store);
/* Everything that no job has in hand, in this thread: at the end. */
void kl_dev_store_sync_all(struct kl_dev_store *store);
/* Of the store's own beginning and end. */
int kl_dev_sync_begin(struct kl_dev_store *store, struct klamm_error *err);
void kl_dev_sync_end(struct kl_dev_store *store);

#endif
