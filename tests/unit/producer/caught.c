/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/producer/caught.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/record/batch_read.h"

struct script caught_script;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct caught now, copy;
static bool holding;
static struct {
	int fd; /* of its own: the connection's may be another one's by then */
	uint8_t *answer;
	size_t len;
} held[64];
static int held_count;

static size_t keep_batches(const struct kl_produce_request_partition *partition)
{
	struct kl_batch_head head;
	struct kl_bytes records = partition->records;
	size_t at = 0, n = 0;
	while (kl_batch_peek(records.p + at, (size_t)records.len - at, &head) ==
	       KL_BATCH_WHOLE) {
		size_t size = kl_batch_size(&head);
		ck_assert_int_lt(now.batches, CAUGHT_MAX);
		now.batch[now.batches].partition = partition->index;
		now.batch[now.batches++].head = head;
		now.records += head.record_count;
		now.bytes += size;
		now.largest_batch = kl_max(now.largest_batch, size);
		at += size;
		n++;
	}
	ck_assert_uint_eq(at, (size_t)records.len);
	return n;
}

static void keep(const struct kl_produce_request *request)
{
	size_t batches = 0;
	if (request->topic_data_n == 0)
		return; /* whether those before were read, with acks=0 */
	now.acks = request->acks;
	now.timeout_ms = request->timeout_ms;
	now.requests++;
	for (int32_t t = 0; t < request->topic_data_n; t++)
		for (int32_t i = 0; i < request->topic_data[t].partition_data_n; i++)
			batches += keep_batches(&request->topic_data[t].partition_data[i]);
	now.most_batches = kl_max(now.most_batches, (int32_t)batches);
}

/* Metadata as well: it may come on the same connection, where answers keep their order. */
static bool handle(const struct script_request *request)
{
	bool produce = request->header.api == KL_API_PRODUCE;
	if (!produce && request->header.api != KL_API_METADATA)
		return false;
	pthread_mutex_lock(&mutex);
	if (produce)
		keep(request->body);
	bool hold = holding;
	if (hold) {
		const void *body = produce ? (void *)script_produce(request)
					   : (void *)script_metadata(request);
		ck_assert_int_lt(held_count, (int)kl_countof(held));
		held[held_count].fd = dup(request->fd);
		ck_assert_int_ge(held[held_count].fd, 0);
		held[held_count].answer = script_encode(request, body, &held[held_count].len);
		held_count++;
	}
	pthread_mutex_unlock(&mutex);
	return hold;
}

void caught_up(void)
{
	caught_script = (struct script){.handle = handle, .partitions = 4};
	script_start(&caught_script);
	world_servers = caught_script.address;
}

void caught_down(void)
{
	script_stop(&caught_script);
}

const struct caught *caught(void)
{
	pthread_mutex_lock(&mutex);
	copy = now;
	pthread_mutex_unlock(&mutex);
	return &copy;
}

void caught_hold(void)
{
	pthread_mutex_lock(&mutex);
	holding = true;
	pthread_mutex_unlock(&mutex);
}

void caught_release(void)
{
	pthread_mutex_lock(&mutex);
	holding = false;
	for (int i = 0; i < held_count; i++) {
		script_send(held[i].fd, held[i].answer, held[i].len);
		close(held[i].fd);
		free(held[i].answer);
	}
	held_count = 0;
	pthread_mutex_unlock(&mutex);
}

void caught_wait(int32_t requests)
{
	int64_t deadline = world_ms() + PATIENCE;
	while (caught()->requests < requests && world_ms() < deadline)
		usleep(1000);
	ck_assert_int_ge(caught()->requests, requests);
}
