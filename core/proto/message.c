/* SPDX-License-Identifier: BSD-2-Clause */
#include <strings.h>

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

static void init_field(const struct kl_field *field, uint8_t *p)
{
	bool null = field->flags & KL_FIELD_NULL;
	switch (field->type) {
	case KL_BOOL:
		*(bool *)p = field->fallback != 0;
		break;
	case KL_INT8:
		*(int8_t *)p = (int8_t)field->fallback;
		break;
	case KL_INT16:
		*(int16_t *)p = (int16_t)field->fallback;
		break;
	case KL_UINT16:
		*(uint16_t *)p = (uint16_t)field->fallback;
		break;
	case KL_INT32:
		*(int32_t *)p = (int32_t)field->fallback;
		break;
	case KL_UINT32:
		*(uint32_t *)p = (uint32_t)field->fallback;
		break;
	case KL_INT64:
		*(int64_t *)p = field->fallback;
		break;
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
	default: /* KL_FLOAT64, KL_UUID: zero */
		break;
	}
}

void kl_type_init(const struct kl_type *type, void *obj)
{
	memset(obj, 0, type->size);
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		uint8_t *p = obj;
		if (!(field->flags & KL_FIELD_ARRAY))
			init_field(field, p + field->offset);
		else if (field->flags & KL_FIELD_NULL)
			*(int32_t *)(p + field->count_offset) = -1;
	}
}

void *kl_type_new(const struct kl_type *type, struct kl_arena *arena, size_t count)
{
	uint8_t *array = kl_arena_array(arena, count, type->size);
	for (size_t i = 0; array != NULL && i < count; i++)
		kl_type_init(type, array + i * type->size);
	return array;
}
