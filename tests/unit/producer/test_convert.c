/* SPDX-License-Identifier: BSD-2-Clause */
/* Producing to leaders from before 0.11: the dev broker with fewer versions, and a peer that
 * looks at the bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "core/record/batch_read.h"
#include "tests/client/script.h"
#include "tests/client/world.h"

static void limit(int api, int min, int max)
{
	struct klamm_error err;
	ck_assert_msg(klamm_broker_limit_api(world_broker, api, min, max, &err) == 0, "%s",
		      err.text);
}

/* Clients learn of other versions when they connect again. */
static void reconnect(void)
{
	struct klamm_error err;
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 1, false, &err), 0);
	ck_assert_int_eq(klamm_broker_node_start(world_broker, 1, &err), 0);
}

static void set_up(void)
{
	world_up();
	world_create("t", 4);
}

/* Not sent, and the sentence says where and why. */
static void check_refused(const struct world_end *end, int code, const char *part)
{
	ck_assert_int_eq(end->error, code);
	ck_assert_int_eq(end->outcome, KLAMM_OUTCOME_NOT_WRITTEN);
	ck_assert_msg(strncmp(end->text, "topic t partition 0: ", 21) == 0, "%s", end->text);
	ck_assert_msg(strstr(end->text, "broker 1 (127.0.0.1:") != NULL, "%s", end->text);
	ck_assert_msg(strstr(end->text, part) != NULL, "%s", end->text);
}

/* --- there and back --- */

static const char *const codecs[] = {"none", "gzip", "snappy", "lz4"};
/* The newest version of Produce, and what may read it then. */
static const struct {
	int produce, fetch;
	bool has_times;
} ages[] = {{0, 1, false}, {1, 0, false}, {2, 3, true}, {2, 2, true}};
#define AGED ((int)(kl_countof(codecs) * kl_countof(ages)))

enum { N = 600 };

static void send_many(struct klamm_producer *producer)
{
	for (int i = 0; i < N; i++) {
		char value[64];
		snprintf(value, sizeof(value), "value number %d of a few", i);
		struct klamm_record record =
			world_record(i % 3 ? "key" : NULL, i % 5 ? value : NULL);
		record.partition = i % 4;
		record.timestamp_ms = 1700000000000 + i * 7 % 100;
		int rc = klamm_producer_send_to(producer, "t", &record, NULL, NULL);
		ck_assert_int_eq(rc, 0);
	}
}

static void check_many(bool has_times)
{
	static struct world_seen seen[N / 4];
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	for (int part = 0; part < 4; part++) {
		world_assign(consumer, "t", part, KLAMM_OFFSET_BEGINNING);
		world_read(consumer, N / 4, seen);
		for (int k = 0; k < N / 4; k++) {
			int i = k * 4 + part;
			char value[64];
			snprintf(value, sizeof(value), "value number %d of a few", i);
			ck_assert_int_eq(seen[k].offset, k);
			ck_assert_int_eq(seen[k].key_len, i % 3 ? 3 : -1);
			ck_assert_int_eq(seen[k].value_len,
					 i % 5 ? (int)strlen(value) : -1);
			ck_assert_str_eq(seen[k].value, i % 5 ? value : "");
			ck_assert_int_eq(seen[k].timestamp_ms,
					 has_times ? 1700000000000 + i * 7 % 100 : -1);
		}
	}
	world_close_consumer(consumer);
}

START_TEST(every_codec_to_every_age)
{
	const char *codec = codecs[(size_t)_i % kl_countof(codecs)];
	size_t age = (size_t)_i / kl_countof(codecs);
	char pair[64];
	snprintf(pair, sizeof(pair), "compression.type=%s", codec);
	limit(KL_API_PRODUCE, 0, ages[age].produce);
	limit(KL_API_FETCH, 0, ages[age].fetch);
	struct klamm_producer *producer = world_producer(NULL, pair, "linger.ms=5", NULL);
	send_many(producer);
	world_close(producer);
	check_many(ages[age].has_times);
	/* The same for who fetches batches. */
	limit(KL_API_FETCH, 4, 12);
	check_many(ages[age].has_times);
}
END_TEST

