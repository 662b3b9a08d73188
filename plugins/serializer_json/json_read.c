/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/serializer_json/json.h"

#include <math.h>
#include <stdlib.h>

#include "plugins/common/utf8.h"

struct reader {
	const uint8_t *begin, *p, *end;
	struct klamm_arena *arena; /* NULL = only check */
	locale_t c;
	int depth;
	const char *why;
};

static int fault(struct reader *r, const char *why)
{
	r->why = why;
	return -1;
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end &&
	       (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
}

static bool is_digit(const struct reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

/* --- strings --- */

static int hex4(const uint8_t *p)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int digit = -1;
		if (p[i] >= '0' && p[i] <= '9')
			digit = p[i] - '0';
		else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')
			digit = (p[i] | 0x20) - 'a' + 10;
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* Past the closing quote; *escapes_out: the text must be decoded. */
static int scan_string(struct reader *r, bool *escapes_out)
{
	*escapes_out = false;
	for (;;) {
		if (r->p == r->end)
			return fault(r, "a string without an end");
		uint8_t c = *r->p;
		if (c == '"') {
			r->p++;
			return 0;
		}
		if (c < ' ')
			return fault(r, "a control character in a string");
		size_t n = utf8_sequence(r->p, (size_t)(r->end - r->p));
		if (n == 0)
			return fault(r, "a byte that is not UTF-8");
		if (c == '\\') {
			*escapes_out = true;
			if (r->end - r->p < 2 || strchr("\"\\/bfnrtu", r->p[1]) == NULL ||
			    r->p[1] == '\0')
				return fault(r, "an unknown escape");
			n = r->p[1] == 'u' ? 6 : 2;
			if (n == 6 && (r->end - r->p < 6 || hex4(r->p + 2) < 0))
				return fault(r, "\\u without four digits");
		}
		r->p += n;
	}
}

static uint8_t *put_utf8(uint8_t *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (uint8_t)code;
	} else if (code < 0x800) {
		*to++ = (uint8_t)(0xc0 | code >> 6);
		*to++ = (uint8_t)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (uint8_t)(0xe0 | code >> 12);
		*to++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		*to++ = (uint8_t)(0x80 | (code & 0x3f));
	} else {
		*to++ = (uint8_t)(0xf0 | code >> 18);
		*to++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
		*to++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		*to++ = (uint8_t)(0x80 | (code & 0x3f));
	}
	return to;
}

/* A \u escape at *p, which is moved behind it and behind the second half of a pair. Half a
 * pair alone is legal JSON but no character: it becomes U+FFFD. */
static uint32_t unicode_escape(const uint8_t **p, const uint8_t *end)
{
	uint32_t code = (uint32_t)hex4(*p + 2);
	*p += 6;
	if (code < 0xd800 || code > 0xdfff)
		return code;
	if (code > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
		return 0xfffd;
	uint32_t low = (uint32_t)hex4(*p + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*p += 6;
	return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

/* A scanned string decodes into no more bytes than it has. */
static size_t unescape(const uint8_t *p, const uint8_t *end, uint8_t *begin)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	uint8_t *to = begin;
	while (p < end) {
		if (*p != '\\') {
			*to++ = *p++;
		} else if (p[1] == 'u') {
			to = put_utf8(to, unicode_escape(&p, end));
		} else {
			const char *letter = strchr(letters, p[1]);
			*to++ = letter != NULL ? (uint8_t)meanings[letter - letters] : p[1];
			p += 2;
		}
	}
	return (size_t)(to - begin);
}

static int read_string(struct reader *r, struct klamm_value *value)
{
	const uint8_t *begin = ++r->p;
	bool has_escapes;
	if (scan_string(r, &has_escapes) != 0)
		return -1;
	if (r->arena == NULL)
		return 0;
	const uint8_t *end = r->p - 1;
	struct klamm_span text = {begin, (size_t)(end - begin)};
	if (has_escapes) {
		uint8_t *copy = r->arena->alloc(r->arena, text.len);
		if (copy == NULL)
			return fault(r, "out of memory");
		text.len = unescape(begin, end, copy);
		text.data = copy;
	}
	*value = (struct klamm_value){.type = KLAMM_VALUE_STRING, .as.bytes = text};
	return 0;
}

/* --- numbers --- */

static void skip_digits(struct reader *r)
{
	while (is_digit(r))
		r->p++;
}

/* *whole_out: neither fraction nor exponent. */
static int scan_number(struct reader *r, bool *whole_out)
{
	*whole_out = true;
	if (*r->p == '-')
		r->p++;
	if (!is_digit(r))
		return fault(r, "a digit is missing");
	if (*r->p == '0')
		r->p++;
	else
		skip_digits(r);
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		*whole_out = false;
		if (!is_digit(r))
			return fault(r, "a digit is missing");
		skip_digits(r);
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		*whole_out = false;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (!is_digit(r))
			return fault(r, "a digit is missing");
		skip_digits(r);
	}
	return 0;
}

/* false: it does not fit. */
static bool to_integer(const uint8_t *p, const uint8_t *end, int64_t *v_out)
{
	bool negative = *p == '-';
	int64_t v = 0;
	for (p += negative; p < end; p++) {
		int digit = *p - '0';
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, negative ? -digit : digit, &v))
			return false;
	}
	*v_out = v;
	return true;
}

