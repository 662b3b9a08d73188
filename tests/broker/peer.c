/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/broker/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/record/batch_write.h"

/* Long enough for a machine that does much else. */
#define ANSWER_MS 20000

struct klamm_broker *peer_broker;

void peer_start_with(struct klamm_broker_options options)
{
	struct klamm_error err;
	if (peer_is_foreign())
		return;
	options.size = sizeof(options);
	ck_assert_msg(klamm_broker_new(&options, &peer_broker, &err) == 0, "%s",
		      err.text);
}

void peer_start(void)
{
	peer_start_with((struct klamm_broker_options){.nodes = 1});
}

void peer_start_three(void)
{
	peer_start_with((struct klamm_broker_options){.nodes = 3});
}

void peer_stop(void)
{
	klamm_broker_free(peer_broker);
	peer_broker = NULL;
}

bool peer_is_foreign(void)
{
	return getenv("KLAMM_TEST_BOOTSTRAP") != NULL;
}

const char *peer_address(void)
{
	const char *foreign = getenv("KLAMM_TEST_BOOTSTRAP");
	return foreign != NULL ? foreign : klamm_broker_address(peer_broker);
}

int peer_port(int node)
{
	const char *p = peer_address();
	for (int i = 1; i < node && p != NULL; i++)
		p = strchr(p + 1, ',');
	ck_assert_ptr_nonnull(p);
	return atoi(strchr(p, ':') + 1);
}

struct peer *peer_open_node(int node)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	ck_assert_ptr_nonnull(peer);
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)peer_port(node)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(peer->fd, 0);
	int rc = connect(peer->fd, (struct sockaddr *)&addr, sizeof(addr));
	ck_assert_msg(rc == 0, "cannot connect to node %d: %s", node, strerror(errno));
	return peer;
}

struct peer *peer_open(void)
{
	return peer_open_node(1);
}

void peer_close(struct peer *peer)
{
	close(peer->fd);
	kl_arena_free(&peer->arena);
	free(peer->frame);
	free(peer);
}

void peer_send(struct peer *peer, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(peer->fd, p, n, MSG_NOSIGNAL);
		if (sent < 0)
			return; /* the broker has enough of it: reading tells */
		p = (const uint8_t *)p + sent;
		n -= (size_t)sent;
	}
}

void peer_ask(struct peer *peer, const struct kl_msg *request, int version,
	      const void *obj)
{
	struct kl_buf b = {0};
	struct klamm_error err;
	struct kl_frame frame = {
		.msg = request,
		.version = version,
		.correlation_id = ++peer->correlation_id,
		.client_id = KL_STR("test"),
		.obj = obj,
	};
	ck_assert_msg(kl_frame_request(&frame, &b, &err) == 0, "%s", err.text);
	peer_send(peer, b.data, b.len);
	kl_buf_free(&b);
}

static bool wait_readable(struct peer *peer, int ms)
{
	struct pollfd p = {.fd = peer->fd, .events = POLLIN};
	return poll(&p, 1, ms) > 0;
}

/* false: the end. */
static bool receive(struct peer *peer, void *p, size_t n)
{
	while (n > 0) {
		ck_assert_msg(wait_readable(peer, ANSWER_MS), "no answer");
		ssize_t got = recv(peer->fd, p, n, 0);
		if (got <= 0)
			return false;
		p = (uint8_t *)p + got;
		n -= (size_t)got;
	}
	return true;
}

