/* SPDX-License-Identifier: BSD-2-Clause */
/* isolation.level: what producers took back, and what they have not finished. */
#include "tests/unit/reading/reading.h"

#include "core/base/endian.h"

enum {
	ANNA = 4000, /* producer ids */
	BEN = 5000,
	TRANSACTIONAL = 0x10,
	CONTROL = 0x20,
	ABORT = 0,
	COMMIT = 1,
};

static struct kl_buf log_bytes;
static int64_t log_end;
static _Atomic int fetch_isolation, offsets_isolation;

static void append(struct open_batch *b, int16_t attributes, int64_t producer)
{
	open_batch_seal(b, attributes, producer, producer < 0 ? -1 : 0, producer < 0 ? -1 : 0);
	kl_store_u64(b->bytes.data, (uint64_t)log_end); /* the base offset */
	kl_buf_put(&log_bytes, b->bytes.data, b->bytes.len);
	log_end += b->count;
	kl_buf_free(&b->bytes);
}

static void write_two(int64_t producer, const char *one, const char *two)
{
	struct open_batch b = {0};
	open_batch_start(&b, 1000);
	open_batch_add(&b, 1000, span(NULL), span(one), NULL, 0);
	open_batch_add(&b, 1000, span(NULL), span(two), NULL, 0);
	append(&b, producer >= 0 ? TRANSACTIONAL : 0, producer);
}

/* A marker: version and type in the key, version and coordinator epoch in the value. */
static void end_transaction(int64_t producer, char type)
{
	char key[4] = {0, 0, 0, type}, value[6] = {0};
	struct open_batch b = {0};
	open_batch_start(&b, 1000);
	open_batch_add(&b, 1000, (struct klamm_span){key, sizeof(key)},
		       (struct klamm_span){value, sizeof(value)}, NULL, 0);
	append(&b, TRANSACTIONAL | CONTROL, producer);
}

static void write_log(void)
{
	log_bytes = (struct kl_buf){0};
	log_end = 0;
	write_two(ANNA, "a0", "a1");
	write_two(BEN, "b2", "b3");
	end_transaction(ANNA, ABORT); /* 4 */
	write_two(ANNA, "a5", "a6");
	write_two(-1, "7", "8");
	end_transaction(BEN, COMMIT); /* 9 */
	end_transaction(ANNA, COMMIT); /* 10 */
	write_two(BEN, "b11", "b12");
	end_transaction(BEN, ABORT); /* 13 */
	ck_assert_int_eq(log_end, 14);
}

/* As Kafka: to who asks for it, what was aborted, in no order, and the last stable offset. */
static bool serve(const struct script_request *request)
{
	const struct kl_list_offsets_request *offsets = request->body;
	const struct kl_fetch_request *fetch = request->body;
	if (request->header.api == KL_API_LIST_OFFSETS)
		offsets_isolation = offsets->isolation_level;
	if (request->header.api != KL_API_FETCH)
		return false;
	fetch_isolation = fetch->isolation_level;
	struct kl_fetch_response *body = script_fetch(request);
	if (body->responses_n == 0)
		return false;
	struct kl_fetch_response_partition *part = &body->responses[0].partitions[0];
	if (part->records.len == 0)
		return false;
	part->aborted_transactions = kl_type_new(
		&kl_type_fetch_response_aborted_transaction, request->arena, 2);
	part->aborted_transactions_n = 2;
	part->aborted_transactions[0].producer_id = BEN;
	part->aborted_transactions[0].first_offset = 11;
	part->aborted_transactions[1].producer_id = ANNA;
	part->aborted_transactions[1].first_offset = 0;
	script_answer(request, body);
	return true;
}

static void start(const char *level)
{
	write_log();
	reading_script.log = log_bytes.data;
	reading_script.log_len = log_bytes.len;
	reading_script.log_end = log_end;
	reading_script.handle = serve;
	reading_start(level);
}

static void finish(void)
{
	reading_down();
	kl_buf_free(&log_bytes);
}

static void check(const char *expected)
{
	struct kl_buf out = {0};
	reading_until(14, &out);
	ck_assert_str_eq(kl_buf_text(&out), expected);
	kl_buf_free(&out);
}

START_TEST(opt_isolation_level)
{
	start(_i == 0 ? "isolation.level=read_committed" : "isolation.level=read_uncommitted");
	/* The position goes over what is left out. */
	check(_i == 0 ? "2 1000 create null \"b2\"\n"
			"3 1000 create null \"b3\"\n"
			"5 1000 create null \"a5\"\n"
			"6 1000 create null \"a6\"\n"
			"7 1000 create null \"7\"\n"
			"8 1000 create null \"8\"\n"
		      : "0 1000 create null \"a0\"\n"
			"1 1000 create null \"a1\"\n"
			"2 1000 create null \"b2\"\n"
			"3 1000 create null \"b3\"\n"
			"5 1000 create null \"a5\"\n"
			"6 1000 create null \"a6\"\n"
			"7 1000 create null \"7\"\n"
			"8 1000 create null \"8\"\n"
			"11 1000 create null \"b11\"\n"
			"12 1000 create null \"b12\"\n");
	ck_assert_int_eq(fetch_isolation, _i == 0);
	struct klamm_offset_query query = {.size = sizeof(query), .topic = "t",
					   .timestamp_ms = KLAMM_OFFSET_END};
	offsets_isolation = -1;
	ck_assert_int_eq(klamm_consumer_offsets(reading_consumer, &query, 1, 10000, NULL), 0);
	ck_assert_int_eq(offsets_isolation, _i == 0);
}
END_TEST

UNIT_SUITE(committed)
{
	Suite *s = suite_create("committed");
	unit_add_case(s, "opt_isolation_level", opt_isolation_level, reading_up, finish, 2);
	return s;
}
