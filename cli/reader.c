/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/reader.h"

#include <stdio.h>

#include "cli/value.h"

enum {
	PARSED_LINE,
	PARSED_KEY,
	PARSED_VALUE,
};

enum cli_form cli_form_of(const char *serializer)
{
	if (serializer == NULL || serializer[0] == '\0')
		return CLI_RAW;
	if (strcmp(serializer, "string") == 0 || strcmp(serializer, "bytes") == 0)
		return CLI_STRING;
	return CLI_JSON;
}

static void forget(struct cli_reader *r)
{
	for (size_t i = 0; i < kl_countof(r->parsed); i++) {
		json_object_put(r->parsed[i]);
		r->parsed[i] = NULL;
	}
	kl_arena_free(&r->arena);
}

void cli_reader_free(struct cli_reader *r)
{
	forget(r);
	if (r->parser != NULL)
		json_tokener_free(r->parser);
	r->parser = NULL;
}

static bool parse(struct cli_reader *r, int slot, struct klamm_span text,
		  char why[static CLI_WHY])
{
	if (r->parser == NULL)
		r->parser = cli_json_parser();
	return cli_json_parse(r->parser, text.data, text.len, &r->parsed[slot], why);
}

static bool say(char why[static CLI_WHY], const char *what, const char *text)
{
	snprintf(why, CLI_WHY, "%s%s", what, text);
	return false;
}

/* --- plain lines --- */

/* A part of the line as span or, for a serializer, as value. */
static bool put_text(struct cli_reader *r, enum cli_form form, int slot,
		     struct klamm_span text, struct klamm_span *span,
		     struct klamm_value *value, const struct klamm_value **used,
		     char why[static CLI_WHY])
{
	*used = NULL;
	*span = (struct klamm_span){NULL, 0};
	if (text.data == NULL || (text.len == 0 && r->empty_is_null))
		return true;
	if (form == CLI_RAW) {
		*span = text;
		return true;
	}
	*used = value;
	if (form == CLI_STRING) {
		*value = (struct klamm_value){.type = KLAMM_VALUE_STRING,
					      .as.bytes = text};
		return true;
	}
	if (!parse(r, slot, text, why))
		return false;
	return cli_value_of_json(r->parsed[slot], &r->arena, value, why);
}

static bool plain_record(struct cli_reader *r, struct klamm_span line,
			 struct klamm_record *record, char why[static CLI_WHY])
{
	struct klamm_span key = {NULL, 0}, value = line;
	if (r->key != NULL)
		key = (struct klamm_span){r->key, strlen(r->key)};
	if (r->separator.data != NULL) {
		const char *at = memmem(line.data, line.len, r->separator.data,
					r->separator.len);
		if (at != NULL) {
			const char *begin = line.data;
			key = (struct klamm_span){begin, (size_t)(at - begin)};
			value.data = at + r->separator.len;
			value.len = line.len - key.len - r->separator.len;
		}
	}
	return put_text(r, r->key_form, PARSED_KEY, key, &record->key, &r->key_value,
			&record->key_value, why) &&
	       put_text(r, r->value_form, PARSED_VALUE, value, &record->value,
			&r->value_value, &record->value_value, why);
}

/* --- envelopes --- */

/* A string, {"base64":...} or null. */
static bool bytes_of(struct cli_reader *r, struct json_object *json,
		     struct klamm_span *span)
{
	*span = (struct klamm_span){NULL, 0};
	if (json == NULL)
		return true;
	if (json_object_is_type(json, json_type_string)) {
		span->data = json_object_get_string(json);
		span->len = (size_t)json_object_get_string_len(json);
		return true;
	}
	return cli_json_base64(json, &r->arena, span);
}

static bool put_member(struct cli_reader *r, enum cli_form form,
		       struct json_object *json, const char *name,
		       struct klamm_span *span, struct klamm_value *value,
		       const struct klamm_value **used, char why[static CLI_WHY])
{
	*used = NULL;
	*span = (struct klamm_span){NULL, 0};
	if (form == CLI_RAW) {
		if (bytes_of(r, json, span))
			return true;
		return say(why, name,
			   " must be a string, {\"base64\":\"...\"} or null");
	}
	if (json == NULL)
		return true;
	if (!cli_value_of_json(json, &r->arena, value, why))
		return false;
	*used = value;
	return true;
}

