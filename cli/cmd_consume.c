/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm consume: records of partitions to standard output. One thread, which drives the
 * loop by polling. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/format.h"
#include "cli/io.h"
#include "cli/place.h"
#include "cli/reader.h"
#include "core/conf/conf.h"

struct options {
	const char *place, *partitions, *format;
	int64_t count;
	bool exit_at_end, json, null_is_shown;
};

/* A partition that is read. */
struct part {
	const char *topic;
	int32_t partition;
	bool done;
	int64_t first, end; /* when it began; known only where they are asked for */
};

struct consume {
	const struct cli *cli;
	const struct options *options;
	const struct cli_list *topics;
	struct cli_place place;
	int64_t timeout_ms;
	struct klamm_consumer *consumer;
	struct part *parts;
	size_t part_count, parts_open;
	struct cli_format format;
	struct cli_out out;
	struct cli_progress progress;
	uint64_t printed, failed;
};

/* --- which partitions --- */

static void add_part(struct consume *c, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i].partition == partition &&
		    strcmp(c->parts[i].topic, topic) == 0)
			return;
	struct part *parts = reallocarray(c->parts, c->part_count + 1, sizeof(*parts));
	if (parts == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	c->parts = parts;
	parts[c->part_count++] = (struct part){.topic = topic, .partition = partition};
}

static int add_listed(struct consume *c, const char *topic, int32_t partitions)
{
	const char *text = c->options->partitions;
	long long low, high;
	while (*text != '\0' && cli_range_next(&text, &low, &high)) {
		if (high >= partitions)
			return cli_usage(c->cli, "-p %lld: %s has %d partitions", high,
					 topic, partitions);
		for (; low <= high; low++)
			add_part(c, topic, (int32_t)low);
	}
	return 0;
}

static int find_parts(struct consume *c)
{
	for (size_t t = 0; t < c->topics->n; t++) {
		const char *topic = c->topics->v[t];
		struct klamm_error err;
		int32_t n;
		if (klamm_consumer_partitions_for(c->consumer, topic, c->timeout_ms, &n,
						  &err) != 0)
			return cli_interrupted() ? CLI_INTERRUPTED : cli_error(&err);
		int rc = 0;
		if (c->options->partitions != NULL)
			rc = add_listed(c, topic, n);
		else
			for (int32_t i = 0; i < n; i++)
				add_part(c, topic, i);
		if (rc != 0)
			return rc;
	}
	c->parts_open = c->part_count;
	return 0;
}

/* --- where to begin, where to end --- */

/* The offset of a place in every partition. */
static int ask_offsets(struct consume *c, int64_t place, size_t member)
{
	struct klamm_offset_query *queries =
		cli_alloc(c->part_count * sizeof(*queries));
	for (size_t i = 0; i < c->part_count; i++)
		queries[i] = (struct klamm_offset_query){
			.size = sizeof(*queries),
			.topic = c->parts[i].topic,
			.partition = c->parts[i].partition,
			.timestamp_ms = place,
		};
	struct klamm_error err;
	int rc = 0;
	if (klamm_consumer_offsets(c->consumer, queries, c->part_count, c->timeout_ms,
				   &err) != 0)
		rc = cli_interrupted() ? CLI_INTERRUPTED : cli_error(&err);
	for (size_t i = 0; rc == 0 && i < c->part_count; i++) {
		if (queries[i].error != 0)
			rc = cli_fail(CLI_FAILED, "%s [%d]: %s", queries[i].topic,
				      queries[i].partition,
				      klamm_err_text(queries[i].error));
		*(int64_t *)((char *)&c->parts[i] + member) = queries[i].offset;
	}
	free(queries);
	return rc;
}

static int seek_part(struct consume *c, const struct part *part,
		     struct klamm_error *err)
{
	int64_t offset = KLAMM_OFFSET_BEGINNING;
	switch (c->place.kind) {
	case CLI_PLACE_START:
		break;
	case CLI_PLACE_END:
		offset = KLAMM_OFFSET_END;
		break;
	case CLI_PLACE_OFFSET:
		offset = c->place.n;
		break;
	case CLI_PLACE_TAIL:
		offset = kl_max(part->end - kl_min(c->place.n, part->end), part->first);
		break;
	case CLI_PLACE_TIME:
		return klamm_consumer_seek_time(c->consumer, part->topic,
						part->partition, c->place.n, err);
	}
	return klamm_consumer_seek(c->consumer, part->topic, part->partition, offset,
				   err);
}

