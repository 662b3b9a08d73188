/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics that are produced to: handles, tables of partitions, and waiting for metadata. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/reach.h"
#include "core/producer/producer.h"

#define TOPIC_NAME_MAX 249

/* A block of partitions, or a table of pointers that is not the newest any more: both stay
 * until the topic goes, because send() may be looking. */
struct table {
	struct kl_list link;
	void *memory; /* aligned, by free() */
};

static int check_name(const char *name, struct klamm_error *err)
{
	size_t len = strlen(name);
	size_t good = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-");
	if (len == 0 || len > TOPIC_NAME_MAX)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"topic name of %zu bytes: must be 1 to %d", len,
				TOPIC_NAME_MAX);
	if (good != len)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"topic name \"%.100s\": only letters, digits, '.', '_' and "
				"'-' are allowed",
				name);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"topic name \"%s\" is not allowed", name);
	return 0;
}

void kl_topic_refresh(struct klamm_producer *p, struct klamm_topic *topic)
{
	if (topic->info != NULL) {
		kl_cluster_refresh(&p->cluster, topic->info);
		return;
	}
	topic->info = kl_cluster_want(&p->cluster, topic->name);
	if (topic->info == NULL) {
		atomic_store(&topic->error, KLAMM_ERR_NO_MEMORY);
		atomic_fetch_add(&topic->answers, 1);
		kl_gate_wake(p->os, &p->gate);
		return;
	}
	topic->info->user = topic;
}

/* metadata.max.idle.ms: nothing was sent for so long, and nothing is on its way. */
static bool is_idle(const struct klamm_producer *p, const struct klamm_topic *topic)
{
	if (p->loop->now - topic->used_at < p->settings->metadata_max_idle_ms * KL_MS ||
	    atomic_load(&topic->waiters) > 0)
		return false;
	struct kl_partition **table = atomic_load(&topic->partitions);
	for (int32_t i = 0; i < topic->table_count; i++)
		if (table[i]->in_flight || table[i]->opened_id != 0 ||
		    !kl_list_empty(&table[i]->queue) || atomic_load(&table[i]->dirty))
			return false;
	return true;
}

/* The next record asks for it again. */
static void forget(struct klamm_producer *p, struct klamm_topic *topic)
{
	atomic_store(&topic->partition_count, 0);
	atomic_store(&topic->error, 0);
	topic->info->user = NULL;
	kl_cluster_unwant(&p->cluster, topic->info);
	topic->info = NULL;
}

static void want(struct kl_task *task)
{
	struct klamm_topic *topic = kl_container(task, struct klamm_topic, want_task);
	struct klamm_producer *p = topic->producer;
	if (p->stopping)
		return;
	if (topic->info != NULL && is_idle(p, topic)) {
		forget(p, topic);
		return;
	}
	if (topic->info == NULL)
		topic->used_at = p->loop->now;
	kl_topic_refresh(p, topic);
}

static struct klamm_topic *topic_new(struct klamm_producer *p, const char *name)
{
	size_t len = strlen(name);
	struct klamm_topic *topic = calloc(1, sizeof(*topic) + len + 1);
	if (topic == NULL)
		return NULL;
	memcpy(topic->name, name, len + 1);
	topic->producer = p;
	topic->want_task.fn = want;
	atomic_init(&topic->refs, 1); /* the table of topics */
	atomic_init(&topic->sticky, -1);
	atomic_init(&topic->ratio, 256);
	uint64_t seed;
	p->os->random(p->os, &seed, sizeof(seed));
	atomic_init(&topic->random, seed);
	kl_mutex_init(&topic->available_mutex);
	kl_list_init(&topic->tables);
	return topic;
}

static void topic_free(struct klamm_topic *topic)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&topic->tables)) != NULL) {
		struct table *table = kl_list_entry(link, struct table, link);
		free(table->memory);
		free(table);
	}
	kl_mutex_destroy(&topic->available_mutex);
	kl_meters_free(topic->meters, KL_PRODUCER_TOPIC_METERS);
	free(topic->available);
	free(topic);
}

