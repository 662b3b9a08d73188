/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "tests/unit/record/record.h"

static const int64_t T0 = 1700000000000;

/* Records of several shapes, small enough to be cut and flipped everywhere. */
static void fill_sample(struct open_batch *b)
{
	static const char long_value[200] = "two hundred bytes: their length takes two";
	struct klamm_header headers[] = {
		{.name = span("trace"), .value = span("0123456789")},
		{.name = span(""), .value = span(NULL)},
		{.name = span("empty"), .value = span("")},
	};
	open_batch_start(b, T0);
	open_batch_add(b, T0, span(NULL), span("value"), NULL, 0);
	open_batch_add(b, T0 + 90, span("key"), span(NULL), NULL, 0);
	open_batch_add(b, T0 - 700000, span(""), span(""), headers, 3);
	open_batch_add(b, T0, span("k"), (struct klamm_span){long_value, 200}, headers, 1);
	open_batch_add(b, T0 + 1, span(NULL), span(NULL), NULL, 0);
	open_batch_seal(b, 0, -1, -1, -1);
}

static void check_inside(struct klamm_span s, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *from = s.data;
	if (from != NULL)
		ck_assert(from >= p && from <= end && s.len <= (size_t)(end - from));
}

/* Reads all there is, whatever it is; every view must lie in the input. The number of records,
 * or the error. */
static int read_all(const uint8_t *p, size_t n, int64_t start)
{
	struct kl_batch_head head;
	int total = 0, rc;
	const uint8_t *end = p + n;
	while ((rc = kl_batch_peek(p, (size_t)(end - p), &head)) > 0) {
		ck_assert_uint_le(kl_batch_size(&head), (size_t)(end - p));
		struct kl_record_iter iter;
		struct klamm_record_view view;
		kl_record_iter_init(&iter, &head, kl_batch_records(p, &head), start);
		while ((rc = kl_record_next(&iter, &view)) > 0) {
			check_inside(view.key, p, end);
			check_inside(view.value, p, end);
			struct klamm_header h;
			for (uint32_t i = 0; i < view.header_count; i++) {
				ck_assert_int_eq(klamm_record_header(&view, i, &h), 0);
				check_inside(h.name, p, end);
				check_inside(h.value, p, end);
			}
			ck_assert_int_ge(view.offset, start);
			total++;
		}
		ck_assert(rc == 0 || rc == KLAMM_ERR_CORRUPT_BATCH);
		ck_assert_int_eq(kl_record_next(&iter, &view), rc); /* and stays so */
		if (rc < 0)
			return rc;
		p += kl_batch_size(&head);
	}
	ck_assert(rc == 0 || rc == KLAMM_ERR_CORRUPT_BATCH);
	return rc < 0 ? rc : total;
}

START_TEST(cut_anywhere_is_cut)
{
	struct open_batch b = {0};
	fill_sample(&b);
	for (size_t n = 0; n < b.bytes.len; n++) {
		struct guarded g = guarded_copy(b.bytes.data, n);
		struct kl_batch_head head;
		ck_assert_int_eq(kl_batch_peek(g.p, n, &head), KL_BATCH_CUT);
		ck_assert_int_eq(head.length,
				 n < 12 ? 0 : (int)b.bytes.len - KL_BATCH_OVERHEAD);
		guarded_free(&g);
	}
	kl_buf_free(&b.bytes);
}
END_TEST

/* The bytes of the records end early, but the head believes in all of them. */
START_TEST(records_cut_anywhere_are_corrupt)
{
	struct open_batch b = {0};
	fill_sample(&b);
	for (size_t n = KL_BATCH_HEAD; n < b.bytes.len; n++) {
		struct guarded g = guarded_copy(b.bytes.data, n);
		kl_store_u32(g.p + KL_BATCH_LENGTH, (uint32_t)(n - KL_BATCH_OVERHEAD));
		ck_assert_int_eq(read_all(g.p, n, 0), KLAMM_ERR_CORRUPT_BATCH);
		guarded_free(&g);
	}
	ck_assert_int_eq(read_all(b.bytes.data, b.bytes.len, 0), 5);
	kl_buf_free(&b.bytes);
}
END_TEST

