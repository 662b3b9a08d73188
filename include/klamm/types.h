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

enum klamm_timestamp_type {
	KLAMM_TIMESTAMP_NONE = -1,      /* message format v0 had none */
	KLAMM_TIMESTAMP_CREATE = 0,     /* set by the producer */
	KLAMM_TIMESTAMP_LOG_APPEND = 1, /* set by the broker at append */
};

/* A timeout that never ends. Every other timeout is in milliseconds. */
#define KLAMM_FOREVER (-1)

#ifdef __cplusplus
}
#endif
#endif
