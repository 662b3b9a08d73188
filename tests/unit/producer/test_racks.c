/* SPDX-License-Identifier: BSD-2-Clause */
/* Records without a key stay in their rack (KIP-1123). */
#include <unistd.h>

#include "core/producer/producer.h"
#include "tests/client/world.h"

enum { PARTITIONS = 6, NODES = 3 };

/* The node that leads each partition of "t", if any does: it has no other replica. */
static int32_t leaders[PARTITIONS];

static void look_at_cluster(void)
{
	static const char *const racks[] = {"a", "b", "a"};
	const char *name = "t";
	struct klamm_topic_list *list;
	struct klamm_cluster_description *cluster;
	struct klamm_admin *admin;
	struct klamm_error err;
	struct klamm_conf *conf = world_conf(NULL, NULL);
	ck_assert_int_eq(klamm_admin_new(conf, NULL, &admin, &err), 0);
	klamm_conf_free(conf);
	ck_assert_int_eq(klamm_admin_describe_topics(admin, &name, 1, PATIENCE, &list, &err),
			 0);
	for (int i = 0; i < PARTITIONS; i++)
		leaders[i] = list->topics[0]->partitions[i]->leader;
	ck_assert_int_eq(klamm_admin_describe_cluster(admin, PATIENCE, &cluster, &err), 0);
	ck_assert_uint_eq(cluster->broker_count, NODES);
	for (int i = 0; i < NODES; i++)
		ck_assert_str_eq(cluster->brokers[i]->rack, racks[i]);
	klamm_topic_list_free(list);
	klamm_cluster_description_free(cluster);
	klamm_admin_free(admin);
}

enum { KEYLESS = 60 };

/* How many of some records without a key land with each node. */
static void spread(struct klamm_producer *producer, int by_node[NODES + 1])
{
	static struct world_end ends[KEYLESS];
	memset(ends, 0, sizeof(ends));
	memset(by_node, 0, (NODES + 1) * sizeof(*by_node));
	for (int i = 0; i < KEYLESS; i++) {
		world_send(producer, "t", -1, NULL, "v", &ends[i]);
		ck_assert_uint_eq(world_flush(producer), 0);
		by_node[leaders[ends[i].partition]]++;
	}
}

static struct klamm_producer *racks_up(const char *pair, const char *rack)
{
	world_start((struct klamm_broker_options){
		.nodes = NODES, .replicas = 1, .racks = "a,b"});
	world_create("t", PARTITIONS);
	look_at_cluster();
	return world_telling(NULL, "linger.ms=0", "batch.size=0", "metadata.max.age.ms=100",
			     pair, rack, NULL);
}

/* Nodes 1 and 3 are in rack a, node 2 in b. */
START_TEST(opt_partitioner_rack_aware)
{
	int by_node[NODES + 1];
	struct klamm_producer *producer =
		racks_up(_i == 0 ? "partitioner.rack.aware=false"
				 : "partitioner.rack.aware=true", "client.rack=b");
	spread(producer, by_node);
	if (_i == 0)
		ck_assert(by_node[1] > 0 && by_node[2] > 0 && by_node[3] > 0);
	else
		ck_assert_int_eq(by_node[2], KEYLESS);
	/* Keys do not mind, nor does who names a partition. */
	struct world_end ends[PARTITIONS] = {0};
	for (int i = 0; i < PARTITIONS; i++)
		world_send(producer, "t", i, NULL, "v", &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < PARTITIONS; i++)
		ck_assert_int_eq(ends[i].partition, i);
	world_close(producer);
	world_down();
}
END_TEST

/* While no leader is there in its rack others do, and only so long. */
START_TEST(racks_come_and_go)
{
	struct klamm_error err;
	int by_node[NODES + 1];
	struct klamm_producer *producer =
		racks_up("partitioner.rack.aware=true", "client.rack=b");
	spread(producer, by_node);
	ck_assert_int_eq(by_node[2], KEYLESS);
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 2, false, &err), 0);
	int64_t deadline = world_ms() + PATIENCE;
	struct kl_partition **table = atomic_load(&producer->topics->partitions);
	bool seen = false;
	while (!seen && world_ms() < deadline) {
		usleep(10000);
		seen = true;
		for (int32_t i = 0; i < PARTITIONS; i++)
			seen &= leaders[i] != 2 || atomic_load(&table[i]->no_leader);
	}
	ck_assert(seen);
	spread(producer, by_node);
	ck_assert(by_node[1] > 0 && by_node[3] > 0);
	ck_assert_int_eq(klamm_broker_node_start(world_broker, 2, &err), 0);
	do
		spread(producer, by_node);
	while (by_node[2] < KEYLESS && world_ms() < deadline);
	ck_assert_int_eq(by_node[2], KEYLESS);
	world_close(producer);
	world_down();
}
END_TEST

/* A rack of two nodes, one that nobody has heard of, and none. */
START_TEST(opt_client_rack)
{
	static const char *const racks[] = {"client.rack=a", "client.rack=z"};
	int by_node[NODES + 1];
	struct klamm_producer *producer = racks_up("partitioner.rack.aware=true", racks[_i]);
	spread(producer, by_node);
	ck_assert(by_node[1] > 0 && by_node[3] > 0);
	ck_assert_int_eq(by_node[2] > 0, _i == 1);
	world_close(producer);
	world_down();
}
END_TEST

START_TEST(racks_are_checked)
{
	static const char *const pairs[] = {"client.rack=", "client.rack=  "};
	struct klamm_error err;
	world_servers = "127.0.0.1:1";
	struct klamm_conf *conf = world_conf("partitioner.rack.aware=true", pairs[_i], NULL);
	struct klamm_producer *producer;
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "partitioner.rack.aware = true: needs a client.rack");
	klamm_conf_free(conf);
}
END_TEST

UNIT_SUITE(racks)
{
	Suite *s = suite_create("racks");
	unit_add_loop(s, opt_partitioner_rack_aware, 2);
	unit_add(s, racks_come_and_go);
	unit_add_loop(s, opt_client_rack, 2);
	unit_add_loop(s, racks_are_checked, 2);
	return s;
}
