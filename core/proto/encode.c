/* SPDX-License-Identifier: BSD-2-Clause */
/* Structs to bytes. */
#include "core/base/error.h"
#include "core/proto/engine.h"

struct enc {
	const struct kl_msg *msg;
	int version;
	bool flexible;
	struct kl_buf *buf;
	struct kl_refs *refs; /* NULL: records are copied */
	struct klamm_error *err;
	/* For the text of an error. */
	const struct kl_type *type;
	const struct kl_field *field;
};

static int put_struct(struct enc *e, const struct kl_type *type, const void *obj);

static int refuse(struct enc *e, const char *why)
{
	return kl_error(e->err, KLAMM_ERR_INVALID_ARGUMENT, "%s version %d: %s of %s %s",
			e->msg->name, e->version, e->field->name, e->type->name, why);
}

static int refuse_null(struct enc *e)
{
	return refuse(e, "is null, which this version cannot say");
}

static bool compact(const struct enc *e, const struct kl_field *field)
{
	return e->flexible && !(field->flags & KL_FIELD_CLASSIC);
}

/* The length of bytes or the count of an array; -1 is null. */
static void put_count(struct enc *e, const struct kl_field *field, int32_t n)
{
	if (compact(e, field))
		kl_buf_uvarint(e->buf, (uint32_t)n + 1);
	else
		kl_buf_i32(e->buf, n);
}

static int put_string(struct enc *e, const struct kl_field *field, struct kl_str s)
{
	/* Kafka has this limit for compact strings too. */
	if (s.len > INT16_MAX)
		return refuse(e, "is longer than 32767 bytes");
	if (s.len < 0 &&
	    (kl_field_is_array(field) || !kl_field_may_be_null(field, e->version)))
		return refuse_null(e);
	int32_t n = kl_max(s.len, -1);
	if (compact(e, field))
		kl_buf_uvarint(e->buf, (uint32_t)n + 1);
	else
		kl_buf_i16(e->buf, (int16_t)n);
	if (n > 0)
		kl_buf_put(e->buf, s.p, (size_t)n);
	return 0;
}

static int put_bytes(struct enc *e, const struct kl_field *field, struct kl_bytes b)
{
	if (b.len < 0 &&
	    (kl_field_is_array(field) || !kl_field_may_be_null(field, e->version)))
		return refuse_null(e);
	put_count(e, field, kl_max(b.len, -1));
	if (b.len <= 0)
		return 0;
	if (e->refs == NULL || field->type != KL_RECORDS)
		kl_buf_put(e->buf, b.p, (size_t)b.len);
	else if (!kl_refs_add(e->refs, e->buf->len, b.p, (size_t)b.len))
		e->buf->failed = true;
	return 0;
}

static int put_value(struct enc *e, const struct kl_field *field, const uint8_t *p)
{
	switch (field->type) {
	case KL_BOOL:
		kl_buf_u8(e->buf, *(const bool *)p);
		return 0;
	case KL_INT8:
		kl_buf_u8(e->buf, *p);
		return 0;
	case KL_INT16:
	case KL_UINT16:
		kl_buf_i16(e->buf, *(const int16_t *)p);
		return 0;
	case KL_INT32:
	case KL_UINT32:
		kl_buf_i32(e->buf, *(const int32_t *)p);
		return 0;
	case KL_INT64:
	case KL_FLOAT64: {
		int64_t bits;
		memcpy(&bits, p, sizeof(bits));
		kl_buf_i64(e->buf, bits);
		return 0;
	}
	case KL_UUID:
		kl_buf_put(e->buf, p, sizeof(struct klamm_uuid));
		return 0;
	case KL_STRING:
		return put_string(e, field, *(const struct kl_str *)p);
	case KL_STRUCT:
		return put_struct(e, field->sub, p);
	default:
		return put_bytes(e, field, *(const struct kl_bytes *)p);
	}
}

