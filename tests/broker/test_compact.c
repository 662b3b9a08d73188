/* SPDX-License-Identifier: BSD-2-Clause */
/* Compaction, in memory and in files. Records are told as text, "7:key=value", and one without
 * a value is "7:key". */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <klamm/klamm.h>

#include "broker/rewrite.h"
#include "core/record/batch_write.h"
#include "tests/broker/peer.h"

#define WAIT_MS 60000

static char *dir;
static const char *topic = "kept";
static struct peer *peer;
static int64_t clock_ms; /* of the records: a second per batch */

static void come_back(void)
{
	static const char *const config[] = {"log.cleaner.backoff.ms=20", NULL};
	peer_start_with((struct klamm_broker_options){
		.data_dir = dir, .config = config, .retention_check_ms = 20});
	peer = peer_open();
}

static void go(void)
{
	peer_close(peer);
	peer_stop();
}

/* Segments of one batch each, unless segment.ms says more. */
static void up(int files, const char *key, const char *value, const char *segment_ms)
{
	const char *const settings[] = {"cleanup.policy", "compact", "segment.ms", segment_ms,
					"min.cleanable.dirty.ratio", "0", key, value, NULL};
	clock_ms = (int64_t)time(NULL) * 1000 - 600000;
	dir = files ? unit_tmp() : NULL;
	if (peer_is_foreign())
		topic = peer_topic();
	come_back();
	peer_create_with(topic, 1, settings);
}

static void down(void)
{
	go();
	free(dir);
}

/* --- records out --- */

static struct klamm_span span(const char *p, size_t n)
{
	return (struct klamm_span){p, n};
}

/* "key=value", "key" (a tombstone) and "=value" (no key), with blanks between them. */
static int put_records(uint8_t **at, const char *text)
{
	int n = 0;
	for (; *text != '\0'; text += strspn(text, " "), n++) {
		size_t len = strcspn(text, " "), key = strcspn(text, "= ");
		bool has_value = text[key] == '=';
		struct klamm_header header = {span("h", 1), span(text, len)};
		*at = kl_record_put(*at, (uint32_t)n, n,
				    key > 0 ? span(text, key) : span(NULL, 0),
				    has_value ? span(text + key + 1, len - key - 1)
					      : span(NULL, 0),
				    &header, 1, kl_headers_size(&header, 1));
		text += len;
	}
	return n;
}

static void make(struct peer_batch *b, const char *text, int64_t producer, int32_t sequence)
{
	uint8_t *end = b->data + KL_BATCH_HEAD;
	int n = put_records(&end, text);
	b->len = (size_t)(end - b->data);
	kl_batch_head_put(b->data, &(struct kl_batch_head){
					   .length = (int32_t)(b->len - KL_BATCH_OVERHEAD),
					   .leader_epoch = -1,
					   .magic = 2,
					   .last_offset_delta = n - 1,
					   .base_timestamp = clock_ms,
					   .max_timestamp = clock_ms + n - 1,
					   .record_count = n,
				   });
	kl_batch_stamp(b->data, producer, producer < 0 ? -1 : 0, sequence,
		       kl_batch_body_crc(b->data + KL_BATCH_HEAD, b->len - KL_BATCH_HEAD));
}

static struct kl_produce_response_partition *send_from(const char *text, int64_t producer,
						       int32_t sequence)
{
	struct peer_batch b;
	make(&b, text, producer, sequence);
	return peer_produce(peer, topic, 0, b.data, b.len);
}

static int64_t put(const char *text)
{
	clock_ms += 1000;
	struct kl_produce_response_partition *r = send_from(text, -1, -1);
	ck_assert_int_eq(r->error_code, 0);
	return r->base_offset;
}

/* --- records in --- */

static char told[4096];

static void tell(const struct klamm_record_view *view)
{
	size_t n = strlen(told);
	snprintf(told + n, sizeof(told) - n, "%s%lld:%.*s%s%.*s", n > 0 ? " " : "",
		 (long long)view->offset, (int)view->key.len, (const char *)view->key.data,
		 view->value.data != NULL ? "=" : "", (int)view->value.len,
		 (const char *)view->value.data ?: "");
}

