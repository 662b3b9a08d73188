/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm config dump */
#include "cli/io.h"
#include "core/base/text.h"
#include "core/conf/conf.h"

static const char hidden[] = "****";

struct dump_options {
	const char *role;
	bool origin, changed, json;
};

struct dump {
	const struct dump_options *options;
	struct kl_buf out;
};

static void put_roles(struct kl_buf *out, int32_t roles, const char *sep)
{
	static const char *const names[] = {"producer", "consumer", "admin"};
	const char *before = "";
	for (size_t i = 0; i < kl_countof(names); i++) {
		if ((roles & 1 << i) == 0)
			continue;
		kl_buf_printf(out, "%s%s", before, names[i]);
		before = sep;
	}
}

static void put_json(struct kl_buf *out, const struct kl_conf_entry *entry)
{
	const char *value = entry->value != NULL ? entry->value : hidden;
	kl_buf_printf(out, "{\"key\":");
	kl_buf_json_bytes(out, entry->key, strlen(entry->key));
	kl_buf_printf(out, ",\"value\":");
	kl_buf_json_bytes(out, value, strlen(value));
	kl_buf_printf(out, ",\"secret\":%s,\"origin\":",
		      entry->value == NULL ? "true" : "false");
	kl_buf_json_bytes(out, entry->from, strlen(entry->from));
	kl_buf_printf(out, ",\"roles\":[\"");
	put_roles(out, entry->roles, "\",\"");
	kl_buf_printf(out, "\"]}\n");
}

/* A line of a configuration file; a comment where the line would be wrong in one: a secret
 * is not "****", and one kind of client's default is not every other's. */
static void put_text(struct kl_buf *out, const struct kl_conf_entry *entry, bool origin)
{
	bool partly = entry->roles != entry->of;
	if (entry->value == NULL || partly)
		kl_buf_printf(out, "# ");
	kl_conf_put_line(out, entry->key, entry->value != NULL ? entry->value : hidden);
	if (!origin && !partly)
		return;
	out->len -= out->len > 0; /* the end of the line */
	if (origin)
		kl_buf_printf(out, "\t%s", entry->from);
	if (partly) {
		kl_buf_printf(out, "%sfor: ", origin ? ", " : "\t");
		put_roles(out, entry->roles, " ");
	}
	kl_buf_printf(out, "\n");
}

static void put_entry(void *arg, const struct kl_conf_entry *entry)
{
	struct dump *dump = arg;
	if (dump->options->changed && entry->is_default)
		return;
	if (dump->options->json)
		put_json(&dump->out, entry);
	else
		put_text(&dump->out, entry, dump->options->origin);
}

static void free_conf(struct klamm_conf **conf)
{
	klamm_conf_free(*conf);
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct dump_options *o = options;
	int32_t roles = o->role != NULL ? cli_role(cli, o->role) : KLAMM_ROLE_ANY;
	if (roles == 0)
		return CLI_USAGE;
	KL_AUTO(free_conf) struct klamm_conf *conf = NULL;
	int status = cli_client_conf(cli, &conf);
	if (status != 0)
		return status;
	struct dump dump = {.options = o};
	struct klamm_error err;
	if (kl_conf_dump(conf, roles, put_entry, &dump, &err) != 0)
		status = cli_error(&err);
	else
		cli_print(&dump.out, "");
	kl_buf_free(&dump.out);
	return status;
}

static const struct cli_option rows[] = {
	{'r', "role", "ROLE", CLI_TEXT, offsetof(struct dump_options, role), 0, 0,
	 "producer, consumer or admin: only what this client goes by"},
	{'o', "origin", NULL, CLI_FLAG, offsetof(struct dump_options, origin), 0, 0,
	 "say behind a tab where each value came from"},
	{'c', "changed", NULL, CLI_FLAG, offsetof(struct dump_options, changed), 0, 0,
	 "leave defaults out"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct dump_options, json), 0, 0,
	 "print each setting as a JSON object"},
	{0},
};

const struct cli_command cli_config_dump = {
	.name = "config dump",
	.args = "",
	.summary = "print the settings in effect, and where they came from",
	.about = "What -F, --profile, -X and -b make together, as a configuration file. "
		 "Secrets are\n"
		 "shown as ****. What was set and is ignored is left out; \"klamm config "
		 "lint\" has it.\n",
	.options = rows,
	.size = sizeof(struct dump_options),
	.run = run,
};