void *peer_read(struct peer *peer, const struct kl_msg *response, int version)
{
	uint8_t size[4];
	ck_assert_msg(receive(peer, size, sizeof(size)),
		      "%s v%d: the connection was closed", response->name, version);
	uint32_t n = kl_load_u32(size);
	ck_assert_uint_le(n, 200 << 20);
	free(peer->frame);
	peer->frame = malloc(n + 1);
	ck_assert_ptr_nonnull(peer->frame);
	ck_assert(receive(peer, peer->frame, n));
	struct kl_reader r = kl_reader(peer->frame, n);
	int32_t id;
	ck_assert(kl_frame_read_correlation(&r, &id));
	ck_assert_int_le(id, peer->correlation_id);
	kl_arena_free(&peer->arena);
	void *obj;
	struct klamm_error err;
	int rc = kl_frame_read_response(response, version, &r, &peer->arena, &obj, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_msg(kl_reader_left(&r) == 0, "%s v%d: %zu bytes left over",
		      response->name, version, kl_reader_left(&r));
	return obj;
}

void *peer_call(struct peer *peer, const struct kl_msg *request,
		const struct kl_msg *response, int version, const void *obj)
{
	peer_ask(peer, request, version, obj);
	return peer_read(peer, response, version);
}

bool peer_is_closed(struct peer *peer)
{
	uint8_t byte;
	ck_assert_msg(wait_readable(peer, ANSWER_MS), "the connection was not closed");
	return recv(peer->fd, &byte, 1, 0) <= 0;
}

bool peer_is_silent(struct peer *peer, int ms)
{
	return !wait_readable(peer, ms);
}

void peer_check_alive(void)
{
	struct peer *peer = peer_open();
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	ck_assert_int_eq(PEER_CALL(peer, api_versions, 0, &request)->error_code, 0);
	peer_close(peer);
}

/* --- topics --- */

const char *peer_topic(void)
{
	static char name[64];
	static int count;
	snprintf(name, sizeof(name), "t-%d-%d", (int)getpid(), count++);
	return name;
}

#define SETTINGS_MAX 8

void peer_create_with(const char *name, int32_t partitions, const char *const *settings)
{
	struct kl_create_topics_request_config configs[SETTINGS_MAX];
	int32_t n = 0;
	for (; settings != NULL && settings[2 * n] != NULL; n++) {
		ck_assert_int_lt(n, SETTINGS_MAX);
		kl_type_init(&kl_type_create_topics_request_config, &configs[n]);
		configs[n].name = kl_str(settings[2 * n]);
		configs[n].value = kl_str(settings[2 * n + 1]);
	}
	struct peer *peer = peer_open();
	struct kl_create_topics_request_topic topic;
	struct kl_create_topics_request request;
	kl_msg_init(&kl_msg_create_topics_request, &request);
	kl_type_init(&kl_type_create_topics_request_topic, &topic);
	topic.name = kl_str(name);
	topic.num_partitions = partitions;
	topic.replication_factor = -1;
	topic.configs = configs;
	topic.configs_n = n;
	request.topics = &topic;
	request.topics_n = 1;
	request.timeout_ms = ANSWER_MS;
	struct kl_create_topics_response *response =
		PEER_CALL(peer, create_topics, 7, &request);
	ck_assert_int_eq(response->topics[0].error_code, 0);
	peer_close(peer);
	/* Kafka's brokers learn of it some time after their controller has answered. */
	peer = peer_open();
	for (int i = 0; i < partitions; i++)
		while (peer_fetch(peer, name, i, 0)->error_code != 0)
			usleep(20000);
	peer_close(peer);
}

struct kl_str peer_create(const char *name, int32_t partitions)
{
	peer_create_with(name, partitions, NULL);
	return kl_str(name);
}

void peer_delete(const char *name)
{
	struct peer *peer = peer_open();
	struct kl_delete_topics_request_topic topic;
	struct kl_delete_topics_request request;
	kl_msg_init(&kl_msg_delete_topics_request, &request);
	kl_type_init(&kl_type_delete_topics_request_topic, &topic);
	topic.name = kl_str(name);
	request.topics = &topic;
	request.topics_n = 1;
	request.timeout_ms = ANSWER_MS;
	struct kl_delete_topics_response *response =
		PEER_CALL(peer, delete_topics, 6, &request);
	ck_assert_int_eq(response->responses[0].error_code, 0);
	peer_close(peer);
}

struct klamm_uuid peer_topic_id(const char *name)
{
	struct peer *peer = peer_open();
	struct kl_metadata_request_topic topic;
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	kl_type_init(&kl_type_metadata_request_topic, &topic);
	topic.name = kl_str(name);
	request.topics = &topic;
	request.topics_n = 1;
	request.allow_auto_topic_creation = false;
	struct kl_metadata_response *response = PEER_CALL(peer, metadata, 12, &request);
	ck_assert_int_eq(response->topics_n, 1);
	struct klamm_uuid id = response->topics[0].topic_id;
	peer_close(peer);
	return id;
}

/* --- records --- */

static void finish_batch(struct peer_batch *b, const uint8_t *end, int count,
			 int64_t timestamp, int64_t producer, int16_t epoch,
			 int32_t sequence)
{
	b->len = (size_t)(end - b->data);
	kl_batch_head_put(b->data,
			  &(struct kl_batch_head){
				  .length = (int32_t)(b->len - KL_BATCH_OVERHEAD),
				  .leader_epoch = -1,
				  .magic = 2,
				  .last_offset_delta = count - 1,
				  .base_timestamp = timestamp,
				  .max_timestamp = timestamp + count - 1,
				  .record_count = count,
			  });
	const uint8_t *body = b->data + KL_BATCH_HEAD;
	kl_batch_stamp(b->data, producer, epoch, sequence,
		       kl_batch_body_crc(body, (size_t)(end - body)));
}

static uint8_t *put_records(struct peer_batch *b, int count, bool keyed)
{
	uint8_t *p = b->data + KL_BATCH_HEAD;
	for (int i = 0; i < count; i++) {
		char value[32];
		int n = snprintf(value, sizeof(value), "value-%d", i);
		ck_assert_int_lt(p - b->data, (int)sizeof(b->data) - 64);
		p = kl_record_put(p, (uint32_t)i, i,
				  (struct klamm_span){keyed ? value : NULL,
						      keyed ? (size_t)n : 0},
				  (struct klamm_span){value, (size_t)n}, NULL, 0, 1);
	}
	return p;
}

void peer_batch(struct peer_batch *b, int count, int64_t timestamp)
{
	finish_batch(b, put_records(b, count, false), count, timestamp, -1, -1, -1);
}

void peer_batch_keyed(struct peer_batch *b, int count, int64_t timestamp)
{
	finish_batch(b, put_records(b, count, true), count, timestamp, -1, -1, -1);
}

void peer_batch_from(struct peer_batch *b, int count, int64_t producer, int16_t epoch,
		     int32_t sequence)
{
	finish_batch(b, put_records(b, count, false), count, 1000, producer, epoch, sequence);
}

struct kl_produce_response_partition *peer_produce(struct peer *peer, const char *topic,
						   int32_t partition, const void *p,
						   size_t n)
{
	struct kl_produce_request_partition to = {.index = partition,
						  .records = {p, (int32_t)n}};
	struct kl_produce_request_topic at = {
		.name = kl_str(topic), .partition_data = &to, .partition_data_n = 1};
	struct kl_produce_request request;
	kl_msg_init(&kl_msg_produce_request, &request);
	request.transactional_id = KL_STR_NULL;
	request.acks = -1;
	request.timeout_ms = ANSWER_MS;
	request.topic_data = &at;
	request.topic_data_n = 1;
	struct kl_produce_response *response = PEER_CALL(peer, produce, 9, &request);
	ck_assert_int_eq(response->responses_n, 1);
	ck_assert_int_eq(response->responses[0].partition_responses_n, 1);
	return &response->responses[0].partition_responses[0];
}

struct kl_fetch_response_partition *peer_fetch(struct peer *peer, const char *topic,
					       int32_t partition, int64_t offset)
{
	struct kl_fetch_request_partition from;
	kl_type_init(&kl_type_fetch_request_partition, &from);
	from.partition = partition;
	from.fetch_offset = offset;
	from.partition_max_bytes = 1 << 20;
	struct kl_fetch_request_topic at = {
		.topic = kl_str(topic), .partitions = &from, .partitions_n = 1};
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_bytes = 1 << 20;
	request.session_epoch = -1;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_fetch_response *response = PEER_CALL(peer, fetch, 12, &request);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->responses_n, 1);
	return &response->responses[0].partitions[0];
}
