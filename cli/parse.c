/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the command line into options and arguments, by the table.
 *
 * The rules are getopt's: -p3, -p 3, -qe, --partition=3, --partition 3, and -- before
 * words that begin with a dash. Options may stand before, between and after the other
 * words; a command's own only after its name. A name of two words ("topic create")
 * stays together.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

struct parser {
	struct cli *cli;
	char **words, **end;
	void *options; /* of the command */
	struct cli_list args;
};

/* The rows that count now: the command's first, then the global ones. */
static const struct cli_option *find_option(const struct parser *p, char letter,
					    const char *name, size_t len,
					    void **base_out)
{
	const struct cli_option *tables[] = {
		p->cli->command != NULL ? p->cli->command->options : NULL,
		cli_global_options,
	};
	void *const bases[] = {p->options, p->cli};
	for (size_t t = 0; t < kl_countof(tables); t++)
		for (const struct cli_option *o = tables[t]; o && o->name; o++)
			if (name != NULL ? strlen(o->name) == len &&
						   !memcmp(o->name, name, len)
					 : o->letter == letter) {
				*base_out = bases[t];
				return o;
			}
	return NULL;
}

static int store_number(const struct cli *cli, const struct cli_option *o, void *at,
			const char *shown, const char *text)
{
	int64_t n;
	if (!cli_number(text, o->min, o->max, &n)) {
		if (o->max == INT64_MAX ||
		    (o->type == CLI_INT32 && o->max == INT32_MAX))
			return cli_usage(cli, "%s %s: must be a number from %lld on",
					 shown, text, (long long)o->min);
		return cli_usage(cli, "%s %s: must be a number, %lld..%lld", shown,
				 text, (long long)o->min, (long long)o->max);
	}
	if (o->type == CLI_INT32)
		*(int32_t *)at = (int32_t)n;
	else
		*(int64_t *)at = n;
	return 0;
}

static int store(const struct cli *cli, const struct cli_option *o, void *base,
		 const char *shown, const char *text)
{
	void *at = (char *)base + o->offset;
	switch (o->type) {
	case CLI_FLAG:
		*(bool *)at = true;
		return 0;
	case CLI_COUNT:
		++*(int32_t *)at;
		return 0;
	case CLI_TEXT:
		*(const char **)at = text;
		return 0;
	case CLI_LIST:
		cli_list_add(at, text);
		return 0;
	case CLI_BYTES:
		if (text[0] == '\0')
			return cli_usage(cli, "%s must not be empty", shown);
		*(struct klamm_span *)at = cli_unescape(text);
		return 0;
	default:
		return store_number(cli, o, at, shown, text);
	}
}

static int unknown_long(const struct parser *p, const char *name, size_t len)
{
	const char *names[128];
	size_t n = 0;
	const struct cli_option *tables[] = {
		p->cli->command != NULL ? p->cli->command->options : NULL,
		cli_global_options,
	};
	for (size_t t = 0; t < kl_countof(tables); t++)
		for (const struct cli_option *o = tables[t]; o && o->name; o++)
			if (n < kl_countof(names))
				names[n++] = o->name;
	char word[64];
	snprintf(word, sizeof(word), "%.*s", (int)kl_min(len, sizeof(word) - 1), name);
	const char *near = cli_nearest(word, names, n);
	if (near != NULL)
		return cli_usage(p->cli, "--%s: no such option; did you mean --%s?",
				 word, near);
	return cli_usage(p->cli, "--%s: no such option", word);
}

static int parse_long(struct parser *p, const char *word)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	void *base;
	const struct cli_option *o = find_option(p, 0, name, len, &base);
	if (o == NULL)
		return unknown_long(p, name, len);
	char shown[64];
	snprintf(shown, sizeof(shown), "--%s", o->name);
	if (o->arg == NULL && value != NULL)
		return cli_usage(p->cli, "%s takes no value", shown);
	if (o->arg != NULL && value == NULL) {
		if (p->words == p->end)
			return cli_usage(p->cli, "%s needs a value: %s", shown, o->arg);
		value = *p->words++;
	}
	return store(p->cli, o, base, shown, value);
}

