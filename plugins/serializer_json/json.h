/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON (RFC 8259) to values and back. Strict both ways: what passes here is JSON to everyone
 * else. No state but the locale; any thread. */
#ifndef SERIALIZER_JSON_H
#define SERIALIZER_JSON_H

#include <klamm/serializer.h>

#include <locale.h>

/* Where and why a text is not JSON. */
struct json_fault {
	const char *why;
	size_t at;
};

/* The one value that text holds. With arena NULL the text is only checked, and value_out not
 * touched. c: a locale whose decimal point is a point. -1: see fault_out. */
int serializer_json_read(const struct klamm_span *text, locale_t c,
			 struct klamm_arena *arena, struct klamm_value *value_out,
			 struct json_fault *fault_out);

/* Appends value to out. */
int serializer_json_write(const struct klamm_value *value, locale_t c, struct klamm_out *out,
			  struct klamm_error *err);

#endif
