/* SPDX-License-Identifier: BSD-2-Clause */
/* The nearest known name, for "did you mean". */
#include <ctype.h>

#include "core/conf/table.h"

#define LONGEST 96 /* the longest name has 57 letters */

static int fold(char c)
{
	return c == '_' || c == '-' ? '.' : tolower((unsigned char)c);
}

/* Damerau-Levenshtein, with exchanged neighbours as one edit; SIZE_MAX for overlong
 * words. */
static size_t distance(const char *a, size_t an, const char *b, size_t bn)
{
	if (an > LONGEST || bn > LONGEST)
		return SIZE_MAX;
	uint8_t rows[3][LONGEST + 1]; /* before the last, last, current */
	for (size_t j = 0; j <= bn; j++)
		rows[1][j] = (uint8_t)j;
	memcpy(rows[0], rows[1], sizeof(rows[0]));
	for (size_t i = 1; i <= an; i++) {
		rows[2][0] = (uint8_t)i;
		for (size_t j = 1; j <= bn; j++) {
			int x = fold(a[i - 1]), y = fold(b[j - 1]);
			int best = rows[1][j - 1] + (x != y);
			best = kl_min(best, rows[1][j] + 1);
			best = kl_min(best, rows[2][j - 1] + 1);
			if (i > 1 && j > 1 && x == fold(b[j - 2]) &&
			    fold(a[i - 2]) == y)
				best = kl_min(best, rows[0][j - 2] + 1);
			rows[2][j] = (uint8_t)best;
		}
		memcpy(rows[0], rows[1], sizeof(rows[0]));
		memcpy(rows[1], rows[2], sizeof(rows[1]));
	}
	return rows[1][bn];
}

struct nearest {
	const char *key;
	size_t key_len;
	const char *name;
	size_t name_len, edits;
};

static void try_name(struct nearest *n, const char *name, size_t len)
{
	size_t edits = distance(n->key, n->key_len, name, len);
	if (edits < n->edits) {
		n->edits = edits;
		n->name = name;
		n->name_len = len;
	}
}

const char *kl_conf_nearest(const char *key, struct kl_buf *out, size_t *distance_out)
{
	/* A third of the letters may be wrong, and up to two of a short word. */
	size_t len = strlen(key);
	struct nearest n = {
		.key = key, .key_len = len, .edits = kl_max(len / 3, 2) + 1};
	for (size_t i = 0; i < kl_conf_row_count(); i++) {
		const struct klamm_option *o = &kl_conf_row(i)->option;
		try_name(&n, o->name, strlen(o->name));
		size_t alias_len;
		const char *alias;
		for (size_t a = 0; (alias = kl_word(o->aliases, a, &alias_len)); a++)
			try_name(&n, alias, alias_len);
	}
	if (n.name == NULL)
		return NULL;
	if (distance_out != NULL)
		*distance_out = n.edits;
	kl_buf_clear(out);
	kl_buf_put(out, n.name, n.name_len);
	return kl_buf_text(out);
}