static bool put_headers(struct cli_reader *r, struct json_object *json,
			struct klamm_record *record, char why[static CLI_WHY])
{
	static const char form[] = " must be a list of [name, value]";
	if (json == NULL)
		return true;
	if (!json_object_is_type(json, json_type_array))
		return say(why, "headers", form);
	size_t n = json_object_array_length(json);
	struct klamm_header *all =
		kl_arena_array(&r->arena, n + r->header_count, sizeof(*all));
	if (all == NULL)
		return say(why, "out of memory", "");
	if (r->header_count > 0)
		memcpy(all, r->headers, r->header_count * sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		struct klamm_header *h = &all[r->header_count + i];
		struct json_object *pair = json_object_array_get_idx(json, i);
		if (!json_object_is_type(pair, json_type_array) ||
		    json_object_array_length(pair) != 2 ||
		    !bytes_of(r, json_object_array_get_idx(pair, 0), &h->name) ||
		    h->name.data == NULL ||
		    !bytes_of(r, json_object_array_get_idx(pair, 1), &h->value))
			return say(why, "headers", form);
	}
	record->headers = all;
	record->header_count = r->header_count + n;
	return true;
}

static bool put_number(struct json_object *json, const char *name, int64_t max,
		       int64_t *out, char why[static CLI_WHY])
{
	if (json == NULL)
		return true;
	/* -1 is "none", which leaves what was set. */
	int64_t n = json_object_get_int64(json);
	if (!json_object_is_type(json, json_type_int) || n < -1 || n > max)
		return say(why, name, " must be a number >= 0, or null");
	if (n >= 0)
		*out = n;
	return true;
}

static bool envelope_record(struct cli_reader *r, struct klamm_span line,
			    struct klamm_record *record, char why[static CLI_WHY])
{
	if (!parse(r, PARSED_LINE, line, why))
		return false;
	struct json_object *json = r->parsed[PARSED_LINE];
	if (!json_object_is_type(json, json_type_object))
		return say(why, "not a JSON object", "");
	struct json_object *key = NULL, *value = NULL, *headers = NULL;
	int64_t timestamp = r->timestamp_ms, partition = r->partition;
	json_object_object_foreach(json, name, member)
	{
		bool good = true;
		if (strcmp(name, "key") == 0)
			key = member;
		else if (strcmp(name, "value") == 0)
			value = member;
		else if (strcmp(name, "headers") == 0)
			headers = member;
		else if (strcmp(name, "timestamp") == 0)
			good = put_number(member, name, INT64_MAX, &timestamp, why);
		else if (strcmp(name, "partition") == 0) {
			if (r->keep_partition)
				good = put_number(member, name, INT32_MAX, &partition,
						  why);
		} else if (strcmp(name, "topic") != 0 && strcmp(name, "offset") != 0 &&
			   strcmp(name, "timestamp_type") != 0 &&
			   strcmp(name, "error") != 0)
			good = say(why, name, ": an envelope has no such member");
		if (!good)
			return false;
	}
	record->timestamp_ms = timestamp;
	record->partition = (int32_t)partition;
	return put_member(r, r->key_form, key, "key", &record->key, &r->key_value,
			  &record->key_value, why) &&
	       put_member(r, r->value_form, value, "value", &record->value,
			  &r->value_value, &record->value_value, why) &&
	       put_headers(r, headers, record, why);
}

bool cli_reader_record(struct cli_reader *r, struct klamm_span line,
		       struct klamm_record *record, char why[static CLI_WHY])
{
	if (r->parsed[PARSED_LINE] != NULL || r->arena.chunks != NULL ||
	    r->parsed[PARSED_KEY] != NULL || r->parsed[PARSED_VALUE] != NULL)
		forget(r);
	record->headers = r->headers;
	record->header_count = r->header_count;
	record->partition = r->partition;
	record->timestamp_ms = r->timestamp_ms;
	return r->envelopes ? envelope_record(r, line, record, why)
			    : plain_record(r, line, record, why);
}
