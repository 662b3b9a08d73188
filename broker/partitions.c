/* SPDX-License-Identifier: BSD-2-Clause */
/* Partitions: made and placed, led by one node after another. Lives in the broker's loop. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/data.h"
#include "broker/groups.h"
#include "broker/txns.h"

struct kl_dev_partition *kl_dev_partition(struct kl_dev_topic *topic, int32_t index)
{
	if (topic == NULL || index < 0 || index >= topic->partition_count)
		return NULL;
	return topic->partitions[index];
}

void kl_dev_partition_changed(struct kl_dev_partition *partition)
{
	kl_list_for(wait, &partition->waits, struct kl_dev_wait, link)
		kl_dev_call_wake(wait->call);
}

int kl_dev_partition_lead(struct klamm_broker *broker, struct kl_dev_partition *partition,
			  int32_t node)
{
	if (!kl_dev_log_begin_epoch(&partition->log, partition->leader_epoch + 1))
		return KLAMM_ERR_NO_MEMORY;
	partition->leader_epoch++;
	partition->leader = node;
	kl_dev_coordinators_moved(broker, partition);
	kl_dev_partition_changed(partition);
	return 0;
}

static int32_t first_running(struct klamm_broker *broker,
			     const struct kl_dev_partition *partition)
{
	for (int32_t i = 0; i < partition->replica_count; i++)
		if (kl_dev_node_runs(kl_dev_node(broker, partition->replicas[i])))
			return partition->replicas[i];
	return -1;
}

bool kl_dev_partition_elect(struct klamm_broker *broker,
			    struct kl_dev_partition *partition)
{
	struct kl_dev_node *leader = kl_dev_node(broker, partition->leader);
	if (leader != NULL && kl_dev_node_runs(leader))
		return false;
	int32_t node = first_running(broker, partition);
	return node != partition->leader &&
	       kl_dev_partition_lead(broker, partition, node) == 0;
}

void kl_dev_partition_free(struct kl_dev_partition *partition)
{
	if (partition == NULL)
		return;
	kl_dev_partition_changed(partition);
	while (kl_list_pop(&partition->waits) != NULL)
		;
	kl_dev_log_free(&partition->log);
	kl_dev_producers_free(&partition->producers);
	free(partition->replicas);
	free(partition);
}

/* --- its log --- */

/* The record of a control batch that ends a transaction. false: it is another. */
static bool read_marker(const struct kl_batch_head *head, const uint8_t *p,
			struct kl_dev_marker *marker_out)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	struct kl_control control;
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), 0);
	if (kl_record_next(&iter, &view) <= 0 || kl_control_get(&view, &control) != 0 ||
	    control.type == KL_CONTROL_UNKNOWN)
		return false;
	*marker_out = (struct kl_dev_marker){
		.producer_id = head->producer_id,
		.epoch = head->producer_epoch,
		.coordinator_epoch = control.coordinator_epoch,
		.aborts = control.type == KL_CONTROL_ABORT,
	};
	return true;
}

bool kl_dev_partition_saw(void *arg, const struct kl_batch_head *head, const uint8_t *control)
{
	struct kl_dev_partition *partition = arg;
	struct kl_dev_marker marker;
	if (control == NULL)
		return kl_dev_producer_learn(&partition->producers, head);
	return !read_marker(head, control, &marker) ||
	       kl_dev_marker_note(&partition->producers, &marker, head->base_offset,
				  head->max_timestamp);
}

int64_t kl_dev_partition_stable(struct kl_dev_partition *partition)
{
	struct kl_dev_log *log = &partition->log;
	return kl_max(log->start, kl_dev_producers_stable(&partition->producers, log->high));
}

void kl_dev_partition_trim(struct kl_dev_partition *partition, int64_t offset)
{
	kl_dev_log_trim(&partition->log, offset);
	kl_dev_producers_trim(&partition->producers, partition->log.start);
}

void kl_dev_partition_forget(struct kl_dev_partition *partition)
{
	struct kl_dev_log *log = &partition->log;
	for (size_t i = 0; i < log->segment_count; i++)
		kl_dev_segment_free(log->segments[i]);
	log->segment_count = 0;
	log->cleaned = 0;
	kl_dev_producers_free(&partition->producers);
}

