/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/record_iter.h"

#include "core/base/endian.h"
#include "core/record/legacy_read.h"

/* From here on the iterator has nothing but its error. */
static int broken(struct kl_record_iter *iter)
{
	iter->left = 0;
	iter->error = KLAMM_ERR_CORRUPT_BATCH;
	return iter->error;
}

int kl_record_iter_init(struct kl_record_iter *iter, const struct kl_batch_head *head,
			struct klamm_span records, int64_t start_offset)
{
	if (head->magic < 2)
		return kl_legacy_iter_init(iter, head, records, start_offset);
	const uint8_t *p = records.data;
	bool append_time = head->attributes & KL_ATTR_LOG_APPEND_TIME;
	*iter = (struct kl_record_iter){
		.p = p,
		.end = p + records.len,
		.base_offset = head->base_offset,
		/* With KL_ATTR_DELETE_HORIZON the base is no record's time, but the deltas
		 * still count from it. */
		.timestamp = append_time ? head->max_timestamp : head->base_timestamp,
		.delta_mask = append_time ? 0 : UINT64_MAX,
		.start_offset = start_offset,
		.left = head->record_count,
		.timestamp_type = append_time ? KLAMM_TIMESTAMP_LOG_APPEND
					      : KLAMM_TIMESTAMP_CREATE,
		.leader_epoch = head->leader_epoch,
		.magic = head->magic,
	};
	if (head->record_count < 0 ||
	    (size_t)head->record_count > records.len / KL_RECORD_MIN)
		return broken(iter);
	return 0;
}

static __attribute__((noinline)) const uint8_t *
load_long(const uint8_t *p, const uint8_t *end, unsigned max_bytes, uint64_t *v_out)
{
	return kl_load_uvarint(p, end, max_bytes, v_out);
}

/* An unsigned varint of at most max_bytes. Most take one byte, and the lengths of most values
 * two. */
static inline const uint8_t *load(const uint8_t *p, const uint8_t *end, unsigned max_bytes,
				  uint64_t *v_out)
{
	if (kl_likely(end - p >= 2)) {
		if (p[0] < 0x80) {
			*v_out = p[0];
			return p + 1;
		}
		if (p[1] < 0x80) {
			*v_out = (p[0] & 0x7fu) | (uint32_t)p[1] << 7;
			return p + 2;
		}
	}
	return load_long(p, end, max_bytes, v_out);
}

/* A key or value behind its length. Any negative length is null, as Kafka reads it. */
static inline const uint8_t *load_span(const uint8_t *p, const uint8_t *end,
				       struct klamm_span *span_out)
{
	uint64_t raw;
	p = load(p, end, 5, &raw);
	if (kl_unlikely(p == NULL))
		return NULL;
	int32_t len = kl_unzigzag32((uint32_t)raw);
	if (len < 0) {
		*span_out = (struct klamm_span){NULL, 0};
		return p;
	}
	if (kl_unlikely(len > end - p))
		return NULL;
	*span_out = (struct klamm_span){p, (size_t)len};
	return p + len;
}

static const uint8_t *load_header(const uint8_t *p, const uint8_t *end,
				  struct klamm_header *header_out)
{
	p = load_span(p, end, &header_out->name);
	if (p == NULL || header_out->name.data == NULL)
		return NULL;
	return load_span(p, end, &header_out->value);
}

/* Are these count headers and nothing else? */
static __attribute__((noinline)) bool check_headers(const uint8_t *p, const uint8_t *end,
						    uint32_t count)
{
	struct klamm_header header;
	for (; count > 0 && p != NULL; count--)
		p = load_header(p, end, &header);
	return p == end;
}

static inline void fill(struct klamm_record_view *view, const struct kl_record_iter *iter,
			uint32_t offset_delta, int64_t timestamp_delta,
			const uint8_t *headers, const uint8_t *end)
{
	/* Unsigned, because a hostile sum may overflow. */
	view->timestamp_ms = (int64_t)((uint64_t)iter->timestamp +
				       ((uint64_t)timestamp_delta & iter->delta_mask));
	view->offset = (int64_t)((uint64_t)iter->base_offset + offset_delta);
	view->timestamp_type = iter->timestamp_type;
	view->leader_epoch = iter->leader_epoch;
	view->headers = headers;
	view->headers_len = (uint32_t)(end - headers);
}

