/* SPDX-License-Identifier: BSD-2-Clause */
/* Where partitions begin: at what is committed. */
#include "tests/unit/consumer/store.h"

START_TEST(partitions_begin_where_the_group_is)
{
	struct klamm_error err;
	STORE_CONSUMER("auto.offset.reset=earliest", "enable.auto.commit=false", NULL);
	store_keep("t", 1, 42, 5, "");
	store_keep("t", 2, 0, 5, "");
	store.fetch_error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	store.fetch_errors_left = _i;
	store_assign(4);
	ck_assert_int_eq(store_position(0), 0);
	ck_assert_int_eq(store_position(1), 42);
	ck_assert_int_eq(store_position(2), 0);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 1, 7, &err), 0);
	ck_assert_int_eq(store_position(1), 7);
	store_assign(2); /* what stays keeps its position */
	ck_assert_int_eq(store_position(1), 7);
	/* And with it the epoch that was committed. */
	store_assign(0);
	store_assign(2);
	ck_assert_int_eq(store_position(1), 42);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	ck_assert_int_eq(store_committed("t", 1).leader_epoch, 5);
	ck_assert_int_eq(store_committed("t", 0).leader_epoch, -1);
}
END_TEST

START_TEST(no_place_to_begin)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	int64_t offset;
	STORE_CONSUMER("auto.offset.reset=none", "enable.auto.commit=false", NULL);
	store_keep("t", 1, 42, 5, "");
	store_assign(2);
	ck_assert_int_eq(store_position(1), 42);
	ck_assert_int_eq(
		klamm_consumer_position(consumer, "t", 0, PATIENCE, &offset, &err),
		KLAMM_ERR_NO_OFFSET);
	int rc = 0;
	for (int i = 0; i < 100 && rc == 0; i++)
		rc = klamm_consumer_poll(consumer, 100, &batch, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_NO_OFFSET);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 3, &err), 0);
	ck_assert_int_eq(store_position(0), 3);
}
END_TEST

/* Told once, however many partitions there are, and tried again. */
START_TEST(a_group_that_may_not_be_read)
{
	STORE_CONSUMER("enable.auto.commit=false", NULL);
	store.fetch_error = KLAMM_ERR_GROUP_AUTHORIZATION_FAILED;
	store.fetch_errors_left = -1;
	store_keep("t", 3, 33, 5, "");
	store_assign(4);
	store_poll_until_error(KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	store_poll(20);
	store.fetch_errors_left = 0;
	ck_assert_int_eq(store_position(3), 33);
}
END_TEST

static bool refuse(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return store_answer(request);
	struct kl_sasl_authenticate_response *body =
		SCRIPT_BODY(sasl_authenticate, request);
	body->error_code = KLAMM_ERR_SASL_AUTHENTICATION_FAILED;
	body->error_message = KL_STR("not you");
	script_answer(request, body);
	return true;
}

/* By whoever asks first, once; and a call does not wait for its time to be over. */
START_TEST(brokers_that_do_not_let_us_in)
{
	struct klamm_error err;
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	script.handle = refuse;
	STORE_CONSUMER("security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN",
		       "sasl.username=u", "sasl.password=p",
		       "auto.commit.interval.ms=10", NULL);
	store_assign(2);
	store_poll_until_error(KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	store_poll(20);
	int64_t since = world_ms();
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err),
			 KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: "));
	ck_assert_ptr_nonnull(strstr(err.text, "not you"));
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_int_lt(world_ms() - since, PATIENCE / 2);
}
END_TEST

UNIT_SUITE(commit_start)
{
	Suite *s = suite_create("commit_start");
	unit_add_case(s, "partitions_begin_where_the_group_is",
		      partitions_begin_where_the_group_is, store_up, store_down, 3);
	unit_add_fixture(s, no_place_to_begin, store_up, store_down);
	unit_add_fixture(s, a_group_that_may_not_be_read, store_up, store_down);
	unit_add_fixture(s, brokers_that_do_not_let_us_in, store_up, store_down);
	return s;
}
