/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/consumer/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/endian.h"
#include "core/record/batch.h"
#include "core/record/batch_read.h"
#include "tests/client/world.h"

struct keeper keeper;
static size_t frame_bytes; /* of the request that is being read */

static void refuse(const char *what, int64_t n)
{
	fprintf(stderr, "keeper: %s (%lld)\n", what, (long long)n);
	abort();
}

/* --- what it is told --- */

static struct keeper_part *part_of(int32_t partition)
{
	if (partition < 0 || partition >= KEEPER_PARTITIONS)
		refuse("no such partition", partition);
	return &keeper.parts[partition];
}

static void take(const struct kl_fetch_request *body, struct keeper_fetch *seen)
{
	for (int32_t t = 0; t < body->topics_n; t++) {
		for (int32_t i = 0; i < body->topics[t].partitions_n; i++) {
			const struct kl_fetch_request_partition *asked =
				&body->topics[t].partitions[i];
			struct keeper_part *part = part_of(asked->partition);
			if (body->session_epoch > 0 && part->in &&
			    part->offset == asked->fetch_offset)
				refuse("told what is known", asked->partition);
			if (!part->in)
				part->told_high = -1;
			part->in = true;
			part->offset = asked->fetch_offset;
			if (seen->named++ > 0)
				continue;
			seen->first = asked->partition;
			seen->offset = asked->fetch_offset;
			seen->last_epoch = asked->last_fetched_epoch;
			seen->topic_id = body->topics[t].topic_id;
		}
	}
}

static void forget(const struct kl_fetch_request *body, struct keeper_fetch *seen)
{
	for (int32_t t = 0; t < body->forgotten_topics_data_n; t++) {
		for (int32_t i = 0; i < body->forgotten_topics_data[t].partitions_n; i++) {
			int32_t index = body->forgotten_topics_data[t].partitions[i];
			if (!part_of(index)->in)
				refuse("forgets what is not known", index);
			part_of(index)->in = false;
			if (seen->forgotten++ == 0)
				seen->first_forgotten = index;
		}
	}
}

/* 0, or what is wrong with the session. */
static int enter(const struct kl_fetch_request *body, struct keeper_fetch *seen)
{
	if (keeper.answer_error != 0) {
		int error = keeper.answer_error;
		keeper.answer_error = 0;
		return error;
	}
	if (body->session_epoch <= 0) {
		for (int i = 0; i < KEEPER_PARTITIONS; i++)
			keeper.parts[i].in = false;
		keeper.id = keeper.epoch = 0;
	} else if (keeper.id == 0 || body->session_id != keeper.id) {
		refuse("no such session", body->session_id);
	} else if (body->session_epoch != keeper.epoch) {
		refuse("not the epoch of the session", body->session_epoch);
	}
	take(body, seen);
	forget(body, seen);
	if (body->session_epoch == 0 && !keeper.none)
		keeper.id = ++keeper.next_id;
	if (keeper.id != 0)
		keeper.epoch++;
	return 0;
}

/* --- what it answers --- */

/* Has it news? A full Fetch gets everything. */
static bool has_news(const struct keeper_part *part, bool full)
{
	if (!part->in)
		return false;
	return full || part->error != 0 || part->offset < part->end ||
	       part->told_high != part->end;
}

static void tell(int32_t index, struct kl_fetch_response_partition *out)
{
	struct keeper_part *part = &keeper.parts[index];
	out->partition_index = index;
	out->error_code = (int16_t)part->error;
	out->high_watermark = out->last_stable_offset = part->error != 0 ? -1 : part->end;
	out->log_start_offset = 0;
	out->records = (struct kl_bytes){(const uint8_t *)"", 0};
	part->told_high = out->high_watermark;
	if (part->error != 0 || part->offset >= part->end)
		return;
	size_t from = keeper.at[part->offset];
	out->records = (struct kl_bytes){keeper.bytes + from,
					 (int32_t)(keeper.at[part->end] - from)};
}

static struct kl_fetch_response *answer_of(const struct script_request *request, bool full)
{
	struct kl_fetch_response *body = SCRIPT_BODY(fetch, request);
	struct kl_fetch_response_topic *topic =
		kl_type_new(&kl_type_fetch_response_topic, request->arena, 1);
	topic->topic = KL_STR("t");
	topic->topic_id = script_topic_id("t", 1);
	topic->partitions = kl_type_new(&kl_type_fetch_response_partition, request->arena,
					KEEPER_PARTITIONS + 1);
	topic->partitions_n = 0;
	for (int32_t i = 0; i < KEEPER_PARTITIONS; i++)
		if (has_news(&keeper.parts[i], full))
			tell(i, &topic->partitions[topic->partitions_n++]);
	if (keeper.strange != 0)
		tell(keeper.strange, &topic->partitions[topic->partitions_n++]);
	keeper.strange = 0;
	body->session_id = keeper.id;
	body->responses = topic;
	body->responses_n = topic->partitions_n > 0 ? 1 : 0;
	return body;
}

