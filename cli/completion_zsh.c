/* SPDX-License-Identifier: BSD-2-Clause */
/* The completion for zsh: a function for each command, by its _arguments. */
#include "cli/completion.h"

static const char frame[] =
	"_klamm_word() { # COMMAND...: go on with the function of a command\n"
	"	local name=_klamm_${(j:_:)@}\n"
	"	(( $+functions[$name] )) && $name\n"
	"}\n"
	"_klamm() {\n"
	"	local curcontext=$curcontext state line first\n"
	"	typeset -A opt_args\n"
	"	_arguments -s -C $_klamm_global '1:command:->first' '*:: :->rest'\n"
	"	if [[ $state = first ]]; then\n"
	"		_describe command _klamm_first\n"
	"		return\n"
	"	fi\n"
	"	[[ $state = rest ]] || return\n"
	"	first=$line[1]\n"
	"	if (( ! $+parameters[_klamm_second_$first] )); then\n"
	"		_klamm_word $first\n"
	"		return\n"
	"	fi\n"
	"	_arguments -s -C $_klamm_global '1:command:->second' '*:: :->rest'\n"
	"	case $state in\n"
	"	second) _describe command _klamm_second_$first ;;\n"
	"	rest) _klamm_word $first $line[1] ;;\n"
	"	esac\n"
	"}\n"
	"_klamm \"$@\"\n";

/* text inside of 'quotes' and of a specification, whose marks are [ ] and :. */
static void put_text(struct kl_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			kl_buf_printf(out, "'\\''");
		else if (strchr("[]:\\", *text) != NULL)
			kl_buf_printf(out, "\\%c", *text);
		else
			kl_buf_put(out, text, 1);
	}
}

static void put_fill(struct kl_buf *out, enum cli_fill fill, const char *words)
{
	switch (fill) {
	case CLI_FILL_FILES:
		kl_buf_printf(out, "_files");
		break;
	case CLI_FILL_KEYS:
		kl_buf_printf(out, "_klamm_key");
		break;
	case CLI_FILL_PAIRS:
		kl_buf_printf(out, "_klamm_pair");
		break;
	case CLI_FILL_WORDS:
		kl_buf_printf(out, "(%s)", words);
		break;
	default:
		kl_buf_printf(out, " ");
	}
}

/* '(-p --partition)'{-p+,--partition=}'[what it does]:NAME:fill' */
static void put_option(struct kl_buf *out, const struct cli_option *o)
{
	const char *words = NULL;
	enum cli_fill fill = cli_fill_of_option(o, &words);
	bool many = o->type == CLI_LIST || o->type == CLI_COUNT;
	kl_buf_printf(out, "\t");
	if (many)
		kl_buf_printf(out, "'*'");
	if (o->letter != 0 && !many)
		kl_buf_printf(out, "'(-%c --%s)'", o->letter, o->name);
	if (o->letter != 0)
		kl_buf_printf(out, "{-%c%s,--%s%s}", o->letter, o->arg != NULL ? "+" : "",
			      o->name, o->arg != NULL ? "=" : "");
	else
		kl_buf_printf(out, "--%s%s", o->name, o->arg != NULL ? "=" : "");
	kl_buf_printf(out, "'[");
	put_text(out, o->help);
	kl_buf_printf(out, "]");
	if (o->arg != NULL) {
		kl_buf_printf(out, ":");
		put_text(out, o->arg);
		kl_buf_printf(out, ":");
		put_fill(out, fill, words);
	}
	kl_buf_printf(out, "'\n");
}

static void put_options(struct kl_buf *out, const struct cli_option *options)
{
	for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++)
		put_option(out, o);
}

static void put_command(struct kl_buf *out, const struct cli_command *command)
{
	const char *words = NULL;
	enum cli_fill fill = cli_fill_of_args(command, &words);
	kl_buf_printf(out, "_klamm_");
	for (const char *p = command->name; *p != '\0'; p++)
		kl_buf_printf(out, "%c", *p == ' ' ? '_' : *p);
	kl_buf_printf(out, "() {\n\tlocal -a own=(\n");
	put_options(out, command->options);
	kl_buf_printf(out, "\t)\n\t_arguments -s $own $_klamm_global");
	if (command->max_args > 0) {
		kl_buf_printf(out, " '%s:", command->max_args > 1 ? "*" : "1");
		put_text(out, command->args);
		kl_buf_printf(out, ":");
		put_fill(out, fill, words);
		kl_buf_printf(out, "'");
	}
	kl_buf_printf(out, "\n}\n");
}

static bool is_first_of_group(const struct cli_command *const *c, size_t len)
{
	return c == cli_commands || strncmp(c[-1]->name, (*c)->name, len + 1) != 0;
}

/* The words after "klamm", and after the first word of each group. */
static void put_words(struct kl_buf *out)
{
	kl_buf_printf(out, "local -a _klamm_first=(\n");
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		size_t len = strcspn((*c)->name, " ");
		if ((*c)->name[len] == '\0') {
			kl_buf_printf(out, "\t'%s:", (*c)->name);
			put_text(out, (*c)->summary);
			kl_buf_printf(out, "'\n");
		} else if (is_first_of_group(c, len)) {
			kl_buf_printf(out, "\t'%.*s:commands of this group'\n", (int)len,
				      (*c)->name);
		}
	}
	kl_buf_printf(out, "\t'help:say what a command takes'\n)\n");
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		size_t len = strcspn((*c)->name, " ");
		if ((*c)->name[len] == '\0')
			continue;
		if (is_first_of_group(c, len))
			kl_buf_printf(out, "local -a _klamm_second_%.*s=(\n", (int)len,
				      (*c)->name);
		kl_buf_printf(out, "\t'%s:", (*c)->name + len + 1);
		put_text(out, (*c)->summary);
		kl_buf_printf(out, "'\n");
		if (c[1] == NULL || strncmp(c[1]->name, (*c)->name, len + 1) != 0)
			kl_buf_printf(out, ")\n");
	}
}

static void put_keys(struct kl_buf *out)
{
	KL_AUTO(kl_buf_free) struct kl_buf values = {0};
	const char *key;
	kl_buf_printf(out, "_klamm_key() {\n\tcompadd \"$@\" --");
	for (size_t i = 0; (key = cli_next_key(&i, &values)) != NULL;)
		kl_buf_printf(out, " \\\n\t\t%s", key);
	kl_buf_printf(out, "\n}\n_klamm_pair() {\n"
			   "	if ! compset -P 1 '*='; then\n"
			   "		_klamm_key \"$@\" -S =\n"
			   "		return\n"
			   "	fi\n"
			   "	case ${IPREFIX%%=} in\n");
	for (size_t i = 0; (key = cli_next_key(&i, &values)) != NULL;)
		if (values.len > 0)
			kl_buf_printf(out, "\t*%s) compadd \"$@\" -- %s ;;\n", key,
				      kl_buf_text(&values));
	kl_buf_printf(out, "\tesac\n}\n");
	out->failed |= values.failed;
}

void cli_complete_zsh(struct kl_buf *out)
{
	kl_buf_printf(out, "#compdef klamm\n"
			   "# Completion of klamm for zsh; see \"klamm completion\".\n"
			   "local -a _klamm_global=(\n");
	put_options(out, cli_global_options);
	kl_buf_printf(out, ")\n");
	put_words(out);
	put_keys(out);
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++)
		put_command(out, *c);
	kl_buf_printf(out, "%s", frame);
}
