/* SPDX-License-Identifier: BSD-2-Clause */
/* Kafka messages as plain structs, and the one engine that walks their tables.
 *
 * schema/ describes every message once; gen/messages.h has the structs with the fields of
 * all versions, gen/messages.c the tables. A message is encoded, decoded, printed and made
 * up by walking its table. Pure functions of their arguments: any thread.
 */
#ifndef KL_MSG_H
#define KL_MSG_H

#include <klamm/error.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/proto/gen/api.h"

/* --- values inside messages --- */

/* Not NUL-terminated; len -1 = null. Zeroed = empty. Decoded ones point into the input. */
struct kl_str {
	const char *p;
	int32_t len;
};
struct kl_bytes {
	const uint8_t *p;
	int32_t len;
};

#define KL_STR(literal) ((struct kl_str){"" literal, sizeof(literal) - 1})
#define KL_STR_NULL ((struct kl_str){NULL, -1})
#define KL_BYTES_NULL ((struct kl_bytes){NULL, -1})

static inline struct kl_str kl_str(const char *text) /* borrowed; NULL = null */
{
	return text ? (struct kl_str){text, (int32_t)strlen(text)} : KL_STR_NULL;
}
static inline bool kl_str_equal(struct kl_str a, struct kl_str b)
{
	return a.len == b.len && (a.len <= 0 || memcmp(a.p, b.p, (size_t)a.len) == 0);
}
static inline bool kl_str_is(struct kl_str a, const char *text)
{
	return kl_str_equal(a, kl_str(text));
}
static inline bool kl_uuid_equal(const struct klamm_uuid *a, const struct klamm_uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
static inline bool kl_uuid_is_zero(const struct klamm_uuid *uuid) /* zero = absent */
{
	return kl_uuid_equal(uuid, &(struct klamm_uuid){{0}});
}

/* Tagged fields (KIP-482) that the schema does not know, ascending. A struct's `tags` is
 * NULL when there are none; they are written back as they came. */
struct kl_tag {
	uint32_t tag;
	struct kl_bytes data;
};
struct kl_tags {
	int32_t n;
	struct kl_tag list[];
};

/* --- tables --- */

enum kl_field_type {
	KL_BOOL,
	KL_INT8,
	KL_INT16,
	KL_UINT16,
	KL_INT32,
	KL_UINT32,
	KL_INT64,
	KL_FLOAT64,
	KL_UUID,
	KL_STRING,
	KL_BYTES,
	KL_RECORDS, /* bytes that hold record batches */
	KL_STRUCT,
};
enum {
	KL_FIELD_ARRAY = 1,     /* pointer at offset, int32_t count at count_offset */
	KL_FIELD_IGNORABLE = 2, /* dropped silently when the version lacks it */
	KL_FIELD_CLASSIC = 4,   /* old length encoding in flexible versions too */
	KL_FIELD_NULL = 8,      /* its default is null; a struct's else is an empty one */
	KL_FIELD_POINTER = 16,  /* a struct that may be null: a pointer, not the struct */
	KL_FIELD_SECRET = 32,   /* a password, a token: not for logs */
};

struct kl_field {
	const char *name; /* as Kafka spells it: "TopicData" */
	uint8_t type, flags;
	uint8_t min, max;           /* versions that have it */
	uint8_t null_min, null_max; /* versions where it may be null; min > max = none */
	int16_t tag;                /* -1 = part of the sequence */
	uint16_t offset, count_offset;
	const struct kl_type *sub; /* of KL_STRUCT */
	int64_t fallback;          /* the default of numbers and bool */
	const char *fallback_text; /* the default of strings, NULL = "" */
};

/* One struct: a message, or a part of one. */
struct kl_type {
	const char *name; /* "MetadataRequest", "MetadataRequest.Topic" */
	const struct kl_field *fields;
	const uint8_t *min_sizes; /* fewest bytes it takes, by version; 255 = that or more */
	uint32_t size;            /* of the C struct */
	uint16_t field_count;
	uint16_t tags_offset; /* of `struct kl_tags *tags` */
	uint16_t tag_count;   /* known tags, 0 .. tag_count - 1 */
};

enum kl_msg_kind {
	KL_MSG_REQUEST,
	KL_MSG_RESPONSE,
	KL_MSG_HEADER,
	KL_MSG_DATA,
};
struct kl_msg {
	const char *name; /* "MetadataRequest" */
	const struct kl_type *type;
	int16_t api; /* enum kl_api, -1 for headers and data */
	uint8_t kind;
	uint8_t min, max;  /* versions that the tables know */
	uint8_t stable;    /* the newest version that may be sent unasked */
	uint8_t flexible;  /* the first flexible version; 255 = none is */
};

/* --- finding a description; usually it is `&kl_msg_metadata_request` of gen/messages.h --- */

const struct kl_msg *kl_msg_request(int api);  /* NULL: klamm has no such message */
const struct kl_msg *kl_msg_response(int api);
const struct kl_msg *kl_msg_named(const char *name); /* "FetchRequest"; NULL = unknown */
/* All of them, requests and responses by API key, then headers and data. */
const struct kl_msg *const *kl_msg_all(size_t *count_out);
/* "Metadata"; "unknown" for a number that Kafka 4.4 does not use. Never NULL. */
const char *kl_api_name(int api);
int kl_api_named(const char *name); /* -1 = unknown; upper and lower case are equal */

static inline bool kl_msg_flexible(const struct kl_msg *msg, int version)
{
	return version >= msg->flexible;
}

/* --- objects --- */

/* Every field its default; structs that may be null are null. obj has msg->type->size
 * bytes. */
void kl_msg_init(const struct kl_msg *msg, void *obj);
void kl_type_init(const struct kl_type *type, void *obj);
/* An array of count structs with their defaults, and those are what a message means that does
 * not name a field: an empty struct, where that is the default of one that may be null. NULL
 * when out of memory. count 0 is fine. */
void *kl_type_new(const struct kl_type *type, struct kl_arena *arena, size_t count);

/* --- the engine --- */

/* Append obj to buf. UNSUPPORTED: the version lacks a field that is set and may not be
 * dropped. INVALID_ARGUMENT: a null, a length or a count that cannot be sent. The text
 * names message, version and field. On failure buf is cut to where it was. */
int kl_msg_encode(const struct kl_msg *msg, int version, const void *obj,
		  struct kl_buf *buf, struct klamm_error *err);

/* The same, but records are not copied: refs tells where in buf they belong. */
int kl_msg_encode_refs(const struct kl_msg *msg, int version, const void *obj,
		       struct kl_buf *buf, struct kl_refs *refs, struct klamm_error *err);

/* Read one message. Strings, bytes and tags point into the input, the rest is in arena,
 * which the caller frees. Counts are checked against the bytes that are left, so memory is
 * bounded by the input's size. The reader stands behind the message: bytes that are left
 * over are the caller's to judge. PROTOCOL: not such a message. */
int kl_msg_decode(const struct kl_msg *msg, int version, struct kl_reader *reader,
		  struct kl_arena *arena, void **obj_out, struct klamm_error *err);

/* Append obj as one line of JSON with the fields of this version, named as in the schema
 * ("ThrottleTimeMs"). Bytes, and strings that are not UTF-8, are {"base64":"..."};
 * unknown tags {"_tags":{"7":{"base64":"..."}}}. Nothing is lost: the JSON says every bit
 * that the message has. Only buf->failed tells a failure. */
void kl_msg_json(const struct kl_msg *msg, int version, const void *obj, struct kl_buf *buf);
/* The same for logs: what the schema calls secret is "[hidden]". */
void kl_msg_json_public(const struct kl_msg *msg, int version, const void *obj,
			struct kl_buf *buf);

/* A NaN with other bits than these is printed as {"base64":"..."} of its eight bytes. */
#define KL_NAN_BITS UINT64_C(0x7ff8000000000000)

/* Make up a message that this version can carry: random values, nulls where allowed, empty
 * and filled arrays, unknown tags. The same seed gives the same message. */
int kl_msg_random(const struct kl_msg *msg, int version, uint64_t seed,
		  struct kl_arena *arena, void **obj_out, struct klamm_error *err);

/* Kafka's limits for what it reads. */
#define KL_MSG_ARRAY_MAX 1000000
#define KL_MSG_TAGS_MAX 10000

#endif
