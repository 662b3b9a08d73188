/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers that send what no client sends: the broker closes or answers, keeps little, and goes
 * on serving the others. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/broker/peer.h"

static const struct {
	const char *bytes;
	size_t n;
} garbage[] = {
#define BYTES(text)                                                                      \
	{                                                                                \
		text, sizeof(text) - 1                                                   \
	}
	BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* TLS begins */
	BYTES("\xff\xff\xff\xff"), /* size -1 */
	BYTES("\x80\x00\x00\x00"),
	BYTES("\x7f\xff\xff\xff"), /* 2 GiB */
	BYTES("\x06\x40\x00\x01"), /* one byte above 100 MiB */
	BYTES("\x00\x00\x00\x00"), /* an empty frame */
	BYTES("\x00\x00\x00\x03\x00\x12\x00"), /* half a header */
	BYTES("\x00\x00\x00\x08\x00\x12\x00\x00\x00\x00\x00\x01"), /* no client id */
	BYTES("\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\x7f\xff"), /* a long one */
	BYTES("\x00\x00\x00\x0e\x00\x03\x00\x01\x00\x00\x00\x01\xff\xff\x7f\xff\xff\xff"),
};

START_TEST(closes_on_garbage)
{
	struct peer *peer = peer_open();
	peer_send(peer, garbage[_i].bytes, garbage[_i].n);
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
	peer_check_alive();
}
END_TEST

START_TEST(forgets_half_frames)
{
	for (int i = 0; i < 50; i++) {
		struct peer *peer = peer_open();
		/* A large frame is announced; memory comes with its bytes only. */
		peer_send(peer, "\x06\x00\x00\x00\x00\x00\x00\x09", 4 + (size_t)i % 5);
		peer_close(peer);
	}
	peer_check_alive();
}
END_TEST

/* --- messages made up at random, whole and damaged --- */

/* Ask once; the answer, if any, is not looked at. */
static void provoke(const void *p, size_t n)
{
	struct peer *peer = peer_open();
	peer_send(peer, p, n);
	shutdown(peer->fd, SHUT_WR);
	uint8_t sink[4096];
	while (recv(peer->fd, sink, sizeof(sink), 0) > 0)
		;
	peer_close(peer);
}

static void calm(const struct kl_msg *request, void *obj)
{
	/* Seconds of waiting would prove nothing. */
	if (request->api == KL_API_FETCH)
		((struct kl_fetch_request *)obj)->max_wait_ms &= 3;
}

static void damage(uint8_t *p, size_t n, uint64_t seed)
{
	for (uint64_t i = 0; i < 1 + seed % 3; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		/* Not the size: cut frames only wait for more. */
		size_t at = 4 + (seed >> 33) % (n - 4);
		p[at] ^= (uint8_t)(1 << (seed >> 29 & 7));
	}
}

static void provoke_random(int api, int version, uint64_t seed)
{
	const struct kl_msg *request = kl_msg_request(api);
	struct kl_arena arena = {0};
	struct kl_buf b = {0};
	struct klamm_error err;
	void *obj;
	int rc = kl_msg_random(request, version, seed, &arena, &obj, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	calm(request, obj);
	struct kl_frame frame = {
		.msg = request, .version = version, .client_id = KL_STR("x"), .obj = obj};
	ck_assert_int_eq(kl_frame_request(&frame, &b, &err), 0);
	if (seed & 1)
		damage(b.data, b.len, seed);
	if (b.len >= 8 && kl_load_u16(b.data + 4) == KL_API_FETCH && (seed & 1))
		b.len = 0; /* it could wait for long now */
	if (b.len > 0)
		provoke(b.data, b.len);
	kl_buf_free(&b);
	kl_arena_free(&arena);
}

static const int apis[] = {
	KL_API_PRODUCE,
	KL_API_FETCH,
	KL_API_LIST_OFFSETS,
	KL_API_METADATA,
	KL_API_FIND_COORDINATOR,
	KL_API_API_VERSIONS,
	KL_API_CREATE_TOPICS,
	KL_API_DELETE_TOPICS,
	KL_API_DELETE_RECORDS,
	KL_API_INIT_PRODUCER_ID,
	KL_API_OFFSET_FOR_LEADER_EPOCH,
	KL_API_DESCRIBE_CONFIGS,
	KL_API_CREATE_PARTITIONS,
	KL_API_DESCRIBE_CLUSTER,
	KL_API_DESCRIBE_TOPIC_PARTITIONS,
};

START_TEST(survives_random_requests)
{
	const struct kl_msg *request = kl_msg_request(apis[_i]);
	for (int version = request->min; version <= request->max; version++)
		for (uint64_t seed = 1; seed <= 12; seed++)
			provoke_random(apis[_i], version, seed);
	peer_check_alive();
}
END_TEST

/* --- peers that do not read --- */

START_TEST(does_not_read_for_the_deaf)
{
	struct peer *peer = peer_open();
	struct kl_buf b = {0};
	struct kl_describe_configs_request_resource of = {.resource_type = 2,
							  .resource_name = KL_STR("t"),
							  .configuration_keys_n = -1};
	struct kl_describe_configs_request request;
	struct klamm_error err;
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 1, &err), 0);
	kl_msg_init(&kl_msg_describe_configs_request, &request);
	request.resources = &of;
	request.resources_n = 1;
	struct kl_frame frame = {
		.msg = &kl_msg_describe_configs_request, .version = 4, .obj = &request};
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(kl_frame_request(&frame, &b, NULL), 0);
	/* Answers are a hundred times as long. The broker stops reading before it holds many
	 * of them, and then the sockets fill up. */
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
	int64_t before = klamm_broker_request_count(peer_broker, KL_API_DESCRIBE_CONFIGS);
	int quiet = 0;
	size_t sent = 0;
	while (quiet < 20 && sent < 256u << 20) {
		ssize_t n = send(peer->fd, b.data, b.len - sent % b.len, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		if (n <= 0)
			usleep(10000);
	}
	int64_t handled =
		klamm_broker_request_count(peer_broker, KL_API_DESCRIBE_CONFIGS) - before;
	ck_assert_int_lt(handled, 20000);
	ck_assert_uint_lt(sent, 64u << 20);
	peer_check_alive();
	peer_close(peer);
	kl_buf_free(&b);
}
END_TEST

START_TEST(serves_many)
{
	enum { COUNT = 300 };
	struct peer *peers[COUNT];
	for (int i = 0; i < COUNT; i++)
		peers[i] = peer_open();
	for (int i = 0; i < COUNT; i++) {
		struct kl_api_versions_request request;
		kl_msg_init(&kl_msg_api_versions_request, &request);
		ck_assert_int_eq(
			PEER_CALL(peers[i], api_versions, 0, &request)->error_code, 0);
	}
	for (int i = 0; i < COUNT; i++)
		peer_close(peers[i]);
	peer_check_alive();
}
END_TEST

UNIT_SUITE(garbage)
{
	Suite *s = suite_create("garbage");
	unit_add_case(s, "closes_on_garbage", closes_on_garbage, peer_start, peer_stop,
		      kl_countof(garbage));
	unit_add_fixture(s, serves_many, peer_start, peer_stop);
	if (peer_is_foreign())
		return s;
	/* Kafka believes the size, and 50 times 100 MiB end a small heap. */
	unit_add_fixture(s, forgets_half_frames, peer_start, peer_stop);
	unit_add_case(s, "survives_random_requests", survives_random_requests, peer_start,
		      peer_stop, kl_countof(apis));
	unit_add_fixture(s, does_not_read_for_the_deaf, peer_start, peer_stop);
	return s;
}
