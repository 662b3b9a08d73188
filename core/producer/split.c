/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/split.h"

#include "core/base/error.h"
#include "core/base/sink.h"
#include "core/producer/sender.h"
#include "core/record/batch_read.h"

/* --- on a worker --- */

/* Plain records, from one to the next. */
struct cut {
	struct klamm_producer *p;
	const struct kl_pbatch *whole;
	const uint8_t *at, *end;
	uint32_t next;  /* number of the record that begins at `at` */
	size_t target;  /* bytes of a part, its head included; one record may be more */
	unsigned index; /* of the worker */
};

/* A record behind its length: what its parts are. */
struct pieces {
	int64_t timestamp_delta;
	const uint8_t *rest; /* behind the offset delta */
	const uint8_t *end;
};

/* We wrote it, so it is sound; NULL all the same when it is not. */
static const uint8_t *take_apart(const uint8_t *p, const uint8_t *end, struct pieces *out)
{
	uint64_t length, timestamp, offset;
	p = kl_load_uvarint(p, end, 5, &length);
	if (p == NULL || length / 2 > (size_t)(end - p) || length / 2 < KL_RECORD_MIN - 1)
		return NULL;
	out->end = p + length / 2;
	p = kl_load_uvarint(p + 1, out->end, 10, &timestamp);
	if (p != NULL)
		p = kl_load_uvarint(p, out->end, 5, &offset);
	if (p == NULL)
		return NULL;
	out->timestamp_delta = kl_unzigzag64(timestamp);
	out->rest = p;
	return out->end;
}

static uint8_t *put_together(uint8_t *p, const struct pieces *from, uint32_t offset_delta)
{
	size_t rest = (size_t)(from->end - from->rest);
	size_t length = 1 + kl_uvarint_size(kl_zigzag64(from->timestamp_delta)) +
			kl_uvarint_size((uint64_t)offset_delta << 1) + rest;
	p = kl_store_uvarint(p, (uint64_t)length << 1);
	*p++ = 0; /* attributes */
	p = kl_store_varint(p, from->timestamp_delta);
	p = kl_store_uvarint(p, (uint64_t)offset_delta << 1);
	memcpy(p, from->rest, rest);
	return p + rest;
}

/* Records of the next part, and what they take now, which is no less than they will. 0: they
 * are not sound. */
static uint32_t measure(const struct cut *cut, size_t *bytes_out)
{
	const uint8_t *p = cut->at;
	struct pieces record;
	uint32_t count = 0;
	while (p < cut->end) {
		const uint8_t *next = take_apart(p, cut->end, &record);
		if (next == NULL)
			return 0;
		if (count > 0 && KL_BATCH_HEAD + (size_t)(next - cut->at) > cut->target)
			break;
		p = next;
		count++;
	}
	*bytes_out = (size_t)(p - cut->at);
	return count;
}

/* What becomes of records [first, first + count) is told by a block of their own. */
static bool share_outcome(const struct cut *cut, struct kl_pbatch *part, uint32_t count)
{
	const struct kl_outcome *from = cut->whole->outcome;
	if (from == NULL)
		return true;
	struct kl_outcome *to = kl_outcome_get_beyond(cut->p, count);
	if (to == NULL)
		return false;
	part->outcome = to;
	while (to->cap < count)
		if (!kl_outcome_grow(cut->p, to))
			return false;
	memcpy(to->slots, from->slots + cut->next, count * sizeof(*to->slots));
	to->topic = from->topic;
	to->partition = from->partition;
	to->futures = from->futures;
	to->base_timestamp = from->base_timestamp;
	to->count = count;
	return true;
}

static void copy_records(struct cut *cut, struct kl_pbatch *part, uint32_t count)
{
	uint8_t *p = part->slab->data + KL_BATCH_HEAD;
	part->max_timestamp = INT64_MIN;
	for (uint32_t i = 0; i < count; i++) {
		struct pieces record;
		cut->at = take_apart(cut->at, cut->end, &record);
		p = put_together(p, &record, i);
		part->max_timestamp = kl_max(part->max_timestamp,
					     part->base_timestamp + record.timestamp_delta);
	}
	part->size = part->plain_size = (size_t)(p - part->slab->data);
	cut->next += count;
}

/* Out of memory, or nothing sound: NULL. buffer.memory may be full of batches that are too
 * large, so parts take what they need beyond it: none of it came back otherwise. */
