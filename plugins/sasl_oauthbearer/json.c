/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_oauthbearer/json.h"

#include <string.h>

#define DEPTH_MAX 16
#define TIME_MAX  1e12 /* seconds: 30,000 years */

/* The reader's own buffer holds the text that it read last: as large as it may become
 * from the beginning, so that growing leaves no copies. */
static struct json_tokener *new_reader(size_t n)
{
	struct json_tokener *reader = json_tokener_new_ex(DEPTH_MAX);
	if (reader == NULL)
		return NULL;
	json_tokener_set_flags(reader,
			       JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	if (printbuf_memset(reader->pb, 0, 0, (int)n + 1) < 0) {
		json_tokener_free(reader);
		return NULL;
	}
	printbuf_reset(reader->pb);
	return reader;
}

static void free_reader(struct json_tokener *reader)
{
	explicit_bzero(reader->pb->buf, (size_t)reader->pb->size);
	json_tokener_free(reader);
}

struct json_object *kl_oauth_json_read(const char *p, size_t n)
{
	if (n > (size_t)1 << 24)
		return NULL;
	struct json_tokener *reader = new_reader(n);
	if (reader == NULL)
		return NULL;
	struct json_object *object = json_tokener_parse_ex(reader, p, (int)n);
	bool good = json_tokener_get_error(reader) == json_tokener_success &&
		    json_object_is_type(object, json_type_object);
	for (size_t i = json_tokener_get_parse_end(reader); good && i < n; i++)
		good = strchr(" \t\r\n", p[i]) != NULL && p[i] != '\0';
	free_reader(reader);
	if (good)
		return object;
	kl_oauth_json_free(object);
	return NULL;
}

static void wipe(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		explicit_bzero((char *)json_object_get_string(value),
			       (size_t)json_object_get_string_len(value));
		break;
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(value); i++)
			wipe(json_object_array_get_idx(value, i));
		break;
	case json_type_object: {
		json_object_object_foreach(value, name, member)
		{
			(void)name;
			wipe(member);
		}
		break;
	}
	default:
		break;
	}
}

void kl_oauth_json_free(struct json_object *object)
{
	wipe(object);
	json_object_put(object);
}

const char *kl_oauth_json_text(struct json_object *object, const char *name)
{
	struct json_object *value;
	if (!json_object_object_get_ex(object, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	const char *text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

bool kl_oauth_json_time(struct json_object *object, const char *name, double *out)
{
	struct json_object *value;
	if (!json_object_object_get_ex(object, name, &value) ||
	    (!json_object_is_type(value, json_type_int) &&
	     !json_object_is_type(value, json_type_double)))
		return false;
	*out = json_object_get_double(value);
	return *out >= 0 && *out <= TIME_MAX;
}
