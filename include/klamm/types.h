/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain values that every part of the interface shares.
 *
 * Ownership is said with three words, everywhere in these headers:
 *   borrowed  used during the call only (or as long as the comment says)
 *   copied    klamm keeps a copy of its own
 *   taken     klamm owns it from now on and frees it
 *
 * A structure that the application allocates and that may grow begins with
 * `size_t size`: set it to sizeof(the structure) before the call.
 */
#ifndef KLAMM_TYPES_H
#define KLAMM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that somebody else owns. data == NULL is Kafka's null, which is not the
 * same as empty: empty has len 0 and any data but NULL. */
struct klamm_span {
	const void *data;
	size_t len;
};

/* A record header (KIP-82). The name is UTF-8 and never null; a value may be null. */
struct klamm_header {
	struct klamm_span name;
	struct klamm_span value;
};

struct klamm_uuid {
	uint8_t bytes[16];
};

struct klamm_topic_partition {
	const char *topic;
	int32_t partition;
};

/* How far a group has read in a partition: what is committed for it. */
struct klamm_offset {
	const char *topic;
	int32_t partition;
	/* Of the last record read (KIP-320), so that a reader may notice that the log was
	 * cut. -1 = not known; 0 is an epoch like any other. */
	int32_t leader_epoch;
	int64_t offset;       /* of the next record to read, not of the last one read */
	const char *metadata; /* the application's own note; NULL = none */
};

/* Who commits for a group. klamm_consumer_group_metadata() fills it. */
struct klamm_group_metadata {
	size_t size;
	const char *group_id;
	const char *member_id;         /* "" = not a member */
	const char *group_instance_id; /* NULL = not a static member (KIP-345) */
	int32_t generation;            /* or member epoch (KIP-848); -1 = not a member */
	int32_t reserved;
};

enum klamm_timestamp_type {
	KLAMM_TIMESTAMP_NONE = -1,      /* message format v0 had none */
	KLAMM_TIMESTAMP_CREATE = 0,     /* set by the producer */
	KLAMM_TIMESTAMP_LOG_APPEND = 1, /* set by the broker at append */
};

/* A timeout that never ends. Every other timeout is in milliseconds. */
#define KLAMM_FOREVER (-1)
/* default.api.timeout.ms. For calls whose comment says so. */
#define KLAMM_TIMEOUT_DEFAULT (-2)

#ifdef __cplusplus
}
#endif
#endif
