/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a partition is read on: found by a look-up, and checked when another leader comes,
 * whose log may lack what was read (KIP-320). */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/fetch.h"

struct kl_part_lookup {
	struct kl_lookup lookup;
	struct kl_cpart *part; /* with a reference */
};

/* --- it stands here --- */

static void stand_at(struct klamm_consumer *c, struct kl_cpart *part, int64_t offset,
		     int32_t epoch)
{
	part->fetch_offset = offset;
	part->fetch_epoch = epoch;
	part->epoch_from = -1;
	part->state = KL_CPART_READY;
	part->failures = 0;
	part->told_error = 0;
	kl_fetcher_touch(c, part);
	struct kl_chunk *chunk = kl_chunk_get(c);
	if (chunk == NULL)
		return; /* the position is learned with the first batch */
	chunk->part = kl_cpart_ref(part);
	chunk->generation = part->generation;
	chunk->look_up_done = true;
	chunk->offset = offset;
	chunk->leader_epoch = epoch;
	kl_results_push(c, chunk);
}

void kl_position_found(struct klamm_consumer *c, struct kl_cpart *part, int64_t offset,
		       int32_t epoch)
{
	stand_at(c, part, offset, epoch);
	/* The log that it was committed of may not be the leader's. */
	if (epoch >= 0)
		part->state = KL_CPART_CHECK;
}

/* --- what was read is gone --- */

/* On from another offset (-1: from where auto.offset.reset says), unless that is the
 * application's to decide. */
static void go_back(struct klamm_consumer *c, struct kl_cpart *part, const char *why,
		    int64_t to, int32_t epoch)
{
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_LOG_TRUNCATION,
		 "topic %s partition %d: %s, and auto.offset.reset is none: seek to where to "
		 "go on",
		 part->topic->name, part->partition, why);
	if (c->settings->auto_offset_reset == KL_RESET_NONE) {
		part->state = KL_CPART_STOPPED;
		part->reset_to = KLAMM_OFFSET_END; /* not to be told of as one without any */
		part->told_error = err.code;
		atomic_store(&part->stopped, true);
		kl_results_error(c, part, &err);
		return;
	}
	kl_log(&c->log, KL_LOG_WARN, "consumer", "topic %s partition %d: %s",
	       part->topic->name, part->partition, why);
	if (to >= 0)
		stand_at(c, part, to, epoch);
	else
		kl_fetcher_reset(c, part);
}

void kl_position_judge(struct klamm_consumer *c, struct kl_cpart *part, int32_t epoch,
		       int64_t end)
{
	char why[160];
	bool known = epoch >= 0 && end >= 0;
	/* Of an epoch that the leader does not have, nothing that was read is in its log. */
	if (known && epoch < part->fetch_epoch && part->epoch_from >= 0)
		end = kl_min(end, part->epoch_from);
	part->state = KL_CPART_READY;
	kl_fetcher_touch(c, part);
	if (known && end >= part->fetch_offset) {
		part->fetch_epoch = kl_min(epoch, part->fetch_epoch);
		return;
	}
	int n = snprintf(why, sizeof(why), "its log was truncated, it was read up to offset "
			 "%lld", (long long)part->fetch_offset);
	if (known)
		snprintf(why + n, sizeof(why) - (size_t)n, " and has another end since %lld",
			 (long long)end);
	go_back(c, part, why, known ? end : -1, epoch);
}

static void made_again(struct klamm_consumer *c, struct kl_cpart *part)
{
	if (part->state != KL_CPART_READY && part->state != KL_CPART_CHECK)
		return;
	kl_position_cancel(c, part);
	go_back(c, part, "its topic was deleted and made again", -1, -1);
}

void kl_position_new_topic(struct klamm_consumer *c, struct kl_cpart *part)
{
	const struct klamm_uuid *id = &part->topic->info->id;
	bool another = !kl_uuid_is_zero(&part->topic_id);
	if (kl_uuid_is_zero(id) || kl_uuid_equal(id, &part->topic_id))
		return;
	part->topic_id = *id;
	if (another)
		made_again(c, part);
}

/* --- another leader --- */

void kl_position_new_leader(struct kl_cpart *part, const struct kl_partition_info *at)
{
	part->leader = at->leader;
	part->leader_epoch = at->leader_epoch;
	if (part->state == KL_CPART_READY && part->fetch_epoch >= 0 && at->leader_epoch >= 0)
		part->state = KL_CPART_CHECK;
}

/* --- look-ups --- */

/* Told once, and tried again: an ACL may be missing that is made in a minute. */
static void failed(struct klamm_consumer *c, struct kl_cpart *part, int code)
{
	kl_fetch_later(c, part);
	if (part->told_error == code)
		return;
	struct klamm_error err;
	kl_error(&err, code, "topic %s partition %d: its offset cannot be %s: %s: %s",
		 part->topic->name, part->partition,
		 part->state == KL_CPART_CHECK ? "checked" : "looked up",
		 klamm_err_name(code), klamm_err_text(code));
	part->told_error = code;
	kl_results_error(c, part, &err);
}

static void on_offset(struct klamm_consumer *c, struct kl_cpart *part,
		      const struct kl_lookup *lookup)
{
	if (lookup->offset >= 0)
		/* Its epoch is not kept: there is nothing that was read of it. */
		stand_at(c, part, lookup->offset, -1);
	else /* no record that late: the end, as the header says of seek_time() */
		part->reset_to = KLAMM_OFFSET_END;
}

static void on_epoch(struct klamm_consumer *c, struct kl_cpart *part,
		     const struct kl_lookup *lookup)
{
	/* Otherwise another leader has come since, and is asked next. */
	if (lookup->asked_epoch == part->leader_epoch)
		kl_position_judge(c, part, lookup->leader_epoch, lookup->offset);
}

static void part_done(struct klamm_consumer *c, struct kl_lookup *lookup, int code)
{
	struct kl_part_lookup *own = kl_container(lookup, struct kl_part_lookup, lookup);
	struct kl_cpart *part = own->part;
	part->lookup = NULL;
	kl_fetcher_touch(c, part);
	if (c->stopping) {
		/* Nobody wants to know any more. */
	} else if (lookup->kind == KL_LOOKUP_EPOCH && code == KLAMM_ERR_UNSUPPORTED) {
		part->state = KL_CPART_READY; /* brokers before 2.3 cannot tell */
	} else if (code != 0) {
		failed(c, part, code);
	} else if (lookup->kind == KL_LOOKUP_EPOCH) {
		on_epoch(c, part, lookup);
	} else {
		on_offset(c, part, lookup);
	}
	kl_cpart_unref(part);
	free(own);
}

bool kl_position_look_up(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_part_lookup *own = calloc(1, sizeof(*own));
	if (own == NULL)
		return false;
	own->part = kl_cpart_ref(part);
	own->lookup.topic = part->topic;
	own->lookup.partition = part->partition;
	own->lookup.timestamp = part->reset_to;
	own->lookup.epoch = part->fetch_epoch;
	own->lookup.kind =
		part->state == KL_CPART_CHECK ? KL_LOOKUP_EPOCH : KL_LOOKUP_OFFSET;
	own->lookup.done = part_done;
	part->lookup = own;
	kl_lookup_start(c, &own->lookup);
	return true;
}

void kl_position_cancel(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_part_lookup *own = part->lookup;
	if (own == NULL)
		return;
	part->lookup = NULL;
	kl_lookup_cancel(c, &own->lookup);
	kl_cpart_unref(part);
	free(own);
}
