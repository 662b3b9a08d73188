/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm plugin new: the beginning of a plugin, from the files of cli/skeleton/, which the
 * build turns into texts of this program. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/skeleton.h"
#include "core/base/buf.h"
#include "core/plugin.h"

#define NAME_MAX_LEN 40

static const struct {
	const char *source, *key;
} kinds[] = {
	[KLAMM_KIND_CODEC] = {skeleton_codec, "compression.type"},
	[KLAMM_KIND_PARTITIONER] = {skeleton_partitioner, "partitioner.class"},
	[KLAMM_KIND_ASSIGNOR] = {skeleton_assignor, "partition.assignment.strategy"},
	[KLAMM_KIND_SASL] = {skeleton_sasl, "sasl.mechanism"},
	[KLAMM_KIND_SERIALIZER] = {skeleton_serializer, "value.serializer"},
	[KLAMM_KIND_METRICS] = {skeleton_metrics, "metric.reporters"},
};

struct plan {
	int32_t kind;
	const char *name;
	char wire[NAME_MAX_LEN + 1]; /* as a SASL mechanism is called: "MY-NAME" */
	char folder[100];
};

static void put_word(const struct plan *plan, const char *word, size_t len, struct kl_buf *out)
{
	const struct {
		const char *word, *text;
	} words[] = {
		{"KIND", kl_kind_word(plan->kind)},
		{"NAME", plan->name},
		{"WIRE", plan->wire},
		{"KEY", kinds[plan->kind].key},
	};
	for (size_t i = 0; i < kl_countof(words); i++)
		if (strlen(words[i].word) == len && memcmp(words[i].word, word, len) == 0)
			kl_buf_printf(out, "%s", words[i].text);
}

/* @NAME@ and the like are replaced. */
static void expand(const struct plan *plan, const char *text, struct kl_buf *out)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "@");
		kl_buf_put(out, text, n);
		text += n;
		if (*text == '\0')
			return;
		n = strspn(++text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (n > 0 && text[n] == '@') {
			put_word(plan, text, n, out);
			text += n + 1;
		} else {
			kl_buf_put(out, "@", 1);
		}
	}
}

static int write_file(const struct plan *plan, const char *file, const char *text)
{
	char path[250];
	KL_AUTO(kl_buf_free) struct kl_buf out = {0};
	snprintf(path, sizeof(path), "%s/%s", plan->folder, file);
	expand(plan, text, &out);
	if (out.failed)
		return cli_fail(CLI_FAILED, "out of memory");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool good = f != NULL && fwrite(out.data, 1, out.len, f) == out.len;
	if (f != NULL && fclose(f) != 0)
		good = false;
	if (!good)
		return cli_fail(CLI_FAILED, "cannot write %s: %s", path, strerror(errno));
	printf("%s\n", path);
	return CLI_OK;
}

static int parse_name(const struct cli *cli, const char *name, struct plan *plan)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (n == 0 || name[n] != '\0' || n > NAME_MAX_LEN)
		return cli_usage(cli, "%s: a name is made of 1 to %d of a-z, 0-9 and _", name,
				 NAME_MAX_LEN);
	plan->name = name;
	for (size_t i = 0; i < n; i++)
		plan->wire[i] = name[i] == '_' ? '-' : (char)toupper(name[i]);
	snprintf(plan->folder, sizeof(plan->folder), "%s_%s", kl_kind_word(plan->kind), name);
	return 0;
}

static int run_new(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct plan plan = {0};
	if (!cli_kind(cli, args->v[0], &plan.kind))
		return CLI_USAGE;
	int status = parse_name(cli, args->v[1], &plan);
	if (status != 0)
		return status;
	if (mkdir(plan.folder, 0755) != 0)
		return cli_fail(CLI_FAILED, "cannot make the folder %s: %s", plan.folder,
				strerror(errno));
	char source[120];
	snprintf(source, sizeof(source), "%s.c", plan.folder);
	status = write_file(&plan, source, kinds[plan.kind].source);
	if (status == 0)
		status = write_file(&plan, "Makefile", skeleton_Makefile);
	if (status == 0)
		status = write_file(&plan, "doc.md", skeleton_doc);
	return status;
}

const struct cli_command cli_plugin_new = {
	.name = "plugin new",
	.args = "KIND NAME",
	.min_args = 2,
	.max_args = 2,
	.summary = "write the beginning of a plugin, which compiles and passes its check",
	.about = "Makes the folder KIND_NAME with a source file, a Makefile and doc.md; their "
		 "names go to\n"
		 "stdout. `make check` in it compiles against the installed headers and runs "
		 "klamm plugin\n"
		 "check.\n",
	.run = run_new,
};
