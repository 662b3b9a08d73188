/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm plugin check: the conformance kit, as TAP. */
#include <stdio.h>

#include "cli/cli.h"
#include "kit/kit.h"

struct check_options {
	int32_t limit_s;
};

/* TAP's comments, line by line. */
static void print_comment(const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		printf("# %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void print_verdict(void *arg, const struct kit_check *check,
			  const struct kit_verdict *verdict)
{
	unsigned *count = arg;
	printf("%sok %u - %s", verdict->result == KIT_BAD ? "not " : "", ++*count,
	       check->name);
	if (verdict->result == KIT_SKIPPED)
		printf(" # SKIP %s", verdict->text);
	printf("\n");
	if (verdict->result == KIT_BAD)
		print_comment(verdict->text);
	print_comment(verdict->output);
	fflush(stdout);
}

static int run_check(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct check_options *o = options;
	struct kit_subject subject = {.file = args->v[1], .limit_ms = o->limit_s * 1000};
	if (!cli_kind(cli, args->v[0], &subject.kind))
		return CLI_USAGE;
	struct klamm_conf *conf;
	int status = cli_conf(cli, &conf);
	if (status != 0)
		return status;
	subject.conf = conf;
	unsigned count = 0;
	printf("1..%u\n", kit_count(subject.kind));
	unsigned bad = kit_run_all(&subject, print_verdict, &count);
	klamm_conf_free(conf);
	return bad > 0 ? CLI_FAILED : CLI_OK;
}

static const struct cli_option check_rows[] = {
	{0, "limit", "SECONDS", CLI_INT32, offsetof(struct check_options, limit_s), 1, 3600,
	 "how long one check may take before it counts as hanging (60)"},
	{0},
};

static const struct check_options check_defaults = {.limit_s = KIT_LIMIT_MS / 1000};

const struct cli_command cli_plugin_check = {
	.name = "plugin check",
	.args = "KIND FILE.so",
	.min_args = 2,
	.max_args = 2,
	.summary = "check that a plugin keeps the contract of its kind",
	.about = "Each check runs in a process of its own and is one line of TAP; what is "
		 "wrong follows\n"
		 "as a sentence. Set the options that the plugin needs with -X.\n",
	.options = check_rows,
	.defaults = &check_defaults,
	.size = sizeof(struct check_options),
	.run = run_check,
};
