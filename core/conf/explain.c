/* SPDX-License-Identifier: BSD-2-Clause */
/* What the table says about a key, for people. */
#include "core/base/error.h"
#include "core/conf/conf.h"
#include "core/conf/table.h"

static const char *type_name(const struct kl_conf_row *row)
{
	static const char *const names[] = {
		[KLAMM_OPTION_BOOL] = "true or false", [KLAMM_OPTION_INT] = "int",
		[KLAMM_OPTION_LONG] = "long",	       [KLAMM_OPTION_DOUBLE] = "number",
		[KLAMM_OPTION_STRING] = "text",	       [KLAMM_OPTION_LIST] = "list",
		[KLAMM_OPTION_ENUM] = "one of",
	};
	return names[row->option.type];
}

static void put_type(const struct kl_conf_row *row, struct kl_buf *out)
{
	const struct klamm_option *o = &row->option;
	kl_buf_printf(out, "    type      %s", type_name(row));
	if (o->range != NULL && o->type == KLAMM_OPTION_ENUM)
		kl_buf_printf(out, " %s", o->range);
	else if (o->range != NULL)
		kl_buf_printf(out, ", %s", o->range);
	if (row->unit != NULL)
		kl_buf_printf(out, ", in %s", row->unit);
	if (row->kind != 0)
		kl_buf_printf(out, ", name of a plugin of kind %s",
			      kl_kind_name(row->kind));
	if (o->flags & KLAMM_OPTION_SECRET)
		kl_buf_printf(out, ", secret");
	kl_buf_printf(out, "\n");
}

static void put_default(const struct kl_conf_row *row, struct kl_buf *out)
{
	const char *def = row->option.def;
	kl_buf_printf(out, "    default   %s",
		      def == NULL    ? "(not set)"
		      : *def == '\0' ? "(empty)"
				     : def);
	if (row->consumer_def != NULL)
		kl_buf_printf(out, "; consumer: %s", row->consumer_def);
	if (row->admin_def != NULL)
		kl_buf_printf(out, "; admin: %s", row->admin_def);
	kl_buf_printf(out, "\n");
}

static void put_roles(const struct kl_conf_row *row, struct kl_buf *out)
{
	static const char *const names[] = {"producer", "consumer", "admin"};
	kl_buf_printf(out, "    for       ");
	const char *sep = "";
	for (size_t i = 0; i < kl_countof(names); i++) {
		if ((row->roles & 1 << i) == 0)
			continue;
		kl_buf_printf(out, "%s%s", sep, names[i]);
		sep = ", ";
	}
	kl_buf_printf(out, "\n");
}

/* kafka-python's spelling goes without saying in the table, but not here. */
static void put_aliases(const struct kl_conf_row *row, struct kl_buf *out)
{
	kl_buf_printf(out, "    also      ");
	size_t start = out->len;
	kl_buf_printf(out, "%s", row->option.name);
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] == '.' || out->data[i] == '-')
			out->data[i] = '_';
	size_t len;
	const char *alias;
	for (size_t i = 0; (alias = kl_word(row->option.aliases, i, &len)) != NULL; i++)
		kl_buf_printf(out, ", %.*s", (int)len, alias);
	const struct kl_conf_alias *translated;
	for (size_t i = 0; (translated = kl_conf_alias(i)) != NULL; i++) {
		if (strcmp(translated->key, row->option.name) != 0)
			continue;
		kl_buf_printf(out, ", %s", translated->name);
		if (translated->unit != NULL)
			kl_buf_printf(out, " (in %s)", translated->unit);
		else
			kl_buf_printf(out, " (%s)", translated->words);
	}
	if (row->words != NULL)
		kl_buf_printf(out, "\n    values    %s", row->words);
	kl_buf_printf(out, "\n");
}

static void put_status(const struct kl_conf_row *row, struct kl_buf *out)
{
	const char *sep = row->instead != NULL ? "; " : "";
	const char *instead = row->instead != NULL ? row->instead : "";
	kl_buf_printf(out, "    status    ");
	switch (row->status) {
	case KL_STATUS_JVM:
		kl_buf_printf(out,
			      "accepted and ignored: only means something to a JVM");
		break;
	case KL_STATUS_OTHER:
		kl_buf_printf(out, "accepted and ignored: belongs to %s%s%s", row->owner,
			      sep, instead);
		break;
	case KL_STATUS_INSTEAD:
		kl_buf_printf(out, "not accepted: %s%s%s%s",
			      row->owner != NULL ? "belongs to " : "",
			      row->owner != NULL ? row->owner : "",
			      row->owner != NULL ? sep : "", instead);
		break;
	default:
		kl_buf_printf(out, "works; read by %s",
			      row->reader != NULL ? row->reader : "klamm itself");
	}
	kl_buf_printf(out, "\n");
}

static void put_row(const struct kl_conf_row *row, struct kl_buf *out)
{
	kl_buf_printf(out, "%s\n    %s\n", row->option.name, row->option.doc);
	put_type(row, out);
	put_default(row, out);
	put_roles(row, out);
	put_aliases(row, out);
	put_status(row, out);
}

static void put_line(const struct kl_conf_row *row, struct kl_buf *out)
{
	const char *def = row->option.def;
	kl_buf_printf(out, "%s\t%s\t%s\n", row->option.name, def != NULL ? def : "-",
		      row->option.doc);
}

/* Keys that begin with prefix ("" = all), a line each; false when there is none. */
static bool put_lines(const char *prefix, struct kl_buf *out)
{
	size_t len = strlen(prefix);
	bool any = false;
	for (size_t i = 0; i < kl_conf_row_count(); i++) {
		const char *name = kl_conf_row(i)->option.name;
		if (len > 0 && (!kl_conf_same_name(name, kl_min(len, strlen(name)), prefix) ||
				(name[len] != '.' && prefix[len - 1] != '.')))
			continue;
		put_line(kl_conf_row(i), out);
		any = true;
	}
	return any;
}

static int unknown(const char *key, struct klamm_error *err)
{
	if (kl_conf_is_plugin_key(key))
		return kl_error(err, KLAMM_ERR_CONFIG,
				"%.100s: a plugin's own key; `klamm plugin info KIND NAME` "
				"lists the keys of a plugin",
				key);
	KL_AUTO(kl_buf_free) struct kl_buf near = {0};
	const char *name = kl_conf_nearest(key, &near, NULL);
	if (name == NULL)
		return kl_error(err, KLAMM_ERR_CONFIG, "%.100s: no such key", key);
	return kl_error(err, KLAMM_ERR_CONFIG, "%.100s: no such key; did you mean %s?", key,
			name);
}

int kl_conf_explain(const char *key, struct kl_buf *out, struct klamm_error *err)
{
	const struct kl_conf_row *row = key != NULL ? kl_conf_find(key, NULL) : NULL;
	if (row != NULL)
		put_row(row, out);
	else if (!put_lines(key != NULL ? key : "", out))
		return unknown(key, err);
	if (out->failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return 0;
}
