/* SPDX-License-Identifier: BSD-2-Clause */
/* Several brokers in one: who leads, who is told, what a stop changes. */
#include "tests/broker/peer.h"

static struct peer *peers[4]; /* by node */
static struct klamm_error err;

static void up(void)
{
	peer_start_three();
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 6, &err), 0);
	for (int i = 1; i <= 3; i++)
		peers[i] = peer_open_node(i);
}

static void down(void)
{
	for (int i = 1; i <= 3; i++)
		if (peers[i] != NULL)
			peer_close(peers[i]);
	peer_stop();
}

/* Of partition 0, as node i tells. */
static struct kl_metadata_response_partition ask_partition(int node, int32_t partition)
{
	struct kl_metadata_request_topic topic;
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	kl_type_init(&kl_type_metadata_request_topic, &topic);
	topic.name = KL_STR("t");
	request.topics = &topic;
	request.topics_n = 1;
	return PEER_CALL(peers[node], metadata, 12, &request)
		->topics[0]
		.partitions[partition];
}

static struct kl_produce_response *produce(int node, int version, int32_t partition)
{
	static struct peer_batch b;
	peer_batch(&b, 1, 1000);
	struct kl_produce_request_partition to = {.index = partition,
						  .records = {b.data, (int32_t)b.len}};
	struct kl_produce_request_topic at = {
		.name = KL_STR("t"), .partition_data = &to, .partition_data_n = 1};
	struct kl_produce_request request;
	kl_msg_init(&kl_msg_produce_request, &request);
	request.transactional_id = KL_STR_NULL;
	request.acks = -1;
	request.topic_data = &at;
	request.topic_data_n = 1;
	return PEER_CALL(peers[node], produce, version, &request);
}

START_TEST(spreads_leaders)
{
	int leads[4] = {0};
	for (int32_t i = 0; i < 6; i++) {
		struct kl_metadata_response_partition p = ask_partition(2, i);
		leads[p.leader_id]++;
		ck_assert_int_eq(p.replica_nodes_n, 3);
		ck_assert_int_eq(p.isr_nodes_n, 3);
		ck_assert_int_eq(p.leader_epoch, 0);
	}
	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(leads[i], 2);
}
END_TEST

START_TEST(tells_who_leads)
{
	int leader = ask_partition(1, 0).leader_id, other = leader % 3 + 1;
	struct kl_produce_response *r = produce(other, 9, 0);
	ck_assert_int_eq(r->responses[0].partition_responses[0].error_code,
			 KLAMM_ERR_NOT_LEADER_OR_FOLLOWER);
	r = produce(other, 10, 0);
	struct kl_produce_response_partition *p = &r->responses[0].partition_responses[0];
	ck_assert_int_eq(p->error_code, KLAMM_ERR_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(p->current_leader.leader_id, leader);
	ck_assert_int_eq(p->current_leader.leader_epoch, 0);
	ck_assert_int_eq(r->node_endpoints_n, 1);
	ck_assert_int_eq(r->node_endpoints[0].node_id, leader);
	ck_assert_int_eq(r->node_endpoints[0].port, peer_port(leader));
	r = produce(leader, 10, 0);
	ck_assert_int_eq(r->responses[0].partition_responses[0].error_code, 0);
	ck_assert_int_eq(r->node_endpoints_n, 0);
}
END_TEST

static struct kl_fetch_response *fetch(int node, int32_t epoch, int32_t wait_ms,
				       bool ask_only)
{
	struct kl_fetch_request_partition from;
	kl_type_init(&kl_type_fetch_request_partition, &from);
	from.current_leader_epoch = epoch;
	from.fetch_offset = ask_only ? 1 : 0;
	from.partition_max_bytes = 1000;
	struct kl_fetch_request_topic at = {
		.topic_id = peer_topic_id("t"), .partitions = &from, .partitions_n = 1};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_wait_ms = wait_ms;
	request.min_bytes = 1;
	request.max_bytes = 1000;
	request.session_epoch = -1;
	request.topics = &at;
	request.topics_n = 1;
	peer_ask(peers[node], &kl_msg_fetch_request, 16, &request);
	return ask_only ? NULL : peer_read(peers[node], &kl_msg_fetch_response, 16);
}

START_TEST(moves_leaders)
{
	int from = ask_partition(1, 0).leader_id, to = from % 3 + 1;
	produce(from, 9, 0);
	fetch(from, 0, 15000, true); /* waits for the second record */
	ck_assert(peer_is_silent(peers[from], 50));
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "t", 0, to, &err), 0);
	/* Who waits is told at once. */
	struct kl_fetch_response *r = peer_read(peers[from], &kl_msg_fetch_response, 16);
	struct kl_fetch_response_partition *p = &r->responses[0].partitions[0];
	ck_assert_int_eq(p->error_code, KLAMM_ERR_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(p->current_leader.leader_id, to);
	ck_assert_int_eq(p->current_leader.leader_epoch, 1);
	ck_assert_int_eq(r->node_endpoints[0].port, peer_port(to));
	ck_assert_int_eq(ask_partition(3, 0).leader_epoch, 1);
	r = fetch(to, 0, 0, false);
	ck_assert_int_eq(r->responses[0].partitions[0].error_code,
			 KLAMM_ERR_FENCED_LEADER_EPOCH);
	r = fetch(to, 2, 0, false);
	ck_assert_int_eq(r->responses[0].partitions[0].error_code,
			 KLAMM_ERR_UNKNOWN_LEADER_EPOCH);
	r = fetch(to, 1, 0, false);
	ck_assert_int_eq(r->responses[0].partitions[0].error_code, 0);
	ck_assert_int_gt(r->responses[0].partitions[0].records.len, 0);
	produce(to, 9, 0);
	/* What the first leader wrote ends at 1. */
	struct kl_offset_for_leader_epoch_request_partition of = {
		.current_leader_epoch = 1, .leader_epoch = 0};
	struct kl_offset_for_leader_epoch_request_topic at = {
		.topic = KL_STR("t"), .partitions = &of, .partitions_n = 1};
	struct kl_offset_for_leader_epoch_request request;
	kl_msg_init(&kl_msg_offset_for_leader_epoch_request, &request);
	request.topics = &at;
	request.topics_n = 1;
	struct kl_offset_for_leader_epoch_response *e =
		PEER_CALL(peers[to], offset_for_leader_epoch, 4, &request);
	ck_assert_int_eq(e->topics[0].partitions[0].leader_epoch, 0);
	ck_assert_int_eq(e->topics[0].partitions[0].end_offset, 1);
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "t", 0, 9, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "u", 0, 1, &err),
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(stops_and_starts)
{
	int gone = ask_partition(1, 0).leader_id, here = gone % 3 + 1;
	produce(gone, 9, 0);
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, gone, _i == 1, &err), 0);
	ck_assert(peer_is_closed(peers[gone]));
	struct kl_metadata_response_partition p = ask_partition(here, 0);
	int leader = p.leader_id;
	ck_assert_int_ne(leader, gone);
	ck_assert_int_eq(p.leader_epoch, 1);
	ck_assert_int_eq(p.isr_nodes_n, 2);
	ck_assert_int_eq(p.offline_replicas_n, 1);
	ck_assert_int_eq(p.offline_replicas[0], gone);
	/* What was acknowledged is still there. */
	struct kl_produce_response *r = produce(leader, 9, 0);
	ck_assert_int_eq(r->responses[0].partition_responses[0].base_offset, 1);
	ck_assert_int_eq(klamm_broker_node_start(peer_broker, gone, &err), 0);
	peer_close(peers[gone]);
	peers[gone] = peer_open_node(gone); /* on its old port */
	ck_assert_int_eq(ask_partition(gone, 0).isr_nodes_n, 3);
	ck_assert_int_eq(ask_partition(gone, 0).leader_id, leader);
}
END_TEST

