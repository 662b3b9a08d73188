/* SPDX-License-Identifier: BSD-2-Clause */
/* Small words that every file uses. */
#ifndef KL_BASE_H
#define KL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define kl_likely(x) __builtin_expect(!!(x), 1)
#define kl_unlikely(x) __builtin_expect(!!(x), 0)
#define kl_container(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define kl_countof(a) (sizeof(a) / sizeof((a)[0]))
#define KL_CACHE_LINE 64
/* What a record passes through: a call and its spills are a tenth of its cost. */
#define KL_HOT inline __attribute__((always_inline))
#define KL_COLD __attribute__((noinline))

#define kl_min(a, b) ((a) < (b) ? (a) : (b))
#define kl_max(a, b) ((a) > (b) ? (a) : (b))

/* Between two looks at a word that another CPU is about to change. */
static inline void kl_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Free on leaving the scope: KL_AUTO(free_text) char *p = NULL; */
#define KL_AUTO(fn) __attribute__((cleanup(fn)))
#define KL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* A deadline is a point of the loop's monotonic clock in microseconds. */
#define KL_NEVER INT64_MAX
#define KL_MS INT64_C(1000)
#define KL_SECOND INT64_C(1000000)

#endif
