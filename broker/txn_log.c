/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions as records of __transaction_state, in Kafka's own format. */
#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/txns.h"
#include "core/record/batch_read.h"

/* --- out --- */

/* Parts are sorted, so those of a topic stand together. */
static bool group_parts(const struct kl_dev_txn *txn, struct kl_arena *arena,
			struct kl_transaction_log_value *value)
{
	size_t n = txn->part_count;
	int32_t *ids = kl_arena_array(arena, n, sizeof(*ids));
	value->transaction_partitions =
		kl_type_new(&kl_type_transaction_log_value_partitions, arena, n);
	if (ids == NULL || value->transaction_partitions == NULL)
		return false;
	struct kl_transaction_log_value_partitions *group = NULL;
	for (size_t i = 0; i < n; i++) {
		const struct kl_dev_txn_part *part = &txn->parts[i];
		if (group == NULL || !kl_str_is(group->topic, part->topic)) {
			group = &value->transaction_partitions
					 [value->transaction_partitions_n++];
			group->topic = kl_str(part->topic);
			group->partition_ids = &ids[i];
		}
		ids[i] = part->index;
		group->partition_ids_n++;
	}
	return true;
}

static bool has_parts(int32_t state)
{
	return state == KL_DEV_TXN_ONGOING || state == KL_DEV_TXN_PREPARE_COMMIT ||
	       state == KL_DEV_TXN_PREPARE_ABORT;
}

static bool put_value(const struct kl_dev_txn *txn, const struct kl_dev_txn_facts *facts,
		      struct kl_arena *arena, struct kl_transaction_log_value *value)
{
	kl_msg_init(&kl_msg_transaction_log_value, value);
	value->producer_id = facts->producer_id;
	value->previous_producer_id = facts->previous_id;
	value->next_producer_id = facts->next_id;
	value->producer_epoch = facts->epoch;
	value->transaction_timeout_ms = facts->timeout_ms;
	value->transaction_status = (int8_t)facts->state;
	value->transaction_last_update_timestamp_ms = facts->updated_ms;
	value->transaction_start_timestamp_ms = facts->started_ms;
	value->client_transaction_version = facts->version;
	value->transaction_partitions_n = facts->state == KL_DEV_TXN_EMPTY ? -1 : 0;
	return !has_parts(facts->state) || group_parts(txn, arena, value);
}

/* A record of it; facts NULL = it is forgotten. */
static int append(struct klamm_broker *broker, struct kl_dev_txn *txn,
		  const struct kl_dev_txn_facts *facts)
{
	struct kl_dev_partition *home = kl_dev_home(broker, KL_DEV_TXN, kl_dev_txn_id(txn));
	if (home == NULL)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	int16_t version = broker->limits.transaction_version > 0;
	struct kl_arena arena = {0};
	struct kl_dev_batch batch;
	struct kl_transaction_log_value value;
	struct kl_transaction_log_key id = {.transactional_id = kl_dev_txn_id(txn)};
	struct kl_dev_half k = {.msg = &kl_msg_transaction_log_key, .obj = &id};
	struct kl_dev_half v = {version, version, &kl_msg_transaction_log_value, &value};
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	bool ok = facts == NULL || put_value(txn, facts, &arena, &value);
	if (ok)
		kl_dev_batch_add_msgs(&batch, &k, facts != NULL ? &v : NULL);
	ok = ok && kl_dev_batch_end(&batch, 0, -1, -1);
	int64_t offset;
	int rc = ok ? kl_dev_home_append(broker, home, &batch, &offset)
		    : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_batch_free(&batch);
	kl_arena_free(&arena);
	return rc != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE : 0;
}

static bool is_ending(const struct kl_dev_txn_facts *facts)
{
	return facts->state == KL_DEV_TXN_PREPARE_COMMIT ||
	       facts->state == KL_DEV_TXN_PREPARE_ABORT;
}

static void settle_in(struct klamm_broker *broker, struct kl_dev_txn *txn)
{
	if (!has_parts(txn->facts.state))
		while (txn->part_count > 0)
			kl_dev_txn_drop_part(txn, txn->part_count - 1);
	kl_list_remove(&txn->ending);
	if (is_ending(&txn->facts))
		kl_list_push(&broker->txns.ending, &txn->ending);
}

