/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening a data directory: the table, then the segments of each log. What a crash left
 * half done is ended: files of deleted topics go, damaged ends are cut, and the log
 * says so. */
#include "broker/data.h"

#include <stdlib.h>

#include "broker/call.h"
#include "broker/index.h"

struct file {
	char *name;
	bool is_claimed; /* a log has it */
};

struct files {
	struct kl_dev_store *store;
	struct file *list; /* sorted by name */
	size_t count, cap;
	bool failed; /* out of memory */
};

/* --- the directory's names --- */

static bool has_end(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n >= m && strcmp(name + n - m, end) == 0;
}

/* "<22 characters>-<partition>-<20 digits>.log"; others are not ours to touch. */
static bool is_segment(const char *name)
{
	size_t n = strlen(name);
	if (n < 22 + 1 + 1 + 1 + 20 + 4 || n >= KL_DEV_FILE_NAME ||
	    !has_end(name, ".log") || name[22] != '-' || name[n - 25] != '-')
		return false;
	for (size_t i = 23; i < n - 4; i++)
		if (i != n - 25 && (name[i] < '0' || name[i] > '9'))
			return false;
	return true;
}

static int64_t base_of(const char *name)
{
	return strtoll(name + strlen(name) - 24, NULL, 10);
}

static void remove_file(struct kl_dev_store *store, const char *name)
{
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(store, name);
	if (path != NULL)
		store->loop->os->file_unlink(store->loop->os, path);
}

/* Only noted: what is listed must not be removed while listing. */
static int on_name(void *arg, const char *name)
{
	struct files *files = arg;
	if (!is_segment(name) && !has_end(name, KL_DEV_ASIDE))
		return 0;
	char *copy = strdup(name);
	files->failed =
		copy == NULL || !kl_dev_grow((void **)&files->list, &files->cap,
					     files->count, sizeof(*files->list));
	if (files->failed) {
		free(copy);
		return 1;
	}
	files->list[files->count++] = (struct file){.name = copy};
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void files_free(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->list[i].name);
	free(files->list);
}

static int list(struct files *files, struct klamm_error *err)
{
	struct kl_os *os = files->store->loop->os;
	int rc = os->dir_list(os, files->store->dir, on_name, files);
	if (files->failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	if (rc < 0)
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot list %s: %s",
				files->store->dir, strerror(-rc));
	if (files->count > 0)
		qsort(files->list, files->count, sizeof(*files->list), compare_names);
	return 0;
}

