/* SPDX-License-Identifier: BSD-2-Clause */
/* What a transactional producer asks its coordinator, and what the answers mean. Errors are
 * judged as Kafka's TransactionManager does, but where its comments here say otherwise. */
#include <stdio.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/producer/sender.h"
#include "core/producer/txn.h"

/* The newest versions of each generation of the protocol (KIP-890). */
#define END_TXN_V1 4
#define END_TXN_V2 5
/* From 4 on only brokers ask. */
#define ADD_PARTITIONS_MAX 3
/* From here on a producer says whom it takes over from (KIP-360). */
#define INIT_ID_BUMPS 3

/* KAFKA-5477: the marker of the transaction before is still being written, which takes less
 * than the usual backoff. */
#define FIRST_ADD_BACKOFF (20 * KL_MS)

static int64_t now(const struct klamm_producer *p)
{
	return p->loop->now;
}

static struct klamm_producer *producer_of(struct kl_request *request)
{
	return kl_container(request, struct klamm_producer, txn.request);
}

/* --- one request at a time --- */

void kl_txn_send(struct klamm_producer *p, struct kl_node *node, enum kl_api api,
		 int min_version, int max_version,
		 const void *(*prepare)(struct kl_request *request, int version),
		 void (*done)(struct kl_request *request, const struct kl_response *response))
{
	struct kl_txn *txn = &p->txn;
	txn->request.api = api;
	txn->request.min_version = min_version;
	txn->request.max_version = max_version;
	txn->request.prepare = prepare;
	txn->request.deadline = KL_NEVER;
	txn->request.done = done;
	txn->asked = node;
	kl_arena_reset(&txn->arena);
	kl_node_request(node, &txn->request);
}

void kl_txn_answered(struct klamm_producer *p)
{
	p->txn.asked = NULL;
	/* Whatever it brought: who waited for it to be over may go on. */
	kl_hook_add(p->loop, &p->round_hook);
}

static void try_again_at(struct klamm_producer *p, int64_t when)
{
	p->txn.retry_at = when;
	kl_hook_add(p->loop, &p->round_hook);
}

void kl_txn_back_off(struct klamm_producer *p)
{
	const struct kl_settings *s = p->settings;
	try_again_at(p, now(p) + kl_backoff(p->os, s->retry_backoff_ms,
					    s->retry_backoff_max_ms, p->txn.failures++));
}

/* A coordinator that lets nobody in, or knows no transactions, will not learn it. */
static void old_coordinator(struct klamm_producer *p);

static void not_served(struct klamm_producer *p, const struct klamm_error *why)
{
	if (p->txn.state == KL_TXN_BUMPING && why->code == KLAMM_ERR_UNSUPPORTED) {
		old_coordinator(p);
		return;
	}
	if (p->txn.state != KL_TXN_INITIALIZING) {
		kl_txn_spoil(p, p->txn.state != KL_TXN_OPEN, why);
		return;
	}
	kl_txn_set_state(p, KL_TXN_NONE);
	kl_txn_call_end(p, why);
}

void kl_txn_in_doubt(struct klamm_producer *p, const struct kl_response *response)
{
	if (p->txn.v2 || !response->maybe_applied || KL_BUG(DOUBTFUL_END))
		return;
	p->txn.bump = p->txn.doubt = true;
}

void kl_txn_unanswered(struct klamm_producer *p, struct kl_coordinator *coordinator,
		       const struct kl_response *response)
{
	const struct klamm_error *why = response->err;
	kl_txn_answered(p);
	if (why->code == KLAMM_ERR_UNSUPPORTED || kl_auth_is_refusal(why)) {
		not_served(p, why);
		return;
	}
	kl_coordinator_lost(coordinator, why);
	kl_txn_back_off(p);
}

enum kl_txn_verdict kl_txn_judge(int code)
{
	switch (code) {
	case 0:
		return KL_TXN_DONE;
	case KLAMM_ERR_NOT_COORDINATOR:
	case KLAMM_ERR_COORDINATOR_NOT_AVAILABLE:
		return KL_TXN_FIND;
	case KLAMM_ERR_TRANSACTION_ABORTABLE:
	case KLAMM_ERR_UNKNOWN_PRODUCER_ID:
		return KL_TXN_ABORT;
	default:
		return klamm_err_retriable(code) ? KL_TXN_RETRY : KL_TXN_DIE;
	}
}

