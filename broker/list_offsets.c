/* SPDX-License-Identifier: BSD-2-Clause */
/* ListOffsets 0-11; 0 only for tests that pretend to be an old broker. */
#include <stdlib.h>

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

/* --- partitions that are asked for twice: they are told once, of that error --- */

struct place {
	struct kl_str topic;
	int32_t partition;
	bool told;
};

struct repeated {
	struct place *list; /* sorted */
	size_t count;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = memcmp(x->topic.p ?: "", y->topic.p ?: "",
			   (size_t)kl_max(kl_min(x->topic.len, y->topic.len), 0));
	if (order == 0)
		order = (x->topic.len > y->topic.len) - (x->topic.len < y->topic.len);
	if (order == 0)
		order = (x->partition > y->partition) - (x->partition < y->partition);
	return order;
}

/* false: out of memory. */
static bool find_repeated(struct kl_dev_call *call, struct repeated *out)
{
	const struct kl_list_offsets_request *request = call->request;
	size_t n = 0, at = 0;
	for (int32_t t = 0; t < request->topics_n; t++)
		n += (size_t)kl_max(request->topics[t].partitions_n, 0);
	struct place *all = kl_arena_array(&call->arena, n, sizeof(*all));
	*out = (struct repeated){.list = all};
	if (all == NULL)
		return false;
	for (int32_t t = 0; t < request->topics_n; t++)
		for (int32_t i = 0; i < request->topics[t].partitions_n; i++)
			all[at++] = (struct place){
				request->topics[t].name,
				request->topics[t].partitions[i].partition_index, false};
	qsort(all, n, sizeof(*all), by_place);
	for (size_t i = 1; i < n; i++) {
		if (by_place(&all[i - 1], &all[i]) != 0)
			continue;
		if (out->count == 0 || by_place(&all[out->count - 1], &all[i]) != 0)
			all[out->count++] = all[i];
	}
	return true;
}

static struct place *find_place(const struct repeated *repeated, struct kl_str topic,
				int32_t partition)
{
	struct place key = {.topic = topic, .partition = partition};
	return repeated->count > 0 ? bsearch(&key, repeated->list, repeated->count,
					     sizeof(key), by_place)
				   : NULL;
}

static void refuse(struct place *place, struct kl_list_offsets_response_topic *out)
{
	if (place->told)
		return;
	place->told = true;
	struct kl_list_offsets_response_partition *to = &out->partitions[out->partitions_n++];
	to->partition_index = place->partition;
	to->error_code = KLAMM_ERR_INVALID_REQUEST;
	to->timestamp = to->offset = -1;
}

/* --- the request --- */

static bool answer_topic(struct kl_dev_call *call,
			 const struct kl_list_offsets_request_topic *topic,
			 const struct repeated *repeated,
			 struct kl_list_offsets_response_topic *out)
{
	size_t n = (size_t)kl_max(topic->partitions_n, 0);
	out->name = topic->name;
	out->partitions =
		kl_type_new(&kl_type_list_offsets_response_partition, &call->arena, n);
	if (out->partitions == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct place *place = find_place(repeated, topic->name,
						 topic->partitions[i].partition_index);
		if (place != NULL)
			refuse(place, out);
		else if (!answer_one(call, topic, &topic->partitions[i],
				     &out->partitions[out->partitions_n++]))
			return false;
	}
	return true;
}

void kl_dev_list_offsets(struct kl_dev_call *call)
{
	const struct kl_list_offsets_request *request = call->request;
	struct kl_list_offsets_response response;
	kl_msg_init(&kl_msg_list_offsets_response, &response);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	struct repeated repeated = {0};
	/* Version 0 came before that rule. */
	if (call->version > 0 && !find_repeated(call, &repeated)) {
		kl_dev_call_fail(call);
		return;
	}
	response.topics =
		kl_type_new(&kl_type_list_offsets_response_topic, &call->arena, n);
	response.topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		if (response.topics == NULL ||
		    !answer_topic(call, &request->topics[i], &repeated,
				  &response.topics[i])) {
			kl_dev_call_fail(call);
			return;
		}
	}
	kl_dev_answer(call, &response);
}