/* The header says what the record was from the beginning, the time when. */
static void check_record(const struct klamm_record_view *view)
{
	struct klamm_header header;
	char text[64];
	ck_assert_int_eq(klamm_record_header(view, 0, &header), 0);
	snprintf(text, sizeof(text), "%.*s%s%.*s", (int)view->key.len,
		 (const char *)view->key.data, view->value.data != NULL ? "=" : "",
		 (int)view->value.len, (const char *)view->value.data ?: "");
	ck_assert_uint_eq(header.value.len, strlen(text));
	ck_assert_mem_eq(header.value.data, text, header.value.len);
	ck_assert_int_gt(view->timestamp_ms, clock_ms - 600000);
	ck_assert_int_le(view->timestamp_ms, clock_ms + 100);
}

static void tell_batch(const uint8_t *p, const struct kl_batch_head *head, int64_t from)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	ck_assert(kl_batch_check_crc(p, head));
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), from);
	int rc;
	while ((rc = kl_record_next(&iter, &view)) > 0) {
		check_record(&view);
		tell(&view);
	}
	ck_assert_int_eq(rc, 0);
}

static const char *all(int64_t from)
{
	told[0] = '\0';
	for (;;) {
		struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, from);
		ck_assert_int_eq(r->error_code, 0);
		if (r->records.len == 0)
			return told;
		const uint8_t *p = r->records.p, *end = p + r->records.len;
		struct kl_batch_head head;
		while (p < end) {
			ck_assert_int_eq(kl_batch_peek(p, (size_t)(end - p), &head),
					 KL_BATCH_WHOLE);
			ck_assert_int_gt(kl_batch_next_offset(&head), from);
			tell_batch(p, &head, from);
			from = kl_batch_next_offset(&head);
			p += kl_batch_size(&head);
		}
	}
}

static void wait_for(const char *want)
{
	for (int i = 0; i < WAIT_MS / 10 && strcmp(all(0), want) != 0; i++)
		usleep(10000);
	ck_assert_str_eq(all(0), want);
}

static bool begins_with(const char *text, const char *want)
{
	return strncmp(text, want, strlen(want)) == 0;
}

/* The first records that are there. */
static void wait_for_first(int64_t from, const char *want)
{
	for (int i = 0; i < WAIT_MS / 10 && !begins_with(all(from), want); i++)
		usleep(10000);
	ck_assert_msg(begins_with(all(from), want), "%s", told);
}

static int64_t end_of_log(void)
{
	struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, 0);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->log_start_offset, 0);
	return r->high_watermark;
}

/* With what the last one wrote down of its logs, and without. */
static void restart(void)
{
	char index[1024];
	if (dir == NULL)
		return;
	go();
	come_back();
	go();
	snprintf(index, sizeof(index), "%s/index", dir);
	ck_assert_int_eq(unlink(index), 0);
	come_back();
}

/* --- what stays --- */

/* 0 and 1: a segment for each batch, in memory and in files; 2 and 3: several batches. */
START_TEST(keeps_the_latest_of_each_key)
{
	up(_i % 2, "delete.retention.ms", "1000000", _i < 2 ? "500" : "2500");
	put("a=1 b=1 c=1");
	put("a=2");
	put("d=1 b=2");
	put("a=3 a=4");
	put("c=2 x");
	put("e=1");
	put("e=2");
	put("open=1"); /* the segment that is written to stays as it is */
	wait_for_first(0, "4:d=1 5:b=2 7:a=4");
	if (_i < 2) /* else some of it is open, too */
		wait_for("4:d=1 5:b=2 7:a=4 8:c=2 9:x 11:e=2 12:open=1");
	ck_assert_int_eq(end_of_log(), 13);
	restart();
	ck_assert_int_eq(end_of_log(), 13);
	ck_assert(begins_with(all(0), "4:d=1 5:b=2 7:a=4"));
	/* From within a gap, and before it. */
	ck_assert(begins_with(all(6), "7:a=4"));
	ck_assert(begins_with(all(1), "4:d=1"));
	ck_assert_int_eq(put("a=5"), 13);
	put("open=2");
	if (_i < 2)
		wait_for("4:d=1 5:b=2 8:c=2 9:x 11:e=2 12:open=1 13:a=5 14:open=2");
	down();
}
END_TEST

