/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm, the command line. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	if (cli->help) {
		cli_help(cli);
		return CLI_OK;
	}
	if (cli->version) {
		printf("klamm %s\n", klamm_version());
		return CLI_OK;
	}
	return cli->command->run(cli, options, args);
}

/* A standard file that the caller has closed would be the next socket, and what is printed
 * would go to a broker: something takes its place that can be neither read nor written. */
static void keep_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			_exit(CLI_FAILED);
}

int main(int argc, char **argv)
{
	keep_standard_files();
	/* A reader that has seen enough shows up as EPIPE, which ends a command
	 * quietly. */
	signal(SIGPIPE, SIG_IGN);
	cli_end_by_signals();
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
