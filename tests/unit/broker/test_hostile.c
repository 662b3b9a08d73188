/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers that are no brokers, or broken ones: each gets an error that names it, in time and
 * with bounded memory, and the connection is replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/unit/broker/bench.h"

static struct kl_nodes nodes;
static struct kl_node node;

static void up(void)
{
	bench_up();
	bench_set("reconnect.backoff.ms=10", "reconnect.backoff.max.ms=20", NULL);
}

/* For peers that use up the time. With others it is not to end before they are heard. Less
 * than the second of silence after which a broker might be an old one. */
static void hurry(void)
{
	bench_set("request.timeout.ms=1000", "socket.connection.setup.timeout.ms=700",
		  "socket.connection.setup.timeout.max.ms=700", NULL);
}

static void start(void)
{
	struct klamm_error err;
	bench_configure(KLAMM_ROLE_ADMIN);
	script_start(&bench_script);
	nodes = (struct kl_nodes){
		.loop = bench_loop, .settings = bench_settings, .slabs = bench_slabs};
	int rc = kl_node_init(&node, &nodes, -1, "127.0.0.1", (uint16_t)bench_script.port,
			      &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static void finish(void)
{
	struct klamm_error why = {.code = KLAMM_ERR_CLOSED};
	kl_node_free(&node, &why);
	script_stop(&bench_script);
	bench_down();
}

/* One request, its error, and a second one that meets a new connection. */
static void check(int code, const char *text)
{
	struct bench_call call;
	char where[64];
	for (int i = 0; i < 2; i++) {
		int64_t begin = script_ms();
		bench_call_init(&call);
		kl_node_request(&node, &call.request);
		ck_assert(bench_until(bench_call_done, &call, 10000));
		kl_request_free(&call.request);
		ck_assert_msg(call.code == code, "%d, not %d: %s", call.code, code,
			      call.err.text);
		ck_assert_msg(strstr(call.err.text, text) != NULL, "no \"%s\" in: %s", text,
			      call.err.text);
		snprintf(where, sizeof(where), "127.0.0.1:%d", bench_script.port);
		ck_assert_msg(strstr(call.err.text, where) != NULL, "%s", call.err.text);
		ck_assert_int_ne(call.err.stage, KLAMM_STAGE_NONE);
		ck_assert_int_lt(script_ms() - begin, 8000);
		ck_assert_uint_lt(kl_slab_pool_used(bench_slabs), 256 * 1024);
	}
	ck_assert_int_ge(bench_script.connections, 2);
}

/* --- before the handshake is through --- */

/* What the peer says to ApiVersions, and what klamm says to that. */
static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	bool stays; /* keeps the connection open */
	int code;
	const char *text;
} greetings[] = {
	{"http", "HTTP/1.1 400 Bad Request\r\n\r\n", 28, false, KLAMM_ERR_PROTOCOL, "HTTP"},
	{"tls", "\x15\x03\x03\x00\x02\x02\x28", 7, false, KLAMM_ERR_TLS, "TLS alert"},
	{"negative", "\xff\xff\xff\xff", 4, true, KLAMM_ERR_PROTOCOL, "negative size -1"},
	{"huge", "\x7f\xff\xff\xff", 4, true, KLAMM_ERR_FRAME_TOO_LARGE, "2147483647"},
	{"ssh", "SSH-2.0-OpenSSH_9.2\r\n", 21, true, KLAMM_ERR_FRAME_TOO_LARGE, "frame of"},
	{"empty frame", "\0\0\0\0", 4, true, KLAMM_ERR_PROTOCOL, "it is cut"},
	{"wrong id", "\0\0\0\x04\x12\x34\x56\x78", 8, true, KLAMM_ERR_PROTOCOL,
	 "correlation id is 305419896"},
	{"no body", "\0\0\0\x04\0\0\0\0", 8, true, KLAMM_ERR_PROTOCOL,
	 "bad answer to ApiVersions"},
	{"half a size", "\0\0", 2, false, KLAMM_ERR_DISCONNECTED,
	 "in the middle of an answer"},
	{"half a frame", "\0\0\0\x40\0\0\0\0\0\0", 10, false, KLAMM_ERR_DISCONNECTED,
	 "in the middle of an answer"},
	{"half a frame and silence", "\0\0\0\x40\0\0\0\0\0\0", 10, true,
	 KLAMM_ERR_TIMED_OUT, "waiting for the answer to ApiVersions"},
	{"nothing", "", 0, true, KLAMM_ERR_TIMED_OUT,
	 "waiting for the answer to ApiVersions"},
};

static void greet(struct script *script, int fd)
{
	int i = *(int *)script->arg;
	char request[256];
	(void)!recv(fd, request, sizeof(request), 0);
	script_send(fd, greetings[i].bytes, greetings[i].len);
	if (!greetings[i].stays)
		return;
	struct timeval patience = {.tv_sec = 5};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)!recv(fd, request, sizeof(request), 0); /* until klamm hangs up */
}

