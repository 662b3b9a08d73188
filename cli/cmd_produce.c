/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm produce: its options, and what they configure. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/produce.h"

static int with_producer(struct cli_produce *p, const struct klamm_conf *conf)
{
	struct klamm_error err;
	if (klamm_loop_new(conf, &p->loop, &err) != 0)
		return cli_error(&err);
	int status;
	if (klamm_producer_new(conf, p->loop, &p->producer, &err) != 0) {
		status = cli_error(&err);
	} else {
		status = cli_produce_run(p);
		cli_release_signals();
		klamm_topic_unref(p->topic);
		klamm_producer_close(p->producer, 0, NULL);
	}
	klamm_loop_free(p->loop);
	return status;
}

static int parse_headers(const struct cli *cli, const struct cli_list *list,
			 struct cli_reader *reader)
{
	reader->headers = cli_alloc(list->n * sizeof(*reader->headers));
	for (size_t i = 0; i < list->n; i++) {
		const char *text = list->v[i], *equal = strchr(text, '=');
		if (equal == text)
			return cli_usage(cli, "-H %s: a header needs a name", text);
		/* Without an equals sign the value is null. */
		size_t len = equal != NULL ? (size_t)(equal - text) : strlen(text);
		reader->headers[i].name = (struct klamm_span){text, len};
		if (equal != NULL)
			reader->headers[i].value =
				(struct klamm_span){equal + 1, strlen(equal + 1)};
	}
	reader->header_count = list->n;
	return 0;
}

static int set_up(struct cli_produce *p, const struct klamm_conf *conf)
{
	const struct cli_produce_options *o = p->options;
	struct cli_reader *r = &p->reader;
	r->key_form = cli_form_of(klamm_conf_get(conf, "key.serializer"));
	r->value_form = cli_form_of(klamm_conf_get(conf, "value.serializer"));
	r->envelopes = o->envelopes;
	r->keep_partition = o->keep_partition;
	r->empty_is_null = o->empty_is_null;
	r->separator = o->separator;
	r->key = o->key;
	r->timestamp_ms = o->timestamp_ms;
	r->partition = o->partition;
	static const char *standard_input[] = {"stdin"};
	p->files = o->files.n > 0 ? o->files.v : standard_input;
	p->progress.on = cli_may_chat(p->cli) && !isatty(STDIN_FILENO);
	return parse_headers(p->cli, &o->headers, r);
}

static int check(const struct cli *cli, const struct cli_produce_options *o)
{
	if (o->envelopes && (o->separator.data != NULL || o->key != NULL))
		return cli_usage(cli,
				 "--json lines hold their keys: no -K or -k with it");
	if (o->keep_partition && !o->envelopes)
		return cli_usage(cli, "--keep-partition goes with --json");
	if (o->separator.data != NULL && o->key != NULL)
		return cli_usage(cli, "-K and -k exclude each other");
	/* Before any broker is asked. */
	for (size_t i = 0; i < o->files.n; i++)
		if (strcmp(o->files.v[i], "-") != 0 && access(o->files.v[i], R_OK) != 0)
			return cli_fail(CLI_USAGE, "%s: cannot open: %s", o->files.v[i],
					strerror(errno));
	return 0;
}

static int run_with(struct cli_produce *p, struct klamm_conf *conf)
{
	struct klamm_error err;
	const char *codec = p->options->codec;
	if (codec != NULL && klamm_conf_set(conf, "compression.type", codec, &err) != 0)
		return cli_fail(CLI_USAGE, "-z %s", err.text);
	int rc = cli_txn_configure(conf, p->options->transactional_id, &p->transactional);
	if (rc != 0)
		return rc;
	if (p->options->commit_every > 0 && !p->transactional)
		return cli_usage(p->cli, "--commit-every goes with --transactional-id");
	int status = set_up(p, conf);
	return status != 0 ? status : with_producer(p, conf);
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct cli_produce p = {.cli = cli, .options = options, .topic_name = args->v[0],
			      .out = {.fd = STDOUT_FILENO, .must_be_read = true}};
	struct klamm_conf *conf;
	int status = check(cli, options);
	if (status == 0)
		status = cli_client_conf(cli, &conf);
	if (status != 0)
		return status;
	status = cli_out_end(&p.out, run_with(&p, conf));
	kl_buf_free(&p.why);
	cli_reader_free(&p.reader);
	free(p.reader.headers);
	klamm_conf_free(conf);
	return status;
}

