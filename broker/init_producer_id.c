/* SPDX-License-Identifier: BSD-2-Clause */
/* InitProducerId 0-5. */
#include "broker/coordinators.h"
#include "broker/data.h"
#include "broker/txns.h"

/* Ids are never given twice: with a data directory they are written down before, some at a
 * time, as in Kafka. */
#define RESERVED 1000

int kl_dev_producer_id(struct klamm_broker *broker, int64_t *id_out)
{
	if (broker->next_producer_id >= broker->producer_id_limit) {
		broker->producer_id_limit += RESERVED;
		if (kl_dev_save(broker, NULL) != 0) {
			broker->producer_id_limit -= RESERVED;
			return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
		}
	}
	*id_out = broker->next_producer_id++;
	return 0;
}

struct work {
	struct kl_init_producer_id_response response;
	struct kl_dev_pledge pledge;
};

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	struct kl_init_producer_id_response *response = &work->response;
	if (work->pledge.error != 0)
		response->error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	/* Clients of before have no such error. */
	if (response->error_code == KLAMM_ERR_PRODUCER_FENCED && call->version < 4)
		response->error_code = KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	if (response->error_code != 0) {
		response->producer_id = -1;
		response->producer_epoch = -1;
	}
	kl_dev_answer(call, response);
}

/* KIP-360: what the producer had, both or neither. Without a transactional id it gets a new id
 * all the same. */
static bool is_whole(const struct kl_init_producer_id_request *request)
{
	return (request->producer_id == -1) == (request->producer_epoch == -1);
}

static int check(const struct kl_dev_call *call)
{
	const struct kl_init_producer_id_request *request = call->request;
	const struct kl_dev_limits *limits = &call->broker->limits;
	if (!is_whole(request) || request->transactional_id.len == 0)
		return KLAMM_ERR_INVALID_REQUEST;
	if (request->transactional_id.len < 0)
		return 0;
	if (request->enable2_pc)
		return !limits->two_phase_commit
			       ? KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
		       : request->keep_prepared_txn ? KLAMM_ERR_UNSUPPORTED_VERSION
						    : 0;
	if (request->keep_prepared_txn)
		return KLAMM_ERR_UNSUPPORTED_VERSION;
	return request->transaction_timeout_ms <= 0 ||
			       request->transaction_timeout_ms >
				       limits->transaction_max_timeout_ms
		       ? KLAMM_ERR_INVALID_TRANSACTION_TIMEOUT
		       : 0;
}

static int begin(struct kl_dev_call *call, struct work *work)
{
	const struct kl_init_producer_id_request *request = call->request;
	struct kl_init_producer_id_response *response = &work->response;
	struct kl_dev_partition *home;
	struct kl_dev_txn_ask ask = {
		.id = request->transactional_id,
		.producer_id = request->producer_id,
		.epoch = request->producer_epoch,
	};
	int error = kl_dev_call_home(call, KL_DEV_TXN, ask.id, &home);
	if (error == 0)
		error = kl_dev_txn_init(call->broker, home, &ask,
					request->enable2_pc ? INT32_MAX
							    : request->transaction_timeout_ms,
					&response->producer_id, &response->producer_epoch);
	if (home != NULL)
		work->pledge = kl_dev_pledge_on(home);
	return error;
}

void kl_dev_init_producer_id(struct kl_dev_call *call)
{
	const struct kl_init_producer_id_request *request = call->request;
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.pledge.settled = true};
	kl_msg_init(&kl_msg_init_producer_id_response, &work->response);
	int error = kl_dev_call_error(call);
	if (error == 0)
		error = check(call);
	if (error == 0 && request->transactional_id.len < 0) {
		error = kl_dev_producer_id(call->broker, &work->response.producer_id);
		work->response.producer_epoch = 0;
	} else if (error == 0) {
		error = begin(call, work);
	}
	work->response.error_code = (int16_t)error;
	call->work = work;
	kl_dev_call_settle(call, &work->pledge, 1, answer);
}
