/* SPDX-License-Identifier: BSD-2-Clause */
/* Text in the encodings that Java's StringSerializer is set to in practice. Inside it is
 * UTF-8; what an encoding has no code for, or bytes that are none of its, is an error: nothing
 * is replaced. */
#ifndef PLUGINS_CHARSET_H
#define PLUGINS_CHARSET_H

#include <klamm/serializer.h>

#include "plugins/common/utf8.h"

struct charset {
	const char *name;
	uint32_t max;    /* the highest code point that it has */
	bool is_wide;    /* UTF-16, */
	bool is_little;  /* the low byte first, */
	bool has_mark;   /* or by the mark in front, which may be missing */
};

#define CHARSET_WORDS "UTF-8|ISO-8859-1|US-ASCII|UTF-16|UTF-16BE|UTF-16LE"
static const struct charset charsets[] = {
	/* in the order of the words */
	{.name = "UTF-8", .max = 0x10ffff},
	{.name = "ISO-8859-1", .max = 0xff},
	{.name = "US-ASCII", .max = 0x7f},
	{.name = "UTF-16", .max = 0x10ffff, .is_wide = true, .has_mark = true},
	{.name = "UTF-16BE", .max = 0x10ffff, .is_wide = true},
	{.name = "UTF-16LE", .max = 0x10ffff, .is_wide = true, .is_little = true},
};
#define CHARSET_UTF_8 (&charsets[0])

#define CHARSET_MARK 0xfeffu
#define CHARSET_MARK_TURNED 0xfffeu

/* --- the options --- */

/* Java's keys, which are other ones for reading. */
struct charset_conf {
	int32_t writes, reads;
};

static const struct klamm_option charset_options[] = {
	{.name = "serializer.encoding", .type = KLAMM_OPTION_ENUM,
	 .offset = offsetof(struct charset_conf, writes), .def = "UTF-8",
	 .range = CHARSET_WORDS, .doc = "The encoding of text that is written."},
	{.name = "deserializer.encoding", .type = KLAMM_OPTION_ENUM,
	 .offset = offsetof(struct charset_conf, reads), .def = "UTF-8",
	 .range = CHARSET_WORDS, .doc = "The encoding of text that is read."},
	{NULL},
};

/* An instance is the encoding that its role says. */
static int charset_open(const struct klamm_host *host, const void *conf, void **self_out,
			struct klamm_error *err)
{
	const struct charset_conf *c = conf;
	bool reads = strstr(host->role, "deserializer") != NULL;
	*self_out = (void *)&charsets[reads ? c->reads : c->writes];
	return 0;
}

static inline const char *charset_side(const struct klamm_serializer_ctx *ctx)
{
	return ctx->is_key ? "key" : "value";
}

static inline int charset_wrong(const struct charset *cs, int code,
				const struct klamm_serializer_ctx *ctx,
				const struct klamm_span *bytes, size_t at,
				struct klamm_error *err)
{
	return klamm_fail(err, code, "the %s is not %s at byte %zu of %zu (0x%02x)",
			  charset_side(ctx), cs->name, at, bytes->len,
			  ((const uint8_t *)bytes->data)[at]);
}

/* --- from UTF-8 --- */

/* The code point of a sequence that is sound. */
static inline uint32_t charset_code(const uint8_t *p, size_t len)
{
	static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = p[0] & lead[len];
	for (size_t i = 1; i < len; i++)
		code = code << 6 | (p[i] & 0x3f);
	return code;
}

static inline uint8_t *charset_put_unit(uint8_t *to, const struct charset *cs, uint32_t unit)
{
	to[cs->is_little] = (uint8_t)(unit >> 8);
	to[!cs->is_little] = (uint8_t)unit;
	return to + 2;
}

static inline uint8_t *charset_put_code(uint8_t *to, const struct charset *cs, uint32_t code)
{
	if (!cs->is_wide) {
		*to = (uint8_t)code;
		return to + 1;
	}
	if (code < 0x10000)
		return charset_put_unit(to, cs, code);
	to = charset_put_unit(to, cs, 0xd7c0 + (code >> 10));
	return charset_put_unit(to, cs, 0xdc00 + (code & 0x3ff));
}

/* How long the text is in this encoding. */
static inline int charset_measure(const struct charset *cs,
				  const struct klamm_serializer_ctx *ctx,
				  const struct klamm_span *text, size_t *size_out,
				  struct klamm_error *err)
{
	const uint8_t *p = text->data;
	*size_out = cs->has_mark && text->len > 0 ? 2 : 0;
	for (size_t at = 0, len; at < text->len; at += len) {
		len = utf8_sequence(p + at, text->len - at);
		uint32_t code = charset_code(p + at, len);
		if (code > cs->max)
			return klamm_fail(err, KLAMM_ERR_SERIALIZE,
					  "the %s has U+%04X at byte %zu of %zu, which %s has "
					  "no code for",
					  charset_side(ctx), code, at, text->len, cs->name);
		*size_out += !cs->is_wide ? 1 : code < 0x10000 ? 2 : 4;
	}
	return 0;
}

