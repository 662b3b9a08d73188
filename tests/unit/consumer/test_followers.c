/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading from a replica nearby (KIP-392). */
#include <stdio.h>

#include "tests/client/world.h"

#define FETCH 1
#define LAG 3

static struct klamm_error err;
static struct klamm_consumer *consumer;
static int32_t at_leader, at_near; /* faults that only count */

static void produce(int n)
{
	struct klamm_producer *producer = world_producer(NULL, "batch.size=0", NULL);
	for (int i = 0; i < n; i++) {
		world_send(producer, "t", 0, NULL, "value", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
}

static int32_t count_fetches(int32_t node)
{
	return world_fault(
		(struct klamm_broker_fault){.api = FETCH, .node = node, .count = -1});
}

/* The leader is 1, in rack a; the client and the follower 2 are in b, 3 is in c. */
static void up(void)
{
	static const char *const config[] = {
		"replica.selector.class="
		"org.apache.kafka.common.replica.RackAwareReplicaSelector",
		NULL};
	world_start((struct klamm_broker_options){
		.nodes = 3, .racks = "a,b,c", .config = config});
	world_create("t", 1);
	produce(10);
}

static void read_near(const char *pair)
{
	struct world_seen seen[10];
	consumer = world_consumer(NULL, "client.rack=b", pair, NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 10, seen);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(seen[i].offset, i);
	at_leader = count_fetches(1);
	at_near = count_fetches(2);
}

static void down(void)
{
	world_close_consumer(consumer);
	world_down();
}

static void read_more(int from, int n)
{
	struct world_seen seen[10];
	produce(n);
	world_read(consumer, n, seen);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(seen[i].offset, from + i);
}

/* Until a broker was asked so often. */
static void await(int32_t fault, int64_t hits)
{
	struct klamm_batch *none;
	for (int64_t end = world_ms() + PATIENCE;
	     klamm_broker_fault_hits(world_broker, fault) < hits;) {
		ck_assert_int_eq(klamm_consumer_poll(consumer, 10, &none, &err), 0);
		ck_assert_ptr_null(none);
		ck_assert_msg(world_ms() < end, "nobody asks there");
	}
}

START_TEST(opt_client_rack)
{
	up();
	read_near(NULL);
	await(at_near, 5);
	/* The session with the leader may have been ended, no more. */
	ck_assert_int_le(klamm_broker_fault_hits(world_broker, at_leader), 1);
	read_more(10, 5);
	down();
}
END_TEST

/* Then the leader may name another one. */
START_TEST(the_leader_is_asked_once_in_a_while)
{
	up();
	read_near("metadata.max.age.ms=300");
	await(at_leader, 3);
	await(at_near, 20);
	read_more(10, 5);
	down();
}
END_TEST

START_TEST(a_follower_that_is_gone)
{
	up();
	read_near(NULL);
	await(at_near, 2);
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 2, _i == 1, &err), 0);
	read_more(10, 5);
	down();
}
END_TEST

static const int32_t errors[] = {
	KLAMM_ERR_NOT_LEADER_OR_FOLLOWER, KLAMM_ERR_REPLICA_NOT_AVAILABLE,
	KLAMM_ERR_OFFSET_NOT_AVAILABLE,   KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
	KLAMM_ERR_OFFSET_OUT_OF_RANGE,    KLAMM_ERR_UNKNOWN_LEADER_EPOCH,
};

/* Also where it says that there is no such offset: only the leader knows that. */
START_TEST(a_follower_that_does_not_serve)
{
	up();
	read_near("auto.offset.reset=none");
	klamm_broker_fault_remove(world_broker, 0);
	world_fault((struct klamm_broker_fault){.api = FETCH, .node = 2, .topic = "t",
						.count = 3, .action = KLAMM_BROKER_ERROR,
						.error = errors[_i]});
	read_more(10, 5);
	down();
}
END_TEST

/* What it has not got yet is waited for, or got from the leader. */
START_TEST(a_follower_that_lags)
{
	up();
	ck_assert_int_eq(klamm_broker_fault(world_broker, "fetch topic=t lag=3 count=all",
					    NULL, &err), 0);
	struct world_seen seen[10];
	consumer = world_consumer(NULL, "client.rack=b", "auto.offset.reset=none", NULL);
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, 10 - LAG, seen);
	produce(5);
	world_read(consumer, 5, seen);
	ck_assert_int_eq(seen[4].offset, 11);
	down();
}
END_TEST

START_TEST(a_new_leader_is_read_from)
{
	up();
	read_near(NULL);
	await(at_near, 2);
	ck_assert_int_eq(klamm_broker_move_leader(world_broker, "t", 0, 2, &err), 0);
	read_more(10, 5);
	ck_assert_int_eq(klamm_broker_move_leader(world_broker, "t", 0, 3, &err), 0);
	read_more(15, 5);
	down();
}
END_TEST

UNIT_SUITE(followers)
{
	Suite *s = suite_create("followers");
	unit_add(s, opt_client_rack);
	unit_add(s, the_leader_is_asked_once_in_a_while);
	unit_add_loop(s, a_follower_that_is_gone, 2);
	unit_add_loop(s, a_follower_that_does_not_serve, kl_countof(errors));
	unit_add(s, a_follower_that_lags);
	unit_add(s, a_new_leader_is_read_from);
	return s;
}
