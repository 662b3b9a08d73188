/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/session.h"

int cli_session_open(const struct cli *cli, struct cli_session *s)
{
	struct klamm_error err;
	s->timeout_ms = cli_timeout_ms(cli);
	int status = cli_client_conf(cli, &s->conf);
	if (status != 0)
		return status;
	if (klamm_loop_new(s->conf, &s->loop, &err) != 0 ||
	    klamm_admin_new(s->conf, s->loop, &s->admin, &err) != 0)
		return cli_error(&err);
	return 0;
}

void cli_session_close(struct cli_session *s)
{
	klamm_admin_free(s->admin);
	klamm_loop_free(s->loop);
	klamm_conf_free(s->conf);
}
