/* SPDX-License-Identifier: BSD-2-Clause */
/* The coordinator of a group or a transactional id: found, lost, found again, from answers
 * that a script makes up. */
#include "core/broker/coordinator.h"

#include <stdio.h>

#include "core/base/error.h"
#include "core/conf/role_plugin.h"
#include "tests/unit/broker/bench.h"

static struct kl_cluster cluster;
static struct kl_coordinator coordinator;
static bool cluster_made, coordinator_made;
static struct script other; /* another broker, which metadata does not name */
static struct kl_host host;
static struct kl_role_plugin sasl;
static int ready, failed;
static struct klamm_error why;

/* What FindCoordinator is answered. */
static struct {
	_Atomic int error, errors_left; /* an error for so many answers; -1 = for ever */
	const char *words;
	_Atomic int id, port; /* 0 = the script's own */
	_Atomic bool silent, leave_out;
	/* --- and what was asked --- */
	_Atomic int asked, version, type, right_key;
} says;

static bool answer_find(const struct script_request *request)
{
	const struct kl_find_coordinator_request *asked = request->body;
	bool many = request->header.version >= 4;
	says.version = request->header.version;
	says.type = asked->key_type;
	says.right_key = many ? asked->coordinator_keys_n == 1 &&
					kl_str_is(asked->coordinator_keys[0], "orders")
			      : kl_str_is(asked->key, "orders");
	says.asked++;
	if (says.silent)
		return true;
	bool wrong = says.errors_left != 0;
	says.errors_left -= says.errors_left > 0;
	struct kl_find_coordinator_response *body = SCRIPT_BODY(find_coordinator, request);
	struct kl_find_coordinator_response_coordinator *one =
		kl_type_new(&kl_type_find_coordinator_response_coordinator, request->arena, 1);
	one->key = says.leave_out ? KL_STR("others") : KL_STR("orders");
	one->error_code = (int16_t)(wrong ? says.error : 0);
	one->error_message = wrong ? kl_str(says.words) : KL_STR_NULL;
	one->node_id = wrong ? -1 : says.id != 0 ? says.id : 1;
	one->host = wrong ? KL_STR("") : KL_STR("127.0.0.1");
	one->port = wrong ? -1 : says.port != 0 ? says.port : request->script->port;
	if (many) {
		body->coordinators = one;
		body->coordinators_n = 1;
	} else {
		body->error_code = one->error_code;
		body->error_message = one->error_message;
		body->node_id = one->node_id;
		body->host = one->host;
		body->port = one->port;
	}
	script_answer(request, body);
	return true;
}

static bool answer(const struct script_request *request)
{
	switch (request->header.api) {
	case KL_API_FIND_COORDINATOR:
		return answer_find(request);
	case KL_API_FETCH:
		return true; /* held */
	default:
		return false;
	}
}

static void on_ready(struct kl_coordinator *c)
{
	ck_assert_ptr_eq(c, &coordinator);
	ck_assert_ptr_nonnull(kl_coordinator_node(c));
	ready++;
}

static void on_failed(struct kl_coordinator *c, const struct klamm_error *err)
{
	ck_assert_ptr_eq(c, &coordinator);
	why = *err;
	failed++;
}

static const struct kl_coordinator_ops ops = {on_ready, on_failed};
static const struct kl_cluster_ops cluster_ops = {0};

