/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents of files on a simulated disk. */
#include "core/os/sim_disk.h"

#include <stdlib.h>

#define SECTOR 512
#define SYNC_TIMES 10 /* a sync is that much slower than a read */

struct kl_file {
	struct kl_list link; /* of the node's open files */
	struct inode *inode;
	int flags;
};

/* Written and not yet synced. */
struct write {
	struct kl_list link;
	bool truncate; /* to `offset` bytes */
	size_t offset, len;
	uint8_t data[];
};

/* --- contents --- */

static bool resize(struct bytes *b, size_t len)
{
	if (len > b->cap) {
		size_t cap = kl_max(len, 2 * b->cap);
		uint8_t *p = realloc(b->p, cap);
		if (p == NULL)
			return false;
		b->p = p;
		b->cap = cap;
	}
	if (len > b->len)
		memset(b->p + b->len, 0, len - b->len);
	b->len = len;
	return true;
}

static void apply(struct inode *inode, struct bytes *b, size_t offset, const uint8_t *p,
		  size_t n)
{
	if (n == 0)
		return;
	if (b->len < offset + n && !resize(b, offset + n))
		kl_sim_fatal(inode->node->sim, "out of memory for a disk");
	memcpy(b->p + offset, p, n);
}

/* Part of a write reaches the disk: its beginning, or some of its sectors. */
static void apply_torn(struct inode *inode, const struct write *w)
{
	struct kl_sim *sim = inode->node->sim;
	if (kl_sim_draw(sim, KL_SIM_DISK, 2) == 0) {
		apply(inode, &inode->durable, w->offset, w->data,
		      kl_sim_draw(sim, KL_SIM_DISK, w->len));
		return;
	}
	for (size_t at = 0; at < w->len;) {
		size_t n = kl_min(SECTOR - (w->offset + at) % SECTOR, w->len - at);
		if (kl_sim_draw(sim, KL_SIM_DISK, 2) == 0)
			apply(inode, &inode->durable, w->offset + at, w->data + at, n);
		at += n;
	}
}

static void apply_whole(struct inode *inode, const struct write *w)
{
	if (!w->truncate)
		apply(inode, &inode->durable, w->offset, w->data, w->len);
	else if (!resize(&inode->durable, w->offset))
		kl_sim_fatal(inode->node->sim, "out of memory for a disk");
}

static void apply_by_fate(struct inode *inode, const struct write *w)
{
	switch (kl_sim_draw(inode->node->sim, KL_SIM_DISK, 3)) {
	case 0:
		apply_whole(inode, w);
		break;
	case 1:
		if (!w->truncate)
			apply_torn(inode, w);
		break;
	default:
		break;
	}
}

static void settle(struct inode *inode, void (*how)(struct inode *, const struct write *))
{
	struct kl_sim *sim = inode->node->sim;
	struct kl_thread *current = sim->current;
	sim->current = NULL; /* what is on a disk is not in its node's memory */
	kl_list_for_safe(w, &inode->writes, struct write, link) {
		how(inode, w);
		kl_list_remove(&w->link);
		free(w);
	}
	sim->current = current;
}

static bool note_write(struct inode *inode, bool truncate, size_t offset, const void *p,
		       size_t n)
{
	struct write *w = malloc(sizeof(*w) + n);
	if (w == NULL)
		return false;
	w->truncate = truncate;
	w->offset = offset;
	w->len = n;
	if (n > 0)
		memcpy(w->data, p, n);
	kl_list_push(&inode->writes, &w->link);
	return true;
}

static void set_used(struct inode *inode, size_t before)
{
	inode->node->disk_used += inode->live.len - before;
}

/* --- inodes --- */

struct inode *kl_sim_inode_new(struct kl_sim_node *node, bool is_dir)
{
	struct inode *inode = calloc(1, sizeof(*inode));
	if (inode == NULL)
		return NULL;
	inode->node = node;
	inode->id = ++node->sim->next_id;
	inode->is_dir = is_dir;
	inode->refs = 1;
	kl_list_init(&inode->writes);
	kl_list_push(&node->inodes, &inode->link);
	return inode;
}

