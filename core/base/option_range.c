/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a text a value of an option, and if not, why. */
#include <strings.h>

#include "core/base/option.h"

/* One of the alternatives between '|'; false at the end. */
static bool next_alternative(const char **p, struct klamm_span *alternative_out)
{
	if (*p == NULL)
		return false;
	size_t len = strcspn(*p, "|");
	*alternative_out = (struct klamm_span){*p, len};
	*p = (*p)[len] == '|' ? *p + len + 1 : NULL;
	return true;
}

int32_t kl_option_word(const char *range, const char *text, size_t len,
		       struct klamm_span *word_out)
{
	struct klamm_span word;
	for (int32_t place = 0; next_alternative(&range, &word); place++) {
		if (word.len != len || strncasecmp(word.data, text, len) != 0)
			continue;
		if (word_out != NULL)
			*word_out = word;
		return place;
	}
	return -1;
}

/* "a..b", "a..", "..b" or "a": the places of its ends; len 0 = open. */
static void split_interval(struct klamm_span whole, struct klamm_span *low_out,
			   struct klamm_span *high_out)
{
	const char *p = whole.data, *dots = NULL;
	for (size_t i = 0; dots == NULL && i + 1 < whole.len; i++)
		if (p[i] == '.' && p[i + 1] == '.')
			dots = p + i;
	if (dots == NULL) {
		*low_out = *high_out = whole;
		return;
	}
	*low_out = (struct klamm_span){p, (size_t)(dots - p)};
	*high_out = (struct klamm_span){dots + 2, whole.len - low_out->len - 2};
}

static bool int_in_range(const char *range, int64_t v)
{
	struct klamm_span interval, low, high;
	while (next_alternative(&range, &interval)) {
		int64_t min = INT64_MIN, max = INT64_MAX;
		split_interval(interval, &low, &high);
		kl_parse_int(low.data, low.len, &min);
		kl_parse_int(high.data, high.len, &max);
		if (v >= min && v <= max)
			return true;
	}
	return false;
}

static bool double_in_range(const char *range, double v)
{
	struct klamm_span interval, low, high;
	while (next_alternative(&range, &interval)) {
		double min = -__DBL_MAX__, max = __DBL_MAX__;
		split_interval(interval, &low, &high);
		kl_parse_double(low.data, low.len, &min);
		kl_parse_double(high.data, high.len, &max);
		if (v >= min && v <= max)
			return true;
	}
	return false;
}

/* "must be -1 or 1..9", with the type's own limits where the range is open. */
static bool say_interval(const struct klamm_option *o, struct kl_buf *why)
{
	const char *min = "", *max = "", *range = o->range != NULL ? o->range : "..";
	if (o->type != KLAMM_OPTION_DOUBLE) {
		min = o->type == KLAMM_OPTION_INT ? "-2147483648"
						  : "-9223372036854775808";
		max = o->type == KLAMM_OPTION_INT ? "2147483647"
						  : "9223372036854775807";
	} else if (o->range == NULL) {
		kl_buf_printf(why, "must be a number");
		return false;
	}
	struct klamm_span interval, low, high;
	for (const char *sep = "must be "; next_alternative(&range, &interval);
	     sep = " or ") {
		split_interval(interval, &low, &high);
		kl_buf_printf(why, "%s%.*s", sep,
			      low.len ? (int)low.len : (int)strlen(min),
			      low.len ? (const char *)low.data : min);
		if (low.data != high.data || low.len == 0)
			kl_buf_printf(why, "..%.*s",
				      high.len ? (int)high.len : (int)strlen(max),
				      high.len ? (const char *)high.data : max);
	}
	return false;
}

static bool say_words(const char *range, struct kl_buf *why)
{
	struct klamm_span word;
	kl_buf_printf(why, "must be ");
	for (const char *sep = ""; next_alternative(&range, &word);) {
		kl_buf_printf(why, "%s%.*s", sep, (int)word.len,
			      (const char *)word.data);
		sep = range != NULL && strchr(range, '|') == NULL ? " or " : ", ";
	}
	return false;
}

static bool valid_list(const struct klamm_option *o, const char *text,
		       struct kl_buf *why)
{
	struct klamm_span element;
	while (kl_list_next(&text, &element)) {
		if (element.len > 0 && o->range != NULL &&
		    kl_option_word(o->range, element.data, element.len, NULL) < 0)
			return say_words(o->range, why);
	}
	return true;
}

bool kl_option_valid(const struct klamm_option *o, const char *text, struct kl_buf *why)
{
	struct klamm_span word = kl_trim(text, strlen(text));
	int64_t v;
	double d;
	switch (o->type) {
	case KLAMM_OPTION_BOOL:
		return kl_option_word("true|false", word.data, word.len, NULL) >= 0 ||
		       say_words("true|false", why);
	case KLAMM_OPTION_INT:
	case KLAMM_OPTION_LONG:
		if (!kl_parse_int(word.data, word.len, &v) ||
		    (o->type == KLAMM_OPTION_INT && (v < INT32_MIN || v > INT32_MAX)) ||
		    (o->range != NULL && !int_in_range(o->range, v)))
			return say_interval(o, why);
		return true;
	case KLAMM_OPTION_DOUBLE:
		if (!kl_parse_double(word.data, word.len, &d) ||
		    (o->range != NULL && !double_in_range(o->range, d)))
			return say_interval(o, why);
		return true;
	case KLAMM_OPTION_LIST:
		return valid_list(o, text, why);
	case KLAMM_OPTION_STRING:
	case KLAMM_OPTION_ENUM:
		if (o->range != NULL &&
		    kl_option_word(o->range, word.data, word.len, NULL) < 0)
			return say_words(o->range, why);
		return true;
	default:
		kl_buf_printf(why,
			      "has a type that this version of klamm does not know");
		return false;
	}
}