static void start_as(enum kl_coordinator_type type)
{
	struct klamm_error err;
	char servers[64];
	bench_script.handle = answer;
	script_start(&bench_script);
	other.handle = answer;
	script_start(&other);
	snprintf(servers, sizeof(servers), "bootstrap.servers=127.0.0.1:%d",
		 bench_script.port);
	bench_set(servers, NULL);
	bench_configure(KLAMM_ROLE_CONSUMER);
	int rc = kl_cluster_init(&cluster, bench_loop, bench_settings, NULL, bench_slabs,
				 &cluster_ops, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	cluster_made = true;
	rc = kl_coordinator_init(&coordinator, &cluster, type, "orders", &ops, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	coordinator_made = true;
}

static void start(void)
{
	start_as(KL_COORDINATOR_GROUP);
}

static void up(void)
{
	bench_up();
	bench_set("retry.backoff.ms=20", "retry.backoff.max.ms=60", "reconnect.backoff.ms=10",
		  "reconnect.backoff.max.ms=40", NULL);
	memset(&says, 0, sizeof(says));
	ready = failed = 0;
}

static void finish(void)
{
	if (coordinator_made)
		kl_coordinator_free(&coordinator);
	if (cluster_made)
		kl_cluster_free(&cluster);
	ck_assert_uint_eq(bench_loop->timer_count, 0);
	ck_assert_ptr_null(kl_heap_first(&bench_loop->timers));
	bench_run(30); /* nothing of it runs any more */
	script_stop(&other);
	script_stop(&bench_script);
	kl_role_close(&sasl);
	if (host.os != NULL)
		kl_host_free(&host);
	bench_down();
}

static bool is_told(void *arg)
{
	return ready + failed >= *(int *)arg;
}

static void wait_told(int times)
{
	ck_assert(bench_until(is_told, &times, 10000));
}

static bool was_asked(void *arg)
{
	return says.asked >= *(int *)arg;
}

static bool wait_asked(int times, int ms)
{
	return bench_until(was_asked, &times, ms);
}

/* Ask for it, and wait until it is there. */
static void find(void)
{
	int before = ready;
	ck_assert_ptr_null(kl_coordinator_node(&coordinator));
	wait_told(before + failed + 1);
	ck_assert_msg(ready == before + 1, "%s", why.text);
}

/* Ask, and wait until there is no hope. */
static void find_in_vain(int code, const char *text)
{
	ck_assert_ptr_null(kl_coordinator_node(&coordinator));
	wait_told(ready + failed + 1);
	ck_assert_int_eq(failed, 1);
	ck_assert_int_eq(why.code, code);
	ck_assert_msg(strstr(why.text, text) != NULL, "%s", why.text);
}

/* Metadata of the coordinator. */
static void call_it(struct bench_call *call)
{
	bench_call_init(call);
	kl_node_request(kl_coordinator_node(&coordinator), &call->request);
}

static void wait_call(struct bench_call *call)
{
	ck_assert(bench_until(bench_call_done, call, 10000));
	kl_request_free(&call->request);
}

static void lose(int code)
{
	struct klamm_error err;
	kl_error(&err, code, "lost");
	kl_coordinator_lost(&coordinator, &err);
}

/* --- finding --- */

START_TEST(finds_it_with_every_version)
{
	bench_script.below[KL_API_FIND_COORDINATOR] = _i + 1;
	start_as(_i % 2 == 0 ? KL_COORDINATOR_GROUP : KL_COORDINATOR_TRANSACTION);
	find();
	ck_assert_int_eq(says.version, _i);
	ck_assert_int_eq(says.type, coordinator.type);
	ck_assert_int_eq(says.right_key, 1);
	ck_assert_int_eq(coordinator.node.id, 1);
	ck_assert_int_eq(coordinator.node.port, bench_script.port);
	struct bench_call call;
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, 0);
	/* Known: nobody asks again. */
	bench_run(150);
	ck_assert_int_eq(says.asked, 1);
	ck_assert_ptr_eq(kl_coordinator_node(&coordinator), &coordinator.node);
	ck_assert_int_eq(ready, 1);
}
END_TEST

START_TEST(looks_only_when_somebody_asks)
{
	start();
	bench_run(100);
	ck_assert_int_eq(says.asked, 0);
}
END_TEST

/* Version 0 knows groups only. */
START_TEST(no_transactions_before_0_11)
{
	bench_script.below[KL_API_FIND_COORDINATOR] = 1;
	start_as(KL_COORDINATOR_TRANSACTION);
	find_in_vain(KLAMM_ERR_UNSUPPORTED, "transactional id orders: ");
	ck_assert_ptr_nonnull(strstr(why.text, "does not have a version of FindCoordinator"));
	ck_assert_int_eq(says.asked, 0);
}
END_TEST

/* Kafka 0.8.1 */
START_TEST(any_broker_where_there_are_no_coordinators)
{
	bench_set("klamm.broker.version=0.8.1", NULL);
	start();
	find();
	ck_assert_int_eq(coordinator.node.port, bench_script.port);
	ck_assert_int_eq(says.asked, 0);
}
END_TEST

START_TEST(brokers_without_groups_are_told)
{
	bench_set(_i == 0 ? "klamm.broker.version=0.8.0" : "klamm.broker.version=0.8.2", NULL);
	start_as(_i == 0 ? KL_COORDINATOR_GROUP : KL_COORDINATOR_TRANSACTION);
	find_in_vain(KLAMM_ERR_UNSUPPORTED, "older than Kafka 0.10");
}
END_TEST

static const int passing[] = {KLAMM_ERR_COORDINATOR_NOT_AVAILABLE,
			      KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS,
			      KLAMM_ERR_NOT_COORDINATOR};

START_TEST(waits_for_what_passes)
{
	bench_script.below[KL_API_FIND_COORDINATOR] = 3 + _i; /* both forms */
	start();
	says.error = passing[_i];
	says.errors_left = -1;
	int64_t since = script_ms();
	ck_assert_ptr_null(kl_coordinator_node(&coordinator));
	ck_assert(wait_asked(4, 10000));
	ck_assert_int_ge(script_ms() - since, 16 + 32 + 48); /* backoff times 0.8 */
	ck_assert_int_eq(ready + failed, 0);
	struct klamm_error err;
	kl_coordinator_timed_out(&coordinator, &err, "committing");
	ck_assert_int_eq(err.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "committing: timed out; last error: group "
					       "orders: finding its coordinator: "));
	ck_assert_ptr_nonnull(strstr(err.text, klamm_err_name(passing[_i])));
	says.errors_left = 0;
	wait_told(1);
	ck_assert_int_eq(ready, 1);
}
END_TEST

