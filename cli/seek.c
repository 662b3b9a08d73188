/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/seek.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/io.h"
#include "cli/value.h"

/* --- files --- */

static void add_wanted(struct cli_seek *seek, const char *topic, size_t len,
		       int32_t partition, int64_t offset)
{
	const char *name = cli_parts_name(&seek->parts, topic, len);
	cli_parts_push(&seek->parts, name, partition);
	int64_t *wanted = reallocarray(seek->wanted, seek->parts.n, sizeof(*wanted));
	if (wanted == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	seek->wanted = wanted;
	/* One that is there twice counts as its last line says. */
	for (size_t i = 0; i < seek->parts.n; i++)
		if (seek->parts.v[i].partition == partition &&
		    strcmp(seek->parts.v[i].topic, name) == 0)
			wanted[i] = offset;
}

/* A field of a CSV line, without the quotes that it may have. */
struct field {
	const char *p;
	size_t len;
};

static struct field last_field(struct field *line)
{
	size_t begin = line->len;
	while (begin > 0 && line->p[begin - 1] != ',')
		begin--;
	struct field f = {line->p + begin, line->len - begin};
	line->len = begin > 0 ? begin - 1 : 0;
	if (f.len >= 2 && f.p[0] == '"' && f.p[f.len - 1] == '"')
		f = (struct field){f.p + 1, f.len - 2};
	return f;
}

static bool field_number(struct field f, int64_t max, int64_t *n)
{
	char text[24];
	snprintf(text, sizeof(text), "%.*s", (int)kl_min(f.len, sizeof(text) - 1), f.p);
	return f.len < sizeof(text) && cli_number(text, 0, max, n);
}

static bool read_csv(const char *group, struct field line, struct cli_seek *seek)
{
	int64_t offset, partition;
	if (!field_number(last_field(&line), INT64_MAX, &offset) ||
	    !field_number(last_field(&line), INT32_MAX, &partition))
		return false;
	struct field topic = last_field(&line);
	if (line.len >= 2 && line.p[0] == '"' && line.p[line.len - 1] == '"')
		line = (struct field){line.p + 1, line.len - 2};
	if (topic.len == 0)
		return false;
	if (line.len == 0 ||
	    (strlen(group) == line.len && !memcmp(group, line.p, line.len)))
		add_wanted(seek, topic.p, topic.len, (int32_t)partition, offset);
	return true;
}

static bool json_number(struct json_object *object, const char *name, int64_t max,
			int64_t *n)
{
	struct json_object *member;
	if (!json_object_object_get_ex(object, name, &member) ||
	    !json_object_is_type(member, json_type_int))
		return false;
	*n = json_object_get_int64(member);
	return *n >= 0 && *n <= max;
}

/* Without a group it is of any. */
static bool json_group(struct json_object *object, const char *group, bool *is_ours)
{
	struct json_object *member;
	bool is_said = json_object_object_get_ex(object, "group", &member);
	if (is_said && !json_object_is_type(member, json_type_string))
		return false;
	*is_ours = !is_said || strcmp(json_object_get_string(member), group) == 0;
	return true;
}

static bool read_json(const char *group, struct field line, struct cli_seek *seek)
{
	struct json_tokener *parser = cli_json_parser();
	struct json_object *object = NULL, *topic;
	char why[128];
	int64_t offset, partition;
	bool is_ours = false;
	bool ok = cli_json_parse(parser, line.p, line.len, &object, why) &&
		  json_object_is_type(object, json_type_object) &&
		  json_object_object_get_ex(object, "topic", &topic) &&
		  json_object_is_type(topic, json_type_string) &&
		  json_number(object, "partition", INT32_MAX, &partition) &&
		  json_number(object, "offset", INT64_MAX, &offset) &&
		  json_group(object, group, &is_ours);
	if (ok && is_ours)
		add_wanted(seek, json_object_get_string(topic),
			   (size_t)json_object_get_string_len(topic), (int32_t)partition,
			   offset);
	json_object_put(object);
	json_tokener_free(parser);
	return ok;
}

static bool read_line(const char *group, struct field line, struct cli_seek *seek)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0)
		return true;
	return line.p[0] == '{' ? read_json(group, line, seek)
				: read_csv(group, line, seek);
}

int cli_seek_read(const char *group, const char *file, struct cli_seek *seek)
{
	int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_fail(CLI_USAGE, "%s: %s", file, strerror(errno));
	struct cli_lines lines;
	struct klamm_span line;
	int rc = 1, status = 0;
	cli_lines_init(&lines, fd, (struct klamm_span){"\n", 1});
	for (int number = 0; status == 0 && rc > 0;) {
		rc = cli_lines_fill(&lines);
		while (status == 0 && cli_lines_next(&lines, &line))
			if (number++,
			    !read_line(group, (struct field){line.data, line.len}, seek))
				status = cli_fail(CLI_USAGE,
						  "%s:%d: must be "
						  "TOPIC,PARTITION,OFFSET",
						  file, number);
	}
	if (status == 0 && rc < 0)
		status = cli_fail(CLI_USAGE, "%s: %s", file, strerror(-rc));
	if (status == 0 && seek->parts.n == 0)
		status =
			cli_fail(CLI_USAGE, "%s: it says nothing of group %s", file, group);
	cli_lines_free(&lines);
	if (fd != STDIN_FILENO)
		close(fd);
	return status;
}

