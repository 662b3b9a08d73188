/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of groups of KIP-848, with the dev broker as their coordinator. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/client/world.h"

#define MEMBERS 3
enum { OFFSET_COMMIT = 8, OFFSET_FETCH = 9 };

static struct member {
	struct klamm_consumer *consumer;
	int assigned, revoked, lost; /* partitions, told of */
	int rounds;                  /* calls of assigned */
	int has;
	int records;
	struct klamm_error err; /* of the last poll */
} members[MEMBERS];

/* --- the world --- */

static void start(int nodes, const char *setting)
{
	const char *config[] = {"group.consumer.assignment.interval.ms=0",
				"group.consumer.heartbeat.interval.ms=50",
				"group.consumer.session.timeout.ms=5000", setting, NULL};
	memset(members, 0, sizeof(members));
	world_start((struct klamm_broker_options){.config = config, .nodes = nodes});
	world_create("orders", 4);
}

static void set_up(void)
{
	start(1, NULL);
}

static void tear_down(void)
{
	for (int i = 0; i < MEMBERS; i++)
		if (members[i].consumer != NULL)
			klamm_consumer_close(members[i].consumer, 5000, NULL);
	world_down();
}

/* --- members --- */

static void on_assigned(void *arg, struct klamm_consumer *c,
			const struct klamm_topic_partition *partitions, size_t count)
{
	struct member *m = arg;
	(void)c;
	(void)partitions;
	m->rounds++;
	m->assigned += (int)count;
	m->has += (int)count;
}

static void on_revoked(void *arg, struct klamm_consumer *c,
		       const struct klamm_topic_partition *partitions, size_t count)
{
	struct member *m = arg;
	(void)c;
	(void)partitions;
	m->revoked += (int)count;
	m->has -= (int)count;
}

static void on_lost(void *arg, struct klamm_consumer *c,
		    const struct klamm_topic_partition *partitions, size_t count)
{
	struct member *m = arg;
	(void)c;
	(void)partitions;
	m->lost += (int)count;
	m->has -= (int)count;
}

static struct klamm_listener listener_of(struct member *m)
{
	return (struct klamm_listener){.size = sizeof(struct klamm_listener),
				       .arg = m,
				       .assigned = on_assigned,
				       .revoked = on_revoked,
				       .lost = on_lost};
}

#define MAKE(i, ...)                                                                     \
	(members[i].consumer = world_consumer(NULL, "group.id=g",                         \
					      "group.protocol=consumer",                  \
					      "auto.offset.reset=earliest", ##__VA_ARGS__, \
					      NULL))