int klamm_producer_topic(struct klamm_producer *p, const char *name,
			 struct klamm_topic **topic_out, struct klamm_error *err)
{
	int rc = check_name(name, err);
	if (rc != 0)
		return rc;
	if (kl_producer_is_closed(p))
		return kl_producer_state_error(p, err);
	kl_mutex_lock(&p->mutex);
	if (kl_producer_is_over(p)) { /* a drain goes through the table without the mutex */
		kl_mutex_unlock(&p->mutex);
		return kl_producer_state_error(p, err);
	}
	struct klamm_topic *topic = NULL;
	HASH_FIND_STR(p->topics, name, topic);
	bool is_new = topic == NULL;
	if (is_new && (topic = topic_new(p, name)) != NULL) {
		bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
		HASH_ADD_STR(p->topics, name, topic);
		if (!added) {
			topic_free(topic);
			topic = NULL;
		} else {
			topic->number = p->topic_number++;
		}
	}
	if (topic != NULL)
		atomic_fetch_add(&topic->refs, 1);
	kl_mutex_unlock(&p->mutex);
	if (topic == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a topic");
	atomic_fetch_add(&p->refs, 1);
	if (is_new)
		kl_loop_post(p->loop, &topic->want_task);
	*topic_out = topic;
	return 0;
}

/* The application's reference keeps the producer's shell, the table's does not. */
void klamm_topic_unref(struct klamm_topic *topic)
{
	if (topic == NULL)
		return;
	struct klamm_producer *p = topic->producer;
	if (atomic_fetch_sub(&topic->refs, 1) == 1)
		topic_free(topic);
	kl_producer_unref(p);
}

const char *klamm_topic_name(const struct klamm_topic *topic)
{
	return topic->name;
}

/* --- what metadata says --- */

static bool keep(struct klamm_topic *topic, void *memory)
{
	struct table *table = malloc(sizeof(*table));
	if (table == NULL)
		return false;
	table->memory = memory;
	kl_list_push(&topic->tables, &table->link);
	return true;
}

static void init_partition(struct kl_partition *part, struct klamm_topic *topic, int32_t index)
{
	memset(part, 0, sizeof(*part));
	part->topic = topic;
	part->index = index;
	kl_list_init(&part->sealed);
	kl_list_init(&part->queue);
	kl_list_init(&part->flying);
	kl_list_init(&part->lingering);
	kl_list_init(&part->sendable);
	kl_list_init(&part->adding);
	kl_sequences_init(&part->sequences);
}

/* New partitions get a block of their own; old ones stay where they are. */
static bool grow(struct klamm_topic *topic, int32_t count)
{
	int32_t have = topic->table_count;
	struct kl_partition *block = NULL;
	struct kl_partition **table = calloc((size_t)count, sizeof(*table));
	size_t bytes = (size_t)(count - have) * sizeof(*block);
	if (table == NULL || posix_memalign((void **)&block, KL_CACHE_LINE, bytes) != 0) {
		free(table);
		return false;
	}
	if (!keep(topic, block)) {
		free(block);
		free(table);
		return false;
	}
	if (!keep(topic, table)) {
		free(table);
		return false; /* the block is kept, unused */
	}
	if (have > 0)
		memcpy(table, atomic_load(&topic->partitions), (size_t)have * sizeof(*table));
	for (int32_t i = have; i < count; i++) {
		table[i] = &block[i - have];
		init_partition(table[i], topic, i);
	}
	atomic_store(&topic->partitions, table);
	topic->table_count = count;
	return true;
}

/* For partitioners that ask for it. */
static bool list_available(struct klamm_topic *topic, const struct kl_topic_info *info)
{
	int32_t *list = calloc((size_t)kl_max(info->partition_count, 1), sizeof(*list));
	if (list == NULL)
		return false;
	int32_t n = 0;
	for (int32_t i = 0; i < info->partition_count; i++)
		if (info->partitions[i].leader >= 0)
			list[n++] = i;
	kl_mutex_lock(&topic->available_mutex);
	free(topic->available);
	topic->available = list;
	topic->available_count = n;
	kl_mutex_unlock(&topic->available_mutex);
	return true;
}

static bool is_near(struct klamm_producer *p, int32_t leader)
{
	if (leader < 0 || !p->settings->partitioner_rack_aware)
		return false;
	const char *rack = kl_cluster_rack(&p->cluster, leader);
	return rack != NULL && strcmp(rack, p->settings->client_rack) == 0;
}

static void mark_leaders(struct klamm_topic *topic, const struct kl_topic_info *info)
{
	struct kl_partition **table = atomic_load(&topic->partitions);
	for (int32_t i = 0; i < topic->table_count; i++) {
		int32_t leader = i < info->partition_count ? info->partitions[i].leader : -1;
		atomic_store(&table[i]->no_leader, leader < 0);
		atomic_store(&table[i]->is_near, is_near(topic->producer, leader));
	}
}

void kl_topic_update(struct klamm_producer *p, struct kl_topic_info *info)
{
	struct klamm_topic *topic = info->user;
	if (topic == NULL)
		return;
	atomic_store(&topic->error, info->error);
	bool ok = true;
	if (info->partition_count > topic->table_count)
		ok = grow(topic, info->partition_count);
	if (ok && (p->partitioner_flags & KLAMM_PARTITIONER_NEEDS_AVAILABLE) != 0)
		ok = list_available(topic, info);
	if (ok) {
		mark_leaders(topic, info);
		atomic_store(&topic->partition_count, info->partition_count);
	} else {
		atomic_store(&topic->error, KLAMM_ERR_NO_MEMORY);
	}
	atomic_fetch_add(&topic->answers, 1);
	kl_gate_wake(p->os, &p->gate);
	/* Who waits for more than this wants to hear soon; who sends nothing, not at all. */
	if (atomic_load(&topic->waiters) > 0)
		kl_cluster_refresh(&p->cluster, info);
	else if (is_idle(p, topic))
		kl_loop_post(p->loop, &topic->want_task);
}

void kl_topics_stop(struct klamm_producer *p)
{
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, p->topics, topic, tmp) {
		kl_loop_unpost(p->loop, &topic->want_task);
		if (topic->info != NULL)
			topic->info->user = NULL;
		topic->info = NULL;
	}
}

