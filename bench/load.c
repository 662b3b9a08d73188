/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 30000
/* Deliveries are asked for this often. An application does it once per round of its own. */
#define POLL_EVERY 1024

int load_conf(const struct job *job, struct klamm_conf **conf_out)
{
	struct klamm_error err;
	if (klamm_conf_new(conf_out, &err) != 0)
		return job_fail(job, "%s", err.text);
	int rc = klamm_conf_set(*conf_out, "bootstrap.servers", job->brokers, &err);
	for (int i = 0; rc == 0 && i < job->setting_count; i++)
		rc = klamm_conf_set_pair(*conf_out, job->settings[i], &err);
	if (rc == 0)
		return 0;
	klamm_conf_free(*conf_out);
	return job_fail(job, "%s", err.text);
}

static void mark(struct job *job, struct klamm_topic *topic)
{
	if (job->mark != NULL)
		job->mark(job, topic);
}

/* --- there --- */

struct producing {
	struct job *job;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	struct klamm_record record;
	int64_t delivered, failed;
};

static void on_delivery(void *arg, const struct klamm_delivery *d)
{
	struct producing *p = arg;
	if (d->error == 0)
		p->delivered++;
	else if (p->failed++ == 0)
		job_fail(p->job, "a record was not delivered: %s", d->text);
}

/* Every record has an opaque, and so an outcome of its own, as librdkafka's reports have. */
static int send_some(struct producing *p, int64_t count)
{
	struct klamm_error err;
	int64_t before = p->delivered;
	for (int64_t i = 0; i < count; i++) {
		if (klamm_producer_send(p->producer, p->topic, &p->record, p, &err) != 0)
			return job_fail(p->job, "%s", err.text);
		if (i % POLL_EVERY == 0)
			klamm_producer_poll(p->producer, 0, NULL, NULL);
	}
	if (klamm_producer_flush(p->producer, WAIT_MS, NULL, &err) != 0)
		return job_fail(p->job, "%s", err.text);
	if (p->delivered - before != count)
		return job_fail(p->job, "%lld of %lld records were delivered",
				(long long)(p->delivered - before), (long long)count);
	return 0;
}

static int produce_with(struct producing *p)
{
	struct job *job = p->job;
	struct klamm_error err;
	klamm_producer_on_delivery(p->producer, on_delivery, p, false, NULL);
	if (klamm_producer_topic(p->producer, job->topic, &p->topic, &err) != 0)
		return job_fail(job, "%s", err.text);
	char *value = job_value(job);
	klamm_record_init(&p->record);
	p->record.value = (struct klamm_span){value, (size_t)job->size};
	int rc = value != NULL ? send_some(p, job->warm_up) : job_fail(job, "out of memory");
	if (rc == 0) {
		mark(job, p->topic);
		job_start(job);
		rc = send_some(p, job->records);
		job_tell(job);
		mark(job, p->topic);
	}
	free(value);
	klamm_topic_unref(p->topic);
	return rc;
}

static int produce(struct job *job, const struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct producing p = {.job = job};
	if (klamm_producer_new(conf, loop, &p.producer, &err) != 0)
		return job_fail(job, "%s", err.text);
	int rc = produce_with(&p);
	if (klamm_producer_close(p.producer, WAIT_MS, &err) != 0 && rc == 0)
		rc = job_fail(job, "%s", err.text);
	return rc;
}

/* --- and back --- */

struct consuming {
	struct job *job;
	struct klamm_consumer *consumer;
	int64_t seen;
	uint64_t bytes;
};

static int read_batch(struct consuming *c, struct klamm_batch *batch)
{
	struct klamm_record_view view;
	int rc;
	while ((rc = klamm_batch_next(batch, &view)) == 1) {
		c->bytes += view.value.len;
		c->seen++;
	}
	return rc < 0 ? job_fail(c->job, "%s", klamm_err_text(rc)) : 0;
}

/* Whole batches, so it may be some records more. */
static int read_some(struct consuming *c, int64_t until)
{
	struct klamm_error err;
	while (c->seen < until) {
		struct klamm_batch *batch;
		if (klamm_consumer_poll(c->consumer, WAIT_MS, &batch, &err) != 0)
			return job_fail(c->job, "%s", err.text);
		if (batch == NULL)
			return job_fail(c->job, "no more records after %lld",
					(long long)c->seen);
		int rc = read_batch(c, batch);
		klamm_batch_unref(batch);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int assign(struct consuming *c)
{
	struct klamm_error err;
	struct job *job = c->job;
	struct klamm_topic_partition *list = calloc((size_t)job->partitions, sizeof(*list));
	if (list == NULL)
		return job_fail(job, "out of memory");
	for (int i = 0; i < job->partitions; i++) {
		list[i].topic = job->topic;
		list[i].partition = i;
	}
	int rc = klamm_consumer_assign(c->consumer, list, (size_t)job->partitions, &err);
	for (int i = 0; rc == 0 && i < job->partitions; i++)
		rc = klamm_consumer_seek(c->consumer, job->topic, i, 0, &err);
	free(list);
	return rc == 0 ? 0 : job_fail(job, "%s", err.text);
}

static int consume(struct job *job, const struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct consuming c = {.job = job};
	if (klamm_consumer_new(conf, loop, &c.consumer, &err) != 0)
		return job_fail(job, "%s", err.text);
	int rc = assign(&c);
	if (rc == 0)
		rc = read_some(&c, job->warm_up);
	if (rc == 0) {
		int64_t from = c.seen;
		uint64_t bytes = c.bytes;
		mark(job, NULL);
		job_start(job);
		rc = read_some(&c, from + job->records);
		job->records = c.seen - from;
		job_tell(job);
		mark(job, NULL);
		if (rc == 0 && c.bytes - bytes != (uint64_t)job->records * (uint64_t)job->size)
			rc = job_fail(job, "the values are not of %d bytes", job->size);
	}
	klamm_consumer_close(c.consumer, WAIT_MS, NULL);
	return rc;
}

int load_run(struct job *job, struct klamm_loop *loop)
{
	struct klamm_conf *conf;
	if (load_conf(job, &conf) != 0)
		return 1;
	int rc = job->produce ? produce(job, conf, loop) : consume(job, conf, loop);
	klamm_conf_free(conf);
	return rc;
}