START_TEST(any_flipped_bit_is_survived_and_seen_by_the_crc)
{
	struct open_batch b = {0};
	fill_sample(&b);
	struct guarded g = guarded_copy(b.bytes.data, b.bytes.len);
	for (size_t bit = 0; bit < 8 * b.bytes.len; bit++) {
		g.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		read_all(g.p, b.bytes.len, 0);
		struct kl_batch_head head;
		if (bit / 8 >= KL_BATCH_CRC &&
		    kl_batch_peek(g.p, b.bytes.len, &head) == KL_BATCH_WHOLE)
			ck_assert(!kl_batch_check_crc(g.p, &head));
		g.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	guarded_free(&g);
	kl_buf_free(&b.bytes);
}
END_TEST

START_TEST(random_damage_is_survived)
{
	struct open_batch b = {0};
	fill_sample(&b);
	struct rng rng = {.state = 42};
	for (int round = 0; round < 3000; round++) {
		struct guarded g = guarded_copy(b.bytes.data, b.bytes.len);
		for (uint64_t hits = 1 + rng_below(&rng, 8); hits > 0; hits--) {
			size_t body = b.bytes.len - KL_BATCH_HEAD;
			size_t at = KL_BATCH_HEAD + rng_below(&rng, body);
			g.p[at] = rng_below(&rng, 2) ? 0xff : (uint8_t)rng_next(&rng);
		}
		read_all(g.p, b.bytes.len, (int64_t)rng_below(&rng, 7));
		guarded_free(&g);
	}
	kl_buf_free(&b.bytes);
}
END_TEST

static int peek_changed(size_t at, size_t bytes, uint64_t value)
{
	struct open_batch b = {0};
	fill_sample(&b);
	uint8_t *p = b.bytes.data;
	if (bytes == 1)
		p[at] = (uint8_t)value;
	else if (bytes == 4)
		kl_store_u32(p + at, (uint32_t)value);
	else
		kl_store_u64(p + at, value);
	struct kl_batch_head head;
	int rc = kl_batch_peek(p, b.bytes.len, &head);
	kl_buf_free(&b.bytes);
	return rc;
}

START_TEST(impossible_heads_are_corrupt)
{
	const int corrupt = KLAMM_ERR_CORRUPT_BATCH;
	ck_assert_int_eq(peek_changed(KL_BATCH_LENGTH, 4, 48), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_LENGTH, 4, 0), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_LENGTH, 4, UINT32_MAX), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_LENGTH, 4, INT32_MAX), KL_BATCH_CUT);
	ck_assert_int_eq(peek_changed(KL_BATCH_LENGTH, 4, 49), KL_BATCH_WHOLE);
	ck_assert_int_eq(peek_changed(KL_BATCH_MAGIC, 1, 3), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_MAGIC, 1, 0xff), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_BASE_OFFSET, 8, UINT64_MAX), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_BASE_OFFSET, 8, INT64_MAX - 4), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_BASE_OFFSET, 8, INT64_MAX - 5), KL_BATCH_WHOLE);
	ck_assert_int_eq(peek_changed(KL_BATCH_LAST_OFFSET_DELTA, 4, UINT32_MAX), corrupt);
	ck_assert_int_eq(peek_changed(KL_BATCH_RECORD_COUNT, 4, UINT32_MAX), corrupt);
}
END_TEST

/* How reading ends when the head claims this many records. */
static int read_counting(int32_t count)
{
	struct open_batch b = {0};
	fill_sample(&b);
	kl_store_u32(b.bytes.data + KL_BATCH_RECORD_COUNT, (uint32_t)count);
	int rc = read_all(b.bytes.data, b.bytes.len, 0);
	kl_buf_free(&b.bytes);
	return rc;
}

START_TEST(the_count_must_be_right)
{
	ck_assert_int_eq(read_counting(5), 5);
	ck_assert_int_eq(read_counting(4), KLAMM_ERR_CORRUPT_BATCH);
	ck_assert_int_eq(read_counting(6), KLAMM_ERR_CORRUPT_BATCH);
	ck_assert_int_eq(read_counting(0), KLAMM_ERR_CORRUPT_BATCH);
	ck_assert_int_eq(read_counting(INT32_MAX), KLAMM_ERR_CORRUPT_BATCH);
}
END_TEST

