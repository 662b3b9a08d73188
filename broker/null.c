/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/null.h"

#include <stdlib.h>

#include "core/record/batch_read.h"
#include "core/record/batch_write.h"

struct kl_dev_null {
	int32_t records; /* in the batch */
	size_t size;
	uint8_t batch[];
};

#define BASE_OFFSET_SIZE 8

/* Printable, and not all the same: zeros would flatter whoever reads them. */
static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)('a' + i % 26);
}

static uint8_t *put_records(uint8_t *p, int32_t count, struct klamm_span value)
{
	for (int32_t i = 0; i < count; i++)
		p = kl_record_put(p, (uint32_t)i, 0, (struct klamm_span){NULL, 0}, value, NULL,
				  0, 1);
	return p;
}

int kl_dev_null_new(struct klamm_broker *broker, struct klamm_error *err)
{
	const struct klamm_broker_options *o = &broker->options;
	size_t n = (size_t)o->null_record_size;
	size_t room = KL_BATCH_HEAD + (size_t)o->null_batch_records * kl_record_bound(0, n, 1);
	struct kl_dev_null *null = NULL;
	uint8_t *value = malloc(n + 1);
	if (value != NULL && room <= INT32_MAX)
		null = malloc(sizeof(*null) + room);
	if (null == NULL) {
		free(value);
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for a batch of %d records of %zu bytes",
				(int)o->null_batch_records, n);
	}
	fill(value, n);
	null->records = o->null_batch_records;
	uint8_t *body = null->batch + KL_BATCH_HEAD;
	uint8_t *end = put_records(body, null->records, (struct klamm_span){value, n});
	free(value);
	null->size = (size_t)(end - null->batch);
	int64_t now = broker->loop->os->wall_ms(broker->loop->os);
	kl_batch_head_put(null->batch, &(struct kl_batch_head){
		.length = (int32_t)(null->size - KL_BATCH_OVERHEAD),
		.magic = 2,
		.last_offset_delta = null->records - 1,
		.base_timestamp = now,
		.max_timestamp = now,
		.producer_id = -1,
		.producer_epoch = -1,
		.base_sequence = -1,
		.record_count = null->records,
	});
	uint32_t crc = kl_batch_body_crc(body, (size_t)(end - body));
	kl_batch_stamp(null->batch, -1, -1, -1, crc);
	broker->null = null;
	return 0;
}

void kl_dev_null_free(struct klamm_broker *broker)
{
	free(broker->null);
	broker->null = NULL;
}

int kl_dev_null_produce(struct kl_dev_partition *partition, struct kl_bytes records,
			int64_t *base_offset_out)
{
	struct kl_batch_head head;
	size_t n = records.len > 0 ? (size_t)records.len : 0;
	if (kl_batch_peek(records.p, n, &head) != KL_BATCH_WHOLE)
		return KLAMM_ERR_CORRUPT_MESSAGE;
	*base_offset_out = partition->log.end;
	partition->log.end += head.last_offset_delta + 1;
	return 0;
}

/* How many batches, and the offset of the first: kept in the arena until the answer is
 * encoded, in the order of the references.
 * The call has the last one, which knows the first. */
struct stand_in {
	struct stand_in *next;
	int64_t base_offset;
	size_t count;
};

bool kl_dev_null_fetch(struct kl_dev_call *call, int64_t offset, size_t max,
		       struct kl_bytes *records_out)
{
	const struct kl_dev_null *null = call->broker->null;
	struct stand_in *s = kl_arena_alloc(&call->arena, sizeof(*s));
	if (s == NULL)
		return false;
	s->base_offset = offset - offset % null->records;
	s->count = kl_max(max / null->size, (size_t)1);
	*records_out = (struct kl_bytes){null->batch, (int32_t)(s->count * null->size)};
	struct stand_in *last = call->stand_ins;
	s->next = last != NULL ? last->next : s;
	if (last != NULL)
		last->next = s;
	call->stand_ins = s;
	return true;
}

/* count batches at one place: base offset from heads, the rest from the prebuilt batch. */
static bool put_batches(const struct kl_dev_null *null, const struct stand_in *s, size_t at,
			uint8_t *heads, struct kl_refs *refs)
{
	for (size_t i = 0; i < s->count; i++, heads += BASE_OFFSET_SIZE) {
		kl_store_u64(heads, (uint64_t)(s->base_offset + (int64_t)i * null->records));
		if (!kl_refs_add(refs, at, heads, BASE_OFFSET_SIZE) ||
		    !kl_refs_add(refs, at, null->batch + BASE_OFFSET_SIZE,
				 null->size - BASE_OFFSET_SIZE))
			return false;
	}
	return true;
}

bool kl_dev_null_expand(struct kl_dev_call *call, struct kl_buf *frame_out)
{
	const struct kl_dev_null *null = call->broker->null;
	const struct stand_in *last = call->stand_ins, *s = last->next;
	size_t count = last->count;
	for (; s != last; s = s->next)
		count += s->count;
	size_t frame_len = call->head.len;
	uint8_t *heads = kl_buf_extend(&call->head, count * BASE_OFFSET_SIZE);
	if (heads == NULL)
		return false;
	*frame_out = call->head;
	frame_out->len = frame_len;
	struct kl_refs refs = call->spare_refs;
	refs.count = refs.bytes = 0;
	bool ok = true;
	s = last->next;
	for (size_t i = 0; i < call->refs.count && ok; i++, s = s->next) {
		ok = put_batches(null, s, call->refs.list[i].at, heads, &refs);
		heads += s->count * BASE_OFFSET_SIZE;
	}
	call->spare_refs = call->refs;
	call->refs = refs;
	return ok;
}
