/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets that a transaction commits: with version 1 its coordinator hears of the group first
 * (AddOffsetsToTxn), and then the group's coordinator of the offsets (TxnOffsetCommit), which
 * keeps them back until the transaction has ended (KIP-98, KIP-447). */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/producer/producer.h"
#include "core/producer/txn.h"

/* Of TxnOffsetCommit: the newest of version 1; that of version 2, and the newest that names
 * topics by name. */
#define COMMIT_V1 4
#define COMMIT_V2 5
/* From here on a request says which member commits. */
#define COMMIT_NAMES_MEMBER 3

static struct klamm_producer *producer_of(struct kl_request *request)
{
	return kl_container(request, struct klamm_producer, txn.request);
}

void kl_txn_offsets_free(struct kl_txn_offsets *offsets)
{
	if (offsets == NULL)
		return;
	struct kl_arena arena = offsets->arena;
	kl_arena_free(&arena);
	free(offsets);
}

/* --- AddOffsetsToTxn --- */

static const void *group_body(struct kl_request *request, int version)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_add_offsets_to_txn_request *body =
		kl_arena_alloc(&p->txn.arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_add_offsets_to_txn_request, body);
	body->transactional_id = kl_str(p->txn.id);
	body->producer_id = p->identity.id;
	body->producer_epoch = p->identity.epoch;
	body->group_id = kl_str(p->txn.offsets->group_id);
	return body;
}

static void on_group_answer(struct kl_request *request, const struct kl_response *response)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_txn *txn = &p->txn;
	if (response->code != 0) {
		txn->bump |= response->maybe_applied;
		kl_txn_unanswered(p, &txn->coordinator, response);
		return;
	}
	kl_txn_answered(p);
	const struct kl_add_offsets_to_txn_response *body = response->body;
	int code = body->error_code;
	enum kl_txn_verdict verdict = kl_txn_judge(code);
	if (verdict == KL_TXN_DONE) {
		txn->offsets_added = txn->started = true;
		txn->failures = 0;
		kl_hook_add(p->loop, &p->round_hook);
		return;
	}
	if (code == KLAMM_ERR_GROUP_AUTHORIZATION_FAILED)
		verdict = KL_TXN_ABORT;
	char where[300];
	snprintf(where, sizeof(where), " for group %.200s",
		 txn->offsets != NULL ? txn->offsets->group_id : "");
	kl_txn_refused(p, &txn->coordinator, verdict, KL_API_ADD_OFFSETS_TO_TXN, code, where);
}

/* --- TxnOffsetCommit --- */

static size_t count_left(const struct kl_txn_offsets *offsets)
{
	size_t n = 0;
	for (size_t i = 0; i < offsets->count; i++)
		n += !offsets->list[i].done;
	return n;
}

static void fill_topics(const struct kl_txn_offsets *offsets,
			struct kl_txn_offset_commit_request *body,
			struct kl_txn_offset_commit_request_partition *partitions)
{
	const char *last = NULL;
	struct kl_txn_offset_commit_request_topic *topic = NULL;
	size_t n = 0;
	for (size_t i = 0; i < offsets->count; i++) {
		const struct kl_txn_offset *offset = &offsets->list[i];
		if (offset->done)
			continue;
		if (last == NULL || strcmp(last, offset->topic) != 0) {
			last = offset->topic;
			topic = &body->topics[body->topics_n++];
			topic->name = kl_str(last);
			topic->partitions = &partitions[n];
		}
		struct kl_txn_offset_commit_request_partition *part = &partitions[n++];
		part->partition_index = offset->partition;
		part->committed_offset = offset->offset;
		part->committed_leader_epoch = offset->leader_epoch;
		part->committed_metadata = kl_str(offset->metadata);
		topic->partitions_n++;
	}
}

static const void *commit_body(struct kl_request *request, int version)
{
	struct klamm_producer *p = producer_of(request);
	const struct kl_txn_offsets *offsets = p->txn.offsets;
	struct kl_arena *arena = &p->txn.arena;
	size_t left = count_left(offsets);
	struct kl_txn_offset_commit_request *body = kl_arena_alloc(arena, sizeof(*body));
	struct kl_txn_offset_commit_request_partition *partitions =
		kl_type_new(&kl_type_txn_offset_commit_request_partition, arena, left);
	struct kl_txn_offset_commit_request_topic *topics =
		kl_type_new(&kl_type_txn_offset_commit_request_topic, arena, left);
	if (body == NULL || partitions == NULL || topics == NULL)
		return NULL;
	kl_msg_init(&kl_msg_txn_offset_commit_request, body);
	body->transactional_id = kl_str(p->txn.id);
	body->group_id = kl_str(KL_BUG(WRONG_GROUP) ? p->txn.id : offsets->group_id);
	body->producer_id = p->identity.id;
	body->producer_epoch = p->identity.epoch;
	body->topics = topics;
	if (version >= COMMIT_NAMES_MEMBER && !KL_BUG(MEMBER_NOT_NAMED)) {
		body->generation_id_or_member_epoch = offsets->generation;
		body->member_id = kl_str(offsets->member_id);
		body->group_instance_id = offsets->instance_id != NULL
						  ? kl_str(offsets->instance_id)
						  : KL_STR_NULL;
	}
	fill_topics(offsets, body, partitions);
	return body;
}

