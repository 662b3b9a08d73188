/* SPDX-License-Identifier: BSD-2-Clause */
/* Brokers from before ApiVersions, and those that only look like them for a moment. */
#include "core/broker/node.h"

#include <stdlib.h>

#include "tests/unit/broker/bench.h"

static struct kl_nodes nodes;
static struct kl_node node;

static void start(bool (*handle)(const struct script_request *request))
{
	struct klamm_error err;
	bench_script.handle = handle;
	script_start(&bench_script);
	bench_configure(KLAMM_ROLE_CONSUMER);
	nodes = (struct kl_nodes){
		.loop = bench_loop, .settings = bench_settings, .slabs = bench_slabs};
	ck_assert_int_eq(kl_node_init(&node, &nodes, 7, "127.0.0.1",
				      (uint16_t)bench_script.port, &err),
			 0);
}

static void finish(void)
{
	struct klamm_error why = {.code = KLAMM_ERR_CLOSED};
	kl_node_free(&node, &why);
	script_stop(&bench_script);
	bench_down();
}

static struct bench_call call;

static void call_and_wait(void)
{
	bench_call_init(&call);
	kl_node_request(&node, &call.request);
	ck_assert(bench_until(bench_call_done, &call, 20000));
	kl_request_free(&call.request);
}

static void check_call(int version)
{
	call_and_wait();
	ck_assert_msg(call.code == 0, "%s", call.err.text);
	ck_assert_int_eq(call.version, version);
}

static int asked(void)
{
	return bench_script.requests[KL_API_API_VERSIONS];
}

static bool is_versions(const struct script_request *request)
{
	return request->header.api == KL_API_API_VERSIONS;
}

static bool close_on_versions(const struct script_request *request)
{
	if (!is_versions(request))
		return false;
	script_hang_up(request);
	return true;
}

/* As Kafka 0.8: one connection to be refused on, two to prove that the broker is well. */
START_TEST(takes_who_closes_on_api_versions_alone_for_old)
{
	start(close_on_versions);
	for (int i = 1; i <= 3; i++) {
		call_and_wait();
		ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
		ck_assert(!call.maybe_applied);
		ck_assert_ptr_nonnull(strstr(call.err.text, "closed on ApiVersions"));
		ck_assert_int_eq(bench_script.connections, i);
	}
	check_call(0);
	check_call(0);
	ck_assert_int_eq(bench_script.connections, 4);
	ck_assert_int_eq(asked(), 3);
	ck_assert_int_eq(kl_node_version(&node, KL_API_FETCH, -1), 1);

	bench_call_init(&call);
	call.request.min_version = 3;
	kl_node_request(&node, &call.request);
	ck_assert(bench_until(bench_call_done, &call, 5000));
	kl_request_free(&call.request);
	ck_assert_int_eq(call.code, KLAMM_ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(call.err.text, "older than Kafka 0.10"));

	/* It was upgraded: the next connection asks. */
	struct klamm_error why = {.code = KLAMM_ERR_DISCONNECTED};
	bench_script.handle = NULL;
	kl_node_disconnect(&node, &why);
	check_call(kl_msg_metadata_request.stable);
}
END_TEST

static bool close_once(const struct script_request *request)
{
	return asked() == 1 && close_on_versions(request);
}

/* A broker that goes down closes, too, and is another one when it is back. */
START_TEST(a_broker_that_was_going_down_is_not_old)
{
	start(close_once);
	call_and_wait();
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	check_call(kl_msg_metadata_request.stable);
	ck_assert_int_eq(bench_script.connections, 2);
	ck_assert_int_eq(asked(), 2);
}
END_TEST

static bool close_twice(const struct script_request *request)
{
	return asked() <= 2 && close_on_versions(request);
}

/* The second time it had answered the probe. */
START_TEST(a_broker_that_is_killed_between_two_answers_is_not_old)
{
	start(close_twice);
	call_and_wait();
	call_and_wait();
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	check_call(kl_msg_metadata_request.stable);
}
END_TEST

static bool close_on_all(const struct script_request *request)
{
	script_hang_up(request);
	return true;
}

START_TEST(who_closes_on_everything_is_not_old)
{
	start(close_on_all);
	call_and_wait();
	call_and_wait();
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_ptr_nonnull(strstr(call.err.text, "it answers nothing"));
	bench_script.handle = NULL;
	check_call(kl_msg_metadata_request.stable);
}
END_TEST

static bool ignore_versions(const struct script_request *request)
{
	return is_versions(request);
}

