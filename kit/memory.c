/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that tells what was done to it, and what is left of it. */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "kit/inside.h"

/* --- output --- */

/* Behind the room of an output: wide enough for a plugin that forgets to ask for room. */
#define EDGE ((size_t)64 << 10)
#define EDGE_BYTE 0xa5
#define EDGE_SEEN ((size_t)64)

static void look_behind(struct kit_out *o)
{
	if (o->out.data == NULL)
		return;
	const uint8_t *edge = o->out.data + o->out.cap;
	/* Whoever gets there came past its beginning. */
	for (size_t i = 0; i < EDGE_SEEN; i++)
		o->is_hurt |= edge[i] != EDGE_BYTE;
}

static int grow(struct klamm_out *out, size_t more)
{
	struct kit_out *o = kl_container(out, struct kit_out, out);
	look_behind(o);
	size_t need = more > SIZE_MAX / 2 ? SIZE_MAX / 2 : out->len + more;
	o->asked = kl_max(o->asked, need);
	if (out->len > out->limit || more > out->limit - out->len)
		return KLAMM_ERR_LIMIT;
	size_t cap = kl_min(kl_max(need, out->cap * 2), out->limit);
	/* Moved every time, so that a pointer that was kept shows. */
	uint8_t *data = malloc(cap + EDGE);
	if (data == NULL)
		return KLAMM_ERR_NO_MEMORY;
	if (out->len > 0)
		memcpy(data, out->data, out->len);
	memset(data + cap, EDGE_BYTE, EDGE);
	if (out->data != NULL)
		explicit_bzero(out->data, out->cap);
	free(out->data);
	out->data = data;
	out->cap = cap;
	return 0;
}

void kit_out_init(struct kit_out *o, size_t limit)
{
	*o = (struct kit_out){.out = {.limit = limit, .grow = grow}};
}

void kit_out_free(struct kit_out *o)
{
	if (o->out.data != NULL)
		explicit_bzero(o->out.data, o->out.cap);
	free(o->out.data);
	kit_out_init(o, o->out.limit);
}

void kit_out_clear(struct kit_out *o)
{
	o->out.len = 0;
	o->out.flags = 0;
	o->asked = 0;
}

const char *kit_out_check(struct kit *k, struct kit_out *o, const char *call)
{
	look_behind(o);
	if (o->out.len > o->out.limit)
		return kit_say(k, "%s writes beyond the limit: %zu bytes, %zu are allowed",
			       call, o->out.len, o->out.limit);
	if (o->is_hurt || o->out.len > o->out.cap)
		return kit_say(
			k,
			"%s writes beyond the limit: behind the %zu bytes of room that "
			"it was given (its output may hold %zu)",
			call, o->out.cap, o->out.limit);
	return NULL;
}

/* --- input --- */

bool kit_guard_init(struct kit_guard *g, size_t max)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	g->size = (max + page - 1) / page * page + page;
	g->map = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (g->map == MAP_FAILED)
		return false;
	g->size -= page;
	return mprotect(g->map + g->size, page, PROT_NONE) == 0;
}

void kit_guard_free(struct kit_guard *g)
{
	munmap(g->map, g->size + (size_t)sysconf(_SC_PAGESIZE));
}

const void *kit_guard_put(struct kit_guard *g, const void *p, size_t n)
{
	uint8_t *to = g->map + g->size - n;
	if (n > 0)
		memmove(to, p, n);
	return to;
}

/* --- what is left --- */

/* Of a sanitizer's run-time, whose malloc the C library's figures know nothing of. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t kit_heap(void)
{
	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
#ifdef HAVE_MALLINFO2
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}

unsigned kit_count_dir(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;
	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* --- secrets --- */

#define CHUNK ((size_t)64 << 10)
/* A sanitizer's shadow: huge, and it holds no bytes of anybody's. */
#define REGION_MAX ((uint64_t)128 << 20)

#ifdef __has_attribute
#if __has_attribute(no_sanitize)
#define UNWATCHED __attribute__((no_sanitize("address", "thread", "undefined")))
#endif
#endif
#ifndef UNWATCHED
#define UNWATCHED
#endif

