/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm produce: records from standard input or files.
 *
 * One thread: it waits for input and for the loop at once, so records leave and are
 * acknowledged while the input is silent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/io.h"
#include "cli/reader.h"

struct options {
	const char *key, *codec;
	struct klamm_span separator, delimiter;
	struct cli_list headers, files;
	int32_t partition;
	int64_t timestamp_ms, count;
	bool empty_is_null, envelopes, keep_partition;
};

struct produce {
	const struct cli *cli;
	const struct options *options;
	const char *topic_name;
	struct klamm_loop *loop;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	struct cli_reader reader;
	struct cli_progress progress;
	const char **files;
	size_t file;   /* which of them is read */
	uint64_t line; /* of it, from 1 */
	uint64_t taken, failed;
};

/* A record's opaque is its place: which file, which line. Never NULL, as lines begin
 * at 1. */
#define LINE_BITS 48

static void *place_of(const struct produce *p)
{
	return (void *)(uintptr_t)((uint64_t)p->file << LINE_BITS | p->line);
}

static void tell(struct produce *p, const void *place, const char *what,
		 const char *why)
{
	uint64_t n = (uintptr_t)place;
	p->failed++;
	cli_progress_end(&p->progress);
	fprintf(stderr, "klamm: %s:%llu: %s: %s\n", p->files[n >> LINE_BITS],
		(unsigned long long)(n & ((1ull << LINE_BITS) - 1)), what, why);
}

static void on_delivery(void *arg, const struct klamm_delivery *d)
{
	struct produce *p = arg;
	if (d->error == 0)
		return;
	const char *what = d->outcome == KLAMM_OUTCOME_POSSIBLY_WRITTEN
				   ? "perhaps delivered, perhaps not"
				   : "not delivered";
	tell(p, d->opaque, what, d->text[0] ? d->text : klamm_err_text(d->error));
}

/* Is the error this record's alone? */
static bool is_of_record(int code)
{
	return code == KLAMM_ERR_RECORD_TOO_LARGE || code == KLAMM_ERR_PARTITION ||
	       code == KLAMM_ERR_SERIALIZE || code == KLAMM_ERR_LIMIT ||
	       code == KLAMM_ERR_INVALID_ARGUMENT;
}

/* Queue one record, for as long as it takes: a full buffer empties as batches are
 * acknowledged or expire. */
static int send_record(struct produce *p, const struct klamm_record *record)
{
	struct klamm_error err;
	for (;;) {
		int rc = klamm_producer_send(p->producer, p->topic, record, place_of(p),
					     &err);
		if (rc == 0)
			return 0;
		if (is_of_record(rc)) {
			tell(p, place_of(p), "not sent", err.text);
			return 0;
		}
		if (rc != KLAMM_ERR_QUEUE_FULL)
			return cli_error(&err);
		if (cli_interrupted())
			return CLI_INTERRUPTED;
		if (klamm_producer_poll(p->producer, 100, NULL, &err) != 0)
			return cli_error(&err);
	}
}

static bool is_enough(const struct produce *p)
{
	return p->options->count >= 0 && p->taken >= (uint64_t)p->options->count;
}

static int take_lines(struct produce *p, struct cli_lines *lines)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	struct klamm_span line;
	while (!is_enough(p) && cli_lines_next(lines, &line)) {
		char why[CLI_WHY];
		p->line++;
		p->taken++;
		if (!cli_reader_record(&p->reader, line, &record, why)) {
			tell(p, place_of(p), "not sent", why);
			continue;
		}
		int rc = send_record(p, &record);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Step the loop until there is input. A file on disk always has. */
static int wait_for_input(struct produce *p, int fd, bool on_disk)
{
	struct klamm_error err;
	for (;;) {
		if (klamm_producer_poll(p->producer, 0, NULL, &err) != 0)
			return cli_error(&err);
		if (on_disk)
			return 0;
		struct pollfd fds[] = {
			{.fd = fd, .events = POLLIN},
			{.fd = klamm_loop_fd(p->loop), .events = POLLIN},
		};
		int64_t ms = klamm_loop_timeout_ms(p->loop);
		int n = poll(fds, 2, ms < 0 ? -1 : (int)kl_min(ms, (int64_t)60000));
		if (cli_interrupted() || (n > 0 && fds[0].revents != 0))
			return 0;
		if (n < 0 && errno != EINTR)
			return cli_fail(CLI_FAILED, "cannot wait: %s", strerror(errno));
	}
}

static int read_lines(struct produce *p, int fd)
{
	struct stat st;
	bool on_disk = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	KL_AUTO(cli_lines_free) struct cli_lines lines;
	cli_lines_init(&lines, fd, p->options->delimiter);
	for (;;) {
		int rc = wait_for_input(p, fd, on_disk);
		if (rc != 0)
			return rc;
		if (cli_interrupted())
			return CLI_INTERRUPTED;
		int n = cli_lines_fill(&lines);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n < 0)
			return cli_fail(CLI_FAILED, "%s:%llu: cannot read: %s",
					p->files[p->file],
					(unsigned long long)p->line + 1,
					n == -EFBIG ? "a record of more than 1 GiB"
						    : strerror(-n));
		rc = take_lines(p, &lines);
		if (rc != 0 || n == 0 || is_enough(p))
			return rc;
		cli_progress(&p->progress, p->taken, "sent");
	}
}

