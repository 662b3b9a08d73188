/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/consumer/names.h"

#include <stdlib.h>

#include "core/base/order.h"

bool kl_names_make(struct kl_names *names_out, const char *const *texts, size_t count)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += sizeof(char *) + strlen(texts[i]) + 1;
	const char **v = malloc(size > 0 ? size : 1);
	if (v == NULL)
		return false;
	char *p = (char *)(v + count);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(texts[i]) + 1;
		v[i] = memcpy(p, texts[i], len);
		p += len;
	}
	qsort(v, count, sizeof(*v), kl_by_text);
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if (n == 0 || strcmp(v[n - 1], v[i]) != 0)
			v[n++] = v[i];
	*names_out = (struct kl_names){v, n};
	return true;
}

void kl_names_free(struct kl_names *names)
{
	free(names->v);
	*names = (struct kl_names){0};
}

bool kl_names_has(const struct kl_names *names, const char *text)
{
	return names->n > 0 &&
	       bsearch(&text, names->v, names->n, sizeof(*names->v), kl_by_text) != NULL;
}

bool kl_names_equal(const struct kl_names *a, const struct kl_names *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}
