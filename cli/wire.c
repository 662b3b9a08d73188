/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/wire.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/value.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/proto/engine.h"

/* --- hexadecimal digits --- */

static int no_digit(char c, size_t column, struct klamm_error *err)
{
	char shown[8];
	if (isprint((unsigned char)c))
		snprintf(shown, sizeof(shown), "'%c'", c);
	else
		snprintf(shown, sizeof(shown), "\\x%02x", (unsigned char)c);
	return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
			"%s at column %zu is no hexadecimal digit", shown, column);
}

int cli_wire_unhex(struct klamm_span text, struct kl_buf *buf, struct klamm_error *err)
{
	const char *digits = text.data;
	int high = -1;
	for (size_t i = 0; i < text.len; i++) {
		char c = digits[i];
		if (isspace((unsigned char)c))
			continue;
		int digit = cli_hex_digit(c);
		if (digit < 0)
			return no_digit(c, i + 1, err);
		if (high < 0) {
			high = digit;
		} else {
			kl_buf_u8(buf, (uint8_t)(high << 4 | digit));
			high = -1;
		}
	}
	if (high >= 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"an odd number of hexadecimal digits: a byte has two");
	if (buf->failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return 0;
}

void cli_wire_hex(const struct kl_buf *bytes, struct kl_buf *text)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = kl_buf_extend(text, bytes->len * 2);
	for (size_t i = 0; to != NULL && i < bytes->len; i++) {
		*to++ = (uint8_t)digits[bytes->data[i] >> 4];
		*to++ = (uint8_t)digits[bytes->data[i] & 15];
	}
}

/* --- JSON to structs, by the tables --- */

/* Where we are, for the text of an error: a path that leads upwards. */
struct place {
	const struct place *up;
	const char *name; /* NULL: an element */
	size_t index;
};

struct in {
	int version;
	struct kl_arena *arena;
	struct klamm_error *err;
};

static int set_struct(struct in *in, const struct place *at, const struct kl_type *type,
		      struct json_object *json, void *obj);

static void put_place(struct kl_buf *text, const struct place *at)
{
	if (at->up != NULL)
		put_place(text, at->up);
	if (at->name == NULL)
		kl_buf_printf(text, "[%zu]", at->index);
	else
		kl_buf_printf(text, "%s%s", at->up != NULL ? "." : "", at->name);
}

static int wrong(struct in *in, const struct place *at, const char *what)
{
	KL_AUTO(kl_buf_free) struct kl_buf path = {0};
	put_place(&path, at);
	return kl_error(in->err, KLAMM_ERR_INVALID_ARGUMENT, "%s %s",
			kl_buf_text(&path), what);
}

static int no_memory(struct in *in)
{
	return kl_error(in->err, KLAMM_ERR_NO_MEMORY, "out of memory");
}

static int set_integer(struct in *in, const struct place *at,
		       const struct kl_field *field, struct json_object *json, void *p)
{
	static const struct {
		int64_t min, max;
	} ranges[] = {
		[KL_INT8] = {INT8_MIN, INT8_MAX}, [KL_INT16] = {INT16_MIN, INT16_MAX},
		[KL_UINT16] = {0, UINT16_MAX},    [KL_INT32] = {INT32_MIN, INT32_MAX},
		[KL_UINT32] = {0, UINT32_MAX},    [KL_INT64] = {INT64_MIN, INT64_MAX},
	};
	int64_t n = json_object_get_int64(json);
	/* One above INT64_MAX is only seen unsigned. */
	bool above = n == INT64_MAX && json_object_get_uint64(json) > INT64_MAX;
	if (!json_object_is_type(json, json_type_int) || above ||
	    n < ranges[field->type].min || n > ranges[field->type].max) {
		char what[80];
		snprintf(what, sizeof(what), "must be a whole number, %lld..%lld",
			 (long long)ranges[field->type].min,
			 (long long)ranges[field->type].max);
		return wrong(in, at, what);
	}
	kl_field_set_number(field, p, n);
	return 0;
}

