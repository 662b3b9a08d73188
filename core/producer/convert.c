/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/convert.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/record/batch_read.h"
#include "core/record/legacy_lz4.h"
#include "core/record/legacy_write.h"

/* The first versions of Produce that carry messages v1 (0.10), batches v2 (0.11) and zstd in
 * these (2.1, KIP-110). */
#define PRODUCE_V1 2
#define PRODUCE_ZSTD 7
/* A request has to be able to hold the set. */
#define SET_MAX (INT32_MAX - 65536)
/* Nothing will tell when there is memory again. */
#define LOOK_AGAIN (100 * KL_MS)

int8_t kl_convert_old_format(const struct kl_node *node)
{
	int version = kl_node_version(node, KL_API_PRODUCE, -1);
	return version < 0 || version >= KL_PRODUCE_V2 ? 2 : version >= PRODUCE_V1 ? 1 : 0;
}

struct kl_bytes kl_convert_bytes(const struct kl_pbatch *batch, int8_t magic)
{
	if (magic == 2)
		return (struct kl_bytes){batch->slab->data, (int32_t)batch->size};
	const struct klamm_out *set = &batch->old->set.out;
	return (struct kl_bytes){set->data, (int32_t)set->len};
}

void kl_convert_drop(struct kl_pbatch *batch)
{
	if (batch->old == NULL)
		return;
	kl_sink_free(&batch->old->set);
	free(batch->old);
	batch->old = NULL;
}

/* --- on a worker --- */

static int check_headers(const struct kl_batch_head *head, struct klamm_span records,
			 struct klamm_error *err)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = kl_record_iter_init(&iter, head, records, 0);
	while (rc >= 0 && (rc = kl_record_next(&iter, &view)) > 0)
		if (view.header_count > 0)
			return kl_error(err, KLAMM_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
					"record %lld of the batch has headers, which need "
					"Kafka 0.11 or later",
					(long long)view.offset);
	return 0; /* what is broken, the writer says */
}

/* A message around what the codec makes of these; 0 and no set: they are better sent as they
 * are. */
static int pack(struct klamm_producer *p, const struct kl_batch_head *head,
		struct klamm_span messages, struct kl_codec_worker *worker,
		struct kl_old_form *old)
{
	const struct klamm_codec_plugin *codec = &p->codec_plugin->codec;
	struct klamm_out *out = &worker->sink.out;
	kl_sink_clear(&worker->sink);
	out->limit = messages.len;
	int rc = codec->compress(worker->instance.self, &messages, out, &old->why);
	if (rc == 0 && old->magic == 0 && codec->wire_id == KLAMM_WIRE_LZ4 &&
	    !kl_legacy_spoil_lz4(out->data, out->len))
		rc = kl_error(&old->why, KLAMM_ERR_CODEC,
			      "codec lz4 made a frame that no broker before 0.10 reads");
	if (rc == 0 && out->len < messages.len)
		return kl_legacy_wrap(head, old->magic, codec->wire_id,
				      (struct klamm_span){out->data, out->len},
				      &old->set.out, &old->why);
	if (rc != 0 && rc != KLAMM_ERR_LIMIT)
		kl_log(&p->log, KL_LOG_WARN, "producer", "sending a batch uncompressed: %s",
		       old->why.text);
	return 0;
}

/* The records as messages, and these packed if the batch is. */
static int write_set(struct klamm_producer *p, const struct kl_batch_head *head,
		     struct klamm_span records, struct kl_codec_worker *worker,
		     struct kl_old_form *old)
{
	int rc = check_headers(head, records, &old->why);
	if (rc != 0)
		return rc;
	struct kl_sink messages;
	kl_sink_init(&messages, SET_MAX, &p->host.quota);
	/* With offsets from 0 on these are the same inside of another message and outside. */
	rc = kl_legacy_write(head, records, old->magic, KL_LEGACY_INSIDE, &messages.out,
			     &old->why);
	if (rc == 0 && worker != NULL)
		rc = pack(p, head, (struct klamm_span){messages.out.data, messages.out.len},
			  worker, old);
	if (rc != 0 || old->set.out.len > 0) {
		kl_sink_free(&messages);
		return rc;
	}
	kl_sink_free(&old->set);
	old->set = messages;
	return 0;
}

static int convert(struct klamm_producer *p, const struct kl_pbatch *batch, unsigned index,
		   struct kl_old_form *old)
{
	struct kl_batch_head head;
	kl_batch_head_get(batch->slab->data, &head);
	struct klamm_span records = kl_batch_records(batch->slab->data, &head);
	if (kl_batch_codec(&head) == 0)
		return write_set(p, &head, records, NULL, old);
	struct kl_codec_worker *worker = kl_codec_worker(p, index, &old->why);
	if (worker == NULL)
		return old->why.code;
	struct kl_sink plain;
	kl_sink_init(&plain, batch->plain_size, &p->host.quota);
	int rc = p->codec_plugin->codec.decompress(worker->instance.self, &records,
						   batch->plain_size, &plain.out, &old->why);
	if (rc == 0)
		rc = write_set(p, &head, (struct klamm_span){plain.out.data, plain.out.len},
			       worker, old);
	kl_sink_free(&plain);
	return rc;
}