static int begin(struct consume *c)
{
	struct klamm_topic_partition *all = cli_alloc(c->part_count * sizeof(*all));
	for (size_t i = 0; i < c->part_count; i++)
		all[i] = (struct klamm_topic_partition){c->parts[i].topic,
							c->parts[i].partition};
	struct klamm_error err;
	int rc = klamm_consumer_assign(c->consumer, all, c->part_count, &err);
	for (size_t i = 0; rc == 0 && i < c->part_count; i++)
		rc = seek_part(c, &c->parts[i], &err);
	free(all);
	return rc == 0 ? 0 : cli_error(&err);
}

static int set_out(struct consume *c)
{
	int rc = find_parts(c);
	bool tail = c->place.kind == CLI_PLACE_TAIL;
	if (rc == 0 && tail)
		rc = ask_offsets(c, KLAMM_OFFSET_BEGINNING,
				 offsetof(struct part, first));
	if (rc == 0 && (tail || c->options->exit_at_end))
		rc = ask_offsets(c, KLAMM_OFFSET_END, offsetof(struct part, end));
	return rc != 0 ? rc : begin(c);
}

/* --- reading --- */

/* Has the partition been read up to where it ended when we began? The position says so
 * even when the last offsets hold no record (transaction markers, compaction). */
static void check_end(struct consume *c, struct part *part)
{
	int64_t position;
	if (part->done || !c->options->exit_at_end ||
	    klamm_consumer_position(c->consumer, part->topic, part->partition, 0,
				    &position, NULL) != 0 ||
	    position < part->end)
		return;
	part->done = true;
	c->parts_open--;
	klamm_consumer_pause(c->consumer, part->topic, part->partition, true, NULL);
}

static struct part *part_of(struct consume *c, const struct klamm_batch *batch)
{
	const char *topic = klamm_batch_topic(batch);
	int32_t partition = klamm_batch_partition(batch);
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i].partition == partition &&
		    strcmp(c->parts[i].topic, topic) == 0)
			return &c->parts[i];
	return NULL;
}

static bool is_enough(const struct consume *c)
{
	return (c->options->count >= 0 && c->printed >= (uint64_t)c->options->count) ||
	       c->out.broken || cli_interrupted() ||
	       (c->options->exit_at_end && c->parts_open == 0);
}

static void print_record(struct consume *c, struct klamm_batch *batch,
			 const struct klamm_record_view *view)
{
	struct klamm_error err;
	if (cli_format_record(&c->format, batch, view, &c->out.buf, &err) != 0) {
		cli_error(&err);
		c->failed++;
	}
	c->printed++;
	cli_out_check(&c->out);
}

static int print_batch(struct consume *c, struct klamm_batch *batch)
{
	struct part *part = part_of(c, batch);
	struct klamm_record_view view;
	int rc = 0;
	cli_format_batch(&c->format, klamm_batch_topic(batch),
			 klamm_batch_partition(batch));
	while (!is_enough(c) && (rc = klamm_batch_next(batch, &view)) == 1) {
		if (c->options->exit_at_end && part != NULL && view.offset >= part->end)
			break;
		print_record(c, batch, &view);
	}
	if (rc < 0)
		return cli_fail(CLI_FAILED, "%s [%d]: %s", klamm_batch_topic(batch),
				klamm_batch_partition(batch), klamm_err_text(rc));
	if (part != NULL)
		check_end(c, part);
	return 0;
}

/* A batch that is there, or else what was printed goes out before the wait. */
static int next_batch(struct consume *c, struct klamm_batch **batch_out,
		      struct klamm_error *err)
{
	*batch_out = NULL;
	int rc = klamm_consumer_poll(c->consumer, 0, batch_out, err);
	if (rc != 0 || *batch_out != NULL)
		return rc;
	cli_out_flush(&c->out);
	for (size_t i = 0; i < c->part_count; i++)
		check_end(c, &c->parts[i]);
	if (cli_out_abandoned(&c->out) || is_enough(c))
		return 0;
	return klamm_consumer_poll(c->consumer, c->options->exit_at_end ? 100 : 1000,
				   batch_out, err);
}

