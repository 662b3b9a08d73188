/* SPDX-License-Identifier: BSD-2-Clause */
/* One broker: connecting, versions, requests and their ends, time. */
#include "core/broker/node.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/broker/bench.h"

static struct kl_nodes nodes;
static struct kl_node node;
static int ready_count, lost_count;

static void on_changed(struct kl_nodes *of, struct kl_node *which,
		       const struct klamm_error *err)
{
	ck_assert_ptr_eq(of, &nodes);
	ck_assert_ptr_eq(which, &node);
	if (err == NULL)
		ready_count++;
	else
		lost_count++;
}

static void make_node(const char *host, int port)
{
	struct klamm_error err;
	bench_configure(KLAMM_ROLE_ADMIN);
	nodes = (struct kl_nodes){
		.loop = bench_loop,
		.settings = bench_settings,
		.slabs = bench_slabs,
		.changed = on_changed,
	};
	int rc = kl_node_init(&node, &nodes, 7, host, (uint16_t)port, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

/* To the script. */
static void start(void)
{
	script_start(&bench_script);
	make_node("127.0.0.1", bench_script.port);
}

static void finish(void)
{
	struct klamm_error why = {.code = KLAMM_ERR_CLOSED};
	kl_node_free(&node, &why);
	if (bench_script.thread != 0)
		script_stop(&bench_script);
	bench_down();
}

static void call_and_wait(struct bench_call *call, int ms)
{
	bench_call_init(call);
	kl_node_request(&node, &call->request);
	ck_assert_int_eq(call->done, 0); /* never from inside the call */
	ck_assert(bench_until(bench_call_done, call, ms));
	kl_request_free(&call->request);
}

static bool is_ready(void *arg)
{
	return kl_node_connect(&node);
}

/* --- versions --- */

START_TEST(asks_for_versions_and_answers)
{
	start();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, 0);
	ck_assert(call.has_body);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(call.version, kl_msg_metadata_request.stable);
	ck_assert_int_eq(ready_count, 1);
	ck_assert_int_eq(bench_script.requests[KL_API_API_VERSIONS], 1);
	ck_assert_int_eq(kl_node_version(&node, KL_API_METADATA, 4), 4);
	call_and_wait(&call, 5000);
	ck_assert_int_eq(bench_script.connections, 1);
}
END_TEST

/* KIP-511: error 35 with the range, and without one from brokers before 2.4. */
START_TEST(steps_down_to_the_brokers_api_versions)
{
	bench_script.api_versions_max = 2;
	start();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(bench_script.requests[KL_API_API_VERSIONS], 2);
	ck_assert_int_eq(bench_script.connections, 1);
}
END_TEST

static bool refuse_without_range(const struct script_request *request)
{
	if (request->header.api != KL_API_API_VERSIONS || request->header.version == 0)
		return false;
	struct script_request old = *request;
	old.header.version = 0;
	struct kl_api_versions_response *body = SCRIPT_BODY(api_versions, &old);
	body->error_code = KLAMM_ERR_UNSUPPORTED_VERSION;
	script_answer(&old, body);
	return true;
}

START_TEST(steps_down_to_version_0)
{
	bench_script.handle = refuse_without_range;
	start();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(bench_script.requests[KL_API_API_VERSIONS], 2);
}
END_TEST

static bool versions_fail(const struct script_request *request)
{
	if (request->header.api != KL_API_API_VERSIONS)
		return false;
	struct kl_api_versions_response *body = SCRIPT_BODY(api_versions, request);
	body->error_code = KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED;
	script_answer(request, body);
	return true;
}

START_TEST(tells_what_the_broker_says_to_api_versions)
{
	bench_script.handle = versions_fail;
	start();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED);
	ck_assert_int_eq(call.err.node, 7);
}
END_TEST

static bool few_versions(const struct script_request *request)
{
	if (request->header.api != KL_API_API_VERSIONS)
		return false;
	struct kl_api_versions_response *body = SCRIPT_BODY(api_versions, request);
	body->api_keys = kl_type_new(&kl_type_api_versions_response_api_key, request->arena,
				     1);
	body->api_keys_n = 1;
	body->api_keys[0].api_key = KL_API_API_VERSIONS;
	script_answer(request, body);
	return true;
}

