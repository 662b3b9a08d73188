/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/os/secret.h"

void kl_buf_free(struct kl_buf *b)
{
	if (b->is_secret)
		kl_secret_free(b->data);
	else
		free(b->data);
	*b = (struct kl_buf){.max = b->max, .is_secret = b->is_secret};
}

void kl_wipe_buf(struct kl_buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	kl_buf_free(b);
}

/* realloc() would leave a copy behind. */
static uint8_t *grow_secret(struct kl_buf *b, size_t cap)
{
	uint8_t *data = kl_secret_alloc(cap);
	if (data == NULL)
		return NULL;
	if (b->len > 0)
		memcpy(data, b->data, b->len);
	kl_secret_free(b->data);
	return data;
}

static bool grow(struct kl_buf *b, size_t need)
{
	size_t max = b->max ? b->max : SIZE_MAX / 2;
	if (b->failed || need > max) {
		b->failed = true;
		return false;
	}
	size_t cap = b->cap ? b->cap : 256;
	while (cap < need)
		cap *= 2;
	cap = kl_min(cap, max);
	uint8_t *data = b->is_secret ? grow_secret(b, cap) : realloc(b->data, cap);
	if (data == NULL) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

uint8_t *kl_buf_reserve(struct kl_buf *b, size_t n)
{
	if (b->failed)
		return NULL;
	/* Without bytes there is no place that NULL could be told from. */
	if ((n > b->cap - b->len || kl_unlikely(b->data == NULL)) &&
	    (n > SIZE_MAX / 4 || !grow(b, b->len + n))) {
		b->failed = true;
		return NULL;
	}
	return b->data + b->len;
}

uint8_t *kl_buf_extend(struct kl_buf *b, size_t n)
{
	uint8_t *p = kl_buf_reserve(b, n);
	if (p != NULL)
		b->len += n;
	return p;
}

void kl_buf_put(struct kl_buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	uint8_t *to = kl_buf_extend(b, n);
	if (to != NULL)
		memcpy(to, p, n);
}

void kl_buf_vprintf(struct kl_buf *b, const char *fmt, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, args);
	if (n >= 0 && kl_buf_reserve(b, (size_t)n + 1) != NULL) {
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void kl_buf_printf(struct kl_buf *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	kl_buf_vprintf(b, fmt, args);
	va_end(args);
}

const char *kl_buf_text(struct kl_buf *b)
{
	uint8_t *end = kl_buf_reserve(b, 1);
	if (end == NULL)
		return "";
	*end = 0;
	return (const char *)b->data;
}

void kl_buf_u8(struct kl_buf *b, uint8_t v)
{
	kl_buf_put(b, &v, 1);
}

void kl_buf_i16(struct kl_buf *b, int16_t v)
{
	uint8_t *p = kl_buf_extend(b, 2);
	if (p != NULL)
		kl_store_u16(p, (uint16_t)v);
}

void kl_buf_i32(struct kl_buf *b, int32_t v)
{
	uint8_t *p = kl_buf_extend(b, 4);
	if (p != NULL)
		kl_store_u32(p, (uint32_t)v);
}

void kl_buf_i64(struct kl_buf *b, int64_t v)
{
	uint8_t *p = kl_buf_extend(b, 8);
	if (p != NULL)
		kl_store_u64(p, (uint64_t)v);
}

void kl_buf_uvarint(struct kl_buf *b, uint32_t v)
{
	uint8_t *p = kl_buf_reserve(b, 5);
	if (p != NULL)
		b->len += (size_t)(kl_store_uvarint(p, v) - p);
}

void kl_buf_varlong(struct kl_buf *b, int64_t v)
{
	uint8_t *p = kl_buf_reserve(b, 10);
	if (p != NULL)
		b->len += (size_t)(kl_store_varint(p, v) - p);
}

bool kl_refs_add(struct kl_refs *refs, size_t at, const void *p, size_t n)
{
	if (refs->count == refs->cap) {
		size_t cap = refs->cap ? refs->cap * 2 : 16;
		struct kl_ref *list = reallocarray(refs->list, cap, sizeof(*list));
		if (list == NULL)
			return false;
		refs->list = list;
		refs->cap = cap;
	}
	refs->list[refs->count++] = (struct kl_ref){at, p, n};
	refs->bytes += n;
	return true;
}

void kl_refs_free(struct kl_refs *refs)
{
	free(refs->list);
	*refs = (struct kl_refs){0};
}

const uint8_t *kl_read(struct kl_reader *r, size_t n)
{
	if (r->failed || n > kl_reader_left(r)) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *p = r->p;
	r->p += n;
	return p;
}

uint8_t kl_read_u8(struct kl_reader *r)
{
	const uint8_t *p = kl_read(r, 1);
	return p ? *p : 0;
}

int16_t kl_read_i16(struct kl_reader *r)
{
	const uint8_t *p = kl_read(r, 2);
	return p ? (int16_t)kl_load_u16(p) : 0;
}

int32_t kl_read_i32(struct kl_reader *r)
{
	return (int32_t)kl_read_u32(r);
}

uint32_t kl_read_u32(struct kl_reader *r)
{
	const uint8_t *p = kl_read(r, 4);
	return p ? kl_load_u32(p) : 0;
}

int64_t kl_read_i64(struct kl_reader *r)
{
	const uint8_t *p = kl_read(r, 8);
	return p ? (int64_t)kl_load_u64(p) : 0;
}

static uint64_t read_uvarint(struct kl_reader *r, unsigned max_bytes)
{
	uint64_t v = 0;
	const uint8_t *next = r->failed ? NULL : kl_load_uvarint(r->p, r->end, max_bytes, &v);
	if (next == NULL) {
		r->failed = true;
		return 0;
	}
	r->p = next;
	return v;
}

uint32_t kl_read_uvarint(struct kl_reader *r)
{
	return (uint32_t)read_uvarint(r, 5);
}

int32_t kl_read_varint(struct kl_reader *r)
{
	return kl_unzigzag32(kl_read_uvarint(r));
}

int64_t kl_read_varlong(struct kl_reader *r)
{
	return kl_unzigzag64(read_uvarint(r, 10));
}
