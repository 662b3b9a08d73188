/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker with a data directory: what it has when it comes back. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/crc32c.h"
#include "core/base/log.h"
#include "core/net/loop.h"
#include "core/record/batch_read.h"
#include "tests/broker/peer.h"

static char *dir;
static struct peer *peer;
static char log_text[8192];

static void on_log(void *arg, int32_t level, const char *where, const char *text)
{
	size_t n = strlen(log_text);
	snprintf(log_text + n, sizeof(log_text) - n, "%s: %s\n", where, text);
}

static struct klamm_broker_options options(void)
{
	return (struct klamm_broker_options){
		.size = sizeof(struct klamm_broker_options),
		.nodes = 3,
		.data_dir = dir,
		.log = on_log,
		.log_level = KL_LOG_WARN,
	};
}

static void come_back(void)
{
	peer_start_with(options());
	peer = peer_open();
}

static void go(void)
{
	peer_close(peer);
	peer_stop();
}

/* As a kill leaves it: the segments are to be read. */
static void lose_index(void)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/index", dir);
	ck_assert_int_eq(unlink(path), 0);
}

static void up(void)
{
	dir = unit_tmp();
	come_back();
}

static void down(void)
{
	go();
	free(dir);
}

/* The node that leads is asked: a topic of one replica on node 1. */
static void create(const char *name, const char *const *settings)
{
	struct peer *any = peer_open();
	struct kl_create_topics_request request;
	struct kl_create_topics_request_topic topic;
	struct kl_create_topics_request_assignment placed;
	struct kl_create_topics_request_config configs[4];
	int32_t node = 1, n = 0;
	kl_msg_init(&kl_msg_create_topics_request, &request);
	kl_type_init(&kl_type_create_topics_request_topic, &topic);
	kl_type_init(&kl_type_create_topics_request_assignment, &placed);
	for (; settings != NULL && settings[2 * n] != NULL; n++) {
		kl_type_init(&kl_type_create_topics_request_config, &configs[n]);
		configs[n].name = kl_str(settings[2 * n]);
		configs[n].value = kl_str(settings[2 * n + 1]);
	}
	placed.broker_ids = &node;
	placed.broker_ids_n = 1;
	topic.name = kl_str(name);
	topic.num_partitions = topic.replication_factor = -1;
	topic.assignments = &placed;
	topic.assignments_n = 1;
	topic.configs = configs;
	topic.configs_n = n;
	request.topics = &topic;
	request.topics_n = 1;
	struct kl_create_topics_response *response =
		PEER_CALL(any, create_topics, 7, &request);
	ck_assert_int_eq(response->topics[0].error_code, 0);
	peer_close(any);
}

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static int64_t put(const char *topic, int count)
{
	struct peer_batch b;
	peer_batch(&b, count, now_ms());
	struct kl_produce_response_partition *r =
		peer_produce(peer, topic, 0, b.data, b.len);
	ck_assert_int_eq(r->error_code, 0);
	return r->base_offset;
}

/* The offset behind all that can be read from here on. */
static int64_t read_all(const char *topic, int64_t from)
{
	for (;;) {
		struct kl_fetch_response_partition *r =
			peer_fetch(peer, topic, 0, from);
		struct kl_batch_span span;
		ck_assert_int_eq(r->error_code, 0);
		if (r->records.len == 0)
			return from;
		ck_assert_int_eq(
			kl_batch_hop(r->records.p, (size_t)r->records.len, &span),
			KL_BATCH_CUT);
		ck_assert_uint_eq(span.bytes, (size_t)r->records.len);
		ck_assert_int_gt(span.next_offset, from);
		from = span.next_offset;
	}
}

static size_t count_files(const char *end)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t n = 0;
	while ((entry = readdir(d)) != NULL)
		n += strlen(entry->d_name) > strlen(end) &&
		     strcmp(entry->d_name + strlen(entry->d_name) - strlen(end), end) ==
			     0;
	closedir(d);
	return n;
}

