/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing logs to the disk. All that a step of the loop appended to a log is one sync,
 * on the blocking pool; what is appended meanwhile is the next one. What nobody waits
 * for (acks=0 and 1) goes with it, or by a timer. */
#include "broker/log.h"
#include "broker/store.h"

/* What a power cut may take of records that were acknowledged with acks=1. */
#define LAZY (1 * (int64_t)KL_SECOND)

struct kl_dev_sync {
	struct kl_job job;
	struct kl_list link; /* in store->dirty */
	struct kl_list told; /* in store->untold */
	struct kl_dev_store *store;
	struct kl_dev_log *log; /* NULL: it went while the job ran */
	void (*synced)(struct kl_dev_log *log, bool ok);
	bool runs;

	/* Of the job. */
	struct kl_dev_handle *handle;
	bool with_dir;
	int64_t end;
	size_t bytes;
	int rc;
};

static struct kl_dev_segment *last_segment(const struct kl_dev_log *log)
{
	return log->segments[log->segment_count - 1];
}

/* --- one sync --- */

static int sync_file(struct kl_dev_store *store, struct kl_file *file, bool with_dir)
{
	struct kl_os *os = store->loop->os;
	int rc = os->file_sync(file);
	if (rc == 0 && with_dir)
		rc = os->dir_sync(os, store->dir);
	return rc;
}

/* The outcome of a sync of everything below end, which lies in the last segment. */
static void settle(struct kl_dev_sync *sync, int64_t end, size_t bytes, int rc)
{
	struct kl_dev_log *log = sync->log;
	if (rc < 0) {
		/* The system may have dropped what it could not write and call it
		 * clean: nothing that was not synced is believed any more. */
		kl_dev_store_failed(sync->store, "sync", log->home.name, rc);
		log->failures++;
		log->is_lost = true;
		log->high = kl_min(log->high, log->synced);
		kl_list_remove(&sync->link);
		return;
	}
	last_segment(log)->is_new = false;
	log->synced = end;
	log->synced_bytes = bytes;
	log->high = kl_max(log->high, log->wanted <= end ? log->end : end);
	if (log->synced == log->end)
		kl_list_remove(&sync->link);
	else if (log->wanted > end)
		kl_hook_add(sync->store->loop, &sync->store->commit);
}