#define AT(member) offsetof(struct cli_produce_options, member)

static const struct cli_option rows[] = {
	{'K', "key-separator", "SEP", CLI_BYTES, AT(separator), 0, 0,
	 "a line is KEY SEP VALUE; one without SEP has no key"},
	{'k', "key", "KEY", CLI_TEXT, AT(key), 0, 0, "the same key for every record"},
	{'H', "header", "NAME=VALUE", CLI_LIST, AT(headers), 0, 0,
	 "a header for every record; NAME alone has a null value"},
	{'p', "partition", "N", CLI_INT32, AT(partition), 0, INT32_MAX,
	 "send to this partition instead of asking the partitioner"},
	{'t', "timestamp", "MS", CLI_INT64, AT(timestamp_ms), 0, INT64_MAX,
	 "milliseconds since 1970 instead of now"},
	{'z', "codec", "CODEC", CLI_TEXT, AT(codec), 0, 0,
	 "compress: gzip, snappy, lz4, zstd (compression.type)"},
	{'Z', "null", NULL, CLI_FLAG, AT(empty_is_null), 0, 0,
	 "an empty value or key is null"},
	{'D', "delimiter", "BYTES", CLI_BYTES, AT(delimiter), 0, 0,
	 "what ends a record, instead of \\n"},
	{'l', "file", "FILE", CLI_LIST, AT(files), 0, 0,
	 "read FILE instead of standard input; may be repeated, - is standard input"},
	{'J', "json", NULL, CLI_FLAG, AT(envelopes), 0, 0,
	 "a line is a JSON object as klamm consume --json prints it"},
	{0, "keep-partition", NULL, CLI_FLAG, AT(keep_partition), 0, 0,
	 "with --json: send to the partition that the line names"},
	{'n', "count", "COUNT", CLI_INT64, AT(count), 0, INT64_MAX,
	 "stop after so many records"},
	{0, "transactional-id", "ID", CLI_TEXT, AT(transactional_id), 0, 0,
	 "in transactions of this name: all records, or none (transactional.id)"},
	{0, "commit-every", "N", CLI_INT64, AT(commit_every), 1, INT64_MAX,
	 "a transaction for every N records, rather than one for all"},
	{0, "report", NULL, CLI_FLAG, AT(report), 0, 0,
	 "print what became of each record as a JSON object a line"},
	{0},
};

static const struct cli_produce_options defaults = {
	.delimiter = {"\n", 1},
	.partition = KLAMM_PARTITION_NONE,
	.timestamp_ms = KLAMM_TIMESTAMP_NOW,
	.count = -1,
};

const struct cli_command cli_produce = {
	.name = "produce",
	.args = "TOPIC",
	.min_args = 1,
	.max_args = 1,
	.summary = "send records, one per line of standard input",
	.about = "A line without its end at the end of the input is a record too. With "
		 "key.serializer or\n"
		 "value.serializer string or bytes the text itself goes through the "
		 "serializer; with any\n"
		 "other the text is read as JSON, and the value that it says goes "
		 "through it.\n\n"
		 "A record that is not delivered is told with its line; the exit "
		 "status is then 1.\n"
		 "In a transaction it is the end: what is open is aborted, and what is "
		 "committed is told.\n",
	.options = rows,
	.defaults = &defaults,
	.size = sizeof(struct cli_produce_options),
	.run = run,
};