enum kl_txn_verdict kl_txn_judge_part(int code)
{
	enum kl_txn_verdict verdict = kl_txn_judge(code);
	switch (code) {
	case KLAMM_ERR_INVALID_PRODUCER_EPOCH:
	case KLAMM_ERR_PRODUCER_FENCED:
	case KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
	case KLAMM_ERR_INVALID_TXN_STATE:
	case KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING:
		return KL_TXN_DIE;
	default:
		return verdict == KL_TXN_DIE ? KL_TXN_ABORT : verdict;
	}
}

void kl_txn_refused(struct klamm_producer *p, struct kl_coordinator *coordinator,
		    enum kl_txn_verdict verdict, enum kl_api api, int code,
		    const char *detail)
{
	/* Brokers before 2.7 have one code for both. */
	if (code == KLAMM_ERR_INVALID_PRODUCER_EPOCH)
		code = KLAMM_ERR_PRODUCER_FENCED;
	struct klamm_error err;
	kl_error(&err, code, "transactional id %s: %s%s: %s: %s", p->txn.id, kl_api_name(api),
		 detail, klamm_err_name(code), klamm_err_text(code));
	err.api = api;
	err.node = coordinator->node_made ? coordinator->node.id : -1;
	if (verdict == KL_TXN_ABORT && p->txn.state == KL_TXN_ABORTING)
		return; /* that is under way */
	switch (verdict) {
	case KL_TXN_FIND:
		if (!KL_BUG(STALE_COORDINATOR))
			kl_coordinator_lost(coordinator, &err);
		kl_txn_back_off(p);
		break;
	case KL_TXN_RETRY:
		kl_log(&p->log, KL_LOG_DEBUG, "producer", "%s", err.text);
		kl_txn_back_off(p);
		break;
	default:
		kl_txn_spoil(p, verdict == KL_TXN_DIE, &err);
		break;
	}
}

/* --- InitProducerId --- */

static void *new_body(struct klamm_producer *p, const struct kl_msg *msg)
{
	void *body = kl_arena_alloc(&p->txn.arena, msg->type->size);
	if (body != NULL)
		kl_msg_init(msg, body);
	return body;
}

static const void *identity_body(struct kl_request *request, int version)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_init_producer_id_request *body =
		new_body(p, &kl_msg_init_producer_id_request);
	if (body == NULL)
		return NULL;
	bool bump = p->txn.state == KL_TXN_BUMPING;
	body->transactional_id = kl_str(p->txn.id);
	body->transaction_timeout_ms = p->settings->transaction_timeout_ms;
	if (version >= INIT_ID_BUMPS) {
		body->producer_id = bump ? p->identity.id : -1;
		body->producer_epoch = bump ? p->identity.epoch : -1;
	}
	return body;
}

static void take_identity(struct klamm_producer *p, int64_t id, int16_t epoch)
{
	struct kl_txn *txn = &p->txn;
	p->identity.id = id;
	p->identity.epoch = epoch;
	txn->bump = txn->doubt = false;
	kl_log(&p->log, KL_LOG_DEBUG, "producer",
	       "transactional id %s: producer id %lld epoch %d", txn->id, (long long)id,
	       epoch);
}

static void on_identity_answer(struct kl_request *request, const struct kl_response *response)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_txn *txn = &p->txn;
	const struct kl_init_producer_id_response *body = response->body;
	if (response->code != 0) {
		kl_txn_unanswered(p, &txn->coordinator, response);
		return;
	}
	kl_txn_answered(p);
	int code = body->error_code;
	if (code == 0 && (body->producer_id < 0 || body->producer_epoch < 0))
		code = KLAMM_ERR_PROTOCOL;
	if (code == 0) {
		take_identity(p, body->producer_id, body->producer_epoch);
		txn->v2 = p->cluster.nodes.transaction_version >= KL_TXN_VERSION_2;
		kl_txn_set_state(p, KL_TXN_READY);
		kl_txn_call_end(p, NULL);
		return;
	}
	enum kl_txn_verdict verdict = kl_txn_judge(code);
	bool fenced = code == KLAMM_ERR_PRODUCER_FENCED ||
		      code == KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	if (txn->state == KL_TXN_INITIALIZING && !fenced &&
	    (verdict == KL_TXN_DIE || verdict == KL_TXN_ABORT)) {
		/* Nothing has begun: with other rights or settings it may be tried again. */
		struct klamm_error err;
		kl_error(&err, code, "transactional id %s: InitProducerId: %s: %s", txn->id,
			 klamm_err_name(code), klamm_err_text(code));
		err.api = KL_API_INIT_PRODUCER_ID;
		kl_txn_set_state(p, KL_TXN_NONE);
		kl_txn_call_end(p, &err);
		return;
	}
	/* Between transactions there is nothing to abort. */
	if (verdict == KL_TXN_ABORT)
		verdict = KL_TXN_DIE;
	kl_txn_refused(p, &txn->coordinator, verdict, KL_API_INIT_PRODUCER_ID, code, "");
}