static int set_double(struct in *in, const struct place *at, struct json_object *json,
		      double *p)
{
	static const struct {
		const char *name;
		double value;
	} names[] = {{"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
	struct klamm_span bytes;
	uint64_t bits = KL_NAN_BITS;
	if (json_object_is_type(json, json_type_int) ||
	    (json_object_is_type(json, json_type_double) &&
	     isfinite(json_object_get_double(json)))) {
		*p = json_object_get_double(json);
		return 0;
	}
	const char *text = json_object_is_type(json, json_type_string)
				   ? json_object_get_string(json)
				   : "";
	for (size_t i = 0; i < kl_countof(names); i++)
		if (strcmp(names[i].name, text) == 0) {
			*p = names[i].value;
			return 0;
		}
	if (cli_json_base64(json, in->arena, &bytes) && bytes.len == sizeof(bits))
		bits = kl_load_u64(bytes.data);
	else if (strcmp(text, "NaN") != 0)
		return wrong(
			in, at,
			"must be a number, \"NaN\", \"Infinity\", \"-Infinity\" or "
			"{\"base64\":\"...\"} of its eight bytes");
	memcpy(p, &bits, sizeof(bits));
	return 0;
}

static int set_bytes(struct in *in, const struct place *at, struct json_object *json,
		     struct kl_bytes *p)
{
	struct klamm_span span;
	*p = KL_BYTES_NULL;
	if (json == NULL)
		return 0;
	if (!cli_json_base64(json, in->arena, &span))
		return wrong(in, at, "must be {\"base64\":\"...\"} or null");
	*p = (struct kl_bytes){span.data, (int32_t)span.len};
	return 0;
}

static int set_string(struct in *in, const struct place *at, struct json_object *json,
		      struct kl_str *p)
{
	struct klamm_span span;
	*p = KL_STR_NULL;
	if (json == NULL)
		return 0;
	if (json_object_is_type(json, json_type_string))
		*p = (struct kl_str){json_object_get_string(json),
				     json_object_get_string_len(json)};
	else if (cli_json_base64(json, in->arena, &span))
		*p = (struct kl_str){span.data, (int32_t)span.len};
	else
		return wrong(in, at, "must be a string, {\"base64\":\"...\"} or null");
	return 0;
}

static int set_value(struct in *in, const struct place *at,
		     const struct kl_field *field, struct json_object *json, void *p)
{
	switch (field->type) {
	case KL_BOOL:
		if (!json_object_is_type(json, json_type_boolean))
			return wrong(in, at, "must be true or false");
		*(bool *)p = json_object_get_boolean(json);
		return 0;
	case KL_FLOAT64:
		return set_double(in, at, json, p);
	case KL_UUID:
		if (!json_object_is_type(json, json_type_string) ||
		    !kl_uuid_parse(json_object_get_string(json), p))
			return wrong(in, at,
				     "must be a UUID: 22 characters of base64url");
		return 0;
	case KL_STRING:
		return set_string(in, at, json, p);
	case KL_BYTES:
	case KL_RECORDS:
		return set_bytes(in, at, json, p);
	case KL_STRUCT:
		return set_struct(in, at, field->sub, json, p);
	default:
		return set_integer(in, at, field, json, p);
	}
}

static int set_array(struct in *in, const struct place *at,
		     const struct kl_field *field, struct json_object *json,
		     uint8_t *obj)
{
	*kl_field_count(field, obj) = -1;
	if (json == NULL)
		return 0;
	if (!json_object_is_type(json, json_type_array))
		return wrong(in, at, "must be a list or null");
	size_t n = json_object_array_length(json), size = kl_field_size(field);
	if (n > KL_MSG_ARRAY_MAX)
		return wrong(in, at, "has more than 1000000 elements");
	uint8_t *p = kl_arena_array(in->arena, n, size);
	if (p == NULL)
		return no_memory(in);
	*(uint8_t **)(obj + field->offset) = p;
	*kl_field_count(field, obj) = (int32_t)n;
	for (size_t i = 0; i < n; i++, p += size) {
		struct place element = {.up = at, .index = i};
		int rc = set_value(in, &element, field,
				   json_object_array_get_idx(json, i), p);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int set_field(struct in *in, const struct place *at,
		     const struct kl_field *field, struct json_object *json,
		     uint8_t *obj)
{
	if (kl_field_is_array(field))
		return set_array(in, at, field, json, obj);
	if (!(field->flags & KL_FIELD_POINTER))
		return set_value(in, at, field, json, obj + field->offset);
	void **sub = (void **)(obj + field->offset);
	*sub = NULL;
	if (json == NULL)
		return 0;
	*sub = kl_arena_alloc(in->arena, field->sub->size);
	return *sub != NULL ? set_struct(in, at, field->sub, json, *sub) : no_memory(in);
}

static int by_tag(const void *a, const void *b)
{
	uint32_t x = ((const struct kl_tag *)a)->tag,
		 y = ((const struct kl_tag *)b)->tag;
	return x < y ? -1 : x > y;
}

static int set_tags(struct in *in, const struct place *at, struct json_object *json,
		    struct kl_tags **tags_out)
{
	if (!json_object_is_type(json, json_type_object))
		return wrong(in, at, "must be {\"NUMBER\":{\"base64\":\"...\"},...}");
	size_t n = (size_t)json_object_object_length(json);
	struct kl_tags *tags =
		kl_arena_alloc(in->arena, sizeof(*tags) + n * sizeof(tags->list[0]));
	if (tags == NULL)
		return no_memory(in);
	json_object_object_foreach(json, name, value)
	{
		struct place below = {.up = at, .name = name};
		struct kl_tag *tag = &tags->list[tags->n++];
		int64_t number;
		if (!cli_number(name, 0, UINT32_MAX, &number))
			return wrong(in, &below, "is not the number of a tag");
		tag->tag = (uint32_t)number;
		if (value == NULL)
			return wrong(in, &below, "must be {\"base64\":\"...\"}");
		int rc = set_bytes(in, &below, value, &tag->data);
		if (rc != 0)
			return rc;
	}
	qsort(tags->list, n, sizeof(tags->list[0]), by_tag);
	if (n > 0)
		*tags_out = tags;
	return 0;
}

static const struct kl_field *field_named(const struct in *in,
					  const struct kl_type *type, const char *name)
{
	for (unsigned i = 0; i < type->field_count; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return kl_field_in(&type->fields[i], in->version)
				       ? &type->fields[i]
				       : NULL;
	return NULL;
}

static int unknown_member(struct in *in, const struct place *at,
			  const struct kl_type *type)
{
	const char *names[64];
	size_t n = 0;
	for (unsigned i = 0; i < type->field_count && n < kl_countof(names); i++)
		if (kl_field_in(&type->fields[i], in->version))
			names[n++] = type->fields[i].name;
	const char *near = cli_nearest(at->name, names, n);
	char what[160];
	snprintf(what, sizeof(what), "is not in %.60s version %d%s%.60s%s", type->name,
		 in->version, near ? "; did you mean " : "", near ? near : "",
		 near ? "?" : "");
	return wrong(in, at, what);
}

static int set_struct(struct in *in, const struct place *at, const struct kl_type *type,
		      struct json_object *json, void *obj)
{
	if (!json_object_is_type(json, json_type_object))
		return wrong(in, at, "must be an object");
	if (!kl_type_fill(type, in->arena, obj))
		return no_memory(in);
	json_object_object_foreach(json, name, value)
	{
		struct place below = {.up = at, .name = name};
		const struct kl_field *field = field_named(in, type, name);
		int rc;
		if (field != NULL)
			rc = set_field(in, &below, field, value, obj);
		else if (strcmp(name, "_tags") == 0)
			rc = set_tags(in, &below, value,
				      (struct kl_tags **)((uint8_t *)obj +
							  type->tags_offset));
		else
			rc = unknown_member(in, &below, type);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int set_message(const struct kl_msg *msg, int version, const char *name,
		       struct json_object *json, struct kl_arena *arena, void **obj_out,
		       struct klamm_error *err)
{
	struct in in = {.version = version, .arena = arena, .err = err};
	struct place at = {.name = name};
	*obj_out = kl_arena_alloc(arena, msg->type->size);
	if (*obj_out == NULL)
		return no_memory(&in);
	return set_struct(&in, &at, msg->type, json, *obj_out);
}

/* --- packets --- */

static bool header_number(struct json_object *header, const char *name, int *out)
{
	struct json_object *member;
	if (!json_object_object_get_ex(header, name, &member) ||
	    !json_object_is_type(member, json_type_int))
		return false;
	*out = json_object_get_int(member);
	return true;
}

/* Of a request: what its header names. */
static int choose_request(struct json_object *header, struct kl_packet *packet,
			  struct klamm_error *err)
{
	int api;
	if (!header_number(header, "RequestApiKey", &api) ||
	    !header_number(header, "RequestApiVersion", &packet->version))
		return kl_error(
			err, KLAMM_ERR_INVALID_ARGUMENT,
			"header.RequestApiKey and header.RequestApiVersion must be "
			"numbers: they say what the request is");
	packet->msg = kl_msg_request(api);
	if (packet->msg == NULL)
		return kl_error(
			err, KLAMM_ERR_UNSUPPORTED,
			"header.RequestApiKey %d (%s): klamm has no such request", api,
			kl_api_name(api));
	if (packet->version < packet->msg->min || packet->version > packet->msg->max)
		return kl_error(err, KLAMM_ERR_UNSUPPORTED,
				"header.RequestApiVersion %d: %s has versions %d to %d",
				packet->version, packet->msg->name, packet->msg->min,
				packet->msg->max);
	return 0;
}

/* kl_packet_decode() may have read version 0, which alone has no throttle time. */
static bool was_downgraded(const struct kl_msg *msg, struct json_object *body)
{
	struct json_object *code;
	return msg->api == KL_API_API_VERSIONS &&
	       json_object_object_get_ex(body, "ErrorCode", &code) &&
	       json_object_get_int(code) == KLAMM_ERR_UNSUPPORTED_VERSION &&
	       !json_object_object_get_ex(body, "ThrottleTimeMs", NULL);
}

int cli_wire_packet(struct json_object *json, const struct kl_msg *response,
		    int version, struct kl_arena *arena, struct kl_packet *packet_out,
		    struct klamm_error *err)
{
	struct kl_packet packet = {.msg = response, .version = version};
	struct json_object *header = NULL, *body = NULL;
	if (!json_object_is_type(json, json_type_object) ||
	    !json_object_object_get_ex(json, "header", &header) ||
	    !json_object_object_get_ex(json, "body", &body) ||
	    json_object_object_length(json) != 2)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"not {\"header\":{...},\"body\":{...}}");
	int rc = response == NULL ? choose_request(header, &packet, err) : 0;
	if (rc != 0)
		return rc;
	packet.header_msg =
		kl_frame_header_of(packet.msg, packet.version, &packet.header_version);
	rc = set_message(packet.header_msg, packet.header_version, "header", header,
			 arena, &packet.header, err);
	if (rc != 0)
		return rc;
	if (response != NULL && was_downgraded(response, body))
		packet.version = 0;
	rc = set_message(packet.msg, packet.version, "body", body, arena, &packet.body,
			 err);
	if (rc == 0)
		*packet_out = packet;
	return rc;
}