/* What is marked first goes when its time is over and there is something to clean. */
START_TEST(tombstones_go)
{
	up(_i, "delete.retention.ms", "1", "500");
	put("a=1 b=1");
	put("a");
	put("open=1");
	wait_for("1:b=1 2:a 3:open=1");
	restart();
	usleep(20000);
	put("open=2");
	wait_for("1:b=1 3:open=1 4:open=2");
	down();
}
END_TEST

START_TEST(marks_tombstones_with_the_time_they_go)
{
	up(0, "delete.retention.ms", "1000000", "500");
	int64_t before = (int64_t)time(NULL) * 1000 - 1000;
	put("a=1");
	put("a b=1");
	put("open=1");
	wait_for("1:a 2:b=1 3:open=1");
	struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, 0);
	struct kl_batch_head head;
	ck_assert_int_eq(kl_batch_peek(r->records.p, (size_t)r->records.len, &head),
			 KL_BATCH_WHOLE);
	ck_assert(head.attributes & KL_ATTR_DELETE_HORIZON);
	ck_assert_int_ge(head.base_timestamp, before + 1000000);
	ck_assert_int_eq(head.base_offset, 1);
	put("c=1");
	put("open=2");
	usleep(100000);
	ck_assert_str_eq(all(0), "1:a 2:b=1 3:open=1 4:c=1 5:open=2");
	down();
}
END_TEST

START_TEST(leaves_what_is_young)
{
	up(_i, "min.compaction.lag.ms", "300000", "500");
	put("a=1");
	put("a=2");
	clock_ms += 500000;
	put("b=1");
	put("b=2");
	put("open=1");
	wait_for("1:a=2 2:b=1 3:b=2 4:open=1");
	usleep(100000);
	ck_assert_str_eq(all(0), "1:a=2 2:b=1 3:b=2 4:open=1");
	down();
}
END_TEST

/* Half of a log may be dirty, and no more: then only age counts. */
START_TEST(waits_until_much_is_dirty)
{
	static const char *const rare[] = {"cleanup.policy", "compact", "segment.ms", "500",
					   "min.cleanable.dirty.ratio", "1", NULL};
	static const char *const due[] = {"cleanup.policy", "compact", "segment.ms", "500",
					  "min.cleanable.dirty.ratio", "1",
					  "max.compaction.lag.ms", "1000", NULL};
	clock_ms = (int64_t)time(NULL) * 1000 - 600000;
	come_back();
	peer_create_with(topic, 1, _i == 0 ? rare : due);
	put("a=1");
	put("a=2");
	put("open=1");
	usleep(200000);
	if (_i == 0)
		ck_assert_str_eq(all(0), "0:a=1 1:a=2 2:open=1");
	else
		wait_for("1:a=2 2:open=1");
	down();
}
END_TEST

START_TEST(goes_with_retention)
{
	static const char *const both[] = {"cleanup.policy", "compact,delete",
					   "segment.ms", "500", "retention.ms", "3600000",
					   "min.cleanable.dirty.ratio", "0", NULL};
	clock_ms = (int64_t)time(NULL) * 1000 - 7200000;
	dir = _i ? unit_tmp() : NULL;
	come_back();
	peer_create_with(topic, 1, both);
	put("old=1");
	put("a=1");
	clock_ms += 7000000;
	put("a=2");
	put("a=3");
	put("open=1");
	int64_t start = 0, end;
	for (int i = 0; i < WAIT_MS / 10 && start < 2; i++) {
		usleep(10000);
		klamm_broker_offsets(peer_broker, topic, 0, &start, &end, NULL);
	}
	ck_assert_int_ge(start, 2);
	wait_for_first(2, "3:a=3 4:open=1");
	down();
}
END_TEST

/* The sequence numbers of a producer are known as long as its last batch, of which the head
 * stays. */
START_TEST(keeps_what_it_knows_of_producers)
{
	up(_i, "delete.retention.ms", "1000000", "500");
	clock_ms += 1000;
	ck_assert_int_eq(send_from("a=1", 7, 0)->base_offset, 0);
	clock_ms += 1000;
	ck_assert_int_eq(send_from("a=2 b=2", 7, 1)->base_offset, 1);
	put("a=3 b=3");
	put("open=1");
	wait_for("3:a=3 4:b=3 5:open=1");
	restart();
	clock_ms += 1000;
	struct kl_produce_response_partition *r = send_from("a=2 b=2", 7, 1);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->base_offset, 1);
	ck_assert_int_eq(send_from("a=4", 7, 5)->error_code,
			 KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(send_from("a=4", 7, 3)->base_offset, 6);
	down();
}
END_TEST

