/* SPDX-License-Identifier: BSD-2-Clause */
/* Which partitions are assigned, and where each stands. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/consumer/consumer.h"

struct kl_ctopic *kl_ctopic_get(struct klamm_consumer *c, const char *name)
{
	struct kl_ctopic *topic = NULL;
	HASH_FIND_STR(c->topics, name, topic);
	if (topic != NULL)
		return topic;
	size_t len = strlen(name);
	topic = calloc(1, sizeof(*topic) + len + 1);
	if (topic == NULL)
		return NULL;
	memcpy(topic->name, name, len + 1);
	kl_list_init(&topic->parts);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	kl_mutex_lock(&c->mutex);
	HASH_ADD_STR(c->topics, name, topic);
	kl_mutex_unlock(&c->mutex);
	if (!added) {
		free(topic);
		return NULL;
	}
	kl_metrics_lock(&c->metrics);
	topic->next_metered = c->metered;
	c->metered = topic;
	kl_metrics_unlock(&c->metrics);
	return topic;
}

void kl_ctopic_want(struct klamm_consumer *c, struct kl_ctopic *topic)
{
	/* Again where memory was short before. */
	if (topic->wants++ > 0 && topic->info != NULL)
		return;
	topic->info = kl_cluster_want(&c->cluster, topic->name);
	if (topic->info != NULL)
		topic->info->user = topic;
	topic->told_error = 0;
}

void kl_ctopic_unwant(struct klamm_consumer *c, struct kl_ctopic *topic)
{
	if (--topic->wants > 0 || topic->info == NULL)
		return;
	kl_cluster_unwant(&c->cluster, topic->info);
	topic->info = NULL;
}

struct kl_cpart *kl_cpart_find(const struct klamm_consumer *c, const char *name,
			       int32_t partition)
{
	struct kl_ctopic *topic = NULL;
	HASH_FIND_STR(c->topics, name, topic);
	struct kl_cpart_key key = {topic, partition};
	struct kl_cpart *part = NULL;
	if (topic != NULL)
		HASH_FIND(hh, c->assigned, &key, sizeof(key), part);
	return part;
}

struct kl_cpart *kl_cpart_find_in_loop(struct klamm_consumer *c, const char *topic,
				       int32_t partition)
{
	kl_mutex_lock(&c->mutex);
	struct kl_cpart *part = kl_cpart_find(c, topic, partition);
	kl_mutex_unlock(&c->mutex);
	return part;
}

static int find(const struct klamm_consumer *c, const char *topic, int32_t partition,
		struct kl_cpart **part_out, struct klamm_error *err)
{
	*part_out = kl_cpart_find(c, topic, partition);
	if (*part_out == NULL)
		return kl_error(err, KLAMM_ERR_STATE,
				"topic %s partition %d is not assigned to this consumer",
				topic, partition);
	return 0;
}

void kl_cpart_unref(struct kl_cpart *part)
{
	if (atomic_fetch_sub(&part->refs, 1) != 1)
		return;
	kl_meters_free(part->meters, KL_CONSUMER_PART_METERS);
	free(part);
}

/* --- assigning --- */

static struct kl_cpart *part_new(struct kl_ctopic *topic, int32_t partition)
{
	struct kl_cpart *part = calloc(1, sizeof(*part));
	if (part == NULL)
		return NULL;
	part->key = (struct kl_cpart_key){topic, partition};
	part->topic = topic;
	part->partition = partition;
	atomic_init(&part->refs, 1);
	atomic_init(&part->high_watermark, -1);
	atomic_init(&part->end, -1);
	atomic_init(&part->start, -1);
	part->position = -1;
	part->epoch = -1;
	part->fetch_offset = part->fetch_epoch = part->epoch_from = -1;
	part->leader = part->leader_epoch = part->replica = -1;
	part->reset_to = KLAMM_OFFSET_RESET;
	struct kl_list *const lists[] = {&part->link,  &part->touched, &part->of_topic,
					 &part->dirty, &part->full};
	for (size_t i = 0; i < kl_countof(lists); i++)
		kl_list_init(lists[i]);
	return part;
}

static bool insert(struct kl_cpart **table, struct kl_cpart *part)
{
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, *table, key, sizeof(part->key), part);
	return added;
}

struct assign {
	struct klamm_consumer *c;
	struct kl_cpart *next; /* uthash; the new assignment, or what is added to it */
	bool failed;
};

