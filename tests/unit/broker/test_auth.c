/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL on a connection: the exchange with good, old, unwilling and hostile brokers,
 * with PLAIN and with mechanisms that only exist here. */
#include "core/broker/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/conf/role_plugin.h"
#include "tests/unit/broker/bench.h"

static struct kl_nodes nodes;
static struct kl_node node;
static struct kl_host host;
static struct kl_role_plugin role;
static int ready_count, lost_count;
static struct klamm_error lost;
static struct kl_buf log_text;
static struct kl_mutex log_mutex;

/* What the broker was given. Atomic where the test's thread reads it while the script
 * runs. */
static uint8_t token[4096];
static _Atomic size_t token_len;
static _Atomic int handshakes, tokens, handshake_version;

static void on_changed(struct kl_nodes *of, struct kl_node *which,
		       const struct klamm_error *err)
{
	if (err == NULL) {
		ready_count++;
		return;
	}
	lost_count++;
	lost = *err;
}

static void log_line(void *arg, int32_t level, const char *where, const char *text)
{
	kl_mutex_lock(&log_mutex);
	kl_buf_printf(&log_text, "%s: %s\n", where, text);
	kl_mutex_unlock(&log_mutex);
}

/* A plugin of this test's. */
static void offer(const struct klamm_sasl_plugin *plugin)
{
	struct klamm_error err;
	int rc = klamm_conf_plugin(bench_conf, KLAMM_KIND_SASL, &plugin->head, NULL,
				   &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static int make_node(struct klamm_error *err)
{
	kl_mutex_init(&log_mutex);
	bench_set("security.protocol=SASL_PLAINTEXT", NULL);
	ck_assert_int_eq(klamm_conf_log(bench_conf, log_line, NULL, KL_LOG_TRACE), 0);
	bench_configure(KLAMM_ROLE_ADMIN);
	int rc = kl_conf_host(bench_conf, bench_settings, &bench_os,
			      kl_conf_log(bench_conf), bench_loop, &host, err);
	ck_assert_int_eq(rc, 0);
	rc = kl_role_open_sasl(bench_conf, bench_settings, &host, &role, err);
	if (rc != 0)
		return rc;
	nodes = (struct kl_nodes){
		.loop = bench_loop,
		.settings = bench_settings,
		.log = *kl_conf_log(bench_conf),
		.slabs = bench_slabs,
		.sasl = kl_role_instance(&role),
		.changed = on_changed,
	};
	return kl_node_init(&node, &nodes, 7, "127.0.0.1", (uint16_t)bench_script.port,
			    err);
}

static void start(void)
{
	struct klamm_error err;
	script_start(&bench_script);
	ck_assert_msg(make_node(&err) == 0, "%s", err.text);
}

static void start_plain(void)
{
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice",
		  "sasl.password=hunter2", NULL);
	start();
}

static void finish(void)
{
	struct klamm_error why = {.code = KLAMM_ERR_CLOSED};
	if (node.nodes != NULL)
		kl_node_free(&node, &why);
	kl_role_close(&role);
	if (bench_script.thread != 0)
		script_stop(&bench_script);
	/* Not as it is, and not as traffic would show the message's bytes. */
	ck_assert_ptr_null(strstr(kl_buf_text(&log_text), "hunter2"));
	ck_assert_ptr_null(strstr(kl_buf_text(&log_text), "AGFsaWNlAGh1bnRlcjI"));
	kl_buf_free(&log_text);
	kl_host_free(&host);
	bench_down();
}

static void call_and_wait(struct bench_call *call, int ms)
{
	bench_call_init(call);
	kl_node_request(&node, &call->request);
	ck_assert(bench_until(bench_call_done, call, ms));
	kl_request_free(&call->request);
}

static void succeeds(void)
{
	struct bench_call call;
	call_and_wait(&call, 10000);
	ck_assert_msg(call.code == 0, "%s", call.err.text);
}

/* Fails for good: with this code, told of the stage, the node and these words. */
static void fails(int code, const char *words)
{
	struct bench_call call;
	call_and_wait(&call, 10000);
	ck_assert_msg(call.code == code, "%d: %s", call.code, call.err.text);
	ck_assert_msg(strstr(call.err.text, words) != NULL, "%s", call.err.text);
	ck_assert_ptr_nonnull(strstr(call.err.text, "broker 7 (127.0.0.1:"));
	ck_assert_ptr_null(strstr(call.err.text, "hunter2"));
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_int_eq(call.err.node, 7);
	ck_assert(!call.maybe_applied);
	ck_assert(kl_auth_is_refusal(&call.err));
	ck_assert(kl_node_has_refused(&node, 0));
	ck_assert_int_eq(lost_count, 1);
	ck_assert_int_le(bench_script.connections, 1); /* it may not have looked yet */
}

/* --- the broker's side --- */

static void keep_token(const void *p, size_t n)
{
	ck_assert_uint_le(n, sizeof(token));
	memcpy(token, p, n);
	token_len = n;
	tokens++;
}

static struct kl_sasl_authenticate_response refusal, welcome;

/* Takes PLAIN, and lets in who says hunter2. */
static bool plain_server(const struct script_request *request)
{
	if (request->header.api == KL_API_SASL_HANDSHAKE) {
		handshakes++;
		handshake_version = request->header.version;
		return false;
	}
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	const struct kl_sasl_authenticate_request *body = request->body;
	keep_token(body->auth_bytes.p, (size_t)body->auth_bytes.len);
	struct kl_sasl_authenticate_response *answer =
		SCRIPT_BODY(sasl_authenticate, request);
	const char *password = memrchr(token, '\0', token_len);
	bool good = password != NULL && strcmp(password + 1, "hunter2") == 0;
	*answer = good ? welcome : refusal;
	if (answer->auth_bytes.p == NULL)
		answer->auth_bytes = (struct kl_bytes){(const uint8_t *)"", 0};
	script_answer(request, answer);
	return true;
}

static void up(void)
{
	bench_up();
	bench_script.handle = plain_server;
	welcome = (struct kl_sasl_authenticate_response){.error_message = KL_STR_NULL};
	refusal = (struct kl_sasl_authenticate_response){
		.error_code = KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
		.error_message =
			KL_STR("Authentication failed: Invalid username or password"),
	};
}

/* --- a good broker --- */

START_TEST(opt_sasl_username)
{
	start_plain();
	succeeds();
	ck_assert_int_eq(handshakes, 1);
	ck_assert_int_eq(handshake_version, 1);
	ck_assert_int_eq(tokens, 1);
	ck_assert_uint_eq(token_len, 14);
	ck_assert_mem_eq(token, "\0alice\0hunter2", 14);
	ck_assert_int_eq(ready_count, 1);
	succeeds();
	ck_assert_int_eq(handshakes, 1);
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
	start();
	fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED, "Invalid username or password");
	f = fopen(file, "w");
	fprintf(f, "p=hunter2\n");
	fclose(f);
	succeeds();
	ck_assert(!kl_node_has_refused(&node, 0));
	ck_assert_mem_eq(token, "\0bob\0hunter2", 12);
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
	start();
	succeeds();
	ck_assert_mem_eq(token, "\0al'ice\0hunter2", 15);
}
END_TEST

