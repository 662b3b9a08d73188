/* SPDX-License-Identifier: BSD-2-Clause */
/* Record batches, as they lie in a Fetch answer or a Produce request: v2, and messages
 * v0 and v1. What is compressed is taken for plain, since the codecs have a target of
 * their own.
 * Input: an offset to start from, then batches. */
#include "core/base/crc32.h"
#include "core/base/crc32c.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"
#include "core/base/sink.h"
#include "core/record/legacy_lz4.h"
#include "core/record/legacy_write.h"
#include "tests/fuzz/fuzz.h"

static void look_at(struct klamm_span span, const uint8_t *begin, size_t n)
{
	const uint8_t *p = span.data;
	fuzz_must(p != NULL || span.len == 0);
	fuzz_must(p == NULL || (p >= begin && span.len <= (size_t)(begin + n - p)));
}

static void look_at_record(const struct klamm_record_view *view,
			   struct klamm_span records)
{
	look_at(view->key, records.data, records.len);
	look_at(view->value, records.data, records.len);
	for (uint32_t i = 0; i < view->header_count; i++) {
		struct klamm_header header;
		fuzz_must(klamm_record_header(view, i, &header) == 0);
		fuzz_must(header.name.data != NULL);
		look_at(header.name, records.data, records.len);
		look_at(header.value, records.data, records.len);
	}
	struct klamm_header none;
	fuzz_must(klamm_record_header(view, view->header_count, &none) != 0);
	struct kl_control control;
	int rc = kl_control_get(view, &control);
	fuzz_must(rc == 0 || rc == KLAMM_ERR_CORRUPT_BATCH);
}

static void read_records(const struct kl_batch_head *head, struct klamm_span records,
			 int64_t start)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = kl_record_iter_init(&iter, head, records, start);
	fuzz_must(rc == 0 || rc == KLAMM_ERR_CORRUPT_BATCH);
	size_t count = 0;
	int next;
	while ((next = kl_record_next(&iter, &view)) > 0) {
		fuzz_must(rc == 0 && view.offset >= start);
		fuzz_must(++count <= records.len);
		look_at_record(&view, records);
	}
	fuzz_must(next == 0 || next == KLAMM_ERR_CORRUPT_BATCH);
	fuzz_must(kl_record_next(&iter, &view) == next); /* it stays at its end */
}

static void mend(struct klamm_span records)
{
	uint8_t *frame = malloc(records.len + 1);
	if (frame == NULL)
		return;
	if (records.len > 0)
		memcpy(frame, records.data, records.len);
	kl_legacy_mend_lz4(frame, records.len);
	free(frame);
}

/* What a broker does with a batch that it takes. */
static void place(const uint8_t *p, const struct kl_batch_head *head)
{
	size_t n = kl_batch_size(head);
	uint8_t *copy = malloc(n);
	if (copy == NULL)
		return;
	memcpy(copy, p, n);
	bool good = kl_batch_check_crc(p, head);
	kl_batch_place(copy, 7, 1);
	kl_batch_set_time(copy, true, 12345);
	struct kl_batch_head placed;
	fuzz_must(kl_batch_peek(copy, n, &placed) == KL_BATCH_WHOLE ||
		  head->last_offset_delta < 0);
	fuzz_must(kl_batch_check_crc(copy, &placed) == good);
	free(copy);
}

