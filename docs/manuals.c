/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of klamm.conf(5) and klamm_errors(7) that are tables, from the tables, as mdoc on
 * standard output: "manuals keys", "manuals errors". The rest stands in the .in files. */
#include <stdio.h>
#include <string.h>

#include "core/base/errtab.h"
#include "core/conf/table.h"

static void put_char(char c)
{
	if (c == '\\')
		fputs("\\e", stdout);
	else if (c == '-')
		fputs("\\-", stdout);
	else
		putchar(c);
}

/* Text of the tables; each sentence begins a line, as mdoc wants it. */
static void put(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (const char *p = text; *p != '\0'; p++) {
		bool sentence = *p == ' ' && p > text && p[-1] == '.' && p[1] >= 'A' &&
				p[1] <= 'Z';
		put_char(sentence ? '\n' : *p);
	}
}

static void put_item(const char *key)
{
	printf(".It Cm ");
	for (const char *p = key; *p != '\0'; p++)
		put_char(*p);
	printf("\n");
}

/* "0.." reads better with words. */
static void put_range(const char *range)
{
	size_t len = strlen(range);
	if (len > 2 && strcmp(range + len - 2, "..") == 0 && range[len - 3] != '.') {
		char low[40];
		snprintf(low, sizeof(low), "%.*s", (int)(len - 2), range);
		put(low);
		printf(" or more");
	} else {
		put(range);
	}
}

static void put_value(const struct kl_conf_row *row)
{
	const struct klamm_option *o = &row->option;
	printf("Value: ");
	if (row->kind != 0)
		printf("the name of a %s plugin", kl_kind_name(row->kind));
	else if (o->type == KLAMM_OPTION_BOOL)
		printf("true or false");
	else if (o->range != NULL)
		put_range(o->range);
	else
		printf("%s", o->type == KLAMM_OPTION_LIST     ? "a list"
			     : o->type == KLAMM_OPTION_STRING ? "a text"
							      : "a number");
	if (row->unit != NULL)
		printf(", in %s", row->unit);
	if (o->flags & KLAMM_OPTION_SECRET)
		printf(", never shown");
	if (o->flags & KLAMM_OPTION_REQUIRED)
		printf("; must be set");
}

static void put_clients(int32_t roles)
{
	static const char *const names[] = {"producers", "consumers", "admin clients"};
	const char *sep = "For ";
	if (roles == KLAMM_ROLE_ANY)
		return;
	for (size_t i = 0; i < kl_countof(names); i++) {
		if ((roles & 1 << i) == 0)
			continue;
		printf("%s%s", sep, names[i]);
		sep = " and ";
	}
	printf(".\n");
}

static void put_names(const struct kl_conf_row *row)
{
	const char *sep = "Also called ", *alias;
	const struct kl_conf_alias *translated;
	size_t len;
	for (size_t i = 0; (alias = kl_word(row->option.aliases, i, &len)) != NULL; i++) {
		printf("%s%.*s", sep, (int)len, alias);
		sep = ", ";
	}
	for (size_t i = 0; (translated = kl_conf_alias(i)) != NULL; i++) {
		if (strcmp(translated->key, row->option.name) != 0)
			continue;
		printf("%s%s", sep, translated->name);
		if (translated->unit != NULL)
			printf(" (in %s)", translated->unit);
		sep = ", ";
	}
	if (strcmp(sep, ", ") == 0)
		printf(".\n");
}

static void put_default(const char *text, const char *whose)
{
	if (text == NULL)
		return;
	printf("; default%s: ", whose);
	put(*text != '\0' ? text : "empty");
}

static void put_key(const struct kl_conf_row *row)
{
	put_item(row->option.name);
	put(row->option.doc);
	printf("\n.Pp\n");
	put_value(row);
	/* A folder of the machine that this was built on would be a wrong one elsewhere. */
	if (strcmp(row->option.name, "plugin.path") == 0)
		printf("; default: what\n.Nm klamm Cm version\nsays");
	else
		put_default(row->option.def, "");
	put_default(row->consumer_def, " of consumers");
	put_default(row->admin_def, " of admin clients");
	printf(".\n");
	put_clients(row->roles);
	put_names(row);
	if (row->reader != NULL)
		printf("Read by %s.\n", row->reader);
}

/* A chapter with a list of the rows of a group that have a status; no rows, no chapter. */
static void put_group(const struct kl_conf_rows *group)
{
	bool any = false;
	for (size_t i = 0; i < group->n; i++) {
		if (group->v[i].status != KL_STATUS_WORKS)
			continue;
		if (!any)
			printf(".Ss %s\n.Bl -tag -width Ds\n", group->title);
		any = true;
		put_key(&group->v[i]);
	}
	if (any)
		printf(".El\n");
}

/* Keys of one status, and what is said about them. */
static void put_others(int32_t status, const char *title, const char *text)
{
	printf(".Ss %s\n%s\n.Bl -tag -width Ds -compact\n", title, text);
	for (size_t i = 0; i < kl_conf_row_count(); i++) {
		const struct kl_conf_row *row = kl_conf_row(i);
		if (row->status != status)
			continue;
		put_item(row->option.name);
		if (row->owner != NULL)
			printf("of %s", row->owner);
		if (row->owner != NULL && row->instead != NULL)
			printf("; ");
		if (row->instead != NULL)
			put(row->instead);
		if (row->owner != NULL || row->instead != NULL)
			printf("\n");
	}
	printf(".El\n");
}

static void keys(void)
{
	const struct kl_conf_rows *group;
	for (size_t g = 0; (group = kl_conf_group(g)) != NULL; g++)
		put_group(group);
	put_others(KL_STATUS_INSTEAD, "Had otherwise",
		   "To ignore one of these would change what happens, so it is an error,\n"
		   "but for its default.");
	put_others(KL_STATUS_OTHER, "Of other clients",
		   "These are accepted, noted, and have no effect.");
	put_others(KL_STATUS_JVM, "Of a JVM",
		   "These are accepted, noted, and have no effect.");
}

static void errors(void)
{
	for (size_t i = 0; i < kl_err_table_len; i++) {
		const struct kl_err_entry *e = &kl_err_table[i];
		if (e->code == 0)
			continue;
		printf(".It Er %s Pq \\&%d\n", e->name, e->code);
		put(e->text);
		printf("\n");
		if (e->flags & KL_ERR_RETRIABLE)
			printf("Retriable.\n");
		if (e->flags & KL_ERR_INVALID_METADATA)
			printf("Metadata is asked for again.\n");
		if (e->flags & KL_ERR_ABORTABLE)
			printf("The transaction has to be aborted.\n");
	}
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	if (strcmp(what, "keys") == 0)
		keys();
	else if (strcmp(what, "errors") == 0)
		errors();
	else
		return 2;
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
