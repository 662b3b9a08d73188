/* SPDX-License-Identifier: BSD-2-Clause */
/* Records into a broker and back, through the plugins that a configuration file names.
 *
 *   roundtrip CONFIG BROKERS TOPIC RECORDS
 *
 * Sends keyed JSON records, reads all of them, and checks that each came back once and in
 * order within its key. Shows rates, and which plugin files the process has in use. Only
 * klamm's public interface is used. scripts/demo runs it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <klamm/klamm.h>
#include <klamm/serializer.h>

#define KEYS 1000
#define PARTITIONS_MAX 64
#define WAIT_MS 30000

struct demo {
	const char *topic;
	int64_t records;
	int64_t delivered, failed;
};

static double seconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int complain(const char *what, const struct klamm_error *err)
{
	fprintf(stderr, "roundtrip: %s: %s\n", what, err->text);
	return 1;
}

static struct klamm_span text(const char *s)
{
	return (struct klamm_span){s, strlen(s)};
}

static struct klamm_value string_value(const char *s)
{
	return (struct klamm_value){.type = KLAMM_VALUE_STRING, .as.bytes = text(s)};
}

static struct klamm_value int_value(int64_t n)
{
	return (struct klamm_value){.type = KLAMM_VALUE_INT, .as.integer = n};
}

/* --- there --- */

static void on_delivery(void *arg, const struct klamm_delivery *d)
{
	struct demo *demo = arg;
	if (d->error == 0) {
		demo->delivered++;
	} else if (demo->failed++ == 0) {
		fprintf(stderr, "roundtrip: a record was not delivered: %s\n", d->text);
	}
}

static int send_one(struct klamm_producer *producer, struct klamm_topic *topic, int64_t i,
		    struct klamm_error *err)
{
	char key[32];
	snprintf(key, sizeof(key), "user-%" PRId64, i % KEYS);
	struct klamm_entry members[] = {
		{string_value("user"), string_value(key)},
		{string_value("visit"), int_value(i / KEYS)},
		{string_value("page"), string_value("/articles/klamm")},
		{string_value("agent"), string_value("Mozilla/5.0 (X11; Linux x86_64)")},
	};
	struct klamm_value key_value = string_value(key);
	struct klamm_value value = {
		.type = KLAMM_VALUE_MAP,
		.as.map = {members, sizeof(members) / sizeof(members[0])},
	};
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.key_value = &key_value;
	record.value_value = &value;
	return klamm_producer_send(producer, topic, &record, NULL, err);
}

static int send_all(const struct klamm_conf *conf, struct demo *demo)
{
	struct klamm_error err;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	if (klamm_producer_new(conf, NULL, &producer, &err) != 0)
		return complain("making a producer", &err);
	klamm_producer_on_delivery(producer, on_delivery, demo, true, NULL);
	int rc = klamm_producer_topic(producer, demo->topic, &topic, &err);
	double start = seconds();
	for (int64_t i = 0; rc == 0 && i < demo->records; i++) {
		rc = send_one(producer, topic, i, &err);
		if (i % 1024 == 0)
			klamm_producer_poll(producer, 0, NULL, NULL);
	}
	if (rc == 0)
		rc = klamm_producer_flush(producer, WAIT_MS, NULL, &err);
	double took = seconds() - start;
	klamm_topic_unref(topic);
	klamm_producer_close(producer, WAIT_MS, NULL);
	if (rc != 0)
		return complain("sending", &err);
	printf("sent %" PRId64 " records in %.2f s: %.0f a second, %" PRId64 " acknowledged\n",
	       demo->records, took, (double)demo->records / took, demo->delivered);
	return demo->delivered == demo->records ? 0 : 1;
}

/* --- and back --- */

static const struct klamm_value *member(const struct klamm_value *map, const char *name)
{
	for (size_t i = 0; map->type == KLAMM_VALUE_MAP && i < map->as.map.count; i++) {
		const struct klamm_entry *entry = &map->as.map.entries[i];
		if (entry->key.as.bytes.len == strlen(name) &&
		    memcmp(entry->key.as.bytes.data, name, strlen(name)) == 0)
			return &entry->value;
	}
	return NULL;
}

/* The visits of a user are numbered from 0, so the next one of each is known. */
static int check_record(struct klamm_batch *batch, const struct klamm_record_view *view,
			int64_t *next)
{
	struct klamm_error err;
	const struct klamm_value *key, *value;
	if (klamm_record_key(batch, view, &key, &err) != 0 ||
	    klamm_record_value(batch, view, &value, &err) != 0)
		return complain("reading a record", &err);
	char name[32];
	int user;
	snprintf(name, sizeof(name), "%.*s", (int)key->as.bytes.len,
		 (const char *)key->as.bytes.data);
	const struct klamm_value *visit = member(value, "visit");
	if (sscanf(name, "user-%d", &user) != 1 || user < 0 || user >= KEYS || visit == NULL) {
		fprintf(stderr, "roundtrip: a record of somebody else: key %s\n", name);
		return 1;
	}
	if (visit->as.integer != next[user]) {
		fprintf(stderr, "roundtrip: %s: visit %" PRId64 " came where %" PRId64
			" was next\n", name, visit->as.integer, next[user]);
		return 1;
	}
	next[user]++;
	return 0;
}

