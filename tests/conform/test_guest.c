/* SPDX-License-Identifier: BSD-2-Clause */
/* The library in a program of others: what forks, and what signals are for. */
#include <klamm/broker.h>
#include <klamm/klamm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/admin/admin.h"
#include "core/consumer/consumer.h"
#include "core/os/os.h"
#include "core/os/secret.h"
#include "core/producer/producer.h"
#include "tests/unit/unit.h"

static struct klamm_error err;
static struct klamm_broker *broker;
static struct klamm_producer *producer;
static struct klamm_consumer *consumer;
static struct klamm_admin *admin;

#define OK(call) ck_assert_msg((call) == 0, "%s", err.text)

static void up(void)
{
	struct klamm_broker_options options = {.size = sizeof(options)};
	struct klamm_conf *conf;
	struct klamm_topic_partition partition = {.topic = "t", .partition = 0};
	OK(klamm_broker_new(&options, &broker, &err));
	OK(klamm_broker_create_topic(broker, "t", 1, &err));
	OK(klamm_conf_new(&conf, &err));
	OK(klamm_conf_set(conf, "bootstrap.servers", klamm_broker_address(broker), &err));
	OK(klamm_conf_set(conf, "auto.offset.reset", "earliest", &err));
	OK(klamm_producer_new(conf, NULL, &producer, &err));
	OK(klamm_consumer_new(conf, NULL, &consumer, &err));
	OK(klamm_admin_new(conf, NULL, &admin, &err));
	OK(klamm_consumer_assign(consumer, &partition, 1, &err));
	klamm_conf_free(conf);
}

static void down(void)
{
	OK(klamm_producer_close(producer, 30000, &err));
	OK(klamm_consumer_close(consumer, 30000, &err));
	klamm_admin_free(admin);
	klamm_broker_free(broker);
}

static int send_one(void)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){"hello", 5};
	return klamm_producer_send_to(producer, "t", &record, NULL, &err);
}

static int list_groups(void)
{
	struct klamm_group_list *list = NULL;
	int rc = klamm_admin_list_groups(admin, NULL, 5000, &list, &err);
	klamm_group_list_free(list);
	return rc;
}

static int poll_once(void)
{
	struct klamm_batch *batch = NULL;
	int rc = klamm_consumer_poll(consumer, 10000, &batch, &err);
	bool got = rc == 0 && batch != NULL;
	klamm_batch_unref(batch);
	return rc != 0 ? rc : got ? 0 : KLAMM_ERR_TIMED_OUT;
}

static void works(void)
{
	OK(send_one());
	OK(klamm_producer_flush(producer, 30000, NULL, &err));
	OK(poll_once());
	OK(list_groups());
}

/* Each call says so, at once: 0, or the line of the one that does not. */
#define FORKED(call)                                                                    \
	do {                                                                             \
		if ((call) != KLAMM_ERR_FORKED)                                          \
			return __LINE__;                                                 \
	} while (0)

static struct klamm_topic *topic;
static struct klamm_future *pending;
static struct klamm_batch *batch_held;
static struct klamm_loop *loop;

