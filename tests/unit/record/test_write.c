/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "core/base/crc32c.h"
#include "tests/unit/record/record.h"

/* Lengths at which a zigzag varint grows or kl_put_bytes() changes its way. */
static const size_t lengths[] = {
	0,  1,  2,  3,  4,   5,   7,   8,   9,   15,  16,   17,   31,    32,      33,
	63, 64, 65, 127, 128, 129, 130, 255, 8191, 8192, 8193, 70000, 1048575, 1048576,
};

static struct klamm_span pick_span(struct rng *rng, const uint8_t *pool)
{
	if (rng_below(rng, 4) == 0)
		return (struct klamm_span){NULL, 0};
	size_t few = kl_countof(lengths) - (rng_below(rng, 50) == 0 ? 0 : 6);
	return (struct klamm_span){pool + rng_below(rng, 64), lengths[rng_below(rng, few)]};
}

static int64_t pick_delta(struct rng *rng)
{
	int64_t magnitude = (int64_t)(rng_next(rng) >> (16 + rng_below(rng, 48)));
	return rng_below(rng, 3) == 0 ? -magnitude : magnitude;
}

static void check_span(struct klamm_span read, struct klamm_span written)
{
	ck_assert_int_eq(read.data == NULL, written.data == NULL);
	ck_assert_uint_eq(read.len, written.len);
	if (written.len > 0)
		ck_assert_mem_eq(read.data, written.data, written.len);
}

struct written {
	int64_t timestamp;
	struct klamm_span key, value;
	struct klamm_header headers[5];
	size_t header_count;
};

static void pick_record(struct rng *rng, const uint8_t *pool, struct written *w)
{
	*w = (struct written){
		.timestamp = 1700000000000 + pick_delta(rng),
		.key = pick_span(rng, pool),
		.value = pick_span(rng, pool),
		.header_count = rng_below(rng, 3) == 0 ? rng_below(rng, 6) : 0,
	};
	for (size_t i = 0; i < w->header_count; i++) {
		w->headers[i].name = (struct klamm_span){pool, rng_below(rng, 70)};
		w->headers[i].value = pick_span(rng, pool);
	}
}

static void check_record(const struct klamm_record_view *view, const struct written *w,
			 int64_t offset)
{
	ck_assert_int_eq(view->offset, offset);
	ck_assert_int_eq(view->timestamp_ms, w->timestamp);
	ck_assert_int_eq(view->timestamp_type, KLAMM_TIMESTAMP_CREATE);
	check_span(view->key, w->key);
	check_span(view->value, w->value);
	ck_assert_uint_eq(view->header_count, w->header_count);
	struct klamm_header h;
	for (uint32_t i = 0; i < view->header_count; i++) {
		ck_assert_int_eq(klamm_record_header(view, i, &h), 0);
		check_span(h.name, w->headers[i].name);
		check_span(h.value, w->headers[i].value);
	}
	ck_assert_int_eq(klamm_record_header(view, view->header_count, &h),
			 KLAMM_ERR_INVALID_ARGUMENT);
}

START_TEST(random_records_come_back)
{
	enum { MOST = 300, POOL = 1048576 + 64 };
	static struct written written[MOST];
	struct rng rng = {.state = 1000 + (uint64_t)_i};
	uint8_t *pool = malloc(POOL);
	for (size_t i = 0; i < POOL; i++)
		pool[i] = (uint8_t)rng_next(&rng);
	int32_t count = 1 + (int32_t)rng_below(&rng, MOST);
	struct open_batch b = {0};
	open_batch_start(&b, 1700000000000);
	for (int32_t i = 0; i < count; i++) {
		struct written *w = &written[i];
		pick_record(&rng, pool, w);
		open_batch_add(&b, w->timestamp, w->key, w->value, w->headers,
			       w->header_count);
	}
	open_batch_seal(&b, 0, 77, 3, 12345);

	struct guarded g = guarded_copy(b.bytes.data, b.bytes.len);
	struct kl_batch_head head;
	ck_assert_int_eq(kl_batch_peek(g.p, b.bytes.len, &head), KL_BATCH_WHOLE);
	ck_assert(kl_batch_check_crc(g.p, &head));
	struct kl_record_iter iter;
	struct klamm_record_view view;
	struct klamm_span records = kl_batch_records(g.p, &head);
	ck_assert_int_eq(kl_record_iter_init(&iter, &head, records, 0), 0);
	for (int32_t i = 0; i < count; i++) {
		ck_assert_int_eq(kl_record_next(&iter, &view), 1);
		check_record(&view, &written[i], i);
	}
	ck_assert_int_eq(kl_record_next(&iter, &view), 0);
	int64_t newest;
	ck_assert_int_eq(kl_batch_validate(&head, records, &newest, NULL), 0);
	ck_assert_int_le(newest, b.max_timestamp);
	guarded_free(&g);
	kl_buf_free(&b.bytes);
	free(pool);
}
END_TEST

