/* SPDX-License-Identifier: BSD-2-Clause */
/* ListOffsets 0-11; 0 only for tests that pretend to be an old broker. */
#include "broker/call.h"
#include "broker/null.h"

#define READ_COMMITTED 1
/* Who asks. The second looks at any replica. */
#define CONSUMER -1
#define DEBUGGER -2

/* Times that are none. */
enum {
	LATEST = -1,
	EARLIEST = -2,
	NEWEST = -3, /* the record with the largest timestamp (KIP-734) */
	EARLIEST_LOCAL = -4, /* KIP-405; nothing is ever anywhere else */
	LATEST_TIERED = -5, /* KIP-1005 */
	EARLIEST_PENDING_UPLOAD = -6, /* KIP-1023 */
};

/* The first version that knows one of them. */
static bool is_known(int64_t timestamp, int version)
{
	static const int8_t since[] = {0, 0, 7, 8, 9, 11};
	return timestamp >= 0 ||
	       (timestamp >= EARLIEST_PENDING_UPLOAD && version >= since[-1 - timestamp]);
}

/* end: what is behind it the client does not see. lags: the leader does not know yet how far
 * its predecessor's records are safe. */
static int find(struct kl_dev_log *log, int64_t end, bool lags, int64_t timestamp,
		struct kl_dev_found *found)
{
	int rc;
	*found = (struct kl_dev_found){-1, -1, -1};
	switch (timestamp) {
	case LATEST:
		if (lags)
			return KLAMM_ERR_OFFSET_NOT_AVAILABLE;
		found->offset = end;
		found->leader_epoch = kl_dev_log_epoch_at(log, end);
		return 0;
	case EARLIEST:
	case EARLIEST_LOCAL:
		found->offset = log->start;
		found->leader_epoch = kl_dev_log_epoch_at(log, log->start);
		return 0;
	case LATEST_TIERED:
	case EARLIEST_PENDING_UPLOAD:
		return 0;
	case NEWEST:
		rc = kl_dev_log_find_newest(log, found);
		break;
	default:
		rc = kl_dev_log_find_time(log, timestamp, found);
		break;
	}
	if (rc == 0 && lags && (found->offset < 0 || found->offset >= end))
		return KLAMM_ERR_OFFSET_NOT_AVAILABLE;
	if (rc == 0 && found->offset >= end)
		*found = (struct kl_dev_found){-1, -1, -1};
	return rc;
}

/* KIP-207: only clients are told, and old ones with an error that they know. */
static bool lags(const struct kl_dev_call *call, const struct kl_dev_log *log)
{
	const struct kl_list_offsets_request *request = call->request;
	return request->replica_id == CONSUMER && call->broker->null == NULL &&
	       log->epoch_count > 0 && log->epochs[log->epoch_count - 1].start > log->high;
}

static int64_t end_of(const struct kl_dev_call *call, struct kl_dev_partition *partition)
{
	const struct kl_list_offsets_request *request = call->request;
	if (call->broker->null != NULL)
		return KL_DEV_NULL_END;
	return request->isolation_level == READ_COMMITTED
		       ? kl_dev_partition_stable(partition)
		       : partition->log.high;
}

/* Version 0 asked for where segments begin, the newest first; here the log is one segment. */
static bool answer_old(struct kl_dev_call *call, const struct kl_dev_log *log,
		       const struct kl_list_offsets_request_partition *asked,
		       struct kl_list_offsets_response_partition *out)
{
	out->old_style_offsets = kl_arena_array(&call->arena, 2, sizeof(int64_t));
	if (out->old_style_offsets == NULL)
		return false;
	if (asked->timestamp == LATEST && asked->max_num_offsets > 0)
		out->old_style_offsets[out->old_style_offsets_n++] = log->high;
	if (out->old_style_offsets_n < asked->max_num_offsets)
		out->old_style_offsets[out->old_style_offsets_n++] = log->start;
	return true;
}

static bool answer_one(struct kl_dev_call *call,
		       const struct kl_list_offsets_request_topic *topic,
		       const struct kl_list_offsets_request_partition *asked,
		       struct kl_list_offsets_response_partition *out)
{
	int error;
	const struct kl_list_offsets_request *request = call->request;
	struct kl_dev_partition *partition = kl_dev_call_find(
		call, topic->name, NULL, asked->partition_index, &error);
	if (!is_known(asked->timestamp, call->version))
		error = KLAMM_ERR_UNSUPPORTED_VERSION;
	if (error == 0)
		error = kl_dev_call_check(call, partition, asked->current_leader_epoch,
					  request->replica_id != DEBUGGER);
	out->partition_index = asked->partition_index;
	out->error_code = (int16_t)error;
	out->timestamp = out->offset = -1;
	if (error != 0)
		return true;
	if (call->version == 0)
		return answer_old(call, &partition->log, asked, out);
	struct kl_dev_found found;
	error = find(&partition->log, end_of(call, partition),
		     lags(call, &partition->log), asked->timestamp, &found);
	if (error == KLAMM_ERR_OFFSET_NOT_AVAILABLE && call->version < 5)
		error = KLAMM_ERR_LEADER_NOT_AVAILABLE;
	out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	out->offset = found.offset;
	out->timestamp = found.timestamp;
	if (call->version >= 4)
		out->leader_epoch = found.leader_epoch;
	return true;
}

static bool answer_topic(struct kl_dev_call *call,
			 const struct kl_list_offsets_request_topic *topic,
			 struct kl_list_offsets_response_topic *out)
{
	size_t n = (size_t)kl_max(topic->partitions_n, 0);
	out->name = topic->name;
	out->partitions =
		kl_type_new(&kl_type_list_offsets_response_partition, &call->arena, n);
	if (out->partitions == NULL)
		return false;
	out->partitions_n = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!answer_one(call, topic, &topic->partitions[i], &out->partitions[i]))
			return false;
	return true;
}

void kl_dev_list_offsets(struct kl_dev_call *call)
{
	const struct kl_list_offsets_request *request = call->request;
	struct kl_list_offsets_response response;
	kl_msg_init(&kl_msg_list_offsets_response, &response);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response.topics =
		kl_type_new(&kl_type_list_offsets_response_topic, &call->arena, n);
	response.topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		if (response.topics == NULL ||
		    !answer_topic(call, &request->topics[i], &response.topics[i])) {
			kl_dev_call_fail(call);
			return;
		}
	}
	kl_dev_answer(call, &response);
}
