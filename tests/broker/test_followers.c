/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading from a replica nearby (KIP-392): who is sent where, and what a follower has. */
#include <stdio.h>

#include "core/record/batch_read.h"
#include "tests/broker/peer.h"

static struct peer *peers[5]; /* by node */
static struct klamm_error err;
static int leader, near; /* near: a follower, in the client's rack */

#define OLD  10 /* the last version that does not tell where the client is */
#define RACK "b"

static void send_fetch(int node, int version, const char *rack,
		       const struct kl_fetch_request_partition *from, int32_t wait_ms)
{
	struct kl_fetch_request_partition one = *from;
	struct kl_fetch_request_topic at = {
		.topic = KL_STR("t"), .partitions = &one, .partitions_n = 1};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_wait_ms = wait_ms;
	request.min_bytes = 1;
	request.max_bytes = 1 << 20;
	request.session_epoch = -1;
	request.rack_id = kl_str(rack);
	request.topics = &at;
	request.topics_n = 1;
	peer_ask(peers[node], &kl_msg_fetch_request, version, &request);
}

static struct kl_fetch_response_partition *read_fetch(int node, int version)
{
	struct kl_fetch_response *r =
		peer_read(peers[node], &kl_msg_fetch_response, version);
	ck_assert_int_eq(r->responses_n, 1);
	return &r->responses[0].partitions[0];
}

static struct kl_fetch_request_partition at(int64_t offset)
{
	struct kl_fetch_request_partition from;
	kl_type_init(&kl_type_fetch_request_partition, &from);
	from.fetch_offset = offset;
	from.partition_max_bytes = 1 << 20;
	return from;
}

static struct kl_fetch_response_partition *fetch(int node, const char *rack, int64_t offset)
{
	struct kl_fetch_request_partition from = at(offset);
	send_fetch(node, 12, rack, &from, 0);
	return read_fetch(node, 12);
}

static void put(int count)
{
	struct peer_batch b;
	peer_batch(&b, count, 1000);
	ck_assert_int_eq(peer_produce(peers[leader], "t", 0, b.data, b.len)->error_code, 0);
}

static int leader_of(void)
{
	struct kl_metadata_request_topic topic;
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	kl_type_init(&kl_type_metadata_request_topic, &topic);
	topic.name = KL_STR("t");
	request.topics = &topic;
	request.topics_n = 1;
	return PEER_CALL(peers[1], metadata, 12, &request)
		->topics[0]
		.partitions[0]
		.leader_id;
}

static void up_with(const char *selector)
{
	const char *const config[] = {selector, NULL};
	peer_start_with((struct klamm_broker_options){
		.nodes = 4, .racks = "a,b,b,c", .config = config});
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 1, &err), 0);
	for (int i = 1; i <= 4; i++)
		peers[i] = peer_open_node(i);
	leader = leader_of();
	ck_assert_int_eq(leader, 1); /* in rack a, its replicas on 2 and 3 in b */
	near = 3;
	put(2);
	put(3);
}

static void up(void)
{
	up_with("replica.selector.class="
		"org.apache.kafka.common.replica.RackAwareReplicaSelector");
}

static void down(void)
{
	for (int i = 1; i <= 4; i++)
		peer_close(peers[i]);
	peer_stop();
}

/* --- sent elsewhere --- */

START_TEST(sends_to_a_replica_nearby)
{
	/* At once, and without records. */
	struct kl_fetch_request_partition from = at(5);
	send_fetch(leader, 12, RACK, &from, 60000);
	struct kl_fetch_response_partition *p = read_fetch(leader, 12);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->preferred_read_replica, near);
	ck_assert_int_eq(p->records.len, 0);
	ck_assert_int_eq(p->high_watermark, 5);
	ck_assert_int_eq(p->last_stable_offset, 5);
	ck_assert_int_eq(p->log_start_offset, 0);
	/* Only to one that is in sync. */
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 3, false, &err), 0);
	ck_assert_int_eq(fetch(leader, RACK, 0)->preferred_read_replica, 2);
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 2, false, &err), 0);
	p = fetch(leader, RACK, 0);
	ck_assert_int_eq(p->preferred_read_replica, -1);
	ck_assert_int_gt(p->records.len, 0);
}
END_TEST

static const char *const other_racks[] = {"a", "c", "d", ""};

START_TEST(keeps_other_clients)
{
	struct kl_fetch_response_partition *p = fetch(leader, other_racks[_i], 0);
	ck_assert_int_eq(p->preferred_read_replica, -1);
	ck_assert_int_gt(p->records.len, 0);
}
END_TEST