/* The last segment of the only log, opened. */
static int open_last(char path[static 4096])
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char best[256] = "";
	while ((entry = readdir(d)) != NULL) {
		if (strstr(entry->d_name, ".log") != NULL &&
		    strcmp(entry->d_name, best) > 0)
			snprintf(best, sizeof(best), "%s", entry->d_name);
	}
	closedir(d);
	ck_assert_str_ne(best, "");
	snprintf(path, 4096, "%s/%s", dir, best);
	int fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(keeps_records)
{
	create("kept", NULL);
	ck_assert_int_eq(put("kept", 3), 0);
	ck_assert_int_eq(put("kept", 2), 3);
	go();
	come_back();
	ck_assert_int_eq(read_all("kept", 0), 5);
	ck_assert_int_eq(put("kept", 4), 5);
	ck_assert_int_eq(read_all("kept", 4), 9);
	ck_assert_str_eq(log_text, "");
}
END_TEST

static struct kl_metadata_response *describe(void)
{
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	request.topics_n = -1;
	return PEER_CALL(peer, metadata, 12, &request);
}

/* In whatever order the directory, their ids and the table have them; with an index (0) and
 * without. */
START_TEST(keeps_many_topics)
{
	char name[24];
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "topic-%d", i);
		create(name, NULL);
		ck_assert_int_eq(put(name, i + 1), 0);
	}
	go();
	if (_i == 1)
		lose_index();
	come_back();
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "topic-%d", i);
		ck_assert_int_eq(read_all(name, 0), i + 1);
		ck_assert_int_eq(put(name, 1), i + 1);
	}
	ck_assert_str_eq(log_text, "");
}
END_TEST

START_TEST(keeps_who_it_is)
{
	static const char *const settings[] = {"retention.ms", "12345",
					       "max.message.bytes", "7000", NULL};
	create("one", settings);
	put("one", 1);
	struct kl_metadata_response *r = describe();
	struct klamm_uuid id = r->topics[0].topic_id;
	int32_t epoch = r->topics[0].partitions[0].leader_epoch;
	char cluster[64];
	snprintf(cluster, sizeof(cluster), "%.*s", (int)r->cluster_id.len,
		 r->cluster_id.p);
	for (int i = 1; i < 4; i++) {
		go();
		come_back();
		r = describe();
		ck_assert_int_eq(r->topics_n, 1);
		ck_assert(kl_str_is(r->topics[0].name, "one"));
		ck_assert(kl_uuid_equal(&r->topics[0].topic_id, &id));
		ck_assert(kl_str_is(r->cluster_id, cluster));
		ck_assert_int_eq(r->topics[0].partitions[0].replica_nodes_n, 1);
		/* Each life is led in a later epoch. */
		ck_assert_int_gt(r->topics[0].partitions[0].leader_epoch, epoch);
		epoch = r->topics[0].partitions[0].leader_epoch;
	}
	struct peer_batch b;
	peer_batch(&b, 500, now_ms());
	ck_assert_uint_gt(b.len, 7000);
	ck_assert_int_eq(peer_produce(peer, "one", 0, b.data, b.len)->error_code,
			 KLAMM_ERR_MESSAGE_TOO_LARGE);
}
END_TEST

static int64_t new_producer(void)
{
	struct kl_init_producer_id_request request;
	kl_msg_init(&kl_msg_init_producer_id_request, &request);
	request.transactional_id = KL_STR_NULL;
	request.producer_id = request.producer_epoch = -1;
	struct kl_init_producer_id_response *r =
		PEER_CALL(peer, init_producer_id, 4, &request);
	ck_assert_int_eq(r->error_code, 0);
	return r->producer_id;
}

START_TEST(keeps_sequences)
{
	create("seq", NULL);
	int64_t id = new_producer();
	struct peer_batch b;
	for (int i = 0; i < 3; i++) {
		peer_batch_from(&b, 2, id, 0, 2 * i);
		ck_assert_int_eq(
			peer_produce(peer, "seq", 0, b.data, b.len)->error_code, 0);
	}
	go();
	if (_i == 1)
		lose_index();
	come_back();
	/* Sent again it is known, one that is missing is missed. */
	struct kl_produce_response_partition *r =
		peer_produce(peer, "seq", 0, b.data, b.len);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->base_offset, 4);
	ck_assert_int_eq(read_all("seq", 0), 6);
	peer_batch_from(&b, 2, id, 0, 8);
	ck_assert_int_eq(peer_produce(peer, "seq", 0, b.data, b.len)->error_code,
			 KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_gt(new_producer(), id);
}
END_TEST

