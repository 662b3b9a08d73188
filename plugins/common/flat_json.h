/* SPDX-License-Identifier: BSD-2-Clause */
/* The members of one JSON object (RFC 8259), one after the other; what lies in arrays
 * and objects inside of it is checked and passed over.
 *
 * For what may be secret: unlike a library's tree it leaves no copy of a text behind.
 * Texts are UTF-8 without a NUL. One thread at a time. */
#ifndef PLUGINS_FLAT_JSON_H
#define PLUGINS_FLAT_JSON_H

#include <stdint.h>

#include "plugins/common/text.h"
#include "plugins/common/utf8.h"

#define FLAT_JSON_DEPTH 16

struct flat_json {
	const char *p, *end;
	/* The member that flat_json_next() came to. A text without its quotes and
	 * escapes; else a number or a word as it stands, or nothing of an array or
	 * object. */
	struct kl_text name, value;
	bool is_text;
	const char *why; /* it is no object; NULL = so far it is one */
	bool begun, ended;
};

/* text is borrowed until flat_json_free(). */
static inline void flat_json_begin(struct flat_json *j, const void *text, size_t len)
{
	const char *p = len > 0 ? text : "";
	*j = (struct flat_json){.p = p, .end = p + len};
}
static inline void flat_json_free(struct flat_json *j)
{
	kl_text_free(&j->name);
	kl_text_free(&j->value);
}
#define FLAT_JSON_AUTO __attribute__((cleanup(flat_json_free))) struct flat_json

static inline bool flat_json_bad(struct flat_json *j, const char *why)
{
	j->why = why;
	return false;
}

