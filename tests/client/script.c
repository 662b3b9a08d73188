/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/client/script.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/endian.h"
#include "core/record/batch_read.h"

#define NODE_ID 1
#define LEADER_EPOCH 5

/* Check's own assertions are for the thread that runs the test. */
static void check(int rc, const struct klamm_error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "script: %s\n", err->text);
	abort();
}

/* --- bytes --- */

/* A test may send what was held back while the script's thread closes the connection. */
static pthread_mutex_t wire = PTHREAD_MUTEX_INITIALIZER;

static void send_all(int fd, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return; /* the client has enough of it */
		p = (const uint8_t *)p + sent;
		n -= (size_t)sent;
	}
}

void script_send(int fd, const void *p, size_t n)
{
	pthread_mutex_lock(&wire);
	send_all(fd, p, n);
	pthread_mutex_unlock(&wire);
}

static uint8_t *encode_as(const struct script_request *request, const void *body, int32_t id,
			  size_t *len_out)
{
	struct kl_buf b = {0};
	struct klamm_error err;
	struct kl_frame frame = {
		.msg = kl_msg_response(request->header.api),
		.version = request->header.version,
		.correlation_id = id,
		.obj = body,
	};
	check(kl_frame_response(&frame, &b, &err), &err);
	*len_out = b.len;
	return b.data;
}

uint8_t *script_encode(const struct script_request *request, const void *body, size_t *len_out)
{
	return encode_as(request, body, request->header.correlation_id, len_out);
}

void script_answer_as(const struct script_request *request, const void *body, int32_t id)
{
	size_t len;
	uint8_t *p = encode_as(request, body, id, &len);
	script_send(request->fd, p, len);
	free(p);
}

void script_answer(const struct script_request *request, const void *body)
{
	script_answer_as(request, body, request->header.correlation_id);
}

void *script_body(const struct script_request *request)
{
	const struct kl_msg *msg = kl_msg_response(request->header.api);
	void *body = kl_arena_alloc(request->arena, msg->type->size);
	kl_msg_init(msg, body);
	return body;
}

/* --- the usual answers --- */

static struct kl_api_versions_response *usual_versions(const struct script_request *request)
{
	struct kl_api_versions_response *body = SCRIPT_BODY(api_versions, request);
	body->api_keys = kl_type_new(&kl_type_api_versions_response_api_key, request->arena,
				     SCRIPT_APIS);
	for (int api = 0; api < SCRIPT_APIS; api++) {
		const struct kl_msg *msg = kl_msg_request(api);
		int below = request->script->below[api];
		if (msg == NULL || below < 0)
			continue;
		struct kl_api_versions_response_api_key *key =
			&body->api_keys[body->api_keys_n++];
		key->api_key = (int16_t)api;
		key->min_version = msg->min;
		key->max_version = below > 0 ? (int16_t)(below - 1) : msg->stable;
	}
	return body;
}

/* The first bytes of the name, and something that is never zero. */
struct klamm_uuid script_topic_id(const char *name, size_t len)
{
	struct klamm_uuid id = {{0}};
	id.bytes[15] = (uint8_t)len;
	memcpy(id.bytes, name, kl_min(len, (size_t)15));
	return id;
}

static void usual_topic(const struct script_request *request, struct kl_str name,
			struct kl_metadata_response_topic *topic)
{
	int n = kl_max((int)request->script->partitions, 1);
	topic->name = name;
	topic->topic_id = script_topic_id(name.p, (size_t)name.len);
	topic->partitions =
		kl_type_new(&kl_type_metadata_response_partition, request->arena, (size_t)n);
	topic->partitions_n = n;
	for (int i = 0; i < n; i++) {
		topic->partitions[i].partition_index = i;
		topic->partitions[i].leader_id = NODE_ID;
		topic->partitions[i].leader_epoch = LEADER_EPOCH;
	}
}

struct kl_metadata_response *script_metadata(const struct script_request *request)
{
	const struct kl_metadata_request *asked = request->body;
	struct script *script = request->script;
	struct kl_metadata_response *body = SCRIPT_BODY(metadata, request);
	body->brokers = kl_type_new(&kl_type_metadata_response_broker, request->arena, 1);
	body->brokers_n = 1;
	body->brokers[0].node_id = NODE_ID;
	body->brokers[0].host = KL_STR("127.0.0.1");
	body->brokers[0].port = script->advertise != 0 ? script->advertise : script->port;
	body->cluster_id = KL_STR("scripted");
	body->controller_id = NODE_ID;
	body->topics = kl_type_new(&kl_type_metadata_response_topic, request->arena,
				   (size_t)kl_max(asked->topics_n, 0));
	body->topics_n = kl_max(asked->topics_n, 0);
	for (int32_t i = 0; i < body->topics_n; i++)
		usual_topic(request, asked->topics[i].name, &body->topics[i]);
	return body;
}

