/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL with brokers that mean ill: none can hurt. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/broker/auth_bench.h"

static bool giant_answer(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	static const uint8_t head[] = {0x7f, 0xff, 0xff, 0xff};
	script_send(request->fd, head, sizeof(head));
	return true;
}

static bool negative_answer(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	script_send(request->fd, "\xff\xff\xff\xff", 4);
	return true;
}

START_TEST(an_answer_of_negative_size_is_none)
{
	bench_script.handle = negative_answer;
	auth_start_plain();
	struct bench_call call;
	auth_call(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(call.err.text, "a frame of negative size -1"));
}
END_TEST

/* Each byte comes in time, and the answer never. */
static bool dripping_answer(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	script_send(request->fd, "\0\0\1\0", 4);
	for (int i = 0; i < 240; i++) { /* for longer than the test would bear */
		usleep(50000);
		if (send(request->fd, "x", 1, MSG_NOSIGNAL) != 1)
			break;
	}
	return true;
}

START_TEST(a_drip_ends_with_the_set_up)
{
	bench_script.handle = dripping_answer;
	bench_set("socket.connection.setup.timeout.ms=700",
		  "socket.connection.setup.timeout.max.ms=700", NULL);
	auth_start_plain();
	int64_t start_at = bench_os.now(&bench_os);
	struct bench_call call;
	auth_call(&call, 15000);
	ck_assert_int_eq(call.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_lt(bench_os.now(&bench_os) - start_at, 8 * KL_SECOND);
}
END_TEST

START_TEST(a_giant_answer_is_not_taken)
{
	bench_script.handle = giant_answer;
	auth_start_plain();
	struct bench_call call;
	auth_call(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_FRAME_TOO_LARGE);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_uint_lt(kl_slab_pool_used(bench_slabs), 1 << 20);
}
END_TEST

static bool garbage_answer(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	struct kl_sasl_authenticate_response *body =
		SCRIPT_BODY(sasl_authenticate, request);
	size_t len;
	uint8_t *p = script_encode(request, body, &len);
	memset(p + 8, 0xff, len - 8); /* behind size and correlation id */
	script_send(request->fd, p, len);
	free(p);
	return true;
}

START_TEST(garbage_is_told_as_such)
{
	bench_script.handle = garbage_answer;
	auth_start_plain();
	auth_fails(KLAMM_ERR_PROTOCOL, "bad answer to SaslAuthenticate");
}
END_TEST

static bool talkative(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	struct kl_sasl_authenticate_response *body =
		SCRIPT_BODY(sasl_authenticate, request);
	body->auth_bytes = (struct kl_bytes){(const uint8_t *)"welcome", 7};
	script_answer(request, body);
	return true;
}

START_TEST(plain_has_no_second_message)
{
	bench_script.handle = talkative;
	auth_start_plain();
	auth_fails(KLAMM_ERR_AUTHENTICATION, "7 bytes, where PLAIN has none");
}
END_TEST

UNIT_SUITE(auth_hostile)
{
	Suite *s = suite_create("auth_hostile");
	unit_add_fixture(s, an_answer_of_negative_size_is_none, auth_up, auth_down);
	unit_add_fixture(s, a_drip_ends_with_the_set_up, auth_up, auth_down);
	unit_add_fixture(s, a_giant_answer_is_not_taken, auth_up, auth_down);
	unit_add_fixture(s, garbage_is_told_as_such, auth_up, auth_down);
	unit_add_fixture(s, plain_has_no_second_message, auth_up, auth_down);
	return s;
}
