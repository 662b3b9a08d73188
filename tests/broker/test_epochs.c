/* SPDX-License-Identifier: BSD-2-Clause */
/* Leader epochs: where each ends, and what clients are told when a leader has lost records
 * (KIP-101, KIP-320, KIP-595). */
#include <stdio.h>
#include <stdlib.h>

#include "core/record/batch_read.h"
#include "tests/broker/peer.h"

static struct peer *peers[3]; /* by node */
static struct klamm_error err;
static char *dir;

#define SEGMENT "1048576"

/* The topic "t": its partition is led by node 1, its replica is on 2. */
static void start(void)
{
	peer_start_with((struct klamm_broker_options){.nodes = 2, .data_dir = dir});
	for (int i = 1; i <= 2; i++)
		peers[i] = peer_open_node(i);
}

static void stop(void)
{
	for (int i = 1; i <= 2; i++)
		peer_close(peers[i]);
	peer_stop();
}

static void up_in_memory(void)
{
	start();
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 1, &err), 0);
}

static void up_in_files(void)
{
	dir = unit_tmp();
	start();
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 1, &err), 0);
}

static void down(void)
{
	stop();
	free(dir);
}

static int64_t put_batch(int node, const struct peer_batch *b)
{
	struct kl_produce_response_partition *r =
		peer_produce(peers[node], "t", 0, b->data, b->len);
	ck_assert_int_eq(r->error_code, 0);
	return r->base_offset;
}

static int64_t put(int node, int count)
{
	struct peer_batch b;
	peer_batch(&b, count, 1000);
	return put_batch(node, &b);
}

static struct kl_fetch_response_partition *fetch(int node, int64_t offset, int32_t epoch,
						 int32_t last_epoch, int32_t wait_ms)
{
	struct kl_fetch_request_partition from;
	kl_type_init(&kl_type_fetch_request_partition, &from);
	from.fetch_offset = offset;
	from.current_leader_epoch = epoch;
	from.last_fetched_epoch = last_epoch;
	from.partition_max_bytes = 1 << 20;
	struct kl_fetch_request_topic at = {
		.topic = KL_STR("t"), .partitions = &from, .partitions_n = 1};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_wait_ms = wait_ms;
	request.min_bytes = 1;
	request.max_bytes = 1 << 20;
	request.session_epoch = -1;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_fetch_response *r = PEER_CALL(peers[node], fetch, 12, &request);
	ck_assert_int_eq(r->responses_n, 1);
	return &r->responses[0].partitions[0];
}

static struct kl_offset_for_leader_epoch_response_epoch_end *ask_end(int node, int version,
								     int32_t current,
								     int32_t epoch)
{
	struct kl_offset_for_leader_epoch_request_partition of = {
		.current_leader_epoch = current, .leader_epoch = epoch};
	struct kl_offset_for_leader_epoch_request_topic at = {
		.topic = KL_STR("t"), .partitions = &of, .partitions_n = 1};
	struct kl_offset_for_leader_epoch_request request;
	kl_msg_init(&kl_msg_offset_for_leader_epoch_request, &request);
	request.replica_id = -1;
	request.topics = &at;
	request.topics_n = 1;
	return &PEER_CALL(peers[node], offset_for_leader_epoch, version, &request)
			->topics[0]
			.partitions[0];
}

/* The end of an epoch, as node 2 tells, which leads. */
static void ends(int32_t epoch, int32_t ours, int64_t offset)
{
	struct kl_offset_for_leader_epoch_response_epoch_end *e = ask_end(2, 4, -1, epoch);
	ck_assert_int_eq(e->error_code, 0);
	ck_assert_int_eq(e->leader_epoch, ours);
	ck_assert_int_eq(e->end_offset, offset);
}

/* The next question after epochs moves the leader. */
static void lose(int node, int records, int to)
{
	char text[96];
	snprintf(text, sizeof(text), "offset_for_leader_epoch topic=t leader=%d lose=%d", to,
		 records);
	ck_assert_int_eq(klamm_broker_fault(peer_broker, text, NULL, &err), 0);
	ask_end(node, 4, -1, 0);
}

