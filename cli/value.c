/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/io.h"
#include "core/base/text.h"

/* To json-c an envelope is one level more, {"base64":...} another, and what it holds one. */
#define JSON_DEPTH (KLAMM_VALUE_DEPTH_MAX + 3)

struct json_tokener *cli_json_parser(void)
{
	struct json_tokener *parser = json_tokener_new_ex(JSON_DEPTH);
	if (parser == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	json_tokener_set_flags(parser,
			       JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	return parser;
}

static bool too_large(const char *number, size_t len, char why[static 128])
{
	snprintf(why, 128, "the whole number %.*s does not fit into 64 bits with a sign",
		 (int)kl_min(len, (size_t)48), number);
	return false;
}

static bool fits(const char *number, size_t len)
{
	char text[24];
	snprintf(text, sizeof(text), "%.*s", (int)kl_min(len, sizeof(text)), number);
	errno = 0;
	if (text[0] == '-')
		strtoll(text, NULL, 10);
	else
		strtoull(text, NULL, 10);
	return errno == 0;
}

static bool is_of_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' ||
	       c == 'E';
}

/* json-c takes the nearest number of 64 bits without a word. The text is sound JSON. */
static bool numbers_fit(const char *text, size_t len, char why[static 128])
{
	bool in_string = false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			in_string = !in_string;
		else if (in_string)
			i += text[i] == '\\';
		else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
			size_t begin = i;
			bool whole = true;
			for (; i + 1 < len && is_of_number(text[i + 1]); i++)
				whole &= text[i + 1] >= '0' && text[i + 1] <= '9';
			size_t n = i + 1 - begin;
			if (whole && !fits(text + begin, n))
				return too_large(text + begin, n, why);
		}
	}
	return true;
}

bool cli_json_parse(struct json_tokener *parser, const void *text, size_t len,
		    struct json_object **json_out, char why[static 128])
{
	if (len > INT32_MAX) {
		snprintf(why, 128, "the line is too long");
		return false;
	}
	json_tokener_reset(parser);
	struct json_object *json = json_tokener_parse_ex(parser, text, (int)len);
	enum json_tokener_error error = json_tokener_get_error(parser);
	size_t end = json_tokener_get_parse_end(parser);
	/* A number ends only where something follows it. */
	if (error == json_tokener_continue && len > 0) {
		json = json_tokener_parse_ex(parser, " ", 1);
		error = json_tokener_get_error(parser);
		end = len;
	}
	if (error == json_tokener_success && end == len) {
		if (!numbers_fit(text, len, why)) {
			json_object_put(json);
			return false;
		}
		*json_out = json;
		return true;
	}
	if (error == json_tokener_success) {
		json_object_put(json);
		snprintf(why, 128, "more than one JSON value");
	} else if (error == json_tokener_continue) {
		snprintf(why, 128, "the JSON value has no end");
	} else {
		snprintf(why, 128, "not JSON: %s at column %zu",
			 json_tokener_error_desc(error), end + 1);
	}
	return false;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool cli_json_base64(struct json_object *json, struct kl_arena *arena,
		     struct klamm_span *span_out)
{
	struct json_object *member;
	if (!json_object_is_type(json, json_type_object) ||
	    json_object_object_length(json) != 1 ||
	    !json_object_object_get_ex(json, "base64", &member) ||
	    !json_object_is_type(member, json_type_string))
		return false;
	const char *text = json_object_get_string(member);
	size_t len = (size_t)json_object_get_string_len(member);
	if (len % 4 != 0)
		return false;
	if (len > 0)
		len -= (text[len - 1] == '=') +
		       (text[len - 1] == '=' && text[len - 2] == '=');
	uint8_t *bytes = kl_arena_alloc(arena, len * 3 / 4 + 1);
	if (bytes == NULL)
		return false;
	uint32_t bits = 0;
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);
		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 0)
			bytes[n++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	*span_out = (struct klamm_span){bytes, n};
	return true;
}

struct making {
	struct kl_arena *arena;
	int depth;
	char *why;
};

static bool value_of(struct making *m, struct json_object *json, struct klamm_value *out);

static void *make_array(struct making *m, size_t n, size_t size)
{
	if (m->depth > KLAMM_VALUE_DEPTH_MAX) {
		snprintf(m->why, 128, "lists and maps nest deeper than %d",
			 KLAMM_VALUE_DEPTH_MAX);
		return NULL;
	}
	void *array = kl_arena_array(m->arena, n, size);
	if (array == NULL)
		snprintf(m->why, 128, "out of memory");
	return array;
}

static bool value_of_list(struct making *m, struct json_object *json,
			  struct klamm_value *out)
{
	size_t n = json_object_array_length(json);
	struct klamm_value *items = make_array(m, n, sizeof(*items));
	if (items == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!value_of(m, json_object_array_get_idx(json, i), &items[i]))
			return false;
	out->type = KLAMM_VALUE_LIST;
	out->as.list = (struct klamm_list){items, n};
	return true;
}

static bool value_of_map(struct making *m, struct json_object *json,
			 struct klamm_value *out)
{
	size_t n = (size_t)json_object_object_length(json), i = 0;
	struct klamm_entry *entries = make_array(m, n, sizeof(*entries));
	if (entries == NULL)
		return false;
	json_object_object_foreach(json, name, member)
	{
		entries[i].key.type = KLAMM_VALUE_STRING;
		entries[i].key.as.bytes = (struct klamm_span){name, strlen(name)};
		if (!value_of(m, member, &entries[i++].value))
			return false;
	}
	out->type = KLAMM_VALUE_MAP;
	out->as.map = (struct klamm_map){entries, n};
	return true;
}