START_TEST(says_when_a_broker_lacks_an_api)
{
	bench_script.handle = few_versions;
	start();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(call.err.text, "a version of Metadata"));
	ck_assert_int_eq(node.state, KL_NODE_READY); /* nothing is wrong with the connection */
}
END_TEST

/* --- the end of requests --- */

static bool silence(const struct script_request *request)
{
	return request->header.api == KL_API_METADATA;
}

START_TEST(request_timeout_closes_the_connection)
{
	bench_set("request.timeout.ms=200", NULL);
	bench_script.handle = silence;
	start();
	struct bench_call a, b;
	bench_call_init(&a);
	bench_call_init(&b);
	b.request.timeout_us = 30 * KL_SECOND;
	ck_assert(bench_until(is_ready, NULL, 15000));
	int64_t begin = script_ms();
	kl_node_request(&node, &a.request);
	kl_node_request(&node, &b.request);
	ck_assert(bench_until(bench_call_done, &b, 15000));
	ck_assert_int_eq(a.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_int_ge(a.at_ms - begin, 190);
	ck_assert_int_lt(a.at_ms - begin, 15000); /* b has 30 s */
	ck_assert(a.maybe_applied && b.maybe_applied);
	ck_assert_ptr_nonnull(strstr(a.err.text, "broker 7 (127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(a.err.text, "request.timeout.ms"));
	ck_assert_int_eq(a.err.api, KL_API_METADATA);
	ck_assert_int_eq(a.err.stage, KLAMM_STAGE_API);
	/* Its memory may be used again: nothing of the request is on its way any more. */
	ck_assert_int_eq(node.state, KL_NODE_IDLE);
	bench_script.handle = NULL;
	ck_assert(bench_until(is_ready, NULL, 5000)); /* replaced */
	kl_request_free(&a.request);
	kl_request_free(&b.request);
}
END_TEST

static bool hang_up_on_metadata(const struct script_request *request)
{
	if (request->header.api != KL_API_METADATA)
		return false;
	usleep(100 * 1000); /* the second request fills the socket meanwhile */
	script_hang_up(request);
	return true;
}

/* What did not leave whole was surely not acted upon. */
START_TEST(maybe_applied_is_honest)
{
	bench_script.handle = hang_up_on_metadata;
	start();
	ck_assert(bench_until(is_ready, NULL, 5000));
	struct bench_call small, large;
	bench_call_init(&small);
	bench_call_init(&large);
	struct kl_produce_request body;
	kl_msg_init(&kl_msg_produce_request, &body);
	static uint8_t records[48 << 20];
	struct kl_produce_request_partition part = {.records = {records, sizeof(records)}};
	struct kl_produce_request_topic topic = {
		.name = KL_STR("t"), .partition_data = &part, .partition_data_n = 1};
	body.topic_data = &topic;
	body.topic_data_n = 1;
	body.acks = 1;
	large.request.api = KL_API_PRODUCE;
	large.request.max_version = 9;
	large.request.body = &body;
	kl_node_request(&node, &small.request);
	kl_node_request(&node, &large.request);
	ck_assert(bench_until(bench_call_done, &large, 20000));
	ck_assert_int_eq(small.code, KLAMM_ERR_DISCONNECTED);
	ck_assert(small.maybe_applied);
	ck_assert_int_eq(large.code, KLAMM_ERR_DISCONNECTED);
	ck_assert(!large.maybe_applied);
	kl_request_free(&small.request);
	kl_request_free(&large.request);
}
END_TEST

START_TEST(deadline_ends_a_request_that_waits_for_a_connection)
{
	bench_set("socket.connection.setup.timeout.ms=30000",
		  "socket.connection.setup.timeout.max.ms=30000", NULL);
	start();
	/* Never gets ready: the handshake is not answered at all. */
	script_stop(&bench_script);
	bench_script.thread = 0;
	struct bench_call call;
	bench_call_init(&call);
	call.request.deadline = bench_os.now(&bench_os) + 150 * KL_MS;
	int64_t begin = script_ms();
	kl_node_request(&node, &call.request);
	ck_assert(bench_until(bench_call_done, &call, 5000));
	ck_assert_int_lt(call.at_ms - begin, 3000);
	ck_assert(!call.maybe_applied);
	ck_assert(call.code == KLAMM_ERR_TIMED_OUT || call.code == KLAMM_ERR_CONNECT);
	kl_request_free(&call.request);
}
END_TEST

START_TEST(cancelled_requests_are_not_told)
{
	bench_script.handle = silence;
	start();
	struct bench_call waiting, flying, other;
	bench_call_init(&waiting);
	kl_node_request(&node, &waiting.request);
	kl_node_cancel(&node, &waiting.request); /* before there is a connection */
	ck_assert_uint_eq(node.waiting_count, 0);
	ck_assert(bench_until(is_ready, NULL, 5000));
	bench_call_init(&flying);
	bench_call_init(&other);
	kl_node_request(&node, &flying.request);
	kl_node_request(&node, &other.request);
	bench_run(50);
	ck_assert_uint_eq(node.in_flight_count, 2);
	kl_node_cancel(&node, &flying.request);
	ck_assert_int_eq(other.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_uint_eq(node.in_flight_count, 0);
	kl_node_cancel(&node, &flying.request); /* twice is nothing */
	ck_assert_int_eq(waiting.done + flying.done, 0);
	kl_request_free(&waiting.request);
	kl_request_free(&flying.request);
	kl_request_free(&other.request);
}
END_TEST

static struct bench_call *to_cancel;

static void cancel_another(struct kl_request *request, const struct kl_response *response)
{
	kl_container(request, struct bench_call, request)->done++;
	kl_node_cancel(&node, &to_cancel->request);
}

/* The end of one request takes back another that is about to end. */
START_TEST(cancelling_inside_an_end)
{
	bench_script.handle = silence;
	start();
	ck_assert(bench_until(is_ready, NULL, 5000));
	struct bench_call a, b;
	bench_call_init(&a);
	bench_call_init(&b);
	a.request.done = cancel_another;
	to_cancel = &b;
	kl_node_request(&node, &a.request);
	kl_node_request(&node, &b.request);
	bench_run(30);
	struct klamm_error why = {.code = KLAMM_ERR_DISCONNECTED};
	kl_node_disconnect(&node, &why);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(b.done, 0);
	ck_assert_uint_eq(node.in_flight_count, 0);
	ck_assert_uint_eq(node.waiting_count, 0);
	kl_request_free(&a.request);
	kl_request_free(&b.request);
}
END_TEST

START_TEST(free_ends_what_is_under_way)
{
	bench_script.handle = silence;
	start();
	ck_assert(bench_until(is_ready, NULL, 5000));
	struct bench_call flying, waiting;
	bench_call_init(&flying);
	bench_call_init(&waiting);
	kl_node_request(&node, &flying.request);
	bench_run(30);
	kl_node_request(&node, &waiting.request);
	struct klamm_error why = {.code = KLAMM_ERR_DISCONNECTED, .text = "gone"};
	kl_node_free(&node, &why);
	ck_assert_int_eq(flying.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_int_eq(waiting.code, KLAMM_ERR_DISCONNECTED);
	ck_assert(flying.maybe_applied && !waiting.maybe_applied);
	bench_run(50); /* nothing of it is left in the loop */
	ck_assert_uint_eq(bench_loop->timer_count, 0);
	kl_request_free(&flying.request);
	kl_request_free(&waiting.request);
	make_node("127.0.0.1", bench_script.port); /* for the tear-down */
}
END_TEST

/* --- time --- */

static _Atomic int64_t throttled_ms; /* when the first answer left */

static bool throttle(const struct script_request *request)
{
	if (request->header.api != KL_API_METADATA)
		return false;
	struct kl_metadata_response *body = script_metadata(request);
	body->throttle_time_ms = 250;
	if (throttled_ms == 0)
		throttled_ms = script_ms();
	script_answer(request, body);
	return true;
}

/* KIP-219 */
START_TEST(throttled_requests_wait)
{
	bench_script.handle = throttle;
	start();
	struct bench_call first, second;
	call_and_wait(&first, 5000);
	ck_assert(!kl_node_is_ready(&node));
	call_and_wait(&second, 5000);
	ck_assert_int_ge(second.at_ms - throttled_ms, 250);
	ck_assert_int_eq(bench_script.connections, 1);
}
END_TEST

static bool is_idle(void *arg)
{
	return node.state == KL_NODE_IDLE;
}

START_TEST(opt_connections_max_idle_ms)
{
	bench_set(_i == 0 ? "connections.max.idle.ms=150" : "connections.max.idle.ms=-1",
		  NULL);
	start();
	struct bench_call call;
	int64_t begin = script_ms();
	call_and_wait(&call, 5000);
	ck_assert_int_eq(bench_until(is_idle, NULL, _i == 0 ? 15000 : 400), _i == 0);
	ck_assert_int_ge(script_ms() - begin, _i == 0 ? 100 : 400);
	ck_assert_int_eq(lost_count, 0);
	call_and_wait(&call, 5000); /* comes back when needed */
	ck_assert_int_eq(bench_script.connections, _i == 0 ? 2 : 1);
}
END_TEST

static int attempts; /* to connect */

static int count_connects(struct kl_os *os, const struct kl_addr *addr,
			  const struct kl_sock_opts *opts, struct kl_sock **sock_out)
{
	attempts++;
	return kl_os_real()->sock_connect(os, addr, opts, sock_out);
}

/* So long, and on a busy machine longer, until there were so many attempts. */
static void try_for(int ms, int least)
{
	int64_t end = script_ms() + ms, patience = end + 30000;
	attempts = 0;
	while (script_ms() < (attempts < least ? patience : end)) {
		kl_node_connect(&node);
		bench_run(5);
	}
}

/* KIP-580: 40, 80, 160, 320, 320 ms ... */
START_TEST(opt_reconnect_backoff_ms)
{
	bench_set("reconnect.backoff.ms=40", "reconnect.backoff.max.ms=320", NULL);
	bench_os.sock_connect = count_connects;
	make_node("127.0.0.1", script_dead_port());
	try_for(1400, 4);
	ck_assert_int_ge(attempts, 4);
	ck_assert_int_le(attempts, 9);
	ck_assert_int_eq(node.last_error.code, KLAMM_ERR_CONNECT);
	ck_assert_int_eq(node.last_error.stage, KLAMM_STAGE_TCP);
	ck_assert_ptr_nonnull(strstr(node.last_error.text, "Connection refused"));
}
END_TEST

START_TEST(opt_reconnect_backoff_max_ms)
{
	bench_set("reconnect.backoff.ms=20", "reconnect.backoff.max.ms=20", NULL);
	bench_os.sock_connect = count_connects;
	make_node("127.0.0.1", script_dead_port());
	try_for(1000, 15);
	ck_assert_int_ge(attempts, 15); /* it does not grow: that would be 20 ms << 14 */
}
END_TEST

static bool close_on_anything(const struct script_request *request)
{
	script_hang_up(request);
	return true;
}

/* Accepting a connection is no proof of being a broker. */
START_TEST(backs_off_from_who_closes_every_time)
{
	bench_set("reconnect.backoff.ms=40", "reconnect.backoff.max.ms=10000", NULL);
	bench_os.sock_connect = count_connects;
	bench_script.handle = close_on_anything;
	start();
	int64_t end = script_ms() + 1500, patience = end + 30000;
	struct bench_call call = {0};
	while (script_ms() < (attempts < 4 ? patience : end)) {
		bench_call_init(&call);
		call.request.deadline = bench_os.now(&bench_os) + 200 * KL_MS;
		kl_node_request(&node, &call.request);
		bench_until(bench_call_done, &call, 1000);
		kl_request_free(&call.request);
	}
	/* Pairs of ApiVersions, and 0.9 that closes too; then 40, 80, 160, 320, 640 ms. */
	ck_assert_int_ge(attempts, 4);
	ck_assert_int_le(attempts, 16);
}
END_TEST

/* --- addresses --- */

static int dead_port;

/* Two addresses: nobody listens at the first. */
static int two_addresses(struct kl_os *os, const char *host, uint16_t port,
			 struct kl_addr *addrs, size_t max, const char **why_out)
{
	kl_os_real()->resolve(os, "127.0.0.1", (uint16_t)dead_port, addrs, 1, why_out);
	kl_os_real()->resolve(os, "127.0.0.1", port, addrs + 1, 1, why_out);
	return 2;
}

START_TEST(tries_all_addresses_of_a_name)
{
	bench_os.resolve = two_addresses;
	dead_port = script_dead_port();
	script_start(&bench_script);
	make_node("both", bench_script.port);
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_eq(lost_count, 0);
}
END_TEST

static void just_close(struct script *script, int fd)
{
}

/* Something listens at the first, but is no broker. */
START_TEST(next_attempt_begins_with_the_next_address)
{
	struct script other = {.raw = just_close};
	script_start(&other);
	dead_port = other.port;
	bench_os.resolve = two_addresses;
	script_start(&bench_script);
	make_node("both", bench_script.port);
	struct bench_call call;
	int tries = 0;
	do
		call_and_wait(&call, 5000);
	while (call.code != 0 && ++tries < 6);
	ck_assert_int_eq(call.code, 0);
	ck_assert_int_ge(other.connections, 1);
	script_stop(&other);
}
END_TEST

static int named;

static void name_of(struct kl_os *os, const struct kl_addr *addr,
		    char name[static KL_HOST_NAME])
{
	snprintf(name, KL_HOST_NAME, "b%d.example.org", ++named);
}

/* A bootstrap server by another name goes by that of its address; the next attempt by that of
 * the next one. A broker that the cluster named keeps its name. */
START_TEST(opt_client_dns_lookup)
{
	bench_os.resolve = two_addresses;
	bench_os.canonical_name = name_of;
	dead_port = script_dead_port();
	bench_set("client.dns.lookup=resolve_canonical_bootstrap_servers_only", NULL);
	script_start(&bench_script);
	make_node("alias", bench_script.port);
	node.id = _i == 0 ? -1 : 7;
	ck_assert_str_eq(kl_node_name(&node), "alias");
	struct bench_call call;
	int tries = 0;
	do
		call_and_wait(&call, 5000);
	while (call.code != 0 && ++tries < 6);
	ck_assert_int_eq(call.code, 0);
	ck_assert_str_eq(kl_node_name(&node), _i == 0 ? "b2.example.org" : "alias");
	ck_assert_int_eq(named, _i == 0 ? 2 : 0);
}
END_TEST

START_TEST(addresses_have_names)
{
	struct kl_os *os = kl_os_real();
	struct kl_addr addr;
	const char *why;
	char name[KL_HOST_NAME];
	ck_assert_int_eq(os->resolve(os, "127.0.0.1", 9092, &addr, 1, &why), 1);
	os->canonical_name(os, &addr, name);
	ck_assert_int_ge(os->resolve(os, name, 9092, &addr, 1, &why), 1);
	/* One of the net for documentation has none, and stands for itself. */
	ck_assert_int_eq(os->resolve(os, "192.0.2.7", 9092, &addr, 1, &why), 1);
	os->canonical_name(os, &addr, name);
	ck_assert_str_eq(name, "192.0.2.7");
}
END_TEST

static int no_socket(struct kl_os *os, const struct kl_addr *addr,
		     const struct kl_sock_opts *opts, struct kl_sock **sock_out)
{
	return -EMFILE;
}

START_TEST(no_descriptor_left)
{
	bench_os.sock_connect = no_socket;
	make_node("127.0.0.1", 9092);
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, KLAMM_ERR_CONNECT);
	ck_assert_ptr_nonnull(strstr(call.err.text, "Too many open files"));
	bench_os.sock_connect = kl_os_real()->sock_connect;
	script_start(&bench_script);
	node.port = (uint16_t)bench_script.port;
	ck_assert(bench_until(is_ready, NULL, 5000));
}
END_TEST

/* --- socket options and names on the wire --- */

static struct kl_sock_opts seen_opts;

static int see_opts(struct kl_os *os, const struct kl_addr *addr,
		    const struct kl_sock_opts *opts, struct kl_sock **sock_out)
{
	seen_opts = *opts;
	return kl_os_real()->sock_connect(os, addr, opts, sock_out);
}

static void check_buffers(void)
{
	bench_os.sock_connect = see_opts;
	start();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_int_eq(call.code, 0);
}

START_TEST(opt_send_buffer_bytes)
{
	bench_set("send.buffer.bytes=33000", "receive.buffer.bytes=-1", NULL);
	check_buffers();
	ck_assert_int_eq(seen_opts.send_buffer, 33000);
	ck_assert_int_eq(seen_opts.recv_buffer, -1);
}
END_TEST

START_TEST(opt_receive_buffer_bytes)
{
	bench_set("receive.buffer.bytes=44000", "send.buffer.bytes=-1", NULL);
	check_buffers();
	ck_assert_int_eq(seen_opts.recv_buffer, 44000);
	ck_assert_int_eq(seen_opts.send_buffer, -1);
}
END_TEST

static char seen_id[64];

static bool see_client_id(const struct script_request *request)
{
	snprintf(seen_id, sizeof(seen_id), "%.*s", request->header.client_id.len,
		 request->header.client_id.p);
	return false;
}

START_TEST(opt_client_id)
{
	bench_set("client.id=the-name", NULL);
	bench_script.handle = see_client_id;
	start();
	struct bench_call call;
	call_and_wait(&call, 5000);
	ck_assert_str_eq(seen_id, "the-name");
}
END_TEST

UNIT_SUITE(node)
{
	Suite *s = suite_create("node");
	unit_add_fixture(s, asks_for_versions_and_answers, bench_up, finish);
	unit_add_fixture(s, steps_down_to_the_brokers_api_versions, bench_up, finish);
	unit_add_fixture(s, steps_down_to_version_0, bench_up, finish);
	unit_add_fixture(s, tells_what_the_broker_says_to_api_versions, bench_up, finish);
	unit_add_fixture(s, says_when_a_broker_lacks_an_api, bench_up, finish);
	unit_add_fixture(s, request_timeout_closes_the_connection, bench_up, finish);
	unit_add_fixture(s, maybe_applied_is_honest, bench_up, finish);
	unit_add_fixture(s, deadline_ends_a_request_that_waits_for_a_connection, bench_up,
			 finish);
	unit_add_fixture(s, cancelled_requests_are_not_told, bench_up, finish);
	unit_add_fixture(s, cancelling_inside_an_end, bench_up, finish);
	unit_add_fixture(s, free_ends_what_is_under_way, bench_up, finish);
	unit_add_fixture(s, throttled_requests_wait, bench_up, finish);
	unit_add_case(s, "opt_connections_max_idle_ms", opt_connections_max_idle_ms, bench_up,
		      finish, 2);
	unit_add_fixture(s, opt_reconnect_backoff_ms, bench_up, finish);
	unit_add_fixture(s, opt_reconnect_backoff_max_ms, bench_up, finish);
	unit_add_fixture(s, backs_off_from_who_closes_every_time, bench_up, finish);
	unit_add_fixture(s, tries_all_addresses_of_a_name, bench_up, finish);
	unit_add_case(s, "opt_client_dns_lookup", opt_client_dns_lookup, bench_up, finish, 2);
	unit_add(s, addresses_have_names);
	unit_add_fixture(s, next_attempt_begins_with_the_next_address, bench_up, finish);
	unit_add_fixture(s, no_descriptor_left, bench_up, finish);
	unit_add_fixture(s, opt_send_buffer_bytes, bench_up, finish);
	unit_add_fixture(s, opt_receive_buffer_bytes, bench_up, finish);
	unit_add_fixture(s, opt_client_id, bench_up, finish);
	return s;
}