/* When there is no memory for more keys, what was learned is used, and no more. */
START_TEST(goes_as_far_as_keys_fit)
{
	struct kl_dev_rewrite rewrite = {.now_ms = 1, .delete_retention_ms = 1000};
	struct kl_batch_head head;
	struct peer_batch b;
	char text[4096], *at = text;
	for (int i = 0; i < 300; i++)
		at += sprintf(at, "%03d=x ", i % 150);
	make(&b, text, -1, -1);
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KL_BATCH_WHOLE);
	kl_dev_keys_init(&rewrite.keys, 8192);
	ck_assert_int_eq(kl_dev_rewrite_learn(&rewrite, b.data, &head, 0), KL_DEV_FULL);
	int64_t latest = rewrite.keys.latest;
	ck_assert(latest > 0 && latest < 149);
	ck_assert_int_eq(kl_dev_rewrite_batch(&rewrite, b.data, &head, false), KL_DEV_KEPT);
	kl_dev_rewrite_free(&rewrite);
	/* With room for all, the second half is what stays. */
	kl_dev_keys_init(&rewrite.keys, 1 << 20);
	ck_assert_int_eq(kl_dev_rewrite_learn(&rewrite, b.data, &head, 0), 0);
	ck_assert_int_eq(rewrite.keys.latest, 299);
	ck_assert_int_eq(kl_dev_rewrite_batch(&rewrite, b.data, &head, false),
			 KL_DEV_CHANGED);
	kl_batch_head_get(rewrite.batch.data, &head);
	ck_assert(kl_batch_check_crc(rewrite.batch.data, &head));
	ck_assert_int_eq(head.record_count, 150);
	ck_assert_int_eq(head.last_offset_delta, 299);
	kl_dev_rewrite_free(&rewrite);
}
END_TEST

/* --- transactions --- */

/* A batch of the log: of a transaction, or a marker. */
struct logged {
	struct peer_batch b;
	struct kl_batch_head head;
};

static void place(struct logged *l, int attributes, int64_t offset)
{
	uint8_t *p = l->b.data;
	kl_batch_place(p, offset, 0);
	kl_store_u16(p + KL_BATCH_ATTRIBUTES, (uint16_t)attributes);
	kl_batch_stamp(p, (int64_t)kl_load_u64(p + KL_BATCH_PRODUCER_ID), 0, 0,
		       kl_batch_body_crc(p + KL_BATCH_HEAD, l->b.len - KL_BATCH_HEAD));
	ck_assert_int_eq(kl_batch_peek(p, l->b.len, &l->head), KL_BATCH_WHOLE);
}

static void log_data(struct kl_dev_producers *producers, struct logged *l, int64_t producer,
		     int64_t offset, const char *text)
{
	make(&l->b, text, producer, 0);
	place(l, KL_ATTR_TRANSACTIONAL, offset);
	ck_assert(kl_dev_producer_learn(producers, &l->head));
}

static void log_marker(struct kl_dev_producers *producers, struct logged *l, int64_t producer,
		       int64_t offset, bool aborts)
{
	uint8_t key[4] = {0, 0, 0, !aborts}, value[6] = {0};
	struct kl_dev_marker marker = {.producer_id = producer, .aborts = aborts};
	uint8_t *end = kl_record_put(l->b.data + KL_BATCH_HEAD, 0, 0,
				     (struct klamm_span){key, 4},
				     (struct klamm_span){value, 6}, NULL, 0, 1);
	l->b.len = (size_t)(end - l->b.data);
	l->head = (struct kl_batch_head){
		.length = (int32_t)(l->b.len - KL_BATCH_OVERHEAD),
		.magic = 2,
		.base_timestamp = 50,
		.max_timestamp = 50,
		.producer_id = producer,
		.record_count = 1,
	};
	kl_batch_head_put(l->b.data, &l->head);
	place(l, KL_ATTR_TRANSACTIONAL | KL_ATTR_CONTROL, offset);
	ck_assert(kl_dev_marker_note(producers, &marker, offset, 50));
}

