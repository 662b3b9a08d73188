/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/old.h"

#include "broker/codecs.h"
#include "core/base/sink.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"
#include "core/record/legacy_lz4.h"
#include "core/record/legacy_write.h"

#define PRODUCE_V1 2 /* the first version whose messages may have times (KIP-32) */
#define FETCH_V1 2   /* the first one that is answered with such */
#define WIRE_LZ4 3
#define WIRE_ZSTD 4

static int storage_error(const struct klamm_error *why, struct klamm_error *err)
{
	return kl_error(err, KLAMM_ERR_KAFKA_STORAGE_ERROR, "%.300s", why->text);
}

/* --- in --- */

struct upgrade {
	struct kl_dev_call *call;
	size_t message_max;
	struct kl_buf *out;
	struct kl_batch_head head; /* of the batch that it becomes */
	struct klamm_error *err;
};

static int corrupt(struct upgrade *u, const char *why)
{
	return kl_error(u->err, KLAMM_ERR_CORRUPT_MESSAGE, "%s", why);
}

static int add_record(struct upgrade *u, const struct klamm_record_view *view)
{
	struct kl_batch_head *head = &u->head;
	if (head->record_count == 0)
		head->base_timestamp = head->max_timestamp = view->timestamp_ms;
	head->max_timestamp = kl_max(head->max_timestamp, view->timestamp_ms);
	size_t bound = kl_record_bound(view->key.len, view->value.len, 1);
	uint8_t *p = kl_buf_reserve(u->out, bound);
	if (p == NULL || u->out->len > INT32_MAX - bound)
		return kl_error(u->err, KLAMM_ERR_KAFKA_STORAGE_ERROR, "out of memory");
	int64_t delta = (int64_t)((uint64_t)view->timestamp_ms -
				  (uint64_t)head->base_timestamp);
	uint8_t *end = kl_record_put(p, (uint32_t)head->record_count++, delta, view->key,
				     view->value, NULL, 0, 1);
	u->out->len += (size_t)(end - p);
	return 0;
}

static int add_records(struct upgrade *u, const struct kl_batch_head *old,
		       struct klamm_span records)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = kl_record_iter_init(&iter, old, records, 0);
	while (rc >= 0 && (rc = kl_record_next(&iter, &view)) > 0) {
		if (view.key.len + view.value.len > u->message_max)
			return kl_error(u->err, KLAMM_ERR_MESSAGE_TOO_LARGE,
					"a message is larger than max.message.bytes");
		rc = add_record(u, &view);
		if (rc != 0)
			return rc;
	}
	return rc == 0 ? 0 : corrupt(u, "a message inside of another one is damaged");
}

/* Brokers before 0.10 took no other checksum than theirs, nor did clients make another. */
static bool mend_lz4(struct klamm_span records)
{
	uint8_t *frame = (uint8_t *)records.data, was[32];
	size_t n = kl_min(records.len, sizeof(was));
	memcpy(was, frame, n);
	if (!kl_legacy_spoil_lz4(frame, records.len) || memcmp(was, frame, n) != 0)
		return false;
	kl_legacy_mend_lz4(frame, records.len);
	return true;
}

static int add_packed(struct upgrade *u, const struct kl_batch_head *old,
		      struct klamm_span packed)
{
	struct klamm_error why;
	int codec = kl_batch_codec(old);
	if (kl_batch_size(old) > u->message_max)
		return kl_error(u->err, KLAMM_ERR_MESSAGE_TOO_LARGE,
				"a message is larger than max.message.bytes");
	if (codec >= WIRE_ZSTD)
		return kl_error(u->err, KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE,
				"messages v0 and v1 know gzip, snappy and lz4");
	if (old->magic == 0 && codec == WIRE_LZ4 && !mend_lz4(packed))
		return corrupt(u, "the lz4 frame is not as of before 0.10");
	struct klamm_span plain;
	int rc = kl_dev_unpack(u->call->broker, old, packed, &plain, &why);
	if (rc == KLAMM_ERR_CODEC)
		return corrupt(u, "what is packed is damaged");
	if (rc != 0)
		return storage_error(&why, u->err);
	return add_records(u, old, plain);
}

