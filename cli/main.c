/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm, the command line. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "cli/cli.h"
#include "config.h"

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	if (cli->help) {
		cli_help(cli);
		return CLI_OK;
	}
	if (cli->version) {
		printf("klamm %s\n", PACKAGE_VERSION);
		return CLI_OK;
	}
	return cli->command->run(cli, options, args);
}

int main(int argc, char **argv)
{
	/* A reader that has seen enough shows up as EPIPE, which ends a command
	 * quietly. */
	signal(SIGPIPE, SIG_IGN);
	/* Static, since what they point to lives as long as the program. */
	static struct cli cli = {.timeout_s = 15};
	static struct cli_list args;
	static void *options;
	int status = cli_parse(&cli, argc, argv, &options, &args);
	if (status == 0)
		status = run(&cli, options, &args);
	if (fflush(stdout) != 0 && status == 0 && errno != EPIPE)
		status = cli_fail(CLI_FAILED, "cannot write: %s", strerror(errno));
	return status;
}