int kl_dev_partition_mend(struct kl_dev_partition *partition)
{
	if (!partition->log.is_lost)
		return 0;
	kl_dev_producers_free(&partition->producers);
	int rc = kl_dev_log_repair(&partition->log, kl_dev_partition_saw, partition);
	kl_dev_producers_trim(&partition->producers, partition->log.start);
	if (rc == 0)
		rc = kl_dev_coordinators_reload(partition->log.home.store->owner, partition);
	partition->log.is_lost = rc != 0;
	return rc;
}

int kl_dev_partition_ready(struct klamm_broker *broker, struct kl_dev_partition *partition)
{
	const struct kl_dev_config *config = &partition->topic->settings.config;
	partition->log.roll = (struct kl_dev_roll){
		.bytes = (size_t)config->segment_bytes,
		.ms = config->compacts ? kl_min(config->segment_ms, config->max_lag_ms)
				       : config->segment_ms,
	};
	int rc = kl_dev_partition_mend(partition);
	if (rc == 0 && broker->store != NULL && broker->store->is_unsaved)
		rc = kl_dev_save(broker, NULL);
	return rc;
}

static void on_synced(struct kl_dev_log *log, bool ok)
{
	struct kl_dev_partition *partition =
		kl_container(log, struct kl_dev_partition, log);
	if (!ok)
		kl_dev_partition_mend(partition); /* or else the next append tries */
	kl_dev_partition_changed(partition);
	kl_dev_txns_progress(log->home.store->owner);
	kl_dev_groups_progress(log->home.store->owner);
}

static bool keep(struct klamm_broker *broker, struct kl_dev_partition *partition)
{
	char id[KL_UUID_TEXT], name[KL_DEV_HOME_NAME];
	if (broker->store == NULL)
		return true;
	kl_uuid_text(&partition->topic->id, id);
	snprintf(name, sizeof(name), "%s-%d", id, (int)partition->index);
	return kl_dev_log_keep(&partition->log, broker->store, name, on_synced);
}

static struct kl_dev_partition *empty(struct klamm_broker *broker,
				      struct kl_dev_topic *topic, int32_t index,
				      int32_t replica_count)
{
	struct kl_dev_partition *partition = calloc(1, sizeof(*partition));
	if (partition == NULL)
		return NULL;
	partition->topic = topic;
	partition->index = index;
	partition->leader = partition->leader_epoch = -1;
	partition->replica_count = replica_count;
	partition->replicas = calloc((size_t)replica_count, sizeof(int32_t));
	kl_list_init(&partition->waits);
	kl_dev_producers_init(&partition->producers);
	kl_dev_log_init(&partition->log, broker->chunks);
	if (partition->replicas == NULL || !keep(broker, partition)) {
		kl_dev_partition_free(partition);
		return NULL;
	}
	return partition;
}

struct kl_dev_partition *kl_dev_partition_restore(struct klamm_broker *broker,
						  struct kl_dev_topic *topic,
						  int32_t replica_count)
{
	struct kl_dev_partition *partition =
		empty(broker, topic, topic->partition_count, replica_count);
	if (partition == NULL)
		return NULL;
	topic->partitions[topic->partition_count++] = partition;
	topic->replicas = (int16_t)topic->partitions[0]->replica_count;
	broker->topics.partitions++;
	return partition;
}

/* --- placing --- */

struct kl_dev_partition *kl_dev_partition_new(struct klamm_broker *broker,
					      struct kl_dev_topic *topic, int32_t index,
					      const struct kl_dev_placing *placing)
{
	struct kl_dev_partition *partition =
		empty(broker, topic, index, placing->replicas);
	if (partition == NULL)
		return NULL;
	int32_t nodes = broker->options.nodes, first = broker->topics.next_leader;
	for (int32_t i = 0; i < placing->replicas; i++)
		partition->replicas[i] = placing->told != NULL ? placing->told[i]
							       : (first + i) % nodes + 1;
	broker->topics.next_leader = (first + 1) % nodes;
	if (kl_dev_partition_lead(broker, partition, first_running(broker, partition)) == 0)
		return partition;
	kl_dev_partition_free(partition);
	return NULL;
}

