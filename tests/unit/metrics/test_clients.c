/* SPDX-License-Identifier: BSD-2-Clause */
/* What clients count, against the dev broker. */
#include <stdio.h>
#include <unistd.h>

#include "kit/kit.h"
#include "tests/client/world.h"
#include "tests/unit/metrics/reporter.h"

#define PRODUCE 0
#define FETCH_MANAGER "consumer-fetch-manager-metrics"

static void send_many(struct klamm_producer *producer, const char *topic, int n)
{
	for (int i = 0; i < n; i++)
		world_send(producer, topic, 0, NULL, "0123456789", NULL);
}

static void up(void)
{
	world_up();
	world_create("t", 1);
	world_create("u", 1);
}

START_TEST(a_producer_counts_what_it_sends)
{
	struct klamm_producer *producer =
		world_producer(NULL, "linger.ms=60000", "client.id=me", NULL);
	send_many(producer, "t", 100);
	world_send(producer, "u", 0, NULL, "x", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_snapshot *s = producer_figures(producer);
	ck_assert_double_eq(figure(s, "producer-metrics", "record-send-total"), 101);
	ck_assert_double_gt(figure(s, "producer-metrics", "record-send-rate"), 0);
	ck_assert_double_eq(figure(s, "producer-metrics", "compression-rate-avg"), 1);
	ck_assert_double_eq(figure(s, "producer-metrics", "record-error-total"), 0);
	ck_assert_double_eq(figure(s, "producer-metrics", "record-retry-total"), 0);
	ck_assert_double_gt(figure(s, "producer-metrics", "metadata-wait-time-ns-total"), 0);
	ck_assert_double_gt(figure(s, "producer-metrics", "flush-time-ns-total"), 0);
	ck_assert_double_ge(figure(s, "producer-metrics", "request-latency-max"),
			    figure(s, "producer-metrics", "request-latency-avg"));
	double t = figure_of(s, "producer-topic-metrics", "byte-total", "topic", "t");
	double u = figure_of(s, "producer-topic-metrics", "byte-total", "topic", "u");
	ck_assert_double_ge(t, 1000);
	ck_assert_double_lt(u, 100);
	ck_assert_double_eq(figure(s, "producer-metrics", "batch-size-max"), t);
	ck_assert_double_eq_tol(figure(s, "producer-metrics", "batch-size-avg"), (t + u) / 2,
				0.01);
	ck_assert_double_eq_tol(figure(s, "producer-metrics", "record-size-avg"),
				(t + u - 2 * 61) / 101, 0.01);
	ck_assert_double_eq(figure_of(s, "producer-topic-metrics", "record-send-total",
				      "topic", "t"), 100);
	ck_assert_double_eq(figure(s, "producer-metrics", "buffer-total-bytes"), 33554432);
	ck_assert_double_eq(figure(s, "producer-metrics", "buffer-available-bytes"),
			    33554432);
	ck_assert_double_eq(figure(s, "producer-metrics", "waiting-threads"), 0);
	const struct klamm_metric *m =
		klamm_snapshot_find(s, "app-info", "version", NULL, NULL);
	ck_assert_int_eq(m->type, KLAMM_METRIC_TEXT);
	ck_assert_str_eq(m->tags[0].name, "client-id");
	ck_assert_str_eq(m->tags[0].value, "me");
	ck_assert_double_eq(figure(s, "kafka-metrics-count", "count"),
			    (double)s->metric_count);
	world_close(producer);
	/* It outlives its client. */
	ck_assert_str_eq(m->tags[0].value, "me");
	klamm_snapshot_free(s);
	klamm_snapshot_free(NULL);
}
END_TEST

/* All brokers' traffic is the sum of each one's. */
START_TEST(connections_are_counted)
{
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	send_many(producer, "t", 1);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_snapshot *s = producer_figures(producer);
	/* Metadata may be on its way once more. */
	int64_t until = world_ms() + PATIENCE;
	while (figure(s, "producer-metrics", "requests-in-flight") > 0 && world_ms() < until) {
		klamm_snapshot_free(s);
		s = producer_figures(producer);
	}
	const char *const names[] = {"request-total", "response-total", "outgoing-byte-total",
				     "incoming-byte-total"};
	for (size_t i = 0; i < kl_countof(names); i++) {
		double all = figure(s, "producer-metrics", names[i]);
		double boot = figure_of(s, "producer-node-metrics", names[i], "node-id",
					"node--1");
		double node = figure_of(s, "producer-node-metrics", names[i], "node-id",
					"node-1");
		ck_assert_double_gt(boot, 0);
		ck_assert_double_gt(node, 0);
		ck_assert_double_eq(all, boot + node);
	}
	ck_assert_double_eq(figure(s, "producer-metrics", "requests-in-flight"), 0);
	ck_assert_double_eq(figure(s, "producer-metrics", "connection-creation-total"), 2);
	/* The bootstrap server is left when the cluster is known. */
	ck_assert_double_eq(figure(s, "producer-metrics", "connection-count"), 1);
	ck_assert_double_eq(figure(s, "producer-metrics", "connection-close-total"), 1);
	klamm_snapshot_free(s);
	world_close(producer);
}
END_TEST

START_TEST(retries_and_errors_are_counted)
{
	struct klamm_producer *producer =
		world_producer(NULL, "retry.backoff.ms=1", "linger.ms=60000", NULL);
	world_fault((struct klamm_broker_fault){.api = PRODUCE, .partition = -1, .count = 2,
						.action = KLAMM_BROKER_ERROR,
						.error = KLAMM_ERR_NOT_ENOUGH_REPLICAS});
	send_many(producer, "t", 5);
	ck_assert_uint_eq(world_flush(producer), 0);
	world_fault((struct klamm_broker_fault){.api = PRODUCE, .partition = -1,
						.action = KLAMM_BROKER_ERROR,
						.error = KLAMM_ERR_INVALID_RECORD});
	send_many(producer, "t", 3);
	ck_assert_uint_eq(world_flush(producer), 3);
	struct klamm_snapshot *s = producer_figures(producer);
	ck_assert_double_eq(figure(s, "producer-metrics", "record-retry-total"), 10);
	ck_assert_double_eq(figure(s, "producer-metrics", "record-error-total"), 3);
	/* As in Java, what is sent again counts again. */
	ck_assert_double_eq(figure(s, "producer-metrics", "record-send-total"), 18);
	ck_assert_double_eq(figure_of(s, "producer-topic-metrics", "record-error-total",
				      "topic", "t"), 3);
	ck_assert_double_eq(figure_of(s, "producer-topic-metrics", "record-retry-total",
				      "topic", "t"), 10);
	klamm_snapshot_free(s);
	world_close(producer);
}
END_TEST

/* Nobody acknowledges, and memory is used up. */
START_TEST(waiting_for_memory_is_counted)
{
	struct klamm_error err;
	struct klamm_producer *producer = world_producer(
		NULL, "buffer.memory=32768", "batch.size=16384", "max.block.ms=50", NULL);
	static char value[12000];
	struct klamm_record record = KLAMM_RECORD_INIT;
	int32_t partitions, rc = 0;
	record.value = (struct klamm_span){value, sizeof(value)};
	int64_t deadline = world_ms() + PATIENCE;
	while (klamm_producer_partitions_for(producer, "t", &partitions, &err) ==
		       KLAMM_ERR_TIMED_OUT &&
	       world_ms() < deadline)
		; /* max.block.ms is short for that */
	world_fault((struct klamm_broker_fault){.api = PRODUCE, .partition = -1, .count = -1,
						.action = KLAMM_BROKER_DROP});
	for (int i = 0; i < 10 && rc == 0; i++)
		rc = klamm_producer_send_to(producer, "t", &record, NULL, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_QUEUE_FULL);
	struct klamm_snapshot *s = producer_figures(producer);
	ck_assert_double_eq(figure(s, "producer-metrics", "buffer-exhausted-total"), 1);
	ck_assert_double_ge(figure(s, "producer-metrics", "bufferpool-wait-time-ns-total"),
			    45e6);
	ck_assert_double_gt(figure(s, "producer-metrics", "bufferpool-wait-ratio"), 0);
	ck_assert_double_lt(figure(s, "producer-metrics", "buffer-available-bytes"), 16384);
	klamm_snapshot_free(s);
	world_drop(producer);
}
END_TEST

START_TEST(a_consumer_counts_what_it_hands_out)
{
	struct world_seen seen[60];
	struct klamm_producer *producer =
		world_producer(NULL, "linger.ms=60000", "batch.size=200", NULL);
	send_many(producer, "t", 60);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	struct klamm_snapshot *s = consumer_figures(consumer);
	ck_assert_double_eq(figure(s, "consumer-metrics", "last-poll-seconds-ago"), -1);
	ck_assert_double_eq(figure(s, FETCH_MANAGER, "records-consumed-total"), 0);
	klamm_snapshot_free(s);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	ck_assert_int_gt(world_read(consumer, 60, seen), 1);
	s = consumer_figures(consumer);
	ck_assert_double_eq(figure(s, FETCH_MANAGER, "records-consumed-total"), 60);
	ck_assert_double_eq(figure_of(s, FETCH_MANAGER, "records-consumed-total", "topic",
				      "t"), 60);
	ck_assert_double_ge(figure(s, FETCH_MANAGER, "bytes-consumed-total"), 600);
	ck_assert_double_ge(figure(s, FETCH_MANAGER, "fetch-total"), 1);
	ck_assert_double_ge(figure(s, FETCH_MANAGER, "fetch-size-max"), 600);
	/* After the first batch the rest was still ahead; now nothing is. */
	ck_assert_double_gt(figure(s, FETCH_MANAGER, "records-lag-max"), 30);
	ck_assert_double_lt(figure(s, FETCH_MANAGER, "records-lag-max"), 60);
	ck_assert_double_eq(figure_of(s, FETCH_MANAGER, "records-lag", "partition", "0"), 0);
	ck_assert_double_eq(figure_of(s, FETCH_MANAGER, "records-lead", "partition", "0"), 60);
	ck_assert_double_eq(figure(s, "consumer-coordinator-metrics", "assigned-partitions"),
			    1);
	ck_assert_double_ge(figure(s, "consumer-metrics", "last-poll-seconds-ago"), 0);
	klamm_snapshot_free(s);
	world_close_consumer(consumer);
	world_close(producer);
}
END_TEST

START_TEST(a_consumer_counts_its_commits)
{
	struct klamm_error err;
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	struct klamm_consumer *consumer =
		world_consumer(NULL, "group.id=g", "enable.auto.commit=false", NULL);
	struct klamm_snapshot *s = consumer_figures(consumer);
	ck_assert_double_eq(figure(s, "consumer-coordinator-metrics", "commit-total"), 0);
	ck_assert_double_eq(figure(s, "consumer-metrics", "commit-sync-time-ns-total"), 0);
	klamm_snapshot_free(s);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err), 0);
	s = consumer_figures(consumer);
	ck_assert_double_eq(figure(s, "consumer-coordinator-metrics", "commit-total"), 2);
	double most = figure(s, "consumer-coordinator-metrics", "commit-latency-max");
	double mean = figure(s, "consumer-coordinator-metrics", "commit-latency-avg");
	ck_assert_double_ge(most, mean);
	ck_assert_double_ge(figure(s, "consumer-coordinator-metrics", "commit-rate"), 0);
	/* The calls took at least as long as their answers. */
	ck_assert_double_ge(figure(s, "consumer-metrics", "commit-sync-time-ns-total"),
			    mean * 1e6);
	ck_assert_double_gt(figure(s, "consumer-metrics", "committed-time-ns-total"), 0);
	klamm_snapshot_free(s);
	world_close_consumer(consumer);
}
END_TEST

