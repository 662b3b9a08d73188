/* SPDX-License-Identifier: BSD-2-Clause */
/* InitProducerId 0-5, for idempotent producers. There are no transactions: a transactional id
 * gets the one error that every client takes for final. */
#include "broker/call.h"
#include "broker/data.h"

/* Ids are never given twice: with a data directory they are written down before, some at a
 * time, as in Kafka. */
#define RESERVED 1000

static int reserve(struct klamm_broker *broker)
{
	if (broker->next_producer_id < broker->producer_id_limit)
		return 0;
	broker->producer_id_limit += RESERVED;
	int rc = kl_dev_save(broker, NULL);
	if (rc != 0)
		broker->producer_id_limit -= RESERVED;
	return rc;
}

/* KIP-360: what the producer had, both or neither. Without a transactional id it gets a new id
 * all the same. */
static bool is_whole(const struct kl_init_producer_id_request *request)
{
	return (request->producer_id == -1) == (request->producer_epoch == -1);
}

void kl_dev_init_producer_id(struct kl_dev_call *call)
{
	const struct kl_init_producer_id_request *request = call->request;
	struct kl_init_producer_id_response response;
	kl_msg_init(&kl_msg_init_producer_id_response, &response);
	int error = kl_dev_call_error(call);
	if (error == 0 && (request->transactional_id.len == 0 || !is_whole(request)))
		error = KLAMM_ERR_INVALID_REQUEST;
	if (error == 0 && request->transactional_id.len > 0)
		error = KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (error == 0)
		error = reserve(call->broker);
	response.error_code = (int16_t)error;
	response.producer_id = error == 0 ? call->broker->next_producer_id++ : -1;
	response.producer_epoch = error == 0 ? 0 : -1;
	kl_dev_answer(call, &response);
}