static struct kl_pbatch *cut_part(struct cut *cut)
{
	size_t bytes;
	uint32_t count = measure(cut, &bytes);
	struct kl_pbatch *part = count > 0 ? kl_pbatch_get(cut->p) : NULL;
	if (part == NULL)
		return NULL;
	kl_pbatch_clear(part, cut->whole->partition);
	part->slab = kl_slab_get_beyond(cut->p->slabs, KL_BATCH_HEAD + bytes);
	part->base_timestamp = cut->whole->base_timestamp;
	part->opened_at = cut->whole->opened_at;
	part->place = cut->whole->place;
	part->first = cut->whole->first + cut->next;
	if (part->slab == NULL || !share_outcome(cut, part, count)) {
		kl_pbatch_put(cut->p, part);
		return NULL;
	}
	atomic_store(&part->count, count);
	copy_records(cut, part, count);
	kl_pbatch_pack(cut->p, part, cut->index);
	return part;
}

static bool cut_all(struct klamm_producer *p, struct kl_pbatch *batch, unsigned index,
		    struct klamm_span records)
{
	/* At most half of what was too much, so that this has an end. */
	struct cut cut = {
		.p = p,
		.whole = batch,
		.at = records.data,
		.end = (const uint8_t *)records.data + records.len,
		.target = kl_min((size_t)p->settings->batch_size,
				 KL_BATCH_HEAD + records.len / 2),
		.index = index,
	};
	while (cut.next < batch->count) {
		struct kl_pbatch *part = cut_part(&cut);
		if (part == NULL)
			break;
		kl_list_push(&batch->parts, &part->link);
	}
	if (cut.next == batch->count)
		return true;
	struct kl_list *link;
	while ((link = kl_list_pop(&batch->parts)) != NULL)
		kl_pbatch_put(p, kl_list_entry(link, struct kl_pbatch, link));
	return false;
}

static int split(struct klamm_producer *p, struct kl_pbatch *batch, unsigned index,
		 struct klamm_error *err)
{
	struct kl_batch_head head;
	kl_batch_head_get(batch->slab->data, &head);
	struct klamm_span records = kl_batch_records(batch->slab->data, &head);
	struct kl_sink plain;
	kl_sink_init(&plain, batch->plain_size, &p->host.quota);
	int rc = 0;
	if (kl_batch_codec(&head) != 0) {
		struct kl_codec_worker *worker = kl_codec_worker(p, index, err);
		rc = worker == NULL
			     ? err->code
			     : p->codec_plugin->codec.decompress(worker->instance.self,
								 &records, batch->plain_size,
								 &plain.out, err);
		records = (struct klamm_span){plain.out.data, plain.out.len};
	}
	if (rc == 0 && !cut_all(p, batch, index, records))
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for its parts");
	kl_sink_free(&plain);
	return rc;
}

/* Where that is not possible now the batch is sent as it is, and comes back for another. */
static void split_job(struct kl_job *job, unsigned index)
{
	struct kl_pbatch *batch = kl_container(job, struct kl_pbatch, job);
	struct klamm_producer *p = batch->partition->topic->producer;
	struct klamm_error err;
	if (split(p, batch, index, &err) != 0)
		kl_log(&p->log, KL_LOG_WARN, "producer",
		       "topic %s partition %d: cannot split a batch that is too large: %s",
		       batch->partition->topic->name, batch->partition->index, err.text);
}

/* --- in the loop --- */

bool kl_split_begin(struct klamm_producer *p, struct kl_pbatch *batch)
{
	struct kl_partition *part = batch->partition;
	if (batch->count < 2 || !kl_pbatch_work(p, batch, split_job))
		return false;
	/* What is to come should not have to be split: forget how well this topic packs. */
	atomic_store_explicit(&part->topic->ratio, 256, memory_order_relaxed);
	kl_pbatch_insert(&part->queue, batch);
	atomic_fetch_add(&p->sealed_bytes, batch->plain_size);
	return true;
}

void kl_split_end(struct klamm_producer *p, struct kl_pbatch *batch)
{
	struct kl_partition *partition = batch->partition;
	struct kl_list *after = &batch->link, *after_live = &batch->live, *link;
	if (kl_list_empty(&batch->parts))
		return;
	kl_sender_not_sealed(p, batch);
	while ((link = kl_list_pop(&batch->parts)) != NULL) {
		struct kl_pbatch *part = kl_list_entry(link, struct kl_pbatch, link);
		kl_mutex_lock(&p->mutex);
		part->id = batch->id;
		kl_list_push_front(after_live, &part->live);
		kl_mutex_unlock(&p->mutex);
		kl_list_push_front(after, &part->link);
		after = &part->link;
		after_live = &part->live;
		if (batch->sequence >= 0)
			kl_sequences_inherit(batch, part);
		atomic_store(&part->ready, true);
		atomic_fetch_add(&partition->queued, 1);
		atomic_fetch_add(&p->sealed_bytes, part->plain_size);
	}
	if (batch->sequence >= 0)
		kl_sequences_ended(batch, true);
	atomic_fetch_sub(&partition->queued, 1);
	kl_list_remove(&batch->link);
	kl_pbatch_put(p, batch);
}