START_TEST(greeting)
{
	bench_script.raw = greet;
	bench_script.arg = &_i;
	if (greetings[_i].code == KLAMM_ERR_TIMED_OUT)
		hurry();
	start();
	/* Closing in the middle could be an old broker's way, so 0.9 is tried in between. */
	if (greetings[_i].code == KLAMM_ERR_DISCONNECTED) {
		struct bench_call call;
		bench_call_init(&call);
		kl_node_request(&node, &call.request);
		ck_assert(bench_until(bench_call_done, &call, 10000));
		kl_request_free(&call.request);
		ck_assert_ptr_nonnull(strstr(call.err.text, greetings[_i].text));
		return;
	}
	check(greetings[_i].code, greetings[_i].text);
}
END_TEST

/* --- a broker that goes wrong later --- */

enum wrong {
	OTHER_ID,
	CUT_BODY,
	MORE_THAN_BODY,
	TOO_EARLY_SECOND,
	GARBAGE_BODY,
	HUGE_FRAME,
	HALF_ANSWER,
	SILENCE,
	WRONG_COUNT,
	DRIP,
	SWELLING,
	WRONGS,
};

/* A byte now and then: each comes in time, the whole never does. */
static void drip(int fd, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		usleep(100 * 1000);
		if (send(fd, p + i, 1, MSG_NOSIGNAL) != 1)
			return;
	}
}

/* Topics without a name: few bytes each, and many more in memory. */
static void swell(const struct script_request *request)
{
	enum { COUNT = 40000 };
	struct kl_metadata_response *body = script_metadata(request);
	body->topics = kl_type_new(&kl_type_metadata_response_topic, request->arena, COUNT);
	body->topics_n = COUNT;
	script_answer(request, body);
}

static bool go_wrong(const struct script_request *request)
{
	if (request->header.api != KL_API_METADATA)
		return false;
	size_t len;
	uint8_t *p = script_encode(request, script_metadata(request), &len);
	switch (*(int *)request->script->arg) {
	case OTHER_ID:
		script_answer_as(request, script_metadata(request), 77);
		break;
	case CUT_BODY:
		kl_store_u32(p, (uint32_t)len - 4 - 3);
		script_send(request->fd, p, len - 3);
		break;
	case MORE_THAN_BODY:
		kl_store_u32(p, (uint32_t)len - 4 + 2);
		script_send(request->fd, p, len);
		script_send(request->fd, "\0\0", 2);
		break;
	case TOO_EARLY_SECOND: /* one answer too many */
		script_send(request->fd, p, len);
		script_send(request->fd, p, len);
		break;
	case GARBAGE_BODY:
		memset(p + 8, 0xa5, len - 8);
		script_send(request->fd, p, len);
		break;
	case HUGE_FRAME:
		kl_store_u32(p, 0x40000000);
		script_send(request->fd, p, len);
		break;
	case HALF_ANSWER:
		script_send(request->fd, p, len / 2);
		script_hang_up(request);
		break;
	case SILENCE:
		break;
	case DRIP:
		drip(request->fd, p, len);
		break;
	case SWELLING:
		swell(request);
		break;
	case WRONG_COUNT: /* the number of brokers: more than the frame can hold */
		kl_store_u32(p + 4 + 4 + 1 + 4, 0xfffffff0);
		script_send(request->fd, p, len);
		break;
	}
	free(p);
	return true;
}