/* As Kafka 0.9 is: it cannot be asked for its versions. */
START_TEST(a_whole_broker_of_0_9)
{
	limit(KL_API_API_VERSIONS, 1, 0);
	limit(KL_API_METADATA, 0, 0);
	limit(KL_API_PRODUCE, 0, 1);
	limit(KL_API_FETCH, 0, 1);
	limit(KL_API_LIST_OFFSETS, 0, 0);
	struct klamm_producer *producer =
		world_producer(NULL, "compression.type=lz4", NULL);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	struct world_seen seen[10];
	for (int i = 0; i < 10; i++)
		world_send(producer, "t", 0, "a key", "a value that is the same each time",
			   NULL);
	world_close(producer);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, 10, seen);
	ck_assert_str_eq(seen[9].value, "a value that is the same each time");
	ck_assert_int_eq(seen[9].offset, 9);
	ck_assert_int_eq(seen[9].timestamp_type, KLAMM_TIMESTAMP_NONE);
	world_close_consumer(consumer);
}
END_TEST

START_TEST(acks_0_and_1)
{
	limit(KL_API_PRODUCE, 0, _i / 2 + 1);
	struct klamm_producer *producer =
		world_producer(NULL, _i % 2 ? "acks=1" : "acks=0", "compression.type=gzip",
			       NULL);
	send_many(producer);
	world_close(producer);
	check_many(_i / 2 + 1 == 2);
}
END_TEST

/* --- leaders of different ages --- */

/* The first attempt is refused, and before the next one the leader is another release. */
START_TEST(a_batch_goes_from_age_to_age)
{
	static const int max[][3] = {{1, 13, 1}, {2, 1, 13}, {13, 2, 2}, {13, 0, 2}};
	struct world_end ends[3] = {{0}};
	struct world_seen seen[3];
	struct klamm_producer *producer =
		world_telling(NULL, "retry.backoff.ms=200", "retry.backoff.max.ms=200",
			      "reconnect.backoff.ms=10", "compression.type=snappy", NULL);
	for (int i = 0; i < 3; i++) {
		int next = max[_i][(i + 1) % 3];
		limit(KL_API_PRODUCE, max[_i][i] == 13 ? 3 : 0, max[_i][i]);
		reconnect();
		int64_t before = klamm_broker_request_count(world_broker, KL_API_PRODUCE);
		world_fault((struct klamm_broker_fault){
			.api = KL_API_PRODUCE, .action = KLAMM_BROKER_ERROR,
			.error = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER});
		world_send(producer, "t", 0, "key", "value value value value value value",
			   &ends[i]);
		while (klamm_broker_request_count(world_broker, KL_API_PRODUCE) == before)
			ck_assert_int_eq(klamm_producer_poll(producer, 1, NULL, NULL), 0);
		limit(KL_API_PRODUCE, next == 13 ? 3 : 0, next);
		reconnect();
		world_wait(producer, &ends[i]);
		ck_assert_msg(ends[i].error == 0, "%s", ends[i].text);
		ck_assert_int_eq(ends[i].offset, i);
	}
	world_close(producer);
	limit(KL_API_PRODUCE, 3, 13);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, 3, seen);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(seen[i].value, "value value value value value value");
	world_close_consumer(consumer);
}
END_TEST

/* --- idempotence: such a broker knows no repetitions --- */

/* By default it is had where it can be; there is one batch in flight then, so that a
 * repetition at least stands where it should. */
