/* SPDX-License-Identifier: BSD-2-Clause */
/* What a mechanism of SASL may do, and what becomes of it. */
#include "tests/unit/broker/probe.h"

START_TEST(takes_as_many_steps_as_the_mechanism)
{
	probe.steps = _i + 1;
	probe.last = _i % 2 ? KLAMM_SASL_SEND_LAST : KLAMM_SASL_DONE;
	auth_start();
	auth_succeeds();
	int last = _i % 2 ? 1 : 0;
	ck_assert_int_eq(bench_script.requests[KL_API_SASL_AUTHENTICATE],
			 probe.steps + last);
	ck_assert_int_eq(probe.stepped, probe.steps + 1 + last);
	ck_assert_int_eq(probe.flags, 0);
}
END_TEST

/* A peer that never comes to an end. */
START_TEST(endless_steps_end)
{
	probe.steps = 1000000;
	auth_start();
	auth_fails(KLAMM_ERR_AUTHENTICATION, "still not done after 16 messages");
}
END_TEST

START_TEST(a_plugin_that_fails_is_quoted)
{
	probe.fail_code = KLAMM_ERR_AUTHENTICATION;
	auth_start();
	auth_fails(KLAMM_ERR_AUTHENTICATION, "SASL PROBE: the probe fails");
	ck_assert_int_eq(bench_script.requests[KL_API_SASL_AUTHENTICATE], 0);
}
END_TEST

START_TEST(a_plugin_may_not_be_done_at_once)
{
	probe.steps = 0;
	auth_start();
	auth_fails(KLAMM_ERR_AUTHENTICATION, "done before it began");
}
END_TEST

START_TEST(may_say_its_last_word_first)
{
	probe.steps = 0;
	probe.last = KLAMM_SASL_SEND_LAST;
	auth_start();
	auth_succeeds(); /* SEND_LAST, then DONE */
	ck_assert_int_eq(probe.stepped, 2);
}
END_TEST

/* A step that hangs is cut off by the set-up's deadline, and what it leaves is cleaned
 * up. */
START_TEST(a_step_that_hangs_is_cancelled)
{
	probe.hang = true;
	bench_set("socket.connection.setup.timeout.ms=1500",
		  "socket.connection.setup.timeout.max.ms=1500", NULL);
	auth_start();
	struct bench_call call;
	auth_call(&call, 10000);
	ck_assert_int_eq(call.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
}
END_TEST

/* The client goes while a step runs, and its loop is not stepped any more. */
START_TEST(goes_in_the_middle_of_a_step)
{
	probe.hang = true;
	auth_start();
	kl_node_connect(&auth_node);
	int64_t end = script_ms() + 10000;
	while (probe.stepped == 0 && script_ms() < end)
		bench_run(5);
	ck_assert_int_eq(probe.stepped, 1);
}
END_TEST

UNIT_SUITE(auth_mechanism)
{
	Suite *s = suite_create("auth_mechanism");
	unit_add_case(s, "takes_as_many_steps_as_the_mechanism",
		      takes_as_many_steps_as_the_mechanism, probe_up, probe_down, 6);
	unit_add_fixture(s, endless_steps_end, probe_up, probe_down);
	unit_add_fixture(s, a_plugin_that_fails_is_quoted, probe_up, probe_down);
	unit_add_fixture(s, a_plugin_may_not_be_done_at_once, probe_up, probe_down);
	unit_add_fixture(s, may_say_its_last_word_first, probe_up, probe_down);
	unit_add_fixture(s, a_step_that_hangs_is_cancelled, probe_up, probe_down);
	unit_add_fixture(s, goes_in_the_middle_of_a_step, probe_up, probe_down);
	return s;
}
