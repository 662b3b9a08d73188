/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/broker/txn_peer.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/record/batch_write.h"

int32_t txn_find(struct peer *peer, int type, const char *key)
{
	struct kl_find_coordinator_request request;
	kl_msg_init(&kl_msg_find_coordinator_request, &request);
	request.key = kl_str(key);
	request.key_type = (int8_t)type;
	struct kl_find_coordinator_response *r;
	while ((r = PEER_CALL(peer, find_coordinator, 3, &request))->error_code ==
	       KLAMM_ERR_COORDINATOR_NOT_AVAILABLE)
		usleep(20000); /* Kafka's first time */
	ck_assert_int_eq(r->error_code, 0);
	return r->node_id;
}

int txn_init(struct peer *peer, struct txn_producer *p, bool again, int32_t timeout_ms,
	     int version)
{
	struct kl_init_producer_id_request request;
	kl_msg_init(&kl_msg_init_producer_id_request, &request);
	request.transactional_id = kl_str(p->id);
	request.transaction_timeout_ms = timeout_ms;
	if (again) {
		request.producer_id = p->producer_id;
		request.producer_epoch = p->epoch;
	}
	struct kl_init_producer_id_response *r =
		PEER_CALL(peer, init_producer_id, version, &request);
	if (r->error_code == 0) {
		p->producer_id = r->producer_id;
		p->epoch = r->producer_epoch;
	}
	return r->error_code;
}

void txn_begin(struct peer *peer, struct txn_producer *p, const char *id)
{
	*p = (struct txn_producer){.id = id};
	txn_find(peer, 1, id);
	int error = -1;
	for (int i = 0; i < 500 && error != 0; i++) {
		error = txn_init(peer, p, false, 60000, 4);
		if (error != 0)
			usleep(10000);
	}
	ck_assert_int_eq(error, 0);
}

int txn_add(struct peer *peer, const struct txn_producer *p, const char *topic,
	    int32_t partition, int version)
{
	struct kl_add_partitions_to_txn_request_topic at = {
		.name = kl_str(topic), .partitions = &partition, .partitions_n = 1};
	struct kl_add_partitions_to_txn_request request;
	kl_msg_init(&kl_msg_add_partitions_to_txn_request, &request);
	request.v3_and_below_transactional_id = kl_str(p->id);
	request.v3_and_below_producer_id = p->producer_id;
	request.v3_and_below_producer_epoch = p->epoch;
	request.v3_and_below_topics = &at;
	request.v3_and_below_topics_n = 1;
	struct kl_add_partitions_to_txn_response *r =
		PEER_CALL(peer, add_partitions_to_txn, version, &request);
	ck_assert_int_eq(r->results_by_topic_v3_and_below_n, 1);
	return r->results_by_topic_v3_and_below[0]
		.results_by_partition[0]
		.partition_error_code;
}

int txn_add_offsets(struct peer *peer, const struct txn_producer *p, const char *group,
		    int version)
{
	struct kl_add_offsets_to_txn_request request;
	kl_msg_init(&kl_msg_add_offsets_to_txn_request, &request);
	request.transactional_id = kl_str(p->id);
	request.producer_id = p->producer_id;
	request.producer_epoch = p->epoch;
	request.group_id = kl_str(group);
	return PEER_CALL(peer, add_offsets_to_txn, version, &request)->error_code;
}

static void set_transactional(struct peer_batch *b, const struct txn_producer *p,
			      int32_t sequence)
{
	kl_store_u16(b->data + KL_BATCH_ATTRIBUTES, KL_ATTR_TRANSACTIONAL);
	kl_batch_stamp(b->data, p->producer_id, p->epoch, sequence,
		       kl_batch_body_crc(b->data + KL_BATCH_HEAD, b->len - KL_BATCH_HEAD));
}

int txn_send(struct peer *peer, const struct txn_producer *p, const char *topic,
	     int32_t partition, int32_t sequence, int version)
{
	struct peer_batch b;
	peer_batch(&b, 2, (int64_t)time(NULL) * 1000); /* near its marker, in one segment */
	set_transactional(&b, p, sequence);
	struct kl_produce_request_partition to = {.index = partition,
						  .records = {b.data, (int32_t)b.len}};
	struct kl_produce_request_topic at = {
		.name = kl_str(topic), .partition_data = &to, .partition_data_n = 1};
	struct kl_produce_request request;
	kl_msg_init(&kl_msg_produce_request, &request);
	request.transactional_id = kl_str(p->id);
	request.acks = -1;
	request.timeout_ms = 20000;
	request.topic_data = &at;
	request.topic_data_n = 1;
	struct kl_produce_response *r = PEER_CALL(peer, produce, version, &request);
	return r->responses[0].partition_responses[0].error_code;
}

