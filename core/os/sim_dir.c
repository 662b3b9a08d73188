/* SPDX-License-Identifier: BSD-2-Clause */
/* Names on a simulated disk. A new, moved or removed name is lost in a crash until its
 * directory was synced; what was done to names survives in the order it was done. */
#include <stdlib.h>

#include "core/os/sim_disk.h"

struct entry {
	struct kl_list link;
	char *path;
	struct inode *live, *durable; /* NULL = no such name */
};

/* `to` is now `inode` (NULL: removed), and `from`, if any, is gone. */
struct change {
	struct kl_list link;
	char *from, *to;
	struct inode *inode;
};

static struct entry *find(struct kl_sim_node *node, const char *path)
{
	kl_list_for(entry, &node->entries, struct entry, link)
		if (strcmp(entry->path, path) == 0)
			return entry;
	return NULL;
}

static struct entry *find_or_make(struct kl_sim_node *node, const char *path)
{
	struct entry *entry = find(node, path);
	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL || (entry->path = strdup(path)) == NULL) {
		free(entry);
		return NULL;
	}
	kl_list_push(&node->entries, &entry->link);
	return entry;
}

static void set(struct inode **slot, struct inode *inode)
{
	kl_sim_inode_ref(inode);
	kl_sim_inode_unref(*slot);
	*slot = inode;
}

static struct inode *live(struct kl_sim_node *node, const char *path)
{
	const struct entry *entry = find(node, path);
	return entry != NULL ? entry->live : NULL;
}

/* Is path directly in dir? */
static bool is_in(const char *path, const char *dir)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	if (len == 0)
		return strcmp(dir, slash != NULL ? "/" : ".") == 0;
	return strlen(dir) == len && memcmp(path, dir, len) == 0;
}

static bool parent_exists(struct kl_sim_node *node, const char *path)
{
	if (is_in(path, "/") || is_in(path, "."))
		return true;
	kl_list_for(entry, &node->entries, struct entry, link)
		if (entry->live != NULL && entry->live->is_dir && is_in(path, entry->path))
			return true;
	return false;
}

/* --- the journal of names --- */

static void change_free(struct change *change)
{
	kl_list_remove(&change->link);
	kl_sim_inode_unref(change->inode);
	free(change->from);
	free(change->to);
	free(change);
}

static int change_names(struct kl_sim_node *node, const char *from, const char *to,
			struct inode *inode)
{
	struct change *change = calloc(1, sizeof(*change));
	struct entry *target = find_or_make(node, to);
	if (change == NULL || target == NULL)
		goto no_memory;
	kl_list_init(&change->link);
	change->to = strdup(to);
	change->from = from != NULL ? strdup(from) : NULL;
	if (change->to == NULL || (from != NULL && change->from == NULL))
		goto no_memory;
	set(&change->inode, inode);
	kl_list_push(&node->journal, &change->link);
	set(&target->live, inode);
	if (from != NULL)
		set(&find(node, from)->live, NULL);
	kl_sim_trace(node->sim, "names", inode != NULL ? inode->id : 0, from != NULL, 0);
	kl_sim_trace_bytes(node->sim, to, strlen(to));
	return 0;
no_memory:
	if (change != NULL) {
		free(change->to);
		free(change->from);
	}
	free(change);
	return -ENOMEM;
}

static void make_durable(struct kl_sim_node *node, struct change *change)
{
	set(&find(node, change->to)->durable, change->inode);
	if (change->from != NULL)
		set(&find(node, change->from)->durable, NULL);
	change_free(change);
}

void kl_sim_dir_crash(struct kl_sim_node *node)
{
	kl_list_for_safe(change, &node->journal, struct change, link) {
		if (kl_sim_draw(node->sim, KL_SIM_DISK, 3) == 0)
			break;
		make_durable(node, change);
	}
	struct change *lost;
	while ((lost = kl_list_first(&node->journal, struct change, link)) != NULL)
		change_free(lost);
	kl_list_for(entry, &node->entries, struct entry, link)
		set(&entry->live, entry->durable);
}

void kl_sim_dir_free(struct kl_sim_node *node)
{
	kl_list_for_safe(change, &node->journal, struct change, link)
		change_free(change);
	kl_list_for_safe(entry, &node->entries, struct entry, link) {
		set(&entry->live, NULL);
		set(&entry->durable, NULL);
		free(entry->path);
		free(entry);
	}
}

/* --- calls --- */