static int32_t count_records(struct kl_bytes records)
{
	struct kl_batch_head head;
	int32_t n = 0;
	for (size_t at = 0; kl_batch_peek(records.p + at, (size_t)records.len - at, &head) > 0;
	     at += kl_batch_size(&head))
		n += head.record_count;
	return n;
}

struct kl_produce_response *script_produce(const struct script_request *request)
{
	const struct kl_produce_request *asked = request->body;
	struct kl_produce_response *body = SCRIPT_BODY(produce, request);
	body->responses = kl_type_new(&kl_type_produce_response_topic, request->arena,
				      (size_t)asked->topic_data_n);
	body->responses_n = asked->topic_data_n;
	for (int32_t t = 0; t < asked->topic_data_n; t++) {
		const struct kl_produce_request_topic *from = &asked->topic_data[t];
		struct kl_produce_response_topic *to = &body->responses[t];
		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partition_responses =
			kl_type_new(&kl_type_produce_response_partition, request->arena,
				    (size_t)from->partition_data_n);
		to->partition_responses_n = from->partition_data_n;
		for (int32_t i = 0; i < from->partition_data_n; i++) {
			int32_t n = count_records(from->partition_data[i].records);
			to->partition_responses[i].index = from->partition_data[i].index;
			to->partition_responses[i].log_append_time_ms = -1;
			to->partition_responses[i].base_offset =
				atomic_fetch_add(&request->script->records, n);
		}
	}
	return body;
}

struct kl_fetch_response *script_fetch(const struct script_request *request)
{
	const struct kl_fetch_request *asked = request->body;
	const struct script *script = request->script;
	struct kl_fetch_response *body = SCRIPT_BODY(fetch, request);
	body->responses = kl_type_new(&kl_type_fetch_response_topic, request->arena,
				      (size_t)asked->topics_n);
	body->responses_n = asked->topics_n;
	for (int32_t t = 0; t < asked->topics_n; t++) {
		const struct kl_fetch_request_topic *from = &asked->topics[t];
		struct kl_fetch_response_topic *to = &body->responses[t];
		to->topic = from->topic;
		to->topic_id = from->topic_id;
		to->partitions = kl_type_new(&kl_type_fetch_response_partition, request->arena,
					     (size_t)from->partitions_n);
		to->partitions_n = from->partitions_n;
		for (int32_t i = 0; i < from->partitions_n; i++) {
			struct kl_fetch_response_partition *part = &to->partitions[i];
			part->partition_index = from->partitions[i].partition;
			part->high_watermark = script->log_end;
			part->last_stable_offset = script->log_end;
			part->log_start_offset = 0;
			part->preferred_read_replica = -1;
			part->records = (struct kl_bytes){(const uint8_t *)"", 0};
			if (from->partitions[i].fetch_offset < script->log_end)
				part->records = (struct kl_bytes){script->log,
								  (int32_t)script->log_len};
		}
	}
	return body;
}

static struct kl_list_offsets_response *usual_offsets(const struct script_request *request)
{
	const struct kl_list_offsets_request *asked = request->body;
	struct kl_list_offsets_response *body = SCRIPT_BODY(list_offsets, request);
	body->topics = kl_type_new(&kl_type_list_offsets_response_topic, request->arena,
				   (size_t)asked->topics_n);
	body->topics_n = asked->topics_n;
	for (int32_t t = 0; t < asked->topics_n; t++) {
		const struct kl_list_offsets_request_topic *from = &asked->topics[t];
		struct kl_list_offsets_response_topic *to = &body->topics[t];
		to->name = from->name;
		to->partitions = kl_type_new(&kl_type_list_offsets_response_partition,
					     request->arena, (size_t)from->partitions_n);
		to->partitions_n = from->partitions_n;
		for (int32_t i = 0; i < from->partitions_n; i++) {
			to->partitions[i].partition_index =
				from->partitions[i].partition_index;
			to->partitions[i].timestamp = -1;
			to->partitions[i].offset =
				from->partitions[i].timestamp == -1 ? request->script->log_end
								    : 0;
			to->partitions[i].leader_epoch = LEADER_EPOCH;
		}
	}
	return body;
}