START_TEST(order_is_kept_where_repetitions_are_not_known)
{
	enum { MANY = 60 };
	struct world_end ends[MANY] = {{0}};
	struct world_seen seen[MANY];
	limit(KL_API_PRODUCE, 0, _i + 1);
	for (int i = 0; i < 10; i++)
		world_fault((struct klamm_broker_fault){
			.api = KL_API_PRODUCE, .skip = i, .action = KLAMM_BROKER_ERROR,
			.error = KLAMM_ERR_NOT_ENOUGH_REPLICAS});
	struct klamm_producer *producer = world_telling(
		NULL, "batch.size=200", "linger.ms=0", "retry.backoff.ms=1",
		"retry.backoff.max.ms=1", "acks=all", NULL);
	for (int i = 0; i < MANY; i++) {
		char value[64];
		snprintf(value, sizeof(value), "%d, and something to fill batches with", i);
		world_send(producer, "t", 0, NULL, value, &ends[i]);
	}
	world_close(producer);
	ck_assert_int_gt(klamm_broker_request_count(world_broker, KL_API_INIT_PRODUCER_ID), 0);
	limit(KL_API_PRODUCE, 3, 13);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, MANY, seen);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(ends[i].offset, i);
		ck_assert_int_eq(atoi(seen[i].value), i);
	}
	ck_assert_int_eq(world_end_of("t", 0), MANY);
	world_close_consumer(consumer);
}
END_TEST

START_TEST(who_insists_on_idempotence_hears_of_it)
{
	struct world_end end = {0};
	limit(KL_API_PRODUCE, 0, _i + 1);
	struct klamm_producer *producer =
		world_telling(NULL, "enable.idempotence=true", NULL);
	world_send(producer, "t", 0, NULL, "value", &end);
	world_wait(producer, &end);
	check_refused(&end, KLAMM_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
		      "idempotence and transactions need Kafka 0.11 or later, and broker 1 ");
	world_close(producer);
	ck_assert_int_eq(klamm_broker_request_count(world_broker, KL_API_PRODUCE), 0);
}
END_TEST

/* --- what cannot be said there --- */

START_TEST(headers_are_an_error)
{
	struct world_end ends[2] = {{0}};
	static const char *const says[] = {
		" takes message format v0 at most: record 0 of the batch has headers, which "
		"need Kafka 0.11 or later",
		" takes message format v1 at most: record 0 of the batch has headers, which "
		"need Kafka 0.11 or later"};
	limit(KL_API_PRODUCE, 0, _i + 1);
	struct klamm_producer *producer =
		world_telling(NULL, "compression.type=gzip", "linger.ms=0", NULL);
	struct klamm_header header = {world_span("h"), world_span("v")};
	struct klamm_record record = world_record("key", "value");
	record.partition = 0;
	record.headers = &header;
	record.header_count = 1;
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, &ends[0], NULL), 0);
	world_wait(producer, &ends[0]);
	check_refused(&ends[0], KLAMM_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, says[_i]);
	ck_assert_int_eq(klamm_broker_request_count(world_broker, KL_API_PRODUCE), 0);
	world_send(producer, "t", 0, "key", "value", &ends[1]);
	world_wait(producer, &ends[1]);
	ck_assert_msg(ends[1].error == 0, "%s", ends[1].text);
	world_close(producer);
	ck_assert_int_eq(world_end_of("t", 0), 1);
}
END_TEST

START_TEST(zstd_is_an_error)
{
	static const int max[] = {0, 2, 3, 6, 7};
	struct world_end end = {0};
	char says[80];
	limit(KL_API_PRODUCE, 0, max[_i]);
	struct klamm_producer *producer =
		world_telling(NULL, "compression.type=zstd", NULL);
	world_send(producer, "t", 0, "key", "value", &end);
	world_wait(producer, &end);
	snprintf(says, sizeof(says), " has Produce up to version %d only; set another ",
		 max[_i]);
	if (max[_i] < 7)
		check_refused(&end, KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE, says);
	else
		ck_assert_msg(end.error == 0, "%s", end.text);
	world_close(producer);
}
END_TEST

/* --- the bytes --- */

static struct {
	int version;
	struct kl_batch_head head;
	uint8_t packed[8];
} got;

