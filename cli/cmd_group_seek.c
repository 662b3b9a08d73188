/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm group seek: decide, say, and only then, if told so, do. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/io.h"
#include "cli/place.h"
#include "cli/seek.h"
#include "cli/table.h"
#include "core/base/text.h"

#define NO_SHIFT INT64_MIN

struct options {
	struct cli_list topics;
	bool all_topics;
	bool earliest, latest, current;
	int64_t offset, shift;
	const char *datetime, *duration, *file;
	bool execute, dry_run, csv, json;
};

/* --- what is wanted --- */

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static int time_of(const struct cli *cli, const struct options *o, struct cli_seek *seek)
{
	int64_t now = now_ms(), ms;
	if (o->duration != NULL) {
		if (!cli_duration_parse(o->duration, &ms) || ms > now)
			return cli_usage(
				cli,
				"--by-duration %s: must be a time such as P1DT12H, "
				"PT30M, 90s, 2h or 7d",
				o->duration);
		seek->n = now - ms;
		return 0;
	}
	struct cli_place place;
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	kl_buf_printf(&text, "@%s", o->datetime);
	if (!cli_place_parse(kl_buf_text(&text), now, &place) ||
	    place.kind != CLI_PLACE_TIME)
		return cli_usage(
			cli,
			"--to-datetime %s: must be 2026-03-05T17:08[:09[.123]][Z], "
			"or milliseconds since 1970",
			o->datetime);
	seek->n = place.n;
	return 0;
}

static int understand(const struct cli *cli, const struct options *o, struct cli_seek *seek)
{
	const struct {
		bool given;
		enum cli_seek_kind kind;
		int64_t n;
	} ways[] = {
		{o->earliest, CLI_SEEK_EARLIEST, 0},
		{o->latest, CLI_SEEK_LATEST, 0},
		{o->current, CLI_SEEK_CURRENT, 0},
		{o->offset >= 0, CLI_SEEK_OFFSET, o->offset},
		{o->shift != NO_SHIFT, CLI_SEEK_SHIFT, o->shift},
		{o->datetime != NULL, CLI_SEEK_TIME, 0},
		{o->duration != NULL, CLI_SEEK_TIME, 0},
		{o->file != NULL, CLI_SEEK_FILE, 0},
	};
	size_t given = 0;
	for (size_t i = 0; i < kl_countof(ways); i++) {
		if (!ways[i].given)
			continue;
		given++;
		seek->kind = ways[i].kind;
		seek->n = ways[i].n;
	}
	if (given != 1)
		return cli_usage(
			cli,
			"%s of --to-earliest, --to-latest, --to-current, "
			"--to-offset, --shift-by, --to-datetime, --by-duration and "
			"--from-file is needed",
			given == 0 ? "one" : "only one");
	if (o->json && o->csv)
		return cli_usage(cli, "--json and --csv exclude each other");
	if (o->execute && o->dry_run)
		return cli_usage(cli, "--execute and --dry-run exclude each other");
	bool scope = o->topics.n > 0 || o->all_topics;
	if (scope == (o->file != NULL))
		return cli_usage(cli, o->file != NULL
					      ? "--from-file says itself which partitions"
					      : "--topic or --all-topics is missing");
	if (o->topics.n > 0 && o->all_topics)
		return cli_usage(cli, "--topic and --all-topics exclude each other");
	return seek->kind == CLI_SEEK_TIME ? time_of(cli, o, seek) : 0;
}

/* --- which partitions --- */

static int add_committed(struct cli_session *s, const char *group, struct cli_seek *seek)
{
	const struct klamm_group_offsets_query query = {.size = sizeof(query),
							.group = group};
	const struct klamm_group_offsets_query *pointer = &query;
	struct klamm_group_offsets_list *list;
	struct klamm_error err;
	int rc = klamm_admin_list_group_offsets(s->admin, &pointer, 1, 0, s->timeout_ms,
						&list, &err);
	int status = rc == 0 ? 0 : cli_error(&err);
	const char *name = NULL;
	for (size_t i = 0; rc == 0 && i < list->groups[0]->count; i++) {
		const struct klamm_group_offset *o = list->groups[0]->offsets[i];
		if (o->error != 0)
			status = cli_group_part_failed(group, o->topic, o->partition,
						       o->error);
		if (name == NULL || strcmp(name, o->topic) != 0)
			name = cli_parts_name(&seek->parts, o->topic, strlen(o->topic));
		cli_parts_push(&seek->parts, name, o->partition);
	}
	klamm_group_offsets_list_free(list);
	if (status == 0 && seek->parts.n == 0)
		status = cli_fail(CLI_FAILED,
				  "group %s: it has committed nothing, so --all-topics "
				  "are none",
				  group);
	return status;
}

