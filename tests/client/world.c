/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/client/world.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/net/loop.h"

struct klamm_broker *world_broker;
const char *world_servers;

/* --- the broker --- */

void world_start(struct klamm_broker_options options)
{
	struct klamm_error err;
	options.size = sizeof(options);
	ck_assert_msg(klamm_broker_new(&options, &world_broker, &err) == 0, "%s", err.text);
	world_servers = klamm_broker_address(world_broker);
}

void world_up(void)
{
	world_start((struct klamm_broker_options){0});
}

void world_down(void)
{
	klamm_broker_free(world_broker);
	world_broker = NULL;
}

void world_create(const char *topic, int32_t partitions)
{
	struct klamm_error err;
	ck_assert_msg(klamm_broker_create_topic(world_broker, topic, partitions, &err) == 0,
		      "%s", err.text);
}

int64_t world_end_of(const char *topic, int32_t partition)
{
	struct klamm_error err;
	int64_t end;
	ck_assert_msg(klamm_broker_offsets(world_broker, topic, partition, NULL, &end, &err) ==
			      0, "%s", err.text);
	return end;
}

int32_t world_fault(struct klamm_broker_fault fault)
{
	struct klamm_error err;
	int32_t id;
	fault.size = sizeof(fault);
	if (fault.topic == NULL)
		fault.partition = -1;
	ck_assert_msg(klamm_broker_fault_add(world_broker, &fault, &id, &err) == 0, "%s",
		      err.text);
	return id;
}

/* --- clients --- */

static void set_pairs(struct klamm_conf *conf, const char *pair, va_list rest)
{
	struct klamm_error err;
	for (; pair != NULL; pair = va_arg(rest, const char *))
		ck_assert_msg(klamm_conf_set_pair(conf, pair, &err) == 0, "%s", err.text);
}

/* Backoffs so short that tests which provoke them do not take long. */
static struct klamm_conf *begin_conf(void)
{
	static const char *const always[][2] = {
		{"retry.backoff.ms", "5"},
		{"retry.backoff.max.ms", "50"},
		{"reconnect.backoff.ms", "5"},
		{"reconnect.backoff.max.ms", "50"},
	};
	struct klamm_error err;
	struct klamm_conf *conf;
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers", world_servers, &err), 0);
	for (size_t i = 0; i < kl_countof(always); i++)
		ck_assert_int_eq(klamm_conf_set(conf, always[i][0], always[i][1], &err), 0);
	return conf;
}

struct klamm_conf *world_conf(const char *pair, ...)
{
	struct klamm_conf *conf = begin_conf();
	va_list rest;
	va_start(rest, pair);
	set_pairs(conf, pair, rest);
	va_end(rest);
	return conf;
}