/* The first name that is not before this one. */
static size_t find(const struct files *files, const char *name)
{
	size_t low = 0, high = files->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(files->list[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- logs --- */

static int unreadable(const struct files *files, const char *name, const char *why,
		      struct klamm_error *err)
{
	return kl_error(err, KLAMM_ERR_SYSTEM, "cannot recover %s/%s: %s",
			files->store->dir, name, why);
}

static int file_size(struct files *files, const char *name, size_t *size_out)
{
	struct kl_os *os = files->store->loop->os;
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(files->store, name);
	struct kl_file *file;
	int rc = path != NULL ? os->file_open(os, path, KL_FILE_READ, &file) : -ENOMEM;
	if (rc < 0)
		return rc;
	int64_t size = os->file_size(file);
	os->file_close(file);
	*size_out = size < 0 ? 0 : (size_t)size;
	return size < 0 ? (int)size : 0;
}

static int recover_one(struct files *files, struct kl_dev_partition *partition,
		       const char *name, bool check, struct klamm_error *err)
{
	struct kl_dev_log *log = &partition->log;
	size_t size, cut;
	int rc = file_size(files, name, &size);
	if (rc < 0)
		return unreadable(files, name, strerror(-rc), err);
	rc = kl_dev_log_recover(log, base_of(name), size, check, kl_dev_partition_saw,
				partition, &cut);
	if (rc != 0)
		return unreadable(files, name, "reading or cutting it failed", err);
	if (cut > 0)
		kl_log(&files->store->loop->log, KL_LOG_WARN, "store",
		       "topic %s partition %d: cut %zu bytes behind offset %lld, which "
		       "were "
		       "not written to their end (%s)",
		       partition->topic->name, (int)partition->index, cut,
		       (long long)log->end, name);
	return 0;
}

/* A crash came between a compaction's putting one segment in the place of several and removing
 * the others. The new one reaches as far as they do. */
static bool is_replaced(const struct kl_dev_log *log, const char *name)
{
	return log->segment_count > 0 &&
	       base_of(name) < log->segments[log->segment_count - 1]->end;
}

/* Are there more of its files behind this one? */
static bool is_last(const struct files *files, size_t i, const char *prefix)
{
	const char *next = i + 1 < files->count ? files->list[i + 1].name : "";
	return strncmp(next, prefix, strlen(prefix)) != 0 || !is_segment(next);
}

static bool is_of(const struct files *files, size_t i, const char *prefix)
{
	return i < files->count &&
	       strncmp(files->list[i].name, prefix, strlen(prefix)) == 0;
}

/* Are the files from the i-th on those that the index knows? */
static bool is_as_known(struct files *files, size_t i, const char *prefix,
			const struct kl_dev_log *log)
{
	for (size_t k = 0; k < log->segment_count; k++, i++) {
		const struct kl_dev_segment *segment = log->segments[k];
		size_t size;
		if (!is_of(files, i, prefix) || !is_segment(files->list[i].name) ||
		    base_of(files->list[i].name) != segment->base ||
		    file_size(files, files->list[i].name, &size) != 0 ||
		    size != segment->bytes)
			return false;
	}
	return !is_of(files, i, prefix);
}

/* Those that nobody has written to since are not read. */
static bool recover_known(struct files *files, struct kl_dev_partition *partition, size_t i,
			  const char *prefix)
{
	struct kl_dev_log *log = &partition->log;
	if (log->segment_count == 0)
		return false;
	if (!is_as_known(files, i, prefix, log)) {
		kl_dev_partition_forget(partition);
		return false;
	}
	for (size_t k = 0; k < log->segment_count; k++)
		files->list[i + k].is_claimed = true;
	kl_dev_log_adopted(log);
	return true;
}

/* Its files follow one another in the list. */
static int recover_log(struct files *files, struct kl_dev_partition *partition,
		       struct klamm_error *err)
{
	char prefix[KL_DEV_FILE_NAME];
	const char *home = partition->log.home.name;
	snprintf(prefix, sizeof(prefix), "%s-", home);
	size_t i = find(files, prefix);
	bool is_known = recover_known(files, partition, i, prefix);
	for (; !is_known && is_of(files, i, prefix); i++) {
		struct file *file = &files->list[i];
		if (!is_segment(file->name) || is_replaced(&partition->log, file->name))
			continue;
		int rc = recover_one(files, partition, file->name,
				     is_last(files, i, prefix), err);
		if (rc != 0)
			return rc;
		file->is_claimed = true;
	}
	if (!kl_dev_log_begin_epoch(&partition->log, partition->leader_epoch))
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a log's epochs");
	kl_dev_producers_trim(&partition->producers, partition->log.start);
	return 0;
}

static int recover_all(struct klamm_broker *broker, struct files *files,
		       struct klamm_error *err)
{
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		for (int32_t i = 0; i < topic->partition_count; i++) {
			int rc = recover_log(files, topic->partitions[i], err);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

/* --- opening --- */

static void save_lazily(struct kl_dev_store *store)
{
	kl_dev_save(store->owner, NULL);
}

static int open_new(struct klamm_broker *broker, const struct files *files,
		    struct klamm_error *err)
{
	if (files->count > 0)
		return kl_error(err, KLAMM_ERR_SYSTEM,
				"%s has segments (%s) but no table of topics",
				broker->store->dir, files->list[0].name);
	return 0;
}

static int open_all(struct klamm_broker *broker, struct files *files,
		    struct klamm_error *err)
{
	bool found;
	int rc = kl_dev_table_load(broker, &found, err);
	if (rc == 0)
		rc = list(files, err);
	if (rc == 0 && found)
		kl_dev_index_load(broker);
	if (rc == 0)
		rc = found ? recover_all(broker, files, err)
			   : open_new(broker, files, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < files->count; i++)
		if (!files->list[i].is_claimed)
			remove_file(broker->store, files->list[i].name);
	return 0;
}

int kl_dev_data_open(struct klamm_broker *broker, struct klamm_error *err)
{
	if (broker->options.data_dir == NULL)
		return 0;
	int rc = kl_dev_store_new(broker->loop, broker->options.data_dir,
				  &broker->store, err);
	if (rc != 0)
		return rc;
	broker->store->owner = broker;
	broker->store->lazily = save_lazily;
	struct files files = {.store = broker->store};
	rc = open_all(broker, &files, err);
	files_free(&files);
	return rc;
}

void kl_dev_data_close(struct klamm_broker *broker)
{
	if (broker->store == NULL || !broker->is_open)
		return;
	kl_dev_store_sync_all(broker->store);
	kl_dev_index_save(broker);
}
