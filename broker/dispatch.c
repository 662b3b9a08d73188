/* SPDX-License-Identifier: BSD-2-Clause */
/* From a frame to its handler: which API, which version, which fault. */
#include "broker/call.h"

/* Versions are those that Apache Kafka 4.4 has, so that clients choose as they would there;
 * some lower ones are for tests that want an older broker. Produce is told from 0 although 3
 * is the lowest: librdkafka before 2.7 wants it so (KAFKA-18659). */
const struct kl_dev_api kl_dev_apis[] = {
	{KL_API_PRODUCE, 0, 13, 0, kl_dev_produce, .usual = 3},
	{KL_API_FETCH, 0, 18, 4, kl_dev_fetch},
	{KL_API_LIST_OFFSETS, 0, 11, 1, kl_dev_list_offsets},
	{KL_API_METADATA, 0, 13, 0, kl_dev_metadata},
	{KL_API_OFFSET_COMMIT, 0, 10, 2, kl_dev_offset_commit},
	{KL_API_OFFSET_FETCH, 0, 10, 1, kl_dev_offset_fetch},
	{KL_API_FIND_COORDINATOR, 0, 6, 0, kl_dev_find_coordinator},
	{KL_API_JOIN_GROUP, 0, 9, 0, kl_dev_join_group},
	{KL_API_HEARTBEAT, 0, 4, 0, kl_dev_heartbeat},
	{KL_API_LEAVE_GROUP, 0, 5, 0, kl_dev_leave_group},
	{KL_API_SYNC_GROUP, 0, 5, 0, kl_dev_sync_group},
	{KL_API_CONSUMER_GROUP_HEARTBEAT, 0, 1, 0, kl_dev_consumer_group_heartbeat},
	{KL_API_CONSUMER_GROUP_DESCRIBE, 0, 1, 0, kl_dev_consumer_group_describe},
	{KL_API_DESCRIBE_GROUPS, 0, 6, 0, kl_dev_describe_groups},
	{KL_API_LIST_GROUPS, 0, 5, 0, kl_dev_list_groups},
	{KL_API_SASL_HANDSHAKE, 0, 1, 0, kl_dev_sasl_handshake},
	{KL_API_API_VERSIONS, 0, 5, 0, kl_dev_api_versions},
	{KL_API_CREATE_TOPICS, 2, 7, 2, kl_dev_create_topics},
	{KL_API_DELETE_TOPICS, 1, 6, 1, kl_dev_delete_topics},
	{KL_API_DELETE_RECORDS, 0, 2, 0, kl_dev_delete_records},
	{KL_API_INIT_PRODUCER_ID, 0, 5, 0, kl_dev_init_producer_id},
	{KL_API_ADD_PARTITIONS_TO_TXN, 0, 5, 0, kl_dev_add_partitions_to_txn},
	{KL_API_ADD_OFFSETS_TO_TXN, 0, 4, 0, kl_dev_add_offsets_to_txn},
	{KL_API_END_TXN, 0, 5, 0, kl_dev_end_txn},
	{KL_API_WRITE_TXN_MARKERS, 1, 2, 1, kl_dev_write_txn_markers},
	{KL_API_TXN_OFFSET_COMMIT, 0, 6, 0, kl_dev_txn_offset_commit},
	{KL_API_OFFSET_FOR_LEADER_EPOCH, 0, 4, 2, kl_dev_offset_for_leader_epoch},
	{KL_API_DESCRIBE_CONFIGS, 1, 4, 1, kl_dev_describe_configs},
	{KL_API_SASL_AUTHENTICATE, 0, 2, 0, kl_dev_sasl_authenticate},
	{KL_API_CREATE_PARTITIONS, 0, 3, 0, kl_dev_create_partitions},
	{KL_API_DELETE_GROUPS, 0, 3, 0, kl_dev_delete_groups},
	{KL_API_INCREMENTAL_ALTER_CONFIGS, 0, 1, 0, kl_dev_alter_configs},
	{KL_API_OFFSET_DELETE, 0, 0, 0, kl_dev_offset_delete},
	{KL_API_DESCRIBE_CLUSTER, 0, 2, 0, kl_dev_describe_cluster},
	{KL_API_DESCRIBE_PRODUCERS, 0, 0, 0, kl_dev_describe_producers},
	{KL_API_DESCRIBE_TRANSACTIONS, 0, 0, 0, kl_dev_describe_transactions},
	{KL_API_LIST_TRANSACTIONS, 0, 2, 0, kl_dev_list_transactions},
	{KL_API_DESCRIBE_TOPIC_PARTITIONS, 0, 0, 0, kl_dev_describe_topic_partitions},
};
const size_t kl_dev_api_count = kl_countof(kl_dev_apis);

const struct kl_dev_api *kl_dev_api_find(int api)
{
	for (size_t i = 0; i < kl_dev_api_count; i++)
		if (kl_dev_apis[i].api == api)
			return &kl_dev_apis[i];
	return NULL;
}

