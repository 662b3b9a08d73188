/* SPDX-License-Identifier: BSD-2-Clause */
/* EndTxn 0-5: a transaction is decided when this is answered; its markers come later. */
#include "broker/coordinators.h"
#include "broker/txns.h"

/* The first version with an epoch for each transaction. */
#define BUMPS 5

struct work {
	struct kl_end_txn_response response;
	struct kl_dev_pledge pledge;
};

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	struct kl_end_txn_response *response = &work->response;
	if (work->pledge.error != 0)
		response->error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (response->error_code == KLAMM_ERR_PRODUCER_FENCED && call->version < 2)
		response->error_code = KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	if (response->error_code != 0 || call->version < BUMPS) {
		response->producer_id = -1;
		response->producer_epoch = -1;
	}
	kl_dev_answer(call, response);
}

static int end(struct kl_dev_call *call, struct work *work)
{
	const struct kl_end_txn_request *request = call->request;
	struct kl_dev_txn_ask ask = {
		.id = request->transactional_id,
		.producer_id = request->producer_id,
		.epoch = request->producer_epoch,
		.version = call->version >= BUMPS ? 2 : 0,
	};
	struct kl_dev_partition *home;
	int error = kl_dev_call_error(call);
	if (error == 0 && ask.id.len <= 0)
		error = KLAMM_ERR_INVALID_REQUEST;
	if (error == 0)
		error = kl_dev_call_home(call, KL_DEV_TXN, ask.id, &home);
	if (error != 0)
		return error;
	error = kl_dev_txn_end(call->broker, &ask, request->committed,
			       &work->response.producer_id, &work->response.producer_epoch);
	work->pledge = kl_dev_pledge_on(home);
	return error;
}

void kl_dev_end_txn(struct kl_dev_call *call)
{
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.pledge.settled = true};
	kl_msg_init(&kl_msg_end_txn_response, &work->response);
	work->response.error_code = (int16_t)end(call, work);
	call->work = work;
	kl_dev_call_settle(call, &work->pledge, 1, answer);
}