static double coordinator(const struct klamm_snapshot *s, const char *name)
{
	return figure(s, "consumer-coordinator-metrics", name);
}

static bool has_coordinator(const struct klamm_snapshot *s, const char *name)
{
	return klamm_snapshot_find(s, "consumer-coordinator-metrics", name, NULL, NULL) !=
	       NULL;
}

static void on_assigned(void *arg, struct klamm_consumer *consumer,
			const struct klamm_topic_partition *partitions, size_t count)
{
	(void)consumer;
	(void)partitions;
	usleep(2000);
	*(size_t *)arg += count;
}

static struct klamm_consumer *member_of(const char *protocol, const char *group, size_t *has)
{
	struct klamm_error err;
	static const char *const topics[] = {"t"};
	const struct klamm_listener listener = {
		.size = sizeof(listener), .arg = has, .assigned = on_assigned};
	struct klamm_consumer *consumer =
		world_consumer(NULL, group, protocol, "auto.offset.reset=earliest", NULL);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, &listener, &err), 0);
	return consumer;
}

/* Poll until a figure has this value. */
static struct klamm_snapshot *poll_until(struct klamm_consumer *consumer, const char *name,
					 double least)
{
	struct klamm_error err;
	for (int64_t end = world_ms() + PATIENCE;;) {
		struct klamm_batch *batch;
		klamm_consumer_poll(consumer, 5, &batch, &err);
		klamm_batch_unref(batch);
		struct klamm_snapshot *s = consumer_figures(consumer);
		if (coordinator(s, name) >= least || world_ms() > end)
			return s;
		klamm_snapshot_free(s);
	}
}

