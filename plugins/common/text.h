/* SPDX-License-Identifier: BSD-2-Clause */
/* A text that grows and may be secret: whatever it leaves behind is wiped.
 *
 * Sticky: after running out of memory it takes nothing more, and `failed` tells; check
 * once, at the end. One thread at a time. */
#ifndef PLUGINS_TEXT_H
#define PLUGINS_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct kl_text {
	char *p; /* owned; NULL until something is put, then with a NUL behind it */
	size_t len, cap;
	bool failed; /* out of memory */
	/* Set before the first byte: a secret that stays, in pages of its own, which no core
	 * dump has. */
	bool is_kept;
};

static inline char *kl_text_alloc(size_t cap, bool is_kept)
{
	if (!is_kept)
		return malloc(cap);
	void *p = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* As core/os/secret.c: neither is worth a refusal. */
	madvise(p, cap, MADV_DONTDUMP);
	mlock(p, cap);
	return p;
}

static inline void kl_text_free(struct kl_text *t)
{
	if (t->p != NULL)
		explicit_bzero(t->p, t->cap);
	if (t->p != NULL && t->is_kept)
		munmap(t->p, t->cap);
	else
		free(t->p);
	*t = (struct kl_text){.is_kept = t->is_kept};
}

/* Room for n bytes and a NUL. */
static inline bool kl_text_reserve(struct kl_text *t, size_t n)
{
	if (t->failed || n >= SIZE_MAX / 4 - t->len)
		t->failed = true;
	if (t->failed || (t->p != NULL && n < t->cap - t->len))
		return !t->failed;
	size_t cap = 2 * (t->len + n) + 64;
	char *p = kl_text_alloc(cap, t->is_kept);
	if (p == NULL) {
		t->failed = true;
		return false;
	}
	if (t->len > 0)
		memcpy(p, t->p, t->len);
	p[t->len] = '\0';
	size_t len = t->len;
	kl_text_free(t);
	t->p = p;
	t->len = len;
	t->cap = cap;
	return true;
}

static inline void kl_text_put(struct kl_text *t, const void *p, size_t n)
{
	if (!kl_text_reserve(t, n))
		return;
	if (n > 0)
		memcpy(t->p + t->len, p, n);
	t->len += n;
	t->p[t->len] = '\0';
}

static inline void kl_text_add(struct kl_text *t, const char *text)
{
	kl_text_put(t, text, strlen(text));
}

static inline void kl_text_char(struct kl_text *t, char c)
{
	kl_text_put(t, &c, 1);
}

/* What it has is wiped, its memory kept. */
static inline void kl_text_clear(struct kl_text *t)
{
	if (t->p != NULL)
		explicit_bzero(t->p, t->cap);
	t->len = 0;
}

/* Never NULL. */
static inline const char *kl_text_get(const struct kl_text *t)
{
	return t->p != NULL ? t->p : "";
}

/* Behind what is there already. */
__attribute__((format(printf, 2, 3))) static inline void
kl_text_printf(struct kl_text *t, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, args);
	if (n >= 0 && kl_text_reserve(t, (size_t)n)) {
		vsnprintf(t->p + t->len, (size_t)n + 1, fmt, again);
		t->len += (size_t)n;
	} else {
		t->failed = true;
	}
	va_end(again);
	va_end(args);
}

#define KL_TEXT_AUTO __attribute__((cleanup(kl_text_free))) struct kl_text

#endif
