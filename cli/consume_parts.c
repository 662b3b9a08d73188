/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm consume: which partitions are read, from where to where. */
#include <stdlib.h>

#include "cli/consume.h"

/* --- topics --- */

/* A topic that was made a moment ago is not known to every broker yet. */
#define LATE_MS 5000
#define LOOK_MS 100

static void wait_for_topic(struct cli_consume *c)
{
	struct klamm_error err;
	int64_t until = cli_now_us() + LOOK_MS * KL_MS;
	int64_t left;
	while ((left = until - cli_now_us()) > 0)
		klamm_loop_step(c->loop, left / KL_MS + 1, &err);
}

static int no_topic(const char *topic, int64_t waited_ms)
{
	return cli_fail(CLI_USAGE,
			"topic %s is not there, and did not come in %lld s: klamm topic "
			"list says what there is, klamm topic create makes a topic",
			topic, (long long)(waited_ms / 1000));
}

int cli_consume_count(struct cli_consume *c, const char *topic, int32_t *count_out)
{
	int64_t patience_ms = kl_min(c->timeout_ms, (int64_t)LATE_MS);
	int64_t until = cli_now_us() + patience_ms * KL_MS;
	struct klamm_error err;
	for (bool told = !cli_may_chat(c->cli);; told = true) {
		int rc = klamm_consumer_partitions_for(c->consumer, topic, c->timeout_ms,
						       count_out, &err);
		if (rc == 0)
			return 0;
		if (rc != KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION)
			return cli_error(&err);
		if (cli_now_us() >= until)
			return no_topic(topic, patience_ms);
		if (!told)
			cli_fail(0, "topic %s is not there: waiting whether it is being made",
				 topic);
		wait_for_topic(c);
	}
}

/* --- which partitions --- */

struct cli_consume_part *cli_consume_find(struct cli_consume *c, const char *topic,
					  int32_t partition)
{
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i].partition == partition &&
		    strcmp(c->parts[i].topic, topic) == 0)
			return &c->parts[i];
	return NULL;
}

struct cli_consume_part *cli_consume_add(struct cli_consume *c, const char *topic,
					 int32_t partition)
{
	struct cli_consume_part *part = cli_consume_find(c, topic, partition);
	if (part != NULL)
		return part;
	struct cli_consume_part *parts =
		reallocarray(c->parts, c->part_count + 1, sizeof(*parts));
	if (parts == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	c->parts = parts;
	part = &parts[c->part_count++];
	*part = (struct cli_consume_part){
		.topic = topic,
		.partition = partition,
		.printed = -1,
		.committed = -1,
		.epoch = -1,
	};
	return part;
}

static int add_listed(struct cli_consume *c, const char *topic, int32_t partitions)
{
	const char *text = c->options->partitions;
	long long low, high;
	while (*text != '\0' && cli_range_next(&text, &low, &high)) {
		if (high >= partitions)
			return cli_usage(c->cli, "-p %lld: %s has %d partitions", high,
					 topic, partitions);
		for (; low <= high; low++)
			cli_consume_add(c, topic, (int32_t)low);
	}
	return 0;
}

static int find_parts(struct cli_consume *c)
{
	for (size_t t = 0; t < c->topics->n; t++) {
		const char *topic = c->topics->v[t];
		int32_t n;
		int rc = cli_consume_count(c, topic, &n);
		if (rc != 0)
			return rc;
		if (c->options->partitions != NULL)
			rc = add_listed(c, topic, n);
		else
			for (int32_t i = 0; i < n; i++)
				cli_consume_add(c, topic, i);
		if (rc != 0)
			return rc;
	}
	c->parts_open = c->part_count;
	return 0;
}

/* --- where to begin, where to end --- */

int cli_consume_offsets(struct cli_consume *c, size_t from, int64_t place, size_t member)
{
	size_t n = c->part_count - from;
	struct cli_consume_part *parts = c->parts + from;
	struct klamm_offset_query *queries = cli_alloc(n * sizeof(*queries));
	for (size_t i = 0; i < n; i++)
		queries[i] = (struct klamm_offset_query){
			.size = sizeof(*queries),
			.topic = parts[i].topic,
			.partition = parts[i].partition,
			.timestamp_ms = place,
		};
	struct klamm_error err;
	int rc = 0;
	if (klamm_consumer_offsets(c->consumer, queries, n, c->timeout_ms, &err) != 0)
		rc = cli_interrupted() ? CLI_INTERRUPTED : cli_error(&err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (queries[i].error != 0)
			rc = cli_fail(CLI_FAILED, "%s [%d]: %s", queries[i].topic,
				      queries[i].partition,
				      klamm_err_text(queries[i].error));
		*(int64_t *)((char *)&parts[i] + member) = queries[i].offset;
	}
	free(queries);
	return rc;
}

static int seek_part(struct cli_consume *c, const struct cli_consume_part *part,
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
		return klamm_consumer_seek_time(c->consumer, part->topic, part->partition,
						c->place.n, err);
	}
	return klamm_consumer_seek(c->consumer, part->topic, part->partition, offset, err);
}

static int begin(struct cli_consume *c)
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

static int64_t until_of(const struct cli_consume *c, const struct cli_consume_part *part)
{
	switch (c->until.kind) {
	case CLI_PLACE_OFFSET:
		return c->until.n;
	case CLI_PLACE_TAIL:
		return part->end - kl_min(c->until.n, part->end);
	default: /* it was looked up */
		return part->until;
	}
}

/* The end, but for a place before it. */
static int end_before(struct cli_consume *c)
{
	int64_t place = c->until.kind == CLI_PLACE_START ? KLAMM_OFFSET_BEGINNING
			: c->until.kind == CLI_PLACE_END ? KLAMM_OFFSET_END
							 : c->until.n;
	int rc = 0;
	if (c->until.kind != CLI_PLACE_OFFSET && c->until.kind != CLI_PLACE_TAIL)
		rc = cli_consume_offsets(c, 0, place,
					 offsetof(struct cli_consume_part, until));
	for (size_t i = 0; rc == 0 && i < c->part_count; i++) {
		int64_t until = until_of(c, &c->parts[i]);
		if (until >= 0)
			c->parts[i].end = kl_min(c->parts[i].end, until);
	}
	return rc;
}

int cli_consume_assign(struct cli_consume *c)
{
	int rc = find_parts(c);
	bool tail = c->place.kind == CLI_PLACE_TAIL;
	if (rc == 0 && tail)
		rc = cli_consume_offsets(c, 0, KLAMM_OFFSET_BEGINNING,
					 offsetof(struct cli_consume_part, first));
	if (rc == 0 && (tail || c->options->exit_at_end))
		rc = cli_consume_offsets(c, 0, KLAMM_OFFSET_END,
					 offsetof(struct cli_consume_part, end));
	if (rc == 0)
		rc = begin(c); /* which goes by where the partitions really end */
	return rc == 0 && c->options->until != NULL ? end_before(c) : rc;
}