static inline char flat_json_peek(
	struct flat_json *j) /* behind blanks; NUL at the end */
{
	while (j->p < j->end &&
	       (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
		j->p++;
	return j->p < j->end ? *j->p : '\0';
}

static inline bool flat_json_take(struct flat_json *j, char c)
{
	if (flat_json_peek(j) != c || j->p == j->end)
		return false;
	j->p++;
	return true;
}

/* Four digits of \uXXXX; -1 = they are not there. */
static inline int32_t flat_json_unit(struct flat_json *j)
{
	int32_t unit = 0;
	if (j->end - j->p < 4)
		return -1;
	for (int i = 0; i < 4; i++, j->p++) {
		char c = *j->p;
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static inline void flat_json_put(struct kl_text *to, uint32_t c)
{
	if (c < 0x80) {
		kl_text_char(to, (char)c);
		return;
	}
	if (c >= 0x10000) {
		kl_text_char(to, (char)(0xf0 | c >> 18));
		kl_text_char(to, (char)(0x80 | (c >> 12 & 0x3f)));
	} else if (c >= 0x800) {
		kl_text_char(to, (char)(0xe0 | c >> 12));
	}
	if (c >= 0x800)
		kl_text_char(to, (char)(0x80 | (c >> 6 & 0x3f)));
	else
		kl_text_char(to, (char)(0xc0 | c >> 6));
	kl_text_char(to, (char)(0x80 | (c & 0x3f)));
}

static inline bool flat_json_escape(struct flat_json *j, struct kl_text *to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	char c = j->p < j->end ? *j->p++ : '\0';
	const char *at = c != '\0' ? strchr(from, c) : NULL;
	if (at != NULL) {
		kl_text_char(to, into[at - from]);
		return true;
	}
	int32_t unit = c == 'u' ? flat_json_unit(j) : -1;
	if (unit >= 0xd800 && unit < 0xdc00) {
		int32_t low = -1;
		if (j->end - j->p >= 2 && j->p[0] == '\\' && j->p[1] == 'u') {
			j->p += 2;
			low = flat_json_unit(j);
		}
		unit = low >= 0xdc00 && low < 0xe000
			       ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
			       : -1;
	} else if (unit >= 0xdc00 && unit < 0xe000) {
		unit = -1;
	}
	if (unit <= 0)
		return flat_json_bad(j, "an escape in a text is not one");
	flat_json_put(to, (uint32_t)unit);
	return true;
}

static inline bool flat_json_text(struct flat_json *j, struct kl_text *to)
{
	kl_text_clear(to);
	while (j->p < j->end && *j->p != '"') {
		if (*j->p == '\\') {
			j->p++;
			if (!flat_json_escape(j, to))
				return false;
			continue;
		}
		size_t n =
			utf8_sequence((const uint8_t *)j->p, (size_t)(j->end - j->p));
		if (n == 0 || (unsigned char)*j->p < 0x20)
			return flat_json_bad(j,
					     "a text has bytes that may not be in it");
		kl_text_put(to, j->p, n);
		j->p += n;
	}
	if (j->p == j->end)
		return flat_json_bad(j, "a text has no end");
	j->p++;
	return true;
}

/* A number, true, false, null: letters are left to whoever wants the value. */
static inline bool flat_json_word(struct flat_json *j, struct kl_text *to)
{
	const char *begin = j->p;
	while (j->p < j->end && *j->p != '\0' &&
	       strchr("+-.0123456789aeflnrstuE", *j->p) != NULL)
		j->p++;
	if (j->p == begin)
		return flat_json_bad(j, "a value is missing");
	kl_text_put(to, begin, (size_t)(j->p - begin));
	return true;
}

/* Everything up to the end of what was opened; brackets must close what they opened. */
static inline bool flat_json_skip(struct flat_json *j)
{
	char open[FLAT_JSON_DEPTH];
	size_t depth = 0;
	do {
		char c = flat_json_peek(j);
		if (j->p == j->end)
			return flat_json_bad(j, "it has no end");
		j->p++;
		if (c == '"') {
			if (!flat_json_text(j, &j->value))
				return false;
		} else if (c == '{' || c == '[') {
			if (depth == FLAT_JSON_DEPTH)
				return flat_json_bad(j, "it is too deep");
			open[depth++] = c;
		} else if (c == '}' || c == ']') {
			if (open[--depth] != (c == '}' ? '{' : '['))
				return flat_json_bad(j, "its brackets do not match");
		} else if (c != ',' && c != ':') {
			j->p--;
			if (!flat_json_word(j, &j->value))
				return false;
		}
	} while (depth > 0);
	kl_text_clear(&j->value);
	return true;
}

static inline bool flat_json_value(struct flat_json *j)
{
	char c = flat_json_peek(j);
	kl_text_clear(&j->value);
	j->is_text = c == '"';
	if (c == '{' || c == '[')
		return flat_json_skip(j);
	if (c != '"')
		return flat_json_word(j, &j->value);
	j->p++;
	return flat_json_text(j, &j->value);
}

/* false: there is no further one, or it is no object: see why. */
static inline bool flat_json_next(struct flat_json *j)
{
	if (j->why != NULL || j->ended)
		return false;
	if (!j->begun && !flat_json_take(j, '{'))
		return flat_json_bad(j, "it is no JSON object");
	bool first = !j->begun;
	j->begun = true;
	if (flat_json_take(j, '}')) {
		j->ended = true;
		return flat_json_peek(j) == '\0' && j->p == j->end
			       ? false
			       : flat_json_bad(j, "something follows it");
	}
	if (!first && !flat_json_take(j, ','))
		return flat_json_bad(j, "a comma is missing");
	if (!flat_json_take(j, '"'))
		return flat_json_bad(j, "a name is missing");
	if (!flat_json_text(j, &j->name))
		return false;
	if (!flat_json_take(j, ':'))
		return flat_json_bad(j, "a colon is missing");
	if (!flat_json_value(j))
		return false;
	return j->name.failed || j->value.failed ? flat_json_bad(j, "out of memory")
						 : true;
}

/* Appends a text with its quotes. */
static inline void flat_json_quote(struct kl_text *to, const char *text)
{
	kl_text_char(to, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			kl_text_char(to, '\\');
		if (*p < 0x20)
			kl_text_printf(to, "\\u%04x", *p);
		else
			kl_text_char(to, (char)*p);
	}
	kl_text_char(to, '"');
}

#endif