static void subscribe(int i, const char *topic)
{
	struct klamm_listener listener = listener_of(&members[i]);
	struct klamm_error err;
	int rc = klamm_consumer_subscribe(members[i].consumer, &topic, 1, &listener, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static void poll_one(int i)
{
	struct klamm_batch *batch = NULL;
	struct member *m = &members[i];
	m->err.code = 0;
	klamm_consumer_poll(m->consumer, 20, &batch, &m->err);
	if (batch != NULL)
		m->records += (int)klamm_batch_count(batch);
	klamm_batch_unref(batch);
}

/* Poll all of them until each has so many; -1: any number. */
static void settle(int a, int b, int c)
{
	int want[MEMBERS] = {a, b, c};
	int64_t until = world_ms() + PATIENCE;
	for (;;) {
		bool fine = true;
		for (int i = 0; i < MEMBERS; i++) {
			if (members[i].consumer == NULL)
				continue;
			poll_one(i);
			ck_assert_msg(members[i].err.code == 0, "%s", members[i].err.text);
			fine &= want[i] < 0 || members[i].has == want[i];
		}
		if (fine)
			return;
		ck_assert_msg(world_ms() < until, "%d %d %d", members[0].has, members[1].has,
			      members[2].has);
	}
}

static void leave(int i)
{
	struct klamm_error err;
	int rc = klamm_consumer_close(members[i].consumer, 10000, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	members[i].consumer = NULL;
}

static int32_t fault(int error, int count)
{
	return world_fault((struct klamm_broker_fault){.api = 68,
						       .partition = -1,
						       .action = KLAMM_BROKER_ERROR,
						       .error = error,
						       .count = count});
}

static void produce(const char *topic, int n)
{
	struct klamm_producer *producer = world_producer(NULL, "linger.ms=1", NULL);
	for (int i = 0; i < n; i++)
		world_send(producer, topic, i % 4, NULL, "x", NULL);
	world_close(producer);
}

/* --- tests --- */

START_TEST(one_reads_all)
{
	produce("orders", 8);
	MAKE(0);
	subscribe(0, "orders");
	settle(4, -1, -1);
	for (int i = 0; i < 500 && members[0].records < 8; i++)
		poll_one(0);
	ck_assert_int_eq(members[0].records, 8);
	struct klamm_group_metadata metadata = {.size = sizeof(metadata)};
	ck_assert_int_eq(klamm_consumer_group_metadata(members[0].consumer, &metadata, NULL),
			 0);
	ck_assert_uint_eq(strlen(metadata.member_id), 22);
	ck_assert_int_gt(metadata.generation, 0);
	/* It commits, leaves, and the next one goes on there. */
	leave(0);
	ck_assert_int_eq(members[0].revoked, 4);
	ck_assert_int_eq(members[0].lost, 0);
	produce("orders", 4);
	MAKE(1);
	subscribe(1, "orders");
	settle(-1, 4, -1);
	for (int i = 0; i < 500 && members[1].records < 4; i++)
		poll_one(1);
	for (int i = 0; i < 10; i++)
		poll_one(1);
	ck_assert_int_eq(members[1].records, 4);
}
END_TEST

START_TEST(members_share)
{
	MAKE(0);
	subscribe(0, "orders");
	settle(4, -1, -1);
	MAKE(1);
	subscribe(1, "orders");
	settle(2, 2, -1);
	ck_assert_int_eq(members[0].revoked, 2);
	ck_assert_int_eq(members[1].revoked, 0);
	MAKE(2);
	subscribe(2, "orders");
	settle(-1, -1, 1);
	ck_assert_int_eq(members[0].has + members[1].has, 3);
	leave(0);
	settle(-1, 2, 2);
	leave(2);
	settle(-1, 4, -1);
	ck_assert_int_eq(members[0].lost + members[1].lost + members[2].lost, 0);
}
END_TEST

/* The application's group metadata follow the epochs. */
START_TEST(metadata_have_the_epoch)
{
	struct klamm_group_metadata first = {.size = sizeof(first)}, second = first;
	MAKE(0);
	subscribe(0, "orders");
	settle(4, -1, -1);
	klamm_consumer_group_metadata(members[0].consumer, &first, NULL);
	world_create("other", 1);
	MAKE(1);
	subscribe(1, "other");
	settle(4, 1, -1);
	for (int i = 0; i < 500; i++) {
		poll_one(0);
		klamm_consumer_group_metadata(members[0].consumer, &second, NULL);
		if (second.generation > first.generation)
			break;
	}
	ck_assert_int_gt(second.generation, first.generation);
	ck_assert_int_eq(members[0].rounds, 1); /* nothing of its own has changed */
}
END_TEST

START_TEST(put_out_it_comes_back)
{
	static const int codes[] = {KLAMM_ERR_FENCED_MEMBER_EPOCH,
				    KLAMM_ERR_UNKNOWN_MEMBER_ID};
	MAKE(0);
	subscribe(0, "orders");
	settle(4, -1, -1);
	fault(codes[_i], 1);
	for (int i = 0; i < 500 && members[0].lost == 0; i++)
		poll_one(0);
	ck_assert_int_eq(members[0].lost, 4);
	settle(4, -1, -1);
	ck_assert_int_eq(members[0].assigned, 8);
	ck_assert_int_eq(members[0].revoked, 0);
}
END_TEST

START_TEST(it_goes_on_after_what_passes)
{
	static const int codes[] = {KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS,
				    KLAMM_ERR_COORDINATOR_NOT_AVAILABLE,
				    KLAMM_ERR_NOT_COORDINATOR};
	MAKE(0);
	fault(codes[_i], 2); /* when it joins */
	subscribe(0, "orders");
	settle(4, -1, -1);
	fault(codes[_i], 2);
	world_fault((struct klamm_broker_fault){.api = 68, .partition = -1, .skip = 3,
						.action = KLAMM_BROKER_DROP, .count = 1});
	for (int i = 0; i < 50; i++)
		poll_one(0);
	settle(4, -1, -1);
	ck_assert_int_eq(members[0].lost + members[0].revoked, 0);
	ck_assert_int_eq(members[0].rounds, 1);
}
END_TEST

START_TEST(what_lasts_is_told_until_it_unsubscribes)
{
	MAKE(0);
	subscribe(0, "orders");
	settle(4, -1, -1);
	fault(KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, 1);
	for (int i = 0; i < 500 && members[0].err.code == 0; i++)
		poll_one(0);
	for (int i = 0; i < 2; i++) {
		poll_one(0);
		ck_assert_int_eq(members[0].err.code, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
		ck_assert_int_eq(members[0].err.scope, KLAMM_SCOPE_FATAL);
	}
	ck_assert_int_eq(members[0].lost, 4);
	ck_assert_int_eq(klamm_consumer_unsubscribe(members[0].consumer, 5000, NULL), 0);
	subscribe(0, "orders");
	settle(4, -1, -1);
}
END_TEST

/* A pattern of the broker's; its topics are known by their ids only. */
START_TEST(patterns_of_the_broker)
{
	struct klamm_listener listener = listener_of(&members[0]);
	struct klamm_error err;
	world_create("orders-eu", 2);
	produce("orders-eu", 2);
	MAKE(0);
	ck_assert_int_eq(klamm_consumer_subscribe_regex(members[0].consumer, "orders.*",
							&listener, &err),
			 0);
	settle(6, -1, -1);
	for (int i = 0; i < 500 && members[0].records < 2; i++)
		poll_one(0);
	ck_assert_int_eq(members[0].records, 2);
	/* Names take its place. */
	subscribe(0, "orders");
	settle(4, -1, -1);
	ck_assert_int_eq(members[0].revoked, 2);
	/* One that RE2 does not know, and one of another protocol. */
	MAKE(1);
	ck_assert_int_eq(klamm_consumer_subscribe_regex(members[1].consumer, "(?=a)b", NULL,
							&err),
			 0);
	for (int i = 0; i < 500 && members[1].err.code == 0; i++)
		poll_one(1);
	ck_assert_int_eq(members[1].err.code, KLAMM_ERR_INVALID_REGULAR_EXPRESSION);
	ck_assert_msg(strstr(members[1].err.text, "RE2") != NULL, "%s", members[1].err.text);
	members[2].consumer = world_consumer(NULL, "group.id=g", NULL);
	ck_assert_int_eq(klamm_consumer_subscribe_regex(members[2].consumer, "a", NULL, &err),
			 KLAMM_ERR_UNSUPPORTED);
}
END_TEST

/* The client's own pattern: the coordinator is told names. */
START_TEST(patterns_of_the_client)
{
	struct klamm_listener listener = listener_of(&members[0]);
	world_create("orders-eu", 2);
	world_create("returns", 2);
	MAKE(0, "metadata.max.age.ms=200");
	ck_assert_int_eq(klamm_consumer_subscribe_pattern(members[0].consumer, "orders.*",
							  &listener, NULL),
			 0);
	settle(6, -1, -1);
	world_create("orders-us", 3);
	settle(9, -1, -1);
}
END_TEST

START_TEST(static_members_come_back)
{
	MAKE(0, "group.instance.id=one");
	MAKE(1, "group.instance.id=two");
	subscribe(0, "orders");
	subscribe(1, "orders");
	settle(2, 2, -1);
	int rounds = members[1].rounds;
	leave(0);
	for (int i = 0; i < 20; i++)
		poll_one(1);
	memset(&members[0], 0, sizeof(members[0]));
	MAKE(0, "group.instance.id=one");
	subscribe(0, "orders");
	settle(2, 2, -1);
	ck_assert_int_eq(members[1].rounds, rounds);
	/* Two cannot be the same. */
	MAKE(2, "group.instance.id=one");
	subscribe(2, "orders");
	for (int i = 0; i < 500 && members[2].err.code == 0; i++)
		poll_one(2);
	ck_assert_int_eq(members[2].err.code, KLAMM_ERR_UNRELEASED_INSTANCE_ID);
	ck_assert(strstr(members[2].err.text, "group.instance.id") != NULL);
	/* For good (KIP-1092). */
	struct klamm_close_options options = {.size = sizeof(options),
					      .timeout_ms = 5000,
					      .membership = KLAMM_MEMBERSHIP_LEAVE};
	ck_assert_int_eq(klamm_consumer_close_with(members[0].consumer, &options, NULL), 0);
	members[0].consumer = NULL;
	klamm_consumer_close(members[2].consumer, 5000, NULL);
	members[2].consumer = NULL;
	settle(-1, 4, -1);
}
END_TEST

START_TEST(who_does_not_poll_leaves)
{
	MAKE(0, "max.poll.interval.ms=2000"); /* a busy machine may need much of it */
	MAKE(1);
	subscribe(0, "orders");
	subscribe(1, "orders");
	settle(2, 2, -1);
	int revoked = members[0].revoked;
	int64_t until = world_ms() + PATIENCE;
	while (members[1].has != 4) {
		ck_assert_int_lt(world_ms(), until);
		poll_one(1);
	}
	ck_assert_int_eq(members[0].lost, 0); /* it is told when it polls */
	settle(2, 2, -1);
	ck_assert_int_eq(members[0].lost, 2);
	ck_assert_int_eq(members[0].revoked, revoked);
}
END_TEST

static int commit(const struct klamm_offset *offset, struct klamm_error *err)
{
	return klamm_consumer_commit(members[0].consumer, offset, 1, 5000, err);
}

static void answer_with(int api, int code, int64_t count)
{
	world_fault((struct klamm_broker_fault){.api = api, .partition = -1,
						.action = KLAMM_BROKER_ERROR, .error = code,
						.count = count});
}

/* A commit of the epoch before: it is made again, as soon as the member knows the next. */
START_TEST(stale_commits)
{
	struct klamm_error err;
	MAKE(0, "enable.auto.commit=false");
	subscribe(0, "orders");
	settle(4, -1, -1);
	struct klamm_offset offset = {.topic = "orders", .offset = 5, .leader_epoch = -1};
	ck_assert_int_eq(commit(&offset, &err), 0);
	answer_with(OFFSET_COMMIT, KLAMM_ERR_STALE_MEMBER_EPOCH, 2);
	ck_assert_int_eq(commit(&offset, &err), 0);
	answer_with(OFFSET_COMMIT, KLAMM_ERR_STALE_MEMBER_EPOCH, -1);
	ck_assert_int_eq(klamm_consumer_commit(members[0].consumer, &offset, 1, 300, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "STALE_MEMBER_EPOCH"));
}
END_TEST

/* A member says who it is when it asks for offsets: with another epoch it asks again. */
START_TEST(stale_questions)
{
	static const int codes[] = {KLAMM_ERR_STALE_MEMBER_EPOCH,
				    KLAMM_ERR_UNKNOWN_MEMBER_ID};
	struct klamm_error err;
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "orders"};
	MAKE(0, "enable.auto.commit=false");
	answer_with(OFFSET_FETCH, codes[_i], 2); /* where its partitions begin */
	subscribe(0, "orders");
	settle(4, -1, -1);
	struct klamm_offset offset = {.topic = "orders", .offset = 5, .leader_epoch = -1};
	ck_assert_int_eq(commit(&offset, &err), 0);
	answer_with(OFFSET_FETCH, codes[_i], 2);
	ck_assert_msg(klamm_consumer_committed(members[0].consumer, &entry, 1, 5000, &err) ==
			      0, "%s", err.text);
	ck_assert_int_eq(entry.offset, 5);
	poll_one(0);
	ck_assert_int_eq(members[0].err.code, 0);
}
END_TEST

START_TEST(topics_may_come)
{
	MAKE(0, "metadata.max.age.ms=200", "allow.auto.create.topics=false");
	struct klamm_listener listener = listener_of(&members[0]);
	const char *const topics[] = {"orders", "later"};
	ck_assert_int_eq(klamm_consumer_subscribe(members[0].consumer, topics, 2, &listener,
						  NULL),
			 0);
	int64_t until = world_ms() + PATIENCE;
	while (members[0].has != 4) {
		ck_assert_int_lt(world_ms(), until);
		poll_one(0); /* which may tell that there is no such topic */
	}
	world_create("later", 2);
	while (members[0].has != 6) {
		ck_assert_int_lt(world_ms(), until);
		poll_one(0);
	}
	ck_assert_int_eq(members[0].revoked, 0);
}
END_TEST

START_TEST(coordinators_move)
{
	MAKE(0);
	MAKE(1);
	subscribe(0, "orders");
	subscribe(1, "orders");
	settle(2, 2, -1);
	for (int n = 0; n < 3; n++) {
		world_fault((struct klamm_broker_fault){.api = 68, .partition = -1,
							.coordinator = -1, .count = 1});
		for (int i = 0; i < 20; i++) {
			poll_one(0);
			poll_one(1);
		}
	}
	settle(2, 2, -1);
	ck_assert_int_eq(members[0].lost + members[1].lost, 0);
}
END_TEST

static void three_up(void)
{
	start(3, NULL);
}

START_TEST(a_broker_without_it)
{
	klamm_broker_limit_api(world_broker, 68, 1, 0, NULL);
	MAKE(0);
	subscribe(0, "orders");
	for (int i = 0; i < 500 && members[0].err.code == 0; i++)
		poll_one(0);
	ck_assert_int_eq(members[0].err.scope, KLAMM_SCOPE_FATAL);
	ck_assert_msg(strstr(members[0].err.text, "group.protocol=classic") != NULL, "%s",
		      members[0].err.text);
}
END_TEST

/* --- options --- */

static void unmixed_up(void)
{
	start(1, "group.consumer.migration.policy=disabled");
}

/* The broker's to decide with this protocol, and not to be set. */
START_TEST(opt_group_protocol)
{
	static const char *const pairs[] = {"session.timeout.ms=9000",
					    "heartbeat.interval.ms=900",
					    "partition.assignment.strategy=range"};
	struct klamm_consumer *consumer;
	struct klamm_error err;
	for (size_t i = 0; i < kl_countof(pairs); i++) {
		struct klamm_conf *conf =
			world_conf("group.id=g", "group.protocol=consumer", pairs[i], NULL);
		ck_assert_int_eq(klamm_consumer_new(conf, NULL, &consumer, &err),
				 KLAMM_ERR_CONFIG);
		bool says_why = strstr(err.text, "cannot be set with group.protocol = "
						 "consumer") != NULL;
		ck_assert_msg(says_why, "%s", err.text);
		klamm_conf_free(conf);
	}
	/* It is what the group is of. */
	MAKE(0);
	subscribe(0, "orders");
	settle(4, -1, -1);
	members[1].consumer = world_consumer(NULL, "group.id=g", "group.protocol=classic",
					     NULL);
	subscribe(1, "orders");
	for (int i = 0; i < 500 && members[1].err.code == 0; i++)
		poll_one(1);
	ck_assert_int_eq(members[1].err.code, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
}
END_TEST

START_TEST(opt_group_remote_assignor)
{
	struct klamm_consumer *consumer;
	struct klamm_error err;
	struct klamm_conf *conf =
		world_conf("group.id=g", "group.remote.assignor=range", NULL);
	ck_assert_int_eq(klamm_consumer_new(conf, NULL, &consumer, &err), KLAMM_ERR_CONFIG);
	ck_assert(strstr(err.text, "cannot be set with group.protocol = classic") != NULL);
	klamm_conf_free(conf);
	MAKE(0, "group.remote.assignor=range");
	subscribe(0, "orders");
	settle(4, -1, -1);
	MAKE(1, "group.remote.assignor=sticky");
	subscribe(1, "orders");
	for (int i = 0; i < 500 && members[1].err.code == 0; i++)
		poll_one(1);
	ck_assert_int_eq(members[1].err.code, KLAMM_ERR_UNSUPPORTED_ASSIGNOR);
	ck_assert_msg(strstr(members[1].err.text, "uniform, range") != NULL, "%s",
		      members[1].err.text);
}
END_TEST

UNIT_SUITE(modern_member)
{
	Suite *s = suite_create("modern_member");
	unit_add_fixture(s, one_reads_all, set_up, tear_down);
	unit_add_fixture(s, members_share, set_up, tear_down);
	unit_add_fixture(s, metadata_have_the_epoch, set_up, tear_down);
	unit_add_case(s, "put_out_it_comes_back", put_out_it_comes_back, set_up, tear_down, 2);
	unit_add_case(s, "it_goes_on_after_what_passes", it_goes_on_after_what_passes, set_up,
		      tear_down, 3);
	unit_add_fixture(s, what_lasts_is_told_until_it_unsubscribes, set_up, tear_down);
	unit_add_fixture(s, patterns_of_the_broker, set_up, tear_down);
	unit_add_fixture(s, patterns_of_the_client, set_up, tear_down);
	unit_add_fixture(s, static_members_come_back, set_up, tear_down);
	unit_add_fixture(s, who_does_not_poll_leaves, set_up, tear_down);
	unit_add_fixture(s, stale_commits, set_up, tear_down);
	unit_add_case(s, "stale_questions", stale_questions, set_up, tear_down, 2);
	unit_add_fixture(s, topics_may_come, set_up, tear_down);
	unit_add_fixture(s, coordinators_move, three_up, tear_down);
	unit_add_fixture(s, a_broker_without_it, set_up, tear_down);
	unit_add_fixture(s, opt_group_protocol, unmixed_up, tear_down);
	unit_add_fixture(s, opt_group_remote_assignor, set_up, tear_down);
	return s;
}
