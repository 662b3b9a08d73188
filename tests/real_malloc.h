/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions behind malloc() and its like, for programs that have their own in front of
 * them. */
#ifndef REAL_MALLOC_H
#define REAL_MALLOC_H

#include <stddef.h>

/* A sanitizer's functions know what they gave out; its strdup() does not come by here. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t n);
void *REAL(calloc)(size_t count, size_t n);
void *REAL(realloc)(void *p, size_t n);

#endif
