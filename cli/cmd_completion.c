/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm completion */
#include "cli/completion.h"

#include "cli/io.h"
#include "core/conf/table.h"

static const struct {
	const char *placeholder;
	enum cli_fill fill;
	const char *words;
} fills[] = {
	{"FILE", CLI_FILL_FILES, NULL},
	{"KEY", CLI_FILL_KEYS, NULL},
	{"ROLE", CLI_FILL_WORDS, "producer consumer admin"},
	{"CLIENT", CLI_FILL_WORDS, "common producer consumer admin"},
	{"KIND", CLI_FILL_WORDS, "codec partitioner assignor sasl serializer metrics"},
	{"CODEC", CLI_FILL_WORDS, "none gzip snappy lz4 zstd"},
	{"PLACE", CLI_FILL_WORDS, "start end"},
	{"SHELL", CLI_FILL_WORDS, "bash zsh"},
};

static enum cli_fill find(const char *placeholder, size_t len, const char **words_out)
{
	for (size_t i = 0; i < kl_countof(fills); i++) {
		if (strlen(fills[i].placeholder) != len ||
		    memcmp(fills[i].placeholder, placeholder, len) != 0)
			continue;
		*words_out = fills[i].words;
		return fills[i].fill;
	}
	return CLI_FILL_NOTHING;
}

enum cli_fill cli_fill_of_option(const struct cli_option *option, const char **words_out)
{
	/* One KEY=VALUE has keys of ours, another a topic's, and KEY is a record's. */
	if (strcmp(option->name, "set") == 0)
		return CLI_FILL_PAIRS;
	if (option->arg == NULL || strcmp(option->arg, "KEY") == 0)
		return CLI_FILL_NOTHING;
	return find(option->arg, strlen(option->arg), words_out);
}

enum cli_fill cli_fill_of_args(const struct cli_command *command, const char **words_out)
{
	const char *first = command->args + (command->args[0] == '[');
	return find(first, strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), words_out);
}

/* Words that a value may be, when they are few. */
static void put_values(const struct kl_conf_row *row, struct kl_buf *values)
{
	const struct klamm_option *o = &row->option;
	values->len = 0; /* but a failure stays one */
	if (o->type == KLAMM_OPTION_BOOL)
		kl_buf_printf(values, "true false");
	else if (o->range == NULL || strchr(o->range, '|') == NULL)
		return;
	for (const char *p = o->range; o->type != KLAMM_OPTION_BOOL && *p != '\0';) {
		size_t len = strcspn(p, "|");
		if (memmem(p, len, "..", 2) == NULL && memchr(p, ':', len) == NULL)
			kl_buf_printf(values, "%s%.*s", values->len ? " " : "", (int)len, p);
		p += len + (p[len] == '|');
	}
}

const char *cli_next_key(size_t *i, struct kl_buf *values)
{
	const struct kl_conf_row *row;
	while ((row = kl_conf_row((*i)++)) != NULL) {
		if (row->status != KL_STATUS_WORKS)
			continue;
		put_values(row, values);
		return row->option.name;
	}
	return NULL;
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	KL_AUTO(kl_buf_free) struct kl_buf out = {0};
	if (strcmp(args->v[0], "bash") == 0)
		cli_complete_bash(&out);
	else if (strcmp(args->v[0], "zsh") == 0)
		cli_complete_zsh(&out);
	else
		return cli_usage(cli, "%s: must be bash or zsh", args->v[0]);
	cli_print(&out, "");
	return CLI_OK;
}

const struct cli_command cli_completion = {
	.name = "completion",
	.args = "SHELL",
	.min_args = 1,
	.max_args = 1,
	.summary = "print what makes a shell complete words of klamm",
	.about = "SHELL is bash or zsh. An installation has both files in place already; "
		 "without one:\n"
		 "  . <(klamm completion bash)\n",
	.run = run,
};