static void check_rebalances(const struct klamm_snapshot *s)
{
	ck_assert_double_ge(coordinator(s, "rebalance-total"), 1);
	ck_assert_double_gt(coordinator(s, "rebalance-rate-per-hour"), 0);
	ck_assert_double_ge(coordinator(s, "rebalance-latency-max"),
			    coordinator(s, "rebalance-latency-avg"));
	ck_assert_double_ge(coordinator(s, "last-rebalance-seconds-ago"), 0);
	ck_assert_double_lt(coordinator(s, "last-rebalance-seconds-ago"), PATIENCE / 1000.0);
	ck_assert_double_ge(coordinator(s, "partition-assigned-latency-max"), 2);
	ck_assert_double_ge(coordinator(s, "partition-assigned-latency-max"),
			    coordinator(s, "partition-assigned-latency-avg"));
	ck_assert_double_ge(coordinator(s, "heartbeat-total"), 1);
	ck_assert_double_gt(coordinator(s, "heartbeat-rate"), 0);
	ck_assert_double_gt(coordinator(s, "heartbeat-response-time-max"), 0);
	ck_assert_double_ge(coordinator(s, "last-heartbeat-seconds-ago"), 0);
	ck_assert_double_lt(coordinator(s, "last-heartbeat-seconds-ago"), PATIENCE / 1000.0);
	ck_assert_double_eq(coordinator(s, "assigned-partitions"), 1);
	/* Nothing was taken away. */
	ck_assert(!has_coordinator(s, "partition-revoked-latency-max"));
	ck_assert(!has_coordinator(s, "partition-lost-latency-avg"));
}

