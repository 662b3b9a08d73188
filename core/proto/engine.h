/* SPDX-License-Identifier: BSD-2-Clause */
/* What encode.c, decode.c, json.c and random.c share: how a field lies in its struct. */
#ifndef KL_ENGINE_H
#define KL_ENGINE_H

#include "core/proto/msg.h"

static inline bool kl_field_in(const struct kl_field *field, int version)
{
	return version >= field->min && version <= field->max;
}
static inline bool kl_field_may_be_null(const struct kl_field *field, int version)
{
	return version >= field->null_min && version <= field->null_max;
}
static inline bool kl_field_is_array(const struct kl_field *field)
{
	return field->flags & KL_FIELD_ARRAY;
}
static inline struct kl_tags *kl_type_tags(const struct kl_type *type, const void *obj)
{
	return *(struct kl_tags *const *)((const uint8_t *)obj + type->tags_offset);
}
static inline int32_t *kl_field_count(const struct kl_field *field, const void *obj)
{
	return (int32_t *)((uint8_t *)obj + field->count_offset);
}

/* bool and integers, as one type. p: the value itself. */
int64_t kl_field_number(const struct kl_field *field, const void *p);
void kl_field_set_number(const struct kl_field *field, void *p, int64_t v);
/* Bytes of one value, or of one element, in the C struct. */
size_t kl_field_size(const struct kl_field *field);
/* Give the field its default; its memory is zeroed. */
void kl_field_init(const struct kl_field *field, void *obj);
/* The same as a message means it that does not name the field: where an empty struct is the
 * default of one that may be null, there is one, in the arena. false: out of memory. */
bool kl_field_fill(const struct kl_field *field, struct kl_arena *arena, void *obj);
bool kl_type_fill(const struct kl_type *type, struct kl_arena *arena, void *obj);
bool kl_field_is_default(const struct kl_field *field, const void *obj);

#endif
