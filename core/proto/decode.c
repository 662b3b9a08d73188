/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes to structs. Nothing that the peer says is believed before it is compared with the
 * bytes that are there; the depth is that of the tables. */
#include "core/base/error.h"
#include "core/proto/engine.h"

struct dec {
	const struct kl_msg *msg;
	int version;
	bool flexible;
	struct kl_reader *r;
	const uint8_t *start;
	struct kl_arena *arena;
	bool no_memory;
	/* What failed first, for the text of the error. */
	const struct kl_type *bad_type;
	const struct kl_field *bad_field;
};

static bool get_struct(struct dec *d, const struct kl_type *type, void *obj);

static bool fail(struct dec *d)
{
	d->r->failed = true;
	return false;
}

static bool fail_memory(struct dec *d)
{
	d->no_memory = true;
	return fail(d);
}

static bool compact(const struct dec *d, const struct kl_field *field)
{
	return d->flexible && !(field->flags & KL_FIELD_CLASSIC);
}

/* -1 for null, also where the version does not allow it: the caller asks. */
static int64_t get_count(struct dec *d, const struct kl_field *field)
{
	if (compact(d, field))
		return (int64_t)kl_read_uvarint(d->r) - 1;
	return kl_read_i32(d->r);
}

static bool null_is_fine(const struct dec *d, const struct kl_field *field, int64_t n,
			 bool element)
{
	return n == -1 && !element && kl_field_may_be_null(field, d->version);
}

static bool get_string(struct dec *d, const struct kl_field *field, struct kl_str *to)
{
	int64_t n = compact(d, field) ? (int64_t)kl_read_uvarint(d->r) - 1 : kl_read_i16(d->r);
	if (n < 0) {
		*to = KL_STR_NULL;
		return null_is_fine(d, field, n, kl_field_is_array(field)) || fail(d);
	}
	if (n > INT16_MAX)
		return fail(d);
	*to = (struct kl_str){(const char *)kl_read(d->r, (size_t)n), (int32_t)n};
	return !d->r->failed;
}

static bool get_bytes(struct dec *d, const struct kl_field *field, struct kl_bytes *to)
{
	int64_t n = get_count(d, field);
	if (n < 0) {
		*to = KL_BYTES_NULL;
		return null_is_fine(d, field, n, kl_field_is_array(field)) || fail(d);
	}
	if (n > INT32_MAX)
		return fail(d);
	*to = (struct kl_bytes){kl_read(d->r, (size_t)n), (int32_t)n};
	return !d->r->failed;
}

static bool get_value(struct dec *d, const struct kl_field *field, uint8_t *p)
{
	switch (field->type) {
	case KL_BOOL:
		*(bool *)p = kl_read_u8(d->r) != 0;
		break;
	case KL_INT8:
		*p = kl_read_u8(d->r);
		break;
	case KL_INT16:
	case KL_UINT16:
		*(int16_t *)p = kl_read_i16(d->r);
		break;
	case KL_INT32:
	case KL_UINT32:
		*(int32_t *)p = kl_read_i32(d->r);
		break;
	case KL_INT64:
	case KL_FLOAT64: {
		int64_t bits = kl_read_i64(d->r);
		memcpy(p, &bits, sizeof(bits));
		break;
	}
	case KL_UUID: {
		const uint8_t *bytes = kl_read(d->r, sizeof(struct klamm_uuid));
		if (bytes != NULL)
			memcpy(p, bytes, sizeof(struct klamm_uuid));
		break;
	}
	case KL_STRING:
		return get_string(d, field, (struct kl_str *)p);
	case KL_STRUCT:
		return get_struct(d, field->sub, p);
	default:
		return get_bytes(d, field, (struct kl_bytes *)p);
	}
	return !d->r->failed;
}

/* The fewest bytes that an element takes; what is left of the input divided by this bounds
 * the count before anything is allocated. */
static size_t element_min(const struct dec *d, const struct kl_field *field)
{
	static const uint8_t sizes[] = {
		[KL_BOOL] = 1,   [KL_INT8] = 1,   [KL_INT16] = 2,    [KL_UINT16] = 2,
		[KL_INT32] = 4,  [KL_UINT32] = 4, [KL_INT64] = 8,    [KL_FLOAT64] = 8,
		[KL_UUID] = 16,  [KL_STRING] = 2, [KL_BYTES] = 4,    [KL_RECORDS] = 4,
	};
	if (field->type == KL_STRUCT)
		return kl_max(field->sub->min_sizes[d->version], 1);
	bool has_length = field->type == KL_STRING || field->type == KL_BYTES ||
			  field->type == KL_RECORDS;
	return has_length && compact(d, field) ? 1 : sizes[field->type];
}

static bool get_array(struct dec *d, const struct kl_field *field, uint8_t *obj)
{
	int64_t n = get_count(d, field);
	if (d->r->failed)
		return false;
	if (n < 0) {
		*kl_field_count(field, obj) = -1;
		return null_is_fine(d, field, n, false) || fail(d);
	}
	if (n > KL_MSG_ARRAY_MAX || (size_t)n > kl_reader_left(d->r) / element_min(d, field))
		return fail(d);
	if (n == 0)
		return true;
	size_t size = kl_field_size(field);
	uint8_t *p = kl_arena_array(d->arena, (size_t)n, size);
	if (p == NULL)
		return fail_memory(d);
	*(uint8_t **)(obj + field->offset) = p;
	*kl_field_count(field, obj) = (int32_t)n;
	for (; n > 0; n--, p += size)
		if (!get_value(d, field, p))
			return false;
	return true;
}

