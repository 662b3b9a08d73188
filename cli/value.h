/* SPDX-License-Identifier: BSD-2-Clause */
/* Between JSON and the values that serializers take and give. */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include <klamm/serializer.h>

#include <json-c/json.h>

#include "core/base/arena.h"
#include "core/base/buf.h"

/* A text that is one JSON value and nothing else, *json_out NULL for null. On failure
 * why[] says what is wrong; the parser is made for each text, or reset and used again.
 */
struct json_tokener;
bool cli_json_parse(struct json_tokener *parser, const void *text, size_t len,
		    struct json_object **json_out, char why[static 128]);
struct json_tokener *cli_json_parser(void); /* exits the program when memory is out */

/* {"base64":"..."} and nothing else in it: the bytes, in arena. False: it is not that.
 */
bool cli_json_base64(struct json_object *json, struct kl_arena *arena,
		     struct klamm_span *span_out);

/* Texts stay those of json. False: why[] says what cannot be a value. */
bool cli_value_of_json(struct json_object *json, struct kl_arena *arena,
		       struct klamm_value *value_out, char why[static 128]);

/* Append the value as JSON; what JSON has no form for: bytes as {"base64":"..."}, a
 * UUID as its text, a double without a number as text, a native value as its type's
 * name. */
void cli_put_value_json(struct kl_buf *b, const struct klamm_value *value);

#endif
