/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulated disk: what a node's processes see of it, and what a power cut would leave. */
#ifndef KL_SIM_DISK_H
#define KL_SIM_DISK_H

#include "core/os/sim_int.h"

struct bytes {
	uint8_t *p;
	size_t len, cap;
};

/* A file's contents, or a directory. Lives while an entry, an open file or a journal entry
 * refers to it. */
struct inode {
	struct kl_list link; /* of the node's */
	struct kl_sim_node *node;
	uint64_t id;
	unsigned refs;
	bool is_dir;
	struct bytes live, durable;
	struct kl_list writes; /* since the last sync, oldest first */
	const struct kl_file *locked_by; /* NULL = nobody */
};

struct inode *kl_sim_inode_new(struct kl_sim_node *node, bool is_dir);
void kl_sim_inode_ref(struct inode *inode); /* NULL is fine, here and below */
void kl_sim_inode_unref(struct inode *inode);

/* The names' part of a crash, to be followed by the contents'. */
void kl_sim_dir_crash(struct kl_sim_node *node);
void kl_sim_dir_free(struct kl_sim_node *node);
/* The file of this name for these flags, with a reference; 0 or negative errno. */
int kl_sim_dir_open(struct kl_sim_node *node, const char *path, int flags,
		    struct inode **inode_out);
/* The time a call takes. */
void kl_sim_disk_spend(struct kl_sim_node *node, const char *why, int64_t times);

#endif