static int read_number(struct reader *r, struct klamm_value *value)
{
	const uint8_t *begin = r->p;
	bool is_whole;
	if (scan_number(r, &is_whole) != 0)
		return -1;
	if (r->arena == NULL)
		return 0;
	size_t len = (size_t)(r->p - begin);
	bool is_minus_zero = len == 2 && memcmp(begin, "-0", 2) == 0;
	*value = (struct klamm_value){.type = KLAMM_VALUE_INT};
	if (is_whole && !is_minus_zero && to_integer(begin, r->p, &value->as.integer))
		return 0;
	char small[64];
	char *text = len < sizeof(small) ? small : r->arena->alloc(r->arena, len + 1);
	if (text == NULL)
		return fault(r, "out of memory");
	memcpy(text, begin, len);
	text[len] = '\0';
	value->type = KLAMM_VALUE_DOUBLE;
	value->as.real = strtod_l(text, NULL, r->c);
	return isfinite(value->as.real) ? 0 : fault(r, "a number beyond any double");
}

/* --- lists and maps --- */

static int read_value(struct reader *r, struct klamm_value *value);

/* Room for one more thing of `size` bytes; the array doubles inside the arena. */
static void *one_more(struct reader *r, void *array, size_t count, size_t size)
{
	if (r->arena == NULL || (count & (count - 1)) != 0 || (count > 0 && count < 4))
		return array;
	void *bigger = r->arena->alloc(r->arena, (count < 4 ? 4 : count * 2) * size);
	if (bigger == NULL)
		fault(r, "out of memory");
	else if (count > 0)
		memcpy(bigger, array, count * size);
	return bigger;
}

/* After an element: 1 = another one follows, 0 = closed, -1. */
static int next_element(struct reader *r, uint8_t close)
{
	skip_space(r);
	if (r->p < r->end && *r->p == close) {
		r->p++;
		return 0;
	}
	if (r->p == r->end || *r->p != ',')
		return fault(r, close == ']' ? "',' or ']' is missing"
					     : "',' or '}' is missing");
	r->p++;
	skip_space(r);
	return 1;
}

/* Is the list or map at p empty? Then it is passed. */
static bool is_empty(struct reader *r, uint8_t close)
{
	r->p++;
	skip_space(r);
	if (r->p == r->end || *r->p != close)
		return false;
	r->p++;
	return true;
}

