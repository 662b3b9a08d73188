/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins of the kind serializer, and the values that they turn into bytes and back.
 *
 * Chosen by key.serializer, value.serializer, key.deserializer and value.deserializer,
 * an instance for each; host->role says which one it is. encode() runs in the thread
 * that calls send(), decode() in the one that asks for the value of a record.
 */
#ifndef KLAMM_SERIALIZER_H
#define KLAMM_SERIALIZER_H

#include <klamm/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KLAMM_ABI_serializer KLAMM_ABI(KLAMM_KIND_SERIALIZER, 1)

enum klamm_value_type {
	KLAMM_VALUE_NULL = 0,
	KLAMM_VALUE_BYTES = 1,  /* as.bytes; empty is not null */
	KLAMM_VALUE_STRING = 2, /* as.bytes, UTF-8, without a NUL at its end */
	KLAMM_VALUE_INT = 3,    /* as.integer */
	KLAMM_VALUE_DOUBLE = 4, /* as.real */
	KLAMM_VALUE_BOOL = 5,   /* as.boolean: 0 or 1 */
	KLAMM_VALUE_UUID = 6,   /* as.uuid */
	KLAMM_VALUE_LIST = 7,   /* as.list */
	KLAMM_VALUE_MAP = 8,    /* as.map, in the order that it was written */
	KLAMM_VALUE_NATIVE = 9, /* as.native: something that only its type name explains */
};

/* Lists and maps do not nest deeper. */
#define KLAMM_VALUE_DEPTH_MAX 64

struct klamm_value;
struct klamm_entry;

struct klamm_list {
	const struct klamm_value *items;
	size_t count;
};
struct klamm_map {
	const struct klamm_entry *entries;
	size_t count;
};
struct klamm_native {
	const char *type; /* "avro.GenericRecord", ... */
	void *ptr;
	/* In a decoded value: called once with ptr when the value's memory goes, NULL =
	 * nothing to do. In a value to encode: not looked at. Any thread. */
	void (*free)(void *ptr);
};

/* Passed by pointer only. Frozen; new types may come, and an encode() that does not know
 * one answers SERIALIZE. */
struct klamm_value {
	int32_t type; /* enum klamm_value_type */
	uint32_t reserved;
	union {
		struct klamm_span bytes;
		int64_t integer;
		double real;
		int32_t boolean;
		struct klamm_uuid uuid;
		struct klamm_list list;
		struct klamm_map map;
		struct klamm_native native;
	} as;
};

struct klamm_entry {
	struct klamm_value key, value;
};

/* Where the bytes go or come from. Everything is borrowed for the call. */
struct klamm_serializer_ctx {
	size_t size;
	const char *topic;
	int32_t is_key; /* 1 = key, 0 = value */
	int32_t reserved;
	/* encode: the record's own; decode: those of the record that was read. */
	const struct klamm_header *headers;
	size_t header_count;
	struct klamm_call call; /* for one that must ask a registry */
};

/* Headers that encode() adds behind the record's own. Made by klamm. Frozen. */
struct klamm_headers_out {
	/* header is copied. NO_MEMORY, RECORD_TOO_LARGE. */
	int (*add)(struct klamm_headers_out *headers, const struct klamm_header *header);
};

/* flags of the descriptor */
/* Calls on one self are not safe in several threads at once: the core takes a lock. */
#define KLAMM_SERIALIZER_SERIAL 1u
/* A null is given to encode() and decode() too. Without it null stays null, both ways,
 * and no call is made. */
#define KLAMM_SERIALIZER_TAKES_NULL 2u

struct klamm_serializer_plugin {
	struct klamm_plugin_head head;

	/* Mandatory, may be 0. KLAMM_SERIALIZER_... */
	uint32_t flags;
	uint32_t reserved; /* 0 */

	/* Mandatory. The thread that sends, several at once unless SERIAL. Appends the bytes
	 * of value (borrowed) to out, or sets KLAMM_OUT_NULL in its flags. SERIALIZE: it is
	 * of a type or form that cannot be written; LIMIT: above what a record may have. */
	int (*encode)(void *self, const struct klamm_serializer_ctx *ctx,
		      const struct klamm_value *value, struct klamm_out *out,
		      struct klamm_headers_out *headers, struct klamm_error *err);

	/* Mandatory. The thread that reads, several at once unless SERIAL. in stays valid as
	 * long as the arena, so the value may point into it. *value_out and all it points to
	 * are in the arena or in in. DESERIALIZE: the bytes are not what they should be. */
	int (*decode)(void *self, const struct klamm_serializer_ctx *ctx,
		      const struct klamm_span *in, struct klamm_arena *arena,
		      struct klamm_value *value_out, struct klamm_error *err);

	/* ABI 1 as first released ends here. */
};

#ifdef __cplusplus
}
#endif
#endif
