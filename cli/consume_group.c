/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm consume -g: partitions that a group assigns. A record is committed once it was written
 * to standard output, so each is printed at least once, whatever ends this program. */
#include <stdlib.h>

#include "cli/consume.h"
#include "core/conf/conf.h"

/* How long a member that -e shall end waits for a partition: with cooperative assignors it
 * gets its first ones a rebalance after it has joined. */
#define SPARE_US (3000 * KL_MS)

/* --- settings --- */

static int set(struct klamm_conf *conf, const char *key, const char *value,
	       const char *from)
{
	struct klamm_error err;
	return kl_conf_set_from(conf, key, value, from, &err) == 0 ? 0 : cli_error(&err);
}

/* Where partitions begin that nothing is committed for. */
static int set_reset(struct cli_consume *c, struct klamm_conf *conf)
{
	static const char key[] = "auto.offset.reset";
	if (c->options->place == NULL && kl_conf_is_set(conf, key))
		return 0;
	switch (c->place.kind) {
	case CLI_PLACE_START:
	case CLI_PLACE_TIME: /* sought as partitions come: see begin_at_time() */
		return set(conf, key, "earliest", "-o");
	case CLI_PLACE_END:
		return set(conf, key, "latest", "-o");
	default:
		return cli_usage(c->cli,
				 "-o %s: a group goes on where it was: start, end or a "
				 "time say where it begins; see klamm group seek",
				 c->options->place);
	}
}

int cli_consume_group_conf(struct cli_consume *c, struct klamm_conf *conf)
{
	const struct kl_settings *settings;
	struct klamm_error err;
	int rc = set(conf, "group.id", c->group, "-g");
	if (rc == 0)
		rc = set_reset(c, conf);
	if (rc != 0)
		return rc;
	/* Positions are ahead of what was written; this program commits for itself. */
	if (kl_conf_settings(conf, KLAMM_ROLE_CONSUMER, &settings, &err) != 0)
		return cli_error(&err);
	c->commits = settings->enable_auto_commit;
	c->commit_every_us = settings->auto_commit_interval_ms * KL_MS;
	c->commit_at = cli_now_us() + c->commit_every_us;
	return cli_never_commit(conf);
}

/* --- what is printed, and what is committed of it --- */

void cli_consume_printed(struct cli_consume *c, struct cli_consume_part *part,
			 const struct klamm_record_view *view)
{
	int64_t position;
	if (c->group == NULL)
		return;
	if (view != NULL) {
		part->printed = view->offset + 1;
		part->epoch = view->leader_epoch;
	} else if (klamm_consumer_position(c->consumer, part->topic, part->partition, 0,
					   &position, NULL) == 0 &&
		   position > part->printed) {
		/* Behind a whole batch there may be offsets without a record. */
		part->printed = position;
	}
}

/* Of the parts that pass, or of all; those that were committed so already only if `again`. */
static size_t collect(struct cli_consume *c, bool again, struct klamm_offset *offsets)
{
	size_t n = 0;
	for (size_t i = 0; i < c->part_count; i++) {
		struct cli_consume_part *part = &c->parts[i];
		if (part->printed < 0 || (!again && part->printed == part->committed))
			continue;
		part->committed = part->printed;
		offsets[n++] = (struct klamm_offset){
			.topic = part->topic,
			.partition = part->partition,
			.leader_epoch = part->epoch,
			.offset = part->printed,
		};
	}
	return n;
}

/* The next one takes all along again. */
static void on_committed(void *arg, const struct klamm_offset *offsets, size_t count,
			 const struct klamm_error *err)
{
	struct cli_consume *c = arg;
	if (err == NULL)
		return;
	cli_error(err);
	for (size_t i = 0; i < c->part_count; i++)
		c->parts[i].committed = -1;
}

void cli_consume_commit_due(struct cli_consume *c)
{
	if (c->group == NULL || !c->commits || cli_now_us() < c->commit_at)
		return;
	c->commit_at = cli_now_us() + c->commit_every_us;
	if (!cli_consume_flush(c))
		return;
	struct klamm_offset *offsets = cli_alloc(c->part_count * sizeof(*offsets));
	size_t n = collect(c, false, offsets);
	struct klamm_error err;
	if (n > 0 &&
	    klamm_consumer_commit_async(c->consumer, offsets, n, on_committed, c, &err))
		cli_error(&err);
	free(offsets);
}

/* The same at once, and for good. */
static int commit_now(struct cli_consume *c)
{
	if (!c->commits || !cli_consume_flush(c))
		return 0;
	struct klamm_offset *offsets = cli_alloc(c->part_count * sizeof(*offsets));
	size_t n = collect(c, true, offsets);
	struct klamm_error err;
	int rc = n == 0 ? 0
			: klamm_consumer_commit(c->consumer, offsets, n, c->timeout_ms,
						&err);
	free(offsets);
	return rc == 0 ? 0 : cli_error(&err);
}

/* --- rebalances --- */

static void notice(const struct cli_consume *c, const char *what,
		   const struct klamm_topic_partition *v, size_t n)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	cli_put_partitions(&b, v, n);
	cli_fail(0, "group %s: %s %s", c->group, what, kl_buf_text(&b));
}

