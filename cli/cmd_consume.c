/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm consume: records of partitions to standard output, those that the command line says or
 * those that a group assigns. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/consume.h"
#include "cli/reader.h"
#include "core/conf/conf.h"

/* --- reading --- */

/* Has the partition been read up to where it ended when we began? The position says so
 * even when the last offsets hold no record (transaction markers, compaction). */
static void check_end(struct cli_consume *c, struct cli_consume_part *part)
{
	int64_t position;
	if (part->done || !c->options->exit_at_end ||
	    klamm_consumer_position(c->consumer, part->topic, part->partition, 0, &position,
				    NULL) != 0 ||
	    position < part->end)
		return;
	part->done = true;
	c->parts_open--;
	klamm_consumer_pause(c->consumer, part->topic, part->partition, true, NULL);
}

static bool is_enough(const struct cli_consume *c)
{
	return (c->options->count >= 0 && c->printed >= (uint64_t)c->options->count) ||
	       cli_out_broken(&c->out) || cli_interrupted() || c->status != 0 ||
	       (c->options->exit_at_end && cli_consume_at_end(c));
}

static void print_record(struct cli_consume *c, struct cli_consume_part *part,
			 struct klamm_batch *batch, const struct klamm_record_view *view)
{
	struct klamm_error err;
	if (cli_format_record(&c->format, batch, view, &c->out.buf, &err) != 0 &&
	    !cli_consume_dead(c, view, &err))
		return;
	c->printed++;
	if (part != NULL)
		cli_consume_printed(c, part, view);
	cli_out_check(&c->out);
}

static int print_batch(struct cli_consume *c, struct klamm_batch *batch)
{
	struct cli_consume_part *part =
		cli_consume_find(c, klamm_batch_topic(batch), klamm_batch_partition(batch));
	struct klamm_record_view view;
	int rc = 1;
	cli_format_batch(&c->format, klamm_batch_topic(batch),
			 klamm_batch_partition(batch));
	while (!is_enough(c) && (rc = klamm_batch_next(batch, &view)) == 1) {
		if (c->options->exit_at_end && part != NULL && view.offset >= part->end)
			break;
		print_record(c, part, batch, &view);
	}
	if (rc < 0)
		return cli_fail(CLI_FAILED, "%s [%d]: %s", klamm_batch_topic(batch),
				klamm_batch_partition(batch), klamm_err_text(rc));
	if (part != NULL && rc == 0)
		cli_consume_printed(c, part, NULL);
	if (part != NULL)
		check_end(c, part);
	return 0;
}

/* A batch that is there, or else what was printed goes out before the wait. */
static int next_batch(struct cli_consume *c, struct klamm_batch **batch_out,
		      struct klamm_error *err)
{
	*batch_out = NULL;
	int rc = klamm_consumer_poll(c->consumer, 0, batch_out, err);
	if (rc != 0 || *batch_out != NULL)
		return rc;
	cli_consume_flush(c);
	cli_consume_commit_due(c);
	for (size_t i = 0; i < c->part_count; i++)
		check_end(c, &c->parts[i]);
	if (cli_out_abandoned(&c->out) || is_enough(c))
		return 0;
	return klamm_consumer_poll(c->consumer, c->options->exit_at_end ? 100 : 1000,
				   batch_out, err);
}

static int read_records(struct cli_consume *c)
{
	while (!is_enough(c)) {
		struct klamm_batch *batch;
		struct klamm_error err;
		int rc = next_batch(c, &batch, &err);
		if (rc == KLAMM_ERR_INTERRUPTED)
			continue;
		if (rc != 0) {
			cli_consume_flush(c);
			int status = cli_error(&err);
			/* It goes on by itself, or never will. */
			if (!klamm_err_retriable(rc))
				return status;
		}
		if (batch == NULL)
			continue;
		int status = print_batch(c, batch);
		klamm_batch_unref(batch);
		if (status != 0)
			return status;
		cli_progress(&c->progress, c->printed, "read");
		cli_consume_commit_due(c);
	}
	if (c->status != 0)
		return c->status;
	if (cli_interrupted())
		return CLI_INTERRUPTED;
	return CLI_OK;
}

/* --- the command --- */

