/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "tests/unit/record/record.h"

/* A file of cases: "= name", lines of hexadecimal digits, then what show_batches() prints. */
struct vector {
	const char *name;
	uint8_t *bytes;
	size_t len;
	const char *expected;
};
typedef void (*vector_fn)(const struct vector *v);

static char *take_hex(struct vector *v, char *line, char **save)
{
	struct kl_buf hex = {0};
	while (line != NULL && strncmp(line, "batch", 5) != 0) {
		kl_buf_printf(&hex, "%s", line);
		line = strtok_r(NULL, "\n", save);
	}
	v->bytes = unit_hex(kl_buf_text(&hex), &v->len);
	kl_buf_free(&hex);
	return line;
}

static void each_vector(const char *file, size_t cases, vector_fn fn)
{
	size_t len, seen = 0;
	char *text = unit_read(file, &len), *save;
	char *line = strtok_r(text, "\n", &save);
	while (line != NULL && *line == '#')
		line = strtok_r(NULL, "\n", &save);
	for (; line != NULL; seen++) {
		ck_assert_int_eq(*line, '=');
		struct vector v = {.name = line + 2};
		line = take_hex(&v, strtok_r(NULL, "\n", &save), &save);
		struct kl_buf expected = {0};
		for (; line != NULL && *line != '='; line = strtok_r(NULL, "\n", &save))
			kl_buf_printf(&expected, "%s\n", line);
		v.expected = kl_buf_text(&expected);
		fn(&v);
		kl_buf_free(&expected);
		free(v.bytes);
	}
	ck_assert_uint_eq(seen, cases);
	free(text);
}

static void reads(const struct vector *v)
{
	struct guarded g = guarded_copy(v->bytes, v->len);
	struct kl_buf out = {0};
	show_batches(&out, g.p, v->len);
	ck_assert_msg(strcmp(kl_buf_text(&out), v->expected) == 0, "%s:\n%s", v->name,
		      kl_buf_text(&out));
	kl_buf_free(&out);
	guarded_free(&g);
}

/* What was read, written again, is what others wrote. */
static void writes(const struct vector *v)
{
	struct kl_batch_head head;
	const uint8_t *p = v->bytes;
	for (size_t left = v->len; left > 0; p += kl_batch_size(&head)) {
		ck_assert_int_eq(kl_batch_peek(p, left, &head), KL_BATCH_WHOLE);
		struct kl_buf out = {0};
		uint8_t *q = kl_buf_reserve(&out, 1000);
		struct kl_record_iter iter;
		struct klamm_record_view view;
		kl_record_iter_init(&iter, &head, kl_batch_records(p, &head), 0);
		kl_batch_head_put(q, &head);
		q += KL_BATCH_HEAD;
		while (kl_record_next(&iter, &view) > 0) {
			struct klamm_header headers[4];
			ck_assert_uint_le(view.header_count, kl_countof(headers));
			for (uint32_t i = 0; i < view.header_count; i++)
				klamm_record_header(&view, i, &headers[i]);
			q = kl_record_put(q, (uint32_t)(view.offset - head.base_offset),
					  view.timestamp_ms - head.base_timestamp, view.key,
					  view.value, headers, view.header_count,
					  kl_headers_size(headers, view.header_count));
		}
		size_t body = (size_t)(q - out.data) - KL_BATCH_HEAD;
		kl_store_u32(out.data + KL_BATCH_CRC, 0);
		kl_batch_stamp(out.data, head.producer_id, head.producer_epoch,
			       head.base_sequence,
			       kl_batch_body_crc(out.data + KL_BATCH_HEAD, body));
		ck_assert_uint_eq(body + KL_BATCH_HEAD, kl_batch_size(&head));
		ck_assert_mem_eq(out.data, p, kl_batch_size(&head));
		kl_buf_free(&out);
		left -= kl_batch_size(&head);
	}
}

START_TEST(reads_v2)
{
	each_vector("tests/unit/record/v2.txt", 9, reads);
}
END_TEST

START_TEST(writes_v2)
{
	each_vector("tests/unit/record/v2.txt", 9, writes);
}
END_TEST

START_TEST(reads_old_formats)
{
	each_vector("tests/unit/record/old.txt", 7, reads);
}
END_TEST

UNIT_SUITE(vectors)
{
	Suite *s = suite_create("vectors");
	unit_add(s, reads_v2);
	unit_add(s, writes_v2);
	unit_add(s, reads_old_formats);
	return s;
}
