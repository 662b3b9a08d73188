/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line where memory runs out once: allocation number $STARVED_AT of the process
 * fails, counted from 1. At 0 none does, and their number is told at the end, on stderr. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/real_malloc.h"

static atomic_long asked;
static long fails_at = -1;

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("STARVED_AT");
	if (at != NULL)
		fails_at = atol(at);
	atomic_store(&asked, 0);
}

__attribute__((destructor)) static void end(void)
{
	if (fails_at == 0)
		dprintf(STDERR_FILENO, "%ld\n", atomic_load(&asked));
}

static int fails(void)
{
	if (atomic_fetch_add(&asked, 1) + 1 != fails_at)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	return fails() ? NULL : REAL(malloc)(n);
}

void *calloc(size_t count, size_t n)
{
	return fails() ? NULL : REAL(calloc)(count, n);
}

void *realloc(void *p, size_t n)
{
	return fails() ? NULL : REAL(realloc)(p, n);
}

void *reallocarray(void *p, size_t count, size_t n)
{
	size_t bytes;
	return __builtin_mul_overflow(count, n, &bytes) ? NULL : realloc(p, bytes);
}