static int put_array(struct enc *e, const struct kl_field *field, const uint8_t *obj)
{
	const uint8_t *p = *(const uint8_t *const *)(obj + field->offset);
	int32_t n = *kl_field_count(field, obj);
	if (n > KL_MSG_ARRAY_MAX)
		return refuse(e, "has more than 1000000 elements");
	if (n < 0 && !kl_field_may_be_null(field, e->version))
		return refuse_null(e);
	put_count(e, field, kl_max(n, -1));
	size_t size = kl_field_size(field);
	for (int32_t i = 0; i < n; i++, p += size) {
		int rc = put_value(e, field, p);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int put_field(struct enc *e, const struct kl_type *type, const struct kl_field *field,
		     const uint8_t *obj)
{
	e->type = type;
	e->field = field;
	if (kl_field_is_array(field))
		return put_array(e, field, obj);
	const uint8_t *p = obj + field->offset;
	if (!(field->flags & KL_FIELD_POINTER))
		return put_value(e, field, p);
	p = *(const uint8_t *const *)p;
	if (p == NULL && !kl_field_may_be_null(field, e->version))
		return refuse_null(e);
	/* A struct that may be null has a byte before it: 1, or for null -1, in a tag 0. */
	uint8_t null = field->tag < 0 ? 0xff : 0;
	if (kl_field_may_be_null(field, e->version))
		kl_buf_u8(e->buf, p == NULL ? null : 1);
	return p == NULL ? 0 : put_struct(e, field->sub, p);
}

static void put_tag_header(struct enc *e, uint32_t tag, uint32_t size)
{
	kl_buf_uvarint(e->buf, tag);
	kl_buf_uvarint(e->buf, size);
}

/* The size comes before the value and is known after it: nearly always it is one byte, so
 * that is left free, and a longer one moves the value. */
static int put_known_tag(struct enc *e, const struct kl_type *type,
			 const struct kl_field *field, const uint8_t *obj)
{
	kl_buf_uvarint(e->buf, (uint32_t)field->tag);
	size_t at = e->buf->len;
	kl_buf_u8(e->buf, 0);
	int rc = put_field(e, type, field, obj);
	if (rc != 0 || e->buf->failed)
		return rc;
	size_t size = e->buf->len - at - 1;
	unsigned width = kl_uvarint_size(size);
	if (width > 1) {
		if (kl_buf_extend(e->buf, width - 1) == NULL)
			return 0;
		memmove(e->buf->data + at + width, e->buf->data + at + 1, size);
	}
	kl_store_uvarint(e->buf->data + at, size);
	return 0;
}

static bool sent_tagged(const struct enc *e, const struct kl_field *field, const void *obj)
{
	return field->tag >= 0 && kl_field_in(field, e->version) &&
	       !kl_field_is_default(field, obj);
}

static const struct kl_field *tagged(const struct kl_type *type, uint32_t tag)
{
	for (unsigned i = 0; i < type->field_count; i++)
		if (type->fields[i].tag == (int32_t)tag)
			return &type->fields[i];
	return NULL;
}

static int put_unknown_tag(struct enc *e, const struct kl_type *type, const struct kl_tag *tag,
			   int64_t last)
{
	const struct kl_field *known = tagged(type, tag->tag);
	if (tag->tag <= last || (known != NULL && kl_field_in(known, e->version)))
		return kl_error(e->err, KLAMM_ERR_INVALID_ARGUMENT,
				"%s version %d: tag %u of %s is out of order or not unknown",
				e->msg->name, e->version, tag->tag, type->name);
	uint32_t n = tag->data.len > 0 ? (uint32_t)tag->data.len : 0;
	put_tag_header(e, tag->tag, n);
	kl_buf_put(e->buf, tag->data.p, n);
	return 0;
}

/* The section at the end of each struct of a flexible version (KIP-482): known and unknown
 * tags together, ascending. */
static int put_tags(struct enc *e, const struct kl_type *type, const uint8_t *obj)
{
	const struct kl_tags *tags = kl_type_tags(type, obj);
	int32_t unknown = tags != NULL ? tags->n : 0, at = 0;
	uint32_t count = (uint32_t)unknown;
	for (uint32_t t = 0; t < type->tag_count; t++)
		count += sent_tagged(e, tagged(type, t), obj);
	kl_buf_uvarint(e->buf, count);
	if (count == 0)
		return 0;
	int rc = 0;
	for (uint32_t t = 0; rc == 0 && t < type->tag_count; t++) {
		const struct kl_field *field = tagged(type, t);
		if (sent_tagged(e, field, obj))
			rc = put_known_tag(e, type, field, obj);
		else if (at < unknown && tags->list[at].tag == t)
			rc = put_unknown_tag(e, type, &tags->list[at++], -1);
	}
	int64_t last = (int64_t)type->tag_count - 1;
	for (; rc == 0 && at < unknown; at++) {
		rc = put_unknown_tag(e, type, &tags->list[at], last);
		last = tags->list[at].tag;
	}
	return rc;
}

static int put_struct(struct enc *e, const struct kl_type *type, const void *obj)
{
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		if (!kl_field_in(field, e->version)) {
			if (!(field->flags & KL_FIELD_IGNORABLE) &&
			    !kl_field_is_default(field, obj))
				return kl_error(e->err, KLAMM_ERR_UNSUPPORTED,
						"%s version %d has no %s in %s",
						e->msg->name, e->version, field->name,
						type->name);
		} else if (field->tag < 0) {
			int rc = put_field(e, type, field, obj);
			if (rc != 0)
				return rc;
		}
	}
	if (e->flexible)
		return put_tags(e, type, obj);
	if (kl_type_tags(type, obj) != NULL)
		return kl_error(e->err, KLAMM_ERR_UNSUPPORTED,
				"%s version %d has no tagged fields, as %s carries",
				e->msg->name, e->version, type->name);
	return 0;
}

int kl_msg_encode_refs(const struct kl_msg *msg, int version, const void *obj,
		       struct kl_buf *buf, struct kl_refs *refs, struct klamm_error *err)
{
	if (version < msg->min || version > msg->max)
		return kl_error(err, KLAMM_ERR_UNSUPPORTED, "%s has no version %d", msg->name,
				version);
	struct enc e = {
		.msg = msg,
		.version = version,
		.flexible = kl_msg_flexible(msg, version),
		.buf = buf,
		.refs = refs,
		.err = err,
	};
	size_t start = buf->len;
	int rc = put_struct(&e, msg->type, obj);
	if (rc == 0 && buf->failed)
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "no memory to encode %s", msg->name);
	if (rc != 0)
		buf->len = start;
	return rc;
}

int kl_msg_encode(const struct kl_msg *msg, int version, const void *obj,
		  struct kl_buf *buf, struct klamm_error *err)
{
	return kl_msg_encode_refs(msg, version, obj, buf, NULL, err);
}