/* Above int64_t a double stands for a whole number, if it is that very number. */
static bool value_of_int(struct making *m, struct json_object *json,
			 struct klamm_value *out)
{
	uint64_t n = json_object_get_uint64(json);
	double real = (double)n;
	if (n <= INT64_MAX) {
		out->type = KLAMM_VALUE_INT;
		out->as.integer = json_object_get_int64(json);
		return true;
	}
	if (real >= 0x1p64 || (uint64_t)real != n) {
		char text[24];
		int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
		return too_large(text, (size_t)len, m->why);
	}
	out->type = KLAMM_VALUE_DOUBLE;
	out->as.real = real;
	return true;
}

static bool value_of_nested(struct making *m, struct json_object *json,
			    struct klamm_value *out)
{
	m->depth++;
	bool ok = json_object_is_type(json, json_type_array) ? value_of_list(m, json, out)
							     : value_of_map(m, json, out);
	m->depth--;
	return ok;
}

static bool value_of(struct making *m, struct json_object *json, struct klamm_value *out)
{
	*out = (struct klamm_value){.type = KLAMM_VALUE_NULL};
	switch (json_object_get_type(json)) {
	case json_type_null:
		return true;
	case json_type_boolean:
		out->type = KLAMM_VALUE_BOOL;
		out->as.boolean = json_object_get_boolean(json);
		return true;
	case json_type_int:
		return value_of_int(m, json, out);
	case json_type_double:
		out->type = KLAMM_VALUE_DOUBLE;
		out->as.real = json_object_get_double(json);
		return true;
	case json_type_string:
		out->type = KLAMM_VALUE_STRING;
		out->as.bytes = (struct klamm_span){
			json_object_get_string(json),
			(size_t)json_object_get_string_len(json),
		};
		return true;
	default:
		if (!cli_json_base64(json, m->arena, &out->as.bytes))
			return value_of_nested(m, json, out);
		out->type = KLAMM_VALUE_BYTES;
		return true;
	}
}

bool cli_value_of_json(struct json_object *json, struct kl_arena *arena,
		       struct klamm_value *out, char why[static 128])
{
	struct making m = {.arena = arena, .why = why};
	return value_of(&m, json, out);
}

static void put_double(struct kl_buf *b, double v)
{
	if (isnan(v) || isinf(v)) {
		cli_put_text(b, isnan(v) ? "\"NaN\""
				: v < 0	 ? "\"-Infinity\""
					 : "\"Infinity\"");
		return;
	}
	/* The fewest digits that read back as the same number, and a mark of its type.
	 */
	char text[32];
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	cli_put_text(b, text);
	if (strpbrk(text, ".e") == NULL)
		cli_put_text(b, ".0");
}

static void put_uuid(struct kl_buf *b, const struct klamm_uuid *uuid)
{
	kl_buf_u8(b, '"');
	for (size_t i = 0; i < sizeof(uuid->bytes); i++)
		kl_buf_printf(b, "%s%02x",
			      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      uuid->bytes[i]);
	kl_buf_u8(b, '"');
}

static void put_base64(struct kl_buf *b, struct klamm_span bytes)
{
	cli_put_text(b, "{\"base64\":\"");
	kl_buf_base64(b, bytes.data, bytes.len);
	cli_put_text(b, "\"}");
}

static void put_list(struct kl_buf *b, const struct klamm_list *list)
{
	kl_buf_u8(b, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			kl_buf_u8(b, ',');
		cli_put_value_json(b, &list->items[i]);
	}
	kl_buf_u8(b, ']');
}

/* A member's name must be a text: another key's JSON becomes one. */
static void put_name(struct kl_buf *b, const struct klamm_value *key)
{
	if (key->type == KLAMM_VALUE_STRING &&
	    kl_utf8_valid(key->as.bytes.data, key->as.bytes.len)) {
		kl_buf_json_string(b, key->as.bytes.data, key->as.bytes.len);
		return;
	}
	KL_AUTO(kl_buf_free) struct kl_buf name = {0};
	cli_put_value_json(&name, key);
	kl_buf_json_string(b, name.data, name.len);
}

static void put_map(struct kl_buf *b, const struct klamm_map *map)
{
	kl_buf_u8(b, '{');
	for (size_t i = 0; i < map->count; i++) {
		if (i > 0)
			kl_buf_u8(b, ',');
		put_name(b, &map->entries[i].key);
		kl_buf_u8(b, ':');
		cli_put_value_json(b, &map->entries[i].value);
	}
	kl_buf_u8(b, '}');
}

void cli_put_value_json(struct kl_buf *b, const struct klamm_value *value)
{
	switch (value->type) {
	case KLAMM_VALUE_BYTES:
		put_base64(b, value->as.bytes);
		break;
	case KLAMM_VALUE_STRING:
		kl_buf_json_bytes(b, value->as.bytes.data, value->as.bytes.len);
		break;
	case KLAMM_VALUE_INT:
		cli_put_int(b, value->as.integer);
		break;
	case KLAMM_VALUE_DOUBLE:
		put_double(b, value->as.real);
		break;
	case KLAMM_VALUE_BOOL:
		cli_put_text(b, value->as.boolean ? "true" : "false");
		break;
	case KLAMM_VALUE_UUID:
		put_uuid(b, &value->as.uuid);
		break;
	case KLAMM_VALUE_LIST:
		put_list(b, &value->as.list);
		break;
	case KLAMM_VALUE_MAP:
		put_map(b, &value->as.map);
		break;
	case KLAMM_VALUE_NATIVE:
		kl_buf_json_string(b, value->as.native.type,
				   strlen(value->as.native.type));
		break;
	default:
		cli_put_text(b, "null");
	}
}
