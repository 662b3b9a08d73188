/* SPDX-License-Identifier: BSD-2-Clause */
/* OffsetForLeaderEpoch 0-4, those below 2 for tests that pretend to be an old broker: a
 * consumer asks whether what it read is still the truth after another leader came (KIP-320).
 * It is, unless a test had a leader lose records. */
#include "broker/call.h"

static void answer_one(struct kl_dev_call *call,
		       const struct kl_offset_for_leader_epoch_request_topic *topic,
		       const struct kl_offset_for_leader_epoch_request_partition *asked,
		       struct kl_offset_for_leader_epoch_response_epoch_end *out)
{
	int error;
	struct kl_dev_partition *partition =
		kl_dev_call_find(call, topic->topic, NULL, asked->partition, &error);
	if (error == 0)
		error = kl_dev_call_check(call, partition, asked->current_leader_epoch,
					  true);
	out->partition = asked->partition;
	out->error_code = (int16_t)error;
	out->leader_epoch = -1;
	out->end_offset = -1;
	if (error != 0)
		return;
	struct kl_dev_epoch end =
		kl_dev_log_epoch_end(&partition->log, asked->leader_epoch);
	out->leader_epoch = end.epoch;
	out->end_offset = end.start;
}

void kl_dev_offset_for_leader_epoch(struct kl_dev_call *call)
{
	const struct kl_offset_for_leader_epoch_request *request = call->request;
	struct kl_offset_for_leader_epoch_response response;
	kl_msg_init(&kl_msg_offset_for_leader_epoch_response, &response);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response.topics = kl_type_new(&kl_type_offset_for_leader_epoch_response_topic,
				      &call->arena, n);
	response.topics_n = (int32_t)n;
	bool ok = response.topics != NULL;
	for (size_t i = 0; i < n && ok; i++) {
		const struct kl_offset_for_leader_epoch_request_topic *topic =
			&request->topics[i];
		struct kl_offset_for_leader_epoch_response_topic *out =
			&response.topics[i];
		out->topic = topic->topic;
		out->partitions_n = kl_max(topic->partitions_n, 0);
		out->partitions =
			kl_type_new(&kl_type_offset_for_leader_epoch_response_epoch_end,
				    &call->arena, (size_t)out->partitions_n);
		ok = out->partitions != NULL;
		for (int32_t k = 0; k < out->partitions_n && ok; k++)
			answer_one(call, topic, &topic->partitions[k],
				   &out->partitions[k]);
	}
	if (ok)
		kl_dev_answer(call, &response);
	else
		kl_dev_call_fail(call);
}
