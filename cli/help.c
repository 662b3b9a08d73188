/* SPDX-License-Identifier: BSD-2-Clause */
/* --help from the table. */
#include <stdio.h>

#include "cli/cli.h"

#define COLUMN 30 /* where the explanations begin */

static void print_row(const char *left, const char *right)
{
	int width = (int)strlen(left);
	if (width > COLUMN - 2)
		printf("%s\n%*s%s\n", left, COLUMN, "", right);
	else
		printf("%s%*s%s\n", left, COLUMN - width, "", right);
}

static void print_options(const struct cli_option *options)
{
	for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
		char letter[8] = "    ", left[80];
		if (o->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(left, sizeof(left), "  %s--%s%s%s", letter, o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		print_row(left, o->help);
	}
}

static void print_commands(const char *group)
{
	size_t len = group != NULL ? strlen(group) : 0;
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		if (group != NULL &&
		    (strncmp((*c)->name, group, len) != 0 || (*c)->name[len] != ' '))
			continue;
		char left[80];
		snprintf(left, sizeof(left), "  %s %s", (*c)->name, (*c)->args);
		print_row(left, (*c)->summary);
	}
}

static void help_command(const struct cli_command *c)
{
	printf("Usage: klamm [OPTION...] %s%s%s\n\n%c%s.\n", c->name,
	       c->args[0] ? " " : "", c->args, c->summary[0] - 'a' + 'A',
	       c->summary + 1);
	if (c->about != NULL)
		printf("\n%s", c->about);
	if (c->options != NULL && c->options->name != NULL) {
		printf("\nOptions:\n");
		print_options(c->options);
	}
	printf("\nOptions of every command:\n");
	print_options(cli_global_options);
}

void cli_help(const struct cli *cli)
{
	if (cli->command != NULL) {
		help_command(cli->command);
		return;
	}
	printf("Usage: klamm [OPTION...] %s ...\n\nCommands:\n",
	       cli->group ? cli->group : "COMMAND");
	print_commands(cli->group);
	if (cli->group == NULL) {
		printf("\nOptions of every command:\n");
		print_options(cli_global_options);
	}
	printf("\n\"klamm help COMMAND\" says what a command takes; klamm(1) is the "
	       "manual.\n");
}
