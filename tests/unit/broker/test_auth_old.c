/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL with brokers before 1.0, whose messages are bare. */
#include <sys/socket.h>

#include "core/broker/auth.h"
#include "tests/unit/broker/probe.h"

static bool old_versions(const struct script_request *request)
{
	if (request->header.api != KL_API_API_VERSIONS)
		return auth_plain_server(request);
	static const int16_t apis[] = {KL_API_API_VERSIONS, KL_API_METADATA,
				       KL_API_SASL_HANDSHAKE};
	struct kl_api_versions_response *body = SCRIPT_BODY(api_versions, request);
	body->api_keys =
		kl_type_new(&kl_type_api_versions_response_api_key, request->arena, 3);
	for (int i = 0; i < 3; i++) {
		body->api_keys[i].api_key = apis[i];
		body->api_keys[i].max_version = apis[i] == KL_API_METADATA ? 1 : 0;
	}
	body->api_keys_n = 3;
	script_answer(request, body);
	return true;
}

static _Atomic bool close_on_token;

/* After a SaslHandshake v0 the next frame is the mechanism's. */
static bool bare_token(struct script *script, int fd, const uint8_t *p, size_t n)
{
	static int expect; /* the script's thread has it for itself */
	if (given.handshakes > expect) {
		expect = given.handshakes;
		auth_keep_token(p, n);
		if (close_on_token)
			shutdown(fd, SHUT_RDWR);
		else
			script_send(fd, "\0\0\0\0", 4); /* Kafka's empty answer */
		return true;
	}
	return false;
}

static void start_old(void)
{
	bench_script.handle = old_versions;
	bench_script.frame = bare_token;
	auth_start_plain();
}

START_TEST(speaks_bare_tokens_with_old_brokers)
{
	start_old();
	auth_succeeds();
	ck_assert_int_eq(given.handshake_version, 0);
	ck_assert_int_eq(given.tokens, 1);
	ck_assert_mem_eq(given.token, "\0alice\0hunter2", 14);
	ck_assert_int_eq(auth_node.state, KL_NODE_READY);
	auth_succeeds();
}
END_TEST

/* They say no by closing, as they do when they go down: the second time it is taken for
 * no. */
START_TEST(takes_two_closes_of_an_old_broker_for_no)
{
	close_on_token = true;
	bench_set("reconnect.backoff.ms=1", "reconnect.backoff.max.ms=1", NULL);
	start_old();
	struct bench_call call;
	auth_call(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	auth_call(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_AUTHENTICATION);
	ck_assert(kl_auth_is_refusal(&call.err));
	ck_assert_ptr_nonnull(
		strstr(call.err.text, "closed the connection on the credentials"));
	close_on_token = false;
	auth_succeeds();
}
END_TEST

static bool closes_on_versions(const struct script_request *request)
{
	if (request->header.api != KL_API_API_VERSIONS)
		return false;
	script_hang_up(request);
	return true;
}

START_TEST(has_nothing_but_gssapi_for_0_9)
{
	bench_set("klamm.broker.version=0.9.0", NULL);
	auth_start_plain();
	auth_fails(KLAMM_ERR_UNSUPPORTED, "there is only GSSAPI");
	ck_assert_int_eq(bench_script.requests[KL_API_API_VERSIONS], 0);
}
END_TEST

/* Nothing is probed where every first request but two closes the connection. */
START_TEST(who_closes_on_versions_is_not_probed)
{
	bench_script.handle = closes_on_versions;
	bench_set("reconnect.backoff.ms=1", "reconnect.backoff.max.ms=1", NULL);
	auth_start_plain();
	struct bench_call call;
	for (int i = 0; i < 2; i++) {
		auth_call(&call, 5000);
		ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
		ck_assert_ptr_nonnull(strstr(call.err.text, "(klamm.broker.version)"));
	}
	ck_assert_int_eq(bench_script.requests[KL_API_METADATA], 0);
}
END_TEST

static bool probe_token(struct script *script, int fd, const uint8_t *p, size_t n)
{
	if (n != 5 || memcmp(p, "probe", 5) != 0)
		return n == 0; /* SEND_LAST of this probe is empty */
	script_send(fd, "\0\0\0\2hi", 6);
	return true;
}

/* Kafka 0.9: no handshake; and after the client's last word there is no answer. */
START_TEST(begins_at_once_with_gssapi_on_0_9)
{
	probe.last = KLAMM_SASL_SEND_LAST;
	bench_set("sasl.mechanism=GSSAPI", "klamm.broker.version=0.9.0", NULL);
	bench_script.frame = probe_token;
	auth_start();
	struct bench_call call;
	bench_call_init(&call);
	kl_node_request(&auth_node, &call.request);
	ck_assert(bench_until(bench_call_done, &call, 5000));
	kl_request_free(&call.request);
	ck_assert_msg(call.code == 0, "%s", call.err.text);
	ck_assert_int_eq(bench_script.requests[KL_API_SASL_HANDSHAKE], 0);
	ck_assert_int_eq(probe.stepped, 2);
}
END_TEST

static bool chatters(struct script *script, int fd, const uint8_t *p, size_t n)
{
	if (given.handshakes == 0)
		return false;
	script_send(fd, "\0\0\0\0\0\0\0\1x", 9); /* one message, and one out of turn */
	return true;
}

START_TEST(bare_messages_come_in_turn)
{
	start_old();
	bench_script.frame = chatters;
	struct bench_call call;
	auth_call(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_PROTOCOL);
}
END_TEST

UNIT_SUITE(auth_old)
{
	Suite *s = suite_create("auth_old");
	unit_add_fixture(s, speaks_bare_tokens_with_old_brokers, auth_up, auth_down);
	unit_add_fixture(s, takes_two_closes_of_an_old_broker_for_no, auth_up, auth_down);
	unit_add_fixture(s, has_nothing_but_gssapi_for_0_9, auth_up, auth_down);
	unit_add_fixture(s, who_closes_on_versions_is_not_probed, auth_up, auth_down);
	unit_add_fixture(s, begins_at_once_with_gssapi_on_0_9, probe_up, probe_down);
	unit_add_fixture(s, bare_messages_come_in_turn, auth_up, auth_down);
	return s;
}