static void drop_part(struct klamm_consumer *c, struct kl_cpart *part)
{
	part->assigned = false;
	part->generation++;
	kl_list_remove(&part->link);
	kl_fetcher_drop(c, part);
	kl_position_cancel(c, part);
	kl_committed_part_cancel(part);
	kl_results_drop(c, part);
	kl_ctopic_unwant(c, part->topic);
	kl_cpart_unref(part);
}

static void take_part(struct klamm_consumer *c, struct kl_cpart *part)
{
	part->assigned = true;
	part->since = c->group.membership.stamp;
	kl_ctopic_want(c, part->topic);
	kl_list_push(&c->parts, &part->link);
	if (c->group.id != NULL && !KL_BUG(COMMITTED_IGNORED))
		part->state = KL_CPART_COMMITTED;
	else
		kl_fetcher_reset(c, part);
	kl_fetcher_take(c, part);
}

/* The old table's partitions that are in the new one stand there as the same objects. */
static void assign_in_loop(void *arg)
{
	struct assign *assign = arg;
	struct klamm_consumer *c = assign->c;
	struct kl_cpart *part, *tmp, *kept;
	HASH_ITER(hh, c->assigned, part, tmp) {
		HASH_DEL(c->assigned, part);
		HASH_FIND(hh, assign->next, &part->key, sizeof(part->key), kept);
		if (kept == NULL) {
			drop_part(c, part);
			continue;
		}
		/* The stand-in goes, the old one takes its place. */
		HASH_DEL(assign->next, kept);
		free(kept);
		if (!insert(&assign->next, part))
			drop_part(c, part);
	}
	c->assigned = assign->next;
	HASH_ITER(hh, c->assigned, part, tmp)
		if (!part->assigned)
			take_part(c, part);
	kl_hook_add(c->loop, &c->round_hook);
}

static int build(struct klamm_consumer *c, const struct klamm_topic_partition *partitions,
		 size_t count, struct kl_cpart **table_out, struct klamm_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct klamm_topic_partition *tp = &partitions[i];
		if (tp->topic == NULL || tp->topic[0] == '\0' || tp->partition < 0)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"entry %zu of the assignment: topic \"%s\" "
					"partition %d",
					i, tp->topic ? tp->topic : "(null)", tp->partition);
		struct kl_ctopic *topic = kl_ctopic_get(c, tp->topic);
		struct kl_cpart *part = topic ? part_new(topic, tp->partition) : NULL;
		if (part == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory to assign");
		struct kl_cpart *twin;
		HASH_FIND(hh, *table_out, &part->key, sizeof(part->key), twin);
		if (twin != NULL) {
			free(part); /* named twice */
		} else if (!insert(table_out, part)) {
			free(part);
			return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory to assign");
		}
	}
	return 0;
}

static void free_table(struct kl_cpart *table)
{
	struct kl_cpart *part, *tmp;
	HASH_ITER(hh, table, part, tmp) {
		HASH_DEL(table, part);
		free(part);
	}
}

static bool leaves(const struct kl_cpart *part, void *arg)
{
	struct kl_cpart *next = arg, *kept;
	HASH_FIND(hh, next, &part->key, sizeof(part->key), kept);
	return kept == NULL;
}

int klamm_consumer_assign(struct klamm_consumer *c,
			  const struct klamm_topic_partition *partitions, size_t count,
			  struct klamm_error *err)
{
	int rc = kl_rebalance_check(c, "assigning partitions", err);
	if (rc != 0)
		return rc;
	if (c->group.membership.subscribed && count == 0)
		return klamm_consumer_unsubscribe(c, KLAMM_TIMEOUT_DEFAULT, err);
	if (c->group.membership.subscribed)
		return kl_error(err, KLAMM_ERR_STATE,
				"this consumer has subscribed to topics, so its group "
				"assigns: unsubscribe before assigning partitions");
	struct assign assign = {.c = c};
	rc = build(c, partitions, count, &assign.next, err);
	if (rc != 0) {
		free_table(assign.next);
		return rc;
	}
	kl_commit_before_leaving(c, leaves, assign.next);
	kl_loop_call(c->loop, assign_in_loop, &assign);
	return 0;
}

/* --- what a group gives and takes --- */

static void take_in_loop(void *arg)
{
	struct assign *assign = arg;
	struct klamm_consumer *c = assign->c;
	struct kl_cpart *part, *tmp, *own;
	c->group.membership.stamp++;
	for (part = c->assigned; KL_BUG(POSITION_FORGOTTEN) && part; part = part->hh.next)
		kl_fetcher_reset(c, part);
	HASH_ITER(hh, assign->next, part, tmp) {
		HASH_DEL(assign->next, part);
		HASH_FIND(hh, c->assigned, &part->key, sizeof(part->key), own);
		if (own != NULL) {
			free(part); /* it is there */
		} else if (insert(&c->assigned, part)) {
			take_part(c, part);
		} else {
			free(part);
			assign->failed = true;
		}
	}
	kl_hook_add(c->loop, &c->round_hook);
}

