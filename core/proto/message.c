/* SPDX-License-Identifier: BSD-2-Clause */
#include <strings.h>

#include "core/proto/engine.h"
#include "core/proto/tables.h"

const struct kl_msg *kl_msg_request(int api)
{
	return api >= 0 && (size_t)api < kl_api_table_len ? kl_api_table[api].request : NULL;
}

const struct kl_msg *kl_msg_response(int api)
{
	return api >= 0 && (size_t)api < kl_api_table_len ? kl_api_table[api].response : NULL;
}

const struct kl_msg *const *kl_msg_all(size_t *count_out)
{
	*count_out = kl_msg_table_len;
	return kl_msg_table;
}

const struct kl_msg *kl_msg_named(const char *name)
{
	for (size_t i = 0; i < kl_msg_table_len; i++)
		if (strcmp(kl_msg_table[i]->name, name) == 0)
			return kl_msg_table[i];
	return NULL;
}

const char *kl_api_name(int api)
{
	return api >= 0 && (size_t)api < kl_api_table_len ? kl_api_table[api].name : "unknown";
}

int kl_api_named(const char *name)
{
	for (size_t i = 0; i < kl_api_table_len; i++)
		if (strcasecmp(kl_api_table[i].name, name) == 0)
			return (int)i;
	return -1;
}

void kl_msg_init(const struct kl_msg *msg, void *obj)
{
	kl_type_init(msg->type, obj);
}

void kl_field_set_number(const struct kl_field *field, void *p, int64_t v)
{
	switch (field->type) {
	case KL_BOOL:
		*(bool *)p = v != 0;
		break;
	case KL_INT8:
		*(int8_t *)p = (int8_t)v;
		break;
	case KL_INT16:
	case KL_UINT16:
		*(uint16_t *)p = (uint16_t)v;
		break;
	case KL_INT32:
	case KL_UINT32:
		*(uint32_t *)p = (uint32_t)v;
		break;
	case KL_INT64:
		*(int64_t *)p = v;
		break;
	}
}

int64_t kl_field_number(const struct kl_field *field, const void *p)
{
	switch (field->type) {
	case KL_BOOL:
		return *(const bool *)p;
	case KL_INT8:
		return *(const int8_t *)p;
	case KL_INT16:
		return *(const int16_t *)p;
	case KL_UINT16:
		return *(const uint16_t *)p;
	case KL_INT32:
		return *(const int32_t *)p;
	case KL_UINT32:
		return *(const uint32_t *)p;
	default:
		return *(const int64_t *)p;
	}
}

size_t kl_field_size(const struct kl_field *field)
{
	static const uint8_t sizes[] = {
		[KL_BOOL] = sizeof(bool),
		[KL_INT8] = 1,
		[KL_INT16] = 2,
		[KL_UINT16] = 2,
		[KL_INT32] = 4,
		[KL_UINT32] = 4,
		[KL_INT64] = 8,
		[KL_FLOAT64] = sizeof(double),
		[KL_UUID] = sizeof(struct klamm_uuid),
		[KL_STRING] = sizeof(struct kl_str),
		[KL_BYTES] = sizeof(struct kl_bytes),
		[KL_RECORDS] = sizeof(struct kl_bytes),
	};
	if (field->flags & KL_FIELD_POINTER)
		return sizeof(void *);
	return field->type == KL_STRUCT ? field->sub->size : sizes[field->type];
}

void kl_field_init(const struct kl_field *field, void *obj)
{
	uint8_t *p = (uint8_t *)obj + field->offset;
	bool null = field->flags & KL_FIELD_NULL;
	if (kl_field_is_array(field)) {
		*kl_field_count(field, obj) = null ? -1 : 0;
		return;
	}
	switch (field->type) {
	case KL_STRING:
		*(struct kl_str *)p = null ? KL_STR_NULL : kl_str(field->fallback_text ?: "");
		break;
	case KL_BYTES:
	case KL_RECORDS:
		((struct kl_bytes *)p)->len = null ? -1 : 0;
		break;
	case KL_STRUCT:
		if (!(field->flags & KL_FIELD_POINTER))
			kl_type_init(field->sub, p);
		break;
	default:
		if (field->fallback != 0)
			kl_field_set_number(field, p, field->fallback);
	}
}

void kl_type_init(const struct kl_type *type, void *obj)
{
	memset(obj, 0, type->size);
	for (unsigned i = 0; i < type->field_count; i++)
		kl_field_init(&type->fields[i], obj);
}

bool kl_field_fill(const struct kl_field *field, struct kl_arena *arena, void *obj)
{
	kl_field_init(field, obj);
	if (!(field->flags & KL_FIELD_POINTER) || (field->flags & KL_FIELD_NULL))
		return true;
	void *sub = kl_type_new(field->sub, arena, 1);
	*(void **)((uint8_t *)obj + field->offset) = sub;
	return sub != NULL;
}

bool kl_type_fill(const struct kl_type *type, struct kl_arena *arena, void *obj)
{
	memset(obj, 0, type->size);
	for (unsigned i = 0; i < type->field_count; i++)
		if (!kl_field_fill(&type->fields[i], arena, obj))
			return false;
	return true;
}

void *kl_type_new(const struct kl_type *type, struct kl_arena *arena, size_t count)
{
	uint8_t *array = kl_arena_array(arena, count, type->size);
	for (size_t i = 0; array != NULL && i < count; i++)
		if (!kl_type_fill(type, arena, array + i * type->size))
			return NULL;
	return array;
}

static bool type_is_default(const struct kl_type *type, const void *obj)
{
	for (unsigned i = 0; i < type->field_count; i++)
		if (!kl_field_is_default(&type->fields[i], obj))
			return false;
	return kl_type_tags(type, obj) == NULL;
}

bool kl_field_is_default(const struct kl_field *field, const void *obj)
{
	const uint8_t *p = (const uint8_t *)obj + field->offset;
	bool null = field->flags & KL_FIELD_NULL;
	if (kl_field_is_array(field))
		return *kl_field_count(field, obj) == (null ? -1 : 0);
	switch (field->type) {
	case KL_FLOAT64:
		return *(const double *)p == 0;
	case KL_UUID:
		return kl_uuid_is_zero((const struct klamm_uuid *)p);
	case KL_STRING:
		if (null)
			return ((const struct kl_str *)p)->len < 0;
		return kl_str_is(*(const struct kl_str *)p, field->fallback_text ?: "");
	case KL_BYTES:
	case KL_RECORDS:
		return ((const struct kl_bytes *)p)->len == (null ? -1 : 0);
	case KL_STRUCT:
		if (!(field->flags & KL_FIELD_POINTER))
			return type_is_default(field->sub, p);
		p = *(const uint8_t *const *)p;
		return p == NULL ? null : !null && type_is_default(field->sub, p);
	default:
		return kl_field_number(field, p) == field->fallback;
	}
}
