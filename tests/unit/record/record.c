/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/record/record.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded guarded_copy(const void *from, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (n + page - 1) / page * page;
	struct guarded g = {.map_len = room + page};
	g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	ck_assert_ptr_ne(g.map, MAP_FAILED);
	ck_assert_int_eq(mprotect((uint8_t *)g.map + room, page, PROT_NONE), 0);
	g.p = (uint8_t *)g.map + room - n;
	if (n > 0)
		memcpy(g.p, from, n);
	return g;
}

void guarded_free(struct guarded *g)
{
	munmap(g->map, g->map_len);
	*g = (struct guarded){0};
}

uint64_t rng_next(struct rng *rng)
{
	/* A Weyl sequence, stirred. */
	uint64_t x = rng->state += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

static void show_span(struct kl_buf *out, struct klamm_span s)
{
	if (s.data == NULL) {
		kl_buf_printf(out, "null");
		return;
	}
	kl_buf_printf(out, "\"");
	for (const char *p = s.data, *end = p + s.len; p < end; p++)
		kl_buf_printf(out, *p < ' ' ? "\\x%02x" : "%c", (unsigned char)*p);
	kl_buf_printf(out, "\"");
}

void show_record(struct kl_buf *out, const struct klamm_record_view *view)
{
	static const char *const types[] = {"none", "create", "append"};
	kl_buf_printf(out, "%" PRId64 " %" PRId64 " %s ", view->offset, view->timestamp_ms,
		      types[view->timestamp_type + 1]);
	show_span(out, view->key);
	kl_buf_printf(out, " ");
	show_span(out, view->value);
	for (uint32_t i = 0; i < view->header_count; i++) {
		struct klamm_header h;
		ck_assert_int_eq(klamm_record_header(view, i, &h), 0);
		kl_buf_printf(out, " %.*s=", (int)h.name.len, (const char *)h.name.data);
		show_span(out, h.value);
	}
	kl_buf_printf(out, "\n");
}

void show_batches(struct kl_buf *out, const uint8_t *p, size_t n)
{
	struct kl_batch_head head;
	int found;
	while ((found = kl_batch_peek(p, n, &head)) > 0) {
		ck_assert(kl_batch_check_crc(p, &head));
		ck_assert_int_eq(found, head.magic == 2 ? KL_BATCH_WHOLE : KL_BATCH_OLD);
		kl_buf_printf(out, "batch magic=%d next=%" PRId64 " attributes=0x%04x\n",
			      head.magic, kl_batch_next_offset(&head),
			      (unsigned)(uint16_t)head.attributes);
		struct kl_record_iter iter;
		struct klamm_record_view view;
		ck_assert_int_eq(
			kl_record_iter_init(&iter, &head, kl_batch_records(p, &head), 0), 0);
		int rc;
		while ((rc = kl_record_next(&iter, &view)) > 0)
			show_record(out, &view);
		ck_assert_int_eq(rc, 0);
		p += kl_batch_size(&head);
		n -= kl_batch_size(&head);
	}
	ck_assert_int_eq(found, KL_BATCH_CUT);
	ck_assert_uint_eq(n, 0);
}

void open_batch_start(struct open_batch *b, int64_t base_timestamp)
{
	kl_buf_free(&b->bytes);
	*b = (struct open_batch){.base_timestamp = base_timestamp,
				 .max_timestamp = base_timestamp};
	ck_assert_ptr_nonnull(kl_buf_extend(&b->bytes, KL_BATCH_HEAD));
}

void open_batch_add(struct open_batch *b, int64_t timestamp, struct klamm_span key,
		    struct klamm_span value, const struct klamm_header *headers, size_t count)
{
	size_t headers_size = kl_headers_size(headers, count);
	size_t bound = kl_record_bound(key.len, value.len, headers_size);
	uint8_t *p = kl_buf_reserve(&b->bytes, bound);
	ck_assert_ptr_nonnull(p);
	int64_t delta = timestamp - b->base_timestamp;
	uint8_t *end = kl_record_put(p, (uint32_t)b->count, delta, key, value, headers, count,
				     headers_size);
	size_t size = (size_t)(end - p);
	ck_assert_uint_le(size, bound);
	b->bytes.len += size;
	b->max_timestamp = kl_max(b->max_timestamp, timestamp);
	b->count++;
}

void open_batch_seal(struct open_batch *b, int16_t attributes, int64_t producer_id,
		     int16_t epoch, int32_t sequence)
{
	struct kl_batch_head head = {
		.length = (int32_t)(b->bytes.len - KL_BATCH_OVERHEAD),
		.leader_epoch = -1,
		.magic = 2,
		.attributes = attributes,
		.last_offset_delta = b->count - 1,
		.base_timestamp = b->base_timestamp,
		.max_timestamp = b->max_timestamp,
		.producer_id = -1,
		.producer_epoch = -1,
		.base_sequence = -1,
		.record_count = b->count,
	};
	kl_batch_head_put(b->bytes.data, &head);
	uint32_t crc = kl_batch_body_crc(b->bytes.data + KL_BATCH_HEAD,
					 b->bytes.len - KL_BATCH_HEAD);
	kl_batch_stamp(b->bytes.data, producer_id, epoch, sequence, crc);
}