static const struct {
	int code;
	const char *text;
} verdicts[WRONGS] = {
	[OTHER_ID] = {KLAMM_ERR_PROTOCOL, "correlation id is 77"},
	[CUT_BODY] = {KLAMM_ERR_PROTOCOL, "bad answer to Metadata"},
	[MORE_THAN_BODY] = {KLAMM_ERR_PROTOCOL, "2 bytes follow it"},
	[GARBAGE_BODY] = {KLAMM_ERR_PROTOCOL, "bad answer to Metadata"},
	[HUGE_FRAME] = {KLAMM_ERR_FRAME_TOO_LARGE, "1073741824 bytes"},
	[HALF_ANSWER] = {KLAMM_ERR_DISCONNECTED, "in the middle of an answer"},
	[SILENCE] = {KLAMM_ERR_TIMED_OUT, "did not answer Metadata in time"},
	[WRONG_COUNT] = {KLAMM_ERR_PROTOCOL, "bad answer to Metadata"},
	[DRIP] = {KLAMM_ERR_TIMED_OUT, "did not answer Metadata in time"},
	[SWELLING] = {KLAMM_ERR_NO_MEMORY, "no memory to decode Metadata"},
};

static bool has_failed(void *arg)
{
	return node.last_error.code != 0;
}

START_TEST(broken_answer)
{
	bench_script.handle = go_wrong;
	bench_script.arg = &_i;
	bench_set("klamm.memory.max=2000000", "klamm.decompress.max=2000000", NULL);
	if (verdicts[_i].code == KLAMM_ERR_TIMED_OUT) /* of the answer alone */
		bench_set("request.timeout.ms=1000", NULL);
	start();
	if (_i != TOO_EARLY_SECOND) {
		check(verdicts[_i].code, verdicts[_i].text);
		return;
	}
	struct bench_call call;
	bench_call_init(&call);
	kl_node_request(&node, &call.request);
	ck_assert(bench_until(bench_call_done, &call, 5000));
	kl_request_free(&call.request);
	ck_assert_int_eq(call.code, 0);
	ck_assert(bench_until(has_failed, NULL, 10000));
	ck_assert_ptr_nonnull(strstr(node.last_error.text, "an answer that nobody asked for"));
}
END_TEST

static void drip_versions(struct script *script, int fd)
{
	static const uint8_t answer[1000] = {0, 0, 3, 0xe4};
	char request[256];
	(void)!recv(fd, request, sizeof(request), 0);
	drip(fd, answer, sizeof(answer));
}

START_TEST(a_drip_extends_no_deadline)
{
	bench_script.raw = drip_versions;
	hurry();
	start();
	check(KLAMM_ERR_TIMED_OUT, "waiting for the answer to ApiVersions");
}
END_TEST

/* A size is not believed before its bytes are there. */
static void announce_much(struct script *script, int fd)
{
	char request[256];
	(void)!recv(fd, request, sizeof(request), 0);
	script_send(fd, "\x00\x03\xff\xff\0\0\0\0",
		    8); /* just below what a handshake may be */
	usleep(200 * 1000);
}

START_TEST(announced_bytes_cost_little)
{
	bench_script.raw = announce_much;
	start();
	struct bench_call call;
	bench_call_init(&call);
	kl_node_request(&node, &call.request);
	size_t most = 0;
	while (call.done == 0) {
		kl_loop_step(bench_loop, bench_os.now(&bench_os) + 10 * KL_MS);
		most = kl_max(most, kl_slab_pool_used(bench_slabs));
	}
	kl_request_free(&call.request);
	ck_assert_uint_le(most, 1 << 20);
}
END_TEST

static void say_large(struct script *script, int fd)
{
	char request[256];
	(void)!recv(fd, request, sizeof(request), 0);
	script_send(fd, "\x00\x10\x00\x00", 4);
	usleep(200 * 1000);
}

/* Larger than any handshake, whatever the configuration allows later. */
START_TEST(handshake_is_small)
{
	bench_script.raw = say_large;
	start();
	check(KLAMM_ERR_FRAME_TOO_LARGE, "at most 262144");
}
END_TEST

