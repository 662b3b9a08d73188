/* SPDX-License-Identifier: BSD-2-Clause */
/* Trouble that a test asks for. */
#include "tests/broker/peer.h"

static struct peer *peer;
static struct klamm_error err;

static void up(void)
{
	peer_start();
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 3, &err), 0);
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "u", 1, &err), 0);
	peer = peer_open();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

static int32_t add(struct klamm_broker_fault fault)
{
	int32_t id;
	fault.size = sizeof(fault);
	ck_assert_int_eq(klamm_broker_fault_add(peer_broker, &fault, &id, &err), 0);
	return id;
}

static int produce(const char *topic, int32_t partition)
{
	struct peer_batch b;
	peer_batch(&b, 1, 1000);
	return peer_produce(peer, topic, partition, b.data, b.len)->error_code;
}

static int64_t end_of(const char *topic, int32_t partition)
{
	int64_t end = -1;
	ck_assert_int_eq(
		klamm_broker_offsets(peer_broker, topic, partition, NULL, &end, &err), 0);
	return end;
}

START_TEST(answers_with_errors)
{
	int32_t id = add((struct klamm_broker_fault){
		.api = KL_API_PRODUCE,
		.topic = "t",
		.partition = 1,
		.skip = 1,
		.count = 2,
		.action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_NOT_ENOUGH_REPLICAS,
	});
	ck_assert_int_eq(produce("u", 0), 0);
	ck_assert_int_eq(produce("t", 0), 0);
	ck_assert_int_eq(produce("t", 1), 0); /* skipped */
	ck_assert_int_eq(produce("t", 1), KLAMM_ERR_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(produce("t", 2), 0);
	ck_assert_int_eq(produce("t", 1), KLAMM_ERR_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(produce("t", 1), 0);
	ck_assert_int_eq(end_of("t", 1), 2);
	ck_assert_int_eq(klamm_broker_fault_hits(peer_broker, id), 2);
	klamm_broker_fault_remove(peer_broker, id);
	ck_assert_int_eq(klamm_broker_fault_hits(peer_broker, id), -1);
}
END_TEST

/* KIP-951 on a broker of one node: it names itself, and the answer has room for that. */
START_TEST(a_single_node_tells_that_it_leads)
{
	add((struct klamm_broker_fault){.api = KL_API_PRODUCE,
					.topic = "t",
					.partition = 2,
					.action = KLAMM_BROKER_ERROR,
					.error = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER});
	struct peer_batch b;
	peer_batch(&b, 1, 1000);
	struct kl_produce_request_partition to[] = {
		{.index = 2, .records = {b.data, (int32_t)b.len}},
		{.index = 1, .records = {b.data, (int32_t)b.len}},
	};
	struct kl_produce_request_topic at = {
		.name = KL_STR("t"), .partition_data = to, .partition_data_n = 2};
	struct kl_produce_request request;
	kl_msg_init(&kl_msg_produce_request, &request);
	request.transactional_id = KL_STR_NULL;
	request.acks = -1;
	request.timeout_ms = 1000;
	request.topic_data = &at;
	request.topic_data_n = 1;
	const struct kl_produce_response *r = PEER_CALL(peer, produce, 12, &request);
	ck_assert_int_eq(r->responses_n, 1);
	ck_assert_int_eq(r->responses[0].partition_responses_n, 2);
	const struct kl_produce_response_partition *told = r->responses[0].partition_responses;
	ck_assert_int_eq(told[0].index, 2);
	ck_assert_int_eq(told[0].error_code, KLAMM_ERR_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(told[0].current_leader.leader_id, 1);
	ck_assert_int_eq(told[1].index, 1);
	ck_assert_int_eq(told[1].error_code, 0);
	ck_assert_int_eq(r->node_endpoints_n, 1);
	ck_assert_int_eq(r->node_endpoints[0].node_id, 1);
	ck_assert_int_eq(r->node_endpoints[0].port, peer_port(1));
}
END_TEST

START_TEST(goes_on_until_removed)
{
	int32_t id = add((struct klamm_broker_fault){
		.api = -1,
		.topic = "u",
		.partition = -1,
		.count = -1,
		.action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_KAFKA_STORAGE_ERROR,
	});
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(produce("u", 0), KLAMM_ERR_KAFKA_STORAGE_ERROR);
		ck_assert_int_eq(peer_fetch(peer, "u", 0, 0)->error_code,
				 KLAMM_ERR_KAFKA_STORAGE_ERROR);
		ck_assert_int_eq(produce("t", 0), 0);
	}
	ck_assert_int_eq(klamm_broker_fault_hits(peer_broker, id), 10);
	klamm_broker_fault_remove(peer_broker, 0);
	ck_assert_int_eq(produce("u", 0), 0);
}
END_TEST

START_TEST(drops_before_and_after)
{
	bool after = _i & 1, reset = _i & 2;
	add((struct klamm_broker_fault){
		.api = KL_API_PRODUCE,
		.action = after ? KLAMM_BROKER_DROP_AFTER : KLAMM_BROKER_DROP,
		.reset = reset,
	});
	struct peer_batch b;
	peer_batch(&b, 1, 1000);
	struct kl_produce_request_partition to = {.records = {b.data, (int32_t)b.len}};
	struct kl_produce_request_topic at = {
		.name = KL_STR("t"), .partition_data = &to, .partition_data_n = 1};
	struct kl_produce_request request;
	kl_msg_init(&kl_msg_produce_request, &request);
	request.transactional_id = KL_STR_NULL;
	request.acks = 1;
	request.topic_data = &at;
	request.topic_data_n = 1;
	peer_ask(peer, &kl_msg_produce_request, 9, &request);
	ck_assert(peer_is_closed(peer));
	ck_assert_int_eq(end_of("t", 0), after ? 1 : 0);
	peer_check_alive();
}
END_TEST

static void ask_metadata(struct peer *p)
{
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	request.topics_n = -1;
	peer_ask(p, &kl_msg_metadata_request, 9, &request);
}

START_TEST(delays)
{
	add((struct klamm_broker_fault){.api = KL_API_METADATA, .delay_ms = 2000});
	struct peer *other = peer_open();
	ask_metadata(peer);
	ask_metadata(peer);
	ask_metadata(other); /* is not held up */
	peer_read(other, &kl_msg_metadata_response, 9);
	ck_assert(peer_is_silent(peer, 100));
	peer_read(peer, &kl_msg_metadata_response, 9);
	peer_read(peer, &kl_msg_metadata_response, 9);
	peer_close(other);
}
END_TEST

START_TEST(falls_silent)
{
	add((struct klamm_broker_fault){.api = -1, .action = KLAMM_BROKER_SILENCE});
	ask_metadata(peer);
	ask_metadata(peer);
	ck_assert(peer_is_silent(peer, 200));
	struct peer *other = peer_open();
	ask_metadata(other);
	peer_read(other, &kl_msg_metadata_response, 9);
	peer_close(other);
}
END_TEST

/* The fault of a request that waits may be removed, and its connection may go. */
START_TEST(outlives_its_requests)
{
	int32_t id = add((struct klamm_broker_fault){
		.api = -1, .count = -1, .delay_ms = 60000, .action = KLAMM_BROKER_DROP});
	struct peer *two[2] = {peer_open(), peer_open()};
	ask_metadata(two[0]);
	ask_metadata(two[1]);
	while (klamm_broker_fault_hits(peer_broker, id) < 2)
		;
	klamm_broker_fault_remove(peer_broker, id);
	peer_close(two[0]);
	peer_check_alive();
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 1, true, &err), 0);
	ck_assert_int_eq(klamm_broker_node_start(peer_broker, 1, &err), 0);
	peer_close(two[1]);
	peer_check_alive();
}
END_TEST

