/* SPDX-License-Identifier: BSD-2-Clause */
/* Committed offsets: stored and read by every version, and again where that failed. */
#include "tests/unit/consumer/store.h"

START_TEST(every_version_of_both)
{
	struct klamm_error err;
	script.below[KL_API_OFFSET_COMMIT] = script.below[KL_API_OFFSET_FETCH] = _i + 1;
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store_assign(1); /* its id is known now, that of "u" is not */
	store_position(0);
	const struct klamm_offset offsets[] = {
		{"t", 1, 7, 42, "note"},
		{"t", 0, -1, 0, NULL},
	};
	ck_assert_msg(klamm_consumer_commit(consumer, offsets, 2, PATIENCE, &err) == 0,
		      "%s", err.text);
	ck_assert_int_eq(store.commit_version, _i);
	ck_assert_int_eq(store.generation, -1);
	ck_assert(!store.member);
	ck_assert_int_eq(store.partitions, 2);
	ck_assert_int_eq(stored("t", 1), 42);
	struct klamm_committed got[] = {
		{.size = sizeof(got[0]), .topic = "t", .partition = 0},
		{.size = sizeof(got[0]), .topic = "t", .partition = 1},
		{.size = sizeof(got[0]), .topic = "t", .partition = 2},
	};
	ck_assert_msg(klamm_consumer_committed(consumer, got, 3, PATIENCE, &err) == 0,
		      "%s", err.text);
	ck_assert_int_eq(store.fetch_version, _i);
	ck_assert_int_eq(got[0].offset, 0);
	ck_assert_int_eq(got[0].leader_epoch, -1);
	ck_assert_str_eq(got[0].metadata, "");
	ck_assert_int_eq(got[1].offset, 42);
	ck_assert_int_eq(got[1].leader_epoch, _i >= 6 ? 7 : -1);
	ck_assert_str_eq(got[1].metadata, "note");
	ck_assert_int_eq(got[2].offset, -1);
	ck_assert_str_eq(got[2].metadata, "");
	/* A topic without an id is named. */
	const struct klamm_offset other = {"u", 3, 1, 9, NULL};
	ck_assert_int_eq(klamm_consumer_commit(consumer, &other, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(store.commit_version, kl_min(_i, 9));
	ck_assert_int_eq(store_committed("u", 3).offset, 9);
	ck_assert_int_eq(store.fetch_version, kl_min(_i, 9));
	ck_assert_int_eq(store_committed("u", 2).offset, -1);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR], 1);
}
END_TEST

START_TEST(positions_of_all_that_is_assigned)
{
	struct klamm_error err;
	STORE_CONSUMER("enable.auto.commit=false", "auto.offset.reset=latest", NULL);
	store_assign(3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(store_position(i), 100);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 1, 11, &err), 0);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	ck_assert_int_eq(store.partitions, 3);
	ck_assert_int_eq(stored("t", 0), 100);
	ck_assert_int_eq(stored("t", 1), 11);
	/* Nothing to store: nothing is asked. */
	int before = script.requests[KL_API_OFFSET_COMMIT];
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	const struct klamm_offset none = {0};
	ck_assert_int_eq(klamm_consumer_commit(consumer, &none, 0, PATIENCE, &err), 0);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], before);
	ck_assert_int_eq(klamm_consumer_committed(consumer, NULL, 0, PATIENCE, &err),
			 0);
}
END_TEST

START_TEST(the_last_of_several_offsets_counts)
{
	struct klamm_error err;
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	const struct klamm_offset twice[] = {{"t", 0, -1, 9, NULL},
					     {"t", 0, -1, 5, NULL}};
	ck_assert_int_eq(klamm_consumer_commit(consumer, twice, 2, PATIENCE, &err), 0);
	ck_assert_int_eq(stored("t", 0), 5);
	struct klamm_committed both[] = {
		{.size = sizeof(both[0]), .topic = "t"},
		{.size = sizeof(both[0]), .topic = "t"},
	};
	ck_assert_int_eq(klamm_consumer_committed(consumer, both, 2, PATIENCE, &err),
			 0);
	ck_assert_int_eq(both[0].offset, 5);
	ck_assert_int_eq(both[1].offset, 5);
}
END_TEST

