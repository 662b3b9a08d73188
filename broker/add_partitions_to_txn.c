/* SPDX-License-Identifier: BSD-2-Clause */
/* AddPartitionsToTxn 0-5. Up to version 3 clients ask, for one transaction; from 4 on
 * brokers do, for several, and may ask only whether partitions take part (KIP-890). */
#include "broker/coordinators.h"
#include "broker/txns.h"

#define FROM_BROKERS 4
/* Since this one brokers ask because of producers with an epoch for each transaction. */
#define BUMPS 5

struct work {
	struct kl_add_partitions_to_txn_response response;
	struct kl_dev_pledge *pledges; /* by transaction */
	size_t count;
};

/* One transaction of a request of any version. */
struct asked {
	struct kl_dev_txn_ask ask;
	bool verify_only;
	const struct kl_add_partitions_to_txn_request_topic *topics;
	int32_t topics_n;
	struct kl_dev_pledge *pledge;
};

/* --- answers --- */

static bool put_topics(struct kl_dev_call *call, const struct asked *asked,
		       struct kl_add_partitions_to_txn_response_topic **topics_out,
		       int32_t *count_out)
{
	size_t n = (size_t)kl_max(asked->topics_n, 0);
	struct kl_add_partitions_to_txn_response_topic *topics =
		kl_type_new(&kl_type_add_partitions_to_txn_response_topic, &call->arena, n);
	*topics_out = topics;
	if (topics == NULL)
		return false;
	*count_out = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		size_t m = (size_t)kl_max(asked->topics[i].partitions_n, 0);
		topics[i].name = asked->topics[i].name;
		topics[i].results_by_partition =
			kl_type_new(&kl_type_add_partitions_to_txn_response_partition,
				    &call->arena, m);
		if (topics[i].results_by_partition == NULL)
			return false;
		topics[i].results_by_partition_n = (int32_t)m;
		for (size_t k = 0; k < m; k++)
			topics[i].results_by_partition[k].partition_index =
				asked->topics[i].partitions[k];
	}
	return true;
}

static void set_all(struct kl_add_partitions_to_txn_response_topic *topics, int32_t n,
		    int error)
{
	for (int32_t i = 0; i < n; i++)
		for (int32_t k = 0; k < topics[i].results_by_partition_n; k++)
			topics[i].results_by_partition[k].partition_error_code =
				(int16_t)error;
}

/* --- one transaction --- */

/* One bad partition, and none is added. */
static bool check_names(struct kl_dev_call *call,
			struct kl_add_partitions_to_txn_response_topic *topics, int32_t n)
{
	bool good = true;
	for (int32_t i = 0; i < n; i++) {
		struct kl_dev_topic *topic = kl_dev_topic_named(call->broker, topics[i].name);
		for (int32_t k = 0; k < topics[i].results_by_partition_n; k++) {
			struct kl_add_partitions_to_txn_response_partition *out =
				&topics[i].results_by_partition[k];
			int error = kl_dev_topic_error(call, topics[i].name,
						       out->partition_index);
			if (error == 0 &&
			    kl_dev_partition(topic, out->partition_index) == NULL)
				error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
			out->partition_error_code = (int16_t)error;
			good &= error == 0;
		}
	}
	for (int32_t i = 0; i < n && !good; i++)
		for (int32_t k = 0; k < topics[i].results_by_partition_n; k++)
			if (topics[i].results_by_partition[k].partition_error_code == 0)
				topics[i].results_by_partition[k].partition_error_code =
					KLAMM_ERR_OPERATION_NOT_ATTEMPTED;
	return good;
}

static void verify(struct kl_dev_call *call, const struct asked *asked,
		   struct kl_add_partitions_to_txn_response_topic *topics, int32_t n)
{
	const struct kl_dev_txn *txn = kl_dev_txn_find(call->broker, asked->ask.id);
	for (int32_t i = 0; i < n; i++)
		for (int32_t k = 0; k < topics[i].results_by_partition_n; k++)
			topics[i].results_by_partition[k].partition_error_code =
				kl_dev_txn_has_part(txn, topics[i].name,
						    topics[i].results_by_partition[k]
							    .partition_index)
					? 0
					: KLAMM_ERR_TRANSACTION_ABORTABLE;
}

static int add(struct kl_dev_call *call, const struct asked *asked)
{
	size_t n = 0, m = 0;
	for (int32_t i = 0; i < asked->topics_n; i++)
		n += (size_t)kl_max(asked->topics[i].partitions_n, 0);
	struct kl_dev_txn_name *names = kl_arena_array(&call->arena, n, sizeof(*names));
	if (names == NULL)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	for (int32_t i = 0; i < asked->topics_n; i++)
		for (int32_t k = 0; k < asked->topics[i].partitions_n; k++)
			names[m++] = (struct kl_dev_txn_name){asked->topics[i].name,
							      asked->topics[i].partitions[k]};
	return kl_dev_txn_add_all(call->broker, &asked->ask, names, n);
}