/* Places where any of the needle's parts begins. */
UNWATCHED static unsigned count_in(const uint8_t *p, size_t len,
				   const struct kit_needle *needle)
{
	unsigned found = 0;
	for (size_t at = 0; at + needle->part <= len; at++) {
		uint8_t first = p[at] ^ KIT_MASK;
		for (size_t part = 0; part < needle->len; part += needle->part) {
			size_t i = 0;
			if (needle->masked[part] != first)
				continue;
			while (i < needle->part &&
			       (p[at + i] ^ KIT_MASK) == needle->masked[part + i])
				i++;
			found += i == needle->part;
		}
	}
	return found;
}

/* Memory that nobody has touched yet holds nothing; there may be much of it. */
static bool is_touched(uint64_t from, size_t len)
{
	unsigned char pages[CHUNK / 4096] = {0};
	if (mincore((void *)(uintptr_t)from, len, pages) != 0)
		return true;
	for (size_t i = 0; i < (len + 4095) / 4096; i++)
		if (pages[i] & 1)
			return true;
	return false;
}

/* Through /proc/self/mem: no fault, and nothing that a sanitizer minds. A secret is not so
 * long that it often lies across two chunks, but it may: they overlap by a page. */
static unsigned search(int mem, uint64_t from, uint64_t to, uint8_t *chunk,
		       const struct kit_needle *needle)
{
	unsigned found = 0;
	for (; from < to; from += CHUNK - 4096) {
		size_t want = (size_t)kl_min(to - from, (uint64_t)CHUNK);
		if (!is_touched(from, want))
			continue;
		ssize_t got = pread(mem, chunk, want, (off_t)from);
		if (got > 0)
			found += count_in(chunk, (size_t)got, needle);
		explicit_bzero(chunk, CHUNK);
		if (want < CHUNK)
			break;
	}
	return found;
}

/* The flags of the mapping whose line was read: is it left out of a core dump? */
static bool is_left_out(FILE *smaps)
{
	char line[1000];
	while (fgets(line, sizeof(line), smaps) != NULL)
		if (strncmp(line, "VmFlags:", 8) == 0)
			return strstr(line, " dd") != NULL;
	return false;
}

unsigned kit_find_secret(const struct kit_needle *needle)
{
	FILE *maps = fopen(needle->only_dumped ? "/proc/self/smaps" : "/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	/* Of its own, and left out of the search. */
	uint8_t *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	unsigned found = 0;
	char line[1000];
	while (maps != NULL && mem >= 0 && chunk != MAP_FAILED &&
	       fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long from, to;
		char rights[5];
		if (sscanf(line, "%llx-%llx %4s", &from, &to, rights) != 3 ||
		    rights[0] != 'r' || rights[1] != 'w' || to - from > REGION_MAX)
			continue;
		if (needle->only_dumped && is_left_out(maps))
			continue;
		uint64_t hole = (uintptr_t)chunk;
		if (hole >= from && hole < to) {
			found += search(mem, from, hole, chunk, needle);
			from = hole + CHUNK;
		}
		found += search(mem, from, to, chunk, needle);
	}
	if (chunk != MAP_FAILED)
		munmap(chunk, CHUNK);
	if (mem >= 0)
		close(mem);
	if (maps != NULL)
		fclose(maps);
	return found;
}

/* --- data --- */

uint32_t kit_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

void kit_fill(uint8_t *p, size_t n, int kind)
{
	uint32_t seed = 7;
	size_t at = 0;
	if (n > 0)
		memset(p, 0, n);
	while (kind == KIT_NOISE && at < n)
		p[at++] = (uint8_t)kit_random(&seed);
	while (kind == KIT_WORDS && at < n) {
		char line[100];
		int len = snprintf(line, sizeof(line), "{\"id\":%u,\"name\":\"user-%u\"}\n",
				   kit_random(&seed), kit_random(&seed) % 1000);
		size_t part = kl_min((size_t)len, n - at);
		memcpy(p + at, line, part);
		at += part;
	}
}
