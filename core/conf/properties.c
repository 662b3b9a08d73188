/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conf/properties.h"

#include "core/conf/object.h"

void kl_properties_init(struct kl_properties *r, const char *text, size_t len)
{
	*r = (struct kl_properties){.p = text, .end = text + len, .next_line = 1};
	r->joined.is_secret = r->key.is_secret = r->value.is_secret = true;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r->p += 3; /* a byte order mark, left by an editor */
}

void kl_properties_free(struct kl_properties *r)
{
	kl_wipe_buf(&r->joined);
	kl_wipe_buf(&r->key);
	kl_wipe_buf(&r->value);
}

bool kl_properties_failed(const struct kl_properties *r)
{
	return r->joined.failed || r->key.failed || r->value.failed;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static void skip_line_end(struct kl_properties *r)
{
	if (r->p == r->end)
		return;
	r->p += r->p + 1 < r->end && r->p[0] == '\r' && r->p[1] == '\n' ? 2 : 1;
	r->next_line++;
}

/* Up to the end of the line; an odd number of backslashes there continues it. */
static bool add_natural_line(struct kl_properties *r)
{
	const char *start = r->p;
	bool escaped = false;
	for (; r->p < r->end && *r->p != '\n' && *r->p != '\r'; r->p++)
		escaped = *r->p == '\\' && !escaped;
	kl_buf_put(&r->joined, start, (size_t)(r->p - start) - escaped);
	bool more = escaped && r->p < r->end;
	skip_line_end(r);
	return more;
}

/* The next logical line that is neither empty nor a comment. */
static bool next_logical_line(struct kl_properties *r)
{
	for (;;) {
		while (r->p < r->end && is_blank(*r->p))
			r->p++;
		if (r->p == r->end)
			return false;
		if (*r->p == '\n' || *r->p == '\r') {
			skip_line_end(r);
		} else if (*r->p == '#' || *r->p == '!') {
			while (r->p < r->end && *r->p != '\n' && *r->p != '\r')
				r->p++;
		} else {
			break;
		}
	}
	r->line = r->next_line;
	while (add_natural_line(r))
		while (r->p < r->end && is_blank(*r->p))
			r->p++;
	return true;
}

static int hex4(const char *p, const char *end)
{
	int v = 0;
	for (int i = 0; i < 4; i++, p++) {
		if (p >= end)
			return -1;
		if (*p >= '0' && *p <= '9')
			v = v * 16 + *p - '0';
		else if ((*p | 32) >= 'a' && (*p | 32) <= 'f')
			v = v * 16 + (*p | 32) - 'a' + 10;
		else
			return -1;
	}
	return v;
}

static void put_utf8(struct kl_buf *out, uint32_t c)
{
	uint8_t b[4];
	size_t n = 0;
	if (c < 0x80) {
		b[n++] = (uint8_t)c;
	} else if (c < 0x800) {
		b[n++] = (uint8_t)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			b[n++] = (uint8_t)(0xe0 | c >> 12);
		} else {
			b[n++] = (uint8_t)(0xf0 | c >> 18);
			b[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		}
		b[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		b[n++] = (uint8_t)(0x80 | (c & 0x3f));
	kl_buf_put(out, b, n);
}

/* The four digits behind \u, and those of a second half where UTF-16 needs two. */
static const char *unescape_unicode(struct kl_properties *r, const char *p,
				    const char *end, struct kl_buf *out)
{
	int c = hex4(p, end);
	if (c < 0) {
		r->why = "\\u must be followed by four hexadecimal digits";
		return p;
	}
	p += 4;
	int low = -1;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u')
		low = hex4(p + 2, end);
	if (low >= 0xdc00 && low < 0xe000) {
		c = 0x10000 + (c - 0xd800) * 0x400 + (low - 0xdc00);
		p += 6;
	} else if (c >= 0xd800 && c < 0xe000) {
		r->why = "\\u names half of a character";
	} else if (c == 0) {
		r->why = "\\u0000 cannot be part of a value";
	}
	put_utf8(out, (uint32_t)c);
	return p;
}

static void unescape(struct kl_properties *r, const char *p, const char *end,
		     struct kl_buf *out)
{
	kl_buf_clear(out);
	while (p < end) {
		if (*p == '\0')
			r->why = "there is a zero byte in the line";
		if (*p != '\\' || p + 1 == end) {
			kl_buf_put(out, p++, 1);
			continue;
		}
		char c = p[1];
		p += 2;
		if (c == 'u') {
			p = unescape_unicode(r, p, end, out);
			continue;
		}
		c = c == 't'   ? '\t'
		    : c == 'n' ? '\n'
		    : c == 'r' ? '\r'
		    : c == 'f' ? '\f'
			       : c;
		kl_buf_put(out, &c, 1);
	}
}

/* "[profile NAME]", with blanks wherever they do no harm. */
static void read_section(struct kl_properties *r)
{
	const char *p = (const char *)r->joined.data + 1, *end = p + r->joined.len - 1;
	while (end > p && is_blank(end[-1]))
		end--;
	if (end == p || *--end != ']')
		r->why = "a section's head must end with ]";
	while (p < end && is_blank(*p))
		p++;
	while (end > p && is_blank(end[-1]))
		end--;
	kl_buf_clear(&r->key);
	kl_buf_clear(&r->value);
	kl_buf_put(&r->value, p, (size_t)(end - p));
	if (memchr(p, '\0', (size_t)(end - p)) != NULL)
		r->why = "there is a zero byte in the line";
}

static void read_pair(struct kl_properties *r)
{
	const char *p = (const char *)r->joined.data, *end = p + r->joined.len,
		   *key = p;
	for (bool escaped = false; p < end; p++) {
		if (!escaped && (*p == '=' || *p == ':' || is_blank(*p)))
			break;
		escaped = *p == '\\' && !escaped;
	}
	const char *key_end = p;
	while (p < end && is_blank(*p))
		p++;
	if (p < end && (*p == '=' || *p == ':'))
		p++;
	while (p < end && is_blank(*p))
		p++;
	unescape(r, key, key_end, &r->key);
	unescape(r, p, end, &r->value);
}

bool kl_properties_next(struct kl_properties *r)
{
	kl_buf_clear(&r->joined);
	r->why = NULL;
	if (!next_logical_line(r))
		return false;
	kl_buf_text(&r->joined); /* that of a lone backslash is empty, but not NULL */
	if (kl_properties_failed(r))
		return false;
	r->is_section = r->sections && r->joined.len > 0 && r->joined.data[0] == '[';
	if (r->is_section)
		read_section(r);
	else
		read_pair(r);
	kl_buf_text(&r->key);
	kl_buf_text(&r->value);
	return !kl_properties_failed(r);
}