START_TEST(a_member_of_a_classic_group_counts)
{
	struct klamm_error err;
	size_t has = 0;
	struct klamm_consumer *consumer =
		member_of("heartbeat.interval.ms=10", "group.id=classic", &has);
	struct klamm_snapshot *s = consumer_figures(consumer);
	ck_assert_double_eq(coordinator(s, "last-heartbeat-seconds-ago"), -1);
	ck_assert_double_eq(coordinator(s, "last-rebalance-seconds-ago"), -1);
	ck_assert_double_eq(coordinator(s, "rebalance-total"), 0);
	klamm_snapshot_free(s);
	s = poll_until(consumer, "heartbeat-total", 1);
	ck_assert_uint_eq(has, 1);
	check_rebalances(s);
	ck_assert_double_eq(coordinator(s, "join-total"), 1);
	ck_assert_double_gt(coordinator(s, "join-time-max"), 0);
	ck_assert_double_ge(coordinator(s, "rebalance-latency-max"),
			    coordinator(s, "join-time-avg") +
				    coordinator(s, "sync-time-avg") - 1);
	ck_assert_double_eq(coordinator(s, "sync-total"), 1);
	/* Who is given a member id first has failed once, as in Kafka's client. */
	ck_assert_double_eq(coordinator(s, "failed-rebalance-total"), 1);
	ck_assert_double_gt(coordinator(s, "failed-rebalance-rate-per-hour"), 0);
	double joins = coordinator(s, "join-total");
	double rebalances = coordinator(s, "rebalance-total");
	klamm_snapshot_free(s);
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, "to count", &err), 0);
	s = poll_until(consumer, "rebalance-total", rebalances + 1);
	ck_assert_double_ge(coordinator(s, "rebalance-total"), rebalances + 1);
	ck_assert_double_ge(coordinator(s, "join-total"), joins + 1);
	klamm_snapshot_free(s);
	world_close_consumer(consumer);
}
END_TEST

