/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm config explain, lint and sample. */
#include <stdio.h>

#include "cli/io.h"
#include "core/conf/conf.h"

static int explain(struct cli *cli, const void *options, const struct cli_list *args)
{
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	struct klamm_error err;
	if (kl_conf_explain(args->n > 0 ? args->v[0] : NULL, &text, &err) != 0)
		return cli_error(&err);
	cli_print(&text, "");
	return CLI_OK;
}

const struct cli_command cli_config_explain = {
	.name = "config explain",
	.args = "[KEY]",
	.max_args = 1,
	.summary = "say what a key of the configuration means, or list all keys",
	.about = "KEY may be the first words of keys, such as ssl, to list these. The list "
		 "has three\n"
		 "columns, separated by tabs: key, default (- = none), meaning.\n",
	.run = explain,
};

struct lint_options {
	const char *role;
};

struct findings {
	unsigned errors, notes;
};

static void print_issue(void *arg, const struct klamm_conf_issue *issue)
{
	struct findings *found = arg;
	if (issue->is_error)
		found->errors++;
	else
		found->notes++;
	if (issue->file != NULL && issue->line > 0)
		printf("%s:%d: ", issue->file, issue->line);
	printf("%s: %s\n", issue->is_error ? "error" : "note", issue->text);
}

int32_t cli_role(const struct cli *cli, const char *word)
{
	static const struct {
		const char *name;
		int32_t role;
	} roles[] = {
		{"producer", KLAMM_ROLE_PRODUCER},
		{"consumer", KLAMM_ROLE_CONSUMER},
		{"admin", KLAMM_ROLE_ADMIN},
	};
	for (size_t i = 0; i < kl_countof(roles); i++)
		if (strcmp(roles[i].name, word) == 0)
			return roles[i].role;
	cli_usage(cli, "--role %s: must be producer, consumer or admin", word);
	return 0;
}

static int lint_file(const char *file, int32_t roles, struct findings *found)
{
	struct klamm_error err;
	unsigned before = found->errors;
	int rc = kl_conf_lint(file, roles, print_issue, found, &err);
	if (rc != 0 &&
	    found->errors == before) { /* nothing was told of it: not readable */
		found->errors++;
		cli_error(&err);
	}
	return rc != 0 ? CLI_USAGE : CLI_OK;
}

static int lint(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct lint_options *o = options;
	struct findings found = {0};
	int32_t roles = 0;
	if (o->role != NULL && (roles = cli_role(cli, o->role)) == 0)
		return CLI_USAGE;
	int status = CLI_OK;
	for (size_t i = 0; i < args->n; i++)
		status |= lint_file(args->v[i], roles, &found);
	if (!cli->quiet)
		fprintf(stderr, "klamm: %u error%s, %u note%s\n", found.errors,
			found.errors == 1 ? "" : "s", found.notes,
			found.notes == 1 ? "" : "s");
	return status;
}

static const struct cli_option lint_rows[] = {
	{'r', "role", "ROLE", CLI_TEXT, offsetof(struct lint_options, role), 0, 0,
	 "producer, consumer or admin, instead of what the keys suggest"},
	{0},
};

const struct cli_command cli_config_lint = {
	.name = "config lint",
	.args = "FILE...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "tell everything that is wrong with configuration files",
	.options = lint_rows,
	.size = sizeof(struct lint_options),
	.run = lint,
};

/* --- sample --- */

static const struct {
	const char *name, *heading;
	int32_t roles;
	bool shared;
} samples[] = {
	{"common", "What every kind of client reads", KLAMM_ROLE_ANY, true},
	{"producer", "Everything that a producer reads", KLAMM_ROLE_PRODUCER, false},
	{"consumer", "Everything that a consumer reads", KLAMM_ROLE_CONSUMER, false},
	{"admin", "Everything that an admin client reads", KLAMM_ROLE_ADMIN, false},
	{NULL, "Everything that klamm reads", KLAMM_ROLE_ANY, false},
};

static int sample(struct cli *cli, const void *options, const struct cli_list *args)
{
	const char *name = args->n > 0 ? args->v[0] : NULL;
	size_t i = 0;
	while (samples[i].name != NULL && (name == NULL || strcmp(samples[i].name, name) != 0))
		i++;
	if (name != NULL && samples[i].name == NULL)
		return cli_usage(cli, "%s: must be common, producer, consumer or admin", name);
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	struct klamm_error err;
	if (kl_conf_sample(samples[i].roles, samples[i].shared, &text, &err) != 0)
		return cli_error(&err);
	printf("# %s.\n"
	       "# What is commented out is the default or, where there is none, an example.\n"
	       "# klamm.conf(5) is the manual; `klamm config lint FILE` checks a file, and\n"
	       "# `klamm config dump --origin` tells what is in effect.\n\n",
	       samples[i].heading);
	cli_print(&text, "");
	return CLI_OK;
}

const struct cli_command cli_config_sample = {
	.name = "config sample",
	.args = "[CLIENT]",
	.max_args = 1,
	.summary = "print a commented configuration file to start from",
	.about = "CLIENT is common (the keys that all clients have), producer, consumer or "
		 "admin;\n"
		 "without it the file has every key.\n",
	.run = sample,
};