static int read_records(struct consume *c)
{
	while (!is_enough(c)) {
		struct klamm_batch *batch;
		struct klamm_error err;
		int rc = next_batch(c, &batch, &err);
		if (rc == KLAMM_ERR_INTERRUPTED)
			continue;
		if (rc != 0) {
			cli_out_flush(&c->out);
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
	}
	if (cli_interrupted())
		return CLI_INTERRUPTED;
	return c->failed > 0 ? CLI_FAILED : CLI_OK;
}

/* --- the command --- */

static void wake(void *consumer)
{
	klamm_consumer_wakeup(consumer);
}

static int with_consumer(struct consume *c, const struct klamm_conf *conf)
{
	struct klamm_error err;
	struct klamm_loop *loop;
	if (klamm_loop_new(conf, &loop, &err) != 0)
		return cli_error(&err);
	int status;
	if (klamm_consumer_new(conf, loop, &c->consumer, &err) != 0) {
		status = cli_error(&err);
	} else {
		cli_catch_signals(wake, c->consumer);
		status = set_out(c);
		if (status == 0)
			status = read_records(c);
		cli_progress_end(&c->progress);
		status = cli_out_end(&c->out, status);
		cli_release_signals();
		klamm_consumer_close(c->consumer, 0, NULL);
	}
	klamm_loop_free(loop);
	return status;
}

static int check(struct consume *c)
{
	const struct options *o = c->options;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!cli_place_parse(o->place, now.tv_sec * 1000ll + now.tv_nsec / 1000000,
			     &c->place))
		return cli_usage(
			c->cli,
			"-o %s: must be start, end, N, -N, @MS, @2026-03-05T17:08 "
			"or @-2h",
			o->place);
	if (o->partitions != NULL && !cli_ranges_valid(o->partitions))
		return cli_usage(c->cli, "-p %s: must be partitions such as 0,3,5-7",
				 o->partitions);
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

static int set_up(struct consume *c, struct klamm_conf *conf)
{
	struct klamm_error err;
	/* Reading asks no topic into being, unless it is told to. */
	static const char create[] = "allow.auto.create.topics";
	if (!kl_conf_is_set(conf, create) &&
	    klamm_conf_set(conf, create, "false", &err) != 0)
		return cli_error(&err);
	int status = cli_never_commit(conf);
	c->format.decode_keys =
		cli_form_of(klamm_conf_get(conf, "key.deserializer")) != CLI_RAW;
	c->format.decode_values =
		cli_form_of(klamm_conf_get(conf, "value.deserializer")) != CLI_RAW;
	return status;
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct consume c = {
		.cli = cli,
		.options = options,
		.topics = args,
		.timeout_ms = cli_timeout_ms(cli),
		.progress.on = cli_may_chat(cli) && !isatty(STDOUT_FILENO),
	};
	struct klamm_conf *conf = NULL;
	int status = check(&c);
	if (status == 0)
		status = cli_client_conf(cli, &conf);
	if (status == 0)
		status = set_up(&c, conf);
	if (status == 0)
		status = with_consumer(&c, conf);
	klamm_conf_free(conf);
	cli_format_free(&c.format);
	free(c.parts);
	return status;
}

#define AT(member) offsetof(struct options, member)

static const struct cli_option rows[] = {
	{'o', "offset", "PLACE", CLI_TEXT, AT(place), 0, 0,
	 "start, end, N, -N (before the end), @MS, @2026-03-05T17:08, @-2h"},
	{'p', "partition", "N,...", CLI_TEXT, AT(partitions), 0, 0,
	 "only these partitions: 0,3,5-7"},
	{'n', "count", "COUNT", CLI_INT64, AT(count), 0, INT64_MAX,
	 "stop after so many records"},
	{'e', "exit", NULL, CLI_FLAG, AT(exit_at_end), 0, 0,
	 "stop where the partitions ended at the start"},
	{'f', "format", "FORMAT", CLI_TEXT, AT(format), 0, 0,
	 "how a record is printed, instead of '%s\\n'"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0,
	 "print a JSON object a line, which klamm produce --json reads"},
	{'Z', "null", NULL, CLI_FLAG, AT(null_is_shown), 0, 0, "print NULL for null"},
	{0},
};

static const struct options defaults = {
	.place = "start",
	.count = -1,
};

const struct cli_command cli_consume = {
	.name = "consume",
	.args = "TOPIC...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "print records",
	.about = "In FORMAT, \\n \\t \\\\ and \\xNN stand for bytes, and\n"
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
	.size = sizeof(struct options),
	.run = run,
};