static void count_open(struct cli_consume *c)
{
	c->parts_open = 0;
	for (size_t i = 0; i < c->part_count; i++)
		c->parts_open += !c->parts[i].done;
	if (c->part_count > 0)
		c->idle_since = 0;
	else if (c->idle_since == 0)
		c->idle_since = cli_now_us();
}

/* auto.offset.reset knows times only as so long before the reset, which comes late: after
 * joining, or hours later. The parts from `from` on that nothing is committed for. */
static int begin_at_time(struct cli_consume *c, size_t from)
{
	size_t n = c->part_count - from;
	struct klamm_committed *entries = cli_alloc(n * sizeof(*entries));
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct klamm_committed){
			.size = sizeof(*entries),
			.topic = c->parts[from + i].topic,
			.partition = c->parts[from + i].partition,
		};
	struct klamm_error err;
	int rc;
	do /* the group waits for its coordinator as long as it takes, too */
		rc = klamm_consumer_committed(c->consumer, entries, n, c->timeout_ms, &err);
	while (rc != 0 && klamm_err_retriable(rc) && !cli_interrupted());
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (entries[i].offset < 0)
			rc = klamm_consumer_seek_time(c->consumer, entries[i].topic,
						      entries[i].partition, c->place.n,
						      &err);
	free(entries);
	if (rc != 0)
		return cli_interrupted() ? CLI_INTERRUPTED : cli_error(&err);
	return 0;
}

static void on_assigned(void *arg, struct klamm_consumer *consumer,
			const struct klamm_topic_partition *v, size_t n)
{
	struct cli_consume *c = arg;
	size_t before = c->part_count;
	if (c->cli->verbosity > 0)
		notice(c, "assigned", v, n);
	for (size_t i = 0; i < n; i++)
		if (cli_consume_find(c, v[i].topic, v[i].partition) == NULL) {
			char *topic = cli_alloc(strlen(v[i].topic));
			strcpy(topic, v[i].topic);
			cli_consume_add(c, topic, v[i].partition);
		}
	if (c->place.kind == CLI_PLACE_TIME && c->part_count > before)
		c->status = begin_at_time(c, before);
	if (c->status == 0 && c->options->exit_at_end && c->part_count > before)
		c->status = cli_consume_offsets(c, before, KLAMM_OFFSET_END,
						offsetof(struct cli_consume_part, end));
	count_open(c);
}

static void forget(struct cli_consume *c, const struct klamm_topic_partition *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cli_consume_part *part =
			cli_consume_find(c, v[i].topic, v[i].partition);
		if (part == NULL)
			continue;
		free((void *)part->topic);
		*part = c->parts[--c->part_count];
	}
	count_open(c);
}

static void on_revoked(void *arg, struct klamm_consumer *consumer,
		       const struct klamm_topic_partition *v, size_t n)
{
	struct cli_consume *c = arg;
	if (c->cli->verbosity > 0)
		notice(c, "revoked", v, n);
	if (n > 0)
		commit_now(c); /* what fails was told; the next reader repeats it */
	forget(c, v, n);
}

static void on_lost(void *arg, struct klamm_consumer *consumer,
		    const struct klamm_topic_partition *v, size_t n)
{
	struct cli_consume *c = arg;
	if (n > 0 && !c->cli->quiet)
		notice(c, "lost, so that others may print some records again:", v, n);
	forget(c, v, n);
}

bool cli_consume_at_end(const struct cli_consume *c)
{
	if (c->group == NULL || c->part_count > 0)
		return c->parts_open == 0;
	return c->idle_since != 0 && cli_now_us() - c->idle_since > SPARE_US;
}

/* --- joining and leaving --- */

/* A misspelt topic would be waited for. */
static int check_topics(struct cli_consume *c)
{
	for (size_t i = 0; i < c->topics->n; i++) {
		int32_t n;
		int rc = cli_consume_count(c, c->topics->v[i], &n);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int cli_consume_subscribe(struct cli_consume *c)
{
	const struct klamm_listener listener = {
		.size = sizeof(listener),
		.arg = c,
		.assigned = on_assigned,
		.revoked = on_revoked,
		.lost = on_lost,
	};
	struct klamm_error err;
	int rc = c->regex == NULL ? check_topics(c) : 0;
	if (rc != 0)
		return rc;
	if (c->regex != NULL)
		rc = klamm_consumer_subscribe_pattern(c->consumer, c->regex, &listener,
						      &err);
	else
		rc = klamm_consumer_subscribe(c->consumer, c->topics->v, c->topics->n,
					      &listener, &err);
	return rc == 0 ? 0 : cli_error(&err);
}

int cli_consume_leave(struct cli_consume *c, int status)
{
	int rc = commit_now(c);
	c->commits = false; /* the listener is called once more */
	klamm_consumer_close(c->consumer, c->timeout_ms, NULL);
	for (size_t i = 0; i < c->part_count; i++)
		free((void *)c->parts[i].topic);
	c->part_count = 0;
	return status != 0 ? status : rc;
}
