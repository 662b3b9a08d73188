/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing record batches v2.
 *
 * The producer encodes a record once, in the caller's thread, straight into the open batch:
 * that part is inline. Head, CRC and the broker's changes come once per batch. Nothing here
 * allocates or fails; the caller has made room and has checked that a record's bound is at
 * most INT32_MAX.
 */
#ifndef KL_BATCH_WRITE_H
#define KL_BATCH_WRITE_H

#include <klamm/types.h>

#include "core/base/endian.h"
#include "core/record/batch.h"

/* Bytes that the encoded headers take, their count included; at least 1. SIZE_MAX when a
 * length or the count is more than the format can say. */
size_t kl_headers_size(const struct klamm_header *headers, size_t count);

/* Room that is enough whatever the deltas turn out to be. headers_size comes from
 * kl_headers_size(). Saturates at SIZE_MAX. */
static inline size_t kl_record_bound(size_t key_len, size_t value_len, size_t headers_size)
{
	/* length 5, attributes 1, timestamp delta 10, offset delta, key and value length 5 */
	size_t n = 31, sum;
	if (__builtin_add_overflow(key_len, value_len, &sum) ||
	    __builtin_add_overflow(sum, headers_size, &sum) ||
	    __builtin_add_overflow(sum, n, &sum))
		return SIZE_MAX;
	return sum;
}

static inline int64_t kl_span_len(struct klamm_span span)
{
	return span.data == NULL ? -1 : (int64_t)span.len;
}

/* Bytes of a record without its length field. */
static inline size_t kl_record_body_size(uint32_t offset_delta, int64_t timestamp_delta,
					 struct klamm_span key, struct klamm_span value,
					 size_t headers_size)
{
	int64_t key_len = kl_span_len(key), value_len = kl_span_len(value);
	return 1 + kl_uvarint_size(kl_zigzag64(timestamp_delta)) +
	       kl_uvarint_size((uint64_t)offset_delta << 1) +
	       kl_uvarint_size(kl_zigzag64(key_len)) + (key_len > 0 ? key.len : 0) +
	       kl_uvarint_size(kl_zigzag64(value_len)) + (value_len > 0 ? value.len : 0) +
	       headers_size;
}

/* The exact size of an encoded record. */
static inline size_t kl_record_size(uint32_t offset_delta, int64_t timestamp_delta,
				    struct klamm_span key, struct klamm_span value,
				    size_t headers_size)
{
	size_t body = kl_record_body_size(offset_delta, timestamp_delta, key, value,
					  headers_size);
	return kl_uvarint_size((uint64_t)body << 1) + body;
}

/* memcpy() without the call for what is usually small. */
static inline uint8_t *kl_put_bytes(uint8_t *to, const void *from, size_t n)
{
	const uint8_t *p = from;
	uint8_t *end = to + n;
	if (n - 16 <= 112) { /* 16 to 128: whole blocks, the last one overlapping */
		for (; to < end - 16; to += 16, p += 16)
			memcpy(to, p, 16);
		memcpy(end - 16, (const uint8_t *)from + n - 16, 16);
	} else if (n > 16) {
		memcpy(to, p, n);
	} else if (n >= 8) {
		memcpy(to, p, 8);
		memcpy(end - 8, p + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, p, 4);
		memcpy(end - 4, p + n - 4, 4);
	} else if (n > 0) {
		to[0] = p[0];
		to[n / 2] = p[n / 2];
		end[-1] = p[n - 1];
	}
	return end;
}

static inline uint8_t *kl_put_span(uint8_t *p, struct klamm_span span)
{
	if (span.data == NULL) {
		*p++ = 1; /* zigzag of -1 */
		return p;
	}
	p = kl_store_varint(p, (int64_t)span.len);
	return kl_put_bytes(p, span.data, span.len);
}

/* headers_size was computed from the same headers; returns the place behind them. */
uint8_t *kl_headers_put(uint8_t *p, const struct klamm_header *headers, size_t count);

/* Encodes a record at p, which has room for kl_record_bound(), and returns the place behind
 * it. offset_delta is the record's number in its batch. */
static inline uint8_t *kl_record_put(uint8_t *p, uint32_t offset_delta,
				     int64_t timestamp_delta, struct klamm_span key,
				     struct klamm_span value,
				     const struct klamm_header *headers,
				     size_t header_count, size_t headers_size)
{
	size_t body = kl_record_body_size(offset_delta, timestamp_delta, key, value,
					  headers_size);
	p = kl_store_uvarint(p, (uint64_t)body << 1);
	*p++ = 0; /* attributes: none are defined */
	p = kl_store_varint(p, timestamp_delta);
	p = kl_store_uvarint(p, (uint64_t)offset_delta << 1);
	p = kl_put_span(p, key);
	p = kl_put_span(p, value);
	if (kl_likely(header_count == 0)) {
		*p++ = 0;
		return p;
	}
	return kl_headers_put(p, headers, header_count);
}

/* All 61 bytes of the head, its crc included. */
void kl_batch_head_put(uint8_t p[static KL_BATCH_HEAD], const struct kl_batch_head *head);

/* The CRC of everything behind the head: of the records, compressed or not. */
uint32_t kl_batch_body_crc(const uint8_t *body, size_t n);

/* Writes who produced the batch, and its CRC. The rest of the head is there already;
 * body_crc is what kl_batch_body_crc() said. The records are not touched, so a batch can be
 * stamped again after an epoch bump. */
void kl_batch_stamp(uint8_t p[static KL_BATCH_HEAD], int64_t producer_id,
		    int16_t producer_epoch, int32_t base_sequence, uint32_t body_crc);

/* For a broker, on a whole batch in place. Where it lies in the log: */
void kl_batch_place(uint8_t p[static KL_BATCH_HEAD], int64_t base_offset,
		    int32_t leader_epoch);
/* Its timestamp type and newest timestamp (with LogAppendTime that of every record). The
 * CRC follows from the old one: a batch that was broken stays broken. */
void kl_batch_set_time(uint8_t p[static KL_BATCH_HEAD], bool log_append_time,
		       int64_t max_timestamp);

#endif
