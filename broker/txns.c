/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/txns.h"

#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/store.h"

static const char *const state_names[] = {
	[KL_DEV_TXN_EMPTY] = "Empty",
	[KL_DEV_TXN_ONGOING] = "Ongoing",
	[KL_DEV_TXN_PREPARE_COMMIT] = "PrepareCommit",
	[KL_DEV_TXN_PREPARE_ABORT] = "PrepareAbort",
	[KL_DEV_TXN_COMPLETE_COMMIT] = "CompleteCommit",
	[KL_DEV_TXN_COMPLETE_ABORT] = "CompleteAbort",
};

const char *kl_dev_txn_state_name(int state)
{
	return state_names[state];
}

int kl_dev_txn_state_named(struct kl_str name)
{
	for (int i = 0; i < (int)kl_countof(state_names); i++)
		if (kl_str_is(name, state_names[i]))
			return i;
	return -1;
}

/* --- the table --- */

struct kl_dev_txn *kl_dev_txn_find(struct klamm_broker *broker, struct kl_str id)
{
	struct kl_dev_txn *txn = NULL;
	if (id.len > 0)
		HASH_FIND(hh, broker->txns.by_id, id.p, (unsigned)id.len, txn);
	return txn;
}

struct kl_dev_txn *kl_dev_txn_add(struct klamm_broker *broker, struct kl_str id, int32_t home)
{
	struct kl_dev_txn *txn = calloc(1, sizeof(*txn) + (size_t)id.len + 1);
	if (txn == NULL)
		return NULL;
	memcpy(txn->id, id.p, (size_t)id.len);
	txn->id_len = id.len;
	txn->home = home;
	kl_list_init(&txn->ending);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, broker->txns.by_id, id, (unsigned)id.len, txn);
	if (added)
		return txn;
	free(txn);
	return NULL;
}

void kl_dev_txn_drop(struct klamm_broker *broker, struct kl_dev_txn *txn)
{
	while (txn->part_count > 0)
		kl_dev_txn_drop_part(txn, txn->part_count - 1);
	kl_list_remove(&txn->ending);
	HASH_DEL(broker->txns.by_id, txn);
	free(txn->parts);
	free(txn);
}

void kl_dev_txns_drop_home(struct klamm_broker *broker, int32_t home)
{
	struct kl_dev_txn *txn, *next;
	HASH_ITER(hh, broker->txns.by_id, txn, next)
	{
		if (home < 0 || txn->home == home)
			kl_dev_txn_drop(broker, txn);
	}
}

/* --- its partitions --- */

static int compare(const struct kl_dev_txn_part *part, struct kl_str topic, int32_t index)
{
	size_t n = strlen(part->topic), m = (size_t)topic.len;
	int diff = memcmp(part->topic, topic.p, kl_min(n, m));
	if (diff == 0)
		diff = n < m ? -1 : n > m;
	return diff != 0 ? diff : (part->index > index) - (part->index < index);
}

