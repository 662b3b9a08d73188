/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of token servers and tokens, read with json-c and wiped afterwards. Any thread.
 */
#ifndef OAUTH_JSON_H
#define OAUTH_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "plugins/common/text.h"

/* One object and nothing behind it, in strict JSON and UTF-8, not nested deeply. NULL:
 * it is not, or there is no memory. Ends with kl_oauth_json_free(). */
struct json_object *kl_oauth_json_read(const char *p, size_t n);
/* Wipes every text in it. NULL is fine. Its owner must be the only one. */
void kl_oauth_json_free(struct json_object *object);

/* A member that is a text without a NUL in it; NULL: there is none. Borrowed. */
const char *kl_oauth_json_text(struct json_object *object, const char *name);
/* A member that is a number, in seconds of a time that can be; false: there is none. */
bool kl_oauth_json_time(struct json_object *object, const char *name, double *out);

#endif