/* The script itself coordinates whatever there is. */
static struct kl_find_coordinator_response *usual_coordinator(
	const struct script_request *request)
{
	const struct kl_find_coordinator_request *asked = request->body;
	const struct script *script = request->script;
	struct kl_find_coordinator_response *body = SCRIPT_BODY(find_coordinator, request);
	int port = script->advertise != 0 ? script->advertise : script->port;
	if (request->header.version < 4) {
		body->node_id = NODE_ID;
		body->host = KL_STR("127.0.0.1");
		body->port = port;
		return body;
	}
	body->coordinators = kl_type_new(&kl_type_find_coordinator_response_coordinator,
					 request->arena, (size_t)asked->coordinator_keys_n);
	for (int32_t i = 0; i < asked->coordinator_keys_n; i++)
		body->coordinators[body->coordinators_n++] =
			(struct kl_find_coordinator_response_coordinator){
				.key = asked->coordinator_keys[i],
				.node_id = NODE_ID,
				.host = KL_STR("127.0.0.1"),
				.port = port,
				.error_message = KL_STR_NULL,
			};
	return body;
}

static struct kl_init_producer_id_response *usual_id(const struct script_request *request)
{
	struct kl_init_producer_id_response *body = SCRIPT_BODY(init_producer_id, request);
	body->producer_id = SCRIPT_PRODUCER_ID;
	body->producer_epoch = 0;
	return body;
}

static void answer_usually(const struct script_request *request)
{
	switch (request->header.api) {
	case KL_API_API_VERSIONS:
		script_answer(request, usual_versions(request));
		return;
	case KL_API_METADATA:
		script_answer(request, script_metadata(request));
		return;
	case KL_API_PRODUCE: {
		struct kl_produce_response *body = script_produce(request);
		if (((const struct kl_produce_request *)request->body)->acks != 0)
			script_answer(request, body);
		return;
	}
	case KL_API_FETCH: {
		struct kl_fetch_response *body = script_fetch(request);
		bool empty = true;
		for (int32_t t = 0; t < body->responses_n; t++)
			for (int32_t i = 0; i < body->responses[t].partitions_n; i++)
				empty &= body->responses[t].partitions[i].records.len == 0;
		if (empty) /* as a broker that waits for more would */
			usleep(20 * 1000);
		script_answer(request, body);
		return;
	}
	case KL_API_LIST_OFFSETS:
		script_answer(request, usual_offsets(request));
		return;
	case KL_API_FIND_COORDINATOR:
		script_answer(request, usual_coordinator(request));
		return;
	case KL_API_INIT_PRODUCER_ID:
		script_answer(request, usual_id(request));
		return;
	default:
		script_answer(request, script_body(request));
		return;
	}
}

/* KIP-511: a version that is too new is answered as version 0, with what there is. */
static void refuse_versions(const struct script_request *request, int max)
{
	struct kl_api_versions_response *body = SCRIPT_BODY(api_versions, request);
	body->error_code = KLAMM_ERR_UNSUPPORTED_VERSION;
	body->api_keys = kl_type_new(&kl_type_api_versions_response_api_key, request->arena,
				     1);
	body->api_keys_n = 1;
	body->api_keys[0].api_key = KL_API_API_VERSIONS;
	body->api_keys[0].max_version = (int16_t)max;
	struct script_request old = *request;
	old.header.version = 0;
	script_answer(&old, body);
}

/* --- the thread --- */

static void hang_up(struct script *script, struct script_conn *conn)
{
	pthread_mutex_lock(&wire);
	close(conn->fd);
	pthread_mutex_unlock(&wire);
	free(conn->in);
	*conn = (struct script_conn){.fd = -1};
	atomic_fetch_add(&script->closed, 1);
}

void script_hang_up(const struct script_request *request)
{
	for (int i = 0; i < SCRIPT_CONNS; i++)
		if (request->script->conns[i].fd == request->fd)
			hang_up(request->script, &request->script->conns[i]);
}

