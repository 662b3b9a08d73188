/* SPDX-License-Identifier: BSD-2-Clause */
/* As Kafka's Cleaner and MemoryRecords.filterTo() do it. */
#include "broker/rewrite.h"

#include <klamm/error.h>

#include "broker/codecs.h"
#include "core/record/batch_write.h"

/* Two varints of 10 bytes, one of 5 and the attributes: what a record begins with. */
#define RECORD_FRONT 26

/* What is known of a batch before anything is written. */
struct look {
	struct klamm_span plain;
	int32_t total, left; /* records */
	bool has_tombstones; /* among those that are left, or it is a marker that is to go */
	int64_t first_time, newest; /* of those that are left */
};

/* Tombstones of the batch go at this time; -1 = none has been set. */
static int64_t horizon(const struct kl_batch_head *head)
{
	return head->attributes & KL_ATTR_DELETE_HORIZON ? head->base_timestamp : -1;
}

static bool is_left(const struct kl_dev_rewrite *r, const struct kl_batch_head *head,
		    const struct klamm_record_view *view)
{
	if (view->offset > r->keys.latest || (head->attributes & KL_ATTR_CONTROL))
		return true;
	if (view->key.data == NULL || view->offset < kl_dev_keys_find(&r->keys, view->key))
		return false;
	return view->value.data != NULL || horizon(head) < 0 || r->now_ms < horizon(head);
}

/* false: it cannot be looked into, because its codec is missing or its records are broken. */
static bool open_batch(struct kl_dev_rewrite *r, const uint8_t *p,
		       const struct kl_batch_head *head, struct klamm_span *plain_out)
{
	struct klamm_error err;
	*plain_out = kl_batch_records(p, head);
	return kl_batch_codec(head) == 0 ||
	       kl_dev_unpack(r->broker, head, *plain_out, plain_out, &err) == 0;
}

/* false: there was no room for all of them. */
static bool learn_keys(struct kl_dev_rewrite *r, const uint8_t *p,
		       const struct kl_batch_head *head, int64_t from)
{
	struct klamm_span plain;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	if (head->record_count == 0 || !open_batch(r, p, head, &plain))
		return true;
	kl_record_iter_init(&iter, head, plain, from);
	while (kl_record_next(&iter, &view) > 0)
		if (view.key.data != NULL &&
		    !kl_dev_keys_put(&r->keys, view.key, view.offset))
			return false;
	return true;
}

int kl_dev_rewrite_learn(struct kl_dev_rewrite *r, const uint8_t *p,
			 const struct kl_batch_head *head, int64_t from)
{
	int fate = kl_dev_remains_see(&r->remains, head, p);
	if (fate < 0)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (!(head->attributes & KL_ATTR_CONTROL) && fate != KL_DEV_VOID &&
	    !learn_keys(r, p, head, from))
		return KL_DEV_FULL;
	r->keys.latest = kl_max(r->keys.latest, kl_batch_next_offset(head) - 1);
	return 0;
}

static bool look_into(struct kl_dev_rewrite *r, const uint8_t *p,
		      const struct kl_batch_head *head, struct look *out)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc;
	*out = (struct look){.newest = -1};
	if (!open_batch(r, p, head, &out->plain))
		return false;
	kl_record_iter_init(&iter, head, out->plain, 0);
	for (; (rc = kl_record_next(&iter, &view)) > 0; out->total++) {
		if (!is_left(r, head, &view))
			continue;
		if (out->left++ == 0)
			out->first_time = view.timestamp_ms;
		out->newest = kl_max(out->newest, view.timestamp_ms);
		out->has_tombstones |= view.value.data == NULL;
	}
	return rc == 0;
}

/* --- writing --- */

/* A record that begins at p and ends at end, with other deltas; what is behind them stays. */
static void put_record(struct kl_buf *b, const uint8_t *p, const uint8_t *end,
		       uint64_t offset_delta, int64_t timestamp_delta)
{
	uint8_t front[RECORD_FRONT];
	uint64_t skipped;
	p = kl_load_uvarint(p, end, 5, &skipped);
	front[0] = *p++;
	p = kl_load_uvarint(p, end, 10, &skipped);
	p = kl_load_uvarint(p, end, 5, &skipped);
	uint8_t *at = kl_store_varint(front + 1, timestamp_delta);
	at = kl_store_uvarint(at, offset_delta << 1);
	size_t n = (size_t)(at - front), rest = (size_t)(end - p);
	kl_buf_uvarint(b, (uint32_t)(n + rest) << 1);
	kl_buf_put(b, front, n);
	kl_buf_put(b, p, rest);
}

