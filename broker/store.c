/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"

/* Of segments, next to those of connections; a file beyond is closed and opened again
 * when it is needed. The default limit of a process is 1024 in all. */
#define OPEN_MAX 256

bool kl_dev_grow(void **array, size_t *cap, size_t count, size_t size)
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

/* --- the directory --- */

char *kl_dev_store_path(const struct kl_dev_store *store, const char *name)
{
	char *path;
	return asprintf(&path, "%s/%s", store->dir, name) < 0 ? NULL : path;
}

static int take_lock(struct kl_dev_store *store, struct klamm_error *err)
{
	struct kl_os *os = store->loop->os;
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(store, "lock");
	if (path == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	int rc = os->file_open(os, path, KL_FILE_READ | KL_FILE_WRITE | KL_FILE_CREATE,
			       &store->lock);
	if (rc < 0)
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot open %s: %s", path,
				strerror(-rc));
	rc = os->file_lock(store->lock);
	if (rc == -EAGAIN)
		return kl_error(err, KLAMM_ERR_SYSTEM,
				"another broker is using the data directory %s",
				store->dir);
	if (rc < 0)
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot lock %s: %s", path,
				strerror(-rc));
	return 0;
}

static int open_dir(struct kl_dev_store *store, struct klamm_error *err)
{
	struct kl_os *os = store->loop->os;
	int rc = os->dir_make(os, store->dir);
	if (rc < 0 && rc != -EEXIST)
		return kl_error(err, KLAMM_ERR_SYSTEM,
				"cannot make the data directory %s: %s", store->dir,
				strerror(-rc));
	return take_lock(store, err);
}

int kl_dev_store_new(struct klamm_loop *loop, const char *dir,
		     struct kl_dev_store **store_out, struct klamm_error *err)
{
	struct kl_dev_store *store = calloc(1, sizeof(*store));
	if (store == NULL || (store->dir = strdup(dir)) == NULL ||
	    kl_gate_init(loop->os, &store->idle) != 0) {
		if (store != NULL)
			free(store->dir);
		free(store);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	}
	store->loop = loop;
	kl_list_init(&store->open);
	kl_list_init(&store->dirty);
	kl_list_init(&store->untold);
	kl_list_init(&store->commit.link);
	int rc = kl_dev_sync_begin(store, err);
	if (rc == 0)
		rc = open_dir(store, err);
	if (rc != 0)
		kl_dev_store_free(store);
	else
		*store_out = store;
	return rc;
}

void kl_dev_store_free(struct kl_dev_store *store)
{
	if (store == NULL)
		return;
	kl_dev_sync_end(store);
	if (store->lock != NULL)
		store->loop->os->file_close(store->lock);
	kl_gate_destroy(store->loop->os, &store->idle);
	free(store->dir);
	free(store);
}

int kl_dev_store_failed(struct kl_dev_store *store, const char *what, const char *name,
			int rc)
{
	if (!store->failing)
		kl_log(&store->loop->log, KL_LOG_ERROR, "store",
		       "cannot %s %s in %s: %s", what, name, store->dir, strerror(-rc));
	store->failing = true;
	return KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

/* --- small files --- */

static int write_all(struct kl_os *os, struct kl_file *file, const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t put = os->file_pwrite(file, p + at, n - at, (int64_t)at);
		if (put <= 0)
			return put < 0 ? (int)put : -ENOSPC;
		at += (size_t)put;
	}
	return os->file_sync(file);
}

int kl_dev_store_put(struct kl_dev_store *store, const char *name, const void *p, size_t n)
{
	struct kl_os *os = store->loop->os;
	char new_name[KL_DEV_FILE_NAME];
	snprintf(new_name, sizeof(new_name), "%s.new", name);
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(store, name);
	KL_AUTO(kl_dev_free_text) char *beside = kl_dev_store_path(store, new_name);
	struct kl_file *file;
	if (path == NULL || beside == NULL)
		return -ENOMEM;
	int rc = os->file_open(
		os, beside, KL_FILE_WRITE | KL_FILE_CREATE | KL_FILE_TRUNCATE, &file);
	if (rc < 0)
		return rc;
	rc = write_all(os, file, p, n);
	os->file_close(file);
	if (rc == 0)
		rc = os->file_rename(os, beside, path);
	else
		os->file_unlink(os, beside); /* it may be what fills the disk */
	return rc == 0 ? os->dir_sync(os, store->dir) : rc;
}

/* --- handles --- */

static void close_handle(struct kl_dev_handle *handle)
{
	struct kl_dev_store *store = handle->store;
	store->loop->os->file_close(handle->file);
	kl_list_remove(&handle->link);
	store->open_count--;
	if (handle->segment != NULL)
		handle->segment->file = NULL;
	free(handle);
}

void kl_dev_handle_drop(struct kl_dev_handle *handle)
{
	if (handle == NULL)
		return;
	handle->segment->file = NULL;
	handle->segment = NULL;
	if (handle->pins == 0)
		close_handle(handle);
}

void kl_dev_handle_pin(struct kl_dev_handle *handle)
{
	handle->pins++;
}

void kl_dev_handle_unpin(struct kl_dev_handle *handle)
{
	if (--handle->pins == 0 && handle->segment == NULL)
		close_handle(handle);
}

/* The one that was not used for longest. */
static void close_some(struct kl_dev_store *store)
{
	for (struct kl_list *l = store->open.prev; l != &store->open; l = l->prev) {
		struct kl_dev_handle *handle =
			kl_list_entry(l, struct kl_dev_handle, link);
		if (handle->pins == 0) {
			close_handle(handle);
			return;
		}
	}
}

