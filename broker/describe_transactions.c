/* SPDX-License-Identifier: BSD-2-Clause */
/* DescribeTransactions 0. */
#include "broker/coordinators.h"
#include "broker/txns.h"

/* Parts are sorted, so those of a topic stand together. false: out of memory. */
static bool put_topics(struct kl_dev_call *call, const struct kl_dev_txn *txn,
		       struct kl_describe_transactions_response_transaction *out)
{
	size_t n = txn->part_count;
	int32_t *indexes = kl_arena_array(&call->arena, n, sizeof(*indexes));
	out->topics =
		kl_type_new(&kl_type_describe_transactions_response_topic, &call->arena, n);
	if (indexes == NULL || out->topics == NULL)
		return false;
	struct kl_describe_transactions_response_topic *topic = NULL;
	for (size_t i = 0; i < n; i++) {
		const struct kl_dev_txn_part *part = &txn->parts[i];
		if (topic == NULL || !kl_str_is(topic->topic, part->topic)) {
			topic = &out->topics[out->topics_n++];
			topic->topic = kl_str(part->topic);
			topic->partitions = &indexes[i];
		}
		indexes[i] = part->index;
		topic->partitions_n++;
	}
	return true;
}

static bool describe(struct kl_dev_call *call, struct kl_str id,
		     struct kl_describe_transactions_response_transaction *out)
{
	struct kl_dev_partition *home;
	int error = id.len <= 0 ? KLAMM_ERR_INVALID_REQUEST
				: kl_dev_call_home(call, KL_DEV_TXN, id, &home);
	const struct kl_dev_txn *txn = error == 0 ? kl_dev_txn_find(call->broker, id) : NULL;
	if (error == 0 && txn == NULL)
		error = KLAMM_ERR_TRANSACTIONAL_ID_NOT_FOUND;
	out->transactional_id = id;
	out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	out->transaction_state = kl_str(kl_dev_txn_state_name(txn->facts.state));
	out->transaction_timeout_ms = txn->facts.timeout_ms;
	out->transaction_start_time_ms = txn->facts.started_ms;
	out->producer_id = txn->facts.producer_id;
	out->producer_epoch = txn->facts.epoch;
	return put_topics(call, txn, out);
}

void kl_dev_describe_transactions(struct kl_dev_call *call)
{
	const struct kl_describe_transactions_request *request = call->request;
	struct kl_describe_transactions_response response;
	kl_msg_init(&kl_msg_describe_transactions_response, &response);
	size_t n = (size_t)kl_max(request->transactional_ids_n, 0);
	response.transaction_states = kl_type_new(
		&kl_type_describe_transactions_response_transaction, &call->arena, n);
	bool ok = response.transaction_states != NULL;
	response.transaction_states_n = (int32_t)n;
	for (size_t i = 0; i < n && ok; i++)
		ok = describe(call, request->transactional_ids[i],
			      &response.transaction_states[i]);
	if (ok)
		kl_dev_answer(call, &response);
	else
		kl_dev_call_fail(call);
}