START_TEST(wrong_arguments)
{
	struct klamm_error err;
	char note[40000];
	memset(note, 'x', sizeof(note));
	note[sizeof(note) - 1] = '\0';
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	const struct {
		struct klamm_offset offset;
		int code;
	} wrong[] = {
		{{NULL, 0, -1, 1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"", 0, -1, 1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"t", -1, -1, 1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"t", 0, -1, -1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"t", 0, -1, 1, note}, KLAMM_ERR_OFFSET_METADATA_TOO_LARGE},
	};
	for (size_t i = 0; i < kl_countof(wrong); i++) {
		ck_assert_int_eq(klamm_consumer_commit(consumer, &wrong[i].offset, 1,
						       PATIENCE, &err),
				 wrong[i].code);
		ck_assert_int_eq(klamm_consumer_commit_async(consumer, &wrong[i].offset,
							     1, NULL, NULL, &err),
				 wrong[i].code);
	}
	struct klamm_committed entry = {.size = sizeof(entry)};
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	entry = (struct klamm_committed){.size = 8, .topic = "t"};
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 0);
}
END_TEST

START_TEST(opt_group_id)
{
	struct klamm_error err;
	struct klamm_group_metadata who = {.size = sizeof(who)};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &who, &err), 0);
	ck_assert_str_eq(who.group_id, "g");
	ck_assert_str_eq(who.member_id, "");
	ck_assert_ptr_null(who.group_instance_id);
	ck_assert_int_eq(who.generation, -1);
	ck_assert_uint_eq(who.size, sizeof(who));
	who.size = 8;
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &who, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, NULL, NULL);
	store_assign(1);
	ck_assert_int_eq(store_position(0),
			 100); /* and nobody was asked for a group's */
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_ptr_nonnull(strstr(err.text, "group.id is not set"));
	ck_assert_int_eq(
		klamm_consumer_commit_async(consumer, NULL, 0, NULL, NULL, &err),
		KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
	who.size = sizeof(who);
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &who, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR], 0);
	struct klamm_conf *conf = world_conf(NULL, NULL);
	ck_assert_int_eq(klamm_conf_set(conf, "group.id", "", &err), KLAMM_ERR_CONFIG);
	klamm_conf_free(conf);
}
END_TEST

/* --- what goes wrong --- */

static const int passing[] = {
	KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS,
	KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
	KLAMM_ERR_UNKNOWN_TOPIC_ID,
	KLAMM_ERR_NOT_COORDINATOR,
	KLAMM_ERR_COORDINATOR_NOT_AVAILABLE,
	KLAMM_ERR_REQUEST_TIMED_OUT,
};

START_TEST(a_commit_waits_for_what_passes)
{
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store_assign(1);
	store_position(0);
	bool elsewhere = _i >= 3;
	store.commit_error = passing[_i];
	store.commit_errors_left = 3;
	store_commit(5);
	ck_assert_int_eq(stored("t", 0), 5);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 4);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR], elsewhere ? 4 : 1);
}
END_TEST

static const int lasting[] = {
	KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED,
	KLAMM_ERR_OFFSET_METADATA_TOO_LARGE,  KLAMM_ERR_INVALID_COMMIT_OFFSET_SIZE,
	KLAMM_ERR_UNKNOWN_MEMBER_ID,          KLAMM_ERR_ILLEGAL_GENERATION,
	KLAMM_ERR_REBALANCE_IN_PROGRESS,      KLAMM_ERR_FENCED_INSTANCE_ID,
	KLAMM_ERR_STALE_MEMBER_EPOCH,         KLAMM_ERR_INVALID_GROUP_ID,
	KLAMM_ERR_GROUP_ID_NOT_FOUND,         KLAMM_ERR_UNSUPPORTED_VERSION,
	KLAMM_ERR_UNKNOWN_SERVER_ERROR,
};