static void name_file(const struct kl_dev_home *home, const struct kl_dev_segment *segment,
		      char name[static KL_DEV_FILE_NAME])
{
	snprintf(name, KL_DEV_FILE_NAME, "%s-%020" PRId64 ".log%s", home->name,
		 segment->base, segment->is_aside ? KL_DEV_ASIDE : "");
}

static int open_file(struct kl_dev_home *home, struct kl_dev_segment *segment,
		     struct kl_file **file_out)
{
	struct kl_os *os = home->store->loop->os;
	char name[KL_DEV_FILE_NAME];
	name_file(home, segment, name);
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(home->store, name);
	if (path == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	int rc = os->file_open(os, path, KL_FILE_READ | KL_FILE_WRITE, file_out);
	/* A file that is not there belongs to a segment that was never written to. */
	if (rc == -ENOENT && segment->bytes == 0) {
		rc = os->file_open(os, path,
				   KL_FILE_READ | KL_FILE_WRITE | KL_FILE_CREATE,
				   file_out);
		segment->is_new = true;
	}
	return rc < 0 ? kl_dev_store_failed(home->store, "open", name, rc) : 0;
}

int kl_dev_store_open(struct kl_dev_home *home, struct kl_dev_segment *segment,
		      struct kl_file **file_out)
{
	struct kl_dev_store *store = home->store;
	struct kl_dev_handle *handle = segment->file;
	if (handle == NULL) {
		if (store->open_count >= OPEN_MAX)
			close_some(store);
		struct kl_file *file;
		int rc = open_file(home, segment, &file);
		if (rc != 0)
			return rc;
		handle = calloc(1, sizeof(*handle));
		if (handle == NULL) {
			store->loop->os->file_close(file);
			return KLAMM_ERR_KAFKA_STORAGE_ERROR;
		}
		*handle = (struct kl_dev_handle){
			.store = store, .segment = segment, .file = file};
		kl_list_init(&handle->link);
		segment->file = handle;
		store->open_count++;
	}
	kl_list_remove(&handle->link);
	kl_list_push_front(&store->open, &handle->link);
	*file_out = handle->file;
	return 0;
}

/* --- reading and writing --- */

int kl_dev_store_read(struct kl_dev_store *store, struct kl_file *file, uint8_t *p,
		      size_t n, size_t at)
{
	while (n > 0) {
		ssize_t got = store->loop->os->file_pread(file, p, n, (int64_t)at);
		if (got <= 0) /* 0: it is shorter than it was */
			return kl_dev_store_failed(store, "read", "a segment",
						   got < 0 ? (int)got : -EIO);
		p += got;
		n -= (size_t)got;
		at += (size_t)got;
	}
	return 0;
}

int kl_dev_store_write(struct kl_dev_store *store, struct kl_file *file,
		       const uint8_t *p, size_t n, size_t at, bool *torn_out)
{
	while (n > 0) {
		ssize_t put = store->loop->os->file_pwrite(file, p, n, (int64_t)at);
		*torn_out = true;
		if (put <= 0)
			return kl_dev_store_failed(store, "write", "a segment",
						   put < 0 ? (int)put : -ENOSPC);
		p += put;
		n -= (size_t)put;
		at += (size_t)put;
	}
	*torn_out = false;
	store->failing = false;
	return 0;
}

int kl_dev_store_cut(struct kl_dev_home *home, struct kl_dev_segment *segment)
{
	struct kl_file *file;
	int rc = kl_dev_store_open(home, segment, &file);
	if (rc != 0)
		return rc;
	rc = home->store->loop->os->file_truncate(file, (int64_t)segment->bytes);
	/* At once: the next batch may go to another file, and what was cut off must not come
	 * back before it when the power fails. */
	if (rc == 0)
		rc = home->store->loop->os->file_sync(file);
	return rc < 0 ? kl_dev_store_failed(home->store, "cut", "a segment", rc) : 0;
}

int kl_dev_store_sync(struct kl_dev_home *home, struct kl_dev_segment *segment)
{
	struct kl_file *file;
	int rc = kl_dev_store_open(home, segment, &file);
	if (rc != 0)
		return rc;
	rc = home->store->loop->os->file_sync(file);
	return rc < 0 ? kl_dev_store_failed(home->store, "sync", home->name, rc) : 0;
}

int kl_dev_store_place(struct kl_dev_home *home, struct kl_dev_segment *segment,
		       bool *placed_out)
{
	struct kl_dev_store *store = home->store;
	struct kl_os *os = store->loop->os;
	char aside[KL_DEV_FILE_NAME], name[KL_DEV_FILE_NAME];
	name_file(home, segment, aside);
	segment->is_aside = false;
	name_file(home, segment, name);
	KL_AUTO(kl_dev_free_text) char *from = kl_dev_store_path(store, aside);
	KL_AUTO(kl_dev_free_text) char *to = kl_dev_store_path(store, name);
	int rc = from != NULL && to != NULL ? os->file_rename(os, from, to) : -ENOMEM;
	*placed_out = rc == 0;
	segment->is_aside = rc != 0;
	if (rc == 0)
		rc = os->dir_sync(os, store->dir);
	return rc != 0 ? kl_dev_store_failed(store, "replace", name, rc) : 0;
}

void kl_dev_store_remove(struct kl_dev_home *home, struct kl_dev_segment *segment)
{
	struct kl_os *os = home->store->loop->os;
	char name[KL_DEV_FILE_NAME];
	name_file(home, segment, name);
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(home->store, name);
	kl_dev_handle_drop(segment->file);
	int rc = path != NULL ? os->file_unlink(os, path) : -ENOMEM;
	if (rc < 0 &&
	    rc != -ENOENT) /* it is found again, and removed, at the next start */
		kl_log(&home->store->loop->log, KL_LOG_WARN, "store",
		       "cannot remove %s/%s: %s", home->store->dir, name,
		       strerror(-rc));
}
