/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/option.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "core/base/error.h"

/* A double as a file writes it, whatever the application's locale. */
static double to_double(const char *p, char **end)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (c == (locale_t)0)
		return strtod(p, end);
	double v = strtod_l(p, end, c);
	freelocale(c);
	return v;
}

/* --- ranges --- */

static const char *part_end(const char *p)
{
	return p + strcspn(p, "|");
}

int kl_option_word(const char *range, const char *word, size_t len)
{
	int place = 0;
	for (const char *p = range;; p = part_end(p) + 1, place++) {
		size_t n = (size_t)(part_end(p) - p);
		if (n == len && strncasecmp(p, word, len) == 0)
			return place;
		if (p[n] == '\0')
			return -1;
	}
}

/* A bound of "lo..hi": absent means open. Integers are compared as integers, because a double
 * cannot tell the largest ones apart. */
static bool above_integer(const char *bound, size_t len, int64_t v)
{
	return len == 0 || strtoll(bound, NULL, 10) <= v;
}
static bool below_integer(const char *bound, size_t len, int64_t v)
{
	return len == 0 || strtoll(bound, NULL, 10) >= v;
}

static bool part_has(const char *p, size_t len, bool is_integer, int64_t i, double d)
{
	const char *dots = memmem(p, len, "..", 2);
	const char *hi = dots != NULL ? dots + 2 : p;
	size_t lo_len = dots != NULL ? (size_t)(dots - p) : len;
	size_t hi_len = (size_t)(p + len - hi);
	if (is_integer)
		return above_integer(p, lo_len, i) && below_integer(hi, hi_len, i);
	return (lo_len == 0 || to_double(p, NULL) <= d) &&
	       (hi_len == 0 || to_double(hi, NULL) >= d);
}

static bool range_has(const char *range, bool is_integer, int64_t i, double d)
{
	if (range == NULL)
		return true;
	for (const char *p = range;; p = part_end(p) + 1) {
		size_t len = (size_t)(part_end(p) - p);
		if (part_has(p, len, is_integer, i, d))
			return true;
		if (p[len] == '\0')
			return false;
	}
}

/* --- texts --- */

static const char *type_words(const struct klamm_option *row)
{
	switch (row->type) {
	case KLAMM_OPTION_BOOL:
		return "true or false";
	case KLAMM_OPTION_INT:
	case KLAMM_OPTION_LONG:
		return row->range != NULL ? row->range : "a whole number";
	case KLAMM_OPTION_DOUBLE:
		return row->range != NULL ? row->range : "a number";
	default:
		return row->range != NULL ? row->range : "a text";
	}
}

