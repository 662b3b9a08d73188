/* SPDX-License-Identifier: BSD-2-Clause */
/* Structs to JSON, with the names of the schema. */
#include <math.h>
#include <stdio.h>

#include "core/base/text.h"
#include "core/proto/engine.h"

struct out {
	int version;
	bool hide; /* secrets */
	struct kl_buf *buf;
};

static void put_struct(struct out *o, const struct kl_type *type, const void *obj);

static void put_text(struct out *o, const char *text)
{
	kl_buf_put(o->buf, text, strlen(text));
}

static void put_base64(struct out *o, const void *p, int32_t n)
{
	put_text(o, "{\"base64\":\"");
	kl_buf_base64(o->buf, p, (size_t)n);
	put_text(o, "\"}");
}

static void put_nan(struct out *o, double v)
{
	uint8_t bytes[8];
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	kl_store_u64(bytes, bits);
	if (bits == KL_NAN_BITS)
		put_text(o, "\"NaN\"");
	else
		put_base64(o, bytes, sizeof(bytes));
}

static void put_double(struct out *o, double v)
{
	/* JSON has no numbers for these three; of NaNs there are many, one of them usual. */
	if (isnan(v)) {
		put_nan(o, v);
		return;
	}
	if (isinf(v)) {
		put_text(o, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
		return;
	}
	/* The application's locale may have another decimal point, of several bytes. */
	char text[48];
	snprintf(text, sizeof(text), "%.17g", v);
	size_t whole = strspn(text, "-0123456789");
	kl_buf_put(o->buf, text, whole);
	if (v == 0 && signbit(v))
		put_text(o, ".0"); /* an integer has no negative zero */
	if (text[whole] == '\0')
		return;
	if (text[whole] != 'e')
		kl_buf_u8(o->buf, '.');
	const char *rest = text + whole;
	put_text(o, *rest == 'e' ? rest : rest + strcspn(rest, "0123456789"));
}

static void put_value(struct out *o, const struct kl_field *field, const uint8_t *p)
{
	switch (field->type) {
	case KL_BOOL:
		put_text(o, *(const bool *)p ? "true" : "false");
		break;
	case KL_FLOAT64:
		put_double(o, *(const double *)p);
		break;
	case KL_UUID: {
		char text[KL_UUID_TEXT];
		kl_uuid_text((const struct klamm_uuid *)p, text);
		kl_buf_printf(o->buf, "\"%s\"", text);
		break;
	}
	case KL_STRING: {
		const struct kl_str *s = (const struct kl_str *)p;
		if (s->len < 0)
			put_text(o, "null");
		else
			kl_buf_json_bytes(o->buf, s->p, (size_t)s->len);
		break;
	}
	case KL_BYTES:
	case KL_RECORDS: {
		const struct kl_bytes *b = (const struct kl_bytes *)p;
		if (b->len < 0)
			put_text(o, "null");
		else
			put_base64(o, b->p, b->len);
		break;
	}
	case KL_STRUCT:
		put_struct(o, field->sub, p);
		break;
	default:
		kl_buf_printf(o->buf, "%lld", (long long)kl_field_number(field, p));
	}
}

static void put_field(struct out *o, const struct kl_field *field, const uint8_t *obj)
{
	const uint8_t *p = obj + field->offset;
	if (!kl_field_is_array(field) && !(field->flags & KL_FIELD_POINTER)) {
		put_value(o, field, p);
		return;
	}
	p = *(const uint8_t *const *)p;
	if (!kl_field_is_array(field)) {
		if (p == NULL)
			put_text(o, "null");
		else
			put_struct(o, field->sub, p);
		return;
	}
	int32_t n = *kl_field_count(field, obj);
	if (n < 0) {
		put_text(o, "null");
		return;
	}
	size_t size = kl_field_size(field);
	for (int32_t i = 0; i < n; i++) {
		kl_buf_u8(o->buf, i == 0 ? '[' : ',');
		put_value(o, field, p + (size_t)i * size);
	}
	put_text(o, n == 0 ? "[]" : "]");
}

static void put_tags(struct out *o, const struct kl_tags *tags)
{
	put_text(o, "\"_tags\":");
	for (int32_t i = 0; i < tags->n; i++) {
		kl_buf_printf(o->buf, "%c\"%u\":", i == 0 ? '{' : ',', tags->list[i].tag);
		put_base64(o, tags->list[i].data.p, kl_max(tags->list[i].data.len, 0));
	}
	put_text(o, tags->n == 0 ? "{}" : "}");
}

static void put_struct(struct out *o, const struct kl_type *type, const void *obj)
{
	char before = '{';
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		if (!kl_field_in(field, o->version) ||
		    (field->tag >= 0 && kl_field_is_default(field, obj)))
			continue;
		kl_buf_printf(o->buf, "%c\"%s\":", before, field->name);
		if (o->hide && (field->flags & KL_FIELD_SECRET))
			put_text(o, "\"[hidden]\"");
		else
			put_field(o, field, obj);
		before = ',';
	}
	const struct kl_tags *tags = kl_type_tags(type, obj);
	if (tags != NULL) {
		kl_buf_u8(o->buf, (uint8_t)before);
		put_tags(o, tags);
		before = ',';
	}
	put_text(o, before == '{' ? "{}" : "}");
}

void kl_msg_json(const struct kl_msg *msg, int version, const void *obj, struct kl_buf *buf)
{
	put_struct(&(struct out){.version = version, .buf = buf}, msg->type, obj);
}

void kl_msg_json_public(const struct kl_msg *msg, int version, const void *obj,
			struct kl_buf *buf)
{
	struct out o = {.version = version, .hide = true, .buf = buf};
	put_struct(&o, msg->type, obj);
}