void kl_topics_free(struct klamm_producer *p)
{
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, p->topics, topic, tmp) {
		HASH_DEL(p->topics, topic);
		if (atomic_fetch_sub(&topic->refs, 1) == 1)
			topic_free(topic);
	}
}

/* --- waiting for it --- */

struct topic_wait {
	struct klamm_producer *p;
	struct klamm_topic *topic;
	int32_t partition;
	uint32_t answers; /* when it began */
	unsigned refusals;
};

static bool is_final(int32_t error)
{
	return error != 0 && !klamm_err_retriable(error);
}

/* Two answers that do not know the partition are enough: the first may have been on its way
 * when it was made. */
static bool is_missing(const struct topic_wait *wait)
{
	return atomic_load(&wait->topic->partition_count) > 0 &&
	       atomic_load(&wait->topic->answers) - wait->answers >= 2;
}

static bool topic_ready(void *arg)
{
	struct topic_wait *wait = arg;
	return atomic_load(&wait->topic->partition_count) > wait->partition ||
	       (is_final(atomic_load(&wait->topic->error)) &&
		atomic_load(&wait->topic->answers) != wait->answers) ||
	       is_missing(wait) || atomic_load(&wait->p->cluster.refusals) != wait->refusals ||
	       kl_producer_is_over(wait->p);
}

static int explain(struct klamm_producer *p, const struct topic_wait *wait,
		   struct klamm_error *err)
{
	const char *name = wait->topic->name;
	int32_t error = atomic_load(&wait->topic->error);
	int32_t count = atomic_load(&wait->topic->partition_count);
	if (kl_producer_is_over(p))
		return kl_producer_state_error(p, err);
	/* At the end of the wait the broker's last word is final too. */
	if (is_final(error) || (error != 0 && count == 0))
		return kl_error(err, error, "topic %s: %s: %s", name, klamm_err_name(error),
				klamm_err_text(error));
	if (count > 0)
		return kl_error(err, KLAMM_ERR_PARTITION,
				"topic %s has no partition %d: it has %d", name,
				wait->partition, count);
	char what[320];
	snprintf(what, sizeof(what), "metadata of topic %s within max.block.ms", name);
	return kl_cluster_ask_why(&p->cluster, err, what);
}

int kl_topic_wait(struct klamm_producer *p, struct klamm_topic *topic, int32_t partition,
		  int64_t deadline, struct klamm_error *err)
{
	struct topic_wait wait = {p, topic, partition, atomic_load(&topic->answers),
				  atomic_load(&p->cluster.refusals)};
	if (atomic_load(&topic->partition_count) > partition)
		return 0;
	if (kl_loop_in_callback(p->os))
		return kl_error(err, KLAMM_ERR_QUEUE_FULL,
				"topic %s: metadata is not here yet, and a callback must "
				"not wait for it",
				topic->name);
	if (!kl_producer_enter_to_ask(p))
		return kl_producer_state_error(p, err);
	int64_t since = p->os->now(p->os);
	atomic_fetch_add(&topic->waiters, 1);
	kl_loop_post(p->loop, &topic->want_task);
	kl_loop_wait(p->loop, &p->gate, topic_ready, &wait, deadline);
	atomic_fetch_sub(&topic->waiters, 1);
	kl_producer_count_time(p, KL_PRODUCER_METADATA_WAIT, since);
	int rc = 0;
	if (atomic_load(&topic->partition_count) <= partition)
		rc = explain(p, &wait, err);
	kl_producer_leave(p);
	return rc;
}

/* For kl_cluster_reach(). */
static bool is_over(void *arg)
{
	return kl_producer_is_over(arg);
}

int klamm_producer_reach(struct klamm_producer *p, int64_t timeout_ms, struct klamm_error *err)
{
	int rc = kl_loop_may_wait(p->os, err);
	if (rc != 0)
		return rc;
	if (!kl_producer_enter_to_ask(p))
		return kl_producer_state_error(p, err);
	if (timeout_ms == KLAMM_TIMEOUT_DEFAULT)
		timeout_ms = p->settings->max_block_ms;
	rc = kl_cluster_reach(&p->cluster, &p->gate, is_over, p,
			      kl_os_deadline_ms(p->os, timeout_ms), err);
	if (rc != 0 && kl_producer_is_over(p))
		rc = kl_producer_state_error(p, err);
	kl_producer_leave(p);
	return rc;
}

int klamm_producer_partitions_for(struct klamm_producer *p, const char *name,
				  int32_t *count_out, struct klamm_error *err)
{
	struct klamm_topic *topic;
	int rc = kl_loop_may_wait(p->os, err);
	if (rc == 0)
		rc = klamm_producer_topic(p, name, &topic, err);
	if (rc != 0)
		return rc;
	rc = kl_topic_wait(p, topic, 0, kl_os_deadline_ms(p->os, p->settings->max_block_ms),
			   err);
	if (rc == 0)
		*count_out = atomic_load(&topic->partition_count);
	klamm_topic_unref(topic);
	return rc;
}
