/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm version */
#include <stdio.h>

#include <openssl/crypto.h>

#include "cli/cli.h"

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	printf("klamm %s\n", klamm_version());
	printf("plugins: %s\n", KLAMM_PLUGINDIR);
	printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
	return CLI_OK;
}

const struct cli_command cli_version = {
	.name = "version",
	.args = "",
	.summary = "say which klamm this is and where its plugins are",
	.run = run,
};
