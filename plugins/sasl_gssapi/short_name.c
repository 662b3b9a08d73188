/* SPDX-License-Identifier: BSD-2-Clause */
#include "short_name.h"

#include <string.h>

/* The only one of its kind, or NULL. */
static const char *only(const char *p, size_t n, char c)
{
	const char *found = memchr(p, c, n);
	if (found == NULL)
		return NULL;
	size_t left = n - (size_t)(found + 1 - p);
	return memchr(found + 1, c, left) == NULL ? found : NULL;
}

bool kl_gss_short_name(const char *principal, size_t len, const char *realm,
		       size_t *len_out)
{
	const char *at = only(principal, len, '@');
	if (at == NULL || memchr(principal, '\\', len) != NULL ||
	    memchr(principal, '\0', len) != NULL)
		return false;
	size_t name_len = (size_t)(at - principal), realm_len = len - name_len - 1;
	if (realm_len == 0 || realm_len != strlen(realm) ||
	    memcmp(at + 1, realm, realm_len) != 0)
		return false;
	const char *slash = memchr(principal, '/', name_len);
	if (slash != NULL && only(principal, name_len, '/') == NULL)
		return false;
	*len_out = slash != NULL ? (size_t)(slash - principal) : name_len;
	return *len_out > 0;
}