static bool big_answer(const struct script_request *request)
{
	if (request->header.api != KL_API_METADATA)
		return false;
	struct kl_metadata_response *body = script_metadata(request);
	char *name = kl_arena_alloc(request->arena, 20000);
	memset(name, 'x', 20000);
	body->cluster_id = (struct kl_str){name, 20000};
	script_answer(request, body);
	return true;
}

START_TEST(opt_klamm_receive_message_max)
{
	bench_set(_i == 0 ? "klamm.receive.message.max=10000"
			  : "klamm.receive.message.max=30000", NULL);
	bench_script.handle = big_answer;
	start();
	if (_i == 0) {
		check(KLAMM_ERR_FRAME_TOO_LARGE, "at most 10000");
		return;
	}
	struct bench_call call;
	bench_call_init(&call);
	kl_node_request(&node, &call.request);
	ck_assert(bench_until(bench_call_done, &call, 5000));
	kl_request_free(&call.request);
	ck_assert_int_eq(call.code, 0);
}
END_TEST

/* --- connecting takes too long --- */

static bool slow_versions(const struct script_request *request)
{
	if (request->header.api == KL_API_API_VERSIONS)
		usleep(250 * 1000);
	return false;
}

static void start_slow(const char *setup, const char *setup_max)
{
	bench_set(setup, setup_max, "reconnect.backoff.ms=0", "reconnect.backoff.max.ms=0",
		  NULL);
	start();
}

/* For so long, and on a busy machine longer, until there were so many tries. */
static int try_until_ready(int ms, int least)
{
	int tries = 0;
	int64_t end = script_ms() + ms, patience = end + 30000;
	while (script_ms() < (tries < least ? patience : end) &&
	       node.state != KL_NODE_READY) {
		if (node.state == KL_NODE_IDLE)
			tries++;
		kl_node_connect(&node);
		kl_loop_step(bench_loop, bench_os.now(&bench_os) + 5 * KL_MS);
	}
	return tries;
}

START_TEST(opt_socket_connection_setup_timeout_ms)
{
	bench_script.handle = slow_versions;
	start_slow("socket.connection.setup.timeout.ms=8000",
		   "socket.connection.setup.timeout.max.ms=8000");
	ck_assert_int_eq(try_until_ready(20000, 0), 1);
	ck_assert_int_eq(node.state, KL_NODE_READY);
}
END_TEST

/* KIP-601: 60, 120, 240, 480 ms: it grows until the answer is in time. The peer takes one
 * connection after the other, so later ones wait for earlier ones. */
START_TEST(opt_socket_connection_setup_timeout_max_ms)
{
	bench_script.handle = slow_versions;
	start_slow("socket.connection.setup.timeout.ms=60",
		   _i == 0 ? "socket.connection.setup.timeout.max.ms=8000"
			   : "socket.connection.setup.timeout.max.ms=60");
	int tries = try_until_ready(_i == 0 ? 40000 : 1000, _i == 0 ? 0 : 12);
	ck_assert_int_eq(node.state == KL_NODE_READY, _i == 0);
	ck_assert_int_ge(tries, _i == 0 ? 2 : 12); /* it does not grow to 60 ms << 11 */
	ck_assert_int_le(tries, _i == 0 ? 9 : 30);
}
END_TEST

UNIT_SUITE(hostile)
{
	Suite *s = suite_create("hostile");
	unit_add_case(s, "greeting", greeting, up, finish, kl_countof(greetings));
	unit_add_case(s, "broken_answer", broken_answer, up, finish, WRONGS);
	unit_add_fixture(s, a_drip_extends_no_deadline, up, finish);
	unit_add_fixture(s, announced_bytes_cost_little, up, finish);
	unit_add_fixture(s, handshake_is_small, up, finish);
	unit_add_case(s, "opt_klamm_receive_message_max", opt_klamm_receive_message_max, up,
		      finish, 2);
	unit_add_fixture(s, opt_socket_connection_setup_timeout_ms, up, finish);
	unit_add_case(s, "opt_socket_connection_setup_timeout_max_ms",
		      opt_socket_connection_setup_timeout_max_ms, up, finish, 2);
	return s;
}
