/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm topic delete-records */
#include <stdlib.h>

#include "cli/io.h"
#include "cli/session.h"
#include "cli/table.h"
#include "core/base/text.h"

struct options {
	const char *before;
	struct cli_list partitions;
	bool json;
};

/* What is to be deleted, and what became of it. */
struct deletions {
	struct klamm_record_deletion *list;
	struct klamm_error *errors;
	size_t count;
};

static void add(struct deletions *d, const char *topic, int32_t partition, int64_t before)
{
	struct klamm_record_deletion *list =
		reallocarray(d->list, d->count + 1, sizeof(*list));
	if (list == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	d->list = list;
	list[d->count++] = (struct klamm_record_deletion){
		.size = sizeof(*list),
		.topic = topic,
		.partition = partition,
		.before = before,
		.low_watermark = -1,
	};
}

/* "-o end" or "-o 1234" */
static int parse_before(const struct cli *cli, const char *text, int64_t *before_out)
{
	*before_out = -1;
	if (text == NULL)
		return cli_usage(cli, "-o is missing: which records are to go?");
	if (strcmp(text, "end") == 0 || cli_number(text, 0, INT64_MAX, before_out))
		return CLI_OK;
	return cli_usage(cli, "-o %s: must be an offset, or end", text);
}

static int add_listed(const struct cli *cli, const struct options *o, const char *topic,
		      int64_t before, struct deletions *d)
{
	for (size_t i = 0; i < o->partitions.n; i++) {
		int64_t partition;
		if (!cli_number(o->partitions.v[i], 0, INT32_MAX, &partition))
			return cli_usage(cli, "-p %s: must be a partition",
					 o->partitions.v[i]);
		add(d, topic, (int32_t)partition, before);
	}
	return CLI_OK;
}

/* All partitions of the topics that are there; the others are told. */
static int add_all(struct cli_session *s, const struct cli_list *topics, int64_t before,
		   struct deletions *d, struct klamm_topic_list **list_out)
{
	struct klamm_error err;
	if (klamm_admin_describe_topics(s->admin, topics->v, topics->n, s->timeout_ms,
					list_out, &err) != 0)
		return cli_error(&err);
	int status = CLI_OK;
	for (size_t i = 0; i < (*list_out)->count; i++) {
		const struct klamm_topic_description *t = (*list_out)->topics[i];
		if (t->error != 0)
			status = cli_fail(CLI_FAILED, "topic %s: %s", t->name,
					  klamm_err_text(t->error));
		for (size_t k = 0; k < t->partition_count; k++)
			add(d, t->name, t->partitions[k]->partition, before);
	}
	return status;
}

/* --- what became of it --- */

static void print_json(const struct klamm_record_deletion *d, const struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf line = {0};
	kl_buf_printf(&line, "{\"topic\":");
	kl_buf_json_bytes(&line, d->topic, strlen(d->topic));
	kl_buf_printf(&line, ",\"partition\":%d,\"low_watermark\":%lld", d->partition,
		      (long long)d->low_watermark);
	if (err->code == 0) {
		kl_buf_printf(&line, ",\"error\":null");
	} else {
		kl_buf_printf(&line,
			      ",\"error\":\"%s\",\"text\":", klamm_err_name(err->code));
		kl_buf_json_bytes(&line, err->text, strlen(err->text));
	}
	cli_print(&line, "}\n");
}

static void print_table(const struct cli *cli, const struct deletions *d)
{
	struct cli_table table = {.columns = 3};
	if (!cli->quiet) {
		cli_cell(&table, "TOPIC");
		cli_cell(&table, "PARTITION");
		cli_cell(&table, "START");
	}
	for (size_t i = 0; i < d->count; i++) {
		if (d->errors[i].code != 0)
			continue;
		cli_cell(&table, "%s", d->list[i].topic);
		cli_cell(&table, "%d", d->list[i].partition);
		cli_cell(&table, "%lld", (long long)d->list[i].low_watermark);
	}
	cli_table_print(&table, "");
	cli_table_free(&table);
}

/* A failure of the whole call is every partition's, but told once. */
static int tell(const struct cli *cli, const struct deletions *d, bool json)
{
	int status = CLI_OK;
	size_t good = 0;
	for (size_t i = 0; i < d->count; i++) {
		const struct klamm_error *err = &d->errors[i];
		if (json)
			print_json(&d->list[i], err);
		good += err->code == 0;
		if (err->code == 0)
			continue;
		if (i == 0 || strcmp(err->text, d->errors[i - 1].text) != 0)
			cli_error(err);
		int of_this = err->stage == KLAMM_STAGE_API ? CLI_FAILED
							    : cli_error_status(err);
		status = kl_max(status, of_this);
	}
	if (!json && good > 0)
		print_table(cli, d);
	return status;
}

static int delete_all(const struct cli *cli, struct cli_session *s, struct deletions *d,
		      bool json)
{
	d->errors = cli_alloc(d->count * sizeof(*d->errors));
	klamm_admin_delete_records(s->admin, d->list, d->count, s->timeout_ms, d->errors,
				   NULL);
	return tell(cli, d, json);
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct options *o = options;
	struct deletions d = {0};
	struct cli_session s = {0};
	struct klamm_topic_list *topics = NULL;
	int64_t before;
	int status = parse_before(cli, o->before, &before);
	for (size_t i = 0; i < args->n && status == CLI_OK; i++)
		status = add_listed(cli, o, args->v[i], before, &d);
	if (status == CLI_OK)
		status = cli_session_open(cli, &s);
	if (status == CLI_OK && o->partitions.n == 0)
		status = add_all(&s, args, before, &d, &topics);
	if (s.admin != NULL && d.count > 0) {
		int told = delete_all(cli, &s, &d, o->json);
		status = kl_max(status, told);
	}
	klamm_topic_list_free(topics);
	cli_session_close(&s);
	free(d.list);
	free(d.errors);
	return status;
}

#define AT(member) offsetof(struct options, member)

static const struct cli_option rows[] = {
	{'o', "before", "OFFSET|end", CLI_TEXT, AT(before), 0, 0,
	 "delete what is below this offset, or everything"},
	{'p', "partition", "N", CLI_LIST, AT(partitions), 0, 0,
	 "of this partition, instead of all; may be repeated"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0,
	 "print each result as a JSON object"},
	{0},
};

const struct cli_command cli_topic_delete_records = {
	.name = "topic delete-records",
	.args = "TOPIC...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "delete the oldest records of topics",
	.about = "-q leaves the heading out.\n",
	.options = rows,
	.size = sizeof(struct options),
	.run = run,
};
