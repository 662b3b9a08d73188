/* SPDX-License-Identifier: BSD-2-Clause */
/* The nearest known name, for "did you mean". */
#include "core/base/text.h"
#include "core/conf/table.h"

struct nearest {
	const char *key;
	size_t key_len;
	const char *name;
	size_t name_len, edits;
};

static void try_name(struct nearest *n, const char *name, size_t len)
{
	/* Each letter more or less is an edit. */
	if (kl_max(len, n->key_len) - kl_min(len, n->key_len) >= n->edits)
		return;
	size_t edits = kl_text_edits(n->key, n->key_len, name, len);
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
	const struct kl_conf_alias *translated;
	for (size_t i = 0; (translated = kl_conf_alias(i)) != NULL; i++)
		try_name(&n, translated->name, strlen(translated->name));
	if (n.name == NULL)
		return NULL;
	if (distance_out != NULL)
		*distance_out = n.edits;
	kl_buf_clear(out);
	kl_buf_put(out, n.name, n.name_len);
	return kl_buf_text(out);
}