static bool on_frame(struct script *script, int fd, const uint8_t *p, size_t n)
{
	(void)script, (void)fd, (void)p;
	frame_bytes = n;
	return false;
}

static void on_fetch(const struct script_request *request)
{
	const struct kl_fetch_request *asked = request->body;
	/* Before version 7 there is no word of sessions. */
	bool ends = asked->session_epoch < 0 && request->header.version >= 7;
	bool full = asked->session_epoch <= 0;
	struct keeper_fetch seen = {.id = asked->session_id, .epoch = asked->session_epoch,
				    .first = -1, .first_forgotten = -1,
				    .version = request->header.version,
				    .request_bytes = frame_bytes};
	int error = enter(asked, &seen);
	struct kl_fetch_response *body = answer_of(request, full);
	if (error != 0) {
		body = SCRIPT_BODY(fetch, request);
		body->error_code = (int16_t)error;
	}
	keeper.full += asked->session_epoch == 0;
	keeper.ends += ends;
	keeper.last = seen;
	if (ends)
		keeper.last_end = seen;
	uint8_t *bytes = script_encode(request, body, &keeper.last.answer_bytes);
	script_send(request->fd, bytes, keeper.last.answer_bytes);
	free(bytes);
	keeper.fetches++;
}

static bool handle(const struct script_request *request)
{
	if (request->header.api != KL_API_FETCH)
		return false;
	usleep(5000); /* as a broker that waits for records */
	pthread_mutex_lock(&keeper.mutex);
	bool hang_up = keeper.hang_up;
	keeper.hang_up = false;
	if (hang_up)
		script_hang_up(request);
	else
		on_fetch(request);
	pthread_mutex_unlock(&keeper.mutex);
	return true;
}

/* --- its life --- */

static bool keep_batch(const struct script_request *request)
{
	static int count;
	if (request->header.api != KL_API_PRODUCE)
		return false;
	const struct kl_produce_request *body = request->body;
	struct kl_bytes records = body->topic_data[0].partition_data[0].records;
	uint8_t *to = keeper.bytes + keeper.at[count];
	ck_assert_int_lt(count, 3);
	ck_assert_uint_le(keeper.at[count] + (size_t)records.len, KEEPER_LOG);
	memcpy(to, records.p, (size_t)records.len);
	kl_store_u64(to, (uint64_t)count); /* where it would be in a log */
	kl_store_u32(to + 12, 7);          /* the leader's epoch, which no CRC covers */
	keeper.at[count + 1] = keeper.at[count] + (size_t)records.len;
	count++;
	return false;
}

static void make_log(void)
{
	struct script script = {.handle = keep_batch};
	script_start(&script);
	world_servers = script.address;
	struct klamm_producer *producer = world_producer(NULL, "batch.size=0", NULL);
	for (int i = 0; i < 3; i++) {
		world_send(producer, "t", 0, "key", "value", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	world_close(producer);
	script_stop(&script);
}

void keeper_start(int partitions)
{
	int below = keeper.script.below[KL_API_FETCH];
	pthread_mutex_init(&keeper.mutex, NULL);
	make_log();
	keeper.script = (struct script){.handle = handle, .frame = on_frame};
	keeper.script.partitions = partitions;
	keeper.script.below[KL_API_FETCH] = below;
	keeper.next_id = 100;
	script_start(&keeper.script);
	world_servers = keeper.script.address;
}

void keeper_stop(void)
{
	script_stop(&keeper.script);
}

struct keeper_fetch keeper_wait(int more)
{
	pthread_mutex_lock(&keeper.mutex);
	int want = keeper.fetches + more;
	for (int64_t end = world_ms() + PATIENCE; keeper.fetches < want;) {
		ck_assert_msg(world_ms() < end, "no Fetch comes");
		pthread_mutex_unlock(&keeper.mutex);
		usleep(1000);
		pthread_mutex_lock(&keeper.mutex);
	}
	struct keeper_fetch last = keeper.last;
	pthread_mutex_unlock(&keeper.mutex);
	return last;
}

void keeper_until(bool (*holds)(void))
{
	for (int64_t end = world_ms() + PATIENCE;;) {
		pthread_mutex_lock(&keeper.mutex);
		bool done = holds();
		pthread_mutex_unlock(&keeper.mutex);
		if (done)
			return;
		ck_assert_msg(world_ms() < end, "the session does not become so");
		usleep(1000);
	}
}

void keeper_grow(int32_t partition, int64_t end)
{
	pthread_mutex_lock(&keeper.mutex);
	keeper.parts[partition].end = end;
	pthread_mutex_unlock(&keeper.mutex);
}