int txn_end(struct peer *peer, struct txn_producer *p, bool commits, int version)
{
	struct kl_end_txn_request request;
	kl_msg_init(&kl_msg_end_txn_request, &request);
	request.transactional_id = kl_str(p->id);
	request.producer_id = p->producer_id;
	request.producer_epoch = p->epoch;
	request.committed = commits;
	struct kl_end_txn_response *r = PEER_CALL(peer, end_txn, version, &request);
	if (r->error_code == 0 && r->producer_id >= 0) {
		p->producer_id = r->producer_id;
		p->epoch = r->producer_epoch;
	}
	return r->error_code;
}

const char *txn_state(struct peer *peer, const char *id, bool settled)
{
	static char state[32];
	struct kl_str asked = kl_str(id);
	struct kl_describe_transactions_request request;
	kl_msg_init(&kl_msg_describe_transactions_request, &request);
	request.transactional_ids = &asked;
	request.transactional_ids_n = 1;
	for (int i = 0; i < 3000; i++) {
		struct kl_describe_transactions_response *r =
			PEER_CALL(peer, describe_transactions, 0, &request);
		ck_assert_int_eq(r->transaction_states_n, 1);
		ck_assert_int_eq(r->transaction_states[0].error_code, 0);
		struct kl_str told = r->transaction_states[0].transaction_state;
		snprintf(state, sizeof(state), "%.*s", (int)told.len, told.p);
		if (!settled || strncmp(state, "Prepare", 7) != 0)
			return state;
		usleep(10000);
	}
	return state;
}

struct kl_fetch_response_partition *txn_fetch(struct peer *peer, const char *topic,
					      int32_t partition)
{
	struct kl_fetch_request_partition from;
	kl_type_init(&kl_type_fetch_request_partition, &from);
	from.partition = partition;
	from.partition_max_bytes = 1 << 20;
	struct kl_fetch_request_topic at = {
		.topic = kl_str(topic), .partitions = &from, .partitions_n = 1};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_bytes = 1 << 20;
	request.session_epoch = -1;
	request.isolation_level = 1;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_fetch_response *r = PEER_CALL(peer, fetch, 12, &request);
	ck_assert_int_eq(r->error_code, 0);
	return &r->responses[0].partitions[0];
}

/* --- offsets of groups --- */

int txn_commit_offset(struct peer *peer, const struct txn_producer *p, const char *group,
		      const char *topic, int64_t offset, int version)
{
	struct kl_txn_offset_commit_request_partition of = {
		.committed_offset = offset,
		.committed_leader_epoch = 3,
		.committed_metadata = KL_STR("note"),
	};
	struct kl_txn_offset_commit_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_txn_offset_commit_request request;
	kl_msg_init(&kl_msg_txn_offset_commit_request, &request);
	request.transactional_id = kl_str(p->id);
	request.group_id = kl_str(group);
	request.producer_id = p->producer_id;
	request.producer_epoch = p->epoch;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_txn_offset_commit_response *r =
		PEER_CALL(peer, txn_offset_commit, version, &request);
	return r->topics[0].partitions[0].error_code;
}

int txn_plain_commit(struct peer *peer, const char *group, const char *topic, int64_t offset)
{
	struct kl_offset_commit_request_partition of = {
		.commit_timestamp = -1,
		.committed_offset = offset,
		.committed_leader_epoch = 3,
		.committed_metadata = KL_STR("note"),
	};
	struct kl_offset_commit_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_offset_commit_request request;
	kl_msg_init(&kl_msg_offset_commit_request, &request);
	request.group_id = kl_str(group);
	request.topics = &at;
	request.topics_n = 1;
	struct kl_offset_commit_response *r = PEER_CALL(peer, offset_commit, 8, &request);
	return r->topics[0].partitions[0].error_code;
}

int64_t txn_committed(struct peer *peer, const char *group, const char *topic, bool stable,
		      int *error_out)
{
	int32_t partition = 0;
	struct kl_offset_fetch_request_topic at = {
		.name = kl_str(topic),
		.partition_indexes = &partition,
		.partition_indexes_n = 1,
	};
	struct kl_offset_fetch_request request;
	kl_msg_init(&kl_msg_offset_fetch_request, &request);
	request.group_id = kl_str(group);
	request.topics = &at;
	request.topics_n = 1;
	request.require_stable = stable;
	struct kl_offset_fetch_response *r = PEER_CALL(peer, offset_fetch, 7, &request);
	ck_assert_int_eq(r->error_code, 0);
	*error_out = r->topics[0].partitions[0].error_code;
	return r->topics[0].partitions[0].committed_offset;
}
