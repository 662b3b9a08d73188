/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/buf.h"

#include "tests/unit/unit.h"

START_TEST(writes_a_column)
{
	struct kl_buf b = {0};
	kl_buf_u8(&b, 0xfe);
	kl_buf_i16(&b, -2);
	kl_buf_i32(&b, 0x01020304);
	kl_buf_i64(&b, INT64_MIN);
	kl_buf_uvarint(&b, 300);
	kl_buf_varlong(&b, -3);
	kl_buf_put(&b, "ab", 2);
	kl_buf_put(&b, NULL, 0);
	kl_buf_printf(&b, "%d|%s", 7, "x");
	ck_assert(!b.failed);
	unit_check_hex(b.data, b.len, "fe fffe 01020304 8000000000000000 ac02 05 6162 377c78");

	struct kl_reader r = kl_reader(b.data, b.len);
	ck_assert_uint_eq(kl_read_u8(&r), 0xfe);
	ck_assert_int_eq(kl_read_i16(&r), -2);
	ck_assert_int_eq(kl_read_i32(&r), 0x01020304);
	ck_assert_int_eq(kl_read_i64(&r), INT64_MIN);
	ck_assert_uint_eq(kl_read_uvarint(&r), 300);
	ck_assert_int_eq(kl_read_varlong(&r), -3);
	ck_assert_mem_eq(kl_read(&r, 5), "ab7|x", 5);
	ck_assert(!r.failed);
	ck_assert_uint_eq(kl_reader_left(&r), 0);
	kl_buf_free(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(grows_and_keeps)
{
	struct kl_buf b = {0};
	for (uint32_t i = 0; i < 10000; i++)
		kl_buf_i32(&b, (int32_t)i);
	ck_assert_uint_eq(b.len, 40000);
	ck_assert_uint_le(b.len, b.cap);
	for (uint32_t i = 0; i < 10000; i++)
		ck_assert_uint_eq(kl_load_u32(b.data + 4 * i), i);
	uint8_t *before = b.data;
	kl_buf_clear(&b);
	kl_buf_u8(&b, 1);
	ck_assert_ptr_eq(b.data, before);
	ck_assert_uint_eq(b.len, 1);
	kl_buf_free(&b);
}
END_TEST

START_TEST(failure_sticks)
{
	struct kl_buf b = {.max = 10};
	kl_buf_i64(&b, 1);
	ck_assert(!b.failed);
	kl_buf_i32(&b, 2); /* 12 bytes: too many */
	ck_assert(b.failed);
	kl_buf_u8(&b, 3); /* would fit, but a hole is worse than an end */
	ck_assert_uint_eq(b.len, 8);
	ck_assert_str_eq(kl_buf_text(&b), "");
	ck_assert_ptr_null(kl_buf_reserve(&b, 0));
	kl_buf_clear(&b);
	kl_buf_i16(&b, 4);
	ck_assert(!b.failed);
	unit_check_hex(b.data, b.len, "0004");
	kl_buf_free(&b);
	ck_assert_uint_eq(b.max, 10);
}
END_TEST

START_TEST(no_room_is_a_place)
{
	struct kl_buf b = {0};
	ck_assert_ptr_nonnull(kl_buf_reserve(&b, 0));
	ck_assert_ptr_nonnull(kl_buf_extend(&b, 0));
	ck_assert(!b.failed);
	kl_buf_free(&b);
}
END_TEST

START_TEST(absurd_sizes_fail)
{
	struct kl_buf b = {0};
	kl_buf_u8(&b, 1);
	ck_assert_ptr_null(kl_buf_extend(&b, SIZE_MAX));
	ck_assert(b.failed);
	kl_buf_clear(&b);
	ck_assert_ptr_null(kl_buf_reserve(&b, SIZE_MAX / 2));
	ck_assert(b.failed);
	kl_buf_free(&b);
}
END_TEST

START_TEST(text_is_terminated)
{
	struct kl_buf b = {0};
	ck_assert_str_eq(kl_buf_text(&b), "");
	kl_buf_printf(&b, "%0512d", 42); /* beyond the first capacity */
	ck_assert_uint_eq(b.len, 512);
	ck_assert_uint_eq(strlen(kl_buf_text(&b)), 512);
	kl_buf_put(&b, "!", 1);
	ck_assert_uint_eq(b.len, 513);
	ck_assert_str_eq(kl_buf_text(&b) + 510, "42!");
	kl_buf_free(&b);
}
END_TEST

START_TEST(reader_stops_at_the_end)
{
	static const uint8_t bytes[] = {0, 1, 2};
	struct kl_reader r = kl_reader(bytes, sizeof(bytes));
	ck_assert_int_eq(kl_read_i16(&r), 1);
	ck_assert_int_eq(kl_read_i32(&r), 0); /* one byte is left */
	ck_assert(r.failed);
	ck_assert_uint_eq(kl_read_u8(&r), 0); /* not 2: failed is failed */
	ck_assert_uint_eq(kl_reader_left(&r), 1);
	ck_assert_ptr_null(kl_read(&r, 0));

	r = kl_reader(bytes, sizeof(bytes));
	ck_assert_ptr_null(kl_read(&r, SIZE_MAX));
	ck_assert(r.failed);
	r = kl_reader(bytes, 0);
	ck_assert_ptr_nonnull(kl_read(&r, 0));
	ck_assert(!r.failed);
}
END_TEST

UNIT_SUITE(buf)
{
	Suite *s = suite_create("buf");
	unit_add(s, writes_a_column);
	unit_add(s, grows_and_keeps);
	unit_add(s, failure_sticks);
	unit_add(s, no_room_is_a_place);
	unit_add(s, absurd_sizes_fail);
	unit_add(s, text_is_terminated);
	unit_add(s, reader_stops_at_the_end);
	return s;
}