static __attribute__((noinline)) const uint8_t *
next_any(const struct kl_record_iter *iter, struct klamm_record_view *view_out)
{
	uint64_t length, delta, offset, count;
	const uint8_t *p = load(iter->p, iter->end, 5, &length);
	if (kl_unlikely(p == NULL))
		return NULL;
	/* Odd is negative. Half the smallest record is its length and attributes. */
	if (kl_unlikely((length & 1) || length / 2 > (size_t)(iter->end - p) ||
			length / 2 < KL_RECORD_MIN - 1))
		return NULL;
	const uint8_t *end = p + length / 2;
	p++; /* attributes: none are defined */
	if (kl_unlikely((p = load(p, end, 10, &delta)) == NULL ||
			(p = load(p, end, 5, &offset)) == NULL || (offset & 1)))
		return NULL;
	if (kl_unlikely((p = load_span(p, end, &view_out->key)) == NULL ||
			(p = load_span(p, end, &view_out->value)) == NULL))
		return NULL;
	if (kl_likely(end - p == 1 && *p == 0)) {
		view_out->header_count = 0;
	} else {
		p = load(p, end, 5, &count);
		if (p == NULL || (count & 1) || !check_headers(p, end, (uint32_t)count / 2))
			return NULL;
		view_out->header_count = (uint32_t)count / 2;
	}
	fill(view_out, iter, (uint32_t)offset / 2, kl_unzigzag64(delta), p, end);
	return end;
}

/* One or two bytes; more is for next_any(). */
static inline const uint8_t *load_short(const uint8_t *p, uint32_t *v_out)
{
	*v_out = p[0];
	if (p[0] < 0x80)
		return p + 1;
	*v_out = (p[0] & 0x7fu) | (uint32_t)p[1] << 7;
	return p[1] < 0x80 ? p + 2 : NULL;
}

/* The records that there are most of: every number short, no headers, not the last few of the
 * batch. Then lengths are checked twice instead of at every step, which is a fifth faster.
 * NULL when it is not like that, or when something is wrong. */
static inline __attribute__((always_inline)) const uint8_t *
next_short(const struct kl_record_iter *iter, struct klamm_record_view *view_out)
{
	uint32_t length, delta, offset, key, value;
	const uint8_t *p = iter->p;
	if (kl_unlikely(iter->end - p < 2 || (p = load_short(p, &length)) == NULL))
		return NULL;
	/* 12: attributes, and five numbers of two bytes, and the count of headers. */
	if (kl_unlikely((length & 1) || length / 2 > (size_t)(iter->end - p) ||
			length / 2 < 12))
		return NULL;
	const uint8_t *end = p + length / 2;
	if (kl_unlikely((p = load_short(p + 1, &delta)) == NULL ||
			(p = load_short(p, &offset)) == NULL || (offset & 1) ||
			(p = load_short(p, &key)) == NULL))
		return NULL;
	view_out->key = (struct klamm_span){NULL, 0};
	if (!(key & 1)) {
		/* Behind it two bytes can be read as a length, and one as a count. */
		if (kl_unlikely(key / 2 + 3 > (size_t)(end - p)))
			return NULL;
		view_out->key = (struct klamm_span){p, key / 2};
		p += key / 2;
	}
	if (kl_unlikely((p = load_short(p, &value)) == NULL))
		return NULL;
	view_out->value = (struct klamm_span){NULL, 0};
	if (!(value & 1)) {
		view_out->value = (struct klamm_span){p, value / 2};
		p += kl_min(value / 2, (size_t)(end - p));
	}
	if (kl_unlikely(end - p != 1 || *p != 0))
		return NULL;
	view_out->header_count = 0;
	fill(view_out, iter, offset / 2, kl_unzigzag32(delta), end, end);
	return end;
}

int kl_record_next(struct kl_record_iter *iter, struct klamm_record_view *view_out)
{
	if (kl_unlikely(iter->magic < 2))
		return kl_legacy_next(iter, view_out);
	while (kl_likely(iter->left > 0)) {
		const uint8_t *next = next_short(iter, view_out);
		if (kl_unlikely(next == NULL) && (next = next_any(iter, view_out)) == NULL)
			return broken(iter);
		iter->p = next;
		iter->left--;
		if (kl_likely(view_out->offset >= iter->start_offset))
			return 1;
	}
	if (iter->error == 0 && iter->p != iter->end)
		return broken(iter);
	return iter->error;
}

int klamm_record_header(const struct klamm_record_view *view, uint32_t i,
			struct klamm_header *header_out)
{
	if (i >= view->header_count)
		return KLAMM_ERR_INVALID_ARGUMENT;
	const uint8_t *p = view->headers, *end = p + view->headers_len;
	struct klamm_header header;
	for (uint32_t k = 0; k <= i; k++) {
		p = load_header(p, end, &header);
		if (p == NULL)
			return KLAMM_ERR_CORRUPT_BATCH;
	}
	*header_out = header;
	return 0;
}

void kl_record_headers(const struct klamm_record_view *view, struct klamm_header *headers)
{
	const uint8_t *p = view->headers, *end = p + view->headers_len;
	for (uint32_t i = 0; i < view->header_count && p != NULL; i++)
		p = load_header(p, end, &headers[i]);
}