static int read_batches(struct klamm_consumer *consumer, struct demo *demo, int64_t *next)
{
	struct klamm_error err;
	int64_t seen = 0;
	while (seen < demo->records) {
		struct klamm_batch *batch;
		if (klamm_consumer_poll(consumer, WAIT_MS, &batch, &err) != 0)
			return complain("reading", &err);
		if (batch == NULL) {
			fprintf(stderr, "roundtrip: only %" PRId64 " records came back\n", seen);
			return 1;
		}
		struct klamm_record_view view;
		int rc;
		while ((rc = klamm_batch_next(batch, &view)) == 1) {
			if (check_record(batch, &view, next) != 0)
				return 1;
			seen++;
		}
		klamm_batch_unref(batch);
		if (rc < 0) {
			fprintf(stderr, "roundtrip: a batch is broken: %s\n", klamm_err_text(rc));
			return 1;
		}
	}
	return 0;
}

/* Nothing may be left behind the last one. */
static int check_end(struct klamm_consumer *consumer, const struct demo *demo)
{
	struct klamm_batch *batch;
	struct klamm_error err;
	if (klamm_consumer_poll(consumer, 200, &batch, &err) != 0)
		return complain("reading", &err);
	if (batch == NULL)
		return 0;
	fprintf(stderr, "roundtrip: more came back than the %" PRId64 " sent\n", demo->records);
	klamm_batch_unref(batch);
	return 1;
}

static int read_all(const struct klamm_conf *conf, struct demo *demo)
{
	static int64_t next[KEYS];
	struct klamm_topic_partition partitions[PARTITIONS_MAX];
	struct klamm_error err;
	struct klamm_consumer *consumer;
	if (klamm_consumer_new(conf, NULL, &consumer, &err) != 0)
		return complain("making a consumer", &err);
	int32_t count;
	int rc = klamm_consumer_partitions_for(consumer, demo->topic, WAIT_MS, &count, &err);
	if (rc != 0)
		return complain("asking for partitions", &err);
	if (count > PARTITIONS_MAX)
		count = PARTITIONS_MAX;
	for (int32_t i = 0; i < count; i++)
		partitions[i] = (struct klamm_topic_partition){demo->topic, i};
	if (klamm_consumer_assign(consumer, partitions, (size_t)count, &err) != 0)
		return complain("assigning", &err);
	double start = seconds();
	rc = read_batches(consumer, demo, next);
	double took = seconds() - start;
	if (rc == 0)
		rc = check_end(consumer, demo);
	klamm_consumer_close(consumer, WAIT_MS, NULL);
	if (rc == 0)
		printf("read %" PRId64 " records from %d partitions in %.2f s: %.0f a second\n"
		       "each came back once, and in order within its key\n",
		       demo->records, count, took, (double)demo->records / took);
	return rc;
}

/* What the configuration made this process load. */
static int show_plugins(void)
{
	char line[4352], last[4352] = "";
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	if (maps == NULL)
		return 1;
	printf("plugin files in use:\n");
	while (fgets(line, sizeof(line), maps) != NULL) {
		char *path = strchr(line, '/'), *name = strrchr(line, '/');
		if (path == NULL || (strncmp(name, "/codec_", 7) != 0 &&
				     strncmp(name, "/partitioner_", 13) != 0 &&
				     strncmp(name, "/serializer_", 12) != 0))
			continue;
		if (strcmp(path, last) != 0) {
			printf("  %s", path);
			count++;
		}
		strcpy(last, path);
	}
	fclose(maps);
	return count > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct klamm_error err;
	struct klamm_conf *conf;
	if (argc != 5) {
		fprintf(stderr, "usage: roundtrip CONFIG BROKERS TOPIC RECORDS\n");
		return 2;
	}
	struct demo demo = {.topic = argv[3], .records = atoll(argv[4])};
	if (klamm_conf_new(&conf, &err) != 0 ||
	    klamm_conf_load(conf, argv[1], NULL, NULL, &err) != 0 ||
	    klamm_conf_set(conf, "bootstrap.servers", argv[2], &err) != 0) {
		fprintf(stderr, "roundtrip: %s\n", err.text);
		return 2;
	}
	int rc = send_all(conf, &demo);
	if (rc == 0)
		rc = read_all(conf, &demo);
	if (rc == 0)
		rc = show_plugins();
	klamm_conf_free(conf);
	return rc;
}
