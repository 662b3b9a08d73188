/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/batch_make.h"

#include "broker/producers.h"
#include "core/proto/gen/messages.h"
#include "core/record/batch_read.h"

void kl_dev_batch_begin(struct kl_dev_batch *batch, int64_t now_ms)
{
	*batch = (struct kl_dev_batch){.now_ms = now_ms};
	kl_buf_extend(&batch->buf, KL_BATCH_HEAD);
}

void kl_dev_batch_free(struct kl_dev_batch *batch)
{
	kl_buf_free(&batch->buf);
	kl_buf_free(&batch->key);
	kl_buf_free(&batch->value);
}

void kl_dev_batch_add(struct kl_dev_batch *batch, struct klamm_span key,
		      struct klamm_span value)
{
	size_t bound = kl_record_bound(key.len, value.len, 1);
	uint8_t *p = kl_buf_reserve(&batch->buf, bound);
	if (p == NULL)
		return;
	uint8_t *end =
		kl_record_put(p, (uint32_t)batch->count++, 0, key, value, NULL, 0, 1);
	batch->buf.len += (size_t)(end - p);
}

static struct klamm_span encode(struct kl_buf *b, const struct kl_dev_half *half)
{
	if (half == NULL)
		return (struct klamm_span){NULL, 0};
	kl_buf_clear(b);
	kl_buf_i16(b, half->prefix);
	if (kl_msg_encode(half->msg, half->version, half->obj, b, NULL) != 0)
		b->failed = true;
	return (struct klamm_span){b->data, b->len};
}

void kl_dev_batch_add_msgs(struct kl_dev_batch *batch, const struct kl_dev_half *key,
			   const struct kl_dev_half *value)
{
	struct klamm_span k = encode(&batch->key, key), v = encode(&batch->value, value);
	if (batch->key.failed || (value != NULL && batch->value.failed))
		batch->buf.failed = true;
	else
		kl_dev_batch_add(batch, k, v);
}

bool kl_dev_batch_end(struct kl_dev_batch *batch, int16_t attributes, int64_t producer_id,
		      int16_t producer_epoch)
{
	struct kl_buf *b = &batch->buf;
	if (b->failed || b->len > INT32_MAX)
		return false;
	kl_batch_head_put(b->data, &(struct kl_batch_head){
		.length = (int32_t)(b->len - KL_BATCH_OVERHEAD),
		.leader_epoch = -1,
		.magic = 2,
		.attributes = attributes,
		.last_offset_delta = batch->count - 1,
		.base_timestamp = batch->now_ms,
		.max_timestamp = batch->now_ms,
		.record_count = batch->count,
	});
	uint32_t crc = kl_batch_body_crc(b->data + KL_BATCH_HEAD, b->len - KL_BATCH_HEAD);
	kl_batch_stamp(b->data, producer_id, producer_epoch, -1, crc);
	return true;
}

bool kl_dev_batch_of_marker(struct kl_dev_batch *batch, const struct kl_dev_marker *marker,
			    int64_t now_ms)
{
	struct kl_control_record_type_schema type = {
		.type = marker->aborts ? KL_CONTROL_ABORT : KL_CONTROL_COMMIT};
	struct kl_end_txn_marker end = {.coordinator_epoch = marker->coordinator_epoch};
	struct kl_dev_half key = {.msg = &kl_msg_control_record_type_schema, .obj = &type};
	struct kl_dev_half value = {.msg = &kl_msg_end_txn_marker, .obj = &end};
	kl_dev_batch_begin(batch, now_ms);
	kl_dev_batch_add_msgs(batch, &key, &value);
	return kl_dev_batch_end(batch, KL_ATTR_CONTROL | KL_ATTR_TRANSACTIONAL,
				marker->producer_id, marker->epoch);
}
