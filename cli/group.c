/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/group.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/io.h"
#include "core/base/order.h"

/* --- the session --- */

int cli_group_open(const struct cli *cli, struct cli_group_session *s, bool offsets)
{
	int status = cli_session_open(cli, &s->session);
	if (status == 0 && offsets)
		status = cli_never_commit(s->session.conf);
	struct klamm_error err;
	if (status == 0 && offsets &&
	    klamm_consumer_new(s->session.conf, s->session.loop, &s->consumer, &err) != 0)
		status = cli_error(&err);
	return status;
}

void cli_group_close(struct cli_group_session *s)
{
	if (s->consumer != NULL)
		klamm_consumer_close(s->consumer, 0, NULL);
	cli_session_close(&s->session);
}

/* --- a view: the group --- */

static int describe(struct cli_group_session *s, const char *name,
		    struct cli_group_view *view)
{
	struct klamm_error err;
	int rc = klamm_admin_describe_groups(s->session.admin, &name, 1, 0,
					     s->session.timeout_ms, &view->described, &err);
	if (view->described != NULL)
		view->group = view->described->groups[0];
	return rc == 0 ? 0 : cli_error(&err);
}

static int list_offsets(struct cli_group_session *s, const char *name,
			struct cli_group_view *view)
{
	const struct klamm_group_offsets_query query = {.size = sizeof(query),
							.group = name};
	const struct klamm_group_offsets_query *pointer = &query;
	struct klamm_error err;
	int rc =
		klamm_admin_list_group_offsets(s->session.admin, &pointer, 1, 0,
					       s->session.timeout_ms, &view->offsets, &err);
	return rc == 0 ? 0 : cli_error(&err);
}

static int by_place(const void *a, const void *b)
{
	const struct cli_group_part *x = a, *y = b;
	return kl_order_partitions(x->topic, x->partition, y->topic, y->partition);
}

struct cli_group_part *cli_group_find(struct cli_group_view *view, const char *topic,
				      int32_t partition)
{
	const struct cli_group_part key = {.topic = topic, .partition = partition};
	return view->count == 0
		       ? NULL
		       : bsearch(&key, view->parts, view->count, sizeof(key), by_place);
}

static void add_committed(struct cli_group_view *view)
{
	const struct klamm_group_offsets *told = view->offsets->groups[0];
	for (size_t i = 0; i < told->count; i++) {
		const struct klamm_group_offset *offset = told->offsets[i];
		view->parts[view->count++] = (struct cli_group_part){
			.topic = offset->topic,
			.partition = offset->partition,
			.error = offset->error,
			.committed = offset->offset,
			.epoch = offset->leader_epoch,
			.metadata = offset->metadata,
		};
	}
}

/* What members have, whether something is committed for it or not. */
static void add_owned(struct cli_group_view *view)
{
	struct cli_group_view committed = *view;
	for (size_t i = 0; i < view->group->member_count; i++) {
		const struct klamm_group_member *m = view->group->members[i];
		for (size_t j = 0; j < m->assignment_count; j++) {
			const struct klamm_topic_partition *tp = &m->assignment[j];
			struct cli_group_part *part =
				cli_group_find(&committed, tp->topic, tp->partition);
			if (part == NULL) {
				part = &view->parts[view->count++];
				*part = (struct cli_group_part){
					.topic = tp->topic,
					.partition = tp->partition,
					.committed = -1,
					.epoch = -1,
					.metadata = "",
				};
			}
			part->owner = m;
		}
	}
	if (view->count > 0)
		qsort(view->parts, view->count, sizeof(*view->parts), by_place);
}

/* --- a view: what there is to read --- */

static const struct klamm_topic_description *topic_of(const struct klamm_topic_list *list,
						      const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->topics[i]->name, name) == 0)
			return list->topics[i];
	return NULL;
}

/* A look-up would wait for what does not exist, as it may come. */
static void mark_missing(struct cli_group_view *view, const struct klamm_topic_list *list)
{
	const struct klamm_topic_description *topic = NULL;
	for (size_t i = 0; i < view->count; i++) {
		struct cli_group_part *part = &view->parts[i];
		if (i == 0 || strcmp(view->parts[i - 1].topic, part->topic) != 0)
			topic = topic_of(list, part->topic);
		if (part->error == 0 && (topic == NULL || topic->error != 0))
			part->error = topic != NULL ? topic->error
						    : KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		else if (part->error == 0 &&
			 part->partition >= (int32_t)topic->partition_count)
			part->error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	}
}

