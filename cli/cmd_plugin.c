/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm plugin list, klamm plugin info */
#include <stdio.h>
#include <stdlib.h>

#include "cli/io.h"
#include "cli/table.h"
#include "core/base/option.h"
#include "core/base/text.h"
#include "core/conf/conf.h"
#include "core/plugin.h"

/* Where this run would look: plugin.path of its configuration. */
static int find_dirs(const struct cli *cli, struct cli_list *dirs)
{
	struct klamm_conf *conf;
	int status = cli_conf(cli, &conf);
	if (status != 0)
		return status;
	const char *path = kl_conf_lookup(conf, "plugin.path");
	struct klamm_span dir;
	while (path != NULL && kl_list_next(&path, &dir)) {
		char *copy = cli_alloc(dir.len);
		memcpy(copy, dir.data, dir.len);
		cli_list_add(dirs, copy);
	}
	klamm_conf_free(conf);
	return CLI_OK;
}

static struct kl_plugin_search search_of(const struct cli_list *dirs)
{
	return (struct kl_plugin_search){.dirs = dirs->v, .dir_count = dirs->n};
}

static void free_dirs(struct cli_list *dirs)
{
	for (size_t i = 0; i < dirs->n; i++)
		free((void *)dirs->v[i]);
	free(dirs->v);
}

bool cli_kind(const struct cli *cli, const char *word, int32_t *kind_out)
{
	const char *names[KLAMM_KIND_METRICS];
	for (int32_t kind = 1; kind <= KLAMM_KIND_METRICS; kind++)
		names[kind - 1] = kl_kind_word(kind);
	*kind_out = kl_kind(word);
	if (*kind_out != 0)
		return true;
	const char *near = cli_nearest(word, names, kl_countof(names));
	cli_usage(cli, "%s: no such kind of plugin%s%s%s", word,
		  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return false;
}

static void json_text(struct kl_buf *b, const char *name, const char *text)
{
	kl_buf_printf(b, ",\"%s\":", name);
	if (text == NULL)
		kl_buf_printf(b, "null");
	else
		kl_buf_json_bytes(b, text, strlen(text));
}

/* --- list --- */

struct list_options {
	bool json;
};

struct listing {
	const struct list_options *options;
	int32_t kind; /* 0 = all */
	struct cli_table table;
	unsigned refused;
};

static void list_json(const struct kl_plugin_found *found)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	const struct kl_plugin *plugin = found->plugin;
	kl_buf_printf(&b, "{\"kind\":\"%s\"", kl_kind_word(found->kind));
	json_text(&b, "name", found->word);
	json_text(&b, "origin", found->origin);
	json_text(&b, "summary", plugin != NULL ? plugin->head.summary : NULL);
	kl_buf_printf(&b, ",\"hidden\":%s", found->is_hidden ? "true" : "false");
	json_text(&b, "error", plugin != NULL ? NULL : found->err->text);
	cli_print(&b, "}\n");
}

static int list_one(void *arg, const struct kl_plugin_found *found)
{
	struct listing *l = arg;
	if (l->kind != 0 && found->kind != l->kind)
		return 0;
	if (found->plugin == NULL) {
		l->refused++;
		cli_error(found->err);
	}
	if (l->options->json) {
		list_json(found);
	} else if (found->plugin != NULL) {
		cli_cell(&l->table, "%s", kl_kind_word(found->kind));
		cli_cell(&l->table, "%s", found->word);
		cli_cell(&l->table, "%s%s", found->plugin->head.summary,
			 found->is_hidden ? " (hidden by the one above)" : "");
		cli_cell(&l->table, "%s", found->origin);
	}
	return 0;
}

