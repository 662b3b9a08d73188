/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm topic offsets */
#include <stdlib.h>
#include <time.h>

#include "cli/group.h"
#include "cli/io.h"
#include "cli/parts.h"
#include "cli/place.h"
#include "cli/table.h"
#include "core/base/text.h"

struct options {
	const char *at;
	bool json;
};

/* What is asked for: the first and the end, or the offset of one place. */
struct offsets {
	struct cli_parts parts;
	bool one;
	int64_t place; /* KLAMM_OFFSET_... or a time */
	int64_t *start, *end;
};

static int parse_at(const struct cli *cli, const char *text, struct offsets *offsets)
{
	struct timespec now;
	struct cli_place place;
	if (text == NULL)
		return CLI_OK;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!cli_place_parse(text, now.tv_sec * 1000ll + now.tv_nsec / 1000000, &place) ||
	    place.kind == CLI_PLACE_OFFSET || place.kind == CLI_PLACE_TAIL)
		return cli_usage(cli,
				 "-o %s: must be start, end, @MS, @2026-03-05T17:08 or @-2h",
				 text);
	offsets->one = true;
	offsets->place = place.kind == CLI_PLACE_START ? KLAMM_OFFSET_BEGINNING
			 : place.kind == CLI_PLACE_END ? KLAMM_OFFSET_END
						       : place.n;
	return CLI_OK;
}

static int ask(struct cli_group_session *s, struct offsets *o)
{
	size_t n = o->parts.n;
	o->start = cli_alloc(n * sizeof(*o->start));
	o->end = cli_alloc(n * sizeof(*o->end));
	if (o->one)
		return cli_offsets_at(s, o->parts.v, n, o->place, o->start);
	int status = cli_offsets_at(s, o->parts.v, n, KLAMM_OFFSET_BEGINNING, o->start);
	return status != CLI_OK ? status
				: cli_offsets_at(s, o->parts.v, n, KLAMM_OFFSET_END, o->end);
}

static void print_json(const struct offsets *o)
{
	KL_AUTO(kl_buf_free) struct kl_buf line = {0};
	for (size_t i = 0; i < o->parts.n; i++) {
		const char *topic = o->parts.v[i].topic;
		kl_buf_clear(&line);
		kl_buf_printf(&line, "{\"topic\":");
		kl_buf_json_bytes(&line, topic, strlen(topic));
		kl_buf_printf(&line, ",\"partition\":%d", o->parts.v[i].partition);
		cli_json_offset(&line, o->one ? "offset" : "start", o->start[i]);
		if (!o->one)
			cli_json_offset(&line, "end", o->end[i]);
		cli_print(&line, "}\n");
	}
}

static void print_table(const struct cli *cli, const struct offsets *o)
{
	struct cli_table table = {.columns = o->one ? 3 : 4};
	if (!cli->quiet) {
		cli_cell(&table, "TOPIC");
		cli_cell(&table, "PARTITION");
		cli_cell(&table, o->one ? "OFFSET" : "START");
		if (!o->one)
			cli_cell(&table, "END");
	}
	for (size_t i = 0; i < o->parts.n; i++) {
		cli_cell(&table, "%s", o->parts.v[i].topic);
		cli_cell(&table, "%d", o->parts.v[i].partition);
		cli_cell_offset(&table, o->start[i]);
		if (!o->one)
			cli_cell_offset(&table, o->end[i]);
	}
	cli_table_print(&table, "");
	cli_table_free(&table);
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct options *opts = options;
	struct offsets o = {0};
	struct cli_group_session s = {0};
	int status = parse_at(cli, opts->at, &o);
	if (status == CLI_OK)
		status = cli_group_open(cli, &s, true);
	for (size_t i = 0; i < args->n && status == CLI_OK; i++)
		status = cli_parts_add(cli, &s.session, args->v[i], &o.parts);
	if (status == CLI_OK)
		status = ask(&s, &o);
	if (status == CLI_OK && opts->json)
		print_json(&o);
	else if (status == CLI_OK)
		print_table(cli, &o);
	cli_group_close(&s);
	cli_parts_free(&o.parts);
	free(o.start);
	free(o.end);
	return status;
}

static const struct cli_option rows[] = {
	{'o', "at", "PLACE", CLI_TEXT, offsetof(struct options, at), 0, 0,
	 "the offset there: start, end, @MS, @2026-03-05T17:08, @-2h"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct options, json), 0, 0,
	 "print each partition as a JSON object"},
	{0},
};

const struct cli_command cli_topic_offsets = {
	.name = "topic offsets",
	.args = "TOPIC[:N,...]...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "show where partitions begin and end, or the offsets of a time",
	.about = "-q leaves the heading out.\n",
	.options = rows,
	.size = sizeof(struct options),
	.run = run,
};
