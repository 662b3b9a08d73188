/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL on a connection: the exchange with good and unwilling brokers, by PLAIN. */
#include "core/broker/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/unit/broker/auth_bench.h"

/* --- a good broker --- */

START_TEST(opt_sasl_username)
{
	auth_start_plain();
	auth_succeeds();
	ck_assert_int_eq(given.handshakes, 1);
	ck_assert_int_eq(given.handshake_version, 1);
	ck_assert_int_eq(given.tokens, 1);
	ck_assert_uint_eq(given.token_len, 14);
	ck_assert_mem_eq(given.token, "\0alice\0hunter2", 14);
	ck_assert_int_eq(auth_ready, 1);
	auth_succeeds();
	ck_assert_int_eq(given.handshakes, 1);
	ck_assert_int_eq(bench_script.requests[KL_API_API_VERSIONS], 1);
}
END_TEST

/* kafka-python's names; and a variable is looked at again for each connection. */
START_TEST(opt_sasl_password)
{
	char *dir = unit_tmp(), file[200], pair[300];
	snprintf(file, sizeof(file), "%s/secrets", dir);
	mode_t mask = umask(077);
	FILE *f = fopen(file, "w");
	umask(mask);
	fprintf(f, "p=hunter1\n");
	fclose(f);
	snprintf(pair, sizeof(pair), "sasl_plain_password=${file:%s:p}", file);
	bench_set("sasl_mechanism=PLAIN", "sasl_plain_username=bob", pair,
		  "reconnect.backoff.ms=1", "reconnect.backoff.max.ms=1", NULL);
	auth_start();
	auth_fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED, "Invalid username or password");
	f = fopen(file, "w");
	fprintf(f, "p=hunter2\n");
	fclose(f);
	auth_succeeds();
	ck_assert(!kl_node_has_refused(&auth_node, 0));
	ck_assert_mem_eq(given.token, "\0bob\0hunter2", 12);
	remove(file);
	free(dir);
}
END_TEST

START_TEST(opt_sasl_jaas_config)
{
	bench_set(
		"sasl.mechanism=PLAIN",
		"sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule "
		"required username='al\\'ice' password=\"hunter2\";",
		NULL);
	auth_start();
	auth_succeeds();
	ck_assert_mem_eq(given.token, "\0al'ice\0hunter2", 15);
}
END_TEST

/* --- brokers that say no --- */

START_TEST(tells_once_what_the_broker_says)
{
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice", "sasl.password=wrong",
		  NULL);
	auth_start();
	auth_fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
	      "SASL PLAIN: the broker says: Authentication failed: Invalid username or "
	      "password");
	ck_assert_int_eq(given.tokens, 1);
}
END_TEST

START_TEST(explains_a_refusal_without_words)
{
	auth_refusal.error_message = KL_STR_NULL;
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice", "sasl.password=wrong",
		  NULL);
	auth_start();
	auth_fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
	      "SASL_AUTHENTICATION_FAILED: The broker");
}
END_TEST

/* No storm: it is tried ever more rarely, whatever ApiVersions answers. */
START_TEST(backs_off_from_a_refusal)
{
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice", "sasl.password=wrong",
		  "reconnect.backoff.ms=100", "reconnect.backoff.max.ms=100000", NULL);
	auth_start();
	struct bench_call call;
	for (int i = 0; i < 4; i++)
		auth_call(&call, 20000);
	ck_assert_uint_eq(auth_node.failures, 4);
	ck_assert_int_eq(bench_script.connections, 4);
	int64_t wait = auth_node.retry_at - auth_node.refused_at; /* 800 ms * (0.8 .. 1.2) */
	ck_assert_int_ge(wait, 640 * KL_MS);
	ck_assert_int_le(wait, 960 * KL_MS);
}
END_TEST

static bool offers_others(const struct script_request *request)
{
	static const struct kl_str offered[] = {KL_STR("SCRAM-SHA-256"),
						KL_STR("GSSAPI")};
	if (request->header.api != KL_API_SASL_HANDSHAKE)
		return false;
	struct kl_sasl_handshake_response *body = SCRIPT_BODY(sasl_handshake, request);
	body->error_code = KLAMM_ERR_UNSUPPORTED_SASL_MECHANISM;
	body->mechanisms = (struct kl_str *)offered;
	body->mechanisms_n = 2;
	script_answer(request, body);
	return true;
}

