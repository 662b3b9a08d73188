/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/legacy_lz4.h"
#include "core/record/legacy_read.h"

#include <stdlib.h>

#include "core/base/crc32.h"
#include "tests/unit/record/record.h"

static void put_span(struct kl_buf *b, struct klamm_span s)
{
	kl_buf_i32(b, s.data == NULL ? -1 : (int32_t)s.len);
	kl_buf_put(b, s.data, s.len);
}

static void put_message(struct kl_buf *b, int magic, int64_t offset, uint8_t attributes,
			int64_t timestamp, struct klamm_span key, struct klamm_span value)
{
	size_t at = b->len;
	kl_buf_i64(b, offset);
	kl_buf_i32(b, (int32_t)(magic * 8 + 14 + key.len + value.len));
	kl_buf_i32(b, 0);
	kl_buf_u8(b, (uint8_t)magic);
	kl_buf_u8(b, attributes);
	if (magic == 1)
		kl_buf_i64(b, timestamp);
	put_span(b, key);
	put_span(b, value);
	ck_assert(!b->failed);
	kl_store_u32(b->data + at + 12, kl_crc32(0, b->data + at + 16, b->len - at - 16));
}

/* Three messages with these offsets, as they stand inside a compressed one. */
static struct kl_buf inner(int magic, int64_t first)
{
	struct kl_buf b = {0};
	put_message(&b, magic, first, 0, 100, span("a"), span("one"));
	put_message(&b, magic, first + 1, 0, 99, span(NULL), span("two"));
	put_message(&b, magic, first + 2, 0, 101, span("c"), span(NULL));
	return b;
}

/* Reads the inner messages as from a wrapper with this offset; the codec's work is left to
 * the imagination: the wrapper holds what would be compressed. */
static int read_wrapped(struct kl_buf *out, int magic, int64_t offset, uint8_t attributes,
			struct klamm_span compressed, struct klamm_span plain, int64_t start)
{
	struct kl_buf b = {0};
	put_message(&b, magic, offset, attributes, 5000, span(NULL), compressed);
	put_message(&b, magic, offset + 1, 0, 1, span(NULL), span("not part of it"));
	struct kl_batch_head head;
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KL_BATCH_OLD);
	ck_assert(kl_batch_check_crc(b.data, &head));
	ck_assert_int_eq(kl_batch_next_offset(&head), offset + 1);
	ck_assert_int_eq(head.record_count, -1);
	struct klamm_span value = kl_batch_records(b.data, &head);
	ck_assert_uint_eq(value.len, compressed.len);
	ck_assert_mem_eq(value.data, compressed.data, compressed.len);
	kl_buf_free(&b);

	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = kl_record_iter_init(&iter, &head, plain, start);
	while (rc >= 0 && (rc = kl_record_next(&iter, &view)) > 0)
		show_record(out, &view);
	ck_assert_int_eq(kl_record_next(&iter, &view), rc);
	return rc;
}

static void check_wrapped(int magic, int64_t offset, uint8_t attributes, int64_t first_inner,
			  int64_t start, const char *expected)
{
	struct kl_buf messages = inner(magic, first_inner), out = {0};
	struct klamm_span plain = {messages.data, messages.len};
	int rc = read_wrapped(&out, magic, offset, attributes, span("squeezed"), plain, start);
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(kl_buf_text(&out), expected);
	kl_buf_free(&messages);
	kl_buf_free(&out);
}

START_TEST(offsets_inside_v1_are_relative)
{
	check_wrapped(1, 52, 1, 0, 0,
		      "50 100 create \"a\" \"one\"\n"
		      "51 99 create null \"two\"\n"
		      "52 101 create \"c\" null\n");
	/* Also when compaction has taken the first ones. */
	check_wrapped(1, 60, 1, 7, 0,
		      "58 100 create \"a\" \"one\"\n"
		      "59 99 create null \"two\"\n"
		      "60 101 create \"c\" null\n");
	check_wrapped(1, 52, 1, 0, 52, "52 101 create \"c\" null\n");
	check_wrapped(1, 52, 1, 0, 53, "");
	/* Some producers wrote 0 outside. */
	check_wrapped(1, 0, 1, 0, 0,
		      "0 100 create \"a\" \"one\"\n"
		      "1 99 create null \"two\"\n"
		      "2 101 create \"c\" null\n");
}
END_TEST