START_TEST(a_commit_tells_what_does_not_pass)
{
	struct klamm_error err;
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store.commit_error = lasting[_i];
	store.commit_errors_left = 1;
	store.bad_partition = 1;
	const struct klamm_offset two[] = {{"t", 0, -1, 5, NULL},
					   {"t", 1, -1, 6, NULL}};
	ck_assert_int_eq(klamm_consumer_commit(consumer, two, 2, PATIENCE, &err),
			 lasting[_i]);
	ck_assert_ptr_nonnull(strstr(err.text,
				     "group g: committing offset 6 of topic t "
				     "partition 1: "));
	ck_assert_ptr_nonnull(strstr(err.text, klamm_err_name(lasting[_i])));
	bool members = lasting[_i] == KLAMM_ERR_UNKNOWN_MEMBER_ID ||
		       lasting[_i] == KLAMM_ERR_ILLEGAL_GENERATION;
	if (members)
		ck_assert_ptr_nonnull(strstr(err.text, "the group has members"));
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 1);
	ck_assert_int_eq(stored("t", 0), 5);
	store_commit(7); /* the consumer is fine */
	ck_assert_int_eq(stored("t", 0), 7);
}
END_TEST

/* What lasts is told although something else passes. */
START_TEST(part_of_a_commit_is_sent_again)
{
	struct klamm_error err;
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store.commit_error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	store.commit_errors_left = 2;
	store.bad_partition = 1;
	const struct klamm_offset two[] = {{"t", 0, -1, 5, NULL},
					   {"t", 1, -1, 6, NULL}};
	ck_assert_int_eq(klamm_consumer_commit(consumer, two, 2, PATIENCE, &err), 0);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 3);
	ck_assert_int_eq(store.partitions, 1);
	ck_assert_int_eq(stored("t", 1), 6);
}
END_TEST

START_TEST(a_commit_is_sent_again_when_the_connection_is_lost)
{
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store.hang_ups = 2;
	store_commit(5);
	ck_assert_int_eq(stored("t", 0), 5);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 3);
}
END_TEST

START_TEST(a_commit_gives_up_in_time)
{
	struct klamm_error err;
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	store_commit(4); /* the coordinator is found */
	store.commit_error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	store.commit_errors_left = -1;
	int64_t since = world_ms();
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, 200, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_ge(world_ms() - since, 190);
	ck_assert_ptr_nonnull(strstr(err.text,
				     "group g: committing offsets: timed out; last "
				     "error: group g: committing offset 5 of topic "
				     "t partition 0: UNKNOWN_TOPIC_OR_PARTITION"));
	store.commit_errors_left = 0;
	store.hold = true;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, 1000, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "group coordinator 1 "));
	ck_assert_ptr_nonnull(strstr(err.text, "waiting for an answer"));
}
END_TEST

START_TEST(no_coordinator)
{
	struct klamm_error err;
	script.advertise = script_dead_port();
	STORE_CONSUMER("enable.auto.commit=false", "default.api.timeout.ms=1000", NULL);
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	ck_assert_int_eq(
		klamm_consumer_commit(consumer, &one, 1, KLAMM_TIMEOUT_DEFAULT, &err),
		KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1,
						  KLAMM_TIMEOUT_DEFAULT, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(entry.error, KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(
		strstr(err.text, "group g: reading committed offsets: timed "));
	ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
}
END_TEST

START_TEST(answers_that_leave_out)
{
	struct klamm_error err;
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	store.leave_out = true;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err),
			 KLAMM_ERR_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(err.text, "the answer leaves it out"));
	store.other_group = true;
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, 1000, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "leaves out topic t"));
}
END_TEST