START_TEST(finds_topics_by_id)
{
	struct klamm_uuid id = peer_topic_id("t");
	add((struct klamm_broker_fault){
		.api = KL_API_FETCH,
		.topic = "t",
		.partition = 2,
		.action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_UNKNOWN_SERVER_ERROR,
	});
	struct kl_fetch_request_partition from[2];
	for (int i = 0; i < 2; i++)
		kl_type_init(&kl_type_fetch_request_partition, &from[i]);
	from[0].partition = 2;
	struct kl_fetch_request_topic at = {
		.topic_id = id, .partitions = from, .partitions_n = 2};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.session_epoch = -1;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_fetch_response *r = PEER_CALL(peer, fetch, 15, &request);
	ck_assert_int_eq(r->responses[0].partitions[0].error_code,
			 KLAMM_ERR_UNKNOWN_SERVER_ERROR);
	ck_assert_int_eq(r->responses[0].partitions[1].error_code, 0);
}
END_TEST

/* A request made up at random; does its answer have the error somewhere? */
static bool has_error(int api, uint64_t seed)
{
	const struct kl_msg *request = kl_msg_request(api);
	const struct kl_msg *response = kl_msg_response(api);
	int version = kl_min(request->stable, 5);
	struct kl_arena arena = {0};
	struct kl_buf text = {0};
	void *obj;
	ck_assert_int_eq(kl_msg_random(request, version, seed, &arena, &obj, NULL), 0);
	kl_msg_json(response, version, peer_call(peer, request, response, version, obj),
		    &text);
	bool found = strstr(kl_buf_text(&text), "rrorCode\":31") != NULL;
	kl_buf_free(&text);
	kl_arena_free(&arena);
	return found;
}

