/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins of the kind partitioner: which partition a record goes to.
 *
 * Chosen by partitioner.class. One instance per producer. pick() runs once per record in
 * the thread that calls send(), so it must not block, allocate or take a contended
 * lock. A record that names its partition never comes here.
 */
#ifndef KLAMM_PARTITIONER_H
#define KLAMM_PARTITIONER_H

#include <klamm/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KLAMM_ABI_partitioner KLAMM_ABI(KLAMM_KIND_PARTITIONER, 1)

/* The answer "any will do": the core's adaptive sticky choice decides (KIP-480, 794). */
#define KLAMM_PARTITION_ANY (-1)

/* flags of the descriptor */
/* pick() is not safe in several threads at once: the core takes a lock around it. */
#define KLAMM_PARTITIONER_SERIAL 1u
/* A null key always means ANY: pick() is not called for it. */
#define KLAMM_PARTITIONER_NEEDS_KEY 2u
/* pick() reads available; without this flag it may be NULL. */
#define KLAMM_PARTITIONER_NEEDS_AVAILABLE 4u

/* One question. Everything is borrowed for the call. */
struct klamm_pick {
	uint32_t size;
	int32_t partition_count;  /* of the topic, at least 1 */
	const char *topic;
	struct klamm_span key;    /* as it will be sent; data NULL = null key */
	struct klamm_span value;  /* likewise */
	/* Partitions that have a leader, ascending. */
	const int32_t *available;
	uint32_t available_count;
	uint32_t reserved;
	/* 8 bytes of this instance for this topic, 0 at first, kept by the core as long as
	 * the topic is known. Several threads may be at it: use __atomic builtins. */
	uint64_t *slot;
};

struct klamm_partitioner_plugin {
	struct klamm_plugin_head head;

	/* Mandatory, may be 0. KLAMM_PARTITIONER_... */
	uint32_t flags;
	uint32_t reserved; /* 0 */

	/* Mandatory. Any thread, several at once unless SERIAL. 0 to partition_count - 1, or
	 * KLAMM_PARTITION_ANY, or an enum klamm_err below it, which fails the record; any
	 * other number fails it with PARTITION. */
	int32_t (*pick)(void *self, const struct klamm_pick *in);

	/* Optional. Any thread, several at once unless SERIAL. A batch of the partition
	 * `previous` was closed and the next record would open a new one: pick() is asked
	 * again for that record after this call (KIP-480). Without it no record is asked
	 * about twice. in as for pick(). */
	void (*on_new_batch)(void *self, const struct klamm_pick *in, int32_t previous);

	/* ABI 1 as first released ends here. */
};

#ifdef __cplusplus
}
#endif
#endif