/* UNSTABLE_OFFSET_COMMIT: KIP-447 */
START_TEST(reading_waits_for_what_passes)
{
	static const struct {
		int code;
		bool partition;
	} cases[] = {
		{KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, false},
		{KLAMM_ERR_NOT_COORDINATOR, false},
		{KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, false},
		{KLAMM_ERR_UNSTABLE_OFFSET_COMMIT, true},
		{KLAMM_ERR_UNKNOWN_TOPIC_ID, true},
		{KLAMM_ERR_NOT_COORDINATOR,
		 true}, /* versions 0 and 1 have no other place */
	};
	STORE_CONSUMER("enable.auto.commit=false", "isolation.level=read_committed",
		       NULL);
	store_keep("t", 0, 17, 3, "x");
	store.fetch_error = cases[_i].code;
	store.for_partition = cases[_i].partition;
	store.fetch_errors_left = 3;
	struct klamm_committed entry = store_committed("t", 0);
	ck_assert_int_eq(entry.offset, 17);
	ck_assert_int_eq(entry.leader_epoch, 3);
	ck_assert_str_eq(entry.metadata, "x");
	ck_assert_int_eq(store.stable, 1);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_FETCH], 4);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR],
			 cases[_i].code == KLAMM_ERR_NOT_COORDINATOR ||
					 cases[_i].code ==
						 KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
				 ? 4
				 : 1);
}
END_TEST

START_TEST(reading_tells_what_does_not_pass)
{
	struct klamm_error err;
	static const struct {
		int code;
		bool partition;
	} cases[] = {
		{KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, false},
		{KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, true},
		{KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION, true},
	};
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store_keep("t", 0, 17, 3, "x");
	store.fetch_error = cases[_i].code;
	store.for_partition = cases[_i].partition;
	store.fetch_errors_left = -1;
	store.bad_partition = 1;
	struct klamm_committed two[] = {
		{.size = sizeof(two[0]), .topic = "t", .partition = 0},
		{.size = sizeof(two[0]), .topic = "t", .partition = 1},
	};
	ck_assert_int_eq(klamm_consumer_committed(consumer, two, 2, PATIENCE, &err),
			 cases[_i].code);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: reading "));
	ck_assert_ptr_nonnull(strstr(err.text, klamm_err_name(cases[_i].code)));
	ck_assert_int_eq(two[1].error, cases[_i].code);
	ck_assert_int_eq(two[0].error, cases[_i].partition ? 0 : cases[_i].code);
	if (cases[_i].partition)
		ck_assert_int_eq(two[0].offset, 17);
	ck_assert_int_eq(store.stable, 0);
}
END_TEST

UNIT_SUITE(commit)
{
	Suite *s = suite_create("commit");
	unit_add_case(s, "every_version_of_both", every_version_of_both, store_up,
		      store_down, 11);
	unit_add_fixture(s, positions_of_all_that_is_assigned, store_up, store_down);
	unit_add_fixture(s, the_last_of_several_offsets_counts, store_up, store_down);
	unit_add_fixture(s, wrong_arguments, store_up, store_down);
	unit_add_fixture(s, opt_group_id, store_up, store_down);
	unit_add_case(s, "a_commit_waits_for_what_passes",
		      a_commit_waits_for_what_passes, store_up, store_down,
		      (int)kl_countof(passing));
	unit_add_case(s, "a_commit_tells_what_does_not_pass",
		      a_commit_tells_what_does_not_pass, store_up, store_down,
		      (int)kl_countof(lasting));
	unit_add_fixture(s, part_of_a_commit_is_sent_again, store_up, store_down);
	unit_add_fixture(s, a_commit_is_sent_again_when_the_connection_is_lost,
			 store_up, store_down);
	unit_add_fixture(s, a_commit_gives_up_in_time, store_up, store_down);
	unit_add_fixture(s, no_coordinator, store_up, store_down);
	unit_add_fixture(s, answers_that_leave_out, store_up, store_down);
	unit_add_case(s, "reading_waits_for_what_passes", reading_waits_for_what_passes,
		      store_up, store_down, 6);
	unit_add_case(s, "reading_tells_what_does_not_pass",
		      reading_tells_what_does_not_pass, store_up, store_down, 3);
	return s;
}