int kl_parts_take(struct klamm_consumer *c, const struct klamm_topic_partition *partitions,
		  size_t count, struct klamm_error *err)
{
	struct assign assign = {.c = c};
	int rc = build(c, partitions, count, &assign.next, err);
	if (rc != 0) {
		free_table(assign.next);
		return rc;
	}
	kl_loop_call(c->loop, take_in_loop, &assign);
	return assign.failed ? kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory to assign")
			     : 0;
}

void kl_parts_drop(struct klamm_consumer *c)
{
	struct kl_cpart *part, *tmp;
	c->group.membership.stamp++;
	HASH_ITER(hh, c->assigned, part, tmp) {
		if (!part->leaving)
			continue;
		HASH_DEL(c->assigned, part);
		drop_part(c, part);
	}
	kl_hook_add(c->loop, &c->round_hook);
}

/* --- seeking --- */

struct seek {
	struct klamm_consumer *c;
	struct kl_cpart *part;
	int64_t to; /* an offset, a KLAMM_OFFSET_..., or a time */
	bool is_time;
};

static void seek_in_loop(void *arg)
{
	struct seek *seek = arg;
	struct kl_cpart *part = seek->part;
	part->generation++;
	part->retry_at = 0;
	part->failures = 0;
	part->told_error = 0;
	kl_position_cancel(seek->c, part);
	kl_committed_part_cancel(part);
	kl_results_drop(seek->c, part);
	part->epoch = -1;
	atomic_store(&part->stopped, false);
	if (seek->to >= 0 && !seek->is_time) {
		part->position = part->fetch_offset = seek->to;
		part->fetch_epoch = part->epoch_from = -1;
		part->state = KL_CPART_READY;
	} else {
		part->position = part->fetch_offset = -1;
		part->state = KL_CPART_LOOK_UP;
		part->reset_to = seek->to;
		if (part->reset_to == KLAMM_OFFSET_RESET)
			kl_fetcher_reset(seek->c, part);
	}
	kl_fetcher_touch(seek->c, part);
}

static int seek(struct klamm_consumer *c, const char *topic, int32_t partition, int64_t to,
		bool is_time, struct klamm_error *err)
{
	struct seek seek = {.c = c, .to = to, .is_time = is_time};
	int rc = kl_consumer_check(c, true, err);
	if (rc == 0)
		rc = find(c, topic, partition, &seek.part, err);
	if (rc == 0)
		kl_loop_call(c->loop, seek_in_loop, &seek);
	return rc;
}

static int check_offset(int64_t offset, struct klamm_error *err)
{
	if (offset < KLAMM_OFFSET_RESET)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"offset %lld: must be 0 or more, or "
				"KLAMM_OFFSET_BEGINNING, _END or _RESET",
				(long long)offset);
	return 0;
}

int klamm_consumer_seek(struct klamm_consumer *c, const char *topic, int32_t partition,
			int64_t offset, struct klamm_error *err)
{
	int rc = check_offset(offset, err);
	return rc != 0 ? rc : seek(c, topic, partition, offset, false, err);
}

struct seek_all {
	struct klamm_consumer *c;
	int64_t to;
};

static void seek_all_in_loop(void *arg)
{
	struct seek_all *all = arg;
	struct kl_cpart *part, *tmp;
	HASH_ITER(hh, all->c->assigned, part, tmp) {
		struct seek seek = {.c = all->c, .part = part, .to = all->to};
		seek_in_loop(&seek);
	}
}

int klamm_consumer_seek_all(struct klamm_consumer *c, int64_t offset, struct klamm_error *err)
{
	struct seek_all all = {c, offset};
	int rc = kl_consumer_check(c, true, err);
	if (rc == 0)
		rc = check_offset(offset, err);
	if (rc == 0)
		kl_loop_call(c->loop, seek_all_in_loop, &all);
	return rc;
}

int klamm_consumer_seek_time(struct klamm_consumer *c, const char *topic, int32_t partition,
			     int64_t timestamp_ms, struct klamm_error *err)
{
	if (timestamp_ms < 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"timestamp %lld: must be milliseconds since 1970",
				(long long)timestamp_ms);
	return seek(c, topic, partition, timestamp_ms, true, err);
}

/* --- what is known of a partition --- */