/* The next round meets this instead. */
static void become(struct logged *l, const struct kl_buf *batch)
{
	memcpy(l->b.data, batch->data, batch->len);
	l->b.len = batch->len;
	ck_assert_int_eq(kl_batch_peek(l->b.data, l->b.len, &l->head), KL_BATCH_WHOLE);
	ck_assert(kl_batch_check_crc(l->b.data, &l->head));
}

static int rewritten(struct kl_dev_rewrite *rewrite, const struct logged *l)
{
	return kl_dev_rewrite_batch(rewrite, l->b.data, &l->head, false);
}

/* What was aborted is nobody's latest record and goes; its marker goes after it, in the time
 * of a tombstone, and is forgotten at once. What was committed stays, with its marker. */
START_TEST(cleans_up_after_transactions)
{
	struct kl_dev_producers producers;
	struct kl_dev_rewrite r = {.now_ms = 1000, .delete_retention_ms = 500};
	struct logged aborted, committed, abort, commit;
	kl_dev_producers_init(&producers);
	log_data(&producers, &committed, 6, 0, "a=1");
	log_data(&producers, &aborted, 5, 1, "a=2 b=2");
	log_marker(&producers, &commit, 6, 3, false);
	log_marker(&producers, &abort, 5, 4, true);
	ck_assert_uint_eq(producers.aborted.count, 1);
	kl_dev_keys_init(&r.keys, 0);
	const struct logged *const all[] = {&committed, &aborted, &commit, &abort};
	ck_assert(kl_dev_remains_begin(&r.remains, &producers, 1));
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(
			kl_dev_rewrite_learn(&r, all[i]->b.data, &all[i]->head, 0), 0);
	ck_assert_int_eq(kl_dev_keys_find(&r.keys, span("a", 1)), 0);
	ck_assert_int_eq(kl_dev_keys_find(&r.keys, span("b", 1)), -1);
	ck_assert_int_eq(r.keys.latest, 4);

	ck_assert(kl_dev_remains_begin(&r.remains, &producers, 0));
	ck_assert_int_eq(rewritten(&r, &committed), KL_DEV_KEPT);
	ck_assert_int_eq(rewritten(&r, &aborted), KL_DEV_GONE);
	ck_assert_int_eq(rewritten(&r, &commit), KL_DEV_KEPT);
	ck_assert_int_eq(rewritten(&r, &abort), KL_DEV_KEPT);
	ck_assert_uint_eq(producers.aborted.count, 1);

	/* Without its records. */
	ck_assert(kl_dev_remains_begin(&r.remains, &producers, 0));
	ck_assert_int_eq(rewritten(&r, &committed), KL_DEV_KEPT);
	ck_assert_int_eq(rewritten(&r, &commit), KL_DEV_KEPT);
	ck_assert_int_eq(rewritten(&r, &abort), KL_DEV_CHANGED);
	ck_assert_uint_eq(producers.aborted.count, 0);
	become(&abort, &r.batch);
	ck_assert_int_eq(abort.head.base_timestamp, 1500);
	ck_assert_int_eq(abort.head.max_timestamp, 50);

	for (r.now_ms = 1499; r.now_ms <= 1500; r.now_ms++) {
		ck_assert(kl_dev_remains_begin(&r.remains, &producers, 0));
		ck_assert_int_eq(rewritten(&r, &committed), KL_DEV_KEPT);
		ck_assert_int_eq(rewritten(&r, &commit), KL_DEV_KEPT);
		ck_assert_int_eq(rewritten(&r, &abort),
				 r.now_ms < 1500 ? KL_DEV_KEPT : KL_DEV_GONE);
	}
	kl_dev_rewrite_free(&r);
	kl_dev_producers_free(&producers);
}
END_TEST

/* --- after a crash --- */

static size_t count_files(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += strstr(e->d_name, ".log") != NULL;
	closedir(d);
	return n;
}

static void shell(const char *command)
{
	char text[1024];
	snprintf(text, sizeof(text), "cd %s && %s", dir, command);
	ck_assert_int_eq(system(text), 0);
}

/* The new segment has its place and the others are there again; one was not finished. With
 * tombstones nothing is left of them but a head, which tells how far they reached. */
