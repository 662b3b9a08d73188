/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/legacy_read.h"

#include "core/base/buf.h"
#include "core/base/crc32.h"
#include "core/record/batch_read.h"

struct message {
	int64_t offset;
	uint32_t crc;
	int8_t magic;
	uint8_t attributes;
	int64_t timestamp; /* -1 in v0 */
	struct klamm_span key, value;
	const uint8_t *checked; /* what the CRC covers */
	size_t checked_len;
};

/* A negative length is null. */
static struct klamm_span read_span(struct kl_reader *r)
{
	int32_t len = kl_read_i32(r);
	if (len < 0)
		return (struct klamm_span){NULL, 0};
	return (struct klamm_span){kl_read(r, (size_t)len), (size_t)len};
}

/* False when the message is cut or does not add up. */
static bool read_message(struct kl_reader *r, struct message *m_out)
{
	m_out->offset = kl_read_i64(r);
	int32_t size = kl_read_i32(r);
	if (r->failed || size < KL_MESSAGE_MIN_V0)
		return false;
	const uint8_t *body = kl_read(r, (size_t)size);
	if (body == NULL)
		return false;
	struct kl_reader in = kl_reader(body, (size_t)size);
	m_out->crc = kl_read_u32(&in);
	m_out->checked = in.p;
	m_out->checked_len = kl_reader_left(&in);
	m_out->magic = (int8_t)kl_read_u8(&in);
	m_out->attributes = kl_read_u8(&in);
	m_out->timestamp = m_out->magic == 1 ? kl_read_i64(&in) : -1;
	m_out->key = read_span(&in);
	m_out->value = read_span(&in);
	return !in.failed && kl_reader_left(&in) == 0 && m_out->offset >= 0 &&
	       (m_out->magic == 0 || m_out->magic == 1);
}

/* Can this message follow in the same run? Every head says one format, one codec (none), and
 * one timestamp type, and its numbers have their limits. */
static bool continues(const struct kl_batch_head *head, const struct message *m, size_t bytes)
{
	int64_t delta = m->offset - head->base_offset;
	return m->magic == head->magic && m->attributes == (uint8_t)head->attributes &&
	       delta > head->last_offset_delta && delta <= INT32_MAX &&
	       m->offset < INT64_MAX && bytes <= INT32_MAX;
}

int kl_legacy_peek(const uint8_t *p, size_t n, struct kl_batch_head *head_out)
{
	struct message m;
	struct kl_reader r = kl_reader(p, n);
	if (!read_message(&r, &m))
		return KLAMM_ERR_CORRUPT_BATCH;
	bool compressed = m.attributes & KL_ATTR_CODEC;
	if (m.offset == INT64_MAX || (compressed && m.value.data == NULL))
		return KLAMM_ERR_CORRUPT_BATCH;
	*head_out = (struct kl_batch_head){
		.base_offset = m.offset,
		.length = (int32_t)(r.p - p) - KL_BATCH_OVERHEAD,
		.leader_epoch = -1,
		.crc = m.crc,
		.attributes = m.attributes,
		.producer_epoch = -1,
		.base_sequence = -1,
		.base_timestamp = m.timestamp,
		.max_timestamp = m.timestamp,
		.producer_id = -1,
		.record_count = compressed ? -1 : 1,
		.magic = m.magic,
	};
	while (!compressed && read_message(&r, &m) &&
	       continues(head_out, &m, (size_t)(r.p - p))) {
		head_out->length = (int32_t)(r.p - p) - KL_BATCH_OVERHEAD;
		head_out->last_offset_delta = (int32_t)(m.offset - head_out->base_offset);
		head_out->max_timestamp = kl_max(head_out->max_timestamp, m.timestamp);
		head_out->record_count++;
	}
	return KL_BATCH_OLD;
}

bool kl_legacy_check_crc(const uint8_t *p, const struct kl_batch_head *head)
{
	struct message m;
	struct kl_reader r = kl_reader(p, kl_batch_size(head));
	while (kl_reader_left(&r) > 0)
		if (!read_message(&r, &m) || kl_crc32(0, m.checked, m.checked_len) != m.crc)
			return false;
	return true;
}

struct klamm_span kl_legacy_records(const uint8_t *p, const struct kl_batch_head *head)
{
	struct klamm_span run = {p, kl_batch_size(head)};
	struct message m;
	struct kl_reader r = kl_reader(p, run.len);
	if (kl_batch_codec(head) == 0 || !read_message(&r, &m))
		return run;
	return m.value;
}

/* Inside a compressed message v1 offsets count from 0, and the message around them has the
 * offset of the last (KIP-31); in v0 all are absolute. Some producers left 0 outside, and
 * Kafka then takes the inner ones as they are. False: the last would begin before 0. */
static bool base_of(const struct kl_batch_head *head, int64_t last, int64_t *base_out)
{
	*base_out = 0;
	if (head->magic == 0 || kl_batch_codec(head) == 0 || head->base_offset == 0)
		return true;
	*base_out = head->base_offset - last;
	return *base_out >= 0;
}

int kl_legacy_iter_init(struct kl_record_iter *iter, const struct kl_batch_head *head,
			struct klamm_span records, int64_t start_offset)
{
	bool compressed = kl_batch_codec(head) != 0;
	bool append_time = head->magic == 1 && head->attributes & KL_ATTR_LOG_APPEND_TIME;
	/* The broker stamps the outer message only. */
	bool outer_time = append_time && compressed;
	const uint8_t *p = records.data;
	*iter = (struct kl_record_iter){
		.p = p,
		.end = p + records.len,
		.timestamp = outer_time ? head->max_timestamp : 0,
		.delta_mask = outer_time ? 0 : UINT64_MAX,
		.start_offset = start_offset,
		.timestamp_type = head->magic == 0 ? KLAMM_TIMESTAMP_NONE
				  : append_time	   ? KLAMM_TIMESTAMP_LOG_APPEND
						   : KLAMM_TIMESTAMP_CREATE,
		.leader_epoch = -1,
		.error = KLAMM_ERR_CORRUPT_BATCH,
		.magic = head->magic,
	};
	struct message m = {.offset = -1};
	struct kl_reader r = kl_reader(p, records.len);
	int32_t count = 0;
	for (; kl_reader_left(&r) > 0; count++)
		if (!read_message(&r, &m) || m.magic != head->magic || count == INT32_MAX ||
		    (m.attributes & KL_ATTR_CODEC))
			return iter->error;
	if (count == 0 || !base_of(head, m.offset, &iter->base_offset))
		return iter->error;
	iter->left = count;
	return iter->error = 0;
}

int kl_legacy_next(struct kl_record_iter *iter, struct klamm_record_view *view_out)
{
	while (iter->left > 0) {
		struct message m;
		struct kl_reader r = kl_reader(iter->p, (size_t)(iter->end - iter->p));
		if (!read_message(&r, &m)) {
			iter->left = 0; /* the bytes have changed since they were counted */
			return iter->error = KLAMM_ERR_CORRUPT_BATCH;
		}
		iter->p = r.p;
		iter->left--;
		int64_t offset = (int64_t)((uint64_t)iter->base_offset + (uint64_t)m.offset);
		if (offset < iter->start_offset)
			continue;
		*view_out = (struct klamm_record_view){
			.key = m.key,
			.value = m.value,
			.offset = offset,
			.timestamp_ms = iter->timestamp +
					(int64_t)((uint64_t)m.timestamp & iter->delta_mask),
			.timestamp_type = iter->timestamp_type,
			.leader_epoch = iter->leader_epoch,
		};
		return 1;
	}
	return iter->error;
}