static void on_request(struct script *script, int fd, const uint8_t *p, size_t n)
{
	struct kl_arena arena = {0};
	struct klamm_error err;
	bool (*frame)(struct script *to, int fd, const uint8_t *p, size_t n) = script->frame;
	if (frame != NULL && frame(script, fd, p, n))
		return;
	struct kl_reader reader = kl_reader(p, n);
	struct script_request request = {.script = script, .fd = fd, .arena = &arena};
	int rc = kl_frame_read_request(&reader, &request.header, &err);
	if (request.header.api >= 0 && request.header.api < SCRIPT_APIS)
		atomic_fetch_add(&script->requests[request.header.api], 1);
	int max = script->api_versions_max;
	if (max > 0 && request.header.api == KL_API_API_VERSIONS &&
	    request.header.version > max) {
		refuse_versions(&request, max);
		kl_arena_free(&arena);
		return;
	}
	void *body = NULL;
	if (rc == 0)
		rc = kl_msg_decode(request.header.msg, request.header.version, &reader, &arena,
				   &body, &err);
	check(rc, &err);
	request.body = body;
	bool (*handle)(const struct script_request *request) = script->handle;
	if (handle == NULL || !handle(&request))
		answer_usually(&request);
	kl_arena_free(&arena);
}

static void on_bytes(struct script *script, struct script_conn *conn)
{
	conn->in = realloc(conn->in, conn->len + 65536);
	ssize_t n = recv(conn->fd, conn->in + conn->len, 65536, 0);
	if (n <= 0) {
		hang_up(script, conn);
		return;
	}
	conn->len += (size_t)n;
	while (conn->fd >= 0 && conn->len >= 4) {
		size_t size = kl_load_u32(conn->in);
		if (conn->len < 4 + size)
			return;
		uint8_t *frame = malloc(size + 1);
		memcpy(frame, conn->in + 4, size);
		memmove(conn->in, conn->in + 4 + size, conn->len - 4 - size);
		conn->len -= 4 + size;
		on_request(script, conn->fd, frame, size);
		free(frame);
	}
}

static void on_connection(struct script *script)
{
	int fd = accept(script->listener, NULL, NULL);
	if (fd < 0)
		return;
	atomic_fetch_add(&script->connections, 1);
	void (*raw)(struct script *script, int fd) = script->raw;
	if (raw != NULL) {
		raw(script, fd);
		close(fd);
		return;
	}
	for (int i = 0; i < SCRIPT_CONNS; i++) {
		if (script->conns[i].fd < 0) {
			script->conns[i] = (struct script_conn){.fd = fd};
			return;
		}
	}
	close(fd);
}

static void *run(void *arg)
{
	struct script *script = arg;
	for (;;) {
		struct pollfd fds[SCRIPT_CONNS + 2];
		fds[0] = (struct pollfd){.fd = script->wake[0], .events = POLLIN};
		fds[1] = (struct pollfd){.fd = script->listener, .events = POLLIN};
		for (int i = 0; i < SCRIPT_CONNS; i++)
			fds[2 + i] = (struct pollfd){.fd = script->conns[i].fd,
						     .events = POLLIN};
		if (poll(fds, SCRIPT_CONNS + 2, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			return NULL;
		for (int i = 0; i < SCRIPT_CONNS; i++)
			if (fds[2 + i].revents != 0 && script->conns[i].fd == fds[2 + i].fd)
				on_bytes(script, &script->conns[i]);
		if (fds[1].revents != 0)
			on_connection(script);
	}
}

/* Of loopback; 0 = any free one. */
static int bind_to(int port, int *port_out)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	ck_assert_msg(rc == 0, "cannot bind to port %d: %s", port, strerror(errno));
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port_out = ntohs(addr.sin_port);
	return fd;
}

void script_start(struct script *script)
{
	for (int i = 0; i < SCRIPT_CONNS; i++)
		script->conns[i] = (struct script_conn){.fd = -1};
	script->listener = bind_to(script->port, &script->port);
	ck_assert_int_eq(listen(script->listener, 16), 0);
	snprintf(script->address, sizeof(script->address), "127.0.0.1:%d", script->port);
	ck_assert_int_eq(pipe(script->wake), 0);
	ck_assert_int_eq(pthread_create(&script->thread, NULL, run, script), 0);
}

void script_stop(struct script *script)
{
	ck_assert_int_eq(write(script->wake[1], "", 1), 1);
	pthread_join(script->thread, NULL);
	for (int i = 0; i < SCRIPT_CONNS; i++)
		if (script->conns[i].fd >= 0)
			hang_up(script, &script->conns[i]);
	close(script->listener);
	close(script->wake[0]);
	close(script->wake[1]);
}

/* It stays bound until the test's process ends: a program that runs beside this one would get
 * it otherwise, and listen. */
int script_dead_port(void)
{
	int port;
	bind_to(0, &port);
	return port;
}

int64_t script_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
