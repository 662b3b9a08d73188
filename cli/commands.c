/* SPDX-License-Identifier: BSD-2-Clause */
/* Every command, in the order of --help. */
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
	&cli_produce,
	&cli_consume,
	&cli_topic_create,
	&cli_topic_list,
	&cli_topic_describe,
	&cli_topic_delete,
	&cli_broker,
	&cli_fault_set,
	&cli_fault_list,
	&cli_fault_clear,
	&cli_bench_produce,
	&cli_bench_consume,
	&cli_plugin_list,
	&cli_plugin_info,
	&cli_plugin_check,
	&cli_plugin_new,
	&cli_config_dump,
	&cli_config_explain,
	&cli_config_lint,
	&cli_config_sample,
	&cli_wire_decode,
	&cli_wire_encode,
	&cli_completion,
	&cli_version,
	NULL,
};

#define AT(member) offsetof(struct cli, member)

const struct cli_option cli_global_options[] = {
	{'b', "brokers", "HOST:PORT,...", CLI_LIST, AT(brokers), 0, 0,
	 "brokers to ask first (bootstrap.servers; 127.0.0.1:9092)"},
	{'F', "config-file", "FILE", CLI_LIST, AT(files), 0, 0,
	 "read a configuration file; may be repeated"},
	{0, "profile", "NAME", CLI_TEXT, AT(profile), 0, 0,
	 "use the [profile NAME] sections of the files"},
	{'X', "set", "KEY=VALUE", CLI_LIST, AT(pairs), 0, 0,
	 "set one key, over what files say; may be repeated"},
	{0, "timeout", "SECONDS", CLI_INT32, AT(timeout_s), 1, 86400,
	 "give up on brokers that do not answer after this time (15)"},
	{'v', "verbose", NULL, CLI_COUNT, AT(verbosity), 0, 0,
	 "log to stderr: -v what happens, -vv every message, -vvv more"},
	{'q', "quiet", NULL, CLI_FLAG, AT(quiet), 0, 0, "no progress and no notes"},
	{'h', "help", NULL, CLI_FLAG, AT(help), 0, 0,
	 "say what there is, or what a command takes"},
	{0, "version", NULL, CLI_FLAG, AT(version), 0, 0, "say which klamm this is"},
	{0, NULL, NULL, CLI_FLAG, 0, 0, 0, NULL},
};