START_TEST(has_no_leader_without_replicas)
{
	peer_start_with((struct klamm_broker_options){.nodes = 2, .replicas = 1});
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 2, &err), 0);
	peers[1] = peer_open_node(1);
	int mine = ask_partition(1, 0).leader_id == 1 ? 0 : 1;
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 2, false, &err), 0);
	struct kl_metadata_response_partition p = ask_partition(1, 1 - mine);
	ck_assert_int_eq(p.leader_id, -1);
	ck_assert_int_eq(p.error_code, KLAMM_ERR_LEADER_NOT_AVAILABLE);
	ck_assert_int_eq(ask_partition(1, mine).leader_id, 1);
	ck_assert_int_eq(klamm_broker_node_start(peer_broker, 2, &err), 0);
	ck_assert_int_eq(ask_partition(1, 1 - mine).leader_id, 2);
	down();
}
END_TEST

START_TEST(stops_as_a_whole)
{
	int leader = ask_partition(1, 0).leader_id;
	produce(leader, 9, 0);
	klamm_broker_stop(peer_broker);
	for (int i = 1; i <= 3; i++) {
		ck_assert(peer_is_closed(peers[i]));
		peer_close(peers[i]);
		ck_assert_int_eq(klamm_broker_node_start(peer_broker, i, &err), 0);
		peers[i] = peer_open_node(i);
	}
	int64_t start, end;
	ck_assert_int_eq(klamm_broker_offsets(peer_broker, "t", 0, &start, &end, &err),
			 0);
	ck_assert(start == 0 && end == 1);
}
END_TEST

/* A loop that the application steps, and no thread anywhere. */
START_TEST(runs_in_a_loop_of_ours)
{
	struct klamm_loop *loop;
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, &err), 0);
	peer_start_with((struct klamm_broker_options){.loop = loop, .listen = "[::1]:0"});
	ck_assert_int_eq(strncmp(klamm_broker_address(peer_broker), "[::1]:", 6), 0);
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 2, &err), 0);
	ck_assert_int_eq(klamm_loop_step(loop, 0, &err), 0);
	peer_stop();
	klamm_loop_free(loop);
}
END_TEST

static const struct klamm_broker_options bad[] = {
	{.listen = "localhost"},
	{.listen = "127.0.0.1:99999"},
	{.listen = ":1"},
	{.nodes = -1},
	{.nodes = 2000},
	{.nodes = 3, .replicas = 4},
	{.nodes = 3, .listen = "127.0.0.1:65534"},
	{.partitions = 20000},
	{.listen = "192.0.2.1:0"}, /* an address of nobody's (RFC 5737) */
};

START_TEST(refuses_options)
{
	struct klamm_broker_options options = bad[_i];
	options.size = sizeof(options);
	struct klamm_broker *broker;
	ck_assert_int_lt(klamm_broker_new(&options, &broker, &err), 0);
	ck_assert_int_gt((int)strlen(err.text), 10);
}
END_TEST

UNIT_SUITE(nodes)
{
	Suite *s = suite_create("nodes");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, spreads_leaders, up, down);
	unit_add_fixture(s, tells_who_leads, up, down);
	unit_add_fixture(s, moves_leaders, up, down);
	unit_add_case(s, "stops_and_starts", stops_and_starts, up, down, 2);
	unit_add(s, has_no_leader_without_replicas);
	unit_add_fixture(s, stops_as_a_whole, up, down);
	unit_add(s, runs_in_a_loop_of_ours);
	unit_add_loop(s, refuses_options, kl_countof(bad));
	return s;
}