static void handle(struct kl_dev_call *call, const struct asked *asked,
		   struct kl_add_partitions_to_txn_response_topic *topics, int32_t n)
{
	struct klamm_broker *broker = call->broker;
	struct kl_dev_partition *home;
	int error = kl_dev_call_error(call);
	if (error == 0 && !check_names(call, topics, n))
		return;
	if (error == 0 && asked->ask.id.len <= 0)
		error = KLAMM_ERR_INVALID_REQUEST;
	if (error == 0)
		error = kl_dev_call_home(call, KL_DEV_TXN, asked->ask.id, &home);
	if (error != 0) {
		set_all(topics, n, error);
		return;
	}
	if (asked->verify_only) {
		error = kl_dev_txn_verify(broker, &asked->ask);
		if (error == 0)
			verify(call, asked, topics, n);
	} else {
		error = kl_dev_txn_may_add(broker, &asked->ask);
		if (error == 0)
			error = add(call, asked);
	}
	if (error == KLAMM_ERR_PRODUCER_FENCED && call->version < 2)
		error = KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	if (error != 0)
		set_all(topics, n, error);
	*asked->pledge = kl_dev_pledge_on(home);
}

/* --- the request --- */

static bool handle_old(struct kl_dev_call *call, struct work *work)
{
	const struct kl_add_partitions_to_txn_request *request = call->request;
	struct asked asked = {
		.ask = {.id = request->v3_and_below_transactional_id,
			.producer_id = request->v3_and_below_producer_id,
			.epoch = request->v3_and_below_producer_epoch},
		.topics = request->v3_and_below_topics,
		.topics_n = request->v3_and_below_topics_n,
		.pledge = &work->pledges[0],
	};
	if (!put_topics(call, &asked, &work->response.results_by_topic_v3_and_below,
			&work->response.results_by_topic_v3_and_below_n))
		return false;
	handle(call, &asked, work->response.results_by_topic_v3_and_below,
	       work->response.results_by_topic_v3_and_below_n);
	return true;
}

static bool handle_each(struct kl_dev_call *call, struct work *work)
{
	const struct kl_add_partitions_to_txn_request *request = call->request;
	work->response.results_by_transaction =
		kl_type_new(&kl_type_add_partitions_to_txn_response_transaction, &call->arena,
			    work->count);
	work->response.results_by_transaction_n = (int32_t)work->count;
	for (size_t i = 0; i < work->count; i++) {
		const struct kl_add_partitions_to_txn_request_transaction *txn =
			&request->transactions[i];
		struct asked asked = {
			.ask = {txn->transactional_id, txn->producer_id, txn->producer_epoch,
				call->version >= BUMPS ? 2 : 0},
			.verify_only = txn->verify_only,
			.topics = txn->topics,
			.topics_n = txn->topics_n,
			.pledge = &work->pledges[i],
		};
		if (work->response.results_by_transaction == NULL)
			return false;
		struct kl_add_partitions_to_txn_response_transaction *out =
			&work->response.results_by_transaction[i];
		out->transactional_id = txn->transactional_id;
		if (!put_topics(call, &asked, &out->topic_results, &out->topic_results_n))
			return false;
		handle(call, &asked, out->topic_results, out->topic_results_n);
	}
	return true;
}

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	for (size_t i = 0; i < work->count; i++) {
		if (work->pledges[i].error == 0)
			continue;
		if (call->version < FROM_BROKERS)
			set_all(work->response.results_by_topic_v3_and_below,
				work->response.results_by_topic_v3_and_below_n,
				KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
		else
			set_all(work->response.results_by_transaction[i].topic_results,
				work->response.results_by_transaction[i].topic_results_n,
				KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	}
	kl_dev_answer(call, &work->response);
}

static struct work *begin(struct kl_dev_call *call)
{
	const struct kl_add_partitions_to_txn_request *request = call->request;
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL)
		return NULL;
	*work = (struct work){
		.count = call->version < FROM_BROKERS
				 ? 1
				 : (size_t)kl_max(request->transactions_n, 0)};
	work->pledges = kl_arena_array(&call->arena, work->count, sizeof(*work->pledges));
	if (work->pledges == NULL)
		return NULL;
	for (size_t i = 0; i < work->count; i++)
		work->pledges[i] = (struct kl_dev_pledge){.settled = true};
	kl_msg_init(&kl_msg_add_partitions_to_txn_response, &work->response);
	return work;
}

void kl_dev_add_partitions_to_txn(struct kl_dev_call *call)
{
	struct work *work = begin(call);
	call->work = work;
	if (work == NULL || !(call->version < FROM_BROKERS ? handle_old(call, work)
							   : handle_each(call, work)))
		kl_dev_call_fail(call);
	else
		kl_dev_call_settle(call, work->pledges, work->count, answer);
}