static int parse_letters(struct parser *p, const char *word)
{
	for (const char *c = word + 1; *c != '\0'; c++) {
		char shown[] = {'-', *c, '\0'};
		void *base;
		const struct cli_option *o = find_option(p, *c, NULL, 0, &base);
		if (o == NULL)
			return cli_usage(p->cli, "-%c: no such option", *c);
		if (o->arg == NULL) {
			int rc = store(p->cli, o, base, shown, NULL);
			if (rc != 0)
				return rc;
			continue;
		}
		const char *value = c + 1;
		if (*value == '\0') {
			if (p->words == p->end)
				return cli_usage(p->cli, "-%c needs a value: %s", *c,
						 o->arg);
			value = *p->words++;
		}
		return store(p->cli, o, base, shown, value);
	}
	return 0;
}

static void choose(struct parser *p, const struct cli_command *command)
{
	p->cli->command = command;
	p->options = cli_alloc(command->size);
	if (command->defaults != NULL)
		memcpy(p->options, command->defaults, command->size);
}

static int unknown_command(const struct parser *p, const char *word)
{
	const char *group = p->cli->group;
	char wanted[96], firsts[64][32];
	const char *names[64];
	size_t n = 0;
	if (group != NULL)
		snprintf(wanted, sizeof(wanted), "%s %s", group, word);
	else
		snprintf(wanted, sizeof(wanted), "%s", word);
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		if (n == kl_countof(names))
			break;
		size_t len =
			group != NULL ? strlen((*c)->name) : strcspn((*c)->name, " ");
		snprintf(firsts[n], sizeof(firsts[n]), "%.*s", (int)len, (*c)->name);
		names[n] = firsts[n];
		n++;
	}
	const char *near = cli_nearest(wanted, names, n);
	if (near != NULL)
		return cli_usage(p->cli, "%s: no such command; did you mean %s?", word,
				 near);
	return cli_usage(p->cli, "%s: no such command", word);
}

/* A word that is no option while the command is not known yet. */
static int parse_command(struct parser *p, const char *word)
{
	const char *group = p->cli->group;
	size_t len = strlen(word), group_len = group ? strlen(group) : 0;
	if (group == NULL && strcmp(word, "help") == 0) { /* klamm help topic create */
		p->cli->help = true;
		return 0;
	}
	for (const struct cli_command *const *c = cli_commands; *c != NULL; c++) {
		const char *name = (*c)->name;
		if (group != NULL) {
			if (strncmp(name, group, group_len) != 0 ||
			    name[group_len] != ' ')
				continue;
			name += group_len + 1;
		}
		if (strcmp(name, word) == 0) {
			choose(p, *c);
			return 0;
		}
		if (group == NULL && strncmp(name, word, len) == 0 &&
		    name[len] == ' ') {
			p->cli->group = word;
			return 0;
		}
	}
	return unknown_command(p, word);
}

static int parse_words(struct parser *p)
{
	bool options = true;
	while (p->words < p->end) {
		const char *word = *p->words++;
		int rc = 0;
		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (options && strncmp(word, "--", 2) == 0)
			rc = parse_long(p, word);
		else if (options && word[0] == '-' && word[1] != '\0')
			rc = parse_letters(p, word);
		else if (p->cli->command == NULL)
			rc = parse_command(p, word);
		else
			cli_list_add(&p->args, word);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int check_args(const struct cli *cli, const struct cli_list *args)
{
	const struct cli_command *c = cli->command;
	if (args->n > c->max_args)
		return cli_usage(cli, "%s: one word too many", args->v[c->max_args]);
	if (args->n >= c->min_args)
		return 0;
	/* The first word of "KIND NAME", "TOPIC..." that is not there. */
	const char *word = c->args;
	for (size_t i = 0; i < args->n; i++)
		word += strcspn(word, " ") + 1;
	return cli_usage(cli, "%.*s is missing", (int)strcspn(word, " ."), word);
}

int cli_parse(struct cli *cli, int argc, char **argv, void **options_out,
	      struct cli_list *args_out)
{
	struct parser p = {
		.cli = cli,
		.words = argv + kl_min(argc, 1),
		.end = argv + argc,
	};
	int rc = parse_words(&p);
	*options_out = p.options;
	*args_out = p.args;
	if (rc != 0)
		return rc;
	if (cli->help || cli->version)
		return 0;
	if (cli->command == NULL)
		return cli_usage(cli, cli->group ? "a second word is missing"
						 : "no command");
	return check_args(cli, args_out);
}