/* Close a connection that speaks what is not served, as Kafka does: what came before, which
 * Kafka answers before it reads on, has its answer. */
static void refuse(struct kl_dev_conn *conn, const char *why)
{
	kl_log(&conn->conn.loop->log, KL_LOG_WARN, "broker",
	       "closing a connection to node %d: %s", (int)conn->node->id, why);
	if (kl_list_empty(&conn->calls)) {
		kl_dev_conn_close(conn, false);
		return;
	}
	struct kl_dev_call *last = kl_list_entry(conn->calls.prev, struct kl_dev_call, link);
	last->closes = true;
	kl_dev_conn_park(conn, last);
}

static void run(struct kl_dev_call *call)
{
	const struct klamm_broker_fault *fault =
		call->fault != NULL ? kl_dev_fault_spec(call->fault) : NULL;
	kl_dev_fault_before(call);
	if (fault != NULL && fault->action == KLAMM_BROKER_DROP)
		kl_dev_call_drop(call, fault->reset);
	else if (fault != NULL && fault->action == KLAMM_BROKER_SILENCE)
		kl_dev_call_park(call, KL_NEVER, NULL);
	else if (!kl_dev_auth_stops(call))
		call->api->fn(call);
}

/* The handler of an API that waited before is started like any other. */
static void begin(struct kl_dev_call *call)
{
	call->fault = kl_dev_fault_meet(&(struct kl_dev_asked){
		call->broker, call->api->api, call->conn->node->id, call->request});
	int64_t delay =
		call->fault != NULL ? kl_dev_fault_spec(call->fault)->delay_ms : 0;
	if (delay > 0)
		kl_dev_call_park(call, call->broker->loop->now + delay * KL_MS, run);
	else
		run(call);
}

/* Read the body. false: it is not one. */
static bool decode(struct kl_dev_call *call, const struct kl_frame_header *header,
		   struct kl_reader *reader, struct klamm_error *err)
{
	int rc = kl_msg_decode(header->msg, header->version, reader, &call->arena,
			       &call->request, err);
	return rc == 0;
}

/* The API and version that the header names are served. An ApiVersions request whose version
 * is not has no request then (KIP-511), unless there is no such API at all. */
static const struct kl_dev_api *choose(const struct klamm_broker *broker,
				       const struct kl_frame_header *header,
				       bool *known_out)
{
	const struct kl_dev_api *api = kl_dev_api_find(header->api);
	if (api == NULL)
		return NULL;
	int min = broker->served[header->api].min, max = broker->served[header->api].max;
	*known_out = header->version >= min && header->version <= max;
	bool is_explained = header->api == KL_API_API_VERSIONS && min <= max;
	return *known_out || is_explained ? api : NULL;
}

void kl_dev_dispatch(struct kl_dev_conn *conn, struct kl_slab *slab, const uint8_t *p,
		     size_t n)
{
	struct klamm_broker *broker = conn->node->broker;
	struct kl_reader reader = kl_reader(p, n);
	struct kl_frame_header header;
	struct klamm_error err;
	bool known;
	if (kl_dev_auth_wants_token(&conn->auth)) {
		kl_dev_auth_token(conn, p, n);
		return;
	}
	int rc = kl_frame_read_request(&reader, &header, &err);
	const struct kl_dev_api *api = NULL;
	if (rc == 0 || rc == KLAMM_ERR_UNSUPPORTED)
		api = choose(broker, &header, &known);
	if (api == NULL) {
		refuse(conn, rc != 0 ? err.text : "a version that is not served");
		return;
	}
	const char *why = kl_dev_auth_forbids(conn, header.api);
	if (why != NULL) {
		refuse(conn, why);
		return;
	}
	broker->requests[api->api]++;
	struct kl_dev_call *call = kl_dev_call_new(conn);
	if (call == NULL) {
		refuse(conn, "out of memory");
		return;
	}
	call->api = api;
	call->version = header.version;
	call->correlation_id = header.correlation_id;
	call->client_id = header.client_id.len > 0 ? header.client_id : KL_STR("");
	call->slab = kl_slab_ref(slab);
	if (known && !decode(call, &header, &reader, &err)) {
		kl_dev_call_free(call);
		refuse(conn, err.text);
		return;
	}
	if (known)
		kl_dev_traffic(conn, '<', &(struct kl_frame){
			.msg = header.msg,
			.version = header.version,
			.correlation_id = header.correlation_id,
			.client_id = header.client_id,
			.obj = call->request,
		});
	kl_log(&broker->loop->log, KL_LOG_TRACE, "broker",
	       "node %d: %s v%d, %zu bytes, id %d", (int)conn->node->id,
	       kl_api_name(api->api), call->version, n, call->correlation_id);
	begin(call);
}
