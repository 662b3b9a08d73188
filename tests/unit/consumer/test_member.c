/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a classic group: what becomes of the answers to it, error by error, and what its
 * listeners may do. */
#include "tests/unit/consumer/member.h"

/* --- joining --- */

START_TEST(a_member_of_every_version)
{
	says.ask_id = true;
	script.below[KL_API_JOIN_GROUP] = _i + 1;
	CONSUMER("enable.auto.commit=false", NULL);
	ck_assert_int_eq(says.joins, 0);
	member_join();
	ck_assert_int_eq(says.join_version, _i);
	ck_assert_int_eq(says.joins, _i >= 4 ? 2 : 1);
	ck_assert(saw(says.member, _i >= 4 ? "m-1" : ""));
	if (_i >= 8)
		ck_assert(saw(says.reason, "need to re-join with the given member-id: m-1"));
	ck_assert_str_eq(heard.first, "t");
	struct klamm_group_metadata metadata = {.size = sizeof(metadata)};
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &metadata, NULL), 0);
	ck_assert_str_eq(metadata.member_id, "m-1");
	ck_assert_int_eq(metadata.generation, 1);
	ck_assert_ptr_null(metadata.group_instance_id);
	const struct klamm_topic_partition *parts;
	const char *const *topics;
	size_t n;
	ck_assert_int_eq(klamm_consumer_assignment(consumer, &parts, &n, NULL), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(parts[2].partition, 2);
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, NULL), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(topics[0], "t");
	world_close_consumer(consumer);
	consumer = NULL;
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.lost, 0);
	ck_assert(saw(says.leave_reason, "the consumer is being closed"));
}
END_TEST

/* What passes is tried again, of what does not poll() tells, and the next one tries again. */
static const struct {
	bool sync;
	int code;
	bool told;
} errors[] = {
	{false, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, false},
	{false, KLAMM_ERR_UNKNOWN_MEMBER_ID, false},
	{false, KLAMM_ERR_NOT_COORDINATOR, false},
	{false, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, false},
	{false, KLAMM_ERR_REBALANCE_IN_PROGRESS, false},
	{false, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL, true},
	{false, KLAMM_ERR_INVALID_SESSION_TIMEOUT, true},
	{false, KLAMM_ERR_INVALID_GROUP_ID, true},
	{false, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, true},
	{false, KLAMM_ERR_GROUP_MAX_SIZE_REACHED, true},
	{false, KLAMM_ERR_UNKNOWN_SERVER_ERROR, true},
	{true, KLAMM_ERR_REBALANCE_IN_PROGRESS, false},
	{true, KLAMM_ERR_UNKNOWN_MEMBER_ID, false},
	{true, KLAMM_ERR_ILLEGAL_GENERATION, false},
	{true, KLAMM_ERR_NOT_COORDINATOR, false},
	{true, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, false},
	{true, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, true},
	{true, KLAMM_ERR_UNKNOWN_SERVER_ERROR, true},
};

START_TEST(errors_of_joining)
{
	struct fault *fault = errors[_i].sync ? &says.sync : &says.join;
	struct klamm_error err = {0};
	fault->code = errors[_i].code;
	fault->left = 2;
	CONSUMER("enable.auto.commit=false", NULL);
	member_subscribe();
	int told = 0;
	int64_t until = script_ms() + PATIENCE;
	while (heard.assigned == 0) {
		ck_assert(script_ms() < until);
		if (member_poll(10, &err) == 0)
			continue;
		told++;
		ck_assert_int_eq(err.code, errors[_i].code);
		ck_assert_ptr_nonnull(strstr(err.text, "group g"));
	}
	ck_assert_int_eq(told, errors[_i].told ? 2 : 0);
	ck_assert_int_eq(fault->left, 0);
	ck_assert_int_eq(heard.lost, 0);
	ck_assert_int_eq(heard.count, 3);
}
END_TEST