/* --- what a start does --- */

static struct kl_os counting;
static size_t reads, bytes_read, opens, syncs;

static ssize_t count_pread(struct kl_file *file, void *p, size_t n, int64_t offset)
{
	ssize_t got = kl_os_real()->file_pread(file, p, n, offset);
	reads++;
	bytes_read += got > 0 ? (size_t)got : 0;
	return got;
}

static int count_open(struct kl_os *os, const char *path, int flags,
		      struct kl_file **file_out)
{
	opens++;
	return kl_os_real()->file_open(kl_os_real(), path, flags, file_out);
}

static int count_sync(struct kl_file *file)
{
	syncs++;
	return kl_os_real()->file_sync(file);
}

static int count_dir_sync(struct kl_os *os, const char *path)
{
	syncs++;
	return kl_os_real()->dir_sync(kl_os_real(), path);
}

/* A broker begins and ends: what that took up to where clients may come. */
static void count_start(void)
{
	struct klamm_loop *loop;
	struct klamm_broker *broker;
	struct klamm_error err;
	struct klamm_broker_options o = options();
	counting = *kl_os_real();
	counting.file_pread = count_pread;
	counting.file_open = count_open;
	counting.file_sync = count_sync;
	counting.dir_sync = count_dir_sync;
	reads = bytes_read = opens = syncs = 0;
	ck_assert_int_eq(kl_loop_new(&counting, NULL, &loop, &err), 0);
	ck_assert_int_eq(klamm_loop_start(loop, &err), 0);
	o.loop = loop;
	ck_assert_msg(klamm_broker_new(&o, &broker, &err) == 0, "%s", err.text);
	size_t so_far[] = {reads, bytes_read, opens, syncs};
	klamm_broker_free(broker);
	klamm_loop_free(loop);
	reads = so_far[0];
	bytes_read = so_far[1];
	opens = so_far[2];
	syncs = so_far[3];
}

/* A start takes as long as the disk needs for these: it syncs the table and its name, and
 * reads the table and the index. It opens each segment, to see that it is as long as it
 * was. */
START_TEST(reads_no_record_at_the_start)
{
	static const char *const small[] = {"segment.bytes", "1048576", NULL};
	struct peer_batch b;
	create("full", small);
	create("empty", NULL);
	peer_batch(&b, 700, now_ms());
	for (size_t n = 0; n < 3 * 1048576; n += b.len)
		ck_assert_int_eq(
			peer_produce(peer, "full", 0, b.data, b.len)->error_code, 0);
	size_t files = count_files(".log");
	ck_assert_uint_ge(files, 3);
	go();
	count_start();
	ck_assert_uint_le(syncs, 2);
	ck_assert_uint_le(opens, files + 4); /* lock, table twice, index */
	ck_assert_uint_le(reads, 4);
	ck_assert_uint_lt(bytes_read, 16384);
	lose_index();
	count_start();
	ck_assert_uint_gt(bytes_read, 2 * 1048576);
	count_start();
	ck_assert_uint_lt(bytes_read, 16384);
	come_back();
	ck_assert_int_gt(read_all("full", 0), 0);
}
END_TEST

/* 0: it is damaged; 1: it is empty; 2: a segment is longer; 3: one is gone. */
START_TEST(believes_no_wrong_index)
{
	char command[8192];
	static const char *const change[] = {
		"printf X | dd of=index bs=1 seek=20 conv=notrunc 2>/dev/null",
		": > index",
		"head -c 40 /dev/zero >> $(ls *.log | head -1)",
		"rm $(ls *.log | tail -1)",
	};
	up();
	create("kept", NULL);
	ck_assert_int_eq(put("kept", 3), 0);
	go();
	snprintf(command, sizeof(command), "cd %s && %s", dir, change[_i]);
	ck_assert_int_eq(system(command), 0);
	come_back();
	int64_t end = _i < 3 ? 3 : 0;
	ck_assert_int_eq(read_all("kept", 0), end);
	ck_assert_int_eq(put("kept", 2), end);
	snprintf(command, sizeof(command), "test ! -e %s/index", dir);
	ck_assert_int_eq(system(command), 0);
	down();
}
END_TEST