int kl_dev_sync_now(struct kl_dev_sync *sync)
{
	struct kl_dev_log *log = sync->log;
	if (log->synced == log->end)
		return 0;
	struct kl_dev_segment *last = last_segment(log);
	struct kl_file *file;
	int rc = kl_dev_store_open(&log->home, last, &file);
	if (rc == 0)
		rc = sync_file(sync->store, file, last->is_new);
	settle(sync, log->end, last->bytes, rc < 0 ? rc : rc > 0 ? -EIO : 0);
	/* Who waits is told at the end of this step: an append is under way. */
	kl_list_remove(&sync->told);
	kl_list_push(&sync->store->untold, &sync->told);
	kl_hook_add(sync->store->loop, &sync->store->commit);
	return rc == 0 ? 0 : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

static void tell(struct kl_dev_store *store)
{
	struct kl_list these, *link;
	kl_list_init(&these);
	kl_list_splice(&these, &store->untold);
	while ((link = kl_list_pop(&these)) != NULL) {
		struct kl_dev_sync *sync = kl_list_entry(link, struct kl_dev_sync, told);
		sync->synced(sync->log, !sync->log->is_lost);
	}
}

/* --- on the pool --- */

static void run(struct kl_job *job, unsigned index)
{
	struct kl_dev_sync *sync = kl_container(job, struct kl_dev_sync, job);
	sync->rc = sync_file(sync->store, sync->handle->file, sync->with_dir);
}

static void done(struct kl_job *job)
{
	struct kl_dev_sync *sync = kl_container(job, struct kl_dev_sync, job);
	struct kl_dev_store *store = sync->store;
	kl_dev_handle_unpin(sync->handle);
	store->running--;
	sync->runs = false;
	if (sync->log != NULL) {
		settle(sync, sync->end, sync->bytes, sync->rc);
		sync->synced(sync->log, sync->rc == 0);
	} else {
		free(sync);
	}
	kl_gate_wake(store->loop->os, &store->idle);
}

static void start(struct kl_dev_sync *sync)
{
	struct kl_dev_log *log = sync->log;
	struct kl_dev_segment *last = last_segment(log);
	struct kl_file *file;
	int rc = kl_dev_store_open(&log->home, last, &file);
	if (rc != 0) {
		settle(sync, log->end, last->bytes, -EIO);
		sync->synced(log, false);
		return;
	}
	sync->handle = last->file;
	sync->with_dir = last->is_new;
	sync->end = log->end;
	sync->bytes = last->bytes;
	sync->runs = true;
	sync->store->running++;
	kl_dev_handle_pin(sync->handle);
	kl_pool_submit(&sync->store->loop->blocking, &sync->job);
}

/* --- when --- */

static void start_all(struct kl_dev_store *store, bool lazily)
{
	if (store->is_closing)
		return;
	kl_list_for_safe(sync, &store->dirty, struct kl_dev_sync, link)
	{
		if (!sync->runs && (lazily || sync->log->wanted > sync->log->synced))
			start(sync);
	}
}

static void commit(struct kl_hook *hook)
{
	struct kl_dev_store *store = kl_container(hook, struct kl_dev_store, commit);
	if (!store->is_closing)
		tell(store);
	start_all(store, false);
}

static void be_lazy(struct kl_timer *timer)
{
	struct kl_dev_store *store = kl_container(timer, struct kl_dev_store, lazy);
	if (store->is_stale)
		store->lazily(store);
	start_all(store, true);
	if (!store->is_closing && (!kl_list_empty(&store->dirty) || store->is_stale))
		kl_timer_set(store->loop, timer, store->loop->now + LAZY);
}

void kl_dev_store_soon(struct kl_dev_store *store)
{
	if (!kl_timer_armed(&store->lazy))
		kl_timer_set(store->loop, &store->lazy, store->loop->now + LAZY);
}

void kl_dev_sync_written(struct kl_dev_sync *sync)
{
	struct kl_dev_store *store = sync->store;
	kl_list_remove(&sync->link);
	kl_list_push(&store->dirty, &sync->link);
	if (sync->log->wanted > sync->log->synced)
		kl_hook_add(store->loop, &store->commit);
	else
		kl_dev_store_soon(store);
}

void kl_dev_sync_nothing(struct kl_dev_sync *sync)
{
	kl_list_remove(&sync->link);
}

bool kl_dev_sync_runs(const struct kl_dev_sync *sync)
{
	return sync->runs;
}

/* --- making and ending --- */

struct kl_dev_sync *kl_dev_sync_new(struct kl_dev_log *log,
				    void (*synced)(struct kl_dev_log *log, bool ok))
{
	struct kl_dev_sync *sync = calloc(1, sizeof(*sync));
	if (sync == NULL)
		return NULL;
	sync->job.run = run;
	sync->job.done = done;
	sync->store = log->home.store;
	sync->log = log;
	sync->synced = synced;
	kl_list_init(&sync->link);
	kl_list_init(&sync->told);
	kl_list_init(&sync->job.link);
	return sync;
}

struct kl_dev_sync *kl_dev_sync_again(const struct kl_dev_sync *sync)
{
	return kl_dev_sync_new(sync->log, sync->synced);
}

void kl_dev_sync_free(struct kl_dev_sync *sync)
{
	if (sync == NULL)
		return;
	kl_list_remove(&sync->link);
	kl_list_remove(&sync->told);
	sync->log = NULL;
	if (!sync->runs)
		free(sync);
}

int kl_dev_sync_begin(struct kl_dev_store *store, struct klamm_error *err)
{
	store->commit.fn = commit;
	return kl_timer_init(store->loop, &store->lazy, be_lazy, err);
}

void kl_dev_sync_end(struct kl_dev_store *store)
{
	kl_list_remove(&store->commit.link);
	kl_timer_drop(store->loop, &store->lazy);
}

void kl_dev_store_sync_all(struct kl_dev_store *store)
{
	kl_list_for_safe(sync, &store->dirty, struct kl_dev_sync, link)
	{
		if (!sync->runs)
			kl_dev_sync_now(sync);
	}
	if (store->is_stale)
		store->lazily(store);
}