START_TEST(opt_sasl_mechanism)
{
	bench_script.handle = offers_others;
	auth_start_plain();
	auth_fails(KLAMM_ERR_UNSUPPORTED_SASL_MECHANISM,
	      "SASL PLAIN: the mechanism is not enabled there; the broker offers "
	      "SCRAM-SHA-256, "
	      "GSSAPI");
	ck_assert_int_eq(bench_script.requests[KL_API_SASL_AUTHENTICATE], 0);
}
END_TEST

static bool wants_no_sasl(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_HANDSHAKE)
		return false;
	struct kl_sasl_handshake_response *body = SCRIPT_BODY(sasl_handshake, request);
	body->error_code = KLAMM_ERR_ILLEGAL_SASL_STATE;
	script_answer(request, body);
	return true;
}

START_TEST(recognises_a_listener_without_sasl)
{
	bench_script.handle = wants_no_sasl;
	auth_start_plain();
	auth_fails(KLAMM_ERR_ILLEGAL_SASL_STATE, "security.protocol=PLAINTEXT");
}
END_TEST

static bool closes_on_handshake(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_HANDSHAKE)
		return false;
	script_hang_up(request);
	return true;
}

/* A broker that is going down: nothing is final. */
START_TEST(a_closed_connection_is_no_refusal)
{
	bench_script.handle = closes_on_handshake;
	bench_set("reconnect.backoff.ms=1", "reconnect.backoff.max.ms=1", NULL);
	auth_start_plain();
	struct bench_call call;
	auth_call(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_ptr_nonnull(
		strstr(call.err.text, "while authenticating with SASL PLAIN"));
	ck_assert(!kl_node_has_refused(&auth_node, 0));
	bench_script.handle = auth_plain_server;
	auth_succeeds();
}
END_TEST

static bool never_answers(const struct script_request *request)
{
	return request->header.api == KL_API_SASL_AUTHENTICATE;
}

START_TEST(the_set_up_has_a_deadline)
{
	bench_script.handle = never_answers;
	bench_set("socket.connection.setup.timeout.ms=1500",
		  "socket.connection.setup.timeout.max.ms=1500", NULL);
	auth_start_plain();
	struct bench_call call;
	auth_call(&call, 10000);
	ck_assert_int_eq(call.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_ptr_nonnull(strstr(call.err.text, "timed out while authenticating"));
}
END_TEST

static bool closes_on_requests(const struct script_request *request)
{
	if (request->header.api == KL_API_API_VERSIONS)
		return false;
	script_hang_up(request);
	return true;
}

/* A client without SASL at a listener that wants it. */
START_TEST(guesses_that_sasl_is_wanted)
{
	bench_script.handle = closes_on_requests;
	auth_start_plain();
	auth_nodes.sasl = NULL;
	struct bench_call call;
	auth_call(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_ptr_nonnull(
		strstr(call.err.text, "as a listener that wants SASL does"));
}
END_TEST

/* --- what is not there --- */

START_TEST(a_client_without_credentials_is_not_made)
{
	static const struct {
		const char *pair, *words;
	} cases[] = {
		{"client.id=x", "sasl plain: sasl.username is not set"},
		{"sasl.username=alice", "sasl plain: sasl.password is not set"},
		{"sasl.mechanism=NO-SUCH", "no plugin for sasl no_such"},
	};
	struct klamm_error err;
	bench_set("sasl.mechanism=PLAIN", cases[_i].pair, NULL);
	ck_assert_int_ne(auth_make(&err), 0);
	ck_assert_msg(strstr(err.text, cases[_i].words) != NULL, "%s", err.text);
}
END_TEST

UNIT_SUITE(auth)
{
	Suite *s = suite_create("auth");
	unit_add_fixture(s, opt_sasl_username, auth_up, auth_down);
	unit_add_fixture(s, opt_sasl_password, auth_up, auth_down);
	unit_add_fixture(s, opt_sasl_jaas_config, auth_up, auth_down);
	unit_add_fixture(s, tells_once_what_the_broker_says, auth_up, auth_down);
	unit_add_fixture(s, explains_a_refusal_without_words, auth_up, auth_down);
	unit_add_fixture(s, backs_off_from_a_refusal, auth_up, auth_down);
	unit_add_fixture(s, opt_sasl_mechanism, auth_up, auth_down);
	unit_add_fixture(s, recognises_a_listener_without_sasl, auth_up, auth_down);
	unit_add_fixture(s, a_closed_connection_is_no_refusal, auth_up, auth_down);
	unit_add_fixture(s, the_set_up_has_a_deadline, auth_up, auth_down);
	unit_add_fixture(s, guesses_that_sasl_is_wanted, auth_up, auth_down);
	unit_add_case(s, "a_client_without_credentials_is_not_made",
		      a_client_without_credentials_is_not_made, auth_up, auth_down, 3);
	return s;
}