START_TEST(cuts_what_is_torn)
{
	create("torn", NULL);
	put("torn", 3);
	put("torn", 3);
	go();
	lose_index();
	/* The second batch loses its end. */
	char path[4096];
	struct stat st;
	int fd = open_last(path);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(ftruncate(fd, st.st_size - 1), 0);
	close(fd);
	come_back();
	ck_assert_int_eq(read_all("torn", 0), 3);
	ck_assert_msg(strstr(log_text, "topic torn partition 0: cut ") != NULL &&
			      strstr(log_text, "behind offset 3") != NULL,
		      "%s", log_text);
	ck_assert_int_eq(put("torn", 1), 3);
	go();
	lose_index();
	/* Now a bit is wrong in it. */
	fd = open_last(path);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(pwrite(fd, "~", 1, st.st_size - 3), 1);
	close(fd);
	come_back();
	ck_assert_int_eq(read_all("torn", 0), 3);
	go();
	lose_index();
	/* And there is something behind the end that is no batch. */
	fd = open_last(path);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(
		pwrite(fd,
		       "no batch at all, but long enough to look like the head "
		       "of one, which it is not",
		       78, st.st_size),
		78);
	close(fd);
	log_text[0] = '\0';
	come_back();
	ck_assert_int_eq(read_all("torn", 0), 3);
	ck_assert_ptr_nonnull(strstr(log_text, "cut 78 bytes"));
	ck_assert_int_eq(put("torn", 5), 3);
	ck_assert_int_eq(read_all("torn", 0), 8);
}
END_TEST

START_TEST(begins_segments)
{
	static const char *const settings[] = {"segment.bytes", "1048576", NULL};
	create("many", settings);
	int64_t end = 0;
	for (int i = 0; i < 250; i++) {
		ck_assert_int_eq(put("many", 700), end);
		end += 700;
	}
	size_t files = count_files(".log");
	ck_assert_uint_ge(files, 3);
	ck_assert_int_eq(read_all("many", 0), end);
	go();
	come_back();
	ck_assert_int_eq(read_all("many", 0), end);
	ck_assert_int_eq(read_all("many", end / 2 + 1), end);
	ck_assert_int_eq(put("many", 1), end);
	ck_assert_uint_eq(count_files(".log"), files);
}
END_TEST

START_TEST(deletes_files)
{
	create("short", NULL);
	create("long", NULL);
	put("short", 2);
	put("long", 2);
	ck_assert_uint_eq(count_files(".log"), 2);
	peer_delete("short");
	ck_assert_uint_eq(count_files(".log"), 1);
	create("short", NULL);
	ck_assert_int_eq(read_all("short", 0), 0);
	go();
	/* What a crash left of a deleted topic, and what is none of ours. */
	char path[4096];
	snprintf(path, sizeof(path),
		 "%s/AAAAAAAAAAAAAAAAAAAAAA-0-00000000000000000000.log", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/notes.log", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	come_back();
	ck_assert_uint_eq(count_files(".log"), 2);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(read_all("short", 0), 0);
	ck_assert_int_eq(read_all("long", 0), 2);
}
END_TEST

static int start_code(struct klamm_broker_options o, struct klamm_error *err)
{
	struct klamm_broker *second = NULL;
	int rc = klamm_broker_new(&o, &second, err);
	klamm_broker_free(second);
	return rc;
}

START_TEST(refuses_directories)
{
	struct klamm_error err;
	create("one", NULL);
	put("one", 1);
	ck_assert_int_eq(start_code(options(), &err), KLAMM_ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "another broker is using"));
	go();
	struct klamm_broker_options o = options();
	o.data_dir = "/proc/no/such";
	ck_assert_int_eq(start_code(o, &err), KLAMM_ERR_SYSTEM);
	o = options();
	o.null = true;
	ck_assert_int_eq(start_code(o, &err), KLAMM_ERR_INVALID_ARGUMENT);
	/* Segments without their table, or with one that is damaged: nothing is thrown
	 * away. */
	char table[4096], away[4096];
	snprintf(table, sizeof(table), "%s/topics", dir);
	snprintf(away, sizeof(away), "%s/away", dir);
	ck_assert_int_eq(rename(table, away), 0);
	ck_assert_int_eq(start_code(options(), &err), KLAMM_ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "no table of topics"));
	ck_assert_int_eq(rename(away, table), 0);
	int fd = open(table, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "?", 1, 30), 1);
	ck_assert_int_eq(start_code(options(), &err), KLAMM_ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
	ck_assert_uint_eq(count_files(".log"), 1);
	close(fd);
	ck_assert_int_eq(unlink(table), 0);
	char path[4096];
	close(open_last(path));
	ck_assert_int_eq(unlink(path), 0);
	come_back();
}
END_TEST