/* A message with others inside of it, or a run of plain ones. */
static int add(struct upgrade *u, const uint8_t *p, const struct kl_batch_head *old, int found)
{
	if (found != KL_BATCH_OLD || (old->magic == 1 && u->call->version < PRODUCE_V1))
		return corrupt(u, "messages of a format that this version of Produce lacks");
	if (!kl_batch_check_crc(p, old))
		return corrupt(u, "a message's CRC is wrong");
	if (old->magic == 1)
		u->head.attributes |= old->attributes & KL_ATTR_LOG_APPEND_TIME;
	struct klamm_span records = kl_batch_records(p, old);
	return kl_batch_codec(old) != 0 ? add_packed(u, old, records)
					: add_records(u, old, records);
}

static int add_all(struct upgrade *u, struct kl_bytes records)
{
	size_t at = 0, n = records.len > 0 ? (size_t)records.len : 0;
	struct kl_batch_head old;
	int found, rc = 0;
	while (rc == 0 && (found = kl_batch_peek(records.p + at, n - at, &old)) > 0) {
		rc = add(u, records.p + at, &old, found);
		at += kl_batch_size(&old);
	}
	if (rc == 0 && (found < 0 || u->head.record_count == 0))
		return corrupt(u, "not a set of messages");
	return rc; /* what is cut at the end is left out */
}

int kl_dev_old_to_batch(struct kl_dev_call *call, struct kl_bytes records, int message_max,
			struct kl_buf *batch_out, struct klamm_error *err)
{
	struct upgrade u = {
		.call = call,
		.message_max = (size_t)message_max,
		.out = batch_out,
		.head = {.leader_epoch = -1, .magic = 2},
		.err = err,
	};
	kl_buf_clear(batch_out);
	if (kl_buf_extend(batch_out, KL_BATCH_HEAD) == NULL)
		return kl_error(err, KLAMM_ERR_KAFKA_STORAGE_ERROR, "out of memory");
	int rc = add_all(&u, records);
	if (rc != 0)
		return rc;
	u.head.length = (int32_t)(batch_out->len - KL_BATCH_OVERHEAD);
	u.head.last_offset_delta = u.head.record_count - 1;
	kl_batch_head_put(batch_out->data, &u.head);
	kl_batch_stamp(batch_out->data, -1, -1, -1,
		       kl_batch_body_crc(batch_out->data + KL_BATCH_HEAD,
					 batch_out->len - KL_BATCH_HEAD));
	return 0;
}

/* --- out --- */

static int write_batch(struct kl_dev_call *call, const uint8_t *p,
		       const struct kl_batch_head *head, struct kl_sink *out,
		       struct klamm_error *err)
{
	struct klamm_span records = kl_batch_records(p, head);
	int rc = 0, codec = kl_batch_codec(head);
	if (codec == WIRE_ZSTD)
		return KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE;
	if (codec != 0)
		rc = kl_dev_unpack(call->broker, head, records, &records, err);
	if (rc == 0)
		rc = kl_legacy_write(head, records, call->version >= FETCH_V1,
				     KL_LEGACY_PLAIN, &out->out, err);
	return rc == 0 ? 0 : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

/* Into memory that can be sent from. */
static int hold(struct kl_dev_call *call, const struct kl_sink *messages,
		struct kl_bytes *records)
{
	size_t n = messages->out.len;
	struct kl_slab *slab = kl_slab_get(call->broker->chunks, kl_max(n, (size_t)1));
	if (slab == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (n > 0)
		memcpy(slab->data, messages->out.data, n);
	bool held = kl_dev_call_hold(call, slab);
	*records = (struct kl_bytes){slab->data, (int32_t)n};
	kl_slab_unref(slab);
	return held ? 0 : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

int kl_dev_old_from_batches(struct kl_dev_call *call, struct kl_bytes *records)
{
	struct klamm_error err;
	struct kl_sink messages;
	struct kl_batch_head head;
	int rc = 0;
	size_t n = (size_t)records->len;
	kl_sink_init(&messages, INT32_MAX, NULL);
	for (size_t at = 0; rc == 0 && at < n; at += kl_batch_size(&head)) {
		if (kl_batch_peek(records->p + at, n - at, &head) != KL_BATCH_WHOLE)
			break;
		/* The ends of transactions are nothing that they know. */
		if ((head.attributes & KL_ATTR_CONTROL) == 0)
			rc = write_batch(call, records->p + at, &head, &messages, &err);
	}
	if (rc == 0)
		rc = hold(call, &messages, records);
	kl_sink_free(&messages);
	return rc;
}