START_TEST(offsets_inside_v0_are_absolute)
{
	check_wrapped(0, 52, 2, 50, 51,
		      "51 -1 none null \"two\"\n"
		      "52 -1 none \"c\" null\n");
}
END_TEST

START_TEST(append_time_is_that_of_the_outer_message)
{
	check_wrapped(1, 52, 1 | KL_ATTR_LOG_APPEND_TIME, 0, 51,
		      "51 5000 append null \"two\"\n"
		      "52 5000 append \"c\" null\n");
}
END_TEST

static int wrapped_error(int magic, int64_t offset, const struct kl_buf *plain)
{
	struct kl_buf out = {0};
	int rc = read_wrapped(&out, magic, offset, 1, span("squeezed"),
			      (struct klamm_span){plain->data, plain->len}, 0);
	ck_assert_uint_eq(out.len, 0);
	kl_buf_free(&out);
	return rc;
}

START_TEST(unsound_inner_messages_are_corrupt)
{
	const int corrupt = KLAMM_ERR_CORRUPT_BATCH;
	struct kl_buf b = {0};
	ck_assert_int_eq(wrapped_error(1, 5, &b), corrupt); /* none */
	b = inner(1, 4);
	ck_assert_int_eq(wrapped_error(1, 5, &b), corrupt); /* the last is 6 */
	ck_assert_int_eq(wrapped_error(0, 6, &b), corrupt); /* the other format */
	size_t whole = b.len;
	for (b.len = 1; b.len < whole; b.len++)
		if (b.len != 38 && b.len != 38 + 37) /* where the first two end */
			ck_assert_int_eq(wrapped_error(1, 6, &b), corrupt);
	put_message(&b, 1, 7, 1, 0, span(NULL), span("squeezed again"));
	ck_assert_int_eq(wrapped_error(1, 7, &b), corrupt); /* compressed twice */
	kl_buf_free(&b);
}
END_TEST

START_TEST(a_run_ends_where_something_changes)
{
	struct kl_buf b = {0};
	put_message(&b, 1, 10, 0, 1, span(NULL), span("x"));
	put_message(&b, 1, 12, 0, 3, span(NULL), span("x"));
	put_message(&b, 1, 13, KL_ATTR_LOG_APPEND_TIME, 4, span(NULL), span("x"));
	put_message(&b, 0, 14, 0, 0, span(NULL), span("x"));
	put_message(&b, 0, 14, 0, 0, span(NULL), span("again the same offset"));
	put_message(&b, 0, INT64_C(1) << 40, 0, 0, span(NULL), span("far off"));
	struct kl_buf out = {0};
	show_batches(&out, b.data, b.len);
	ck_assert_str_eq(kl_buf_text(&out), "batch magic=1 next=13 attributes=0x0000\n"
					    "10 1 create null \"x\"\n"
					    "12 3 create null \"x\"\n"
					    "batch magic=1 next=14 attributes=0x0008\n"
					    "13 4 append null \"x\"\n"
					    "batch magic=0 next=15 attributes=0x0000\n"
					    "14 -1 none null \"x\"\n"
					    "batch magic=0 next=15 attributes=0x0000\n"
					    "14 -1 none null \"again the same offset\"\n"
					    "batch magic=0 next=1099511627777 "
					    "attributes=0x0000\n"
					    "1099511627776 -1 none null \"far off\"\n");
	struct kl_batch_head head;
	kl_batch_peek(b.data, b.len, &head);
	ck_assert_int_eq(head.max_timestamp, 3);
	ck_assert_int_eq(head.record_count, 2);
	kl_buf_free(&b);
	kl_buf_free(&out);
}
END_TEST

static int read_run(const uint8_t *p, size_t n)
{
	struct kl_batch_head head;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = kl_batch_peek(p, n, &head);
	if (rc <= 0)
		return rc;
	kl_batch_check_crc(p, &head);
	rc = kl_record_iter_init(&iter, &head, kl_batch_records(p, &head), 0);
	int count = 0;
	for (; rc >= 0 && (rc = kl_record_next(&iter, &view)) > 0; count++)
		;
	return rc < 0 ? rc : count;
}

