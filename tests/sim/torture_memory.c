/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/torture_memory.h"

#include <malloc.h>
#include <stdlib.h>

#include "tests/real_malloc.h"

void *REAL(memalign)(size_t align, size_t n);
void REAL(free)(void *p);

/* One thread runs the simulation, and no other allocates in this program. */
static struct kl_sim *armed; /* NULL = memory never runs out */
static const struct kl_sim_node *victim;
static uint64_t asked, fail_first, fail_count;
static int64_t live;

void torture_begin(struct kl_sim *sim, const struct kl_sim_node *node, uint64_t first,
		   uint64_t count)
{
	asked = 0;
	fail_first = first;
	fail_count = count;
	victim = node;
	armed = sim;
}

uint64_t torture_end(void)
{
	armed = NULL;
	return asked;
}

int64_t torture_live(void)
{
	return live;
}

static bool fails(void)
{
	if (armed == NULL || kl_sim_running(armed) != victim)
		return false;
	asked++;
	/* Below first it wraps round, and is far above any count. */
	if (asked - fail_first >= fail_count)
		return false;
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	live += p != NULL;
	return p;
}

void *malloc(size_t n)
{
	return fails() ? NULL : counted(REAL(malloc)(n));
}

void *calloc(size_t count, size_t n)
{
	return fails() ? NULL : counted(REAL(calloc)(count, n));
}

void *realloc(void *p, size_t n)
{
	if (p == NULL)
		return malloc(n);
	if (n == 0) { /* libc's frees p */
		free(p);
		return NULL;
	}
	return fails() ? NULL : REAL(realloc)(p, n);
}

void *reallocarray(void *p, size_t count, size_t n)
{
	size_t bytes;
	return __builtin_mul_overflow(count, n, &bytes) ? NULL : realloc(p, bytes);
}

void *memalign(size_t align, size_t n)
{
	return fails() ? NULL : counted(REAL(memalign)(align, n));
}

void *aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

int posix_memalign(void **p_out, size_t align, size_t n)
{
	void *p = memalign(align, n);
	if (p == NULL)
		return ENOMEM;
	*p_out = p;
	return 0;
}

void free(void *p)
{
	live -= p != NULL;
	REAL(free)(p);
}

static char *copy(const char *text, size_t len)
{
	char *copied = malloc(len + 1);
	if (copied != NULL) {
		memcpy(copied, text, len);
		copied[len] = '\0';
	}
	return copied;
}

char *strdup(const char *text)
{
	return copy(text, strlen(text));
}

char *strndup(const char *text, size_t n)
{
	return copy(text, strnlen(text, n));
}