static int read_list(struct reader *r, struct klamm_value *value)
{
	struct klamm_value *items = NULL, ignored;
	size_t count = 0;
	if (!is_empty(r, ']')) {
		int more;
		do {
			items = one_more(r, items, count, sizeof(*items));
			if (r->why != NULL ||
			    read_value(r, items != NULL ? &items[count] : &ignored) != 0)
				return -1;
			count++;
			more = next_element(r, ']');
			if (more < 0)
				return -1;
		} while (more == 1);
	}
	*value = (struct klamm_value){.type = KLAMM_VALUE_LIST, .as.list = {items, count}};
	return 0;
}

static int read_entry(struct reader *r, struct klamm_entry *entry)
{
	if (r->p == r->end || *r->p != '"')
		return fault(r, "a name in quotes is missing");
	if (read_string(r, &entry->key) != 0)
		return -1;
	skip_space(r);
	if (r->p == r->end || *r->p != ':')
		return fault(r, "':' is missing");
	r->p++;
	return read_value(r, &entry->value);
}

static int read_map(struct reader *r, struct klamm_value *value)
{
	struct klamm_entry *entries = NULL, ignored;
	size_t count = 0;
	if (!is_empty(r, '}')) {
		int more;
		do {
			entries = one_more(r, entries, count, sizeof(*entries));
			if (r->why != NULL ||
			    read_entry(r, entries != NULL ? &entries[count] : &ignored) != 0)
				return -1;
			count++;
			more = next_element(r, '}');
			if (more < 0)
				return -1;
		} while (more == 1);
	}
	*value = (struct klamm_value){.type = KLAMM_VALUE_MAP, .as.map = {entries, count}};
	return 0;
}

/* --- any value --- */

static int read_word(struct reader *r, const char *word, struct klamm_value *value,
		     struct klamm_value meaning)
{
	size_t len = strlen(word);
	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return fault(r, "a word that is none of true, false and null");
	r->p += len;
	*value = meaning;
	return 0;
}

static int read_nested(struct reader *r, struct klamm_value *value)
{
	if (r->depth == KLAMM_VALUE_DEPTH_MAX)
		return fault(r, "lists and maps nest too deep");
	r->depth++;
	int rc = *r->p == '[' ? read_list(r, value) : read_map(r, value);
	r->depth--;
	return rc;
}

static int read_value(struct reader *r, struct klamm_value *value)
{
	skip_space(r);
	if (r->p == r->end)
		return fault(r, "a value is missing");
	switch (*r->p) {
	case '"':
		return read_string(r, value);
	case '[':
	case '{':
		return read_nested(r, value);
	case 't':
		return read_word(r, "true", value,
				 (struct klamm_value){.type = KLAMM_VALUE_BOOL,
						      .as.boolean = 1});
	case 'f':
		return read_word(r, "false", value,
				 (struct klamm_value){.type = KLAMM_VALUE_BOOL});
	case 'n':
		return read_word(r, "null", value,
				 (struct klamm_value){.type = KLAMM_VALUE_NULL});
	default:
		if (*r->p == '-' || is_digit(r))
			return read_number(r, value);
		return fault(r, "no value begins like this");
	}
}

int serializer_json_read(const struct klamm_span *text, locale_t c,
			 struct klamm_arena *arena, struct klamm_value *value_out,
			 struct json_fault *fault_out)
{
	const uint8_t *begin = text->len > 0 ? text->data : (const uint8_t *)"";
	struct reader r = {
		.begin = begin, .p = begin, .end = begin + text->len, .arena = arena, .c = c};
	struct klamm_value value;
	int rc = read_value(&r, &value);
	if (rc == 0) {
		skip_space(&r);
		if (r.p < r.end)
			rc = fault(&r, "something follows the value");
	}
	if (rc != 0)
		*fault_out = (struct json_fault){r.why, (size_t)(r.p - r.begin)};
	else if (arena != NULL)
		*value_out = value;
	return rc;
}