START_TEST(finishes_what_a_crash_left)
{
	up(1, "delete.retention.ms", _i == 0 ? "1000000" : "1", "500");
	const char *want = _i == 0 ? "1:b=1 4:a=4 5:open=1 6:open=2" : "5:open=1 6:open=2";
	put("a=1");
	put("b=1");
	put("a=2");
	put(_i == 0 ? "a=3" : "b");
	put(_i == 0 ? "a=4" : "a");
	/* A second name for each file that a compaction has not replaced yet. */
	shell("mkdir old && { ln *.log old/ 2>/dev/null || true; }");
	put("open=1");
	/* Tombstones are marked now, and go when there is more to clean: this must be over
	 * before there is more. */
	for (int i = 0; i < WAIT_MS / 10 && strstr(all(0), "2:a=2") != NULL; i++)
		usleep(10000);
	usleep(10000);
	put("open=2");
	wait_for(want);
	go();
	size_t files = count_files();
	shell("cp -n old/*.log . && echo junk > $(ls *.log | head -1).cleaned && rm -r old");
	ck_assert_uint_gt(count_files(), files);
	come_back();
	ck_assert_str_eq(all(0), want);
	ck_assert_int_eq(put("c=1"), 7);
	/* One more for that record; another while a compaction is at work. */
	for (int i = 0; i < WAIT_MS / 10 && count_files() > files + 1; i++)
		usleep(10000);
	ck_assert_uint_le(count_files(), files + 1);
	down();
}
END_TEST

/* --- clients --- */

static struct klamm_conf *conf_with(const char *key, const char *value)
{
	struct klamm_conf *conf;
	struct klamm_error err;
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers", peer_address(), &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, key, value, &err), 0);
	return conf;
}

/* Each flush makes a batch, which compression makes smaller. */
static char filler[400];
static void send_many(struct klamm_producer *producer, const char *const *keys, int rounds)
{
	struct klamm_error err;
	for (int i = 0; i < rounds; i++) {
		clock_ms += 1000;
		for (size_t k = 0; keys[k] != NULL; k++) {
			char value[16];
			struct klamm_header header = {span("h", 1), span(filler, 400)};
			struct klamm_record record;
			klamm_record_init(&record);
			record.key = span(keys[k], strlen(keys[k]));
			record.value = span(value, (size_t)snprintf(value, 16, "%d", i));
			record.timestamp_ms = clock_ms;
			record.headers = &header;
			record.header_count = 1;
			ck_assert_int_eq(klamm_producer_send_to(producer, topic, &record, NULL,
								&err), 0);
		}
		ck_assert_int_eq(klamm_producer_flush(producer, WAIT_MS, NULL, &err), 0);
	}
}

/* Everything up to an offset, as klamm's consumer has it. */
static const char *consume(int64_t end)
{
	struct klamm_conf *conf = conf_with("auto.offset.reset", "earliest");
	struct klamm_topic_partition from = {topic, 0};
	struct klamm_consumer *consumer;
	struct klamm_error err;
	int64_t position = 0;
	ck_assert_int_eq(klamm_consumer_new(conf, NULL, &consumer, &err), 0);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &from, 1, &err), 0);
	told[0] = '\0';
	while (position < end) {
		struct klamm_batch *batch = NULL;
		struct klamm_record_view view;
		ck_assert_int_eq(klamm_consumer_poll(consumer, 1000, &batch, &err), 0);
		while (batch != NULL && klamm_batch_next(batch, &view) == 1)
			tell(&view);
		klamm_batch_unref(batch);
		klamm_consumer_position(consumer, topic, 0, WAIT_MS, &position, NULL);
	}
	ck_assert_int_eq(position, end);
	klamm_consumer_close(consumer, WAIT_MS, &err);
	klamm_conf_free(conf);
	return told;
}

static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

/* Batches that the broker has to open and to compress again; the last one that was there is
 * a head without records. */
