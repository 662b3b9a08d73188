/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl's memory, wiped when it is freed: requests and answers hold secrets, and
 * libcurl copies them. Takes effect if nobody in the process has initialised libcurl
 * before; the application's own use of libcurl works over it as ever. */
#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "plugins/common/http_int.h"

static void free_wiped(void *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *realloc_wiped(void *p, size_t size)
{
	if (p == NULL)
		return malloc(size);
	size_t old = malloc_usable_size(p);
	if (size > 0 && size <= old && size >= old / 2)
		return p;
	void *moved = malloc(size > 0 ? size : 1);
	if (moved == NULL)
		return NULL;
	memcpy(moved, p, old < size ? old : size);
	free_wiped(p);
	return moved;
}

static char *copy(const char *text)
{
	return strdup(text);
}

static bool ready;

static void set_up(void)
{
	/* libcurl would write the keys of TLS there, with rights that are not its caller's. */
	if (getauxval(AT_SECURE) != 0)
		unsetenv("SSLKEYLOGFILE");
	/* Thread-safe since 7.84, so another library may do the same meanwhile. */
	ready = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free_wiped,
				     realloc_wiped, copy, calloc) == CURLE_OK;
}

bool kl_http_ready(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, set_up);
	return ready;
}