int kl_dev_txn_become(struct klamm_broker *broker, struct kl_dev_txn *txn,
		      const struct kl_dev_txn_facts *facts)
{
	int rc = append(broker, txn, facts);
	if (rc != 0)
		return rc;
	txn->facts = *facts;
	txn->due = 0;
	settle_in(broker, txn);
	if (!is_ending(facts))
		return 0;
	txn->prepared =
		kl_dev_pledge_on(kl_dev_home(broker, KL_DEV_TXN, kl_dev_txn_id(txn)));
	kl_dev_txns_progress(broker);
	return 0;
}

int kl_dev_txn_forget(struct klamm_broker *broker, struct kl_dev_txn *txn)
{
	int rc = append(broker, txn, NULL);
	if (rc == 0)
		kl_dev_txn_drop(broker, txn);
	return rc;
}

/* --- in --- */

struct load {
	struct klamm_broker *broker;
	int32_t home;
	struct kl_arena arena;
};

static bool take_parts(struct kl_dev_txn *txn, const struct kl_transaction_log_value *value)
{
	for (int32_t i = 0; i < value->transaction_partitions_n; i++) {
		const struct kl_transaction_log_value_partitions *group =
			&value->transaction_partitions[i];
		for (int32_t k = 0; k < group->partition_ids_n; k++)
			if (!kl_dev_txn_add_part(txn, group->topic, group->partition_ids[k]))
				return false;
	}
	return true;
}

static int take(struct load *load, struct kl_str id,
		const struct kl_transaction_log_value *value)
{
	struct kl_dev_txn *txn = kl_dev_txn_find(load->broker, id);
	if (txn != NULL)
		kl_dev_txn_drop(load->broker, txn);
	if (value == NULL)
		return 0;
	txn = kl_dev_txn_add(load->broker, id, load->home);
	if (txn == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	txn->facts = (struct kl_dev_txn_facts){
		.producer_id = value->producer_id,
		.previous_id = value->previous_producer_id,
		.next_id = value->next_producer_id,
		.epoch = value->producer_epoch,
		.last_epoch = -1,
		.version = value->client_transaction_version,
		.timeout_ms = value->transaction_timeout_ms,
		.state = value->transaction_status,
		.started_ms = value->transaction_start_timestamp_ms,
		.updated_ms = value->transaction_last_update_timestamp_ms,
	};
	if (!take_parts(txn, value))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	txn->prepared.settled = true; /* it was read from the disk */
	settle_in(load->broker, txn);
	return 0;
}

/* Records of others, and of versions to come, are none of this one's business. */
static int read_record(struct load *load, const struct klamm_record_view *view)
{
	struct kl_reader k = kl_reader(view->key.data, view->key.len);
	struct kl_reader v = kl_reader(view->value.data, view->value.len);
	int16_t key_version = kl_read_i16(&k);
	void *key, *value = NULL;
	if (view->key.data == NULL || k.failed || key_version != 0 ||
	    kl_msg_decode(&kl_msg_transaction_log_key, 0, &k, &load->arena, &key, NULL) != 0)
		return 0;
	if (view->value.data != NULL) {
		int16_t version = kl_read_i16(&v);
		if (v.failed || version < 0 || version > kl_msg_transaction_log_value.max ||
		    kl_msg_decode(&kl_msg_transaction_log_value, version, &v, &load->arena,
				  &value, NULL) != 0)
			return 0;
		const struct kl_transaction_log_value *read = value;
		if (read->transaction_status < 0 ||
		    read->transaction_status > KL_DEV_TXN_COMPLETE_ABORT)
			return 0;
	}
	return take(load, ((struct kl_transaction_log_key *)key)->transactional_id, value);
}

static int read_batch(void *arg, const struct kl_batch_head *head, const uint8_t *p)
{
	struct load *load = arg;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = 0;
	if (kl_batch_codec(head) != 0 || (head->attributes & KL_ATTR_CONTROL))
		return 0;
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), 0);
	while (rc == 0 && kl_record_next(&iter, &view) > 0)
		rc = read_record(load, &view);
	kl_arena_free(&load->arena);
	return rc;
}

int kl_dev_txns_load(struct klamm_broker *broker, struct kl_dev_partition *home)
{
	struct load load = {.broker = broker, .home = home->index};
	kl_dev_txns_drop_home(broker, home->index);
	int rc = kl_dev_log_walk(&home->log, read_batch, &load);
	kl_arena_free(&load.arena);
	kl_dev_txns_progress(broker);
	return rc;
}