/* --- brokers that say no --- */

START_TEST(tells_once_what_the_broker_says)
{
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice", "sasl.password=wrong",
		  NULL);
	start();
	fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
	      "SASL PLAIN: the broker says: Authentication failed: Invalid username or "
	      "password");
	ck_assert_int_eq(tokens, 1);
}
END_TEST

START_TEST(explains_a_refusal_without_words)
{
	refusal.error_message = KL_STR_NULL;
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice", "sasl.password=wrong",
		  NULL);
	start();
	fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
	      "SASL_AUTHENTICATION_FAILED: The broker");
}
END_TEST

/* No storm: it is tried ever more rarely, whatever ApiVersions answers. */
START_TEST(backs_off_from_a_refusal)
{
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice", "sasl.password=wrong",
		  "reconnect.backoff.ms=100", "reconnect.backoff.max.ms=100000", NULL);
	start();
	struct bench_call call;
	for (int i = 0; i < 4; i++)
		call_and_wait(&call, 20000);
	ck_assert_uint_eq(node.failures, 4);
	ck_assert_int_eq(bench_script.connections, 4);
	int64_t wait = node.retry_at - node.refused_at; /* 800 ms * (0.8 .. 1.2) */
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
	start_plain();
	fails(KLAMM_ERR_UNSUPPORTED_SASL_MECHANISM,
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
	start_plain();
	fails(KLAMM_ERR_ILLEGAL_SASL_STATE, "security.protocol=PLAINTEXT");
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
	start_plain();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_ptr_nonnull(
		strstr(call.err.text, "while authenticating with SASL PLAIN"));
	ck_assert(!kl_node_has_refused(&node, 0));
	bench_script.handle = plain_server;
	succeeds();
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
	start_plain();
	struct bench_call call;
	call_and_wait(&call, 10000);
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
	start_plain();
	nodes.sasl = NULL;
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_ptr_nonnull(
		strstr(call.err.text, "as a listener that wants SASL does"));
}
END_TEST