static int64_t end(void)
{
	int64_t offset;
	ck_assert_int_eq(klamm_broker_offsets(peer_broker, "t", 0, NULL, &offset, &err), 0);
	return offset;
}

/* --- without a loss --- */

START_TEST(tells_where_epochs_end)
{
	put(1, 3);
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "t", 0, 2, &err), 0);
	ends(0, 0, 3);
	ends(1, 1, 3);
	ends(2, -1, -1);
	put(2, 2);
	ends(1, 1, 5);
	ck_assert_int_eq(ask_end(1, 4, -1, 0)->error_code,
			 KLAMM_ERR_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(ask_end(1, 4, 0, 0)->error_code, KLAMM_ERR_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(ask_end(2, 4, 2, 0)->error_code, KLAMM_ERR_UNKNOWN_LEADER_EPOCH);
	ck_assert_int_eq(ask_end(2, 4, 1, 0)->end_offset, 3);
}
END_TEST

START_TEST(tells_old_clients)
{
	ck_assert_int_eq(klamm_broker_limit_api(peer_broker, KL_API_OFFSET_FOR_LEADER_EPOCH,
						0, 1, &err),
			 0);
	put(1, 3);
	ck_assert_int_eq(ask_end(1, 0, -1, 0)->end_offset, 3);
	struct kl_offset_for_leader_epoch_response_epoch_end *e = ask_end(1, 1, -1, 0);
	ck_assert(e->end_offset == 3 && e->leader_epoch == 0);
}
END_TEST

/* --- with one --- */

START_TEST(loses_records)
{
	put(1, 2);
	put(1, 3);
	put(1, 2);
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "t", 0, 2, &err), 0);
	ck_assert_int_eq(put(2, 3), 7);
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "t", 0, 1, &err), 0);
	lose(1, 4, 2); /* the record 6, and with it 5 */
	ck_assert_int_eq(end(), 5);
	ends(0, 0, 5);
	ends(1, 0, 5); /* nothing is left of it */
	ends(3, 3, 5);
	struct kl_fetch_response_partition *p = fetch(2, 10, 3, -1, 0);
	ck_assert_int_eq(p->error_code, KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	p = fetch(2, 0, 3, -1, 0);
	ck_assert_int_eq(p->high_watermark, 5);
	struct kl_batch_span span;
	kl_batch_hop(p->records.p, (size_t)p->records.len, &span);
	ck_assert_int_eq(span.next_offset, 5);
	/* Others are there instead. */
	ck_assert_int_eq(put(2, 6), 5);
	ends(0, 0, 5);
	ends(1, 0, 5);
	ends(3, 3, 11);
	p = fetch(2, 5, 3, 0, 0);
	struct kl_batch_head head;
	kl_batch_peek(p->records.p, (size_t)p->records.len, &head);
	ck_assert_int_eq(head.leader_epoch, 3);
	ck_assert_int_eq(head.record_count, 6);
}
END_TEST

START_TEST(loses_everything)
{
	put(1, 2);
	put(1, 2);
	lose(1, 100, 2);
	ck_assert_int_eq(end(), 0);
	ends(0, 0, 0); /* before what comes now */
	ck_assert_int_eq(fetch(2, 0, 1, -1, 0)->high_watermark, 0);
	ck_assert_int_eq(put(2, 1), 0);
}
END_TEST

/* It has been away, and comes back with less. */
START_TEST(loses_under_the_same_leader)
{
	put(1, 2);
	put(1, 2);
	lose(1, 1, 1);
	ck_assert_int_eq(end(), 2);
	ck_assert_int_eq(ask_end(1, 4, 1, 0)->end_offset, 2);
}
END_TEST

