/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugin jsonl: each line is JSON, and has what the snapshot has. */
#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/client/world.h"

static char *file;

static void up_file(void)
{
	char *folder = unit_tmp();
	world_up();
	world_create("t", 1);
	ck_assert_int_gt(asprintf(&file, "%s/figures", folder), 0);
	free(folder);
}

static struct klamm_producer *with_file(const char *groups)
{
	char to[1000], only[200];
	snprintf(to, sizeof(to), "metrics.jsonl.file=%s", file);
	snprintf(only, sizeof(only), "metrics.jsonl.groups=%s", groups);
	return world_producer(NULL, "metric.reporters=jsonl", to, only, "client.id=\"a\n\xff",
			      "metrics.recording.level=DEBUG", NULL);
}

static json_object *member(json_object *of, const char *name)
{
	json_object *found;
	ck_assert_msg(json_object_object_get_ex(of, name, &found), "no %s", name);
	return found;
}

/* Lines of the file, each of which is one object; the last one goes to *last_out. */
static int read_lines(json_object **last_out)
{
	char *line = NULL;
	size_t cap = 0;
	int n = 0;
	FILE *in = fopen(file, "r");
	ck_assert_ptr_nonnull(in);
	*last_out = NULL;
	while (getline(&line, &cap, in) > 0) {
		json_object_put(*last_out);
		*last_out = json_tokener_parse(line);
		ck_assert_msg(*last_out != NULL, "%s", line);
		n++;
	}
	fclose(in);
	free(line);
	return n;
}

START_TEST(jsonl_writes_what_a_snapshot_has)
{
	struct klamm_producer *producer = with_file("");
	for (int i = 0; i < 10; i++)
		world_send(producer, "t", 0, NULL, "v", NULL);
	world_close(producer);
	json_object *line;
	ck_assert_int_eq(read_lines(&line), 1);
	ck_assert(json_object_get_boolean(member(line, "last")));
	ck_assert_str_eq(json_object_get_string(member(line, "client_id")),
			 "\"a\n\xef\xbf\xbd");
	ck_assert_int_gt(json_object_get_int64(member(line, "time_ms")), 1700000000000);
	json_object *metrics = member(line, "metrics");
	int sent = 0, spread = 0;
	for (size_t i = 0; i < json_object_array_length(metrics); i++) {
		json_object *m = json_object_array_get_idx(metrics, i);
		const char *name = json_object_get_string(member(m, "name"));
		member(m, "unit");
		if (strcmp(name, "record-send-total") == 0)
			sent += json_object_get_int(member(m, "value"));
		if (strcmp(name, "record-queue-time") == 0)
			spread = json_object_get_int(member(member(m, "value"), "count"));
	}
	ck_assert_int_eq(sent, 20); /* of the client, and of the topic */
	ck_assert_int_ge(spread, 1);
	json_object_put(line);
}
END_TEST

START_TEST(opt_metrics_jsonl_groups)
{
	world_close(with_file("app-info, producer-metrics"));
	world_close(with_file("nosuch"));
	json_object *line;
	ck_assert_int_eq(read_lines(&line), 2); /* a second client adds */
	ck_assert_uint_eq(json_object_array_length(member(line, "metrics")), 0);
	json_object_put(line);
	ck_assert_int_eq(unlink(file), 0);
	world_close(with_file("app-info , producer-metrics"));
	ck_assert_int_eq(read_lines(&line), 1);
	json_object *metrics = member(line, "metrics");
	ck_assert_uint_gt(json_object_array_length(metrics), 10);
	for (size_t i = 0; i < json_object_array_length(metrics); i++) {
		json_object *m = json_object_array_get_idx(metrics, i);
		const char *group = json_object_get_string(member(m, "group"));
		ck_assert(strcmp(group, "app-info") == 0 ||
			  strcmp(group, "producer-metrics") == 0);
	}
	json_object_put(line);
}
END_TEST

/* A folder that is not there is told when the client is made. */
START_TEST(opt_metrics_jsonl_file)
{
	struct klamm_producer *producer;
	struct klamm_error err;
	struct klamm_conf *conf = world_conf("metric.reporters=jsonl",
					     "metrics.jsonl.file=/nowhere/at/all", NULL);
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), KLAMM_ERR_IO);
	ck_assert_msg(strcmp(err.text, "metrics jsonl: cannot open /nowhere/at/all: No such "
				       "file or directory") == 0, "%s", err.text);
	klamm_conf_free(conf);
}
END_TEST

/* A fifo whose reader has stopped reading fills up; the report gives up, and says so. */
static pthread_mutex_t saying = PTHREAD_MUTEX_INITIALIZER;
static char said[4000];

static void keep(void *arg, int32_t level, const char *where, const char *text)
{
	if (strcmp(where, "metrics") != 0)
		return;
	pthread_mutex_lock(&saying);
	snprintf(said, sizeof(said), "%s", text);
	pthread_mutex_unlock(&saying);
}

static bool was_said(const char *text)
{
	pthread_mutex_lock(&saying);
	bool yes = strstr(said, text) != NULL;
	pthread_mutex_unlock(&saying);
	return yes;
}

START_TEST(a_reader_that_sleeps_holds_up_nobody)
{
	char to[1000];
	snprintf(to, sizeof(to), "metrics.jsonl.file=%s", file);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	int reader = open(file, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	struct klamm_conf *conf = world_conf("metric.reporters=jsonl", to,
					     "klamm.metrics.interval.ms=20", NULL);
	klamm_conf_log(conf, keep, NULL, 1);
	struct klamm_producer *producer = world_producer_of(conf, NULL);
	for (int64_t end = world_ms() + PATIENCE;
	     !was_said("nobody reads") && world_ms() < end;) {
		world_send(producer, "t", 0, NULL, "v", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	ck_assert(was_said("nobody reads what is written to"));
	close(reader);
	world_close(producer);
}
END_TEST

UNIT_SUITE(jsonl)
{
	Suite *s = suite_create("jsonl");
	unit_add_fixture(s, jsonl_writes_what_a_snapshot_has, up_file, world_down);
	unit_add_fixture(s, opt_metrics_jsonl_groups, up_file, world_down);
	unit_add_fixture(s, a_reader_that_sleeps_holds_up_nobody, up_file, world_down);
	unit_add_fixture(s, opt_metrics_jsonl_file, world_up, world_down);
	return s;
}