/* --- old brokers --- */

static bool old_versions(const struct script_request *request)
{
	if (request->header.api != KL_API_API_VERSIONS)
		return plain_server(request);
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
	if (handshakes > expect) {
		expect = handshakes;
		keep_token(p, n);
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
	start_plain();
}

START_TEST(speaks_bare_tokens_with_old_brokers)
{
	start_old();
	succeeds();
	ck_assert_int_eq(handshake_version, 0);
	ck_assert_int_eq(tokens, 1);
	ck_assert_mem_eq(token, "\0alice\0hunter2", 14);
	ck_assert_int_eq(node.state, KL_NODE_READY);
	succeeds();
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
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_AUTHENTICATION);
	ck_assert(kl_auth_is_refusal(&call.err));
	ck_assert_ptr_nonnull(
		strstr(call.err.text, "closed the connection on the credentials"));
	close_on_token = false;
	succeeds();
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
	start_plain();
	fails(KLAMM_ERR_UNSUPPORTED, "there is only GSSAPI");
	ck_assert_int_eq(bench_script.requests[KL_API_API_VERSIONS], 0);
}
END_TEST

/* Nothing is probed where every first request but two closes the connection. */
START_TEST(who_closes_on_versions_is_not_probed)
{
	bench_script.handle = closes_on_versions;
	bench_set("reconnect.backoff.ms=1", "reconnect.backoff.max.ms=1", NULL);
	start_plain();
	struct bench_call call;
	for (int i = 0; i < 2; i++) {
		call_and_wait(&call, 5000);
		ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
		ck_assert_ptr_nonnull(strstr(call.err.text, "(klamm.broker.version)"));
	}
	ck_assert_int_eq(bench_script.requests[KL_API_METADATA], 0);
}
END_TEST

/* --- mechanisms of this test's --- */

static struct {
	int steps;           /* SENDs before the last */
	int32_t last;        /* SEND_LAST or DONE after them */
	int64_t lifetime_ms; /* of the credentials */
	int fail_code;       /* of the first step */
	bool hang;           /* until it is cancelled */
	_Atomic int made, freed, stepped, flags;
} probe;

static int probe_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		     struct klamm_error *err)
{
	probe.made++;
	probe.flags = (int)peer->flags;
	ck_assert_str_eq(peer->host, "127.0.0.1");
	*session_out = calloc(1, sizeof(int));
	return 0;
}

static int probe_step(void *session, const struct klamm_call *call,
		      const struct klamm_span *in, struct klamm_out *out,
		      int32_t *state_out, struct klamm_error *err)
{
	int *n = session;
	probe.stepped++;
	while (probe.hang && !klamm_cancelled(call))
		usleep(1000);
	if (probe.fail_code != 0)
		return klamm_fail(err, probe.fail_code, "the probe fails");
	if ((*n == 0) != (in->data == NULL))
		return klamm_fail(err, KLAMM_ERR_STATE, "no bytes where some belong");
	if ((*n)++ < probe.steps) {
		*state_out = KLAMM_SASL_SEND;
		return klamm_out_append(out, "probe", 5);
	}
	*state_out = *n == probe.steps + 1 ? probe.last : KLAMM_SASL_DONE;
	return 0;
}

static void probe_free(void *session)
{
	probe.freed++;
	free(session);
}

static int64_t probe_lifetime(void *session)
{
	return probe.lifetime_ms;
}

static const struct klamm_sasl_plugin probe_plugin = {
	.head = {KLAMM_PLUGIN_HEAD(sasl, "probe", "for this test")},
	.mechanism = "PROBE",
	.session_new = probe_new,
	.step = probe_step,
	.session_free = probe_free,
	.session_lifetime = probe_lifetime,
};

static const struct klamm_sasl_plugin gssapi_plugin = {
	.head = {KLAMM_PLUGIN_HEAD(sasl, "gssapi", "for this test")},
	.mechanism = "GSSAPI",
	.session_new = probe_new,
	.step = probe_step,
	.session_free = probe_free,
};