static int run_list(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct listing l = {.options = options, .table = {.columns = 4}};
	struct cli_list dirs = {0};
	if (args->n > 0 && !cli_kind(cli, args->v[0], &l.kind))
		return CLI_USAGE;
	int status = find_dirs(cli, &dirs);
	if (status != 0)
		return status;
	if (!cli->quiet) {
		cli_cell(&l.table, "KIND");
		cli_cell(&l.table, "NAME");
		cli_cell(&l.table, "SUMMARY");
		cli_cell(&l.table, "ORIGIN");
	}
	struct kl_plugin_search search = search_of(&dirs);
	struct klamm_error err;
	if (kl_plugin_list(kl_os_real(), &search, list_one, &l, &err) != 0)
		status = cli_error(&err);
	if (!l.options->json)
		cli_table_print(&l.table, "");
	cli_table_free(&l.table);
	free_dirs(&dirs);
	return status == 0 && l.refused > 0 ? CLI_FAILED : status;
}

static const struct cli_option list_rows[] = {
	{'J', "json", NULL, CLI_FLAG, offsetof(struct list_options, json), 0, 0,
	 "print each plugin as a JSON object"},
	{0},
};

const struct cli_command cli_plugin_list = {
	.name = "plugin list",
	.args = "[KIND]",
	.max_args = 1,
	.summary = "list the plugins that can be found",
	.about = "KIND is codec, partitioner, assignor, sasl, serializer or metrics. "
		 "Every plugin is\n"
		 "loaded; one that is refused is told on stderr. -q leaves the heading "
		 "out.\n",
	.options = list_rows,
	.size = sizeof(struct list_options),
	.run = run_list,
};

/* --- info --- */

static const char *type_name(int32_t type)
{
	static const char *const names[] = {
		[KLAMM_OPTION_BOOL] = "true or false", [KLAMM_OPTION_INT] = "int",
		[KLAMM_OPTION_LONG] = "long",	       [KLAMM_OPTION_DOUBLE] = "number",
		[KLAMM_OPTION_STRING] = "text",	       [KLAMM_OPTION_LIST] = "list",
		[KLAMM_OPTION_ENUM] = "one of",
	};
	return names[type];
}

static void print_option(const struct klamm_option *o)
{
	printf("  %s\n      %s%s%s, %s%s%s\n", o->name, type_name(o->type),
	       o->range != NULL ? " " : "", o->range != NULL ? o->range : "",
	       o->flags & KLAMM_OPTION_REQUIRED ? "required"
	       : o->def != NULL			? "default "
						: "not set by default",
	       o->def != NULL ? o->def : "",
	       o->flags & KLAMM_OPTION_SECRET ? ", secret" : "");
	if (o->doc != NULL)
		printf("      %s\n", o->doc);
}

static int run_info(struct cli *cli, const void *options, const struct cli_list *args)
{
	int32_t kind;
	struct cli_list dirs = {0};
	if (!cli_kind(cli, args->v[0], &kind))
		return CLI_USAGE;
	int status = find_dirs(cli, &dirs);
	if (status != 0)
		return status;
	struct kl_plugin_search search = search_of(&dirs);
	struct kl_plugin *plugin;
	struct klamm_error err;
	if (kl_plugin_load(kind, args->v[1], &search, &plugin, &err) != 0) {
		free_dirs(&dirs);
		return cli_error(&err);
	}
	printf("%s %s: %s\n", kl_kind_word(kind), plugin->head.name,
	       plugin->head.summary);
	printf("origin: %s\n", plugin->origin);
	printf("ABI: %u, descriptor of %u bytes\n", plugin->head.abi & 0xffff,
	       plugin->size);
	if (kl_plugin_option(plugin, 0) != NULL)
		printf("options:\n");
	const struct klamm_option *o;
	for (size_t i = 0; (o = kl_plugin_option(plugin, i)) != NULL; i++)
		print_option(o);
	kl_plugin_free(plugin);
	free_dirs(&dirs);
	return CLI_OK;
}

const struct cli_command cli_plugin_info = {
	.name = "plugin info",
	.args = "KIND NAME",
	.min_args = 2,
	.max_args = 2,
	.summary = "say what a plugin is, where it is, and what options it has",
	.run = run_info,
};