/* The table as these bytes, with the checksum that fits. */
static void write_table(const char *path, uint8_t *table, size_t n)
{
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	kl_store_u32(table + n - 4, kl_crc32c(0, table, n - 4));
	ck_assert_uint_eq(fwrite(table, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

/* Epochs, offsets and producer ids without room behind them are nobody's. */
START_TEST(takes_no_number_without_room_behind_it)
{
	char path[4096], *table;
	uint8_t changed[4096];
	size_t n;
	struct klamm_error err;
	create("one", NULL);
	go();
	snprintf(path, sizeof(path), "%s/topics", dir);
	ck_assert_int_eq(kl_os_read_file(kl_os_real(), path, sizeof(changed), &table, &n), 0);
	ck_assert_uint_gt(n, 40);
	size_t epoch = n - 40, start = n - 36, id = 24;
	const struct {
		size_t at;
		uint8_t value[8];
		size_t n;
	} numbers[] = {
		{epoch, {0x7f, 0xff, 0xff, 0xff}, 4},
		{epoch, {0x80}, 1},
		{start, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8},
		{start, {0x80}, 1},
		{id, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8},
		{id, {0x80}, 1},
	};
	for (size_t i = 0; i < kl_countof(numbers); i++) {
		memcpy(changed, table, n);
		memcpy(changed + numbers[i].at, numbers[i].value, numbers[i].n);
		write_table(path, changed, n);
		ck_assert_int_eq(start_code(options(), &err), KLAMM_ERR_SYSTEM);
		ck_assert_msg(strstr(err.text, "damaged") != NULL, "%s", err.text);
	}
	/* With room they are taken: it is these that were changed. */
	memcpy(changed, table, n);
	memcpy(changed + epoch, "\x3f", 1);
	memcpy(changed + start, "\x3f", 1);
	memcpy(changed + id, "\x3f", 1);
	write_table(path, changed, n);
	ck_assert_msg(start_code(options(), &err) == 0, "%s", err.text);
	write_table(path, (uint8_t *)table, n);
	free(table);
	come_back();
}
END_TEST

START_TEST(wants_its_nodes)
{
	struct klamm_error err;
	struct peer *any = peer_open();
	peer_close(any);
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "wide", 3, &err), 0);
	go();
	struct klamm_broker_options o = options();
	o.nodes = 1;
	ck_assert_int_eq(start_code(o, &err), KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(err.text, "more nodes"));
	come_back();
}
END_TEST

/* Records of acks=1 are in the file at once: a kill does not take them. */
START_TEST(stops_with_everything_on_disk)
{
	create("one", NULL);
	struct peer_batch b;
	peer_batch(&b, 4, now_ms());
	struct kl_produce_request request;
	struct kl_produce_request_topic topic;
	struct kl_produce_request_partition partition;
	kl_msg_init(&kl_msg_produce_request, &request);
	kl_type_init(&kl_type_produce_request_topic, &topic);
	kl_type_init(&kl_type_produce_request_partition, &partition);
	partition.records = (struct kl_bytes){b.data, (int32_t)b.len};
	topic.name = KL_STR("one");
	topic.partition_data = &partition;
	topic.partition_data_n = 1;
	request.topic_data = &topic;
	request.topic_data_n = 1;
	request.acks = 1;
	struct kl_produce_response *r = PEER_CALL(peer, produce, 9, &request);
	ck_assert_int_eq(r->responses[0].partition_responses[0].error_code, 0);
	ck_assert_int_eq(read_all("one", 0), 4); /* seen at once */
	go();
	come_back();
	ck_assert_int_eq(read_all("one", 0), 4);
}
END_TEST

static int put_error(const char *topic, int count)
{
	struct peer_batch b;
	peer_batch(&b, count, now_ms());
	return peer_produce(peer, topic, 0, b.data, b.len)->error_code;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = kl_min(bytes, limit.rlim_max);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Files that may not grow any more are what a full disk is: part of a write goes in, the rest
 * does not. */
START_TEST(goes_on_after_a_full_disk)
{
	create("full", NULL);
	ck_assert_int_eq(put("full", 3), 0);
	char path[4096];
	struct stat st;
	int fd = open_last(path);
	ck_assert_int_eq(fstat(fd, &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit_files((rlim_t)st.st_size + 50);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(put_error("full", 10), KLAMM_ERR_KAFKA_STORAGE_ERROR);
		ck_assert_int_eq(read_all("full", 0), 3);
	}
	ck_assert_ptr_nonnull(strstr(log_text, "cannot write"));
	ck_assert_ptr_eq(strstr(strstr(log_text, "cannot write") + 1, "cannot write"), NULL);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(put("full", 5), 3);
	ck_assert_int_eq(read_all("full", 0), 8);
	/* And when it stops while it is full, nothing half written is there. */
	limit_files((rlim_t)st.st_size + 300);
	ck_assert_int_eq(put_error("full", 30), KLAMM_ERR_KAFKA_STORAGE_ERROR);
	limit_files(RLIM_INFINITY);
	go();
	close(fd);
	come_back();
	ck_assert_int_eq(read_all("full", 0), 8);
	ck_assert_int_eq(put("full", 1), 8);
}
END_TEST

/* No topic is made that would be forgotten; one that is there can be deleted. */
START_TEST(makes_no_topic_on_a_full_disk)
{
	struct klamm_error err;
	create("full", NULL);
	put("full", 3);
	signal(SIGXFSZ, SIG_IGN);
	limit_files(10);
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "more", 1, &err),
			 KLAMM_ERR_KAFKA_STORAGE_ERROR);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot write"));
	ck_assert_int_eq(klamm_broker_offsets(peer_broker, "more", 0, NULL, NULL, NULL),
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(read_all("full", 0), 3);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "more", 1, &err), 0);
	ck_assert_int_eq(put("full", 3), 3);
	go();
	come_back();
	ck_assert_int_eq(klamm_broker_offsets(peer_broker, "more", 0, NULL, NULL, NULL), 0);
}
END_TEST

UNIT_SUITE(store)
{
	Suite *s = suite_create("store");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, keeps_records, up, down);
	unit_add_case(s, "keeps_many_topics", keeps_many_topics, up, down, 2);
	unit_add_fixture(s, keeps_who_it_is, up, down);
	unit_add_case(s, "keeps_sequences", keeps_sequences, up, down, 2);
	unit_add_fixture(s, reads_no_record_at_the_start, up, down);
	unit_add_loop(s, believes_no_wrong_index, 4);
	unit_add_fixture(s, cuts_what_is_torn, up, down);
	unit_add_fixture(s, begins_segments, up, down);
	unit_add_fixture(s, deletes_files, up, down);
	unit_add_fixture(s, refuses_directories, up, down);
	unit_add_fixture(s, takes_no_number_without_room_behind_it, up, down);
	unit_add_fixture(s, wants_its_nodes, up, down);
	unit_add_fixture(s, stops_with_everything_on_disk, up, down);
	unit_add_fixture(s, goes_on_after_a_full_disk, up, down);
	unit_add_fixture(s, makes_no_topic_on_a_full_disk, up, down);
	return s;
}