static void up_probe(void)
{
	up();
	probe.steps = 1;
	probe.last = KLAMM_SASL_DONE;
	probe.lifetime_ms = -1;
	bench_script.handle = NULL;
	offer(&probe_plugin);
	offer(&gssapi_plugin);
	bench_set("sasl.mechanism=probe", NULL);
}

static void finish_probe(void)
{
	finish(); /* waits for what runs on the pool */
	ck_assert_int_eq(probe.made, probe.freed);
}

START_TEST(takes_as_many_steps_as_the_mechanism)
{
	probe.steps = _i + 1;
	probe.last = _i % 2 ? KLAMM_SASL_SEND_LAST : KLAMM_SASL_DONE;
	start();
	succeeds();
	int last = _i % 2 ? 1 : 0;
	ck_assert_int_eq(bench_script.requests[KL_API_SASL_AUTHENTICATE],
			 probe.steps + last);
	ck_assert_int_eq(probe.stepped, probe.steps + 1 + last);
	ck_assert_int_eq(probe.flags, 0);
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
	start();
	struct bench_call call;
	bench_call_init(&call);
	kl_node_request(&node, &call.request);
	ck_assert(bench_until(bench_call_done, &call, 5000));
	kl_request_free(&call.request);
	ck_assert_msg(call.code == 0, "%s", call.err.text);
	ck_assert_int_eq(bench_script.requests[KL_API_SASL_HANDSHAKE], 0);
	ck_assert_int_eq(probe.stepped, 2);
}
END_TEST

/* A peer that never comes to an end. */
START_TEST(endless_steps_end)
{
	probe.steps = 1000000;
	start();
	fails(KLAMM_ERR_AUTHENTICATION, "still not done after 16 messages");
}
END_TEST

START_TEST(a_plugin_that_fails_is_quoted)
{
	probe.fail_code = KLAMM_ERR_AUTHENTICATION;
	start();
	fails(KLAMM_ERR_AUTHENTICATION, "SASL PROBE: the probe fails");
	ck_assert_int_eq(bench_script.requests[KL_API_SASL_AUTHENTICATE], 0);
}
END_TEST

START_TEST(a_plugin_may_not_be_done_at_once)
{
	probe.steps = 0;
	start();
	fails(KLAMM_ERR_AUTHENTICATION, "done before it began");
}
END_TEST

START_TEST(may_say_its_last_word_first)
{
	probe.steps = 0;
	probe.last = KLAMM_SASL_SEND_LAST;
	start();
	succeeds(); /* SEND_LAST, then DONE */
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
	start();
	struct bench_call call;
	call_and_wait(&call, 10000);
	ck_assert_int_eq(call.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
}
END_TEST

/* The client goes while a step runs, and its loop is not stepped any more. */
START_TEST(goes_in_the_middle_of_a_step)
{
	probe.hang = true;
	start();
	kl_node_connect(&node);
	int64_t end = script_ms() + 10000;
	while (probe.stepped == 0 && script_ms() < end)
		bench_run(5);
	ck_assert_int_eq(probe.stepped, 1);
}
END_TEST

/* --- hostile brokers --- */

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
	start_plain();
	struct bench_call call;
	call_and_wait(&call, 5000);
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
	for (int i = 0; i < 50; i++) {
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
	start_plain();
	int64_t start_at = bench_os.now(&bench_os);
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_lt(bench_os.now(&bench_os) - start_at, 2 * KL_SECOND);
}
END_TEST

START_TEST(a_giant_answer_is_not_taken)
{
	bench_script.handle = giant_answer;
	start_plain();
	struct bench_call call;
	call_and_wait(&call, 5000);
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
	start_plain();
	fails(KLAMM_ERR_PROTOCOL, "bad answer to SaslAuthenticate");
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
	start_plain();
	fails(KLAMM_ERR_AUTHENTICATION, "7 bytes, where PLAIN has none");
}
END_TEST

static bool chatters(struct script *script, int fd, const uint8_t *p, size_t n)
{
	if (handshakes == 0)
		return false;
	script_send(fd, "\0\0\0\0\0\0\0\1x", 9); /* one message, and one out of turn */
	return true;
}

START_TEST(bare_messages_come_in_turn)
{
	start_old();
	bench_script.frame = chatters;
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_PROTOCOL);
}
END_TEST

