/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/admin/peer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

void *peer_answer(const struct kl_frame_header *head, struct kl_arena *arena)
{
	const struct kl_msg *msg = kl_msg_response(head->api);
	void *obj = kl_arena_alloc(arena, msg->type->size);
	kl_msg_init(msg, obj);
	return obj;
}

static const void *versions(struct peer *peer, const struct kl_frame_header *head,
			    struct kl_arena *arena)
{
	struct kl_api_versions_response *body = peer_answer(head, arena);
	body->api_keys = kl_type_new(&kl_type_api_versions_response_api_key, arena,
				     KL_API_COUNT);
	body->api_keys_n = 0;
	for (int api = 0; api < KL_API_COUNT; api++) {
		const struct kl_msg *msg = kl_msg_request(api);
		if (msg == NULL || peer->hidden[api])
			continue;
		struct kl_api_versions_response_api_key *to =
			&body->api_keys[body->api_keys_n++];
		to->api_key = (int16_t)api;
		to->min_version = msg->min;
		to->max_version = peer->max[api] >= 0 ? peer->max[api] : msg->stable;
	}
	return body;
}

static bool read_all(int fd, void *p, size_t n)
{
	return recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

/* false: the connection ends. */
static bool serve_one(struct peer *peer, int fd)
{
	uint8_t size[4], frame[65536];
	if (!read_all(fd, size, 4) || kl_load_u32(size) > sizeof(frame) ||
	    !read_all(fd, frame, kl_load_u32(size)))
		return false;
	KL_AUTO(kl_arena_free) struct kl_arena arena = {0};
	KL_AUTO(kl_buf_free) struct kl_buf out = {0};
	struct kl_reader reader = kl_reader(frame, kl_load_u32(size));
	struct kl_frame_header head;
	void *request;
	ck_assert_int_eq(kl_frame_read_request(&reader, &head, NULL), 0);
	ck_assert_int_eq(
		kl_msg_decode(head.msg, head.version, &reader, &arena, &request, NULL),
		0);
	peer->asked[head.api]++;
	const void *body = head.api == KL_API_API_VERSIONS
				   ? versions(peer, &head, &arena)
				   : peer->answer(peer, &head, request, &arena);
	if (body == NULL)
		return false;
	struct kl_frame answer = {
		.msg = kl_msg_response(head.api),
		.version = head.version,
		.correlation_id = head.correlation_id,
		.obj = body,
	};
	ck_assert_int_eq(kl_frame_response(&answer, &out, NULL), 0);
	return send(fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
}

struct connection {
	struct peer *peer;
	int fd;
};

static void *serve(void *arg)
{
	struct connection *c = arg;
	while (serve_one(c->peer, c->fd))
		;
	close(c->fd);
	free(c);
	return NULL;
}

static void in_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
	pthread_detach(thread);
}

static void *listen_on(void *arg)
{
	struct peer *peer = arg;
	int fd;
	while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
		struct connection *c = malloc(sizeof(*c));
		*c = (struct connection){peer, fd};
		peer->connections++;
		in_thread(serve, c);
	}
	return NULL;
}

void peer_start(struct peer *peer, int32_t id, peer_fn answer, void *user)
{
	peer->id = id;
	peer->answer = answer;
	peer->user = user;
	for (int i = 0; i < KL_API_COUNT; i++)
		peer->max[i] = -1;
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	peer->listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(peer->listener, 8), 0);
	ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&addr, &len),
			 0);
	peer->port = ntohs(addr.sin_port);
	in_thread(listen_on, peer);
}