static int try_producer(void)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	struct klamm_topic *other;
	struct klamm_future *future;
	struct klamm_delivery delivery = {.size = sizeof(delivery)};
	struct klamm_snapshot *snapshot;
	struct klamm_offset offset = {.topic = "t"};
	struct klamm_group_metadata group = {.size = sizeof(group), .group_id = "g"};
	uint64_t records = 1, bytes = 1;
	int32_t partitions;
	size_t n;
	FORKED(send_one());
	FORKED(klamm_producer_send(producer, topic, &record, NULL, &err));
	FORKED(klamm_producer_send_many(producer, topic, &record, 1, NULL, &n, &err));
	FORKED(klamm_producer_send_future(producer, topic, &record, &future, &err));
	FORKED(klamm_future_get(pending, 1000, NULL, &err));
	FORKED(klamm_future_then(pending, NULL, NULL, NULL, &err));
	FORKED(klamm_producer_topic(producer, "u", &other, &err));
	FORKED(klamm_producer_poll(producer, 1000, NULL, &err));
	FORKED(klamm_producer_deliveries(producer, 1000, &delivery, 1, &n, &err));
	FORKED(klamm_producer_flush(producer, 1000, NULL, &err));
	FORKED(klamm_producer_drain(producer, NULL, NULL, NULL, &err));
	FORKED(klamm_producer_init_transactions(producer, 1000, &err));
	FORKED(klamm_producer_begin_transaction(producer, &err));
	FORKED(klamm_producer_send_offsets(producer, &offset, 1, &group, 1000, &err));
	FORKED(klamm_producer_commit_transaction(producer, 1000, &err));
	FORKED(klamm_producer_abort_transaction(producer, 1000, &err));
	FORKED(klamm_producer_reach(producer, 1000, &err));
	FORKED(klamm_producer_partitions_for(producer, "t", &partitions, &err));
	FORKED(klamm_producer_metrics(producer, &snapshot, &err));
	klamm_producer_queue(producer, &records, &bytes);
	if (records != 0 || bytes != 0)
		return __LINE__;
	FORKED(klamm_producer_close(producer, 1000, &err));
	klamm_future_free(pending);
	klamm_topic_unref(topic);
	return 0;
}

static int try_consumer(void)
{
	struct klamm_topic_partition part = {"t", 0};
	const struct klamm_topic_partition *parts;
	struct klamm_consumed record;
	struct klamm_snapshot *snapshot;
	struct klamm_topic_list *topics;
	struct klamm_offset_query query = {.size = sizeof(query), .topic = "t"};
	struct klamm_committed committed = {.size = sizeof(committed), .topic = "t"};
	struct klamm_group_metadata group = {.size = sizeof(group)};
	struct klamm_record_view view;
	const struct klamm_value *value;
	const char *const names[] = {"t"}, *const *known;
	int32_t partitions;
	int64_t offset;
	size_t n;
	FORKED(poll_once());
	FORKED(klamm_consumer_next(consumer, 1000, &record, &err));
	FORKED(klamm_consumer_read(consumer, 1000, &record, 1, &n, &err));
	FORKED(klamm_consumer_assign(consumer, &part, 1, &err));
	FORKED(klamm_consumer_assignment(consumer, &parts, &n, &err));
	FORKED(klamm_consumer_subscribe(consumer, names, 1, NULL, &err));
	FORKED(klamm_consumer_subscribe_pattern(consumer, "t.*", NULL, &err));
	FORKED(klamm_consumer_subscribe_regex(consumer, "t.*", NULL, &err));
	FORKED(klamm_consumer_unsubscribe(consumer, 1000, &err));
	FORKED(klamm_consumer_subscription(consumer, &known, &n, &err));
	FORKED(klamm_consumer_enforce_rebalance(consumer, "test", &err));
	FORKED(klamm_consumer_group_metadata(consumer, &group, &err));
	FORKED(klamm_consumer_seek(consumer, "t", 0, 0, &err));
	FORKED(klamm_consumer_seek_all(consumer, 0, &err));
	FORKED(klamm_consumer_seek_time(consumer, "t", 0, 0, &err));
	FORKED(klamm_consumer_position(consumer, "t", 0, 1000, &offset, &err));
	FORKED(klamm_consumer_pause(consumer, "t", 0, true, &err));
	FORKED(klamm_consumer_offsets(consumer, &query, 1, 1000, &err));
	FORKED(klamm_consumer_commit(consumer, NULL, 0, 1000, &err));
	FORKED(klamm_consumer_commit_async(consumer, NULL, 0, NULL, NULL, &err));
	FORKED(klamm_consumer_committed(consumer, &committed, 1, 1000, &err));
	FORKED(klamm_consumer_reach(consumer, 1000, &err));
	FORKED(klamm_consumer_partitions_for(consumer, "t", 1000, &partitions, &err));
	FORKED(klamm_consumer_topics(consumer, 1000, &topics, &err));
	FORKED(klamm_consumer_metrics(consumer, &snapshot, &err));
	/* What was handed out can still be read, but not decoded. */
	if (klamm_batch_next(batch_held, &view) != 1 || view.value.len != 5)
		return __LINE__;
	FORKED(klamm_record_value(batch_held, &view, &value, &err));
	FORKED(klamm_record_key(batch_held, &view, &value, &err));
	klamm_consumer_wakeup(consumer);
	klamm_consumer_is_paused(consumer, "t", 0);
	klamm_consumer_at_end(consumer, "t", 0);
	klamm_consumer_high_watermark(consumer, "t", 0);
	klamm_consumer_lag(consumer, "t", 0);
	FORKED(klamm_consumer_close(consumer, 1000, &err));
	klamm_batch_unref(batch_held);
	return 0;
}