struct klamm_producer *world_producer_of(struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct klamm_producer *producer;
	ck_assert_msg(klamm_producer_new(conf, loop, &producer, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
	return producer;
}

struct klamm_consumer *world_consumer_of(struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct klamm_consumer *consumer;
	ck_assert_msg(klamm_consumer_new(conf, loop, &consumer, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
	return consumer;
}

struct klamm_producer *world_producer(struct klamm_loop *loop, const char *pair, ...)
{
	struct klamm_conf *conf = begin_conf();
	va_list rest;
	va_start(rest, pair);
	set_pairs(conf, pair, rest);
	va_end(rest);
	return world_producer_of(conf, loop);
}

struct klamm_producer *world_telling(struct klamm_loop *loop, const char *pair, ...)
{
	struct klamm_conf *conf = begin_conf();
	va_list rest;
	va_start(rest, pair);
	set_pairs(conf, pair, rest);
	va_end(rest);
	struct klamm_producer *producer = world_producer_of(conf, loop);
	ck_assert_int_eq(klamm_producer_on_delivery(producer, world_told, NULL, false, NULL),
			 0);
	return producer;
}

struct klamm_consumer *world_consumer(struct klamm_loop *loop, const char *pair, ...)
{
	struct klamm_conf *conf = begin_conf();
	/* A Fetch at the end of a log holds up those that come after it. */
	klamm_conf_set(conf, "fetch.max.wait.ms", "20", NULL);
	va_list rest;
	va_start(rest, pair);
	set_pairs(conf, pair, rest);
	va_end(rest);
	return world_consumer_of(conf, loop);
}

void world_close(struct klamm_producer *producer)
{
	struct klamm_error err;
	ck_assert_msg(klamm_producer_close(producer, PATIENCE, &err) == 0, "%s", err.text);
}

void world_drop(struct klamm_producer *producer)
{
	klamm_producer_close(producer, 0, NULL);
}

void world_close_consumer(struct klamm_consumer *consumer)
{
	struct klamm_error err;
	ck_assert_msg(klamm_consumer_close(consumer, PATIENCE, &err) == 0, "%s", err.text);
}

/* --- sending --- */

struct klamm_span world_span(const char *text)
{
	return (struct klamm_span){text, text != NULL ? strlen(text) : 0};
}

struct klamm_record world_record(const char *key, const char *value)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.key = world_span(key);
	record.value = world_span(value);
	return record;
}

void world_send(struct klamm_producer *producer, const char *topic, int32_t partition,
		const char *key, const char *value, void *opaque)
{
	struct klamm_error err;
	struct klamm_record record = world_record(key, value);
	record.partition = partition;
	ck_assert_msg(klamm_producer_send_to(producer, topic, &record, opaque, &err) == 0,
		      "%s", err.text);
}

uint64_t world_flush(struct klamm_producer *producer)
{
	struct klamm_error err;
	uint64_t failed;
	ck_assert_msg(klamm_producer_flush(producer, PATIENCE, &failed, &err) == 0, "%s",
		      err.text);
	return failed;
}

void world_told(void *arg, const struct klamm_delivery *d)
{
	struct world_end *end = d->opaque;
	if (end == NULL)
		return;
	end->told++;
	end->partition = d->partition;
	end->error = d->error;
	end->outcome = d->outcome;
	end->retriable = d->retriable;
	end->offset = d->offset;
	end->timestamp_ms = d->timestamp_ms;
	end->key_size = d->key_size;
	end->value_size = d->value_size;
	end->headers_size = d->headers_size;
	end->at_ms = world_ms();
	snprintf(end->topic, sizeof(end->topic), "%s", d->topic);
	snprintf(end->text, sizeof(end->text), "%s", d->text);
}

void world_wait(struct klamm_producer *producer, const struct world_end *end)
{
	struct klamm_error err;
	int64_t deadline = world_ms() + PATIENCE;
	while (end->told == 0 && world_ms() < deadline)
		ck_assert_msg(klamm_producer_poll(producer, 1000, NULL, &err) == 0, "%s",
			      err.text);
	ck_assert_int_eq(end->told, 1);
}

/* --- reading --- */

void world_assign(struct klamm_consumer *consumer, const char *topic, int32_t partition,
		  int64_t offset)
{
	struct klamm_error err;
	struct klamm_topic_partition tp = {topic, partition};
	ck_assert_msg(klamm_consumer_assign(consumer, &tp, 1, &err) == 0, "%s", err.text);
	ck_assert_msg(klamm_consumer_seek(consumer, topic, partition, offset, &err) == 0, "%s",
		      err.text);
}

struct klamm_batch *world_poll(struct klamm_consumer *consumer, struct klamm_error *err)
{
	struct klamm_batch *batch = NULL;
	int64_t deadline = world_ms() + PATIENCE;
	err->code = 0;
	while (batch == NULL && world_ms() < deadline)
		if (klamm_consumer_poll(consumer, 1000, &batch, err) != 0)
			return NULL;
	ck_assert_msg(batch != NULL, "nothing came");
	return batch;
}

static int32_t keep(struct klamm_span from, char *to, size_t size)
{
	snprintf(to, size, "%.*s", (int)kl_min(from.len, size),
		 from.data != NULL ? (const char *)from.data : "");
	return from.data != NULL ? (int32_t)from.len : -1;
}

int world_read(struct klamm_consumer *consumer, int n, struct world_seen *seen)
{
	int have = 0, batches = 0;
	while (have < n) {
		struct klamm_error err;
		struct klamm_record_view view;
		struct klamm_batch *batch = world_poll(consumer, &err);
		ck_assert_msg(batch != NULL, "%s", err.text);
		batches++;
		while (have < n && klamm_batch_next(batch, &view) == 1) {
			struct world_seen *to = &seen[have++];
			to->partition = klamm_batch_partition(batch);
			to->offset = view.offset;
			to->timestamp_ms = view.timestamp_ms;
			to->timestamp_type = view.timestamp_type;
			to->headers = view.header_count;
			to->key_len = keep(view.key, to->key, sizeof(to->key));
			to->value_len = keep(view.value, to->value, sizeof(to->value));
		}
		klamm_batch_unref(batch);
	}
	return batches;
}

/* --- this process --- */

static void nothing(void *arg)
{
}

void world_look(struct klamm_loop *loop)
{
	/* Two calls may be answered between two looks; behind a third one there was one. */
	for (int i = 0; i < 3; i++)
		kl_loop_call(loop, nothing, NULL);
}

int64_t world_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What is joined may be listed for a moment still, when the kernel has other things to do. */
static bool is_ending(const char *tid)
{
	enum { PF_EXITING = 4 }; /* of linux/sched.h */
	char path[300], text[512] = "";
	unsigned flags;
	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", tid);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return true;
	(void)!fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	const char *name_end = strrchr(text, ')'); /* a state and five numbers follow it */
	return name_end == NULL ||
	       sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 ||
	       (flags & PF_EXITING) != 0;
}

int world_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	ck_assert_ptr_nonnull(dir);
	int n = 0;
	const struct dirent *entry;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.' && !is_ending(entry->d_name);
	closedir(dir);
	return n;
}