static void convert_job(struct kl_job *job, unsigned index)
{
	struct kl_pbatch *batch = kl_container(job, struct kl_pbatch, job);
	struct kl_old_form *old = batch->old;
	old->code = convert(batch->partition->topic->producer, batch, index, old);
	if (old->code == KLAMM_ERR_LIMIT)
		old->code = KLAMM_ERR_RECORD_TOO_LARGE;
}

/* --- in the loop --- */

/* false: out of memory, or too late. */
static bool begin(struct klamm_producer *p, struct kl_pbatch *batch, int8_t magic)
{
	batch->old = calloc(1, sizeof(*batch->old));
	if (batch->old == NULL)
		return false;
	batch->old->magic = magic;
	kl_sink_init(&batch->old->set, SET_MAX, &p->host.quota);
	return kl_pbatch_work(p, batch, convert_job);
}

static bool lacks_zstd(const struct klamm_producer *p, const struct kl_node *node)
{
	if (p->codec_plugin == NULL || p->codec_plugin->codec.wire_id != KLAMM_WIRE_ZSTD)
		return false;
	int version = kl_node_version(node, KL_API_PRODUCE, -1);
	return version >= 0 && version < PRODUCE_ZSTD;
}

/* Somebody relies on sequences, which messages have no place for. */
static bool insists_on_sequences(const struct klamm_producer *p)
{
	return p->idempotent && p->settings->enable_idempotence_asked;
}

/* Repetitions are not known there, nor is an order among several batches. */
static bool has_to_wait(struct klamm_producer *p, const struct kl_pbatch *batch,
			const struct kl_node *node)
{
	if (p->idempotent && !p->told_of_old) {
		p->told_of_old = true;
		kl_log(&p->log, KL_LOG_WARN, "producer",
		       "%s is from before Kafka 0.11: a repetition there may double records",
		       node->where);
	}
	return batch->partition->in_flight > 0;
}

/* It will never go: kl_convert_refusal() says why, in the next round. */
static bool is_unfit(struct klamm_producer *p, int64_t *again_out)
{
	p->may_be_unfit = true;
	*again_out = p->loop->now;
	return false;
}

static bool convert_for(struct klamm_producer *p, struct kl_pbatch *batch,
			const struct kl_node *node, int8_t magic, int64_t *again_out)
{
	const struct kl_old_form *old = batch->old;
	if (insists_on_sequences(p))
		return is_unfit(p, again_out);
	*again_out = KL_NEVER; /* an answer, or a worker, comes */
	if (has_to_wait(p, batch, node))
		return false;
	bool is_ours = old != NULL && old->magic == magic;
	if (is_ours && old->code == 0)
		return true;
	if (is_ours && old->code != KLAMM_ERR_NO_MEMORY)
		return is_unfit(p, again_out);
	kl_convert_drop(batch);
	if (is_ours || !begin(p, batch, magic)) {
		kl_convert_drop(batch);
		*again_out = p->loop->now + LOOK_AGAIN;
	}
	return false;
}

bool kl_convert_for(struct klamm_producer *p, struct kl_pbatch *batch,
		    const struct kl_node *node, size_t *size_out, int64_t *again_out)
{
	int8_t magic = kl_convert_format(node);
	if (lacks_zstd(p, node))
		return is_unfit(p, again_out);
	if (magic < 2 && !convert_for(p, batch, node, magic, again_out))
		return false;
	*size_out = magic == 2 ? batch->size : batch->old->set.out.len;
	return true;
}

int kl_convert_refusal(const struct klamm_producer *p, const struct kl_pbatch *batch,
		       const struct kl_node *node, char text[static KLAMM_ERROR_TEXT])
{
	const struct kl_old_form *old = batch->old;
	const char *topic = batch->partition->topic->name;
	int8_t magic = kl_convert_format(node);
	if (lacks_zstd(p, node)) {
		snprintf(text, KLAMM_ERROR_TEXT,
			 "topic %s partition %d: zstd needs Kafka 2.1 or later, and %s has "
			 "Produce up to version %d only; set another compression.type",
			 topic, batch->partition->index, node->where,
			 kl_node_version(node, KL_API_PRODUCE, -1));
		return KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE;
	}
	if (magic < 2 && insists_on_sequences(p)) {
		snprintf(text, KLAMM_ERROR_TEXT,
			 "topic %s partition %d: idempotence and transactions need Kafka 0.11 "
			 "or later, and %s is older",
			 topic, batch->partition->index, node->where);
		return KLAMM_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT;
	}
	if (magic == 2 || old == NULL || old->magic != magic ||
	    old->code == KLAMM_ERR_NO_MEMORY)
		return 0;
	if (old->code != 0)
		snprintf(text, KLAMM_ERROR_TEXT,
			 "topic %s partition %d: %s takes message format v%d at most: %.200s",
			 topic, batch->partition->index, node->where, magic, old->why.text);
	return old->code;
}
