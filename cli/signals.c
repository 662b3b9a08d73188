/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGINT and SIGTERM end a command at once while it only asks, and in good order when it
 * has something under way; a second one at once, unless it is the first one's echo:
 * timeout(1) signals the process and then its group. The handler has to find the flag and
 * whom to wake without an argument: the only variables of this program. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cli/io.h"

#define ECHO_US (100 * KL_MS)

static const int numbers[] = {SIGINT, SIGTERM};
static atomic_int caught;
static _Atomic int64_t caught_us;
static void (*wake_fn)(void *arg);
static void *_Atomic wake_arg;

static void on_signal(int number)
{
	int error = errno;
	int64_t now = cli_now_us();
	if (!cli_interrupted())
		atomic_store(&caught_us, now);
	else if (now - atomic_load(&caught_us) > ECHO_US)
		_exit(CLI_INTERRUPTED);
	atomic_store(&caught, number);
	void *arg = atomic_load(&wake_arg);
	if (arg != NULL)
		wake_fn(arg);
	errno = error;
}

static void end(int number)
{
	_exit(CLI_INTERRUPTED);
}

void cli_end_by_signals(void)
{
	for (size_t i = 0; i < kl_countof(numbers); i++)
		if (signal(numbers[i], end) == SIG_IGN) /* a background job of a script */
			signal(numbers[i], SIG_IGN);
}

void cli_catch_signals(void (*wake)(void *arg), void *arg)
{
	wake_fn = wake;
	atomic_store(&wake_arg, arg);
	/* No SA_RESTART: a read or poll that waits must return. */
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < kl_countof(numbers); i++) {
		struct sigaction old;
		sigaction(numbers[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
}

void cli_release_signals(void)
{
	atomic_store(&wake_arg, NULL);
}

bool cli_interrupted(void)
{
	return atomic_load(&caught) != 0;
}
