/* SPDX-License-Identifier: BSD-2-Clause */
/* PEM in one line, as a .properties file may have it: Java takes blanks for ends of lines,
 * OpenSSL does not. */
#include <ctype.h>

#include "core/net/tls_store.h"

#define LINE 64

static const char dashes[] = "-----";

/* Does the line that begins a block end with it? Then it is as OpenSSL wants it. */
static bool is_folded(const char *text)
{
	const char *begin = strstr(text, "-----BEGIN ");
	const char *end = begin != NULL ? strstr(begin + 11, dashes) : NULL;
	if (end == NULL)
		return false;
	end += 5;
	while (*end == ' ' || *end == '\t' || *end == '\r')
		end++;
	return *end != '\n' && *end != '\0';
}

/* From p up to end, without its blanks, in lines. */
static void put_body(struct kl_buf *to, const char *p, const char *end)
{
	size_t column = 0;
	for (; p < end; p++) {
		if (isspace((unsigned char)*p))
			continue;
		kl_buf_put(to, p, 1);
		if (++column % LINE == 0)
			kl_buf_put(to, "\n", 1);
	}
	if (column % LINE != 0)
		kl_buf_put(to, "\n", 1);
}

void kl_pem_unfold(const char *text, struct kl_buf *to)
{
	if (!is_folded(text)) {
		kl_buf_put(to, text, strlen(text));
		return;
	}
	const char *p = text;
	while ((p = strstr(p, dashes)) != NULL) {
		const char *end = strstr(p + 5, dashes);
		if (end == NULL)
			break;
		end += 5;
		kl_buf_put(to, p, (size_t)(end - p));
		kl_buf_put(to, "\n", 1);
		bool begins = strncmp(p, "-----BEGIN ", 11) == 0;
		p = begins ? strstr(end, dashes) : end;
		if (p == NULL)
			break;
		if (begins)
			put_body(to, end, p);
	}
}
