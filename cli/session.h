/* SPDX-License-Identifier: BSD-2-Clause */
/* An admin client for the length of one command. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <klamm/admin.h>

#include "cli/cli.h"

struct cli_session {
	int64_t timeout_ms;
	struct klamm_conf *conf;
	struct klamm_loop *loop;
	struct klamm_admin *admin;
};

/* Zeroed before; closed also after a failure, which the user was told of. */
int cli_session_open(const struct cli *cli, struct cli_session *s);
void cli_session_close(struct cli_session *s);

#endif