static int find_missing(struct cli_group_session *s, struct cli_group_view *view)
{
	const char **names = cli_alloc(view->count * sizeof(*names));
	size_t n = 0;
	for (size_t i = 0; i < view->count; i++)
		if (n == 0 || strcmp(names[n - 1], view->parts[i].topic) != 0)
			names[n++] = view->parts[i].topic;
	struct klamm_topic_list *list;
	struct klamm_error err;
	int rc = klamm_admin_describe_topics(s->session.admin, names, n,
					     s->session.timeout_ms, &list, &err);
	free(names);
	if (rc != 0)
		return cli_error(&err);
	mark_missing(view, list);
	klamm_topic_list_free(list);
	return 0;
}

static int ask(struct cli_group_session *s, struct klamm_offset_query *queries, size_t n)
{
	struct klamm_error err;
	if (klamm_consumer_offsets(s->consumer, queries, n, s->session.timeout_ms, &err) !=
	    0)
		return cli_error(&err);
	return 0;
}

static int look_up(struct cli_group_session *s, struct cli_group_view *view, int64_t place)
{
	struct klamm_offset_query *queries = cli_alloc(view->count * sizeof(*queries));
	size_t n = 0;
	for (size_t i = 0; i < view->count; i++)
		if (view->parts[i].error == 0)
			queries[n++] = (struct klamm_offset_query){
				.size = sizeof(*queries),
				.topic = view->parts[i].topic,
				.partition = view->parts[i].partition,
				.timestamp_ms = place,
			};
	int rc = n > 0 ? ask(s, queries, n) : 0;
	n = 0;
	for (size_t i = 0; rc == 0 && i < view->count; i++) {
		struct cli_group_part *part = &view->parts[i];
		if (part->error != 0)
			continue;
		part->error = queries[n].error;
		*(place == KLAMM_OFFSET_END ? &part->end : &part->start) =
			queries[n].offset;
		n++;
	}
	free(queries);
	return rc;
}

static void count_lag(struct cli_group_view *view)
{
	view->lag = 0;
	for (size_t i = 0; i < view->count; i++) {
		struct cli_group_part *part = &view->parts[i];
		part->lag = part->end >= 0 && part->committed >= 0
				    ? kl_max(part->end - part->committed, (int64_t)0)
				    : -1;
		view->lag += kl_max(part->lag, (int64_t)0);
	}
}

int cli_group_look(struct cli_group_session *s, const char *name,
		   struct cli_group_view *view)
{
	*view = (struct cli_group_view){0};
	int rc = describe(s, name, view);
	if (rc == 0)
		rc = list_offsets(s, name, view);
	if (rc != 0)
		return rc;
	view->at_us = cli_now_us();
	size_t n = view->offsets->groups[0]->count;
	for (size_t i = 0; i < view->group->member_count; i++)
		n += view->group->members[i]->assignment_count;
	view->parts = cli_alloc(n * sizeof(*view->parts));
	add_committed(view);
	add_owned(view);
	for (size_t i = 0; i < view->count; i++)
		view->parts[i].start = view->parts[i].end = view->parts[i].lag = -1;
	if (view->count == 0)
		return 0;
	rc = find_missing(s, view);
	if (rc == 0)
		rc = look_up(s, view, KLAMM_OFFSET_BEGINNING);
	if (rc == 0)
		rc = look_up(s, view, KLAMM_OFFSET_END);
	count_lag(view);
	return rc;
}

void cli_group_view_free(struct cli_group_view *view)
{
	free(view->parts);
	klamm_group_descriptions_free(view->described);
	klamm_group_offsets_list_free(view->offsets);
	*view = (struct cli_group_view){0};
}

int cli_group_part_failed(const char *group, const char *topic, int32_t partition,
			  int32_t error)
{
	return cli_fail(CLI_FAILED, "group %s: %s [%d]: %s: %s", group, topic, partition,
			klamm_err_name(error), klamm_err_text(error));
}

int cli_group_tell_errors(const struct cli_group_view *view)
{
	int status = CLI_OK;
	for (size_t i = 0; i < view->count; i++) {
		const struct cli_group_part *part = &view->parts[i];
		if (part->error != 0)
			status = cli_group_part_failed(view->group->id, part->topic,
						       part->partition, part->error);
	}
	return status;
}

int cli_offsets_at(struct cli_group_session *s, const struct klamm_topic_partition *parts,
		   size_t count, int64_t place, int64_t *offsets)
{
	struct klamm_offset_query *queries = cli_alloc(count * sizeof(*queries));
	for (size_t i = 0; i < count; i++)
		queries[i] = (struct klamm_offset_query){
			.size = sizeof(*queries),
			.topic = parts[i].topic,
			.partition = parts[i].partition,
			.timestamp_ms = place,
		};
	int rc = count > 0 ? ask(s, queries, count) : 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (queries[i].error != 0)
			rc = cli_fail(CLI_FAILED, "%s [%d]: %s", parts[i].topic,
				      parts[i].partition, klamm_err_text(queries[i].error));
		offsets[i] = queries[i].offset;
	}
	free(queries);
	return rc;
}