START_TEST(offset_deltas_of_every_size)
{
	static const uint32_t deltas[] = {0, 63, 64, 8191, 8192, 1048575, 1048576, 134217727,
					  134217728, INT32_MAX};
	for (size_t i = 0; i < kl_countof(deltas); i++) {
		uint8_t record[64];
		struct klamm_span value = span("v");
		uint8_t *end = kl_record_put(record, deltas[i], INT64_MIN, span(NULL), value,
					     NULL, 0, 1);
		size_t n = (size_t)(end - record);
		ck_assert_uint_le(n, kl_record_bound(0, value.len, 1));
		struct kl_batch_head head = {.magic = 2, .record_count = 1,
					     .base_offset = UINT32_MAX};
		struct kl_record_iter iter;
		struct klamm_record_view view;
		kl_record_iter_init(&iter, &head, (struct klamm_span){record, n}, 0);
		ck_assert_int_eq(kl_record_next(&iter, &view), 1);
		ck_assert_int_eq(view.offset, (int64_t)UINT32_MAX + deltas[i]);
		ck_assert_int_eq(view.timestamp_ms, INT64_MIN);
	}
}
END_TEST

/* A record of one value, written with room for its bound and not a byte more. */
static void check_one(struct klamm_span key, struct klamm_span value, uint32_t offset_delta,
		      int64_t timestamp_delta)
{
	size_t bound = kl_record_bound(key.len, value.len, 1);
	uint8_t *record = malloc(bound);
	ck_assert_ptr_nonnull(record);
	uint8_t *end = kl_record_put(record, offset_delta, timestamp_delta, key, value,
				     NULL, 0, 1);
	size_t size = (size_t)(end - record);
	ck_assert_uint_le(size, bound);
	struct kl_batch_head head = {.magic = 2, .record_count = 1};
	struct kl_record_iter iter;
	struct klamm_record_view view;
	kl_record_iter_init(&iter, &head, (struct klamm_span){record, size}, 0);
	ck_assert_int_eq(kl_record_next(&iter, &view), 1);
	ck_assert_ptr_eq(view.key.data, NULL);
	ck_assert_uint_eq(view.value.len, value.len);
	ck_assert(memcmp(view.value.data, value.data, value.len) == 0);
	ck_assert_int_eq(view.offset, offset_delta);
	ck_assert_int_eq(view.timestamp_ms, timestamp_delta);
	ck_assert_int_eq(kl_record_next(&iter, &view), 0);
	free(record);
}

/* Where the length of a record needs one byte more than its value alone would tell. */
START_TEST(lengths_of_every_size)
{
	static uint8_t bytes[1 << 21];
	static const size_t edges[] = {64, 128, 8192, 1 << 20};
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t e = 0; e < kl_countof(edges); e++) {
		for (size_t n = edges[e] - 40; n < edges[e] + 5; n++) {
			struct klamm_span value = {bytes, n};
			check_one((struct klamm_span){NULL, 0}, value, 0, 0);
			check_one((struct klamm_span){NULL, 0}, value, INT32_MAX, INT64_MIN);
			/* Null, whatever its length says. */
			check_one((struct klamm_span){NULL, 9000}, value, 8191, -1);
		}
	}
}
END_TEST

START_TEST(bounds_and_sizes_do_not_wrap)
{
	ck_assert_uint_eq(kl_record_bound(SIZE_MAX, 1, 1), SIZE_MAX);
	ck_assert_uint_eq(kl_record_bound(SIZE_MAX / 2, SIZE_MAX / 2, 1), SIZE_MAX);
	struct klamm_header big[2] = {
		{.name = {"a", 1}, .value = {"b", (size_t)INT32_MAX + 1}},
	};
	ck_assert_uint_eq(kl_headers_size(big, 1), SIZE_MAX);
	big[0].value.data = NULL; /* null has no length */
	ck_assert_uint_eq(kl_headers_size(big, 1), 1 + 1 + 1 + 1);
	big[0].name.len = (size_t)INT32_MAX + 1;
	ck_assert_uint_eq(kl_headers_size(big, 1), SIZE_MAX);
	ck_assert_uint_eq(kl_headers_size(NULL, 0), 1);
	ck_assert_uint_eq(kl_headers_size(big, (size_t)INT32_MAX + 1), SIZE_MAX);
}
END_TEST

