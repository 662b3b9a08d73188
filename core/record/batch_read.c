/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/batch_read.h"

#include "core/base/crc32c.h"
#include "core/base/endian.h"

/* Lengths below these cannot be: v2 has the rest of its head; v0 CRC, magic, attributes and
 * two lengths; v1 a timestamp as well. */
#define MIN_LENGTH_V2 (KL_BATCH_HEAD - KL_BATCH_OVERHEAD)
#define MIN_LENGTH_V0 14
#define MIN_LENGTH_V1 22

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
		return MIN_LENGTH_V0;
	case 1:
		return MIN_LENGTH_V1;
	case 2:
		return MIN_LENGTH_V2;
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
	if (length < MIN_LENGTH_V0)
		return KLAMM_ERR_CORRUPT_BATCH;
	head_out->length = length;
	if (n <= KL_BATCH_MAGIC)
		return KL_BATCH_CUT;
	int8_t magic = (int8_t)p[KL_BATCH_MAGIC];
	if (length < min_length(magic))
		return KLAMM_ERR_CORRUPT_BATCH;
	if ((size_t)length > n - KL_BATCH_OVERHEAD)
		return KL_BATCH_CUT;
	if (magic < 2) {
		head_out->base_offset = (int64_t)kl_load_u64(p);
		head_out->magic = magic;
		return head_out->base_offset < 0 ? KLAMM_ERR_CORRUPT_BATCH : KL_BATCH_OLD;
	}
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
	*span_out = (struct kl_batch_span){.next_offset = -1};
	struct kl_batch_head head;
	int found;
	while ((found = kl_batch_peek(p + span_out->bytes, n - span_out->bytes, &head)) > 0) {
		span_out->bytes += kl_batch_size(&head);
		span_out->batches++;
		span_out->next_offset = kl_batch_next_offset(&head);
	}
	return found;
}

bool kl_batch_check_crc(const uint8_t *p, const struct kl_batch_head *head)
{
	size_t n = kl_batch_size(head) - KL_BATCH_ATTRIBUTES;
	return kl_crc32c(0, p + KL_BATCH_ATTRIBUTES, n) == head->crc;
}

struct klamm_span kl_batch_records(const uint8_t *p, const struct kl_batch_head *head)
{
	return (struct klamm_span){p + KL_BATCH_HEAD, kl_batch_size(head) - KL_BATCH_HEAD};
}

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
	if (head->magic != 2 || head->record_count < 0 ||
	    (size_t)head->record_count > records.len / KL_RECORD_MIN)
		return broken(iter);
	return 0;
}

static __attribute__((noinline)) const uint8_t *
load_long(const uint8_t *p, const uint8_t *end, unsigned max_bytes, uint64_t *v_out)
{
	return kl_load_uvarint(p, end, max_bytes, v_out);
}

/* Most varints take one byte, and the lengths of most values two. NULL stays NULL, so that a
 * record is read as a column with one check at the end of it. */
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

/* A key or value with its length. Any negative length is null, as Kafka reads it. */
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

/* What the head alone tells, as Kafka's LogValidator asks it of clients. */
static int validate_head(const struct kl_batch_head *head, struct klamm_error *err)
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
	if (head->attributes & KL_ATTR_LOG_APPEND_TIME)
		return kl_error(err, KLAMM_ERR_INVALID_TIMESTAMP,
				"only the broker may set the timestamp type to LogAppendTime");
	return 0;
}

int kl_batch_validate(const struct kl_batch_head *head, struct klamm_span records,
		      int64_t *max_timestamp_out, struct klamm_error *err)
{
	int rc = validate_head(head, err);
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
				"record %lld of the batch cannot be read or has other bytes behind it",
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
