/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/os/secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Room for the passwords and keys of some hundred clients, of which only what is used is
 * there; and half of what may be locked as most systems are set up. */
#define REGION ((size_t)4 << 20)
#define SLOT   64 /* bytes, of which each allocation has whole ones */
#define SLOTS  (REGION / SLOT)

/* In front of each allocation. */
struct head {
	_Alignas(16) size_t slots;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint8_t *region; /* NULL: there is none to be had */
static uint8_t taken[SLOTS / 8];
static size_t first_free; /* before it there is nothing */

/* A fork while another thread is here leaves the child a lock that it can have. */
static void lock(void)
{
	pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

static void make_region(void)
{
	if (pthread_atfork(lock, unlock, unlock) != 0)
		return;
	void *p = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return;
	/* Neither is worth a refusal: a kernel without the one writes no smaller dump, and
	 * how much may be locked is for the administrator to say. */
	madvise(p, REGION, MADV_DONTDUMP);
	mlock2(p, REGION, MLOCK_ONFAULT);
	region = p;
}

static bool is_taken(size_t slot)
{
	return taken[slot / 8] >> slot % 8 & 1;
}

static void mark(size_t slot, size_t count, bool is_used)
{
	for (; count > 0; slot++, count--) {
		uint8_t bit = (uint8_t)(1u << slot % 8);
		taken[slot / 8] = is_used ? taken[slot / 8] | bit : taken[slot / 8] & ~bit;
	}
}

/* The first place with so many free slots in a row; SLOTS: there is none. */
static size_t find_room(size_t count)
{
	size_t start = first_free;
	for (size_t slot = start; slot < SLOTS && slot - start < count; slot++)
		if (is_taken(slot))
			start = slot + 1;
	return start + count <= SLOTS ? start : SLOTS;
}

void *kl_secret_alloc(size_t n)
{
	pthread_once(&once, make_region);
	if (region == NULL || n > REGION - sizeof(struct head))
		return NULL;
	size_t count = (n + sizeof(struct head) + SLOT - 1) / SLOT;
	lock();
	size_t slot = find_room(count);
	if (slot < SLOTS) {
		mark(slot, count, true);
		while (first_free < SLOTS && is_taken(first_free))
			first_free++;
	}
	unlock();
	if (slot == SLOTS)
		return NULL;
	struct head *head = (struct head *)(region + slot * SLOT);
	head->slots = count;
	return head + 1;
}

char *kl_secret_copy(const char *text, size_t len)
{
	char *copy = kl_secret_alloc(len + 1);
	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

void kl_secret_free(void *p)
{
	if (p == NULL)
		return;
	struct head *head = (struct head *)p - 1;
	size_t slot = (size_t)((uint8_t *)head - region) / SLOT, count = head->slots;
	explicit_bzero(head, count * SLOT);
	lock();
	mark(slot, count, false);
	first_free = kl_min(first_free, slot);
	unlock();
}

void kl_wipe_text(char *text)
{
	if (text == NULL)
		return;
	if (region != NULL && (uint8_t *)text >= region && (uint8_t *)text < region + REGION) {
		kl_secret_free(text);
		return;
	}
	explicit_bzero(text, strlen(text));
	free(text);
}