static int try_admin(void)
{
	const char *const names[] = {"t"};
	const struct klamm_new_topic new = {
		.size = sizeof(new), .name = "u", .partitions = 1, .replicas = 1};
	const struct klamm_new_topic *const topics[] = {&new};
	const struct klamm_group_offsets_query query = {.size = sizeof(query), .group = "g"};
	const struct klamm_group_offsets_query *const queries[] = {&query};
	struct klamm_record_deletion deletion = {.size = sizeof(deletion), .topic = "t"};
	struct klamm_offset offset = {.topic = "t"};
	struct klamm_topic_partition part = {"t", 0};
	struct klamm_topic_list *list;
	struct klamm_group_offsets_list *offsets;
	struct klamm_snapshot *snapshot;
	struct klamm_cluster_description *cluster;
	struct klamm_group_descriptions *groups;
	FORKED(list_groups());
	FORKED(klamm_admin_create_topics(admin, topics, 1, 0, 1000, NULL, &err));
	FORKED(klamm_admin_delete_topics(admin, names, 1, 1000, NULL, &err));
	FORKED(klamm_admin_delete_records(admin, &deletion, 1, 1000, NULL, &err));
	FORKED(klamm_admin_describe_topics(admin, names, 1, 1000, &list, &err));
	FORKED(klamm_admin_describe_cluster(admin, 1000, &cluster, &err));
	FORKED(klamm_admin_describe_groups(admin, names, 1, 0, 1000, &groups, &err));
	FORKED(klamm_admin_delete_groups(admin, names, 1, 1000, NULL, &err));
	FORKED(klamm_admin_remove_group_members(admin, "g", NULL, 0, NULL, 1000, NULL, &err));
	FORKED(klamm_admin_list_group_offsets(admin, queries, 1, 0, 1000, &offsets, &err));
	FORKED(klamm_admin_alter_group_offsets(admin, "g", &offset, 1, 1000, NULL, &err));
	FORKED(klamm_admin_delete_group_offsets(admin, "g", &part, 1, 1000, NULL, &err));
	FORKED(klamm_admin_metrics(admin, &snapshot, &err));
	klamm_admin_free(admin);
	return 0;
}

static int try_broker(void)
{
	int64_t end;
	struct klamm_broker_fault fault = {.size = sizeof(fault), .api = 3, .partition = -1};
	FORKED(klamm_broker_create_topic(broker, "u", 1, &err));
	FORKED(klamm_broker_offsets(broker, "t", 0, NULL, &end, &err));
	FORKED(klamm_broker_move_leader(broker, "t", 0, 1, &err));
	FORKED(klamm_broker_node_stop(broker, 1, false, &err));
	FORKED(klamm_broker_node_start(broker, 1, &err));
	FORKED(klamm_broker_limit_api(broker, 1, 4, 5, &err));
	FORKED(klamm_broker_fault(broker, "fetch drop", NULL, &err));
	FORKED(klamm_broker_fault_add(broker, &fault, NULL, &err));
	FORKED(klamm_broker_credential(broker, "alice", "password", "x", &err));
	if (klamm_broker_fault_hits(broker, 1) != -1 ||
	    klamm_broker_request_count(broker, 3) != 0)
		return __LINE__;
	klamm_broker_fault_remove(broker, 0);
	klamm_broker_stop(broker);
	klamm_broker_free(broker);
	return 0;
}