START_TEST(an_empty_batch_advances)
{
	/* What compaction leaves of a batch whose sequence must be kept. */
	struct open_batch b = {0};
	open_batch_start(&b, T0);
	open_batch_seal(&b, 0, 5, 0, 0);
	kl_store_u32(b.bytes.data + KL_BATCH_LAST_OFFSET_DELTA, 41);
	struct kl_batch_span found;
	ck_assert_int_eq(kl_batch_hop(b.bytes.data, b.bytes.len, &found), 0);
	ck_assert_int_eq(found.next_offset, 42);
	ck_assert_int_eq(read_all(b.bytes.data, b.bytes.len, 0), 0);
	kl_buf_free(&b.bytes);
}
END_TEST

START_TEST(records_below_the_start_are_skipped)
{
	struct open_batch b = {0};
	fill_sample(&b);
	kl_batch_place(b.bytes.data, 1000, 0);
	for (int64_t start = 998; start < 1008; start++) {
		int expected = start <= 1000 ? 5 : start >= 1005 ? 0 : (int)(1005 - start);
		ck_assert_int_eq(read_all(b.bytes.data, b.bytes.len, start), expected);
	}
	kl_buf_free(&b.bytes);
}
END_TEST

START_TEST(a_delete_horizon_does_not_move_times)
{
	struct open_batch b = {0};
	fill_sample(&b);
	open_batch_seal(&b, KL_ATTR_DELETE_HORIZON, -1, -1, -1);
	struct kl_buf out = {0};
	show_batches(&out, b.bytes.data, b.bytes.len);
	ck_assert_ptr_nonnull(strstr(kl_buf_text(&out), "1 1700000000090 create"));
	kl_buf_free(&out);
	kl_buf_free(&b.bytes);
}
END_TEST

START_TEST(hops_over_whole_batches)
{
	struct kl_buf log = {0};
	for (int i = 0; i < 3; i++) {
		struct open_batch b = {0};
		fill_sample(&b);
		kl_batch_place(b.bytes.data, 100 + 5 * i, 0);
		kl_buf_put(&log, b.bytes.data, b.bytes.len);
		kl_buf_free(&b.bytes);
	}
	size_t one = log.len / 3;
	for (size_t n = 0; n <= log.len; n++) {
		struct kl_batch_span found;
		ck_assert_int_eq(kl_batch_hop(log.data, n, &found), 0);
		ck_assert_uint_eq(found.batches, n / one);
		ck_assert_uint_eq(found.bytes, n / one * one);
		int64_t next = n < one ? -1 : 100 + 5 * (int64_t)(n / one);
		ck_assert_int_eq(found.next_offset, next);
	}
	log.data[2 * one + KL_BATCH_MAGIC] = 77;
	struct kl_batch_span found;
	ck_assert_int_eq(kl_batch_hop(log.data, log.len, &found), KLAMM_ERR_CORRUPT_BATCH);
	ck_assert_int_eq(found.next_offset, 110);
	kl_buf_free(&log);
}
END_TEST

static int validate(const struct open_batch *b, struct klamm_error *err)
{
	struct kl_batch_head head;
	int64_t newest;
	ck_assert_int_eq(kl_batch_peek(b->bytes.data, b->bytes.len, &head), KL_BATCH_WHOLE);
	struct klamm_span records = kl_batch_records(b->bytes.data, &head);
	int rc = kl_batch_validate(&head, records, &newest, err);
	if (rc == 0)
		ck_assert_int_eq(newest, b->max_timestamp);
	return rc;
}