static void wake(void *consumer)
{
	klamm_consumer_wakeup(consumer);
}

static int with_consumer(struct cli_consume *c, const struct klamm_conf *conf)
{
	struct klamm_error err;
	if (klamm_loop_new(conf, &c->loop, &err) != 0)
		return cli_error(&err);
	int status;
	if (klamm_consumer_new(conf, c->loop, &c->consumer, &err) != 0) {
		status = cli_error(&err);
	} else {
		status =
			c->group != NULL ? cli_consume_subscribe(c) : cli_consume_assign(c);
		/* Until here there was nothing to end in good order. */
		cli_catch_signals(wake, c->consumer);
		if (status == 0)
			status = read_records(c);
		cli_progress_end(&c->progress);
		cli_release_signals();
		if (c->group != NULL)
			status = cli_consume_leave(c, status);
		else
			klamm_consumer_close(c->consumer, 0, NULL);
		status = cli_out_end(&c->out, status);
	}
	klamm_loop_free(c->loop);
	return status;
}

/* A name cannot begin with ^, so this is a regular expression, as librdkafka reads it. */
static int check_topics(struct cli_consume *c)
{
	const struct cli_consume_options *o = c->options;
	c->group = o->group;
	c->regex = o->regex;
	if (o->regex == NULL && c->topics->n == 0)
		return cli_usage(c->cli, "TOPIC is missing");
	if (o->regex != NULL && c->topics->n > 0)
		return cli_usage(c->cli, "%s: --regex says which topics", c->topics->v[0]);
	if (o->group != NULL && c->topics->n == 1 && c->topics->v[0][0] == '^')
		c->regex = c->topics->v[0];
	if (o->regex != NULL && o->group == NULL)
		return cli_usage(c->cli, "--regex needs a group: -g");
	if (o->group != NULL && o->partitions != NULL)
		return cli_usage(c->cli,
				 "-p and -g exclude each other: the group says who reads "
				 "which partition");
	if (o->group != NULL && o->group[0] == '\0')
		return cli_usage(c->cli, "-g must not be empty");
	return 0;
}

static int check_places(struct cli_consume *c)
{
	static const char must[] = "must be start, end, N, -N, @MS, @2026-03-05T17:08 or @-2h";
	const struct cli_consume_options *o = c->options;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t now_ms = now.tv_sec * 1000ll + now.tv_nsec / 1000000;
	if (!cli_place_parse(o->place != NULL ? o->place : "start", now_ms, &c->place))
		return cli_usage(c->cli, "-o %s: %s", o->place, must);
	if (!cli_place_parse(o->until != NULL ? o->until : "end", now_ms, &c->until))
		return cli_usage(c->cli, "--until %s: %s", o->until, must);
	if (o->until != NULL && o->group != NULL)
		return cli_usage(c->cli,
				 "--until and -g exclude each other: a group reads on");
	return 0;
}

static int check(struct cli_consume *c)
{
	const struct cli_consume_options *o = c->options;
	int rc = check_places(c);
	if (rc != 0)
		return rc;
	if (o->partitions != NULL && !cli_ranges_valid(o->partitions))
		return cli_usage(c->cli, "-p %s: must be partitions such as 0,3,5-7",
				 o->partitions);
	rc = check_topics(c);
	if (rc == 0)
		rc = cli_consume_dead_check(c);
	if (rc != 0)
		return rc;
	if (o->json && o->format != NULL)
		return cli_usage(c->cli, "--json and -f exclude each other");
	c->format.json = o->json;
	c->format.null_is_shown = o->null_is_shown;
	char why[128];
	if (!o->json &&
	    !cli_format_compile(&c->format, o->format ? o->format : "%s\\n", why))
		return cli_usage(c->cli, "-f: %s", why);
	return 0;
}