static void fill(struct open_batch *b, int records)
{
	open_batch_start(b, 1700000000000);
	for (int i = 0; i < records; i++)
		open_batch_add(b, 1700000000000 + i, span(i % 3 ? "key" : NULL),
			       span("a value of some length"), NULL, 0);
}

/* As the format says, without any splitting or combining. */
static uint32_t crc_of(const struct kl_buf *batch)
{
	return kl_crc32c(0, batch->data + 21, batch->len - 21);
}

START_TEST(stamping_again_is_like_stamping_afresh)
{
	struct open_batch b = {0}, fresh = {0};
	fill(&b, 1 + _i * 40);
	open_batch_seal(&b, KL_ATTR_TRANSACTIONAL, 1, 0, INT32_MAX);
	uint32_t body = kl_batch_body_crc(b.bytes.data + KL_BATCH_HEAD,
					  b.bytes.len - KL_BATCH_HEAD);
	kl_batch_stamp(b.bytes.data, INT64_MAX, INT16_MAX, 0, body);
	fill(&fresh, 1 + _i * 40);
	open_batch_seal(&fresh, KL_ATTR_TRANSACTIONAL, INT64_MAX, INT16_MAX, 0);
	ck_assert_uint_eq(b.bytes.len, fresh.bytes.len);
	ck_assert_mem_eq(b.bytes.data, fresh.bytes.data, b.bytes.len);
	ck_assert_uint_eq(kl_load_u32(b.bytes.data + 17), crc_of(&b.bytes));
	kl_buf_free(&b.bytes);
	kl_buf_free(&fresh.bytes);
}
END_TEST

START_TEST(a_broker_changes_the_head_in_place)
{
	struct open_batch b = {0};
	fill(&b, 500);
	open_batch_seal(&b, 0, -1, -1, -1);
	kl_batch_place(b.bytes.data, INT64_C(1) << 40, 9);
	kl_batch_set_time(b.bytes.data, true, 1800000000000);
	struct kl_batch_head head;
	ck_assert_int_eq(kl_batch_peek(b.bytes.data, b.bytes.len, &head), KL_BATCH_WHOLE);
	ck_assert(kl_batch_check_crc(b.bytes.data, &head));
	ck_assert_uint_eq(head.crc, crc_of(&b.bytes));
	ck_assert_int_eq(kl_batch_next_offset(&head), (INT64_C(1) << 40) + 500);
	struct kl_record_iter iter;
	struct klamm_record_view view;
	kl_record_iter_init(&iter, &head, kl_batch_records(b.bytes.data, &head), 0);
	ck_assert_int_eq(kl_record_next(&iter, &view), 1);
	ck_assert_int_eq(view.timestamp_ms, 1800000000000);
	ck_assert_int_eq(view.timestamp_type, KLAMM_TIMESTAMP_LOG_APPEND);
	ck_assert_int_eq(view.leader_epoch, 9);
	ck_assert_int_eq(view.offset, INT64_C(1) << 40);

	kl_batch_set_time(b.bytes.data, false, 1700000000499);
	kl_batch_place(b.bytes.data, 0, -1);
	struct open_batch untouched = {0};
	fill(&untouched, 500);
	open_batch_seal(&untouched, 0, -1, -1, -1);
	ck_assert_mem_eq(b.bytes.data, untouched.bytes.data, b.bytes.len);
	kl_buf_free(&b.bytes);
	kl_buf_free(&untouched.bytes);
}
END_TEST

START_TEST(setting_the_time_does_not_repair)
{
	struct open_batch b = {0};
	fill(&b, 20);
	open_batch_seal(&b, 0, -1, -1, -1);
	b.bytes.data[b.bytes.len / 2] ^= 1;
	kl_batch_set_time(b.bytes.data, true, 5);
	struct kl_batch_head head;
	ck_assert_int_eq(kl_batch_peek(b.bytes.data, b.bytes.len, &head), KL_BATCH_WHOLE);
	ck_assert(!kl_batch_check_crc(b.bytes.data, &head));
	kl_buf_free(&b.bytes);
}
END_TEST

UNIT_SUITE(batch_write)
{
	Suite *s = suite_create("batch_write");
	unit_add_loop(s, random_records_come_back, 12);
	unit_add(s, offset_deltas_of_every_size);
	unit_add(s, lengths_of_every_size);
	unit_add(s, bounds_and_sizes_do_not_wrap);
	unit_add_loop(s, stamping_again_is_like_stamping_afresh, 8);
	unit_add(s, a_broker_changes_the_head_in_place);
	unit_add(s, setting_the_time_does_not_repair);
	return s;
}