START_TEST(a_broker_takes_only_sound_batches)
{
	struct klamm_error err;
	struct open_batch b = {0};
	fill_sample(&b);
	ck_assert_int_eq(validate(&b, &err), 0);
	kl_batch_place(b.bytes.data, 7, -1);
	ck_assert_int_eq(validate(&b, &err), KLAMM_ERR_INVALID_RECORD);
	open_batch_seal(&b, KL_ATTR_CONTROL, -1, -1, -1);
	ck_assert_int_eq(validate(&b, &err), KLAMM_ERR_INVALID_RECORD);
	open_batch_seal(&b, 0, 5, 0, -1);
	ck_assert_int_eq(validate(&b, &err), KLAMM_ERR_INVALID_RECORD);
	open_batch_seal(&b, 0, 5, 0, 0);
	ck_assert_int_eq(validate(&b, &err), 0);
	kl_store_u32(b.bytes.data + KL_BATCH_LAST_OFFSET_DELTA, 5);
	ck_assert_int_eq(validate(&b, &err), KLAMM_ERR_INVALID_RECORD);
	open_batch_seal(&b, 0, -1, -1, -1);
	b.bytes.data[KL_BATCH_HEAD + 3] = 2; /* the first record's offset delta: 1 */
	ck_assert_int_eq(validate(&b, &err), KLAMM_ERR_INVALID_RECORD);
	ck_assert_str_eq(err.text, "record 0 of the batch has offset delta 1");
	b.bytes.data[KL_BATCH_HEAD] = 200; /* its length */
	ck_assert_int_eq(validate(&b, NULL), KLAMM_ERR_INVALID_RECORD);
	open_batch_start(&b, T0);
	open_batch_seal(&b, 0, -1, -1, -1);
	kl_store_u32(b.bytes.data + KL_BATCH_LAST_OFFSET_DELTA, 0);
	ck_assert_int_eq(validate(&b, &err), KLAMM_ERR_INVALID_RECORD);
	kl_buf_free(&b.bytes);
}
END_TEST

static int control(const char *key_hex, const char *value_hex, struct kl_control *control_out)
{
	struct klamm_record_view view = {0};
	uint8_t *key = unit_hex(key_hex, &view.key.len);
	uint8_t *value = unit_hex(value_hex, &view.value.len);
	view.key.data = key;
	view.value.data = value;
	int rc = kl_control_get(&view, control_out);
	free(key);
	free(value);
	return rc;
}

START_TEST(control_records)
{
	struct kl_control c;
	ck_assert_int_eq(control("00000001", "000000000007", &c), 0);
	ck_assert_int_eq(c.type, KL_CONTROL_COMMIT);
	ck_assert_int_eq(c.coordinator_epoch, 7);
	ck_assert_int_eq(control("00000000", "000000000008", &c), 0);
	ck_assert_int_eq(c.type, KL_CONTROL_ABORT);
	ck_assert_int_eq(control("0001000100", "00010000000900", &c), 0); /* a later version */
	ck_assert_int_eq(c.type, KL_CONTROL_COMMIT);
	ck_assert_int_eq(c.coordinator_epoch, 9);
	ck_assert_int_eq(control("00000002", "0000", &c), 0); /* a leader change */
	ck_assert_int_eq(c.type, KL_CONTROL_UNKNOWN);
	ck_assert_int_eq(control("000000", "000000000007", &c), KLAMM_ERR_CORRUPT_BATCH);
	ck_assert_int_eq(control("ffff0001", "000000000007", &c), KLAMM_ERR_CORRUPT_BATCH);
	ck_assert_int_eq(control("00000001", "0000000000", &c), KLAMM_ERR_CORRUPT_BATCH);
	struct klamm_record_view null = {0};
	ck_assert_int_eq(kl_control_get(&null, &c), KLAMM_ERR_CORRUPT_BATCH);
}
END_TEST

UNIT_SUITE(batch_read)
{
	Suite *s = suite_create("batch_read");
	unit_add(s, cut_anywhere_is_cut);
	unit_add(s, records_cut_anywhere_are_corrupt);
	unit_add(s, any_flipped_bit_is_survived_and_seen_by_the_crc);
	unit_add(s, random_damage_is_survived);
	unit_add(s, impossible_heads_are_corrupt);
	unit_add(s, the_count_must_be_right);
	unit_add(s, an_empty_batch_advances);
	unit_add(s, records_below_the_start_are_skipped);
	unit_add(s, a_delete_horizon_does_not_move_times);
	unit_add(s, hops_over_whole_batches);
	unit_add(s, a_broker_takes_only_sound_batches);
	unit_add(s, control_records);
	return s;
}