/* What comes before a struct that may be null is a byte; in a tag it is a varint. */
static bool get_null(struct dec *d, const struct kl_field *field)
{
	if (!kl_field_may_be_null(field, d->version))
		return false;
	return field->tag < 0 ? (int8_t)kl_read_u8(d->r) < 0
			      : (int32_t)kl_read_uvarint(d->r) <= 0;
}

static bool get_pointer(struct dec *d, const struct kl_field *field, uint8_t *obj)
{
	void **to = (void **)(obj + field->offset);
	*to = NULL;
	if (get_null(d, field))
		return !d->r->failed;
	*to = kl_arena_alloc(d->arena, field->sub->size);
	return *to != NULL ? get_struct(d, field->sub, *to) : fail_memory(d);
}

static bool get_field(struct dec *d, const struct kl_type *type, const struct kl_field *field,
		      uint8_t *obj)
{
	bool ok;
	if (kl_field_is_array(field))
		ok = get_array(d, field, obj);
	else if (field->flags & KL_FIELD_POINTER)
		ok = get_pointer(d, field, obj);
	else
		ok = get_value(d, field, obj + field->offset);
	if (kl_unlikely(!ok) && d->bad_field == NULL) {
		d->bad_type = type;
		d->bad_field = field;
	}
	return ok;
}

static const struct kl_field *known_tag(const struct dec *d, const struct kl_type *type,
					uint32_t tag)
{
	if (tag >= type->tag_count)
		return NULL;
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		if (field->tag == (int32_t)tag)
			return kl_field_in(field, d->version) ? field : NULL;
	}
	return NULL;
}

/* The value must fill its size exactly. */
static bool get_known_tag(struct dec *d, const struct kl_type *type,
			  const struct kl_field *field, uint8_t *obj, uint32_t size)
{
	if (size > kl_reader_left(d->r))
		return fail(d);
	const uint8_t *end = d->r->end;
	d->r->end = d->r->p + size;
	bool ok = get_field(d, type, field, obj) && d->r->p == d->r->end;
	d->r->end = end;
	return ok || fail(d);
}

static bool keep_tag(struct dec *d, const struct kl_type *type, uint8_t *obj,
		     struct kl_tag tag, uint32_t left)
{
	struct kl_tags **tags = (struct kl_tags **)(obj + type->tags_offset);
	if (*tags == NULL) {
		*tags = kl_arena_alloc(d->arena,
				       sizeof(**tags) + left * sizeof((*tags)->list[0]));
		if (*tags == NULL)
			return fail_memory(d);
	}
	(*tags)->list[(*tags)->n++] = tag;
	return true;
}

static bool get_tags(struct dec *d, const struct kl_type *type, uint8_t *obj)
{
	uint32_t left = kl_read_uvarint(d->r);
	/* Each takes two bytes at least. */
	if (d->r->failed || left > KL_MSG_TAGS_MAX || left > kl_reader_left(d->r) / 2)
		return fail(d);
	int64_t last = -1;
	for (; left > 0; left--) {
		uint32_t tag = kl_read_uvarint(d->r), size = kl_read_uvarint(d->r);
		if (d->r->failed || tag <= last)
			return fail(d);
		last = tag;
		const struct kl_field *field = known_tag(d, type, tag);
		if (field != NULL) {
			if (!get_known_tag(d, type, field, obj, size))
				return false;
			continue;
		}
		const uint8_t *p = size <= INT32_MAX ? kl_read(d->r, size) : NULL;
		if (p == NULL)
			return fail(d);
		struct kl_tag unknown = {tag, {p, (int32_t)size}};
		if (!keep_tag(d, type, obj, unknown, left))
			return false;
	}
	return true;
}

/* obj is zeroed: it comes from the arena. */
static bool get_struct(struct dec *d, const struct kl_type *type, void *obj)
{
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		bool absent = field->tag >= 0 || !kl_field_in(field, d->version);
		if (absent && !kl_field_fill(field, d->arena, obj))
			return fail_memory(d);
		if (!absent && !get_field(d, type, field, obj))
			return false;
	}
	return !d->flexible || get_tags(d, type, obj);
}

static int explain(const struct dec *d, struct klamm_error *err)
{
	if (d->no_memory)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "no memory to decode %s",
				d->msg->name);
	return kl_error(err, KLAMM_ERR_PROTOCOL,
			"%s version %d: %s of %s is not valid at byte %zu", d->msg->name,
			d->version, d->bad_field ? d->bad_field->name : "the tag section",
			d->bad_field ? d->bad_type->name : d->msg->name,
			(size_t)(d->r->p - d->start));
}

int kl_msg_decode(const struct kl_msg *msg, int version, struct kl_reader *reader,
		  struct kl_arena *arena, void **obj_out, struct klamm_error *err)
{
	if (version < msg->min || version > msg->max)
		return kl_error(err, KLAMM_ERR_UNSUPPORTED, "%s has no version %d", msg->name,
				version);
	struct dec d = {
		.msg = msg,
		.version = version,
		.flexible = kl_msg_flexible(msg, version),
		.r = reader,
		.start = reader->p,
		.arena = arena,
	};
	void *obj = kl_arena_alloc(arena, msg->type->size);
	if (obj == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "no memory to decode %s", msg->name);
	if (!get_struct(&d, msg->type, obj))
		return explain(&d, err);
	*obj_out = obj;
	return 0;
}
