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
static KL_HOT size_t kl_record_bound(size_t key_len, size_t value_len, size_t headers_size)
{
	/* length 5, attributes 1, timestamp delta 10, offset delta, key and value length 5 */
	size_t n = 31, sum;
	if (__builtin_add_overflow(key_len, value_len, &sum) ||
	    __builtin_add_overflow(sum, headers_size, &sum) ||
	    __builtin_add_overflow(sum, n, &sum))
		return SIZE_MAX;
	return sum;
}

/* memcpy() without the call for what is usually small. */
static KL_HOT uint8_t *kl_put_bytes(uint8_t *to, const void *from, size_t n)
{
	const uint8_t *p = from;
	uint8_t *end = to + n;
	if (n - 32 <= 96) { /* 32 to 128: whole blocks, the last one overlapping */
		for (; to < end - 32; to += 32, p += 32)
			memcpy(to, p, 32);
		memcpy(end - 32, (const uint8_t *)from + n - 32, 32);
	} else if (n > 32) {
		memcpy(to, p, n);
	} else if (n >= 16) {
		memcpy(to, p, 16);
		memcpy(end - 16, p + n - 16, 16);
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

static KL_HOT uint8_t *kl_put_span(uint8_t *p, struct klamm_span span)
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

/* Writes the length at p and moves the body behind it, where other room was left for it;
 * returns the place behind the record. */
uint8_t *kl_record_shift(uint8_t *p, const uint8_t *body, size_t size);

/* A record behind its length. */
static KL_HOT uint8_t *kl_record_body_put(uint8_t *p, uint32_t offset_delta,
					  int64_t timestamp_delta, struct klamm_span key,
					  struct klamm_span value,
					  const struct klamm_header *headers,
					  size_t header_count)
{
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

/* Encodes a record at p, which has room for kl_record_bound(), and returns the place behind
 * it. offset_delta is the record's number in its batch.
 *
 * The length stands first and is known last. What it takes can be told from the least that
 * the rest will be, but for a few sizes, where the record is moved. */
static KL_HOT uint8_t *kl_record_put(uint8_t *p, uint32_t offset_delta,
				     int64_t timestamp_delta, struct klamm_span key,
				     struct klamm_span value,
				     const struct klamm_header *headers,
				     size_t header_count, size_t headers_size)
{
	size_t least = KL_RECORD_MIN - 2 + key.len + value.len + headers_size;
	unsigned room = kl_uvarint_size((uint64_t)least << 1);
	uint8_t *body = p + room;
	uint8_t *end = kl_record_body_put(body, offset_delta, timestamp_delta, key, value,
					  headers, header_count);
	uint64_t length = (uint64_t)(end - body) << 1;
	if (kl_unlikely(kl_uvarint_size(length) != room))
		return kl_record_shift(p, body, (size_t)(end - body));
	kl_store_uvarint(p, length);
	return end;
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
