/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/serializer_json/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "plugins/common/utf8.h"

struct writer {
	struct klamm_out *out;
	locale_t c;
	int depth;
	struct klamm_error *err;
};

static int put(struct writer *w, const void *p, size_t n)
{
	return klamm_out_append(w->out, p, n) == 0 ? 0 : klamm_out_error(w->out, n, w->err);
}

static int put_text(struct writer *w, const char *text)
{
	return put(w, text, strlen(text));
}

static int put_escape(struct writer *w, uint8_t c)
{
	static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *known = c != '\0' ? strchr(special, c) : NULL;
	char text[8];
	if (known != NULL)
		snprintf(text, sizeof(text), "\\%c", letters[known - special]);
	else
		snprintf(text, sizeof(text), "\\u%04x", c);
	return put_text(w, text);
}

static int put_string(struct writer *w, const struct klamm_span *text)
{
	const uint8_t *p = text->data;
	size_t good = utf8_check(p, text->len), plain = 0;
	if (good < text->len)
		return klamm_fail(w->err, KLAMM_ERR_SERIALIZE,
				  "a string is not UTF-8 at byte %zu of %zu", good, text->len);
	int rc = put(w, "\"", 1);
	for (size_t i = 0; i < text->len && rc == 0; i++) {
		if (p[i] >= ' ' && p[i] != '"' && p[i] != '\\')
			continue;
		rc = put(w, p + plain, i - plain);
		if (rc == 0)
			rc = put_escape(w, p[i]);
		plain = i + 1;
	}
	if (rc == 0)
		rc = put(w, text->len > 0 ? p + plain : p, text->len - plain);
	return rc == 0 ? put(w, "\"", 1) : rc;
}

/* The shortest text that reads back as the same double, and as a double. */
static int put_double(struct writer *w, double v)
{
	if (!isfinite(v))
		return klamm_fail(w->err, KLAMM_ERR_SERIALIZE, "JSON has no %s",
				  isnan(v) ? "NaN" : "infinity");
	char text[40];
	locale_t before = uselocale(w->c); /* of this thread only */
	/* 15 digits tell normal doubles apart if the text had no more; fewer do near 0. */
	for (int digits = isnormal(v) ? 15 : 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	uselocale(before);
	if (strpbrk(text, ".e") == NULL)
		strcat(text, ".0");
	return put_text(w, text);
}

static int put_integer(struct writer *w, int64_t v)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, v);
	return put_text(w, text);
}

static int put_uuid(struct writer *w, const struct klamm_uuid *uuid)
{
	char text[40], *to = text;
	*to++ = '"';
	for (int i = 0; i < 16; i++)
		to += snprintf(to, 4, "%s%02x",
			       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			       uuid->bytes[i]);
	*to++ = '"';
	return put(w, text, (size_t)(to - text));
}

static int put_value(struct writer *w, const struct klamm_value *value);

static int put_list(struct writer *w, const struct klamm_list *list)
{
	int rc = put(w, "[", 1);
	for (size_t i = 0; i < list->count && rc == 0; i++) {
		if (i > 0)
			rc = put(w, ",", 1);
		if (rc == 0)
			rc = put_value(w, &list->items[i]);
	}
	return rc == 0 ? put(w, "]", 1) : rc;
}

static int put_entry(struct writer *w, const struct klamm_entry *entry)
{
	if (entry->key.type != KLAMM_VALUE_STRING)
		return klamm_fail(w->err, KLAMM_ERR_SERIALIZE,
				  "the key of a JSON map must be a STRING, not of type %d",
				  entry->key.type);
	int rc = put_string(w, &entry->key.as.bytes);
	if (rc == 0)
		rc = put(w, ":", 1);
	return rc == 0 ? put_value(w, &entry->value) : rc;
}

static int put_map(struct writer *w, const struct klamm_map *map)
{
	int rc = put(w, "{", 1);
	for (size_t i = 0; i < map->count && rc == 0; i++) {
		if (i > 0)
			rc = put(w, ",", 1);
		if (rc == 0)
			rc = put_entry(w, &map->entries[i]);
	}
	return rc == 0 ? put(w, "}", 1) : rc;
}

static int put_nested(struct writer *w, const struct klamm_value *value)
{
	if (w->depth == KLAMM_VALUE_DEPTH_MAX)
		return klamm_fail(w->err, KLAMM_ERR_SERIALIZE,
				  "lists and maps nest deeper than %d", KLAMM_VALUE_DEPTH_MAX);
	w->depth++;
	int rc = value->type == KLAMM_VALUE_LIST ? put_list(w, &value->as.list)
						 : put_map(w, &value->as.map);
	w->depth--;
	return rc;
}

static int put_value(struct writer *w, const struct klamm_value *value)
{
	switch (value->type) {
	case KLAMM_VALUE_NULL:
		return put_text(w, "null");
	case KLAMM_VALUE_BOOL:
		return put_text(w, value->as.boolean ? "true" : "false");
	case KLAMM_VALUE_INT:
		return put_integer(w, value->as.integer);
	case KLAMM_VALUE_DOUBLE:
		return put_double(w, value->as.real);
	case KLAMM_VALUE_STRING:
		return put_string(w, &value->as.bytes);
	case KLAMM_VALUE_UUID:
		return put_uuid(w, &value->as.uuid);
	case KLAMM_VALUE_LIST:
	case KLAMM_VALUE_MAP:
		return put_nested(w, value);
	default:
		return klamm_fail(w->err, KLAMM_ERR_SERIALIZE,
				  "a value of type %d has no form in JSON", value->type);
	}
}

int serializer_json_write(const struct klamm_value *value, locale_t c, struct klamm_out *out,
			  struct klamm_error *err)
{
	struct writer w = {.out = out, .c = c, .err = err};
	return put_value(&w, value);
}
