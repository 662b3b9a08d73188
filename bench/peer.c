/* SPDX-License-Identifier: BSD-2-Clause */
/* librdkafka under test, by its public interface alone: the same job as client.c.
 *
 * Linked to the librdkafka of the system; LD_PRELOAD puts a newer one in its place.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/job.h"

#define WAIT_MS 30000
/* As client.c does. */
#define POLL_EVERY 1024
/* Messages per call of the fastest way to consume that there is. */
#define TAKE 1024

struct peer {
	struct job *job;
	rd_kafka_t *rk;
	rd_kafka_topic_t *topic;
	char *value;
	int64_t delivered;
	bool failed;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct peer *peer = opaque;
	if (message->err == 0) {
		peer->delivered++;
	} else if (!peer->failed) {
		peer->failed = true;
		job_fail(peer->job, "a record was not delivered: %s",
			 rd_kafka_err2str(message->err));
	}
}

static int set(struct job *job, rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char text[512];
	if (rd_kafka_conf_set(conf, key, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
		return 0;
	return job_fail(job, "%s", text);
}

static int set_pair(struct job *job, rd_kafka_conf_t *conf, const char *pair)
{
	char key[128];
	const char *equals = strchr(pair, '=');
	snprintf(key, sizeof(key), "%.*s", (int)(equals - pair), pair);
	return set(job, conf, key, equals + 1);
}

static int make(struct peer *peer, rd_kafka_type_t type)
{
	struct job *job = peer->job;
	char text[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_opaque(conf, peer);
	int rc = set(job, conf, "bootstrap.servers", job->brokers);
	if (type == RD_KAFKA_PRODUCER) {
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	} else { /* assign() alone, but the interface wants a name */
		rc |= set(job, conf, "group.id", "bench");
		rc |= set(job, conf, "enable.auto.commit", "false");
	}
	for (int i = 0; i < job->setting_count; i++)
		rc |= set_pair(job, conf, job->settings[i]);
	if (rc != 0) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	peer->rk = rd_kafka_new(type, conf, text, sizeof(text));
	return peer->rk != NULL ? 0 : job_fail(job, "%s", text);
}

/* --- there --- */

static int send_some(struct peer *peer, int64_t count)
{
	int64_t before = peer->delivered;
	for (int64_t i = 0; i < count; i++) {
		while (rd_kafka_produce(peer->topic, RD_KAFKA_PARTITION_UA,
					RD_KAFKA_MSG_F_COPY, peer->value,
					(size_t)peer->job->size, NULL, 0, peer) != 0) {
			if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
				return job_fail(peer->job, "%s",
						rd_kafka_err2str(rd_kafka_last_error()));
			rd_kafka_poll(peer->rk, 10);
		}
		if (i % POLL_EVERY == 0)
			rd_kafka_poll(peer->rk, 0);
	}
	if (rd_kafka_flush(peer->rk, WAIT_MS) != 0 || peer->delivered - before != count)
		return job_fail(peer->job, "%lld of %lld records were delivered",
				(long long)(peer->delivered - before), (long long)count);
	return 0;
}

static int produce(struct peer *peer)
{
	struct job *job = peer->job;
	if (make(peer, RD_KAFKA_PRODUCER) != 0)
		return 1;
	peer->topic = rd_kafka_topic_new(peer->rk, job->topic, NULL);
	peer->value = job_value(job);
	int rc = peer->topic != NULL && peer->value != NULL ? send_some(peer, job->warm_up)
							    : job_fail(job, "out of memory");
	if (rc == 0) {
		job_start(job);
		rc = send_some(peer, job->records);
		job_tell(job);
	}
	free(peer->value);
	if (peer->topic != NULL)
		rd_kafka_topic_destroy(peer->topic);
	rd_kafka_destroy(peer->rk);
	return rc;
}

/* --- and back --- */

static int read_some(struct peer *peer, rd_kafka_queue_t *queue, int64_t count)
{
	static rd_kafka_message_t *messages[TAKE];
	int64_t seen = 0;
	while (seen < count) {
		ssize_t n = rd_kafka_consume_batch_queue(queue, WAIT_MS, messages, TAKE);
		if (n <= 0)
			return job_fail(peer->job, "no more records after %lld",
					(long long)seen);
		for (ssize_t i = 0; i < n; i++) {
			if (messages[i]->err == 0) {
				if (messages[i]->len != (size_t)peer->job->size)
					return job_fail(peer->job, "a value is of %zu bytes",
							messages[i]->len);
				seen++;
			} else if (!peer->failed) {
				peer->failed = true;
				job_fail(peer->job, "%s",
					 rd_kafka_message_errstr(messages[i]));
			}
			rd_kafka_message_destroy(messages[i]);
		}
	}
	peer->job->records = seen;
	return 0;
}

static int assign(struct peer *peer)
{
	struct job *job = peer->job;
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(job->partitions);
	for (int i = 0; i < job->partitions; i++)
		rd_kafka_topic_partition_list_add(list, job->topic, i)->offset = 0;
	rd_kafka_resp_err_t rc = rd_kafka_assign(peer->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return rc == 0 ? 0 : job_fail(job, "%s", rd_kafka_err2str(rc));
}

static int consume(struct peer *peer)
{
	struct job *job = peer->job;
	int64_t records = job->records;
	if (make(peer, RD_KAFKA_CONSUMER) != 0)
		return 1;
	rd_kafka_poll_set_consumer(peer->rk);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(peer->rk);
	int rc = assign(peer);
	if (rc == 0)
		rc = read_some(peer, queue, job->warm_up);
	if (rc == 0) {
		job_start(job);
		rc = read_some(peer, queue, records);
		job_tell(job);
	}
	rd_kafka_assign(peer->rk, NULL);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(peer->rk);
	return rc;
}

int main(int argc, char **argv)
{
	struct job job;
	struct peer peer = {.job = &job};
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts(rd_kafka_version_str());
		return 0;
	}
	job_read(&job, argc, argv);
	return job.produce ? produce(&peer) : consume(&peer);
}
