/* SPDX-License-Identifier: BSD-2-Clause */
/* DeleteTopics 1-6 and DeleteRecords 0-2. */
#include "broker/coordinators.h"
#include "broker/data.h"

static void delete_one(struct kl_dev_call *call, struct kl_str name,
		       const struct klamm_uuid *id,
		       struct kl_delete_topics_response_topic *out)
{
	bool by_id = !kl_uuid_is_zero(id);
	struct kl_dev_topic *topic = by_id ? kl_dev_topic_with_id(call->broker, id)
					   : kl_dev_topic_named(call->broker, name);
	int error = kl_dev_topic_error(
		call, topic != NULL ? kl_dev_topic_name(topic) : name, -1);
	out->name = name;
	out->topic_id = *id;
	if (error == 0 && by_id == (name.len >= 0))
		error = KLAMM_ERR_INVALID_REQUEST; /* one of them, not both */
	if (error == 0 && topic == NULL)
		error = by_id ? KLAMM_ERR_UNKNOWN_TOPIC_ID
			      : KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	out->error_code = (int16_t)error;
	if (error != 0)
		return;
	struct klamm_error err;
	out->name =
		kl_str(kl_arena_text(&call->arena, topic->name, (size_t)topic->name_len));
	out->topic_id = topic->id;
	error = kl_dev_topic_delete(call->broker, topic, &err);
	out->error_code = (int16_t)error;
	if (error != 0)
		out->error_message =
			kl_str(kl_arena_text(&call->arena, err.text, strlen(err.text)));
}

void kl_dev_delete_topics(struct kl_dev_call *call)
{
	const struct kl_delete_topics_request *request = call->request;
	static const struct klamm_uuid no_id = {{0}};
	struct kl_delete_topics_response response;
	kl_msg_init(&kl_msg_delete_topics_response, &response);
	bool named = call->version < 6;
	size_t n = (size_t)kl_max(named ? request->topic_names_n : request->topics_n, 0);
	response.responses =
		kl_type_new(&kl_type_delete_topics_response_topic, &call->arena, n);
	response.responses_n = (int32_t)n;
	if (response.responses == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (named)
			delete_one(call, request->topic_names[i], &no_id,
				   &response.responses[i]);
		else
			delete_one(call, request->topics[i].name,
				   &request->topics[i].topic_id, &response.responses[i]);
	}
	kl_dev_answer(call, &response);
}

/* --- DeleteRecords --- */

static void trim_one(struct kl_dev_call *call, struct kl_str topic,
		     const struct kl_delete_records_request_partition *asked,
		     struct kl_delete_records_response_partition *out)
{
	int error;
	struct kl_dev_partition *partition =
		kl_dev_call_partition(call, topic, NULL, asked->partition_index, &error);
	if (error == 0 && kl_dev_topic_is_internal(topic))
		error = KLAMM_ERR_INVALID_TOPIC_EXCEPTION;
	if (error == 0 && !partition->topic->settings.config.deletes)
		error = KLAMM_ERR_POLICY_VIOLATION;
	/* -1 stands for the high watermark. */
	int64_t offset =
		error == 0 && asked->offset == -1 ? partition->log.high : asked->offset;
	if (error == 0 && (offset < 0 || offset > partition->log.high))
		error = KLAMM_ERR_OFFSET_OUT_OF_RANGE;
	out->partition_index = asked->partition_index;
	out->error_code = (int16_t)error;
	out->low_watermark = -1;
	if (error != 0)
		return;
	if (offset > partition->log.start && call->broker->null == NULL)
		kl_dev_partition_trim(partition, offset);
	kl_dev_save_soon(call->broker);
	out->low_watermark = partition->log.start;
	kl_dev_partition_changed(
		partition); /* who waits below the start is out of range */
}

void kl_dev_delete_records(struct kl_dev_call *call)
{
	const struct kl_delete_records_request *request = call->request;
	struct kl_delete_records_response response;
	kl_msg_init(&kl_msg_delete_records_response, &response);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response.topics =
		kl_type_new(&kl_type_delete_records_response_topic, &call->arena, n);
	response.topics_n = (int32_t)n;
	bool ok = response.topics != NULL;
	for (size_t i = 0; i < n && ok; i++) {
		const struct kl_delete_records_request_topic *topic = &request->topics[i];
		struct kl_delete_records_response_topic *out = &response.topics[i];
		out->name = topic->name;
		out->partitions_n = kl_max(topic->partitions_n, 0);
		out->partitions = kl_type_new(&kl_type_delete_records_response_partition,
					      &call->arena, (size_t)out->partitions_n);
		ok = out->partitions != NULL;
		for (int32_t k = 0; k < out->partitions_n && ok; k++)
			trim_one(call, topic->name, &topic->partitions[k],
				 &out->partitions[k]);
	}
	if (ok)
		kl_dev_answer(call, &response);
	else
		kl_dev_call_fail(call);
}