START_TEST(tells_where_a_client_parts)
{
	put(1, 2);
	ck_assert_int_eq(klamm_broker_move_leader(peer_broker, "t", 0, 2, &err), 0);
	put(2, 3);
	lose(2, 3, 1);
	put(1, 4);
	/* Epoch 2 now begins where 1 began. Whoever read all of 1 is told at once. */
	struct kl_fetch_response_partition *p = fetch(1, 5, 2, 1, 60000);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->diverging_epoch.epoch, 0);
	ck_assert_int_eq(p->diverging_epoch.end_offset, 2);
	ck_assert_int_eq(p->records.len, 0);
	ck_assert_int_eq(p->high_watermark, 6);
	ck_assert_int_eq(p->log_start_offset, 0);
	/* Whoever read of 0 what is still there goes on; nobody can have more of it. */
	ck_assert_int_gt(fetch(1, 2, 2, 0, 0)->records.len, 0);
	p = fetch(1, 3, 2, 0, 0);
	ck_assert_int_eq(p->diverging_epoch.epoch, 0);
	ck_assert_int_eq(p->diverging_epoch.end_offset, 2);
	/* An epoch that nobody has led. */
	ck_assert_int_eq(fetch(1, 2, 2, 9, 0)->error_code, KLAMM_ERR_OFFSET_OUT_OF_RANGE);
}
END_TEST

/* What a producer wrote is known as far as it is there. */
START_TEST(forgets_sequences)
{
	struct peer_batch b;
	peer_batch_from(&b, 2, 7, 0, 0);
	ck_assert_int_eq(put_batch(1, &b), 0);
	peer_batch_from(&b, 2, 7, 0, 2);
	ck_assert_int_eq(put_batch(1, &b), 2);
	ck_assert_int_eq(put_batch(1, &b), 2); /* it was there */
	put(1, 1);
	lose(1, 3, 2);
	ck_assert_int_eq(put_batch(2, &b), 2);
	ck_assert_int_eq(end(), 4);
}
END_TEST

static void make_small_segments(const char *name)
{
	const char *const settings[] = {"segment.bytes", SEGMENT, NULL};
	peer_create_with(name, 1, settings);
}

START_TEST(loses_segments)
{
	peer_delete("t");
	make_small_segments("t");
	struct peer_batch b;
	int node = 1;
	peer_batch(&b, 500, 1000);
	if (peer_produce(peers[1], "t", 0, b.data, b.len)->error_code != 0)
		node = 2;
	int64_t at = 0;
	while (at < 200000)
		at = put_batch(node, &b);
	int64_t all = end(), kept = all - 150000;
	lose(node, 150000, 2);
	ck_assert_int_eq(end(), kept);
	ck_assert_int_eq(put(2, 1), kept);
	struct kl_fetch_response_partition *p = fetch(2, kept, -1, -1, 0);
	ck_assert_int_eq(p->high_watermark, kept + 1);
	ck_assert_int_gt(p->records.len, 0);
	if (dir == NULL)
		return;
	stop();
	start();
	ck_assert_int_eq(end(), kept + 1);
}
END_TEST

START_TEST(survives_a_start)
{
	put(1, 2);
	put(1, 3);
	lose(1, 1, 2);
	put(2, 4);
	stop();
	start();
	ck_assert_int_eq(end(), 6);
	ck_assert_int_eq(ask_end(1, 4, -1, 0)->end_offset, 2);
}
END_TEST

static void add_loss(Suite *s, const char *name, const TTest *test)
{
	unit_add_case(s, name, test, up_in_memory, down, 0);
	unit_add_case(s, name, test, up_in_files, down, 0);
}

UNIT_SUITE(epochs)
{
	Suite *s = suite_create("epochs");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, tells_where_epochs_end, up_in_memory, down);
	unit_add_fixture(s, tells_old_clients, up_in_memory, down);
	add_loss(s, "loses_records", loses_records);
	add_loss(s, "loses_everything", loses_everything);
	add_loss(s, "loses_under_the_same_leader", loses_under_the_same_leader);
	add_loss(s, "tells_where_a_client_parts", tells_where_a_client_parts);
	add_loss(s, "forgets_sequences", forgets_sequences);
	add_loss(s, "loses_segments", loses_segments);
	unit_add_fixture(s, survives_a_start, up_in_files, down);
	return s;
}