/* A loop of the parent's, and whoever is to live in it. */
static int try_loop(void)
{
	struct klamm_conf *conf;
	struct klamm_producer *p;
	struct klamm_consumer *c;
	struct klamm_admin *a;
	struct klamm_broker *b;
	struct klamm_broker_options options = {.size = sizeof(options), .loop = loop};
	if (klamm_conf_new(&conf, &err) != 0 ||
	    klamm_conf_set(conf, "bootstrap.servers", klamm_broker_address(broker), &err) != 0)
		return __LINE__;
	FORKED(klamm_loop_start(loop, &err));
	FORKED(klamm_loop_step(loop, 1000, &err));
	FORKED(klamm_producer_new(conf, loop, &p, &err));
	FORKED(klamm_consumer_new(conf, loop, &c, &err));
	FORKED(klamm_admin_new(conf, loop, &a, &err));
	FORKED(klamm_broker_new(&options, &b, &err));
	klamm_loop_wake(loop);
	klamm_loop_timeout_ms(loop);
	klamm_loop_free(loop);
	klamm_conf_free(conf);
	return 0;
}

/* ThreadSanitizer ends a child that begins a thread. */
#ifdef __SANITIZE_THREAD__
#define LAST_TRIES
#else
/* Without anything of the parent's it works as anywhere. */
static int begin_anew(void)
{
	up();
	works();
	down();
	return 0;
}
#define LAST_TRIES begin_anew
#endif

static int (*const tries[])(void) = {try_producer, try_consumer, try_admin, try_broker,
				     try_loop, LAST_TRIES};

static int try_in_child(int (*try)(void))
{
	alarm(20);
	int line = try();
	if (line != 0)
		fprintf(stderr, "line %d; the last error: %s\n", line, err.text);
	return line != 0;
}

/* The child may come into being while others hold whatever lock; in the library's order. */
static void hold_locks(bool hold)
{
	struct kl_mutex *const all[] = {
		&producer->gate.mutex, &producer->memory_gate.mutex, &producer->mutex,
		&consumer->gate.mutex, &consumer->mutex,	     &consumer->key.mutex,
		&consumer->value.mutex, &admin->gate.mutex};
	for (size_t i = 0; i < kl_countof(all); i++)
		(hold ? kl_mutex_lock : kl_mutex_unlock)(all[i]);
}

static void hold_something(void)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){"hello", 5};
	OK(klamm_loop_new(NULL, &loop, &err));
	OK(klamm_producer_topic(producer, "t", &topic, &err));
	OK(send_one());
	OK(klamm_consumer_poll(consumer, 10000, &batch_held, &err));
	ck_assert_ptr_nonnull(batch_held);
	/* Something is under way, and stays so. */
	OK(klamm_broker_fault(broker, "produce delay=500", NULL, &err));
	OK(klamm_producer_send_future(producer, topic, &record, &pending, &err));
}

static void let_go(void)
{
	struct klamm_record_view view;
	const struct klamm_value *value;
	OK(klamm_future_get(pending, 30000, NULL, &err));
	ck_assert_int_eq(klamm_batch_next(batch_held, &view), 1);
	OK(klamm_record_value(batch_held, &view, &value, &err));
	klamm_batch_unref(batch_held);
	klamm_future_free(pending);
	klamm_topic_unref(topic);
	OK(klamm_loop_step(loop, 0, &err));
	klamm_loop_free(loop);
}

START_TEST(a_forked_child_is_told_and_the_parent_goes_on)
{
	works();
	hold_something();
	hold_locks(true);
	pid_t child = fork();
	if (child == 0)
		_exit(try_in_child(tries[_i]));
	hold_locks(false);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	let_go();
	OK(poll_once());
	works();
}
END_TEST

static atomic_bool enough;