/* Java's client gives the producer up for what it does not expect; the offsets are all that
 * has failed, and an abort takes them back. */
static enum kl_txn_verdict judge_commit(int code)
{
	switch (code) {
	case KLAMM_ERR_REQUEST_TIMED_OUT:
		return KL_TXN_FIND;
	case KLAMM_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
		return KL_TXN_DIE;
	default:
		return kl_txn_judge_part(code);
	}
}

static struct kl_txn_offset *find(struct kl_txn_offsets *offsets, struct kl_str topic,
				  int32_t partition)
{
	for (size_t i = 0; i < offsets->count; i++)
		if (offsets->list[i].partition == partition &&
		    kl_str_is(topic, offsets->list[i].topic))
			return &offsets->list[i];
	return NULL;
}

/* What is done is noted; the worst of the rest is told. */
static enum kl_txn_verdict read_commit(struct kl_txn_offsets *offsets,
				       const struct kl_txn_offset_commit_response *body,
				       int *code_out, const struct kl_txn_offset **whose_out)
{
	enum kl_txn_verdict worst = KL_TXN_DONE;
	for (int32_t t = 0; t < body->topics_n; t++) {
		for (int32_t i = 0; i < body->topics[t].partitions_n; i++) {
			const struct kl_txn_offset_commit_response_partition *told =
				&body->topics[t].partitions[i];
			struct kl_txn_offset *offset =
				find(offsets, body->topics[t].name, told->partition_index);
			if (offset == NULL)
				continue;
			enum kl_txn_verdict verdict = judge_commit(told->error_code);
			offset->done |= verdict == KL_TXN_DONE;
			if (verdict <= worst)
				continue;
			worst = verdict;
			*code_out = told->error_code;
			*whose_out = offset;
		}
	}
	return worst;
}

static void on_commit_answer(struct kl_request *request, const struct kl_response *response)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_txn *txn = &p->txn;
	if (response->code != 0) {
		kl_txn_in_doubt(p, response);
		kl_txn_unanswered(p, &txn->group, response);
		return;
	}
	kl_txn_answered(p);
	if (txn->offsets == NULL) /* an abort did not want to wait for it */
		return;
	int code = 0;
	const struct kl_txn_offset *whose = NULL;
	enum kl_txn_verdict verdict = read_commit(txn->offsets, response->body, &code, &whose);
	if (verdict == KL_TXN_DONE && count_left(txn->offsets) > 0) {
		kl_txn_back_off(p); /* the answer leaves some out */
		return;
	}
	if (verdict == KL_TXN_DONE) {
		kl_txn_offsets_free(txn->offsets);
		txn->offsets = NULL;
		txn->failures = 0;
		kl_txn_call_end(p, NULL);
		kl_hook_add(p->loop, &p->round_hook);
		return;
	}
	char where[400];
	snprintf(where, sizeof(where), " for group %.100s, topic %.250s partition %d",
		 txn->offsets->group_id, whose->topic, whose->partition);
	kl_txn_refused(p, &txn->group, verdict, KL_API_TXN_OFFSET_COMMIT, code, where);
}

void kl_txn_ask_offsets(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	struct kl_node *node;
	if (KL_BUG(OFFSETS_DROPPED)) {
		kl_txn_offsets_free(txn->offsets);
		txn->offsets = NULL;
		kl_txn_call_end(p, NULL);
		return;
	}
	if (!txn->v2 && !txn->offsets_added) {
		node = kl_coordinator_node(&txn->coordinator);
		if (node != NULL)
			kl_txn_send(p, node, KL_API_ADD_OFFSETS_TO_TXN, 0, -1, group_body,
				    on_group_answer);
		return;
	}
	struct klamm_error err;
	if (kl_txn_find_group(p, txn->offsets->group_id, &err) != 0) {
		kl_txn_spoil(p, false, &err);
		return;
	}
	node = kl_coordinator_node(&txn->group);
	if (node == NULL)
		return;
	kl_txn_sends(p);
	kl_txn_send(p, node, KL_API_TXN_OFFSET_COMMIT, txn->v2 ? COMMIT_V2 : 0,
		    txn->v2 ? COMMIT_V2 : COMMIT_V1, commit_body, on_commit_answer);
}
