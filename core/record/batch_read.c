/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/batch_read.h"

#include "core/base/crc32c.h"
#include "core/base/endian.h"
#include "core/record/legacy_read.h"

void kl_batch_head_get(const uint8_t p[static KL_BATCH_HEAD], struct kl_batch_head *head_out)
{
	*head_out = (struct kl_batch_head){
		.base_offset = (int64_t)kl_load_u64(p + KL_BATCH_BASE_OFFSET),
		.length = (int32_t)kl_load_u32(p + KL_BATCH_LENGTH),
		.leader_epoch = (int32_t)kl_load_u32(p + KL_BATCH_LEADER_EPOCH),
		.magic = (int8_t)p[KL_BATCH_MAGIC],
		.crc = kl_load_u32(p + KL_BATCH_CRC),
		.attributes = (int16_t)kl_load_u16(p + KL_BATCH_ATTRIBUTES),
		.last_offset_delta = (int32_t)kl_load_u32(p + KL_BATCH_LAST_OFFSET_DELTA),
		.base_timestamp = (int64_t)kl_load_u64(p + KL_BATCH_BASE_TIMESTAMP),
		.max_timestamp = (int64_t)kl_load_u64(p + KL_BATCH_MAX_TIMESTAMP),
		.producer_id = (int64_t)kl_load_u64(p + KL_BATCH_PRODUCER_ID),
		.producer_epoch = (int16_t)kl_load_u16(p + KL_BATCH_PRODUCER_EPOCH),
		.base_sequence = (int32_t)kl_load_u32(p + KL_BATCH_BASE_SEQUENCE),
		.record_count = (int32_t)kl_load_u32(p + KL_BATCH_RECORD_COUNT),
	};
}

static int32_t min_length(int8_t magic)
{
	switch (magic) {
	case 0:
		return KL_MESSAGE_MIN_V0;
	case 1:
		return KL_MESSAGE_MIN_V1;
	case 2:
		return KL_BATCH_HEAD - KL_BATCH_OVERHEAD;
	default:
		return INT32_MAX; /* a format that is not known */
	}
}

int kl_batch_peek(const uint8_t *p, size_t n, struct kl_batch_head *head_out)
{
	*head_out = (struct kl_batch_head){0};
	if (n < KL_BATCH_OVERHEAD)
		return KL_BATCH_CUT;
	int32_t length = (int32_t)kl_load_u32(p + KL_BATCH_LENGTH);
	if (length < KL_MESSAGE_MIN_V0)
		return KLAMM_ERR_CORRUPT_BATCH;
	head_out->length = length;
	if (n <= KL_BATCH_MAGIC)
		return KL_BATCH_CUT;
	int8_t magic = (int8_t)p[KL_BATCH_MAGIC];
	if (length < min_length(magic))
		return KLAMM_ERR_CORRUPT_BATCH;
	if ((size_t)length > n - KL_BATCH_OVERHEAD)
		return KL_BATCH_CUT;
	if (magic < 2)
		return kl_legacy_peek(p, n, head_out);
	kl_batch_head_get(p, head_out);
	/* The next offset must lie behind this batch, or a reader would never get on. */
	if (head_out->base_offset < 0 || head_out->last_offset_delta < 0 ||
	    head_out->base_offset >= INT64_MAX - head_out->last_offset_delta ||
	    head_out->record_count < 0)
		return KLAMM_ERR_CORRUPT_BATCH;
	return KL_BATCH_WHOLE;
}

int kl_batch_hop(const uint8_t *p, size_t n, struct kl_batch_span *span_out)
{
	*span_out = (struct kl_batch_span){.base_offset = -1, .next_offset = -1,
					   .last_epoch = -1, .epoch_from = -1};
	struct kl_batch_head head;
	int found;
	while ((found = kl_batch_peek(p + span_out->bytes, n - span_out->bytes, &head)) > 0) {
		if (span_out->batches == 0)
			span_out->base_offset = head.base_offset;
		if (span_out->batches == 0 || span_out->last_epoch != head.leader_epoch)
			span_out->epoch_from = head.base_offset;
		span_out->last_epoch = head.leader_epoch;
		span_out->bytes += kl_batch_size(&head);
		span_out->batches++;
		span_out->records += (size_t)kl_max(head.record_count, 0);
		span_out->next_offset = kl_batch_next_offset(&head);
	}
	return found;
}

