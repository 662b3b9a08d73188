/* SPDX-License-Identifier: BSD-2-Clause */
/* OffsetDelete 0. */
#include "broker/coordinators.h"
#include "broker/offsets.h"

struct work {
	struct kl_offset_delete_response response;
	struct kl_dev_pledge pledge;
};

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	if (work->pledge.error != 0)
		work->response.error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (work->response.error_code != 0)
		work->response.topics_n = 0;
	kl_dev_answer(call, &work->response);
}

static void delete_one(struct kl_dev_call *call, struct kl_dev_batch *batch,
		       struct kl_str name, struct kl_offset_delete_response_partition *out)
{
	const struct kl_offset_delete_request *request = call->request;
	struct kl_dev_topic *topic = kl_dev_topic_named(call->broker, name);
	int32_t index = out->partition_index;
	int error = kl_dev_topic_error(call, name, index);
	if (error == 0 && kl_dev_partition(topic, index) == NULL)
		error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	struct kl_dev_group *group = kl_dev_group_find(call->broker, request->group_id);
	if (error == 0 && group->type->subscribes(group, name))
		error = KLAMM_ERR_GROUP_SUBSCRIBED_TO_TOPIC;
	out->error_code = (int16_t)error;
	if (error == 0 && kl_dev_offset_find(group, name, index) != NULL)
		kl_dev_offsets_put(batch, request->group_id, name, index, NULL);
}

/* false: out of memory. */
static bool delete_all(struct kl_dev_call *call, struct work *work, struct kl_dev_batch *batch)
{
	const struct kl_offset_delete_request *request = call->request;
	size_t n = (size_t)kl_max(request->topics_n, 0);
	work->response.topics =
		kl_type_new(&kl_type_offset_delete_response_topic, &call->arena, n);
	if (work->response.topics == NULL)
		return false;
	work->response.topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		struct kl_offset_delete_response_topic *out = &work->response.topics[i];
		size_t m = (size_t)kl_max(request->topics[i].partitions_n, 0);
		out->name = request->topics[i].name;
		out->partitions = kl_type_new(&kl_type_offset_delete_response_partition,
					      &call->arena, m);
		if (out->partitions == NULL)
			return false;
		out->partitions_n = (int32_t)m;
		for (size_t k = 0; k < m; k++) {
			out->partitions[k].partition_index =
				request->topics[i].partitions[k].partition_index;
			delete_one(call, batch, out->name, &out->partitions[k]);
		}
	}
	return true;
}

static int begin(struct kl_dev_call *call, struct kl_dev_partition **home_out)
{
	const struct kl_offset_delete_request *request = call->request;
	if (request->group_id.len <= 0)
		return KLAMM_ERR_INVALID_GROUP_ID;
	int rc = kl_dev_call_home(call, KL_DEV_GROUP, request->group_id, home_out);
	if (rc != 0)
		return rc;
	const struct kl_dev_group *group =
		kl_dev_group_find(call->broker, request->group_id);
	return group != NULL ? group->type->check_delete(group) : KLAMM_ERR_GROUP_ID_NOT_FOUND;
}

void kl_dev_offset_delete(struct kl_dev_call *call)
{
	struct klamm_broker *broker = call->broker;
	struct kl_dev_partition *home;
	struct kl_dev_batch batch;
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.pledge.settled = true};
	kl_msg_init(&kl_msg_offset_delete_response, &work->response);
	int error = begin(call, &home);
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	bool ok = error != 0 || delete_all(call, work, &batch);
	if (error == 0 && ok) {
		error = kl_dev_group_append(broker, home, &batch, -1, -1);
		work->pledge = kl_dev_pledge_on(home);
	}
	kl_dev_batch_free(&batch);
	work->response.error_code = (int16_t)error;
	call->work = work;
	if (ok)
		kl_dev_call_settle(call, &work->pledge, 1, answer);
	else
		kl_dev_call_fail(call);
}
