/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/parts.h"

#include <stdlib.h>

void cli_parts_push(struct cli_parts *parts, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < parts->n; i++)
		if (parts->v[i].partition == partition &&
		    strcmp(parts->v[i].topic, topic) == 0)
			return;
	struct klamm_topic_partition *v = reallocarray(parts->v, parts->n + 1, sizeof(*v));
	if (v == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	parts->v = v;
	v[parts->n++] = (struct klamm_topic_partition){topic, partition};
}

const char *cli_parts_name(struct cli_parts *parts, const char *text, size_t len)
{
	char **names = reallocarray(parts->names, parts->name_count + 1, sizeof(*names));
	char *name = strndup(text, len);
	if (names == NULL || name == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	parts->names = names;
	return names[parts->name_count++] = name;
}

static int count_partitions(struct cli_session *s, const char *topic, int32_t *count_out)
{
	struct klamm_topic_list *list;
	struct klamm_error err;
	if (klamm_admin_describe_topics(s->admin, &topic, 1, s->timeout_ms, &list, &err) !=
	    0)
		return cli_error(&err);
	int32_t error = list->topics[0]->error;
	*count_out = (int32_t)list->topics[0]->partition_count;
	klamm_topic_list_free(list);
	return error == 0
		       ? 0
		       : cli_fail(CLI_FAILED, "topic %s: %s", topic, klamm_err_text(error));
}

/* Topics have no colons in their names. */
int cli_parts_add(const struct cli *cli, struct cli_session *s, const char *text,
		  struct cli_parts *parts)
{
	size_t len = strcspn(text, ":");
	const char *list = text[len] == ':' ? text + len + 1 : NULL;
	if (len == 0 || (list != NULL && !cli_ranges_valid(list)))
		return cli_usage(cli, "%s: must be a topic, or TOPIC:0,3,5-7", text);
	const char *topic = cli_parts_name(parts, text, len);
	int32_t n;
	int rc = count_partitions(s, topic, &n);
	if (rc != 0)
		return rc;
	if (list == NULL)
		for (int32_t i = 0; i < n; i++)
			cli_parts_push(parts, topic, i);
	long long low, high;
	while (list != NULL && *list != '\0' && cli_range_next(&list, &low, &high)) {
		if (high >= n)
			return cli_fail(CLI_USAGE, "%s: %s has %d partition%s", text, topic,
					n, n == 1 ? "" : "s");
		for (; low <= high; low++)
			cli_parts_push(parts, topic, (int32_t)low);
	}
	return 0;
}

void cli_parts_free(struct cli_parts *parts)
{
	for (size_t i = 0; i < parts->name_count; i++)
		free(parts->names[i]);
	free(parts->names);
	free(parts->v);
}