/* Append the text, which is UTF-8 or an error, to out. SERIALIZE, LIMIT, NO_MEMORY. */
static inline int charset_encode(const struct charset *cs,
				 const struct klamm_serializer_ctx *ctx,
				 const struct klamm_span *text, struct klamm_out *out,
				 struct klamm_error *err)
{
	const uint8_t *p = text->data;
	size_t good = utf8_check(p, text->len), size = text->len;
	if (good != text->len)
		return charset_wrong(CHARSET_UTF_8, KLAMM_ERR_SERIALIZE, ctx, text, good, err);
	if (cs == CHARSET_UTF_8) {
		int rc = klamm_out_append(out, p, size);
		return rc == 0 ? 0 : klamm_out_error(out, size, err);
	}
	int rc = charset_measure(cs, ctx, text, &size, err);
	if (rc != 0 || size == 0)
		return rc;
	uint8_t *to = klamm_out_reserve(out, size);
	if (to == NULL)
		return klamm_out_error(out, size, err);
	if (cs->has_mark)
		to = charset_put_unit(to, cs, CHARSET_MARK);
	for (size_t at = 0, len; at < text->len; at += len) {
		len = utf8_sequence(p + at, text->len - at);
		to = charset_put_code(to, cs, charset_code(p + at, len));
	}
	out->len += size;
	return 0;
}

/* --- to UTF-8 --- */

static inline uint8_t *charset_put_utf8(uint8_t *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (uint8_t)code;
		return to;
	}
	size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
	*to++ = (uint8_t)(lead[more] | code >> 6 * more);
	while (more-- > 0)
		*to++ = (uint8_t)(0x80 | (code >> 6 * more & 0x3f));
	return to;
}

static inline uint8_t *charset_room(struct klamm_arena *arena, size_t n,
				    struct klamm_error *err)
{
	uint8_t *to = arena->alloc(arena, n);
	if (to == NULL)
		klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu bytes", n);
	return to;
}

/* ISO-8859-1 has each byte, US-ASCII the lower half; that is UTF-8 as it stands. */
static inline int charset_decode_bytes(const struct charset *cs,
				       const struct klamm_serializer_ctx *ctx,
				       const struct klamm_span *in, struct klamm_arena *arena,
				       struct klamm_span *text_out, struct klamm_error *err)
{
	const uint8_t *p = in->data;
	size_t ascii = 0;
	while (ascii < in->len && p[ascii] < 0x80)
		ascii++;
	*text_out = *in;
	if (ascii == in->len)
		return 0;
	if (p[ascii] > cs->max)
		return charset_wrong(cs, KLAMM_ERR_DESERIALIZE, ctx, in, ascii, err);
	uint8_t *to = charset_room(arena, 2 * in->len, err), *begin = to;
	if (to == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (size_t i = 0; i < in->len; i++)
		to = charset_put_utf8(to, p[i]);
	*text_out = (struct klamm_span){begin, (size_t)(to - begin)};
	return 0;
}

static inline uint32_t charset_unit(const struct charset *cs, const uint8_t *p)
{
	return (uint32_t)p[cs->is_little] << 8 | p[!cs->is_little];
}

/* The code point at p, which has n > 0 bytes left, and its length; 0 = it is none. */
static inline size_t charset_wide_code(const struct charset *cs, const uint8_t *p, size_t n,
				       uint32_t *code_out)
{
	if (n < 2)
		return 0;
	uint32_t unit = charset_unit(cs, p);
	*code_out = unit;
	if (unit < 0xd800 || unit > 0xdfff)
		return 2;
	uint32_t low = n < 4 ? 0 : charset_unit(cs, p + 2);
	if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return 0;
	*code_out = 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
	return 4;
}

static inline int charset_decode_wide(const struct charset *cs,
				      const struct klamm_serializer_ctx *ctx,
				      const struct klamm_span *in, struct klamm_arena *arena,
				      struct klamm_span *text_out, struct klamm_error *err)
{
	const uint8_t *p = in->data;
	struct charset order = *cs;
	size_t at = 0, len;
	uint32_t first = cs->has_mark && in->len >= 2 ? charset_unit(cs, p) : 0;
	if (first == CHARSET_MARK || first == CHARSET_MARK_TURNED)
		at = 2;
	order.is_little |= first == CHARSET_MARK_TURNED;
	uint8_t *to = charset_room(arena, in->len / 2 * 3 + 1, err), *begin = to;
	if (to == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (; at < in->len; at += len) {
		uint32_t code;
		len = charset_wide_code(&order, p + at, in->len - at, &code);
		if (len == 0)
			return charset_wrong(cs, KLAMM_ERR_DESERIALIZE, ctx, in, at, err);
		to = charset_put_utf8(to, code);
	}
	*text_out = (struct klamm_span){begin, (size_t)(to - begin)};
	return 0;
}

/* *text_out is UTF-8, in the arena or in in. DESERIALIZE, NO_MEMORY. */
static inline int charset_decode(const struct charset *cs,
				 const struct klamm_serializer_ctx *ctx,
				 const struct klamm_span *in, struct klamm_arena *arena,
				 struct klamm_span *text_out, struct klamm_error *err)
{
	if (cs->is_wide)
		return charset_decode_wide(cs, ctx, in, arena, text_out, err);
	if (cs != CHARSET_UTF_8)
		return charset_decode_bytes(cs, ctx, in, arena, text_out, err);
	size_t good = utf8_check(in->data, in->len);
	*text_out = *in;
	return good == in->len
		       ? 0
		       : charset_wrong(cs, KLAMM_ERR_DESERIALIZE, ctx, in, good, err);
}

#endif