/* Another has this instance id: no poll() tries again, until it is subscribed anew. */
START_TEST(a_fenced_member_stays_out)
{
	struct klamm_error err = {0};
	struct fault *const faults[] = {&says.join, &says.sync, &says.beat};
	CONSUMER("enable.auto.commit=false", "group.instance.id=i", NULL);
	if (_i == 2)
		member_join();
	else
		member_subscribe();
	faults[_i]->code = KLAMM_ERR_FENCED_INSTANCE_ID;
	faults[_i]->left = -1;
	while (member_poll(10, &err) == 0)
		;
	ck_assert_int_eq(err.code, KLAMM_ERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FATAL);
	ck_assert_int_eq(heard.lost, _i == 2 ? 1 : 0);
	int joins = says.joins;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(member_poll(10, &err), KLAMM_ERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(says.joins, joins);
	faults[_i]->left = 0;
	ck_assert_int_eq(klamm_consumer_unsubscribe(consumer, PATIENCE, &err), 0);
	heard.assigned = 0;
	member_join();
}
END_TEST

/* KIP-559: a group of workers, say. */
START_TEST(a_group_of_another_type)
{
	struct klamm_error err = {0};
	says.other_type = true;
	CONSUMER(NULL);
	member_subscribe();
	while (member_poll(10, &err) == 0)
		;
	ck_assert_int_eq(err.code, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(err.text, "\"connect\""));
}
END_TEST

/* --- being a member --- */

START_TEST(errors_of_heartbeats)
{
	static const struct {
		int code;
		bool lost, revoked, new_id;
	} of[] = {
		{KLAMM_ERR_UNKNOWN_MEMBER_ID, true, false, true},
		{KLAMM_ERR_ILLEGAL_GENERATION, true, false, false},
		{KLAMM_ERR_REBALANCE_IN_PROGRESS, false, true, false},
	};
	CONSUMER("enable.auto.commit=false", NULL);
	member_join();
	says.beat.code = of[_i].code;
	says.beat.left = 1;
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.lost, of[_i].lost);
	ck_assert_int_eq(heard.revoked, of[_i].revoked);
	ck_assert_int_eq(says.generation, 2);
	ck_assert_int_eq(says.joins, 2);
	ck_assert(saw(says.member, of[_i].new_id ? "" : "m-1"));
}
END_TEST

/* It is found again, and nothing is lost by that. */
START_TEST(coordinators_that_move)
{
	int before;
	CONSUMER("enable.auto.commit=false", NULL);
	member_join();
	before = script.requests[KL_API_FIND_COORDINATOR];
	says.beat.code = KLAMM_ERR_NOT_COORDINATOR;
	says.beat.left = 2;
	POLL_UNTIL(says.beat.left == 0);
	int beats = says.beats;
	POLL_UNTIL(says.beats > beats + 2);
	ck_assert_int_gt(script.requests[KL_API_FIND_COORDINATOR], before);
	ck_assert_int_eq(heard.lost + heard.revoked, 0);
	ck_assert_int_eq(says.joins, 1);
}
END_TEST

START_TEST(rebalances_may_be_enforced)
{
	struct klamm_error err;
	CONSUMER("enable.auto.commit=false", NULL);
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err),
			 KLAMM_ERR_STATE);
	member_join();
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, "new weights", &err), 0);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert(saw(says.reason, "new weights"));
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(heard.assigned == 3);
	ck_assert(saw(says.reason, "rebalance enforced by user"));
}
END_TEST

START_TEST(topics_may_change)
{
	static const char *const other[] = {"u", "v", "u"};
	struct klamm_error err;
	const char *const *topics;
	size_t n;
	CONSUMER("enable.auto.commit=false", NULL);
	member_join();
	/* The same again is no change. */
	member_subscribe();
	ck_assert_int_eq(
		klamm_consumer_subscribe(consumer, other, 3, &member_listener, &err), 0);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.count, 6);
	ck_assert_str_eq(heard.first, "u");
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert(saw(says.reason, "subscription has changed"));
	/* None at all is leaving. */
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, NULL, 0, NULL, &err), 0);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.revoked, 2);
	ck_assert(saw(says.leave_reason, "the consumer unsubscribed from all topics"));
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, &err), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* Who leads sees to it that new partitions have readers. */
START_TEST(topics_may_grow)
{
	CONSUMER("enable.auto.commit=false", "metadata.max.age.ms=50", NULL);
	member_join();
	script.partitions = 5;
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.count, 5);
	ck_assert(saw(says.reason, "cached metadata has changed"));
}
END_TEST

/* What is heard of it once more before the group is assigned anew is the same news. */
START_TEST(growth_takes_one_round)
{
	CONSUMER("enable.auto.commit=false", "metadata.max.age.ms=20", NULL);
	member_join();
	says.join_behind = 3;
	script.partitions = 5;
	POLL_UNTIL(heard.assigned >= 2);
	ck_assert_int_eq(heard.count, 5);
	int beats = says.beats;
	POLL_UNTIL(says.beats >= beats + 3);
	ck_assert_int_eq(says.joins, 2);
	ck_assert_int_eq(heard.assigned, 2);
}
END_TEST

