/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/legacy_write.h"

#include "core/base/crc32.h"
#include "core/base/endian.h"
#include "core/base/error.h"
#include "core/record/legacy_read.h"
#include "core/record/record_iter.h"

/* Offset, length and CRC stand in front of what the CRC covers. */
#define CRC_AT KL_BATCH_OVERHEAD
#define CHECKED_AT (CRC_AT + 4)

struct message {
	int64_t offset, timestamp;
	int8_t magic;
	uint8_t attributes;
	struct klamm_span key, value;
};

static uint8_t *put_span(uint8_t *p, const struct klamm_span *span)
{
	kl_store_u32(p, span->data == NULL ? UINT32_MAX : (uint32_t)span->len);
	if (span->len > 0)
		memcpy(p + 4, span->data, span->len);
	return p + 4 + span->len;
}

static int put_message(const struct message *m, struct klamm_out *out, struct klamm_error *err)
{
	size_t fixed = m->magic == 0 ? KL_MESSAGE_MIN_V0 : KL_MESSAGE_MIN_V1;
	size_t size = KL_BATCH_OVERHEAD + fixed;
	if (__builtin_add_overflow(size, m->key.len, &size) ||
	    __builtin_add_overflow(size, m->value.len, &size) || size > INT32_MAX)
		return kl_error(err, KLAMM_ERR_LIMIT, "a message of more than %d bytes",
				INT32_MAX);
	uint8_t *begin = klamm_out_reserve(out, size), *p = begin;
	if (begin == NULL)
		return klamm_out_error(out, size, err);
	kl_store_u64(p, (uint64_t)m->offset);
	kl_store_u32(p + KL_BATCH_LENGTH, (uint32_t)(size - KL_BATCH_OVERHEAD));
	p += CHECKED_AT;
	*p++ = (uint8_t)m->magic;
	*p++ = m->attributes;
	if (m->magic == 1) {
		kl_store_u64(p, (uint64_t)m->timestamp);
		p += 8;
	}
	p = put_span(p, &m->key);
	p = put_span(p, &m->value);
	kl_store_u32(begin + CRC_AT, kl_crc32(0, begin + CHECKED_AT, size - CHECKED_AT));
	out->len += size;
	return 0;
}

/* v0 has no times, and so no type of them. */
static uint8_t time_type(const struct kl_batch_head *head, int8_t magic)
{
	return magic == 0 ? 0 : (uint8_t)(head->attributes & KL_ATTR_LOG_APPEND_TIME);
}

int kl_legacy_write(const struct kl_batch_head *head, struct klamm_span records, int8_t magic,
		    enum kl_legacy_place place, struct klamm_out *out, struct klamm_error *err)
{
	bool is_relative = magic == 1 && place == KL_LEGACY_INSIDE;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = kl_record_iter_init(&iter, head, records, INT64_MIN);
	while (rc >= 0 && (rc = kl_record_next(&iter, &view)) > 0) {
		struct message m = {
			.offset = view.offset - (is_relative ? head->base_offset : 0),
			.timestamp = view.timestamp_ms,
			.magic = magic,
			.attributes = time_type(head, magic),
			.key = view.key,
			.value = view.value,
		};
		rc = put_message(&m, out, err);
		if (rc != 0)
			return rc;
	}
	return rc == 0 ? 0
		       : kl_error(err, rc, "a record of the batch cannot be read: %s",
				  klamm_err_name(rc));
}

int kl_legacy_wrap(const struct kl_batch_head *head, int8_t magic, int codec,
		   struct klamm_span packed, struct klamm_out *out, struct klamm_error *err)
{
	struct message m = {
		.offset = head->base_offset + head->last_offset_delta,
		.timestamp = head->max_timestamp,
		.magic = magic,
		.attributes = (uint8_t)(codec | time_type(head, magic)),
		.value = packed,
	};
	return put_message(&m, out, err);
}