/* Brokers before 2.5 give another epoch only to who takes the id over, from a producer that
 * may have taken it over from this one meanwhile. Where all that failed is surely not written,
 * sequences can go on behind the last one that was acknowledged. */
static void old_coordinator(struct klamm_producer *p)
{
	struct klamm_error err;
	if (!p->txn.doubt) {
		p->txn.bump = false;
		kl_txn_set_state(p, KL_TXN_READY);
		kl_txn_call_end(p, NULL);
		return;
	}
	kl_error(&err, KLAMM_ERR_UNSUPPORTED,
		 "transactional id %s: what became of a request is not known, and brokers "
		 "before Kafka 2.5 give no new epoch to be safe with: close this producer and "
		 "make a new one",
		 p->txn.id);
	kl_txn_spoil(p, true, &err);
}

void kl_txn_ask_identity(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	struct kl_node *node = kl_coordinator_node(&txn->coordinator);
	if (node == NULL)
		return;
	kl_txn_send(p, node, KL_API_INIT_PRODUCER_ID,
		    txn->state == KL_TXN_BUMPING ? INIT_ID_BUMPS : 0, -1, identity_body,
		    on_identity_answer);
}

/* --- AddPartitionsToTxn, version 1 --- */

static const void *partitions_body(struct kl_request *request, int version)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_txn *txn = &p->txn;
	struct kl_arena *arena = &txn->arena;
	struct kl_add_partitions_to_txn_request *body =
		new_body(p, &kl_msg_add_partitions_to_txn_request);
	size_t count = 0;
	kl_list_for(part, &txn->adding, struct kl_partition, adding)
		count++;
	struct kl_add_partitions_to_txn_request_topic *topics =
		kl_type_new(&kl_type_add_partitions_to_txn_request_topic, arena, count);
	int32_t *indexes = kl_arena_alloc(arena, count * sizeof(*indexes));
	if (body == NULL || topics == NULL || indexes == NULL)
		return NULL;
	body->v3_and_below_transactional_id = kl_str(txn->id);
	body->v3_and_below_producer_id = p->identity.id;
	body->v3_and_below_producer_epoch = p->identity.epoch;
	body->v3_and_below_topics = topics;
	const struct klamm_topic *last = NULL;
	struct kl_add_partitions_to_txn_request_topic *topic = NULL;
	size_t i = 0;
	kl_list_for(part, &txn->adding, struct kl_partition, adding) {
		if (part->topic != last) {
			last = part->topic;
			topic = &topics[body->v3_and_below_topics_n++];
			topic->name = kl_str(last->name);
			topic->partitions = &indexes[i];
		}
		indexes[i++] = part->index;
		topic->partitions_n++;
		part->add_asked = true;
	}
	return body;
}

/* The first error of the answer, worst first; *part_out: whose it is. */
static int worst_of(const struct kl_add_partitions_to_txn_response *body,
		    enum kl_txn_verdict *verdict_out, struct kl_str *topic_out,
		    int32_t *partition_out)
{
	int code = 0;
	*verdict_out = KL_TXN_DONE;
	for (int32_t t = 0; t < body->results_by_topic_v3_and_below_n; t++) {
		const struct kl_add_partitions_to_txn_response_topic *topic =
			&body->results_by_topic_v3_and_below[t];
		for (int32_t i = 0; i < topic->results_by_partition_n; i++) {
			int error = topic->results_by_partition[i].partition_error_code;
			/* Others are at fault, which have a worse one. */
			enum kl_txn_verdict verdict =
				error == KLAMM_ERR_OPERATION_NOT_ATTEMPTED
					? KL_TXN_RETRY
					: kl_txn_judge_part(error);
			if (verdict <= *verdict_out)
				continue;
			*verdict_out = verdict;
			*topic_out = topic->name;
			*partition_out = topic->results_by_partition[i].partition_index;
			code = error;
		}
	}
	return code;
}