START_TEST(reaches_every_api)
{
	static const int apis[] = {
		KL_API_LIST_OFFSETS,	  KL_API_FIND_COORDINATOR,
		KL_API_API_VERSIONS,	  KL_API_CREATE_TOPICS,
		KL_API_DELETE_TOPICS,	  KL_API_DELETE_RECORDS,
		KL_API_INIT_PRODUCER_ID,  KL_API_OFFSET_FOR_LEADER_EPOCH,
		KL_API_CREATE_PARTITIONS, KL_API_DESCRIBE_CLUSTER,
	};
	add((struct klamm_broker_fault){
		.api = -1,
		.count = -1,
		.action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED,
	});
	for (size_t i = 0; i < kl_countof(apis); i++) {
		bool found = false;
		for (uint64_t seed = 1; seed < 20 && !found; seed++)
			found = has_error(apis[i], seed); /* some requests are empty */
		ck_assert_msg(found, "%s", kl_api_name(apis[i]));
	}
}
END_TEST

START_TEST(refuses_what_cannot_be)
{
	struct klamm_broker_fault fault = {.size = sizeof(fault), .action = 99};
	ck_assert_int_eq(klamm_broker_fault_add(peer_broker, &fault, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	fault = (struct klamm_broker_fault){.size = sizeof(fault), .delay_ms = -1};
	ck_assert_int_eq(klamm_broker_fault_add(peer_broker, &fault, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

UNIT_SUITE(faults)
{
	Suite *s = suite_create("faults");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, answers_with_errors, up, down);
	unit_add_fixture(s, a_single_node_tells_that_it_leads, up, down);
	unit_add_fixture(s, goes_on_until_removed, up, down);
	unit_add_case(s, "drops_before_and_after", drops_before_and_after, up, down, 4);
	unit_add_fixture(s, delays, up, down);
	unit_add_fixture(s, falls_silent, up, down);
	unit_add_fixture(s, outlives_its_requests, up, down);
	unit_add_fixture(s, finds_topics_by_id, up, down);
	unit_add_fixture(s, reaches_every_api, up, down);
	unit_add_fixture(s, refuses_what_cannot_be, up, down);
	return s;
}