START_TEST(a_member_of_a_consumer_group_counts)
{
	size_t has = 0;
	struct klamm_consumer *consumer =
		member_of("group.protocol=consumer", "group.id=modern", &has);
	struct klamm_snapshot *s = poll_until(consumer, "rebalance-total", 1);
	ck_assert_uint_eq(has, 1);
	check_rebalances(s);
	/* It knows no such requests. */
	ck_assert(!has_coordinator(s, "join-total"));
	ck_assert(!has_coordinator(s, "sync-time-max"));
	klamm_snapshot_free(s);
	world_close_consumer(consumer);
}
END_TEST

/* How far behind it is does not wait for it to poll. */
START_TEST(lag_grows_without_a_poll)
{
	struct world_seen seen[10];
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	send_many(producer, "t", 10);
	ck_assert_uint_eq(world_flush(producer), 0);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, 10, seen);
	send_many(producer, "t", 7);
	ck_assert_uint_eq(world_flush(producer), 0);
	double lag = 0;
	for (int64_t end = world_ms() + PATIENCE; lag != 7 && world_ms() < end; usleep(1000)) {
		struct klamm_snapshot *s = consumer_figures(consumer);
		lag = figure_of(s, FETCH_MANAGER, "records-lag", "partition", "0");
		klamm_snapshot_free(s);
	}
	ck_assert_double_eq(lag, 7);
	world_close_consumer(consumer);
	world_close(producer);
}
END_TEST

START_TEST(an_admin_client_counts_too)
{
	struct klamm_admin *admin;
	struct klamm_cluster_description *cluster;
	struct klamm_snapshot *s;
	struct klamm_conf *conf = world_conf(NULL, NULL);
	ck_assert_int_eq(klamm_admin_new(conf, NULL, &admin, NULL), 0);
	ck_assert_int_eq(klamm_admin_describe_cluster(admin, PATIENCE, &cluster, NULL), 0);
	klamm_cluster_description_free(cluster);
	ck_assert_int_eq(klamm_admin_metrics(admin, &s, NULL), 0);
	ck_assert_double_ge(figure(s, "admin-client-metrics", "request-total"), 2);
	klamm_snapshot_free(s);
	klamm_admin_free(admin);
	klamm_conf_free(conf);
}
END_TEST

/* Counters only rise, through lost connections and a broker that goes. */
START_TEST(counters_do_not_fall)
{
	struct klamm_producer *producer =
		world_producer(NULL, "retry.backoff.ms=1", "reconnect.backoff.ms=1", NULL);
	struct klamm_snapshot *earlier = NULL;
	char why[KIT_TEXT];
	for (int i = 0; i < 20; i++) {
		if (i % 5 == 0)
			world_fault((struct klamm_broker_fault){
				.api = PRODUCE, .partition = -1,
				.action = KLAMM_BROKER_DROP_AFTER});
		send_many(producer, i % 2 ? "t" : "u", 10);
		ck_assert_uint_eq(world_flush(producer), 0);
		struct klamm_snapshot *later = producer_figures(producer);
		const char *text = kit_snapshots(earlier, later, why);
		ck_assert_msg(text == NULL, "%s", text);
		klamm_snapshot_free(earlier);
		earlier = later;
	}
	ck_assert_double_ge(figure(earlier, "producer-metrics", "connection-close-total"), 4);
	klamm_snapshot_free(earlier);
	world_close(producer);
}
END_TEST

/* The application's thread is the loop: figures are had all the same. */
START_TEST(on_a_loop_that_is_driven)
{
	struct klamm_loop *loop;
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	struct klamm_producer *producer = world_producer(loop, NULL, NULL);
	send_many(producer, "t", 3);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_snapshot *s = producer_figures(producer);
	ck_assert_double_eq(figure(s, "producer-metrics", "record-send-total"), 3);
	klamm_snapshot_free(s);
	world_close(producer);
	klamm_loop_free(loop);
}
END_TEST

static int asked;

static void ask(void *arg, const struct klamm_delivery *delivery)
{
	struct klamm_snapshot *s;
	asked = klamm_producer_metrics(*(struct klamm_producer **)arg, &s, NULL);
}

