/* SPDX-License-Identifier: BSD-2-Clause */
/* What people are told on stderr, and the exit status that goes with it. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/base/text.h"

static void say(const char *fmt, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof(text), fmt, args);
	kl_text_tame(text);
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
	case KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION:
	case KLAMM_ERR_INVALID_TOPIC_EXCEPTION:
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