int kl_sim_dir_open(struct kl_sim_node *node, const char *path, int flags,
		    struct inode **inode_out)
{
	struct inode *inode = live(node, path);
	if (inode != NULL) {
		if (inode->is_dir)
			return -EISDIR;
		if ((flags & KL_FILE_CREATE) && (flags & KL_FILE_EXCLUSIVE))
			return -EEXIST;
		kl_sim_inode_ref(inode);
		*inode_out = inode;
		return 0;
	}
	if (!(flags & KL_FILE_CREATE) || !parent_exists(node, path))
		return -ENOENT;
	inode = kl_sim_inode_new(node, false);
	if (inode == NULL)
		return -ENOMEM;
	int rc = change_names(node, NULL, path, inode);
	if (rc < 0)
		kl_sim_inode_unref(inode);
	else
		*inode_out = inode;
	return rc;
}

static int sim_file_rename(struct kl_os *os, const char *from, const char *to)
{
	struct kl_sim_node *node = kl_sim_of(os);
	kl_sim_disk_spend(node, "renames a file", 1);
	struct inode *inode = live(node, from), *old = live(node, to);
	if (inode == NULL || !parent_exists(node, to))
		return -ENOENT;
	if (inode->is_dir || (old != NULL && old->is_dir))
		return -EISDIR;
	return inode == old ? 0 : change_names(node, from, to, inode);
}

static int sim_file_unlink(struct kl_os *os, const char *path)
{
	struct kl_sim_node *node = kl_sim_of(os);
	kl_sim_disk_spend(node, "removes a file", 1);
	const struct inode *inode = live(node, path);
	if (inode == NULL)
		return -ENOENT;
	return inode->is_dir ? -EISDIR : change_names(node, NULL, path, NULL);
}

static int sim_dir_make(struct kl_os *os, const char *path)
{
	struct kl_sim_node *node = kl_sim_of(os);
	kl_sim_disk_spend(node, "makes a directory", 1);
	if (live(node, path) != NULL)
		return -EEXIST;
	if (!parent_exists(node, path))
		return -ENOENT;
	struct inode *inode = kl_sim_inode_new(node, true);
	if (inode == NULL)
		return -ENOMEM;
	int rc = change_names(node, NULL, path, inode);
	kl_sim_inode_unref(inode);
	return rc;
}

static bool dir_exists(struct kl_sim_node *node, const char *path)
{
	if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return true;
	const struct inode *inode = live(node, path);
	return inode != NULL && inode->is_dir;
}

static int sim_dir_sync(struct kl_os *os, const char *path)
{
	struct kl_sim_node *node = kl_sim_of(os);
	struct kl_sim *sim = node->sim;
	kl_sim_disk_spend(node, "syncs a directory", 10);
	if (!dir_exists(node, path))
		return -ENOENT;
	bool fails = kl_sim_chance(sim, KL_SIM_DISK, sim->faults.sync_error);
	kl_sim_trace(sim, "dir sync", node->id, fails, 0);
	if (fails)
		return -EIO;
	kl_list_for_safe(change, &node->journal, struct change, link)
		if (is_in(change->to, path) ||
		    (change->from != NULL && is_in(change->from, path)))
			make_durable(node, change);
	return 0;
}

static int sim_dir_list(struct kl_os *os, const char *path,
			int (*fn)(void *arg, const char *name), void *arg)
{
	struct kl_sim_node *node = kl_sim_of(os);
	kl_sim_disk_spend(node, "lists a directory", 1);
	if (!dir_exists(node, path))
		return -ENOENT;
	/* First all names, as fn may change them; told from any of them on. */
	size_t n = 0, cap = 0;
	kl_list_for(entry, &node->entries, struct entry, link)
		cap += entry->live != NULL && is_in(entry->path, path);
	char **names = calloc(cap + 1, sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	int rc = 0;
	kl_list_for(entry, &node->entries, struct entry, link) {
		if (entry->live == NULL || !is_in(entry->path, path))
			continue;
		const char *slash = strrchr(entry->path, '/');
		names[n] = strdup(slash != NULL ? slash + 1 : entry->path);
		if (names[n++] == NULL)
			rc = -ENOMEM;
	}
	size_t first = n > 0 ? kl_sim_draw(node->sim, KL_SIM_DISK, n) : 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = fn(arg, names[(first + i) % n]);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}

void kl_sim_dir_ops(struct kl_os *os)
{
	os->file_rename = sim_file_rename;
	os->file_unlink = sim_file_unlink;
	os->dir_make = sim_dir_make;
	os->dir_sync = sim_dir_sync;
	os->dir_list = sim_dir_list;
}