/* A list of replicas that a client made up. */
int kl_dev_check_replicas(struct klamm_broker *broker, const int32_t *ids, int32_t n,
			  int32_t expected, struct klamm_error *err)
{
	if (n <= 0 || n != expected)
		return kl_error(
			err, KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT,
			"every partition needs the same number of replicas, and one at "
			"least");
	bool runs = false;
	for (int32_t i = 0; i < n; i++) {
		struct kl_dev_node *node = kl_dev_node(broker, ids[i]);
		if (node == NULL)
			return kl_error(err, KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT,
					"there is no broker %d", (int)ids[i]);
		for (int32_t k = 0; k < i; k++)
			if (ids[k] == ids[i])
				return kl_error(err, KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT,
						"broker %d is listed twice", (int)ids[i]);
		runs |= kl_dev_node_runs(node);
	}
	if (!runs)
		return kl_error(err, KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT,
				"none of the brokers listed is running");
	return 0;
}

/* --- what requests for records ask of one --- */

struct kl_dev_partition *kl_dev_call_find(struct kl_dev_call *call, struct kl_str name,
					  const struct klamm_uuid *id, int32_t index,
					  int *error_out)
{
	bool by_id = id != NULL && !kl_uuid_is_zero(id);
	struct kl_dev_topic *topic = by_id ? kl_dev_topic_with_id(call->broker, id)
					   : kl_dev_topic_named(call->broker, name);
	struct kl_dev_partition *partition = kl_dev_partition(topic, index);
	*error_out = kl_dev_topic_error(
		call, topic != NULL ? kl_dev_topic_name(topic) : name, index);
	if (*error_out != 0)
		return partition;
	if (topic == NULL && by_id)
		*error_out = KLAMM_ERR_UNKNOWN_TOPIC_ID;
	else if (partition == NULL)
		*error_out = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	return partition;
}

struct kl_dev_partition *kl_dev_call_partition(struct kl_dev_call *call,
					       struct kl_str name,
					       const struct klamm_uuid *id, int32_t index,
					       int *error_out)
{
	struct kl_dev_partition *partition =
		kl_dev_call_find(call, name, id, index, error_out);
	if (*error_out == 0 && partition->leader != call->conn->node->id)
		*error_out = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER;
	return partition;
}

static bool has_replica(const struct kl_dev_partition *partition, int32_t node)
{
	for (int32_t i = 0; i < partition->replica_count; i++)
		if (partition->replicas[i] == node)
			return true;
	return false;
}

/* 0, FENCED_ or UNKNOWN_LEADER_EPOCH; -1 asks for nothing. */
static int check_epoch(const struct kl_dev_partition *partition, int32_t epoch)
{
	if (epoch < 0 || epoch == partition->leader_epoch)
		return 0;
	return epoch < partition->leader_epoch ? KLAMM_ERR_FENCED_LEADER_EPOCH
					       : KLAMM_ERR_UNKNOWN_LEADER_EPOCH;
}

/* In Kafka's order: who has a replica compares epochs before it says that it does not lead. */
int kl_dev_call_check(const struct kl_dev_call *call,
		      const struct kl_dev_partition *partition, int32_t epoch,
		      bool only_leader)
{
	int32_t node = call->conn->node->id;
	if (!has_replica(partition, node))
		return KLAMM_ERR_NOT_LEADER_OR_FOLLOWER;
	int error = check_epoch(partition, epoch);
	if (error == 0 && only_leader && partition->leader != node)
		error = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER;
	return error;
}

bool kl_dev_call_replicas(struct kl_dev_call *call,
			  const struct kl_dev_partition *partition,
			  struct kl_dev_replicas *out)
{
	size_t n = (size_t)partition->replica_count;
	out->all = partition->replicas;
	out->count = partition->replica_count;
	out->in_sync = kl_arena_array(&call->arena, n, sizeof(int32_t));
	out->offline = kl_arena_array(&call->arena, n, sizeof(int32_t));
	if (out->in_sync == NULL || out->offline == NULL)
		return false;
	out->in_sync_count = out->offline_count = 0;
	for (size_t i = 0; i < n; i++) {
		int32_t id = partition->replicas[i];
		if (kl_dev_node_runs(kl_dev_node(call->broker, id)))
			out->in_sync[out->in_sync_count++] = id;
		else
			out->offline[out->offline_count++] = id;
	}
	/* The last one in sync stays so when it stops. */
	if (out->in_sync_count == 0)
		out->in_sync[out->in_sync_count++] = partition->replicas[0];
	return true;
}
