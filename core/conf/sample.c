/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of the table: a line, and a whole commented sample. */
#include "core/base/error.h"
#include "core/conf/conf.h"
#include "core/conf/table.h"

#define COLUMNS 84

/* How java.util.Properties writes it, but for letters beyond ASCII, which stay. */
static void put_escaped(struct kl_buf *out, const char *text, bool is_key)
{
	static const char named[] = "\t\n\r\f", names[] = "tnrf";
	for (const char *p = text; *p != '\0'; p++) {
		const char *name = strchr(named, *p);
		bool blank = *p == ' ' && (is_key || p == text);
		bool mark = is_key && strchr("=:#!", *p) != NULL;
		if (name != NULL)
			kl_buf_printf(out, "\\%c", names[name - named]);
		else if (*p == '\\' || blank || mark)
			kl_buf_printf(out, "\\%c", *p);
		else
			kl_buf_put(out, p, 1);
	}
}

void kl_conf_put_line(struct kl_buf *out, const char *key, const char *value)
{
	put_escaped(out, key, true);
	kl_buf_printf(out, " =%s", *value != '\0' ? " " : "");
	put_escaped(out, value, false);
	kl_buf_printf(out, "\n");
}

/* Words of text as lines that begin with "# ". */
static void put_comment(struct kl_buf *out, const char *text)
{
	size_t column = 0;
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		if (column > 0 && column + 1 + len > COLUMNS) {
			kl_buf_printf(out, "\n");
			column = 0;
		}
		kl_buf_printf(out, "%s%.*s", column > 0 ? " " : "# ", (int)len, text);
		column += len + (column > 0 ? 1 : 2);
		text += len + (text[len] == ' ');
	}
	kl_buf_printf(out, "\n");
}

static void put_facts(struct kl_buf *out, const struct kl_conf_row *row)
{
	KL_AUTO(kl_buf_free) struct kl_buf facts = {0};
	if (row->kind != 0)
		kl_buf_printf(&facts, ", the name of a %s plugin", kl_kind_name(row->kind));
	else if (row->option.type == KLAMM_OPTION_BOOL)
		kl_buf_printf(&facts, ", true or false");
	else if (row->option.range != NULL)
		kl_buf_printf(&facts, ", %s", row->option.range);
	if (row->unit != NULL)
		kl_buf_printf(&facts, ", in %s", row->unit);
	if (row->reader != NULL)
		kl_buf_printf(&facts, ", read by %s", row->reader);
	if (facts.len > 0) {
		KL_AUTO(kl_buf_free) struct kl_buf line = {0};
		kl_buf_printf(&line, "Value: %s.", kl_buf_text(&facts) + 2);
		put_comment(out, kl_buf_text(&line));
		out->failed |= line.failed;
	}
	out->failed |= facts.failed;
}

static void put_row(struct kl_buf *out, const struct kl_conf_row *row, int32_t roles)
{
	/* One kind of client has one default; a file for several shows the first one's. */
	const char *value = kl_conf_default(row, roles);
	put_comment(out, row->option.doc);
	put_facts(out, row);
	if (value == NULL)
		value = row->example != NULL ? row->example : "";
	if ((row->option.flags & KLAMM_OPTION_REQUIRED) == 0)
		kl_buf_printf(out, "#");
	kl_conf_put_line(out, row->option.name, value);
	kl_buf_printf(out, "\n");
}

static bool wanted(const struct kl_conf_row *row, int32_t roles, bool shared)
{
	return row->status == KL_STATUS_WORKS && (row->roles & roles) != 0 &&
	       (!shared || row->roles == KLAMM_ROLE_ANY);
}

int kl_conf_sample(int32_t roles, bool shared, struct kl_buf *out, struct klamm_error *err)
{
	const struct kl_conf_rows *group;
	for (size_t g = 0; (group = kl_conf_group(g)) != NULL; g++) {
		bool titled = false;
		for (size_t i = 0; i < group->n; i++) {
			if (!wanted(&group->v[i], roles, shared))
				continue;
			if (!titled)
				kl_buf_printf(out, "# --- %s ---\n\n", group->title);
			titled = true;
			put_row(out, &group->v[i], roles);
		}
	}
	if (out->failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	out->len -= out->len > 0; /* the last empty line */
	return 0;
}
