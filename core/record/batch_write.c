/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/batch_write.h"

#include "core/base/crc32c.h"

static bool add_sized(size_t *size, size_t len)
{
	return len <= INT32_MAX && !__builtin_add_overflow(*size, len, size) &&
	       !__builtin_add_overflow(*size, kl_uvarint_size((uint64_t)len << 1), size);
}

size_t kl_headers_size(const struct klamm_header *headers, size_t count)
{
	if (count > INT32_MAX)
		return SIZE_MAX;
	size_t size = kl_uvarint_size((uint64_t)count << 1);
	for (size_t i = 0; i < count; i++) {
		const struct klamm_header *h = &headers[i];
		if (!add_sized(&size, h->name.len))
			return SIZE_MAX;
		/* The length -1 of null takes as much as that of empty. */
		if (!add_sized(&size, h->value.data == NULL ? 0 : h->value.len))
			return SIZE_MAX;
	}
	return size;
}

uint8_t *kl_headers_put(uint8_t *p, const struct klamm_header *headers, size_t count)
{
	p = kl_store_uvarint(p, (uint64_t)count << 1);
	for (size_t i = 0; i < count; i++) {
		p = kl_store_uvarint(p, (uint64_t)headers[i].name.len << 1);
		p = kl_put_bytes(p, headers[i].name.data, headers[i].name.len);
		p = kl_put_span(p, headers[i].value);
	}
	return p;
}

uint8_t *kl_record_shift(uint8_t *p, const uint8_t *body, size_t size)
{
	uint64_t length = (uint64_t)size << 1;
	memmove(p + kl_uvarint_size(length), body, size);
	return kl_store_uvarint(p, length) + size;
}

void kl_batch_head_put(uint8_t p[static KL_BATCH_HEAD], const struct kl_batch_head *head)
{
	kl_store_u64(p + KL_BATCH_BASE_OFFSET, (uint64_t)head->base_offset);
	kl_store_u32(p + KL_BATCH_LENGTH, (uint32_t)head->length);
	kl_store_u32(p + KL_BATCH_LEADER_EPOCH, (uint32_t)head->leader_epoch);
	p[KL_BATCH_MAGIC] = (uint8_t)head->magic;
	kl_store_u32(p + KL_BATCH_CRC, head->crc);
	kl_store_u16(p + KL_BATCH_ATTRIBUTES, (uint16_t)head->attributes);
	kl_store_u32(p + KL_BATCH_LAST_OFFSET_DELTA, (uint32_t)head->last_offset_delta);
	kl_store_u64(p + KL_BATCH_BASE_TIMESTAMP, (uint64_t)head->base_timestamp);
	kl_store_u64(p + KL_BATCH_MAX_TIMESTAMP, (uint64_t)head->max_timestamp);
	kl_store_u64(p + KL_BATCH_PRODUCER_ID, (uint64_t)head->producer_id);
	kl_store_u16(p + KL_BATCH_PRODUCER_EPOCH, (uint16_t)head->producer_epoch);
	kl_store_u32(p + KL_BATCH_BASE_SEQUENCE, (uint32_t)head->base_sequence);
	kl_store_u32(p + KL_BATCH_RECORD_COUNT, (uint32_t)head->record_count);
}

uint32_t kl_batch_body_crc(const uint8_t *body, size_t n)
{
	return kl_crc32c(0, body, n);
}

/* The CRC covers first the stamped part of the head, then the records. Producer id, epoch and
 * sequence all lie in the first part, always 40 bytes, and only they change between seal and
 * send; so the CRC is split at byte 61, and the records' share of it is taken once. */
static uint32_t stamped_crc(const uint8_t *p)
{
	return kl_crc32c(0, p + KL_BATCH_ATTRIBUTES, KL_BATCH_STAMPED);
}

static uint64_t body_size(const uint8_t *p)
{
	return kl_load_u32(p + KL_BATCH_LENGTH) - (KL_BATCH_HEAD - KL_BATCH_OVERHEAD);
}

void kl_batch_stamp(uint8_t p[static KL_BATCH_HEAD], int64_t producer_id,
		    int16_t producer_epoch, int32_t base_sequence, uint32_t body_crc)
{
	kl_store_u64(p + KL_BATCH_PRODUCER_ID, (uint64_t)producer_id);
	kl_store_u16(p + KL_BATCH_PRODUCER_EPOCH, (uint16_t)producer_epoch);
	kl_store_u32(p + KL_BATCH_BASE_SEQUENCE, (uint32_t)base_sequence);
	uint32_t crc = kl_crc32c_combine(stamped_crc(p), body_crc, body_size(p));
	kl_store_u32(p + KL_BATCH_CRC, crc);
}

void kl_batch_place(uint8_t p[static KL_BATCH_HEAD], int64_t base_offset, int32_t leader_epoch)
{
	kl_store_u64(p + KL_BATCH_BASE_OFFSET, (uint64_t)base_offset);
	kl_store_u32(p + KL_BATCH_LEADER_EPOCH, (uint32_t)leader_epoch);
}

void kl_batch_set_time(uint8_t p[static KL_BATCH_HEAD], bool log_append_time,
		       int64_t max_timestamp)
{
	uint32_t before = stamped_crc(p);
	uint16_t attributes = kl_load_u16(p + KL_BATCH_ATTRIBUTES);
	attributes &= (uint16_t)~KL_ATTR_LOG_APPEND_TIME;
	if (log_append_time)
		attributes |= KL_ATTR_LOG_APPEND_TIME;
	kl_store_u16(p + KL_BATCH_ATTRIBUTES, attributes);
	kl_store_u64(p + KL_BATCH_MAX_TIMESTAMP, (uint64_t)max_timestamp);
	uint32_t crc = kl_load_u32(p + KL_BATCH_CRC);
	crc = kl_crc32c_combine(before ^ stamped_crc(p), crc, body_size(p));
	kl_store_u32(p + KL_BATCH_CRC, crc);
}