static int find_parts(const struct cli *cli, struct cli_group_session *s, const char *group,
		      const struct options *o, struct cli_seek *seek)
{
	if (o->all_topics)
		return add_committed(&s->session, group, seek);
	if (o->file != NULL)
		return cli_seek_read(group, o->file, seek);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < o->topics.n; i++)
		rc = cli_parts_add(cli, &s->session, o->topics.v[i], &seek->parts);
	return rc;
}

/* Offsets are looked up for partitions that there are: others would be waited for. */
static int check_parts(struct cli_group_session *s, const struct cli_seek *seek)
{
	struct klamm_error err;
	struct klamm_topic_list *list = NULL;
	const char **names = cli_alloc(seek->parts.n * sizeof(*names));
	size_t n = 0;
	for (size_t i = 0; i < seek->parts.n; i++) {
		bool known = false;
		for (size_t j = 0; j < n; j++)
			known |= strcmp(names[j], seek->parts.v[i].topic) == 0;
		if (!known)
			names[n++] = seek->parts.v[i].topic;
	}
	int status = CLI_OK;
	if (klamm_admin_describe_topics(s->session.admin, names, n, s->session.timeout_ms,
					&list, &err) != 0)
		status = cli_error(&err);
	for (size_t t = 0; status == 0 && t < list->count; t++) {
		const struct klamm_topic_description *topic = list->topics[t];
		if (topic->error != 0)
			status = cli_fail(CLI_FAILED, "topic %s: %s", topic->name,
					  klamm_err_text(topic->error));
		for (size_t i = 0; status == 0 && i < seek->parts.n; i++)
			if (strcmp(seek->parts.v[i].topic, topic->name) == 0 &&
			    seek->parts.v[i].partition >= (int32_t)topic->partition_count)
				status = cli_fail(CLI_FAILED,
						  "%s has %zu partition%s, no %d",
						  topic->name, topic->partition_count,
						  topic->partition_count == 1 ? "" : "s",
						  seek->parts.v[i].partition);
	}
	klamm_topic_list_free(list);
	free(names);
	return status;
}

/* Members have their positions in their heads, and would commit them over ours. */
static int check_group(struct cli_group_session *s, const char *group)
{
	struct klamm_group_descriptions *groups;
	struct klamm_error err;
	int rc = klamm_admin_describe_groups(s->session.admin, &group, 1, 0,
					     s->session.timeout_ms, &groups, &err);
	int status =
		rc == 0 || rc == KLAMM_ERR_GROUP_ID_NOT_FOUND ? CLI_OK : cli_error(&err);
	if (rc == 0) {
		const struct klamm_group_description *g = groups->groups[0];
		bool idle = strcmp(g->state, "Empty") == 0 || strcmp(g->state, "Dead") == 0;
		if (!idle || g->member_count > 0)
			status = cli_fail(
				CLI_FAILED,
				"group %s: it is %s with %zu member%s, which would go on "
				"from where they are: stop them first",
				group, g->state, g->member_count,
				g->member_count == 1 ? "" : "s");
	}
	klamm_group_descriptions_free(groups);
	return status;
}

/* --- what was decided --- */

static void print_json(const char *group, const struct cli_seek *seek, size_t i,
		       bool executed, const struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	cli_put_text(&b, "{\"group\":");
	kl_buf_json_bytes(&b, group, strlen(group));
	cli_json_text(&b, "topic", seek->parts.v[i].topic);
	kl_buf_printf(&b, ",\"partition\":%d", seek->parts.v[i].partition);
	cli_json_offset(&b, "old", seek->old[i]);
	cli_json_offset(&b, "offset", seek->new[i]);
	kl_buf_printf(&b, ",\"executed\":%s",
		      executed && err->code == 0 ? "true" : "false");
	cli_json_error(&b, err);
	cli_print(&b, "}\n");
}

static void print_table(const struct cli *cli, const struct cli_seek *seek)
{
	static const char *const heads[] = {"TOPIC", "PARTITION", "OLD", "NEW"};
	struct cli_table table = {.columns = kl_countof(heads)};
	for (size_t i = 0; !cli->quiet && i < kl_countof(heads); i++)
		cli_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < seek->parts.n; i++) {
		cli_cell(&table, "%s", seek->parts.v[i].topic);
		cli_cell(&table, "%d", seek->parts.v[i].partition);
		if (seek->old[i] >= 0)
			cli_cell(&table, "%lld", (long long)seek->old[i]);
		else
			cli_cell(&table, "-");
		cli_cell(&table, "%lld", (long long)seek->new[i]);
	}
	cli_table_print(&table, "");
	cli_table_free(&table);
}

static void print_decision(const struct cli *cli, const char *group,
			   const struct options *o, const struct cli_seek *seek,
			   const struct klamm_error *errors)
{
	for (size_t i = 0; i < seek->parts.n && (o->json || o->csv); i++) {
		if (o->json)
			print_json(group, seek, i, o->execute, &errors[i]);
		else
			printf("%s,%d,%lld\n", seek->parts.v[i].topic,
			       seek->parts.v[i].partition, (long long)seek->new[i]);
	}
	if (!o->json && !o->csv)
		print_table(cli, seek);
	if (!o->execute && !cli->quiet)
		fprintf(stderr, "klamm: nothing was changed; --execute does it\n");
}