/* As Kafka 0.9. */
START_TEST(takes_who_ignores_api_versions_alone_for_old)
{
	start(ignore_versions);
	check_call(0);
	ck_assert_int_eq(bench_script.connections, 1);
	ck_assert_int_eq(asked(), 1);
	ck_assert_uint_eq(node.in_flight_count, 0);
	check_call(0);
}
END_TEST

static bool ignore_all(const struct script_request *request)
{
	return true;
}

START_TEST(who_answers_nothing_is_not_old)
{
	/* Long enough for a machine that has other things to do between the probe, after a
	 * second, and the end. */
	bench_set("socket.connection.setup.timeout.ms=5000",
		  "socket.connection.setup.timeout.max.ms=5000", NULL);
	start(ignore_all);
	call_and_wait();
	ck_assert_int_eq(call.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(bench_script.requests[KL_API_METADATA], 1);
	bench_script.handle = NULL;
	check_call(kl_msg_metadata_request.stable);
}
END_TEST

static uint8_t *late;
static size_t late_len;

/* The answer to ApiVersions leaves when the next request has come. */
static bool answer_late(const struct script_request *request)
{
	if (is_versions(request)) {
		struct kl_api_versions_response *body = SCRIPT_BODY(api_versions, request);
		body->api_keys = kl_type_new(&kl_type_api_versions_response_api_key,
					     request->arena, 1);
		body->api_keys_n = 1;
		body->api_keys[0].api_key = KL_API_METADATA;
		body->api_keys[0].max_version = 7;
		late = script_encode(request, body, &late_len);
		return true;
	}
	if (late != NULL)
		script_send(request->fd, late, late_len);
	free(late);
	late = NULL;
	return false;
}

START_TEST(a_slow_broker_is_not_old)
{
	start(answer_late);
	check_call(7);
	check_call(7);
	ck_assert_int_eq(bench_script.connections, 1);
}
END_TEST

static bool fall_silent(const struct script_request *request)
{
	return is_versions(request) && asked() > 1;
}

/* What it did before says more than an answer that got lost. */
START_TEST(who_answered_once_is_not_old)
{
	start(fall_silent);
	check_call(kl_msg_metadata_request.stable);
	struct klamm_error why = {.code = KLAMM_ERR_DISCONNECTED};
	kl_node_disconnect(&node, &why);
	call_and_wait();
	ck_assert_int_eq(call.code, KLAMM_ERR_PROTOCOL);
	bench_script.handle = NULL;
	check_call(kl_msg_metadata_request.stable);
}
END_TEST

START_TEST(opt_klamm_broker_version)
{
	static const struct {
		const char *pair;
		int asked, metadata, fetch, offset_commit;
	} rows[] = {
		{"klamm.broker.version=0.8.2.2", 0, 0, 0, 1},
		{"api_version=0.9", 0, 0, 1, 2},
		{"broker.version.fallback=0.10.2.1", 1, -1, -1, -1},
		{"klamm.broker.version=auto", 1, -1, -1, -1},
	};
	bench_set(rows[_i].pair, NULL);
	start(NULL);
	call_and_wait();
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(asked(), rows[_i].asked);
	ck_assert_int_eq(bench_script.connections, 1);
	if (rows[_i].asked > 0)
		return;
	ck_assert_int_eq(call.version, rows[_i].metadata);
	ck_assert_int_eq(kl_node_version(&node, KL_API_FETCH, -1), rows[_i].fetch);
	ck_assert_int_eq(kl_node_version(&node, KL_API_OFFSET_COMMIT, -1),
			 rows[_i].offset_commit);
}
END_TEST

UNIT_SUITE(old)
{
	Suite *s = suite_create("old");
	unit_add_fixture(s, takes_who_closes_on_api_versions_alone_for_old, bench_up, finish);
	unit_add_fixture(s, a_broker_that_was_going_down_is_not_old, bench_up, finish);
	unit_add_fixture(s, a_broker_that_is_killed_between_two_answers_is_not_old, bench_up,
			 finish);
	unit_add_fixture(s, who_closes_on_everything_is_not_old, bench_up, finish);
	unit_add_fixture(s, takes_who_ignores_api_versions_alone_for_old, bench_up, finish);
	unit_add_fixture(s, who_answers_nothing_is_not_old, bench_up, finish);
	unit_add_fixture(s, a_slow_broker_is_not_old, bench_up, finish);
	unit_add_fixture(s, who_answered_once_is_not_old, bench_up, finish);
	unit_add_case(s, "opt_klamm_broker_version", opt_klamm_broker_version, bench_up,
		      finish, 4);
	return s;
}
