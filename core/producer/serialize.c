/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/serialize.h"

#include <stdlib.h>

#include "core/base/error.h"

/* The record's headers, then what encode() adds; names and values are copied. */
struct kl_added_headers {
	struct klamm_headers_out api;
	struct klamm_header *list;
	size_t count, cap;
	struct kl_arena arena;
};

static int add_header(struct klamm_headers_out *api, const struct klamm_header *header)
{
	struct kl_added_headers *added = kl_container(api, struct kl_added_headers, api);
	if (added->count == added->cap) {
		size_t cap = added->cap * 2 + 4;
		struct klamm_header *list = reallocarray(added->list, cap, sizeof(*list));
		if (list == NULL)
			return KLAMM_ERR_NO_MEMORY;
		added->list = list;
		added->cap = cap;
	}
	struct klamm_header copy = *header;
	copy.name.data = kl_arena_text(&added->arena, header->name.data, header->name.len);
	if (header->value.data != NULL)
		copy.value.data =
			kl_arena_text(&added->arena, header->value.data, header->value.len);
	if (copy.name.data == NULL || (header->value.data != NULL && copy.value.data == NULL))
		return KLAMM_ERR_NO_MEMORY;
	added->list[added->count++] = copy;
	return 0;
}

static struct kl_added_headers *added_new(const struct klamm_record *record)
{
	struct kl_added_headers *added = calloc(1, sizeof(*added));
	if (added == NULL)
		return NULL;
	added->api.add = add_header;
	added->cap = record->header_count;
	if (added->cap > 0) {
		added->list = reallocarray(NULL, added->cap, sizeof(*added->list));
		if (added->list == NULL) {
			free(added);
			return NULL;
		}
		memcpy(added->list, record->headers, added->cap * sizeof(*added->list));
		added->count = added->cap;
	}
	return added;
}

void kl_serialized_free(struct kl_serialized *s)
{
	kl_sink_free(&s->key_out);
	kl_sink_free(&s->value_out);
	if (s->added != NULL) {
		free(s->added->list);
		kl_arena_free(&s->added->arena);
		free(s->added);
	}
}

/* Without a serializer only what is bytes already can be sent. */
static int as_bytes(const struct klamm_value *value, const char *what,
		    struct klamm_span *span_out, struct klamm_error *err)
{
	switch (value->type) {
	case KLAMM_VALUE_NULL:
		*span_out = (struct klamm_span){NULL, 0};
		return 0;
	case KLAMM_VALUE_BYTES:
	case KLAMM_VALUE_STRING:
		*span_out = value->as.bytes;
		return 0;
	default:
		return kl_error(err, KLAMM_ERR_SERIALIZE,
				"the %s is not bytes, and %s.serializer names no plugin", what,
				what);
	}
}

struct side {
	struct kl_role_plugin *serializer;
	bool is_key;
	const struct klamm_value *value; /* as the application gave it, or NULL */
	struct klamm_span raw;           /* else these bytes */
	struct kl_sink *sink;
};

static int encode(struct klamm_producer *p, const struct klamm_topic *topic,
		  const struct klamm_record *record, struct side *side,
		  struct klamm_headers_out *headers, struct klamm_span *span_out,
		  struct klamm_error *err)
{
	const struct klamm_serializer_plugin *plugin = &side->serializer->plugin->serializer;
	struct klamm_value bytes = {.type = KLAMM_VALUE_BYTES, .as.bytes = side->raw};
	if (side->raw.data == NULL)
		bytes.type = KLAMM_VALUE_NULL;
	const struct klamm_value *value = side->value != NULL ? side->value : &bytes;
	if (value->type == KLAMM_VALUE_NULL &&
	    (plugin->flags & KLAMM_SERIALIZER_TAKES_NULL) == 0) {
		*span_out = (struct klamm_span){NULL, 0};
		return 0;
	}
	static const int32_t never = 0;
	struct klamm_serializer_ctx ctx = {
		.size = sizeof(ctx),
		.topic = topic->name,
		.is_key = side->is_key,
		.headers = record->headers,
		.header_count = record->header_count,
		.call = {sizeof(ctx.call), p->settings->max_block_ms, &never},
	};
	kl_sink_init(side->sink, p->record_max, NULL);
	bool serial = (plugin->flags & KLAMM_SERIALIZER_SERIAL) != 0;
	if (serial)
		kl_mutex_lock(&side->serializer->mutex);
	int rc = plugin->encode(side->serializer->instance.self, &ctx, value, &side->sink->out,
				headers, err);
	if (serial)
		kl_mutex_unlock(&side->serializer->mutex);
	if (rc != 0) {
		kl_error_prefix(err, "topic %s: serializer %s cannot write the %s",
				topic->name, plugin->head.name,
				side->is_key ? "key" : "value");
		return rc;
	}
	const struct klamm_out *out = &side->sink->out;
	if ((out->flags & KLAMM_OUT_NULL) != 0)
		*span_out = (struct klamm_span){NULL, 0};
	else
		*span_out = (struct klamm_span){out->data ? out->data : (const void *)"",
						out->len};
	return 0;
}

static int one_side(struct klamm_producer *p, const struct klamm_topic *topic,
		    const struct klamm_record *record, struct side *side,
		    struct kl_serialized *s, struct klamm_span *span_out,
		    struct klamm_error *err)
{
	if (side->serializer->plugin == NULL) {
		if (side->value != NULL)
			return as_bytes(side->value, side->is_key ? "key" : "value",
					span_out, err);
		*span_out = side->raw;
		return 0;
	}
	if (s->added == NULL) {
		s->added = added_new(record);
		if (s->added == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for headers");
	}
	return encode(p, topic, record, side, &s->added->api, span_out, err);
}

int kl_serialize(struct klamm_producer *p, const struct klamm_topic *topic,
		 const struct klamm_record *record, struct kl_serialized *s,
		 struct klamm_error *err)
{
	*s = (struct kl_serialized){
		.headers = record->headers, .header_count = record->header_count};
	struct side key = {&p->key_serializer, true, record->key_value, record->key,
			   &s->key_out};
	struct side value = {&p->value_serializer, false, record->value_value, record->value,
			     &s->value_out};
	int rc = one_side(p, topic, record, &key, s, &s->key, err);
	if (rc == 0)
		rc = one_side(p, topic, record, &value, s, &s->value, err);
	if (rc == 0 && s->added != NULL) {
		s->headers = s->added->list;
		s->header_count = s->added->count;
	}
	return rc;
}
