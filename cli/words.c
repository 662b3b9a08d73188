/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, names that are nearly right, and lists of words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

bool cli_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || n < min || n > max)
		return false;
	*out = n;
	return true;
}

#define LONGEST 40

/* Levenshtein's distance. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(b), row[LONGEST + 1];
	if (n > LONGEST)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 1; j <= n; j++) {
			size_t changed = diagonal + (a[i] != b[j - 1]);
			diagonal = row[j];
			size_t inserted = kl_min(row[j], row[j - 1]) + 1;
			row[j] = kl_min(changed, inserted);
		}
	}
	return row[n];
}

const char *cli_nearest(const char *word, const char *const *names, size_t n)
{
	/* A third of the letters may be wrong, and up to two of a short word. */
	size_t len = strlen(word), best = kl_max(len / 3, (size_t)2) + 1;
	const char *name = NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);
		if (d < best && d < len) {
			best = d;
			name = names[i];
		}
	}
	return name;
}

void *cli_alloc(size_t n)
{
	void *p = calloc(1, n + 1);
	if (p == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	return p;
}

void cli_list_add(struct cli_list *list, const char *text)
{
	/* Grows when n is a power of two, so no capacity has to be kept. */
	if ((list->n & (list->n - 1)) == 0) {
		size_t cap = list->n ? list->n * 2 : 1;
		const char **v = reallocarray(list->v, cap, sizeof(*v));
		if (v == NULL)
			exit(cli_fail(CLI_FAILED, "out of memory"));
		list->v = v;
	}
	list->v[list->n++] = text;
}
