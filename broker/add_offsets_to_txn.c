/* SPDX-License-Identifier: BSD-2-Clause */
/* AddOffsetsToTxn 0-4: the home partition of a group takes part in the transaction. */
#include "broker/coordinators.h"
#include "broker/txns.h"

struct work {
	struct kl_add_offsets_to_txn_response response;
	struct kl_dev_pledge pledge;
};

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	struct kl_add_offsets_to_txn_response *response = &work->response;
	if (work->pledge.error != 0)
		response->error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (response->error_code == KLAMM_ERR_PRODUCER_FENCED && call->version < 2)
		response->error_code = KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	kl_dev_answer(call, response);
}

/* The group's topic is made when its coordinator is looked for, which comes after this. */
static int32_t index_of(struct klamm_broker *broker, struct kl_str group)
{
	struct kl_dev_topic *topic = kl_dev_topic_named(broker, KL_STR("__consumer_offsets"));
	return kl_dev_home_index(group, topic != NULL ? topic->partition_count
						      : broker->limits.offsets_partitions);
}

static int add(struct kl_dev_call *call, struct work *work)
{
	const struct kl_add_offsets_to_txn_request *request = call->request;
	struct kl_dev_txn_ask ask = {
		.id = request->transactional_id,
		.producer_id = request->producer_id,
		.epoch = request->producer_epoch,
	};
	struct kl_dev_partition *home;
	int error = kl_dev_call_error(call);
	if (error == 0 && ask.id.len <= 0)
		error = KLAMM_ERR_INVALID_REQUEST;
	if (error == 0)
		error = kl_dev_call_home(call, KL_DEV_TXN, ask.id, &home);
	if (error != 0)
		return error;
	struct kl_dev_txn_name name = {KL_STR("__consumer_offsets"),
				       index_of(call->broker, request->group_id)};
	error = kl_dev_txn_may_add(call->broker, &ask);
	if (error == 0)
		error = kl_dev_txn_add_all(call->broker, &ask, &name, 1);
	work->pledge = kl_dev_pledge_on(home);
	return error;
}

void kl_dev_add_offsets_to_txn(struct kl_dev_call *call)
{
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.pledge.settled = true};
	kl_msg_init(&kl_msg_add_offsets_to_txn_response, &work->response);
	work->response.error_code = (int16_t)add(call, work);
	call->work = work;
	kl_dev_call_settle(call, &work->pledge, 1, answer);
}