void kl_sim_inode_ref(struct inode *inode)
{
	if (inode != NULL)
		inode->refs++;
}

static void drop_write(struct inode *inode, const struct write *w)
{
}

void kl_sim_inode_unref(struct inode *inode)
{
	if (inode == NULL || --inode->refs > 0)
		return;
	settle(inode, drop_write);
	inode->node->disk_used -= inode->live.len;
	kl_list_remove(&inode->link);
	free(inode->live.p);
	free(inode->durable.p);
	free(inode);
}

void kl_sim_disk_crash(struct kl_sim_node *node)
{
	if (!kl_list_empty(&node->files))
		kl_sim_fatal(node->sim, "a disk crashes under open files");
	kl_sim_trace(node->sim, "disk crash", node->id, 0, 0);
	kl_sim_dir_crash(node);
	kl_list_for(inode, &node->inodes, struct inode, link) {
		settle(inode, apply_by_fate);
		size_t before = inode->live.len;
		inode->live.len = 0;
		apply(inode, &inode->live, 0, inode->durable.p, inode->durable.len);
		set_used(inode, before);
	}
}

void kl_sim_disk_kill(struct kl_sim_node *node)
{
	kl_list_for_safe(file, &node->files, struct kl_file, link)
		node->os.file_close(file);
}

void kl_sim_disk_free(struct kl_sim_node *node)
{
	kl_sim_dir_free(node);
}

void kl_sim_disk_limit(struct kl_sim_node *node, size_t bytes)
{
	node->disk_limit = bytes;
}

void kl_sim_disk_spend(struct kl_sim_node *node, const char *why, int64_t times)
{
	struct kl_sim *sim = node->sim;
	kl_sim_spend(sim, why, 0,
		     kl_sim_between(sim, KL_SIM_DISK, 0, sim->faults.disk_max_us * times));
}

/* --- the vtable's calls --- */

static int sim_file_open(struct kl_os *os, const char *path, int flags,
			 struct kl_file **file_out)
{
	struct kl_sim_node *node = kl_sim_of(os);
	kl_sim_disk_spend(node, "opens a file", 1);
	struct kl_file *file = calloc(1, sizeof(*file));
	if (file == NULL)
		return -ENOMEM;
	int rc = kl_sim_dir_open(node, path, flags, &file->inode);
	kl_sim_trace(node->sim, "open", rc < 0 ? 0 : file->inode->id, (uint64_t)flags,
		     (uint64_t)rc);
	if (rc < 0) {
		free(file);
		return rc;
	}
	file->flags = flags;
	kl_list_push(&node->files, &file->link);
	if (flags & KL_FILE_TRUNCATE)
		rc = os->file_truncate(file, 0);
	if (rc < 0)
		os->file_close(file);
	else
		*file_out = file;
	return rc;
}

static void sim_file_close(struct kl_file *file)
{
	kl_list_remove(&file->link);
	if (file->inode->locked_by == file)
		file->inode->locked_by = NULL;
	kl_sim_inode_unref(file->inode);
	free(file);
}

static ssize_t sim_file_pread(struct kl_file *file, void *p, size_t n, int64_t offset)
{
	struct inode *inode = file->inode;
	struct kl_sim *sim = inode->node->sim;
	kl_sim_disk_spend(inode->node, "reads a file", 1);
	if (offset < 0 || !(file->flags & KL_FILE_READ))
		return offset < 0 ? -EINVAL : -EBADF;
	if (kl_sim_chance(sim, KL_SIM_DISK, sim->faults.read_error))
		return -EIO;
	if ((uint64_t)offset >= inode->live.len)
		return 0;
	n = kl_min(n, inode->live.len - (size_t)offset);
	if (n > 0 && kl_sim_chance(sim, KL_SIM_DISK, sim->faults.short_io))
		n = 1 + kl_sim_draw(sim, KL_SIM_DISK, n);
	memcpy(p, inode->live.p + offset, n);
	kl_sim_trace(sim, "pread", inode->id, (uint64_t)offset, n);
	return (ssize_t)n;
}