static int commit(struct cli_group_session *s, const char *group,
		  const struct cli_seek *seek, struct klamm_error *errors)
{
	struct klamm_offset *offsets = cli_alloc(seek->parts.n * sizeof(*offsets));
	for (size_t i = 0; i < seek->parts.n; i++)
		offsets[i] = (struct klamm_offset){
			.topic = seek->parts.v[i].topic,
			.partition = seek->parts.v[i].partition,
			.leader_epoch = -1,
			.offset = seek->new[i],
		};
	klamm_admin_alter_group_offsets(s->session.admin, group, offsets, seek->parts.n,
					s->session.timeout_ms, errors, NULL);
	free(offsets);
	int status = CLI_OK;
	for (size_t i = 0; i < seek->parts.n; i++) {
		const struct klamm_error *err = &errors[i];
		if (err->code == 0)
			continue;
		if (i == 0 || strcmp(err->text, errors[i - 1].text) != 0)
			cli_error(err);
		status = kl_max(status, err->stage == KLAMM_STAGE_API
						? CLI_FAILED
						: cli_error_status(err));
	}
	return status;
}

/* --- the command --- */

static int seek_group(const struct cli *cli, struct cli_group_session *s, const char *group,
		      const struct options *o, struct cli_seek *seek)
{
	int status = check_group(s, group);
	if (status == 0)
		status = find_parts(cli, s, group, o, seek);
	if (status == 0)
		status = check_parts(s, seek);
	if (status == 0)
		status = cli_seek_decide(s, group, seek);
	if (status != 0)
		return status;
	struct klamm_error *errors = cli_alloc(seek->parts.n * sizeof(*errors));
	if (o->execute)
		status = commit(s, group, seek, errors);
	print_decision(cli, group, o, seek, errors);
	free(errors);
	return status;
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct options *o = options;
	struct cli_group_session s = {0};
	struct cli_seek seek = {0};
	int status = understand(cli, o, &seek);
	if (status == 0)
		status = cli_group_open(cli, &s, true);
	if (status == 0)
		status = seek_group(cli, &s, args->v[0], o, &seek);
	cli_group_close(&s);
	cli_seek_free(&seek);
	return status;
}

#define AT(member) offsetof(struct options, member)

static const struct cli_option rows[] = {
	{'t', "topic", "TOPIC[:N,...]", CLI_LIST, AT(topics), 0, 0,
	 "a topic, or some of its partitions: orders:0,3,5-7; may be repeated"},
	{0, "all-topics", NULL, CLI_FLAG, AT(all_topics), 0, 0,
	 "all partitions that the group has committed something for"},
	{0, "to-earliest", NULL, CLI_FLAG, AT(earliest), 0, 0, "to the oldest record"},
	{0, "to-latest", NULL, CLI_FLAG, AT(latest), 0, 0,
	 "to records that are yet to come"},
	{0, "to-current", NULL, CLI_FLAG, AT(current), 0, 0,
	 "to what is committed, or the end where nothing is"},
	{0, "to-offset", "N", CLI_INT64, AT(offset), 0, INT64_MAX, "to this offset"},
	{0, "shift-by", "N", CLI_INT64, AT(shift), INT64_MIN + 1, INT64_MAX,
	 "so many records further, or back when N is negative"},
	{0, "to-datetime", "TIME", CLI_TEXT, AT(datetime), 0, 0,
	 "to the first record at or after 2026-03-05T17:08[:09[.123]][Z]"},
	{0, "by-duration", "DURATION", CLI_TEXT, AT(duration), 0, 0,
	 "the same, so long ago: P1DT12H, PT30M, 90s, 2h, 7d"},
	{0, "from-file", "FILE", CLI_TEXT, AT(file), 0, 0,
	 "to what its lines say: TOPIC,PARTITION,OFFSET or JSON"},
	{0, "dry-run", NULL, CLI_FLAG, AT(dry_run), 0, 0,
	 "only say what would be done, as without --execute"},
	{0, "execute", NULL, CLI_FLAG, AT(execute), 0, 0, "commit it"},
	{0, "csv", NULL, CLI_FLAG, AT(csv), 0, 0, "print lines for --from-file"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0,
	 "print each partition as a JSON object"},
	{0},
};

static const struct options defaults = {.offset = -1, .shift = NO_SHIFT};

const struct cli_command cli_group_seek = {
	.name = "group seek",
	.args = "GROUP",
	.min_args = 1,
	.max_args = 1,
	.summary = "set where a group without members goes on",
	.about = "Without --execute it only says what it would do.\n",
	.options = rows,
	.defaults = &defaults,
	.size = sizeof(struct options),
	.run = run,
};
