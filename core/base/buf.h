/* SPDX-License-Identifier: BSD-2-Clause */
/* Growable bytes, and the sticky writer and reader of the wire format.
 *
 * Sticky: after the first failure every further call does nothing, so a message is
 * written or read as a straight column of calls with one check at the end.
 */
#ifndef KL_BUF_H
#define KL_BUF_H

#include <stdarg.h>

#include "core/base/base.h"
#include "core/base/endian.h"

/* --- writer --- */
struct kl_buf {
	uint8_t *data;
	size_t len, cap;
	size_t max;  /* growing beyond this fails; 0 = SIZE_MAX/2 */
	bool failed; /* out of memory, or max reached */
	bool is_secret; /* set before the first byte: see core/os/secret.h */
};

void kl_buf_free(struct kl_buf *b); /* and reset to empty */
void kl_wipe_buf(struct kl_buf *b); /* the same, and wipe it; for secrets of either kind */
/* Room for n more bytes, not yet counted in len; NULL when failed. */
uint8_t *kl_buf_reserve(struct kl_buf *b, size_t n);
/* n more bytes, counted; NULL when failed. */
uint8_t *kl_buf_extend(struct kl_buf *b, size_t n);
void kl_buf_put(struct kl_buf *b, const void *p, size_t n);
void kl_buf_printf(struct kl_buf *b, const char *fmt, ...) KL_PRINTF(2, 3);
void kl_buf_vprintf(struct kl_buf *b, const char *fmt, va_list args) KL_PRINTF(2, 0);
/* NUL-terminate without counting the NUL; "" when failed. */
const char *kl_buf_text(struct kl_buf *b);
static inline void kl_buf_clear(struct kl_buf *b)
{
	b->len = 0;
	b->failed = false;
}

void kl_buf_u8(struct kl_buf *b, uint8_t v);
void kl_buf_i16(struct kl_buf *b, int16_t v);
void kl_buf_i32(struct kl_buf *b, int32_t v);
void kl_buf_i64(struct kl_buf *b, int64_t v);
void kl_buf_uvarint(struct kl_buf *b, uint32_t v); /* unsigned, base-128 */
void kl_buf_varlong(struct kl_buf *b, int64_t v);  /* zigzag */

/* --- bytes of others inside a buffer --- */

/* A place in a buffer's bytes where borrowed bytes belong: they leave by gathered output and
 * are never copied. */
struct kl_ref {
	size_t at; /* offset in the buffer */
	const void *p;
	size_t n;
};
struct kl_refs {
	struct kl_ref *list; /* rising by at */
	size_t count, cap;
	size_t bytes; /* sum of n */
};
/* false: no memory */
bool kl_refs_add(struct kl_refs *refs, size_t at, const void *p, size_t n);
void kl_refs_free(struct kl_refs *refs); /* and reset to empty */

/* --- reader --- */
struct kl_reader {
	const uint8_t *p, *end;
	bool failed; /* ran past the end, or an impossible length */
};

static inline struct kl_reader kl_reader(const void *p, size_t n)
{
	return (struct kl_reader){p, (const uint8_t *)p + n, false};
}
static inline size_t kl_reader_left(const struct kl_reader *r)
{
	return (size_t)(r->end - r->p);
}
/* n bytes inside the input, or NULL (n == 0 never fails on good input). */
const uint8_t *kl_read(struct kl_reader *r, size_t n);
uint8_t kl_read_u8(struct kl_reader *r);
int16_t kl_read_i16(struct kl_reader *r);
int32_t kl_read_i32(struct kl_reader *r);
uint32_t kl_read_u32(struct kl_reader *r);
int64_t kl_read_i64(struct kl_reader *r);
uint32_t kl_read_uvarint(struct kl_reader *r); /* more than 32 bits fails */
int32_t kl_read_varint(struct kl_reader *r);   /* zigzag; more than 32 bits fails */
int64_t kl_read_varlong(struct kl_reader *r);  /* zigzag */

#endif
