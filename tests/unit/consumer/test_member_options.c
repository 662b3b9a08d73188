/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of a member of a classic group. */
#include <unistd.h>

#include "tests/unit/consumer/member.h"

START_TEST(opt_session_timeout_ms)
{
	CONSUMER("session.timeout.ms=4321", NULL);
	member_join();
	ck_assert_int_eq(says.session_ms, 4321);
}
END_TEST

/* They are more microseconds than 32 bits hold. */
START_TEST(an_hour_is_not_over_at_once)
{
	struct klamm_error err;
	CONSUMER("enable.auto.commit=true", "auto.commit.interval.ms=3600000",
		 "max.poll.interval.ms=3600000", "session.timeout.ms=3600000", NULL);
	member_join();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	for (int i = 0; i < 5; i++) {
		usleep(20000); /* the application is at work */
		member_poll(20, &err);
	}
	ck_assert_int_eq(says.commits, 0);
	ck_assert_int_eq(says.leaves + heard.lost, 0);
	ck_assert_int_eq(heard.assigned, 1);
}
END_TEST

START_TEST(opt_heartbeat_interval_ms)
{
	struct klamm_error err;
	CONSUMER(_i == 0 ? "heartbeat.interval.ms=10" : "heartbeat.interval.ms=3000", NULL);
	member_join();
	int64_t until = script_ms() + (_i == 0 ? PATIENCE : 300);
	while (script_ms() < until && says.beats < 5)
		usleep(1000); /* without a poll() */
	ck_assert_int_eq(says.beats >= 5, _i == 0);
	world_close_consumer(consumer);
	struct klamm_conf *conf = world_conf("group.id=g", "heartbeat.interval.ms=100",
					     "session.timeout.ms=100", NULL);
	ck_assert_int_eq(klamm_consumer_new(conf, NULL, &consumer, &err), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "below session.timeout.ms"));
	klamm_conf_free(conf);
	consumer = NULL;
}
END_TEST

/* It leaves, hears that all is lost, and joins again, when it polls again; what it commits
 * meanwhile is not sent. */
START_TEST(opt_max_poll_interval_ms)
{
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	CONSUMER("enable.auto.commit=true", "auto.commit.interval.ms=0",
		 "max.poll.interval.ms=200", NULL);
	member_join();
	ck_assert_int_eq(says.rebalance_ms, 200);
	int64_t until = script_ms() + PATIENCE;
	while (says.leaves == 0 && script_ms() < until)
		usleep(1000);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert(saw(says.leaver, "m-1"));
	ck_assert(saw(says.leave_reason, "consumer poll timeout has expired."));
	int commits = says.commits;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err),
			 KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(says.joins, 1);
	ck_assert_int_eq(says.commits, commits);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.lost, 1);
	ck_assert_int_eq(heard.revoked, 0);
	ck_assert_int_eq(says.generation, 2);
	ck_assert(saw(says.member, ""));
	/* One that polls, and waits for long in it, is not silent. */
	ck_assert_int_eq(member_poll(500, &err), 0);
	ck_assert_int_eq(says.leaves, 1);
}
END_TEST

START_TEST(opt_partition_assignment_strategy)
{
	struct klamm_error err;
	static const char *const topics[] = {"t"};
	CONSUMER(NULL);
	member_join();
	ck_assert_int_eq(says.protocols, 1);
	ck_assert(saw(says.names[0], "range"));
	world_close_consumer(consumer);
	CONSUMER("partition.assignment.strategy=range,nobody_knows_it", NULL);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_PLUGIN);
	ck_assert_ptr_nonnull(strstr(err.text, "nobody_knows_it"));
	/* What it does not need does not matter. */
	const struct klamm_topic_partition tp = {"t", 0};
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), 0);
}
END_TEST

START_TEST(opt_group_instance_id)
{
	struct klamm_error err;
	struct klamm_group_metadata metadata = {.size = sizeof(metadata)};
	CONSUMER("group.instance.id=left-1", NULL);
	member_join();
	ck_assert(saw(says.instance, "left-1"));
	ck_assert(saw(says.sync_instance, "left-1"));
	POLL_UNTIL(says.beats > 0);
	ck_assert(saw(says.beat_instance, "left-1"));
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &metadata, NULL), 0);
	ck_assert_str_eq(metadata.group_instance_id, "left-1");
	world_close_consumer(consumer);
	consumer = NULL;
	ck_assert_int_eq(says.leaves, 0);
	struct klamm_conf *conf = world_conf("group.id=g", NULL);
	ck_assert_int_eq(klamm_conf_set(conf, "group.instance.id", "a b", &err),
			 KLAMM_ERR_CONFIG);
	klamm_conf_free(conf);
}
END_TEST

START_TEST(opt_exclude_internal_topics)
{
	struct klamm_error err;
	const char *const *topics;
	size_t n;
	CONSUMER(_i == 0 ? "exclude.internal.topics=true" : "exclude.internal.topics=false",
		 NULL);
	int rc = klamm_consumer_subscribe_pattern(consumer, "_*t.?", &member_listener, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	POLL_UNTIL(heard.assigned > 0);
	ck_assert_int_eq(heard.count, _i == 0 ? 6 : 9);
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, &err), 0);
	ck_assert_uint_eq(n, _i == 0 ? 2 : 3);
	ck_assert_str_eq(topics[n - 1], "t2");
}
END_TEST

UNIT_SUITE(member_options)
{
	Suite *s = suite_create("member_options");
	unit_add_fixture(s, opt_session_timeout_ms, member_up, member_down);
	unit_add_fixture(s, an_hour_is_not_over_at_once, member_up, member_down);
	unit_add_case(s, "opt_heartbeat_interval_ms", opt_heartbeat_interval_ms, member_up,
		      member_down, 2);
	unit_add_fixture(s, opt_max_poll_interval_ms, member_up, member_down);
	unit_add_fixture(s, opt_partition_assignment_strategy, member_up, member_down);
	unit_add_fixture(s, opt_group_instance_id, member_up, member_down);
	unit_add_case(s, "opt_exclude_internal_topics", opt_exclude_internal_topics, member_up,
		      member_down, 2);
	return s;
}
