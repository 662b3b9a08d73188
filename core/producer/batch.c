/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches from opening to outcome: memory, sealing, compression. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/producer/convert.h"
#include "core/record/batch_write.h"

/* A partition that has not filled a batch yet starts with the smallest slab, and moves up as
 * its batches grow. */

/* --- what opening one needs --- */

struct kl_pbatch *kl_pbatch_get(struct klamm_producer *p)
{
	kl_mutex_lock(&p->mutex);
	struct kl_list *link = kl_list_pop(&p->spare_batches);
	kl_mutex_unlock(&p->mutex);
	if (link != NULL)
		return kl_list_entry(link, struct kl_pbatch, link);
	struct kl_pbatch *batch = calloc(1, sizeof(*batch));
	if (batch != NULL) {
		kl_list_init(&batch->link);
		kl_list_init(&batch->live);
		kl_list_init(&batch->parts);
	}
	return batch;
}

/* Most recent first: it is warm. */
void kl_pbatch_put(struct klamm_producer *p, struct kl_pbatch *batch)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&batch->parts)) != NULL)
		kl_pbatch_put(p, kl_list_entry(link, struct kl_pbatch, link));
	if (batch->outcome != NULL)
		kl_outcome_put(p, batch->outcome);
	batch->outcome = NULL;
	kl_slab_unref(batch->slab);
	batch->slab = NULL;
	kl_convert_drop(batch);
	kl_mutex_lock(&p->mutex);
	kl_list_remove(&batch->live);
	batch->id = 0; /* a flush may be reading it until now */
	kl_list_push_front(&p->spare_batches, &batch->link);
	kl_mutex_unlock(&p->mutex);
}

int64_t kl_spare_deadline(struct klamm_producer *p, struct kl_spare *spare)
{
	if (spare->deadline == 0)
		spare->deadline = kl_os_deadline_ms(p->os, p->settings->max_block_ms);
	return spare->deadline;
}

