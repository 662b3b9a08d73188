/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm_producer_drain(): what was not sent goes back to whoever sent it.
 *
 * From the word DRAINED on no record comes in. The loop then sends nothing but what may be
 * written already, so that no younger batch overtakes one that is handed back; everything open
 * is sealed, workers come to their end, and the loop gives the batches away. Their records are
 * told by the application's own thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/producer/sender.h"
#include "core/record/batch_read.h"

struct drain {
	struct klamm_producer *p;
	klamm_unsent_fn fn;
	void *arg;
	struct kl_list taken; /* batches, those of a partition in order */
	uint64_t count;
	struct kl_instance codec;
	bool codec_open;
	struct kl_sink plain;
	struct klamm_header *headers; /* of one record */
	uint32_t header_cap;
};

/* --- no record comes in any more --- */

static int stop_senders(struct klamm_producer *p, struct klamm_error *err)
{
	unsigned known = atomic_load(p->state);
	while (known == KL_PRODUCER_OPEN || known == KL_PRODUCER_NO_TXN)
		if (atomic_compare_exchange_weak(p->state, &known, KL_PRODUCER_DRAINED))
			known = KL_PRODUCER_DRAINED;
	if (known != KL_PRODUCER_DRAINED)
		return kl_producer_state_error(p, err);
	/* Who saw the word before has made its topic by now, and nobody makes one any more. */
	kl_mutex_lock(&p->mutex);
	kl_mutex_unlock(&p->mutex);
	kl_gate_wake(p->os, &p->gate); /* those that wait hear of it */
	kl_gate_wake(p->os, &p->memory_gate);
	return 0;
}

/* --- in the loop --- */

static void for_partitions(struct drain *d,
			   void (*fn)(struct drain *d, struct kl_partition *part))
{
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, d->p->topics, topic, tmp) {
		struct kl_partition **table = atomic_load(&topic->partitions);
		for (int32_t i = 0; i < topic->table_count; i++)
			fn(d, table[i]);
	}
}

static void hold(void *arg)
{
	struct drain *d = arg;
	d->p->draining = true;
}

static void seal(struct drain *d, struct kl_partition *part)
{
	struct klamm_producer *p = d->p;
	kl_partition_lock(part);
	struct kl_pbatch *open = part->batch != NULL ? kl_pbatch_seal(p, part) : NULL;
	kl_list_splice(&part->queue, &part->sealed);
	kl_partition_unlock(part);
	part->is_due = false;
	part->opened_id = 0;
	kl_list_remove(&part->lingering);
	if (open != NULL)
		kl_pbatch_finish(p, open);
}

static void seal_all(void *arg)
{
	for_partitions(arg, seal);
}

/* It is surely not written, and no request has it. */
static void take(struct drain *d, struct kl_pbatch *batch)
{
	struct klamm_producer *p = d->p;
	const struct kl_partition *part = batch->partition;
	char text[KLAMM_ERROR_TEXT];
	bool stamped = batch->sequence >= 0;
	kl_sender_not_sealed(p, batch);
	if (stamped)
		kl_sequences_ended(batch, false);
	snprintf(text, sizeof(text),
		 "topic %s partition %d: klamm_producer_drain() handed back what was not sent",
		 part->topic->name, part->index);
	if (kl_producer_is_transactional(p))
		kl_txn_batch_failed(p, batch, stamped, KLAMM_ERR_CLOSED, text);
	kl_list_remove(&batch->link);
	kl_list_push(&d->taken, &batch->link);
}

static void take_from(struct drain *d, struct kl_partition *part)
{
	kl_list_for_safe(batch, &part->queue, struct kl_pbatch, link) {
		if (batch->maybe_written ||
		    !atomic_load_explicit(&batch->ready, memory_order_acquire))
			continue; /* it keeps its way */
		if (batch->count > 0) {
			take(d, batch);
			continue;
		}
		kl_sender_not_sealed(d->p, batch);
		kl_pbatch_end(d->p, batch, 0, KLAMM_OUTCOME_NONE, -1, -1, "");
	}
	if (kl_list_empty(&part->queue))
		kl_partition_moves(part);
}

static void take_all(void *arg)
{
	struct drain *d = arg;
	for_partitions(d, take_from);
	d->p->draining = false;
	kl_sender_unpark(d->p);
}

/* What could not be told is sent after all. */
static void give_back(void *arg)
{
	struct drain *d = arg;
	kl_list_for_safe(batch, &d->taken, struct kl_pbatch, link) {
		struct kl_partition *part = batch->partition;
		kl_list_remove(&batch->link);
		kl_pbatch_insert(&part->queue, batch);
		atomic_fetch_add(&d->p->sealed_bytes, batch->plain_size);
		kl_sender_go_on(d->p, part);
	}
}

/* --- telling: the application's thread --- */

static int open_codec(struct drain *d, struct klamm_error *err)
{
	struct klamm_producer *p = d->p;
	if (d->codec_open)
		return 0;
	int rc = kl_conf_open_plugin(p->conf, p->codec_plugin, &p->host, "compression.type",
				     &d->codec, err);
	d->codec_open = rc == 0;
	return rc;
}