bool kl_batch_check_crc(const uint8_t *p, const struct kl_batch_head *head)
{
	if (head->magic < 2)
		return kl_legacy_check_crc(p, head);
	size_t n = kl_batch_size(head) - KL_BATCH_ATTRIBUTES;
	return kl_crc32c(0, p + KL_BATCH_ATTRIBUTES, n) == head->crc;
}

struct klamm_span kl_batch_records(const uint8_t *p, const struct kl_batch_head *head)
{
	if (head->magic < 2)
		return kl_legacy_records(p, head);
	return (struct klamm_span){p + KL_BATCH_HEAD, kl_batch_size(head) - KL_BATCH_HEAD};
}

int kl_batch_validate_head(const struct kl_batch_head *head, struct klamm_error *err)
{
	if (head->base_offset != 0)
		return kl_error(err, KLAMM_ERR_INVALID_RECORD,
				"a batch to append begins at offset %lld, not 0",
				(long long)head->base_offset);
	if (head->record_count <= 0 || head->last_offset_delta != head->record_count - 1)
		return kl_error(err, KLAMM_ERR_INVALID_RECORD,
				"a batch of %d records ends at offset delta %d",
				(int)head->record_count, (int)head->last_offset_delta);
	if (head->attributes & KL_ATTR_CONTROL)
		return kl_error(err, KLAMM_ERR_INVALID_RECORD,
				"clients may not write control records");
	if (head->producer_id >= 0 && head->base_sequence < 0)
		return kl_error(err, KLAMM_ERR_INVALID_RECORD,
				"a batch of producer %lld has sequence %d",
				(long long)head->producer_id, (int)head->base_sequence);
	return 0;
}

int kl_batch_validate(const struct kl_batch_head *head, struct klamm_span records,
		      int64_t *max_timestamp_out, struct klamm_error *err)
{
	int rc = kl_batch_validate_head(head, err);
	if (rc != 0)
		return rc;
	struct kl_record_iter iter;
	kl_record_iter_init(&iter, head, records, 0);
	struct klamm_record_view view;
	int64_t expected = 0, newest = -1;
	while ((rc = kl_record_next(&iter, &view)) > 0) {
		if (view.offset != expected)
			return kl_error(err, KLAMM_ERR_INVALID_RECORD,
					"record %lld of the batch has offset delta %lld",
					(long long)expected, (long long)view.offset);
		newest = kl_max(newest, view.timestamp_ms);
		expected++;
	}
	if (rc < 0)
		return kl_error(err, KLAMM_ERR_INVALID_RECORD,
				"record %lld of the batch cannot be read, or is too many",
				(long long)expected);
	*max_timestamp_out = newest;
	return 0;
}

int kl_control_get(const struct klamm_record_view *view, struct kl_control *control_out)
{
	/* Key: version and type. Value of the transaction markers: version and the epoch of
	 * the coordinator. Later versions may only append to either (KIP-98). */
	const uint8_t *key = view->key.data, *value = view->value.data;
	if (key == NULL || view->key.len < 4 || (int16_t)kl_load_u16(key) < 0)
		return KLAMM_ERR_CORRUPT_BATCH;
	int16_t type = (int16_t)kl_load_u16(key + 2);
	*control_out = (struct kl_control){KL_CONTROL_UNKNOWN, -1};
	if (type != KL_CONTROL_ABORT && type != KL_CONTROL_COMMIT)
		return 0;
	if (value == NULL || view->value.len < 6 || (int16_t)kl_load_u16(value) < 0)
		return KLAMM_ERR_CORRUPT_BATCH;
	control_out->type = type == KL_CONTROL_ABORT ? KL_CONTROL_ABORT : KL_CONTROL_COMMIT;
	control_out->coordinator_epoch = (int32_t)kl_load_u32(value + 2);
	return 0;
}