START_TEST(keeps_clients_out_of_range)
{
	struct kl_fetch_response_partition *p = fetch(leader, RACK, 6);
	ck_assert_int_eq(p->error_code, KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(p->preferred_read_replica, -1);
}
END_TEST

/* As Kafka does when nothing is said. */
START_TEST(keeps_all_without_a_selector)
{
	up_with("offsets.retention.minutes=10080");
	ck_assert_int_eq(fetch(leader, RACK, 0)->preferred_read_replica, -1);
	down();
}
END_TEST

/* --- what a follower has --- */

START_TEST(reads_from_followers)
{
	struct kl_fetch_response_partition *p = fetch(near, RACK, 2);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->preferred_read_replica, -1);
	ck_assert_int_eq(p->high_watermark, 5);
	struct kl_batch_head head;
	kl_batch_peek(p->records.p, (size_t)p->records.len, &head);
	ck_assert_int_eq(head.base_offset, 2);
	/* It wakes who waits. */
	struct kl_fetch_request_partition from = at(5);
	send_fetch(near, 12, RACK, &from, 10000);
	ck_assert(peer_is_silent(peers[near], 50));
	put(1);
	ck_assert_int_gt(read_fetch(near, 12)->records.len, 0);
}
END_TEST

START_TEST(refuses_old_clients_and_strangers)
{
	struct kl_fetch_request_partition from = at(0);
	send_fetch(near, OLD, "", &from, 0);
	ck_assert_int_eq(read_fetch(near, OLD)->error_code,
			 KLAMM_ERR_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(fetch(4, "c", 0)->error_code, /* without a replica */
			 KLAMM_ERR_NOT_LEADER_OR_FOLLOWER);
}
END_TEST

/* Followers know of epochs what leaders know. */
START_TEST(compares_epochs)
{
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "t", 0, 2, &err), 0);
	struct kl_fetch_request_partition from = at(0);
	for (int node = 1; node <= 3; node++) {
		from.current_leader_epoch = 0;
		send_fetch(node, 12, "", &from, 0);
		ck_assert_int_eq(read_fetch(node, 12)->error_code,
				 KLAMM_ERR_FENCED_LEADER_EPOCH);
		from.current_leader_epoch = 2;
		send_fetch(node, 12, "", &from, 0);
		ck_assert_int_eq(read_fetch(node, 12)->error_code,
				 KLAMM_ERR_UNKNOWN_LEADER_EPOCH);
		from.current_leader_epoch = 1;
		send_fetch(node, 12, "", &from, 0);
		ck_assert_int_eq(read_fetch(node, 12)->error_code, 0);
	}
}
END_TEST

static void let_lag(int records)
{
	char text[64];
	snprintf(text, sizeof(text), "fetch topic=t lag=%d count=all", records);
	ck_assert_int_eq(klamm_broker_fault(peer_broker, text, NULL, &err), 0);
}

/* By whole batches, and followers alone. */
START_TEST(lags)
{
	let_lag(1);
	struct kl_fetch_response_partition *p = fetch(near, RACK, 0);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->high_watermark, 2);
	ck_assert_int_eq(p->last_stable_offset, 2);
	struct kl_batch_span span;
	kl_batch_hop(p->records.p, (size_t)p->records.len, &span);
	ck_assert_int_eq(span.next_offset, 2);
	p = fetch(near, RACK, 2);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->records.len, 0);
	ck_assert_int_eq(fetch(near, RACK, 3)->error_code, KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(fetch(leader, "", 0)->high_watermark, 5);
	klamm_broker_fault_remove(peer_broker, 0);
	let_lag(100);
	p = fetch(near, RACK, 0);
	ck_assert_int_eq(p->high_watermark, 0);
	ck_assert_int_eq(p->records.len, 0);
}
END_TEST

UNIT_SUITE(followers)
{
	Suite *s = suite_create("followers");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, sends_to_a_replica_nearby, up, down);
	unit_add_case(s, "keeps_other_clients", keeps_other_clients, up, down,
		      kl_countof(other_racks));
	unit_add_fixture(s, keeps_clients_out_of_range, up, down);
	unit_add(s, keeps_all_without_a_selector);
	unit_add_fixture(s, reads_from_followers, up, down);
	unit_add_fixture(s, refuses_old_clients_and_strangers, up, down);
	unit_add_fixture(s, compares_epochs, up, down);
	unit_add_fixture(s, lags, up, down);
	return s;
}