static bool look(const struct script_request *request)
{
	const struct kl_produce_request *body = request->body;
	if (request->header.api != KL_API_PRODUCE)
		return false;
	struct kl_bytes records = body->topic_data[0].partition_data[0].records;
	got.version = request->header.version;
	ck_assert_int_eq(kl_batch_peek(records.p, (size_t)records.len, &got.head),
			 KL_BATCH_OLD);
	ck_assert_int_eq(kl_batch_size(&got.head), records.len);
	ck_assert(kl_batch_check_crc(records.p, &got.head));
	struct klamm_span packed = kl_batch_records(records.p, &got.head);
	memcpy(got.packed, packed.data, sizeof(got.packed));
	return false;
}

static const struct {
	int magic;
	const char *codec;
	int wire_id;
	const char *begins; /* what was packed */
} forms[] = {
	{0, "none", 0, "0000000000000000"},
	{1, "none", 0, "0000000000000000"},
	{0, "gzip", 1, "1f8b"},
	{1, "gzip", 1, "1f8b"},
	{0, "snappy", 2, "82534e4150505900"}, /* the framing of snappy-java */
	{1, "snappy", 2, "82534e4150505900"},
	{0, "lz4", 3, "04224d1860401a"}, /* the checksum of KAFKA-3160, */
	{1, "lz4", 3, "04224d18604082"}, /* and as it should be */
};

START_TEST(bytes_are_of_their_time)
{
	char pair[64];
	struct script script = {.handle = look, .below[KL_API_PRODUCE] = forms[_i].magic + 2};
	script_start(&script);
	world_servers = script.address;
	snprintf(pair, sizeof(pair), "compression.type=%s", forms[_i].codec);
	struct klamm_producer *producer = world_producer(NULL, pair, "linger.ms=1000", NULL);
	for (int i = 0; i < 20; i++) {
		struct klamm_record record = world_record("key", "value, and the same again");
		record.partition = 0;
		record.timestamp_ms = 1700000000000 + i;
		int rc = klamm_producer_send_to(producer, "t", &record, NULL, NULL);
		ck_assert_int_eq(rc, 0);
	}
	world_close(producer);
	script_stop(&script);
	ck_assert_int_eq(got.version, forms[_i].magic + 1);
	ck_assert_int_eq(got.head.magic, forms[_i].magic);
	ck_assert_int_eq(kl_batch_codec(&got.head), forms[_i].wire_id);
	ck_assert_int_eq(kl_batch_next_offset(&got.head), 20);
	ck_assert_int_eq(got.head.max_timestamp, forms[_i].magic == 0 ? -1 : 1700000000019);
	unit_check_hex(got.packed, strlen(forms[_i].begins) / 2, forms[_i].begins);
}
END_TEST

UNIT_SUITE(convert)
{
	Suite *s = suite_create("convert");
	unit_add_case(s, "every_codec_to_every_age", every_codec_to_every_age, set_up,
		      world_down, AGED);
	unit_add_fixture(s, a_whole_broker_of_0_9, set_up, world_down);
	unit_add_case(s, "acks_0_and_1", acks_0_and_1, set_up, world_down, 4);
	unit_add_case(s, "a_batch_goes_from_age_to_age", a_batch_goes_from_age_to_age, set_up,
		      world_down, 4);
	unit_add_case(s, "order_is_kept_where_repetitions_are_not_known",
		      order_is_kept_where_repetitions_are_not_known, set_up, world_down, 2);
	unit_add_case(s, "who_insists_on_idempotence_hears_of_it",
		      who_insists_on_idempotence_hears_of_it, set_up, world_down, 2);
	unit_add_case(s, "headers_are_an_error", headers_are_an_error, set_up, world_down, 2);
	unit_add_case(s, "zstd_is_an_error", zstd_is_an_error, set_up, world_down, 5);
	unit_add_loop(s, bytes_are_of_their_time, (int)kl_countof(forms));
	return s;
}