static const struct {
	int code;
	enum kl_coordinator_type type;
} final[] = {
	{KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KL_COORDINATOR_GROUP},
	{KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KL_COORDINATOR_TRANSACTION},
	{KLAMM_ERR_INVALID_REQUEST, KL_COORDINATOR_GROUP},
	{KLAMM_ERR_INVALID_GROUP_ID, KL_COORDINATOR_GROUP},
};

START_TEST(tells_what_does_not_pass)
{
	start_as(final[_i].type);
	says.error = final[_i].code;
	says.errors_left = 1;
	says.words = _i == 2 ? "so says the broker" : NULL;
	find_in_vain(final[_i].code, klamm_err_name(final[_i].code));
	ck_assert_ptr_nonnull(strstr(why.text, final[_i].type == KL_COORDINATOR_GROUP
						       ? "group orders: "
						       : "transactional id orders: "));
	ck_assert_ptr_nonnull(strstr(why.text, _i == 2 ? "so says the broker"
						       : klamm_err_text(final[_i].code)));
	bench_run(150);
	ck_assert_int_eq(says.asked, 1);
	find(); /* who asks later has a try of their own */
}
END_TEST

START_TEST(an_answer_that_names_nobody)
{
	start();
	static const int ports[] = {-1, 65536, 70000};
	says.port = ports[_i];
	ck_assert_ptr_null(kl_coordinator_node(&coordinator));
	ck_assert(wait_asked(3, 10000));
	ck_assert_int_eq(ready + failed, 0);
	ck_assert_int_eq(coordinator.last_error.code, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	says.port = 0;
	wait_told(1);
	ck_assert_int_eq(ready, 1);
}
END_TEST

START_TEST(an_answer_about_another)
{
	start();
	says.leave_out = true;
	find_in_vain(KLAMM_ERR_PROTOCOL, "leaves it out");
}
END_TEST

/* A broker that does not answer is left for another, or asked again. */
START_TEST(asks_again_without_an_answer)
{
	bench_set("request.timeout.ms=100", "fetch.max.wait.ms=50", NULL);
	start();
	says.silent = true;
	ck_assert_ptr_null(kl_coordinator_node(&coordinator));
	ck_assert(wait_asked(2, 10000));
	says.silent = false;
	wait_told(1);
	ck_assert_int_eq(ready, 1);
}
END_TEST

/* --- keeping --- */

/* Its address comes with the answer. */
START_TEST(need_not_be_in_metadata)
{
	start();
	says.id = 7;
	says.port = other.port;
	find();
	ck_assert_ptr_null(kl_cluster_node(&cluster, 7));
	struct bench_call call;
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(other.requests[KL_API_METADATA], 1);
	ck_assert_ptr_nonnull(strstr(coordinator.node.where, "group coordinator 7 (127."));
}
END_TEST

static bool knows_broker(void *arg)
{
	struct kl_node *node = kl_cluster_node(&cluster, 1);
	return node != NULL && kl_node_connect(node);
}

START_TEST(is_not_held_up_by_a_fetch)
{
	start();
	find();
	ck_assert_int_eq(coordinator.node.id, 1);
	kl_cluster_refresh(&cluster, NULL);
	ck_assert(bench_until(knows_broker, NULL, 5000));
	struct bench_call fetch, call;
	struct kl_fetch_request body;
	bench_call_init(&fetch);
	kl_msg_init(&kl_msg_fetch_request, &body);
	body.topics_n = body.forgotten_topics_data_n = 0;
	fetch.request.api = KL_API_FETCH;
	fetch.request.max_version = 12;
	fetch.request.body = &body;
	kl_node_request(kl_cluster_node(&cluster, 1), &fetch.request);
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(fetch.done, 0);
	kl_node_cancel(fetch.request.node, &fetch.request);
	kl_request_free(&fetch.request);
}
END_TEST

START_TEST(follows_when_it_moves)
{
	start();
	find();
	struct bench_call held, call;
	call_it(&call);
	wait_call(&call);
	/* What the old one is still asked comes back when another is found. */
	bench_call_init(&held);
	struct kl_fetch_request body;
	kl_msg_init(&kl_msg_fetch_request, &body);
	body.topics_n = body.forgotten_topics_data_n = 0;
	held.request.api = KL_API_FETCH;
	held.request.max_version = 12;
	held.request.body = &body;
	kl_node_request(kl_coordinator_node(&coordinator), &held.request);
	says.id = 7;
	says.port = other.port;
	lose(KLAMM_ERR_NOT_COORDINATOR);
	lose(KLAMM_ERR_NOT_COORDINATOR); /* two requests may be answered so */
	find();
	ck_assert_int_eq(says.asked, 2);
	ck_assert_int_eq(coordinator.node.port, other.port);
	wait_call(&held);
	ck_assert_int_eq(held.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_ptr_nonnull(strstr(held.err.text, "group orders: "));
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(other.requests[KL_API_METADATA], 1);
}
END_TEST

START_TEST(keeps_the_connection_when_it_does_not_move)
{
	start();
	find();
	struct bench_call call;
	call_it(&call);
	wait_call(&call);
	int connections = bench_script.connections;
	lose(KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	find();
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(bench_script.connections, connections);
}
END_TEST

/* Named again and again, it says again and again that it is not the one. */
START_TEST(backs_off_from_one_that_is_none)
{
	bench_set("retry.backoff.ms=100", "retry.backoff.max.ms=400", NULL);
	start();
	find();
	int64_t since = script_ms();
	for (int i = 0; i < 3; i++) {
		lose(KLAMM_ERR_NOT_COORDINATOR);
		find();
	}
	ck_assert_int_ge(script_ms() - since, 80 + 160 + 320);
	/* But one that has served is looked for at once. */
	bench_run(450);
	lose(KLAMM_ERR_NOT_COORDINATOR);
	ck_assert_int_le(coordinator.next_at, bench_loop->now);
	find();
}
END_TEST

static bool is_lost(void *arg)
{
	return coordinator.state != KL_COORDINATOR_KNOWN;
}

START_TEST(looks_again_when_the_connection_is_lost)
{
	start();
	says.id = 7;
	says.port = other.port;
	find();
	struct bench_call call;
	call_it(&call);
	wait_call(&call);
	script_stop(&other);
	ck_assert(bench_until(is_lost, NULL, 5000));
	bench_run(100);
	ck_assert_int_eq(says.asked, 1); /* nobody needs it now */
	says.id = says.port = 0;
	find();
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, 0);
	script_start(&other); /* for finish() */
}
END_TEST

START_TEST(one_that_is_down_is_asked_for_without_haste)
{
	start();
	int dead = script_dead_port();
	says.id = 7;
	says.port = dead;
	for (int i = 0; i < 3; i++) {
		find();
		struct bench_call call;
		call_it(&call);
		wait_call(&call);
		ck_assert_int_eq(call.code, KLAMM_ERR_CONNECT);
		ck_assert_ptr_nonnull(strstr(call.err.text, "group coordinator 7 (127."));
		ck_assert_int_eq(coordinator.state, KL_COORDINATOR_UNKNOWN);
	}
	ck_assert_int_eq(says.asked, 3);
	struct klamm_error err;
	kl_coordinator_timed_out(&coordinator, &err, "committing");
	ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
	ck_assert_int_eq(err.stage, KLAMM_STAGE_TCP);
	says.port = 0;
	find();
	struct bench_call call;
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, 0);
	/* Nothing is wrong any more. */
	ck_assert_int_eq(coordinator.last_error.code, 0);
}
END_TEST

/* --- authentication --- */

static bool refuse_sasl(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return answer(request);
	struct kl_sasl_authenticate_response *body = SCRIPT_BODY(sasl_authenticate, request);
	body->error_code = KLAMM_ERR_SASL_AUTHENTICATION_FAILED;
	body->error_message = KL_STR("not you");
	script_answer(request, body);
	return true;
}

static bool let_in(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return answer(request);
	struct kl_sasl_authenticate_response *body = SCRIPT_BODY(sasl_authenticate, request);
	body->error_message = KL_STR_NULL;
	script_answer(request, body);
	return true;
}

static void start_with_sasl(void)
{
	struct klamm_error err;
	bench_set("security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN",
		  "sasl.username=alice", "sasl.password=secret", NULL);
	start();
	ck_assert_int_eq(kl_conf_host(bench_conf, bench_settings, &bench_os,
				      kl_conf_log(bench_conf), bench_loop, &host, &err), 0);
	int rc = kl_role_open_sasl(bench_conf, bench_settings, &host, &sasl, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	cluster.nodes.sasl = kl_role_instance(&sasl);
}

START_TEST(a_refusal_ends_the_look_up)
{
	start_with_sasl();
	bench_script.handle = refuse_sasl;
	find_in_vain(KLAMM_ERR_SASL_AUTHENTICATION_FAILED, "not you");
	ck_assert(kl_auth_is_refusal(&why));
	ck_assert_int_eq(says.asked, 0);
	bench_script.handle = let_in;
	find();
	ck_assert_int_eq(says.asked, 1);
}
END_TEST

START_TEST(a_refusal_of_the_coordinator_ends_what_waits)
{
	start_with_sasl();
	bench_script.handle = let_in;
	other.handle = refuse_sasl;
	says.id = 7;
	says.port = other.port;
	find();
	struct bench_call call;
	call_it(&call);
	wait_call(&call);
	ck_assert_int_eq(call.code, KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert(kl_auth_is_refusal(&call.err));
	ck_assert_uint_ge(cluster.refusals, 1);
	ck_assert_int_eq(coordinator.state, KL_COORDINATOR_UNKNOWN);
}
END_TEST

/* --- closing --- */

START_TEST(freed_at_any_time)
{
	start();
	struct bench_call call;
	says.silent = _i == 2;
	if (_i > 0)
		kl_coordinator_node(&coordinator);
	if (_i == 2)
		ck_assert(wait_asked(1, 5000));
	if (_i >= 3) {
		wait_told(1);
		call_it(&call);
	}
	if (_i == 4) /* in flight, most likely */
		bench_run(1);
	kl_coordinator_free(&coordinator);
	coordinator_made = false;
	if (_i >= 3) {
		ck_assert_int_eq(call.done, 1);
		ck_assert(call.code == KLAMM_ERR_CLOSED || _i == 4);
		kl_request_free(&call.request);
	}
	/* finish() looks for what is left in the loop. */
}
END_TEST

UNIT_SUITE(coordinator)
{
	Suite *s = suite_create("coordinator");
	unit_add_case(s, "finds_it_with_every_version", finds_it_with_every_version, up,
		      finish, 7);
	unit_add_fixture(s, looks_only_when_somebody_asks, up, finish);
	unit_add_fixture(s, no_transactions_before_0_11, up, finish);
	unit_add_fixture(s, any_broker_where_there_are_no_coordinators, up, finish);
	unit_add_case(s, "brokers_without_groups_are_told", brokers_without_groups_are_told,
		      up, finish, 2);
	unit_add_case(s, "waits_for_what_passes", waits_for_what_passes, up, finish,
		      (int)kl_countof(passing));
	unit_add_case(s, "tells_what_does_not_pass", tells_what_does_not_pass, up, finish,
		      (int)kl_countof(final));
	unit_add_case(s, "an_answer_that_names_nobody", an_answer_that_names_nobody, up,
		      finish, 3);
	unit_add_fixture(s, an_answer_about_another, up, finish);
	unit_add_fixture(s, asks_again_without_an_answer, up, finish);
	unit_add_fixture(s, need_not_be_in_metadata, up, finish);
	unit_add_fixture(s, is_not_held_up_by_a_fetch, up, finish);
	unit_add_fixture(s, follows_when_it_moves, up, finish);
	unit_add_fixture(s, keeps_the_connection_when_it_does_not_move, up, finish);
	unit_add_fixture(s, backs_off_from_one_that_is_none, up, finish);
	unit_add_fixture(s, looks_again_when_the_connection_is_lost, up, finish);
	unit_add_fixture(s, one_that_is_down_is_asked_for_without_haste, up, finish);
	unit_add_fixture(s, a_refusal_ends_the_look_up, up, finish);
	unit_add_fixture(s, a_refusal_of_the_coordinator_ends_what_waits, up, finish);
	unit_add_case(s, "freed_at_any_time", freed_at_any_time, up, finish, 5);
	return s;
}