int klamm_consumer_pause(struct klamm_consumer *c, const char *topic, int32_t partition,
			 bool paused, struct klamm_error *err)
{
	struct kl_cpart *part;
	int rc = kl_consumer_check(c, false, err);
	if (rc == 0)
		rc = find(c, topic, partition, &part, err);
	if (rc == 0) {
		part->paused = paused;
		atomic_store(&part->muted, paused);
		kl_results_touch(c, part);
	}
	return rc;
}

bool klamm_consumer_is_paused(const struct klamm_consumer *c, const char *topic,
			      int32_t partition)
{
	const struct kl_cpart *part = kl_cpart_find(c, topic, partition);
	return part != NULL && part->paused;
}

struct evict {
	struct klamm_consumer *c;
	bool any;
};

static void evict_in_loop(void *arg)
{
	struct evict *evict = arg;
	struct klamm_consumer *c = evict->c;
	kl_list_for(part, &c->parts, struct kl_cpart, link) {
		if (!part->paused || atomic_load(&part->queued_bytes) == 0 ||
		    part->position < 0)
			continue;
		evict->any = true;
		part->generation++;
		kl_position_cancel(c, part);
		kl_results_drop(c, part);
		part->fetch_offset = part->position;
		part->fetch_epoch = part->epoch;
		part->epoch_from = -1;
		part->state = KL_CPART_READY;
		kl_fetcher_touch(c, part);
	}
}

bool kl_subscription_evict(struct klamm_consumer *c)
{
	struct evict evict = {.c = c};
	kl_loop_call(c->loop, evict_in_loop, &evict);
	return evict.any;
}

static bool position_known(void *arg)
{
	struct seek *wait = arg;
	kl_results_positions(wait->c);
	return wait->part->position >= 0 || atomic_load(&wait->part->stopped);
}

int klamm_consumer_position(struct klamm_consumer *c, const char *topic, int32_t partition,
			    int64_t timeout_ms, int64_t *offset_out, struct klamm_error *err)
{
	struct seek wait = {.c = c};
	int rc = kl_consumer_check(c, true, err);
	if (rc == 0)
		rc = find(c, topic, partition, &wait.part, err);
	if (rc != 0)
		return rc;
	if (!kl_loop_wait(c->loop, &c->gate, position_known, &wait,
			  kl_os_deadline_ms(c->os, timeout_ms)))
		return kl_error(err, KLAMM_ERR_TIMED_OUT,
				"the position of topic %s partition %d is not known yet",
				topic, partition);
	if (wait.part->position < 0)
		return kl_error(err, KLAMM_ERR_NO_OFFSET,
				"topic %s partition %d has no position, and "
				"auto.offset.reset is none",
				topic, partition);
	*offset_out = wait.part->position;
	return 0;
}

bool klamm_consumer_at_end(const struct klamm_consumer *c, const char *topic,
			   int32_t partition)
{
	const struct kl_cpart *part = kl_cpart_find(c, topic, partition);
	if (part == NULL)
		return false;
	int64_t end = atomic_load(&part->end);
	return end >= 0 && part->position >= end;
}

int64_t klamm_consumer_high_watermark(const struct klamm_consumer *c, const char *topic,
				      int32_t partition)
{
	const struct kl_cpart *part = kl_cpart_find(c, topic, partition);
	return part != NULL ? atomic_load(&part->high_watermark) : -1;
}

int64_t klamm_consumer_lag(const struct klamm_consumer *c, const char *topic,
			   int32_t partition)
{
	const struct kl_cpart *part = kl_cpart_find(c, topic, partition);
	int64_t end = part != NULL ? atomic_load(&part->end) : -1;
	int64_t at = part != NULL ? atomic_load(&part->position) : -1;
	return end >= 0 && at >= 0 ? kl_max(end - at, (int64_t)0) : -1;
}

void kl_subscription_stop(struct klamm_consumer *c)
{
	struct kl_cpart *part, *tmp;
	HASH_ITER(hh, c->assigned, part, tmp) {
		HASH_DEL(c->assigned, part);
		part->assigned = false;
		kl_list_remove(&part->link);
		kl_fetcher_drop(c, part);
		kl_cpart_unref(part);
	}
}

void kl_subscription_free(struct klamm_consumer *c)
{
	struct kl_ctopic *topic, *tmp;
	HASH_ITER(hh, c->topics, topic, tmp) {
		HASH_DEL(c->topics, topic);
		kl_meters_free(topic->meters, KL_CONSUMER_TOPIC_METERS);
		free(topic);
	}
}