static int refuse(const struct klamm_option *row, const char *text, struct klamm_error *err)
{
	bool hide = row->flags & KLAMM_OPTION_SECRET;
	return kl_error(err, KLAMM_ERR_CONFIG, "%s = %.*s: must be %s", row->name,
			hide ? 8 : 120, hide ? "[hidden]" : text, type_words(row));
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Java trims what is not a string: spaces at both ends do not count. */
static const char *trim(const char *text, size_t *len_out)
{
	while (is_space(*text))
		text++;
	size_t len = strlen(text);
	while (len > 0 && is_space(text[len - 1]))
		len--;
	*len_out = len;
	return text;
}

static bool parse_integer(const char *text, int64_t *v_out)
{
	size_t len;
	const char *p = trim(text, &len);
	char *end;
	errno = 0;
	long long v = strtoll(p, &end, 10);
	if (len == 0 || end != p + len || errno == ERANGE)
		return false;
	*v_out = v;
	return true;
}

static bool parse_double(const char *text, double *v_out)
{
	size_t len;
	const char *p = trim(text, &len);
	char *end;
	*v_out = to_double(p, &end);
	return len > 0 && end == p + len && isfinite(*v_out);
}

static void store(void *to, const struct klamm_option *row, const void *p, size_t n)
{
	if (to != NULL)
		memcpy((uint8_t *)to + row->offset, p, n);
}

/* "a, b" becomes "a,b"; each word is checked when there is a range. false: a word is not. */
static bool copy_list(const struct klamm_option *row, const char *text, char *to)
{
	while (*text != '\0') {
		size_t n = strcspn(text, ","), len = n;
		const char *word = text;
		while (len > 0 && is_space(*word)) {
			word++;
			len--;
		}
		while (len > 0 && is_space(word[len - 1]))
			len--;
		if (len > 0) {
			if (row->range != NULL && kl_option_word(row->range, word, len) < 0)
				return false;
			memcpy(to, word, len);
			to += len;
			*to++ = ',';
		}
		text += n + (text[n] == ',');
	}
	to[to[-1] == ',' ? -1 : 0] = '\0';
	return true;
}

static int store_text(const struct klamm_option *row, const char *text,
		      struct kl_arena *strings, void *to, struct klamm_error *err)
{
	size_t len = strlen(text);
	/* One byte in front, so that an empty list may look behind itself. */
	char *copy = kl_arena_alloc(strings, len + 3);
	if (copy == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %s", row->name);
	copy++;
	if (row->type == KLAMM_OPTION_LIST) {
		if (!copy_list(row, text, copy))
			return refuse(row, text, err);
	} else {
		if (row->range != NULL && kl_option_word(row->range, text, len) < 0)
			return refuse(row, text, err);
		memcpy(copy, text, len);
	}
	store(to, row, &copy, sizeof(copy));
	return 0;
}

static int store_number(const struct klamm_option *row, const char *text, void *to,
			struct klamm_error *err)
{
	int64_t v;
	if (!parse_integer(text, &v) || !range_has(row->range, true, v, 0))
		return refuse(row, text, err);
	if (row->type == KLAMM_OPTION_LONG) {
		store(to, row, &v, sizeof(v));
		return 0;
	}
	int32_t narrow = (int32_t)v;
	if (narrow != v)
		return refuse(row, text, err);
	store(to, row, &narrow, sizeof(narrow));
	return 0;
}

int kl_option_store(const struct klamm_option *row, const char *text,
		    struct kl_arena *strings, void *to, struct klamm_error *err)
{
	size_t len;
	const char *word = trim(text, &len);
	switch (row->type) {
	case KLAMM_OPTION_BOOL: {
		int place = kl_option_word("false|true", word, len);
		bool yes = place == 1;
		if (place < 0)
			return refuse(row, text, err);
		store(to, row, &yes, sizeof(yes));
		return 0;
	}
	case KLAMM_OPTION_INT:
	case KLAMM_OPTION_LONG:
		return store_number(row, text, to, err);
	case KLAMM_OPTION_DOUBLE: {
		double v;
		if (!parse_double(text, &v) || !range_has(row->range, false, 0, v))
			return refuse(row, text, err);
		store(to, row, &v, sizeof(v));
		return 0;
	}
	case KLAMM_OPTION_ENUM: {
		int32_t place = kl_option_word(row->range, word, len);
		if (place < 0)
			return refuse(row, text, err);
		store(to, row, &place, sizeof(place));
		return 0;
	}
	default:
		return store_text(row, text, strings, to, err);
	}
}

static size_t type_size(int32_t type)
{
	switch (type) {
	case KLAMM_OPTION_BOOL:
		return sizeof(bool);
	case KLAMM_OPTION_INT:
	case KLAMM_OPTION_ENUM:
		return sizeof(int32_t);
	case KLAMM_OPTION_LONG:
		return sizeof(int64_t);
	case KLAMM_OPTION_DOUBLE:
		return sizeof(double);
	case KLAMM_OPTION_STRING:
	case KLAMM_OPTION_LIST:
		return sizeof(char *);
	default:
		return 0;
	}
}

static void free_arena(struct kl_arena *a)
{
	kl_arena_free(a);
}

int kl_option_check_row(const struct klamm_option *row, size_t conf_size,
			struct klamm_error *err)
{
	size_t size = type_size(row->type);
	if (size == 0)
		return kl_error(err, KLAMM_ERR_PLUGIN, "option %s has the unknown type %d",
				row->name, row->type);
	if (row->type == KLAMM_OPTION_ENUM && row->range == NULL)
		return kl_error(err, KLAMM_ERR_PLUGIN, "option %s lists no words", row->name);
	bool stored = !(row->flags & KLAMM_OPTION_SECRET);
	if (stored && (row->offset > conf_size || size > conf_size - row->offset))
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"option %s lies at byte %zu, outside its structure of %zu",
				row->name, row->offset, conf_size);
	if (row->def == NULL)
		return 0;
	KL_AUTO(free_arena) struct kl_arena strings = {0};
	return kl_option_store(row, row->def, &strings, NULL, err);
}