int kl_spare_get(struct klamm_producer *p, struct kl_spare *spare, size_t need,
		 struct klamm_error *err)
{
	if (spare->slab != NULL && spare->slab->cap < need) {
		kl_slab_unref(spare->slab);
		spare->slab = NULL;
	}
	if (spare->slab == NULL)
		spare->slab = kl_memory_get(p, need);
	if (spare->slab == NULL) {
		int64_t deadline = kl_spare_deadline(p, spare);
		int rc = kl_memory_wait(p, need, deadline, &spare->slab, err);
		if (rc != 0)
			return rc;
	}
	if (spare->batch == NULL)
		spare->batch = kl_pbatch_get(p);
	if (spare->batch == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a batch");
	/* Known to flush() before a record can be in it. */
	if (spare->batch->id == 0) {
		kl_mutex_lock(&p->mutex);
		spare->batch->id = ++p->next_id;
		kl_list_push(&p->live, &spare->batch->live);
		kl_mutex_unlock(&p->mutex);
	}
	return 0;
}

void kl_spare_put(struct klamm_producer *p, struct kl_spare *spare)
{
	kl_slab_unref(spare->slab);
	if (spare->batch != NULL) {
		kl_pbatch_put(p, spare->batch);
		kl_gate_wake(p->os, &p->gate); /* a flush may have waited for it */
		if (kl_producer_is_transactional(p)) /* or the end of a transaction */
			kl_loop_post(p->loop, &p->task);
	}
	spare->slab = NULL;
	spare->batch = NULL;
}

/* --- the partition's lock, when somebody has it --- */

void kl_partition_wait(struct kl_partition *part)
{
	unsigned spins = 0;
	do {
		/* The holder encodes one record: it is gone in no time, unless it lost its
		 * CPU. */
		do {
			if (++spins % 128 == 0)
				sched_yield();
			else
				kl_cpu_relax();
		} while (atomic_load_explicit(&part->lock, memory_order_relaxed));
	} while (atomic_exchange_explicit(&part->lock, 1, memory_order_acquire));
	part->waits++;
}

/* --- opening and sealing: with the partition's lock --- */

void kl_pbatch_clear(struct kl_pbatch *batch, struct kl_partition *part)
{
	batch->partition = part;
	batch->outcome = NULL;
	batch->count = 0;
	batch->attributes = 0;
	batch->attempts = 0;
	batch->maybe_written = false;
	batch->handed_back = false;
	batch->sequence = -1;
	batch->first = 0;
	batch->place = 0;
	batch->last_code = 0;
	atomic_store_explicit(&batch->ready, false, memory_order_relaxed);
}

void kl_pbatch_open(struct kl_partition *part, struct kl_spare *spare, size_t room,
		    int64_t opened_at, int64_t timestamp)
{
	struct kl_pbatch *batch = spare->batch;
	kl_pbatch_clear(batch, part);
	batch->slab = spare->slab;
	batch->place = part->opened++;
	batch->base_timestamp = timestamp;
	batch->opened_at = opened_at;
	spare->slab = NULL;
	spare->batch = NULL;

	part->batch = batch;
	part->count = 0;
	part->p = batch->slab->data + KL_BATCH_HEAD;
	part->end = batch->slab->data + kl_min(batch->slab->cap, room);
	part->slots = NULL;
	part->slot_count = 0;
	part->base_timestamp = part->max_timestamp = timestamp;
}

struct kl_pbatch *kl_pbatch_seal(struct klamm_producer *p, struct kl_partition *part)
{
	struct kl_pbatch *batch = part->batch;
	atomic_store_explicit(&batch->count, part->count, memory_order_relaxed);
	batch->size = batch->plain_size = (size_t)(part->p - batch->slab->data);
	batch->max_timestamp = part->max_timestamp;
	if (batch->outcome != NULL) {
		batch->outcome->count = part->count;
		batch->outcome->base_timestamp = part->base_timestamp;
	}
	if (atomic_load_explicit(&part->topic->sticky, memory_order_relaxed) == part->index)
		atomic_fetch_add_explicit(&part->topic->sticky_bytes, batch->size,
					  memory_order_relaxed);
	part->last_size = batch->slab->cap;
	part->last_count = part->count;
	part->batch = NULL;
	part->p = part->end = NULL;
	part->slots = NULL;
	part->slot_count = 0;
	part->count = 0;
	kl_list_push(&part->sealed, &batch->link);
	atomic_fetch_add_explicit(&part->queued, 1, memory_order_relaxed);
	return batch;
}

void kl_partition_dirty(struct klamm_producer *p, struct kl_partition *part)
{
	if (atomic_exchange(&part->dirty, true))
		return;
	struct kl_partition *head = atomic_load_explicit(&p->dirty, memory_order_relaxed);
	do
		part->next_dirty = head;
	while (!atomic_compare_exchange_weak(&p->dirty, &head, part));
}

void kl_partition_mark(struct klamm_producer *p, struct kl_partition *part, int64_t when)
{
	kl_partition_dirty(p, part);
	kl_loop_post_by(p->loop, &p->task, when);
}

/* --- finishing: no lock --- */

static void put_head(struct kl_pbatch *batch)
{
	if (kl_producer_is_transactional(batch->partition->topic->producer))
		batch->attributes |= KL_ATTR_TRANSACTIONAL;
	kl_batch_head_put(batch->slab->data, &(struct kl_batch_head){
		.length = (int32_t)(batch->size - KL_BATCH_OVERHEAD),
		.leader_epoch = -1,
		.magic = 2,
		.attributes = batch->attributes,
		.last_offset_delta = (int32_t)batch->count - 1,
		.base_timestamp = batch->base_timestamp,
		.max_timestamp = batch->max_timestamp,
		.producer_id = -1,
		.producer_epoch = -1,
		.base_sequence = -1,
		.record_count = (int32_t)batch->count,
	});
	batch->body_crc = kl_batch_body_crc(batch->slab->data + KL_BATCH_HEAD,
					    batch->size - KL_BATCH_HEAD);
}

/* --- compression: on a worker --- */

struct kl_codec_worker *kl_codec_worker(struct klamm_producer *p, unsigned index,
					struct klamm_error *err)
{
	struct kl_codec_worker *worker = &p->codecs[index];
	if (worker->opened)
		return worker;
	if (kl_conf_open_plugin(p->conf, p->codec_plugin, &p->host, "compression.type",
				&worker->instance, err) != 0)
		return NULL;
	worker->opened = true;
	kl_sink_init(&worker->sink, 0, NULL);
	return worker;
}

/* The compressed records take the place of the plain ones, in a smaller slab when there is
 * one to be had. */
static void replace_records(struct klamm_producer *p, struct kl_pbatch *batch,
			    const struct klamm_out *out)
{
	size_t size = KL_BATCH_HEAD + out->len;
	struct kl_slab *slab = NULL;
	if (kl_slab_size(size) < batch->slab->cap)
		slab = kl_slab_get(p->slabs, size);
	if (slab != NULL) {
		kl_slab_unref(batch->slab);
		batch->slab = slab;
	}
	memcpy(batch->slab->data + KL_BATCH_HEAD, out->data, out->len);
	batch->size = size;
	batch->attributes |= p->codec_plugin->codec.wire_id;
}

/* Follows what is seen quickly upwards, slowly downwards: a batch that turns out too large
 * costs more than one that is too small. */
static void learn_ratio(struct klamm_topic *topic, size_t plain, size_t packed)
{
	uint32_t seen = (uint32_t)kl_min(plain * 256 / kl_max(packed, (size_t)1),
					 (size_t)65536);
	uint32_t known = atomic_load_explicit(&topic->ratio, memory_order_relaxed);
	uint32_t next = seen < known ? seen : known + (seen - known) / 8;
	atomic_store_explicit(&topic->ratio, kl_max(next, 256u), memory_order_relaxed);
}

static void compress_records(struct klamm_producer *p, struct kl_pbatch *batch,
			     unsigned index)
{
	struct klamm_error err;
	kl_error_clear(&err);
	struct kl_codec_worker *worker = kl_codec_worker(p, index, &err);
	size_t plain = batch->size - KL_BATCH_HEAD;
	int rc = worker != NULL ? 0 : err.code;
	if (rc == 0) {
		struct klamm_span in = {batch->slab->data + KL_BATCH_HEAD, plain};
		struct klamm_out *out = &worker->sink.out;
		kl_sink_clear(&worker->sink);
		out->limit = plain;
		rc = p->codec_plugin->codec.compress(worker->instance.self, &in, out, &err);
		/* The memory of a larger batch before may have let it get above the limit. */
		if (rc == 0 && out->len > plain)
			rc = KLAMM_ERR_LIMIT;
		if (rc == 0)
			replace_records(p, batch, out);
	}
	learn_ratio(batch->partition->topic, plain, batch->size - KL_BATCH_HEAD);
	/* What does not get smaller is better sent as it is; so is what cannot be
	 * compressed. */
	if (rc != 0 && rc != KLAMM_ERR_LIMIT)
		kl_log(&p->log, KL_LOG_WARN, "producer", "sending a batch uncompressed: %s",
		       err.text);
}

void kl_pbatch_pack(struct klamm_producer *p, struct kl_pbatch *batch, unsigned index)
{
	if (p->codec_plugin != NULL)
		compress_records(p, batch, index);
	put_head(batch);
}

static void pack_job(struct kl_job *job, unsigned index)
{
	struct kl_pbatch *batch = kl_container(job, struct kl_pbatch, job);
	kl_pbatch_pack(batch->partition->topic->producer, batch, index);
}

static void mark_ready(struct klamm_producer *p, struct kl_pbatch *batch)
{
	struct kl_partition *part = batch->partition;
	atomic_store_explicit(&batch->ready, true, memory_order_release);
	/* Without a place in flight it cannot go: an answer wakes the loop, and a round
	 * follows it. Marked before that is looked at: either that round sees the mark, or
	 * this thread sees that there is a place. */
	kl_partition_mark(p, part, KL_NEVER);
	if (kl_partition_has_place(p, part))
		kl_loop_post(p->loop, &p->task);
}

/* A worker is done with the batch. */
static void worked(struct kl_job *job)
{
	struct kl_pbatch *batch = kl_container(job, struct kl_pbatch, job);
	struct klamm_producer *p = batch->partition->topic->producer;
	mark_ready(p, batch);
	atomic_fetch_sub(&p->compressing, 1);
	kl_gate_wake(p->os, &p->gate);
}

/* A producer that is closed waits for its workers once: false when that may be over. */
bool kl_pbatch_work(struct klamm_producer *p, struct kl_pbatch *batch,
		    void (*run)(struct kl_job *job, unsigned index))
{
	atomic_fetch_add(&p->compressing, 1);
	if (kl_producer_is_closed(p)) {
		atomic_fetch_sub(&p->compressing, 1);
		return false;
	}
	atomic_store_explicit(&batch->ready, false, memory_order_relaxed);
	batch->job.run = run;
	batch->job.done = worked;
	kl_pool_submit(&p->loop->cpu, &batch->job);
	return true;
}

void kl_pbatch_finish(struct klamm_producer *p, struct kl_pbatch *batch)
{
	atomic_fetch_add_explicit(&p->sealed_bytes, batch->size, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->sealed_ever, batch->size, memory_order_relaxed);
	/* Its first record found no room for its outcome: the sender drops it. */
	bool empty = atomic_load_explicit(&batch->count, memory_order_relaxed) == 0;
	if (empty || p->codec_plugin == NULL) {
		if (!empty)
			put_head(batch);
		mark_ready(p, batch);
		return;
	}
	/* On the way to its end the producer has no more use for it: it ends what it finds. */
	kl_pbatch_work(p, batch, pack_job);
}

/* The largest slab that buffer.memory can ever give. */
static size_t largest_slab(const struct klamm_producer *p)
{
	size_t budget = (size_t)p->settings->buffer_memory, size = kl_slab_size(budget);
	return size > budget ? size / 2 : size;
}

size_t kl_pbatch_limit(const struct klamm_producer *p, const struct klamm_topic *topic)
{
	size_t limit = (size_t)p->settings->batch_size;
	if (p->codec_plugin != NULL) {
		uint32_t ratio = atomic_load_explicit(&topic->ratio, memory_order_relaxed);
		limit = limit * ratio / 256;
	}
	/* A request holds it, and compression may fail: the plain batch has to fit as well. */
	limit = kl_min(limit, (size_t)p->settings->max_request_size);
	limit = kl_min(limit, largest_slab(p));
	return kl_max(limit, (size_t)KL_BATCH_HEAD + 64);
}

static uint64_t open_records(struct klamm_topic *topic)
{
	uint64_t records = 0;
	int32_t count = atomic_load(&topic->table_count);
	struct kl_partition **table = atomic_load(&topic->partitions);
	for (int32_t i = 0; i < count; i++) {
		/* Only tried: its holder may be waiting for the mutex that is held here. */
		if (!kl_partition_try_lock(table[i]))
			continue;
		records += table[i]->count;
		kl_partition_unlock(table[i]);
	}
	return records;
}

uint64_t kl_pbatch_records(struct klamm_producer *p)
{
	uint64_t records = 0;
	kl_mutex_lock(&p->mutex);
	kl_list_for(batch, &p->live, struct kl_pbatch, live)
		records += atomic_load_explicit(&batch->count, memory_order_relaxed);
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, p->topics, topic, tmp)
		records += open_records(topic);
	kl_mutex_unlock(&p->mutex);
	return records;
}

/* --- the end: the loop --- */

void kl_pbatch_end(struct klamm_producer *p, struct kl_pbatch *batch, int error, int outcome,
		  int64_t base_offset, int64_t append_time, const char *text)
{
	if (error != 0 && !batch->handed_back) {
		atomic_fetch_add(&p->failed, batch->count);
		kl_producer_count_error(p, batch);
	}
	struct kl_outcome *o = batch->outcome;
	if (o != NULL) {
		o->error = error;
		o->outcome = outcome;
		o->base_offset = base_offset;
		o->append_time = append_time;
		o->text = error != 0 ? strdup(text) : NULL;
		kl_outcome_complete(p, o);
		batch->outcome = NULL;
	}
	atomic_fetch_sub_explicit(&batch->partition->queued, 1, memory_order_relaxed);
	kl_list_remove(&batch->link);
	kl_pbatch_put(p, batch);
	kl_gate_wake(p->os, &p->gate);
}