START_TEST(not_from_a_callback)
{
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_producer_on_delivery(producer, ask, &producer, true, NULL), 0);
	send_many(producer, "t", 1);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(asked, KLAMM_ERR_WOULD_BLOCK);
	world_close(producer);
}
END_TEST

/* --- idle clients --- */

struct idle {
	double looks, fetches, beats;
};

static void poll_empty(struct klamm_consumer *consumer, int64_t timeout_ms)
{
	struct klamm_batch *batch;
	struct klamm_error err;
	ck_assert_msg(klamm_consumer_poll(consumer, timeout_ms, &batch, &err) == 0, "%s",
		      err.text);
	ck_assert_ptr_null(batch);
}

static struct idle idle_of(struct klamm_consumer *consumer)
{
	struct klamm_snapshot *s;
	struct klamm_error err;
	ck_assert_msg(klamm_consumer_metrics(consumer, &s, &err) == 0, "%s", err.text);
	struct idle now = {figure(s, "consumer-metrics", "select-total"),
			   figure(s, FETCH_MANAGER, "fetch-total"),
			   figure(s, "consumer-coordinator-metrics", "heartbeat-total")};
	klamm_snapshot_free(s);
	return now;
}

/* What a second without records costs, the application waiting in poll(). */
static struct idle idle_for_a_second(struct klamm_consumer *consumer)
{
	struct idle before = idle_of(consumer);
	poll_empty(consumer, 1000);
	struct idle after = idle_of(consumer);
	return (struct idle){after.looks - before.looks, after.fetches - before.fetches,
			     after.beats - before.beats};
}

/* Two for a Fetch, one for a heartbeat, and a few for asking; nothing where all is paused. At
 * last there is such a second: it settles first, and a busy machine may take its time. */
static bool sleeps(struct klamm_consumer *consumer, bool is_paused)
{
	for (int i = 0; i < 20; i++) {
		struct idle idle = idle_for_a_second(consumer);
		double few = 2 * idle.fetches + (is_paused ? 2 : 1) * idle.beats + 10;
		if ((is_paused ? idle.fetches == 0 : idle.fetches > 2) && idle.looks <= few)
			return true;
	}
	return false;
}

START_TEST(an_idle_member_sleeps)
{
	static const char *const topics[] = {"t"};
	struct klamm_consumer *consumer = world_consumer(
		NULL, "group.id=g", "fetch.max.wait.ms=50",
		_i == 0 ? "group.protocol=classic" : "group.protocol=consumer", NULL);
	const struct klamm_topic_partition *parts;
	size_t n = 0;
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, NULL), 0);
	while (n == 0) {
		poll_empty(consumer, 10);
		ck_assert_int_eq(klamm_consumer_assignment(consumer, &parts, &n, NULL), 0);
	}
	ck_assert(sleeps(consumer, false));
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, true, NULL), 0);
	ck_assert(sleeps(consumer, true));
	world_close_consumer(consumer);
}
END_TEST

UNIT_SUITE(clients)
{
	Suite *s = suite_create("clients");
	unit_add_fixture(s, a_producer_counts_what_it_sends, up, world_down);
	unit_add_fixture(s, connections_are_counted, up, world_down);
	unit_add_fixture(s, retries_and_errors_are_counted, up, world_down);
	unit_add_fixture(s, waiting_for_memory_is_counted, up, world_down);
	unit_add_fixture(s, a_consumer_counts_what_it_hands_out, up, world_down);
	unit_add_fixture(s, a_consumer_counts_its_commits, up, world_down);
	unit_add_fixture(s, a_member_of_a_classic_group_counts, up, world_down);
	unit_add_fixture(s, a_member_of_a_consumer_group_counts, up, world_down);
	unit_add_fixture(s, lag_grows_without_a_poll, up, world_down);
	unit_add_fixture(s, an_admin_client_counts_too, up, world_down);
	unit_add_fixture(s, counters_do_not_fall, up, world_down);
	unit_add_fixture(s, on_a_loop_that_is_driven, up, world_down);
	unit_add_fixture(s, not_from_a_callback, up, world_down);
	unit_add_case(s, "an_idle_member_sleeps", an_idle_member_sleeps, up, world_down, 2);
	return s;
}