/* --- again (KIP-368) --- */

/* The first round says how long the session is. */
static bool short_sessions(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return plain_server(request);
	welcome.session_lifetime_ms = 400;
	return plain_server(request);
}

START_TEST(authenticates_again_before_the_session_ends)
{
	bench_script.handle = short_sessions;
	start_plain();
	succeeds();
	/* Many at once, over several sessions: none is lost. */
	struct bench_call calls[8];
	int done = 0;
	int64_t end = script_ms() + 10000;
	while (handshakes < 4 && script_ms() < end) {
		for (size_t i = 0; i < kl_countof(calls); i++) {
			bench_call_init(&calls[i]);
			kl_node_request(&node, &calls[i].request);
		}
		for (size_t i = 0; i < kl_countof(calls); i++) {
			ck_assert(bench_until(bench_call_done, &calls[i], 10000));
			ck_assert_msg(calls[i].code == 0, "%s", calls[i].err.text);
			kl_request_free(&calls[i].request);
			done++;
		}
		bench_run(5);
	}
	ck_assert_int_ge(handshakes, 4);
	ck_assert_int_eq(tokens, handshakes);
	ck_assert_int_eq(bench_script.connections, 1);
	ck_assert_int_eq(lost_count, 0);
	ck_assert_int_eq(ready_count, handshakes);
	ck_assert_int_ge(done, 8);
}
END_TEST

static bool long_winded(const struct script_request *request)
{
	static const uint8_t giant[600000];
	if (request->header.api != KL_API_SASL_AUTHENTICATE || tokens == 0)
		return short_sessions(request);
	tokens++;
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
	start_plain();
	succeeds();
	struct bench_call call = {.code = 0};
	int64_t end = script_ms() + 10000;
	while (call.code == 0 && script_ms() < end) {
		bench_run(20);
		call_and_wait(&call, 10000);
	}
	ck_assert_int_eq(call.code, KLAMM_ERR_PROTOCOL);
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_msg(strstr(call.err.text, "authenticating again: the broker's message "
					    "has 600000 bytes") != NULL,
		      "%s", call.err.text);
}
END_TEST

/* A connection that nobody uses may come to its end, and is good again when it is used.
 */
START_TEST(an_idle_session_is_not_renewed)
{
	bench_script.handle = short_sessions;
	start_plain();
	succeeds();
	bench_run(600);
	ck_assert_int_eq(handshakes, 1);
	succeeds();
	ck_assert_int_eq(handshakes, 2);
	ck_assert_int_eq(bench_script.connections, 1);
}
END_TEST

static _Atomic bool hold_metadata;

/* The answer to a request that is under way comes before the handshake's. */
static bool slow_metadata(const struct script_request *request)
{
	while (request->header.api == KL_API_METADATA && hold_metadata)
		usleep(1000);
	return short_sessions(request);
}

START_TEST(answers_that_are_due_come_first)
{
	bench_script.handle = slow_metadata;
	start_plain();
	succeeds();
	hold_metadata = true;
	struct bench_call before, behind;
	bench_call_init(&before);
	kl_node_request(&node, &before.request);
	bench_run(20);
	node.auth.again_at = bench_loop->now;
	bench_call_init(&behind);
	kl_node_request(&node, &behind.request);
	bench_run(20);
	ck_assert_int_eq(node.state, KL_NODE_REAUTH);
	ck_assert(!kl_node_is_ready(&node));
	ck_assert_int_eq(kl_node_next_time(&node), KL_NEVER);
	ck_assert_int_eq(node.in_flight_count, 2);
	ck_assert_int_eq(node.waiting_count, 1);
	hold_metadata = false;
	ck_assert(bench_until(bench_call_done, &behind, 10000));
	ck_assert_int_eq(before.code, 0);
	ck_assert_int_eq(behind.code, 0);
	ck_assert_int_ge(behind.at_ms, before.at_ms);
	ck_assert_int_eq(handshakes, 2);
	ck_assert_int_eq(bench_script.connections, 1);
	kl_request_free(&before.request);
	kl_request_free(&behind.request);
}
END_TEST

static bool once(const struct script_request *request)
{
	if (handshakes >= 2)
		welcome = refusal;
	return short_sessions(request);
}