/* --- decisions --- */

static int ask_old(struct cli_group_session *s, const char *group, struct cli_seek *seek)
{
	const struct klamm_group_offsets_query query = {
		.size = sizeof(query),
		.group = group,
		.partitions = seek->parts.v,
		.count = seek->parts.n,
	};
	const struct klamm_group_offsets_query *pointer = &query;
	struct klamm_group_offsets_list *list;
	struct klamm_error err;
	int rc = klamm_admin_list_group_offsets(s->session.admin, &pointer, 1, 0,
						s->session.timeout_ms, &list, &err);
	int status = rc == 0 ? CLI_OK : cli_error(&err);
	for (size_t i = 0; i < seek->parts.n; i++)
		seek->old[i] = -1;
	for (size_t j = 0; rc == 0 && j < list->groups[0]->count; j++) {
		const struct klamm_group_offset *o = list->groups[0]->offsets[j];
		if (o->error != 0)
			status = cli_group_part_failed(group, o->topic, o->partition,
						       o->error);
		for (size_t i = 0; i < seek->parts.n; i++)
			if (seek->parts.v[i].partition == o->partition &&
			    strcmp(seek->parts.v[i].topic, o->topic) == 0)
				seek->old[i] = o->offset;
	}
	klamm_group_offsets_list_free(list);
	return status;
}

static int64_t inside(const struct klamm_topic_partition *tp, int64_t offset, int64_t start,
		      int64_t end)
{
	if (offset >= start && offset <= end)
		return offset;
	int64_t edge = offset < start ? start : end;
	cli_fail(
		0,
		"%s [%d]: there is no offset %lld: the partition has %lld to %lld, so it is "
		"%lld",
		tp->topic, tp->partition, (long long)offset, (long long)start,
		(long long)end, (long long)edge);
	return edge;
}

static int decide(const struct cli_seek *seek, size_t i, int64_t start, int64_t end,
		  int64_t at_time, int64_t *out)
{
	const struct klamm_topic_partition *tp = &seek->parts.v[i];
	switch (seek->kind) {
	case CLI_SEEK_EARLIEST:
		*out = start;
		return 0;
	case CLI_SEEK_LATEST:
		*out = end;
		return 0;
	case CLI_SEEK_TIME:
		*out = at_time >= 0 ? at_time : end;
		return 0;
	case CLI_SEEK_CURRENT:
		*out = seek->old[i] >= 0 ? seek->old[i] : end;
		return 0;
	case CLI_SEEK_OFFSET:
		*out = inside(tp, seek->n, start, end);
		return 0;
	case CLI_SEEK_FILE:
		*out = inside(tp, seek->wanted[i], start, end);
		return 0;
	case CLI_SEEK_SHIFT:
		break;
	}
	int64_t shifted;
	if (seek->old[i] < 0)
		return cli_fail(CLI_FAILED,
				"%s [%d]: nothing is committed there, so it cannot "
				"be shifted",
				tp->topic, tp->partition);
	if (__builtin_add_overflow(seek->old[i], seek->n, &shifted))
		shifted = seek->n < 0 ? -1 : INT64_MAX;
	*out = inside(tp, shifted, start, end);
	return 0;
}

int cli_seek_decide(struct cli_group_session *s, const char *group, struct cli_seek *seek)
{
	size_t n = seek->parts.n;
	int64_t *start = cli_alloc(n * sizeof(*start)), *end = cli_alloc(n * sizeof(*end));
	int64_t *at_time = cli_alloc(n * sizeof(*at_time));
	seek->old = cli_alloc(n * sizeof(*seek->old));
	seek->new = cli_alloc(n * sizeof(*seek->new));
	int rc = ask_old(s, group, seek);
	if (rc == 0)
		rc = cli_offsets_at(s, seek->parts.v, n, KLAMM_OFFSET_BEGINNING, start);
	if (rc == 0)
		rc = cli_offsets_at(s, seek->parts.v, n, KLAMM_OFFSET_END, end);
	if (rc == 0 && seek->kind == CLI_SEEK_TIME)
		rc = cli_offsets_at(s, seek->parts.v, n, seek->n, at_time);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = decide(seek, i, start[i], end[i], at_time[i], &seek->new[i]);
	free(start);
	free(end);
	free(at_time);
	return rc;
}

void cli_seek_free(struct cli_seek *seek)
{
	cli_parts_free(&seek->parts);
	free(seek->wanted);
	free(seek->old);
	free(seek->new);
}