static int set_up(struct cli_consume *c, struct klamm_conf *conf)
{
	int status = cli_never_create(conf);
	if (status != 0)
		return status;
	status =
		c->group != NULL ? cli_consume_group_conf(c, conf) : cli_never_commit(conf);
	c->format.decode_keys =
		cli_form_of(klamm_conf_get(conf, "key.deserializer")) != CLI_RAW;
	c->format.decode_values =
		cli_form_of(klamm_conf_get(conf, "value.deserializer")) != CLI_RAW;
	return status;
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct cli_consume_options wanted = *(const struct cli_consume_options *)options;
	wanted.exit_at_end |= wanted.until != NULL;
	struct cli_consume c = {
		.cli = cli,
		.options = &wanted,
		.topics = args,
		.timeout_ms = cli_timeout_ms(cli),
		.progress.on = cli_may_chat(cli) && !isatty(STDOUT_FILENO),
		.out.fd = STDOUT_FILENO,
		.dead.fd = -1,
	};
	struct klamm_conf *conf = NULL;
	int status = check(&c);
	if (status == 0)
		status = cli_client_conf(cli, &conf);
	if (status == 0)
		status = set_up(&c, conf);
	if (status == 0)
		status = cli_consume_dead_open(&c);
	if (status == 0)
		status = cli_consume_dead_end(&c, with_consumer(&c, conf));
	klamm_conf_free(conf);
	cli_format_free(&c.format);
	free(c.parts);
	return status;
}

#define AT(member) offsetof(struct cli_consume_options, member)

static const struct cli_option rows[] = {
	{'o', "offset", "PLACE", CLI_TEXT, AT(place), 0, 0,
	 "start, end, N, -N (before the end), @MS, @2026-03-05T17:08, @-2h"},
	{0, "until", "PLACE", CLI_TEXT, AT(until), 0, 0,
	 "stop before this place, and at the end as with -e"},
	{'p', "partition", "N,...", CLI_TEXT, AT(partitions), 0, 0,
	 "only these partitions: 0,3,5-7"},
	{'g', "group", "GROUP", CLI_TEXT, AT(group), 0, 0,
	 "read what this group assigns, and commit what was printed"},
	{0, "regex", "RE", CLI_TEXT, AT(regex), 0, 0,
	 "with -g: all topics whose whole name matches, also those to come"},
	{'n', "count", "COUNT", CLI_INT64, AT(count), 0, INT64_MAX,
	 "stop after so many records"},
	{'e', "exit", NULL, CLI_FLAG, AT(exit_at_end), 0, 0,
	 "stop where the partitions ended at the start"},
	{'f', "format", "FORMAT", CLI_TEXT, AT(format), 0, 0,
	 "how a record is printed, instead of '%s\\n'"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0,
	 "print a JSON object a line, which klamm produce --json reads"},
	{'Z', "null", NULL, CLI_FLAG, AT(null_is_shown), 0, 0, "print NULL for null"},
	{0, "on-error", "WHAT", CLI_TEXT, AT(on_error), 0, 0,
	 "at a record that cannot be decoded: tell, skip or stop"},
	{0, "dead-letters", "FILE", CLI_TEXT, AT(dead_letters), 0, 0,
	 "append those to a file, as envelopes that say why, and read on"},
	{0},
};

static const struct cli_consume_options defaults = {
	.count = -1,
};

const struct cli_command cli_consume = {
	.name = "consume",
	.args = "[TOPIC...]",
	.max_args = CLI_MANY,
	.summary = "print records",
	.about = "With -g each record is printed at least once: it is committed when it was "
		 "written.\nWhere the group has committed nothing it begins at -o.\n\n"
		 "In FORMAT, \\n \\t \\\\ and \\xNN stand for bytes, and\n"
		 "  %t or %{topic}    %p or %{partition}    %o or %{offset}    %T or "
		 "%{timestamp} (ms)\n"
		 "  %k or %{key}      %s or %{value}        %h or %{headers}   "
		 "%{header:NAME}\n"
		 "  %K or %{key_length}, %S or %{value_length}: bytes, -1 for null\n"
		 "  %R or %{value_length_binary}: the same as four bytes, the highest "
		 "first\n"
		 "  %{time} (ISO 8601, UTC), %{timestamp_type}, %{key:hex}, "
		 "%{key:base64},\n"
		 "  %{value:hex}, %{value:base64}, %% for a percent sign\n\n"
		 "With key.deserializer or value.deserializer set, key and value are "
		 "what these make of\n"
		 "the bytes; what is not a text is printed as JSON.\n",
	.options = rows,
	.defaults = &defaults,
	.size = sizeof(struct cli_consume_options),
	.run = run,
};
