/* SPDX-License-Identifier: BSD-2-Clause */
/* --help from the table, and what is said when a command line is wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

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
		if (group != NULL && (strncmp((*c)->name, group, len) != 0 || (*c)->name[len] != ' '))
			continue;
		char left[80];
		snprintf(left, sizeof(left), "  %s %s", (*c)->name, (*c)->args);
		print_row(left, (*c)->summary);
	}
}

static void help_command(const struct cli_command *c)
{
	printf("Usage: klamm [OPTION...] %s%s%s\n\n%c%s.\n", c->name, c->args[0] ? " " : "",
	       c->args, c->summary[0] - 'a' + 'A', c->summary + 1);
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
	printf("Usage: klamm [OPTION...] %s ...\n\nCommands:\n", cli->group ? cli->group : "COMMAND");
	print_commands(cli->group);
	if (cli->group == NULL) {
		printf("\nOptions of every command:\n");
		print_options(cli_global_options);
	}
	printf("\n\"klamm COMMAND --help\" says what a command takes; klamm(1) is the manual.\n");
}

static void say(const char *fmt, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof(text), fmt, args);
	fprintf(stderr, "klamm: %s\n", text);
}

int cli_fail(int status, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	return status;
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	const char *name = cli->command != NULL ? cli->command->name : cli->group;
	if (name == NULL)
		return cli_fail(CLI_USAGE, "%s (see klamm --help)", text);
	return cli_fail(CLI_USAGE, "%s: %s (see klamm %s --help)", name, text, name);
}

int cli_error_status(const struct klamm_error *err)
{
	switch (err->stage) {
	case KLAMM_STAGE_DNS:
	case KLAMM_STAGE_TCP:
	case KLAMM_STAGE_PROXY:
	case KLAMM_STAGE_TLS:
	case KLAMM_STAGE_SASL:
		return CLI_CONNECTION;
	default:
		break;
	}
	switch (err->code) {
	case 0:
		return CLI_OK;
	case KLAMM_ERR_CONFIG:
	case KLAMM_ERR_PLUGIN:
	case KLAMM_ERR_INVALID_ARGUMENT:
		return CLI_USAGE;
	case KLAMM_ERR_DNS:
	case KLAMM_ERR_CONNECT:
	case KLAMM_ERR_DISCONNECTED:
	case KLAMM_ERR_TLS:
	case KLAMM_ERR_AUTHENTICATION:
	case KLAMM_ERR_NO_BROKER:
	case KLAMM_ERR_PROTOCOL: /* the peer is no Kafka */
	case KLAMM_ERR_FRAME_TOO_LARGE:
		return CLI_CONNECTION;
	case KLAMM_ERR_TIMED_OUT:
		return CLI_TIMEOUT;
	case KLAMM_ERR_INTERRUPTED:
		return CLI_INTERRUPTED;
	default:
		return CLI_FAILED;
	}
}

int cli_error(const struct klamm_error *err)
{
	const char *text = err->text[0] != '\0' ? err->text : klamm_err_text(err->code);
	return cli_fail(cli_error_status(err), "%s", text);
}

bool cli_may_chat(const struct cli *cli)
{
	return !cli->quiet && isatty(STDERR_FILENO);
}