START_TEST(cut_and_flipped)
{
	struct kl_buf b = inner(_i, 3);
	size_t first = _i == 0 ? 30 : 38; /* bytes of the first message */
	for (size_t n = 0; n <= b.len; n++) {
		struct guarded g = guarded_copy(b.data, n);
		int got = read_run(g.p, n);
		ck_assert_int_ge(got, 0);
		ck_assert_int_le(got, n < b.len ? 2 : 3);
		if (n < first)
			ck_assert_int_eq(got, KL_BATCH_CUT);
		guarded_free(&g);
	}
	struct guarded g = guarded_copy(b.data, b.len);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		g.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		read_run(g.p, b.len);
		struct kl_batch_head head;
		size_t at = bit / 8;
		/* Behind the length of the first message the CRC must see it. */
		if (at >= 12 && at < first && kl_batch_peek(g.p, b.len, &head) == KL_BATCH_OLD)
			ck_assert(!kl_batch_check_crc(g.p, &head));
		g.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(read_run(g.p, b.len), 3);
	guarded_free(&g);
	kl_buf_free(&b);
}
END_TEST

START_TEST(impossible_messages_are_corrupt)
{
	struct kl_buf b = {0};
	struct kl_batch_head head;
	put_message(&b, 1, 1, 0, 0, span("key"), span("value"));
	kl_store_u32(b.data + 8, 13);
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KLAMM_ERR_CORRUPT_BATCH);
	kl_store_u32(b.data + 8, 21); /* enough for v0 only */
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KLAMM_ERR_CORRUPT_BATCH);
	kl_buf_clear(&b);
	put_message(&b, 1, -1, 0, 0, span(NULL), span("value"));
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KLAMM_ERR_CORRUPT_BATCH);
	kl_buf_clear(&b);
	put_message(&b, 0, 0, 1, 0, span(NULL), span(NULL)); /* nothing, compressed */
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KLAMM_ERR_CORRUPT_BATCH);
	kl_buf_clear(&b);
	put_message(&b, 0, 0, 0, 0, span("key"), span("value"));
	kl_store_u32(b.data + 18, 4); /* a key that eats the value's length */
	ck_assert_int_eq(kl_batch_peek(b.data, b.len, &head), KLAMM_ERR_CORRUPT_BATCH);
	kl_buf_free(&b);
}
END_TEST

START_TEST(mends_lz4_frames)
{
	/* Heads of frames as the lz4 program writes them, with the checksum spoilt. */
	static const char *const good[] = {"04224d186440a7", "04224d186470b9"};
	for (size_t i = 0; i < kl_countof(good); i++) {
		size_t n;
		uint8_t *frame = unit_hex(good[i], &n);
		frame[6] ^= 0x55;
		kl_legacy_mend_lz4(frame, n);
		unit_check_hex(frame, n, good[i]);
		free(frame);
	}
	/* Not a frame, or not enough of one: left alone. */
	uint8_t other[7] = {0x04, 0x22, 0x4d, 0x18, 0x6c, 0x40, 0x11};
	kl_legacy_mend_lz4(other, 7); /* a content size should follow */
	unit_check_hex(other, 7, "04224d186c4011");
	kl_legacy_mend_lz4(other, 3);
	other[0] = 0;
	kl_legacy_mend_lz4(other, 7);
	unit_check_hex(other, 7, "00224d186c4011");
}
END_TEST

UNIT_SUITE(legacy_read)
{
	Suite *s = suite_create("legacy_read");
	unit_add(s, offsets_inside_v1_are_relative);
	unit_add(s, offsets_inside_v0_are_absolute);
	unit_add(s, append_time_is_that_of_the_outer_message);
	unit_add(s, unsound_inner_messages_are_corrupt);
	unit_add(s, a_run_ends_where_something_changes);
	unit_add_loop(s, cut_and_flipped, 2);
	unit_add(s, impossible_messages_are_corrupt);
	unit_add(s, mends_lz4_frames);
	return s;
}