/* --- listeners --- */

static void use_it_inside(void)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	const struct klamm_offset offset = {"t", 1, -1, 33, NULL};
	int64_t position;
	static const char *const topics[] = {"t"};
	const struct klamm_topic_partition tp = {"t", 0};
	ck_assert_msg(klamm_consumer_seek(consumer, "t", 1, 44, &err) == 0, "%s", err.text);
	ck_assert_int_eq(
		klamm_consumer_position(consumer, "t", 1, PATIENCE, &position, &err), 0);
	ck_assert_int_eq(position, 44);
	ck_assert_int_eq(
		klamm_consumer_position(consumer, "t", 2, PATIENCE, &position, &err), 0);
	ck_assert_msg(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, true, &err), 0);
	ck_assert_int_eq(klamm_consumer_poll(consumer, 0, &batch, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_close(consumer, 0, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_unsubscribe(consumer, 0, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), KLAMM_ERR_STATE);
}

START_TEST(what_listeners_may_do)
{
	heard.inside = use_it_inside;
	CONSUMER("enable.auto.commit=false", NULL);
	member_join();
	ck_assert_int_eq(says.committed, 33);
	ck_assert_int_eq(says.commit_generation, 1);
	ck_assert(saw(says.committer, "m-1"));
	says.committed = 0;
	heard.inside = NULL;
	says.beat.code = KLAMM_ERR_REBALANCE_IN_PROGRESS;
	says.beat.left = 1;
	heard.inside = use_it_inside;
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(says.committed, 33);
	heard.inside = NULL;
}
END_TEST

START_TEST(what_is_revoked_is_committed_first)
{
	struct klamm_error err;
	CONSUMER("enable.auto.commit=true", NULL);
	member_join();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	says.beat.code = KLAMM_ERR_REBALANCE_IN_PROGRESS;
	says.beat.left = 1;
	/* What passes is tried again, before the listener is called. */
	says.commit.code = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.commit.left = 2;
	POLL_UNTIL(heard.revoked == 1);
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(says.commit_generation, 1);
}
END_TEST

START_TEST(one_subscribes_or_assigns)
{
	struct klamm_error err;
	const struct klamm_topic_partition tp = {"t", 0};
	static const char *const topics[] = {"t"}, *const bad[] = {"t", NULL};
	struct klamm_listener odd = member_listener;
	odd.size = 1;
	CONSUMER("enable.auto.commit=false", NULL);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, bad, 2, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, &odd, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_consumer_subscribe_pattern(consumer, "", NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_consumer_subscribe_pattern(consumer, "t(", NULL, &err),
			 KLAMM_ERR_INVALID_REGULAR_EXPRESSION);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), 0);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	member_join();
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), KLAMM_ERR_STATE);
	ck_assert_ptr_nonnull(strstr(err.text, "unsubscribe"));
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), 0);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
}
END_TEST

UNIT_SUITE(member)
{
	Suite *s = suite_create("member");
	unit_add_case(s, "a_member_of_every_version", a_member_of_every_version, member_up,
		      member_down, 10);
	unit_add_case(s, "errors_of_joining", errors_of_joining, member_up, member_down,
		      (int)kl_countof(errors));
	unit_add_case(s, "a_fenced_member_stays_out", a_fenced_member_stays_out, member_up,
		      member_down, 3);
	unit_add_fixture(s, a_group_of_another_type, member_up, member_down);
	unit_add_case(s, "errors_of_heartbeats", errors_of_heartbeats, member_up, member_down,
		      3);
	unit_add_fixture(s, coordinators_that_move, member_up, member_down);
	unit_add_fixture(s, rebalances_may_be_enforced, member_up, member_down);
	unit_add_fixture(s, topics_may_change, member_up, member_down);
	unit_add_fixture(s, topics_may_grow, member_up, member_down);
	unit_add_fixture(s, growth_takes_one_round, member_up, member_down);
	unit_add_fixture(s, what_listeners_may_do, member_up, member_down);
	unit_add_fixture(s, what_is_revoked_is_committed_first, member_up, member_down);
	unit_add_fixture(s, one_subscribes_or_assigns, member_up, member_down);
	return s;
}