/* Those that came meanwhile are for the next request, wherever they stand. */
static void partitions_added(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	kl_list_for_safe(part, &txn->adding, struct kl_partition, adding) {
		if (!part->add_asked)
			continue;
		kl_list_remove(&part->adding);
		part->txn_number = txn->number;
	}
	txn->started = txn->added_some = true;
	txn->failures = 0;
	kl_sender_unpark(p);
}

static void on_partitions_answer(struct kl_request *request,
				 const struct kl_response *response)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_txn *txn = &p->txn;
	if (response->code != 0) {
		/* It may have begun without our knowing: another epoch ends it. */
		txn->bump |= response->maybe_applied;
		kl_txn_unanswered(p, &txn->coordinator, response);
		return;
	}
	kl_txn_answered(p);
	enum kl_txn_verdict verdict;
	struct kl_str topic = KL_STR_NULL;
	int32_t partition = -1;
	int code = worst_of(response->body, &verdict, &topic, &partition);
	if (verdict == KL_TXN_DONE) {
		partitions_added(p);
		return;
	}
	char where[300];
	snprintf(where, sizeof(where), " for topic %.*s partition %d", (int)topic.len, topic.p,
		 partition);
	kl_txn_refused(p, &txn->coordinator, verdict, KL_API_ADD_PARTITIONS_TO_TXN, code,
		       where);
	if (code == KLAMM_ERR_CONCURRENT_TRANSACTIONS && !txn->added_some)
		try_again_at(p, kl_min(txn->retry_at, now(p) + FIRST_ADD_BACKOFF));
}

void kl_txn_ask_partitions(struct klamm_producer *p)
{
	struct kl_node *node = kl_coordinator_node(&p->txn.coordinator);
	if (node == NULL)
		return;
	kl_txn_send(p, node, KL_API_ADD_PARTITIONS_TO_TXN, 0, ADD_PARTITIONS_MAX,
		    partitions_body, on_partitions_answer);
}

/* --- EndTxn --- */

static const void *end_body(struct kl_request *request, int version)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_end_txn_request *body = new_body(p, &kl_msg_end_txn_request);
	if (body == NULL)
		return NULL;
	body->transactional_id = kl_str(p->txn.id);
	body->producer_id = p->identity.id;
	body->producer_epoch = p->identity.epoch;
	body->committed = (p->txn.committed || KL_BUG(ABORT_COMMITS)) &&
			  !KL_BUG(COMMIT_ABORTS);
	return body;
}

static void on_end_answer(struct kl_request *request, const struct kl_response *response)
{
	struct klamm_producer *p = producer_of(request);
	struct kl_txn *txn = &p->txn;
	const struct kl_end_txn_response *body = response->body;
	if (response->code != 0) {
		/* A request that is still on its way somewhere must not end the next
		 * transaction; with version 2 its epoch is an old one by then. */
		txn->maybe_ended |= response->maybe_applied;
		kl_txn_in_doubt(p, response);
		kl_txn_unanswered(p, &txn->coordinator, response);
		return;
	}
	kl_txn_answered(p);
	int code = body->error_code;
	enum kl_txn_verdict verdict = kl_txn_judge(code);
	if (KL_BUG(FENCED_COMMIT) && verdict == KL_TXN_DIE)
		verdict = KL_TXN_DONE;
	if (verdict == KL_TXN_DONE) {
		if (response->version >= END_TXN_V2 && body->producer_id >= 0)
			take_identity(p, body->producer_id, body->producer_epoch);
		kl_txn_over(p);
		return;
	}
	/* An abort that could be answered by an abort would have no end. */
	if (verdict == KL_TXN_ABORT && !txn->committed)
		verdict = KL_TXN_DIE;
	kl_txn_refused(p, &txn->coordinator, verdict, KL_API_END_TXN, code,
		       !txn->committed ? " (abort)"
		       : txn->v2 && code == KLAMM_ERR_INVALID_TXN_STATE
			       ? " (commit; the coordinator has aborted it, after "
				 "transaction.timeout.ms or for a newer producer)"
			       : " (commit)");
}

void kl_txn_ask_end(struct klamm_producer *p)
{
	struct kl_txn *txn = &p->txn;
	struct kl_node *node = kl_coordinator_node(&txn->coordinator);
	if (node == NULL)
		return;
	kl_txn_send(p, node, KL_API_END_TXN, txn->v2 ? END_TXN_V2 : 0,
		    txn->v2 ? END_TXN_V2 : END_TXN_V1, end_body, on_end_answer);
	if (KL_BUG(EARLY_SUCCESS))
		kl_txn_call_end(p, NULL);
}
