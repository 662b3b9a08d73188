/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/option.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"

bool kl_parse_int(const char *p, size_t len, int64_t *v_out)
{
	const char *end = p + len;
	bool minus = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end)
		return false;
	/* Counted downwards: the negative side is the longer one. */
	int64_t v = 0;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, *p - '0', &v))
			return false;
	}
	if (!minus && v == INT64_MIN)
		return false;
	*v_out = minus ? v : -v;
	return true;
}

/* With a decimal point, whatever the application's locale has. 0: out of memory. */
static locale_t use_points(locale_t *before_out)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (c != (locale_t)0)
		*before_out = uselocale(c);
	return c;
}

static void use_again(locale_t c, locale_t before)
{
	uselocale(before);
	freelocale(c);
}

bool kl_parse_double(const char *p, size_t len, double *v_out)
{
	char text[KL_DOUBLE_TEXT], *end;
	locale_t before, c;
	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, p, len);
	text[len] = '\0';
	if (strspn(text, "0123456789.eE+-") != len)
		return false;
	c = use_points(&before);
	if (c == (locale_t)0)
		return false;
	*v_out = strtod(text, &end);
	use_again(c, before);
	return end == text + len && isfinite(*v_out);
}

bool kl_print_double(double v, char text[static KL_DOUBLE_TEXT])
{
	locale_t before, c = use_points(&before);
	if (c == (locale_t)0)
		return false;
	snprintf(text, KL_DOUBLE_TEXT, "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, KL_DOUBLE_TEXT, "%.17g", v);
	use_again(c, before);
	return true;
}

struct klamm_span kl_trim(const char *p, size_t len)
{
	while (len > 0 && (unsigned char)p[len - 1] <= ' ')
		len--;
	while (len > 0 && (unsigned char)*p <= ' ')
		p++, len--;
	return (struct klamm_span){p, len};
}

bool kl_list_next(const char **p, struct klamm_span *element_out)
{
	if (**p == '\0')
		return false;
	const char *start = *p;
	size_t len = strcspn(start, ",");
	*p = start + len + (start[len] == ',');
	*element_out = kl_trim(start, len);
	return true;
}

static const char *copy_text(struct kl_arena *strings, const struct klamm_option *row,
			     const char *text)
{
	char *copy = kl_arena_text(strings, text, strlen(text));
	if (copy == NULL || row->type != KLAMM_OPTION_LIST)
		return copy;
	/* "a, b" becomes "a,b", in place: it only gets shorter. */
	char *to = copy;
	struct klamm_span element;
	while (kl_list_next(&text, &element)) {
		if (element.len == 0)
			continue;
		if (to > copy)
			*to++ = ',';
		memcpy(to, element.data, element.len);
		to += element.len;
	}
	*to = '\0';
	return copy;
}

static int refuse(const struct klamm_option *row, const char *text, const char *why,
		  struct klamm_error *err)
{
	bool hide = row->flags & KLAMM_OPTION_SECRET;
	return kl_error(err, KLAMM_ERR_CONFIG, "%s = %.120s: %s", row->name,
			hide ? "[hidden]" : text, why);
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

/* A good value in the type's own form. */
union value {
	bool yes;
	int32_t i32;
	int64_t i64;
	double d;
	const char *text;
};

int kl_option_store(const struct klamm_option *row, const char *text,
		    struct kl_arena *strings, void *to, struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	struct klamm_span word = kl_trim(text, strlen(text));
	if (!kl_option_valid(row, text, &why))
		return refuse(row, text, kl_buf_text(&why), err);
	union value v = {0};
	switch (row->type) {
	case KLAMM_OPTION_BOOL:
		v.yes = word.len == 4;
		break;
	case KLAMM_OPTION_INT:
		kl_parse_int(word.data, word.len, &v.i64);
		v.i32 = (int32_t)v.i64;
		break;
	case KLAMM_OPTION_LONG:
		kl_parse_int(word.data, word.len, &v.i64);
		break;
	case KLAMM_OPTION_DOUBLE:
		kl_parse_double(word.data, word.len, &v.d);
		break;
	case KLAMM_OPTION_ENUM:
		v.i32 = kl_option_word(row->range, word.data, word.len, NULL);
		break;
	default:
		v.text = copy_text(strings, row, text);
		if (v.text == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for %s", row->name);
	}
	if (to != NULL)
		memcpy((uint8_t *)to + row->offset, &v, type_size(row->type));
	return 0;
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
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"option %s has the unknown type %d", row->name,
				row->type);
	if (row->type == KLAMM_OPTION_ENUM && row->range == NULL)
		return kl_error(err, KLAMM_ERR_PLUGIN, "option %s lists no words",
				row->name);
	bool stored = !(row->flags & KLAMM_OPTION_SECRET);
	if (stored && (row->offset > conf_size || size > conf_size - row->offset))
		return kl_error(
			err, KLAMM_ERR_PLUGIN,
			"option %s lies at byte %zu, outside its structure of %zu",
			row->name, row->offset, conf_size);
	if (row->def == NULL)
		return 0;
	KL_AUTO(free_arena) struct kl_arena strings = {0};
	return kl_option_store(row, row->def, &strings, NULL, err);
}