static int get_records(struct drain *d, const struct kl_pbatch *batch,
		       const struct kl_batch_head *head, struct klamm_span *records_out,
		       struct klamm_error *err)
{
	*records_out = kl_batch_records(batch->slab->data, head);
	if (kl_batch_codec(head) == 0)
		return 0;
	int rc = open_codec(d, err);
	if (rc != 0)
		return rc;
	kl_sink_clear(&d->plain);
	rc = d->p->codec_plugin->codec.decompress(d->codec.self, records_out,
						  batch->plain_size, &d->plain.out, err);
	*records_out = (struct klamm_span){d->plain.out.data, d->plain.out.len};
	return rc;
}

/* Room for the headers of each of its records, so that telling them cannot fail half way. */
static int make_room(struct drain *d, struct kl_record_iter iter, struct klamm_error *err)
{
	struct klamm_record_view view;
	uint32_t most = 0;
	int rc;
	while ((rc = kl_record_next(&iter, &view)) > 0)
		most = kl_max(most, view.header_count);
	if (rc != 0)
		return kl_error(err, rc, "a batch of the producer's own cannot be read");
	if (most <= d->header_cap)
		return 0;
	struct klamm_header *headers = reallocarray(d->headers, most, sizeof(*headers));
	if (headers == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for headers");
	d->headers = headers;
	d->header_cap = most;
	return 0;
}

static void *opaque_of(const struct kl_pbatch *batch, uint32_t i)
{
	const struct kl_outcome *o = batch->outcome;
	return o == NULL || kl_slot_is_future(&o->slots[i]) ? NULL : o->slots[i].opaque;
}

static void tell(struct drain *d, const struct kl_pbatch *batch, struct kl_record_iter iter)
{
	const struct kl_partition *part = batch->partition;
	struct klamm_record_view view;
	kl_loop_enter_callback(d->p->os);
	for (uint32_t i = 0; kl_record_next(&iter, &view) > 0; i++) {
		struct klamm_record record = KLAMM_RECORD_INIT;
		record.key = view.key;
		record.value = view.value;
		record.timestamp_ms = view.timestamp_ms;
		record.partition = part->index;
		record.headers = view.header_count > 0 ? d->headers : NULL;
		record.header_count = view.header_count;
		kl_record_headers(&view, d->headers);
		d->fn(d->arg, part->topic->name, &record, opaque_of(batch, i));
		d->count++;
	}
	kl_loop_leave_callback(d->p->os);
}

/* Nobody but futures hears of its records any more. */
static void end(struct klamm_producer *p, struct kl_pbatch *batch)
{
	const struct kl_partition *part = batch->partition;
	struct kl_outcome *o = batch->outcome;
	for (uint32_t i = 0; o != NULL && i < o->count; i++)
		if (!kl_slot_is_future(&o->slots[i]))
			o->slots[i] = (struct kl_slot){.headers = KL_SLOT_FUTURE}; /* told */
	if (o != NULL)
		o->futures = true;
	char text[KLAMM_ERROR_TEXT];
	snprintf(text, sizeof(text),
		 "topic %s partition %d: it was not sent, klamm_producer_drain() handed it "
		 "back",
		 part->topic->name, part->index);
	batch->handed_back = true;
	kl_pbatch_end(p, batch, KLAMM_ERR_CLOSED, KLAMM_OUTCOME_NOT_WRITTEN, -1, -1, text);
}

static int hand_back(struct drain *d, struct kl_pbatch *batch, struct klamm_error *err)
{
	struct kl_batch_head head;
	struct klamm_span records;
	struct kl_record_iter iter;
	kl_batch_head_get(batch->slab->data, &head);
	int rc = get_records(d, batch, &head, &records, err);
	if (rc != 0)
		return rc;
	kl_record_iter_init(&iter, &head, records, 0); /* it tells again what is wrong */
	rc = make_room(d, iter, err);
	if (rc != 0)
		return rc;
	tell(d, batch, iter);
	end(d->p, batch);
	return 0;
}

static int hand_back_all(struct drain *d, struct klamm_error *err)
{
	struct klamm_producer *p = d->p;
	struct kl_pbatch *batch;
	int rc = 0;
	kl_sink_init(&d->plain, 0, &p->host.quota);
	while (rc == 0 &&
	       (batch = kl_list_first(&d->taken, struct kl_pbatch, link)) != NULL)
		rc = hand_back(d, batch, err);
	if (rc != 0)
		kl_loop_call(p->loop, give_back, d);
	if (d->codec_open)
		kl_plugin_close(&d->codec);
	kl_sink_free(&d->plain);
	free(d->headers);
	kl_loop_post(p->loop, &p->task); /* the end of a transaction may wait for them */
	return rc;
}

int klamm_producer_drain(struct klamm_producer *p, klamm_unsent_fn fn, void *arg,
			 uint64_t *count_out, struct klamm_error *err)
{
	struct drain d = {.p = p, .fn = fn, .arg = arg};
	if (count_out != NULL)
		*count_out = 0;
	if (kl_producer_is_closed(p))
		return kl_producer_state_error(p, err);
	int rc = kl_loop_may_wait(p->os, err);
	if (rc == 0)
		rc = stop_senders(p, err);
	if (rc != 0)
		return rc;
	kl_list_init(&d.taken);
	kl_loop_call(p->loop, hold, &d);
	kl_producer_let_senders_out(p);
	kl_loop_call(p->loop, seal_all, &d);
	kl_producer_let_workers_out(p);
	kl_loop_call(p->loop, take_all, &d);
	rc = hand_back_all(&d, err);
	kl_outcome_tell(p); /* futures */
	if (count_out != NULL)
		*count_out = d.count;
	return rc;
}