static void put_records(struct kl_dev_rewrite *r, const struct kl_batch_head *head,
			const struct look *look, int64_t base_timestamp)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	kl_buf_clear(&r->records);
	kl_record_iter_init(&iter, head, look->plain, 0);
	for (const uint8_t *p = iter.p; kl_record_next(&iter, &view) > 0; p = iter.p)
		if (is_left(r, head, &view))
			put_record(&r->records, p, iter.p,
				   (uint64_t)(view.offset - head->base_offset),
				   (int64_t)((uint64_t)view.timestamp_ms -
					     (uint64_t)base_timestamp));
}

/* A batch of these records; the rest of its head is as given, its length and CRC follow. */
static int put_batch(struct kl_dev_rewrite *r, struct kl_batch_head head,
		     struct klamm_span records)
{
	kl_buf_clear(&r->batch);
	uint8_t *p = kl_buf_extend(&r->batch, KL_BATCH_HEAD + records.len);
	if (p == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	head.length = (int32_t)(KL_BATCH_HEAD - KL_BATCH_OVERHEAD + records.len);
	kl_batch_head_put(p, &head);
	if (records.len > 0)
		memcpy(p + KL_BATCH_HEAD, records.data, records.len);
	kl_batch_stamp(p, head.producer_id, head.producer_epoch, head.base_sequence,
		       kl_batch_body_crc(p + KL_BATCH_HEAD, records.len));
	return KL_DEV_CHANGED;
}

/* Kafka's writeEmptyHeader(). */
static int put_empty(struct kl_dev_rewrite *r, const struct kl_batch_head *old)
{
	struct kl_batch_head head = *old;
	head.attributes &= ~(KL_ATTR_CODEC | KL_ATTR_DELETE_HORIZON);
	head.base_timestamp = -1;
	head.record_count = 0;
	return put_batch(r, head, (struct klamm_span){NULL, 0});
}

/* Offsets and sequence numbers stay those of the whole batch. Timestamps count from the time
 * at which its tombstones go, where it has any (KIP-534). */
static int put_left(struct kl_dev_rewrite *r, const struct kl_batch_head *old,
		    const struct look *look)
{
	struct kl_batch_head head = *old;
	struct klamm_error err;
	if (look->has_tombstones && horizon(old) < 0) {
		head.attributes |= KL_ATTR_DELETE_HORIZON;
		head.base_timestamp = r->delete_retention_ms < INT64_MAX - r->now_ms
					      ? r->now_ms + r->delete_retention_ms
					      : INT64_MAX;
	} else if (horizon(old) < 0) {
		head.base_timestamp = look->first_time;
	}
	head.record_count = look->left;
	head.max_timestamp = look->newest;
	put_records(r, old, look, head.base_timestamp);
	if (r->records.failed)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	struct klamm_span records = {r->records.data, r->records.len};
	if (kl_batch_codec(old) != 0 &&
	    kl_dev_pack(r->broker, old, records, &records, &err) != 0)
		head.attributes &= ~KL_ATTR_CODEC;
	return put_batch(r, head, records);
}

int kl_dev_rewrite_batch(struct kl_dev_rewrite *r, const uint8_t *p,
			 const struct kl_batch_head *head, bool keep_head)
{
	struct look look;
	int fate = kl_dev_remains_see(&r->remains, head, p);
	if (fate < 0)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	bool is_marker = head->attributes & KL_ATTR_CONTROL;
	bool goes = fate == KL_DEV_VOID &&
		    (!is_marker || (horizon(head) >= 0 && r->now_ms >= horizon(head)));
	if (head->record_count == 0)
		return keep_head ? KL_DEV_KEPT : KL_DEV_GONE;
	if (!goes && !look_into(r, p, head, &look))
		return KL_DEV_KEPT;
	if (goes || look.left == 0)
		return keep_head ? put_empty(r, head) : KL_DEV_GONE;
	if (is_marker)
		look.has_tombstones = fate == KL_DEV_VOID;
	if (look.left == look.total && (!look.has_tombstones || horizon(head) >= 0))
		return KL_DEV_KEPT;
	return put_left(r, head, &look);
}

void kl_dev_rewrite_free(struct kl_dev_rewrite *r)
{
	kl_dev_keys_free(&r->keys);
	kl_dev_remains_free(&r->remains);
	kl_buf_free(&r->batch);
	kl_buf_free(&r->records);
}
