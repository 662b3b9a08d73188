/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm, the command line. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/io.h"

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

/* The first error of stdout is kept, and nothing is written behind the gap. */
static ssize_t write_stdout(void *error, const char *data, size_t n)
{
	int *first = error;
	if (*first == 0)
		*first = cli_write(STDOUT_FILENO, data, n);
	return *first == 0 ? (ssize_t)n : 0;
}

/* stdio tells only of the last thing written why it was not. */
static void watch_stdout(int *error)
{
	FILE *out = fopencookie(error, "w",
				(cookie_io_functions_t){.write = write_stdout});
	if (out == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	if (isatty(STDOUT_FILENO))
		setvbuf(out, NULL, _IOLBF, 0);
	stdout = out;
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
	static int error;
	watch_stdout(&error);
	int status = cli_parse(&cli, argc, argv, &options, &args);
	if (status == 0)
		status = run(&cli, options, &args);
	fflush(stdout);
	if (error != 0 && error != EPIPE && status == 0)
		status = cli_fail(CLI_FAILED, "cannot write: %s", strerror(error));
	return status;
}
