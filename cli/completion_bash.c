/* SPDX-License-Identifier: BSD-2-Clause */
/* The completion for bash, which needs no other file of completions. */
#include "cli/completion.h"

#include <stdio.h>

/* Between bash's own words, = and : stand alone: "-X", "acks", "=", "a". */
static const char frame[] =
	"_klamm() {\n"
	"\tlocal command= option= word i cur=${COMP_WORDS[COMP_CWORD]}\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ -n $option ]]; then\n"
	"\t\t\t[[ $word = '=' && $option = --* ]] && continue\n"
	"\t\t\t[[ ${COMP_WORDS[i + 1]-} = '=' || $word = '=' ]] && continue\n"
	"\t\t\toption=\n"
	"\t\telif [[ $word = -* ]]; then\n"
	"\t\t\t[[ -n $(_klamm_value \"$command\" \"$word\") ]] && option=$word\n"
	"\t\telif _klamm_commands | grep -qE \"^${command:+$command }$word( |$)\"; then\n"
	"\t\t\tcommand=${command:+$command }$word\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t[[ $cur = '=' ]] && cur=\n"
	"\tlocal words\n"
	"\tif [[ -n $option ]]; then\n"
	"\t\twords=$(_klamm_value \"$command\" \"$option\")\n"
	"\t\tif [[ $words = pairs && ${COMP_WORDS[COMP_CWORD]} = '=' ]]; then\n"
	"\t\t\twords=$(_klamm_key_values \"${COMP_WORDS[COMP_CWORD - 1]}\")\n"
	"\t\telif [[ $words = pairs && ${COMP_WORDS[COMP_CWORD - 1]} = '=' ]]; then\n"
	"\t\t\twords=$(_klamm_key_values \"${COMP_WORDS[COMP_CWORD - 2]}\")\n"
	"\t\tfi\n"
	"\telif [[ $cur = -* ]]; then\n"
	"\t\twords=$(_klamm_options '')\n"
	"\t\t[[ -z $command ]] || words+=\" $(_klamm_options \"$command\")\"\n"
	"\telse\n"
	"\t\twords=$(_klamm_arguments \"$command\")\n"
	"\t\t[[ -n $words ]] || words=$(_klamm_commands |\n"
	"\t\t\tsed -n \"s/^${command:+$command }\\\\([a-z-]*\\\\).*/\\\\1/p\" | sort -u)\n"
	"\tfi\n"
	"\tcase $words in\n"
	"\tfiles)\n"
	"\t\tcompopt -o filenames\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\tkeys) mapfile -t COMPREPLY < <(compgen -W \"$(_klamm_keys)\" -- \"$cur\") ;;\n"
	"\tpairs)\n"
	"\t\tcompopt -o nospace\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -S = -W \"$(_klamm_keys)\" -- \"$cur\") ;;\n"
	"\tany) ;;\n"
	"\t*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
	"\tesac\n"
	"}\n"
	"complete -F _klamm klamm\n";

static void put_fill(struct kl_buf *out, enum cli_fill fill, const char *words)
{
	static const char *const names[] = {
		[CLI_FILL_NOTHING] = "any",
		[CLI_FILL_FILES] = "files",
		[CLI_FILL_KEYS] = "keys",
		[CLI_FILL_PAIRS] = "pairs",
	};
	kl_buf_printf(out, "echo %s ;;\n", fill == CLI_FILL_WORDS ? words : names[fill]);
}

static void put_commands(struct kl_buf *out)
{
	kl_buf_printf(out, "_klamm_commands() {\n\tcat <<'END'\n");
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++)
		kl_buf_printf(out, "%s\n", (*c)->name);
	kl_buf_printf(out, "help\nEND\n}\n");
}

static void put_names(struct kl_buf *out, const char *command,
		      const struct cli_option *options)
{
	kl_buf_printf(out, "\t'%s') echo", command);
	for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
		if (o->letter != 0)
			kl_buf_printf(out, " -%c", o->letter);
		kl_buf_printf(out, " --%s", o->name);
	}
	kl_buf_printf(out, " ;;\n");
}

static void put_options(struct kl_buf *out)
{
	kl_buf_printf(out, "_klamm_options() { # COMMAND\n\tcase $1 in\n");
	put_names(out, "", cli_global_options);
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++)
		if ((*c)->options != NULL)
			put_names(out, (*c)->name, (*c)->options);
	kl_buf_printf(out, "\tesac\n}\n");
}

/* A command's own options come first: -p may be another's global letter. */
static void put_option_values(struct kl_buf *out, const char *command,
			      const struct cli_option *options)
{
	for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
		const char *words = NULL;
		enum cli_fill fill = cli_fill_of_option(o, &words);
		if (o->arg == NULL)
			continue;
		kl_buf_printf(out, "\t%s--%s", command, o->name);
		if (o->letter != 0)
			kl_buf_printf(out, " | %s-%c", command, o->letter);
		kl_buf_printf(out, ") ");
		put_fill(out, fill, words);
	}
}

static void put_values(struct kl_buf *out)
{
	kl_buf_printf(out, "_klamm_value() { # COMMAND OPTION: what its value is; nothing, "
			   "if it has none\n\tcase $1:$2 in\n");
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		char command[64];
		snprintf(command, sizeof(command), "'%s:'", (*c)->name);
		put_option_values(out, command, (*c)->options);
	}
	put_option_values(out, "*:", cli_global_options);
	kl_buf_printf(out, "\tesac\n}\n");
}

static void put_arguments(struct kl_buf *out)
{
	kl_buf_printf(out, "_klamm_arguments() { # COMMAND\n\tcase $1 in\n");
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		const char *words = NULL;
		enum cli_fill fill = cli_fill_of_args(*c, &words);
		kl_buf_printf(out, "\t'%s') ", (*c)->name);
		put_fill(out, fill, words);
	}
	kl_buf_printf(out, "\t'help') _klamm_commands | sed 's/ .*//' | sort -u ;;\n"
			   "\tesac\n}\n");
}

static void put_keys(struct kl_buf *out)
{
	KL_AUTO(kl_buf_free) struct kl_buf values = {0};
	const char *key;
	kl_buf_printf(out, "_klamm_keys() {\n\tcat <<'END'\n");
	for (size_t i = 0; (key = cli_next_key(&i, &values)) != NULL;)
		kl_buf_printf(out, "%s\n", key);
	kl_buf_printf(out, "END\n}\n_klamm_key_values() { # KEY\n\tcase $1 in\n");
	for (size_t i = 0; (key = cli_next_key(&i, &values)) != NULL;)
		if (values.len > 0)
			kl_buf_printf(out, "\t%s) echo '%s' ;;\n", key,
				      kl_buf_text(&values));
	kl_buf_printf(out, "\t*) echo any ;;\n\tesac\n}\n");
	out->failed |= values.failed;
}

void cli_complete_bash(struct kl_buf *out)
{
	kl_buf_printf(out, "# Completion of klamm for bash; see \"klamm completion\".\n");
	put_commands(out);
	put_options(out);
	put_values(out);
	put_arguments(out);
	put_keys(out);
	kl_buf_printf(out, "%s", frame);
}
