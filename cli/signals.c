/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGINT and SIGTERM end a command in good order; a second one at once. The handler needs
 * to find the flag and the loop without an argument: the only variables of this program. */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cli/cli.h"

static atomic_int caught;
static struct klamm_loop *_Atomic woken;

static void on_signal(int number)
{
	if (atomic_exchange(&caught, number) != 0)
		_exit(CLI_INTERRUPTED);
	struct klamm_loop *loop = atomic_load(&woken);
	if (loop != NULL)
		klamm_loop_wake(loop);
}

void cli_catch_signals(struct klamm_loop *loop)
{
	atomic_store(&woken, loop);
	/* No SA_RESTART: a read or poll that waits must return. */
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void cli_release_signals(void)
{
	atomic_store(&woken, NULL);
}

bool cli_interrupted(void)
{
	return atomic_load(&caught) != 0;
}