START_TEST(works_with_clients)
{
	static const char *const many[] = {"a", "b", "c", "d", NULL};
	static const char *const one[] = {"d", NULL};
	const char *want = "16:a=4 17:b=4 18:c=4 20:d=0 21:d=1";
	up(0, "delete.retention.ms", "1000000", "500");
	struct klamm_conf *conf = conf_with("compression.type", codecs[_i]);
	struct klamm_producer *producer;
	struct klamm_error err;
	ck_assert_int_eq(klamm_conf_set(conf, "linger.ms", "1000000", &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "delivery.timeout.ms", "2000000", &err), 0);
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), 0);
	send_many(producer, many, 5);
	send_many(producer, one, 2);
	klamm_producer_close(producer, WAIT_MS, &err);
	klamm_conf_free(conf);
	/* 21 is the one that is open. */
	for (int i = 0; i < WAIT_MS / 10 && strcmp(consume(22), want) != 0; i++)
		usleep(10000);
	ck_assert_str_eq(consume(22), want);
	struct kl_batch_head head;
	struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, 16);
	ck_assert_int_eq(kl_batch_peek(r->records.p, (size_t)r->records.len, &head),
			 KL_BATCH_WHOLE);
	ck_assert_int_eq(head.record_count, 3); /* of four */
	ck_assert_int_eq(kl_batch_codec(&head), _i);
	down();
}
END_TEST

START_TEST(refuses_records_without_keys)
{
	up(0, "delete.retention.ms", "1000000", "500");
	struct peer_batch b;
	make(&b, "a=1 =2 c=3 =4", -1, -1);
	struct kl_produce_response_partition *r = peer_produce(peer, topic, 0, b.data, b.len);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_INVALID_RECORD);
	ck_assert_int_eq(r->base_offset, -1);
	ck_assert_int_eq(r->record_errors_n, 2);
	ck_assert_int_eq(r->record_errors[0].batch_index, 1);
	ck_assert_int_eq(r->record_errors[1].batch_index, 3);
	ck_assert_int_gt(r->record_errors[0].batch_index_error_message.len, 0);
	ck_assert_int_gt(r->error_message.len, 0);
	ck_assert_int_eq(end_of_log(), 0);
	/* A key of no bytes is one. */
	put("a=1 b=2");
	ck_assert_int_eq(end_of_log(), 2);
	down();
}
END_TEST

static void told_of(void *arg, const struct klamm_delivery *d)
{
	ck_assert_int_eq(d->error, KLAMM_ERR_INVALID_RECORD);
	++*(int *)arg;
}

/* Inside of compressed batches, too. */
START_TEST(refuses_them_compressed)
{
	up(0, "delete.retention.ms", "1000000", "500");
	struct klamm_conf *conf = conf_with("compression.type", codecs[_i]);
	struct klamm_producer *producer;
	struct klamm_record record;
	struct klamm_error err;
	int told_n = 0;
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), 0);
	ck_assert_int_eq(klamm_producer_on_delivery(producer, told_of, &told_n, true, &err),
			 0);
	klamm_record_init(&record);
	char value[400];
	memset(value, 'x', sizeof(value));
	record.value = span(value, sizeof(value));
	ck_assert_int_eq(klamm_producer_send_to(producer, topic, &record, NULL, &err), 0);
	klamm_producer_flush(producer, WAIT_MS, NULL, &err);
	ck_assert_int_eq(told_n, 1);
	ck_assert_int_eq(end_of_log(), 0);
	klamm_producer_close(producer, WAIT_MS, &err);
	klamm_conf_free(conf);
	down();
}
END_TEST

UNIT_SUITE(compact)
{
	Suite *s = suite_create("compact");
	/* Kafka's own cleaner keeps the same. */
	unit_add_loop(s, keeps_the_latest_of_each_key, peer_is_foreign() ? 1 : 4);
	unit_add(s, refuses_records_without_keys);
	unit_add_loop(s, tombstones_go, peer_is_foreign() ? 1 : 2);
	if (peer_is_foreign())
		return s;
	unit_add(s, marks_tombstones_with_the_time_they_go);
	unit_add_loop(s, leaves_what_is_young, 2);
	unit_add_loop(s, waits_until_much_is_dirty, 2);
	unit_add_loop(s, goes_with_retention, 2);
	unit_add_loop(s, keeps_what_it_knows_of_producers, 2);
	unit_add(s, goes_as_far_as_keys_fit);
	unit_add(s, cleans_up_after_transactions);
	unit_add_loop(s, finishes_what_a_crash_left, 2);
	unit_add_loop(s, works_with_clients, 5);
	unit_add_loop(s, refuses_them_compressed, 5);
	return s;
}