START_TEST(a_refusal_to_go_on_is_final)
{
	bench_script.handle = once;
	start_plain();
	succeeds();
	node.auth.again_at = bench_loop->now;
	fails(KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
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
	start();
	succeeds();
	int64_t in = node.auth.again_at - bench_loop->now;
	if (_i == 0) {
		ck_assert_int_le(in, 95 * KL_SECOND);
		ck_assert_int_ge(in, 80 * KL_SECOND);
	} else {
		ck_assert(node.auth.again_at == KL_NEVER);
	}
}
END_TEST

START_TEST(the_plugin_hears_that_it_is_again)
{
	start();
	succeeds();
	node.auth.again_at = bench_loop->now;
	succeeds();
	ck_assert_int_eq(probe.made, 2);
	ck_assert_int_eq(probe.flags, KLAMM_SASL_AGAIN);
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
	ck_assert_int_ne(make_node(&err), 0);
	ck_assert_msg(strstr(err.text, cases[_i].words) != NULL, "%s", err.text);
}
END_TEST

UNIT_SUITE(auth)
{
	Suite *s = suite_create("auth");
	unit_add_fixture(s, opt_sasl_username, up, finish);
	unit_add_fixture(s, opt_sasl_password, up, finish);
	unit_add_fixture(s, opt_sasl_jaas_config, up, finish);
	unit_add_fixture(s, tells_once_what_the_broker_says, up, finish);
	unit_add_fixture(s, explains_a_refusal_without_words, up, finish);
	unit_add_fixture(s, backs_off_from_a_refusal, up, finish);
	unit_add_fixture(s, opt_sasl_mechanism, up, finish);
	unit_add_fixture(s, recognises_a_listener_without_sasl, up, finish);
	unit_add_fixture(s, a_closed_connection_is_no_refusal, up, finish);
	unit_add_fixture(s, the_set_up_has_a_deadline, up, finish);
	unit_add_fixture(s, guesses_that_sasl_is_wanted, up, finish);
	unit_add_fixture(s, speaks_bare_tokens_with_old_brokers, up, finish);
	unit_add_fixture(s, takes_two_closes_of_an_old_broker_for_no, up, finish);
	unit_add_fixture(s, has_nothing_but_gssapi_for_0_9, up, finish);
	unit_add_fixture(s, who_closes_on_versions_is_not_probed, up, finish);
	unit_add_case(s, "takes_as_many_steps_as_the_mechanism",
		      takes_as_many_steps_as_the_mechanism, up_probe, finish_probe, 6);
	unit_add_fixture(s, begins_at_once_with_gssapi_on_0_9, up_probe, finish_probe);
	unit_add_fixture(s, endless_steps_end, up_probe, finish_probe);
	unit_add_fixture(s, a_plugin_that_fails_is_quoted, up_probe, finish_probe);
	unit_add_fixture(s, a_plugin_may_not_be_done_at_once, up_probe, finish_probe);
	unit_add_fixture(s, may_say_its_last_word_first, up_probe, finish_probe);
	unit_add_fixture(s, a_step_that_hangs_is_cancelled, up_probe, finish_probe);
	unit_add_fixture(s, goes_in_the_middle_of_a_step, up_probe, finish_probe);
	unit_add_fixture(s, a_giant_answer_is_not_taken, up, finish);
	unit_add_fixture(s, an_answer_of_negative_size_is_none, up, finish);
	unit_add_fixture(s, a_drip_ends_with_the_set_up, up, finish);
	unit_add_fixture(s, garbage_is_told_as_such, up, finish);
	unit_add_fixture(s, plain_has_no_second_message, up, finish);
	unit_add_fixture(s, bare_messages_come_in_turn, up, finish);
	unit_add_fixture(s, authenticates_again_before_the_session_ends, up, finish);
	unit_add_fixture(s, a_long_message_is_not_taken_again, up, finish);
	unit_add_fixture(s, an_idle_session_is_not_renewed, up, finish);
	unit_add_fixture(s, answers_that_are_due_come_first, up, finish);
	unit_add_fixture(s, a_refusal_to_go_on_is_final, up, finish);
	unit_add_case(s, "credentials_may_end_before_the_session",
		      credentials_may_end_before_the_session, up_probe, finish_probe,
		      2);
	unit_add_fixture(s, the_plugin_hears_that_it_is_again, up_probe, finish_probe);
	unit_add_case(s, "a_client_without_credentials_is_not_made",
		      a_client_without_credentials_is_not_made, up, finish, 3);
	return s;
}
