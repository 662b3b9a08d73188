/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line's frame: one table of commands and options drives parsing, --help
 * and usage errors. One thread.
 *
 * A command is a file cmd_NAME.c with one or more `const struct cli_command`, listed in
 * commands.c. stdout is data, stderr is for people.
 */
#ifndef CLI_H
#define CLI_H

#include <klamm/klamm.h>

#include "core/base/base.h"

/* What the program's exit status says; scripts rely on it. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	    /* something that was asked for did not work out */
	CLI_USAGE = 2,	    /* the command line, a configuration or a plugin is wrong */
	CLI_CONNECTION = 3, /* no broker could be reached, or it does not know us */
	CLI_TIMEOUT = 4,    /* a broker was reached, its answer did not come in time */
	CLI_INTERRUPTED = 130,
};

/* --- the table --- */

struct cli_list {
	const char **v;
	size_t n;
};

enum cli_type {		   /* and what stands at the option's offset: */
		CLI_FLAG,  /* bool */
		CLI_COUNT, /* int32_t: how often it was given */
		CLI_TEXT,  /* const char *; the last one counts */
		CLI_LIST,  /* struct cli_list: may be repeated */
		CLI_BYTES, /* struct klamm_span: \n \t \0 \xNN stand for bytes; not
			      empty */
		CLI_INT32, /* int32_t in min..max */
		CLI_INT64, /* int64_t in min..max */
};

struct cli_option {
	char letter; /* -p; 0 = none */
	const char
		*name; /* --partition; the table ends with a row whose name is NULL */
	const char
		*arg; /* what help calls its value; NULL for CLI_FLAG and CLI_COUNT */
	enum cli_type type;
	size_t offset;	  /* in the structure that the command's options fill */
	int64_t min, max; /* of numbers */
	const char *help; /* one line, lower case, no full stop */
};

#define CLI_MANY UINT32_MAX

struct cli;

struct cli_command {
	const char *name; /* "topic create" */
	const char *args; /* "TOPIC...", "" = none */
	uint32_t min_args, max_args;
	const char *summary; /* one line, an imperative, no full stop */
	const char *about;   /* more for --help, lines ended by \n; may be NULL */
	const struct cli_option *options; /* may be NULL */
	const void *defaults;		  /* of the options' structure; NULL = zeroes */
	size_t size;			  /* of that structure */
	/* Returns an exit status, after telling stderr why it is not 0. options and
	 * args live as long as the program. */
	int (*run)(struct cli *cli, const void *options, const struct cli_list *args);
};

extern const struct cli_command *const cli_commands[]; /* ended by NULL */
extern const struct cli_option cli_global_options[];

extern const struct cli_command cli_bench_consume, cli_bench_produce, cli_broker,
	cli_cluster_describe, cli_completion, cli_config_dump, cli_config_explain,
	cli_config_lint, cli_config_sample, cli_consume, cli_fault_clear, cli_fault_list,
	cli_fault_set, cli_group_delete, cli_group_delete_offsets,
	cli_group_describe, cli_group_lag, cli_group_list, cli_group_offsets,
	cli_group_remove_member, cli_group_seek, cli_group_watch,
	cli_plugin_check, cli_plugin_info,
	cli_plugin_list, cli_plugin_new, cli_produce, cli_topic_create,
	cli_topic_delete, cli_topic_delete_records, cli_topic_describe,
	cli_topic_list, cli_topic_offsets, cli_version, cli_wire_decode,
	cli_wire_encode;

/* --- one run --- */

struct cli {
	const struct cli_command *command; /* NULL while it is not known */
	const char *group; /* the first word of a command of two, or NULL */
	/* The global options. */
	struct cli_list brokers, files, pairs;
	const char *profile;
	int32_t verbosity, timeout_s;
	bool quiet, help, version;
};

/* Fill cli and the options of its command; *options_out and *args_out live as long as
 * the program. CLI_USAGE was told to the user. */
int cli_parse(struct cli *cli, int argc, char **argv, void **options_out,
	      struct cli_list *args_out);
void cli_help(
	const struct cli *cli); /* of its command, or of the whole program; on stdout */

/* A configuration from -F, or else from the user's own file, then -X, then -b; every problem
 * of a file is told at once. */
int cli_conf(const struct cli *cli, struct klamm_conf **conf_out);
/* The same for commands that talk to a broker: 127.0.0.1:9092 when none is named. */
int cli_client_conf(const struct cli *cli, struct klamm_conf **conf_out);
/* For commands that read: what a group has committed stays, whatever group.id a file names. */
int cli_never_commit(struct klamm_conf *conf);
/* Also for them: no topic is asked into being, unless allow.auto.create.topics is set. */
int cli_never_create(struct klamm_conf *conf);

/* The role (enum klamm_role) that is called so; 0: none, and the user was told. */
int32_t cli_role(const struct cli *cli, const char *word);

/* How long a question to the brokers may take. */
static inline int64_t cli_timeout_ms(const struct cli *cli)
{
	return cli->timeout_s * 1000ll;
}

/* "klamm: ..." on stderr; the status is returned. */
int cli_fail(int status, const char *fmt, ...) KL_PRINTF(2, 3);
/* The same, pointing to the command's help: CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *fmt, ...) KL_PRINTF(2, 3);
/* Tell an error of the library; the exit status that its code and stage ask for. */
int cli_error(const struct klamm_error *err);
int cli_error_status(const struct klamm_error *err);
/* For people who watch: only when stderr is a terminal and -q was not given. */
bool cli_may_chat(const struct cli *cli);

/* --- numbers and names --- */

/* A kind of plugin by its word; false was told to the user. */
bool cli_kind(const struct cli *cli, const char *word, int32_t *kind_out);
/* All of text is a decimal number in min..max. */
bool cli_number(const char *text, int64_t min, int64_t max, int64_t *out);
/* "0,3,5-7"; and its next part, the text behind it. */
bool cli_ranges_valid(const char *text);
bool cli_range_next(const char **text, long long *low, long long *high);
/* The name that word was probably meant to be, NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *names, size_t n);
int cli_hex_digit(char c); /* -1: it is none */
/* \n \r \t \\ \0 and \xNN become bytes. */
struct klamm_span cli_unescape(const char *text);
/* Append to a list; exits the program when memory is out. */
void cli_list_add(struct cli_list *list, const char *text);
void *cli_alloc(size_t n); /* zeroed; exits the program when memory is out */

/* --- signals --- */

/* SIGINT and SIGTERM end the program at once: so it begins. */
void cli_end_by_signals(void);
/* From now on SIGINT and SIGTERM set a flag and call wake(arg), which must be safe in a
 * signal handler; the second one ends the program at once. */
void cli_catch_signals(void (*wake)(void *arg), void *arg);
void cli_release_signals(void); /* before arg goes; the flag stays */
bool cli_interrupted(void);

#endif