static bool is_same(struct klamm_span a, struct klamm_span b)
{
	return (a.data == NULL) == (b.data == NULL) && a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The batch as messages, with another one around them, says the same of each record. */
static void compare_old(const struct kl_batch_head *head, struct klamm_span records,
			struct klamm_span messages, struct klamm_span wrapper)
{
	struct kl_batch_head old;
	struct kl_record_iter is, was;
	struct klamm_record_view view, view_was;
	fuzz_must(kl_batch_peek(wrapper.data, wrapper.len, &old) == KL_BATCH_OLD);
	fuzz_must(kl_batch_check_crc(wrapper.data, &old));
	fuzz_must(kl_record_iter_init(&is, &old, messages, 0) == 0);
	fuzz_must(kl_record_iter_init(&was, head, records, 0) == 0);
	while (kl_record_next(&was, &view_was) > 0) {
		fuzz_must(kl_record_next(&is, &view) > 0);
		fuzz_must(is_same(view.key, view_was.key));
		fuzz_must(is_same(view.value, view_was.value));
		fuzz_must(view.offset == view_was.offset);
		fuzz_must(view.timestamp_ms ==
			  (old.magic == 0 ? -1 : view_was.timestamp_ms));
	}
	fuzz_must(kl_record_next(&is, &view) == 0);
}

static void write_old(const struct kl_batch_head *head, struct klamm_span records)
{
	struct klamm_error err;
	for (int8_t magic = 0; magic < 2; magic++) {
		struct kl_sink messages, wrapper;
		kl_sink_init(&messages, 0, NULL);
		kl_sink_init(&wrapper, 0, NULL);
		fuzz_must(kl_legacy_write(head, records, magic, KL_LEGACY_INSIDE,
					  &messages.out, &err) == 0);
		struct klamm_span packed = {messages.out.data, messages.out.len};
		fuzz_must(kl_legacy_wrap(head, magic, 1, packed, &wrapper.out, &err) == 0);
		compare_old(head, records, packed,
			    (struct klamm_span){wrapper.out.data, wrapper.out.len});
		kl_sink_free(&messages);
		kl_sink_free(&wrapper);
	}
}

static void read_batch(const uint8_t *p, const struct kl_batch_head *head, int found,
		       int64_t start)
{
	kl_batch_check_crc(p, head);
	struct klamm_span records = kl_batch_records(p, head);
	look_at(records, p, kl_batch_size(head));
	fuzz_must(kl_batch_next_offset(head) > head->base_offset);
	read_records(head, records, start);
	int64_t newest;
	struct klamm_error err;
	int rc = found == KL_BATCH_WHOLE
			 ? kl_batch_validate(head, records, &newest, &err)
			 : 0;
	fuzz_must(rc == 0 || (rc == KLAMM_ERR_INVALID_RECORD && err.text[0] != '\0'));
	if (found == KL_BATCH_WHOLE && rc == 0 && head->record_count > 0)
		write_old(head, records);
	if (found == KL_BATCH_WHOLE)
		place(p, head);
	else if (kl_batch_codec(head) == 3)
		mend(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t start = fuzz_take(&data, &size) / 16;
	struct kl_batch_span span;
	int rc = kl_batch_hop(data, size, &span);
	fuzz_must(rc == 0 || rc == KLAMM_ERR_CORRUPT_BATCH);
	fuzz_must(span.bytes <= size &&
		  (span.batches == 0) == (span.next_offset == -1));
	struct kl_batch_head head;
	int found;
	size_t at = 0, batches = 0;
	while ((found = kl_batch_peek(data + at, size - at, &head)) > 0) {
		fuzz_must(kl_batch_size(&head) <= size - at);
		read_batch(data + at, &head, found, start);
		at += kl_batch_size(&head);
		batches++;
	}
	fuzz_must(found == rc && at == span.bytes && batches == span.batches);
	return 0;
}

/* --- changes: lengths and checksums are set right again, mostly --- */

static void mend_v2(uint8_t *p, size_t n)
{
	p[KL_BATCH_MAGIC] = 2;
	kl_store_u32(p + KL_BATCH_LENGTH, (uint32_t)(n - KL_BATCH_OVERHEAD));
	kl_store_u32(p + KL_BATCH_CRC,
		     kl_crc32c(0, p + KL_BATCH_ATTRIBUTES, n - KL_BATCH_ATTRIBUTES));
}

/* The first message takes all, and its value what its key leaves. */
static void mend_old(uint8_t *p, size_t n)
{
	size_t key = p[KL_BATCH_MAGIC] == 0 ? 18 : 26;
	if (p[KL_BATCH_MAGIC] > 1 || n < key + 8)
		return;
	kl_store_u32(p + KL_BATCH_LENGTH, (uint32_t)(n - KL_BATCH_OVERHEAD));
	uint32_t len = kl_load_u32(p + key);
	size_t value = key + 4 + (len <= n ? len : 0);
	if (len > n || value + 4 > n) {
		kl_store_u32(p + key, UINT32_MAX);
		value = key + 4;
	}
	kl_store_u32(p + value, (uint32_t)(n - value - 4));
	kl_store_u32(p + 12, kl_crc32(0, p + 16, n - 16));
}

static uint8_t *put_record(uint8_t *p, uint32_t i, uint64_t *state)
{
	static const char text[] =
		"key, value and headers of a record that was made up";
	struct klamm_header headers[2] = {{{text, 3}, {text + 5, fuzz_below(state, 9)}},
					  {{text, 0}, {NULL, 0}}};
	size_t count = fuzz_below(state, 5) == 0 ? 1 + fuzz_below(state, 2) : 0;
	struct klamm_span key = {fuzz_below(state, 3) ? text : NULL, 0};
	struct klamm_span value = {fuzz_below(state, 6) ? text : NULL, 0};
	key.len = key.data != NULL ? fuzz_below(state, 20) : 0;
	value.len = value.data != NULL ? fuzz_below(state, sizeof(text)) : 0;
	int64_t delta = fuzz_below(state, 4) ? fuzz_below(state, 200)
					     : (int64_t)fuzz_next(state);
	return kl_record_put(p, i, delta, key, value, headers, count,
			     kl_headers_size(headers, count));
}

static size_t new_batch(uint8_t *data, size_t max, uint64_t *state)
{
	enum { RECORD_MAX = 128 };
	uint32_t count = 1 + fuzz_below(state, 5);
	if (max < KL_BATCH_HEAD + count * RECORD_MAX)
		return 0;
	struct kl_batch_head head = {
		.attributes =
			(int16_t)(fuzz_below(state, 3) ? 0 : fuzz_below(state, 128)),
		.last_offset_delta = (int32_t)count - 1,
		.base_timestamp = 1700000000000,
		.max_timestamp = 1700000000200,
		.producer_id = fuzz_below(state, 2) ? -1 : 5,
		.leader_epoch = -1,
		.record_count = (int32_t)count,
		.magic = 2,
	};
	uint8_t *p = data + KL_BATCH_HEAD;
	for (uint32_t i = 0; i < count; i++)
		p = put_record(p, i, state);
	size_t n = (size_t)(p - data);
	head.length = (int32_t)(n - KL_BATCH_OVERHEAD);
	kl_batch_head_put(data, &head);
	mend_v2(data, n);
	return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	uint64_t state = seed;
	if (size == 0 || fuzz_below(&state, 16) == 0) {
		size_t n = max > 0 ? new_batch(data + 1, max - 1, &state) : 0;
		if (n > 0)
			return n + 1;
	}
	size = LLVMFuzzerMutate(data, size, max);
	if (size > 1 + KL_BATCH_HEAD && data[1 + KL_BATCH_MAGIC] == 2 &&
	    fuzz_below(&state, 8))
		mend_v2(data + 1, size - 1);
	else if (size > 1 + KL_BATCH_MAGIC && fuzz_below(&state, 2))
		mend_old(data + 1, size - 1);
	return size;
}