/* The first part that is not before this one. */
static size_t find_part(const struct kl_dev_txn *txn, struct kl_str topic, int32_t index)
{
	size_t low = 0, high = txn->part_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(&txn->parts[middle], topic, index) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool kl_dev_txn_has_part(const struct kl_dev_txn *txn, struct kl_str topic, int32_t index)
{
	size_t i = find_part(txn, topic, index);
	return i < txn->part_count && compare(&txn->parts[i], topic, index) == 0;
}

bool kl_dev_txn_add_part(struct kl_dev_txn *txn, struct kl_str topic, int32_t index)
{
	if (kl_dev_txn_has_part(txn, topic, index))
		return true;
	char *name = strndup(topic.p, (size_t)topic.len);
	if (name == NULL || !kl_dev_grow((void **)&txn->parts, &txn->part_cap,
					 txn->part_count, sizeof(*txn->parts))) {
		free(name);
		return false;
	}
	size_t i = find_part(txn, topic, index);
	memmove(&txn->parts[i + 1], &txn->parts[i],
		(txn->part_count - i) * sizeof(*txn->parts));
	txn->part_count++;
	txn->parts[i] = (struct kl_dev_txn_part){.topic = name, .index = index};
	return true;
}

void kl_dev_txn_drop_part(struct kl_dev_txn *txn, size_t i)
{
	free(txn->parts[i].topic);
	txn->part_count--;
	memmove(&txn->parts[i], &txn->parts[i + 1],
		(txn->part_count - i) * sizeof(*txn->parts));
}

/* --- time --- */

/* With this timeout a transaction is one of two-phase commit, which has none. */
#define NO_TIMEOUT INT32_MAX

static void again(struct klamm_broker *broker, struct kl_timer *timer, int64_t ms)
{
	kl_timer_set(broker->loop, timer, broker->loop->now + ms * KL_MS);
}

static bool is_late(const struct kl_dev_txn *txn, int64_t now_ms)
{
	const struct kl_dev_txn_facts *facts = &txn->facts;
	return facts->state == KL_DEV_TXN_ONGOING && facts->timeout_ms != NO_TIMEOUT &&
	       facts->started_ms + facts->timeout_ms < now_ms;
}

static bool home_is_ready(struct klamm_broker *broker, const struct kl_dev_txn *txn)
{
	struct kl_dev_partition *home = kl_dev_home(broker, KL_DEV_TXN, kl_dev_txn_id(txn));
	return home != NULL && home->leader > 0 && !home->log.is_lost;
}

static void abort_late(struct kl_timer *timer)
{
	struct klamm_broker *broker = kl_container(timer, struct klamm_broker, txns.late);
	int64_t now_ms = broker->loop->os->wall_ms(broker->loop->os);
	struct kl_dev_txn *txn, *next;
	HASH_ITER(hh, broker->txns.by_id, txn, next)
	{
		if (!is_late(txn, now_ms) || !home_is_ready(broker, txn))
			continue;
		int rc = kl_dev_txn_fence(broker, txn);
		kl_log(&broker->loop->log, KL_LOG_INFO, "broker",
		       "transaction %s took longer than its %d ms and is aborted%s", txn->id,
		       (int)txn->facts.timeout_ms, rc == 0 ? "" : " later");
	}
	again(broker, timer, broker->limits.abort_interval_ms);
}

static bool is_old(const struct klamm_broker *broker, const struct kl_dev_txn *txn,
		   int64_t now_ms)
{
	int state = txn->facts.state;
	return (state == KL_DEV_TXN_EMPTY || state == KL_DEV_TXN_COMPLETE_COMMIT ||
		state == KL_DEV_TXN_COMPLETE_ABORT) &&
	       txn->facts.updated_ms <= now_ms - broker->limits.transactional_id_ms;
}

static void forget_old(struct kl_timer *timer)
{
	struct klamm_broker *broker = kl_container(timer, struct klamm_broker, txns.old);
	int64_t now_ms = broker->loop->os->wall_ms(broker->loop->os);
	struct kl_dev_txn *txn, *next;
	HASH_ITER(hh, broker->txns.by_id, txn, next)
	{
		if (is_old(broker, txn, now_ms) && home_is_ready(broker, txn))
			kl_dev_txn_forget(broker, txn);
	}
	again(broker, timer, broker->limits.transactional_id_interval_ms);
}

/* --- beginning and end --- */

int kl_dev_txns_begin(struct klamm_broker *broker, struct klamm_error *err)
{
	broker->txns.step.fn = kl_dev_txns_step;
	int rc = kl_timer_init(broker->loop, &broker->txns.retry, kl_dev_txns_retry, err);
	if (rc == 0)
		rc = kl_timer_init(broker->loop, &broker->txns.late, abort_late, err);
	if (rc == 0)
		rc = kl_timer_init(broker->loop, &broker->txns.old, forget_old, err);
	if (rc != 0)
		return rc;
	again(broker, &broker->txns.late, broker->limits.abort_interval_ms);
	again(broker, &broker->txns.old, broker->limits.transactional_id_interval_ms);
	return 0;
}

void kl_dev_txns_end(struct klamm_broker *broker)
{
	kl_dev_txns_drop_home(broker, -1);
	kl_list_remove(&broker->txns.step.link);
	kl_timer_drop(broker->loop, &broker->txns.retry);
	kl_timer_drop(broker->loop, &broker->txns.late);
	kl_timer_drop(broker->loop, &broker->txns.old);
}