static int read_files(struct produce *p)
{
	int rc = 0;
	if (p->options->files.n == 0)
		return read_lines(p, STDIN_FILENO);
	for (p->file = 0; rc == 0 && p->file < p->options->files.n && !is_enough(p);
	     p->file++) {
		const char *name = p->files[p->file];
		int fd = strcmp(name, "-") == 0 ? dup(STDIN_FILENO)
						: open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return cli_fail(CLI_USAGE, "%s: cannot open: %s", name,
					strerror(errno));
		p->line = 0;
		rc = read_lines(p, fd);
		close(fd);
	}
	return rc;
}

/* Whatever happened before, what was queued gets its outcome. */
static int finish(struct produce *p, int status)
{
	struct klamm_error err;
	if (klamm_producer_flush(p->producer, KLAMM_FOREVER, NULL, &err) != 0 &&
	    status == 0)
		status = cli_error(&err);
	cli_progress_end(&p->progress);
	if (status == 0 && cli_interrupted())
		status = CLI_INTERRUPTED;
	return status == 0 && p->failed > 0 ? CLI_FAILED : status;
}

static int run_producer(struct produce *p)
{
	struct klamm_error err;
	int32_t partitions;
	if (klamm_producer_on_delivery(p->producer, on_delivery, p, false, &err) != 0 ||
	    klamm_producer_topic(p->producer, p->topic_name, &p->topic, &err) != 0)
		return cli_error(&err);
	/* A wrong address or topic is told before any input is taken. */
	if (klamm_producer_partitions_for(p->producer, p->topic_name, &partitions,
					  &err) != 0)
		return cli_interrupted() ? CLI_INTERRUPTED : cli_error(&err);
	if (p->options->partition >= partitions)
		return cli_usage(p->cli, "-p %d: %s has %d partitions",
				 p->options->partition, p->topic_name, partitions);
	return finish(p, read_files(p));
}

static void wake(void *loop)
{
	klamm_loop_wake(loop);
}

static int with_producer(struct produce *p, const struct klamm_conf *conf)
{
	struct klamm_error err;
	if (klamm_loop_new(conf, &p->loop, &err) != 0)
		return cli_error(&err);
	int status;
	if (klamm_producer_new(conf, p->loop, &p->producer, &err) != 0) {
		status = cli_error(&err);
	} else {
		cli_catch_signals(wake, p->loop);
		status = run_producer(p);
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

static int set_up(struct produce *p, const struct klamm_conf *conf)
{
	const struct options *o = p->options;
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

static int check(const struct cli *cli, const struct options *o)
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

static int run_with(struct produce *p, struct klamm_conf *conf)
{
	struct klamm_error err;
	const char *codec = p->options->codec;
	if (codec != NULL && klamm_conf_set(conf, "compression.type", codec, &err) != 0)
		return cli_fail(CLI_USAGE, "-z %s", err.text);
	int status = set_up(p, conf);
	return status != 0 ? status : with_producer(p, conf);
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct produce p = {.cli = cli, .options = options, .topic_name = args->v[0]};
	struct klamm_conf *conf;
	int status = check(cli, options);
	if (status == 0)
		status = cli_client_conf(cli, &conf);
	if (status != 0)
		return status;
	status = run_with(&p, conf);
	cli_reader_free(&p.reader);
	free(p.reader.headers);
	klamm_conf_free(conf);
	return status;
}

#define AT(member) offsetof(struct options, member)

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
	{0},
};

static const struct options defaults = {
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
		 "status is then 1.\n",
	.options = rows,
	.defaults = &defaults,
	.size = sizeof(struct options),
	.run = run,
};
