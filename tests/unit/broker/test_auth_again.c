/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL once more on a connection that lives (KIP-368). */
#include <unistd.h>

#include "tests/unit/broker/probe.h"

/* The first round says how long the session is. */
static bool short_sessions(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return auth_plain_server(request);
	auth_welcome.session_lifetime_ms = 400;
	return auth_plain_server(request);
}

START_TEST(authenticates_again_before_the_session_ends)
{
	bench_script.handle = short_sessions;
	auth_start_plain();
	auth_succeeds();
	/* Many at once, over several sessions: none is lost. */
	struct bench_call calls[8];
	int done = 0;
	int64_t end = script_ms() + 10000;
	while (given.handshakes < 4 && script_ms() < end) {
		for (size_t i = 0; i < kl_countof(calls); i++) {
			bench_call_init(&calls[i]);
			kl_node_request(&auth_node, &calls[i].request);
		}
		for (size_t i = 0; i < kl_countof(calls); i++) {
			ck_assert(bench_until(bench_call_done, &calls[i], 10000));
			ck_assert_msg(calls[i].code == 0, "%s", calls[i].err.text);
			kl_request_free(&calls[i].request);
			done++;
		}
		bench_run(5);
	}
	ck_assert_int_ge(given.handshakes, 4);
	ck_assert_int_eq(given.tokens, given.handshakes);
	ck_assert_int_eq(bench_script.connections, 1);
	ck_assert_int_eq(auth_lost, 0);
	ck_assert_int_eq(auth_ready, given.handshakes);
	ck_assert_int_ge(done, 8);
}
END_TEST

static bool long_winded(const struct script_request *request)
{
	static const uint8_t giant[600000];
	if (request->header.api != KL_API_SASL_AUTHENTICATE || given.tokens == 0)
		return short_sessions(request);
	given.tokens++;
	struct kl_sasl_authenticate_response *body =
		SCRIPT_BODY(sasl_authenticate, request);
	body->auth_bytes = (struct kl_bytes){giant, sizeof(giant)};
	script_answer(request, body);
	return true;
}

/* A live connection takes long frames, but not for that. */
START_TEST(a_long_message_is_not_taken_again)
{
	bench_script.handle = long_winded;
	auth_start_plain();
	auth_succeeds();
	struct bench_call call = {.code = 0};
	int64_t end = script_ms() + 10000;
	while (call.code == 0 && script_ms() < end) {
		bench_run(20);
		auth_call(&call, 10000);
	}
	ck_assert_int_eq(call.code, KLAMM_ERR_FRAME_TOO_LARGE);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_msg(strstr(call.err.text, "announced a frame of 600") != NULL, "%s",
		      call.err.text);
	ck_assert_msg(strstr(call.err.text, "at most 262144") != NULL, "%s", call.err.text);
	ck_assert_uint_lt(kl_slab_pool_used(bench_slabs), 256 * 1024);
}
END_TEST

/* A connection that nobody uses may come to its end, and is good again when it is used.
 */
START_TEST(an_idle_session_is_not_renewed)
{
	bench_script.handle = short_sessions;
	auth_start_plain();
	auth_succeeds();
	bench_run(600);
	ck_assert_int_eq(given.handshakes, 1);
	auth_succeeds();
	ck_assert_int_eq(given.handshakes, 2);
	ck_assert_int_eq(bench_script.connections, 1);
}
END_TEST

static _Atomic bool hold_metadata;

/* The answer to a request that is under way comes before the handshake's. */
static bool slow_metadata(const struct script_request *request)
{
	while (request->header.api == KL_API_METADATA && hold_metadata)
		usleep(1000);
	auth_welcome.session_lifetime_ms = 3600 * 1000; /* the test says when it ends */
	return auth_plain_server(request);
}

START_TEST(answers_that_are_due_come_first)
{
	bench_script.handle = slow_metadata;
	auth_start_plain();
	auth_succeeds();
	hold_metadata = true;
	struct bench_call before, behind;
	bench_call_init(&before);
	kl_node_request(&auth_node, &before.request);
	bench_run(20);
	auth_node.auth.again_at = bench_loop->now;
	bench_call_init(&behind);
	kl_node_request(&auth_node, &behind.request);
	bench_run(20);
	ck_assert_int_eq(auth_node.state, KL_NODE_REAUTH);
	ck_assert(!kl_node_is_ready(&auth_node));
	ck_assert_int_eq(kl_node_next_time(&auth_node), KL_NEVER);
	ck_assert_int_eq(auth_node.in_flight_count, 2);
	ck_assert_int_eq(auth_node.waiting_count, 1);
	hold_metadata = false;
	ck_assert(bench_until(bench_call_done, &behind, 10000));
	ck_assert_int_eq(before.code, 0);
	ck_assert_int_eq(behind.code, 0);
	ck_assert_int_ge(behind.at_ms, before.at_ms);
	ck_assert_int_eq(given.handshakes, 2);
	ck_assert_int_eq(bench_script.connections, 1);
	kl_request_free(&before.request);
	kl_request_free(&behind.request);
}
END_TEST

static bool once(const struct script_request *request)
{
	if (given.handshakes >= 2)
		auth_welcome = auth_refusal;
	return short_sessions(request);
}

START_TEST(a_refusal_to_go_on_is_final)
{
	bench_script.handle = once;
	auth_start_plain();
	auth_succeeds();
	auth_node.auth.again_at = bench_loop->now;
	auth_fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
	      "SASL PLAIN, authenticating again: the broker");
}
END_TEST

static bool long_session(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	struct kl_sasl_authenticate_response *body =
		SCRIPT_BODY(sasl_authenticate, request);
	body->session_lifetime_ms = probe.lifetime_ms == 0 ? INT64_MAX : 3600 * 1000;
	script_answer(request, body);
	return true;
}

/* What ends first counts: the session or the credentials; one without end has none. */
START_TEST(credentials_may_end_before_the_session)
{
	probe.lifetime_ms = _i == 0 ? 100 * 1000 : 0;
	bench_script.handle = long_session;
	auth_start();
	auth_succeeds();
	int64_t in = auth_node.auth.again_at - bench_loop->now;
	if (_i == 0) {
		ck_assert_int_le(in, 95 * KL_SECOND);
		ck_assert_int_ge(in, 80 * KL_SECOND);
	} else {
		ck_assert(auth_node.auth.again_at == KL_NEVER);
	}
}
END_TEST

START_TEST(the_plugin_hears_that_it_is_again)
{
	auth_start();
	auth_succeeds();
	auth_node.auth.again_at = bench_loop->now;
	auth_succeeds();
	ck_assert_int_eq(probe.made, 2);
	ck_assert_int_eq(probe.flags, KLAMM_SASL_AGAIN);
}
END_TEST

UNIT_SUITE(auth_again)
{
	Suite *s = suite_create("auth_again");
	unit_add_fixture(s, authenticates_again_before_the_session_ends, auth_up, auth_down);
	unit_add_fixture(s, a_long_message_is_not_taken_again, auth_up, auth_down);
	unit_add_fixture(s, an_idle_session_is_not_renewed, auth_up, auth_down);
	unit_add_fixture(s, answers_that_are_due_come_first, auth_up, auth_down);
	unit_add_fixture(s, a_refusal_to_go_on_is_final, auth_up, auth_down);
	unit_add_case(s, "credentials_may_end_before_the_session",
		      credentials_may_end_before_the_session, probe_up, probe_down,
		      2);
	unit_add_fixture(s, the_plugin_hears_that_it_is_again, probe_up, probe_down);
	return s;
}