static void *keep_secrets(void *arg)
{
	while (!atomic_load(&enough))
		kl_secret_free(kl_secret_text("hush"));
	return NULL;
}

/* Clients of the child have passwords, too. */
START_TEST(a_child_has_room_for_secrets)
{
	pthread_t threads[2];
	for (size_t i = 0; i < kl_countof(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_secrets, NULL), 0);
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();
		if (child == 0) {
			alarm(20);
			char *text = kl_secret_text("mine");
			_exit(text != NULL && strcmp(text, "mine") == 0 ? 0 : 1);
		}
		int status;
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
	}
	atomic_store(&enough, true);
	for (size_t i = 0; i < kl_countof(threads); i++)
		pthread_join(threads[i], NULL);
}
END_TEST

static void read_all(struct sigaction all[static 65])
{
	for (int i = 1; i < 65; i++)
		if (sigaction(i, NULL, &all[i]) != 0)
			all[i] = (struct sigaction){0};
}

START_TEST(signals_are_the_programs)
{
	struct sigaction before[65], after[65];
	sigset_t mask_before, mask_after;
	read_all(before);
	pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
	up();
	works();
	read_all(after);
	down();
	pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
	for (int i = 1; i < 65; i++) {
		ck_assert_ptr_eq(before[i].sa_handler, after[i].sa_handler);
		ck_assert_int_eq(before[i].sa_flags, after[i].sa_flags);
		ck_assert_int_eq(sigismember(&mask_before, i), sigismember(&mask_after, i));
	}
}
END_TEST

static volatile sig_atomic_t raised;

static void note(int signal)
{
	raised = 1;
}

static void pipe_up(void)
{
	signal(SIGPIPE, note);
}

/* A peer that is gone is an error of the call. */
START_TEST(a_peer_that_is_gone_raises_no_signal)
{
	struct kl_os *os = kl_os_real();
	struct kl_sock *listener, *near, *far;
	struct kl_addr addr;
	char text[] = "hello";
	ck_assert_int_eq(os->sock_listen(os, NULL, 0, &listener, &addr), 0);
	ck_assert_int_eq(os->sock_connect(os, &addr, &(struct kl_sock_opts){0}, &near), 0);
	int64_t end = os->now(os) + 10 * KL_SECOND;
	while (os->sock_accept(listener, &far, NULL) == -EAGAIN && os->now(os) < end)
		usleep(1000);
	os->sock_reset(far);
	ssize_t n = 0;
	while (n >= 0 || n == -EAGAIN || n == -ECONNRESET) {
		ck_assert_int_lt(os->now(os), end);
		n = os->sock_sendv(near, &(struct iovec){text, sizeof(text)}, 1);
		usleep(1000);
	}
	ck_assert_int_eq(n, -EPIPE);
	ck_assert(!raised);
	os->sock_close(near);
	os->sock_close(listener);
}
END_TEST

/* The same for a whole client, whose broker goes and comes back. */
START_TEST(a_broker_that_goes_raises_no_signal)
{
	works();
	for (int i = 0; i < 3; i++) {
		klamm_broker_stop(broker);
		for (int j = 0; j < 20; j++) {
			send_one();
			usleep(1000);
		}
		OK(klamm_broker_node_start(broker, 1, &err));
		works();
	}
	ck_assert(!raised);
}
END_TEST

static void noted_up(void)
{
	pipe_up();
	up();
}

UNIT_SUITE(guest)
{
	Suite *s = suite_create("guest");
	unit_add_case(s, "a_forked_child_is_told_and_the_parent_goes_on",
		      a_forked_child_is_told_and_the_parent_goes_on, up, down,
		      (int)kl_countof(tries));
	unit_add(s, a_child_has_room_for_secrets);
	unit_add(s, signals_are_the_programs);
	unit_add_fixture(s, a_peer_that_is_gone_raises_no_signal, pipe_up, NULL);
	unit_add_fixture(s, a_broker_that_goes_raises_no_signal, noted_up, down);
	return s;
}
