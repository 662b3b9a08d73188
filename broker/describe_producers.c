/* SPDX-License-Identifier: BSD-2-Clause */
/* DescribeProducers 0: what a partition's leader remembers of producers. */
#include "broker/call.h"

static bool put_producers(struct kl_dev_call *call, const struct kl_dev_producers *producers,
			  struct kl_describe_producers_response_partition *out)
{
	struct kl_dev_producer *producer, *next;
	out->active_producers =
		kl_type_new(&kl_type_describe_producers_response_active_producer,
			    &call->arena, HASH_COUNT(producers->by_id));
	if (out->active_producers == NULL)
		return false;
	HASH_ITER(hh, producers->by_id, producer, next)
	{
		if (producer->epoch < 0)
			continue;
		struct kl_describe_producers_response_active_producer *to =
			&out->active_producers[out->active_producers_n++];
		to->producer_id = producer->id;
		to->producer_epoch = producer->epoch;
		to->last_sequence =
			producer->count > 0 ? producer->seen[producer->count - 1].last : -1;
		to->last_timestamp = producer->last_timestamp;
		to->coordinator_epoch = producer->coordinator_epoch;
		to->current_txn_start_offset = producer->txn_first;
	}
	return true;
}

static bool describe(struct kl_dev_call *call, struct kl_str topic,
		     struct kl_describe_producers_response_partition *out)
{
	int error = kl_dev_topic_check_name(topic, NULL);
	struct kl_dev_partition *partition = NULL;
	if (error == 0)
		partition = kl_dev_call_partition(call, topic, NULL, out->partition_index,
						  &error);
	out->error_code = (int16_t)error;
	out->error_message = KL_STR_NULL;
	return error != 0 || put_producers(call, &partition->producers, out);
}

static bool describe_topic(struct kl_dev_call *call,
			   const struct kl_describe_producers_request_topic *asked,
			   struct kl_describe_producers_response_topic *out)
{
	size_t n = (size_t)kl_max(asked->partition_indexes_n, 0);
	out->name = asked->name;
	out->partitions =
		kl_type_new(&kl_type_describe_producers_response_partition, &call->arena, n);
	if (out->partitions == NULL)
		return false;
	out->partitions_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		out->partitions[i].partition_index = asked->partition_indexes[i];
		if (!describe(call, asked->name, &out->partitions[i]))
			return false;
	}
	return true;
}

void kl_dev_describe_producers(struct kl_dev_call *call)
{
	const struct kl_describe_producers_request *request = call->request;
	struct kl_describe_producers_response response;
	kl_msg_init(&kl_msg_describe_producers_response, &response);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response.topics =
		kl_type_new(&kl_type_describe_producers_response_topic, &call->arena, n);
	bool ok = response.topics != NULL;
	response.topics_n = (int32_t)n;
	for (size_t i = 0; i < n && ok; i++)
		ok = describe_topic(call, &request->topics[i], &response.topics[i]);
	if (ok)
		kl_dev_answer(call, &response);
	else
		kl_dev_call_fail(call);
}