static ssize_t sim_file_pwrite(struct kl_file *file, const void *p, size_t n, int64_t offset)
{
	struct inode *inode = file->inode;
	struct kl_sim_node *node = inode->node;
	struct kl_sim *sim = node->sim;
	kl_sim_disk_spend(node, "writes a file", 1);
	if (offset < 0 || !(file->flags & KL_FILE_WRITE))
		return offset < 0 ? -EINVAL : -EBADF;
	if (kl_sim_chance(sim, KL_SIM_DISK, sim->faults.write_error))
		return -EIO;
	if (n > 0 && kl_sim_chance(sim, KL_SIM_DISK, sim->faults.short_io))
		n = 1 + kl_sim_draw(sim, KL_SIM_DISK, n);
	size_t before = inode->live.len, free_bytes = node->disk_limit - node->disk_used;
	if (node->disk_used > node->disk_limit)
		free_bytes = 0;
	/* What lies inside the file costs nothing more. */
	size_t end = (size_t)offset + n;
	if (end > before && end - before > free_bytes) {
		end = before + free_bytes;
		if (end <= (size_t)offset)
			return -ENOSPC;
		n = end - (size_t)offset;
	}
	if (n == 0)
		return 0;
	if (end > before && !resize(&inode->live, end))
		return -ENOMEM;
	if (!note_write(inode, false, (size_t)offset, p, n)) {
		inode->live.len = before;
		return -ENOMEM;
	}
	memcpy(inode->live.p + offset, p, n);
	set_used(inode, before);
	kl_sim_trace(sim, "pwrite", inode->id, (uint64_t)offset, n);
	kl_sim_trace_bytes(sim, p, n);
	return (ssize_t)n;
}

/* After a failed fsync() Linux holds the pages for clean: trying again succeeds and brings
 * nothing more to the disk. */
static int sim_file_sync(struct kl_file *file)
{
	struct inode *inode = file->inode;
	struct kl_sim *sim = inode->node->sim;
	kl_sim_disk_spend(inode->node, "syncs a file", SYNC_TIMES);
	bool fails = kl_sim_chance(sim, KL_SIM_DISK, sim->faults.sync_error);
	kl_sim_trace(sim, "sync", inode->id, fails, inode->live.len);
	settle(inode, fails ? apply_by_fate : apply_whole);
	return fails ? -EIO : 0;
}

/* The simulated disk is one user's. */
static int sim_file_others(struct kl_file *file)
{
	return 0;
}

static int64_t sim_file_size(struct kl_file *file)
{
	return (int64_t)file->inode->live.len;
}

static int sim_file_truncate(struct kl_file *file, int64_t size)
{
	struct inode *inode = file->inode;
	kl_sim_disk_spend(inode->node, "truncates a file", 1);
	if (size < 0 || !(file->flags & KL_FILE_WRITE))
		return -EINVAL;
	size_t before = inode->live.len;
	if (!note_write(inode, true, (size_t)size, NULL, 0))
		return -ENOMEM;
	if (!resize(&inode->live, (size_t)size))
		return -ENOMEM;
	set_used(inode, before);
	kl_sim_trace(inode->node->sim, "truncate", inode->id, 0, (uint64_t)size);
	return 0;
}

static int sim_file_lock(struct kl_file *file)
{
	struct inode *inode = file->inode;
	if (inode->locked_by != NULL && inode->locked_by != file)
		return -EAGAIN;
	inode->locked_by = file;
	kl_sim_trace(inode->node->sim, "lock", inode->id, 0, 0);
	return 0;
}

void kl_sim_disk_ops(struct kl_os *os)
{
	os->file_open = sim_file_open;
	os->file_close = sim_file_close;
	os->file_pread = sim_file_pread;
	os->file_pwrite = sim_file_pwrite;
	os->file_sync = sim_file_sync;
	os->file_size = sim_file_size;
	os->file_others = sim_file_others;
	os->file_truncate = sim_file_truncate;
	os->file_lock = sim_file_lock;
}
